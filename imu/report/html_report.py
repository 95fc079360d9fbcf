"""Sessions of the store -> a report that a coach hands over: one HTML file to read and to print.

It begins with a summary, then shows progress, sets and form in plain words. One session is shown in full, several as a
line each, and more than `LISTED` week by week. The file loads nothing over a network, and its own policy forbids it to;
it runs no script. The templates escape every text from outside, such as names and notes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from imu.errors import SessionNotFound
from imu.motion.pattern import Pattern
from imu.report.charts import Chart, Mark, columns, legend, lines, over_time
from imu.report.cues import SPEED_DROP_M
from imu.report.exercises import ExerciseHistory, histories_of
from imu.report.session_view import SessionView, SetView, view_of_stored
from imu.report.trends import Period, stored_totals, trends
from imu.report.words import counted, in_unit, load, number_of, unit_of_load, volume, weight
from imu.store import SessionOverview, SessionStore
from imu.store.exercises import key_of, usual_name

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page may load nothing at all; its style sheet is part of it."""
IN_FULL = 3
"""Up to this many sessions are shown in full."""
LISTED = 40
"""Up to this many sessions get a line each; more are added up by weeks."""
CHARTED = 4
"""Exercises with charts: those with most sets."""
FORM_SESSIONS = 12
"""Form is read from this many of the latest sessions: what was corrected long ago is not news."""
MOST_COLUMNS = 53
"""Weeks in a chart: those of a year."""

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a report is about.

    Attributes
    ----------
    sessions : tuple of int
        Numbers of sessions; empty for all within the dates.
    first, last : date or None
        First and last day; ``None`` for no bound.
    exercise : str or None
        Only sessions with this exercise, and only its sets.
    name : str
        Whose report it is; may be empty.
    """

    sessions: tuple[int, ...] = ()
    first: date | None = None
    last: date | None = None
    exercise: str | None = None
    name: str = ""


def html_report(store: SessionStore, selection: Selection, made_at: datetime) -> str:
    """Return the report as one HTML page.

    Parameters
    ----------
    store : SessionStore
        The sessions.
    selection : Selection
        What it is about.
    made_at : datetime
        Now, in the reader's time zone.

    Raises
    ------
    SessionNotFound
        If no session fits, or one of the numbers is not in the store.
    """
    zone, in_lb = made_at.tzinfo, store.loads_in_lb()
    key = None if selection.exercise is None else key_of(usual_name(selection.exercise))
    chosen = chosen_sessions(store, selection, made_at)
    sets = [one for one in store.exercise_sets(least_drop_for_speed_m=SPEED_DROP_M) if one.session_id in chosen]
    sets = [one for one in sets if key is None or key_of(usual_name(one.exercise)) == key]
    histories = sorted(histories_of(sets), key=lambda one: len(one.sets), reverse=True)
    latest = sorted(chosen.values(), key=lambda one: one.trained_at, reverse=True)
    recent = [view_of_stored(store.load(one.id), zone, in_lb=in_lb) for one in latest[:FORM_SESSIONS]]
    recent = [_only(view, key) for view in recent]
    full = recent if len(latest) <= IN_FULL else []
    days = [one.trained_at.astimezone(zone).date() for one in latest]
    return (
        environment()
        .get_template("report.html")
        .render(
            policy=POLICY,
            made_at=made_at,
            title=histories[0].name if key is not None else "Squats and hinges",
            name=selection.name,
            period=_period(min(days), max(days)),
            facts=_facts(latest, histories if key is not None else [], in_lb=in_lb),
            charts=_progress(store, latest, histories, made_at, in_lb=in_lb),
            exercises=exercise_rows(histories, in_lb=in_lb, zone=made_at),
            form=form_lines(full[0].sets) if len(full) == 1 else common_form(recent),
            views=[(view, _session_charts(view)) for view in full],
            listed=[] if full or len(latest) > LISTED else session_rows(latest, in_lb=in_lb, zone=made_at),
            of_exercise=[] if key is None or full else done_rows(histories[0], in_lb=in_lb, zone=made_at),
            weeks=week_rows(latest, made_at, in_lb=in_lb) if len(latest) > LISTED else [],
            unit=unit_of_load(in_lb=in_lb),
            shapes=legend(),
        )
    )


def chosen_sessions(store: SessionStore, selection: Selection, now: datetime) -> dict[int, SessionOverview]:
    """Return the sessions of a selection by their numbers.

    Raises
    ------
    SessionNotFound
        If nothing fits, or one of the numbers is not in the store.
    """
    by_number = {one.id: one for one in store.list()}
    for number in selection.sessions:
        if number not in by_number:
            raise SessionNotFound(f"there is no session {number}; `imu review` lists those that are kept")
    found = {number: by_number[number] for number in selection.sessions or by_number}
    first, last = selection.first or date.min, selection.last or date.max
    found = {n: one for n, one in found.items() if first <= one.trained_at.astimezone(now.tzinfo).date() <= last}
    if selection.exercise is not None:
        key = key_of(usual_name(selection.exercise))
        found = {n: one for n, one in found.items() if any(key_of(usual_name(name)) == key for name in one.exercises)}
    if not found:
        what = "" if selection.exercise is None else f" with {selection.exercise[:80]}"
        raise SessionNotFound(f"no session{what} is in this period; `imu review` lists all")
    return found


def _only(view: SessionView, key: str | None) -> SessionView:
    """Return a view with the sets of one exercise alone; `key` ``None`` keeps all sets."""
    if key is None:
        return view
    sets = tuple(one for one in view.sets if one.exercise is not None and key_of(usual_name(one.exercise)) == key)
    return replace(view, sets=sets, rejected=())


# --- environment -----------------------------------------------------------------------------------------------------


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
    found.filters |= {"set_rows": set_rows, "number_of": number_of}
    found.tests["number_like"] = lambda cell: cell.removeprefix("-")[:1].isdigit()
    return found


# --- summary ---------------------------------------------------------------------------------------------------------


def _period(first: date, last: date) -> str:
    begin, end = (f"{day.day} {day:%B %Y}" for day in (first, last))
    return begin if first == last else f"{begin} to {end}"


def _facts(
    latest: Sequence[SessionOverview], histories: Sequence[ExerciseHistory], *, in_lb: bool
) -> list[tuple[str, str]]:
    """Return the summary; with `histories` that of their only exercise."""
    if histories:
        (one,) = histories
        best = one.heaviest
        maximum, profile = one.maximum, one.profile
        unit = unit_of_load(in_lb=in_lb)
        facts = [
            ("Trained", f"{number_of(len(one.sessions), 'session')}, {number_of(len(one.sets), 'set')}"),
            ("Repetitions", str(one.repetitions)),
            ("Volume", volume(one.volume_kg, in_lb=in_lb)),
        ]
        if best is not None and best.load_kg:
            day = best.trained_at.astimezone()
            facts.append(
                ("Heaviest", f"{weight(best.load_kg, in_lb=in_lb)} × {best.repetitions}, {day.day} {day:%b %Y}")
            )
        if maximum.load_kg is not None:
            shown = in_unit(maximum.load_kg, in_lb=in_lb, decimals=0)
            facts.append(("One-repetition maximum", f"about {shown:.0f} {unit} by load and repetitions (Epley)"))
        if profile.load_kg is not None and profile.error_kg is not None:
            value, error = (in_unit(kg, in_lb=in_lb, decimals=0) for kg in (profile.load_kg, profile.error_kg))
            facts.append(("", f"{value:.0f} ± {error:.0f} {unit} by load and speed (Banyard 2017)"))
        return facts
    squats, hinges, uncertain = (sum(getattr(one, n) for one in latest) for n in ("squats", "hinges", "uncertain"))
    lifted = [one.volume_kg for one in latest if one.volume_kg is not None]
    return [
        ("Trained", f"{number_of(len(latest), 'session')}, {number_of(sum(one.sets for one in latest), 'set')}"),
        ("Counted", counted(squats, hinges, uncertain)),
        ("Volume", volume(sum(lifted), in_lb=in_lb) if lifted else ""),
        ("Load went", load(squats, hinges) if squats + hinges else ""),
    ]


def exercise_rows(histories: Iterable[ExerciseHistory], *, in_lb: bool, zone: datetime) -> Rows:
    """Return a row for each exercise, with its records and their days."""
    rows = []
    for one in histories:
        best, maximum = one.heaviest, one.maximum.load_kg
        rows.append(
            [
                *(one.name, str(one.pattern), str(len(one.sets)), str(one.repetitions)),
                volume(one.volume_kg, in_lb=in_lb).rpartition(" ")[0],
                "" if best is None else f"{weight(best.load_kg or 0.0, in_lb=in_lb)} × {best.repetitions}",
                "" if best is None else _day(best.trained_at, zone),
                "" if maximum is None else f"{in_unit(maximum, in_lb=in_lb, decimals=0):.0f}",
            ]
        )
    return rows


def session_rows(latest: Iterable[SessionOverview], *, in_lb: bool, zone: datetime) -> Rows:
    """Return a row for each session."""
    return [
        [
            *(_day(one.trained_at, zone), ", ".join(one.exercises), str(one.sets), str(one.squats), str(one.hinges)),
            volume(one.volume_kg, in_lb=in_lb).rpartition(" ")[0],
        ]
        for one in latest
    ]


def done_rows(history: ExerciseHistory, *, in_lb: bool, zone: datetime) -> Rows:
    """Return a row for each of the latest sessions of an exercise."""
    rows = []
    for one in history.sessions[: -LISTED - 1 : -1]:
        best = one.heaviest
        heaviest = "" if best is None else f"{weight(best.load_kg or 0.0, in_lb=in_lb)} × {best.repetitions}"
        counts = (str(len(one.sets)), str(one.repetitions))
        rows.append(
            [_day(one.trained_at, zone), *counts, heaviest, volume(one.volume_kg, in_lb=in_lb).rpartition(" ")[0]]
        )
    return rows


def week_rows(latest: Sequence[SessionOverview], made_at: datetime, *, in_lb: bool) -> Rows:
    """Return a row for each week that was trained, the latest first."""
    weeks: dict[date, list[SessionOverview]] = {}
    for one in latest:
        day = one.trained_at.astimezone(made_at.tzinfo).date()
        weeks.setdefault(day - timedelta(days=day.weekday()), []).append(one)
    rows = []
    for monday, sessions in weeks.items():
        lifted = [one.volume_kg for one in sessions if one.volume_kg is not None]
        sums = [sum(getattr(one, name) for one in sessions) for name in ("sets", "squats", "hinges")]
        cells = [f"{monday.day} {monday:%b %Y}", str(len(sessions)), *map(str, sums)]
        rows.append([*cells, volume(sum(lifted), in_lb=in_lb).rpartition(" ")[0] if lifted else ""])
    return rows


def _day(moment: datetime, zone: datetime) -> str:
    day = moment.astimezone(zone.tzinfo)
    return f"{day.day} {day:%b %Y}"


# --- sets and form ---------------------------------------------------------------------------------------------------


def set_rows(sets: Iterable[SetView]) -> Rows:
    """Return the cells of the table of sets."""
    return [
        [
            *(str(one.number), one.exercise or str(one.pattern), one.weights, str(len(one.repetitions))),
            *(one.angle, one.drop, one.tempo, one.speed, one.speed_lost, one.note or ""),
        ]
        for one in sets
    ]


def form_lines(sets: Iterable[SetView]) -> list[str]:
    """Return what a coach would say about the form of each set."""
    return [f"Set {one.number}: {'; '.join(one.cues)}" for one in sets if one.cues]


def common_form(views: Iterable[SessionView]) -> list[str]:
    """Return what a coach would say about the form of several sessions, the commonest first."""
    sets = [one for view in views for one in view.sets]
    said = Counter(_without_numbers(cue) for one in sets for cue in one.cues)
    return [
        f"{text[:1].upper()}{text[1:]}: in {count} of {number_of(len(sets), 'set')}" for text, count in said.items()
    ]


def _without_numbers(cue: str) -> str:
    """Return a cue without its figures, so that those of several sets are the same sentence."""
    text = re.sub(r" ?\([^)]*\)|^\d+ % | ?(?:by )?\d+°(?: only)?| from repetition \d+", "", cue)
    return re.sub(r"^bent,", "bent too little,", text)


# --- charts ----------------------------------------------------------------------------------------------------------


def _progress(
    store: SessionStore,
    latest: Sequence[SessionOverview],
    histories: Sequence[ExerciseHistory],
    made_at: datetime,
    *,
    in_lb: bool,
) -> list[Chart]:
    """Return charts of weeks and of exercises; a single session has nothing to compare with."""
    if len(latest) < 2:
        return []
    numbers, unit = {one.id for one in latest}, unit_of_load(in_lb=in_lb)
    last_at = max(one.trained_at for one in latest)
    totals = [one for one in stored_totals(store, last_at) if one.session_id in numbers]
    last = last_at.astimezone(made_at.tzinfo).date()
    weeks = trends(totals, Period.WEEK, made_at.tzinfo, last, most=MOST_COLUMNS)
    labels = [f"{one.start.day} {one.start:%b}" for one in weeks]
    title = "Repetitions in the week of each date: squats plain, hinges hatched"
    charts = [
        columns(
            labels, [w.squat.repetitions for w in weeks], [w.hinge.repetitions for w in weeks], title, "repetitions"
        )
    ]
    volumes = [[round(in_unit(p.volume_kg or 0.0, in_lb=in_lb)) for p in (w.squat, w.hinge)] for w in weeks]
    if any(map(any, volumes)):
        squat_kg, hinge_kg = ([one[i] for one in volumes] for i in (0, 1))
        charts.append(columns(labels, squat_kg, hinge_kg, f"Volume in the week of each date, {unit}", unit))
    for one in histories[:CHARTED]:
        points = [(s.trained_at, s.heaviest.load_kg) for s in one.sessions if s.heaviest and s.heaviest.load_kg]
        if len(points) > 1:
            marks = [(moment.timestamp(), in_unit(load_kg or 0.0, in_lb=in_lb)) for moment, load_kg in points]
            charts.append(lines(marks, one.pattern, f"{one.name}: heaviest set of each session, {unit}", unit))
        usual_kg = one.usual_load_kg
        if usual_kg is None or one.pattern is not Pattern.SQUAT:
            continue
        speeds = [(s.trained_at.timestamp(), s.best_speed_m_s(usual_kg)) for s in one.sessions]
        known = [(when, speed) for when, speed in speeds if speed is not None]
        if len(known) > 1:
            title = f"{one.name}: fastest repetition at {weight(usual_kg, in_lb=in_lb)}, m/s"
            charts.append(lines(known, one.pattern, title, "m/s"))
    return charts


def _session_charts(view: SessionView) -> list[Chart]:
    """Return the chart of angles and that of speeds, where there are any."""
    sets = [(one.start_s, one.end_s) for one in view.sets]
    measured = [(one, one.figures) for one in view.repetitions if one.figures is not None]
    angles = [
        Mark(one.middle_s, max(0.0, f.trunk_angle_deg), one.pattern, f"{one.pattern} at {one.start}: {one.angle}°")
        for one, f in measured
    ]
    speeds = [
        Mark(
            one.middle_s,
            max(0.0, f.mean_concentric_velocity_m_s),
            one.pattern,
            f"{one.pattern} at {one.start}: {one.speed} m/s",
        )
        for one, f in measured
        if f.has_speed
    ]
    charts = [over_time(angles, sets, "Peak trunk angle of each repetition over time", "degrees")] if angles else []
    if speeds:
        title = f"Mean speed upward of each repetition that sinks by {100 * SPEED_DROP_M:.0f} cm or more"
        charts.append(over_time(speeds, sets, title, "m/s"))
    return charts
