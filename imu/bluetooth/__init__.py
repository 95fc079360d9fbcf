"""The Bluetooth LE client: scan, connect, keep the link, and translate errors.

`LinkState` and `HostClock` stand here because screens and recorders use them without bleak.
"""

from __future__ import annotations

import time
from enum import StrEnum


class LinkState(StrEnum):
    """State of the connection to a sensor."""

    SEARCHING = "searching"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"


class HostClock:
    """Nanoseconds since 1970 that never go back.

    The clock is anchored at the wall clock once, when it is made, and steady from then on.

    The wall clock is set by hand and by the network, and may jump back; times of arrival may not. Later changes of the
    wall clock have no effect. While the computer sleeps, this clock may stand still.
    """

    def __init__(self) -> None:
        # Not time.monotonic_ns: on Windows that goes in steps of 16 ms.
        self._offset_ns = time.time_ns() - time.perf_counter_ns()

    def now_ns(self) -> int:
        """Return the time; it never goes back."""
        return self._offset_ns + time.perf_counter_ns()
