/* For the tests: records on standard input -> what the codec makes of them, one JSON line each.
 *
 * Input: [record number u8][length u16, little-endian][bytes], again and again. A line holds "result" (the document's
 * sentence); for a record that can be decoded its fields in the units of the Python codec, and "encoded", the record
 * encoded again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imu_protocol.h"

#define MOST_SAMPLES 255u
#define LONGEST_RECORD (IMU_PACKET_HEADER_SIZE + MOST_SAMPLES * IMU_SAMPLE_SIZE)

static void print_encoded(const uint8_t *bytes, size_t size) {
    printf(", \"encoded\": \"");
    for (size_t i = 0; i < size; i++) {
        printf("%02x", bytes[i]);
    }
    printf("\"");
}

/* A number, or null. */
static void print_unless(const char *name, int unknown, long value) {
    if (unknown) {
        printf(", \"%s\": null", name);
    } else {
        printf(", \"%s\": %ld", name, value);
    }
}

static enum imu_result packet(const uint8_t *payload, size_t size, uint8_t *out) {
    struct imu_packet packet;
    struct imu_sample samples[MOST_SAMPLES];
    const enum imu_result result = imu_decode_packet(payload, size, &packet, samples, MOST_SAMPLES);
    if (result != IMU_OK) {
        return result;
    }
    printf(", \"kind\": %u, \"flags\": %u, \"epoch\": %u, \"first_index\": %" PRIu32 ", \"device_time_us\": %" PRIu64
           ", \"counts\": [",
           packet.kind, packet.flags, packet.epoch, packet.first_index, packet.device_time_us);
    for (unsigned i = 0; i < packet.samples; i++) {
        const struct imu_sample *s = &samples[i];
        printf("%s[%d, %d, %d, %d, %d, %d]", i ? ", " : "", s->acceleration[0], s->acceleration[1], s->acceleration[2],
               s->angular_velocity[0], s->angular_velocity[1], s->angular_velocity[2]);
    }
    printf("], \"saturation\": %u", imu_saturation(samples, packet.samples));
    print_encoded(out, imu_encode_packet(&packet, samples, out, LONGEST_RECORD));
    return IMU_OK;
}

static enum imu_result info(const uint8_t *payload, size_t size, uint8_t *out) {
    struct imu_info info;
    const enum imu_result result = imu_decode_info(payload, size, &info);
    if (result != IMU_OK) {
        return result;
    }
    printf(", \"major\": %u, \"minor\": %u, \"most_samples_per_packet\": %u, \"capabilities\": %" PRIu32
           ", \"buffer_samples\": %" PRIu32 ", \"boot_id\": %" PRIu64,
           info.major, info.minor, info.most_samples_per_packet, info.capabilities, info.buffer_samples, info.boot_id);
    print_encoded(out, imu_encode_info(&info, out, LONGEST_RECORD));
    return IMU_OK;
}

/* As a double in full, as Python holds it. */
static void print_f32(const char *name, float value) { printf(", \"%s\": %.17g", name, (double)value); }

static enum imu_result config(const uint8_t *payload, size_t size, uint8_t *out) {
    struct imu_config config;
    const enum imu_result result = imu_decode_config(payload, size, &config);
    if (result != IMU_OK) {
        return result;
    }
    printf(", \"epoch\": %u, \"axis_frame\": %u, \"filter_id\": %u, \"nominal_rate_hz\": %u.%u, "
           "\"acceleration_range_g\": %u, \"angular_velocity_range_dps\": %u, \"calibration_id\": %u",
           config.epoch, config.axis_frame, config.filter_id, config.nominal_rate_dhz / 10u,
           config.nominal_rate_dhz % 10u, config.acceleration_range_g, config.angular_velocity_range_dps,
           config.calibration_id);
    if (config.measured_rate_hz > 0.0f) {
        print_f32("measured_rate_hz", config.measured_rate_hz);
    } else {
        printf(", \"measured_rate_hz\": null");
    }
    print_f32("acceleration_scale_m_s2", config.acceleration_scale_m_s2);
    print_f32("angular_velocity_scale_rad_s", config.angular_velocity_scale_rad_s);
    print_encoded(out, imu_encode_config(&config, out, LONGEST_RECORD));
    return IMU_OK;
}

static void print_field(const struct imu_fields *fields, unsigned tag, const char *name, uint64_t value) {
    if (fields->present & IMU_HAS(tag)) {
        printf(", \"%s\": %" PRIu64, name, value);
    } else {
        printf(", \"%s\": null", name);
    }
}

static void print_fields(const struct imu_fields *fields) {
    print_field(fields, IMU_TAG_EPOCH, "epoch", fields->epoch);
    if (fields->present & IMU_HAS(IMU_TAG_NOMINAL_RATE)) {
        printf(", \"nominal_rate_hz\": %u.%u", fields->nominal_rate_dhz / 10u, fields->nominal_rate_dhz % 10u);
    } else {
        printf(", \"nominal_rate_hz\": null");
    }
    print_field(fields, IMU_TAG_ACCELERATION_RANGE, "acceleration_range_g", fields->acceleration_range_g);
    print_field(fields, IMU_TAG_ANGULAR_VELOCITY_RANGE, "angular_velocity_range_dps",
                fields->angular_velocity_range_dps);
    print_field(fields, IMU_TAG_FIRST_INDEX, "first_index", fields->first_index);
    print_field(fields, IMU_TAG_COUNT, "count", fields->count);
    print_field(fields, IMU_TAG_DEVICE_TIME, "device_time_us", fields->device_time_us);
    print_field(fields, IMU_TAG_HOST_TIME, "host_time_us", fields->host_time_us);
}

static enum imu_result request(const uint8_t *payload, size_t size, uint8_t *out) {
    struct imu_request request;
    const enum imu_result result = imu_decode_request(payload, size, &request);
    if (result != IMU_OK) {
        return result;
    }
    printf(", \"op\": %u, \"request_id\": %u", request.op, request.request_id);
    print_fields(&request.fields);
    print_encoded(out, imu_encode_request(&request, out, LONGEST_RECORD));
    return IMU_OK;
}

static enum imu_result answer(const uint8_t *payload, size_t size, uint8_t *out) {
    struct imu_answer answer;
    const enum imu_result result = imu_decode_answer(payload, size, &answer);
    if (result != IMU_OK) {
        return result;
    }
    printf(", \"op\": %u, \"request_id\": %u, \"status\": %u", answer.op, answer.request_id, answer.status);
    print_fields(&answer.fields);
    print_encoded(out, imu_encode_answer(&answer, out, LONGEST_RECORD));
    return IMU_OK;
}

static enum imu_result status(const uint8_t *payload, size_t size, uint8_t *out) {
    struct imu_status status;
    const enum imu_result result = imu_decode_status(payload, size, &status);
    if (result != IMU_OK) {
        return result;
    }
    printf(", \"faults\": %u", status.faults);
    print_unless("rssi_dbm", status.rssi_dbm == IMU_RSSI_UNKNOWN, status.rssi_dbm);
    print_unless("battery_mv", status.battery_mv == IMU_BATTERY_UNKNOWN, status.battery_mv);
    if (status.temperature_cdeg == IMU_TEMPERATURE_UNKNOWN) {
        printf(", \"temperature_deg_c\": null");
    } else {
        const int cdeg = status.temperature_cdeg;
        printf(", \"temperature_deg_c\": %s%d.%02d", cdeg < 0 ? "-" : "", abs(cdeg) / 100, abs(cdeg) % 100);
    }
    printf(", \"queue_high_water_samples\": %u, \"samples_dropped\": %" PRIu32 ", \"samples_lost\": %" PRIu32
           ", \"uptime_s\": %" PRIu32,
           status.queue_high_water_samples, status.samples_dropped, status.samples_lost, status.uptime_s);
    print_encoded(out, imu_encode_status(&status, out, LONGEST_RECORD));
    return IMU_OK;
}

static enum imu_result time_sync(const uint8_t *payload, size_t size, uint8_t *out) {
    struct imu_time_sync time_sync;
    const enum imu_result result = imu_decode_time_sync(payload, size, &time_sync);
    if (result != IMU_OK) {
        return result;
    }
    printf(", \"op\": %u, \"sequence\": %u, \"host_sent_us\": %" PRIu64 ", \"device_received_us\": %" PRIu64
           ", \"device_sent_us\": %" PRIu64,
           time_sync.op, time_sync.sequence, time_sync.host_sent_us, time_sync.device_received_us,
           time_sync.device_sent_us);
    print_encoded(out, imu_encode_time_sync(&time_sync, out, LONGEST_RECORD));
    return IMU_OK;
}

typedef enum imu_result (*decoder)(const uint8_t *payload, size_t size, uint8_t *out);

/* No record: an MTU and a rate in 0.1 Hz, both u16 -> how many samples go into a packet. */
static enum imu_result samples_per_packet(const uint8_t *payload, size_t size, uint8_t *out) {
    (void)out;
    if (size < 4) {
        return IMU_TOO_SHORT;
    }
    const unsigned mtu = payload[0] | (unsigned)payload[1] << 8;
    const unsigned rate_dhz = payload[2] | (unsigned)payload[3] << 8;
    printf(", \"samples\": %u", imu_samples_per_packet((uint16_t)mtu, (uint16_t)rate_dhz, IMU_LIVE_MS));
    return IMU_OK;
}

static const decoder decoders[] = {packet, info, config, request, answer, status, time_sync, samples_per_packet};

int main(void) {
    uint8_t head[3];
    static uint8_t out[LONGEST_RECORD];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        const size_t size = (size_t)(head[1] | head[2] << 8);
        /* Of exactly this size, so that the address sanitizer sees the first byte read beyond it. */
        uint8_t *payload = malloc(size ? size : 1);
        if (payload == NULL || head[0] >= sizeof decoders / sizeof decoders[0] ||
            fread(payload, 1, size, stdin) != size) {
            fprintf(stderr, "codec_program: bad input\n");
            free(payload);
            return 1;
        }
        printf("{\"record\": %u", head[0]);
        const enum imu_result result = decoders[head[0]](payload, size, out);
        printf(", \"result\": \"%s\"}\n", imu_result_text(result));
        free(payload);
    }
    return 0;
}
