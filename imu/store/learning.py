"""Sessions that the person corrected -> what the program learns of this person.

Who corrects a session has looked at it: what was corrected is the person's answer, and so is what was left as it was.
From these answers follow the two shifts of :class:`imu.motion.personal.PersonalShift`. Each is taken only if it helps
on what it does not follow from: sets (for the pattern) and movements (for the counting) are dealt into a few heaps,
each heap is judged with the shift that the others ask for, and less must be wrong than without. So a single answer
teaches nothing, and what no shift can do justice to (clear ghosts, slips of the keyboard) changes nothing.

This module refuses to know where sessions are kept and who the person is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from imu.motion.judge import JudgeParameters, PatternClassifier
from imu.motion.pattern import Pattern
from imu.motion.personal import PersonalShift, Witness, likeliest_shift
from imu.motion.repetitions import Repetition
from imu.session import ALONE
from imu.store.corrected import CorrectedSession

T = TypeVar("T")

RECENT_SESSIONS = 30
"""The last so many corrected sessions count: people change, and learning before a training should take no time."""

HEAPS = 5
"""Of what is learnt from, a fifth at a time is left out to see whether it helps: the usual number."""


@dataclass(frozen=True, slots=True)
class ToldSet:
    """What the person says of one set.

    Attributes
    ----------
    repetitions : tuple of Repetition
        As they were measured.
    patterns : tuple of Pattern
        What they were: squat or hinge.
    """

    repetitions: tuple[Repetition, ...]
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one corrected session teaches.

    Attributes
    ----------
    movements : tuple of Witness
        Whether each movement was a repetition.
    sets : tuple of ToldSet
        Of which pattern the repetitions of each set were.
    """

    movements: tuple[Witness, ...]
    sets: tuple[ToldSet, ...]


@dataclass(frozen=True, slots=True)
class Learnt:
    """One of the two shifts, and how it was arrived at.

    Attributes
    ----------
    shift : float
        Log-odds; 0 if nothing was learnt.
    answers : int
        How many of the person's answers it follows from: movements, or repetitions.
    wrong_before, wrong_after : int
        How many of them go against what is decided without a shift, and with the one that the other answers ask for.
    """

    shift: float = 0.0
    answers: int = 0
    wrong_before: int = 0
    wrong_after: int = 0


@dataclass(frozen=True, slots=True)
class Learning:
    """What was learnt of a person.

    Attributes
    ----------
    sessions : int
        Corrected sessions that it follows from.
    counting, hinge : Learnt
        Whether a movement is a repetition, and whether a repetition is a hinge.
    """

    sessions: int = 0
    counting: Learnt = Learnt()
    hinge: Learnt = Learnt()

    @property
    def shift(self) -> PersonalShift:
        """What a training of this person is judged with."""
        return PersonalShift(self.counting.shift, self.hinge.shift)


def lesson_of(session: CorrectedSession) -> Lesson:
    """Return what a corrected session teaches.

    A lone repetition that was left as it was says nothing: it may well have been one.
    """
    counted = [one for one_set in session.sets for one in one_set.repetitions]
    left = {id(movement) for movement in session.rejected}
    deleted = {id(one.measured) for one in session.deleted if one.measured is not None}
    found = [
        movement
        for movement in session.measured.rejected
        if id(movement) not in left and id(movement.repetition) not in deleted
    ]
    yes = [one.measured.counting_log_odds for one in counted if one.measured is not None and not one.added]
    yes += [movement.counting_log_odds for movement in found]
    no = [one.measured.counting_log_odds for one in session.deleted if one.measured is not None]
    no += [movement.counting_log_odds for movement in session.rejected if movement.reason != ALONE]
    movements = [Witness(odds, answer=True) for odds in yes if odds is not None]
    movements += [Witness(odds, answer=False) for odds in no if odds is not None]
    sets = []
    for one_set in session.sets:
        told = [
            (one.measured, one.pattern)
            for one in one_set.repetitions
            if one.measured is not None
            and one.measured.hinge_log_odds is not None
            and one.pattern in (Pattern.SQUAT, Pattern.HINGE)
        ]
        if told:
            sets.append(ToldSet(*(tuple(each) for each in zip(*told, strict=True))))
    return Lesson(tuple(movements), tuple(sets))


def learn(lessons: Sequence[Lesson], judge: JudgeParameters | None = None) -> Learning:
    """Return what the lessons of one person teach.

    Parameters
    ----------
    lessons : sequence of Lesson
        One for each corrected session.
    judge : JudgeParameters or None
        What decides before anything is learnt; ``None`` for the fitted one.
    """
    chosen = judge or JudgeParameters()
    threshold = math.log(chosen.least_probability / (1.0 - chosen.least_probability))

    def miscounted(movement: Witness, shift: float) -> int:
        return int((movement.log_odds + shift >= threshold) is not movement.answer)

    def mistold(one_set: ToldSet, shift: float) -> int:
        classifier = PatternClassifier(shift)
        told = [classifier.classify(repetition).pattern for repetition in one_set.repetitions]
        return sum(pattern is not right for pattern, right in zip(told, one_set.patterns, strict=True))

    def in_set(one_set: ToldSet) -> list[Witness]:
        """Return a set's witnesses; done alike, they are one together for each pattern."""
        return [
            Witness(repetition.hinge_log_odds or 0.0, pattern is Pattern.HINGE, 1.0 / one_set.patterns.count(pattern))
            for repetition, pattern in zip(one_set.repetitions, one_set.patterns, strict=True)
        ]

    return Learning(
        len(lessons),
        counting=_learnt([one for lesson in lessons for one in lesson.movements], lambda one: [one], miscounted),
        hinge=_learnt([one for lesson in lessons for one in lesson.sets], in_set, mistold),
    )


def _learnt(
    things: Sequence[T], witnesses_in: Callable[[T], list[Witness]], wrong: Callable[[T, float], int]
) -> Learnt:
    """Return the shift that some things ask for, if it helps on those left out.

    Parameters
    ----------
    things : sequence
        Movements or sets.
    witnesses_in : callable
        The person's answers about one.
    wrong : callable
        How many of them go against what is decided with a shift.
    """
    heard = [witnesses_in(one) for one in things]
    every = [one for witnesses in heard for one in witnesses]
    before = sum(wrong(one, 0.0) for one in things)
    after = 0
    for heap in range(min(HEAPS, len(things)) if before else 0):
        others = (one for i, witnesses in enumerate(heard) if i % HEAPS != heap for one in witnesses)
        shift = likeliest_shift(others)
        after += sum(wrong(one, shift) for one in things[heap::HEAPS])
    return Learnt(likeliest_shift(every) if after < before else 0.0, len(every), before, after)
