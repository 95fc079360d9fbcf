"""`imu doctor` on computers that are fine, and on computers that are broken in many ways."""

import asyncio
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections import namedtuple
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest

from imu.app import doctor
from imu.app.doctor import Check, Finding, LinuxPlaces, Status, examine, linux, probe, searching
from imu.samples import RowFaults
from imu.session import SessionSummary
from imu.store import SessionStore
from imu.store.database import SCHEMA_VERSION

SOURCE = Path(__file__).parent.parent
if sys.platform == "linux":
    from dbus_fast import BusType, PropertyAccess
    from dbus_fast.aio import MessageBus
    from dbus_fast.service import ServiceInterface, dbus_property

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="of Linux")


def found_by(look, *arguments):
    return [(one.name, one.status, one.found, one.advice) for one in look(*arguments)]


def status_of(look, *arguments):
    return {one.status for one in look(*arguments)}


def here(name, *arguments, longest_s=None):
    """Run a probe in this process, as starting another takes a second; counting is taken to work."""
    if name == "counting":
        return {"counted": 3}, None
    return getattr(doctor, f"probe_{name}")(*arguments), None


@pytest.fixture
def quick(monkeypatch):
    """Run all probes in this process."""
    monkeypatch.setattr(doctor, "probe", here)


# --- the whole -------------------------------------------------------------------------------------------------------


@pytest.fixture
def requirements(monkeypatch):
    """The packages that this program is installed with, as if its metadata were of today."""
    lines = ["numpy>=2.0", 'pyarrow>=16; extra == "parquet"']
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    return lines


@pytest.mark.process
def test_where_all_is_well_it_says_so_and_leaves_no_trace(tmp_path, capsys, requirements):
    home = tmp_path / "deep" / "home"
    assert doctor.doctor(home, as_json=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ready"] is True
    names = [check["name"] for check in report["checks"]]
    for name in (
        "Python",
        "program",
        "packages",
        "counting",
        "folder",
        "disk",
        "sessions",
        "clock",
        "speech",
        "terminal",
    ):
        assert name in names
    assert {check["status"] for check in report["checks"]} <= {"ok", "attention"}
    assert all(set(check) == {"name", "status", "found", "advice"} for check in report["checks"])
    assert report["checks"][names.index("counting")]["found"] == "counts 3 of 3 simulated squats"
    assert not (tmp_path / "deep").exists()


def test_a_fault_that_stops_training_is_exit_code_1(tmp_path, capsys, requirements, quick):
    (tmp_path / "file").touch()
    assert doctor.doctor(tmp_path / "file" / "home", as_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    problem = next(i for i, line in enumerate(lines) if line.startswith("problem"))
    assert "cannot be written" in lines[problem]
    assert lines[problem + 1].strip().startswith("-> allow writing to")
    assert lines[-1] == "Training does not work here yet: 1 problem, see above."


@pytest.mark.parametrize(
    ("bluetooth", "share", "last"),
    [
        (Status.OK, Status.OK, "Training works here; 'imu train --sensor virtual' works without a sensor."),
        (
            Status.ATTENTION,
            Status.OK,
            "Without Bluetooth, training works here only with the virtual sensor (imu train --sensor virtual) "
            "or a phone (imu train --sensor phone): see above.",
        ),
        (
            Status.ATTENTION,
            Status.ATTENTION,
            "Without Bluetooth, training works here only with the virtual sensor (imu train --sensor virtual) "
            "or a phone, once [share] is installed: see above.",
        ),
    ],
)
def test_the_last_line_names_the_sensors_that_work_here(tmp_path, capsys, monkeypatch, bluetooth, share, last):
    found = [Finding("[share]", share, "a phone as a sensor"), Finding("Bluetooth", bluetooth, "no adapter")]
    monkeypatch.setattr(doctor, "checks", lambda home: [Check("all", lambda: iter(found))])
    assert doctor.doctor(tmp_path, as_json=False) == 0
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_a_check_that_breaks_is_a_finding():
    def broken():
        yield Finding("first", Status.OK, "fine")
        raise RuntimeError("of two\nlines")

    found = list(examine([Check("broken", broken), Check("minor", broken, Status.ATTENTION)]))
    assert [(one.name, one.status) for one in found] == [("broken", Status.PROBLEM), ("minor", Status.ATTENTION)]
    assert found[0].found == "could not be checked (RuntimeError: of two lines)"


def test_a_quoted_text_cannot_steer_the_terminal(tmp_path, capsys, requirements, quick):
    doctor.doctor(tmp_path / "\x1b[2J" / "x", as_json=False)
    assert "\x1b" not in capsys.readouterr().out


DOCTOR = """
import pathlib, sys
from imu.app.doctor import doctor
sys.exit(doctor(pathlib.Path(sys.argv[1]), as_json=False))
"""


@pytest.mark.process
@pytest.mark.parametrize("broken", ["numpy", "bleak"])
def test_it_speaks_on_a_broken_computer(tmp_path, broken):
    package = tmp_path / "broken" / broken
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('DLL load failed')")
    run = subprocess.run(
        [sys.executable, "-c", DOCTOR, str(tmp_path / "home")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path / "broken"), str(SOURCE)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in run.stdout + run.stderr
    counting = next(line for line in run.stdout.splitlines() if " counting " in line)
    if broken == "numpy":
        assert run.returncode == 1
        assert counting.startswith("problem")
        assert "DLL load failed" in counting
    else:
        assert counting.startswith("ok")


# --- Python and packages ---------------------------------------------------------------------------------------------


def test_an_old_python_is_a_problem(monkeypatch):
    assert status_of(doctor.python) == {Status.OK}
    version = namedtuple("version", "major minor micro releaselevel serial")
    monkeypatch.setattr(sys, "version_info", version(3, 10, 2, "final", 0))
    assert status_of(doctor.python) == {Status.PROBLEM}


def test_missing_and_too_old_packages_are_problems(monkeypatch):
    installed = {"imu-training": "0.1.0", "numpy": "1.26.4", "pandas": "2.2.0"}

    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    lines = ["numpy>=2.0", "pandas>=2.2", "vqf>=2.1", 'bumble==0.0.236; extra == "virtual"', 'ruff; extra == "dev"']
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    found = {one[0]: one[1:] for one in found_by(doctor.packages)}
    assert found["packages"][:2] == (Status.PROBLEM, "numpy is 1.26.4, but must be >=2.0; vqf is missing")
    assert found["[virtual]"] == (
        Status.PROBLEM,
        "the virtual sensor: bumble is missing",
        'install it with: python -m pip install "imu-training[virtual]"',
    )
    assert set(found) == {"program", "packages", "[virtual]"}  # what developers need is no concern here
    installed.update({"numpy": "2.4.6", "vqf": "2.1", "bumble": "0.0.236"})
    assert status_of(doctor.packages) == {Status.OK}
    installed["bumble"] = "0.0.237"
    assert status_of(doctor.packages) == {Status.OK, Status.PROBLEM}


def test_run_from_its_source_it_says_what_it_cannot_know(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    assert status_of(doctor.packages) == {Status.ATTENTION}


def test_our_own_requirements_and_extras_are_read(monkeypatch):
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    lines += [
        f'{line}{" and" if ";" in line else ";"} extra == "{extra}"'
        for extra, more in project["optional-dependencies"].items()
        for line in more
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    monkeypatch.setattr(metadata, "version", lambda name: "0")
    found = {one[0]: one[1:] for one in found_by(doctor.packages)}
    assert found["packages"][1].count("must be") == len(project["dependencies"])
    assert set(doctor.EXTRAS) <= set(project["optional-dependencies"])
    assert {f"[{extra}]" for extra in doctor.EXTRAS} <= set(found)


# --- counting, and what may happen to a process ----------------------------------------------------------------------


def with_broken(tmp_path, monkeypatch, name, program):
    (tmp_path / f"{name}.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(SOURCE))))


@pytest.mark.process
@pytest.mark.parametrize(
    ("program", "finding"),
    [
        ("raise ImportError('libgomp.so.1: cannot open')", "ImportError: libgomp.so.1: cannot open"),
        ("import os; os.abort()", "the process was ended by SIGABRT"),
        ("import os; os._exit(7)", "the process ended with 7"),
        ("import os; os.write(1, b'not json'); os._exit(0)", "the process printed 'not json'"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_a_counting_process_that_fails_in_any_way_is_a_problem(tmp_path, monkeypatch, program, finding):
    with_broken(tmp_path, monkeypatch, "vqf", program)
    ((_, status, found, advice),) = found_by(doctor.counting)
    assert (status, found) == (Status.PROBLEM, finding)
    assert "reinstall" in advice


def test_a_wrong_count_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor, "probe", lambda name: ({"counted": 2}, None))
    ((_, status, found, _),) = found_by(doctor.counting)
    assert (status, found) == (Status.PROBLEM, "counts 2 of 3 simulated squats")


@pytest.mark.process
def test_a_process_that_hangs_is_ended(tmp_path, monkeypatch):
    with_broken(tmp_path, monkeypatch, "vqf", "import time; time.sleep(600)")
    assert probe("counting", longest_s=0.5)[1].startswith("no answer within")


def test_a_python_that_cannot_be_started(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert probe("counting")[1].startswith("Python does not start")


# --- storage ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "sessions.db"
    summary = SessionSummary(1.0, 100.0, 100, (), RowFaults(), (), ())
    with SessionStore.open(path) as kept:
        kept.save(summary, "a.csv", "0" * 64, saved_at=datetime.now(UTC), software_version="1")
    return path


def execute(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_the_store_is_looked_at_and_left_as_it_is(store, quick):
    before = store.read_bytes()
    finding = f"1 session, schema {SCHEMA_VERSION}"
    assert found_by(doctor.sessions, store) == [("sessions", Status.OK, finding, None)]
    assert store.read_bytes() == before
    assert list(store.parent.iterdir()) == [store]


@pytest.mark.parametrize("stored", [True, False])
def test_a_training_that_was_cut_off_is_named_with_what_stores_it(store, quick, stored):
    if not stored:
        store.unlink()
    recordings = store.parent / "recordings"
    recordings.mkdir()
    for name in ("cut_off.mcap", "still_runs.mcap"):
        (recordings / name).touch()
    long_ago = time.time() - 60
    os.utime(recordings / "cut_off.mcap", (long_ago, long_ago))
    found = [one for one in found_by(doctor.sessions, store) if one[0] == "recordings"]
    sentence, advice = "a training was cut off: cut_off.mcap is not stored", "store it: imu replay --save "
    assert found == [("recordings", Status.ATTENTION, sentence, f"{advice}'{recordings / 'cut_off.mcap'}'")]


def test_a_store_of_another_version_is_a_problem(store, quick):
    execute(store, f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    before = store.read_bytes()
    ((_, status, found, _),) = found_by(doctor.sessions, store)
    assert (status, "was written by an older version" in found) == (Status.PROBLEM, True)
    assert store.read_bytes() == before


def test_an_empty_store_is_not_filled(tmp_path, quick):
    path = tmp_path / "sessions.db"
    path.touch()
    assert status_of(doctor.sessions, path) == {Status.OK}
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda path: execute(path, "PRAGMA user_version = 99"), "newer version"),
        (lambda path: execute(path, "PRAGMA application_id = 7"), "not a session store"),
        (lambda path: path.write_bytes(path.read_bytes()[:100].ljust(path.stat().st_size, b"\xff")), "damaged"),
        (
            lambda path: path.write_text("something else, long enough to be a file of its own " * 9),
            "not a session store",
        ),
    ],
)
def test_a_store_that_cannot_be_used_is_a_problem(store, break_it, words, quick):
    break_it(store)
    ((_, status, found, _),) = found_by(doctor.sessions, store)
    assert status is Status.PROBLEM
    assert words in found


@pytest.mark.parametrize(
    ("free_bytes", "status"), [(10e6, Status.PROBLEM), (500e6, Status.ATTENTION), (80e9, Status.OK)]
)
def test_room_on_the_disk(tmp_path, monkeypatch, free_bytes, status):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1e12, 0, free_bytes))
    assert status_of(doctor.disk, tmp_path) == {status}


def test_which_folder_and_who_named_it(tmp_path, monkeypatch):
    monkeypatch.delenv("IMU_HOME", raising=False)
    assert found_by(doctor.folder, tmp_path)[0][2] == f"data is kept in {tmp_path}"
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "new"))
    assert (
        found_by(doctor.folder, tmp_path / "new")[0][2]
        == f"IMU_HOME names {tmp_path / 'new'}, which does not exist yet"
    )


# --- clocks, speech, terminal ----------------------------------------------------------------------------------------


def test_a_computer_without_a_date(monkeypatch):
    assert status_of(doctor.clock) == {Status.OK}
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((1970, 1, 1, 0, 0, 0, 3, 1, 0)))
    assert status_of(doctor.clock) == {Status.ATTENTION}


def test_no_voice_is_no_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    ((_, status, found, advice),) = found_by(doctor.speech)
    assert (status, found) == (Status.ATTENTION, "none")
    assert "install" in advice or sys.platform != "linux"


def test_a_dumb_terminal_needs_attention(monkeypatch):
    assert found_by(doctor.terminal)[0][2].startswith("output is not a terminal")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert status_of(doctor.terminal) == {Status.ATTENTION}
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    ((_, status, found, _),) = found_by(doctor.terminal)
    assert (status, found.startswith("100 x 30")) == (Status.OK, True)


# --- Bluetooth -------------------------------------------------------------------------------------------------------


def searched(monkeypatch, found, failure=None):
    monkeypatch.setattr(doctor, "probe", lambda name, longest_s: (found, failure))
    return found_by(searching)


def test_a_search_says_whether_bluetooth_works(monkeypatch):
    assert searched(monkeypatch, {"reason": None})[0][1] is Status.OK
    off = {"reason": "off", "sentence": "Bluetooth is off: switch it on"}
    assert searched(monkeypatch, off) == [("Bluetooth", Status.ATTENTION, "off", "Bluetooth is off: switch it on")]
    assert searched(monkeypatch, None, "no answer within 30 s")[0][1] is Status.ATTENTION


def test_macos_ends_a_program_that_may_not_search(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    ((_, status, found, advice),) = searched(monkeypatch, None, "the process was ended by SIGABRT")
    assert (status, found) == (Status.ATTENTION, "macOS does not let this terminal use Bluetooth")
    assert "Privacy & Security" in advice


@linux_only
def test_the_real_search_says_why_it_does_not_start(monkeypatch, tmp_path, quick):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no_bus'}")
    ((_, status, _, advice),) = found_by(searching)
    assert status is Status.ATTENTION
    assert "service" in advice


@pytest.fixture
def places(tmp_path):
    adapters, rfkill = tmp_path / "bluetooth", tmp_path / "rfkill"
    adapters.mkdir()
    rfkill.mkdir()
    (tmp_path / "version").write_text("Linux version 6.1")
    return LinuxPlaces(adapters, rfkill, tmp_path / "version", (tmp_path / ".dockerenv",))


@pytest.fixture
def no_search(monkeypatch):
    monkeypatch.setattr(doctor, "searching", lambda: ())


def add_switch(places, name, kind="bluetooth", **states):
    folder = places.rfkill / name
    folder.mkdir()
    for file, value in {"type": kind, "name": f"{name}-radio", "soft": "0", "hard": "0", **states}.items():
        (folder / file).write_text(f"{value}\n")


@linux_only
def test_a_computer_without_an_adapter(places, no_search):
    found = found_by(linux, places)
    assert found[0][:3] == ("adapter", Status.ATTENTION, "Linux finds no Bluetooth adapter")
    assert "firmware" in found[0][3]
    places.kernel.write_text("Linux version 5.15 microsoft-standard-WSL2")
    assert "in Windows itself" in found_by(linux, places)[0][3]
    places.kernel.write_text("Linux version 5.15")
    places.containers[0].touch()
    assert "container" in found_by(linux, places)[0][3]


@linux_only
def test_switches_that_keep_bluetooth_off(places, no_search):
    (places.adapters / "hci0").mkdir()
    (places.adapters / "hci0:64").mkdir()  # a connection, not an adapter
    add_switch(places, "rfkill0", kind="wlan", soft="1")
    add_switch(places, "rfkill1")
    assert [one[0] for one in found_by(linux, places)] == ["adapter"]
    assert found_by(linux, places)[0][2] == "hci0"
    add_switch(places, "rfkill2", soft="1")
    add_switch(places, "rfkill3", hard="1")
    blocked = [one for one in found_by(linux, places) if one[0] == "rfkill"]
    assert [one[2] for one in blocked] == ["rfkill2-radio is blocked", "rfkill3-radio is switched off by hardware"]
    assert blocked[0][3].endswith("rfkill unblock bluetooth")


@pytest.mark.process
@linux_only
def test_a_bus_that_does_not_answer(places, quick, monkeypatch, tmp_path):
    path = tmp_path / "bus"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={path},guid=00")
    last = found_by(linux, places)[-1]
    assert last[:3] == ("Bluetooth", Status.ATTENTION, "no service")
    assert "systemctl start" in last[3]


BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
{more}</policy></busconfig>
"""


@pytest.fixture
async def bus(tmp_path, monkeypatch):
    """Start real system buses, with a stand-in for the Bluetooth service on them."""
    if sys.platform != "linux" or shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed")

    class Adapter(ServiceInterface):
        def __init__(self, powered):
            super().__init__("org.bluez.Adapter1")
            self.powered = powered

        @dbus_property()
        def Powered(self) -> "b":  # noqa: N802, F821  a D-Bus signature
            return self.powered

        @dbus_property(access=PropertyAccess.READ)
        def Roles(self) -> "as":  # noqa: N802, F722
            return ["central"]

        @Powered.setter
        def Powered(self, powered: "b"):  # noqa: N802, F821
            self.powered = powered

    daemons, connections = [], []

    async def start(adapters=None, more=""):
        path = tmp_path / f"bus{len(daemons)}"
        config = tmp_path / f"bus{len(daemons)}.conf"
        config.write_text(BUS.format(path=path, more=more))
        daemon = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--print-address", "--nofork"], stdout=subprocess.PIPE, text=True
        )
        daemons.append(daemon)
        daemon.stdout.readline()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={path}")
        if adapters is not None:
            connection = await MessageBus(bus_type=BusType.SYSTEM).connect()
            connections.append(connection)
            for name, powered in adapters.items():
                connection.export(f"/org/bluez/{name}", Adapter(powered))
            await connection.request_name("org.bluez")

    yield start
    for connection in connections:
        connection.disconnect()
        await connection.wait_for_disconnect()
    for daemon in daemons:
        daemon.kill()
        daemon.communicate()


async def looked_at(places):
    return await asyncio.to_thread(found_by, linux, places)


@pytest.mark.process
@pytest.mark.parametrize(
    ("adapters", "more", "reason", "advice"),
    [
        (None, "", "no service", "sudo systemctl start bluetooth"),
        ({"hci1": False}, "", "off", "bluetoothctl power on"),
        ({"hci0": True}, '<deny send_destination="org.bluez"/>', "no permission", "usermod -aG bluetooth"),
    ],
)
async def test_the_search_says_what_the_bluetooth_service_lacks(places, bus, quick, adapters, more, reason, advice):
    (places.adapters / "hci0").mkdir()
    await bus(adapters, more)
    adapter, search = await looked_at(places)
    assert adapter[1] is Status.OK
    assert search[:3] == ("Bluetooth", Status.ATTENTION, reason)
    assert advice in search[3]


def test_every_check_has_a_name_of_its_own(tmp_path):
    names = [check.name for check in doctor.checks(tmp_path)]
    assert len(names) == len(set(names))
