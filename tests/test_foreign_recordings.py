"""Recordings of other apps replay as they are: each format as its app writes it, from one simulated training."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from foreign_exports import (
    BIDS,
    DEGREE,
    EPOCH_MS,
    EXPORTS,
    METABASE,
    Files,
    G,
    Signal,
    acceleration,
    as_json,
    bids,
    counted,
    gravity_of,
    in_folder,
    in_zip,
    metabase,
    metabase_csv,
    movella_dot,
    movesense_converted,
    movesense_packets,
    movesense_showcase,
    phyphox,
    phyphox_csv,
    phyphox_in_one_file,
    plain_csv,
    saved,
    sensor_logger_android,
    sensor_logger_csv,
    sensor_logger_ios,
    sensor_logger_metadata,
    sensor_logger_uncalibrated,
    simulated,
    summary_of,
    turning,
)
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from imu.app.cli import app
from imu.errors import ImuError, RecordingDamaged, RecordingForeign
from imu.recordings import app_exports, table_files
from imu.recordings.app_exports import GAP_PERIODS, Stream, joined, unwrapped
from imu.recordings.folders import find_recordings, names_of_recordings
from imu.recordings.recording import open_recording, read_recording
from imu.report.replay import Replayed, ReplayOptions, replay

# --- they replay -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, list[str]]]:
    path = tmp_path_factory.mktemp("plain") / "r.csv"
    path.write_bytes(plain_csv())
    found = counted(path)
    assert found == [("squat", ["squat"] * 5), ("hinge", ["hinge"] * 4)]
    return found


@pytest.mark.parametrize("name", EXPORTS)
def test_every_format_replays_to_the_same_counts(tmp_path: Path, name: str, expected: object) -> None:
    path = EXPORTS[name](tmp_path)
    assert counted(path) == expected


def test_the_date_is_that_of_the_file_where_it_counts_from_1970(tmp_path: Path) -> None:
    recorded_at = datetime.fromtimestamp(EPOCH_MS * 1e-3, UTC)
    logged = in_zip(tmp_path / "logger.zip", sensor_logger_ios())
    based = in_folder(tmp_path / "base", metabase())
    assert [open_recording(path).started_at for path in (logged, find_recordings([based])[0])] == [recorded_at] * 2
    assert open_recording(in_zip(tmp_path / "phyphox.zip", phyphox())).started_at is None
    clock = {"meta/time.csv": b'"event","experiment time","system time"\n"START",0.0E0,1.700000000E9\n'}
    for started in (
        in_zip(tmp_path / "clock.zip", phyphox() | clock),
        in_folder(tmp_path / "clock", phyphox() | clock),
    ):
        assert open_recording(started).started_at == recorded_at
    unset = {name: data.replace(b"\n17000", b"\n00000") for name, data in sensor_logger_ios().items()}
    assert open_recording(in_zip(tmp_path / "unset.zip", unset)).started_at is None


@pytest.mark.parametrize(("clock_s", "is_used"), [("1.7E9", True), ("9.0E9", False), ("2.534023007E11", False)])
def test_a_date_in_the_future_is_not_used(tmp_path: Path, clock_s: str, is_used: bool) -> None:
    clock = {"meta/time.csv": f'"event","experiment time","system time"\n"START",0.0E0,{clock_s}\n'.encode()}
    path = in_zip(tmp_path / "clock.zip", phyphox() | clock)
    assert open_recording(path).started_at is not None
    replayed = replay(str(path), ReplayOptions())
    assert isinstance(replayed, Replayed) and (replayed.started_at is not None) == is_used


def test_exact_numbers_in_the_file_replay_exactly(tmp_path: Path) -> None:
    files = sensor_logger_android() | {"Gyroscope.csv": sensor_logger_csv(turning())}
    (tmp_path / "plain.csv").write_bytes(plain_csv())
    foreign = summary_of(in_zip(tmp_path / "r.zip", files))
    assert foreign == summary_of(tmp_path / "plain.csv")
    assert foreign.samples == len(simulated())


@pytest.mark.parametrize("files", [sensor_logger_ios(), sensor_logger_uncalibrated(metadata=True)], ids=["sum", "raw"])
def test_the_sign_of_an_iphone_is_put_right(tmp_path: Path, files: Files) -> None:
    block = read_recording(in_folder(tmp_path / "r", files)).block
    np.testing.assert_allclose(block.acceleration_m_s2, simulated().acceleration_m_s2, atol=1e-9)
    np.testing.assert_array_equal(block.angular_velocity_rad_s, simulated().angular_velocity_rad_s)


def test_gravity_at_other_times_is_added_in_between(tmp_path: Path, expected: object) -> None:
    """As on Android phones, whose sensors each have their own clock."""
    acc = acceleration()
    gravity = Signal(acc.time_s[::2] + 0.003, gravity_of(acc)[::2])
    files = {
        "Accelerometer.csv": sensor_logger_csv(Signal(acc.time_s, acc.values - gravity_of(acc))),
        "Gravity.csv": sensor_logger_csv(Signal(gravity.time_s[5:-5], gravity.values[5:-5])),
        "Gyroscope.csv": sensor_logger_csv(turning()),
    }
    block = read_recording(in_folder(tmp_path / "r", files)).block
    assert len(acc.time_s) - 25 < len(block) < len(acc.time_s) - 20
    inside = np.searchsorted(acc.time_s, block.device_time_s)
    np.testing.assert_allclose(block.acceleration_m_s2, acc.values[inside], atol=0.02)
    assert counted(tmp_path / "r") == expected


def test_a_sign_that_is_not_known_changes_no_count(tmp_path: Path, expected: object) -> None:
    files = sensor_logger_ios()
    del files["Metadata.csv"]
    folder = in_folder(tmp_path / "r", files)
    np.testing.assert_allclose(
        read_recording(folder).block.acceleration_m_s2, -simulated().acceleration_m_s2, atol=1e-9
    )
    assert counted(folder) == expected
    mirrored, plain = summary_of(folder), summary_of(saved(tmp_path / "plain.csv", plain_csv()))
    for one, other in zip(mirrored.sets, plain.sets, strict=True):
        for mine, true in zip(one.repetitions, other.repetitions, strict=True):
            assert mine.trunk_angle_rad == pytest.approx(true.trunk_angle_rad, abs=1e-3)
            assert mine.hip_drop_m == pytest.approx(true.hip_drop_m, abs=1e-3)


def test_times_begin_at_zero_where_the_file_counts_from_1970_or_from_switching_on(tmp_path: Path) -> None:
    since_1970 = {
        name: sensor_logger_csv(signal, elapsed=False)
        for name, signal in (("TotalAcceleration.csv", acceleration()), ("Gyroscope.csv", turning()))
    }
    for name, path in {
        "ns": in_folder(tmp_path / "ns", since_1970),
        "ms": in_folder(tmp_path, metabase()) / METABASE.format(sensor="Gyroscope", rate=50),
        "µs": EXPORTS["Movella DOT"](tmp_path),
        "log": EXPORTS["Movesense, data logger"](tmp_path),
    }.items():
        time_s = read_recording(path).block.device_time_s
        assert time_s[0] == pytest.approx(1.5 if name == "ms" else 0, abs=0.05)
        np.testing.assert_allclose(np.diff(time_s), 0.01, atol=1.1e-3)


def test_the_axis_of_the_app_is_kept(tmp_path: Path) -> None:
    acc, gyr = acceleration(), turning()
    late = {
        "TotalAcceleration.csv": sensor_logger_csv(Signal(acc.time_s + 7.25, acc.values)),
        "Gyroscope.csv": sensor_logger_csv(Signal(gyr.time_s + 7.25, gyr.values)),
    }
    assert read_recording(in_folder(tmp_path / "r", late)).block.device_time_s[0] == 7.25


def test_rows_of_zeros_at_the_start_of_a_dot_are_left_out(tmp_path: Path) -> None:
    recording = read_recording(EXPORTS["Movella DOT"](tmp_path))
    assert recording.rows == len(simulated()) - 1
    assert recording.block.acceleration_m_s2[0].any()


def test_few_unreadable_cells_are_counted(tmp_path: Path) -> None:
    lines = movella_dot().decode().splitlines()
    lines[500] = lines[500].rsplit(",", 1)[0] + ",oops"
    recording = read_recording(saved(tmp_path / "r.csv", "\n".join(lines).encode()))
    assert (recording.rows_unreadable, recording.first_unreadable) == (1, "gyr_z in data row 492 is no number")


def test_an_opened_recording_can_be_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = in_zip(tmp_path / "r.zip", sensor_logger_android())
    whole = read_recording(path).block
    monkeypatch.setattr("imu.recordings.recording.BLOCK_ROWS", 100)
    recording = open_recording(path)
    for _ in range(2):
        assert max(map(len, recording.blocks())) == 100
        np.testing.assert_array_equal(recording.block.device_time_s, whole.device_time_s)


def test_a_member_of_an_archive_without_a_name_is_left_out(tmp_path: Path) -> None:
    """Found by fuzzing: Python 3.11 looks at the last letter of the name."""
    path = in_zip(tmp_path / "r.zip", {"x": b""})
    archive = bytearray(path.read_bytes())
    lengths = archive.index(b"PK\x01\x02") + 28  # of the name and of what follows it
    archive[lengths : lengths + 4] = b"\0\0\1\0"
    path.write_bytes(archive)
    with pytest.raises(RecordingDamaged, match="the zip archive is empty"):
        open_recording(path)


def test_units_that_the_person_tells_are_for_our_own_format(tmp_path: Path) -> None:
    path = in_zip(tmp_path / "r.zip", sensor_logger_android())
    block = read_recording(path, acceleration_unit="g", angular_velocity_unit="deg/s").block
    np.testing.assert_array_equal(block.acceleration_m_s2, read_recording(path).block.acceleration_m_s2)


# --- two sensors on one axis -----------------------------------------------------------------------------------------


def stream(name: str, time_s: np.ndarray, slope: float = 2.0) -> Stream:
    """A straight line in time, which linear interpolation gives back."""
    return Stream(name, time_s, np.column_stack((slope * time_s, 1 + time_s, np.full_like(time_s, 3.0))))


def evenly(start_s: float, end_s: float, rate_hz: float) -> np.ndarray:
    return np.round(np.arange(start_s, end_s, 1 / rate_hz), 9)


@given(
    rate_hz=st.sampled_from([20.0, 50.0, 104.0, 200.0, 416.0]),
    starts_s=st.tuples(st.floats(0, 2), st.floats(0, 2)),
    ends_s=st.tuples(st.floats(4, 6), st.floats(4, 6)),
    seed=st.integers(0, 9),
)
def test_joining_interpolates_and_cuts(
    rate_hz: float, starts_s: tuple[float, float], ends_s: tuple[float, float], seed: int
) -> None:
    acc_s, gyr_s = evenly(starts_s[0], ends_s[0], 100), evenly(starts_s[1], ends_s[1], rate_hz)
    order = np.arange(2 * len(gyr_s))
    for late in np.random.default_rng(seed).choice(len(order) - 4, 5, replace=False).tolist():
        order[[late, late + 3]] = order[[late + 3, late]]
    gyr_s = np.repeat(gyr_s, 2)[order]  # each time twice, and some rows late
    rows = joined(stream("acc", acc_s), stream("gyr", gyr_s, 5.0))
    inside = (acc_s >= gyr_s.min()) & (acc_s <= gyr_s.max())
    np.testing.assert_array_equal(rows[:, 0], acc_s[inside])
    np.testing.assert_array_equal(rows[:, 1:4], stream("acc", acc_s).values[inside])
    np.testing.assert_allclose(rows[:, 4], 5 * rows[:, 0], atol=1e-9)
    np.testing.assert_allclose(rows[:, 6], 3.0)


@pytest.mark.parametrize(("missing", "is_hole"), [(1, False), (2, False), (3, True), (50, True)])
def test_a_hole_in_either_is_a_hole_in_the_result(missing: int, is_hole: bool) -> None:
    whole_s = evenly(0, 10, 100)
    holed_s = np.delete(whole_s, range(400, 400 + missing))
    assert is_hole == (missing + 1 > GAP_PERIODS)
    rows = joined(stream("acc", whole_s), stream("gyr", holed_s))
    np.testing.assert_array_equal(rows[:, 0], holed_s if is_hole else whole_s)
    np.testing.assert_array_equal(joined(stream("acc", holed_s), stream("gyr", whole_s))[:, 0], holed_s)


def test_a_row_that_is_not_a_number_spoils_its_neighbours_only() -> None:
    time_s = evenly(0, 5, 100)
    gyr = stream("gyr", time_s)
    gyr.values[100] = np.nan
    assert np.flatnonzero(np.isnan(joined(stream("acc", time_s), gyr)).any(axis=1)).tolist() == [100]
    assert np.flatnonzero(np.isnan(joined(stream("acc", time_s + 0.005), gyr)).any(axis=1)).tolist() == [99, 100]


@given(st.lists(st.integers(-40_000, 60_000), min_size=1, max_size=50), st.integers(0, 2**32 - 1))
def test_a_counter_that_starts_again_goes_on(steps: list[int], start: int) -> None:
    counts = start + np.cumsum([0, *steps])
    found = unwrapped((counts % 2**32).astype(np.float64), 2.0**32)
    np.testing.assert_array_equal(np.diff(found), steps)


@pytest.mark.parametrize(
    ("gyr_s", "sentence"),
    [
        (evenly(100, 110, 100), "acc and gyr were not recorded at the same time"),
        (evenly(0, 10, 5), r"gyr: rows come at 5 Hz, we read 20 to 1000 Hz"),
        (evenly(0, 10, 100) * 1000, "gyr: time_s looks like milliseconds"),
        (np.concatenate((evenly(0, 10, 100), evenly(0, 10, 100))), r"gyr: time_s jumps back by 10\.0 s"),
        (np.array([1.0]), "gyr has fewer than two rows"),
        (np.full(9, np.nan), "gyr has fewer than two rows"),
        (np.full(9, 1.0), "gyr: time_s is the same in every row"),
    ],
)
def test_sensors_that_do_not_go_together(gyr_s: np.ndarray, sentence: str) -> None:
    with pytest.raises(RecordingForeign, match=sentence):
        joined(stream("acc", evenly(0, 10, 100)), stream("gyr", gyr_s))


# --- found in folders ------------------------------------------------------------------------------------------------


def test_each_recording_is_found_once(tmp_path: Path) -> None:
    in_folder(tmp_path / "phone/2024-01-01", sensor_logger_android())
    in_folder(tmp_path / "phone/squats", phyphox())
    in_folder(tmp_path / "meta motion", metabase())
    in_folder(tmp_path / "movesense", movesense_converted())
    in_folder(tmp_path / "bids/sub-01/motion", bids())
    in_folder(tmp_path / "bids", {"participants.tsv": b"participant_id\nsub-01\n", "dataset_description.json": b"{}"})
    in_zip(tmp_path / "phone/export.zip", sensor_logger_android())
    in_zip(tmp_path / "phone/photos.zip", {"beach.jpg": b"\xff\xd8"})
    in_zip(tmp_path / "phone/table.zip", {"[Content_Types].xml": b"<x/>"})
    (tmp_path / "phone/broken.zip").write_bytes(b"PK\x03\x04broken")
    (tmp_path / "log.json").write_bytes(as_json(movesense_showcase()))
    (tmp_path / "plain.csv").write_bytes(plain_csv())
    (tmp_path / "truth.json").write_bytes(b'{"sets": []}')
    (tmp_path / "Gyroscope.csv").write_bytes(plain_csv())  # ours, whatever its name
    found = [str(path.relative_to(tmp_path)) for path in find_recordings([tmp_path])]
    assert found == sorted(
        [
            "Gyroscope.csv",
            f"bids/sub-01/motion/{BIDS}_motion.tsv",
            "log.json",
            f"meta motion/{METABASE.format(sensor='Accelerometer', rate=100)}",
            "movesense/log_5_MeasIMU6_Acc.csv",
            "phone/2024-01-01",
            "phone/broken.zip",
            "phone/export.zip",
            "phone/squats",
            "plain.csv",
        ],
        key=lambda name: Path(name).parts,
    )


def test_a_folder_that_is_a_recording_is_named_as_given(tmp_path: Path) -> None:
    folder = in_folder(tmp_path / "2024-01-01", sensor_logger_android())
    assert find_recordings([folder]) == [folder]
    assert names_of_recordings([f"{folder}/"]) == [f"{folder}/"]
    assert names_of_recordings([str(tmp_path)]) == [f"{tmp_path}/2024-01-01"]


def test_a_broken_file_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "gyro test.csv.gz").write_bytes(b"\x1f\x8bbroken")
    (tmp_path / "pressure.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "plain.csv").write_bytes(plain_csv())
    (tmp_path / "training.mcap").write_bytes(b"\x89MCAP")
    in_folder(tmp_path, metabase())
    names = [path.name for path in find_recordings([tmp_path])]
    assert names == [
        "gyro test.csv.gz",
        "plain.csv",
        "pressure.zip",
        METABASE.format(sensor="Accelerometer", rate=100),
        "training.mcap",
    ]


def test_half_a_pair_is_refused_by_naming_the_other_half(tmp_path: Path) -> None:
    files = metabase()
    for name in list(files):
        if "Gyroscope" not in name:
            del files[name]
    [path] = find_recordings([in_folder(tmp_path, files)])
    with pytest.raises(RecordingForeign, match=r"has no accelerometer: put squats_.*_Accelerometer_.* beside it"):
        read_recording(path)


def test_the_command_replays_a_folder_of_them(tmp_path: Path) -> None:
    in_folder(tmp_path / "a", sensor_logger_ios())
    in_folder(tmp_path / "b", metabase())
    in_folder(tmp_path / "c", {"Magnetometer.csv": sensor_logger_csv(acceleration())})
    result = CliRunner().invoke(app, ["replay", str(tmp_path), "--json"])
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [one.get("totals", one.get("error", "")) for one in printed[:2]] == [
        {"squat": 5, "hinge": 4, "uncertain": 0}
    ] * 2
    assert "no accelerometer and no gyroscope" in printed[2]["error"]


# --- refusals --------------------------------------------------------------------------------------------------------


def without(files: Files, *words: str) -> Files:
    return {name: data for name, data in files.items() if not any(word in name for word in words)}


def only(files: Files, *words: str) -> Files:
    return {name: data for name, data in files.items() if any(word in name for word in words)}


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "Sensor Logger without gravity": (
        lambda f: in_zip(f / "r.zip", without(sensor_logger_android(), "Total")),
        "has no gravity .its accelerometer is without it.: switch on Gravity too",
    ),
    "Sensor Logger without gyroscope": (
        lambda f: in_folder(f / "r", without(sensor_logger_android(), "Gyroscope")),
        "has no gyroscope: switch on Gyroscope in the app",
    ),
    "Sensor Logger without accelerometer": (
        lambda f: in_zip(f / "r.zip", only(sensor_logger_android(), "Gyroscope")),
        "has no accelerometer: switch on Accelerometer and Gravity",
    ),
    "Sensor Logger, magnetometer only": (
        lambda f: in_zip(f / "r.zip", only(sensor_logger_android(), "Magnetometer")),
        "has no accelerometer and no gyroscope: switch on",
    ),
    "Sensor Logger, renamed": (
        lambda f: saved(f / "walk.csv", sensor_logger_csv(acceleration())),
        "walk.csv is one sensor of a Sensor Logger recording, but its name does not name which",
    ),
    "Sensor Logger, JSON": (
        lambda f: saved(f / "r.json", b'[{"sensor": "Gyroscope", "time": "1", "seconds_elapsed": "0.2"}]'),
        "Sensor Logger's JSON export: export the recording as Zipped CSV",
    ),
    "Sensor Logger, an axis gone": (
        lambda f: in_folder(
            f / "r", sensor_logger_android() | {"Gyroscope.csv": b"time,seconds_elapsed,z,y\n1,2,3,4\n"}
        ),
        "Gyroscope.csv lacks one of the columns",
    ),
    "phyphox, linear": (
        lambda f: in_zip(f / "r.zip", without(phyphox(), "Accelerometer")),
        "has no gravity .linear acceleration is without it.: in phyphox add a simple experiment",
    ),
    "phyphox without gyroscope": (
        lambda f: in_folder(f / "r", only(phyphox(), "Accelerometer")),
        "this phyphox recording has no gyroscope: in phyphox add",
    ),
    "phyphox without accelerometer": (
        lambda f: in_folder(f / "r", only(phyphox(ios=True), "Gyroscope")),
        "this phyphox recording has no accelerometer: in phyphox add",
    ),
    "phyphox, magnetometer only": (
        lambda f: saved(
            f / "Magnetometer.csv",
            phyphox_csv(["Time (s)", *(f"Magnetic field {a} (µT)" for a in "xyz")], [np.ones(9)] * 4),
        ),
        "this phyphox recording has no accelerometer and no gyroscope: in phyphox add",
    ),
    "phyphox, strange unit": (
        lambda f: in_folder(f / "r", {n: d.replace(b"rad/s", b"rpm") for n, d in phyphox().items()}),
        "Gyroscope.csv gives gyroscope in 'rpm', a unit that we do not know",
    ),
    "Movella DOT, free acceleration": (
        lambda f: saved(f / "r.csv", movella_dot(names="FreeAcc_X,FreeAcc_Y,FreeAcc_Z,Gyr_X,Gyr_Y,Gyr_Z")),
        "has no gravity .FreeAcc is without it.: record in a mode with",
    ),
    "Movella DOT without gyroscope": (
        lambda f: saved(f / "r.csv", movella_dot(names="Acc_X,Acc_Y,Acc_Z")),
        "has no gyroscope: record in",
    ),
    "Movella DOT, orientation": (
        lambda f: saved(f / "r.csv", movella_dot(names="Status")),
        "has no accelerometer: record in a mode",
    ),
    "MetaBase, linear": (
        lambda f: saved(
            f / METABASE.format(sensor="Linear Acceleration", rate=100), metabase_csv(acceleration(), "g", G)
        ),
        "has no gravity: record Accelerometer and Gyroscope in MetaBase",
    ),
    "MetaBase, magnetometer only": (
        lambda f: in_folder(f, only(metabase(), "Magn")) / METABASE.format(sensor="Magnetometer", rate=25),
        "has no accelerometer and no gyroscope: record",
    ),
    "MetaBase, renamed": (
        lambda f: saved(f / "squat.csv", metabase_csv(acceleration(), "g", G)),
        "squat.csv is MetaBase's, but its name names no sensor",
    ),
    "MetaBase, unit gone": (
        lambda f: (
            in_folder(f, {n: d.replace(b"(deg/s)", b"(?)") for n, d in metabase().items()})
            / METABASE.format(sensor="Gyroscope", rate=50)
        ),
        "names no unit of its sensor in the header",
    ),
    "MetaBase, two pairs in a zip": (
        lambda f: in_zip(f / "r.zip", metabase() | {f"b_{n}": d for n, d in metabase().items()}),
        "this zip archive holds 2 recordings .b_squats.*: unpack it and give the folder",
    ),
    "Movesense, accelerometer only": (
        lambda f: saved(
            f / "r.json",
            as_json({"Samples": [{"MeasAcc": p} for p in movesense_packets(acceleration(), "ArrayAcc", 1)]}),
        ),
        "this Movesense recording has no gyroscope: record IMU6 or IMU9",
    ),
    "Movesense, magnetometer only": (
        lambda f: saved(
            f / "r.json",
            as_json({"Samples": [{"MeasMagn": {"Timestamp": 1, "ArrayMagn": [{"x": 1, "y": 2, "z": 3}]}}]}),
        ),
        "has no accelerometer and no gyroscope: record IMU6",
    ),
    "Movesense, cut short": (
        lambda f: saved(f / "r.json", as_json(movesense_showcase())[:100_000]),
        "r.json is not a table that can be read",
    ),
    "Movesense, converted, half": (
        lambda f: in_folder(f, only(movesense_converted(), "Acc")) / "log_5_MeasIMU6_Acc.csv",
        "has no gyroscope: put log_5_MeasIMU6_Gyro.csv beside it",
    ),
    "Movesense, sample app, one sensor": (
        lambda f: saved(f / "r.csv", b"Timestamp (ms),X: (m/s^2),Y: (m/s^2),Z: (m/s^2)\n1,2,3,4, \n"),
        "has no gyroscope: record IMU6",
    ),
    "Motion-BIDS, no channels": (
        lambda f: in_folder(f, without(bids(), "channels")) / f"{BIDS}_motion.tsv",
        f"there is no {BIDS}_channels.tsv beside it",
    ),
    "Motion-BIDS, no sidecar": (
        lambda f: in_folder(f, without(bids(), "json")) / f"{BIDS}_motion.tsv",
        f"there is no {BIDS}_motion.json beside it",
    ),
    "Motion-BIDS, no rate": (
        lambda f: (
            in_folder(f, bids() | {f"{BIDS}_motion.json": b'{"SamplingFrequency": "n/a"}'}) / f"{BIDS}_motion.tsv"
        ),
        "has no SamplingFrequency in Hz: add it",
    ),
    "Motion-BIDS, no sensor at the hip": (
        lambda f: in_folder(f, bids(("LeftFoot", "RightWrist"))) / f"{BIDS}_motion.tsv",
        r"there are 2 tracked points .LeftFoot, RightWrist., and none looks like the hip",
    ),
    "Motion-BIDS, two at the hip": (
        lambda f: in_folder(f, bids(("Pelvis", "LowBack", "Head"))) / f"{BIDS}_motion.tsv",
        r"there are 3 tracked points .Pelvis, LowBack, Head., and more than one looks like the hip",
    ),
    "Motion-BIDS, optical": (
        lambda f: (
            in_folder(
                f,
                bids() | {f"{BIDS}_channels.tsv": b"name\tcomponent\ttype\ttracked_point\tunits\na\tx\tPOS\tHip\tm\n"},
            )
            / f"{BIDS}_motion.tsv"
        ),
        r"no tracked point has both ACCEL and GYRO channels .* .there are POS.: record accelerometer and gyroscope",
    ),
    "zip, empty": (lambda f: in_zip(f / "r.zip", {}), "the zip archive is empty"),
    "zip, empty file": (lambda f: saved(f / "r.zip", b""), "the file is empty"),
    "zip, cut short": (
        lambda f: saved(f / "c.zip", in_zip(f / "r.zip", sensor_logger_android()).read_bytes()[:9000]),
        "the zip archive is cut short or damaged",
    ),
    "zip, not one": (lambda f: saved(f / "r.zip", b"time_s,acc_x\n"), "the zip archive is cut short or damaged"),
    "zip, of something else": (
        lambda f: in_zip(f / "r.zip", {"beach.jpg": b"\xff\xd8"}),
        "this zip archive holds no recording of Sensor Logger, phyphox, .*: unpack it and give the folder",
    ),
    "zip, of ours": (lambda f: in_zip(f / "r.zip", {"r.csv": plain_csv()}), "holds no recording of .*: unpack it"),
    "zip, several folders": (
        lambda f: in_zip(
            f / "r.zip", {f"{day}/{n}": d for day in ("mon", "tue") for n, d in sensor_logger_android().items()}
        ),
        r"this zip archive holds 2 recordings .mon, tue.: unpack it and give the folder",
    ),
    "zip, spreadsheet": (
        lambda f: in_zip(f / "r.zip", {"[Content_Types].xml": b"", "xl/workbook.xml": b""}),
        "this is a spreadsheet: export the recording as CSV instead",
    ),
    "header without rows": (
        lambda f: in_folder(f / "r", sensor_logger_android() | {"Gyroscope.csv": b"time,seconds_elapsed,z,y,x\n"}),
        "Gyroscope.csv has a header but no data: record or export it again",
    ),
    "empty folder": (
        lambda f: in_folder(f / "r", {}) if (f / "r").mkdir() is None else f,
        "no recording in this folder",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_in_one_sentence_what_to_do(tmp_path: Path, name: str) -> None:
    make, sentence = REFUSED[name]
    with pytest.raises((RecordingForeign, RecordingDamaged), match=sentence) as raised:
        read_recording(make(tmp_path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"r.csv": movella_dot(gyroscope_unit=1.0)},
            r"is rad/s already.*, and this app writes other units",
        ),
        (
            {n: d.replace(b"(deg/s)", b"(rad/s)") for n, d in metabase().items()},
            r"angular velocity looks like deg/s .*, and this app writes",
        ),
        (
            {n: d.replace(b"(g)", b"(m/s^2)") for n, d in metabase().items()},
            r"acceleration looks like g .*, and this app writes",
        ),
    ],
)
def test_numbers_that_belie_their_header(tmp_path: Path, files: Files, sentence: str) -> None:
    in_folder(tmp_path, files)
    with pytest.raises(RecordingForeign, match=sentence) as raised:
        read_recording(find_recordings([tmp_path])[0])
    assert "--" not in str(raised.value)


def test_linear_acceleration_under_another_name_is_recognised_by_its_size(tmp_path: Path) -> None:
    files = sensor_logger_android()
    files["TotalAcceleration.csv"] = files["Accelerometer.csv"]
    with pytest.raises(RecordingForeign, match="looks as if gravity had been taken out"):
        read_recording(in_folder(tmp_path / "r", files))


# --- archives and files that mean harm -------------------------------------------------------------------------------


def test_an_encrypted_archive(tmp_path: Path) -> None:
    path = in_zip(tmp_path / "r.zip", sensor_logger_android())
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + flags] |= 1
            at = data.find(mark, at + 4)
    path.write_bytes(data)
    with pytest.raises(RecordingForeign, match="the zip archive is encrypted: unpack it with its password"):
        read_recording(path)


@pytest.mark.parametrize("packed", ["zip", "gz", "plain"])
def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: str) -> None:
    limit = 300_000
    monkeypatch.setattr(table_files, "LARGEST_BYTES", limit)
    monkeypatch.setattr(table_files, "PIECE_BYTES", 50_000)
    bomb = movella_dot() + b"0," * 20_000_000
    path = {
        "zip": lambda: in_zip(tmp_path / "r.zip", {"r.csv": bomb}),
        "gz": lambda: saved(tmp_path / "r.csv.gz", gzip.compress(bomb, 1)),
        "plain": lambda: saved(tmp_path / "r.csv", bomb),
    }[packed]()
    lengths: list[int] = []
    kept = table_files.BoundedFile.read

    def counting(self: table_files.BoundedFile, size: int = -1) -> bytes:
        data = kept(self, size)
        lengths.append(len(data))
        return data

    monkeypatch.setattr(table_files.BoundedFile, "read", counting)
    with pytest.raises(
        RecordingForeign, match=r"r\.csv(\.gz)? is longer than the 0 MB that we read: cut the recording"
    ):
        read_recording(path)
    assert sum(lengths) < 2 * limit


def test_a_table_of_very_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_exports, "LARGEST_ROWS", 1000)
    with pytest.raises(RecordingForeign, match=r"r\.csv has more than 1,000 rows: cut the recording into parts"):
        read_recording(saved(tmp_path / "r.csv", movella_dot()))


def test_json_may_have_an_eighth_of_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "LARGEST_BYTES", 2**20)
    log = as_json(movesense_showcase())
    assert 2**17 < len(log) < 2**20
    with pytest.raises(RecordingForeign, match=r"r\.json is longer than the 0 MB that we read: cut the recording"):
        read_recording(saved(tmp_path / "r.json", log))


def test_an_archive_of_very_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_exports, "ARCHIVE_FILES", 3)
    with pytest.raises(RecordingForeign, match="the zip archive holds 6 files: unpack it"):
        read_recording(in_zip(tmp_path / "r.zip", sensor_logger_android()))


ARCHIVES = [sensor_logger_android, lambda: phyphox(";", ","), metabase, movesense_converted]


@cache
def small_archive(number: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in ARCHIVES[number]().items():
            archive.writestr(name, b"\n".join(data.split(b"\n")[:60]))
    return made.getvalue()


def read_or_refused(path: Path, among: list[Path] | None = None) -> None:
    """Read a recording; whatever happens, it is the recording or one sentence."""
    assert find_recordings([path.parent])
    for found in find_recordings([path.parent]) if among is None else among:
        try:
            block = read_recording(found).block
        except ImuError as error:
            assert str(error)
            assert "\n" not in str(error)
        else:
            assert len(block) >= 2


@given(
    number=st.sampled_from(range(len(ARCHIVES))),
    end=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=6),
)
def test_damaged_archives(
    tmp_path_factory: pytest.TempPathFactory, number: int, end: float, flips: list[tuple[float, int]]
) -> None:
    archive = small_archive(number)
    data = bytearray(archive[: max(1, round(len(archive) * (1 - end**4)))])
    for place, change in flips:
        data[int(place * len(data))] ^= change
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "r.zip").write_bytes(data)
    read_or_refused(folder / "r.zip")
    shutil.rmtree(folder)


@cache
def texts() -> list[tuple[str, bytes]]:
    """A file of each kind. Each is read, alone or with the others, when one of them is damaged."""
    return [
        ("Gyroscope.csv", sensor_logger_csv(turning()[:60])),
        ("TotalAcceleration.csv", sensor_logger_csv(acceleration()[:60])),
        ("Metadata.csv", sensor_logger_metadata("ios", standardised=True)),
        ("Raw Data.csv", b"\n".join(phyphox_in_one_file().split(b"\n")[:60])),
        ("dot.csv", b"\n".join(movella_dot().split(b"\n")[:60])),
        (METABASE.format(sensor="Gyroscope", rate=50), metabase_csv(turning(50.0)[:60], "deg/s", DEGREE)),
        (METABASE.format(sensor="Accelerometer", rate=100), metabase_csv(acceleration()[:60], "g", G)),
        ("r.json", as_json({"Meas": {"IMU9": [movesense_packets(acceleration()[:40], "ArrayAcc", 1.0)[0]]}})),
        ("log_MeasAcc.csv", b"Timestamp_ms,X,Y,Z\n1,2,3,4\n11,2,3,4\n"),
        ("log_MeasGyro.csv", b"Timestamp_ms,X,Y,Z\n1,2,3,4\n11,2,3,4\n"),
        ("a_motion.tsv", b"0\t0\t9.81\t0\t0\t0\n" * 40),
        (
            "a_channels.tsv",
            "".join(
                ["name\tcomponent\ttype\ttracked_point\tunits\n"]
                + [f"{k}{a}\t{a}\t{k}\tHip\t{u}\n" for k, u in (("ACCEL", "m/s^2"), ("GYRO", "rad/s")) for a in "xyz"]
            ).encode(),
        ),
        ("a_motion.json", b'{"SamplingFrequency": 100}'),
    ]


@given(
    damaged=st.integers(0, 12),
    at=st.floats(0, 1),
    taken=st.integers(0, 40),
    put=st.one_of(st.binary(max_size=20), st.text(',;\t"\n.0123456789eE-[]{}:xyzNa', max_size=30).map(str.encode)),
    in_header=st.booleans(),
)
def test_damaged_headers_and_cells(
    tmp_path_factory: pytest.TempPathFactory, damaged: int, at: float, taken: int, put: bytes, in_header: bool
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    for i, (name, data) in enumerate(texts()):
        start = int(at * (min(len(data), 200) if in_header else len(data)))
        (folder / name).write_bytes(data[:start] + put + data[start + taken :] if i == damaged else data)
    read_or_refused(folder / texts()[damaged][0], [folder / texts()[damaged][0]])
    shutil.rmtree(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**70), 2**70) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["Timestamp", "ArrayAcc", "ArrayGyro", "x", "y", "z", "Samples"]), inner, max_size=4
        )
    ),
    max_leaves=30,
)


@given(JSON)
def test_any_json_is_a_log_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, log: object) -> None:
    path = tmp_path_factory.mktemp("any") / "r.json"
    path.write_text(json.dumps({"Samples": log}), encoding="utf-8")
    read_or_refused(path)


def test_what_a_file_says_stays_on_one_line(tmp_path: Path) -> None:
    channels = f'name\tcomponent\ttype\ttracked_point\tunits\na\tx\t"P\nO\x07S"\t{"Hip" * 99}\tm\n'
    in_folder(tmp_path, bids() | {f"{BIDS}_channels.tsv": channels.encode()})
    with pytest.raises(RecordingForeign, match=r"\(there are P O S\): record") as raised:
        read_recording(tmp_path / f"{BIDS}_motion.tsv")
    assert str(raised.value).isprintable()
    folder = in_folder(tmp_path / "r", sensor_logger_android() | {"Metadata.csv": b"version,platform\n\n"})
    assert read_recording(folder).rows


def test_json_nested_beyond_reason(tmp_path: Path) -> None:
    path = saved(tmp_path / "r.json", b'{"Samples":' + b"[" * 200_000 + b"]" * 200_000 + b"}")
    with pytest.raises(RecordingForeign, match="nested too deeply"):
        read_recording(path)
