"""Repetitions that followed each other closely -> sets.

Who picks a weight up, does eight squats and puts it down makes ten movements without a rest, of which eight belong
together: repetitions of a set resemble their neighbours, and picking up and putting down do not. The same holds where one
exercise follows another without a rest.
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
    drop_m: float = 0.08
    """Hip drop."""
    log_duration: float = 0.4
    """Logarithm of the duration: a tiring lifter takes half as long again."""
    rest_s: float = 2.0
    """Rest between them beyond two seconds: a breath or two."""
    most: float = 2.5
    """Root of the summed squares beyond which they do not belong together."""


def split_into_sets(
    repetitions: Sequence[Repetition], parameters: ResemblanceParameters | None = None
) -> list[tuple[Repetition, ...]]:
    """Return the repetitions as sets, in order.

    A split needs two neighbours that differ while each resembles the repetition on its other side: one odd repetition in
    the middle stays in its set.
    """
    chosen = parameters or ResemblanceParameters()
    n = len(repetitions)
    differs = [_difference(repetitions[i], repetitions[i + 1], chosen) > chosen.most for i in range(n - 1)]
    splits = [
        i + 1
        for i in range(n - 1)
        if differs[i] and n > 2 and (i == 0 or not differs[i - 1]) and (i == n - 2 or not differs[i + 1])
    ]
    edges = [0, *splits, n]
    return [tuple(repetitions[a:b]) for a, b in zip(edges, edges[1:], strict=False) if b > a]


def _difference(one: Repetition, other: Repetition, scale: ResemblanceParameters) -> float:
    """Return how much two neighbours differ, in usual differences."""
    durations = (other.end_s - other.start_s) / (one.end_s - one.start_s)
    return math.sqrt(
        ((other.trunk_angle_rad - one.trunk_angle_rad) / scale.angle_rad) ** 2
        + ((other.hip_drop_m - one.hip_drop_m) / scale.drop_m) ** 2
        + (math.log(durations) / scale.log_duration) ** 2
        + (max(0.0, other.start_s - one.end_s - 2.0) / scale.rest_s) ** 2
    )
