"""The terminal while training: a Textual app on a terminal, one line for each event in a pipe."""

from __future__ import annotations

import os
import sys


def can_draw() -> bool:
    """Return whether a screen can be drawn: input and output are a terminal, in whose foreground the program runs."""
    if os.environ.get("TERM") in ("dumb", "unknown"):
        return False
    try:
        terminals = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    except ValueError:  # a closed stream
        return False
    return terminals and in_foreground()


def in_foreground() -> bool:
    """Return whether the program runs in the foreground of its terminal."""
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # a terminal without job control
        return True
