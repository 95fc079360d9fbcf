"""Single-activity trials joined into one long recording per person, to see what a stream does to the counting.

Only trials that start and end in the same quiet standing posture can be joined. Each is turned onto the posture of the
first one (over the trials the sensor sits a little differently), between two the person stands for a few seconds, and
the seams are cross-faded. What the seams are not: real. The standing between is free of sway.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imu.evaluation.data_sets import Trial
from imu.samples import Array, ImuBlock

STANDING = ("squat", "hinge", "walk", "jog", "stairs", "jump", "stumble", "chair_half", "chair_low", "car")
"""Activities, by the start of their name, whose protocol starts and ends standing; SisFall's ``lie`` and
``chair_collapse`` start seated."""
POSTURE_S = 1.0
"""The posture is the mean of this long at the start and at the end."""
SAME_POSTURE_RAD = np.radians(15.0)
"""Start and end further apart are not one posture; in SisFall's repetition trials 5 % are more than 9° apart."""
QUIET_M_S2 = 0.8
QUIET_RAD_S = 0.4
"""Largest root-mean-square deviation within a posture: beyond, the person is moving already."""
SEAM_S = 0.5
BETWEEN_S = (2.0, 5.0)
SEED = 20170120


@dataclass(frozen=True, slots=True)
class JoinedTrial:
    """Where a trial lies in the joined recording, ``[start_s, end_s)``."""

    trial: Trial
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class JoinedSession:
    """One person's trials in one recording."""

    block: ImuBlock
    trials: tuple[JoinedTrial, ...]


def may_be_joined(trial: Trial) -> bool:
    """Whether a trial of this activity starts and ends standing, as far as its label says."""
    return trial.truth is None and trial.activity.startswith(STANDING)


def is_standing(block: ImuBlock) -> bool:
    """Whether a recording starts and ends standing quietly, in one posture."""
    if block.device_time_s[-1] - block.device_time_s[0] < 4 * POSTURE_S:
        return False
    rows = _rows(block)
    at_posture = round(POSTURE_S / _step_s(block))
    first, last = rows[:at_posture], rows[-at_posture:]
    for posture in (first, last):
        acceleration, angular_velocity = posture[:, :3], posture[:, 3:]
        if not (_deviation(acceleration) < QUIET_M_S2 and _deviation(angular_velocity) < QUIET_RAD_S):
            return False
    cosine = _unit(first[:, :3].mean(axis=0)) @ _unit(last[:, :3].mean(axis=0))
    return bool(cosine > np.cos(SAME_POSTURE_RAD))


def join(trials: Sequence[tuple[Trial, ImuBlock]]) -> JoinedSession:
    """Join one person's trials in an order that depends on nothing but the person.

    Raises
    ------
    ValueError
        If there is no trial.
    """
    if not trials:
        raise ValueError("there is no trial to join")
    rng = np.random.default_rng([SEED, zlib.crc32(trials[0][0].person.encode())])
    ordered = [trials[int(i)] for i in rng.permutation(len(trials))]
    step_s = _step_s(ordered[0][1])
    at_posture, seam = round(POSTURE_S / step_s), round(SEAM_S / step_s)
    parts = [_on_even_rows(ordered[0][1], step_s)]
    standing = parts[0][:at_posture, :3].mean(axis=0)
    for _, block in ordered[1:]:
        rows = _on_even_rows(block, step_s)
        turned = _turned(rows, _rotation(rows[:at_posture, :3].mean(axis=0), standing))
        between = _standing_between(
            parts[-1][-at_posture:].mean(axis=0),
            turned[:at_posture].mean(axis=0),
            round(float(rng.uniform(*BETWEEN_S)) / step_s),
            step_s,
        )
        for part in (between, turned):
            parts[-1:] = _cross_faded(parts[-1], part, seam)
    starts = np.concatenate(([0], np.cumsum([len(part) for part in parts])))
    placed = tuple(
        JoinedTrial(trial, float(starts[2 * i] * step_s), float(starts[2 * i + 1] * step_s))
        for i, (trial, _) in enumerate(ordered)
    )
    joined: Array = np.concatenate(parts)
    time_s: Array = np.arange(len(joined), dtype=np.float64) * step_s
    return JoinedSession(ImuBlock(time_s, joined[:, :3], joined[:, 3:]), placed)


def _rows(block: ImuBlock) -> Array:
    """Return acceleration and angular velocity side by side, (n, 6)."""
    return np.column_stack((block.acceleration_m_s2, block.angular_velocity_rad_s))


def _step_s(block: ImuBlock) -> float:
    return float(np.median(np.diff(block.device_time_s)))


def _on_even_rows(block: ImuBlock, step_s: float) -> Array:
    """Return the rows (n, 6) of `block` every `step_s`."""
    time = block.device_time_s
    even = np.arange(time[0], time[-1], step_s)
    return np.column_stack([np.interp(even, time, column) for column in _rows(block).T])


def _deviation(values: Array) -> float:
    """Return the root-mean-square distance of vectors (n, 3) from their mean."""
    return float(np.sqrt(values.var(axis=0).sum()))


def _unit(vector: Array) -> Array:
    unit: Array = vector / np.linalg.norm(vector)
    return unit


def _rotation(start: Array, end: Array) -> Array:
    """Return the smallest rotation (3, 3) that turns the direction `start` onto `end`."""
    a, b = _unit(start), _unit(end)
    x, y, z = np.cross(a, b)
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation: Array = np.eye(3) + skew + skew @ skew / (1.0 + a @ b)
    return rotation


def _turned(rows: Array, rotation: Array) -> Array:
    """Return rows (n, 6) as a sensor in another turn would have seen them."""
    return np.hstack((rows[:, :3] @ rotation.T, rows[:, 3:] @ rotation.T))


def _standing_between(before: Array, after: Array, n: int, step_s: float) -> Array:
    """Return `n` rows of standing in which the posture goes evenly from `before` to `after` (6,).

    The gyroscope sees it do so: a direction fixed in the world turns against the sensor.
    """
    share = np.linspace(0.0, 1.0, n)[:, None]
    rows: Array = (1.0 - share) * before + share * after
    normal = np.cross(_unit(before[:3]), _unit(after[:3]))
    rows[:, 3:] -= normal / (n * step_s)  # the sine of the small angle in place of the angle
    return rows


def _cross_faded(before: Array, after: Array, seam: int) -> tuple[Array, Array]:
    """Return two stretches that follow each other: the last `seam` rows of `before` fade into the first of `after`."""
    share = np.linspace(0.0, 1.0, seam + 2)[1:-1, None]
    blended = (1.0 - share) * before[-seam:] + share * after[:seam]
    return before[:-seam], np.concatenate((blended, after[seam:]))
