"""Trainings whose program was killed before it kept them: their recordings have no session.

What was recorded is counted again by the same code, and kept. A recording that is still growing belongs to a training
that goes on, perhaps in a terminal.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from imu.app.output import software_version
from imu.errors import ImuError, SessionNotFound
from imu.report.replay import Failed, ReplayOptions, keep_replayed, replay
from imu.store import SessionStore
from imu.store.home import recordings_folder, store_path

GROWING_S = 5.0
"""A recording that grew so lately may still be growing: samples come every second at least, and are written at once."""


class NotCounted(ImuError):
    """A recording cannot be counted again."""


async def names_of_cut_off() -> tuple[str, ...]:
    """Return the names of the recordings that have no session, the oldest first."""
    return await asyncio.to_thread(lambda: tuple(path.name for path in _cut_off()))


async def keep_cut_off(name: str) -> int:
    """Count a recording again and keep it; return the number of the session.

    Raises
    ------
    SessionNotFound
        If there is no such recording without a session.
    NotCounted
        If it cannot be read.
    """
    return await asyncio.to_thread(_keep, name)


def _cut_off() -> list[Path]:
    folder = recordings_folder()
    if not folder.is_dir():
        return []
    known: set[str] = set()
    if store_path().exists():
        with SessionStore.open(store_path()) as store:
            known = {one.source.replace("\\", "/").rsplit("/", 1)[-1] for one in store.list()}
    now_s = time.time()
    there = sorted(folder.glob("*.mcap"))
    return [path for path in there if path.name not in known and now_s - path.stat().st_mtime > GROWING_S]


def _keep(name: str) -> int:
    path = next((one for one in _cut_off() if one.name == name), None)
    if path is None:
        raise SessionNotFound(f"there is no recording {name} without a session")
    replayed = replay(str(path), ReplayOptions(hashed=True))
    if isinstance(replayed, Failed):
        raise NotCounted(replayed.reason)
    with SessionStore.open(store_path()) as store:
        number = keep_replayed(replayed, store, software_version())
    if number is None:
        raise NotCounted(f"{name} cannot be read")
    return number
