"""The bytes of Polar's measurement data service (PMD): settings, answers and the frames of samples.

Bytes: polarofficial/polar-ble-sdk, technical_documentation/online_measurement.pdf. Refuses to know which sensor this
is, and when to say what (:mod:`imu.sensors.polar`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from imu.samples import Array

SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL_POINT = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

FEATURES, ANSWER, STOPPED_ITSELF = 0x0F, 0xF0, 0x01  # first byte of what the control point says
COMPRESSED = 0x80
MOST_SAMPLES = 500
"""In one frame of at most 250 bytes; a measured signal always has noise, so no frame comes near it."""


class Op(IntEnum):
    """What to do."""

    SETTINGS = 1
    START = 2
    STOP = 3


class Measurement(IntEnum):
    """What is measured; SDK mode is switched like one, and offers more rates and ranges."""

    ACCELERATION = 2
    ANGULAR_VELOCITY = 5
    SDK_MODE = 9


class Setting(IntEnum):
    """Of a measurement."""

    RATE_HZ = 0
    RESOLUTION_BITS = 1
    RANGE = 2
    """In g or °/s."""
    RANGE_MILLI_UNIT = 3
    CHANNELS = 4
    FACTOR = 5
    SECURITY = 6


class Status(IntEnum):
    """How a command went; only what is acted on."""

    SUCCESS = 0
    ALREADY_IN_STATE = 6
    IN_CHARGER = 13


_SETTING_FORMATS = {
    Setting.RATE_HZ: "<H",
    Setting.RESOLUTION_BITS: "<H",
    Setting.RANGE: "<H",
    Setting.RANGE_MILLI_UNIT: "<i",
    Setting.CHANNELS: "<B",
    Setting.FACTOR: "<f",
    Setting.SECURITY: "<16s",
}
Settings = dict[Setting, tuple[float, ...]]


def command(op: Op, measurement: Measurement, settings: Mapping[Setting, int] | None = None) -> bytes:
    """Return a command for the control point."""
    chosen = (bytes((kind, 1)) + struct.pack(_SETTING_FORMATS[kind], n) for kind, n in (settings or {}).items())
    return bytes((op, measurement)) + b"".join(chosen)


def decode_settings(payload: bytes) -> Settings | None:
    """Return the values on offer for each setting; ``None`` for bytes that are no settings."""
    settings: Settings = {}
    at = 0
    while at < len(payload):
        if len(payload) < at + 2 or payload[at] not in _SETTING_FORMATS:
            return None
        kind, count = Setting(payload[at]), payload[at + 1]
        one = struct.calcsize(_SETTING_FORMATS[kind])
        at += 2
        if len(payload) < at + count * one:
            return None
        values = (struct.unpack_from(_SETTING_FORMATS[kind], payload, at + i * one)[0] for i in range(count))
        if kind is not Setting.SECURITY:
            settings[kind] = tuple(values)
        at += count * one
    return settings


def decode_features(payload: bytes) -> frozenset[int] | None:
    """Return the numbers of what the sensor measures, from the control point when read; ``None`` for other bytes."""
    if len(payload) < 2 or payload[0] != FEATURES:
        return None
    bits = int.from_bytes(payload[1:], "little")
    return frozenset(bit for bit in range(8 * (len(payload) - 1)) if bits >> bit & 1)


def decode_stopped(payload: bytes) -> tuple[int, ...] | None:
    """Return what the sensor has stopped measuring by itself; ``None`` for other bytes."""
    return tuple(payload[1:]) if payload[:1] == bytes((STOPPED_ITSELF,)) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command went."""

    op: int
    measurement: int
    status: int
    has_more: bool = False
    """Whether the parameters go on in the next indication."""
    parameters: bytes = b""


def decode_answer(payload: bytes) -> Answer | None:
    """Return the answer to a command; ``None`` for other bytes."""
    if len(payload) < 4 or payload[0] != ANSWER:
        return None
    has_more = payload[3] == Status.SUCCESS and payload[4:5] not in (b"", b"\0")
    return Answer(payload[1], payload[2], payload[3], has_more, bytes(payload[5:]))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Samples of one measurement.

    Attributes
    ----------
    measurement : Measurement
        Acceleration or angular velocity.
    stamp_ns : int
        Time of the last sample: nanoseconds since 2000 by a clock that nobody may ever have set.
    values : (n, 3) array
        In thousandths of g or °/s.
    unit : float
        Size of one count in that unit.
    """

    measurement: Measurement
    stamp_ns: int
    values: Array
    unit: float


def decode_frame(payload: bytes, factor: float = 1.0) -> Frame | None:
    """Return the samples of a frame; ``None`` for bytes that are none, or of a kind not known.

    Parameters
    ----------
    payload : bytes
        A notification.
    factor : float
        As told in the answer to the start of this measurement.
    """
    measurement = payload[0] & 0x3F if payload else 0
    if len(payload) <= 10 or measurement not in (Measurement.ACCELERATION, Measurement.ANGULAR_VELOCITY):
        return None
    stamp_ns, kind = struct.unpack_from("<QB", payload, 1)
    is_acceleration = measurement == Measurement.ACCELERATION
    decoded = (_acceleration if is_acceleration else _angular_velocity)(kind, payload[10:], factor)
    if decoded is None or not 0 < len(decoded[0]) <= MOST_SAMPLES:
        return None
    return Frame(Measurement(measurement), stamp_ns, *decoded)


def _acceleration(kind: int, data: bytes, factor: float) -> tuple[Array, float] | None:
    """Return values in thousandths of g and the size of a count."""
    if kind & COMPRESSED:
        unit = {0: factor * 1000.0, 1: factor}.get(kind & 0x7F)
        counts = delta_samples(data, 3, 16)
    else:
        unit = 1.0 if kind <= 2 else None
        counts = _raw_samples(data, kind + 1)
    return None if unit is None or counts is None else (counts.astype(np.float64) * unit, unit)


def _angular_velocity(kind: int, data: bytes, factor: float) -> tuple[Array, float] | None:
    """Return values in °/s and the size of a count."""
    if kind == COMPRESSED:
        counts = delta_samples(data, 3, 16)
        return None if counts is None else (counts.astype(np.float64) * factor, factor)
    if kind == COMPRESSED | 1:  # differences of the bit patterns of floats
        patterns = delta_samples(data, 3, 32)
        if patterns is None:
            return None
        with np.errstate(invalid="ignore", over="ignore"):
            floats = (patterns & 0xFFFFFFFF).astype(np.uint32).view(np.float32)
            return floats.astype(np.float64) * factor, 1.0
    return None


def _raw_samples(data: bytes, width: int) -> NDArray[np.int64] | None:
    """Return little-endian signed integers of `width` bytes as rows of three."""
    if len(data) % (3 * width):
        return None
    values = [int.from_bytes(data[i : i + width], "little", signed=True) for i in range(0, len(data), width)]
    return np.array(values, dtype=np.int64).reshape(-1, 3)


def delta_samples(data: bytes, channels: int, bits: int) -> NDArray[np.int64] | None:
    """Return the counts of a compressed frame, (n, channels); ``None`` if the bytes do not add up.

    A first sample of `bits` each, then blocks of differences from sample to sample: width in bits, count, and the
    differences one after another, the lowest bit of each byte first.
    """
    at = channels * bits // 8
    first = [int.from_bytes(data[i : i + bits // 8], "little", signed=True) for i in range(0, at, bits // 8)]
    if len(data) < at:
        return None
    parts = [np.array([first], dtype=np.int64)]
    while at < len(data):
        if len(data) < at + 2 or data[at] > bits:
            return None
        width, count = data[at], data[at + 1]
        size = -(-count * channels * width // 8)
        at += 2
        if len(data) < at + size:
            return None
        parts.append(_signed_fields(data[at : at + size], width, count * channels).reshape(count, channels))
        at += size
    return np.cumsum(np.concatenate(parts), axis=0)


def _signed_fields(data: bytes, width: int, count: int) -> NDArray[np.int64]:
    """Return `count` signed integers of `width` bits each."""
    if not width:
        return np.zeros(count, dtype=np.int64)
    stream = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: count * width]
    fields = stream.reshape(count, width).astype(np.int64) @ (1 << np.arange(width, dtype=np.int64))
    return np.asarray(np.where(fields >> (width - 1), fields - (1 << width), fields))
