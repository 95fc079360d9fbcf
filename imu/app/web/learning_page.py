"""The page of what the person's corrections taught: what, within which bounds, whether it helps; switch and reset."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from imu.app.web.dialogs import sure_dialog
from imu.app.web.frame import button
from imu.app.web.kept import ask_store, now
from imu.errors import ImuError
from imu.report.learning import learnt_facts
from imu.report.markup import joined, tag
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
    async def change(what: Callable[[SessionStore], None]) -> None:
        try:
            await ask_store(what)
        except ImuError as error:
            ui.notify(str(error), classes="said refused", timeout=8000)
            return
        ui.navigate.reload()

    async def switch() -> None:
        await change(lambda store: store.switch_learning(on=not known.switched_on))

    async def forget() -> None:
        await change(lambda store: store.forget_person(now()))

    def ask_to_forget() -> None:
        text = "Sessions corrected until now teach nothing any more. The corrections themselves stay."
        sure_dialog("Forget what was learnt?", text, "Forget it", forget)

    with ui.element("div").classes("actions"):
        button("Train without it" if known.switched_on else "Train with it", switch)
        button("Forget it", ask_to_forget)
