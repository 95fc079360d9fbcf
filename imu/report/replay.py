"""Recordings -> their summaries, in the order given, in this process or in several.

A broken recording becomes a `Failed` with one sentence, and the others are replayed all the same. A zip archive that is
not the export of one recording counts as the folder that it was made of; terminal and page unpack it here.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from imu.errors import ImuError
from imu.motion.judge import JudgeParameters
from imu.motion.personal import PersonalShift
from imu.recordings.recording import find_recordings, open_recording
from imu.session import Session, SessionParameters, SessionSummary
from imu.training import PersonAsked

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from imu.store import PlannedSet, SessionStore


LARGEST_ARCHIVE = 2 * 1024**3
"""Unpacked size of a zip archive of recordings, bytes: a year of daily hours at 100 Hz."""
MOST_IN_ARCHIVE = 10_000
"""Files in such an archive: a day's work of a batch."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How recordings are read and counted.

    Attributes
    ----------
    least_repetitions : int
        Fewer are not a set.
    acceleration_unit, angular_velocity_unit : str
        The units in the files.
    personal : PersonalShift
        The person's learned thresholds; the recording of a training holds its own.
    hashed : bool
        Whether `Replayed.content_hash` is wanted: it reads the file once more.
    """

    least_repetitions: int = 2
    acceleration_unit: Literal["m/s2", "g"] = "m/s2"
    angular_velocity_unit: Literal["rad/s", "deg/s"] = "rad/s"
    personal: PersonalShift = field(default_factory=PersonalShift)
    hashed: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    """One recording and what it shows.

    Attributes
    ----------
    name : str
        Path as given.
    summary : SessionSummary
        The counted and measured session.
    rows_sorted : int
        Rows that came after a later one and were put in order.
    rows_unreadable : int
        Rows with a cell that is not a number; ``summary.faults.not_finite`` includes them.
    first_unreadable : str or None
        Place and content of the first such cell.
    content_hash : str or None
        See :func:`imu.store.hash_of`; ``None`` if it was not asked for.
    started_at : datetime or None
        When it was recorded; ``None`` if that is not known.
    damaged : str or None
        The part that could not be read, in one sentence; the rest was replayed.
    unpacked : Path or None
        Where it was read, if it came out of a zip archive: a file that is deleted afterwards.
    """

    name: str
    summary: SessionSummary
    rows_sorted: int = 0
    rows_unreadable: int = 0
    first_unreadable: str | None = None
    content_hash: str | None = None
    started_at: datetime | None = None
    damaged: str | None = None
    unpacked: Path | None = None

    @property
    def path(self) -> Path:
        """The file or folder that was read."""
        return Path(self.name) if self.unpacked is None else self.unpacked


@dataclass(frozen=True, slots=True)
class Failed:
    """A recording that could not be replayed, and why, in one sentence."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """A recording that is to be replayed.

    Attributes
    ----------
    name : str
        Its path as given; of one in a zip archive ``archive.zip/file.csv``.
    unpacked : Path or None
        Where it was unpacked to; ``None`` for a file or folder outside an archive.
    unreadable : str or None
        Why it could not be unpacked, in one sentence.
    """

    name: str
    unpacked: Path | None = None
    unreadable: str | None = None


@contextmanager
def sources_of(paths: Sequence[str]) -> Iterator[list[Source]]:
    """Give all recordings of files, folders and zip archives in order; unpacked files are deleted at the end.

    A zip archive that is one recording of an app is read as it is.
    """
    with ExitStack() as stack:
        sources: list[Source] = []
        for name in names_of_recordings(paths):
            inside: list[Source] = []
            if _is_archive_of_recordings(Path(name)):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imu_")))
                inside = _unpacked(name, folder / "unpacked")
            sources += inside or [Source(name)]
        yield sources


def _is_archive_of_recordings(path: Path) -> bool:
    """Whether a path is a sound zip archive, without a password, that is not the export of one recording."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    try:
        open_recording(path)
    except ImuError:
        try:
            with zipfile.ZipFile(path) as archive:
                return not any(member.flag_bits & 1 for member in archive.infolist())  # bit 0: encrypted
        except (zipfile.BadZipFile, ValueError, OSError):
            return False
    return False


def _unpacked(name: str, folder: Path) -> list[Source]:
    """Unpack an archive; return the recordings in it, and what could not be unpacked."""
    with zipfile.ZipFile(name) as archive:
        members = [one for one in archive.infolist() if one.filename and not one.is_dir()]
        if len(members) > MOST_IN_ARCHIVE:
            return [Source(name, unreadable=f"it holds {len(members)} files: unpack it, and give some of them")]
        if sum(one.file_size for one in members) > LARGEST_ARCHIVE:
            limit = f"it is larger than {LARGEST_ARCHIVE // 1024**3} GB once it is unpacked"
            return [Source(name, unreadable=f"{limit}: unpack it, and give some of its files")]
        broken = []
        for one in members:
            inside = [part for part in PurePosixPath(one.filename).parts if part not in ("/", "..")]  # as zipfile does
            try:
                archive.extract(one, folder)
            except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError) as error:
                with suppress(OSError, ValueError):
                    folder.joinpath(*inside).unlink()
                broken.append(Source("/".join((name, *inside)), unreadable=f"it cannot be unpacked ({error})"))
    paths = [path for path in find_recordings([folder]) if path != folder]
    return [Source(f"{name}/{path.relative_to(folder).as_posix()}", path) for path in paths] + broken


def names_of_recordings(paths: Sequence[str]) -> list[str]:
    """Return the names of all recordings: files as given, those in a folder beginning with the folder as given."""
    names = []
    for given in paths:
        folder = Path(given)
        for file in find_recordings([folder]):
            if file == folder:
                names.append(given)
            else:
                separator = "" if given.endswith(("/", os.sep)) else os.sep
                names.append(f"{given}{separator}{file.relative_to(folder)}")
    return names


def replay(source: Source | str, options: ReplayOptions) -> Replayed | Failed:
    """Replay one recording, named by its path or by `sources_of`; never raise."""
    if isinstance(source, str):
        source = Source(source)
    name, path = source.name, source.unpacked or Path(source.name)
    if source.unreadable is not None:
        return Failed(name, source.unreadable)
    try:
        replayed = replace(_replay(name, path, options), unpacked=source.unpacked)
        return replace(replayed, content_hash=_hash_of(path)) if options.hashed else replayed
    except ImuError as error:
        return Failed(name, str(error))
    except Exception as error:  # our own mistake: hundreds of other recordings must not wait for it to be put right
        logging.getLogger(__name__).exception("while replaying %s", name)
        return Failed(name, f"this program failed on it ({type(error).__name__}: {error}); please report that")


def _hash_of(path: Path) -> str:
    from imu.store import hash_of  # noqa: PLC0415  slow to import

    return hash_of(path)


def _replay(name: str, path: Path, options: ReplayOptions) -> Replayed:
    """Replay a recording: its samples and the person's commands go into a session as they did live."""
    recording = open_recording(
        path,
        acceleration_unit=options.acceleration_unit,
        angular_velocity_unit=options.angular_velocity_unit,
    )
    personal = options.personal if recording.personal is None else recording.personal
    parameters = SessionParameters(options.least_repetitions, judge=JudgeParameters(personal=personal))
    session = Session(parameters, check_units=False)  # reading and drivers have judged the units
    for item in recording.stream():
        if isinstance(item, PersonAsked):
            from imu.training import obey  # noqa: PLC0415  only trainings hold commands; the sensors are slow to import

            obey(session, item.command)
        else:
            session.push(item)
    return Replayed(
        name=name,
        summary=session.finish()[1],
        rows_sorted=recording.rows_sorted,
        rows_unreadable=recording.rows_unreadable,
        first_unreadable=recording.first_unreadable,
        started_at=recording.started_at,
        damaged=recording.damage,
    )


def keep_replayed(
    replayed: Replayed, store: SessionStore, software_version: str, planned: Sequence[PlannedSet] | None = None
) -> int | None:
    """Keep a session in the store and a copy of its recording in our folder; return the session's number.

    Return ``None`` if it was replayed without being hashed.

    Raises
    ------
    StoreDamaged
        If the store cannot be written.
    RecordingNotCopied
        If the recording cannot be copied; then the session is not stored.
    """
    from imu.store.home import recordings_folder  # noqa: PLC0415  slow to import
    from imu.store.recording_files import copy_recording, find_recording  # noqa: PLC0415

    if replayed.content_hash is None:
        return None
    earlier = store.source_of(replayed.content_hash)
    copy = None if earlier is None else find_recording(earlier, replayed.content_hash, recordings_folder())
    return store.save(
        replayed.summary,
        copy or copy_recording(replayed.path, recordings_folder()),
        replayed.content_hash,
        saved_at=datetime.now(UTC),
        software_version=software_version,
        started_at=replayed.started_at,
        planned=planned,
    )


def replay_all(
    sources: Sequence[Source], options: ReplayOptions, jobs: int = 1
) -> Generator[Replayed | Failed, None, None]:
    """Give the result for each recording in order, as soon as it is there; close the iterator to stop the processes.

    Parameters
    ----------
    sources : sequence of Source
        Recordings.
    options : ReplayOptions
        How to replay them.
    jobs : int
        How many processes work at it; the results are the same with any number.

    Raises
    ------
    ImuError
        If a process died, as when memory is short.
    """
    jobs = min(jobs, len(sources))
    if jobs <= 1:
        for source in sources:
            yield replay(source, options)
        return
    import multiprocessing  # noqa: PLC0415  slow to import, and most replays need one process
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415

    # Not forked: a fork copies the threads' locks and not the threads, and Windows has none.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    finished = False
    try:
        for result in _submit(pool, sources, options):
            yield result.result()
        finished = True
    except BrokenProcessPool as error:
        raise ImuError("a process that replayed recordings died: memory may be short, use fewer --jobs") from error
    finally:
        pool.shutdown(wait=finished, cancel_futures=True)
        if not finished:
            for process in multiprocessing.active_children():
                process.terminate()


def _submit(
    pool: ProcessPoolExecutor, sources: Sequence[Source], options: ReplayOptions
) -> list[Future[Replayed | Failed]]:
    """Submit all recordings. Workers ignore SIGINT; the parent terminates them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return [pool.submit(replay, source, options) for source in sources]
    finally:
        signal.signal(signal.SIGINT, before)


def _end_with_parent() -> None:
    """Let a process end when the one that started it was killed, rather than wait for work for ever."""
    import multiprocessing  # noqa: PLC0415  slow to import

    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
