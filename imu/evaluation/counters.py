"""The counters that are scored: our session, also with weights fitted without a person, and two naive scripts.

Scoring uses `CountedSets` only, so all three are scored by the same lines. The scripts are what a competent user would
write in an afternoon. Each needs the whole recording, finds the peaks of one signal and calls each a repetition. The
tilt script misses upright squats. The vertical script misses hinges without drop, and it counts walking, stairs and
chairs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile, ZipFile

import numpy as np
from scipy.signal import butter, find_peaks, peak_widths, sosfiltfilt
from vqf import VQF

from imu.errors import ImuError
from imu.motion.fitted import load_weights
from imu.motion.judge import JudgeParameters
from imu.motion.repetitions import Repetition
from imu.samples import Array, ImuBlock
from imu.session import LONE, Session, SessionParameters, SessionSummary


@dataclass(frozen=True, slots=True)
class Counted:
    """One counted repetition; a quantity that the counter does not measure is None.

    Attributes
    ----------
    start_s, bottom_s, end_s : float
        Leaving standing, turning point, standing again; on the recording's axis.
    pattern : str
        ``squat``, ``hinge`` or ``uncertain``.
    in_set : bool
        Whether it belongs to a set; otherwise it is a lone movement.
    confidence : float or None
        Probability that the pattern is right.
    confirmed_s : float or None
        When it was announced; None for a counter that needs the whole recording.
    trunk_angle_rad, hip_drop_m, eccentric_s, pause_s, concentric_s : float or None
        As in :class:`imu.motion.repetitions.Repetition`.
    mean_concentric_velocity_m_s, peak_concentric_velocity_m_s : float or None
        As in :class:`imu.motion.repetitions.Repetition`.
    """

    start_s: float
    bottom_s: float
    end_s: float
    pattern: str
    in_set: bool = True
    confidence: float | None = None
    confirmed_s: float | None = None
    trunk_angle_rad: float | None = None
    hip_drop_m: float | None = None
    eccentric_s: float | None = None
    pause_s: float | None = None
    concentric_s: float | None = None
    mean_concentric_velocity_m_s: float | None = None
    peak_concentric_velocity_m_s: float | None = None


@dataclass(frozen=True, slots=True)
class CountedSets:
    """The sets and the lone movements that were counted in one recording, and how long the recording is."""

    duration_s: float
    sets: tuple[tuple[Counted, ...], ...]
    lone: tuple[Counted, ...] = ()

    @property
    def repetitions(self) -> tuple[Counted, ...]:
        """All repetitions of all sets."""
        return tuple(repetition for one_set in self.sets for repetition in one_set)

    @property
    def announced(self) -> tuple[Counted, ...]:
        """The repetitions of all sets and the lone movements, in the order of time."""
        return tuple(sorted((*self.repetitions, *self.lone), key=lambda repetition: repetition.start_s))


def count(block: ImuBlock, judge: JudgeParameters | None = None) -> CountedSets:
    """Return what our session counts in `block`; `judge` None stands for the shipped weights."""
    session = Session(SessionParameters(judge=judge), check_units=False)  # read from a file, judged there, or simulated
    session.push(block)
    return counted_sets(session.finish()[1])


def counted_sets(summary: SessionSummary) -> CountedSets:
    """Return the repetitions that a session has counted."""
    sets = tuple(tuple(_counted(repetition) for repetition in one_set.repetitions) for one_set in summary.sets)
    lone = tuple(
        _counted(movement.repetition, in_set=False)
        for movement in summary.rejected
        if movement.reason in LONE and movement.repetition is not None
    )
    return CountedSets(summary.duration_s, sets, lone)


def _counted(repetition: Repetition, *, in_set: bool = True) -> Counted:
    return Counted(
        start_s=repetition.start_s,
        bottom_s=repetition.bottom_s,
        end_s=repetition.end_s,
        pattern=str(repetition.pattern),
        in_set=in_set,
        confidence=repetition.confidence,
        confirmed_s=repetition.confirmed_s,
        trunk_angle_rad=repetition.trunk_angle_rad,
        hip_drop_m=repetition.hip_drop_m,
        eccentric_s=repetition.eccentric_s,
        pause_s=repetition.pause_s,
        concentric_s=repetition.concentric_s,
        mean_concentric_velocity_m_s=repetition.mean_concentric_velocity_m_s,
        peak_concentric_velocity_m_s=repetition.peak_concentric_velocity_m_s,
    )


# --- two naive scripts ------------------------------------------------------------------------------------------------

LEAST_RECORDING_S = 2.0
LEAST_REPETITIONS = 2
REST_BETWEEN_SETS_S = 12.0
"""A longer rest ends a set, as in our session."""
PEAK_FOOT = 0.9
"""A repetition starts and ends where the signal has fallen by this share of the peak's prominence."""

TILT_BELOW_HZ = 1.5
"""This, the prominence and the longest duration are the best of 24 combinations over simulated sessions and five people
of SisFall, so that the tilt script is a fair opponent."""
TILT_PROMINENCE_RAD = np.radians(20.0)
TILT_DISTANCE_S = 1.0
LONGEST_S = 10.0
LEAST_HINGE_RAD = np.radians(45.0)

VERTICAL_BAND_HZ = (0.2, 1.5)
"""This, the prominence and the distance are those of DESIGN.md, "Real sets are not single repetitions"."""
VERTICAL_PROMINENCE_M = 0.15
VERTICAL_DISTANCE_S = 0.8


def count_by_tilt(block: ImuBlock) -> CountedSets:
    """Count peaks of the tilt away from the posture of the first second; beyond 45° a peak is a hinge."""
    if _duration_s(block) < LEAST_RECORDING_S:
        return CountedSets(_duration_s(block), ())
    step_s = _step_s(block)
    up = _up(block, step_s)
    standing = up[: round(1.0 / step_s)].mean(axis=0)
    tilt_rad = np.arccos(np.clip(up @ (standing / np.linalg.norm(standing)), -1.0, 1.0))
    smooth_rad = sosfiltfilt(butter(2, TILT_BELOW_HZ, fs=1.0 / step_s, output="sos"), tilt_rad)
    return _sets(
        [
            Counted(
                start_s, bottom_s, end_s, "hinge" if peak_rad > LEAST_HINGE_RAD else "squat", trunk_angle_rad=peak_rad
            )
            for start_s, bottom_s, end_s, peak_rad in _peaks(block, smooth_rad, TILT_PROMINENCE_RAD, TILT_DISTANCE_S)
            if end_s - start_s <= LONGEST_S
        ],
        _duration_s(block),
    )


def count_by_height(block: ImuBlock) -> CountedSets:
    """Count the lowest points of the height, from vertical acceleration; each is a squat."""
    if _duration_s(block) < LEAST_RECORDING_S:
        return CountedSets(_duration_s(block), ())
    step_s = _step_s(block)
    upward_m_s2 = (_up(block, step_s) * np.nan_to_num(block.acceleration_m_s2)).sum(axis=1)
    band = butter(2, VERTICAL_BAND_HZ, "bandpass", fs=1.0 / step_s, output="sos")
    height_m = sosfiltfilt(band, upward_m_s2 - upward_m_s2.mean())
    for _ in range(2):
        height_m = np.cumsum(height_m) * step_s
        height_m -= height_m.mean()
    return _sets(
        [
            Counted(start_s, bottom_s, end_s, "squat")
            for start_s, bottom_s, end_s, _ in _peaks(
                block, -height_m, VERTICAL_PROMINENCE_M, VERTICAL_DISTANCE_S, LONGEST_S
            )
        ],
        _duration_s(block),
    )


def _duration_s(block: ImuBlock) -> float:
    return float(block.device_time_s[-1] - block.device_time_s[0])


def _step_s(block: ImuBlock) -> float:
    return float(np.median(np.diff(block.device_time_s)))


def _up(block: ImuBlock, step_s: float) -> Array:
    """Return the vertical (n, 3) in the frame of the sensor."""
    gyroscope = np.ascontiguousarray(np.nan_to_num(block.angular_velocity_rad_s))
    accelerometer = np.ascontiguousarray(np.nan_to_num(block.acceleration_m_s2))
    w, x, y, z = VQF(step_s).updateBatch(gyroscope, accelerometer)["quat6D"].T
    return np.column_stack((2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)))


def _peaks(
    block: ImuBlock, signal: Array, prominence: float, distance_s: float, foot_within_s: float | None = None
) -> list[tuple[float, float, float, float]]:
    """Return start, peak and end (s) and the value of each peak; its foot is sought within `foot_within_s`."""
    time_s, step_s = block.device_time_s, _step_s(block)
    peaks, _ = find_peaks(signal, prominence=prominence, distance=max(1, round(distance_s / step_s)))
    window = None if foot_within_s is None else round(foot_within_s / step_s)
    _, _, starts, ends = peak_widths(signal, peaks, rel_height=PEAK_FOOT, wlen=window)
    return [
        (float(time_s[int(start)]), float(time_s[peak]), float(time_s[int(end)]), float(signal[peak]))
        for peak, start, end in zip(peaks, starts, ends, strict=True)
    ]


def _sets(repetitions: list[Counted], duration_s: float) -> CountedSets:
    """Return repetitions as sets and lone movements."""
    groups: list[list[Counted]] = []
    for repetition in repetitions:
        if not groups or repetition.start_s - groups[-1][-1].end_s > REST_BETWEEN_SETS_S:
            groups.append([])
        groups[-1].append(repetition)
    sets = tuple(tuple(group) for group in groups if len(group) >= LEAST_REPETITIONS)
    lone = (replace(group[0], in_set=False) for group in groups if len(group) < LEAST_REPETITIONS)
    return CountedSets(duration_s, sets, tuple(lone))


# --- weights fitted without a person or without a data set ------------------------------------------------------------

HELD_OUT = Path(__file__).parent / "held_out.zip"
"""``manifest.json`` in it names the member of each person and data set, ``NAME.npz`` holds its weights.
`imu.evaluation.fit` writes them, so that figures on people left out can be repeated in minutes without training::

    {"people": {"sisfall": {"SA01": "people_1"}}, "without": {"sisfall": "without_sisfall"}}

A person or data set that the manifest does not name was in no fit; the shipped weights are then fitted without it."""

Kind = Literal["person", "data set"]


def held_out_judge(data_set: str, subject: str, kind: Kind) -> JudgeParameters | None:
    """Return the weights fitted without this person or data set; None if neither was in any fit."""
    name = held_out_weights(data_set, subject, kind)
    return None if name is None else _judge(HELD_OUT, name)


def held_out_weights(data_set: str, subject: str, kind: Kind) -> str | None:
    """Return the name of the weights without this person or data set; None if neither was in any fit.

    Raises
    ------
    ImuError
        If the manifest is missing or broken.
    """
    manifest = _manifest(HELD_OUT)
    of_kind = manifest["people"].get(data_set, {}) if kind == "person" else manifest["without"]
    name: str | None = of_kind.get(subject if kind == "person" else data_set)
    return name


@lru_cache
def _manifest(path: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        with ZipFile(path) as archive:
            manifest = json.loads(archive.read("manifest.json"))
        return {"people": dict(manifest["people"]), "without": dict(manifest["without"])}
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise ImuError(
            f"--held-out needs weights fitted without each person, but {path} is missing or broken: {error!r}"
        ) from error


@lru_cache
def _judge(path: Path, name: str) -> JudgeParameters:
    try:
        with ZipFile(path) as archive:
            return JudgeParameters(weights=load_weights(BytesIO(archive.read(f"{name}.npz"))))
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise ImuError(f"{name}.npz in {path} is broken: run python -m imu.evaluation.fit ({error!r})") from error
