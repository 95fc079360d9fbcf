"""Fields of requests and answers: ``[tag][length][value]``. This module refuses to know which request needs which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from firmware_protocol.config import rate_from_dhz, rate_to_dhz
from firmware_protocol.layout import Undecodable, check_range


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
