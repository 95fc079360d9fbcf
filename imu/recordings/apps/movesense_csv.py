"""Movesense logs in CSV: of the vendor's converter (a file for each sensor) and its Android sample (one file).

Written as in the code of both: ms_json2csv.py in github.com/sensein/movesense-py makes ``…_MeasIMU6_Acc.csv`` and
``…_MeasIMU6_Gyro.csv`` (or ``…_MeasAcc.csv`` and ``…_MeasGyro.csv``) with the header
``Timestamp_ms,X,Y,Z,RelativeTime,…``, which has more names than rows have cells; ImuActivity.java of the sample app
makes one file with ``Timestamp,AccX,AccY,AccZ,GyroX,GyroY,GyroZ,MagnX,MagnY,MagnZ``, of which the last three may have
no cells; its other screens record one sensor, ``Timestamp (ms),X: (m/s^2),…``. No file that they wrote was at hand.

- Time is in ms, rounded; acceleration in m/s² with gravity, angular velocity in deg/s.
"""

from __future__ import annotations

import re
from functools import partial

from imu.recordings.apps.columns import read_columns
from imu.recordings.apps.export import Export, Header
from imu.recordings.apps.found import Found, missing
from imu.recordings.apps.movesense import APP, RECORD, TICK_S
from imu.recordings.apps.streams import Stream, from_zero, joined
from imu.recordings.units import ANGULAR_VELOCITY_UNITS
from imu.samples import Array

_TOGETHER = ("Timestamp", "AccX", "AccY", "AccZ", "GyroX", "GyroY", "GyroZ", "MagnX", "MagnY", "MagnZ")
_APART = ("Timestamp_ms", "X", "Y", "Z")
_ONE_SENSOR = re.compile(r"Timestamp \((ms|h:m:s)\)X: \((m/s\^2|degree per second)\)")
_PART = re.compile(
    r"(?P<before>.*_)(?P<stream>Meas(?:IMU6m?_|IMU9_)?)(?P<sensor>Acc|Gyro|Magn)(?P<after>\.csv(?:\.gz)?)"
)


def find(export: Export, name: str) -> Found | None:
    """Return the recording that a file belongs to; ``None`` if the file is no Movesense log."""
    header = export.header(name)
    if header is None:
        return None
    if header.names == _TOGETHER:
        return Found(APP, name, partial(_read_together, export, name, header))
    if header.names[:4] == _APART:
        return _part(export, name)
    if _ONE_SENSOR.fullmatch("".join(header.names[:2])):
        return Found(APP, name, partial(_refuse_one, "gyroscope" if "m/s" in header.names[1] else "accelerometer"))
    return None


def _part(export: Export, name: str) -> Found:
    """Return the recording that one sensor's file belongs to."""
    named = _PART.fullmatch(name)
    if named is None:
        return Found(APP, name, partial(_refuse_name, name))
    files = {
        other["sensor"]: other[0]
        for other in map(_PART.fullmatch, export.names)
        if other and (other["before"], other["stream"]) == (named["before"], named["stream"])
    }
    if not {"Acc", "Gyro"} <= set(files):
        return Found(APP, name, partial(_refuse_alone, named))
    return Found(APP, files["Acc"], partial(_read_apart, export, files["Acc"], files["Gyro"]))


def _refuse_one(what_is_missing: str) -> Array:
    raise missing(APP, what_is_missing, RECORD)


def _refuse_name(name: str) -> Array:
    raise missing(APP, f"sensor in its name ({name})", "keep the names that the converter gives, as …_MeasIMU6_Acc.csv")


def _refuse_alone(named: re.Match[str]) -> Array:
    for one, other, what in (("Acc", "Gyro", "gyroscope"), ("Gyro", "Acc", "accelerometer")):
        if named["sensor"] == one:
            raise missing(APP, what, f"put {named['before']}{named['stream']}{other}{named['after']} beside it")
    raise missing(APP, "accelerometer and no gyroscope", RECORD)


def _read_together(export: Export, name: str, header: Header) -> Array:
    rows = from_zero(read_columns(export, name, header, range(7)))
    rows[:, 0] *= TICK_S
    rows[:, 4:] *= ANGULAR_VELOCITY_UNITS["deg/s"]
    return rows


def _read_apart(export: Export, acceleration: str, angular_velocity: str) -> Array:
    turning = _stream(export, angular_velocity).scaled(ANGULAR_VELOCITY_UNITS["deg/s"])
    return from_zero(joined(_stream(export, acceleration), turning))


def _stream(export: Export, name: str) -> Stream:
    header = export.header(name)
    if header is None or header.names[:4] != _APART:
        raise missing(APP, f"sensor in {name}", "export it again")
    rows = read_columns(export, name, header, range(4))
    return Stream(name, rows[:, 0] * TICK_S, rows[:, 1:])
