"""A whole simulated session: a plan, a lifter and a sensor in, samples and the truth out.

The same seed gives bitwise the same samples. Body and sensor draw from separate random streams: with the same seed and
lifter, another sensor sees the same movement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from imu.samples import ImuBlock
from imu.virtual.person.continuous_sets import Manner, PerformedSet, perform_continuous_set
from imu.virtual.person.daily_movements import DAILY
from imu.virtual.person.exercises import VARIANTS, Pattern, perform_set, usual_repetition
from imu.virtual.person.lifter import Lifter, Performer, Span, perform
from imu.virtual.person.script import Script
from imu.virtual.person.truth import (
    DailyTruth,
    SessionTruth,
    SetTruth,
    TruthSignals,
    measure_continuous_set,
    measure_repetition,
)
from imu.virtual.person.worn_sensor import MARGIN, Sensor, body_times, carry, report, rows_per_sample

END_S = 0.1
"""The recording runs on for this long after the plan."""
SETTABLE = ("tilt_rad", "hip_drop_m", "eccentric_s", "pause_s", "concentric_s", "top_pause_s", "effort")
"""Fields of a repetition that an `Exercise` may set."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """One set. Fields that are None are drawn from the usual range of the variant and the habits of the lifter.

    Raises
    ------
    ValueError
        If the name is unknown or there is no repetition.
    """

    name: str
    repetitions: int
    tilt_rad: float | None = None
    hip_drop_m: float | None = None
    eccentric_s: float | None = None
    pause_s: float | None = None
    concentric_s: float | None = None
    top_pause_s: float | None = None
    effort: float | None = None
    manner: Manner | None = None
    """Manner of a touch-and-go set; None: the lifter stands up fully after each repetition."""

    def __post_init__(self) -> None:
        """Check name and count."""
        if self.name not in VARIANTS:
            raise ValueError(f"unknown exercise {self.name!r}; known: {', '.join(VARIANTS)}")
        if self.repetitions < 1:
            raise ValueError(f"repetitions must be at least 1, got {self.repetitions}")
        if self.manner is not None and self.manner.from_floor and not VARIANTS[self.name].lifts_from_floor:
            raise ValueError(f"{self.name} does not start with a weight on the floor")


@dataclass(frozen=True, slots=True)
class Daily:
    """One daily movement. `duration_s` is that of its long part (the walk, the time on the chair); None draws one.

    Raises
    ------
    ValueError
        If the name is unknown.
    """

    name: str
    duration_s: float | None = None

    def __post_init__(self) -> None:
        """Check the name."""
        if self.name not in DAILY:
            raise ValueError(f"unknown daily movement {self.name!r}; known: {', '.join(DAILY)}")


@dataclass(frozen=True, slots=True)
class Rest:
    """Quiet standing."""

    duration_s: float


PlanItem = Exercise | Daily | Rest


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedSession:
    """The rows that the sensor reports, the truth, and the exact signals on the same rows."""

    block: ImuBlock
    truth: SessionTruth
    truth_signals: TruthSignals


@dataclass(frozen=True, slots=True)
class _Performed:
    """A plan item, its span in body time, s, and the repetitions of a set."""

    item: PlanItem
    span_s: Span
    performed: PerformedSet


def _write(performer: Performer, item: PlanItem) -> _Performed:
    """Write one plan item into the script."""
    start, performed = performer.script.now_s, PerformedSet(())
    if isinstance(item, Rest):
        performer.wait(item.duration_s)
    elif isinstance(item, Daily):
        DAILY[item.name](performer, item.duration_s)
    else:
        variant = VARIANTS[item.name]
        asked = {name: getattr(item, name) for name in SETTABLE if getattr(item, name) is not None}
        usual = replace(usual_repetition(performer, variant), **asked)
        if item.manner is None:
            performed = PerformedSet(tuple(perform_set(performer, variant, item.repetitions, usual)))
        else:
            performed = perform_continuous_set(performer, variant, item.repetitions, usual, item.manner)
    return _Performed(item, (start, performer.script.now_s), performed)


def _truth(happened: Sequence[_Performed], signals: TruthSignals, device_per_body: float) -> SessionTruth:
    """Measure sets and daily movements on the fine signals."""
    sets, daily = [], []
    for entry in happened:
        others = [(entry.item.name, entry.span_s)] if isinstance(entry.item, Daily) else entry.performed.other_spans_s
        daily += [DailyTruth(name, *(device_per_body * time for time in span)) for name, span in others]
        if isinstance(entry.item, Exercise):
            name = entry.item.name
            pattern: Pattern = VARIANTS[name].pattern
            spans = [
                (device_per_body * start, device_per_body * end) for start, end in entry.performed.repetition_spans_s
            ]
            if entry.item.manner is None:
                reps = tuple(measure_repetition(signals, *span, pattern, name) for span in spans)
            else:
                reps = measure_continuous_set(signals, spans, pattern, name)
            sets.append(SetTruth(name, pattern, reps))
    return SessionTruth(tuple(sets), tuple(daily))


def simulate(plan: Sequence[PlanItem], lifter: Lifter, sensor: Sensor, seed: int) -> SimulatedSession:
    """Let `lifter` carry out `plan` wearing `sensor`.

    Parameters
    ----------
    plan : sequence of Exercise, Daily and Rest
        The movements in order; pauses are items of the plan.
    lifter, sensor : Lifter, Sensor
        The person and the worn sensor.
    seed : int
        All other random numbers follow from it.

    Raises
    ------
    ValueError
        If the plan takes no time.
    """
    plan_seed, unsteady_seed, sensor_seed = np.random.SeedSequence(seed).spawn(3)
    performer = Performer(Script(), lifter, np.random.default_rng(plan_seed))
    happened = [_write(performer, item) for item in plan]
    if performer.script.now_s < 0.1:
        raise ValueError(f"the plan takes {performer.script.now_s} s, at least 0.1 s is needed")
    time = body_times(sensor, performer.script.now_s + END_S)
    motion = perform(performer.script, lifter, np.random.default_rng(unsteady_seed), time)
    rng = np.random.default_rng(sensor_seed)
    carried = carry(motion, sensor, rng)
    inner = slice(MARGIN, -MARGIN)
    device_per_body = 1.0 + 1e-6 * sensor.clock_drift_ppm
    signals = TruthSignals(
        time_s=time[inner] * device_per_body,
        pelvis_pitch_rad=motion.pitch_rad[inner],
        hip_height_m=motion.hip_position_m[inner, 2],
        sensor_height_m=carried.position_m[:, 2],
        sensor_to_world=carried.sensor_to_world,
    )
    block, arrived = report(carried, sensor, rng)
    on_rows = signals[arrived * rows_per_sample(sensor)]
    return SimulatedSession(block, _truth(happened, signals, device_per_body), on_rows)
