"""A repetition that counts -> where its ways down and up begin and end, and the measures between them.

The judge measures a movement from the network's start, which is late by a second and more in slow
repetitions. A movement that counts is measured again, from the top before it.

A way goes from rest to rest, as in velocity-based training (González-Badillo and Sánchez-Medina 2010, International
Journal of Sports Medicine 31:347, doi 10.1055/s-0030-1248333): the eccentric phase from where hip or trunk leaves the
top to where it comes to rest at the turning point, the concentric one from there to rest at the top, the pause
between. At the turning point only what the movement consists of counts: the hip's height or, where the tilt makes the
larger part, both. What lies at the top between two repetitions belongs to neither, and nothing here depends on what
comes after the repetition.

Rest is a speed below `MOVING_OF_PEAK` of the peak of the way, near where the way begins or ends; a halt halfway is part
of it. Velocity and height are integrated between the tops, where the hip is at rest at about the same height. The
longer the time between, the more they drift; so the window is narrowed: it first begins where the repetition before
ended, or in the rest before the movement, and then shortly before the start that this gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from imu.motion.form import (
    MOVING_OF_PEAK,
    MOVING_START_SD_M_S,
    Candidate,
    MovementFigures,
    Trace,
    trace_movement,
)
from imu.motion.height import END_VELOCITY_SD_M_S, Standing, largest, smallest
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.motion.signals import STEP_S, steps_in
from imu.motion.wearing import CONTRADICTED_RAD, TRUNK_LEVER_M
from imu.samples import Array

NEAR_SHARE = 0.15
"""A way begins and ends within this share of the excursion from the top and from the turning point."""

OVER_STEPS = 4
"""Speeds are means over 0.2 s: a tremor of 10 Hz adds nothing."""

WIDE, NARROW = (0.4, 0.3), (NEAR_SHARE, MOVING_OF_PEAK)
"""Shares of excursion and peak speed below which the hip is at the top, while height and velocity still drift, and once
they do not."""

LEAD_S, LEAD_SHARE = 0.4, 0.3
"""The narrowed window begins before the start by this time and this share of the way down: the first estimate of the
start is late by as much."""

REST_S, REST_SEARCH_S, LONGEST_REST_S = 0.3, 5.0, 1.0
"""A first repetition is measured from a rest of 0.3 s in the 5 s before it; its last second is used."""


def measure_between_tops(candidate: Candidate, figures: MovementFigures) -> MovementFigures:
    """Return the figures of a repetition from the top before it to the top after it.

    Parameters
    ----------
    candidate : Candidate
        The candidate that was judged to be a repetition.
    figures : MovementFigures
        By which it was judged: they say about where it starts and ends, and which way is forward.
    """
    signals = candidate.approach
    offset = len(signals) - len(candidate.signals)
    seen, end = offset + figures.start, offset + figures.end
    standing, forward = candidate.standing, figures.forward
    ahead_m = candidate.lever.ahead_m
    first, start_sd_m_s = _begin_of_window(candidate, signals.resting_steps[:offset], seen)
    integrated: tuple[int, int] | None = None
    traced: Standing | None = None
    for near, still in (WIDE, WIDE, NARROW):
        if integrated != (first, end):
            integrated, traced = (first, end), None
            window = signals[first:]
            motion = candidate.estimator(first, start_sd_m_s, slice(first, end)).solve(
                len(window), end_velocity_sd_m_s=END_VELOCITY_SD_M_S, returns=True, end=end - first + 1
            )
        if traced is not standing:  # not in most third passes
            traced = standing
            trace = trace_movement(window, standing, motion, forward, candidate.started_at_rest, ahead_m=ahead_m)
            course = course_of(trace, seen - first, end - first)
        start, turn, bottom = course.way_down(near, still)
        end = first + course.end
        narrowed = first + start - steps_in(LEAD_S) - int(LEAD_SHARE * (bottom - start))
        if standing is candidate.standing:  # in the first pass
            sinking = start + int(trace.velocity_m_s[start : bottom + 1].argmin())
            tops = window.up[[start, course.end]]
            standing, forward = _standing(candidate, tops, _sinking_forward(tops[0], window.up[sinking], forward))
        if near != NEAR_SHARE and narrowed > first:
            first, start_sd_m_s = narrowed, MOVING_START_SD_M_S
    resume, inside = course.way_up(turn, bottom), slice(start, course.end + 1)
    sine = np.sin(trace.angle_rad[inside])
    at_hip_m = trace.height_m[inside] - trace.height_m[start] - ahead_m * (sine - sine[0])
    candidate.lever = candidate.lever.after(trace.angle_rad[inside], at_hip_m)
    if candidate.lever.ahead_m != ahead_m:
        trace = trace_movement(
            window, standing, motion, forward, candidate.started_at_rest, ahead_m=candidate.lever.ahead_m
        )
    candidate.tops = np.concatenate((candidate.tops, window.up[[start, course.end]]))
    return MovementFigures(
        time_s=window.time_s[inside],
        trunk_angle_rad=trace.angle_rad[inside],
        sideways_rad=trace.sideways_rad[inside],
        height_m=trace.height_m[inside] - trace.height_m[start],
        velocity_m_s=trace.velocity_m_s[inside],
        lean=figures.lean,
        forward=forward,
        start=0,
        bottom=bottom - start,
        resume=resume - start,
        end=course.end - start,
        turn_rad=float((window.turn_rate_rad_s[inside] - candidate.turn_bias_rad_s).sum() * STEP_S),
        height_error_m=figures.height_error_m,
        height_sd_m=motion.height_sd_at_m(start + int(trace.height_m[inside].argmin())),
    )


def _sinking_forward(top: Array, sinking: Array, forward: Array) -> Array:
    """Return which way is forward: the side to which the person leans where the hip sinks fastest, if that is clear."""
    return -forward if float((sinking - top) @ forward) < -CONTRADICTED_RAD else forward


def _standing(candidate: Candidate, tops: Array, forward: Array) -> tuple[Standing, Array]:
    """Return how the person stands, and which way is forward from there.

    That is the likeliest posture of the rests outside of sets; where there was none, that by which the movement was
    judged.
    """
    known = candidate.standing
    up = candidate.postures().choose(np.concatenate((candidate.tops, tops)), forward)
    standing = Standing(known.up if up is None else up, known.vertical_m_s2, known.level_sd_m_s2)
    forward = forward - float(forward @ standing.up) * standing.up
    return standing, forward / math.sqrt(forward @ forward)


def _begin_of_window(candidate: Candidate, resting_steps: NDArray[np.int64], seen: int) -> tuple[int, float]:
    """Return the first step to measure from, and how still the hip is there: a top or a rest, if one is known."""
    if candidate.follows:
        return 0, END_VELOCITY_SD_M_S
    earliest = max(0, seen - steps_in(REST_SEARCH_S))
    rests = (resting_steps[earliest : seen + 1] >= steps_in(REST_S)).nonzero()[0]
    if not len(rests):
        return max(0, seen - 2 * steps_in(LEAD_S)), MOVING_START_SD_M_S
    last = earliest + int(rests[-1])
    return max(0, last + 1 - min(int(resting_steps[last]), steps_in(LONGEST_REST_S))), END_VELOCITY_SD_M_S


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The course of the last repetition of a trace.

    Attributes
    ----------
    speed : (n,) array
        Of hip and trunk.
    upright_m : (n,) array
        Height of the hip less what the trunk's tilt takes from it.
    depth, depth_speed : (n,) array
        How deep hip or trunk is, whichever moves more, and how fast it moves.
    deepest, end : int
        Steps at which the turning point and the top after it are reached.
    """

    speed: Array
    upright_m: Array
    depth: Array
    depth_speed: Array
    deepest: int
    end: int

    def way_down(self, near: float, still: float) -> tuple[int, int, int]:
        """Return the steps at which the top is left, the way is deepest, and the turning point is reached.

        Parameters
        ----------
        near, still : float
            Shares of the excursion and of the peak speed below which the hip is at the top.
        """
        height, end_m = self.upright_m[: self.deepest + 1], float(self.upright_m[self.end])
        below = largest(height) - height
        as_at_end = np.abs(height - end_m) <= near * (end_m - float(height[-1]))
        at_top = ((below <= near * below[-1]) | as_at_end).nonzero()[0]
        start = min(_last_at_rest(at_top, self.speed[: self.deepest + 1], still), self.deepest - 1)
        turn = min(max(start + int(self.depth[start : self.end + 1].argmax()), start + 1), self.end - 1)
        down = slice(start, turn + 1)
        bottom = turn - _left_turn(self.depth[down][::-1], self.depth_speed[down][::-1])
        return start, turn, max(bottom, start + 1)

    def way_up(self, turn: int, bottom: int) -> int:
        """Return the step at which the turning point is left."""
        up = slice(turn, self.end + 1)
        return min(max(turn + _left_turn(self.depth[up], self.depth_speed[up]), bottom), self.end - 1)


def course_of(trace: Trace, seen: int, end: int) -> Course:
    """Return the course of the last repetition of a trace.

    Parameters
    ----------
    trace : Trace
        From a top before the repetition, or a rest, to some steps after its end.
    seen, end : int
        Steps of the start and of the end as far as known; the start may really be earlier.
    """
    angle, height, n = trace.angle_rad, trace.height_m, len(trace.angle_rad)
    rising = _rate(height)
    speed = np.hypot(rising, TRUNK_LEVER_M * _rate(angle))
    seen = min(max(seen, 1), max(end - 3, 1))
    whole = slice(seen, end + 1)
    tilts = TRUNK_LEVER_M * _range(angle[whole]) > _range(height[whole])
    depth, depth_speed = (angle, speed) if tilts else (-height, np.abs(rising))
    turn = seen + int(depth[whole].argmax())
    while turn > 1:  # the network's start may lie on the way up
        before = max(turn - 3, 0)
        deeper = before + int(depth[before:turn].argmax())
        if depth[deeper] <= depth[turn]:
            break
        turn = deeper
    turn = min(max(turn, 2), n - 3)
    upright = height - TRUNK_LEVER_M * angle
    last_top = turn + int(upright[turn:].argmax())
    below = upright[last_top] - upright[turn:]
    at_top = (below <= NEAR_SHARE * below[0]).nonzero()[0]
    at_rest = at_top[speed[turn + at_top] <= MOVING_OF_PEAK * largest(speed[turn : last_top + 1])]
    end = turn + int(at_rest[0] if len(at_rest) else at_top[speed[turn + at_top].argmin()])
    return Course(speed, upright, depth, depth_speed, turn, min(max(end, turn + 2), n - 1))


def _left_turn(depth: Array, speed: Array) -> int:
    """Return after how many steps a way that begins at the turning point leaves it."""
    away = np.abs(depth[0] - depth)
    return _last_at_rest((away <= NEAR_SHARE * away[-1]).nonzero()[0], speed, MOVING_OF_PEAK)


def _last_at_rest(near: NDArray[np.int64], speed: Array, still: float) -> int:
    """Return the last of the steps `near` where a way begins that is at rest; without any, the slowest one."""
    at_rest = near[speed[near] <= still * largest(speed[near[-1] :])]
    return int(at_rest[-1] if len(at_rest) else near[speed[near].argmin()])


def _rate(values: Array) -> Array:
    """Return the rate of change per second as the mean over `OVER_STEPS`, over fewer at both ends."""
    before, after, duration_s = _steps_beside(len(values))
    rate: Array = (values.take(after) - values.take(before)) / duration_s
    return rate


@cache
def _steps_beside(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Return for each of `n` steps the steps between which its rate is taken, and the time between them."""
    steps = np.arange(n)
    before, after = np.maximum(steps - OVER_STEPS // 2, 0), np.minimum(steps + OVER_STEPS // 2, n - 1)
    return before, after, (after - before) * STEP_S


def share_of_return(figures: MovementFigures) -> float:
    """Return how far hip and trunk come back from the turning point, as a share of how far they went."""
    upright = figures.height_m - TRUNK_LEVER_M * figures.trunk_angle_rad
    lowest = smallest(upright[figures.bottom : figures.resume + 1])
    return float(upright[figures.end] - lowest) / max(float(upright[figures.start]) - lowest, 1e-3)


def repetition_of(figures: MovementFigures, confirmed_s: float) -> Repetition:
    """Return the repetition that the figures describe, without a pattern yet.

    A way begins in the last step at rest and ends in the step before the first one at rest; one that ends at a turning
    point without a pause ends in the middle of a step.
    """
    time, angle, velocity = figures.time_s, figures.trunk_angle_rad, figures.velocity_m_s
    start, bottom, resume, end = figures.start, figures.bottom, figures.resume, figures.end
    late_s = STEP_S if end - resume > 1 else 0.0
    concentric_s = (end - resume) * STEP_S - late_s
    sideways = figures.sideways_rad[start : end + 1]
    return Repetition(
        start_s=float(time[start]),
        bottom_s=float(time[bottom]),
        end_s=float(time[end]) - late_s,
        confirmed_s=confirmed_s,
        pattern=Pattern.UNCERTAIN,
        confidence=0.5,
        trunk_angle_rad=figures.peak_angle_rad,
        hip_drop_m=figures.hip_drop_m,
        eccentric_s=(bottom - start - 0.5) * STEP_S,
        pause_s=(resume - bottom + 0.5) * STEP_S,
        concentric_s=concentric_s,
        mean_concentric_velocity_m_s=float(figures.height_m[end] - figures.height_m[resume]) / concentric_s,
        peak_concentric_velocity_m_s=largest(velocity[resume : end + 1]),
        angle_at_bottom_rad=figures.angle_at_bottom_rad,
        sideways_tilt_rad=float(sideways[int(np.abs(sideways).argmax())]),
        turn_rad=figures.turn_rad,
        trunk_lead_s=_trunk_lead_s(angle[start : bottom + 1], -figures.height_m[start : bottom + 1]),
    )


def _trunk_lead_s(angle: Array, drop: Array) -> float:
    """Return by how much the trunk reached a quarter of its peak before the hip reached a quarter of its drop."""
    trunk = int((angle >= 0.25 * largest(angle)).argmax())
    hip = int((drop >= 0.25 * largest(drop)).argmax())
    return (hip - trunk) * STEP_S


def _range(values: Array) -> float:
    return largest(values) - smallest(values)
