"""Weeks of training, and two sessions or periods side by side, from the totals of the store with corrections.

A side of a comparison is a session by its number (``7``), a month (``2026-03``), a day (``2026-03-01``), days with both
ends (``2026-03-01..2026-03-14``), or ``week``, ``last-week``, ``4-weeks`` and ``4-weeks-before``. A difference within
the error of the measurement says so; counts and loads have none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import IntEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from imu.motion.pattern import Pattern
from imu.report.cues import SPEED_DROP_M
from imu.report.words import sum_if_any

if TYPE_CHECKING:
    from imu.store import PatternTotals, SessionStore


import re
from collections.abc import Callable

from imu.errors import ImuError
from imu.report.cues import SPEED_ERROR_M_S
from imu.report.exercises import ExerciseHistory, histories_of, stored_sets
from imu.report.words import date_of, in_unit, thousands, unit_of_load
from imu.store import PatternTotals, SessionStore
from imu.store.exercises import key_of

SQUAT_HEAVY = 2.0
"""Least squats for each hinge in a squat-heavy balance: the same limit as for the load in the report."""
BALANCE_DAYS = 28
"""Period for the balance, in days; each of its weeks is checked too."""
BALANCE_WEEKS = 2
"""Least number of trained weeks for the note that the balance stays squat-heavy; it must be so in each of them."""
ONE_TRAINING_H = 4.0
"""Sessions with a shorter break are one training, such as several recordings of one evening."""
WITHIN_A_DAY_H = 24.0
"""A note says that a pattern was trained again within this time."""
LATEST_DAYS = 7
"""Such a note is shown for this many days."""


class Period(IntEnum):
    """Length of the periods that are compared, in days."""

    DAY = 1
    WEEK = 7


@dataclass(frozen=True, slots=True)
class PatternTrend:
    """One pattern in one period. Means are over repetitions; ``None`` where nothing was measured.

    Attributes
    ----------
    sets, repetitions : int
        Sets of the pattern, and its repetitions in all sets.
    trunk_angle_rad, hip_drop_m : float or None
        Mean peak trunk angle and hip drop.
    speed_m_s : float or None
        Mean concentric velocity of repetitions with a drop of at least :data:`imu.report.cues.SPEED_DROP_M`.
    volume_kg : float or None
        Sum of repetitions x load; ``None`` without loads.
    """

    sets: int = 0
    repetitions: int = 0
    trunk_angle_rad: float | None = None
    hip_drop_m: float | None = None
    speed_m_s: float | None = None
    volume_kg: float | None = None

    @property
    def texts(self) -> tuple[str, str, str, str, str]:
        """Sets, repetitions, angle in degrees, depth in centimetres and speed in m/s; empty where nothing is known."""
        angle_rad, drop_m, speed_m_s = self.trunk_angle_rad, self.hip_drop_m, self.speed_m_s
        return (
            str(self.sets or ""),
            str(self.repetitions or ""),
            "" if angle_rad is None else f"{math.degrees(angle_rad):.0f}",
            "" if drop_m is None else f"{100 * drop_m:.0f}",
            "" if speed_m_s is None else f"{speed_m_s:.2f}",
        )


@dataclass(frozen=True, slots=True)
class Trend:
    """One day or week of training.

    Attributes
    ----------
    start : date
        The first day.
    days : int
        Number of days.
    sessions : int
        Number of sessions with a repetition.
    squat, hinge : PatternTrend
        The two patterns.
    uncertain : int
        Number of repetitions of uncertain pattern.
    """

    start: date
    days: int
    sessions: int
    squat: PatternTrend
    hinge: PatternTrend
    uncertain: int

    @property
    def squat_share(self) -> float | None:
        """Share of squats in squats and hinges; ``None`` without either."""
        both = self.squat.repetitions + self.hinge.repetitions
        return self.squat.repetitions / both if both else None


def stored_totals(store: SessionStore, now: datetime) -> tuple[PatternTotals, ...]:
    """Return the totals of all sessions until `now`, which the functions here take."""
    return store.pattern_totals(now, least_drop_for_speed_m=SPEED_DROP_M)


def trends(
    totals: Iterable[PatternTotals], period: Period, zone: tzinfo | None, until: date, most: int | None = None
) -> tuple[Trend, ...]:
    """Return each day or week from the first training until `until`, including those without training.

    Parameters
    ----------
    totals : iterable of PatternTotals
        Totals of all sessions.
    period : Period
        Days, or weeks from Monday to Sunday.
    zone : tzinfo or None
        Time zone of the calendar; ``None`` is that of this computer.
    until : date
        The last day.
    most : int or None
        At most this many of the latest periods; ``None`` for all.
    """
    by_start: dict[date, list[PatternTotals]] = {}
    for total in totals:
        day = total.trained_at.astimezone(zone).date()
        if day <= until:
            by_start.setdefault(_start_of(day, period), []).append(total)
    if not by_start:
        return ()
    last = _start_of(until, period)
    count = (last - min(by_start)).days // period + 1
    shown = count if most is None else min(count, most)
    starts = [last - timedelta(days=period * back) for back in range(shown - 1, -1, -1)]
    return tuple(_trend(start, period, by_start.get(start, [])) for start in starts)


def notes(totals: Sequence[PatternTotals], now: datetime) -> tuple[str, ...]:
    """Return notes on the latest trainings.

    The note that a pattern was trained again within a day needs recordings with a known start.
    """
    notes = [
        f"{pattern}s were trained again {_hours(hours)} after the last time"
        for pattern in (Pattern.SQUAT, Pattern.HINGE)
        if (hours := _hours_between_the_last_two(totals, pattern, now)) is not None and hours < WITHIN_A_DAY_H
    ]
    heavy = _stays_squat_heavy(totals, now)
    return (*notes, heavy) if heavy else tuple(notes)


def _start_of(day: date, period: Period) -> date:
    return day - timedelta(days=day.weekday()) if period is Period.WEEK else day


def _trend(start: date, period: Period, totals: Sequence[PatternTotals]) -> Trend:
    return Trend(
        start=start,
        days=int(period),
        sessions=len({total.session_id for total in totals}),
        squat=pattern_trend([total for total in totals if total.pattern is Pattern.SQUAT]),
        hinge=pattern_trend([total for total in totals if total.pattern is Pattern.HINGE]),
        uncertain=sum(total.repetitions for total in totals if total.pattern is Pattern.UNCERTAIN),
    )


def pattern_trend(totals: Sequence[PatternTotals]) -> PatternTrend:
    """Return the sums of one pattern over sessions."""
    measured = sum(total.measured for total in totals)
    with_speed = sum(total.with_speed for total in totals)
    return PatternTrend(
        sets=sum(total.sets for total in totals),
        repetitions=sum(total.repetitions for total in totals),
        trunk_angle_rad=sum(total.trunk_angle_sum_rad for total in totals) / measured if measured else None,
        hip_drop_m=sum(total.hip_drop_sum_m for total in totals) / measured if measured else None,
        speed_m_s=sum(total.speed_sum_m_s for total in totals) / with_speed if with_speed else None,
        volume_kg=sum_if_any(total.volume_kg for total in totals),
    )


def _hours_between_the_last_two(totals: Sequence[PatternTotals], pattern: Pattern, now: datetime) -> float | None:
    """Return the break between the last two trainings of a pattern; ``None`` if the last one is too old."""
    known = [
        total for total in totals if total.pattern is pattern and total.recorded_at_known and total.trained_at <= now
    ]
    spans = [(total.trained_at, total.trained_at + timedelta(seconds=total.duration_s)) for total in known]
    breaks_h = [(after[0], (after[0] - before[1]).total_seconds() / 3600) for before, after in pairwise(sorted(spans))]
    trainings = [(began, hours) for began, hours in breaks_h if hours >= ONE_TRAINING_H]
    if not trainings or now - trainings[-1][0] > timedelta(days=LATEST_DAYS):
        return None
    return trainings[-1][1]


def _stays_squat_heavy(totals: Sequence[PatternTotals], now: datetime) -> str | None:
    weeks = []
    for back in range(0, BALANCE_DAYS, 7):
        end, start = now - timedelta(days=back), now - timedelta(days=back + 7)
        within = [total for total in totals if start < total.trained_at <= end]
        squats, hinges = (
            sum(total.repetitions for total in within if total.pattern is pattern)
            for pattern in (Pattern.SQUAT, Pattern.HINGE)
        )
        if squats + hinges:
            weeks.append((squats, hinges))
    if len(weeks) < BALANCE_WEEKS or any(squats < SQUAT_HEAVY * hinges for squats, hinges in weeks):
        return None
    squats, hinges = (sum(counts) for counts in zip(*weeks, strict=True))
    return (
        f"{squats} squats to {hinges} hinges in {BALANCE_DAYS} days, "
        f"and in each week that was trained two squats or more to a hinge"
    )


def _hours(hours: float) -> str:
    return f"{hours:.0f} hours"


# --- comparison of two sessions or periods ---------------------------------------------------------------------------


ANGLE_ERROR_DEG, DROP_ERROR_CM = 2.6, 2.6
"""Differences up to these lie within the error of one repetition: see :mod:`imu.report.cues`."""


class NotComparable(ImuError):
    """A side of the comparison is no session and no period."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two.

    Attributes
    ----------
    typed, title : str
        As the person wrote it, and in words.
    totals : tuple of PatternTotals
        The share of each pattern in its sessions.
    exercises : tuple of ExerciseHistory
        Its exercises.
    """

    typed: str
    title: str
    totals: tuple[PatternTotals, ...]
    exercises: tuple[ExerciseHistory, ...]

    def of(self, pattern: Pattern) -> PatternTrend:
        """Return its share of one pattern."""
        return pattern_trend([total for total in self.totals if total.pattern is pattern])


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both sides.

    Attributes
    ----------
    group : str
        A pattern or an exercise; rows of a group follow each other.
    name, unit : str
        The figure.
    before, after : str
        The figure of each side in words; a dash where it was not measured.
    change : str
        The difference with its sign, or ``within the error``; empty where a side lacks the figure.
    """

    group: str
    name: str
    unit: str
    before: str
    after: str
    change: str


def sides(store: SessionStore, before: str, after: str, now: datetime) -> tuple[Side, Side]:
    """Return both sides of a comparison.

    Raises
    ------
    NotComparable
        If one is neither a session of the store nor a period.
    """
    totals = stored_totals(store, now)
    sets = stored_sets(store)
    dates = {session.id: session.trained_at for session in store.list()}

    def side(typed: str) -> Side:
        text = typed.strip().lower()
        if text.isdecimal():
            number = int(text[:18])  # Python refuses thousands of digits
            if number not in dates or len(text) > 18:
                raise NotComparable(f"there is no session {text[:20]} to compare")
            title = f"Session {number}, {date_of(dates[number].astimezone(now.tzinfo).date())}"
            numbers = {number}
        else:
            first, last = period(text, now.date())
            title = date_of(first) if first == last else f"{date_of(first)} to {date_of(last)}"
            numbers = {n for n, when in dates.items() if first <= when.astimezone(now.tzinfo).date() <= last}
        return Side(
            typed,
            title,
            tuple(total for total in totals if total.session_id in numbers),
            histories_of(one_set for one_set in sets if one_set.session_id in numbers),
        )

    return side(before), side(after)


def usual_sides(store: SessionStore, now: datetime) -> tuple[str, str]:
    """Return the default comparison: 28 days with those before; in the first weeks, two sessions."""
    sessions = store.list()
    is_old = [
        session.trained_at.astimezone(now.tzinfo).date() <= period("4-weeks-before", now.date())[1]
        for session in sessions
    ]
    if len(sessions) < 2 or any(is_old):
        return "4-weeks-before", "4-weeks"
    return str(sessions[1].id), str(sessions[0].id)


def period(text: str, today: date) -> tuple[date, date]:
    """Return the first and the last day of a period.

    Raises
    ------
    NotComparable
        If it cannot be read.
    """
    monday = today - timedelta(days=today.weekday())
    named = {
        "week": (monday, today),
        "last-week": (monday - timedelta(days=7), monday - timedelta(days=1)),
        "4-weeks": (today - timedelta(days=27), today),
        "4-weeks-before": (today - timedelta(days=55), today - timedelta(days=28)),
    }
    if text in named:
        return named[text]
    try:
        if re.fullmatch(r"\d{4}-\d\d", text):
            first = date.fromisoformat(f"{text}-01")
            return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        begin, _, end = text.partition("..")
        first, last = date.fromisoformat(begin), date.fromisoformat(end or begin)
    except (ValueError, OverflowError):  # December 9999 has no month after it
        raise NotComparable(
            f"{text[:40]!r} is no session and no period; write 7, 2026-03, 2026-03-01..2026-03-14, {', '.join(named)}"
        ) from None
    if first > last:
        raise NotComparable(f"{begin} is later than {end}; write the first day first")
    return first, last


def compare(before: Side, after: Side, *, in_lb: bool) -> tuple[Row, ...]:
    """Return the figures of both sides, those of patterns and then those of exercises that both have."""
    of_sessions = before.typed.strip().isdecimal() and after.typed.strip().isdecimal()
    rows = [] if of_sessions else [_row("All", "Sessions", "", *(_sessions(side) for side in (before, after)))]
    for pattern, name in ((Pattern.SQUAT, "Squats"), (Pattern.HINGE, "Hinges")):
        one, other = before.of(pattern), after.of(pattern)
        if one.repetitions or other.repetitions:
            made = [figure(name, one, other, in_lb) for figure in _FIGURES]
            rows += [row for row in made if row.before + row.after != "––"]
    later = {key_of(exercise.name): exercise for exercise in after.exercises}
    for history in before.exercises:
        other_history = later.get(key_of(history.name))
        if other_history is not None:
            rows += _exercise(history, other_history, in_lb)
    return tuple(rows)


def _sessions(side: Side) -> float:
    return len({total.session_id for total in side.totals})


def _figure(
    name: str, unit: str, value: Callable[[PatternTrend], float | None], decimals: int = 0, error: float = 0.0
) -> Callable[[str, PatternTrend, PatternTrend, bool], Row]:
    return lambda group, one, other, _: _row(
        group, name, unit, value(one), value(other), decimals=decimals, error=error
    )


def _volume(group: str, one: PatternTrend, other: PatternTrend, in_lb: bool) -> Row:
    return _row(group, "Volume", unit_of_load(in_lb=in_lb), *(_load(side.volume_kg, in_lb) for side in (one, other)))


_FIGURES = (
    _figure("Sets", "", lambda trend: trend.sets),
    _figure("Repetitions", "", lambda trend: trend.repetitions),
    _volume,
    _figure(
        "Depth", "cm", lambda trend: None if trend.hip_drop_m is None else 100 * trend.hip_drop_m, 0, DROP_ERROR_CM
    ),
    _figure(
        "Trunk angle",
        "°",
        lambda trend: None if trend.trunk_angle_rad is None else math.degrees(trend.trunk_angle_rad),
        0,
        ANGLE_ERROR_DEG,
    ),
    _figure("Speed up", "m/s", lambda trend: trend.speed_m_s, 2, SPEED_ERROR_M_S),
)


def _exercise(before: ExerciseHistory, after: ExerciseHistory, in_lb: bool) -> list[Row]:
    unit, name = unit_of_load(in_lb=in_lb), before.name
    pair = (before, after)
    rows = [
        _row(name, "Sets", "", *(len(history.sets) for history in pair)),
        _row(name, "Repetitions", "", *(sum(part.repetitions for part in history.sets) for history in pair)),
        _row(name, "Volume", unit, *(_load(history.volume_kg, in_lb) for history in pair)),
        _row(name, "Heaviest", unit, *(_heaviest(history, in_lb) for history in pair), decimals=1),
        _row(name, "1RM by Epley", unit, *(_load(history.maximum.load_kg, in_lb) for history in pair)),
    ]
    rows += _speed_at_the_same_load(before, after, in_lb)
    return [row for row in rows if row.before + row.after != "––"]


def _speed_at_the_same_load(before: ExerciseHistory, after: ExerciseHistory, in_lb: bool) -> list[Row]:
    """Return the fastest repetition at the heaviest load that both have."""
    speeds = [
        {load.load_kg: load.fastest.best_speed_m_s for load in history.at_loads if load.fastest is not None}
        for history in (before, after)
    ]
    common = max(speeds[0].keys() & speeds[1].keys(), default=None)
    if common is None:
        return []
    name = f"Fastest at {in_unit(common, in_lb=in_lb):g} {unit_of_load(in_lb=in_lb)}"
    return [_row(before.name, name, "m/s", *(speed[common] for speed in speeds), decimals=2, error=SPEED_ERROR_M_S)]


def _heaviest(history: ExerciseHistory, in_lb: bool) -> float | None:
    return None if history.heaviest is None else _load(history.heaviest.load_kg, in_lb)


def _load(load_kg: float | None, in_lb: bool) -> float | None:
    return None if load_kg is None else in_unit(load_kg, in_lb=in_lb)


def _row(
    group: str,
    name: str,
    unit: str,
    before: float | None,
    after: float | None,
    *,
    decimals: int = 0,
    error: float = 0.0,
) -> Row:
    change = ""
    if before is not None and after is not None:
        difference = round(round(after, decimals) - round(before, decimals), decimals)  # of the figures as shown
        if not difference:
            change = "the same"
        elif abs(after - before) <= error:
            change = "within the error"
        else:
            change = thousands(f"{difference:+,.{decimals}f}")
    return Row(group, name, unit, _text(before, decimals), _text(after, decimals), change)


def _text(value: float | None, decimals: int) -> str:
    return "–" if value is None else thousands(f"{value:,.{decimals}f}")
