"""Repetitions that followed each other closely -> sets.

Who picks a weight up, does eight squats and puts it down makes ten movements without a rest, of which eight belong
together: repetitions of a set resemble their neighbours, and picking up and putting down do not. The same holds
where one exercise follows another without a rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imu.motion.repetitions import Repetition


@dataclass(frozen=True, slots=True)
class ResemblanceParameters:
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
    close_s: float = 5.0
    """Rest up to which a repetition that differs may belong to the same set all the same."""
    telling: int = 3
    """Repetitions that resemble each other, from which on one that differs is known not to belong."""
    most: float = 2.5
    """Root of the summed squares beyond which they do not belong together."""


def split_into_sets(
    repetitions: Sequence[Repetition], parameters: ResemblanceParameters | None = None
) -> list[tuple[Repetition, ...]]:
    """Return the repetitions as sets, in order.

    Neighbours that differ belong to different sets. A lone repetition is left out only beside a set that is long
    enough to say what its repetitions look like; otherwise it stays, as does an odd one in the middle of a set.
    Repetitions that all differ but follow each other closely are one mixed set.
    """
    chosen = parameters or ResemblanceParameters()
    parts: list[list[Repetition]] = []
    for repetition in repetitions:
        if parts and _difference(parts[-1][-1], repetition, chosen) <= chosen.most:
            parts[-1].append(repetition)
        else:
            parts.append([repetition])
    merged: list[list[Repetition]] = []
    for i, part in enumerate(parts):
        before = len(parts[i - 1]) if i else 0
        after = len(parts[i + 1]) if i + 1 < len(parts) else 0
        close = bool(merged) and part[0].start_s - merged[-1][-1].end_s < chosen.close_s
        alone_here = len(part) == 1 and max(before, after) < chosen.telling
        alone_before = before == 1 and max(len(parts[i - 2]) if i > 1 else 0, len(part)) < chosen.telling
        odd_inside = close and min(before, after) >= 2 and len(part) == 1
        after_odd = close and before == 1 and i > 1 and min(len(parts[i - 2]), len(part)) >= 2
        if (close and (alone_here or alone_before)) or odd_inside or after_odd:
            merged[-1].extend(part)
        else:
            merged.append(list(part))
    return [tuple(part) for part in merged]


def _difference(one: Repetition, other: Repetition, scale: ResemblanceParameters) -> float:
    """Return how much two neighbours differ, in usual differences."""
    durations = (other.end_s - other.start_s) / (one.end_s - one.start_s)
    longer = max(other.end_s - other.start_s, one.end_s - one.start_s)
    return math.sqrt(
        ((other.trunk_angle_rad - one.trunk_angle_rad) / scale.angle_rad) ** 2
        + ((other.hip_drop_m - one.hip_drop_m) / (scale.drop_m + scale.drop_m_s * longer)) ** 2
        + (math.log(durations) / scale.log_duration) ** 2
        + (max(0.0, other.start_s - one.end_s - 2.0) / scale.rest_s) ** 2
    )
