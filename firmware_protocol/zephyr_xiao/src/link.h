/* Advertising, and the one connection. */
#ifndef LINK_H
#define LINK_H

#include <zephyr/bluetooth/conn.h>

/* Switch Bluetooth on, take name and serial number from the chip's own id, advertise. */
int link_init(void);

/* The connection, to be given back with bt_conn_unref(); NULL without one. */
struct bt_conn *link_take(void);

/* End the connection and advertise no more. */
void link_end(void);

#endif
