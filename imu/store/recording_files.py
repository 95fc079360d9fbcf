"""The recording files of stored sessions: identify one by its content, copy it into our folder, find it, delete it."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from imu.atomic_files import new_file, sweep
from imu.errors import FileThere, ImuError, NotWritten, RecordingDamaged


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
