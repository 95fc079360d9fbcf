"""A recording in any form -> its samples in SI units, in the order of time.

There is one noun for all of them: a table (CSV, also gzipped, or Parquet) with the columns ``time_s, acc_x, acc_y,
acc_z, gyr_x, gyr_y, gyr_z``, an export of one of the apps of `imu.recordings.folders`, and the raw messages of a
training (``.mcap``). `open_recording` opens any of them; its samples go into a session, which counts.

Rows that are a little out of order are sorted and counted. A file that would give wrong repetitions (two recordings in
one, time in milliseconds, acceleration in g) is refused with a sentence that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from imu.errors import RecordingDamaged, RecordingForeign
from imu.motion.personal import PersonalShift
from imu.recordings.app_exports import AppRecording
from imu.recordings.checks import (
    ACCELERATION_UNITS,
    ANGULAR_VELOCITY_UNITS,
    RATE_ROWS,
    TimeOrder,
    check_units,
    sampling_rate_hz,
)
from imu.recordings.folders import TRAINING_SUFFIX, app_recording
from imu.recordings.table_files import PIECE_BYTES, Table, one_sentence_errors, read_tables, start_of_table, table_of
from imu.samples import Array, ImuBlock
from imu.training import PersonAsked
from imu.units import JUDGED_S

if TYPE_CHECKING:
    from imu.recordings.training_reader import TrainingLog

BLOCK_ROWS = 30_000
"""Rows of the longest block: 5 minutes at 100 Hz. A session needs 1 kB for each row of a block while it counts."""

UNREADABLE_SHARE = 0.5
"""A recording with more than this share of unreadable rows is refused."""

Item = ImuBlock | PersonAsked
"""Samples, or a command of the person at this place among them."""

T = TypeVar("T")


class Recording:
    """One recording of any form: its samples in the order of time, and facts about it.

    Get one from `open_recording` or `read_recording`. Samples are read while `stream` or `blocks` run, a few MB at a
    time; the counts of rows are those of the latest reading, and complete once it has run to its end.

    Attributes
    ----------
    path : Path
        The file or folder, as given.
    training : TrainingLog or None
        Raw messages, events and options, where the recording is that of a training.
    """

    def __init__(
        self,
        path: Path,
        training: TrainingLog | None,
        read: Callable[[], _Reading],
        started_at: datetime | None = None,
    ) -> None:
        self.path = path
        self._started_at = started_at
        self.training = training
        self._read = read
        self._reading: _Reading | None = None
        self._held: tuple[Item, ...] | None = None

    def stream(self) -> Iterator[Item]:
        """Yield samples in blocks of at most `BLOCK_ROWS`, and the person's commands between them, from the start.

        Raises
        ------
        RecordingDamaged
            If the recording cannot be read to its end.
        RecordingForeign
            If it cannot be counted as it stands: wrong units, joined recordings, a refused sensor.
        """
        if self._held is not None:
            yield from self._held
        else:
            self._reading = self._read()
            yield from self._reading.items()

    def blocks(self) -> Iterator[ImuBlock]:
        """Yield the samples only; raises as `stream` does."""
        return (item for item in self.stream() if isinstance(item, ImuBlock))

    def hold(self) -> None:
        """Read the recording to its end and keep it in memory; raises as `stream` does."""
        self._held = tuple(self.stream())

    @property
    def block(self) -> ImuBlock:
        """All samples in one block; raises as `stream` does."""
        blocks = list(self.blocks())
        if len(blocks) == 1:
            return blocks[0]
        empty = np.empty((0, 7))
        rows = [empty[:, 0]], [empty[:, 1:4]], [empty[:, 4:]]
        return ImuBlock(
            np.concatenate([block.device_time_s for block in blocks] or rows[0]),
            np.concatenate([block.acceleration_m_s2 for block in blocks] or rows[1]),
            np.concatenate([block.angular_velocity_rad_s for block in blocks] or rows[2]),
        )

    # --- facts known without reading the samples -----------------------------------------------------------------

    @property
    def started_at(self) -> datetime | None:
        """When it was recorded; ``None`` where the recording does not say."""
        if self.training is None:
            return self._started_at
        return datetime.fromtimestamp(self.training.header.started_ns * 1e-9, UTC)

    @property
    def personal(self) -> PersonalShift | None:
        """The personal shifts with which it was counted live; ``None`` where it was not."""
        return None if self.training is None else self.training.header.personal

    @property
    def damage(self) -> str | None:
        """The part of it that cannot be read, in one sentence; the rest can be."""
        return None if self.training is None else self.training.damage

    # --- counts made while reading -------------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """Number of rows, unreadable ones included."""
        return 0 if self._reading is None else self._reading.rows

    @property
    def rows_sorted(self) -> int:
        """Number of rows that came after a later one and were put in order."""
        return 0 if self._reading is None else self._reading.order.rows_sorted

    @property
    def rows_unreadable(self) -> int:
        """Number of rows with an empty cell or one without a number; they are in the blocks with NaN."""
        return 0 if self._reading is None else self._reading.rows_unreadable

    @property
    def first_unreadable(self) -> str | None:
        """Place and content of the first such cell."""
        return None if self._reading is None else self._reading.first_unreadable

    @property
    def sampling_rate_hz(self) -> float:
        """Usual rate of the rows at its start; gaps do not count."""
        return 0.0 if self._reading is None else sampling_rate_hz(self._reading.first_times_s)


def open_recording(
    path: Path,
    *,
    acceleration_unit: Literal["m/s2", "g"] = "m/s2",
    angular_velocity_unit: Literal["rad/s", "deg/s"] = "rad/s",
    columns: Mapping[str, str] | None = None,
) -> Recording:
    """Open a recording; its samples are read at their first use.

    Parameters
    ----------
    path : Path
        A CSV (also gzipped) or Parquet file, the ``.mcap`` of a training, or a file, zip archive or folder of an app.
    acceleration_unit, angular_velocity_unit : str
        The units in the file, if it is a table in our own format; all others name theirs.
    columns : mapping, optional
        Other names of the columns of such a table, ``{"acc_x": "ax", ...}``.

    Raises
    ------
    RecordingDamaged
        If the file is missing or nothing in it can be read.
    RecordingForeign
        If it is readable, but not a recording.
    """
    if acceleration_unit not in ACCELERATION_UNITS:
        raise ValueError(f"acceleration_unit must be one of {list(ACCELERATION_UNITS)}, got {acceleration_unit!r}")
    if angular_velocity_unit not in ANGULAR_VELOCITY_UNITS:
        raise ValueError(
            f"angular_velocity_unit must be one of {list(ANGULAR_VELOCITY_UNITS)}, got {angular_velocity_unit!r}"
        )
    if path.suffix.lower() == TRAINING_SUFFIX:
        if path.exists() and not path.is_file():  # a pipe would be waited for, without end
            raise RecordingForeign("this is not a file")
        from imu.recordings.training_reader import read_training  # noqa: PLC0415  slow to import, and the sensors with it

        training = read_training(path)
        return Recording(path, training, lambda: _TrainingReading(training))
    app = app_recording(path, columns)
    units = (acceleration_unit, angular_velocity_unit) if app is None else ("m/s2", "rad/s")
    started_at = start_of_table(path, columns or {}) if app is None else app.started_at
    return Recording(path, None, lambda: _TableReading(path, app, units, columns), started_at)


def read_recording(
    path: Path,
    *,
    acceleration_unit: Literal["m/s2", "g"] = "m/s2",
    angular_velocity_unit: Literal["rad/s", "deg/s"] = "rad/s",
    columns: Mapping[str, str] | None = None,
) -> Recording:
    """Open a recording, read it to its end and keep it in memory; parameters and errors as in `open_recording`."""
    recording = open_recording(
        path, acceleration_unit=acceleration_unit, angular_velocity_unit=angular_velocity_unit, columns=columns
    )
    recording.hold()
    return recording


# --- readings --------------------------------------------------------------------------------------------------------


class _Reading:
    """One pass over a recording; its counts are complete when `items` has run to its end."""

    def __init__(self) -> None:
        self.order = TimeOrder()
        self.rows = 0
        self.rows_unreadable = 0
        self.first_unreadable: str | None = None
        self.first_times_s = np.empty(0)

    def items(self) -> Iterator[Item]:
        """Yield blocks and commands."""
        raise NotImplementedError

    def _count(self, time_s: Array) -> None:
        self.rows += len(time_s)
        if len(self.first_times_s) < RATE_ROWS:
            self.first_times_s = np.concatenate((self.first_times_s, time_s))[:RATE_ROWS]


class _TrainingReading(_Reading):
    """A pass over the messages of a training, decoded by its sensor's driver."""

    def __init__(self, training: TrainingLog) -> None:
        super().__init__()
        self._training = training

    def items(self) -> Iterator[Item]:
        """Decode the messages as they were decoded live."""
        from imu.sensors.conversation import Refused  # noqa: PLC0415  slow to import

        driver = self._training.driver()
        refusal: str | None = None
        for message in self._training.messages():
            if isinstance(message, PersonAsked):
                yield message
                continue
            reply = driver.take(message)
            refusal = next((note.sentence for note in reply.notices if isinstance(note, Refused)), refusal)
            yield from self._counted(reply.blocks)
        yield from self._counted(driver.finish().blocks)
        if refusal is not None and not self.rows:
            raise RecordingForeign(refusal)

    def _counted(self, blocks: Sequence[ImuBlock]) -> Iterator[ImuBlock]:
        for block in blocks:
            self._count(block.device_time_s)
            yield block


class _TableReading(_Reading):
    """A pass over a table of our own or of an app: check it, sort it and convert it to SI units."""

    def __init__(
        self, path: Path, app: AppRecording | None, units: tuple[str, str], columns: Mapping[str, str] | None
    ) -> None:
        super().__init__()
        self._path = path
        self._columns = columns
        self._app = app
        self._units = units
        self._rate_is_judged = False

    def items(self) -> Iterator[ImuBlock]:
        """Yield the rows as blocks; the first rows only after their units are judged."""
        judged: list[Array] | None = []
        for table, is_last in _with_last(self._tables()):
            rows = self._checked(table, is_last=is_last)
            if judged is not None:
                judged.append(rows)
                if not is_last and not _spans(judged, JUDGED_S):
                    continue
                rows = np.concatenate(judged) if len(judged) > 1 else rows
                judged = None
                check_units(rows, *self._units, chosen=self._app is None)
            yield from _blocks(rows)
        if not self.rows:
            self._check_readable()

    def _tables(self) -> Iterator[Table]:
        if self._app is not None:
            return _app_tables(self._app)
        tables = read_tables(self._path, self._columns)
        is_short = self._path.is_file() and self._path.stat().st_size < PIECE_BYTES
        return tables if is_short else _read_ahead(tables)

    def _checked(self, table: Table, *, is_last: bool) -> Array:
        """Return the next rows in the order of time and in SI units."""
        self._count(table.rows[:, 0])
        self.rows_unreadable += table.unreadable
        self.first_unreadable = self.first_unreadable or table.first_unreadable
        if is_last:
            self._check_readable()
        if not self._rate_is_judged:
            self._rate_is_judged = sampling_rate_hz(self.first_times_s) > 0
        rows = self.order.push(table.rows, is_last=is_last)
        scale = ACCELERATION_UNITS[self._units[0]], ANGULAR_VELOCITY_UNITS[self._units[1]]
        return rows if scale == (1.0, 1.0) else rows * np.array([1.0] + [scale[0]] * 3 + [scale[1]] * 3)

    def _check_readable(self) -> None:
        """Refuse a file with next to no readable rows."""
        if self.rows_unreadable > UNREADABLE_SHARE * self.rows:
            raise RecordingForeign(
                f"{self.rows_unreadable} of {self.rows} rows are unreadable ({self.first_unreadable}): "
                "every cell must be a number, and time_s seconds or dates as 2026-11-30T18:30:00.25"
            )
        if self.rows < 2:
            count = ("no row", "only one row")[self.rows]
            raise RecordingDamaged(f"there is {count} of data: record or copy it again")


def _read_ahead(tables: Iterator[Table]) -> Iterator[Table]:
    """Yield the tables; a thread parses the next one meanwhile, which pandas does on another core."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  slow to import

    with ThreadPoolExecutor(1) as reader:
        table = reader.submit(next, tables, None)
        while (current := table.result()) is not None:
            table = reader.submit(next, tables, None)
            yield current


def _app_tables(app: AppRecording) -> Iterator[Table]:
    """Yield a recording of another app as one table."""
    with one_sentence_errors():
        rows = app.read()
    yield table_of(rows)


def _spans(pieces: Sequence[Array], seconds: float) -> bool:
    """Whether rows in the order of time cover more than `seconds`."""
    times_s = np.concatenate([piece[:, 0] for piece in pieces])
    return bool(len(times_s)) and np.nanmax(times_s, initial=-np.inf) - np.nanmin(times_s, initial=np.inf) > seconds


def _blocks(rows: Array) -> Iterator[ImuBlock]:
    """Yield rows as blocks of at most `BLOCK_ROWS`."""
    rows.flags.writeable = False  # nothing else refers to these rows, so the blocks need no copy
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        yield ImuBlock(block[:, 0], block[:, 1:4], block[:, 4:7])


def _with_last(items: Iterator[T]) -> Iterator[tuple[T, bool]]:
    """Yield each item, and whether it is the last."""
    for item in items:
        held = item
        break
    else:
        return
    for item in items:
        yield held, False
        held = item
    yield held, True
