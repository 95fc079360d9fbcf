"""The files of an export (a folder, a zip archive, a file and its neighbours), and their columns on one time axis.

Nothing is unpacked to disk, and reading stops at the limits of :mod:`imu.recordings.table_files`, whatever sizes a zip
archive claims. The other modules of this package each read the files of one maker.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
from numpy.typing import NDArray

from imu.errors import RecordingDamaged, RecordingForeign
from imu.recordings import table_files
from imu.recordings.checks import RATE_ROWS, Header, TimeOrder, first_lines, header_in, sampling_rate_hz
from imu.recordings.table_files import (
    HEAD_BYTES,
    LARGEST,
    BoundedFile,
    numbers_in,
    one_sentence_errors,
    read_frames,
    too_long,
)
from imu.samples import Array

LARGEST_ROWS = 5_000_000
"""The longest table of an export: 14 h at 100 Hz. Exports are held in memory whole, 200 bytes a row."""

ARCHIVE_FILES = 10_000
"""An archive with more files is not the export of one recording."""

START_BYTES = 1024
"""Bytes at the start of a file in which our own format is recognised."""

_ENCRYPTED = 0x1  # flag bit of a zip member

EARLIEST_YEAR = 2007
"""There was no phone with such sensors before: an earlier time is that of a clock that was not set."""


@dataclass(frozen=True, slots=True, eq=False)
class AppRecording:
    """A recording of another app that was recognised but not yet read.

    Attributes
    ----------
    app : str
        The app, or the kind of file.
    main : str or None
        The file that stands for the recording; ``None`` if all files of the export make one recording.
    read : callable
        Returns the rows, (n, 7): s, m/s², rad/s, in the order of the file.
    started_at : datetime or None
        When it was recorded, UTC; ``None`` if the files do not say.
    """

    app: str
    main: str | None
    read: Callable[[], Array]
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """Files that may belong to one recording, by name; names of folders are left out.

    Attributes
    ----------
    name : str
        Name of the folder or archive, for messages.
    """

    name: str
    _list: Callable[[], Iterable[str]]
    _open: Callable[[str], IO[bytes]]
    _listed: list[str] = field(default_factory=list)
    _heads: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of the files, sorted; listed on the first call."""
        if not self._listed:
            self._listed.extend(sorted(self._list()))
        return self._listed

    def named(self, name: str) -> str | None:
        """Return the file with this name, in any case of letters."""
        return next((file for file in self.names if file.lower() == name.lower()), None)

    @contextmanager
    def open(self, name: str, share: float = 1.0) -> Iterator[BoundedFile]:
        """Open a file, decompressed; reading more than the `share` of the limit raises `RecordingForeign`."""
        with self._open(name) as raw:
            yield BoundedFile(raw, name, int(table_files.LARGEST_BYTES * share))

    def start(self, name: str) -> bytes:
        """Return the first `START_BYTES` of a file."""
        with self.open(name) as file:
            return file.read(START_BYTES)

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the first lines of a file, without their ends; none if it is binary."""
        if name not in self._heads:
            with self.open(name) as file:
                self._heads[name] = first_lines(file.read(HEAD_BYTES))
        return self._heads[name]

    def header(self, name: str, *, first: str = "") -> Header | None:
        """Return the header of a table, which begins with `first`; ``None`` without one."""
        return header_in(self.lines(name), first)

    def moment(self, name: str, header: Header, column: int, tick_s: float) -> datetime | None:
        """Return the time in the first row of a column that counts ticks since 1970; ``None`` if it makes no sense."""
        row = self.lines(name)[header.line + 1 :][:1]
        try:
            moment = datetime.fromtimestamp(float(row[0].split(header.separator)[column]) * tick_s, UTC)
        except (IndexError, ValueError, OverflowError, OSError):
            return None
        return moment if moment.year >= EARLIEST_YEAR else None


def read_columns(export: Export, name: str, header: Header, columns: Sequence[int]) -> Array:
    """Return columns of a table, (n, len(columns)); NaN where a cell holds no number, or one too large to be data.

    Parameters
    ----------
    export : Export
        Where the file is.
    name : str
        Which file.
    header : Header
        Where its header stands and how it is written; for a file without one, its line is -1.
    columns : sequence of int
        Which columns, in the order wanted.

    Raises
    ------
    RecordingDamaged
        If the file cannot be read to its end, or holds no row.
    RecordingForeign
        If it exceeds a limit.
    """
    pieces: list[Array] = []
    count = 0
    with one_sentence_errors(name), export.open(name) as file:
        for frame in read_frames(file, name, header, columns, dtype=None):
            rows = numbers_in(frame, header, columns)
            count += len(rows)
            if count > LARGEST_ROWS:
                raise RecordingForeign(f"{name} has more than {LARGEST_ROWS:,} rows: cut the recording into parts")
            pieces.append(np.where(np.abs(rows) < LARGEST[0], rows, np.nan))
    if not count:
        raise RecordingDamaged(f"{name} has a header but no data: record or export it again")
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


# --- sentences -------------------------------------------------------------------------------------------------------


def quoted(*texts: str) -> str:
    """Return texts out of a file as they can stand in a sentence: on one line, each cut short, at most six."""
    shown = [" ".join("".join(c if c.isprintable() else " " for c in text).split())[:30] for text in texts[:6]]
    return ", ".join(shown + ["…"] * (len(texts) > 6))


def missing(app: str, what: str, remedy: str) -> RecordingForeign:
    """Return the error for a recording that lacks a sensor."""
    return RecordingForeign(f"this {app} recording has no {what}: {remedy}")


# --- folders and archives --------------------------------------------------------------------------------------------


def folder_export(folder: Path) -> Export:
    """Return the files that stand directly in a folder, hidden ones left out."""

    def listed() -> list[str]:
        return [path.name for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]

    return Export(folder.name, listed, lambda name: (folder / name).open("rb"))


@contextmanager
def zip_exports(path: Path) -> Iterator[list[Export]]:
    """Give the files of each folder in a zip archive, without those that operating systems add.

    The archive stays open meanwhile, so that its list is parsed once; a file that is read later opens it again.

    Raises
    ------
    RecordingDamaged
        If the archive is cut short, damaged or empty.
    RecordingForeign
        If it is encrypted or holds more than `ARCHIVE_FILES`.
    """
    if not path.stat().st_size:
        raise RecordingDamaged("the file is empty: record or copy it again")
    with ExitStack() as stack:
        with _sound_archive():
            archive = stack.enter_context(zipfile.ZipFile(path))
        # A name may be empty in a damaged archive; Python 3.11 cannot tell whether that is a folder.
        members = [member for member in archive.infolist() if member.filename and not member.is_dir()]
        if not members:
            raise RecordingDamaged("the zip archive is empty: export it again")
        if len(members) > ARCHIVE_FILES:
            raise RecordingForeign(f"the zip archive holds {len(members)} files: unpack it and give the folder")
        if any(member.flag_bits & _ENCRYPTED for member in members):
            raise RecordingForeign("the zip archive is encrypted: unpack it with its password and give the folder")
        folders: dict[str, dict[str, zipfile.ZipInfo]] = {}
        for member in members:
            inside = PurePosixPath(member.filename.replace("\\", "/"))
            if str(inside).isprintable() and not any(part.startswith((".", "__MACOSX")) for part in inside.parts):
                folders.setdefault(str(inside.parent), {})[inside.name] = member
        yield [_zip_export(path, archive, name, folders) for name in sorted(folders)]


def _zip_export(
    path: Path, archive: zipfile.ZipFile, folder: str, folders: dict[str, dict[str, zipfile.ZipInfo]]
) -> Export:
    members = folders[folder]

    def opened(name: str) -> IO[bytes]:
        inner, _, last = name.rpartition("/")
        member = folders.get(str(PurePosixPath(folder, inner)), {}).get(last)
        if member is None:
            raise FileNotFoundError(name)
        if member.file_size > table_files.LARGEST_BYTES:
            raise too_long(name, table_files.LARGEST_BYTES)
        with _sound_archive():
            if archive.fp is not None:
                return archive.open(member)
            with zipfile.ZipFile(path) as again:
                return again.open(member)  # closes the archive's file when it is closed itself

    return Export(path.name if folder == "." else folder, lambda: members, opened)


@contextmanager
def _sound_archive() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError) as error:  # of a version or compression
        raise RecordingDamaged(
            "the zip archive is cut short or damaged: copy it again from its source, or export it again"
        ) from error


# --- sensors with times of their own -> rows on one time axis ---------------------------------------------------------
#
# The accelerometer's times are the axis; the gyroscope is interpolated to them linearly. Where one of the two was not
# recording, there is no row.

GAP_PERIODS = 3.5
"""A step of more than this many usual ones is a gap: two missing rows are bridged, three are not."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """The rows of one sensor.

    Attributes
    ----------
    name : str
        Name for messages: the file, as a rule.
    time_s : (n,) array
        Time of each row on the recording's axis, s, in any order.
    values : (n, 3) array
        x, y and z in SI units.
    """

    name: str
    time_s: Array
    values: Array

    def scaled(self, factor: float) -> Stream:
        """Return the stream with its values times `factor`."""
        return self if factor == 1.0 else replace(self, values=self.values * factor)


def joined(acceleration: Stream, angular_velocity: Stream) -> Array:
    """Return the rows of both sensors at the accelerometer's times, (n, 7): s, m/s², rad/s.

    Rows before the later start, after the earlier end and inside a gap of the gyroscope are left out.

    Raises
    ------
    RecordingForeign
        If the two were not recorded at the same time, or the times of the gyroscope are unusable.
    """
    turning, covered = _interpolated(angular_velocity, acceleration.time_s)
    rows = np.column_stack((acceleration.time_s, acceleration.values, turning))[covered]
    if len(rows) < 2:
        raise RecordingForeign(
            f"{acceleration.name} and {angular_velocity.name} were not recorded at the same time: "
            "they are not of one recording"
        )
    return rows


def summed(first: Stream, second: Stream) -> Stream:
    """Return the sum of two streams at the times of the first, where the second was recording too."""
    other, covered = _interpolated(second, first.time_s)
    return Stream(first.name, first.time_s[covered], (first.values + other)[covered])


def from_zero(rows: Array) -> Array:
    """Return rows with their time counted from the first row, in place of 1970 or the start of a clock."""
    rows[:, 0] -= rows[np.argmax(np.isfinite(rows[:, 0])), 0]
    return rows


def unwrapped(ticks: Array, wraps_at: float) -> Array:
    """Return a counter that starts again at `wraps_at` as one that goes on; NaN stays NaN."""
    whole = ticks.copy()
    finite = np.isfinite(ticks)
    steps = np.diff(ticks[finite])
    turns = np.cumsum((steps < -wraps_at / 2).astype(np.float64) - (steps > wraps_at / 2))
    whole[finite] += np.concatenate(([0.0], turns))[: np.count_nonzero(finite)] * wraps_at
    return whole


def _interpolated(stream: Stream, time_s: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the values of a stream at `time_s`, (n, 3), and where it was recording, (n,).

    At the time of one of its own rows the value is that row's, bit for bit.
    """
    rows = _in_order(stream)
    own_s, values = rows[:, 0], rows[:, 1:]
    before = np.searchsorted(own_s, time_s, side="right") - 1  # a time that is NaN sorts behind all
    after = np.minimum(before + 1, len(own_s) - 1)
    before = np.maximum(before, 0)
    step = own_s[after] - own_s[before]
    share = (time_s - own_s[before]) / np.where(step > 0, step, 1.0)
    exact = time_s == own_s[before]
    between = (share > 0) & (step > 0) & (step <= GAP_PERIODS * np.median(np.diff(own_s)))
    slope = values[after] - values[before]
    return np.where(exact[:, None], values[before], values[before] + share[:, None] * slope), exact | between


def _in_order(stream: Stream) -> Array:
    """Return the rows of a stream in the order of time, each time once, (n, 4)."""
    rows = np.column_stack((stream.time_s, stream.values))
    rows = rows[np.isfinite(rows[:, 0])]  # some apps fill a shorter column up with NaN
    try:
        sampling_rate_hz(rows[:RATE_ROWS, 0])
        rows = TimeOrder().push(rows, is_last=True)
    except RecordingForeign as error:
        raise RecordingForeign(f"{stream.name}: {error}") from error
    once = np.diff(rows[:, 0], prepend=-np.inf) > 0
    rows = rows[once]
    if len(rows) < 2:
        raise RecordingForeign(f"{stream.name} has fewer than two rows: record it again")
    return rows
