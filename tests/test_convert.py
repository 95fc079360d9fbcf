"""Converting: any recording that is read, written in our own format, replays to the same; nothing is overwritten."""

from __future__ import annotations

import errno
import importlib
import os
import random
import re
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foreign_exports import DEGREE, EXPORTS, G, in_folder, sensor_logger_ios, simulated, summary_of
from typer.testing import CliRunner

from imu.app.cli import app
from imu.errors import FileThere, ImuError, NotWritten, RecordingNotWritten
from imu.recordings.checks import COLUMNS
from imu.recordings.conversion import convert
from imu.recordings.recording import read_recording
from imu.session import SessionSummary


@cache
def summary_of_source(name: str) -> SessionSummary:
    """Return the summary of another app's export."""
    with tempfile.TemporaryDirectory() as folder:
        return summary_of(EXPORTS[name](Path(folder)))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("Sensor Logger, iOS", ".csv"),
        ("phyphox, zip, decimal commas", ".csv.gz"),
        ("Movella DOT", ".parquet"),
        ("MetaBase, zip", ".csv"),
        ("MetaBase, zip", ".csv.gz"),
        ("MetaBase, zip", ".parquet"),
        ("Movesense, data logger", ".csv"),
    ],
)
def test_a_converted_recording_replays_the_same(tmp_path: Path, name: str, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="needs pyarrow")
    source, target = EXPORTS[name](tmp_path), tmp_path / f"out{suffix}"
    assert convert(source, target).path == source
    assert summary_of(target) == summary_of_source(name)
    assert not list(tmp_path.glob(".*"))


def test_our_own_formats_are_converted_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = np.column_stack((np.arange(900) / 100, rng.normal(0, 1, (900, 6))))
    rows[:, 3] += 9.81
    rows[5, 2] = np.nan
    rows[[7, 8]] = rows[[8, 7]]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    (tmp_path / "a.csv").write_text(frame.to_csv(index=False), encoding="ascii")
    convert(tmp_path / "a.csv", tmp_path / "b.csv.gz")
    convert(tmp_path / "b.csv.gz", tmp_path / "c.csv")
    convert(tmp_path / "c.csv", tmp_path / "d.csv.gz")
    assert (tmp_path / "b.csv.gz").read_bytes() == (tmp_path / "d.csv.gz").read_bytes()
    one, other = read_recording(tmp_path / "a.csv"), read_recording(tmp_path / "c.csv")
    assert (other.rows_unreadable, other.rows_sorted) == (1, 0)
    np.testing.assert_array_equal(one.block.acceleration_m_s2, other.block.acceleration_m_s2)
    np.testing.assert_array_equal(one.block.angular_velocity_rad_s, other.block.angular_velocity_rad_s)


def test_units_are_converted_too(tmp_path: Path) -> None:
    block = simulated()
    rows = np.column_stack((block.device_time_s, block.acceleration_m_s2 / G, block.angular_velocity_rad_s / DEGREE))
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(tmp_path / "a.csv", index=False)
    result = CliRunner().invoke(
        app, ["convert", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--acc-unit", "g", "--gyr-unit", "deg/s"]
    )
    assert result.exit_code == 0, result.output
    np.testing.assert_allclose(read_recording(tmp_path / "b.csv").block.acceleration_m_s2, block.acceleration_m_s2)


@pytest.mark.parametrize(
    ("units", "options", "sentence"),
    [
        ((G, 1.0), (), "acceleration looks like g (|a| at rest is 1 in the file, not 9.81): convert with --acc-unit g"),
        ((G, DEGREE), ("--acc-unit", "g"), "convert with --gyr-unit deg/s"),
        (
            (1.0, 1.0),
            ("--acc-unit", "g", "--gyr-unit", "deg/s"),
            "which is m/s² already, not g: leave out --acc-unit g",
        ),
    ],
)
def test_wrong_units_are_one_sentence(
    tmp_path: Path, units: tuple[float, float], options: tuple[str, ...], sentence: str
) -> None:
    block = simulated()
    columns = (block.device_time_s, block.acceleration_m_s2 / units[0], block.angular_velocity_rad_s / units[1])
    source = tmp_path / "a.csv"
    pd.DataFrame(np.column_stack(columns), columns=list(COLUMNS)).to_csv(source, index=False)
    result = CliRunner().invoke(app, ["convert", str(source), str(tmp_path / "b.csv"), *options])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.output
    assert result.stderr.startswith(f"{source}: ") and sentence in result.stderr
    assert list(tmp_path.iterdir()) == [source]


def test_the_command_tells_what_it_wrote_and_never_overwrites(tmp_path: Path) -> None:
    source, target = EXPORTS["MetaBase, zip"](tmp_path), tmp_path / "out.csv"
    result = CliRunner().invoke(app, ["convert", str(source), str(target)])
    assert (result.exit_code, result.stdout) == (0, f"{target}: {len(pd.read_csv(target))} rows at 100 Hz\n")
    kept = target.read_bytes()
    other = EXPORTS["Movella DOT"](tmp_path)
    result = CliRunner().invoke(app, ["convert", str(other), str(target)])
    assert result.exit_code == 1
    assert "exists already and was left alone; name another file, or use --force" in result.stderr
    assert target.read_bytes() == kept
    assert CliRunner().invoke(app, ["convert", str(other), str(target), "--force"]).exit_code == 0
    assert target.read_bytes() != kept
    kept = target.read_bytes()
    onto_itself = CliRunner().invoke(app, ["convert", str(target), str(target), "--force"])
    assert (onto_itself.exit_code, target.read_bytes() == kept) == (1, True)
    assert "is the recording itself: name another file" in onto_itself.stderr


def test_a_file_that_comes_up_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = EXPORTS["Movella DOT"](tmp_path), tmp_path / "out.csv"
    for links in (True, False):
        target.unlink(missing_ok=True)
        with monkeypatch.context() as patch:

            def arrives(written: object, path: Path, _: Path) -> None:
                target.write_text("mine", encoding="ascii")

            def no_links(*_: object) -> None:
                raise OSError(1, "Operation not permitted")

            patch.setattr("imu.recordings.conversion._compare", arrives)
            if not links:
                patch.setattr("os.link", no_links)
            with pytest.raises(FileThere, match="exists already"):
                convert(source, target)
        assert target.read_text(encoding="ascii") == "mine"
        assert not list(tmp_path.glob(".*"))
    target.unlink()
    monkeypatch.setattr("os.link", no_links)
    convert(source, target)
    assert summary_of(target).samples


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "(No space left on device): free some space there, or name another place"),
        (errno.EACCES, "(Permission denied): allow that, or name another place"),
        (errno.EROFS, "(Read-only file system): mend that, or name another place"),
    ],
)
def test_what_cannot_be_written_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    def failing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", failing)
    with pytest.raises(NotWritten, match=re.escape(sentence)):
        convert(EXPORTS["Movella DOT"](tmp_path), tmp_path / "out.csv")


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = EXPORTS["Movella DOT"](tmp_path), tmp_path / "out.csv"
    target.write_text("mine", encoding="ascii")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(NotWritten, match=r"out\.csv cannot be written .No space left on device."):
            convert(source, target, force=True)
    kept = importlib.import_module("imu.recordings.conversion")._rows
    with monkeypatch.context() as patch:
        patch.setattr("imu.recordings.conversion._rows", lambda block: kept(block) + random.random())
        with pytest.raises(RecordingNotWritten, match="because its numbers are not read to their last digit"):
            convert(source, target, force=True)
    assert target.read_text(encoding="ascii") == "mine"
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_folder(tmp_path / "r", sensor_logger_ios())
    in_folder(tmp_path / "s", sensor_logger_ios())
    cases = {
        "names no format: end it in .csv, .csv.gz or .parquet": (tmp_path / "r", tmp_path / "out.txt"),
        "is a folder: name the file to write in it": (tmp_path / "r", in_folder(tmp_path / "x.csv", {"a": b""})),
        "make it first": (tmp_path / "r", tmp_path / "nowhere/out.csv"),
        "it holds 2 recordings: name one of them, as": (tmp_path, tmp_path / "out.csv"),
        "no such file or folder": (tmp_path / "gone.csv", tmp_path / "out.csv"),
    }
    for sentence, (source, target) in cases.items():
        with pytest.raises(ImuError, match=sentence):
            convert(source, target)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImuError, match=r'python -m pip install "imu-training\[parquet\]"'):
        convert(tmp_path / "r", tmp_path / "out.parquet")
    assert not list(tmp_path.glob(".*"))
