"""A small virtual sensor that sends numbers, which show a listener each loss."""

from __future__ import annotations

import itertools
import struct

from bleak import BleakScanner
from bleak.backends.device import BLEDevice

from imu.sensors.conversation import Advertisement
from imu.virtual.radio import RadioConditions, VirtualRadio
from imu.virtual.twin import Characteristic, Notification, Property, Service, WriteRefused

SERVICE = "5e1f0001-7d41-4be6-a35e-1f60c8d9b724"
NUMBERS = "5e1f0002-7d41-4be6-a35e-1f60c8d9b724"
ECHO = "5e1f0003-7d41-4be6-a35e-1f60c8d9b724"
TEXT = "00002a24-0000-1000-8000-00805f9b34fb"
LONG_TEXT = bytes(range(256)) * 2
FAST = RadioConditions(interval_s=0.0, supervision_timeout_s=0.3)
QUICK = RadioConditions(interval_s=0.0075, supervision_timeout_s=0.3)


class CountingTwin:
    """Sends numbers at a rate to its subscribers, echoes writes as indications; drops beyond its queue."""

    def __init__(self, name: str = "counter", rate_hz: float = 200.0, size: int = 20, queue: int = 50) -> None:
        self.advertisement = Advertisement(name, (SERVICE,), {0x1234: b"hip"})
        self.services = (
            Service(
                SERVICE,
                (
                    Characteristic(NUMBERS, Property.NOTIFY),
                    Characteristic(ECHO, Property.WRITE | Property.WRITE_WITHOUT_RESPONSE | Property.INDICATE),
                ),
            ),
            Service("0000180a-0000-1000-8000-00805f9b34fb", (Characteristic(TEXT, Property.READ),)),
        )
        self.rate_hz, self.size, self.queue = rate_hz, size, queue
        self.since_s: float | None = None
        self.counted = self.dropped = 0
        self.mtu = 0
        self.waiting: list[Notification] = []
        self.written: list[bytes] = []
        self.connections = 0

    def connected(self, now_s: float, mtu: int) -> None:
        self.connections += 1
        self.mtu = mtu

    def mtu_changed(self, mtu: int) -> None:
        self.mtu = mtu

    def disconnected(self, now_s: float) -> None:
        self.since_s = None
        self.waiting.clear()

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        if characteristic == NUMBERS:
            self.since_s = now_s if on else None
            self.counted = 0

    def read(self, characteristic: str, now_s: float) -> bytes:
        return LONG_TEXT

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        if payload == b"no":
            raise WriteRefused(0xFD)
        self.written.append(payload)
        self.waiting.append(Notification(ECHO, payload))

    def step(self, now_s: float, room: int) -> tuple[Notification, ...]:
        while self.since_s is not None and self.counted < (now_s - self.since_s) * self.rate_hz:
            if len(self.waiting) < self.queue:
                self.waiting.append(Notification(NUMBERS, struct.pack("<I", self.counted) + bytes(self.size - 4)))
            else:
                self.dropped += 1
            self.counted += 1
        said, self.waiting = self.waiting[:room], self.waiting[room:]
        return tuple(said)


class Numbers(list[int]):
    """The messages received so far."""

    def take(self, _: object, payload: bytearray) -> None:
        self.append(struct.unpack_from("<I", payload)[0])

    @property
    def lost(self) -> int:
        return sum(after - before - 1 for before, after in itertools.pairwise(self))


async def find(radio: VirtualRadio, name: str = "counter") -> BLEDevice:
    device = await BleakScanner.find_device_by_name(name, timeout=5, backend=radio.scanner_backend)
    assert device is not None
    return device
