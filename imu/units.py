"""The units of samples, judged by physics rather than by a header or a caller.

- **Time**: a body-worn sensor gives 20 to 1,000 rows a second. Steps of 1 to 50 between rows are milliseconds.
- **Acceleration**: averaged over a second of any movement, it is gravity. Its size then separates m/s² from
  g, mg, raw counts, and "linear acceleration" with gravity taken out.
- **Angular velocity**: turning the sensor turns gravity in its frame, u̇ = -ω × u. The turn of gravity that the
  gyroscope predicts, divided by the turn that the accelerometer shows, is about 1 in rad/s and 57 in deg/s.

File readers judge the first `JUDGED_S` of a recording at once (:mod:`imu.recordings.checks`). `UnitCheck` judges a
stream that a caller pushes into :class:`imu.session.Session`. Both raise only where the numbers are clear, because a
wrong refusal costs the person the recording. Rows without movement say nothing about the gyroscope and pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from imu.errors import UnitsWrong
from imu.samples import STANDARD_GRAVITY_M_S2, Array, ImuBlock

RATES_HZ = (20.0, 1000.0)
"""Rates of body-worn sensors; below, a repetition of a second has too few rows."""

JUDGED_S = 300.0
"""Units are judged on this much of the start: it holds rest and movement, and costs little."""

CELLS_PER_S = 10
"""Rows are averaged over cells at this rate: gravity turns slowly, and 10 Hz holds all of it."""

GAP_S = 0.5
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
"""Gravity's direction is used where the smoothed |a| is within this share of its value at rest."""

TURNED = 0.05
"""Only turns of gravity above this (3°) are compared: an offset of 20 °/s then stays below a ratio of 7."""

DEGREES_RATIO = 20.0
"""Predicted turn over shown turn (RMS) from which the gyroscope is in deg/s. SisFall in rad/s stays below 7 in 1,429
trials (four of them have a gyroscope scaled eightfold, the rest stay below 2); in deg/s it is about 50."""

DEGREES_SLOPE = 0.05
"""Shown turn per predicted turn below which the gyroscope is in deg/s, if the two agree. About 1.1 in rad/s (0.12 at
least in SisFall), 0.02 in deg/s."""

RADIANS_SLOPE = 10.0
"""The same above which angular velocity converted from deg/s was rad/s already: about 60 then."""

AGREEMENT = 0.5
"""Correlation of shown and predicted turn from which the slope means something: median 0.98 in SisFall, jogging 0.2."""


# --- what rows show --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """How gravity's direction changed over `TURN_S` in the sensor frame, at a number of moments.

    Attributes
    ----------
    shown, predicted : (n, 3) array
        The change of the unit vector by the accelerometer and by the gyroscope. Only moments at which it changed by
        more than `TURNED`, without a gap, and with acceleration near its size at rest before and after.
    """

    shown: Array
    predicted: Array

    def __add__(self, other: Turns) -> Turns:
        """Join the moments of both."""
        return Turns(
            np.concatenate((self.shown, other.shown)),
            np.concatenate((self.predicted, other.predicted)),
        )

    @property
    def ratio(self) -> float:
        """How many times as far the gyroscope turns as the accelerometer shows (RMS)."""
        shown = float(np.linalg.norm(self.shown))
        return float(np.linalg.norm(self.predicted)) / shown if shown > 0 else 0.0

    @property
    def slope(self) -> float | None:
        """Shown turn per predicted turn; ``None`` where the two do not agree."""
        predicted = float(np.linalg.norm(self.predicted))
        if not predicted > 0:
            return None
        common = float(np.sum(self.shown * self.predicted))
        agree = common > AGREEMENT * predicted * float(np.linalg.norm(self.shown))
        return common / predicted**2 if agree else None

    @property
    def in_degrees(self) -> bool:
        """Whether the gyroscope is clearly in deg/s, or in a still smaller unit."""
        return self.ratio > DEGREES_RATIO or (self.slope is not None and self.slope < DEGREES_SLOPE)


NO_TURNS = Turns(np.empty((0, 3)), np.empty((0, 3)))


@dataclass(frozen=True, slots=True, eq=False)
class UnitEvidence:
    """Evidence of the units of rows.

    Attributes
    ----------
    at_rest_m_s2 : float
        Size of the acceleration in the quietest seconds.
    least_m_s2, most_m_s2 : (n,) array
        Bounds of gravity's size in each second: the norm of the mean acceleration, which tumbling makes smaller, and
        the mean of its norm, which jolts make larger. Seconds in which every number is 0 are left out.
    turns : Turns
        How gravity turned.
    """

    at_rest_m_s2: float
    least_m_s2: Array
    most_m_s2: Array
    turns: Turns


def median(values: Array) -> Array:
    """Return the median along the first axis; the first call of :func:`numpy.median` imports for 10 ms."""
    ordered, half = np.sort(values, axis=0), len(values) // 2
    middle: Array = ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return middle


def unit_evidence(rows: Array) -> UnitEvidence | None:
    """Return the evidence in the first `JUDGED_S` of rows; ``None`` without a whole second free of gaps.

    Parameters
    ----------
    rows : (n, 7) array
        In the order of time: s, acceleration, angular velocity, sensor frame.
    """
    cells = _averaged(rows)
    seconds = len(cells.in_gap) // CELLS_PER_S
    in_gap = cells.in_gap[: seconds * CELLS_PER_S].reshape(seconds, CELLS_PER_S).any(axis=1)
    acceleration = cells.by_second(cells.acceleration)[~in_gap]
    angular_velocity = cells.by_second(cells.angular_velocity)[~in_gap]
    if not len(acceleration):
        return None
    reads = acceleration.any(axis=(1, 2))
    unrest = acceleration.std(axis=1).max(axis=1)
    unrest[~reads] = np.inf  # a sensor that reads only zeros is not at rest
    quiet = np.argsort(unrest, kind="stable")[: max(1, round(QUIETEST * np.isfinite(unrest).sum()))]
    at_rest_m_s2 = float(median(np.linalg.norm(acceleration[quiet].mean(axis=1), axis=1)))
    offset_rad_s = median(angular_velocity[quiet].mean(axis=1))
    return UnitEvidence(
        at_rest_m_s2=at_rest_m_s2,
        least_m_s2=np.linalg.norm(acceleration[reads].mean(axis=1), axis=1),
        most_m_s2=np.linalg.norm(acceleration[reads], axis=2).mean(axis=1),
        turns=_turns_of_gravity(cells, at_rest_m_s2, offset_rad_s),
    )


class AccelerationUnit(Enum):
    """Units of acceleration, by its size at rest."""

    M_S2 = auto()
    G = auto()
    MG = auto()
    """mg, or cm/s²."""
    WITHOUT_GRAVITY = auto()
    """Too small for any unit: gravity was taken out."""
    UNKNOWN = auto()


def unit_of_acceleration(at_rest: float) -> AccelerationUnit:
    """Return the unit in which the accelerometer reads `at_rest` at rest."""
    low, high = SI_AT_REST_M_S2
    if low <= at_rest <= high:
        return AccelerationUnit.M_S2
    if low <= at_rest * 10 <= high:
        return AccelerationUnit.G
    if low <= at_rest / 100 <= high:
        return AccelerationUnit.MG
    return AccelerationUnit.WITHOUT_GRAVITY if at_rest < low / 10 else AccelerationUnit.UNKNOWN


def time_unit(step: float) -> tuple[str, float] | None:
    """Return the probable unit of a usual step between rows and its number per second; ``None`` if neither fits."""
    for unit, per_second in (("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9)):
        if RATES_HZ[0] <= per_second / step <= RATES_HZ[1]:
            return unit, per_second
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Means over cells on an even time base, with those inside a gap between rows marked."""

    acceleration: Array  # (n, 3)
    angular_velocity: Array  # (n, 3)
    in_gap: NDArray[np.bool_]  # (n,)

    def by_second(self, values: Array) -> Array:
        """Return the (n, 3) `values` as (seconds, cells, 3), without the last second if it is not whole."""
        seconds = len(values) // CELLS_PER_S
        return values[: seconds * CELLS_PER_S].reshape(seconds, CELLS_PER_S, 3)


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
        values = _without_spikes(rows[:, column + 1])
        areas = 0.5 * steps * (values[1:] + values[:-1])
        integral = np.cumsum(areas)[row] - (1 - share) * areas[row]
        means[:, column] = np.diff(integral) * CELLS_PER_S
    in_gap = np.zeros(len(means), dtype=bool)
    for gap in np.flatnonzero(steps > GAP_S):
        in_gap[int(time_s[gap] * CELLS_PER_S) : int(time_s[gap + 1] * CELLS_PER_S) + 1] = True
    return _Cells(means[:, :3], means[:, 3:], in_gap)


def _without_spikes(values: Array) -> Array:
    """Return the running median of five rows, so that one or two broken numbers among them have no weight."""
    if len(values) < 5:
        return values
    reflected = np.concatenate((values[2:0:-1], values, values[-2:-4:-1]))
    a, b, c, d, e = (reflected[i : len(values) + i] for i in range(5))
    middle_of_four = (
        np.maximum(np.minimum(a, b), np.minimum(c, d)),
        np.minimum(np.maximum(a, b), np.maximum(c, d)),
    )
    low, high = np.minimum(*middle_of_four), np.maximum(*middle_of_four)
    median: Array = np.maximum(low, np.minimum(high, e))
    return median


def _turns_of_gravity(cells: _Cells, at_rest_m_s2: float, offset_rad_s: Array) -> Turns:
    """Return how gravity's direction turned, by the accelerometer and by the gyroscope."""
    width, lag = round(SMOOTHING_S * CELLS_PER_S), round(TURN_S * CELLS_PER_S)
    if len(cells.in_gap) < width + lag or not at_rest_m_s2 > 0:
        return NO_TURNS
    gravity = _moving_mean(cells.acceleration, width)
    norm = np.linalg.norm(gravity, axis=1)
    direction = gravity / np.maximum(norm, 1e-6)[:, None]
    change_per_s = -np.cross(_moving_mean(cells.angular_velocity - offset_rad_s, width), direction)
    angle = np.cumsum(change_per_s, axis=0) / CELLS_PER_S

    shown = direction[lag:] - direction[:-lag]
    predicted = angle[lag:] - angle[:-lag]
    steady = np.abs(norm / at_rest_m_s2 - 1) < STEADY_NORM
    whole = _moving_mean(cells.in_gap[:, None].astype(np.float64), width + lag)[:, 0] == 0
    usable = steady[lag:] & steady[:-lag] & whole & (np.linalg.norm(shown, axis=1) > TURNED)
    return Turns(shown[usable], predicted[usable])


def _moving_mean(values: Array, width: int) -> Array:
    """Return the mean of each `width` consecutive rows."""
    total = np.cumsum(np.concatenate((np.zeros((1, values.shape[1])), values)), axis=0)
    means: Array = (total[width:] - total[:-width]) / width
    return means


# --- a stream --------------------------------------------------------------------------------------------------------

JUDGED_STEPS, LEAST_STEPS = 50, 5
"""Time is judged on the first 50 steps between rows, 2.5 s at most; at the end of a shorter stream on 5 or more."""

SLOW_STEP_S = 0.9
"""Three quarters of the steps at least as long as this are no seconds: milliseconds give steps of 1 to 50. At such a
rate no repetition could be counted in seconds either. A lossy link at 20 Hz would have to lose 18 rows in a row,
nearly always."""

PART_S = 5.0
"""A stream is judged in parts of this length: one repetition or two."""

JUDGED_SECONDS, LEAST_SECONDS = 5, 3
"""Acceleration is judged on this many whole seconds; at the end of a shorter stream on 3 or more. A free fall of 2 s
(20 m) at the start does not decide: a single second in which gravity may be there lets the stream pass."""

JUDGED_TURN_CELLS = CELLS_PER_S
"""The gyroscope is judged on moments of turning gravity that add up to a second, in files and in streams. In all 1,648
open recordings of real people, the ratio is below 8 and the slope above 0.07 from there on."""

KNOWN_DEGREES_RATIO = 200.0
"""Up to here a ratio is called deg/s, which gives 57."""


class UnitCheck:
    """Raise `UnitsWrong` once the rows of a stream are clearly not in s, m/s² and rad/s.

    A refusal depends on the rows and not on how they are cut into blocks: each quantity is judged on the same rows in
    any cutting, and the block that brings the last of them raises. Rows that the session drops (repeated, late, not
    finite) are left out, and so are seconds with a gap or with nothing but zeros. After `JUDGED_S` without a finding
    the rest of the stream passes unchecked.
    """

    def __init__(self) -> None:
        self._pieces: list[Array] = []  # rows not yet judged, (n, 7) each
        self._steps: int | None = 0  # steps held so far; None once time is judged
        self._start_s: float | None = None
        self._part_start_s = 0.0
        self._latest_s = -math.inf
        self._least_m_s2, self._most_m_s2 = np.empty(0), np.empty(0)
        self._at_rest_m_s2: list[float] = []
        self._acceleration_is_judged = False
        self._turns = NO_TURNS
        self._is_done = False
        self._refusal: str | None = None

    def push(self, block: ImuBlock) -> None:
        """Take the next rows.

        Raises
        ------
        UnitsWrong
            If these or earlier rows are clearly in other units; the sentence says which, and how to convert them.
        """
        self._raise_again()
        if self._is_done:
            return
        rows = self._usable(block)
        if not len(rows):
            return
        if self._start_s is None:
            self._start_s = self._part_start_s = float(rows[0, 0])
        self._pieces.append(rows)
        if self._steps is not None:
            self._steps += len(rows)
            if self._steps <= JUDGED_STEPS:
                return
            self._judge_time(self._joined()[: JUDGED_STEPS + 1, 0])
        if self._latest_s >= self._part_start_s + PART_S:
            self._judge_parts(self._joined())

    def finish(self) -> None:
        """End the stream: judge the rest of it.

        Raises
        ------
        UnitsWrong
            As in `push`.
        """
        self._raise_again()
        if self._is_done or not self._pieces:
            return
        rows = self._joined()
        if self._steps is not None:
            if len(rows) <= LEAST_STEPS:
                return
            self._judge_time(rows[:, 0])
        self._judge_part(rows, LEAST_SECONDS)
        self._is_done = True

    def _usable(self, block: ImuBlock) -> Array:
        """Return the rows that are finite and later than all before them."""
        rows = np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))
        rows = rows[np.isfinite(rows).all(axis=1)]
        latest_s = np.maximum.accumulate(np.concatenate(([self._latest_s], rows[:, 0])))
        self._latest_s = float(latest_s[-1])
        usable: Array = rows[rows[:, 0] > latest_s[:-1]]
        return usable

    def _joined(self) -> Array:
        self._pieces = [np.concatenate(self._pieces)]
        return self._pieces[0]

    def _judge_time(self, time_s: Array) -> None:
        self._steps = None
        step_s = float(np.percentile(np.diff(time_s), 25))
        if step_s < SLOW_STEP_S:
            return
        unit = time_unit(step_s)
        if unit is None:
            self._refuse(f"rows come every {step_s:.3g} s by device_time_s: it must be in seconds, at 20 to 1000 Hz")
        else:
            self._refuse(f"device_time_s looks like {unit[0]} (steps of {step_s:.6g}): divide it by {unit[1]:,.0f}")

    def _judge_parts(self, rows: Array) -> None:
        """Judge all parts of `rows` that are complete; a part ends with the first row from `PART_S` on."""
        start = 0
        while not self._is_done:
            end = start + int(np.searchsorted(rows[start:, 0], self._part_start_s + PART_S))
            if end == len(rows):
                break
            self._judge_part(rows[start : end + 1], JUDGED_SECONDS)
            start, self._part_start_s = end, float(rows[end, 0])
            self._is_done = self._part_start_s >= (self._start_s or 0.0) + JUDGED_S
        self._pieces = [] if self._is_done else [rows[start:]]

    def _judge_part(self, rows: Array, least_seconds: int) -> None:
        evidence = unit_evidence(rows)
        if evidence is None:
            return
        if not self._acceleration_is_judged:
            self._least_m_s2 = np.concatenate((self._least_m_s2, evidence.least_m_s2))
            self._most_m_s2 = np.concatenate((self._most_m_s2, evidence.most_m_s2))
            self._at_rest_m_s2.append(evidence.at_rest_m_s2)
            if len(self._least_m_s2) >= least_seconds:
                self._judge_acceleration()
        self._turns += evidence.turns
        if len(self._turns.shown) >= JUDGED_TURN_CELLS:
            self._judge_angular_velocity()

    def _judge_acceleration(self) -> None:
        """Refuse acceleration if no second of it can hold gravity in m/s²."""
        self._acceleration_is_judged = True
        low, high = SI_AT_REST_M_S2
        if not ((self._most_m_s2 < low).all() or (self._least_m_s2 > high).all()):
            return
        at_rest = float(np.median(self._at_rest_m_s2))
        size = f"(|a| at rest is {at_rest:.3g}, not 9.81)"
        match unit_of_acceleration(at_rest):
            case AccelerationUnit.G:
                self._refuse(f"acceleration looks like g {size}: multiply it by {STANDARD_GRAVITY_M_S2}")
            case AccelerationUnit.MG:
                self._refuse(f"acceleration looks like mg or cm/s² {size}: convert it to m/s²")
            case AccelerationUnit.WITHOUT_GRAVITY:
                self._refuse(
                    f"acceleration looks as if gravity had been taken out {size}: "
                    "push the accelerometer's own readings, not linear or user acceleration"
                )
            case _:
                self._refuse(f"acceleration is in no unit that we know {size}: convert it to m/s²")

    def _judge_angular_velocity(self) -> None:
        if not self._turns.in_degrees:
            return
        ratio = self._turns.ratio
        times = f"(it turns {ratio:.0f} times as much as the accelerometer shows)"
        if ratio < KNOWN_DEGREES_RATIO:
            self._refuse(f"angular velocity looks like deg/s {times}: multiply it by pi / 180")
        self._refuse(f"angular velocity is in no unit that we know {times}: convert it to rad/s")

    def _refuse(self, sentence: str) -> None:
        self._refusal, self._pieces = sentence, []
        self._raise_again()

    def _raise_again(self) -> None:
        if self._refusal is not None:
            raise UnitsWrong(self._refusal)
