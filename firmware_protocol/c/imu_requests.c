/* A sensor's answers to requests. */
#include "imu_device.h"
#include "imu_epoch.h"

#define HAS(fields, tag) (((fields)->present & IMU_HAS(tag)) != 0)

static void say_epoch(const struct imu_device *device, struct imu_fields *said) {
    said->present |= IMU_HAS(IMU_TAG_EPOCH);
    said->epoch = device->config.epoch;
}

static void say_index(uint32_t index, struct imu_fields *said) {
    said->present |= IMU_HAS(IMU_TAG_FIRST_INDEX);
    said->first_index = index;
}

static void say_device_time(uint64_t time_us, struct imu_fields *said) {
    said->present |= IMU_HAS(IMU_TAG_DEVICE_TIME);
    said->device_time_us = time_us;
}

static bool begin(struct imu_device *device) {
    imu_begin_epoch(device);
    device->running = device->hardware.begin(device->hardware.context, &device->config);
    return device->running;
}

static void end(struct imu_device *device) {
    if (device->running) {
        device->hardware.end(device->hardware.context);
        device->running = false;
    }
}

static uint8_t set_config(struct imu_device *device, const struct imu_fields *asked, struct imu_fields *said) {
    struct imu_config config = device->config;
    if (!HAS(asked, IMU_TAG_NOMINAL_RATE)) {
        return IMU_STATUS_MISSING_FIELD;
    }
    config.nominal_rate_dhz = asked->nominal_rate_dhz;
    if (HAS(asked, IMU_TAG_ACCELERATION_RANGE)) {
        config.acceleration_range_g = asked->acceleration_range_g;
    }
    if (HAS(asked, IMU_TAG_ANGULAR_VELOCITY_RANGE)) {
        config.angular_velocity_range_dps = asked->angular_velocity_range_dps;
    }
    if (!device->hardware.choose(device->hardware.context, &config)) {
        return IMU_STATUS_OUT_OF_RANGE;
    }
    const bool was_running = device->running;
    end(device);
    device->config = config;
    if (!was_running) {
        imu_begin_epoch(device);
    } else if (!begin(device)) {
        return IMU_STATUS_SENSOR_FAILED;
    }
    say_epoch(device, said);
    said->present |= IMU_HAS(IMU_TAG_NOMINAL_RATE) | IMU_HAS(IMU_TAG_ACCELERATION_RANGE) |
                     IMU_HAS(IMU_TAG_ANGULAR_VELOCITY_RANGE);
    said->nominal_rate_dhz = config.nominal_rate_dhz;
    said->acceleration_range_g = config.acceleration_range_g;
    said->angular_velocity_range_dps = config.angular_velocity_range_dps;
    return IMU_STATUS_OK;
}

static uint8_t start(struct imu_device *device, uint64_t now_us, struct imu_fields *said) {
    if (!device->running && !begin(device)) {
        return IMU_STATUS_SENSOR_FAILED;
    }
    say_epoch(device, said);
    say_index(device->ring.next_index, said);
    say_device_time(now_us, said);
    return IMU_STATUS_OK;
}

static uint8_t stop(struct imu_device *device, struct imu_fields *said) {
    end(device);
    say_epoch(device, said);
    say_index(device->ring.next_index, said);
    return IMU_STATUS_OK;
}

static uint8_t resend(struct imu_device *device, const struct imu_fields *asked, struct imu_fields *said) {
    uint32_t first = 0;
    uint32_t count = 0;
    if (!HAS(asked, IMU_TAG_FIRST_INDEX) || !HAS(asked, IMU_TAG_COUNT)) {
        return IMU_STATUS_MISSING_FIELD;
    }
    if (device->resending) {
        return IMU_STATUS_BUSY;
    }
    if ((HAS(asked, IMU_TAG_EPOCH) && asked->epoch != device->config.epoch) ||
        !imu_ring_available(&device->ring, asked->first_index, asked->count, &first, &count)) {
        return IMU_STATUS_NOT_AVAILABLE;
    }
    imu_cursor_set(&device->backfill, first, first + count);
    device->resending = true;
    device->can_take_back = device->can_take_back && device->taken_from != IMU_CHANNEL_BACKFILL;
    say_epoch(device, said);
    say_index(first, said);
    said->present |= IMU_HAS(IMU_TAG_COUNT);
    said->count = count;
    return IMU_STATUS_OK;
}

static uint8_t mark(const struct imu_device *device, struct imu_fields *said) {
    if (!device->running || device->ring.next_index == 0) {
        return IMU_STATUS_NOT_RUNNING;
    }
    say_epoch(device, said);
    say_index(device->ring.next_index - 1u, said);
    say_device_time(device->ring.newest_time_us, said);
    return IMU_STATUS_OK;
}

static uint8_t set_time(struct imu_device *device, const struct imu_fields *asked, uint64_t now_us,
                        struct imu_fields *said) {
    if (!HAS(asked, IMU_TAG_HOST_TIME)) {
        return IMU_STATUS_MISSING_FIELD;
    }
    device->host_time_us = asked->host_time_us;
    device->host_time_at_us = now_us;
    said->present |= IMU_HAS(IMU_TAG_HOST_TIME);
    said->host_time_us = asked->host_time_us;
    say_device_time(now_us, said);
    return IMU_STATUS_OK;
}

static uint8_t carry_out(struct imu_device *device, const struct imu_request *request, uint64_t now_us,
                         struct imu_fields *said) {
    switch (request->op) {
    case IMU_SET_CONFIG:
        return set_config(device, &request->fields, said);
    case IMU_START:
        return start(device, now_us, said);
    case IMU_STOP:
        return stop(device, said);
    case IMU_RESEND:
        return resend(device, &request->fields, said);
    case IMU_IDENTIFY:
        device->hardware.identify(device->hardware.context);
        return IMU_STATUS_OK;
    case IMU_MARK:
        return mark(device, said);
    case IMU_SET_TIME:
        return set_time(device, &request->fields, now_us, said);
    default: /* IMU_SLEEP */
        end(device);
        device->sleep_wanted = true;
        return IMU_STATUS_OK;
    }
}

size_t imu_device_request(struct imu_device *device, const uint8_t *payload, size_t size, uint64_t now_us, uint8_t *out,
                          size_t room) {
    struct imu_request request;
    struct imu_answer answer = {0};
    if (size < 2) {
        return 0;
    }
    answer.op = payload[0];
    answer.request_id = payload[1];
    if (payload[0] < IMU_SET_CONFIG || payload[0] > IMU_SLEEP) {
        answer.status = IMU_STATUS_UNKNOWN_OP;
    } else if (imu_decode_request(payload, size, &request) != IMU_OK) {
        answer.status = IMU_STATUS_MISSING_FIELD;
    } else {
        answer.status = carry_out(device, &request, now_us, &answer.fields);
    }
    return imu_encode_answer(&answer, out, room);
}
