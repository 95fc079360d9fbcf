"""A zip that `imu backup` wrote -> everything that is kept.

The whole zip is looked at, with all hashes and the store opened, before anything is touched; what was there before is
moved into a folder of its own and never deleted. The format is that of :mod:`imu.store.backup`.
"""

from __future__ import annotations

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
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from imu.errors import FileThere, ImuError, NotWritten, StoreDamaged
from imu.store import SessionStore
from imu.store.backup import CHUNK, FORMAT, MANIFEST, RECORDINGS, STORE, VERSION, copy_chunks, recording_files

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
        recordings = sum(1 for _ in recording_files(fresh))
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
    """Give the zip."""
    with _reading(path):
        file = path.open("rb")
    with file:
        with _reading(path):
            archive = zipfile.ZipFile(file)
        with archive:
            yield archive


@contextmanager
def _reading(path: Path, name: str = "") -> Iterator[None]:
    """Tell in one sentence what is wrong with a zip while it is read; nothing may be written inside."""
    try:
        yield
    except FileNotFoundError as error:
        raise BackupDamaged(f"{path} is not there; name the file that imu backup wrote") from error
    except (OSError, KeyError, TypeError, *_BROKEN_ZIP) as error:  # OSError: a damaged zip points anywhere
        where = f" at {name}" if name else " or no backup of this program"
        raise BackupDamaged(f"{path} is damaged{where} ({error}); take another backup") from error


def _manifest(archive: zipfile.ZipFile, path: Path) -> dict[str, tuple[int, str]]:
    """Return size and hash of every file, if the archive holds these and no others."""
    with _reading(path):
        if archive.getinfo(MANIFEST).file_size > _LARGEST_MANIFEST:
            raise ValueError("its manifest is too large")
        manifest: Any = json.loads(archive.read(MANIFEST))
        if manifest["format"] != FORMAT:
            raise ValueError("its manifest is another program's")
        version = int(manifest["version"])
        listed = {str(one["name"]): (int(one["size"]), str(one["sha256"])) for one in manifest["files"]}
        held = sorted(archive.namelist())
    if version > VERSION:
        raise BackupDamaged(f"{path} was made by a newer version of this program; update the program")
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
    with target.open("xb") as sink:
        found = copy_chunks(_unzipped(archive, name, path), sink, at_most=told[0])
        sink.flush()
        os.fsync(sink.fileno())
    if found != told:
        raise BackupDamaged(f"{path} is damaged at {name}, which is not what was backed up; take another backup")


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
