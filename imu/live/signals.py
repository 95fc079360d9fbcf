"""Repetitions against targets: good or not, when to stop, when to go on.

`repetition_signals` is a pure function of the targets of a set and its repetitions so far. :class:`Coach` follows the
events of a session with it and gives every signal once, at a place in the stream: a replay of the recording with the
recorded plan gives the same signals.

A repetition is called too shallow, too fast or too slow only if that is far likelier than an error of the measurement:
if the measured value misses the target by more than `MARGIN` of the error. One that misses it by less is called good.
A hinge where a squat is planned, or a squat for a hinge, is neither too shallow nor good.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from statistics import fmean, median
from typing import Any, Literal

from imu.live.entries import Entries
from imu.live.targets import BEST, Place, Plan, Targets
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.cues import (
    HINGE_SHALLOW_RAD,
    KNEES_FIRST_S,
    SPEED_DROP_M,
    SPEED_LOST,
    SPEED_REPETITIONS,
    SQUAT_LEANS_RAD,
    share_of_speed_lost,
)
from imu.session import (
    Event,
    MovementRejected,
    RepetitionCounted,
    RepetitionTakenBack,
    RestBegan,
    SetClosed,
    TrainingSet,
)

DROP_ERROR_M = 0.04
"""95 of 100 squats err by less in hip drop (3,612 squats and 1,440 hinges of 240 simulated sessions, which no reported
figure uses: `bench_targets.py 240 41000`). The RMSE is 2.1 cm there, and 2.7 to 4.1 cm in `imu evaluate`."""
ANGLE_ERROR_RAD = math.radians(4.4)
"""The same of the trunk angle of hinges; the RMSE is 2.2° there, and 2.3 to 4.3° in `imu evaluate`."""
TIME_ERROR_S = 0.3
"""Error of the durations of its phases: 0.15 s by the same sessions, but starts and ends of real squats that people
labelled err by 0.27 and 0.31 s (RMSE, tests/README.md)."""
SPEED_ERROR = 0.14
"""The same of its mean velocity, as a share of it: 0.12 by the same sessions, with which 98.9 % instead of 99 % of the
missed zones were signalled."""
MARGIN = 0.4
"""Share of the error by which a measured value must miss its target: 0.8 standard deviations. On those sessions 99.4 %
of depths and angles that miss their target by more than the error are signalled, and 1.4 % of repetitions that meet
theirs are called bad; with half of the error it is 99.0 and 1.0 %."""
BEST_OF = 2
"""As far as the best: the second-best repetition before, because the best one may be an error of the measurement."""


class SignalKind(StrEnum):
    """The meaning of a signal; the value stands in recordings."""

    SET_COMPLETE = "set complete"
    """The repetitions of the set are done."""
    STOP = "stop"
    """The velocity loss at which the set should end is reached."""
    TOO_SHALLOW = "too shallow"
    """Less hip drop or trunk angle than the target."""
    TOO_FAST_DOWN = "too fast down"
    """The way down was shorter than in the tempo."""
    TOO_SLOW_UP = "too slow up"
    """Slower on the way up than the velocity zone."""
    TOO_FAST_UP = "too fast up"
    """Faster on the way up than the velocity zone: the load is light for it."""
    GOOD = "good"
    """Every target of the repetition is met, as far as can be measured."""
    REST_OVER = "rest over"
    """The rest has lasted as long as planned."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a signal is shown and said: word, shape, colour and sound each suffice alone.

    Attributes
    ----------
    word : str
        On the screen.
    spoken : str
        The words of the voice; empty where the count alone is spoken.
    symbol : str
        One character.
    shape : str
        Name of the shape that a page draws.
    colour : str
        Name of a colour: green, orange, red or blue.
    sound : str
        Name of a sound.
    """

    word: str
    spoken: str
    symbol: str
    shape: str
    colour: str
    sound: str


LOOKS = {
    SignalKind.SET_COMPLETE: Look("set complete", "set complete", "★", "star", "blue", "fanfare"),
    SignalKind.STOP: Look("stop", "stop, speed is lost", "■", "octagon", "red", "stop"),
    SignalKind.TOO_SHALLOW: Look("too shallow", "deeper", "▼", "triangle-down", "orange", "low"),
    SignalKind.TOO_FAST_DOWN: Look("too fast down", "slower down", "◆", "diamond", "orange", "double-low"),
    SignalKind.TOO_SLOW_UP: Look("too slow up", "faster up", "▲", "triangle-up", "orange", "rising"),
    SignalKind.TOO_FAST_UP: Look("above the zone", "", "△", "triangle-up-outline", "blue", "tick"),
    SignalKind.GOOD: Look("good", "", "●", "circle", "green", "tick"),
    SignalKind.REST_OVER: Look("rest over, go", "rest is over", "▶", "triangle-right", "green", "bell"),
}
"""The look of each signal."""
FAULTS = frozenset({SignalKind.TOO_SHALLOW, SignalKind.TOO_FAST_DOWN, SignalKind.TOO_SLOW_UP})
"""Signals of a repetition that misses a target."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Something to show and say to the person.

    Attributes
    ----------
    kind : SignalKind
        What.
    at_s : float
        When on the session's axis: the end of the repetition, or of the rest.
    count : int
        Repetitions of the set until then.
    """

    kind: SignalKind
    at_s: float
    count: int

    @property
    def look(self) -> Look:
        """Its look."""
        return LOOKS[self.kind]


# --- one repetition ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Best:
    """How far earlier repetitions of an exercise went; ``None`` before there are any."""

    depth_m: float | None = None
    trunk_angle_rad: float | None = None

    @classmethod
    def of(cls, repetitions: Iterable[Repetition], before: Best | None = None) -> Best:
        """Return the second-best depth and angle of repetitions, or those of `before` where they are larger."""
        done = list(repetitions)
        before = before or cls()
        return cls(
            _best([repetition.hip_drop_m for repetition in done], before.depth_m),
            _best([repetition.trunk_angle_rad for repetition in done], before.trunk_angle_rad),
        )


def _best(values: Sequence[float], before: float | None) -> float | None:
    second = [sorted(values)[-BEST_OF]] if len(values) >= BEST_OF else []
    return max([*second, *([] if before is None else [before])], default=None)


def depth_target_m(targets: Targets, best: Best) -> float | None:
    """Return the hip drop to reach; ``None`` without one."""
    return best.depth_m if targets.depth_m == BEST else _number(targets.depth_m)


def angle_target_rad(targets: Targets, best: Best) -> float | None:
    """Return the trunk angle to reach; ``None`` without one."""
    return best.trunk_angle_rad if targets.trunk_angle_rad == BEST else _number(targets.trunk_angle_rad)


def _number(target: float | Literal["best"] | None) -> float | None:
    return None if target is None or isinstance(target, str) else target


def repetition_signals(
    targets: Targets, so_far: Sequence[Repetition], best: Best | None = None, more: int = 0
) -> tuple[SignalKind, ...]:
    """Return what the last repetition of a set calls for, the most important first.

    Parameters
    ----------
    targets : Targets
        Of the set.
    so_far : sequence of Repetition
        The set until and with the repetition.
    best : Best or None
        How far repetitions of earlier sets went.
    more : int
        Repetitions that the person added to the count of the set.
    """
    last, best = so_far[-1], best or Best()
    kinds = []
    if targets.repetitions is not None and len(so_far) + more == targets.repetitions:
        kinds.append(SignalKind.SET_COMPLETE)
    loss = velocity_loss(so_far)
    if targets.stop_loss is not None and loss is not None and loss >= targets.stop_loss:
        kinds.append(SignalKind.STOP)
    other = last.confidence >= SURE and targets.is_other(last.pattern)
    depth_m, angle_rad = (None, None) if other else (depth_target_m(targets, best), angle_target_rad(targets, best))
    faults = [
        (_misses(last.hip_drop_m, depth_m, DROP_ERROR_M), SignalKind.TOO_SHALLOW),
        (_misses(last.trunk_angle_rad, angle_rad, ANGLE_ERROR_RAD), SignalKind.TOO_SHALLOW),
        (
            targets.tempo is not None and _misses(last.eccentric_s, targets.tempo.down_s, TIME_ERROR_S),
            SignalKind.TOO_FAST_DOWN,
        ),
        *_against_zone(targets, last),
    ]
    for is_missed, kind in faults:
        if is_missed and kind not in kinds:
            kinds.append(kind)
    judged = targets.judge_repetitions and not other and not FAULTS & set(kinds)
    return (*kinds, SignalKind.GOOD) if judged else tuple(kinds)


def _misses(value: float, target: float | None, error: float) -> bool:
    """Return whether a value falls short of a target by more than its error explains."""
    return target is not None and value < target - MARGIN * error


def _against_zone(targets: Targets, last: Repetition) -> list[tuple[bool, SignalKind]]:
    if targets.velocity_m_s is None or last.hip_drop_m < SPEED_DROP_M:
        return []
    (low_m_s, high_m_s), speed_m_s = targets.velocity_m_s, last.mean_concentric_velocity_m_s
    return [
        (speed_m_s < low_m_s * (1 - MARGIN * SPEED_ERROR), SignalKind.TOO_SLOW_UP),
        (speed_m_s > high_m_s * (1 + MARGIN * SPEED_ERROR), SignalKind.TOO_FAST_UP),
    ]


def velocity_loss(so_far: Sequence[Repetition]) -> float | None:
    """Return the share of velocity that the last repetition lost against the fastest; ``None`` where it means nothing.

    Of the mean velocity of the way up, which bars and figures show, and which strength training means by velocity loss.
    Within a set it errs by 3.7 % (RMSE; 12 simulated sessions of bench_targets, seeds 41000-41011), the peak velocity
    by 2.6 %.
    """
    if len(so_far) < 2 or any(repetition.hip_drop_m < SPEED_DROP_M for repetition in (so_far[0], so_far[-1])):
        return None
    speeds = [repetition.mean_concentric_velocity_m_s for repetition in so_far]
    return max(0.0, 1 - speeds[-1] / max(speeds)) if max(speeds) > 0 else None


# --- the form of one repetition ---------------------------------------------------------------------------------------

CLEAR = 2.0
"""A cue about form is given if the figure is this many errors beyond its limit: 2 of 100 such cues are wrong."""
FORM_ANGLE_ERROR_RAD, FORM_DROP_ERROR_M = math.radians(2.6), 0.04
"""Errors behind these limits: those of the report (:mod:`imu.report.cues`), whose words these cues anticipate."""
SURE = 0.9
"""A cue about one pattern is given only if the repetition is of that pattern with this confidence."""
ORDER_REPETITIONS = 3
"""Hips or knees first is judged by the median of this many: one repetition's order is too uneven."""

_CHEST_LIMIT_RAD = SQUAT_LEANS_RAD + CLEAR * FORM_ANGLE_ERROR_RAD
_HINGE_LIMIT_RAD = HINGE_SHALLOW_RAD - CLEAR * FORM_ANGLE_ERROR_RAD
_DEPTH_LIMIT_M = CLEAR * math.sqrt(2) * FORM_DROP_ERROR_M  # the difference of two repetitions has the error of both


def form_cue(so_far: TrainingSet) -> str | None:
    """Return what the last repetition of a set calls for, in a few words; ``None`` if its figures call for nothing.

    The first that holds: a chest that is down, a hinge that is shallow, depth lost since the first repetition, knees
    before hips, speed lost.
    """
    repetitions, last = so_far.repetitions, so_far.repetitions[-1]
    sure = last.confidence >= SURE and last.pattern is so_far.pattern
    if sure and last.pattern is Pattern.SQUAT and last.angle_at_bottom_rad >= _CHEST_LIMIT_RAD:
        return "chest up"
    if sure and last.pattern is Pattern.HINGE and last.trunk_angle_rad <= _HINGE_LIMIT_RAD:
        return "hips further back"
    if sure and last.pattern is Pattern.SQUAT and repetitions[0].hip_drop_m - last.hip_drop_m >= _DEPTH_LIMIT_M:
        return "deeper"
    if _knees_first(repetitions[-ORDER_REPETITIONS:]):
        return "hips first"
    lost = velocity_loss_of_set(so_far)
    if lost is not None and lost >= SPEED_LOST:
        return "slowing down"
    return None


def velocity_loss_of_set(so_far: TrainingSet) -> float | None:
    """Return the share of upward velocity lost, last two repetitions against first two; ``None`` where it says nothing.

    As in the report, but never of one repetition against another: alone, each is too uneven.
    """
    return share_of_speed_lost(so_far) if len(so_far.repetitions) >= SPEED_REPETITIONS else None


def _knees_first(latest: Sequence[Repetition]) -> bool:
    """Whether the knees bent clearly before the hips in the latest repetitions."""
    if len(latest) < ORDER_REPETITIONS or fmean(repetition.hip_drop_m for repetition in latest) < SPEED_DROP_M:
        return False
    return median(repetition.trunk_lead_s for repetition in latest) <= KNEES_FIRST_S


# --- a training -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Followed:
    """A plan, and which set of it a set of the training is; both from 0."""

    plan: Plan | None
    plan_index: int
    set_index: int


class Coach:
    """Follow the events of a training, give each signal once.

    Parameters
    ----------
    plan : Plan or None
        The person's targets; without targets (``None``) there are no signals.
    best : mapping of str to Best, optional
        How far earlier trainings went, by exercise.

    Attributes
    ----------
    going_on : list of Repetition
        Those of the set that is not over.
    sets : list of TrainingSet
        Those that are over, in the order of time.
    rest_since_s : float or None
        Since when the person rests, on the session's axis.
    entries : Entries
        What the person entered of sets by hand.
    """

    def __init__(self, plan: Plan | None = None, best: Mapping[str, Best] | None = None) -> None:
        self.best = dict(best or {})
        self.entries = Entries()
        self.going_on: list[Repetition] = []
        self.sets: list[TrainingSet] = []
        self.rest_since_s: float | None = None
        self._rest_before: tuple[float | None, int] = (None, 0)  # the set going on, and how many sets were over then
        self._signalled_since_s = -math.inf  # the rest whose end was signalled
        self._followed = [_Followed(plan, 0, 0)]

    @property
    def plan(self) -> Plan | None:
        """The plan that is followed now."""
        return self._followed[-1].plan

    @property
    def plan_index(self) -> int:
        """Which set of the plan the one is from which on an entry of now holds, from 0; see `follow`."""
        latest = self._followed[-1]
        return latest.plan_index + self._entered_from - latest.set_index

    @property
    def _entered_from(self) -> int:
        """The set going on, from 0; the next one if it is complete, in its rest, and after an entry in its rest."""
        later = self.rest_since_s is not None or self._followed[-1].set_index > len(self.sets) or self._is_complete()
        return len(self.sets) + (bool(self.going_on) and later)

    def follow(self, plan: Plan | None, plan_index: int | None = None) -> None:
        """Go on with another plan or elsewhere in it, from the set that goes on; earlier sets keep their targets.

        In a rest it holds from the next set on, also while the set before the rest may still go on.

        Parameters
        ----------
        plan : Plan or None
            The plan.
        plan_index : int or None
            Which set of the plan that is, from 0; ``None`` for the one of the plan before.
        """
        index = self.plan_index if plan_index is None else plan_index
        set_index = self._entered_from
        earlier = [plan for plan in self._followed if plan.set_index < set_index]
        self._followed = [*earlier, _Followed(plan, max(0, index), set_index)]

    def place_of(self, set_index: int) -> Place | None:
        """Return where in its plan a set of the training stands, by its number from 0; ``None`` without a plan."""
        followed = next((plan for plan in reversed(self._followed) if plan.set_index <= set_index), self._followed[0])
        if followed.plan is None:
            return None
        return followed.plan.place(max(0, followed.plan_index + set_index - followed.set_index))

    def next_of(self, set_index: int) -> Place | None:
        """Return where the set after it stands; ``None`` if the plan ends with it, or without a plan."""
        following = self.place_of(set_index + 1)
        return None if following is None or following.beyond else following

    @property
    def rest_target_s(self) -> float | None:
        """Rest after the set going on, or after the last one: by the plan that is followed now; none after its end."""
        latest = self._followed[-1]
        set_index = len(self.sets) - (not self.going_on)
        if latest.plan is None or self.next_of(max(0, set_index)) is None:
            return None
        return latest.plan.place(max(0, latest.plan_index + set_index - latest.set_index)).targets.rest_s

    def best_before(self, set_index: int) -> Best:
        """Return how far the sets of the same exercise went before a set, in this training and earlier ones."""
        place = self.place_of(set_index)
        if place is None:
            return Best()
        name = place.targets.exercise
        same = [
            training_set.repetitions
            for index, training_set in enumerate(self.sets[:set_index])
            if (earlier := self.place_of(index)) is not None and earlier.targets.exercise == name
        ]
        return Best.of(chain.from_iterable(same), None if name is None else self.best.get(name))

    def enter(self, event: Mapping[str, Any]) -> list[Signal]:
        """Take an entry of the person; return the signal of a set that is complete by it."""
        before = self._is_complete()
        self.entries.take(event)
        if before or not self._is_complete():
            return []
        return [Signal(SignalKind.SET_COMPLETE, self.going_on[-1].end_s, len(self.going_on))]

    def _is_complete(self) -> bool:
        """Whether the set going on has the repetitions that it should have."""
        return bool(self.going_on) and SignalKind.SET_COMPLETE in self.signals_of(self.going_on, len(self.sets))

    def advance(self, now_s: float) -> list[Signal]:
        """Take the time on the session's axis; return the signal of a rest that is over."""
        since_s, rest_s = self.rest_since_s, self.rest_target_s
        signalled = since_s is not None and since_s <= self._signalled_since_s
        if since_s is None or signalled or rest_s is None or now_s < since_s + rest_s:
            return []
        self._signalled_since_s = since_s
        return [Signal(SignalKind.REST_OVER, since_s + rest_s, 0)]

    def take(self, event: Event) -> list[Signal]:
        """Take the next event; return what it calls for."""
        holds_from_next = self._followed[-1].set_index > len(self.sets)
        match event:
            case RepetitionCounted(repetition):
                signals = self.advance(repetition.start_s)
                if not self.going_on:
                    self._rest_before = self.rest_since_s, len(self.sets)
                self.rest_since_s = None
                self.going_on.append(repetition)
                kinds = self.signals_of(self.going_on, len(self.sets))
                return [*signals, *(Signal(kind, repetition.end_s, len(self.going_on)) for kind in kinds)]
            case RepetitionTakenBack(repetition):
                self._leave_out(repetition)
            case MovementRejected(movement) if movement.repetition is not None:
                self.going_on = [repetition for repetition in self.going_on if repetition != movement.repetition]
                rest_since_s, closed = self._rest_before
                if not self.going_on and closed == len(self.sets):  # no set: the rest before it goes on
                    self.rest_since_s = rest_since_s
            case RestBegan(since_s):
                self.rest_since_s = since_s
            case SetClosed(closed):
                self.going_on = [repetition for repetition in self.going_on if repetition not in closed.repetitions]
                self.sets = sorted([*self.sets, closed], key=lambda training_set: training_set.start_s)
                if self.rest_since_s is None and not self.going_on:
                    self.rest_since_s = self.sets[-1].end_s
        if holds_from_next:
            self._keep_for_next_set()
        return []

    def _keep_for_next_set(self) -> None:
        """Let the latest entry hold from the next set on, though the set before it became none or several."""
        before, latest = self._followed[-2:]
        set_index = len(self.sets) + bool(self.going_on)
        moved = set_index - latest.set_index
        if latest.plan_index != before.plan_index + latest.set_index - before.set_index:
            moved = 0  # the person went elsewhere in the plan
        self._followed[-1] = _Followed(latest.plan, max(0, latest.plan_index + moved), set_index)

    def signals_of(self, repetitions: Sequence[Repetition], set_index: int) -> tuple[SignalKind, ...]:
        """Return what the last of some repetitions calls for, as those of a set of the training."""
        place = self.place_of(set_index)
        if place is None:
            return ()
        more = self.entries.more_in(repetitions)
        return repetition_signals(place.targets, repetitions, self.best_before(set_index), more)

    def _leave_out(self, repetition: Repetition) -> None:
        self.going_on = [other for other in self.going_on if other != repetition]
        left = [tuple(other for other in training_set.repetitions if other != repetition) for training_set in self.sets]
        self.sets = [TrainingSet(repetitions) for repetitions in left if repetitions]
