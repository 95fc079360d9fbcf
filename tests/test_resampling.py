"""The even time base: any cutting, the integral kept, holes and bad rows accounted for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imu.motion.resampling import BRIDGED_HOLE_S, RATE_HZ, REPORTED_HOLE_S, EvenBlock, Resampler
from imu.samples import Array, Gap, ImuBlock, RowFaults

CELL_S = 1 / RATE_HZ
Piece = Gap | Array  # even samples as (n, 7): time, acceleration, angular velocity


def block_of(time_s: Array, values: Array) -> ImuBlock:
    """Return rows with the six columns of `values`."""
    return ImuBlock(time_s, values[:, :3], values[:, 3:])


def wave(time_s: Array, seed: int = 0) -> Array:
    """Return six smooth signals below 3 Hz, (n, 6)."""
    rng = np.random.default_rng(seed)
    frequency, phase, size = rng.uniform(0.1, 3, (5, 6)), rng.uniform(0, 6, (5, 6)), rng.uniform(-2, 2, (5, 6))
    return np.asarray((size * np.sin(2 * np.pi * frequency * time_s[:, None, None] + phase)).sum(axis=1))


def run(blocks: Iterable[ImuBlock]) -> tuple[list[Piece], Resampler]:
    """Return what comes out, even blocks that follow each other joined, and the resampler."""
    resampler = Resampler()
    pieces: list[Piece] = []
    for block in blocks:
        for piece in resampler.push(block):
            if isinstance(piece, EvenBlock):
                rows = np.column_stack((piece.time_s, piece.acceleration_m_s2, piece.angular_velocity_rad_s))
                if pieces and not isinstance(pieces[-1], Gap):
                    pieces[-1] = np.concatenate((pieces[-1], rows))
                else:
                    pieces.append(rows)
            else:
                pieces.append(piece)
    return pieces, resampler


def even(pieces: list[Piece]) -> Array:
    """Return all even samples, (n, 7)."""
    rows = [piece for piece in pieces if not isinstance(piece, Gap)]
    return np.concatenate(rows) if rows else np.empty((0, 7))


def gaps(pieces: list[Piece]) -> list[Gap]:
    return [piece for piece in pieces if isinstance(piece, Gap)]


def cut(block: ImuBlock, cuts: Iterable[int]) -> list[ImuBlock]:
    """Return the block in pieces, empty ones included."""
    edges = [0, *sorted(min(c, len(block)) for c in cuts), len(block)]
    return [block[a:b] for a, b in pairwise(edges)]


def damaged(seed: int, rate_hz: float, rows: int) -> ImuBlock:
    """Return a stream with jitter, lost rows, holes of both kinds, repeated, swapped, not finite and clipped rows."""
    rng = np.random.default_rng(seed)
    step_s = rng.uniform(0.4, 1.6, rows) / rate_hz
    step_s[rng.random(rows) < 0.02] += 0.3
    step_s[rng.random(rows) < 0.01] += 2.0
    time = rng.choice([0.0, -3.0, 1e3, 1.7e9]) + np.cumsum(step_s)
    values = np.clip(wave(time - time[0], seed) * 10, -20, 20)
    keep = np.sort(rng.choice(rows, int(0.95 * rows), replace=False))
    order = np.repeat(keep, rng.choice([1, 1, 1, 1, 2], len(keep)))
    swapped = rng.integers(0, len(order) - 1, 5)
    order[swapped], order[swapped + 1] = order[swapped + 1], order[swapped]
    time, values = time[order], values[order]
    values[rng.random(values.shape) < 0.003] = rng.choice([np.nan, np.inf, -np.inf])
    time[rng.random(len(time)) < 0.003] = np.nan
    return block_of(time, values)


def slow_reference(block: ImuBlock) -> tuple[list[Piece], RowFaults]:
    """Do what the resampler promises, one row and one cell at a time."""
    rows, faults = [], {"repeated": 0, "out_of_order": 0, "not_finite": 0}
    table = np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))
    for row in table:
        if not all(np.isfinite(row)):
            faults["not_finite"] += 1
        elif rows and row[0] == rows[-1][0]:
            faults["repeated"] += 1
        elif rows and row[0] < rows[-1][0]:
            faults["out_of_order"] += 1
        else:
            rows.append(row)
    segments, found = [[rows[0]]], []
    for before, row in pairwise(rows):
        if row[0] - before[0] > REPORTED_HOLE_S:
            found.append(Gap(before[0], row[0]))
        if row[0] - before[0] > BRIDGED_HOLE_S:
            segments.append([])
        segments[-1].append(row)
    pieces: list[Piece] = list(found)
    for segment in map(np.array, segments):
        time, cells, number = segment[:, 0], [], 0
        while time[0] + (number + 1) * CELL_S < time[-1]:
            left, right = time[0] + number * CELL_S, time[0] + (number + 1) * CELL_S
            knots = np.array([left, *time[(time > left) & (time < right)], right])
            means = [np.trapezoid(np.interp(knots, time, column), knots) * RATE_HZ for column in segment[:, 1:].T]
            cells.append([(left + right) / 2, *means])
            number += 1
        pieces.append(np.array(cells).reshape(-1, 7))
    return pieces, RowFaults(**faults)


@given(
    seed=st.integers(0, 10**6),
    rate_hz=st.sampled_from([20.0, 26.0, 50.0, 100.0, 104.0, 400.0, 1000.0]),
    cuts=st.lists(st.integers(0, 300), max_size=40),
)
def test_any_cutting_gives_the_same_bits(seed: int, rate_hz: float, cuts: list[int]) -> None:
    block = damaged(seed, rate_hz, 300)
    whole, one_push = run([block])
    for blocks in (cut(block, cuts), cut(block, range(len(block)))):
        pieces, resampler = run(blocks)
        assert len(pieces) == len(whole)
        for piece, expected in zip(pieces, whole, strict=True):
            if isinstance(expected, Gap):
                assert piece == expected
            else:
                assert np.array_equal(piece, expected)
        assert resampler.faults == one_push.faults
        assert (resampler.rows, resampler.first_s, resampler.last_s) == (
            one_push.rows,
            one_push.first_s,
            one_push.last_s,
        )


@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 130.0, 1000.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_agrees_with_a_slow_independent_implementation(rate_hz: float, seed: int) -> None:
    block = damaged(seed, rate_hz, 400)
    pieces, resampler = run([block])
    reference, faults = slow_reference(block)
    expected, found = even(reference), even(pieces)
    assert found.shape == expected.shape
    clock_s = 4 * np.spacing(np.nanmax(np.abs(block.device_time_s)))
    assert np.allclose(found[:, 0], expected[:, 0], rtol=0, atol=clock_s)
    assert np.allclose(found[:, 1:], expected[:, 1:], rtol=0, atol=1e-8 + 1e4 * clock_s)
    assert [g.end_s for g in gaps(pieces)] == [g.end_s for g in gaps(reference)]
    assert [g.start_s for g in gaps(pieces)] == pytest.approx([g.start_s for g in gaps(reference)], rel=1e-12, abs=1e-9)
    assert replace(resampler.faults, clipped=0) == faults


@pytest.mark.parametrize("rate_hz", [20.0, 25.0, 50.0, 99.7, 100.0, 208.0, 416.0, 1000.0])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_integral_is_kept_at_any_rate_and_jitter(rate_hz: float, jitter: float) -> None:
    rng = np.random.default_rng(5)
    time = (np.arange(int(20 * rate_hz)) + jitter * rng.uniform(-1, 1, int(20 * rate_hz))) / rate_hz
    values = wave(time)
    samples = even(run([block_of(time, values)])[0])
    end = samples[-1, 0] + CELL_S / 2
    inside = time < end
    knots = np.append(time[inside], end)
    at_knots = np.column_stack([np.interp(knots, time, column) for column in values.T])
    assert np.allclose(samples[:, 1:].sum(axis=0) * CELL_S, np.trapezoid(at_knots, knots, axis=0), atol=1e-9)
    assert np.allclose(np.diff(samples[:, 0]), CELL_S)
    assert samples[0, 0] - CELL_S / 2 == pytest.approx(time[0])
    assert 0 < time[-1] - end <= CELL_S + 1e-9


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0, 1000.0])
def test_a_smooth_signal_is_met_in_value_and_time(rate_hz: float) -> None:
    time = np.arange(int(10 * rate_hz)) / rate_hz
    one_hz = np.repeat(np.sin(2 * np.pi * time)[:, None], 6, axis=1)
    samples = even(run([block_of(time, one_hz)])[0])
    assert np.abs(samples[:, 1] - np.sin(2 * np.pi * samples[:, 0])).max() < 2.5e-3


def test_a_fast_input_is_averaged_and_not_aliased() -> None:
    time = np.arange(5000) / 1000
    samples = even(run([block_of(time, np.repeat(np.sin(2 * np.pi * 100 * time)[:, None], 6, axis=1))])[0])
    assert np.abs(samples[:, 1:]).max() < 1e-9


def test_rows_that_are_not_usable_are_counted_by_kind_and_change_nothing() -> None:
    time = np.arange(200) / 100
    clean = block_of(time, wave(time))
    table = np.column_stack((time, wave(time)))
    nan_row, infinite, no_time = table[50].copy(), table[50].copy(), table[50].copy()
    nan_row[3], infinite[6], no_time[0] = np.nan, -np.inf, np.nan
    dirty = np.concatenate(
        (table[:40], table[39:40], table[39:40], table[30:33], table[40:100], [nan_row, infinite, no_time], table[100:])
    )
    expected, _ = run([clean])
    pieces, resampler = run([block_of(dirty[:, 0], dirty[:, 1:])])
    assert resampler.faults == RowFaults(repeated=2, out_of_order=3, not_finite=3)
    assert resampler.faults.any
    assert resampler.rows == 200
    assert np.array_equal(even(pieces), even(expected))


@pytest.mark.parametrize(("column", "limit"), [(2, 2 * 9.80665), (5, np.radians(125)), (0, -16 * 9.80665)])
def test_clipped_rows_are_counted_from_the_third_on_and_used(column: int, limit: float) -> None:
    time = np.arange(100) / 100
    values = wave(time) * 0.1
    values[10:12, column] = limit  # two in a row happen by chance
    values[30:37, column] = limit
    pieces, resampler = run([block_of(time, values)])
    assert resampler.faults == RowFaults(clipped=5)
    assert resampler.rows == 100
    assert even(pieces)[33, 1 + column] == pytest.approx(limit)


def test_a_sensor_at_rest_is_not_clipped() -> None:
    time = np.arange(100) / 100
    values = np.tile([0.0, 0.0, 9.81, 0.01, 0.0, 0.0], (100, 1))
    assert not run([block_of(time, values)])[1].faults.any


@pytest.mark.parametrize("hole_s", [0.2, 0.49])
def test_a_short_hole_is_reported_and_bridged(hole_s: float) -> None:
    time = np.arange(300) / 100
    time[150:] += hole_s
    pieces, _ = run([block_of(time, wave(time))])
    (gap,) = gaps(pieces)
    assert (gap.start_s, gap.end_s) == pytest.approx((1.49, 1.5 + hole_s))
    assert np.allclose(np.diff(even(pieces)[:, 0]), CELL_S)


@pytest.mark.parametrize("hole_s", [0.52, 3.0, 1e6])
def test_a_long_hole_is_reported_and_splits(hole_s: float) -> None:
    time = np.arange(300) / 100
    time[150:] += hole_s
    values = wave(np.arange(300) / 100)
    pieces, _ = run([block_of(time, values)])
    before, gap, after = pieces
    assert isinstance(before, np.ndarray)
    assert isinstance(gap, Gap)
    assert isinstance(after, np.ndarray)
    assert (gap.start_s, gap.end_s) == pytest.approx((1.49, 1.5 + hole_s))
    assert before[-1, 0] < 1.49
    assert after[0, 0] == pytest.approx(1.5 + hole_s + CELL_S / 2)
    alone, _ = run([block_of(time[150:], values[150:])])
    assert np.array_equal(after, even(alone))


@pytest.mark.parametrize("rate_hz", [20.0, 100.0, 1000.0])
def test_steps_up_to_the_limit_are_no_gaps(rate_hz: float) -> None:
    time = np.arange(100) / rate_hz
    time[50:] += 0.12 - 1 / rate_hz
    assert not gaps(run([block_of(time, wave(time))])[0])


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_next_to_nothing_gives_nothing(rows: int) -> None:
    time = np.arange(rows) / 200
    pieces, resampler = run([block_of(time, wave(time))])
    assert pieces == []
    assert resampler.rows == rows


@given(
    times=st.lists(st.floats(-1e9, 1e9) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0]), max_size=30),
    value=st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf]),
)
def test_any_times_give_samples_in_order_and_every_row_is_accounted_for(times: list[float], value: float) -> None:
    pieces, resampler = run([block_of(np.array(times), np.full((len(times), 6), value))])
    faults = resampler.faults
    assert resampler.rows + faults.repeated + faults.out_of_order + faults.not_finite == len(times)
    samples = even(pieces)
    assert (np.diff(samples[:, 0]) > 0).all()
    assert np.isfinite(samples).all()
