"""``imu doctor``: check whether training works on this computer, and say what to do if it does not.

Each check prints one line or a few: *ok*, *attention* (training works, something else does not) or *problem* (not even
training with the virtual sensor works). The command must work on a broken computer too. So it imports nothing before
the check that needs it, runs in a process of its own whatever could crash or hang, and reports a failing check as a
finding.
"""
# ruff: noqa: PLC0415  imports stand where they are used

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

DISTRIBUTION = "imu-training"
OLDEST_PYTHON = (3, 11)
LEAST_FREE_MB, ENOUGH_FREE_MB = 50, 1000
"""An hour of training makes a recording of about 10 MB at 100 Hz; SQLite needs room to work too."""
EARLIEST_YEAR = 2026
"""This program is from 2026: a clock that shows an earlier year was never set."""
PROBE_S, SEARCH_S = 60.0, 30.0
"""Longest wait for a process, and for one that searches for sensors. The first import of NumPy from a slow disk takes
30 s."""
WORKERS = 4
"""Number of checks at a time; most of them wait for another process."""


class Status(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    ATTENTION = "attention"
    """Training with the virtual sensor works; something else does not."""
    PROBLEM = "problem"
    """Not even training with the virtual sensor works."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was checked, its status, the finding in words, and what to do about it."""

    name: str
    status: Status
    found: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A named check, and the status that is reported if the check itself fails."""

    name: str
    look: Callable[[], Iterable[Finding]]
    if_broken: Status = Status.PROBLEM


def doctor(home: Path, *, as_json: bool) -> int:
    """Check this computer and print the findings.

    Parameters
    ----------
    home : Path
        The folder for all data.
    as_json : bool
        Print one JSON object, for programs.

    Returns
    -------
    int
        The exit code: 0 if training with a virtual sensor would work, else 1.
    """
    findings = []
    for finding in examine(checks(home)):
        findings.append(finding)
        if not as_json:
            _print_line(finding)
    problems = sum(finding.status is Status.PROBLEM for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ready": not problems, "checks": [asdict(finding) for finding in findings]}))
    elif problems:
        typer.echo(f"\nTraining does not work here yet: {problems} problem{'s' if problems > 1 else ''}, see above.")
    else:
        typer.echo(f"\n{_closing(findings)}")
    return 1 if problems else 0


def _closing(findings: Iterable[Finding]) -> str:
    """Return which sensors one can train with here, where the program itself works."""
    status = {finding.name: finding.status for finding in findings}
    if status.get("Bluetooth", Status.OK) is Status.OK:
        return "Training works here; 'imu train --sensor virtual' works without a sensor."
    phone = "a phone (imu train --sensor phone)"
    if status.get("[share]", Status.OK) is not Status.OK:
        phone = "a phone, once [share] is installed"
    return (
        "Without Bluetooth, training works here only with the virtual sensor (imu train --sensor virtual) "
        f"or {phone}: see above."
    )


def checks(home: Path) -> list[Check]:
    """Return all checks."""
    return [
        Check("Python", python),
        Check("packages", packages),
        Check("counting", counting),
        Check("folder", lambda: folder(home)),
        Check("disk", lambda: disk(home)),
        Check("sessions", lambda: sessions(home / "sessions.db")),
        Check("clock", clock),
        Check("speech", speech, Status.ATTENTION),
        Check("terminal", terminal, Status.ATTENTION),
        Check("Bluetooth", bluetooth, Status.ATTENTION),
    ]


def examine(checks: Iterable[Check]) -> Iterator[Finding]:
    """Run the checks, several at a time, and give the findings in the order of the checks."""
    with ThreadPoolExecutor(WORKERS) as workers:
        for findings in [workers.submit(_run, check) for check in checks]:
            yield from findings.result()


def _run(check: Check) -> list[Finding]:
    try:
        return list(check.look())
    except Exception as error:  # the computer may be broken in any way
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return [Finding(check.name, check.if_broken, f"could not be checked ({reason})", "report this to the authors")]


_COLOUR = {Status.OK: "green", Status.ATTENTION: "yellow", Status.PROBLEM: "red"}


def _print_line(finding: Finding) -> None:
    colour = False if os.environ.get("NO_COLOR") else None
    status = typer.style(f"{finding.status:<9}", fg=_COLOUR[finding.status])
    typer.echo(f"{status}  {_printable(finding.name):<10}  {_printable(finding.found)}", color=colour)
    if finding.advice is not None:
        typer.echo(f"{'':<23}-> {_printable(finding.advice)}")


def _printable(text: str) -> str:
    """Replace control characters: a finding may quote a path or an error with any bytes in it."""
    return "".join(character if character.isprintable() else "?" for character in text)


# --- Python and packages ---------------------------------------------------------------------------------------------


def python() -> Iterator[Finding]:
    """Check the version of Python."""
    bits = 64 if sys.maxsize > 2**32 else 32
    system = f"{platform.system()} {platform.release()} ({bits} bit)"
    version = f"{platform.python_implementation()} {platform.python_version()} on {system}"
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("Python", Status.PROBLEM, version, f"install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    else:
        yield Finding("Python", Status.OK, version)


EXTRAS = {
    "virtual": ("the virtual sensor", Status.PROBLEM),
    "parquet": ("reading Parquet recordings", Status.ATTENTION),
    "web": ("the web page", Status.ATTENTION),
    "plots": ("drawing recordings", Status.ATTENTION),
    "fit": ("writing FIT files", Status.ATTENTION),
    "share": ("a phone as a sensor", Status.ATTENTION),
}
"""The purpose of each extra, and the status if it is missing."""


def packages() -> Iterator[Finding]:
    """Compare the installed packages with this program's own metadata."""
    repair = f"repair with: python -m pip install --upgrade {DISTRIBUTION}"
    try:
        from packaging.requirements import Requirement
    except ImportError:
        yield Finding("packages", Status.PROBLEM, "packaging is missing", repair)
        return
    try:
        requirements = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
        yield Finding("program", Status.OK, f"imu {metadata.version(DISTRIBUTION)}")
    except metadata.PackageNotFoundError:
        advice = "install it: python -m pip install -e . in its folder"
        yield Finding("program", Status.ATTENTION, "runs from source; its packages cannot be checked", advice)
        return
    needed, *of_extras = (
        [
            requirement
            for requirement in requirements
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        ]
        for extra in ("", *EXTRAS)
    )
    troubles = [trouble for one in needed if (trouble := _trouble(one))]
    if troubles:
        yield Finding("packages", Status.PROBLEM, "; ".join(troubles), repair)
    else:
        installed = ", ".join(f"{one.name} {metadata.version(one.name)}" for one in needed)
        yield Finding("packages", Status.OK, installed)
    for (extra, (purpose, without)), of_extra in zip(EXTRAS.items(), of_extras, strict=True):
        wanted = [one for one in of_extra if one not in needed]
        troubles = [trouble for one in wanted if (trouble := _trouble(one))]
        if troubles:
            advice = f'install it with: python -m pip install "{DISTRIBUTION}[{extra}]"'
            yield Finding(f"[{extra}]", without, f"{purpose}: {'; '.join(troubles)}", advice)
        elif wanted:
            yield Finding(f"[{extra}]", Status.OK, f"{purpose} is installed")


def _trouble(requirement: Any) -> str | None:
    """Return in words how the installed package fails a requirement; None if it meets it."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is missing"
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return f"{requirement.name} is {version}, but must be {requirement.specifier}"


def counting() -> Iterator[Finding]:
    """Count three simulated squats, in a process of its own: a broken NumPy may crash it."""
    reply, failure = probe("counting")
    if reply is not None and reply.get("counted") == 3:
        yield Finding("counting", Status.OK, "counts 3 of 3 simulated squats")
        return
    wrong = failure or f"counts {reply.get('counted') if reply else None} of 3 simulated squats"
    advice = f"reinstall: python -m pip install --force-reinstall {DISTRIBUTION}"
    yield Finding("counting", Status.PROBLEM, wrong, advice)


# --- storage, clock, speech, terminal --------------------------------------------------------------------------------


def folder(home: Path) -> Iterator[Finding]:
    """Check that the data folder can be written, or created; this check does not create it."""
    place = f"{'IMU_HOME names' if os.environ.get('IMU_HOME') else 'data is kept in'} {home}"
    existing = _nearest_existing(home)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        advice = f"allow writing to {existing}, or name another folder in IMU_HOME"
        yield Finding("folder", Status.PROBLEM, f"{place}, which cannot be written ({error.strerror})", advice)
        return
    yield Finding("folder", Status.OK, place if existing == home else f"{place}, which does not exist yet")


def disk(home: Path) -> Iterator[Finding]:
    """Check the free space."""
    free_mb = shutil.disk_usage(_nearest_existing(home)).free / 1e6
    free = f"{free_mb / 1000:,.1f} GB free" if free_mb >= 1000 else f"{free_mb:.0f} MB free"
    if free_mb < LEAST_FREE_MB:
        yield Finding("disk", Status.PROBLEM, free, "free some space: a training may not fit")
    elif free_mb < ENOUGH_FREE_MB:
        yield Finding("disk", Status.ATTENTION, free, "free some space soon")
    else:
        yield Finding("disk", Status.OK, free)


def _nearest_existing(path: Path) -> Path:
    absolute = path.absolute()
    return next((parent for parent in (absolute, *absolute.parents) if parent.exists()), absolute)


def sessions(path: Path) -> Iterator[Finding]:
    """Check the session store, and name trainings that are not in it; this check neither creates nor changes it."""
    is_empty = not path.exists() or not path.stat().st_size
    if is_empty:
        yield Finding("sessions", Status.OK, "no sessions yet")
        if not any(path.with_name("recordings").glob("*.mcap")):
            return
    reply, failure = probe("sessions", "" if is_empty else str(path), str(path.with_name("recordings")))
    if reply is None or "sentence" in reply:
        yield Finding("sessions", Status.PROBLEM, reply["sentence"] if reply else f"cannot be read: {failure}")
        return
    if not is_empty:
        plural = "" if reply["sessions"] == 1 else "s"
        yield Finding("sessions", Status.OK, f"{reply['sessions']} session{plural}, schema {reply['schema']}")
    for recording in reply["cut_off"]:
        finding = f"a training was cut off: {Path(recording).name} is not stored"
        yield Finding("recordings", Status.ATTENTION, finding, f"store it: imu replay --save '{recording}'")


def clock() -> Iterator[Finding]:
    """Check the clock that dates sessions."""
    shown = f"shows {time.strftime('%Y-%m-%d')}"
    if time.gmtime().tm_year < EARLIEST_YEAR:
        yield Finding("clock", Status.ATTENTION, shown, "set the date: it becomes the date of each session")
    else:
        yield Finding("clock", Status.OK, shown)


def speech() -> Iterator[Finding]:
    """Check for a speech engine."""
    from imu.live.speech import find_engine, missing_engine

    engine = find_engine()
    if engine is None:
        yield Finding("speech", Status.ATTENTION, "none", missing_engine())
    else:
        yield Finding("speech", Status.OK, f"{engine.name} ({engine.command[0]})")


def terminal() -> Iterator[Finding]:
    """Check what the terminal can show."""
    from rich.console import Console

    console = Console()
    lines = "training prints a line for each repetition"
    if not sys.stdout.isatty():
        yield Finding("terminal", Status.OK, f"output is not a terminal: {lines}")
    elif console.is_dumb_terminal:
        term = os.environ.get("TERM", "not set")
        advice = "use another terminal for the live screen"
        yield Finding("terminal", Status.ATTENTION, f"TERM is {term}: {lines}", advice)
    else:
        width, height = console.size
        letters = "ASCII only" if console.options.ascii_only else str(console.encoding)
        yield Finding("terminal", Status.OK, f"{width} x {height}, {letters}, {console.color_system or 'no'} colours")


# --- Bluetooth: the virtual sensor works without it, so nothing here is a *problem* -----------------------------------


@dataclass(frozen=True, slots=True)
class LinuxPlaces:
    """Files in which Linux describes its adapters and switches."""

    adapters: Path = Path("/sys/class/bluetooth")
    rfkill: Path = Path("/sys/class/rfkill")
    kernel: Path = Path("/proc/version")
    containers: tuple[Path, ...] = (Path("/.dockerenv"), Path("/run/.containerenv"))


def bluetooth() -> Iterator[Finding]:
    """Check Bluetooth: on Linux each part that it needs, then on every system whether a search starts."""
    if sys.platform == "linux":
        yield from linux(LinuxPlaces())
        return
    if sys.platform == "darwin":
        yield Finding("macOS", Status.OK, platform.mac_ver()[0] or "of unknown version")
    yield from searching()


def searching() -> Iterator[Finding]:
    """Start a search, in a process of its own: macOS kills a program without permission."""
    reply, failure = probe("search", longest_s=SEARCH_S)
    if reply is not None and reply["reason"] is None:
        yield Finding("Bluetooth", Status.OK, "a search for sensors starts")
    elif reply is not None:
        yield Finding("Bluetooth", Status.ATTENTION, reply["reason"], reply["sentence"])
    elif sys.platform == "darwin" and failure is not None and "SIGABRT" in failure:
        advice = "allow it to the terminal under System Settings > Privacy & Security > Bluetooth, then start again"
        yield Finding("Bluetooth", Status.ATTENTION, "macOS does not let this terminal use Bluetooth", advice)
    else:
        yield Finding("Bluetooth", Status.ATTENTION, f"a search does not start: {failure}")


def linux(places: LinuxPlaces) -> Iterator[Finding]:
    """Check adapters and their switches, then start a search, which needs service, permission and power."""
    yield _adapters(places)
    yield from _switches(places)
    yield from searching()


def _adapters(places: LinuxPlaces) -> Finding:
    names = sorted(path.name for path in places.adapters.glob("hci*") if ":" not in path.name)
    if names:
        return Finding("adapter", Status.OK, ", ".join(names))
    if "microsoft" in _text(places.kernel).lower():
        advice = "Linux inside Windows (WSL) has no Bluetooth: install this program in Windows itself"
    elif any(place.exists() for place in places.containers):
        advice = "a container has no Bluetooth of its own: run this program outside of it"
    else:
        advice = "switch Bluetooth on in the firmware settings, or plug in an adapter; see `dmesg` for missing firmware"
    return Finding("adapter", Status.ATTENTION, "Linux finds no Bluetooth adapter", advice)


def _switches(places: LinuxPlaces) -> Iterator[Finding]:
    """Report switches that keep Bluetooth off (rfkill)."""
    for switch in sorted(places.rfkill.glob("rfkill*")):
        if _text(switch / "type") != "bluetooth":
            continue
        name = _text(switch / "name")
        if _text(switch / "hard") == "1":
            advice = "use the switch or the flight mode key of the computer itself"
            yield Finding("rfkill", Status.ATTENTION, f"{name} is switched off by hardware", advice)
        elif _text(switch / "soft") == "1":
            yield Finding("rfkill", Status.ATTENTION, f"{name} is blocked", "switch it on: rfkill unblock bluetooth")


def _text(path: Path) -> str:
    """Return the text of a file of the kernel, empty if it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


# --- probes: what runs in a process of its own, since it could crash, hang or change this one -------------------------


def probe(name: str, *arguments: str, longest_s: float = PROBE_S) -> tuple[dict[str, Any] | None, str | None]:
    """Run `probe_NAME` in another process; return its JSON object, or None and the reason."""
    program = f"import json, sys; from imu.app import doctor; print(json.dumps(doctor.probe_{name}(*sys.argv[1:])))"
    command = [sys.executable, "-c", program, *arguments]
    options: dict[str, Any] = {"capture_output": True, "stdin": subprocess.DEVNULL, "encoding": "utf-8"}
    try:
        run = subprocess.run(command, timeout=longest_s, check=False, **options)
    except subprocess.TimeoutExpired:
        return None, f"no answer within {longest_s:.0f} s"
    except (OSError, UnicodeDecodeError) as error:
        return None, f"Python does not start ({error})"
    if run.returncode < 0:
        number = -run.returncode
        known = number in set(signal.Signals)
        return None, f"the process was ended by {signal.Signals(number).name if known else f'signal {number}'}"
    if run.returncode > 0:
        lines = run.stderr.strip().splitlines()
        return None, lines[-1].strip() if lines else f"the process ended with {run.returncode}"
    try:
        return json.loads(run.stdout.strip().splitlines()[-1]), None
    except (ValueError, IndexError):
        return None, f"the process printed {run.stdout[-80:]!r}"


def probe_counting() -> dict[str, Any]:
    """Count three simulated squats by the code of a live training."""
    from imu.session import Session
    from imu.virtual.person import Exercise, Lifter, Rest, Sensor, simulate

    session = Session()
    session.push(simulate([Rest(3), Exercise("air_squat", 3), Rest(3)], Lifter(), Sensor.ideal(), seed=1).block)
    _, summary = session.finish()
    return {"counted": sum(len(training_set.repetitions) for training_set in summary.sets)}


def probe_sessions(path: str, recordings: str) -> dict[str, Any]:
    """Open a session store, unless `path` is empty; count its sessions, and find recordings without one."""
    from imu.errors import StoreDamaged
    from imu.store import SessionStore
    from imu.store.database import SCHEMA_VERSION
    from imu.store.home import cut_off_recordings

    sources: list[str] = []
    try:
        if path:
            with SessionStore.open(Path(path), busy_timeout_s=1.0) as store:
                sources = [one.source for one in store.list()]
    except StoreDamaged as damaged:
        return {"sentence": str(damaged)}
    cut_off = [str(recording) for recording in cut_off_recordings(Path(recordings), sources)]
    return {"sessions": len(sources), "schema": SCHEMA_VERSION, "cut_off": cut_off}


def probe_search() -> dict[str, Any]:
    """Search for sensors for half a second, long enough to see whether a search starts."""
    from imu.bluetooth.scan import Radio, scan
    from imu.errors import BluetoothUnavailable

    try:
        asyncio.run(scan(Radio(), lambda _: None, 0.5))
    except BluetoothUnavailable as unavailable:
        return {"reason": unavailable.reason.value, "sentence": str(unavailable)}
    return {"reason": None}
