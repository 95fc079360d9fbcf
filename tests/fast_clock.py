"""An event loop whose clock runs fast: a minute of virtual radio in seconds, with the same order of events.

The virtual radio, the twins, bleak's timeouts and our own all take the time from the event loop, so that nothing else
has to change. The clock moves only while the loop waits, and then exactly to the next timer. A slow machine therefore
makes nothing late, and a run repeats exactly unless something outside the loop (a thread, a process, a network)
wakes it.

A test file asks for it by ``pytestmark = pytest.mark.clock("fast")``; one of its tests opts out by
``@pytest.mark.clock("real")`` (the hook stands in conftest.py). Tests of processes stay on the real clock, except that
a training as a process of its own may run on a fast one: ``python tests/fast_clock.py train --sensor virtual``.
"""

from __future__ import annotations

import asyncio
import selectors
import time

from imu.bluetooth import HostClock

SPEED = 20.0
SHORTEST_WAIT_S = 0.001
"""The selector cannot wait for less; shorter waits are added up."""
STARTED_S = 1000.0
"""The loop's clock at its start: always the same, so that runs are the same."""


class _FastSelector(selectors.DefaultSelector):
    """A selector with a clock that runs `speed` times as fast as real time while it waits."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.now_s = STARTED_S
        self._speed = speed
        self._free_at_s = 0.0  # real time at which the present moment of the fast clock is due

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for input or until `timeout` has passed on the fast clock."""
        if timeout is not None and timeout <= 0:
            return super().select(0)
        began_s = time.monotonic()
        wait_s = None
        if timeout is not None:
            due_s = max(began_s, self._free_at_s + timeout / self._speed)
            wait_s = due_s - began_s if due_s - began_s >= SHORTEST_WAIT_S else 0.0
        ready = super().select(wait_s)
        if timeout is not None and not ready:
            self.now_s += timeout
            self._free_at_s = due_s
        elif wait_s != 0.0:
            ended_s = time.monotonic()
            passed_s = (ended_s - began_s) * self._speed
            self.now_s += passed_s if timeout is None else min(passed_s, timeout)
            self._free_at_s = ended_s
        return ready


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock runs at most `speed` times as fast as real time; slower if the processor is busy."""

    def __init__(self, speed: float = SPEED) -> None:
        self._fast = _FastSelector(speed)
        super().__init__(self._fast)

    def time(self) -> float:
        """Return the time of the fast clock, s."""
        return self._fast.now_s


class LoopHostClock(HostClock):
    """Stamps messages with the time of the event loop, whichever it is."""

    started_ns = 1_790_000_000_000_000_000
    """Nanoseconds since 1970 at which a fast loop starts: always the same, so that runs are the same."""

    def now_ns(self) -> int:
        """Return the loop's time as nanoseconds since 1970."""
        return LoopHostClock.started_ns + round((asyncio.get_running_loop().time() - STARTED_S) * 1e9)


class _FastPolicy(asyncio.DefaultEventLoopPolicy):
    """Gives `asyncio.run` a fast loop, in whatever code calls it."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a fast loop."""
        return FastLoop()


def main() -> None:
    """Run a command of `imu` on the fast clock: ``python tests/fast_clock.py train --sensor virtual``."""
    from imu.app import cli

    LoopHostClock.started_ns = time.time_ns()  # recordings carry today's date
    HostClock.now_ns = LoopHostClock.now_ns  # type: ignore[method-assign]
    asyncio.set_event_loop_policy(_FastPolicy())
    cli.main()


if __name__ == "__main__":
    main()
