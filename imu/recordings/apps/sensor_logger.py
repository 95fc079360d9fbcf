"""Recordings of the phone app Sensor Logger (Kelvin Choi): a zip archive or folder with a CSV file for each sensor.

Names, columns and units are those of https://github.com/tszheichoi/awesome-sensor-logger (UNITS.md, COORDINATES.md,
CROSSPLATFORM.md, README.md). Files that the app wrote were looked at in github.com/jmandzak/ActivityDetection (iOS
1.11), malimsZen/APT3010-AI and Santollan/ML-Project---Driving (Android 1.26, 1.28).

- The columns are ``time`` (ns since 1970), ``seconds_elapsed``, ``z``, ``y``, ``x``.
- ``Accelerometer.csv`` is *without* gravity; ``TotalAcceleration.csv`` (Android) is with it, and elsewhere
  ``Accelerometer.csv`` and ``Gravity.csv`` make it up.
- ``AccelerometerUncalibrated.csv`` is with gravity; on iOS it is in g, unless "Standardise Units & Frames" is on;
  its size at rest decides.
- On iOS all three axes of acceleration have the other sign (gravity, not the force against it), unless standardised.
- ``Metadata.csv`` names the platform, and from 1.29 on whether units and frames are standardised. Without it the sign
  is left as it is: that mirrors the person, and counts, angles and drops are the same.
"""

from __future__ import annotations

import csv
from functools import partial
from typing import Literal, get_args

import numpy as np

from imu.errors import RecordingForeign
from imu.recordings.apps.export_files import (
    AppRecording,
    Export,
    Stream,
    from_zero,
    joined,
    missing,
    read_columns,
    summed,
)
from imu.recordings.table_files import Header
from imu.samples import Array
from imu.sensors.sensor_logger_push import APP, lacking, uncalibrated_scale

NAMES = (
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

SINCE_1970_S = 1e8
"""A time above this counts from 1970: the export has no ``seconds_elapsed``."""


def find(export: Export, name: str) -> AppRecording | None:
    """Return the recording that a file belongs to; ``None`` if the file is of another app."""
    stem, _, suffix = name.rpartition(".")
    if suffix.lower() == "json":
        return _as_json(export, name)
    header = export.header(name)
    if header is None or not _is_ours(header):
        return None
    if stem.lower() in (listed.lower() for listed in NAMES):
        return AppRecording(APP, None, partial(_read, export))
    return (
        AppRecording(APP, name, partial(_refuse_other_name, name))
        if header.index("seconds_elapsed") is not None
        else None
    )


def _is_ours(header: Header) -> bool:
    has = {name.lower() for name in header.names}
    return "seconds_elapsed" in has or {"time", "x", "y", "z"} <= has


def _as_json(export: Export, name: str) -> AppRecording | None:
    head = "".join(export.lines(name))
    ours = head.lstrip().startswith("[") and '"seconds_elapsed"' in head and '"sensor"' in head
    return AppRecording(APP, name, _refuse_json) if ours else None


def _refuse_json() -> Array:
    raise RecordingForeign("this is Sensor Logger's JSON export: export the recording as Zipped CSV instead")


def _refuse_other_name(name: str) -> Array:
    raise RecordingForeign(
        f"{name} is one sensor of a Sensor Logger recording, but its name does not name which: "
        "give the zip archive as the app exports it"
    )


def _read(export: Export) -> Array:
    """Read the recording in an export."""
    lack = lacking([name.lower() for name in get_args(Sensor) if export.named(f"{name}.csv")])
    if lack is not None:
        raise missing(APP, *lack)
    acceleration = _acceleration(export)
    angular_velocity = _stream(export, "Gyroscope") or _stream(export, "GyroscopeUncalibrated")
    if acceleration is None or angular_velocity is None:
        raise RecordingForeign(f"this {APP} recording has files without a table: export it again")
    rows = joined(acceleration, angular_velocity)
    return from_zero(rows) if np.nanmax(rows[:, 0]) > SINCE_1970_S else rows


def _acceleration(export: Export) -> Stream | None:
    """Return acceleration with gravity, m/s², with the sign of specific force; ``None`` if it was not recorded."""
    sign = -1.0 if _is_inertial(export) else 1.0
    total = _stream(export, "TotalAcceleration")
    if total is not None:
        return total.scaled(sign)
    moving, gravity = _stream(export, "Accelerometer"), _stream(export, "Gravity")
    if moving is not None and gravity is not None:
        return summed(moving, gravity).scaled(sign)
    raw = _stream(export, "AccelerometerUncalibrated")
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


def _stream(export: Export, sensor: Sensor) -> Stream | None:
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
    return Stream(name, rows[:, 0] if seconds is not None else rows[:, 0] * 1e-9, rows[:, 1:])
