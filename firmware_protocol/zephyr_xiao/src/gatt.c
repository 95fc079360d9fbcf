#include "gatt.h"

#include <string.h>
#include <zephyr/bluetooth/att.h>
#include <zephyr/bluetooth/gatt.h>
#include <zephyr/kernel.h>

#include "imu_uuids.h"
#include "sending.h"
#include "sensor.h"

#ifdef CONFIG_IMU_OPEN_LAB
#define MAY_READ BT_GATT_PERM_READ
#define MAY_WRITE BT_GATT_PERM_WRITE
#else
#define MAY_READ BT_GATT_PERM_READ_ENCRYPT
#define MAY_WRITE BT_GATT_PERM_WRITE_ENCRYPT
#endif

static const struct bt_uuid_128 service_uuid = BT_UUID_INIT_128(IMU_UUID_SERVICE);
static const struct bt_uuid_128 info_uuid = BT_UUID_INIT_128(IMU_UUID_INFO);
static const struct bt_uuid_128 uuids[] = {
    [IMU_CHANNEL_CONFIG] = BT_UUID_INIT_128(IMU_UUID_CONFIG),
    [IMU_CHANNEL_CONTROL] = BT_UUID_INIT_128(IMU_UUID_CONTROL),
    [IMU_CHANNEL_DATA] = BT_UUID_INIT_128(IMU_UUID_DATA),
    [IMU_CHANNEL_BACKFILL] = BT_UUID_INIT_128(IMU_UUID_BACKFILL),
    [IMU_CHANNEL_STATUS] = BT_UUID_INIT_128(IMU_UUID_STATUS),
    [IMU_CHANNEL_TIME_SYNC] = BT_UUID_INIT_128(IMU_UUID_TIME_SYNC),
};

/* Requests and time syncs are carried out in the sending thread, as the chip's bus is slow: here they only wait. */
K_MSGQ_DEFINE(gatt_writes, sizeof(struct gatt_write), 4, 8);

static atomic_t answering;

static ssize_t read_info(struct bt_conn *conn, const struct bt_gatt_attr *attr, void *buf, uint16_t len,
                         uint16_t offset) {
    uint8_t payload[IMU_INFO_SIZE];
    sensor_lock();
    const size_t size = imu_device_info(sensor_device(), payload, sizeof payload);
    sensor_unlock();
    return bt_gatt_attr_read(conn, attr, buf, len, offset, payload, (uint16_t)size);
}

static ssize_t read_config(struct bt_conn *conn, const struct bt_gatt_attr *attr, void *buf, uint16_t len,
                           uint16_t offset) {
    uint8_t payload[IMU_CONFIG_SIZE];
    sensor_lock();
    const size_t size = imu_device_config(sensor_device(), payload, sizeof payload);
    sensor_unlock();
    return bt_gatt_attr_read(conn, attr, buf, len, offset, payload, (uint16_t)size);
}

static ssize_t read_status(struct bt_conn *conn, const struct bt_gatt_attr *attr, void *buf, uint16_t len,
                           uint16_t offset) {
    uint8_t payload[IMU_STATUS_SIZE];
    const size_t size = sending_status(payload, sizeof payload);
    return bt_gatt_attr_read(conn, attr, buf, len, offset, payload, (uint16_t)size);
}

static ssize_t put(enum imu_channel channel, const void *buf, uint16_t len) {
    struct gatt_write write = {.received_us = sensor_now_us(), .channel = channel, .size = (uint8_t)len};
    memcpy(write.payload, buf, len);
    if (k_msgq_put(&gatt_writes, &write, K_NO_WAIT)) {
        return BT_GATT_ERR(BT_ATT_ERR_PROCEDURE_IN_PROGRESS);
    }
    sending_wake();
    return len;
}

static ssize_t write_control(struct bt_conn *conn, const struct bt_gatt_attr *attr, const void *buf, uint16_t len,
                             uint16_t offset, uint8_t flags) {
    ARG_UNUSED(attr);
    ARG_UNUSED(flags);
    if (offset != 0 || len < 2 || len > GATT_LONGEST_WRITE) {
        return BT_GATT_ERR(BT_ATT_ERR_INVALID_ATTRIBUTE_LEN);
    }
    if (!gatt_is_subscribed(conn, IMU_CHANNEL_CONTROL)) {
        return BT_GATT_ERR(BT_ATT_ERR_CCC_IMPROPER_CONF);
    }
    return put(IMU_CHANNEL_CONTROL, buf, len);
}

static ssize_t write_time_sync(struct bt_conn *conn, const struct bt_gatt_attr *attr, const void *buf, uint16_t len,
                               uint16_t offset, uint8_t flags) {
    ARG_UNUSED(conn);
    ARG_UNUSED(attr);
    ARG_UNUSED(flags);
    if (offset != 0 || len < IMU_TIME_SYNC_SIZE || len > GATT_LONGEST_WRITE) {
        return BT_GATT_ERR(BT_ATT_ERR_INVALID_ATTRIBUTE_LEN);
    }
    return put(IMU_CHANNEL_TIME_SYNC, buf, len);
}

/* Subscriptions are read with bt_gatt_is_subscribed(): a bonded host's subscriptions come back with the
 * connection, and then nothing changes when it subscribes again. */
static void on_subscription(const struct bt_gatt_attr *attr, uint16_t value) {
    ARG_UNUSED(attr);
    ARG_UNUSED(value);
    sending_wake();
}

#define SUBSCRIPTION BT_GATT_CCC(on_subscription, BT_GATT_PERM_READ | MAY_WRITE)
#define UUID(channel) &uuids[channel].uuid

BT_GATT_SERVICE_DEFINE(
    imu_service, BT_GATT_PRIMARY_SERVICE(&service_uuid),
    BT_GATT_CHARACTERISTIC(&info_uuid.uuid, BT_GATT_CHRC_READ, MAY_READ, read_info, NULL, NULL),
    BT_GATT_CHARACTERISTIC(UUID(IMU_CHANNEL_CONFIG), BT_GATT_CHRC_READ | BT_GATT_CHRC_NOTIFY, MAY_READ, read_config,
                           NULL, NULL),
    SUBSCRIPTION,
    BT_GATT_CHARACTERISTIC(UUID(IMU_CHANNEL_CONTROL), BT_GATT_CHRC_WRITE | BT_GATT_CHRC_INDICATE, MAY_WRITE, NULL,
                           write_control, NULL),
    SUBSCRIPTION,
    BT_GATT_CHARACTERISTIC(UUID(IMU_CHANNEL_DATA), BT_GATT_CHRC_NOTIFY, BT_GATT_PERM_NONE, NULL, NULL, NULL),
    SUBSCRIPTION,
    BT_GATT_CHARACTERISTIC(UUID(IMU_CHANNEL_BACKFILL), BT_GATT_CHRC_NOTIFY, BT_GATT_PERM_NONE, NULL, NULL, NULL),
    SUBSCRIPTION,
    BT_GATT_CHARACTERISTIC(UUID(IMU_CHANNEL_STATUS), BT_GATT_CHRC_READ | BT_GATT_CHRC_NOTIFY, MAY_READ, read_status,
                           NULL, NULL),
    SUBSCRIPTION,
    BT_GATT_CHARACTERISTIC(UUID(IMU_CHANNEL_TIME_SYNC), BT_GATT_CHRC_WRITE_WITHOUT_RESP | BT_GATT_CHRC_NOTIFY,
                           MAY_WRITE, NULL, write_time_sync, NULL),
    SUBSCRIPTION, );

static const struct bt_gatt_attr *value_of(enum imu_channel channel) {
    return bt_gatt_find_by_uuid(imu_service.attrs, (uint16_t)imu_service.attr_count, &uuids[channel].uuid);
}

bool gatt_take_write(struct gatt_write *write) { return k_msgq_get(&gatt_writes, write, K_NO_WAIT) == 0; }

void gatt_forget_writes(void) { k_msgq_purge(&gatt_writes); }

bool gatt_is_subscribed(struct bt_conn *conn, enum imu_channel channel) {
    const uint16_t how = channel == IMU_CHANNEL_CONTROL ? BT_GATT_CCC_INDICATE : BT_GATT_CCC_NOTIFY;
    return bt_gatt_is_subscribed(conn, value_of(channel), how);
}

int gatt_notify(struct bt_conn *conn, enum imu_channel channel, const uint8_t *payload, size_t size,
                void (*done)(struct bt_conn *conn, void *nothing)) {
    struct bt_gatt_notify_params params = {
        .attr = value_of(channel), .data = payload, .len = (uint16_t)size, .func = done};
    return bt_gatt_notify_cb(conn, &params);
}

static void on_confirmed(struct bt_conn *conn, struct bt_gatt_indicate_params *params, uint8_t err) {
    ARG_UNUSED(conn);
    ARG_UNUSED(params);
    ARG_UNUSED(err);
}

static void on_answered(struct bt_gatt_indicate_params *params) {
    ARG_UNUSED(params);
    atomic_clear(&answering);
    sending_wake();
}

int gatt_answer(struct bt_conn *conn, const uint8_t *payload, size_t size) {
    /* Zephyr keeps the parameters until `destroy`, and the payload until it is sent. */
    static struct bt_gatt_indicate_params params;
    static uint8_t kept[IMU_LONGEST_ANSWER_SIZE];
    if (!atomic_cas(&answering, 0, 1)) {
        return -EBUSY;
    }
    memcpy(kept, payload, size);
    params = (struct bt_gatt_indicate_params){.attr = value_of(IMU_CHANNEL_CONTROL),
                                              .func = on_confirmed,
                                              .destroy = on_answered,
                                              .data = kept,
                                              .len = (uint16_t)size};
    const int err = bt_gatt_indicate(conn, &params);
    if (err) {
        atomic_clear(&answering);
    }
    return err;
}

bool gatt_may_answer(void) { return atomic_get(&answering) == 0; }

void gatt_link_lost(void) { gatt_forget_writes(); }
