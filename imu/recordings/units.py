"""Whether the numbers of a recording are m/s² and rad/s, and the spellings of units in other apps' files.

The judgement by physics is :mod:`imu.units`; here it becomes a sentence that names the option which converts the file.
"""

from __future__ import annotations

import numpy as np

from imu.errors import RecordingForeign
from imu.samples import STANDARD_GRAVITY_M_S2, Array
from imu.units import JUDGED_TURN_CELLS, RADIANS_SLOPE, AccelerationUnit, Turns, unit_evidence, unit_of_acceleration

ACCELERATION_UNITS = {"m/s2": 1.0, "g": STANDARD_GRAVITY_M_S2}
"""What one unit of acceleration is in m/s²."""

ANGULAR_VELOCITY_UNITS = {"rad/s": 1.0, "deg/s": float(np.pi / 180)}
"""What one unit of angular velocity is in rad/s."""

ACCELERATION_SPELLINGS = {
    **dict.fromkeys(("m/s^2", "m/s²", "m/s2", "m/s**2", "m/s/s", "ms^-2", "m s^-2", "m·s^-2", "mps2"), 1.0),
    "g": STANDARD_GRAVITY_M_S2,
    "mg": STANDARD_GRAVITY_M_S2 / 1000,
}
"""Units of acceleration as headers of other apps write them, in m/s²."""

ANGULAR_VELOCITY_SPELLINGS = {
    **dict.fromkeys(("rad/s", "rad s^-1", "rad*s^-1", "rad·s^-1", "rads/s", "rps"), 1.0),
    **dict.fromkeys(
        ("deg/s", "°/s", "dps", "degree per second", "degrees per second", "degrees/s"), float(np.pi / 180)
    ),
}
"""Units of angular velocity as headers of other apps write them, in rad/s."""


def check_units(rows: Array, acceleration_unit: str, angular_velocity_unit: str, *, as_told: bool = True) -> None:
    """Refuse a recording whose numbers are clearly in another unit than they should be.

    Parameters
    ----------
    rows : (n, 7) array
        Start of the recording in the order of time, already converted: s, m/s², rad/s, sensor frame. Less than a
        second is not judged.
    acceleration_unit, angular_velocity_unit : str
        The units that the rows were converted from.
    as_told : bool
        Whether the person has named the units and can name others; else they are those that the app writes.

    Raises
    ------
    RecordingForeign
        If another unit explains the numbers; its text says which, and what to do.
    """
    try:
        _check_units(rows, acceleration_unit, angular_velocity_unit, may_be_radians=not as_told)
    except _OtherUnit as error:
        if as_told:
            raise
        raise RecordingForeign(f"{error.found}, which is not what this app writes: was the file changed?") from error


class _OtherUnit(RecordingForeign):
    """Numbers are in another unit than they should be: what was found, and what to do if the person named the unit."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}: {remedy}")
        self.found = found


def _check_units(rows: Array, acceleration_unit: str, angular_velocity_unit: str, *, may_be_radians: bool) -> None:
    """Do what `check_units` says; `may_be_radians`: angular velocity may have been rad/s before it was converted."""
    evidence = unit_evidence(rows)
    if evidence is None:
        return
    if not len(evidence.least_m_s2):
        raise RecordingForeign("the acceleration is 0 in every row: check that the sensor was recording")
    _check_acceleration(evidence.at_rest_m_s2, acceleration_unit)
    may_be_radians = may_be_radians or angular_velocity_unit == "deg/s"
    _check_angular_velocity(evidence.turns, angular_velocity_unit, may_be_radians=may_be_radians)


def _check_acceleration(at_rest_m_s2: float, unit: str) -> None:
    """Refuse acceleration whose size at rest is not gravity's in m/s²."""
    if unit_of_acceleration(at_rest_m_s2) is AccelerationUnit.M_S2:
        return
    as_given = at_rest_m_s2 / ACCELERATION_UNITS[unit]
    found = f"|a| at rest is {as_given:.3g} in the file"
    match unit_of_acceleration(as_given):
        case AccelerationUnit.M_S2:
            raise _OtherUnit(f"{found}, which is m/s² already, not g", "leave out --acc-unit g")
        case AccelerationUnit.G:
            raise _OtherUnit(f"acceleration looks like g ({found}, not 9.81)", "convert with --acc-unit g")
        case AccelerationUnit.MG:
            raise _OtherUnit(f"acceleration looks like mg or cm/s² ({found}, not 9.81)", "convert it to m/s²")
        case AccelerationUnit.WITHOUT_GRAVITY:
            raise RecordingForeign(
                f"acceleration looks as if gravity had been taken out ({found}, not 9.81): "
                "record the accelerometer itself, not linear or user acceleration"
            )
        case AccelerationUnit.UNKNOWN:
            raise _OtherUnit(f"acceleration is in no unit that we know ({found}, not 9.81)", "convert it to m/s²")


def _check_angular_velocity(turns: Turns, unit: str, *, may_be_radians: bool) -> None:
    """Refuse angular velocity that is 57 times what the turn of gravity shows, or a 57th of it."""
    if len(turns.shown) < JUDGED_TURN_CELLS:
        return
    if turns.in_degrees:
        if unit == "rad/s":
            raise _OtherUnit(
                f"angular velocity looks like deg/s (it turns {turns.ratio:.0f} times as much as the accelerometer "
                "shows)",
                "convert with --gyr-unit deg/s",
            )
        raise _OtherUnit(
            f"angular velocity turns {turns.ratio:.0f} times as much as the accelerometer shows", "convert it to rad/s"
        )
    if may_be_radians and turns.slope is not None and turns.slope > RADIANS_SLOPE:
        raise _OtherUnit("angular velocity is rad/s already, not deg/s", "leave out --gyr-unit deg/s")
