"""Looking back over many sessions: home, sessions, exercises, trends, comparisons, and what corrections taught."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from statistics import fmean

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from imu.app.web import charts
from imu.app.web.desk import Desks
from imu.app.web.files import interrupted_recordings
from imu.app.web.page import ask_store, done, now, refused, render, whole_number
from imu.live.memory import last_plan, last_sensor, loads_in_lb
from imu.live.schedule import Schedule, due_in_store, example_schedules, keep_schedule, kept_schedule, schedule_of
from imu.live.targets import LONGEST_NAME, PlanUnusable
from imu.motion.pattern import Pattern
from imu.report.exercises import (
    ExerciseHistory,
    exercise_histories,
    histories_of,
    records_of,
    sessions_in_words,
    set_in_words,
    stored_sets,
)
from imu.report.trends import Period, Side, Trend, compare, notes, sides, stored_totals, trends, usual_sides
from imu.report.words import bare_volume, day_of, in_unit, learned_facts, number_of, unit_of_load
from imu.store import Balance, PatternTotals, SessionOverview, SessionStore, StoredSession
from imu.store.exercises import key_of, usual_name
from imu.store.home import person, store_path

RECENT = 6
"""Sessions listed on the home page."""
RECORDS = 5
"""Records on the home page."""
LISTED = 60
"""Sessions that are offered for a comparison."""
LARGEST_SCHEDULE = 1 << 18
"""Bytes of a schedule's file."""
ON_A_PAGE = 50
"""Sessions on one page of the list."""
USUAL_WEEKS = 4
"""This week is compared with the mean of this many weeks before it."""
CALENDAR_WEEKS = 26
SPANS = ((12, "12 weeks"), (26, "Half a year"), (52, "One year"), (520, "Ten years"))
SPAN = 26


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the calendar; `level` from 0 to 4 grows with its repetitions."""

    date: date
    squats: int
    hinges: int
    uncertain: int
    level: int
    future: bool

    @property
    def text(self) -> str:
        """Return the day in words."""
        counts = [number_of(self.squats, "squat")] if self.squats else []
        counts += [number_of(self.hinges, "hinge")] if self.hinges else []
        counts += [f"{self.uncertain} uncertain"] if self.uncertain else []
        return f"{day_of(self.date)}: {', '.join(counts) or 'no training'}"

    @property
    def kind(self) -> str:
        """Return which patterns were trained."""
        if not self.squats + self.hinges + self.uncertain:
            return "none"
        if self.squats and self.hinges:
            return "both"
        return "squat" if self.squats else "hinge" if self.hinges else "uncertain"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of this week beside that of a usual one."""

    name: str
    value: float
    usual: float | None
    unit: str = ""

    @property
    def share(self) -> float:
        """Return this week as a share of the larger of the two, from 0 to 1."""
        return self.value / max(self.value, self.usual or 0, 1)

    @property
    def usual_share(self) -> float | None:
        """Return the usual week likewise."""
        return None if self.usual is None else self.usual / max(self.value, self.usual, 1)


@dataclass(frozen=True, slots=True)
class HomeView:
    """The sessions as the home page shows them."""

    overviews: tuple[SessionOverview, ...]
    last: StoredSession
    changes: tuple[str, ...]
    figures: tuple[Figure, ...]
    balances: tuple[Balance, ...]
    days_since: dict[Pattern, int | None]
    calendar: tuple[tuple[Day, ...], ...]
    weeks_in_a_row: int
    notes: tuple[str, ...]
    records: tuple[Record, ...]
    done: dict[int, str]
    in_lb: bool

    @property
    def last_volume_kg(self) -> float | None:
        """Volume of the last session."""
        return self.overviews[0].volume_kg


@dataclass(frozen=True, slots=True)
class Record:
    """The heaviest set of an exercise that was done again since; `when` is its day."""

    exercise: str
    pattern: Pattern
    text: str
    when: datetime


class History:
    """The pages about many sessions.

    Parameters
    ----------
    desks : Desks
        Say whether the person trains.
    """

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def home(self, request: Request) -> Response:
        """Show the home page, or a welcome where nothing is stored yet."""
        training = any(desk.whose == (person() or "") for desk in self._desks.busy)
        interrupted = () if training else await interrupted_recordings()
        view = await ask_store(_home_view)
        last, due = await asyncio.to_thread(last_plan), await asyncio.to_thread(due_in_store)
        in_lb = bool(await asyncio.to_thread(loads_in_lb))
        last = None if last is None else last.in_unit(in_lb=in_lb)
        due = None if due is None else due.in_unit(in_lb=in_lb)
        return render(
            request,
            "home.html",
            view=view,
            in_lb=in_lb,
            done={} if view is None else view.done,
            training=training,
            interrupted=interrupted,
            moment=now(),
            due=due,
            last_plan=None
            if last is None
            else last.name or ", ".join(exercise.title or "any exercise" for exercise in last.exercises),
            sensor=await asyncio.to_thread(last_sensor),
            schedules=example_schedules(),
        )

    async def choose_schedule(self, request: Request) -> Response:
        """Keep another schedule: one that ships, one from a file, the last plan added to it, or none."""
        async with request.form() as form:
            asked, file = str(form.get("schedule", "")), form.get("file")
            content = await file.read(LARGEST_SCHEDULE) if isinstance(file, UploadFile) and file.filename else b""
        name = file.filename or "the file" if isinstance(file, UploadFile) else ""
        try:
            schedule, sentence = await asyncio.to_thread(_wanted_schedule, asked, content, name)
        except PlanUnusable as error:
            return refused(str(error))
        await asyncio.to_thread(keep_schedule, schedule)
        return done(sentence)

    async def sessions(self, request: Request) -> Response:
        """Show one page of the list of sessions; pages are numbered from 1."""
        overviews, in_lb, names, done = await ask_store(_sessions_and_names) or ((), False, (), {})
        pages = max(1, -(-len(overviews) // ON_A_PAGE))
        page = min(max(whole_number(request, "page", 1, "a page"), 1), pages)
        shown = overviews[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
        return render(
            request,
            "sessions.html",
            sessions=shown,
            page=page,
            pages=pages,
            total=len(overviews),
            in_lb=in_lb,
            names=names,
            done=done,
            first_day=min((overview.trained_at for overview in overviews), default=now()).astimezone().date(),
        )

    async def exercises(self, request: Request) -> Response:
        """List the exercises."""
        histories, in_lb = await ask_store(_histories) or ((), False)
        return render(request, "exercises.html", one=None, histories=histories, in_lb=in_lb, lines=_lines)

    async def exercise(self, request: Request) -> Response:
        """Show one exercise: records, estimates, charts, and its sessions."""
        name = request.query_params.get("name", "")
        histories, in_lb = await ask_store(_histories) or ((), False)
        key = key_of(usual_name(name))
        history = next((history for history in histories if key_of(history.name) == key), None)
        if history is None:
            raise HTTPException(404, f"No set is of “{name[:40]}”.")
        shown = charts.exercise_charts(history, in_lb=in_lb)
        return render(
            request, "exercises.html", one=history, charts=shown, records=records_of(history, in_lb=in_lb), in_lb=in_lb
        )

    async def compare(self, request: Request) -> Response:
        """Compare two sessions, or two periods."""
        asked, moment = request.query_params, now()

        def question(store: SessionStore) -> tuple[tuple[Side, Side], tuple[SessionOverview, ...], bool]:
            first, second = usual_sides(store, moment)
            pair = sides(store, asked.get("a", first), asked.get("b", second), moment)
            return pair, store.list()[:LISTED], store.loads_in_lb()

        answer = await ask_store(question)
        if answer is None:
            return render(request, "trends.html", pair=None, groups=(), sessions=(), months=(), in_lb=False)
        pair, overviews, in_lb = answer
        months = dict.fromkeys(overview.trained_at.astimezone().strftime("%Y-%m") for overview in overviews)
        rows = compare(*pair, in_lb=in_lb)
        groups = [(name, list(group)) for name, group in groupby(rows, key=lambda row: row.group)]
        return render(
            request, "trends.html", pair=pair, groups=groups, sessions=overviews, months=tuple(months), in_lb=in_lb
        )

    async def choose_unit(self, request: Request) -> Response:
        """Show and take loads in kilograms or in pounds from now on."""
        async with request.form() as form:
            unit = form.get("unit")
        if unit not in ("kg", "lb"):
            return refused("choose kg or lb")
        await asyncio.to_thread(_choose_unit, in_lb=unit == "lb")
        return done(f"loads are in {unit} from now on")

    async def trends(self, request: Request) -> Response:
        """Show weeks of training."""
        asked = whole_number(request, "weeks", SPAN, "weeks")
        weeks = min((span for span, _ in SPANS), key=lambda span: abs(span - asked))
        moment = now()

        def question(store: SessionStore) -> tuple[tuple[PatternTotals, ...], dict[Pattern, int | None], bool]:
            return stored_totals(store, moment), store.days_since_trained(moment), store.loads_in_lb()

        totals, days_since, in_lb = await ask_store(question) or ((), {}, False)
        periods = trends(totals, Period.WEEK, moment.tzinfo, moment.date(), most=weeks)
        return render(
            request,
            "trends.html",
            periods=periods[::-1],
            charts=charts.trend_charts(periods, in_lb=in_lb),
            columns=_trend_columns("Angle °", "Depth cm", "Speed m/s", f"Volume {unit_of_load(in_lb=in_lb)}"),
            short_columns=_trend_columns("°", "cm", "m/s", unit_of_load(in_lb=in_lb)),
            cells=lambda week: _trend_cells(week, in_lb=in_lb),
            in_lb=in_lb,
            days_since=days_since,
            notes=notes(totals, moment),
            spans=SPANS,
            weeks=weeks,
        )

    async def learning(self, request: Request) -> Response:
        """Show what corrections taught."""
        known = await ask_store(SessionStore.known_of_person)
        return render(
            request,
            "learning.html",
            facts=None if known is None else learned_facts(known),
            switched_on=known is None or known.switched_on,
        )

    async def change_learning(self, request: Request) -> Response:
        """Switch learning on or off, or reset it."""
        async with request.form() as form:
            change = form.get("change")
        if change in ("on", "off"):
            await ask_store(lambda store: store.switch_learning(on=change == "on"))
            return done(f"trainings are counted {'with' if change == 'on' else 'without'} it from now on")
        if change == "forget":
            await ask_store(lambda store: store.forget_person(now()))
            return done("the learned thresholds are reset")
        return refused("choose on, off or forget")


def _wanted_schedule(asked: str, content: bytes, file_name: str) -> tuple[Schedule | None, str]:
    """Return the schedule that a form asks for, and the sentence about it."""
    if content:
        schedule = schedule_of(content, file_name[:80])
    elif asked == "none":
        return None, "no schedule is kept"
    elif asked == "add":
        last, own_schedule = last_plan(), kept_schedule()
        if last is None:
            raise PlanUnusable("there is no last plan: train with one first")
        plans = () if own_schedule is None else own_schedule.plans
        name = (
            last.name
            or ", ".join(exercise.exercise for exercise in last.exercises if exercise.exercise)[:LONGEST_NAME]
            or "Plan"
        )
        added = (*plans, replace(last, name=name))
        schedule = Schedule(added) if own_schedule is None else replace(own_schedule, plans=added)
    else:
        named = example_schedules().get(asked)
        if named is None:
            raise PlanUnusable("choose a schedule, or the file of one")
        schedule = named
    return schedule, f"{number_of(len(schedule.plans), 'plan')} take turns from now on" if len(
        schedule.plans
    ) > 1 else "the schedule has one plan"


def _choose_unit(*, in_lb: bool) -> None:
    with SessionStore.open(store_path()) as store:  # also before the first training
        store.show_loads_in_lb(in_lb=in_lb)


def _sessions_and_names(
    store: SessionStore,
) -> tuple[tuple[SessionOverview, ...], bool, tuple[str, ...], dict[int, str]]:
    sets, in_lb = stored_sets(store), store.loads_in_lb()
    names = tuple(history.name for history in histories_of(sets))
    return store.list(), in_lb, names, sessions_in_words(sets, in_lb=in_lb)


def _histories(store: SessionStore) -> tuple[tuple[ExerciseHistory, ...], bool]:
    return exercise_histories(store), store.loads_in_lb()


def _trend_columns(angle: str, depth: str, speed: str, volume: str) -> tuple[str, ...]:
    """Return the headings of the figures of a week; hinges have no speed."""
    figures = ("Reps", angle, depth)
    return ("Sessions", "Squats %", "Squat sets", *figures, speed, volume, "Hinge sets", *figures, volume)


def _trend_cells(week: Trend, *, in_lb: bool) -> tuple[str, ...]:
    """Return the figures of a week for the columns above."""
    share = "" if week.squat_share is None else f"{100 * week.squat_share:.0f}"
    volumes = [bare_volume(part.volume_kg, in_lb=in_lb) for part in (week.squat, week.hinge)]
    return (str(week.sessions or ""), share, *week.squat.texts, volumes[0], *week.hinge.texts[:4], volumes[1])


def _lines(history: ExerciseHistory) -> str:
    """Return the points of a small line: the 1RM of each session, else its repetitions, on 100 x 24."""
    values = [session.maximum.load_kg for session in history.sessions]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        known = [float(session.repetitions) for session in history.sessions]
    if len(known) < 2:
        return ""
    low, span = min(known), max(max(known) - min(known), 0.1 * max(known), 1e-9)
    return " ".join(f"{100 * i / (len(known) - 1):.1f},{22 - 20 * (v - low) / span:.1f}" for i, v in enumerate(known))


def _home_view(store: SessionStore) -> HomeView | None:
    overviews = store.list()
    if not overviews:
        return None
    moment = now()
    totals, sets, in_lb = stored_totals(store, moment), stored_sets(store), store.loads_in_lb()
    weeks = trends(totals, Period.WEEK, moment.tzinfo, moment.date(), most=520)
    days = trends(totals, Period.DAY, moment.tzinfo, moment.date(), most=7 * CALENDAR_WEEKS)
    return HomeView(
        overviews=overviews[:RECENT],
        last=store.load(overviews[0].id),
        changes=_changes(totals, overviews),
        figures=_figures(weeks, in_lb=in_lb),
        balances=tuple(store.balance(days, moment) for days in (7, 28)),
        days_since=store.days_since_trained(moment),
        calendar=_calendar(days, moment.date()),
        weeks_in_a_row=_weeks_in_a_row(weeks),
        notes=notes(totals, moment),
        records=_records(histories_of(sets), in_lb=in_lb),
        done=sessions_in_words(sets, in_lb=in_lb),
        in_lb=in_lb,
    )


def _records(histories: Sequence[ExerciseHistory], *, in_lb: bool) -> tuple[Record, ...]:
    """Return the heaviest set of each exercise, the latest first."""
    heaviest = [(history, history.heaviest) for history in histories]
    records = [
        Record(
            history.name,
            history.pattern,
            set_in_words(best, in_lb=in_lb),
            best.trained_at,
        )
        for history, best in heaviest
        if best is not None and best.load_kg
    ]
    return tuple(sorted(records, key=lambda record: record.when, reverse=True)[:RECORDS])


def _figures(weeks: Sequence[Trend], *, in_lb: bool) -> tuple[Figure, ...]:
    """Return this week beside the mean of the weeks before it."""
    if not weeks:
        return ()
    this, before = weeks[-1], weeks[-1 - USUAL_WEEKS : -1]

    def figure(name: str, values: Sequence[float], unit: str = "") -> Figure:
        return Figure(name, values[-1], fmean(values[:-1]) if len(values) > 1 else None, unit)

    def volumes(pattern: str) -> list[float]:
        return [in_unit(getattr(week, pattern).volume_kg or 0.0, in_lb=in_lb, decimals=0) for week in shown]

    shown = [*before, this]
    figures = [
        figure("Sets", [week.squat.sets + week.hinge.sets for week in shown]),
        figure("Squats", [week.squat.repetitions for week in shown]),
        figure("Hinges", [week.hinge.repetitions for week in shown]),
    ]
    loaded = [figure(f"{name} volume", volumes(name.lower()), unit_of_load(in_lb=in_lb)) for name in ("Squat", "Hinge")]
    return (*figures, *(each for each in loaded if each.value or each.usual))


def _weeks_in_a_row(weeks: Sequence[Trend]) -> int:
    """Return how many weeks in a row were trained; this week counts once it was trained."""
    latest_first = [bool(week.sessions) for week in weeks[::-1]]
    if latest_first and not latest_first[0]:
        del latest_first[0]
    return next((number for number, trained in enumerate(latest_first) if not trained), len(latest_first))


def _calendar(days: Sequence[Trend], today: date) -> tuple[tuple[Day, ...], ...]:
    """Return weeks of seven days, Monday first, this week last."""
    of_day = {trend.start: trend for trend in days}
    most = max((_repetitions(trend) for trend in days), default=0)
    monday = today - timedelta(days=today.weekday() + 7 * (CALENDAR_WEEKS - 1))
    return tuple(
        tuple(_day(monday + timedelta(days=7 * week + day), of_day, most, today) for day in range(7))
        for week in range(CALENDAR_WEEKS)
    )


def _day(day: date, of_day: dict[date, Trend], most: int, today: date) -> Day:
    trend = of_day.get(day)
    if trend is None:
        return Day(day, 0, 0, 0, 0, future=day > today)
    done_that_day = _repetitions(trend)
    level = -(-4 * done_that_day // most) if most else 0
    return Day(day, trend.squat.repetitions, trend.hinge.repetitions, trend.uncertain, level, future=day > today)


def _repetitions(trend: Trend) -> int:
    return trend.squat.repetitions + trend.hinge.repetitions + trend.uncertain


def _changes(totals: Sequence[PatternTotals], overviews: Sequence[SessionOverview]) -> tuple[str, ...]:
    """Return the differences between the last session and the one before it with the same pattern."""
    differences = []
    for pattern in (Pattern.SQUAT, Pattern.HINGE):
        of_pattern = [total for total in totals if total.pattern is pattern]
        if len(of_pattern) < 2 or of_pattern[-1].session_id != overviews[0].id:
            continue
        last, before = of_pattern[-1], of_pattern[-2]
        more = last.repetitions - before.repetitions
        change = "as many" if not more else f"{abs(more)} {'more' if more > 0 else 'fewer'}"
        day, time = day_of(before.trained_at), f"{before.trained_at.astimezone():%H:%M}"
        when = f"at {time}" if day == day_of(last.trained_at) else f"on {day}"
        differences.append(f"{number_of(last.repetitions, str(pattern))}, {change} {'than' if more else 'as'} {when}")
    return tuple(differences)
