"""Trunk angles of recordings, computed once, in a thread, and remembered while the server runs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path

import numpy as np

from imu.errors import ImuError
from imu.recordings.recording import open_recording
from imu.report.curves import AngleCurve, angle_curve
from imu.store import StoredSession, hash_of
from imu.store.home import recordings_folder
from imu.store.recording_files import find_recording

REMEMBERED = 16
"""So many recordings: an hour is 72,000 numbers, 1 MB."""
FITS_RAD = np.radians(8.0)
"""A curve whose peaks are this far from the measured ones, in the median, is not of this session: units may have been
given on the command line when it was saved, and are not known here."""

NOT_THERE = "the recording is not there any more, so there are no curves"
NOT_FITTING = "the recording does not show what was measured, so there are no curves"


class CurveCache:
    """Ask it for the curve of a session; several pages that ask at once wait for one computation."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, asyncio.Task[AngleCurve | str]] = OrderedDict()

    async def curve_of(self, stored: StoredSession) -> AngleCurve | str:
        """Return the curve, or in words why there is none."""
        key = f"{stored.content_hash} {stored.software_version}"
        if key not in self._known:
            self._known[key] = asyncio.create_task(asyncio.to_thread(_compute, stored))
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        task = self._known[key]
        found = await asyncio.shield(task)
        if isinstance(found, str):  # it may be put back, or be readable another time
            self._known.pop(key, None)
        return found


def _compute(stored: StoredSession) -> AngleCurve | str:
    try:
        recording = _recording_of(stored)
        if recording is None:
            return NOT_THERE
        curve = angle_curve(open_recording(recording).blocks(), stored.summary)
    except ImuError as error:
        return f"the recording cannot be drawn: {error}"
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
