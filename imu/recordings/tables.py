"""CSV and Parquet files -> rows of numbers in our column order, a bounded number at a time.

Whatever pandas, gzip, pyarrow and the operating system say about a broken file becomes one sentence here. A cell
that is no number becomes NaN and is counted. This module refuses to know whether the numbers make sense.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imu.errors import ImuError, RecordingDamaged, RecordingForeign
from imu.samples import Array

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("time_s", "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
"""The columns of a recording: s, m/s², rad/s."""

TABLE_ROWS = 500_000
"""Rows that are read at a time: 28 MB, and more than an hour at 100 Hz."""

WHOLE_BYTES = 256 * 2**20
"""A CSV file up to this size is read in one go, which lets pandas use all processors."""

COMPRESSION = 16
"""A gzipped file counts as this many times its size; recordings shrink to a third or a fifth, quiet ones more."""

LARGEST = np.array([1e20] + [1e9] * 6)
"""Numbers from here on are damage, not data: time in ns since 1970 is 2e18, and no sensor reads 1e9."""

_HEAD_BYTES = 65_536
_HEAD_LINES = 50  # header, and whatever comments stand before it
_FORMATS = {
    b"PAR1": "a Parquet file: name it .parquet",
    b"PK\x03\x04": "a zip archive or a spreadsheet: unpack it, or save it as CSV",
    b"\x89MCAP": "an MCAP file, not CSV",
    b"SQLite": "an SQLite database, not CSV",
}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Consecutive rows of a file.

    Attributes
    ----------
    rows : (n, 7) array
        `COLUMNS`, in the order and units of the file; NaN where a cell holds no number.
    unreadable : int
        How many rows have such a cell.
    first_unreadable : str or None
        Where the first one is and what it holds. Data rows are counted from 1, after the header.
    """

    rows: Array
    unreadable: int = 0
    first_unreadable: str | None = None


def read_tables(path: Path) -> Iterator[Table]:
    """Read a recording's file from its start, at most `TABLE_ROWS` rows at a time unless it is small.

    Raises
    ------
    RecordingDamaged
        If the file cannot be read, or not to its end.
    RecordingForeign
        If it is not a table with `COLUMNS`.
    """
    with told_in_one_sentence():
        if path.is_dir():
            raise RecordingForeign("there is no recording in this folder (.csv, .csv.gz, .parquet, or another app's)")
        if path.exists() and not path.is_file():
            raise RecordingForeign("this is not a file")
        with path.open("rb") as file:
            start = file.read(8)
        if not start:
            raise RecordingDamaged("the file is empty: record or copy it again")
        is_parquet = path.suffix.lower() == ".parquet"
        frames = _parquet_frames(path) if is_parquet else _csv_frames(path, compressed=start.startswith(b"\x1f\x8b"))
        rows = 0
        for frame in frames:
            yield _table(frame, rows)
            rows += len(frame)


@contextmanager
def told_in_one_sentence(name: str | None = None) -> Iterator[None]:
    """Translate what goes wrong while a file is read; `name` is that of a file within the recording."""
    this_file, the_file = (f"{name}", f"{name}") if name else ("this file", "the file")
    try:
        yield
    except ImuError:
        raise
    except FileNotFoundError as error:
        raise RecordingDamaged("there is no such file or folder") from error
    except PermissionError as error:
        raise RecordingDamaged(f"{this_file} may not be read: change its permissions") from error
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise RecordingDamaged("the compressed file is cut short or damaged: copy it again from its source") from error
    except OSError as error:
        raise RecordingDamaged(f"{the_file} cannot be read ({error.strerror or error})") from error
    except (ValueError, OverflowError, NotImplementedError) as error:  # pandas' and pyarrow's own errors among them
        reason = " ".join(str(error).split())[:120]
        raise RecordingDamaged(f"{the_file} is not a table that can be read ({reason})") from error


def _table(frame: pd.DataFrame, rows_before: int) -> Table:
    """Return the numbers of a frame with `COLUMNS`, and count the rows that miss one."""
    import pandas as pd  # noqa: PLC0415  slow to import

    if all(frame[name].dtype == np.float64 for name in COLUMNS):
        rows = (frame if tuple(frame.columns) == COLUMNS else frame[list(COLUMNS)]).to_numpy()
    else:
        numbers = [
            pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64, na_value=np.nan) for name in COLUMNS
        ]
        rows = np.column_stack(numbers)
    return table_of(rows, rows_before, lambda row, column: frame[COLUMNS[column]].iloc[row])


def table_of(rows: Array, rows_before: int = 0, cell_at: Callable[[int, int], object] | None = None) -> Table:
    """Return rows as a table, with NaN for numbers that are damage, and count the rows with one.

    Parameters
    ----------
    rows : (n, 7) array
        `COLUMNS`.
    rows_before : int
        How many rows of the recording came before.
    cell_at : callable or None
        Gives what stood in the file at a row and a column; ``None`` if that is not known any more.
    """
    if not len(rows) or ((rows.max(axis=0) < LARGEST).all() and (rows.min(axis=0) > -LARGEST).all()):
        return Table(rows)
    readable = np.abs(rows) < LARGEST
    bad_rows = np.flatnonzero(~readable.all(axis=1))
    row, column = int(bad_rows[0]), int(np.argmin(readable[bad_rows[0]]))
    cell = str(rows[row, column] if cell_at is None else cell_at(row, column))
    holds = "is empty" if cell in ("nan", "None", "<NA>") else f"is {cell[:40]!r}"
    where = f"{COLUMNS[column]} in data row {rows_before + row + 1} {holds if cell_at else 'is no number'}"
    return Table(np.where(readable, rows, np.nan), len(bad_rows), where)


# --- columns ---------------------------------------------------------------------------------------------------------


def _recognised(names: Sequence[str]) -> list[str]:
    """Return the names in our spelling where they are ours, else numbered ones that are not.

    Raises
    ------
    RecordingForeign
        If one of `COLUMNS` is missing or there twice.
    """
    spelled = [re.sub(r"\s+", "_", name.strip().lower()) for name in names]
    missing = [name for name in COLUMNS if name not in spelled]
    twice = [name for name in COLUMNS if spelled.count(name) > 1]
    if twice:
        raise RecordingForeign(f"the column {twice[0]} is there twice: keep one")
    if missing:
        raise RecordingForeign(_missing_columns(names, missing))
    return [name if name in COLUMNS else f"other {i}" for i, name in enumerate(spelled)]


def _missing_columns(names: Sequence[str], missing: Sequence[str]) -> str:
    """Say which columns are missing and which ones look like them."""
    if names and all(re.fullmatch(r"[-+.,\deE]+", name.strip()) for name in names):
        return f"there is no header: the first line must be {','.join(COLUMNS)}"
    close = {_looks_like(name): name for name in reversed(names)}
    renames = [f"{close[name].strip()!r} to {name}" for name in missing if name in close]
    said = (
        f"the columns {', '.join(missing)} are missing" if len(missing) > 1 else f"the column {missing[0]} is missing"
    )
    if renames:
        return f"{said}: rename {', '.join(renames)}, in s, m/s² and rad/s"
    found = ", ".join(repr(name.strip()[:30]) for name in names[:8])
    return f"{said}, the header has {found}: a recording has {','.join(COLUMNS)}, in s, m/s² and rad/s"


def _looks_like(name: str) -> str | None:
    """Return which of `COLUMNS` a differently spelled name probably means."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    axis = re.search(r"(?:^|[^a-z]|acc|accel|acceleration|gyr|gyro|gyroscope|^a|^g|^w)([xyz])(?![a-z])", words)
    if axis and re.search(r"acc|^\W*a", words):
        return f"acc_{axis[1]}"
    if axis and re.search(r"gyr|ang|rot|omega|^\W*[gw]", words):
        return f"gyr_{axis[1]}"
    return "time_s" if re.search(r"time|second|^\W*t\b|^\W*ts\b", words) else None


# --- CSV -------------------------------------------------------------------------------------------------------------


def _csv_frames(path: Path, *, compressed: bool) -> Iterator[pd.DataFrame]:
    """Read a CSV file as frames that have `COLUMNS` as numbers, or as text where a cell holds no number."""
    import pandas as pd  # noqa: PLC0415  slow to import

    options = _csv_options(path, compressed=compressed)
    numbers: dict[str, Any] = {"dtype": dict.fromkeys(COLUMNS, np.float64)}
    if path.stat().st_size * (COMPRESSION if compressed else 1) <= WHOLE_BYTES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", pd.errors.ParserWarning)  # more cells in a row than names: ignored
                frame: pd.DataFrame = pd.read_csv(path, **numbers, **options)
        except (ValueError, OverflowError):
            pass  # a cell that is no number, or a row that is too long: read again with more patience
        else:
            yield frame
            return
    decimal = options["decimal"]
    chunks: dict[str, Any] = {
        "usecols": list(COLUMNS),
        "chunksize": TABLE_ROWS,
        "low_memory": False,
        "skipinitialspace": True,
    }
    for frame in pd.read_csv(path, **chunks, **options):
        for name in COLUMNS:
            if decimal != "." and not pd.api.types.is_numeric_dtype(frame[name]):
                frame[name] = frame[name].astype(str).str.replace(decimal, ".", regex=False)
        yield frame


def _csv_options(path: Path, *, compressed: bool) -> dict[str, Any]:
    """Find out how a CSV file is written from its first lines; return it as arguments of `pandas.read_csv`."""
    with gzip.open(path) if compressed else path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for start, what in _FORMATS.items():
        if head.startswith(start):
            raise RecordingForeign(f"this is {what}")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RecordingForeign("this is UTF-16 text: save it as CSV in UTF-8")
    if b"\0" in head:
        raise RecordingForeign("this is binary data, not CSV")
    lines = [line.decode("utf-8-sig", errors="replace").strip() for line in head.splitlines()[:_HEAD_LINES]]
    text = [i for i, line in enumerate(lines) if line and not line.lower().startswith(("#", "sep="))]
    if not text:
        raise RecordingDamaged("there is no text in the file: record or copy it again")
    header = lines[text[0]]
    separator = max(",;\t", key=header.count)
    names = next(csv.reader([header], delimiter=separator, skipinitialspace=True))
    recognised = _recognised(names)
    if len(text) == 1:
        raise RecordingDamaged("there is a header but no data: record or copy it again")
    return {
        "header": 0,
        "skiprows": text[0] or None,  # skipping rows takes pandas a fifth longer
        "names": recognised,
        "index_col": False,
        "sep": separator,
        "decimal": "," if separator != "," and "," in lines[text[1]] else ".",
        "compression": "gzip" if compressed else None,
        "encoding_errors": "replace",
    }


# --- Parquet ---------------------------------------------------------------------------------------------------------


def _parquet_frames(path: Path) -> Iterator[pd.DataFrame]:
    """Read a Parquet file as frames that have `COLUMNS`."""
    try:
        pa = importlib.import_module("pyarrow")
        pq = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise RecordingForeign(
            'reading Parquet needs pyarrow: python -m pip install "imu-training[parquet]"'
        ) from error
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            ours = {ours: name for ours, name in zip(_recognised(names), names, strict=True) if ours in COLUMNS}
            for name in COLUMNS:
                if pa.types.is_temporal(file.schema_arrow.field(ours[name]).type):
                    raise RecordingForeign(f"{name} holds dates: it must be a number of seconds")
            for batch in file.iter_batches(batch_size=TABLE_ROWS, columns=list(ours.values())):
                frame = batch.to_pandas(ignore_metadata=True)
                yield frame.rename(columns={name: ours for ours, name in ours.items()})
    except pa.ArrowException as error:
        raise RecordingDamaged("the Parquet file is cut short or damaged: copy it again from its source") from error
