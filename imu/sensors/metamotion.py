"""MbientLab MetaMotion: acceleration, angular velocity and a tick a notification.

The raw streams contain neither time nor number. So the setup builds three processors on the board: one keeps the latest
angular velocity (a buffer), one joins it to each sample of acceleration (a fuser), and one adds a time stamp (an
accounter). Each sample then has the board's time, and a loss shows as a step. Two generations of chip, BMI160 (R, RL,
C) and BMI270 (S), take different bytes. Range ±16 g and ±2000 °/s.

Bytes: mbientlab/MetaWear-SDK-Cpp.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum

from imu.samples import Array
from imu.sensors.clocks import PacketClock, StampFormat
from imu.sensors.conversation import Action, Advertisement, Heard, Refused, Subscribe, Write
from imu.sensors.driver import (
    M_S2_PER_G,
    RAD_S_PER_DPS,
    Connection,
    Result,
    int16_triples,
    malformed,
    stamped,
    streaming_kind,
)

SERVICE = "326a9000-85cb-9195-d9dd-464cfbbae75a"
COMMANDS = "326a9001-85cb-9195-d9dd-464cfbbae75a"
NOTIFICATIONS = "326a9006-85cb-9195-d9dd-464cfbbae75a"

ACCELEROMETER, PROCESSOR, GYROSCOPE = 0x03, 0x09, 0x13  # modules
START, ENABLE, CONFIGURE, WHICH_CHIP = 0x01, 0x02, 0x03, 0x80  # registers of the first and the last
ADD, OUTPUT, NOTIFY, REMOVE_ALL = 0x02, 0x03, 0x07, 0x08  # registers of the processor
ADDED = bytes((PROCESSOR, ADD))

RATE_CODES = {25: 6, 50: 7, 100: 8, 200: 9}
SERVING_RATES_HZ = (50, 100)
"""The vendor calls 100 Hz the highest reliable rate for two streams."""
RANGE_G, RANGE_DPS = 16, 2000
GYROSCOPE_RANGES_DPS = (2000, 1000, 500, 250, 125)
STAMPS = StampFormat(bits=32, tick_s=48 / 32768, fitted_packets=100, is_exact=False)  # a second or two

NO_GYROSCOPE = "This MbientLab sensor has no gyroscope, which counting needs: use a MetaMotion instead."
UNKNOWN_CHIP = (
    "This MbientLab sensor has a motion chip that this program does not support: use a MetaMotion R, RL or S."
)
NO_PROCESSORS = "The MetaMotion sensor rejects its settings: press its button for ten seconds and try again."


class Chip(Enum):
    """Motion chip; the value is the answer of the accelerometer module."""

    BMI160 = 1
    BMI270 = 4


def accelerometer_configuration(chip: Chip, rate_hz: int, range_g: int) -> bytes:
    """Return the command for rate and range of the acceleration."""
    ranges = {2: 0x03, 4: 0x05, 8: 0x08, 16: 0x0C} if chip is Chip.BMI160 else {2: 0, 4: 1, 8: 2, 16: 3}
    filtered = 0x20 if chip is Chip.BMI160 else 0xA0
    return bytes((ACCELEROMETER, CONFIGURE, filtered | RATE_CODES[rate_hz], ranges[range_g]))


def gyroscope_configuration(rate_hz: int, range_dps: int) -> bytes:
    """Return the command for rate and range of the angular velocity."""
    return bytes((GYROSCOPE, CONFIGURE, 0x20 | RATE_CODES[rate_hz], GYROSCOPE_RANGES_DPS.index(range_dps)))


def acceleration_unit_m_s2(range_g: int) -> float:
    """Return the size of one count of acceleration."""
    return range_g / 32768 * M_S2_PER_G


def angular_velocity_unit_rad_s(range_dps: int) -> float:
    """Return the size of one count of angular velocity."""
    return range_dps / 2000 / 16.4 * RAD_S_PER_DPS


def buffer_command(chip: Chip) -> bytes:
    """Return the command for a buffer of the latest angular velocity."""
    data = 0x05 if chip is Chip.BMI160 else 0x04
    return bytes((PROCESSOR, ADD, GYROSCOPE, data, 0xFF, 0xA0, 0x0F, 0x05))


def fuser_command(buffer: int) -> bytes:
    """Return the command that joins the `buffer` to each sample of acceleration."""
    return bytes((PROCESSOR, ADD, ACCELEROMETER, 0x04, 0xFF, 0xA0, 0x1B, 1, buffer)) + bytes(11)


def accounter_command(fuser: int) -> bytes:
    """Return the command that puts a 32-bit tick before each output of the `fuser`."""
    return bytes((PROCESSOR, ADD, PROCESSOR, OUTPUT, fuser, 0x60, 0x11, 0x31, 0x03))


@dataclass(frozen=True, slots=True, eq=False)
class ProcessorOutput:
    """Number of the processor, tick, and counts as rows of three, (n, 3)."""

    processor: int
    tick: int
    counts: Array


def decode_processor_output(payload: bytes) -> ProcessorOutput | None:
    """Return the output of an accounter; ``None`` for other bytes."""
    if payload[:2] != bytes((PROCESSOR, OUTPUT)) or len(payload) <= 7 or (len(payload) - 7) % 6:
        return None
    return ProcessorOutput(payload[2], int.from_bytes(payload[3:7], "little"), int16_triples(payload[7:]))


@dataclass(frozen=True, slots=True)
class _Ask:
    """Commands, and the first two bytes of the answer to the last of them."""

    commands: tuple[bytes, ...]
    answer: bytes


class _Unusable(Exception):
    """The sensor cannot be used; the message is the sentence for the person."""


class MetaMotionConnection(Connection):
    """Read the chip, build the processors one after another, start."""

    scales = acceleration_unit_m_s2(RANGE_G), angular_velocity_unit_rad_s(RANGE_DPS)

    def __init__(self, wished_rate_hz: float) -> None:
        serving = [rate for rate in SERVING_RATES_HZ if rate <= 1.1 * wished_rate_hz]
        self._rate_hz = max(serving, default=min(SERVING_RATES_HZ))
        self._clock = PacketClock(STAMPS, self._rate_hz)
        self._accounter: int | None = None
        self._setup = self._set_up()
        self._asked: _Ask | None = next(self._setup)

    @property
    def sampling_rate_hz(self) -> float:
        """The rate that was set."""
        return float(self._rate_hz)

    def begin(self) -> tuple[Action, ...]:
        """Subscribe, then ask for the chip."""
        return Subscribe(NOTIFICATIONS), *_written(self._asked.commands if self._asked else ())

    def stop(self) -> tuple[Action, ...]:
        """Stop measuring, which saves battery, and remove the processors."""
        return _written((*switch_commands(is_on=False), bytes((PROCESSOR, REMOVE_ALL))))

    def hear(self, heard: Heard) -> Result:
        """Process an answer or a sample."""
        payload = heard.payload
        if heard.characteristic != NOTIFICATIONS:
            return Result()
        if payload[:2] == bytes((PROCESSOR, OUTPUT)):
            return self._hear_sample(payload)
        if self._asked is None or payload[:2] != self._asked.answer:
            return malformed(payload, "no answer to a request")
        try:
            self._asked = self._setup.send(payload)
        except StopIteration as finished:
            self._asked = None
            return Result(actions=_written(finished.value))
        except _Unusable as unusable:
            return Result(notices=(Refused(str(unusable)),))
        return Result(actions=_written(self._asked.commands))

    def _set_up(self) -> Generator[_Ask, bytes, tuple[bytes, ...]]:
        """Yield commands and receive answers; return the commands that start the stream."""
        answer = yield _which_chip(ACCELEROMETER)
        chips = [chip for chip in Chip if answer[2:3] == bytes((chip.value,))]
        answer = yield _which_chip(GYROSCOPE)
        if len(answer) < 3:
            raise _Unusable(NO_GYROSCOPE)
        if not chips:
            raise _Unusable(UNKNOWN_CHIP)
        settings = (
            bytes((PROCESSOR, REMOVE_ALL)),  # those of an earlier program
            accelerometer_configuration(chips[0], self._rate_hz, RANGE_G),
            gyroscope_configuration(self._rate_hz, RANGE_DPS),
        )
        buffer = _number_of((yield _Ask((*settings, buffer_command(chips[0])), ADDED)))
        fuser = _number_of((yield _Ask((fuser_command(buffer),), ADDED)))
        accounter = _number_of((yield _Ask((accounter_command(fuser),), ADDED)))
        self._accounter = accounter
        notify = (bytes((PROCESSOR, NOTIFY, accounter, 1)), bytes((PROCESSOR, OUTPUT, 1)))
        return (*notify, *switch_commands(is_on=True))

    def _hear_sample(self, payload: bytes) -> Result:
        if self._accounter is None:  # from a processor that an earlier program left behind
            return Result()
        output = decode_processor_output(payload)
        if output is None or output.processor != self._accounter or len(output.counts) != 2:
            return malformed(payload, "no output of our processor")
        acceleration, angular_velocity = (output.counts[i : i + 1] * scale for i, scale in enumerate(self.scales))
        return stamped(self._clock, output.tick, acceleration, angular_velocity, len(payload))


def switch_commands(*, is_on: bool) -> tuple[bytes, ...]:
    """Return the commands that switch both chips on or off.

    On: sampling first, then the chip. Off: in reverse order.
    """
    modules = (GYROSCOPE, ACCELEROMETER)
    sampling = tuple(bytes((module, ENABLE, is_on, not is_on)) for module in modules)
    power = tuple(bytes((module, START, is_on)) for module in modules)
    return sampling + power if is_on else power + sampling


def _which_chip(module: int) -> _Ask:
    ask = bytes((module, WHICH_CHIP))
    return _Ask((ask,), ask)


def _number_of(answer: bytes) -> int:
    """Return the number of the added processor."""
    if len(answer) < 3:
        raise _Unusable(NO_PROCESSORS)
    return answer[2]


def _written(commands: tuple[bytes, ...]) -> tuple[Action, ...]:
    return tuple(Write(COMMANDS, each, with_response=False) for each in commands)


def recognises(advertisement: Advertisement) -> bool:
    """Return whether the sensor is a MetaWear or MetaMotion.

    Its owner may have renamed it, so the service decides too.
    """
    return SERVICE in advertisement.services or (advertisement.name or "").startswith(("MetaWear", "MetaMotion"))


METAMOTION = streaming_kind(
    "metamotion", "MbientLab MetaMotion", recognises, lambda rate_hz, _nameplate: MetaMotionConnection(rate_hz)
)
