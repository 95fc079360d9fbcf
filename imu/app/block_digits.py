"""Numbers large enough to be read from across a room, in a terminal's characters."""

from __future__ import annotations

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
