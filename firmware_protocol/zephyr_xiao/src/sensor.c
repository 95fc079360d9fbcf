#include "sensor.h"

#include <zephyr/random/random.h>

#include "chip.h"

static K_MUTEX_DEFINE(mutex);

static struct imu_device device;
static struct imu_slot slots[CONFIG_IMU_BUFFER_SAMPLES];
static uint8_t present[IMU_RING_PRESENT_BYTES(CONFIG_IMU_BUFFER_SAMPLES)];

void sensor_lock(void) { k_mutex_lock(&mutex, K_FOREVER); }

void sensor_unlock(void) { k_mutex_unlock(&mutex); }

struct imu_device *sensor_device(void) { return &device; }

uint64_t sensor_now_us(void) { return k_ticks_to_us_floor64((uint64_t)k_uptime_ticks()); }

int sensor_init(void) {
    const struct imu_hardware hardware = {
        .choose = chip_choose, .begin = chip_begin, .end = chip_end, .identify = chip_identify};
    const struct imu_config config = {
        .nominal_rate_dhz = 1040, .acceleration_range_g = 16, .angular_velocity_range_dps = 2000};
    struct imu_info info = {
        .major = IMU_PROTOCOL_MAJOR,
        .minor = IMU_PROTOCOL_MINOR,
        .most_samples_per_packet = IMU_MOST_SAMPLES_PER_PACKET,
        .capabilities = IMU_CAN_RESEND | IMU_CAN_COMPACT | IMU_CAN_TIME_SYNC | IMU_CAN_IDENTIFY | IMU_CAN_SLEEP |
                        IMU_CAN_BATTERY | (IS_ENABLED(CONFIG_IMU_OPEN_LAB) ? IMU_IS_OPEN_LAB : 0),
    };
    sys_rand_get(&info.boot_id, sizeof info.boot_id);
    const bool chosen =
        imu_device_init(&device, &hardware, &info, &config, slots, present, CONFIG_IMU_BUFFER_SAMPLES);
    return chosen ? 0 : -EINVAL;
}
