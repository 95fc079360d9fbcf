"""Recordings of other apps as these apps write them, all from one simulated training; for the tests."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from imu.recordings.checks import COLUMNS
from imu.report.replay import Replayed, ReplayOptions, replay
from imu.samples import STANDARD_GRAVITY_M_S2, ImuBlock
from imu.session import SessionSummary
from imu.virtual.person import Exercise, Lifter, Rest, Sensor, simulate

Files = dict[str, bytes]

PLAN = (Rest(3), Exercise("air_squat", 5), Rest(14), Exercise("romanian_deadlift", 4), Rest(3))
EPOCH_MS = 1_700_000_000_000
G, DEGREE = STANDARD_GRAVITY_M_S2, np.pi / 180


def made_once(build: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what a builder makes of the same arguments; each call returns a copy, which a test may change."""
    kept = cache(build)
    return wraps(build)(lambda *given, **named: copy(kept(*given, **named)))


@cache
def simulated(rate_hz: float = 100.0) -> ImuBlock:
    """The training as a sensor at this rate sees it; the same movement at every rate."""
    return simulate(PLAN, Lifter(), Sensor(place="back", sampling_rate_hz=rate_hz), 11).block


@dataclass(frozen=True)
class Signal:
    """The readings of one sensor: s, and m/s² or rad/s."""

    time_s: np.ndarray
    values: np.ndarray

    def __getitem__(self, rows: slice) -> Signal:
        return Signal(self.time_s[rows], self.values[rows])


def acceleration(rate_hz: float = 100.0) -> Signal:
    block = simulated(rate_hz)
    return Signal(block.device_time_s, block.acceleration_m_s2)


def turning(rate_hz: float = 100.0) -> Signal:
    block = simulated(rate_hz)
    return Signal(block.device_time_s, block.angular_velocity_rad_s)


def table(header: str, rows: list[str], newline: str = "\n") -> bytes:
    return newline.join([header, *rows, ""]).encode()


def in_folder(folder: Path, files: Files) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def in_zip(path: Path, files: Files, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(prefix + name, data)
    return path


# --- the formats, as their apps write them ---------------------------------------------------------------------------


@made_once
def plain_csv(rate_hz: float = 100.0) -> bytes:
    block = simulated(rate_hz)
    rows = np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))
    return pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(index=False).encode()


def sensor_logger_csv(signal: Signal, *, elapsed: bool = True) -> bytes:
    """One sensor: ns since 1970, seconds since the start, and the axes backwards."""
    start_ns = EPOCH_MS * 1_000_000
    ticks = (start_ns + np.round(signal.time_s * 1e9).astype(np.int64)).tolist()
    axes = signal.values[:, ::-1].tolist()
    if not elapsed:
        return table("time,z,y,x", [f"{t},{z!r},{y!r},{x!r}" for t, (z, y, x) in zip(ticks, axes, strict=True)])
    rows = zip(ticks, signal.time_s.tolist(), axes, strict=True)
    return table("time,seconds_elapsed,z,y,x", [f"{t},{s!r},{z!r},{y!r},{x!r}" for t, s, (z, y, x) in rows])


def sensor_logger_metadata(platform: str, *, standardised: bool | None = None) -> bytes:
    names, cells = (
        "version,device name,recording time,platform,appVersion",
        f"3,phone,2024-01-01_10-00-00,{platform},1.28",
    )
    if standardised is not None:
        names, cells = f"{names},standardisation", f"{cells},{str(standardised).lower()}"
    return f"{names}\n{cells}".encode()


def gravity_of(signal: Signal) -> np.ndarray:
    """A share of acceleration that changes slowly, as the phone tells it apart."""
    smear = np.ones(201) / 201
    padded = np.pad(signal.values, ((100, 100), (0, 0)), mode="edge")
    return np.column_stack([np.convolve(axis, smear, mode="valid") for axis in padded.T])


@made_once
def sensor_logger_android() -> Files:
    acc = acceleration()
    return {
        "TotalAcceleration.csv": sensor_logger_csv(acc),
        "Accelerometer.csv": sensor_logger_csv(Signal(acc.time_s, acc.values - gravity_of(acc))),
        "Gyroscope.csv": sensor_logger_csv(turning(200.0)),
        "Magnetometer.csv": sensor_logger_csv(Signal(acc.time_s, acc.values * 4)),
        "Location.csv": b"time,seconds_elapsed,speed,longitude,latitude\n1,0.1,1.2,13.4,52.5\n",
        "Metadata.csv": sensor_logger_metadata("android"),
    }


@made_once
def sensor_logger_ios(*, standardised: bool = False) -> Files:
    acc, sign = acceleration(), 1.0 if standardised else -1.0
    gravity = gravity_of(acc)
    return {
        "Accelerometer.csv": sensor_logger_csv(Signal(acc.time_s, sign * (acc.values - gravity))),
        "Gravity.csv": sensor_logger_csv(Signal(acc.time_s, sign * gravity)),
        "Gyroscope.csv": sensor_logger_csv(turning()),
        "Metadata.csv": sensor_logger_metadata("ios", standardised=standardised or None),
    }


@made_once
def sensor_logger_uncalibrated(*, metadata: bool) -> Files:
    """The export of an iPhone with only the raw sensors switched on: g, and the other sign."""
    acc = acceleration()
    files = {
        "AccelerometerUncalibrated.csv": sensor_logger_csv(Signal(acc.time_s, -acc.values / G)),
        "GyroscopeUncalibrated.csv": sensor_logger_csv(turning()),
    }
    return files | ({"Metadata.csv": sensor_logger_metadata("iOS")} if metadata else {})


def number(value: float, decimal: str = ".") -> str:
    """A number as phyphox writes it: 1.234567890E-1."""
    mantissa, exponent = f"{value:.9E}".split("E")
    return f"{mantissa}E{int(exponent)}".replace(".", decimal)


def phyphox_csv(header: list[str], columns: list[np.ndarray], separator: str = ",", decimal: str = ".") -> bytes:
    longest = max(map(len, columns))
    cells = [[number(value, decimal) for value in column] + ["NaN"] * (longest - len(column)) for column in columns]
    quoted = separator.join(f'"{name}"' for name in header)
    return table(quoted, [separator.join(row) for row in zip(*cells, strict=True)])


ACCELERATION_NAMES = [f"Acceleration {axis} (m/s^2)" for axis in "xyz"]
GYROSCOPE_NAMES = [f"Gyroscope {axis} (rad/s)" for axis in "xyz"]


@made_once
def phyphox(separator: str = ",", decimal: str = ".", *, ios: bool = False) -> Files:
    acc, gyr = acceleration(), turning(200.0)
    acc_names = [f"{axis} (m/s^2)" for axis in "XYZ"] if ios else ACCELERATION_NAMES
    gyr_names = [f"{axis} (rad/s)" for axis in "XYZ"] if ios else GYROSCOPE_NAMES
    return {
        "Accelerometer.csv": phyphox_csv(["Time (s)", *acc_names], [acc.time_s, *acc.values.T], separator, decimal),
        "Gyroscope.csv": phyphox_csv(["Time (s)", *gyr_names], [gyr.time_s, *gyr.values.T], separator, decimal),
        "Linear Acceleration.csv": phyphox_csv(
            ["Time (s)", *(f"Linear Acceleration {axis} (m/s^2)" for axis in "xyz")],
            [acc.time_s, *(acc.values - gravity_of(acc)).T],
            separator,
            decimal,
        ),
        "meta/device.csv": f'"property"{separator}"value"\n"version"{separator}"1.1.16"\n'.encode(),
        "meta/time.csv": f'"event"{separator}"experiment time"\n"START"{separator}0.000000000E0\n'.encode(),
    }


@made_once
def phyphox_in_one_file() -> bytes:
    """An experiment with both sensors in one table, its last column shorter."""
    acc, gyr = acceleration(), turning()
    header = ["Time (s)", *ACCELERATION_NAMES, "Absolute acceleration (m/s^2)", *GYROSCOPE_NAMES]
    size = np.linalg.norm(acc.values, axis=1)
    return phyphox_csv(header, [acc.time_s, *acc.values.T, size, *(axis[:-3] for axis in gyr.values.T)], "\t")


@made_once
def movella_dot(*, names: str = "Acc_X,Acc_Y,Acc_Z,Gyr_X,Gyr_Y,Gyr_Z", gyroscope_unit: float = DEGREE) -> bytes:
    """A recording made on the sensor: µs that start again at 2³², and a first row of zeros."""
    block = simulated()
    start = 2**32 - 20_000_000
    ticks = (start + np.round(block.device_time_s * 1e6).astype(np.int64)) % 2**32
    values = np.column_stack((block.acceleration_m_s2, block.angular_velocity_rad_s / gyroscope_unit))
    values[0] = 0
    count = names.count(",") + 1
    rows = [
        f"{i},{t},179.98,-0.25,-136.18,{','.join(f'{v:.14f}' for v in row[:count])}"
        for i, (t, row) in enumerate(zip(ticks.tolist(), values, strict=True))
    ]
    head = [
        "sep=,",
        "DeviceTag:,bei",
        "FirmwareVersion:,1.6.0",
        "AppVersion:,2021.0",
        "StartTime: ,2021-08-30_17:05:05_000 GMT+8",
        "© Xsens Technologies B. V. 2005-2021",
        "",
    ]
    return table("\n".join([*head, f"PacketCounter,SampleTimeFine,Euler_X,Euler_Y,Euler_Z,{names}"]), rows)


METABASE = "squats_MetaWear_2019-01-14T14.22.49.165_C42732BE255C_{sensor}_{rate:.3f}Hz_1.4.4.csv"


def metabase_csv(signal: Signal, unit: str, scale: float, root: str = "epoch (ms),time (01:00)") -> bytes:
    ticks = np.round(EPOCH_MS + signal.time_s * 1000).astype(np.int64)
    rows = [
        f"{t},2019-01-14T14:49:46.995,{(t - ticks[0]) / 1000:.3f},{x:.3f},{y:.3f},{z:.3f}"
        for t, (x, y, z) in zip(ticks, signal.values / scale, strict=True)
    ]
    return table(f"{root},elapsed (s),x-axis ({unit}),y-axis ({unit}),z-axis ({unit})", rows)


@made_once
def metabase(root: str = "epoch (ms),time (01:00)") -> Files:
    """The gyroscope started 1.5 s later and runs at half the rate."""
    return {
        METABASE.format(sensor="Accelerometer", rate=100): metabase_csv(acceleration(), "g", G, root),
        METABASE.format(sensor="Gyroscope", rate=50): metabase_csv(turning(50.0)[75:], "deg/s", DEGREE, root),
        METABASE.format(sensor="Magnetometer", rate=25): metabase_csv(acceleration()[::4], "T", 1e6, root),
    }


def movesense_packets(signal: Signal, kind: str, scale: float, count: int = 8) -> list[dict[str, object]]:
    vectors = [{"x": x, "y": y, "z": z} for x, y, z in (signal.values / scale).tolist()]
    starts = range(0, len(vectors) - count, count)
    return [
        {"Timestamp": round(158_319 + signal.time_s[start] * 1000) % 2**32, kind: vectors[start : start + count]}
        for start in starts
    ]


def movesense_logger() -> object:
    """Of the data logger, with its sensors apart and at two rates."""
    acc = movesense_packets(acceleration(), "ArrayAcc", 1.0)
    gyr = movesense_packets(turning(200.0), "ArrayGyro", DEGREE)
    samples: list[dict[str, object]] = [{"TimeDetailed": {"relativeTime": 122000, "utcTime": 1712240400000000}}]
    samples += [{"MeasAcc": packet} for packet in acc] + [{"MeasGyro": packet} for packet in gyr]
    return {"Samples": [*samples, {"MeasHR": {"Timestamp": 0, "average": 62.0, "rrData": [968]}}]}


def movesense_showcase() -> object:
    acc = movesense_packets(acceleration(), "ArrayAcc", 1.0)
    gyr = movesense_packets(turning(), "ArrayGyro", DEGREE)
    return {"Meas": {"IMU9": [one | other for one, other in zip(acc, gyr, strict=True)]}}


def movesense_events() -> object:
    """Of the showcase app for iOS, one event after another."""
    acc = movesense_packets(acceleration(), "ArrayAcc", 1.0)
    gyr = movesense_packets(turning(), "ArrayGyro", DEGREE)
    return [event for one, other in zip(acc, gyr, strict=True) for event in ({"acc": one}, {"gyroscope": other})]


@made_once
def movesense_converted() -> Files:
    """Of the vendor's converter: more names in the header than cells in a row."""
    header = "Timestamp_ms,X,Y,Z,RelativeTime,122.0,UTC,2024-04-04 14:20:00.000"
    return {
        f"log_5_MeasIMU6_{sensor}.csv": table(
            header,
            [
                f"{round(158_319 + t * 1000)},{x:.6f},{y:.6f},{z:.6f}"
                for t, (x, y, z) in zip(signal.time_s, signal.values / scale, strict=True)
            ],
            "\r\n",
        )
        for sensor, signal, scale in (("Acc", acceleration(), 1.0), ("Gyro", turning(), DEGREE))
    }


@made_once
def movesense_sample_app() -> bytes:
    block = simulated()
    values = np.column_stack((block.acceleration_m_s2, block.angular_velocity_rad_s / DEGREE))
    rows = [
        f"{round(9_000 + t * 1000)},{','.join(f'{v:.6f}' for v in row)}"
        for t, row in zip(block.device_time_s, values, strict=True)
    ]
    return table("Timestamp,AccX,AccY,AccZ,GyroX,GyroY,GyroZ,MagnX,MagnY,MagnZ", rows)


BIDS = "sub-01_task-training_tracksys-imu"


@made_once
def bids(
    points: tuple[str, ...] = ("Pelvis",), *, header: bool = False, latency: bool = False, packed: bool = False
) -> Files:
    """The wanted point comes last; the others hold its signal turned upside down."""
    block = simulated()
    names, columns, channels = [], [], ["name\tcomponent\ttype\ttracked_point\tunits"]
    for point in points:
        sign = 1.0 if point == points[-1] else -1.0
        for kind, unit, values in (
            ("ACCEL", "g", block.acceleration_m_s2 / G),
            ("GYRO", "deg/s", block.angular_velocity_rad_s / DEGREE),
            ("MAGN", "T", block.acceleration_m_s2 * 1e-6),
        ):
            for axis, value in zip("xyz", values.T, strict=True):
                names.append(f"{point}_{kind}_{axis}")
                channels.append(f"{names[-1]}\t{axis}\t{kind}\t{point}\t{unit}")
                columns.append(sign * value)
    if latency:
        names.append("latency")
        channels.append("latency\tn/a\tLATENCY\tn/a\ts")
        columns.append(block.device_time_s)
    rows = ["\t".join(repr(float(value)) for value in row) for row in np.column_stack(columns)]
    motion = "\n".join((["\t".join(names)] if header else []) + rows) + "\n"
    sidecar = {"SamplingFrequency": 99 if latency else 100, "SamplingFrequencyEffective": "n/a", "TaskName": "training"}
    return {
        f"{BIDS}_motion.tsv{'.gz' if packed else ''}": gzip.compress(motion.encode()) if packed else motion.encode(),
        f"{BIDS}_channels.tsv": ("\n".join(channels) + "\n").encode(),
        f"{BIDS}_motion.json": json.dumps(sidecar).encode(),
    }


# --- files, and what they replay to ---


def saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def as_json(log: object) -> bytes:
    return json.dumps(log).encode()


def counted(path: Path) -> list[tuple[str, list[str]]]:
    """Sets and their repetitions, by pattern."""
    return [(s.pattern.value, [r.pattern.value for r in s.repetitions]) for s in summary_of(path).sets]


def summary_of(path: Path) -> SessionSummary:
    result = replay(str(path), ReplayOptions())
    assert isinstance(result, Replayed), result
    return result.summary


EXPORTS: dict[str, Callable[[Path], Path]] = {
    "Sensor Logger, Android, zip": lambda folder: in_zip(folder / "2024-01-01.zip", sensor_logger_android()),
    "Sensor Logger, Android, folder": lambda folder: in_folder(folder / "2024-01-01", sensor_logger_android()),
    "Sensor Logger, zip of the folder": lambda folder: in_zip(folder / "a.zip", sensor_logger_android(), "2024-01-01/"),
    "Sensor Logger, one of its files": lambda folder: in_folder(folder, sensor_logger_android()) / "Gyroscope.csv",
    "Sensor Logger, iOS": lambda folder: in_folder(folder / "r", sensor_logger_ios()),
    "Sensor Logger, iOS, standardised": lambda folder: in_zip(folder / "r.zip", sensor_logger_ios(standardised=True)),
    "Sensor Logger, raw": lambda folder: in_folder(folder / "r", sensor_logger_uncalibrated(metadata=True)),
    "Sensor Logger, raw, no metadata": lambda folder: in_folder(
        folder / "r", sensor_logger_uncalibrated(metadata=False)
    ),
    "phyphox, zip, commas": lambda folder: in_zip(folder / "r.zip", phyphox()),
    "phyphox, folder, semicolons": lambda folder: in_folder(folder / "r", phyphox(";", ios=True)),
    "phyphox, zip, decimal commas": lambda folder: in_zip(folder / "r.zip", phyphox(";", ",")),
    "phyphox, zip, tabs and decimal commas": lambda folder: in_zip(folder / "r.zip", phyphox("\t", ",", ios=True)),
    "phyphox, one file": lambda f: saved(f / "squats.csv", phyphox_in_one_file()),
    "Movella DOT": lambda f: saved(f / "bei_D4CA6EF17860_20210830_170505.csv", movella_dot()),
    "Movella DOT, gzipped": lambda f: saved(f / "bei.csv.gz", gzip.compress(movella_dot())),
    "MetaBase, accelerometer": lambda f: in_folder(f, metabase()) / METABASE.format(sensor="Accelerometer", rate=100),
    "MetaBase, gyroscope, iOS": lambda f: (
        in_folder(f, metabase("epoc (ms),timestamp (+0000)")) / METABASE.format(sensor="Gyroscope", rate=50)
    ),
    "MetaBase, zip": lambda folder: in_zip(folder / "r.zip", metabase()),
    "Movesense, data logger": lambda f: saved(f / "log.json", as_json(movesense_logger())),
    "Movesense, showcase": lambda f: saved(f / "MovesenseLog_2.json", as_json(movesense_showcase())),
    "Movesense, showcase iOS": lambda f: saved(f / "r.json", json.dumps(movesense_events(), indent=1).encode()),
    "Movesense, converted": lambda folder: in_folder(folder, movesense_converted()) / "log_5_MeasIMU6_Gyro.csv",
    "Movesense, sample app": lambda f: saved(f / "ImuActivity.csv", movesense_sample_app()),
    "Motion-BIDS": lambda folder: in_folder(folder, bids()) / f"{BIDS}_motion.tsv",
    "Motion-BIDS, of several": lambda f: (
        in_folder(f, bids(("LeftFoot", "Sternum", "LowerBack"))) / f"{BIDS}_motion.tsv"
    ),
    "Motion-BIDS, gzipped, header": lambda f: in_folder(f, bids(header=True, packed=True)) / f"{BIDS}_motion.tsv.gz",
    "Motion-BIDS, latency": lambda folder: in_folder(folder, bids(latency=True)) / f"{BIDS}_motion.tsv",
}
