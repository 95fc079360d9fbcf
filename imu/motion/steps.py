"""Even samples at 100 Hz -> steps of 0.05 s, in which everything after this is told.

A hip in training moves below 4 Hz, so 20 Hz loses nothing: means over a step keep angles and velocities exact, and the
*shake* of each step keeps what is faster (a seat's impact, heel strikes).

This module refuses to know which way is up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from imu.motion.resampling import RATE_HZ, EvenBlock
from imu.samples import Array

STEP_SAMPLES = 5
STEP_S = STEP_SAMPLES / RATE_HZ
"""Length of a step, 0.05 s."""


@cache
def steps_in(duration_s: float) -> int:
    """Return the number of steps in a duration."""
    return round(duration_s / STEP_S)


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Consecutive steps, without a hole.

    Attributes
    ----------
    time_s : (n,) array
        End of each step on the device clock, s: nothing later went into it.
    acceleration_m_s2, angular_velocity_rad_s : (3, n) array
        Specific force and angular velocity, means over the step, sensor frame.
    shake_m_s2 : (n,) array
        Standard deviation of the norm of specific force within the step: what is faster than about 10 Hz.
    """

    time_s: Array
    acceleration_m_s2: Array
    angular_velocity_rad_s: Array
    shake_m_s2: Array


class StepGatherer:
    """Gather samples into steps; any cutting of the stream gives the same steps, bit for bit."""

    def __init__(self) -> None:
        self._pending = np.empty((7, 0))  # time, acceleration, angular velocity

    def push(self, block: EvenBlock) -> Steps:
        """Take samples; return the steps that they finish. Delay: up to one step."""
        kept = self._pending.shape[1]
        samples = np.empty((7, kept + len(block.time_s)))
        samples[:, :kept] = self._pending
        samples[0, kept:] = block.time_s
        samples[1:4, kept:] = block.acceleration_m_s2.T
        samples[4:, kept:] = block.angular_velocity_rad_s.T
        n = samples.shape[1] // STEP_SAMPLES
        self._pending = samples[:, n * STEP_SAMPLES :]
        steps = samples[:, : n * STEP_SAMPLES].reshape(7, n, STEP_SAMPLES)
        # Sums are written out so that their order does not depend on how many steps there are.
        s0, s1, s2, s3, s4 = (steps[1:, :, i] for i in range(STEP_SAMPLES))
        means = (s0 + s1 + s2 + s3 + s4) / STEP_SAMPLES
        x, y, z = steps[1:4]
        norm = np.sqrt(x * x + y * y + z * z)
        n0, n1, n2, n3, n4 = norm.T
        deviation = norm - ((n0 + n1 + n2 + n3 + n4) / STEP_SAMPLES)[:, None]
        d0, d1, d2, d3, d4 = (deviation * deviation).T
        return Steps(
            time_s=steps[0, :, -1] + 0.5 / RATE_HZ,
            acceleration_m_s2=means[:3],
            angular_velocity_rad_s=means[3:],
            shake_m_s2=np.sqrt((d0 + d1 + d2 + d3 + d4) / STEP_SAMPLES),
        )
