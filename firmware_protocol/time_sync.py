"""Time sync: two clocks compared in one exchange. This module refuses to read any clock."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from firmware_protocol.layout import Layout, Undecodable, check_range

TIME_SYNC: Final = Layout(
    ("u8", "version"),
    ("u8", "op"),
    ("u16", "sequence"),
    ("u64", "host_sent_us"),
    ("u64", "device_received_us"),
    ("u64", "device_sent_us"),
)


TIME_SYNC_VERSION = 1


class TimeSyncOp(IntEnum):
    """Who speaks in a time sync."""

    REQUEST = 1
    """Host to sensor; both device times are 0."""
    REPLY = 2
    """Sensor to host: the request's `sequence` and `host_sent_us`, with both device times."""


_TIME_SYNC_OPS: Final = {op.value: op for op in TimeSyncOp}


@dataclass(frozen=True, slots=True)
class TimeSync:
    """One exchange of time stamps.

    Attributes
    ----------
    op : TimeSyncOp
        Who speaks.
    sequence : int
        u16, chosen by the host.
    host_sent_us : int
        When the host sent its request, µs on any clock of the host; u64. The sensor only sends it back.
    device_received_us, device_sent_us : int
        When the sensor received the request and sent the reply, µs on the clock of its samples; u64.
    """

    op: TimeSyncOp
    sequence: int
    host_sent_us: int
    device_received_us: int = 0
    device_sent_us: int = 0

    def __post_init__(self) -> None:
        """Check that the values fit into their fields."""
        object.__setattr__(self, "op", TimeSyncOp(self.op))
        check_range("sequence", self.sequence, 16)
        for name in ("host_sent_us", "device_received_us", "device_sent_us"):
            check_range(name, getattr(self, name), 64)

    def round_trip_us(self, host_received_us: int) -> int:
        """Return how long the reply, heard at `host_received_us`, was on the air and in queues, µs."""
        return (host_received_us - self.host_sent_us) - (self.device_sent_us - self.device_received_us)

    def offset_us(self, host_received_us: int) -> float:
        """Return device time less host time, µs, as far as both ways took equally long.

        It is wrong by at most half of :meth:`round_trip_us`.
        """
        there_us = self.device_received_us - self.host_sent_us
        back_us = self.device_sent_us - host_received_us
        return (there_us + back_us) / 2


def encode_time_sync(time_sync: TimeSync) -> bytes:
    """Return the bytes of a time sync."""
    return TIME_SYNC.pack(
        TIME_SYNC_VERSION,
        time_sync.op,
        time_sync.sequence,
        time_sync.host_sent_us,
        time_sync.device_received_us,
        time_sync.device_sent_us,
    )


def decode_time_sync(payload: bytes) -> TimeSync | Undecodable:
    """Return the time sync in `payload`."""
    if len(payload) < TIME_SYNC.size:
        return Undecodable("too short", len(payload))
    version, op_number, sequence, sent, device_received, device_sent = TIME_SYNC.unpack(payload)
    if version != TIME_SYNC_VERSION:
        return Undecodable(f"unknown version {version}", len(payload))
    op = _TIME_SYNC_OPS.get(op_number)
    if op is None:
        return Undecodable(f"unknown type {op_number}", len(payload))
    return TimeSync(op, sequence, sent, device_received, device_sent)
