"""How far the connection to a sensor is. Apart from the client, for screens that need no Bluetooth to show it."""

from __future__ import annotations

from enum import StrEnum


class LinkState(StrEnum):
    """How things stand with the sensor."""

    SEARCHING = "searching"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"
