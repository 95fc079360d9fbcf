"""The known squats and hinges by name, with their pattern and their place in the FIT profile.

A person may use any other name; it is kept as it is written. Names are compared without regard to case, hyphens and a
plural, so "Back Squats" and "back-squat" are one exercise. The FIT names are those of the ``exercise_category`` and
``..._exercise_name`` types of Garmin's FIT profile; a test compares them with the encoder. Where FIT has no name of its
own, only the category is given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from imu.motion.pattern import OPPOSITE, Pattern


@dataclass(frozen=True, slots=True)
class Exercise:
    """An exercise of the list below.

    Attributes
    ----------
    name : str
        Its usual name.
    pattern : Pattern
        Squat or hinge.
    fit_category, fit_name : str, str or None
        Category and exercise in the FIT profile.
    other_names : tuple of str
        Other names of the same exercise.
    """

    name: str
    pattern: Pattern
    fit_category: str
    fit_name: str | None = None
    other_names: tuple[str, ...] = ()


def _squat(name: str, fit_name: str | None, *other_names: str, category: str = "SQUAT") -> Exercise:
    return Exercise(name, Pattern.SQUAT, category, fit_name, other_names)


def _hinge(name: str, fit_name: str | None, *other_names: str, category: str = "DEADLIFT") -> Exercise:
    return Exercise(name, Pattern.HINGE, category, fit_name, other_names)


KNOWN = (
    _squat("squat", "SQUAT"),
    _squat("back squat", "BARBELL_BACK_SQUAT", "barbell back squat", "barbell squat", "high bar squat"),
    _squat("low bar squat", "BARBELL_BACK_SQUAT", "low bar back squat"),
    _squat("front squat", "BARBELL_FRONT_SQUAT", "barbell front squat"),
    _squat("air squat", "AIR_SQUAT", "bodyweight squat", "body weight squat"),
    _squat("goblet squat", "GOBLET_SQUAT"),
    _squat("dumbbell squat", "DUMBBELL_SQUAT"),
    _squat("kettlebell squat", "KETTLEBELL_SQUAT"),
    _squat("box squat", "BARBELL_BOX_SQUAT", "barbell box squat"),
    _squat("pause squat", "BARBELL_BACK_SQUAT", "paused squat"),
    _squat("tempo squat", "BARBELL_BACK_SQUAT"),
    _squat("overhead squat", "OVERHEAD_SQUAT", "overhead barbell squat"),
    _squat("hack squat", "BARBELL_HACK_SQUAT", "barbell hack squat"),
    _squat("quarter squat", "BARBELL_QUARTER_SQUAT", "barbell quarter squat"),
    _squat("Zercher squat", "ZERCHER_SQUAT"),
    _squat("sumo squat", "SUMO_SQUAT", "wide stance squat"),
    _squat("safety bar squat", "BARBELL_BACK_SQUAT", "ssb squat"),
    _squat("belt squat", "WEIGHTED_SQUAT"),
    _squat("heels raised squat", "BARBELL_SQUAT_WITH_HEELS_RAISED", "heel elevated squat"),
    _squat("thruster", "THRUSTERS", "barbell thruster"),
    _squat("wall ball", "WALL_BALL"),
    _squat("split squat", "BARBELL_SPLIT_SQUAT", category="LUNGE"),
    _squat("Bulgarian split squat", "BARBELL_BULGARIAN_SPLIT_SQUAT", category="LUNGE"),
    _squat("single leg squat", "ONE_LEGGED_SQUAT", "one legged squat"),
    _squat("pistol squat", "PISTOL_SQUAT"),
    _hinge("hip hinge", None, "hinge"),
    _hinge("deadlift", "BARBELL_DEADLIFT", "conventional deadlift", "barbell deadlift"),
    _hinge("sumo deadlift", "SUMO_DEADLIFT"),
    _hinge("trap bar deadlift", "TRAP_BAR_DEADLIFT", "hex bar deadlift"),
    _hinge("Romanian deadlift", "ROMANIAN_DEADLIFT", "rdl"),
    _hinge("stiff leg deadlift", "BARBELL_STRAIGHT_LEG_DEADLIFT", "straight leg deadlift", "stiff legged deadlift"),
    _hinge("single leg Romanian deadlift", "SINGLE_LEG_ROMANIAN_DEADLIFT_WITH_DUMBBELL", "single leg rdl"),
    _hinge("single leg deadlift", "SINGLE_LEG_BARBELL_DEADLIFT"),
    _hinge("deficit deadlift", "BARBELL_DEADLIFT"),
    _hinge("block pull", "RACK_PULL"),
    _hinge("rack pull", "RACK_PULL"),
    _hinge("dumbbell deadlift", "DUMBBELL_DEADLIFT"),
    _hinge("dumbbell Romanian deadlift", "DUMBBELL_STRAIGHT_LEG_DEADLIFT", "dumbbell rdl"),
    _hinge("kettlebell deadlift", "KETTLEBELL_DEADLIFT"),
    _hinge("kettlebell swing", "KETTLEBELL_SWING", "swing", "kb swing", category="HIP_RAISE"),
    _hinge("one arm swing", "SINGLE_ARM_KETTLEBELL_SWING", "single arm swing", category="HIP_SWING"),
    _hinge("good morning", "GOOD_MORNING", "barbell good morning", category="LEG_CURL"),
    _hinge("band good morning", "BAND_GOOD_MORNING", "banded good morning", category="LEG_CURL"),
)
"""The known exercises: squats, then hinges."""


BALLISTIC = frozenset({"kettlebell swing", "one arm swing", "wall ball"})
"""A swing or throw has no heaviest single repetition."""


def known_exercise(name: str) -> Exercise | None:
    """Return the known exercise of a name; ``None`` for a name of the person's own."""
    return _by_key().get(key_of(name))


def is_other_pattern(name: str | None, pattern: Pattern) -> bool:
    """Return whether a pattern is clearly not that of a known exercise: hinges of a squat, or the reverse."""
    known = None if name is None else known_exercise(name)
    return known is not None and known.pattern is OPPOSITE.get(pattern)


def usual_name(name: str) -> str:
    """Return the usual name of a known exercise; any other name with its blanks tidied."""
    known = known_exercise(name)
    return " ".join(name.split()) if known is None else known.name


def key_of(name: str) -> str:
    """Return the letters that all spellings of a name share."""
    words = re.sub(r"[-_\s]+", " ", name.casefold()).strip()
    return words if words.endswith("ss") else words.removesuffix("s")


def completions(typed: str, own_names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return names that complete a text: own ones, then known ones that begin with it, then those that hold it."""
    key = re.sub(r"[-_\s]+", " ", typed.casefold()).strip()
    names = tuple(dict.fromkeys((*own_names, *(exercise.name for exercise in KNOWN))))
    begins = [name for name in names if name.casefold().startswith(key)]
    return tuple(dict.fromkeys((*begins, *(name for name in names if key in name.casefold()))))


@cache
def _by_key() -> dict[str, Exercise]:
    return {key_of(name): exercise for exercise in KNOWN for name in (exercise.name, *exercise.other_names)}
