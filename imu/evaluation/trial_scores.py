"""Scores of labelled single-activity trials: what was counted against what the label says.

Pure: counts and labels in, figures out. A repetition trial is right or it is not; there is no credit for a count that
is off by one, nor for a pattern told of a trial that was not counted exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from imu.evaluation.counters import Counted

MOVING = ("walk", "jog", "stairs", "jump", "stumble")
"""Activities, by the start of their name, whose ghosts are given per hour: they go on."""
SEATED = ("chair", "car", "lie")
"""Activities whose ghosts are given per trial: each is one sitting down and standing up, close to a paused squat."""
CONFIDENCE_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class TrialScore:
    """One trial: its label and what was counted in it.

    Attributes
    ----------
    person, group, activity : str
        Who did what.
    pattern : str
        ``squat``, ``hinge``, or ``none`` for anything that is no repetition.
    repetitions : int
        How many there really are.
    duration_s : float
        Length of the trial.
    counted : tuple of Counted
        What was counted in it.
    """

    person: str
    group: str
    activity: str
    pattern: str
    repetitions: int
    duration_s: float
    counted: tuple[Counted, ...]

    @property
    def counted_once(self) -> bool:
        """Whether each repetition was counted exactly once, and nothing else."""
        return len(self.counted) == self.repetitions

    @property
    def outcome(self) -> str:
        """``right``, ``wrong`` or ``uncertain`` pattern; ``missed`` or ``too_many`` where the count is not exact."""
        if not self.counted_once:
            return "missed" if len(self.counted) < self.repetitions else "too_many"
        told = {repetition.pattern for repetition in self.counted}
        if told == {self.pattern}:
            return "right"
        return "uncertain" if told <= {self.pattern, "uncertain"} else "wrong"


@dataclass(frozen=True, slots=True)
class RepetitionFigures:
    """Shares of the repetition trials; the last five add up to 1. None: there are no such trials."""

    trials: int
    counted_once: float | None
    right: float | None
    wrong: float | None
    uncertain: float | None
    missed: float | None
    too_many: float | None

    @classmethod
    def of(cls, trials: Iterable[TrialScore]) -> RepetitionFigures:
        """Return the figures of the repetition trials among `trials`."""
        chosen = [trial for trial in trials if trial.pattern != "none"]
        outcomes = [trial.outcome for trial in chosen]
        return cls(
            trials=len(chosen),
            counted_once=share(trial.counted_once for trial in chosen),
            right=share(outcome == "right" for outcome in outcomes),
            wrong=share(outcome == "wrong" for outcome in outcomes),
            uncertain=share(outcome == "uncertain" for outcome in outcomes),
            missed=share(outcome == "missed" for outcome in outcomes),
            too_many=share(outcome == "too_many" for outcome in outcomes),
        )


@dataclass(frozen=True, slots=True)
class GhostFigures:
    """Repetitions counted where there are none. None: there are no such trials."""

    trials: int
    hours: float
    ghosts: int
    ghosts_per_hour: float | None
    ghosts_per_trial: float | None

    @classmethod
    def of(cls, trials: Iterable[TrialScore]) -> GhostFigures:
        """Return the figures of the trials without repetitions among `trials`."""
        chosen = [trial for trial in trials if trial.pattern == "none"]
        hours = sum(trial.duration_s for trial in chosen) / 3600
        ghosts = sum(len(trial.counted) for trial in chosen)
        return cls(
            trials=len(chosen),
            hours=hours,
            ghosts=ghosts,
            ghosts_per_hour=ghosts / hours if hours else None,
            ghosts_per_trial=ghosts / len(chosen) if chosen else None,
        )


@dataclass(frozen=True, slots=True)
class TrialFigures:
    """Everything about some trials: those of an activity, of a group, of a person, or all."""

    repetitions: RepetitionFigures
    moving: GhostFigures
    seated: GhostFigures
    other: GhostFigures
    """Activities that are neither, for example those of another data set."""

    @classmethod
    def of(cls, trials: Sequence[TrialScore]) -> TrialFigures:
        """Return the figures of `trials`."""
        return cls(
            RepetitionFigures.of(trials),
            GhostFigures.of(trial for trial in trials if trial.activity.startswith(MOVING)),
            GhostFigures.of(trial for trial in trials if trial.activity.startswith(SEATED)),
            GhostFigures.of(trial for trial in trials if not trial.activity.startswith(MOVING + SEATED)),
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
class TrialReport:
    """The figures of all trials, and of each activity, group and person."""

    all: TrialFigures
    by_activity: dict[str, TrialFigures]
    by_group: dict[str, TrialFigures]
    by_person: dict[str, TrialFigures]
    calibration: tuple[ConfidenceBin, ...]
    """Of the repetitions counted in repetition trials."""


def report_trials(trials: Sequence[TrialScore]) -> TrialReport:
    """Return the report on `trials`."""

    def by(name: str) -> dict[str, TrialFigures]:
        values = sorted({getattr(trial, name) for trial in trials})
        return {
            value: TrialFigures.of([trial for trial in trials if getattr(trial, name) == value]) for value in values
        }

    told = ((repetition, trial.pattern) for trial in trials if trial.pattern != "none" for repetition in trial.counted)
    return TrialReport(TrialFigures.of(trials), by("activity"), by("group"), by("person"), calibration(told))


def calibration(told: Iterable[tuple[Counted, str]]) -> tuple[ConfidenceBin, ...]:
    """Return, for each bin of confidence, the share of repetitions whose pattern is right.

    Parameters
    ----------
    told : iterable of (Counted, str)
        Repetitions and their true pattern. Uncertain ones and those without a confidence say nothing and are left out.
    """
    known = [
        (repetition.confidence, repetition.pattern == pattern)
        for repetition, pattern in told
        if repetition.confidence is not None and repetition.pattern != "uncertain"
    ]
    bins = []
    for lower, upper in pairwise(CONFIDENCE_EDGES):
        is_last = upper == CONFIDENCE_EDGES[-1]
        inside = [(c, right) for c, right in known if lower <= c and (c < upper or is_last)]
        mean = sum(c for c, _ in inside) / len(inside) if inside else None
        bins.append(ConfidenceBin(lower, upper, len(inside), mean, share(right for _, right in inside)))
    return tuple(bins)


def share(answers: Iterable[bool]) -> float | None:
    """Return the share of true answers, None if there are none."""
    answered = list(answers)
    return sum(answered) / len(answered) if answered else None
