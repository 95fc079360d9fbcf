"""WitMotion WT901BLE and relatives: frames without time, number or checksum.

A notification holds several frames or parts of one. The bytes are joined and cut where another frame header follows 20
bytes after a header. The rate is set at each connection and not saved, so the owner's setting stays. Ranges are fixed
at ±16 g and ±2000 °/s.

Bytes: WITMOTION/WitBluetooth_BWT901BLE5_0.
"""

from __future__ import annotations

import numpy as np

from imu.samples import Array
from imu.sensors.conversation import Action, Advertisement, Battery, Heard, Malformed, Notice, Subscribe, Write
from imu.sensors.driver import (
    M_S2_PER_G,
    RAD_S_PER_DPS,
    Connection,
    Result,
    UntimedSamples,
    int16_triples,
    streaming_kind,
)

TITLE = "WitMotion WT901BLE"
SERVICE = "0000ffe5-0000-1000-8000-00805f9a34fb"  # not Bluetooth's own base, which ends in 9b34fb
NOTIFICATIONS = "0000ffe4-0000-1000-8000-00805f9a34fb"
COMMANDS = "0000ffe9-0000-1000-8000-00805f9a34fb"

FRAME_SIZE = 20
MOTION, REGISTERS = b"\x55\x61", b"\x55\x71"  # headers
RATE_REGISTER, READ_REGISTER, KEY_REGISTER, BATTERY_REGISTER = 0x03, 0x27, 0x69, 0x64
KEY = 0xB588
RATE_CODES = {50: 0x08, 100: 0x09}
"""Reliable rates; at 200 Hz frames get lost, and the factory's 10 Hz is too slow."""

ACCELERATION_UNIT_M_S2 = 16.0 / 32768.0 * M_S2_PER_G
ANGULAR_VELOCITY_UNIT_RAD_S = 2000.0 / 32768.0 * RAD_S_PER_DPS
ANGLE_UNIT_RAD = np.pi / 32768.0

BATTERY_LEVELS = (
    (396, 100), (393, 90), (387, 75), (382, 60), (379, 50), (377, 40), (373, 30), (370, 20), (368, 15), (350, 10),
    (340, 5),
)  # fmt: skip
"""Lower limit in hundredths of a volt, and percent: the vendor's own table."""


def write_register(register: int, value: int) -> bytes:
    """Return the command that writes a register."""
    return bytes((0xFF, 0xAA, register)) + value.to_bytes(2, "little")


UNLOCK = write_register(KEY_REGISTER, KEY)
ASK_BATTERY = write_register(READ_REGISTER, BATTERY_REGISTER)
FRAMES_PER_BATTERY = 3000
"""The battery is read again after this number of frames, half a minute at 100 Hz. The first answer may be 0, which
means "not measured yet"."""


def decode_motion(frame: bytes) -> tuple[Array, Array, Array]:
    """Return acceleration, angular velocity and angles of a frame, each (3,).

    In m/s², rad/s and rad.
    """
    acceleration, angular_velocity, angles = int16_triples(frame[2:FRAME_SIZE])
    return (
        acceleration * ACCELERATION_UNIT_M_S2,
        angular_velocity * ANGULAR_VELOCITY_UNIT_RAD_S,
        angles * ANGLE_UNIT_RAD,
    )


def decode_battery_percent(frame: bytes) -> float | None:
    """Return the charge from the answer of the registers.

    ``None`` for other frames and for a battery that has not been measured yet.
    """
    if frame[:4] != REGISTERS + BATTERY_REGISTER.to_bytes(2, "little"):
        return None
    centivolts = int.from_bytes(frame[4:6], "little")
    return float(next((percent for least, percent in BATTERY_LEVELS if centivolts >= least), 0)) if centivolts else None


class Frames:
    """Bytes in any pieces -> whole frames, and the number of bytes outside frames.

    A frame comes out after the header of the next one: without it, a frame that has lost its end looks like a whole
    one.
    """

    def __init__(self) -> None:
        self._bytes = b""

    def push(self, piece: bytes) -> tuple[list[bytes], int]:
        """Add a notification; return whole frames and the number of bytes discarded."""
        self._bytes += piece
        frames: list[bytes] = []
        discarded = 0
        while len(self._bytes) >= FRAME_SIZE + 2:
            if _is_header(self._bytes) and _is_header(self._bytes[FRAME_SIZE:]):
                frames.append(self._bytes[:FRAME_SIZE])
                self._bytes = self._bytes[FRAME_SIZE:]
            else:
                self._bytes = self._bytes[1:]
                discarded += 1
        return frames, discarded


def _is_header(piece: bytes) -> bool:
    return piece[:2] in (MOTION, REGISTERS)


class WitMotionConnection(Connection):
    """Set the rate, subscribe."""

    scales = ACCELERATION_UNIT_M_S2, ANGULAR_VELOCITY_UNIT_RAD_S

    def __init__(self, wished_rate_hz: float) -> None:
        self._rate_hz = min((rate for rate in RATE_CODES if rate >= 0.95 * wished_rate_hz), default=max(RATE_CODES))
        self._frames = Frames()
        self._samples = UntimedSamples(TITLE, self._rate_hz)
        self._frames_since_battery = 0

    @property
    def sampling_rate_hz(self) -> float:
        """Rate estimated from arrivals."""
        return self._samples.sampling_rate_hz

    def begin(self) -> tuple[Action, ...]:
        """Set the rate before subscribing.

        The stream then starts on its own, and its rate is estimated from its start.
        """
        return (
            Write(COMMANDS, UNLOCK),
            Write(COMMANDS, write_register(RATE_REGISTER, RATE_CODES[self._rate_hz])),
            Subscribe(NOTIFICATIONS),
            Write(COMMANDS, ASK_BATTERY),
        )

    def finish(self) -> Result:
        """Return the samples that still wait."""
        return self._samples.finish()

    def hear(self, heard: Heard) -> Result:
        """Process a piece of the stream."""
        if heard.characteristic != NOTIFICATIONS:
            return Result()
        frames, discarded = self._frames.push(heard.payload)
        rows = [np.concatenate(decode_motion(frame)[:2]) for frame in frames if frame[:2] == MOTION]
        result = self._samples.push(np.array(rows).reshape(-1, 6), heard.received_s)
        notices: list[Notice] = list(result.notices)
        if discarded:
            notices.append(Malformed(discarded, "bytes between two frames"))
        levels = (decode_battery_percent(frame) for frame in frames)
        notices += [Battery(level) for level in levels if level is not None]
        return Result(result.samples, self._ask_battery(len(frames)), tuple(notices))

    def _ask_battery(self, frames: int) -> tuple[Action, ...]:
        """Return the request for the battery after every `FRAMES_PER_BATTERY` frames."""
        self._frames_since_battery += frames
        if self._frames_since_battery < FRAMES_PER_BATTERY:
            return ()
        self._frames_since_battery = 0
        return (Write(COMMANDS, ASK_BATTERY),)


def recognises(advertisement: Advertisement) -> bool:
    """Return whether the sensor is a relative with a gyroscope.

    WTVB is a vibration sensor whose frames have the same headers.
    """
    name = advertisement.name or ""
    return "WT9" in name or (SERVICE in advertisement.services and "WTVB" not in name)


WITMOTION = streaming_kind("witmotion", TITLE, recognises, lambda rate_hz, _nameplate: WitMotionConnection(rate_hz))
