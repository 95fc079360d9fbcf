"""The conditions of a virtual radio link, and the events of a link. Neither needs bumble."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class RadioConditions:
    """Quality of the radio link between a virtual sensor and this computer.

    A live link loses nothing, it delivers late; losses happen in the sensor's own queue.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    interval_s: float = 0.015
    """Connection interval, s; 0 delivers at once. Linux takes 0.03-0.05, Windows 0.03-0.06, macOS 0.015 and up."""
    packets_per_event: int = 6
    """Link-layer packets (251 bytes) that fit into one connection event in each direction."""
    missed_events: float = 0.0
    """Share of connection events in which no packet gets through."""
    rssi_dbm: int = -55
    """Signal strength in scan results, dBm."""
    supervision_timeout_s: float = 0.72
    """Silence after which both ends declare the link lost, s."""

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.interval_s <= 4:
            raise ValueError(f"interval_s must be 0 to 4, got {self.interval_s}")
        if self.packets_per_event < 1:
            raise ValueError(f"packets_per_event must be at least 1, got {self.packets_per_event}")
        if not 0 <= self.missed_events < 1:
            raise ValueError(f"missed_events must be 0 or more and below 1, got {self.missed_events}")
        if not -127 <= self.rssi_dbm <= 20:
            raise ValueError(f"rssi_dbm must be -127 to 20, got {self.rssi_dbm}")
        if not self.supervision_timeout_s > 0:
            raise ValueError(f"supervision_timeout_s must be above 0, got {self.supervision_timeout_s}")


class LinkChange(Enum):
    """Change of the link of a virtual sensor; the value is for people."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LOST = "link lost"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    OUT_OF_RANGE = "out of range"
    IN_RANGE = "back in range"
    ASLEEP = "asleep until moved"
    AWAKE = "awake"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One change of the link of a virtual sensor."""

    change: LinkChange
    detail: str = ""
    """The central's address, the characteristic or the error."""
