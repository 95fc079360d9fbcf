/* Records of fixed size: Info, Config, Status, Time sync. */
#include "imu_bytes.h"
#include "imu_protocol.h"

/* --- Info ----------------------------------------------------------------------------------------------------- */

size_t imu_encode_info(const struct imu_info *info, uint8_t *out, size_t room) {
    if (room < IMU_INFO_SIZE) {
        return 0;
    }
    out[0] = info->major;
    out[1] = info->minor;
    out[2] = info->most_samples_per_packet;
    out[3] = 0; /* reserved */
    imu_put(out + 4, info->capabilities, 4);
    imu_put(out + 8, info->buffer_samples, 4);
    imu_put(out + 12, info->boot_id, 8);
    return IMU_INFO_SIZE;
}

enum imu_result imu_decode_info(const uint8_t *payload, size_t size, struct imu_info *info) {
    if (size < IMU_INFO_SIZE) {
        return IMU_TOO_SHORT;
    }
    info->major = payload[0];
    info->minor = payload[1];
    info->most_samples_per_packet = payload[2];
    info->capabilities = imu_get_u32(payload + 4);
    info->buffer_samples = imu_get_u32(payload + 8);
    info->boot_id = imu_get(payload + 12, 8);
    return IMU_OK;
}

/* --- Config --------------------------------------------------------------------------------------------------- */

size_t imu_encode_config(const struct imu_config *config, uint8_t *out, size_t room) {
    if (room < IMU_CONFIG_SIZE) {
        return 0;
    }
    out[0] = config->epoch;
    out[1] = config->axis_frame;
    out[2] = config->filter_id;
    out[3] = 0; /* reserved */
    imu_put(out + 4, config->nominal_rate_dhz, 2);
    imu_put(out + 6, config->acceleration_range_g, 2);
    imu_put(out + 8, config->angular_velocity_range_dps, 2);
    imu_put(out + 10, config->calibration_id, 2);
    imu_put_f32(out + 12, config->measured_rate_hz);
    imu_put_f32(out + 16, config->acceleration_scale_m_s2);
    imu_put_f32(out + 20, config->angular_velocity_scale_rad_s);
    return IMU_CONFIG_SIZE;
}

enum imu_result imu_decode_config(const uint8_t *payload, size_t size, struct imu_config *config) {
    if (size < IMU_CONFIG_SIZE) {
        return IMU_TOO_SHORT;
    }
    const uint32_t measured_bits = imu_get_u32(payload + 12);
    const int measured = (measured_bits << 1) != 0; /* neither 0 nor -0 */
    if (imu_get_u16(payload + 4) == 0 || !imu_is_positive(payload + 16) || !imu_is_positive(payload + 20) ||
        (measured && !imu_is_positive(payload + 12))) {
        return IMU_NOT_POSITIVE;
    }
    config->epoch = payload[0];
    config->axis_frame = payload[1];
    config->filter_id = payload[2];
    config->nominal_rate_dhz = imu_get_u16(payload + 4);
    config->acceleration_range_g = imu_get_u16(payload + 6);
    config->angular_velocity_range_dps = imu_get_u16(payload + 8);
    config->calibration_id = imu_get_u16(payload + 10);
    config->measured_rate_hz = measured ? imu_get_f32(payload + 12) : 0.0f;
    config->acceleration_scale_m_s2 = imu_get_f32(payload + 16);
    config->angular_velocity_scale_rad_s = imu_get_f32(payload + 20);
    return IMU_OK;
}

/* --- Status --------------------------------------------------------------------------------------------------- */

size_t imu_encode_status(const struct imu_status *status, uint8_t *out, size_t room) {
    if (room < IMU_STATUS_SIZE) {
        return 0;
    }
    out[0] = status->faults;
    out[1] = (uint8_t)status->rssi_dbm;
    imu_put(out + 2, status->battery_mv, 2);
    imu_put(out + 4, (uint16_t)status->temperature_cdeg, 2);
    imu_put(out + 6, status->queue_high_water_samples, 2);
    imu_put(out + 8, status->samples_dropped, 4);
    imu_put(out + 12, status->samples_lost, 4);
    imu_put(out + 16, status->uptime_s, 4);
    return IMU_STATUS_SIZE;
}

enum imu_result imu_decode_status(const uint8_t *payload, size_t size, struct imu_status *status) {
    if (size < IMU_STATUS_SIZE) {
        return IMU_TOO_SHORT;
    }
    status->faults = payload[0];
    status->rssi_dbm = imu_get_i8(payload + 1);
    status->battery_mv = imu_get_u16(payload + 2);
    status->temperature_cdeg = imu_get_i16(payload + 4);
    status->queue_high_water_samples = imu_get_u16(payload + 6);
    status->samples_dropped = imu_get_u32(payload + 8);
    status->samples_lost = imu_get_u32(payload + 12);
    status->uptime_s = imu_get_u32(payload + 16);
    return IMU_OK;
}

/* --- Time sync ------------------------------------------------------------------------------------------------ */

size_t imu_encode_time_sync(const struct imu_time_sync *time_sync, uint8_t *out, size_t room) {
    if (room < IMU_TIME_SYNC_SIZE) {
        return 0;
    }
    out[0] = IMU_TIME_SYNC_VERSION;
    out[1] = time_sync->op;
    imu_put(out + 2, time_sync->sequence, 2);
    imu_put(out + 4, time_sync->host_sent_us, 8);
    imu_put(out + 12, time_sync->device_received_us, 8);
    imu_put(out + 20, time_sync->device_sent_us, 8);
    return IMU_TIME_SYNC_SIZE;
}

enum imu_result imu_decode_time_sync(const uint8_t *payload, size_t size, struct imu_time_sync *time_sync) {
    if (size < IMU_TIME_SYNC_SIZE) {
        return IMU_TOO_SHORT;
    }
    if (payload[0] != IMU_TIME_SYNC_VERSION) {
        return IMU_UNKNOWN_VERSION;
    }
    if (payload[1] != IMU_TIME_SYNC_REQUEST && payload[1] != IMU_TIME_SYNC_REPLY) {
        return IMU_UNKNOWN_TYPE;
    }
    time_sync->op = payload[1];
    time_sync->sequence = imu_get_u16(payload + 2);
    time_sync->host_sent_us = imu_get(payload + 4, 8);
    time_sync->device_received_us = imu_get(payload + 12, 8);
    time_sync->device_sent_us = imu_get(payload + 20, 8);
    return IMU_OK;
}
