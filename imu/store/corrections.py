"""The corrections that a person can make to a session, as values and as JSON.

A correction names a time in the recording, not the number of a set or repetition: after a better program has counted
the recording again, it applies to whatever that program counted at that time. :mod:`imu.store.corrected_session`
applies corrections.
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
"""Longest repetition that can be added: the slowest tempo squats take about 15 s, more is a slip of the keyboard."""
HEAVIEST_KG = 1000.0
"""Heaviest load: the heaviest deadlift so far was 0.5 t."""
KG_PER_LB = 0.45359237
"""The international avoirdupois pound of 1959, exact."""
LONGEST_EXERCISE = 80
"""Most letters in the name of an exercise."""
LONGEST_NOTE = 2000
"""Most letters in a note."""


class CorrectionRefused(ImuError):
    """A correction would change nothing; the sentence says why."""


class Scope(StrEnum):
    """The target of a correction."""

    REPETITION = "repetition"
    """The repetition at the time."""
    SET = "set"
    """The set at the time, with all its repetitions."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """A correction, whose values are checked by their names."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        ValueError
            If a repetition or a set cannot have one of them.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        _check_times(*(value for name, value in values.items() if name.endswith("_s")))
        if values.get("pattern") is Pattern.MIXED:
            raise ValueError("one repetition is squat, hinge or uncertain, never mixed")
        if "end_s" in values:
            _check_length(values["start_s"], values["end_s"])
        if "later_s" in values and not values["time_s"] < values["later_s"]:
            times = f"{values['time_s']} and {values['later_s']}"
            raise ValueError(f"sets are merged in the order of time, got {times}")
        if "load_kg" in values:
            check_load(values["load_kg"], values["load_in_lb"])
        check_exercise(values.get("exercise"))
        _check_text(values.get("note"), LONGEST_NOTE, lines=True)


@dataclass(frozen=True, slots=True)
class DeleteRepetition(_Checked):
    """Delete the repetition at `time_s`."""

    time_s: float


@dataclass(frozen=True, slots=True)
class AddRepetition(_Checked):
    """Add a repetition of `pattern` from `start_s` to `end_s`."""

    start_s: float
    end_s: float
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class MoveRepetition(_Checked):
    """Let the repetition at `time_s` begin at `start_s` and end at `end_s`.

    Its figures stay while its turning point lies between the two; elsewhere it is a repetition that was not measured.
    """

    time_s: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class ChangePattern(_Checked):
    """Change the pattern at `time_s`: of one repetition, or of all repetitions of a set."""

    time_s: float
    pattern: Pattern
    scope: Scope = Scope.REPETITION


@dataclass(frozen=True, slots=True)
class SplitSet(_Checked):
    """Split a set at `time_s`; both parts keep name, load and note."""

    time_s: float


@dataclass(frozen=True, slots=True)
class MergeSets(_Checked):
    """Merge the sets at `time_s` and at `later_s`, and those between.

    Repetitions keep the name and the load of their set. Those without get the first name and load of the others. Notes
    are joined.
    """

    time_s: float
    later_s: float


@dataclass(frozen=True, slots=True)
class NameExercise(_Checked):
    """Name the exercise at `time_s`; ``None`` removes the name."""

    time_s: float
    exercise: str | None
    scope: Scope = Scope.SET


@dataclass(frozen=True, slots=True)
class EnterLoad(_Checked):
    """Enter the load at `time_s`; ``None`` removes it. `load_in_lb` says that the person writes it in pounds."""

    time_s: float
    load_kg: float | None
    scope: Scope = Scope.SET
    load_in_lb: bool = False


@dataclass(frozen=True, slots=True)
class WriteNote(_Checked):
    """Write a note at `time_s`; ``None`` removes it."""

    time_s: float
    note: str | None
    scope: Scope = Scope.SET


Correction = (
    DeleteRepetition
    | AddRepetition
    | MoveRepetition
    | ChangePattern
    | SplitSet
    | MergeSets
    | NameExercise
    | EnterLoad
    | WriteNote
)

KINDS: Mapping[str, type[Correction]] = {
    "delete repetition": DeleteRepetition,
    "add repetition": AddRepetition,
    "move repetition": MoveRepetition,
    "change pattern": ChangePattern,
    "split set": SplitSet,
    "merge sets": MergeSets,
    "name exercise": NameExercise,
    "enter load": EnterLoad,
    "write note": WriteNote,
}
"""Each kind of correction by its name in the store and in JSON. A released name never gets another meaning.

A new kind raises the version of the schema, because an older program must refuse a correction that it cannot apply."""

_SHOWN = 40
"""Letters of a wrong text that a message repeats."""
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


def from_object(fields: Mapping[str, Any]) -> Correction:
    """Return the correction that `to_object` made `found` of.

    Raises
    ------
    ValueError
        If it is not a correction of this program.
    """
    values = dict(fields)
    kind = values.pop("kind", None)
    if kind not in list(KINDS):
        raise ValueError(f"not a correction of this program: {fields!r}")
    try:
        if "pattern" in values:
            values["pattern"] = Pattern(values["pattern"])
        if "scope" in values:
            values["scope"] = Scope(values["scope"])
        return KINDS[kind](**values)
    except (TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a correction with values that it cannot have: {fields!r}") from error


def check_exercise(name: str | None) -> None:
    """Check the name of an exercise; ``None`` stands for no name.

    Raises
    ------
    ValueError
        If it is empty, too long, or has control characters.
    """
    _check_text(name, LONGEST_EXERCISE, lines=False)


def pounds_in_kg(load_lb: float) -> float:
    """Return a load in kilograms; to 1e-9 kg, so that a load that was converted to pounds comes back as it was."""
    return round(load_lb * KG_PER_LB, 9)


def check_load(load_kg: float | None, load_in_lb: object) -> None:
    """Check a load and its unit; ``None`` stands for no load.

    Raises
    ------
    ValueError
        If the load is negative or heavier than any that people lift.
    """
    if load_kg is not None and not 0 <= load_kg <= HEAVIEST_KG:
        raise ValueError(f"a load is 0 to {HEAVIEST_KG:.0f} kg, got {load_kg}")
    if not isinstance(load_in_lb, bool):
        raise ValueError(f"a load is in pounds or not, got {load_in_lb!r}")


def _check_times(*times_s: float) -> None:
    if not all(math.isfinite(time_s) for time_s in times_s):
        raise ValueError(f"times in a recording are finite, got {times_s}")


def _check_length(start_s: float, end_s: float) -> None:
    if not 0 < end_s - start_s <= LONGEST_REPETITION_S:
        raise ValueError(
            f"a repetition lasts more than 0 and up to {LONGEST_REPETITION_S:.0f} s, not from {start_s} to {end_s}"
        )


def _check_text(text: str | None, longest: int, *, lines: bool) -> None:
    if text is None:
        return
    shown = text.replace("\n", " ") if lines else text
    # Not `isprintable`, which refuses joined emoji and unbreakable blanks.
    if not text.strip() or len(text) > longest or any(unicodedata.category(letter) in _UNFIT for letter in shown):
        raise ValueError(f"a text has 1 to {longest} letters and no control characters, got {shortened(text)}")


def shortened(text: str) -> str:
    """Return a text in quotes for a message; a long one is cut, and its length follows."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}... ({len(text)} letters)"
