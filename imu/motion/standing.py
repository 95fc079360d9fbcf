"""Rests -> how this person stands, the zero of all angles.

Two questions have different answers. Before a movement, the level of the accelerometer and the posture are best known
from the last rest (:func:`standing_before`): the height is integrated from there, and the judge was fitted with it. How
the person *stands*, from which a coach would measure the angle, that rest does not show: before one set in five people
brace, 8-25° forward, or have just risen from a bench. It shows in the posture in which they rest most between the sets
(:class:`RestingPostures`): they stand in many places, sit in few, and brace shortly before the bar.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from imu.motion.height import Standing, straight_line
from imu.motion.signals import STEP_S, MotionSignals, chord, steps_in
from imu.samples import Array

STANDING_SEARCH_S, LONG_REST_S = 40.0, 1.5
"""How far back a rest is looked for that shows how the person stands, and which rest is as good as a longer one. In 30
simulated touch-and-go sessions the posture is wrong by more than 8° before 8 % of the sets; the latest rest of 20 s is
before 16 %."""

SAME_STANDING_RAD = math.radians(30)
"""A rest in a posture further than this from that at the start was no standing, but sitting, say."""

REST_S, SETTLED_S = 0.3, 1.0
"""Calm for 0.3 s shows posture and level; at most the last second of it is used."""

RESTING_LEVEL_SD_M_S2 = 0.015
"""Error of a level that was measured in rest: what sway and breathing leave in the mean."""

REMEMBERED_S = 600.0
"""Rests of the last 10 minutes show how the person stands; a belt that slips is noticed in that time."""

COUNTED_UP_TO_S = 10.0
"""Of a rest its first 10 s count, or two minutes on a bench would outvote all standing."""

SAME_POSTURE_RAD = math.radians(6)
"""Rests less than this apart show one posture: people sway by 1-2°, and stand differently by 3°."""

LINKED_S = 5.0
"""Rests are linked if the movement between them is no longer than this: after it, the change of height is known to 3-10
cm (RMSE in 40 simulated sessions), after 6 s to 25 cm."""

LOWER_M = 0.2
"""A person who rests lower by more than this than in a linked rest does not stand: a chair is 0.3 m lower or more."""


MOST_POSTURES = 6
"""Number of postures kept of 10 minutes: standing, benches, bends."""

USUAL_LEAN_RAD, LEAN_SD_RAD, LEAN_BACK_SD_RAD = math.radians(5), math.radians(12), math.radians(9)
"""At the tops of a repetition the person leans 0-25° forward of standing (`squat_sets`), and seldom back: at the end of
a swing by up to 10°. With 6° instead of 9° for the way back, a slouch on a bench passed for standing before swings:
angle RMSE 3.2° instead of 2.8°; touch-and-go it was 3.57° instead of 3.66° (60 simulated sessions each, seeds from
95200)."""

MOST_UNLIKELY = 4.5
"""A top that is off by 3 standard deviations or more was looked for in the wrong place and counts no further."""


class _Second(NamedTuple):
    """A second of rest: when it ended, the mean of `up` in it, the chain of linked rests, and the height in that."""

    end_s: float
    up: Array
    chain: int
    height_m: float


def _middle_s(second: _Second) -> float:
    return second.end_s - SETTLED_S / 2


class RestingPostures:
    """The postures in which a person has rested outside of sets, second by second."""

    def __init__(self) -> None:
        self._seconds: list[_Second] = []
        self._chain, self._height_m = 0, 0.0  # of the latest rest
        self._forgotten_s = -math.inf  # rests until then are dropped, also those that are over only now

    def push(self, signals: MotionSignals, new: int) -> None:
        """Take each second of rest that is over within the last `new` steps of the signals."""
        resting, second = signals.resting_steps, steps_in(SETTLED_S)
        first = len(signals) - new
        over = (resting[first:] > 0) & (resting[first:] % second == 0) & (resting[first:] <= steps_in(COUNTED_UP_TO_S))
        for last in (first + over.nonzero()[0]).tolist():
            begin = last + 1 - second
            if resting[last] == second:
                self._begin_rest(signals, max(0, begin))
            up = signals.up[max(0, begin) : last + 1].sum(axis=0)
            end_s = float(signals.time_s[last])
            rest = _Second(end_s, up / math.sqrt(up @ up), self._chain, self._height_m)
            if _middle_s(rest) >= self._forgotten_s:
                self._seconds.append(rest)
        while self._seconds and self._seconds[0].end_s < signals.time_s[-1] - REMEMBERED_S - len(signals) * STEP_S:
            del self._seconds[0]

    def _begin_rest(self, signals: MotionSignals, begin: int) -> None:
        """Link the rest that begins at the step `begin` with the one before, if that was not long ago."""
        earliest, second = max(0, begin - steps_in(LINKED_S)), steps_in(SETTLED_S)
        rested = (signals.resting_steps[earliest:begin] >= second).nonzero()[0]
        if len(rested):
            self._height_m += rise_between(signals, earliest + int(rested[-1]), begin)
        else:
            self._chain, self._height_m = self._chain + 1, 0.0

    def forget(self, start_s: float, end_s: float) -> None:
        """Drop the rests between two repetitions of a set: people often stay braced there."""
        first = bisect_right(self._seconds, start_s, key=_middle_s)
        del self._seconds[first : bisect_left(self._seconds, end_s, first, key=_middle_s)]
        self._forgotten_s = end_s

    def before(self, before_s: float) -> StandingPostures:
        """Return the postures in which the person may have stood, by the rests that were over at a moment."""
        recent = [second for second in self._seconds if before_s - REMEMBERED_S < second.end_s <= before_s]
        highest_m: dict[int, float] = {}
        for one in recent:
            if one.height_m > highest_m.get(one.chain, -math.inf):
                highest_m[one.chain] = one.height_m
        ups = [one.up for one in recent if one.height_m > highest_m[one.chain] - LOWER_M]
        return StandingPostures.of(np.array(ups).reshape(-1, 3))


@dataclass(frozen=True, slots=True, eq=False)
class StandingPostures:
    """Postures in which a person rested and may have stood: each `up` (k, 3) is the middle of `seconds` (k,) s."""

    up: Array
    seconds: Array

    @classmethod
    def of(cls, ups: Array) -> StandingPostures:
        """Return the postures of seconds of rest (n, 3): the commonest, then the commonest of the remaining ones."""
        postures: list[Array] = []
        seconds: list[float] = []
        alike = ups @ ups.T > math.cos(SAME_POSTURE_RAD)
        while len(ups) and len(postures) < MOST_POSTURES:
            support = alike.sum(axis=1)
            members = alike[len(ups) - 1 - int(support[::-1].argmax())]  # of equal ones the latest
            up = ups[members].sum(axis=0)
            postures.append(up / math.sqrt(up @ up))
            seconds.append(float(members.sum()))
            ups, alike = ups[~members], alike[~members][:, ~members]
        return cls(np.array(postures).reshape(-1, 3), np.array(seconds))

    def choose(self, tops: Array, forward: Array) -> Array | None:
        """Return the posture that is most likely the person's standing; ``None`` if none can be.

        Parameters
        ----------
        tops : (m, 3) array
            `up` at the tops of the repetitions of the set so far.
        forward : (3,) array
            The direction in which `up` moves when the person bends forward.
        """
        if not len(self.seconds):
            return None
        along, by_forward = self.up @ tops.T, (self.up @ forward)[:, None]
        ahead = ((tops @ forward) - along * by_forward) / np.sqrt(np.maximum(1.0 - by_forward**2, 1e-6))
        off = np.arctan2(ahead, along) - USUAL_LEAN_RAD
        off /= np.where(off > 0, LEAN_SD_RAD, LEAN_BACK_SD_RAD)
        unlikely = np.minimum(0.5 * off * off, MOST_UNLIKELY)
        best = int((np.log(self.seconds) - 2.0 * unlikely.sum(axis=1) / len(tops)).argmax())
        posture: Array = self.up[best]
        return posture if unlikely[best].min() < MOST_UNLIKELY else None


def rise_between(signals: MotionSignals, last: int, first: int) -> float:
    """Return by how much the sensor rose from a rest that ends at step `last` to one that begins at step `first`, m.

    Gravity and the accelerometer's errors are taken to change evenly from their sum in one rest to that in the other,
    and the velocity is zero in both.
    """
    second, inside = steps_in(SETTLED_S), slice(max(0, last - 4), first + 5)
    before = signals.vertical_m_s2[max(0, last + 1 - second) : last + 1]
    after = signals.vertical_m_s2[first : first + second]
    n = inside.stop - inside.start
    level = straight_line(float(before.sum()) / len(before), float(after.sum()) / len(after), n)
    velocity = (signals.vertical_m_s2[inside] - level).cumsum() * STEP_S
    return float((velocity - straight_line(0.0, float(velocity[-1]), n)).sum()) * STEP_S


def standing_before(signals: MotionSignals, at_start: int) -> Standing:
    """Return posture and level of standing before the step `at_start`: those of the longest rest in the last 40 s.

    Of rests of `LONG_REST_S` and more it is the latest. A longer rest counts for more because a short one may be the
    braced posture in which a set is begun, 8-17° forward. Without any rest in a posture like the one at the start it
    is the posture there, with standard gravity as the level.
    """
    at_start = min(max(at_start, 1), len(signals))
    here = signals.up[max(0, at_start - 4) : at_start].sum(axis=0)
    here /= math.sqrt(here @ here)
    earliest = max(0, at_start - steps_in(STANDING_SEARCH_S))
    searched = slice(earliest, at_start + steps_in(0.2))
    runs = np.minimum(signals.resting_steps[searched], steps_in(LONG_REST_S))
    runs[chord(signals.up[searched], here) > SAME_STANDING_RAD] = 0
    longest = int(runs.max(initial=0))
    if longest < steps_in(REST_S):
        return Standing.without_level(here)
    last = earliest + int((runs == longest).nonzero()[0][-1])
    used = slice(max(0, last + 1 - min(longest, steps_in(SETTLED_S))), last + 1)
    up = signals.up[used].sum(axis=0)
    up /= math.sqrt(up @ up)
    level = float(signals.vertical_m_s2[used].sum()) / (used.stop - used.start)
    return Standing(up, level, RESTING_LEVEL_SD_M_S2)
