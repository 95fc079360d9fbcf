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
from imu.virtual.person.lifter import Span

STILL_SHARE = 0.08
"""Hip and trunk are still below this share of the peak speed of the way down, or up."""
NEAR_SHARE = 0.15
"""A way begins and ends within this share of the excursion from the top and from the turning point: a halt halfway is
part of the way."""
OVER_S = 0.2
"""Speeds are means over this time, s, so that a tremor of 10 Hz adds nothing."""
LEVER_M = 0.3
"""How tilting and sinking make one speed, m/rad."""
JOIN_S = 0.5
"""Repetitions with a shorter pause at the top between them follow each other without a rest, s."""
ANGLES = ("trunk_angle", "start_trunk_angle")
"""Fields of a repetition that are in degrees in JSON."""


@dataclass(frozen=True, slots=True)
class RepetitionTruth:
    """One repetition, measured on the exact motion.

    The way down begins where hip or trunk leaves the top and ends where it comes to rest at the turning point; the way
    up begins and ends likewise; the pause lies between them. Rest is a speed below 8 % of the peak of the way, as
    velocity-based training takes a phase from rest to rest (González-Badillo and Sánchez-Medina 2010, doi
    10.1055/s-0030-1248333). At the tops, sinking and tilting make one speed; at the turning point of a squat sinking
    alone counts. What lies at the top between two repetitions belongs to neither.
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
    signals: TruthSignals, spans_s: Sequence[Span], pattern: Pattern, variant: str
) -> tuple[RepetitionTruth, ...]:
    """Measure repetitions that may follow each other without a rest, commanded in `spans_s`, device time.

    Where less than `JOIN_S` lies between two of them, the end of one and the start of the other are looked for between
    their turning points: a pelvis that turns round early at the top belongs to the way down.
    """
    turns_s = [float(signals.time_s[_turn(signals, span_s, pattern)]) for span_s in spans_s]
    searched_s = list(spans_s)
    for index in range(1, len(spans_s)):
        if spans_s[index][0] - spans_s[index - 1][1] < JOIN_S:
            searched_s[index - 1] = searched_s[index - 1][0], turns_s[index]
            searched_s[index] = turns_s[index - 1], spans_s[index][1]
    return tuple(
        measure_repetition(signals, *spans, pattern, variant) for spans in zip(spans_s, searched_s, strict=True)
    )


def measure_repetition(
    signals: TruthSignals, span_s: Span, searched_s: Span, pattern: Pattern, variant: str
) -> RepetitionTruth:
    """Measure the repetition that was commanded in `span_s`, device time, on finely sampled signals.

    Its start and end are looked for in `searched_s`.
    """
    turn, (first, last) = _turn(signals, span_s, pattern), _rows(signals, searched_s)
    turn = min(max(turn, first + 2), last - 2)
    searched, split = slice(first, last + 1), turn - first
    time, pitch = signals.time_s[searched], signals.pelvis_pitch_rad[searched]
    hip, sensor = signals.hip_height_m[searched], signals.sensor_height_m[searched]
    step_s = float(time[1] - time[0])
    sinking = np.abs(_rate(signals.hip_height_m, searched, step_s))
    speed = np.hypot(sinking, LEVER_M * _rate(signals.pelvis_pitch_rad, searched, step_s))
    upright = hip - LEVER_M * pitch
    start = min(_last_at_rest(speed[: split + 1], _below_top(upright[: split + 1])), split - 1)
    end = max(len(time) - 1 - _last_at_rest(speed[split:][::-1], _below_top(upright[split:])[::-1]), split + 1)
    main, at_bottom = (-hip, sinking) if pattern == "squat" else (pitch, speed)
    down, up = slice(start, split + 1), slice(split, end + 1)
    arrive = split - _last_at_rest(at_bottom[down][::-1], np.abs(main[split] - main[down])[::-1])
    leave = min(split + _last_at_rest(at_bottom[up], np.abs(main[split] - main[up])), end - 1)
    rise_s, whole = float(time[end] - time[leave]), slice(start, end + 1)
    return RepetitionTruth(
        start_s=float(time[start]),
        bottom_s=float(time[split]),
        end_s=float(time[end]),
        pattern=pattern,
        variant=variant,
        trunk_angle_rad=float(pitch[whole].max()),
        hip_drop_m=float(hip[start] - hip[whole].min()),
        sensor_drop_m=float(sensor[start] - sensor[whole].min()),
        eccentric_s=float(time[arrive] - time[start]),
        pause_s=float(time[leave] - time[arrive]),
        concentric_s=rise_s,
        mean_concentric_velocity_m_s=float(sensor[end] - sensor[leave]) / rise_s,
        peak_concentric_velocity_m_s=float(np.gradient(sensor[leave : end + 1], step_s).max()),
        hip_mean_concentric_velocity_m_s=float(hip[end] - hip[leave]) / rise_s,
        hip_peak_concentric_velocity_m_s=float(np.gradient(hip[leave : end + 1], step_s).max()),
        start_trunk_angle_rad=float(pitch[start]),
    )


def _rows(signals: TruthSignals, span_s: Span) -> tuple[int, int]:
    """Return the first and the last row of a span."""
    first, last = (int(row) for row in np.searchsorted(signals.time_s, span_s))
    return first, min(max(last, first + 4), len(signals.time_s) - 1)


def _turn(signals: TruthSignals, span_s: Span, pattern: Pattern) -> int:
    """Return the row of the lowest hip of a squat, of the largest tilt of a hinge."""
    first, last = _rows(signals, span_s)
    main = -signals.hip_height_m if pattern == "squat" else signals.pelvis_pitch_rad
    return first + int(np.argmax(main[first : last + 1]))


def _rate(values: Array, rows: slice, step_s: float) -> Array:
    """Return the rate of change per second on some rows, as the mean over `OVER_S`."""
    half = max(1, round(OVER_S / step_s / 2))
    steps = np.arange(rows.start, rows.stop)
    before, after = np.maximum(steps - half, 0), np.minimum(steps + half, len(values) - 1)
    return np.asarray((values[after] - values[before]) / ((after - before) * step_s))


def _below_top(upright: Array) -> Array:
    """Return how far hip and trunk are below the top of a way."""
    return np.asarray(upright.max() - upright)


def _last_at_rest(speed: Array, away: Array) -> int:
    """Return the last row at rest near where a way begins; without any, the slowest one near there.

    Parameters
    ----------
    speed, away : (n,) array
        Speed up to the other end of the way, and distance from where the way begins.
    """
    near = np.flatnonzero(away <= NEAR_SHARE * away[-1])
    still = near[speed[near] <= STILL_SHARE * speed[near[-1] :].max()]
    return int(still[-1] if len(still) else near[np.argmin(speed[near])])


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
