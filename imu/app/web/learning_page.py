"""The page of what the person's corrections taught: what, within which bounds, whether it helps; switch and reset."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from imu.app.export.markup import joined, tag
from imu.app.report.learnt import learnt_facts
from imu.app.web.frame import button
from imu.app.web.kept import ask_store, now
from imu.errors import ImuError
from imu.store import KnownOfPerson, SessionStore


async def learning_page() -> None:
    """Put the page together."""
    known = await ask_store(SessionStore.known_of_person)
    explained = (
        "What you put right in a session, and what you left as it was, moves two thresholds for your trainings to "
        "come: from where on a movement counts, and how far you lean before it is told a hinge. Sessions that are kept "
        "stay as they are, and nobody else's counting changes."
    )
    ui.html(joined(tag("h1", "What your corrections taught"), tag("p", explained)), sanitize=False)
    if known is None:
        ui.label("Nothing is kept yet.")
        return
    facts = (joined(tag("dt", name), tag("dd", text)) for name, text in learnt_facts(known))
    ui.html(tag("dl", *facts, class_="facts"), sanitize=False)
    _buttons(known)


def _buttons(known: KnownOfPerson) -> None:
    def changing(change: Callable[[SessionStore], None]) -> Callable[[], object]:
        async def work() -> None:
            try:
                await ask_store(change)
            except ImuError as error:
                ui.notify(str(error), classes="said refused", timeout=8000)
                return
            ui.navigate.reload()

        return work

    with ui.element("div").classes("actions"):
        on = known.switched_on
        button("Train without it" if on else "Train with it", changing(lambda store: store.switch_learning(on=not on)))
        button("Forget it", changing(lambda store: store.forget_person(now())))
