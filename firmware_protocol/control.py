"""Control: requests of the host, answers of the sensor.

A request is ``[op][request id][fields]``, its answer ``[op | 0x80][request id][status][fields]`` with the values that
now hold, which need not be those asked for. This module refuses to know what the sensor does about a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from firmware_protocol.layout import Undecodable, check_range
from firmware_protocol.records import rate_from_dhz, rate_to_dhz


class Tag(IntEnum):
    """Fields of requests and answers."""

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
    """Fields of a request or an answer; ``None`` for those that are not there.

    Attributes
    ----------
    epoch : int or None
        As in a packet; u8.
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
        """Check that the values fit into their fields, and round the rate to what goes over the air."""
        if self.nominal_rate_hz is not None:
            object.__setattr__(self, "nominal_rate_hz", rate_from_dhz(rate_to_dhz(self.nominal_rate_hz)))
        for tag, name in _NAMES.items():
            value = getattr(self, name)
            if value is not None:
                check_range(name, value, 8 * FIELD_SIZES[tag])


def encode_fields(fields: Fields) -> bytes:
    """Return the bytes of the fields that are there."""
    parts = ((tag, FIELD_SIZES[tag], value) for tag, value in _present(fields))
    return b"".join(bytes((tag, size)) + value.to_bytes(size, "little") for tag, size, value in parts)


def _present(fields: Fields) -> Iterator[tuple[Tag, int]]:
    """Give the fields that are there, in the order of their tags."""
    for tag in Tag:
        if tag is Tag.NOMINAL_RATE:
            if fields.nominal_rate_hz is not None:
                yield tag, rate_to_dhz(fields.nominal_rate_hz)
        elif (value := getattr(fields, _NAMES[tag])) is not None:
            yield tag, value


def decode_fields(payload: bytes, start: int) -> Fields | Undecodable:
    """Return the fields from `start` on; unknown tags are passed over, of a repeated one the last counts."""
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
    """What a host can ask for."""

    SET_CONFIG = 1
    """`nominal_rate_hz`, perhaps ranges. A new epoch begins; the answer holds the nearest that the chip can do."""
    START = 2
    """Measure and stream. A new epoch begins, unless samples are being measured already."""
    STOP = 3
    """Stop measuring. What is in the buffer can still be resent until the next epoch."""
    RESEND = 4
    """`first_index`, `count` and perhaps `epoch`. The answer holds what there still is of it."""
    IDENTIFY = 5
    """Blink."""
    MARK = 6
    """The answer holds the index and the time of the newest sample."""
    SET_TIME = 7
    """`host_time_us`, kept with the device time at which it came; no clock is stepped."""
    SLEEP = 8
    """Hang up and switch off until moved."""


class AnswerStatus(IntEnum):
    """How a request ended. A host takes a status that it does not know for a refusal."""

    OK = 0
    UNKNOWN_OP = 1
    """This firmware does not know the op."""
    MISSING_FIELD = 2
    """A field that the op needs is not there, or the fields cannot be decoded."""
    OUT_OF_RANGE = 3
    """A value that cannot be had, nor anything near it."""
    BUSY = 4
    """A resend is going on; ask again after its end."""
    NOT_AVAILABLE = 5
    """Nothing of what should be resent is kept any more, or it is of another epoch."""
    NOT_RUNNING = 6
    """It makes sense only while samples are measured."""
    SENSOR_FAILED = 7
    """The motion chip did not do as told."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a host asks for.

    Attributes
    ----------
    op : int
        An :class:`Op`, or a number below 128 that is not known here.
    request_id : int
        Comes back in the answer; u8.
    fields : Fields
        What exactly.
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
        """Return the bytes of a self."""
        return bytes((self.op, self.request_id)) + encode_fields(self.fields)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sensor answers.

    Attributes
    ----------
    op : int
        The request's, without the answer bit.
    request_id : int
        The request's; u8.
    status : int
        An :class:`AnswerStatus`, or a number that is not known here: then a refusal.
    fields : Fields
        The values that now hold.
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
        """Return the bytes of an self."""
        return bytes((self.op | ANSWER_BIT, self.request_id, self.status)) + encode_fields(self.fields)


_OPS: Final[dict[int, Op]] = {op.value: op for op in Op}
_STATUSES: Final[dict[int, AnswerStatus]] = {status.value: status for status in AnswerStatus}


def set_config(rate_hz: float, request_id: int = 0) -> Request:
    """Ask for a nominal sampling rate in Hz."""
    return Request(Op.SET_CONFIG, request_id, Fields(nominal_rate_hz=rate_hz))


def start(request_id: int = 0) -> Request:
    """Ask for samples."""
    return Request(Op.START, request_id)


def stop(request_id: int = 0) -> Request:
    """Ask for no more samples."""
    return Request(Op.STOP, request_id)


def resend(first_index: int, count: int, epoch: int | None = None, request_id: int = 0) -> Request:
    """Ask for `count` samples from `first_index` on, to come on Backfill; with `epoch`, only if it still is."""
    return Request(Op.RESEND, request_id, Fields(first_index=first_index, count=count, epoch=epoch))


def identify(request_id: int = 0) -> Request:
    """Ask for a blink."""
    return Request(Op.IDENTIFY, request_id)


def mark(request_id: int = 0) -> Request:
    """Ask which sample is the newest."""
    return Request(Op.MARK, request_id)


def set_time(host_time_us: int, request_id: int = 0) -> Request:
    """Tell the time in µs since 1970."""
    return Request(Op.SET_TIME, request_id, Fields(host_time_us=host_time_us))


def sleep(request_id: int = 0) -> Request:
    """Ask the sensor to switch off."""
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
