"""Everything that is kept -> one zip.

The zip holds ``manifest.json`` (names, sizes and SHA-256 of all the rest), ``sessions.db`` and ``recordings/``. Which
sensor was used last is not in it: that belongs to a computer, not to a person.

A backup is taken of one state of the store, whatever is trained meanwhile; a recording that is still being written is
taken as far as it is. :mod:`imu.store.restore` brings it back.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from imu.atomic_files import new_file
from imu.errors import NotWritten
from imu.store import SessionStore

FORMAT = "imu backup"
VERSION = 1
STORE, RECORDINGS, MANIFEST = "sessions.db", "recordings", "manifest.json"
CHUNK = 1 << 20
"""So many bytes are copied at a time."""


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
            files = [(STORE, copy), *((name, file) for name, file in recording_files(home))]
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


def recording_files(home: Path) -> Iterator[tuple[str, Path]]:
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
        size, digest = copy_chunks(iter(lambda: source.read(CHUNK), b""), sink)
    return {"name": name, "size": size, "sha256": digest}


def copy_chunks(chunks: Iterable[bytes], sink: IO[bytes], at_most: int | None = None) -> tuple[int, str]:
    """Copy; return size and SHA-256. More than `at_most` bytes end it: a zip may unpack to more than a disk holds."""
    size, digest = 0, hashlib.sha256()
    for chunk in chunks:
        size += len(chunk)
        if at_most is not None and size > at_most:
            break
        digest.update(chunk)
        sink.write(chunk)
    return size, digest.hexdigest()
