"""The voice of a training: the changes between two views in a few words, and the engine that speaks them.

Voice and screen draw from the same view, so that they agree. A count that is heard late is worse than none: the newest
one interrupts the voice, and words that have waited too long are dropped. Nothing waits for the speech engine.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from imu.bluetooth import LinkState
from imu.live.cards import plural
from imu.live.live_view import LiveView
from imu.live.set_view import Phase
from imu.motion.pattern import Pattern

CUE_AGAIN_AFTER = 3
"""The same cue is repeated after this many repetitions at the earliest, so that it does not nag."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A few words to say; urgent ones interrupt, and ring a bell where there is no voice.

    Attributes
    ----------
    text : str
        All of it.
    urgent : bool
        A count.
    pattern, cue : str
        The parts of `text` that name a new pattern and a cue, which a person may switch off; empty without.
    """

    text: str
    urgent: bool = False
    pattern: str = ""
    cue: str = ""

    @property
    def bare(self) -> str:
        """The text without pattern and cue."""
        without = self.text.removesuffix(f". {self.cue}") if self.cue else self.text
        return without.removesuffix(f", {self.pattern}") if self.pattern else without


def announcements(before: LiveView, after: LiveView) -> list[Announcement]:
    """Return the words for the changes between two views, the most pressing first; no cue."""
    announcements = [_count(before, after), *_session(before, after), _link(before, after)]
    return [announcement for announcement in announcements if announcement is not None]


def _count(before: LiveView, after: LiveView) -> Announcement | None:
    """Return the count, with the pattern where it is new."""
    if after.recount > before.recount and after.count > before.count:
        return Announcement(str(after.count), urgent=True)  # the person has added one
    if after.taken_back > before.taken_back or (
        after.recount < before.recount and after.set_number == before.set_number
    ):
        return Announcement(f"back to {after.count}", urgent=True)
    if after.counted == before.counted or after.shown is None or after.phase is not Phase.SET:
        return None
    repetitions = after.shown.repetitions
    patterns = [repetition.pattern for repetition in repetitions if repetition.pattern is not Pattern.UNCERTAIN]
    known = after.last is not None and after.last.pattern is not Pattern.UNCERTAIN
    changed = known and (len(patterns) == 1 or patterns[-1] is not patterns[-2])
    if not changed:
        return Announcement(str(after.count), urgent=True)
    return Announcement(f"{after.count}, {patterns[-1]}", urgent=True, pattern=str(patterns[-1]))


def _session(before: LiveView, after: LiveView) -> list[Announcement | None]:
    announcements: list[Announcement | None] = []
    closed = [one_set for one_set in after.sets if one_set not in before.sets]
    if closed and after.taken_back == before.taken_back:
        latest = closed[-1]
        announcements.append(Announcement(f"set of {plural(len(latest.repetitions), latest.pattern)}"))
    elif after.lone is not None and after.lone != before.lone:
        several = f"those {after.lone_together} are unlikely as a set, not counted"
        announcements.append(Announcement("that one stood alone, not counted" if after.lone_together == 1 else several))
    if after.paused is not before.paused:
        announcements.append(Announcement("paused" if after.paused else "going on"))
    if after.rest_is_over and not before.rest_is_over and before.phase is Phase.REST:
        announcements.append(Announcement("rest is over"))
    return announcements


def _link(before: LiveView, after: LiveView) -> Announcement | None:
    now, earlier = after.link.state, before.link.state
    if now is earlier:
        return None
    if now is LinkState.LOST:
        return Announcement("sensor lost")
    if now is LinkState.CONNECTED:
        return Announcement("sensor back" if earlier is LinkState.LOST or after.shown else "sensor connected")
    return None


class Announcer:
    """Says, or rings, what changes from view to view.

    Parameters
    ----------
    voice : Voice or None
        Who says it; without one, and from when it cannot speak any more, the bell rings.
    ring : callable or None
        Rings the bell; ``None`` for silence.
    """

    def __init__(self, voice: Voice | None, ring: Callable[[], None] | None) -> None:
        self._voice = voice
        self._ring = ring
        self._before: LiveView | None = None
        self._cue: tuple[str, int] | None = None  # the last cue, and how many repetitions had been counted

    @property
    def trouble(self) -> str | None:
        """Why the voice cannot speak, in one sentence; ``None`` while it can, or without a voice."""
        return None if self._voice is None else self._voice.trouble

    def look(self, view: LiveView) -> None:
        """Take the next view and speak its changes; returns at once."""
        for change in self.changes(view):
            self._say(change)

    def changes(self, view: LiveView) -> list[Announcement]:
        """Take the next view and return its words, cues too, for a voice that is elsewhere."""
        before, self._before = self._before or LiveView(), view
        spoken = []
        for announcement in announcements(before, view):
            cue = self._cue_to_say(view) if view.counted > before.counted and announcement.urgent else None
            spoken.append(
                announcement if cue is None else replace(announcement, text=f"{announcement.text}. {cue}", cue=cue)
            )
        return spoken

    def close(self) -> None:
        """Let the voice finish its last words."""
        if self._voice is not None:
            self._voice.close()

    def _say(self, one: Announcement) -> None:
        if self._voice is not None and self._voice.trouble is None:
            self._voice.say(one.text, urgent=one.urgent)
        elif self._ring is not None:
            self._ring()

    def _cue_to_say(self, view: LiveView) -> str | None:
        """Return the cue, unless the voice gave it a moment ago."""
        if view.cue is None:
            return None
        said, counted = self._cue or (None, 0)
        if view.cue == said and view.counted - counted < CUE_AGAIN_AFTER and view.count > 1:
            return None
        self._cue = view.cue, view.counted
        return view.cue


# --- the voice --------------------------------------------------------------------------------------------------------

FRESH_S = 2.0
"""Words that have waited longer are dropped: the repetition after them is under way."""
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
        """Interrupt the voice, if it speaks. Any thread may call it."""

    def close(self) -> None:
        """End the voice for good. Any thread may call it."""


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
            A count: it interrupts the voice.
        """
        with self._changed:
            if self._closing or self._trouble:
                return
            self._waiting[urgent] = _Waiting(text, self._clock())
            if urgent:
                self._speaker.interrupt()
            self._changed.notify()

    def close(self, within_s: float = CLOSING_S) -> None:
        """Let the voice finish, cut off after `within_s`."""
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
        """Say something, to its end or until interrupted; urgent words have interrupted already."""
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
    except subprocess.TimeoutExpired:  # or this program was stopped for that long
        hangs = process.poll() is None
        process.kill()
        return hangs, process.communicate()[1]


def _reason(complaints: str) -> str:
    """Return the last line of what an engine complained of."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    return lines[-1] if lines else "it gives no reason"
