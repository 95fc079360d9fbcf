"""What the store knows of the person: the sessions to learn from, and whether and since when learning is wanted.

Nothing that was learnt is kept: it follows from the corrections, so undoing one unlearns it. This module refuses to
know when to commit.
"""

from __future__ import annotations

import sqlite3

from imu.session import TAKEN_BACK
from imu.store.applying import apply_corrections
from imu.store.correction_log import load_log
from imu.store.corrections import AddRepetition, ChangePattern, DeleteRepetition, kind_of
from imu.store.learning import RECENT_SESSIONS, Lesson, learn, lesson_of
from imu.store.measured import load_summary
from imu.store.stored import KnownOfPerson, from_text

_TELLING = tuple(kind_of(kind) for kind in (AddRepetition, ChangePattern, DeleteRepetition))
"""Corrections that say whether something was a repetition, or of which pattern; names and loads say nothing of that."""


def known_of_person(connection: sqlite3.Connection) -> KnownOfPerson:
    """Return what was learnt of the person, and whether it is used."""
    switched_on, since = connection.execute("SELECT switched_on, since FROM learning").fetchone()
    lessons = [_lesson(connection, number) for number in _corrected_sessions(connection, since or "")]
    return KnownOfPerson(learn(lessons), bool(switched_on), None if since is None else from_text(since))


def forget(connection: sqlite3.Connection, until: str) -> None:
    """Learn no more from what was corrected until a moment."""
    connection.execute("UPDATE learning SET since = ?", (until,))


def switch(connection: sqlite3.Connection, *, on: bool) -> None:
    """Use what is learnt from now on, or do not."""
    connection.execute("UPDATE learning SET switched_on = ?", (on,))


def _corrected_sessions(connection: sqlite3.Connection, since: str) -> list[int]:
    """Return the last sessions that were corrected after a moment, or in which the person took a repetition back.

    One that had been corrected before as well is none of them: its earlier corrections would be learnt from again.
    """
    marks = ", ".join("?" * len(_TELLING))
    rows = connection.execute(
        f"""
        SELECT id FROM session WHERE id IN (
            SELECT session_id FROM correction
            WHERE undone = 0 AND json_extract(what, '$.kind') IN ({marks})
            GROUP BY session_id HAVING min(made_at) > ?
            UNION
            SELECT session_id FROM rejected JOIN session ON session.id = session_id
            WHERE reason = ? AND saved_at > ?)
        ORDER BY trained_at DESC, id DESC LIMIT ?
        """,
        (*_TELLING, since, TAKEN_BACK, since, RECENT_SESSIONS),
    )
    return [number for (number,) in rows]


def _lesson(connection: sqlite3.Connection, number: int) -> Lesson:
    return lesson_of(apply_corrections(load_summary(connection, number), load_log(connection, number)))
