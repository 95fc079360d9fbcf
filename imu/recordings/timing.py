"""Times of a recording's rows: are they seconds, how often do rows come, and in which order.

Rows that are a little late are put in order; what cannot be one recording in seconds is refused with a sentence that
says what to do. This module refuses to know what the rows hold besides the time in their first column.
"""

from __future__ import annotations

import numpy as np

from imu.errors import RecordingForeign
from imu.samples import Array
from imu.units import RATES_HZ, time_unit

RATE_TOLERANCE = 0.1
"""A sensor's clock and jitter may put the rate this far outside `RATES_HZ`."""

DISORDER_S = 1.0
"""Rows that are late by up to this are put in order; more is another recording. Radio and loggers swap packets of at
most some tenths of a second."""

RATE_ROWS = 20_000
"""The rate is taken from this many rows at the start."""


class TimeOrder:
    """Rows in the order of the file -> rows in the order of time; equal times stay in the order of the file.

    Attributes
    ----------
    rows_sorted : int
        Rows so far that came after a later one.
    """

    def __init__(self) -> None:
        self.rows_sorted = 0
        self._rows = 0
        self._latest_s = -np.inf
        self._held = np.empty((0, 7))

    def push(self, rows: Array, *, is_last: bool) -> Array:
        """Take the next rows; return those that no later row can come before, all if these are the last.

        Raises
        ------
        RecordingForeign
            If time jumps back by more than `DISORDER_S`.
        """
        time_s = rows[:, 0]
        in_order = bool(len(rows) and time_s[0] >= self._latest_s and (time_s[1:] >= time_s[:-1]).all())
        if not in_order:
            late_s = self._latest_before(time_s) - time_s
            late = np.flatnonzero(late_s > 0)  # not a row without a time: NaN compares false
            too_late = late[late_s[late] > DISORDER_S]
            if len(too_late):
                raise RecordingForeign(
                    f"time_s jumps back by {late_s[too_late[0]]:.1f} s at data row {self._rows + too_late[0] + 1}, as "
                    "where two recordings are joined: split the file there"
                )
            self.rows_sorted += len(late)
        self._rows += len(rows)
        rows = np.concatenate((self._held, rows)) if len(self._held) else rows
        if not in_order:
            latest = np.fmax.accumulate(np.concatenate(([-np.inf], rows[:, 0])))[1:]
            key = np.where(np.isnan(rows[:, 0]), latest, rows[:, 0])  # a row without a time stays where it is
            rows = rows[np.argsort(key, kind="stable")]
        self._latest_s = float(np.fmax(self._latest_s, np.fmax.reduce(time_s, initial=-np.inf)))
        if is_last:
            return rows
        settled = np.fmax.accumulate(rows[:, 0]) < self._latest_s - DISORDER_S
        count = int(np.count_nonzero(settled))
        self._held = rows[count:]
        return rows[:count]

    def _latest_before(self, time_s: Array) -> Array:
        """Return the latest time before each row."""
        return np.fmax.accumulate(np.concatenate(([self._latest_s], time_s)))[:-1]


def sampling_rate_hz(time_s: Array) -> float:
    """Return how often rows come, holes aside.

    Raises
    ------
    RecordingForeign
        If time stands still, runs backwards or is not in seconds, or rows come too seldom or too often.
    """
    steps = np.diff(time_s[np.isfinite(time_s)])
    forward = steps[steps > 0]
    if len(steps) and not len(forward):
        what = "runs backwards" if (steps < 0).any() else "is the same in every row"
        raise RecordingForeign(f"time_s {what}: it must be the time of each row in seconds")
    if not len(forward):
        return 0.0
    backward = np.count_nonzero(steps < 0)
    if backward > len(forward):
        raise RecordingForeign("time_s runs backwards: sort the rows by time")
    if len(forward) < len(steps) / 2 - backward:
        raise RecordingForeign("most rows repeat the time of the row before: each row needs its own time in seconds")
    typical_s = float(np.median(forward))
    longest_s, shortest_s = (1 + RATE_TOLERANCE) / RATES_HZ[0], 1 / RATES_HZ[1] / (1 + RATE_TOLERANCE)
    # Missing rows lengthen some steps and rows sent in packets shorten some: neither decides.
    if np.percentile(forward, 25) > longest_s:
        raise RecordingForeign(_too_slow(typical_s))
    if typical_s < shortest_s and forward[forward <= longest_s].mean() < shortest_s:
        raise RecordingForeign(f"rows come at {1 / typical_s:.4g} Hz, we read 20 to 1000 Hz: is time_s in seconds?")
    usual = forward[np.abs(forward / typical_s - 1) < 0.6]
    return float(1 / usual.mean())


def _too_slow(step_s: float) -> str:
    """Say what steps of more than 1/20 s probably are."""
    looks_like = time_unit(step_s)
    if looks_like is not None:
        unit, per_second = looks_like
        also = " or a count of rows" if step_s == 1 else ""
        return f"time_s looks like {unit}{also} (steps of {step_s:.6g}): divide it by {per_second:,.0f}"
    return f"rows come at {1 / step_s:.3g} Hz, we read 20 to 1000 Hz: record at a higher rate"
