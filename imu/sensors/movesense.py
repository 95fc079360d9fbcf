"""Movesense: the GATT SensorData Protocol (GSP) of firmware 2.3 and later.

One subscription gives acceleration and angular velocity together (IMU6). Packets have a stamp in whole milliseconds,
the time of their first sample; packets longer than the sensor's MTU come in two parts. Samples are not numbered: a loss
shows as a step in time. The ranges cannot be set over this protocol (the sensor uses ±8 g and ±2000 °/s).

Bytes: movesense.com/docs/esw/gatt_sensordata_protocol.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from imu.samples import Array
from imu.sensors.clocks import PacketClock, StampFormat
from imu.sensors.conversation import Action, Advertisement, Heard, Refused, Subscribe, Write
from imu.sensors.driver import (
    RAD_S_PER_DPS,
    Connection,
    Nameplate,
    Result,
    float32_triples,
    malformed,
    stamped,
    streaming_kind,
    text_of,
)

SERVICE = "34802252-7185-4d5d-b431-630e7050e8f0"
COMMANDS = "34800001-7185-4d5d-b431-630e7050e8f0"
NOTIFICATIONS = "34800002-7185-4d5d-b431-630e7050e8f0"

HELLO, SUBSCRIBE, UNSUBSCRIBE = 0, 1, 2  # commands
ANSWER, DATA, DATA_PART2 = 1, 2, 3  # notifications
HELLO_REFERENCE, IMU_REFERENCE = 1, 99

RATES_HZ = (104, 52)
"""Reliable rates, the preferred one first. The vendor's own tool warns above 104 Hz; below 52 Hz a fast repetition has
too few samples."""
STAMPS = StampFormat(bits=32, tick_s=0.001, fitted_packets=30, is_exact=False)  # two to three seconds at 52 and 104 Hz
OUT_OF_REQUESTS = 429
OLD_OUT_OF_STORAGE = 0x01FB
"""Status 507 as old firmware sends it, with its bytes swapped."""
NO_FIRST_PART = "the second part of a packet without the first"
NO_SECOND_PART = "the first part of a packet without the second"


def command(code: int, reference: int, path: str = "", *, is_terminated: bool = False) -> bytes:
    """Return a command about `path`; some firmware needs a NUL after the text."""
    return bytes((code, reference)) + path.encode("ascii") + (b"\0" if is_terminated else b"")


def imu_path(rate_hz: int) -> str:
    """Return the resource for acceleration and angular velocity."""
    return f"/Meas/IMU6/{rate_hz}"


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """Content of one data packet.

    Attributes
    ----------
    stamp_ms : int
        Time of the first sample since the sensor was switched on, modulo 2³².
    arrays : tuple of (n, 3) array
        In the order of the subscription: acceleration in m/s², angular velocity in °/s, magnetic field in µT.
    """

    stamp_ms: int
    arrays: tuple[Array, ...]


def decode_packet(payload: bytes, arrays: int = 2) -> Packet | None:
    """Return a packet of `arrays` arrays, without the bytes of type and reference.

    All samples of one array come before those of the next. ``None`` if the length does not fit.
    """
    if len(payload) <= 4 or (len(payload) - 4) % (12 * arrays):
        return None
    size = (len(payload) - 4) // arrays
    parts = (float32_triples(payload[4 + i * size : 4 + (i + 1) * size]) for i in range(arrays))
    return Packet(int.from_bytes(payload[:4], "little"), tuple(parts))


class MovesenseConnection(Connection):
    """Say hello, subscribe to IMU6, and put packets together.

    The subscription takes the first form and rate that the firmware accepts.
    """

    def __init__(self, wished_rate_hz: float, nameplate: Nameplate) -> None:
        rates = [rate for rate in RATES_HZ if rate <= max(wished_rate_hz * 1.1, min(RATES_HZ))]
        # Firmware that needs a NUL after the path answers the form without it with an error, and the other way round.
        self._attempts = [(rate, is_terminated) for rate in rates for is_terminated in (False, True)]
        self._nameplate = nameplate
        self._clock = PacketClock(STAMPS, self.sampling_rate_hz)
        self._pending = b""  # a packet that may have a second part
        self._comes_in_parts: bool | None = None  # None: not clear yet

    @property
    def sampling_rate_hz(self) -> float:
        """The rate of the present request."""
        return float(self._attempts[0][0])

    def begin(self) -> tuple[Action, ...]:
        """Subscribe before the first command: its answer would get lost otherwise."""
        hello = Write(COMMANDS, command(HELLO, HELLO_REFERENCE))
        return Subscribe(NOTIFICATIONS), hello, self._ask()

    def stop(self) -> tuple[Action, ...]:
        """End the subscription."""
        return (Write(COMMANDS, command(UNSUBSCRIBE, IMU_REFERENCE)),)

    def finish(self) -> Result:
        """Discard a packet that may lack its second part."""
        pending, self._pending = self._pending, b""
        return malformed(pending, NO_SECOND_PART) if pending else Result()

    def hear(self, heard: Heard) -> Result:
        """Process a notification."""
        payload = heard.payload
        if heard.characteristic != NOTIFICATIONS:
            return Result()
        if len(payload) < 3:
            return malformed(payload, "too short for a notification")
        kind, reference = payload[0], payload[1]
        if kind == ANSWER:
            return self._answer(reference, payload)
        if reference != IMU_REFERENCE or kind not in (DATA, DATA_PART2):
            return malformed(payload, "no answer to a request")
        return self._first_part(payload) if kind == DATA else self._second_part(payload)

    def _ask(self) -> Write:
        rate_hz, is_terminated = self._attempts[0]
        path = command(SUBSCRIBE, IMU_REFERENCE, imu_path(rate_hz), is_terminated=is_terminated)
        return Write(COMMANDS, path)

    def _answer(self, reference: int, payload: bytes) -> Result:
        """Process the answer to a command."""
        if reference == HELLO_REFERENCE:
            self._read_hello(payload[2:])
            return Result()
        if reference != IMU_REFERENCE or len(payload) < 4:
            return malformed(payload, "no answer to a request")
        (status,) = struct.unpack_from("<H", payload, 2)
        return self._try_next(status) if status >= 300 else Result()

    def _try_next(self, status: int) -> Result:
        """Request another form or rate, or report why the sensor is unusable."""
        if status == OUT_OF_REQUESTS:
            return _refused("has no room for another subscription: take its battery out for a moment and try again")
        if len(self._attempts) > 1:
            del self._attempts[0]
            self._clock = PacketClock(STAMPS, self.sampling_rate_hz)
            return Result(actions=(self._ask(),))
        if status in (507, OLD_OUT_OF_STORAGE):
            return _refused("has run out of memory: take its battery out for a moment and try again")
        return _refused("has a firmware without 6-axis motion data: update it with the Movesense Showcase app")

    def _read_hello(self, content: bytes) -> None:
        """Fill in the nameplate.

        The fields are protocol version, serial number, product, update address, application and version.
        """
        texts = [text_of(part) for part in content[1:].split(b"\0")]
        if len(texts) >= 2:
            self._nameplate.serial = texts[0] or self._nameplate.serial
            self._nameplate.model = texts[1] or self._nameplate.model
        if len(texts) >= 5:
            self._nameplate.firmware = " ".join(texts[3:5])

    def _first_part(self, payload: bytes) -> Result:
        """Process a packet or its first part.

        The length of a first part may equal that of a whole packet, so the next notification decides.
        """
        before, self._pending = self._pending, b""
        if self._comes_in_parts is False:
            return self._packet(payload)
        if not before:
            self._pending = payload
            return Result()
        if self._comes_in_parts:
            self._pending, self._comes_in_parts = payload, None
            return malformed(before, NO_SECOND_PART)
        self._comes_in_parts = False
        first, second = self._packet(before), self._packet(payload)
        return Result(first.samples + second.samples, (), first.notices + second.notices)

    def _second_part(self, payload: bytes) -> Result:
        before, self._pending, self._comes_in_parts = self._pending, b"", True
        return self._packet(before + payload[2:]) if before else malformed(payload, NO_FIRST_PART)

    def _packet(self, notification: bytes) -> Result:
        """Decode a whole packet."""
        packet = decode_packet(notification[2:])
        if packet is None:
            return malformed(notification, "a packet of impossible length")
        acceleration_m_s2, angular_velocity_dps = packet.arrays
        angular_velocity_rad_s = angular_velocity_dps * RAD_S_PER_DPS
        return stamped(self._clock, packet.stamp_ms, acceleration_m_s2, angular_velocity_rad_s, len(notification))


def _refused(what: str) -> Result:
    return Result(notices=(Refused(f"The Movesense sensor {what}."),))


def recognises(advertisement: Advertisement) -> bool:
    """Return whether the sensor is a Movesense.

    The name decides: the service of its protocol is not advertised.
    """
    return (advertisement.name or "").startswith("Movesense ")


MOVESENSE = streaming_kind("movesense", "Movesense", recognises, MovesenseConnection)
