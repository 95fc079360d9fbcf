"""Recordings of phone apps: Sensor Logger (Kelvin Choi) and phyphox (RWTH Aachen).

Each section names the files that its format was taken from.
"""

from __future__ import annotations

import csv
import re
from datetime import datetime
from functools import partial
from typing import Literal, get_args

import numpy as np

from imu.errors import RecordingForeign
from imu.recordings.app_exports import (
    AppRecording,
    Export,
    Stream,
    from_zero,
    joined,
    missing,
    quoted,
    read_columns,
    summed,
)
from imu.recordings.checks import ACCELERATION_SPELLINGS, ANGULAR_VELOCITY_SPELLINGS, Header
from imu.samples import Array
from imu.sensors.sensor_logger_push import APP as SENSOR_LOGGER
from imu.sensors.sensor_logger_push import lacking, uncalibrated_scale

PHYPHOX = "phyphox"

# --- Sensor Logger: a zip archive or folder with a CSV file for each sensor -------------------------------------------
#
# Names, columns and units are those of https://github.com/tszheichoi/awesome-sensor-logger (UNITS.md, COORDINATES.md,
# CROSSPLATFORM.md, README.md). Files that the app wrote were looked at in github.com/jmandzak/ActivityDetection (iOS
# 1.11), malimsZen/APT3010-AI and Santollan/ML-Project---Driving (Android 1.26, 1.28).
#
# - The columns are ``time`` (ns since 1970), ``seconds_elapsed``, ``z``, ``y``, ``x``.
# - ``Accelerometer.csv`` is *without* gravity; ``TotalAcceleration.csv`` (Android) is with it, and elsewhere
#   ``Accelerometer.csv`` and ``Gravity.csv`` make it up.
# - ``AccelerometerUncalibrated.csv`` is with gravity; on iOS it is in g, unless "Standardise Units & Frames" is on;
#   its size at rest decides.
# - On iOS all three axes of acceleration have the other sign (gravity, not the force against it), unless standardised.
# - ``Metadata.csv`` names the platform, and from 1.29 on whether units and frames are standardised. Without it the sign
#   is left as it is: that mirrors the person, and counts, angles and drops are the same.

SENSOR_LOGGER_NAMES = (
    "TotalAcceleration",
    "Accelerometer",
    "Gravity",
    "AccelerometerUncalibrated",
    "Gyroscope",
    "GyroscopeUncalibrated",
    "Magnetometer",
    "MagnetometerUncalibrated",
    "Orientation",
)
"""Files by which a recording is recognised, without ``.csv``."""

Sensor = Literal[
    "TotalAcceleration", "Accelerometer", "Gravity", "AccelerometerUncalibrated", "Gyroscope", "GyroscopeUncalibrated"
]

NANOSECOND_S = 1e-9
SINCE_1970_S = 1e8
"""A time above this counts from 1970: the export has no ``seconds_elapsed``."""


def find_sensor_logger(export: Export, name: str) -> AppRecording | None:
    """Return the recording that a file belongs to; ``None`` if the file is of another app."""
    stem, _, suffix = name.rpartition(".")
    if suffix.lower() == "json":
        return _sensor_logger_json(export, name)
    header = export.header(name)
    if header is None or not _is_sensor_logger(header):
        return None
    if stem.lower() in (listed.lower() for listed in SENSOR_LOGGER_NAMES):
        ticks = header.index("time")
        started_at = None if ticks is None else export.moment(name, header, ticks, NANOSECOND_S)
        return AppRecording(SENSOR_LOGGER, None, partial(_read_sensor_logger, export), started_at)
    return (
        AppRecording(SENSOR_LOGGER, name, partial(_refuse_sensor_logger_name, name))
        if header.index("seconds_elapsed") is not None
        else None
    )


def _is_sensor_logger(header: Header) -> bool:
    has = {name.lower() for name in header.names}
    return "seconds_elapsed" in has or {"time", "x", "y", "z"} <= has


def _sensor_logger_json(export: Export, name: str) -> AppRecording | None:
    head = "".join(export.lines(name))
    ours = head.lstrip().startswith("[") and '"seconds_elapsed"' in head and '"sensor"' in head
    return AppRecording(SENSOR_LOGGER, name, _refuse_sensor_logger_json) if ours else None


def _refuse_sensor_logger_json() -> Array:
    raise RecordingForeign("this is Sensor Logger's JSON export: export the recording as Zipped CSV instead")


def _refuse_sensor_logger_name(name: str) -> Array:
    raise RecordingForeign(
        f"{name} is one sensor of a Sensor Logger recording, but its name does not name which: "
        "give the zip archive as the app exports it"
    )


def _read_sensor_logger(export: Export) -> Array:
    """Read the recording in an export."""
    lack = lacking([name.lower() for name in get_args(Sensor) if export.named(f"{name}.csv")])
    if lack is not None:
        raise missing(SENSOR_LOGGER, *lack)
    acceleration = _sensor_logger_acceleration(export)
    angular_velocity = _sensor_logger_stream(export, "Gyroscope") or _sensor_logger_stream(
        export, "GyroscopeUncalibrated"
    )
    if acceleration is None or angular_velocity is None:
        raise RecordingForeign(f"this {SENSOR_LOGGER} recording has files without a table: export it again")
    rows = joined(acceleration, angular_velocity)
    return from_zero(rows) if np.nanmax(rows[:, 0]) > SINCE_1970_S else rows


def _sensor_logger_acceleration(export: Export) -> Stream | None:
    """Return acceleration with gravity, m/s², with the sign of specific force; ``None`` if it was not recorded."""
    sign = -1.0 if _is_inertial(export) else 1.0
    total = _sensor_logger_stream(export, "TotalAcceleration")
    if total is not None:
        return total.scaled(sign)
    moving, gravity = _sensor_logger_stream(export, "Accelerometer"), _sensor_logger_stream(export, "Gravity")
    if moving is not None and gravity is not None:
        return summed(moving, gravity).scaled(sign)
    raw = _sensor_logger_stream(export, "AccelerometerUncalibrated")
    if raw is None:
        return None
    return raw.scaled(uncalibrated_scale(raw.values) or sign)


def _is_inertial(export: Export) -> bool:
    """Whether acceleration has the sign of an iPhone's, by the metadata."""
    name = export.named("Metadata.csv")
    lines = export.lines(name)[:2] if name else ()
    cells = next(csv.DictReader(lines), {})
    fields = {key: value for key, value in cells.items() if isinstance(value, str)}
    is_standardised = fields.get("standardisation", "").strip().lower() == "true"
    return fields.get("platform", "").strip().lower() == "ios" and not is_standardised


def _sensor_logger_stream(export: Export, sensor: Sensor) -> Stream | None:
    """Read one sensor in the units of the file; ``None`` if it was not recorded."""
    name = export.named(f"{sensor}.csv")
    header = export.header(name) if name else None
    if name is None or header is None:
        return None
    seconds, ticks = header.index("seconds_elapsed"), header.index("time")
    time = seconds if seconds is not None else ticks
    axes = [header.index(axis) for axis in "xyz"]
    columns = [column for column in (time, *axes) if column is not None]
    if len(columns) < 4:
        raise RecordingForeign(f"{name} lacks one of the columns seconds_elapsed, x, y and z: export it again")
    rows = read_columns(export, name, header, columns)
    return Stream(name, rows[:, 0] if seconds is not None else rows[:, 0] * NANOSECOND_S, rows[:, 1:])


# --- phyphox: a zip archive or folder of CSV files, or one CSV file with all ------------------------------------------
#
# Names and columns are those of github.com/phyphox/phyphox-android (DataExport.java; for experiments that users build
# SimpleExperimentCreator.java). Files that the app wrote were looked at in github.com/kartof0nix/AIR-math-tools (iOS
# 1.1.16, semicolons) and quoted in github.com/maennenajere/MotionPath.
#
# - Each file has a quoted header that names the units: ``"Time (s)","Acceleration x (m/s^2)",…``. On iOS it may be ``"X
#   (m/s^2)"``, and only the name of the file names the sensor. Numbers look like ``1.234E-1``.
# - Separators are commas, semicolons or tabs, with a point or (not with commas) a comma in the numbers. A shorter
#   column is filled up with ``NaN``.
# - All sensors share one time axis. "Linear acceleration" is without gravity. iPhones and Android give the same sign.
# - ``meta/time.csv`` holds the time of day at START, s since 1970 (``system time``); ``meta/device.csv`` is not read.

PHYPHOX_CLOCK = "meta/time.csv"

PHYPHOX_NAMES = re.compile(
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


def find_phyphox(export: Export, name: str) -> AppRecording | None:
    """Return the recording that a file belongs to; ``None`` if the file is of another app."""
    header = export.header(name)
    if header is None or not header.names or not _TIME.fullmatch(header.names[0]):
        return None
    kinds = _phyphox_columns(header, name)
    if not kinds:
        return None
    started_at = _phyphox_start(export)
    if PHYPHOX_NAMES.fullmatch(name) and not {"acceleration", "gyroscope"} <= set(kinds):
        return AppRecording(PHYPHOX, None, partial(_read_phyphox, export, None), started_at)
    return AppRecording(PHYPHOX, name, partial(_read_phyphox, export, name), started_at)


def _phyphox_start(export: Export) -> datetime | None:
    try:
        header = export.header(PHYPHOX_CLOCK)
    except OSError:
        return None
    column = None if header is None else header.index("system time")
    return None if header is None or column is None else export.moment(PHYPHOX_CLOCK, header, column, 1.0)


def _phyphox_columns(header: Header, name: str) -> dict[str, dict[str, tuple[int, str]]]:
    """Return the axes of each kind of signal: number and unit of the column."""
    kinds: dict[str, dict[str, tuple[int, str]]] = {}
    for column, text in enumerate(header.names):
        matched = _COLUMN.fullmatch(text)
        if matched is None:
            continue
        unit = matched["unit"].strip().lower()
        kind = matched["kind"].lower() if matched["kind"] else _phyphox_kind(unit, name)
        kinds.setdefault(kind, {})[matched["axis"].lower()] = (column, unit)
    return {kind: axes for kind, axes in kinds.items() if len(axes) == 3}


def _phyphox_kind(unit: str, name: str) -> str:
    """Return the kind of signal of a column whose header gives only the axis, as on iOS."""
    if unit in ANGULAR_VELOCITY_SPELLINGS:
        return "gyroscope"
    if unit in ACCELERATION_SPELLINGS:
        return "linear acceleration" if "linear" in name.lower() else "acceleration"
    return "magnetic field"


def _read_phyphox(export: Export, only: str | None) -> Array:
    """Read the recording in one file, or in all files that phyphox gave their names."""
    where: dict[str, tuple[str, Header]] = {}
    for name in [only] if only else filter(PHYPHOX_NAMES.fullmatch, export.names):
        header = export.header(name)
        if header is not None and header.names and _TIME.fullmatch(header.names[0]):
            for kind in _phyphox_columns(header, name):
                where.setdefault(kind, (name, header))
    if "acceleration" not in where:
        if "linear acceleration" in where:
            raise missing(PHYPHOX, "gravity (linear acceleration is without it)", TOGETHER)
        raise missing(PHYPHOX, f"accelerometer{'' if 'gyroscope' in where else ' and no gyroscope'}", TOGETHER)
    if "gyroscope" not in where:
        raise missing(PHYPHOX, "gyroscope", TOGETHER)
    return joined(
        _phyphox_stream(export, *where["acceleration"], "acceleration", ACCELERATION_SPELLINGS),
        _phyphox_stream(export, *where["gyroscope"], "gyroscope", ANGULAR_VELOCITY_SPELLINGS),
    )


def _phyphox_stream(export: Export, name: str, header: Header, kind: str, units: dict[str, float]) -> Stream:
    axes = _phyphox_columns(header, name)[kind]
    unit = axes["x"][1]
    if unit not in units:
        raise RecordingForeign(f"{name} gives {kind} in {quoted(unit)!r}, a unit that we do not know: export it again")
    rows = read_columns(export, name, header, [0, *(axes[axis][0] for axis in "xyz")])
    return Stream(name, rows[:, 0], rows[:, 1:]).scaled(units[unit])
