"""Sensors of one recording, each with its own times -> rows on one time axis.

The accelerometer's times are the axis; the gyroscope is interpolated to them linearly. Where one of the two was not
recording, there is no row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imu.errors import RecordingForeign
from imu.recordings.checks import RATE_ROWS, TimeOrder, sampling_rate_hz
from imu.samples import Array

GAP_PERIODS = 3.5
"""A step of more than this many usual ones is a gap: two missing rows are bridged, three are not."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """The rows of one sensor.

    Attributes
    ----------
    name : str
        Name for messages: the file, as a rule.
    time_s : (n,) array
        Time of each row on the recording's axis, s, in any order.
    values : (n, 3) array
        x, y and z in SI units.
    """

    name: str
    time_s: Array
    values: Array

    def scaled(self, factor: float) -> Stream:
        """Return the stream with its values times `factor`."""
        return self if factor == 1.0 else replace(self, values=self.values * factor)


def joined(acceleration: Stream, angular_velocity: Stream) -> Array:
    """Return the rows of both sensors at the accelerometer's times, (n, 7): s, m/s², rad/s.

    Rows before the later start, after the earlier end and inside a gap of the gyroscope are left out.

    Raises
    ------
    RecordingForeign
        If the two were not recorded at the same time, or the times of the gyroscope are unusable.
    """
    turning, covered = _interpolated(angular_velocity, acceleration.time_s)
    rows = np.column_stack((acceleration.time_s, acceleration.values, turning))[covered]
    if len(rows) < 2:
        raise RecordingForeign(
            f"{acceleration.name} and {angular_velocity.name} were not recorded at the same time: "
            "they are not of one recording"
        )
    return rows


def summed(first: Stream, second: Stream) -> Stream:
    """Return the sum of two streams at the times of the first, where the second was recording too."""
    other, covered = _interpolated(second, first.time_s)
    return Stream(first.name, first.time_s[covered], (first.values + other)[covered])


def from_zero(rows: Array) -> Array:
    """Return rows with their time counted from the first row, in place of 1970 or the start of a clock."""
    rows[:, 0] -= rows[np.argmax(np.isfinite(rows[:, 0])), 0]
    return rows


def unwrapped(ticks: Array, wraps_at: float) -> Array:
    """Return a counter that starts again at `wraps_at` as one that goes on; NaN stays NaN."""
    whole = ticks.copy()
    finite = np.isfinite(ticks)
    steps = np.diff(ticks[finite])
    turns = np.cumsum((steps < -wraps_at / 2).astype(np.float64) - (steps > wraps_at / 2))
    whole[finite] += np.concatenate(([0.0], turns))[: np.count_nonzero(finite)] * wraps_at
    return whole


def _interpolated(stream: Stream, time_s: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the values of a stream at `time_s`, (n, 3), and where it was recording, (n,).

    At the time of one of its own rows the value is that row's, bit for bit.
    """
    rows = _in_order(stream)
    own_s, values = rows[:, 0], rows[:, 1:]
    before = np.searchsorted(own_s, time_s, side="right") - 1  # a time that is NaN sorts behind all
    after = np.minimum(before + 1, len(own_s) - 1)
    before = np.maximum(before, 0)
    step = own_s[after] - own_s[before]
    share = (time_s - own_s[before]) / np.where(step > 0, step, 1.0)
    exact = time_s == own_s[before]
    between = (share > 0) & (step > 0) & (step <= GAP_PERIODS * np.median(np.diff(own_s)))
    slope = values[after] - values[before]
    return np.where(exact[:, None], values[before], values[before] + share[:, None] * slope), exact | between


def _in_order(stream: Stream) -> Array:
    """Return the rows of a stream in the order of time, each time once, (n, 4)."""
    rows = np.column_stack((stream.time_s, stream.values))
    rows = rows[np.isfinite(rows[:, 0])]  # some apps fill a shorter column up with NaN
    try:
        sampling_rate_hz(rows[:RATE_ROWS, 0])
        rows = TimeOrder().push(rows, is_last=True)
    except RecordingForeign as error:
        raise RecordingForeign(f"{stream.name}: {error}") from error
    once = np.diff(rows[:, 0], prepend=-np.inf) > 0
    rows = rows[once]
    if len(rows) < 2:
        raise RecordingForeign(f"{stream.name} has fewer than two rows: record it again")
    return rows
