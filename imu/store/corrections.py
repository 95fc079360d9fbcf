"""What a person can put right about a session, as values.

A correction names a time in the recording and never the number of a set or repetition: a better program may count the
same recording again, and the correction is then about what stands at that time. This module refuses to know whether
anything stands there (see :mod:`imu.store.corrected`) and where corrections are kept.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, get_args

from imu.errors import ImuError
from imu.motion.pattern import Pattern

LONGEST_REPETITION_S = 60.0
"""An added repetition lasts no longer; the slowest tempo squats take some 15 s. Longer is a slip of the keyboard."""
HEAVIEST_KG = 1000.0
"""No load is heavier; the heaviest deadlift so far was 0.5 t."""
LONGEST_EXERCISE = 80
"""Letters in the name of an exercise."""
LONGEST_NOTE = 2000
"""Letters in a note."""


class CorrectionRefused(ImuError):
    """A correction would change nothing; the sentence says why."""


class Scope(StrEnum):
    """What a correction is about."""

    REPETITION = "repetition"
    """The repetition at the time."""
    SET = "set"
    """The set at the time, with all its repetitions."""


@dataclass(frozen=True, slots=True)
class DeleteRepetition:
    """The repetition at `time_s` was none."""

    time_s: float

    def __post_init__(self) -> None:
        """Check the time."""
        _check_times(self.time_s)


@dataclass(frozen=True, slots=True)
class AddRepetition:
    """From `start_s` to `end_s` there was a repetition of `pattern`."""

    start_s: float
    end_s: float
    pattern: Pattern

    def __post_init__(self) -> None:
        """Check the times and the pattern.

        Raises
        ------
        ValueError
            If there can be no such repetition.
        """
        _check_times(self.start_s, self.end_s)
        _check_pattern(self.pattern)
        if not 0 < self.end_s - self.start_s <= LONGEST_REPETITION_S:
            raise ValueError(
                f"a repetition lasts more than 0 and up to {LONGEST_REPETITION_S:.0f} s, "
                f"not from {self.start_s} to {self.end_s}"
            )


@dataclass(frozen=True, slots=True)
class ChangePattern:
    """What was done at `time_s` was of `pattern`: one repetition, or all of a set."""

    time_s: float
    pattern: Pattern
    scope: Scope = Scope.REPETITION

    def __post_init__(self) -> None:
        """Check the time and the pattern."""
        _check_times(self.time_s)
        _check_pattern(self.pattern)


@dataclass(frozen=True, slots=True)
class SplitSet:
    """At `time_s` one set ended and another began; both keep name, load and note."""

    time_s: float

    def __post_init__(self) -> None:
        """Check the time."""
        _check_times(self.time_s)


@dataclass(frozen=True, slots=True)
class MergeSets:
    """The sets at `time_s` and at `later_s`, and those between, are one.

    What the person entered for a set stays with its repetitions: name and load of the first set that has any become
    those of all that have none; notes are joined.
    """

    time_s: float
    later_s: float

    def __post_init__(self) -> None:
        """Check the order of the times.

        Raises
        ------
        ValueError
            If `later_s` is not later.
        """
        _check_times(self.time_s, self.later_s)
        if not self.time_s < self.later_s:
            raise ValueError(f"sets are merged in the order of time, got {self.time_s} and {self.later_s}")


@dataclass(frozen=True, slots=True)
class NameExercise:
    """What was done at `time_s` is called `exercise`; ``None`` takes the name away."""

    time_s: float
    exercise: str | None
    scope: Scope = Scope.SET

    def __post_init__(self) -> None:
        """Check the time and the name."""
        _check_times(self.time_s)
        _check_text(self.exercise, LONGEST_EXERCISE, lines=False)


@dataclass(frozen=True, slots=True)
class EnterLoad:
    """What was done at `time_s` was done with `load_kg`; ``None`` takes the entry away."""

    time_s: float
    load_kg: float | None
    scope: Scope = Scope.SET

    def __post_init__(self) -> None:
        """Check the time and the load.

        Raises
        ------
        ValueError
            If nobody lifts that.
        """
        _check_times(self.time_s)
        if self.load_kg is not None and not 0 <= self.load_kg <= HEAVIEST_KG:
            raise ValueError(f"a load is 0 to {HEAVIEST_KG:.0f} kg, got {self.load_kg}")


@dataclass(frozen=True, slots=True)
class WriteNote:
    """A note on what was done at `time_s`; ``None`` takes it away."""

    time_s: float
    note: str | None
    scope: Scope = Scope.SET

    def __post_init__(self) -> None:
        """Check the time and the note."""
        _check_times(self.time_s)
        _check_text(self.note, LONGEST_NOTE, lines=True)


Correction = (
    DeleteRepetition | AddRepetition | ChangePattern | SplitSet | MergeSets | NameExercise | EnterLoad | WriteNote
)

KINDS: Mapping[str, type[Correction]] = {
    "delete repetition": DeleteRepetition,
    "add repetition": AddRepetition,
    "change pattern": ChangePattern,
    "split set": SplitSet,
    "merge sets": MergeSets,
    "name exercise": NameExercise,
    "enter load": EnterLoad,
    "write note": WriteNote,
}
"""Every kind of correction by its name in the store and in JSON; a released name is never given another meaning.

A new kind comes with a migration, for an older program must refuse a store that holds what it cannot apply."""

_UNFIT = {"Cc", "Cs"}
"""Control characters, which would steer a terminal, and halves of letters, which no file can hold."""

_KIND_OF = {cls: kind for kind, cls in KINDS.items()}
if set(KINDS.values()) != set(get_args(Correction)):
    raise TypeError("a kind of correction has no name")


def to_object(correction: Correction) -> dict[str, Any]:
    """Return a correction as what JSON can hold; `from_object` turns it back, ``==``."""
    return {"kind": _KIND_OF[type(correction)]} | {
        field.name: getattr(correction, field.name) for field in fields(correction)
    }


def kind_of(correction: type[Correction]) -> str:
    """Return the name of a kind of correction in the store and in JSON."""
    return _KIND_OF[correction]


def from_object(found: Mapping[str, Any]) -> Correction:
    """Return the correction that `to_object` made `found` of.

    Raises
    ------
    ValueError
        If it is none that this program knows.
    """
    values = dict(found)
    kind = values.pop("kind", None)
    if kind not in list(KINDS):
        raise ValueError(f"no correction that this program knows: {found!r}")
    try:
        if "pattern" in values:
            values["pattern"] = Pattern(values["pattern"])
        if "scope" in values:
            values["scope"] = Scope(values["scope"])
        return KINDS[kind](**values)
    except (TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a correction with other values than it should have: {found!r}") from error


def _check_times(*times_s: float) -> None:
    if not all(math.isfinite(time_s) for time_s in times_s):
        raise ValueError(f"times in a recording are finite, got {times_s}")


def _check_pattern(pattern: Pattern) -> None:
    if pattern is Pattern.MIXED:
        raise ValueError("one repetition is squat, hinge or uncertain, never mixed")


def _check_text(text: str | None, longest: int, *, lines: bool) -> None:
    if text is None:
        return
    shown = text.replace("\n", " ") if lines else text
    # Not `isprintable`, which knows no joined emoji and no unbreakable blank.
    if not text.strip() or len(text) > longest or any(unicodedata.category(letter) in _UNFIT for letter in shown):
        raise ValueError(f"a text has 1 to {longest} letters and no control characters, got {text!r}")
