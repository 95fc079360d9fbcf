"""The page to come back to: what was done last time, what there is to note, what was cut off; and all sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nicegui import ui

from imu.app.web import session_markup as still
from imu.app.web.cut_off import keep_cut_off, names_of_cut_off
from imu.app.web.desk import DeskState, TrainingDesk
from imu.app.web.frame import button
from imu.app.web.kept import ask_store, now
from imu.errors import ImuError
from imu.motion.pattern import Pattern
from imu.report.markup import Markup, joined, tag
from imu.report.trends import notes, stored_totals
from imu.report.words import clock, counted, days_ago
from imu.store import Balance, SessionOverview, SessionStore, StoredSession

LATEST = 8
"""Sessions listed below the last one."""
ON_A_PAGE = 50
"""Sessions in one page of the list."""


@dataclass(frozen=True, slots=True)
class _Home:
    overviews: tuple[SessionOverview, ...]
    last: StoredSession
    balances: tuple[Balance, ...]
    days_since: dict[Pattern, int | None]
    notes: tuple[str, ...]


async def home_page(desk: TrainingDesk) -> None:
    """Put the page together."""
    found = await ask_store(_home)
    if desk.state is not DeskState.IDLE:
        _html(tag("p", "A training goes on: ", tag("a", "see it", href="/train"), class_="banner good"))
    else:
        await _cut_off()
    if found is None:
        _html(_nothing_yet())
        return
    last = found.last
    _html(
        joined(
            tag("p", f"Last time, {_how_long_ago(last)}", class_="soft"),
            tag("h1", still.moment(last.trained_at)),
            still.facts_markup(last),
            still.sets_markup(last.corrected, editable=False) if last.corrected.sets else None,
            *(
                tag("div", tag("h2", f"Set {number}"), said)
                for number, one in enumerate(last.corrected.sets, 1)
                if (said := still.form_markup(one)) is not None
            ),
            _buttons(last),
            tag("h2", "Balance"),
            _balance(found),
            tag("h2", "Before that") if len(found.overviews) > 1 else None,
            sessions_table(found.overviews[1 : LATEST + 1]) if len(found.overviews) > 1 else None,
            tag("p", tag("a", f"All {len(found.overviews)} sessions", href="/sessions")),
        )
    )


async def sessions_page(page: int) -> None:
    """Put a page of the list of sessions together; pages are numbered from 1."""
    overviews = await ask_store(SessionStore.list) or ()
    pages = max(1, -(-len(overviews) // ON_A_PAGE))
    page = min(max(page, 1), pages)
    shown = overviews[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
    take = [("csv", "CSV"), ("parquet", "Parquet"), ("json", "JSON"), ("html", "Report")]
    links = [tag("a", title, href=f"/take/{form}", download="", class_="button") for form, title in take]
    links.append(tag("a", "Backup of everything", href="/backup", download="", class_="button"))
    turn = [
        tag("a", text, href=f"/sessions?page={to}", class_="button")
        for text, to in (("Later", page - 1), ("Earlier", page + 1))
        if 1 <= to <= pages
    ]
    _html(
        joined(
            tag("h1", "Sessions"),
            sessions_table(shown) if overviews else _nothing_yet(),
            tag("p", f"Page {page} of {pages}", class_="soft") if pages > 1 else None,
            tag("div", *turn, class_="actions") if turn else None,
            tag("h2", "Take all of them along") if overviews else None,
            tag("div", *links, class_="actions") if overviews else None,
        )
    )


def sessions_table(overviews: Sequence[SessionOverview]) -> Markup:
    """Return sessions, a line each."""
    headings = ("Trained", "Minutes", "Sets", "Squats", "Hinges", "Uncertain", "Corrections")
    rows = []
    for one in overviews:
        numbers = (one.sets, one.squats, one.hinges, one.uncertain, one.corrections)
        link = tag("a", f"{one.trained_at.astimezone():%a %d %b %Y, %H:%M}", href=f"/session/{one.id}")
        cells = [clock(one.duration_s), *(str(number) if number else "–" for number in numbers)]
        rows.append(tag("tr", tag("th", link, scope="row"), *(tag("td", cell, class_="number") for cell in cells)))
    head = tag("thead", tag("tr", *(tag("th", heading, scope="col") for heading in headings)))
    table = tag("table", tag("caption", "Sessions, the last one first", class_="sr"), head, tag("tbody", *rows))
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Sessions")


def _home(store: SessionStore) -> _Home | None:
    overviews = store.list()
    if not overviews:
        return None
    moment = now()
    return _Home(
        overviews=overviews,
        last=store.load(overviews[0].id),
        balances=tuple(store.balance(days, moment) for days in (7, 28)),
        days_since=store.days_since_trained(moment),
        notes=notes(stored_totals(store, moment), moment),
    )


def _how_long_ago(last: StoredSession) -> str:
    return days_ago((now().date() - last.trained_at.astimezone().date()).days)


def _buttons(last: StoredSession) -> Markup:
    return tag(
        "div",
        tag("a", "Train", href="/train", class_="button primary"),
        tag("a", "Repetition by repetition", href=f"/session/{last.id}", class_="button"),
        class_="actions",
    )


def _balance(found: _Home) -> Markup:
    facts = [(f"{one.days} days", counted(one.squats, one.hinges, 0)) for one in found.balances]
    facts += [(f"Last {pattern}", days_ago(days)) for pattern, days in found.days_since.items()]
    facts += [("Note", note) for note in found.notes]
    return tag("dl", *(joined(tag("dt", name), tag("dd", text)) for name, text in facts), class_="facts")


def _nothing_yet() -> Markup:
    return joined(
        tag("h1", "Nothing is kept yet"),
        tag("p", "Train once, and this page shows what you did."),
        tag("div", tag("a", "Train", href="/train", class_="button primary"), class_="actions"),
    )


async def _cut_off() -> None:
    """Offer to keep trainings that were cut off, as by a power cut: their recordings are there."""
    for name in await names_of_cut_off():
        with ui.element("div").classes("banner caution"):
            ui.label(f"The training in {name} was cut off before it was kept; its recording is there.")

            async def keep(name: str = name) -> None:
                try:
                    number = await keep_cut_off(name)
                except ImuError as error:
                    ui.notify(str(error), classes="said refused", timeout=8000)
                    return
                ui.navigate.to(f"/session/{number}")

            button("Keep it", keep)


def _html(markup: Markup) -> None:
    ui.html(markup, sanitize=False)
