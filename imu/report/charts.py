"""Repetitions and weeks -> charts as SVG elements, which `templates/report.html` draws.

Each pattern has its own shape or hatching besides its colour, and each chart says in words what it shows. Colours are
variables of the page, so that a chart follows its light or dark theme. Coordinates are those of the SVG, in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from imu.motion.pattern import Pattern
from imu.report.words import date_of, thousands

WIDTH, HEIGHT = 720.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 12.0, 22.0, 34.0
DAY_S = 86400.0
_STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Mark:
    """One repetition: a circle (squat), triangle (hinge) or square (uncertain); `title` shows when pointed at."""

    x: float
    y: float
    pattern: Pattern
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of the CSS class `style`, with a `title` that shows when pointed at and a text `inside` it."""

    x: float
    y: float
    width: float
    height: float
    style: str
    title: str = ""
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A text; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart of `WIDTH` by `HEIGHT`: grid lines at the heights `grid`, then bars, a line, marks and labels."""

    title: str
    grid: tuple[float, ...]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    labels: tuple[Label, ...]
    line: str = ""


@dataclass(frozen=True, slots=True)
class _Axes:
    """Values -> coordinates. The upright axis begins at 0."""

    x_least: float
    x_most: float
    y_most: float

    def x(self, value: float) -> float:
        return round(LEFT + (value - self.x_least) / (self.x_most - self.x_least) * (WIDTH - LEFT - RIGHT), 2)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - value / self.y_most * (HEIGHT - TOP - BOTTOM), 2)


def over_time(marks: Sequence[Mark], sets: Sequence[tuple[float, float]], title: str, unit: str) -> Chart:
    """Return marks over time, with the sets as numbered bars along the bottom.

    Parameters
    ----------
    marks : sequence of Mark
        ``x`` is a time in seconds, ``y`` a figure from 0 upward in `unit`.
    sets : sequence of (float, float)
        Start and end of each set, s.
    title : str
        What the chart shows.
    unit : str
        Unit of the upright axis.
    """
    first_s, last_s = min(start_s for start_s, _ in sets), max(end_s for _, end_s in sets)
    margin_s = max(2.0, 0.02 * (last_s - first_s))
    axes = _Axes(first_s - margin_s, last_s + margin_s, _round_up(max([mark.y for mark in marks], default=1.0)))
    grid, grid_labels = _grid(axes, unit)
    bars, labels = [], []
    for number, (start_s, end_s) in enumerate(sets, 1):
        width = max(2.0, axes.x(end_s) - axes.x(start_s))
        bars.append(Bar(axes.x(start_s), HEIGHT - BOTTOM + 3, round(width, 2), 4.0, "set"))
        labels.append(Label(axes.x((start_s + end_s) / 2), HEIGHT - BOTTOM + 18, f"set {number}", "middle"))
    placed = tuple(Mark(axes.x(mark.x), axes.y(mark.y), mark.pattern, mark.title) for mark in marks)
    return Chart(title, grid, tuple(bars), placed, (*grid_labels, *labels))


def columns(labels: Sequence[str], squats: Sequence[int], hinges: Sequence[int], title: str, unit: str) -> Chart:
    """Return a column for each label: squats below, hinges hatched above, each with its number."""
    axes = _Axes(0.0, float(len(labels)), _round_up(max(map(sum, zip(squats, hinges, strict=True)), default=1)))
    grid, grid_labels = _grid(axes, unit)
    step = math.ceil(len(labels) / 12)  # more than twelve labels would overlap
    width = round(min(48.0, 0.7 * (axes.x(1) - axes.x(0))), 2)
    bars, below = [], []
    for i, (label, squat, hinge) in enumerate(zip(labels, squats, hinges, strict=True)):
        middle = axes.x(i + 0.5)
        for base, count, style in ((0, squat, "squat"), (squat, hinge, "hinge")):
            if count:
                top = axes.y(base + count)
                height = round(axes.y(base) - top, 2)
                number = _number(count)
                narrow = number.count(_SPACE)
                inside = number if height >= 13 and width >= 8 * len(number) + 4 - 4 * narrow else ""
                title_of_bar = f"{label}: {number} {unit}, {style}s"
                bars.append(Bar(round(middle - width / 2, 2), top, width, height, f"bar {style}", title_of_bar, inside))
        if i % step == 0:
            below.append(Label(middle, HEIGHT - BOTTOM + 16, label, "middle"))
    return Chart(title, grid, tuple(bars), (), (*grid_labels, *below))


def lines(points: Sequence[tuple[float, float]], pattern: Pattern, title: str, unit: str) -> Chart:
    """Return marks joined by a line over days.

    Parameters
    ----------
    points : sequence of (float, float)
        Seconds since 1970, and the figure in `unit`.
    pattern : Pattern
        Of the exercise.
    title, unit : str
        What the chart shows, and the unit of the upright axis.
    """
    first_s, last_s = points[0][0], max(points[-1][0], points[0][0] + DAY_S)
    margin_s = 0.03 * (last_s - first_s)
    axes = _Axes(first_s - margin_s, last_s + margin_s, _round_up(max(value for _, value in points)))
    grid, grid_labels = _grid(axes, unit)
    marks = tuple(Mark(axes.x(x), axes.y(y), pattern, f"{_day_of(x)}: {_number(y)} {unit}") for x, y in points)
    ends = [(first_s, "start"), ((first_s + last_s) / 2, "middle"), (last_s, "end")]
    if last_s - first_s < 3 * DAY_S:
        del ends[1]  # its day would stand there twice
    if points[-1][0] < last_s:
        del ends[1:]  # all of one day: the next one is in the future
    days = [Label(axes.x(x), HEIGHT - BOTTOM + 18, _day_of(x), anchor) for x, anchor in ends]
    joined = " ".join(f"{mark.x},{mark.y}" for mark in marks)
    return Chart(title, grid, (), marks, (*grid_labels, *days), joined)


_SPACE = "\N{NARROW NO-BREAK SPACE}"
"""Between thousands; half as wide as a digit."""


def _day_of(seconds: float) -> str:
    return date_of(datetime.fromtimestamp(seconds, UTC))


def legend() -> tuple[tuple[Mark, ...], tuple[Label, ...]]:
    """Return the shape of each pattern and its name, side by side."""
    patterns = (Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN)
    marks = tuple(Mark(54.0 + 110 * i, 10.0, pattern, "") for i, pattern in enumerate(patterns))
    return marks, tuple(Label(mark.x + 10, 14.0, str(mark.pattern), "start") for mark in marks)


def _grid(axes: _Axes, unit: str) -> tuple[tuple[float, ...], list[Label]]:
    """Return the heights of the grid lines, and the labels of the axis and its unit."""
    step = _step(axes.y_most)
    values = [i * step for i in range(round(axes.y_most / step) + 1)]
    heights = tuple(axes.y(value) for value in values)
    labels = [Label(LEFT - 6, y + 4, _number(value), "end") for y, value in zip(heights, values, strict=True)]
    return heights, [Label(LEFT, 12.0, unit, "start"), *labels]


def _number(value: float) -> str:
    """Return a figure as tables show it: thousands apart, without the noise of the last digits."""
    return thousands(f"{round(value, 3):,}".removesuffix(".0"))


def _step(most: float) -> float:
    """Return a round step that divides an axis into about four parts."""
    power = 10.0 ** math.floor(math.log10(most / 4))
    return next((step * power for step in _STEPS if step * power >= most / 4), 10 * power)


def _round_up(most: float) -> float:
    """Return the end of an axis: a whole number of steps."""
    most = max(most, 1e-3)
    step = _step(most)
    return math.ceil(most / step - 1e-9) * step
