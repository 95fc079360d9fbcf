"""A set -> what a coach would say about its form; a repetition -> its figures as people read them.

A cue is given only where a figure is clear of its error. The errors are those against the exact truth of simulated
sessions: peak angle 2.6 degrees (RMSE and robust standard deviation), hip drop 0.026 m (robust standard deviation; RMSE
0.041 m), speed lost over a set 10 %. Hinges that sink by a few centimetres have no meaningful speed. Praise and
corrections never share words: "chest up" and "hips further back" always ask for a change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import fmean, median, stdev
from typing import Any

from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.words import degrees
from imu.session import TrainingSet

SPEED_LOST = 0.2
"""Least share of speed lost over a set for a cue: 20 % is the usual limit in velocity-based training
(Pareja-Blanco 2017, doi 10.1111/sms.12678), and twice our error."""
SPEED_REPETITIONS = 4
"""Least repetitions for a cue on speed. The first two are compared with the last two: single ones vary too much."""
SPEED_DROP_M = 0.15
"""Least mean hip drop for speed and for the order of hips and knees: six times its error."""
SPEED_ERROR_M_S = 0.05
"""Error of a repetition's mean upward speed, that of good devices of this kind."""
UNEVEN_ANGLE_RAD = math.radians(8)
"""Least standard deviation of the peak angle in an uneven set: three times our error."""
UNEVEN_DROP_M = 0.08
"""Least standard deviation of the hip drop in an uneven set: twice its RMSE."""
SQUAT_LEANS_RAD = math.radians(45)
"""Least mean tilt at the bottom of squats with the chest down: the end of the 15-45 degrees of tilt in squats."""
SQUAT_UPRIGHT_RAD = math.radians(30)
"""Largest mean tilt at the bottom of upright squats: the middle of those 15-45 degrees."""
HINGE_SHALLOW_RAD = math.radians(44)
"""Shallow hinges have a smaller mean peak tilt: a free bend tilts the pelvis by 59 +- 15 degrees (Laird 2019)."""
HINGE_DEEP_RAD = math.radians(59)
"""Least mean peak tilt of hinges that go as far as a free bend."""
KNEES_FIRST_S = -0.15
"""Largest median lead of the trunk in a set with knees first: three steps of 0.05 s. Real squats have +0.25 s."""

UPRIGHT, WELL_BENT = "The squats stayed upright at the bottom", "The hinges were well bent at the hip"
PRAISE = frozenset({UPRIGHT, WELL_BENT})
"""Sentences that ask for no change. A report gives them only if they hold for most sets."""


def cues(one_set: TrainingSet) -> list[str]:
    """Return the cues on the form of a set, with figures; empty where no figure is clear of its error."""
    return [cue for cue, _ in form_of(one_set)]


def form_of(one_set: TrainingSet) -> list[tuple[str, str]]:  # noqa: PLR0912  one cue after the other
    """Return each cue on the form of a set, and the same in a plain sentence without figures, for a report."""
    repetitions = one_set.repetitions
    cues: list[tuple[str, str]] = []
    changed = _became_hinges(repetitions)
    if changed is not None:
        cues.append((f"squats turned into hinges from repetition {changed}", "The squats turned into hinges"))
    elif one_set.pattern is Pattern.MIXED:
        cues.append(("squats and hinges in one set", "Squats and hinges were mixed"))
    if one_set.pattern is Pattern.SQUAT:
        bottom_rad = fmean(r.angle_at_bottom_rad for r in repetitions)
        if bottom_rad >= SQUAT_LEANS_RAD:
            cue = f"leaning {degrees(bottom_rad)} at the bottom, keep the chest up"
            cues.append((cue, "The squats leaned forward at the bottom: keep the chest up"))
        elif bottom_rad <= SQUAT_UPRIGHT_RAD:
            cues.append((f"upright ({degrees(bottom_rad)} at the bottom)", UPRIGHT))
    if one_set.pattern is Pattern.HINGE:
        peak_rad = fmean(r.trunk_angle_rad for r in repetitions)
        if peak_rad < HINGE_SHALLOW_RAD:
            cue = f"bent by {degrees(peak_rad)} only, hips further back and back toward parallel"
            cues.append((cue, "The hinges were shallow: hips further back, and back toward parallel"))
        elif peak_rad >= HINGE_DEEP_RAD:
            cues.append((f"well bent at the hip ({degrees(peak_rad)})", WELL_BENT))
    if sinks(one_set) and median(r.trunk_lead_s for r in repetitions) <= KNEES_FIRST_S:
        cues.append(("knees before hips, start with the hips", "The knees moved before the hips: start with the hips"))
    lost = share_of_speed_lost(one_set)
    if lost is not None and lost >= SPEED_LOST and len(repetitions) >= SPEED_REPETITIONS:
        cues.append(
            (f"{100 * lost:.0f} % slower at the end", "The last repetitions were clearly slower than the first")
        )
    if len(repetitions) >= 3 and one_set.pattern is not Pattern.MIXED:
        angle_rad = stdev(r.trunk_angle_rad for r in repetitions)
        drop_m = stdev(r.hip_drop_m for r in repetitions)
        if angle_rad >= UNEVEN_ANGLE_RAD:
            cues.append((f"angle uneven (±{degrees(angle_rad)})", "The angle differed between repetitions"))
        if drop_m >= UNEVEN_DROP_M:
            cues.append((f"depth uneven (±{100 * drop_m:.0f} cm)", "The depth differed between repetitions"))
    return cues


def _became_hinges(repetitions: Sequence[Repetition]) -> int | None:
    """Return the number of the first hinge of a set that began with two squats and ended with two hinges."""
    patterns = [r.pattern for r in repetitions if r.pattern is not Pattern.UNCERTAIN]
    squats = patterns.index(Pattern.HINGE) if Pattern.HINGE in patterns else len(patterns)
    clear = squats >= 2 and len(patterns) - squats >= 2 and Pattern.SQUAT not in patterns[squats:]
    return next(i for i, r in enumerate(repetitions, 1) if r.pattern is Pattern.HINGE) if clear else None


def sinks(one_set: TrainingSet) -> bool:
    """Return whether the hip sinks far enough for speed to mean something."""
    return fmean(r.hip_drop_m for r in one_set.repetitions) >= SPEED_DROP_M


def speed(one_set: TrainingSet) -> float | None:
    """Return the mean upward speed of a set, m/s; None where the hip hardly sinks."""
    return fmean(r.mean_concentric_velocity_m_s for r in one_set.repetitions) if sinks(one_set) else None


def share_of_speed_lost(one_set: TrainingSet) -> float | None:
    """Return how much slower the last repetitions went up than the first; None where speed has no meaning."""
    speeds = [r.mean_concentric_velocity_m_s for r in one_set.repetitions]
    count = 2 if len(speeds) >= SPEED_REPETITIONS else 1
    first, last = fmean(speeds[:count]), fmean(speeds[-count:])
    return 1 - last / first if sinks(one_set) and len(speeds) > 1 and min(speeds) > 0 else None


# --- the figures of a repetition -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """The measured figures of one repetition, in the units in which people and programs read them.

    The fields from `trunk_angle_deg` to `trunk_lead_s` have the names and the order of the JSON object and of the
    export's columns. They are not rounded. :class:`imu.motion.repetitions.Repetition` says what each means.

    Attributes
    ----------
    pattern : Pattern
        The measured pattern, which a correction may have changed.
    confidence : float
        Probability that the measured pattern is right.
    start_s, bottom_s, end_s, confirmed_s : float
        Start, turning point, end and moment of the announcement, on the recording's clock.
    hip_drop_from : str or None
        Where the hip drop begins: ``standing``, or the ``top`` of a touch-and-go repetition.
    """

    pattern: Pattern
    confidence: float
    start_s: float
    bottom_s: float
    end_s: float
    confirmed_s: float
    trunk_angle_deg: float
    hip_drop_m: float
    eccentric_s: float
    pause_s: float
    concentric_s: float
    mean_concentric_velocity_m_s: float
    peak_concentric_velocity_m_s: float
    angle_at_bottom_deg: float
    sideways_tilt_deg: float
    turn_deg: float
    trunk_lead_s: float
    hip_drop_from: str | None

    @property
    def has_speed(self) -> bool:
        """Whether the hip sinks far enough for its speed to mean something."""
        return self.hip_drop_m >= SPEED_DROP_M


def figures_of(one: Repetition) -> Figures:
    """Return the figures of a repetition in the units in which people and programs read them."""
    from_standing = one.drop_from_standing
    values: dict[str, Any] = {
        name: math.degrees(getattr(one, f"{name[:-4]}_rad")) if name.endswith("_deg") else getattr(one, name)
        for name in _SAME_FIGURES
    }
    return Figures(**values, hip_drop_from=None if from_standing is None else "standing" if from_standing else "top")


_SAME_FIGURES = tuple(field.name for field in fields(Figures) if field.name != "hip_drop_from")
