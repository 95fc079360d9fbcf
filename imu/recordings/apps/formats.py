"""Which app a recording is of, and where recordings are in a folder.

Recognition looks at names and headers only. This module refuses to know how any format is read.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from imu.errors import ImuError, RecordingForeign
from imu.recordings.apps import bids_motion, metabase, movella_dot, movesense, movesense_csv, phyphox, sensor_logger
from imu.recordings.apps.export import Export, folder_export, zip_exports
from imu.recordings.apps.found import Found
from imu.recordings.tables import COLUMNS, told_in_one_sentence

FINDERS: tuple[Callable[[Export, str], Found | None], ...] = (
    sensor_logger.find,
    phyphox.find,
    movella_dot.find,
    metabase.find,
    movesense.find,
    movesense_csv.find,
    bids_motion.find,
)

APPS = "Sensor Logger, phyphox, Movella DOT, MetaBase, Movesense or Motion-BIDS"

SUFFIXES = (".zip", ".json", ".json.gz", "_motion.tsv", "_motion.tsv.gz")
"""What the names of other apps' recordings end in, besides ``.csv`` and ``.csv.gz``."""

PART = re.compile(
    r".*(?:accelerat|acceleromet|gyro|gravity|orientation|magn|raw data|_meas|quaternion|euler|pressure|temperature"
    r"|humidity|light|illuminance|color|proximity).*\.csv(?:\.gz)?",
    re.IGNORECASE,
)
"""Names of files of which several may make one recording; whether they do is then told by their headers."""

_OURS = [column.encode() for column in COLUMNS]
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SPREADSHEET = "[Content_Types].xml"


class _NoRecording(RecordingForeign):
    """A zip archive holds no recording: it is not one that is broken or of which there are too many."""


def foreign_recording(path: Path) -> Found | None:
    """Return the recording of another app at a path: a file, a zip archive, or a folder that is one recording.

    Returns
    -------
    Found or None
        ``None`` if it is none, or none that we know.

    Raises
    ------
    RecordingDamaged
        If it cannot be read.
    RecordingForeign
        If it is a zip archive that holds no recording, or several.
    """
    with told_in_one_sentence():
        if path.is_dir():
            return _whole(folder_export(path))
        if _is_zip(path):
            return _the_only(_in_zip(path))
        return _in_file(folder_export(path.parent), path.name) if path.is_file() else None


def recordings_of(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the recordings among the files of a folder: itself, if it is one, else files that stand for one each.

    Parameters
    ----------
    folder : Path
        The folder.
    names : iterable of str
        Files that stand directly in it, and whose names may be those of a recording, ours or another app's.
    """
    export, names = folder_export(folder), list(names)
    parts = [name for name in names if PART.fullmatch(name)]
    if parts and isinstance(_quietly(partial(_whole, export)), Found):
        return [folder]
    found = {name for name in names if name not in parts and not name.lower().endswith((".zip", ".json", ".json.gz"))}
    for name in set(names) - found:
        recording = _quietly(partial(foreign_recording, folder / name))
        if isinstance(recording, Found):
            found.add(recording.main if name in parts and recording.main else name)
        elif recording is not None or name in parts:
            found.add(name)
    return [folder / name for name in found]


def _quietly(look: Callable[[], Found | None]) -> Found | ImuError | None:
    """Return what was found, or what is wrong: whoever reads the file tells it."""
    try:
        with told_in_one_sentence():
            return look()
    except _NoRecording:
        return None
    except ImuError as error:
        return error


def _whole(export: Export) -> Found | None:
    """Return the recording that all files of an export together make."""
    for name in filter(PART.fullmatch, export.names):
        found = _in_file(export, name)
        if found is not None and found.main is None:
            return found
    return None


def _in_file(export: Export, name: str) -> Found | None:
    """Return the recording that a file belongs to."""
    if not name.lower().endswith((".csv", ".csv.gz", *SUFFIXES)):
        return None
    start = export.start(name).lower()
    if all(column in start for column in _OURS):
        return None
    return next((found for find in FINDERS if (found := find(export, name)) is not None), None)


def _is_zip(path: Path) -> bool:
    """Whether a file is a zip archive, or should be by its name."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(4)
    return start in _ZIP and zipfile.is_zipfile(path) if path.suffix.lower() != ".zip" else bool(start)


def _in_zip(path: Path) -> list[tuple[str, Found]]:
    """Return the recordings in a zip archive with what to call each; none of the rest of it is looked at."""
    recordings: dict[tuple[str, str], Found] = {}
    for export in zip_exports(path):
        if export.named(_SPREADSHEET):
            raise _NoRecording("this is a spreadsheet: export the recording as CSV instead")
        whole = _whole(export)
        for name in export.names if whole is None else ():
            found = _in_file(export, name)
            if found is not None:
                recordings[export.name, found.main or name] = found
        if whole is not None:
            recordings[export.name, ""] = whole
    return [(main or folder, found) for (folder, main), found in recordings.items()]


def _the_only(recordings: list[tuple[str, Found]]) -> Found:
    """Return the one recording of a zip archive."""
    if not recordings:
        raise _NoRecording(f"this zip archive holds no recording of {APPS}: unpack it and give the folder")
    if len(recordings) > 1:
        names = ", ".join(name for name, _ in recordings[:3]) + (", …" if len(recordings) > 3 else "")
        raise RecordingForeign(
            f"this zip archive holds {len(recordings)} recordings ({names}): unpack it and give the folder"
        )
    return recordings[0][1]
