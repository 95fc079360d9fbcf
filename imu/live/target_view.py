"""The part of the live view model that is about targets: progress, gauges, bars, signals, the card of a set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from imu.live.live_view import (
    FULL,
    Bar,
    Bars,
    Gauge,
    LastTime,
    Measure,
    Phase,
    Progress,
    SetCard,
    TrainedBefore,
)
from imu.live.signals import (
    FAULTS,
    LOOKS,
    Best,
    Coach,
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
from imu.report.cues import cues, sinks
from imu.report.words import number_of, tempo
from imu.session import TrainingSet

ROOM = 1.15
"""The scale of the bars ends this much above the largest value or target."""
PRAISE = ("upright", "well bent")
"""How the report begins a cue that is praise."""


def target_fields(
    coach: Coach, before: TrainedBefore, posture: Posture | None, phase: Phase, shown: TrainingSet | None
) -> dict[str, Any]:
    """Return the fields of the view that depend on the plan, its targets and the set that is shown."""
    index = len(coach.sets) - (not coach.going_on) if shown is not None else 0
    place = coach.place_of(index)
    targets = Targets() if place is None else place.targets
    best = coach.best_before(index)
    bars = [] if shown is None else _bars_of(coach, shown, index)
    signals = bars[-1].signals if bars else ()
    resting = phase is Phase.REST
    fields: dict[str, Any] = {
        "targets": None if place is None else targets,
        "signals": signals,
        "cue": None if shown is None else _cue(shown, signals, resting=resting),
        "progress": _progress(coach, index, phase, 0 if shown is None else len(shown.repetitions)),
        "bars": _bars(targets, best, shown, bars),
        "card": card(shown, coach, index) if resting and shown is not None else None,
        "previous_set": card(coach.sets[index - 1], coach, index - 1) if shown is not None and index else None,
        "last_time": _last_time(before, place),
        **_gauges(targets, best, posture, shown),
    }
    if targets.stop_loss is not None and shown is not None:
        fields["velocity_loss"] = velocity_loss(shown.repetitions)
    if coach.rest_target_s is not None:
        fields["rest_target_s"] = coach.rest_target_s
    return fields


def _cue(shown: TrainingSet, signals: Sequence[SignalKind], *, resting: bool) -> str | None:
    """Return the one cue: what the targets call for, else what the form of the repetition calls for."""
    if resting:
        return next(iter(cues(shown)), None)
    spoken = LOOKS[signals[0]].spoken if signals else ""
    return spoken or form_cue(shown)


# --- progress ---------------------------------------------------------------------------------------------------------


def _progress(coach: Coach, index: int, phase: Phase, repetitions: int) -> Progress | None:
    place = coach.place_of(index)
    if place is None:
        return None
    if phase is Phase.SET or (phase is Phase.REST and coach.going_on):
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


def _last_time(before: TrainedBefore, place: Place | None) -> LastTime | None:
    """Return the set with the same number of the last session; the last one where that had fewer."""
    past = None if place is None else before.exercises.get(place.targets.exercise or "")
    if place is None or past is None or not past.sets:
        return None
    return past.sets[min(place.set_number, len(past.sets)) - 1]


# --- gauges and bars --------------------------------------------------------------------------------------------------


def _gauges(targets: Targets, best: Best, posture: Posture | None, shown: TrainingSet | None) -> dict[str, Gauge]:
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
    first, second = (angle, depth) if _is_hinge(targets, shown) else (depth, angle)
    return {"gauge": first, "other_gauge": second}


def _is_hinge(targets: Targets, shown: TrainingSet | None) -> bool:
    """Whether the trunk angle matters more than the depth: by the targets, else by the pattern of the set."""
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
    values = [] if shown is None else [_value(repetition, measure) for repetition in shown.repetitions]
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


def _value(repetition: Repetition, measure: Measure) -> float:
    match measure:
        case Measure.DEPTH:
            return repetition.hip_drop_m
        case Measure.ANGLE:
            return repetition.trunk_angle_rad
        case Measure.SPEED:
            return repetition.peak_concentric_velocity_m_s


# --- the card of a set ------------------------------------------------------------------------------------------------


def card(done: TrainingSet, coach: Coach, index: int) -> SetCard:
    """Return what is to be said of a set.

    Parameters
    ----------
    done : TrainingSet
        The set.
    coach : Coach
        Plan and signals of the training.
    index : int
        Number of the set in the training, from 0.
    """
    place = coach.place_of(index)
    targets = Targets() if place is None else place.targets
    repetitions = done.repetitions
    signals = [coach.signals_of(repetitions[:count], index) for count in range(1, len(repetitions) + 1)]
    faults = Counter(kind for kinds in signals for kind in kinds if kind in FAULTS)
    good = sum(not FAULTS & set(kinds) for kinds in signals) if targets.judge_repetitions else None
    speeds = [one.mean_concentric_velocity_m_s for one in repetitions] if sinks(done) else []
    said = cues(done)
    praise = next((one for one in said if one.startswith(PRAISE)), None)
    advice = next((one for one in said if not one.startswith(PRAISE)), None)
    well = praise
    if good is not None and good == len(repetitions):
        well = "every repetition met its targets"
    if faults:
        kind, count = faults.most_common(1)[0]
        advice = f"{LOOKS[kind].spoken}: {count} of {number_of(len(repetitions), 'rep')} {_were(count)} {kind}"
    return SetCard(
        title=targets.title,
        pattern=done.pattern,
        repetitions=len(repetitions),
        best_speed_m_s=max(speeds, default=None),
        mean_speed_m_s=fmean(speeds) if speeds else None,
        velocity_loss=velocity_loss(repetitions),
        depth_m=fmean(one.hip_drop_m for one in repetitions),
        trunk_angle_rad=fmean(one.trunk_angle_rad for one in repetitions),
        tempo=tempo(repetitions),
        good=good,
        well=well,
        try_next=advice,
    )


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
