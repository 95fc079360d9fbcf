"""A virtual Movesense: GSP with packets in two parts at a short MTU.

Its clock starts six seconds before the 32-bit wrap.
"""

from __future__ import annotations

import numpy as np

from imu.samples import ImuBlock
from imu.sensors import movesense as gsp
from imu.sensors.conversation import Advertisement
from imu.sensors.driver import M_S2_PER_G, RAD_S_PER_DPS, full_uuid
from imu.virtual.sensors.twin import (
    Characteristic,
    Gathered,
    Measured,
    Notification,
    Property,
    Service,
    StreamingTwin,
    battery,
    counts,
    device_information,
)

SERIAL = "204830000123"
CLOCK_S = 2**32 * 0.001 - 6.0
SAMPLES_PER_PACKET = {13: 1, 26: 2, 52: 4, 104: 8, 208: 16}
SENSOR_MTU = 161
ACCELERATION_UNIT_M_S2 = 0.244e-3 * M_S2_PER_G  # LSM6DS3 at ±8 g
ANGULAR_VELOCITY_UNIT_DPS = 0.070  # at ±2000 °/s


class MovesenseTwin(StreamingTwin):
    """Twin of a Movesense."""

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed, CLOCK_S)
        self._services = (
            Service(
                gsp.SERVICE,
                (
                    Characteristic(gsp.COMMANDS, Property.WRITE),
                    Characteristic(gsp.NOTIFICATIONS, Property.NOTIFY),
                ),
            ),
            device_information(self, "Movesense HR2", SERIAL, "2.3.1"),
            battery(self, 81),
        )
        self._reference = 0  # of the subscription
        self._samples = 0  # in a packet
        self._gathered = Gathered()

    @property
    def advertisement(self) -> Advertisement:
        """The name; the service is not advertised."""
        return Advertisement(f"Movesense {SERIAL}", (full_uuid(0xFDF3),), {0x009F: b"\x01"})

    @property
    def services(self) -> tuple[Service, ...]:
        """GSP, device information, battery."""
        return self._services

    def disconnected(self, now_s: float) -> None:
        """Drop all subscriptions, as the firmware does."""
        super().disconnected(now_s)
        self._gathered.clear()

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Process a command."""
        if characteristic != gsp.COMMANDS or len(payload) < 2:
            return
        code, reference = payload[0], payload[1]
        if code == gsp.HELLO:
            parts = (SERIAL, "Movesense HR2", "0C8CDC000000", "Movesense default", "2.3.1")
            content = b"\x01" + b"".join(part.encode() + b"\0" for part in parts)
            self._answer(gsp.NOTIFICATIONS, bytes((gsp.ANSWER, reference)) + content)
            return
        status = 501
        if code == gsp.SUBSCRIBE:
            status = self._subscribe(reference, payload[2:].decode("ascii", errors="replace"), now_s)
        elif code == gsp.UNSUBSCRIBE:
            status = 200 if reference == self._reference and self.is_streaming else 404
            self._stop_stream()
        self._answer(gsp.NOTIFICATIONS, bytes((gsp.ANSWER, reference)) + status.to_bytes(2, "little"))

    def _subscribe(self, reference: int, path: str, now_s: float) -> int:
        rates = {gsp.imu_path(rate): rate for rate in SAMPLES_PER_PACKET}
        if path not in rates:
            return 404
        self._reference, self._samples = reference, SAMPLES_PER_PACKET[rates[path]]
        self._gathered.clear()
        self._start_stream(now_s, rates[path])
        return 200

    def _packets(self, measured: Measured) -> list[Notification]:
        self._gathered.push(measured)
        return [part for packet in self._gathered.take(self._samples) for part in self._packet(packet)]

    def _packet(self, measured: Measured) -> list[Notification]:
        """Return one packet, in two parts if it is too long."""
        force = counts(measured.acceleration_m_s2, ACCELERATION_UNIT_M_S2) * ACCELERATION_UNIT_M_S2
        turn = counts(measured.angular_velocity_rad_s / RAD_S_PER_DPS, ANGULAR_VELOCITY_UNIT_DPS)
        floats = np.concatenate((force, turn * ANGULAR_VELOCITY_UNIT_DPS)).astype("<f4").tobytes()
        packet = (int(measured.clock_s[0] * 1000) % 2**32).to_bytes(4, "little") + floats
        room = min(self._mtu, SENSOR_MTU) - 5
        parts = [bytes((gsp.DATA, self._reference)) + packet[:room]]
        if packet[room:]:
            parts.append(bytes((gsp.DATA_PART2, self._reference)) + packet[room:])
        return [Notification(gsp.NOTIFICATIONS, part) for part in parts]
