"""The conversion of a recording: in any form that is read -> the same rows in our CSV or Parquet, to the last bit.

The new file is written beside its place, read back and compared, and only then moved there: under its name stands the
whole recording or the file that stood there before.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from imu.atomic_files import new_file
from imu.errors import ImuError, RecordingDamaged, RecordingForeign, RecordingNotWritten, needs_extra
from imu.recordings.checks import COLUMNS
from imu.recordings.folders import TABLE_SUFFIXES, only_source
from imu.recordings.recording import Recording, open_recording
from imu.samples import Array, ImuBlock

Append = Callable[[Array], None]


def convert(
    source: Path | str,
    target: Path,
    *,
    force: bool = False,
    acceleration_unit: Literal["m/s2", "g"] = "m/s2",
    angular_velocity_unit: Literal["rad/s", "deg/s"] = "rad/s",
    columns: Mapping[str, str] | None = None,
) -> Recording:
    """Write the recording `source` to `target` in m/s² and rad/s, its rows in the order of time; return it.

    Parameters
    ----------
    source : Path or str
        A recording, or a folder or zip archive with one.
    target : Path
        The file to write; the end of its name gives the format: ``.csv``, ``.csv.gz`` or ``.parquet``.
    force : bool
        Whether `target` may be replaced.
    acceleration_unit, angular_velocity_unit : str
        The units in `source`, if it is a table in our own format.
    columns : mapping, optional
        Other names of the columns of such a table.

    Raises
    ------
    ImuError
        If `source` cannot be read, `target` cannot be written, exists already or is `source`, or Parquet is not
        installed.
    """
    suffix = next((end for end in sorted(TABLE_SUFFIXES, key=len)[::-1] if target.name.lower().endswith(end)), None)
    if suffix is None:
        ends = f"{', '.join(TABLE_SUFFIXES[:-1])} or {TABLE_SUFFIXES[-1]}"
        raise RecordingNotWritten(f"{target} names no format: end it in {ends}")
    if target.is_dir():
        raise RecordingNotWritten(f"{target} is a folder: name the file to write in it")
    if not target.parent.is_dir():
        raise RecordingNotWritten(f"there is no folder {target.parent} to write to: make it first")
    if target.exists() and Path(source).exists() and target.samefile(source):
        raise RecordingNotWritten(f"{target} is the recording itself: name another file to write")
    with new_file(target, overwrite=force) as beside:
        try:
            with only_source(str(source)) as one:
                recording = open_recording(
                    one.path,
                    acceleration_unit=acceleration_unit,
                    angular_velocity_unit=angular_velocity_unit,
                    columns=columns,
                )
                digest = _write(recording, beside, suffix)
            if not recording.rows:
                raise RecordingDamaged("there are no samples in it")
        except RecordingDamaged as error:
            raise RecordingDamaged(f"{source}: {error}") from error
        except RecordingForeign as error:
            raise RecordingForeign(f"{source}: {error}") from error
        _compare(digest, beside, target)
    return recording


def _write(recording: Recording, path: Path, suffix: str) -> str:
    """Write the rows to a new file and return their hash."""
    digest = hashlib.sha256()
    with (
        path.open("xb") as file,
        _parquet(file) if suffix == ".parquet" else _csv(file, compressed=suffix == ".csv.gz") as append,
    ):
        for block in recording.blocks():
            rows = _rows(block)
            digest.update(rows.data)
            append(rows)
    return digest.hexdigest()


def _rows(block: ImuBlock) -> Array:
    """Return the rows of a block in the order of `COLUMNS`, (n, 7), with one kind of NaN."""
    rows = np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))
    rows[np.isnan(rows)] = np.nan
    return np.ascontiguousarray(rows)


@contextmanager
def _csv(file: io.BufferedWriter, *, compressed: bool) -> Iterator[Append]:
    """Provide a function that appends rows as CSV, each number with the digits that reading needs to restore it."""
    import pandas as pd  # noqa: PLC0415  slow to import

    with ExitStack() as opened:
        # without a name and a time in it, the same recording makes the same file
        raw = opened.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0)) if compressed else file
        text = io.TextIOWrapper(raw, encoding="ascii", newline="")
        text.write(",".join(COLUMNS) + "\n")
        yield lambda rows: pd.DataFrame(rows).to_csv(text, header=False, index=False, lineterminator="\n")
        text.flush()
        text.detach()


@contextmanager
def _parquet(file: io.BufferedWriter) -> Iterator[Append]:
    """Provide a function that appends rows as Parquet."""
    with needs_extra("parquet", "writing Parquet needs pyarrow"):
        pa = importlib.import_module("pyarrow")
        pq = importlib.import_module("pyarrow.parquet")
    schema = pa.schema([(name, pa.float64()) for name in COLUMNS])
    with pq.ParquetWriter(file, schema) as writer:
        yield lambda rows: writer.write_table(pa.table(list(rows.T), schema=schema))


def _compare(digest: str, path: Path, target: Path) -> None:
    """Read the new file back; raise if it does not give the rows that were written, bit for bit."""
    digest_read = hashlib.sha256()
    try:
        for block in open_recording(path).blocks():
            digest_read.update(_rows(block).data)
    except ImuError as error:
        raise RecordingNotWritten(f"{target} is not written, because it could not be read again: {error}") from error
    if digest_read.hexdigest() != digest:
        raise RecordingNotWritten(
            f"{target} is not written, because its numbers are not read to their last digit: update pandas, "
            "or write .parquet"
        )
