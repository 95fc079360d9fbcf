"""Even samples -> which way is up, seen from the sensor, and the hip's acceleration along it.

Orientation comes from VQF (Laidig and Seel 2023, Information Fusion 91:187, doi 10.1016/j.inffus.2022.10.014), in its
6-axis form: no magnetometer, so heading is unknown and only inclination is used.

This module refuses to know about movements and people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from vqf import VQF

from imu.motion.resampling import RATE_HZ, EvenBlock
from imu.samples import Array


@dataclass(frozen=True, slots=True)
class OrientationParameters:
    """Settings of VQF; what is not named here stays at VQF's own default."""

    gyroscope_bias_sigma_deg_s: float = 1.0
    """Expected zero-rate offset before it is estimated. VQF expects 0.5; consumer gyroscopes start with 0.5 to 20
    °/s (datasheets, DESIGN.md)."""

    gyroscope_bias_limit_deg_s: float = 25.0
    """Largest offset that is believed. VQF stops at 2, the MPU-6050's datasheet allows 20."""


@dataclass(frozen=True, slots=True, eq=False)
class Inclination:
    """What the orientation filter says of a block of even samples.

    Attributes
    ----------
    up : (n, 3) array
        Unit vector of world-vertical in the sensor frame.
    vertical_m_s2 : (n,) array
        World-vertical specific force, up positive: at rest 9.81.
    """

    up: Array
    vertical_m_s2: Array


class OrientationFilter:
    """VQF over a stream of even blocks; any cutting gives the same result, bit for bit."""

    def __init__(self, parameters: OrientationParameters | None = None) -> None:
        chosen = parameters or OrientationParameters()
        self._vqf = VQF(
            1 / RATE_HZ,
            biasSigmaInit=chosen.gyroscope_bias_sigma_deg_s,
            biasClip=chosen.gyroscope_bias_limit_deg_s,
        )

    def push(self, block: EvenBlock) -> Inclination:
        """Return the inclination for each sample of `block`, with no delay."""
        acceleration = np.ascontiguousarray(block.acceleration_m_s2)
        w, x, y, z = self._vqf.updateBatch(np.ascontiguousarray(block.angular_velocity_rad_s), acceleration)["quat6D"].T
        up = np.stack((2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)))
        a, b, c = acceleration.T
        return Inclination(up.T, up[0] * a + up[1] * b + up[2] * c)
