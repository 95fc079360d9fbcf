"""Polar Verity Sense: acceleration and angular velocity as two streams.

PMD is Polar's measurement data service. Rates above 60 Hz need the sensor's SDK mode, which is switched off at the end.
Each stream has its own frames and stamps (of the last sample, in nanoseconds); rows come at the times of the
acceleration. Samples are not numbered: a loss shows as a step in time.

Bytes: polarofficial/polar-ble-sdk, technical_documentation/online_measurement.pdf.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from imu.samples import Array
from imu.sensors.clocks import Fate, PacketClock, StampFormat
from imu.sensors.conversation import Action, Advertisement, Heard, Notice, Read, Refused, SamplesLost, Subscribe, Write
from imu.sensors.driver import (
    BEYOND_RANGE,
    M_S2_PER_G,
    RAD_S_PER_DPS,
    Connection,
    Result,
    Samples,
    is_possible_acceleration,
    is_possible_angular_velocity,
    malformed,
    streaming_kind,
)
from imu.sensors.sample_order import TwoStreams

SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL_POINT = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

FEATURES, ANSWER, STOPPED_ITSELF = 0x0F, 0xF0, 0x01  # first byte of a message of the control point
COMPRESSED = 0x80
MOST_SAMPLES = 500
"""Most samples in one frame of at most 250 bytes; a measured signal has noise, so that no real frame comes near it."""


class Op(IntEnum):
    """Operation of a command."""

    SETTINGS = 1
    START = 2
    STOP = 3


class Measurement(IntEnum):
    """Stream of the service; SDK mode is switched like a stream, and offers more rates and ranges."""

    ACCELERATION = 2
    ANGULAR_VELOCITY = 5
    SDK_MODE = 9


class Setting(IntEnum):
    """Setting of a stream."""

    RATE_HZ = 0
    RESOLUTION_BITS = 1
    RANGE = 2
    """Full scale in g or °/s."""
    RANGE_MILLI_UNIT = 3
    CHANNELS = 4
    FACTOR = 5
    SECURITY = 6


class Status(IntEnum):
    """Result of a command; only the values with an effect here."""

    SUCCESS = 0
    ALREADY_IN_STATE = 6
    IN_CHARGER = 13


_SETTING_FORMATS = dict(zip(Setting, ("<H", "<H", "<H", "<i", "<B", "<f", "<16s"), strict=True))
Settings = dict[Setting, tuple[float, ...]]


def command(op: Op, measurement: Measurement, settings: Mapping[Setting, int] | None = None) -> bytes:
    """Return a command for the control point."""
    fields = (bytes((kind, 1)) + struct.pack(_SETTING_FORMATS[kind], n) for kind, n in (settings or {}).items())
    return bytes((op, measurement)) + b"".join(fields)


def decode_settings(payload: bytes) -> Settings | None:
    """Return the offered values of each setting; ``None`` for bytes in another format."""
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
    """Return the numbers of the sensor's measurements, from reading the control point; ``None`` for other bytes."""
    if len(payload) < 2 or payload[0] != FEATURES:
        return None
    bits = int.from_bytes(payload[1:], "little")
    return frozenset(bit for bit in range(8 * (len(payload) - 1)) if bits >> bit & 1)


def decode_stopped(payload: bytes) -> tuple[int, ...] | None:
    """Return the streams that the sensor stopped on its own; ``None`` for other bytes."""
    return tuple(payload[1:]) if payload[:1] == bytes((STOPPED_ITSELF,)) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a command."""

    op: int
    measurement: int
    status: int
    has_more: bool = False
    """Whether the parameters continue in the next indication."""
    parameters: bytes = b""


def decode_answer(payload: bytes) -> Answer | None:
    """Return the answer to a command; ``None`` for other bytes."""
    if len(payload) < 4 or payload[0] != ANSWER:
        return None
    has_more = payload[3] == Status.SUCCESS and payload[4:5] not in (b"", b"\0")
    return Answer(payload[1], payload[2], payload[3], has_more, bytes(payload[5:]))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Samples of one stream.

    Attributes
    ----------
    measurement : Measurement
        Acceleration or angular velocity.
    stamp_ns : int
        Time of the last sample: nanoseconds since 2000 on the sensor's clock, which may never have been set.
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
    """Return the samples of a frame; ``None`` for other bytes and types.

    Parameters
    ----------
    payload : bytes
        A notification.
    factor : float
        Factor from the answer to the start command of this stream.
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
    patterns = delta_samples(data, 3, 32) if kind == COMPRESSED | 1 else None  # differences of bit patterns of floats
    if patterns is not None:
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
    """Return the counts of a compressed frame, (n, channels); ``None`` if the sizes are inconsistent.

    A frame holds the first sample with `bits` per value, then blocks of differences from sample to sample: width in
    bits, count, and the differences one after another, the lowest bit of each byte first.
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


STAMPS = StampFormat(bits=64, tick_s=1e-9, of_last_sample=True)
STREAMS = (Measurement.ACCELERATION, Measurement.ANGULAR_VELOCITY)
SI = {Measurement.ACCELERATION: 1e-3 * M_S2_PER_G, Measurement.ANGULAR_VELOCITY: RAD_S_PER_DPS}

USUAL_MODE_HZ = 60.0
"""Highest request that the usual mode serves; it has one rate, 52 Hz."""
LEAST_HZ = 20.0
"""Below this rate a fast repetition has too few samples."""
MOST_HZ = 208.0
"""Users report losses at 416 Hz (polar-ble-sdk issues 467, 775)."""
ACCELERATION_RANGE_G = 8.0
"""Hips reach 5 g in a jump; a smaller range has finer counts."""

NO_GYROSCOPE = "This Polar sensor has no gyroscope, which counting needs: use a Polar Verity Sense instead."
IN_CHARGER = "The Polar sensor is in its charger: take it out and connect again."

Setup = Generator[bytes, Answer, None]


class _Unusable(Exception):
    """The sensor cannot be used; the message is the sentence for the person."""


def choose_settings(offered: Settings, wished_rate_hz: float, wished_range: float) -> dict[Setting, int]:
    """Return the settings to request: the lowest sufficient rate, and the wished range or else the widest.

    Raises
    ------
    ValueError
        If no rate or no range is offered.
    """
    rates = [rate for rate in offered.get(Setting.RATE_HZ, ()) if LEAST_HZ <= rate <= MOST_HZ]
    ranges = offered.get(Setting.RANGE, ())
    if not rates or not ranges:
        raise ValueError(f"settings without rate or range: {offered}")
    serving = [rate for rate in rates if rate >= 0.95 * wished_rate_hz]
    settings = {
        Setting.RATE_HZ: int(min(serving, default=max(rates))),
        Setting.RESOLUTION_BITS: int(max(offered.get(Setting.RESOLUTION_BITS, (16,)))),
        Setting.RANGE: int(wished_range if wished_range in ranges else max(ranges)),
    }
    if Setting.CHANNELS in offered:
        settings[Setting.CHANNELS] = int(max(offered[Setting.CHANNELS]))
    return settings


class PolarConnection(Connection):
    """Read the features, start both streams command by command, and join them."""

    def __init__(self, wished_rate_hz: float) -> None:
        self._wished_rate_hz = wished_rate_hz
        self._setup: Setup | None = None
        self._asked = b""  # the command that has not been answered
        self._unfinished: Answer | None = None  # an answer whose parameters go on
        self._factors: dict[Measurement, float] = {}
        self._rates_hz: dict[Measurement, float] = {}
        self._units = dict.fromkeys(STREAMS, 1.0)
        self._clocks: dict[Measurement, PacketClock] = {}
        self._streams: TwoStreams | None = None
        self._is_restarted = False

    @property
    def sampling_rate_hz(self) -> float:
        """Rate of the acceleration."""
        return self._rates_hz.get(Measurement.ACCELERATION, self._wished_rate_hz)

    @property
    def scales(self) -> tuple[float, float]:
        """One count of each stream in SI, from the latest frames."""
        acceleration, angular_velocity = (self._units[each] * SI[each] for each in STREAMS)
        return acceleration, angular_velocity

    def begin(self) -> tuple[Action, ...]:
        """Subscribe to the answers, then read the features."""
        return Subscribe(CONTROL_POINT), Subscribe(DATA), Read(CONTROL_POINT)

    def stop(self) -> tuple[Action, ...]:
        """Stop both streams, which saves battery, and leave SDK mode, in which the sensor gives no heart rate."""
        modes = (*STREAMS, Measurement.SDK_MODE) if self._needs_sdk_mode else STREAMS
        return tuple(Write(CONTROL_POINT, command(Op.STOP, each)) for each in modes)

    def hear(self, heard: Heard) -> Result:
        """Process bytes of the control point or the streams."""
        try:
            if heard.characteristic == DATA:
                return self._hear_frame(heard.payload)
            if heard.characteristic == CONTROL_POINT:
                return self._hear_control_point(heard.payload)
        except _Unusable as unusable:
            return Result(notices=(Refused(str(unusable)),))
        return Result()

    # --- control point ----------------------------------------------------------------------------------------------

    @property
    def _needs_sdk_mode(self) -> bool:
        return self._wished_rate_hz > USUAL_MODE_HZ

    def _hear_control_point(self, payload: bytes) -> Result:
        features = decode_features(payload)
        if features is not None:
            if not features.issuperset(STREAMS):
                raise _Unusable(NO_GYROSCOPE)
            return Result() if self._setup is not None else self._restart_setup()
        if self._unfinished is not None:
            # Newer firmware repeats the five bytes of the header; older firmware sends one byte, "more follows".
            head = 5 if payload[:1] == bytes((ANSWER,)) else 1
            has_more = len(payload) >= head and payload[head - 1] != 0
            parameters = self._unfinished.parameters + payload[head:]
            return self._take_answer(replace(self._unfinished, parameters=parameters, has_more=has_more), payload)
        answer = decode_answer(payload)
        if answer is not None:
            return self._take_answer(answer, payload)
        stopped = decode_stopped(payload)
        if stopped is None:
            return malformed(payload, "no message of the control point")
        return self._restart_setup() if set(stopped) & set(STREAMS) else Result()

    def _take_answer(self, answer: Answer, payload: bytes) -> Result:
        """Continue the setup."""
        self._unfinished = answer if answer.has_more else None
        if answer.has_more:
            return Result()
        if self._setup is None or bytes((answer.op, answer.measurement)) != self._asked[:2]:
            return malformed(payload, "no answer to a request")
        try:
            self._asked = self._setup.send(answer)
        except StopIteration:
            self._asked = b""
            return Result()
        return Result(actions=(Write(CONTROL_POINT, self._asked),))

    def _restart_setup(self) -> Result:
        """Start the setup from the beginning."""
        self._setup = self._set_up()
        self._asked = next(self._setup)
        return Result(actions=(Write(CONTROL_POINT, self._asked),))

    def _set_up(self) -> Setup:
        """Yield commands one after another and receive the answers."""
        for measurement in STREAMS:  # one from an earlier connection may still run and block the switch to SDK mode
            yield command(Op.STOP, measurement)
        if self._needs_sdk_mode:  # firmware before 1.1.5 has no SDK mode and offers 52 Hz, which is accepted
            yield command(Op.START, Measurement.SDK_MODE)
        ranges = {Measurement.ACCELERATION: ACCELERATION_RANGE_G, Measurement.ANGULAR_VELOCITY: 2000.0}
        for measurement in STREAMS:
            answer = yield command(Op.SETTINGS, measurement)
            _require_success(answer)
            offered = decode_settings(answer.parameters) or {}
            try:
                settings = choose_settings(offered, self._wished_rate_hz, ranges[measurement])
            except ValueError as error:
                raise _Unusable("The Polar sensor does not list its sampling rates: update its firmware.") from error
            answer = yield command(Op.START, measurement, settings)
            _require_success(answer)
            self._begin_stream(measurement, settings, decode_settings(answer.parameters) or {})

    def _begin_stream(
        self, measurement: Measurement, settings: Mapping[Setting, int], effective: Mapping[Setting, tuple[float, ...]]
    ) -> None:
        """Store rate and factor of a stream; newer firmware sends no factor, and whole units."""
        self._rates_hz[measurement] = float(settings[Setting.RATE_HZ])
        self._factors[measurement] = factor = effective.get(Setting.FACTOR, (1.0,))[0]
        if not 0 < factor < 10:
            raise _Unusable(f"The Polar sensor sends an impossible factor ({factor}): update its firmware.")
        self._clocks.setdefault(measurement, PacketClock(STAMPS, self._rates_hz[measurement]))
        if measurement is Measurement.ANGULAR_VELOCITY and self._streams is None:
            self._streams = TwoStreams(1.0 / self._rates_hz[measurement])

    # --- streams ----------------------------------------------------------------------------------------------------

    def _hear_frame(self, payload: bytes) -> Result:
        measurement = payload[0] & 0x3F if payload else -1
        factor = next((factor for each, factor in self._factors.items() if each == measurement), None)
        frame = None if factor is None else decode_frame(payload, factor)
        if frame is None:
            return malformed(payload, "no frame of a started stream")
        values = frame.values * SI[frame.measurement]
        is_acceleration = frame.measurement is Measurement.ACCELERATION
        if not (is_possible_acceleration if is_acceleration else is_possible_angular_velocity)(values):
            return malformed(payload, BEYOND_RANGE)
        self._units[frame.measurement] = frame.unit
        placed = self._clocks[frame.measurement].place(frame.stamp_ns, len(values))
        if placed.is_dropped:
            return Result(notices=placed.notices(len(payload)))
        if placed.fate is Fate.RESTARTED:
            self._restart(frame)
        notices = placed.notices(len(payload)) if is_acceleration else ()  # else the rows without it are counted
        return self._joined(frame.measurement, placed.time_s, values, notices)

    def _restart(self, frame: Frame) -> None:
        """Drop waiting samples and reset the other stream's clock: both have stamps from the clock that was reset."""
        for measurement, rate_hz in self._rates_hz.items():
            if measurement is not frame.measurement:
                self._clocks[measurement] = PacketClock(STAMPS, rate_hz)
        gyroscope_hz = self._rates_hz.get(Measurement.ANGULAR_VELOCITY)
        self._streams = None if gyroscope_hz is None else TwoStreams(1.0 / gyroscope_hz)  # perhaps not started yet
        self._is_restarted = True

    def _joined(self, measurement: Measurement, time_s: Array, values: Array, notices: tuple[Notice, ...]) -> Result:
        """Return the rows that both streams cover."""
        if self._streams is None:  # the second stream has not been started
            return Result(notices=notices)
        is_acceleration = measurement is Measurement.ACCELERATION
        push = self._streams.push_acceleration if is_acceleration else self._streams.push_angular_velocity
        joined = push(time_s, values)
        if joined.lost:
            notices = (*notices, SamplesLost(joined.lost))
        if not len(joined.time_s):
            return Result(notices=notices)
        samples = Samples(joined.time_s, joined.acceleration, joined.angular_velocity, self._is_restarted)
        self._is_restarted = False
        return Result((samples,), (), notices)


def _require_success(answer: Answer) -> None:
    if answer.status == Status.IN_CHARGER:
        raise _Unusable(IN_CHARGER)
    if answer.status != Status.SUCCESS:
        raise _Unusable(
            f"The Polar sensor does not start measuring (status {answer.status}): switch it off, on, and connect again."
        )


def recognises(advertisement: Advertisement) -> bool:
    """Return whether the sensor is a Verity Sense."""
    return (advertisement.name or "").startswith("Polar Sense")


POLAR = streaming_kind("polar", "Polar Verity Sense", recognises, lambda rate_hz, _nameplate: PolarConnection(rate_hz))
