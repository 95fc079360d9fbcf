/* The last samples of one epoch, found by their index: those that Data sends, and those of a resend.
 *
 * Portable C99 without allocation: the caller gives the storage. Not thread-safe: the caller holds one lock around each
 * call (all are short). Samples that the motion chip lost are holes: they have an index, and never come.
 *
 * A reader is a cursor. One is the live stream, another a resend; neither delays the other, and a slow one never blocks
 * the writer: samples overwritten before it reads them are counted and reported in the next packet
 * (IMU_SAMPLES_DROPPED).
 */
#ifndef IMU_RING_H
#define IMU_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "imu_protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One sample and the low 32 bits of its device time: 16 bytes. */
struct imu_slot {
    uint32_t device_time_low_us;
    struct imu_sample sample;
};

/* Bytes for the `present` bits of a ring of `capacity` samples. */
#define IMU_RING_PRESENT_BYTES(capacity) (((capacity) + 7u) / 8u)

/* Read the fields freely; change them through the functions only. */
struct imu_ring {
    struct imu_slot *slots;
    uint8_t *present; /* one bit a slot: 0 is a hole */
    uint32_t capacity;
    uint32_t oldest_index; /* of the oldest sample kept; next_index without samples */
    uint32_t next_index;   /* that the next sample will have */
    uint64_t newest_time_us;
    uint32_t samples_lost; /* holes in this epoch, stays at its end */
};

/* Storage for `capacity` samples (1 or more), to be kept as long as the ring. */
void imu_ring_init(struct imu_ring *ring, struct imu_slot *slots, uint8_t *present, uint32_t capacity);

/* Begin a new epoch without samples; the next index is 0. The caller resets the cursors. */
void imu_ring_clear(struct imu_ring *ring);

/* Keep a sample; the oldest makes room. False, and nothing is kept, if time went back or the index is used up (after 8
 * months at 200 Hz): then begin a new epoch. */
bool imu_ring_push(struct imu_ring *ring, uint64_t device_time_us, const struct imu_sample *sample);

/* Take note of `count` samples that were measured and lost. False if the index is used up. */
bool imu_ring_skip(struct imu_ring *ring, uint32_t count);

/* The kept part of [first_index, first_index + count): from the oldest to the newest sample, holes
 * included. False if that is nothing. */
bool imu_ring_available(const struct imu_ring *ring, uint32_t first_index, uint32_t count, uint32_t *kept_first_index,
                        uint32_t *kept_count);

/* Copy at most `most` consecutive samples without a hole, the first at `first_index` or as soon after it, and before
 * `end_index`, as there is one. Sets first_index, device_time_us, samples and the saturation flags of the packet.
 * Returns how many. */
uint8_t imu_ring_read(const struct imu_ring *ring, uint32_t first_index, uint32_t end_index, uint8_t most,
                      struct imu_packet *packet, struct imu_sample *samples);

/* Who reads. Copying it before a packet is taken and putting the copy back takes the packet back. */
struct imu_cursor {
    uint32_t next_index;
    uint32_t end_index;       /* where a resend ends; UINT32_MAX for the live stream */
    uint32_t samples_dropped; /* passed over unread, stays at its end */
    bool after_gap;           /* the next packet does not follow on the one before */
};

void imu_cursor_set(struct imu_cursor *cursor, uint32_t next_index, uint32_t end_index);

/* Go on at `next_index`; the samples between are dropped from this stream, and can still be resent. */
void imu_cursor_drop_until(struct imu_cursor *cursor, uint32_t next_index);

/* Go on behind the holes that lie before the next sample: they are lost, not dropped. */
void imu_cursor_pass_holes(struct imu_cursor *cursor, const struct imu_ring *ring);

/* Samples (holes included) that wait for this cursor. */
uint32_t imu_cursor_waiting(const struct imu_cursor *cursor, const struct imu_ring *ring);

/* Fill the next packet, as imu_ring_read() does, with IMU_SAMPLES_DROPPED after a gap. Returns its samples: 0 if there
 * is nothing to send. */
uint8_t imu_cursor_take(struct imu_cursor *cursor, const struct imu_ring *ring, uint8_t most,
                        struct imu_packet *packet, struct imu_sample *samples);

#ifdef __cplusplus
}
#endif

#endif
