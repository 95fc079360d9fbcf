/* The GATT service: reads, writes and notifications. */
#ifndef GATT_H
#define GATT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zephyr/bluetooth/conn.h>

#include "imu_device.h"

#define GATT_LONGEST_WRITE 64u

/* A write to Control or Time sync that waits for the sending thread. */
struct gatt_write {
    uint64_t received_us;
    enum imu_channel channel;
    uint8_t size;
    uint8_t payload[GATT_LONGEST_WRITE];
};

/* The oldest waiting write; false without one. */
bool gatt_take_write(struct gatt_write *write);

void gatt_forget_writes(void);

bool gatt_is_subscribed(struct bt_conn *conn, enum imu_channel channel);

/* `done` is called when the radio has taken it. 0, or a negative error. */
int gatt_notify(struct bt_conn *conn, enum imu_channel channel, const uint8_t *payload, size_t size,
                void (*done)(struct bt_conn *conn, void *nothing));

/* Indicate an answer; `payload` is copied. -EBUSY while the one before is not confirmed. */
int gatt_answer(struct bt_conn *conn, const uint8_t *payload, size_t size);

/* Whether an answer can be indicated now. */
bool gatt_may_answer(void);

void gatt_link_lost(void);

#endif
