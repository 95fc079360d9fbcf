"""Recordings -> their summaries, in the order given, in this process or in several.

A broken recording becomes a `Failed` with one sentence, and the others are replayed all the same. A zip archive that is
not the export of one recording counts as the folder that it was made of; terminal and page unpack it here.
"""

from __future__ import annotations

import logging
import lzma
import os
import pickle
import signal
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from imu.errors import ImuError
from imu.motion.fitted import shipped_weights
from imu.motion.judge import JudgeParameters
from imu.motion.personal import PersonalShift
from imu.motion.tracker import NetworkStage, Piece
from imu.recordings.recording import Recording, find_recordings, open_recording
from imu.session import Session, SessionParameters, SessionSummary
from imu.training import PersonAsked

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from imu.store import PlannedSet, SessionStore


LARGEST_ARCHIVE = 2 * 1024**3
"""Unpacked size of a zip archive of recordings, bytes: a year of daily hours at 100 Hz."""
MOST_IN_ARCHIVE = 10_000
"""Files in such an archive: a day's work of a batch."""
DEEPEST_IN_ARCHIVE = 50
"""Folders in each other in such an archive; walking through a thousand needs more stack than Python has."""
LONGEST_REASON = 200
"""Letters of the reason why a file in it cannot be unpacked: it may quote the name, of up to 65,535."""
_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, NotImplementedError, OSError)

AHEAD_BYTES = 40_000_000
"""From this size on, a second process reads ahead: its start takes 0.3 s, and it spares 0.1 to 0.2 s for each hour."""
PIPE_BYTES = 2**20
"""By so much the second process may be ahead: some five minutes of signals."""
_AHEAD = "from imu.report.replay import _send_output; _send_output()"


EARLIEST_YEAR = 1970
"""No recording is older, and a day of the year 1 has no date in other time zones."""


AHEAD_AT_MOST = timedelta(days=1)
"""Some apps write local time as UTC. A clock that is further ahead was not set, and its date is not used."""


def is_possible_start(moment: datetime, ahead: timedelta = timedelta()) -> bool:
    """Whether a recording can have begun at a moment, by a clock that may be `ahead`; one without a zone is local."""
    return moment.year >= EARLIEST_YEAR and moment <= datetime.now(moment.tzinfo) + ahead


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
        When it was recorded; ``None`` if that is not known, or lies in the future.
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
        except _UNREADABLE:
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
        for member in members:
            inside = [
                part for part in PurePosixPath(member.filename).parts if part not in ("/", "..")
            ]  # as zipfile does
            try:
                if len(inside) > DEEPEST_IN_ARCHIVE:
                    raise ValueError("its folders are too deep")
                archive.extract(member, folder)
            except _UNREADABLE as error:
                with suppress(OSError, ValueError):
                    folder.joinpath(*inside).unlink()
                reason = (isinstance(error, OSError) and error.strerror) or str(error)
                where = "/".join((name, *(part[-LONGEST_REASON:] for part in inside[-DEEPEST_IN_ARCHIVE:])))
                broken.append(Source(where, unreadable=f"it cannot be unpacked ({reason[:LONGEST_REASON]})"))
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


def replay(source: Source | str, options: ReplayOptions, *, ahead: bool = False) -> Replayed | Failed:
    """Replay one recording, named by its path or by `sources_of`; never raise.

    With `ahead`, a second process reads a long one, where there is a second core; the result is the same.
    """
    if isinstance(source, str):
        source = Source(source)
    name, path = source.name, source.unpacked or Path(source.name)
    if source.unreadable is not None:
        return Failed(name, source.unreadable)
    try:
        replayed = replace(_replay(name, path, options, ahead=ahead), unpacked=source.unpacked)
        return replace(replayed, content_hash=_hash_of(path)) if options.hashed else replayed
    except ImuError as error:
        return Failed(name, str(error))
    except Exception as error:  # our own mistake: hundreds of other recordings must not wait for it to be put right
        logging.getLogger(__name__).exception("while replaying %s", name)
        return Failed(name, f"this program failed on it ({type(error).__name__}: {error}); please report that")


def _hash_of(path: Path) -> str:
    from imu.store import hash_of  # noqa: PLC0415  slow to import

    return hash_of(path)


def _replay(name: str, path: Path, options: ReplayOptions, *, ahead: bool) -> Replayed:
    """Replay a recording: its samples and the person's commands go into a session as they did live."""
    recording = _open(path, options)
    personal = options.personal if recording.personal is None else recording.personal
    parameters = SessionParameters(options.least_repetitions, judge=JudgeParameters(personal=personal))
    started_at = recording.started_at
    if started_at is not None and not is_possible_start(started_at, AHEAD_AT_MOST):
        started_at = None
    replayed = partial(Replayed, name, started_at=started_at)
    if ahead and recording.training is None and _is_worth_two(path):
        session = Session(parameters, check_units=False)
        try:
            for piece in _output_ahead(path, options):
                if isinstance(piece, dict):
                    return replayed(session.finish()[1], **piece)
                session.take([piece])
        except (OSError, EOFError, pickle.UnpicklingError):
            pass  # the other process could not start, or died of a damaged file, say: this one does it all
    session = Session(parameters, check_units=False)  # reading and drivers have judged the units
    for item in recording.stream():
        if isinstance(item, PersonAsked):
            from imu.training import obey  # noqa: PLC0415  only trainings hold commands; the sensors are slow to import

            obey(session, item.command)
        else:
            session.push(item)
    return replayed(session.finish()[1], damaged=recording.damage, **_rows_of(recording))


def _open(path: Path, options: ReplayOptions) -> Recording:
    units = options.acceleration_unit, options.angular_velocity_unit
    return open_recording(path, acceleration_unit=units[0], angular_velocity_unit=units[1])


def _rows_of(recording: Recording) -> dict[str, Any]:
    """Return the counts made while reading, by the names of `Replayed`."""
    return {name: getattr(recording, name) for name in ("rows_sorted", "rows_unreadable", "first_unreadable")}


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
            yield replay(source, options, ahead=True)
        return
    import multiprocessing  # noqa: PLC0415  slow to import, and most replays need one process
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415

    # Not forked: a fork copies the threads' locks and not the threads, and Windows has none.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=end_with_parent)
    finished = False
    try:
        for result in _submit(pool, sources, options):
            yield result.result()
        finished = True
    except BrokenProcessPool as error:
        raise ImuError("a process that replayed recordings died: memory may be short, use fewer --jobs") from error
    finally:
        if not finished:
            for process in multiprocessing.active_children():
                process.terminate()
        pool.shutdown(cancel_futures=True)  # waits: its thread would write into a closed pipe at the program's end


def _submit(
    pool: ProcessPoolExecutor, sources: Sequence[Source], options: ReplayOptions
) -> list[Future[Replayed | Failed]]:
    """Submit all recordings. Workers ignore SIGINT; the parent terminates them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return [pool.submit(replay, source, options) for source in sources]
    finally:
        signal.signal(signal.SIGINT, before)


def end_with_parent() -> None:
    """Let a process end when the one that started it was killed, rather than wait for work for ever."""
    import multiprocessing  # noqa: PLC0415  slow to import

    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


# --- a long recording on two cores -----------------------------------------------------------------------------------


def _is_worth_two(path: Path) -> bool:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores > 1 and bool(sys.executable) and path.is_file() and path.stat().st_size >= AHEAD_BYTES


def _output_ahead(path: Path, options: ReplayOptions) -> Iterator[Piece | dict[str, Any]]:
    """Yield what `_send_output` sends from another process, while that goes on reading.

    Raises
    ------
    OSError, EOFError, pickle.UnpicklingError
        If that process does not start, or ends before everything is there.
    """
    import subprocess  # noqa: PLC0415  slow to import

    command = [sys.executable, "-P", "-c", _AHEAD]
    places = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pipesize=PIPE_BYTES,
        env=os.environ | {"PYTHONPATH": places, "OPENBLAS_NUM_THREADS": "1"},
    ) as other:
        if other.stdin is None or other.stdout is None:
            raise EOFError
        try:
            with other.stdin as to_other:
                pickle.dump((path, options), to_other)
            while True:
                yield pickle.load(other.stdout)
        finally:
            other.kill()


def _send_output() -> None:
    """Read a recording for the process that started this one; send it the network's output, then the counts of rows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    path, options = pickle.load(sys.stdin.buffer)
    recording, stage = _open(path, options), NetworkStage(shipped_weights().network)
    output = chain.from_iterable(stage.push(block) for block in recording.blocks())
    for piece in chain(output, stage.finish()):
        pickle.dump(piece, sys.stdout.buffer, protocol=5)
    pickle.dump(_rows_of(recording), sys.stdout.buffer)
    sys.stdout.flush()
