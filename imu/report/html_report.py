"""Stored sessions -> one HTML file with charts, tables, form and corrections.

The file loads nothing over a network, and its own policy forbids it to; it runs no script. The templates escape every
text from outside, such as names, notes and file names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from imu.report.charts import Chart, Mark, columns, legend, over_time
from imu.report.cues import SPEED_DROP_M
from imu.report.session_view import RejectedView, SessionView, SetView, view_of_stored
from imu.report.words import counted, load, number_of
from imu.store import StoredSession

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page may load nothing at all; its style sheet is part of it."""


@dataclass(frozen=True, slots=True)
class _Weeks:
    """Several sessions week by week."""

    counted: str
    load: str
    chart: Chart


def html_report(sessions: Sequence[StoredSession], made_at: datetime) -> str:
    """Return the report on sessions as one HTML page.

    Parameters
    ----------
    sessions : sequence of StoredSession
        In any order; the report begins with the latest.
    made_at : datetime
        Now, in the reader's time zone.
    """
    latest_first = sorted(sessions, key=lambda one: (one.trained_at, one.id), reverse=True)
    views = [view_of_stored(one, made_at.tzinfo) for one in latest_first]
    return (
        environment()
        .get_template("report.html")
        .render(
            policy=POLICY,
            made_at=made_at,
            views=[(view, _session_charts(view)) for view in views],
            weeks=_weeks(views),
            shapes=legend(),
        )
    )


def templates_of(package: str, *, keep_trailing_newline: bool = False) -> Environment:
    """Return the templates of a package, in which every text is escaped and an unknown name is an error."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=keep_trailing_newline,
    )


@cache
def environment() -> Environment:
    """Return the templates of the report."""
    found = templates_of("imu.report", keep_trailing_newline=True)
    rows = (set_rows, repetition_rows, rejected_rows, form_lines)
    found.filters |= {one.__name__: one for one in rows} | {"number_of": number_of}
    found.tests["number_like"] = lambda cell: cell.removeprefix("-")[:1].isdigit()
    return found


def set_rows(sets: Iterable[SetView]) -> list[list[str]]:
    """Return the cells of the table of sets."""
    return [
        [
            *(str(one.number), one.start, one.exercise or "", one.loads, str(one.pattern), str(len(one.repetitions))),
            *(one.angle, one.drop, one.tempo, one.speed, one.speed_lost, one.note or ""),
        ]
        for one in sets
    ]


def repetition_rows(sets: Iterable[SetView]) -> list[list[str]]:
    """Return the cells of the table of repetitions."""
    return [
        [
            *(str(one_set.number), str(one.number), one.start, str(one.pattern), one.angle, one.angle_at_bottom),
            *(one.drop, one.tempo, one.speed, one.changes),
        ]
        for one_set in sets
        for one in one_set.repetitions
    ]


def rejected_rows(rejected: Iterable[RejectedView]) -> list[list[str]]:
    """Return the cells of the table of movements that were not counted."""
    return [[one.start, one.end, one.reason] for one in rejected]


def form_lines(sets: Iterable[SetView]) -> list[str]:
    """Return what a coach would say about the form of each set."""
    return [f"Set {one.number}: {'; '.join(one.cues)}" for one in sets if one.cues]


def _weeks(views: Sequence[SessionView]) -> _Weeks | None:
    """Return the weeks of several sessions; one session alone has nothing to compare with."""
    if len(views) < 2:
        return None
    squats: Counter[date] = Counter()
    hinges: Counter[date] = Counter()
    for view in views:
        if view.moment is not None:
            monday = view.moment.date() - timedelta(days=view.moment.weekday())
            squats[monday] += view.squats
            hinges[monday] += view.hinges
    first, last = min(squats), max(squats)
    mondays = [first + timedelta(weeks=i) for i in range((last - first).days // 7 + 1)]
    chart = columns(
        [f"{monday:%d %b}" for monday in mondays],
        [squats[monday] for monday in mondays],
        [hinges[monday] for monday in mondays],
        "Repetitions in the week of each date: squats plain, hinges hatched",
    )
    return _Weeks(counted(squats.total(), hinges.total(), 0), load(squats.total(), hinges.total()), chart)


def _session_charts(view: SessionView) -> list[Chart]:
    """Return the chart of angles and that of speeds, where there are any."""
    sets = [(one.start_s, one.end_s) for one in view.sets]
    measured = [(one, one.figures) for one in view.repetitions if one.figures is not None]

    angles = [
        Mark(
            one.middle_s, max(0.0, figures.trunk_angle_deg), one.pattern, f"{one.pattern} at {one.start}: {one.angle}°"
        )
        for one, figures in measured
    ]
    speeds = [
        Mark(
            one.middle_s,
            max(0.0, figures.mean_concentric_velocity_m_s),
            one.pattern,
            f"{one.pattern} at {one.start}: {one.speed} m/s",
        )
        for one, figures in measured
        if figures.has_speed
    ]
    charts = [over_time(angles, sets, "Peak trunk angle of each repetition over time", "degrees")] if angles else []
    if speeds:
        title = f"Mean speed upward of each repetition that sinks by {100 * SPEED_DROP_M:.0f} cm or more"
        charts.append(over_time(speeds, sets, title, "m/s"))
    return charts
