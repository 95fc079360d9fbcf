"""Random training sessions: who trains, what in which order, and with which sensor."""

from __future__ import annotations

import numpy as np

from imu.virtual.person.daily import DAILY
from imu.virtual.person.lifter import Lifter
from imu.virtual.person.sensor import Sensor
from imu.virtual.person.session import Daily, Exercise, PlanItem, Rest
from imu.virtual.person.variants import VARIANTS

UNRACKED = ("back_squat", "low_bar_squat", "good_morning")
"""Exercises that start by taking a bar from a rack."""
PICKED_UP = ("upright_squat", "sumo_squat", "romanian_deadlift", "tempo_hinge", "kettlebell_swing")
"""Exercises that often start by picking a weight up and end by putting it down."""
SET_UPS = ("unrack_and_step_back", "pick_up_weight", "put_down_weight")
TRAINING_ONLY = ("step_in_and_rack", "stoop", "move_weight", "hands_on_knees", "jumps_in_a_row")
"""Daily movements that plain sessions do without, so that each seed keeps its session."""
FREQUENT = ("walking", "walking", "few_steps", "fidgeting", "fidgeting", "drinking", "sit_down_and_stand_up")
APART_S = 13.0
"""A rest that ends a set, s."""
BETWEEN_SETS = (*FREQUENT, *(name for name in DAILY if name not in SET_UPS and name not in TRAINING_ONLY))


def _rest(rng: np.random.Generator, least_s: float) -> list[PlanItem]:
    """Draw what happens in a pause of about `least_s`."""
    items: list[PlanItem] = []
    passed = 0.0
    while passed < least_s:
        if rng.random() < 0.55:
            items.append(Daily(BETWEEN_SETS[int(rng.integers(len(BETWEEN_SETS)))]))
            passed += 7.0
        else:
            items.append(Rest(float(rng.uniform(0.3, 8.0))))
            passed += 4.0
    return items


def _set_apart(rng: np.random.Generator, repetitions: int) -> list[PlanItem]:
    """Draw one set with a rest before and after it that no daily movement comes into."""
    name = str(rng.choice(list(VARIANTS)))
    before, after = (Rest(float(rng.uniform(APART_S, APART_S + 5.0))) for _ in range(2))
    return [before, Exercise(name, repetitions), after]


def _set(rng: np.random.Generator, repetitions: int) -> list[PlanItem]:
    """Draw one set with what comes right before and after it."""
    name = str(rng.choice(list(VARIANTS)))
    fetched = name in PICKED_UP and rng.random() < 0.6
    before: list[PlanItem] = []
    if rng.random() < 0.5:
        before.append(Daily("few_steps"))
    if name in UNRACKED:
        before.append(Daily("unrack_and_step_back"))
    elif fetched:
        before.append(Daily("pick_up_weight"))
    before.append(Rest(float(rng.uniform(0.2, 4.0))))
    after: list[PlanItem] = [Rest(float(rng.uniform(0.2, 3.0)))]
    if fetched:
        after.append(Daily("put_down_weight"))
    if rng.random() < 0.5:
        after.append(Daily("walking"))
    return [*before, Exercise(name, repetitions), *after]


def random_session(seed: int, *, short: bool = False, apart: bool = False) -> tuple[list[PlanItem], Lifter, Sensor]:
    """Draw a plan, a lifter and a sensor.

    Three to six sets of 4-12 repetitions, pauses of 15-60 s in which daily movements happen, and mostly a quiet start.

    Parameters
    ----------
    seed : int
        The same seed draws the same session.
    short : bool
        One or two sets of 2-5 repetitions and pauses of a few seconds, for tests.
    apart : bool
        Daily movements stay between the sets; else most sets have them right before and after, weights picked up
        and put down among them.
    """
    rng = np.random.default_rng([seed, 1])
    lifter, sensor = Lifter.random(rng), Sensor.random(rng)
    sets = int(rng.integers(1, 3) if short else rng.integers(3, 7))
    plan: list[PlanItem] = [Rest(float(rng.uniform(0.8, 5.0)))] if rng.random() < 0.8 else []
    if rng.random() < 0.5:
        plan.extend(_rest(rng, 5.0))
    for index in range(sets):
        plan.extend((_set_apart if apart else _set)(rng, int(rng.integers(2, 6) if short else rng.integers(4, 13))))
        if index < sets - 1 or rng.random() < 0.5:
            plan.extend(_rest(rng, float(rng.uniform(1, 8) if short else rng.uniform(15, 60))))
    return plan, lifter, sensor
