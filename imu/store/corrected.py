"""A session as it counts: what was measured, as it was, beside what the person says.

:mod:`imu.store.applying` makes it. This module refuses to know how corrections change anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from imu.motion.pattern import Pattern, pattern_of_set
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.session import SessionSummary, TrainingSet
from imu.store.corrections import Correction


@dataclass(frozen=True, slots=True)
class CorrectedRepetition:
    """One repetition as it counts.

    Attributes
    ----------
    start_s, end_s : float
        When, on the device clock.
    pattern : Pattern
        As corrected.
    measured : Repetition or None
        What was measured; ``None`` where the person added a repetition of which nothing was measured.
    added : bool
        Whether it counts only because the person says so.
    exercise, load_kg, note : str, float, str or None
        What the person entered for this repetition alone; see `CorrectedSet.exercise_of` and `CorrectedSet.load_kg_of`.
    """

    start_s: float
    end_s: float
    pattern: Pattern
    measured: Repetition | None
    added: bool = False
    exercise: str | None = None
    load_kg: float | None = None
    note: str | None = None

    @property
    def middle_s(self) -> float:
        """The turning point, where it is known."""
        return (self.start_s + self.end_s) / 2 if self.measured is None else self.measured.bottom_s

    @property
    def pattern_changed(self) -> bool:
        """Whether another pattern was measured."""
        return self.measured is not None and self.measured.pattern is not self.pattern

    @property
    def figures(self) -> Repetition | None:
        """The measured figures with the corrected pattern; ``None`` where nothing was measured."""
        return None if self.measured is None else replace(self.measured, pattern=self.pattern)


@dataclass(frozen=True, slots=True)
class CorrectedSet:
    """One set as it counts.

    Attributes
    ----------
    repetitions : tuple of CorrectedRepetition
        At least one.
    exercise, load_kg, note : str, float, str or None
        What the person entered for the set.
    """

    repetitions: tuple[CorrectedRepetition, ...]
    exercise: str | None = None
    load_kg: float | None = None
    note: str | None = None

    @property
    def start_s(self) -> float:
        """Start of the first repetition on the device clock."""
        return self.repetitions[0].start_s

    @property
    def end_s(self) -> float:
        """End of the last repetition on the device clock."""
        return self.repetitions[-1].end_s

    @property
    def middle_s(self) -> float:
        """Turning point of the middle repetition: the time at which corrections find the set."""
        return self.repetitions[len(self.repetitions) // 2].middle_s

    @property
    def pattern(self) -> Pattern:
        """The pattern of the set, by the rule for measured sets."""
        return pattern_of_set(repetition.pattern for repetition in self.repetitions)

    @property
    def measured(self) -> TrainingSet | None:
        """The repetitions of which there are figures, with their corrected patterns; ``None`` if there are none."""
        figures = tuple(one.figures for one in self.repetitions if one.figures is not None)
        return TrainingSet(figures) if figures else None

    def exercise_of(self, repetition: CorrectedRepetition) -> str | None:
        """Return the exercise of one of the repetitions: its own, else that of the set."""
        return self.exercise if repetition.exercise is None else repetition.exercise

    def load_kg_of(self, repetition: CorrectedRepetition) -> float | None:
        """Return the load of one of the repetitions: its own, else that of the set."""
        return self.load_kg if repetition.load_kg is None else repetition.load_kg


@dataclass(frozen=True, slots=True)
class LoggedCorrection:
    """One correction and what became of it.

    Attributes
    ----------
    correction : Correction
        What the person said.
    not_applied : str or None
        Why it changes nothing, in words; ``None`` where it does.
    """

    correction: Correction
    not_applied: str | None = None


@dataclass(frozen=True, slots=True)
class CorrectedSession:
    """One session as it counts.

    Attributes
    ----------
    measured : SessionSummary
        What was measured, as it was.
    sets : tuple of CorrectedSet
        In the order of time.
    rejected : tuple of RejectedMovement
        Movements that were not counted, without those that the person added.
    deleted : tuple of CorrectedRepetition
        What the person deleted.
    log : tuple of LoggedCorrection
        All corrections, in the order in which they were made.
    """

    measured: SessionSummary
    sets: tuple[CorrectedSet, ...]
    rejected: tuple[RejectedMovement, ...]
    deleted: tuple[CorrectedRepetition, ...] = ()
    log: tuple[LoggedCorrection, ...] = ()

    def count(self, pattern: Pattern) -> int:
        """Return the number of repetitions of `pattern` in all sets."""
        return sum(one.pattern is pattern for one_set in self.sets for one in one_set.repetitions)
