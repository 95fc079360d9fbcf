/* The motion chip, ST LSM6DS3TR-C, by its FIFO: a thread that empties it into the sensor's ring. */
#ifndef CHIP_H
#define CHIP_H

#include <stdbool.h>

#include "imu_device.h"

/* For struct imu_hardware. */
bool chip_choose(void *context, struct imu_config *config);
bool chip_begin(void *context, const struct imu_config *config);
void chip_end(void *context);
void chip_identify(void *context);

/* Check that the chip answers, and prepare its interrupt. */
int chip_init(void);

/* The chip's faults: bits of enum imu_faults. */
uint8_t chip_faults(void);

/* In 0.01 degree Celsius, or IMU_TEMPERATURE_UNKNOWN. */
int16_t chip_temperature_cdeg(void);

/* Let motion alone wake the device; before it is switched off. */
void chip_wake_on_motion(void);

#endif
