/* Packets of samples: Data and Backfill; and the sentences for what cannot be decoded. */
#include "imu_bytes.h"
#include "imu_protocol.h"

#define ATT_NOTIFICATION_HEADER 3u
#define MOST_SAMPLES 255u

const char *imu_result_text(enum imu_result result) {
    switch (result) {
    case IMU_OK:
        return "ok";
    case IMU_TOO_SHORT:
        return "too short";
    case IMU_UNKNOWN_VERSION:
        return "unknown version";
    case IMU_UNKNOWN_TYPE:
        return "unknown type";
    case IMU_NOT_POSITIVE:
        return "not a positive number";
    case IMU_FIELD_CUT_OFF:
        return "a field is cut off";
    case IMU_FIELD_TOO_SHORT:
        return "a field is too short";
    case IMU_ANSWER_NOT_REQUEST:
        return "an answer, not a request";
    case IMU_REQUEST_NOT_ANSWER:
        return "a request, not an answer";
    case IMU_NO_ROOM:
        return "no room";
    }
    return "unknown result";
}

/* --- packets of samples --------------------------------------------------------------------------------------- */

static int at_end(const int16_t counts[3]) {
    for (unsigned axis = 0; axis < 3; axis++) {
        if (counts[axis] == INT16_MIN || counts[axis] == INT16_MAX) {
            return 1;
        }
    }
    return 0;
}

uint8_t imu_saturation(const struct imu_sample *samples, size_t count) {
    unsigned flags = 0;
    for (size_t i = 0; i < count; i++) {
        flags |= at_end(samples[i].acceleration) ? IMU_ACCELERATION_SATURATED : 0u;
        flags |= at_end(samples[i].angular_velocity) ? IMU_ANGULAR_VELOCITY_SATURATED : 0u;
    }
    return (uint8_t)flags;
}

uint8_t imu_samples_per_packet(uint16_t mtu, uint16_t nominal_rate_dhz, uint8_t longest_ms) {
    const unsigned overhead = ATT_NOTIFICATION_HEADER + IMU_PACKET_HEADER_SIZE;
    unsigned samples = mtu < overhead ? 0u : (mtu - overhead) / IMU_SAMPLE_SIZE;
    unsigned in_time = (unsigned)((uint32_t)nominal_rate_dhz * longest_ms / 10000u);
    in_time = in_time < 1u ? 1u : in_time;
    samples = samples < in_time ? samples : in_time;
    return (uint8_t)(samples < MOST_SAMPLES ? samples : MOST_SAMPLES);
}

static unsigned header_size(uint8_t kind) {
    return kind == IMU_COMPACT ? IMU_COMPACT_HEADER_SIZE : IMU_PACKET_HEADER_SIZE;
}

size_t imu_encode_packet(const struct imu_packet *packet, const struct imu_sample *samples, uint8_t *out, size_t room) {
    const size_t size = header_size(packet->kind) + packet->samples * (size_t)IMU_SAMPLE_SIZE;
    if (size > room) {
        return 0;
    }
    out[0] = (uint8_t)(IMU_PROTOCOL_MAJOR << 4 | (packet->kind & 15u));
    out[1] = packet->flags;
    out[2] = packet->epoch;
    out[3] = packet->samples;
    if (packet->kind == IMU_COMPACT) {
        imu_put(out + 4, packet->first_index, 2);
        imu_put(out + 6, packet->device_time_us / 1000u, 2);
    } else {
        imu_put(out + 4, packet->first_index, 4);
        imu_put(out + 8, packet->device_time_us, 6);
    }
    uint8_t *at = out + header_size(packet->kind);
    for (unsigned i = 0; i < packet->samples; i++, at += IMU_SAMPLE_SIZE) {
        for (unsigned axis = 0; axis < 3; axis++) {
            imu_put(at + 2 * axis, (uint16_t)samples[i].acceleration[axis], 2);
            imu_put(at + 6 + 2 * axis, (uint16_t)samples[i].angular_velocity[axis], 2);
        }
    }
    return size;
}

enum imu_result imu_decode_packet(const uint8_t *payload, size_t size, struct imu_packet *packet,
                                  struct imu_sample *samples, size_t room_in_samples) {
    if (size < 1) {
        return IMU_TOO_SHORT;
    }
    if (payload[0] >> 4 != IMU_PROTOCOL_MAJOR) {
        return IMU_UNKNOWN_VERSION;
    }
    const uint8_t kind = payload[0] & 15u;
    if (kind != IMU_LIVE && kind != IMU_BACKFILL && kind != IMU_COMPACT) {
        return IMU_UNKNOWN_TYPE;
    }
    if (size < header_size(kind) || size < header_size(kind) + payload[3] * (size_t)IMU_SAMPLE_SIZE) {
        return IMU_TOO_SHORT;
    }
    if (payload[3] > room_in_samples) {
        return IMU_NO_ROOM;
    }
    packet->kind = kind;
    packet->flags = payload[1];
    packet->epoch = payload[2];
    packet->samples = payload[3];
    packet->first_index = kind == IMU_COMPACT ? imu_get_u16(payload + 4) : imu_get_u32(payload + 4);
    packet->device_time_us = kind == IMU_COMPACT ? imu_get(payload + 6, 2) * 1000u : imu_get(payload + 8, 6);
    const uint8_t *at = payload + header_size(kind);
    for (unsigned i = 0; i < packet->samples; i++, at += IMU_SAMPLE_SIZE) {
        for (unsigned axis = 0; axis < 3; axis++) {
            samples[i].acceleration[axis] = imu_get_i16(at + 2 * axis);
            samples[i].angular_velocity[axis] = imu_get_i16(at + 6 + 2 * axis);
        }
    }
    return IMU_OK;
}
