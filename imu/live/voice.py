"""Text -> speech, by whatever speech engine this computer has, without anyone waiting for it.

A count that is heard late is worse than none: the newest one interrupts whatever is being said, and what has waited too
long is dropped. :mod:`imu.live.announcements` chooses what is worth saying.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

FRESH_S = 2.0
"""What has waited longer is not said any more: the repetition after it is under way."""
LONGEST_S = 10.0
"""An engine that takes longer for a few words hangs."""
CLOSING_S = 2.5
"""So long the last words may take when the program ends."""

# Windows PowerShell takes half a second to start, so it is started once and reads one line for each thing to say.
_SYSTEM_SPEECH = """
$ErrorActionPreference = 'Stop'
Add-Type -AssemblyName System.Speech
$voice = New-Object System.Speech.Synthesis.SpeechSynthesizer
$voice.Rate = 2
while ($null -ne ($line = [Console]::In.ReadLine())) {
    if ($line.StartsWith('!')) { $voice.SpeakAsyncCancelAll() }
    [void]$voice.SpeakAsync($line.Substring(1))
}
while ($voice.State -eq 'Speaking') { Start-Sleep -Milliseconds 50 }
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """A speech engine that is installed.

    Attributes
    ----------
    name : str
        As people know it.
    command : tuple of str
        To run; the text follows as the last argument, or, if it `listens`, line by line on its standard input.
    listens : bool
        Whether it is started once for all texts.
    """

    name: str
    command: tuple[str, ...]
    listens: bool = False


def find_engine(platform: str = sys.platform) -> Engine | None:
    """Return the speech engine to use; ``None`` without one."""
    if platform == "win32":
        path = shutil.which("powershell")  # not pwsh, the newer one: it has no System.Speech
        encoded = base64.b64encode(_SYSTEM_SPEECH.encode("utf-16-le")).decode()
        options = ("-NoProfile", "-NonInteractive", "-EncodedCommand", encoded)
        return None if path is None else Engine("Windows speech", (path, *options), listens=True)
    candidates: tuple[tuple[str, ...], ...] = (
        ("espeak-ng", "-v", "en", "-s", "190"),
        ("espeak", "-v", "en", "-s", "190"),
        ("spd-say", "--wait", "--language", "en", "--rate", "20"),
    )
    if platform == "darwin":
        candidates = (("say", "-r", "220"), *candidates)
    for candidate in candidates:
        if (path := shutil.which(candidate[0])) is not None:
            return Engine(candidate[0], (path, *candidate[1:]))
    return None


def missing_engine(platform: str = sys.platform) -> str:
    """Return the sentence for who has no speech engine."""
    if platform == "win32":
        return "no speech engine was found, so the bell rings: powershell.exe, which speaks, is not in PATH"
    if platform == "darwin":
        return "no speech engine was found, so the bell rings: the program `say`, which speaks, is not in PATH"
    return "no speech engine was found, so the bell rings: install espeak-ng (sudo apt install espeak-ng)"


class _Speaker(Protocol):
    """An engine at work."""

    def speak(self, text: str, *, urgent: bool, outdated: Callable[[], bool]) -> str | None:
        """Say something unless it is outdated; return why it could not be said. Called by the worker."""

    def interrupt(self) -> None:
        """Stop what is being said, if anything is. Called by anyone."""

    def close(self) -> None:
        """Be silent for good. Called by anyone."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    text: str
    since_s: float


class Voice:
    """Speaks in a thread of its own; `say` returns at once.

    At most one count and one sentence wait at any time, the newest of each; the count goes first.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._speaker: _Speaker = _ListeningEngine(engine) if engine.listens else _EngineEachTime(engine)
        self._changed = threading.Condition()
        self._waiting: dict[bool, _Waiting] = {}  # by urgency
        self._closing = False
        self._trouble: str | None = None
        self._worker = threading.Thread(target=self._work, name="voice", daemon=True)
        self._worker.start()

    @property
    def trouble(self) -> str | None:
        """Why the engine cannot speak, in one sentence; ``None`` while it can."""
        return self._trouble

    def say(self, text: str, *, urgent: bool = False) -> None:
        """Say something soon or not at all.

        Parameters
        ----------
        text : str
            A few words.
        urgent : bool
            A count: it interrupts what is being said.
        """
        with self._changed:
            if self._closing or self._trouble:
                return
            self._waiting[urgent] = _Waiting(text, self._clock())
            if urgent:
                self._speaker.interrupt()
            self._changed.notify()

    def close(self, within_s: float = CLOSING_S) -> None:
        """Finish what is being said, cut off after `within_s`."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._worker.join(within_s)
        self._speaker.close()
        self._worker.join()

    def _work(self) -> None:
        while (following := self._next()) is not None:
            text, urgent = following
            reason = self._speaker.speak(text, urgent=urgent, outdated=lambda: True in self._waiting)
            if reason is not None:
                with self._changed:
                    self._trouble = f"{self._engine.name} cannot speak ({reason}), so the bell rings"
                    self._waiting = {}
        self._speaker.close()

    def _next(self) -> tuple[str, bool] | None:
        """Wait for the next thing to say that is still fresh; ``None`` at the end."""
        with self._changed:
            while True:
                for urgent in (True, False):
                    waiting = self._waiting.pop(urgent, None)
                    if waiting is not None and self._clock() - waiting.since_s <= FRESH_S:
                        return waiting.text, urgent
                if self._closing:
                    return None
                self._changed.wait()


class _EngineEachTime:
    """Starts the engine for each text and waits for its end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._interrupted = self._closed = False

    def speak(self, text: str, *, urgent: bool, outdated: Callable[[], bool]) -> str | None:  # noqa: ARG002
        """Say something, to its end or until interrupted; what is urgent has interrupted already."""
        with self._lock:
            if self._closed or outdated():
                return None
            self._interrupted = False
            try:
                self._process = process = _started([*self._engine.command, text], stdin=subprocess.DEVNULL)
            except OSError as error:
                return _reason(str(error))
        hangs, complaints = _waited_for(process)
        with self._lock:
            self._process = None
            if self._interrupted:
                return None
        if hangs:
            return f"it did not end within {LONGEST_S:.0f} s"
        # espeak-ng without a sound card complains, and ends as if all were well.
        failed = process.returncode != 0 or any(line.lower().startswith("error") for line in complaints.splitlines())
        return _reason(complaints) if failed else None

    def interrupt(self) -> None:
        """Stop the engine."""
        with self._lock:
            if self._process is not None:
                self._interrupted = True
                self._process.terminate()

    def close(self) -> None:
        """Stop the engine for good."""
        with self._lock:
            self._closed = True
        self.interrupt()


class _ListeningEngine:
    """Starts the engine once and tells it line by line; it interrupts itself."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._process: subprocess.Popen[str] | None = None

    def speak(self, text: str, *, urgent: bool, outdated: Callable[[], bool]) -> str | None:
        """Tell the engine; it speaks on its own."""
        if outdated():
            return None
        try:
            if self._process is None:
                self._process = _started(self._engine.command, stdin=subprocess.PIPE)
            if self._process.stdin is None or self._process.poll() is not None:
                return _reason(self._complaints())
            self._process.stdin.write(f"{'!' if urgent else '.'}{text}\n")
            self._process.stdin.flush()
        except OSError as error:  # not started, or ended in between
            return _reason(self._complaints() or str(error))
        return None

    def interrupt(self) -> None:
        """Do nothing: the line that follows interrupts."""

    def close(self) -> None:
        """Let it finish, then end it."""
        process, self._process = self._process, None
        if process is not None:
            _waited_for(process, CLOSING_S)

    def _complaints(self) -> str:
        process, self._process = self._process, None
        return "" if process is None else _waited_for(process, 0.0)[1]


def _started(command: Sequence[str], stdin: int) -> subprocess.Popen[str]:
    """Start an engine without a window, its messages off the screen, out of reach of Ctrl-C and Ctrl-Z."""
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _waited_for(process: subprocess.Popen[str], longest_s: float = LONGEST_S) -> tuple[bool, str]:
    """Wait for the end of an engine, or end it; return whether it hung, and what it complained of."""
    try:
        return False, process.communicate(timeout=longest_s)[1]
    except subprocess.TimeoutExpired:  # or this program was stopped for so long
        hangs = process.poll() is None
        process.kill()
        return hangs, process.communicate()[1]


def _reason(complaints: str) -> str:
    """Return the last line of what an engine complained of."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    return lines[-1] if lines else "it gives no reason"
