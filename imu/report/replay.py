"""Recordings -> their summaries, in the order given, in this process or in several.

A broken recording becomes a `Failed` with one sentence, and the others are replayed all the same.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imu.errors import ImuError
from imu.motion.fitted import shipped_weights
from imu.motion.judge import JudgeParameters
from imu.motion.personal import PersonalShift
from imu.motion.tracker import NetworkStage, Piece
from imu.recordings.folders import Source
from imu.recordings.recording import Recording, open_recording
from imu.session import Session, SessionParameters, SessionSummary
from imu.training import PersonAsked

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing.context import BaseContext

    from imu.store import Correction, PlannedSet, SessionStore


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
    columns : mapping
        Names of the columns in the files, where they differ from ours: ``{"acc_x": "ax", ...}``.
    personal : PersonalShift
        The person's learned thresholds; the recording of a training holds its own.
    hashed : bool
        Whether `Replayed.content_hash` is wanted: it reads the file once more.
    """

    least_repetitions: int = 2
    acceleration_unit: Literal["m/s2", "g"] = "m/s2"
    angular_velocity_unit: Literal["rad/s", "deg/s"] = "rad/s"
    columns: Mapping[str, str] = field(default_factory=dict)
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


def replay(source: Source | str, options: ReplayOptions, *, ahead: bool = False) -> Replayed | Failed:
    """Replay one recording, named by its path or by `imu.recordings.folders.sources_of`; never raise.

    With `ahead`, a second process reads a long one, where there is a second core; the result is the same.
    """
    if isinstance(source, str):
        source = Source(source)
    name, path = source.name, source.path
    if source.unreadable is not None:
        return Failed(name, source.unreadable)
    try:
        replayed = replace(_replay(name, path, options, ahead=ahead), unpacked=source.unpacked)
        return replace(replayed, content_hash=_hash_of(path)) if options.hashed else replayed
    except ImuError as error:
        return Failed(name, str(error))
    except Exception as error:  # our own mistake: hundreds of other recordings must not wait for it to be put right
        import logging  # noqa: PLC0415  slow to import

        logging.getLogger(__name__).exception("while replaying %s", name)
        return Failed(name, f"this program failed on it ({type(error).__name__}: {error}); please report that")


def _hash_of(path: Path) -> str:
    from imu.store import hash_of  # noqa: PLC0415  slow to import

    return hash_of(path)


def _replay(name: str, path: Path, options: ReplayOptions, *, ahead: bool) -> Replayed:
    """Replay a recording: its samples and the person's commands go into a session as they did live."""
    recording = open_with(path, options)
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
                if isinstance(piece, ImuError):
                    raise piece
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


def open_with(path: Path, options: ReplayOptions) -> Recording:
    """Open a recording as these options say; raise as `open_recording` does."""
    return open_recording(
        path,
        acceleration_unit=options.acceleration_unit,
        angular_velocity_unit=options.angular_velocity_unit,
        columns=options.columns,
    )


def _rows_of(recording: Recording) -> dict[str, Any]:
    """Return the counts made while reading, by the names of `Replayed`."""
    return {name: getattr(recording, name) for name in ("rows_sorted", "rows_unreadable", "first_unreadable")}


def keep_replayed(
    replayed: Replayed,
    store: SessionStore,
    software_version: str,
    planned: Sequence[PlannedSet] | None = None,
    entries: Sequence[Correction] = (),
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
    from imu.store.home import (  # noqa: PLC0415
        copy_recording,
        find_recording,
        recordings_folder,
    )

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
        entries=entries,
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
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415  slow to import

    try:
        with process_pool(jobs, process_context(["typer", __name__])) as pool:
            for result in [pool.submit(replay, source, options) for source in sources]:
                yield result.result()
    except BrokenProcessPool as error:
        raise ImuError("a process that replayed recordings died: memory may be short, use fewer --jobs") from error


LONGEST_SOCKET, SOCKET_IN_FOLDER = 107, 32
"""Bytes of the longest path of a Unix socket, and of what :mod:`multiprocessing` appends to the temporary folder."""


def process_context(preload: Sequence[str]) -> BaseContext:
    """Return how processes start: on Linux from one that has imported these modules, else each on its own.

    They are not forked from this one: a fork copies the locks of threads and not the threads, and Windows has none.
    """
    import multiprocessing  # noqa: PLC0415  slow to import
    import tempfile  # noqa: PLC0415
    from multiprocessing import forkserver  # noqa: PLC0415

    is_short = len(os.fsencode(tempfile.gettempdir())) + SOCKET_IN_FOLDER <= LONGEST_SOCKET
    if sys.platform != "linux" or not is_short:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it and all that come from it ignore it
    try:
        forkserver.ensure_running()  # it imports while this process goes on
    finally:
        signal.signal(signal.SIGINT, before)
    return context


@contextmanager
def process_pool(jobs: int, context: BaseContext) -> Iterator[ProcessPoolExecutor]:
    """Provide processes that ignore SIGINT; after an error or a signal, end them without waiting for their work."""
    import multiprocessing  # noqa: PLC0415  slow to import, and most replays need one process
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    pool = ProcessPoolExecutor(jobs, context, initializer=_prepare)
    finished = False
    try:
        with _signals_put_off(ignore_sigint=context.get_start_method() == "spawn"):
            for _ in range(jobs):
                pool.submit(int)
        yield pool
        finished = True
    finally:
        if not finished:
            for process in multiprocessing.active_children():
                process.terminate()
        pool.shutdown(cancel_futures=True)  # waits: its thread would write into a closed pipe at the program's end


@contextmanager
def _signals_put_off(*, ignore_sigint: bool) -> Iterator[None]:
    """Put off what ends this program, while processes start: one that is half started would not be ended with it."""
    came: list[int] = []
    before: dict[int, Any] = {}
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM), signal.SIGINT):
        is_ignored = ignore_sigint and number == signal.SIGINT  # a process that is spawned ignores it too then
        handler = signal.SIG_IGN if is_ignored else lambda number, _: came.append(number)
        before.setdefault(number, signal.signal(number, handler) or signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def _prepare() -> None:
    """Prepare a process: it ignores SIGINT, ends with its parent, and loads what every recording needs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    shipped_weights()


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


def _output_ahead(path: Path, options: ReplayOptions) -> Iterator[Piece | dict[str, Any] | ImuError]:
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
    """Read a recording for the process that started this one; send it the network's output, then the counts of rows.

    An error of reading is sent in their place: read again, a file that was cut meanwhile would give a shorter session.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    path, options = pickle.load(sys.stdin.buffer)
    try:
        recording, stage = open_with(path, options), NetworkStage(shipped_weights().network)
        output = chain.from_iterable(stage.push(block) for block in recording.blocks())
        for piece in chain(output, stage.finish()):
            pickle.dump(piece, sys.stdout.buffer, protocol=5)
        pickle.dump(_rows_of(recording), sys.stdout.buffer)
    except ImuError as error:
        pickle.dump(error, sys.stdout.buffer)
    sys.stdout.flush()
