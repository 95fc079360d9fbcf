/* For the tests: batches of samples, one a line -> their times, one JSON line each.
 *
 *   begin RATE_DHZ        batch READY_US REFERENCE COUNT        overrun READY_US REFERENCE COUNT
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "imu_timing.h"

int main(void) {
    struct imu_timing timing;
    char name[16];
    uint64_t ready_us = 0;
    uint32_t reference = 0;
    uint32_t count = 0;
    while (scanf("%15s %" SCNu64, name, &ready_us) == 2) {
        if (strcmp(name, "begin") == 0) {
            imu_timing_begin(&timing, (uint16_t)ready_us);
            continue;
        }
        if (scanf("%" SCNu32 " %" SCNu32, &reference, &count) != 2) {
            return 1;
        }
        const uint32_t lost = strcmp(name, "overrun") == 0 ? imu_timing_lost(&timing, ready_us, reference) : 0;
        const uint64_t first_us = imu_timing_batch(&timing, ready_us, reference, count, lost);
        printf("{\"lost\": %" PRIu32 ", \"rate_hz\": %.9g, \"times_us\": [", lost, (double)imu_timing_rate_hz(&timing));
        for (uint32_t i = 0; i < count; i++) {
            printf("%s%" PRIu64, i ? ", " : "", imu_timing_of(&timing, first_us, i));
        }
        printf("]}\n");
    }
    return 0;
}
