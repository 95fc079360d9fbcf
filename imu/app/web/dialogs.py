"""The dialogs in which a person corrects a session: one repetition, one set, one that is missing.

What is typed is turned into corrections by :mod:`imu.app.correcting`, as on the command line. This module refuses to
know how a correction is kept: `make` does that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from nicegui import ui

from imu.app import correcting
from imu.app.web.frame import button
from imu.motion.pattern import Pattern
from imu.report.markup import tag
from imu.report.words import clock
from imu.store import (
    AddRepetition,
    CorrectedRepetition,
    CorrectedSession,
    CorrectedSet,
    Correction,
    DeleteRepetition,
    SplitSet,
)

Make = Callable[[Callable[[], Sequence[Correction]]], Awaitable[None]]
"""Makes the corrections that a function returns; tells the person if that cannot be."""

EXERCISES = (
    "Back squat",
    "Front squat",
    "Goblet squat",
    "Deadlift",
    "Romanian deadlift",
    "Kettlebell swing",
    "Good morning",
)
_PATTERNS = {str(one): str(one) for one in correcting.PATTERNS}


def repetition_dialog(session: CorrectedSession, place: str, make: Make) -> None:
    """Open the dialog of one repetition; `place` is ``2/3``."""
    set_number, number = (int(part) for part in place.split("/"))
    one = session.sets[set_number - 1].repetitions[number - 1]
    with _dialog(f"Repetition {number} of set {set_number}") as dialog:
        if one.measured is not None:
            ui.label(f"Measured: {one.measured.pattern}, {100 * one.measured.confidence:.0f} % sure").classes("soft")
        pattern = ui.select(_PATTERNS, value=str(one.pattern), label="Pattern").classes("w")
        entries = _Entries(one)

        def save() -> Sequence[Correction]:
            wanted = [correcting.changed(session, place, pattern.value)] if pattern.value != str(one.pattern) else []
            return wanted + entries.corrections(session, place)

        with ui.element("div").classes("actions"):
            if number > 1:
                _action("A new set begins here", dialog, make, lambda: [SplitSet(one.middle_s)])
            _action("This was no repetition", dialog, make, lambda: [DeleteRepetition(one.middle_s)])
        _close_row(dialog, make, save)


def set_dialog(session: CorrectedSession, number: int, make: Make) -> None:
    """Open the dialog of one set."""
    one, place = session.sets[number - 1], str(number)
    with _dialog(f"Set {number}") as dialog:
        pattern = ui.select({"": "as it is"} | _PATTERNS, value="", label="Pattern of all its repetitions").classes("w")
        entries = _Entries(one)

        def save() -> Sequence[Correction]:
            wanted = [correcting.changed(session, place, pattern.value)] if pattern.value else []
            return wanted + entries.corrections(session, place)

        if number < len(session.sets):
            with ui.element("div").classes("actions"):
                _action(f"Merge with set {number + 1}", dialog, make, lambda: [correcting.merged(session, place)])
        _close_row(dialog, make, save)


def rejected_dialog(session: CorrectedSession, index: int, make: Make) -> None:
    """Open the dialog that counts a movement which was not counted."""
    one = session.rejected[index]
    known = None if one.repetition is None else one.repetition.pattern
    start_s, end_s = (
        (one.start_s, one.end_s) if one.repetition is None else (one.repetition.start_s, one.repetition.end_s)
    )
    with _dialog(f"Count the movement at {clock(start_s)}") as dialog:
        ui.label(f"It was not counted: {one.reason}").classes("soft")
        pattern = ui.select(_PATTERNS, value=str(known or Pattern.SQUAT), label="Pattern").classes("w")
        _close_row(dialog, make, lambda: [AddRepetition(start_s, end_s, Pattern(pattern.value))], "Count it")


def missing_dialog(make: Make) -> None:
    """Open the dialog that adds a repetition which was not seen."""
    with _dialog("Add a repetition") as dialog:
        start = ui.input("From (65.5 or 1:05.5)").classes("w")
        end = ui.input("To").classes("w")
        pattern = ui.select(_PATTERNS, value=str(Pattern.SQUAT), label="Pattern").classes("w")
        _close_row(dialog, make, lambda: [correcting.added(start.value, end.value, pattern.value)], "Add it")


def sure_dialog(title: str, text: str, do: str, action: Callable[[], Awaitable[None]]) -> None:
    """Ask before something that cannot be undone."""
    with _dialog(title) as dialog:
        ui.label(text)
        with ui.element("div").classes("actions end"):
            button("Keep it", dialog.close).props("autofocus")

            async def sure() -> None:
                dialog.close()
                await action()

            button(do, sure, "danger")


@contextmanager
def _dialog(title: str) -> Iterator[ui.dialog]:
    """Give a dialog to be filled, and open it; it is gone once it is closed."""
    with ui.dialog().props(f'aria-label="{title}"') as dialog, ui.card().classes("sheet"):
        ui.html(tag("h2", title), sanitize=False)
        yield dialog
    dialog.on("hide", dialog.delete)
    dialog.open()


class _Entries:
    """Fields for name, load and note of a set or a repetition, filled with what was entered before."""

    def __init__(self, one: CorrectedSet | CorrectedRepetition) -> None:
        load = "" if one.load_kg is None else f"{one.load_kg:g}"
        self._exercise = ui.input("Exercise", value=one.exercise or "", autocomplete=list(EXERCISES))
        self._exercise.props("maxlength=80").classes("w")
        self._load = ui.input("Load, kg", value=load).props("inputmode=decimal").classes("w")
        self._note = ui.textarea("Note", value=one.note or "").props("maxlength=2000 autogrow rows=2").classes("w")
        self._before = (one.exercise or "", load, one.note or "")

    def corrections(self, session: CorrectedSession, place: str) -> list[Correction]:
        """Return corrections of what was changed."""
        exercise, load, note = ((field.value or "").strip() for field in (self._exercise, self._load, self._note))
        wanted = [correcting.named(session, place, exercise)] if exercise != self._before[0] else []
        wanted += [correcting.loaded(session, place, load)] if load != self._before[1] else []
        return wanted + ([correcting.noted(session, place, note)] if note != self._before[2] else [])


def _action(text: str, dialog: ui.dialog, make: Make, wanted: Callable[[], Sequence[Correction]]) -> None:
    async def act() -> None:
        dialog.close()
        await make(wanted)

    button(text, act)


def _close_row(dialog: ui.dialog, make: Make, wanted: Callable[[], Sequence[Correction]], save: str = "Save") -> None:
    async def act() -> None:
        dialog.close()
        await make(wanted)

    with ui.element("div").classes("actions end"):
        button("Cancel", dialog.close)
        button(save, act, "primary")
