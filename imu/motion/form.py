"""What one movement shows: angles, drop, times, velocities, and how it was done.

This module refuses to decide what the movement was.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from imu.motion.movements import Movement
from imu.motion.steps import STEP_S
from imu.samples import Array

TRUNK_LEVER_M = 0.3
"""Distance from hip to the trunk's centre of mass, .4486 of .3055 body heights (de Leva 1996, doi
10.1016/0021-9290(95)00178-6) plus the pelvis below it: turns tilt into a length, so that tilt and drop make one
speed."""

SENSOR_ABOVE_HIP_M = 0.08
"""Height of the sensor above the hip joint: a belt at the iliac crest sits 0.10 to 0.12 m above it, a low waistband
0.05 m (DESIGN.md takes 0.12). A tilting pelvis lowers the sensor by this times 1 - cos(angle) where the hip stays."""

MOVING_OF_PEAK = 0.08
"""Part of the peak speed below which the movement has not begun, pauses, or is over; 5 to 10 % is usual (Vitruve,
GymAware manuals)."""


FAST_OF_PEAK = 0.3
"""Part of the peak speed above which the movement certainly goes on: start and end lie outside of what is faster."""


LEAST_KNOWN = 0.1
"""The square of 18°: a plane of which less has been seen is not known."""

CONTRADICTED_RAD = 0.26
"""15°: nobody leans back by that much and sinks."""


@dataclass(frozen=True, slots=True, eq=False)
class Lean:
    """Which way one movement leaned.

    Attributes
    ----------
    path : (n, 3) array
        Horizontal part of `up`, sensor frame.
    sinking : (3,) array
        The same where the hip sinks fastest.
    from_rest : bool
        Whether the person stood still before: only then is the posture that it leaned from standing for sure.
    """

    path: Array
    sinking: Array
    from_rest: bool = True


class SagittalPlane:
    """The forward direction in the sensor frame, learnt from the leans of the repetitions themselves.

    The plane is the main direction of a lean. Which of its sides is forward, the descent tells: whoever sinks leans
    forward, to keep the feet under the centre of mass. The larger side would tell less: on a seat the pelvis rolls back
    by 50°, and some people's belts tilt back at the bottom of a squat (SisFall, sensor at the front: the larger side is
    forward in 0.88 of squats and 0.72 of chairs, the descent's in 0.95 and 0.93). Leans accumulate as directions
    weighted with the square of the lean in the descent, so a hinge outweighs ten squats.
    """

    def __init__(self) -> None:
        self._leans = np.zeros(3)
        self._seen = 0

    @property
    def established(self) -> bool:
        """Whether enough movements agree on it to contradict a single one."""
        return self._seen >= 3

    def forward(self, lean: Lean, standing_up: Array) -> Array:
        """Return the unit direction in which `up` moves when this person bends forward.

        Where the descent of this very movement leans clearly the other way, it is believed.

        Parameters
        ----------
        lean : Lean
            Of one movement.
        standing_up : (3,) array
            `up` in standing.
        """
        known = self._leans - (self._leans @ standing_up) * standing_up
        strength = float(np.sqrt(known @ known))
        if strength < LEAST_KNOWN:
            return self._own_direction(lean)
        direction: Array = known / strength
        contradicted = lean.from_rest and float(lean.sinking @ direction) < -CONTRADICTED_RAD
        return -direction if contradicted else direction

    def learn(self, lean: Lean) -> None:
        """Take the lean of a movement that, in the plane of its own, is a repetition."""
        own = self._own_direction(lean)
        reach = float(lean.sinking @ own)
        self._leans += reach * reach * own
        self._seen += 1

    @staticmethod
    def _own_direction(lean: Lean) -> Array:
        """Return the main direction of one movement's lean, towards the side of its descent."""
        direction: Array = np.linalg.eigh(lean.path.T @ lean.path)[1][:, -1]
        return direction if lean.sinking @ direction >= 0.0 else -direction


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
    start, bottom, resume, end : int
        Steps at which standing was left, the turning point reached, left again, and standing reached.
    turn_rad : float
        Turn about the vertical, left positive.
    height_error_m : float
        Height at the end had it not been set to that of the start: how far the estimate was off.
    """

    time_s: Array
    trunk_angle_rad: Array
    sideways_rad: Array
    height_m: Array
    velocity_m_s: Array
    lean: Lean
    start: int
    bottom: int
    resume: int
    end: int
    turn_rad: float
    height_error_m: float

    @cached_property
    def peak_angle_rad(self) -> float:
        """Largest forward tilt."""
        return _peak(self.trunk_angle_rad)

    @cached_property
    def hip_drop_m(self) -> float:
        """How far the hip sank below standing; not negative."""
        return max(0.0, _peak(-self.height_m))

    @cached_property
    def angle_at_bottom_rad(self) -> float:
        """Forward tilt where the hip is lowest."""
        return float(self.trunk_angle_rad[int(np.argmin(self.height_m))])


def describe(movement: Movement, sagittal_plane: SagittalPlane) -> MovementFigures:
    """Return the figures of a movement that returned to standing."""
    free, motion = movement.height(returns=False), movement.height(returns=True)
    home, up = movement.standing.up, movement.signals.up
    along_home = up @ home
    path = up - along_home[:, None] * home
    lean = Lean(path, path[int(np.argmin(motion.velocity_m_s))], movement.started_at_rest)
    forward = sagittal_plane.forward(lean, home)
    (fx, fy, fz), (hx, hy, hz) = forward.tolist(), home.tolist()
    left = np.array([fy * hz - fz * hy, fz * hx - fx * hz, fx * hy - fy * hx])  # forward x home
    angle = np.arctan2(path @ forward, along_home)
    angle_rate = _rate(angle)
    height = motion.height_m + SENSOR_ABOVE_HIP_M * (1.0 - np.cos(angle))
    velocity = motion.velocity_m_s + SENSOR_ABOVE_HIP_M * np.sin(angle) * angle_rate
    speed = np.hypot(velocity, TRUNK_LEVER_M * angle_rate)
    start, bottom, resume, end = _phases(speed, np.hypot(height, TRUNK_LEVER_M * angle))
    resting = movement.before.turn_rate_rad_s
    bias = median(resting) if movement.started_at_rest and len(resting) else 0.0
    return MovementFigures(
        time_s=movement.signals.time_s,
        trunk_angle_rad=angle,
        sideways_rad=-np.arcsin(np.clip(path @ left, -1.0, 1.0)),
        height_m=height,
        velocity_m_s=velocity,
        lean=lean,
        start=start,
        bottom=bottom,
        resume=resume,
        end=end,
        turn_rad=float((movement.signals.turn_rate_rad_s - bias).sum() * STEP_S),
        height_error_m=free.last_height_m,
    )


def _phases(speed: Array, excursion: Array) -> tuple[int, int, int, int]:
    """Return the steps of start, turning point, its end and standing again, strictly in order.

    The turning point is the largest excursion; a pause is the slow stretch around it.
    """
    n = len(speed)
    turn = min(max(1, int(np.argmax(excursion))), n - 2)
    peak = float(speed.max())
    moving = speed > MOVING_OF_PEAK * peak
    fast, still = np.flatnonzero(speed >= FAST_OF_PEAK * peak).tolist(), np.flatnonzero(~moving).tolist()
    before = bisect_left(still, min(turn, fast[0]))
    after = bisect_right(still, max(turn, fast[-1]))
    start = still[before - 1] + 1 if before else 0
    end = still[after] if after < len(still) else n - 1
    bottom = resume = turn
    while bottom - 1 > start and not moving[bottom - 1]:
        bottom -= 1
    while resume + 1 < end and not moving[resume + 1]:
        resume += 1
    start = min(start, bottom - 1)
    end = max(end, resume + 1)
    return start, bottom, resume, end


def _rate(values: Array) -> Array:
    """Return the rate of change per second by central differences, one-sided at both ends."""
    rate = np.empty_like(values)
    rate[1:-1] = (values[2:] - values[:-2]) / (2 * STEP_S)
    rate[0], rate[-1] = (values[1] - values[0]) / STEP_S, (values[-1] - values[-2]) / STEP_S
    return rate


def median(values: Array) -> float:
    """Return the median of a few values; :func:`numpy.median` takes five times as long over them."""
    ordered, middle = np.sort(values), len(values) // 2
    return float(ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _peak(values: Array) -> float:
    """Return the largest value, by a parabola through its neighbours."""
    i = int(np.argmax(values))
    if not 0 < i < len(values) - 1:
        return float(values[i])
    before, here, after = (float(v) for v in values[i - 1 : i + 2])
    curvature = before - 2 * here + after
    return here if curvature >= 0 else here - (before - after) ** 2 / (8 * curvature)
