"""What `imu doctor` looks at on any computer: storage, clocks, speech, the terminal."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from imu.app.doctor_findings import Finding, Status
from imu.app.doctor_probes import probe

LEAST_FREE_MB, ENOUGH_FREE_MB = 50, 1000
"""A training of an hour makes a recording of some 10 MB at 100 Hz; and SQLite needs room to work."""
COARSEST_CLOCK_S = 0.02
"""Windows' clock ticks every 0.016 s: good enough for the age of a message."""
EARLIEST_YEAR = 2026
"""A clock that shows less has never been set: this program did not exist."""
READINGS = 1000


# --- storage ---------------------------------------------------------------------------------------------------------


def folder(home: Path) -> Iterator[Finding]:
    """Look whether the folder for all that is kept can be written, or made; it is not made here."""
    named = "IMU_HOME names" if os.environ.get("IMU_HOME") else "kept in"
    existing = _existing(home)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        told = f"{named} {home}, which cannot be written ({error.strerror})"
        yield Finding("folder", Status.PROBLEM, told, f"allow writing to {existing}, or name another in IMU_HOME")
        return
    new = "" if existing == home else ", which will be made"
    yield Finding("folder", Status.OK, f"{named} {home}{new}")


def disk(home: Path) -> Iterator[Finding]:
    """Look how much room there is."""
    free_mb = shutil.disk_usage(_existing(home)).free / 1e6
    told = f"{free_mb / 1000:,.1f} GB free" if free_mb >= 1000 else f"{free_mb:.0f} MB free"
    if free_mb < LEAST_FREE_MB:
        yield Finding("disk", Status.PROBLEM, told, "free some space: a training may not fit")
    elif free_mb < ENOUGH_FREE_MB:
        yield Finding("disk", Status.ATTENTION, told, "free some space soon")
    else:
        yield Finding("disk", Status.OK, told)


def _existing(path: Path) -> Path:
    """Return the path, or the nearest one above it that exists."""
    absolute = path.absolute()
    return next((one for one in (absolute, *absolute.parents) if one.exists()), absolute)


def sessions(path: Path) -> Iterator[Finding]:
    """Look at the session store; it is not made here, and not brought up to date."""
    if not path.exists():
        yield Finding("sessions", Status.OK, "none are kept yet")
        return
    found, failure = probe("sessions", str(path))
    if found is None or found["sentence"] is not None:
        told = f"the store cannot be looked at: {failure}" if found is None else found["sentence"]
        yield Finding("sessions", Status.PROBLEM, told)
    elif found["sessions"] is None:
        told = f"the store has schema {found['schema']} and gets {found['newest']} when it is next used"
        yield Finding("sessions", Status.OK, told)
    else:
        plural = "" if found["sessions"] == 1 else "s"
        yield Finding("sessions", Status.OK, f"{found['sessions']} session{plural} kept, schema {found['schema']}")


# --- clocks, speech, terminal ----------------------------------------------------------------------------------------


def clocks() -> Iterator[Finding]:
    """Look at the clock that times what is heard, and at the one that dates it."""
    readings = [time.monotonic() for _ in range(READINGS)]
    resolution_s = time.get_clock_info("monotonic").resolution
    if any(later < earlier for earlier, later in pairwise(readings)):
        yield Finding("clock", Status.PROBLEM, "goes back", "restart this computer; in a virtual machine, its host")
    elif resolution_s > COARSEST_CLOCK_S:
        yield Finding("clock", Status.ATTENTION, f"goes in steps of {resolution_s:g} s", "times will be coarse")
    else:
        yield Finding("clock", Status.OK, f"only goes forward, in steps of {resolution_s:g} s")
    if time.gmtime().tm_year < EARLIEST_YEAR:
        told = f"shows {time.strftime('%Y-%m-%d')}"
        yield Finding("date", Status.ATTENTION, told, "set the date: sessions are kept by it")


def speech() -> Iterator[Finding]:
    """Look for a speech engine."""
    from imu.live.speech import find_engine, missing_engine  # noqa: PLC0415

    engine = find_engine()
    if engine is None:
        yield Finding("speech", Status.ATTENTION, "none", missing_engine())
    else:
        yield Finding("speech", Status.OK, f"{engine.name} ({engine.command[0]})")


def terminal() -> Iterator[Finding]:
    """Look at what can be drawn on."""
    from rich.console import Console  # noqa: PLC0415

    console = Console()
    if not sys.stdout.isatty():
        yield Finding("terminal", Status.OK, "none here: trainings print a line for each repetition")
    elif console.is_dumb_terminal:
        told = f"TERM is {os.environ.get('TERM', 'not set')}: trainings print a line for each repetition"
        yield Finding("terminal", Status.ATTENTION, told, "use another terminal for the live screen")
    else:
        width, height = console.size
        letters = "ASCII only" if console.options.ascii_only else str(console.encoding)
        yield Finding("terminal", Status.OK, f"{width} x {height}, {letters}, {console.color_system or 'no'} colours")
