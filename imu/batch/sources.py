"""The recordings of a batch: their names, their versions, and the counting of one of them.

A recording has a local path or an fsspec URL (``s3://bucket/day/1.csv``). One that comes by URL is a single file; a
worker copies it to its own disk, counts it and removes the copy.
"""
# ruff: noqa: PLC0415  fsspec is an extra; the modules that count are imported by workers only

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal

import imu
from imu.errors import ExtraMissing, ImuError, needs_extra

if TYPE_CHECKING:
    from imu.motion.personal import PersonalShift

Cell = str | int | float | None
Row = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Source:
    """A recording and the version of it that is to be counted.

    Attributes
    ----------
    name : str
        The name in the tables: the path as given, or the URL.
    path : str
        The place to read: an absolute path, or the URL.
    size_bytes : int
        Size of the file, or of all files of the recording.
    version : str
        The time of the latest change in ns, of a zip archive for a recording in it; of a URL, what its storage says (an
        ETag or a time).
    unreadable : str or None
        Why it cannot be read, in one sentence, if that is known already.
    """

    name: str
    path: str
    size_bytes: int
    version: str
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How recordings are read and counted, as in `imu.report.replay.ReplayOptions`."""

    least_repetitions: int = 2
    acceleration_unit: Literal["m/s2", "g"] = "m/s2"
    angular_velocity_unit: Literal["rad/s", "deg/s"] = "rad/s"
    columns: Mapping[str, str] = field(default_factory=dict)
    personal: PersonalShift | None = None

    @property
    def counted_with(self) -> str:
        """Program, weights and settings in one line: with the recording, they determine the result."""
        shift = self.personal
        learned = "" if shift is None else f", learned {shift.counting:+.3f} {shift.hinge:+.3f}"
        units = f"{self.acceleration_unit}, {self.angular_velocity_unit}"
        names = "".join(f", {name}={own}" for name, own in sorted(self.columns.items()))
        return f"{_program()}, sets of {self.least_repetitions}, {units}{names}{learned}"


@dataclass(frozen=True, slots=True)
class Counted:
    """The result of one recording.

    Attributes
    ----------
    recording : dict
        Its row in the table of recordings; ``error`` holds a sentence if it was not counted.
    repetitions : tuple of dict
        Its rows in the table of repetitions, in the order of time.
    """

    recording: Row
    repetitions: tuple[Row, ...] = ()

    @property
    def name(self) -> str:
        """Name of the recording."""
        return str(self.recording["recording"])


@cache
def _program() -> str:
    """Return the version of the program and the start of the hash of its weights."""
    weights = files("imu.motion").joinpath("weights.npz").read_bytes()
    return f"imu {imu.__version__}, weights {hashlib.sha256(weights).hexdigest()[:8]}"


# --- the list --------------------------------------------------------------------------------------------------------


def check_paths(paths: Sequence[str]) -> None:
    """Raise `ImuError` if a local path does not exist."""
    from imu.recordings.folders import archive_around

    for given in paths:
        if "://" not in given and not Path(given).exists() and archive_around(given) is None:
            raise ImuError(f"there is no file or folder {given}")


def find_sources(
    paths: Sequence[str], leave_out: Iterable[str] = (), unpacked: ExitStack | None = None
) -> list[Source]:
    """Return all recordings of the paths, each once.

    Parameters
    ----------
    paths : sequence of str
        Recordings and folders, as paths or fsspec URLs.
    leave_out : iterable of str
        Absolute paths of results, which are not recordings: files, and folders with all that is in them.
    unpacked : ExitStack or None
        Keeps what is unpacked of zip archives until it is closed. Without it, archives stay packed: workers on other
        computers would not see it.

    Raises
    ------
    ImuError
        If a folder cannot be listed, or there is no recording.
    """
    sources: dict[str, Source] = {}
    results = [Path(path) for path in leave_out]
    for given in paths:
        inside = _by_url(given) if "://" in given else _local(given, results, unpacked)
        for source in inside:
            sources[source.name if "://" in given else str(Path(source.name).absolute())] = source
    if not sources:
        raise ImuError(f"there is no recording in {', '.join(paths)}")
    return list(sources.values())


def _local(given: str, results: Sequence[Path], unpacked: ExitStack | None) -> Iterator[Source]:
    from imu.recordings import folders

    top = Path(given)
    for name in folders.names_of_recordings([given]):
        path = Path(name).absolute()
        is_result = any(result in (path, *path.parents) for result in results) or _is_table(path)
        if is_result or (Path(name) == top and _is_empty(top)):
            continue
        inside = [folders.Source(name)] if unpacked is None else unpacked.enter_context(folders.sources_of([name]))
        for source in inside:
            if source.unpacked is None:
                yield Source(source.name, str(path), *_version(path), source.unreadable)
            else:
                archive = path if path.exists() else Path(folders.archive_around(name) or name)
                yield Source(source.name, str(source.path), _version(source.path)[0], _version(archive)[1])


def _is_table(path: Path) -> bool:
    """Whether a file is one of the two tables that another batch has written."""
    stem = path.stem.removesuffix(".recordings")
    return all(path.with_name(f"{stem}{middle}{path.suffix}").is_file() for middle in ("", ".recordings"))


def _is_empty(folder: Path) -> bool:
    """Return whether a folder, named as a recording, holds no recording and was made by no app."""
    from imu.recordings.folders import app_recording

    try:
        return folder.is_dir() and app_recording(folder) is None
    except ImuError:  # it is one; counting it gives the same error
        return False


def _version(path: Path) -> tuple[int, str]:
    """Return size and version of a recording: of its file, or of all files that may be part of it."""
    from imu.recordings.folders import PART

    try:
        if path.is_dir():
            parts = [part for part in path.rglob("*") if part.is_file()]
        elif PART.fullmatch(path.name):
            parts = [part for part in path.parent.iterdir() if PART.fullmatch(part.name)]
        else:
            parts = [path]
        stats = [part.stat() for part in parts]
    except OSError:  # it goes away while it is listed; reading it gives the reason
        return 0, "0"
    return sum(stat.st_size for stat in stats), str(max(stat.st_mtime_ns for stat in stats))


def file_system(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL or path, and the path in it.

    Raises
    ------
    ExtraMissing
        If fsspec, or its library for this kind of URL, is not installed.
    ImuError
        If there is no such kind of URL.
    """
    with needs_extra("cluster", "URLs need fsspec"):
        from fsspec.core import url_to_fs
    try:
        return url_to_fs(url)  # type: ignore[no-any-return]
    except ImportError as error:
        raise ExtraMissing(f"{url} cannot be opened: {error}") from error
    except ValueError as error:
        raise ImuError(f"{url} cannot be opened: {error}") from error


def _by_url(given: str) -> Iterator[Source]:
    from imu.recordings.folders import may_be_recording

    system, path = file_system(given)
    try:
        files = system.find(path, detail=True)
    except Exception as error:  # each storage has errors of its own
        raise ImuError(f"{given} cannot be listed ({type(error).__name__}: {error})") from error
    if not files:
        raise ImuError(f"there is no file or folder {given}")
    for name, about in sorted(files.items()):
        if name == path or may_be_recording(PurePath(name.removeprefix(path))):
            keys = ("ETag", "etag", "mtime", "LastModified", "updated", "created")
            changed = next((about[key] for key in keys if about.get(key)), 0)
            url = system.unstrip_protocol(name)
            yield Source(url, url, int(about.get("size") or 0), str(changed))


# --- counting --------------------------------------------------------------------------------------------------------


def count_sources(sources: Sequence[Source], settings: Settings) -> list[Counted]:
    """Count recordings one after the other, in a worker; never raise."""
    return [count_source(source, settings) for source in sources]


def count_source(source: Source, settings: Settings) -> Counted:
    """Count one recording; never raise."""
    from imu.motion.personal import PersonalShift
    from imu.report.objects import repetition_object, session_object
    from imu.report.replay import Failed, ReplayOptions, replay

    options = ReplayOptions(
        settings.least_repetitions,
        settings.acceleration_unit,
        settings.angular_velocity_unit,
        settings.columns,
        settings.personal or PersonalShift(),
    )
    if source.unreadable is not None:
        return failed(source, settings, source.unreadable)
    try:
        with _local_copy(source) as path:
            replayed = replay(path, options)
    except Exception as error:  # each storage has errors of its own
        return failed(source, settings, f"it cannot be fetched ({type(error).__name__}: {error})")
    if isinstance(replayed, Failed):
        return failed(source, settings, replayed.reason)
    session: dict[str, Any] = session_object(source.name, replayed.summary)
    rows: list[dict[str, Any]] = [
        {"recording": source.name, "set": number, "repetition": position, **repetition_object(repetition)}
        for number, training_set in enumerate(replayed.summary.sets, 1)
        for position, repetition in enumerate(training_set.repetitions, 1)
    ]
    recording = _identity(source, settings) | {
        "duration_s": session["duration_s"],
        "sampling_rate_hz": session["sampling_rate_hz"],
        "samples": session["samples"],
        "gaps": len(session["gaps"]),
        "sets": len(session["sets"]),
        **session["totals"],
        "not_counted": len(session["rejected"]),
        "damaged": replayed.damaged,
        "error": None,
    }
    return Counted(recording, tuple(rows))


def failed(source: Source, settings: Settings, reason: str) -> Counted:
    """Return the result of a recording that was not counted."""
    return Counted(_identity(source, settings) | {"error": reason})


def _identity(source: Source, settings: Settings) -> Row:
    return {
        "recording": source.name,
        "size_bytes": source.size_bytes,
        "version": source.version,
        "counted_with": settings.counted_with,
    }


@contextmanager
def _local_copy(source: Source) -> Iterator[str]:
    """Provide a path where the recording can be read on this computer."""
    if "://" not in source.path:
        yield source.path
        return
    system, path = file_system(source.path)
    with tempfile.TemporaryDirectory(prefix="imu_batch_") as folder:
        copy = os.path.join(folder, Path(path).name)  # noqa: PTH118  a str is wanted
        system.get_file(path, copy)
        yield copy
