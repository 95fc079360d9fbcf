"""Recordings in files -> blocks of samples in SI units, in the order of time.

A recording is a CSV (also gzipped) or Parquet file with the columns ``time_s, acc_x, acc_y, acc_z, gyr_x, gyr_y,
gyr_z``, or what one of the apps in `imu.recordings.apps` makes. Small disorder is put right and counted; what would
give wrong repetitions (two recordings in one file, time in milliseconds, acceleration in g) is refused with a
sentence that says what to do. This module refuses to know what the samples mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from imu.errors import RecordingDamaged, RecordingForeign
from imu.recordings.apps import formats
from imu.recordings.apps.formats import recordings_of
from imu.recordings.apps.found import Found
from imu.recordings.tables import Table, read_tables, table_of, told_in_one_sentence
from imu.recordings.timing import RATE_ROWS, TimeOrder, sampling_rate_hz
from imu.recordings.units import ACCELERATION_UNITS, ANGULAR_VELOCITY_UNITS, check_units
from imu.samples import ImuBlock

SUFFIXES = (".csv", ".csv.gz", ".parquet")
"""What a recording's name ends in."""

TRAINING_SUFFIX = ".mcap"
"""What the name of a training's own recording ends in; `imu.recordings.training_recording` reads it."""

KEPT_ROWS = 4_000_000
"""A recording up to this length (11 h at 100 Hz, 224 MB) is kept in memory; a longer one is read again when used."""

UNREADABLE_SHARE = 0.5
"""A recording with more than this share of unreadable rows is refused."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A recording that has been read to its end and found sound.

    Attributes
    ----------
    path : Path
        The file, as given.
    rows : int
        Rows in the file, unreadable ones included.
    sampling_rate_hz : float
        How often rows come at its start, holes aside.
    rows_sorted : int
        Rows that came after a later one and were put in order.
    rows_unreadable : int
        Rows with an empty cell or one that is no number; they are in the blocks with NaN.
    first_unreadable : str or None
        Where the first such cell is and what it holds.
    """

    path: Path
    rows: int
    sampling_rate_hz: float
    rows_sorted: int
    rows_unreadable: int
    first_unreadable: str | None
    _blocks: Callable[[], Iterable[ImuBlock]]

    def blocks(self) -> Iterator[ImuBlock]:
        """Give the recording from its start, in as many blocks as memory asks for."""
        yield from self._blocks()

    @property
    def block(self) -> ImuBlock:
        """The whole recording in memory."""
        blocks = list(self._blocks())
        if len(blocks) == 1:
            return blocks[0]
        return ImuBlock(
            np.concatenate([block.device_time_s for block in blocks]),
            np.concatenate([block.acceleration_m_s2 for block in blocks]),
            np.concatenate([block.angular_velocity_rad_s for block in blocks]),
        )


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """Return the files as given, and every recording in the folders, each folder's sorted.

    A folder that another app made is one recording, and so are files of one recording side by side, named by the
    accelerometer's. Hidden files, ``index.csv`` and truth tables are no recordings. A path that does not exist and a
    folder without a recording stay in the list: reading them says what is wrong, and the others go on.
    """
    found: list[Path] = []
    for path in paths:
        inside = _recordings_under(path) if path.is_dir() else []
        found.extend(inside or [path])
    return found


def _recordings_under(top: Path) -> list[Path]:
    """Return every recording in a folder and the folders in it, sorted."""
    names_in: dict[Path, list[str]] = {}
    for file in top.rglob("*"):
        if _may_be_recording(file, top):
            names_in.setdefault(file.parent, []).append(file.name)
    found = {folder: recordings_of(folder, names) for folder, names in names_in.items()}
    of_phyphox = [folder / "meta" for folder, recordings in found.items() if recordings == [folder]]
    return sorted(recording for folder in found if folder not in of_phyphox for recording in found[folder])


def _may_be_recording(file: Path, folder: Path) -> bool:
    """Whether a file inside a folder may be a recording, by its name."""
    name = file.name.lower()
    stem = name.split(".csv")[0].removesuffix(".parquet")
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    suffix = name.endswith((*SUFFIXES, TRAINING_SUFFIX, *formats.SUFFIXES))
    return suffix and not hidden and stem != "index" and not stem.endswith("truth") and file.is_file()


def read_recording(
    path: Path,
    *,
    acceleration_unit: Literal["m/s2", "g"] = "m/s2",
    angular_velocity_unit: Literal["rad/s", "deg/s"] = "rad/s",
) -> Recording:
    """Read a recording to its end, convert it to SI units and check it.

    Parameters
    ----------
    path : Path
        A CSV (also gzipped) or Parquet file; a file, zip archive or folder of another app.
    acceleration_unit, angular_velocity_unit : str
        The units in the file, if it is in our own format; other apps' files name theirs.

    Raises
    ------
    RecordingDamaged
        If the file is missing or cannot be read to its end.
    RecordingForeign
        If it is readable, but is not a recording in these units.
    """
    if acceleration_unit not in ACCELERATION_UNITS:
        raise ValueError(f"acceleration_unit must be one of {list(ACCELERATION_UNITS)}, got {acceleration_unit!r}")
    if angular_velocity_unit not in ANGULAR_VELOCITY_UNITS:
        raise ValueError(
            f"angular_velocity_unit must be one of {list(ANGULAR_VELOCITY_UNITS)}, got {angular_velocity_unit!r}"
        )
    reading = _Reading(path, acceleration_unit, angular_velocity_unit)
    kept: list[ImuBlock] | None = []
    for block in reading.blocks():
        if kept is not None:
            kept.append(block)
        if reading.rows > KEPT_ROWS:
            kept = None
    blocks: Callable[[], Iterable[ImuBlock]]
    if kept is not None:
        blocks = tuple(kept).__iter__
    else:
        blocks = lambda: _Reading(path, acceleration_unit, angular_velocity_unit).blocks()  # noqa: E731
    return Recording(
        path=path,
        rows=reading.rows,
        sampling_rate_hz=reading.sampling_rate_hz,
        rows_sorted=reading.order.rows_sorted,
        rows_unreadable=reading.rows_unreadable,
        first_unreadable=reading.first_unreadable,
        _blocks=blocks,
    )


class _Reading:
    """One pass over a file; what it counts is complete when `blocks` has run out."""

    def __init__(self, path: Path, acceleration_unit: str, angular_velocity_unit: str) -> None:
        self.path = path
        self.units = acceleration_unit, angular_velocity_unit
        self.order = TimeOrder()
        self.rows = 0
        self.rows_unreadable = 0
        self.first_unreadable: str | None = None
        self.sampling_rate_hz = 0.0

    def blocks(self) -> Iterator[ImuBlock]:
        """Read, check, sort and convert."""
        foreign = formats.foreign_recording(self.path)
        units = self.units if foreign is None else ("m/s2", "rad/s")  # a foreign header has named its own
        scale = ACCELERATION_UNITS[units[0]], ANGULAR_VELOCITY_UNITS[units[1]]
        units_are_checked = False
        for table, is_last in _with_last(read_tables(self.path) if foreign is None else _tables_of(foreign)):
            self.rows += len(table.rows)
            self.rows_unreadable += table.unreadable
            self.first_unreadable = self.first_unreadable or table.first_unreadable
            if is_last:
                self._check_readable()
            if not self.sampling_rate_hz:
                self.sampling_rate_hz = sampling_rate_hz(table.rows[:RATE_ROWS, 0])
            rows = self.order.push(table.rows, is_last=is_last)
            if scale != (1.0, 1.0):
                rows = rows * np.array([1.0] + [scale[0]] * 3 + [scale[1]] * 3)
            if not units_are_checked:
                check_units(rows, *units, as_told=foreign is None)
                units_are_checked = True
            rows.flags.writeable = False  # nobody else has them, so the block need not copy them
            yield ImuBlock(rows[:, 0], rows[:, 1:4], rows[:, 4:7])
        if not self.rows:
            self._check_readable()

    def _check_readable(self) -> None:
        """Refuse a file with next to nothing in it."""
        if self.rows_unreadable > UNREADABLE_SHARE * self.rows:
            raise RecordingForeign(
                f"{self.rows_unreadable} of {self.rows} rows are unreadable ({self.first_unreadable}): "
                "every cell must be a number, and time_s a number of seconds"
            )
        if self.rows < 2:
            count = ("no row", "only one row")[self.rows]
            raise RecordingDamaged(f"there is {count} of data: record or copy it again")


def _tables_of(foreign: Found) -> Iterator[Table]:
    """Give a recording of another app as one table."""
    with told_in_one_sentence():
        rows = foreign.read()
    yield table_of(rows)


def _with_last(items: Iterator[T]) -> Iterator[tuple[T, bool]]:
    """Give each item, and whether it is the last."""
    for item in items:
        held = item
        break
    else:
        return
    for item in items:
        yield held, False
        held = item
    yield held, True
