"""The store of sessions: save, list, load, correct, add up and delete them.

`schema.sql` explains the tables. Several programs may use one store at once: each save and each correction is one
transaction that waits for its turn and is kept whole or not at all. Times come as arguments.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from imu.atomic_files import make_private, sweep
from imu.errors import SessionNotFound, StoreDamaged
from imu.motion.pattern import Pattern
from imu.session import SessionSummary
from imu.store import learning, totals
from imu.store.corrected_session import CorrectedSession, PlannedSet, apply_corrections
from imu.store.corrections import Correction, CorrectionRefused
from imu.store.database import (
    DAMAGED,
    NOT_WRITABLE,
    UNPACKED,
    append,
    check_schema,
    connect,
    explained,
    finite,
    from_text,
    load_log,
    load_planned,
    load_summary,
    redo,
    replace_corrected,
    replace_measured,
    replace_planned,
    to_text,
    transaction,
    undo,
    upsert_session,
)
from imu.store.home import delete_recording, find_recording
from imu.store.learning import KnownOfPerson
from imu.store.totals import Balance, ExerciseSet, PatternTotals, SessionOverview

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class StoredSession:
    """One session as it was measured and as it counts.

    Attributes
    ----------
    id : int
        Number of the session.
    content_hash : str
        SHA-256 of the recording, see `hash_of`.
    source : str
        Path of the recording when it was last saved.
    saved_at : datetime
        When it was first saved, UTC.
    started_at : datetime or None
        When it was recorded, UTC; ``None`` if that is not known.
    software_version : str
        Version of the program that measured `summary`.
    summary : SessionSummary
        The measurement, equal (``==``) to the one that was saved.
    corrected : CorrectedSession
        `summary` with the exercises and loads of the plan and the person's corrections applied.
    undone : tuple of Correction
        Undone corrections that can be restored.
    """

    id: int
    content_hash: str
    source: str
    saved_at: datetime
    started_at: datetime | None
    software_version: str
    summary: SessionSummary
    corrected: CorrectedSession
    undone: tuple[Correction, ...]

    @property
    def trained_at(self) -> datetime:
        """When it was recorded, or first saved if that is not known. UTC."""
        return self.saved_at if self.started_at is None else self.started_at


class SessionStore:
    """The sessions in one SQLite file. Use it as a context manager and in the thread that opened it.

    Every method raises :class:`~imu.errors.StoreDamaged` if the file cannot be read or written, and leaves it as it
    was; one that takes the number of a session raises :class:`~imu.errors.SessionNotFound` if there is no such session;
    one that takes a moment raises ValueError if the moment has no time zone.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Take over a connection that `open` has checked."""
        self._path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, busy_timeout_s: float = 10.0) -> Self:
        """Open the store at `path`; create it and its folder if it does not exist.

        Parameters
        ----------
        path : Path
            The SQLite file.
        busy_timeout_s : float
            How long to wait while another program writes. A save takes milliseconds, so 10 s suffice on a slow disk.

        Raises
        ------
        StoreDamaged
            If the file is not a store, has another version, is damaged or in use, or cannot be read or written. It
            is left as it was.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreDamaged(NOT_WRITABLE.format(path=path)) from error
        sweep(path.parent, UNPACKED)
        if path.exists() and path.stat().st_mode & 0o077:
            make_private(path.parent)
        with explained(path):
            connection = connect(path, busy_timeout_s)
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
        planned: Sequence[PlannedSet] | None = None,
        entries: Sequence[Correction] = (),
    ) -> int:
        """Keep a session, and return its number.

        A recording that was saved before keeps its number, `saved_at` and the person's corrections. What was measured
        is replaced, because the program may count better now, and so is `source`, because the file may have moved.

        Parameters
        ----------
        summary : SessionSummary
            The measurement.
        source : str or Path
            Path of the recording. Bytes in it that are not UTF-8 are kept as escapes.
        content_hash : str
            `hash_of` the recording.
        saved_at, started_at : datetime
            Now, and when the recording began if that is known; both with a time zone.
        software_version : str
            Version of the program that measured.
        planned : sequence of PlannedSet or None
            The plans of the sets; ``None`` keeps the plan that was saved with this recording before.
        entries : sequence of Correction
            What the person entered while training: the first corrections of a new recording, stored in the same
            transaction. One whose target does not exist stands in the log as not applied. A recording that was
            saved before has its own.

        Raises
        ------
        ValueError
            If a time has no time zone, the hash is not one, or the summary holds a value that cannot be kept, such as
            NaN.
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
        finite(tuple(session.values()))
        try:
            with self._writing():
                session_id, is_new = upsert_session(self._connection, session)
                replace_measured(self._connection, session_id, summary)
                if planned is not None:
                    replace_planned(self._connection, session_id, planned)
                for entry in entries if is_new else ():
                    append(self._connection, session_id, entry, to_text(saved_at))
                with self._trusting():
                    replace_corrected(self._connection, session_id, summary)
        except sqlite3.IntegrityError as error:
            raise ValueError(f"the summary of {source} holds what cannot be kept: {error}") from error
        return session_id

    def list(self) -> tuple[SessionOverview, ...]:
        """Return one line for each session, the last trained one first."""
        with self._reading():
            return totals.overviews(self._connection)

    def source_of(self, content_hash: str) -> str | None:
        """Return where the recording with this hash was when it was last saved; ``None`` if it never was."""
        with self._reading():
            row = self._connection.execute(
                "SELECT source FROM session WHERE content_hash = ?", (content_hash,)
            ).fetchone()
        return None if row is None else str(row[0])

    def load(self, session_id: int) -> StoredSession:
        """Return a session as it was measured and as it was corrected."""
        with self._reading():
            recording_hash, source, saved_at, started_at, software_version = self._row_of(session_id)
            summary = load_summary(self._connection, session_id)
            return StoredSession(
                id=session_id,
                content_hash=recording_hash,
                source=source,
                saved_at=from_text(saved_at),
                started_at=None if started_at is None else from_text(started_at),
                software_version=software_version,
                summary=summary,
                corrected=apply_corrections(
                    summary, load_log(self._connection, session_id), load_planned(self._connection, session_id)
                ),
                undone=load_log(self._connection, session_id, undone=True),
            )

    def correct(self, session_id: int, correction: Correction, *, made_at: datetime) -> StoredSession:
        """Store a correction and return the corrected session: see `correct_all`."""
        return self.correct_all(session_id, [correction], made_at=made_at)

    def correct_all(self, session_id: int, corrections: Sequence[Correction], *, made_at: datetime) -> StoredSession:
        """Store several corrections, all of them or none, and return the corrected session.

        Corrections that were undone before cannot be restored afterwards.

        Raises
        ------
        CorrectionRefused
            If one changes nothing because its target does not exist; then none is stored.
        """
        made_at_text = to_text(made_at)
        with self._writing(), self._trusting():
            summary = self._measured(session_id)
            for correction in corrections:
                append(self._connection, session_id, correction, made_at_text)
            log = apply_corrections(
                summary, load_log(self._connection, session_id), load_planned(self._connection, session_id)
            ).log
            for made in log[-len(corrections) :]:
                if made.not_applied is not None:
                    raise CorrectionRefused(f"session {session_id} was left as it is: {made.not_applied}")
            replace_corrected(self._connection, session_id, summary)
        return self.load(session_id)

    def undo(self, session_id: int) -> Correction | None:
        """Undo the last correction; return it, or ``None`` without one."""
        return self._turn(session_id, undo)

    def redo(self, session_id: int) -> Correction | None:
        """Restore the correction that was undone last; return it, or ``None`` without one."""
        return self._turn(session_id, redo)

    def _turn(self, session_id: int, turn: Callable[[sqlite3.Connection, int], Correction | None]) -> Correction | None:
        with self._writing(), self._trusting():
            summary = self._measured(session_id)
            turned = turn(self._connection, session_id)
            replace_corrected(self._connection, session_id, summary)
        return turned

    def delete(self, session_id: int, recordings: Path | None = None) -> Path | None:
        """Delete a session, and its recording if that lies in our own folder.

        Parameters
        ----------
        session_id : int
            Number of the session; it is never given to another one.
        recordings : Path or None
            Our own folder of recordings. The recording is deleted only if it lies in there and still has the content
            that was counted; ``None`` keeps it.

        Returns
        -------
        Path or None
            The deleted recording.

        Raises
        ------
        RecordingNotDeleted
            If the recording cannot be deleted; then the session stays too.
        """
        with self._reading():
            content_hash, source, *_ = self._row_of(session_id)
        recording = None if recordings is None else find_recording(source, content_hash, recordings)
        with self._writing():
            deleted = self._connection.execute("DELETE FROM session WHERE id = ?", (session_id,))
            if deleted.rowcount == 0:
                raise _not_found(session_id)
            if recording is not None:  # inside the transaction: a session without its recording can be deleted again,
                delete_recording(recording)  # but a recording without its session would be overlooked
        return recording

    def known_of_person(self) -> KnownOfPerson:
        """Return the shifts learned from the corrections, and whether they are used."""
        with self._reading():
            return learning.known_of_person(self._connection)

    def forget_person(self, until: datetime) -> None:
        """Leave corrections made until a moment out of the learning; the corrections themselves stay."""
        moment = to_text(until)
        with self._writing():
            learning.forget(self._connection, moment)

    def switch_learning(self, *, on: bool) -> None:
        """Switch the use of the learned shifts on or off."""
        with self._writing():
            learning.switch(self._connection, on=on)

    def loads_in_lb(self) -> bool:
        """Return whether loads are shown in pounds: as the person chose, else as most loads are written."""
        return bool(self.known_in_lb())

    def known_in_lb(self) -> bool | None:
        """Return the same; ``None`` as long as the person has chosen no unit and no set has a load."""
        with self._reading():
            (chosen,) = self._connection.execute("SELECT load_in_lb FROM person").fetchone()
            return totals.mostly_in_lb(self._connection) if chosen is None else bool(chosen)

    def show_loads_in_lb(self, *, in_lb: bool) -> None:
        """Show loads, and take those without a unit, in pounds or in kilograms from now on."""
        with self._writing():
            self._connection.execute("UPDATE person SET load_in_lb = ?", (in_lb,))

    def balance(self, days: int, now: datetime) -> Balance:
        """Return the squats and hinges of the `days` times 24 hours before `now`."""
        to_text(now)
        with self._reading():
            return totals.balance(self._connection, days, now)

    def counted_between(self, since: datetime, until: datetime) -> tuple[int, int]:
        """Return the squats and hinges of sessions trained after `since`, up to and including `until`."""
        to_text(since), to_text(until)
        with self._reading():
            return totals.counted_between(self._connection, since, until)

    def days_since_trained(self, now: datetime) -> dict[Pattern, int | None]:
        """Return for squat and hinge the days since the last repetition in a set; ``None`` means never.

        Days are those of the calendar in the time zone of `now`: after training last night it is 1 this morning.
        """
        to_text(now)
        with self._reading():
            return totals.days_since_trained(self._connection, now)

    def pattern_totals(self, until: datetime, *, least_drop_for_speed_m: float) -> tuple[PatternTotals, ...]:
        """Return the totals of each pattern in each session until a moment, in the order of time.

        Parameters
        ----------
        until : datetime
            With a time zone.
        least_drop_for_speed_m : float
            Repetitions with a smaller drop have no meaningful speed and are left out of its sum.
        """
        to_text(until)
        with self._reading():
            return totals.pattern_totals(self._connection, until, least_drop_for_speed_m)

    def exercise_sets(self, *, least_drop_for_speed_m: float) -> tuple[ExerciseSet, ...]:
        """Return all sets in the order of time; those without an exercise have an empty name.

        Parameters
        ----------
        least_drop_for_speed_m : float
            Repetitions with a smaller drop have no meaningful speed.
        """
        with self._reading():
            return totals.exercise_sets(self._connection, least_drop_for_speed_m)

    def check_schema(self) -> None:
        """Check that the file has no tables or triggers but those of this program.

        Raises
        ------
        StoreDamaged
            If it has others, or cannot be read.
        """
        with explained(self._path), transaction(self._connection, "DEFERRED"):
            check_schema(self._connection, self._path)

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the store to a new file, even while other programs write."""
        with explained(self._path):
            copy = sqlite3.connect(path.absolute())
            try:
                self._connection.backup(copy)
            finally:
                copy.close()

    def _measured(self, session_id: int) -> SessionSummary:
        """Return the measurement, inside a transaction."""
        self._row_of(session_id)
        return load_summary(self._connection, session_id)

    def _row_of(self, session_id: int) -> tuple[str, str, str, str | None, str]:
        """Return hash, source, both times and the version of a session, inside a transaction."""
        row: tuple[str, str, str, str | None, str] | None = None
        if abs(session_id) <= _LARGEST_ID:  # more than SQLite's integers hold
            row = self._connection.execute(
                "SELECT content_hash, source, saved_at, started_at, software_version FROM session WHERE id = ?",
                (session_id,),
            ).fetchone()
        if row is None:
            raise _not_found(session_id)
        return row

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Run one writing transaction; wait for other writers at its start."""
        with explained(self._path), transaction(self._connection, "IMMEDIATE"):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Run one reading transaction, for which the file has a single state."""
        with explained(self._path), transaction(self._connection, "DEFERRED"), self._trusting():
            yield

    @contextmanager
    def _trusting(self) -> Iterator[None]:
        """Report stored values that this program cannot have written, such as those with a flipped bit."""
        try:
            yield
        except (ValueError, TypeError) as error:
            raise StoreDamaged(DAMAGED.format(path=self._path)) from error


def _not_found(session_id: int) -> SessionNotFound:
    return SessionNotFound(f"there is no session {session_id}; `imu review` lists those that are kept")
