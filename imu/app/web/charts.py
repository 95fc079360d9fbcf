"""Weeks and recordings -> the numbers that ``charts.js`` draws with uPlot, and the curve of a stored session."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import numpy as np

from imu.errors import ImuError
from imu.recordings.recording import open_recording
from imu.report.curves import AngleCurve, angle_curve
from imu.report.trends import PatternTrend, Trend
from imu.samples import Array
from imu.store import CorrectedRepetition, StoredSession, hash_of
from imu.store.home import recordings_folder
from imu.store.recording_files import find_recording

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
NOT_FITTING = "The recording does not show what was measured, so there are no curves."


# --- weeks -----------------------------------------------------------------------------------------------------------


def trend_charts(periods: Sequence[Trend]) -> list[Chart]:
    """Return the charts of the trends page: columns stand on each other, lines skip what is unknown."""
    if not periods:
        return []
    days = [int(datetime.combine(one.start, time(), UTC).timestamp()) for one in periods]

    def chart(
        title: str, unit: str, kind: str, squats: Sequence[float | None], hinges: Sequence[float | None]
    ) -> Chart:
        return {"title": title, "unit": unit, "kind": kind, "x": days, "squat": list(squats), "hinge": list(hinges)}

    squat, hinge = [one.squat for one in periods], [one.hinge for one in periods]
    shares = [None if one.squat_share is None else round(100 * one.squat_share) for one in periods]
    return [
        chart("Repetitions", "", "columns", [one.repetitions for one in squat], [one.repetitions for one in hinge]),
        chart("Sets", "", "columns", [one.sets for one in squat], [one.sets for one in hinge]),
        {"title": "Share of squats", "unit": "%", "kind": "share", "x": days, "share": shares},
        chart("Depth of the hip", "cm", "lines", _scaled(squat, "hip_drop_m", 100), _scaled(hinge, "hip_drop_m", 100)),
        chart(
            "Trunk angle",
            "°",
            "lines",
            _scaled(squat, "trunk_angle_rad", 57.29578),
            _scaled(hinge, "trunk_angle_rad", 57.29578),
        ),
        chart("Speed upward", "m/s", "lines", _scaled(squat, "speed_m_s", 1), _scaled(hinge, "speed_m_s", 1)),
    ]


def _scaled(trends: Sequence[PatternTrend], field: str, factor: float) -> list[float | None]:
    values = [getattr(one, field) for one in trends]
    return [None if value is None else round(factor * value, 2) for value in values]


# --- recordings ------------------------------------------------------------------------------------------------------


def recording_chart(curve: AngleCurve, stored: StoredSession) -> Chart:
    """Return the trunk angle throughout a recording, with its sets, repetitions and movements that do not count."""
    time_s, angle_rad = thinned(curve.time_s, curve.angle_rad)
    session = stored.corrected
    return {
        "x": np.round(time_s, 2).tolist(),
        "angle": [None if math.isnan(one) else one for one in np.round(np.degrees(angle_rad), 1).tolist()],
        "sets": [[round(one.start_s, 2), round(one.end_s, 2)] for one in session.sets],
        "repetitions": [
            {
                "place": f"{set_number}/{number}",
                "pattern": str(one.pattern),
                "start": round(one.start_s, 2),
                "end": round(one.end_s, 2),
                "middle": round(one.middle_s, 2),
                "angle": 0 if one.measured is None else round(math.degrees(one.measured.trunk_angle_rad), 1),
                "curve": small_curve(curve, one),
            }
            for set_number, one_set in enumerate(session.sets, 1)
            for number, one in enumerate(one_set.repetitions, 1)
        ],
        "rejected": [
            {"number": number, "middle": round((one.start_s + one.end_s) / 2, 2), "reason": one.reason}
            for number, one in enumerate(session.rejected)
        ],
    }


def small_curve(curve: AngleCurve, one: CorrectedRepetition) -> list[float] | None:
    """Return the angle of a repetition, degrees, at evenly spaced times from start to end; ``None`` if unknown."""
    time_s, angle_rad = curve.between(one.start_s, one.end_s)
    known = ~np.isnan(angle_rad)
    if known.sum() < 3:
        return None
    even = np.interp(np.linspace(one.start_s, one.end_s, POINTS), time_s[known], angle_rad[known])
    return [float(value) for value in np.round(np.degrees(even), 1)]


def thinned(time_s: Array, angle_rad: Array, most: int = DRAWN) -> tuple[Array, Array]:
    """Return at most `most` points; the least and the largest of each stretch stay, so that no peak is lost."""
    every = math.ceil(2 * len(time_s) / most)
    if every <= 2:
        return time_s, angle_rad
    whole = len(time_s) // every * every
    rows, known = angle_rad[:whole].reshape(-1, every), np.nan_to_num(angle_rad[:whole].reshape(-1, every))
    first = np.arange(len(rows)) * every
    picked = np.sort(np.column_stack((first + known.argmin(axis=1), first + known.argmax(axis=1))), axis=1).ravel()
    broken = np.flatnonzero(np.isnan(rows).any(axis=1))
    angle = angle_rad[picked].copy()
    angle[2 * broken] = np.nan
    return time_s[picked], angle


class CurveCache:
    """The curves of sessions, computed once, in a thread; pages that ask at the same time share one computation."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, asyncio.Task[AngleCurve | str]] = OrderedDict()

    async def curve_of(self, stored: StoredSession) -> AngleCurve | str:
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


def _compute(stored: StoredSession) -> AngleCurve | str:
    try:
        recording = _recording_of(stored)
        if recording is None:
            return NOT_THERE
        curve = angle_curve(open_recording(recording).blocks(), stored.summary)
    except ImuError as error:
        return f"The recording cannot be drawn: {error}."
    return curve if curve is not None and _fits(curve, stored) else NOT_FITTING


def _recording_of(stored: StoredSession) -> Path | None:
    """Return the recording, in our folder or where it was when it was saved."""
    ours = find_recording(stored.source, stored.content_hash, recordings_folder())
    if ours is not None:
        return ours
    path = Path(stored.source)
    try:
        return path if path.exists() and hash_of(path) == stored.content_hash else None
    except (OSError, ValueError):  # a name that this system cannot have
        return None


def _fits(curve: AngleCurve, stored: StoredSession) -> bool:
    apart = []
    for one_set in stored.summary.sets:
        for one in one_set.repetitions:
            _, angle_rad = curve.between(one.start_s, one.end_s)
            if len(angle_rad) and not np.isnan(angle_rad).all():
                apart.append(abs(float(np.nanmax(angle_rad)) - one.trunk_angle_rad))
    return not stored.summary.sets or (bool(apart) and float(np.median(apart)) < FITS_RAD)
