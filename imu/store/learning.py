"""Corrected sessions -> two shifts that fit the counter to one person.

A person who corrects a session has looked at it: the corrections are answers, and so is everything left as it was. From
these answers follow the two shifts of :class:`imu.motion.personal.PersonalShift`. A shift is used only if it helps on
answers that it was not computed from: sets (for the pattern) and movements (for the counting) are dealt into five
folds, each fold is judged with the shift computed from the others, and there must be fewer errors than without a shift.
So a single answer teaches nothing, and answers that no shift can explain (clear ghosts, slips of the keyboard) change
nothing.

The shifts are computed from the corrections each time and never stored, so undoing a correction also undoes what it
taught.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from imu.motion.judge import JudgeParameters, PatternClassifier
from imu.motion.pattern import Pattern
from imu.motion.personal import PersonalShift, Witness, likeliest_shift
from imu.motion.repetitions import Repetition
from imu.session import LONE, TAKEN_BACK
from imu.store.corrected_session import CorrectedSession, apply_corrections
from imu.store.corrections import AddRepetition, ChangePattern, DeleteRepetition, kind_of
from imu.store.database import from_text, load_log, load_summary

T = TypeVar("T")

RECENT_SESSIONS = 30
"""Learn from the last 30 corrected sessions: people change, and learning before a training must be quick."""

FOLDS = 5
"""Number of folds of the cross-validation: the usual one."""

# --- values ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnsweredSet:
    """The person's answers about one set.

    Attributes
    ----------
    repetitions : tuple of Repetition
        The measured repetitions.
    patterns : tuple of Pattern
        Their true patterns: squat or hinge.
    """

    repetitions: tuple[Repetition, ...]
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """The person's answers about one session.

    Attributes
    ----------
    movements : tuple of Witness
        Whether each movement was a repetition.
    sets : tuple of AnsweredSet
        The pattern of each repetition, set by set.
    """

    movements: tuple[Witness, ...]
    sets: tuple[AnsweredSet, ...]


@dataclass(frozen=True, slots=True)
class LearnedShift:
    """One of the two shifts, and the evidence for it.

    Attributes
    ----------
    shift : float
        Log-odds; 0 if nothing was learned.
    answers : int
        Number of answers that it was computed from: movements, or repetitions.
    wrong_before, wrong_after : int
        Number of answers that contradict the counter without a shift, and with the shift computed from the other folds.
    """

    shift: float = 0.0
    answers: int = 0
    wrong_before: int = 0
    wrong_after: int = 0


@dataclass(frozen=True, slots=True)
class Learning:
    """Both shifts of a person.

    Attributes
    ----------
    sessions : int
        Number of corrected sessions that they were computed from.
    counting, hinge : LearnedShift
        Whether a movement is a repetition, and whether a repetition is a hinge.
    """

    sessions: int = 0
    counting: LearnedShift = LearnedShift()
    hinge: LearnedShift = LearnedShift()

    @property
    def shift(self) -> PersonalShift:
        """The shifts for a training of this person."""
        return PersonalShift(self.counting.shift, self.hinge.shift)


@dataclass(frozen=True, slots=True)
class KnownOfPerson:
    """The learned shifts, and whether they are used.

    Attributes
    ----------
    learning : Learning
        The shifts.
    switched_on : bool
        Whether trainings use them.
    since : datetime or None
        Moment of the last reset, UTC: sessions corrected before it are left out.
    """

    learning: Learning = field(default_factory=Learning)
    switched_on: bool = True
    since: datetime | None = None

    @property
    def shift(self) -> PersonalShift:
        """The shifts that trainings use."""
        return self.learning.shift if self.switched_on else PersonalShift()


# --- from the store --------------------------------------------------------------------------------------------------

_ANSWERING = tuple(kind_of(kind) for kind in (AddRepetition, ChangePattern, DeleteRepetition))
"""Corrections that answer whether a movement was a repetition, or its pattern. Names and loads do not."""


def known_of_person(connection: sqlite3.Connection) -> KnownOfPerson:
    """Return the person's learned shifts, and whether they are used."""
    switched_on, since = connection.execute("SELECT switched_on, since FROM person").fetchone()
    lessons = [_lesson(connection, number) for number in _corrected_sessions(connection, since or "")]
    return KnownOfPerson(learn(lessons), bool(switched_on), None if since is None else from_text(since))


def forget(connection: sqlite3.Connection, until: str) -> None:
    """Leave out all corrections made until a moment."""
    connection.execute("UPDATE person SET since = ?", (until,))


def switch(connection: sqlite3.Connection, *, on: bool) -> None:
    """Switch the use of the shifts on or off."""
    connection.execute("UPDATE person SET switched_on = ?", (on,))


def _corrected_sessions(connection: sqlite3.Connection, since: str) -> list[int]:
    """Return the latest sessions that were corrected after a moment, or in which the person took a repetition back.

    A session with corrections from before that moment is left out: its earlier corrections would be used again.
    """
    marks = ", ".join("?" * len(_ANSWERING))
    rows = connection.execute(
        f"""
        SELECT id FROM session WHERE id IN (
            SELECT session_id FROM correction
            WHERE undone = 0 AND json_extract(what, '$.kind') IN ({marks})
            GROUP BY session_id HAVING min(made_at) > ?
            UNION
            SELECT session_id FROM rejected JOIN session ON session.id = session_id
            WHERE reason = ? AND saved_at > ?)
        ORDER BY trained_at DESC, id DESC LIMIT ?
        """,
        (*_ANSWERING, since, TAKEN_BACK, since, RECENT_SESSIONS),
    )
    return [number for (number,) in rows]


def _lesson(connection: sqlite3.Connection, number: int) -> Lesson:
    return lesson_of(apply_corrections(load_summary(connection, number), load_log(connection, number)))


# --- learning --------------------------------------------------------------------------------------------------------


def lesson_of(session: CorrectedSession) -> Lesson:
    """Return the answers in a corrected session.

    A lone repetition that was left as it was gives no answer: it may well have been one.
    """
    counted = [repetition for one_set in session.sets for repetition in one_set.repetitions]
    left = {id(movement) for movement in session.rejected}
    deleted = {id(repetition.measured) for repetition in session.deleted if repetition.measured is not None}
    restored = [
        movement
        for movement in session.measured.rejected
        if id(movement) not in left and id(movement.repetition) not in deleted
    ]
    yes = [
        repetition.measured.counting_log_odds
        for repetition in counted
        if repetition.measured is not None and not repetition.added
    ]
    yes += [movement.counting_log_odds for movement in restored]
    no = [repetition.measured.counting_log_odds for repetition in session.deleted if repetition.measured is not None]
    no += [movement.counting_log_odds for movement in session.rejected if movement.reason not in LONE]
    movements = [Witness(odds, answer=True) for odds in yes if odds is not None]
    movements += [Witness(odds, answer=False) for odds in no if odds is not None]
    sets = []
    for one_set in session.sets:
        answers = [
            (repetition.measured, repetition.pattern)
            for repetition in one_set.repetitions
            if repetition.measured is not None
            and repetition.measured.hinge_log_odds is not None
            and repetition.pattern in (Pattern.SQUAT, Pattern.HINGE)
        ]
        if answers:
            sets.append(AnsweredSet(*(tuple(each) for each in zip(*answers, strict=True))))
    return Lesson(tuple(movements), tuple(sets))


def learn(lessons: Sequence[Lesson], judge: JudgeParameters | None = None) -> Learning:
    """Return the shifts that the lessons of one person teach.

    Parameters
    ----------
    lessons : sequence of Lesson
        One for each corrected session.
    judge : JudgeParameters or None
        The counter's thresholds without a shift; ``None`` for the fitted ones.
    """
    judge = judge or JudgeParameters()
    threshold = math.log(judge.least_probability / (1.0 - judge.least_probability))

    def counting_errors(movement: Witness, shift: float) -> int:
        return int((movement.log_odds + shift >= threshold) is not movement.answer)

    def pattern_errors(one_set: AnsweredSet, shift: float) -> int:
        classifier = PatternClassifier(shift)
        patterns = [classifier.classify(repetition).pattern for repetition in one_set.repetitions]
        return sum(pattern is not true for pattern, true in zip(patterns, one_set.patterns, strict=True))

    def witnesses_of_set(one_set: AnsweredSet) -> list[Witness]:
        """Return the witnesses of a set. Repetitions of one pattern in it share a total weight of one."""
        return [
            Witness(repetition.hinge_log_odds or 0.0, pattern is Pattern.HINGE, 1.0 / one_set.patterns.count(pattern))
            for repetition, pattern in zip(one_set.repetitions, one_set.patterns, strict=True)
        ]

    movements = [movement for lesson in lessons for movement in lesson.movements]
    sets = [one_set for lesson in lessons for one_set in lesson.sets]
    return Learning(
        len(lessons),
        counting=_learned_shift(movements, lambda movement: [movement], counting_errors),
        hinge=_learned_shift(sets, witnesses_of_set, pattern_errors),
    )


def _learned_shift(
    items: Sequence[T], witnesses_of: Callable[[T], list[Witness]], errors: Callable[[T, float], int]
) -> LearnedShift:
    """Return the likeliest shift, if it helps on items that it was not computed from.

    Parameters
    ----------
    items : sequence
        Movements or sets.
    witnesses_of : callable
        The person's answers about one item.
    errors : callable
        Number of answers about an item that contradict the counter with a given shift.
    """
    witnesses_by_item = [witnesses_of(item) for item in items]
    witnesses = [witness for of_item in witnesses_by_item for witness in of_item]
    before = sum(errors(item, 0.0) for item in items)
    after = 0
    for fold in range(min(FOLDS, len(items)) if before else 0):
        others = (witness for i, of_item in enumerate(witnesses_by_item) if i % FOLDS != fold for witness in of_item)
        shift = likeliest_shift(others)
        after += sum(errors(item, shift) for item in items[fold::FOLDS])
    return LearnedShift(likeliest_shift(witnesses) if after < before else 0.0, len(witnesses), before, after)
