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
the sensor's, not the movement's: their estimate after one movement is the prior of the next. Everything is linear, so
the posterior is Gaussian too (Gaussian process regression with these basis functions: Rasmussen and Williams 2006,
section 2.7). Each measurement is taken in by one update, as in a Kalman filter whose state does not change. The height
comes with a standard deviation that says whether it means something.

Whether the movement was a repetition, :mod:`imu.motion.judge` decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from imu.motion.signals import STEP_S
from imu.samples import STANDARD_GRAVITY_M_S2, Array

END_VELOCITY_SD_M_S = 0.05
"""How still the hip is where a movement has ended."""

UNKNOWN_LEVEL_SD_M_S2 = 0.3
"""Error of standard gravity as the level: 30 mg, the accelerometer's offset."""


# Standard deviations before a movement, and of what is taken as measured:
OFFSET_SD_M_S2 = 0.4
"""Accelerometer offset per axis: ±20 to ±80 mg in datasheets (DESIGN.md), taken as 30 mg."""

SCALE_SD = 0.02
"""Scale error per axis: ±0.4 to ±3 % in datasheets."""

GRAVITY_SD_M_S2 = 0.02
"""Local gravity against the standard one (up to 0.026 on Earth)."""

WANDER_SD_M_S2, WANDER_INTERVAL_S = 0.06, 1.0
"""Error that offset and scale do not explain, and the distance of its support points. An inclination error of 0.35°
adds next to nothing; the holds of SisFall's hinges show 6 mg beyond the other terms."""

PREPARED_S = 4.0
"""Factors that do not depend on the samples are prepared once for each length: up to 4 s, up to 8 s and so on."""

STANDING_HEIGHT_SD_M = 0.02
"""Difference of the hip's height in standing before and after a movement."""


@dataclass(frozen=True, slots=True, eq=False)
class SensorErrors:
    """Estimate of the accelerometer's errors: offset (3, m/s²), scale (3) and level (m/s²), jointly Gaussian.

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
    def unknown(cls) -> SensorErrors:
        """Return what datasheets say."""
        sds = [OFFSET_SD_M_S2] * 3 + [SCALE_SD] * 3 + [GRAVITY_SD_M_S2]
        return cls(np.zeros(7), np.diag(np.square(sds)))

    def relaxed(self, towards: SensorErrors, share: float) -> SensorErrors:
        """Return the estimate after a while: a `share` of its information is given up."""
        remaining = 1.0 - share
        return SensorErrors(
            remaining * self.mean + share * towards.mean,
            remaining**2 * self.covariance + (1.0 - remaining**2) * towards.covariance,
        )


# A velocity or a height is a sum: what the accelerometer itself says, then what each unknown adds to it. Its factors
# stand in this order: measured, offset (3), scale (3), which come with the samples, then level, start velocity, wander.
_FROM_SAMPLES, _LEVEL, _START_VELOCITY = 7, 7, 8
_ERRORS = slice(1, 8)


@dataclass(frozen=True, slots=True, eq=False)
class _Belief:
    """Estimate of the unknowns, jointly Gaussian: the most likely values (k,), and their covariance (k, k).

    The first is no unknown but 1, the factor of the measured part: factors times `mean` are a whole velocity or height.
    """

    mean: Array
    covariance: Array

    def given(self, factors: Array, sd: float) -> _Belief:
        """Return the estimate given that the sum with `factors` (k,) is zero up to `sd`: a Kalman filter's update."""
        spread = self.covariance.dot(factors)  # on so few numbers quicker than @
        gain = spread / (factors.dot(spread) + sd**2)
        return _Belief(self.mean - factors.dot(self.mean) * gain, self.covariance - gain[:, None] * spread)

    def sd(self, factors: Array) -> float:
        """Return the standard deviation of the sum with these `factors`."""
        return math.sqrt(max(0.0, float(factors.dot(self.covariance.dot(factors)))))


@dataclass(frozen=True, slots=True, eq=False)
class VerticalMotion:
    """Hip motion since the start of a movement, as :meth:`VerticalEstimator.solve` finds it.

    Attributes
    ----------
    height_m : (n,) array
        At the end of each sample, up positive, relative to the start.
    """

    height_m: Array
    _height: Array  # factors (k, n)
    _velocity: Array
    _belief: _Belief

    @property
    def velocity_m_s(self) -> Array:
        """Velocities (n,) at the end of each sample, up positive."""
        velocity: Array = self._belief.mean.dot(self._velocity)
        return velocity

    @property
    def last_height_m(self) -> float:
        """The last height."""
        return float(self.height_m[-1])

    @property
    def velocity_sd_m_s(self) -> float:
        """Standard deviation of the last velocity."""
        return self._belief.sd(self._velocity[:, -1])

    @property
    def height_sd_m(self) -> float:
        """Standard deviation of the last height."""
        return self.height_sd_at_m(-1)

    def height_sd_at_m(self, sample: int) -> float:
        """Return the standard deviation of the height at the end of a sample."""
        return self._belief.sd(self._height[:, sample])

    @property
    def errors(self) -> SensorErrors:
        """The sensor's errors as this motion shows them, if the conditions of the fit held."""
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

    @classmethod
    def without_level(cls, up: Array) -> Standing:
        """Return standing in a posture at which the person was not seen at rest: standard gravity is the level."""
        return cls(up, STANDARD_GRAVITY_M_S2, UNKNOWN_LEVEL_SD_M_S2)


class VerticalEstimator:
    """The linear model of one movement, solved for any number of its samples.

    Parameters
    ----------
    standing : Standing
        Posture and level before the movement.
    start_velocity_sd_m_s : float
        How still the start was.
    up : (n, 3) array
        World-vertical in the sensor frame, unit vectors.
    vertical_m_s2 : (n,) array
        World-vertical specific force.
    errors : SensorErrors or None
        The sensor's errors by earlier movements; ``None`` for those of datasheets.
    """

    def __init__(
        self,
        standing: Standing,
        start_velocity_sd_m_s: float,
        up: Array,
        vertical_m_s2: Array,
        *,
        errors: SensorErrors | None = None,
    ) -> None:
        n = len(vertical_m_s2)
        known_velocity, known_height = _known_factors(math.ceil((n + 1) * STEP_S / PREPARED_S))
        factors = _FROM_SAMPLES + len(known_height)
        self._velocity, self._height = np.empty((2, factors, n + 1))  # column 0 at the start
        self._velocity[_FROM_SAMPLES:], self._height[_FROM_SAMPLES:] = (
            known_velocity[:, : n + 1],
            known_height[:, : n + 1],
        )
        acceleration = np.empty((_FROM_SAMPLES, n))
        np.subtract(vertical_m_s2, STANDARD_GRAVITY_M_S2, out=acceleration[0])
        np.negative(up.T, out=acceleration[1:4])
        np.multiply(up.T, STANDARD_GRAVITY_M_S2 * acceleration[1:4], out=acceleration[4:])
        _integrate(acceleration, self._velocity[:_FROM_SAMPLES], self._height[:_FROM_SAMPLES])
        known = _belief_in_standing(standing, errors, factors)
        covariance = known.covariance.copy()
        covariance[_START_VELOCITY, _START_VELOCITY] = start_velocity_sd_m_s**2
        self._known = _Belief(known.mean, covariance)
        self._beliefs: dict[tuple[int, float | None, float | None], _Belief] = {}  # with conditions at the end

    def rest(self, sample: int, velocity_sd_m_s: float) -> None:
        """Take that the hip rests at the end of a sample, up to this velocity."""
        self._known = self._known.given(self._velocity[:, sample], velocity_sd_m_s)
        self._beliefs.clear()

    def solve(
        self,
        samples: int,
        *,
        end_velocity_sd_m_s: float | None = None,
        returns: bool = False,
        end: int | None = None,
        return_sd_m: float | None = None,
    ) -> VerticalMotion:
        """Return the most likely motion of the first `samples` under the given conditions.

        Parameters
        ----------
        samples : int
            How many samples to use, at least one.
        end_velocity_sd_m_s : float or None
            If given, the last velocity is zero with this standard deviation.
        returns : bool
            Whether the height at the end equals the first.
        end : int or None
            The sample at which the movement ends; ``None`` for the last.
        return_sd_m : float or None
            How far the height at the end may be from the first; ``None`` for that of standing.
        """
        return_sd_m = (return_sd_m or STANDING_HEIGHT_SD_M) if returns else None
        belief = self._belief_with(samples if end is None else end, end_velocity_sd_m_s, return_sd_m)
        height, velocity = self._height[:, 1 : samples + 1], self._velocity[:, 1 : samples + 1]
        return VerticalMotion(belief.mean.dot(height), height, velocity, belief)

    def _belief_with(self, end: int, velocity_sd_m_s: float | None, return_sd_m: float | None) -> _Belief:
        """Return what is known with these conditions at the end; it is kept, as several solutions share them."""
        conditions = end, velocity_sd_m_s, return_sd_m
        if conditions not in self._beliefs:
            if return_sd_m is not None:
                belief = self._belief_with(end, velocity_sd_m_s, None).given(self._height[:, end], return_sd_m)
            elif velocity_sd_m_s is not None:
                belief = self._known.given(self._velocity[:, end], velocity_sd_m_s)
            else:
                belief = self._known
            self._beliefs[conditions] = belief
        return self._beliefs[conditions]


def _integrate(acceleration: Array, velocity: Array, height: Array) -> None:
    """Integrate (k, n) from 0; write the start and the end of each sample to `velocity` and `height` (k, n + 1)."""
    velocity[:, 0] = height[:, 0] = 0.0
    velocity, height = velocity[:, 1:], height[:, 1:]
    np.multiply(acceleration, STEP_S, out=velocity)
    np.add.accumulate(velocity, axis=1, out=velocity)
    np.multiply(velocity, STEP_S, out=height)
    np.add.accumulate(height, axis=1, out=height)
    # A velocity changes linearly within a sample: the height at its end is the sum less half of the last part.
    height -= (0.5 * STEP_S) * velocity


@cache
def _known_factors(pieces: int) -> tuple[Array, Array]:
    """Return the factors (k, n) of level, start velocity and the wander's support points in velocity and height.

    They are those of a movement of at most `pieces` times `PREPARED_S`.
    """
    longest_s = pieces * PREPARED_S
    middle = (np.arange(round(longest_s / STEP_S)) + 0.5) * (STEP_S / WANDER_INTERVAL_S)
    supports = np.arange(math.ceil(longest_s / WANDER_INTERVAL_S) + 1)
    acceleration = np.zeros((2 + len(supports), len(middle)))
    acceleration[0] = -1.0
    acceleration[2:] = -np.maximum(0.0, 1.0 - np.abs(middle - supports[:, None]))
    velocity, height = np.empty((2, len(acceleration), len(middle) + 1))
    _integrate(acceleration, velocity, height)
    velocity[1], height[1] = 1.0, STEP_S * np.arange(len(middle) + 1)  # of a metre per second at the start
    return velocity, height


@lru_cache(maxsize=8)
def _belief_in_standing(standing: Standing, errors: SensorErrors | None, factors: int) -> _Belief:
    """Return what is known of the unknowns (k,) in standing; one movement is measured several times from there.

    The start velocity is left at 0 for sure: the level does not depend on it.
    """
    mean, covariance = np.zeros(factors), np.diag(np.full(factors, WANDER_SD_M_S2**2))
    mean[0], covariance[0, 0], covariance[_START_VELOCITY, _START_VELOCITY] = 1.0, 0.0, 0.0
    errors = SensorErrors.unknown() if errors is None else errors
    mean[_ERRORS], covariance[_ERRORS, _ERRORS] = errors.mean, errors.covariance
    home = np.zeros(factors)
    home[0], home[_LEVEL] = STANDARD_GRAVITY_M_S2 - standing.vertical_m_s2, 1.0
    home[1:4], home[4:7] = standing.up, STANDARD_GRAVITY_M_S2 * standing.up**2
    return _Belief(mean, covariance).given(home, standing.level_sd_m_s2)


# -- a few numbers, over which functions of NumPy take several times as long


def median(values: Array) -> float:
    """Return the median of a few values; :func:`numpy.median` takes five times as long over them."""
    ordered, middle = np.sort(values), len(values) // 2
    return float(ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def largest(values: Array) -> float:
    """Return the largest value; ``max`` takes three times as long over a few values."""
    return float(values[values.argmax()])


def smallest(values: Array) -> float:
    """Return the smallest value, as `largest`."""
    return float(values[values.argmin()])


def straight_line(first: float, last: float, n: int) -> Array:
    """Return values (n,) from the first to the last; `numpy.linspace` takes four times as long over a few."""
    line: Array = np.arange(n, dtype=np.float64) * ((last - first) / max(1, n - 1)) + first
    line[-1] = last
    return line
