"""The sessions kept in one SQLite file: saved, listed, loaded, corrected, added up, deleted.

`schema.sql` beside this file explains the tables. Several programs may use one store at once: each save and each
correction is one transaction, waits for its turn, and is kept whole or not at all.

This module refuses to know what a repetition is, where a recording comes from and what time it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from imu.errors import SessionNotFound, StoreDamaged
from imu.motion.pattern import Pattern
from imu.session import SessionSummary
from imu.store import learnt, totals
from imu.store.applying import apply_corrections
from imu.store.correction_log import append, load_log, redo, replace_corrected, undo
from imu.store.corrections import Correction, CorrectionRefused
from imu.store.measured import load_summary, replace_measured
from imu.store.migrations import DAMAGED, NOT_WRITABLE, explained, migrate, transaction
from imu.store.recordings import delete_recording, find_recording
from imu.store.stored import Balance, KnownOfPerson, PatternTotals, SessionOverview, StoredSession, from_text, to_text

_LARGEST_ID = 2**63 - 1


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
            raise StoreDamaged(NOT_WRITABLE.format(path=path)) from error
        with explained(path):
            connection = sqlite3.connect(path.absolute(), timeout=busy_timeout_s, isolation_level=None)
            try:
                migrate(connection, path)
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

        A recording that was saved before keeps its number, `saved_at` and the person's corrections; what was measured
        is replaced, for the program may count better now, and `source` too, for the file may have moved.

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
            "saved_at": to_text(saved_at),
            "started_at": None if started_at is None else to_text(started_at),
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
                replace_measured(self._connection, session_id, summary)
                with self._trusting():
                    replace_corrected(self._connection, session_id, summary)
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
            return totals.overviews(self._connection)

    def load(self, session_id: int) -> StoredSession:
        """Return a session with all that was measured, and with what counts since it was corrected.

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
            summary = load_summary(self._connection, session_id)
            return StoredSession(
                id=session_id,
                content_hash=recording_hash,
                source=source,
                saved_at=from_text(saved_at),
                started_at=None if started_at is None else from_text(started_at),
                software_version=software_version,
                summary=summary,
                corrected=apply_corrections(summary, load_log(self._connection, session_id)),
                undone=load_log(self._connection, session_id, undone=True),
            )

    def correct(self, session_id: int, correction: Correction, *, made_at: datetime) -> StoredSession:
        """Keep a correction beside what was measured; return the session as it counts now: see `correct_all`."""
        return self.correct_all(session_id, [correction], made_at=made_at)

    def correct_all(self, session_id: int, corrections: Sequence[Correction], *, made_at: datetime) -> StoredSession:
        """Keep several corrections, all or none; return the session as it counts now.

        What was undone before can then not be made again.

        Raises
        ------
        CorrectionRefused
            If one changes nothing, because what it is about is not there; none is kept then.
        ValueError
            If `made_at` has no time zone.
        SessionNotFound
            If there is no session with this number.
        StoreDamaged
            If the file cannot be written; it is left as it was.
        """
        made_at_text = to_text(made_at)
        with self._writing(), self._trusting():
            summary = self._measured(session_id)
            for correction in corrections:
                append(self._connection, session_id, correction, made_at_text)
            log = apply_corrections(summary, load_log(self._connection, session_id)).log
            for made in log[-len(corrections) :]:
                if made.not_applied is not None:
                    raise CorrectionRefused(f"session {session_id} was left as it is: {made.not_applied}")
            replace_corrected(self._connection, session_id, summary)
        return self.load(session_id)

    def undo(self, session_id: int) -> Correction | None:
        """Undo the last correction that counts; return it, or ``None`` if there is none.

        Raises
        ------
        SessionNotFound
            If there is no session with this number.
        StoreDamaged
            If the file cannot be written; it is left as it was.
        """
        with self._writing(), self._trusting():
            summary = self._measured(session_id)
            undone = undo(self._connection, session_id)
            replace_corrected(self._connection, session_id, summary)
        return undone

    def redo(self, session_id: int) -> Correction | None:
        """Make the last correction that was undone again; return it, or ``None`` if there is none.

        Raises
        ------
        SessionNotFound
            If there is no session with this number.
        StoreDamaged
            If the file cannot be written; it is left as it was.
        """
        with self._writing(), self._trusting():
            summary = self._measured(session_id)
            redone = redo(self._connection, session_id)
            replace_corrected(self._connection, session_id, summary)
        return redone

    def delete(self, session_id: int, recordings: Path | None = None) -> Path | None:
        """Delete a session with all that was measured and corrected, and its recording if that is ours.

        Parameters
        ----------
        session_id : int
            Number of the session; it is not given again.
        recordings : Path or None
            The folder of our own recordings. The session's recording is deleted only if it lies in there and still has
            the content that was counted; ``None`` leaves it in any case.

        Returns
        -------
        Path or None
            The recording that was deleted.

        Raises
        ------
        SessionNotFound
            If there is no session with this number.
        RecordingNotDeleted
            If the recording cannot be deleted; the session is kept then.
        StoreDamaged
            If the file cannot be written; it is left as it was.
        """
        stored = self._source_of(session_id)
        recording = None if recordings is None else find_recording(*stored, recordings)
        with self._writing():
            deleted = self._connection.execute("DELETE FROM session WHERE id = ?", (session_id,))
            if deleted.rowcount == 0:
                raise _not_found(session_id)
            if recording is not None:  # before the end of the transaction: a session without its recording can be
                delete_recording(recording)  # deleted once more, a recording without its session is overlooked
        return recording

    def known_of_person(self) -> KnownOfPerson:
        """Return what was learnt of the person from the sessions that were corrected, and whether it is used.

        Raises
        ------
        StoreDamaged
            If the file cannot be read.
        """
        with self._reading():
            return learnt.known_of_person(self._connection)

    def forget_person(self, until: datetime) -> None:
        """Learn no more from what was corrected until a moment; the corrections themselves stay.

        Raises
        ------
        ValueError
            If `until` has no time zone.
        StoreDamaged
            If the file cannot be written.
        """
        moment = to_text(until)
        with self._writing():
            learnt.forget(self._connection, moment)

    def switch_learning(self, *, on: bool) -> None:
        """Judge trainings with what was learnt from now on, or do not.

        Raises
        ------
        StoreDamaged
            If the file cannot be written.
        """
        with self._writing():
            learnt.switch(self._connection, on=on)

    def balance(self, days: int, now: datetime) -> Balance:
        """Return how many squats and hinges were done in the `days` times 24 hours before `now`.

        Raises
        ------
        ValueError
            If `now` has no time zone.
        StoreDamaged
            If the file cannot be read.
        """
        to_text(now)
        with self._reading():
            return totals.balance(self._connection, days, now)

    def counted_between(self, since: datetime, until: datetime) -> tuple[int, int]:
        """Return how many squats and hinges were done in sessions trained after `since`, up to and with `until`.

        Raises
        ------
        ValueError
            If a moment has no time zone.
        StoreDamaged
            If the file cannot be read.
        """
        to_text(since), to_text(until)
        with self._reading():
            return totals.counted_between(self._connection, since, until)

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
        to_text(now)
        with self._reading():
            return totals.days_since_trained(self._connection, now)

    def pattern_totals(self, until: datetime, *, least_drop_for_speed_m: float) -> tuple[PatternTotals, ...]:
        """Return what each session until a moment has of each pattern, in the order of time.

        Parameters
        ----------
        until : datetime
            With a time zone.
        least_drop_for_speed_m : float
            Repetitions that sink less have no speed to speak of, and are left out of its sum.

        Raises
        ------
        ValueError
            If `until` has no time zone.
        StoreDamaged
            If the file cannot be read.
        """
        to_text(until)
        with self._reading():
            return totals.pattern_totals(self._connection, until, least_drop_for_speed_m)

    def copy_to(self, path: Path) -> None:
        """Write a whole and consistent copy of the store to a new file, whatever other programs write meanwhile.

        Raises
        ------
        StoreDamaged
            If the file cannot be read, or the copy not be written.
        """
        with explained(self._path):
            copy = sqlite3.connect(path.absolute())
            try:
                self._connection.backup(copy)
            finally:
                copy.close()

    def _measured(self, session_id: int) -> SessionSummary:
        """Return what was measured, inside a transaction."""
        found = self._connection.execute("SELECT 1 FROM session WHERE id = ?", (_checked_id(session_id),)).fetchone()
        if found is None:
            raise _not_found(session_id)
        return load_summary(self._connection, session_id)

    def _source_of(self, session_id: int) -> tuple[str, str]:
        """Return where the recording of a session was, and its hash."""
        with self._reading():
            row = self._connection.execute(
                "SELECT source, content_hash FROM session WHERE id = ?", (_checked_id(session_id),)
            ).fetchone()
        if row is None:
            raise _not_found(session_id)
        return row[0], row[1]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Do all that is inside, or nothing; wait for other writers before, not in the middle."""
        with explained(self._path), transaction(self._connection, "IMMEDIATE"):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """See one state of the file throughout, whatever other programs write meanwhile."""
        with explained(self._path), transaction(self._connection, "DEFERRED"), self._trusting():
            yield

    @contextmanager
    def _trusting(self) -> Iterator[None]:
        """Read what this program once wrote: a flipped bit can make a value that SQLite lets pass, and we do not."""
        try:
            yield
        except (ValueError, TypeError) as error:
            raise StoreDamaged(DAMAGED.format(path=self._path)) from error

    def _upsert_session(self, session: dict[str, object]) -> int:
        """Return the number of a session, new or known; INSERT ... ON CONFLICT would use up a number each time."""
        known = self._connection.execute(
            "SELECT id FROM session WHERE content_hash = :content_hash", session
        ).fetchone()
        if known is None:
            names = ", ".join(session)
            values = ", ".join(f":{name}" for name in session)
            sql = f"INSERT INTO session ({names}) VALUES ({values}) RETURNING id"
        else:
            kept = {"content_hash", "saved_at", "started_at"}
            replaced = ", ".join(f"{name} = :{name}" for name in session if name not in kept)
            sql = (
                f"UPDATE session SET {replaced}, started_at = coalesce(:started_at, started_at) "
                "WHERE content_hash = :content_hash RETURNING id"
            )
        (session_id,) = self._connection.execute(sql, session).fetchone()
        return int(session_id)


def _checked_id(session_id: int) -> int:
    if abs(session_id) > _LARGEST_ID:  # more than SQLite's integers hold
        raise _not_found(session_id)
    return session_id


def _not_found(session_id: int) -> SessionNotFound:
    return SessionNotFound(f"there is no session {session_id}; `imu review` lists those that are kept")
