"""Recordings of the phone app phyphox (RWTH Aachen): a zip archive or folder of CSV files, or one CSV file with all.

Names and columns are those of github.com/phyphox/phyphox-android (DataExport.java; for experiments that users build
SimpleExperimentCreator.java). Files that the app wrote were looked at in github.com/kartof0nix/AIR-math-tools (iOS
1.1.16, semicolons) and quoted in github.com/maennenajere/MotionPath.

- Each file has a quoted header that names the units: ``"Time (s)","Acceleration x (m/s^2)",…``. On iOS it may be ``"X
  (m/s^2)"``, and only the name of the file names the sensor. Numbers look like ``1.234E-1``.
- Separators are commas, semicolons or tabs, with a point or (not with commas) a comma in the numbers. A shorter
  column is filled up with ``NaN``.
- All sensors share one time axis. "Linear acceleration" is without gravity. iPhones and Android give the same sign.
- ``meta/device.csv`` and ``meta/time.csv`` hold the phone and the time of day; they are not read.
"""

from __future__ import annotations

import re
from functools import partial

from imu.errors import RecordingForeign
from imu.recordings.apps.export_files import AppRecording, Export, Stream, joined, missing, quoted, read_columns
from imu.recordings.checks import ACCELERATION_SPELLINGS, ANGULAR_VELOCITY_SPELLINGS
from imu.recordings.table_files import Header
from imu.samples import Array

APP = "phyphox"

SET_NAMES = re.compile(
    r"(accelerometer|gyroscope|linear ?(acceleration|accelerometer)|magnetometer|attitude|raw data).*\.csv",
    re.IGNORECASE,
)
"""Names that phyphox gives to the files of one recording."""

TOGETHER = 'in phyphox add a simple experiment ("+") with Accelerometer and Gyroscope, and export all of it'

_TIME = re.compile(r"time \(s\)", re.IGNORECASE)
_COLUMN = re.compile(
    r"(?:(?P<kind>linear acceleration|acceleration|gyroscope|magnetic field) )?(?P<axis>[xyz]) \((?P<unit>[^()]+)\)",
    re.IGNORECASE,
)


def find(export: Export, name: str) -> AppRecording | None:
    """Return the recording that a file belongs to; ``None`` if the file is of another app."""
    header = export.header(name)
    if header is None or not header.names or not _TIME.fullmatch(header.names[0]):
        return None
    kinds = _columns(header, name)
    if not kinds:
        return None
    if SET_NAMES.fullmatch(name) and not {"acceleration", "gyroscope"} <= set(kinds):
        return AppRecording(APP, None, partial(_read, export, None))
    return AppRecording(APP, name, partial(_read, export, name))


def _columns(header: Header, name: str) -> dict[str, dict[str, tuple[int, str]]]:
    """Return the axes of each kind of signal: number and unit of the column."""
    kinds: dict[str, dict[str, tuple[int, str]]] = {}
    for column, text in enumerate(header.names):
        matched = _COLUMN.fullmatch(text)
        if matched is None:
            continue
        unit = matched["unit"].strip().lower()
        kind = matched["kind"].lower() if matched["kind"] else _kind_by_unit(unit, name)
        kinds.setdefault(kind, {})[matched["axis"].lower()] = (column, unit)
    return {kind: axes for kind, axes in kinds.items() if len(axes) == 3}


def _kind_by_unit(unit: str, name: str) -> str:
    """Return the kind of signal of a column whose header gives only the axis, as on iOS."""
    if unit in ANGULAR_VELOCITY_SPELLINGS:
        return "gyroscope"
    if unit in ACCELERATION_SPELLINGS:
        return "linear acceleration" if "linear" in name.lower() else "acceleration"
    return "magnetic field"


def _read(export: Export, only: str | None) -> Array:
    """Read the recording in one file, or in all files that phyphox gave their names."""
    where: dict[str, tuple[str, Header]] = {}
    for name in [only] if only else filter(SET_NAMES.fullmatch, export.names):
        header = export.header(name)
        if header is not None and header.names and _TIME.fullmatch(header.names[0]):
            for kind in _columns(header, name):
                where.setdefault(kind, (name, header))
    if "acceleration" not in where:
        if "linear acceleration" in where:
            raise missing(APP, "gravity (linear acceleration is without it)", TOGETHER)
        raise missing(APP, f"accelerometer{'' if 'gyroscope' in where else ' and no gyroscope'}", TOGETHER)
    if "gyroscope" not in where:
        raise missing(APP, "gyroscope", TOGETHER)
    return joined(
        _stream(export, *where["acceleration"], "acceleration", ACCELERATION_SPELLINGS),
        _stream(export, *where["gyroscope"], "gyroscope", ANGULAR_VELOCITY_SPELLINGS),
    )


def _stream(export: Export, name: str, header: Header, kind: str, units: dict[str, float]) -> Stream:
    axes = _columns(header, name)[kind]
    unit = axes["x"][1]
    if unit not in units:
        raise RecordingForeign(f"{name} gives {kind} in {quoted(unit)!r}, a unit that we do not know: export it again")
    rows = read_columns(export, name, header, [0, *(axes[axis][0] for axis in "xyz")])
    return Stream(name, rows[:, 0], rows[:, 1:]).scaled(units[unit])
