"""Scores of labelled recordings, and the report on many of them.

Pure: counts and labels in, figures out. A single repetition is right or it is not; there is no credit for a count that
is off by one, nor for the pattern of a trial that was not counted exactly once. Lone movements count here, for they
are announced like any other; ghosts are given apart for lone movements and for sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imu.evaluation.counters import Counted, CountedSets
from imu.evaluation.data_sets import NONE, Trial
from imu.evaluation.set_scores import Chosen, Reliability, SessionScore, SetFigures, score_session, share

OUTCOMES = ("right", "wrong", "uncertain", "missed", "too_many")
"""Of a single repetition: its pattern if it was counted exactly once, else how it was counted."""
MOVING = ("walk", "jog", "stairs", "jump", "stumble", "hop")
"""Activities, by the start of their name, whose ghosts are given per hour: they go on."""
SEATED = ("chair", "car", "lie")
"""Activities whose ghosts are given per trial: each is one sitting down and standing up, close to a paused squat."""
TEMPO_S = (5.0, 10.0)
EXERCISE_GROUPS: dict[str, Chosen] = {
    "tempo squats of 5-10 s": lambda r: r.pattern == "squat" and TEMPO_S[0] <= r.end_s - r.start_s < TEMPO_S[1],
    "deadlifts from the floor": lambda r: "deadlift" in r.variant and "romanian" not in r.variant,
    "swings": lambda r: "swing" in r.variant,
}
"""Groups of simulated exercises with an aim of their own."""


@dataclass(frozen=True, slots=True)
class TrialScore:
    """One recording: its label and its counted movements.

    Attributes
    ----------
    trial : Trial
        Its label.
    duration_s : float
        Its length.
    counted : tuple of Counted
        The announced repetitions, lone movements included.
    session : SessionScore or None
        The score of the sets in it, if it has any.
    """

    trial: Trial
    duration_s: float
    counted: tuple[Counted, ...]
    session: SessionScore | None = None

    @property
    def is_single(self) -> bool:
        """Whether it holds one repetition."""
        return self.trial.truth is None and self.trial.pattern != NONE

    @property
    def is_daily_life(self) -> bool:
        """Whether it holds no repetition."""
        return self.trial.truth is None and self.trial.pattern == NONE

    @property
    def outcome(self) -> str:
        """One of `OUTCOMES`."""
        if len(self.counted) != 1:
            return "too_many" if self.counted else "missed"
        pattern = self.counted[0].pattern
        if pattern == self.trial.pattern:
            return "right"
        return "uncertain" if pattern == "uncertain" else "wrong"


def score_trial(trial: Trial, counted: CountedSets) -> TrialScore:
    """Return the score of one recording."""
    session = None if trial.truth is None else score_session(counted, trial.truth)
    return TrialScore(trial, counted.duration_s, counted.announced, session)


@dataclass(frozen=True, slots=True)
class SingleFigures:
    """Shares of the trials of one repetition; the last five add up to 1. None: there are no such trials."""

    trials: int
    recall: float | None
    """Counted once or more."""
    counted_once: float | None
    right: float | None
    wrong: float | None
    uncertain: float | None
    missed: float | None
    too_many: float | None

    @classmethod
    def of(cls, trials: Iterable[TrialScore]) -> SingleFigures:
        """Return the figures of the single repetitions among `trials`."""
        singles = [trial for trial in trials if trial.is_single]
        outcomes = [trial.outcome for trial in singles]
        return cls(
            trials=len(singles),
            recall=share(bool(trial.counted) for trial in singles),
            counted_once=share(len(trial.counted) == 1 for trial in singles),
            **{name: share(outcome == name for outcome in outcomes) for name in OUTCOMES},
        )


@dataclass(frozen=True, slots=True)
class GhostFigures:
    """Repetitions counted in trials without repetitions. None: there are no such trials."""

    trials: int
    hours: float
    lone: int
    in_sets: int
    lone_per_hour: float | None
    in_sets_per_hour: float | None
    per_hour: float | None
    per_trial: float | None

    @classmethod
    def of(cls, trials: Iterable[TrialScore], activities: tuple[str, ...] = ("",)) -> GhostFigures:
        """Return the figures of daily life in the trials whose activity starts with one of `activities`."""
        matching = [trial for trial in trials if trial.is_daily_life and trial.trial.activity.startswith(activities)]
        hours = sum(trial.duration_s for trial in matching) / 3600
        in_sets = sum(repetition.in_set for trial in matching for repetition in trial.counted)
        ghosts = sum(len(trial.counted) for trial in matching)
        return cls(
            trials=len(matching),
            hours=hours,
            lone=ghosts - in_sets,
            in_sets=in_sets,
            lone_per_hour=(ghosts - in_sets) / hours if hours else None,
            in_sets_per_hour=in_sets / hours if hours else None,
            per_hour=ghosts / hours if hours else None,
            per_trial=ghosts / len(matching) if matching else None,
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything about some recordings: those of an activity, of a group, of a person, or all."""

    singles: SingleFigures
    daily_life: GhostFigures
    moving: GhostFigures
    seated: GhostFigures
    sets: SetFigures

    @classmethod
    def of(cls, trials: Sequence[TrialScore], chosen: Chosen | None = None) -> Figures:
        """Return the figures of `trials`, of their sets perhaps for `chosen` repetitions only."""
        return cls(
            SingleFigures.of(trials),
            GhostFigures.of(trials),
            GhostFigures.of(trials, MOVING),
            GhostFigures.of(trials, SEATED),
            SetFigures.of((trial.session for trial in trials if trial.session), chosen),
        )


@dataclass(frozen=True, slots=True)
class FalseFigures:
    """How often a daily movement happened (None: not known), and how often it was counted as a repetition."""

    times: int | None
    false: int


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of many recordings.

    Attributes
    ----------
    recordings : int
        How many there are.
    hours : float
        How long they are together.
    all : Figures
        Of all of them.
    by : dict of str to dict of str to Figures
        By ``activity``, ``group`` and ``person``; without people by ``exercise`` and ``group of exercises``.
    false : dict of str to FalseFigures
        What really happened during false repetitions of simulated sessions.
    reliability : Reliability
        Of the repetitions that were counted and are real.
    """

    recordings: int
    hours: float
    all: Figures
    by: dict[str, dict[str, Figures]]
    false: dict[str, FalseFigures]
    reliability: Reliability


def report(trials: Sequence[TrialScore]) -> Report:
    """Return the report on `trials`."""
    sessions = [trial.session for trial in trials if trial.session]
    has_people = any(trial.trial.person for trial in trials)
    times = Counter(name for session in sessions for name in session.daily)
    false = Counter(name for session in sessions for name in session.false)
    pairs = [(trial.counted[0], trial.trial.pattern) for trial in trials if trial.is_single and len(trial.counted) == 1]
    pairs += [(m.counted, m.truth.pattern) for session in sessions for m in session.matches]
    return Report(
        recordings=len({trial.trial.path for trial in trials}),
        hours=sum(trial.duration_s for trial in trials) / 3600,
        all=Figures.of(trials),
        by=_by_label(trials) if has_people else _by_exercise(trials),
        false={name: FalseFigures(times.get(name), false[name]) for name in sorted({*times, *false})},
        reliability=Reliability.of(pairs),
    )


def _by_label(trials: Sequence[TrialScore]) -> dict[str, dict[str, Figures]]:
    by: dict[str, dict[str, Figures]] = {}
    for label in ("activity", "group", "person"):
        parts: dict[str, list[TrialScore]] = {}
        for trial in trials:
            parts.setdefault(getattr(trial.trial, label), []).append(trial)
        by[label] = {name: Figures.of(part) for name, part in sorted(parts.items())}
    return by


def _by_exercise(trials: Sequence[TrialScore]) -> dict[str, dict[str, Figures]]:
    true = [repetition for trial in trials if trial.trial.truth for repetition in trial.trial.truth.repetitions]

    def is_variant(name: str) -> Chosen:
        return lambda repetition: repetition.variant == name

    names = sorted({repetition.variant for repetition in true})
    groups = {name: chosen for name, chosen in EXERCISE_GROUPS.items() if any(map(chosen, true))}
    return {
        "exercise": {name: Figures.of(trials, is_variant(name)) for name in names},
        "group of exercises": {name: Figures.of(trials, chosen) for name, chosen in groups.items()},
    }
