"""ST's boards with BlueST firmware (SensorTile, BlueCoin, Nucleo): coarse times.

Subscribing starts the stream. The board's firmware sets the sampling rate and does not send it, so it is estimated from
the first stamps. Stamps count 8 ms modulo 2¹⁶, so a single lost sample above 60 Hz may stay undetected.

Bytes: UM2496, STMicroelectronics/BlueSTSDK_Python.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imu.samples import Array
from imu.sensors.clocks import Fate, PacketClock, StampFormat
from imu.sensors.conversation import (
    Action,
    Advertisement,
    Caution,
    Heard,
    Notice,
    Subscribe,
)
from imu.sensors.driver import (
    M_S2_PER_G,
    RAD_S_PER_DPS,
    Connection,
    Result,
    Samples,
    int16_triples,
    is_possible_acceleration,
    is_possible_angular_velocity,
    malformed,
    streaming_kind,
)

TITLE = "ST BlueST board"
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

ACCELERATION_UNIT_M_S2 = 1e-3 * M_S2_PER_G
ANGULAR_VELOCITY_UNIT_RAD_S = 0.1 * RAD_S_PER_DPS
TOO_SLOW = f"The {TITLE} sends fewer than {LEAST_RATE_HZ:.0f} samples a second: fast repetitions may be missed."


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
        acceleration * ACCELERATION_UNIT_M_S2,
        angular_velocity * ANGULAR_VELOCITY_UNIT_RAD_S,
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

    def __init__(self) -> None:
        self._first: list[tuple[Motion, float]] = []  # samples and times of arrival, before the estimate of the rate
        self._clock: PacketClock | None = None

    @property
    def sampling_rate_hz(self) -> float:
        """The estimated rate."""
        return 0.0 if self._clock is None else 1.0 / self._clock.period_s

    @property
    def scales(self) -> tuple[float, float]:
        """Thousandths of g and tenths of °/s."""
        return ACCELERATION_UNIT_M_S2, ANGULAR_VELOCITY_UNIT_RAD_S

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
        if not (
            is_possible_acceleration(motion.acceleration_m_s2)
            and is_possible_angular_velocity(motion.angular_velocity_rad_s)
        ):
            return malformed(heard.payload, "values beyond the sensor's range")
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
    placed = clock.place(motion.stamp, 1)
    notices = placed.notices(MOTION_SIZE)
    if placed.is_dropped:
        return Result(notices=notices)
    rows = motion.acceleration_m_s2[None], motion.angular_velocity_rad_s[None]
    return Result((Samples(placed.time_s, *rows, placed.fate is Fate.RESTARTED, received_s),), (), notices)


def recognises(advertisement: Advertisement) -> bool:
    """Return whether the sensor is a board with accelerometer and gyroscope."""
    wanted = ACCELERATION_BIT | ANGULAR_VELOCITY_BIT
    boards = (decode_board(company, content) for company, content in advertisement.manufacturer_data.items())
    return any(board is not None and board.features & wanted == wanted for board in boards)


BLUEST = streaming_kind("bluest", TITLE, recognises, lambda _wished_rate_hz, _nameplate: BlueStConnection())
