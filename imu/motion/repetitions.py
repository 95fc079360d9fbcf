"""The values of this package: a counted repetition, a movement that was not counted, and how alike repetitions are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imu.motion.pattern import Pattern

ANGLE_RAD, DROP_M, DROP_M_S, LOG_DURATION = math.radians(10), 0.06, 0.01, 0.4
"""By how much neighbours in a set usually differ: peak trunk angle, hip drop (and 1 cm more for each second that the
repetition takes, as the error of the drop grows with time), logarithm of the duration (a tiring lifter takes half as
long again). Twice the standard deviations in simulated sets, or more."""

FREE_PAUSE_S, PAUSE_S = 2.0, 6.0
"""A pause of more than 2 s between them speaks a little against one set: a breath takes up to 10 s, and whether a
longer rest ends the set is for `imu.session` to decide. With 2 s in place of 6 s, every breath of 8 s split a simulated
set in two (exact sets 0.63 instead of 0.68)."""

MOST_APART = 3.0
"""Neighbours further apart than this (root of the summed squares) differ."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """One counted repetition. Times are on the device clock; angles are of the pelvis (see `trunk_angle_rad`).

    Attributes
    ----------
    start_s, bottom_s, end_s : float
        Leaving the top; arriving at the turning point; at rest at the top again.
    confirmed_s : float
        When it was announced: no sample after this one was used, and nothing is revised.
    pattern : Pattern
        Squat, hinge or uncertain.
    confidence : float
        Probability that `pattern` is right, 0.5 to 1; for uncertain that of the likelier pattern.
    trunk_angle_rad : float
        Peak forward tilt of the pelvis away from quiet standing, in the sagittal plane. A hip-worn sensor sees the
        pelvis.
    hip_drop_m : float
        How far the hip joint sank below its height at the start, by the sensor's drop less what tilting explains
        (:data:`~imu.motion.wearing.SENSOR_ABOVE_HIP_M`). See `drop_from_standing`.
    eccentric_s, pause_s, concentric_s : float
        Way down, rest at the turning point, way up; each way lasts from rest to rest (:mod:`imu.motion.phases`).
    mean_concentric_velocity_m_s, peak_concentric_velocity_m_s : float
        Upward velocity of the hip on the way up.
    angle_at_bottom_rad : float
        Tilt at the lowest point of the hip.
    sideways_tilt_rad : float
        Largest tilt out of the sagittal plane, left positive.
    turn_rad : float
        Turn about the vertical from start to end, left positive.
    trunk_lead_s : float
        By how much the trunk began to tilt before the hip began to sink; positive is *hips first*.
    counting_log_odds : float or None
        That this is a repetition, before the person's learned shift; ``None`` where it was measured by a version of
        this program that did not keep it.
    hinge_log_odds : float or None
        That it is a hinge, by itself and before the person's learned shift; ``None`` likewise.
    drop_from_standing : bool or None
        Whether the person stood still and upright before: `hip_drop_m` is then the drop from standing. Otherwise it
        is the drop from the top of a touch-and-go repetition, which may lie below standing. ``None`` likewise.
    shake_m_s2 : float or None
        Median of the fast acceleration on the way up (see :mod:`imu.motion.signals`). ``None`` likewise.
    """

    start_s: float
    bottom_s: float
    end_s: float
    confirmed_s: float
    pattern: Pattern
    confidence: float
    trunk_angle_rad: float
    hip_drop_m: float
    eccentric_s: float
    pause_s: float
    concentric_s: float
    mean_concentric_velocity_m_s: float
    peak_concentric_velocity_m_s: float
    angle_at_bottom_rad: float
    sideways_tilt_rad: float
    turn_rad: float
    trunk_lead_s: float
    counting_log_odds: float | None = None
    hinge_log_odds: float | None = None
    drop_from_standing: bool | None = None
    shake_m_s2: float | None = None

    def __post_init__(self) -> None:
        """Check the order of times and the range of the confidence.

        Raises
        ------
        ValueError
            If they do not fit.
        """
        if not self.start_s < self.bottom_s < self.end_s <= self.confirmed_s:
            raise ValueError(f"times out of order: {self.start_s}, {self.bottom_s}, {self.end_s}, {self.confirmed_s}")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence must be within 0 and 1, got {self.confidence}")


@dataclass(frozen=True, slots=True)
class RejectedMovement:
    """A movement that was not counted.

    Attributes
    ----------
    start_s, end_s : float
        When, on the device clock.
    reason : str
        Why, in words for the person: ``took too long``, ``alone``, ``too small`` and so on.
    repetition : Repetition or None
        For ``alone``: the repetition that was announced and made no set.
    counting_log_odds : float or None
        As of a `Repetition`; ``None`` also where the movement cannot be a repetition (:func:`impossible`).
    """

    start_s: float
    end_s: float
    reason: str
    repetition: Repetition | None = None
    counting_log_odds: float | None = None


def difference(before: Sequence[Repetition], after: Sequence[Repetition]) -> float:
    """Return how far the middles of two stretches of repetitions are apart, in usual differences of neighbours."""
    angle, drop, duration = _middle(before)
    later_angle, later_drop, later_duration = _middle(after)
    pause_s = after[0].start_s - before[-1].end_s
    return math.sqrt(
        ((later_angle - angle) / ANGLE_RAD) ** 2
        + ((later_drop - drop) / (DROP_M + DROP_M_S * max(duration, later_duration))) ** 2
        + (math.log(later_duration / duration) / LOG_DURATION) ** 2
        + (max(0.0, pause_s - FREE_PAUSE_S) / PAUSE_S) ** 2
    )


def _middle(some: Sequence[Repetition]) -> Sequence[float]:
    """Return the medians of trunk angle, hip drop and duration."""
    if len(some) == 1:  # mostly
        return some[0].trunk_angle_rad, some[0].hip_drop_m, some[0].end_s - some[0].start_s
    figures = zip(*((one.trunk_angle_rad, one.hip_drop_m, one.end_s - one.start_s) for one in some), strict=True)
    ordered, middle = [sorted(values) for values in figures], len(some) // 2
    return [values[middle] if len(some) % 2 else (values[middle - 1] + values[middle]) / 2 for values in ordered]


def resemble(one: Repetition, later: Repetition) -> bool:
    """Return whether two repetitions, `later` after `one`, are as alike as neighbours in a set."""
    return difference([one], [later]) <= MOST_APART
