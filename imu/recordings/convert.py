"""A recording in any form that is read -> the same rows in our CSV or Parquet, to the last bit.

The new file is written beside its place, read back and compared, and only then moved there: under its name stands the
whole recording or what stood there before. This module refuses to know which sensor or app the recording comes from.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib
import io
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from imu.errors import ExtraMissing, ImuError, RecordingDamaged, RecordingForeign, RecordingNotWritten
from imu.recordings.recording import SUFFIXES, Recording, find_recordings, read_recording
from imu.recordings.tables import COLUMNS
from imu.recordings.timing import sampling_rate_hz
from imu.recordings.training_recording import open_training_recording
from imu.recordings.training_samples import samples_of
from imu.samples import Array, ImuBlock

Append = Callable[[Array], None]


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written.

    Attributes
    ----------
    target : Path
        The new file.
    recording : Recording
        The recording that it was made of.
    """

    target: Path
    recording: Recording


def convert(
    source: Path,
    target: Path,
    *,
    force: bool = False,
    acceleration_unit: Literal["m/s2", "g"] = "m/s2",
    angular_velocity_unit: Literal["rad/s", "deg/s"] = "rad/s",
) -> Converted:
    """Write the recording `source` to `target` in m/s² and rad/s, its rows in the order of time.

    Parameters
    ----------
    source : Path
        A recording, or a folder with one.
    target : Path
        What to write; its name says how: ``.csv``, ``.csv.gz`` or ``.parquet``.
    force : bool
        Whether `target` may be replaced.
    acceleration_unit, angular_velocity_unit : str
        The units in `source`, if it is in our own format.

    Raises
    ------
    ImuError
        If `source` cannot be read, `target` cannot be written or is there already, or Parquet is not installed.
    """
    suffix = next((one for one in sorted(SUFFIXES, key=len)[::-1] if target.name.lower().endswith(one)), None)
    if suffix is None:
        raise RecordingNotWritten(f"{target} names no format: end it in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if target.is_dir():
        raise RecordingNotWritten(f"{target} is a folder: name the file to write in it")
    if target.exists() and not force:
        raise _there_already(target)
    try:
        path = _the_only(source)
        if path.suffix.lower() == ".mcap":
            recording = _samples_of_training(path)
        else:
            recording = read_recording(
                path, acceleration_unit=acceleration_unit, angular_velocity_unit=angular_velocity_unit
            )
    except (RecordingDamaged, RecordingForeign) as error:
        raise type(error)(f"{source}: {error}") from error
    beside = target.with_name(f".{secrets.token_hex(4)}{suffix}")
    try:
        with _writing(target):
            written = _write(recording, beside, suffix)
        _compare(written, beside, target)
        with _writing(target):
            _put_in_place(beside, target, force=force)
    finally:
        with contextlib.suppress(OSError):  # it is in its place, or was never made
            beside.unlink()
    return Converted(target, recording)


def _samples_of_training(path: Path) -> Recording:
    """Return the samples of a training's recording; what the person asked for meanwhile has no place in a table."""
    blocks = tuple(samples_of(open_training_recording(path)))
    if not blocks:
        raise RecordingDamaged("there are no samples in it")
    time_s = np.concatenate([block.device_time_s for block in blocks])
    return Recording(path, len(time_s), sampling_rate_hz(time_s), 0, 0, None, blocks.__iter__)


def _the_only(source: Path) -> Path:
    """Return the recording in a folder, or the file itself."""
    found = find_recordings([source])
    if len(found) > 1:
        raise RecordingForeign(f"there are {len(found)} recordings in this folder, convert one at a time")
    return found[0]


def _there_already(target: Path) -> ImuError:
    return RecordingNotWritten(f"{target} is there already: choose another name, or replace it with --force")


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Translate what goes wrong while a file is written."""
    try:
        yield
    except FileNotFoundError as error:
        raise RecordingNotWritten(f"there is no folder {target.parent} to write to: make it first") from error
    except OSError as error:
        raise RecordingNotWritten(f"{target} cannot be written ({error.strerror or error})") from error


def _write(recording: Recording, path: Path, suffix: str) -> str:
    """Write the rows to a new file and through to the disk; return their hash."""
    digest = hashlib.sha256()
    with path.open("xb") as file:
        with _parquet(file) if suffix == ".parquet" else _csv(file, compressed=suffix == ".csv.gz") as append:
            for block in recording.blocks():
                rows = _rows(block)
                digest.update(rows.data)
                append(rows)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _rows(block: ImuBlock) -> Array:
    """Return the rows of a block in the order of `COLUMNS`, (n, 7), with one kind of NaN."""
    rows = np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))
    rows[np.isnan(rows)] = np.nan
    return np.ascontiguousarray(rows)


@contextmanager
def _csv(file: io.BufferedWriter, *, compressed: bool) -> Iterator[Append]:
    """Give a function that writes rows as CSV; each number has as many digits as it takes to read the same one."""
    import pandas as pd  # noqa: PLC0415  slow to import

    with contextlib.ExitStack() as opened:
        # without a name and a time in it, the same recording makes the same file
        raw = opened.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0)) if compressed else file
        text = io.TextIOWrapper(raw, encoding="ascii", newline="")
        text.write(",".join(COLUMNS) + "\n")
        yield lambda rows: pd.DataFrame(rows).to_csv(text, header=False, index=False, lineterminator="\n")
        text.flush()
        text.detach()


@contextmanager
def _parquet(file: io.BufferedWriter) -> Iterator[Append]:
    """Give a function that writes rows as Parquet."""
    try:
        pa = importlib.import_module("pyarrow")
        pq = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ExtraMissing('writing Parquet needs pyarrow: python -m pip install "imu-training[parquet]"') from error
    schema = pa.schema([(name, pa.float64()) for name in COLUMNS])
    with pq.ParquetWriter(file, schema) as writer:
        yield lambda rows: writer.write_table(pa.table(list(rows.T), schema=schema))


def _compare(written: str, path: Path, target: Path) -> None:
    """Read the new file back; refuse it if it does not give the rows that were written, bit for bit."""
    digest = hashlib.sha256()
    try:
        for block in read_recording(path).blocks():
            digest.update(_rows(block).data)
    except ImuError as error:
        raise RecordingNotWritten(f"{target} is not written, for it would not be read again: {error}") from error
    if digest.hexdigest() != written:
        raise RecordingNotWritten(
            f"{target} is not written, for its numbers are not read to their last digit: update pandas, "
            "or write .parquet"
        )


def _put_in_place(beside: Path, target: Path, *, force: bool) -> None:
    """Give the finished file its name, in one step that nothing can come between."""
    if force:
        beside.replace(target)
        return
    try:
        os.link(beside, target)  # unlike renaming, it fails where something has the name by now
    except FileExistsError as error:
        raise _there_already(target) from error
    except OSError:  # a file system without links, as on many memory sticks
        if target.exists():
            raise _there_already(target) from None
        beside.rename(target)
