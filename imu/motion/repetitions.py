"""Movements -> repetitions, or rejected movements with the reason in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from imu.motion.evidence import CountingWeights, evidence
from imu.motion.form import MovementFigures, SagittalPlane, describe
from imu.motion.movements import Movement
from imu.motion.pattern import Pattern, PatternTeller, PatternWeights
from imu.motion.personal import PersonalShift
from imu.motion.pursuit import Ending
from imu.motion.steps import STEP_S
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
    counting_log_odds : float or None
        That this is a repetition, before what was learnt of the person; ``None`` where it was measured by a version of
        this program that did not keep it.
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
    counting_log_odds : float or None
        As of a `Repetition`; ``None`` also for what did not come back to standing, which is none in any case.
    """

    start_s: float
    end_s: float
    reason: str
    repetition: Repetition | None = None
    counting_log_odds: float | None = None


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
    personal: PersonalShift = field(default_factory=PersonalShift)
    """What was learnt of this person."""


_ENDED_OTHERWISE = {
    Ending.ROSE: "stood up from lower than standing",
    Ending.STAYED: "did not come back to standing",
    Ending.LOST: "moved about",
    Ending.INTERRUPTED: "cut short by a gap or the end",
}


class Judge:
    """Decide for each movement, once and for good, whether it is a repetition and of which pattern."""

    def __init__(self, parameters: JudgeParameters | None = None) -> None:
        self._parameters = parameters or JudgeParameters()
        self._sagittal_plane = SagittalPlane()
        self._last_end_s = -math.inf
        self._patterns = PatternTeller(self._parameters.pattern, self._parameters.personal.hinge)

    def decide(self, movement: Movement) -> Repetition | RejectedMovement:
        """Return the repetition, or the movement with the reason why it is none. No delay."""
        chosen = self._parameters
        start_s = float(movement.signals.time_s[0]) - STEP_S
        end_s = float(movement.signals.time_s[-1])
        if movement.ending is not Ending.RETURNED:
            return RejectedMovement(start_s, end_s, _ENDED_OTHERWISE[movement.ending])
        figures, values, log_odds = self._weigh(movement, self._sagittal_plane)
        threshold = math.log(chosen.least_probability / (1 - chosen.least_probability)) - chosen.personal.counting
        in_set = chosen.in_set_log_odds if start_s - self._last_end_s < chosen.in_set_s else 0.0
        if log_odds + in_set < threshold:
            # Perhaps the plane was learnt from a sideways bend: a repetition in its own plane corrects it.
            own_figures, own_values, own_log_odds = self._weigh(movement, SagittalPlane())
            if own_log_odds + in_set >= threshold:
                self._sagittal_plane.learn(own_figures.lean)
                if not self._sagittal_plane.established:
                    figures, values, log_odds = own_figures, own_values, own_log_odds
        else:
            self._sagittal_plane.learn(figures.lean)
        if log_odds + in_set < threshold:
            start_s, end_s = float(figures.time_s[figures.start]), float(figures.time_s[figures.end])
            reason = chosen.counting.reason_against(values)
            return RejectedMovement(start_s, end_s, reason, counting_log_odds=log_odds + in_set)
        self._last_end_s = end_s
        return self._patterns.tell(_repetition(figures, end_s, log_odds + in_set))

    def _weigh(self, movement: Movement, plane: SagittalPlane) -> tuple[MovementFigures, Array, float]:
        """Return the movement's figures in `plane`, its evidence, and the log-odds that it is a repetition."""
        figures = describe(movement, plane)
        values = evidence(movement, figures)
        return figures, values, self._parameters.counting.log_odds(values)


def _repetition(figures: MovementFigures, confirmed_s: float, counting_log_odds: float) -> Repetition:
    """Return the repetition that the figures describe, of a pattern yet to be told."""
    time, angle, velocity = figures.time_s, figures.trunk_angle_rad, figures.velocity_m_s
    start, bottom, resume, end = figures.start, figures.bottom, figures.resume, figures.end
    concentric_s = (end - resume) * STEP_S
    sideways = figures.sideways_rad[start : end + 1]
    return Repetition(
        start_s=float(time[start]),
        bottom_s=float(time[bottom]),
        end_s=float(time[end]),
        confirmed_s=confirmed_s,
        pattern=Pattern.UNCERTAIN,
        confidence=0.5,
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
        counting_log_odds=counting_log_odds,
    )


def _trunk_lead_s(angle: Array, drop: Array) -> float:
    """Return by how much the trunk reached a quarter of its peak before the hip reached a quarter of its drop."""
    trunk = int(np.argmax(angle >= 0.25 * angle.max()))
    hip = int(np.argmax(drop >= 0.25 * drop.max()))
    return (hip - trunk) * STEP_S
