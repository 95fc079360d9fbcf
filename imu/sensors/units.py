"""From the numbers in packets to SI, and which values a body-worn sensor can report at all.

The one place where vendors' units are turned into SI. Refuses to know packets.
"""

from __future__ import annotations

import math

import numpy as np

from imu.samples import STANDARD_GRAVITY_M_S2, Array

M_S2_PER_G = STANDARD_GRAVITY_M_S2
RAD_S_PER_DPS = math.pi / 180.0

MOST_ACCELERATION_M_S2 = 16 * M_S2_PER_G * 1.1
"""All sensors here end at ±16 g; a tenth more for calibrated scales. More in a packet is no measurement."""
MOST_ANGULAR_VELOCITY_RAD_S = 2000 * RAD_S_PER_DPS * 1.2
"""All sensors here end at ±2000 °/s; parts of ST count 70 m°/s, so their ±2000 °/s end at 2294 °/s."""


def int16_triples(payload: bytes) -> Array:
    """Return little-endian 16-bit integers as rows of three, (n, 3); `payload` holds whole rows."""
    return np.frombuffer(payload, "<i2").astype(np.float64).reshape(-1, 3)


def float32_triples(payload: bytes) -> Array:
    """Return little-endian 32-bit floats as rows of three, (n, 3); `payload` holds whole rows."""
    with np.errstate(invalid="ignore"):  # any bytes at all, signalling NaN too
        return np.frombuffer(payload, "<f4").astype(np.float64).reshape(-1, 3)


def is_possible_acceleration(acceleration_m_s2: Array) -> bool:
    """Return whether a sensor can have measured every row; not a number is never possible."""
    return bool((np.abs(acceleration_m_s2) <= MOST_ACCELERATION_M_S2).all())


def is_possible_angular_velocity(angular_velocity_rad_s: Array) -> bool:
    """Return whether a sensor can have measured every row; not a number is never possible."""
    return bool((np.abs(angular_velocity_rad_s) <= MOST_ANGULAR_VELOCITY_RAD_S).all())
