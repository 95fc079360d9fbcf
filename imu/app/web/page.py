"""The parts that all pages share: templates, the store, answers to changes, and a page of our own for each error.

Pages are rendered on the server (Jinja2, autoescaped). A change arrives as a form by POST and is answered with JSON:
``said`` has sentences to show, ``go`` the address to continue at, ``refused`` the reason why nothing changed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from importlib.util import find_spec
from typing import TypeVar

from jinja2 import Environment
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from imu.app.web.guard import Guest
from imu.errors import SessionNotFound
from imu.motion.pattern import Pattern
from imu.report.html_report import templates_of
from imu.report.words import clock, counted, date_of, day_of, days_ago, in_unit, number_of, thousands, volume, weight
from imu.store import SessionStore
from imu.store.home import person, store_path, written_name

T = TypeVar("T")

TITLE = "Squats and hinges"
PAGES = (
    ("/", "Home"), ("/train", "Train"), ("/sessions", "Sessions"), ("/exercises", "Exercises"), ("/trends", "Trends"),
)  # fmt: skip
GUEST_PAGES = (("/wall", "Wall"), ("/train", "Training"))
THEMES = (("system", "as the system"), ("light", "light"), ("dark", "dark"))
"""The choices that ``theme.js`` understands."""
SHAPES = {
    Pattern.SQUAT: "M12 2a10 10 0 1 0 .01 0Z",
    Pattern.HINGE: "M12 2L23 21H1Z",
    Pattern.MIXED: "M12 1L23 12 12 23 1 12Z",
    Pattern.UNCERTAIN: "M3 3H21V21H3Z",
}
"""Each pattern has a shape and a word beside its colour."""
ICONS = {
    "/": "M3 11l9-8 9 8v10h-6v-6H9v6H3z",
    "/train": "M2 10v4M5 7v10M8 12h8M19 7v10M22 10v4",
    "/wall": "M3 4h8v7H3zM13 4h8v7h-8zM3 13h8v7H3zM13 13h8v7h-8z",
    "/sessions": "M4 5h16M4 12h16M4 19h16",
    "/exercises": "M4 6v12M20 6v12M1 9v6M23 9v6M4 12h16",
    "/trends": "M3 20V4M3 20h18M7 15l4-5 4 3 5-7",
}
EXTRAS = {"parquet": "pyarrow", "fit": "fit_tool", "share": "segno"}
"""A package of each extra that pages offer."""
EXPORTS = (("csv", "CSV"), ("parquet", "Parquet"), ("json", "JSON"), ("fit", "FIT"))
NO_PAGE = "There is no page at this address."


def now() -> datetime:
    """Return the time in this computer's time zone."""
    return datetime.now().astimezone()


def to_install(extra: str) -> str:
    """Return the command that installs an extra; empty if it is there, or if this is no extra."""
    package = EXTRAS.get(extra)
    there = package is None or find_spec(package) is not None
    return "" if there else f'python -m pip install "imu-training[{extra}]"'


async def ask_store(question: Callable[[SessionStore], T]) -> T | None:
    """Return the answer of the store, asked in a thread so that a training is never held up.

    Return ``None`` where no store exists yet; looking does not create one.

    Raises
    ------
    ImuError
        As the question does.
    """

    def work() -> T | None:
        if not store_path().exists():
            return None
        with SessionStore.open(store_path()) as store:
            return question(store)

    return await asyncio.to_thread(work)


# --- pages -----------------------------------------------------------------------------------------------------------


def render(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """Return a page made from a template."""
    theme = request.cookies.get("imu_theme", "system")
    guest: Guest = request.scope["guest"]
    common: dict[str, object] = {
        "here": request.url.path,
        "theme": theme,
        "role": str(guest.role),
        "person": None if person() is None else written_name(),
        "whose": person() or "",
        "today": now().date(),
        "in_lb": None,
    }
    text = _TEMPLATES.get_template(template).render(common | values)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


async def error_page(request: Request, error: Exception) -> Response:
    """Return a page, or for a change JSON, that says in one sentence what went wrong."""
    status = (
        error.status_code if isinstance(error, HTTPException) else 404 if isinstance(error, SessionNotFound) else 409
    )
    sentence = error.detail if isinstance(error, HTTPException) else str(error)
    if sentence == HTTPStatus(status).phrase:  # Starlette's own word for it
        sentence = NO_PAGE if status in (404, 405) else f"This request is not understood ({sentence})."
    if request.method == "POST":
        return refused(sentence, status)
    return render(request, "base.html", status=status, sentence=_as_sentence(sentence), missing=status == 404)


def done(*said: str, go: str | None = None) -> JSONResponse:
    """Answer a change that was made."""
    return JSONResponse({"said": [_as_sentence(sentence) for sentence in said]} | ({} if go is None else {"go": go}))


def refused(reason: str, status: int = 409) -> JSONResponse:
    """Answer a change that was not made."""
    return JSONResponse({"refused": _as_sentence(reason)}, status)


def whole_number(request: Request, name: str, otherwise: int, what: str) -> int:
    """Return a whole number from the address; raise a 404 with a sentence for anything else."""
    typed = request.query_params.get(name)
    if typed is None:
        return otherwise
    if not typed.isdecimal() or not typed.isascii() or len(typed) > 6:
        raise HTTPException(404, f"“{typed[:20]}” is not the number of {what}.")
    return int(typed)


def _as_sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


# --- words in templates ----------------------------------------------------------------------------------------------


def _environment() -> Environment:
    environment = templates_of("imu.app.web")
    environment.filters |= {
        "clock": clock,
        "days_ago": days_ago,
        "number_of": number_of,
        "date": date_of,
        "thousands": thousands,
        "volume": lambda kg, in_lb: volume(kg, in_lb=bool(in_lb)),
        "weight": lambda kg, in_lb: weight(kg, in_lb=bool(in_lb)),
        "in_unit": lambda kg, in_lb: in_unit(kg, in_lb=bool(in_lb)),
        "day": day_of,
        "unbroken": lambda sets: re.sub("(?<=×) | (?=kg|lb|×)", "\N{NO-BREAK SPACE}", sets),
        "day_with_year": lambda when: day_of(when, year=True),
        "time": lambda when: f"{when.astimezone():%H:%M}",
        "part_of_day": lambda when: _part_of_day(when.astimezone().hour),
    }
    environment.globals |= {
        "TITLE": TITLE, "PAGES": PAGES, "THEMES": THEMES, "SHAPES": SHAPES, "ICONS": ICONS, "counted": counted,
        "Pattern": Pattern, "GUEST_PAGES": GUEST_PAGES, "EXPORTS": EXPORTS, "to_install": to_install,
    }  # fmt: skip
    return environment


def _part_of_day(hour: int) -> str:
    parts: Sequence[tuple[int, str]] = ((5, "evening"), (12, "morning"), (18, "afternoon"))
    return next((name for until, name in parts if hour < until), "evening")  # "Good night" is a farewell


_TEMPLATES = _environment()
