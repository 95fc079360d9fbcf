"""A stored session -> a FIT file of a strength training, as sports watches write it and sites on the net read it.

One ``set`` message for each set as it counts, and one for each rest between them. A set in which the load or the
exercise changes becomes several without a rest, for FIT has one of each in a set. Squats are of the category *squat*,
hinges of *deadlift*; the person's name of an exercise chooses the exact one where FIT has it. Mixed and uncertain sets
are *unknown*: a file that claims less can be corrected where it is read.

Written with Garmin's own encoder. FIT stores whole seconds for moments and milliseconds for durations. This module
refuses to know where the file goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from imu.motion.pattern import Pattern
from imu.store import CorrectedRepetition, CorrectedSession, CorrectedSet, StoredSession

FIT_BEGINS = datetime(1989, 12, 31, tzinfo=UTC)
"""FIT counts its seconds from here; a recording whose clock says earlier was never set."""
LONGEST_NAME_BYTES = 200
"""A text in FIT has 255 bytes at most."""
_CATEGORY = {Pattern.SQUAT: "squat", Pattern.HINGE: "deadlift", Pattern.MIXED: "unknown", Pattern.UNCERTAIN: "unknown"}

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Part:
    """Repetitions of a set that have one load and one exercise."""

    start_s: float
    end_s: float
    repetitions: int
    pattern: Pattern
    exercise: str | None
    load_kg: float | None


def fit_file(stored: StoredSession) -> bytes:
    """Return the FIT file of a session."""
    from garmin_fit_sdk import Encoder, Profile  # noqa: PLC0415  only this export needs it

    numbers: dict[str, int] = Profile["mesg_num"]
    encoder = Encoder()
    for name, message in messages(stored):
        encoder.write_mesg({"mesg_num": numbers[name.upper()], **message})
    return bytes(encoder.close())


def messages(stored: StoredSession) -> Iterator[tuple[str, Message]]:
    """Give the messages of the file in their order, as pairs of a name and fields."""
    session = stored.corrected
    began = stored.trained_at if stored.trained_at >= FIT_BEGINS else stored.saved_at
    origin_s = _origin_s(session)

    def moment(time_s: float) -> datetime:
        return began + timedelta(seconds=time_s - origin_s)

    length_s = max(0.0, session.measured.duration_s)
    ended = began + timedelta(seconds=length_s)
    yield "file_id", _file_id(stored, began)
    yield "event", {"timestamp": began, "event": "timer", "event_type": "start", "event_group": 0}
    yield from _sets(session, moment)
    yield from _records(session, moment)
    yield "event", {"timestamp": ended, "event": "timer", "event_type": "stop_all", "event_group": 0}
    times: Message = {"timestamp": ended, "start_time": began, "total_elapsed_time": length_s}
    times |= {"total_timer_time": length_s}
    sport: Message = {"sport": "training", "sub_sport": "strength_training", "event_type": "stop", "message_index": 0}
    yield "lap", times | sport | {"event": "lap", "lap_trigger": "session_end"}
    yield (
        "session",
        times | sport | {"event": "session", "trigger": "activity_end", "first_lap_index": 0, "num_laps": 1},
    )
    offset = ended.astimezone().utcoffset() or timedelta()
    local_s = int((ended - FIT_BEGINS + offset).total_seconds())
    yield (
        "activity",
        {
            "timestamp": ended,
            "local_timestamp": local_s,
            "total_timer_time": length_s,
            "num_sessions": 1,
            "type": "manual",
            "event": "activity",
            "event_type": "stop",
        },
    )


def _file_id(stored: StoredSession, began: datetime) -> Message:
    return {
        "type": "activity",
        "manufacturer": "development",
        "product": 0,
        "serial_number": int(stored.content_hash[:7], 16) + 1,  # the same for the same recording, and never 0
        "time_created": began,
        "product_name": "imu-training",
    }


def _sets(session: CorrectedSession, moment: Any) -> Iterator[tuple[str, Message]]:
    """Give the sets and the rests between them, and the names that the person gave to exercises."""
    index = 0
    rest_since_s: float | None = None
    for part in (part for one_set in session.sets for part in _parts(one_set)):
        if rest_since_s is not None and part.start_s > rest_since_s:
            yield "set", _timed(rest_since_s, part.start_s, moment) | {"set_type": "rest", "message_index": index}
            index += 1
        category, subtype = _exercise(part)
        if part.exercise is not None:
            title: Message = {"message_index": index, "exercise_category": category}
            title |= {} if subtype is None else {"exercise_name": subtype}
            yield "exercise_title", title | {"wkt_step_name": [_shortened(part.exercise)]}
        active: Message = {"set_type": "active", "message_index": index, "repetitions": part.repetitions}
        active |= {"category": [category]} | ({} if subtype is None else {"category_subtype": [subtype]})
        if part.load_kg is not None:
            active |= {"weight": part.load_kg, "weight_display_unit": "kilogram"}
        yield "set", _timed(part.start_s, part.end_s, moment) | active
        index += 1
        rest_since_s = part.end_s


def _timed(start_s: float, end_s: float, moment: Any) -> Message:
    return {"timestamp": moment(end_s), "start_time": moment(start_s), "duration": max(0.0, end_s - start_s)}


def _records(session: CorrectedSession, moment: Any) -> Iterator[tuple[str, Message]]:
    """Give a record at each repetition with how many there were so far; an activity file has to have records."""
    ends_s = sorted(one.end_s for one_set in session.sets for one in one_set.repetitions)
    yield "record", {"timestamp": moment(_origin_s(session)), "total_cycles": 0}
    for number, end_s in enumerate(ends_s, 1):
        yield "record", {"timestamp": moment(end_s), "total_cycles": number}


def _parts(one_set: CorrectedSet) -> Iterator[_Part]:
    def entered(one: CorrectedRepetition) -> tuple[str | None, float | None]:
        return one_set.exercise_of(one), one_set.load_kg_of(one)

    for (exercise, load_kg), group in groupby(one_set.repetitions, key=entered):
        members = tuple(group)
        yield _Part(
            start_s=members[0].start_s,
            end_s=members[-1].end_s,
            repetitions=len(members),
            pattern=CorrectedSet(members).pattern,
            exercise=exercise,
            load_kg=load_kg,
        )


def _exercise(part: _Part) -> tuple[str, int | None]:
    """Return FIT's category, and the exact exercise if the person's name of it is one of FIT's."""
    from garmin_fit_sdk import Profile  # noqa: PLC0415  only this export needs it

    category = _CATEGORY[part.pattern]
    if part.exercise is None:
        return category, None
    name = re.sub(r"[^a-z0-9]+", "_", part.exercise.lower()).strip("_")
    spellings = (name, name.removesuffix("s"), f"barbell_{name}", f"barbell_{name.removesuffix('s')}")
    types: dict[str, dict[int, str]] = Profile["types"]
    lists = {
        kind.removesuffix("_exercise_name"): known for kind, known in types.items() if kind.endswith("_exercise_name")
    }
    for other in sorted(lists, key=lambda kind: kind != category):  # the pattern's own category first
        for spelling in spellings:
            for number, known in lists[other].items():
                if known == spelling and other in types["exercise_category"].values():
                    return other, number
    return category, None


def _origin_s(session: CorrectedSession) -> float:
    """Return the time on the recording's clock at which it began, as far as that can be told.

    The summary has the duration and not the first time. Where all that happened fits between 0 and the duration the
    clock began at 0; else at the first thing that happened.
    """
    measured = session.measured
    happened = [
        *((one.start_s, one.end_s) for one in session.sets),
        *((one.start_s, one.end_s) for one in measured.sets),
        *((gap.start_s, gap.end_s) for gap in measured.gaps),
        *((movement.start_s, movement.end_s) for movement in measured.rejected),
    ]
    if not happened:
        return 0.0
    first_s, last_s = min(start_s for start_s, _ in happened), max(end_s for _, end_s in happened)
    return 0.0 if first_s >= 0 and last_s <= measured.duration_s + 1.0 else first_s


def _shortened(text: str) -> str:
    """Return as much of a text as fits, in whole letters."""
    return text.encode()[:LONGEST_NAME_BYTES].decode(errors="ignore")
