/* Control: requests and answers with their fields. */
#include "imu_bytes.h"
#include "imu_protocol.h"

#define ANSWER_BIT 0x80u
#define LAST_TAG IMU_TAG_HOST_TIME

/* Bytes of the value of each tag; tag 0 is unused. */
static const uint8_t field_sizes[LAST_TAG + 1] = {0, 1, 2, 2, 2, 4, 4, 6, 8};

static uint64_t field_value(const struct imu_fields *fields, unsigned tag) {
    switch (tag) {
    case IMU_TAG_EPOCH:
        return fields->epoch;
    case IMU_TAG_NOMINAL_RATE:
        return fields->nominal_rate_dhz;
    case IMU_TAG_ACCELERATION_RANGE:
        return fields->acceleration_range_g;
    case IMU_TAG_ANGULAR_VELOCITY_RANGE:
        return fields->angular_velocity_range_dps;
    case IMU_TAG_FIRST_INDEX:
        return fields->first_index;
    case IMU_TAG_COUNT:
        return fields->count;
    case IMU_TAG_DEVICE_TIME:
        return fields->device_time_us;
    default:
        return fields->host_time_us;
    }
}

static void set_field(struct imu_fields *fields, unsigned tag, uint64_t value) {
    fields->present |= IMU_HAS(tag);
    switch (tag) {
    case IMU_TAG_EPOCH:
        fields->epoch = (uint8_t)value;
        break;
    case IMU_TAG_NOMINAL_RATE:
        fields->nominal_rate_dhz = (uint16_t)value;
        break;
    case IMU_TAG_ACCELERATION_RANGE:
        fields->acceleration_range_g = (uint16_t)value;
        break;
    case IMU_TAG_ANGULAR_VELOCITY_RANGE:
        fields->angular_velocity_range_dps = (uint16_t)value;
        break;
    case IMU_TAG_FIRST_INDEX:
        fields->first_index = (uint32_t)value;
        break;
    case IMU_TAG_COUNT:
        fields->count = (uint32_t)value;
        break;
    case IMU_TAG_DEVICE_TIME:
        fields->device_time_us = value;
        break;
    default:
        fields->host_time_us = value;
        break;
    }
}

/* Writes the fields from `at` on; returns the size of the record, or 0 if it does not fit. */
static size_t encode_fields(const struct imu_fields *fields, uint8_t *out, size_t at, size_t room) {
    for (unsigned tag = 1; tag <= LAST_TAG; tag++) {
        if (!(fields->present & IMU_HAS(tag))) {
            continue;
        }
        if (at + 2u + field_sizes[tag] > room) {
            return 0;
        }
        out[at] = (uint8_t)tag;
        out[at + 1] = field_sizes[tag];
        imu_put(out + at + 2, field_value(fields, tag), field_sizes[tag]);
        at += 2u + field_sizes[tag];
    }
    return at;
}

/* Unknown tags are passed over; of a repeated one the last counts. */
static enum imu_result decode_fields(const uint8_t *payload, size_t size, size_t at, struct imu_fields *fields) {
    memset(fields, 0, sizeof *fields);
    while (at < size) {
        if (size - at < 2u || size - at - 2u < payload[at + 1]) {
            return IMU_FIELD_CUT_OFF;
        }
        const unsigned tag = payload[at];
        const unsigned length = payload[at + 1];
        const uint8_t *value = payload + at + 2;
        at += 2u + length;
        if (tag < 1 || tag > LAST_TAG) {
            continue;
        }
        if (length < field_sizes[tag]) {
            return IMU_FIELD_TOO_SHORT;
        }
        set_field(fields, tag, imu_get(value, field_sizes[tag]));
        if (tag == IMU_TAG_NOMINAL_RATE && fields->nominal_rate_dhz == 0) {
            return IMU_NOT_POSITIVE;
        }
    }
    return IMU_OK;
}

size_t imu_encode_request(const struct imu_request *request, uint8_t *out, size_t room) {
    if (room < 2) {
        return 0;
    }
    out[0] = (uint8_t)(request->op & ~ANSWER_BIT);
    out[1] = request->request_id;
    return encode_fields(&request->fields, out, 2, room);
}

enum imu_result imu_decode_request(const uint8_t *payload, size_t size, struct imu_request *request) {
    struct imu_fields fields;
    if (size < 2) {
        return IMU_TOO_SHORT;
    }
    if (payload[0] & ANSWER_BIT) {
        return IMU_ANSWER_NOT_REQUEST;
    }
    const enum imu_result result = decode_fields(payload, size, 2, &fields);
    if (result != IMU_OK) {
        return result;
    }
    request->op = payload[0];
    request->request_id = payload[1];
    request->fields = fields;
    return IMU_OK;
}

size_t imu_encode_answer(const struct imu_answer *answer, uint8_t *out, size_t room) {
    if (room < 3) {
        return 0;
    }
    out[0] = (uint8_t)(answer->op | ANSWER_BIT);
    out[1] = answer->request_id;
    out[2] = answer->status;
    return encode_fields(&answer->fields, out, 3, room);
}

enum imu_result imu_decode_answer(const uint8_t *payload, size_t size, struct imu_answer *answer) {
    struct imu_fields fields;
    if (size < 3) {
        return IMU_TOO_SHORT;
    }
    if (!(payload[0] & ANSWER_BIT)) {
        return IMU_REQUEST_NOT_ANSWER;
    }
    const enum imu_result result = decode_fields(payload, size, 3, &fields);
    if (result != IMU_OK) {
        return result;
    }
    answer->op = (uint8_t)(payload[0] & ~ANSWER_BIT);
    answer->request_id = payload[1];
    answer->status = payload[2];
    answer->fields = fields;
    return IMU_OK;
}
