"""Two sessions, or two periods -> their figures side by side.

A side is a session by its number (``7``), a month (``2026-03``), a day (``2026-03-01``), days with both ends
(``2026-03-01..2026-03-14``), or ``week``, ``last-week``, ``4-weeks`` and ``4-weeks-before``. Figures come from the same
totals as the trends, with corrections. A difference within the error of the measurement says so; counts and loads have
none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from imu.errors import ImuError
from imu.motion.pattern import Pattern
from imu.report.cues import SPEED_ERROR_M_S
from imu.report.exercises import ExerciseHistory, histories_of, stored_sets
from imu.report.trends import PatternTrend, pattern_trend, stored_totals
from imu.report.words import date_of, in_unit, thousands, unit_of_load
from imu.store import PatternTotals, SessionStore
from imu.store.exercises import key_of

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
    dates = {one.id: one.trained_at for one in store.list()}

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
    rows = [] if of_sessions else [_row("All", "Sessions", "", *(_sessions(one) for one in (before, after)))]
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
    _figure("Sets", "", lambda one: one.sets),
    _figure("Repetitions", "", lambda one: one.repetitions),
    _volume,
    _figure("Depth", "cm", lambda one: None if one.hip_drop_m is None else 100 * one.hip_drop_m, 0, DROP_ERROR_CM),
    _figure(
        "Trunk angle",
        "°",
        lambda one: None if one.trunk_angle_rad is None else math.degrees(one.trunk_angle_rad),
        0,
        ANGLE_ERROR_DEG,
    ),
    _figure("Speed up", "m/s", lambda one: one.speed_m_s, 2, SPEED_ERROR_M_S),
)


def _exercise(before: ExerciseHistory, after: ExerciseHistory, in_lb: bool) -> list[Row]:
    unit, name = unit_of_load(in_lb=in_lb), before.name
    pair = (before, after)
    rows = [
        _row(name, "Sets", "", *(len(one.sets) for one in pair)),
        _row(name, "Repetitions", "", *(sum(part.repetitions for part in one.sets) for one in pair)),
        _row(name, "Volume", unit, *(_load(one.volume_kg, in_lb) for one in pair)),
        _row(name, "Heaviest", unit, *(_heaviest(one, in_lb) for one in pair), decimals=1),
        _row(name, "1RM by Epley", unit, *(_load(one.maximum.load_kg, in_lb) for one in pair)),
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
