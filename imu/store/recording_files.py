"""The recording files of stored sessions: identify one by its content, copy it into our folder, find it, delete it."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from imu.errors import ImuError, RecordingDamaged


class RecordingNotCopied(ImuError):
    """A recording cannot be copied into our folder."""


class RecordingNotDeleted(ImuError):
    """A recording cannot be deleted; the sentence says what to do."""


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
    names = (f"{stem}{number}{dot}{suffix}" for number in ("", *(f"_{i}" for i in range(2, 10000))))
    partial = recordings / f".{stem}.copying"
    try:
        recordings.mkdir(parents=True, exist_ok=True)
        target = next(recordings / name for name in names if not (recordings / name).exists())
        _forget(partial)
        if recording.is_dir():
            shutil.copytree(recording, partial)
        else:
            shutil.copyfile(recording, partial)
        partial.rename(target)
    except (OSError, shutil.Error) as error:
        _forget(partial)
        raise RecordingNotCopied(
            f"{recording} cannot be copied to {recordings} ({getattr(error, 'strerror', None) or error})"
        ) from error
    return target.resolve()


def _forget(partial: Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        partial.unlink(missing_ok=True)


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
