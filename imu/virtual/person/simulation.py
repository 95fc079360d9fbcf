"""Simulated sessions: a plan, a lifter and a sensor in, samples and the truth out; and plans to simulate.

The same seed gives bitwise the same samples. Body and sensor draw from separate random streams: with the same seed and
lifter, another sensor measures the same movement. A plan is a list of exercises, daily movements and rests. There are
random plans, plain and touch-and-go, for tests and fitting, and the built-in training of the virtual sensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import NamedTuple

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
                reps = tuple(measure_repetition(signals, span, span, pattern, name) for span in spans)
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


# --- random plans ----------------------------------------------------------------------------------------------------

UNRACKED = ("back_squat", "low_bar_squat", "good_morning")
"""Exercises that start by taking a bar from a rack."""
PICKED_UP = ("upright_squat", "sumo_squat", "romanian_deadlift", "tempo_hinge", "kettlebell_swing")
"""Exercises that often start by picking a weight up and end by putting it down."""
SET_UPS = ("unrack_and_step_back", "pick_up_weight", "put_down_weight")
TRAINING_ONLY = ("step_in_and_rack", "stoop", "move_weight", "hands_on_knees", "jumps_in_a_row")
"""Daily movements that plain sessions leave out, so that each seed keeps its session."""
FOR_FITTING = ("straight_bend",)
"""Daily movements that only `with_bends_beside` adds, for the same reason."""
FREQUENT = ("walking", "walking", "few_steps", "fidgeting", "fidgeting", "drinking", "sit_down_and_stand_up")
APART_S = 13.0
"""A rest that ends a set, s."""
BETWEEN_SETS = (*FREQUENT, *(name for name in DAILY if name not in (*SET_UPS, *TRAINING_ONLY, *FOR_FITTING)))


def _rest(rng: np.random.Generator, least_s: float) -> list[PlanItem]:
    """Draw what happens in a pause of about `least_s`."""
    items: list[PlanItem] = []
    passed = 0.0
    while passed < least_s:
        if rng.random() < 0.55:
            items.append(Daily(BETWEEN_SETS[int(rng.integers(len(BETWEEN_SETS)))]))
            passed += 7.0
        else:
            items.append(Rest(float(rng.uniform(0.3, 8.0))))
            passed += 4.0
    return items


def _set_apart(rng: np.random.Generator, repetitions: int) -> list[PlanItem]:
    """Draw one set with a rest before and after it, free of daily movements."""
    name = str(rng.choice(list(VARIANTS)))
    before, after = (Rest(float(rng.uniform(APART_S, APART_S + 5.0))) for _ in range(2))
    return [before, Exercise(name, repetitions), after]


def _set(rng: np.random.Generator, repetitions: int) -> list[PlanItem]:
    """Draw one set with what comes right before and after it."""
    name = str(rng.choice(list(VARIANTS)))
    fetched = name in PICKED_UP and rng.random() < 0.6
    before: list[PlanItem] = []
    if rng.random() < 0.5:
        before.append(Daily("few_steps"))
    if name in UNRACKED:
        before.append(Daily("unrack_and_step_back"))
    elif fetched:
        before.append(Daily("pick_up_weight"))
    before.append(Rest(float(rng.uniform(0.2, 4.0))))
    after: list[PlanItem] = [Rest(float(rng.uniform(0.2, 3.0)))]
    if fetched:
        after.append(Daily("put_down_weight"))
    if rng.random() < 0.5:
        after.append(Daily("walking"))
    return [*before, Exercise(name, repetitions), *after]


def random_session(seed: int, *, short: bool = False, apart: bool = False) -> tuple[list[PlanItem], Lifter, Sensor]:
    """Draw a plan, a lifter and a sensor.

    Three to six sets of 4-12 repetitions, pauses of 15-60 s in which daily movements happen, and mostly a quiet start.

    Parameters
    ----------
    seed : int
        The same seed draws the same session.
    short : bool
        One or two sets of 2-5 repetitions and pauses of a few seconds, for tests.
    apart : bool
        Daily movements stay between the sets; else most sets have them right before and after, weights picked up
        and put down among them.
    """
    rng = np.random.default_rng([seed, 1])
    lifter, sensor = Lifter.random(rng), Sensor.random(rng)
    sets = int(rng.integers(1, 3) if short else rng.integers(3, 7))
    plan: list[PlanItem] = [Rest(float(rng.uniform(0.8, 5.0)))] if rng.random() < 0.8 else []
    if rng.random() < 0.5:
        plan.extend(_rest(rng, 5.0))
    for index in range(sets):
        plan.extend((_set_apart if apart else _set)(rng, int(rng.integers(2, 6) if short else rng.integers(4, 13))))
        if index < sets - 1 or rng.random() < 0.5:
            plan.extend(_rest(rng, float(rng.uniform(1, 8) if short else rng.uniform(15, 60))))
    return plan, lifter, sensor


# --- random plans of touch-and-go sets ------------------------------------------------------------------------------

IN_THE_GYM = ("pick_up_weight", "put_down_weight", *TRAINING_ONLY)
"""Movements beside sets that look like parts of them."""
DIFFICULT = ("jump", "jumps_in_a_row", "stoop", "hands_on_knees", "sit_down_and_stand_up", "few_steps")
"""Movements that may come right before or after a set."""


def _random_daily(rng: np.random.Generator, names: Sequence[str]) -> Daily:
    """Draw one daily movement."""
    return Daily(names[int(rng.integers(len(names)))])


def _pause(rng: np.random.Generator, least_s: float) -> list[PlanItem]:
    """Draw a pause of about `least_s`: standing, and daily movements in half of its pieces."""
    items: list[PlanItem] = []
    passed_s = 0.0
    while passed_s < least_s:
        if rng.random() < 0.5:
            items.append(_random_daily(rng, BETWEEN_SETS if rng.random() < 0.7 else IN_THE_GYM))
            passed_s += 7.0
        else:
            items.append(Rest(float(rng.uniform(0.3, 8.0))))
            passed_s += 4.0
    return items


def _continuous_set(rng: np.random.Generator, name: str, repetitions: int) -> list[PlanItem]:
    """Draw one set with what comes right before and after it."""
    manner = Manner.random(rng, VARIANTS[name])
    before: list[PlanItem] = [Rest(float(rng.uniform(0.1, 4.0)))]
    after: list[PlanItem] = [Rest(float(rng.uniform(0.1, 3.0)))]
    if name in UNRACKED and rng.random() < 0.7:
        before.insert(0, Daily("unrack_and_step_back"))
        if manner.failure is None:
            after.append(Daily("step_in_and_rack"))
    elif name in PICKED_UP and not manner.from_floor and rng.random() < 0.5:
        before.insert(0, Daily("pick_up_weight"))
        if manner.failure is None:
            after.append(Daily("put_down_weight"))
    if rng.random() < 0.25:
        before.insert(0, _random_daily(rng, DIFFICULT))
    if rng.random() < 0.25:
        after.append(_random_daily(rng, DIFFICULT))
    if rng.random() < 0.4:
        after.append(Daily("walking" if rng.random() < 0.5 else "few_steps"))
    return [*before, Exercise(name, repetitions, manner=manner), *after]


def _rougher(rng: np.random.Generator, lifter: Lifter) -> Lifter:
    """Return the lifter, less smooth: recordings in `squat_sets` hold two to four times the unrest above 4 Hz."""
    return replace(
        lifter,
        unsteadiness_rad=lifter.unsteadiness_rad * float(np.exp(rng.uniform(0.0, np.log(4.0)))),
        tremor_rad=lifter.tremor_rad * float(np.exp(rng.uniform(0.0, np.log(6.0)))),
    )


def random_continuous_session(seed: int, *, short: bool = False) -> tuple[list[PlanItem], Lifter, Sensor]:
    """Draw a plan of touch-and-go sets, a lifter and a sensor.

    Three to six sets of 3-15 repetitions, each of a random exercise in a random `Manner`, and pauses of 5-60 s in which
    daily movements happen. Some sessions start within a second of the first set, as recordings of single sets do.

    Parameters
    ----------
    seed : int
        The same seed draws the same session.
    short : bool
        One or two sets of 2-6 repetitions and pauses of a few seconds.
    """
    rng = np.random.default_rng([seed, 2])
    lifter, sensor = _rougher(rng, Lifter.random(rng)), Sensor.random(rng)
    sets = int(rng.integers(1, 3) if short else rng.integers(3, 7))
    plan: list[PlanItem] = [Rest(float(rng.uniform(0.1, 5.0)))]
    if rng.random() < 0.5:
        plan.extend(_pause(rng, 5.0))
    names = list(VARIANTS)
    for index in range(sets):
        name = names[int(rng.integers(len(names)))]
        plan.extend(_continuous_set(rng, name, int(rng.integers(2, 7) if short else rng.integers(3, 16))))
        if index < sets - 1 or rng.random() < 0.5:
            plan.extend(_pause(rng, float(rng.uniform(1, 8) if short else rng.uniform(5, 60))))
    return plan, lifter, sensor


BENDS = (*FOR_FITTING * 3, "stoop", "pick_up_weight", "put_down_weight", "move_weight")
"""Bends to a weight, which come right before or after a set."""


def with_bends_beside(plan: Sequence[PlanItem], seed: int) -> list[PlanItem]:
    """Return a plan in which every second set begins with a bend, and every second one is followed by one."""
    rng = np.random.default_rng([seed, 5])
    items: list[PlanItem] = []
    for item in plan:
        before, after = (isinstance(item, Exercise) and rng.random() < 0.5 for _ in range(2))
        items += [_random_daily(rng, BENDS), Rest(float(rng.uniform(0.2, 3.0)))] if before else []
        items.append(item)
        items += [Rest(float(rng.uniform(0.1, 2.0))), _random_daily(rng, BENDS)] if after else []
    return items


# --- the built-in training of the virtual sensor ---------------------------------------------------------------------

BUILT_IN_RATE_HZ = 200.0
"""Sampling rate, Hz. People move below 20 Hz, so a faster sensor would measure nothing more."""
BUILT_IN_STANDING_S = 3.0
"""Quiet standing before the first repetition, s."""
BUILT_IN_REST_S = 15.0
"""Quiet standing between two sets, s. It is long enough to end a set."""


class _BuiltInSet(NamedTuple):
    """One set: an exercise by name, and its tempo, s."""

    exercise: str
    repetitions: int
    eccentric_s: float
    pause_s: float
    concentric_s: float
    top_pause_s: float


BUILT_IN_SETS: tuple[_BuiltInSet, ...] = (
    _BuiltInSet("air_squat", 5, 1.3, 0.1, 1.1, 0.6),
    _BuiltInSet("romanian_deadlift", 5, 1.5, 0.1, 1.2, 0.5),
    _BuiltInSet("upright_squat", 8, 1.5, 0.3, 1.2, 0.6),
    _BuiltInSet("good_morning", 6, 1.7, 0.2, 1.4, 0.6),
)

# An average chip: noise of 0.1 mg and 5 mdps per √Hz, offsets of a few mg and some tenths of a degree per second.
_NOISE_M_S2_RTHZ, _NOISE_RAD_S_RTHZ = 0.00098, 0.000087
_OFFSET_M_S2, _OFFSET_RAD_S = 0.08, 0.006


PlannedSets = Sequence[tuple[str | None, int | None]]
"""Pattern (``squat``, ``hinge``) and repetitions of each set; ``None`` where the plan leaves one open."""


def virtual_signal(seed: int = 1, seconds: float = 600.0, planned: PlannedSets = ()) -> ImuBlock:
    """Return what a sensor at the back of the hip measures in the built-in training.

    The person stands, squats, rests, hinges and so on. The first minute has a set of each pattern, so that a short
    demonstration shows both.

    Parameters
    ----------
    seed : int
        The person and the variation between repetitions follow from it.
    seconds : float
        Least duration, s. The last set is complete, so the signal may be up to a minute longer.
    planned : sequence of (str or None, int or None)
        Sets to do in place of the built-in ones; after them the person stands still.

    Raises
    ------
    ValueError
        If `seconds` is not positive.
    """
    if not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds}")
    rng = np.random.default_rng([seed, 0xB1E])
    lifter = Lifter(
        height_m=float(rng.uniform(1.6, 1.9)),
        depth=float(rng.uniform(0.4, 0.8)),
        lean=float(rng.uniform(0.3, 0.7)),
        asymmetry_rad=float(rng.normal(0, 0.02)),
        fatigue=0.1,
    )
    sensor = Sensor(
        place="back",
        sampling_rate_hz=BUILT_IN_RATE_HZ,
        bandwidth_hz=0.4 * BUILT_IN_RATE_HZ,
        acceleration_noise_m_s2_rthz=_NOISE_M_S2_RTHZ,
        angular_velocity_noise_rad_s_rthz=_NOISE_RAD_S_RTHZ,
        acceleration_offset_m_s2=_random_triple(rng, _OFFSET_M_S2),
        angular_velocity_offset_rad_s=_random_triple(rng, _OFFSET_RAD_S),
    )
    return simulate(list(_built_in_plan(seconds, planned)), lifter, sensor, seed).block


def _built_in_plan(seconds: float, planned: PlannedSets) -> Iterator[PlanItem]:
    """Yield sets and rests that take at least `seconds`."""
    yield Rest(BUILT_IN_STANDING_S)
    passed_s = BUILT_IN_STANDING_S
    usual = {None: BUILT_IN_SETS[0], "squat": BUILT_IN_SETS[0], "hinge": BUILT_IN_SETS[1]}
    wanted = [usual[pattern]._replace(repetitions=reps or usual[pattern].repetitions) for pattern, reps in planned]
    for each in wanted or cycle(BUILT_IN_SETS):
        yield Exercise(
            each.exercise,
            each.repetitions,
            eccentric_s=each.eccentric_s,
            pause_s=each.pause_s,
            concentric_s=each.concentric_s,
            top_pause_s=each.top_pause_s,
        )
        yield Rest(BUILT_IN_REST_S)
        passed_s += each.repetitions * (each.eccentric_s + each.concentric_s) + BUILT_IN_REST_S  # at least
        if passed_s >= seconds:
            return
    yield Rest(seconds - passed_s)


def _random_triple(rng: np.random.Generator, spread: float) -> tuple[float, float, float]:
    x, y, z = rng.normal(0, spread, 3)
    return float(x), float(y), float(z)
