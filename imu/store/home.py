"""Where everything is kept: ``IMU_HOME``, or this system's folder for a person's data; and the recordings in it.

A computer can serve several people (``imu --person NAME``, or ``IMU_PERSON``). Each of them has a folder inside, with
their own sessions, totals, recordings and learned shifts. A program that serves several people at once says for each of
its tasks whom it works for (:func:`as_person`).

The recording of a stored session is identified by its content, copied into the folder, found there and deleted here.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from imu.atomic_files import new_file, sweep
from imu.errors import FileThere, ImuError, NotWritten, RecordingDamaged

LONGEST_NAME = 60
NAME_FILE = "name.txt"
"""Holds a person's name as it is written."""
PLANS = "plans.json"
"""Holds the last plan, the targets of each exercise, and the schedule."""
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
"""Names that are devices on Windows."""


class PersonUnnamed(ImuError):
    """A person's name cannot be the name of a folder, or belongs to another person."""


_AS: ContextVar[str | None] = ContextVar("person", default=None)
"""Name of the person for whom this task works; ``None`` for the one of the whole program."""


@contextmanager
def as_person(name: str) -> Iterator[None]:
    """Work for a person: every path of this module is theirs, also in tasks and threads that begin meanwhile.

    Parameters
    ----------
    name : str
        Name of the person's folder; empty for the owner of the computer.
    """
    token = _AS.set(name)
    try:
        yield
    finally:
        _AS.reset(token)


def person() -> str | None:
    """Return the name of the person's folder, in lower case; ``None`` for the owner of the computer.

    Raises
    ------
    PersonUnnamed
        If ``IMU_PERSON`` cannot be the name of a folder on every system.
    """
    name = _AS.get()
    return folder_name(os.environ.get("IMU_PERSON", "") if name is None else name) or None


def folder_name(name: str) -> str:
    """Return the name of the folder of a person whose name is written so; empty for an empty name.

    Raises
    ------
    PersonUnnamed
        If it cannot be the name of a folder on every system.
    """
    written = unicodedata.normalize("NFC", name).strip().casefold()
    name = written.rstrip(". ")  # as Windows ends names
    if not written:
        return ""
    if len(name) > LONGEST_NAME or not re.fullmatch(r"\w(?:[\w .-]*\w)?", name) or name.split(".")[0] in _RESERVED:
        raise PersonUnnamed(
            f"a person's name has up to {LONGEST_NAME} letters, digits, blanks, dots and hyphens, and begins and ends "
            f"with a letter or digit, not {written[: LONGEST_NAME + 1]!r}"
        )
    return name


def people() -> list[str]:
    """Return the names of all people with a folder, sorted."""
    folder = common_home() / "people"
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []


def homes() -> dict[str, Path]:
    """Return the folder of each person by name; that of the owner of the computer is named ``me``.

    The name ``me`` is free: if a person is called so, the owner's is ``me-owner``.
    """
    named = {name: common_home() / "people" / name for name in people()}
    return {"me-owner" if "me" in named else "me": common_home(), **named}


def home() -> Path:
    """Return the folder of the person; it need not exist yet.

    Raises
    ------
    PersonUnnamed
        If the person's name cannot be the name of a folder.
    """
    name = person()
    return common_home() if name is None else common_home() / "people" / name


def written_name() -> str:
    """Return the person's name as it was written; that of the folder, or "Me", where it was not kept."""
    try:
        written = (home() / NAME_FILE).read_text(encoding="utf-8")  # perhaps from another person's backup
        return "".join(filter(str.isprintable, written)).strip()[:LONGEST_NAME] or _unwritten()
    except (OSError, UnicodeDecodeError):
        return _unwritten()


def add_person(written: str) -> str:
    """Make a person's folder, if it is missing, and keep the name as it is written; return the folder's name.

    Raises
    ------
    PersonUnnamed
        If the name is empty, or cannot be the name of a folder.
    """
    name = folder_name(written)
    if not name:
        raise PersonUnnamed("the name is empty: write one")
    if name not in people():
        with as_person(name):
            _write_name(written)
    return name


def rename_person(name: str, written: str) -> str:
    """Give a person another name, and the folder too; return the folder's name.

    Parameters
    ----------
    name : str
        Name of the folder; empty for the owner of the computer, whose folder stays where it is.
    written : str
        The new name.

    Raises
    ------
    PersonUnnamed
        If there is no such person, another one has the name, or it cannot be the name of a folder.
    """
    renamed = folder_name(written)
    if not renamed:
        raise PersonUnnamed("the name is empty: write one")
    if name and name not in people():
        raise PersonUnnamed(f"there is no person {name}")
    if name and renamed != name:
        if renamed in people():
            raise PersonUnnamed(f"there is a person {written.strip()} already")
        try:
            (common_home() / "people" / name).rename(common_home() / "people" / renamed)
        except OSError as error:
            raise PersonUnnamed(
                f"the folder of {name} cannot be renamed ({error.strerror}): nothing has changed"
            ) from error
    with as_person(renamed if name else ""):
        _write_name(written)
    return renamed if name else ""


def _unwritten() -> str:
    name, given = person(), os.environ.get("IMU_PERSON", "").strip()
    if name is None:
        return "Me"
    return given if folder_name(given) == name else name


def _write_name(written: str) -> None:
    try:
        home().mkdir(parents=True, exist_ok=True)
        (home() / NAME_FILE).write_text(unicodedata.normalize("NFC", written).strip() + "\n", encoding="utf-8")
    except OSError as error:
        raise PersonUnnamed(f"the name cannot be kept in {home()} ({error.strerror}): allow that") from error


def store_path() -> Path:
    """Return the file of the session store."""
    return home() / "sessions.db"


def recordings_folder() -> Path:
    """Return the folder with the recordings of trainings."""
    return home() / "recordings"


def remembered_sensor_path() -> Path:
    """Return the file that holds the sensor used last."""
    return home() / "sensor.json"


def common_home() -> Path:
    """Return the folder of the owner of the computer, in which those of all others are."""
    named = os.environ.get("IMU_HOME")
    if named:
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415  slow, and seldom needed

    return Path(platformdirs.user_data_dir("imu-training", appauthor=False))


# --- recordings -------------------------------------------------------------------------------------------------------


class RecordingNotCopied(ImuError):
    """A recording cannot be copied into our folder."""


class RecordingNotDeleted(ImuError):
    """A recording cannot be deleted; the sentence says what to do."""


COPYING = ".copying-"
"""Beginning of the name of a folder that is being copied."""
GROWING_S = 5.0
"""A recording that was written to within this time may be that of a training that still runs."""


def cut_off_recordings(recordings: Path, sources: Iterable[str]) -> list[Path]:
    """Return the recordings of trainings without a session, the oldest first: their program was killed.

    Parameters
    ----------
    recordings : Path
        Our folder of recordings; need not exist.
    sources : iterable of str
        The recordings of the stored sessions, as stored.
    """
    known = {source.replace("\\", "/").rsplit("/", 1)[-1] for source in sources}
    unknown = [path for path in sorted(recordings.glob("*.mcap")) if path.name not in known]
    return [path for path in unknown if time.time() - path.stat().st_mtime > GROWING_S]


def hash_of(recording: Path) -> str:
    """Return the SHA-256 of a recording as 64 hexadecimal digits.

    Of a folder: that of the names and hashes of all files in it, hidden ones left out.

    Raises
    ------
    RecordingDamaged
        If it cannot be read.
    """
    try:
        if not recording.is_dir():
            with recording.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        for path in sorted(recording.rglob("*")):
            name = path.relative_to(recording)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                digest.update(f"{name.as_posix()}\0{hash_of(path)}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()
    except OSError as error:
        raise RecordingDamaged(f"{recording} cannot be read ({error.strerror}); check that it is there") from error


def find_recording(source: str, content_hash: str, recordings: Path) -> Path | None:
    """Return the path of a session's recording in our own folder; ``None`` if it is not there.

    Search where it was saved, and by its name in `recordings`, because the folder may have moved with a backup. A file
    with another content is another recording.

    Parameters
    ----------
    source : str
        Path of the recording when it was last saved.
    content_hash : str
        `hash_of` the recording at that time.
    recordings : Path
        The folder of our own recordings. A link that leads out of it does not count.
    """
    folder = recordings.resolve()
    for path in (Path(source), recordings / source.replace("\\", "/").rsplit("/", 1)[-1]):
        try:
            place = path.resolve()
            ours = place.is_relative_to(folder) and place != folder and place.exists()
        except (OSError, ValueError):  # a name that this system cannot have
            continue
        if ours and _hash_or_none(place) == content_hash:
            return place
    return None


def recording_of(source: str, content_hash: str, recordings: Path) -> Path | None:
    """Return a session's recording in our own folder, or at its place when it was saved; ``None`` if it is gone."""
    ours = find_recording(source, content_hash, recordings)
    if ours is not None:
        return ours
    path = Path(source)
    try:
        return path if path.exists() and _hash_or_none(path) == content_hash else None
    except (OSError, ValueError):  # a name that this system cannot have
        return None


def copy_recording(recording: Path, recordings: Path) -> Path:
    """Copy a recording into our own folder, unless it lies there; return where it is then.

    A backup holds this folder only. The copy gets its name once it is complete.

    Raises
    ------
    RecordingNotCopied
        If it cannot be copied; nothing is left of it.
    """
    if recording.resolve().is_relative_to(recordings.resolve()):
        return recording.resolve()
    stem, dot, suffix = recording.resolve().name.partition(".")
    try:
        for number in ("", *(f"_{i}" for i in range(2, 10000))):
            target = recordings / f"{stem}{number}{dot}{suffix}"
            if target.exists() and _hash_or_none(target) == hash_of(recording):  # of a program that was killed here
                return target.resolve()
            with suppress(FileThere):  # also if another program or page has just made it
                (_copy_folder if recording.is_dir() else _copy_file)(recording, target)
                return target.resolve()
    except (OSError, shutil.Error, NotWritten) as error:
        cause = error.__cause__ if isinstance(error, NotWritten) else error
        raise RecordingNotCopied(
            f"{recording} cannot be copied to {recordings} ({getattr(cause, 'strerror', None) or cause})"
        ) from error
    raise RecordingNotCopied(f"{recording} cannot be copied to {recordings} (10,000 have its name)")


def _copy_file(recording: Path, target: Path) -> None:
    with new_file(target) as partial:
        shutil.copyfile(recording, partial)


def _copy_folder(recording: Path, target: Path) -> None:
    if target.exists():
        raise FileThere(f"{target} exists already")
    partial = target.with_name(f"{COPYING}{secrets.token_hex(4)}")
    sweep(target.parent, COPYING)
    try:
        shutil.copytree(recording, partial)
        partial.rename(target)
    except OSError as error:
        if target.exists():
            raise FileThere(f"{target} exists already") from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def delete_recording(recording: Path) -> None:
    """Delete a recording, which is a file or a folder.

    Raises
    ------
    RecordingNotDeleted
        If it cannot be deleted.
    """
    try:
        if recording.is_dir():
            shutil.rmtree(recording)
        else:
            recording.unlink()
    except OSError as error:
        raise RecordingNotDeleted(
            f"{recording} cannot be deleted ({error.strerror}); allow writing to its folder, and do it again"
        ) from error


def _hash_or_none(recording: Path) -> str | None:
    try:
        return hash_of(recording)
    except RecordingDamaged:
        return None
