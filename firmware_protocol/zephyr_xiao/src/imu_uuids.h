/* UUIDs of the protocol. */
#ifndef IMU_UUIDS_H
#define IMU_UUIDS_H

#include <zephyr/bluetooth/uuid.h>

#define IMU_UUID(number) BT_UUID_128_ENCODE(0xca1f0000 + (number), 0xce4b, 0x419b, 0x8053, 0x432e398461c9)

#define IMU_UUID_SERVICE IMU_UUID(0x0001)
#define IMU_UUID_INFO IMU_UUID(0x0002)
#define IMU_UUID_CONFIG IMU_UUID(0x0003)
#define IMU_UUID_CONTROL IMU_UUID(0x0004)
#define IMU_UUID_DATA IMU_UUID(0x0005)
#define IMU_UUID_BACKFILL IMU_UUID(0x0006)
#define IMU_UUID_STATUS IMU_UUID(0x0007)
#define IMU_UUID_TIME_SYNC IMU_UUID(0x0008)

#endif
