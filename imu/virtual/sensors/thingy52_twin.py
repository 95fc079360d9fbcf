"""A virtual Nordic Thingy:52: raw motion at the configured rate, 10 Hz at first."""

from __future__ import annotations

import struct

from imu.samples import ImuBlock
from imu.sensors import thingy52 as thingy
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

FACTORY_CONFIGURATION = struct.pack("<4HB", 500, 5000, 5000, 10, 1)
LEAST_RATE_HZ, MOST_RATE_HZ = 5, 200
CEILING_HZ = 60.0
"""Highest rate that gets through."""


class Thingy52Twin(StreamingTwin):
    """Twin of a Thingy:52."""

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed)
        self.values[thingy.CONFIGURATION] = FACTORY_CONFIGURATION
        read_write = Property.READ | Property.WRITE
        motion = (
            Characteristic(thingy.CONFIGURATION, read_write),
            Characteristic(thingy.RAW_MOTION, Property.NOTIFY),
        )
        self._services = (
            Service(thingy.CONFIGURATION_SERVICE, ()),
            Service(thingy.MOTION_SERVICE, motion),
            battery(self, 55),
        )

    @property
    def advertisement(self) -> Advertisement:
        """The name and the configuration service."""
        return Advertisement("Thingy", (thingy.CONFIGURATION_SERVICE,))

    @property
    def services(self) -> tuple[Service, ...]:
        """Configuration, motion, battery."""
        return self._services

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Stream while there is a subscription."""
        super().subscribed(characteristic, on, now_s)
        if characteristic == thingy.RAW_MOTION:
            self._go_on(now_s)

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Set the configuration."""
        is_configuration = characteristic == thingy.CONFIGURATION and len(payload) == thingy.CONFIGURATION_SIZE
        if is_configuration and LEAST_RATE_HZ <= int.from_bytes(payload[thingy.RATE_AT], "little") <= MOST_RATE_HZ:
            self.values[characteristic] = payload
            self._go_on(now_s)

    def _go_on(self, now_s: float) -> None:
        if thingy.RAW_MOTION in self._subscribed:
            rate_hz = int.from_bytes(self.values[thingy.CONFIGURATION][thingy.RATE_AT], "little")
            self._start_stream(now_s, min(rate_hz, CEILING_HZ))
        else:
            self._stop_stream()

    def _packets(self, measured: Measured) -> list[Notification]:
        force = counts(measured.acceleration_m_s2, thingy.ACCELERATION_UNIT_M_S2)
        turn = counts(measured.angular_velocity_rad_s, thingy.ANGULAR_VELOCITY_UNIT_RAD_S)
        rows = zip(force, turn, strict=True)
        return [Notification(thingy.RAW_MOTION, struct.pack("<9h", *f, *t, 320, -80, 640)) for f, t in rows]
