"""Targets of a set, and plans: the sets and exercises that a person means to do.

A plan is a TOML file (`imu train --plan FILE`) with one table for each exercise::

    name = "Five by five"

    [[exercise]]
    name = "back squat"
    load = "100 kg"        # or "225 lb"; in a file, a bare number is kg
    sets = 5
    reps = 5
    rest = 180             # s, or "3:00"
    tempo = "3-1-X"        # s down, pause, up; X: as fast as possible
    depth = 45             # cm of hip drop, or "best": as deep as before
    angle = 60             # degrees of trunk angle, for hinges; or "best"
    velocity = "0.4-0.6"   # m/s, mean of the way up
    stop-loss = 20         # percent of velocity lost at which the set should end

Everything but the name may be left out. `imu train` has an option of the same name for each. The recording of a
training holds the plan in the same words. :mod:`imu.live.signals` compares repetitions with targets.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from imu.errors import ImuError
from imu.motion.pattern import OPPOSITE, Pattern
from imu.report.words import weight
from imu.store.corrections import HEAVIEST_KG, KG_PER_LB, pounds_in_kg
from imu.store.exercises import known_exercise

LONGEST_NAME = 80
"""Letters in the name of an exercise, as in the store."""
MOST_REPETITIONS, MOST_SETS, MOST_EXERCISES = 1000, 100, 100
LONGEST_REST_S = 3600.0
LONGEST_PHASE_S = 60.0
DEEPEST_M = 1.2
"""No hip sinks further: a person of 1.95 m who sits on the heels sinks by 0.75 m."""
FASTEST_M_S = 5.0

BEST: Literal["best"] = "best"
"""As a target of depth or angle: as far as in earlier sets of the exercise."""


class PlanUnusable(ImuError):
    """A plan or a target cannot be used; the sentence says why and where.

    Attributes
    ----------
    wrong : tuple of (int, str, str)
        Each wrong value of a plan: the number of its exercise from 0, its key, and what is wrong with it.
    """

    def __init__(self, sentence: str, wrong: tuple[tuple[int, str, str], ...] = ()) -> None:
        super().__init__(sentence)
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Tempo:
    """Seconds down, paused at the turning point, and up; ``None`` for a part that is free or as fast as possible."""

    down_s: float | None
    pause_s: float | None = None
    up_s: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the tempo written as ``3-1-X``.

        Raises
        ------
        PlanUnusable
            If it is not three parts of a number or X each.
        """
        parts = re.split(r"\s*[-/ ]\s*", text.strip())
        if len(parts) != 3 or not all(re.fullmatch(r"\d+(\.\d+)?|[xX]", part) for part in parts):
            raise PlanUnusable(f"a tempo is written as 3-1-X: seconds down, pause and up, X for fast; got {text!r}")
        down_s, pause_s, up_s = (None if part in "xX" else float(part) for part in parts)
        if any(phase_s is not None and phase_s > LONGEST_PHASE_S for phase_s in (down_s, pause_s, up_s)):
            raise PlanUnusable(f"a part of a tempo lasts {LONGEST_PHASE_S:g} s at most, got {text!r}")
        return cls(down_s, pause_s, up_s)

    def __str__(self) -> str:
        """Return the tempo as it is written."""
        return "-".join(
            "X" if phase_s is None else f"{phase_s:g}" for phase_s in (self.down_s, self.pause_s, self.up_s)
        )


@dataclass(frozen=True, slots=True)
class Targets:
    """A person's targets for the sets of one exercise. ``None`` stands for no target.

    Attributes
    ----------
    exercise : str or None
        Its name in the person's words.
    load_kg : float or None
        The load.
    load_in_lb : bool
        Whether the person gives loads in pounds.
    repetitions, sets : int or None
        Repetitions of a set, and sets.
    rest_s : float or None
        Rest between sets.
    tempo : Tempo or None
        Least duration of each phase.
    depth_m : float, "best" or None
        Least hip drop of a repetition.
    trunk_angle_rad : float, "best" or None
        Least trunk angle of a repetition, for hinges.
    velocity_m_s : tuple of float or None
        Zone of the mean velocity of the way up.
    stop_loss : float or None
        Share of velocity lost at which the set should end, 0 to 1.
    """

    exercise: str | None = None
    load_kg: float | None = None
    load_in_lb: bool = False
    repetitions: int | None = None
    sets: int | None = None
    rest_s: float | None = None
    tempo: Tempo | None = None
    depth_m: float | Literal["best"] | None = None
    trunk_angle_rad: float | Literal["best"] | None = None
    velocity_m_s: tuple[float, float] | None = None
    stop_loss: float | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        PlanUnusable
            If a target is impossible.
        """
        if self.exercise is not None and not (0 < len(self.exercise) <= LONGEST_NAME and self.exercise.isprintable()):
            raise PlanUnusable(f"the name of an exercise has 1 to {LONGEST_NAME} letters in one line")
        _check("load", self.load_kg, 0.0, HEAVIEST_KG, "kg")
        _check("reps", self.repetitions, 1, MOST_REPETITIONS)
        _check("sets", self.sets, 1, MOST_SETS)
        _check("rest", self.rest_s, 1.0, LONGEST_REST_S, "s")
        if self.depth_m != BEST:
            _check("depth", _times(100, self.depth_m), 1.0, 100 * DEEPEST_M, "cm")
        if self.trunk_angle_rad != BEST:
            angle_rad = self.trunk_angle_rad
            _check("angle", None if angle_rad is None else math.degrees(angle_rad), 1.0, 150.0, "degrees")
        if self.velocity_m_s is not None:
            low_m_s, high_m_s = self.velocity_m_s
            _check("velocity", low_m_s, 0.0, FASTEST_M_S, "m/s")
            if not low_m_s < high_m_s <= FASTEST_M_S:
                raise PlanUnusable(f"a velocity zone goes from slow to fast, as 0.4-0.6; got {low_m_s:g}-{high_m_s:g}")
        _check("stop-loss", _times(100, self.stop_loss), 1.0, 90.0, "percent")

    @property
    def pattern(self) -> Pattern | None:
        """The pattern of the target: of a known exercise, or without a name of the only measure; ``None`` if open."""
        if self.exercise is not None:
            known = known_exercise(self.exercise)
            return None if known is None else known.pattern
        if (self.depth_m is None) == (self.trunk_angle_rad is None):
            return None
        return Pattern.HINGE if self.depth_m is None else Pattern.SQUAT

    def is_other(self, pattern: Pattern) -> bool:
        """Whether a pattern is clearly another one than the targets mean: they then say nothing of its repetitions."""
        return self.pattern is not None and self.pattern is OPPOSITE.get(pattern)

    @property
    def load(self) -> str | None:
        """The load in words."""
        return None if self.load_kg is None else weight(self.load_kg, in_lb=self.load_in_lb)

    def in_unit(self, *, in_lb: bool | None) -> Self:
        """Return the targets with the same load in pounds, or in kilograms; ``None`` leaves its unit."""
        return self if in_lb is None or self.load_kg is None else replace(self, load_in_lb=in_lb)

    @property
    def title(self) -> str | None:
        """Exercise and load in words: ``back squat 100 kg``."""
        return " ".join(part for part in (self.exercise, self.load) if part) or None

    @property
    def judge_repetitions(self) -> bool:
        """Whether a single repetition can meet or miss any of the targets."""
        paced = self.tempo is not None and self.tempo.down_s is not None
        return paced or any(target is not None for target in (self.depth_m, self.trunk_angle_rad, self.velocity_m_s))

    @classmethod
    def from_object(cls, given: Mapping[str, Any], where: str = "the plan") -> Self:
        """Return the targets of one exercise of a plan.

        Parameters
        ----------
        given : mapping
            As in the module's example; options of the command line have the same names and values.
        where : str
            Whose targets they are, for the sentence of an error.

        Raises
        ------
        PlanUnusable
            If a key or values are not as in the example; it says what is wrong with each of them.
        """
        unknown = sorted(set(given) - set(_READERS))
        if unknown:
            raise PlanUnusable(f"{where} has {unknown[0]!r}, but only these keys are known: {', '.join(_READERS)}")
        values: dict[str, Any] = {}
        wrong = []
        for key, value in given.items():
            try:
                read = {} if value is None else _read(key, value)
                cls(**read)
                values |= read
            except PlanUnusable as error:
                wrong.append((0, key, str(error)))
        if wrong:
            raise PlanUnusable(f"{where}: {'; '.join(sentence for _, _, sentence in wrong)}", tuple(wrong))
        return cls(**values)

    def as_object(self) -> dict[str, Any]:
        """Return the targets in the words of a plan; `from_object` reads them back to equal ones."""
        written: dict[str, Any] = {
            "name": self.exercise,
            "load": self._written_load(),
            "sets": self.sets,
            "reps": self.repetitions,
            "rest": self.rest_s,
            "tempo": None if self.tempo is None else str(self.tempo),
            "depth": BEST if self.depth_m == BEST else _times(100, self.depth_m),
            "angle": self._written_angle(),
            "velocity": None if self.velocity_m_s is None else "-".join(f"{speed!r}" for speed in self.velocity_m_s),
            "stop-loss": _times(100, self.stop_loss),
        }
        return {key: value for key, value in written.items() if value is not None}

    def _written_load(self) -> str | float | None:
        if self.load_kg is None or not self.load_in_lb:
            return self.load_kg
        return f"{round(self.load_kg / KG_PER_LB, 9):.12g} lb"

    def _written_angle(self) -> str | float | None:
        if self.trunk_angle_rad is None or self.trunk_angle_rad == BEST:
            return self.trunk_angle_rad
        return round(math.degrees(self.trunk_angle_rad), 9)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a plan a set stands.

    Attributes
    ----------
    targets : Targets
        Its exercise and targets.
    set_number : int
        Which set of this exercise it is, from 1.
    beyond : bool
        Whether the plan has not even this set of the exercise.
    """

    targets: Targets
    set_number: int
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The exercises of a training, in their order.

    Attributes
    ----------
    exercises : tuple of Targets
        At least one. Without a number of sets an exercise has one set, but the last exercise goes on until the end.
    name : str or None
        The name of the plan.
    """

    exercises: tuple[Targets, ...]
    name: str | None = None

    def __post_init__(self) -> None:
        """Check that there is something to do.

        Raises
        ------
        PlanUnusable
            If the plan is empty or too long.
        """
        if not 1 <= len(self.exercises) <= MOST_EXERCISES:
            raise PlanUnusable(f"a plan has 1 to {MOST_EXERCISES} exercises, not {len(self.exercises)}")

    def place(self, set_index: int) -> Place:
        """Return where a set of the training stands, by its number from 0; sets beyond the plan go on as the last."""
        before = 0
        for number, targets in enumerate(self.exercises, 1):
            last = number == len(self.exercises)
            sets = targets.sets or (None if last else 1)
            beyond = sets is not None and set_index >= before + sets
            if last or not beyond:
                return Place(targets, set_index - before + 1, beyond)
            before += sets or 0
        raise AssertionError("unreachable: the last exercise takes every further set")

    def in_unit(self, *, in_lb: bool | None) -> Self:
        """Return the plan with the same loads in pounds, or in kilograms."""
        return replace(self, exercises=tuple(exercise.in_unit(in_lb=in_lb) for exercise in self.exercises))

    def with_rest(self, rest_s: float | None) -> Plan:
        """Return the plan with another rest for every exercise."""
        return replace(self, exercises=tuple(replace(exercise, rest_s=rest_s) for exercise in self.exercises))

    @classmethod
    def from_object(cls, given: Mapping[str, Any], where: str = "the plan") -> Self:
        """Return the plan of an object like the module's example.

        Raises
        ------
        PlanUnusable
            If the object is no plan.
        """
        if "plan" in given:
            raise PlanUnusable(
                f"{where} is a schedule: `imu plan FILE` keeps it, `imu train --plan next` trains from it"
            )
        unknown = sorted(set(given) - {"name", "exercise"})
        if unknown:
            raise PlanUnusable(f"{where} has {unknown[0]!r}; a plan has a name and [[exercise]] tables")
        tables, name = given.get("exercise"), given.get("name")
        if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
            raise PlanUnusable(f"{where} has no [[exercise]] tables")
        if name is not None and not (isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable()):
            raise PlanUnusable(f"{where}: the name of a plan has 1 to {LONGEST_NAME} letters in one line")
        exercises, refused = [], []
        for index, table in enumerate(tables):
            try:
                exercises.append(Targets.from_object(table, f"exercise {index + 1}"))
            except PlanUnusable as error:
                refused.append((index, error))
        if refused:
            wrong = tuple((index, key, sentence) for index, error in refused for _, key, sentence in error.wrong)
            raise PlanUnusable(f"{where}, {'; '.join(str(error) for _, error in refused)}", wrong)
        return cls(tuple(exercises), name)

    def as_object(self) -> dict[str, Any]:
        """Return the plan as an object for JSON; `from_object` reads it back to an equal one."""
        named = {} if self.name is None else {"name": self.name}
        return {**named, "exercise": [exercise.as_object() for exercise in self.exercises]}


# --- one value of a plan ----------------------------------------------------------------------------------------------


def _read(key: str, value: Any) -> dict[str, Any]:
    """Return the fields of :class:`Targets` that a value of a plan means."""
    if key != "name" and _is_long(value):  # patterns take a second for 10,000 digits
        raise PlanUnusable(f"{key} is too long")
    try:
        return _READERS[key](value)
    except (ValueError, TypeError) as error:
        raise PlanUnusable(f"{key} cannot be {value!r}") from error


def _is_long(value: Any) -> bool:
    try:
        return len(str(value)) > LONGEST_NAME
    except ValueError:  # thousands of digits
        return True


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise PlanUnusable(f"the name of an exercise is a text, got {value!r}")
    return value.strip()


def _load(value: Any) -> dict[str, Any]:
    number, unit = _with_unit(value, ("kg", "lb", "lbs"), "100 kg or 225 lb")
    in_lb = unit in ("lb", "lbs")
    return {"load_kg": pounds_in_kg(number) if in_lb else number, "load_in_lb": in_lb}


def with_unit_typed(load: Any, *, in_lb: bool | None) -> Any:
    """Return a load as a person typed it: a bare number is in pounds if the person gives loads in pounds."""
    bare = not isinstance(load, bool) and re.fullmatch(r"\s*[\d.,e+]+\s*", str(load))
    return f"{load} lb" if in_lb and bare else load


def _rest_s(value: Any) -> float:
    if isinstance(value, str) and (minutes := re.fullmatch(r"(\d{1,2}):([0-5]\d)", value.strip())):
        return 60.0 * int(minutes[1]) + int(minutes[2])
    return _with_unit(value, ("s",), "180 or 3:00")[0]


def _or_best(value: Any, units: tuple[str, ...], example: str, in_si: Callable[[float], float]) -> Any:
    return BEST if _is_best(value) else in_si(_with_unit(value, units, f"{example} or best")[0])


def _zone_m_s(value: Any) -> tuple[float, float]:
    zone = re.fullmatch(r"\s*(\d*\.?\d+)\s*[-–]\s*(\d*\.?\d+)\s*(?:m/s)?\s*", str(value))
    if zone is None:
        raise PlanUnusable(f"a velocity zone is written as 0.4-0.6 (m/s), got {value!r}")
    return float(zone[1]), float(zone[2])


def _whole(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise PlanUnusable(f"{key} is a whole number, got {value!r}")
    return value


_READERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "name": lambda value: {"exercise": _name(value)},
    "load": _load,
    "sets": lambda value: {"sets": _whole("sets", value)},
    "reps": lambda value: {"repetitions": _whole("reps", value)},
    "rest": lambda value: {"rest_s": _rest_s(value)},
    "tempo": lambda value: {"tempo": Tempo.parse(str(value))},
    "depth": lambda value: {"depth_m": _or_best(value, ("cm",), "45", lambda depth_cm: depth_cm / 100)},
    "angle": lambda value: {"trunk_angle_rad": _or_best(value, ("°", "deg"), "60", math.radians)},
    "velocity": lambda value: {"velocity_m_s": _zone_m_s(value)},
    "stop-loss": lambda value: {"stop_loss": _with_unit(value, ("%",), "20")[0] / 100},
}


def _is_best(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() == BEST


def _with_unit(value: Any, units: tuple[str, ...], example: str) -> tuple[float, str]:
    """Return a number and its unit, which may be missing."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), ""
    written = re.fullmatch(r"\s*(\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)\s*([^\d\s]*)\s*", str(value))
    if written is None or written[2].lower() not in ("", *units):
        raise PlanUnusable(f"{value!r} is not understood: write it as {example}")
    return float(written[1]), written[2].lower()


def _check(name: str, value: float | None, least: float, most: float, unit: str = "") -> None:
    if value is not None and not least <= value <= most:
        raise PlanUnusable(f"{name} is {least:g} to {most:g}{f' {unit}' if unit else ''}, got {value:g}")


def _times(factor: float, value: float | Any | None) -> Any:
    return None if value is None or value == BEST else round(factor * value, 9)
