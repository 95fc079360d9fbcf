"""Many recordings into tables: nothing is lost or counted twice, whatever is killed, on processes and on a cluster."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import imu
from imu.app.cli import app
from imu.batch import _groups
from imu.batch.results import (
    RECORDING_COLUMNS,
    REPETITION_COLUMNS,
    ResultFile,
    ResultFolder,
    read_rows,
)
from imu.batch.sources import Counted, Settings, Source, check_paths, count_source, find_sources
from imu.errors import FileThere, NotWritten
from imu.library import REPETITION_COLUMNS as LIBRARY_COLUMNS

SAMPLES = sorted((Path(__file__).parents[1] / "recordings").glob("*.csv.gz"))
SETTINGS = Settings()

CRASH = """
import os, signal, time
import imu.report.replay as module
usual = module.open_recording
def open_recording(path, **options):
    if "crash" in path.name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "slow" in path.name:
        time.sleep(0.3)
    return usual(path, **options)
module.open_recording = open_recording
"""
"""Loaded by each process: a recording with this name ends the process that reads it, as a fault in C does."""


def source(number: int, version: str = "1") -> Source:
    return Source(f"day/{number}.csv", f"/day/{number}.csv", 100, version)


def counted(one: Source, repetitions: int = 3, **changes: object) -> Counted:
    row = dict.fromkeys(RECORDING_COLUMNS) | {
        "recording": one.name,
        "size_bytes": one.size_bytes,
        "version": one.version,
        "counted_with": SETTINGS.counted_with,
        "duration_s": 61.25,
        "squat": repetitions,
    }
    figures = {name: {str: "standing", int: 1, float: 0.1}[kind] for name, kind in REPETITION_COLUMNS.items()}
    rows = [figures | {"recording": one.name, "repetition": n, "pause_s": None} for n in range(1, repetitions + 1)]
    return Counted(row | changes, tuple(rows))


def links(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(SAMPLES[2].read_bytes())
    return folder


def names_in(path: Path) -> list[str]:
    return [str(row["recording"]) for row in read_rows(path, RECORDING_COLUMNS)]


# --- one recording ---------------------------------------------------------------------------------------------------


def test_a_row_is_the_librarys_row_with_the_recording_before_it():
    assert list(REPETITION_COLUMNS) == ["recording", *LIBRARY_COLUMNS]
    path = str(SAMPLES[0])
    found = count_source(find_sources([path])[0], SETTINGS)
    expected = imu.count(path).repetitions
    table = pd.DataFrame(list(found.repetitions), columns=list(REPETITION_COLUMNS))
    assert list(table.pop("recording")) == [path] * len(expected)
    pd.testing.assert_frame_equal(table, expected)
    assert found.recording.keys() == RECORDING_COLUMNS.keys()
    assert (found.recording["squat"], found.recording["error"]) == (8, None)


def test_tables_of_results_are_no_recordings(tmp_path):
    folder = links(tmp_path / "day", ["a.csv.gz"])
    for name in ("old.csv", "old.recordings.csv", "now.csv"):
        (folder / name).write_text("x")
    assert [one.name for one in find_sources([str(folder)], [str(folder / "now.csv")])] == [str(folder / "a.csv.gz")]


def test_a_recording_that_is_named_twice_is_counted_once(tmp_path):
    folder = links(tmp_path / "day", ["a.csv.gz"])
    assert len(find_sources([str(folder), str(folder / "a.csv.gz")])) == 1


def test_recordings_in_a_zip_are_counted_once_and_again_only_if_it_changes(tmp_path, target):
    folder = links(tmp_path / "day", [])
    with zipfile.ZipFile(folder / "week.zip", "w") as packed:
        packed.write(SAMPLES[2], "deep/a.csv.gz")
        packed.writestr("b.csv", "x")
    with ExitStack() as unpacked, closing(ResultFile(target)) as results:
        sources = find_sources([str(folder), str(folder / "week.zip")], (), unpacked)
        assert [one.name for one in sources] == [f"{folder}/week.zip/{name}" for name in ("b.csv", "deep/a.csv.gz")]
        results.add([count_source(one, SETTINGS) for one in sources])
        assert [bool(row["error"]) for row in results.finish(sources)] == [True, False]
    with ExitStack() as unpacked, closing(ResultFile(target)) as results:
        again = find_sources([str(folder)], (), unpacked)
        assert results.pending(again, SETTINGS) == again[:1]  # it had an error
        one = f"{folder}/week.zip/deep/a.csv.gz"
        check_paths([one])
        assert [each.version for each in find_sources([one], (), unpacked)] == [again[1].version]
        (gone,) = find_sources([f"{folder}/week.zip/accelerometer.csv"], (), unpacked)
        assert "no such file" in str(count_source(gone, SETTINGS).recording["error"])
        os.utime(folder / "week.zip", ns=(1, 1))
        assert len(results.pending(find_sources([str(folder)], (), unpacked), SETTINGS)) == 2
    (packed,) = find_sources([str(folder)])  # for workers on other computers
    assert "unpack it" in str(count_source(packed, SETTINGS).recording["error"])


@pytest.mark.process
def test_parquet_is_written_and_read_back_without_pandas(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    code = (
        "import sys; from pathlib import Path; import imu.batch.results as results\n"
        "names, write_table, read_rows = results.RECORDING_COLUMNS, results.write_table, results.read_rows\n"
        "rows = [dict.fromkeys(names) | {'recording': text, 'size_bytes': size, 'duration_s': 0.1 + 0.2, 'gaps': 0}"
        " for text, size in (('é/,\\n', 2**62), ('', None))]\n"
        "path = Path(sys.argv[1])\n"
        "with write_table(path, names, '.parquet') as write: write(rows)\n"
        "print(list(read_rows(path, names)) == rows, 'pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "r.parquet")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True False\n"


def test_columns_of_other_names_are_part_of_a_result(tmp_path):
    text = gzip.decompress(SAMPLES[2].read_bytes()).decode()
    (tmp_path / "own.csv").write_text(text.replace("acc_x", "ax", 1))
    mapped = Settings(columns={"acc_x": "ax"})
    found = count_source(find_sources([str(tmp_path)])[0], mapped)
    assert found.repetitions and found.recording["counted_with"] == f"{SETTINGS.counted_with}, acc_x=ax"


@pytest.mark.parametrize("workers", [2, 4])
def test_no_worker_waits_long_for_the_last_group(workers):
    groups = _groups([Source(f"{number}", f"/{number}", 570_000, "1") for number in range(200)], workers)
    shares = [sum(map(len, groups[worker::workers])) for worker in range(workers)]
    assert sum(shares) == 200
    assert max(shares) <= 1.06 * 200 / workers


def test_empty_files_are_one_group_as_others_are():
    assert [len(group) for group in _groups([Source(f"{n}", f"/{n}", 0, "1") for n in range(40)], 1)] == [2] * 20
    assert _groups([], 1) == []


def test_a_recording_by_url_has_the_same_rows(tmp_path):
    pytest.importorskip("fsspec", reason="needs fsspec, of the extra cluster")
    path = links(tmp_path / "day", ["a.csv.gz", "index.csv"]) / "a.csv.gz"
    (by_url,) = find_sources([f"file://{tmp_path}/day"])
    found = count_source(by_url, SETTINGS)
    assert [row | {"recording": str(path)} for row in found.repetitions] == list(
        count_source(find_sources([str(path)])[0], SETTINGS).repetitions
    )
    assert by_url.size_bytes == path.stat().st_size


# --- a file of results -----------------------------------------------------------------------------------------------


@pytest.fixture(params=[".csv", ".parquet"])
def target(request, tmp_path) -> Path:
    if request.param == ".parquet":
        pytest.importorskip("pyarrow", reason="needs pyarrow")
    return tmp_path / f"results{request.param}"


def test_tables_have_the_order_given_and_every_digit(target):
    sources = [source(n) for n in range(5)]
    results = ResultFile(target)
    assert results.pending(sources, SETTINGS) == sources
    for n in (3, 0, 4, 2, 1):
        results.add([counted(sources[n], n)])
    list(results.finish(sources))
    results.close()
    assert names_in(results.recordings) == [one.name for one in sources]
    rows = list(read_rows(target, REPETITION_COLUMNS))
    assert rows == [row for n in range(5) for row in counted(sources[n], n).repetitions]
    assert {path.name for path in target.parent.iterdir()} == {target.name, results.recordings.name}


def test_only_new_changed_and_failed_recordings_are_counted_again(target):
    sources = [source(n) for n in range(4)]
    results = ResultFile(target)
    results.pending(sources, SETTINGS)
    results.add([counted(sources[0]), counted(sources[1]), counted(sources[2], 0, error="it cannot be read")])
    results.add([counted(sources[3])])
    list(results.finish(sources))
    results.close()
    now = [source(0), source(1, "2"), source(2), source(3), source(4)]
    results = ResultFile(target)
    assert results.pending(now, SETTINGS) == [now[1], now[2], now[4]]
    results.add([counted(now[n], 5) for n in (1, 2, 4)])
    assert [row["version"] for row in results.finish(now)] == ["1", "2", "1", "1", "1"]
    results.close()
    rows = [row["recording"] for row in read_rows(target, REPETITION_COLUMNS)]
    assert [rows.count(one.name) for one in now] == [3, 5, 5, 3, 5]
    again = ResultFile(target)
    before = target.stat().st_mtime_ns
    assert again.pending(now, SETTINGS) == []
    assert len(list(again.finish(now))) == 5
    again.close()
    assert target.stat().st_mtime_ns == before
    other = ResultFile(target)
    assert other.pending(now, replace(SETTINGS, least_repetitions=3)) == now
    other.close()


def test_a_partial_file_cut_at_any_byte_loses_no_complete_line(tmp_path):
    sources = [source(n) for n in range(3)]
    results = ResultFile(tmp_path / "r.csv")
    for one in sources:
        results.add([counted(one, 1)])
    results.close()
    whole = results.partial.read_bytes()
    for cut in (*range(1, len(whole), 97), len(whole)):
        results.partial.write_bytes(whole[:cut])
        resumed = ResultFile(tmp_path / "r.csv")
        complete = whole[:cut].count(b"\n")
        assert resumed.pending(sources, SETTINGS) == sources[complete:]
        resumed.add([counted(one, 1) for one in sources[complete:]])
        resumed.close()
        assert resumed.partial.read_bytes() == whole


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_run_killed_between_the_renames_loses_nothing(target, monkeypatch, renames):
    sources = [source(n) for n in range(3)]
    for version in ("1", "2"):
        sources = [sources[0], source(1, version), sources[2]]
        results = ResultFile(target)
        results.add([counted(one) for one in results.pending(sources, SETTINGS)])
        if version == "2":
            steps = iter(range(renames))
            usual = Path.replace

            def killed(path, to, steps=steps, usual=usual):
                if next(steps, None) is None:
                    raise KeyboardInterrupt
                return usual(path, to)

            def not_removed(path, usual=Path.unlink, **options):
                if path.name.endswith(".partial"):
                    raise KeyboardInterrupt
                usual(path, **options)

            monkeypatch.setattr(Path, "replace", killed)
            monkeypatch.setattr(Path, "unlink", not_removed)
            with pytest.raises(KeyboardInterrupt):
                list(results.finish(sources))
            monkeypatch.undo()
        else:
            list(results.finish(sources))
        results.close()
    resumed = ResultFile(target)
    assert resumed.pending(sources, SETTINGS) == []
    assert [row["version"] for row in resumed.finish(sources)] == ["1", "2", "1"]
    resumed.close()
    assert names_in(resumed.recordings) == [one.name for one in sources]
    assert len(list(read_rows(target, REPETITION_COLUMNS))) == 9


def test_results_of_other_recordings_and_foreign_files_are_not_replaced(tmp_path):
    results = ResultFile(tmp_path / "r.csv")
    results.add([counted(one) for one in results.pending([source(1)], SETTINGS)])
    list(results.finish([source(1)]))
    results.close()
    results = ResultFile(tmp_path / "r.csv")
    with pytest.raises(FileThere, match="holds 1 other recordings"):
        results.pending([source(2)], SETTINGS)
    results.close()
    (tmp_path / "mine.csv").write_text("precious")
    with pytest.raises(FileThere, match="name another file"):
        ResultFile(tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text() == "precious"


@pytest.mark.parametrize(
    "damage",
    [lambda text: "precious", lambda text: text[:-3], lambda text: text[:-60], lambda text: text[: len(text) // 2]],
)
def test_a_damaged_table_is_neither_kept_as_the_result_nor_replaced(tmp_path, damage):
    results = ResultFile(tmp_path / "r.csv")
    results.add([counted(one) for one in results.pending([source(1), source(2)], SETTINGS)])
    list(results.finish([source(1), source(2)]))
    results.close()
    damaged = damage((tmp_path / "r.csv").read_text())
    (tmp_path / "r.csv").write_text(damaged)
    with pytest.raises(FileThere, match=r"r\.csv is damaged, or no table of imu replay: move it away, or name another"):
        ResultFile(tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text() == damaged
    (tmp_path / "r.csv").rename(tmp_path / "old.csv")
    results = ResultFile(tmp_path / "r.csv")
    assert len(results.pending([source(1), source(2)], SETTINGS)) == 2
    results.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows locks files by itself")
def test_two_runs_do_not_write_to_the_same_results(tmp_path):
    first = ResultFile(tmp_path / "r.csv")
    with pytest.raises(NotWritten, match="another imu replay"):
        ResultFile(tmp_path / "r.csv")
    first.close()
    ResultFile(tmp_path / "r.csv").close()
    assert list(tmp_path.iterdir()) == []


# --- a folder of results ---------------------------------------------------------------------------------------------


def folder_names(folder: Path) -> tuple[list[str], list[str]]:
    tables = (pd.read_parquet(folder / name) for name in ("recordings", "repetitions"))
    recordings, repetitions = (sorted(table["recording"]) for table in tables)
    return recordings, repetitions


def test_a_folder_keeps_each_recording_once(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    pytest.importorskip("fsspec", reason="needs fsspec, of the extra cluster")
    sources = [source(n) for n in range(6)]
    results = ResultFolder(str(tmp_path / "out"))
    assert results.pending(sources, SETTINGS) == sources
    results.add([counted(one, 2) for one in sources[:3]])
    results.add([counted(sources[3], 2), counted(sources[4], 0, error="it cannot be read")])
    now = [source(0), source(1, "2"), *sources[2:]]
    results = ResultFolder(str(tmp_path / "out"))
    assert results.pending(now, SETTINGS) == [now[1], now[4], now[5]]
    results.add([counted(now[n], 2) for n in (1, 4, 5)])
    expected = [one.name for one in now]
    assert [row["recording"] for row in results.finish(now)] == expected
    assert folder_names(tmp_path / "out") == (expected, sorted(expected * 2))
    (part, *_) = sorted((tmp_path / "out" / "recordings").iterdir())
    part.unlink()  # as after a kill between the two halves of a part
    results = ResultFolder(str(tmp_path / "out"))
    assert results.pending(now, SETTINGS) == [now[0], now[2]]
    results.add([counted(now[n], 2) for n in (0, 2)])
    assert folder_names(tmp_path / "out") == (expected, sorted(expected * 2))


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["nowhere", "--out", "r.csv"], 1, "there is no file or folder nowhere"),
        (["day", "--out", "r.xlsx"], 1, "r.xlsx names no format: end it in .csv or .parquet"),
        (["day", "--out", "nowhere/r.csv"], 1, "there is no folder nowhere to write to: make it first"),
        (["day", "--out", "day.csv"], 1, "day.csv is a folder: name the file to write in it"),
        (["day", "--cluster", "tcp://127.0.0.1:1"], 2, "needs --out FOLDER"),
        (["day", "--out", "r.csv", "--json"], 2, "does not go with --json"),
        (["day", "--out", "r.csv", "--cluster", "tcp://127.0.0.1:1"], 1, "name a folder"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, arguments, code, sentence):
    monkeypatch.chdir(tmp_path)
    links(tmp_path / "day", ["a.csv.gz"])
    (tmp_path / "day.csv").mkdir()
    result = CliRunner().invoke(app, ["replay", *arguments])
    assert result.exit_code == code
    assert sentence in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output


def test_the_reasons_of_the_first_five_errors_are_printed_and_the_number_of_the_others(tmp_path, monkeypatch):
    rows = [{"recording": f"{number}.csv", "error": f"reason {number}"} for number in range(8)]
    monkeypatch.setattr("imu.batch.run_batch", lambda *_, **__: (rows, 0))
    result = CliRunner().invoke(app, ["replay", "day", "--out", str(tmp_path / "r.csv")])
    reasons = [f"{number}.csv: reason {number}" for number in range(5)]
    assert result.stderr.splitlines() == [*reasons, "3 more errors stand in the table of recordings"]
    assert result.exit_code == 1


@pytest.mark.process
def test_an_empty_file_is_an_error_at_the_first_run_and_tried_again_at_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv.gz").write_bytes(SAMPLES[2].read_bytes())
    (tmp_path / "empty.csv").touch()
    for files, printed in (
        (["empty.csv"], "0 recordings, 0 repetitions, 1 not counted"),
        (["good.csv.gz", "empty.csv"], "1 recording, 6 repetitions, 1 not counted"),
        (["good.csv.gz", "empty.csv"], "1 recording, 6 repetitions, 1 recording counted before, 1 not counted"),
    ):
        result = CliRunner().invoke(app, ["replay", *files, "--out", "r.csv"])
        assert (result.exit_code, result.stderr) == (1, "empty.csv: the file is empty: record or copy it again\n")
        assert result.stdout == f"r.csv: {printed}\n"
    assert not list(tmp_path.glob("*.partial"))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "imu.app.cli", "replay", *map(str, arguments)]


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which each Python loads `CRASH` at its start."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CRASH)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths)}


@pytest.mark.process
def test_an_empty_folder_is_one_sentence(tmp_path):
    (tmp_path / "day").mkdir()
    result = subprocess.run(
        command(tmp_path / "day", "--out", tmp_path / "r.csv"), capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (1, f"there is no recording in {tmp_path / 'day'}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["day"]


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="ends processes as Linux does")
def test_a_recording_that_ends_its_process_is_an_error_and_the_others_are_counted(tmp_path):
    names = [f"{n:02}.csv.gz" for n in range(20)]
    day = links(tmp_path / "day", [*names, "07_crash.csv.gz"])
    (day / "bad.csv").write_text("a,b\n1,2\n")
    out = day / "results.csv"
    result = subprocess.run(
        command(day, "--jobs", "2", "--out", out),
        capture_output=True,
        text=True,
        check=False,
        env=environment(tmp_path / "site"),
    )
    assert result.returncode == 1, result.stderr
    assert "20 recordings, 120 repetitions, 2 not counted" in result.stdout
    assert "07_crash.csv.gz: the process that read it died" in result.stderr
    assert "Traceback" not in result.stderr
    rows = list(read_rows(day / "results.recordings.csv", RECORDING_COLUMNS))
    assert sorted(Path(str(row["recording"])).name for row in rows) == sorted([*names, "07_crash.csv.gz", "bad.csv"])
    assert [Path(str(row["recording"])).name for row in rows if row["error"]] == ["07_crash.csv.gz", "bad.csv"]
    assert not list(day.glob("*.partial"))


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="ends processes as Linux does")
def test_a_killed_run_goes_on_where_it_was(tmp_path):
    day = links(tmp_path / "day", [f"{n:02}_slow.csv.gz" for n in range(32)])
    out, variables = tmp_path / "r.csv", environment(tmp_path / "site")
    with subprocess.Popen(command(day, "--jobs", "2", "--out", out), env=variables, start_new_session=True) as process:
        partial = tmp_path / "r.csv.partial"
        until(lambda: partial.exists() and partial.read_bytes().count(b"\n") >= 4)
        process.kill()
    kept = {json.loads(line)["recording"]["recording"] for line in partial.read_bytes().splitlines(True)[:4]}
    result = subprocess.run(
        command(day, "--jobs", "2", "--out", out), capture_output=True, text=True, check=False, env=variables
    )
    assert result.returncode == 0, result.stderr
    before = int(result.stdout.split(" recordings counted before")[0].split()[-1])
    assert len(kept) <= before < 32
    assert len(set(names_in(tmp_path / "r.recordings.csv"))) == 32
    assert len(list(read_rows(out, REPETITION_COLUMNS))) == 32 * 6


def until(condition, within_s: float = 120.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# --- a cluster -------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(tmp_path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers on loopback, each a process of its own; workers load `CRASH`."""
    pytest.importorskip("distributed", reason="needs Dask, of the extra cluster")
    variables = environment(tmp_path / "site") | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    described = tmp_path / "scheduler.json"
    common = {"env": variables, "cwd": tmp_path, "stderr": subprocess.DEVNULL, "start_new_session": True}
    dask = [sys.executable, "-m", "distributed.cli."]

    def start(kind: str, *more: str) -> subprocess.Popen[bytes]:
        module = f"{dask[2]}dask_{kind}"
        return subprocess.Popen([*dask[:2], module, "--scheduler-file", str(described), *more], **common)

    processes = [start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")]
    try:
        until(described.exists)
        processes += [start("worker", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1") for _ in range(2)]
        yield json.loads(described.read_text())["address"], processes
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="ends processes as Linux does")
def test_a_cluster_loses_no_recording_and_counts_none_twice(tmp_path, cluster):
    address, processes = cluster
    names = [f"{n:02}_slow.csv.gz" for n in range(40)]
    day = links(tmp_path / "day", [*names, "crash.csv.gz"])
    out = tmp_path / "out"

    def run() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(day, "--cluster", address, "--out", out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    with run() as first:
        until(lambda: first.poll() is not None or list((out / "recordings").glob("*.parquet")))
        os.killpg(processes[1].pid, signal.SIGKILL)  # one worker and its nanny, midway
        done = folder_names(out)[0]
        printed, complaints = first.communicate(timeout=300)
    log = [f"41 recordings on two workers; one killed when {len(done)} were counted", complaints, printed]
    assert first.returncode == 1, complaints
    assert "40 recordings, 240 repetitions, 1 not counted" in printed, complaints
    assert complaints == f"{day / 'crash.csv.gz'}: each worker that read it died: its memory may be short\n"
    recordings, repetitions = folder_names(out)
    assert [Path(name).name for name in recordings] == [*names, "crash.csv.gz"]
    assert [Path(name).name for name in repetitions] == [name for name in names for _ in range(6)]
    (day / "crash.csv.gz").rename(day / "healthy.csv.gz")  # a full retry: one new, all others done
    (day / names[0]).write_bytes(SAMPLES[0].read_bytes())  # and one changed
    with run() as second:
        printed, complaints = second.communicate(timeout=300)
    assert (second.returncode, complaints) == (0, "")
    assert "41 recordings, 248 repetitions, 39 recordings counted before" in printed
    log += ["the same command again, one recording mended and one changed", printed]
    print("".join(f"\n{line.strip().replace(str(tmp_path), '.')}" for line in log))  # seen with -s
    recordings, repetitions = folder_names(out)
    assert [Path(name).name for name in recordings] == [*names, "healthy.csv.gz"]
    assert len(repetitions) == 248


@pytest.mark.process
def test_a_scheduler_that_does_not_answer_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs Dask, of the extra cluster")
    monkeypatch.setattr("imu.batch.CONNECT_S", 0.5)
    day = links(tmp_path / "day", ["a.csv.gz"])
    result = CliRunner().invoke(
        app, ["replay", str(day), "--cluster", "tcp://127.0.0.1:1", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 1
    assert result.output.startswith("no Dask scheduler answers at tcp://127.0.0.1:1")
    assert len(result.output.splitlines()) == 1
