"""What `imu doctor` does in processes of their own, since it could break them, crash them or take for ever.

Each probe prints one JSON object. Nothing is imported before it is needed: a probe shows what its own imports do.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from typing import Any

SEARCH_S = 0.5
"""Long enough to see whether a search starts."""
ANSWER_S = 5.0
"""BlueZ answers in milliseconds, or not at all."""

PROBE_S = 60.0
"""Importing NumPy and its kin from a slow disk for the first time takes half a minute at worst."""


def probe(name: str, *arguments: str, longest_s: float = PROBE_S) -> tuple[dict[str, Any] | None, str | None]:
    """Run a probe of this module; return what it found, or why it found nothing."""
    program = f"import sys; from imu.app.doctor_probes import {name}; {name}(*sys.argv[1:])"
    command = [sys.executable, "-c", program, *arguments]
    try:
        run = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=longest_s, check=False, encoding="utf-8"
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer within {longest_s:.0f} s"
    except (OSError, UnicodeDecodeError) as error:
        return None, f"Python cannot be started ({error})"
    if run.returncode < 0:
        return None, f"the process was ended by {_signal_name(-run.returncode)}"
    if run.returncode > 0:
        lines = run.stderr.strip().splitlines()
        return None, lines[-1].strip() if lines else f"the process ended with {run.returncode}"
    try:
        found = json.loads(run.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return None, f"the process said {run.stdout[-80:]!r}"
    return found, None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# --- the probes -----------------------------------------------------------------------------------------------------


def counting() -> None:
    """Count three simulated squats, with all that live training uses for it."""
    from imu.session import Session
    from imu.virtual.person import Exercise, Lifter, Rest, Sensor, simulate

    session = Session()
    session.push(simulate([Rest(3), Exercise("air_squat", 3), Rest(3)], Lifter(), Sensor.ideal(), seed=1).block)
    _, summary = session.finish()
    _print({"counted": sum(len(one.repetitions) for one in summary.sets)})


def sessions(path: str) -> None:
    """Look into a session store; one of an older schema is left as it is."""
    from contextlib import closing
    from pathlib import Path

    from imu.errors import StoreDamaged
    from imu.store import MIGRATIONS, SessionStore
    from imu.store.migrations import APPLICATION_ID

    found: dict[str, object] = {"schema": None, "newest": len(MIGRATIONS), "sessions": None, "sentence": None}
    try:
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        ours, found["schema"] = application_id == APPLICATION_ID or not tables, schema
    except sqlite3.Error:  # opening it will say in words what is wrong
        ours = schema = 0
    if not ours or schema >= len(MIGRATIONS):
        try:
            with SessionStore.open(Path(path), busy_timeout_s=1.0) as store:
                found["sessions"] = len(store.list())
        except StoreDamaged as damaged:
            found["sentence"] = str(damaged)
    _print(found)


def search() -> None:
    """Start to search for sensors, and stop."""
    from imu.bluetooth.scan import Radio, scan
    from imu.errors import BluetoothUnavailable

    try:
        asyncio.run(scan(Radio(), lambda _: None, SEARCH_S))
    except BluetoothUnavailable as unavailable:
        _print({"reason": unavailable.reason.value, "sentence": str(unavailable)})
    else:
        _print({"reason": None})


def bluez() -> None:
    """Ask the Bluetooth service of Linux for its adapters."""
    from dbus_fast import BusType, Message
    from dbus_fast.aio import MessageBus

    async def ask() -> Message | None:
        bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        try:
            return await bus.call(
                Message(
                    destination="org.bluez",
                    path="/",
                    interface="org.freedesktop.DBus.ObjectManager",
                    member="GetManagedObjects",
                )
            )
        finally:
            bus.disconnect()

    try:
        reply = asyncio.run(asyncio.wait_for(ask(), ANSWER_S))
    except (OSError, EOFError, TimeoutError) as error:
        _print({"error": type(error).__name__, "adapters": []})
        return
    if reply is None or reply.error_name:
        _print({"error": "" if reply is None else reply.error_name, "adapters": []})
        return
    adapters = [
        {"name": path.rsplit("/", 1)[-1], "powered": interfaces["org.bluez.Adapter1"]["Powered"].value}
        for path, interfaces in reply.body[0].items()
        if "org.bluez.Adapter1" in interfaces
    ]
    _print({"error": None, "adapters": sorted(adapters, key=lambda adapter: str(adapter["name"]))})


def _print(found: dict[str, object]) -> None:
    print(json.dumps(found), flush=True)
