"""Sessions that the person corrected -> what the program learns of this person.

Who corrects a session has looked at it: what was corrected is the person's answer, and so is what was left as it was.
From these answers follow the two shifts of :class:`imu.motion.personal.PersonalShift`. Each is taken only if it
would have helped: every session is judged once more with the shift that the *other* sessions give, and what is then wrong
must be less than without. So one session alone teaches nothing yet, and answers that no shift can do justice to (clear
ghosts, slips) change nothing.

This module refuses to know where sessions are kept and who the person is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from imu.motion.pattern import Pattern, PatternTeller
from imu.motion.personal import PersonalShift, Witness, likeliest_shift
from imu.motion.repetitions import JudgeParameters, Repetition
from imu.session import ALONE
from imu.store.corrected import CorrectedSession

RECENT_SESSIONS = 30
"""The last so many corrected sessions count: people change, and learning before a training should take no time."""

TOLD = (Pattern.SQUAT, Pattern.HINGE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One repetition that was announced, and the pattern that the person says it had.

    Attributes
    ----------
    repetition : Repetition
        As it was measured.
    pattern : Pattern or None
        Squat or hinge; ``None`` where the person says nothing of it.
    weight : float
        Its share of its set.
    """

    repetition: Repetition
    pattern: Pattern | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one corrected session teaches.

    Attributes
    ----------
    movements : tuple of Witness
        Whether each movement was a repetition.
    repetitions : tuple of Answer
        Everything that was announced, in the order of time.
    """

    movements: tuple[Witness, ...]
    repetitions: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Learnt:
    """One of the two shifts, and how it was arrived at.

    Attributes
    ----------
    shift : float
        Log-odds; 0 if nothing was learnt.
    answers : int
        How many of the person's answers it follows from.
    wrong_before, wrong_after : int
        How many of them were wrong without a shift, and with the one that the other sessions give.
    """

    shift: float
    answers: int
    wrong_before: int
    wrong_after: int


@dataclass(frozen=True, slots=True)
class Learning:
    """What was learnt of a person.

    Attributes
    ----------
    sessions : int
        Corrected sessions that it follows from.
    counting, hinge : Learnt
        Whether movements are repetitions, and whether repetitions are hinges.
    """

    sessions: int
    counting: Learnt
    hinge: Learnt

    @property
    def shift(self) -> PersonalShift:
        """What a training should be judged with."""
        return PersonalShift(self.counting.shift, self.hinge.shift)


def lesson_of(session: CorrectedSession) -> Lesson:
    """Return what a corrected session teaches."""
    counted = [one for one_set in session.sets for one in one_set.repetitions]
    standing = {id(movement) for movement in session.rejected}
    found = [movement for movement in session.measured.rejected if id(movement) not in standing]
    yes = [one.measured.counting_log_odds for one in counted if one.measured is not None and not one.added]
    yes += [movement.counting_log_odds for movement in found]
    no = [one.measured.counting_log_odds for one in session.deleted if one.measured is not None]
    no += [movement.counting_log_odds for movement in session.rejected if movement.reason != ALONE]
    movements = [Witness(odds, answer=True) for odds in yes if odds is not None]
    movements += [Witness(odds, answer=False) for odds in no if odds is not None]
    return Lesson(tuple(movements), _answers(session))


def _answers(session: CorrectedSession) -> tuple[Answer, ...]:
    answers: dict[int, Answer] = {}
    for one_set in session.sets:
        size = Counter(one.pattern for one in one_set.repetitions)
        for one in one_set.repetitions:
            if one.measured is not None and one.pattern in TOLD:
                answers[id(one.measured)] = Answer(one.measured, one.pattern, 1.0 / size[one.pattern])
    measured = session.measured
    announced = [one for one_set in measured.sets for one in one_set.repetitions]
    announced += [movement.repetition for movement in measured.rejected if movement.repetition is not None]
    announced.sort(key=lambda one: one.confirmed_s)
    return tuple(answers.get(id(one), Answer(one)) for one in announced)


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
    movements = [lesson.movements for lesson in lessons]
    patterns = [_pattern_witnesses(lesson, chosen) for lesson in lessons]
    return Learning(
        len(lessons),
        counting=_learnt(movements, lambda i, shift: _miscounted(movements[i], shift, chosen)),
        hinge=_learnt(patterns, lambda i, shift: _mistold(lessons[i], shift, chosen)),
    )


def _learnt(witnesses: Sequence[Sequence[Witness]], wrong: Callable[[int, float], int]) -> Learnt:
    """Return the shift that the sessions' witnesses ask for, if those of the other sessions would have helped each.

    Parameters
    ----------
    witnesses : sequence of sequence of Witness
        Those of each session.
    wrong : callable
        How many answers of a session, by its index, go against what is decided with a shift.
    """
    before = after = 0
    for left_out in range(len(witnesses)):
        others = (one for i, heard in enumerate(witnesses) if i != left_out for one in heard)
        before += wrong(left_out, 0.0)
        after += wrong(left_out, likeliest_shift(others))
    helps = after < before
    shift = likeliest_shift(one for heard in witnesses for one in heard) if helps else 0.0
    return Learnt(shift, sum(map(len, witnesses)), before, after)


def _miscounted(movements: Iterable[Witness], shift: float, judge: JudgeParameters) -> int:
    """Return how many movements are counted, or not, against what the person says."""
    threshold = math.log(judge.least_probability / (1.0 - judge.least_probability))
    return sum((one.log_odds + shift >= threshold) is not one.answer for one in movements)


def _pattern_witnesses(lesson: Lesson, judge: JudgeParameters) -> list[Witness]:
    teller = PatternTeller(judge.pattern)
    return [
        Witness(teller.own_log_odds(one.repetition), one.pattern is Pattern.HINGE, one.weight)
        for one in lesson.repetitions
        if one.pattern is not None
    ]


def _mistold(lesson: Lesson, shift: float, judge: JudgeParameters) -> int:
    """Return how many repetitions are told another pattern than the person says, or none."""
    teller = PatternTeller(judge.pattern, shift)
    told = [(teller.tell(one.repetition).pattern, one.pattern) for one in lesson.repetitions]
    return sum(right is not None and pattern is not right for pattern, right in told)
