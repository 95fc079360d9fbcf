"""The page of weeks: how much, of what, how deep and how fast; and what is plain enough to be noted."""

from __future__ import annotations

from nicegui import ui

from imu.app.web import plots
from imu.app.web.kept import ask_store, now
from imu.motion.pattern import Pattern
from imu.report.markup import joined, tag
from imu.report.trends import Period, Trend, notes, stored_totals, trends
from imu.report.words import days_ago
from imu.store import PatternTotals, SessionStore

SPANS = ((12, "12 weeks"), (26, "half a year"), (52, "a year"), (520, "ten years"))
SPAN = 26


async def trends_page(weeks: int) -> None:
    """Put the page together."""
    weeks = min((span for span, _ in SPANS), key=lambda span: abs(span - weeks))
    moment = now()

    def question(store: SessionStore) -> tuple[tuple[PatternTotals, ...], dict[Pattern, int | None]]:
        return stored_totals(store, moment), store.days_since_trained(moment)

    totals, days_since = await ask_store(question) or ((), {})
    periods = trends(totals, Period.WEEK, moment.tzinfo, moment.date(), most=weeks)
    facts = [(f"Last {pattern}", days_ago(days)) for pattern, days in days_since.items()]
    facts += [("Note", note) for note in notes(totals, moment)]
    spans = [
        tag("a", name, href=f"/trends?weeks={span}", class_="button", aria_current="true" if span == weeks else None)
        for span, name in SPANS
    ]
    head = joined(
        tag("h1", "Week by week"),
        tag("dl", *(joined(tag("dt", name), tag("dd", text)) for name, text in facts), class_="facts")
        if facts
        else None,
        tag("nav", *spans, class_="actions", aria_label="How far back"),
    )
    ui.html(head, sanitize=False)
    if not periods:
        ui.label("Nothing is kept yet.")
        return
    with ui.element("div").classes("charts"):
        _chart(plots.repetitions_chart(periods), "Repetitions of each week; hinges are hatched")
        _chart(plots.balance_chart(periods), "Share of squats in squats and hinges, of each week")
        _chart(plots.sets_chart(periods), "Sets of each week; those of hinges are hatched")
        for title, field, factor, decimals in (
            ("Trunk angle at its peak, degrees", "trunk_angle_rad", 57.29578, 1),
            ("Depth of the hip, cm", "hip_drop_m", 100.0, 1),
            ("Speed upward, m/s, of those that sink", "speed_m_s", 1.0, 2),
        ):
            _chart(plots.figure_chart(periods, title, field, factor, decimals), f"{title}: the mean of each week")
    ui.html(_table(periods), sanitize=False)


def _chart(chart: plots.Chart, told: str) -> None:
    ui.plotly(chart).classes("chart").props(f'role="group" aria-label="{told}; the table below has the numbers"')


def _table(periods: tuple[Trend, ...]) -> str:
    headings = (
        "Week of",
        "Sessions",
        "Squats",
        "in sets",
        "°",
        "cm",
        "m/s",
        "Hinges",
        "in sets",
        "°",
        "cm",
        "Squats %",
    )
    rows = []
    for one in reversed(periods):
        squat, hinge, share = one.squat, one.hinge, one.squat_share
        numbers = (
            *(float(one.sessions), float(squat.repetitions), float(squat.sets)),
            *(_times(squat.trunk_angle_rad, 57.29578), _times(squat.hip_drop_m, 100.0), squat.speed_m_s),
            *(float(hinge.repetitions), float(hinge.sets)),
            *(_times(hinge.trunk_angle_rad, 57.29578), _times(hinge.hip_drop_m, 100.0), _times(share, 100.0)),
        )
        cells = [
            "–" if value is None or (value == 0 and i != 11) else f"{value:.{2 if i == 5 else 0}f}"
            for i, value in enumerate(numbers)
        ]
        rows.append(
            tag("tr", tag("th", f"{one.start:%d %b %Y}", scope="row"), *(tag("td", c, class_="number") for c in cells))
        )
    head = tag("thead", tag("tr", *(tag("th", heading, scope="col") for heading in headings)))
    table = tag("table", tag("caption", "The same in numbers", class_="sr"), head, tag("tbody", *rows))
    scroll = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="The same in numbers")
    return tag("details", tag("summary", "The same in numbers"), scroll)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value
