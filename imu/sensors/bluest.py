"""ST's boards with BlueST firmware (SensorTile.box, SensorTile, BlueCoin, Nucleo): motion with a coarse time.

Listening starts the stream. How often samples come is up to the board's firmware and told nowhere, so it is learned
from the first stamps; they count 8 ms modulo 2¹⁶, so a single lost sample above 60 Hz may go unseen.

Bytes: UM2496, STMicroelectronics/BlueSTSDK_Python. Refuses to know Bluetooth.
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
    SensorKind,
    Subscribe,
)
from imu.sensors.driver import (
    M_S2_PER_G,
    RAD_S_PER_DPS,
    Found,
    Samples,
    StreamingDriver,
    int16_triples,
    is_possible_acceleration,
    is_possible_angular_velocity,
    malformed,
)

TITLE = "ST BlueST board"
FEATURES_SERVICE = "00000000-0001-11e1-9ab4-0002a5d5c51b"
MOTION = "00e00000-0001-11e1-ac36-0002a5d5c51b"
"""Acceleration, angular velocity and magnetic field in one characteristic: each bit of the first group is one."""
MOTION_SIZE = 20
ACCELERATION_BIT, ANGULAR_VELOCITY_BIT = 0x00800000, 0x00400000

STAMPS = StampFormat(bits=16, tick_s=0.008, fitted_packets=100, is_exact=False)
LEARNED_FROM = 33
"""Samples from which the rate is learned: 32 steps of 20 ms, each known to 8 ms, give it to 2 %."""
LEAST_RATE_HZ = 20.0

ACCELERATION_UNIT_M_S2 = 1e-3 * M_S2_PER_G
ANGULAR_VELOCITY_UNIT_RAD_S = 0.1 * RAD_S_PER_DPS
TOO_SLOW = f"The {TITLE} sends fewer than {LEAST_RATE_HZ:.0f} samples a second: fast repetitions may be missed."


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """One sample: time in counts of 8 ms, modulo 2¹⁶; m/s², rad/s and thousandths of gauss, each (3,)."""

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
    """What a board says of itself: version of the format, which board, its features, its address."""

    version: int
    device: int
    features: int
    address: bytes = b""


def decode_board(company: int, content: bytes) -> Board | None:
    """Return the board in a manufacturer's field, in which ST puts no company: its key is version and device."""
    if company & 0xFF != 1 or len(content) not in (4, 10):
        return None
    return Board(company & 0xFF, company >> 8, int.from_bytes(content[:4], "big"), content[4:])


class BlueStConnection:
    """Listen; learn the rate from the first samples; follow the stamps."""

    def __init__(self) -> None:
        self._first: list[tuple[Motion, float]] = []  # and when they came; until the rate is known
        self._clock: PacketClock | None = None

    @property
    def sampling_rate_hz(self) -> float:
        """The rate learned."""
        return 0.0 if self._clock is None else 1.0 / self._clock.period_s

    @property
    def scales(self) -> tuple[float, float]:
        """Thousandths of g and tenths of °/s."""
        return ACCELERATION_UNIT_M_S2, ANGULAR_VELOCITY_UNIT_RAD_S

    def begin(self) -> tuple[Action, ...]:
        """Listen."""
        return (Subscribe(MOTION),)

    def stop(self) -> tuple[Action, ...]:
        """Say nothing: the stream ends with the connection."""
        return ()

    def finish(self) -> Found:
        """Give what is held back."""
        return self._learn() if len(self._first) > 1 else Found()

    def hear(self, heard: Heard) -> Found:
        """Take a sample."""
        if heard.characteristic != MOTION:
            return Found()
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
        return self._learn() if len(self._first) >= LEARNED_FROM else Found()

    def _learn(self) -> Found:
        """Learn the rate from the first samples and place them."""
        first, self._first = self._first, []
        steps = np.diff([motion.stamp for motion, _ in first]) % (1 << STAMPS.bits)
        forward = steps[(steps > 0) & (steps < 1 << (STAMPS.bits - 1))]
        usual = forward[forward <= 1.5 * np.median(forward) + 1] if len(forward) else np.array([2.5])
        self._clock = clock = PacketClock(STAMPS, 1.0 / (float(usual.mean()) * STAMPS.tick_s))
        found = [_placed(clock, motion, received_s) for motion, received_s in first]
        caution = (Caution(TOO_SLOW),) if self.sampling_rate_hz < 0.95 * LEAST_RATE_HZ else ()
        samples = (each for one in found for each in one.samples)
        notices: tuple[Notice, ...] = tuple(each for one in found for each in one.notices)
        return Found(tuple(samples), (), (*caution, *notices))


def _placed(clock: PacketClock, motion: Motion, received_s: float) -> Found:
    placed = clock.place(motion.stamp, 1)
    notices = placed.notices(MOTION_SIZE)
    if placed.is_dropped:
        return Found(notices=notices)
    rows = motion.acceleration_m_s2[None], motion.angular_velocity_rad_s[None]
    return Found((Samples(placed.time_s, *rows, placed.fate is Fate.RESTARTED, received_s),), (), notices)


def recognises(advertisement: Advertisement) -> bool:
    """Return whether this is a board with accelerometer and gyroscope."""
    wanted = ACCELERATION_BIT | ANGULAR_VELOCITY_BIT
    boards = (decode_board(company, content) for company, content in advertisement.manufacturer_data.items())
    return any(board is not None and board.features & wanted == wanted for board in boards)


BLUEST = SensorKind(
    name="bluest",
    title=TITLE,
    recognises=recognises,
    driver=lambda _wished_rate_hz: StreamingDriver(lambda _nameplate: BlueStConnection(), TITLE),
)
