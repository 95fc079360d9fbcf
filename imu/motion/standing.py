"""Rests -> how this person stands: what angles are measured from.

Two questions have different answers. Before a movement, the level of the accelerometer and the posture are best known
from the last rest (:func:`standing_before`): the height is integrated from there, and the judge was fitted with it. How
the person *stands*, from which a coach would measure the angle, that rest does not show: before one set in five people
brace, 8-25° forward, or have just risen from a bench. It shows in the posture in which they rest most between the sets
(:class:`RestingPostures`): they stand in many places, sit in few, and brace shortly before the bar.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from imu.motion.height import Standing
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
"""A rest counts by its duration up to this, or two minutes on a bench would outvote all standing."""

SAME_POSTURE_RAD = math.radians(6)
"""Rests less than this apart show one posture: people sway by 1-2°, and stand differently by 3°."""


class _Rest(NamedTuple):
    """A rest: when it ended, for how long it counts, and the mean of `up` in its last second."""

    end_s: float
    counted_s: float
    up: Array


class RestingPostures:
    """The postures in which a person has rested outside of sets."""

    def __init__(self) -> None:
        self._rests: list[_Rest] = []

    def push(self, signals: MotionSignals, new: int) -> None:
        """Take the rests that are over within the last `new` steps of the signals."""
        resting, least = signals.resting_steps, steps_in(SETTLED_S)
        first = max(1, len(signals) - new)
        over = first + np.flatnonzero((resting[first - 1 : -1] >= least) & (resting[first:] == 0))
        for end in over.tolist():
            up = signals.up[max(0, end - least) : end].sum(axis=0)
            counted_s = min(int(resting[end - 1]) * STEP_S, COUNTED_UP_TO_S)
            self._rests.append(_Rest(float(signals.time_s[end - 1]), counted_s, up / math.sqrt(up @ up)))
        while self._rests and self._rests[0].end_s < signals.time_s[-1] - REMEMBERED_S - len(signals) * STEP_S:
            del self._rests[0]

    def forget(self, start_s: float, end_s: float) -> None:
        """Drop the rests between two repetitions of a set: people often stay braced there."""
        self._rests = [rest for rest in self._rests if not start_s < rest.end_s - SETTLED_S / 2 < end_s]

    def standing(self, here: Array, before_s: float) -> Array | None:
        """Return the posture, as a unit vector, in which the person has rested most before a moment.

        Parameters
        ----------
        here : (3,) array
            `up` in the last rest before the movement.
        before_s : float
            The moment.

        Returns
        -------
        array or None
            ``None`` if no rest within 30° of the posture `here` is known.
        """
        recent = [rest for rest in self._rests if before_s - REMEMBERED_S < rest.end_s <= before_s]
        if not recent:
            return None
        ups, counted_s = np.array([rest.up for rest in recent]), np.array([rest.counted_s for rest in recent])
        near = chord(ups, here) < SAME_STANDING_RAD
        if not near.any():
            return None
        ups, counted_s = ups[near], counted_s[near]
        alike = ups @ ups.T > math.cos(SAME_POSTURE_RAD)
        support_s = (alike * counted_s).sum(axis=1)
        best = len(ups) - 1 - int(np.argmax(support_s[::-1]))  # of equal ones the latest
        up = (ups * (alike[best] * counted_s)[:, None]).sum(axis=0)
        found: Array = up / math.sqrt(up @ up)
        return found


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
    last = earliest + int(np.flatnonzero(runs == longest)[-1])
    used = slice(max(0, last + 1 - min(longest, steps_in(SETTLED_S))), last + 1)
    up = signals.up[used].sum(axis=0)
    up /= math.sqrt(up @ up)
    level = float(signals.vertical_m_s2[used].sum()) / (used.stop - used.start)
    return Standing(up, level, RESTING_LEVEL_SD_M_S2)
