"""Control: requests of the host, answers of the sensor.

A request is ``[op][request id][fields]``, its answer ``[op | 0x80][request id][status][fields]`` with the values that
now hold, which need not be those asked for. This module refuses to know what the sensor does about a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from firmware_protocol.fields import Fields, decode_fields, encode_fields
from firmware_protocol.layout import Undecodable, check_range

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


def encode_request(request: Request) -> bytes:
    """Return the bytes of a request."""
    return bytes((request.op, request.request_id)) + encode_fields(request.fields)


def encode_answer(answer: Answer) -> bytes:
    """Return the bytes of an answer."""
    return bytes((answer.op | ANSWER_BIT, answer.request_id, answer.status)) + encode_fields(answer.fields)


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
