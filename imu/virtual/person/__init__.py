"""A simulated lifter with exact truth, for the virtual sensor, the tests and the training of the detector.

Follow one repetition: `plans` or `continuous_plans` draws a session, `session` carries it out, `exercises` (of the
`variants`; `continuous` sets, each in its `manner`), `daily` and `gait` write movements into a `script` with the help
of a `performer`, `body` turns them into the motion of the pelvis, `measuring` into the rows of a `sensor`, and `truth`
says what really happened.

Knows nothing of the detector. What it is not: a measurement. Ranges come from papers and real recordings, the shapes of
the movements are smooth steps laid over each other.
"""

from imu.virtual.person.continuous_plans import random_continuous_session
from imu.virtual.person.daily import DAILY
from imu.virtual.person.lifter import Lifter
from imu.virtual.person.manner import Manner
from imu.virtual.person.plans import random_session
from imu.virtual.person.sensor import Sensor
from imu.virtual.person.session import Daily, Exercise, PlanItem, Rest, SimulatedSession, simulate
from imu.virtual.person.truth import (
    DailyTruth,
    RepetitionTruth,
    SessionTruth,
    SetTruth,
    TruthSignals,
    truth_from_dict,
    truth_to_dict,
)
from imu.virtual.person.variants import VARIANTS

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
