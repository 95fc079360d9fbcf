"""Rows at their own times -> samples on an even time base, with every hole and bad row accounted for.

A sensor's rows come at 20 to 1,000 Hz, with jitter, repeats and holes; the filters downstream want one
even rate. Each output sample is the **mean of the linear interpolant over its cell**, that is the
difference of the signal's running integral at the cell's two edges. So the angle turned and the velocity
gained are kept whatever the input rate, and a fast input is averaged rather than aliased.

Any cutting of the stream into blocks gives the same output, bit for bit: running sums carry on from the
last value, and everything else is computed row by row. Inside, a channel is a row of ``(7, n)``: sums along time
then run along memory, three times as fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imu.samples import Array, Gap, ImuBlock, RowFaults

RATE_HZ = 100.0
"""Rate of the even time base. Hip movements end below 10 Hz; faster parts, up to 50 Hz, show a seat's impact."""

REPORTED_HOLE_S = 0.125
"""A step between rows above this is reported as a gap: two and a half rows at the lowest rate, 20 Hz."""

BRIDGED_HOLE_S = 0.5
"""A longer hole is not bridged and starts a new segment. A straight line over 0.5 s of a 2 s repetition is off by at
most a tenth of its amplitude (sine, quarter period); over 1 s it would be off by half."""

POSSIBLE_ACCELERATION_M_S2 = 400.0 * 9.80665
"""More than any body-worn accelerometer's range (±200 g parts exist for impacts): such a row is a broken number."""

POSSIBLE_ANGULAR_VELOCITY_RAD_S = 175.0
"""The same, at 10,000 °/s; ranges end at ±4,000 °/s."""

CLIPPED_ACCELERATION_M_S2 = 1.9 * 9.80665
"""Just below the smallest range in use, ±2 g: only a value this large can be the end of a range."""

CLIPPED_ANGULAR_VELOCITY_RAD_S = 2.1
"""Just below the smallest range in use, ±125 °/s."""


_Rows = slice | NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class EvenBlock:
    """Consecutive samples at `RATE_HZ`, without a hole.

    Attributes
    ----------
    time_s : (n,) array
        Middle of each sample's cell on the device clock, s.
    acceleration_m_s2, angular_velocity_rad_s : (n, 3) array
        Means over the cell, sensor frame.
    """

    time_s: Array
    acceleration_m_s2: Array
    angular_velocity_rad_s: Array


@dataclass(slots=True)
class _Segment:
    """Running integral since the last unbridged hole."""

    start_s: float
    last_row: Array  # (7, 1) time, acceleration, angular velocity
    integral: Array = field(default_factory=lambda: np.zeros((6, 1)))  # at last_row
    edge_integral: Array = field(default_factory=lambda: np.zeros((6, 1)))  # at the last finished edge


def _largest(rows: Array) -> Array:
    """Return the largest size in each channel, (k,), of rows (k, n): 0 without rows, NaN if there is one."""
    largest: Array = np.maximum(rows.max(axis=1, initial=0.0), -rows.min(axis=1, initial=0.0))
    return largest


def is_bridged(gap: Gap) -> bool:
    """Whether a movement may go on over a gap."""
    return gap.end_s - gap.start_s <= BRIDGED_HOLE_S


class Resampler:
    """Turn blocks of rows into even blocks and gaps; see the module's text.

    Attributes
    ----------
    faults : RowFaults
        Unusable rows so far.
    rows : int
        Rows used so far.
    first_s, last_s : float or None
        Times of the first and the last row used.
    """

    _possible = np.repeat([np.finfo(float).max, POSSIBLE_ACCELERATION_M_S2, POSSIBLE_ANGULAR_VELOCITY_RAD_S], (1, 3, 3))
    _clipped = np.repeat([CLIPPED_ACCELERATION_M_S2, CLIPPED_ANGULAR_VELOCITY_RAD_S], 3)

    def __init__(self) -> None:
        self.faults = RowFaults()
        self.rows = 0
        self.first_s: float | None = None
        self.last_s: float | None = None
        self._segment: _Segment | None = None
        self._previous_two = np.full((6, 2), np.nan)

    def push(self, block: ImuBlock) -> list[EvenBlock | Gap]:
        """Take more rows; return finished even samples and gaps, in their order.

        A gap of at most `BRIDGED_HOLE_S` stands before the even block that bridges it; a longer one separates
        two segments: the even block after it continues nothing.
        """
        rows = self._usable(block)
        time = rows[0]
        if not len(time):
            return []
        self.rows += len(time)
        self.first_s = self.first_s if self.first_s is not None else float(time[0])
        before = time[0] if self.last_s is None else self.last_s
        steps = np.diff(time, prepend=before)
        self.last_s = float(time[-1])

        output: list[EvenBlock | Gap] = []
        done = 0
        for hole in np.flatnonzero(steps > REPORTED_HOLE_S).tolist():
            if hole > done:
                self._extend(rows[:, done:hole], output)
            gap = Gap(float(time[hole] - steps[hole]), float(time[hole]))
            output.append(gap)
            if not is_bridged(gap):
                self._segment = None
            done = hole
        self._extend(rows[:, done:], output)
        return output

    def _usable(self, block: ImuBlock) -> Array:
        """Return the rows that move time forward and are finite, (7, n); count the others, and the clipped ones."""
        rows = np.empty((7, len(block)))
        rows[0], rows[1:4], rows[4:] = block.device_time_s, block.acceleration_m_s2.T, block.angular_velocity_rad_s.T
        largest = _largest(rows)
        if not (largest <= self._possible).all():  # not a number compares as false
            possible = (np.abs(rows) <= self._possible[:, None]).all(axis=0)
            self.faults += RowFaults(not_finite=int(np.count_nonzero(~possible)))
            rows = rows[:, possible]
            largest = _largest(rows)
        start = -np.inf if self.last_s is None else self.last_s
        time = np.concatenate(([start], rows[0]))
        if not (time[1:] > time[:-1]).all():
            latest_before, time = np.maximum.accumulate(time)[:-1], time[1:]
            forward = time > latest_before
            repeated = int(np.count_nonzero(time == latest_before))
            out_of_order = int(np.count_nonzero(~forward)) - repeated
            self.faults += RowFaults(repeated=repeated, out_of_order=out_of_order)
            rows = rows[:, forward]
        axes = np.flatnonzero(largest[1:] > self._clipped)
        if len(axes):
            self._count_clipped(rows[1:], axes)
        self._previous_two = np.concatenate((self._previous_two, rows[1:, -2:]), axis=1)[:, -2:]
        return rows

    def _count_clipped(self, values: Array, axes: NDArray[np.intp]) -> None:
        """Count rows of `values` (6, n) in which one of `axes` has the same extreme value as in the two rows before."""
        known = np.concatenate((self._previous_two[axes], values[axes]), axis=1)
        now = known[:, 2:]
        stuck = (known[:, :-2] == now) & (known[:, 1:-1] == now) & (np.abs(now) > self._clipped[axes, None])
        self.faults += RowFaults(clipped=int(np.count_nonzero(stuck.any(axis=0))))

    def _extend(self, rows: Array, output: list[EvenBlock | Gap]) -> None:
        """Integrate `rows`, (7, n), and append the cells that they finish to `output`."""
        if self._segment is None:
            self._segment = _Segment(start_s=float(rows[0, 0]), last_row=rows[:, :1])
            rows = rows[:, 1:]
        if not rows.shape[1]:
            return
        segment = self._segment
        rows = np.concatenate((segment.last_row, rows), axis=1)
        time, values = rows[0], rows[1:]
        step = np.diff(time)
        integral = np.empty_like(values)
        integral[:, :1] = segment.integral
        np.multiply(values[:, 1:] + values[:, :-1], 0.5 * step, out=integral[:, 1:])
        np.cumsum(integral, axis=1, out=integral)

        # An edge between two rows falls inside a known straight line. One that lies on a row, give or take rounding,
        # belongs to the line after it. Edge 0 is the start.
        next_edge = np.maximum(np.ceil((time - segment.start_s) * RATE_HZ - 1e-6).astype(np.int64), 1)
        edges = segment.start_s + np.arange(next_edge[0], next_edge[-1]) / RATE_HZ
        segment.last_row, segment.integral = rows[:, -1:], integral[:, -1:]
        if not len(edges):
            return
        row, row_after = _beside_edges(np.diff(next_edge))
        into = edges - time[row]
        part = into / step[row]  # of the way to the next row; the value there is a straight line's
        at_edges = _columns(values, row) * (into * (1.0 - 0.5 * part))
        at_edges += _columns(values, row_after) * (0.5 * into * part)
        at_edges += _columns(integral, row)
        means = np.empty_like(at_edges)
        np.subtract(at_edges[:, :1], segment.edge_integral, out=means[:, :1])
        np.subtract(at_edges[:, 1:], at_edges[:, :-1], out=means[:, 1:])
        means *= RATE_HZ
        segment.edge_integral = at_edges[:, -1:]
        acceleration, angular_velocity = np.column_stack([*means[:3]]), np.column_stack([*means[3:]])
        output.append(EvenBlock(edges - 0.5 / RATE_HZ, acceleration, angular_velocity))


def _beside_edges(edges_after: NDArray[np.int64]) -> tuple[_Rows, _Rows]:
    """Return for each edge the row before it and the next row, from the number of edges after each row.

    Where rows come at `RATE_HZ` there is one edge after each: slices then spare a fifth of the time of all resampling.
    """
    if (edges_after == 1).all():
        return slice(0, len(edges_after)), slice(1, len(edges_after) + 1)
    row = np.repeat(np.arange(len(edges_after)), edges_after)
    return row, row + 1


def _columns(values: Array, rows: _Rows) -> Array:
    """Return the columns of `values` (k, n) at `rows`; `take` is twice as fast as an index."""
    return values[:, rows] if isinstance(rows, slice) else values.take(rows, axis=1)
