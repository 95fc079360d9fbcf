"""Figures of a session -> charts as SVG, to be put into a page.

A pattern is told by the shape or hatching of its mark, and by colour only beside that; each chart says in words what it
shows. Colours are the page's variables, so that charts follow its light or dark. This module refuses to know the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imu.motion.pattern import Pattern
from imu.report.markup import Markup, joined, tag

WIDTH, HEIGHT = 720.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 12.0, 22.0, 34.0
_STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Mark:
    """One repetition in a chart.

    Attributes
    ----------
    x, y : float
        Where, in the chart's units.
    pattern : Pattern
        Which shape: circle, triangle or square.
    told : str
        What is said of it when pointed at.
    """

    x: float
    y: float
    pattern: Pattern
    told: str


@dataclass(frozen=True, slots=True)
class _Axes:
    """Units of a chart -> places in the picture."""

    x_least: float
    x_most: float
    y_most: float

    def x(self, value: float) -> float:
        return LEFT + (value - self.x_least) / (self.x_most - self.x_least) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.y_most * (HEIGHT - TOP - BOTTOM)


def over_time(marks: Sequence[Mark], sets: Sequence[tuple[float, float]], title: str, unit: str) -> Markup:
    """Return marks over minutes, with the sets as numbered bars along the bottom.

    Parameters
    ----------
    marks : sequence of Mark
        Times in seconds; the other axis begins at 0.
    sets : sequence of (float, float)
        Start and end of each set, s.
    title : str
        What the chart shows.
    unit : str
        Of the upright axis.
    """
    first_s, last_s = min(start_s for start_s, _ in sets), max(end_s for _, end_s in sets)
    margin_s = max(2.0, 0.02 * (last_s - first_s))
    most = max([mark.y for mark in marks], default=1.0)
    axes = _Axes(first_s - margin_s, last_s + margin_s, _round_up(most))
    bars = [
        joined(
            tag(
                "rect",
                x=axes.x(start_s),
                y=HEIGHT - BOTTOM + 3,
                width=max(2.0, axes.x(end_s) - axes.x(start_s)),
                height=4,
                class_="set",
            ),
            _text(axes.x((start_s + end_s) / 2), HEIGHT - BOTTOM + 18, f"set {number}", "middle"),
        )
        for number, (start_s, end_s) in enumerate(sets, 1)
    ]
    return _chart(title, _grid(axes, unit), *bars, *(_shape(mark, axes) for mark in marks))


def columns(labels: Sequence[str], squats: Sequence[int], hinges: Sequence[int], title: str) -> Markup:
    """Return a column for each label: squats below, hinges hatched on top, each with its number."""
    axes = _Axes(0.0, float(len(labels)), _round_up(max(map(sum, zip(squats, hinges, strict=True)), default=1)))
    every = math.ceil(len(labels) / 12)  # more labels would run into each other
    parts = []
    for i, (label, squat, hinge) in enumerate(zip(labels, squats, hinges, strict=True)):
        width = min(48.0, 0.7 * (axes.x(1) - axes.x(0)))
        left = axes.x(i + 0.5) - width / 2
        for below, count, style in ((0, squat, "squat"), (squat, hinge, "hinge")):
            if count:
                top, height = axes.y(below + count), axes.y(below) - axes.y(below + count)
                told = tag("title", f"{label}: {count} {style}s")
                parts.append(tag("rect", told, x=left, y=top, width=width, height=height, class_=f"bar {style}"))
                if height >= 13 and width >= 18:
                    parts.append(_text(left + width / 2, top + height / 2 + 4, str(count), "middle", "inside"))
        if i % every == 0:
            parts.append(_text(left + width / 2, HEIGHT - BOTTOM + 16, label, "middle"))
    return _chart(title, _grid(axes, "repetitions"), *parts)


def legend() -> Markup:
    """Return what each shape means."""
    shown = []
    for i, pattern in enumerate((Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN)):
        mark = Mark(0.08 + i, 0.5, pattern, "")
        axes = _Axes(0.0, 6.0, 1.0)
        at = tag("g", _shape(mark, axes), transform=f"translate(0 {10 - axes.y(0.5):.1f})")
        shown.append(joined(at, _text(axes.x(mark.x) + 10, 14, str(pattern), "start")))
    return tag("svg", *shown, viewBox=f"0 0 {WIDTH / 2:.0f} 20", class_="legend", aria_hidden="true")


def _chart(title: str, *parts: Markup) -> Markup:
    svg = tag("svg", tag("title", title), *parts, viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}", role="img", aria_label=title)
    return tag("figure", tag("figcaption", title), svg)


def _grid(axes: _Axes, unit: str) -> Markup:
    step = _step(axes.y_most)
    parts = [_text(LEFT, 12, unit, "start")]
    for i in range(round(axes.y_most / step) + 1):
        y = axes.y(i * step)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(_text(LEFT - 6, y + 4, f"{i * step:g}", "end"))
    return joined(*parts)


def _shape(mark: Mark, axes: _Axes) -> Markup:
    x, y, told = axes.x(mark.x), axes.y(mark.y), tag("title", mark.told) if mark.told else None
    if mark.pattern is Pattern.SQUAT:
        return tag("circle", told, cx=x, cy=y, r=4.5, class_="mark squat")
    if mark.pattern is Pattern.HINGE:
        points = f"{x:.1f},{y - 5.5:.1f} {x + 5.5:.1f},{y + 4:.1f} {x - 5.5:.1f},{y + 4:.1f}"
        return tag("polygon", told, points=points, class_="mark hinge")
    return tag("rect", told, x=x - 4, y=y - 4, width=8, height=8, class_="mark uncertain")


def _text(x: float, y: float, text: str, anchor: str, class_: str | None = None) -> Markup:
    return tag("text", text, x=x, y=y, text_anchor=anchor, class_=class_)


def _step(most: float) -> float:
    """Return a round step that divides an axis into some four parts."""
    power = 10.0 ** math.floor(math.log10(most / 4))
    return next((step * power for step in _STEPS if step * power >= most / 4), 10 * power)


def _round_up(most: float) -> float:
    """Return the end of an axis: a whole number of steps."""
    most = max(most, 1e-3)
    step = _step(most)
    return math.ceil(most / step - 1e-9) * step
