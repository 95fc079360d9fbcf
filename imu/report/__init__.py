"""What was counted and measured, for programs and for people.

- :mod:`~imu.report.objects`: a session -> a JSON object for programs;
- :mod:`~imu.report.session_page`: a session -> a page for the terminal;
- :mod:`~imu.report.listing`: many sessions -> a line each;
- :mod:`~imu.report.trend_page`: weeks of training -> a page (not imported here: it works on :mod:`imu.report.trends`);
- :mod:`~imu.report.cues`: a set -> what a coach would say of its form;
- :mod:`~imu.report.words`, :mod:`~imu.report.telling`: numbers and corrections -> words.

Nothing in here knows where a summary comes from.
"""

from imu.report.cues import (
    HINGE_DEEP_RAD,
    HINGE_SHALLOW_RAD,
    KNEES_FIRST_S,
    SPEED_DROP_M,
    SPEED_LOST,
    SPEED_REPETITIONS,
    SQUAT_LEANS_RAD,
    SQUAT_UPRIGHT_RAD,
    UNEVEN_ANGLE_RAD,
    UNEVEN_DROP_M,
    cues,
)
from imu.report.listing import OneLineEach, balance_lines, overview_table
from imu.report.objects import session_object, stored_object
from imu.report.session_page import session_page, stored_page
from imu.report.telling import sentence_of, told
from imu.report.words import MOSTLY, clock, counted, load, printable, reasons

__all__ = [
    "HINGE_DEEP_RAD",
    "HINGE_SHALLOW_RAD",
    "KNEES_FIRST_S",
    "MOSTLY",
    "SPEED_DROP_M",
    "SPEED_LOST",
    "SPEED_REPETITIONS",
    "SQUAT_LEANS_RAD",
    "SQUAT_UPRIGHT_RAD",
    "UNEVEN_ANGLE_RAD",
    "UNEVEN_DROP_M",
    "OneLineEach",
    "balance_lines",
    "clock",
    "counted",
    "cues",
    "load",
    "overview_table",
    "printable",
    "reasons",
    "sentence_of",
    "session_object",
    "session_page",
    "stored_object",
    "stored_page",
    "told",
]
