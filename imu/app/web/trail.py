"""The trunk angle of the last half minute, with the repetitions in it, for drawing.

Its time is this computer's: a point is drawn where it was heard, and a repetition as long before that as its turning
point lay before its confirmation. This module refuses to know what it is drawn on.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

from imu.live.training_run import Happened
from imu.motion.form import Posture
from imu.motion.repetitions import Repetition
from imu.session import RepetitionCounted, RepetitionTakenBack

KEPT_S = 30.0
"""So much is drawn: a whole set of ten on a desktop, its last repetitions on a phone."""
LEAST_STEP_S = 0.03
"""Points come at most so often; signals have 20 steps a second, and a page is told 25 times."""

Point = tuple[float, float | None]
"""Time, s, and angle, degrees; ``None`` where it is not known."""


@dataclass(frozen=True, slots=True)
class _Marked:
    at_s: float
    repetition: Repetition


class Trail:
    """Points and marks, the oldest first."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque()
        self._new: list[Point] = []
        self._marked: list[_Marked] = []
        self._begun_s: float | None = None

    @property
    def points(self) -> list[Point]:
        """All points that are kept."""
        return list(self._points)

    @property
    def marks(self) -> list[dict[str, Any]]:
        """The repetitions in them."""
        return [
            {
                "t": round(one.at_s, 2),
                "pattern": str(one.repetition.pattern),
                "deg": round(math.degrees(one.repetition.trunk_angle_rad), 1),
            }
            for one in self._marked
        ]

    def look(self, posture: Posture | None, now_s: float) -> None:
        """Take where the hip is now."""
        at_s = self._since(now_s)
        if self._points and at_s - self._points[-1][0] < LEAST_STEP_S:
            return
        if posture is None and (not self._points or self._points[-1][1] is None):
            return  # nothing was drawn, and nothing is
        point = round(at_s, 2), None if posture is None else round(math.degrees(posture.trunk_tilt_rad), 1)
        self._points.append(point)
        self._new.append(point)
        while self._points[0][0] < at_s - KEPT_S:
            self._points.popleft()
        self._marked = [one for one in self._marked if one.at_s >= at_s - KEPT_S]

    def mark(self, happened: Happened, now_s: float) -> None:
        """Take what happened, if it is to be marked."""
        match happened:
            case RepetitionCounted(one):
                self._marked.append(_Marked(self._since(now_s) - (one.confirmed_s - one.bottom_s), one))
            case RepetitionTakenBack(one):
                self._marked = [marked for marked in self._marked if marked.repetition != one]

    def new_points(self) -> list[Point]:
        """Return the points since this was last asked."""
        new, self._new = self._new, []
        return new

    def _since(self, now_s: float) -> float:
        if self._begun_s is None:
            self._begun_s = now_s
        return now_s - self._begun_s
