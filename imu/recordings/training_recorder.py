"""The recording of a training: its format, and the recorder, which writes every message as it was received.

The format is a container of time-stamped messages in chunks with a checksum each, MCAP (https://mcap.dev/spec); other
programs open it too. :mod:`imu.recordings.training_reader` reads it.

The event loop never waits for the disk: `write` hands the message to a thread, which writes the messages that came
together as one chunk of an MCAP file, with a checksum. A chunk is on the disk whole or not at all, so that after a kill
the recording is sound up to its last chunk.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import queue
import re
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from mcap.writer import CompressionType, IndexType, Writer

from imu.atomic_files import way_out
from imu.errors import RecordingNotWritten
from imu.motion.personal import PersonalShift
from imu.sensors.conversation import Heard, Identified, LinkDown, LinkUp, Message
from imu.training import PersonAsked, PersonCommand

PROFILE = "imu-training"
"""The profile that the MCAP file names."""

FORMAT_VERSION = 1
"""Raised when an older program can no longer read a recording."""

LATEST_NS = 2**64 - 1
"""The latest time that an MCAP record can hold."""

HEADER, IDENTIFIED, END = "recording", "identified", "end"
"""Names of the metadata records: how the training began, which sensor it was, and that the file was closed."""

LINK, PERSON, EVENTS, SENSOR = "link", "person", "events", "sensor/"
"""Topics of the channels; the UUID of the characteristic follows the last."""

TrainingMessage = Message | PersonAsked
"""A message of the sensor or a command of the person, in the order in which they came."""


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """The circumstances of a training at its beginning.

    Attributes
    ----------
    sensor_kind : str
        Name of the :class:`imu.sensors.conversation.SensorKind` whose driver decodes the messages.
    sensor_name, sensor_address : str
        As advertised; on macOS the address is valid on that computer only.
    started_ns : int
        Time of the beginning, in nanoseconds since 1970.
    software_version : str
        Version of the program that records.
    wished_rate_hz : float
        The sampling rate that the driver requests of the sensor.
    personal : PersonalShift
        Personal shifts of the judgement: a replay judges with the same.
    """

    sensor_kind: str
    sensor_name: str
    sensor_address: str
    started_ns: int
    software_version: str
    wished_rate_hz: float
    personal: PersonalShift = field(default_factory=PersonalShift)


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event of the session, written for other programs; a replay makes its own."""

    recorded_ns: int
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a channel.

    Raises
    ------
    ValueError
        If the time cannot be written.
    """

    topic: str
    encoding: str
    time_ns: int
    data: bytes

    def __post_init__(self) -> None:
        """Check the time."""
        if not 0 <= self.time_ns <= LATEST_NS:
            raise ValueError(f"a time must be in 0 to {LATEST_NS} ns, got {self.time_ns}")


@dataclass(frozen=True, slots=True)
class MetadataRecord:
    """A named set of fields, without a time."""

    name: str
    fields: Mapping[str, str]

    def with_checksum(self) -> dict[str, str]:
        """Return the fields with a checksum: MCAP has one for messages, but none for metadata.

        A sensor's text may hold a character that UTF-8 lacks (half a surrogate pair): it is spelled out.
        """
        spelled = {key: value.encode(errors="backslashreplace").decode() for key, value in self.fields.items()}
        return {**spelled, "crc32": _checksum(self.name, spelled)}


# --- messages ---------------------------------------------------------------------------------------------------------


def record_of(message: TrainingMessage | RecordedEvent) -> Record:
    """Return the record of a message."""
    match message:
        case Heard():
            return Record(SENSOR + message.characteristic, "octets", message.received_ns, message.payload)
        case LinkUp():
            return _json_record(LINK, message.received_ns, {"up": True, "longest_write": message.longest_write})
        case LinkDown():
            return _json_record(LINK, message.received_ns, {"up": False})
        case PersonAsked():
            return _json_record(PERSON, message.received_ns, {"command": message.command.value})
        case RecordedEvent():
            return _json_record(EVENTS, message.recorded_ns, message.event)


def message_of(topic: str, time_ns: int, data: bytes) -> TrainingMessage | RecordedEvent | None:
    """Return the message of a record; ``None`` for a topic of another program.

    Raises
    ------
    ValueError, KeyError, TypeError
        If :func:`record_of` writes no such record.
    """
    if topic.startswith(SENSOR):
        return Heard(time_ns, topic.removeprefix(SENSOR), data)
    if topic == LINK:
        link = json.loads(data)
        return LinkUp(time_ns, int(link["longest_write"])) if link["up"] else LinkDown(time_ns)
    if topic == PERSON:
        return PersonAsked(time_ns, PersonCommand(json.loads(data)["command"]))
    if topic == EVENTS:
        return RecordedEvent(time_ns, json.loads(data))
    return None


def _json_record(topic: str, time_ns: int, content: Mapping[str, Any]) -> Record:
    return Record(topic, "json", time_ns, json.dumps(content).encode())


# --- metadata ---------------------------------------------------------------------------------------------------------


def header_fields(header: RecordingHeader) -> dict[str, str]:
    """Return the fields of a header."""
    personal = header.personal
    shifts = {"personal_counting": repr(personal.counting), "personal_hinge": repr(personal.hinge)} if personal else {}
    return {
        "format_version": str(FORMAT_VERSION),
        "sensor_kind": header.sensor_kind,
        "sensor_name": header.sensor_name,
        "sensor_address": header.sensor_address,
        "started_ns": str(header.started_ns),
        "software_version": header.software_version,
        "wished_rate_hz": repr(float(header.wished_rate_hz)),
        **shifts,
    }


def header_of(fields: Mapping[str, str]) -> RecordingHeader:
    """Return the header with these fields; raises ``KeyError`` or ``ValueError`` if they are not a header's."""
    return RecordingHeader(
        fields["sensor_kind"],
        fields["sensor_name"],
        fields["sensor_address"],
        int(fields["started_ns"]),
        fields["software_version"],
        float(fields["wished_rate_hz"]),
        PersonalShift(float(fields.get("personal_counting", 0.0)), float(fields.get("personal_hinge", 0.0))),
    )


def identified_fields(identified: Identified) -> dict[str, str]:
    """Return the fields that identify a sensor."""
    acceleration, angular_velocity = identified.scales
    return {
        "serial": identified.serial,
        "model": identified.model,
        "firmware": identified.firmware,
        "sampling_rate_hz": repr(float(identified.sampling_rate_hz)),
        "acceleration_m_s2_per_count": repr(float(acceleration)),
        "angular_velocity_rad_s_per_count": repr(float(angular_velocity)),
    }


def identified_of(fields: Mapping[str, str]) -> Identified:
    """Return the sensor with these fields; raises ``KeyError`` or ``ValueError`` if they do not identify one."""
    return Identified(
        fields["serial"],
        fields["model"],
        fields["firmware"],
        float(fields["sampling_rate_hz"]),
        (float(fields["acceleration_m_s2_per_count"]), float(fields["angular_velocity_rad_s_per_count"])),
    )


def checked_fields(name: str, fields: Mapping[str, str]) -> dict[str, str] | None:
    """Return the fields without their checksum, or ``None`` if it does not match."""
    rest = {key: value for key, value in fields.items() if key != "crc32"}
    return rest if fields.get("crc32") == _checksum(name, rest) else None


def _checksum(name: str, fields: Mapping[str, str]) -> str:
    return f"{zlib.crc32(json.dumps([name, sorted(fields.items())]).encode()):08x}"


# --- writing ---------------------------------------------------------------------------------------------------------

GATHER_S = 0.25
"""Messages within this time share a chunk. A kill can lose this much; with a shorter time, a recording of 200 packets a
second consists mostly of the chunks' own records."""

SYNC_S = 1.0
"""The file is synced to the disk (fsync) at most this often. A power cut can lose this much. On a slow card a sync
takes tenths of a second. A kill loses nothing that was written, synced or not."""

SUFFIX = ".mcap"

_SENTENCES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "the disk takes no file as large as this",
    errno.EROFS: "the disk may not be written on",
    errno.EACCES: "this folder may not be written in",
    errno.EPERM: "this folder may not be written in",
}


def recording_name(started: datetime, sensor_name: str) -> str:
    """Return a file name that every file system accepts: local date and time, and the sensor's name."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", sensor_name).strip("-")[:40].strip("-")
    return f"{started:%Y-%m-%d_%H-%M-%S}{'_' if words else ''}{words}{SUFFIX}"


class TrainingRecorder:
    """Writes messages, commands and events of one training to a file; see `create`."""

    def __init__(self, path: Path, header: RecordingHeader, file: io.FileIO, gather_s: float) -> None:
        """Begin the recording in a new and empty file."""
        self.path = path
        self._gather_s = gather_s
        self._header = header
        self._queue: queue.SimpleQueue[Record | MetadataRecord | None] = queue.SimpleQueue()
        self._closed = False
        self._stopped = False
        self._error: RecordingNotWritten | None = None
        self._chunks = _ChunkWriter(file)
        self._chunks.begin(header)
        # A daemon: a program that ends without closing the recording must not hang on it.
        self._thread = threading.Thread(target=self._run, name="training recorder", daemon=True)
        self._thread.start()

    @classmethod
    def create(cls, path: Path, header: RecordingHeader, gather_s: float = GATHER_S) -> Self:
        """Begin a recording in a new file; make its folder if it does not exist.

        Raises
        ------
        RecordingNotWritten
            If the file exists already (it is left as it is), or cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("xb", buffering=0)
        except OSError as error:
            if path.exists():
                raise RecordingNotWritten(f"{path} exists already and is not replaced: move it elsewhere") from error
            raise not_begun(path, error) from error
        try:
            return cls(path, header, file, gather_s)
        except OSError as error:
            file.close()
            path.unlink(missing_ok=True)
            raise not_begun(path, error) from error

    def write(self, message: TrainingMessage) -> None:
        """Record a message or a command; call this before decoding it.

        Raises
        ------
        RecordingNotWritten
            Once, if an earlier message could not be written: the disk is full, or gone. After that nothing is recorded
            and nothing is raised; the file on the disk is a sound recording up to there.
        """
        self._put(record_of(message))

    def write_event(self, recorded_ns: int, event: Mapping[str, Any]) -> None:
        """Record an event of the session, as JSON; raises as `write` does."""
        self._put(record_of(RecordedEvent(recorded_ns, event)))

    def write_identified(self, identified: Identified) -> None:
        """Record the identity of the sensor; raises as `write` does."""
        self._put(MetadataRecord(IDENTIFIED, identified_fields(identified)))

    def close(self) -> None:
        """Complete and close the file; waits for the disk.

        Raises
        ------
        RecordingNotWritten
            As `write` does, unless it has raised already.
        """
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._raise_once()

    def _put(self, item: Record | MetadataRecord) -> None:
        if self._closed:
            raise ValueError(f"the recording {self.path} is closed")
        self._raise_once()
        if not self._stopped:
            self._queue.put(item)

    def _raise_once(self) -> None:
        """Raise the error of the thread, once."""
        error, self._error = self._error, None
        if error:
            raise error

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._chunks.ended:
                self._write_next_chunk()
        except OSError as error:
            reason = _reason(error)
            self._error = RecordingNotWritten(
                f"the training goes on, but is no longer recorded ({reason}): make room or choose another disk "
                f"before the next one; the recording until now is in {self.path}"
            )
            self._error.__cause__ = error
        finally:
            self._stopped = True
            self._chunks.close()

    def _write_next_chunk(self) -> None:
        """Wait for the next message and for those within the gather time; write them as one chunk."""
        try:
            item = self._queue.get(timeout=self._chunks.sync_due_s)
        except queue.Empty:
            self._chunks.sync()
            return
        chunk_ends_s = time.monotonic() + self._gather_s
        while item is not None:
            self._chunks.add(item)
            try:
                item = self._queue.get(timeout=max(0.0, chunk_ends_s - time.monotonic()))
            except queue.Empty:
                break
        else:
            self._chunks.end(self._header)
        self._chunks.save()


class _ChunkWriter:
    """Records -> bytes of an MCAP file; each chunk reaches the disk whole or not at all."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._held = bytearray()
        self._saved_bytes = 0
        self._synced_bytes = 0
        self._synced_s = 0.0
        self._channels: dict[str, int] = {}
        self._messages = 0
        self.ended = False
        # For the writer this object is the stream, which holds all bytes until `save`. No compression: packed samples
        # hardly shrink, and damage to one byte stays damage to one byte.
        self._writer = Writer(
            self,  # type: ignore[arg-type]  # it calls write, tell and flush only
            chunk_size=2**31,
            compression=CompressionType.NONE,
            index_types=IndexType.ALL,
        )

    # --- the stream of the writer -----------------------------------------------------------------------------

    def write(self, data: bytes) -> int:
        """Hold the bytes until `save`."""
        self._held += data
        return len(data)

    def tell(self) -> int:
        """Return the length of the file after `save`."""
        return self._saved_bytes + len(self._held)

    def flush(self) -> None:
        """Do nothing: `save` writes the bytes."""

    # --- records ----------------------------------------------------------------------------------------------

    def begin(self, header: RecordingHeader) -> None:
        """Write the start of the file."""
        self._writer.start(PROFILE, f"{PROFILE} {header.software_version}")
        self._add_metadata(MetadataRecord(HEADER, header_fields(header)))
        self.save()
        self.sync()

    def add(self, item: Record | MetadataRecord) -> None:
        """Add a record to the chunk."""
        if isinstance(item, MetadataRecord):
            self._add_metadata(item)
            return
        if item.topic not in self._channels:
            self._channels[item.topic] = self._writer.register_channel(item.topic, item.encoding, schema_id=0)
        # One count over all channels, which shows a reader which messages are missing.
        channel, number = self._channels[item.topic], self._messages
        self._writer.add_message(channel, item.time_ns, item.data, publish_time=item.time_ns, sequence=number)
        self._messages += 1

    def end(self, header: RecordingHeader) -> None:
        """Write the index and repeat the header, so that a file with a damaged start stays readable."""
        self._writer.flush()  # type: ignore[no-untyped-call]
        self._add_metadata(MetadataRecord(HEADER, header_fields(header)))
        channels = {f"channel {number}": topic for topic, number in self._channels.items()}
        self._add_metadata(MetadataRecord(END, {"messages": str(self._messages), **channels}))
        self._writer.finish()  # type: ignore[no-untyped-call]
        self.ended = True

    def save(self) -> None:
        """Write the held bytes to the disk; on an error the file stays as the last `save` left it."""
        self._writer.flush()  # type: ignore[no-untyped-call]
        rest = memoryview(bytes(self._held))
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):  # half a chunk stays then, and a reader skips it
                self._file.truncate(self._saved_bytes)
            raise
        self._saved_bytes += len(self._held)
        self._held.clear()
        if self.sync_due_s == 0.0 or self.ended:
            self.sync()

    @property
    def sync_due_s(self) -> float | None:
        """Time until the next sync is due; ``None`` if everything is synced."""
        if self._synced_bytes == self._saved_bytes:
            return None
        return max(0.0, self._synced_s + SYNC_S - time.monotonic())

    def sync(self) -> None:
        """Sync the file to the disk."""
        os.fsync(self._file.fileno())
        self._synced_bytes = self._saved_bytes
        self._synced_s = time.monotonic()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _add_metadata(self, record: MetadataRecord) -> None:
        self._writer.add_metadata(record.name, record.with_checksum())


def not_begun(path: Path, error: OSError) -> RecordingNotWritten:
    """Return the error of a recording that cannot be begun at a path."""
    return RecordingNotWritten(
        f"the training cannot be recorded in {path} ({_reason(error)}): {way_out(error)}, or name another IMU_HOME"
    )


def _reason(error: OSError) -> str:
    """Return why the disk cannot be written, in words."""
    return _SENTENCES.get(error.errno or 0, f"the disk does not take it: {error.strerror or error}")
