"""Inclination and acceleration at 100 Hz -> the few signals at 20 Hz in which movements are found and described.

A hip in training moves below 4 Hz, so 20 Hz loses nothing; means over a step keep velocities exact, and the
*shake* of each step keeps what is faster (a seat's impact, heel strikes).

This module refuses to know what a repetition is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from imu.motion.orientation import Inclination
from imu.motion.resampling import RATE_HZ, EvenBlock
from imu.samples import Array

STEP_SAMPLES = 5
STEP_S = STEP_SAMPLES / RATE_HZ
"""Length of a step, 0.05 s."""


@dataclass(frozen=True, slots=True, eq=False)
class MotionSignals:
    """Signals at 20 Hz, without a hole.

    Attributes
    ----------
    time_s : (n,) array
        End of each step on the device clock, s: nothing later went into it.
    up : (n, 3) array
        World-vertical in the sensor frame, unit vectors, mean over the step.
    vertical_m_s2 : (n,) array
        World-vertical specific force, mean over the step; near 9.81 at rest.
    tilt_rate_rad_s : (n,) array
        Speed at which `up` moves: rotation without turns about the vertical and without gyroscope bias.
    turn_rate_rad_s : (n,) array
        Rotation about the vertical, gyroscope bias included.
    shake_m_s2 : (n,) array
        Standard deviation of the norm of specific force within the step: what is faster than about 10 Hz.
    """

    time_s: Array
    up: Array
    vertical_m_s2: Array
    tilt_rate_rad_s: Array
    turn_rate_rad_s: Array
    shake_m_s2: Array

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.time_s)

    def __getitem__(self, steps: slice) -> MotionSignals:
        """Return the sliced steps."""
        return MotionSignals(*(getattr(self, f.name)[steps] for f in fields(self)))

    def followed_by(self, later: MotionSignals) -> MotionSignals:
        """Return these steps and the `later` ones as one."""
        return MotionSignals(
            *(np.concatenate((getattr(self, f.name), getattr(later, f.name))) for f in fields(self))
        )


class SignalBuilder:
    """Gather samples into steps; any cutting of the stream gives the same steps, bit for bit."""

    def __init__(self) -> None:
        self._pending = np.empty((0, 9))
        self._last_up: Array | None = None

    def push(self, block: EvenBlock, inclination: Inclination) -> MotionSignals:
        """Take samples; return the steps that they finish. Delay: up to one step."""
        samples = np.empty((len(block.time_s), 9))
        samples[:, 0] = block.time_s
        samples[:, 1:4] = inclination.up
        samples[:, 4] = inclination.acceleration_m_s2[:, 2]
        x, y, z = block.acceleration_m_s2.T
        samples[:, 5] = np.sqrt(x * x + y * y + z * z)
        samples[:, 6:9] = block.angular_velocity_rad_s
        samples = np.concatenate((self._pending, samples))
        n = len(samples) // STEP_SAMPLES
        self._pending = samples[n * STEP_SAMPLES :]
        steps = samples[: n * STEP_SAMPLES].reshape(n, STEP_SAMPLES, 9)
        # Sums are written out so that their order does not depend on how many steps there are.
        mean = (steps[:, 0] + steps[:, 1] + steps[:, 2] + steps[:, 3] + steps[:, 4]) / STEP_SAMPLES
        deviation = steps[:, :, 5] - mean[:, 5, None]
        d0, d1, d2, d3, d4 = (deviation * deviation).T
        ux, uy, uz = mean[:, 1:4].T
        up = mean[:, 1:4] / np.sqrt(ux * ux + uy * uy + uz * uz)[:, None]
        return MotionSignals(
            time_s=steps[:, -1, 0] + 0.5 / RATE_HZ,
            up=up,
            vertical_m_s2=mean[:, 4].copy(),
            tilt_rate_rad_s=self._tilt_rate(up),
            turn_rate_rad_s=mean[:, 6] * up[:, 0] + mean[:, 7] * up[:, 1] + mean[:, 8] * up[:, 2],
            shake_m_s2=np.sqrt((d0 + d1 + d2 + d3 + d4) / STEP_SAMPLES),
        )

    def _tilt_rate(self, up: Array) -> Array:
        """Return the speed of `up` between consecutive steps, (n,), rad/s."""
        if not len(up):
            return np.empty(0)
        before = up[:1] if self._last_up is None else self._last_up
        self._last_up = up[-1:]
        dx, dy, dz = np.diff(up, axis=0, prepend=before).T
        return np.sqrt(dx * dx + dy * dy + dz * dz) / STEP_S
