"""`imu train` as a process of its own: the real client, a virtual radio, real files, real kills, a real terminal."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imu.app.cli import app
from imu.report.replay import Replayed, ReplayOptions, replay
from imu.store import SessionStore

pytestmark = [pytest.mark.process, pytest.mark.realtime]

IMU = [sys.executable, "-c", "from imu.app.cli import main; main()"]
FAST_IMU = [sys.executable, str(Path(__file__).parent / "fast_clock.py")]
REPETITION = re.compile(r"^ *\d+:\d\d +\d+  (squat|hinge|uncertain) ")
KILLS = 8
START = "Starting the training. Ctrl-C ends it."


def started(*arguments: str, home: Path, fast: bool = False, **options: object) -> subprocess.Popen[str]:
    """Start a training; `fast`: on a clock that runs 20 times as fast."""
    environment = os.environ | {"IMU_HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([*(FAST_IMU if fast else IMU), "train", *arguments], env=environment, text=True, **streams)  # type: ignore[call-overload,no-any-return]


def imu(*arguments: str, home: Path | None = None):
    """Run a command in this process."""
    return CliRunner().invoke(app, arguments, env={"IMU_HOME": str(home)} if home else None, catch_exceptions=False)


def repetitions(replayed: Replayed) -> list[str]:
    """Patterns of everything that was announced, in order."""
    summary = replayed.summary
    lone = [one.repetition for one in summary.rejected if one.repetition is not None]
    both = [*(one for each in summary.sets for one in each.repetitions), *lone]
    return [str(one.pattern) for one in sorted(both, key=lambda one: one.confirmed_s)]


def replay_of(home: Path) -> Replayed:
    (recording,) = (home / "recordings").glob("*.mcap")
    replayed = replay(str(recording), ReplayOptions())
    assert isinstance(replayed, Replayed), replayed
    return replayed


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, object], str]]:
    """One training of half a minute: its folder, its object, and its lines."""
    home = tmp_path_factory.mktemp("home")
    process = started("--sensor", "virtual", "--duration", "30", "--json", home=home, fast=True)
    out, lines = process.communicate(timeout=120)
    assert process.returncode == 0, lines
    yield home, json.loads(out), lines


def test_a_training_equals_the_replay_of_its_recording(trained: tuple[Path, dict[str, object], str]) -> None:
    home, printed, _ = trained
    (recording,) = (home / "recordings").glob("*.mcap")
    assert printed["recording"] == str(recording)
    assert json.loads(imu("replay", str(recording), "--json").stdout) == printed
    assert printed["totals"] == {"squat": 5, "hinge": 0, "uncertain": 0}


def test_a_training_converts_to_a_table_that_replays_to_the_same(
    trained: tuple[Path, dict[str, object], str], tmp_path: Path
) -> None:
    (recording,) = (trained[0] / "recordings").glob("*.mcap")
    table = tmp_path / "training.csv"
    assert imu("convert", str(recording), str(table)).exit_code == 0
    converted = replay(str(table), ReplayOptions())
    assert isinstance(converted, Replayed)
    assert converted.summary == replay_of(trained[0]).summary


def test_a_recording_with_a_part_twice_counts_once(
    trained: tuple[Path, dict[str, object], str], tmp_path: Path
) -> None:
    """A copy that was broken off and begun again."""
    (recording,) = (trained[0] / "recordings").glob("*.mcap")
    data = recording.read_bytes()
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "twice.mcap").write_bytes(data[: len(data) // 2] + data)
    twice = replay_of(tmp_path)
    assert twice.summary == replay_of(trained[0]).summary
    assert twice.damaged is not None and "-" not in twice.damaged.split(":")[1]


def test_a_damaged_recording_says_so_to_people_and_programs_and_keeps_its_day(
    trained: tuple[Path, dict[str, object], str], tmp_path: Path
) -> None:
    (whole,) = (trained[0] / "recordings").glob("*.mcap")
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert "breaks off after" in imu("replay", str(cut), "--save", home=tmp_path / "home").stdout
    printed = json.loads(imu("replay", str(cut), "--json", home=tmp_path / "home").stdout)
    assert "breaks off after" in printed["damaged"]
    with SessionStore.open(tmp_path / "home" / "sessions.db") as store:
        started_at = store.load(1).started_at
    assert started_at is not None and abs(started_at.timestamp() - whole.stat().st_ctime) < 300


def test_a_training_prints_a_line_for_each_repetition_and_is_stored(
    trained: tuple[Path, dict[str, object], str],
) -> None:
    home, printed, text = trained
    lines = text.splitlines()
    assert any("is connected" in line for line in lines)
    assert sum(bool(REPETITION.match(line)) for line in lines) == 5
    with SessionStore.open(home / "sessions.db") as store:
        (overview,) = store.list()
        stored = store.load(overview.id)
    assert (overview.squats, overview.hinges) == (5, 0)
    assert stored.source == printed["recording"]
    assert stored.started_at is not None
    assert stored.summary == replay_of(home).summary


def test_a_virtual_sensor_is_not_remembered_for_the_next_training(trained: tuple[Path, dict[str, object], str]) -> None:
    assert not (trained[0] / "sensor.json").exists()


def test_killed_at_any_moment_the_recording_holds_what_was_confirmed_a_second_before(tmp_path: Path) -> None:
    """Several trainings at once, each killed at a moment of its own."""
    moments = random.Random(20261122)
    homes = [tmp_path / f"{number:02}" for number in range(KILLS)]
    running = {
        home: started("--sensor", "virtual", home=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for home in homes
    }
    printed: dict[Path, list[tuple[float, str]]] = {home: [] for home in homes}
    kill_at: dict[Path, float] = {}
    killed_at: dict[Path, float] = {}
    of_stream = {process.stdout: home for home, process in running.items()}
    give_up_s = time.monotonic() + 240
    while len(killed_at) < KILLS and time.monotonic() < give_up_s:
        waiting = [stream for stream, home in of_stream.items() if home not in killed_at]
        for stream in select.select(waiting, [], [], 0.02)[0]:
            home, line = of_stream[stream], os.read(stream.fileno(), 65536).decode()
            now_s = time.monotonic()
            printed[home] += [(now_s, one) for one in line.splitlines()]
            if home not in kill_at and any(REPETITION.match(one) for _, one in printed[home]):
                kill_at[home] = now_s + moments.uniform(0.0, 13.0)
        for home, at_s in kill_at.items():
            if time.monotonic() >= at_s and home not in killed_at:
                running[home].send_signal(signal.SIGKILL)
                killed_at[home] = time.monotonic()
    for process in running.values():
        process.kill()
        process.communicate()
    assert len(killed_at) == KILLS
    confirmed = 0
    for home in homes:
        patterns = [
            match.group(1)
            for at_s, line in printed[home]
            if (match := REPETITION.match(line)) and at_s <= killed_at[home] - 1.0
        ]
        replayed = replay_of(home)
        assert repetitions(replayed)[: len(patterns)] == patterns
        confirmed += len(patterns)
    assert confirmed > KILLS, "most were killed in the middle of a set"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_training_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    process = started("--sensor", "virtual", home=tmp_path, fast=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    for line in process.stdout:
        if REPETITION.match(line):
            break
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    replayed = replay_of(tmp_path)
    assert replayed.damaged is None
    assert repetitions(replayed)
    with SessionStore.open(tmp_path / "sessions.db") as store:
        assert store.load(store.list()[0].id).summary == replayed.summary


def test_without_saving_nothing_is_kept(tmp_path: Path) -> None:
    process = started("--sensor", "virtual", "--duration", "3", "--no-save", "--json", home=tmp_path, fast=True)
    out, lines = process.communicate(timeout=60)
    assert process.returncode == 0, lines
    assert json.loads(out)["recording"] == ""
    assert list(tmp_path.iterdir()) == []


def test_without_bluetooth_there_is_one_sentence_and_nothing_is_left(tmp_path: Path) -> None:
    if Path("/run/dbus/system_bus_socket").exists():
        pytest.skip("this machine has a D-Bus: what it says depends on its Bluetooth")
    process = started("--sensor", "any", home=tmp_path)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out.splitlines() in ([START], [START, "looking for the sensor"])
    (sentence,) = errors.splitlines()
    assert "Bluetooth" in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("virtual:toaster", "no virtual sensor 'toaster'"),
        ("virtual:127.0.0.1:1", "imu sensor"),
        ("virtual:127.0.0.1:abc", "no port"),
    ],
)
def test_a_virtual_sensor_that_is_not_there_is_one_sentence_for_people_and_programs(
    tmp_path: Path, name: str, words: str
) -> None:
    for_people = imu("train", "--sensor", name, home=tmp_path)
    for_programs = imu("train", "--sensor", name, "--json", home=tmp_path)
    assert for_people.exit_code == for_programs.exit_code == 1
    (sentence,) = for_people.stderr.splitlines()
    assert words in sentence
    assert json.loads(for_programs.stdout)["error"] in for_programs.stderr


def test_keys_in_a_real_terminal(tmp_path: Path) -> None:
    """Undo the first repetition, pause, go on, quit: the terminal comes back, and the replay agrees."""
    ours, theirs = pty.openpty()
    process = started("--sensor", "virtual", home=tmp_path, fast=True, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = ""

    def until(text: str, within_s: float = 60.0) -> None:
        nonlocal seen
        give_up_s = time.monotonic() + within_s
        while text not in seen:
            assert time.monotonic() < give_up_s, f"{text!r} never came: {seen[-2000:]!r}"
            if select.select([ours], [], [], 0.2)[0]:
                seen += os.read(ours, 65536).decode("utf-8", "replace")

    until("SQUAT")
    os.write(ours, b"u")
    os.write(ours, b"p")
    until("PAUSED")
    os.write(ours, b"p")
    os.write(ours, b"q")
    until("Counted")
    process.wait(30)
    os.close(ours)
    assert process.returncode == 0
    reasons = [one.reason for one in replay_of(tmp_path).summary.rejected]
    assert "taken back by the person" in reasons
    with SessionStore.open(tmp_path / "sessions.db") as store:
        assert store.load(store.list()[0].id).summary == replay_of(tmp_path).summary


def test_a_full_disk_is_reported_at_once_and_the_training_goes_on(tmp_path: Path) -> None:
    """No file may grow beyond 32 kB: neither the recording, some 12 s later, nor the store."""
    resource = pytest.importorskip("resource", reason="there is no limit to the size of files on Windows")
    process = started(
        *("--sensor", "virtual", "--duration", "30"),
        home=tmp_path,
        fast=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (32_768, 32_768)),
    )
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in out
    lines = out.splitlines()
    reported = next(number for number, line in enumerate(lines) if "no longer recorded" in line)
    counted = [number for number, line in enumerate(lines) if REPETITION.match(line)]
    assert len(counted) == 5
    assert reported < counted[-1], "reported while the training went on"
    assert "5 squats" in out
    (recording,) = (tmp_path / "recordings").glob("*.mcap")
    assert recording.stat().st_size <= 32_768
    assert 0 < len(repetitions(replay_of(tmp_path))) < 5


@pytest.mark.parametrize("as_json", [False, True])
def test_the_first_line_comes_before_the_imports_that_take_a_second(monkeypatch: pytest.MonkeyPatch, as_json: bool):
    monkeypatch.setitem(sys.modules, "imu.app.train", None)  # whatever imports it fails
    done = CliRunner().invoke(app, ["train", "--sensor", "virtual", *(["--json"] if as_json else [])])
    assert isinstance(done.exception, ImportError)
    assert (done.stderr if as_json else done.stdout) == f"{START}\n"


def test_ctrl_c_before_a_sensor_is_there_is_one_sentence(tmp_path: Path) -> None:
    process = started("--sensor", "virtual", home=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    assert process.stdout.readline() == f"{START}\n"
    assert "looking for the sensor" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in rest


def test_a_closed_pipe_does_not_end_the_training(tmp_path: Path) -> None:
    process = started("--sensor", "virtual", "--duration", "8", home=tmp_path, fast=True, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(60)
    assert replay_of(tmp_path).damaged is None
    with SessionStore.open(tmp_path / "sessions.db") as store:
        assert len(store.list()) == 1
