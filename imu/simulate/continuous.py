"""Sets whose repetitions follow each other without standing still, carried out in a given `Manner`.

The lifter stays in a braced posture between repetitions: leaning, knees not quite straight. Single movements come from
`exercises`; what each repetition really was is measured afterwards, in `truth`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from imu.simulate.exercises import (
    Posture,
    Repetition,
    finish_lockout,
    perform_repetition,
    perform_swings,
    take_stance,
    varied_repetition,
)
from imu.simulate.manner import Manner
from imu.simulate.performer import Performer
from imu.simulate.script import Cycle
from imu.simulate.variants import Variant

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


def perform_continuous_set(
    performer: Performer, variant: Variant, repetitions: int, usual: Repetition, manner: Manner
) -> list[tuple[float, float]]:
    """Write a set carried out in `manner`; return the spans of the repetitions, s, body time.

    A span starts where the one before it ended, unless the lifter pauses at the top in between.
    """
    usual = _in_manner(performer, usual, manner)
    take_stance(performer, variant)
    if variant.ballistic:
        spans = perform_swings(performer, usual, repetitions, manner.residual_lean_rad)
        finish_lockout(performer)
        return spans
    top = Posture()
    if manner.braced_start:
        top = _top_posture(performer, usual, manner)
        _brace(performer, top, performer.uniform((0.4, 1.0)))
        performer.wait(performer.uniform((0.0, 1.5)))
    spans = []
    for index in range(repetitions):
        last = index == repetitions - 1
        top = Posture() if last and manner.upright_end else _top_posture(performer, usual, manner)
        varied = varied_repetition(performer, usual, index / max(repetitions - 1, 1))
        repetition = _within_reach(replace(varied, top=top, steady=manner.steady), manner.top_overlap)
        start, end = perform_repetition(performer, variant, repetition)
        if not last:
            end = _pass_top(performer, repetition, manner, top)
        spans.append((start, end))
    performer.wait(performer.uniform((0.0, 2.0)) * float(performer.chance(0.6)))
    finish_lockout(performer)
    return spans


def _in_manner(performer: Performer, usual: Repetition, manner: Manner) -> Repetition:
    """Return the usual repetition at the tempo of the set and with the tilt that its residual lean asks for."""
    lean = manner.residual_lean_rad
    return replace(
        usual,
        tilt_rad=max(usual.tilt_rad + performer.uniform((0.0, 0.7)) * lean, lean + FURTHER_TILT * usual.tilt_rad),
        eccentric_s=usual.eccentric_s * manner.tempo,
        pause_s=usual.pause_s * (manner.tempo if manner.tempo < 1.0 else 1.0),
        concentric_s=usual.concentric_s * manner.tempo,
        rebound=0.0 if manner.steady else usual.rebound,
    )


def _top_posture(performer: Performer, usual: Repetition, manner: Manner) -> Posture:
    """Return the posture at the top of a repetition: the residual lean and bend, varied a little."""
    lean = performer.varied(manner.residual_lean_rad, 2.0)
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
    least_s = max(
        fastest_s,
        float(np.sqrt(MINIMUM_JERK_PEAK * drop / LARGEST_FALL_M_S2)),
        (share * repetition.tilt_rad - lean) / FASTEST_TILT_RAD_S * 2.0 / ways,
    )
    return replace(
        repetition,
        hip_drop_m=drop,
        tilt_rad=share * repetition.tilt_rad,
        wink_rad=share * repetition.wink_rad,
        eccentric_s=min(max(repetition.eccentric_s, least_s), SLOWEST_S),
        concentric_s=min(max(repetition.concentric_s, least_s), SLOWEST_S),
    )


def _brace(performer: Performer, top: Posture, duration_s: float) -> None:
    """Move into the posture between repetitions."""
    script, start = performer.script, performer.script.now_s
    script.move_to("pelvis", start, duration_s, top.pelvis_rad)
    script.move_to("trunk", start, duration_s, top.trunk_rad)
    script.move_to("thigh", start, duration_s, top.thigh_rad)
    performer.wait(duration_s)


def _pass_top(performer: Performer, repetition: Repetition, manner: Manner, top: Posture) -> float:
    """Breathe, pause or turn at the top; return when the repetition before it ended, s."""
    script = performer.script
    if performer.chance(manner.breath_probability):
        end = script.now_s
        _breathe(performer, top, performer.uniform((1.0, 8.0)))
        return end
    if manner.top_overlap:
        script.now_s -= manner.top_overlap * min(repetition.eccentric_s, repetition.concentric_s)
        return script.now_s
    end = script.now_s
    performer.wait(performer.uniform(manner.top_pause_s))
    return end


def _breathe(performer: Performer, top: Posture, duration_s: float) -> None:
    """Stay at the top for a breath or more: hold still, breathe visibly, or stand up and brace again."""
    script, start = performer.script, performer.script.now_s
    kind = performer.uniform((0.0, 1.0))
    if kind < 0.35:
        performer.wait(duration_s)
        return
    cycle = Cycle(start, performer.uniform((0.2, 0.5)), 0.3, 0.2, performer.uniform((0.0, 6.0)))
    script.wave("pelvis", cycle, start + duration_s, performer.uniform((0.005, 0.04)))
    script.wave("height", cycle, start + duration_s, performer.uniform((0.001, 0.006)), phase_rad=1.0)
    if kind < 0.65 or duration_s < 2.0:
        performer.wait(duration_s)
        return
    _brace(performer, Posture(), min(0.3 * duration_s, performer.uniform((0.6, 1.2))))
    shift_s = performer.uniform((0.5, 1.0))
    performer.excursion("roll", script.now_s, shift_s, performer.side() * performer.uniform((0.0, 0.06)))
    performer.excursion("lateral", script.now_s, shift_s, performer.side() * performer.uniform((0.0, 0.04)))
    performer.wait(max(start + 0.7 * duration_s - script.now_s, 0.0))
    _brace(performer, top, 0.3 * duration_s)
