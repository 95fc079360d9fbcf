"""A session view -> the JSON object that programs read.

Other programs rely on the keys: new ones may be added, but existing ones never change. Numbers are rounded here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imu.motion.repetitions import RejectedMovement, Repetition
from imu.report.cues import Figures, figures_of
from imu.report.session_view import (
    RejectedView,
    RepetitionView,
    SessionView,
    SetView,
    rejected_view,
    view_of_stored,
    view_of_summary,
)
from imu.session import SessionSummary
from imu.store.corrections import to_object

if TYPE_CHECKING:
    from imu.report.exercises import ExerciseHistory, Maximum, Trained
    from imu.report.trends import PatternTrend, Trend
    from imu.store import ExerciseSet, PlannedSet, StoredSession

Object = dict[str, object]

FIGURES = {
    "trunk_angle_deg": 1,
    "hip_drop_m": 3,
    "eccentric_s": 3,
    "pause_s": 3,
    "concentric_s": 3,
    "mean_concentric_velocity_m_s": 3,
    "peak_concentric_velocity_m_s": 3,
    "angle_at_bottom_deg": 1,
    "sideways_tilt_deg": 1,
    "turn_deg": 1,
    "trunk_lead_s": 3,
}
"""The figures of a repetition that programs read, in their order, with the number of decimals."""


def session_object(recording: str, summary: SessionSummary) -> Object:
    """Return the object that ``imu replay --json`` prints for a recording."""
    return _session(view_of_summary(recording, summary))


def stored_object(stored: StoredSession) -> Object:
    """Return the object that ``imu review --json`` prints and an export holds for a session, as corrected.

    It has the keys of a replay, ``session`` and ``saved_at``. Some keys are present only where they have something to
    say: ``started_at``, ``corrections`` (each with ``not_applied`` if it changes nothing) and ``deleted``; for a set
    and for a repetition ``exercise``, ``load_kg`` (with ``load_unit`` if the person writes it in pounds) and ``note``;
    for a set ``planned`` with its plan; for a repetition ``added``, and ``measured`` with the
    pattern before the correction. The confidence of a corrected pattern is 1. Figures that were not measured are null.
    """
    view = view_of_stored(stored)
    fields = _session(view)
    fields |= {"session": stored.id, "saved_at": stored.saved_at.isoformat()}
    if stored.started_at is not None:
        fields["started_at"] = stored.started_at.isoformat()
    if view.log:
        fields["corrections"] = [
            to_object(correction.correction)
            | ({} if correction.not_applied is None else {"not_applied": correction.not_applied})
            for correction in view.log
        ]
    if view.deleted:
        fields["deleted"] = [_repetition(repetition) for repetition in view.deleted]
    return fields


def repetition_object(repetition: Repetition) -> Object:
    """Return the object of a repetition as it was measured."""
    return _measured(figures_of(repetition))


def rejected_object(movement: RejectedMovement) -> Object:
    """Return the object of a movement that was not counted, with its figures if it was announced as a repetition."""
    return _rejected(rejected_view(movement))


def figure(figures: Figures, name: str) -> float:
    """Return one of `FIGURES`, rounded."""
    return _rounded(getattr(figures, name), FIGURES[name])


def trend_object(trend: Trend) -> Object:
    """Return the object that ``imu review --trends --json`` prints for a day or week."""
    return {
        "start": trend.start.isoformat(),
        "days": trend.days,
        "sessions": trend.sessions,
        "squat": _pattern_trend(trend.squat),
        "hinge": _pattern_trend(trend.hinge),
        "uncertain": trend.uncertain,
        "squat_share": _rounded_if_present(trend.squat_share, 3),
    }


def exercise_object(history: ExerciseHistory) -> Object:
    """Return the object that ``imu exercises --json`` prints for an exercise."""
    heaviest, largest = history.heaviest, history.largest_session
    return {
        "exercise": history.name,
        "pattern": history.pattern.value,
        "known": history.known,
        "sets": len(history.sets),
        "reps": sum(one_set.repetitions for one_set in history.sets),
        "volume_kg": _rounded_if_present(history.volume_kg, 1),
        "first_trained_at": history.sessions[0].trained_at.isoformat(),
        "last_trained_at": history.sessions[-1].trained_at.isoformat(),
        "records": {
            "heaviest": None if heaviest is None else _exercise_set(heaviest),
            "largest_volume": None if largest is None else _trained(largest),
        },
        "one_repetition_maximum": {
            "epley": _maximum(history.maximum),
            "load_velocity": _maximum(history.profile),
        },
        "loads": [
            {
                "load_kg": _rounded(load.load_kg, 2),
                "most_reps": _exercise_set(load.most),
                "fastest": None if load.fastest is None else _exercise_set(load.fastest),
            }
            for load in history.at_loads
        ],
        "sessions": [_trained(session) for session in history.sessions],
    }


def _trained(trained: Trained) -> Object:
    return {
        "session": trained.session_id,
        "trained_at": trained.trained_at.isoformat(),
        "sets": len(trained.sets),
        "reps": trained.repetitions,
        "volume_kg": _rounded_if_present(trained.volume_kg, 1),
        "epley_kg": _rounded_if_present(trained.maximum.load_kg, 1),
    }


def _exercise_set(one: ExerciseSet) -> Object:
    return {
        "session": one.session_id,
        "set": one.set_number,
        "trained_at": one.trained_at.isoformat(),
        "load_kg": _rounded_if_present(one.load_kg, 3),
        "load_unit": "lb" if one.load_in_lb else "kg",
        "reps": one.repetitions,
        "best_mean_concentric_velocity_m_s": _rounded_if_present(one.best_speed_m_s, 3),
    }


def _maximum(maximum: Maximum) -> Object:
    fields: Object = {"load_kg": _rounded_if_present(maximum.load_kg, 1)}
    if maximum.error_kg is not None:
        fields["error_kg"] = _rounded(maximum.error_kg, 1)
    if maximum.refused is not None:
        fields["refused"] = maximum.refused
    return fields if maximum.from_set is None else fields | {"set": _exercise_set(maximum.from_set)}


def _pattern_trend(trend: PatternTrend) -> Object:
    angle_deg = None if trend.trunk_angle_rad is None else math.degrees(trend.trunk_angle_rad)
    return {
        "sets": trend.sets,
        "reps": trend.repetitions,
        "trunk_angle_deg": _rounded_if_present(angle_deg, 1),
        "hip_drop_m": _rounded_if_present(trend.hip_drop_m, 3),
        "mean_concentric_velocity_m_s": _rounded_if_present(trend.speed_m_s, 3),
        "volume_kg": _rounded_if_present(trend.volume_kg, 1),
    }


def _session(view: SessionView) -> Object:
    summary = view.summary
    rate_hz, faults = summary.sampling_rate_hz, summary.faults
    return {
        "recording": view.recording,
        "duration_s": _rounded(summary.duration_s, 3),
        "sampling_rate_hz": _rounded_if_present(rate_hz, 3),
        "samples": summary.samples,
        "gaps": [{"start_s": _rounded(gap.start_s, 3), "end_s": _rounded(gap.end_s, 3)} for gap in summary.gaps],
        "faults": {
            "repeated": faults.repeated,
            "out_of_order": faults.out_of_order,
            "not_finite": faults.not_finite,
            "clipped": faults.clipped,
        },
        "sets": [_set(one_set) for one_set in view.sets],
        "rejected": [_rejected(movement) for movement in view.rejected],
        "totals": {"squat": view.squats, "hinge": view.hinges, "uncertain": view.uncertain},
    }


def _set(view: SetView) -> Object:
    return {
        "start_s": _rounded(view.start_s, 3),
        "end_s": _rounded(view.end_s, 3),
        "pattern": view.pattern.value,
        **_entered(view),
        **({} if view.planned is None else {"planned": _planned(view.planned)}),
        "reps": [_repetition(repetition) for repetition in view.repetitions],
    }


def _repetition(view: RepetitionView) -> Object:
    if view.figures is None:
        fields: Object = {
            "start_s": _rounded(view.start_s, 3),
            "bottom_s": None,
            "end_s": _rounded(view.end_s, 3),
            "confirmed_s": None,
            "pattern": view.pattern.value,
            "confidence": 1.0,
        } | dict.fromkeys((*FIGURES, "hip_drop_from"))
    else:
        fields = _measured(view.figures)
    if view.added:
        fields["added"] = True
    if view.figures is not None and view.pattern_changed:
        fields["measured"] = {"pattern": fields["pattern"], "confidence": fields["confidence"]}
        fields |= {"pattern": view.pattern.value, "confidence": 1.0}
    return fields | _entered(view)


def _rejected(view: RejectedView) -> Object:
    fields: Object = {
        "start_s": _rounded(view.start_s, 3),
        "end_s": _rounded(view.end_s, 3),
        "reason": view.reason,
    }
    return fields if view.figures is None else fields | {"repetition": _measured(view.figures)}


def _measured(figures: Figures) -> Object:
    return {
        "start_s": _rounded(figures.start_s, 3),
        "bottom_s": _rounded(figures.bottom_s, 3),
        "end_s": _rounded(figures.end_s, 3),
        "confirmed_s": _rounded(figures.confirmed_s, 3),
        "pattern": figures.pattern.value,
        "confidence": _rounded(figures.confidence, 3),
        **{name: figure(figures, name) for name in FIGURES},
        "hip_drop_from": figures.hip_drop_from,
    }


def _entered(view: SetView | RepetitionView) -> Object:
    return _exercise_and_load(view, note=view.note)


def _planned(planned: PlannedSet) -> Object:
    return _exercise_and_load(planned, reps=planned.repetitions)


def _exercise_and_load(source: SetView | RepetitionView | PlannedSet, **more: object) -> Object:
    """Return the fields of exercise and load that are known, and those of `more`."""
    words: Object = {
        "exercise": source.exercise,
        "load_kg": _rounded_if_present(source.load_kg, 3),
        "load_unit": "lb" if source.load_in_lb and source.load_kg is not None else None,
        **more,
    }
    return {key: value for key, value in words.items() if value is not None}


def _rounded(value: float, decimals: int) -> float:
    return round(value, decimals) + 0.0  # not -0.0


def _rounded_if_present(value: float | None, decimals: int) -> float | None:
    return None if value is None else _rounded(value, decimals)
