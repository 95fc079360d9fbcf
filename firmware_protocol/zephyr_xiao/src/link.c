#include "link.h"

#include <stdio.h>
#include <string.h>
#include <zephyr/bluetooth/bluetooth.h>
#include <zephyr/bluetooth/hci.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/settings/settings.h>
#include <zephyr/sys/byteorder.h>

#include "gatt.h"
#include "imu_uuids.h"
#include "sending.h"
#include "sensor.h"

LOG_MODULE_REGISTER(link, LOG_LEVEL_INF);

/* Flags, one 128-bit UUID and 8 characters of name fill the 31 bytes of an advertisement. */
static char name[] = CONFIG_BT_DEVICE_NAME;
BUILD_ASSERT(sizeof name == sizeof "IMU-0000", "the name is a prefix of four characters and four digits");

static const struct bt_data advertisement[] = {
    BT_DATA_BYTES(BT_DATA_FLAGS, BT_LE_AD_GENERAL | BT_LE_AD_NO_BREDR),
    BT_DATA_BYTES(BT_DATA_UUID128_ALL, IMU_UUID_SERVICE),
    BT_DATA(BT_DATA_NAME_COMPLETE, name, sizeof name - 1),
};

static struct bt_conn *connection;
static K_MUTEX_DEFINE(connection_lock);
static atomic_t ending;

struct bt_conn *link_take(void) {
    k_mutex_lock(&connection_lock, K_FOREVER);
    struct bt_conn *conn = connection ? bt_conn_ref(connection) : NULL;
    k_mutex_unlock(&connection_lock);
    return conn;
}

static void advertise(struct k_work *work) {
    ARG_UNUSED(work);
    if (atomic_get(&ending)) {
        return;
    }
    const int err = bt_le_adv_start(BT_LE_ADV_CONN_FAST_1, advertisement, ARRAY_SIZE(advertisement), NULL, 0);
    if (err && err != -EALREADY) {
        LOG_ERR("advertising: %d", err);
    }
}

static K_WORK_DEFINE(advertising, advertise);

static void on_connected(struct bt_conn *conn, uint8_t err) {
    if (err) {
        LOG_WRN("connection failed: 0x%02x", err);
        k_work_submit(&advertising);
        return;
    }
    k_mutex_lock(&connection_lock, K_FOREVER);
    connection = bt_conn_ref(conn);
    k_mutex_unlock(&connection_lock);
    sensor_lock();
    imu_device_connected(sensor_device());
    sensor_unlock();
    sending_link_up();
}

static void on_disconnected(struct bt_conn *conn, uint8_t reason) {
    ARG_UNUSED(conn);
    LOG_INF("disconnected: 0x%02x", reason);
    k_mutex_lock(&connection_lock, K_FOREVER);
    if (connection) {
        bt_conn_unref(connection);
        connection = NULL;
    }
    k_mutex_unlock(&connection_lock);
    gatt_link_lost();
    sensor_lock();
    imu_device_disconnected(sensor_device(), sensor_now_us());
    sensor_unlock();
}

/* Only now is there room for the next connection. */
static void on_recycled(void) { k_work_submit(&advertising); }

static void on_security(struct bt_conn *conn, bt_security_t level, enum bt_security_err err) {
    ARG_UNUSED(conn);
    if (err) {
        LOG_WRN("pairing failed: %d", err);
    } else {
        LOG_INF("security level %d", level);
    }
}

BT_CONN_CB_DEFINE(callbacks) = {
    .connected = on_connected,
    .disconnected = on_disconnected,
    .recycled = on_recycled,
    .security_changed = on_security,
};

/* The chip's own id gives the serial number, and that the name. */
static void name_device(void) {
    uint8_t id[8] = {0};
    char serial[sizeof "XS000000"];
    if (hwinfo_get_device_id(id, sizeof id) < 0) {
        LOG_WRN("no device id");
    }
    const uint32_t number = sys_get_le32(id) % 1000000u;
    snprintf(serial, sizeof serial, "XS%06u", (unsigned)number);
    memcpy(name + 4, serial + sizeof serial - 5, 4);
    (void)settings_runtime_set("bt/dis/serial", serial, sizeof serial);
    (void)bt_set_name(name);
}

int link_init(void) {
    const int err = bt_enable(NULL);
    if (err) {
        return err;
    }
    if (settings_load()) {
        LOG_ERR("bonds cannot be loaded: pairing will be needed again");
        sending_storage_failed();
    }
    name_device();
    k_work_submit(&advertising);
    return 0;
}

void link_end(void) {
    atomic_set(&ending, 1);
    (void)bt_le_adv_stop();
    struct bt_conn *conn = link_take();
    if (conn) {
        (void)bt_conn_disconnect(conn, BT_HCI_ERR_REMOTE_USER_TERM_CONN);
        bt_conn_unref(conn);
    }
}
