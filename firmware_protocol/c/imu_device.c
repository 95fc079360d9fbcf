/* A sensor apart from its hardware: epochs, samples, and the order of packets. Requests are in imu_requests.c. */
#include "imu_device.h"

#include <string.h>

#include "imu_epoch.h"

/* A rate is sent again after a change of 1 part in this. */
#define RATE_STEPS 2000.0f

static uint32_t add_up_to_end(uint32_t a, uint32_t b) { return b > UINT32_MAX - a ? UINT32_MAX : a + b; }

static bool is_subscribed(const struct imu_device *device, enum imu_channel channel) {
    return (device->subscriptions >> (unsigned)channel & 1u) != 0;
}

bool imu_device_init(struct imu_device *device, const struct imu_hardware *hardware, const struct imu_info *info,
                     const struct imu_config *config, struct imu_slot *slots, uint8_t *present, uint32_t capacity) {
    memset(device, 0, sizeof *device);
    device->hardware = *hardware;
    device->info = *info;
    device->info.buffer_samples = capacity;
    if (device->info.most_samples_per_packet > IMU_MOST_SAMPLES_PER_PACKET) {
        device->info.most_samples_per_packet = IMU_MOST_SAMPLES_PER_PACKET;
    }
    device->config = *config;
    device->config.epoch = (uint8_t)info->boot_id;
    imu_ring_init(&device->ring, slots, present, capacity);
    if (!hardware->choose(hardware->context, &device->config)) {
        return false;
    }
    imu_begin_epoch(device);
    return true;
}

void imu_begin_epoch(struct imu_device *device) {
    device->samples_dropped = add_up_to_end(device->samples_dropped, device->live.samples_dropped);
    device->samples_lost = add_up_to_end(device->samples_lost, device->ring.samples_lost);
    device->config.epoch++;
    device->config.measured_rate_hz = 0.0f;
    device->config_changed = true;
    device->resending = false;
    device->can_take_back = false;
    device->queue_high_water_samples = 0;
    imu_ring_clear(&device->ring);
    imu_timing_begin(&device->timing, device->config.nominal_rate_dhz);
    imu_cursor_set(&device->live, 0, UINT32_MAX);
}

void imu_device_connected(struct imu_device *device) {
    device->connected = true;
    device->subscriptions = 0;
}

void imu_device_disconnected(struct imu_device *device, uint64_t now_us) {
    device->connected = false;
    device->subscriptions = 0;
    device->resending = false;
    device->can_take_back = false;
    device->alone_since_us = now_us;
}

void imu_device_subscribed(struct imu_device *device, enum imu_channel channel, bool on) {
    const unsigned bit = 1u << (unsigned)channel;
    const bool was_on = is_subscribed(device, channel);
    device->subscriptions = on ? device->subscriptions | bit : device->subscriptions & ~bit;
    if (on && !was_on && channel == IMU_CHANNEL_DATA) {
        device->samples_dropped = add_up_to_end(device->samples_dropped, device->live.samples_dropped);
        imu_cursor_set(&device->live, device->ring.next_index, UINT32_MAX);
        device->can_take_back = false;
    }
}

/* --- samples in ----------------------------------------------------------------------------------------------- */

static void keep(struct imu_device *device, uint64_t time_us, const struct imu_sample *sample) {
    if (!imu_ring_push(&device->ring, time_us, sample)) {
        imu_begin_epoch(device); /* the index is used up */
        imu_ring_push(&device->ring, time_us, sample);
    }
}

static void send_rate(struct imu_device *device) {
    const float rate_hz = imu_timing_rate_hz(&device->timing);
    const float change_hz = rate_hz - device->config.measured_rate_hz;
    if ((change_hz < 0.0f ? -change_hz : change_hz) * RATE_STEPS > rate_hz) {
        device->config.measured_rate_hz = rate_hz;
        device->config_changed = true;
    }
}

static void note_queue(struct imu_device *device) {
    const uint32_t waiting = imu_cursor_waiting(&device->live, &device->ring);
    if (is_subscribed(device, IMU_CHANNEL_DATA) && waiting > device->queue_high_water_samples) {
        device->queue_high_water_samples = (uint16_t)(waiting < UINT16_MAX ? waiting : UINT16_MAX);
    }
}

void imu_device_samples(struct imu_device *device, uint64_t ready_us, uint32_t reference,
                        const struct imu_sample *samples, uint32_t count, bool after_overrun) {
    if (!device->running || count == 0) {
        return;
    }
    if (!device->connected && ready_us - device->alone_since_us > IMU_ALONE_US) {
        device->hardware.end(device->hardware.context);
        device->running = false;
        return;
    }
    const uint32_t lost = after_overrun ? imu_timing_lost(&device->timing, ready_us, reference) : 0u;
    device->fifo_has_overrun = device->fifo_has_overrun || after_overrun;
    if (!imu_ring_skip(&device->ring, lost)) {
        imu_begin_epoch(device);
    }
    const uint64_t first_us = imu_timing_batch(&device->timing, ready_us, reference, count, lost);
    for (uint32_t i = 0; i < count; i++) {
        keep(device, imu_timing_of(&device->timing, first_us, i), &samples[i]);
    }
    note_queue(device);
    send_rate(device);
}

/* --- packets out ---------------------------------------------------------------------------------------------- */

/* Takes a packet from a cursor; returns its size, 0 without one. */
static size_t take(struct imu_device *device, struct imu_cursor *cursor, enum imu_channel channel, uint8_t kind,
                   uint8_t most, uint8_t *out, size_t room) {
    struct imu_packet packet = {.kind = kind, .epoch = device->config.epoch};
    struct imu_sample samples[IMU_MOST_SAMPLES_PER_PACKET];
    const struct imu_cursor before = *cursor;
    if (imu_cursor_take(cursor, &device->ring, most, &packet, samples) == 0) {
        return 0;
    }
    packet.flags |= device->low_battery ? IMU_LOW_BATTERY : 0u;
    device->before_taking = before;
    device->taken_from = channel;
    device->can_take_back = true;
    return imu_encode_packet(&packet, samples, out, room);
}

static size_t next_live(struct imu_device *device, uint8_t most, bool compact, uint8_t *out, size_t room) {
    imu_cursor_pass_holes(&device->live, &device->ring);
    const uint32_t waiting = imu_cursor_waiting(&device->live, &device->ring);
    const uint32_t longest_wait = device->config.nominal_rate_dhz * IMU_LONGEST_WAIT_S / 10u + most;
    if (waiting > longest_wait) {
        imu_cursor_drop_until(&device->live, device->ring.next_index - most);
    }
    if (waiting == 0 || (waiting < most && device->running)) {
        return 0;
    }
    return take(device, &device->live, IMU_CHANNEL_DATA, compact ? IMU_COMPACT : IMU_LIVE, most, out, room);
}

static size_t next_resent(struct imu_device *device, uint8_t most, uint8_t *out, size_t room) {
    const size_t size = take(device, &device->backfill, IMU_CHANNEL_BACKFILL, IMU_BACKFILL, most, out, room);
    if (size > 0) {
        return size;
    }
    const struct imu_packet end = {
        .kind = IMU_BACKFILL, .epoch = device->config.epoch, .first_index = device->backfill.end_index};
    device->before_taking = device->backfill;
    device->taken_from = IMU_CHANNEL_BACKFILL;
    device->can_take_back = true;
    device->resending = false;
    return imu_encode_packet(&end, NULL, out, room);
}

static uint8_t samples_in(const struct imu_device *device, uint16_t mtu, uint8_t longest_ms) {
    const uint8_t fit = imu_samples_per_packet(mtu, device->config.nominal_rate_dhz, longest_ms);
    return fit < device->info.most_samples_per_packet ? fit : device->info.most_samples_per_packet;
}

size_t imu_device_next(struct imu_device *device, uint16_t mtu, enum imu_channel *channel, uint8_t *out, size_t room) {
    size_t size = 0;
    device->can_take_back = false;
    if (device->config_changed && is_subscribed(device, IMU_CHANNEL_CONFIG)) {
        *channel = IMU_CHANNEL_CONFIG;
        device->config_changed = false;
        device->taken_from = IMU_CHANNEL_CONFIG;
        device->can_take_back = true;
        return imu_device_config(device, out, room);
    }
    if (is_subscribed(device, IMU_CHANNEL_DATA)) {
        *channel = IMU_CHANNEL_DATA;
        const uint8_t most = samples_in(device, mtu, IMU_LIVE_MS);
        size = next_live(device, most > 0 ? most : 1u, most == 0, out, room);
    }
    const uint8_t resent = samples_in(device, mtu, IMU_RESENT_MS);
    if (size == 0 && device->resending && resent > 0 && is_subscribed(device, IMU_CHANNEL_BACKFILL)) {
        *channel = IMU_CHANNEL_BACKFILL;
        size = next_resent(device, resent, out, room);
    }
    return size;
}

void imu_device_take_back(struct imu_device *device) {
    if (!device->can_take_back) {
        return; /* what it was taken from has ended meanwhile */
    }
    device->can_take_back = false;
    if (device->taken_from == IMU_CHANNEL_CONFIG) {
        device->config_changed = true;
    } else if (device->taken_from == IMU_CHANNEL_DATA) {
        device->live = device->before_taking;
    } else {
        device->backfill = device->before_taking;
        device->resending = true;
    }
}

/* --- what can be read ----------------------------------------------------------------------------------------- */

size_t imu_device_info(const struct imu_device *device, uint8_t *out, size_t room) {
    return imu_encode_info(&device->info, out, room);
}

size_t imu_device_config(const struct imu_device *device, uint8_t *out, size_t room) {
    return imu_encode_config(&device->config, out, room);
}

size_t imu_device_status(const struct imu_device *device, uint64_t now_us, struct imu_status *status, uint8_t *out,
                         size_t room) {
    status->faults = (uint8_t)(status->faults | (device->fifo_has_overrun ? IMU_FIFO_OVERRUN : 0u));
    status->queue_high_water_samples = device->queue_high_water_samples;
    status->samples_dropped = add_up_to_end(device->samples_dropped, device->live.samples_dropped);
    status->samples_lost = add_up_to_end(device->samples_lost, device->ring.samples_lost);
    status->uptime_s = (uint32_t)(now_us / 1000000u);
    return imu_encode_status(status, out, room);
}
