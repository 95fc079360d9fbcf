"""CSV and Parquet files -> rows of numbers in the order of `COLUMNS`, a bounded number at a time.

A file is read in pieces of a few MB, so that memory does not grow with its length, and every limit is checked before
pandas reads the text. Errors of pandas, gzip, pyarrow and the operating system become one sentence here. A cell
without a number becomes NaN and is counted. :mod:`imu.recordings.checks` judges whether the numbers make sense.
"""

from __future__ import annotations

import gzip
import importlib
import io
import lzma
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from imu.errors import ImuError, RecordingDamaged, RecordingForeign
from imu.recordings.checks import COLUMNS, Header, first_lines, header_in, is_comment, own_columns
from imu.samples import Array

if TYPE_CHECKING:
    import pandas as pd

# --- limits ----------------------------------------------------------------------------------------------------------

LARGEST_BYTES = 2**30
"""The largest recording of any format, decompressed: 24 h at 100 Hz with 120 bytes a row. A decompression bomb ends
here. An MCAP file counts as it is; a Parquet file counts as its numbers do in memory."""

LINE_BYTES = 65_536
"""The longest line of a table. A longer one holds no row of a sensor, and pandas takes 20 bytes of memory a cell."""

PIECE_BYTES = 4 * 2**20
"""Text is parsed in pieces of this size: 10 minutes at 100 Hz. Parsing a whole file at once is not faster."""

TABLE_ROWS = 65_536
"""Rows of a Parquet file that are read at a time."""

LARGEST = np.array([1e20] + [1e9] * 6)
"""Numbers from here on are damage, not data: time in ns since 1970 is 2e18, and no sensor reads 1e9."""

SMALL_BYTES = 2**19
"""A smaller file of plain numbers is parsed by NumPy: importing pandas takes longer, as long as replaying an hour."""

HEAD_BYTES = 65_536
"""A header, and the comments before it, are looked for in this many bytes."""

_GZIP = b"\x1f\x8b"
_OTHER_FORMATS = {
    b"PAR1": "a Parquet file that was compressed again: decompress it",
    b"PK\x03\x04": "a zip archive or a spreadsheet: unpack it, or save it as CSV",
    b"\x89MCAP": "an MCAP file that was compressed again: decompress it",
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
        Number of rows with such a cell.
    first_unreadable : str or None
        Place and content of the first such cell. Data rows are counted from 1, after the header.
    """

    rows: Array
    unreadable: int = 0
    first_unreadable: str | None = None


def read_tables(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[Table]:
    """Read a file in our own format from its start, a piece at a time.

    Parameters
    ----------
    path : Path
        The file.
    columns : mapping, optional
        Names of columns in it that differ from `COLUMNS`, ``{"acc_x": "ax", ...}``.

    Raises
    ------
    RecordingDamaged
        If the file cannot be read, or not to its end, or becomes shorter meanwhile.
    RecordingForeign
        If it is not a table with `COLUMNS`, or exceeds a limit.
    """
    with one_sentence_errors():
        if path.is_dir():
            raise RecordingForeign("there is no recording in this folder (.csv, .csv.gz, .parquet, or another app's)")
        if path.exists() and not path.is_file():
            raise RecordingForeign("this is not a file")
        with path.open("rb") as file:
            start = file.read(8)
        if not start:
            raise RecordingDamaged("the file is empty: record or copy it again")
        is_parquet = path.suffix.lower() == ".parquet" or start.startswith(b"PAR1")
        rows_before = 0
        for rows, cell_at in (_parquet_rows if is_parquet else _csv_rows)(path, columns or {}):
            yield table_of(rows, rows_before, cell_at)
            rows_before += len(rows)


@contextmanager
def one_sentence_errors(name: str | None = None) -> Iterator[None]:
    """Translate each error of reading a file; `name` is that of a file within the recording."""
    this_file, the_file = (f"{name}", f"{name}") if name else ("this file", "the file")
    try:
        yield
    except ImuError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordingDamaged("there is no such file or folder") from error
    except PermissionError as error:
        raise RecordingDamaged(f"{this_file} may not be read: change its permissions") from error
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise RecordingDamaged("the compressed file is cut short or damaged: copy it again from its source") from error
    except OSError as error:
        raise RecordingDamaged(f"{the_file} cannot be read ({error.strerror or _in_one_line(error)})") from error
    except (ValueError, OverflowError, NotImplementedError) as error:  # errors of pandas and pyarrow among them
        raise RecordingDamaged(f"{the_file} is not a table that can be read ({_in_one_line(error)})") from error


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


CellAt = Callable[[int, int], object]
"""Gives the content of the file at a row and one of `COLUMNS`."""


def table_of(rows: Array, rows_before: int = 0, cell_at: CellAt | None = None) -> Table:
    """Return rows as a table: NaN for numbers that are damage, and the rows with one counted.

    Parameters
    ----------
    rows : (n, 7) array
        `COLUMNS`.
    rows_before : int
        Number of rows of the recording before these.
    cell_at : callable or None
        ``None`` if the text of the file is not at hand any more.
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


# --- bounded files ---------------------------------------------------------------------------------------------------


class BoundedFile:
    """A file that is decompressed if it is gzipped, and read up to a limit of `largest` bytes."""

    def __init__(self, file: IO[bytes], name: str, largest: int) -> None:
        start = file.read(len(_GZIP))
        file.seek(0)
        self._raw = file
        self._size_bytes = os.fstat(file.fileno()).st_size if isinstance(file, io.BufferedReader) else 0
        self._file = gzip.GzipFile(fileobj=file) if start == _GZIP else file
        self._name = name
        self._largest = largest
        self._left = largest

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, fewer only at the end of the file; all that remain if `size` is negative.

        Raises
        ------
        RecordingForeign
            If the file is longer than `largest`.
        RecordingDamaged
            If it became shorter since it was opened.
        """
        blocks, wanted = [], self._largest + 1 if size < 0 else size
        while block := self._file.read(min(PIECE_BYTES, self._left + 1, wanted)):
            blocks.append(block)
            wanted -= len(block)
            self._left -= len(block)
            if self._left < 0:
                raise too_long(self._name, self._largest)
        if wanted and self._raw.tell() < self._size_bytes:
            raise RecordingDamaged(f"{self._name} became shorter while it was read: copy it again")
        return b"".join(blocks)


def too_long(name: str, largest: int) -> RecordingForeign:
    """Return the error for a file of more than `largest` bytes."""
    return RecordingForeign(
        f"{name} is longer than the {largest // 2**20} MB that we read: cut the recording into parts"
    )


def text_pieces(file: BoundedFile, name: str) -> Iterator[bytes]:
    """Cut a text into pieces of about `PIECE_BYTES`, each ending at the end of a line.

    Raises
    ------
    RecordingForeign
        If a line is longer than `LINE_BYTES` (one of up to twice that passes), or the file is too long.
    """
    rest = b""
    while block := file.read(PIECE_BYTES):
        text = rest + block
        _check_lines(text, name)
        end = (text.rfind(b"\n") if b"\n" in text else text.rfind(b"\r")) + 1
        if end:
            yield text[:end]
        rest = text[end:]
    if rest:
        yield rest


def _check_lines(text: bytes, name: str) -> None:
    if not all(_has_line_end(text, at) for at in range(0, len(text) - LINE_BYTES, LINE_BYTES)):
        raise _line_too_long(name)


def _line_too_long(name: str) -> RecordingForeign:
    return RecordingForeign(f"{name} has a line of more than {LINE_BYTES // 1024} KB, so it is not a table of samples")


def _has_line_end(text: bytes, at: int) -> bool:
    return text.find(b"\n", at, at + LINE_BYTES) >= 0 or text.find(b"\r", at, at + LINE_BYTES) >= 0


# --- CSV -------------------------------------------------------------------------------------------------------------


def _csv_rows(path: Path, own_names: Mapping[str, str]) -> Iterator[tuple[Array, CellAt]]:
    """Read a CSV file in our own format, with the cells of each piece for messages."""
    with path.open("rb") as raw:
        start = BoundedFile(raw, "the file", LARGEST_BYTES).read(SMALL_BYTES)
    header = _own_header(start[:HEAD_BYTES], own_names)
    columns = own_columns(header.names, own_names)
    if len(start) < min(SMALL_BYTES, PIECE_BYTES):
        _check_lines(start, "the file")
        rows = _plain_numbers(start, header, columns)
        if rows is not None:
            yield rows, lambda row, column: rows[row, column]
            return
    with path.open("rb") as raw:
        zero: pd.Timestamp | None = None
        for frame in read_frames(BoundedFile(raw, "the file", LARGEST_BYTES), "the file", header, columns):
            timed, zero = _in_seconds(frame, columns[0], header.decimal, zero)
            yield numbers_in(timed, header, columns), partial(_cell, frame, columns)


_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
"""The beginning of a date with a time, in ISO 8601."""


def _in_seconds(
    frame: pd.DataFrame, column: int, decimal: str, zero: pd.Timestamp | None
) -> tuple[pd.DataFrame, pd.Timestamp | None]:
    """Return a frame whose column of dates counts seconds from `zero`, else from the first of them; and that one.

    A column of other cells stays as it is. Dates without a zone are those of one clock.
    """
    import pandas as pd  # noqa: PLC0415  slow to import

    cells = frame[column]
    if pd.api.types.is_numeric_dtype(cells):
        return frame, zero
    if not pd.api.types.is_datetime64_any_dtype(cells):
        cells = cells.astype(str).str.replace(decimal, ".", regex=False)
        if zero is None and not cells.str.match(_STAMP.pattern).mean() > 0.5:
            return frame, None
    stamps = pd.to_datetime(cells, format="ISO8601", errors="coerce", utc=True)
    zero = stamps.dropna().iloc[0] if zero is None else zero
    seconds = (stamps - zero).dt.total_seconds()
    return pd.concat([seconds if name == column else frame[name] for name in frame], axis="columns"), zero


def start_of_table(path: Path, own_names: Mapping[str, str]) -> datetime | None:
    """Return the date of the first row of a CSV file in our own format; ``None`` where its time is no date.

    A date without a zone is that of this computer's clock.
    """
    if not path.is_file():  # a pipe would be waited for
        return None
    with suppress(ImuError, IndexError), one_sentence_errors():
        with path.open("rb") as raw:
            head = BoundedFile(raw, "the file", LARGEST_BYTES).read(HEAD_BYTES)
        header = _own_header(head, own_names)
        rows = (line for line in first_lines(head)[header.line + 1 :] if line.strip() and not is_comment(line.strip()))
        cell = next(rows, "").split(header.separator)[own_columns(header.names, own_names)[0]].strip(' "')
        return datetime.fromisoformat(cell).astimezone() if _STAMP.match(cell) else None
    return None


_MANY_DIGITS = re.compile(rb"[0-9.]{17}|[0-9.]{16}e|e[+-]?[1-9]")


def _has_many_digits(text: bytes, separator: str) -> bool:
    """Whether a number may have more than 15 digits or a power of ten; a regular expression alone takes ten times."""
    letters = np.frombuffer(text, dtype=np.uint8)
    ends = ((letters == ord(separator)) | (letters == ord("\n")) | (letters == ord("\r"))).nonzero()[0]
    longest = int(np.diff(ends, prepend=-1, append=len(letters)).max()) - 1
    return (longest > 16 or b"e" in text) and _MANY_DIGITS.search(text) is not None


def _plain_numbers(text: bytes, header: Header, columns: Sequence[int]) -> Array | None:
    """Return the rows of a table in which every cell is a plain number of at most 15 digits; ``None`` of any other.

    Of such numbers NumPy and pandas make the same, the nearest float. With more digits, or powers of ten beyond 10^22,
    pandas may be off by one bit.
    """
    text, _ = _without_lines(text, header.line + 1)
    unusual = text.translate(None, b"+-.0123456789e\r\n" + header.separator.encode())
    if unusual or not text.strip() or _has_many_digits(text, header.separator):
        return None
    try:
        return np.loadtxt(text.decode().splitlines(), delimiter=header.separator, usecols=columns, ndmin=2)
    except ValueError:  # an empty cell, say, for which there are other rules
        return None


def _own_header(head: bytes, own_names: Mapping[str, str]) -> Header:
    """Return the header of a CSV file in our own format, from its first bytes."""
    for start, what in _OTHER_FORMATS.items():
        if head.startswith(start):
            raise RecordingForeign(f"this is {what}")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RecordingForeign("this is UTF-16 text: save it as CSV in UTF-8")
    if b"\0" in head:
        raise RecordingForeign("this is binary data, not CSV")
    if len(head) == HEAD_BYTES and not _has_line_end(head, 0):
        raise _line_too_long("the file")
    header = header_in(first_lines(head))
    if header is None:
        raise RecordingDamaged("there is no text in the file: record or copy it again")
    own_columns(header.names, own_names)
    if not header.has_rows:
        raise RecordingDamaged("there is a header but no data: record or copy it again")
    return header


def read_frames(
    file: BoundedFile, name: str, header: Header, columns: Sequence[int], *, dtype: type | None = np.float64
) -> Iterator[pd.DataFrame]:
    """Read columns of a CSV file, a piece at a time; a frame's columns are named by their numbers in the file.

    Parameters
    ----------
    file, name
        The file and its name for messages.
    header : Header
        Its header.
    columns : sequence of int
        Which columns.
    dtype : type or None
        The type to try first: parsing as float64 is a third faster, ``None`` keeps whole numbers above 2**53 exact.
    """
    import pandas as pd  # noqa: PLC0415  slow to import

    options: dict[str, Any] = {
        "sep": header.separator,
        "decimal": header.decimal,
        "header": None,
        "names": range(max(columns) + 1),  # rows may have more cells, or fewer
        "usecols": sorted(set(columns)),
        "index_col": False,
        "low_memory": False,
        "encoding_errors": "replace",
    }
    lines_to_skip = header.line + 1
    for piece in text_pieces(file, name):
        text, lines_to_skip = _without_lines(piece, lines_to_skip)
        if not text or text.isspace():
            continue
        if not text.endswith((b"\n", b"\r")):
            text = _with_all_cells(text, header.separator.encode(), max(columns))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)  # more cells in a row than names
            try:  # numbers may have blanks before them; skipping these first takes a quarter of the time
                frame: pd.DataFrame = pd.read_csv(
                    io.BytesIO(text), dtype=dtype, skipinitialspace=dtype is None, **options
                )
            except (ValueError, OverflowError):  # a cell without a number: read this piece as text
                frame = pd.read_csv(io.BytesIO(text), skipinitialspace=True, **options)
        yield frame


def _with_all_cells(text: bytes, separator: bytes, separators: int) -> bytes:
    """Return a text whose last line may be cut short: then its missing cells are empty, and the one that is cut."""
    last_line = text[max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 :]
    if last_line.count(separator) < separators:
        text = text[: len(text) - len(last_line.rpartition(separator)[2])]
    return text + separator * separators


_LINE_END = re.compile(rb"\r\n|\n|\r")


def _without_lines(text: bytes, lines: int) -> tuple[bytes, int]:
    """Return a text without its first lines, and how many lines are still to be left out of the next one."""
    end = 0
    while lines and (match := _LINE_END.search(text, end)):
        end, lines = match.end(), lines - 1
    return (b"", lines) if lines else (text[end:], 0)


def numbers_in(frame: pd.DataFrame, header: Header, columns: Sequence[int]) -> Array:
    """Return columns of a frame as numbers, (n, len(columns)); NaN where a cell holds none."""
    import pandas as pd  # noqa: PLC0415  slow to import

    if all(dtype == np.float64 for dtype in frame.dtypes):
        return frame[list(columns)].to_numpy()
    numbers: dict[int, Array] = {}
    for column in set(columns):
        cells = frame[column]
        if header.decimal != "." and not pd.api.types.is_numeric_dtype(cells):
            cells = cells.astype(str).str.replace(header.decimal, ".", regex=False)
        numbers[column] = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.column_stack([numbers[column] for column in columns])


def _cell(frame: pd.DataFrame, columns: Sequence[int], row: int, column: int) -> object:
    """Return the content of the file at a row and one of `columns`."""
    return frame[columns[column]].iloc[row]


# --- Parquet ---------------------------------------------------------------------------------------------------------


def _parquet_rows(path: Path, columns_named: Mapping[str, str]) -> Iterator[tuple[Array, CellAt]]:
    """Read a Parquet file in our own format, with the cells of each piece for messages."""
    try:
        pa = importlib.import_module("pyarrow")
        pq = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise RecordingForeign(
            'reading Parquet needs pyarrow: python -m pip install "imu-training[parquet]"'
        ) from error
    everything = Header(COLUMNS, ",", ".", -1)
    columns = range(len(COLUMNS))
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            own_names = [names[column] for column in own_columns(names, columns_named)]
            if max(file.metadata.num_rows * len(COLUMNS) * 8, path.stat().st_size) > LARGEST_BYTES:
                raise too_long("the file", LARGEST_BYTES)
            for name, own_name in zip(COLUMNS, own_names, strict=True):
                kind = file.schema_arrow.field(own_name).type
                if pa.types.is_temporal(kind) and not (name == "time_s" and pa.types.is_timestamp(kind)):
                    raise RecordingForeign(f"{name} holds dates: it must be a number")
            zero: pd.Timestamp | None = None
            for batch in file.iter_batches(batch_size=TABLE_ROWS, columns=own_names):
                frame = batch.to_pandas(ignore_metadata=True)[own_names].set_axis(columns, axis="columns")
                timed, zero = _in_seconds(frame, 0, ".", zero)
                yield numbers_in(timed, everything, columns), partial(_cell, frame, columns)
    except pa.ArrowException as error:
        raise RecordingDamaged("the Parquet file is cut short or damaged: copy it again from its source") from error
