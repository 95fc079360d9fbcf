"""The file of the session store: how it came to be as ``schema.sql`` describes it, and what to say when it is not ours.

This module refuses to know what a session is; it runs numbered migrations, each kept whole or not at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from imu.errors import StoreDamaged

APPLICATION_ID = 0x494D5531
"""Marks a SQLite file as ours ("IMU1"), so that no migration ever touches the file of another program."""

MIGRATIONS = (
    """
    CREATE TABLE session (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        content_hash TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        saved_at TEXT NOT NULL,
        started_at TEXT,
        trained_at TEXT NOT NULL GENERATED ALWAYS AS (coalesce(started_at, saved_at)) VIRTUAL,
        software_version TEXT NOT NULL,
        duration_s REAL NOT NULL,
        sampling_rate_hz REAL,
        samples INTEGER NOT NULL,
        rows_repeated INTEGER NOT NULL,
        rows_out_of_order INTEGER NOT NULL,
        rows_not_finite INTEGER NOT NULL,
        rows_clipped INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX session_by_time ON session (trained_at);
    CREATE TABLE gap (
        session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        number INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        PRIMARY KEY (session_id, number),
        CHECK (start_s < end_s)
    ) STRICT;
    CREATE TABLE training_set (
        session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        number INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        pattern TEXT NOT NULL CHECK (pattern IN ('squat', 'hinge', 'mixed', 'uncertain')),
        PRIMARY KEY (session_id, number)
    ) STRICT;
    CREATE TABLE rejected (
        session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        number INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (session_id, number)
    ) STRICT;
    CREATE TABLE repetition (
        session_id INTEGER NOT NULL,
        set_number INTEGER,
        rejected_number INTEGER,
        number INTEGER NOT NULL,
        start_s REAL NOT NULL,
        bottom_s REAL NOT NULL,
        end_s REAL NOT NULL,
        confirmed_s REAL NOT NULL,
        pattern TEXT NOT NULL CHECK (pattern IN ('squat', 'hinge', 'uncertain')),
        confidence REAL NOT NULL CHECK (confidence BETWEEN 0 AND 1),
        trunk_angle_rad REAL NOT NULL,
        hip_drop_m REAL NOT NULL,
        eccentric_s REAL NOT NULL,
        pause_s REAL NOT NULL,
        concentric_s REAL NOT NULL,
        mean_concentric_velocity_m_s REAL NOT NULL,
        peak_concentric_velocity_m_s REAL NOT NULL,
        angle_at_bottom_rad REAL NOT NULL,
        sideways_tilt_rad REAL NOT NULL,
        turn_rad REAL NOT NULL,
        trunk_lead_s REAL NOT NULL,
        FOREIGN KEY (session_id, set_number) REFERENCES training_set (session_id, number) ON DELETE CASCADE,
        FOREIGN KEY (session_id, rejected_number) REFERENCES rejected (session_id, number) ON DELETE CASCADE,
        UNIQUE (session_id, set_number, number),
        UNIQUE (session_id, rejected_number),
        CHECK ((set_number IS NULL) <> (rejected_number IS NULL)),
        CHECK (start_s < bottom_s AND bottom_s < end_s AND end_s <= confirmed_s)
    ) STRICT;
    CREATE TRIGGER gap_is_measured BEFORE UPDATE ON gap
    BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;
    CREATE TRIGGER training_set_is_measured BEFORE UPDATE ON training_set
    BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;
    CREATE TRIGGER rejected_is_measured BEFORE UPDATE ON rejected
    BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;
    CREATE TRIGGER repetition_is_measured BEFORE UPDATE ON repetition
    BEGIN SELECT RAISE(ABORT, 'what was measured is never changed'); END;
    """,
    """
    CREATE TABLE correction (
        session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        number INTEGER NOT NULL,
        made_at TEXT NOT NULL,
        what TEXT NOT NULL CHECK (json_valid(what)),
        undone INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1)),
        PRIMARY KEY (session_id, number)
    ) STRICT;
    CREATE TABLE corrected_set (
        session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        number INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        pattern TEXT NOT NULL CHECK (pattern IN ('squat', 'hinge', 'mixed', 'uncertain')),
        exercise TEXT,
        load_kg REAL,
        note TEXT,
        PRIMARY KEY (session_id, number)
    ) STRICT;
    CREATE TABLE corrected_repetition (
        session_id INTEGER NOT NULL,
        set_number INTEGER NOT NULL,
        number INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        pattern TEXT NOT NULL CHECK (pattern IN ('squat', 'hinge', 'uncertain')),
        exercise TEXT,
        load_kg REAL,
        note TEXT,
        measured_set_number INTEGER,
        measured_number INTEGER,
        measured_rejected_number INTEGER,
        PRIMARY KEY (session_id, set_number, number),
        FOREIGN KEY (session_id, set_number) REFERENCES corrected_set (session_id, number) ON DELETE CASCADE,
        CHECK ((measured_set_number IS NULL) = (measured_number IS NULL)),
        CHECK (measured_set_number IS NULL OR measured_rejected_number IS NULL)
    ) STRICT;
    CREATE VIEW counted_set AS
        SELECT session_id, number, start_s, end_s, pattern,
               NULL AS exercise, NULL AS load_kg, NULL AS note
        FROM training_set
        WHERE session_id NOT IN (SELECT session_id FROM correction WHERE undone = 0)
        UNION ALL
        SELECT session_id, number, start_s, end_s, pattern, exercise, load_kg, note
        FROM corrected_set;
    CREATE VIEW counted_repetition AS
        SELECT session_id, set_number, number, start_s, end_s, pattern,
               NULL AS exercise, NULL AS load_kg, NULL AS note,
               trunk_angle_rad, hip_drop_m, mean_concentric_velocity_m_s
        FROM repetition
        WHERE set_number IS NOT NULL
          AND session_id NOT IN (SELECT session_id FROM correction WHERE undone = 0)
        UNION ALL
        SELECT c.session_id, c.set_number, c.number, c.start_s, c.end_s, c.pattern, c.exercise, c.load_kg, c.note,
               m.trunk_angle_rad, m.hip_drop_m, m.mean_concentric_velocity_m_s
        FROM corrected_repetition AS c
        LEFT JOIN repetition AS m ON m.session_id = c.session_id AND (
            (m.set_number = c.measured_set_number AND m.number = c.measured_number)
            OR m.rejected_number = c.measured_rejected_number);
    """,
    """
    ALTER TABLE repetition ADD COLUMN counting_log_odds REAL;
    ALTER TABLE rejected ADD COLUMN counting_log_odds REAL;
    CREATE TABLE learning (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        switched_on INTEGER NOT NULL CHECK (switched_on IN (0, 1)),
        since TEXT
    ) STRICT;
    INSERT INTO learning VALUES (1, 1, NULL);
    """,
    """
    ALTER TABLE repetition ADD COLUMN hinge_log_odds REAL;
    ALTER TABLE repetition ADD COLUMN drop_from_standing INTEGER;
    """,
)
"""Number n, counted from 1, takes a store from version n - 1 to n. A released one is never edited; add the next."""

NOT_WRITABLE = "{path} cannot be opened or written; allow writing to it and its folder, or name another in IMU_HOME"
DAMAGED = "{path} is damaged; put back a copy, or move it elsewhere and run `imu replay --save` on your recordings"
FOREIGN = "{path} is not a session store; move it elsewhere, and a new store is started in its place"
_ADVICE = {
    sqlite3.SQLITE_NOTADB: FOREIGN,
    sqlite3.SQLITE_READONLY: NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: NOT_WRITABLE,
    sqlite3.SQLITE_PERM: NOT_WRITABLE,
    sqlite3.SQLITE_FULL: "the disk is full and nothing was changed in {path}; free some space and do it again",
    sqlite3.SQLITE_IOERR: "{path} cannot be read or written; check that its disk is connected, and do it again",
    sqlite3.SQLITE_BUSY: "{path} is in use by another program; wait for it or close it, and do it again",
}


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the file, inside a transaction; refuse what is not ours or newer than we are."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise StoreDamaged(FOREIGN.format(path=path))
    if version > len(MIGRATIONS):
        raise StoreDamaged(
            f"{path} was written by a newer version of this program (its schema is {version}, "
            f"this program knows {len(MIGRATIONS)}); update the program"
        )
    return int(version)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest version, each step in one transaction; a file that is up to date is only read."""
    with transaction(connection, "DEFERRED"):
        version = _version(connection, path)
    while version < len(MIGRATIONS):
        with transaction(connection, "IMMEDIATE"):
            version = _version(connection, path)  # another program may have been quicker
            if version < len(MIGRATIONS):
                for statement in _statements(MIGRATIONS[version]):
                    connection.execute(statement)
                version += 1
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {version}")


def _statements(script: str) -> Iterator[str]:
    """Cut a script at the ends of its statements, for `executescript` would commit before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise ValueError(f"a migration ends in the middle of a statement: {statement.strip()!r}")


@contextmanager
def transaction(connection: sqlite3.Connection, kind: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
    """Commit at the end, or roll back whatever interrupts."""
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
    """Turn what SQLite says about the file into one sentence for the person; let what we did wrong pass."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # absent: text that is not UTF-8
        primary_code = code & 0xFF
        raise StoreDamaged(_ADVICE.get(primary_code, DAMAGED).format(path=path)) from error
    except UnicodeDecodeError as error:  # even SQLite's own message, when it quotes a damaged schema
        raise StoreDamaged(DAMAGED.format(path=path)) from error
