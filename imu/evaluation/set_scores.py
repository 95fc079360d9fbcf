"""Scores of recordings whose repetitions are known in time: the count, its delay, and the errors of measurement.

Pure: counts and truth in, figures out. A counted repetition is a true one if they overlap by more than half of the
shorter one; each is used once, the largest overlap first. Repetitions count if they belong to a set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from imu.evaluation.counters import Counted, CountedSets
from imu.evaluation.data_sets import TrueRepetition, TrueSet, Truth

LEAST_OVERLAP = 0.5
"""Share of the shorter repetition beyond which two are the same one."""
ON_TIME_S = 0.3
"""A repetition announced within this time after its end is on time."""
CONFIDENCE_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

Chosen = Callable[[TrueRepetition], bool]


class Timed(Protocol):
    """Anything with a start and an end."""

    @property
    def start_s(self) -> float:
        """When it began, s."""

    @property
    def end_s(self) -> float:
        """When it ended, s."""


@dataclass(frozen=True, slots=True)
class Match:
    """A true repetition and the counted one that is the same."""

    truth: TrueRepetition
    counted: Counted


@dataclass(frozen=True, slots=True)
class SetScore:
    """A true set and the counted sets in it.

    Attributes
    ----------
    truth : TrueSet
        The set as it was.
    sizes : tuple of int
        Repetitions of each counted set that overlaps it.
    first_on_time : bool or None
        Whether its first repetition was announced on time. None if the counter announces nothing or the time of the
        repetition is not known.
    """

    truth: TrueSet
    sizes: tuple[int, ...]
    first_on_time: bool | None

    @property
    def is_exact(self) -> bool:
        """Whether exactly one counted set overlaps the true one and has as many repetitions."""
        return self.sizes == (self.truth.size,)

    @property
    def is_within_one(self) -> bool:
        """Whether all counted sets in it have as many repetitions together, or one more or less."""
        return abs(sum(self.sizes) - self.truth.size) <= 1


@dataclass(frozen=True, slots=True)
class SessionScore:
    """One recording: its counted repetitions against its truth.

    Attributes
    ----------
    duration_s : float
        Length of the recording.
    matches : tuple of Match
        Repetitions that were counted.
    missed : tuple of TrueRepetition
        Repetitions that were not.
    false : tuple of str
        What happened while a repetition was counted that is not real: the daily movement, ``part of a repetition`` or
        ``standing``.
    sets : tuple of SetScore
        The true sets.
    daily : tuple of str
        The daily movements that happened.
    """

    duration_s: float
    matches: tuple[Match, ...]
    missed: tuple[TrueRepetition, ...]
    false: tuple[str, ...]
    sets: tuple[SetScore, ...]
    daily: tuple[str, ...]


def score_session(counted_sets: CountedSets, truth: Truth) -> SessionScore:
    """Return the score of one recording."""
    true, counted = truth.repetitions, counted_sets.repetitions
    pairs = match(true, counted)
    matches = {true[i]: counted[j] for i, j in sorted(pairs.items())}
    are_timed = all(one_set.repetitions for one_set in truth.sets)  # else a repetition without a match may be real
    unmatched = sorted(set(range(len(counted))) - set(pairs.values())) if are_timed else []
    announces = any(repetition.confirmed_s is not None for repetition in counted_sets.announced)
    return SessionScore(
        duration_s=counted_sets.duration_s,
        matches=tuple(Match(*pair) for pair in matches.items()),
        missed=tuple(repetition for repetition in true if repetition not in matches),
        false=tuple(_what_happened(counted[j], truth) for j in unmatched),
        sets=tuple(
            SetScore(
                one_set,
                tuple(
                    len(s) for s in counted_sets.sets if s[0].start_s < one_set.end_s and s[-1].end_s > one_set.start_s
                ),
                _is_on_time(one_set.repetitions[0], matches) if announces and one_set.repetitions else None,
            )
            for one_set in truth.sets
        ),
        daily=tuple(daily.name for daily in truth.daily),
    )


def match(true: Sequence[Timed], counted: Sequence[Timed]) -> dict[int, int]:
    """Return which true repetition (index) is which counted one, largest overlap first."""
    overlaps = []
    for i, one in enumerate(true):
        for j, other in enumerate(counted):
            common_s = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
            if common_s > LEAST_OVERLAP * min(one.end_s - one.start_s, other.end_s - other.start_s):
                overlaps.append((-common_s, i, j))
    pairs: dict[int, int] = {}
    used: set[int] = set()
    for _, i, j in sorted(overlaps):
        if i not in pairs and j not in used:
            pairs[i] = j
            used.add(j)
    return pairs


def _is_on_time(repetition: TrueRepetition, matches: dict[TrueRepetition, Counted]) -> bool:
    counted = matches.get(repetition)
    return (
        counted is not None and counted.confirmed_s is not None and counted.confirmed_s - repetition.end_s <= ON_TIME_S
    )


def _what_happened(counted: Counted, truth: Truth) -> str:
    """Return what really happened for the longest part of a false repetition."""
    common_s = {"standing": 0.0}
    happened = [("part of a repetition", r.start_s, r.end_s) for r in truth.repetitions]
    happened += [(daily.name, daily.start_s, daily.end_s) for daily in truth.daily]
    for name, start_s, end_s in happened:
        longest_s = max(common_s.get(name, 0.0), min(end_s, counted.end_s) - max(start_s, counted.start_s))
        if longest_s > 0:
            common_s[name] = longest_s
    return max(common_s, key=lambda name: common_s[name])


@dataclass(frozen=True, slots=True)
class ErrorFigures:
    """Counted minus true over the matched repetitions, and the 95th percentile of its size. None: not measured."""

    bias: float | None
    rmse: float | None
    p95: float | None

    @classmethod
    def of(cls, matches: Iterable[Match], counted: str, true: str, scale: float) -> ErrorFigures:
        """Return the figures of the error of the field `counted` against the field `true`."""
        pairs = [(getattr(m.counted, counted), getattr(m.truth, true)) for m in matches]
        errors = np.array([scale * (a - b) for a, b in pairs if a is not None and b is not None])
        if not len(errors):
            return cls(None, None, None)
        rmse = math.sqrt(float(np.mean(errors**2)))
        return cls(float(np.mean(errors)), rmse, float(np.percentile(np.abs(errors), 95)))


ERRORS: dict[str, tuple[str, str, float]] = {
    "start_s": ("start_s", "start_s", 1),
    "bottom_s": ("bottom_s", "bottom_s", 1),
    "end_s": ("end_s", "end_s", 1),
    "peak_angle_deg": ("trunk_angle_rad", "trunk_angle_rad", math.degrees(1)),
    "hip_drop_cm": ("hip_drop_m", "hip_drop_m", 100),
    "sensor_drop_cm": ("hip_drop_m", "sensor_drop_m", 100),
    "eccentric_s": ("eccentric_s", "eccentric_s", 1),
    "pause_s": ("pause_s", "pause_s", 1),
    "concentric_s": ("concentric_s", "concentric_s", 1),
    "mean_velocity_m_s": ("mean_concentric_velocity_m_s", "hip_mean_concentric_velocity_m_s", 1),
    "peak_velocity_m_s": ("peak_concentric_velocity_m_s", "hip_peak_concentric_velocity_m_s", 1),
}
"""The quantities compared: the counted field, the true field, and the factor to the unit in the name.

The drop is compared with that of the hip joint and with that of the sensor, the velocities with those of the hip joint.
"""


@dataclass(frozen=True, slots=True)
class SetFigures:
    """Everything about some recordings of sets, or about some of their repetitions. None: nothing to divide by.

    Attributes
    ----------
    sets : int
        True sets.
    exact, within_one : float or None
        Share of the sets that are exact, and that are counted with at most one repetition too many or too few.
    repetitions, counted : int
        True ones, and those in counted sets that overlap a true set.
    matched, missed : int
        Repetitions of known time that were counted, and that were not.
    false : int or None
        Counted repetitions that are not real. They belong to no exercise, so None for some of the repetitions.
    right, uncertain : float or None
        Share of the matched ones whose pattern is right, and undecided.
    right_of_all : float or None
        Share of all repetitions of known time that were counted with the right pattern.
    delay_median_s, delay_p95_s : float or None
        From the true end to the announcement.
    first_on_time : float or None
        Share of the sets whose first repetition was announced on time.
    errors : dict of str to ErrorFigures
        For each of `ERRORS`.
    """

    sets: int
    exact: float | None
    within_one: float | None
    repetitions: int
    counted: int
    matched: int
    missed: int
    recall: float | None
    false: int | None
    false_per_hour: float | None
    precision: float | None
    f1: float | None
    right: float | None
    right_of_all: float | None
    uncertain: float | None
    delay_median_s: float | None
    delay_p95_s: float | None
    first_on_time: float | None
    errors: dict[str, ErrorFigures]

    @classmethod
    def of(cls, scores: Iterable[SessionScore], chosen: Chosen | None = None) -> SetFigures:
        """Return the figures of `scores`, of all repetitions or of those `chosen` and the sets that hold one."""
        scores = list(scores)
        matches = [m for s in scores for m in s.matches if chosen is None or chosen(m.truth)]
        missed = sum(chosen is None or chosen(repetition) for s in scores for repetition in s.missed)
        sets = [
            one_set
            for s in scores
            for one_set in s.sets
            if chosen is None or any(map(chosen, one_set.truth.repetitions))
        ]
        false = sum(len(s.false) for s in scores)
        hours = sum(s.duration_s for s in scores) / 3600
        total, is_all = len(matches) + missed, chosen is None
        delays_s = [m.counted.confirmed_s - m.truth.end_s for m in matches if m.counted.confirmed_s is not None]
        right = sum(m.counted.pattern == m.truth.pattern for m in matches)
        return cls(
            sets=len(sets),
            exact=share(one_set.is_exact for one_set in sets),
            within_one=share(one_set.is_within_one for one_set in sets),
            repetitions=sum(one_set.truth.size for one_set in sets),
            counted=sum(sum(one_set.sizes) for one_set in sets),
            matched=len(matches),
            missed=missed,
            recall=_ratio(len(matches), total),
            false=false if is_all else None,
            false_per_hour=_ratio(false, hours) if is_all else None,
            precision=_ratio(len(matches), len(matches) + false) if is_all else None,
            f1=_ratio(2 * len(matches), total + len(matches) + false) if is_all and total else None,
            right=_ratio(right, len(matches)),
            right_of_all=_ratio(right, total),
            uncertain=share(m.counted.pattern == "uncertain" for m in matches),
            delay_median_s=float(np.median(delays_s)) if delays_s else None,
            delay_p95_s=float(np.percentile(delays_s, 95)) if delays_s else None,
            first_on_time=share(one_set.first_on_time for one_set in sets if one_set.first_on_time is not None),
            errors={name: ErrorFigures.of(matches, *fields) for name, fields in ERRORS.items()},
        )


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Repetitions whose confidence is in ``[lower, upper)``, of the last bin up to 1, and how many are right."""

    lower: float
    upper: float
    repetitions: int
    mean_confidence: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """Stated confidence against the share of right patterns.

    Attributes
    ----------
    bins : tuple of ConfidenceBin
        From the lowest to the highest confidence.
    expected_calibration_error : float or None
        Mean over the repetitions of the difference between both in their bin (Naeini et al. 2015, AAAI). None if no
        repetition has a confidence.
    """

    bins: tuple[ConfidenceBin, ...]
    expected_calibration_error: float | None

    @classmethod
    def of(cls, pairs: Iterable[tuple[Counted, str]]) -> Reliability:
        """Return the reliability of counted repetitions, each with its true pattern.

        Uncertain ones and those without a confidence are left out.
        """
        known = [
            (repetition.confidence, repetition.pattern == pattern)
            for repetition, pattern in pairs
            if repetition.confidence is not None and repetition.pattern != "uncertain"
        ]
        bins, difference = [], 0.0
        for lower, upper in pairwise(CONFIDENCE_EDGES):
            is_last = upper == CONFIDENCE_EDGES[-1]
            inside = [(c, right) for c, right in known if lower <= c and (c < upper or is_last)]
            mean, right = _ratio(math.fsum(c for c, _ in inside), len(inside)), share(right for _, right in inside)
            if mean is not None and right is not None:
                difference += len(inside) * abs(mean - right)
            bins.append(ConfidenceBin(lower, upper, len(inside), mean, right))
        return cls(tuple(bins), _ratio(difference, sum(one.repetitions for one in bins)))


def share(answers: Iterable[bool]) -> float | None:
    """Return the share of true answers, None without answers."""
    answered = list(answers)
    return _ratio(sum(answered), len(answered))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
