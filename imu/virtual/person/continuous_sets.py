"""Sets whose repetitions follow each other without standing still, carried out in a given `Manner`.

The manner of a set says what lean stays between repetitions, its tempo, breaths and fatigue, where the weight comes
from and how the set ends. The lifter stays in a braced posture between repetitions: leaning, knees not quite straight.
Single movements come from `exercises`; `simulation` draws a manner for each set. The truth of each repetition is
measured afterwards, in `truth`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self, TypedDict, get_args

import numpy as np

from imu.virtual.person.exercises import (
    Failure,
    Posture,
    Repetition,
    Variant,
    fail_repetition,
    finish_lockout,
    let_go,
    perform_repetition,
    perform_swings,
    take_stance,
    varied_repetition,
)
from imu.virtual.person.lifter import Gait, Performer, Span, go
from imu.virtual.person.script import Channel, Cycle

LARGEST_LEAN_RAD = float(np.radians(25.0))
"""Lean that stays between repetitions: people in `squat_sets` stay 14-25° forward of their first posture."""
LARGEST_BEND = 0.1
"""Share of the drop that is cut off at the top."""
LARGEST_SHIFT_M = 0.08
"""The centre of mass stays over the feet, which reach about 0.1 m to either side of its usual place."""
DEEP_SQUAT_M = 0.25
"""Variants of squats at least this deep stay squats when the trunk leans far."""
SHARES = (
    "residual_bend",
    "top_overlap",
    "pelvis_overlap",
    "breath_probability",
    "shallowing",
    "grinding",
    "partial_probability",
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How one set is carried out; the defaults make the plainest set.

    Raises
    ------
    ValueError
        If a share or probability is outside 0 to 1, a factor is not positive, or the failure is unknown.
    """

    residual_lean_rad: float = 0.0
    """Lean of the pelvis that stays between repetitions, forward of quiet standing, rad."""
    lean_drift: float = 0.0
    """Share by which the residual lean grows from the middle of the set to its end; negative: it shrinks."""
    residual_bend: float = 0.0
    """Share of the hip drop that is left undone at the top, 0 to 1."""
    braced_start: bool = False
    """The lifter takes up the leaning posture before the first repetition, instead of at the end of it."""
    upright_end: bool = False
    """The last repetition ends in quiet standing; else the lifter stands up after it."""
    tempo: float = 1.0
    """Factor on the durations of descent and ascent."""
    steady: bool = False
    """The hip moves at constant speed down and up, as tempo squats are meant to be."""
    top_pause_s: Span = (0.0, 0.0)
    """Shortest and longest pause at the top of a repetition that no breath follows, s."""
    top_overlap: float = 0.0
    """Share of the shorter way by which a descent begins before the ascent before it has ended."""
    pelvis_overlap: float = 0.0
    """The same for the pelvis alone, which then turns round at the top without a halt."""
    breath_probability: float = 0.0
    """Probability of a breath of 1-8 s after a repetition."""
    depth: float = 1.0
    """Factor on the usual hip drop; below 1: a set of partial repetitions."""
    tilt: float = 1.0
    """Factor on the usual tilt of the pelvis."""
    partial_probability: float = 0.0
    """Probability that a repetition is a partial one, of 0.4-0.7 of the depth."""
    slowing: float = 0.0
    """Share by which the last ascent is slower than the first, besides the lifter's own fatigue."""
    shallowing: float = 0.0
    """Share by which the last repetition is shallower than the first."""
    grinding: float = 0.0
    """Probability that the last ascent grinds; the earlier ones do so with the square of their place in the set."""
    from_floor: bool = False
    """The weight stands on the floor before and after the set: a deadlift, or a bell to swing."""
    failure: Failure | None = None
    """How one more repetition fails after the last."""
    together: bool = False
    """Pelvis and legs move over the same time and alike, and the pelvis does not roll back at the bottom."""
    shift_m: float = 0.0
    """Shift of the centre of mass at the bottom, m, forward positive; the hips go with it."""
    bottom_pause_s: float = 0.0
    """Least pause at the bottom, s."""

    def __post_init__(self) -> None:
        """Check the values that would break the movement."""
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        for name in ("tempo", "depth", "tilt"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.failure is not None and self.failure not in get_args(Failure):
            raise ValueError(f"failure must be one of {', '.join(get_args(Failure))}, got {self.failure!r}")

    @classmethod
    def random(cls, rng: np.random.Generator, variant: Variant) -> Self:
        """Draw a manner for a set of `variant`.

        Three sets in four keep a lean of 0-25°. One set in six is very fast (0.3-0.6 of the usual durations), one in
        six slow (1.6-3 times). Swings keep their rhythm, because a bell swings as fast as its weight lets it.
        """
        tempo = _random_tempo(rng, variant)
        turns = bool(rng.random() < 0.6) or variant.ballistic
        breathes = rng.random() < 0.35 and not variant.ballistic
        tires = rng.random() < 0.4 and not variant.ballistic
        ways_to_fail = failures_of(variant)
        fails = rng.random() < 0.08 and bool(ways_to_fail)
        return cls(
            residual_lean_rad=_mostly(rng, 0.75, (0, LARGEST_LEAN_RAD), (0, float(np.radians(4)))),
            lean_drift=float(rng.uniform(-0.3, 0.8)),
            residual_bend=_mostly(rng, 0.5, (0, LARGEST_BEND), (0, 0)),
            braced_start=bool(rng.random() < 0.5),
            upright_end=bool(rng.random() < 0.3),
            tempo=tempo,
            steady=bool(rng.random() < (0.6 if tempo > 1.6 else 0.1)) and not variant.ballistic,
            top_pause_s=(0.0, 0.0) if turns else (0.0, float(rng.uniform(0.1, 1.0))),
            top_overlap=_mostly(rng, 0.5, (0, 0.3), (0, 0)) if turns else 0.0,
            pelvis_overlap=_mostly(rng, 0.6, (0, 0.4), (0, 0)) if turns else 0.0,
            breath_probability=_mostly(rng, 0.5, (0.05, 0.3), (0.3, 1.0)) if breathes else 0.0,
            depth=_mostly(rng, 0.15, (0.4, 0.75), (0.9, 1.15)),
            tilt=_random_tilt(rng, variant),
            partial_probability=_mostly(rng, 0.15, (0.05, 0.3), (0, 0)),
            slowing=float(rng.uniform(0.2, 1.5)) if tires else 0.0,
            shallowing=float(rng.uniform(0.0, 0.4)) if tires else 0.0,
            grinding=float(rng.uniform(0.2, 1.0)) if tires and rng.random() < 0.7 else 0.0,
            from_floor=bool(variant.lifts_from_floor and rng.random() < 0.6),
            failure=ways_to_fail[int(rng.integers(len(ways_to_fail)))] if fails else None,
            **_random_style(rng.spawn(1)[0], variant),
        )


def failures_of(variant: Variant) -> tuple[Failure, ...]:
    """Return the ways in which a repetition of `variant` may fail: only a squat is walked out of, no swing fails."""
    failures: tuple[Failure, ...] = get_args(Failure)
    return () if variant.ballistic else failures if variant.pattern == "squat" else failures[:2]


class _Style(TypedDict):
    together: bool
    shift_m: float
    bottom_pause_s: float


def _random_style(rng: np.random.Generator, variant: Variant) -> _Style:
    """Draw how the hip travels. It varies more than people do, so that no counter can learn one course by heart."""
    if variant.ballistic:
        return {"together": False, "shift_m": 0.0, "bottom_pause_s": 0.0}
    return {
        "together": bool(rng.random() < (0.4 if variant.pattern == "squat" else 0.2)),
        "shift_m": _mostly(rng, 0.5, (-LARGEST_SHIFT_M, LARGEST_SHIFT_M), (0, 0)),
        "bottom_pause_s": _mostly(rng, 0.2, (0.2, 2.0), (0, 0)),
    }


def _mostly(rng: np.random.Generator, probability: float, usual: Span, other: Span) -> float:
    """Draw from the `usual` span with the given probability, else from the other."""
    return float(rng.uniform(*(usual if rng.random() < probability else other)))


def _random_tempo(rng: np.random.Generator, variant: Variant) -> float:
    """Draw a factor on the durations of descent and ascent, 0.3 to 3."""
    if variant.ballistic:
        return float(rng.uniform(0.9, 1.3))
    kind = rng.random()
    if kind < 1 / 6:
        return float(rng.uniform(0.3, 0.6))
    if kind < 1 / 3:
        return float(rng.uniform(1.6, 3.0))
    return float(np.exp(rng.uniform(np.log(0.6), np.log(1.6))))


def _random_tilt(rng: np.random.Generator, variant: Variant) -> float:
    """Draw a factor on the tilt: deep squats may lean far, hinges may be shallow."""
    if variant.pattern == "hinge":
        return _mostly(rng, 0.15, (0.35, 0.8), (0.85, 1.15))
    return _mostly(rng, 0.35 if variant.hip_drop_m[0] >= DEEP_SQUAT_M else 0.0, (1.15, 1.8), (0.8, 1.15))


# --- the repetitions of a set ----------------------------------------------------------------------------------------

LARGEST_FALL_M_S2 = 5.0
"""Largest downward acceleration of the hip in an evenly spread descent; an uneven one reaches 1.7 times as much."""
MINIMUM_JERK_PEAK = 5.77
"""Peak acceleration of a minimum-jerk step of unit size in unit time."""
SLOWEST_S = 8.0
"""Longest descent or ascent, s: slow tempo squats take 4-6 s a way."""
FASTEST_S = 0.65
"""Shortest repetition, s, from one top to the next."""
FASTEST_TILT_RAD_S = 2.4
"""Largest mean rate at which the pelvis tilts, rad/s; swings have about 2."""
FURTHER_TILT = 0.3
"""Share of the usual tilt by which the pelvis goes beyond the residual lean at least."""
LEAST_DROP_M = 0.08
"""A partial squat sinks by this much at least, for a body of 1.75 m."""
LEAST_HINGE_RAD = float(np.radians(12.0))
"""A partial hinge goes this far beyond the residual lean at least."""

Between = Literal["turn", "pause", "breath", "end"]
"""The movement at the top, after a repetition."""


@dataclass(frozen=True, slots=True)
class PerformedSet:
    """Spans in body time, s: the repetitions of a set, and by name its other movements."""

    repetition_spans_s: tuple[Span, ...]
    other_spans_s: tuple[tuple[str, Span], ...] = ()


def perform_continuous_set(
    performer: Performer, variant: Variant, repetitions: int, usual: Repetition, manner: Manner
) -> PerformedSet:
    """Write a set carried out in `manner`.

    The span of a repetition starts where the one before it ended, unless the lifter pauses at the top in between.
    With the weight on the floor, a repetition is one lockout: it starts at the top before (the first in standing,
    before the lifter bends to the weight) and ends at the top. The way down after the last lockout, with which the
    weight is put back, is ``letting_go`` and no repetition, although it looks much like one. Neither is a
    ``failed_repetition``.
    """
    usual = _in_manner(performer, variant, usual, manner)
    take_stance(performer, variant)
    if variant.ballistic:
        spans = perform_swings(
            performer, usual, repetitions, residual_lean_rad=manner.residual_lean_rad, from_floor=manner.from_floor
        )
    else:
        spans = _perform_repetitions(performer, variant, repetitions, usual, manner)
    others: list[tuple[str, Span]] = []
    next_one = _within_reach(varied_repetition(performer, usual, 1.0), 0.0)
    if manner.failure is not None:
        others.append(("failed_repetition", fail_repetition(performer, variant, next_one, manner.failure)))
    elif manner.from_floor:
        others.append(("letting_go", let_go(performer, variant, next_one)))
    finish_lockout(performer)
    return PerformedSet(tuple(spans), tuple(others))


def _perform_repetitions(
    performer: Performer, variant: Variant, repetitions: int, usual: Repetition, manner: Manner
) -> list[Span]:
    """Write the repetitions of a set that is not of swings; return their spans, s."""
    if manner.braced_start and not manner.from_floor:
        _brace(performer, _top_posture(performer, usual, manner, 0.0), performer.uniform((0.4, 1.0)))
        performer.wait(performer.uniform((0.0, 1.5)))
    spans: list[Span] = []
    before: Between = "pause"
    for index in range(repetitions):
        last, progress = index == repetitions - 1, index / max(repetitions - 1, 1)
        after: Between = "end" if last else _what_follows(performer, manner)
        top = _top_posture(performer, usual, manner, progress)
        repetition = _tired(performer, variant, varied_repetition(performer, usual, progress), manner, progress)
        repetition = replace(
            repetition,
            top=Posture() if last and manner.upright_end else top,
            pelvis_early=manner.pelvis_overlap if before == "turn" else 0.0,
            pelvis_late=manner.pelvis_overlap if after == "turn" else 0.0,
        )
        if manner.from_floor:
            repetition = _with_weight_on_floor(performer, repetition, first=index == 0)
        repetition = _within_reach(repetition, manner.top_overlap)
        start, end = perform_repetition(performer, variant, repetition)
        bottom_s = start + repetition.eccentric_s
        if manner.from_floor:
            _settle_at_weight(performer, bottom_s, repetition.pause_s)
        elif variant.floor_contact and variant.pattern == "squat":
            _sit(performer, bottom_s, repetition.pause_s)
        if after == "turn":
            end -= manner.top_overlap * min(repetition.eccentric_s, repetition.concentric_s)
            performer.script.now_s = end
        spans.append((start, end))
        _stay_at_top(performer, manner, top, after)
        before = after
    performer.wait(performer.uniform((0.0, 2.0)) * float(performer.chance(0.6)))
    return spans


def _in_manner(performer: Performer, variant: Variant, usual: Repetition, manner: Manner) -> Repetition:
    """Return the usual repetition at the tempo, depth and tilt of the set."""
    lean, tilt = manner.residual_lean_rad, usual.tilt_rad * manner.tilt
    if variant.pattern == "hinge":
        tilt = max(tilt, LEAST_HINGE_RAD)
    pause = max(usual.pause_s, manner.bottom_pause_s)
    if variant.floor_contact and variant.pattern == "squat":
        pause = max(pause, performer.uniform((0.3, 1.2)))
    return replace(
        usual,
        tilt_rad=max(tilt + performer.uniform((0.0, 0.7)) * lean, lean + FURTHER_TILT * tilt),
        hip_drop_m=usual.hip_drop_m * manner.depth,
        wink_rad=0.0 if manner.together else usual.wink_rad * min(manner.depth, 1.0),
        eccentric_s=usual.eccentric_s * manner.tempo,
        pause_s=max(pause * min(manner.tempo, 1.0), manner.bottom_pause_s),
        concentric_s=usual.concentric_s * manner.tempo,
        steady=manner.steady,
        rebound=0.0 if manner.steady or pause > usual.pause_s else usual.rebound,
        together=manner.together,
        shift_m=manner.shift_m,
    )


def _tired(
    performer: Performer, variant: Variant, repetition: Repetition, manner: Manner, progress: float
) -> Repetition:
    """Return the repetition at this progress of the set: slower, shallower, grinding, or a partial one."""
    partial = performer.uniform((0.4, 0.7)) if performer.chance(manner.partial_probability) else 1.0
    grinds = performer.chance(manner.grinding * progress**2)
    slower = 1.0 + manner.slowing * progress**2
    deep = partial * (1.0 - manner.shallowing * progress)
    tilt = repetition.tilt_rad * (deep if variant.pattern == "hinge" else deep**0.6)
    lean = manner.residual_lean_rad
    if variant.pattern == "hinge":
        tilt, drop = max(tilt, lean + LEAST_HINGE_RAD), repetition.hip_drop_m * deep
    else:
        tilt = max(tilt, lean + 0.5 * FURTHER_TILT * repetition.tilt_rad)
        drop = max(repetition.hip_drop_m * deep, min(performer.scaled(LEAST_DROP_M), repetition.hip_drop_m))
    return replace(
        repetition,
        tilt_rad=tilt,
        hip_drop_m=drop,
        wink_rad=repetition.wink_rad * deep,
        eccentric_s=repetition.eccentric_s * (1.0 + 0.3 * (slower - 1.0)) * partial**0.5,
        concentric_s=repetition.concentric_s * slower * partial**0.5 * (performer.uniform((1.3, 2.5)) if grinds else 1),
        effort=1.0 if grinds else repetition.effort,
        steady=manner.steady and not grinds,
        grinds=grinds,
    )


def _top_posture(performer: Performer, usual: Repetition, manner: Manner, progress: float) -> Posture:
    """Return the posture at the top of a repetition: the residual lean and bend, varied a little."""
    lean = performer.varied(manner.residual_lean_rad * (1.0 + manner.lean_drift * (progress - 0.5)), 3.0)
    trunk = lean + usual.spine_rad * lean / max(usual.tilt_rad, lean, 0.1)
    drop = performer.varied(manner.residual_bend, 3.0) * usual.hip_drop_m
    return Posture(lean, trunk, performer.thigh(drop, trunk) if lean > 0.0 or drop > 0.0 else 0.0)


def _within_reach(repetition: Repetition, top_overlap: float) -> Repetition:
    """Return the repetition within reach of a person: shallower where it is meant very fast, else slower.

    A lifter on both feet cannot sink faster than gravity lets them, so that a squat of 0.7 s is a shallow one.
    """
    ways = 2.0 - repetition.rebound - top_overlap
    fastest_s = FASTEST_S / ways
    way_s = max(min(repetition.eccentric_s, repetition.concentric_s), fastest_s)
    reach_m = LARGEST_FALL_M_S2 * way_s**2 / MINIMUM_JERK_PEAK
    drop = min(repetition.hip_drop_m, max(reach_m, 0.45 * repetition.hip_drop_m))
    share = (drop / repetition.hip_drop_m) ** 0.5 if repetition.hip_drop_m else 1.0
    lean = repetition.top.pelvis_rad if repetition.top else 0.0
    tilt = max(share * repetition.tilt_rad, min(repetition.tilt_rad, lean + LEAST_HINGE_RAD))
    least_s = max(
        fastest_s,
        float(np.sqrt(MINIMUM_JERK_PEAK * drop / LARGEST_FALL_M_S2)),
        (tilt - lean) / FASTEST_TILT_RAD_S * 2.0 / ways,
    )
    return replace(
        repetition,
        hip_drop_m=drop,
        tilt_rad=tilt,
        wink_rad=share * repetition.wink_rad,
        eccentric_s=min(max(repetition.eccentric_s, least_s), SLOWEST_S),
        concentric_s=min(max(repetition.concentric_s, least_s), SLOWEST_S),
    )


def _with_weight_on_floor(performer: Performer, repetition: Repetition, *, first: bool) -> Repetition:
    """Return the repetition with its stop at the floor: getting ready at the first, a dead stop or a tap later."""
    if first:
        bend_s = max(performer.seconds((0.9, 2.0)), repetition.eccentric_s if repetition.steady else 0.0)
        return replace(repetition, eccentric_s=bend_s, pause_s=performer.uniform((0.6, 6.0)), rebound=0.0)
    return replace(repetition, pause_s=repetition.pause_s * performer.uniform((0.0, 2.0)), rebound=0.0)


def _settle_at_weight(performer: Performer, start_s: float, duration_s: float) -> None:
    """Move the hips at the weight: grip, pull tight, wriggle; nothing in a short stop."""
    time, end = start_s, start_s + duration_s
    while end - time > 0.6:
        length = min(performer.uniform((0.5, 1.5)), end - time)
        performer.excursion("thigh", time, length, performer.uniform((-0.1, 0.15)))
        performer.excursion("pelvis", time, length, performer.uniform((-0.12, 0.03)))
        time += length + performer.uniform((0.0, 1.0))


def _sit(performer: Performer, touch_s: float, duration_s: float) -> None:
    """Sit on a box during the pause: the weight goes back onto it and the pelvis rolls back, then both come forward."""
    script, touch_s, length = performer.script, touch_s - 0.15, duration_s + 0.3
    back, roll = performer.uniform((0.02, 0.1)), performer.uniform((0.05, 0.35))
    shifts: dict[Channel, float] = {"balance": -back, "pelvis": -roll}
    for channel, size in shifts.items():
        script.move(channel, touch_s, 0.45 * length, size)
        script.move(channel, touch_s + 0.55 * length, 0.45 * length, -size)


def _brace(performer: Performer, top: Posture, duration_s: float) -> None:
    """Move into the posture between repetitions."""
    script, start = performer.script, performer.script.now_s
    script.move_to("pelvis", start, duration_s, top.pelvis_rad)
    script.move_to("trunk", start, duration_s, top.trunk_rad)
    script.move_to("thigh", start, duration_s, top.thigh_rad)
    performer.wait(duration_s)


def _what_follows(performer: Performer, manner: Manner) -> Between:
    """Draw what follows a repetition."""
    if performer.chance(manner.breath_probability):
        return "breath"
    return "pause" if manner.top_pause_s[1] > 0.0 else "turn"


def _stay_at_top(performer: Performer, manner: Manner, top: Posture, after: Between) -> None:
    """Breathe or pause at the top, where the set has that."""
    if after == "breath":
        _breathe(performer, top, performer.uniform((1.0, 8.0)))
    elif after == "pause":
        performer.wait(performer.uniform(manner.top_pause_s))


def _breathe(performer: Performer, top: Posture, duration_s: float) -> None:
    """Stay at the top for a breath or more: hold still, breathe visibly, shuffle, or stand up and brace again."""
    script, start = performer.script, performer.script.now_s
    kind = performer.uniform((0.0, 1.0))
    if kind < 0.3:
        performer.wait(duration_s)
        return
    cycle = Cycle(start, performer.uniform((0.2, 0.5)), 0.3, 0.2, performer.uniform((0.0, 6.0)))
    script.wave("pelvis", cycle, start + duration_s, performer.uniform((0.005, 0.04)))
    script.wave("height", cycle, start + duration_s, performer.uniform((0.001, 0.006)), phase_rad=1.0)
    if kind < 0.6 or duration_s < 2.0:
        performer.wait(duration_s)
    elif kind < 0.7:
        performer.wait(0.2 * duration_s)
        go(performer, Gait(0.8, 0.0, 0.008, performer.uniform((0.5, 3.0))), 0.6 * duration_s)
        performer.wait(0.2 * duration_s)
    else:
        _brace(performer, Posture(), min(0.3 * duration_s, performer.uniform((0.6, 1.2))))
        shift_s = performer.uniform((0.5, 1.0))
        performer.excursion("roll", script.now_s, shift_s, performer.side() * performer.uniform((0.0, 0.06)))
        performer.excursion("lateral", script.now_s, shift_s, performer.side() * performer.uniform((0.0, 0.04)))
        performer.wait(max(start + 0.7 * duration_s - script.now_s, 0.0))
        _brace(performer, top, 0.3 * duration_s)
