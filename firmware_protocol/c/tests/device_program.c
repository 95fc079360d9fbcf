/* For the tests: a whole sensor but for its hardware. One operation a line -> one JSON line.
 *
 *   init CAPACITY BOOT_ID     connected             disconnected NOW_US        subscribed CHANNEL ON
 *   request NOW_US HEX        samples READY_US REFERENCE COUNT VALUE OVERRUN   next MTU          take_back
 *   info    config            status NOW_US         broken ON                  battery LOW
 *
 * Sample v has the counts (v % 30000, v / 30000, 1, 2, 3, 4).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imu_device.h"

#define LONGEST 600u

struct chip {
    bool broken;
    bool measuring;
    unsigned blinks;
};

struct bench {
    struct imu_device device;
    struct chip chip;
    struct imu_slot *slots;
    uint8_t *present;
};

static unsigned nearest(unsigned wanted, const uint16_t *choices, size_t count) {
    unsigned best = choices[0];
    for (size_t i = 1; i < count; i++) {
        const unsigned now = choices[i] > wanted ? choices[i] - wanted : wanted - choices[i];
        const unsigned before = best > wanted ? best - wanted : wanted - best;
        best = now < before ? choices[i] : best;
    }
    return best;
}

/* As the LSM6DS3TR-C does, but that it refuses ranges beyond its own. */
static bool choose(void *context, struct imu_config *config) {
    static const uint16_t rates_dhz[] = {125, 260, 520, 1040, 2080, 4160};
    (void)context;
    if (config->acceleration_range_g > 16 || config->angular_velocity_range_dps > 2000) {
        return false;
    }
    config->nominal_rate_dhz = (uint16_t)nearest(config->nominal_rate_dhz, rates_dhz, 6);
    config->acceleration_range_g = 16;
    config->angular_velocity_range_dps = 2000;
    config->acceleration_scale_m_s2 = 0.488e-3f * 9.80665f;
    config->angular_velocity_scale_rad_s = 70e-3f * 0.01745329252f;
    return true;
}

static bool begin(void *context, const struct imu_config *config) {
    struct chip *chip = context;
    (void)config;
    if (chip->broken || chip->measuring) { /* it must be stopped before it starts again */
        return false;
    }
    chip->measuring = true;
    return true;
}

static void end(void *context) { ((struct chip *)context)->measuring = false; }

static void identify(void *context) { ((struct chip *)context)->blinks++; }

static bool init(struct bench *bench, uint32_t capacity, uint64_t boot_id) {
    const struct imu_hardware hardware = {&bench->chip, choose, begin, end, identify};
    const struct imu_info info = {.major = IMU_PROTOCOL_MAJOR,
                                  .minor = IMU_PROTOCOL_MINOR,
                                  .most_samples_per_packet = 255,
                                  .capabilities = IMU_CAN_RESEND | IMU_CAN_COMPACT | IMU_CAN_IDENTIFY | IMU_CAN_SLEEP,
                                  .boot_id = boot_id};
    const struct imu_config config = {
        .nominal_rate_dhz = 1000, .acceleration_range_g = 16, .angular_velocity_range_dps = 2000};
    bench->slots = malloc(capacity * sizeof *bench->slots);
    bench->present = malloc(IMU_RING_PRESENT_BYTES(capacity));
    return bench->slots != NULL && bench->present != NULL &&
           imu_device_init(&bench->device, &hardware, &info, &config, bench->slots, bench->present, capacity);
}

static void print_hex(const char *name, const uint8_t *bytes, size_t size) {
    printf("\"%s\": \"", name);
    for (size_t i = 0; i < size; i++) {
        printf("%02x", bytes[i]);
    }
    printf("\", ");
}

static void request(struct bench *bench, uint64_t now_us, const char *hex) {
    uint8_t answer[IMU_LONGEST_ANSWER_SIZE];
    const size_t size = strlen(hex) / 2;
    uint8_t *payload = malloc(size ? size : 1); /* of exactly this size, for the address sanitizer */
    for (size_t i = 0; payload != NULL && i < size; i++) {
        unsigned byte = 0;
        sscanf(hex + 2 * i, "%2x", &byte);
        payload[i] = (uint8_t)byte;
    }
    print_hex("answer", answer, imu_device_request(&bench->device, payload, size, now_us, answer, sizeof answer));
    free(payload);
}

static void samples(struct bench *bench, uint64_t ready_us, uint32_t reference, uint32_t count, uint32_t value,
                    bool overrun) {
    struct imu_sample *batch = malloc((count ? count : 1) * sizeof *batch);
    for (uint32_t i = 0; batch != NULL && i < count; i++) {
        const uint32_t v = value + i;
        const struct imu_sample sample = {{(int16_t)(v % 30000u), (int16_t)(v / 30000u), 1}, {2, 3, 4}};
        batch[i] = sample;
    }
    imu_device_samples(&bench->device, ready_us, reference, batch, count, overrun);
    free(batch);
}

static bool act(struct bench *bench, const char *name, const char *rest) {
    struct imu_device *device = &bench->device;
    struct imu_status status = {
        .rssi_dbm = IMU_RSSI_UNKNOWN, .temperature_cdeg = IMU_TEMPERATURE_UNKNOWN, .battery_mv = IMU_BATTERY_UNKNOWN};
    uint8_t out[LONGEST];
    char hex[513] = "";
    uint64_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    uint32_t d = 0;
    uint32_t e = 0;
    const int given = sscanf(rest, "%" SCNu64 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32, &a, &b, &c, &d, &e);
    if (strcmp(name, "init") == 0) {
        uint64_t boot_id = 0;
        return sscanf(rest, "%" SCNu64 " %" SCNu64, &a, &boot_id) == 2 && init(bench, (uint32_t)a, boot_id);
    }
    if (strcmp(name, "connected") == 0) {
        imu_device_connected(device);
    } else if (strcmp(name, "disconnected") == 0) {
        imu_device_disconnected(device, a);
    } else if (strcmp(name, "subscribed") == 0 && given == 2) {
        imu_device_subscribed(device, (enum imu_channel)a, b != 0);
    } else if (strcmp(name, "request") == 0) {
        sscanf(rest, "%" SCNu64 " %512s", &a, hex);
        request(bench, a, hex);
    } else if (strcmp(name, "samples") == 0 && given == 5) {
        samples(bench, a, b, c, d, e != 0);
    } else if (strcmp(name, "next") == 0) {
        enum imu_channel channel = IMU_CHANNEL_STATUS;
        const size_t size = imu_device_next(device, (uint16_t)a, &channel, out, sizeof out);
        printf("\"channel\": %d, ", (int)channel);
        print_hex("payload", out, size);
    } else if (strcmp(name, "take_back") == 0) {
        imu_device_take_back(device);
    } else if (strcmp(name, "info") == 0) {
        print_hex("payload", out, imu_device_info(device, out, sizeof out));
    } else if (strcmp(name, "config") == 0) {
        print_hex("payload", out, imu_device_config(device, out, sizeof out));
    } else if (strcmp(name, "status") == 0) {
        print_hex("payload", out, imu_device_status(device, a, &status, out, sizeof out));
    } else if (strcmp(name, "broken") == 0) {
        bench->chip.broken = a != 0;
    } else if (strcmp(name, "battery") == 0) {
        device->low_battery = a != 0;
    } else {
        return false;
    }
    return true;
}

int main(void) {
    static struct bench bench;
    char line[1200];
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char name[16];
        int end_of_name = 0;
        printf("{");
        if (sscanf(line, "%15s%n", name, &end_of_name) != 1 || !act(&bench, name, line + end_of_name)) {
            fprintf(stderr, "device_program: no operation: %s", line);
            return 1;
        }
        printf("\"running\": %d, \"measuring\": %d, \"blinks\": %u, \"sleep_wanted\": %d}\n", bench.device.running,
               bench.chip.measuring, bench.chip.blinks, bench.device.sleep_wanted);
    }
    free(bench.slots);
    free(bench.present);
    return 0;
}
