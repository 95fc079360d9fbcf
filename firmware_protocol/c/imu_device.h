/* A sensor: requests in, answers out; samples in, packets out. All of the firmware that is not hardware.
 *
 * Portable C99 without allocation and operating system. Not thread-safe: the caller holds one lock around each call.
 * The motion chip is reached through the four functions of imu_hardware, the radio by carrying what imu_device_next()
 * gives.
 */
#ifndef IMU_DEVICE_H
#define IMU_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imu_protocol.h"
#include "imu_ring.h"
#include "imu_timing.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A slow radio may hold the live stream back by this much; then it goes on with the newest samples. */
#define IMU_LONGEST_WAIT_S 2u
/* A sensor whose host is gone stops measuring after this long. */
#define IMU_ALONE_US UINT64_C(600000000)

/* Packets are built on the stack: 20 samples are 100 ms at 200 Hz. */
#define IMU_MOST_SAMPLES_PER_PACKET 20u

/* What can be subscribed to. */
enum imu_channel {
    IMU_CHANNEL_CONFIG,
    IMU_CHANNEL_CONTROL,
    IMU_CHANNEL_DATA,
    IMU_CHANNEL_BACKFILL,
    IMU_CHANNEL_STATUS,
    IMU_CHANNEL_TIME_SYNC
};

/* How the motion chip is reached; called from within the functions below. */
struct imu_hardware {
    void *context;
    /* Replace rate and ranges by the nearest that the chip can do, and set the scales. False: nothing is near. */
    bool (*choose)(void *context, struct imu_config *config);
    /* Begin to measure. False: the chip does not answer. */
    bool (*begin)(void *context, const struct imu_config *config);
    void (*end)(void *context);
    void (*identify)(void *context);
};

/* Read the fields freely; change them through the functions only, but for `low_battery`. */
struct imu_device {
    struct imu_hardware hardware;
    struct imu_info info;
    struct imu_config config;
    struct imu_ring ring;
    struct imu_timing timing;
    struct imu_cursor live;
    struct imu_cursor backfill;
    struct imu_cursor before_taking; /* to take the last packet back */
    enum imu_channel taken_from;
    bool can_take_back;
    bool running;
    bool resending;
    bool config_changed; /* and not yet notified */
    bool connected;
    bool sleep_wanted; /* after the answer: hang up and switch off */
    bool low_battery;
    bool fifo_has_overrun;
    unsigned subscriptions; /* 1 << enum imu_channel */
    uint64_t alone_since_us;
    uint64_t host_time_us; /* from SET_TIME at host_time_at_us; 0: never */
    uint64_t host_time_at_us;
    uint16_t queue_high_water_samples;
    uint32_t samples_dropped; /* by live cursors before this one */
    uint32_t samples_lost;    /* in epochs before this one */
};

/* `config` holds the rate and ranges to begin with; `choose` is called for it. `info.boot_id` is random, and so is the
 * first epoch. More samples per packet than IMU_MOST_SAMPLES_PER_PACKET are cut to it. False: `choose` refused. */
bool imu_device_init(struct imu_device *device, const struct imu_hardware *hardware, const struct imu_info *info,
                     const struct imu_config *config, struct imu_slot *slots, uint8_t *present, uint32_t capacity);

void imu_device_connected(struct imu_device *device);
void imu_device_disconnected(struct imu_device *device, uint64_t now_us);
void imu_device_subscribed(struct imu_device *device, enum imu_channel channel, bool on);

/* Carry out a request; write the answer (at most IMU_LONGEST_ANSWER_SIZE bytes). Returns its size; 0 if there is
 * no op and request id: refuse the write with ATT error 0x0d. */
size_t imu_device_request(struct imu_device *device, const uint8_t *payload, size_t size, uint64_t now_us, uint8_t *out,
                          size_t room);

/* Take samples from the motion chip; sample `reference` was ready at `ready_us`. `after_overrun`: the FIFO was
 * emptied unread before them. */
void imu_device_samples(struct imu_device *device, uint64_t ready_us, uint32_t reference,
                        const struct imu_sample *samples, uint32_t count, bool after_overrun);

/* The next notification, if one is due: Config, then live packets, then resent ones. Returns its
 * size and sets the channel. `room` is at least the MTU less 3. */
size_t imu_device_next(struct imu_device *device, uint16_t mtu, enum imu_channel *channel, uint8_t *out, size_t room);

/* The last notification could not be sent: give it again. */
void imu_device_take_back(struct imu_device *device);

size_t imu_device_info(const struct imu_device *device, uint8_t *out, size_t room);
size_t imu_device_config(const struct imu_device *device, uint8_t *out, size_t room);

/* `status` comes with the values of the hardware (faults, radio, battery, temperature); this fills in the rest. */
size_t imu_device_status(const struct imu_device *device, uint64_t now_us, struct imu_status *status, uint8_t *out,
                         size_t room);

#ifdef __cplusplus
}
#endif

#endif
