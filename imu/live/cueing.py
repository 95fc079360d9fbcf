"""A set so far -> at most one short cue in a coach's words.

A cue stands only where the last repetition's figures are clear of their error by twice its size; the limits are those
of the report on the whole set (:mod:`imu.report`), so that what is heard while training is not taken back after it.
This module refuses to know how a cue is shown or spoken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.cues import (
    HINGE_SHALLOW_RAD,
    KNEES_FIRST_S,
    SPEED_DROP_M,
    SPEED_LOST,
    SPEED_REPETITIONS,
    SQUAT_LEANS_RAD,
    share_of_speed_lost,
)
from imu.session import TrainingSet

ANGLE_ERROR_RAD = math.radians(2.6)
"""RMSE of one repetition's trunk angle against the truth of simulated sessions."""
DROP_ERROR_M = 0.04
"""RMSE of one repetition's hip drop, likewise."""
CLEAR = 2.0
"""A figure is clear of a limit when it is this many errors beyond it: of a hundred such cues two are wrong."""
SURE = 0.9
"""A cue about one pattern is given only if the repetition is of that pattern with this confidence."""
ORDER_REPETITIONS = 3
"""Hips or knees first is said of the median of this many: one repetition's order is too uneven."""

_CHEST_LIMIT_RAD = SQUAT_LEANS_RAD + CLEAR * ANGLE_ERROR_RAD
_HINGE_LIMIT_RAD = HINGE_SHALLOW_RAD - CLEAR * ANGLE_ERROR_RAD
_DEPTH_LIMIT_M = CLEAR * math.sqrt(2) * DROP_ERROR_M  # the difference of two repetitions has the error of both


def cue(so_far: TrainingSet) -> str | None:
    """Return what the last repetition of a set calls for, in a few words; ``None`` if its figures call for nothing.

    The first that holds: a chest that is down, a hinge that is shallow, depth lost since the first repetition, knees
    before hips, speed lost.
    """
    repetitions, last = so_far.repetitions, so_far.repetitions[-1]
    sure = last.confidence >= SURE and last.pattern is so_far.pattern
    if sure and last.pattern is Pattern.SQUAT and last.angle_at_bottom_rad >= _CHEST_LIMIT_RAD:
        return "chest up"
    if sure and last.pattern is Pattern.HINGE and last.trunk_angle_rad <= _HINGE_LIMIT_RAD:
        return "hips further back"
    if sure and last.pattern is Pattern.SQUAT and repetitions[0].hip_drop_m - last.hip_drop_m >= _DEPTH_LIMIT_M:
        return "deeper"
    if _knees_first(repetitions[-ORDER_REPETITIONS:]):
        return "hips first"
    lost = velocity_loss(so_far)
    if lost is not None and lost >= SPEED_LOST:
        return "slowing down"
    return None


def velocity_loss(so_far: TrainingSet) -> float | None:
    """Return the share of upward velocity lost, last two repetitions against first two; ``None`` where it says nothing.

    As in the report, but never of one repetition against another: alone, each is too uneven.
    """
    return share_of_speed_lost(so_far) if len(so_far.repetitions) >= SPEED_REPETITIONS else None


def _knees_first(latest: Sequence[Repetition]) -> bool:
    """Whether the knees bent clearly before the hips in the latest repetitions."""
    if len(latest) < ORDER_REPETITIONS or fmean(repetition.hip_drop_m for repetition in latest) < SPEED_DROP_M:
        return False
    return median(repetition.trunk_lead_s for repetition in latest) <= KNEES_FIRST_S
