"""The exercises by name: what each variant looks like.

Ranges of pelvis tilt, hip drop and tempo are those of DESIGN.md ("Geometry for simulation") and notes/PRODUCT.md,
section 2; hip drops are for a body of 1.75 m and scale with height.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from imu.virtual.person.performer import Span

Pattern = Literal["squat", "hinge"]


def _deg(low: float, high: float) -> Span:
    """Return a span given in degrees, in rad."""
    return float(np.radians(low)), float(np.radians(high))


USUAL_SPINE_RAD = _deg(5, 20)


@dataclass(frozen=True, slots=True)
class Variant:
    """The usual ranges of one exercise; durations in s, angles in rad, lengths in m."""

    pattern: Pattern
    tilt_rad: Span
    hip_drop_m: Span
    eccentric_s: Span
    pause_s: Span
    concentric_s: Span
    top_pause_s: Span = (0.0, 1.5)
    wink_rad: Span = (0.0, 0.0)
    """How far the pelvis rolls back at the bottom of a squat."""
    spine_rad: Span = USUAL_SPINE_RAD
    """Bend of the spine: how much further than the pelvis the upper body goes."""
    abduction_rad: float = 0.0
    """Stance wider than the lifter's usual one."""
    counterweight_m: float = 0.0
    """How far a load held in front lets the rest of the body sit back."""
    legs_wait: Span = (0.0, 0.0)
    """Share of the descent that passes before the knees bend (a bar has to pass them)."""
    effort: Span = (0.0, 0.5)
    floor_contact: bool = False
    ballistic: bool = False

    @property
    def lifts_from_floor(self) -> bool:
        """Whether the weight may stand on the floor before and after the set."""
        return self.pattern == "hinge" and (self.floor_contact or self.ballistic)


VARIANTS: dict[str, Variant] = {
    "air_squat": Variant("squat", _deg(10, 45), (0.30, 0.50), (0.8, 1.9), (0, 0.3), (0.8, 1.7), wink_rad=_deg(5, 20)),
    "upright_squat": Variant(
        "squat",
        _deg(4, 15),
        (0.30, 0.50),
        (1.0, 2.0),
        (0, 0.6),
        (0.8, 1.6),
        wink_rad=_deg(2, 10),
        spine_rad=_deg(2, 12),
        abduction_rad=0.3,
        counterweight_m=-0.05,
    ),
    "back_squat": Variant(
        "squat",
        _deg(15, 45),
        (0.30, 0.55),
        (1.2, 2.3),
        (0, 0.3),
        (1.0, 2.3),
        (0.2, 2.5),
        _deg(5, 20),
        effort=(0.4, 1.0),
    ),
    "low_bar_squat": Variant(
        "squat",
        _deg(32, 52),
        (0.30, 0.48),
        (1.2, 2.3),
        (0, 0.3),
        (1.0, 2.3),
        (0.2, 2.5),
        _deg(3, 12),
        effort=(0.4, 1.0),
    ),
    "paused_squat": Variant(
        "squat", _deg(10, 42), (0.30, 0.52), (1.0, 2.0), (1.0, 4.0), (0.8, 1.8), wink_rad=_deg(5, 20), effort=(0.1, 0.8)
    ),
    "tempo_squat": Variant("squat", _deg(10, 42), (0.28, 0.50), (3.0, 5.0), (0, 2.0), (1.0, 3.0), wink_rad=_deg(4, 18)),
    "half_squat": Variant("squat", _deg(8, 30), (0.18, 0.30), (0.8, 1.7), (0, 0.3), (0.7, 1.5), wink_rad=_deg(0, 8)),
    "quarter_squat": Variant("squat", _deg(5, 20), (0.11, 0.15), (0.6, 1.3), (0, 0.3), (0.6, 1.2)),
    "sumo_squat": Variant(
        "squat", _deg(5, 25), (0.25, 0.45), (0.9, 2.0), (0, 0.5), (0.8, 1.6), wink_rad=_deg(0, 10), abduction_rad=0.5
    ),
    "box_squat": Variant(
        "squat",
        _deg(20, 45),
        (0.35, 0.46),
        (1.0, 2.2),
        (0.2, 1.2),
        (0.8, 1.6),
        wink_rad=_deg(5, 25),
        floor_contact=True,
    ),
    "careful_squat": Variant(
        "squat",
        _deg(15, 50),
        (0.14, 0.38),
        (1.3, 3.0),
        (0, 1.0),
        (1.0, 2.5),
        wink_rad=_deg(0, 10),
        spine_rad=_deg(10, 35),
    ),
    "romanian_deadlift": Variant(
        "hinge", _deg(45, 75), (0.01, 0.06), (1.2, 2.5), (0, 0.4), (0.9, 1.8), effort=(0, 0.8)
    ),
    "good_morning": Variant("hinge", _deg(45, 70), (0.005, 0.04), (1.3, 2.5), (0, 0.4), (1.0, 1.8), effort=(0, 0.7)),
    "deadlift": Variant(
        "hinge",
        _deg(50, 75),
        (0.15, 0.25),
        (0.9, 2.0),
        (0.1, 1.2),
        (0.9, 2.2),
        (0.2, 1.5),
        spine_rad=_deg(8, 25),
        legs_wait=(0.1, 0.4),
        effort=(0.3, 1.0),
        floor_contact=True,
    ),
    "kettlebell_deadlift": Variant(
        "hinge", _deg(42, 70), (0.06, 0.15), (0.8, 1.8), (0, 0.5), (0.7, 1.5), legs_wait=(0.0, 0.3), floor_contact=True
    ),
    "kettlebell_swing": Variant(
        "hinge",
        _deg(40, 70),
        (0.05, 0.10),
        (0.5, 0.65),
        (0, 0),
        (0.58, 0.75),
        (0, 0),
        spine_rad=_deg(5, 15),
        ballistic=True,
    ),
    "tempo_hinge": Variant("hinge", _deg(45, 70), (0.01, 0.06), (3.0, 4.5), (0, 2.0), (2.0, 3.0)),
    "stoop_bend": Variant("hinge", _deg(40, 75), (0.0, 0.02), (1.0, 2.5), (0, 0.8), (0.9, 2.0), spine_rad=_deg(25, 50)),
    "hip_hinge_drill": Variant("hinge", _deg(30, 45), (0.01, 0.05), (0.9, 2.3), (0, 0.8), (0.8, 1.8)),
    "careful_hinge": Variant(
        "hinge", _deg(32, 60), (0.02, 0.10), (1.5, 3.2), (0, 1.0), (1.3, 2.8), spine_rad=_deg(10, 40)
    ),
}
