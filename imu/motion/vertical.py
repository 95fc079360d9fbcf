"""Vertical acceleration of a movement -> hip velocity and height, with their uncertainty.

Integrating acceleration twice turns a constant error of 0.1 m/s² into 0.8 m after 4 s, and the errors of cheap
accelerometers are larger than that once the sensor tilts: an offset of 40 mg along one axis is invisible in standing
(it is part of the level measured there) and 0.3 m/s² in a bend of 60°. Neither filtering nor zero velocity at moments that
look still cures this: a slow steady descent looks still too.

So the errors themselves are estimated. The vertical acceleration measured with the sensor's axes pointing along `up` is::

    measured = true + up · offset + g Σ scale_k up_k² + wander(t)

with unknown `offset` (3), `scale` (3) and a slowly wandering remainder (inclination error, cloth). They have Gaussian
priors from datasheets; the velocity at the start, the level measured while standing still before the movement, zero
velocity where the person rests, and the return to the standing height are measurements of them. Everything is linear, so the
posterior is one small least-squares problem (Gaussian process regression with these basis functions: Rasmussen and
Williams 2006, section 2.7), and the height comes with a standard deviation that says whether it means something.

This module refuses to decide what the movement was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imu.samples import STANDARD_GRAVITY_M_S2, Array


@dataclass(frozen=True, slots=True)
class VerticalParameters:
    """Prior standard deviations of what is unknown, and of the pseudo-measurements."""

    offset_m_s2: float = 0.4
    """Accelerometer offset per axis: ±20 to ±80 mg in datasheets (DESIGN.md), taken as 30 mg."""
    scale: float = 0.02
    """Scale error per axis: ±0.4 to ±3 % in datasheets."""
    level_m_s2: float = 0.02
    """Local gravity against the standard one (up to 0.026 on Earth)."""
    wander_m_s2: float = 0.06
    """What offset and scale do not explain: g times an inclination error of 0.35 degrees squared is nothing, but 6 mg is
    what the rest of the SisFall hinge holds show beyond the other terms."""
    wander_interval_s: float = 1.0
    """Distance of the wander's support points."""
    home_level_m_s2: float = 0.015
    """Error of the level measured in quiet standing: sway averaged over a second."""
    resting_velocity_m_s: float = 0.03
    """Hip velocity of a person who rests in a position."""
    standing_height_m: float = 0.02
    """Difference of the hip's height in standing before and after a movement."""


@dataclass(frozen=True, slots=True, eq=False)
class VerticalMotion:
    """Hip motion since the start of a movement.

    Attributes
    ----------
    height_m, velocity_m_s : (n,) array
        At the end of each sample, up positive, relative to the start.
    height_sd_m, velocity_sd_m_s : float
        Standard deviations of the last height and the last velocity.
    """

    height_m: Array
    velocity_m_s: Array
    height_sd_m: float
    velocity_sd_m_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Quiet standing: the posture and level that a movement starts from.

    Attributes
    ----------
    up : (3,) array
        World-vertical in the sensor frame.
    vertical_m_s2 : float
        Vertical specific force measured there, near 9.81.
    """

    up: Array
    vertical_m_s2: float


class VerticalProblem:
    """The linear model of one movement; conditions are added by :meth:`solve`.

    Parameters
    ----------
    up : (n, 3) array
        World-vertical in the sensor frame, unit vectors.
    vertical_m_s2 : (n,) array
        World-vertical specific force, means over intervals of `interval_s`.
    interval_s : float
        Length of each sample's interval.
    standing : Standing
        Posture and level before the movement.
    start_velocity_sd_m_s : float
        How still the start was.
    parameters : VerticalParameters or None
        Prior standard deviations.
    """

    def __init__(
        self,
        up: Array,
        vertical_m_s2: Array,
        interval_s: float,
        standing: Standing,
        start_velocity_sd_m_s: float,
        parameters: VerticalParameters | None = None,
    ) -> None:
        self._parameters = chosen = parameters or VerticalParameters()
        n = len(vertical_m_s2)
        gravity = STANDARD_GRAVITY_M_S2
        time = interval_s * np.arange(1, n + 1)
        supports = max(2, int(np.ceil(n * interval_s / chosen.wander_interval_s)) + 1)
        position = (time - 0.5 * interval_s) * ((supports - 1) / (n * interval_s))
        wander = np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(supports)))

        errors = np.empty((n, 7 + supports))
        errors[:, 0:3], errors[:, 3:6], errors[:, 6], errors[:, 7:] = up, gravity * up * up, 1.0, wander
        error_velocity = np.cumsum(errors, axis=0) * interval_s
        error_height = (np.cumsum(error_velocity, axis=0) - 0.5 * error_velocity) * interval_s
        self._naive_velocity = np.cumsum(vertical_m_s2 - gravity) * interval_s
        self._naive_height = (np.cumsum(self._naive_velocity) - 0.5 * self._naive_velocity) * interval_s
        self._velocity_rows = np.column_stack((np.ones(n), -error_velocity))
        self._height_rows = np.column_stack((time, -error_height))

        self._prior_variance = np.square(
            [start_velocity_sd_m_s]
            + [chosen.offset_m_s2] * 3
            + [chosen.scale] * 3
            + [chosen.level_m_s2]
            + [chosen.wander_m_s2] * supports
        )
        home = np.concatenate(([0.0], standing.up, gravity * standing.up**2, [1.0], np.zeros(supports)))
        self._conditions = [(home, standing.vertical_m_s2 - gravity, chosen.home_level_m_s2)]

    def solve(
        self,
        *,
        rests: Sequence[int] = (),
        end_velocity_sd_m_s: float | None = None,
        returns: bool = False,
    ) -> VerticalMotion:
        """Return the most likely motion under the given conditions.

        Parameters
        ----------
        rests : sequence of int
            Samples at whose end the velocity is zero.
        end_velocity_sd_m_s : float or None
            If given, the last velocity is zero with this standard deviation.
        returns : bool
            Whether the last height equals the first.
        """
        chosen = self._parameters
        conditions = list(self._conditions)
        conditions += [
            (self._velocity_rows[i], -self._naive_velocity[i], chosen.resting_velocity_m_s) for i in rests
        ]
        if end_velocity_sd_m_s is not None:
            conditions.append((self._velocity_rows[-1], -self._naive_velocity[-1], end_velocity_sd_m_s))
        if returns:
            conditions.append((self._height_rows[-1], -self._naive_height[-1], chosen.standing_height_m))
        rows = np.array([row for row, _, _ in conditions])
        target = np.array([value for _, value, _ in conditions])
        spread = self._prior_variance * rows
        noise = np.square([sd for _, _, sd in conditions])
        gain = np.linalg.solve(rows @ spread.T + np.diag(noise), spread).T
        unknown = gain @ target

        def last_sd(row: Array) -> float:
            explained = (gain @ (rows @ (self._prior_variance * row))) @ row
            return float(np.sqrt(max(0.0, (self._prior_variance * row) @ row - explained)))

        return VerticalMotion(
            height_m=self._naive_height + self._height_rows @ unknown,
            velocity_m_s=self._naive_velocity + self._velocity_rows @ unknown,
            height_sd_m=last_sd(self._height_rows[-1]),
            velocity_sd_m_s=last_sd(self._velocity_rows[-1]),
        )
