"""How repetitions that follow each other closely become sets."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import builders

from imu.motion.fitted import shipped_weights
from imu.motion.repetitions import Repetition, resemble
from imu.motion.sets import LONGEST_UNLIKELY, are_likely, split_into_sets

DURATION_S = 2.5


def repetition(start_s: float, *, duration_s: float = DURATION_S, **changed: Any) -> Repetition:
    """Return a squat of 45° and 0.4 m with the log-odds of a usual repetition."""
    figures: dict[str, Any] = {
        "bottom_s": start_s + duration_s / 2,
        "end_s": start_s + duration_s,
        "confirmed_s": start_s + duration_s + 0.2,
        "trunk_angle_rad": math.radians(45),
        "hip_drop_m": 0.4,
        "counting_log_odds": 1.0,
    }
    return replace(builders.repetition(start_s=start_s), **figures | changed)


def touch_and_go(size: int, start_s: float = 0.0, **changed: Any) -> list[Repetition]:
    """Return repetitions that follow each other without a pause."""
    return [repetition(start_s + i * DURATION_S, **changed) for i in range(size)]


def sizes(repetitions: list[Repetition]) -> list[int]:
    """Return the size of each set."""
    return [len(one_set) for one_set in split_into_sets(repetitions, shipped_weights().belonging)]


def test_a_breath_of_eight_seconds_between_repetitions_splits_no_set() -> None:
    first = touch_and_go(3)
    assert sizes([*first, *touch_and_go(3, first[-1].end_s + 8.0)]) == [6]


def test_one_drop_that_was_measured_wrongly_splits_no_set() -> None:
    reps = touch_and_go(10)
    reps[6] = repetition(reps[6].start_s, hip_drop_m=0.75)
    assert not resemble(reps[5], reps[6])
    assert sizes(reps) == [10]


def test_another_exercise_without_a_rest_is_another_set() -> None:
    hinges = touch_and_go(5, 5 * DURATION_S, trunk_angle_rad=math.radians(85), hip_drop_m=0.05)
    assert sizes([*touch_and_go(5), *hinges]) == [5, 5]


def test_two_movements_that_differ_are_two_lone_ones() -> None:
    assert sizes([repetition(0.0), repetition(4.0, trunk_angle_rad=math.radians(85), hip_drop_m=0.02)]) == [1, 1]


def test_a_movement_after_the_set_belongs_to_it_only_if_it_is_like_it_or_surely_a_repetition() -> None:
    reps = touch_and_go(6)
    put_down = {"duration_s": 3.5, "trunk_angle_rad": math.radians(75), "hip_drop_m": 0.25, "pause_s": 0.6}
    seen_late = repetition(reps[-1].end_s + 1.0, counting_log_odds=-1.5, **put_down)
    seen_late = replace(seen_late, confirmed_s=seen_late.end_s + 0.8)
    assert sizes([*reps, seen_late]) == [6, 1]
    slower = {"duration_s": 3.5, "trunk_angle_rad": math.radians(50), "hip_drop_m": 0.4}
    assert sizes([*reps, repetition(reps[-1].end_s + 0.1, counting_log_odds=4.0, **slower)]) == [7]


def test_movements_that_are_all_unlikely_are_no_set() -> None:
    doubtful = [replace(one, counting_log_odds=-1.0) for one in touch_and_go(3)]
    assert not are_likely(doubtful)
    assert are_likely([replace(doubtful[0], counting_log_odds=1.0), *doubtful[1:]])
    assert are_likely([replace(doubtful[0], counting_log_odds=None), *doubtful[1:]])
    assert are_likely(doubtful, shift=0.5)
    assert are_likely(doubtful[:1] * (LONGEST_UNLIKELY + 1))
    assert not are_likely(doubtful[:1] * LONGEST_UNLIKELY)
