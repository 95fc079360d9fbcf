"""The recording of a training -> its messages, in the order in which they came, and the samples in them.

A recording may be cut anywhere (a kill, a power cut) or damaged anywhere (a disk, a copy). MCAP's own readers stop at
the first damage, or misread it without a word: they use lengths unchecked and take a checksum of 0 for a missing one.
This reader goes from record to record; where that fails, it searches for the next chunk or metadata record with a right
checksum. Only messages under a right checksum are returned; their numbers show how many are missing in between.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Metadata
from mcap.records import Header as McapHeader
from mcap.writer import MCAP0_MAGIC

from imu.errors import RecordingDamaged, RecordingForeign
from imu.recordings import table_files
from imu.recordings.table_files import one_sentence_errors, too_long
from imu.recordings.training_recorder import (
    END,
    FORMAT_VERSION,
    HEADER,
    IDENTIFIED,
    LATEST_NS,
    PROFILE,
    RecordedEvent,
    RecordingHeader,
    TrainingMessage,
    checked_fields,
    header_of,
    identified_of,
    message_of,
)
from imu.sensors import kind_named
from imu.sensors.conversation import Driver, Identified

UNREADABLE = (McapError, struct.error, ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""Errors of parsing bytes that are not a record."""


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """The raw messages of a training, as far as its recording can be read.

    Attributes
    ----------
    header : RecordingHeader
        The circumstances at its beginning.
    identified : Identified or None
        Which sensor it was, by its last identification; ``None`` without one.
    damage : str or None
        A sentence on the missing part and its place; ``None`` if the file was closed and nothing is missing.
    messages_lost : int
        Messages that were recorded and cannot be read.
    """

    header: RecordingHeader
    identified: Identified | None
    damage: str | None
    messages_lost: int
    _chunks: Sequence[memoryview]
    _channels: Mapping[int, str]

    def messages(self) -> Iterator[TrainingMessage]:
        """Yield messages and commands in the order in which they were received."""
        for record in _records(self._chunks, self._channels):
            if record.content is not None and not isinstance(record.content, RecordedEvent):
                yield record.content

    def events(self) -> Iterator[RecordedEvent]:
        """Yield the session's events as they were recorded."""
        for record in _records(self._chunks, self._channels):
            if isinstance(record.content, RecordedEvent):
                yield record.content

    def driver(self) -> Driver:
        """Return a driver in the state in which the training began.

        Raises
        ------
        RecordingForeign
            If this version has no driver for that kind of sensor.
        """
        name = self.header.sensor_kind
        try:
            kind = kind_named(name)
        except ValueError as error:
            raise RecordingForeign(
                f"it was recorded from a sensor of the kind {name!r}, for which this version has no driver: "
                "update this program"
            ) from error
        return kind.driver(self.header.wished_rate_hz)


def read_training(path: Path) -> TrainingLog:
    """Read the recording of a training and check it to its end.

    Raises
    ------
    RecordingDamaged
        If the file cannot be read, or nothing in it.
    RecordingForeign
        If it is not a recording of a training, is too long, or was made by a newer version of this program.
    """
    with one_sentence_errors():
        if path.stat().st_size > table_files.LARGEST_BYTES:
            raise too_long("the file", table_files.LARGEST_BYTES)
        data = path.read_bytes()
    if len(data) < len(MCAP0_MAGIC) and MCAP0_MAGIC.startswith(data):
        raise RecordingDamaged("the file is empty: nothing was recorded, or it was not copied to its end")
    if not data.startswith(MCAP0_MAGIC):
        raise RecordingForeign("this is not an MCAP file, although its name says so")
    parts = SoundParts(data)
    if HEADER not in parts.metadata:
        raise _without_header(data)
    header = _header(parts.metadata[HEADER][0])
    channels = _channels_at_the_end(parts)
    lost, latest_ns = _count_lost(parts, channels)
    return TrainingLog(
        header=header,
        identified=identified_of(parts.metadata[IDENTIFIED][-1]) if IDENTIFIED in parts.metadata else None,
        damage=_damage(parts, len(data), lost, None if latest_ns is None else latest_ns - header.started_ns),
        messages_lost=lost,
        _chunks=tuple(parts.chunks),
        _channels=channels,
    )


# --- header and damage ------------------------------------------------------------------------------------------------


def _header(fields: Mapping[str, str]) -> RecordingHeader:
    """Return the header with these fields."""
    try:
        version = int(fields["format_version"])
        header = header_of(fields) if version <= FORMAT_VERSION else None
    except UNREADABLE as error:
        raise RecordingDamaged("its header makes no sense: the recording is damaged at its start") from error
    if header is None:
        raise RecordingForeign(
            f"this recording was made by a newer version of this program (format {version}, we read up to "
            f"{FORMAT_VERSION}): update it"
        )
    if not (math.isfinite(header.wished_rate_hz) and 1.0 <= header.wished_rate_hz <= 10_000.0):
        raise RecordingDamaged(f"its header asks for {header.wished_rate_hz:g} samples a second: it is damaged")
    if not 0 <= header.started_ns <= LATEST_NS:
        raise RecordingDamaged("its header holds no time: the recording is damaged at its start")
    return header


def _without_header(data: bytes) -> RecordingDamaged | RecordingForeign:
    """Return the error for a file without our header."""
    profile = _profile(data)
    if profile in (None, PROFILE):
        return RecordingDamaged("the file is damaged from its start and nothing in it can be used: copy it again")
    return RecordingForeign("this is an MCAP file of another program: only recordings of `imu train` can be read")


def _profile(data: bytes) -> str | None:
    """Return the profile that an MCAP file names, or ``None`` if it cannot be read."""
    record = _record_at(memoryview(data), len(MCAP0_MAGIC))
    if record is None or record[0] != Opcode.HEADER:
        return None
    try:
        return str(McapHeader.read(_stream(record[1])).profile)
    except UNREADABLE:
        return None


def _channels_at_the_end(parts: SoundParts) -> dict[int, str]:
    """Return topics by channel as the end repeats them, in case the chunk is damaged that introduced a channel."""
    end = parts.metadata.get(END, [{}])[0]
    return {int(key.split()[1]): topic for key, topic in end.items() if key.startswith("channel ")}


def _count_lost(parts: SoundParts, channels: Mapping[int, str]) -> tuple[int, int | None]:
    """Return the number of missing messages and the time of the last readable one."""
    readable, expected, latest_ns = 0, 0, None
    for record in _records(parts.chunks, channels):
        readable += 1
        expected, latest_ns = record.number + 1, record.time_ns
    if END in parts.metadata:
        expected = int(parts.metadata[END][0]["messages"])
    return max(0, expected - readable), latest_ns


def _damage(parts: SoundParts, size: int, lost: int, until_ns: int | None) -> str | None:
    """Return a sentence on the missing part and its place."""
    if END not in parts.metadata:
        where = "at its start" if until_ns is None else f"after {max(0, until_ns) * 1e-9:.1f} s"
        between = f" and {lost} messages before that cannot be read" if lost else ""
        return (
            f"the recording breaks off {where} (byte {parts.sound_until} of {size}), as when the program was killed or "
            f"the disk was full{between}: how much is missing is not known, the rest is used"
        )
    if lost:
        return f"the file is damaged at byte {parts.damaged_at}: {lost} messages cannot be read, the rest is used"
    if parts.damaged_at is not None:
        return f"the file is damaged at byte {parts.damaged_at}: no message is missing, all are used"
    return None


# --- messages ---------------------------------------------------------------------------------------------------------

_MESSAGE = struct.Struct("<HIQQ")  # channel, number, time received, time published


@dataclass(frozen=True, slots=True)
class _NumberedMessage:
    """One readable message; its content is ``None`` on a channel that this version does not use."""

    number: int
    time_ns: int
    content: TrainingMessage | RecordedEvent | None


def _records(chunks: Sequence[memoryview], channels: Mapping[int, str]) -> Iterator[_NumberedMessage]:
    """Yield every readable message; `channels` are topics known from the end of the file."""
    topics = dict(channels)
    latest = -1
    for chunk in chunks:
        for opcode, body in _records_in(chunk):
            if opcode == Opcode.CHANNEL:
                channel = Channel.read(_stream(body))
                topics[channel.id] = channel.topic
            elif opcode == Opcode.MESSAGE:
                channel_id, number, time_ns, _ = _MESSAGE.unpack_from(body)
                if number <= latest:  # a part of the file is there twice, as after a copy that was resumed wrongly
                    continue
                try:
                    content = message_of(topics[channel_id], time_ns, bytes(body[_MESSAGE.size :]))
                except UNREADABLE:
                    continue  # its number is missing, so it is counted as lost
                latest = number
                yield _NumberedMessage(number, time_ns, content)


# --- salvage ----------------------------------------------------------------------------------------------------------

_RECORD = struct.Struct("<BQ")  # opcode, length of the content
_CHUNK = struct.Struct("<QQQIIQ")  # first and last time, size, checksum, length of "compression", length of the data
_OPCODES = frozenset(Opcode)

_NAMES = b"|".join(re.escape(len(name).to_bytes(4, "little") + name.encode()) for name in (HEADER, IDENTIFIED, END))
_CANDIDATE = re.compile(
    # Opcode and length, times, size, checksum, no compression and the size again, below 4 GiB ...
    rb"(?=\x06.{4}\0{4}.{16}(.{4}\0{4}).{4}\0{4}\1"
    # ... or opcode, length and one of our names. The lookahead also finds candidates that overlap.
    rb"|\x0c.{4}\0{4}(?:" + _NAMES + rb"))",
    re.DOTALL,
)
"""Places where an uncompressed chunk or a metadata record of ours may begin."""

_LONGEST_METADATA = 65_536

WORK_PER_BYTE = 8
"""Bytes that salvage looks at for each byte of the file. A sound file takes one, a damaged one two or three; a file
made to be slow (records within records, each with a false checksum) would take as many as it has bytes. Salvage ends
there, and the rest counts as damaged."""

_CANDIDATE_COST = 64  # in bytes: a record that fails before its checksum costs about as much as 64 bytes of checksum


class SoundParts:
    """The sound parts of an MCAP file, found in a time proportional to its size.

    Attributes
    ----------
    chunks : list of memoryview
        The records in each sound chunk, in the order of the file.
    metadata : dict of str to list
        The fields of each sound metadata record, by name, in the order of the file.
    damaged_at : int or None
        Position of the first damage.
    sound_until : int
        Position of the end of the last sound part.
    """

    def __init__(self, data: bytes) -> None:
        """Look through `data` up to the metadata record `END`, which only an index follows."""
        self.chunks: list[memoryview] = []
        self.metadata: dict[str, list[dict[str, str]]] = {}
        self.damaged_at: int | None = None
        self.sound_until = len(MCAP0_MAGIC)
        self._data = memoryview(data)
        self._work_left = WORK_PER_BYTE * (len(data) + _LONGEST_METADATA)
        at: int | None = self.sound_until
        while at is not None and at < len(data) and END not in self.metadata:
            end = self._take(at)
            if end is None and self.damaged_at is None:
                self.damaged_at = self.sound_until
            # Lengths on the way here may have been wrong: search from the last right checksum.
            at = end or self._next_sound()

    def _next_sound(self) -> int | None:
        """Return the position of the next sound part, or ``None`` without one within the work left."""
        for candidate in _CANDIDATE.finditer(self._data, self.sound_until):
            if self._work_left <= 0:
                return None
            record = self._record(candidate.start())
            if record is not None and self._content(*record) is not None:
                return candidate.start()
        return None

    def _take(self, at: int) -> int | None:
        """Take the record at `at`; return the position of its end, or ``None`` if it is damaged."""
        record = self._record(at)
        if record is None or record[0] not in _OPCODES or self._work_left <= 0:
            return None
        opcode, body = record
        end = at + _RECORD.size + len(body)
        if opcode not in (Opcode.CHUNK, Opcode.METADATA):
            return end
        content = self._content(opcode, body)
        if content is None:
            return None
        if isinstance(content, memoryview):
            self.chunks.append(content)
        else:
            self.metadata.setdefault(content[0], []).append(content[1])
        self.sound_until = end
        return end

    def _record(self, at: int) -> tuple[int, memoryview] | None:
        self._work_left -= _CANDIDATE_COST
        return _record_at(self._data, at)

    def _content(self, opcode: int, body: memoryview) -> memoryview | tuple[str, dict[str, str]] | None:
        """Return the content of a chunk or metadata record, or ``None`` if its checksum is wrong."""
        self._work_left -= len(body)
        return _chunk_records(body) if opcode == Opcode.CHUNK else _metadata(body)


def _record_at(data: memoryview, at: int) -> tuple[int, memoryview] | None:
    """Return opcode and content of the record at `at`, or ``None`` if it is not whole."""
    start = at + _RECORD.size
    if start > len(data):
        return None
    opcode, length = _RECORD.unpack_from(data, at)
    return (opcode, data[start : start + length]) if length <= len(data) - start else None


def _records_in(chunk: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield opcode and content of the records in a sound chunk."""
    at = 0
    while record := _record_at(chunk, at):
        yield record
        at += _RECORD.size + len(record[1])


def _stream(body: memoryview) -> ReadDataStream:
    """Return the content of a record as the parsers of :mod:`mcap.records` read it."""
    return ReadDataStream(io.BytesIO(body))


def _chunk_records(body: memoryview) -> memoryview | None:
    """Return the records in a chunk, or ``None`` if its checksum is wrong."""
    if len(body) < _CHUNK.size:
        return None
    _, _, size, checksum, compression, length = _CHUNK.unpack_from(body)
    records = body[_CHUNK.size :]
    is_whole = compression == 0 and size == length == len(records)
    return records if is_whole and zlib.crc32(records) == checksum else None


def _metadata(body: memoryview) -> tuple[str, dict[str, str]] | None:
    """Return name and fields of a metadata record, or ``None`` if its checksum is wrong."""
    if not 4 <= len(body) <= _LONGEST_METADATA:
        return None
    stream = _stream(body)
    try:
        record = Metadata.read(stream)
    except UNREADABLE:
        return None
    fields = checked_fields(record.name, record.metadata)
    is_whole = stream.count == len(body)  # else the length of the record is wrong, which no checksum covers
    return (record.name, fields) if fields is not None and is_whole else None
