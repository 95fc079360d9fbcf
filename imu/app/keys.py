"""Single keys, without Enter and without making the event loop wait.

Whatever ends the program or stops it for a while, the terminal is given back as it was found: an exception, SIGTERM,
Ctrl-Z (and taken again by ``fg``). This module refuses to know what a key does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol, Self

POLL_S = 0.05
"""How often Windows is asked for keys, which it does not announce."""
FOREGROUND_S = 0.5
"""How often a program in the background looks whether it still is: `fg` tells only one that was stopped."""


class Key(Enum):
    """What can be pressed while training."""

    END_SET = "e"
    TAKE_BACK = "u"
    PAUSE = "p"
    KEEP_ALONE = "k"
    QUIT = "q"


_KEYS = {key.value: key for key in Key} | {" ": Key.END_SET}


class KeyDecoder:
    """Characters from a terminal -> keys, however the characters are cut.

    Arrow and function keys send several characters, with letters among them: these are no keys.
    """

    def __init__(self) -> None:
        self._inside_sequence = False

    def push(self, characters: str) -> list[Key]:
        """Take the next characters; return the keys in them."""
        found, position = [], 0
        while position < len(characters):
            character = characters[position]
            position += 1
            if self._inside_sequence:
                self._inside_sequence = not "@" <= character <= "~"  # the range that ends a sequence (ECMA-48)
            elif character == "\x1b":  # Escape
                self._inside_sequence = characters[position : position + 1] in ("[", "O")
                position += 1  # Alt and a key is another key; Escape at the end of what came is Escape itself
            elif (key := _KEYS.get(character.lower())) is not None:
                found.append(key)
        return found


def _nothing() -> None:
    """Do nothing."""


class Keyboard:
    """The keys of a terminal, as a context manager inside a running event loop (POSIX).

    Parameters
    ----------
    on_key : callable
        Told each key, in the event loop.
    before_stop, after_stop : callable
        Called when the program is about to be stopped by Ctrl-Z or ended by SIGTERM, and when it goes on in the
        foreground: to take what is drawn off the screen, and to draw it again.
    descriptor : int
        Of the terminal.
    """

    def __init__(
        self,
        on_key: Callable[[Key], None],
        before_stop: Callable[[], None] = _nothing,
        after_stop: Callable[[], None] = _nothing,
        descriptor: int = 0,
    ) -> None:
        self._on_key = on_key
        self._before_stop, self._after_stop = before_stop, after_stop
        self._descriptor = descriptor
        self._decoder = KeyDecoder()
        self._modes: list[Any] | None = None  # as found; None while the terminal is not ours
        self._signals: list[signal.Signals] = []
        self._loop: asyncio.AbstractEventLoop
        self._later: asyncio.Handle

    @property
    def listening(self) -> bool:
        """Whether keys are heard: not where input is no terminal, and not in the background."""
        return self._modes is not None

    def __enter__(self) -> Self:
        """Begin to listen, if there is a terminal."""
        self._loop = asyncio.get_running_loop()
        self._later = self._loop.call_soon(_nothing)
        if not _is_terminal(self._descriptor):
            return self
        if threading.current_thread() is threading.main_thread():  # signals come to no other thread
            self._watch()
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._end_soon)
        self._take_terminal()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""
        self._give_terminal_back()
        self._unwatch()
        self._later.cancel()
        if signal.getsignal(signal.SIGTERM) == self._end_soon:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _watch(self) -> None:
        for which, callback in ((signal.SIGTSTP, self._stop), (signal.SIGCONT, self._go_on)):
            if signal.getsignal(which) is not signal.SIG_IGN:
                self._loop.add_signal_handler(which, callback)
                self._signals.append(which)

    def _unwatch(self) -> None:
        for which in self._signals:
            self._loop.remove_signal_handler(which)
        self._signals = []

    # -- the terminal

    def _take_terminal(self) -> None:
        """Hear each key at once and unechoed. In the background that would stop the program: it waits for `fg`."""
        import termios  # noqa: PLC0415  not on Windows

        if self.listening:
            return
        self._later.cancel()
        if not self._in_foreground():
            self._later = self._loop.call_later(FOREGROUND_S, self._look_again)
            return
        modes = termios.tcgetattr(self._descriptor)
        self._modes = list(modes)
        modes[3] &= ~(termios.ECHO | termios.ICANON)  # Ctrl-C and Ctrl-Z stay what they are
        modes[6] = [*modes[6]]
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)
        self._loop.add_reader(self._descriptor, self._read)

    def _give_terminal_back(self) -> None:
        import termios  # noqa: PLC0415

        modes = self._forget_terminal()
        if modes is None:
            return
        try:
            termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)
            termios.tcflush(self._descriptor, termios.TCIFLUSH)  # what is still unread was not meant for the shell
        except termios.error:  # the terminal's window was closed: nobody is left to be given it back
            return

    def _forget_terminal(self) -> list[Any] | None:
        """Hear no more; return the modes that the terminal was found with, if it was ours."""
        modes, self._modes = self._modes, None
        if modes is not None:
            self._loop.remove_reader(self._descriptor)
        return modes

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:  # not the terminal that this program was started from, which knows no background
            return True

    def _read(self) -> None:
        try:
            read = os.read(self._descriptor, 1024)
        except OSError:  # the window was closed
            read = b""
        if not read:
            self._loop.remove_reader(self._descriptor)
        for key in self._decoder.push(read.decode("ascii", "replace")):
            self._on_key(key)

    # -- stopping and ending

    def _stop(self) -> None:
        """Stop as Ctrl-Z asks, and go on from here."""
        self._before_stop()
        self._give_terminal_back()
        self._unwatch()
        # To this thread, so that it stops in this very line. Where no shell waits, the system ignores it: go on.
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        self._watch()
        self._go_on()

    def _go_on(self) -> None:
        """Take the terminal again, if it is ours: `bg` goes on without it."""
        if self.listening:  # stopped by force, without warning: the shell has set the terminal as it likes it
            self._before_stop()
            if self._in_foreground():
                self._give_terminal_back()
            else:
                self._forget_terminal()
        self._take_terminal()
        if self.listening:
            self._after_stop()

    def _look_again(self) -> None:
        """Take the terminal if the program has come to the foreground."""
        if not self.listening:
            self._take_terminal()
            if self.listening:
                self._after_stop()

    def _end_soon(self, *_: object) -> None:
        """Take note of SIGTERM, where nobody else takes it: the signal may have come in the middle of a drawing."""
        self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        """End as SIGTERM asks, but not before the terminal is given back."""
        self._before_stop()
        self._give_terminal_back()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)


class Console(Protocol):
    """What is used of the module `msvcrt`."""

    def kbhit(self) -> bool:
        """Whether a key waits."""

    def getwch(self) -> str:
        """Return the next character."""


class WindowsKeyboard:
    """The keys of a Windows console, as a context manager inside a running event loop; as :class:`Keyboard`.

    The console needs no giving back: its modes are not touched.
    """

    def __init__(self, on_key: Callable[[Key], None], console: Console) -> None:
        self._on_key = on_key
        self._console = console
        self._next: asyncio.Handle | None = None
        self._skip = False

    @property
    def listening(self) -> bool:
        """Whether keys are heard."""
        return self._next is not None

    def __enter__(self) -> Self:
        """Begin to ask for keys."""
        self._next = asyncio.get_running_loop().call_soon(self._poll)
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more."""
        if self._next is not None:
            self._next.cancel()
        self._next = None

    def _poll(self) -> None:
        self._next = asyncio.get_running_loop().call_later(POLL_S, self._poll)
        while self._console.kbhit():
            character = self._console.getwch()
            if self._skip:  # the second half of an arrow or function key
                self._skip = False
            elif character in "\x00\xe0":
                self._skip = True
            elif (key := _KEYS.get(character.lower())) is not None:
                self._on_key(key)


def keyboard(
    on_key: Callable[[Key], None],
    before_stop: Callable[[], None] = _nothing,
    after_stop: Callable[[], None] = _nothing,
) -> Keyboard | WindowsKeyboard:
    """Return the keyboard of this system; see :class:`Keyboard`."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415

        if _is_terminal(0):
            return WindowsKeyboard(on_key, msvcrt)
    return Keyboard(on_key, before_stop, after_stop)


def _is_terminal(descriptor: int) -> bool:
    """Whether a descriptor is a terminal; a closed one is none."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False
