"""HTML and SVG put together so that no text can become markup.

A :class:`Markup` is markup already; everything else is text, and is escaped. There is no other way in.
"""

from __future__ import annotations

from html import escape

from imu.report.session_view import repetition_view, set_view
from imu.store import CorrectedRepetition, CorrectedSet

_VOID = {"meta", "br", "hr", "line", "rect", "circle", "path", "polyline", "polygon"}
"""Elements without anything in them."""


class Markup(str):
    """Text that is markup."""

    __slots__ = ()


def tag(name: str, /, *children: str | Markup | None, **attributes: str | float | None) -> Markup:
    """Return an element with `children` in it.

    Parameters
    ----------
    name : str
        Of the element.
    *children : str or Markup or None
        What is in it, in order; text is escaped, ``None`` is left out.
    **attributes : str, float or None
        ``class_`` is ``class``, ``stroke_width`` is ``stroke-width``; numbers are rounded to hundredths; ``None`` is
        left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID and not children:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: str | Markup | None) -> Markup:
    """Return several pieces as one."""
    return Markup("".join(one if isinstance(one, Markup) else escape(one) for one in children if one is not None))


def table(headings: list[str], rows: list[list[str | Markup]], caption: str) -> Markup:
    """Return a table; cells that are numbers stand at the right."""
    head = tag("tr", *(tag("th", heading, scope="col") for heading in headings))
    body = [
        tag("tr", *(tag("td", cell, class_="number" if _is_number(cell) else None) for cell in row)) for row in rows
    ]
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", whole, class_="scroll")


def _number(value: str | float | None) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def _is_number(cell: str) -> bool:
    return not isinstance(cell, Markup) and cell.removeprefix("-")[:1].isdigit()


# --- names that only the web page still uses; they go with this module ------------------------------------------------


def loads_of(one_set: CorrectedSet) -> str:
    """Return the loads of a set in kg."""
    return set_view(1, one_set).loads


def means_of(one_set: CorrectedSet) -> list[str]:
    """Return angle, drop, tempo, speed and speed lost of a set; empty where nothing was measured."""
    view = set_view(1, one_set)
    return [view.angle, view.drop, view.tempo, view.speed, view.speed_lost]


def changes_of(one: CorrectedRepetition) -> str:
    """Return how a repetition differs from what was measured, and what the person entered for it."""
    return repetition_view("", 1, one).changes
