"""One short training for all sensors: two sets in 40 s."""

from __future__ import annotations

import pytest

from imu.virtual.person import Exercise, Lifter, PlanItem, Rest, Sensor, SimulatedSession, simulate

PLAN: list[PlanItem] = [
    Rest(4),
    Exercise("air_squat", 3),
    Rest(15),
    Exercise("romanian_deadlift", 3),
    Rest(6),
]


@pytest.fixture(scope="session")
def training() -> SimulatedSession:
    return simulate(PLAN, Lifter(), Sensor.ideal(sampling_rate_hz=200), 4)
