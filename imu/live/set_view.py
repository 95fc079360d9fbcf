"""A set against its targets, as the screens show it: progress, gauges, bars and figures.

Values and words are made here once; terminal and page only place them. They are fields of
:class:`imu.live.live_view.LiveView`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from imu.live.cards import LastTime, PastExercise, SetCard, card
from imu.live.signals import (
    LOOKS,
    Best,
    Coach,
    Look,
    SignalKind,
    angle_target_rad,
    depth_target_m,
    form_cue,
    velocity_loss,
)
from imu.live.targets import Place, Targets
from imu.motion.form import Posture
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.cues import sinks
from imu.report.words import number_of, tempo
from imu.session import TrainingSet

ROOM = 1.15
"""The scale of the bars ends this much above the largest value or target."""
HARDLY_SINKS = "the hip hardly sinks"
"""Why a repetition has no speed to speak of."""


class Phase(StrEnum):
    """The person's present activity."""

    WAITING = "waiting"
    """Nothing was counted yet."""
    SET = "set"
    """A set is going on."""
    REST = "rest"
    """The person rests: the last set is over, or it may still go on and the next repetition then comes."""


class Measure(StrEnum):
    """The quantity of a gauge or of the bars of a set."""

    DEPTH = "depth"
    """Hip drop, m."""
    ANGLE = "angle"
    """Trunk angle, rad."""
    SPEED = "speed"
    """Mean velocity of the way up, m/s, as strength training judges speed and its loss."""


FULL = {Measure.DEPTH: 0.6, Measure.ANGLE: math.radians(90), Measure.SPEED: 1.0}
"""End of each scale: a deep squat of a tall person (a parallel squat drops the hip by 0.49 m at 1.75 m of height), a
trunk parallel with the floor, a fast squat without load."""
UNITS: dict[Measure, tuple[str, str, float, int]] = {
    Measure.DEPTH: ("Depth", "cm", 100.0, 0),
    Measure.ANGLE: ("Trunk", "°", math.degrees(1.0), 0),
    Measure.SPEED: ("Mean speed up", "m/s", 1.0, 2),
}
"""Name, unit, factor and decimals of a measure on the screens."""


def in_words(measure: Measure, value: float, *, unit: bool = True, sign: str = "") -> str:
    """Return a value of a measure with its unit; with `sign` ``+``, also the sign of a positive one."""
    _, name, factor, decimals = UNITS[measure]
    number = round(factor * value, decimals) or 0.0  # no minus before nothing
    text = f"{number:{sign}.{decimals}f}"
    return text if not unit else f"{text}°" if name == "°" else f"{text} {name}"


def loss_in_words(loss: float) -> str:
    """Return a share of velocity lost in words: ``-12 % from best``."""
    percent = round(100 * loss)
    return f"-{percent} % from best" if percent else "best so far"


@dataclass(frozen=True, slots=True)
class Gauge:
    """A measure that moves with the hip, and what it should reach.

    Attributes
    ----------
    measure : Measure
        Depth or angle.
    now : float or None
        Its value now; ``None`` without a connected sensor.
    target : float or None
        Target of a repetition.
    last : float or None
        Value of the last repetition.
    full : float
        End of the scale.
    """

    measure: Measure
    now: float | None
    target: float | None
    last: float | None
    full: float

    def share(self, value: float) -> float:
        """Return where on the scale a value is, 0 to 1."""
        return min(1.0, max(0.0, value / self.full))


@dataclass(frozen=True, slots=True)
class Bar:
    """One repetition of the set that is shown.

    Attributes
    ----------
    value : float
        In the measure of the bars.
    signals : tuple of SignalKind
        What it calls for, the most important first; empty without targets.
    """

    value: float
    signals: tuple[SignalKind, ...] = ()

    @property
    def look(self) -> Look | None:
        """The look of its most important signal."""
        return LOOKS[self.signals[0]] if self.signals else None


@dataclass(frozen=True, slots=True)
class Bars:
    """The repetitions of the set that is shown, one bar each.

    Attributes
    ----------
    measure : Measure
        Speed where the hip sinks far enough for it, else depth or angle.
    bars : tuple of Bar
        In the order of time.
    full : float
        End of the scale; at least the largest value.
    target_low, target_high : float or None
        The least depth or angle to reach, and the most.
    loss_line : float or None
        Speed at which the set should end.
    planned : int or None
        How many bars the set should have.
    """

    measure: Measure
    bars: tuple[Bar, ...] = ()
    full: float = 1.0
    target_low: float | None = None
    target_high: float | None = None
    loss_line: float | None = None
    planned: int | None = None


NO_DEPTH, NO_ANGLE = (Gauge(measure, None, None, None, FULL[measure]) for measure in (Measure.DEPTH, Measure.ANGLE))
NO_BARS = Bars(Measure.SPEED)
"""The view before the first event."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the last repetition, or in a rest of the set: its name, its value, and what that compares with.

    Attributes
    ----------
    label, value, note : str
        As they are shown.
    fault : Look or None
        The look of the signal that this figure called for.
    """

    label: str
    value: str
    note: str
    fault: Look | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where in the plan the person is.

    Attributes
    ----------
    title : str or None
        Exercise and load, as ``back squat 100 kg``.
    set_number : int
        Which set of the exercise, from 1.
    sets : int or None
        How many it should have.
    repetition : int
        Repetitions done in it.
    repetitions : int or None
        How many it should have.
    coming : bool
        Whether the set is the next one.
    done : bool
        Whether the plan has no further set.
    """

    title: str | None
    set_number: int
    sets: int | None
    repetition: int
    repetitions: int | None
    coming: bool = False
    done: bool = False

    @property
    def text(self) -> str:
        """In words: ``Back squat 100 kg, set 2 of 5, rep 3 of 5``; what the plan does not ask for is extra."""
        if self.done:
            return "All sets of the plan are done"
        title = "" if self.title is None else f"{self.title[0].upper()}{self.title[1:]}, "
        if self.sets is not None and self.set_number > self.sets:
            start = f"{title}extra set {self.set_number - self.sets}"
        else:
            start = f"{title}set {self.set_number}{'' if self.sets is None else f' of {self.sets}'}"
        if self.coming:
            reps = "" if self.repetitions is None else f", {number_of(self.repetitions, 'rep')}"
            return f"Next: {start}{reps}"
        if self.repetitions is not None and self.repetition > self.repetitions:
            return f"{start}, rep {self.repetition}: {self.repetition - self.repetitions} extra"
        return f"{start}, rep {self.repetition}{'' if self.repetitions is None else f' of {self.repetitions}'}"


# --- the fields -------------------------------------------------------------------------------------------------------


def set_fields(
    coach: Coach,
    past: Mapping[str, PastExercise],
    posture: Posture | None,
    phase: Phase,
    shown: TrainingSet | None,
) -> dict[str, Any]:
    """Return the fields of the view that depend on the set that is shown, the plan and its targets."""
    index = len(coach.sets) - (not coach.going_on) if shown is not None else 0
    place = coach.place_of(index)
    targets = Targets() if place is None else place.targets
    best = coach.best_before(index)
    bars = [] if shown is None else _bars_of(coach, shown, index)
    signals = bars[-1].signals if bars else ()
    resting = phase is Phase.REST
    certain = resting and not (coach.going_on and coach.rest_since_s is None)
    gauges = _gauges(targets, best, posture, shown)
    of_set = card(shown, coach, index) if resting and shown is not None else None
    loss = None if shown is None else velocity_loss(shown.repetitions)
    fields: dict[str, Any] = {
        "targets": None if place is None else targets,
        "signals": signals,
        "cue": None if shown is None else _cue(shown, signals, of_set),
        "progress": _progress(coach, index, phase, shown, certain=certain),
        "bars": _bars(targets, best, shown, bars),
        "card": of_set,
        "previous_set": card(coach.sets[index - 1], coach, index - 1) if shown is not None and index else None,
        "last_time": _last_time(past, place),
        "velocity_loss": loss,
        "figures": _figures(shown, of_set if certain else None, targets, gauges, loss=loss, signals=signals),
        "gauge": gauges[0],
        "other_gauge": gauges[1],
    }
    if coach.rest_target_s is not None:
        fields["rest_target_s"] = coach.rest_target_s
    return fields


def _cue(shown: TrainingSet, signals: Sequence[SignalKind], of_set: SetCard | None) -> str | None:
    """Return the one cue: what the targets call for, else the form of the repetition; in a rest that of the set."""
    if of_set is not None:
        return of_set.try_next or of_set.well
    spoken = LOOKS[signals[0]].spoken if signals else ""
    return spoken or form_cue(shown)


# --- progress ---------------------------------------------------------------------------------------------------------


def _progress(coach: Coach, index: int, phase: Phase, shown: TrainingSet | None, *, certain: bool) -> Progress | None:
    """Return the set going on; in a certain rest the next one, also while a set that lacks repetitions may go on."""
    place, done = coach.place_of(index), () if shown is None else shown.repetitions
    repetitions = len(done) + (coach.entries.more_in(done) if done else 0)
    if place is None:
        return None
    if phase is Phase.SET or (phase is Phase.REST and not certain):
        return _progress_at(place, repetitions)
    if phase is Phase.WAITING:
        return _progress_at(place, 0, coming=True)
    following = coach.next_of(index)
    if following is None:
        return Progress(None, place.set_number, place.targets.sets, repetitions, place.targets.repetitions, done=True)
    return _progress_at(following, 0, coming=True)


def _progress_at(place: Place, repetitions: int, *, coming: bool = False) -> Progress:
    targets = place.targets
    return Progress(targets.title, place.set_number, targets.sets, repetitions, targets.repetitions, coming=coming)


def _last_time(past: Mapping[str, PastExercise], place: Place | None) -> LastTime | None:
    """Return the set with the same number of the last session; the last one where that had fewer."""
    of_exercise = None if place is None else past.get(place.targets.exercise or "")
    if place is None or of_exercise is None or not of_exercise.sets:
        return None
    return of_exercise.sets[min(place.set_number, len(of_exercise.sets)) - 1]


# --- gauges and bars --------------------------------------------------------------------------------------------------


def _gauges(targets: Targets, best: Best, posture: Posture | None, shown: TrainingSet | None) -> tuple[Gauge, Gauge]:
    """Return the gauge that matters and the other one."""
    last = None if shown is None else shown.repetitions[-1]
    depth = Gauge(
        Measure.DEPTH,
        None if posture is None else posture.hip_drop_m,
        depth_target_m(targets, best),
        None if last is None else last.hip_drop_m,
        FULL[Measure.DEPTH],
    )
    angle = Gauge(
        Measure.ANGLE,
        None if posture is None else posture.trunk_tilt_rad,
        angle_target_rad(targets, best),
        None if last is None else last.trunk_angle_rad,
        FULL[Measure.ANGLE],
    )
    return (angle, depth) if _is_hinge(targets, shown) else (depth, angle)


def _is_hinge(targets: Targets, shown: TrainingSet | None) -> bool:
    """Whether the trunk angle matters more than the depth: by the targets, unless another pattern came."""
    if shown is not None and targets.is_other(shown.pattern):
        return shown.pattern is Pattern.HINGE
    if (targets.depth_m is None) != (targets.trunk_angle_rad is None):
        return targets.depth_m is None
    return shown is not None and shown.pattern is Pattern.HINGE


def _bars_of(coach: Coach, shown: TrainingSet, index: int) -> list[Bar]:
    """Return the bars of a set; `_bars` fills in their values when the measure is clear."""
    done = shown.repetitions
    return [Bar(0.0, coach.signals_of(done[:count], index)) for count in range(1, len(done) + 1)]


def _bars(targets: Targets, best: Best, shown: TrainingSet | None, bars: Sequence[Bar]) -> Bars:
    measure = Measure.SPEED
    if shown is not None and not sinks(shown):
        measure = Measure.ANGLE if _is_hinge(targets, shown) else Measure.DEPTH
    values = [] if shown is None else [_VALUE_OF[measure](repetition) for repetition in shown.repetitions]
    low, loss_line = None, None
    if measure is Measure.SPEED:
        if targets.stop_loss is not None and values:
            loss_line = max(values) * (1 - targets.stop_loss)
    elif measure is Measure.DEPTH:
        low = depth_target_m(targets, best)
    else:
        low = angle_target_rad(targets, best)
    largest = max([*values, *(line for line in (low,) if line is not None)], default=0.0)
    return Bars(
        measure,
        tuple(Bar(value, bar.signals) for value, bar in zip(values, bars, strict=True)),
        ROOM * largest if largest > 0 else FULL[measure],
        low,
        None,
        loss_line,
        targets.repetitions,
    )


# --- the figures ------------------------------------------------------------------------------------------------------

_VALUE_OF: dict[Measure, Callable[[Repetition], float]] = {
    Measure.DEPTH: lambda repetition: repetition.hip_drop_m,
    Measure.ANGLE: lambda repetition: repetition.trunk_angle_rad,
    Measure.SPEED: lambda repetition: repetition.mean_concentric_velocity_m_s,
}
_CALLED_FOR = {
    SignalKind.TOO_SHALLOW: (Measure.DEPTH, Measure.ANGLE),
    SignalKind.TOO_FAST_DOWN: ("tempo",),
    SignalKind.TOO_SLOW_UP: (Measure.SPEED,),
    SignalKind.STOP: (Measure.SPEED,),
}
"""Which figures call for a signal."""


def _figures(
    shown: TrainingSet | None,
    rested: SetCard | None,
    targets: Targets,
    gauges: Sequence[Gauge],
    *,
    loss: float | None,
    signals: Sequence[SignalKind],
) -> tuple[Figure, ...]:
    """Return depth, angle, tempo and speed of the last repetition against its targets or the first repetition."""
    if shown is None:
        return ()
    if rested is not None:
        return _figures_of_set(rested)
    first, last, several = shown.repetitions[0], shown.repetitions[-1], len(shown.repetitions) > 1
    goals = {gauge.measure: gauge.target for gauge in gauges}
    kind = signals[0] if signals else None

    def fault(of: Measure | str) -> Look | None:
        return None if kind is None or of not in _CALLED_FOR.get(kind, ()) else LOOKS[kind]

    def figure(measure: Measure) -> Figure:
        value, goal = _VALUE_OF[measure], goals.get(measure)
        compared = f"{in_words(measure, value(last) - value(first), sign='+')} from the first" if several else ""
        note = compared if goal is None else f"target {in_words(measure, goal)}"
        called_for = fault(measure) if measure is Measure.SPEED or goal is not None else None
        return Figure(UNITS[measure][0], in_words(measure, value(last)), note, called_for)

    speed = figure(Measure.SPEED)
    if not sinks(shown):
        speed = Figure(speed.label, "–", HARDLY_SINKS)
    elif targets.velocity_m_s is not None and targets.stop_loss is None:
        speed = replace(speed, note="target {:g} to {:g} m/s".format(*targets.velocity_m_s))
    elif loss is not None:
        speed = replace(speed, note=loss_in_words(loss))
    usual = f"first {tempo((first,))}" if several else "down-pause-up"
    pace = Figure(
        "Tempo, s", tempo((last,)), usual if targets.tempo is None else f"target {targets.tempo}", fault("tempo")
    )
    return figure(Measure.DEPTH), figure(Measure.ANGLE), pace, speed


def _figures_of_set(done: SetCard) -> tuple[Figure, ...]:
    """Return the means of a set that is over."""
    speed = "–" if done.mean_speed_m_s is None else in_words(Measure.SPEED, done.mean_speed_m_s)
    best = HARDLY_SINKS if done.best_speed_m_s is None else f"best {in_words(Measure.SPEED, done.best_speed_m_s)}"
    lost = "" if done.speed_lost is None else f", end {round(-100 * done.speed_lost):+d} %"
    return (
        Figure("Depth", in_words(Measure.DEPTH, done.depth_m), "mean of the set"),
        Figure("Trunk", in_words(Measure.ANGLE, done.trunk_angle_rad), "mean of the set"),
        Figure("Tempo, s", done.tempo, "down-pause-up"),
        Figure(UNITS[Measure.SPEED][0], speed, best + lost),
    )
