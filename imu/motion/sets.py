"""Repetitions that followed each other closely -> sets.

A lifter who picks a weight up, does eight squats and puts it down makes ten movements without a rest. Eight of them
belong together: they resemble each other, and the network finds them likelier than picking up and putting down. The
same holds where one exercise follows another without a rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from imu.motion.repetitions import MOST_APART, Repetition, difference

SEEN_BESIDE = 3
"""Where neighbours differ, the middles of up to three repetitions before and after are compared as well: a single drop
that was measured wrongly by 0.2 m is no change of exercise (`squat_sets`)."""

CLOSE_S = 5.0
"""Up to this pause a repetition that differs may belong to the same set all the same."""

TELLING = 4
"""From this many repetitions on a set shows what its repetitions look like, and whether another one belongs to it."""

OWN_ANGLE_RAD, OWN_DROP_M, OWN_LOG_DURATION, OWN_PAUSE_S = math.radians(5), 0.03, 0.4, 0.3
"""How much repetitions of one set vary before anything is known of the set; `OWN_PAUSE_S` is the pause at the turning
point."""

OWN_WEIGHT = 3.0
"""The above counts like this many repetitions of the set itself."""

BELONGING, BY_LOG_ODDS, BY_STRANGENESS, BY_PAUSE, BY_BEING_FIRST = 3.5, 1.2, -0.42, -1.16, 1.5
"""Log-odds that the first or last repetition belongs to the set. A logistic regression on the ends of 240 simulated
sessions (seeds 10000-10059 and 20000-20059 of both kinds; half fitted, half judged: 129 errors of 3,824, where a bound
on the strangeness alone made 167)."""


def split_into_sets(repetitions: Sequence[Repetition]) -> list[tuple[Repetition, ...]]:
    """Return the repetitions as sets, in order.

    Neighbours that differ belong to different sets. A lone repetition is left out only beside a set that is long
    enough to show what its repetitions look like; otherwise it stays, as does an odd one in the middle of a set. Three
    or more repetitions that all differ but follow each other closely are one mixed set; two that differ are two lone
    movements.
    """
    parts: list[list[Repetition]] = []
    for i, repetition in enumerate(repetitions):
        if parts and not _differ(repetitions[max(0, i - SEEN_BESIDE) : i], repetitions[i : i + SEEN_BESIDE]):
            parts[-1].append(repetition)
        else:
            parts.append([repetition])
    sizes = [0, *(len(part) for part in parts), 0]
    if sizes == [0, 1, 1, 0]:
        return [tuple(part) for part in parts]
    stays = [
        size == 1 and (max(before, after) < TELLING or min(before, after) >= 2)
        for before, size, after in zip(sizes, sizes[1:], sizes[2:], strict=False)
    ]
    merged: list[list[Repetition]] = []
    for i, part in enumerate(parts):
        close = i > 0 and part[0].start_s - parts[i - 1][-1].end_s < CLOSE_S
        if close and (stays[i - 1] or stays[i]):
            merged[-1].extend(part)
        else:
            merged.append(list(part))
    return [part for whole in merged for part in _without_strange_ends(tuple(whole))]


def _differ(before: Sequence[Repetition], after: Sequence[Repetition]) -> bool:
    """Return whether a set ends between two stretches: the neighbours differ, and so do the middles of both."""
    return min(difference(before[-1:], after[:1]), difference(before, after)) > MOST_APART


def _without_strange_ends(part: tuple[Repetition, ...]) -> list[tuple[Repetition, ...]]:
    """Return a set and, apart from it, at most two repetitions at its ends that do not belong to it."""
    first, last = 0, len(part)
    pauses_s = [max(0.0, later.start_s - one.end_s) for one, later in pairwise(part)]
    for _ in range(2):
        if last - first <= TELLING:
            break
        usual_pause_s = median(pauses_s[first + 1 : last - 2])
        at_start = BY_BEING_FIRST + _belonging(part[first], part[first + 1 : last], pauses_s[first], usual_pause_s)
        at_end = _belonging(part[last - 1], part[first : last - 1], pauses_s[last - 2], usual_pause_s)
        if min(at_start, at_end) >= 0.0:
            break
        if at_start <= at_end:
            first += 1
        else:
            last -= 1
    alone = [(repetition,) for repetition in part]
    return [*alone[:first], part[first:last], *alone[last:]]


def _belonging(one: Repetition, others: Sequence[Repetition], pause_s: float, usual_pause_s: float) -> float:
    """Return the log-odds that a last repetition belongs to the set of the others."""
    return (
        BELONGING
        + BY_LOG_ODDS * (one.counting_log_odds or 0.0)
        + BY_STRANGENESS * _strangeness(one, others)
        + BY_PAUSE * math.log((pause_s + 0.5) / (usual_pause_s + 0.5))
    )


def _strangeness(one: Repetition, others: Sequence[Repetition]) -> float:
    """Return how far a repetition is from the middle of the others, in standard deviations of these.

    Their variance is shrunk towards the usual one, as by an inverse gamma prior worth `OWN_WEIGHT` repetitions (Gelman
    et al., Bayesian Data Analysis, 3rd ed., section 2.6).
    """
    usual = (OWN_ANGLE_RAD, OWN_DROP_M, OWN_LOG_DURATION, OWN_PAUSE_S)
    figures = zip(_figures(one), *(_figures(other) for other in others), strict=True)
    squares = 0.0
    for (value, *known), usual_sd in zip(figures, usual, strict=True):
        middle = median(known)
        scatter = math.fsum((other - middle) ** 2 for other in known)
        variance = (OWN_WEIGHT * usual_sd**2 + scatter) / (OWN_WEIGHT + len(known))
        squares += (value - middle) ** 2 / variance
    return math.sqrt(squares)


def _figures(one: Repetition) -> tuple[float, float, float, float]:
    return one.trunk_angle_rad, one.hip_drop_m, math.log(one.end_s - one.start_s), one.pause_s
