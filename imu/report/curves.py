"""A recording -> the trunk angle over time, for drawing.

The angle is the one in the repetitions' figures: tilt away from the standing posture, in the sagittal plane of the
counted repetitions. The plane is slightly more accurate here than it was live, because all repetitions contribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from imu.motion.form import Lean, SagittalPlane
from imu.motion.repetitions import Repetition
from imu.motion.signals import MotionSignals
from imu.motion.standing import RestingPostures, standing_before
from imu.motion.tracker import ONE_SET_S, stretches
from imu.samples import Array, ImuBlock
from imu.session import SessionSummary


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


def angle_curve(blocks: Iterable[ImuBlock], summary: SessionSummary) -> AngleCurve | None:
    """Return the trunk angle throughout; ``None`` where nothing moved.

    Parameters
    ----------
    blocks : iterable of ImuBlock
        The samples of the recording.
    summary : SessionSummary
        What was counted in it.
    """
    lone = [one.repetition for one in summary.rejected if one.repetition is not None]
    counted = sorted([one for one_set in summary.sets for one in one_set.repetitions] + lone, key=lambda r: r.start_s)
    movements = sorted([(r.start_s, r.end_s) for r in counted] + [(m.start_s, m.end_s) for m in summary.rejected])
    rests = RestingPostures()
    segments = [(signals, _postures(signals, movements, rests)) for signals in stretches(blocks)]
    standing = next((postures[0][1] for _, postures in segments if postures), None)
    if standing is None:
        return None
    plane = _plane([(signals, dict(postures)) for signals, postures in segments], counted)
    times, angles = [], []
    for signals, postures in segments:
        start = 0
        for (_, following), until in zip([(0, standing), *postures], [*(s for s, _ in postures), None], strict=True):
            standing, end = following, len(signals) if until is None else until
            times.append(signals.time_s[start:end])
            angles.append(_angle(signals.up[start:end], standing, plane))
            if start == 0 and len(angles[-1]):
                angles[-1][0] = np.nan
            start = end
    return AngleCurve(np.concatenate(times), np.concatenate(angles))


def _postures(
    signals: MotionSignals, movements: Sequence[tuple[float, float]], rests: RestingPostures
) -> list[tuple[int, Array]]:
    """Return the step at which each movement begins, and `up` in the standing posture from which it is measured."""
    postures: list[tuple[int, Array]] = []
    last_end_s = -np.inf
    rests.push(signals, len(signals))
    for start_s, end_s in movements:
        if not (len(signals) and signals.time_s[0] <= end_s and start_s <= signals.time_s[-1]):
            continue
        step = int(np.searchsorted(signals.time_s, start_s))
        if start_s - last_end_s >= ONE_SET_S:
            before = standing_before(signals, step + 1).up
            standing = rests.standing(before, start_s + 0.2)
            postures.append((step, before if standing is None else standing))
        else:
            rests.forget(last_end_s, start_s)
        last_end_s = end_s
    return postures


def _plane(segments: Sequence[tuple[MotionSignals, dict[int, Array]]], counted: Sequence[Repetition]) -> SagittalPlane:
    """Return the sagittal plane that the counted repetitions show."""
    plane = SagittalPlane()
    for signals, postures in segments:
        for one in counted:
            first, middle, last = np.searchsorted(
                signals.time_s, (one.start_s, (one.start_s + one.bottom_s) / 2, one.end_s)
            )
            before = [step for step in postures if step <= first]
            if not before or last >= len(signals):
                continue
            home, up = postures[before[-1]], signals.up[first : last + 1]
            path = up - (up @ home)[:, None] * home
            plane.learn(Lean(path, path[middle - first]))
    return plane


def _angle(up: Array, home: Array, plane: SagittalPlane) -> Array:
    """Return the forward tilt (n,) away from the posture `home`, as the figures of a repetition do."""
    if not len(up):
        return np.empty(0)
    along = up @ home
    path = up - along[:, None] * home
    largest = path[int(np.argmax((path * path).sum(axis=1)))]
    # Of all that happened, and so no single descent that could contradict the plane.
    lean = Lean(path, largest, from_rest=False)
    angle: Array = np.arctan2(path @ plane.forward(lean, home), along)
    return angle
