"""The measurement of one movement: angles, drop, times, velocities, and form.

Whether the movement was a repetition, :mod:`imu.motion.judge` decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from imu.motion.decoder import Ending
from imu.motion.height import (
    END_VELOCITY_SD_M_S,
    SensorErrors,
    Standing,
    VerticalEstimator,
    VerticalMotion,
    largest,
    median,
    straight_line,
)
from imu.motion.signals import SAME_TIME_S, STEP_S, MotionSignals, chord_between, steps_in
from imu.motion.standing import StandingPostures
from imu.motion.wearing import SENSOR_ABOVE_HIP_M, TRUNK_LEVER_M, Lean, SagittalPlane, SensorLever
from imu.samples import Array

MOVING_OF_PEAK = 0.08
"""Part of the peak speed below which the movement has not begun, pauses, or is over; 5 to 10 % is usual (Vitruve,
GymAware manuals)."""


@dataclass(frozen=True, eq=False)  # without slots: its properties keep their value
class MovementFigures:
    """One movement in numbers.

    Attributes
    ----------
    time_s, trunk_angle_rad, sideways_rad, height_m, velocity_m_s : (n,) array
        At the end of each 0.05 s step: device clock, forward tilt, tilt to the left, height and
        vertical velocity of the hip joint.
    lean : Lean
        Which way it leaned.
    forward : (3,) array
        The direction in which `up` moves when the person bends forward, sensor frame.
    start, bottom, resume, end : int
        Steps at which standing was left, the turning point reached, left again, and standing reached.
    turn_rad : float
        Turn about the vertical, left positive.
    height_error_m : float
        Height at the end had it not been set to that of the start: how far the estimate was off.
    height_sd_m : float
        Standard deviation of the height at its lowest.
    """

    time_s: Array
    trunk_angle_rad: Array
    sideways_rad: Array
    height_m: Array
    velocity_m_s: Array
    lean: Lean
    forward: Array
    start: int
    bottom: int
    resume: int
    end: int
    turn_rad: float
    height_error_m: float
    height_sd_m: float

    @cached_property
    def peak_angle_rad(self) -> float:
        """Largest forward tilt."""
        return _peak(self.trunk_angle_rad)

    @cached_property
    def largest_tilt_rad(self) -> float:
        """Largest tilt in any direction of the sagittal plane."""
        return largest(np.abs(self.trunk_angle_rad[self.start : self.end + 1]))

    @cached_property
    def hip_drop_m(self) -> float:
        """How far the hip sank below standing; not negative."""
        return max(0.0, _peak(-self.height_m))

    @property
    def size_m(self) -> float:
        """Hip drop, and 0.3 m times the largest tilt in rad, as the legs of a right triangle."""
        return self._size_with(self.hip_drop_m)

    @property
    def certain_size_m(self) -> float:
        """The same with the hip drop less its standard deviation.

        In 10 s of standing nearly still the height may drift by 0.5 m, but then its standard deviation says so.
        """
        return self._size_with(max(0.0, self.hip_drop_m - self.height_sd_m))

    def _size_with(self, drop_m: float) -> float:
        return math.hypot(drop_m, TRUNK_LEVER_M * self.largest_tilt_rad)

    @property
    def tilt_at_start_rad(self) -> float:
        """Tilt away from standing, either way, where the movement begins."""
        return abs(float(self.trunk_angle_rad[self.start]))

    @cached_property
    def angle_at_bottom_rad(self) -> float:
        """Forward tilt where the hip is lowest."""
        return float(self.trunk_angle_rad[int(self.height_m.argmin())])


@dataclass(frozen=True, eq=False)  # without slots: properties that are seldom used are computed at their first use
class Trace:
    """Angles and the hip's motion over the steps of a movement."""

    angle_rad: Array
    height_m: Array
    path: Array  # (n, 3) horizontal part of `up`, sensor frame
    along_home: Array  # (n,) the other part
    forward: Array  # (3,), sensor frame
    by_tilting_m: Array  # (n,) what tilting adds to the height
    ahead_m: float
    _home: Array  # (3,) `up` in standing
    _motion: VerticalMotion

    @cached_property
    def _angle_rate(self) -> Array:
        return _rate(self.angle_rad)

    @cached_property
    def velocity_m_s(self) -> Array:
        """Vertical velocity of the hip joint."""
        lever_m = SENSOR_ABOVE_HIP_M * np.sin(self.angle_rad)
        if self.ahead_m:
            lever_m += self.ahead_m * np.cos(self.angle_rad)
        return self._motion.velocity_m_s + lever_m * self._angle_rate

    @cached_property
    def speed(self) -> Array:
        """Speed of hip and trunk."""
        return np.hypot(self.velocity_m_s, TRUNK_LEVER_M * self._angle_rate)

    @property
    def sideways_rad(self) -> Array:
        """Tilt to the left."""
        (fx, fy, fz), (hx, hy, hz) = self.forward.tolist(), self._home.tolist()
        left = np.array([fy * hz - fz * hy, fz * hx - fx * hz, fx * hy - fy * hx])  # forward x home
        tilt: Array = -np.arcsin(np.minimum(np.maximum(self.path @ left, -1.0), 1.0))
        return tilt


def trace_movement(
    signals: MotionSignals,
    standing: Standing,
    motion: VerticalMotion,
    forward: SagittalPlane | Array,
    from_rest: bool,
    *,
    ahead_m: float = 0.0,
    before: Trace | None = None,
) -> Trace:
    """Return angles and the hip's motion, with the forward direction given or that of the sagittal plane.

    The sensor sits `SENSOR_ABOVE_HIP_M` above the hip joint and `ahead_m` in front of it. An earlier trace of the same
    signals from the same standing spares the angles, unless the new motion shows that forward is the other way.
    """
    home, up = standing.up, signals.up
    if before is None:
        along_home = up @ home
        path = up - along_home[:, None] * home
    else:
        along_home, path = before.along_home, before.path
    if isinstance(forward, SagittalPlane):
        forward = forward.forward(Lean(path, _sinking(path, motion), from_rest), home)
    if before is not None and ahead_m == before.ahead_m and forward.tolist() == before.forward.tolist():
        angle, by_tilting = before.angle_rad, before.by_tilting_m
    else:
        angle = np.arctan2(path @ forward, along_home)
        by_tilting = -SENSOR_ABOVE_HIP_M * np.cos(angle)
        if ahead_m:
            by_tilting += ahead_m * np.sin(angle)
        by_tilting -= float(by_tilting[0])
    return Trace(angle, motion.height_m + by_tilting, path, along_home, forward, by_tilting, ahead_m, home, motion)


def _sinking(path: Array, motion: VerticalMotion) -> Array:
    """Return the lean (3,) where the hip sinks fastest."""
    fastest: Array = path[int(motion.velocity_m_s.argmin())]
    return fastest


COARSE_VELOCITY_SD_M_S, COARSE_HEIGHT_SD_M = 0.3, 0.06
"""Errors of velocity and height at the network's end, which is off by up to 0.1 s, at accelerations of 3 m/s²."""

SNAP_STEPS = 6
"""Start and end are looked for within 0.3 s of the network's start and end."""

MOVING_START_SD_M_S = 0.1
"""Vertical velocity of the hip where a repetition begins without standing still."""

RETURNED_SDS, RETURNED_M = 2.0, 0.05
"""A repetition shows the sensor's errors if its height, estimated freely, came back within 2 standard deviations."""

FORGOTTEN = 0.1
"""Share of the estimate of the sensor's errors that is given up with each repetition: they drift with temperature."""


LEANING_BACK_RAD = math.radians(10)
"""Tops of a repetition further back than this from standing show that standing was measured bent: people lean forward
between repetitions, not back."""

LEAST_HOLD_STEPS, HELD_VELOCITY_SD_M_S = 10, 0.08
"""A calm of 0.5 s is a hold, in which the hip hardly moves. Not zero: a tempo squat that sinks by 0.4 m in 5 s is calm
too. Without holds the drop of a squat that is held for 5 s was 1.0 m instead of 0.5 m."""

APPROACH_S = 20.0
"""How far before the end of a repetition its start may lie: a tempo repetition of 15 s, and a breath before it."""

LOOSE_RETURN_SD_M = 0.3
"""Movement that is no repetition may end at another height; without any bound its height would drift by metres."""


@dataclass(eq=False)
class Candidate:
    """A movement that may have been a repetition, to be measured and judged.

    Attributes
    ----------
    ending : Ending
        What the network says: when it began and ended.
    going_on_log_odds : float
        Mean of the network's log-odds that a repetition goes on, from its start to its end.
    after_log_odds : float
        The same from its end to when that was seen.
    signals : MotionSignals
        From at most 0.5 s before its start, or from the end of the repetition before, to the step in which the end
        was seen.
    approach : MotionSignals
        These and up to `APPROACH_S` before them, from the end of the repetition before at the earliest.
    standing : Standing
        Posture and level of standing, as far as known.
    postures : callable
        Returns the postures in which the person may have stood, by the rests outside of sets; few movements need them.
    tops : (m, 3) array
        `up` at the tops of the earlier repetitions of the set; those of this one follow once it was measured.
    lever : SensorLever
        Where the sensor sits, by the repetitions so far; with this one once it was measured.
    started_at_rest : bool
        Whether the person stood still before it.
    touches : bool
        Whether it begins where the repetition before it ended.
    follows : bool
        Whether `approach` begins where the repetition before it ended.
    errors : SensorErrors or None
        The sensor's errors by earlier repetitions.
    moved_only : bool
        Whether the network saw no ending: it is measured to say why it did not count.
    cut_short : bool
        Whether a gap or the end of the stream cut it short.
    """

    ending: Ending
    going_on_log_odds: float
    after_log_odds: float
    signals: MotionSignals
    approach: MotionSignals
    standing: Standing
    postures: Callable[[], StandingPostures]
    tops: Array
    lever: SensorLever
    started_at_rest: bool
    touches: bool
    follows: bool
    errors: SensorErrors | None
    moved_only: bool = False
    cut_short: bool = False
    _estimator: tuple[object, VerticalEstimator] | None = None  # and what it was made for
    _shown_errors: SensorErrors | None = None  # by the movement alone, if it came back to its height

    @cached_property
    def turn_bias_rad_s(self) -> float:
        """The gyroscope's bias about the vertical: its median in the second before, if the person stood still."""
        first = len(self.approach) - len(self.signals)
        just_before = self.approach.turn_rate_rad_s[max(0, first - steps_in(1.0)) : first]
        return median(just_before) if self.started_at_rest and len(just_before) else 0.0

    def measure(self, sagittal_plane: SagittalPlane) -> MovementFigures:
        """Return the figures: start and end are moved to the turning points of the signals nearby.

        Where the person leans back at both ends, standing was measured bent: the posture at the ends replaces it.
        """
        figures = self._measured(sagittal_plane)
        angle = figures.trunk_angle_rad
        if self.moved_only or max(angle[figures.start], angle[figures.end]) > -LEANING_BACK_RAD:
            return figures
        up = self.signals.up[figures.start] + self.signals.up[figures.end]
        self.standing = Standing.without_level(up / math.sqrt(up @ up))
        return self._measured(sagittal_plane)

    def _measured(self, sagittal_plane: SagittalPlane) -> MovementFigures:
        """Return the figures with `standing` as it is.

        First the height is estimated with a loose return at the end that the network gives; that shows where the hip
        and the trunk really turn, and there the return is set.
        """
        signals, n = self.signals, len(self.signals)
        end = min(max(int(signals.time_s.searchsorted(self.ending.end_s - SAME_TIME_S)), 4), n - 1)
        start = max(0, min(int(signals.time_s.searchsorted(self.ending.start_s - SAME_TIME_S)), end - 4))
        start_sd_m_s = 0.05 if self.started_at_rest or self.touches else MOVING_START_SD_M_S
        offset = len(self.approach) - n
        estimator = self.estimator(offset, start_sd_m_s, slice(offset + start, offset + end))
        motion = estimator.solve(
            n,
            end_velocity_sd_m_s=COARSE_VELOCITY_SD_M_S,
            returns=True,
            end=end + 1,
            return_sd_m=LOOSE_RETURN_SD_M if self.moved_only else COARSE_HEIGHT_SD_M,
        )
        trace = trace_movement(signals, self.standing, motion, sagittal_plane, self.started_at_rest)
        if not self.moved_only:
            end = _snapped_end(trace.speed, _turn(trace, start, end), end)
            motion = estimator.solve(n, end_velocity_sd_m_s=END_VELOCITY_SD_M_S, returns=True, end=end + 1)
            trace = trace_movement(signals, self.standing, motion, sagittal_plane, self.started_at_rest, before=trace)
            start = _snapped_start(trace.speed, start, _turn(trace, start, end), touches=self.touches)
            if self.touches and start < end - 4:
                start += _left_top(_excursion(trace, start, end))
        start = min(start, end - 2)
        turn = min(max(_turn(trace, start, end), start + 1), end - 1)
        moving = trace.speed > MOVING_OF_PEAK * largest(trace.speed[start : end + 1])
        bottom = resume = turn
        while bottom - 1 > start and not moving[bottom - 1]:
            bottom -= 1
        while resume + 1 < end and not moving[resume + 1]:
            resume += 1
        free = estimator.solve(end + 1, end_velocity_sd_m_s=END_VELOCITY_SD_M_S)
        returned = abs(free.last_height_m) < RETURNED_SDS * math.hypot(free.height_sd_m, RETURNED_M)
        self._shown_errors = motion.errors if returned else None
        bias = self.turn_bias_rad_s
        inside = slice(0, end + 1)
        return MovementFigures(
            time_s=signals.time_s[inside],
            trunk_angle_rad=trace.angle_rad[inside],
            sideways_rad=trace.sideways_rad[inside],
            height_m=trace.height_m[inside] - trace.height_m[start],
            velocity_m_s=trace.velocity_m_s[inside],
            lean=Lean(trace.path[inside], _sinking(trace.path, motion), self.started_at_rest),
            forward=trace.forward,
            start=start,
            bottom=bottom,
            resume=resume,
            end=end,
            turn_rad=float((signals.turn_rate_rad_s[inside] - bias).sum() * STEP_S),
            height_error_m=free.last_height_m,
            height_sd_m=motion.height_sd_at_m(int(trace.height_m[inside].argmin())),
        )

    def estimator(self, first: int, start_velocity_sd_m_s: float, movement: slice) -> VerticalEstimator:
        """Return the model of the height over `approach` from the step `first` on; in its holds the hip hardly moves.

        The last one is kept: a repetition that touches the one before is judged and measured over the same signals.
        """
        wanted = (self.standing, first, start_velocity_sd_m_s, self._holds(movement))
        if self._estimator is None or self._estimator[0] != wanted:
            up, vertical_m_s2 = self.approach.up[first:], self.approach.vertical_m_s2[first:]
            model = VerticalEstimator(self.standing, start_velocity_sd_m_s, up, vertical_m_s2, errors=self.errors)
            for step in wanted[-1]:
                model.rest(step - first + 1, HELD_VELOCITY_SD_M_S)
            self._estimator = wanted, model
        return self._estimator[1]

    @cached_property
    def _long_calms(self) -> list[tuple[int, int]]:
        """The last step of each long calm in `approach`, and the number of its steps."""
        resting = self.approach.resting_steps
        lasts = ((resting[:-1] >= LEAST_HOLD_STEPS) & (resting[1:] < resting[:-1])).nonzero()[0]
        return list(zip(lasts.tolist(), resting[lasts].tolist(), strict=True))

    def _holds(self, movement: slice) -> list[int]:
        """Return the middle of each long calm in the steps of a movement, which may end in one."""
        first, last = movement.start, movement.stop - 1
        calms = [(step, steps) for step, steps in self._long_calms if first <= step < last]
        at_end = int(self.approach.resting_steps[last])
        if at_end >= LEAST_HOLD_STEPS:
            calms.append((last, at_end))
        return [max(first, step - steps // 2) for step, steps in calms]

    def learned_errors(self) -> SensorErrors | None:
        """Return the estimate of the sensor's errors after this repetition, which has been measured."""
        if self._shown_errors is None:
            return self.errors
        return self._shown_errors.relaxed(SensorErrors.unknown(), FORGOTTEN)


@dataclass(frozen=True, slots=True)
class Posture:
    """Where the hip is at a moment, for showing: the figures of a repetition are known only once it is over.

    Attributes
    ----------
    trunk_tilt_rad : float
        Tilt of the pelvis away from standing, in any direction.
    hip_drop_m : float
        How far the sensor is below where it was in standing; 0 between movements.
    calm_s : float
        For how long the network has seen nothing like a repetition.
    """

    trunk_tilt_rad: float
    hip_drop_m: float
    calm_s: float = math.inf


def posture_of(signals: MotionSignals, standing: Standing, errors: SensorErrors | None, *, moving: bool) -> Posture:
    """Return the posture at the end of `signals`, which begin where the movement that goes on began."""
    tilt_rad = chord_between(signals.up[-1], standing.up)
    if not moving:
        return Posture(tilt_rad, 0.0)
    estimator = VerticalEstimator(standing, MOVING_START_SD_M_S, signals.up, signals.vertical_m_s2, errors=errors)
    return Posture(tilt_rad, max(0.0, -estimator.solve(len(signals)).last_height_m))


def _excursion(trace: Trace, start: int, end: int) -> Array:
    """Return the excursion (end - start + 1,), m, from the line between the two tops."""
    angle = trace.angle_rad[start : end + 1]
    top = straight_line(float(angle[0]), float(angle[-1]), len(angle))
    excursion: Array = np.hypot(np.minimum(trace.height_m[start : end + 1], 0.0), TRUNK_LEVER_M * (angle - top))
    return excursion


def _turn(trace: Trace, start: int, end: int) -> int:
    """Return the step of the largest excursion."""
    return start + int(_excursion(trace, start, end).argmax())


def _left_top(excursion: Array) -> int:
    """Return the step at which a smooth descent begins that passes 5 % and 25 % of the excursion as this one does.

    A half cosine passes them after 0.144 and 0.333 of its duration. Sway at the top stays below 5 %.
    """
    descent = excursion[: int(excursion.argmax()) + 1]
    early, later = (int(np.max((descent < share * descent[-1]).nonzero()[0], initial=0)) for share in (0.05, 0.25))
    return max(0, early - round(0.76 * (later - early)))


def _snapped_end(speed: Array, turn: int, end: int) -> int:
    """Return the first step near `end` in which the hip is still, or the one in which it is slowest."""
    first, last = max(turn + 2, end - SNAP_STEPS), min(len(speed) - 1, end + SNAP_STEPS)
    if first >= last:
        return min(len(speed) - 1, max(turn + 2, end))
    peak = largest(speed[turn : last + 1])
    slow = (speed[first : last + 1] <= MOVING_OF_PEAK * peak).nonzero()[0]
    return first + int(slow[0] if len(slow) else speed[first : last + 1].argmin())


def _snapped_start(speed: Array, start: int, turn: int, *, touches: bool) -> int:
    """Return the last step near `start` in which the hip is still, or the one in which it is slowest.

    A repetition that touches the one before begins there, or after the pause that follows.
    """
    first, last = (0, 2) if touches else (max(0, start - 2 * SNAP_STEPS), start + SNAP_STEPS)
    if first >= min(turn - 1, last):
        return max(0, min(start, turn - 1))
    fastest = first + int(speed[first : turn + 1].argmax())  # of the descent: later stillness is that of the bottom
    last = min(fastest, last)
    still = speed[: fastest + 1] <= MOVING_OF_PEAK * float(speed[fastest])
    slow = still[first : last + 1].nonzero()[0]
    if not len(slow):
        return 0 if touches else first + int(speed[first : last + 1].argmin())
    step = first + int(slow[-1])
    while step + 1 < fastest and still[step + 1]:
        step += 1
    return step


def _rate(values: Array) -> Array:
    """Return the rate of change per second by central differences, one-sided at both ends."""
    rate = np.empty(len(values))
    np.divide(values[2:] - values[:-2], 2 * STEP_S, out=rate[1:-1])
    rate[0], rate[-1] = (values[1] - values[0]) / STEP_S, (values[-1] - values[-2]) / STEP_S
    return rate


def _peak(values: Array) -> float:
    """Return the largest value, by a parabola through its neighbours."""
    i = int(values.argmax())
    if not 0 < i < len(values) - 1:
        return float(values[i])
    around: list[float] = values[i - 1 : i + 2].tolist()
    before, here, after = around
    curvature = before - 2 * here + after
    return here if curvature >= 0 else here - (before - after) ** 2 / (8 * curvature)
