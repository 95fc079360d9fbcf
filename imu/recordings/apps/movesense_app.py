"""Logs of Movesense sensors: JSON of the data logger and the showcase apps, CSV of the converter and a sample app.

JSON was looked at in: a logbook of the showcase app,
``{"Meas":{"IMU9":[{"ArrayAcc":[…],"ArrayGyro":[…],"Timestamp":158319},…]}}``
(github.com/tjrantal/movesenseJsonReader, ``data/MovesenseLog_2_625.json``); the output of the vendor's converter
``sbem2json`` for a data logger's file, ``{"Samples":[{"MeasAcc":{"Timestamp":…,"ArrayAcc":[…]}},…]}``, also with
``MeasIMU6`` for both sensors (github.com/sensein/movesense-py, ``tests/fixtures/multi_session/session_0.json`` and
ms_json2csv.py); the showcase app for iOS, ``{"acc":{"Timestamp":…,"ArrayAcc":[…]}}``
(github.com/mikkojeronen/MovesenseShowcase-iOS, CsvEncodingTests.swift). They differ in the objects around a packet, so
every object with ``Timestamp`` and samples is a packet, wherever it stands.

- ``Timestamp`` is that of the packet's first sample, ms, and starts again at 2³². The others follow evenly; their
  distance is taken from the next packet, or from the usual distance where one is missing.
- ``ArrayAcc`` is in m/s² with gravity, ``ArrayGyro`` in deg/s.

CSV follows the code of its two writers; none of their files was at hand. ms_json2csv.py in
github.com/sensein/movesense-py makes ``…_MeasIMU6_Acc.csv`` and ``…_MeasIMU6_Gyro.csv`` (or ``…_MeasAcc.csv`` and
``…_MeasGyro.csv``) with the header ``Timestamp_ms,X,Y,Z,RelativeTime,…``, which has more names than rows have cells.
ImuActivity.java of the Android sample app makes one file with
``Timestamp,AccX,AccY,AccZ,GyroX,GyroY,GyroZ,MagnX,MagnY,MagnZ``, where the last three may have no cells; its other
screens record one sensor, ``Timestamp (ms),X: (m/s^2),…``.

- Time is in ms, rounded; acceleration in m/s² with gravity, angular velocity in deg/s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial

import numpy as np

from imu.errors import RecordingDamaged, RecordingForeign
from imu.recordings.apps.export_files import AppRecording, Export, missing, read_columns
from imu.recordings.apps.time_axis import Stream, from_zero, joined, unwrapped
from imu.recordings.checks import ANGULAR_VELOCITY_UNITS
from imu.recordings.table_files import LARGEST, Header, one_sentence_errors
from imu.samples import Array

APP = "Movesense"

WRAPS_AT = 2.0**32
TICK_S = 1e-3
RECORD = "record IMU6 or IMU9, which have accelerometer and gyroscope together"

LATE = 1.5
"""A packet later than this many times the usual distance follows a missing one: its distance is not used."""

JSON_SHARE = 1 / 8
"""JSON may have this share of the largest size of a file: parsed, it takes five to ten times its size in memory."""

MARKS = ('"Samples"', '"Meas"', '"ArrayAcc"', '"ArrayGyro"', '"ArrayMagn"')
"""One of these stands in the first lines of a log."""


def find(export: Export, name: str) -> AppRecording | None:
    """Return the recording that a file belongs to; ``None`` if the file is not a Movesense log."""
    return _find_json(export, name) if name.lower().endswith((".json", ".json.gz")) else _find_csv(export, name)


# --- JSON ------------------------------------------------------------------------------------------------------------


def _find_json(export: Export, name: str) -> AppRecording | None:
    head = "\n".join(export.lines(name)).lstrip()
    if not head.startswith(("{", "[")) or not any(mark in head for mark in MARKS):
        return None
    return AppRecording(APP, name, partial(_read_json, export, name))


def _read_json(export: Export, name: str) -> Array:
    with one_sentence_errors(name), export.open(name, JSON_SHARE) as file:
        try:
            log = json.load(file)
        except RecursionError as error:
            raise RecordingForeign(f"{name} is not a Movesense log: it is nested too deeply") from error
    packets = list(_packets(log))
    acceleration = _packet_stream("ArrayAcc", packets)
    angular_velocity = _packet_stream("ArrayGyro", packets)
    if acceleration is None:
        what = "accelerometer and no gyroscope" if angular_velocity is None else "accelerometer"
        raise missing(APP, what, RECORD)
    if angular_velocity is None:
        raise missing(APP, "gyroscope", RECORD)
    return from_zero(joined(acceleration, angular_velocity.scaled(ANGULAR_VELOCITY_UNITS["deg/s"])))


def _packets(log: object) -> Iterator[dict[str, object]]:
    """Yield all packets of a log in their order."""
    waiting = [log]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "Timestamp" in item and ("ArrayAcc" in item or "ArrayGyro" in item):
                yield item
            else:
                waiting.extend(reversed(item.values()))
        elif isinstance(item, list):
            waiting.extend(reversed(item))


def _packet_stream(kind: str, packets: list[dict[str, object]]) -> Stream | None:
    """Return one sensor's samples with their times; ``None`` if there are none."""
    ticks: list[float] = []
    counts: list[int] = []
    values: list[list[float]] = []
    for packet in packets:
        samples = packet.get(kind)
        if isinstance(samples, list) and samples:
            ticks.append(_number(packet["Timestamp"]))
            counts.append(len(samples))
            values.extend(_vector(sample) for sample in samples)
    if not values:
        return None
    if len(ticks) < 2:
        raise RecordingDamaged(f"there is only one packet of {kind}: record it again")
    time_s = _spread(unwrapped(np.array(ticks), WRAPS_AT) * TICK_S, np.array(counts))
    return Stream(kind, time_s, np.array(values))


def _vector(sample: object) -> list[float]:
    """Return x, y and z of a sample, NaN where there is no number."""
    return [_number(sample.get(axis)) for axis in "xyz"] if isinstance(sample, dict) else [np.nan] * 3


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < LARGEST[0] else np.nan


def _spread(first_s: Array, counts: np.ndarray[tuple[int], np.dtype[np.int_]]) -> Array:
    """Return the time of each sample of packets that begin at `first_s`."""
    own_step_s = np.diff(first_s) / counts[:-1]
    usual_s = float(np.nanmedian(own_step_s)) if np.isfinite(own_step_s).any() else np.nan
    own_step_s = np.append(own_step_s, usual_s)
    step_s = np.where((own_step_s > 0) & (own_step_s < LATE * usual_s), own_step_s, usual_s)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(first_s, counts) + within * np.repeat(step_s, counts))


# --- CSV -------------------------------------------------------------------------------------------------------------

_TOGETHER = ("Timestamp", "AccX", "AccY", "AccZ", "GyroX", "GyroY", "GyroZ", "MagnX", "MagnY", "MagnZ")
_APART = ("Timestamp_ms", "X", "Y", "Z")
_ONE_SENSOR = re.compile(r"Timestamp \((ms|h:m:s)\)X: \((m/s\^2|degree per second)\)")
_PART = re.compile(
    r"(?P<before>.*_)(?P<stream>Meas(?:IMU6m?_|IMU9_)?)(?P<sensor>Acc|Gyro|Magn)(?P<after>\.csv(?:\.gz)?)"
)


def _find_csv(export: Export, name: str) -> AppRecording | None:
    header = export.header(name)
    if header is None:
        return None
    if header.names == _TOGETHER:
        return AppRecording(APP, name, partial(_read_together, export, name, header))
    if header.names[:4] == _APART:
        return _part(export, name)
    if _ONE_SENSOR.fullmatch("".join(header.names[:2])):
        return AppRecording(
            APP, name, partial(_refuse_one, "gyroscope" if "m/s" in header.names[1] else "accelerometer")
        )
    return None


def _part(export: Export, name: str) -> AppRecording:
    """Return the recording that one sensor's file belongs to."""
    named = _PART.fullmatch(name)
    if named is None:
        return AppRecording(APP, name, partial(_refuse_name, name))
    files = {
        other["sensor"]: other[0]
        for other in map(_PART.fullmatch, export.names)
        if other and (other["before"], other["stream"]) == (named["before"], named["stream"])
    }
    if not {"Acc", "Gyro"} <= set(files):
        return AppRecording(APP, name, partial(_refuse_alone, named))
    return AppRecording(APP, files["Acc"], partial(_read_apart, export, files["Acc"], files["Gyro"]))


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
    turning = _csv_stream(export, angular_velocity).scaled(ANGULAR_VELOCITY_UNITS["deg/s"])
    return from_zero(joined(_csv_stream(export, acceleration), turning))


def _csv_stream(export: Export, name: str) -> Stream:
    header = export.header(name)
    if header is None or header.names[:4] != _APART:
        raise missing(APP, f"sensor in {name}", "export it again")
    rows = read_columns(export, name, header, range(4))
    return Stream(name, rows[:, 0] * TICK_S, rows[:, 1:])
