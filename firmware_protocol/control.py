"""Control: requests of the host, answers of the sensor, and their fields.

A request is ``[op][request id][fields]``, its answer ``[op | 0x80][request id][status][fields]`` with the values now in
force, which may differ from the requested ones. A field is ``[tag][length][value]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from firmware_protocol.layout import Undecodable, check_range
from firmware_protocol.records import rate_from_dhz, rate_to_dhz


class Tag(IntEnum):
    """Field of a request or an answer."""

    EPOCH = 1
    NOMINAL_RATE = 2
    ACCELERATION_RANGE = 3
    ANGULAR_VELOCITY_RANGE = 4
    FIRST_INDEX = 5
    COUNT = 6
    DEVICE_TIME = 7
    HOST_TIME = 8


FIELD_SIZES: Final = {
    Tag.EPOCH: 1,
    Tag.NOMINAL_RATE: 2,
    Tag.ACCELERATION_RANGE: 2,
    Tag.ANGULAR_VELOCITY_RANGE: 2,
    Tag.FIRST_INDEX: 4,
    Tag.COUNT: 4,
    Tag.DEVICE_TIME: 6,
    Tag.HOST_TIME: 8,
}
"""Bytes of each field's value, an unsigned little-endian number."""

_TAGS: Final[dict[int, Tag]] = {tag.value: tag for tag in Tag}

_NAMES: Final = {
    Tag.EPOCH: "epoch",
    Tag.ACCELERATION_RANGE: "acceleration_range_g",
    Tag.ANGULAR_VELOCITY_RANGE: "angular_velocity_range_dps",
    Tag.FIRST_INDEX: "first_index",
    Tag.COUNT: "count",
    Tag.DEVICE_TIME: "device_time_us",
    Tag.HOST_TIME: "host_time_us",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of a request or an answer; ``None`` for a missing field.

    Attributes
    ----------
    epoch : int or None
        Epoch as in a packet; u8.
    nominal_rate_hz : float or None
        Hz, rounded to 0.1 Hz; u16.
    acceleration_range_g : int or None
        Full scale, g; u16.
    angular_velocity_range_dps : int or None
        Full scale, degrees per second; u16.
    first_index : int or None
        Index of a sample; u32.
    count : int or None
        Number of samples; u32.
    device_time_us : int or None
        Time on the sensor's clock, µs; u48.
    host_time_us : int or None
        µs since 1970; u64.
    """

    epoch: int | None = None
    nominal_rate_hz: float | None = None
    acceleration_range_g: int | None = None
    angular_velocity_range_dps: int | None = None
    first_index: int | None = None
    count: int | None = None
    device_time_us: int | None = None
    host_time_us: int | None = None

    def __post_init__(self) -> None:
        """Check that the values fit; round the rate as it is sent."""
        if self.nominal_rate_hz is not None:
            object.__setattr__(self, "nominal_rate_hz", rate_from_dhz(rate_to_dhz(self.nominal_rate_hz)))
        for tag, name in _NAMES.items():
            value = getattr(self, name)
            if value is not None:
                check_range(name, value, 8 * FIELD_SIZES[tag])


def encode_fields(fields: Fields) -> bytes:
    """Return the bytes of the fields."""
    parts = ((tag, FIELD_SIZES[tag], value) for tag, value in _present(fields))
    return b"".join(bytes((tag, size)) + value.to_bytes(size, "little") for tag, size, value in parts)


def _present(fields: Fields) -> Iterator[tuple[Tag, int]]:
    """Yield the present fields in the order of their tags."""
    for tag in Tag:
        if tag is Tag.NOMINAL_RATE:
            if fields.nominal_rate_hz is not None:
                yield tag, rate_to_dhz(fields.nominal_rate_hz)
        elif (value := getattr(fields, _NAMES[tag])) is not None:
            yield tag, value


def decode_fields(payload: bytes, start: int) -> Fields | Undecodable:
    """Return the fields from `start` on.

    Unknown tags are skipped; the last of several fields with one tag counts.
    """
    values: dict[str, int | float] = {}
    at = start
    while at < len(payload):
        if at + 2 > len(payload) or at + 2 + payload[at + 1] > len(payload):
            return Undecodable("a field is cut off", len(payload))
        tag, size = _TAGS.get(payload[at]), payload[at + 1]
        value = payload[at + 2 : at + 2 + size]
        at += 2 + size
        if tag is None:
            continue
        if size < FIELD_SIZES[tag]:
            return Undecodable(f"a field is too short: {tag.value}", len(payload))
        number = int.from_bytes(value[: FIELD_SIZES[tag]], "little")
        if tag is not Tag.NOMINAL_RATE:
            values[_NAMES[tag]] = number
        elif number == 0:
            return Undecodable("not a positive number", len(payload))
        else:
            values["nominal_rate_hz"] = rate_from_dhz(number)
    return Fields(**values)  # type: ignore[arg-type]  # integers but for the rate


ANSWER_BIT: Final = 0x80
NO_FIELDS: Final = Fields()


class Op(IntEnum):
    """Operation that a host can request."""

    SET_CONFIG = 1
    """`nominal_rate_hz` and optional ranges. A new epoch begins; the answer holds the chip's nearest values."""
    START = 2
    """Measure and stream. A new epoch begins, unless the sensor measures already."""
    STOP = 3
    """Stop measuring. Buffered samples can still be resent until the next epoch."""
    RESEND = 4
    """`first_index`, `count` and optionally `epoch`. The answer holds the range that is still kept."""
    IDENTIFY = 5
    """Blink."""
    MARK = 6
    """The answer holds the index and the time of the newest sample."""
    SET_TIME = 7
    """`host_time_us`, kept with the device time of its arrival; no clock changes."""
    SLEEP = 8
    """Disconnect and switch off until moved."""


class AnswerStatus(IntEnum):
    """Result of a request. A host treats an unknown status as a refusal."""

    OK = 0
    UNKNOWN_OP = 1
    """This firmware does not support the op."""
    MISSING_FIELD = 2
    """A required field is missing, or the fields cannot be decoded."""
    OUT_OF_RANGE = 3
    """Neither the value nor one near it is available."""
    BUSY = 4
    """A resend is in progress; ask again after its end."""
    NOT_AVAILABLE = 5
    """No sample of the range is kept, or the epoch is another one."""
    NOT_RUNNING = 6
    """The request needs a sensor that measures."""
    SENSOR_FAILED = 7
    """The motion chip did not respond correctly."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a host.

    Attributes
    ----------
    op : int
        An :class:`Op`, or an unknown number below 128.
    request_id : int
        Number that the answer repeats; u8.
    fields : Fields
        Arguments.
    """

    op: int
    request_id: int = 0
    fields: Fields = NO_FIELDS

    def __post_init__(self) -> None:
        """Check that the values fit into their fields."""
        object.__setattr__(self, "op", _OPS.get(self.op, self.op))
        check_range("op", self.op, 7)
        check_range("request_id", self.request_id, 8)

    def encode(self) -> bytes:
        """Return the bytes of the request."""
        return bytes((self.op, self.request_id)) + encode_fields(self.fields)


@dataclass(frozen=True, slots=True)
class Answer:
    """The sensor's answer.

    Attributes
    ----------
    op : int
        The request's, without the answer bit.
    request_id : int
        The request's; u8.
    status : int
        An :class:`AnswerStatus`, or an unknown number, which is a refusal.
    fields : Fields
        The values now in force.
    """

    op: int
    request_id: int
    status: int
    fields: Fields = NO_FIELDS

    def __post_init__(self) -> None:
        """Check that the values fit into their fields."""
        object.__setattr__(self, "op", _OPS.get(self.op, self.op))
        object.__setattr__(self, "status", _STATUSES.get(self.status, self.status))
        check_range("op", self.op, 7)
        check_range("request_id", self.request_id, 8)
        check_range("status", self.status, 8)

    def encode(self) -> bytes:
        """Return the bytes of the answer."""
        return bytes((self.op | ANSWER_BIT, self.request_id, self.status)) + encode_fields(self.fields)


_OPS: Final[dict[int, Op]] = {op.value: op for op in Op}
_STATUSES: Final[dict[int, AnswerStatus]] = {status.value: status for status in AnswerStatus}


def set_config(rate_hz: float, request_id: int = 0) -> Request:
    """Request a nominal sampling rate in Hz."""
    return Request(Op.SET_CONFIG, request_id, Fields(nominal_rate_hz=rate_hz))


def start(request_id: int = 0) -> Request:
    """Request samples."""
    return Request(Op.START, request_id)


def stop(request_id: int = 0) -> Request:
    """Request the end of the samples."""
    return Request(Op.STOP, request_id)


def resend(first_index: int, count: int, epoch: int | None = None, request_id: int = 0) -> Request:
    """Request `count` samples from `first_index` on, sent on Backfill.

    With `epoch`, the sensor sends them only if it is the present one.
    """
    return Request(Op.RESEND, request_id, Fields(first_index=first_index, count=count, epoch=epoch))


def identify(request_id: int = 0) -> Request:
    """Request a blink."""
    return Request(Op.IDENTIFY, request_id)


def mark(request_id: int = 0) -> Request:
    """Request index and time of the newest sample."""
    return Request(Op.MARK, request_id)


def set_time(host_time_us: int, request_id: int = 0) -> Request:
    """Send the time in µs since 1970."""
    return Request(Op.SET_TIME, request_id, Fields(host_time_us=host_time_us))


def sleep(request_id: int = 0) -> Request:
    """Request the sensor to switch off."""
    return Request(Op.SLEEP, request_id)


def decode_request(payload: bytes) -> Request | Undecodable:
    """Return the request in `payload`."""
    if len(payload) < 2:
        return Undecodable("too short", len(payload))
    if payload[0] & ANSWER_BIT:
        return Undecodable("an answer, not a request", len(payload))
    fields = decode_fields(payload, 2)
    return fields if isinstance(fields, Undecodable) else Request(payload[0], payload[1], fields)


def decode_answer(payload: bytes) -> Answer | Undecodable:
    """Return the answer in `payload`."""
    if len(payload) < 3:
        return Undecodable("too short", len(payload))
    if not payload[0] & ANSWER_BIT:
        return Undecodable("a request, not an answer", len(payload))
    fields = decode_fields(payload, 3)
    if isinstance(fields, Undecodable):
        return fields
    return Answer(payload[0] & ~ANSWER_BIT, payload[1], payload[2], fields)
