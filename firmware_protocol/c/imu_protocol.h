/* The records of ../PROTOCOL.md <-> C values. Portable C99: no allocation, no operating system, no state.
 *
 * Every decoder takes any bytes: it says IMU_OK, or why not and leaves the value untouched. Records longer than known
 * here are accepted and their end is ignored. Every encoder says how many bytes it wrote: 0 if they do not fit into
 * `room`. Names are those of the document; a unit ends the name of every number.
 */
#ifndef IMU_PROTOCOL_H
#define IMU_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IMU_PROTOCOL_MAJOR 1u
#define IMU_PROTOCOL_MINOR 0u

/* Sizes of the records in bytes. */
#define IMU_PACKET_HEADER_SIZE 14u
#define IMU_COMPACT_HEADER_SIZE 8u
#define IMU_SAMPLE_SIZE 12u
/* A packet spans at most this time, ms: the first sample of a live one waits for the last. */
#define IMU_LIVE_MS 50u
#define IMU_RESENT_MS 100u
#define IMU_INFO_SIZE 20u
#define IMU_CONFIG_SIZE 24u
#define IMU_STATUS_SIZE 20u
#define IMU_TIME_SYNC_SIZE 28u
/* An answer with all fields that there are: the longest that can be. */
#define IMU_LONGEST_ANSWER_SIZE 48u

/* What a decoder says. */
enum imu_result {
    IMU_OK = 0,
    IMU_TOO_SHORT,
    IMU_UNKNOWN_VERSION,
    IMU_UNKNOWN_TYPE,
    IMU_NOT_POSITIVE,
    IMU_FIELD_CUT_OFF,
    IMU_FIELD_TOO_SHORT,
    IMU_ANSWER_NOT_REQUEST,
    IMU_REQUEST_NOT_ANSWER,
    /* Not the sender's fault: the packet has more samples than the caller has room for. */
    IMU_NO_ROOM
};

/* The document's sentence for a result. */
const char *imu_result_text(enum imu_result result);

/* --- packets of samples: Data, Backfill ----------------------------------------------------------------------- */

enum imu_packet_kind { IMU_LIVE = 1, IMU_BACKFILL = 2, IMU_COMPACT = 4 };

enum imu_packet_flags {
    IMU_ACCELERATION_SATURATED = 1,
    IMU_ANGULAR_VELOCITY_SATURATED = 2,
    IMU_SAMPLES_DROPPED = 4,
    IMU_CLOCK_STEPPED = 8,
    IMU_LOW_BATTERY = 16
};

struct imu_sample {
    int16_t acceleration[3];     /* x y z, counts; m/s2 by imu_config.acceleration_scale_m_s2 */
    int16_t angular_velocity[3]; /* x y z, counts; rad/s by imu_config.angular_velocity_scale_rad_s */
};

struct imu_packet {
    uint8_t kind;            /* enum imu_packet_kind */
    uint8_t flags;           /* enum imu_packet_flags */
    uint8_t epoch;           /* which configuration, origin of the index and clock */
    uint8_t samples;         /* how many; they are kept beside this struct */
    uint32_t first_index;    /* of the first sample, in samples of this epoch; low 16 bits if compact */
    uint64_t device_time_us; /* of the first sample, 48 bits; whole ms modulo 65.536 s if compact */
};

/* Saturation flags of samples: those with a value at either end of int16. */
uint8_t imu_saturation(const struct imu_sample *samples, size_t count);

/* How many samples to put into a packet: as many as fit into the ATT MTU, but at most `longest_ms` of them; 0 if not even
 * one fits (an MTU below 29): then send compact packets of one sample. */
uint8_t imu_samples_per_packet(uint16_t mtu, uint16_t nominal_rate_dhz, uint8_t longest_ms);

size_t imu_encode_packet(const struct imu_packet *packet, const struct imu_sample *samples, uint8_t *out, size_t room);
enum imu_result imu_decode_packet(const uint8_t *payload, size_t size, struct imu_packet *packet,
                                  struct imu_sample *samples, size_t room_in_samples);

/* --- Info ----------------------------------------------------------------------------------------------------- */

enum imu_capabilities {
    IMU_CAN_RESEND = 1,
    IMU_CAN_COMPACT = 2,
    IMU_CAN_TIME_SYNC = 4,
    IMU_CAN_IDENTIFY = 8,
    IMU_CAN_SLEEP = 16,
    IMU_CAN_BATTERY = 32,
    IMU_IS_OPEN_LAB = 64
};

struct imu_info {
    uint8_t major;
    uint8_t minor;
    uint8_t most_samples_per_packet;
    uint32_t capabilities; /* enum imu_capabilities */
    uint32_t buffer_samples;
    uint64_t boot_id; /* random at each boot */
};

size_t imu_encode_info(const struct imu_info *info, uint8_t *out, size_t room);
enum imu_result imu_decode_info(const uint8_t *payload, size_t size, struct imu_info *info);

/* --- Config --------------------------------------------------------------------------------------------------- */

struct imu_config {
    uint8_t epoch;
    uint8_t axis_frame;
    uint8_t filter_id;
    uint16_t nominal_rate_dhz; /* 0.1 Hz */
    uint16_t acceleration_range_g;
    uint16_t angular_velocity_range_dps;
    uint16_t calibration_id;
    float measured_rate_hz; /* 0: none yet */
    float acceleration_scale_m_s2;
    float angular_velocity_scale_rad_s;
};

size_t imu_encode_config(const struct imu_config *config, uint8_t *out, size_t room);
enum imu_result imu_decode_config(const uint8_t *payload, size_t size, struct imu_config *config);

/* --- Control: requests and answers ---------------------------------------------------------------------------- */

enum imu_op {
    IMU_SET_CONFIG = 1,
    IMU_START = 2,
    IMU_STOP = 3,
    IMU_RESEND = 4,
    IMU_IDENTIFY = 5,
    IMU_MARK = 6,
    IMU_SET_TIME = 7,
    IMU_SLEEP = 8
};

enum imu_answer_status {
    IMU_STATUS_OK = 0,
    IMU_STATUS_UNKNOWN_OP = 1,
    IMU_STATUS_MISSING_FIELD = 2,
    IMU_STATUS_OUT_OF_RANGE = 3,
    IMU_STATUS_BUSY = 4,
    IMU_STATUS_NOT_AVAILABLE = 5,
    IMU_STATUS_NOT_RUNNING = 6,
    IMU_STATUS_SENSOR_FAILED = 7
};

enum imu_tag {
    IMU_TAG_EPOCH = 1,
    IMU_TAG_NOMINAL_RATE = 2,
    IMU_TAG_ACCELERATION_RANGE = 3,
    IMU_TAG_ANGULAR_VELOCITY_RANGE = 4,
    IMU_TAG_FIRST_INDEX = 5,
    IMU_TAG_COUNT = 6,
    IMU_TAG_DEVICE_TIME = 7,
    IMU_TAG_HOST_TIME = 8
};

/* The bit in imu_fields.present that says that the field of this tag is there. */
#define IMU_HAS(tag) (1u << (unsigned)(tag))

struct imu_fields {
    unsigned present; /* IMU_HAS(tag) of each field that is there; the others mean nothing */
    uint8_t epoch;
    uint16_t nominal_rate_dhz;
    uint16_t acceleration_range_g;
    uint16_t angular_velocity_range_dps;
    uint32_t first_index;
    uint32_t count;
    uint64_t device_time_us; /* 48 bits */
    uint64_t host_time_us;
};

struct imu_request {
    uint8_t op; /* enum imu_op, or one that is not known here */
    uint8_t request_id;
    struct imu_fields fields;
};

struct imu_answer {
    uint8_t op; /* the request's, without the answer bit */
    uint8_t request_id;
    uint8_t status; /* enum imu_answer_status */
    struct imu_fields fields;
};

size_t imu_encode_request(const struct imu_request *request, uint8_t *out, size_t room);
enum imu_result imu_decode_request(const uint8_t *payload, size_t size, struct imu_request *request);
size_t imu_encode_answer(const struct imu_answer *answer, uint8_t *out, size_t room);
enum imu_result imu_decode_answer(const uint8_t *payload, size_t size, struct imu_answer *answer);

/* --- Status --------------------------------------------------------------------------------------------------- */

enum imu_faults { IMU_SENSOR_SILENT = 1, IMU_FIFO_OVERRUN = 2, IMU_STORAGE_FAILED = 4 };

#define IMU_RSSI_UNKNOWN 127
#define IMU_BATTERY_UNKNOWN 0
#define IMU_TEMPERATURE_UNKNOWN (-32768)

struct imu_status {
    uint8_t faults; /* enum imu_faults */
    int8_t rssi_dbm;
    uint16_t battery_mv;
    int16_t temperature_cdeg; /* 0.01 degree Celsius */
    uint16_t queue_high_water_samples;
    uint32_t samples_dropped;
    uint32_t samples_lost;
    uint32_t uptime_s;
};

size_t imu_encode_status(const struct imu_status *status, uint8_t *out, size_t room);
enum imu_result imu_decode_status(const uint8_t *payload, size_t size, struct imu_status *status);

/* --- Time sync ------------------------------------------------------------------------------------------------ */

#define IMU_TIME_SYNC_VERSION 1u

enum imu_time_sync_op { IMU_TIME_SYNC_REQUEST = 1, IMU_TIME_SYNC_REPLY = 2 };

struct imu_time_sync {
    uint8_t op; /* enum imu_time_sync_op */
    uint16_t sequence;
    uint64_t host_sent_us;
    uint64_t device_received_us;
    uint64_t device_sent_us;
};

size_t imu_encode_time_sync(const struct imu_time_sync *time_sync, uint8_t *out, size_t room);
enum imu_result imu_decode_time_sync(const uint8_t *payload, size_t size, struct imu_time_sync *time_sync);

#ifdef __cplusplus
}
#endif

#endif
