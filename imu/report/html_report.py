"""Stored sessions -> one HTML file with everything in it: charts, tables, form, corrections.

It asks for nothing over a network, and its own policy forbids it to; it runs no script. Texts from outside, such as
names, notes and file names, are escaped (:mod:`imu.report.markup`). This module refuses to know where it is kept.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import fmean

from imu.motion.pattern import Pattern
from imu.report.charts import Mark, columns, legend, over_time
from imu.report.cues import SPEED_DROP_M, cues, share_of_speed_lost, speed
from imu.report.html_style import STYLE
from imu.report.markup import Markup, joined, table, tag
from imu.report.telling import told
from imu.report.words import clock, counted, entered, load, number_of, tempo
from imu.store import CorrectedRepetition, CorrectedSession, CorrectedSet, StoredSession

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page may load nothing at all; its style stands in it."""


def html_report(sessions: Sequence[StoredSession], made_at: datetime) -> str:
    """Return the page.

    Parameters
    ----------
    sessions : sequence of StoredSession
        In any order; they stand in the order of time, the latest first.
    made_at : datetime
        Now, in the time zone in which moments are to be told.
    """
    latest_first = sorted(sessions, key=lambda one: (one.trained_at, one.id), reverse=True)
    title = "Squats and hinges"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    body = tag(
        "body",
        _hatching(),
        tag(
            "header",
            tag("h1", title),
            tag("p", f"{number_of(len(sessions), 'session')}, told on {made_at:%Y-%m-%d %H:%M}", class_="soft"),
        ),
        tag("main", _weeks(latest_first, made_at), *(_session(one, made_at) for one in latest_first)),
        tag(
            "footer",
            tag(
                "p",
                "Angles are of the pelvis, away from quiet standing. This program measures; it is no medical device.",
                class_="soft",
            ),
        ),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _hatching() -> Markup:
    """Return the pattern that hinges are drawn with, for all charts."""
    lines = tag("path", d="M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4", class_="hatching")
    pattern = tag("pattern", lines, id="hatch", width=8, height=8, patternUnits="userSpaceOnUse")
    return tag("svg", tag("defs", pattern), width=0, height=0, aria_hidden="true", style="position:absolute")


def _weeks(sessions: Sequence[StoredSession], made_at: datetime) -> Markup | None:
    """Return the weeks of several sessions as columns; of one session there is nothing to compare."""
    if len(sessions) < 2:
        return None
    counts: dict[Pattern, Counter[date]] = {Pattern.SQUAT: Counter(), Pattern.HINGE: Counter()}
    mondays = set()
    for one in sessions:
        day = one.trained_at.astimezone(made_at.tzinfo).date()
        monday = day - timedelta(days=day.weekday())
        mondays.add(monday)
        for pattern, weeks in counts.items():
            weeks[monday] += one.corrected.count(pattern)
    weeks_shown = (max(mondays) - min(mondays)).days // 7 + 1
    all_weeks = [min(mondays) + timedelta(weeks=i) for i in range(weeks_shown)]
    squats, hinges = ([counts[pattern][week] for week in all_weeks] for pattern in counts)
    return tag(
        "section",
        tag("h2", "Week by week"),
        _facts([("Counted", counted(sum(squats), sum(hinges), 0)), ("Load", load(sum(squats), sum(hinges)))]),
        columns(
            [f"{week:%d %b}" for week in all_weeks],
            squats,
            hinges,
            "Repetitions in the week of each date: squats plain, hinges hatched",
        ),
    )


def _session(stored: StoredSession, made_at: datetime) -> Markup:
    session = stored.corrected
    when = stored.trained_at.astimezone(made_at.tzinfo)
    squats, hinges = session.count(Pattern.SQUAT), session.count(Pattern.HINGE)
    facts = [
        ("Recorded" if stored.started_at else "Saved", f"{when:%Y-%m-%d %H:%M}"),
        ("Recording", stored.source),
        ("Duration", f"{clock(session.measured.duration_s)} min"),
        ("Counted", counted(squats, hinges, session.count(Pattern.UNCERTAIN))),
    ]
    facts += [("Load", load(squats, hinges))] if squats + hinges else []
    return tag(
        "section",
        tag("h2", f"Session {stored.id}, {when:%A %d %B %Y}"),
        _facts(facts),
        *(_charts(session) if session.sets else []),
        _sets(session) if session.sets else None,
        _form(session),
        _more(f"{number_of(_repetitions(session), 'repetition')}", _repetition_rows(session)),
        _more(f"{number_of(len(session.rejected), 'movement')} not counted", _rejected_rows(session)),
        _list("Corrections", [told(one) for one in session.log]),
    )


def _charts(session: CorrectedSession) -> list[Markup]:
    sets = [(one.start_s, one.end_s) for one in session.sets]
    angles = [
        Mark(one.middle_s, max(0.0, angle_deg), one.pattern, f"{one.pattern} at {clock(one.start_s)}: {angle_deg:.0f}°")
        for one_set in session.sets
        for one in one_set.repetitions
        if one.measured is not None
        for angle_deg in [math.degrees(one.measured.trunk_angle_rad)]
    ]
    speeds = [
        Mark(one.middle_s, max(0.0, up), one.pattern, f"{one.pattern} at {clock(one.start_s)}: {up:.2f} m/s")
        for one_set in session.sets
        for one in one_set.repetitions
        if one.measured is not None and one.measured.hip_drop_m >= SPEED_DROP_M
        for up in [one.measured.mean_concentric_velocity_m_s]
    ]
    charts = []
    if angles:
        charts += [legend(), over_time(angles, sets, "Peak trunk angle of each repetition over time", "degrees")]
    if speeds:
        title = f"Mean speed upward of each repetition that sinks by {100 * SPEED_DROP_M:.0f} cm or more"
        charts.append(over_time(speeds, sets, title, "m/s"))
    return charts


def _sets(session: CorrectedSession) -> Markup:
    headings = ["Set", "Start", "Exercise", "Load kg", "Pattern", "Reps", "Angle °", "Drop m", "Tempo s", "Up m/s"]
    rows = [
        [
            *(str(number), clock(one.start_s), one.exercise or "", loads_of(one), str(one.pattern)),
            *(str(len(one.repetitions)), *means_of(one), one.note or ""),
        ]
        for number, one in enumerate(session.sets, 1)
    ]
    return table([*headings, "Lost %", "Note"], rows, "Sets; tempo is down-pause-up")


def loads_of(one_set: CorrectedSet) -> str:
    """Return the loads of a set in kg."""
    loads_kg = dict.fromkeys(one_set.load_kg_of(one) for one in one_set.repetitions)
    return " / ".join(f"{load_kg:g}" for load_kg in loads_kg if load_kg is not None)


def means_of(one_set: CorrectedSet) -> list[str]:
    """Return angle, drop, tempo, speed and speed lost of a set; empty where nothing was measured."""
    if one_set.measured is None:
        return [""] * 5
    repetitions = one_set.measured.repetitions
    up, lost = speed(one_set.measured), share_of_speed_lost(one_set.measured)
    return [
        f"{math.degrees(fmean(one.trunk_angle_rad for one in repetitions)):.0f}",
        f"{fmean(one.hip_drop_m for one in repetitions):.2f}",
        tempo(repetitions),
        "" if up is None else f"{up:.2f}",
        "" if lost is None else str(round(100 * lost)),
    ]


def _form(session: CorrectedSession) -> Markup | None:
    said = [
        f"Set {number}: {'; '.join(found)}"
        for number, one in enumerate(session.sets, 1)
        if one.measured is not None and (found := cues(one.measured))
    ]
    return _list("Form", said)


def _repetitions(session: CorrectedSession) -> int:
    return sum(len(one.repetitions) for one in session.sets)


def _repetition_rows(session: CorrectedSession) -> Markup | None:
    if not session.sets:
        return None
    headings = ["Set", "Rep", "Start", "Pattern", "Angle °", "Bottom °", "Drop m", "Tempo s", "Up m/s", "Corrected"]
    rows = [
        [str(set_number), str(number), clock(one.start_s), str(one.pattern), *figures_of(one), changes_of(one)]
        for set_number, one_set in enumerate(session.sets, 1)
        for number, one in enumerate(one_set.repetitions, 1)
    ]
    return table(headings, [list(row) for row in rows], "Each repetition as it counts")


def figures_of(one: CorrectedRepetition) -> list[str]:
    """Return angle, angle at the bottom, drop, tempo and speed of a repetition; empty where nothing was measured."""
    measured = one.measured
    if measured is None:
        return [""] * 5
    return [
        f"{math.degrees(measured.trunk_angle_rad):.0f}",
        f"{math.degrees(measured.angle_at_bottom_rad):.0f}",
        f"{measured.hip_drop_m:.2f}",
        tempo([measured]),
        f"{measured.mean_concentric_velocity_m_s:.2f}",
    ]


def changes_of(one: CorrectedRepetition) -> str:
    """Return what of a repetition is not as it was measured, and what the person entered for it."""
    was = f"measured as {one.measured.pattern}" if one.measured is not None and one.pattern_changed else ""
    return "; ".join(
        text for text in ("added" if one.added else "", was, entered(one.exercise, one.load_kg, one.note)) if text
    )


def _rejected_rows(session: CorrectedSession) -> Markup | None:
    rows: list[list[str | Markup]] = [[clock(one.start_s), clock(one.end_s), one.reason] for one in session.rejected]
    return table(["From", "To", "Not counted, because"], rows, "Movements that were not counted") if rows else None


def _more(summary: str, content: Markup | None) -> Markup | None:
    return None if content is None else tag("details", tag("summary", summary), content)


def _list(heading: str, items: Sequence[str]) -> Markup | None:
    return joined(tag("h3", heading), tag("ul", *(tag("li", item) for item in items))) if items else None


def _facts(facts: Sequence[tuple[str, str]]) -> Markup:
    return tag("dl", *(joined(tag("dt", name), tag("dd", told_of)) for name, told_of in facts))
