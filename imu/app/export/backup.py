"""Everything that is kept -> one zip, and back.

The zip holds ``manifest.json`` (names, sizes and SHA-256 of all the rest), ``sessions.db`` and ``recordings/``. Which
sensor was used last is not in it: that belongs to a computer, not to a person.

A backup is taken of one state of the store, whatever is trained meanwhile; a recording that is still being written is
taken as far as it is. A restore looks at the whole zip, with all hashes and the store opened, before it touches
anything; what was there before is moved into a folder of its own and never deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from imu.app.export.atomic import FileThere, NotWritten, new_file
from imu.errors import ImuError, StoreDamaged
from imu.store import SessionStore

FORMAT = "imu backup"
VERSION = 1
STORE, RECORDINGS, MANIFEST = "sessions.db", "recordings", "manifest.json"
_CHUNK = 1 << 20
_LARGEST_MANIFEST = 100 << 20
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What :mod:`zipfile` raises where bytes are not as they were written, or not as this program writes them."""
_JOURNALS = tuple(f"{STORE}{ending}" for ending in ("-journal", "-wal", "-shm"))


class BackupDamaged(ImuError):
    """A file is not a backup, not whole, or newer than this program."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes
    ----------
    sessions, recordings : int
        How many there are now.
    before : Path or None
        Folder with what was there before; ``None`` if nothing was.
    """

    sessions: int
    recordings: int
    before: Path | None


def write_backup(
    home: Path, path: Path, *, made_at: datetime, software_version: str, overwrite: bool = False
) -> tuple[int, int]:
    """Write a backup of the folder `home`; return how many sessions and recordings are in it.

    Raises
    ------
    FileThere
        If `path` is there and must not be overwritten.
    NotWritten
        If it cannot be written, or nothing is kept.
    StoreDamaged
        If the store cannot be read.
    """
    if not (home / STORE).is_file():
        raise NotWritten(f"no sessions are kept in {home}; there is nothing to back up")
    with new_file(path, overwrite=overwrite) as temporary:
        copy = temporary.with_name(f"{temporary.name}.db")
        try:
            with SessionStore.open(home / STORE) as store:
                store.copy_to(copy)
                sessions = len(store.list())
            files = [(STORE, copy), *((name, file) for name, file in _recordings(home))]
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                listed = [_add(archive, name, file) for name, file in files]
                manifest = {
                    "format": FORMAT,
                    "version": VERSION,
                    "made_at": made_at.astimezone(UTC).isoformat(),
                    "software_version": software_version,
                    "files": listed,
                }
                archive.writestr(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1))
        finally:
            copy.unlink(missing_ok=True)
    return sessions, len(files) - 1


def restore_backup(path: Path, home: Path, *, now: datetime, force: bool = False) -> Restored:
    """Put what is in a backup into the folder `home`.

    Everything is unpacked and looked at beside it first. The store is put in its place last and in one step: whenever
    this is interrupted, there is an old or a new store, whole, and nothing is lost.

    Parameters
    ----------
    path : Path
        The backup.
    home : Path
        Where it goes; need not exist.
    now : datetime
        Names the folder for what was there before.
    force : bool
        Whether it may take the place of sessions or recordings that are there. They are kept in a folder beside.

    Raises
    ------
    FileThere
        If there is something and `force` was not said.
    BackupDamaged
        If the file is no whole backup. Nothing was touched.
    NotWritten
        If `home` cannot be written. What was there is as it was.
    """
    there = [name for name in (RECORDINGS, STORE) if _holds_something(home / name)]
    if there and not force:
        raise FileThere(
            f"{home} holds {' and '.join(there)} already and was left alone; "
            "with --force the backup takes their place, and they are moved to a folder beside"
        )
    with _unpacked(path, home) as fresh:
        try:
            with SessionStore.open(fresh / STORE) as store:
                sessions = len(store.list())
        except StoreDamaged as error:
            raise BackupDamaged(f"{path} holds a store that cannot be read; take another backup") from error
        recordings = sum(1 for _ in _recordings(fresh))
        before = home / f"before-restore-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}" if there else None
        try:
            _exchange(fresh, home, before)
        except OSError as error:
            raise NotWritten(f"{home} cannot be written ({error.strerror}); all in it is as it was") from error
    return Restored(sessions, recordings, before)


def _exchange(fresh: Path, home: Path, before: Path | None) -> None:
    """Move what is there to `before` and what is fresh in its place; on an error, take everything back."""
    done: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        source.rename(target)
        done.append((source, target))

    try:
        if before is not None:
            before.mkdir()
            if _holds_something(home / RECORDINGS):
                move(home / RECORDINGS, before / RECORDINGS)
            for name in _JOURNALS:  # of the old store; the new one must not be mended with it
                if (home / name).exists():
                    move(home / name, before / name)
            if (home / STORE).exists():
                _keep_too(home / STORE, before / STORE)
        with suppress(OSError):
            (home / RECORDINGS).rmdir()  # an empty one is in the way
        move(fresh / RECORDINGS, home / RECORDINGS)
        (fresh / STORE).replace(home / STORE)
    except BaseException:
        for source, target in reversed(done):
            target.rename(source)
        if before is not None:
            shutil.rmtree(before, ignore_errors=True)
        raise


def _keep_too(file: Path, also: Path) -> None:
    """Keep a file in a second place as well: a link, so that whoever has it open still writes to what is kept."""
    try:
        also.hardlink_to(file)
    except OSError:  # a file system without links
        shutil.copy2(file, also)


@contextmanager
def _unpacked(path: Path, home: Path) -> Iterator[Path]:
    """Give a folder inside `home` with the content of a backup, of which everything is as its manifest says."""
    fresh = home / f".restoring-{secrets.token_hex(4)}"
    existed = home.exists()
    try:
        with _opened(path) as archive:
            listed = _manifest(archive, path)
            (fresh / RECORDINGS).mkdir(parents=True)
            for name, told in listed.items():
                _unpack(archive, name, told, fresh, path)
        yield fresh
    except OSError as error:
        raise NotWritten(f"{home} cannot be written ({error.strerror or error}); nothing in it was changed") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if not existed:
            with suppress(OSError):  # it holds what was restored
                home.rmdir()


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Give the zip; whatever is wrong with it is told in one sentence."""
    try:
        with path.open("rb") as file:
            yield zipfile.ZipFile(file)
    except _BROKEN_ZIP as error:
        raise BackupDamaged(f"{path} is damaged or no backup of this program ({error}); take another one") from error
    except FileNotFoundError as error:
        if error.filename is None or Path(error.filename) != path:
            raise
        raise BackupDamaged(f"{path} is not there; name the file that imu backup wrote") from error


def _manifest(archive: zipfile.ZipFile, path: Path) -> dict[str, tuple[int, str]]:
    """Return size and hash of every file, if the archive holds these and no others."""
    try:
        if archive.getinfo(MANIFEST).file_size > _LARGEST_MANIFEST:
            raise ValueError("its manifest is too large")
        manifest: Any = json.loads(archive.read(MANIFEST))
        if manifest["format"] != FORMAT:
            raise ValueError("its manifest is another program's")
        version = int(manifest["version"])
        listed = {str(one["name"]): (int(one["size"]), str(one["sha256"])) for one in manifest["files"]}
    except (KeyError, TypeError, *_BROKEN_ZIP) as error:
        raise BackupDamaged(f"{path} is damaged or no backup of this program ({error}); take another one") from error
    if version > VERSION:
        raise BackupDamaged(f"{path} was made by a newer version of this program; update the program")
    held = sorted(archive.namelist())
    if sorted([*listed, MANIFEST]) != held or not all(map(_is_ours, listed)) or STORE not in listed:
        raise BackupDamaged(f"{path} does not hold what its manifest says; take another backup")
    return listed


def _is_ours(name: str) -> bool:
    """Whether a name in the zip stays in the folder and is of what a backup holds."""
    parts = PurePosixPath(name).parts
    inside = len(parts) > 1 and parts[0] == RECORDINGS and not {"..", ".", "/"} & set(parts)
    return name == STORE or (inside and "\\" not in name and ":" not in name and "\0" not in name)


def _unpack(archive: zipfile.ZipFile, name: str, told: tuple[int, str], fresh: Path, path: Path) -> None:
    """Unpack a file of which size and hash are told."""
    target = fresh.joinpath(*PurePosixPath(name).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with archive.open(name) as source, target.open("xb") as sink:
            found = _copy(source, sink, at_most=told[0])
            sink.flush()
            os.fsync(sink.fileno())
    except _BROKEN_ZIP as error:
        raise BackupDamaged(f"{path} is damaged at {name} ({error}); take another backup") from error
    if found != told:
        raise BackupDamaged(f"{path} is damaged at {name}, which is not what was backed up; take another backup")


def _recordings(home: Path) -> Iterator[tuple[str, Path]]:
    """Give every recording's file with its name in the zip; links are not followed out of the folder."""
    folder = home / RECORDINGS
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield f"{RECORDINGS}/{file.relative_to(folder).as_posix()}", file


def _add(archive: zipfile.ZipFile, name: str, file: Path) -> dict[str, str | int]:
    """Add a file; return its entry in the manifest, of the very bytes that went into the zip."""
    info = zipfile.ZipInfo.from_file(file, name, strict_timestamps=False)
    info.compress_type = zipfile.ZIP_DEFLATED
    with file.open("rb") as source, archive.open(info, "w", force_zip64=True) as sink:
        size, digest = _copy(source, sink)
    return {"name": name, "size": size, "sha256": digest}


def _copy(source: IO[bytes], sink: IO[bytes], at_most: int | None = None) -> tuple[int, str]:
    """Copy; return size and SHA-256. More than `at_most` bytes end it: a zip may unpack to more than a disk holds."""
    size, digest = 0, hashlib.sha256()
    while chunk := source.read(_CHUNK):
        size += len(chunk)
        if at_most is not None and size > at_most:
            break
        digest.update(chunk)
        sink.write(chunk)
    return size, digest.hexdigest()


def _holds_something(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))
