"""Files out and in: exports, the backup, recordings that are imported, trainings that were interrupted.

A request names a format from a list and the number of a session, never a path. An exported file is made in a folder of
its own that is deleted once it is sent. An imported file is copied into the recordings' folder once it is counted, so
that a backup holds it.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from starlette.background import BackgroundTask
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

import imu
from imu.app.export import Format, export_sessions, write_report
from imu.app.web.page import ask_store, done, now, refused, whole_number
from imu.errors import ImuError, SessionNotFound
from imu.live.memory import keep_replay
from imu.recordings.checks import A_NAME, COLUMNS, columns_in
from imu.recordings.conversion import convert
from imu.recordings.folders import Source, sources_of
from imu.report.html_report import Selection
from imu.report.replay import AHEAD_AT_MOST, Failed, Replayed, ReplayOptions, is_possible_start, replay
from imu.report.words import number_of
from imu.store import SessionStore, StoredSession
from imu.store.backup import write_backup
from imu.store.home import cut_off_recordings, home, recordings_folder, store_path

MOST_REMEDIES = 3
"""A table may have other names, another unit of acceleration and another one of angular velocity."""
NOTHING_TO_EXPORT = "There are no sessions to export yet."


class NotCounted(ImuError):
    """A recording cannot be counted."""


class Undated(ImuError):
    """A recording does not say when it was made, and no date came with it."""


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
        if form is Format.HTML:
            return await self._report(request, number)
        sessions = await _sessions(number)
        several = not number and form is Format.FIT
        stem = f"session_{number}" if number else "sessions"
        file_name = f"{stem}.zip" if several else f"{stem}.{form}"

        def make(folder: Path) -> Path:
            out = folder / (stem if several else file_name)
            if several:
                out.mkdir()
            export_sessions(sessions, form, out)
            return Path(shutil.make_archive(str(out), "zip", out)) if several else out

        return await _file(make, file_name)

    async def _report(self, request: Request, number: int) -> Response:
        """Send the report on a session, an exercise, or the days of the address."""
        asked = request.query_params
        try:
            first, last = (date.fromisoformat(asked[end]) if asked.get(end) else None for end in ("from", "to"))
        except ValueError:
            raise HTTPException(404, "A day is written as 2026-03-01.") from None
        exercise, name = asked.get("exercise") or None, asked.get("name", "")[:80]
        selection = Selection((number,) if number else (), first, last, exercise, name)
        parts = (f"session {number}" if number else exercise or "training", name)
        stem = re.sub(r"\W+", "_", " ".join(parts).strip()).strip("_")

        def make(folder: Path) -> Path:
            with SessionStore.open(store_path()) as store:
                write_report(store, selection, folder / "report.html", made_at=now())
            return folder / "report.html"

        if not store_path().exists():
            raise HTTPException(404, NOTHING_TO_EXPORT)
        return await _file(make, f"report_{stem}.html")

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
        """Import a file that was dropped on the page; its date is the recording's, else the one that came with it.

        Without either the answer is ``undated``: the page asks the person and sends the file again. So it does for a
        table in other units or with other names of columns; the answer is then the ``table`` that it looks like.
        """
        async with request.form() as form:
            given = form.get("file")
            if not isinstance(given, UploadFile) or not given.filename:
                return refused("choose a file")
            recorded_at, layout = _moment(form.get("date")), _layout_in(form)
            with tempfile.TemporaryDirectory(prefix="imu_") as folder:
                path = Path(folder) / _plain_name(given.filename)
                await asyncio.to_thread(_copy, given, path)
                try:
                    ours = path
                    if layout is not None:
                        ours, date_in_table = await asyncio.to_thread(_converted, path, layout)
                        recorded_at = date_in_table or recorded_at
                    numbers, left_out = await asyncio.to_thread(import_recordings, ours, recorded_at)
                except Undated:
                    return JSONResponse({"undated": given.filename})
                except ImuError as error:
                    reason = _without_folder(str(error), folder).removeprefix(f"{path.name}: ")
                    likely = await asyncio.to_thread(_likely_layout, path, layout or Layout(), reason)
                    return refused(f"“{given.filename}”: {reason}") if likely is None else _asking(likely, reason)
        if left_out:
            named = f"session{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
            imported = f"Of “{given.filename}”, {named} {_are(len(numbers))} imported"
            sentence = f"{imported}, {number_of(len(left_out), 'file')} {_are(len(left_out))} not. {left_out[0]}"
            return JSONResponse({"refused": sentence, "imported": numbers}, 409)
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
        numbers = [number] if number else [overview.id for overview in store.list()]
        return [store.load(session_id) for session_id in numbers]

    sessions = await ask_store(question)
    if not sessions:
        raise HTTPException(404, NOTHING_TO_EXPORT)
    return sessions


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


def import_recordings(file: Path, recorded_at: datetime | None) -> tuple[list[int], list[str]]:
    """Copy a recording, or the recordings in a zip archive, into the recordings' folder, count and store them.

    Parameters
    ----------
    file : Path
        A recording in any format that `imu replay` reads, or a zip archive of such files.
    recorded_at : datetime or None
        When it was recorded, for files that do not say it.

    Returns
    -------
    tuple of list of int, list of str
        Numbers of the sessions; of an archive, why other recordings in it cannot be counted.

    Raises
    ------
    NotCounted
        If the file holds no recording that can be counted.
    Undated
        If a recording does not say when it was made, and `recorded_at` is not given.
    """
    numbers, left_out = [], []
    with sources_of([str(file)]) as sources:
        for source in sources:
            try:
                numbers.append(_import(source, recorded_at))
            except NotCounted as error:
                of_archive = source.name != str(file)
                left_out.append(f"“{Path(source.name).name}”: {error}" if of_archive else str(error))
    if not numbers:
        raise NotCounted(left_out[0] if len(sources) == 1 and not sources[0].unpacked else f"in it, {left_out[0]}")
    return numbers, left_out


def _import(source: Source, recorded_at: datetime | None) -> int:
    """Count one recording, and keep the session and a copy of the recording."""
    replayed = replay(source, ReplayOptions(hashed=True))
    if isinstance(replayed, Failed):
        raise NotCounted(replayed.reason)
    if replayed.started_at is None and not _is_stored(replayed):  # one that is stored keeps its date
        if recorded_at is None:
            raise Undated(f"{Path(source.name).name} does not say when it was recorded")
        replayed = replace(replayed, started_at=recorded_at)
    return _keep(replayed)


# --- tables in other units, or with other names ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """Units of a table, and the names of its columns that differ from ours."""

    acceleration_unit: Literal["m/s2", "g"] = "m/s2"
    angular_velocity_unit: Literal["rad/s", "deg/s"] = "rad/s"
    columns: Mapping[str, str] = field(default_factory=dict)

    def as_fields(self) -> dict[str, str]:
        """Return the fields of the form that asks for it; the person fills in what is empty."""
        names = {f"column_{name}": self.columns.get(name, name) for name in COLUMNS}
        names = {name: "" if own == A_NAME else own for name, own in names.items()}
        return {"acc_unit": self.acceleration_unit, "gyr_unit": self.angular_velocity_unit, **names}

    def remedied(self, reason: str) -> Layout:
        """Return the layout that the reason of a refusal proposes, in the words of the command line."""
        option = _OPTION.search(reason)
        if option is None:
            return self
        if option["columns"] is not None:
            try:
                return replace(self, columns=columns_in(option["columns"]))
            except ValueError:  # a name that no option can hold
                return self
        if option["acceleration"]:
            return replace(self, acceleration_unit="m/s2" if option["out"] else "g")
        return replace(self, angular_velocity_unit="rad/s" if option["out"] else "deg/s")


def _asking(layout: Layout, reason: str) -> JSONResponse:
    """Ask for the layout of a table, with the first part of the reason why it was refused."""
    finding = re.split(": (?:rename|convert|leave|give)", reason)[0]
    return JSONResponse({"table": layout.as_fields(), "finding": finding})


_OPTION = re.compile(
    r'(?P<out>leave out )?(?:(?P<acceleration>--acc-unit g)|--gyr-unit deg/s|--columns "(?P<columns>[^"]+)")'
)


def _layout_in(form: FormData) -> Layout | None:
    """Return the layout that the person has given; ``None`` if the page has not asked for it."""
    if form.get("acc_unit") is None:
        return None
    names = {name: str(form.get(f"column_{name}", "")).strip() for name in COLUMNS}
    return Layout(
        "g" if form.get("acc_unit") == "g" else "m/s2",
        "deg/s" if form.get("gyr_unit") == "deg/s" else "rad/s",
        {name: own for name, own in names.items() if own and own != name},
    )


def _likely_layout(path: Path, layout: Layout, reason: str) -> Layout | None:
    """Return the units and names with which a table that was refused can be read; ``None`` if it is no such table."""
    for _ in range(MOST_REMEDIES):
        likely = layout.remedied(reason)
        if likely == layout or zipfile.is_zipfile(path):
            return None
        layout = likely
        if A_NAME in layout.columns.values():
            break
        try:
            _converted(path, layout)
        except ImuError as error:
            reason = str(error)
        else:
            break
    return layout


def _converted(path: Path, layout: Layout) -> tuple[Path, datetime | None]:
    """Return the table in our units and with our names, in a new file: what is kept can be read without its layout.

    The time in the new file counts from 0. So the date of the table comes with it, if it holds one.
    """
    folder = path.parent / "converted"
    folder.mkdir(exist_ok=True)
    target = folder / f"{path.name.split('.')[0] or 'recording'}.csv.gz"
    recording = convert(
        path,
        target,
        force=True,
        acceleration_unit=layout.acceleration_unit,
        angular_velocity_unit=layout.angular_velocity_unit,
        columns=layout.columns,
    )
    started_at = recording.started_at
    return target, started_at if started_at and is_possible_start(started_at, AHEAD_AT_MOST) else None


def _is_stored(replayed: Replayed) -> bool:
    with SessionStore.open(store_path()) as store:
        return replayed.content_hash is not None and store.source_of(replayed.content_hash) is not None


def _keep(replayed: Replayed) -> int:
    with SessionStore.open(store_path()) as store:
        number = keep_replay(replayed, store, imu.__version__)
    if number is None:
        raise NotCounted(f"{Path(replayed.name).name} cannot be read")
    return number


def _copy(given: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(given.file, file, 1 << 20)


def _plain_name(name: str) -> str:
    """Return a file's name without folders and without characters that some system refuses."""
    plain = re.sub(r"[^\w.+-]+", "_", name.replace("\\", "/").rsplit("/", 1)[-1]).lstrip(".")
    return plain[-100:] or "recording"


def _moment(given: object) -> datetime | None:
    """Return the date that came with a file; ``None`` for one that makes no sense, is too old or lies ahead."""
    try:
        moment = datetime.fromisoformat(str(given)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if is_possible_start(moment) else None


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


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
            sources = [overview.source for overview in store.list()]
    return cut_off_recordings(recordings_folder(), sources)


def _recover(name: str) -> int:
    path = next((recording for recording in _interrupted() if recording.name == name), None)
    if path is None:
        raise SessionNotFound(f"there is no recording {name[:100]} without a session")
    replayed = replay(str(path), ReplayOptions(hashed=True))
    if isinstance(replayed, Failed):
        raise NotCounted(replayed.reason)
    return _keep(replayed)
