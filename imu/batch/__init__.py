"""Many recordings -> two tables: one row for each repetition, one row for each recording.

`sources` lists the recordings and counts one of them, `results` keeps the results and writes the tables, and this file
distributes the work over processes of this computer, or of an existing Dask cluster.

Workers start once and receive recordings in groups, because a short recording is counted in less time than a process
needs to import this program. The parent alone writes results. If a worker dies, the recordings that it may have held
are counted one at a time; one that makes a worker die again gets an error, and all others are counted.
"""
# ruff: noqa: PLC0415  dask is an extra; modules that count are imported by workers

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from imu.batch.results import ResultFile, ResultFolder, Results
from imu.batch.sources import Counted, Row, Settings, Source, check_paths, count_sources, failed, find_sources
from imu.errors import ImuError, needs_extra
from imu.report.replay import process_context, process_pool

GROUP_FILES = 16
"""Recordings of one group, at most: few enough that a killed run repeats little, and that all workers end together."""

GROUP_BYTES = 8_000_000
"""Bytes of one group, unless it is a single recording: about 15 minutes of CSV at 100 Hz."""

CONNECT_S = 10.0
"""The scheduler must answer within this time."""

WORKERLESS_S = 60.0
"""A cluster without a worker for this long is given up: a nanny starts a new one in a few seconds."""

CHECK_S = 1.0
"""While nothing comes, the connection is checked this often."""

_AGAIN = "run the same command again: results so far are kept"

Group = tuple[Source, ...]
Progress = Callable[[int, int], None]


def run_batch(
    paths: Sequence[str],
    out: str,
    settings: Settings,
    *,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> tuple[list[Row], int]:
    """Count all recordings that are not counted yet, and write the tables.

    Parameters
    ----------
    paths : sequence of str
        Recordings and folders, as paths or fsspec URLs.
    out : str
        The file of results, ``.csv`` or ``.parquet``; with `cluster` a folder, or its URL.
    settings : Settings
        How to count.
    jobs : int
        Number of processes of this computer.
    cluster : str or None
        Address of a Dask scheduler, which then gives the work to its workers.
    progress : callable
        Is called with the number of recordings done and of all.

    Returns
    -------
    list of dict, int
        The table of recordings; and how many of them were counted by an earlier run.

    Raises
    ------
    ImuError
        If a path does not exist, the results cannot be written, or the cluster cannot be reached.
    """
    check_paths(paths)
    if cluster is None:
        _context()
        with closing(ResultFile(Path(out))) as file, ExitStack() as unpacked:
            own = [str(path.absolute()) for path in (file.path, file.recordings, file.partial)]
            batch = _Batch(find_sources(paths, own, unpacked), file, settings, progress)
            return batch.run(lambda pending: _count_locally(pending, settings, jobs))
    if out.lower().endswith((".csv", ".parquet")):
        raise ImuError(f"a cluster writes a folder of Parquet files, and {out} names a file: name a folder")
    with _connected(cluster) as client:
        own = [] if "://" in out else [str(Path(out).absolute())]
        batch = _Batch(find_sources(paths, own), ResultFolder(out), settings, progress)
        return batch.run(lambda pending: _count_on_cluster(client, pending, settings))


@dataclass(frozen=True, slots=True)
class _Batch:
    """The recordings to count, and the place of the results."""

    sources: Sequence[Source]
    results: Results
    settings: Settings
    progress: Progress | None

    def run(self, count: Callable[[Sequence[Source]], Generator[list[Counted], None, None]]) -> tuple[list[Row], int]:
        """Count the remaining recordings; return the same as `run_batch`."""
        pending = self.results.pending(self.sources, self.settings)
        earlier = done = len(self.sources) - len(pending)
        with closing(count(pending)) as groups:
            for group in chain([[]], groups):
                if group:
                    self.results.add(group)
                done += len(group)
                if self.progress is not None:
                    self.progress(done, len(self.sources))
        return list(self.results.finish(self.sources)), earlier


def _groups(sources: Sequence[Source], workers: int) -> list[Group]:
    """Return the recordings in groups, the largest first, so that no worker ends with a large one."""
    files = max(1, min(GROUP_FILES, len(sources) // (16 * workers)))  # the last group keeps one worker waiting
    groups: list[list[Source]] = []
    size = 0
    for source in sorted(sources, key=lambda source: -source.size_bytes):
        if not groups or size + source.size_bytes > GROUP_BYTES or len(groups[-1]) == files:
            groups.append([])
            size = 0
        groups[-1].append(source)
        size += source.size_bytes
    return [tuple(group) for group in groups]


# --- processes of this computer --------------------------------------------------------------------------------------


class _WorkerDied(Exception):
    """A process died; these recordings were given out and did not come back."""

    def __init__(self, groups: list[Group]) -> None:
        super().__init__()
        self.groups = groups


def _context() -> BaseContext:
    """Return how processes start."""
    return process_context(["typer", "imu.batch.sources", "imu.report.objects"])


def _count_locally(sources: Sequence[Source], settings: Settings, jobs: int) -> Generator[list[Counted], None, None]:
    """Yield the results of all recordings, in groups, in any order."""
    if not sources:
        return
    groups = deque(_groups(sources, jobs))
    try:
        with process_pool(jobs, _context()) as pool:
            yield from _round(pool, groups, settings, ahead=2 * jobs)
        return
    except _WorkerDied as died:
        suspects: deque[Group] = deque((source,) for group in died.groups for source in group)
    while groups or suspects:
        try:
            if suspects:
                with process_pool(1, _context()) as single:
                    yield from _round(single, suspects, settings, ahead=1)
            if groups:
                with process_pool(jobs, _context()) as several:
                    yield from _round(several, groups, settings, ahead=2 * jobs)
        except _WorkerDied as died:
            lost = [source for group in died.groups for source in group]
            if len(lost) == 1:
                yield [failed(lost[0], settings, "the process that read it died: memory may be short")]
            else:
                suspects.extend((source,) for source in lost)


def _round(
    pool: ProcessPoolExecutor, groups: deque[Group], settings: Settings, ahead: int
) -> Generator[list[Counted], None, None]:
    """Count groups, `ahead` of them given out at a time, until none is left or a process dies."""
    running: dict[Future[list[Counted]], Group] = {}
    lost: list[Group] = []
    while (groups and not lost) or running:
        while groups and not lost and len(running) < ahead:
            group = groups.popleft()
            try:
                running[pool.submit(count_sources, group, settings)] = group
            except BrokenProcessPool:
                lost.append(group)
        for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
            group = running.pop(future)
            try:
                counted = future.result()
            except BrokenProcessPool:
                lost.append(group)
            else:
                yield counted
    if lost:
        raise _WorkerDied(lost)


# --- a Dask cluster --------------------------------------------------------------------------------------------------


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Provide a client of a Dask scheduler that has a worker."""
    with needs_extra("cluster", "--cluster needs Dask"):
        from distributed import Client
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters becomes one sentence
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ImuError(
            f"no Dask scheduler answers at {address} within {CONNECT_S:.0f} s: check the address, or start one "
            "with dask scheduler"
        ) from error
    try:
        try:
            client.wait_for_workers(1, timeout=WORKERLESS_S)
        except TimeoutError as error:
            raise ImuError(
                f"the scheduler at {address} has no worker: start some with dask worker {address}"
            ) from error
        yield client
    finally:
        client.close(timeout=2)


def _count_on_cluster(
    client: Any, sources: Sequence[Source], settings: Settings
) -> Generator[list[Counted], None, None]:
    """Yield the results of all recordings, in groups, in any order.

    The scheduler gives the groups of a dead worker to others. A group that was on several dead workers is counted one
    recording at a time, with nothing beside it, so that the recording that ends workers is found.
    """
    from distributed import KilledWorker

    suspects: list[Source] = []
    for group, counted in _as_completed(client, _groups(sources, len(client.nthreads()) or 1), settings):
        if isinstance(counted, KilledWorker):
            suspects.extend(group)
        else:
            yield counted
    for source in suspects:
        for _, counted in _as_completed(client, [(source,)], settings):
            if isinstance(counted, KilledWorker):
                yield [failed(source, settings, "each worker that read it died: its memory may be short")]
            else:
                yield counted


def _as_completed(client: Any, groups: Iterable[Group], settings: Settings) -> Iterator[tuple[Group, Any]]:
    """Yield each group with its results, or with the error of a group whose workers died."""
    from distributed import as_completed

    groups_of = {client.submit(count_sources, group, settings, pure=False): group for group in groups}
    completed = as_completed(groups_of, loop=client.loop)
    seen_s = checked_s = time.monotonic()  # a worker was there; that was checked
    while groups_of:
        batch = completed.next_batch(block=False)
        now_s = time.monotonic()
        if not batch and now_s - checked_s > CHECK_S:
            checked_s = now_s
            if client.status != "running":
                raise ImuError(f"the scheduler is gone: {_AGAIN}")
            if client.nthreads():
                seen_s = now_s
            elif now_s - seen_s > WORKERLESS_S:
                raise ImuError(f"the cluster has no worker any more: start some, and {_AGAIN}")
        if not batch:
            time.sleep(0.02)
        for one in batch:
            if one.status in ("pending", "lost"):  # the worker died before its result was fetched: others repeat it
                completed.add(one)
                continue
            if one.status == "cancelled":
                raise ImuError(f"the scheduler is gone: {_AGAIN}")
            try:
                result = _result(one, settings)
            except TimeoutError:
                completed.add(one)
            else:
                yield groups_of.pop(one), result


def _result(future: Any, settings: Settings) -> Any:
    """Return the results of a group, or the error that its workers died."""
    from distributed import KilledWorker

    try:
        counted: list[Counted] = future.result(timeout=WORKERLESS_S)
    except KilledWorker as error:
        return error
    except TimeoutError:
        raise
    except Exception as error:  # of a worker without this program, or with other libraries
        raise ImuError(
            f"a worker cannot count ({type(error).__name__}: {error}): install imu-training of this version on each"
        ) from error
    if any(one.recording["counted_with"] != settings.counted_with for one in counted):
        raise ImuError(f"a worker has another version of this program than {settings.counted_with}")
    return counted
