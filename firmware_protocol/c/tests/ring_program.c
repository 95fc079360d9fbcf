/* For the tests: operations on a ring and two cursors, one a line -> what they gave, one JSON line each.
 *
 *   init CAPACITY             clear                      push TIME_US COUNT*6        skip COUNT
 *   available FIRST COUNT     read FIRST END MOST        set CURSOR NEXT END         until CURSOR NEXT
 *   waiting CURSOR            pass CURSOR                take CURSOR MOST
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imu_ring.h"

#define MOST_SAMPLES 255u

struct bench {
    struct imu_ring ring;
    struct imu_cursor cursors[2];
    struct imu_slot *slots;
    uint8_t *present;
};

static void print_packet(uint8_t count, const struct imu_packet *packet, const struct imu_sample *samples) {
    printf("\"n\": %u", count);
    if (count > 0) {
        printf(", \"first_index\": %" PRIu32 ", \"device_time_us\": %" PRIu64 ", \"flags\": %u", packet->first_index,
               packet->device_time_us, packet->flags);
    }
    printf(", \"counts\": [");
    for (unsigned i = 0; i < count; i++) {
        const struct imu_sample *s = &samples[i];
        printf("%s[%d, %d, %d, %d, %d, %d]", i ? ", " : "", s->acceleration[0], s->acceleration[1], s->acceleration[2],
               s->angular_velocity[0], s->angular_velocity[1], s->angular_velocity[2]);
    }
    printf("], ");
}

static void init(struct bench *bench, uint32_t capacity) {
    free(bench->slots);
    free(bench->present);
    bench->slots = malloc(capacity * sizeof *bench->slots);
    bench->present = malloc(IMU_RING_PRESENT_BYTES(capacity));
    if (bench->slots == NULL || bench->present == NULL) {
        exit(1);
    }
    /* Storage comes with anything in it. */
    memset(bench->slots, 0xa5, capacity * sizeof *bench->slots);
    memset(bench->present, 0xa5, IMU_RING_PRESENT_BYTES(capacity));
    imu_ring_init(&bench->ring, bench->slots, bench->present, capacity);
    imu_cursor_set(&bench->cursors[0], 0, UINT32_MAX);
    imu_cursor_set(&bench->cursors[1], 0, UINT32_MAX);
}

static bool push(struct bench *bench, const char *arguments) {
    uint64_t time_us;
    struct imu_sample s;
    if (sscanf(arguments, "%" SCNu64 " %" SCNd16 " %" SCNd16 " %" SCNd16 " %" SCNd16 " %" SCNd16 " %" SCNd16, &time_us,
               &s.acceleration[0], &s.acceleration[1], &s.acceleration[2], &s.angular_velocity[0],
               &s.angular_velocity[1], &s.angular_velocity[2]) != 7) {
        return false;
    }
    printf("\"ok\": %d, ", imu_ring_push(&bench->ring, time_us, &s));
    return true;
}

/* One operation; false for an invalid one. */
static bool act(struct bench *bench, const char *name, const char *arguments) {
    struct imu_packet packet = {0};
    struct imu_sample samples[MOST_SAMPLES];
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    if (strcmp(name, "push") == 0) {
        return push(bench, arguments);
    }
    const int given = sscanf(arguments, "%" SCNu32 " %" SCNu32 " %" SCNu32, &a, &b, &c);
    struct imu_cursor *cursor = &bench->cursors[a & 1u];
    if (strcmp(name, "init") == 0 && given == 1 && a > 0) {
        init(bench, a);
    } else if (strcmp(name, "clear") == 0) {
        imu_ring_clear(&bench->ring);
    } else if (strcmp(name, "skip") == 0 && given == 1) {
        printf("\"ok\": %d, ", imu_ring_skip(&bench->ring, a));
    } else if (strcmp(name, "available") == 0 && given == 2) {
        uint32_t first = 0;
        uint32_t count = 0;
        const bool any = imu_ring_available(&bench->ring, a, b, &first, &count);
        printf("\"ok\": %d, \"first_index\": %" PRIu32 ", \"count\": %" PRIu32 ", ", any, first, count);
    } else if (strcmp(name, "read") == 0 && given == 3) {
        print_packet(imu_ring_read(&bench->ring, a, b, (uint8_t)c, &packet, samples), &packet, samples);
    } else if (strcmp(name, "set") == 0 && given == 3) {
        imu_cursor_set(cursor, b, c);
    } else if (strcmp(name, "until") == 0 && given == 2) {
        imu_cursor_drop_until(cursor, b);
    } else if (strcmp(name, "pass") == 0 && given == 1) {
        imu_cursor_pass_holes(cursor, &bench->ring);
    } else if (strcmp(name, "waiting") == 0 && given == 1) {
        printf("\"n\": %" PRIu32 ", ", imu_cursor_waiting(cursor, &bench->ring));
    } else if (strcmp(name, "take") == 0 && given == 2) {
        print_packet(imu_cursor_take(cursor, &bench->ring, (uint8_t)b, &packet, samples), &packet, samples);
        printf("\"dropped\": %" PRIu32 ", ", cursor->samples_dropped);
    } else {
        return false;
    }
    return true;
}

int main(void) {
    struct bench bench = {0};
    char line[256];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char name[16];
        int end = 0;
        printf("{");
        if (sscanf(line, "%15s%n", name, &end) != 1 || !act(&bench, name, line + end)) {
            fprintf(stderr, "ring_program: no operation: %s", line);
            return 1;
        }
        const struct imu_ring *ring = &bench.ring;
        printf("\"oldest\": %" PRIu32 ", \"next\": %" PRIu32 ", \"lost\": %" PRIu32 "}\n", ring->oldest_index,
               ring->next_index, ring->samples_lost);
    }
    free(bench.slots);
    free(bench.present);
    return 0;
}
