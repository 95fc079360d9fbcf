"""Everything that is kept -> one zip, and back.

The zip holds ``manifest.json`` (name, size and SHA-256 of every other file), ``sessions.db``, ``recordings/``, and if
they exist, the plans and the person's name as it is written; a restore keeps a name that is there. The sensor used last
is left out: it belongs to a computer.

A backup holds one state of the store, even while a training is being saved; a recording that is still being written is
taken as far as it has come. A restore checks the whole zip, with all hashes and the schema of the store, before it
touches anything; it moves the earlier files into a folder of their own and never deletes them.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import secrets
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from imu.atomic_files import new_file
from imu.errors import FileThere, ImuError, NotWritten, StoreDamaged
from imu.store.database import UNPACKED
from imu.store.home import NAME_FILE, PLANS
from imu.store.sessions import SessionStore

FORMAT = "imu backup"
VERSION = 1
STORE, RECORDINGS, MANIFEST = "sessions.db", "recordings", "manifest.json"
SMALL_FILES = (PLANS, NAME_FILE)
CHUNK = 1 << 20
"""Number of bytes that are copied at a time."""
_LARGEST_MANIFEST = 100 << 20
_BROKEN_ZIP = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, OverflowError),
    *(NotImplementedError, RuntimeError, RecursionError, AttributeError),
)
"""Errors of :mod:`zipfile` and :mod:`json` on bytes that are damaged or that this program does not write."""
_JOURNALS = tuple(f"{STORE}{ending}" for ending in ("-journal", "-wal", "-shm"))

# --- backup ----------------------------------------------------------------------------------------------------------


def write_backup(
    home: Path, path: Path, *, made_at: datetime, software_version: str, overwrite: bool = False
) -> tuple[int, int]:
    """Write a backup of the folder `home`; return the number of sessions and of recording files in it.

    Raises
    ------
    FileThere
        If `path` exists and must not be overwritten.
    NotWritten
        If it cannot be written, or if `home` has no store.
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
            recordings = list(recording_files(home))
            small = [(name, home / name) for name in SMALL_FILES if (home / name).is_file()]
            files = [(STORE, copy), *small, *recordings]
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
    return sessions, len(recordings)


def recording_files(home: Path) -> Iterator[tuple[str, Path]]:
    """Give each recording file with its name in the zip; links are not followed."""
    folder = home / RECORDINGS
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield f"{RECORDINGS}/{file.relative_to(folder).as_posix()}", file


def _add(archive: zipfile.ZipFile, name: str, file: Path) -> dict[str, str | int]:
    """Add a file; return its entry in the manifest, computed from the bytes that went into the zip."""
    info = zipfile.ZipInfo.from_file(file, name, strict_timestamps=False)
    info.compress_type = zipfile.ZIP_DEFLATED
    with file.open("rb") as source, archive.open(info, "w", force_zip64=True) as sink:
        size, digest = copy_chunks(iter(lambda: source.read(CHUNK), b""), sink)
    return {"name": name, "size": size, "sha256": digest}


def copy_chunks(chunks: Iterable[bytes], sink: IO[bytes], at_most: int | None = None) -> tuple[int, str]:
    """Copy; return size and SHA-256. Stop after `at_most` bytes: a zip may unpack to more than a disk holds."""
    size, digest = 0, hashlib.sha256()
    for chunk in chunks:
        size += len(chunk)
        if at_most is not None and size > at_most:
            break
        digest.update(chunk)
        sink.write(chunk)
    return size, digest.hexdigest()


# --- restore ---------------------------------------------------------------------------------------------------------


class BackupDamaged(ImuError):
    """A file is not a backup, is incomplete, or is newer than this program."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore.

    Attributes
    ----------
    sessions, recordings : int
        Number of sessions and of recording files that were restored.
    before : Path or None
        Folder with the files that were there before; ``None`` if there were no files.
    """

    sessions: int
    recordings: int
    before: Path | None


def restore_backup(path: Path, home: Path, *, now: datetime, force: bool = False) -> Restored:
    """Put the content of a backup into the folder `home`.

    Everything is unpacked and checked in a folder beside first. The store is put in its place last and in one step:
    after an interruption there is either the old or the new store, complete, and nothing is lost.

    Parameters
    ----------
    path : Path
        The backup.
    home : Path
        Its destination; need not exist.
    now : datetime
        Part of the name of the folder for the files that were there before.
    force : bool
        Whether sessions or recordings that are there may be replaced. They are kept in a folder beside.

    Raises
    ------
    FileThere
        If there are sessions or recordings and `force` is false.
    BackupDamaged
        If the file does not exist or is not a complete backup. Nothing was touched.
    NotWritten
        If `home` cannot be written. Its files are then unchanged.
    """
    with _opened(path):  # a file that is no backup is reported before any advice to use --force
        pass
    there = [name for name in (RECORDINGS, STORE) if _holds_something(home / name)]
    if there and not force:
        raise FileThere(
            f"{home} holds {' and '.join(there)} already and was left alone; "
            "with --force the backup takes their place, and they are moved to a folder beside"
        )
    with _unpacked(path, home) as fresh:
        try:
            with SessionStore.open(fresh / STORE) as store:
                store.check_schema()
                sessions = [store.load(overview.id) for overview in store.list()]
        except StoreDamaged as error:
            sentence = str(error).replace(str(fresh / STORE), STORE)
            raise BackupDamaged(f"{path} cannot be restored ({sentence}); take another backup") from error
        recordings = sum(1 for _ in recording_files(fresh))
        before = home / f"before-restore-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}" if there else None
        try:
            _exchange(fresh, home, before)
        except OSError as error:
            raise NotWritten(f"{home} cannot be written ({error.strerror}); all in it is as it was") from error
    return Restored(len(sessions), recordings, before)


def _exchange(fresh: Path, home: Path, before: Path | None) -> None:
    """Move the present files to `before` and the new files to their places; on an error, move everything back."""
    done: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        source.rename(target)
        done.append((source, target))

    try:
        if before is not None:
            before.mkdir()
            if _holds_something(home / RECORDINGS):
                move(home / RECORDINGS, before / RECORDINGS)
            for name in _JOURNALS:  # of the old store: SQLite must not apply them to the new one
                if (home / name).exists():
                    move(home / name, before / name)
            if (home / STORE).exists():
                _keep_too(home / STORE, before / STORE)
            if (home / PLANS).is_file() and (fresh / PLANS).is_file():
                move(home / PLANS, before / PLANS)
        with suppress(OSError):
            (home / RECORDINGS).rmdir()  # an empty one is in the way
        move(fresh / RECORDINGS, home / RECORDINGS)
        for name in SMALL_FILES:
            if (fresh / name).is_file() and not (home / name).exists():
                move(fresh / name, home / name)
        (fresh / STORE).replace(home / STORE)
    except BaseException:
        for source, target in reversed(done):
            target.rename(source)
        if before is not None:
            shutil.rmtree(before, ignore_errors=True)
        raise


def _keep_too(file: Path, also: Path) -> None:
    """Keep a file in a second place as well: as a link, so that a program that has it open still writes to it."""
    try:
        also.hardlink_to(file)
    except OSError:  # a file system without links
        shutil.copy2(file, also)


@contextmanager
def _unpacked(path: Path, home: Path) -> Iterator[Path]:
    """Give a folder inside `home` with the unpacked backup, whose files match the manifest."""
    fresh = home / f"{UNPACKED}{secrets.token_hex(4)}"
    existed = home.exists()
    try:
        with _opened(path) as archive:
            listed = _manifest(archive, path)
            (fresh / RECORDINGS).mkdir(parents=True)
            for name, expected in listed.items():
                _unpack(archive, name, expected, fresh, path)
        yield fresh
    except OSError as error:
        raise NotWritten(f"{home} cannot be written ({error.strerror or error}); nothing in it was changed") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if not existed:
            with suppress(OSError):  # it holds the restored files
                home.rmdir()


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Give the zip."""
    with _reading(path):
        if path.exists() and not path.is_file():
            raise ValueError("it is not a file")  # a device or pipe would be read for ever
        file = path.open("rb")
    with file:
        with _reading(path):
            archive = zipfile.ZipFile(file)
        with archive:
            yield archive


@contextmanager
def _reading(path: Path, name: str = "") -> Iterator[None]:
    """Turn errors of reading a zip into one sentence; nothing may be written inside."""
    try:
        yield
    except FileNotFoundError as error:
        raise BackupDamaged(f"{path} does not exist; name the file that imu backup wrote") from error
    except (OSError, KeyError, TypeError, *_BROKEN_ZIP) as error:  # OSError: a damaged zip points anywhere
        where = f" at {name}" if name else " or no backup of this program"
        raise BackupDamaged(f"{path} is damaged{where} ({error}); take another backup") from error


def _manifest(archive: zipfile.ZipFile, path: Path) -> dict[str, tuple[int, str]]:
    """Return size and hash of every file in the manifest, if the archive holds exactly these files."""
    with _reading(path):
        if archive.getinfo(MANIFEST).file_size > _LARGEST_MANIFEST:
            raise ValueError("its manifest is too large")
        manifest: Any = json.loads(archive.read(MANIFEST))
        if manifest["format"] != FORMAT:
            raise ValueError("its manifest is that of another program")
        version = int(manifest["version"])
        listed = {str(entry["name"]): (int(entry["size"]), str(entry["sha256"])) for entry in manifest["files"]}
        held = sorted(archive.namelist())
    if version > VERSION:
        raise BackupDamaged(f"{path} was made by a newer version of this program; update the program")
    if sorted([*listed, MANIFEST]) != held or not all(map(_is_ours, listed)) or STORE not in listed:
        raise BackupDamaged(f"{path} does not hold what its manifest says; take another backup")
    return listed


def _is_ours(name: str) -> bool:
    """Return whether a name in the zip belongs to a backup and stays inside the folder."""
    parts = PurePosixPath(name).parts
    inside = len(parts) > 1 and parts[0] == RECORDINGS and not {"..", ".", "/"} & set(parts)
    return name in (STORE, *SMALL_FILES) or (inside and "\\" not in name and ":" not in name and "\0" not in name)


def _unpack(archive: zipfile.ZipFile, name: str, expected: tuple[int, str], fresh: Path, path: Path) -> None:
    """Unpack a file and check its size and hash."""
    target = fresh.joinpath(*PurePosixPath(name).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as sink:
        copied = copy_chunks(_unzipped(archive, name, path), sink, at_most=expected[0])
        sink.flush()
        os.fsync(sink.fileno())
    if copied != expected:
        raise BackupDamaged(f"{path} is damaged at {name}, which differs from the original; take another backup")


def _unzipped(archive: zipfile.ZipFile, name: str, path: Path) -> Iterator[bytes]:
    """Give the content of a file in the zip, piece by piece."""
    with _reading(path, name):
        source = archive.open(name)
    with source:
        while True:
            with _reading(path, name):
                chunk = source.read(CHUNK)
            if not chunk:
                return
            yield chunk


def _holds_something(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))
