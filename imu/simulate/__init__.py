"""A simulated lifter with exact truth, for the virtual sensor, the tests and the training of the detector.

Follow one repetition: `plans` or `continuous_plans` draws a session, `session` carries it out, `exercises` (of the
`variants`; `continuous` sets, each in its `manner`), `daily` and `gait` write movements into a `script` with the help
of a `performer`, `body` turns them into the motion of the pelvis, `measuring` into the rows of a `sensor`, and `truth`
says what really happened.

Knows nothing of the detector. What it is not: a measurement. Ranges come from papers and real recordings, the shapes of
the movements are smooth steps laid over each other.
"""

from imu.simulate.continuous_plans import random_continuous_session
from imu.simulate.daily import DAILY
from imu.simulate.lifter import Lifter
from imu.simulate.manner import Manner
from imu.simulate.plans import random_session
from imu.simulate.sensor import Sensor
from imu.simulate.session import Daily, Exercise, PlanItem, Rest, SimulatedSession, simulate
from imu.simulate.truth import (
    DailyTruth,
    RepetitionTruth,
    SessionTruth,
    SetTruth,
    TruthSignals,
    truth_from_dict,
    truth_to_dict,
)
from imu.simulate.variants import VARIANTS

__all__ = [
    "DAILY",
    "VARIANTS",
    "Daily",
    "DailyTruth",
    "Exercise",
    "Lifter",
    "Manner",
    "PlanItem",
    "RepetitionTruth",
    "Rest",
    "Sensor",
    "SessionTruth",
    "SetTruth",
    "SimulatedSession",
    "TruthSignals",
    "random_continuous_session",
    "random_session",
    "simulate",
    "truth_from_dict",
    "truth_to_dict",
]
