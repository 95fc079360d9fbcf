"""What all pages have in common: the way between them, their style, what is said when something cannot be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files

from nicegui import ui

PAGES = (("/", "Last session"), ("/sessions", "Sessions"), ("/trends", "Trends"), ("/train", "Train"))


def style() -> str:
    """Return the style of all pages."""
    return files("imu.app.web").joinpath("style.css").read_text(encoding="utf-8")


def button(text: str, on_click: Callable[[], object], look: str = "plain") -> ui.button:
    """Put a button that looks as all others do; `look` is ``plain``, ``primary`` or ``danger``."""
    return ui.button(text, on_click=on_click, color=None).props("no-caps unelevated").classes(f"our {look}")


@contextmanager
def frame(here: str, *, wide: bool = False) -> Iterator[None]:
    """Put the head of a page, and what is inside, into its main part (Quasar's page is the element `main` already)."""
    ui.add_css(style())
    ui.colors(primary="#0b5cad")
    with ui.element("header").classes("top"):
        ui.html('<a class="skip" href="#main">Skip to the page</a>', sanitize=False)
        with ui.element("nav").props('aria-label="Pages"'):
            for path, title in PAGES:
                link = ui.link(title, path).classes("page-link")
                if path == here:
                    link.props('aria-current="page"')
    with ui.element("div").props("id=main tabindex=-1").classes("wide" if wide else ""):
        yield
