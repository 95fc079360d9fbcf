"""The terminal while training: a live screen where one can be drawn, else one line for each thing that happens.

:mod:`imu.app.screen` draws the screen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from imu.app.screen import screen
from imu.live.live_view import LiveView

LEAST_INTERVAL_S = 0.1
"""The screen is drawn at most this often, but for a new count, which does not wait."""
LONGEST_INTERVAL_S = 1.0
"""And at least this often, though nothing changes: something else may have written over it."""


def can_draw(console: Console) -> bool:
    """Return whether a screen can be drawn: it is a terminal, and not a dumb one.

    The file itself is asked, for rich takes FORCE_COLOR in a pipe for a terminal.
    """
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


class TerminalScreen:
    """The live screen. Use it as a context manager: it draws on the terminal's second page and gives back the first.

    Parameters
    ----------
    console : Console
        The terminal; see `can_draw`.
    keys : bool
        Whether keys can be pressed.
    clock : callable
        A clock that only goes forward, s.
    """

    def __init__(self, console: Console, *, keys: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._keys = keys
        self._clock = clock
        self._live: Live | None = None
        self._drawn: tuple[Text, int, int] | None = None
        self._drawn_s = -LONGEST_INTERVAL_S
        self._counted = -1

    def __enter__(self) -> Self:
        """Begin to draw."""
        self.resume()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""
        self.suspend()

    def suspend(self) -> None:
        """Give the terminal back for a while, as for Ctrl-Z."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def resume(self) -> None:
        """Draw again; nothing of what was drawn before is trusted to be there."""
        if self._live is None:
            self._drawn = None
            self._live = Live(
                Text(),
                console=self._console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def show(self, view: LiveView) -> None:
        """Show the view if it looks different, and it is time; cheap otherwise. Call it as often as you like."""
        now_s = self._clock()
        since_s = now_s - self._drawn_s
        if self._live is None or (since_s < LEAST_INTERVAL_S and view.counted == self._counted):
            return
        width, height = self._console.size
        ascii_only = self._console.options.ascii_only
        drawing = screen(view, width, height, ascii_only=ascii_only, keys=self._keys), width, height
        if drawing != self._drawn or since_s >= LONGEST_INTERVAL_S:
            self._live.update(drawing[0], refresh=True)
            self._drawn, self._drawn_s, self._counted = drawing, now_s, view.counted
