"""A session -> a JSON object for programs. Other programs rely on its keys: they are added to, never changed.

Degrees and rounding are made here. This module refuses to know where an object is printed or kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.session import SessionSummary
from imu.store import CorrectedRepetition, CorrectedSession, CorrectedSet, StoredSession, apply_corrections
from imu.store.corrections import to_object

Object = dict[str, object]

FIGURES: Mapping[str, Callable[[Repetition], float]] = {
    "trunk_angle_deg": lambda one: _rounded(math.degrees(one.trunk_angle_rad), 1),
    "hip_drop_m": lambda one: _rounded(one.hip_drop_m, 3),
    "eccentric_s": lambda one: _rounded(one.eccentric_s, 3),
    "pause_s": lambda one: _rounded(one.pause_s, 3),
    "concentric_s": lambda one: _rounded(one.concentric_s, 3),
    "mean_concentric_velocity_m_s": lambda one: _rounded(one.mean_concentric_velocity_m_s, 3),
    "peak_concentric_velocity_m_s": lambda one: _rounded(one.peak_concentric_velocity_m_s, 3),
    "angle_at_bottom_deg": lambda one: _rounded(math.degrees(one.angle_at_bottom_rad), 1),
    "sideways_tilt_deg": lambda one: _rounded(math.degrees(one.sideways_tilt_rad), 1),
    "turn_deg": lambda one: _rounded(math.degrees(one.turn_rad), 1),
    "trunk_lead_s": lambda one: _rounded(one.trunk_lead_s, 3),
}
"""The figures of a repetition as programs read them, in their order."""


def hip_drop_from(repetition: Repetition) -> str | None:
    """Return what the hip drop counts from: ``standing`` or the ``top`` of the repetition; None if not kept."""
    return None if repetition.drop_from_standing is None else "standing" if repetition.drop_from_standing else "top"


def session_object(recording: str, summary: SessionSummary) -> Object:
    """Return what ``imu replay --json`` prints of a recording."""
    return _object(recording, apply_corrections(summary))


def stored_object(stored: StoredSession) -> Object:
    """Return what ``imu review --json`` prints and an export holds of a session: what counts, and what was corrected.

    The keys are those of a replay and ``session``, ``saved_at``. Others are there only where there is something to say:
    ``started_at``, ``corrections`` (each with ``not_applied`` if it changes nothing), ``deleted``; of a set and of a
    repetition ``exercise``, ``load_kg``, ``note``; of a repetition ``added``, and ``measured`` with the pattern before
    it was changed. The confidence of a pattern that the person told is 1; figures that were not measured are null.
    """
    found = _object(stored.source, stored.corrected)
    found |= {"session": stored.id, "saved_at": stored.saved_at.isoformat()}
    if stored.started_at is not None:
        found["started_at"] = stored.started_at.isoformat()
    if stored.corrected.log:
        found["corrections"] = [
            to_object(one.correction) | ({} if one.not_applied is None else {"not_applied": one.not_applied})
            for one in stored.corrected.log
        ]
    if stored.corrected.deleted:
        found["deleted"] = [_corrected_repetition_object(one) for one in stored.corrected.deleted]
    return found


def _object(recording: str, session: CorrectedSession) -> Object:
    summary = session.measured
    rate_hz, faults = summary.sampling_rate_hz, summary.faults
    return {
        "recording": recording,
        "duration_s": _rounded(summary.duration_s, 3),
        "sampling_rate_hz": None if rate_hz is None else _rounded(rate_hz, 3),
        "samples": summary.samples,
        "gaps": [{"start_s": _rounded(gap.start_s, 3), "end_s": _rounded(gap.end_s, 3)} for gap in summary.gaps],
        "faults": {
            "repeated": faults.repeated,
            "out_of_order": faults.out_of_order,
            "not_finite": faults.not_finite,
            "clipped": faults.clipped,
        },
        "sets": [_set_object(one_set) for one_set in session.sets],
        "rejected": [rejected_object(movement) for movement in session.rejected],
        "totals": {
            pattern.value: session.count(pattern) for pattern in (Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN)
        },
    }


def _set_object(one_set: CorrectedSet) -> Object:
    return {
        "start_s": _rounded(one_set.start_s, 3),
        "end_s": _rounded(one_set.end_s, 3),
        "pattern": one_set.pattern.value,
        **_entered(one_set),
        "reps": [_corrected_repetition_object(repetition) for repetition in one_set.repetitions],
    }


def _corrected_repetition_object(one: CorrectedRepetition) -> Object:
    if one.figures is None:
        found: Object = {
            "start_s": _rounded(one.start_s, 3),
            "bottom_s": None,
            "end_s": _rounded(one.end_s, 3),
            "confirmed_s": None,
            "pattern": one.pattern.value,
            "confidence": 1.0,
        } | dict.fromkeys((*FIGURES, "hip_drop_from"))
    else:
        found = repetition_object(one.figures)
    if one.added:
        found["added"] = True
    if one.measured is not None and one.pattern_changed:
        found["confidence"] = 1.0
        found["measured"] = {
            "pattern": one.measured.pattern.value,
            "confidence": _rounded(one.measured.confidence, 3),
        }
    return found | _entered(one)


def _entered(one: CorrectedSet | CorrectedRepetition) -> Object:
    entered: Object = {"exercise": one.exercise, "load_kg": one.load_kg, "note": one.note}
    return {key: value for key, value in entered.items() if value is not None}


def rejected_object(movement: RejectedMovement) -> Object:
    """Return a movement that was not counted, with its figures if it was a repetition."""
    found: Object = {
        "start_s": _rounded(movement.start_s, 3),
        "end_s": _rounded(movement.end_s, 3),
        "reason": movement.reason,
    }
    if movement.repetition is not None:
        found["repetition"] = repetition_object(movement.repetition)
    return found


def repetition_object(repetition: Repetition) -> Object:
    """Return the figures of a repetition."""
    found: Object = {
        "start_s": _rounded(repetition.start_s, 3),
        "bottom_s": _rounded(repetition.bottom_s, 3),
        "end_s": _rounded(repetition.end_s, 3),
        "confirmed_s": _rounded(repetition.confirmed_s, 3),
        "pattern": repetition.pattern.value,
        "confidence": _rounded(repetition.confidence, 3),
    }
    found |= {key: figure_of(repetition) for key, figure_of in FIGURES.items()}
    return found | {"hip_drop_from": hip_drop_from(repetition)}


def _rounded(value: float, decimals: int) -> float:
    return round(value, decimals) + 0.0  # not -0.0
