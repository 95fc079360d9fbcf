"""The SQLite file of the session store: creation, version, schema, transactions, and what to say when it fails.

`schema.sql` describes the file. A new file gets the schema at once. A file of another version is refused and left
untouched: version 0.1.0 was never released, so no file has to be converted.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

from imu.errors import StoreDamaged

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
