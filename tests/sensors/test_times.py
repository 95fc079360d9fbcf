"""Times of samples: from stamps, from arrivals, and of two streams together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imu.samples import Array
from imu.sensors.clocks import HOLE_S, ArrivalClock, Fate, PacketClock, Placed, StampFormat, Timed
from imu.sensors.sample_order import TwoStreams

MILLISECONDS = StampFormat(bits=32, tick_s=1e-3, fitted_packets=30, is_exact=False)
EIGHT_MILLISECONDS = StampFormat(bits=16, tick_s=8e-3, fitted_packets=100, is_exact=False)
MICROSECONDS = StampFormat(bits=32, tick_s=1e-6)
NANOSECONDS_LAST = StampFormat(bits=64, tick_s=1e-9, of_last_sample=True)
FORMATS = {
    "first sample, ms": (MILLISECONDS, 8, 104.0),
    "one sample, ms": (MILLISECONDS, 1, 52.0),
    "one sample, 8 ms": (EIGHT_MILLISECONDS, 1, 50.0),
    "one sample, us": (MICROSECONDS, 1, 60.0),
    "last sample, ns": (NANOSECONDS_LAST, 36, 52.0),
}
every_format = pytest.mark.parametrize(("stamps", "samples", "rate_hz"), FORMATS.values(), ids=list(FORMATS))


def stamp(stamps: StampFormat, samples: int, first_s: float, period_s: float) -> int:
    stamped_s = first_s + (samples - 1) * period_s if stamps.of_last_sample else first_s
    return int(stamped_s / stamps.tick_s) % (1 << stamps.bits)


def follow(
    stamps: StampFormat,
    samples: int,
    rate_hz: float,
    *,
    rate_error: float,
    begin_s: float,
    gone: set[int],
    packets: int,
) -> tuple[list[tuple[float, Placed]], PacketClock]:
    """Send packets of a sensor whose rate is a little off; return when each began in truth, and what came of it."""
    clock = PacketClock(stamps, rate_hz)
    period_s = 1.0 / (rate_hz * (1.0 + rate_error))
    placed = []
    for packet in range(packets):
        first_s = begin_s + packet * samples * period_s
        if packet not in gone:
            placed.append((first_s, clock.place(stamp(stamps, samples, first_s, period_s), samples)))
    return placed, clock


@every_format
@given(
    rate_error=st.floats(-0.03, 0.03),
    before_wrap_s=st.floats(0.0, 60.0),
    gone=st.sets(st.integers(25, 150), max_size=12),
)
def test_times_follow_stamps_and_losses_are_counted(
    stamps: StampFormat, samples: int, rate_hz: float, rate_error: float, before_wrap_s: float, gone: set[int]
) -> None:
    begin_s = (1 << stamps.bits) * stamps.tick_s - before_wrap_s if stamps.bits < 64 else 8e8
    placed, clock = follow(stamps, samples, rate_hz, rate_error=rate_error, begin_s=begin_s, gone=gone, packets=160)
    assert {one.fate for _, one in placed} == {Fate.NEXT}
    time_s = np.concatenate([one.time_s for _, one in placed])
    assert (np.diff(time_s) > 0).all()
    period_s = 1.0 / (rate_hz * (1.0 + rate_error))
    first_s = np.array([first_s for first_s, _ in placed])
    error_s = np.array([one.time_s[0] for _, one in placed]) - first_s
    settled = error_s[len(error_s) // 2 :]
    assert settled.max() - settled.min() < period_s + stamps.tick_s
    expected_lost = samples * sum(1 for packet in gone if packet < 159)
    assert sum(one.lost for _, one in placed) == pytest.approx(expected_lost, abs=max(2, 0.1 * expected_lost))
    assert clock.period_s == pytest.approx(period_s, rel=0.015)


@every_format
def test_repeated_and_late_packets_are_dropped(stamps: StampFormat, samples: int, rate_hz: float) -> None:
    clock = PacketClock(stamps, rate_hz)
    period_s = 1.0 / rate_hz
    numbers = [stamp(stamps, samples, 100.0 + packet * samples * period_s, period_s) for packet in range(9)]
    order = [0, 1, 1, 2, 4, 3, 4, 5, 6]
    fates = [clock.place(numbers[packet], samples).fate for packet in order]
    assert [order[i] for i, fate in enumerate(fates) if fate is Fate.REPEATED] == [1, 4] or samples > 1
    assert sum(fate in (Fate.REPEATED, Fate.LATE) for fate in fates) == 3
    after = clock.place(numbers[7], samples)
    assert after.fate is Fate.NEXT
    assert after.lost == 0
    assert len(after.time_s) == samples


@every_format
@pytest.mark.parametrize("jump_s", [-100.0, -20.0, 90.0])
def test_a_clock_reset_begins_a_new_line(stamps: StampFormat, samples: int, rate_hz: float, jump_s: float) -> None:
    clock = PacketClock(stamps, rate_hz)
    period_s = 1.0 / rate_hz
    times_s = [5000.0 + packet * samples * period_s for packet in range(4)]
    for first_s in times_s:
        clock.place(stamp(stamps, samples, first_s, period_s), samples)
    placed = clock.place(stamp(stamps, samples, times_s[-1] + jump_s, period_s), samples)
    assert placed.fate is Fate.RESTARTED
    assert placed.lost == 0
    assert len(placed.time_s) == samples


@given(
    stamps=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 40)), min_size=1, max_size=40),
    is_last=st.booleans(),
    is_exact=st.booleans(),
)
def test_any_stamps_give_rising_times(stamps: list[tuple[int, int]], is_last: bool, is_exact: bool) -> None:
    clock = PacketClock(StampFormat(32, 1e-3, is_last, 30, is_exact), 100.0)
    last_s = -np.inf
    for number, samples in stamps:
        placed = clock.place(number, samples)
        if placed.fate is Fate.RESTARTED:
            last_s = -np.inf
        if not placed.is_dropped:
            assert placed.time_s[0] > last_s
            assert (np.diff(placed.time_s) > 0).all()
            last_s = float(placed.time_s[-1])
        assert placed.lost >= 0


# --- arrivals ---------------------------------------------------------------------------------------------------------


def arrivals(rate_hz: float, duration_s: float, interval_s: float, seed: int = 0) -> list[tuple[int, float]]:
    """Return how many samples came when, over a radio that is free once in each interval, and then a little late."""
    rng = np.random.default_rng(seed)
    came = []
    sent = 0
    for instant_s in np.arange(interval_s, duration_s, interval_s):
        due = int(instant_s * rate_hz)
        if due > sent:
            came.append((due - sent, 1000.0 + instant_s + float(rng.exponential(0.004))))
            sent = due
    return came


def timed(clock: ArrivalClock, came: list[tuple[int, float]]) -> list[Timed]:
    """Push rows that hold their own number."""
    number = 0
    out: list[Timed] = []
    for samples, received_s in came:
        rows = np.arange(number, number + samples, dtype=float)[:, None]
        number += samples
        out += clock.push(rows, received_s)
    return out + clock.finish()


def numbers_and_times(out: list[Timed]) -> tuple[Array, Array]:
    return np.concatenate([each.rows[:, 0] for each in out]), np.concatenate([each.time_s for each in out])


@given(
    rate_error=st.floats(-0.05, 0.05), interval_s=st.sampled_from([0.0075, 0.03, 0.05, 0.07]), seed=st.integers(0, 50)
)
def test_arrivals_in_bursts_give_even_times(rate_error: float, interval_s: float, seed: int) -> None:
    rate_hz = 100.0 * (1.0 + rate_error)
    clock = ArrivalClock(100.0)
    number, time_s = numbers_and_times(timed(clock, arrivals(rate_hz, 90.0, interval_s, seed)))
    assert number.tolist() == list(range(len(number)))
    steps_s = np.diff(time_s)
    assert steps_s.min() > 0.92 / rate_hz
    assert steps_s.max() < 1.08 / rate_hz
    assert clock.sampling_rate_hz == pytest.approx(rate_hz, rel=0.001)
    error_s = time_s - (1000.0 + number / rate_hz)
    assert np.ptp(error_s[number > 20 * rate_hz]) < 0.25
    assert np.ptp(error_s[number > 60 * rate_hz]) < 0.03
    assert np.abs(error_s[number > 60 * rate_hz]).max() < interval_s + 0.05


@pytest.mark.parametrize("real_rate_hz", [10.0, 33.0, 66.0, 200.0])
def test_a_rate_that_was_not_asked_for_is_learned(real_rate_hz: float) -> None:
    clock = ArrivalClock(100.0)
    out = timed(clock, arrivals(real_rate_hz, 30.0, 0.03))
    number, time_s = numbers_and_times(out)
    assert clock.sampling_rate_hz == pytest.approx(real_rate_hz, rel=0.01)
    assert time_s[-1] - time_s[0] == pytest.approx((number[-1] - number[0]) / real_rate_hz, rel=0.02)


def test_a_pause_that_is_made_up_for_is_no_hole() -> None:
    came = arrivals(100.0, 40.0, 0.03)
    paused = [(n, max(at_s, 1023.0) if 1020.0 < at_s < 1023.0 else at_s) for n, at_s in came]
    out = timed(ArrivalClock(100.0), paused)
    number, time_s = numbers_and_times(out)
    assert not any(each.is_after_hole for each in out)
    assert number.tolist() == list(range(len(number)))
    assert np.diff(time_s).max() < 0.012


@pytest.mark.parametrize("pause_s", [0.7, 3.0])
def test_a_pause_that_nothing_makes_up_for_is_a_hole_where_it_was(pause_s: float) -> None:
    came = [(n, at_s) for n, at_s in arrivals(100.0, 60.0, 0.03) if not 1020.0 < at_s < 1020.0 + pause_s]
    out = timed(ArrivalClock(100.0), came)
    _, time_s = numbers_and_times(out)
    assert sum(each.is_after_hole for each in out) == 1
    hole = int(np.argmax(np.diff(time_s)))
    assert time_s[hole] - time_s[0] == pytest.approx(20.0, abs=0.1)
    assert np.diff(time_s)[hole] == pytest.approx(pause_s, abs=HOLE_S / 2)
    assert time_s[-1] - time_s[0] == pytest.approx(60.0, abs=0.1)


@pytest.mark.parametrize("is_made_up", [True, False])
@pytest.mark.parametrize("began_s", [0.1, 0.5, 1.9])
def test_a_pause_in_the_beginning_does_not_spoil_the_rate(began_s: float, is_made_up: bool) -> None:
    began_s, ended_s = 1000.0 + began_s, 1002.5 + began_s
    came = arrivals(100.0, 60.0, 0.03)
    if is_made_up:
        came = [(n, max(at_s, ended_s) if began_s < at_s < ended_s else at_s) for n, at_s in came]
    else:
        came = [(n, at_s) for n, at_s in came if not began_s < at_s < ended_s]
    out = timed(ArrivalClock(50.0), came)
    _, time_s = numbers_and_times(out)
    assert np.median(np.diff(time_s)) == pytest.approx(0.01, rel=0.02)
    assert time_s[-1] - time_s[0] == pytest.approx(60.0, abs=0.3)


@given(came=st.lists(st.tuples(st.integers(0, 30), st.floats(0, 3)), max_size=60))
def test_any_arrivals_give_rising_times_and_every_row(came: list[tuple[int, float]]) -> None:
    moments = 1000.0 + np.cumsum([wait_s for _, wait_s in came])
    out = timed(ArrivalClock(100.0), [(n, float(at_s)) for (n, _), at_s in zip(came, moments, strict=True)])
    if not out:
        assert not sum(n for n, _ in came)
        return
    number, time_s = numbers_and_times(out)
    assert number.tolist() == list(range(sum(n for n, _ in came)))
    assert (np.diff(time_s) > 0).all()


# --- two streams ------------------------------------------------------------------------------------------------------


def wave(time_s: Array) -> Array:
    return np.column_stack([np.sin(time_s), np.cos(time_s), time_s])


@given(
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=60),
    lead_s=st.floats(-1.5, 1.5),
    rate_hz=st.sampled_from([26.0, 52.0, 104.0]),
)
def test_any_cutting_of_two_streams_gives_the_same_rows(cuts: list[int], lead_s: float, rate_hz: float) -> None:
    acceleration_s = np.arange(500) / 52.0
    turn_s = np.arange(int(10 * rate_hz)) / rate_hz + lead_s
    whole = TwoStreams(1 / rate_hz)
    parts = [whole.push_acceleration(acceleration_s, wave(acceleration_s))]
    parts.append(whole.push_angular_velocity(turn_s, wave(turn_s)))
    pieces = TwoStreams(1 / rate_hz)
    joined = []
    a = b = 0
    for i, cut in enumerate(cuts * 100):
        if a >= len(acceleration_s) and b >= len(turn_s):
            break
        if i % 2:
            joined.append(pieces.push_acceleration(acceleration_s[a : a + cut], wave(acceleration_s[a : a + cut])))
            a += cut
        else:
            joined.append(pieces.push_angular_velocity(turn_s[b : b + cut], wave(turn_s[b : b + cut])))
            b += cut
    joined.append(pieces.push_acceleration(acceleration_s[a:], wave(acceleration_s[a:])))
    joined.append(pieces.push_angular_velocity(turn_s[b:], wave(turn_s[b:])))
    time_s = np.concatenate([each.time_s for each in joined])
    expected_s = np.concatenate([each.time_s for each in parts])
    assert time_s.tolist() == expected_s.tolist()
    turn = np.concatenate([each.angular_velocity for each in joined])
    assert turn.tolist() == np.concatenate([each.angular_velocity for each in parts]).tolist()
    inside = (acceleration_s >= turn_s[0]) & (acceleration_s <= turn_s[-1])
    assert time_s.tolist() == acceleration_s[inside].tolist()
    assert np.abs(turn - wave(time_s)).max() < 0.5 / rate_hz**2 + 1e-9
    assert np.concatenate([each.acceleration for each in joined]).tolist() == wave(time_s).tolist()
    assert sum(each.lost for each in joined) == 0


def test_a_hole_in_either_stream_is_a_hole_in_the_rows() -> None:
    time_s = np.arange(200) / 50.0
    turn_s = np.delete(time_s, np.r_[50:80, 120])  # thirty samples in a row, and one
    acceleration_s = np.delete(time_s, np.arange(150, 160))
    streams = TwoStreams(1 / 50)
    streams.push_angular_velocity(turn_s, wave(turn_s))
    joined = streams.push_acceleration(acceleration_s, wave(acceleration_s))
    assert joined.lost == 30
    assert joined.time_s.tolist() == np.delete(time_s, np.r_[50:80, 150:160]).tolist()


def test_a_stream_that_ends_does_not_let_the_other_wait_for_ever() -> None:
    streams = TwoStreams(1 / 50)
    time_s = np.arange(5000) / 50.0
    streams.push_angular_velocity(time_s[:10], wave(time_s[:10]))
    lost = [streams.push_acceleration(time_s[i : i + 50], wave(time_s[i : i + 50])).lost for i in range(0, 5000, 50)]
    assert sum(lost) == pytest.approx(5000 - 10 - 500, abs=50)
