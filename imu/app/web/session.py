"""The page of one session: sets and repetitions, the recording's curve, corrections, exports, deletion."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from imu.app import typed_corrections as typed
from imu.app.web import charts
from imu.app.web.page import NO_PAGE, ask_store, done, now, refused, render
from imu.errors import ImuError, SessionNotFound
from imu.motion.pattern import OPPOSITE, Pattern
from imu.report.cues import Figures
from imu.report.exercises import ExerciseHistory, exercise_histories
from imu.report.session_view import RepetitionView, SetView, view_of_stored
from imu.report.words import log_line, number_of
from imu.store import (
    AddRepetition,
    CorrectedRepetition,
    CorrectedSession,
    CorrectedSet,
    Correction,
    EnterLoad,
    NameExercise,
    Scope,
    SessionStore,
    StoredSession,
)
from imu.store.exercises import completions, known_exercise, usual_name
from imu.store.home import recordings_folder

Fields = Mapping[str, str]
T = TypeVar("T")

CHANGED_MEANWHILE = "the session was changed in another window; this page shows it as it is now, so try again"


class SessionPages:
    """The pages of single sessions."""

    def __init__(self) -> None:
        self._curves = charts.CurveCache()

    async def show(self, request: Request) -> Response:
        """Show a session."""
        number = request.path_params["number"]

        def question(
            store: SessionStore,
        ) -> tuple[StoredSession, bool, StoredSession | None, tuple[ExerciseHistory, ...]]:
            stored = store.load(number)
            return stored, store.loads_in_lb(), session_before(store, stored), exercise_histories(store)

        stored, in_lb, before, histories = await _answer(number, question)
        latest = {history.pattern: history.name for history in reversed(histories)}
        view = view_of_stored(stored, in_lb=in_lb)
        return render(
            request,
            "session.html",
            stored=stored,
            view=view,
            in_lb=in_lb,
            before=before,
            metrics=[metrics_of(one_set) for one_set in view.sets],
            state=_state(stored),
            moves=[move_of(one_set, latest) for one_set in stored.corrected.sets],
            moves_of_all=moves_of_all(stored.corrected, latest),
            exercises=completions("", tuple(history.name for history in histories)),
            deletion=f"{view.counted}. The recording is deleted too. This cannot be undone.",
        )

    async def curve(self, request: Request) -> Response:
        """Send the curve of a session's recording, or in one sentence why it is missing."""
        number, measure = request.path_params["number"], request.query_params.get("measure", "angle")
        if measure not in charts.MEASURES:
            raise HTTPException(404, f"“{measure[:20]}” is not measured; choose one of {', '.join(charts.MEASURES)}.")
        stored = await _answer(number, lambda store: store.load(number))
        curves = await self._curves.curve_of(stored)
        if isinstance(curves, str):
            return JSONResponse({"refused": curves})
        return JSONResponse(charts.recording_chart(curves, stored, measure))

    async def change(self, request: Request) -> Response:
        """Make a correction, take the last one back, or delete the session."""
        number, change = request.path_params["number"], request.path_params["change"]
        async with request.form() as form:
            fields = {name: str(value) for name, value in form.items()}
        if change == "delete":
            await ask_store(lambda store: store.delete(number, recordings_folder()))
            return done(f"session {number} is deleted", go="/sessions")
        if change in ("undo", "redo"):
            turned = await ask_store(lambda store: typed.turn_back(store, number, redo=change == "redo"))
            return done() if turned is None else done(f"{change}: {turned}")
        if change not in CHANGES and change != "copy":
            raise HTTPException(404, NO_PAGE)
        try:
            made = await ask_store(lambda store: _correct(store, number, change, fields))
        except (ImuError, ValueError) as error:
            return refused(str(error))
        return done(*(made or ()))


async def _answer(number: int, question: Callable[[SessionStore], T]) -> T:
    answer = await ask_store(question)
    if answer is None:
        raise SessionNotFound(f"there is no session {number}: no sessions are stored yet")
    return answer


def _state(stored: StoredSession) -> int:
    """Return a number that changes with the corrections, so that a page that is out of date is noticed."""
    return zlib.crc32(repr(stored.corrected.log).encode())


# --- what a session shows ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a repetition: its name, in words, and as a share of the largest of its set."""

    name: str
    text: str
    share: float


def metrics_of(one_set: SetView) -> list[list[Metric]]:
    """Return for each repetition of a set its depth, angle and speed, for comparison with the others."""
    largest = {
        name: max([least_full, *(_value(name, repetition) or 0.0 for repetition in one_set.repetitions)])
        for name, (_, _, least_full) in METRICS.items()
    }
    return [[_metric(name, repetition, largest[name]) for name in METRICS] for repetition in one_set.repetitions]


METRICS: Mapping[str, tuple[Callable[[Figures], float], str, float]] = {
    "depth": (lambda figures: 100 * figures.hip_drop_m, "{:.0f} cm", 20.0),
    "angle": (lambda figures: figures.trunk_angle_deg, "{:.0f}°", 30.0),
    "speed": (lambda figures: figures.mean_concentric_velocity_m_s, "{:.2f} m/s", 0.2),
}
"""The figures that are compared across the repetitions of a set: value, words, and the least length of a full bar, so
that differences within the measuring error do not look large."""


def _value(name: str, one: RepetitionView) -> float | None:
    """Return a figure; ``None`` where it was not measured, or is the speed of a hip that hardly sinks."""
    if one.figures is None or (name == "speed" and not one.figures.has_speed):
        return None
    return METRICS[name][0](one.figures)


def _metric(name: str, one: RepetitionView, largest: float) -> Metric:
    value = _value(name, one)
    if value is None:
        return Metric(name, "–", 0.0)
    return Metric(name, METRICS[name][1].format(value), max(0.0, value / largest))


# --- repetitions of another exercise ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """One click that gives hinges of a squat set an exercise of their own, or the reverse."""

    exercise: str
    text: str


def move_of(one_set: CorrectedSet, latest: Mapping[Pattern, str]) -> Move | None:
    """Return how one click gives repetitions of the other pattern an exercise of their own, or takes that back.

    Parameters
    ----------
    one_set : CorrectedSet
        A set; it is meant as its plan, or without one as its exercise.
    latest : mapping of Pattern to str
        The exercise of each pattern that was trained last.
    """
    meant, others = _others_in(one_set)
    if not others or meant is None:
        return None
    pattern = others[0].pattern
    which = f"Count the {number_of(len(others), pattern)} as"
    if not one_set.is_unplanned and all(one_set.exercise_of(repetition) != meant for repetition in others):
        return Move(meant, f"{which} {meant} again")
    exercise = latest.get(pattern, usual_name(pattern))
    return Move(exercise, f"{which} {exercise}")


def moves_of_all(session: CorrectedSession, latest: Mapping[Pattern, str]) -> list[Move]:
    """Return how one click names all sets of a pattern that are not of the planned exercise; for several sets only."""
    moves = []
    for pattern in OPPOSITE:
        sets = [one_set for one_set in session.sets if one_set.is_unplanned and one_set.pattern is pattern]
        exercise = latest.get(pattern, usual_name(pattern))
        if len(sets) > 1:
            moves.append(Move(exercise, f"Count the {number_of(len(sets), f'{pattern} set')} as {exercise}"))
    return moves


def _others_in(one_set: CorrectedSet) -> tuple[str | None, list[CorrectedRepetition]]:
    """Return the exercise that a set is meant as, and its repetitions of the opposite pattern."""
    planned = None if one_set.planned is None else one_set.planned.exercise
    meant = planned or one_set.exercise
    known = None if meant is None else known_exercise(meant)
    other = None if known is None else OPPOSITE.get(known.pattern)
    return meant, [repetition for repetition in one_set.repetitions if repetition.pattern is other]


def _move(session: CorrectedSession, fields: Fields) -> list[Correction]:
    time_s, exercise = typed.place_in(session, fields.get("place", "")).time_s, fields.get("exercise", "")
    one_set = next(whole for whole in session.sets if whole.start_s <= time_s < whole.end_s)
    meant, others = _others_in(one_set)
    if len(others) == len(one_set.repetitions):
        return _named(one_set, exercise or meant)
    own = None if exercise == meant else exercise
    return [NameExercise(repetition.middle_s, own, Scope.REPETITION) for repetition in others]


def _move_all(session: CorrectedSession, fields: Fields) -> list[Correction]:
    exercise = fields.get("exercise", "")
    known = known_exercise(exercise)
    sets = [each for each in session.sets if each.is_unplanned and (known is None or each.pattern is known.pattern)]
    return [correction for one_set in sets for correction in _named(one_set, exercise)]


def _named(one_set: CorrectedSet, exercise: str | None) -> list[Correction]:
    """Return the corrections that name a set; one that had no exercise gets the planned load with it."""
    named: list[Correction] = [NameExercise(one_set.middle_s, exercise)]
    planned = one_set.planned
    if one_set.is_unplanned and one_set.load_kg is None and planned is not None and planned.load_kg is not None:
        named.append(EnterLoad(one_set.middle_s, planned.load_kg, load_in_lb=planned.load_in_lb))
    return named


# --- corrections -----------------------------------------------------------------------------------------------------


def _correct(store: SessionStore, number: int, change: str, fields: Fields) -> list[str]:
    """Make corrections, all or none; return what they did, in words."""
    stored = store.load(number)
    if fields.get("state") != str(_state(stored)):
        raise ImuError(CHANGED_MEANWHILE)
    fields = {**fields, "unit": "lb" if store.loads_in_lb() else "kg"}
    if change == "copy":
        before = session_before(store, stored)
        corrections = [] if before is None else typed.copy_entries(stored.corrected, before.corrected)
    else:
        corrections = CHANGES[change](stored.corrected, fields)
    if not corrections:
        return []
    made = store.correct_all(number, corrections, made_at=now()).corrected.log[-len(corrections) :]
    return [log_line(correction) for correction in made]


def session_before(store: SessionStore, stored: StoredSession) -> StoredSession | None:
    """Return the last session before this one in which a set has an exercise; ``None`` without one."""
    earlier = (overview for overview in store.list() if overview.trained_at < stored.trained_at and overview.exercises)
    before = next(earlier, None)
    return None if before is None else store.load(before.id)


def _entries(session: CorrectedSession, place: str, fields: Fields) -> list[Correction]:
    """Return corrections of the exercise, load and note that differ from what the page showed."""
    typed = {name: fields.get(name, "").strip() for name in ENTRIES}
    return [
        _entry(session, place, name, value, fields)
        for name, value in typed.items()
        if value != fields.get(f"{name}_before", "")
    ]


def _entry(session: CorrectedSession, place: str, name: str, value: str, fields: Fields) -> Correction:
    """Return one entry; a load without a unit is in that of the page."""
    if name == "load":
        return typed.enter_load(session, place, value, in_lb=fields["unit"] == "lb")
    return (typed.enter_exercise if name == "exercise" else typed.enter_note)(session, place, value)


ENTRIES = ("exercise", "load", "note")
"""The entries for a set or a repetition."""


def _repetition(session: CorrectedSession, fields: Fields) -> list[Correction]:
    place, pattern = fields.get("place", ""), fields.get("pattern", "")
    changed = [typed.change_pattern(session, place, pattern)] if pattern != fields.get("pattern_before", "") else []
    times = [fields.get(name, "").strip() for name in ("start", "end")]
    moved = times != [fields.get(f"{name}_before", "") for name in ("start", "end")]
    # Last, because the others find the repetition by a time within it.
    return [
        *changed,
        *_entries(session, place, fields),
        *([typed.move_repetition(session, place, *times)] if moved else []),
    ]


def _set(session: CorrectedSession, fields: Fields) -> list[Correction]:
    place, pattern = fields.get("place", ""), fields.get("pattern", "")
    return ([typed.change_pattern(session, place, pattern)] if pattern else []) + _entries(session, place, fields)


def _all_sets(session: CorrectedSession, fields: Fields) -> list[Correction]:
    """Return the pattern, exercise, load and note of every set; fields that were left empty change nothing."""
    places = [str(number) for number in range(1, len(session.sets) + 1)]
    pattern = fields.get("pattern", "")
    changed = [typed.change_pattern(session, place, pattern) for place in places] if pattern else []
    return changed + [
        _entry(session, place, name, value, fields)
        for name in ENTRIES
        if (value := fields.get(name, "").strip())
        for place in places
    ]


def _rejected(session: CorrectedSession, fields: Fields) -> list[Correction]:
    number = fields.get("place", "")
    if not number.isdecimal() or len(number) > 9 or int(number) >= len(session.rejected):
        raise ImuError(CHANGED_MEANWHILE)
    one = session.rejected[int(number)]
    movement = one if one.repetition is None else one.repetition
    return [AddRepetition(movement.start_s, movement.end_s, Pattern(fields.get("pattern", "")))]


def _texts(fields: Fields, *names: str) -> Iterator[str]:
    return (fields.get(name, "") for name in names)


CHANGES: Mapping[str, Callable[[CorrectedSession, Fields], list[Correction]]] = {
    "repetition": _repetition,
    "set": _set,
    "sets": _all_sets,
    "move": lambda session, fields: [typed.move_repetition(session, *_texts(fields, "place", "start", "end"))],
    "count": _rejected,
    "remove": lambda session, fields: [typed.delete_repetition(session, *_texts(fields, "place"))],
    "split": lambda session, fields: [
        *_repetition(session, fields),
        typed.split_set(session, *_texts(fields, "place")),
    ],
    "exercise": _move,
    "exercises": _move_all,
    "merge": lambda session, fields: [*_set(session, fields), typed.merge_sets(session, *_texts(fields, "place"))],
    "add": lambda session, fields: [typed.add_repetition(session, *_texts(fields, "start", "end", "pattern"))],
}
"""The corrections, by the last part of their address. A button beside the fields makes what is typed in them too."""
