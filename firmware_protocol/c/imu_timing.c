/* When each sample was measured: the interrupt's time less whole periods; their length is measured. */
#include "imu_timing.h"

/* An interrupt is served some ten microseconds late, seldom some hundred: 1e-4 of 5 s at worst, 1e-5 of a minute. */
#define LEAST_WINDOW_US UINT64_C(5000000)
/* The rate drifts with the chip's temperature, so that old minutes say little. */
#define LONGEST_WINDOW_US UINT64_C(60000000)

void imu_timing_begin(struct imu_timing *timing, uint16_t nominal_rate_dhz) {
    const struct imu_timing fresh = {.period_us_q16 = (UINT64_C(10000000) << 16) / nominal_rate_dhz};
    *timing = fresh;
}

static uint64_t span_us(const struct imu_timing *timing, uint32_t samples) {
    return (timing->period_us_q16 * samples) >> 16;
}

/* As the interrupt says it, which may be before the last sample of the batch before. */
static uint64_t first_time(const struct imu_timing *timing, uint64_t ready_us, uint32_t reference) {
    const uint64_t before_us = span_us(timing, reference);
    return ready_us > before_us ? ready_us - before_us : 0;
}

uint32_t imu_timing_lost(const struct imu_timing *timing, uint64_t ready_us, uint32_t reference) {
    const uint64_t first_us = first_time(timing, ready_us, reference);
    if (!timing->begun || first_us <= timing->last_time_us) {
        return 0;
    }
    const uint64_t silent_us = first_us - timing->last_time_us;
    const uint64_t periods = ((silent_us << 16) + timing->period_us_q16 / 2u) / timing->period_us_q16;
    return periods > UINT32_MAX ? UINT32_MAX : periods > 1u ? (uint32_t)(periods - 1u) : 0u;
}

/* From one reference sample to the next there are as many periods as samples. */
static void measure(struct imu_timing *timing, uint64_t ready_us, uint32_t periods) {
    timing->window_samples += periods;
    const uint64_t window_us = ready_us - timing->window_start_us;
    if (window_us < LEAST_WINDOW_US) {
        return;
    }
    timing->period_us_q16 = (window_us << 16) / timing->window_samples;
    timing->measured = true;
    if (window_us >= LONGEST_WINDOW_US) {
        timing->window_start_us = ready_us;
        timing->window_samples = 0;
    }
}

uint64_t imu_timing_batch(struct imu_timing *timing, uint64_t ready_us, uint32_t reference, uint32_t count,
                          uint32_t lost) {
    if (!timing->begun || lost > 0 || ready_us < timing->window_start_us) {
        timing->window_start_us = ready_us; /* a guessed number of samples measures nothing */
        timing->window_samples = 0;
    } else {
        measure(timing, ready_us, timing->unread + reference + 1u);
    }
    uint64_t first_us = first_time(timing, ready_us, reference);
    if (timing->begun && first_us <= timing->last_time_us) {
        first_us = timing->last_time_us + 1u;
    }
    timing->begun = true;
    timing->unread = count - 1u - reference;
    timing->last_time_us = imu_timing_of(timing, first_us, count - 1u);
    return first_us;
}

uint64_t imu_timing_of(const struct imu_timing *timing, uint64_t first_time_us, uint32_t sample) {
    return first_time_us + span_us(timing, sample);
}

float imu_timing_rate_hz(const struct imu_timing *timing) {
    return timing->measured ? 65536e6f / (float)timing->period_us_q16 : 0.0f;
}
