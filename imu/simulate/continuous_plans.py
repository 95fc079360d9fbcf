"""Random training sessions of touch-and-go sets: repetitions that follow each other without standing still.

`plans` draws the plain sessions, in which the lifter stands up fully after each repetition.
"""

from __future__ import annotations

import numpy as np

from imu.simulate.lifter import Lifter
from imu.simulate.manner import Manner
from imu.simulate.plans import BETWEEN_SETS, PICKED_UP, UNRACKED
from imu.simulate.sensor import Sensor
from imu.simulate.session import Daily, Exercise, PlanItem, Rest
from imu.simulate.variants import VARIANTS


def _pause(rng: np.random.Generator, least_s: float) -> list[PlanItem]:
    """Draw a pause of about `least_s`: standing, and daily movements in half of its pieces."""
    items: list[PlanItem] = []
    passed_s = 0.0
    while passed_s < least_s:
        if rng.random() < 0.5:
            items.append(Daily(BETWEEN_SETS[int(rng.integers(len(BETWEEN_SETS)))]))
            passed_s += 7.0
        else:
            items.append(Rest(float(rng.uniform(0.3, 8.0))))
            passed_s += 4.0
    return items


def _set(rng: np.random.Generator, name: str, repetitions: int) -> list[PlanItem]:
    """Draw one set with what comes right before and after it."""
    exercise = Exercise(name, repetitions, manner=Manner.random(rng, VARIANTS[name]))
    before: list[PlanItem] = []
    after: list[PlanItem] = []
    if rng.random() < 0.3:
        before.append(Daily("few_steps"))
    if name in UNRACKED and rng.random() < 0.7:
        before.append(Daily("unrack_and_step_back"))
    elif name in PICKED_UP and rng.random() < 0.5:
        before.append(Daily("pick_up_weight"))
        after.append(Daily("put_down_weight"))
    before.append(Rest(float(rng.uniform(0.1, 4.0))))
    after.insert(0, Rest(float(rng.uniform(0.1, 3.0))))
    if rng.random() < 0.4:
        after.append(Daily("walking" if rng.random() < 0.5 else "few_steps"))
    return [*before, exercise, *after]


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
    lifter, sensor = Lifter.random(rng), Sensor.random(rng)
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
