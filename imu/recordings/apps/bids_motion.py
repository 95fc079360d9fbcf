"""Motion-BIDS: ``*_motion.tsv`` without a header, described by ``*_channels.tsv`` and ``*_motion.json`` beside it.

The specification: https://bids-specification.readthedocs.io/en/stable/modality-specific-files/motion.html
(github.com/bids-standard/bids-specification, src/modality-specific-files/motion.md; Jeung et al. 2024, doi
10.1038/s41597-024-03559-8). Looked at: the channels of ``motion_spotrotation`` in
github.com/bids-standard/bids-examples, which has optical systems only; no data of an inertial one was at hand.

- Channels of the type ACCEL and GYRO with the components x, y and z and one ``tracked_point`` make a sensor; its
  units stand in ``units``. The data of Kiel (github.com/neurogeriatricskiel) have ACC and ANGVEL instead, and a
  header.
- Rows come at ``SamplingFrequencyEffective`` or ``SamplingFrequency``, or at the times of a LATENCY channel.
- Of several sensors the one at the hip is used, if there is exactly one; the others are ignored.
- Sidecars in the folders above, which the inheritance principle of BIDS allows, are not looked for.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from functools import partial

import numpy as np

from imu.errors import RecordingForeign
from imu.recordings.apps.export_files import AppRecording, Export, quoted, read_columns
from imu.recordings.checks import ACCELERATION_SPELLINGS, ANGULAR_VELOCITY_SPELLINGS
from imu.recordings.table_files import Header, one_sentence_errors
from imu.samples import Array

APP = "Motion-BIDS"

SIDECAR_BYTES = 4 * 2**20
"""Sidecars are a few KB long; no more than this is read."""

HIP = re.compile(r"hip|pelvis|pelvic|lumbar|low(er)?[ _-]?back|sacr|waist|belt|trunk", re.IGNORECASE)
"""Names of tracked points near the hip."""

_MOTION = re.compile(r"(?P<before>.*_)motion\.tsv(\.gz)?", re.IGNORECASE)
_TYPES = {"ACCEL": "acc", "ACC": "acc", "GYRO": "gyr", "ANGVEL": "gyr"}

Channel = Mapping[str, str]
Sensor = dict[str, tuple[int, str]]  # "acc x" -> number and unit of its column


def find(export: Export, name: str) -> AppRecording | None:
    """Return the recording in a file; ``None`` if its name is another (it has no header to look at)."""
    named = _MOTION.fullmatch(name)
    return AppRecording(APP, name, partial(_read, export, name, named["before"])) if named else None


def _read(export: Export, name: str, before: str) -> Array:
    channels = _channels(export, f"{before}channels.tsv")
    sensor = _sensor_at_the_hip(channels)
    columns = [sensor[f"{kind} {axis}"] for kind in ("acc", "gyr") for axis in "xyz"]
    latency = next((number for number, channel in enumerate(channels) if channel.get("type") == "LATENCY"), None)
    wanted = [column for column, _ in columns] + ([] if latency is None else [latency])

    lines = export.lines(name)
    names = [channel.get("name", "") for channel in channels]
    has_header = bool(lines) and lines[0].split("\t") == names
    header = Header(tuple(names), "\t", ".", 0 if has_header else -1)
    values = read_columns(export, name, header, wanted)
    if latency is None:
        time_s = np.arange(len(values)) / _sampling_rate_hz(export, f"{before}motion.json", channels)
    else:
        time_s = values[:, 6]
    return np.column_stack((time_s, values[:, :6] * [_factor(text, unit) for text, unit in _units(columns)]))


def _units(columns: list[tuple[int, str]]) -> list[tuple[str, str]]:
    """Return the quantity and the unit of each of the six columns."""
    return [("acceleration" if place < 3 else "angular velocity", unit) for place, (_, unit) in enumerate(columns)]


def _factor(quantity: str, unit: str) -> float:
    spellings = ACCELERATION_SPELLINGS if quantity == "acceleration" else ANGULAR_VELOCITY_SPELLINGS
    if unit.strip().lower() not in spellings:
        raise RecordingForeign(
            f"its channels give {quantity} in {quoted(unit)!r}: write m/s^2 or g, and rad/s or deg/s, as its units"
        )
    return spellings[unit.strip().lower()]


def _sidecar(export: Export, name: str) -> str:
    """Return the text of a file that describes the recording."""
    sidecar = export.named(name)
    if sidecar is None:
        raise RecordingForeign(f"there is no {name} beside it, which describes its columns: put it there")
    with one_sentence_errors(sidecar), export.open(sidecar) as file:
        return file.read(SIDECAR_BYTES).decode("utf-8-sig", errors="replace")


def _channels(export: Export, name: str) -> list[Channel]:
    """Return the description of each column, in their order."""
    rows = csv.DictReader(io.StringIO(_sidecar(export, name)), delimiter="\t")
    try:
        return [{key: value.strip() for key, value in row.items() if key and isinstance(value, str)} for row in rows]
    except csv.Error as error:
        raise RecordingForeign(f"{name} is not a table with tabs between its columns ({error})") from error


def _sensor_at_the_hip(channels: list[Channel]) -> Sensor:
    """Return the columns of the only sensor, or of the one at the hip.

    Raises
    ------
    RecordingForeign
        If there is no sensor, or several without exactly one at the hip.
    """
    points: dict[str, Sensor] = {}
    for number, channel in enumerate(channels):
        kind, axis = _TYPES.get(channel.get("type", "").upper()), channel.get("component", "").lower()
        if kind and axis in ("x", "y", "z"):
            points.setdefault(channel.get("tracked_point", ""), {})[f"{kind} {axis}"] = (
                number,
                channel.get("units", ""),
            )
    whole = {point: sensor for point, sensor in points.items() if len(sensor) == 6}
    if not whole:
        types = sorted({channel.get("type", "") for channel in channels} - {""})
        raise RecordingForeign(
            "no tracked point has both ACCEL and GYRO channels with the components x, y and z "
            f"(there are {quoted(*types) or 'none'}): record accelerometer and gyroscope"
        )
    if len(whole) == 1:
        return next(iter(whole.values()))
    at_hip = [point for point in whole if HIP.search(point)]
    if len(at_hip) != 1:
        raise RecordingForeign(
            f"there are {len(whole)} tracked points ({quoted(*whole)}), and "
            f"{'none' if not at_hip else 'more than one'} looks like the hip: keep the channels of one in its files"
        )
    return whole[at_hip[0]]


def _sampling_rate_hz(export: Export, name: str, channels: list[Channel]) -> float:
    """Return the sampling rate from the sidecar, or, as in older data sets, from the channels."""
    rates: list[object] = [channel.get("sampling_frequency") for channel in channels[:1]]
    if export.named(name) or not rates or not rates[0]:
        try:
            sidecar = json.loads(_sidecar(export, name))
        except (ValueError, RecursionError) as error:
            raise RecordingForeign(f"{name} is not JSON that can be read: write it again") from error
        if isinstance(sidecar, dict):
            rates = [sidecar.get("SamplingFrequencyEffective"), sidecar.get("SamplingFrequency"), *rates]
    for value in rates:
        try:
            rate_hz = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            continue  # "n/a", or not there
        if 0 < rate_hz < np.inf:
            return rate_hz
    raise RecordingForeign(f"{name} has no SamplingFrequency in Hz: add it")
