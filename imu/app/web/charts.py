"""Weeks, exercises and recordings -> the numbers that ``charts.js`` draws, and the curves of a stored session."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np

from imu.errors import ImuError
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.curves import MotionCurves, recording_curves
from imu.report.exercises import ExerciseHistory
from imu.report.replay import ReplayOptions
from imu.report.trends import PatternTrend, Trend
from imu.report.words import in_unit, short_day_of, unit_of_load, weight
from imu.samples import Array
from imu.store import CorrectedRepetition, StoredSession
from imu.store.home import recording_of, recordings_folder

Chart = dict[str, Any]

DRAWN = 12000
"""Points of a recording that are drawn at most: every point of ten minutes, and the peaks of longer recordings."""
POINTS = 40
"""Points of the small curve of one repetition."""
REMEMBERED = 16
"""Curves that are kept in memory; an hour has 72,000 points, 1 MB."""
FITS_RAD = math.radians(8.0)
"""A curve is of another session if its peaks differ from the measured ones by this in the median: the units may have
been given on the command line when the recording was saved, and are unknown here."""

NOT_THERE = "The recording is no longer there, so there are no curves."
NOT_FITTING = "The recording does not match the measured session, so there are no curves."


# --- weeks and sessions ----------------------------------------------------------------------------------------------


def trend_charts(periods: Sequence[Trend], *, in_lb: bool) -> list[Chart]:
    """Return the charts of the trends page: columns stand on each other, lines skip unknown values."""
    if not periods:
        return []
    days = [period.start for period in periods]
    unit = unit_of_load(in_lb=in_lb)
    squat, hinge = [period.squat for period in periods], [period.hinge for period in periods]
    shares = [None if period.squat_share is None else round(100 * period.squat_share) for period in periods]

    def both(title: str, unit: str, kind: str, value: Callable[[PatternTrend], float | None]) -> Chart:
        series = [("hinge", "hinges", list(map(value, hinge))), ("squat", "squats", list(map(value, squat)))]
        return chart(title, unit, kind, days, series)

    charts = [
        both("Repetitions", "", "columns", lambda period: period.repetitions),
        both("Volume", unit, "columns", lambda period: _load(period.volume_kg or 0.0, in_lb, 0)),
        both("Sets", "", "columns", lambda period: period.sets),
        chart("Share of squats", "%", "lines", days, [("soft", "squats", shares)], most=100),
        both("Depth", "cm", "lines", lambda period: _scaled(period.hip_drop_m, 100)),
        both("Trunk angle", "°", "lines", lambda period: _scaled(period.trunk_angle_rad, 57.29578)),
        both("Speed up", "m/s", "lines", lambda period: _scaled(period.speed_m_s, 1)),
    ]
    return [each for each in charts if any(value for part in each["series"] for value in part["values"])]


def exercise_charts(history: ExerciseHistory, *, in_lb: bool) -> list[Chart]:
    """Return the charts of an exercise over its sessions: load and 1RM, volume, and speed at its usual load."""
    look, unit = str(history.pattern), unit_of_load(in_lb=in_lb)
    days = [session.trained_at.astimezone().date() for session in history.sessions]
    heaviest = [_load(session.heaviest.load_kg if session.heaviest else None, in_lb, 1) for session in history.sessions]
    maxima = [_load(session.maximum.load_kg, in_lb, 1) for session in history.sessions]
    volumes = [_load(session.volume_kg, in_lb, 0) for session in history.sessions]
    charts = [
        chart(
            "Heaviest set; 1RM in grey", unit, "lines", days, [("soft", "1RM", maxima), (look, "heaviest", heaviest)]
        ),
        chart("Volume", unit, "columns", days, [(look, "", volumes)]),
        chart("Repetitions", "", "columns", days, [(look, "", [session.repetitions for session in history.sessions])]),
    ]
    usual_kg = history.usual_load_kg
    if usual_kg is not None and history.pattern is Pattern.SQUAT:
        speeds = [_scaled(session.best_speed_m_s(usual_kg), 1) for session in history.sessions]
        title = f"Fastest repetition at {weight(usual_kg, in_lb=in_lb)}"
        charts.append(chart(title, "m/s", "lines", days, [(look, "", speeds)]))
    return [each for each in charts if any(value for part in each["series"] for value in part["values"])]


def chart(
    title: str,
    unit: str,
    kind: str,
    days: Sequence[date],
    series: Sequence[tuple[str, str, Sequence[float | None]]],
    *,
    most: float | None = None,
) -> Chart:
    """Return a chart of columns or lines over days; a series has a colour of ``style.css``, a name and its values."""
    return {
        "title": title,
        "unit": unit,
        "kind": kind,
        "most": most,
        "x": [int(datetime.combine(day, time(), UTC).timestamp()) for day in days],
        "days": [short_day_of(day) for day in days],
        "months": [f"{day:%b %Y}" for day in days],
        "series": [{"look": look, "name": name, "values": list(values)} for look, name, values in series],
    }


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else round(factor * value, 2)


def _load(load_kg: float | None, in_lb: bool, decimals: int) -> float | None:
    return None if load_kg is None else in_unit(load_kg, in_lb=in_lb, decimals=decimals)


# --- recordings ------------------------------------------------------------------------------------------------------

MEASURES: dict[str, tuple[str, str, Callable[[MotionCurves], Array], Callable[[Repetition], float]]] = {
    "angle": (
        "Trunk angle",
        "°",
        lambda curves: np.degrees(curves.trunk_angle_rad),
        lambda repetition: math.degrees(repetition.trunk_angle_rad),
    ),
    "depth": (
        "Depth",
        "cm",
        lambda curves: -100 * np.nan_to_num(curves.hip_height_m),
        lambda repetition: 100 * repetition.hip_drop_m,
    ),
    "speed": (
        "Speed of the hip, up positive",
        "m/s",
        lambda curves: np.nan_to_num(curves.hip_velocity_m_s),
        lambda repetition: repetition.peak_concentric_velocity_m_s,
    ),
}
"""Title, unit, curve, and the figure at which a repetition is marked. Height and speed are 0 between movements."""


def recording_chart(curves: MotionCurves, stored: StoredSession, measure: str) -> Chart:
    """Return one measure throughout a recording, with its sets, repetitions and movements that do not count."""
    title, unit, curve_of, figure_of = MEASURES[measure]
    time_s, values = thinned(curves.time_s, curve_of(curves))
    session, decimals = stored.corrected, 2 if measure == "speed" else 1
    return {
        "title": title,
        "unit": unit,
        "x": np.round(time_s, 2).tolist(),
        "values": [None if math.isnan(value) else value for value in np.round(values, decimals).tolist()],
        "sets": [[round(one_set.start_s, 2), round(one_set.end_s, 2)] for one_set in session.sets],
        "repetitions": [
            {
                "place": f"{set_number}/{number}",
                "pattern": str(repetition.pattern),
                "start": round(repetition.start_s, 2),
                "end": round(repetition.end_s, 2),
                "middle": round(repetition.middle_s, 2),
                "value": 0 if repetition.measured is None else round(figure_of(repetition.measured), decimals),
                "curve": small_curve(curves.time_s, curve_of(curves), repetition),
            }
            for set_number, one_set in enumerate(session.sets, 1)
            for number, repetition in enumerate(one_set.repetitions, 1)
        ],
        "rejected": [
            {"number": number, "middle": round((movement.start_s + movement.end_s) / 2, 2), "reason": movement.reason}
            for number, movement in enumerate(session.rejected)
        ],
    }


def small_curve(time_s: Array, values: Array, repetition: CorrectedRepetition) -> list[float] | None:
    """Return the curve of a repetition at evenly spaced times from start to end; ``None`` if unknown."""
    first, last = np.searchsorted(time_s, (repetition.start_s, repetition.end_s))
    time_s, values = time_s[first : last + 1], values[first : last + 1]
    known = ~np.isnan(values)
    if known.sum() < 3:
        return None
    even = np.interp(np.linspace(repetition.start_s, repetition.end_s, POINTS), time_s[known], values[known])
    return [float(value) for value in np.round(even, 2)]


def thinned(time_s: Array, values: Array, most: int = DRAWN) -> tuple[Array, Array]:
    """Return at most `most` points; the least and the largest of each stretch stay, so that no peak is lost."""
    every = math.ceil(2 * len(time_s) / most)
    if every <= 2:
        return time_s, values
    whole = len(time_s) // every * every
    rows, known = values[:whole].reshape(-1, every), np.nan_to_num(values[:whole].reshape(-1, every))
    first = np.arange(len(rows)) * every
    picked = np.sort(np.column_stack((first + known.argmin(axis=1), first + known.argmax(axis=1))), axis=1).ravel()
    broken = np.flatnonzero(np.isnan(rows).any(axis=1))
    thin = values[picked].copy()
    thin[2 * broken] = np.nan
    return time_s[picked], thin


class CurveCache:
    """The curves of sessions, computed once, in a thread; pages that ask at the same time share one computation."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, asyncio.Task[MotionCurves | str]] = OrderedDict()

    async def curve_of(self, stored: StoredSession) -> MotionCurves | str:
        """Return the curve, or in one sentence why it is missing."""
        key = f"{stored.content_hash} {stored.software_version}"
        if key not in self._known:
            self._known[key] = asyncio.create_task(asyncio.to_thread(_compute, stored))
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        curve = await asyncio.shield(self._known[key])
        if isinstance(curve, str):  # the recording may be put back, or be readable another time
            self._known.pop(key, None)
        return curve


def _compute(stored: StoredSession) -> MotionCurves | str:
    try:
        recording = recording_of(stored.source, stored.content_hash, recordings_folder())
        if recording is None:
            return NOT_THERE
        curves = recording_curves(recording, stored.summary, ReplayOptions())
    except ImuError as error:
        return f"The recording cannot be drawn: {error}."
    return curves if _fits(curves, stored) else NOT_FITTING


def _fits(curves: MotionCurves, stored: StoredSession) -> bool:
    apart = []
    for one_set in stored.summary.sets:
        for repetition in one_set.repetitions:
            angle_rad = curves.between(repetition.start_s, repetition.end_s).trunk_angle_rad
            if len(angle_rad) and not np.isnan(angle_rad).all():
                apart.append(abs(float(np.nanmax(angle_rad)) - repetition.trunk_angle_rad))
    return not stored.summary.sets or (bool(apart) and float(np.median(apart)) < FITS_RAD)
