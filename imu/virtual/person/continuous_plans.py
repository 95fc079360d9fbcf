"""Random training sessions of touch-and-go sets: repetitions that follow each other without standing still.

`plans` draws the plain sessions, in which the lifter stands up fully after each repetition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from imu.virtual.person.lifter import Lifter
from imu.virtual.person.manner import Manner
from imu.virtual.person.plans import BETWEEN_SETS, PICKED_UP, TRAINING_ONLY, UNRACKED
from imu.virtual.person.sensor import Sensor
from imu.virtual.person.session import Daily, Exercise, PlanItem, Rest
from imu.virtual.person.variants import VARIANTS

IN_THE_GYM = ("pick_up_weight", "put_down_weight", *TRAINING_ONLY)
"""Movements beside sets that look like parts of them."""
DIFFICULT = ("jump", "jumps_in_a_row", "stoop", "hands_on_knees", "sit_down_and_stand_up", "few_steps")
"""Movements that may come right before or after a set."""


def _daily(rng: np.random.Generator, names: Sequence[str]) -> Daily:
    """Draw one daily movement."""
    return Daily(names[int(rng.integers(len(names)))])


def _pause(rng: np.random.Generator, least_s: float) -> list[PlanItem]:
    """Draw a pause of about `least_s`: standing, and daily movements in half of its pieces."""
    items: list[PlanItem] = []
    passed_s = 0.0
    while passed_s < least_s:
        if rng.random() < 0.5:
            items.append(_daily(rng, BETWEEN_SETS if rng.random() < 0.7 else IN_THE_GYM))
            passed_s += 7.0
        else:
            items.append(Rest(float(rng.uniform(0.3, 8.0))))
            passed_s += 4.0
    return items


def _set(rng: np.random.Generator, name: str, repetitions: int) -> list[PlanItem]:
    """Draw one set with what comes right before and after it."""
    manner = Manner.random(rng, VARIANTS[name])
    before: list[PlanItem] = [Rest(float(rng.uniform(0.1, 4.0)))]
    after: list[PlanItem] = [Rest(float(rng.uniform(0.1, 3.0)))]
    if name in UNRACKED and rng.random() < 0.7:
        before.insert(0, Daily("unrack_and_step_back"))
        if manner.failure is None:
            after.append(Daily("step_in_and_rack"))
    elif name in PICKED_UP and not manner.from_floor and rng.random() < 0.5:
        before.insert(0, Daily("pick_up_weight"))
        if manner.failure is None:
            after.append(Daily("put_down_weight"))
    if rng.random() < 0.25:
        before.insert(0, _daily(rng, DIFFICULT))
    if rng.random() < 0.25:
        after.append(_daily(rng, DIFFICULT))
    if rng.random() < 0.4:
        after.append(Daily("walking" if rng.random() < 0.5 else "few_steps"))
    return [*before, Exercise(name, repetitions, manner=manner), *after]


def _rougher(rng: np.random.Generator, lifter: Lifter) -> Lifter:
    """Return the lifter, less smooth: recordings in `squat_sets` hold two to four times the unrest above 4 Hz."""
    return replace(
        lifter,
        unsteadiness_rad=lifter.unsteadiness_rad * float(np.exp(rng.uniform(0.0, np.log(4.0)))),
        tremor_rad=lifter.tremor_rad * float(np.exp(rng.uniform(0.0, np.log(6.0)))),
    )


def random_continuous_session(seed: int, *, short: bool = False) -> tuple[list[PlanItem], Lifter, Sensor]:
    """Draw a plan of touch-and-go sets, a lifter and a sensor.

    Three to six sets of 3-15 repetitions, each of a random exercise in a random `Manner`, and pauses of 5-60 s in which
    daily movements happen. Some sessions start within a second of the first set, as recordings of single sets do.

    Parameters
    ----------
    seed : int
        The same seed draws the same session.
    short : bool
        One or two sets of 2-6 repetitions and pauses of a few seconds.
    """
    rng = np.random.default_rng([seed, 2])
    lifter, sensor = _rougher(rng, Lifter.random(rng)), Sensor.random(rng)
    sets = int(rng.integers(1, 3) if short else rng.integers(3, 7))
    plan: list[PlanItem] = [Rest(float(rng.uniform(0.1, 5.0)))]
    if rng.random() < 0.5:
        plan.extend(_pause(rng, 5.0))
    names = list(VARIANTS)
    for index in range(sets):
        name = names[int(rng.integers(len(names)))]
        plan.extend(_set(rng, name, int(rng.integers(2, 7) if short else rng.integers(3, 16))))
        if index < sets - 1 or rng.random() < 0.5:
            plan.extend(_pause(rng, float(rng.uniform(1, 8) if short else rng.uniform(5, 60))))
    return plan, lifter, sensor
