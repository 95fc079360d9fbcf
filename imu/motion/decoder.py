"""Logits of the network -> where a repetition may have ended, and when nothing can come any more.

The network says in each row whether a repetition has just ended, how long ago, and how long it took; no quiet standing
is needed before, between or after. Where the log-odds pass `CLEAR_LOG_ODDS`, the ending is given at once; where they
only peak lower, it is given once the peak has passed. Whether it was a repetition is decided later, from what physics
measures (:mod:`imu.motion.repetitions`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imu.motion.features import ROW_S
from imu.motion.network import Whole
from imu.samples import Array

OTHER, DOWN, UP, END, HINGE, SINCE_END, LOG_DURATION = range(7)
"""Columns of the logits."""

CLEAR_LOG_ODDS = 0.5
"""From here on, in two rows on average, an ending is given at once. With -0.5 and judges fitted to it, touch-and-go
repetitions are announced sooner, but 481 instead of 488 of 545 simulated sets are exact, and of SisFall joined 0.935
instead of 0.941 get the right pattern, as less of the movement is known when it is judged."""
LEAST_LOG_ODDS = -3.0
"""A peak below this is no ending: 5 %. Slow single repetitions end in low peaks: with -2 held-out SisFall counts once
0.960 instead of 0.970, and 0.735 instead of 0.825 with weights that have seen none of its people."""
LONGEST_SINCE_END_S = 0.7
"""The network is trained to say that a repetition has ended for 0.55 s after its end."""
LEAST_DURATION_S, LONGEST_DURATION_S = 0.5, 15.0
"""Limits on the estimated duration: a swing takes 1 s, a tempo squat up to 12 s."""
LEAST_APART = 0.5
"""Two endings are at least this share of the duration apart."""
OVERLAP = 0.35
"""A repetition may seem to begin before the end of the one before by this share of its duration."""
IDLE_ROWS = 15
"""Activity is over after 1.5 s without it."""
PREAMBLE_S = 0.5
"""The network reports a descent up to this long after it began."""
PEAK_ROWS, WAITING_ROWS = 4, 12
"""A peak of the log-odds has passed if no higher one came within 0.4 s and the network reports no ascent any more, or
within 1.2 s in any case: hips that pause on the way up rise again."""
HIGHER = 0.5
"""A later peak that is higher by this gives an ending again, even if it may be the same repetition's."""


class Ending(NamedTuple):
    """A repetition may have ended.

    Attributes
    ----------
    start_s, end_s : float
        When it began and ended, by the durations that the network gives: to about 0.2 s, seldom worse.
    moving_since_s : float
        When movement began: where nothing came before, that is when the repetition began.
    seen_s : float
        End of the row in which this was seen.
    log_odds : float
        Of a repetition having ended here.
    hinge_log_odds : float
        Of its being a hinge.
    """

    start_s: float
    end_s: float
    moving_since_s: float
    seen_s: float
    log_odds: float
    hinge_log_odds: float = 0.0


class Stir(NamedTuple):
    """Movement like that of a repetition begins; until `Calm`, nothing can begin any more before `settled_s`."""

    seen_s: float
    settled_s: float


class Calm(NamedTuple):
    """Movement like that of a repetition is over."""

    seen_s: float


class Activity(NamedTuple):
    """Movement of any kind was going on from `start_s` to `end_s`."""

    start_s: float
    end_s: float
    seen_s: float


class _Run:
    """When something that flickers from row to row goes on: it is over after `IDLE_ROWS` without it."""

    def __init__(self) -> None:
        self.active = False
        self.since_s: float | None = None
        self.until_s = 0.0
        self._idle_row = 0

    def change(self, row: int, now_s: float) -> bool:
        """Take that it begins or stops in `row`; return whether it has not gone on before."""
        self.active = not self.active
        if not self.active:
            self._idle_row, self.until_s = row, now_s - ROW_S
            return False
        if self.since_s is not None:
            return False
        self.since_s = now_s - ROW_S
        return True

    def idle_s(self, row: int) -> float:
        """Return for how long it has stopped before `row`; infinite if it was over before that."""
        return math.inf if self.since_s is None else (row - self._idle_row) * ROW_S

    def over_s(self, row: int) -> float | None:
        """Return when it was certain that it is over, if that was before `row`."""
        if self.since_s is None or self.active or row - self._idle_row < IDLE_ROWS:
            return None
        return self.until_s + IDLE_ROWS * ROW_S


class Decoder:
    """Find endings in a stream of logits; any cutting gives the same."""

    def __init__(self) -> None:
        self._last_log_odds = -99.0  # of the last row
        self._rows_since_high = 99  # rows since log-odds that may make an ending
        self._last_clear_s = -math.inf  # end of the last clear ending given
        self._clear = Ending(-math.inf, -math.inf, -math.inf, -math.inf, 0.0)  # the last that followed the one before
        self._peak: Ending | None = None  # may still rise
        self._low: Ending | None = None  # the last one given that was not clear
        self._row = 0  # index of the next row
        self._like, self._any = _Run(), _Run()  # movement like that of a repetition; any movement
        self._now_s = -math.inf

    def push(
        self, time_s: Array, logits: Whole, moving: NDArray[np.bool_]
    ) -> Iterator[Ending | Stir | Calm | Activity]:
        """Take the next rows; give what they show, in order.

        Parameters
        ----------
        time_s : (n,) array
            End of each row.
        logits : (n, 7) array
            See :data:`imu.motion.network.OUTPUTS`.
        moving : (n,) array of bool
            Whether the hip is far from its usual posture, whatever the network says.
        """
        n = len(time_s)
        if not n:
            return
        ended = logits[:, END].astype(np.float64)
        mean = (ended + np.concatenate(([self._last_log_odds], ended[:-1]))) / 2
        rows = np.arange(n)
        last_high = np.maximum.accumulate(np.where(mean >= LEAST_LOG_ODDS, rows, -1 - self._rows_since_high))
        like = going_on(logits) > 0
        some = like | moving
        interesting = (rows - last_high <= WAITING_ROWS) | _changes(like, self._like.active)
        interesting |= _changes(some, self._any.active)
        shown = interesting.nonzero()[0]
        columns = (one[shown].tolist() for one in (rows, time_s, like, some, mean))  # plain numbers are faster here
        for i, now_s, is_like, is_some, log_odds in zip(*columns, strict=True):
            row = self._row + i
            if self._any.since_s is not None or self._like.since_s is not None:
                yield from self._settle(row)
            if is_like != self._like.active and self._like.change(row, now_s):
                yield Stir(now_s, self.settled_at(now_s))
            if is_some != self._any.active:
                self._any.change(row, now_s)
            if log_odds >= LEAST_LOG_ODDS or self._peak is not None:
                yield from self._ending(now_s, logits[i].tolist(), log_odds)
        self._row += n
        self._last_log_odds, self._now_s = float(ended[-1]), float(time_s[-1])
        self._rows_since_high = min(int(n - 1 - last_high[-1]), 99)
        yield from self._settle(self._row)

    def finish(self) -> Iterator[Ending | Activity]:
        """End the stream; give the ending that was still open and the activity that was going on."""
        if self._peak is not None:
            yield self._peak._replace(seen_s=self._now_s)
            self._peak = None
        if self._any.since_s is not None:
            yield Activity(self._any.since_s, self._now_s if self._any.active else self._any.until_s, self._now_s)
            self._any = _Run()

    def settled_at(self, now_s: float) -> float:
        """Return before when nothing can begin any more that comes after `now_s`."""
        return (now_s if self._like.since_s is None else self._like.since_s) - PREAMBLE_S

    @property
    def settled_s(self) -> float:
        """The same now."""
        return self.settled_at(self._now_s)

    @property
    def moving_since_s(self) -> float | None:
        """Since when movement like that of a repetition goes on; ``None`` if none does."""
        return self._like.since_s

    @property
    def calm_s(self) -> float:
        """For how long there was no movement like that of a repetition; infinite once it is over."""
        return 0.0 if self._like.active else self._like.idle_s(self._row)

    def _settle(self, row: int) -> Iterator[Calm | Activity]:
        """Give the movements that were certainly over before `row`."""
        over_s = self._like.over_s(row)
        if over_s is not None:
            self._like = _Run()
            yield Calm(over_s)
        over_s = self._any.over_s(row)
        if over_s is not None and self._any.since_s is not None:
            activity = Activity(self._any.since_s, self._any.until_s, over_s)
            self._any = _Run()
            yield activity

    def _ending(self, now_s: float, logits: list[float], log_odds: float) -> Iterator[Ending]:
        """Give the ending that a row shows, if it is new: a clear one at once, another when its peak has passed."""
        peak = self._peak
        rows = PEAK_ROWS if logits[UP] < max(logits[OTHER], logits[DOWN]) else WAITING_ROWS
        if peak is not None and log_odds <= peak.log_odds and now_s - peak.seen_s > (rows - 0.5) * ROW_S:
            self._peak, self._low = None, peak
            yield peak._replace(seen_s=now_s)
            return
        if log_odds < LEAST_LOG_ODDS or self._any.since_s is None or (peak is not None and log_odds <= peak.log_odds):
            return
        since_s = self._any.since_s
        end_s = now_s - min(max(logits[SINCE_END] / 4.0, 0.0), LONGEST_SINCE_END_S)
        duration_s = min(max(math.exp(min(logits[LOG_DURATION], 3.0)), LEAST_DURATION_S), LONGEST_DURATION_S)
        apart_s = max(LEAST_DURATION_S, LEAST_APART * duration_s)
        start_s = max(end_s - duration_s, since_s - PREAMBLE_S)
        follows = end_s - self._clear.end_s >= apart_s and start_s >= self._clear.end_s - OVERLAP * duration_s
        contains = (  # the network may take the turning point for an end
            start_s < (self._clear.start_s + self._clear.end_s) / 2 and end_s - self._last_clear_s > LEAST_DURATION_S
        )
        if not (follows or contains):
            return
        if follows:
            start_s = max(start_s, self._clear.end_s)
        if end_s - start_s < LEAST_DURATION_S:
            return
        ending = Ending(start_s, end_s, since_s, now_s, log_odds, logits[HINGE])
        if log_odds >= CLEAR_LOG_ODDS:
            self._peak, self._last_clear_s = None, end_s
            if follows:
                self._clear = ending
            yield ending
        elif self._low is None or end_s - self._low.end_s >= apart_s or log_odds > self._low.log_odds + HIGHER:
            self._peak = ending


def going_on(logits: Whole) -> Whole:
    """Return the log-odds (n,) that a repetition goes on in each row of the network's output."""
    log_odds: Whole = np.maximum(logits[:, DOWN], logits[:, UP]) - logits[:, OTHER]
    return log_odds


def _changes(flags: NDArray[np.bool_], before: bool) -> NDArray[np.bool_]:
    """Return where flags differ from the one before."""
    changed: NDArray[np.bool_] = flags != np.concatenate(([before], flags[:-1]))
    return changed
