"""A virtual Movella DOT: payload modes 21 and 26, one sample per notification.

Its clock starts five seconds before the 32-bit wrap. The output rate outlives a connection, the measurement does not.
The output rate is exact: the sensor's own filter resamples to it.
"""

from __future__ import annotations

import struct

from imu.samples import ImuBlock
from imu.sensors import movella_dot as dot
from imu.sensors.conversation import Advertisement
from imu.sensors.driver import RAD_S_PER_DPS
from imu.virtual.sensors.twin import Characteristic, Measured, Notification, Property, Service, StreamingTwin

CLOCK_S = 2**32 * 1e-6 - 5.0
FACTORY_RATE_HZ = 60
REAL_TIME_RATES_HZ = (1, 4, 10, 12, 15, 20, 30, 60)
ADDRESS = bytes.fromhex("D422CD001234")
SERIAL = 0xD422CD001234
READ_WRITE = Property.READ | Property.WRITE
READ_NOTIFY = Property.READ | Property.NOTIFY


class MovellaDotTwin(StreamingTwin):
    """Twin of a Movella DOT."""

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed, CLOCK_S)
        self._rate_error = 0.0
        self._mode = 0
        self._set_rate(FACTORY_RATE_HZ)
        made = bytes((3, 0, 0)) + (2023).to_bytes(2, "little") + bytes((5, 11, 10, 30, 0)) + bytes(4)
        self.values[dot.DEVICE_INFO] = ADDRESS + made + struct.pack("<Q", SERIAL) + bytes(6)
        self.values[dot.BATTERY] = bytes((77, 0))

    @property
    def advertisement(self) -> Advertisement:
        """The name and the company."""
        return Advertisement("Movella DOT", (), {0x0886: ADDRESS})

    @property
    def services(self) -> tuple[Service, ...]:
        """Configuration, measurement, battery."""
        configuration = (
            Characteristic(dot.DEVICE_INFO, Property.READ),
            Characteristic(dot.DEVICE_CONTROL, READ_WRITE),
        )
        measurement = (
            Characteristic(dot.CONTROL, READ_WRITE),
            Characteristic(dot.LONG_PAYLOAD, Property.NOTIFY),
            Characteristic(dot.MEDIUM_PAYLOAD, Property.NOTIFY),
        )
        return (
            Service(dot.CONFIGURATION_SERVICE, configuration),
            Service(dot.MEASUREMENT_SERVICE, measurement),
            Service(dot.BATTERY_SERVICE, (Characteristic(dot.BATTERY, READ_NOTIFY),)),
        )

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Set the rate, start or stop."""
        if characteristic == dot.DEVICE_CONTROL and len(payload) == dot.DEVICE_CONTROL_SIZE and payload[0] & 0x10:
            rate_hz = dot.decode_rate_hz(payload)
            if rate_hz in REAL_TIME_RATES_HZ and not self.is_streaming:
                self._set_rate(rate_hz)
        elif characteristic == dot.CONTROL and len(payload) == 3 and payload[0] == 1:
            self._mode = payload[2]
            if payload[1]:
                self._start_stream(now_s, dot.decode_rate_hz(self.values[dot.DEVICE_CONTROL]) or FACTORY_RATE_HZ)
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
