"""Development boards with motion sensors: of Nordic, ST and Adafruit, a section each.

None of them numbers its samples, so that a loss shows by times, if at all.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from imu.samples import Array
from imu.sensors.clocks import ArrivalClock, PacketClock, StampFormat, Timed
from imu.sensors.conversation import Action, Advertisement, Caution, Heard, Notice, Read, SamplesLost, Subscribe, Write
from imu.sensors.driver import (
    BEYOND_RANGE,
    M_S2_PER_G,
    RAD_S_PER_DPS,
    Connection,
    Result,
    Samples,
    UntimedSamples,
    are_possible,
    float32_triples,
    int16_triples,
    is_possible_acceleration,
    is_possible_angular_velocity,
    malformed,
    stamped,
    streaming_kind,
    unprovable,
)
from imu.sensors.sample_order import TwoStreams

# --- Nordic Thingy:52 -------------------------------------------------------------------------------------------------
#
# Raw motion in fixed-point numbers, without time or number. The motion rate is part of the sensor's configuration; its
# other fields stay unchanged. At any rate that is set, no more than 50 to 70 Hz arrives, so the driver requests 50 Hz.
#
# Bytes: NordicSemiconductor/Nordic-Thingy52-FW.


def _thingy52_uuid(number: int) -> str:
    return f"ef68{number:04x}-9b35-4933-9b10-52ffa9740042"


THINGY52_TITLE = "Nordic Thingy:52"
CONFIGURATION_SERVICE, MOTION_SERVICE = _thingy52_uuid(0x0100), _thingy52_uuid(0x0400)
CONFIGURATION, RAW_MOTION = _thingy52_uuid(0x0401), _thingy52_uuid(0x0406)

CONFIGURATION_SIZE, RATE_AT = 9, slice(6, 8)
RAW_SIZE = 18
ASKED_RATE_HZ = 50
THINGY52_ACCELERATION_UNIT_M_S2 = M_S2_PER_G / 1024  # 6 integer and 10 fractional bits
THINGY52_ANGULAR_VELOCITY_UNIT_RAD_S = RAD_S_PER_DPS / 32  # 11 and 5
MAGNETIC_FIELD_UNIT_UT = 1 / 16  # 12 and 4


def with_rate(configuration: bytes, rate_hz: int) -> bytes:
    """Return the motion configuration with another rate."""
    return configuration[: RATE_AT.start] + rate_hz.to_bytes(2, "little") + configuration[RATE_AT.stop :]


def decode_raw_motion(payload: bytes) -> tuple[Array, Array, Array] | None:
    """Return acceleration, angular velocity and magnetic field, each (3,).

    In m/s², rad/s and µT.
    """
    if len(payload) != RAW_SIZE:
        return None
    acceleration, angular_velocity, magnetic_field = int16_triples(payload)
    return (
        acceleration * THINGY52_ACCELERATION_UNIT_M_S2,
        angular_velocity * THINGY52_ANGULAR_VELOCITY_UNIT_RAD_S,
        magnetic_field * MAGNETIC_FIELD_UNIT_UT,
    )


class Thingy52Connection(Connection):
    """Read the configuration, write it back with our rate, subscribe."""

    scales = THINGY52_ACCELERATION_UNIT_M_S2, THINGY52_ANGULAR_VELOCITY_UNIT_RAD_S

    def __init__(self) -> None:
        self._samples = UntimedSamples(THINGY52_TITLE, ASKED_RATE_HZ)

    @property
    def sampling_rate_hz(self) -> float:
        """Rate estimated from arrivals."""
        return self._samples.sampling_rate_hz

    def begin(self) -> tuple[Action, ...]:
        """Read the configuration first.

        Subscribing starts the stream at the rate set so far.
        """
        return (Read(CONFIGURATION),)

    def finish(self) -> Result:
        """Return the samples that still wait."""
        return self._samples.finish()

    def hear(self, heard: Heard) -> Result:
        """Process the configuration or a sample."""
        if heard.characteristic == CONFIGURATION:
            if len(heard.payload) != CONFIGURATION_SIZE:
                return malformed(heard.payload, "no motion configuration")
            configuration = with_rate(heard.payload, ASKED_RATE_HZ)
            return Result(actions=(Write(CONFIGURATION, configuration), Subscribe(RAW_MOTION)))
        if heard.characteristic != RAW_MOTION:
            return Result()
        decoded = decode_raw_motion(heard.payload)
        if decoded is None:
            return malformed(heard.payload, "no sample of raw motion")
        acceleration, angular_velocity, _ = decoded
        if not are_possible(acceleration, angular_velocity):
            return malformed(heard.payload, BEYOND_RANGE)
        return self._samples.push(np.concatenate((acceleration, angular_velocity))[None], heard.received_s)


def _is_thingy52(advertisement: Advertisement) -> bool:
    """Return whether the sensor is a Thingy:52; its owner may have renamed it."""
    return CONFIGURATION_SERVICE in advertisement.services


THINGY52 = streaming_kind(
    "thingy52", THINGY52_TITLE, _is_thingy52, lambda _wished_rate_hz, _nameplate: Thingy52Connection()
)


# --- ST BlueST (SensorTile, BlueCoin, Nucleo) -------------------------------------------------------------------------
#
# Coarse times. Subscribing starts the stream. The board's firmware sets the sampling rate and does not send it, so that
# it is estimated from the first stamps. Stamps count 8 ms modulo 2¹⁶: a single lost sample above 60 Hz may stay
# undetected.
#
# Bytes: UM2496, STMicroelectronics/BlueSTSDK_Python.

BLUEST_TITLE = "ST BlueST board"
FEATURES_SERVICE = "00000000-0001-11e1-9ab4-0002a5d5c51b"
MOTION = "00e00000-0001-11e1-ac36-0002a5d5c51b"
"""Acceleration, angular velocity and magnetic field in one characteristic: each bit of the UUID's first group is one
quantity."""
MOTION_SIZE = 20
ACCELERATION_BIT, ANGULAR_VELOCITY_BIT = 0x00800000, 0x00400000

STAMPS = StampFormat(bits=16, tick_s=0.008, fitted_packets=100, is_exact=False)
LEARNED_FROM = 33
"""Number of samples for the estimate of the rate: 32 steps of 20 ms, each exact to 8 ms, give it to 2 %."""
LEAST_RATE_HZ = 20.0

BLUEST_ACCELERATION_UNIT_M_S2 = 1e-3 * M_S2_PER_G
BLUEST_ANGULAR_VELOCITY_UNIT_RAD_S = 0.1 * RAD_S_PER_DPS
TOO_SLOW = f"The {BLUEST_TITLE} sends fewer than {LEAST_RATE_HZ:.0f} samples a second: fast repetitions may be missed."


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """One sample, three values a quantity.

    The time is in counts of 8 ms, modulo 2¹⁶; the quantities are in m/s², rad/s and thousandths of gauss, each (3,).
    """

    stamp: int
    acceleration_m_s2: Array
    angular_velocity_rad_s: Array
    magnetic_field_mg: Array


def decode_motion(payload: bytes) -> Motion | None:
    """Return the sample in a notification; ``None`` for other bytes."""
    if len(payload) != MOTION_SIZE:
        return None
    acceleration, angular_velocity, magnetic_field = int16_triples(payload[2:])
    return Motion(
        int.from_bytes(payload[:2], "little"),
        acceleration * BLUEST_ACCELERATION_UNIT_M_S2,
        angular_velocity * BLUEST_ANGULAR_VELOCITY_UNIT_RAD_S,
        magnetic_field,
    )


@dataclass(frozen=True, slots=True)
class Board:
    """Advertised version of the format, type of board, features and address."""

    version: int
    device: int
    features: int
    address: bytes = b""


def decode_board(company: int, content: bytes) -> Board | None:
    """Return the board from one entry of manufacturer data; ``None`` for other makers.

    ST sends no company identifier: the two bytes in its place are version and type of board.
    """
    if company & 0xFF != 1 or len(content) not in (4, 10):
        return None
    return Board(company & 0xFF, company >> 8, int.from_bytes(content[:4], "big"), content[4:])


class BlueStConnection(Connection):
    """Subscribe, estimate the rate from the first samples, follow the stamps."""

    scales = BLUEST_ACCELERATION_UNIT_M_S2, BLUEST_ANGULAR_VELOCITY_UNIT_RAD_S

    def __init__(self) -> None:
        self._first: list[tuple[Motion, float]] = []  # samples and times of arrival, before the estimate of the rate
        self._clock: PacketClock | None = None

    @property
    def sampling_rate_hz(self) -> float:
        """The estimated rate."""
        return 0.0 if self._clock is None else 1.0 / self._clock.period_s

    def begin(self) -> tuple[Action, ...]:
        """Subscribe."""
        return (Subscribe(MOTION),)

    def finish(self) -> Result:
        """Return the samples that still wait."""
        return self._learn() if len(self._first) > 1 else Result()

    def hear(self, heard: Heard) -> Result:
        """Process a sample."""
        if heard.characteristic != MOTION:
            return Result()
        motion = decode_motion(heard.payload)
        if motion is None:
            return malformed(heard.payload, "no sample of motion")
        if not are_possible(motion.acceleration_m_s2, motion.angular_velocity_rad_s):
            return malformed(heard.payload, BEYOND_RANGE)
        if self._clock is not None:
            return _placed(self._clock, motion, heard.received_s)
        self._first.append((motion, heard.received_s))
        return self._learn() if len(self._first) >= LEARNED_FROM else Result()

    def _learn(self) -> Result:
        """Estimate the rate from the first samples and place them in time."""
        first, self._first = self._first, []
        steps = np.diff([motion.stamp for motion, _ in first]) % (1 << STAMPS.bits)
        forward = steps[(steps > 0) & (steps < 1 << (STAMPS.bits - 1))]
        usual = forward[forward <= 1.5 * np.median(forward) + 1] if len(forward) else np.array([2.5])
        self._clock = clock = PacketClock(STAMPS, 1.0 / (float(usual.mean()) * STAMPS.tick_s))
        results = [_placed(clock, motion, received_s) for motion, received_s in first]
        caution = (Caution(TOO_SLOW),) if self.sampling_rate_hz < 0.95 * LEAST_RATE_HZ else ()
        samples = (each for result in results for each in result.samples)
        notices: tuple[Notice, ...] = tuple(each for result in results for each in result.notices)
        return Result(tuple(samples), (), (*caution, *notices))


def _placed(clock: PacketClock, motion: Motion, received_s: float) -> Result:
    rows = motion.acceleration_m_s2[None], motion.angular_velocity_rad_s[None]
    return stamped(clock, motion.stamp, *rows, MOTION_SIZE, received_s=received_s)


def _is_bluest(advertisement: Advertisement) -> bool:
    """Return whether the sensor is a board with accelerometer and gyroscope."""
    wanted = ACCELERATION_BIT | ANGULAR_VELOCITY_BIT
    boards = (decode_board(company, content) for company, content in advertisement.manufacturer_data.items())
    return any(board is not None and board.features & wanted == wanted for board in boards)


BLUEST = streaming_kind("bluest", BLUEST_TITLE, _is_bluest, lambda _rate_hz, _nameplate: BlueStConnection())


# --- Adafruit Bluefruit (CLUE, Feather Sense) -------------------------------------------------------------------------
#
# Two streams of floats. Each is a service of its own with its own measurement period, which is one second until it is
# set. Both periods have the same UUID, so their address is ``service/characteristic``.
#
# Bytes: adafruit/Adafruit_CircuitPython_BLE_Adafruit.


def _bluefruit_uuid(number: int) -> str:
    return f"adaf{number:04x}-c332-42a8-93bd-25e905756cb8"


BLUEFRUIT_TITLE = "Adafruit CLUE or Feather Sense"
ACCELERATION_SERVICE, ACCELERATION = _bluefruit_uuid(0x0200), _bluefruit_uuid(0x0201)
ANGULAR_VELOCITY_SERVICE, ANGULAR_VELOCITY = _bluefruit_uuid(0x0400), _bluefruit_uuid(0x0401)
PERIOD = _bluefruit_uuid(0x0001)
COMPANY = 0x0822

PERIOD_MS = 20
"""The Python program on the board does not reach much more than 50 Hz."""
SAMPLE_SIZE = 12


def in_service(service: str, characteristic: str) -> str:
    """Return the address of a characteristic whose UUID occurs in several services."""
    return f"{service}/{characteristic}"


def period_command(period_ms: int) -> bytes:
    """Return the command for the time between two samples."""
    return struct.pack("<i", period_ms)


def decode_sample(payload: bytes) -> Array | None:
    """Return the sample, (1, 3), in m/s² or rad/s; ``None`` for other bytes."""
    return float32_triples(payload) if len(payload) == SAMPLE_SIZE else None


class BluefruitConnection(Connection):
    """Set both periods, subscribe to both streams, join them."""

    def __init__(self) -> None:
        rate_hz = 1000.0 / PERIOD_MS
        self._clocks = {ACCELERATION: ArrivalClock(rate_hz), ANGULAR_VELOCITY: ArrivalClock(rate_hz)}
        self._streams: TwoStreams | None = None

    @property
    def sampling_rate_hz(self) -> float:
        """Rate of the acceleration, estimated from arrivals."""
        return self._clocks[ACCELERATION].sampling_rate_hz

    def begin(self) -> tuple[Action, ...]:
        """Set the periods before subscribing.

        The rate is estimated from the start of the stream.
        """
        services = (ACCELERATION_SERVICE, ANGULAR_VELOCITY_SERVICE)
        periods = (Write(in_service(service, PERIOD), period_command(PERIOD_MS)) for service in services)
        return *periods, Subscribe(ACCELERATION), Subscribe(ANGULAR_VELOCITY)

    def finish(self) -> Result:
        """Return the samples that still wait."""
        parts = [self._timed(stream, clock.finish()) for stream, clock in self._clocks.items()]
        samples = tuple(each for part in parts for each in part.samples)
        return Result(samples, (), tuple(each for part in parts for each in part.notices))

    def hear(self, heard: Heard) -> Result:
        """Process a sample of one stream."""
        if heard.characteristic not in self._clocks:
            return Result()
        sample = decode_sample(heard.payload)
        is_acceleration = heard.characteristic == ACCELERATION
        is_possible = is_possible_acceleration if is_acceleration else is_possible_angular_velocity
        if sample is None or not is_possible(sample):
            return malformed(heard.payload, "no sample, or values beyond the sensor's range")
        return self._timed(heard.characteristic, self._clocks[heard.characteristic].push(sample, heard.received_s))

    def _timed(self, stream: str, timed: list[Timed]) -> Result:
        """Join the rows that have got their times."""
        if not timed:
            return Result()
        notices: list[Notice] = []
        samples: list[Samples] = []
        if self._streams is None:  # one loop on the board paces both streams
            self._streams = TwoStreams(1.0 / self._clocks[stream].sampling_rate_hz)
            notices.append(Caution(unprovable(BLUEFRUIT_TITLE)))
        is_acceleration = stream == ACCELERATION
        push = self._streams.push_acceleration if is_acceleration else self._streams.push_angular_velocity
        for each in timed:
            joined = push(each.time_s, each.rows)
            if joined.lost or each.is_after_hole:
                notices.append(SamplesLost(None))
            rows = joined.time_s, joined.acceleration, joined.angular_velocity
            samples.append(Samples(*rows, received_s=each.received_s))
        return Result(tuple(samples), (), tuple(notices))


def _is_bluefruit(advertisement: Advertisement) -> bool:
    """Return whether the sensor runs the Bluefruit firmware.

    The acceleration service is always among the advertised ones.
    """
    is_adafruit = COMPANY in advertisement.manufacturer_data
    name = advertisement.name or ""
    return ACCELERATION_SERVICE in advertisement.services or (
        is_adafruit and name.startswith(("CLUE", "Sense", "Bluefruit"))
    )


BLUEFRUIT = streaming_kind(
    "bluefruit", BLUEFRUIT_TITLE, _is_bluefruit, lambda _wished_rate_hz, _nameplate: BluefruitConnection()
)
