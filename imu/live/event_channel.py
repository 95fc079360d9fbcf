"""The second channel of a recording: events of the session, the plan that was followed, and entries, as JSON.

A training killed at any time leaves its plan here and what the person entered by hand, so that a replay gives the same
signals (`replay_signals`) and the same stored session. Events and signals stand here for other programs; a replay makes
its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import merge
from pathlib import Path
from typing import Any

from imu.live.entries import ENTRY, RECOUNT
from imu.live.signals import Best, Coach, Signal
from imu.live.targets import Plan
from imu.motion.judge import JudgeParameters
from imu.recordings.training_reader import TrainingLog, read_training
from imu.recordings.training_recorder import RecordedEvent, TrainingMessage
from imu.report.objects import Object, rejected_object, repetition_object
from imu.session import (
    Event,
    GapFound,
    MovementRejected,
    RepetitionCounted,
    RepetitionTakenBack,
    RestBegan,
    SessionParameters,
    SetClosed,
)
from imu.training import Training

FOLLOWED = ("plan", RECOUNT, ENTRY)
"""Events that a replay follows."""


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


def signal_object(signal: Signal) -> Object:
    """Return a signal."""
    return {"event": "signal", "signal": str(signal.kind), "at_s": signal.at_s, "count": signal.count}


def plan_object(coach: Coach) -> Object:
    """Return the plan that a training follows from here on, and what it needs of earlier trainings."""
    return {
        "event": "plan",
        "plan": None if coach.plan is None else coach.plan.as_object(),
        "plan_index": coach.plan_index,
        "best": {
            name: {"depth_m": best.depth_m, "trunk_angle_rad": best.trunk_angle_rad}
            for name, best in coach.best.items()
        },
    }


def follow_recorded(coach: Coach, recorded: Mapping[str, Any]) -> list[Signal]:
    """Let a coach follow the plan of a `plan_object`, or take an entry of :mod:`imu.live.entries`.

    Raises
    ------
    PlanUnusable, KeyError, TypeError, ValueError
        If the object is neither.
    """
    if recorded["event"] != "plan":
        return coach.enter(recorded)
    plan = recorded["plan"]
    coach.best = {name: Best(best["depth_m"], best["trunk_angle_rad"]) for name, best in recorded["best"].items()}
    coach.follow(None if plan is None else Plan.from_object(plan, "the recorded plan"), int(recorded["plan_index"]))
    return []


def recorded_plan(recording: TrainingLog) -> Plan | None:
    """Return the last plan of a recording; ``None`` if the training followed none."""
    coach = Coach()
    for event in recording.events():
        if event.event.get("event") == "plan":
            follow_recorded(coach, event.event)
    return coach.plan


def replay_signals(path: Path, least_repetitions: int = 2) -> list[Signal]:
    """Replay a recording with the plan in it; return its signals, as far as the recording goes.

    Raises
    ------
    RecordingDamaged, RecordingForeign
        If the file is no readable recording of a training.
    """
    return _replay(read_training(path), least_repetitions)[1]


def recorded_coach(path: Path, least_repetitions: int = 2) -> Coach | None:
    """Replay a recording with plan and entries in it; return the coach at its end, ``None`` if it holds neither.

    Raises
    ------
    RecordingDamaged, RecordingForeign
        If the file is no readable recording of a training.
    """
    recording = read_training(path)
    if not any(event.event.get("event") in FOLLOWED for event in recording.events()):
        return None
    return _replay(recording, least_repetitions)[0]


def _replay(recording: TrainingLog, least_repetitions: int) -> tuple[Coach, list[Signal]]:
    """Return the coach at the end of a recording, and the signals that it gave."""
    coach, signals = Coach(), []
    judge = JudgeParameters(personal=recording.header.personal)
    training = Training(recording.driver(), SessionParameters(least_repetitions, judge=judge))
    for item in _in_order(recording):
        if isinstance(item, RecordedEvent):
            signals += follow_recorded(coach, item.event)
            continue
        for event in training.take(item).events:
            signals += coach.take(event)
        signals += coach.advance(training.now_s)
    for event in training.finish()[0].events:
        signals += coach.take(event)
    return coach, signals


def _in_order(recording: TrainingLog) -> Iterator[TrainingMessage | RecordedEvent]:
    """Give the messages, and plans and entries where they were made."""
    plans = ((event.recorded_ns, 0, event) for event in recording.events() if event.event.get("event") in FOLLOWED)
    messages = ((message.received_ns, 1, message) for message in recording.messages())
    for _, _, item in merge(plans, messages, key=lambda entry: entry[:2]):
        yield item
