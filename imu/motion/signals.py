"""Steps and their inclination -> the few signals at 20 Hz in which movements are found and described.

This module refuses to know what a repetition is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu.motion.orientation import Inclination
from imu.motion.steps import STEP_S, Steps, steps_in
from imu.samples import Array


@dataclass(frozen=True, slots=True, eq=False)
class MotionSignals:
    """Signals at 20 Hz, without a hole.

    Attributes
    ----------
    time_s : (n,) array
        End of each step on the device clock, s: nothing later went into it.
    up : (n, 3) array
        World-vertical in the sensor frame, unit vectors, mean over the step. In memory, each axis lies along time.
    vertical_m_s2 : (n,) array
        World-vertical specific force, mean over the step; near 9.81 at rest.
    tilt_rate_rad_s : (n,) array
        Speed at which `up` moves: rotation without turns about the vertical and without gyroscope bias.
    turn_rate_rad_s : (n,) array
        Rotation about the vertical, gyroscope bias included.
    shake_m_s2 : (n,) array
        Standard deviation of the norm of specific force within the step: what is faster than about 10 Hz.
    resting_steps : (n,) integer array
        For how many steps the hip has been calm, this one included; 0 while it is not. Calm is not proof of rest: a
        slow steady descent is calm too.
    """

    time_s: Array
    up: Array
    vertical_m_s2: Array
    tilt_rate_rad_s: Array
    turn_rate_rad_s: Array
    shake_m_s2: Array
    resting_steps: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.time_s)

    def __getitem__(self, steps: slice) -> MotionSignals:
        """Return the sliced steps."""
        return MotionSignals(
            self.time_s[steps],
            self.up[steps],
            self.vertical_m_s2[steps],
            self.tilt_rate_rad_s[steps],
            self.turn_rate_rad_s[steps],
            self.shake_m_s2[steps],
            self.resting_steps[steps],
        )

    @classmethod
    def joined(cls, parts: Sequence[MotionSignals]) -> MotionSignals:
        """Return consecutive parts as one."""
        return cls(
            np.concatenate([part.time_s for part in parts]),
            np.concatenate([part.up.T for part in parts], axis=1).T,
            np.concatenate([part.vertical_m_s2 for part in parts]),
            np.concatenate([part.tilt_rate_rad_s for part in parts]),
            np.concatenate([part.turn_rate_rad_s for part in parts]),
            np.concatenate([part.shake_m_s2 for part in parts]),
            np.concatenate([part.resting_steps for part in parts]),
        )


def chord(up: Array, other: Array) -> Array:
    """Return the distance between unit vectors, ``(n,)``: the angle between them to 1 % below 28°.

    Sums are written out so that the result does not depend on how many there are.
    """
    difference = up - other
    xx, yy, zz = (difference * difference).T
    distance: Array = np.sqrt(xx + yy + zz)
    return distance


def run_lengths(flags: NDArray[np.bool_], run_before: int) -> NDArray[np.int64]:
    """Return for each flag the length of the run of true flags that it ends; `run_before` came before the first."""
    step = np.arange(len(flags))
    return step - np.maximum.accumulate(np.where(flags, -1 - run_before, step))


@dataclass(frozen=True, slots=True)
class CalmParameters:
    """What counts as calm."""

    tilt_rate_rad_s: float = math.radians(6)
    """Sway and tremor in a held squat stay below (90th percentile of SisFall holds 5.2 °/s)."""
    drift_rad_s: float = 0.1
    """Nor may the posture drift faster than this over a longer time: a tempo squat tilts by 30° in 4 s."""
    drift_lag_s: float = 0.3
    """Over which drift is measured."""
    jerk_m_s2: float = 0.15
    """Change of vertical acceleration from step to step."""


class SignalBuilder:
    """Make the signals of one step after the other; any cutting of the stream gives the same, bit for bit."""

    def __init__(self, calm: CalmParameters | None = None) -> None:
        self._calm = calm or CalmParameters()
        self._last_up = np.empty((0, 3))  # as many as the drift looks back
        self._last_vertical = np.empty(0)
        self._last_run = 0

    def push(self, steps: Steps, inclination: Inclination) -> MotionSignals:
        """Return the signals of `steps`, with no delay."""
        (ux, uy, uz), (wx, wy, wz) = inclination.up, steps.angular_velocity_rad_s
        up, vertical = inclination.up.T, inclination.vertical_m_s2
        tilt_rate, drift = self._tilt_rate(up)
        return MotionSignals(
            time_s=steps.time_s,
            up=up,
            vertical_m_s2=vertical,
            tilt_rate_rad_s=tilt_rate,
            turn_rate_rad_s=wx * ux + wy * uy + wz * uz,
            shake_m_s2=steps.shake_m_s2,
            resting_steps=self._resting(vertical, tilt_rate, drift),
        )

    def _tilt_rate(self, up: Array) -> tuple[Array, Array]:
        """Return the speed of `up` from step to step and over the drift's lag, each (n,), rad/s."""
        n, lag = len(up), steps_in(self._calm.drift_lag_s)
        if not len(self._last_up):
            self._last_up = np.repeat(up[:1], lag, axis=0)
        known = np.concatenate((self._last_up.T, up.T), axis=1).T
        self._last_up = known[-lag:]
        before, earlier = known[lag - 1 : lag - 1 + n], known[:n]
        return chord(up, before) / STEP_S, chord(up, earlier) / (lag * STEP_S)

    def _resting(self, vertical_m_s2: Array, tilt_rate: Array, drift: Array) -> NDArray[np.int64]:
        """Return the run lengths of calm steps."""
        if not len(vertical_m_s2):
            return np.empty(0, dtype=np.int64)
        before = self._last_vertical if len(self._last_vertical) else vertical_m_s2[:1]
        jerk = np.abs(np.diff(vertical_m_s2, prepend=before))
        self._last_vertical = vertical_m_s2[-1:]
        calm = self._calm
        flags = (tilt_rate < calm.tilt_rate_rad_s) & (drift < calm.drift_rad_s) & (jerk < calm.jerk_m_s2)
        runs = run_lengths(flags, self._last_run)
        self._last_run = int(runs[-1])
        return runs
