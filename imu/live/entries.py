"""Sets that a person enters by hand while training: number of repetitions, exercise and load.

An entry is recorded as an event at the moment at which it is made (:mod:`imu.live.event_channel`), so that a training
that is killed loses none. It changes nothing that was measured: it becomes a correction of the stored session.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from imu.live.targets import Targets
from imu.motion.repetitions import Repetition
from imu.session import TrainingSet

RECOUNT, ENTRY = "recount", "entry"
"""Names of the events."""


class Entries:
    """The entries of a training; times are on the session's axis.

    Attributes
    ----------
    recounts : Counter of float
        How many repetitions more than counted a set has, by a time in it.
    exercises : dict of float to Targets
        Exercise and load of sets, by a time in each as well, the latest last.
    """

    def __init__(self) -> None:
        self.recounts: Counter[float] = Counter()
        self.exercises: dict[float, Targets] = {}

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return any(self.recounts.values()) or bool(self.exercises)

    def more_in(self, repetitions: Sequence[Repetition]) -> int:
        """Return how many repetitions more than counted the set of some repetitions has."""
        if not self.recounts:
            return 0
        start_s, end_s = repetitions[0].start_s, repetitions[-1].end_s
        return sum(more for set_s, more in self.recounts.items() if start_s <= set_s < end_s)

    def exercise_of(self, one: TrainingSet) -> Targets | None:
        """Return the latest entry for a set."""
        entered = [entry for at_s, entry in self.exercises.items() if one.start_s <= at_s < one.end_s]
        return entered[-1] if entered else None

    def take(self, event: Mapping[str, Any]) -> None:
        """Make the entry of an event of `recount_event` or `exercise_event`; pass over any other event.

        Raises
        ------
        PlanUnusable, KeyError, TypeError, ValueError
            If the event is damaged.
        """
        match event["event"]:
            case "recount":
                more = int(event["more"])
                if more not in (1, -1):
                    raise ValueError(f"a count is corrected by one, got {more}")
                self.recounts[_time_of(event)] += more
            case "entry":
                exercise = Targets.from_object(event["exercise"], "the recorded entry")
                self.exercises.pop(_time_of(event), None)  # the latest stands last
                self.exercises[_time_of(event)] = exercise


def _time_of(event: Mapping[str, Any]) -> float:
    set_s = float(event["set_s"])
    if not math.isfinite(set_s):
        raise ValueError(f"a set has a time, got {set_s}")
    return set_s


def recount_event(one: TrainingSet, more: int, *, is_over: bool = True) -> dict[str, Any]:
    """Return the event of a count that is corrected."""
    return {"event": RECOUNT, "set_s": _kept_of(one, is_over=is_over), "more": more}


def exercise_event(one: TrainingSet, exercise: Targets, *, is_over: bool = True) -> dict[str, Any]:
    """Return the event of an exercise and a load that are entered."""
    return {"event": ENTRY, "set_s": _kept_of(one, is_over=is_over), "exercise": exercise.as_object()}


def _kept_of(one: TrainingSet, *, is_over: bool) -> float:
    """Return a time that stays in a set: it may lose the last repetition, and before it is over both ends."""
    return one.repetitions[0 if is_over else (len(one.repetitions) - 1) // 2].bottom_s
