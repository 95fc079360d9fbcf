"""Ctrl-C, SIGTERM and a closed terminal -> an end in good order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` in the running event loop on Ctrl-C, SIGTERM or SIGHUP; a second one ends the program."""
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def end(number: int, _frame: object) -> None:
        signal.signal(number, before[number])
        loop.call_soon_threadsafe(stop)

    hang_up = [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []  # Windows has none
    for number in (signal.SIGINT, signal.SIGTERM, *hang_up):
        before[number] = signal.getsignal(number) or signal.SIG_DFL
        signal.signal(number, end)
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
