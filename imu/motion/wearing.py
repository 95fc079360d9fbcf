"""How the sensor is worn, from the repetitions themselves: which way is forward, how far it sits from the hip joint.

No calibration is asked for: :class:`SagittalPlane` accumulates the leans of the repetitions, :class:`SensorLever` the
heights of the hinges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from imu.samples import Array

TRUNK_LEVER_M = 0.3
"""Distance from hip to the trunk's centre of mass, .4486 of .3055 body heights (de Leva 1996, doi
10.1016/0021-9290(95)00178-6) plus the pelvis below it: turns tilt into a length, so that tilt and drop make one
speed."""

SENSOR_ABOVE_HIP_M = 0.08
"""Height of the sensor above the hip joint: a belt at the iliac crest sits 0.10 to 0.12 m above it, a low waistband
0.05 m (DESIGN.md takes 0.12). A tilting pelvis lowers the sensor by this times 1 - cos(angle) where the hip stays."""

LEAST_KNOWN = 0.1
"""The square of 18°: with smaller leans the plane is not known."""

CONTRADICTED_RAD = 0.26
"""15°: people do not lean back by that much while they sink."""


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
    """The forward direction in the sensor frame, estimated from the leans of the repetitions themselves.

    The plane is the main direction of a lean. Its forward side is the one to which the descent leans: people who sink
    lean forward, to keep the feet under the centre of mass. The larger side would be worse: on a seat the pelvis
    rolls back by 50°, and some people's belts tilt back at the bottom of a squat (SisFall, sensor at the front: the
    larger side is forward in 0.88 of squats and 0.72 of chairs, the descent's in 0.95 and 0.93). Leans accumulate as
    directions weighted with the square of the lean in the descent, so a hinge outweighs ten squats.
    """

    def __init__(self) -> None:
        self._leans = np.zeros(3)

    def forward(self, lean: Lean, standing_up: Array) -> Array:
        """Return the unit direction in which `up` moves when this person bends forward.

        Where the descent of this movement leans clearly the other way, its direction is reversed.

        Parameters
        ----------
        lean : Lean
            Of one movement.
        standing_up : (3,) array
            `up` in standing.
        """
        known = self._leans - (self._leans @ standing_up) * standing_up
        strength = math.sqrt(known @ known)
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

    @staticmethod
    def _own_direction(lean: Lean) -> Array:
        """Return the main direction of one movement's lean, towards the side of its descent."""
        direction: Array = np.linalg.eigh(lean.path.T @ lean.path)[1][:, -1]
        return direction if lean.sinking @ direction >= 0.0 else -direction


LEVER_SD_M, LEVER_ERROR_M, LEAST_LEVER_SD_M = 0.07, 0.06, 0.03
"""How far in front of the hip joint a sensor on a belt sits (0.1 m; at the back as far behind), how well one hinge
shows it, and how well many do."""

LEVER_HINGE_RAD, LEVER_HINGE_M, LEVER_FIT_M = math.radians(35), 0.12, 0.01
"""It is measured in hinges that tilt more and sink less, and that two terms describe to 1 cm (standard deviation)."""


@dataclass(frozen=True, slots=True)
class SensorLever:
    """How far the sensor sits in front of the hip joint, by the hinges so far; behind it is negative.

    A tilting pelvis lowers the sensor by ``ahead sin(angle)``, but the hip itself by an even function of the angle:
    from straight legs, shank and thigh lower it with the square of their angles. So the odd part of height over angle
    is the lever's. In 24 simulated sessions the lever of one hinge errs by 3 cm (RMSE).

    Attributes
    ----------
    ahead_m : float
        The most likely value; 0 before the first hinge.
    certainty_m_2 : float
        One over its variance.
    """

    ahead_m: float = 0.0
    certainty_m_2: float = LEVER_SD_M**-2

    def after(self, angle_rad: Array, height_m: Array) -> SensorLever:
        """Return the estimate after a movement; its `height_m` (n,) was computed with the sensor at the hip."""
        sine, fall = np.sin(angle_rad) - math.sin(angle_rad[0]), math.cos(angle_rad[0]) - np.cos(angle_rad)
        tilt_rad = float(np.ptp(angle_rad))
        if tilt_rad < LEVER_HINGE_RAD or TRUNK_LEVER_M * tilt_rad < float(np.ptp(height_m)):
            return self
        ss, sf, ff = float(sine @ sine), float(sine @ fall), float(fall @ fall)
        sh, fh = float(sine @ height_m), float(fall @ height_m)
        odd, even = (sh * ff - fh * sf) / (ss * ff - sf * sf), (fh * ss - sh * sf) / (ss * ff - sf * sf)
        rest = height_m - odd * sine - even * fall
        if abs(even) * float(np.abs(fall).max()) > LEVER_HINGE_M or float(rest.std()) > LEVER_FIT_M:
            return self
        known = min(self.certainty_m_2, LEAST_LEVER_SD_M**-2)
        certainty = known + LEVER_ERROR_M**-2
        return SensorLever((known * self.ahead_m - LEVER_ERROR_M**-2 * odd) / certainty, certainty)
