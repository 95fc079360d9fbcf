"""What is said aloud while training: what has changed between two views, in a few words.

Voice and screen draw from the same view, so that they agree. :mod:`imu.live.voice` speaks the announcements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from imu.bluetooth import LinkState
from imu.live.live_view import LiveView
from imu.live.set_view import Phase, plural
from imu.live.voice import Voice
from imu.motion.pattern import Pattern

CUE_AGAIN_AFTER = 3
"""The same cue is repeated after this many repetitions at the earliest, so that it does not nag."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A few words to say; what is urgent interrupts, and is worth a bell where there is no voice.

    Attributes
    ----------
    text : str
        All of it.
    urgent : bool
        A count.
    pattern, cue : str
        The parts of `text` that tell a new pattern and a cue, for who does not want to hear them; empty without.
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
    """Return what there is to say of what happened between two views, the most pressing first; no cue."""
    said = [_count(before, after), *_session(before, after), _link(before, after)]
    return [one for one in said if one is not None]


def _count(before: LiveView, after: LiveView) -> Announcement | None:
    """Return the count, with the pattern where it is new."""
    if after.taken_back > before.taken_back:
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
    said: list[Announcement | None] = []
    closed = [one for one in after.sets if one not in before.sets]
    if closed and after.taken_back == before.taken_back:
        latest = closed[-1]
        said.append(Announcement(f"set of {plural(len(latest.repetitions), latest.pattern)}"))
    elif after.lone is not None and after.lone != before.lone:
        said.append(Announcement("that one stood alone, not counted"))
    if after.paused is not before.paused:
        said.append(Announcement("paused" if after.paused else "going on"))
    if after.rest_is_over and not before.rest_is_over and before.phase is Phase.REST:
        said.append(Announcement("rest is over"))
    return said


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
        self._cue: tuple[str, int] | None = None  # what was said, and how many repetitions had been counted

    @property
    def trouble(self) -> str | None:
        """Why the voice cannot speak, in one sentence; ``None`` while it can, or without a voice."""
        return None if self._voice is None else self._voice.trouble

    def look(self, view: LiveView) -> None:
        """Take the next view and say what has changed; returns at once."""
        for one in self.changes(view):
            self._say(one)

    def changes(self, view: LiveView) -> list[Announcement]:
        """Take the next view and return what there is to say of it, cues too, for who says it elsewhere."""
        before, self._before = self._before or LiveView(), view
        said = []
        for one in announcements(before, view):
            cue = self._cue_to_say(view) if view.counted > before.counted and one.urgent else None
            said.append(one if cue is None else replace(one, text=f"{one.text}. {cue}", cue=cue))
        return said

    def close(self) -> None:
        """Let the last words be said."""
        if self._voice is not None:
            self._voice.close()

    def _say(self, one: Announcement) -> None:
        if self._voice is not None and self._voice.trouble is None:
            self._voice.say(one.text, urgent=one.urgent)
        elif self._ring is not None:
            self._ring()

    def _cue_to_say(self, view: LiveView) -> str | None:
        """Return the cue, unless it was said a moment ago."""
        if view.cue is None:
            return None
        said, counted = self._cue or (None, 0)
        if view.cue == said and view.counted - counted < CUE_AGAIN_AFTER and view.count > 1:
            return None
        self._cue = view.cue, view.counted
        return view.cue
