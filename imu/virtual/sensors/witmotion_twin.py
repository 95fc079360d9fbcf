"""A virtual WitMotion WT901BLE: it streams once subscribed, at 10 Hz at first.

The radio chip sends what the motion chip writes into a pipe: several frames in one notification, cut anywhere. The rate
outlives a connection; the first battery reading is 0.
"""

from __future__ import annotations

import struct

from imu.samples import ImuBlock
from imu.sensors import witmotion as wit
from imu.sensors.conversation import Advertisement
from imu.virtual.sensors.twin import Characteristic, Measured, Notification, Property, Service, StreamingTwin, counts

FACTORY_RATE_HZ = 10.0
PIPE_SIZE = 94
"""Bytes of one notification from the pipe: not a multiple of a frame."""
CENTIVOLTS = 391


class WitMotionTwin(StreamingTwin):
    """Twin of a WT901BLE."""

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed)
        self._rate_wanted_hz = FACTORY_RATE_HZ
        self._pipe = b""
        self._battery_readings = 0

    @property
    def advertisement(self) -> Advertisement:
        """The name and the service."""
        return Advertisement("WT901BLE68", (wit.SERVICE,))

    @property
    def services(self) -> tuple[Service, ...]:
        """The one service."""
        write = Property.WRITE | Property.WRITE_WITHOUT_RESPONSE
        notify = Characteristic(wit.NOTIFICATIONS, Property.NOTIFY)
        return (Service(wit.SERVICE, (notify, Characteristic(wit.COMMANDS, write))),)

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Stream while there is a subscription."""
        super().subscribed(characteristic, on, now_s)
        if characteristic == wit.NOTIFICATIONS:
            self._pipe = b""
            if on:
                self._start_stream(now_s, self._rate_wanted_hz)
            else:
                self._stop_stream()

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Process a command."""
        if characteristic != wit.COMMANDS or len(payload) != 5 or payload[:2] != b"\xff\xaa":
            return
        register, value = payload[2], int.from_bytes(payload[3:], "little")
        rates = {code: rate for rate, code in wit.RATE_CODES.items()}
        if register == wit.RATE_REGISTER and value in rates:
            self._rate_wanted_hz = float(rates[value])
            if self.is_streaming:
                self._start_stream(now_s, self._rate_wanted_hz)
        elif register == wit.READ_REGISTER:
            self._battery_readings += 1
            content = CENTIVOLTS if value == wit.BATTERY_REGISTER and self._battery_readings > 1 else 0
            self._pipe += wit.REGISTERS + struct.pack("<9H", value, content, *(7 * (0,)))

    def _packets(self, measured: Measured) -> list[Notification]:
        force = counts(measured.acceleration_m_s2, wit.ACCELERATION_UNIT_M_S2)
        turn = counts(measured.angular_velocity_rad_s, wit.ANGULAR_VELOCITY_UNIT_RAD_S)
        for force_row, turn_row in zip(force, turn, strict=True):
            self._pipe += wit.MOTION + struct.pack("<9h", *force_row, *turn_row, 0, 0, 0)
        size = min(PIPE_SIZE, self._mtu - 3)
        pieces = [self._pipe[i : i + size] for i in range(0, len(self._pipe), size)]
        self._pipe = b""
        return [Notification(wit.NOTIFICATIONS, piece) for piece in pieces]
