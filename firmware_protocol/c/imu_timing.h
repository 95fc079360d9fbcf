/* When each sample was measured, and how fast the motion chip really is.
 *
 * The chip counts on its own, some percent off its nominal rate; this device's clock only shows when a batch of samples
 * is ready. Portable C99 in integers, no state but the struct.
 */
#ifndef IMU_TIMING_H
#define IMU_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct imu_timing {
    uint64_t period_us_q16; /* best estimate: microseconds times 65536 */
    bool measured;          /* and not only nominal */
    bool begun;             /* there was a batch */
    uint64_t last_time_us;  /* of the last sample given a time */
    uint64_t window_start_us; /* the rate is measured from here on */
    uint32_t window_samples;
    uint32_t unread; /* samples after the reference sample of the batch before, up to its end */
};

/* A new epoch at a nominal rate (above 0). An earlier measurement of this rate is dropped. */
void imu_timing_begin(struct imu_timing *timing, uint16_t nominal_rate_dhz);

/* Number of samples missing before a batch whose reference sample (0: its first) was ready at `ready_us`. To be called
 * only where samples may be lost: after the FIFO was emptied unread. */
uint32_t imu_timing_lost(const struct imu_timing *timing, uint64_t ready_us, uint32_t reference);

/* Take a batch of `count` samples after `lost` missing ones; its reference sample (below count) was ready at
 * `ready_us`, the time of the interrupt. Returns the time of its first sample; times never go back. */
uint64_t imu_timing_batch(struct imu_timing *timing, uint64_t ready_us, uint32_t reference, uint32_t count,
                          uint32_t lost);

/* Time of a sample of the batch whose first sample was measured at `first_time_us`. */
uint64_t imu_timing_of(const struct imu_timing *timing, uint64_t first_time_us, uint32_t sample);

/* Measured rate in Hz; 0 until it is measured, after 5 s. */
float imu_timing_rate_hz(const struct imu_timing *timing);

#ifdef __cplusplus
}
#endif

#endif
