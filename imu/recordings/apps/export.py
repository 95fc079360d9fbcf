"""The files of an export: those of a folder, of a zip archive, or a file and its neighbours.

Nothing is unpacked to disk, and no file is read beyond `FILE_BYTES`, whatever a zip archive claims. This module
refuses to know what the files hold.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from imu.errors import RecordingDamaged, RecordingForeign

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FILE_BYTES = 512 * 2**20
"""The longest file that is read, unpacked: 15 h at 100 Hz, at 100 bytes a row. A zip bomb ends here."""

ARCHIVE_FILES = 10_000
"""An archive with more files than this is no export of one recording."""

BUFFER_BYTES = 262_144
START_BYTES = 1024
"""So much is read of each file of our own format to see that it is."""

HEAD_BYTES = 65_536
HEAD_LINES = 50
"""A header, and whatever stands before it, is looked for in this many lines."""

_ENCRYPTED = 0x1  # flag bit of a zip member
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Header:
    """Where and how a table's columns are named.

    Attributes
    ----------
    names : tuple of str
        Names of the columns, as they stand, without blanks around them.
    separator, decimal : str
        What stands between cells and in numbers.
    line : int
        Line of the file, from 0.
    """

    names: tuple[str, ...]
    separator: str
    decimal: str
    line: int

    def index(self, name: str) -> int | None:
        """Return which column has this name, whatever its case."""
        lower = [one.lower() for one in self.names]
        return lower.index(name.lower()) if name.lower() in lower else None


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """Files that may belong to one recording, by name; names of folders are left out.

    Attributes
    ----------
    name : str
        What to call it.
    """

    name: str
    _list: Callable[[], Iterable[str]]
    _open: Callable[[str], IO[bytes]]
    _listed: list[str] = field(default_factory=list)
    _heads: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of the files, sorted; looked up when they are first asked for."""
        if not self._listed:
            self._listed.extend(sorted(self._list()))
        return self._listed

    def named(self, name: str) -> str | None:
        """Return the file with this name, whatever its case."""
        return next((one for one in self.names if one.lower() == name.lower()), None)

    @contextmanager
    def open(self, name: str, buffer_bytes: int = BUFFER_BYTES) -> Iterator[IO[bytes]]:
        """Open a file, unpacked; reading more than `FILE_BYTES` of it raises.

        Raises
        ------
        RecordingForeign
            If it is too long.
        """
        with self._open(name) as raw:
            start = raw.read(2)
            raw.seek(0)
            unpacked = gzip.GzipFile(fileobj=raw) if start == _GZIP else raw
            yield io.BufferedReader(_Bounded(unpacked, name), buffer_bytes)

    def start(self, name: str) -> bytes:
        """Return the first `START_BYTES` of a file."""
        with self.open(name, START_BYTES) as file:
            return file.read(START_BYTES)

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the first lines of a file, without their ends; none if it is no text."""
        if name not in self._heads:
            with self.open(name, HEAD_BYTES) as file:
                head = file.read(HEAD_BYTES)
            text = "" if b"\0" in head else head.decode("utf-8-sig", errors="replace")
            self._heads[name] = tuple(re.split(r"\r\n|\n|\r", text, maxsplit=HEAD_LINES)[:HEAD_LINES])
        return self._heads[name]

    def header(self, name: str, *, first: str = "") -> Header | None:
        """Return the header of a table.

        Parameters
        ----------
        name : str
            The file.
        first : str
            How the header begins, where other lines stand before it, whatever the case.

        Returns
        -------
        Header or None
            ``None`` if there is none.
        """
        lines = self.lines(name)
        for number, line in enumerate(lines):
            text = line.strip()
            if not text or text.lower().startswith(("#", "sep=")) or not text.lower().startswith(first.lower()):
                continue
            separator = max(",;\t", key=text.count)
            names = next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])
            below = next((row for row in lines[number + 1 :] if row.strip()), "")
            decimal = "," if separator != "," and "," in below else "."
            return Header(tuple(one.strip() for one in names), separator, decimal, number)
        return None


class _Bounded(io.RawIOBase):
    """A file that refuses to be read beyond `FILE_BYTES`."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile, name: str) -> None:
        super().__init__()
        self._file = file
        self._name = name
        self._left = FILE_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._file.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise RecordingForeign(too_long(self._name))
        view[: len(data)] = data
        return len(data)


def too_long(name: str) -> str:
    """Say that a file is too long."""
    return f"{name} is longer than the {FILE_BYTES // 2**20} MB that we read: cut the recording into parts"


def folder_export(folder: Path) -> Export:
    """Return the files that stand directly in a folder, hidden ones left out."""

    def listed() -> list[str]:
        return [path.name for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]

    return Export(folder.name, listed, lambda name: (folder / name).open("rb"))


def zip_exports(path: Path) -> list[Export]:
    """Return the files of each folder in a zip archive; what operating systems add is left out.

    Raises
    ------
    RecordingDamaged
        If the archive is cut short, damaged or empty.
    RecordingForeign
        If it is encrypted, or no archive of recordings.
    """
    with _archive(path) as archive:
        members = [one for one in archive.infolist() if not one.is_dir()]
    if not members:
        raise RecordingDamaged("the zip archive is empty: export it again")
    if len(members) > ARCHIVE_FILES:
        raise RecordingForeign(f"the zip archive holds {len(members)} files: unpack it and give the folder")
    if any(one.flag_bits & _ENCRYPTED for one in members):
        raise RecordingForeign("the zip archive is encrypted: unpack it with its password and give the folder")
    folders: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for one in members:
        inside = PurePosixPath(one.filename.replace("\\", "/"))
        if str(inside).isprintable() and not any(part.startswith((".", "__MACOSX")) for part in inside.parts):
            folders.setdefault(str(inside.parent), {})[inside.name] = one
    return [_zip_export(path, name, folders[name]) for name in sorted(folders)]


def _zip_export(path: Path, folder: str, members: dict[str, zipfile.ZipInfo]) -> Export:
    def opened(name: str) -> IO[bytes]:
        if members[name].file_size > FILE_BYTES:
            raise RecordingForeign(too_long(name))
        with _archive(path) as archive:
            return archive.open(members[name])  # keeps the file open by itself

    return Export(path.name if folder == "." else folder, lambda: members, opened)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise RecordingDamaged(
            "the zip archive is cut short or damaged: copy it again from its source, or export it again"
        ) from error
