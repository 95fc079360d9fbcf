"""Repetitions that followed each other closely -> sets.

Who picks a weight up, does eight squats and puts it down makes ten movements without a rest, of which eight belong
together: repetitions of a set resemble their neighbours, and picking up and putting down do not. The same holds
where one exercise follows another without a rest. The more alike the repetitions of a set are, the less its first and
last may differ from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from imu.motion.repetitions import Repetition
from imu.motion.resemblance import Resemblance


@dataclass(frozen=True, slots=True)
class SetParameters:
    """What belongs to a set."""

    neighbours: Resemblance = field(default_factory=Resemblance)
    """By how much neighbours in a set differ."""
    close_s: float = 5.0
    """Rest up to which a repetition that differs may belong to the same set all the same."""
    telling: int = 4
    """Repetitions that resemble each other, from which on one that differs is known not to belong."""
    own_angle_rad: float = math.radians(5)
    """How much repetitions of one set vary before anything is known of the set: peak trunk angle,"""
    own_drop_m: float = 0.03
    """hip drop,"""
    own_log_duration: float = 0.4
    """logarithm of the duration,"""
    own_pause_s: float = 0.3
    """and pause at the turning point."""
    own_weight: float = 3.0
    """As many repetitions the above is worth against what the set itself shows."""
    strange: float = 5.0
    """The first or last repetition is none of the set if it is further from the middle of the others than this, in
    standard deviations (root of the summed squares of four): 1 in 200 of the true ones of simulated sets is, and 9 in
    10 weights picked up or put down."""


def split_into_sets(
    repetitions: Sequence[Repetition], parameters: SetParameters | None = None
) -> list[tuple[Repetition, ...]]:
    """Return the repetitions as sets, in order.

    Neighbours that differ belong to different sets. A lone repetition is left out only beside a set that is long
    enough to say what its repetitions look like; otherwise it stays, as does an odd one in the middle of a set.
    Repetitions that all differ but follow each other closely are one mixed set.
    """
    chosen = parameters or SetParameters()
    parts: list[list[Repetition]] = []
    for repetition in repetitions:
        if parts and chosen.neighbours.holds(parts[-1][-1], repetition):
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
    return [part for whole in merged for part in _without_strange_ends(tuple(whole), chosen)]


def _without_strange_ends(part: tuple[Repetition, ...], chosen: SetParameters) -> list[tuple[Repetition, ...]]:
    """Return a set and, apart from it, what before and after it is not like the others: at most two repetitions."""
    first, last = 0, len(part)
    for _ in range(2):
        if last - first <= chosen.telling:
            break
        at_start = _strangeness(part[first], part[first + 1 : last], chosen)
        at_end = _strangeness(part[last - 1], part[first : last - 1], chosen)
        if max(at_start, at_end) <= chosen.strange:
            break
        if at_start >= at_end:
            first += 1
        else:
            last -= 1
    alone = [(repetition,) for repetition in part]
    return [*alone[:first], part[first:last], *alone[last:]]


def _strangeness(one: Repetition, others: Sequence[Repetition], chosen: SetParameters) -> float:
    """Return how far a repetition is from the middle of the others, in standard deviations of these.

    Their variance is shrunk towards the usual one, as by an inverse gamma prior worth `own_weight` repetitions (Gelman
    et al., Bayesian Data Analysis, 3rd ed., section 2.6).
    """
    usual = (chosen.own_angle_rad, chosen.own_drop_m, chosen.own_log_duration, chosen.own_pause_s)
    figures = zip(_figures(one), *(_figures(other) for other in others), strict=True)
    squares = 0.0
    for (value, *known), usual_sd in zip(figures, usual, strict=True):
        middle = median(known)
        scatter = math.fsum((other - middle) ** 2 for other in known)
        variance = (chosen.own_weight * usual_sd**2 + scatter) / (chosen.own_weight + len(known))
        squares += (value - middle) ** 2 / variance
    return math.sqrt(squares)


def _figures(one: Repetition) -> tuple[float, float, float, float]:
    return one.trunk_angle_rad, one.hip_drop_m, math.log(one.end_s - one.start_s), one.pause_s
