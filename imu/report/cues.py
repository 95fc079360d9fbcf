"""A set -> what a coach would say of its form.

A cue stands only where the numbers are clear of their error. The errors are those against the exact truth of simulated
sessions: peak angle 2.6 degrees (RMSE and robust standard deviation), hip drop 0.026 m (robust standard deviation; RMSE
0.041 m), speed lost over a set 10 %; hinges that sink by a few centimetres have no speed to speak of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median, stdev

from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.words import degrees
from imu.session import TrainingSet

SPEED_LOST = 0.2
"""Share of speed lost over a set from which it is said: 20 % is the usual limit in velocity-based training
(Pareja-Blanco 2017, doi 10.1111/sms.12678), and twice our error."""
SPEED_REPETITIONS = 4
"""Speed lost is said of sets of at least this many, first two against last two: one repetition alone is too uneven."""
SPEED_DROP_M = 0.15
"""Speed and order of hips and knees are said where the hip sinks by this on average, six times its error."""
UNEVEN_ANGLE_RAD = math.radians(8)
"""Standard deviation of the peak angle in a set from which it is uneven: three times our error."""
UNEVEN_DROP_M = 0.08
"""The same of the hip drop: twice its RMSE."""
SQUAT_LEANS_RAD = math.radians(45)
"""Mean tilt at the bottom of squats from which the chest is down: above the 15-45 degrees of pelvis tilt in squats."""
SQUAT_UPRIGHT_RAD = math.radians(30)
"""Below this the chest is up: the middle of those 15-45 degrees."""
HINGE_SHALLOW_RAD = math.radians(44)
"""Mean peak tilt of hinges below which they are shallow: a free bend tilts the pelvis by 59 +- 15 (Laird 2019)."""
HINGE_DEEP_RAD = math.radians(59)
"""From here on a hinge goes as far as a free bend."""
KNEES_FIRST_S = -0.15
"""Median lead of the trunk in a set from which the knees bent first: three steps of 0.05 s. Real squats: 0.25 s."""


def cues(one_set: TrainingSet) -> list[str]:
    """Return what is to be said about the form of a set; nothing where the numbers do not say it clearly."""
    repetitions = one_set.repetitions
    said = []
    changed = _became_hinges(repetitions)
    if changed is not None:
        said.append(f"squats turned into hinges from repetition {changed}")
    elif one_set.pattern is Pattern.MIXED:
        said.append("squats and hinges in one set")
    if one_set.pattern is Pattern.SQUAT:
        bottom_rad = fmean(r.angle_at_bottom_rad for r in repetitions)
        if bottom_rad >= SQUAT_LEANS_RAD:
            said.append(f"leaning {degrees(bottom_rad)} at the bottom, keep the chest up")
        elif bottom_rad <= SQUAT_UPRIGHT_RAD:
            said.append(f"chest up ({degrees(bottom_rad)} at the bottom)")
    if one_set.pattern is Pattern.HINGE:
        peak_rad = fmean(r.trunk_angle_rad for r in repetitions)
        if peak_rad < HINGE_SHALLOW_RAD:
            said.append(f"bent by {degrees(peak_rad)} only, hips further back and back toward parallel")
        elif peak_rad >= HINGE_DEEP_RAD:
            said.append(f"well bent at the hip ({degrees(peak_rad)})")
    if sinks(one_set) and median(r.trunk_lead_s for r in repetitions) <= KNEES_FIRST_S:
        said.append("knees before hips, start with the hips")
    lost = share_of_speed_lost(one_set)
    if lost is not None and lost >= SPEED_LOST and len(repetitions) >= SPEED_REPETITIONS:
        said.append(f"{100 * lost:.0f} % slower at the end")
    if len(repetitions) >= 3 and one_set.pattern is not Pattern.MIXED:
        angle_rad = stdev(r.trunk_angle_rad for r in repetitions)
        drop_m = stdev(r.hip_drop_m for r in repetitions)
        said += [f"angle uneven (±{degrees(angle_rad)})"] if angle_rad >= UNEVEN_ANGLE_RAD else []
        said += [f"depth uneven (±{100 * drop_m:.0f} cm)"] if drop_m >= UNEVEN_DROP_M else []
    return said


def _became_hinges(repetitions: Sequence[Repetition]) -> int | None:
    """Return the number of the first hinge of a set that began with two squats and ended with two hinges."""
    told = [r.pattern for r in repetitions if r.pattern is not Pattern.UNCERTAIN]
    squats = told.index(Pattern.HINGE) if Pattern.HINGE in told else len(told)
    clear = squats >= 2 and len(told) - squats >= 2 and Pattern.SQUAT not in told[squats:]
    return next(i for i, r in enumerate(repetitions, 1) if r.pattern is Pattern.HINGE) if clear else None


def sinks(one_set: TrainingSet) -> bool:
    """Return whether the hip sinks far enough for speed to mean something."""
    return fmean(r.hip_drop_m for r in one_set.repetitions) >= SPEED_DROP_M


def speed(one_set: TrainingSet) -> float | None:
    """Return the mean upward speed of a set, m/s; None where the hip hardly sinks."""
    return fmean(r.mean_concentric_velocity_m_s for r in one_set.repetitions) if sinks(one_set) else None


def share_of_speed_lost(one_set: TrainingSet) -> float | None:
    """Return how much slower the last repetitions went up than the first; None where speed says nothing."""
    speeds = [r.mean_concentric_velocity_m_s for r in one_set.repetitions]
    count = 2 if len(speeds) >= SPEED_REPETITIONS else 1
    first, last = fmean(speeds[:count]), fmean(speeds[-count:])
    return 1 - last / first if sinks(one_set) and len(speeds) > 1 and min(speeds) > 0 else None
