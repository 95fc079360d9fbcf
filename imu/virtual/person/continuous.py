"""Sets whose repetitions follow each other without standing still, carried out in a given `Manner`.

The lifter stays in a braced posture between repetitions: leaning, knees not quite straight. Single movements come from
`exercises`, what follows the last repetition from `set_ends`; what each repetition really was is measured afterwards,
in `truth`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from imu.virtual.person.exercises import (
    Posture,
    Repetition,
    finish_lockout,
    perform_repetition,
    perform_swings,
    take_stance,
    varied_repetition,
)
from imu.virtual.person.gait import Gait, go
from imu.virtual.person.manner import Manner
from imu.virtual.person.performer import Performer, Span
from imu.virtual.person.script import Channel, Cycle
from imu.virtual.person.set_ends import fail_repetition, let_go
from imu.virtual.person.variants import Variant

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
"""What follows a repetition at the top."""


@dataclass(frozen=True, slots=True)
class PerformedSet:
    """The body times of a set, s: its repetitions, and by name what belongs to it but is no repetition."""

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
    pause = usual.pause_s
    if variant.floor_contact and variant.pattern == "squat":
        pause = max(pause, performer.uniform((0.3, 1.2)))
    return replace(
        usual,
        tilt_rad=max(tilt + performer.uniform((0.0, 0.7)) * lean, lean + FURTHER_TILT * tilt),
        hip_drop_m=usual.hip_drop_m * manner.depth,
        wink_rad=usual.wink_rad * min(manner.depth, 1.0),
        eccentric_s=usual.eccentric_s * manner.tempo,
        pause_s=pause * min(manner.tempo, 1.0),
        concentric_s=usual.concentric_s * manner.tempo,
        steady=manner.steady,
        rebound=0.0 if manner.steady else usual.rebound,
    )


def _tired(
    performer: Performer, variant: Variant, repetition: Repetition, manner: Manner, progress: float
) -> Repetition:
    """Return the repetition after so much of the set: slower, shallower, grinding; now and then a partial one."""
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
    """Return the repetition as fast as a person can do it: shallower when it is meant very fast, else slower.

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
    """Breathe or pause at the top, if the lifter does."""
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
