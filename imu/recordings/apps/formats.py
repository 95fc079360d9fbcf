"""Recognition of other apps' recordings: which app made a file, and which files of a folder are recordings.

Recognition looks at names and headers only; the other modules read the rows.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from imu.errors import ImuError, RecordingForeign
from imu.recordings.apps.export_files import AppRecording, Export, folder_export, zip_exports
from imu.recordings.table_files import COLUMNS, one_sentence_errors

APPS = "Sensor Logger, phyphox, Movella DOT, MetaBase, Movesense or Motion-BIDS"

SUFFIXES = (".zip", ".json", ".json.gz", "_motion.tsv", "_motion.tsv.gz")
"""Ends of the names of other apps' recordings, besides ``.csv`` and ``.csv.gz``."""

PART = re.compile(
    r".*(?:accelerat|acceleromet|gyro|gravity|orientation|magn|raw data|_meas|quaternion|euler|pressure|temperature"
    r"|humidity|light|illuminance|color|proximity).*\.csv(?:\.gz)?",
    re.IGNORECASE,
)
"""Names of files that may be parts of one recording; their headers decide whether they are."""

_OURS = [column.encode() for column in COLUMNS]
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SPREADSHEET = "[Content_Types].xml"


class _NoRecording(RecordingForeign):
    """A sound zip archive without a recording."""


def app_recording(path: Path) -> AppRecording | None:
    """Return the recording of another app at a path: a file, a zip archive, or a folder that is one recording.

    Returns
    -------
    AppRecording or None
        ``None`` for our own formats and unknown ones.

    Raises
    ------
    RecordingDamaged
        If it cannot be read.
    RecordingForeign
        If it is a zip archive without a recording, or with several.
    """
    with one_sentence_errors():
        if path.is_dir():
            return _whole(folder_export(path))
        if _is_zip(path):
            return _the_only(_in_zip(path))
        return _in_file(folder_export(path.parent), path.name) if path.is_file() else None


def recordings_of(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the recordings among the files of a folder: the folder, if it is one, else a file for each recording.

    Parameters
    ----------
    folder : Path
        The folder.
    names : iterable of str
        Files that stand directly in it, and whose names may be those of a recording, ours or another app's.
    """
    export, names = folder_export(folder), list(names)
    parts = [name for name in names if PART.fullmatch(name)]
    if parts and isinstance(_recording_or_error(partial(_whole, export)), AppRecording):
        return [folder]
    files = {name for name in names if name not in parts and not name.lower().endswith((".zip", ".json", ".json.gz"))}
    for name in set(names) - files:
        recording = _recording_or_error(partial(app_recording, folder / name))
        if isinstance(recording, AppRecording):
            files.add(recording.main if name in parts and recording.main else name)
        elif recording is not None or name in parts:
            files.add(name)
    return [folder / name for name in files]


def _recording_or_error(look: Callable[[], AppRecording | None]) -> AppRecording | ImuError | None:
    """Return the recording, or the error, which reading the file will raise again."""
    try:
        with one_sentence_errors():
            return look()
    except _NoRecording:
        return None
    except ImuError as error:
        return error


def _whole(export: Export) -> AppRecording | None:
    """Return the recording that all files of an export together make."""
    for name in filter(PART.fullmatch, export.names):
        recording = _in_file(export, name)
        if recording is not None and recording.main is None:
            return recording
    return None


def _in_file(export: Export, name: str) -> AppRecording | None:
    """Return the recording that a file belongs to."""
    if not name.lower().endswith((".csv", ".csv.gz", *SUFFIXES)):
        return None
    start = export.start(name).lower()
    if all(column in start for column in _OURS):
        return None
    return next((recording for find in _finders() if (recording := find(export, name)) is not None), None)


def _finders() -> tuple[Callable[[Export, str], AppRecording | None], ...]:
    """Return the function that recognises each app's recordings; our own recordings do not wait for these modules."""
    from imu.recordings.apps import phone_apps, sensor_apps  # noqa: PLC0415

    return (
        phone_apps.find_sensor_logger,
        phone_apps.find_phyphox,
        sensor_apps.find_movella_dot,
        sensor_apps.find_metabase,
        sensor_apps.find_movesense,
        sensor_apps.find_motion_bids,
    )


def _is_zip(path: Path) -> bool:
    """Whether a file is a zip archive, or should be by its name."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(4)
    return start in _ZIP and zipfile.is_zipfile(path) if path.suffix.lower() != ".zip" else bool(start)


def _in_zip(path: Path) -> list[tuple[str, AppRecording]]:
    """Return the recordings in a zip archive, each with its name for messages."""
    recordings: dict[tuple[str, str], AppRecording] = {}
    for export in zip_exports(path):
        if export.named(_SPREADSHEET):
            raise _NoRecording("this is a spreadsheet: export the recording as CSV instead")
        whole = _whole(export)
        for name in export.names if whole is None else ():
            recording = _in_file(export, name)
            if recording is not None:
                recordings[export.name, recording.main or name] = recording
        if whole is not None:
            recordings[export.name, ""] = whole
    return [(main or folder, recording) for (folder, main), recording in recordings.items()]


def _the_only(recordings: list[tuple[str, AppRecording]]) -> AppRecording:
    """Return the one recording of a zip archive."""
    if not recordings:
        raise _NoRecording(f"this zip archive holds no recording of {APPS}: unpack it and give the folder")
    if len(recordings) > 1:
        names = ", ".join(name for name, _ in recordings[:3]) + (", …" if len(recordings) > 3 else "")
        raise RecordingForeign(
            f"this zip archive holds {len(recordings)} recordings ({names}): unpack it and give the folder"
        )
    return recordings[0][1]
