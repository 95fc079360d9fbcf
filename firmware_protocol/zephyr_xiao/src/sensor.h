/* The one sensor of this firmware, its lock and its clock. */
#ifndef SENSOR_H
#define SENSOR_H

#include <stdint.h>
#include <zephyr/kernel.h>

#include "imu_device.h"

/* Held around each call of imu_device_...() on sensor_device(). */
void sensor_lock(void);
void sensor_unlock(void);
struct imu_device *sensor_device(void);

/* Microseconds since boot, in steps of 30.5 (the 32,768 Hz crystal). May be called from an interrupt. */
uint64_t sensor_now_us(void);

/* Random boot id, storage, first configuration; to be called once, before the threads have anything to do. */
int sensor_init(void);

#endif
