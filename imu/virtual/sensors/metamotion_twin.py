"""A virtual MetaMotion: BMI160 (even seeds) or BMI270 (odd seeds).

As on a real board, the processors outlive a connection; only a reset and the command for it remove them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from imu.samples import ImuBlock
from imu.sensors import metamotion as mbl
from imu.sensors.conversation import Advertisement
from imu.virtual.sensors.twin import (
    Characteristic,
    Measured,
    Notification,
    Property,
    Service,
    StreamingTwin,
    battery,
    counts,
    device_information,
)

CLOCK_S = 2**32 * mbl.STAMPS.tick_s - 7.0
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
    """Twin of a MetaMotion."""

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed, CLOCK_S)
        self._chip = mbl.Chip.BMI270 if seed % 2 else mbl.Chip.BMI160
        command = Property.WRITE | Property.WRITE_WITHOUT_RESPONSE
        self._services = (
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

    @property
    def advertisement(self) -> Advertisement:
        """The name and the service."""
        return Advertisement("MetaWear", (mbl.SERVICE,))

    @property
    def services(self) -> tuple[Service, ...]:
        """Commands, device information, battery."""
        return self._services

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
