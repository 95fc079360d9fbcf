"""Totals of each session -> training by day or week, and notes on it.

Pure functions of :class:`~imu.store.PatternTotals`, which include the person's corrections. Days are calendar days in a
time zone that the caller passes, and so is the present moment.

A note says only what was counted: how long a person takes to recover was not measured, and the evidence on load is one
study of joint moments (see :func:`imu.report.words.load`).
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

if TYPE_CHECKING:
    from imu.store import PatternTotals, SessionStore

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


def sum_if_any(values: Iterable[float | None]) -> float | None:
    """Return the sum of the known values; ``None`` if none is known."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def _hours_between_the_last_two(totals: Sequence[PatternTotals], pattern: Pattern, now: datetime) -> float | None:
    """Return the break between the last two trainings of a pattern; ``None`` if the last one is too old."""
    known = [
        total for total in totals if total.pattern is pattern and total.recorded_at_known and total.trained_at <= now
    ]
    spans = [(one.trained_at, one.trained_at + timedelta(seconds=one.duration_s)) for one in known]
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
            sum(one.repetitions for one in within if one.pattern is pattern)
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
