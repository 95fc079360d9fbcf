"""Numbers in a row -> a line of blocks, one letter each.

What differs by less than the measuring error must not look like something: the line spans `least_span` at least.
"""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
MISSING = "·"


def sparkline(values: Sequence[float | None], least_span: float = 0.0) -> str:
    """Return one block for each value, the lowest for the least; a dot where there is none.

    Parameters
    ----------
    values : sequence of float or None
        In the order in which they are shown.
    least_span : float
        Difference between the lowest and the highest block at least; values that differ by less stand in the middle.
    """
    known = [value for value in values if value is not None]
    if not known:
        return MISSING * len(values)
    span = max(max(known) - min(known), least_span)
    lowest = (min(known) + max(known) - span) / 2
    return "".join(MISSING if value is None else BLOCKS[_level(value - lowest, span)] for value in values)


def _level(above: float, span: float) -> int:
    """Return which block stands for a value; equal values get the same one, whatever the last digits of a sum are."""
    return int(round(above / span * (len(BLOCKS) - 1), 6) + 0.5) if span else 0
