"""Vertical acceleration of a movement -> hip velocity and height, with their uncertainty.

Integrating acceleration twice turns a constant error of 0.1 m/s² into 0.8 m after 4 s, and the errors of cheap
accelerometers are larger than that once the sensor tilts: an offset of 40 mg along one axis is invisible in standing
(it is part of the level measured there) and 0.3 m/s² in a bend of 60°. Neither filtering nor zero velocity at
moments that look still cures this: a slow steady descent looks still too.

So the errors themselves are estimated. The vertical acceleration measured with the sensor's axes pointing along `up`
is::

    measured = true + up · offset + g Σ scale_k up_k² + wander(t)

with unknown `offset` (3), `scale` (3) and a slowly wandering remainder (inclination error, cloth). They have Gaussian
priors from datasheets; the velocity at the start, the level measured while standing still before the movement, zero
velocity where the person rests, and the return to the standing height are measurements of them. Offset and scale are
the sensor's, not the movement's: what one movement has shown of them is the prior of the next. Everything is linear, so
the posterior is one small least-squares problem (Gaussian process regression with these basis functions: Rasmussen and
Williams 2006, section 2.7), and the height comes with a standard deviation that says whether it means something.

This module refuses to decide what the movement was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from imu.samples import STANDARD_GRAVITY_M_S2, Array

END_VELOCITY_SD_M_S = 0.05
"""How still the hip is where a movement has ended."""


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
    """What offset and scale do not explain: g times an inclination error of 0.35 degrees squared is nothing, but 6
    mg is what the rest of the SisFall hinge holds show beyond the other terms."""
    wander_interval_s: float = 1.0
    """Distance of the wander's support points."""
    resting_velocity_m_s: float = 0.03
    """Hip velocity of a person who rests in a position."""
    standing_height_m: float = 0.02
    """Difference of the hip's height in standing before and after a movement."""


@dataclass(frozen=True, slots=True, eq=False)
class SensorErrors:
    """What is known of the accelerometer's errors: offset (3, m/s²), scale (3) and level (m/s²), jointly Gaussian.

    Attributes
    ----------
    mean : (7,) array
        Most likely values.
    covariance : (7, 7) array
        Of their errors.
    """

    mean: Array
    covariance: Array

    @classmethod
    @cache
    def unknown(cls, parameters: VerticalParameters) -> SensorErrors:
        """Return what datasheets say."""
        sds = [parameters.offset_m_s2] * 3 + [parameters.scale] * 3 + [parameters.level_m_s2]
        return cls(np.zeros(7), np.diag(np.square(sds)))

    def relaxed(self, towards: SensorErrors, share: float) -> SensorErrors:
        """Return what is still known after a while: a `share` of it is forgotten."""
        kept = 1.0 - share
        return SensorErrors(
            kept * self.mean + share * towards.mean,
            kept**2 * self.covariance + (1.0 - kept**2) * towards.covariance,
        )


_ERRORS = slice(2, 9)  # their place in a row: after what was measured and the start velocity, before the wander


@dataclass(frozen=True, slots=True, eq=False)
class _Belief:
    """What is known of the unknowns, jointly Gaussian: the most likely values (k,), and their covariance (k, k).

    The first is no unknown but 1, the factor of what was measured: a row times `mean` is a whole velocity or height.
    """

    mean: Array
    covariance: Array

    def given(self, row: Array, sd: float) -> _Belief:
        """Return what is known once `row` (k,) turns out to make zero, up to `sd`: the update of a Kalman filter."""
        spread = self.covariance @ row
        gain = spread / (row @ spread + sd**2)
        return _Belief(self.mean - (row @ self.mean) * gain, self.covariance - gain[:, None] * spread)

    def sd(self, row: Array) -> float:
        """Return the standard deviation of what `row` makes."""
        return math.sqrt(max(0.0, float(row @ (self.covariance @ row))))


@dataclass(frozen=True, eq=False)  # without slots: its properties keep their value
class VerticalMotion:
    """Hip motion since the start of a movement, as :meth:`VerticalEstimator.solve` finds it."""

    _height: Array  # (n, k)
    _velocity: Array
    _belief: _Belief

    @cached_property
    def height_m(self) -> Array:
        """Heights (n,) at the end of each sample, up positive, relative to the start."""
        return self._height @ self._belief.mean

    @cached_property
    def velocity_m_s(self) -> Array:
        """Velocities (n,) at the end of each sample, up positive."""
        return self._velocity @ self._belief.mean

    @cached_property
    def last_height_m(self) -> float:
        """The last height alone."""
        return float(self._height[-1] @ self._belief.mean)

    @property
    def last_velocity_m_s(self) -> float:
        """The last velocity alone."""
        return float(self._velocity[-1] @ self._belief.mean)

    @cached_property
    def height_sd_m(self) -> float:
        """Standard deviation of the last height."""
        return self._belief.sd(self._height[-1])

    @property
    def velocity_sd_m_s(self) -> float:
        """Standard deviation of the last velocity."""
        return self._belief.sd(self._velocity[-1])

    @property
    def errors(self) -> SensorErrors:
        """What this motion shows of the sensor, if the conditions under which it was found held."""
        return SensorErrors(self._belief.mean[_ERRORS], self._belief.covariance[_ERRORS, _ERRORS])


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Quiet standing: the posture and level that a movement starts from.

    Attributes
    ----------
    up : (3,) array
        World-vertical in the sensor frame.
    vertical_m_s2 : float
        Vertical specific force measured there, near 9.81.
    level_sd_m_s2 : float
        Error of that level: small if the person rested.
    """

    up: Array
    vertical_m_s2: float
    level_sd_m_s2: float

    def apart_from(self, other: Standing) -> float:
        """Return the chord between the two postures."""
        x, y, z = (self.up - other.up).tolist()
        return math.sqrt(x * x + y * y + z * z)


class VerticalEstimator:
    """The linear model of one movement: give it samples as they come, then solve for any number of them.

    Parameters
    ----------
    standing : Standing
        Posture and level before the movement.
    start_velocity_sd_m_s : float
        How still the start was.
    interval_s : float
        Length of each sample's interval.
    longest_s : float
        No movement is longer.
    errors : SensorErrors or None
        What earlier movements have shown of the sensor; ``None`` for what datasheets say.
    parameters : VerticalParameters or None
        Prior standard deviations.
    """

    def __init__(
        self,
        standing: Standing,
        start_velocity_sd_m_s: float,
        interval_s: float,
        longest_s: float,
        *,
        errors: SensorErrors | None = None,
        parameters: VerticalParameters | None = None,
    ) -> None:
        self._parameters = chosen = parameters or VerticalParameters()
        self._interval_s = interval_s
        # Columns: what the accelerometer itself says, then what each unknown adds to it: start velocity, offset, scale
        # (these first eight come with the samples), level, wander (these are known beforehand). Row 0 is the start.
        self._known_velocity, self._known_height = _level_and_wander(interval_s, longest_s, chosen.wander_interval_s)
        rows, columns = len(self._known_height), 8 + self._known_height.shape[1]
        self._velocity, self._height = np.empty((rows, columns)), np.empty((rows, columns))
        self._velocity[0], self._height[0] = 0.0, 0.0
        self._velocity[0, 1] = 1.0
        self._height_sum = self._height[0, :8]
        self._samples = 0
        known = errors or SensorErrors.unknown(chosen)
        mean, variance = np.zeros(columns), np.full(columns, chosen.wander_m_s2**2)
        mean[0], variance[0] = 1.0, 0.0
        variance[1] = start_velocity_sd_m_s**2
        covariance = np.diag(variance)
        mean[_ERRORS], covariance[_ERRORS, _ERRORS] = known.mean, known.covariance
        self._home_value = standing.vertical_m_s2 - STANDARD_GRAVITY_M_S2
        home_row = np.zeros(columns)
        home_row[0], home_row[8] = -self._home_value, 1.0
        home_row[2:5], home_row[5:8] = standing.up, STANDARD_GRAVITY_M_S2 * standing.up**2
        # What the level and so many rests have shown: whoever asks for one rest more goes on from there.
        self._shown: dict[tuple[int, ...], _Belief] = {}
        self._shown[()] = _Belief(mean, covariance).given(home_row, standing.level_sd_m_s2)

    def __len__(self) -> int:
        """Return the number of samples given."""
        return self._samples

    @property
    def naive_height_m(self) -> Array:
        """Heights (n,) if the standing level were the only error: good enough for a second or two."""
        height = self._height[1 : self._samples + 1]
        return height[:, 0] + self._home_value * height[:, 8]

    def extend(self, up: Array, vertical_m_s2: Array) -> None:
        """Append samples: `up` (n, 3) unit vectors in the sensor frame, `vertical_m_s2` (n,) world-vertical.

        Raises
        ------
        ValueError
            If the movement becomes longer than the longest.
        """
        last, n = self._samples, len(vertical_m_s2)
        if last + n >= len(self._velocity):
            raise ValueError(f"a movement has at most {len(self._velocity) - 1} samples, got {last + n}")
        acceleration = np.empty((n, 8))
        acceleration[:, 0] = vertical_m_s2 - STANDARD_GRAVITY_M_S2
        acceleration[:, 1] = 0.0
        acceleration[:, 2:5] = -up
        acceleration[:, 5:] = -STANDARD_GRAVITY_M_S2 * up * up
        new = slice(last + 1, last + 1 + n)
        velocity, height, self._height_sum = _integrate(
            acceleration, self._interval_s, self._velocity[0, :8], self._velocity[last, :8], self._height_sum
        )
        self._velocity[new, :8], self._velocity[new, 8:] = velocity, self._known_velocity[new]
        self._height[new, :8], self._height[new, 8:] = height, self._known_height[new]
        self._samples += n

    def solve(
        self,
        samples: int,
        *,
        rests: Sequence[int] = (),
        end_velocity_sd_m_s: float | None = None,
        returns: bool = False,
    ) -> VerticalMotion:
        """Return the most likely motion of the first `samples` under the given conditions.

        Parameters
        ----------
        samples : int
            How many samples to use, at least one.
        rests : sequence of int
            Samples at whose end the velocity is zero.
        end_velocity_sd_m_s : float or None
            If given, the last velocity is zero with this standard deviation.
        returns : bool
            Whether the last height equals the first.
        """
        belief = self._shown_by(tuple(rests))
        if end_velocity_sd_m_s is not None:
            belief = belief.given(self._velocity[samples], end_velocity_sd_m_s)
        if returns:
            belief = belief.given(self._height[samples], self._parameters.standing_height_m)
        return VerticalMotion(self._height[1 : samples + 1], self._velocity[1 : samples + 1], belief)

    def _shown_by(self, rests: tuple[int, ...]) -> _Belief:
        """Return what standing before the movement and the rests show."""
        if rests not in self._shown:
            before, row = self._shown_by(rests[:-1]), self._velocity[rests[-1] + 1]
            self._shown[rests] = before.given(row, self._parameters.resting_velocity_m_s)
        return self._shown[rests]


def _integrate(
    acceleration: Array, interval_s: float, start_velocity: Array, last_velocity: Array, last_height_sum: Array
) -> tuple[Array, Array, Array]:
    """Return velocity and height (n, k) at the end of each sample, and the sum from which the height goes on."""
    parts = np.empty((len(acceleration) + 1, acceleration.shape[1]))
    parts[0] = last_velocity
    np.multiply(acceleration, interval_s, out=parts[1:])
    velocity = parts.cumsum(axis=0)[1:]
    parts[0] = last_height_sum
    np.multiply(velocity, interval_s, out=parts[1:])
    sums = parts.cumsum(axis=0)
    # A velocity changes linearly within a sample: the height at its end is the sum less half of the last part.
    return velocity, sums[1:] - 0.5 * interval_s * (velocity - start_velocity), sums[-1]


@cache
def _level_and_wander(interval_s: float, longest_s: float, wander_interval_s: float) -> tuple[Array, Array]:
    """Return what a wrong level and each support point of the wander add to velocity and height, row 0 at the start."""
    middle = (np.arange(round(longest_s / interval_s)) + 0.5) * (interval_s / wander_interval_s)
    supports = np.arange(math.ceil(longest_s / wander_interval_s) + 1)
    wander = np.maximum(0.0, 1.0 - np.abs(middle[:, None] - supports))
    acceleration = -np.column_stack((np.ones(len(middle)), wander))
    start = np.zeros((1, acceleration.shape[1]))
    velocity, height, _ = _integrate(acceleration, interval_s, start[0], start[0], start[0])
    return np.concatenate((start, velocity)), np.concatenate((start, height))
