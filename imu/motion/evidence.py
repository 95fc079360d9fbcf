"""One movement -> the physical evidence on which it is counted or not.

Each entry is a quantity that a coach could point at, on a scale on which a linear step means about the same everywhere
(logarithms for what spans decades). Nothing here depends on the sensor's turn, and little on its rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from imu.motion.form import Candidate, MovementFigures
from imu.motion.height import largest, median, smallest
from imu.motion.signals import STEP_S
from imu.motion.wearing import TRUNK_LEVER_M
from imu.samples import Array

_AGAINST: dict[str, tuple[str, str]] = {
    # entry: (what a low value looks like, what a high value looks like)
    "log_size": ("too small", "larger than a squat or a bend"),
    "log_duration": ("too quick", "took too long"),
    "sideways_share": ("too straight", "leaned sideways"),
    "log_impact": ("moved too softly", "jolted as by a seat or a step"),
    "log_shake": ("moved too softly", "shook as in walking"),
    "log_rotation_in_hold": ("held as still as on a seat", "moved about while down"),
    "least_angle_in_hold_rad": ("sat upright while down", "stayed bent while down"),
    "height_error_m": ("ended lower than it began", "ended higher than it began"),
    "angle_at_end_rad": ("ended leaning back", "ended bent"),
    "network_log_odds": ("moved unlike a repetition", "moved unlike a repetition"),
    "going_on_log_odds": ("moved unlike a repetition", "moved unlike a repetition"),
    "after_log_odds": ("moved unlike a repetition", "did not end where a repetition ends"),
}
LEAST_NETWORK_LOG_ODDS = -4.0

EVIDENCE = tuple(_AGAINST)
"""Names of the entries of :func:`evidence`, in order."""


def evidence(candidate: Candidate, figures: MovementFigures) -> Array:
    """Return the evidence of one movement, ``(len(EVIDENCE),)``, in the order of `EVIDENCE`."""
    signals, active = candidate.signals, slice(figures.start, figures.end + 1)
    angle = figures.trunk_angle_rad[active]
    excursion = np.hypot(figures.height_m[active], TRUNK_LEVER_M * angle)
    held = excursion > 0.7 * largest(excursion)
    calm_part = max(1, int(np.count_nonzero(held)) // 3)
    shake, peak = signals.shake_m_s2[active], figures.peak_angle_rad
    rotation_held = np.sort(signals.tilt_rate_rad_s[active][held])
    return np.array(
        [
            math.log(figures.certain_size_m + 0.01),
            math.log((figures.end - figures.start) * STEP_S),
            largest(np.abs(figures.sideways_rad[active])) / max(peak, 0.1),
            math.log(largest(shake) + 0.03),
            math.log(median(shake) + 0.01),
            math.log(float(rotation_held[:calm_part].sum()) / calm_part + 0.005),
            smallest(angle[held]),
            figures.height_error_m,
            float(figures.trunk_angle_rad[-1]),
            max(candidate.ending.log_odds, LEAST_NETWORK_LOG_ODDS),
            candidate.going_on_log_odds,
            candidate.after_log_odds,
        ]
    )


@dataclass(frozen=True, slots=True, eq=False)
class CountingWeights:
    """Log-odds that a movement is a repetition: ``bias + linear · x``.

    With ``x = (clip(evidence, lower, upper) - centre) / scale``, where `centre` is the mean of true repetitions. Fitted
    by :mod:`imu.evaluation.judge_fit`. With all 27 quantities of version 0.1, and with their squares and products,
    people left out were counted no better.

    Attributes
    ----------
    lower, upper, centre, scale, linear : (n,) array
        One value for each entry of `EVIDENCE`.
    bias : float
        Log-odds of a typical repetition.
    """

    lower: Array
    upper: Array
    centre: Array
    scale: Array
    linear: Array
    bias: float

    def _standardised(self, values: Array) -> Array:
        limited = np.minimum(np.maximum(values, self.lower), self.upper)  # twice as fast as clip
        standardised: Array = (limited - self.centre) / self.scale
        return standardised

    def log_odds(self, values: Array) -> float:
        """Return the log-odds that evidence ``(n,)`` is that of a repetition."""
        return float(self.bias + (self.linear * self._standardised(values)).sum())

    def reason_against(self, values: Array) -> str:
        """Return in words the entry that speaks most against a repetition."""
        x = self._standardised(values)
        entry = int((self.linear * x).argmin())
        low, high = _AGAINST[EVIDENCE[entry]]
        return low if x[entry] < 0 else high
