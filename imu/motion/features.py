"""Signals at 20 Hz -> the network's input: 10 rows a second of quantities that no turn of the sensor changes.

Every row compares the present posture with slow means of the past, and integrates vertical acceleration over short
times. No row needs quiet standing, a calibration or the place of the sensor. All filters are causal and of first
order, so that any cutting of the stream gives the same rows, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

import numpy as np

from imu.motion.signals import STEP_S, MotionSignals
from imu.samples import STANDARD_GRAVITY_M_S2, Array

ROW_STEPS = 2
ROW_S = ROW_STEPS * STEP_S
"""Interval of the rows, 0.1 s. The fastest repetition, a swing, takes 1 s: ten rows."""

FEATURES = (
    # scale brings each to a range of about ±1 to ±4
    "tilt_from_3_s",  # chord to the mean posture of the last 3 s
    "tilt_from_10_s",
    "tilt_from_30_s",
    "tilt_from_quiet",  # chord to the mean posture of the quiet moments of the last minute
    "quiet",  # weight of the present moment in that mean
    "tilt_rate",
    "turn_rate",
    "mean_tilt_rate",  # over 2 s
    "tilt_rate_away_10_s",  # rate of moving away from the mean posture of 10 s
    "tilt_rate_away_quiet",
    "horizontal_away_10_s",  # horizontal acceleration in the direction of the lean
    "horizontal_away_quiet",
    "horizontal",  # its size
    "vertical",  # vertical acceleration
    "velocity_0.7_s",  # integrated with a leak of 0.7 s
    "velocity_1.5_s",
    "velocity_3_s",
    "height_0.7_s",  # integrated twice
    "height_1.5_s",
    "height_3_s",
    "shake",
    "mean_shake",  # over 1.5 s
    "mean_vertical",  # mean size of the vertical acceleration over 4 s: high while walking
)

LEAK_S = (0.7, 1.5, 3.0)
"""Time constants of the integrals: from a swing to a slow squat. A longer one drifts by metres."""

LEVEL_S = 8.0
"""The mean vertical acceleration over this time is taken as zero: an offset of 40 mg must not integrate."""

SMALL_LEAN = 0.06
"""Below this chord (3.4°) the direction of a lean is noise, and what depends on it fades."""

QUIET_ACTIVITY = 0.25
"""Half the vertical acceleration in m/s² plus the tilt rate in rad/s, at which a moment is no longer quiet."""


@cache
def _lfilter() -> Callable[..., tuple[Array, Array]]:
    """Return :func:`scipy.signal.lfilter`, or the C function in it where that can be loaded alone.

    Importing `scipy.signal` takes five times as long as NumPy and VQF together.
    """
    scipy = PathFinder.find_spec("scipy")
    folders = [] if scipy is None else scipy.submodule_search_locations or []
    spec = PathFinder.find_spec("_sigtools", [f"{folder}/signal" for folder in folders])
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        if hasattr(module, "_linear_filter"):
            return module._linear_filter  # type: ignore[no-any-return]
    from scipy.signal import lfilter  # noqa: PLC0415 - slow to import

    return lfilter


class _Means:
    """Exponential means with the time constant `time_s` of signals (k, n), continued from call to call."""

    def __init__(self, time_s: float) -> None:
        gain = 1.0 - math.exp(-ROW_S / time_s)
        self._kept = 1.0 - gain
        self._coefficients = np.array([gain]), np.array([1.0, -self._kept])
        self._state: Array | None = None

    def push(self, values: Array) -> Array:
        """Return the mean at each of the next values (k, n); it begins with the first value."""
        state = self._kept * values[:, :1] if self._state is None else self._state
        means, self._state = _lfilter()(*self._coefficients, values, 1, state)
        return means


class _LeakyIntegral:
    """The running integral of signals (k, n); each leaks away with its own time constant."""

    def __init__(self, leaks_s: tuple[float, ...]) -> None:
        self._coefficients = [(np.array([ROW_S]), np.array([1.0, -math.exp(-ROW_S / leak)])) for leak in leaks_s]
        self._state = np.zeros((len(leaks_s), 1))

    def push(self, values: Array) -> Array:
        """Return the integral (k, n) at each of the next values (k, n)."""
        integrals = np.empty_like(values)
        for i, coefficients in enumerate(self._coefficients):
            integrals[i], self._state[i] = _lfilter()(*coefficients, values[i], 0, self._state[i])
        return integrals


def _size(vectors: Array) -> Array:
    """Return the length (n,) of vectors (3, n); sums are written out, so that the number of rows does not matter."""
    x, y, z = vectors
    length: Array = np.sqrt(x * x + y * y + z * z)
    return length


def _dot(one: Array, other: Array) -> Array:
    product: Array = one[0] * other[0] + one[1] * other[1] + one[2] * other[2]
    return product


class FeatureBuilder:
    """Compute the features of a stream of signals; any cutting gives the same rows, bit for bit."""

    def __init__(self) -> None:
        self._pending = np.empty((10, 0))
        self._last_up: Array | None = None
        self._fast, self._posture_3, self._posture_10, self._posture_30, self._posture_quiet = (
            _Means(time_s) for time_s in (0.2, 3.0, 10.0, 30.0, 20.0)
        )
        self._level, self._activity = _Means(LEVEL_S), _Means(4.0)
        self._tilt_rate, self._shake = _Means(2.0), _Means(1.5)
        self._velocity, self._height = _LeakyIntegral(LEAK_S), _LeakyIntegral(LEAK_S)

    def push(self, signals: MotionSignals) -> tuple[Array, Array]:
        """Return the end (n,) of each row that the signals complete, s, and its features (len(FEATURES), n)."""
        steps = np.concatenate(
            (
                signals.time_s[None],
                signals.up.T,
                signals.acceleration_m_s2.T,
                signals.vertical_m_s2[None],
                signals.turn_rate_rad_s[None],
                signals.shake_m_s2[None],
            )
        )
        steps = np.concatenate((self._pending, steps), axis=1)
        n = steps.shape[1] // ROW_STEPS
        self._pending = steps[:, n * ROW_STEPS :]
        first, second = steps[:, : n * ROW_STEPS : ROW_STEPS], steps[:, 1 : n * ROW_STEPS : ROW_STEPS]
        return second[0], self.rows((first[1:] + second[1:]) / 2)

    def rows(self, means: Array) -> Array:
        """Return the features (len(FEATURES), n) of the next rows.

        Parameters
        ----------
        means : (9, n) array
            Over each row: up (3), specific force in the sensor frame (3), its vertical part, turn rate, shake.
        """
        n = means.shape[1]
        if not n:
            return np.empty((len(FEATURES), 0))
        up = means[:3] / _size(means[:3])
        vertical, turn_rate, shake = means[6], means[7], means[8]
        horizontal = means[3:6] - vertical * up
        vertical = vertical - STANDARD_GRAVITY_M_S2

        before = up[:, :1] if self._last_up is None else self._last_up
        velocity_of_up = np.diff(up, axis=1, prepend=before) / ROW_S
        self._last_up = up[:, -1:]
        tilt_rate = _size(velocity_of_up)

        activity, smooth_rate = self._fast.push(np.stack((vertical, tilt_rate)))
        quiet = np.exp(-(((0.5 * np.abs(activity) + smooth_rate) / QUIET_ACTIVITY) ** 2))
        postures = [mean.push(up) for mean in (self._posture_3, self._posture_10, self._posture_30)]
        postures.append(self._posture_quiet.push((quiet + 1e-3) * up))
        leans = [up - posture / _size(posture) for posture in postures]
        tilts = [_size(lean) for lean in leans]
        away_10, away_quiet = (leans[i] / (tilts[i] + SMALL_LEAN) for i in (1, 3))

        mean_rate, log_shake = self._tilt_rate.push(tilt_rate[None])[0], np.log(shake + 0.02)
        mean_shake = self._shake.push(log_shake[None])[0]
        dynamic = vertical - self._level.push(vertical[None])[0]
        velocities = self._velocity.push(np.repeat(dynamic[None], len(LEAK_S), axis=0))
        heights = self._height.push(velocities)
        return np.stack(
            (
                *(2.0 * tilt for tilt in tilts),
                quiet,
                tilt_rate,
                np.abs(turn_rate),
                mean_rate,
                _dot(velocity_of_up, away_10),
                _dot(velocity_of_up, away_quiet),
                _dot(horizontal, away_10) / 3.0,
                _dot(horizontal, away_quiet) / 3.0,
                _size(horizontal) / 3.0,
                vertical / 3.0,
                *(scale * velocity for scale, velocity in zip((3.0, 2.0, 1.5), velocities, strict=True)),
                *(scale * height for scale, height in zip((6.0, 4.0, 2.0), heights, strict=True)),
                log_shake / 2.0 + 1.0,
                mean_shake / 2.0 + 1.0,
                self._activity.push(np.abs(vertical)[None])[0],
            )
        )
