/* Little-endian numbers in bytes, whatever the byte order and alignment rules of this machine. For the codec alone. */
#ifndef IMU_BYTES_H
#define IMU_BYTES_H

#include <stdint.h>
#include <string.h>

/* The low `size` bytes of `value`. */
static inline void imu_put(uint8_t *at, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8u * i));
    }
}

static inline uint64_t imu_get(const uint8_t *at, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)at[i] << (8u * i);
    }
    return value;
}

static inline uint16_t imu_get_u16(const uint8_t *at) { return (uint16_t)imu_get(at, 2); }

static inline uint32_t imu_get_u32(const uint8_t *at) { return (uint32_t)imu_get(at, 4); }

/* By bytes, because a conversion of 0x8000..0xffff to int16_t is left to each compiler by the standard. */
static inline int16_t imu_get_i16(const uint8_t *at) {
    uint16_t bits = imu_get_u16(at);
    int16_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int8_t imu_get_i8(const uint8_t *at) {
    int8_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline float imu_get_f32(const uint8_t *at) {
    uint32_t bits = imu_get_u32(at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void imu_put_f32(uint8_t *at, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    imu_put(at, bits, 4);
}

/* Whether the four bytes are a finite single-precision number above 0. */
static inline int imu_is_positive(const uint8_t *at) {
    uint32_t bits = imu_get_u32(at);
    return bits > 0 && bits < UINT32_C(0x7f800000);
}

#endif
