"""The results of a batch: kept safe while it runs, and written as tables at its end.

A file of results (``results.csv``, ``results.parquet``) has a row for each repetition; the table of recordings stands
beside it (``results.recordings.csv``). While the batch runs, each counted recording is one line of
``results.csv.partial``. A killed program leaves at most one incomplete line, which the next run drops. At the end both
tables are written and renamed in one step each, and then the partial file is removed: at each moment every result
stands in one of the files.

A folder of results, for a cluster, holds ``repetitions/part-*.parquet`` and ``recordings/part-*.parquet``. A part of
both is written as soon as its recordings are counted, that of the recordings last: without it the part does not count.
"""
# ruff: noqa: PLC0415  pyarrow is an extra

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from imu.atomic_files import new_file, way_out, write_bytes
from imu.batch.sources import Cell, Counted, Row, Settings, Source, file_system
from imu.errors import FileThere, ImuError, NotWritten, needs_extra

RECORDING_COLUMNS: dict[str, type] = {
    "recording": str,
    "size_bytes": int,
    "version": str,
    "counted_with": str,
    "duration_s": float,
    "sampling_rate_hz": float,
    "samples": int,
    "gaps": int,
    "sets": int,
    "squat": int,
    "hinge": int,
    "uncertain": int,
    "not_counted": int,
    "damaged": str,
    "error": str,
}
"""Columns of the table of recordings. An empty ``error`` means that the recording was counted."""

REPETITION_COLUMNS: dict[str, type] = {
    "recording": str,
    "set": int,
    "repetition": int,
    "pattern": str,
    "confidence": float,
    "start_s": float,
    "bottom_s": float,
    "end_s": float,
    "confirmed_s": float,
    "trunk_angle_deg": float,
    "hip_drop_m": float,
    "eccentric_s": float,
    "pause_s": float,
    "concentric_s": float,
    "mean_concentric_velocity_m_s": float,
    "peak_concentric_velocity_m_s": float,
    "angle_at_bottom_deg": float,
    "sideways_tilt_deg": float,
    "turn_deg": float,
    "trunk_lead_s": float,
    "hip_drop_from": str,
}
"""Columns of the table of repetitions: those of `imu.count`'s ``.repetitions``, after the name of the recording."""

FILE_SUFFIXES = (".csv", ".parquet")
ROW_GROUP = 20_000
"""Rows that are held in memory while a Parquet file is written or read."""

SYNC_S = 1.0
"""The partial file reaches the disk at least this often; a power cut loses no more than that."""


class Results(Protocol):
    """Where the results of a batch are kept."""

    def pending(self, sources: Sequence[Source], settings: Settings) -> list[Source]:
        """Return the recordings that are not counted yet in this version and with these settings."""

    def add(self, counted: Sequence[Counted]) -> None:
        """Keep results; a result replaces an earlier one of the same recording."""

    def finish(self, sources: Sequence[Source]) -> Iterator[Row]:
        """Complete the tables of exactly these recordings; yield the rows of the recordings."""

    def close(self) -> None:
        """Give up the files; results that are added stay."""


def _repetitions_of(row: Row) -> int:
    """Return how many rows a recording has in the other table."""
    return sum(int(row[pattern] or 0) for pattern in ("squat", "hinge", "uncertain"))


def _is_done(row: Row | None, source: Source, settings: Settings) -> bool:
    """Whether a row is the result of this version with these settings; a recording with an error is tried again."""
    if row is None or row.get("error"):
        return False
    counted = row.get("size_bytes"), row.get("version"), row.get("counted_with")
    return counted == (source.size_bytes, source.version, settings.counted_with)


# --- a file ----------------------------------------------------------------------------------------------------------


class ResultFile:
    """A file with the repetitions, and the table of recordings beside it.

    Parameters
    ----------
    path : Path
        Its name ends in ``.csv`` or ``.parquet``.

    Raises
    ------
    ImuError
        If the name has another end, if the file cannot be written, or if it is not a result of a batch.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix not in FILE_SUFFIXES:
            raise ImuError(f"{path} names no format: end it in {' or '.join(FILE_SUFFIXES)}")
        self.path = path
        self.recordings = path.with_name(f"{path.stem}.recordings{path.suffix}")
        self.partial = path.with_name(f"{path.name}.partial")
        if path.suffix == ".parquet":
            _pyarrow()
        if path.is_dir():
            raise NotWritten(f"{path} is a folder: name the file to write in it")
        if not path.parent.is_dir():
            raise NotWritten(f"there is no folder {path.parent} to write to: make it first")
        if path.exists() and not self.recordings.exists() and not self.partial.exists():
            raise FileThere(f"{path} exists already without {self.recordings.name}: name another file")
        self._finished = self._rows_of_finished()
        self._places: dict[str, tuple[int, Row]] = {}
        self._synced_s = 0.0
        try:
            self._file = self.partial.open("a+b")
        except OSError as error:
            raise NotWritten(f"{self.partial} cannot be written ({error.strerror}): name another place") from error
        if not _lock(self._file):
            self._file.close()
            raise NotWritten(f"another imu replay is writing to {path}: wait for it, or name another file")
        self._read_partial()

    def _rows_of_finished(self) -> dict[str, Row]:
        """Return the table of recordings of an earlier run; a killed one may have replaced one table of both."""
        if not (self.path.exists() and self.recordings.exists()):
            return {}
        table = self.recordings
        try:
            rows = {str(row["recording"]): row for row in read_rows(table, RECORDING_COLUMNS)}
            if not self.partial.exists():
                table = self.path
                repetitions = Counter(str(row["recording"]) for row in read_rows(table, REPETITION_COLUMNS))
                if repetitions != Counter({name: _repetitions_of(row) for name, row in rows.items()}):
                    raise ValueError("rows are missing")
        except (ValueError, KeyError, OSError, csv.Error) as error:
            raise FileThere(
                f"{table} is damaged, or no table of imu replay: move it away, or name another file"
            ) from error
        return rows

    def _read_partial(self) -> None:
        """Read where each result stands in the partial file; drop an incomplete last line."""
        self._file.seek(0)
        end = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            with suppress(ValueError, KeyError, TypeError):  # damaged: its recording is counted again
                recording = json.loads(line)["recording"]
                self._places[recording["recording"]] = (end, recording)
            end += len(line)
        self._file.truncate(end)

    def pending(self, sources: Sequence[Source], settings: Settings) -> list[Source]:
        """Return the recordings that are not counted yet in this version and with these settings."""
        if self._finished and not self._finished.keys() & {source.name for source in sources}:
            raise FileThere(
                f"{self.path} holds {len(self._finished)} other recordings, none of these: name another file"
            )
        rows = self._finished | {name: row for name, (_, row) in self._places.items()}
        pending = [source for source in sources if not _is_done(rows.get(source.name), source, settings)]
        if pending or self._places or len(self._finished) != len(sources):
            again = {source.name for source in pending} | self._places.keys()
            self._take_over({source.name for source in sources} - again)
        return pending

    def _take_over(self, names: set[str]) -> None:
        """Copy results of the earlier run that stay valid to the partial file."""
        wanted = (row for row in read_rows(self.path, REPETITION_COLUMNS) if row["recording"] in names)
        without = names & self._finished.keys()
        if not without:
            return
        for name, rows in groupby(wanted, key=lambda row: str(row["recording"])):
            self.add([Counted(self._finished[name], tuple(rows))])
            without.discard(name)
        self.add([Counted(self._finished[name]) for name in without])

    def add(self, counted: Sequence[Counted]) -> None:
        """Append results to the partial file."""
        try:
            for one in counted:
                self._file.seek(0, os.SEEK_END)
                self._places[one.name] = (self._file.tell(), one.recording)
                line = json.dumps({"recording": one.recording, "repetitions": one.repetitions}, allow_nan=False)
                self._file.write(line.encode() + b"\n")
            self._file.flush()
            if time.monotonic() - self._synced_s > SYNC_S:
                os.fsync(self._file.fileno())
                self._synced_s = time.monotonic()
        except OSError as error:
            raise NotWritten(
                f"{self.partial} cannot be written ({error.strerror}): {way_out(error)} and run the same again"
            ) from error

    def finish(self, sources: Sequence[Source]) -> Iterator[Row]:
        """Write both tables in the order of the sources, then remove the partial file; yield the rows of recordings."""
        if not self._places and self._finished:
            self.partial.unlink()
            yield from (self._finished[source.name] for source in sources)
            return
        names = [source.name for source in sources if source.name in self._places]
        with (
            new_file(self.path, overwrite=True) as temporary,
            write_table(temporary, REPETITION_COLUMNS, self.path.suffix) as write,
        ):
            for name in names:
                self._file.seek(self._places[name][0])
                write(json.loads(self._file.readline())["repetitions"])
        rows = [self._places[name][1] for name in names]
        with (
            new_file(self.recordings, overwrite=True) as temporary,
            write_table(temporary, RECORDING_COLUMNS, self.path.suffix) as write,
        ):
            write(rows)
        self.partial.unlink()
        yield from rows

    def close(self) -> None:
        """Close the partial file; an empty one is removed."""
        self._file.close()
        with suppress(OSError):
            if not self.partial.stat().st_size:
                self.partial.unlink()


def _lock(file: BinaryIO) -> bool:
    """Reserve a file for this process until it is closed; return whether no other process has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


# --- a folder --------------------------------------------------------------------------------------------------------


class ResultFolder:
    """A folder of partitioned Parquet, here or at an fsspec URL.

    Raises
    ------
    ImuError
        If it cannot be written, or pyarrow is not installed.
    """

    def __init__(self, place: str) -> None:
        _pyarrow()
        self.place = place
        self._system, root = file_system(place)
        self._root = root.rstrip("/")
        self._local = "file" in self._system.protocol
        self._rows: dict[str, Row] = {}
        self._parts: dict[str, set[str]] = {}
        with self._one_sentence():
            for table in ("recordings", "repetitions"):
                self._system.makedirs(f"{self._root}/{table}", exist_ok=True)
                self._system.invalidate_cache()
            for part in self._names("recordings"):
                rows = self._read("recordings", part)
                self._parts[part] = {str(row["recording"]) for row in rows}
                self._rows |= {str(row["recording"]): row for row in rows}
            for part in self._names("repetitions"):
                self._mend(part)

    def _mend(self, part: str) -> None:
        """Remove repetitions whose recording is not in the same part: a killed run wrote or removed one half."""
        names = self._parts.get(part, set())
        rows = self._read("repetitions", part)
        whole = [row for row in rows if row["recording"] in names]
        if len(whole) < len(rows) or not names:
            self._replace("repetitions", part, whole)

    def pending(self, sources: Sequence[Source], settings: Settings) -> list[Source]:
        """Return the recordings that are not counted yet; remove kept lines of these and of recordings not named."""
        if self._rows and not self._rows.keys() & {source.name for source in sources}:
            raise FileThere(
                f"{self.place} holds {len(self._rows)} other recordings, none of these: name another folder"
            )
        pending = [source for source in sources if not _is_done(self._rows.get(source.name), source, settings)]
        done = {source.name for source in sources} - {source.name for source in pending}
        seen: set[str] = set()
        with self._one_sentence():
            for part, names in list(self._parts.items()):
                keep = (names & done) - seen
                seen |= keep
                if keep != names:
                    self._parts[part] = keep
                    for table in ("recordings", "repetitions"):
                        rows = self._read(table, part)
                        self._replace(table, part, [row for row in rows if row["recording"] in keep])
        self._rows = {name: row for name, row in self._rows.items() if name in done}
        return pending

    def add(self, counted: Sequence[Counted]) -> None:
        """Write results as a new part of both tables."""
        part = f"part-{time.time_ns():020d}-{secrets.token_hex(4)}.parquet"
        with self._one_sentence():
            self._replace("repetitions", part, [row for one in counted for row in one.repetitions])
            self._replace("recordings", part, [one.recording for one in counted])
        self._rows |= {one.name: one.recording for one in counted}

    def finish(self, sources: Sequence[Source]) -> Iterator[Row]:
        """Yield the rows of the recordings; the parts are complete already."""
        yield from (self._rows[source.name] for source in sources if source.name in self._rows)

    def close(self) -> None:
        """Nothing is open."""

    def _names(self, table: str) -> list[str]:
        paths = self._system.ls(f"{self._root}/{table}", detail=False)
        return sorted(
            name for path in paths if (name := Path(path).name).startswith("part-") and name.endswith(".parquet")
        )

    def _read(self, table: str, part: str) -> list[Row]:
        path = f"{self._root}/{table}/{part}"
        if not self._system.exists(path):
            return []
        content = io.BytesIO(self._system.cat_file(path))
        return [row for batch in _pyarrow().ParquetFile(content).iter_batches() for row in batch.to_pylist()]

    def _replace(self, table: str, part: str, rows: list[Row]) -> None:
        """Write a part in one step; remove it if it has no rows."""
        path = f"{self._root}/{table}/{part}"
        if not rows and (table == "recordings" or part not in self._parts):
            if self._system.exists(path):
                self._system.rm_file(path)
            return
        content = io.BytesIO()
        with write_table(
            content, REPETITION_COLUMNS if table == "repetitions" else RECORDING_COLUMNS, ".parquet"
        ) as write:
            write(rows)
        if self._local:
            write_bytes(Path(path), content.getvalue(), overwrite=True)
        else:
            self._system.pipe_file(path, content.getvalue())

    @contextmanager
    def _one_sentence(self) -> Iterator[None]:
        """Translate the errors of a storage."""
        try:
            yield
        except ImuError:
            raise
        except Exception as error:  # each storage has errors of its own
            raise NotWritten(f"{self.place} cannot be used for results ({type(error).__name__}: {error})") from error


# --- tables ----------------------------------------------------------------------------------------------------------


def _pyarrow() -> Any:
    with needs_extra("parquet", "Parquet needs pyarrow"):
        from pyarrow import parquet
    return parquet


@contextmanager
def write_table(
    target: Path | BinaryIO, columns: dict[str, type], suffix: str
) -> Iterator[Callable[[Iterable[Row]], None]]:
    """Provide a function that appends rows to a new CSV or Parquet file."""
    with ExitStack() as opened:
        if suffix == ".csv" and isinstance(target, Path):
            table = csv.DictWriter(opened.enter_context(target.open("w", encoding="utf-8", newline="")), list(columns))
            table.writeheader()
            yield table.writerows
            return
        import pyarrow as pa

        types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
        schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
        writer = opened.enter_context(_pyarrow().ParquetWriter(target, schema))
        waiting: list[Row] = []

        def write(rows: Iterable[Row], least: int = ROW_GROUP) -> None:
            waiting.extend(rows)
            if len(waiting) >= least:
                arrays = [_arrow_array([row.get(name) for row in waiting], kind) for name, kind in columns.items()]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
                waiting.clear()

        yield write
        write([], least=1)


def _arrow_array(cells: list[Cell], kind: type) -> Any:
    """Return a column for Arrow; its own function for that imports pandas, as long as counting 30 recordings takes."""
    import numpy as np
    import pyarrow as pa

    is_there = pa.py_buffer(np.packbits([cell is not None for cell in cells], bitorder="little"))
    if kind is str:
        texts = [str(cell or "").encode(errors="backslashreplace") for cell in cells]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        buffers = [is_there, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
        return pa.Array.from_buffers(pa.string(), len(cells), buffers)
    numbers = np.array([cell or 0 for cell in cells], dtype=np.int64 if kind is int else np.float64)
    return pa.Array.from_buffers(pa.from_numpy_dtype(numbers.dtype), len(cells), [is_there, pa.py_buffer(numbers)])


def read_rows(path: Path, columns: dict[str, type]) -> Iterator[Row]:
    """Yield the rows of a table that `write_table` has written.

    Raises
    ------
    ValueError
        If it is another table.
    """
    if path.suffix == ".parquet":
        parquet = _pyarrow()
        with parquet.ParquetFile(path) as file:
            if file.schema_arrow.names != list(columns):
                raise ValueError(f"{path} has other columns")
            for batch in file.iter_batches(ROW_GROUP):
                yield from batch.to_pylist()
        return
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        if table.fieldnames != list(columns):
            raise ValueError(f"{path} has other columns")
        with path.open("rb") as whole:
            whole.seek(-1, os.SEEK_END)
            ends = whole.read() == b"\n"
        for row in table:
            if None in row.values() or not ends:
                raise ValueError(f"{path} is cut short")
            yield {name: _cell(row[name], kind) for name, kind in columns.items()}


def _cell(text: str | None, kind: type) -> Cell:
    if not text:
        return None
    cell: Cell = kind(text)
    return cell
