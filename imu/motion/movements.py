"""Signals -> movements: excursions from standing and back, in trunk tilt and in hip height.

Two states take turns: standing, watched by :mod:`imu.motion.onset`, and moving, followed by
:mod:`imu.motion.pursuit`. Where standing is, is found and not asked for: the posture in which the person last rested.

This module refuses to decide whether a movement is a repetition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from imu.motion.onset import OnsetParameters, OnsetWatch
from imu.motion.pursuit import Ending, Pursuit
from imu.motion.pursuit_parameters import PursuitParameters
from imu.motion.signals import MotionSignals, chord
from imu.motion.steps import steps_in
from imu.motion.vertical import (
    END_VELOCITY_SD_M_S,
    SensorErrors,
    Standing,
    VerticalEstimator,
    VerticalMotion,
    VerticalParameters,
)
from imu.samples import STANDARD_GRAVITY_M_S2

WAITING_STEPS, FOLLOWING_STEPS = 400, 80
"""How far ahead one look goes, standing and moving; a cost, not a setting: any cutting gives the same movements."""

SETTLED_S, SETTLED_AGAIN_S = 1.0, 20.0
"""Standing is measured after so much rest, and anew after every so much more: people shift their weight."""

MOVING_POSTURE_STEPS = 4
"""Posture in motion is the mean over so many steps, 0.2 s: longer than a shake, shorter than a turning point."""

RESTING_LEVEL_SD_M_S2 = 0.015
"""Error of a level that was measured in rest: what sway and breathing leave in the mean."""

UNKNOWN_LEVEL_SD_M_S2 = 0.3
"""Error of standard gravity as the level: 30 mg, the accelerometer's offset."""

OTHER_POSTURE_RAD = math.radians(45)
"""Further than this from the usual standing posture is lying or another way of wearing the sensor."""


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """One excursion.

    Attributes
    ----------
    signals : MotionSignals
        Its steps, from the one after the start to the one in which its end was seen.
    before : MotionSignals
        Up to 1 s before the start.
    standing : Standing
        Posture and level from which it started.
    started_at_rest : bool
        Whether the person was still before it.
    estimator : VerticalEstimator
        The height model; its first ``len(signals)`` samples are this movement.
    rests : tuple of int
        Steps at which the hip rested inside the movement.
    ending : Ending
        How it ended.
    """

    signals: MotionSignals
    before: MotionSignals
    standing: Standing
    started_at_rest: bool
    estimator: VerticalEstimator
    rests: tuple[int, ...]
    ending: Ending
    _heights: dict[bool, VerticalMotion] = field(default_factory=dict)  # solved once, asked for by several

    def height(self, *, returns: bool) -> VerticalMotion:
        """Return the hip's motion, with the height at the end free or that of the start."""
        if returns not in self._heights:
            self._heights[returns] = self.estimator.solve(
                len(self.signals), rests=self.rests, end_velocity_sd_m_s=END_VELOCITY_SD_M_S, returns=returns
            )
        return self._heights[returns]


@dataclass(frozen=True, slots=True)
class Posture:
    """Where the hip is at a moment, for showing: the figures of a movement are known only once it is over.

    Attributes
    ----------
    trunk_tilt_rad : float
        Tilt of the pelvis away from standing, in any direction.
    hip_drop_m : float
        How far the sensor is below where it was in standing; 0 between movements.
    """

    trunk_tilt_rad: float
    hip_drop_m: float


class MovementFinder:
    """Find movements in a stream of signals; any cutting gives the same movements.

    A movement is reported with the step in which its end was seen; nothing later is used.
    """

    def __init__(self) -> None:
        self._onset_parameters = OnsetParameters()
        self._pursuit_parameters = PursuitParameters()
        self._standing: Standing | None = None  # what the next movement is measured from
        self._usual: Standing | None = None  # how this person stands
        self._errors: SensorErrors | None = None  # what the movements so far have shown of the sensor
        self._restart()

    def _restart(self) -> None:
        """Forget the signals, keep the standing posture."""
        self._signals: MotionSignals | None = None
        self._first = 0  # absolute index of the first step kept
        self._looked_at = 0  # absolute index of the next step to look at
        self._settling: list[int] = []  # absolute indices of the steps from then on in which standing is measured anew
        self._free_from = 0  # absolute index of the step in which the last movement ended
        self._start = 0  # absolute index of the step before the movement that is going on
        self._watch: OnsetWatch | None = None
        self._pursuit: Pursuit | None = None

    def push(self, parts: Sequence[MotionSignals]) -> list[Movement]:
        """Take more steps, in consecutive parts; return the movements that ended in them, in order."""
        if not any(len(part) for part in parts):
            return []
        new = 0 if self._signals is None else len(self._signals)
        self._signals = MotionSignals.joined(parts if self._signals is None else (self._signals, *parts))
        end = self._first + len(self._signals)
        resting = self._signals.resting_steps[new:]
        settling = (resting == steps_in(SETTLED_S)) | ((resting > 0) & (resting % steps_in(SETTLED_AGAIN_S) == 0))
        self._settling += (np.flatnonzero(settling) + (self._first + new)).tolist()
        ended: list[Movement] = []
        while self._looked_at < end:
            if self._pursuit is None:
                self._wait(min(end, self._looked_at + WAITING_STEPS))
            else:
                window = self._part(self._looked_at, min(end, self._looked_at + FOLLOWING_STEPS))
                self._follow(self._pursuit, window, ended)
        self._forget()
        return ended

    def interrupt(self) -> Movement | None:
        """End the stream here, at a hole or its end; return the movement that was going on, if it was of any size."""
        movement = None
        if self._pursuit is not None and self._pursuit.notable:
            movement = self._movement(self._pursuit, self._looked_at - 1, Ending.INTERRUPTED)
        self._restart()
        return movement

    def nothing_before(self, time_s: float) -> bool:
        """Return whether no movement can be reported any more that started at or before `time_s`."""
        if self._signals is None:
            return False
        if self._pursuit is not None:
            return bool(self._signals.time_s[max(0, self._start - self._first)] > time_s)
        return bool(self._signals.time_s[-1] > time_s + self._onset_parameters.search_s)

    @property
    def posture(self) -> Posture | None:
        """Where the hip is now, as far as is known without the rest of the movement; ``None`` before any step."""
        if self._signals is None or self._standing is None:
            return None
        tilt_rad = float(chord(self._kept.up[-1:], self._standing.up)[0])
        if self._pursuit is None:
            return Posture(tilt_rad, 0.0)
        motion = self._pursuit.estimator.solve(len(self._pursuit.estimator), rests=self._pursuit.rests)
        return Posture(tilt_rad, max(0.0, -motion.last_height_m))

    # -- the kept signals

    @property
    def _kept(self) -> MotionSignals:
        if self._signals is None:
            raise ValueError("no signals yet")
        return self._signals

    def _part(self, start: int, end: int) -> MotionSignals:
        """Return the steps ``[start, end)`` by absolute index."""
        return self._kept[max(0, start - self._first) : end - self._first]

    def _forget(self) -> None:
        """Drop what no later decision can reach."""
        reach = steps_in(self._pursuit_parameters.longest_s + self._onset_parameters.search_s + 2.0)
        surplus = len(self._kept) - reach
        if surplus > 0:
            self._signals = self._kept[surplus:]
            self._first += surplus

    def _standing_at(self, step: int) -> Standing:
        """Return posture and level as the mean over the rest that ends with absolute `step`, at most a second of it."""
        signals, last = self._kept, step - self._first
        run = min(int(signals.resting_steps[last]), steps_in(SETTLED_S))
        resting = run >= steps_in(self._pursuit_parameters.rest_s)
        used = slice(max(0, last + 1 - (run if resting else MOVING_POSTURE_STEPS)), last + 1)
        n = used.stop - used.start
        up = signals.up[used].sum(axis=0) / n
        up /= math.sqrt(up @ up)
        if not resting:  # the posture stands for itself, the level is unknown
            return Standing(up, STANDARD_GRAVITY_M_S2, UNKNOWN_LEVEL_SD_M_S2)
        return Standing(up, float(signals.vertical_m_s2[used].sum()) / n, RESTING_LEVEL_SD_M_S2)

    # -- standing

    def _wait(self, end: int) -> None:
        """Look for the start of a movement before absolute step `end`, at most until standing is measured anew."""
        if self._standing is None:
            self._standing = self._standing_at(self._looked_at)
        if self._watch is None:
            self._watch = OnsetWatch(self._standing, math.inf, self._onset_parameters)
        while self._settling and self._settling[0] < self._looked_at:
            del self._settling[0]
        if self._settling:
            end = min(end, self._settling[0] + 1)
        taken, onset = self._watch.scan(self._part(self._looked_at, end))
        self._looked_at += taken
        if onset:
            self._begin(self._standing, self._watch)
        elif self._settling and self._settling[0] == self._looked_at - 1:
            self._standing = self._standing_at(self._looked_at - 1)
            self._watch.settle(self._standing)
            if (
                self._usual is None
                or self._standing.apart_from(self._usual) < self._pursuit_parameters.new_standing_tilt_rad
            ):
                self._usual = self._standing

    def _begin(self, standing: Standing, watch: OnsetWatch) -> None:
        """Start to follow a movement whose onset was seen in the step last looked at; look back to where it began."""
        onset = self._looked_at - 1
        back = watch.steps_since_still()
        run_up = steps_in(self._onset_parameters.longest_run_up_s)
        self._start = max(self._free_from, self._first, onset - (run_up if back is None else back))
        if self._kept.resting_steps[self._start - self._first] >= steps_in(self._pursuit_parameters.rest_s):
            standing = self._standing_at(self._start)
        self._standing = standing
        self._pursuit = Pursuit(
            standing,
            self._usual,
            started_at_rest=back is not None,
            start_tilt_rad=watch.least_tilt_rad,
            errors=self._errors,
            parameters=self._pursuit_parameters,
        )
        self._looked_at = self._start + 1

    # -- moving

    def _follow(self, pursuit: Pursuit, window: MotionSignals, ended: list[Movement]) -> None:
        """Look for the end of the movement in `window`."""
        seen = pursuit.look(window)
        if seen is None:
            self._looked_at += len(window)
            return
        taken, ending = seen
        step = self._looked_at + taken - 1
        if ending is not Ending.NOTHING:
            movement = self._movement(pursuit, step, ending)
            ended.append(movement)
            self._learn(movement)
        self._stand_after(pursuit, step, ending)
        self._free_from, self._looked_at = step, step + 1

    def _learn(self, movement: Movement) -> None:
        """Learn the sensor's errors from a movement that came back: they are the same in the next."""
        chosen, samples = self._pursuit_parameters, len(movement.signals)
        if movement.ending is not Ending.RETURNED or samples > steps_in(chosen.telling_s):
            return
        free = movement.height(returns=False)
        if abs(free.last_height_m) < chosen.back_sds * math.hypot(free.height_sd_m, chosen.back_m):
            learnt = movement.height(returns=True).errors
            self._errors = learnt.relaxed(SensorErrors.unknown(VerticalParameters()), chosen.forgotten)

    def _stand_after(self, pursuit: Pursuit, step: int, ending: Ending) -> None:
        """Wait for the next movement; choose the posture from which it will be measured."""
        standing = pursuit.standing
        if ending is Ending.RETURNED and pursuit.started_at_rest:
            self._usual = standing
        here = self._standing_at(step)
        if ending is not Ending.LOST and self._kept.resting_steps[step - self._first] >= steps_in(
            self._pursuit_parameters.settled_s
        ):
            standing = here
        elif ending in (Ending.ROSE, Ending.STAYED, Ending.LOST):
            known = self._usual is not None and here.apart_from(self._usual) < OTHER_POSTURE_RAD
            standing = self._usual if known and self._usual is not None else here
        self._standing = standing
        self._pursuit = None
        self._watch = OnsetWatch(standing, here.apart_from(standing), self._onset_parameters)

    def _movement(self, pursuit: Pursuit, step: int, ending: Ending) -> Movement:
        """Return the movement up to absolute `step`."""
        signals = self._part(self._start + 1, step + 1)
        return Movement(
            signals=signals,
            before=self._part(self._start + 1 - steps_in(1.0), self._start + 1),
            standing=pursuit.standing,
            started_at_rest=pursuit.started_at_rest,
            estimator=pursuit.estimator,
            rests=pursuit.rests_until(len(signals) - 1),
            ending=ending,
        )
