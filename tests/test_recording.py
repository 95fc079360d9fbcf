"""Reading recordings: correct files pass unchanged, wrong ones give one sentence."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imu.errors import ImuError, RecordingDamaged, RecordingForeign
from imu.recordings import recording as recording_module
from imu.recordings import table_files
from imu.recordings.checks import COLUMNS, Header, check_units
from imu.recordings.folders import find_recordings
from imu.recordings.recording import open_recording, read_recording

HEADER = ",".join(COLUMNS)
SISFALL = Path(__file__).parents[2] / "shared/data/sisfall"
needs_sisfall = pytest.mark.skipif(not SISFALL.exists(), reason=f"needs the SisFall recordings in {SISFALL}")


def bows(
    rate_hz: float = 100.0, duration_s: float = 30.0, offset_rad_s: float = 0.0, bow_rad: float = 0.8
) -> np.ndarray:
    """Rows of a sensor that bows by `bow_rad` about y for 4 s out of 8, then rests; exact but for the lever arm."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    phase = np.clip(time_s % 8 - 2, 0, 4) / 4 * 2 * np.pi
    angle = bow_rad / 2 * (1 - np.cos(phase))
    turning = bow_rad / 2 * np.sin(phase) * 2 * np.pi / 4 * ((phase > 0) & (phase < 2 * np.pi))
    noise = np.random.default_rng(1).normal(0, [0.02] * 3 + [0.002] * 3, (len(time_s), 6))
    zero = np.zeros_like(time_s)
    signals = np.column_stack((-9.81 * np.sin(angle), zero, 9.81 * np.cos(angle), zero, turning, zero)) + noise
    signals[:, 3:] += offset_rad_s
    return np.column_stack((time_s, signals))


def text_of(rows: np.ndarray, header: str = HEADER) -> str:
    return "\n".join([header, *(",".join(repr(float(value)) for value in row) for row in rows)]) + "\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def with_line(text: str, data_row: int, line: str) -> str:
    lines = text.splitlines()
    lines[data_row] = line
    return "\n".join(lines) + "\n"


def assert_rows(path: Path, rows: np.ndarray) -> None:
    block = read_recording(path).block
    np.testing.assert_array_equal(block.device_time_s, rows[:, 0])
    np.testing.assert_array_equal(block.acceleration_m_s2, rows[:, 1:4])
    np.testing.assert_array_equal(block.angular_velocity_rad_s, rows[:, 4:7])


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return bows().round(6)


@pytest.fixture(scope="module")
def good(rows: np.ndarray) -> str:
    return text_of(rows)


# --- which files -----------------------------------------------------------------------------------------------------


def test_folder_gives_its_recordings_sorted_and_files_stay_as_given(tmp_path: Path) -> None:
    names = ["b.csv", "a.csv.gz", "deep/c.PARQUET", "index.csv", ".hidden.csv", ".git/x.csv", "a.truth.csv"]
    for name in [*names, "truth.json", "notes.txt"]:
        file = tmp_path / "folder" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    empty = tmp_path / "empty"
    empty.mkdir()
    folder, missing, index = tmp_path / "folder", tmp_path / "missing.csv", tmp_path / "folder" / "index.csv"
    inside = [folder / "a.csv.gz", folder / "b.csv", folder / "deep/c.PARQUET"]
    assert find_recordings([missing, folder, empty, index]) == [missing, *inside, empty, index]


def test_a_missing_file_and_an_empty_folder_are_reported_when_read(tmp_path: Path) -> None:
    with pytest.raises(RecordingDamaged, match="no such file or folder"):
        read_recording(tmp_path / "missing.csv")
    with pytest.raises(RecordingForeign, match="no recording in this folder"):
        read_recording(tmp_path)


# --- valid files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [20, 50, 104, 200, 1000])
def test_rates(tmp_path: Path, rate_hz: float) -> None:
    rows = bows(rate_hz, 10.0)
    path = write(tmp_path / "r.csv", text_of(rows))
    assert_rows(path, rows)
    assert read_recording(path).sampling_rate_hz == pytest.approx(rate_hz, rel=1e-3)


def test_jitter_and_missing_rows_leave_the_rate(tmp_path: Path, rows: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    rows = rows[np.sort(rng.permutation(len(rows))[: len(rows) * 3 // 4])].copy()
    rows[:, 0] += rng.uniform(-0.002, 0.002, len(rows))
    recording = read_recording(write(tmp_path / "r.csv", text_of(rows)))
    assert recording.sampling_rate_hz == pytest.approx(100, rel=0.01)
    assert recording.rows == len(rows)
    assert recording.rows_sorted == recording.rows_unreadable == 0


def test_ways_of_writing_the_same_numbers(tmp_path: Path, good: str, rows: np.ndarray) -> None:
    lines = good.splitlines()
    cells = [line.split(",") for line in lines]
    variants = {
        "plain": good,
        "crlf": good.replace("\n", "\r\n"),
        "old mac": good.replace("\n", "\r"),
        "bom and spelling": "\ufeff" + good.replace(HEADER, " Time_S,ACC_X,acc_y ,acc z,Gyr_X,GYR_Y,gyr_z"),
        "semicolons": good.replace(",", ";"),
        "decimal commas": good.replace(",", ";").replace(".", ","),
        "tabs": good.replace(",", "\t"),
        "spaces": good.replace(",", ", "),
        "quoted": "\n".join(",".join(f'"{cell}"' for cell in line) for line in cells),
        "quoted after spaces": "\n".join(", ".join(f'"{cell}"' for cell in line) for line in cells),
        "more cells than names": "\n".join([lines[0], *(line + ",7" for line in lines[1:])]),
        "comments": "# belt, front\n\n" + good,
        "spreadsheet": "sep=;\n" + good.replace(",", ";"),
        "order": "\n".join(",".join(reversed(line)) for line in cells),
        "more columns": "\n".join([f"note,{lines[0]},pulse", *(f"é,{line},x" for line in lines[1:])]),
        "trailing commas": "\n".join([lines[0], *(line + "," for line in lines[1:])]),
    }
    for name, text in variants.items():
        assert_rows(write(tmp_path / f"{name}.csv", text), rows)
    (tmp_path / "latin.csv").write_bytes(variants["more columns"].encode("latin-1"))
    assert_rows(tmp_path / "latin.csv", rows)
    for name in ("r.csv.gz", "compressed but not named so.csv"):
        (tmp_path / name).write_bytes(gzip.compress(good.encode()))
        assert_rows(tmp_path / name, rows)


def test_two_rows_are_a_recording(tmp_path: Path, rows: np.ndarray) -> None:
    assert_rows(write(tmp_path / "r.csv", text_of(rows[:2])), rows[:2])


def test_small_disorder_is_sorted_stably_and_counted(tmp_path: Path, rows: np.ndarray) -> None:
    rows = rows.copy()
    rows[501, 0] = rows[500, 0]  # equal times stay in the order of the file
    mixed = np.concatenate((rows[:110], rows[120:150], rows[110:120], rows[150:]))
    path = write(tmp_path / "r.csv", text_of(mixed))
    assert_rows(path, rows)
    assert read_recording(path).rows_sorted == 10


@pytest.mark.parametrize("cell", ["oops", "", "inf", "nan", "1e300", "9" * 400, "--"])
def test_few_unreadable_cells_become_nan_and_are_counted(
    tmp_path: Path, good: str, rows: np.ndarray, cell: str
) -> None:
    text = with_line(good, 500, f"4.99,0.1,{cell},9.8,0,0,0")
    recording = read_recording(write(tmp_path / "r.csv", text))
    assert (recording.rows, recording.rows_unreadable, recording.rows_sorted) == (len(rows), 1, 0)
    assert recording.first_unreadable is not None
    assert recording.first_unreadable.startswith("acc_y in data row 500 is ")
    bad = np.isnan(recording.block.acceleration_m_s2)
    assert np.argwhere(bad).tolist() == [[499, 1]]


@pytest.mark.parametrize(("line", "unreadable"), [("4.99,0.1", 1), ("4.99,0,0,9.8,0,0,0,7,8,9", 0)])
def test_rows_of_other_lengths(tmp_path: Path, good: str, line: str, unreadable: int) -> None:
    for data_row in (1, 500):
        start = line.replace("4.99", str((data_row - 1) / 100))
        recording = read_recording(write(tmp_path / "r.csv", with_line(good, data_row, start)))
        assert recording.rows_unreadable == unreadable


# --- long files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize("piece_rows", [7, 250, 100_000])
def test_reading_in_pieces_gives_the_same(
    tmp_path: Path, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch, suffix: str, piece_rows: int
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="needs pyarrow")
    rows = rows[:600]
    mixed = np.concatenate((rows[:110], rows[120:150], rows[110:120], rows[150:]))
    mixed[400, 0] = np.nan
    frame = pd.DataFrame(mixed, columns=list(COLUMNS))
    path = tmp_path / f"r{suffix}"
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    whole = read_recording(path)

    monkeypatch.setattr(table_files, "TABLE_ROWS", piece_rows)
    monkeypatch.setattr(table_files, "PIECE_BYTES", 60 * piece_rows)
    monkeypatch.setattr(recording_module, "JUDGED_S", 1.0)
    monkeypatch.setattr(recording_module, "BLOCK_ROWS", 300)
    pieces = open_recording(path)
    assert max(map(len, pieces.blocks())) <= 300
    assert (pieces.rows, pieces.rows_sorted, pieces.rows_unreadable) == (600, 10, 1)
    assert pieces.first_unreadable == whole.first_unreadable == "time_s in data row 401 is empty"
    for _ in range(2):  # an opened recording is read again each time
        block = pieces.block
        for name in ("device_time_s", "acceleration_m_s2", "angular_velocity_rad_s"):
            np.testing.assert_array_equal(getattr(block, name), getattr(whole.block, name))


def test_recordings_joined_at_the_edge_of_a_piece(tmp_path: Path, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "PIECE_BYTES", len(good))
    path = write(tmp_path / "r.csv", good + good.split("\n", 1)[1])
    with pytest.raises(RecordingForeign, match=r"jumps back by 30\.0 s at data row 3001.*split the file there"):
        read_recording(path)


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pandas was called")

    monkeypatch.setattr(pd, "read_csv", refuse)


@pytest.mark.usefixtures("without_pandas")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("start", [HEADER + "\n", HEADER, ""])
def test_a_line_of_commas_does_not_reach_pandas(tmp_path: Path, start: str, packed: bool) -> None:
    data = (start + "," * 5_000_000 + "\n1,2\n").encode()
    (tmp_path / "r.csv").write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(RecordingForeign, match="the file has a line of more than 64 KB, so it is not a table of"):
        read_recording(tmp_path / "r.csv")


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".mcap"])
def test_one_limit_for_every_format(
    tmp_path: Path, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="needs pyarrow")
    path, frame = tmp_path / f"r{suffix}", pd.DataFrame(rows, columns=list(COLUMNS))
    if suffix == ".mcap":
        path.write_bytes(bytes(200_000))
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    monkeypatch.setattr(table_files, "LARGEST_BYTES", 100_000)
    with pytest.raises(RecordingForeign, match="the file is longer than the 0 MB that we read: cut the recording"):
        read_recording(path)


def test_a_bomb_in_our_own_format_is_read_up_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.csv.gz"
    path.write_bytes(gzip.compress(text_of(bows(duration_s=600)).encode(), 1))
    lengths: list[int] = []
    kept = table_files.BoundedFile.read

    def counting(self: table_files.BoundedFile, size: int = -1) -> bytes:
        data = kept(self, size)
        lengths.append(len(data))
        return data

    monkeypatch.setattr(table_files, "LARGEST_BYTES", 2**20)
    monkeypatch.setattr(table_files, "PIECE_BYTES", 2**18)
    monkeypatch.setattr(table_files.BoundedFile, "read", counting)
    with pytest.raises(RecordingForeign, match="the file is longer than the 1 MB that we read"):
        read_recording(path)
    assert sum(lengths) < 2 * 2**20


# --- damaged and foreign files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (b"", RecordingDamaged, "the file is empty"),
        (b"\n \n", RecordingDamaged, "no text in the file"),
        (HEADER.encode(), RecordingDamaged, "a header but no data"),
        (HEADER.encode() + b"\n# nothing\n", RecordingDamaged, "no data"),
        (HEADER.encode() + b"\n0,0,0,9.81,0,0,0\n", RecordingDamaged, "only one row"),
        (b"\x00\x01\x02" * 99, RecordingForeign, "binary data"),
        (b"PK\x03\x04junk", RecordingForeign, "zip archive"),
        (HEADER.encode("utf-16") + b"\x00", RecordingForeign, "UTF-16"),
        (b"0.00,0,0,9.81,0,0,0\n0.01,0,0,9.81,0,0,0\n", RecordingForeign, "no header: the first line must be time_s"),
        (b"name,age\nEva,3\n", RecordingForeign, "the header has 'name', 'age': a recording has time_s,"),
        (HEADER.encode() + b"\n" + b"a,b,c,d,e,f,g\n" * 9, RecordingForeign, r"9 of 9 rows .*data row 1 is 'a'"),
        (HEADER.encode() + b",acc_x\n1,1,1,1,1,1,1,1\n", RecordingForeign, "acc_x is there twice"),
        (HEADER.encode() + b'\n0,0,0,9.81,0,0,0\n"0.01,0,0,9.81,0,0,0\n', RecordingDamaged, "not a table"),
    ],
)
def test_files_that_are_no_recordings(tmp_path: Path, data: bytes, error: type[ImuError], sentence: str) -> None:
    (tmp_path / "r.csv").write_bytes(data)
    with pytest.raises(error, match=sentence) as raised:
        read_recording(tmp_path / "r.csv")
    assert "\n" not in str(raised.value)


def test_missing_columns_name_the_ones_that_look_like_them(tmp_path: Path, good: str) -> None:
    strange = good.replace(HEADER, "Timestamp,Accel X,acc_y,acc_z,gyr_x,wy,GyroZ")
    with pytest.raises(RecordingForeign) as raised:
        read_recording(write(tmp_path / "r.csv", strange))
    assert "'Timestamp' to time_s, 'Accel X' to acc_x, 'wy' to gyr_y, 'GyroZ' to gyr_z" in str(raised.value)


@pytest.mark.parametrize(
    ("time", "sentence"),
    [
        ("stamp", r"the columns time_s, acc_x are .* 'stamp' to time_s, .*--columns \"time_s=stamp,acc_x=Accel X\""),
        ("id,stamp", r"one of 'id', 'stamp': rename .*, the time to time_s, .*--columns \"time_s=NAME,acc_x=Accel X\""),
    ],
)
def test_an_advised_map_of_columns_names_the_time_too(tmp_path: Path, time: str, sentence: str) -> None:
    with pytest.raises(RecordingForeign, match=sentence):
        read_recording(write(tmp_path / "r.csv", f"{time},Accel X,acc_y,acc_z,gyr_x,gyr_y,gyr_z\n1,2,3,4,5,6,7,8\n"))


@pytest.mark.parametrize("cut", ["half", "checksum", "flipped"])
def test_damaged_gzip(tmp_path: Path, cut: str) -> None:
    whole = gzip.compress(text_of(bows(duration_s=30)).encode())
    damaged = {
        "half": whole[: len(whole) // 2],
        "checksum": whole[:-8] + b"12345678",
        "flipped": whole[:3000] + b"\xff\x00\xff\x00" + whole[3004:],
    }[cut]
    (tmp_path / "r.csv.gz").write_bytes(damaged)
    with pytest.raises(RecordingDamaged, match="cut short or damaged: copy it again"):
        read_recording(tmp_path / "r.csv.gz")


def test_file_that_may_not_be_read(tmp_path: Path, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path / "r.csv", good)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RecordingDamaged, match="may not be read"):
        read_recording(path)


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.csv")
    with pytest.raises(RecordingForeign, match="not a file"):
        read_recording(tmp_path / "r.csv")


@given(
    start=st.sampled_from(
        [b"", HEADER.encode() + b"\n", HEADER.encode() + b"\n0,0,0,9.81,0,0,0\n", b"\x1f\x8b", b"PAR1"]
    ),
    junk=st.one_of(st.binary(max_size=300), st.text("0123456789.,;-e\n\"'nai \r#", max_size=300).map(str.encode)),
    name=st.sampled_from(["r.csv", "r.csv.gz", "r.parquet"]),
    compressed=st.booleans(),
)
def test_any_bytes_are_a_recording_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, junk: bytes, name: str, compressed: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(gzip.compress(start + junk) if compressed else start + junk)
    try:
        recording = read_recording(path)
    except ImuError as error:
        assert str(error)
        assert "\n" not in str(error)
    else:
        assert len(recording.block) == recording.rows >= 2


# --- wrong times -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "sentence"),
    [
        (1e3, r"milliseconds \(steps of 10\): divide it by 1,000$"),
        (1e6, "microseconds .*divide it by 1,000,000$"),
        (1e9, "nanoseconds .*divide it by 1,000,000,000$"),
        (1e2, "milliseconds or a count of rows"),
        (10, "rows come at 10 Hz, we read 20 to 1000 Hz"),
        (0.01, "rows come at 1e[+]04 Hz, we read 20 to 1000 Hz"),
        (0, "is the same in every row"),
        (-1, "runs backwards"),
    ],
)
def test_time_in_other_units(tmp_path: Path, rows: np.ndarray, factor: float, sentence: str) -> None:
    rows = rows.copy()
    rows[:, 0] *= factor
    with pytest.raises(RecordingForeign, match=sentence):
        read_recording(write(tmp_path / "r.csv", text_of(rows)))


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S,%f+02:00", '"%Y-%m-%d %H:%M:%S.%f"']
)
@pytest.mark.parametrize("piece_rows", [250, 100_000])
def test_time_as_dates(
    tmp_path: Path, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch, form: str, piece_rows: int
) -> None:
    monkeypatch.setattr(table_files, "PIECE_BYTES", 60 * piece_rows)
    start = datetime(2024, 5, 1, 23, 59, 55)
    lines = [
        ";".join([(start + timedelta(seconds=row[0])).strftime(form), *(f"{cell:.6f}" for cell in row[1:])])
        for row in rows
    ]
    if "," in form:  # and decimal commas in all cells
        lines = [line.replace(".", ",") for line in lines]
    lines[300] = "yesterday" + lines[300][lines[300].index(";") :]
    path = write(tmp_path / "r.csv", "\n".join([HEADER.replace(",", ";"), *lines]))
    recording = read_recording(path)
    readable = np.arange(len(rows)) != 300
    assert recording.first_unreadable == "time_s in data row 301 is 'yesterday'"
    np.testing.assert_allclose(recording.block.device_time_s[readable], rows[readable, 0] - rows[0, 0], atol=1e-6)
    np.testing.assert_array_equal(recording.block.acceleration_m_s2, rows[:, 1:4])
    zone = {"Z": UTC, "0": timezone(timedelta(hours=2))}.get(form[-1])
    first = start + timedelta(seconds=rows[0, 0])
    assert recording.started_at == (first.astimezone() if zone is None else first.replace(tzinfo=zone))


def test_other_dates_are_refused_with_the_form_that_is_read(tmp_path: Path, good: str) -> None:
    lines = good.splitlines()
    dated = [f"1.5.2024 10:00:00.{i:03d},{line.split(',', 1)[1]}" for i, line in enumerate(lines[1:900])]
    path = write(tmp_path / "r.csv", "\n".join([HEADER, *dated]))
    with pytest.raises(RecordingForeign, match=r"data row 1 is '1.5.2024 10:00:00\.000'.*dates as 2026-11-30T18:30:00"):
        read_recording(path)
    assert open_recording(path).started_at is None


def test_two_recordings_in_one_file(tmp_path: Path, good: str) -> None:
    with pytest.raises(RecordingForeign, match=r"jumps back by 30\.0 s at data row 3002"):  # the second header is a row
        read_recording(write(tmp_path / "r.csv", good + good))


# --- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "sentence"),
    [
        (1 / 9.81, r"looks like g \(\|a\| at rest is 1 in the file, not 9\.81\): convert with --acc-unit g"),
        (1000 / 9.81, "looks like mg"),
        (2048 / 9.81, "no unit that we know"),
        (0.3, "no unit that we know"),
        (0.002, "gravity had been taken out"),
        (0, "0 in every row"),
    ],
)
def test_acceleration_in_other_units(tmp_path: Path, rows: np.ndarray, factor: float, sentence: str) -> None:
    rows = rows * ([1] + [factor] * 3 + [1] * 3)
    with pytest.raises(RecordingForeign, match=sentence):
        read_recording(write(tmp_path / "r.csv", text_of(rows)))


def test_gyroscope_in_degrees(tmp_path: Path, rows: np.ndarray) -> None:
    rows = rows * ([1] * 4 + [180 / np.pi] * 3)
    with pytest.raises(RecordingForeign, match=r"looks like deg/s .*convert with --gyr-unit deg/s"):
        read_recording(write(tmp_path / "r.csv", text_of(rows)))


def test_units_given_are_converted(tmp_path: Path, rows: np.ndarray) -> None:
    path = write(tmp_path / "r.csv", text_of(rows / ([1] + [9.80665] * 3 + [np.pi / 180] * 3)))
    block = read_recording(path, acceleration_unit="g", angular_velocity_unit="deg/s").block
    np.testing.assert_allclose(block.acceleration_m_s2, rows[:, 1:4], atol=1e-12)
    np.testing.assert_allclose(block.angular_velocity_rad_s, rows[:, 4:7], atol=1e-12)


def test_wrong_units_are_refused(tmp_path: Path, good: str) -> None:
    path = write(tmp_path / "r.csv", good)
    with pytest.raises(RecordingForeign, match="m/s² already, not g: leave out --acc-unit g"):
        read_recording(path, acceleration_unit="g")
    with pytest.raises(RecordingForeign, match="rad/s already, not deg/s: leave out --gyr-unit deg/s"):
        read_recording(path, angular_velocity_unit="deg/s")
    with pytest.raises(ValueError, match="'mg'"):
        read_recording(path, acceleration_unit="mg")  # type: ignore[arg-type]


@pytest.mark.parametrize("rate_hz", [20, 100, 1000])
def test_gyroscope_offset_of_20_degrees_is_no_other_unit(rate_hz: float) -> None:
    check_units(bows(rate_hz, offset_rad_s=0.35), "m/s2", "rad/s")
    still = bows(rate_hz, offset_rad_s=0.35)
    still = still[still[:, 0] < 2]
    check_units(still, "m/s2", "rad/s")


def test_gyroscope_offset_does_not_hide_the_unit() -> None:
    rows = bows(offset_rad_s=0.35, bow_rad=0.2) * ([1] * 4 + [np.pi / 180] * 3)
    with pytest.raises(RecordingForeign, match="rad/s already"):
        check_units(rows, "m/s2", "deg/s")


def test_nothing_is_concluded_across_a_hole() -> None:
    rows = bows(duration_s=40)
    rows[2000:, 0] += 100
    rows[2000:, 1:4] *= -1  # worn upside down after it: a straight line across the hole would pass through zero gravity
    check_units(rows, "m/s2", "rad/s")


def sisfall_trials() -> list[tuple[str, np.ndarray]]:
    index = pd.read_csv(SISFALL / "index.csv")
    return [
        (activity, pd.read_csv(SISFALL / file).to_numpy())
        for file, activity in zip(index.file, index.activity, strict=True)
    ]


def refused(rows: np.ndarray, factors: list[float], *units: str) -> bool:
    try:
        check_units(rows * factors, *units)
    except RecordingForeign:
        return True
    return False


@pytest.mark.people
@needs_sisfall
def test_units_of_real_recordings() -> None:
    right, in_g, in_degrees, exercises_in_degrees = 0, 0, 0, 0
    trials = sisfall_trials()
    exercises = sum(activity in ("squat", "hinge") for activity, _ in trials)
    for activity, rows in trials:
        right += not refused(rows, [1.0] * 7, "m/s2", "rad/s")
        in_g += refused(rows, [1.0] + [1 / 9.80665] * 3 + [1.0] * 3, "m/s2", "rad/s")
        is_refused = refused(rows, [1.0] * 4 + [180 / np.pi] * 3, "m/s2", "rad/s")
        in_degrees += is_refused
        exercises_in_degrees += is_refused and activity in ("squat", "hinge")
    assert right == in_g == len(trials) == 1429
    assert exercises_in_degrees == exercises
    assert in_degrees >= 0.98 * len(trials)


@pytest.mark.people
@needs_sisfall
def test_real_recordings_are_read_as_they_are() -> None:
    for path in find_recordings([SISFALL / "SA01", SISFALL / "SE08"]):
        recording = read_recording(path)
        assert (recording.rows_sorted, recording.rows_unreadable) == (0, 0)
        assert recording.sampling_rate_hz == pytest.approx(200)


# --- Parquet ---------------------------------------------------------------------------------------------------------


def test_parquet(tmp_path: Path, rows: np.ndarray) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    path = tmp_path / "r.parquet"
    frame[list(reversed(COLUMNS))].assign(note="x").to_parquet(path)
    assert_rows(path, rows)
    frame.set_index("time_s").to_parquet(path)
    assert_rows(path, rows)
    frame.assign(acc_x=frame.acc_x.astype(str)).to_parquet(path)
    assert_rows(path, rows)

    frame.drop(columns="acc_x").to_parquet(path)
    with pytest.raises(RecordingForeign, match="the column acc_x is missing"):
        read_recording(path)
    dates = pd.to_datetime(frame.time_s, unit="s")
    frame.assign(time_s=dates.dt.tz_localize("Europe/Berlin")).to_parquet(path)
    np.testing.assert_allclose(read_recording(path).block.device_time_s, rows[:, 0] - rows[0, 0], atol=1e-6)
    frame.assign(acc_x=dates).to_parquet(path)
    with pytest.raises(RecordingForeign, match="acc_x holds dates"):
        read_recording(path)
    frame.iloc[:0].to_parquet(path)
    with pytest.raises(RecordingDamaged, match="no row of data"):
        read_recording(path)
    frame.to_parquet(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(RecordingDamaged, match="cut short or damaged"):
        read_recording(path)


def test_a_damaged_footer_of_parquet_is_one_line(tmp_path: Path, rows: np.ndarray) -> None:
    """Arrow's own sentence ends in a line break: found by fuzzing."""
    path = tmp_path / "r.parquet"
    pd.DataFrame(rows, columns=COLUMNS).to_parquet(path)
    whole = path.read_bytes()
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(whole[:start] + b"\xff" * 40 + whole[start + 40 :])
    with pytest.raises(
        RecordingDamaged, match=r"^the file cannot be read \(Couldn't deserialize thrift.*\)$"
    ) as raised:
        read_recording(path)
    assert "\n" not in str(raised.value)


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RecordingForeign, match=r'python -m pip install "imu-training\[parquet\]"'):
        read_recording(write(tmp_path / "r.parquet", "PAR1"))


@pytest.mark.process
def test_a_short_recording_is_replayed_without_slow_imports(tmp_path: Path, good: str) -> None:
    slow = "pandas, pyarrow, scipy.signal, sqlite3, mcap, pydantic, numpy.ma, concurrent.futures, logging, hashlib"
    code = (
        "import sys; from imu.app.cli import app; path, slow = sys.argv[1:]; "
        "app(['replay', path], standalone_mode=False); print([one for one in slow.split(', ') if one in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(write(tmp_path / "r.csv", good)), slow]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert (str(tmp_path) in lines[0], lines[-1]) == (True, "[]")


@pytest.mark.parametrize("piece", [1_000, 4 * 2**20])
def test_a_file_that_is_cut_in_its_last_line_is_read_up_to_there(
    tmp_path: Path, good: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_files, "PIECE_BYTES", piece)
    lines = good.splitlines(keepends=True)[:200]
    lines[1:] = [f"98{line}" for line in lines[1:]]  # a time whose end is missing is that of another recording
    for cut in range(1, len(lines[-1])):
        recording = read_recording(write(tmp_path / "r.csv", "".join(lines)[:-cut]))
        *before, last = lines[-1][:-cut].split(",")
        whole = len(before) == 6 and last not in ("", "-")
        assert (recording.rows, recording.rows_unreadable) == (199, int(not whole)), lines[-1][:-cut]


@pytest.mark.parametrize(
    ("form", "is_plain"),
    [("%.4f", True), ("%.6g", True), ("%.13f", True), ("%.3e", True), ("%.16f", False), ("%.15e", False)],
)
def test_numpy_and_pandas_read_the_same_numbers(
    form: str, is_plain: bool, tmp_path: Path, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = rows * np.random.default_rng(3).uniform(0.7, 1.0, rows.shape)  # digits up to the last
    numbers[:, 0], numbers[:, 1:] = rows[:, 0], numbers[:, 1:] % (9 if form == "%.13f" else 99)
    lines = [",".join([f"{row[0]:.2f}", *(form % value for value in row[1:])]) for row in numbers]
    path = write(tmp_path / "r.csv", "\n".join([HEADER, *lines]) + "\n")
    header = Header(COLUMNS, ",", ".", 0)
    assert (table_files._plain_numbers(path.read_bytes(), header, range(7)) is not None) == is_plain
    by_numpy = [table.rows for table in table_files.read_tables(path)]
    monkeypatch.setattr(table_files, "_plain_numbers", lambda *_: None)
    by_pandas = [table.rows for table in table_files.read_tables(path)]
    np.testing.assert_array_equal(np.concatenate(by_numpy), np.concatenate(by_pandas))
