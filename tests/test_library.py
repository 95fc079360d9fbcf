"""`import imu`: what it offers, how fast it is, and what `imu.count` makes of files, tables and samples."""

import doctest
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import imu
import imu.library
from imu.app.cli import app

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


@pytest.mark.parametrize("module", [imu, imu.library], ids=lambda module: module.__name__)
def test_the_examples_in_its_documentation_are_true(module, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(module)
    assert result.attempted > 2
    assert result.failed == 0


def test_every_name_that_it_offers_is_there_documented_and_in_an_example():
    for name in imu.__all__:
        assert getattr(imu, name).__doc__, name
    examples = [one for test in doctest.DocTestFinder().find(imu) for one in test.examples]
    shown = "".join(one.source for one in examples)
    named = imu.__doc__
    assert all(f"imu.{name}" in shown or f"`{name}`" in named for name in imu.__all__ if name != "CountSummary")
    assert dir(imu) == imu.__all__
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        _ = imu.fly


@pytest.mark.process
@pytest.mark.process
def test_importing_it_loads_nothing_and_takes_next_to_no_time():
    code = "import sys, imu; print([name for name in ('numpy', 'pandas', 'imu.session') if name in sys.modules])"
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


def test_what_cannot_be_counted_is_one_sentence(table, tmp_path):
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


def test_arguments_that_make_no_sense_are_value_errors(table):
    for wrong in ({"acc_unit": "mg"}, {"min_reps": 0}, {"columns": {"accel": "a"}}):
        with pytest.raises(ValueError, match=r"units|min_reps|columns"):
            imu.count(table, **wrong)


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
    for one in counted.repetitions.itertuples():
        inside = signals[signals["time_s"].between(one.start_s - 0.01, one.end_s + 0.01)]
        assert inside["trunk_angle_deg"].max() == pytest.approx(one.trunk_angle_deg, abs=0.5)
        assert -inside["hip_height_m"].min() == pytest.approx(one.hip_drop_m, abs=0.01)
        concentric = inside[inside["time_s"] >= one.end_s - one.concentric_s - 0.01]
        assert concentric["hip_velocity_m_s"].max() == pytest.approx(one.peak_concentric_velocity_m_s, abs=0.01)
    before = signals[signals["time_s"] < counted.repetitions["start_s"].iloc[0] - 0.1]
    assert before["hip_height_m"].isna().all()


def test_a_recording_without_movement_has_no_curves():
    still = pd.DataFrame({"time_s": np.arange(500) / 100, **dict.fromkeys(("acc_x", "acc_y"), 0.0), "acc_z": 9.81})
    nothing = imu.count(still.assign(gyr_x=0.0, gyr_y=0.0, gyr_z=0.0))
    assert len(nothing.signals) == 0
    assert nothing.plot() is not None


def test_a_plot_marks_what_was_counted(counted):
    figure = counted.plot()
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["5 × squat", "5 × hinge", "1 not counted"]
    overlay = counted.plot(2)
    assert len(overlay.axes[1].lines) == 5
    with pytest.raises(imu.ImuError, match="no set 3"):
        counted.plot(3)
