"""Weeks of training -> a page for the terminal, and an object for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from imu.motion.pattern import Pattern
from imu.report.layout import COLOUR, labelled, plain_table
from imu.report.sparklines import sparkline
from imu.report.trends import PatternTrend, Trend
from imu.report.words import days_ago

_FIGURES = ("sets", "reps", "deg", "m", "m/s")


def trend_page(periods: Sequence[Trend], days_since: dict[Pattern, int | None], notes: Sequence[str]) -> Group:
    """Return a table with a line for each day or week, lines of blocks over all of them, and what there is to note."""
    lines = [
        *_drawn("Squats", [one.squat for one in periods]),
        *_drawn("Hinges", [one.hinge for one in periods]),
        ("Squat share", sparkline([one.squat_share for one in periods], 1.0) + "  of squats and hinges, a block each"),
        *((f"Last {pattern}", days_ago(days)) for pattern, days in days_since.items()),
        *(("Note", note) for note in notes),
    ]
    return Group(_table(periods), "", labelled(lines))


def trend_object(one: Trend) -> dict[str, object]:
    """Return a day or week as what ``imu review --trends --json`` prints of it."""
    return {
        "start": one.start.isoformat(),
        "days": one.days,
        "sessions": one.sessions,
        "squat": _pattern_object(one.squat),
        "hinge": _pattern_object(one.hinge),
        "uncertain": one.uncertain,
        "squat_share": _rounded(one.squat_share),
    }


def _pattern_object(one: PatternTrend) -> dict[str, object]:
    angle_deg = None if one.trunk_angle_rad is None else math.degrees(one.trunk_angle_rad)
    return {
        "sets": one.sets,
        "reps": one.repetitions,
        "trunk_angle_deg": _rounded(angle_deg, 1),
        "hip_drop_m": _rounded(one.hip_drop_m),
        "mean_concentric_velocity_m_s": _rounded(one.speed_m_s),
    }


def _rounded(value: float | None, decimals: int = 3) -> float | None:
    return None if value is None else round(value, decimals)


def _table(periods: Sequence[Trend]) -> Table:
    unit = "week of" if periods and periods[0].days > 1 else "day"
    table = plain_table(unit)
    for pattern in (Pattern.SQUAT, Pattern.HINGE):
        for number, figure in enumerate(_FIGURES):
            heading = f"{pattern if number == 0 else ''}\n{figure}"
            table.add_column(Text(heading, style=COLOUR[pattern]), justify="right", no_wrap=True)
    table.add_column("squat\n%", justify="right", no_wrap=True)
    for one in periods:
        share = one.squat_share
        table.add_row(
            f"{one.start:%Y-%m-%d}",
            *_cells(one.squat),
            *_cells(one.hinge),
            "." if share is None else f"{100 * share:.0f}",
        )
    return table


def _cells(one: PatternTrend) -> list[str]:
    return [
        str(one.sets or "."),
        str(one.repetitions or "."),
        "." if one.trunk_angle_rad is None else f"{math.degrees(one.trunk_angle_rad):.0f}",
        "." if one.hip_drop_m is None else f"{one.hip_drop_m:.2f}",
        "." if one.speed_m_s is None else f"{one.speed_m_s:.2f}",
    ]


def _drawn(name: str, trend: Sequence[PatternTrend]) -> list[tuple[str, str]]:
    """Return lines of blocks of repetitions, angle and drop, if there are any repetitions."""
    if not any(one.repetitions for one in trend):
        return []
    drawn = {
        "reps": sparkline([float(one.repetitions) for one in trend]),
        "angle": sparkline([one.trunk_angle_rad for one in trend], math.radians(10)),
        "drop": sparkline([one.hip_drop_m for one in trend], 0.08),
    }
    return [(name, "  ".join(f"{what} {line}" for what, line in drawn.items()))]
