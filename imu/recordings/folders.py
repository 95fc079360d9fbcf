"""Files, folders and zip archives -> the recordings in them, and which app made each.

Recognition looks at names and headers only; other modules read the rows. A zip archive that is not the export of one
recording counts as the folder that it was made of, and is unpacked for as long as its recordings are read.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath, PurePosixPath

from imu.errors import ImuError, RecordingDamaged, RecordingForeign
from imu.recordings.app_exports import AppRecording, Export, folder_export, zip_exports
from imu.recordings.checks import COLUMNS
from imu.recordings.table_files import one_sentence_errors

APPS = "Sensor Logger, phyphox, Movella DOT, MetaBase, Movesense or Motion-BIDS"

TABLE_SUFFIXES = (".csv", ".csv.gz", ".parquet")
"""Ends of the names of tables in our own format."""

TRAINING_SUFFIX = ".mcap"
"""End of the name of a training's recording."""

_APP_SUFFIXES = (".zip", ".json", ".json.gz", "_motion.tsv", "_motion.tsv.gz")
"""Ends of the names of other apps' recordings, besides ``.csv`` and ``.csv.gz``."""

LARGEST_ARCHIVE = 2 * 1024**3
"""Unpacked size of a zip archive of recordings, bytes: a year of daily hours at 100 Hz."""

MOST_IN_ARCHIVE = 10_000
"""Files in such an archive: a day's work of a batch."""

DEEPEST_IN_ARCHIVE = 50
"""Folders in each other in such an archive; walking through a thousand needs more stack than Python has."""

LONGEST_REASON = 200
"""Letters of the reason why a file in it cannot be unpacked: it may quote the name, of up to 65,535."""

_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, NotImplementedError, OSError)

PART = re.compile(
    r".*(?:accelerat|acceleromet|gyro|gravity|orientation|magn|raw data|_meas|quaternion|euler|pressure|temperature"
    r"|humidity|light|illuminance|color|proximity).*\.csv(?:\.gz)?",
    re.IGNORECASE,
)
"""Names of files that may be parts of one recording; their headers decide whether they are."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SPREADSHEET = "[Content_Types].xml"


class _NoRecording(RecordingForeign):
    """A sound zip archive without a recording."""


def may_be_recording(file: PurePath) -> bool:
    """Whether a file may be a recording, by its name and those of the folders in which it was found."""
    name = file.name.lower()
    stem = name.split(".csv")[0].removesuffix(".parquet")
    suffix = name.endswith((*TABLE_SUFFIXES, TRAINING_SUFFIX, *_APP_SUFFIXES))
    hidden = any(part.startswith(".") for part in file.parts)
    return suffix and not hidden and stem != "index" and not stem.endswith("truth")


# --- which app made it -----------------------------------------------------------------------------------------------


def app_recording(path: Path, columns: Mapping[str, str] | None = None) -> AppRecording | None:
    """Return the recording of another app at a path: a file, a zip archive, or a folder that is one recording.

    Parameters
    ----------
    path : Path
        The file or folder.
    columns : mapping, optional
        Names of columns of a table in our own format, where they differ from `COLUMNS`.

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
            return _in_zip(path)
        return _in_file(folder_export(path.parent), path.name, columns) if path.is_file() else None


def _recordings_of(folder: Path, names: Iterable[str]) -> list[Path]:
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


def _in_file(export: Export, name: str, columns: Mapping[str, str] | None = None) -> AppRecording | None:
    """Return the recording that a file belongs to; ``None`` for a table in our own format."""
    if not name.lower().endswith((".csv", ".csv.gz", *_APP_SUFFIXES)):
        return None
    start = export.start(name).lower()
    if all((columns or {}).get(column, column).lower().encode() in start for column in COLUMNS):
        return None
    return next((recording for find in _finders() if (recording := find(export, name)) is not None), None)


def _finders() -> tuple[Callable[[Export, str], AppRecording | None], ...]:
    """Return the function that recognises each app's recordings; our own recordings do not wait for these modules."""
    from imu.recordings import phone_apps, sensor_apps  # noqa: PLC0415

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
    if not path.is_file() or path.suffix.lower() == ".zip":
        return path.is_file()
    with path.open("rb") as file:
        return file.read(4) in _ZIP and zipfile.is_zipfile(path)


def _in_zip(path: Path) -> AppRecording:
    """Return the one recording of a zip archive."""
    recordings: dict[tuple[str, str], AppRecording] = {}
    others: list[str] = []
    with zip_exports(path) as exports:
        for export in exports:
            if export.named(_SPREADSHEET):
                raise _NoRecording("this is a spreadsheet: export the recording as CSV instead")
            whole = _whole(export)
            for name in export.names if whole is None else ():
                recording = _in_file(export, name)
                if recording is not None:
                    recordings[export.name, recording.main or name] = recording
            if whole is not None:
                recordings[export.name, ""] = whole
            others += [name for name in export.names if may_be_recording(PurePath(name))]
    if len(recordings) == 1:
        return next(iter(recordings.values()))
    names = [main or folder for folder, main in recordings] or others
    if not names:
        raise _NoRecording(f"this zip archive holds no recording of {APPS}: unpack it and give the folder")
    shown = ", ".join(name[:LONGEST_REASON] for name in names[:3]) + (", …" if len(names) > 3 else "")
    raise RecordingForeign(
        f"this zip archive holds {len(names)} recordings ({shown}): unpack it and give the folder"
        if recordings
        else f"this zip archive holds no recording of {APPS}, but {shown}: unpack it and give the folder"
    )


# --- recordings in folders -------------------------------------------------------------------------------------------


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """Return the files as given, and every recording in the folders, each folder's sorted.

    A folder that another app made is one recording, and so are files of one recording side by side, named by the
    accelerometer's. Hidden files, ``index.csv`` and truth tables are not recordings. A path that does not exist and a
    folder without a recording stay in the list: opening them raises the error, and the others go on.
    """
    recordings: list[Path] = []
    for path in paths:
        inside = _recordings_under(path) if path.is_dir() else []
        recordings.extend(inside or [path])
    return recordings


def _recordings_under(top: Path) -> list[Path]:
    """Return every recording in a folder and the folders in it, sorted."""
    names_in: dict[Path, list[str]] = {}
    for file in top.rglob("*"):
        if may_be_recording(file.relative_to(top)) and file.is_file():
            names_in.setdefault(file.parent, []).append(file.name)
    recordings_in = {folder: _recordings_of(folder, names) for folder, names in names_in.items()}
    of_phyphox = [folder / "meta" for folder, recordings in recordings_in.items() if recordings == [folder]]
    return sorted(path for folder in recordings_in if folder not in of_phyphox for path in recordings_in[folder])


def names_of_recordings(paths: Sequence[str]) -> list[str]:
    """Return the names of all recordings: files as given, those in a folder beginning with the folder as given."""
    names = []
    for given in paths:
        folder = Path(given)
        for file in find_recordings([folder]):
            if file == folder:
                names.append(given)
            else:
                separator = "" if not given or given.endswith(("/", os.sep)) else os.sep
                names.append(f"{given}{separator}{file.relative_to(folder)}")
    return names


# --- recordings in zip archives --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """A recording that is to be read.

    Attributes
    ----------
    name : str
        Its path as given; of one in a zip archive ``archive.zip/file.csv``.
    unpacked : Path or None
        Where it was unpacked to; ``None`` for a file or folder outside an archive.
    unreadable : str or None
        Why it could not be unpacked, in one sentence.
    """

    name: str
    unpacked: Path | None = None
    unreadable: str | None = None

    @property
    def path(self) -> Path:
        """The file or folder to read."""
        return self.unpacked or Path(self.name)


@contextmanager
def sources_of(paths: Sequence[str]) -> Iterator[list[Source]]:
    """Give all recordings of files, folders and zip archives in order; unpacked files are deleted at the end.

    A zip archive that is one recording of an app is read as it is. A recording in an archive may be given by its name,
    ``archive.zip/file.csv``.
    """
    with ExitStack() as stack:
        sources: list[Source] = []
        for name in names_of_recordings(paths):
            archive = name if Path(name).exists() else archive_around(name)
            inside: list[Source] = []
            if archive and _is_archive_of_recordings(Path(archive)):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imu_")))
                inside = _unpacked(archive, folder / "unpacked")
            if archive != name:
                inside = [replace(source, name=name) for source in inside if Path(source.name) == Path(name)]
            sources += inside or [Source(name)]
        yield sources


@contextmanager
def only_source(given: str) -> Iterator[Source]:
    """Give the one recording of a file, folder or zip archive.

    Raises
    ------
    RecordingForeign
        If it holds several.
    RecordingDamaged
        If it cannot be unpacked.
    """
    with sources_of([given]) as sources:
        if len(sources) > 1:
            raise RecordingForeign(f"it holds {len(sources)} recordings: name one of them, as {sources[0].name}")
        if sources[0].unreadable is not None:
            raise RecordingDamaged(sources[0].unreadable)
        yield sources[0]


def archive_around(name: str) -> str | None:
    """Return the file in which a name stands for something, as the name writes it."""
    return next((str(path) for path in Path(name).parents if path.is_file()), None)


def _is_archive_of_recordings(path: Path) -> bool:
    """Whether a path is a sound zip archive, without a password, that is not the export of one recording."""
    try:
        if not _is_zip(path):
            return False
        app_recording(path)
    except ImuError:
        try:
            with zipfile.ZipFile(path) as archive:
                return not any(member.flag_bits & 1 for member in archive.infolist())  # bit 0: encrypted
        except _UNREADABLE:
            return False
    except OSError:  # reading it gives the reason
        return False
    return False


def _unpacked(name: str, folder: Path) -> list[Source]:
    """Unpack an archive; return the recordings in it, and what could not be unpacked."""
    with zipfile.ZipFile(name) as archive:
        members = [one for one in archive.infolist() if one.filename and not one.is_dir()]
        if len(members) > MOST_IN_ARCHIVE:
            return [Source(name, unreadable=f"it holds {len(members)} files: unpack it, and give some of them")]
        size_bytes = sum(one.file_size for one in members)
        if size_bytes > LARGEST_ARCHIVE:
            limit = f"it is larger than {LARGEST_ARCHIVE // 1024**3} GB once it is unpacked"
            return [Source(name, unreadable=f"{limit}: unpack it, and give some of its files")]
        if size_bytes > shutil.disk_usage(folder.parent).free / 2:  # several archives are unpacked at once
            limit = f"unpacked, it would take more than half of what is free in {folder.parent.parent}"
            return [Source(name, unreadable=f"{limit}: give fewer archives at once, or free some space there")]
        broken = []
        for member in members:
            inside = [
                part for part in PurePosixPath(member.filename).parts if part not in ("/", "..")
            ]  # as zipfile does
            try:
                if len(inside) > DEEPEST_IN_ARCHIVE:
                    raise ValueError("its folders are too deep")
                archive.extract(member, folder)
            except _UNREADABLE as error:
                with suppress(OSError, ValueError):
                    folder.joinpath(*inside).unlink()
                reason = (isinstance(error, OSError) and error.strerror) or str(error)
                where = "/".join((name, *(part[-LONGEST_REASON:] for part in inside[-DEEPEST_IN_ARCHIVE:])))
                broken.append(Source(where, unreadable=f"it cannot be unpacked ({reason[:LONGEST_REASON]})"))
    paths = [path for path in find_recordings([folder]) if path != folder]
    return [Source(f"{name}/{path.relative_to(folder).as_posix()}", path) for path in paths] + broken
