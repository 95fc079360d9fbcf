"""What stands in a recording of a training, and how it is spelled: messages and wishes <-> records of an MCAP file.

MCAP (https://mcap.dev/spec) is a container of time-stamped messages in chunks with a checksum each; other programs open
it too. What the sensor said stands in it as it was received, before anyone has made sense of it. This module refuses to
know files and disks: :mod:`imu.recordings.training_recorder` writes, :mod:`imu.recordings.training_recording` reads.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imu.commands import PersonAsked, PersonCommand
from imu.motion.personal import PersonalShift
from imu.sensors.conversation import Heard, Identified, LinkDown, LinkUp, Message

PROFILE = "imu-training"
"""What the MCAP file says it is."""

FORMAT_VERSION = 1
"""Raised when a recording can no longer be read by an older program."""

LATEST_NS = 2**64 - 1
"""The latest time that an MCAP record can bear."""

HEADER, IDENTIFIED, END = "recording", "identified", "end"
"""Names of the metadata records: how it began, which sensor it was, and that it was ended in good order."""

LINK, PERSON, EVENTS, SENSOR = "link", "person", "events", "sensor/"
"""Topics of the channels; after the last comes the UUID of the characteristic."""

TrainingMessage = Message | PersonAsked
"""What a training is made of, in the order in which it came."""


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """What is known when a recording begins.

    Attributes
    ----------
    sensor_kind : str
        Name of the :class:`imu.sensors.conversation.SensorKind` whose driver understands the messages.
    sensor_name, sensor_address : str
        As advertised; on macOS the address means something on that computer only.
    started_ns : int
        When, in nanoseconds since 1970.
    software_version : str
        Of the program that records.
    wished_rate_hz : float
        The sampling rate that the driver was told to wish for.
    personal : PersonalShift
        What was known of the person: a replay judges with the same.
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
    """Something that came of the messages, written for other programs; a replay makes its own."""

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
class Told:
    """A metadata record: what is told once, not received."""

    name: str
    fields: Mapping[str, str]

    def sealed(self) -> dict[str, str]:
        """Return the fields with a checksum: MCAP has one for messages, but none for metadata.

        What a sensor sent as text may hold what UTF-8 cannot (half a surrogate pair): it is spelled out.
        """
        spelled = {key: value.encode(errors="backslashreplace").decode() for key, value in self.fields.items()}
        return {**spelled, "crc32": _checksum(self.name, spelled)}


# --- messages ---------------------------------------------------------------------------------------------------------


def record_of(message: TrainingMessage | RecordedEvent) -> Record:
    """Return how the message is written."""
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
    """Return what was written; ``None`` for a topic that is not ours.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is none of what :func:`record_of` writes.
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
    """Return how the header is written."""
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
    """Return what :func:`header_fields` has written; raises ``KeyError`` or ``ValueError`` on anything else."""
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
    """Return how it is written which sensor this is."""
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
    """Return what :func:`identified_fields` has written; raises ``KeyError`` or ``ValueError`` on anything else."""
    return Identified(
        fields["serial"],
        fields["model"],
        fields["firmware"],
        float(fields["sampling_rate_hz"]),
        (float(fields["acceleration_m_s2_per_count"]), float(fields["angular_velocity_rad_s_per_count"])),
    )


def unsealed(name: str, fields: Mapping[str, str]) -> dict[str, str] | None:
    """Return the fields as :meth:`Told.sealed` was given them, or ``None`` if they are damaged or not ours."""
    rest = {key: value for key, value in fields.items() if key != "crc32"}
    return rest if fields.get("crc32") == _checksum(name, rest) else None


def _checksum(name: str, fields: Mapping[str, str]) -> str:
    return f"{zlib.crc32(json.dumps([name, sorted(fields.items())]).encode()):08x}"
