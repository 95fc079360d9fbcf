/* Between imu_device.c and imu_requests.c alone. */
#ifndef IMU_EPOCH_H
#define IMU_EPOCH_H

#include "imu_device.h"

/* The next epoch: no samples are kept; index, rate and queues restart. */
void imu_begin_epoch(struct imu_device *device);

#endif
