"""Even samples at 100 Hz -> inclination and the few signals at 20 Hz from which everything later is computed.

A hip in training moves below 4 Hz, so steps of 0.05 s lose nothing: means over a step keep angles and velocities
exact, and the *shake* of each step keeps the faster parts (the impact of a seat, heel strikes).

Orientation comes from VQF (Laidig and Seel 2023, Information Fusion 91:187, doi 10.1016/j.inffus.2022.10.014) in its
6-axis form: without a magnetometer the heading is unknown, and only the inclination is used. VQF receives steps
instead of samples: a fifth of the work, and the hip turns too slowly for a difference (1.27° instead of 1.23° RMSE in
30 simulated sessions).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
from numpy.typing import NDArray
from vqf import VQF

from imu.motion.resampling import RATE_HZ, EvenBlock
from imu.samples import Array

STEP_SAMPLES = 5
STEP_S = STEP_SAMPLES / RATE_HZ
"""Length of a step, 0.05 s."""

SAME_TIME_S = 1e-3
"""Times that differ by less are the same: on clocks that count from 1970 rounding moves a time by 2e-7 s."""

GYROSCOPE_BIAS_SIGMA_DEG_S = 1.0
"""Expected zero-rate offset before VQF has estimated it. VQF's default is 0.5; consumer gyroscopes start with 0.5 to 20
°/s (datasheets, DESIGN.md)."""

GYROSCOPE_BIAS_LIMIT_DEG_S = 25.0
"""Largest offset that VQF may estimate. Its default is 2; the MPU-6050's datasheet allows 20."""

UPSIDE_DOWN = 1e-6
"""Length of the sum of two unit vectors below which they are opposite: a hip does not turn over within a step."""

CALM_TILT_RATE_RAD_S = math.radians(6)
"""Sway and tremor in a held squat stay below this (90th percentile of SisFall holds: 5.2 °/s)."""

CALM_DRIFT_RAD_S = 0.1
"""Limit on the tilt rate over `CALM_DRIFT_LAG_S`: a tempo squat tilts by 30° in 4 s."""

CALM_DRIFT_LAG_S = 0.3
"""Lag over which the drift is measured."""

CALM_JERK_M_S2 = 0.15
"""Limit on the change of vertical acceleration from step to step."""


@cache
def steps_in(duration_s: float) -> int:
    """Return the number of steps in a duration."""
    return round(duration_s / STEP_S)


@dataclass(frozen=True, slots=True, eq=False)
class MotionSignals:
    """Signals at 20 Hz, without a hole.

    Attributes
    ----------
    time_s : (n,) array
        End of each step on the device clock, s: no later sample went into it.
    up : (n, 3) array
        World-vertical in the sensor frame, unit vectors, mean over the step. In memory, each axis lies along time.
    acceleration_m_s2 : (n, 3) array
        Specific force in the sensor frame, mean over the step; in memory like `up`.
    vertical_m_s2 : (n,) array
        World-vertical specific force, mean over the step; near 9.81 at rest.
    tilt_rate_rad_s : (n,) array
        Speed at which `up` moves: rotation without turns about the vertical and without gyroscope bias.
    turn_rate_rad_s : (n,) array
        Rotation about the vertical, gyroscope bias included.
    shake_m_s2 : (n,) array
        Standard deviation of the norm of specific force within the step: parts faster than about 10 Hz.
    resting_steps : (n,) integer array
        Number of calm steps in a row up to and including this one; 0 where the hip is not calm. Calm is not proof of
        rest: a slow steady descent is calm too.
    """

    time_s: Array
    up: Array
    acceleration_m_s2: Array
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
            self.acceleration_m_s2[steps],
            self.vertical_m_s2[steps],
            self.tilt_rate_rad_s[steps],
            self.turn_rate_rad_s[steps],
            self.shake_m_s2[steps],
            self.resting_steps[steps],
        )

    @classmethod
    def joined(cls, parts: Sequence[MotionSignals]) -> MotionSignals:
        """Return consecutive parts as one."""
        columns = ([getattr(part, field.name).T for part in parts] for field in fields(cls))
        return cls(*(np.concatenate(column, axis=-1).T for column in columns))


def chord(up: Array, other: Array) -> Array:
    """Return the distance between unit vectors, ``(n,)``: the angle between them to 1 % below 28°.

    Sums are written out so that the result does not depend on the number of rows.
    """
    difference = up - other
    xx, yy, zz = (difference * difference).T
    distance: Array = np.sqrt(xx + yy + zz)
    return distance


def chord_between(up: Array, other: Array) -> float:
    """Return the distance between two unit vectors, as `chord` does for many."""
    x, y, z = (up - other).tolist()
    return math.sqrt(x * x + y * y + z * z)


def run_lengths(flags: NDArray[np.bool_], run_before: int) -> NDArray[np.int64]:
    """Return for each flag the length of the run of true flags that it ends; `run_before` came before the first."""
    step = np.arange(len(flags))
    return step - np.maximum.accumulate(np.where(flags, -1 - run_before, step))


def _rotation_to_z(vector: Array) -> Array:
    """Return the smallest rotation (3, 3) that turns `vector` into the direction of z."""
    length = math.sqrt(float(vector @ vector))
    if not length > 0:
        return np.eye(3)
    x, y, z = (vector / length).tolist()
    if z < UPSIDE_DOWN - 1:
        return np.diag([1.0, -1.0, -1.0])
    shared = 1.0 / (1.0 + z)
    return np.array([[1 - x * x * shared, -x * y * shared, -x], [-x * y * shared, 1 - y * y * shared, -y], [x, y, z]])


def _rotated(rotation: Array, vectors: Array) -> Array:
    """Return rotated vectors (3, n); sums are written out so that the result does not depend on their number."""
    x, y, z = vectors
    return np.stack([row[0] * x + row[1] * y + row[2] * z for row in rotation.tolist()])


class SignalBuilder:
    """Compute the signals of a stream of even samples; any cutting of the stream gives the same, bit for bit."""

    def __init__(self) -> None:
        self._pending = np.empty((7, 0))  # samples of a step that is not complete: time, acceleration, angular velocity
        self._vqf = VQF(STEP_S, biasSigmaInit=GYROSCOPE_BIAS_SIGMA_DEG_S, biasClip=GYROSCOPE_BIAS_LIMIT_DEG_S)
        self._levelled: Array | None = None  # the rotation after which the first step's acceleration points up
        self._end_up = np.empty((3, 0))  # (3, 1) at the end of the last step
        self._last_up = np.empty((0, 3))  # the steps over which the drift is measured
        self._last_vertical = np.empty(0)
        self._last_run = 0

    def push(self, block: EvenBlock) -> MotionSignals:
        """Return the signals of the steps that `block` completes. Delay: up to one step."""
        time, means, shake = self._steps(block)
        (ax, ay, az), (wx, wy, wz) = means[:3], means[3:]
        up = self._inclination(means)
        ux, uy, uz = up
        vertical = ux * ax + uy * ay + uz * az
        tilt_rate, drift = self._tilt_rate(up.T)
        return MotionSignals(
            time_s=time,
            up=up.T,
            acceleration_m_s2=means[:3].T,
            vertical_m_s2=vertical,
            tilt_rate_rad_s=tilt_rate,
            turn_rate_rad_s=wx * ux + wy * uy + wz * uz,
            shake_m_s2=shake,
            resting_steps=self._resting(vertical, tilt_rate, drift),
        )

    def _steps(self, block: EvenBlock) -> tuple[Array, Array, Array]:
        """Return the end (n,) of each step, the means (6, n) over it, and the shake (n,) within it."""
        pending = self._pending.shape[1]
        samples = np.empty((7, pending + len(block.time_s)))
        samples[:, :pending] = self._pending
        samples[0, pending:] = block.time_s
        samples[1:4, pending:] = block.acceleration_m_s2.T
        samples[4:, pending:] = block.angular_velocity_rad_s.T
        n = samples.shape[1] // STEP_SAMPLES
        self._pending = samples[:, n * STEP_SAMPLES :]
        steps = samples[:, : n * STEP_SAMPLES].reshape(7, n, STEP_SAMPLES)
        # Sums are written out so that their order does not depend on the number of steps.
        s0, s1, s2, s3, s4 = (steps[1:, :, i] for i in range(STEP_SAMPLES))
        means = (s0 + s1 + s2 + s3 + s4) / STEP_SAMPLES
        x, y, z = steps[1:4]
        norm = np.sqrt(x * x + y * y + z * z)
        n0, n1, n2, n3, n4 = norm.T
        deviation = norm - ((n0 + n1 + n2 + n3 + n4) / STEP_SAMPLES)[:, None]
        d0, d1, d2, d3, d4 = (deviation * deviation).T
        return steps[0, :, -1] + 0.5 / RATE_HZ, means, np.sqrt((d0 + d1 + d2 + d3 + d4) / STEP_SAMPLES)

    def _inclination(self, means: Array) -> Array:
        """Return `up` (3, n) in the sensor frame, the mean over each step, from VQF.

        VQF limits errors of the bias axis by axis, so its first seconds depend on how the sensor is turned, by up to
        0.9°. It receives vectors in a frame whose z axis points up in the first step; then they do not.
        """
        if self._levelled is None and means.shape[1]:
            self._levelled = _rotation_to_z(means[:3, 0])
        rotation = np.eye(3) if self._levelled is None else self._levelled
        acceleration, angular_velocity = _rotated(rotation, means[:3]), _rotated(rotation, means[3:])
        quaternion = self._vqf.updateBatch(np.column_stack([*angular_velocity]), np.column_stack([*acceleration]))
        w, x, y, z = quaternion["quat6D"].T
        at_end = np.stack((2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)))
        if not self._end_up.shape[1]:
            self._end_up = at_end[:, :1]
        ends = np.concatenate((self._end_up, at_end), axis=1)
        self._end_up = ends[:, -1:]
        up = ends[:, 1:] + ends[:, :-1]
        ux, uy, uz = up
        length = np.sqrt(ux * ux + uy * uy + uz * uz)
        if length.min(initial=1.0) < UPSIDE_DOWN:
            turned = length < UPSIDE_DOWN
            up[:, turned], length[turned] = at_end[:, turned], 1.0
        return _rotated(rotation.T, up / length)

    def _tilt_rate(self, up: Array) -> tuple[Array, Array]:
        """Return the speed of `up` (n, 3) from step to step and over the drift's lag, each (n,), rad/s."""
        n, lag = len(up), steps_in(CALM_DRIFT_LAG_S)
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
        calm = (tilt_rate < CALM_TILT_RATE_RAD_S) & (drift < CALM_DRIFT_RAD_S) & (jerk < CALM_JERK_M_S2)
        runs = run_lengths(calm, self._last_run)
        self._last_run = int(runs[-1])
        return runs
