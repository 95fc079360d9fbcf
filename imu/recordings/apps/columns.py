"""Columns of a CSV file of another app -> numbers.

A cell that holds no number, or one too large to be data, becomes NaN. This module refuses to know what the columns
mean.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from imu.errors import RecordingDamaged
from imu.recordings.apps.export import Export, Header
from imu.recordings.tables import LARGEST, told_in_one_sentence
from imu.samples import Array


def read_columns(export: Export, name: str, header: Header, columns: Sequence[int]) -> Array:
    """Return columns of a table, (n, len(columns)), in the order asked for.

    Parameters
    ----------
    export : Export
        Where the file is.
    name : str
        Which file.
    header : Header
        Where its header stands and how it is written; for a file without one, its line is -1.
    columns : sequence of int
        Which columns.

    Raises
    ------
    RecordingDamaged
        If the file cannot be read to its end, or holds no row.
    """
    import pandas as pd  # noqa: PLC0415  slow to import

    with told_in_one_sentence(name), export.open(name) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # more cells in a row than names: ignored
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)
        frame = pd.read_csv(
            file,
            sep=header.separator,
            decimal=header.decimal,
            header=None,
            names=range(max(columns) + 1),  # rows may have more cells, or fewer
            usecols=sorted(set(columns)),
            skiprows=header.line + 1,
            index_col=False,
            skipinitialspace=True,
            low_memory=False,
            encoding_errors="replace",
        )
        numbers: dict[int, Array] = {}
        for column in set(columns):
            values = frame[column]
            if header.decimal != "." and not pd.api.types.is_numeric_dtype(values):
                values = values.astype(str).str.replace(header.decimal, ".", regex=False)
            numbers[column] = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if not len(frame):
        raise RecordingDamaged(f"{name} has a header but no data: record or export it again")
    rows = np.column_stack([numbers[column] for column in columns])
    return np.where(np.abs(rows) < LARGEST[0], rows, np.nan)
