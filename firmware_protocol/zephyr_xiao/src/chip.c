/* Registers and FIFO of the LSM6DS3TR-C: datasheet DocID030071, application note AN5130. */
#include "chip.h"

#include <zephyr/drivers/gpio.h>
#include <zephyr/drivers/i2c.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/sys/byteorder.h>

#include "sending.h"
#include "sensor.h"

LOG_MODULE_REGISTER(chip, LOG_LEVEL_INF);

#define REG_FIFO_CTRL1 0x06 /* watermark in words of 16 bits, low byte */
#define REG_FIFO_CTRL2 0x07 /* high bits */
#define REG_FIFO_CTRL3 0x08 /* decimation: gyroscope bits 3-5, accelerometer bits 0-2 */
#define REG_FIFO_CTRL4 0x09
#define REG_FIFO_CTRL5 0x0A /* rate bits 3-6, mode bits 0-2 */
#define REG_INT1_CTRL 0x0D
#define REG_WHO_AM_I 0x0F
#define REG_CTRL1_XL 0x10 /* rate bits 4-7, range bits 2-3 */
#define REG_CTRL2_G 0x11  /* rate bits 4-7, range bits 2-3, bit 1: 125 dps */
#define REG_CTRL3_C 0x12
#define REG_OUT_TEMP_L 0x20
#define REG_FIFO_STATUS1 0x3A
#define REG_FIFO_DATA_OUT_L 0x3E
#define REG_TAP_CFG 0x58
#define REG_WAKE_UP_THS 0x5B
#define REG_WAKE_UP_DUR 0x5C
#define REG_MD1_CFG 0x5E

#define WHO_AM_I 0x6A
#define CTRL3_BDU_IF_INC 0x44
#define FIFO_BOTH_UNDECIMATED 0x09
#define FIFO_BYPASS 0x00
#define FIFO_CONTINUOUS 0x06
#define INT1_FIFO_WATERMARK 0x08
#define STATUS2_OVERRUN 0x40
#define STATUS2_WORDS_HIGH 0x07

#define WORDS_PER_SAMPLE 6u
#define MOST_SAMPLES 128u /* in one reading; more than 0.6 s late counts as an overrun */
#define SETTLING_MS 100   /* the gyroscope's first samples after switching on are not good */
#define SILENT_MS 500

static const struct i2c_dt_spec bus = I2C_DT_SPEC_GET(DT_NODELABEL(lsm6ds3tr_c));
static const struct gpio_dt_spec int1 = GPIO_DT_SPEC_GET(DT_NODELABEL(lsm6ds3tr_c), irq_gpios);
static const struct gpio_dt_spec led = GPIO_DT_SPEC_GET(DT_ALIAS(led0), gpios);

/* Sensitivities are ST's: 70 mdps a count at 2000 dps is not 2000 / 32768. */
static const struct {
    uint16_t range_g;
    uint8_t bits;
    float scale_mg;
} acceleration_ranges[] = {{2, 0, 0.061f}, {4, 2, 0.122f}, {8, 3, 0.244f}, {16, 1, 0.488f}};

static const struct {
    uint16_t range_dps;
    uint8_t bits; /* of CTRL2_G */
    float scale_mdps;
} angular_velocity_ranges[] = {
    {125, 0x02, 4.375f}, {250, 0x00, 8.75f}, {500, 0x04, 17.5f}, {1000, 0x08, 35.0f}, {2000, 0x0C, 70.0f}};

static const uint16_t rates_dhz[] = {125, 260, 520, 1040, 2080}; /* register value: position + 1 */

static K_SEM_DEFINE(fifo_ready, 0, 1);
static struct gpio_callback int1_callback;
static volatile uint64_t ready_us;
static volatile uint32_t watermark; /* samples; 0: not measuring */
static volatile uint8_t rate_bits;
static atomic_t silent;

/* --- commands of the chip ------------------------------------------------------------------------------------- */

static uint32_t distance(uint32_t a, uint32_t b) { return a > b ? a - b : b - a; }

/* Position of the nearest in a table whose rows begin with a uint16_t. */
static size_t nearest(const void *rows, size_t size_of_row, size_t count, uint16_t wanted) {
    size_t best = 0;
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        const uint16_t value = *(const uint16_t *)((const uint8_t *)rows + i * size_of_row);
        if (distance(value, wanted) < least) {
            least = distance(value, wanted);
            best = i;
        }
    }
    return best;
}

#define NEAREST(table, wanted) nearest(table, sizeof table[0], ARRAY_SIZE(table), wanted)

bool chip_choose(void *context, struct imu_config *config) {
    ARG_UNUSED(context);
    const size_t a = NEAREST(acceleration_ranges, config->acceleration_range_g);
    const size_t w = NEAREST(angular_velocity_ranges, config->angular_velocity_range_dps);
    config->nominal_rate_dhz = rates_dhz[NEAREST(rates_dhz, config->nominal_rate_dhz)];
    config->acceleration_range_g = acceleration_ranges[a].range_g;
    config->acceleration_scale_m_s2 = acceleration_ranges[a].scale_mg * 9.80665e-3f;
    config->angular_velocity_range_dps = angular_velocity_ranges[w].range_dps;
    config->angular_velocity_scale_rad_s = angular_velocity_ranges[w].scale_mdps * 1.7453292520e-5f;
    return true;
}

/* --- registers ------------------------------------------------------------------------------------------------ */

struct setting {
    uint8_t reg;
    uint8_t value;
};

static int write_all(const struct setting *settings, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const int err = i2c_reg_write_byte_dt(&bus, settings[i].reg, settings[i].value);
        if (err) {
            LOG_ERR("register 0x%02x: %d", settings[i].reg, err);
            return err;
        }
    }
    return 0;
}

static int empty_fifo(void) {
    const struct setting settings[] = {{REG_FIFO_CTRL5, FIFO_BYPASS},
                                       {REG_FIFO_CTRL5, (uint8_t)(rate_bits << 3 | FIFO_CONTINUOUS)}};
    return write_all(settings, ARRAY_SIZE(settings));
}

bool chip_begin(void *context, const struct imu_config *config) {
    ARG_UNUSED(context);
    const uint32_t samples = MAX(1u, config->nominal_rate_dhz / 200u); /* 50 ms */
    const uint32_t words = samples * WORDS_PER_SAMPLE;
    const size_t a = NEAREST(acceleration_ranges, config->acceleration_range_g);
    const size_t w = NEAREST(angular_velocity_ranges, config->angular_velocity_range_dps);
    rate_bits = (uint8_t)(NEAREST(rates_dhz, config->nominal_rate_dhz) + 1u);
    const struct setting settings[] = {
        {REG_FIFO_CTRL5, FIFO_BYPASS},
        {REG_CTRL3_C, CTRL3_BDU_IF_INC},
        {REG_CTRL1_XL, (uint8_t)(rate_bits << 4 | acceleration_ranges[a].bits << 2)},
        {REG_CTRL2_G, (uint8_t)(rate_bits << 4 | angular_velocity_ranges[w].bits)},
        {REG_FIFO_CTRL1, (uint8_t)words},
        {REG_FIFO_CTRL2, (uint8_t)(words >> 8)},
        {REG_FIFO_CTRL3, FIFO_BOTH_UNDECIMATED},
        {REG_FIFO_CTRL4, 0},
        {REG_INT1_CTRL, INT1_FIFO_WATERMARK},
    };
    if (write_all(settings, ARRAY_SIZE(settings))) {
        atomic_set(&silent, 1);
        return false;
    }
    k_msleep(SETTLING_MS);
    watermark = samples;
    return empty_fifo() == 0;
}

void chip_end(void *context) {
    static const struct setting off[] = {
        {REG_FIFO_CTRL5, FIFO_BYPASS}, {REG_INT1_CTRL, 0}, {REG_CTRL1_XL, 0}, {REG_CTRL2_G, 0}};
    ARG_UNUSED(context);
    watermark = 0;
    (void)write_all(off, ARRAY_SIZE(off)); /* a chip that does not answer has stopped, too */
}

uint8_t chip_faults(void) { return atomic_get(&silent) ? IMU_SENSOR_SILENT : 0; }

int16_t chip_temperature_cdeg(void) {
    uint8_t raw[2];
    if (watermark == 0 || i2c_burst_read_dt(&bus, REG_OUT_TEMP_L, raw, sizeof raw)) {
        return IMU_TEMPERATURE_UNKNOWN;
    }
    return (int16_t)(2500 + (int16_t)sys_get_le16(raw) * 100 / 256); /* 256 counts a degree, 0 at 25 degrees */
}

void chip_wake_on_motion(void) {
    static const struct setting settings[] = {
        {REG_FIFO_CTRL5, FIFO_BYPASS}, {REG_INT1_CTRL, 0},
        {REG_CTRL2_G, 0},              {REG_CTRL1_XL, 0x20}, /* 26 Hz, 2 g */
        {REG_WAKE_UP_DUR, 0},          {REG_WAKE_UP_THS, 0x04}, /* 4 / 64 of 2 g: 125 mg */
        {REG_TAP_CFG, 0x80},           {REG_MD1_CFG, 0x20},
    };
    (void)write_all(settings, ARRAY_SIZE(settings));
    (void)gpio_pin_interrupt_configure_dt(&int1, GPIO_INT_LEVEL_ACTIVE);
}

/* --- the thread that empties the FIFO ------------------------------------------------------------------------- */

static void on_int1(const struct device *port, struct gpio_callback *callback, gpio_port_pins_t pins) {
    ARG_UNUSED(port);
    ARG_UNUSED(callback);
    ARG_UNUSED(pins);
    ready_us = sensor_now_us();
    k_sem_give(&fifo_ready);
}

/* When the watermark's sample was ready: the interrupt's time, or reckoned back if there was none. */
static uint64_t time_of_watermark(bool interrupted, uint32_t count) {
    const unsigned key = irq_lock();
    const uint64_t interrupt_us = ready_us;
    irq_unlock(key);
    if (interrupted) {
        return interrupt_us;
    }
    return sensor_now_us() - (uint64_t)(count - watermark) * 10000000u / rates_dhz[rate_bits - 1];
}

/* The FIFO gives the gyroscope first, then the accelerometer. */
static void unpack(const uint8_t *raw, struct imu_sample *samples, uint32_t count) {
    for (uint32_t i = 0; i < count; i++, raw += IMU_SAMPLE_SIZE) {
        for (uint32_t axis = 0; axis < 3; axis++) {
            samples[i].angular_velocity[axis] = (int16_t)sys_get_le16(raw + 2 * axis);
            samples[i].acceleration[axis] = (int16_t)sys_get_le16(raw + 6 + 2 * axis);
        }
    }
}

/* Reads all waiting samples into the ring. True if the FIFO had to be emptied unread. */
static bool read_fifo(bool interrupted, bool after_overrun) {
    static uint8_t raw[MOST_SAMPLES * IMU_SAMPLE_SIZE];
    static struct imu_sample samples[MOST_SAMPLES];
    uint8_t status[4];
    if (i2c_burst_read_dt(&bus, REG_FIFO_STATUS1, status, sizeof status)) {
        atomic_set(&silent, 1);
        return after_overrun;
    }
    const uint32_t count = (status[0] | (status[1] & STATUS2_WORDS_HIGH) << 8) / WORDS_PER_SAMPLE;
    const bool misaligned = status[2] != 0 || (status[3] & 3) != 0; /* the next word is not the gyroscope's x */
    if ((status[1] & STATUS2_OVERRUN) || misaligned || count > MOST_SAMPLES) {
        LOG_WRN("FIFO overrun");
        (void)empty_fifo();
        return true;
    }
    if (count < watermark || watermark == 0) {
        return after_overrun;
    }
    const uint64_t at_us = time_of_watermark(interrupted, count);
    if (i2c_burst_read_dt(&bus, REG_FIFO_DATA_OUT_L, raw, count * IMU_SAMPLE_SIZE)) {
        atomic_set(&silent, 1);
        (void)empty_fifo();
        return true;
    }
    atomic_set(&silent, 0);
    unpack(raw, samples, count);
    imu_device_samples(sensor_device(), at_us, watermark - 1u, samples, count, after_overrun);
    return false;
}

static void sample_for_ever(void *a, void *b, void *c) {
    ARG_UNUSED(a);
    ARG_UNUSED(b);
    ARG_UNUSED(c);
    bool after_overrun = false;
    for (;;) {
        const bool interrupted = k_sem_take(&fifo_ready, K_MSEC(SILENT_MS)) == 0;
        sensor_lock(); /* begin and end change what is read here */
        if (watermark == 0) {
            after_overrun = false;
        } else {
            after_overrun = read_fifo(interrupted, after_overrun);
        }
        sensor_unlock();
        sending_wake();
    }
}

/* Above the sending thread: a sample that is late to be read may be lost, one that is late to be sent is not. */
K_THREAD_DEFINE(sampling, 2048, sample_for_ever, NULL, NULL, NULL, 4, 0, SYS_FOREVER_MS);

/* --- the light ------------------------------------------------------------------------------------------------ */

static void blink(struct k_work *work);
static K_WORK_DELAYABLE_DEFINE(blinking, blink);
static atomic_t blinks_left;

static void blink(struct k_work *work) {
    ARG_UNUSED(work);
    const atomic_val_t left = atomic_dec(&blinks_left);
    (void)gpio_pin_set_dt(&led, left % 2 == 0);
    if (left > 1) {
        k_work_schedule(&blinking, K_MSEC(150));
    }
}

void chip_identify(void *context) {
    ARG_UNUSED(context);
    atomic_set(&blinks_left, 20); /* the last one, number 1, is dark */
    k_work_reschedule(&blinking, K_NO_WAIT);
}

int chip_init(void) {
    uint8_t who = 0;
    if (!i2c_is_ready_dt(&bus) || !gpio_is_ready_dt(&int1) || !gpio_is_ready_dt(&led)) {
        return -ENODEV;
    }
    int err = gpio_pin_configure_dt(&led, GPIO_OUTPUT_INACTIVE);
    err = err ? err : gpio_pin_configure_dt(&int1, GPIO_INPUT);
    err = err ? err : gpio_pin_interrupt_configure_dt(&int1, GPIO_INT_EDGE_TO_ACTIVE);
    if (err) {
        return err;
    }
    gpio_init_callback(&int1_callback, on_int1, BIT(int1.pin));
    err = gpio_add_callback_dt(&int1, &int1_callback);
    err = err ? err : i2c_reg_read_byte_dt(&bus, REG_WHO_AM_I, &who);
    if (err || who != WHO_AM_I) {
        LOG_ERR("no LSM6DS3TR-C: %d, 0x%02x", err, who);
        atomic_set(&silent, 1); /* a host can still connect, and reads SENSOR_SILENT */
    }
    k_thread_start(sampling);
    return 0;
}
