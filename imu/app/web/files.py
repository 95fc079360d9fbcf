"""Files out and in: exports, the backup, recordings that are imported, trainings that were interrupted.

A request names a format from a list and the number of a session, never a path. An exported file is made in a folder of
its own that is deleted once it is sent. An imported file is copied into the recordings' folder before it is counted, so
that a backup holds it; a file that cannot be counted is removed again.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

import imu
from imu.app.export import Format, export_sessions
from imu.app.web.page import ask_store, done, now, refused, whole_number
from imu.errors import ImuError, SessionNotFound
from imu.recordings.recording import find_recordings
from imu.report.replay import Failed, ReplayOptions, keep_replayed, replay
from imu.report.words import number_of
from imu.store import SessionStore, StoredSession
from imu.store.backup import write_backup
from imu.store.home import home, recordings_folder, store_path
from imu.store.recording_files import cut_off_recordings, delete_recording, find_recording

LARGEST_ARCHIVE = 2 * 1024**3
"""Unpacked size of an imported zip archive, bytes: a year of daily hours at 100 Hz."""


class NotCounted(ImuError):
    """A recording cannot be counted."""


class Files:
    """Exports and imports.

    Parameters
    ----------
    version : str
        Version of this program, which is written into the store and the backup.
    """

    def __init__(self, version: str) -> None:
        self._version = version

    # -- out

    async def export(self, request: Request) -> Response:
        """Send one session or all of them."""
        name = request.path_params["format"]
        if name not in set(Format):
            raise HTTPException(404, f"“{name[:20]}” is not a format; choose one of {', '.join(Format)}.")
        form, number = Format(name), whole_number(request, "session", 0, "a session")
        sessions = await _sessions(number)
        several = not number and form is Format.FIT
        stem = f"session_{number}" if number else "sessions"
        file_name = f"{stem}.zip" if several else f"{stem}.{form}"

        def make(folder: Path) -> Path:
            out = folder / (stem if several else file_name)
            if several:
                out.mkdir()
            export_sessions(sessions, form, out, made_at=now())
            return Path(shutil.make_archive(str(out), "zip", out)) if several else out

        return await _file(make, file_name)

    async def backup(self, _: Request) -> Response:
        """Send everything in one file."""
        made_at = now()
        name = f"imu_backup_{made_at:%Y-%m-%d}.zip"

        def make(folder: Path) -> Path:
            write_backup(home(), folder / name, made_at=made_at, software_version=self._version)
            return folder / name

        return await _file(make, name)

    # -- in

    async def receive(self, request: Request) -> Response:
        """Import a file that was dropped on the page; its date is the recording's, else the one that came with it."""
        async with request.form() as form:
            given = form.get("file")
            if not isinstance(given, UploadFile) or not given.filename:
                return refused("choose a file")
            recorded_at = _moment(form.get("date"))
            with tempfile.TemporaryDirectory(prefix="imu_") as folder:
                path = Path(folder) / _plain_name(given.filename)
                await asyncio.to_thread(_copy, given, path)
                try:
                    numbers = await asyncio.to_thread(import_recordings, path, recorded_at)
                except ImuError as error:
                    return refused(f"{given.filename}: {_without_folder(str(error), folder)}")
        if len(numbers) == 1:
            return done(f"session {numbers[0]} is imported", go=f"/session/{numbers[0]}")
        return done(f"{number_of(len(numbers), 'session')} are imported", go="/sessions")

    async def recover(self, request: Request) -> Response:
        """Count an interrupted training and store it."""
        async with request.form() as form:
            name = str(form.get("name", ""))
        number = await asyncio.to_thread(_recover, name)
        return done(f"session {number} is saved", go=f"/session/{number}")


async def _sessions(number: int) -> list[StoredSession]:
    def question(store: SessionStore) -> list[StoredSession]:
        numbers = [number] if number else [one.id for one in store.list()]
        return [store.load(one) for one in numbers]

    found = await ask_store(question)
    if not found:
        raise HTTPException(404, "There are no sessions to export yet.")
    return found


async def _file(make: Callable[[Path], Path], name: str) -> FileResponse:
    folder = Path(tempfile.mkdtemp(prefix="imu_"))
    try:
        path = await asyncio.to_thread(make, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    cleanup = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(path, filename=name, headers={"Cache-Control": "no-store"}, background=cleanup)


# --- imports ---------------------------------------------------------------------------------------------------------


def import_recordings(file: Path, recorded_at: datetime | None) -> list[int]:
    """Copy a recording, or the recordings in a zip archive, into the recordings' folder, count and store them.

    Parameters
    ----------
    file : Path
        A recording in any format that `imu replay` reads, or a zip archive of such files.
    recorded_at : datetime or None
        When it was recorded, for files that do not say it.

    Returns
    -------
    list of int
        Numbers of the sessions.

    Raises
    ------
    NotCounted
        If the file holds no recording that can be counted.
    """
    try:
        return [_import(file, recorded_at)]
    except NotCounted as error:
        if not zipfile.is_zipfile(file):
            raise
        reason = str(error)
    inside = file.with_name("unpacked")
    _unpack(file, inside)
    numbers = []
    for recording in (one for one in find_recordings([inside]) if one != inside):
        try:
            numbers.append(_import(recording, recorded_at))
        except NotCounted as error:
            reason = f"{recording.name} in it: {error}"
    if not numbers:
        raise NotCounted(reason)
    return numbers


def _import(recording: Path, recorded_at: datetime | None) -> int:
    """Copy one recording, count the copy and store the session; remove the copy if that fails."""
    folder = recordings_folder()
    folder.mkdir(parents=True, exist_ok=True)
    copy = _unused(folder / recording.name)
    try:
        if recording.is_dir():
            shutil.copytree(recording, copy)
        else:
            shutil.copyfile(recording, copy)
        replayed = replay(str(copy), ReplayOptions(hashed=True))
        if isinstance(replayed, Failed):
            raise NotCounted(replayed.reason.replace(str(copy), recording.name))
        replayed = replace(replayed, started_at=replayed.started_at or recorded_at)
        with SessionStore.open(store_path()) as store:
            sources = {one.id: one.source for one in store.list()}
            number = keep_replayed(replayed, store, imu.__version__)
        if number is None or replayed.content_hash is None:
            raise NotCounted(f"{recording.name} cannot be read")
        earlier = find_recording(sources.get(number, ""), replayed.content_hash, folder)
        if earlier is not None and earlier != copy.resolve():  # the same recording was imported before
            delete_recording(earlier)
    except BaseException:
        shutil.rmtree(copy) if copy.is_dir() else copy.unlink(missing_ok=True)
        raise
    return number


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the files of an archive; a name in it never leads out of `folder`."""
    with zipfile.ZipFile(archive) as opened:
        if sum(one.file_size for one in opened.infolist()) > LARGEST_ARCHIVE:
            raise NotCounted(f"{archive.name} is larger than {LARGEST_ARCHIVE // 1024**3} GB once it is unpacked")
        try:
            opened.extractall(folder)  # drops drive letters, leading slashes and ".."
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            raise NotCounted(f"{archive.name} cannot be unpacked ({error})") from error


def _copy(given: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(given.file, file, 1 << 20)


def _plain_name(name: str) -> str:
    """Return a file's name without folders and without characters that some system refuses."""
    plain = re.sub(r"[^\w.+-]+", "_", name.replace("\\", "/").rsplit("/", 1)[-1]).lstrip(".")
    return plain[-100:] or "recording"


def _unused(path: Path) -> Path:
    stem, dot, suffix = path.name.partition(".")
    names = (path.with_name(f"{stem}_{number}{dot}{suffix}") for number in range(2, 1000))
    return next((one for one in (path, *names) if not one.exists()), path)


def _moment(given: object) -> datetime | None:
    """Return the date that came with a file; ``None`` for one that makes no sense or lies in the future."""
    try:
        moment = datetime.fromisoformat(str(given)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment <= datetime.now(UTC) else None


def _without_folder(text: str, folder: str) -> str:
    return text.replace(f"{folder}/", "").replace(f"{folder}\\", "")


# --- interrupted trainings -------------------------------------------------------------------------------------------


async def interrupted_recordings() -> tuple[str, ...]:
    """Return the names of trainings' recordings without a session, the oldest first: their program was killed."""
    return await asyncio.to_thread(lambda: tuple(path.name for path in _interrupted()))


def _interrupted() -> list[Path]:
    sources: list[str] = []
    if store_path().exists():
        with SessionStore.open(store_path()) as store:
            sources = [one.source for one in store.list()]
    return cut_off_recordings(recordings_folder(), sources)


def _recover(name: str) -> int:
    path = next((one for one in _interrupted() if one.name == name), None)
    if path is None:
        raise SessionNotFound(f"there is no recording {name[:100]} without a session")
    replayed = replay(str(path), ReplayOptions(hashed=True))
    if isinstance(replayed, Failed):
        raise NotCounted(replayed.reason)
    with SessionStore.open(store_path()) as store:
        number = keep_replayed(replayed, store, imu.__version__)
    if number is None:
        raise NotCounted(f"{name} cannot be read")
    return number
