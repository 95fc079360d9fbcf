"""A recording -> the trunk angle throughout it, for drawing.

The angle is that of the repetitions' figures: tilt away from the standing posture, in the sagittal plane that the
counted repetitions show. Only the plane is a little better known here than it was live, where the later repetitions
were still to come. This module refuses to know where a recording is kept and how it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imu.motion.form import Lean, SagittalPlane, describe
from imu.motion.movements import Movement, MovementFinder
from imu.motion.pursuit import Ending
from imu.motion.resampling import is_bridged
from imu.motion.signals import MotionSignals
from imu.motion.tracker import SignalTracker
from imu.samples import Array, Gap, ImuBlock
from imu.session import SessionSummary
from imu.sources.recording import read_recording
from imu.sources.training_recording import open_training_recording
from imu.sources.training_samples import samples_of

SAME_S = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class AngleCurve:
    """The trunk angle throughout a recording.

    Attributes
    ----------
    time_s : (n,) array
        On the device clock, 20 a second.
    angle_rad : (n,) array
        Forward positive; NaN at the start of each stretch after a gap, so that lines break there.
    """

    time_s: Array
    angle_rad: Array

    def between(self, start_s: float, end_s: float) -> tuple[Array, Array]:
        """Return the times and angles within ``[start_s, end_s]``."""
        first, last = np.searchsorted(self.time_s, (start_s, end_s))
        return self.time_s[first : last + 1], self.angle_rad[first : last + 1]


def blocks_of(recording: Path) -> Iterator[ImuBlock]:
    """Give the samples of a recording, ours or another's.

    Raises
    ------
    ImuError
        If it cannot be read.
    """
    if recording.suffix.lower() == ".mcap":
        return samples_of(open_training_recording(recording))
    return read_recording(recording).blocks()


def angle_curve(blocks: Iterable[ImuBlock], summary: SessionSummary) -> AngleCurve | None:
    """Return the trunk angle throughout; ``None`` where nothing moved.

    Parameters
    ----------
    blocks : iterable of ImuBlock
        The samples of the recording.
    summary : SessionSummary
        What was counted in it.
    """
    segments = list(_segments(blocks))
    movements = [movement for _, found in segments for movement in found]
    if not movements:
        return None
    plane = _plane(movements, summary)
    times, angles = [], []
    standing = movements[0].standing
    for signals, found in segments:
        start = 0
        for movement in [*found, None]:
            if movement is not None:
                standing = movement.standing
            end = (
                len(signals)
                if movement is None
                else int(np.searchsorted(signals.time_s, movement.signals.time_s[-1])) + 1
            )
            times.append(signals.time_s[start:end])
            angles.append(_angle(signals.up[start:end], standing.up, plane))
            if start == 0 and len(angles[-1]):
                angles[-1][0] = np.nan
            start = end
    return AngleCurve(np.concatenate(times), np.concatenate(angles))


def _segments(blocks: Iterable[ImuBlock]) -> Iterator[tuple[MotionSignals, list[Movement]]]:
    """Give each stretch without a hole: its signals, and the movements in it."""
    tracker, finder = SignalTracker(), MovementFinder()
    signals: list[MotionSignals] = []
    movements: list[Movement] = []
    for block in blocks:
        for piece in tracker.push(block):
            if not isinstance(piece, Gap):
                signals.append(piece)
                movements += finder.push([piece])
            elif not is_bridged(piece):
                finder.interrupt()
                if signals:
                    yield MotionSignals.joined(signals), movements
                signals, movements = [], []
    if signals:
        yield MotionSignals.joined(signals), movements


def _plane(movements: Iterable[Movement], summary: SessionSummary) -> SagittalPlane:
    """Return the sagittal plane that the counted repetitions show."""
    rejected = [one.repetition for one in summary.rejected if one.repetition is not None]
    counted = [one for one_set in summary.sets for one in one_set.repetitions] + rejected
    ends = np.sort([one.confirmed_s for one in counted])
    plane = SagittalPlane()
    for movement in movements:
        end_s = float(movement.signals.time_s[-1])
        near = np.searchsorted(ends, end_s - SAME_S)
        if movement.ending is Ending.RETURNED and near < len(ends) and ends[near] <= end_s + SAME_S:
            plane.learn(describe(movement, plane).lean)
    return plane


def _angle(up: Array, home: Array, plane: SagittalPlane) -> Array:
    """Return the forward tilt (n,) away from the posture `home`, as :func:`imu.motion.form.describe` does."""
    if not len(up):
        return np.empty(0)
    along = up @ home
    path = up - along[:, None] * home
    largest = path[int(np.argmax((path * path).sum(axis=1)))]
    # Of all that happened, and so no single descent that could contradict the plane.
    lean = Lean(path, largest, from_rest=False)
    angle: Array = np.arctan2(path @ plane.forward(lean, home), along)
    return angle
