"""Movements -> repetitions, or rejected movements with the reason in words."""

from __future__ import annotations

from dataclasses import dataclass

from imu.motion.pattern import Pattern


@dataclass(frozen=True, slots=True)
class Repetition:
    """One counted repetition. Times are on the device clock; angles are of the pelvis (see `trunk_angle_rad`).

    Attributes
    ----------
    start_s, bottom_s, end_s : float
        Leaving standing; the turning point; standing again.
    confirmed_s : float
        When it was announced: no sample after this one was used, and nothing is revised.
    pattern : Pattern
        Squat, hinge or uncertain.
    confidence : float
        Probability that `pattern` is right, 0.5 to 1; for uncertain that of the likelier pattern.
    trunk_angle_rad : float
        Peak forward tilt of the pelvis away from quiet standing, in the sagittal plane. A hip-worn sensor sees the pelvis.
    hip_drop_m : float
        How far the sensor at the hip sank below its height in standing.
    eccentric_s, pause_s, concentric_s : float
        Way down, rest at the turning point, way up.
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

    def __post_init__(self) -> None:
        """Check the order of times and the range of the confidence.

        Raises
        ------
        ValueError
            If they do not fit.
        """
        if not self.start_s < self.bottom_s < self.end_s <= self.confirmed_s:
            raise ValueError(
                f"times out of order: {self.start_s}, {self.bottom_s}, {self.end_s}, {self.confirmed_s}"
            )
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
        Why, in words for the person: ``sat down``, ``alone``, ``too small`` and so on.
    repetition : Repetition or None
        For ``alone``: the repetition that was announced and made no set.
    """

    start_s: float
    end_s: float
    reason: str
    repetition: Repetition | None = None
