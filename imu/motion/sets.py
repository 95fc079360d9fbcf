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
    sizes = [0, *(len(part) for part in parts), 0]
    stays = [
        size == 1 and (max(before, after) < chosen.telling or min(before, after) >= 2)
        for before, size, after in zip(sizes, sizes[1:], sizes[2:], strict=False)
    ]
    merged: list[list[Repetition]] = []
    for i, part in enumerate(parts):
        close = i > 0 and part[0].start_s - parts[i - 1][-1].end_s < chosen.close_s
        if close and (stays[i - 1] or stays[i]):
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
