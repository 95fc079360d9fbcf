/* The thread that answers and sends. It alone may wait for the radio. */
#ifndef SENDING_H
#define SENDING_H

#include <stddef.h>
#include <stdint.h>

/* There may be something to do. May be called from an interrupt. */
void sending_wake(void);

/* A new connection: everything may be sent. */
void sending_link_up(void);

/* Bonds cannot be stored: to be reported in Status. */
void sending_storage_failed(void);

/* Write the Status; returns its size. */
size_t sending_status(uint8_t *out, size_t room);

#endif
