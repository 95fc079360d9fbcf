"""A virtual Adafruit CLUE: two services, one sample a second at first."""

from __future__ import annotations

import struct

from imu.samples import ImuBlock
from imu.sensors import bluefruit
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
)

FIRST_PERIOD_MS = 1000
SHORTEST_PERIOD_MS = 15
"""The Python program on the board is not faster."""
ACCELERATION_UNIT_M_S2 = 4 * 9.80665 / 32768
ANGULAR_VELOCITY_UNIT_RAD_S = 0.00875 * 3.141592653589793 / 180


class BluefruitTwin(StreamingTwin):
    """Twin of a CLUE."""

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed)
        self._set_period(FIRST_PERIOD_MS)
        self._battery = battery(self, 70)

    @property
    def advertisement(self) -> Advertisement:
        """The company and the first service."""
        services = (bluefruit.ACCELERATION_SERVICE,)
        return Advertisement("CLUE", services, {bluefruit.COMPANY: bytes.fromhex("0401007200")})

    @property
    def services(self) -> tuple[Service, ...]:
        """Both services and the battery; the period has the same UUID in both."""
        period = Characteristic(bluefruit.PERIOD, Property.READ | Property.WRITE)
        notify = Property.READ | Property.NOTIFY
        return (
            Service(bluefruit.ACCELERATION_SERVICE, (Characteristic(bluefruit.ACCELERATION, notify), period)),
            Service(bluefruit.ANGULAR_VELOCITY_SERVICE, (Characteristic(bluefruit.ANGULAR_VELOCITY, notify), period)),
            self._battery,
        )

    def connected(self, now_s: float, mtu: int) -> None:
        """Reset the period to one second."""
        super().connected(now_s, mtu)
        self._set_period(FIRST_PERIOD_MS)

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Stream while there is a subscription."""
        super().subscribed(characteristic, on, now_s)
        self._go_on(now_s)

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Set the period; one loop paces both services."""
        if characteristic == bluefruit.PERIOD and len(payload) == 4:
            self._set_period(max(struct.unpack("<i", payload)[0], SHORTEST_PERIOD_MS))
            self._go_on(now_s)

    def _set_period(self, period_ms: int) -> None:
        self.values[bluefruit.PERIOD] = bluefruit.period_command(period_ms)

    def _go_on(self, now_s: float) -> None:
        if self._subscribed & {bluefruit.ACCELERATION, bluefruit.ANGULAR_VELOCITY}:
            self._start_stream(now_s, 1000.0 / struct.unpack("<i", self.values[bluefruit.PERIOD])[0])
        else:
            self._stop_stream()

    def _packets(self, measured: Measured) -> list[Notification]:
        force = counts(measured.acceleration_m_s2, ACCELERATION_UNIT_M_S2) * ACCELERATION_UNIT_M_S2
        turn = counts(measured.angular_velocity_rad_s, ANGULAR_VELOCITY_UNIT_RAD_S) * ANGULAR_VELOCITY_UNIT_RAD_S
        notifications = []
        for force_row, turn_row in zip(force, turn, strict=True):
            notifications.append(Notification(bluefruit.ACCELERATION, struct.pack("<3f", *force_row)))
            notifications.append(Notification(bluefruit.ANGULAR_VELOCITY, struct.pack("<3f", *turn_row)))
        return notifications
