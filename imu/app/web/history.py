"""Looking back over many sessions: the home page, the list of sessions, trends, and what corrections taught."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import fmean

from starlette.requests import Request
from starlette.responses import Response

from imu.app.web import charts
from imu.app.web.desk import DeskState, TrainingDesk
from imu.app.web.files import interrupted_recordings
from imu.app.web.page import ask_store, done, now, refused, render, whole_number
from imu.live.memory import last_plan
from imu.motion.pattern import Pattern
from imu.report.learning import learnt_facts
from imu.report.trends import Period, Trend, notes, stored_totals, trends
from imu.report.words import number_of
from imu.store import Balance, PatternTotals, SessionOverview, SessionStore, StoredSession

RECENT = 6
"""Sessions listed on the home page."""
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
    def said(self) -> str:
        """Return the day in words."""
        counts = [number_of(self.squats, "squat")] if self.squats else []
        counts += [number_of(self.hinges, "hinge")] if self.hinges else []
        counts += [f"{self.uncertain} uncertain"] if self.uncertain else []
        return f"{self.date:%a} {self.date.day} {self.date:%b}: {', '.join(counts) or 'no training'}"

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
    value: int
    usual: float | None

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
    """What the home page shows of the sessions."""

    overviews: tuple[SessionOverview, ...]
    last: StoredSession
    changes: tuple[str, ...]
    figures: tuple[Figure, ...]
    balances: tuple[Balance, ...]
    days_since: dict[Pattern, int | None]
    calendar: tuple[tuple[Day, ...], ...]
    weeks_in_a_row: int
    notes: tuple[str, ...]


class History:
    """The pages about many sessions.

    Parameters
    ----------
    desk : TrainingDesk
        Says whether a training is running.
    """

    def __init__(self, desk: TrainingDesk) -> None:
        self._desk = desk

    async def home(self, request: Request) -> Response:
        """Show the home page, or a welcome where nothing is stored yet."""
        training = self._desk.state is not DeskState.IDLE
        interrupted = () if training else await interrupted_recordings()
        view = await ask_store(_home_view)
        plan = await asyncio.to_thread(last_plan)
        return render(
            request,
            "home.html",
            view=view,
            training=training,
            interrupted=interrupted,
            moment=now(),
            plan=None
            if plan is None
            else plan.name or ", ".join(one.title or "any exercise" for one in plan.exercises),
        )

    async def sessions(self, request: Request) -> Response:
        """Show one page of the list of sessions; pages are numbered from 1."""
        overviews = await ask_store(SessionStore.list) or ()
        pages = max(1, -(-len(overviews) // ON_A_PAGE))
        page = min(max(whole_number(request, "page", 1, "a page"), 1), pages)
        shown = overviews[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
        return render(request, "sessions.html", sessions=shown, page=page, pages=pages, total=len(overviews))

    async def trends(self, request: Request) -> Response:
        """Show weeks of training."""
        asked = whole_number(request, "weeks", SPAN, "weeks")
        weeks = min((span for span, _ in SPANS), key=lambda span: abs(span - asked))
        moment = now()

        def question(store: SessionStore) -> tuple[tuple[PatternTotals, ...], dict[Pattern, int | None]]:
            return stored_totals(store, moment), store.days_since_trained(moment)

        totals, days_since = await ask_store(question) or ((), {})
        periods = trends(totals, Period.WEEK, moment.tzinfo, moment.date(), most=weeks)
        return render(
            request,
            "trends.html",
            periods=periods[::-1],
            charts=charts.trend_charts(periods),
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
            facts=None if known is None else learnt_facts(known),
            switched_on=known is None or known.switched_on,
        )

    async def change_learning(self, request: Request) -> Response:
        """Switch learning on or off, or forget what was learnt."""
        async with request.form() as form:
            change = form.get("change")
        if change in ("on", "off"):
            await ask_store(lambda store: store.switch_learning(on=change == "on"))
            return done(f"trainings are counted {'with' if change == 'on' else 'without'} it from now on")
        if change == "forget":
            await ask_store(lambda store: store.forget_person(now()))
            return done("what your corrections taught is forgotten")
        return refused("choose on, off or forget")


def _home_view(store: SessionStore) -> HomeView | None:
    overviews = store.list()
    if not overviews:
        return None
    moment = now()
    totals = stored_totals(store, moment)
    weeks = trends(totals, Period.WEEK, moment.tzinfo, moment.date(), most=520)
    days = trends(totals, Period.DAY, moment.tzinfo, moment.date(), most=7 * CALENDAR_WEEKS)
    return HomeView(
        overviews=overviews[:RECENT],
        last=store.load(overviews[0].id),
        changes=_changes(totals, overviews),
        figures=_figures(weeks),
        balances=tuple(store.balance(days, moment) for days in (7, 28)),
        days_since=store.days_since_trained(moment),
        calendar=_calendar(days, moment.date()),
        weeks_in_a_row=_weeks_in_a_row(weeks),
        notes=notes(totals, moment),
    )


def _figures(weeks: Sequence[Trend]) -> tuple[Figure, ...]:
    """Return this week beside the mean of the weeks before it."""
    if not weeks:
        return ()
    this, before = weeks[-1], weeks[-1 - USUAL_WEEKS : -1]

    def figure(name: str, values: Sequence[int]) -> Figure:
        return Figure(name, values[-1], fmean(values[:-1]) if len(values) > 1 else None)

    shown = [*before, this]
    return (
        figure("Sets", [one.squat.sets + one.hinge.sets for one in shown]),
        figure("Squats", [one.squat.repetitions for one in shown]),
        figure("Hinges", [one.hinge.repetitions for one in shown]),
    )


def _weeks_in_a_row(weeks: Sequence[Trend]) -> int:
    """Return how many weeks in a row were trained; this week counts once it was trained."""
    latest_first = [bool(one.sessions) for one in weeks[::-1]]
    if latest_first and not latest_first[0]:
        del latest_first[0]
    return next((number for number, trained in enumerate(latest_first) if not trained), len(latest_first))


def _calendar(days: Sequence[Trend], today: date) -> tuple[tuple[Day, ...], ...]:
    """Return weeks of seven days, Monday first, this week last."""
    of_day = {one.start: one for one in days}
    most = max((_repetitions(one) for one in days), default=0)
    monday = today - timedelta(days=today.weekday() + 7 * (CALENDAR_WEEKS - 1))
    return tuple(
        tuple(_day(monday + timedelta(days=7 * week + day), of_day, most, today) for day in range(7))
        for week in range(CALENDAR_WEEKS)
    )


def _day(day: date, of_day: dict[date, Trend], most: int, today: date) -> Day:
    one = of_day.get(day)
    if one is None:
        return Day(day, 0, 0, 0, 0, future=day > today)
    done_that_day = _repetitions(one)
    level = -(-4 * done_that_day // most) if most else 0
    return Day(day, one.squat.repetitions, one.hinge.repetitions, one.uncertain, level, future=day > today)


def _repetitions(one: Trend) -> int:
    return one.squat.repetitions + one.hinge.repetitions + one.uncertain


def _changes(totals: Sequence[PatternTotals], overviews: Sequence[SessionOverview]) -> tuple[str, ...]:
    """Return what the last session has more or less of than the one before it with the same pattern."""
    said = []
    for pattern in (Pattern.SQUAT, Pattern.HINGE):
        of_pattern = [one for one in totals if one.pattern is pattern]
        if len(of_pattern) < 2 or of_pattern[-1].session_id != overviews[0].id:
            continue
        last, before = of_pattern[-1], of_pattern[-2]
        more = last.repetitions - before.repetitions
        change = "as many" if not more else f"{abs(more)} {'more' if more > 0 else 'fewer'}"
        when = _day_of(before.trained_at)
        said.append(f"{number_of(last.repetitions, str(pattern))}, {change} {'than' if more else 'as'} {when}")
    return tuple(said)


def _day_of(moment: datetime) -> str:
    day = moment.astimezone()
    return f"on {day:%a} {day.day} {day:%b}"
