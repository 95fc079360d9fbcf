"""The log of a session's corrections, and what counts because of it <-> rows of the store.

The log is what is kept. ``corrected_set`` and ``corrected_repetition`` are worked out of it and of what was measured,
anew whenever either changes, so that totals over many sessions are a matter of SQL.

This module refuses to know when to commit.
"""

from __future__ import annotations

import json
import sqlite3

from imu.session import SessionSummary
from imu.store.applying import apply_corrections
from imu.store.corrected import CorrectedRepetition, CorrectedSession
from imu.store.corrections import Correction, from_object, to_object
from imu.store.measured import insert_rows


def load_log(connection: sqlite3.Connection, session_id: int, *, undone: bool = False) -> tuple[Correction, ...]:
    """Return the corrections that count, or those that were undone, in the order in which they were made.

    Raises
    ------
    ValueError
        If one cannot be read.
    """
    rows = connection.execute(
        "SELECT what FROM correction WHERE session_id = ? AND undone = ? ORDER BY number", (session_id, undone)
    )
    return tuple(from_object(json.loads(what)) for (what,) in rows)


def append(connection: sqlite3.Connection, session_id: int, correction: Correction, made_at: str) -> None:
    """Add a correction to the log; those that were undone are forgotten."""
    connection.execute("DELETE FROM correction WHERE session_id = ? AND undone = 1", (session_id,))
    connection.execute(
        "INSERT INTO correction (session_id, number, made_at, what) VALUES (:session_id, "
        "(SELECT coalesce(max(number), 0) + 1 FROM correction WHERE session_id = :session_id), :made_at, :what)",
        {
            "session_id": session_id,
            "made_at": made_at,
            "what": json.dumps(to_object(correction), ensure_ascii=False, allow_nan=False),
        },
    )


def undo(connection: sqlite3.Connection, session_id: int) -> Correction | None:
    """Let the last correction that counts count no more; return it, or ``None`` if there is none."""
    return _turn(connection, session_id, "max", undone=True)


def redo(connection: sqlite3.Connection, session_id: int) -> Correction | None:
    """Let the last one that was undone count again; return it, or ``None`` if there is none."""
    return _turn(connection, session_id, "min", undone=False)


def _turn(connection: sqlite3.Connection, session_id: int, which: str, *, undone: bool) -> Correction | None:
    row = connection.execute(
        f"UPDATE correction SET undone = :undone WHERE session_id = :session_id AND number = (SELECT {which}(number) "
        "FROM correction WHERE session_id = :session_id AND undone <> :undone) RETURNING what",
        {"session_id": session_id, "undone": undone},
    ).fetchone()
    return None if row is None else from_object(json.loads(row[0]))


def replace_corrected(connection: sqlite3.Connection, session_id: int, summary: SessionSummary) -> None:
    """Work out anew what counts of a session of which `summary` was measured."""
    connection.execute("DELETE FROM corrected_set WHERE session_id = ?", (session_id,))  # its repetitions go with it
    log = load_log(connection, session_id)
    if log:
        _insert_corrected(connection, session_id, apply_corrections(summary, log))


def _insert_corrected(connection: sqlite3.Connection, session_id: int, session: CorrectedSession) -> None:
    insert_rows(
        connection,
        "corrected_set (session_id, number, start_s, end_s, pattern, exercise, load_kg, note)",
        (
            (session_id, number, one.start_s, one.end_s, one.pattern, one.exercise, one.load_kg, one.note)
            for number, one in enumerate(session.sets, 1)
        ),
    )
    measured_at = _places_of_measured(session.measured)
    insert_rows(
        connection,
        "corrected_repetition (session_id, set_number, number, start_s, end_s, pattern, exercise, load_kg, note, "
        "measured_set_number, measured_number, measured_rejected_number)",
        (
            (
                *(session_id, set_number, number, one.start_s, one.end_s, one.pattern),
                *(one_set.exercise_of(one), one_set.load_kg_of(one), one.note),
                *_place_of(one, measured_at),
            )
            for set_number, one_set in enumerate(session.sets, 1)
            for number, one in enumerate(one_set.repetitions, 1)
        ),
    )


_Place = tuple[int | None, int | None, int | None]
"""Number of the measured set, of the repetition in it, and of the rejected movement; what is not so is ``None``."""


def _places_of_measured(summary: SessionSummary) -> dict[int, _Place]:
    """Return where each measured repetition stands, by its identity: two may be equal."""
    places: dict[int, _Place] = {}
    for set_number, one_set in enumerate(summary.sets, 1):
        for number, repetition in enumerate(one_set.repetitions, 1):
            places[id(repetition)] = (set_number, number, None)
    for rejected_number, movement in enumerate(summary.rejected, 1):
        if movement.repetition is not None:
            places[id(movement.repetition)] = (None, None, rejected_number)
    return places


def _place_of(one: CorrectedRepetition, places: dict[int, _Place]) -> _Place:
    return (None, None, None) if one.measured is None else places[id(one.measured)]
