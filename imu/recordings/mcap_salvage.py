"""The parts of an MCAP file for which a checksum vouches, wherever else it is cut or damaged.

MCAP's own readers stop, or go wrong in silence, at the first damage: they trust lengths and take a checksum of 0 for
none. This one goes from record to record; where that leads nowhere, it searches for the next chunk or metadata record
whose checksum is right. This module refuses to know what the parts mean.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Header, Metadata
from mcap.writer import MCAP0_MAGIC

from imu.recordings.training_records import unsealed

_RECORD = struct.Struct("<BQ")  # opcode, length of what follows
_CHUNK = struct.Struct("<QQQIIQ")  # first and last time, size, checksum, length of "compression", length of the data
_OPCODES = frozenset(Opcode)
_CANDIDATE = re.compile(rb"(?=[\x06\x0c].{4}\0{4})", re.DOTALL)  # where a chunk or metadata below 4 GiB may begin
_LONGEST_NAME = 64

UNREADABLE = (McapError, struct.error, ValueError, KeyError, TypeError, OverflowError)
"""What parsing bytes that are not what they should be raises."""


class SoundParts:
    """What is sound in the bytes of an MCAP file.

    Attributes
    ----------
    chunks : list of memoryview
        The records in each sound chunk, in the order of the file.
    metadata : dict of str to list
        The fields of each sound metadata record, by name, in the order of the file.
    damaged_at : int or None
        Where the first damage is.
    sound_until : int
        Where the last sound part ends.
    """

    def __init__(self, data: bytes, last: str) -> None:
        """Look through `data` up to the metadata record named `last`; what comes after it is of no interest."""
        self.chunks: list[memoryview] = []
        self.metadata: dict[str, list[dict[str, str]]] = {}
        self.damaged_at: int | None = None
        self.sound_until = len(MCAP0_MAGIC)
        self._data = memoryview(data)
        at: int | None = self.sound_until
        while at is not None and at < len(data) and last not in self.metadata:
            end = self._take(at)
            if end is None and self.damaged_at is None:
                self.damaged_at = self.sound_until
            # Lengths on the way here may have been wrong: search from the last checksum that was right.
            at = end or next(filter(self._is_sound, self._candidates()), None)

    def _candidates(self) -> Iterator[int]:
        return (found.start() for found in _CANDIDATE.finditer(self._data, self.sound_until))

    def _is_sound(self, at: int) -> bool:
        framed = framed_record(self._data, at)
        if framed is None:
            return False
        opcode, body = framed
        return (_chunk_records(body) if opcode == Opcode.CHUNK else _metadata(body)) is not None

    def _take(self, at: int) -> int | None:
        """Take the record at `at`; return where it ends, or ``None`` if it is damaged."""
        framed = framed_record(self._data, at)
        if framed is None or framed[0] not in _OPCODES:
            return None
        opcode, body = framed
        end = at + _RECORD.size + len(body)
        if opcode == Opcode.CHUNK:
            records = _chunk_records(body)
            if records is None:
                return None
            self.chunks.append(records)
            self.sound_until = end
        elif opcode == Opcode.METADATA:
            found = _metadata(body)
            if found is None:
                return None
            self.metadata.setdefault(found[0], []).append(found[1])
            self.sound_until = end
        return end


def framed_record(data: memoryview, at: int) -> tuple[int, memoryview] | None:
    """Return opcode and content of the record at `at`, or ``None`` if it is not whole."""
    start = at + _RECORD.size
    if start > len(data):
        return None
    opcode, length = _RECORD.unpack_from(data, at)
    return (opcode, data[start : start + length]) if length <= len(data) - start else None


def records_in(chunk: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Give opcode and content of the records in a sound chunk."""
    at = 0
    while framed := framed_record(chunk, at):
        yield framed
        at += _RECORD.size + len(framed[1])


def profile_of(data: bytes) -> str | None:
    """Return what an MCAP file says it is, or ``None`` if that cannot be read."""
    framed = framed_record(memoryview(data), len(MCAP0_MAGIC))
    if framed is None or framed[0] != Opcode.HEADER:
        return None
    try:
        return str(Header.read(parsable(framed[1])).profile)
    except UNREADABLE:
        return None


def parsable(body: memoryview) -> ReadDataStream:
    """Return what the parsers of :mod:`mcap.records` read from."""
    return ReadDataStream(io.BytesIO(body))


def _chunk_records(body: memoryview) -> memoryview | None:
    """Return the records in a chunk, or ``None`` if they are not as they were written."""
    if len(body) < _CHUNK.size:
        return None
    _, _, size, checksum, compression, length = _CHUNK.unpack_from(body)
    records = body[_CHUNK.size :]
    is_whole = compression == 0 and size == length == len(records)
    return records if is_whole and zlib.crc32(records) == checksum else None


def _metadata(body: memoryview) -> tuple[str, dict[str, str]] | None:
    """Return name and fields of a metadata record, or ``None`` if they are not as they were written."""
    if len(body) < 4 or int.from_bytes(body[:4], "little") > _LONGEST_NAME:
        return None
    stream = parsable(body)
    try:
        record = Metadata.read(stream)
    except UNREADABLE:
        return None
    fields = unsealed(record.name, record.metadata)
    is_whole = stream.count == len(body)  # else the length of the record is wrong, which no checksum covers
    return (record.name, fields) if fields is not None and is_whole else None
