"""Whether the numbers of a recording are m/s² and rad/s, judged by physics rather than by the header.

- **Acceleration**: averaged over a second, whatever the person does, it is gravity. So its size in the quietest
  seconds tells m/s² from g, mg, raw counts and from "linear acceleration" with gravity taken out.
- **Angular velocity**: turning the sensor turns gravity in its frame, u̇ = -ω × u. So the turn of gravity that the
  gyroscope foretells, against the turn that the accelerometer shows, is about 1 in rad/s and 57 in deg/s.

A recording is refused only where the numbers are clear, for a wrong refusal costs the person the recording; one
without movement says nothing about its gyroscope and passes. This module refuses to know what the samples mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu.errors import RecordingForeign
from imu.samples import STANDARD_GRAVITY_M_S2, Array

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

JUDGED_S = 300.0
"""Units are judged on this much of the recording's start: it holds rest and movement, and costs little."""

CELLS_PER_S = 10
"""Rows are averaged over cells at this rate: gravity turns slowly, and 10 Hz holds all of it."""

HOLE_S = 0.5
"""Nothing is concluded across a longer step between rows."""

SMOOTHING_S = 0.4
"""Gravity's direction is taken from the mean over this long, in which the jolts of a step cancel."""

TURN_S = 1.0
"""Gravity's turn is compared over this long."""

QUIETEST = 0.1
"""Share of the seconds that count as rest: even a session without a pause has its slowest tenth."""

SI_AT_REST_M_S2 = (6.0, 14.0)
"""|a| at rest that passes as m/s²: SisFall gives 8.1 (jogging) to 10.8 in 1,429 trials, and a poor accelerometer is
off by 1 m/s². The same bounds, tenfold up or down, are where g, mg and converted m/s² fall."""

STEADY_NORM = 0.15
"""Gravity's direction is believed where the smoothed |a| is within this share of its value at rest."""

TURNED = 0.05
"""Only turns of gravity above this (3°) are compared: an offset of 20 °/s then stays below a ratio of 7."""

DEGREES_RATIO = 20.0
"""Foretold turn over shown turn (RMS) from which the gyroscope is in deg/s. SisFall in rad/s stays below 7 in 1,429
trials (four of them have a gyroscope scaled eightfold, the rest stay below 2); in deg/s it is about 50."""

DEGREES_SLOPE = 0.05
"""Shown turn per foretold turn below which the gyroscope is in deg/s, if the two agree. About 1.1 in rad/s (0.12 at
least in SisFall), 0.02 in deg/s."""

RADIANS_SLOPE = 10.0
"""The same above which angular velocity converted from deg/s was rad/s already: about 60 then."""

AGREEMENT = 0.5
"""Correlation of shown and foretold turn from which the slope means something: median 0.98 in SisFall, jogging 0.2."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Means over cells on an even time base, with those inside a hole between rows marked."""

    acceleration: Array  # m/s², (n, 3)
    angular_velocity: Array  # rad/s, (n, 3)
    in_hole: NDArray[np.bool_]  # (n,)

    def by_second(self, values: Array) -> Array:
        """Return the (n, 3) `values` as (seconds, cells, 3), without the last second if it is not whole."""
        seconds = len(values) // CELLS_PER_S
        return values[: seconds * CELLS_PER_S].reshape(seconds, CELLS_PER_S, 3)


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
        Whether the person told the units and can tell others; else they are those that the app writes.

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
    """Numbers are in another unit than they should be: what was found, and what to do if the person told the unit."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}: {remedy}")
        self.found = found


def _check_units(rows: Array, acceleration_unit: str, angular_velocity_unit: str, *, may_be_radians: bool) -> None:
    """Do what `check_units` says; `may_be_radians`: angular velocity may have been rad/s before it was converted."""
    cells = _averaged(rows)
    seconds = len(cells.in_hole) // CELLS_PER_S
    in_hole = cells.in_hole[: seconds * CELLS_PER_S].reshape(seconds, CELLS_PER_S).any(axis=1)
    acceleration = cells.by_second(cells.acceleration)[~in_hole]
    angular_velocity = cells.by_second(cells.angular_velocity)[~in_hole]
    if not len(acceleration):
        return
    if not acceleration.any():
        raise RecordingForeign("the acceleration is 0 in every row: check that the sensor was recording")
    unrest = acceleration.std(axis=1).max(axis=1)
    unrest[~acceleration.any(axis=(1, 2))] = np.inf  # a sensor that reads nothing is not at rest
    quiet = np.argsort(unrest, kind="stable")[: max(1, round(QUIETEST * np.isfinite(unrest).sum()))]
    at_rest_m_s2 = float(np.median(np.linalg.norm(acceleration[quiet].mean(axis=1), axis=1)))
    _check_acceleration(at_rest_m_s2, acceleration_unit)
    offset_rad_s = np.median(angular_velocity[quiet].mean(axis=1), axis=0)
    may_be_radians = may_be_radians or angular_velocity_unit == "deg/s"
    turns = _turns_of_gravity(cells, at_rest_m_s2, offset_rad_s)
    _check_angular_velocity(*turns, angular_velocity_unit, may_be_radians=may_be_radians)


def _averaged(rows: Array) -> _Cells:
    """Average the first `JUDGED_S` over cells: differences of the running integral at each cell's two edges."""
    later = np.flatnonzero(rows[:, 0] > np.nanmin(rows[:, 0], initial=np.inf) + JUDGED_S)
    rows = rows[: later[0]] if len(later) else rows
    finite = np.isfinite(rows).all(axis=1)
    rows = rows if finite.all() else rows[finite]
    if len(rows) < 2:
        return _Cells(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, dtype=bool))
    time_s = rows[:, 0] - rows[0, 0]
    steps = np.diff(time_s)
    edges = np.arange(int(time_s[-1] * CELLS_PER_S) + 1) / CELLS_PER_S
    row = np.minimum(np.searchsorted(time_s, edges, side="right") - 1, len(steps) - 1)
    share = (edges - time_s[row]) / np.maximum(steps[row], 1e-9)
    means = np.empty((len(edges) - 1, 6))
    for column in range(6):
        values = rows[:, column + 1]
        areas = 0.5 * steps * (values[1:] + values[:-1])
        integral = np.cumsum(areas)[row] - (1 - share) * areas[row]
        means[:, column] = np.diff(integral) * CELLS_PER_S
    in_hole = np.zeros(len(means), dtype=bool)
    for hole in np.flatnonzero(steps > HOLE_S):
        in_hole[int(time_s[hole] * CELLS_PER_S) : int(time_s[hole + 1] * CELLS_PER_S) + 1] = True
    return _Cells(means[:, :3], means[:, 3:], in_hole)


def _check_acceleration(at_rest_m_s2: float, unit: str) -> None:
    """Refuse acceleration whose size at rest is not gravity's in m/s²."""
    low, high = SI_AT_REST_M_S2
    if low <= at_rest_m_s2 <= high:
        return
    as_given = at_rest_m_s2 / ACCELERATION_UNITS[unit]
    found = f"|a| at rest is {as_given:.3g} in the file"
    if low <= as_given <= high:
        raise _OtherUnit(f"{found}, which is m/s² already, not g", "leave out --acc-unit g")
    if low <= as_given * 10 <= high:
        raise _OtherUnit(f"acceleration looks like g ({found}, not 9.81)", "convert with --acc-unit g")
    if low <= as_given / 100 <= high:
        raise _OtherUnit(f"acceleration looks like mg or cm/s² ({found}, not 9.81)", "convert it to m/s²")
    if as_given < low / 10:
        raise RecordingForeign(
            f"acceleration looks as if gravity had been taken out ({found}, not 9.81): "
            "record the accelerometer itself, not linear or user acceleration"
        )
    raise _OtherUnit(f"acceleration is in no unit that we know ({found}, not 9.81)", "convert it to m/s²")


def _check_angular_velocity(shown: Array, foretold: Array, unit: str, *, may_be_radians: bool) -> None:
    """Refuse angular velocity that is 57 times what the turn of gravity shows, or a 57th of it."""
    if len(shown) < CELLS_PER_S:  # a second of movement
        return
    shown_size, foretold_size = np.linalg.norm(shown), np.linalg.norm(foretold)
    if not foretold_size > 0:
        return
    common = float(np.sum(shown * foretold))
    agree = common / (shown_size * foretold_size) > AGREEMENT
    slope = common / foretold_size**2
    if foretold_size > DEGREES_RATIO * shown_size or (agree and slope < DEGREES_SLOPE):
        times = foretold_size / shown_size
        if unit == "rad/s":
            raise _OtherUnit(
                f"angular velocity looks like deg/s (it turns {times:.0f} times as much as the accelerometer shows)",
                "convert with --gyr-unit deg/s",
            )
        raise _OtherUnit(
            f"angular velocity turns {times:.0f} times as much as the accelerometer shows", "convert it to rad/s"
        )
    if may_be_radians and agree and slope > RADIANS_SLOPE:
        raise _OtherUnit("angular velocity is rad/s already, not deg/s", "leave out --gyr-unit deg/s")


def _turns_of_gravity(cells: _Cells, at_rest_m_s2: float, offset_rad_s: Array) -> tuple[Array, Array]:
    """Return how gravity's direction changed over `TURN_S`, (n, 3), by the accelerometer and by the gyroscope.

    Only where it changed by more than `TURNED`, without a hole, and with |a| near its value at rest at both ends.
    """
    width, lag = round(SMOOTHING_S * CELLS_PER_S), round(TURN_S * CELLS_PER_S)
    if len(cells.in_hole) < width + lag:
        return np.empty((0, 3)), np.empty((0, 3))
    gravity = _moving_mean(cells.acceleration, width)
    norm = np.linalg.norm(gravity, axis=1)
    direction = gravity / np.maximum(norm, 1e-6)[:, None]
    change_per_s = -np.cross(_moving_mean(cells.angular_velocity - offset_rad_s, width), direction)
    angle = np.cumsum(change_per_s, axis=0) / CELLS_PER_S

    shown = direction[lag:] - direction[:-lag]
    foretold = angle[lag:] - angle[:-lag]
    steady = np.abs(norm / at_rest_m_s2 - 1) < STEADY_NORM
    whole = _moving_mean(cells.in_hole[:, None].astype(np.float64), width + lag)[:, 0] == 0
    usable = steady[lag:] & steady[:-lag] & whole & (np.linalg.norm(shown, axis=1) > TURNED)
    return shown[usable], foretold[usable]


def _moving_mean(values: Array, width: int) -> Array:
    """Return the mean of each `width` consecutive rows."""
    total = np.cumsum(np.concatenate((np.zeros((1, values.shape[1])), values)), axis=0)
    means: Array = (total[width:] - total[:-width]) / width
    return means
