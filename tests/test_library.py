"""`import imu`: its names, its speed, and the results of `imu.count` for files, tables and samples."""

import ast
import asyncio
import doctest
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

import imu
from imu.app.cli import app
from imu.recordings.checks import COLUMNS

ROOT = Path(__file__).parents[1]
SQUATS = ROOT / "recordings" / "simulated_air_squats.csv.gz"
MIXED = ROOT / "recordings" / "simulated_mixed_session.csv.gz"


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(MIXED)


@pytest.fixture(scope="module")
def counted():
    return imu.count(MIXED)


# --- import imu ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["imu", "imu.library", "imu.evaluation.report", pytest.param("imu.live.radios", marks=pytest.mark.realtime)]
)
def test_the_examples_in_its_documentation_are_true(name, monkeypatch):
    module = importlib.import_module(name)
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(module)
    assert result.attempted > 1
    assert result.failed == 0


def test_every_name_that_it_offers_is_there_documented_and_in_an_example():
    for name in imu.__all__:
        assert getattr(imu, name).__doc__, name
    examples = [example for test in doctest.DocTestFinder().find(imu) for example in test.examples]
    shown = "".join(example.source for example in examples)
    named = imu.__doc__
    assert all(f"imu.{name}" in shown or f"`{name}`" in named for name in imu.__all__ if name != "CountSummary")
    assert dir(imu) == imu.__all__
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        _ = imu.fly


@pytest.mark.process
def test_importing_it_loads_nothing_and_takes_next_to_no_time():
    for imported, slow in (
        ("imu", "'numpy', 'pandas', 'imu.session'"),
        ("imu.session, imu.motion.fitted", "'pandas', 'scipy.signal', 'statistics', 'importlib.resources'"),
    ):
        code = f"import sys, {imported}; print([name for name in ({slow}) if name in sys.modules])"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert run.stdout == "[]\n"

    def seconds(code):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    assert min(seconds("import imu") - seconds("pass") for _ in range(5)) < 0.1


# --- what goes in ----------------------------------------------------------------------------------------------------


def test_a_table_counts_as_its_file_does(table, counted):
    assert imu.count(table).repetitions.equals(counted.repetitions)
    assert imu.count(str(MIXED)).sets.equals(counted.sets)


def test_samples_count_as_their_file_does(table, counted):
    block = imu.ImuBlock(table["time_s"], table[["acc_x", "acc_y", "acc_z"]], table[["gyr_x", "gyr_y", "gyr_z"]])
    assert imu.count(block).repetitions.equals(counted.repetitions)
    with pytest.raises(ValueError, match="ImuBlock"):
        imu.count(block, acc_unit="g")


def test_time_may_stand_in_the_index_in_seconds_timestamps_or_durations(table, counted):
    bare = table.drop(columns="time_s")
    seconds = table["time_s"] - table["time_s"].iloc[0]
    stamps = pd.Timestamp("2026-03-29 00:59:50", tz="Europe/Berlin") + pd.to_timedelta(seconds, unit="s")
    for index in (seconds, stamps, pd.to_timedelta(seconds, unit="s"), stamps.astype(str)):
        repetitions = imu.count(bare.set_index(pd.Index(index))).repetitions
        assert repetitions["pattern"].to_list() == counted.repetitions["pattern"].to_list()
        assert np.allclose(repetitions["start_s"], counted.repetitions["start_s"] - table["time_s"].iloc[0], atol=0.051)


def test_other_names_units_and_rates(table, counted):
    names = {"time_s": "t", "acc_x": "ax", "acc_y": "ay", "acc_z": "az", "gyr_x": "gx", "gyr_y": "gy", "gyr_z": "gz"}
    other = table.rename(columns=names)
    other[["ax", "ay", "az"]] /= 9.80665
    other[["gx", "gy", "gz"]] *= 180 / np.pi
    slower = other.iloc[::2]
    totals = json.loads(counted.to_json())["totals"]
    assert json.loads(imu.count(slower, "g", "deg/s", names).to_json())["totals"] == totals
    with pytest.raises(ValueError, match="each of columns needs its own"):
        imu.count(table, columns={"acc_x": "acc_y"})


@pytest.mark.parametrize(
    ("change", "arguments", "sentence"),
    [
        ({"acc_x": 1 / 9.8, "acc_y": 1 / 9.8, "acc_z": 1 / 9.8}, {}, r'looks like g .*convert with acc_unit="g"'),
        ({"gyr_x": 57.3, "gyr_y": 57.3, "gyr_z": 57.3}, {}, r'looks like deg/s .*gyr_unit="deg/s"'),
        ({}, {"acc_unit": "g"}, r'm/s² already, not g: leave out acc_unit="g"'),
        ({"time_s": 1000}, {}, "looks like milliseconds"),
    ],
)
def test_wrong_units_are_one_sentence(table, change, arguments, sentence):
    wrong = table.assign(**{name: table[name] * factor for name, factor in change.items()})
    with pytest.raises(imu.ImuError, match=sentence):
        imu.count(wrong, **arguments)


def test_wrong_units_of_samples_are_one_sentence(table):
    block = imu.ImuBlock(table["time_s"], table[["acc_x", "acc_y", "acc_z"]] / 9.8, table[["gyr_x", "gyr_y", "gyr_z"]])
    with pytest.raises(imu.ImuError, match="acceleration looks like g"):
        imu.count(block)


def test_an_uncountable_table_is_one_sentence(table, tmp_path):
    with pytest.raises(imu.ImuError, match="no column acc_x"):
        imu.count(table.drop(columns="acc_x"))
    with pytest.raises(imu.ImuError, match="no time"):
        imu.count(table.drop(columns="time_s"))
    with pytest.raises(imu.ImuError, match="neither seconds nor timestamps"):
        imu.count(table.assign(time_s="noon"))
    with pytest.raises(imu.ImuError, match="too few"):
        imu.count(table.assign(acc_x=np.nan))
    with pytest.raises(imu.ImuError, match="too few"):
        imu.count(table.iloc[:0])
    with pytest.raises(imu.ImuError, match="no such file"):
        imu.count(tmp_path / "none.csv")
    with pytest.raises(imu.ImuError, match=r"it has none\)"):
        imu.count(pd.DataFrame())


def test_arguments_that_make_no_sense_are_value_errors(table):
    for wrong in ({"acc_unit": "mg"}, {"min_reps": 0}, {"columns": {"accel": "a"}}):
        with pytest.raises(ValueError, match=r"units|min_reps|columns"):
            imu.count(table, **wrong)
    for data in (None, [MIXED], table.to_numpy()):
        with pytest.raises(ValueError, match=f"data is a path, .* of type {type(data).__name__}"):
            imu.count(data)


# --- what comes out --------------------------------------------------------------------------------------------------


def test_tables_have_a_row_each_and_say_in_their_documentation_what_each_column_is(counted):
    assert counted.sets["pattern"].to_list() == ["squat", "hinge"]
    assert counted.sets["repetitions"].to_list() == [5, 5]
    assert counted.repetitions["set"].to_list() == [1] * 5 + [2] * 5
    assert counted.rejected["reason"].notna().all()
    for name in ("repetitions", "sets", "signals", "rejected"):
        table, documented = getattr(counted, name), getattr(imu.CountSummary, name).__doc__
        assert all(f"``{column}``" in documented for column in table.columns)
        assert len(table)
    nothing = imu.count(ROOT / "recordings" / "simulated_daily_life.csv.gz")
    assert (len(nothing.repetitions), len(nothing.sets)) == (0, 0)
    assert list(nothing.sets.columns) == list(counted.sets.columns)
    assert "2 sets" in repr(counted)


def test_the_json_is_that_of_the_command_line(counted):
    assert CliRunner().invoke(app, ["replay", "--json", str(MIXED)]).stdout.strip() == counted.to_json()


def test_curves_show_the_figures_of_the_repetitions(counted):
    signals = counted.signals
    assert np.allclose(np.diff(signals["time_s"]), 0.05)
    for repetition in counted.repetitions.itertuples():
        inside = signals[signals["time_s"].between(repetition.start_s - 0.01, repetition.end_s + 0.01)]
        assert inside["trunk_angle_deg"].max() == pytest.approx(repetition.trunk_angle_deg, abs=0.5)
        assert -inside["hip_height_m"].min() == pytest.approx(repetition.hip_drop_m, abs=0.01)
        concentric = inside[inside["time_s"] >= repetition.end_s - repetition.concentric_s - 0.01]
        assert concentric["hip_velocity_m_s"].max() == pytest.approx(repetition.peak_concentric_velocity_m_s, abs=0.01)
    before = signals[signals["time_s"] < counted.repetitions["start_s"].iloc[0] - 0.1]
    assert before["hip_height_m"].isna().all()


def test_a_recording_without_movement_has_no_curves():
    still = pd.DataFrame({"time_s": np.arange(500) / 100, **dict.fromkeys(("acc_x", "acc_y"), 0.0), "acc_z": 9.81})
    nothing = imu.count(still.assign(gyr_x=0.0, gyr_y=0.0, gyr_z=0.0))
    assert len(nothing.signals) == 0
    assert nothing.plot() is not None


def test_a_plot_marks_the_counted_repetitions(counted):
    figure = counted.plot()
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["5 × squat", "5 × hinge", "1 not counted"]
    overlay = counted.plot(2)
    assert len(overlay.axes[1].lines) == 5
    with pytest.raises(imu.ImuError, match="no set 3"):
        counted.plot(3)


# --- gait frames, live sensors, scores -------------------------------------------------------------------------------


def gait_frame(table, axes=("x", "y", "z")):
    names = [f"{sensor}_{axis}" for sensor in ("acc", "gyr") for axis in axes]
    columns = table[list(COLUMNS[1:])].to_numpy()
    return pd.DataFrame(columns * ([1.0] * 3 + [180 / np.pi] * 3), columns=names)


@pytest.mark.parametrize("axes", [("x", "y", "z"), ("is", "ml", "pa")], ids=["sensor frame", "mobgap's body frame"])
def test_gait_frames_count_as_the_table_does(table, counted, axes):
    frame = gait_frame(table, axes)
    by_rate = imu.count(imu.from_gait_frame(frame, sampling_rate_hz=100))
    by_index = imu.count(imu.from_gait_frame(frame.set_index(pd.Index(table.time_s, name="time"))))
    assert list(by_rate.repetitions.pattern) == list(counted.repetitions.pattern)
    assert list(by_index.repetitions.pattern) == list(counted.repetitions.pattern)
    assert np.allclose(by_index.repetitions.trunk_angle_deg, counted.repetitions.trunk_angle_deg, atol=0.1)


def test_a_frame_that_is_no_gait_frame_is_one_sentence(table):
    frame = gait_frame(table)
    feet = pd.concat({"left_sensor": frame, "right_sensor": frame}, axis="columns")
    cases = [
        (feet, "several sensors: choose the one at the hip"),
        ({"LowerBack": frame}, "several sensors"),
        (frame, "counts samples: give its sampling_rate_hz"),
        (frame.rename(columns=lambda name: name.replace("_z", "_si")), "body frame is that of a foot"),
    ]
    for given, sentence in cases:
        with pytest.raises(imu.ImuError, match=sentence):
            imu.from_gait_frame(given)
    with pytest.raises(ValueError, match="positive number, got 0"):
        imu.from_gait_frame(frame, sampling_rate_hz=0)


@pytest.mark.process  # a program of its own simulates the person
@pytest.mark.clock("fast")
async def test_a_live_sensor_counts_as_its_recording_does(tmp_path):
    session, blocks = imu.Session(), []
    async for block in imu.record("virtual", duration_s=9, save_as=tmp_path / "live.mcap"):
        blocks.append(block)
        session.push(block)
    _, summary = session.finish()
    assert 9 <= summary.duration_s < 11
    assert summary.count(imu.Pattern.SQUAT) + summary.count(imu.Pattern.HINGE) >= 2
    assert imu.count(tmp_path / "live.mcap").summary.sets == summary.sets
    with pytest.raises(imu.ImuError, match="exists already"):
        async for _ in imu.record("virtual", duration_s=1, save_as=tmp_path / "live.mcap"):
            pass


@pytest.mark.process
@pytest.mark.clock("fast")
async def test_a_loop_over_a_live_sensor_can_be_left(tmp_path):
    async with aclosing(imu.record("virtual", duration_s=9, save_as=tmp_path / "live.mcap")) as blocks:
        async for block in blocks:
            first = block
            break
    assert len(first) > 0
    assert imu.read_recording(tmp_path / "live.mcap").rows >= len(first)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


@pytest.mark.clock("fast")
@pytest.mark.parametrize("name", ["phone", "virtual:nothing"])
async def test_a_sensor_that_cannot_be_recorded_is_one_sentence(name):
    with pytest.raises(imu.ImuError, match=r"^[^\n]*$"):
        await anext(imu.record(name))


def test_scores_are_a_table_and_name_what_failed(tmp_path):
    for name in ("simulated_deadlifts.csv.gz", "simulated_deadlifts.truth.json"):
        (tmp_path / name).write_bytes((SQUATS.parent / name).read_bytes())
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n")
    (tmp_path / "broken.truth.json").write_bytes((tmp_path / "simulated_deadlifts.truth.json").read_bytes())
    scores = imu.evaluate(tmp_path, baseline=True)
    assert list(scores.columns[:3]) == ["data_set", "figure", "aim"]
    figures = scores.set_index("figure")
    assert figures.loc["recall", "ours"] == 1.0
    assert {"ours", "naive tilt", "naive vertical"} <= set(scores.columns)
    assert [path for path, _ in scores.attrs["failed"]] == [str(tmp_path / "broken.csv")]
    with pytest.raises(imu.ImuError):
        imu.evaluate(tmp_path / "nowhere")


# --- citing, and the notebook ----------------------------------------------------------------------------------------


def test_the_citation_names_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = dict(line.split(": ", 1) for line in (ROOT / "CITATION.cff").read_text().splitlines() if ": " in line)
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


@pytest.mark.process
def test_what_is_built_is_complete_and_runs_from_the_wheel(tmp_path):
    source, target = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    for name in ("imu", "firmware_protocol"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)

    def run(*arguments, **options):
        command = [sys.executable, "-m", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("build", "--no-isolation", "--outdir", tmp_path / "dist", source)
    built = sorted((tmp_path / "dist").iterdir())
    assert [path.suffix for path in built] == [".whl", ".gz"]
    assert run("twine", "check", "--strict", *built).count("PASSED") == 2
    run("pip", "install", "--no-deps", "--no-compile", "--target", target, built[0])
    wanted = {path.relative_to(source) for path in (source / "imu").rglob("*") if path.is_file()}
    missing = {str(path) for path in wanted if path.suffix != ".md" and not (target / path).exists()}
    assert missing == set()
    environment = os.environ | {"PYTHONPATH": str(target)}
    assert run("imu", "--version", env=environment) == f"imu {imu.__version__}\n"
    assert json.loads(run("imu.app.cli", "replay", SQUATS, "--json", env=environment))["totals"]["squat"] == 8


def test_the_notebook_runs_and_shows_what_it_says(monkeypatch):
    """Each cell runs; a last expression prints the same words, and the same numbers within a tenth."""
    notebook = json.loads((ROOT / "recordings" / "example.ipynb").read_text())
    monkeypatch.chdir(ROOT / "recordings")
    names: dict[str, object] = {}
    shown = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(line for line in cell["source"] if not line.startswith("%")))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "notebook", "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), "notebook", "eval"), names)
        for output in cell["outputs"]:
            texts = ["".join(output.get("data", {}).get("text/plain", "")), repr(value)]
            if texts[0] and not isinstance(value, Figure):
                words = [re.sub(r"[-0-9.\s]+", " ", text) for text in texts]
                assert words[0] == words[1]
                numbers = [[float(one) for one in re.findall(r"-?\d+\.?\d*", text)] for text in texts]
                assert numbers[0] == pytest.approx(numbers[1], rel=0.1, abs=0.05)
                shown += 1
    assert shown >= 3
