"""Read a recording of a training: its messages in the order in which they came, as far as they are sound.

A recording may have been cut anywhere (a kill, a power cut) or damaged anywhere (a disk, a copy). Only what a checksum
vouches for is given; what is missing in between is counted by the numbers of the messages, never guessed. This module
refuses to know what the messages mean.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcap.opcode import Opcode
from mcap.records import Channel
from mcap.writer import MCAP0_MAGIC

from imu.errors import RecordingDamaged, RecordingForeign
from imu.recordings.mcap_salvage import UNREADABLE, SoundParts, parsable, profile_of, records_in
from imu.recordings.training_records import (
    END,
    FORMAT_VERSION,
    HEADER,
    IDENTIFIED,
    LATEST_NS,
    PROFILE,
    RecordedEvent,
    RecordingHeader,
    TrainingMessage,
    header_of,
    identified_of,
    message_of,
)
from imu.sensors.conversation import Identified

_MESSAGE = struct.Struct("<HIQQ")  # channel, number, time received, time published


@dataclass(frozen=True, slots=True)
class TrainingRecording:
    """A recording of a training that can be read, at least in part.

    Attributes
    ----------
    path : Path
        The file.
    header : RecordingHeader
        What was known when it began.
    identified : Identified or None
        Which sensor it was, as told last; ``None`` if it never told.
    damaged : str or None
        What is missing and where, in one sentence; ``None`` if it was ended in good order and nothing is.
    messages_lost : int
        Messages that are known to have been there and cannot be read.
    """

    path: Path
    header: RecordingHeader
    identified: Identified | None
    damaged: str | None
    messages_lost: int
    _chunks: Sequence[memoryview]
    _channels: Mapping[int, str]

    def messages(self) -> Iterator[TrainingMessage]:
        """Give messages and wishes in the order in which they were received."""
        for record in _records(self._chunks, self._channels):
            if record.content is not None and not isinstance(record.content, RecordedEvent):
                yield record.content

    def events(self) -> Iterator[RecordedEvent]:
        """Give what came of the messages when they were recorded."""
        for record in _records(self._chunks, self._channels):
            if isinstance(record.content, RecordedEvent):
                yield record.content


def open_training_recording(path: Path) -> TrainingRecording:
    """Read a recording and check it to its end.

    Raises
    ------
    RecordingDamaged
        If the file cannot be read, or nothing in it.
    RecordingForeign
        If it is no recording of a training, or one of a newer version of this program.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise RecordingDamaged("there is no such file or folder") from error
    except PermissionError as error:
        raise RecordingDamaged("this file may not be read: change its permissions") from error
    except OSError as error:
        raise RecordingDamaged(f"the file cannot be read ({error.strerror or error})") from error
    if len(data) < len(MCAP0_MAGIC) and MCAP0_MAGIC.startswith(data):
        raise RecordingDamaged("the file is empty: nothing was recorded, or it was not copied to its end")
    if not data.startswith(MCAP0_MAGIC):
        raise RecordingForeign("this is not an MCAP file, although its name says so")
    parts = SoundParts(data, last=END)
    if HEADER not in parts.metadata:
        raise _without_header(data)
    header = _header(parts.metadata[HEADER][0])
    channels = _channels_told_at_the_end(parts)
    lost, latest_ns = _count(parts, channels)
    return TrainingRecording(
        path=path,
        header=header,
        identified=identified_of(parts.metadata[IDENTIFIED][-1]) if IDENTIFIED in parts.metadata else None,
        damaged=_damage(parts, len(data), lost, None if latest_ns is None else latest_ns - header.started_ns),
        messages_lost=lost,
        _chunks=tuple(parts.chunks),
        _channels=channels,
    )


# --- what was told about the recording --------------------------------------------------------------------------------


def _header(fields: Mapping[str, str]) -> RecordingHeader:
    """Return what was known when the recording began."""
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
    """Say why there is no header."""
    profile = profile_of(data)
    if profile in (None, PROFILE):
        return RecordingDamaged("the file is damaged from its start and nothing in it can be used: copy it again")
    return RecordingForeign("this is an MCAP file of another program: only recordings of `imu train` can be read")


def _channels_told_at_the_end(parts: SoundParts) -> dict[int, str]:
    """Return topics by channel: for the case that the chunk is damaged in which a channel was told first."""
    told = parts.metadata.get(END, [{}])[0]
    return {int(key.split()[1]): topic for key, topic in told.items() if key.startswith("channel ")}


def _count(parts: SoundParts, channels: Mapping[int, str]) -> tuple[int, int | None]:
    """Return how many messages are missing between those that are there, and the time of the last one."""
    readable, expected, latest_ns = 0, 0, None
    for record in _records(parts.chunks, channels):
        readable += 1
        expected, latest_ns = record.number + 1, record.time_ns
    if END in parts.metadata:
        expected = int(parts.metadata[END][0]["messages"])
    return max(0, expected - readable), latest_ns


def _damage(parts: SoundParts, size: int, lost: int, until_ns: int | None) -> str | None:
    """Say what is missing and where."""
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


@dataclass(frozen=True, slots=True)
class _Numbered:
    """One readable message; the content is ``None`` if it is of a channel that this version has no use for."""

    number: int
    time_ns: int
    content: TrainingMessage | RecordedEvent | None


def _records(chunks: Sequence[memoryview], channels: Mapping[int, str]) -> Iterator[_Numbered]:
    """Give every message that can be read; `channels` are the topics known from elsewhere."""
    topics = dict(channels)
    latest = -1
    for chunk in chunks:
        for opcode, body in records_in(chunk):
            if opcode == Opcode.CHANNEL:
                channel = Channel.read(parsable(body))
                topics[channel.id] = channel.topic
            elif opcode == Opcode.MESSAGE:
                channel_id, number, time_ns, _ = _MESSAGE.unpack_from(body)
                if number <= latest:  # a part of the file is there twice, as after a copy that was resumed wrongly
                    continue
                try:
                    content = message_of(topics[channel_id], time_ns, bytes(body[_MESSAGE.size :]))
                except UNREADABLE:
                    continue  # counted: its number is missing
                latest = number
                yield _Numbered(number, time_ns, content)
