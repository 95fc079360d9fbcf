"""Text that a person typed -> corrections.

A place is a set (``2``), a repetition of a set (``2/3``), or a time (``65.5`` or ``1:05``), as the pages show them. It
becomes a time in the recording before any correction is made, so that one correction of several does not change the
numbers that another one uses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from imu.motion.pattern import Pattern
from imu.report.words import clock, log_line, number_of
from imu.store import (
    AddRepetition,
    ChangePattern,
    CorrectedRepetition,
    CorrectedSession,
    Correction,
    CorrectionRefused,
    DeleteRepetition,
    EnterLoad,
    MergeSets,
    MoveRepetition,
    NameExercise,
    Scope,
    SessionStore,
    SplitSet,
    WriteNote,
)
from imu.store.corrections import pounds_in_kg, shortened

NEAR_S = 1.0
"""A time may miss its repetition by this much, because the pages show whole seconds."""
PATTERNS = (Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Place:
    """A set or one repetition, by a time inside it."""

    time_s: float
    scope: Scope


def place_in(session: CorrectedSession, typed: str) -> Place:
    """Return the set or repetition that `typed` names.

    Raises
    ------
    CorrectionRefused
        If there is no such set or repetition; the sentence says which there are.
    """
    if re.fullmatch(r"\d+", typed):
        return Place(session.sets[_set_index(session, typed)].middle_s, Scope.SET)
    return Place(_repetition_at(session, typed).middle_s, Scope.REPETITION)


def time_in_s(typed: str) -> float:
    """Return a time of the recording, typed as seconds or as minutes and seconds.

    Raises
    ------
    CorrectionRefused
        If it is not a time.
    """
    if not re.fullmatch(r"(\d{1,9}:){0,2}\d{1,9}(\.\d{0,9})?", typed):
        raise CorrectionRefused(
            f"{shortened(typed)} is not a time; write seconds (65.5) or minutes and seconds (1:05.5)"
        )
    time_s = 0.0
    for part in typed.split(":"):
        time_s = 60 * time_s + float(part)
    return time_s


def delete_repetition(session: CorrectedSession, typed: str) -> Correction:
    """Return the correction that deletes a repetition."""
    return DeleteRepetition(_repetition_at(session, typed).middle_s)


def add_repetition(session: CorrectedSession, start: str, end: str, pattern: str) -> Correction:
    """Return the correction that adds a repetition between two times."""
    made = _valid(lambda: AddRepetition(time_in_s(start), time_in_s(end), _pattern(pattern)))
    _check_recorded(session, time_in_s(start), time_in_s(end))
    return made


def keep_movement(session: CorrectedSession, typed: str) -> Correction:
    """Return the correction that counts a movement which was rejected and has figures."""
    time_s = time_in_s(typed)
    for movement in session.rejected:
        if movement.repetition is not None and movement.start_s - NEAR_S <= time_s < movement.end_s + NEAR_S:
            one = movement.repetition
            return AddRepetition(one.start_s, one.end_s, one.pattern)
    raise CorrectionRefused(
        f"no rejected movement at {clock(time_s)} looks like a repetition; "
        "--add-rep START END PATTERN adds one nevertheless"
    )


def change_pattern(session: CorrectedSession, typed: str, pattern: str) -> Correction:
    """Return the correction that changes the pattern of a repetition or of a whole set."""
    place = place_in(session, typed)
    return ChangePattern(place.time_s, _pattern(pattern), place.scope)


def split_set(session: CorrectedSession, typed: str) -> Correction:
    """Return the correction that splits a set before a repetition, or at a time."""
    if "/" not in typed:
        return SplitSet(time_in_s(typed))
    return SplitSet(_repetition_at(session, typed).middle_s)


def merge_sets(session: CorrectedSession, typed: str) -> Correction:
    """Return the correction that merges a set with the next."""
    index = _set_index(session, typed)
    if index + 1 == len(session.sets):
        raise CorrectionRefused(f"set {typed} is the last; there is no set after it to merge with")
    return MergeSets(session.sets[index].middle_s, session.sets[index + 1].middle_s)


def enter_exercise(session: CorrectedSession, typed: str, exercise: str) -> Correction:
    """Return the correction that names the exercise of a set or repetition; an empty name removes it."""
    place = place_in(session, typed)
    return _valid(lambda: NameExercise(place.time_s, exercise.strip() or None, place.scope))


def enter_load(session: CorrectedSession, typed: str, load: str, *, in_lb: bool = False) -> Correction:
    """Return the correction that enters the load of a set or repetition; an empty one removes it.

    With `in_lb`, a number without a unit is in pounds, else in kilograms.
    """
    place = place_in(session, typed)
    number = re.fullmatch(r"(\d+(?:\.\d+|,\d\d?)?) ?(kg|lbs?)?", load.strip(), re.IGNORECASE)
    if load.strip() and number is None:
        raise CorrectionRefused(f"{shortened(load)} is not a load; write a number of kg or lb, such as 82.5 or 185 lb")
    if number is None:
        return _valid(lambda: EnterLoad(place.time_s, None, place.scope))
    in_lb = number[2].lower().startswith("lb") if number[2] else in_lb
    value = float(number[1].replace(",", "."))
    load_kg = pounds_in_kg(value) if in_lb else value
    return _valid(lambda: EnterLoad(place.time_s, load_kg, place.scope, load_in_lb=in_lb))


def move_repetition(session: CorrectedSession, typed: str, start: str, end: str) -> Correction:
    """Return the correction that lets a repetition begin and end at other times."""
    place = _repetition_at(session, typed)
    made = _valid(lambda: MoveRepetition(place.middle_s, time_in_s(start), time_in_s(end)))
    _check_recorded(session, time_in_s(start), time_in_s(end))
    return made


def copy_entries(session: CorrectedSession, source: CorrectedSession) -> list[Correction]:
    """Return the corrections that give sets without an exercise or a load those of another session.

    The first squats get the entries of the first squats there, and so on; further sets get those of the last one.
    """
    made: list[Correction] = []
    for pattern in {one.pattern for one in session.sets}:
        there = [one for one in source.sets if one.pattern is pattern]
        own = [one for one in session.sets if one.pattern is pattern]
        for number, one_set in enumerate(own):
            if not there:
                continue
            other = there[min(number, len(there) - 1)]
            if one_set.exercise is None and other.exercise is not None:
                made.append(NameExercise(one_set.middle_s, other.exercise))
            if one_set.load_kg is None and other.load_kg is not None:
                made.append(EnterLoad(one_set.middle_s, other.load_kg, load_in_lb=other.load_in_lb))
    return sorted(made, key=lambda one: getattr(one, "time_s", 0.0))


def turn_back(store: SessionStore, number: int, *, redo: bool) -> str | None:
    """Undo the last correction or restore the one undone last; return it in words, or ``None`` without one."""
    before = store.load(number).corrected.log
    turned = store.redo(number) if redo else store.undo(number)
    if turned is None:
        return None
    return log_line(store.load(number).corrected.log[-1] if redo else before[-1])


def enter_note(session: CorrectedSession, typed: str, note: str) -> Correction:
    """Return the correction that writes a note on a set or repetition; an empty one removes it."""
    place = place_in(session, typed)
    return _valid(lambda: WriteNote(place.time_s, note.strip() or None, place.scope))


def _check_recorded(session: CorrectedSession, start_s: float, end_s: float) -> None:
    """Refuse a time before or after the recording, whose clock may start anywhere: what was measured lies in it.

    A recording in which nothing was measured is taken to start at 0.
    """
    measured = session.measured
    spans = [(one.start_s, one.end_s) for one in measured.sets]
    spans += [(one.start_s, one.end_s) for one in measured.rejected]
    spans += [(one.start_s, one.end_s) for one in measured.gaps]
    first_s, last_s = min((span[0] for span in spans), default=0.0), max((span[1] for span in spans), default=0.0)
    earliest_s = min(first_s, last_s - measured.duration_s)
    latest_s = max(last_s, first_s + measured.duration_s)
    if start_s < earliest_s - NEAR_S or end_s > latest_s + NEAR_S:
        raise CorrectionRefused(
            f"the recording is {clock(measured.duration_s)} long, and {clock(start_s)} to {clock(end_s)} "
            "lies outside of it"
        )


def _valid(make: Callable[[], Correction]) -> Correction:
    """Turn the error of an impossible correction into a sentence for the person."""
    try:
        return make()
    except ValueError as error:
        raise CorrectionRefused(f"impossible: {error}") from error


def _pattern(typed: str) -> Pattern:
    if typed not in {pattern.value for pattern in PATTERNS}:
        raise CorrectionRefused(f"{shortened(typed)} is not a pattern; write squat, hinge or uncertain")
    return Pattern(typed)


def _set_index(session: CorrectedSession, typed: str) -> int:
    if not re.fullmatch(r"\d{1,9}", typed) or not 1 <= int(typed) <= len(session.sets):
        raise CorrectionRefused(f"there is no set {typed[:20]}: the session has {number_of(len(session.sets), 'set')}")
    return int(typed) - 1


def _repetition_at(session: CorrectedSession, typed: str) -> CorrectedRepetition:
    if place := re.fullmatch(r"(\d{1,9})/(\d{1,9})", typed):
        repetitions = session.sets[_set_index(session, place[1])].repetitions
        if not 1 <= int(place[2]) <= len(repetitions):
            many = number_of(len(repetitions), "repetition")
            raise CorrectionRefused(f"there is no repetition {typed[:20]}: set {place[1]} has {many}")
        return repetitions[int(place[2]) - 1]
    if re.fullmatch(r"\d+", typed):
        shown = typed[:20]
        raise CorrectionRefused(f"{shown} is a set; a repetition is SET/REP ({shown}/1), or a time (0:12, 12.0)")
    time_s = time_in_s(typed)
    counted = [repetition for one_set in session.sets for repetition in one_set.repetitions]
    nearest = min(counted, key=lambda one: _apart_s(one, time_s), default=None)
    if nearest is None or _apart_s(nearest, time_s) > NEAR_S:
        raise CorrectionRefused(f"no repetition is counted at {clock(time_s)}; --reps of imu review shows them all")
    return nearest


def _apart_s(one: CorrectedRepetition, time_s: float) -> float:
    return max(one.start_s - time_s, time_s - one.end_s, 0.0)
