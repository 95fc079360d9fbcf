"""What all pages have in common: the way between them, their style, what is said when something cannot be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files

from nicegui import ui

from imu.report.markup import Markup, tag
from imu.store.home import person

PAGES = (("/", "Last session"), ("/sessions", "Sessions"), ("/trends", "Trends"), ("/train", "Train"))

THEMES = (("system", "as the system is"), ("light", "light"), ("dark", "dark"))
"""What ``theme.js`` knows."""


def style() -> str:
    """Return the style of all pages."""
    return _shipped("style.css")


def _shipped(name: str) -> str:
    return files("imu.app.web").joinpath(name).read_text(encoding="utf-8")


def button(text: str, on_click: Callable[[], object], look: str = "plain") -> ui.button:
    """Put a button that looks as all others do; `look` is ``plain``, ``primary`` or ``danger``."""
    return ui.button(text, on_click=on_click, color=None).props("no-caps unelevated").classes(f"our {look}")


@contextmanager
def frame(here: str, *, wide: bool = False) -> Iterator[None]:
    """Put the head of a page, and what is inside, into its main part (Quasar's page is the element `main` already)."""
    ui.add_css(style())
    ui.add_head_html(f"<script>{_shipped('theme.js')}</script>")
    theme = ui.context.client.request.cookies.get("imu_theme")
    ui.dark_mode({"light": False, "dark": True}.get(theme or ""))
    ui.colors(primary="#0b5cad")
    with ui.element("header").classes("top"):
        ui.html('<a class="skip" href="#main">Skip to the page</a>', sanitize=False)
        with ui.element("nav").props('aria-label="Pages"'):
            for path, title in PAGES:
                link = ui.link(title, path).classes("page-link")
                if path == here:
                    link.props('aria-current="page"')
        if (name := person()) is not None:
            ui.label(name).classes("person")
    with ui.element("div").props("id=main tabindex=-1").classes("wide" if wide else ""):
        yield
    with ui.element("footer").classes("bottom"):
        ui.link("What your corrections taught", "/learning")
        ui.html(_theme_choice(theme), sanitize=False)


def _theme_choice(chosen: str | None) -> Markup:
    options = [
        tag("option", title, value=name, selected="" if name == (chosen or "system") else None)
        for name, title in THEMES
    ]
    return tag("label", "Colours ", tag("select", *options, id="theme"))
