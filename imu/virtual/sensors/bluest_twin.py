"""A virtual SensorTile.box at 50 Hz.

Its 16-bit clock starts 5 s before the wrap.
"""

from __future__ import annotations

import struct

import numpy as np

from imu.samples import ImuBlock
from imu.sensors import bluest
from imu.sensors.conversation import Advertisement
from imu.virtual.sensors.twin import Characteristic, Measured, Notification, Property, Service, StreamingTwin, counts

SENSORTILE_BOX = 0x06
FEATURES = 0x00E00000
ADDRESS = bytes.fromhex("C0FFEE012345")
RATE_HZ = 50.0
CLOCK_S = 2**16 * bluest.STAMPS.tick_s - 5.0


class BlueStTwin(StreamingTwin):
    """Twin of a SensorTile.box."""

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed, CLOCK_S)

    @property
    def advertisement(self) -> Advertisement:
        """ST's data, which stand in the place of a company identifier."""
        content = FEATURES.to_bytes(4, "big") + ADDRESS
        return Advertisement("BCN-123", (), {0x01 | SENSORTILE_BOX << 8: content})

    @property
    def services(self) -> tuple[Service, ...]:
        """The feature service."""
        motion = Characteristic(bluest.MOTION, Property.NOTIFY)
        return (Service(bluest.FEATURES_SERVICE, (motion,)),)

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Stream while there is a subscription."""
        super().subscribed(characteristic, on, now_s)
        if characteristic == bluest.MOTION:
            if on:
                self._start_stream(now_s, RATE_HZ)
            else:
                self._stop_stream()

    def _packets(self, measured: Measured) -> list[Notification]:
        stamps = np.floor(measured.clock_s / bluest.STAMPS.tick_s).astype(np.int64) % 2**16
        force = counts(measured.acceleration_m_s2, bluest.ACCELERATION_UNIT_M_S2)
        turn = counts(measured.angular_velocity_rad_s, bluest.ANGULAR_VELOCITY_UNIT_RAD_S)
        rows = zip(stamps, force, turn, strict=True)
        return [Notification(bluest.MOTION, struct.pack("<H9h", stamp, *f, *t, 400, -120, 300)) for stamp, f, t in rows]
