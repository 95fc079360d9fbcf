/* A hip-worn inertial sensor: firmware_protocol/PROTOCOL.md on a Seeed XIAO nRF52840 Sense.
 *
 *   chip.c     motion chip's FIFO -> ring, in a thread of its own          sensor.c   the sensor's state and lock
 *   sending.c  requests -> answers, ring -> notifications, in another      gatt.c     the service
 *   link.c     advertising, one connection                                 battery.c  the battery
 *
 * The rest of a sensor (epochs, requests, ring, resend, times) is in ../c and tested there.
 */
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include "battery.h"
#include "chip.h"
#include "link.h"
#include "sensor.h"

LOG_MODULE_REGISTER(main, LOG_LEVEL_INF);

int main(void) {
    int err = sensor_init();
    if (err == 0 && battery_init()) {
        LOG_WRN("the battery cannot be measured");
    }
    err = err ? err : chip_init();
    err = err ? err : link_init();
    if (err) {
        LOG_ERR("cannot start: %d", err);
    }
    return err;
}
