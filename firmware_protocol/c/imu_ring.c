/* The last samples of one epoch. A sample with index i lies in slot i % capacity. */
#include "imu_ring.h"

#include <string.h>

/* A slot keeps the low half of its time, so what is kept may span less than 2^32 us (71 min). */
#define LONGEST_SPAN_US UINT32_MAX

static uint32_t add_up_to_end(uint32_t a, uint32_t b) { return b > UINT32_MAX - a ? UINT32_MAX : a + b; }

static bool is_present(const struct imu_ring *ring, uint32_t index) {
    const uint32_t slot = index % ring->capacity;
    const unsigned bits = ring->present[slot / 8u];
    return (bits >> (slot % 8u) & 1u) != 0;
}

static void set_present(struct imu_ring *ring, uint32_t index, bool present) {
    const uint32_t slot = index % ring->capacity;
    const unsigned bit = 1u << (slot % 8u);
    const unsigned bits = ring->present[slot / 8u];
    ring->present[slot / 8u] = (uint8_t)(present ? bits | bit : bits & ~bit);
}

static uint64_t time_of(const struct imu_ring *ring, uint32_t index) {
    const uint32_t low = ring->slots[index % ring->capacity].device_time_low_us;
    return ring->newest_time_us - (uint32_t)((uint32_t)ring->newest_time_us - low);
}

/* Advances the index by one slot, the oldest making room. */
static void append(struct imu_ring *ring, bool present) {
    if (ring->next_index - ring->oldest_index == ring->capacity) {
        ring->oldest_index++;
    }
    set_present(ring, ring->next_index, present);
    ring->next_index++;
}

/* Lets go of holes at the old end, and of samples so old that the low half of their time is ambiguous. */
static void forget_before(struct imu_ring *ring, uint64_t device_time_us) {
    while (ring->oldest_index != ring->next_index &&
           (!is_present(ring, ring->oldest_index) ||
            device_time_us - time_of(ring, ring->oldest_index) > LONGEST_SPAN_US)) {
        ring->oldest_index++;
    }
}

void imu_ring_init(struct imu_ring *ring, struct imu_slot *slots, uint8_t *present, uint32_t capacity) {
    memset(ring, 0, sizeof *ring);
    ring->slots = slots;
    ring->present = present;
    ring->capacity = capacity;
    imu_ring_clear(ring);
}

void imu_ring_clear(struct imu_ring *ring) {
    ring->oldest_index = 0;
    ring->next_index = 0;
    ring->newest_time_us = 0;
    ring->samples_lost = 0;
}

bool imu_ring_push(struct imu_ring *ring, uint64_t device_time_us, const struct imu_sample *sample) {
    if (ring->next_index == UINT32_MAX || device_time_us < ring->newest_time_us) {
        return false;
    }
    forget_before(ring, device_time_us);
    const uint32_t slot = ring->next_index % ring->capacity;
    append(ring, true);
    ring->slots[slot].device_time_low_us = (uint32_t)device_time_us;
    ring->slots[slot].sample = *sample;
    ring->newest_time_us = device_time_us;
    forget_before(ring, device_time_us);
    return true;
}

bool imu_ring_skip(struct imu_ring *ring, uint32_t count) {
    if (count > UINT32_MAX - ring->next_index) {
        return false;
    }
    ring->samples_lost = add_up_to_end(ring->samples_lost, count);
    if (count >= ring->capacity) {
        ring->next_index += count;
        ring->oldest_index = ring->next_index;
        return true;
    }
    for (uint32_t i = 0; i < count; i++) {
        append(ring, false);
    }
    forget_before(ring, ring->newest_time_us);
    return true;
}

bool imu_ring_available(const struct imu_ring *ring, uint32_t first_index, uint32_t count, uint32_t *kept_first_index,
                        uint32_t *kept_count) {
    const uint32_t asked_end = add_up_to_end(first_index, count);
    const uint32_t first = first_index > ring->oldest_index ? first_index : ring->oldest_index;
    const uint32_t end = asked_end < ring->next_index ? asked_end : ring->next_index;
    if (first >= end) {
        return false;
    }
    *kept_first_index = first;
    *kept_count = end - first;
    return true;
}

uint8_t imu_ring_read(const struct imu_ring *ring, uint32_t first_index, uint32_t end_index, uint8_t most,
                      struct imu_packet *packet, struct imu_sample *samples) {
    const uint32_t end = end_index < ring->next_index ? end_index : ring->next_index;
    uint32_t index = first_index > ring->oldest_index ? first_index : ring->oldest_index;
    while (index < end && !is_present(ring, index)) {
        index++;
    }
    uint8_t count = 0;
    packet->first_index = index;
    if (index < end) {
        packet->device_time_us = time_of(ring, index);
    }
    for (; count < most && index < end && is_present(ring, index); index++, count++) {
        samples[count] = ring->slots[index % ring->capacity].sample;
    }
    packet->samples = count;
    packet->flags = imu_saturation(samples, count);
    return count;
}

void imu_cursor_set(struct imu_cursor *cursor, uint32_t next_index, uint32_t end_index) {
    cursor->next_index = next_index;
    cursor->end_index = end_index;
    cursor->samples_dropped = 0;
    cursor->after_gap = false;
}

void imu_cursor_drop_until(struct imu_cursor *cursor, uint32_t next_index) {
    if (next_index > cursor->next_index) {
        cursor->samples_dropped = add_up_to_end(cursor->samples_dropped, next_index - cursor->next_index);
        cursor->next_index = next_index;
        cursor->after_gap = true;
    }
}

void imu_cursor_pass_holes(struct imu_cursor *cursor, const struct imu_ring *ring) {
    const uint32_t end = cursor->end_index < ring->next_index ? cursor->end_index : ring->next_index;
    while (cursor->next_index >= ring->oldest_index && cursor->next_index < end &&
           !is_present(ring, cursor->next_index)) {
        cursor->next_index++;
        cursor->after_gap = true;
    }
}

uint32_t imu_cursor_waiting(const struct imu_cursor *cursor, const struct imu_ring *ring) {
    const uint32_t end = cursor->end_index < ring->next_index ? cursor->end_index : ring->next_index;
    const uint32_t first = cursor->next_index > ring->oldest_index ? cursor->next_index : ring->oldest_index;
    return end > first ? end - first : 0;
}

uint8_t imu_cursor_take(struct imu_cursor *cursor, const struct imu_ring *ring, uint8_t most,
                        struct imu_packet *packet, struct imu_sample *samples) {
    const uint32_t overwritten_until = ring->oldest_index < cursor->end_index ? ring->oldest_index : cursor->end_index;
    imu_cursor_drop_until(cursor, overwritten_until);
    const uint8_t count = imu_ring_read(ring, cursor->next_index, cursor->end_index, most, packet, samples);
    if (count == 0) {
        return 0;
    }
    if (packet->first_index != cursor->next_index || cursor->after_gap) {
        packet->flags |= IMU_SAMPLES_DROPPED;
    }
    cursor->next_index = packet->first_index + count;
    cursor->after_gap = false;
    return count;
}
