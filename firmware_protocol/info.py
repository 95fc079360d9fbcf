"""Info: what this sensor is. This module refuses to know how it measures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from firmware_protocol.layout import Layout, Undecodable, check_range

INFO: Final = Layout(
    ("u8", "major"),
    ("u8", "minor"),
    ("u8", "most_samples_per_packet"),
    ("u8", "reserved"),
    ("u32", "capabilities"),
    ("u32", "buffer_samples"),
    ("u64", "boot_id"),
)


class Capabilities(IntFlag):
    """What the sensor can do; bits unknown here are kept and mean nothing."""

    NONE = 0
    RESEND = 1
    COMPACT = 2
    TIME_SYNC = 4
    IDENTIFY = 8
    SLEEP = 16
    BATTERY = 32
    OPEN_LAB = 64
    """Built without encryption and pairing, for tests on a bench."""


@dataclass(frozen=True, slots=True)
class Info:
    """What this sensor is, from boot to boot the same but for `boot_id`.

    Attributes
    ----------
    major, minor : int
        Version of the protocol; u8.
    capabilities : Capabilities
        What it can do; u32.
    most_samples_per_packet : int
        It never sends more samples in a packet; u8.
    buffer_samples : int
        Samples that it keeps for a resend; u32.
    boot_id : int
        Random at each boot; u64. Another one means that index, clock and epoch began anew.
    """

    major: int
    minor: int
    capabilities: Capabilities
    most_samples_per_packet: int
    buffer_samples: int
    boot_id: int

    def __post_init__(self) -> None:
        """Check that the values fit into their fields."""
        object.__setattr__(self, "capabilities", Capabilities(self.capabilities))
        check_range("major", self.major, 8)
        check_range("minor", self.minor, 8)
        check_range("capabilities", int(self.capabilities), 32)
        check_range("most_samples_per_packet", self.most_samples_per_packet, 8)
        check_range("buffer_samples", self.buffer_samples, 32)
        check_range("boot_id", self.boot_id, 64)


def encode_info(info: Info) -> bytes:
    """Return the bytes of Info."""
    return INFO.pack(
        info.major,
        info.minor,
        info.most_samples_per_packet,
        0,
        info.capabilities,
        info.buffer_samples,
        info.boot_id,
    )


def decode_info(payload: bytes) -> Info | Undecodable:
    """Return the Info in `payload`, of any version: whoever asks compares `Info.major`."""
    if len(payload) < INFO.size:
        return Undecodable("too short", len(payload))
    major, minor, most_samples, _, capabilities, buffer_samples, boot_id = INFO.unpack(payload)
    return Info(major, minor, Capabilities(capabilities), most_samples, buffer_samples, boot_id)
