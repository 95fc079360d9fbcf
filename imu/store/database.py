"""The SQLite file of the session store: version, schema, transactions, what to say when it fails, and the rows.

`schema.sql` describes the file. A new file gets the schema at once. A file of another version is refused and left
untouched: version 0.1.0 was never released, so no file has to be converted.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from imu.errors import StoreDamaged
from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.samples import Gap, RowFaults
from imu.session import SessionSummary, TrainingSet
from imu.store.corrected_session import CorrectedRepetition, CorrectedSession, PlannedSet, apply_corrections
from imu.store.corrections import Correction, from_object, to_object

APPLICATION_ID = 0x494D5531
"""Marks a SQLite file as a session store ("IMU1"), so that the file of another program is never changed."""
SCHEMA_VERSION = 7
"""Version of `schema.sql`. Versions 1 to 5 were those of development."""
UNPACKED = ".restoring-"
"""Beginning of the name of the folder beside the store in which a backup is unpacked."""

NOT_WRITABLE = "{path} cannot be opened or written; allow writing to it and its folder, or name another in IMU_HOME"
DAMAGED = "{path} is damaged; put back a copy, or move it elsewhere and run `imu replay --save` on your recordings"
FOREIGN = "{path} is not a session store; move it elsewhere, and a new store is started in its place"
NEWER = (
    "{path} was written by a newer version of this program (its schema is {version}, this program reads {own}); "
    "update the program"
)
OLDER = (
    "{path} was written by an older version of this program (its schema is {version}, this program reads {own}); "
    "move it elsewhere and run `imu replay --save` on your recordings"
)
ALTERED = "{path} does not have the tables and triggers of this program ({what}); another program has changed it"
_ADVICE = {
    sqlite3.SQLITE_NOTADB: FOREIGN,
    sqlite3.SQLITE_READONLY: NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: NOT_WRITABLE,
    sqlite3.SQLITE_PERM: NOT_WRITABLE,
    sqlite3.SQLITE_FULL: "the disk is full and nothing was changed in {path}; free some space and do it again",
    sqlite3.SQLITE_IOERR: "{path} cannot be read or written; check that its disk is connected, and do it again",
    sqlite3.SQLITE_BUSY: "{path} is in use by another program; wait for it or close it, and do it again",
}

Schema = dict[tuple[str, str], str]
"""Kind and name of each table, index, trigger and view -> its SQL without needless blanks."""


def connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the file, or create it; call this inside `explained`.

    Raises
    ------
    StoreDamaged
        If the file belongs to another program or has another version.
    """
    connection = sqlite3.connect(path.absolute(), timeout=busy_timeout_s, isolation_level=None)
    try:
        create_or_check(connection, path)
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def create_or_check(connection: sqlite3.Connection, path: Path) -> None:
    """Create the schema in an empty file, in one transaction; only read a file that has it."""
    with transaction(connection, "DEFERRED"):
        is_empty = _is_empty(connection, path)
    if is_empty:
        with transaction(connection, "IMMEDIATE"):
            if _is_empty(connection, path):  # another program may have been quicker
                _create(connection)


def _is_empty(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file has no content, inside a transaction; refuse a foreign file and another version."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not objects and version in (0, SCHEMA_VERSION):
        return True
    if application_id != APPLICATION_ID:
        raise StoreDamaged(FOREIGN.format(path=path))
    if version != SCHEMA_VERSION:
        sentence = NEWER if version > SCHEMA_VERSION else OLDER
        raise StoreDamaged(sentence.format(path=path, version=version, own=SCHEMA_VERSION))
    return False


def _create(connection: sqlite3.Connection) -> None:
    """Run `schema.sql`, statement by statement: `executescript` would commit first."""
    script = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line.split("--")[0].rstrip() + "\n"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def schema_of(connection: sqlite3.Connection) -> Schema:
    """Return all tables, indexes, triggers and views; the statistics that ANALYZE collects are left out."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT IN (?, ?)", _STATISTICS)
    return {(kind, name): re.sub(r"\s+", " ", sql or "").strip() for kind, name, sql in rows}


_STATISTICS = ("sqlite_stat1", "sqlite_stat4")


@cache
def _own_schema() -> tuple[tuple[tuple[str, str], str], ...]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _create(connection)
        return tuple(schema_of(connection).items())


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file has exactly the tables, indexes, triggers and views of `schema.sql`.

    A foreign trigger in a file from elsewhere could change whatever is saved later.

    Raises
    ------
    StoreDamaged
        If it has others; the sentence names the first.
    """
    own, present = dict(_own_schema()), schema_of(connection)
    different = sorted(key for key in own.keys() | present.keys() if own.get(key) != present.get(key))
    if different:
        kind, name = different[0]
        shown = "".join(letter if letter.isprintable() else "?" for letter in name[:60])
        raise StoreDamaged(ALTERED.format(path=path, what=f"{kind} {shown}"))


@contextmanager
def transaction(connection: sqlite3.Connection, kind: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
    """Commit at the end, or roll back on any interruption."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk makes SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Translate SQLite's errors about the file into one sentence; let errors of this program pass."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # absent: text that is not UTF-8
        primary_code = code & 0xFF
        raise StoreDamaged(_ADVICE.get(primary_code, DAMAGED).format(path=path)) from error
    except UnicodeDecodeError as error:  # SQLite's own message may quote a damaged schema
        raise StoreDamaged(DAMAGED.format(path=path)) from error


def to_text(moment: datetime) -> str:
    """Return a moment as UTC text of one length, whose order is that in time.

    Raises
    ------
    ValueError
        If it has no time zone.
    """
    if moment.utcoffset() is None:
        raise ValueError(f"a time needs a time zone, got {moment!r}")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def from_text(text: str) -> datetime:
    """Return the moment that `to_text` wrote.

    Raises
    ------
    ValueError
        If the text is not a moment with a time zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError(f"a time needs a time zone, got {text!r}")
    return moment


_REPETITION_COLUMNS = tuple(field.name for field in fields(Repetition))

# --- rows of sessions ------------------------------------------------------------------------------------------------


def upsert_session(connection: sqlite3.Connection, session: dict[str, object]) -> tuple[int, bool]:
    """Insert or update a session; return its number and whether it is new.

    INSERT ... ON CONFLICT would use up a number each time.
    """
    known = connection.execute("SELECT id FROM session WHERE content_hash = :content_hash", session).fetchone()
    if known is None:
        names = ", ".join(session)
        values = ", ".join(f":{name}" for name in session)
        sql = f"INSERT INTO session ({names}) VALUES ({values}) RETURNING id"
    else:
        set_once = {"content_hash", "saved_at", "started_at"}
        replaced = ", ".join(f"{name} = :{name}" for name in session if name not in set_once)
        sql = (
            f"UPDATE session SET {replaced}, started_at = coalesce(:started_at, started_at) "
            "WHERE content_hash = :content_hash RETURNING id"
        )
    (session_id,) = connection.execute(sql, session).fetchone()
    return int(session_id), known is None


# --- measured --------------------------------------------------------------------------------------------------------


def replace_measured(connection: sqlite3.Connection, session_id: int, summary: SessionSummary) -> None:
    """Replace all that was measured of a session by `summary`."""
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
            (session_id, number, movement.start_s, movement.end_s, movement.reason, movement.counting_log_odds)
            for number, movement in enumerate(summary.rejected, 1)
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


def insert_rows(connection: sqlite3.Connection, table_and_columns: str, rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows into a table, which is given with its columns in brackets."""
    marks = ", ".join("?" * (table_and_columns.count(",") + 1))
    connection.executemany(f"INSERT INTO {table_and_columns} VALUES ({marks})", map(finite, rows))


def finite(row: Sequence[Any]) -> Sequence[Any]:
    """Return a row as it is; raise ValueError if it holds an infinite number, which no recording gives.

    NaN needs no check: SQLite takes it for NULL and refuses it.
    """
    if any(isinstance(value, float) and math.isinf(value) for value in row):
        raise ValueError(f"a number is not finite: {row}")
    return row


def load_summary(connection: sqlite3.Connection, session_id: int) -> SessionSummary:
    """Return the summary, equal (``==``) to the one that was saved."""
    duration_s, sampling_rate_hz, samples, *faults = connection.execute(
        "SELECT duration_s, sampling_rate_hz, samples, "
        "rows_repeated, rows_out_of_order, rows_not_finite, rows_clipped FROM session WHERE id = ?",
        (session_id,),
    ).fetchone()
    finite((duration_s, sampling_rate_hz))
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
    return tuple(Gap(start_s, end_s) for start_s, end_s in map(finite, rows))


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
        for number, start_s, end_s, reason, log_odds in map(finite, rows)
    )


def _repetition_row(repetition: Repetition) -> tuple[object, ...]:
    return tuple(getattr(repetition, column) for column in _REPETITION_COLUMNS)


def _repetition(row: Sequence[Any]) -> Repetition:
    figures = dict(zip(_REPETITION_COLUMNS, finite(row), strict=True))
    standing = figures["drop_from_standing"]
    figures |= {
        "pattern": Pattern(figures["pattern"]),
        "drop_from_standing": None if standing is None else bool(standing),
    }
    return Repetition(**figures)


# --- planned ---------------------------------------------------------------------------------------------------------

_PLANNED_COLUMNS = tuple(field.name for field in fields(PlannedSet))


def replace_planned(connection: sqlite3.Connection, session_id: int, planned: Iterable[PlannedSet]) -> None:
    """Replace the plans of the sets of a session."""
    connection.execute("DELETE FROM planned_set WHERE session_id = ?", (session_id,))
    insert_rows(
        connection,
        f"planned_set (session_id, number, {', '.join(_PLANNED_COLUMNS)})",
        (
            (session_id, number, *(getattr(plan, column) for column in _PLANNED_COLUMNS))
            for number, plan in enumerate(planned, 1)
        ),
    )


def load_planned(connection: sqlite3.Connection, session_id: int) -> tuple[PlannedSet, ...]:
    """Return the plans of the sets of a session.

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    rows = connection.execute(
        f"SELECT {', '.join(_PLANNED_COLUMNS)} FROM planned_set WHERE session_id = ? ORDER BY number", (session_id,)
    )
    planned = (dict(zip(_PLANNED_COLUMNS, finite(row), strict=True)) for row in rows)
    return tuple(PlannedSet(**values | {"load_in_lb": bool(values["load_in_lb"])}) for values in planned)


# --- corrected -------------------------------------------------------------------------------------------------------


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
    """Add a correction to the log, and delete those that were undone."""
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
    """Mark the last correction as undone; return it, or ``None`` without one."""
    return _turn(connection, session_id, "max", undone=True)


def redo(connection: sqlite3.Connection, session_id: int) -> Correction | None:
    """Restore the correction that was undone last; return it, or ``None`` without one."""
    return _turn(connection, session_id, "min", undone=False)


def _turn(connection: sqlite3.Connection, session_id: int, which: str, *, undone: bool) -> Correction | None:
    row = connection.execute(
        f"UPDATE correction SET undone = :undone WHERE session_id = :session_id AND number = (SELECT {which}(number) "
        "FROM correction WHERE session_id = :session_id AND undone <> :undone) RETURNING what",
        {"session_id": session_id, "undone": undone},
    ).fetchone()
    return None if row is None else from_object(json.loads(row[0]))


def replace_corrected(connection: sqlite3.Connection, session_id: int, summary: SessionSummary) -> None:
    """Recompute the corrected tables of a session from its measured summary."""
    connection.execute("DELETE FROM corrected_set WHERE session_id = ?", (session_id,))  # its repetitions go with it
    log, planned = load_log(connection, session_id), load_planned(connection, session_id)
    if log or planned:
        _insert_corrected(connection, session_id, apply_corrections(summary, log, planned))


def _insert_corrected(connection: sqlite3.Connection, session_id: int, session: CorrectedSession) -> None:
    insert_rows(
        connection,
        "corrected_set (session_id, number, start_s, end_s, pattern, exercise, load_kg, load_in_lb, note)",
        (
            (
                *(session_id, number, one_set.start_s, one_set.end_s, one_set.pattern),
                *(one_set.exercise, one_set.load_kg, one_set.load_in_lb, one_set.note),
            )
            for number, one_set in enumerate(session.sets, 1)
        ),
    )
    measured_at = _places_of_measured(session.measured)
    insert_rows(
        connection,
        "corrected_repetition (session_id, set_number, number, start_s, end_s, pattern, exercise, load_kg, load_in_lb, "
        "note, measured_set_number, measured_number, measured_rejected_number)",
        (
            (
                *(session_id, set_number, number, repetition.start_s, repetition.end_s, repetition.pattern),
                *(one_set.exercise_of(repetition), *one_set.load_of(repetition), repetition.note),
                *_place_of(repetition, measured_at),
            )
            for set_number, one_set in enumerate(session.sets, 1)
            for number, repetition in enumerate(one_set.repetitions, 1)
        ),
    )


_Place = tuple[int | None, int | None, int | None]
"""Number of the measured set, of the repetition in it, and of the rejected movement; ``None`` where not applicable."""


def _places_of_measured(summary: SessionSummary) -> dict[int, _Place]:
    """Return the place of each measured repetition by its identity, since two may be equal."""
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
