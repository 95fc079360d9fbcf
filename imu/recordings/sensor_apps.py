"""Recordings of sensors: of the makers' apps (Movella DOT, MetaBase of MbientLab, Movesense) and in Motion-BIDS.

Each section names the files that its format was taken from.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from imu.errors import RecordingDamaged, RecordingForeign
from imu.recordings.app_exports import (
    AppRecording,
    Export,
    Stream,
    from_zero,
    joined,
    missing,
    quoted,
    read_columns,
    unwrapped,
)
from imu.recordings.checks import ACCELERATION_SPELLINGS, ANGULAR_VELOCITY_SPELLINGS, ANGULAR_VELOCITY_UNITS, Header
from imu.recordings.table_files import LARGEST, one_sentence_errors
from imu.samples import Array

COUNTER_WRAPS_AT = 2.0**32
"""Number of ticks at which the counters of Movella DOT and Movesense start again."""
MICROSECOND_S = 1e-6
MILLISECOND_S = 1e-3


def _refused(app: str, name: str, error: RecordingForeign) -> AppRecording:
    """Return a recording that cannot be read."""

    def read() -> Array:
        raise error

    return AppRecording(app, name, read)


def _half_of_pair(app: str, before: str, named: re.Match[str], pair: tuple[str, str]) -> RecordingForeign | None:
    """Return the error for the file of one of two sensors without the other's; ``None`` for that of a third one."""
    for one, other, what in ((*pair, "gyroscope"), (*pair[::-1], "accelerometer")):
        if named["sensor"].lower() == one.lower():
            return missing(app, what, f"put {before}{other}{named['after']} beside it")
    return None


# --- Movella DOT: one CSV file for each sensor ------------------------------------------------------------------------
#
# Files that the vendor's app wrote were looked at in github.com/Allwillcome/XsensDot2Mtw4OpenSense: recorded on the
# sensor (``bei_D4CA6EF17860_20210830_170505.csv``) and live (``Pelvis_20210820_202113_836.csv``).
#
# - Before the header stand lines such as ``sep=,``, ``DeviceTag:,bei`` and ``Measurement Mode:,…``, and an empty one.
# - ``SampleTimeFine`` counts µs and starts again at 2³², every 71.6 minutes.
# - ``Acc`` is in m/s² with gravity and ``Gyr`` in deg/s, by the vendor's manual; the header names no units, and the
#   two are checked against each other like those of every recording. ``FreeAcc`` is without gravity.
# - The first row of a recording made on the sensor holds zeros: rows of zeros at the start are left out.

MOVELLA_DOT = "Movella DOT"

MOVELLA_MODES = "record in a mode with acceleration and angular velocity, such as Rate Quantities or Custom Mode 5"

_MOVELLA_COLUMNS = ("SampleTimeFine", "Acc_X", "Acc_Y", "Acc_Z", "Gyr_X", "Gyr_Y", "Gyr_Z")


def find_movella_dot(export: Export, name: str) -> AppRecording | None:
    """Return the recording in a file; ``None`` if the file is of another app."""
    header = export.header(name, first="PacketCounter")
    if header is None or header.index("SampleTimeFine") is None:
        return None
    return AppRecording(MOVELLA_DOT, name, partial(_read_movella_dot, export, name, header))


def _read_movella_dot(export: Export, name: str, header: Header) -> Array:
    columns = [header.index(column) for column in _MOVELLA_COLUMNS]
    if None in columns[1:4]:
        what = "gravity (FreeAcc is without it)" if header.index("FreeAcc_X") is not None else "accelerometer"
        raise missing(MOVELLA_DOT, what, MOVELLA_MODES)
    if None in columns[4:]:
        raise missing(MOVELLA_DOT, "gyroscope", MOVELLA_MODES)
    rows = read_columns(export, name, header, [column for column in columns if column is not None])
    rows[:, 0] = unwrapped(rows[:, 0], COUNTER_WRAPS_AT)
    rows = from_zero(rows[np.argmax(rows[:, 1:4].any(axis=1)) :])
    rows[:, 0] *= MICROSECOND_S
    rows[:, 4:] *= ANGULAR_VELOCITY_UNITS["deg/s"]
    return rows


# --- MetaBase: a CSV file for each sensor, side by side ---------------------------------------------------------------
#
# Headers are those of the vendor's code (github.com/mbientlab/MetaBase-Hub, lib/sensor-config.js): ``epoch (ms),time
# (-13:00),elapsed (s),x-axis (g),…``, on iOS ``epoc (ms),timestamp (+0000),…``. Names and rows of files that the app
# wrote are quoted in public notebooks:
# ``lay1_MetaWear_2020-10-01T18.10.07.380_CEBAF1047CD2_Accelerometer_50.000Hz_1.5.0.csv`` and the same with
# ``Gyroscope``; ``1547473786995,2019-01-14T14:49:46.995,0.000,-0.290,0.887,-0.102``. No whole file was at hand.
#
# - The header names the units: g and deg/s. The accelerometer, linear acceleration (without gravity) and gravity
#   (nothing else) have the same header, so the sensor is recognised by the name of the file.
# - ``elapsed`` starts at each sensor's own first row, so the common time is the first column, ms since 1970.

METABASE = "MetaBase"

_METABASE_TIME = re.compile(r"epoch? ?\(ms\)", re.IGNORECASE)
_METABASE_AXIS = re.compile(r"x-axis \((.+)\)", re.IGNORECASE)
_METABASE_FILE = re.compile(
    r"(?P<before>.*)(?P<sensor>accelerometer|gyroscope|magnetometer|linear acceleration|gravity|quaternion"
    r"|euler angles?|pressure|temperature|humidity|ambient light|illuminance|color|proximity)(?P<after>.*\.csv)",
    re.IGNORECASE,
)


def find_metabase(export: Export, name: str) -> AppRecording | None:
    """Return the recording that a file belongs to; ``None`` if the file is of another app."""
    header = export.header(name)
    if header is None or not header.names or not _METABASE_TIME.fullmatch(header.names[0]):
        return None
    named = _METABASE_FILE.fullmatch(name)
    if named is None:
        sentence = f"{name} is MetaBase's, but its name names no sensor: keep the names that MetaBase gives"
        return _refused(METABASE, name, RecordingForeign(sentence))
    acceleration = _metabase_file(export, named, "accelerometer")
    angular_velocity = _metabase_file(export, named, "gyroscope")
    if acceleration is None or angular_velocity is None:
        rest = "gravity" if named["sensor"].lower() == "linear acceleration" else "accelerometer and no gyroscope"
        both = "record Accelerometer and Gyroscope in MetaBase, and put both files side by side"
        half = _half_of_pair(METABASE, named["before"], named, ("Accelerometer", "Gyroscope"))
        return _refused(METABASE, name, half or missing(METABASE, rest, both))
    read = partial(_read_metabase, export, acceleration, angular_velocity)
    return AppRecording(METABASE, acceleration, read, export.moment(name, header, 0, MILLISECOND_S))


def _metabase_file(export: Export, named: re.Match[str], sensor: str) -> str | None:
    """Return another sensor's file of the same recording: the same name, but for the sensor, its rate and version."""
    files = [
        (other["after"] != named["after"], other[0])
        for other in map(_METABASE_FILE.fullmatch, export.names)
        if other and other["before"] == named["before"] and other["sensor"].lower() == sensor
    ]
    return min(files)[1] if files else None


def _metabase_unit(header: Header) -> str | None:
    """Return the unit of the x axis as the header names it."""
    axes = map(_METABASE_AXIS.fullmatch, header.names)
    return next((matched[1].strip().lower() for matched in axes if matched), None)


def _read_metabase(export: Export, acceleration: str, angular_velocity: str) -> Array:
    ticks, values = _metabase_columns(export, acceleration, ACCELERATION_SPELLINGS)
    other_ticks, other_values = _metabase_columns(export, angular_velocity, ANGULAR_VELOCITY_SPELLINGS)
    start = np.nanmin(ticks) if np.isfinite(ticks).any() else 0.0
    return joined(
        Stream(acceleration, (ticks - start) * MILLISECOND_S, values),
        Stream(angular_velocity, (other_ticks - start) * MILLISECOND_S, other_values),
    )


def _metabase_columns(export: Export, name: str, units: dict[str, float]) -> tuple[Array, Array]:
    """Return the ticks, (n,), and the axes in SI units, (n, 3)."""
    header = export.header(name)
    unit = _metabase_unit(header) if header else None
    if header is None or unit not in units:
        raise RecordingForeign(f"{name} names no unit of its sensor in the header: export it again")
    first = next(column for column, text in enumerate(header.names) if _METABASE_AXIS.fullmatch(text))
    if len(header.names) < first + 3:
        raise RecordingForeign(f"{name} lacks the y or the z axis: export it again")
    rows = read_columns(export, name, header, [0, first, first + 1, first + 2])
    return rows[:, 0], rows[:, 1:] * units[unit]


# --- Movesense: JSON of the data logger and the showcase apps, CSV of the converter and a sample app ------------------
#
# JSON was looked at in: a logbook of the showcase app,
# ``{"Meas":{"IMU9":[{"ArrayAcc":[…],"ArrayGyro":[…],"Timestamp":158319},…]}}``
# (github.com/tjrantal/movesenseJsonReader, ``data/MovesenseLog_2_625.json``); the output of the vendor's converter
# ``sbem2json`` for a data logger's file, ``{"Samples":[{"MeasAcc":{"Timestamp":…,"ArrayAcc":[…]}},…]}``, also with
# ``MeasIMU6`` for both sensors (github.com/sensein/movesense-py, ``tests/fixtures/multi_session/session_0.json`` and
# ms_json2csv.py); the showcase app for iOS, ``{"acc":{"Timestamp":…,"ArrayAcc":[…]}}``
# (github.com/mikkojeronen/MovesenseShowcase-iOS, CsvEncodingTests.swift). They differ in the objects around a packet,
# so every object with ``Timestamp`` and samples is a packet, wherever it stands.
#
# - ``Timestamp`` is that of the packet's first sample, ms, and starts again at 2³². The others follow evenly; their
#   distance is taken from the next packet, or from the usual distance where one is missing.
# - ``ArrayAcc`` is in m/s² with gravity, ``ArrayGyro`` in deg/s.
#
# CSV follows the code of its two writers; none of their files was at hand. ms_json2csv.py in
# github.com/sensein/movesense-py makes ``…_MeasIMU6_Acc.csv`` and ``…_MeasIMU6_Gyro.csv`` (or ``…_MeasAcc.csv`` and
# ``…_MeasGyro.csv``) with the header ``Timestamp_ms,X,Y,Z,RelativeTime,…``, which has more names than rows have cells.
# ImuActivity.java of the Android sample app makes one file with
# ``Timestamp,AccX,AccY,AccZ,GyroX,GyroY,GyroZ,MagnX,MagnY,MagnZ``, where the last three may have no cells; its other
# screens record one sensor, ``Timestamp (ms),X: (m/s^2),…``.
#
# - Time is in ms, rounded; acceleration in m/s² with gravity, angular velocity in deg/s.

MOVESENSE = "Movesense"

MOVESENSE_MODES = "record IMU6 or IMU9, which have accelerometer and gyroscope together"

LATE_PACKET = 1.5
"""A packet later than this many times the usual distance follows a missing one: its distance is not used."""

JSON_SHARE = 1 / 8
"""JSON may have this share of the largest size of a file: parsed, it takes five to ten times its size in memory."""

MOVESENSE_MARKS = ('"Samples"', '"Meas"', '"ArrayAcc"', '"ArrayGyro"', '"ArrayMagn"')
"""One of these stands in the first lines of a log."""


def find_movesense(export: Export, name: str) -> AppRecording | None:
    """Return the recording that a file belongs to; ``None`` if the file is not a Movesense log."""
    return (
        _find_movesense_json(export, name)
        if name.lower().endswith((".json", ".json.gz"))
        else _find_movesense_csv(export, name)
    )


def _find_movesense_json(export: Export, name: str) -> AppRecording | None:
    head = "\n".join(export.lines(name)).lstrip()
    if not head.startswith(("{", "[")) or not any(mark in head for mark in MOVESENSE_MARKS):
        return None
    return AppRecording(MOVESENSE, name, partial(_read_movesense_json, export, name))


def _read_movesense_json(export: Export, name: str) -> Array:
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
        raise missing(MOVESENSE, what, MOVESENSE_MODES)
    if angular_velocity is None:
        raise missing(MOVESENSE, "gyroscope", MOVESENSE_MODES)
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
    time_s = _spread(unwrapped(np.array(ticks), COUNTER_WRAPS_AT) * MILLISECOND_S, np.array(counts))
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
    step_s = np.where((own_step_s > 0) & (own_step_s < LATE_PACKET * usual_s), own_step_s, usual_s)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(first_s, counts) + within * np.repeat(step_s, counts))


_MOVESENSE_TOGETHER = ("Timestamp", "AccX", "AccY", "AccZ", "GyroX", "GyroY", "GyroZ", "MagnX", "MagnY", "MagnZ")
_MOVESENSE_APART = ("Timestamp_ms", "X", "Y", "Z")
_MOVESENSE_ONE_SENSOR = re.compile(r"Timestamp \((ms|h:m:s)\)X: \((m/s\^2|degree per second)\)")
_MOVESENSE_PART = re.compile(
    r"(?P<before>.*_)(?P<stream>Meas(?:IMU6m?_|IMU9_)?)(?P<sensor>Acc|Gyro|Magn)(?P<after>\.csv(?:\.gz)?)"
)


def _find_movesense_csv(export: Export, name: str) -> AppRecording | None:
    header = export.header(name)
    if header is None:
        return None
    if header.names == _MOVESENSE_TOGETHER:
        return AppRecording(MOVESENSE, name, partial(_read_movesense_together, export, name, header))
    if header.names[:4] == _MOVESENSE_APART:
        return _movesense_part(export, name)
    if _MOVESENSE_ONE_SENSOR.fullmatch("".join(header.names[:2])):
        other = "gyroscope" if "m/s" in header.names[1] else "accelerometer"
        return _refused(MOVESENSE, name, missing(MOVESENSE, other, MOVESENSE_MODES))
    return None


def _movesense_part(export: Export, name: str) -> AppRecording:
    """Return the recording that one sensor's file belongs to."""
    named = _MOVESENSE_PART.fullmatch(name)
    if named is None:
        kept = "keep the names that the converter gives, as …_MeasIMU6_Acc.csv"
        return _refused(MOVESENSE, name, missing(MOVESENSE, f"sensor in its name ({name})", kept))
    files = {
        other["sensor"]: other[0]
        for other in map(_MOVESENSE_PART.fullmatch, export.names)
        if other and (other["before"], other["stream"]) == (named["before"], named["stream"])
    }
    if not {"Acc", "Gyro"} <= set(files):
        half = _half_of_pair(MOVESENSE, named["before"] + named["stream"], named, ("Acc", "Gyro"))
        rest = missing(MOVESENSE, "accelerometer and no gyroscope", MOVESENSE_MODES)
        return _refused(MOVESENSE, name, half or rest)
    return AppRecording(MOVESENSE, files["Acc"], partial(_read_movesense_apart, export, files["Acc"], files["Gyro"]))


def _read_movesense_together(export: Export, name: str, header: Header) -> Array:
    rows = from_zero(read_columns(export, name, header, range(7)))
    rows[:, 0] *= MILLISECOND_S
    rows[:, 4:] *= ANGULAR_VELOCITY_UNITS["deg/s"]
    return rows


def _read_movesense_apart(export: Export, acceleration: str, angular_velocity: str) -> Array:
    turning = _movesense_csv_stream(export, angular_velocity).scaled(ANGULAR_VELOCITY_UNITS["deg/s"])
    return from_zero(joined(_movesense_csv_stream(export, acceleration), turning))


def _movesense_csv_stream(export: Export, name: str) -> Stream:
    header = export.header(name)
    if header is None or header.names[:4] != _MOVESENSE_APART:
        raise missing(MOVESENSE, f"sensor in {name}", "export it again")
    rows = read_columns(export, name, header, range(4))
    return Stream(name, rows[:, 0] * MILLISECOND_S, rows[:, 1:])


# --- Motion-BIDS: a table without a header, and two files that describe it --------------------------------------------
#
# ``*_motion.tsv`` is described by ``*_channels.tsv`` and ``*_motion.json`` beside it. The specification:
# https://bids-specification.readthedocs.io/en/stable/modality-specific-files/motion.html
# (github.com/bids-standard/bids-specification, src/modality-specific-files/motion.md; Jeung et al. 2024, doi
# 10.1038/s41597-024-03559-8). Looked at: the channels of ``motion_spotrotation`` in
# github.com/bids-standard/bids-examples, which has optical systems only; no data of an inertial one was at hand.
#
# - Channels of the type ACCEL and GYRO with the components x, y and z and one ``tracked_point`` make a sensor; its
#   units stand in ``units``. The data of Kiel (github.com/neurogeriatricskiel) have ACC and ANGVEL instead, and a
#   header.
# - Rows come at ``SamplingFrequencyEffective`` or ``SamplingFrequency``, or at the times of a LATENCY channel.
# - Of several sensors the one at the hip is used, if there is exactly one; the others are ignored.
# - Sidecars in the folders above, which the inheritance principle of BIDS allows, are not looked for.

MOTION_BIDS = "Motion-BIDS"

SIDECAR_BYTES = 4 * 2**20
"""Sidecars are a few KB long; no more than this is read."""

HIP = re.compile(r"hip|pelvis|pelvic|lumbar|low(er)?[ _-]?back|sacr|waist|belt|trunk", re.IGNORECASE)
"""Names of tracked points near the hip."""

_MOTION_FILE = re.compile(r"(?P<before>.*_)motion\.tsv(\.gz)?", re.IGNORECASE)
_CHANNEL_TYPES = {"ACCEL": "acc", "ACC": "acc", "GYRO": "gyr", "ANGVEL": "gyr"}

Channel = Mapping[str, str]
Channels = dict[str, tuple[int, str]]  # "acc x" -> number and unit of its column


def find_motion_bids(export: Export, name: str) -> AppRecording | None:
    """Return the recording in a file; ``None`` if its name is another (it has no header to look at)."""
    named = _MOTION_FILE.fullmatch(name)
    return AppRecording(MOTION_BIDS, name, partial(_read_motion_bids, export, name, named["before"])) if named else None


def _read_motion_bids(export: Export, name: str, before: str) -> Array:
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


def _sensor_at_the_hip(channels: list[Channel]) -> Channels:
    """Return the columns of the only sensor, or of the one at the hip.

    Raises
    ------
    RecordingForeign
        If there is no sensor, or several without exactly one at the hip.
    """
    points: dict[str, Channels] = {}
    for number, channel in enumerate(channels):
        kind, axis = _CHANNEL_TYPES.get(channel.get("type", "").upper()), channel.get("component", "").lower()
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
