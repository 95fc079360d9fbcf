"""The format of a training's recording: messages and commands <-> records of an MCAP file.

MCAP (https://mcap.dev/spec) is a container of time-stamped messages in chunks with a checksum each; other programs
open it too. The file holds the sensor's bytes as they were received, before any decoding.
:mod:`imu.recordings.training_recorder` writes it, :mod:`imu.recordings.training_reader` reads it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
