"""What was measured <-> rows of the store, read back exactly as it was.

This module refuses to know what was corrected, and when to commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields
from itertools import groupby
from typing import Any

from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.samples import Gap, RowFaults
from imu.session import SessionSummary, TrainingSet

_REPETITION_COLUMNS = tuple(field.name for field in fields(Repetition))


def replace_measured(connection: sqlite3.Connection, session_id: int, summary: SessionSummary) -> None:
    """Put `summary` in the place of whatever was measured of the session before."""
    for table in ("gap", "training_set", "rejected"):  # their repetitions go with them
        connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))
    insert_rows(
        connection,
        "gap (session_id, number, start_s, end_s)",
        ((session_id, number, gap.start_s, gap.end_s) for number, gap in enumerate(summary.gaps, 1)),
    )
    insert_rows(
        connection,
        "training_set (session_id, number, start_s, end_s, pattern)",
        ((session_id, number, s.start_s, s.end_s, s.pattern) for number, s in enumerate(summary.sets, 1)),
    )
    insert_rows(
        connection,
        "rejected (session_id, number, start_s, end_s, reason, counting_log_odds)",
        (
            (session_id, number, one.start_s, one.end_s, one.reason, one.counting_log_odds)
            for number, one in enumerate(summary.rejected, 1)
        ),
    )
    figures = ", ".join(_REPETITION_COLUMNS)
    insert_rows(
        connection,
        f"repetition (session_id, set_number, number, {figures})",
        (
            (session_id, set_number, number, *_repetition_row(repetition))
            for set_number, training_set in enumerate(summary.sets, 1)
            for number, repetition in enumerate(training_set.repetitions, 1)
        ),
    )
    insert_rows(
        connection,
        f"repetition (session_id, rejected_number, number, {figures})",
        (
            (session_id, rejected_number, 1, *_repetition_row(movement.repetition))
            for rejected_number, movement in enumerate(summary.rejected, 1)
            if movement.repetition is not None
        ),
    )


def insert_rows(connection: sqlite3.Connection, table_and_columns: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert `rows` into a table, given with the columns in brackets."""
    marks = ", ".join("?" * (table_and_columns.count(",") + 1))
    connection.executemany(f"INSERT INTO {table_and_columns} VALUES ({marks})", rows)


def load_summary(connection: sqlite3.Connection, session_id: int) -> SessionSummary:
    """Return the summary, equal (``==``) to the one that was saved."""
    duration_s, sampling_rate_hz, samples, *faults = connection.execute(
        "SELECT duration_s, sampling_rate_hz, samples, "
        "rows_repeated, rows_out_of_order, rows_not_finite, rows_clipped FROM session WHERE id = ?",
        (session_id,),
    ).fetchone()
    return SessionSummary(
        duration_s=duration_s,
        sampling_rate_hz=sampling_rate_hz,
        samples=samples,
        gaps=_load_gaps(connection, session_id),
        faults=RowFaults(*faults),
        sets=_load_sets(connection, session_id),
        rejected=_load_rejected(connection, session_id),
    )


def _load_gaps(connection: sqlite3.Connection, session_id: int) -> tuple[Gap, ...]:
    rows = connection.execute("SELECT start_s, end_s FROM gap WHERE session_id = ? ORDER BY number", (session_id,))
    return tuple(Gap(start_s, end_s) for start_s, end_s in rows)


def _load_sets(connection: sqlite3.Connection, session_id: int) -> tuple[TrainingSet, ...]:
    rows = connection.execute(
        f"SELECT set_number, {', '.join(_REPETITION_COLUMNS)} FROM repetition "
        "WHERE session_id = ? AND set_number IS NOT NULL ORDER BY set_number, number",
        (session_id,),
    )
    return tuple(
        TrainingSet(tuple(_repetition(figures) for _, *figures in rows_of_set))
        for _, rows_of_set in groupby(rows, key=lambda row: row[0])
    )


def _load_rejected(connection: sqlite3.Connection, session_id: int) -> tuple[RejectedMovement, ...]:
    announced = connection.execute(
        f"SELECT rejected_number, {', '.join(_REPETITION_COLUMNS)} FROM repetition "
        "WHERE session_id = ? AND rejected_number IS NOT NULL",
        (session_id,),
    )
    repetition_of = {number: _repetition(figures) for number, *figures in announced}
    rows = connection.execute(
        "SELECT number, start_s, end_s, reason, counting_log_odds FROM rejected WHERE session_id = ? ORDER BY number",
        (session_id,),
    )
    return tuple(
        RejectedMovement(start_s, end_s, reason, repetition_of.get(number), log_odds)
        for number, start_s, end_s, reason, log_odds in rows
    )


def _repetition_row(repetition: Repetition) -> tuple[object, ...]:
    return tuple(getattr(repetition, column) for column in _REPETITION_COLUMNS)


def _repetition(row: Sequence[Any]) -> Repetition:
    figures = dict(zip(_REPETITION_COLUMNS, row, strict=True))
    standing = figures["drop_from_standing"]
    figures |= {
        "pattern": Pattern(figures["pattern"]),
        "drop_from_standing": None if standing is None else bool(standing),
    }
    return Repetition(**figures)
