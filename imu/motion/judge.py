"""Candidates -> repetitions, or rejected movements with the reason in words."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from imu.motion.evidence import evidence
from imu.motion.fitted import CounterWeights, shipped_weights
from imu.motion.form import Candidate, MovementFigures
from imu.motion.height import median, smallest
from imu.motion.pattern import classify_pattern
from imu.motion.personal import PersonalShift
from imu.motion.phases import measure_between_tops, repetition_of, share_of_return
from imu.motion.repetitions import RejectedMovement, Repetition, resemble
from imu.motion.signals import chord_between
from imu.motion.wearing import TRUNK_LEVER_M, SagittalPlane
from imu.samples import STANDARD_GRAVITY_M_S2, Array

CLEARLY_BETTER = 0.3
"""Log-odds by which another start has to be likelier than the one that the network says."""

CLEAR_LOG_ODDS = 1.0
"""From here on no other start is tried: it would change no count for the better (240 simulated sessions), and
measuring it takes a third of the time."""

LEAST_SIZE_M = 0.06
"""A repetition is at least this large: its drop and 0.3 m times its angle in rad, as the legs of a right triangle. The
shallowest squat counted in SisFall sinks 0.20 m, the shallowest hinge bends 13° (0.07 m); clapping gave 2° and 3 cm."""


LARGEST_TILT_RAD, LARGEST_DROP_M = math.radians(150), 1.2
"""The pelvis bends by 59±15° with free knees (Laird 2019); a soft belt at the front reads up to 133° in a bend
(SisFall). A person of 1.95 m who sits on the heels sinks by 0.75 m, and the drop of a squat that is held for 5 s is off
by up to 0.4 m (simulated). A larger movement was no repetition."""

FLIGHT_M_S2, FLIGHT_STEPS = 0.5, 4
"""A hip that is weightless for 0.2 s is in the air. Hops reach -2 to 0 m/s² (`daily_life_20hz`), the fastest of 375
touch-and-go squats 3.0 m/s² (`squat_sets`)."""
OVER_FLIGHT = np.full(FLIGHT_STEPS, 1.0 / FLIGHT_STEPS)

DOUBTFUL_BELOW = 1.0
"""Log-odds below the threshold down to which a movement waits for a clear repetition that is like it."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgeParameters:
    """The settings by which a movement is a repetition."""

    weights: CounterWeights | None = None
    """Fitted weights; ``None`` for those that ship."""
    least_probability: float = 0.12
    """Probability from which a movement counts: a lifter minds a missed repetition seven times as much as one too many,
    and a lone one too many makes no set. Held-out SisFall at 0.2, 0.15, 0.12: counted once 0.960, 0.965, 0.970; ghosts
    in a seated recording 0.030, 0.044, 0.054."""
    personal: PersonalShift = field(default_factory=PersonalShift)
    """The shift that was learned from this person's corrections."""

    @property
    def fitted(self) -> CounterWeights:
        """The weights in use."""
        return shipped_weights() if self.weights is None else self.weights

    @property
    def threshold_log_odds(self) -> float:
        """Log-odds from which a repetition is clear."""
        return math.log(self.least_probability / (1 - self.least_probability)) - self.personal.counting


BENT_RAD = math.radians(35)
"""Between repetitions people stay up to 25° forward (`squat_sets`). Who is bent further and rises in between is at the
bottom, not at the top, unless the hip sinks by more than the trunk rises."""

NOT_GRAVITY_M_S2 = 3.0
"""A hip that is still at start and end has a mean vertical specific force of 9.81; offset and scale of cheap
accelerometers add up to 1.1 m/s² (DESIGN.md), 0.3 m/s in the velocity at the end of a swing 0.4 m/s²."""

UPRIGHT_RAD = math.radians(10)
"""A repetition that begins at rest within 10° of quiet standing begins in standing: between touch-and-go repetitions
people stay 14-25° forward (`squat_sets`)."""

BEGAN_BENT = "began and ended bent"
NOT_BACK = "did not come back to standing"
LEAST_RETURN = 0.2
"""A repetition comes back at least this far from its turning point; what the network takes for an end at the turning
point does not."""

OTHER_POSTURE_RAD = math.radians(25)
"""A movement that ends in a posture further than this from the one in which it began did not come back to standing."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A repetition that counts only together with the next one, if that is clear and like it.

    Attributes
    ----------
    repetition : Repetition
        As it was measured.
    reason : str
        Why it does not count by itself.
    """

    repetition: Repetition
    reason: str

    @property
    def rejected(self) -> RejectedMovement:
        """The movement, if it does not count."""
        one = self.repetition
        return RejectedMovement(one.start_s, one.end_s, self.reason, None, one.counting_log_odds)


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The decision on the likeliest candidate, with figures and curves.

    Attributes
    ----------
    candidate : Candidate
        The likeliest one.
    figures : MovementFigures
        Of a repetition those from top to top, else those by which it was judged.
    verdict : Repetition, Doubtful, RejectedMovement or None
        The repetition, or the movement with the reason why it does not count; ``None`` for a movement of no size.
    judged_end_s : float
        Where it ended by the figures by which it was judged.
    stood_s : float or None
        When the person stood in the middle of a movement that was rejected because it ended bent.
    """

    candidate: Candidate
    figures: MovementFigures
    verdict: Repetition | Doubtful | RejectedMovement | None
    judged_end_s: float
    stood_s: float | None = None

    @property
    def end_s(self) -> float:
        """Time of the first step at rest after the movement."""
        return float(self.figures.time_s[self.figures.end])


RECENT = 6
"""Number of repetitions that are remembered to classify the next one."""


class PatternClassifier:
    """Classify one repetition after the other: each by itself, and by those before that resemble it.

    Parameters
    ----------
    shift : float
        The shift of the log-odds of a hinge: see :mod:`imu.motion.personal`.
    """

    def __init__(self, shift: float = 0.0) -> None:
        self._shift = shift
        self._recent: deque[tuple[Repetition, float]] = deque(maxlen=RECENT)

    def classify(self, repetition: Repetition) -> Repetition:
        """Return the next repetition with its pattern and confidence; earlier values are replaced."""
        own = (repetition.hinge_log_odds or 0.0) + self._shift
        alike = [odds for other, odds in self._recent if resemble(other, repetition)]
        self._recent.append((repetition, own))
        pattern, confidence = classify_pattern(own, alike)
        return replace(repetition, pattern=pattern, confidence=confidence)


@dataclass(frozen=True, eq=False)  # without slots: its property keeps its value
class _Weighed:
    candidate: Candidate
    figures: MovementFigures
    evidence: Array
    log_odds: float

    @cached_property
    def measured(self) -> MovementFigures:
        """The figures from top to top."""
        return measure_between_tops(self.candidate, self.figures)


class Judge:
    """Decide for each candidate whether it is a repetition, and its pattern; decisions are final."""

    def __init__(self, parameters: JudgeParameters | None = None) -> None:
        self._parameters = parameters or JudgeParameters()
        self._weights = self._parameters.fitted
        self._sagittal_plane = SagittalPlane()
        self._patterns = PatternClassifier(self._parameters.personal.hinge)

    def decide(self, candidate: Candidate, others: Iterable[Candidate] = ()) -> Decision:
        """Return the decision on a movement.

        `others` are the same movement with other times at which it may have begun. One of them is taken if the
        candidate, which begins where the network says, is in doubt and it is clearly likelier.
        """
        first = likeliest = self._weigh(candidate)
        if first.log_odds < CLEAR_LOG_ODDS:
            for other in map(self._weigh, others):
                if other.log_odds >= first.log_odds + CLEARLY_BETTER and other.log_odds > likeliest.log_odds:
                    likeliest = other
        verdict = self._verdict(likeliest)
        figures = likeliest.measured if isinstance(verdict, Repetition | Doubtful) else likeliest.figures
        ended_bent = isinstance(verdict, RejectedMovement) and verdict.reason in (BEGAN_BENT, NOT_BACK)
        stood_s = stood_at(likeliest.figures) if ended_bent else None
        judged_end_s = float(likeliest.figures.time_s[likeliest.figures.end])
        return Decision(likeliest.candidate, figures, verdict, judged_end_s, stood_s)

    def _weigh(self, candidate: Candidate) -> _Weighed:
        figures = candidate.measure(self._sagittal_plane)
        values = evidence(candidate, figures)
        return _Weighed(candidate, figures, values, self._weights.counting.log_odds(values))

    def _verdict(self, weighed: _Weighed) -> Repetition | Doubtful | RejectedMovement | None:
        """Return the repetition, or the movement with the reason why it does not count; None for one of no size."""
        candidate, figures, log_odds = weighed.candidate, weighed.figures, weighed.log_odds
        start_s, end_s = float(figures.time_s[figures.start]), float(figures.time_s[figures.end])
        small = figures.size_m < LEAST_SIZE_M
        if small and candidate.moved_only:
            return None
        reason = impossible(candidate, figures)
        if reason is not None:
            return RejectedMovement(start_s, end_s, reason)
        short = self._parameters.threshold_log_odds - log_odds
        if candidate.moved_only or small or short > DOUBTFUL_BELOW:
            reason = "too small" if small else self._reason(candidate, weighed.evidence)
            return RejectedMovement(start_s, end_s, reason, None, log_odds)
        hinge_log_odds = self._weights.pattern.hinge_log_odds(
            figures.peak_angle_rad, figures.hip_drop_m, candidate.ending.hinge_log_odds
        )
        reason = NOT_BACK if share_of_return(weighed.measured) < LEAST_RETURN else too_large(weighed.measured)
        if reason is not None:
            return RejectedMovement(start_s, end_s, reason, None, log_odds)
        repetition = replace(
            repetition_of(weighed.measured, candidate.ending.seen_s),
            shake_m_s2=median(candidate.signals.shake_m_s2[figures.resume : figures.end + 1]),
            counting_log_odds=log_odds,
            hinge_log_odds=hinge_log_odds,
            drop_from_standing=candidate.started_at_rest and weighed.measured.tilt_at_start_rad < UPRIGHT_RAD,
        )
        if short > 0:
            return Doubtful(repetition, self._reason(candidate, weighed.evidence))
        self._sagittal_plane.learn(figures.lean)
        return self._patterns.classify(repetition)

    def accept(self, doubtful: Doubtful, confirmed_s: float) -> Repetition:
        """Return a doubtful repetition that counts after all, announced at `confirmed_s`."""
        return self._patterns.classify(replace(doubtful.repetition, confirmed_s=confirmed_s))

    def _reason(self, candidate: Candidate, values: Array) -> str:
        up = candidate.signals.up
        if chord_between(up[-1], up[0]) > OTHER_POSTURE_RAD:
            return NOT_BACK
        return self._weights.counting.reason_against(values)


def stood_at(figures: MovementFigures) -> float | None:
    """Return when the person stood in the middle of a movement; None if it begins and ends no lower.

    In touch-and-go hinges without drop the network may take the bottoms for the tops: then its repetition is the second
    half of one and the first half of the next.
    """
    within = slice(figures.start, figures.end + 1)
    upright = figures.height_m[within] - TRUNK_LEVER_M * figures.trunk_angle_rad[within]
    top = int(upright.argmax())
    risen_m, sunk_m = float(upright[top] - upright[0]), float(upright[top] - upright[-1])
    if risen_m < LEAST_SIZE_M or sunk_m < TRUNK_LEVER_M * BENT_RAD:
        return None
    return float(figures.time_s[figures.start + top])


def too_large(figures: MovementFigures) -> str | None:
    """Return in words why a movement is too large for a repetition; None if it is not."""
    if figures.largest_tilt_rad > LARGEST_TILT_RAD:
        return "leaned as far as lying down"
    return "sank lower than a squat" if figures.hip_drop_m - figures.height_sd_m > LARGEST_DROP_M else None


def impossible(candidate: Candidate, figures: MovementFigures) -> str | None:
    """Return in words why nothing of the kind can be a repetition; None if it can."""
    vertical_m_s2 = candidate.signals.vertical_m_s2[figures.start : figures.end + 1]
    lightest_m_s2 = smallest(np.convolve(vertical_m_s2, OVER_FLIGHT, "valid"))
    at_start_rad, at_bottom_rad, at_end_rad = (
        abs(float(figures.trunk_angle_rad[step])) for step in (figures.start, figures.bottom, figures.end)
    )
    at_ends_rad = min(at_start_rad, at_end_rad)
    risen_rad = at_ends_rad - at_bottom_rad
    reasons = {
        "cut short by a gap or the end": candidate.cut_short,
        BEGAN_BENT: at_ends_rad > BENT_RAD and TRUNK_LEVER_M * risen_rad > figures.hip_drop_m,
        "left the ground, as in a jump": lightest_m_s2 < FLIGHT_M_S2,
        "measured without gravity, the sensor is not right": (
            abs(float(vertical_m_s2.sum()) / len(vertical_m_s2) - STANDARD_GRAVITY_M_S2) > NOT_GRAVITY_M_S2
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), too_large(figures))
