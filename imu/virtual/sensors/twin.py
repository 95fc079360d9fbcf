"""What a virtual twin of a sensor is: a GATT layout and a state machine that speaks the sensor's bytes.

A twin is told what the central does and what time it is, and says what it would notify. It refuses to know Bluetooth
and clocks: a radio (:mod:`imu.virtual.radio`) or a test carries what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol

from imu.sensors.conversation import Advertisement


class Property(Flag):
    """What a characteristic lets a central do."""

    READ = auto()
    WRITE = auto()
    WRITE_WITHOUT_RESPONSE = auto()
    NOTIFY = auto()
    INDICATE = auto()


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One characteristic: its UUID in full (lower case) and what it allows."""

    uuid: str
    properties: Property


@dataclass(frozen=True, slots=True)
class Service:
    """One primary service: its UUID in full (lower case) and its characteristics in order."""

    uuid: str
    characteristics: tuple[Characteristic, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A notification or indication: at most MTU - 3 bytes."""

    characteristic: str
    payload: bytes


class WriteRefused(Exception):
    """The sensor answers a write with an ATT error."""

    def __init__(self, att_error: int) -> None:
        super().__init__(f"ATT error 0x{att_error:02x}")
        self.att_error = att_error


class Twin(Protocol):
    """One virtual sensor. Times are seconds on a clock that only goes forward; the twin has its own clock inside."""

    @property
    def advertisement(self) -> Advertisement:
        """What it advertises."""

    @property
    def services(self) -> tuple[Service, ...]:
        """Its GATT layout."""

    def connected(self, now_s: float, mtu: int) -> None:
        """Take note that a central has connected; `mtu` bytes is the ATT MTU."""

    def mtu_changed(self, mtu: int) -> None:
        """Take note of another ATT MTU."""

    def disconnected(self, now_s: float) -> None:
        """Take note that the central is gone: subscriptions end."""

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Take note of a subscription or of its end."""

    def read(self, characteristic: str, now_s: float) -> bytes:
        """Return what the characteristic holds."""

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Take a write; what it answers comes with the next `step`. Raises `WriteRefused`."""

    def step(self, now_s: float, room: int) -> tuple[Said, ...]:
        """Return what is to be sent by now, at most `room` messages; what finds no room waits in the sensor's FIFO."""
