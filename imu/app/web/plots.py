"""Numbers -> charts for plotly.js, as plain objects: no Plotly for Python is needed.

Colours are readable on light and dark paper; ink and lines are the page's own (``style.css``). A pattern is told by
symbol or hatching too. This module refuses to know where numbers come from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from imu.motion.pattern import Pattern
from imu.report.curves import AngleCurve
from imu.report.trends import PatternTrend, Trend
from imu.report.words import clock
from imu.samples import Array
from imu.store import CorrectedSession

COLOUR = {Pattern.SQUAT: "#2b7bd3", Pattern.HINGE: "#c9621a", Pattern.UNCERTAIN: "#7d8790"}
"""At least 3 to 1 on white and on the dark paper."""
SYMBOL = {Pattern.SQUAT: "circle", Pattern.HINGE: "triangle-up", Pattern.UNCERTAIN: "square-open"}
DRAWN = 12000
"""So many points of a recording are drawn at most: ten minutes of all there are; of longer ones the peaks stay."""
BAR_MS = 5 * 24 * 3600 * 1000
"""Width of a week's column: five days."""
Chart = dict[str, Any]
_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "toImage", "autoScale2d"],
}


def recording_chart(curve: AngleCurve, session: CorrectedSession) -> Chart:
    """Return the trunk angle throughout a recording, its repetitions and what was not counted; it can be zoomed."""
    time_s, angle_rad = thinned(curve.time_s, curve.angle_rad)
    traces: list[Chart] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "trunk angle",
            "x": np.round(time_s, 2).tolist(),
            "y": [None if math.isnan(one) else one for one in np.round(np.degrees(angle_rad), 1).tolist()],
            "line": {"width": 1.5, "color": "#7d8790"},
            "hovertemplate": "%{x:.1f} s: %{y:.0f}°<extra></extra>",
        }
    ]
    every = [(number, one) for number, one_set in enumerate(session.sets, 1) for one in one_set.repetitions]
    for pattern, colour in COLOUR.items():
        shown = [(number, one) for number, one in every if one.pattern is pattern]
        if shown:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": str(pattern),
                    "x": [round(one.middle_s, 2) for _, one in shown],
                    "y": [0 if one.measured is None else _degrees(one.measured.trunk_angle_rad) for _, one in shown],
                    "text": [f"set {number}, {pattern} at {clock(one.start_s)}" for number, one in shown],
                    "hovertemplate": "%{text}: %{y:.0f}°<extra></extra>",
                    "marker": {"symbol": SYMBOL[pattern], "size": 11, "color": colour},
                }
            )
    if session.rejected:
        middle = [(one.start_s + one.end_s) / 2 for one in session.rejected]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "not counted",
                "x": [round(one, 2) for one in middle],
                "y": [-6] * len(middle),
                "text": [f"{clock(one.start_s)} not counted: {one.reason}" for one in session.rejected],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"symbol": "x-thin", "size": 9, "line": {"width": 2, "color": "#7d8790"}},
            }
        )
    layout = _layout("Trunk angle, degrees", height=320)
    layout["xaxis"] |= {"title": {"text": "seconds"}, "rangeslider": {"visible": False}}
    layout["shapes"] = [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": one.start_s,
            "x1": one.end_s,
            "y0": 0,
            "y1": 1,
            "line": {"width": 0},
            "fillcolor": "rgba(125,135,144,.14)",
            "layer": "below",
        }
        for one in session.sets
    ]
    return {"data": traces, "layout": layout, "config": _CONFIG | {"scrollZoom": True}}


def thinned(time_s: Array, angle_rad: Array, most: int = DRAWN) -> tuple[Array, Array]:
    """Return at most so many points; of each stretch the least and the largest stay, so that no peak is lost."""
    every = math.ceil(2 * len(time_s) / most)
    if every <= 2:
        return time_s, angle_rad
    whole = len(time_s) // every * every
    rows, known = angle_rad[:whole].reshape(-1, every), np.nan_to_num(angle_rad[:whole].reshape(-1, every))
    first = np.arange(len(rows)) * every
    picked = np.sort(np.column_stack((first + known.argmin(axis=1), first + known.argmax(axis=1))), axis=1).ravel()
    broken = np.flatnonzero(np.isnan(rows).any(axis=1))
    angle = angle_rad[picked].copy()
    angle[2 * broken] = np.nan
    return time_s[picked], angle


def repetitions_chart(periods: Sequence[Trend]) -> Chart:
    """Return the repetitions of each week, hinges hatched on top of squats."""
    bars = [
        ("squats", [one.squat.repetitions for one in periods], Pattern.SQUAT, ""),
        ("hinges", [one.hinge.repetitions for one in periods], Pattern.HINGE, "/"),
        ("uncertain", [one.uncertain for one in periods], Pattern.UNCERTAIN, "."),
    ]
    return _bars(periods, bars, "Repetitions")


def sets_chart(periods: Sequence[Trend]) -> Chart:
    """Return the sets of each week."""
    bars = [
        ("squat sets", [one.squat.sets for one in periods], Pattern.SQUAT, ""),
        ("hinge sets", [one.hinge.sets for one in periods], Pattern.HINGE, "/"),
    ]
    return _bars(periods, bars, "Sets")


def balance_chart(periods: Sequence[Trend]) -> Chart:
    """Return the share of squats in squats and hinges."""
    shares = [None if one.squat_share is None else round(100 * one.squat_share) for one in periods]
    line = _line(periods, "share of squats", shares, colour="#7d8790", symbol="diamond")
    layout = _layout("Squats of squats and hinges, %")
    layout["xaxis"] |= _weeks(periods)
    layout["yaxis"] |= {"range": [-4, 104], "dtick": 25}
    half = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 50, "y1": 50, "line": {"dash": "dot", "width": 1}}
    layout["shapes"] = [half | {"line": {"dash": "dot", "width": 1.5, "color": "#7d8790"}}]
    return {"data": [line], "layout": layout, "config": _CONFIG}


def figure_chart(periods: Sequence[Trend], title: str, field: str, factor: float, decimals: int) -> Chart:
    """Return one mean figure of both patterns over the weeks."""

    def values(trend: Sequence[PatternTrend]) -> list[float | None]:
        found = [getattr(one, field) for one in trend]
        return [None if value is None else round(factor * value, decimals) for value in found]

    lines = [
        _line(periods, "squats", values([one.squat for one in periods]), colour=COLOUR[Pattern.SQUAT], symbol="circle"),
        _line(
            periods,
            "hinges",
            values([one.hinge for one in periods]),
            colour=COLOUR[Pattern.HINGE],
            symbol="triangle-up",
            dash="dash",
        ),
    ]
    layout = _layout(title)
    layout["xaxis"] |= _weeks(periods)
    layout["yaxis"] |= {"rangemode": "tozero"}
    return {"data": lines, "layout": layout, "config": _CONFIG}


def _bars(periods: Sequence[Trend], bars: Sequence[tuple[str, Sequence[int], Pattern, str]], title: str) -> Chart:
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": [one.start.isoformat() for one in periods],
            "y": list(counts),
            "width": BAR_MS,
            "marker": {
                "color": COLOUR[pattern],
                "line": {"width": 1, "color": COLOUR[pattern]},
                "pattern": {"shape": shape, "fgopacity": 0.9, "size": 7, "fillmode": "replace"} if shape else {},
            },
        }
        for name, counts, pattern, shape in bars
        if any(counts)
    ]
    layout = _layout(title) | {"barmode": "stack"}
    layout["xaxis"] |= _weeks(periods)
    return {"data": traces, "layout": layout, "config": _CONFIG}


def _line(
    periods: Sequence[Trend],
    name: str,
    values: Sequence[float | None],
    *,
    colour: str,
    symbol: str,
    dash: str = "solid",
) -> Chart:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [one.start.isoformat() for one in periods],
        "y": list(values),
        "connectgaps": True,
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"symbol": symbol, "size": 8},
    }


def _weeks(periods: Sequence[Trend]) -> Chart:
    """Return the axis of weeks: some eight dates, and room for the first and the last column."""
    every = math.ceil(len(periods) / 8)
    shown = [one.start for one in periods[::-1][::every]][::-1]
    room = timedelta(days=6)
    return {
        "type": "date",
        "tickvals": [day.isoformat() for day in shown],
        "ticktext": [f"{day:%d %b}" if day.year == shown[-1].year else f"{day:%d %b %Y}" for day in shown],
        "range": [(periods[0].start - room).isoformat(), (periods[-1].start + room).isoformat()],
        "showgrid": False,
    }


def _layout(title: str, height: int = 260) -> Chart:
    return {
        "title": {"text": title, "font": {"size": 15}, "x": 0, "xref": "paper", "y": 0.98, "yanchor": "top"},
        "height": height,
        "margin": {"l": 44, "r": 12, "t": 56, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#7d8790"},
        "xaxis": {"zeroline": False, "automargin": True},
        "yaxis": {"zeroline": False, "automargin": True, "fixedrange": True, "rangemode": "tozero"},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        "showlegend": True,
        "hovermode": "closest",
        "dragmode": "zoom",
    }


def _degrees(angle_rad: float) -> float:
    return round(math.degrees(angle_rad), 1)
