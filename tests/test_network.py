"""The network's input, sums and output: exactly, in any cutting, and for any input."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from imu.motion.decoder import END, Activity, Calm, Decoder, Ending, Stir
from imu.motion.features import FEATURES, ROW_S, FeatureBuilder
from imu.motion.fitted import load_weights, network_from, save_weights, shipped_weights
from imu.motion.network import LARGEST, OUTPUTS, Block, Network, NetworkStream, Whole
from imu.motion.resampling import EvenBlock, Resampler
from imu.motion.signals import MotionSignals, SignalBuilder
from imu.motion.tracker import SURE_LOG_ODDS
from imu.samples import Array, ImuBlock
from imu.virtual.person import Daily, Exercise, Lifter, Rest, Sensor, simulate

cuts = st.lists(st.integers(1, 400), max_size=12)


@cache
def block() -> ImuBlock:
    plan = [Rest(2), Exercise("air_squat", 3), Daily("few_steps"), Exercise("romanian_deadlift", 3), Rest(3)]
    return simulate(plan, Lifter(), Sensor.ideal(), 3).block


@cache
def signals() -> MotionSignals:
    return signals_of(block())


def signals_of(samples: ImuBlock) -> MotionSignals:
    (even,) = [piece for piece in Resampler().push(samples) if isinstance(piece, EvenBlock)]
    return SignalBuilder().push(even)


@cache
def features() -> tuple[Array, Array]:
    return FeatureBuilder().push(signals())


def parts_of(length: int, at: list[int]) -> list[slice]:
    edges = [0, *sorted({cut for cut in at if cut < length}), length]
    return [slice(first, last) for first, last in pairwise(edges)]


# -- features


@given(cuts)
def test_features_are_the_same_in_any_cutting(at: list[int]) -> None:
    builder = FeatureBuilder()
    parts = [builder.push(signals()[part]) for part in parts_of(len(signals()), at)]
    assert np.concatenate([time_s for time_s, _ in parts]).tolist() == features()[0].tolist()
    assert np.concatenate([rows for _, rows in parts], axis=1).tolist() == features()[1].tolist()


def test_a_row_is_two_steps_and_ends_with_the_second() -> None:
    time_s, rows = features()
    assert rows.shape == (len(FEATURES), len(signals()) // 2)
    assert time_s.tolist() == signals().time_s[1::2].tolist()
    assert np.allclose(np.diff(time_s), ROW_S)


@given(turn=st.integers(0, 10**6))
def test_a_turn_in_the_holder_changes_no_feature(turn: int) -> None:
    matrix = Rotation.random(rng=turn).as_matrix()
    turned = signals_of(
        ImuBlock(block().device_time_s, block().acceleration_m_s2 @ matrix, block().angular_velocity_rad_s @ matrix)
    )
    assert np.abs(FeatureBuilder().push(turned)[1] - features()[1]).max() < 1e-8


def test_features_of_a_session_have_the_size_that_the_network_can_take() -> None:
    rows = features()[1]
    assert np.isfinite(rows).all()
    assert np.abs(rows).max() < LARGEST / 128
    assert (rows.std(axis=1) > 0.01).all()


# -- network


def outputs(network: Network, rows: Array, at: list[int]) -> Whole:
    stream = NetworkStream(network)
    return np.concatenate([stream.push(rows[:, part]) for part in parts_of(rows.shape[1], at)])


@given(cuts)
def test_outputs_are_the_same_in_any_cutting(at: list[int]) -> None:
    network = shipped_weights().network
    assert outputs(network, features()[1], at).tolist() == outputs(network, features()[1], []).tolist()


def drawn_network(seed: int, channels: int, size: int = 40) -> Network:
    """Return a network of random whole numbers."""
    rng = np.random.default_rng(seed)

    def whole(*shape: int) -> Whole:
        return rng.integers(-size, size + 1, shape).astype(np.float32)

    c = channels
    blocks = tuple(Block(whole(3, c, c), whole(c) * 100, whole(c, c), whole(c) * 100) for _ in range(4))
    return Network(whole(len(FEATURES), c), whole(c) * 100, blocks, whole(c, len(OUTPUTS)), whole(len(OUTPUTS)) * 100)


def slow_outputs(network: Network, rows: Array) -> Array:
    """Return the same outputs in 64-bit whole numbers, row by row, as the definition says it."""
    signal = np.clip(np.rint(rows.T * 128), -LARGEST, LARGEST)
    values = np.clip(np.rint((signal @ network.entry + network.entry_bias) * 32 / 128 / 256), -LARGEST, LARGEST)
    for k, one in enumerate(network.blocks):
        lag = 2**k
        following = np.empty_like(values)
        for row in range(len(values)):
            taps = [values[at] if at >= 0 else np.zeros(network.channels) for at in (row - 2 * lag, row - lag, row)]
            inner = sum(tap @ one.convolution[i] for i, tap in enumerate(taps)) + one.convolution_bias
            inner = np.clip(np.rint(inner / 256), 0, LARGEST)
            outer = np.rint((inner @ one.mix + one.mix_bias) / 256)
            following[row] = np.clip(values[row] + outer, -LARGEST, LARGEST)
        values = following
    return (np.maximum(values, 0) @ network.exit + network.exit_bias) / (32 * 256)


@given(seed=st.integers(0, 10**6), channels=st.integers(1, 8), size=st.floats(0.1, 50.0))
def test_outputs_are_exactly_those_of_64_bit_arithmetic(seed: int, channels: int, size: float) -> None:
    network = drawn_network(seed, channels)
    rows = size * np.random.default_rng(seed).standard_normal((len(FEATURES), 60))
    assert outputs(network, rows, []).tolist() == slow_outputs(network, rows).tolist()


def test_the_network_looks_at_nothing_that_comes_later() -> None:
    network, rows = shipped_weights().network, features()[1]
    changed = rows.copy()
    changed[:, 50:] = 3.0
    assert outputs(network, changed, [])[:50].tolist() == outputs(network, rows, [])[:50].tolist()


def test_weights_with_which_a_sum_may_be_inexact_are_refused() -> None:
    network = drawn_network(1, 4)
    with pytest.raises(ValueError, match="not exact"):
        replace(network, exit=network.exit * 5000)
    with pytest.raises(ValueError, match="features"):
        replace(network, entry=network.entry[:-1])


def test_weights_survive_a_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("weights") / "weights.npz"
    weights = shipped_weights()
    with path.open("wb") as file:
        save_weights(file, weights)
    loaded = load_weights(path)
    assert loaded.pattern == weights.pattern
    assert loaded.counting.linear.tolist() == weights.counting.linear.tolist()
    assert outputs(loaded.network, features()[1], []).tolist() == outputs(weights.network, features()[1], []).tolist()
    assert path.stat().st_size < 300_000


def test_a_network_of_another_size_is_refused() -> None:
    from imu.motion.fitted import arrays_of

    arrays = arrays_of(shipped_weights().network)
    arrays["entry"] = arrays["entry"][:-2]
    with pytest.raises(ValueError, match="features"):
        network_from(arrays)


# -- decoder


def logits(rows: int, ends: dict[int, float], like: tuple[int, int] | None = None) -> Whole:
    """Return logits in which a repetition of 2 s ends in some rows, with the given log-odds."""
    made = np.zeros((rows, len(OUTPUTS)), dtype=np.float32)
    made[:, 0], made[:, END], made[:, 6] = 3.0, -9.0, np.log(2.0)
    if like is not None:
        made[like[0] : like[1], 1] = 6.0
    for row, log_odds in ends.items():
        made[row : row + 3, END] = log_odds
    return made


def decoded(made: Whole, at: list[int]) -> list[Ending | Stir | Calm | Activity]:
    decoder = Decoder()
    time_s = ROW_S * np.arange(1, len(made) + 1)
    still = np.zeros(len(made), dtype=bool)
    found: list[Ending | Stir | Calm | Activity] = []
    for part in parts_of(len(made), at):
        found += decoder.push(time_s[part], made[part], still[part])
    return [*found, *decoder.finish()]


def endings(made: Whole, at: list[int] | None = None) -> list[Ending]:
    return [item for item in decoded(made, at or []) if isinstance(item, Ending)]


def test_a_clear_ending_is_given_at_once() -> None:
    (ending,) = endings(logits(100, {60: 4.0}, (38, 60)))
    assert ending.seen_s == pytest.approx(6.2, abs=0.051)
    assert ending.end_s - ending.start_s == pytest.approx(2.0, abs=0.3)


def test_an_unclear_ending_is_given_when_its_peak_has_passed() -> None:
    (ending,) = endings(logits(100, {60: 0.0}, (38, 60)))
    assert 6.3 < ending.seen_s < 6.8
    assert endings(logits(100, {60: -4.0}, (38, 60))) == []


def test_touching_spans_are_two_and_a_flickering_one_is_one() -> None:
    assert len(endings(logits(120, {60: 4.0, 80: 4.0}, (38, 80)))) == 2
    flickering = endings(logits(120, {60: 4.0, 64: 4.0}, (38, 68)))
    assert [one.log_odds > SURE_LOG_ODDS for one in flickering] == [True, False]  # the tracker leaves out the other one


def test_no_repetition_ends_where_nothing_moved() -> None:
    assert endings(logits(100, {60: 4.0})) == []


def test_activity_without_an_ending_is_reported_once_it_is_over() -> None:
    activities = [item for item in decoded(logits(120, {}, (40, 70)), []) if isinstance(item, Activity)]
    assert len(activities) == 1
    assert activities[0].start_s == pytest.approx(4.0, abs=0.11)
    assert activities[0].end_s == pytest.approx(7.0, abs=0.11)
    assert activities[0].seen_s > activities[0].end_s + 1.0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), at=cuts)
def test_decoding_is_the_same_in_any_cutting(seed: int, at: list[int]) -> None:
    rng = np.random.default_rng(seed)
    made = rng.normal(0, 2.5, (300, len(OUTPUTS))).cumsum(axis=0).astype(np.float32)
    made -= (made.mean(axis=0) + 3.0 * (np.arange(len(OUTPUTS)) == END)).astype(np.float32)
    made[:, 5:] = np.clip(made[:, 5:], 0.0, 2.0)
    time_s, moving = ROW_S * np.arange(1, 301), rng.random(300) < 0.3

    def found(cutting: list[int]) -> list[Ending | Stir | Calm | Activity]:
        decoder, items = Decoder(), []
        for part in parts_of(300, cutting):
            items += list(decoder.push(time_s[part], made[part], moving[part]))
        return sorted([*items, *decoder.finish()], key=lambda item: item.seen_s)

    assert found(at) == found([])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_times_of_an_ending_are_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = rng.normal(0, 4.0, (400, len(OUTPUTS))).astype(np.float32)
    for ending in endings(made):
        assert ending.start_s < ending.end_s <= ending.seen_s
        assert ending.end_s - ending.start_s <= 15.0 + 1e-9
        assert ending.moving_since_s <= ending.end_s
