"""How alike two repetitions are. This module refuses to know what follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imu.motion.repetitions import Repetition


@dataclass(frozen=True, slots=True)
class Resemblance:
    """By how much neighbours in a set usually differ: twice the standard deviation in simulated sets and more."""

    angle_rad: float = math.radians(10)
    """Peak trunk angle."""
    drop_m: float = 0.06
    """Hip drop,"""
    drop_m_s: float = 0.01
    """and so much more for each second that the repetition takes: its error grows with time."""
    log_duration: float = 0.4
    """Logarithm of the duration: a tiring lifter takes half as long again."""
    rest_s: float = 2.0
    """Rest between them beyond two seconds: a breath or two."""
    most: float = 3.0
    """Root of the summed squares beyond which they do not belong together."""

    def holds(self, one: Repetition, later: Repetition) -> bool:
        """Return whether two repetitions, the one after the other, resemble each other."""
        durations = (later.end_s - later.start_s) / (one.end_s - one.start_s)
        longer = max(later.end_s - later.start_s, one.end_s - one.start_s)
        squares = (
            ((later.trunk_angle_rad - one.trunk_angle_rad) / self.angle_rad) ** 2
            + ((later.hip_drop_m - one.hip_drop_m) / (self.drop_m + self.drop_m_s * longer)) ** 2
            + (math.log(durations) / self.log_duration) ** 2
            + (max(0.0, later.start_s - one.end_s - 2.0) / self.rest_s) ** 2
        )
        return math.sqrt(squares) <= self.most
