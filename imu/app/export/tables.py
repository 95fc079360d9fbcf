"""Stored sessions -> CSV, Parquet and JSON.

This module refuses to know where a file goes: it writes to the path that it is given.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from imu.app.export.rows import COLUMNS, Cell, rows
from imu.errors import ExtraMissing
from imu.report.objects import stored_object
from imu.store import StoredSession


def write_csv(sessions: Iterable[StoredSession], path: Path) -> None:
    """Write a row for each repetition (see :mod:`imu.app.export.rows`) in UTF-8, below a line of names."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([_text(cell) for cell in row] for row in rows(sessions))


def write_parquet(sessions: Iterable[StoredSession], path: Path) -> None:
    """Write the rows of the CSV as typed columns.

    Raises
    ------
    ExtraMissing
        If pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415  an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise ExtraMissing('Parquet needs pyarrow: python -m pip install "imu-training[parquet]"') from error
    types = {
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
        str: pyarrow.string(),
        datetime: pyarrow.timestamp("us", tz="UTC"),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, (kind, _) in COLUMNS.items()])
    columns = zip(*rows(sessions), strict=True)
    values = list(columns) or [()] * len(COLUMNS)
    parquet.write_table(pyarrow.table([list(column) for column in values], schema=schema), path)


def write_json(sessions: Iterable[StoredSession], path: Path) -> None:
    """Write an array with the object of ``imu review --json`` of each session."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        objects = (json.dumps(stored_object(one), ensure_ascii=False, allow_nan=False) for one in sessions)
        file.write("[" + ",\n ".join(objects) + "]\n")


def _text(cell: Cell) -> Cell:
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="seconds")
    return str(cell).lower() if isinstance(cell, bool) else cell
