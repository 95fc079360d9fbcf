"""What the built-in virtual person does: stands, squats, rests, hinges, and so on, set after set.

The first minute shows a set of each, so that a short demonstration does too. This module refuses to know which sensor
the person wears: a twin makes of the signal what its sensor would.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imu.samples import ImuBlock

if TYPE_CHECKING:
    from imu.virtual.person import PlanItem

SAMPLING_RATE_HZ = 200.0
"""Of the signal; faster sensors see nothing new in it, as people move below 20 Hz."""
STANDING_S = 3.0
"""Quiet standing before the first repetition, s."""
REST_S = 15.0
"""Quiet standing between two sets, s; long enough to end a set."""


class _Set(NamedTuple):
    """One set: an exercise of :mod:`imu.virtual.person` and its tempo, s."""

    exercise: str
    repetitions: int
    eccentric_s: float
    pause_s: float
    concentric_s: float
    top_pause_s: float


SETS = (
    _Set("air_squat", 5, 1.3, 0.1, 1.1, 0.6),
    _Set("romanian_deadlift", 5, 1.5, 0.1, 1.2, 0.5),
    _Set("upright_squat", 8, 1.5, 0.3, 1.2, 0.6),
    _Set("good_morning", 6, 1.7, 0.2, 1.4, 0.6),
)

# A middling part of today: 0.1 mg and 5 mdps per √Hz, a few mg and tenths of a degree per second of offset.
_NOISE_M_S2_RTHZ, _NOISE_RAD_S_RTHZ = 0.00098, 0.000087
_OFFSET_M_S2, _OFFSET_RAD_S = 0.08, 0.006


def virtual_signal(seed: int = 1, seconds: float = 600.0) -> ImuBlock:
    """Return what a sensor at the back of the virtual person's hip would measure.

    Parameters
    ----------
    seed : int
        Who it is and how each repetition turns out follows from it.
    seconds : float
        How long to train, s; whole sets are done, so it may become up to a minute longer.

    Raises
    ------
    ValueError
        If there is no time for anything.
    """
    from imu.virtual.person import Lifter, Sensor, simulate  # noqa: PLC0415 - slow to import

    if not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds}")
    rng = np.random.default_rng([seed, 0xB1E])
    lifter = Lifter(
        height_m=float(rng.uniform(1.6, 1.9)),
        depth=float(rng.uniform(0.4, 0.8)),
        lean=float(rng.uniform(0.3, 0.7)),
        asymmetry_rad=float(rng.normal(0, 0.02)),
        fatigue=0.1,
    )
    sensor = Sensor(
        place="back",
        sampling_rate_hz=SAMPLING_RATE_HZ,
        bandwidth_hz=0.4 * SAMPLING_RATE_HZ,
        acceleration_noise_m_s2_rthz=_NOISE_M_S2_RTHZ,
        angular_velocity_noise_rad_s_rthz=_NOISE_RAD_S_RTHZ,
        acceleration_offset_m_s2=_three(rng, _OFFSET_M_S2),
        angular_velocity_offset_rad_s=_three(rng, _OFFSET_RAD_S),
    )
    return simulate(list(_plan(seconds)), lifter, sensor, seed).block


def _plan(seconds: float) -> Iterator[PlanItem]:
    """Give sets and rests until `seconds` have certainly passed."""
    from imu.virtual.person import Exercise, Rest  # noqa: PLC0415 - slow to import

    yield Rest(STANDING_S)
    passed_s = STANDING_S
    for each in cycle(SETS):
        yield Exercise(
            each.exercise,
            each.repetitions,
            eccentric_s=each.eccentric_s,
            pause_s=each.pause_s,
            concentric_s=each.concentric_s,
            top_pause_s=each.top_pause_s,
        )
        yield Rest(REST_S)
        passed_s += each.repetitions * (each.eccentric_s + each.concentric_s) + REST_S  # the least that it takes
        if passed_s >= seconds:
            return


def _three(rng: np.random.Generator, spread: float) -> tuple[float, float, float]:
    x, y, z = rng.normal(0, spread, 3)
    return float(x), float(y), float(z)
