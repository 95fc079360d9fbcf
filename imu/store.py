"""The session store: what every session showed, kept in one SQLite file, and read back exactly as it was.

`schema.sql` beside this file explains the tables. Several programs may use one store at once: each save is one
transaction, waits for its turn, and is kept whole or not at all.

This module refuses to know what a repetition is, where a recording comes from and what time it is.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, Self

from imu.errors import RecordingDamaged, SessionNotFound, StoreDamaged
from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.samples import Gap, RowFaults
from imu.session import SessionSummary, TrainingSet

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
)
"""Number n, counted from 1, takes a store from version n - 1 to n. A released one is never edited; add the next."""

_LARGEST_ID = 2**63 - 1
_REPETITION_COLUMNS = tuple(field.name for field in fields(Repetition))

_NOT_WRITABLE = "{path} cannot be opened or written; allow writing to it and its folder, or name another in IMU_HOME"
_DAMAGED = "{path} is damaged; put back a copy, or move it elsewhere and run `imu replay --save` on your recordings"
_FOREIGN = "{path} is not a session store; move it elsewhere, and a new store is started in its place"
_ADVICE = {
    sqlite3.SQLITE_NOTADB: _FOREIGN,
    sqlite3.SQLITE_READONLY: _NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _NOT_WRITABLE,
    sqlite3.SQLITE_PERM: _NOT_WRITABLE,
    sqlite3.SQLITE_FULL: "the disk is full and nothing was changed in {path}; free some space and do it again",
    sqlite3.SQLITE_IOERR: "{path} cannot be read or written; check that its disk is connected, and do it again",
    sqlite3.SQLITE_BUSY: "{path} is in use by another program; wait for it or close it, and do it again",
}


@dataclass(frozen=True, slots=True)
class SessionOverview:
    """One line of the list of sessions.

    Attributes
    ----------
    id : int
        Number of the session; never given to another one, even once it is deleted.
    saved_at, trained_at : datetime
        When it was saved first; when it was recorded, or where the recording does not say, `saved_at`. UTC.
    source : str
        Path of the recording when it was last saved.
    duration_s : float
        From the first to the last sample.
    sets, squats, hinges, uncertain : int
        Sets, and repetitions in them by pattern.
    """

    id: int
    saved_at: datetime
    trained_at: datetime
    source: str
    duration_s: float
    sets: int
    squats: int
    hinges: int
    uncertain: int


@dataclass(frozen=True, slots=True)
class StoredSession:
    """One session as it was saved.

    Attributes
    ----------
    id : int
        Number of the session.
    content_hash : str
        SHA-256 of the recording, see `hash_of`.
    source : str
        Path of the recording when it was last saved.
    saved_at : datetime
        When it was saved first, UTC.
    started_at : datetime or None
        When it was recorded, UTC; ``None`` where the recording does not say.
    software_version : str
        Of the program that measured `summary`.
    summary : SessionSummary
        Equal (``==``) to the one that was saved.
    """

    id: int
    content_hash: str
    source: str
    saved_at: datetime
    started_at: datetime | None
    software_version: str
    summary: SessionSummary


@dataclass(frozen=True, slots=True)
class Balance:
    """Squats against hinges over the last days.

    Attributes
    ----------
    days : int
        How many times 24 hours back.
    squats, hinges : int
        Repetitions in sets; uncertain ones are in neither.
    """

    days: int
    squats: int
    hinges: int


class SessionStore:
    """The sessions kept in one SQLite file. Use it as a context manager and in the thread that opened it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Take over an open and migrated connection; see `open`."""
        self._path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, busy_timeout_s: float = 10.0) -> Self:
        """Open the store at `path`; create it and its folder if need be, and bring an older one up to date.

        Parameters
        ----------
        path : Path
            The SQLite file.
        busy_timeout_s : float
            How long to wait while another program writes. A save takes
            milliseconds, so 10 s is ample even on a slow disk.

        Raises
        ------
        StoreDamaged
            If the file is not a store, is damaged, in use, or newer than this program, or cannot be read or written. It
            is left as it was.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreDamaged(_NOT_WRITABLE.format(path=path)) from error
        with _explained(path):
            connection = sqlite3.connect(path.absolute(), timeout=busy_timeout_s, isolation_level=None)
            try:
                _migrate(connection, path)
                # After the migrations: one that rebuilds a table must not set off the deletions that cascade from it.
                connection.execute("PRAGMA foreign_keys = ON")
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def save(
        self,
        summary: SessionSummary,
        source: str | Path,
        content_hash: str,
        *,
        saved_at: datetime,
        software_version: str,
        started_at: datetime | None = None,
    ) -> int:
        """Keep a session, and return its number.

        A recording that was saved before keeps its number and `saved_at`; what was measured is replaced, for the
        program may count better now, and `source` too, for the file may have moved.

        Parameters
        ----------
        summary : SessionSummary
            What the session showed.
        source : str or Path
            Path of the recording. Bytes in it that are not UTF-8 are kept as escapes.
        content_hash : str
            `hash_of` the recording.
        saved_at, started_at : datetime
            Now, and when the recording began, if known; both with a time zone.
        software_version : str
            Of the program that measured.

        Raises
        ------
        ValueError
            If a time has no time zone, the hash is none, or the summary holds what cannot be kept, such as NaN.
        StoreDamaged
            If the file cannot be written; it is left as it was.
        """
        if len(content_hash) != 64 or not set(content_hash) <= set("0123456789abcdef"):
            raise ValueError(f"content_hash must be 64 lower-case hexadecimal digits, got {content_hash!r}")
        faults = summary.faults
        session: dict[str, object] = {
            "content_hash": content_hash,
            "source": str(source).encode("utf-8", "backslashreplace").decode("utf-8"),
            "saved_at": _to_text(saved_at),
            "started_at": None if started_at is None else _to_text(started_at),
            "software_version": software_version,
            "duration_s": summary.duration_s,
            "sampling_rate_hz": summary.sampling_rate_hz,
            "samples": int(summary.samples),
            "rows_repeated": int(faults.repeated),
            "rows_out_of_order": int(faults.out_of_order),
            "rows_not_finite": int(faults.not_finite),
            "rows_clipped": int(faults.clipped),
        }
        try:
            with self._writing():
                session_id = self._upsert_session(session)
                for table in ("gap", "training_set", "rejected"):  # their repetitions go with them
                    self._connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))
                self._insert_measured(session_id, summary)
        except sqlite3.IntegrityError as error:
            raise ValueError(f"the summary of {source} holds what cannot be kept: {error}") from error
        return session_id

    def list(self) -> tuple[SessionOverview, ...]:
        """Return one line for each session, the last trained one first.

        Raises
        ------
        StoreDamaged
            If the file cannot be read.
        """
        with self._reading():
            rows = self._connection.execute(
                """
                SELECT id, saved_at, trained_at, source, duration_s,
                       (SELECT count(*) FROM training_set WHERE training_set.session_id = session.id),
                       count(*) FILTER (WHERE pattern = 'squat'),
                       count(*) FILTER (WHERE pattern = 'hinge'),
                       count(*) FILTER (WHERE pattern = 'uncertain')
                FROM session
                LEFT JOIN repetition ON repetition.session_id = session.id AND set_number IS NOT NULL
                GROUP BY session.id
                ORDER BY trained_at DESC, id DESC
                """
            )
            return tuple(
                SessionOverview(session_id, _from_text(saved_at), _from_text(trained_at), *rest)
                for session_id, saved_at, trained_at, *rest in rows
            )

    def load(self, session_id: int) -> StoredSession:
        """Return a session with all that was measured.

        Raises
        ------
        SessionNotFound
            If there is none with this number.
        StoreDamaged
            If the file cannot be read.
        """
        with self._reading():
            row = self._connection.execute(
                "SELECT content_hash, source, saved_at, started_at, software_version FROM session WHERE id = ?",
                (_checked_id(session_id),),
            ).fetchone()
            if row is None:
                raise _not_found(session_id)
            recording_hash, source, saved_at, started_at, software_version = row
            return StoredSession(
                id=session_id,
                content_hash=recording_hash,
                source=source,
                saved_at=_from_text(saved_at),
                started_at=None if started_at is None else _from_text(started_at),
                software_version=software_version,
                summary=self._load_summary(session_id),
            )

    def delete(self, session_id: int) -> None:
        """Delete a session and all that was measured; the recording itself stays.

        Raises
        ------
        SessionNotFound
            If there is none with this number.
        StoreDamaged
            If the file cannot be written.
        """
        with self._writing():
            deleted = self._connection.execute("DELETE FROM session WHERE id = ?", (_checked_id(session_id),))
            if deleted.rowcount == 0:
                raise _not_found(session_id)

    def balance(self, days: int, now: datetime) -> Balance:
        """Return how many squats and hinges were done in the `days` times 24 hours before `now`.

        Raises
        ------
        ValueError
            If `now` has no time zone.
        StoreDamaged
            If the file cannot be read.
        """
        until = _to_text(now)
        since = _to_text(now.astimezone(UTC) - timedelta(days=days))
        with self._reading():
            squats, hinges = self._connection.execute(
                """
                SELECT count(*) FILTER (WHERE pattern = 'squat'), count(*) FILTER (WHERE pattern = 'hinge')
                FROM session JOIN repetition ON repetition.session_id = session.id AND set_number IS NOT NULL
                WHERE trained_at > ? AND trained_at <= ?
                """,
                (since, until),
            ).fetchone()
        return Balance(days, squats, hinges)

    def days_since_trained(self, now: datetime) -> dict[Pattern, int | None]:
        """Return for squat and hinge the days since the last repetition in a set, ``None`` if there never was one.

        Days are those of the calendar in the time zone of `now`: after training last night it is 1 this morning.

        Raises
        ------
        ValueError
            If `now` has no time zone.
        StoreDamaged
            If the file cannot be read.
        """
        until = _to_text(now)
        days: dict[Pattern, int | None] = {Pattern.SQUAT: None, Pattern.HINGE: None}
        with self._reading():
            for pattern in days:
                row = self._connection.execute(
                    """
                    SELECT trained_at FROM session
                    WHERE trained_at <= ? AND EXISTS (
                        SELECT * FROM repetition
                        WHERE session_id = session.id AND pattern = ? AND set_number IS NOT NULL)
                    ORDER BY trained_at DESC LIMIT 1
                    """,
                    (until, pattern),
                ).fetchone()
                if row is not None:
                    days[pattern] = (now.date() - _from_text(row[0]).astimezone(now.tzinfo).date()).days
        return days

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Do all that is inside, or nothing; wait for other writers before, not in the middle."""
        with _explained(self._path), _transaction(self._connection, "IMMEDIATE"):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """See one state of the file throughout, whatever other programs write meanwhile."""
        with _explained(self._path), _transaction(self._connection, "DEFERRED"):
            try:
                yield
            except (ValueError, TypeError) as error:  # a flipped bit can make a value that SQLite lets pass, we do not
                raise StoreDamaged(_DAMAGED.format(path=self._path)) from error

    def _upsert_session(self, session: dict[str, object]) -> int:
        names = ", ".join(session)
        values = ", ".join(f":{name}" for name in session)
        kept = {"content_hash", "saved_at", "started_at"}
        # Not `excluded.{name}`: beside a generated column, SQLite 3.40 passes large integers through a float there.
        replaced = ", ".join(f"{name} = :{name}" for name in session if name not in kept)
        (session_id,) = self._connection.execute(
            f"INSERT INTO session ({names}) VALUES ({values}) ON CONFLICT (content_hash) DO UPDATE SET {replaced}, "
            "started_at = coalesce(:started_at, started_at) RETURNING id",
            session,
        ).fetchone()
        return int(session_id)

    def _insert_measured(self, session_id: int, summary: SessionSummary) -> None:
        self._insert(
            "gap (session_id, number, start_s, end_s)",
            ((session_id, number, gap.start_s, gap.end_s) for number, gap in enumerate(summary.gaps, 1)),
        )
        self._insert(
            "training_set (session_id, number, start_s, end_s, pattern)",
            ((session_id, number, s.start_s, s.end_s, s.pattern) for number, s in enumerate(summary.sets, 1)),
        )
        self._insert(
            "rejected (session_id, number, start_s, end_s, reason)",
            ((session_id, number, r.start_s, r.end_s, r.reason) for number, r in enumerate(summary.rejected, 1)),
        )
        figures = ", ".join(_REPETITION_COLUMNS)
        self._insert(
            f"repetition (session_id, set_number, number, {figures})",
            (
                (session_id, set_number, number, *_repetition_row(repetition))
                for set_number, training_set in enumerate(summary.sets, 1)
                for number, repetition in enumerate(training_set.repetitions, 1)
            ),
        )
        self._insert(
            f"repetition (session_id, rejected_number, number, {figures})",
            (
                (session_id, rejected_number, 1, *_repetition_row(movement.repetition))
                for rejected_number, movement in enumerate(summary.rejected, 1)
                if movement.repetition is not None
            ),
        )

    def _insert(self, table_and_columns: str, rows: Iterable[tuple[object, ...]]) -> None:
        marks = ", ".join("?" * (table_and_columns.count(",") + 1))
        self._connection.executemany(f"INSERT INTO {table_and_columns} VALUES ({marks})", rows)

    def _load_summary(self, session_id: int) -> SessionSummary:
        duration_s, sampling_rate_hz, samples, *faults = self._connection.execute(
            "SELECT duration_s, sampling_rate_hz, samples, "
            "rows_repeated, rows_out_of_order, rows_not_finite, rows_clipped FROM session WHERE id = ?",
            (session_id,),
        ).fetchone()
        return SessionSummary(
            duration_s=duration_s,
            sampling_rate_hz=sampling_rate_hz,
            samples=samples,
            gaps=self._load_gaps(session_id),
            faults=RowFaults(*faults),
            sets=self._load_sets(session_id),
            rejected=self._load_rejected(session_id),
        )

    def _load_gaps(self, session_id: int) -> tuple[Gap, ...]:
        rows = self._connection.execute(
            "SELECT start_s, end_s FROM gap WHERE session_id = ? ORDER BY number", (session_id,)
        )
        return tuple(Gap(start_s, end_s) for start_s, end_s in rows)

    def _load_sets(self, session_id: int) -> tuple[TrainingSet, ...]:
        rows = self._connection.execute(
            f"SELECT set_number, {', '.join(_REPETITION_COLUMNS)} FROM repetition "
            "WHERE session_id = ? AND set_number IS NOT NULL ORDER BY set_number, number",
            (session_id,),
        )
        return tuple(
            TrainingSet(tuple(_repetition(figures) for _, *figures in rows_of_set))
            for _, rows_of_set in groupby(rows, key=lambda row: row[0])
        )

    def _load_rejected(self, session_id: int) -> tuple[RejectedMovement, ...]:
        announced = self._connection.execute(
            f"SELECT rejected_number, {', '.join(_REPETITION_COLUMNS)} FROM repetition "
            "WHERE session_id = ? AND rejected_number IS NOT NULL",
            (session_id,),
        )
        repetition_of = {number: _repetition(figures) for number, *figures in announced}
        rows = self._connection.execute(
            "SELECT number, start_s, end_s, reason FROM rejected WHERE session_id = ? ORDER BY number", (session_id,)
        )
        return tuple(
            RejectedMovement(start_s, end_s, reason, repetition_of.get(number))
            for number, start_s, end_s, reason in rows
        )


def hash_of(recording: Path) -> str:
    """Return the SHA-256 of a recording as 64 hexadecimal digits.

    Of a folder: that of the names and hashes of all files in it, hidden ones left out.

    Raises
    ------
    RecordingDamaged
        If it cannot be read.
    """
    try:
        if not recording.is_dir():
            with recording.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        for path in sorted(recording.rglob("*")):
            name = path.relative_to(recording)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                digest.update(f"{name.as_posix()}\0{hash_of(path)}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()
    except OSError as error:
        raise RecordingDamaged(f"{recording} cannot be read ({error.strerror}); check that it is there") from error


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the file, inside a transaction; refuse what is not ours or newer than we are."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise StoreDamaged(_FOREIGN.format(path=path))
    if version > len(MIGRATIONS):
        raise StoreDamaged(
            f"{path} was written by a newer version of this program (its schema is {version}, "
            f"this program knows {len(MIGRATIONS)}); update the program"
        )
    return int(version)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest version, each step in one transaction; a file that is up to date is only read."""
    with _transaction(connection, "DEFERRED"):
        version = _version(connection, path)
    while version < len(MIGRATIONS):
        with _transaction(connection, "IMMEDIATE"):
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
def _transaction(connection: sqlite3.Connection, kind: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
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
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says about the file into one sentence for the person; let what we did wrong pass."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # absent: text that is not UTF-8
        primary_code = code & 0xFF
        raise StoreDamaged(_ADVICE.get(primary_code, _DAMAGED).format(path=path)) from error
    except UnicodeDecodeError as error:  # even SQLite's own message, when it quotes a damaged schema
        raise StoreDamaged(_DAMAGED.format(path=path)) from error


def _repetition_row(repetition: Repetition) -> tuple[object, ...]:
    return tuple(getattr(repetition, column) for column in _REPETITION_COLUMNS)


def _repetition(row: Sequence[Any]) -> Repetition:
    figures = dict(zip(_REPETITION_COLUMNS, row, strict=True))
    return Repetition(**{**figures, "pattern": Pattern(figures["pattern"])})


def _to_text(moment: datetime) -> str:
    if moment.utcoffset() is None:
        raise ValueError(f"a time needs a time zone, got {moment!r}")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _from_text(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError(f"a time needs a time zone, got {text!r}")
    return moment


def _checked_id(session_id: int) -> int:
    if abs(session_id) > _LARGEST_ID:  # more than SQLite's integers hold
        raise _not_found(session_id)
    return session_id


def _not_found(session_id: int) -> SessionNotFound:
    return SessionNotFound(f"there is no session {session_id}; `imu review` lists those that are kept")
