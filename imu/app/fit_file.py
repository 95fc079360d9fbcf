"""A stored session -> a FIT file of a strength training, which sports sites read.

Each set becomes a ``set`` message, and so does each rest between sets. A set in which the load or the exercise changes
becomes several without a rest, because a FIT set has one load and one exercise. Squats are in the category *squat*,
hinges in *deadlift*; the name of the exercise selects category and exact exercise where :mod:`imu.store.exercises`
or FIT has it. Mixed and uncertain
sets are *unknown*: the site that reads the file lets the person correct that.

FIT stores moments in whole seconds and durations in milliseconds. The encoder is fit-tool, the extra ``fit``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import groupby
from typing import Any

from fit_tool import FitFileBuilder
from fit_tool.profile import profile_type as fit
from fit_tool.profile.messages.activity_message import ActivityMessage
from fit_tool.profile.messages.event_message import EventMessage
from fit_tool.profile.messages.exercise_title_message import ExerciseTitleMessage
from fit_tool.profile.messages.file_id_message import FileIdMessage
from fit_tool.profile.messages.lap_message import LapMessage
from fit_tool.profile.messages.record_message import RecordMessage
from fit_tool.profile.messages.session_message import SessionMessage
from fit_tool.profile.messages.set_message import SetMessage

from imu.motion.pattern import Pattern
from imu.store import CorrectedRepetition, CorrectedSession, CorrectedSet, StoredSession
from imu.store.exercises import known_exercise

FIT_BEGINS = datetime(1989, 12, 31, tzinfo=UTC)
"""FIT counts its seconds from here. A recording with an earlier date comes from a clock that was never set."""
LONGEST_NAME_BYTES = 200
"""A text in FIT has at most 255 bytes."""
UNKNOWN = fit.ExerciseCategory.UNKNOWN
_CATEGORY = {Pattern.SQUAT: fit.ExerciseCategory.SQUAT, Pattern.HINGE: fit.ExerciseCategory.DEADLIFT}

Moment = Callable[[float], datetime]
"""A time on the recording's clock -> the moment."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Consecutive repetitions of a set with the same load and exercise."""

    start_s: float
    end_s: float
    repetitions: int
    pattern: Pattern
    exercise: str | None
    load_kg: float | None
    load_in_lb: bool


def fit_file(stored: StoredSession) -> bytes:
    """Return the FIT file of a session."""
    builder = FitFileBuilder(auto_define=True)
    builder.add_all(list(_messages(stored)))
    return bytes(builder.build_bytes())


def _message(kind: type[Any], **fields: Any) -> Any:
    """Return a message with fields; fit-tool takes moments in milliseconds since 1970."""
    message = kind()
    for name, value in fields.items():
        setattr(message, name, round(value.timestamp() * 1000) if isinstance(value, datetime) else value)
    return message


def _messages(stored: StoredSession) -> Iterator[Any]:
    """Give the messages of the file in their order."""
    session = stored.corrected
    began = stored.trained_at if stored.trained_at >= FIT_BEGINS else stored.saved_at
    origin_s = _origin_s(session)

    def moment(time_s: float) -> datetime:
        return began + timedelta(seconds=time_s - origin_s)

    duration_s = max(0.0, session.measured.duration_s)
    ended = began + timedelta(seconds=duration_s)
    yield _message(
        FileIdMessage,
        type=fit.FileType.ACTIVITY,
        manufacturer=fit.Manufacturer.DEVELOPMENT.value,
        product=0,
        serial_number=int(stored.content_hash[:7], 16) + 1,  # the same for the same recording, and never 0
        time_created=began,
        product_name="imu-training",
    )
    timer = {"event": fit.Event.TIMER, "event_group": 0}
    yield _message(EventMessage, timestamp=began, event_type=fit.EventType.START, **timer)
    yield from _sets(session, moment)
    yield from _records(session, moment)
    yield _message(EventMessage, timestamp=ended, event_type=fit.EventType.STOP_ALL, **timer)
    whole = {
        "timestamp": ended,
        "start_time": began,
        "total_elapsed_time": duration_s,
        "total_timer_time": duration_s,
        "sport": fit.Sport.TRAINING,
        "sub_sport": fit.SubSport.STRENGTH_TRAINING,
        "event_type": fit.EventType.STOP,
        "message_index": 0,
    }
    yield _message(LapMessage, event=fit.Event.LAP, lap_trigger=fit.LapTrigger.SESSION_END, **whole)
    yield _message(
        SessionMessage,
        event=fit.Event.SESSION,
        trigger=fit.SessionTrigger.ACTIVITY_END,
        first_lap_index=0,
        num_laps=1,
        **whole,
    )
    offset = ended.astimezone().utcoffset() or timedelta()
    yield _message(
        ActivityMessage,
        timestamp=ended,
        local_timestamp=int((ended - FIT_BEGINS + offset).total_seconds()),
        total_timer_time=duration_s,
        num_sessions=1,
        type=fit.Activity.MANUAL,
        event=fit.Event.ACTIVITY,
        event_type=fit.EventType.STOP,
    )


def _sets(session: CorrectedSession, moment: Moment) -> Iterator[Any]:
    """Give the sets, the rests between them, and the names that the person entered."""
    index = 0
    rest_since_s: float | None = None
    for part in (part for one_set in session.sets for part in _parts(one_set)):
        if rest_since_s is not None and part.start_s > rest_since_s:
            yield _message(
                SetMessage,
                **_times(rest_since_s, part.start_s, moment),
                set_type=fit.SetType.REST.value,
                message_index=index,
            )
            index += 1
        category, exercise = exercise_of(part.pattern, part.exercise)
        if part.exercise is not None:
            yield _message(
                ExerciseTitleMessage,
                message_index=index,
                exercise_category=category.value,
                exercise_name=None if exercise is None else exercise.value,
                workout_step_name=_shortened(part.exercise),
            )
        active = _message(
            SetMessage,
            **_times(part.start_s, part.end_s, moment),
            set_type=fit.SetType.ACTIVE.value,
            message_index=index,
            repetitions=part.repetitions,
            category=[category.value],
        )
        if exercise is not None:
            active.category_subtype = [exercise.value]
        if part.load_kg is not None:
            unit = fit.FitBaseUnit.POUND if part.load_in_lb else fit.FitBaseUnit.KILOGRAM
            active.weight, active.weight_display_unit = part.load_kg, unit.value
        yield active
        index += 1
        rest_since_s = part.end_s


def _times(start_s: float, end_s: float, moment: Moment) -> dict[str, Any]:
    return {"timestamp": moment(end_s), "start_time": moment(start_s), "duration": max(0.0, end_s - start_s)}


def _records(session: CorrectedSession, moment: Moment) -> Iterator[Any]:
    """Give a record at each repetition with the number of repetitions so far; an activity must have records."""
    ends_s = sorted(repetition.end_s for one_set in session.sets for repetition in one_set.repetitions)
    yield _message(RecordMessage, timestamp=moment(_origin_s(session)), total_cycles=0)
    for number, end_s in enumerate(ends_s, 1):
        yield _message(RecordMessage, timestamp=moment(end_s), total_cycles=number)


def _parts(one_set: CorrectedSet) -> Iterator[_Part]:
    def entries(one: CorrectedRepetition) -> tuple[str | None, tuple[float | None, bool]]:
        return one_set.exercise_of(one), one_set.load_of(one)

    for (exercise, (load_kg, load_in_lb)), group in groupby(one_set.repetitions, key=entries):
        members = tuple(group)
        yield _Part(
            start_s=members[0].start_s,
            end_s=members[-1].end_s,
            repetitions=len(members),
            pattern=CorrectedSet(members).pattern,
            exercise=exercise,
            load_kg=load_kg,
            load_in_lb=load_in_lb,
        )


def exercise_of(pattern: Pattern, name: str | None) -> tuple[Any, Enum | None]:
    """Return FIT's category of an exercise, and the exact exercise if FIT has one of this name."""
    own = _CATEGORY.get(pattern, UNKNOWN)
    if name is None:
        return own, None
    known = known_exercise(name)
    if known is not None:
        category = fit.ExerciseCategory[known.fit_category]
        return category, None if known.fit_name is None else _names_of(category)[known.fit_name]
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_").upper()
    singular = plain.removesuffix("S")
    spellings = (plain, singular, f"BARBELL_{plain}", f"BARBELL_{singular}")
    for category in sorted(fit.ExerciseCategory, key=lambda one: one is not own):  # its own category first
        exercises = _names_of(category)
        for spelling in spellings:
            if spelling in exercises:
                return category, exercises[spelling]
    return own, None


def _names_of(category: Any) -> Mapping[str, Enum]:
    """Return FIT's exercises of a category by their names; a few categories have none."""
    names: Any = getattr(fit, f"{category.name.title().replace('_', '')}ExerciseName", None)
    return {} if names is None else names.__members__


def _origin_s(session: CorrectedSession) -> float:
    """Return the time on the recording's clock at which the recording began, as well as the summary shows it.

    The summary has the duration but not the first time. If everything lies between 0 and the duration, the clock began
    at 0; else the recording began with the first thing that happened.
    """
    measured = session.measured
    spans = [
        *((one_set.start_s, one_set.end_s) for one_set in session.sets),
        *((one_set.start_s, one_set.end_s) for one_set in measured.sets),
        *((gap.start_s, gap.end_s) for gap in measured.gaps),
        *((movement.start_s, movement.end_s) for movement in measured.rejected),
    ]
    if not spans:
        return 0.0
    first_s, last_s = min(start_s for start_s, _ in spans), max(end_s for _, end_s in spans)
    return 0.0 if first_s >= 0 and last_s <= measured.duration_s + 1.0 else first_s


def _shortened(text: str) -> str:
    """Return as many whole letters of a text as fit."""
    return text.encode()[:LONGEST_NAME_BYTES].decode(errors="ignore")
