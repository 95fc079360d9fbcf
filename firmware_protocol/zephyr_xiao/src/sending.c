#include "sending.h"

#include <zephyr/bluetooth/gatt.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/sys/poweroff.h>

#include "battery.h"
#include "chip.h"
#include "gatt.h"
#include "link.h"
#include "sensor.h"

LOG_MODULE_REGISTER(sending, LOG_LEVEL_INF);

/* bt_gatt_notify_cb() blocks its caller when the stack has no buffer left, for as long as the radio takes. It may block
 * this thread, which is why the chip has another. Fewer notifications than buffers keep what waits in our ring, where
 * it can be counted, dropped and resent, and leave buffers for answers. */
#define NOTIFICATIONS_UNDER_WAY 5
#define IDLE_MS 100
#define RETRY_MS 10
#define LONGEST_NOTIFICATION 244u
#define LOW_BATTERY_PERCENT 10

static K_SEM_DEFINE(something_to_do, 0, 1);
static K_SEM_DEFINE(credits, NOTIFICATIONS_UNDER_WAY, NOTIFICATIONS_UNDER_WAY);

static atomic_t storage_failed;

void sending_wake(void) { k_sem_give(&something_to_do); }

void sending_link_up(void) {
    for (int i = 0; i < NOTIFICATIONS_UNDER_WAY; i++) {
        k_sem_give(&credits); /* what a lost connection swallowed; the semaphore's limit holds */
    }
    sending_wake();
}

void sending_storage_failed(void) { atomic_set(&storage_failed, 1); }

size_t sending_status(uint8_t *out, size_t room) {
    struct imu_status status = {
        .faults = (uint8_t)(chip_faults() | (atomic_get(&storage_failed) ? IMU_STORAGE_FAILED : 0)),
        .rssi_dbm = IMU_RSSI_UNKNOWN,
        .battery_mv = battery_mv(),
    };
    sensor_lock(); /* the chip's bus is not for two at once either */
    status.temperature_cdeg = chip_temperature_cdeg();
    const size_t size = imu_device_status(sensor_device(), sensor_now_us(), &status, out, room);
    sensor_unlock();
    return size;
}

static void on_sent(struct bt_conn *conn, void *nothing) {
    ARG_UNUSED(conn);
    ARG_UNUSED(nothing);
    k_sem_give(&credits);
    sending_wake();
}

/* 0 if it is on its way. */
static int notify(struct bt_conn *conn, enum imu_channel channel, const uint8_t *payload, size_t size) {
    if (k_sem_take(&credits, K_NO_WAIT)) {
        return -EAGAIN; /* on_sent() wakes us */
    }
    const int err = gatt_notify(conn, channel, payload, size, on_sent);
    if (err) {
        k_sem_give(&credits);
    }
    return err;
}

/* --- requests ------------------------------------------------------------------------------------------------- */

static void answer_request(struct bt_conn *conn, const struct gatt_write *write) {
    uint8_t answer[IMU_LONGEST_ANSWER_SIZE];
    sensor_lock();
    const size_t size = imu_device_request(sensor_device(), write->payload, write->size, write->received_us, answer,
                                           sizeof answer);
    sensor_unlock();
    const int err = size ? gatt_answer(conn, answer, size) : 0;
    if (err) {
        LOG_WRN("answer: %d", err); /* the connection is gone, or the host has unsubscribed */
    }
}

static void answer_time_sync(struct bt_conn *conn, const struct gatt_write *write) {
    struct imu_time_sync sync;
    uint8_t reply[IMU_TIME_SYNC_SIZE];
    if (imu_decode_time_sync(write->payload, write->size, &sync) != IMU_OK || sync.op != IMU_TIME_SYNC_REQUEST) {
        return;
    }
    sync.op = IMU_TIME_SYNC_REPLY;
    sync.device_received_us = write->received_us;
    sync.device_sent_us = sensor_now_us();
    (void)notify(conn, IMU_CHANNEL_TIME_SYNC, reply, imu_encode_time_sync(&sync, reply, sizeof reply));
}

/* One answer at a time: the next request waits until the host has confirmed the one before. */
static void answer_writes(struct bt_conn *conn) {
    struct gatt_write write;
    while (gatt_may_answer() && gatt_take_write(&write)) {
        if (write.channel == IMU_CHANNEL_CONTROL) {
            answer_request(conn, &write);
        } else {
            answer_time_sync(conn, &write);
        }
    }
}

/* --- notifications -------------------------------------------------------------------------------------------- */

static void note_subscriptions(struct bt_conn *conn) {
    static const enum imu_channel channels[] = {IMU_CHANNEL_CONFIG, IMU_CHANNEL_DATA, IMU_CHANNEL_BACKFILL};
    for (size_t i = 0; i < ARRAY_SIZE(channels); i++) {
        const bool on = gatt_is_subscribed(conn, channels[i]);
        sensor_lock();
        imu_device_subscribed(sensor_device(), channels[i], on);
        sensor_unlock();
    }
}

/* Sends all that may go now. */
static void send_notifications(struct bt_conn *conn) {
    static uint8_t payload[LONGEST_NOTIFICATION];
    enum imu_channel channel = IMU_CHANNEL_DATA;
    note_subscriptions(conn);
    for (;;) {
        const uint16_t mtu = MIN(bt_gatt_get_mtu(conn), LONGEST_NOTIFICATION + 3u);
        sensor_lock();
        const size_t size = imu_device_next(sensor_device(), mtu, &channel, payload, sizeof payload);
        sensor_unlock();
        if (size == 0) {
            return;
        }
        const int err = notify(conn, channel, payload, MIN(size, mtu - 3u));
        if (err) {
            sensor_lock();
            imu_device_take_back(sensor_device());
            sensor_unlock();
            if (err != -EAGAIN && err != -ENOTCONN) {
                k_msleep(RETRY_MS);
            }
            return;
        }
    }
}

static void send_status(struct bt_conn *conn) {
    uint8_t payload[IMU_STATUS_SIZE];
    battery_update();
    sensor_lock();
    sensor_device()->low_battery = battery_percent() < LOW_BATTERY_PERCENT;
    sensor_unlock();
    if (conn && gatt_is_subscribed(conn, IMU_CHANNEL_STATUS)) {
        (void)notify(conn, IMU_CHANNEL_STATUS, payload, sending_status(payload, sizeof payload));
    }
}

/* --- the thread ----------------------------------------------------------------------------------------------- */

static bool sleep_is_due(void) {
    sensor_lock();
    const bool wanted = sensor_device()->sleep_wanted;
    sensor_unlock();
    return wanted && gatt_may_answer(); /* the host has its answer */
}

static void switch_off(void) {
    link_end();
    k_msleep(1000);
    sensor_lock();
    chip_wake_on_motion();
    sys_poweroff();
}

static void send_for_ever(void *a, void *b, void *c) {
    ARG_UNUSED(a);
    ARG_UNUSED(b);
    ARG_UNUSED(c);
    int64_t status_due_ms = 0;
    for (;;) {
        (void)k_sem_take(&something_to_do, K_MSEC(IDLE_MS));
        struct bt_conn *conn = link_take();
        if (conn) {
            answer_writes(conn);
            send_notifications(conn);
        }
        if (k_uptime_get() >= status_due_ms) {
            status_due_ms = k_uptime_get() + 1000;
            send_status(conn);
        }
        if (conn) {
            bt_conn_unref(conn);
        }
        if (sleep_is_due()) {
            switch_off();
        }
    }
}

K_THREAD_DEFINE(sending, 3072, send_for_ever, NULL, NULL, NULL, 6, 0, 1000);
