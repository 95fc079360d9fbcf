"""Packets of samples: the content of Data and Backfill.

Samples are counts; the scales in :class:`firmware_protocol.Config` turn them into m/s² and rad/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.layout import Layout, Undecodable, check_range

Counts = NDArray[np.int16]

PROTOCOL_MAJOR = 1
"""A host refuses a sensor with another major version."""
PROTOCOL_MINOR = 0
"""A host ignores the additions of a higher minor version."""

PACKET_HEADER: Final = Layout(
    ("u8", "version_and_type"),
    ("u8", "flags"),
    ("u8", "epoch"),
    ("u8", "samples"),
    ("u32", "first_index"),
    ("u48", "device_time_us"),
)
COMPACT_HEADER: Final = Layout(
    ("u8", "version_and_type"),
    ("u8", "flags"),
    ("u8", "epoch"),
    ("u8", "samples"),
    ("u16", "first_index_low"),
    ("u16", "device_time_ms_low"),
)
SAMPLE: Final = Layout(
    ("i16", "acceleration_x"),
    ("i16", "acceleration_y"),
    ("i16", "acceleration_z"),
    ("i16", "angular_velocity_x"),
    ("i16", "angular_velocity_y"),
    ("i16", "angular_velocity_z"),
)

_ATT_NOTIFICATION_HEADER = 3


class PacketKind(IntEnum):
    """Low nibble of a packet's first byte; 3 is reserved for events."""

    LIVE = 1
    """Sent as measured."""
    BACKFILL = 2
    """Sent on request. A packet without samples ends a resend."""
    COMPACT = 4
    """Live, in 20 bytes for an MTU of 23; for tests only: a long gap makes its short index and time ambiguous."""


_KINDS: Final = {kind.value: kind for kind in PacketKind}


class PacketFlags(IntFlag):
    """Facts that a receiver cannot see otherwise.

    Unknown bits are kept and ignored.
    """

    NONE = 0
    ACCELERATION_SATURATED = 1
    """An acceleration in this packet is at the end of its range."""
    ANGULAR_VELOCITY_SATURATED = 2
    """An angular velocity in this packet is at the end of its range."""
    SAMPLES_DROPPED = 4
    """Samples between the packet before and this one are not sent; `first_index` shows the number."""
    CLOCK_STEPPED = 8
    """The device clock jumped against the index since the packet before: start a new fit of time."""
    LOW_BATTERY = 16
    """The sensor will soon switch off."""


@dataclass(frozen=True, slots=True, eq=False)
class SamplePacket:
    """Consecutive samples of one epoch.

    Parameters
    ----------
    kind : PacketKind
        Live, resent or compact.
    flags : PacketFlags
        Facts about the samples.
    epoch : int
        u8; changes at boot, start and any change of configuration. It ties the packet to one configuration, one origin
        of the index and one clock.
    first_index : int
        Index of the first sample, counted in samples of this epoch from 0; u32. It does not wrap: at 200 Hz it lasts
        for 248 days (8 months), and the sensor begins a new epoch before its end. A compact packet holds the low 16
        bits. device_time_us : int
        Time of the first sample on the sensor's clock, µs since its boot; u48 (8.9 years). In a compact packet it is in
        whole ms and modulo 65.536 s.
    counts : (n, 6) int16 array, read-only
        Acceleration x y z, angular velocity x y z, in the sensor's counts; at most 255 rows.

    Raises
    ------
    ValueError
        If a value does not fit into its field.
    """

    kind: PacketKind
    flags: PacketFlags
    epoch: int
    first_index: int
    device_time_us: int
    counts: Counts

    def __post_init__(self) -> None:
        """Check that the packet can be sent, and make the array read-only."""
        counts = np.asarray(self.counts)
        if counts.ndim != 2 or counts.shape[1] != 6 or len(counts) > 255 or counts.dtype != np.int16:
            raise ValueError(f"counts must be int16 of shape (0..255, 6), got {counts.dtype} of {counts.shape}")
        if counts.flags.writeable:
            counts = counts.copy()
            counts.flags.writeable = False
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "kind", PacketKind(self.kind))
        object.__setattr__(self, "flags", PacketFlags(self.flags))
        check_range("flags", int(self.flags), 8)
        check_range("epoch", self.epoch, 8)
        if self.kind is not PacketKind.COMPACT:
            check_range("first_index", self.first_index, 32)
            check_range("device_time_us", self.device_time_us, 48)
            return
        check_range("first_index of a compact packet", self.first_index, 16)
        milliseconds, rest = divmod(self.device_time_us, 1000)
        check_range("device_time_us // 1000 of a compact packet", milliseconds, 16)
        if rest:
            raise ValueError(f"device_time_us of a compact packet must be whole ms, got {self.device_time_us}")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.counts)

    def _key(self) -> tuple[int, int, int, int, int, bytes]:
        return (self.kind, self.flags, self.epoch, self.first_index, self.device_time_us, self.counts.tobytes())

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return self._key() == other._key() if isinstance(other, SamplePacket) else NotImplemented

    def __hash__(self) -> int:
        """Hash by value."""
        return hash(self._key())

    def encode(self) -> bytes:
        """Return the bytes of the packet."""
        start = (PROTOCOL_MAJOR << 4 | self.kind, self.flags, self.epoch, len(self))
        if self.kind is PacketKind.COMPACT:
            header = COMPACT_HEADER.pack(*start, self.first_index, self.device_time_us // 1000)
        else:
            header = PACKET_HEADER.pack(*start, self.first_index, self.device_time_us)
        return header + self.counts.astype("<i2").tobytes()


def saturation(counts: Counts) -> PacketFlags:
    """Return the saturation flags of (n, 6) counts: values at an end of int16."""
    at_end = ((counts == np.iinfo(np.int16).min) | (counts == np.iinfo(np.int16).max)).any(axis=0)
    flags = PacketFlags.NONE
    if at_end[:3].any():
        flags |= PacketFlags.ACCELERATION_SATURATED
    if at_end[3:].any():
        flags |= PacketFlags.ANGULAR_VELOCITY_SATURATED
    return flags


LIVE_MS, RESENT_MS = 50, 100
"""A packet spans at most this time, ms: the first sample of a live one waits for the last."""


def samples_per_packet(mtu: int, rate_hz: float, longest_ms: int = LIVE_MS) -> int:
    """Return the number of samples in a packet: as many as fit, but at most `longest_ms` of them.

    Parameters
    ----------
    mtu : int
        ATT MTU of the connection, bytes.
    rate_hz : float
        Nominal sampling rate, Hz.
    longest_ms : int
        `LIVE_MS`, or `RESENT_MS` for a packet of a resend.

    Returns
    -------
    int
        Live 10 at 200 Hz and 5 at 100 Hz with an MTU of 185 or more; at least 1, but 0 if no sample fits (an MTU below
        29): the sensor then sends compact packets of one sample.
    """
    fits = (mtu - _ATT_NOTIFICATION_HEADER - PACKET_HEADER.size) // SAMPLE.size
    in_time = max(1, round(rate_hz * 10) * longest_ms // 10_000)
    return max(0, min(fits, in_time, 255))


def decode_packet(payload: bytes) -> SamplePacket | Undecodable:
    """Return the packet in `payload`; bytes after its samples are ignored."""
    if not payload:
        return Undecodable("too short", 0)
    major, kind_number = payload[0] >> 4, payload[0] & 15
    if major != PROTOCOL_MAJOR:
        return Undecodable(f"unknown version {major}", len(payload))
    kind = _KINDS.get(kind_number)
    if kind is None:
        return Undecodable(f"unknown type {kind_number}", len(payload))
    header = COMPACT_HEADER if kind is PacketKind.COMPACT else PACKET_HEADER
    if len(payload) < header.size:
        return Undecodable("too short", len(payload))
    _, flags, epoch, samples, first_index, time = header.unpack(payload)
    if len(payload) < header.size + samples * SAMPLE.size:
        return Undecodable("too short", len(payload))
    counts = np.frombuffer(payload, "<i2", samples * 6, header.size).reshape(samples, 6).astype(np.int16)
    counts.flags.writeable = False
    time_us = time * 1000 if kind is PacketKind.COMPACT else time
    return SamplePacket(kind, PacketFlags(flags), epoch, first_index, time_us, counts)
