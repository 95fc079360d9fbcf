"""How tables and labelled lines look on every terminal page."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from imu.motion.pattern import Pattern

COLOUR = {Pattern.SQUAT: "cyan", Pattern.HINGE: "magenta", Pattern.UNCERTAIN: "dim", Pattern.MIXED: "yellow"}
"""Of a pattern; the word always stands there too."""


def labelled(lines: Iterable[tuple[str, str]]) -> Table:
    """Return lines of a label and a text that wraps beside it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for label, text in lines:
        grid.add_row(label, Text(text))
    return grid


def plain_table(*headings: str) -> Table:
    """Return a table without frame; numbers stand at the right, patterns at the left."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "pattern" else "right", no_wrap=True)
    return table
