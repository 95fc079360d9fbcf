"""Counted samples and when they arrived -> times of samples, for sensors that send neither time nor number.

Samples are an even period apart, and the period follows from many arrivals: a line along the lower envelope of arrival
over count, of the packets that waited least in queues and for the radio. No sample bears its own arrival time. That a
sample is missing cannot be seen; only a pause that nothing makes up for afterwards is taken for a hole. This module
refuses to know bytes and what was measured.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu.samples import Array

LEARNING_S = 2.0
"""The first samples wait until they have come for so long without a stall: bursts of up to 70 ms then make the rate
wrong by 3.5 % at most."""
LONGEST_LEARNING_S = 10.0
"""Then the rate is taken as well as it is known."""
BURST_S = 0.1
"""Packets of one burst come within this: some intervals of the radio."""
AS_ASKED = 0.08
"""Within this share of the rate asked for, the sensor does as asked: its oscillator is better than two seconds of
arrivals are."""
BIN_S = 1.0
"""Of each second the packet counts that waited least."""
FIRST_BINS = 5
"""From so many seconds on the line is better than the first guess."""
WINDOW_BINS = 60
"""The line goes along the last minute: an interval of 50 ms of the radio is then a thousandth of its length."""
SLEW = 0.01
"""The period is bent by at most this share to come back to the line; nobody moves differently by it."""
FAR_OFF_SLEW = 0.1
"""The same for an error beyond `STALL_S`, which only a rate learned wrongly can leave."""
SLEW_S = 10.0
"""Time in which an error of the phase is taken back."""
STALL_S = 0.5
"""A packet later than this is held until it is clear whether the ones behind it make up for it."""
DECISION_S = 1.0
"""So long after a stall began it is decided."""
HOLE_S = 0.25
"""Lateness that has not been made up for by then is a hole."""


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """Rows, (n, k), with their times, (n,), in s, and whether a hole is before them; the time axis follows arrivals."""

    time_s: Array
    rows: Array
    received_s: float
    is_after_hole: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Arrived:
    """Rows that came together."""

    rows: Array
    received_s: float


class ArrivalClock:
    """Give times to the rows of one connection; causal, and times only rise.

    Rows come out up to `LEARNING_S` late at the beginning (`LONGEST_LEARNING_S` with stalls), up to `DECISION_S` late
    after a stall, else at once.

    Parameters
    ----------
    sampling_rate_hz : float
        The rate asked for; the sensor may do another.
    """

    def __init__(self, sampling_rate_hz: float) -> None:
        self._asked_period_s = self._period_s = self._line_period_s = 1.0 / sampling_rate_hz
        self._held: list[_Arrived] = []
        self._is_learning = True
        self._steady = 0  # number of the first packet held since the last stall
        self._count = 0  # of samples so far, with those that were taken for lost
        self._next_s = 0.0  # time of the next sample
        self._bin_end_s = -math.inf
        self._best: tuple[float, int, float] | None = None  # lateness, count and arrival of the bin's best packet
        self._bins: deque[tuple[int, float]] = deque(maxlen=WINDOW_BINS)

    @property
    def sampling_rate_hz(self) -> float:
        """The rate as known so far."""
        return 1.0 / self._line_period_s

    def push(self, rows: Array, received_s: float) -> list[Timed]:
        """Take rows that came together, (n, k); return those whose times are known."""
        if not len(rows):
            return []
        arrived = _Arrived(rows, received_s)
        if self._is_learning:
            if self._held and received_s - self._held[-1].received_s > STALL_S:
                self._steady = len(self._held)
            self._held.append(arrived)
            steady_s = received_s - self._held[self._steady].received_s
            is_long = received_s - self._held[0].received_s >= LONGEST_LEARNING_S
            return self._learn() if steady_s >= LEARNING_S or is_long else []
        if self._held or self._lateness_s(len(rows), received_s) > STALL_S:
            self._held.append(arrived)
            return self._decide(is_last=False)
        return [self._place(arrived)]

    def finish(self) -> list[Timed]:
        """Give what is held; nothing comes after this."""
        if not self._held:
            return []
        learned = self._learn() if self._is_learning else []
        return [*learned, *(self._decide(is_last=True) if self._held else [])]

    def _lateness_s(self, samples: int, received_s: float) -> float:
        """Return how much later than its last sample a packet came, if so many samples are next."""
        return received_s - (self._next_s + (samples - 1) * self._period_s)

    def _learn(self) -> list[Timed]:
        """Find the rate in the packets since the last stall, the first time in those before the first."""
        held, self._held, self._is_learning = self._held, [], False
        counts = np.cumsum([len(each.rows) for each in held])
        arrivals_s = np.array([each.received_s for each in held])
        period_s = _median_slope(counts[self._steady :], arrivals_s[self._steady :])
        if period_s is not None and abs(period_s / self._asked_period_s - 1.0) > AS_ASKED:
            self._period_s = self._line_period_s = period_s
        stalls = np.flatnonzero(np.diff(arrivals_s) > STALL_S)
        before = slice(0, int(stalls[0]) + 1 if len(stalls) else None)
        self._next_s = float(np.min(arrivals_s[before] - (counts[before] - 1) * self._period_s))
        return [timed for each in held for timed in self.push(each.rows, each.received_s)]

    def _decide(self, *, is_last: bool) -> list[Timed]:
        """Decide whether a stall was made up for, once that is clear."""
        counts = np.cumsum([len(each.rows) for each in self._held])
        lateness_s = [self._lateness_s(int(n), each.received_s) for n, each in zip(counts, self._held, strict=True)]
        least_s = min(lateness_s)
        is_made_up = least_s <= HOLE_S
        if not (is_last or is_made_up or self._held[-1].received_s - self._held[0].received_s >= DECISION_S):
            return []
        held, self._held = self._held, []
        missing = 0 if is_made_up else round(least_s / self._period_s)
        self._count += missing
        self._next_s += missing * self._period_s
        return [self._place(each, is_after_hole=missing > 0 and each is held[0]) for each in held]

    def _place(self, arrived: _Arrived, *, is_after_hole: bool = False) -> Timed:
        """Give the rows the next times and let their arrival correct the period."""
        samples = len(arrived.rows)
        time_s = self._next_s + np.arange(samples) * self._period_s
        lateness_s = self._lateness_s(samples, arrived.received_s)
        self._next_s += samples * self._period_s
        self._count += samples
        if arrived.received_s >= self._bin_end_s:
            self._close_bin(arrived.received_s)
        if self._best is None or lateness_s < self._best[0]:
            self._best = (lateness_s, self._count - 1, arrived.received_s)
        return Timed(np.asarray(time_s), arrived.rows, arrived.received_s, is_after_hole)

    def _close_bin(self, received_s: float) -> None:
        """Draw the line anew and bend the period toward it."""
        self._bin_end_s = received_s + BIN_S
        if self._best is not None:
            self._bins.append(self._best[1:])
            self._best = None
        if len(self._bins) < FIRST_BINS:
            return
        counts, arrivals_s = np.array(self._bins, dtype=np.float64).T
        middle, middle_s = counts.mean(), arrivals_s.mean()
        spread = np.square(counts - middle).sum()
        if not spread:
            return
        period_s = float(((counts - middle) * (arrivals_s - middle_s)).sum() / spread)
        self._line_period_s = period_s
        error_s = middle_s + (self._count - middle) * period_s - self._next_s
        most = SLEW if abs(error_s) < STALL_S else FAR_OFF_SLEW
        bend = min(max(error_s / SLEW_S, -most), most)
        self._period_s = period_s * (1.0 + bend)


def _median_slope(counts: NDArray[np.int64], arrivals_s: Array) -> float | None:
    """Return the median time per sample between packets at least half of `LEARNING_S` apart (Theil 1950, Sen 1968).

    Of each burst the last packet counts, which waited least: what a stall has kept back does not move the median.
    ``None`` if there is no such pair.
    """
    is_last = np.diff(arrivals_s // BURST_S, append=np.inf) > 0
    counts, arrivals_s = counts[is_last], arrivals_s[is_last]
    first, second = np.triu_indices(len(counts), 1)
    apart_s = arrivals_s[second] - arrivals_s[first]
    is_far = apart_s >= 0.5 * LEARNING_S
    if not is_far.any():
        return None
    return float(np.median(apart_s[is_far] / (counts[second] - counts[first])[is_far]))
