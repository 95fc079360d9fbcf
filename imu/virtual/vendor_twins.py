"""Twins of sensors that send one sample a notification, one section a vendor, and `TWINS`, the list of all kinds.

Where a clock has a wrap, it starts some seconds before it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from imu.samples import ImuBlock
from imu.sensors import boards
from imu.sensors import metamotion as mbl
from imu.sensors import movella_dot as dot
from imu.sensors.conversation import Advertisement
from imu.sensors.driver import M_S2_PER_G, RAD_S_PER_DPS
from imu.virtual.packet_twins import MovesenseTwin, PolarTwin, WitMotionTwin
from imu.virtual.reference_twin import ReferenceTwin
from imu.virtual.twin import (
    READ_NOTIFY,
    READ_WRITE,
    Characteristic,
    Measured,
    Notification,
    Property,
    Service,
    StreamingTwin,
    Twin,
    battery,
    counts,
    device_information,
)

# --- Movella DOT ------------------------------------------------------------------------------------------------------

DOT_CLOCK_S = 2**32 * 1e-6 - 5.0
DOT_FACTORY_RATE_HZ = 60
DOT_RATES_HZ = (1, 4, 10, 12, 15, 20, 30, 60)
"""Rates of a stream."""
DOT_ADDRESS = bytes.fromhex("D422CD001234")
DOT_SERIAL = 0xD422CD001234


class MovellaDotTwin(StreamingTwin):
    """Twin of a Movella DOT: payload modes 21 and 26.

    The output rate outlives a connection, the measurement does not. The output rate is exact: the sensor's own filter
    resamples to it.
    """

    advertisement = Advertisement("Movella DOT", (), {0x0886: DOT_ADDRESS})
    services = (
        Service(
            dot.CONFIGURATION_SERVICE,
            (Characteristic(dot.DEVICE_INFO, Property.READ), Characteristic(dot.DEVICE_CONTROL, READ_WRITE)),
        ),
        Service(
            dot.MEASUREMENT_SERVICE,
            (
                Characteristic(dot.CONTROL, READ_WRITE),
                Characteristic(dot.LONG_PAYLOAD, Property.NOTIFY),
                Characteristic(dot.MEDIUM_PAYLOAD, Property.NOTIFY),
            ),
        ),
        Service(dot.BATTERY_SERVICE, (Characteristic(dot.BATTERY, READ_NOTIFY),)),
    )

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed, DOT_CLOCK_S)
        self._rate_error = 0.0
        self._mode = 0
        self._set_rate(DOT_FACTORY_RATE_HZ)
        made = bytes((3, 0, 0)) + (2023).to_bytes(2, "little") + bytes((5, 11, 10, 30, 0)) + bytes(4)
        self.values[dot.DEVICE_INFO] = DOT_ADDRESS + made + struct.pack("<Q", DOT_SERIAL) + bytes(6)
        self.values[dot.BATTERY] = bytes((77, 0))

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Set the rate, start or stop."""
        if characteristic == dot.DEVICE_CONTROL and len(payload) == dot.DEVICE_CONTROL_SIZE and payload[0] & 0x10:
            rate_hz = dot.decode_rate_hz(payload)
            if rate_hz in DOT_RATES_HZ and not self.is_streaming:
                self._set_rate(rate_hz)
        elif characteristic == dot.CONTROL and len(payload) == 3 and payload[0] == 1:
            self._mode = payload[2]
            if payload[1]:
                self._start_stream(now_s, dot.decode_rate_hz(self.values[dot.DEVICE_CONTROL]) or DOT_FACTORY_RATE_HZ)
            else:
                self._stop_stream()

    def _set_rate(self, rate_hz: int) -> None:
        self.values[dot.DEVICE_CONTROL] = bytes(1) + dot.rate_command(rate_hz)[1:]

    def _packets(self, measured: Measured) -> list[Notification]:
        turn_dps = measured.angular_velocity_rad_s / RAD_S_PER_DPS
        notifications = []
        for clock_s, force, turn in zip(measured.clock_s, measured.acceleration_m_s2, turn_dps, strict=True):
            stamp = struct.pack("<I", round(clock_s * 1e6) % 2**32)
            rates = struct.pack("<6f", *force, *turn)
            if self._mode == dot.RATE_QUANTITIES:
                notifications.append(Notification(dot.MEDIUM_PAYLOAD, stamp + rates))
            elif self._mode == dot.CUSTOM_5:
                notifications.append(Notification(dot.LONG_PAYLOAD, stamp + struct.pack("<4f", 1, 0, 0, 0) + rates))
        return notifications


# --- MetaMotion -------------------------------------------------------------------------------------------------------

MBL_CLOCK_S = 2**32 * mbl.STAMPS.tick_s - 7.0
BUFFER, FUSER, ACCOUNTER = 0x0F, 0x1B, 0x11
MOST_PROCESSORS = 28
GYROSCOPE_IMPLEMENTATIONS = {mbl.Chip.BMI160: 0, mbl.Chip.BMI270: 1}


@dataclass(slots=True)
class _Processor:
    kind: int
    source: bytes
    settings: bytes
    is_notifying: bool = False


class MetaMotionTwin(StreamingTwin):
    """Twin of a MetaMotion: BMI160 (even seeds) or BMI270 (odd seeds).

    As on a real board, the processors outlive a connection; only a reset and the command for it remove them.
    """

    advertisement = Advertisement("MetaWear", (mbl.SERVICE,))

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed, MBL_CLOCK_S)
        self._chip = mbl.Chip.BMI270 if seed % 2 else mbl.Chip.BMI160
        command = Property.WRITE | Property.WRITE_WITHOUT_RESPONSE
        self.services = (
            Service(
                mbl.SERVICE,
                (Characteristic(mbl.COMMANDS, command), Characteristic(mbl.NOTIFICATIONS, Property.NOTIFY)),
            ),
            device_information(self, "8" if seed % 2 else "5", "02F1A3", "1.7.3"),
            battery(self, 92),
        )
        self._processors: list[_Processor] = []
        self._is_on = {mbl.ACCELEROMETER: False, mbl.GYROSCOPE: False}
        self._configurations = {mbl.ACCELEROMETER: b"", mbl.GYROSCOPE: b""}

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Continue with the existing processors."""
        super().subscribed(characteristic, on, now_s)
        self._go_on(now_s)

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Process a command."""
        if characteristic != mbl.COMMANDS or len(payload) < 2:
            return
        module, register, data = payload[0], payload[1], payload[2:]
        if register == mbl.WHICH_CHIP:
            implementations = {
                mbl.ACCELEROMETER: self._chip.value,
                mbl.GYROSCOPE: GYROSCOPE_IMPLEMENTATIONS[self._chip],
            }
            about = bytes((implementations[module], 1)) if module in implementations else b""
            self._answer(mbl.NOTIFICATIONS, bytes((module, register)) + about)
        elif module == mbl.PROCESSOR:
            self._process(register, data)
        elif module in self._is_on and register == mbl.CONFIGURE:
            self._configurations[module] = data
        elif module in self._is_on and register == mbl.START:
            self._is_on[module] = data == b"\x01"
            self._go_on(now_s)

    def _process(self, register: int, data: bytes) -> None:
        if register == mbl.REMOVE_ALL:
            self._processors.clear()
        elif register == mbl.ADD and len(data) > 5 and len(self._processors) < MOST_PROCESSORS:
            self._processors.append(_Processor(data[4], data[:4], data[5:]))
            number = len(self._processors) - 1
            self._answer(mbl.NOTIFICATIONS, bytes((mbl.PROCESSOR, mbl.ADD, number)))
        elif register == mbl.NOTIFY and len(data) == 2 and data[0] < len(self._processors):
            self._processors[data[0]].is_notifying = data[1] == 1

    def _go_on(self, now_s: float) -> None:
        """Measure while both chips are on and there is a subscription."""
        is_wanted = all(self._is_on.values()) and mbl.NOTIFICATIONS in self._subscribed
        if is_wanted and not self.is_streaming:
            self._start_stream(now_s, self._configured_rate_hz())
        elif not is_wanted:
            self._stop_stream()

    def _configured_rate_hz(self) -> float:
        codes = {code: rate for rate, code in mbl.RATE_CODES.items()}
        return float(codes[self._configurations[mbl.ACCELEROMETER][0] & 0x0F])

    def _is_complete(self, number: int) -> bool:
        """Return whether this is an accounter of a fuser of a gyroscope buffer."""
        register = 0x04 if self._chip is mbl.Chip.BMI270 else 0x05
        accounter = self._processors[number]
        fuser = self._processors[accounter.source[2]] if accounter.source[2] < number else accounter
        return (
            accounter.kind == ACCOUNTER
            and fuser.kind == FUSER
            and fuser.settings[1] < number
            and self._processors[fuser.settings[1]].source[:2] == bytes((mbl.GYROSCOPE, register))
        )

    def _packets(self, measured: Measured) -> list[Notification]:
        numbers = [i for i, each in enumerate(self._processors) if each.is_notifying and self._is_complete(i)]
        force = counts(measured.acceleration_m_s2, mbl.acceleration_unit_m_s2(mbl.RANGE_G))
        turn = counts(measured.angular_velocity_rad_s, mbl.angular_velocity_unit_rad_s(mbl.RANGE_DPS))
        heard_late_s = self._rng.uniform(0.0, 0.0015, len(force))  # the board stamps when it takes the sample
        ticks = np.floor((measured.clock_s + heard_late_s) / mbl.STAMPS.tick_s).astype(np.int64) % 2**32
        return [
            Notification(mbl.NOTIFICATIONS, struct.pack("<3BI6h", mbl.PROCESSOR, mbl.OUTPUT, number, tick, *f, *t))
            for tick, f, t in zip(ticks, force, turn, strict=True)
            for number in numbers
        ]


# --- Nordic Thingy:52 -------------------------------------------------------------------------------------------------

THINGY_FACTORY_CONFIGURATION = struct.pack("<4HB", 500, 5000, 5000, 10, 1)
THINGY_RATES_HZ = range(5, 201)
THINGY_CEILING_HZ = 60.0
"""Highest rate that gets through."""


class Thingy52Twin(StreamingTwin):
    """Twin of a Thingy:52: raw motion at the configured rate, 10 Hz at first."""

    advertisement = Advertisement("Thingy", (boards.CONFIGURATION_SERVICE,))
    motion = (boards.RAW_MOTION,)

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed)
        self.values[boards.CONFIGURATION] = THINGY_FACTORY_CONFIGURATION
        characteristics = (
            Characteristic(boards.CONFIGURATION, READ_WRITE),
            Characteristic(boards.RAW_MOTION, Property.NOTIFY),
        )
        self.services = (
            Service(boards.CONFIGURATION_SERVICE, ()),
            Service(boards.MOTION_SERVICE, characteristics),
            battery(self, 55),
        )

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Set the configuration."""
        is_configuration = characteristic == boards.CONFIGURATION and len(payload) == boards.CONFIGURATION_SIZE
        if is_configuration and int.from_bytes(payload[boards.RATE_AT], "little") in THINGY_RATES_HZ:
            self.values[characteristic] = payload
            self._go_on(now_s)

    def _wanted_rate_hz(self) -> float:
        rate_hz = int.from_bytes(self.values[boards.CONFIGURATION][boards.RATE_AT], "little")
        return min(rate_hz, THINGY_CEILING_HZ)

    def _packets(self, measured: Measured) -> list[Notification]:
        force = counts(measured.acceleration_m_s2, boards.THINGY52_ACCELERATION_UNIT_M_S2)
        turn = counts(measured.angular_velocity_rad_s, boards.THINGY52_ANGULAR_VELOCITY_UNIT_RAD_S)
        rows = zip(force, turn, strict=True)
        return [Notification(boards.RAW_MOTION, struct.pack("<9h", *f, *t, 320, -80, 640)) for f, t in rows]


# --- ST BlueST board --------------------------------------------------------------------------------------------------

SENSORTILE_BOX = 0x06
BLUEST_FEATURES = 0x00E00000
BLUEST_ADDRESS = bytes.fromhex("C0FFEE012345")
BLUEST_RATE_HZ = 50.0
BLUEST_CLOCK_S = 2**16 * boards.STAMPS.tick_s - 5.0


class BlueStTwin(StreamingTwin):
    """Twin of a SensorTile.box. ST's data stand in the place of a company identifier."""

    advertisement = Advertisement(
        "BCN-123", (), {0x01 | SENSORTILE_BOX << 8: BLUEST_FEATURES.to_bytes(4, "big") + BLUEST_ADDRESS}
    )
    services = (Service(boards.FEATURES_SERVICE, (Characteristic(boards.MOTION, Property.NOTIFY),)),)
    motion = (boards.MOTION,)

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed, BLUEST_CLOCK_S)

    def _wanted_rate_hz(self) -> float:
        return BLUEST_RATE_HZ

    def _packets(self, measured: Measured) -> list[Notification]:
        stamps = np.floor(measured.clock_s / boards.STAMPS.tick_s).astype(np.int64) % 2**16
        force = counts(measured.acceleration_m_s2, boards.BLUEST_ACCELERATION_UNIT_M_S2)
        turn = counts(measured.angular_velocity_rad_s, boards.BLUEST_ANGULAR_VELOCITY_UNIT_RAD_S)
        rows = zip(stamps, force, turn, strict=True)
        return [Notification(boards.MOTION, struct.pack("<H9h", stamp, *f, *t, 400, -120, 300)) for stamp, f, t in rows]


# --- Adafruit CLUE ----------------------------------------------------------------------------------------------------

CLUE_FIRST_PERIOD_MS = 1000
CLUE_SHORTEST_PERIOD_MS = 15
"""The Python program on the board is not faster."""
CLUE_ACCELERATION_UNIT_M_S2 = 4 * M_S2_PER_G / 32768
CLUE_ANGULAR_VELOCITY_UNIT_RAD_S = 0.00875 * RAD_S_PER_DPS


class BluefruitTwin(StreamingTwin):
    """Twin of a CLUE: two services, one sample a second at first; the period has the same UUID in both."""

    advertisement = Advertisement("CLUE", (boards.ACCELERATION_SERVICE,), {boards.COMPANY: bytes.fromhex("0401007200")})
    motion = (boards.ACCELERATION, boards.ANGULAR_VELOCITY)

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed)
        self._set_period(CLUE_FIRST_PERIOD_MS)
        period = Characteristic(boards.PERIOD, READ_WRITE)
        services = (boards.ACCELERATION_SERVICE, boards.ANGULAR_VELOCITY_SERVICE)
        self.services = (
            *(
                Service(one, (Characteristic(of, READ_NOTIFY), period))
                for one, of in zip(services, self.motion, strict=True)
            ),
            battery(self, 70),
        )

    def connected(self, now_s: float, mtu: int) -> None:
        """Reset the period to one second."""
        super().connected(now_s, mtu)
        self._set_period(CLUE_FIRST_PERIOD_MS)

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Set the period; one loop paces both services."""
        if characteristic == boards.PERIOD and len(payload) == 4:
            self._set_period(max(struct.unpack("<i", payload)[0], CLUE_SHORTEST_PERIOD_MS))
            self._go_on(now_s)

    def _set_period(self, period_ms: int) -> None:
        self.values[boards.PERIOD] = boards.period_command(period_ms)

    def _wanted_rate_hz(self) -> float:
        return 1000.0 / float(struct.unpack("<i", self.values[boards.PERIOD])[0])

    def _packets(self, measured: Measured) -> list[Notification]:
        force = counts(measured.acceleration_m_s2, CLUE_ACCELERATION_UNIT_M_S2) * CLUE_ACCELERATION_UNIT_M_S2
        turn = (
            counts(measured.angular_velocity_rad_s, CLUE_ANGULAR_VELOCITY_UNIT_RAD_S) * CLUE_ANGULAR_VELOCITY_UNIT_RAD_S
        )
        notifications = []
        for force_row, turn_row in zip(force, turn, strict=True):
            notifications.append(Notification(boards.ACCELERATION, struct.pack("<3f", *force_row)))
            notifications.append(Notification(boards.ANGULAR_VELOCITY, struct.pack("<3f", *turn_row)))
        return notifications


# --- the list of all kinds --------------------------------------------------------------------------------------------

TwinFactory = Callable[[ImuBlock, int], Twin]
"""Makes a twin that measures a signal; serial numbers and errors follow from the seed."""

TWINS: Mapping[str, TwinFactory] = MappingProxyType(
    {
        "reference": ReferenceTwin,
        "movesense": MovesenseTwin,
        "polar": PolarTwin,
        "movella_dot": MovellaDotTwin,
        "witmotion": WitMotionTwin,
        "metamotion": MetaMotionTwin,
        "thingy52": Thingy52Twin,
        "bluest": BlueStTwin,
        "bluefruit": BluefruitTwin,
    }
)
"""By name of the :class:`imu.sensors.conversation.SensorKind`, as in ``imu sensor --kind NAME``."""
