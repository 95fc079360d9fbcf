"""Repetitions that followed each other closely -> sets.

A lifter who picks a weight up, does eight squats and puts it down makes ten movements without a rest. Eight of them
belong together: they resemble each other, and the network finds them likelier than picking up and putting down. The
same holds where one exercise follows another without a rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from imu.motion.repetitions import MOST_APART, Repetition, difference
from imu.motion.signals import STEP_S, MotionSignals, steps_in
from imu.samples import STANDARD_GRAVITY_M_S2, Array

SEEN_BESIDE = 3
"""Where neighbours differ, the middles of up to three repetitions before and after are compared as well: a single drop
that was measured wrongly by 0.2 m is no change of exercise (`squat_sets`)."""

CLOSE_S = 5.0
"""Up to this pause a repetition that differs may belong to the same set all the same."""

TELLING = 3
"""From this many repetitions on a set shows what its repetitions look like, and whether another one belongs to it."""

LEAST_MEAN_LOG_ODDS = -0.7
"""Repetitions that are less likely than one in three, all together, are lone movements: sitting down and standing up
twice. Of 552 simulated touch-and-go sets two have a lower mean; of 8 false sets of people left out all do (SisFall and
`daily_life_20hz`), and of 9 simulated ones six."""

LONGEST_UNLIKELY = 5
"""More movements in a row than this are a set, also where each of them is unlikely: people do not sit down six times in
a row, and where a person's swings or quarter squats are unlike those of the fit, all of them look unlikely."""

STEPS_M_S2, STEPS_S, STEPS_HZ = 1.3, 1.2, 1.2
"""A person who walks: mean size of the vertical acceleration over two or three steps, and how many of them there are in
a second. People walk at 1.4 to 2.5 steps/s; a squat of 1 s has the rhythm of one."""

TURNED_RAD = math.radians(45)
"""From here on a person faces another way. In 2,693 pauses within simulated sets people turn by 24° at most; one of the
pauses is taken for walking."""

FAR = 8.0
"""Further than this many deviations is no stranger."""

_LOOKED_AT: dict[str, tuple[Callable[[Repetition], float], float]] = {
    # quantity: (how it is taken from a repetition, its deviation where nothing is known of the set)
    "angle": (lambda one: one.trunk_angle_rad, math.radians(3)),
    "drop": (lambda one: one.hip_drop_m, 0.03),
    "eccentric": (lambda one: math.log(one.eccentric_s + 0.1), 0.1),
    "hold": (lambda one: math.log(one.pause_s + 0.3), 0.1),
    "concentric": (lambda one: math.log(one.concentric_s + 0.1), 0.1),
    "peak_velocity": (lambda one: math.log(max(one.peak_concentric_velocity_m_s, 0.0) + 0.1), 0.1),
    "shake": (lambda one: math.log((one.shake_m_s2 or 0.0) + 0.02), 0.1),
    "sideways": (lambda one: abs(one.sideways_tilt_rad), 0.04),
    "turn": (lambda one: abs(one.turn_rad), 0.05),
    "delay": (lambda one: one.confirmed_s - one.end_s, 0.15),
}
BELONGING = ("log_odds", "pause", *(f"{name}_{side}" for name in _LOOKED_AT for side in ("less", "more")))
"""Names of the entries of `belonging_evidence`, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class BelongingWeights:
    """Log-odds that the first, or the last, repetition belongs to the set of the others: ``bias + linear · evidence``.

    Logistic regressions on simulated sets, fitted by :mod:`imu.evaluation.judge_fit`: putting the weight down, letting
    it go and a repetition that fails look much like one more repetition, but less like the others.

    Attributes
    ----------
    linear : (2, len(BELONGING)) array
        For the first, and for the last.
    bias : (2,) array
    """

    linear: Array
    bias: Array

    @classmethod
    def none_strange(cls) -> BelongingWeights:
        """Return weights by which every repetition belongs to its set."""
        return cls(np.zeros((2, len(BELONGING))), np.ones(2))

    def log_odds(self, end: int, evidence: Array) -> float:
        """Return the log-odds for the first (`end` 0) or the last (1)."""
        return float(self.bias[end] + (self.linear[end] * evidence).sum())


def split_into_sets(repetitions: Sequence[Repetition], weights: BelongingWeights) -> list[tuple[Repetition, ...]]:
    """Return the repetitions as sets, in order; whether they are likely together is another question (`are_likely`).

    Neighbours that differ belong to different sets. A lone repetition that is close to others is one of theirs; at an
    end of the set the weights decide whether it belongs. Three or more repetitions that all differ but follow each
    other closely are one mixed set; two that differ are two lone movements.
    """
    parts: list[list[Repetition]] = []
    for i, repetition in enumerate(repetitions):
        if parts and not _differ(repetitions[max(0, i - SEEN_BESIDE) : i], repetitions[i : i + SEEN_BESIDE]):
            parts[-1].append(repetition)
        else:
            parts.append([repetition])
    if [len(part) for part in parts] == [1, 1]:
        return [tuple(part) for part in parts]
    merged: list[list[Repetition]] = []
    for i, part in enumerate(parts):
        close = i > 0 and part[0].start_s - parts[i - 1][-1].end_s < CLOSE_S
        if close and 1 in (len(parts[i - 1]), len(part)):
            merged[-1].extend(part)
        else:
            merged.append(list(part))
    return [part for whole in merged for part in _without_strange_ends(tuple(whole), weights)]


def are_likely(part: Sequence[Repetition], shift: float = 0.0) -> bool:
    """Return whether the repetitions of a set are likely together.

    A set to which a repetition was added by hand is certain, and so is a long one. `shift` is what was learned of this
    person's log-odds.
    """
    log_odds = [repetition.counting_log_odds for repetition in part]
    known = [value for value in log_odds if value is not None]
    if len(known) < len(part) or len(part) > LONGEST_UNLIKELY:
        return True
    return not part or math.fsum(known) / len(known) + shift >= LEAST_MEAN_LOG_ODDS


def went_away(between: MotionSignals, turn_bias_rad_s: float, others: Iterable[tuple[float, float]]) -> bool:
    """Return whether the person walked or turned away between two repetitions, which ends a set however short it was.

    Bends to fetch, carry and put down weights follow each other within seconds, too, but with steps between them.

    Parameters
    ----------
    between : MotionSignals
        From the end of a repetition to the start of the next one.
    turn_bias_rad_s : float
        Rate about the vertical that the gyroscope reads without a turn; cheap ones up to 20°/s.
    others : iterable of (float, float)
        Start and end of other movements, which are no steps: a squat that does not count shakes the hip as much.
    """
    steps = steps_in(STEPS_S)
    if len(between) < steps:
        return False
    if abs(float((between.turn_rate_rad_s - turn_bias_rad_s).sum())) * STEP_S > TURNED_RAD:
        return True
    acceleration_m_s2 = sliding_window_view(between.vertical_m_s2 - STANDARD_GRAVITY_M_S2, steps)
    size_m_s2 = np.abs(acceleration_m_s2).mean(axis=1)
    walks = size_m_s2 > STEPS_M_S2
    if not walks.any():
        return False
    velocity_m_s = (acceleration_m_s2 - acceleration_m_s2.mean(axis=1, keepdims=True)).cumsum(axis=1) * STEP_S
    walks &= size_m_s2 > 2.0 * STEPS_HZ * np.ptp(velocity_m_s, axis=1)  # of a sine: twice its frequency
    first_s, last_s = between.time_s[: len(walks)], between.time_s[steps - 1 :]
    for start_s, end_s in others:
        walks &= (last_s < start_s) | (first_s > end_s)
    return bool(walks.any())


def _differ(before: Sequence[Repetition], after: Sequence[Repetition]) -> bool:
    """Return whether a set ends between two stretches: the neighbours differ, and so do the middles of both."""
    return difference(before[-1:], after[:1]) > MOST_APART and difference(before, after) > MOST_APART


def ends_of(part: Sequence[Repetition]) -> tuple[Array, Array]:
    """Return the evidence (len(BELONGING),) that the first, and that the last, of at least three belongs to them."""
    pauses_s = [max(0.0, later.start_s - one.end_s) for one, later in pairwise(part)]
    usual_pause_s = float(np.median(pauses_s[1:-1] or pauses_s))
    return (
        _belonging_evidence(part[0], part[1:], pauses_s[0], usual_pause_s),
        _belonging_evidence(part[-1], part[:-1], pauses_s[-1], usual_pause_s),
    )


def _without_strange_ends(part: tuple[Repetition, ...], weights: BelongingWeights) -> list[tuple[Repetition, ...]]:
    """Return a set and, apart from it, at most two repetitions at its ends that do not belong to it."""
    first, last = 0, len(part)
    for _ in range(2):
        if last - first <= TELLING:
            break
        at_start, at_end = (weights.log_odds(end, x) for end, x in enumerate(ends_of(part[first:last])))
        if min(at_start, at_end) >= 0.0:
            break
        if at_start <= at_end:
            first += 1
        else:
            last -= 1
    alone = [(repetition,) for repetition in part]
    return [*alone[:first], part[first:last], *alone[last:]]


def _belonging_evidence(one: Repetition, others: Sequence[Repetition], pause_s: float, usual_pause_s: float) -> Array:
    """Return how a repetition at an end of a set stands to the others, ``(len(BELONGING),)``.

    For each quantity the logarithm of how far it is below, and above, the middle of the others, in deviations of these
    (1.48 median absolute deviations, as in Leys et al. 2013, doi 10.1016/j.jesp.2013.03.013).
    """
    evidence = [one.counting_log_odds or 0.0, math.log((pause_s + 0.5) / (usual_pause_s + 0.5))]
    own, *known = np.array([[figure(each) for figure, _ in _LOOKED_AT.values()] for each in (one, *others)])
    middle, usual_deviation = np.median(known, axis=0), np.array([usual for _, usual in _LOOKED_AT.values()])
    deviation = 1.48 * np.median(np.abs(known - middle), axis=0) + usual_deviation
    for distance in ((own - middle) / deviation).tolist():
        evidence += [math.log1p(min(max(way * distance, 0.0), FAR)) for way in (-1, 1)]
    return np.array(evidence)
