"""One person's answers to two questions about every movement (a repetition? a hinge?) -> two shifts.

People have habits that a fit on other people lacks: one leans in every squat, one bows while picking things up. Each
question is decided by log-odds, and a habit shows as log-odds that are too high or too low by about the same in all
that this person does. So one number is learned for each question, added to its log-odds: the threshold moves,
and the evidence for or against stays as it was.

The number is the likeliest one under a Gaussian prior around 0 (a logistic regression in which only the bias is
free), and it is bounded: a few slips of the keyboard change little, and no corrections at all turn a clear case.

The witnesses come from corrections (:mod:`imu.store.learning`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST_SHIFT = 1.0
"""Log-odds that a shift may reach either way: nearly three to one becomes even, and a clearer case stays as it was.
The repetitions of the sample recordings are clearer, all of them."""

PRIOR_SD = 1.5
"""Assumed spread of people, in log-odds: one set classified wrongly moves the threshold by half its bound."""


@dataclass(frozen=True, slots=True)
class PersonalShift:
    """The shift of a person's log-odds; zero for a person who has not corrected anything.

    Attributes
    ----------
    counting : float
        To those that a movement is a repetition.
    hinge : float
        To those that a repetition is a hinge.

    Raises
    ------
    ValueError
        If one is beyond `LARGEST_SHIFT`.
    """

    counting: float = 0.0
    hinge: float = 0.0

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not (abs(self.counting) <= LARGEST_SHIFT and abs(self.hinge) <= LARGEST_SHIFT):  # not a number: refused
            raise ValueError(f"a shift is at most {LARGEST_SHIFT} either way, got {self}")

    def __bool__(self) -> bool:
        """Return whether anything is shifted."""
        return self != PersonalShift()


@dataclass(frozen=True, slots=True)
class Witness:
    """One answer of the person, beside the program's decision.

    Attributes
    ----------
    log_odds : float
        Before any shift.
    answer : bool
        What the person says.
    weight : float
        Repetitions of one set are done alike and are one witness together: each has its share of 1.
    """

    log_odds: float
    answer: bool
    weight: float = 1.0


def likeliest_shift(witnesses: Iterable[Witness]) -> float:
    """Return the likeliest shift, within its bounds; 0 without witnesses.

    The slope of the log-posterior falls everywhere, so its root is found by bisection.
    """
    heard = list(witnesses)

    def slope(shift: float) -> float:
        return (
            math.fsum(
                one.weight * (one.answer - 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, one.log_odds + shift)))))
                for one in heard
            )
            - shift / PRIOR_SD**2
        )

    low, high = -LARGEST_SHIFT, LARGEST_SHIFT
    if slope(low) <= 0.0:
        return low
    if slope(high) >= 0.0:
        return high
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0.0 else (low, middle)
    return round((low + high) / 2, 2)
