"""The truth of a simulated session, measured on the exact motion, and its JSON form.

All times are on the recording's own (device) axis, s. In JSON, angles are in degrees and end in ``_deg``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu.samples import Array, read_only
from imu.virtual.person.exercises import Pattern

START_SHARE = 0.05
"""A repetition lasts while the excursion is beyond this share of its peak."""
TURN_SHARE = 0.98
"""The pause lasts while drop or tilt is beyond this share of its peak."""
JOIN_S = 0.5
"""Repetitions with a shorter pause at the top between them touch, s."""
ANGLES = ("trunk_angle", "start_trunk_angle")
"""Fields of a repetition that are in degrees in JSON."""
RAD_PER_M = 2.0
"""How drop and tilt weigh in the size of an excursion: 0.5 m, a parallel squat, like 1 rad, a full hinge."""


@dataclass(frozen=True, slots=True)
class RepetitionTruth:
    """One repetition, measured on the exact motion.

    A repetition is an excursion in the plane of hip drop and pelvis tilt. ``[start_s, end_s)`` is where its size
    is beyond 5 % of its peak, with 0.5 m counted like 1 rad. The turning point is the lowest hip of a squat and the
    largest tilt of a hinge; the pause is where that one is beyond 98 % of its peak. Repetitions that follow each other
    without a rest touch: one ends and the next starts at the top between them.
    """

    start_s: float
    bottom_s: float
    """Time of the largest excursion, the turning point."""
    end_s: float
    pattern: Pattern
    variant: str
    trunk_angle_rad: float
    """Largest forward tilt of the pelvis away from quiet standing, rad."""
    hip_drop_m: float
    """Drop of the hip joint centre from the start to its lowest, m."""
    sensor_drop_m: float
    """The same for the sensor, which rides on the tilting pelvis, m."""
    eccentric_s: float
    pause_s: float
    concentric_s: float
    mean_concentric_velocity_m_s: float
    """Mean vertical velocity of the sensor from the end of the pause to the end, m/s."""
    peak_concentric_velocity_m_s: float
    hip_mean_concentric_velocity_m_s: float
    """The same for the hip joint centre, m/s."""
    hip_peak_concentric_velocity_m_s: float
    start_trunk_angle_rad: float = 0.0
    """Forward tilt of the pelvis away from quiet standing at the start, rad."""


@dataclass(frozen=True, slots=True)
class SetTruth:
    """One set."""

    name: str
    pattern: Pattern
    reps: tuple[RepetitionTruth, ...]


@dataclass(frozen=True, slots=True)
class DailyTruth:
    """One daily movement, which is not a repetition, ``[start_s, end_s)``."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class SessionTruth:
    """Everything that happened, in order."""

    sets: tuple[SetTruth, ...]
    daily: tuple[DailyTruth, ...]

    @property
    def reps(self) -> tuple[RepetitionTruth, ...]:
        """All repetitions of all sets."""
        return tuple(repetition for one_set in self.sets for repetition in one_set.reps)


@dataclass(frozen=True, slots=True, eq=False)
class TruthSignals:
    """Exact signals on rows: pitch (n,), rad; heights above the ankle (n,), m; attitude (n, 3, 3), sensor to world."""

    time_s: Array
    pelvis_pitch_rad: Array
    hip_height_m: Array
    sensor_height_m: Array
    sensor_to_world: Array

    def __post_init__(self) -> None:
        """Check the shapes and make the arrays read-only."""
        n = len(self.time_s)
        for field in fields(self):
            shape = (n, 3, 3) if field.name == "sensor_to_world" else (n,)
            object.__setattr__(self, field.name, read_only(getattr(self, field.name), shape, field.name))

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> TruthSignals:
        """Return the signals of the chosen rows."""
        return TruthSignals(*(getattr(self, field.name)[rows] for field in fields(self)))


def measure_continuous_set(
    signals: TruthSignals, spans_s: Sequence[tuple[float, float]], pattern: Pattern, variant: str
) -> tuple[RepetitionTruth, ...]:
    """Measure repetitions that may follow each other without a rest, commanded in `spans_s`, device time.

    Where less than `JOIN_S` lies between two of them, the earlier ends and the later starts at one time, that of the
    top between them: the highest hip of a squat, the smallest tilt of a hinge.
    """

    def rows(start_s: float, end_s: float) -> slice:
        first, last = np.searchsorted(signals.time_s, [start_s, end_s])
        return slice(int(first), max(int(last), int(first) + 1))

    main = -signals.hip_height_m if pattern == "squat" else signals.pelvis_pitch_rad
    bottoms_s = [float(signals.time_s[rows(*span)][np.argmax(main[rows(*span)])]) for span in spans_s]
    starts_s, ends_s = [span[0] for span in spans_s], [span[1] for span in spans_s]
    joined = [False] * (len(spans_s) + 1)
    for index in range(1, len(spans_s)):
        if starts_s[index] - ends_s[index - 1] < JOIN_S:
            between = rows(bottoms_s[index - 1], bottoms_s[index])
            top_s = float(signals.time_s[between][np.argmin(main[between])])
            starts_s[index] = ends_s[index - 1] = top_s
            joined[index] = True
    return tuple(
        measure_repetition(
            signals, starts_s[index], ends_s[index], pattern, variant, joined=(joined[index], joined[index + 1])
        )
        for index in range(len(spans_s))
    )


def measure_repetition(
    signals: TruthSignals,
    start_s: float,
    end_s: float,
    pattern: Pattern,
    variant: str,
    *,
    joined: tuple[bool, bool] = (False, False),
) -> RepetitionTruth:
    """Measure the repetition that was commanded in ``[start_s, end_s)``, device time, on finely sampled signals.

    The size of an excursion counts from the posture at the start on the way down and from that at the end on the way
    up. A side that is `joined` to a neighbour is bounded by the given time itself.
    """
    first, last = np.searchsorted(signals.time_s, [start_s, end_s])
    last = min(int(last), len(signals.time_s) - 1)
    window = slice(int(first), last + 1)
    time, pitch = signals.time_s[window], signals.pelvis_pitch_rad[window]
    hip, sensor = signals.hip_height_m[window], signals.sensor_height_m[window]
    main = -hip if pattern == "squat" else pitch
    turn = int(np.argmax(main))
    down = np.hypot(RAD_PER_M * (hip[: turn + 1] - hip[0]), pitch[: turn + 1] - pitch[0])
    up = np.hypot(RAD_PER_M * (hip[turn:] - hip[-1]), pitch[turn:] - pitch[-1])
    start = 0 if joined[0] else int(np.flatnonzero(down < START_SHARE * down.max())[-1])
    end = len(time) - 1 if joined[1] else turn + int(np.flatnonzero(up < START_SHARE * up.max())[0])
    arrive = int(np.flatnonzero(main[: turn + 1] >= main[0] + TURN_SHARE * (main[turn] - main[0]))[0])
    leave = turn + int(np.flatnonzero(main[turn:] >= main[-1] + TURN_SHARE * (main[turn] - main[-1]))[-1])
    leave = min(leave, end - 1)  # the tops of a set with much lean may lie as deep as a shallow repetition
    arrive = min(arrive, leave)
    rise_s = float(time[end] - time[leave])
    step_s = float(time[1] - time[0])
    return RepetitionTruth(
        start_s=float(time[start]),
        bottom_s=float(time[turn]),
        end_s=float(time[end]),
        pattern=pattern,
        variant=variant,
        trunk_angle_rad=float(pitch.max()),
        hip_drop_m=float(hip[start] - hip[start : end + 1].min()),
        sensor_drop_m=float(sensor[start] - sensor[start : end + 1].min()),
        eccentric_s=float(time[arrive] - time[start]),
        pause_s=float(time[leave] - time[arrive]),
        concentric_s=rise_s,
        mean_concentric_velocity_m_s=float(sensor[end] - sensor[leave]) / rise_s,
        peak_concentric_velocity_m_s=float(np.gradient(sensor[leave : end + 1], step_s).max()),
        hip_mean_concentric_velocity_m_s=float(hip[end] - hip[leave]) / rise_s,
        hip_peak_concentric_velocity_m_s=float(np.gradient(hip[leave : end + 1], step_s).max()),
        start_trunk_angle_rad=float(pitch[start]),
    )


def truth_to_dict(truth: SessionTruth) -> dict[str, Any]:
    """Return the truth as plain numbers, texts, lists and dicts, ready for JSON; angles in degrees."""
    plain = asdict(truth)
    for one_set in plain["sets"]:
        for repetition in one_set["reps"]:
            for name in ANGLES:
                repetition[f"{name}_deg"] = float(np.degrees(repetition.pop(f"{name}_rad")))
    return plain


def truth_from_dict(plain: dict[str, Any]) -> SessionTruth:
    """Return the truth that `truth_to_dict` wrote.

    Raises
    ------
    ValueError
        If a field is missing or unknown.
    """
    try:
        sets = tuple(
            SetTruth(one_set["name"], one_set["pattern"], tuple(_repetition(plain) for plain in one_set["reps"]))
            for one_set in plain["sets"]
        )
        return SessionTruth(sets, tuple(DailyTruth(**daily) for daily in plain["daily"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a session truth: {error}") from error


def _repetition(plain: dict[str, Any]) -> RepetitionTruth:
    """Return one repetition from its JSON form."""
    values = dict(plain)
    for name in ANGLES:
        if f"{name}_deg" in values:
            values[f"{name}_rad"] = float(np.radians(values.pop(f"{name}_deg")))
    return RepetitionTruth(**values)
