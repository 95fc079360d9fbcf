"""Repetitions that followed each other closely -> sets.

Who picks a weight up, does eight squats and puts it down makes ten movements without a rest, of which eight belong
together: repetitions of a set resemble their neighbours, and picking up and putting down do not. The same holds
where one exercise follows another without a rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from imu.motion.repetitions import Repetition


@dataclass(frozen=True, slots=True)
class ResemblanceParameters:
    """By how much neighbours in a set usually differ: twice the standard deviation in simulated sets and more."""

    angle_rad: float = math.radians(10)
    """Peak trunk angle."""
    drop_m: float = 0.08
    """Hip drop."""
    log_duration: float = 0.4
    """Logarithm of the duration: a tiring lifter takes half as long again."""
    rest_s: float = 2.0
    """Rest between them beyond two seconds: a breath or two."""
    odd_one_s: float = 6.0
    """Rest before and after an odd repetition, together, up to which it is part of the set around it."""
    most: float = 2.5
    """Root of the summed squares beyond which they do not belong together."""


def split_into_sets(
    repetitions: Sequence[Repetition], parameters: ResemblanceParameters | None = None
) -> list[tuple[Repetition, ...]]:
    """Return the repetitions as sets, in order.

    Neighbours that differ belong to different sets, with one exception: a single odd repetition between two that
    follow it and precede it without a rest stays in their set.
    """
    chosen = parameters or ResemblanceParameters()
    pairs = list(pairwise(repetitions))
    differs = [_difference(one, other, chosen) > chosen.most for one, other in pairs]
    splits: list[int] = []
    run: list[int] = []
    for i, different in enumerate([*differs, False]):
        if different:
            run.append(i)
            continue
        inside = len(run) == 2 and run[0] > 0 and run[-1] < len(pairs) - 1
        if not (inside and sum(pairs[k][1].start_s - pairs[k][0].end_s for k in run) < chosen.odd_one_s):
            splits += [k + 1 for k in run]
        run = []
    edges = [0, *splits, len(repetitions)]
    return [tuple(repetitions[a:b]) for a, b in pairwise(edges) if b > a]


def _difference(one: Repetition, other: Repetition, scale: ResemblanceParameters) -> float:
    """Return how much two neighbours differ, in usual differences."""
    durations = (other.end_s - other.start_s) / (one.end_s - one.start_s)
    return math.sqrt(
        ((other.trunk_angle_rad - one.trunk_angle_rad) / scale.angle_rad) ** 2
        + ((other.hip_drop_m - one.hip_drop_m) / scale.drop_m) ** 2
        + (math.log(durations) / scale.log_duration) ** 2
        + (max(0.0, other.start_s - one.end_s - 2.0) / scale.rest_s) ** 2
    )
