"""A recording of another app, found but not yet read, and what to say when a sensor is missing in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imu.errors import RecordingForeign
from imu.samples import Array


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A recording of another app.

    Attributes
    ----------
    app : str
        Which app, or which kind of file.
    main : str or None
        The file that stands for the recording; ``None`` if all files of the export make one recording.
    read : callable
        Gives the rows, (n, 7): s, m/s², rad/s, in the order of the file.
    """

    app: str
    main: str | None
    read: Callable[[], Array]


def quoted(*texts: str) -> str:
    """Return texts out of a file as they can stand in a sentence: on one line, each cut short, and not too many."""
    shown = [" ".join("".join(c if c.isprintable() else " " for c in text).split())[:30] for text in texts[:6]]
    return ", ".join(shown + ["…"] * (len(texts) > 6))


def missing(app: str, what: str, remedy: str) -> RecordingForeign:
    """Return what to raise when a recording lacks a sensor."""
    return RecordingForeign(f"this {app} recording has no {what}: {remedy}")
