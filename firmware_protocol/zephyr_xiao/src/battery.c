#include "battery.h"

#include <zephyr/bluetooth/services/bas.h>
#include <zephyr/drivers/adc.h>
#include <zephyr/drivers/gpio.h>
#include <zephyr/kernel.h>

static const struct adc_dt_spec channel = ADC_DT_SPEC_GET(DT_PATH(zephyr_user));
static const struct gpio_dt_spec enable = GPIO_DT_SPEC_GET(DT_PATH(zephyr_user), battery_enable_gpios);

static atomic_t millivolts;

/* A lithium-polymer cell at rest; between the rows in a straight line. */
static const struct {
    uint16_t mv;
    uint8_t percent;
} curve[] = {{3300, 0}, {3500, 5}, {3650, 15}, {3700, 30}, {3780, 50}, {3900, 70}, {4050, 90}, {4180, 100}};

int battery_init(void) {
    if (!adc_is_ready_dt(&channel) || !gpio_is_ready_dt(&enable)) {
        return -ENODEV;
    }
    const int err = gpio_pin_configure_dt(&enable, GPIO_OUTPUT_ACTIVE); /* low, for good: see the overlay */
    return err ? err : adc_channel_setup_dt(&channel);
}

uint16_t battery_mv(void) { return (uint16_t)atomic_get(&millivolts); }

uint8_t battery_percent(void) {
    const uint16_t mv = battery_mv();
    if (mv == 0 || mv >= curve[ARRAY_SIZE(curve) - 1].mv) {
        return 100;
    }
    for (size_t i = ARRAY_SIZE(curve) - 1; i-- > 0;) {
        if (mv >= curve[i].mv) {
            const uint32_t rise = curve[i + 1].percent - curve[i].percent;
            const uint32_t run = curve[i + 1].mv - curve[i].mv;
            return (uint8_t)(curve[i].percent + (mv - curve[i].mv) * rise / run);
        }
    }
    return 0;
}

void battery_update(void) {
    int16_t raw = 0;
    struct adc_sequence sequence = {.buffer = &raw, .buffer_size = sizeof raw};
    (void)adc_sequence_init_dt(&channel, &sequence);
    int32_t mv = 0;
    if (adc_read_dt(&channel, &sequence) == 0) {
        mv = raw;
        if (adc_raw_to_millivolts_dt(&channel, &mv) == 0) {
            mv = mv * 1510 / 510; /* the divider */
        } else {
            mv = 0;
        }
    }
    atomic_set(&millivolts, CLAMP(mv, 0, 65535));
    (void)bt_bas_set_battery_level(battery_percent());
}
