"""Sessions of the store -> a report that a coach hands over: one HTML file to read and to print.

It begins with a summary and the form in plain words, then shows progress and sets. One session is shown in full,
several as a line each, and more than `LISTED` by weeks or months. The file loads nothing over a network, and its own
policy forbids it to; it runs no script. The templates escape every text from outside, such as names and notes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from itertools import groupby
from operator import itemgetter

from jinja2 import Environment, PackageLoader, StrictUndefined

from imu.errors import SessionNotFound
from imu.motion.pattern import Pattern
from imu.report.charts import Chart, Mark, columns, legend, lines, over_time
from imu.report.cues import PRAISE, SPEED_DROP_M
from imu.report.exercises import (
    ExerciseHistory,
    Trained,
    heaviest_of,
    histories_of,
    records_of,
    sessions_in_words,
    set_in_words,
    stored_sets,
)
from imu.report.session_view import RepetitionView, SessionView, SetView, view_of_stored
from imu.report.trends import Period, stored_totals, trends
from imu.report.words import (
    bare_volume,
    counted,
    date_of,
    in_unit,
    load,
    number_of,
    short_day_of,
    sum_if_any,
    unit_of_load,
    volume,
    weight,
)
from imu.store import PatternTotals, SessionOverview, SessionStore
from imu.store.exercises import key_of, usual_name

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page may load nothing at all; its style sheet is part of it."""
IN_FULL = 3
"""Up to this many sessions are shown in full."""
LISTED = 40
"""Up to this many sessions get a line each; more are added up by weeks, or by months."""
CHARTED = 4
"""Exercises with charts: those with most sets."""
FORM_SESSIONS = 12
"""Form is read from this many of the latest sessions: a fault mended long ago is not news."""
MOST_COLUMNS = 53
"""Weeks in a chart: those of a year."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as texts."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Selection:
    """The subject of a report.

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
        The subject of the report.
    made_at : datetime
        Now, in the reader's time zone.

    Raises
    ------
    SessionNotFound
        If no session fits, or one of the numbers is not in the store.
    """
    zone, in_lb = made_at.tzinfo, store.loads_in_lb()
    key = None if selection.exercise is None else key_of(usual_name(selection.exercise))
    sessions = chosen_sessions(store, selection, made_at)
    sets = [one_set for one_set in stored_sets(store) if one_set.session_id in sessions]
    done = sessions_in_words(sets, in_lb=in_lb)
    sets = [one_set for one_set in sets if key is None or key_of(usual_name(one_set.exercise)) == key]
    histories = sorted(histories_of(sets), key=lambda history: len(history.sets), reverse=True)
    alone = None if key is None else histories[0]
    latest = sorted(sessions.values(), key=lambda overview: overview.trained_at, reverse=True)
    recent = [view_of_stored(store.load(overview.id), zone, in_lb=in_lb) for overview in latest[:FORM_SESSIONS]]
    recent = [_only(view, key) for view in recent]
    full = recent if len(latest) <= IN_FULL else []
    days = [overview.trained_at.astimezone(zone).date() for overview in latest]
    totals = stored_totals(store, latest[0].trained_at) if alone is None else _totals_of(alone)
    totals = [total for total in totals if total.session_id in sessions]
    return (
        environment()
        .get_template("report.html")
        .render(
            policy=POLICY,
            made_at=made_at,
            title="Squats and hinges" if alone is None else _capital(alone.name),
            name=selection.name,
            period=_period(min(days), max(days)),
            facts=_facts(latest, in_lb=in_lb) if alone is None else _facts_of_exercise(alone, in_lb=in_lb),
            exercises=_exercise_table(histories, in_lb=in_lb) if histories and alone is None else None,
            charts=_progress(totals, histories, zone, in_lb=in_lb) if len(latest) > 1 and totals else [],
            form=_form(recent),
            views=[(view, _session_charts(view), _set_table(view.sets)) for view in full],
            over_time=None if full else _table_over_time(latest, alone, done, zone, in_lb=in_lb),
            shapes=legend(),
        )
    )


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def chosen_sessions(store: SessionStore, selection: Selection, now: datetime) -> dict[int, SessionOverview]:
    """Return the sessions of a selection by their numbers.

    Raises
    ------
    SessionNotFound
        If nothing fits, or one of the numbers is not in the store.
    """
    by_number = {overview.id: overview for overview in store.list()}
    for number in selection.sessions:
        if number not in by_number:
            raise SessionNotFound(f"there is no session {number}; `imu review` lists those that are kept")
    sessions = {number: by_number[number] for number in selection.sessions or by_number}
    first, last = selection.first or date.min, selection.last or date.max
    zone = now.tzinfo
    sessions = {
        n: overview for n, overview in sessions.items() if first <= overview.trained_at.astimezone(zone).date() <= last
    }
    if selection.exercise is not None:
        key = key_of(usual_name(selection.exercise))
        sessions = {
            n: overview
            for n, overview in sessions.items()
            if any(key_of(usual_name(name)) == key for name in overview.exercises)
        }
    if not sessions:
        what = "" if selection.exercise is None else f" with {selection.exercise[:80]}"
        raise SessionNotFound(f"no session{what} is in this period: choose other days, or leave them out")
    return sessions


def _only(view: SessionView, key: str | None) -> SessionView:
    """Return a view with the sets of one exercise alone; `key` ``None`` keeps all sets."""
    if key is None:
        return view
    sets = tuple(
        one_set for one_set in view.sets if one_set.exercise is not None and key_of(usual_name(one_set.exercise)) == key
    )
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
    environment = templates_of("imu.report", keep_trailing_newline=True)
    environment.tests["number_like"] = lambda cell: cell.removeprefix("-")[:1].isdigit()
    return environment


# --- summary ---------------------------------------------------------------------------------------------------------


def _period(first: date, last: date) -> str:
    begin, end = (f"{day.day} {day:%B %Y}" for day in (first, last))
    return begin if first == last else f"{begin} to {end}"


def _facts_of_exercise(history: ExerciseHistory, *, in_lb: bool) -> list[tuple[str, str]]:
    return [
        ("Trained", f"{number_of(len(history.sessions), 'session')}, {number_of(len(history.sets), 'set')}"),
        ("Repetitions", str(history.repetitions)),
        ("Volume", volume(history.volume_kg, in_lb=in_lb)),
        *(
            (each.name.replace("1RM", "One-repetition maximum"), each.words)
            for each in records_of(history, in_lb=in_lb)
            if not each.refused
        ),
    ]


def _facts(latest: Sequence[SessionOverview], *, in_lb: bool) -> list[tuple[str, str]]:
    squats, hinges, uncertain = (
        sum(getattr(overview, n) for overview in latest) for n in ("squats", "hinges", "uncertain")
    )
    return [
        (
            "Trained",
            f"{number_of(len(latest), 'session')}, {number_of(sum(overview.sets for overview in latest), 'set')}",
        ),
        ("Counted", counted(squats, hinges, uncertain)),
        ("Volume", volume(sum_if_any(overview.volume_kg for overview in latest), in_lb=in_lb)),
        ("Load went", load(squats, hinges) if squats + hinges else ""),
    ]


def _form(views: Sequence[SessionView]) -> list[str]:
    """Return what a coach would say about the form of the sets, the commonest first; praise only of most sets."""
    sets = [one_set for view in views for one_set in view.sets]
    lines = []
    for sentence, count in Counter(sentence for one_set in sets for sentence in one_set.form).most_common():
        patterns = {one_set.pattern for one_set in sets if sentence in one_set.form}
        of = sum(one_set.pattern in patterns for one_set in sets)
        if sentence in PRAISE and 2 * count <= of:
            continue
        kind = f"{patterns.pop()} set" if len(patterns) == 1 else "set"
        lines.append(f"{sentence} (in {count} of {number_of(of, kind)}).")
    return lines


# --- tables ----------------------------------------------------------------------------------------------------------


def _exercise_table(histories: Iterable[ExerciseHistory], *, in_lb: bool) -> Table:
    """Return a row for each exercise, with its records and their days."""
    unit, rows = unit_of_load(in_lb=in_lb), []
    for history in histories:
        best = history.heaviest
        rows.append(
            [
                *(
                    history.name,
                    str(history.pattern),
                    str(len(history.sets)),
                    str(history.repetitions),
                    bare_volume(history.volume_kg, in_lb=in_lb),
                ),
                *(set_in_words(best, in_lb=in_lb), "" if best is None else date_of(best.trained_at)),
                bare_volume(history.maximum.load_kg, in_lb=in_lb),
            ]
        )
    caption = "Heaviest set with its day; 1RM is the one-repetition maximum by Epley’s formula"
    headings = ("Exercise", "Pattern", "Sets", "Reps", f"Volume {unit}", "Heaviest", "on", f"1RM {unit}")
    return Table(caption, headings, rows)


def _set_table(sets: Iterable[SetView]) -> Table:
    sets = list(sets)
    headings = ["Set", "Exercise", "Load", "Reps"]
    headings += [
        f"{figure.name}\N{NO-BREAK SPACE}{figure.unit}".strip() for figure in (sets[0].figures if sets else ())
    ]
    rows = [
        [
            *(
                str(one_set.number),
                one_set.exercise or str(one_set.pattern),
                one_set.weights,
                str(len(one_set.repetitions)),
            ),
            *(figure.text for figure in one_set.figures),
            one_set.note or "",
        ]
        for one_set in sets
    ]
    if any(row[-1] for row in rows):
        headings.append("Note")
    else:
        rows = [row[:-1] for row in rows]
    return Table("Sets; tempo is down-pause-up", headings, rows)


def _table_over_time(
    latest: Sequence[SessionOverview],
    of_exercise: ExerciseHistory | None,
    done: Mapping[int, str],
    zone: tzinfo | None,
    *,
    in_lb: bool,
) -> Table:
    """Return a row for each session, or each week or month where that would be more than `LISTED` rows."""
    dated: Sequence[SessionOverview | Trained] = latest if of_exercise is None else of_exercise.sessions[::-1]
    days = [session.trained_at.astimezone(zone).date() for session in dated]
    name, starts = "Day", days
    if len(days) > LISTED:
        name, starts = "Week of", [day - timedelta(days=day.weekday()) for day in days]
    if len(set(starts)) > LISTED:
        name, starts = "Month", [day.replace(day=1) for day in days]
    each = list(zip(starts, dated, strict=True))
    groups = [[pair] for pair in each] if name == "Day" else [list(group) for _, group in groupby(each, itemgetter(0))]
    rows = []
    for group in groups:
        start = group[0][0]
        label = f"{start:%B %Y}" if name == "Month" else date_of(start)
        rows.append([label, *_row([session for _, session in group], done if name == "Day" else None, in_lb)])
    counts = ("Sets", "Squats", "Hinges") if of_exercise is None else ("Sets", "Reps", "Heaviest")
    extra = ("Sessions",) if name != "Day" else ("Load × repetitions",) if of_exercise is None else ()
    return Table("The latest first", (name, *extra, *counts, f"Volume {unit_of_load(in_lb=in_lb)}"), rows)


def _row(sessions: Sequence[SessionOverview | Trained], done: Mapping[int, str] | None, in_lb: bool) -> list[str]:
    """Return the cells of a session by what was `done`, or of several, or of an exercise in them, without the day."""
    lifted = bare_volume(sum_if_any(session.volume_kg for session in sessions), in_lb=in_lb)
    count = [] if done is not None else [str(len(sessions))]
    overviews = [session for session in sessions if isinstance(session, SessionOverview)]
    if overviews:
        sums = [str(sum(getattr(overview, name) for overview in overviews)) for name in ("sets", "squats", "hinges")]
        return [*(count if done is None else [done.get(overviews[0].id, "")]), *sums, lifted]
    trained = [session for session in sessions if isinstance(session, Trained)]
    sums = [str(sum(len(session.sets) for session in trained)), str(sum(session.repetitions for session in trained))]
    best = heaviest_of(part for session in trained for part in session.sets)
    return [*count, *sums, set_in_words(best, in_lb=in_lb), lifted]


# --- charts ----------------------------------------------------------------------------------------------------------


def _totals_of(history: ExerciseHistory) -> list[PatternTotals]:
    """Return the totals of an exercise alone, without angles and speeds."""
    return [
        PatternTotals(
            *(each.session_id, each.trained_at, True, 0.0, history.pattern, len(each.sets), each.repetitions),
            *(0, 0.0, 0.0, 0, 0.0, each.volume_kg),
        )
        for each in history.sessions
    ]


def _progress(
    totals: Sequence[PatternTotals], histories: Sequence[ExerciseHistory], zone: tzinfo | None, *, in_lb: bool
) -> list[Chart]:
    """Return charts of weeks and of exercises."""
    unit, last = unit_of_load(in_lb=in_lb), max(total.trained_at for total in totals).astimezone(zone).date()
    weeks = trends(totals, Period.WEEK, zone, last, most=MOST_COLUMNS)
    labels = [short_day_of(week.start) for week in weeks]
    counts = [week.squat.repetitions for week in weeks], [week.hinge.repetitions for week in weeks]
    both = ": squats plain, hinges hatched" if all(map(any, counts)) else ""
    charts = [columns(labels, counts[0], counts[1], f"Repetitions in the week of each date{both}", "repetitions")]
    squat_volume, hinge_volume = (
        [round(in_unit(getattr(week, name).volume_kg or 0.0, in_lb=in_lb)) for week in weeks]
        for name in ("squat", "hinge")
    )
    if any(squat_volume + hinge_volume):
        charts.append(columns(labels, squat_volume, hinge_volume, f"Volume in the week of each date, {unit}", unit))
    for history in histories[:CHARTED]:
        name = _capital(history.name)
        points = [(s.trained_at, s.heaviest.load_kg) for s in history.sessions if s.heaviest and s.heaviest.load_kg]
        if len(points) > 1:
            marks = [(moment.timestamp(), in_unit(load_kg or 0.0, in_lb=in_lb)) for moment, load_kg in points]
            charts.append(lines(marks, history.pattern, f"{name}: heaviest set of each session, {unit}", unit))
        usual_kg = history.usual_load_kg
        if usual_kg is None or history.pattern is not Pattern.SQUAT:
            continue
        speeds = [(s.trained_at.timestamp(), s.best_speed_m_s(usual_kg)) for s in history.sessions]
        known = [(when, speed) for when, speed in speeds if speed is not None]
        if len(known) > 1:
            title = f"{name}: fastest repetition at {weight(usual_kg, in_lb=in_lb)}, m/s"
            charts.append(lines(known, history.pattern, title, "m/s"))
    return charts


def _session_charts(view: SessionView) -> list[Chart]:
    """Return the chart of angles and that of speeds, where there are any."""
    sets = [(one_set.start_s, one_set.end_s) for one_set in view.sets]
    measured = [(repetition, repetition.figures) for repetition in view.repetitions if repetition.figures is not None]

    def chart(title: str, unit: str, values: Iterable[tuple[RepetitionView, float, str]]) -> list[Chart]:
        marks = [
            Mark(one.middle_s, max(0.0, value), one.pattern, f"{one.pattern} at {one.start}: {text}")
            for one, value, text in values
        ]
        return [over_time(marks, sets, title, unit)] if marks else []

    angles = [(one, figures.trunk_angle_deg, f"{one.angle}°") for one, figures in measured]
    speeds = [
        (one, figures.mean_concentric_velocity_m_s, f"{one.speed} m/s")
        for one, figures in measured
        if figures.has_speed
    ]
    title = f"Mean speed upward of each repetition that sinks by {100 * SPEED_DROP_M:.0f} cm or more"
    return chart("Peak trunk angle of each repetition over time", "degrees", angles) + chart(title, "m/s", speeds)
