"""One movement -> the physical evidence on which it is counted or not.

Each entry is a quantity that a coach could point at, on a scale on which a linear step means about the same everywhere
(logarithms for what spans decades). Nothing here depends on the sensor's turn, and little on its rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from imu.motion.form import TRUNK_LEVER_M, MovementFigures, median
from imu.motion.movements import Movement
from imu.motion.steps import STEP_S
from imu.samples import Array

_AGAINST: dict[str, tuple[str, str]] = {
    # entry: (what a low value looks like, what a high value looks like)
    "peak_angle_rad": ("too small", "leaned as far as lying down"),
    "hip_drop_m": ("too small", "sank lower than a squat"),
    "log_duration": ("too quick", "took too long"),
    "backward_angle_rad": ("too small", "rolled back as on a seat"),
    "sideways_angle_rad": ("too straight", "leaned sideways"),
    "sideways_share": ("too straight", "leaned sideways"),
    "turn_rad": ("too straight", "turned round"),
    "log_impact": ("moved too softly", "jolted as by a seat or a step"),
    "log_shake": ("moved too softly", "shook as in walking"),
    "log_rotation_in_hold": ("held as still as on a seat", "moved about while down"),
    "log_shake_in_hold": ("held as still as on a seat", "moved about while down"),
    "angle_in_hold_rad": ("sat upright while down", "stayed bent while down"),
    "least_angle_in_hold_rad": ("sat upright while down", "stayed bent while down"),
    "log_hold": ("no turning point", "stayed down"),
    "pause_s": ("no turning point", "stayed down"),
    "rise_above_standing_m": ("too small", "rose above standing"),
    "log_peak_rotation": ("bent too slowly", "bent too quickly"),
    "log_descent_velocity": ("sank too slowly", "dropped"),
    "log_ascent_velocity": ("rose too slowly", "rose too quickly"),
    "log_peak_acceleration": ("moved too softly", "jolted as by a seat or a step"),
    "log_rotation_before": ("too still before", "did not stand before"),
    "height_error_m": ("ended lower than it began", "ended higher than it began"),
    "log_up_to_down": ("up too quick for the way down", "down too quick for the way up"),
    "angle_at_end_rad": ("ended leaning back", "ended bent"),
    "sideways_at_end_rad": ("too straight", "ended leaning sideways"),
    "angle_at_bottom_rad": ("sat upright while down", "bent while down"),
}

EVIDENCE = tuple(_AGAINST)
"""Names of the entries of :func:`evidence`, in order."""


def evidence(movement: Movement, figures: MovementFigures) -> Array:
    """Return the evidence of one movement, ``(len(EVIDENCE),)``, in the order of `EVIDENCE`."""
    signals = movement.signals
    angle, sideways = figures.trunk_angle_rad, np.abs(figures.sideways_rad)
    height, velocity = figures.height_m, figures.velocity_m_s
    active = slice(figures.start, figures.end + 1)
    rotation, shake = signals.tilt_rate_rad_s, signals.shake_m_s2
    excursion = np.hypot(height, TRUNK_LEVER_M * angle)
    held = excursion > 0.7 * excursion.max()
    held_steps = int(np.count_nonzero(held))
    calm_part = max(1, held_steps // 3)
    acceleration = np.abs(signals.vertical_m_s2 - movement.standing.vertical_m_s2)
    before = movement.before.tilt_rate_rad_s
    peak = figures.peak_angle_rad
    return np.array(
        [
            peak,
            figures.hip_drop_m,
            math.log((figures.end - figures.start) * STEP_S),
            -angle.min(),
            sideways.max(),
            sideways.max() / max(peak, 0.1),
            abs(figures.turn_rad),
            math.log(shake[active].max() + 0.03),
            math.log(median(shake[active]) + 0.01),
            math.log(np.sort(rotation[held])[:calm_part].sum() / calm_part + 0.005),
            math.log(np.sort(shake[held])[:calm_part].sum() / calm_part + 0.005),
            median(angle[held]),
            angle[held].min(),
            math.log(held_steps * STEP_S),
            (figures.resume - figures.bottom) * STEP_S,
            height.max(),
            math.log(rotation.max() + 0.05),
            math.log(max(0.0, -velocity.min()) + 0.03),
            math.log(max(0.0, velocity.max()) + 0.03),
            math.log(acceleration.max() + 0.1),
            math.log(median(before) + 0.005) if len(before) else math.log(0.1),
            figures.height_error_m,
            math.log((figures.end - figures.resume) / (figures.bottom - figures.start)),
            angle[-1],
            sideways[-1],
            figures.angle_at_bottom_rad,
        ]
    )


@dataclass(frozen=True, slots=True, eq=False)
class CountingWeights:
    """Log-odds that a movement is a repetition: a quadratic form in the evidence, each entry clipped and standardised.

    With ``x = (clip(evidence, lower, upper) - centre) / scale``, where `centre` is the mean of true repetitions, the
    log-odds are ``bias + linear · x + x · quadratic · x``. Fitted by :mod:`imu.evaluation.fit`.

    Attributes
    ----------
    lower, upper, centre, scale, linear : (n,) array
        One value per entry of `EVIDENCE`.
    quadratic : (n, n) array
        Upper triangular.
    bias : float
        Log-odds of a typical repetition.
    """

    lower: Array
    upper: Array
    centre: Array
    scale: Array
    linear: Array
    quadratic: Array
    bias: float

    def standardised(self, values: Array) -> Array:
        """Return evidence ``(..., n)``, clipped, in standard deviations from a repetition."""
        return (np.clip(values, self.lower, self.upper) - self.centre) / self.scale

    def log_odds(self, values: Array) -> float:
        """Return the log-odds that evidence ``(n,)`` is that of a repetition."""
        x = self.standardised(values)
        return float(self.bias + self.linear @ x + x @ self.quadratic @ x)

    def reason_against(self, values: Array) -> str:
        """Return in words the entry that would have to be that of a usual repetition for the odds to rise most."""
        x = self.standardised(values)
        both_ways = self.quadratic + self.quadratic.T
        gain = -(self.linear * x + x * (both_ways @ x) - np.diag(self.quadratic) * x * x)
        entry = int(np.argmax(gain))
        low, high = _AGAINST[EVIDENCE[entry]]
        return low if x[entry] < 0 else high
