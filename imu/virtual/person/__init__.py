"""A simulated lifter with exact truth, for the virtual sensor, the tests and the fit of the counter.

Follow one repetition: `simulation` draws a plan and carries it out. `exercises`, `continuous_sets`
and `daily_movements` write movements into a `script`. `lifter` turns the script into the motion of the pelvis,
`worn_sensor` turns that motion into the rows of a sensor, and `truth` measures each repetition on the exact motion.

The package uses nothing of the counter. A simulation is not a measurement: ranges come from papers and real
recordings, and the shapes of the movements are sums of smooth steps.
"""

from imu.virtual.person.continuous_sets import Manner
from imu.virtual.person.daily_movements import DAILY
from imu.virtual.person.exercises import VARIANTS
from imu.virtual.person.lifter import Lifter
from imu.virtual.person.simulation import (
    Daily,
    Exercise,
    PlanItem,
    Rest,
    SimulatedSession,
    random_continuous_session,
    random_session,
    simulate,
    virtual_signal,
    with_bends_beside,
)
from imu.virtual.person.truth import (
    DailyTruth,
    RepetitionTruth,
    SessionTruth,
    SetTruth,
    TruthSignals,
    truth_from_dict,
    truth_to_dict,
)
from imu.virtual.person.worn_sensor import Sensor

__all__ = [
    "DAILY", "VARIANTS", "Daily", "DailyTruth", "Exercise", "Lifter", "Manner", "PlanItem", "RepetitionTruth",
    "Rest", "Sensor", "SessionTruth", "SetTruth", "SimulatedSession", "TruthSignals", "random_continuous_session",
    "random_session", "simulate", "truth_from_dict", "truth_to_dict", "virtual_signal",
    "with_bends_beside",
]  # fmt: skip
