"""How good the air between a virtual sensor and this computer is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RadioConditions:
    """What a link suffers. On a live link nothing is lost, only late; what is lost is lost in the sensor's queue.

    Raises
    ------
    ValueError
        If a value makes no sense.
    """

    interval_s: float = 0.015
    """Connection interval, s; 0 delivers at once. Linux takes 0.03-0.05, Windows 0.03-0.06, macOS 0.015 and up."""
    packets_per_event: int = 6
    """Link-layer packets (251 bytes) that fit into one connection event in each direction."""
    missed_events: float = 0.0
    """Share of connection events in which nothing gets through."""
    rssi_dbm: int = -55
    """Signal strength that a scanner sees, dBm."""
    supervision_timeout_s: float = 0.72
    """Silence after which both ends take the link for lost, s."""

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
