"""A recording and its counted repetitions -> trunk angle, hip height and hip velocity at 20 Hz, for drawing.

The curves are those from which the figures of each movement were measured: where a repetition is marked, its peak angle
is `trunk_angle_rad` and its lowest height is `hip_drop_m`. Height and velocity come from the height model
(`imu.motion.height`), which needs the start and the end of a movement; between movements they are not known, and NaN.

The angle is the one in the repetitions' figures: tilt away from the standing posture, in the sagittal plane of the
counted repetitions. The plane is slightly more accurate here than it was live, because all repetitions contribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imu.motion.judge import Decision
from imu.motion.repetitions import Repetition
from imu.motion.signals import MotionSignals
from imu.motion.standing import RestingPostures, standing_before
from imu.motion.tracker import ONE_SET_S, stretches
from imu.motion.wearing import Lean, SagittalPlane
from imu.report.replay import ReplayOptions, open_with
from imu.samples import Array, ImuBlock
from imu.session import Session, SessionSummary


@dataclass(frozen=True, slots=True, eq=False)
class MotionCurves:
    """The motion of the hip throughout a recording, at 20 Hz.

    Attributes
    ----------
    time_s : (n,) array
        Device clock.
    trunk_angle_rad : (n,) array
        Tilt of the pelvis away from quiet standing in the sagittal plane, forward positive; NaN at gaps.
    hip_height_m : (n,) array
        Height of the hip joint above its height at the start of the movement; NaN between movements.
    hip_velocity_m_s : (n,) array
        Vertical velocity of the hip joint, up positive; NaN between movements.
    """

    time_s: Array
    trunk_angle_rad: Array
    hip_height_m: Array
    hip_velocity_m_s: Array

    def between(self, start_s: float, end_s: float) -> MotionCurves:
        """Return the part within ``[start_s, end_s]``."""
        first, end = np.searchsorted(self.time_s, (start_s - 1e-3, end_s + 1e-3))
        curves = (self.time_s, self.trunk_angle_rad, self.hip_height_m, self.hip_velocity_m_s)
        return MotionCurves(*(curve[first:end] for curve in curves))


def recording_curves(path: Path, summary: SessionSummary, options: ReplayOptions) -> MotionCurves:
    """Return the curves of a recording that was counted with these options.

    Raises
    ------
    ImuError
        If it cannot be read.
    """
    return motion_curves(open_with(path, options).blocks, summary)


def motion_curves(blocks: Callable[[], Iterable[ImuBlock]], summary: SessionSummary) -> MotionCurves:
    """Return the curves of a recording.

    Parameters
    ----------
    blocks : callable
        Returns the samples of the recording from its start; called twice.
    summary : SessionSummary
        What was counted in it.
    """
    overall = angle_curve(blocks(), summary)
    if overall is None:
        return MotionCurves(*(np.empty(0) for _ in range(4)))
    decisions: list[Decision] = []
    session = Session(check_units=False, observe=decisions.append)
    for block in blocks():
        session.push(block)
    session.finish()
    angle_rad = overall.angle_rad.copy()
    height_m, velocity_m_s = (np.full(len(angle_rad), np.nan) for _ in range(2))
    for decision in decisions:
        if decision.verdict is None:  # too small to be mentioned
            continue
        figures = decision.figures
        steps = slice(figures.start, figures.end + 1)
        first = int(np.searchsorted(overall.time_s, figures.time_s[figures.start] - 1e-3))
        place = slice(first, first + figures.end + 1 - figures.start)
        angle_rad[place] = figures.trunk_angle_rad[steps]
        height_m[place] = figures.height_m[steps]
        velocity_m_s[place] = figures.velocity_m_s[steps]
    return MotionCurves(overall.time_s, angle_rad, height_m, velocity_m_s)


# --- the trunk angle -----------------------------------------------------------------------------------------------


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


def angle_curve(blocks: Iterable[ImuBlock], summary: SessionSummary) -> AngleCurve | None:
    """Return the trunk angle throughout; ``None`` where nothing moved.

    Parameters
    ----------
    blocks : iterable of ImuBlock
        The samples of the recording.
    summary : SessionSummary
        What was counted in it.
    """
    lone = [movement.repetition for movement in summary.rejected if movement.repetition is not None]
    counted = sorted(
        [repetition for one_set in summary.sets for repetition in one_set.repetitions] + lone, key=lambda r: r.start_s
    )
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
            last = min(int(np.searchsorted(signals.time_s, end_s)), len(signals) - 1)
            bend = signals.up[(step + last) // 2] - signals.up[step]
            forward = bend / max(float(np.sqrt(bend @ bend)), 1e-9)
            standing = rests.before(start_s + 0.2).choose(signals.up[[step, last]], forward)
            postures.append((step, standing_before(signals, step + 1).up if standing is None else standing))
        rests.forget(start_s if start_s - last_end_s >= ONE_SET_S else last_end_s, end_s)
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
