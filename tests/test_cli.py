"""The command line: output for programs and for people, exit codes, and the end by a signal."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import imu.__main__ as program
from imu.app.cli import app
from imu.errors import ImuError
from imu.library import count
from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.recordings.folders import names_of_recordings
from imu.report.cues import cues
from imu.report.objects import session_object
from imu.report.replay import Failed, Replayed, ReplayOptions, replay
from imu.report.session_view import view_of_replayed
from imu.report.terminal_pages import OneLineEach, session_page
from imu.report.words import clock, load, reasons
from imu.samples import Gap, RowFaults
from imu.session import SessionSummary, TrainingSet
from imu.store.home import copy_recording
from imu.virtual.person import Daily, Exercise, Lifter, Rest, Sensor, simulate

HEADER = "time_s,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"

KEYS = {"recording", "duration_s", "sampling_rate_hz", "samples", "gaps", "sets", "rejected", "totals"}
SET_KEYS = {"start_s", "end_s", "pattern", "reps"}
REPETITION_KEYS = {
    "start_s",
    "bottom_s",
    "end_s",
    "confirmed_s",
    "pattern",
    "confidence",
    "trunk_angle_deg",
    "hip_drop_m",
    "eccentric_s",
    "pause_s",
    "concentric_s",
    "mean_concentric_velocity_m_s",
    "peak_concentric_velocity_m_s",
}
MORE_REPETITION_KEYS = {"angle_at_bottom_deg", "sideways_tilt_deg", "turn_deg", "trunk_lead_s", "hip_drop_from"}


def write(path, rows):
    np.savetxt(path, rows, delimiter=",", header=HEADER, comments="", fmt="%.7g")
    return path


def rows_of(plan, seed):
    block = simulate(plan, Lifter(), Sensor.ideal(), seed).block
    return np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))


@pytest.fixture(scope="session")
def squats():
    return rows_of([Rest(3), Exercise("air_squat", 3), Rest(3)], 1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory, squats):
    """Two recordings, one that is broken, and things that are no recordings."""
    folder = tmp_path_factory.mktemp("recordings")
    write(folder / "a_squats.csv", squats)
    (folder / "b_broken.csv").write_text("nothing,of,ours\n1,2,3\n")
    write(folder / "c_hinges.csv", rows_of([Rest(3), Exercise("romanian_deadlift", 3), Rest(2), Daily("walking")], 2))
    (folder / "index.csv").write_text("file\na\n")
    (folder / ".hidden.csv").write_text("")
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A store of its own for each test."""
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "home"))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONIOENCODING"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def run(*arguments):
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def imu(*arguments, **options):
    """Run a command as a program of its own."""
    command = [sys.executable, "-W", "error", "-m", "imu.app.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **options)


def objects(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def repetition(pattern=Pattern.SQUAT, start_s=5.0, **changes):
    usual = Repetition(
        start_s=start_s,
        bottom_s=start_s + 1,
        end_s=start_s + 2,
        confirmed_s=start_s + 2.1,
        pattern=pattern,
        confidence=0.9876,
        trunk_angle_rad=0.6 if pattern is Pattern.SQUAT else 0.9,
        hip_drop_m=0.4,
        eccentric_s=1.0,
        pause_s=0.0,
        concentric_s=1.0,
        mean_concentric_velocity_m_s=0.4,
        peak_concentric_velocity_m_s=0.61,
        angle_at_bottom_rad=0.6,
        sideways_tilt_rad=-0.0001,
        turn_rad=0.0,
        trunk_lead_s=0.2,
    )
    return replace(usual, **changes)


def summary(*sets, rejected=(), **changes):
    made = SessionSummary(
        duration_s=61.2,
        sampling_rate_hz=100.0,
        samples=6120,
        gaps=(Gap(3.1, 3.4),),
        faults=RowFaults(repeated=1, not_finite=3),
        sets=tuple(TrainingSet(tuple(one_set)) for one_set in sets),
        rejected=tuple(rejected),
    )
    return replace(made, **changes)


def shown(part, width=80):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(part)
    return capture.get()


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_json_object_has_the_keys_of_the_design_and_the_announced_ones_more():
    alone = RejectedMovement(40.0, 44.0, "alone", repetition())
    found = session_object("a.csv", summary([repetition()] * 2, rejected=[alone, RejectedMovement(50, 51, "sat down")]))
    assert set(found) == KEYS | {"faults"}
    assert found["gaps"] == [{"start_s": 3.1, "end_s": 3.4}]
    assert found["faults"] == {"repeated": 1, "out_of_order": 0, "not_finite": 3, "clipped": 0}
    assert found["totals"] == {"squat": 2, "hinge": 0, "uncertain": 0}
    (one_set,) = found["sets"]
    assert set(one_set) == SET_KEYS
    assert set(one_set["reps"][0]) == REPETITION_KEYS | MORE_REPETITION_KEYS
    assert found["rejected"][0]["repetition"] == one_set["reps"][0]
    assert found["rejected"][1] == {"start_s": 50, "end_s": 51, "reason": "sat down"}


def test_json_numbers_are_rounded_and_in_their_units():
    (rep,) = session_object("a.csv", summary([repetition()]))["sets"][0]["reps"]
    assert (rep["trunk_angle_deg"], rep["confidence"], rep["confirmed_s"]) == (34.4, 0.988, 7.1)
    assert str(rep["sideways_tilt_deg"]) == "0.0"
    assert session_object("a.csv", summary(sampling_rate_hz=None))["sampling_rate_hz"] is None


def test_replay_prints_one_object_per_recording_in_order_and_goes_on_after_a_broken_one(folder):
    result = run("replay", "--json", folder / "c_hinges.csv", folder)
    found = objects(result)
    assert result.exit_code == 1
    names = ["c_hinges.csv", "a_squats.csv", "b_broken.csv", "c_hinges.csv"]
    assert [one["recording"] for one in found] == [str(folder / name) for name in names]
    assert set(found[2]) == {"recording", "error"}
    assert "column" in found[2]["error"]
    assert found[0]["sets"] == found[3]["sets"]
    for one in (found[1], found[3]):
        assert sum(one["totals"].values()) == sum(len(one_set["reps"]) for one_set in one["sets"]) > 1


def test_a_recording_is_called_as_it_was_given(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert names_of_recordings(["./a_squats.csv", "none.csv"]) == ["./a_squats.csv", "none.csv"]
    inside = ["a_squats.csv", "b_broken.csv", "c_hinges.csv"]
    assert names_of_recordings(["."]) == [f".{os.sep}{name}" for name in inside]
    assert names_of_recordings([""]) == inside
    assert names_of_recordings([f"{folder}/"]) == [f"{folder}/{name}" for name in inside]


@pytest.fixture
def archive(folder, tmp_path):
    """A zip of the recordings, one of them damaged in it, and of things that are no recordings."""
    packed = tmp_path / "week.zip"
    with zipfile.ZipFile(packed, "w") as writing:
        for name in ("a_squats.csv", "b_broken.csv", "c_hinges.csv", "index.csv"):
            writing.write(folder / name, f"deep/{name}")
        writing.writestr("deep/d_cut.csv", "time_s\n0.00000\n" * 50)
        writing.writestr("../outside.csv", "time_s\n1\n")
    packed.write_bytes(packed.read_bytes().replace(b"0.00000", b"9.00000", 1))
    return packed


def test_a_zip_of_recordings_counts_as_the_folder_that_it_was_made_of(archive, folder, monkeypatch, home):
    monkeypatch.chdir(archive.parent)
    monkeypatch.setattr("tempfile.tempdir", str(archive.parent / "temporary"))
    (archive.parent / "temporary").mkdir()
    result = run("replay", "--json", "--save", "--date", "2026-03-01", "week.zip", folder / "a_squats.csv")
    found = {one.pop("recording"): one for one in objects(result)}
    inside = [f"week.zip/deep/{name}" for name in ("a_squats.csv", "b_broken.csv", "c_hinges.csv")]
    assert list(found) == [*inside, "week.zip/outside.csv", "week.zip/deep/d_cut.csv", str(folder / "a_squats.csv")]
    assert (result.exit_code, "columns" in found[inside[1]]["error"]) == (1, True)
    assert found["week.zip/deep/d_cut.csv"]["error"].startswith("it cannot be unpacked (Bad CRC-32")
    assert found[inside[0]] == found[str(folder / "a_squats.csv")] and found[inside[2]]["totals"]["hinge"] > 1
    kept = sorted(path.name for path in (home / "recordings").iterdir())
    assert kept == ["a_squats.csv", "c_hinges.csv"] and not (archive.parent / "outside.csv").exists()
    lines = run("replay", "week.zip").output
    assert "2, 3 could not be read" in lines and re.search(r"^c_hinges\.csv", lines.replace("deep/", ""), re.MULTILINE)
    assert not list((archive.parent / "temporary").iterdir())


def test_every_command_reads_a_zip_and_one_recording_in_it(archive, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    several = "it holds 5 recordings: name one of them, as week.zip/deep/a_squats.csv"
    for command in (("convert", "week.zip", "out.csv"), ("plot", "week.zip")):
        result = run(*command)
        assert (result.exit_code, several in result.stderr) == (1, True), result.stderr
    inside = "week.zip/deep/a_squats.csv"
    (alone,) = objects(run("replay", "--json", folder / "a_squats.csv"))
    for given in (inside, f"./{inside}", str(tmp_path / inside)):
        (named,) = objects(run("replay", "--json", given))
        assert named == alone | {"recording": given}
    assert run("convert", inside, "out.csv").exit_code == run("plot", inside).exit_code == 0
    (converted,) = objects(run("replay", "--json", "out.csv"))
    assert converted["sets"] == alone["sets"] and Path("a_squats.png").stat().st_size > 10_000
    assert "cannot be unpacked" in run("convert", "week.zip/deep/d_cut.csv", "other.csv").stderr
    missing = run("replay", "--json", "week.zip/deep/none.csv")
    assert "no such file" in objects(missing)[0]["error"] and missing.exit_code == 1
    with zipfile.ZipFile("one.zip", "w") as packed:
        packed.write(folder / "a_squats.csv", "a_squats.csv")
    assert run("convert", "one.zip", "again.csv").exit_code == run("plot", "one.zip").exit_code == 0
    assert Path("again.csv").read_bytes() == Path("out.csv").read_bytes()


def test_a_zip_in_a_folder_is_not_passed_over(archive, tmp_path):
    """One in another zip is named, and not unpacked; so is one without a byte."""
    (tmp_path / "days").mkdir()
    (tmp_path / "days/cut.zip").touch()
    archive.rename(tmp_path / "days/week.zip")
    with zipfile.ZipFile(tmp_path / "days/photos.zip", "w") as packed:
        packed.writestr("beach.jpg", b"")
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr("a.csv", HEADER)
    with zipfile.ZipFile(tmp_path / "days/years.zip", "w") as packed:
        packed.writestr("week.zip", inner.getvalue())
    found = {one["recording"]: one for one in objects(run("replay", "--json", tmp_path / "days"))}
    names = ["a_squats.csv", "b_broken.csv", "c_hinges.csv"]
    week = f"{tmp_path}/days/week.zip"
    assert "the file is empty" in found[f"{tmp_path}/days/cut.zip"]["error"]
    assert list(found) == [
        f"{tmp_path}/days/cut.zip",
        *(f"{week}/deep/{name}" for name in names),
        *(f"{week}/outside.csv", f"{week}/deep/d_cut.csv", f"{tmp_path}/days/years.zip/week.zip"),
    ]
    assert "unpack it" in found[f"{tmp_path}/days/years.zip/week.zip"]["error"]


@pytest.mark.parametrize(("limit", "most"), [("LARGEST_ARCHIVE", 1000), ("MOST_IN_ARCHIVE", 3)])
def test_a_zip_beyond_the_limits_is_left_packed(archive, monkeypatch, limit, most):
    monkeypatch.setattr(f"imu.recordings.folders.{limit}", most)
    result = run("replay", archive)
    assert (result.exit_code, "unpack it, and give some of" in result.stderr) == (1, True)


def test_zips_do_not_fill_the_disk(archive, folder, tmp_path, monkeypatch):
    """Of two that are unpacked at once, the second finds no room."""
    shutil.copy(archive, tmp_path / "year.zip")
    size_bytes = sum(one.file_size for one in zipfile.ZipFile(archive).infolist())
    free = [3 * size_bytes, size_bytes]
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free.pop(0)))
    *first, second = objects(run("replay", "--json", archive, tmp_path / "year.zip"))
    assert len(first) == 5 and second["recording"] == str(tmp_path / "year.zip")
    assert "half of what is free" in second["error"] and "give fewer archives at once" in second["error"]


def test_a_zip_without_a_recording_or_with_a_password_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "notes.zip", "w") as packed:
        packed.writestr("notes.txt", "nothing")
    locked = (tmp_path / "notes.zip").read_bytes()
    at = locked.index(b"PK\x01\x02") + 8  # the flags in the table of contents
    (tmp_path / "locked.zip").write_bytes(locked[:at] + b"\1" + locked[at + 1 :])
    result = run("replay", tmp_path / "notes.zip", tmp_path / "locked.zip")
    assert (result.exit_code, "holds no recording" in result.stderr, "password" in result.stderr) == (1, True, True)


@pytest.mark.parametrize("damage", ["content", "version"])
def test_a_zip_with_damaged_lzma_deep_folders_and_long_names_gives_one_sentence_for_each(tmp_path, folder, damage):
    packed = tmp_path / "hostile.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as writing:
        writing.writestr("d/" * 900 + "deep.csv", "time_s\n1\n")
        writing.writestr(f"{'x' * 60_000}.csv", "time_s\n1\n")
        writing.writestr("a.csv", (folder / "a_squats.csv").read_bytes())
    content = bytearray(packed.read_bytes())
    at, changed = (content.index(b"a.csv") + 200, 20) if damage == "content" else (content.index(b"PK\1\2") + 6, 1)
    content[at : at + changed] = b"\xc0" * changed
    packed.write_bytes(content)
    errors = [one["error"] for one in objects(run("replay", "--json", packed))]
    assert len(errors) == (3 if damage == "content" else 1) and max(map(len, errors)) < 300, errors
    assert not any("report that" in error for error in errors)


def test_a_zip_of_thousands_is_parsed_once(tmp_path, monkeypatch):
    packed = tmp_path / "many.zip"
    with zipfile.ZipFile(packed, "w") as writing:
        for number in range(50):
            writing.writestr(f"{number}.csv", "x")
    opened = []
    parse = zipfile.ZipFile._RealGetContents
    monkeypatch.setattr(zipfile.ZipFile, "_RealGetContents", lambda self: (opened.append(self.filename), parse(self)))
    assert run("replay", packed).exit_code == 1
    assert len(opened) < 10, len(opened)


def test_missing_file_and_empty_folder_are_errors_of_their_own(tmp_path):
    result = run("replay", "--json", tmp_path / "none.csv", tmp_path)
    assert result.exit_code == 1
    assert [set(one) for one in objects(result)] == [{"recording", "error"}] * 2


def test_our_own_mistake_does_not_stop_the_others_either(folder, monkeypatch, caplog):
    monkeypatch.setattr("imu.report.replay.Session.finish", lambda _: 1 / 0)
    result = replay(str(folder / "a_squats.csv"), ReplayOptions())
    assert isinstance(result, Failed)
    assert "ZeroDivisionError" in result.reason
    assert "ZeroDivisionError" in caplog.text


def test_min_reps_is_the_least_size_of_a_set(folder):
    (few,), (many,) = (objects(run("replay", "--json", "--min-reps", n, folder / "a_squats.csv")) for n in (1, 99))
    counted = [rep for one in few["sets"] for rep in one["reps"]]
    alone = [one["repetition"] for one in many["rejected"] if one["reason"] == "alone"]
    assert many["sets"] == []
    assert alone == counted != []


def test_units_can_be_given(tmp_path, squats):
    other = squats / np.array([1] + [9.80665] * 3 + [np.pi / 180] * 3)
    path, si = write(tmp_path / "g_deg.csv", other), write(tmp_path / "si.csv", squats)
    (refused,) = objects(run("replay", "--json", path))
    assert "--acc-unit g" in refused["error"]
    (refused,) = objects(run("replay", "--json", "--acc-unit", "g", path))
    assert "--gyr-unit deg/s" in refused["error"]
    (counted,) = objects(run("replay", "--json", "--acc-unit", "g", "--gyr-unit", "deg/s", path))
    (usual,) = objects(run("replay", "--json", si))
    assert counted["totals"] == usual["totals"]
    assert sum(counted["totals"].values()) > 1
    assert run("replay", "--acc-unit", "mg", path).exit_code == 2


def test_columns_of_other_names_can_be_given(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (alone,) = objects(run("replay", "--json", folder / "a_squats.csv"))
    text = (folder / "a_squats.csv").read_text()
    Path("own.csv").write_text(text.replace(HEADER, "t,Total Acc X,Total Acc Y,Total Acc Z,wx,wy,wz"))
    (refused,) = objects(run("replay", "--json", "own.csv"))
    option = re.search('give --columns "(.*)"', refused["error"])[1]
    assert option == "time_s=t,acc_x=Total Acc X,acc_y=Total Acc Y,acc_z=Total Acc Z,gyr_x=wx,gyr_y=wy,gyr_z=wz"
    (mapped,) = objects(run("replay", "--json", "--columns", option, "own.csv"))
    assert mapped == alone | {"recording": "own.csv"}
    assert run("convert", "own.csv", "ours.csv", "--columns", option).exit_code == 0
    assert objects(run("replay", "--json", "ours.csv"))[0]["sets"] == alone["sets"]
    assert run("plot", "own.csv", "--columns", option).exit_code == 0
    columns = dict(pair.split("=") for pair in option.split(","))
    assert json.loads(count("own.csv", columns=columns).to_json())["sets"] == alone["sets"]
    with pytest.raises(ImuError, match=r"columns=\{'time_s': 't', 'acc_x': 'Total Acc X'"):
        count("own.csv")
    wrong = run("replay", "own.csv", "--columns", option.replace("wx", "gone")).stderr
    assert "the column gone is missing" in wrong and option in wrong
    shared = run("replay", "--columns", "acc_x=acc_y", folder / "a_squats.csv")
    assert (shared.exit_code, "acc_x and acc_y cannot be one column" in shared.stderr) == (1, True)
    needless = run("replay", "ours.csv", "--columns", option).stderr
    assert needless.endswith("acc_z, gyr_x, gyr_y, gyr_z are there: leave out --columns\n")
    with pytest.raises(ImuError, match=r"is missing, but acc_x is there: leave out columns=$"):
        count("ours.csv", columns={"acc_x": "ax"})


@pytest.mark.parametrize("wrong", ["", "ax", "acc_x=", "acc_x=a,acc_x=b", "ax=acc_x", "x,acc_x=a"])
def test_a_wrong_map_of_columns_is_wrong_usage(wrong):
    result = run("replay", "--columns", wrong, "none.csv")
    assert (result.exit_code, "acc_x=NAME" in result.stderr) == (2, True)


# --- for people ------------------------------------------------------------------------------------------------------


@pytest.mark.process
def test_a_page_fits_80_columns_and_a_pipe_is_not_wrapped(folder):
    made = summary(
        [repetition(start_s=5 + 3 * i) for i in range(8)],
        [repetition(Pattern.HINGE, 60 + 3 * i, hip_drop_m=0.02) for i in range(8)],
        rejected=[RejectedMovement(90, 91, "did not come back to standing and so on")] * 3,
    )
    page = session_page(view_of_replayed(Replayed("a.csv", made, 4, 2, "acc_x in row 3 is 'x'"), 7), verbose=True)
    lines = shown(page).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert any(re.match(r" *1 +0:05 +squat +8 +34 +40 +1.0-0.0-1.0 +0.40 +as fast$", line) for line in lines), lines
    assert "8 squats : 8 hinges" in shown(page)
    assert "1 gap (0.3 s without samples); 4 rows late and put in order; 2 rows unreadable (acc_x" in shown(page, 200)
    assert "1 row not finite; 1 row repeated" in shown(page, 200)
    piped = imu("replay", folder / "c_hinges.csv")
    assert piped.returncode == 0, piped.stderr
    assert b"\x1b" not in piped.stdout
    (line,) = (line for line in piped.stdout.decode().splitlines() if line.startswith("Load"))
    assert "not measured" in line


def test_every_repetition_is_shown_on_request(folder):
    brief, full = (run("replay", folder / "a_squats.csv", *more).stdout for more in ([], ["--reps"]))
    assert len(full.splitlines()) > len(brief.splitlines()) + 3
    assert full.splitlines()[:4] == brief.splitlines()[:4]
    assert run("replay", folder / "a_squats.csv", "-v").stdout == full


def test_many_recordings_get_a_line_each_and_a_sum(folder):
    result = run("replay", folder, folder / "a_squats.csv")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == str(folder)
    assert [line.split()[0] for line in lines[2:5]] == ["a_squats.csv", "c_hinges.csv", "a_squats.csv"]
    assert any(re.match("Recordings +3, 1 could not be read$", line) for line in lines)
    totals = [one.get("totals") for one in objects(run("replay", "--json", folder, folder / "a_squats.csv"))]
    squats, hinges = (sum(total[pattern] for total in totals if total) for pattern in ("squat", "hinge"))
    (said,) = (line for line in lines if line.startswith("Counted"))
    assert [int(number) for number in re.findall(r"(\d+) (?:squat|hinge)", said)] == [squats, hinges]
    assert f"{folder / 'b_broken.csv'}: the columns" in result.stderr
    assert "b_broken" not in result.stdout


def test_a_line_fits_the_terminal_and_keeps_the_end_of_the_name():
    names = ["x" * 90 + f"{i}.csv" for i in range(2)]
    table = OneLineEach(names, 80)
    line = shown(table.line(Replayed(names[1], summary()), session_id=1234))
    assert line.count("\n") == 1
    assert re.match("~x+1.csv", line)
    assert OneLineEach(["/a/b.csv", "c.csv"], 80)  # no folder in common


def test_a_narrow_terminal_leaves_out_columns_of_the_lines():
    name = "recordings/simulated_mixed_session.csv.gz"
    for width, least in ((40, "not counted"), (60, "uncertain")):
        table = OneLineEach([name], width)
        heading = shown(table.heading()).splitlines()[-1]
        line = shown(table.line(Replayed(name, summary()), session_id=None))
        assert max(len(heading.rstrip()), len(line.rstrip())) <= width
        assert heading.split()[:2] == ["recording", "time"] and "hinge" in heading and least not in heading
        assert line.rstrip().endswith(".")


@pytest.mark.parametrize(
    ("repetitions", "sentences"),
    [
        ([repetition()] * 5, []),
        ([repetition(angle_at_bottom_rad=0.3)] * 5, ["upright (17° at the bottom)"]),
        ([repetition(angle_at_bottom_rad=0.9)] * 5, ["leaning 52° at the bottom, keep the chest up"]),
        ([repetition(Pattern.HINGE)] * 5, []),
        ([repetition(Pattern.HINGE, trunk_angle_rad=1.1)] * 5, ["well bent at the hip (63°)"]),
        (
            [repetition(Pattern.HINGE, trunk_angle_rad=0.6)] * 5,
            ["bent by 34° only, hips further back and back toward parallel"],
        ),
        ([repetition(trunk_lead_s=-0.2)] * 5, ["knees before hips, start with the hips"]),
        ([repetition(trunk_lead_s=-0.2, hip_drop_m=0.1)] * 5, []),
        ([repetition(mean_concentric_velocity_m_s=v) for v in (0.5, 0.5, 0.38, 0.38)], ["24 % slower at the end"]),
        ([repetition(mean_concentric_velocity_m_s=v) for v in (0.5, 0.5, 0.41, 0.41)], []),
        ([repetition(mean_concentric_velocity_m_s=v) for v in (0.5, 0.4, 0.3)], []),
        ([repetition(mean_concentric_velocity_m_s=v) for v in (0.5, 0.5, 0.4, -0.4)], []),
        ([repetition(trunk_angle_rad=a) for a in (0.4, 0.6, 0.8)], ["angle uneven (±11°)"]),
        ([repetition(hip_drop_m=d) for d in (0.3, 0.4, 0.5)], ["depth uneven (±10 cm)"]),
        (
            [repetition()] * 3 + [repetition(Pattern.UNCERTAIN)] + [repetition(Pattern.HINGE)] * 2,
            ["squats turned into hinges from repetition 5"],
        ),
        ([repetition(), repetition(Pattern.HINGE)] * 3, ["squats and hinges in one set"]),
        ([repetition(Pattern.UNCERTAIN)] * 3, []),
    ],
)
def test_cues_stand_only_where_the_numbers_are_clear(repetitions, sentences):
    assert cues(TrainingSet(tuple(repetitions))) == sentences


def test_words():
    assert [clock(s) for s in (0, 59.6, 61.2, 3725, 1.7e9)] == ["0:00", "1:00", "1:01", "1:02:05", "1700000000.0"]
    assert "quadriceps" in load(4, 1)
    assert "posterior" not in load(4, 2)
    assert "posterior chain" in load(0, 3)
    assert "both" in load(3, 2)
    rejected = [RejectedMovement(0, 1, reason) for reason in ["alone", *"aaabbccdde"]]
    sentence = "11: 1 alone (imu replay --min-reps 1 counts them), 3 a, 2 b, 2 c, 2 d, 1 for other reasons"
    assert (reasons(rejected), reasons([])) == (sentence, "")


# --- the store -------------------------------------------------------------------------------------------------------


def test_the_same_recording_twice_is_one_session(folder, home, tmp_path):
    copy = tmp_path / "copy.csv"
    copy.write_bytes((folder / "a_squats.csv").read_bytes())
    first, second = objects(run("replay", "--json", "--save", folder / "a_squats.csv", copy))
    assert first["session"] == second["session"] == 1
    assert "Session  1" in run("replay", "--save", copy).stdout
    numbers = re.findall(r"session (\d+)", run("replay", "--save", folder, copy).stdout)
    assert (numbers[0], numbers[2]) == ("1", "1") != (numbers[1], numbers[1])
    assert (home / "sessions.db").is_file()
    listed = run("review").stdout.splitlines()
    assert [line.split()[0] for line in listed[2:4]] == [numbers[1], "1"]
    totals = [one["totals"] for one in objects(run("review", "--json"))]
    squats, hinges = (sum(total[pattern] for total in totals) for pattern in ("squat", "hinge"))
    for line in listed[-4:-2]:
        assert re.match(rf"(7|28) days +{squats} squats? : {hinges} hinges?", line)
    assert listed[-2] == "Last squat  today"


def test_review_prints_the_objects_of_replay(folder):
    replayed = objects(run("replay", "--json", "--save", folder / "a_squats.csv", folder / "c_hinges.csv"))
    listed = objects(run("review", "--json"))
    assert [one["session"] for one in listed] == [2, 1]
    saved = [datetime.fromisoformat(one.pop("saved_at")) for one in listed]
    assert all(abs((datetime.now(UTC) - moment).total_seconds()) < 100 for moment in saved)
    for one in (*listed, *replayed):  # what is stored is the copy in our folder
        one["recording"] = Path(one["recording"]).name
    assert listed == replayed[::-1]
    (one,) = objects(run("review", 1, "--json"))
    assert set(one) == KEYS | {"faults", "session", "saved_at"}


def test_review_of_one_session_shows_what_replay_showed(folder):
    path = folder / "a_squats.csv"
    shown = run("replay", "-v", "--save", path).stdout
    first, again = ([line.split() for line in text.splitlines()] for text in (shown, run("review", "-v", 1).stdout))
    assert (again[1][0], first[-1][0], again[-1][0]) == ("squat", "Session", "Recording")
    assert first[1:-1] == again[2:-1] and first[0][1:] == again[0][-4:]


def test_review_without_sessions_makes_no_store(home):
    result = run("review")
    assert result.exit_code == 0
    assert "No sessions" in result.stdout
    assert (run("review", "--json").stdout, run("review", "--json").exit_code) == ("", 0)
    unknown = run("review", 5)
    assert unknown.exit_code == 1
    assert "there is no session 5" in unknown.stderr
    assert not home.exists()


def test_review_of_an_unknown_session(folder):
    run("replay", "--save", folder / "a_squats.csv")
    result = run("review", 99)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no session 99" in result.stderr


@pytest.mark.parametrize(
    "more", [["--trends"], ["--exercise", "squat"], ["--compare", "1", "2"], ["1", "--delete"], []]
)
def test_reps_shows_one_session_and_goes_with_nothing_else(more):
    result = run("review", "--reps", *more)
    assert (result.exit_code, "imu review 1 --reps" in result.stderr) == (2, True)


def test_review_changes_nothing_in_a_folder_that_may_not_be_written(folder, home):
    run("replay", "--save", folder / "a_squats.csv")
    before = (home / "sessions.db").read_bytes()
    (home / "sessions.db").chmod(0o400)
    home.chmod(0o500)
    try:
        assert run("review").exit_code == run("review", 1).exit_code == 0
    finally:
        home.chmod(0o700)
    assert (home / "sessions.db").read_bytes() == before
    assert sorted(path.name for path in home.iterdir()) == ["recordings", "sessions.db"]


def test_a_saved_recording_is_copied_once_and_dated(folder, home):
    path = folder / "a_squats.csv"
    for _ in range(2):
        run("replay", "--save", path, "--date", "2026-03-01 18:30")
    assert [one.read_bytes() for one in (home / "recordings").iterdir()] == [path.read_bytes()]
    (one,) = objects(run("review", "--json"))
    assert Path(one["recording"]).parent == home / "recordings"
    assert datetime.fromisoformat(one["started_at"]).astimezone().isoformat()[:16] == "2026-03-01T18:30"
    assert "2026-03-01 18:30" in run("review").stdout
    for wrong in (
        ["--date", "2026-03-01"],
        ["--save", "--date", "2099-01-01"],
        ["--save", "--date", "0001-01-01"],
    ):
        assert run("replay", path, *wrong).exit_code == 2
    run("replay", "--save", folder / "c_hinges.csv", "--date", "yesterday")
    yesterday = datetime.now() - timedelta(days=1)
    assert f"{yesterday:%Y-%m-%d} 00:00" in run("review").stdout
    for command in (
        ("replay", path, "--save", "--date", "x"),
        ("export", "--from", "x", "--out", "x.csv"),
        ("export", "--to", "x", "--out", "x.csv"),
    ):
        result = run(*command)
        assert result.exit_code == 2
        assert "'x' is no day: write it as 2026-11-30, today or yesterday" in result.stderr


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_two_recordings_of_one_name_that_are_copied_at_once_are_both_kept(tmp_path, monkeypatch, kind):
    for place in ("one", "other"):
        recording = tmp_path / place / "rec.csv" / ("part" if kind == "folder" else "")
        recording.parent.mkdir(parents=True)
        recording.write_text(place)
    name = "copytree" if kind == "folder" else "copyfile"
    copy, ours, meanwhile = getattr(shutil, name), tmp_path / "ours", []

    def copy_while_another_does(source, target):
        monkeypatch.setattr(shutil, name, copy)
        meanwhile.append(copy_recording(tmp_path / "other" / "rec.csv", ours))
        return copy(source, target)

    monkeypatch.setattr(shutil, name, copy_while_another_does)
    kept = [copy_recording(tmp_path / place / "rec.csv", ours) for place in ("one", "other")]
    assert kept[1:] == meanwhile and sorted(path.name for path in ours.iterdir()) == ["rec.csv", "rec_2.csv"]
    for path, content in zip(kept, ("one", "other"), strict=True):
        assert (path / "part" if kind == "folder" else path).read_text() == content


def test_a_store_that_cannot_be_opened_is_reported_before_any_work(folder, home):
    home.write_text("a file where the folder should be")
    result = imu("replay", "--save", "--json", folder)
    assert (result.returncode, result.stdout) == (1, b"")
    assert len(result.stderr.splitlines()) == 1
    assert b"IMU_HOME" in result.stderr


@pytest.mark.process
def test_without_imu_home_the_persons_data_folder_is_used(folder, tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "IMU_HOME"} | {"XDG_DATA_HOME": str(tmp_path / "data")}
    if sys.platform != "linux":
        pytest.skip("XDG_DATA_HOME is a habit of Linux")
    assert imu("replay", "--save", folder / "a_squats.csv", env=environment).returncode == 0
    assert (tmp_path / "data" / "imu-training" / "sessions.db").is_file()


# --- plots -----------------------------------------------------------------------------------------------------------


def test_a_recording_and_a_session_are_drawn(folder, home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = run("plot", folder / "a_squats.csv")
    assert drawn.stdout == "a_squats.png: 3 squats : 0 hinges\n"
    assert (tmp_path / "a_squats.png").read_bytes().startswith(b"\x89PNG")
    again = run("plot", folder / "a_squats.csv")
    assert (again.exit_code, "--force" in again.stderr) == (1, True)
    run("replay", "--save", folder / "a_squats.csv")
    run("correct", 1, "--pattern", 1, "hinge")
    corrected = run("plot", 1, "--set", 1, "--out", "one.svg")
    assert corrected.stdout == "one.svg: 3 repetitions\n"
    assert "<svg" in (tmp_path / "one.svg").read_text()
    assert run("plot", 1, "--out", "one.html").exit_code == 0
    assert (tmp_path / "one.html").read_text().startswith("<!doctype html>")


def test_trends_and_an_exercise_are_drawn(folder, home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no sessions are stored yet" in run("plot", "trends").stderr
    run("replay", "--save", folder / "a_squats.csv")
    run("correct", 1, "--exercise", 1, "Back squat", "--load", 1, "100")
    assert run("plot", "trends", "--out", "trends.svg").stdout == "trends.svg: 1 week\n"
    assert run("plot", "back SQUAT").stdout == "back SQUAT.png: 1 session\n"
    assert (tmp_path / "back SQUAT.png").read_bytes().startswith(b"\x89PNG")
    drawn = (tmp_path / "trends.svg").read_text()
    assert "<!-- 3 × squat -->" in drawn
    assert "<!-- speed up, m/s -->" in drawn
    assert "no such file, and no exercise of this name" in run("plot", "front squat").stderr
    assert run("plot", "trends", "--set", 1, "--out", "t.png").exit_code == 2


@pytest.mark.process
def test_a_drawing_where_matplotlib_cannot_keep_its_cache_says_nothing_of_it(folder, tmp_path):
    environment = os.environ | {"MPLCONFIGDIR": str(folder / "a_squats.csv" / "none")}
    drawn = imu("plot", folder / "a_squats.csv", "--out", tmp_path / "a.svg", env=environment)
    assert (drawn.returncode, drawn.stderr) == (0, b"")


def test_an_impossible_drawing_is_one_sentence(folder, home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, sentence in (
        ((folder / "b_broken.csv",), "column"),
        ((folder / "a_squats.csv", "--set", 2), "there is no set 2: this session has 1 set"),
        ((folder / "a_squats.csv", "--out", "x.gif"), "must end in .png, .svg, .pdf or .html"),
        ((folder / "a_squats.csv", "--out", "none/x.png"), "cannot be written"),
        ((7,), "there is no session 7"),
    ):
        result = run("plot", *arguments)
        assert (result.exit_code, result.stdout) == (1, ""), arguments
        assert sentence in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) in ([], [home])


def test_replay_draws_each_recording_into_a_folder(folder, tmp_path):
    result = run("replay", "--json", "--plot", tmp_path / "plots", folder, folder / "a_squats.csv")
    assert len(objects(result)) == 4
    names = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert names == ["2_a_squats.png", "a_squats.png", "c_hinges.png"]
    for form, start in (("svg", b"<?xml"), ("pdf", b"%PDF"), ("html", b"<!doctype html>")):
        run("replay", "--json", "--plot", tmp_path / form, "--plot-format", form, folder / "a_squats.csv")
        assert (tmp_path / form / f"a_squats.{form}").read_bytes().startswith(start)
    assert run("replay", "--plot-format", "gif", folder / "a_squats.csv").exit_code == 2
    assert "goes with --plot" in run("replay", "--plot-format", "svg", folder / "a_squats.csv").stderr


# --- as a program ----------------------------------------------------------------------------------------------------


@pytest.fixture
def holed(squats, tmp_path):
    """A recording with a hole of 2 s and a cell that is no number."""
    later = squats + np.array([float(squats[-1, 0]) + 2.0] + [0.0] * 6)
    path = write(tmp_path / "holed.csv", np.concatenate((squats, later)))
    lines = path.read_text().splitlines()
    lines[30] = lines[30].replace(",", ",x", 1)
    path.write_text("\n".join(lines))
    return str(path)


@pytest.mark.process
def test_a_process_that_reads_ahead_changes_nothing(holed, monkeypatch):
    monkeypatch.setattr("imu.report.replay._is_worth_two", lambda path: True)
    alone = replay(holed, ReplayOptions())
    assert (len(alone.summary.sets), len(alone.summary.gaps), alone.rows_unreadable) == (1, 1, 1)
    monkeypatch.setattr("imu.report.replay.Session.push", None)  # this process runs no network itself
    assert replay(holed, ReplayOptions(), ahead=True) == alone


@pytest.mark.process
@pytest.mark.parametrize("ahead", ["raise SystemExit(1)", "print('no pickle')", "import os, time; os.close(1)"])
def test_without_the_process_that_reads_ahead_this_one_does_it_all(holed, folder, monkeypatch, ahead):
    monkeypatch.setattr("imu.report.replay._is_worth_two", lambda path: True)
    monkeypatch.setattr("imu.report.replay._AHEAD", ahead)
    for name in (holed, str(folder / "b_broken.csv")):
        assert replay(name, ReplayOptions(), ahead=True) == replay(name, ReplayOptions())


@pytest.mark.process
def test_a_file_that_is_cut_while_two_processes_read_it_is_an_error(holed, monkeypatch):
    monkeypatch.setattr("imu.report.replay._is_worth_two", lambda path: True)
    cutting = (
        "import os; import imu.recordings.table_files as tables; import imu.report.replay as module\n"
        "tables.SMALL_BYTES, tables.PIECE_BYTES, pieces = 1000, 4096, tables.text_pieces\n"
        "def cut(file, name):\n"
        "    for piece in pieces(file, name):\n"
        f"        os.truncate({holed!r}, 30_000)\n"
        "        yield piece\n"
        "tables.text_pieces = cut; module._send_output()"
    )
    monkeypatch.setattr("imu.report.replay._AHEAD", cutting)
    result = replay(holed, ReplayOptions(), ahead=True)
    assert isinstance(result, Failed) and "became shorter while it was read" in result.reason, result


@pytest.mark.process
def test_several_processes_print_the_same_bytes(folder):
    one, three = (imu("replay", "--json", "--jobs", n, folder, folder) for n in (1, 3))
    assert (one.returncode, one.stdout, one.stderr) == (three.returncode, three.stdout, three.stderr)
    assert len(one.stdout.splitlines()) == 6


@pytest.mark.process
def test_results_come_as_soon_as_they_are_there(folder):
    command = [sys.executable, "-m", "imu.app.cli", "replay", "--json", *[str(folder)] * 100]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        first = process.stdout.readline()
        still_running = process.poll() is None
        process.kill()
    assert json.loads(first)["recording"].endswith("a_squats.csv")
    assert still_running


@pytest.mark.process
@pytest.mark.parametrize("more", [["--json"], [], ["--json", "--jobs", "2"]])
def test_a_reader_who_has_seen_enough_gets_no_traceback(folder, more):
    command = [sys.executable, "-W", "error", "-m", "imu.app.cli", "replay", *more, *[str(folder)] * 10]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        complaints = process.stderr.read()
        assert process.wait(timeout=60) == 1
    assert b"Traceback" not in complaints
    assert b"Broken pipe" not in complaints
    assert b"Exception" not in complaints


def _listen_to_ctrl_c():
    """A background job of a shell, as a CI run may be, starts with the signal ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_it_with_one_word(folder, jobs):
    # Not with -m: there Python kills itself with SIGINT in the end if the signal came while a dataclass was made.
    program = "from imu.app.cli import main; main()"
    command = [sys.executable, "-c", program, "replay", "--json", "--jobs", str(jobs), *[str(folder)] * 200]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_listen_to_ctrl_c,
    ) as process:
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints.split()) == (130, [b"stopped"])


SLOW = """
import time
from multiprocessing import spawn
main = spawn._main
def late(*given):
    time.sleep(1.0)
    return main(*given)
spawn._main = late
"""
INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts with & ignore it
from multiprocessing import forkserver
number, read = int(sys.argv.pop(1)), forkserver.read_signed
def interrupted(descriptor):
    forkserver.read_signed, started = read, read(descriptor)
    os.kill(os.getpid(), number)
    return started
forkserver.read_signed = interrupted
from imu.app.cli import main
main()
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes start in another way")
@pytest.mark.parametrize("out", [[], ["--out", "r.csv"]], ids=["replay", "batch"])
@pytest.mark.parametrize(("number", "said"), [(signal.SIGTERM, ""), (signal.SIGINT, "stopped\n")])
def test_a_signal_while_the_first_process_starts_ends_all_with_one_word(folder, tmp_path, out, number, said):
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    command = [sys.executable, "-c", INTERRUPTED, str(int(number)), "replay", "--jobs", "2", str(folder), *out]
    places = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    environment = os.environ | {"PYTHONPATH": places}
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (result.returncode, result.stderr, result.stdout) == (128 + number, said, "")


@pytest.mark.process
@pytest.mark.parametrize("out", [[], ["--out"]], ids=["replay", "batch"])
def test_processes_start_with_a_long_temporary_folder(folder, tmp_path, out):
    """A socket, by which processes are started, has a path of at most 107 bytes."""
    (tmp_path / ("t" * 100)).mkdir()
    command = [sys.executable, "-m", "imu.app.cli", "replay", "--jobs", "2", str(folder / "a_squats.csv"), str(folder)]
    command += [*out, str(tmp_path / "results.csv")] if out else ["--json"]
    environment = {**os.environ, "TMPDIR": str(tmp_path / ("t" * 100))}
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert result.returncode == 1 and "Traceback" not in result.stderr  # one recording is broken
    counted = (tmp_path / "results.csv").read_text() if out else result.stdout
    assert "a_squats.csv" in counted and "c_hinges.csv" in counted


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="Windows ends a program at once")
def test_a_terminated_replay_leaves_nothing_unpacked(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number, recording in enumerate([*folder.glob("*.csv")] * 100):
            archive.write(recording, f"{number}.csv")
    (tmp_path / "unpacked").mkdir()
    command = [sys.executable, "-m", "imu.app.cli", "replay", "--json", "--jobs", "2", str(tmp_path / "many.zip")]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "unpacked")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        process.stdout.readline()
        assert list((tmp_path / "unpacked").glob("imu_*"))
        process.terminate()
        _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (128 + signal.SIGTERM, b"")
    assert not list((tmp_path / "unpacked").glob("imu_*"))


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_end_with_the_one_that_started_them(folder):
    command = [sys.executable, "-m", "imu.app.cli", "replay", "--json", "--jobs", "2", *[str(folder)] * 200]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
    assert len(workers) >= 2
    deadline = time.monotonic() + 30
    while (alive := [w for w in workers if _is_running(w)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive == []


def _is_running(process_id):
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.process
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_any_encoding_will_do(folder, tmp_path, encoding):
    odd = tmp_path / "größe_→.csv"
    odd.write_bytes((folder / "a_squats.csv").read_bytes())
    environment = dict(os.environ) | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    shown_in_full = imu("replay", "-v", odd, tmp_path / "nicht_da_ü_→.csv", env=environment)
    assert shown_in_full.returncode == 1
    assert b"Traceback" not in shown_in_full.stderr
    assert re.search(rb"\d squats? : \d hinges?", shown_in_full.stdout)
    found = imu("replay", "--json", odd, env=environment)
    assert json.loads(found.stdout)["recording"] == str(odd)
    for arguments in (["replay", "--help"], ["replay", "--größe"]):
        assert b"Traceback" not in imu(*arguments, env=environment).stderr


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="only there may a name hold any bytes")
def test_a_name_that_would_steer_the_terminal_is_shown_and_does_not(folder, tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\x1b[31m\xff.csv")
    Path(odd).write_bytes((folder / "a_squats.csv").read_bytes())
    result = imu("replay", odd, odd + "no")
    assert b"\x1b" not in result.stdout + result.stderr
    assert b"?[31m?.csv" in result.stdout
    assert json.loads(imu("replay", "--json", odd).stdout)["recording"] == odd


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize("no_color", [False, True])
def test_colour_on_a_terminal_only_if_wanted(folder, no_color):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    environment = dict(os.environ) | {"TERM": "xterm-256color"} | ({"NO_COLOR": "1"} if no_color else {})
    command = [sys.executable, "-m", "imu.app.cli", "replay", str(folder / "a_squats.csv"), str(folder / "none.csv")]
    process = subprocess.Popen(command, stdout=slave, stderr=slave, stdin=slave, env=environment)
    os.close(slave)
    printed = b""
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not chunk:
            break
        printed += chunk
    os.close(master)
    assert process.wait(timeout=60) == 1
    assert (re.search(rb"\x1b\[3[0-9]m", printed) is None) == no_color
    assert re.search(rb"\d squats? : \d hinges?", printed)


# --- help and usage --------------------------------------------------------------------------------------------------


def test_every_command_and_option_has_help():
    for name, command in typer.main.get_command(app).commands.items():
        assert command.help, name
        result = run(name, "--help")
        assert result.exit_code == 0
        assert all(getattr(parameter, "help", None) for parameter in command.params), name


def test_help_names_only_commands_that_exist():
    result = run("--help")
    named = re.findall(r"^  (\w+)  ", result.stdout.split("Commands:")[1], flags=re.MULTILINE)
    assert named == list(typer.main.get_command(app).commands)
    assert result.stdout.isascii()


@pytest.mark.parametrize(
    "wrong",
    [
        ["replay"],
        ["replay", "--jobs", "0", "x.csv"],
        ["replay", "--min-reps", "0", "x.csv"],
        ["review", "first"],
        ["evaluate"],
        ["evaluate", "--simulated", "3", "--joined"],
        ["fly"],
    ],
)
def test_wrong_usage_is_exit_code_2(wrong):
    assert run(*wrong).exit_code == 2


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["replay", "a.csv", "--acc-unit", "G"], "'--acc-unit': 'G' is not one of 'm/s2', 'g'"),
        (["replay", "a.csv", "--min-reps", "0"], "'--min-reps': it must be 1 or more, not '0'"),
        (["replay", "a.csv", "--min-reps", "x"], "'--min-reps': it must be a whole number, not 'x'"),
        (["train", "--rate", "fast"], "'--rate': it must be a number, not 'fast'"),
        (["sensor", "--missed", "2"], "'--missed': it must be 0.99 or less, not '2'"),
        (["export", "1", "x", "--out", "a.csv"], "'SESSION...': it must be a whole number, not '1 x'"),
    ],
)
def test_a_wrong_value_is_named_in_plain_words(wrong, sentence):
    assert run(*wrong).stderr.splitlines()[-1] == f"Error: Invalid value for {sentence}"


def test_the_version_is_printed():
    result = imu("--version")
    assert result.returncode == 0
    assert re.match(rb"imu \S+", result.stdout)


@pytest.mark.parametrize("moment", ["loading", "running"])
def test_ctrl_c_is_one_word_also_while_the_program_is_loaded(moment, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    if moment == "loading":
        monkeypatch.delitem(sys.modules, "imu.app.cli")
        monkeypatch.setattr(sys, "meta_path", [SimpleNamespace(find_spec=interrupt)])
    else:
        monkeypatch.setattr("imu.app.cli.main", interrupt)
    with pytest.raises(SystemExit, match="130"):
        program.main()
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.process
def test_help_waits_for_nothing_slow():
    code = (
        "import sys; from imu.app.cli import app; app(['--help'], standalone_mode=False); "
        "slow = 'numpy', 'scipy', 'pandas', 'vqf', 'sqlite3', 'multiprocessing', 'asyncio'; "
        "print([m for m in slow if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
