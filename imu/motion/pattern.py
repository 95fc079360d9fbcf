"""Squat or hinge: from how far the hip sank for how far the trunk tilted, and from what the network says.

In a squat the hip goes down and the back stays near upright; in a hinge the hip goes back and the back drops towards
the floor (the published Stoop-Squat-Index is the same idea: Schmid 2022, doi 10.1186/s40945-022-00135-4). So one number
from physics is the logarithm of hip drop over peak tilt. With tilt and drop as separate terms, leaning squats of people
left out were called hinges (right in 0.84 of `squat_sets` instead of 0.97). The other number is the network's log-odds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Pattern(StrEnum):
    """Movement pattern of one repetition or one set."""

    SQUAT = "squat"
    HINGE = "hinge"
    UNCERTAIN = "uncertain"
    MIXED = "mixed"
    """Only of a set: repetitions of both patterns, neither with four in five."""


OPPOSITE = {Pattern.SQUAT: Pattern.HINGE, Pattern.HINGE: Pattern.SQUAT}
"""The pattern that each of the two clear ones is not."""

SET_SHARE = 0.8
"""Share of the repetitions with a pattern that must agree for the set to have it."""


def pattern_of_set(patterns: Iterable[Pattern]) -> Pattern:
    """Return the pattern of four in five of the repetitions that have one, else mixed; uncertain if none has one."""
    known = [pattern for pattern in patterns if pattern is not Pattern.UNCERTAIN]
    if not known:
        return Pattern.UNCERTAIN
    for pattern in (Pattern.SQUAT, Pattern.HINGE):
        if known.count(pattern) >= SET_SHARE * len(known):
            return pattern
    return Pattern.MIXED


LEAST_CONFIDENCE = 0.55
"""Below this the pattern is called uncertain: nearly every second one would be wrong."""


ALIKE_SHRINKAGE = 0.5
"""Repetitions without an opinion that are added to those alike."""


LEAST_DROP_M, LEAST_TILT_RAD = 0.02, 0.1
"""Added to drop and tilt, so that neither the ratio nor its logarithm is dominated by the error of a small one."""
LARGEST_NETWORK_LOG_ODDS = 6.0
"""The network's log-odds count up to this much either way."""


@dataclass(frozen=True, slots=True)
class PatternWeights:
    """Log-odds of a hinge: `bias` plus each weight times its quantity."""

    bias: float
    per_log_ratio: float
    per_network_log_odds: float

    def hinge_log_odds(self, peak_angle_rad: float, hip_drop_m: float, network_log_odds: float) -> float:
        """Return the log-odds that a repetition is a hinge, by itself.

        Parameters
        ----------
        peak_angle_rad, hip_drop_m : float
            As measured.
        network_log_odds : float
            What the network says.
        """
        network = min(max(network_log_odds, -LARGEST_NETWORK_LOG_ODDS), LARGEST_NETWORK_LOG_ODDS)
        return (
            self.bias
            + self.per_log_ratio * drop_to_tilt(peak_angle_rad, hip_drop_m)
            + self.per_network_log_odds * network
        )


def drop_to_tilt(peak_angle_rad: float, hip_drop_m: float) -> float:
    """Return the logarithm of hip drop over peak tilt, m/rad."""
    return math.log((max(hip_drop_m, 0.0) + LEAST_DROP_M) / (max(peak_angle_rad, 0.0) + LEAST_TILT_RAD))


def classify_pattern(own_log_odds: float, alike: Sequence[float] = ()) -> tuple[Pattern, float]:
    """Return the pattern of a repetition and the probability that it is right (uncertain: that of the likelier one).

    Parameters
    ----------
    own_log_odds : float
        That it is a hinge, by itself.
    alike : sequence of float
        The same of earlier repetitions of this set that resemble it: similar repetitions that follow each other are the
        same exercise. Their mean is one more witness, shrunk as if half a repetition had said nothing.
    """
    log_odds = own_log_odds + (math.fsum(alike) / (len(alike) + ALIKE_SHRINKAGE) if alike else 0.0)
    hinge = 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, log_odds))))
    confidence = max(hinge, 1.0 - hinge)
    if confidence < LEAST_CONFIDENCE:
        return Pattern.UNCERTAIN, confidence
    return (Pattern.HINGE if hinge > 0.5 else Pattern.SQUAT), confidence
