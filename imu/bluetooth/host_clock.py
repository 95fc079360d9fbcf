"""The clock of this computer for whatever is received: wall time that only goes forward.

The wall clock is set by hand and by the network, and may jump back; received times may not. This module refuses to know
what is timed.
"""

from __future__ import annotations

import time


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
