"""Recordings of the app MetaBase (MbientLab MetaMotion sensors): a CSV file for each sensor, side by side.

Headers are those of the vendor's code (github.com/mbientlab/MetaBase-Hub, lib/sensor-config.js): ``epoch (ms),time
(-13:00),elapsed (s),x-axis (g),…``, on iOS ``epoc (ms),timestamp (+0000),…``. Names and rows of files that the app
wrote are quoted in public notebooks:
``lay1_MetaWear_2020-10-01T18.10.07.380_CEBAF1047CD2_Accelerometer_50.000Hz_1.5.0.csv`` and the same with
``Gyroscope``; ``1547473786995,2019-01-14T14:49:46.995,0.000,-0.290,0.887,-0.102``. No whole file was at hand.

- The header names the units: g and deg/s. The accelerometer, linear acceleration (without gravity) and gravity
  (nothing else) have the same header, so the sensor is recognised by the name of the file.
- ``elapsed`` starts at each sensor's own first row, so the common time is the first column, ms since 1970.
"""

from __future__ import annotations

import re
from functools import partial

import numpy as np

from imu.errors import RecordingForeign
from imu.recordings.apps.export_files import AppRecording, Export, missing, read_columns
from imu.recordings.apps.time_axis import Stream, joined
from imu.recordings.checks import ACCELERATION_SPELLINGS, ANGULAR_VELOCITY_SPELLINGS
from imu.recordings.table_files import Header
from imu.samples import Array

APP = "MetaBase"
TICK_S = 1e-3

_TIME = re.compile(r"epoch? ?\(ms\)", re.IGNORECASE)
_AXIS = re.compile(r"x-axis \((.+)\)", re.IGNORECASE)
_SENSOR = re.compile(
    r"(?P<before>.*)(?P<sensor>accelerometer|gyroscope|magnetometer|linear acceleration|gravity|quaternion"
    r"|euler angles?|pressure|temperature|humidity|ambient light|illuminance|color|proximity)(?P<after>.*\.csv)",
    re.IGNORECASE,
)


def find(export: Export, name: str) -> AppRecording | None:
    """Return the recording that a file belongs to; ``None`` if the file is of another app."""
    header = export.header(name)
    if header is None or not header.names or not _TIME.fullmatch(header.names[0]):
        return None
    named = _SENSOR.fullmatch(name)
    if named is None:
        return AppRecording(APP, name, partial(_refuse_name, name))
    acceleration = _of_the_same(export, named, "accelerometer")
    angular_velocity = _of_the_same(export, named, "gyroscope")
    if acceleration is None or angular_velocity is None:
        return AppRecording(APP, name, partial(_refuse_alone, named))
    return AppRecording(APP, acceleration, partial(_read, export, acceleration, angular_velocity))


def _of_the_same(export: Export, named: re.Match[str], sensor: str) -> str | None:
    """Return another sensor's file of the same recording: the same name, but for the sensor, its rate and version."""
    files = [
        (other["after"] != named["after"], other[0])
        for other in map(_SENSOR.fullmatch, export.names)
        if other and other["before"] == named["before"] and other["sensor"].lower() == sensor
    ]
    return min(files)[1] if files else None


def _refuse_name(name: str) -> Array:
    raise RecordingForeign(f"{name} is MetaBase's, but its name names no sensor: keep the names that MetaBase gives")


def _refuse_alone(named: re.Match[str]) -> Array:
    """Raise the error for one file of a recording without the other."""
    for one, other in (("accelerometer", "Gyroscope"), ("gyroscope", "Accelerometer")):
        if named["sensor"].lower() == one:
            raise missing(APP, other.lower(), f"put {named['before']}{other}{named['after']} beside it")
    what = "gravity" if named["sensor"].lower() == "linear acceleration" else "accelerometer and no gyroscope"
    raise missing(APP, what, "record Accelerometer and Gyroscope in MetaBase, and put both files side by side")


def _unit(header: Header) -> str | None:
    """Return the unit of the x axis as the header names it."""
    return next((matched[1].strip().lower() for matched in map(_AXIS.fullmatch, header.names) if matched), None)


def _read(export: Export, acceleration: str, angular_velocity: str) -> Array:
    ticks, values = _columns(export, acceleration, ACCELERATION_SPELLINGS)
    other_ticks, other_values = _columns(export, angular_velocity, ANGULAR_VELOCITY_SPELLINGS)
    start = np.nanmin(ticks) if np.isfinite(ticks).any() else 0.0
    return joined(
        Stream(acceleration, (ticks - start) * TICK_S, values),
        Stream(angular_velocity, (other_ticks - start) * TICK_S, other_values),
    )


def _columns(export: Export, name: str, units: dict[str, float]) -> tuple[Array, Array]:
    """Return the ticks, (n,), and the axes in SI units, (n, 3)."""
    header = export.header(name)
    unit = _unit(header) if header else None
    if header is None or unit not in units:
        raise RecordingForeign(f"{name} names no unit of its sensor in the header: export it again")
    first = next(column for column, text in enumerate(header.names) if _AXIS.fullmatch(text))
    if len(header.names) < first + 3:
        raise RecordingForeign(f"{name} lacks the y or the z axis: export it again")
    rows = read_columns(export, name, header, [0, first, first + 1, first + 2])
    return rows[:, 0], rows[:, 1:] * units[unit]
