"""Movesense logs in JSON: of the data logger (``sbem2json``) and of the showcase apps.

Looked at: a logbook of the showcase app,
``{"Meas":{"IMU9":[{"ArrayAcc":[…],"ArrayGyro":[…],"Timestamp":158319},…]}}``
(github.com/tjrantal/movesenseJsonReader, ``data/MovesenseLog_2_625.json``); what the vendor's converter makes of a
data logger's file, ``{"Samples":[{"MeasAcc":{"Timestamp":…,"ArrayAcc":[…]}},…]}``, also with ``MeasIMU6`` for both
sensors (github.com/sensein/movesense-py, ``tests/fixtures/multi_session/session_0.json`` and ms_json2csv.py); the
showcase app for iOS, ``{"acc":{"Timestamp":…,"ArrayAcc":[…]}}`` (github.com/mikkojeronen/MovesenseShowcase-iOS,
CsvEncodingTests.swift).

They differ in what stands around a packet; so whatever has ``Timestamp`` and samples is a packet, wherever it stands.

- ``Timestamp`` is that of the packet's first sample, ms, and starts again at 2³². The others follow evenly; how far
  apart they are is taken from the next packet, or where one is missing from the usual distance.
- ``ArrayAcc`` is in m/s² with gravity, ``ArrayGyro`` in deg/s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

import numpy as np

from imu.errors import RecordingDamaged, RecordingForeign
from imu.recordings.apps.export import Export
from imu.recordings.apps.found import Found, missing
from imu.recordings.apps.streams import Stream, from_zero, joined, unwrapped
from imu.recordings.tables import LARGEST, told_in_one_sentence
from imu.recordings.units import ANGULAR_VELOCITY_UNITS
from imu.samples import Array

APP = "Movesense"

WRAPS_AT = 2.0**32
TICK_S = 1e-3
RECORD = "record IMU6 or IMU9, which have accelerometer and gyroscope together"

LATE = 1.5
"""A next packet that comes after this many times the usual distance does not tell how far apart samples are."""

MARKS = ('"Samples"', '"Meas"', '"ArrayAcc"', '"ArrayGyro"', '"ArrayMagn"')
"""One of these stands in the first lines of a log."""


def find(export: Export, name: str) -> Found | None:
    """Return the recording in a file; ``None`` if the file is no Movesense log."""
    if not name.lower().endswith((".json", ".json.gz")):
        return None
    head = "\n".join(export.lines(name)).lstrip()
    if not head.startswith(("{", "[")) or not any(mark in head for mark in MARKS):
        return None
    return Found(APP, name, partial(_read, export, name))


def _read(export: Export, name: str) -> Array:
    with told_in_one_sentence(name), export.open(name) as file:
        try:
            log = json.load(file)
        except RecursionError as error:
            raise RecordingForeign(f"{name} is no Movesense log: it is nested too deeply") from error
    packets = list(_packets(log))
    acceleration = _stream("ArrayAcc", packets)
    angular_velocity = _stream("ArrayGyro", packets)
    if acceleration is None:
        what = "accelerometer and no gyroscope" if angular_velocity is None else "accelerometer"
        raise missing(APP, what, RECORD)
    if angular_velocity is None:
        raise missing(APP, "gyroscope", RECORD)
    return from_zero(joined(acceleration, angular_velocity.scaled(ANGULAR_VELOCITY_UNITS["deg/s"])))


def _packets(log: object) -> Iterator[dict[str, object]]:
    """Give all packets of a log in their order."""
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


def _stream(kind: str, packets: list[dict[str, object]]) -> Stream | None:
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
