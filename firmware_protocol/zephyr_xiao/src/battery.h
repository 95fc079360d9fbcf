/* How full the battery is. */
#ifndef BATTERY_H
#define BATTERY_H

#include <stdint.h>

int battery_init(void);

/* Measure, and update the Battery Service. */
void battery_update(void);

/* 0: unknown. */
uint16_t battery_mv(void);

/* 100 if unknown. */
uint8_t battery_percent(void);

#endif
