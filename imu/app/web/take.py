"""Files to take along: sessions in any format, and a backup of everything.

A request names a format from a list and the number of a session, never a path. Each file is made in a folder of its own
that is gone once it is sent.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from imu.app.export import Format, export_sessions
from imu.app.web.kept import ask_store, now
from imu.errors import ImuError
from imu.store import SessionStore, StoredSession
from imu.store.backup import write_backup
from imu.store.home import home


def add_files(app: FastAPI, software_version: str) -> None:
    """Add the addresses at which files are."""

    @app.get("/take/{form}")
    async def take(form: Format, session: int | None = None) -> FileResponse:
        sessions = await _sessions(session)
        several = session is None and form is Format.FIT
        stem = f"session_{session}" if session is not None else "sessions"
        name = f"{stem}.zip" if several else f"{stem}.{form}"

        def make(folder: Path) -> Path:
            out = folder / (stem if several else name)
            if several:
                out.mkdir()
            export_sessions(sessions, form, out, made_at=now())
            return Path(shutil.make_archive(str(out), "zip", out)) if several else out

        return await _file(make, name)

    @app.get("/backup")
    async def backup() -> FileResponse:
        made_at = now()
        name = f"imu_backup_{made_at:%Y-%m-%d}.zip"

        def make(folder: Path) -> Path:
            write_backup(home(), folder / name, made_at=made_at, software_version=software_version)
            return folder / name

        return await _file(make, name)


async def _sessions(number: int | None) -> list[StoredSession]:
    def question(store: SessionStore) -> list[StoredSession]:
        numbers = [one.id for one in store.list()] if number is None else [number]
        return [store.load(one) for one in numbers]

    try:
        found = await ask_store(question)
    except ImuError as error:
        raise HTTPException(404, str(error)) from error
    if not found:
        raise HTTPException(404, "no sessions are kept yet")
    return found


async def _file(make: Callable[[Path], Path], name: str) -> FileResponse:
    folder = Path(tempfile.mkdtemp(prefix="imu_"))
    try:
        path = await asyncio.to_thread(make, folder)
    except ImuError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise HTTPException(409, str(error)) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    gone = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(path, filename=name, headers={"Cache-Control": "no-store"}, background=gone)
