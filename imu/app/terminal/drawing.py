"""Characters to draw with: digits to be read from across a room, a gauge, one bar for each repetition."""

from __future__ import annotations

from rich.text import Text

from imu.live.live_view import Bar, Bars
from imu.live.screen_parts import SIGNAL_STYLE, Ink

ROWS = 5
"""Rows of a digit at scale 1."""

_PIXELS = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": ("  #", "  #", "  #", "  #", "  #"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", "###", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", "  #", "  #"),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
    ":": (" ", "#", " ", "#", " "),
}
_PIXEL_WIDTH = 2  # a character is about twice as high as wide

WIDEST_BAR = 6
"""Columns of a bar at most."""
_EIGHTHS = "▁▂▃▄▅▆▇█"


def width_of(text: str, scale: int = 1) -> int:
    """Return how many columns `text` (digits and colons) takes at `scale`."""
    pixels = sum(len(_PIXELS[character][0]) for character in text) + len(text) - 1
    return pixels * _PIXEL_WIDTH * scale


def block_digits(text: str, scale: int = 1, *, ink: str = "█") -> list[str]:
    """Return `text` (digits and colons) as rows of equal width, drawn in the character `ink`.

    Raises
    ------
    ValueError
        If `text` holds anything else, or the scale is below 1.
    """
    if not text or not set(text) <= _PIXELS.keys() or scale < 1:
        raise ValueError(f"only digits and colons can be drawn, at a scale from 1, got {text!r} at {scale}")
    rows = []
    for row in range(ROWS):
        pixels = " ".join(_PIXELS[character][row] for character in text)
        line = "".join((ink if pixel == "#" else " ") * _PIXEL_WIDTH * scale for pixel in pixels)
        rows += [line] * scale
    return rows


def repetition_bars(bars: Bars, width: int, rows: int, ink: Ink) -> list[Text]:
    """Return a bar for each repetition of a set, in `rows` lines: the newest that have room, with the lines to reach.

    The last row has the symbols of the signals, so that colour alone says nothing.
    """
    planned = max(len(bars.bars), bars.planned or 0, 1)
    column = max(2, min(WIDEST_BAR + 1, width // planned))
    shown = bars.bars[-(width // column) :]
    height = max(1, rows - 1)
    marks = {
        min(height - 1, int(value / bars.full * height)): style
        for value, style in ((bars.target_low, "dim"), (bars.loss_line, "red"))
        if value is not None
    }
    lines = []
    for row in reversed(range(height)):
        line = Text()
        for bar in shown:
            line.append(_block(bar.value / bars.full * height - row, ink) * (column - 1), _style(bar)).append(" ")
        if row in marks:
            line.append(ink.rule * (width - line.cell_len), marks[row])
        lines.append(line)
    if rows > 1:
        lines.append(Text.assemble(*(_symbol(bar, column, ink) for bar in shown)))
    return lines


def _block(filled: float, ink: Ink) -> str:
    """Return the character for a cell that is filled to a share."""
    if filled <= 0.0:
        return " "
    if filled >= 1.0:
        return ink.full
    return _EIGHTHS[int(filled * len(_EIGHTHS))] if ink.full in _EIGHTHS else ink.full if filled >= 0.5 else " "


def _symbol(bar: Bar, column: int, ink: Ink) -> tuple[str, str]:
    symbol = " " if bar.look is None else bar.look.symbol if ink.full in _EIGHTHS else bar.look.word[0].upper()
    return symbol.center(column - 1) + " ", _style(bar)


def _style(bar: Bar) -> str:
    return "cyan" if bar.look is None else SIGNAL_STYLE[bar.look.colour]
