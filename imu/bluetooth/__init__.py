"""The Bluetooth LE client: scan, connect, keep the link, and name what went wrong."""

from __future__ import annotations

import time
from enum import StrEnum


class LinkState(StrEnum):
    """How things stand with the sensor."""

    SEARCHING = "searching"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"


class HostClock:
    """Nanoseconds since 1970, anchored at the wall clock once, when it is made, and steady from then on.

    What happens to the wall clock afterwards is not followed. While the computer sleeps, it may stand still.
    """

    def __init__(self) -> None:
        # Not time.monotonic_ns: on Windows that goes in steps of 16 ms.
        self._offset_ns = time.time_ns() - time.perf_counter_ns()

    def now_ns(self) -> int:
        """Return the time; never less than it was before."""
        return self._offset_ns + time.perf_counter_ns()
