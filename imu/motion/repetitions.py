"""Movements -> repetitions, or rejected movements with the reason in words."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from imu.motion.evidence import CountingWeights, evidence
from imu.motion.form import MovementFigures, SagittalPlane, describe
from imu.motion.movements import Movement
from imu.motion.pattern import Pattern, PatternWeights, hinge_log_odds, tell_pattern
from imu.motion.pursuit import Ending
from imu.motion.resemblance import Resemblance
from imu.motion.signals import STEP_S
from imu.motion.weights import COUNTING, PATTERN
from imu.samples import Array


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
        Peak forward tilt of the pelvis away from quiet standing, in the sagittal plane. A hip-worn sensor sees the
        pelvis.
    hip_drop_m : float
        How far the hip joint sank below its height in standing, by the sensor's drop less what tilting explains
        (:data:`~imu.motion.form.SENSOR_ABOVE_HIP_M`).
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
        Why, in words for the person: ``sat down``, ``alone``, ``too small`` and so on.
    repetition : Repetition or None
        For ``alone``: the repetition that was announced and made no set.
    """

    start_s: float
    end_s: float
    reason: str
    repetition: Repetition | None = None


@dataclass(frozen=True, slots=True, eq=False)
class JudgeParameters:
    """What decides that a movement is a repetition."""

    counting: CountingWeights = COUNTING
    """Weights of the evidence."""
    pattern: PatternWeights = PATTERN
    """Weights of the pattern."""
    least_probability: float = 0.25
    """Probability from which a movement counts: a lifter minds a missed repetition three times as much as one too many,
    and a lone one too many makes no set."""
    in_set_log_odds: float = 1.0
    """Added while a set is going on: who has just done a repetition is likely to do another."""
    in_set_s: float = 10.0
    """How long after a repetition that holds."""


_ENDED_OTHERWISE = {
    Ending.ROSE: "stood up from lower than standing",
    Ending.STAYED: "did not come back to standing",
    Ending.LOST: "moved about",
    Ending.INTERRUPTED: "cut short by a gap or the end",
}


RECENT = 6
"""So many repetitions are remembered for telling the pattern of the next."""


class Judge:
    """Decide for each movement, once and for good, whether it is a repetition and of which pattern."""

    def __init__(self, parameters: JudgeParameters | None = None) -> None:
        self._parameters = parameters or JudgeParameters()
        self._sagittal_plane = SagittalPlane()
        self._last_end_s = -math.inf
        self._resemblance = Resemblance()
        self._recent: deque[tuple[Repetition, float]] = deque(maxlen=RECENT)

    def decide(self, movement: Movement) -> Repetition | RejectedMovement:
        """Return the repetition, or the movement with the reason why it is none. No delay."""
        chosen = self._parameters
        start_s = float(movement.signals.time_s[0]) - STEP_S
        end_s = float(movement.signals.time_s[-1])
        if movement.ending is not Ending.RETURNED:
            return RejectedMovement(start_s, end_s, _ENDED_OTHERWISE[movement.ending])
        figures, values, log_odds = self._weigh(movement, self._sagittal_plane)
        threshold = math.log(chosen.least_probability / (1 - chosen.least_probability))
        if start_s - self._last_end_s < chosen.in_set_s:
            threshold -= chosen.in_set_log_odds
        if log_odds < threshold:
            # Perhaps the plane was learnt from a sideways bend: a repetition in its own plane corrects it.
            own_figures, own_values, own_log_odds = self._weigh(movement, SagittalPlane())
            if own_log_odds >= threshold:
                self._sagittal_plane.learn(own_figures.lean)
                if not self._sagittal_plane.established:
                    figures, values, log_odds = own_figures, own_values, own_log_odds
        else:
            self._sagittal_plane.learn(figures.lean)
        if log_odds < threshold:
            time = figures.time_s
            reason = chosen.counting.reason_against(values)
            return RejectedMovement(float(time[figures.start]), float(time[figures.end]), reason)
        self._last_end_s = end_s
        return self._tell(figures, end_s)

    def _tell(self, figures: MovementFigures, confirmed_s: float) -> Repetition:
        """Return the repetition, its pattern told with the help of those before that resemble it."""
        own = hinge_log_odds(figures, self._parameters.pattern)
        by_itself = _repetition(figures, confirmed_s, tell_pattern(own))
        alike = [odds for other, odds in self._recent if self._resemblance.holds(other, by_itself)]
        self._recent.append((by_itself, own))
        if not alike:
            return by_itself
        pattern, confidence = tell_pattern(own, alike)
        return replace(by_itself, pattern=pattern, confidence=confidence)

    def _weigh(self, movement: Movement, plane: SagittalPlane) -> tuple[MovementFigures, Array, float]:
        """Return the movement's figures in `plane`, its evidence, and the log-odds that it is a repetition."""
        figures = describe(movement, plane)
        values = evidence(movement, figures)
        return figures, values, self._parameters.counting.log_odds(values)


def _repetition(figures: MovementFigures, confirmed_s: float, pattern: tuple[Pattern, float]) -> Repetition:
    """Return the repetition that the figures describe."""
    time, angle, velocity = figures.time_s, figures.trunk_angle_rad, figures.velocity_m_s
    start, bottom, resume, end = figures.start, figures.bottom, figures.resume, figures.end
    concentric_s = (end - resume) * STEP_S
    sideways = figures.sideways_rad[start : end + 1]
    return Repetition(
        start_s=float(time[start]),
        bottom_s=float(time[bottom]),
        end_s=float(time[end]),
        confirmed_s=confirmed_s,
        pattern=pattern[0],
        confidence=pattern[1],
        trunk_angle_rad=figures.peak_angle_rad,
        hip_drop_m=figures.hip_drop_m,
        eccentric_s=(bottom - start) * STEP_S,
        pause_s=(resume - bottom) * STEP_S,
        concentric_s=concentric_s,
        mean_concentric_velocity_m_s=float(figures.height_m[end] - figures.height_m[resume]) / concentric_s,
        peak_concentric_velocity_m_s=float(velocity[resume : end + 1].max()),
        angle_at_bottom_rad=figures.angle_at_bottom_rad,
        sideways_tilt_rad=float(sideways[int(np.argmax(np.abs(sideways)))]),
        turn_rad=figures.turn_rad,
        trunk_lead_s=_trunk_lead_s(angle[start : bottom + 1], -figures.height_m[start : bottom + 1]),
    )


def _trunk_lead_s(angle: Array, drop: Array) -> float:
    """Return by how much the trunk reached a quarter of its peak before the hip reached a quarter of its drop."""
    trunk = int(np.argmax(angle >= 0.25 * angle.max()))
    hip = int(np.argmax(drop >= 0.25 * drop.max()))
    return (hip - trunk) * STEP_S
