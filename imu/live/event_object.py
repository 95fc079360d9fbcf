"""What happened in a session, as JSON for other programs: the second channel of a recording."""

from __future__ import annotations

from imu.report.objects import Object, rejected_object, repetition_object
from imu.session import Event, GapFound, MovementRejected, RepetitionCounted, RepetitionTakenBack, RestBegan, SetClosed


def event_object(event: Event) -> Object:
    """Return an event; its figures are named as in ``imu replay --json``."""
    match event:
        case RepetitionCounted(repetition):
            return {"event": "repetition", "repetition": repetition_object(repetition)}
        case RepetitionTakenBack(repetition):
            return {"event": "taken back", "repetition": repetition_object(repetition)}
        case MovementRejected(movement):
            return {"event": "rejected", "movement": rejected_object(movement)}
        case RestBegan(since_s):
            return {"event": "rest", "since_s": since_s}
        case SetClosed(closed):
            first, last, reps = closed.start_s, closed.end_s, len(closed.repetitions)
            return {"event": "set", "start_s": first, "end_s": last, "pattern": str(closed.pattern), "reps": reps}
        case GapFound(gap):
            return {"event": "gap", "start_s": gap.start_s, "end_s": gap.end_s}
