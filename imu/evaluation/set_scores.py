"""Scores of whole sessions against their exact truth: what was counted, when, and how well it was measured.

Pure: counts and truth in, figures out. A counted repetition is a true one if they overlap by more than half of the
shorter one; each is used once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from imu.evaluation.counters import Counted, CountedSets
from imu.evaluation.trial_scores import ConfidenceBin, calibration, share
from imu.simulate import RepetitionTruth, SessionTruth, SetTruth

LEAST_OVERLAP = 0.5
"""Share of the shorter repetition beyond which two are the same one."""


@dataclass(frozen=True, slots=True)
class Match:
    """A true repetition and the counted one that is it."""

    truth: RepetitionTruth
    counted: Counted


@dataclass(frozen=True, slots=True)
class SessionScore:
    """One session: what was counted in it, against its truth.

    Attributes
    ----------
    duration_s : float
        Length of the recording.
    matches : tuple of Match
        Repetitions that were counted.
    missed : tuple of RepetitionTruth
        Repetitions that were not.
    false : tuple of str
        What happened while a repetition was counted that is none: the daily movement, ``part of a repetition`` or
        ``standing``.
    sets : tuple of (str, bool)
        Variant of each true set, and whether it is exact: one counted set overlaps it, with as many
        repetitions.
    daily : tuple of str
        The daily movements that happened.
    """

    duration_s: float
    matches: tuple[Match, ...]
    missed: tuple[RepetitionTruth, ...]
    false: tuple[str, ...]
    sets: tuple[tuple[str, bool], ...]
    daily: tuple[str, ...]


def score_session(counted_sets: CountedSets, truth: SessionTruth) -> SessionScore:
    """Return the score of one session."""
    counted = counted_sets.repetitions
    pairs = match(truth.reps, counted)
    unmatched = set(range(len(counted))) - set(pairs.values())
    return SessionScore(
        duration_s=counted_sets.duration_s,
        matches=tuple(Match(truth.reps[i], counted[j]) for i, j in sorted(pairs.items())),
        missed=tuple(repetition for i, repetition in enumerate(truth.reps) if i not in pairs),
        false=tuple(_what_happened(counted[j], truth) for j in sorted(unmatched)),
        sets=tuple((one_set.name, is_exact(one_set, counted_sets.sets)) for one_set in truth.sets),
        daily=tuple(daily.name for daily in truth.daily),
    )


def match(true: Sequence[RepetitionTruth], counted: Sequence[Counted]) -> dict[int, int]:
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


def is_exact(true: SetTruth, counted: Iterable[Sequence[Counted]]) -> bool:
    """Whether exactly one counted set overlaps a true one and has as many repetitions."""
    start_s, end_s = true.reps[0].start_s, true.reps[-1].end_s
    sizes = [len(one_set) for one_set in counted if one_set[0].start_s < end_s and one_set[-1].end_s > start_s]
    return sizes == [len(true.reps)]


def _what_happened(counted: Counted, truth: SessionTruth) -> str:
    """Return what really happened for the longest part of a false repetition."""
    common_s = {"standing": 0.0}
    happened = [("part of a repetition", r.start_s, r.end_s) for r in truth.reps]
    happened += [(daily.name, daily.start_s, daily.end_s) for daily in truth.daily]
    for name, start_s, end_s in happened:
        longest_s = max(common_s.get(name, 0.0), min(end_s, counted.end_s) - max(start_s, counted.start_s))
        if longest_s > 0:
            common_s[name] = longest_s
    return max(common_s, key=lambda name: common_s[name])


@dataclass(frozen=True, slots=True)
class ErrorFigures:
    """Counted minus true, over the matched repetitions. None: nothing was measured."""

    bias: float | None
    rmse: float | None

    @classmethod
    def of(cls, matches: Iterable[Match], error: Callable[[Match], float | None]) -> ErrorFigures:
        """Return bias and root mean square of `error`."""
        errors = [value for one in matches if (value := error(one)) is not None]
        if not errors:
            return cls(None, None)
        return cls(math.fsum(errors) / len(errors), math.sqrt(math.fsum(e * e for e in errors) / len(errors)))


def _minus(measured: float | None, true: float, scale: float = 1.0) -> float | None:
    return None if measured is None else scale * (measured - true)


ERRORS: dict[str, Callable[[Match], float | None]] = {
    "start_s": lambda m: m.counted.start_s - m.truth.start_s,
    "bottom_s": lambda m: m.counted.bottom_s - m.truth.bottom_s,
    "end_s": lambda m: m.counted.end_s - m.truth.end_s,
    "peak_angle_deg": lambda m: _minus(m.counted.trunk_angle_rad, m.truth.trunk_angle_rad, math.degrees(1)),
    "hip_drop_cm": lambda m: _minus(m.counted.hip_drop_m, m.truth.hip_drop_m, 100),
    "sensor_drop_cm": lambda m: _minus(m.counted.hip_drop_m, m.truth.sensor_drop_m, 100),
    "mean_velocity_m_s": lambda m: _minus(m.counted.mean_concentric_velocity_m_s, m.truth.mean_concentric_velocity_m_s),
    "peak_velocity_m_s": lambda m: _minus(m.counted.peak_concentric_velocity_m_s, m.truth.peak_concentric_velocity_m_s),
}
"""What is compared: the drop with that of the hip joint and with the sensor's own, velocities with the sensor's."""


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """Everything about some sessions, or about one variant in them. Shares are None where there is nothing to share.

    Attributes
    ----------
    repetitions, matched, false : int
        True ones; those of them that were counted; counted ones that are none (None for one variant: it has no owner).
    right, uncertain : float or None
        Share of the matched ones with the right pattern, and with none.
    sets_exact : float or None
        Share of the true sets that are exact.
    delay_median_s, delay_p95_s : float or None
        From the true end to the announcement.
    errors : dict of str to ErrorFigures
        For each of `ERRORS`.
    """

    repetitions: int
    matched: int
    false: int | None
    precision: float | None
    recall: float | None
    f1: float | None
    right: float | None
    uncertain: float | None
    sets: int
    sets_exact: float | None
    delay_median_s: float | None
    delay_p95_s: float | None
    errors: dict[str, ErrorFigures]

    @classmethod
    def of(cls, scores: Iterable[SessionScore], variant: str | None = None) -> SessionFigures:
        """Return the figures of `scores`, of one `variant` or of all."""
        scores = list(scores)
        matches = [m for s in scores for m in s.matches if variant in (None, m.truth.variant)]
        missed = sum(variant in (None, truth.variant) for s in scores for truth in s.missed)
        sets = [exact for s in scores for name, exact in s.sets if variant in (None, name)]
        false = sum(len(s.false) for s in scores)
        total = len(matches) + missed
        delays_s = [m.counted.confirmed_s - m.truth.end_s for m in matches if m.counted.confirmed_s is not None]
        is_all = variant is None
        return cls(
            repetitions=total,
            matched=len(matches),
            false=false if is_all else None,
            precision=len(matches) / (len(matches) + false) if is_all and len(matches) + false else None,
            recall=len(matches) / total if total else None,
            f1=2 * len(matches) / (total + len(matches) + false) if is_all and total else None,
            right=share(m.counted.pattern == m.truth.pattern for m in matches),
            uncertain=share(m.counted.pattern == "uncertain" for m in matches),
            sets=len(sets),
            sets_exact=share(sets),
            delay_median_s=float(np.median(delays_s)) if delays_s else None,
            delay_p95_s=float(np.percentile(delays_s, 95)) if delays_s else None,
            errors={name: ErrorFigures.of(matches, error) for name, error in ERRORS.items()},
        )


@dataclass(frozen=True, slots=True)
class FalseFigures:
    """How often something happened that is no repetition (None: not counted), and how often it was counted as one."""

    times: int | None
    false: int


@dataclass(frozen=True, slots=True)
class SessionReport:
    """The figures of all sessions and of each variant, and what was counted falsely."""

    sessions: int
    hours: float
    all: SessionFigures
    by_variant: dict[str, SessionFigures]
    false_by_daily: dict[str, FalseFigures]
    calibration: tuple[ConfidenceBin, ...]


def report_sessions(scores: Sequence[SessionScore]) -> SessionReport:
    """Return the report on `scores`."""
    times = Counter(name for score in scores for name in score.daily)
    false = Counter(name for score in scores for name in score.false)
    return SessionReport(
        sessions=len(scores),
        hours=sum(score.duration_s for score in scores) / 3600,
        all=SessionFigures.of(scores),
        by_variant={
            name: SessionFigures.of(scores, name) for name in sorted({name for s in scores for name, _ in s.sets})
        },
        false_by_daily={name: FalseFigures(times.get(name), false[name]) for name in sorted({*times, *false})},
        calibration=calibration((m.counted, m.truth.pattern) for score in scores for m in score.matches),
    )
