"""A session refuses samples in g, deg/s or milliseconds, in any cutting, and none that are in s, m/s² and rad/s."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imu.errors import ImuError, UnitsWrong
from imu.recordings.folders import find_recordings
from imu.recordings.recording import read_recording
from imu.samples import STANDARD_GRAVITY_M_S2, Array, ImuBlock
from imu.session import Session
from imu.units import JUDGED_STEPS, UnitCheck
from imu.virtual.person import Daily, Exercise, Lifter, Rest, Sensor, simulate

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared/data"
NOTHING_WRONG = (1.0, 1.0, 1.0)
IN_MILLISECONDS = (1e3, 1.0, 1.0)
IN_G = (1.0, 1 / STANDARD_GRAVITY_M_S2, 1.0)
IN_DEGREES = (1.0, 1.0, 180 / np.pi)


@cache
def squats(rate_hz: float = 100.0) -> ImuBlock:
    return simulate(
        [Rest(3), Exercise("air_squat", 5), Rest(3)], Lifter(), Sensor.ideal(sampling_rate_hz=rate_hz), 1
    ).block


def block_of(rows: Array) -> ImuBlock:
    return ImuBlock(rows[:, 0], rows[:, 1:4], rows[:, 4:7])


def rows_of(block: ImuBlock) -> Array:
    return np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))


def scaled(block: ImuBlock, factors: tuple[float, float, float]) -> ImuBlock:
    """Return the block with time, acceleration and angular velocity times the factors."""
    time, acceleration, angular_velocity = factors
    return ImuBlock(
        block.device_time_s * time,
        block.acceleration_m_s2 * acceleration,
        block.angular_velocity_rad_s * angular_velocity,
    )


def cut(block: ImuBlock, cuts: Iterable[int]) -> list[ImuBlock]:
    edges = [0, *sorted(min(c, len(block)) for c in cuts), len(block)]
    return [block[a:b] for a, b in pairwise(edges)]


def refusal(blocks: Iterable[ImuBlock]) -> str | None:
    """Return the sentence with which a stream is refused."""
    check = UnitCheck()
    try:
        for block in blocks:
            check.push(block)
        check.finish()
    except UnitsWrong as error:
        return str(error)
    return None


def refused_after_s(block: ImuBlock, rows: int = 10) -> float | None:
    """Return how many seconds of rows a session takes, `rows` at a time, before it refuses them."""
    session, time_s = Session(), block.device_time_s
    for start in range(0, len(block), rows):
        try:
            session.push(block[start : start + rows])
        except UnitsWrong:
            return float(time_s[min(start + rows, len(block)) - 1] - time_s[0])
    return None


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factors", "sentence"),
    [
        (IN_MILLISECONDS, r"device_time_s looks like milliseconds \(steps of 10\): divide it by 1,000"),
        ((1e6, 1.0, 1.0), r"device_time_s looks like microseconds \(steps of 10000\): divide it by 1,000,000"),
        ((1e9, 1.0, 1.0), "device_time_s looks like nanoseconds"),
        (IN_G, r"acceleration looks like g \(\|a\| at rest is 1, not 9\.81\): multiply it by 9\.80665"),
        ((1.0, 1e3 / STANDARD_GRAVITY_M_S2, 1.0), "acceleration looks like mg or cm/s²"),
        ((1.0, 2048 / STANDARD_GRAVITY_M_S2, 1.0), "acceleration is in no unit that we know"),
        ((1.0, 0.3, 1.0), "acceleration is in no unit that we know"),
        ((1.0, 0.001, 1.0), "as if gravity had been taken out"),
        (IN_DEGREES, r"angular velocity looks like deg/s \(it turns \d\d times as much .*multiply it by pi / 180"),
        ((1.0, 1.0, 16.4 * 180 / np.pi), "angular velocity is in no unit that we know"),
    ],
)
@pytest.mark.parametrize("rate_hz", [20.0, 100.0, 1000.0])
def test_other_units_are_refused_with_a_sentence(
    factors: tuple[float, float, float], sentence: str, rate_hz: float
) -> None:
    block = scaled(squats(rate_hz), factors)
    pattern = sentence.replace("steps of 10000", r"steps of \d+").replace("steps of 10", r"steps of \d+")
    with pytest.raises(UnitsWrong, match=pattern):
        Session().push(block)
    assert issubclass(UnitsWrong, ImuError)
    assert issubclass(UnitsWrong, ValueError)


def test_time_in_no_unit_that_is_known() -> None:
    with pytest.raises(UnitsWrong, match=r"rows come every 200 s by device_time_s: it must be in seconds"):
        Session().push(scaled(squats(), (2e4, 1.0, 1.0)))


def test_a_session_that_has_refused_goes_on_refusing() -> None:
    session, in_g = Session(), scaled(squats(), IN_G)
    for block in (in_g, squats()):
        with pytest.raises(UnitsWrong, match="looks like g"):
            session.push(block)
    with pytest.raises(UnitsWrong, match="looks like g"):
        session.finish()


@pytest.mark.parametrize(
    ("factors", "within_s"),
    [(IN_MILLISECONDS, 0.6), (IN_G, 5.2), (IN_DEGREES, 10.2)],
    ids=["milliseconds", "g", "degrees"],
)
def test_other_units_are_refused_early(factors: tuple[float, float, float], within_s: float) -> None:
    after_s = refused_after_s(scaled(squats(), factors))
    assert after_s is not None
    assert after_s / factors[0] < within_s


@pytest.mark.parametrize(
    ("factors", "rows"),
    [(IN_MILLISECONDS, JUDGED_STEPS), (IN_G, 450), (IN_DEGREES, 995)],
    ids=["milliseconds", "g", "degrees"],
)
def test_a_short_stream_is_refused_at_its_end(factors: tuple[float, float, float], rows: int) -> None:
    session = Session()
    session.push(scaled(squats(), factors)[:rows])
    with pytest.raises(UnitsWrong, match="looks like"):
        session.finish()


def test_a_standing_person_says_nothing_of_the_gyroscope_until_they_move() -> None:
    still = simulate([Rest(40), Exercise("air_squat", 3), Rest(3)], Lifter(), Sensor.ideal(), 1).block
    after_s = refused_after_s(scaled(still, IN_DEGREES))
    assert after_s is not None
    assert 40 < after_s < 52


def test_a_caller_that_converts_units_can_switch_the_check_off() -> None:
    session = Session(check_units=False)
    for factors in (IN_MILLISECONDS, IN_G, IN_DEGREES):
        session.push(scaled(squats(), factors))
    session.finish()


# --- any cutting -----------------------------------------------------------------------------------------------------


def glitched(block: ImuBlock, seed: int) -> ImuBlock:
    """Return the rows with broken numbers, repeated and swapped rows and lost ones: a live sensor at its worst."""
    rng = np.random.default_rng(seed)
    rows = rows_of(block)
    rows = rows[np.repeat(np.arange(len(rows)), rng.choice([0, 1, 2], len(rows), p=[0.02, 0.96, 0.02]))]
    swapped = rng.integers(0, len(rows) - 1, 5)
    rows[swapped], rows[swapped + 1] = rows[swapped + 1], rows[swapped]
    broken = rng.random(len(rows)) < 0.01
    rows[broken, rng.integers(1, 7, broken.sum())] = rng.choice([np.nan, np.inf, 1e4, -1e30, 0.0, 1e6], broken.sum())
    return block_of(rows)


@settings(max_examples=60)
@given(
    factors=st.sampled_from([NOTHING_WRONG, IN_MILLISECONDS, IN_G, IN_DEGREES]),
    rate_hz=st.sampled_from([20.0, 100.0]),
    seed=st.one_of(st.none(), st.integers(0, 20)),
    data=st.data(),
)
def test_any_cutting_is_refused_with_the_same_sentence_or_not_at_all(
    factors: tuple[float, float, float], rate_hz: float, seed: int | None, data: st.DataObject
) -> None:
    block = squats(rate_hz) if seed is None else glitched(squats(rate_hz), seed)
    block = scaled(block, factors)
    cuts = data.draw(st.lists(st.integers(0, len(block)), max_size=60))
    assert refusal(cut(block, cuts)) == refusal([block])
    assert (refusal([block]) is None) == (factors is NOTHING_WRONG)


@pytest.mark.parametrize("factors", [NOTHING_WRONG, IN_MILLISECONDS, IN_G, IN_DEGREES])
def test_single_rows_are_refused_with_the_same_sentence_and_by_the_same_row(
    factors: tuple[float, float, float],
) -> None:
    block = scaled(glitched(squats(), 3), factors)
    assert refusal(cut(block, range(len(block)))) == refusal([block])
    last = refused_after_s(block, rows=1)
    if last is not None:  # a longer block is refused exactly when it holds that row
        row = int(np.argmax(block.device_time_s - block.device_time_s[0] >= last))
        Session().push(block[:row])
        with pytest.raises(UnitsWrong):
            Session().push(block[: row + 1])


# --- never refused ---------------------------------------------------------------------------------------------------


def at_rest(duration_s: float, rate_hz: float, size_m_s2: float = STANDARD_GRAVITY_M_S2, noise: float = 0.02) -> Array:
    rng, n = np.random.default_rng(0), round(duration_s * rate_hz)
    acceleration = rng.normal((0.0, 0.6 * size_m_s2, 0.8 * size_m_s2), noise, (n, 3))
    return np.column_stack((np.arange(n) / rate_hz, acceleration, rng.normal(0, 0.005, (n, 3))))


def before(first: Array, then: Array) -> Array:
    step_s = then[1, 0] - then[0, 0]
    return np.concatenate((first, plus(then, [first[-1, 0] + step_s - then[0, 0], *[0.0] * 6])))


def plus(rows: Array, offsets: Sequence[float]) -> Array:
    """Return the rows with an offset added to each column."""
    return rows + np.array(offsets)


def changed(change: Callable[[Array, np.random.Generator], Array]) -> Callable[[float], Array]:
    return lambda rate_hz: change(rows_of(squats(rate_hz)), np.random.default_rng(5))


def with_spikes(rows: Array, rng: np.random.Generator) -> Array:
    """Return the rows with one broken reading of the gyroscope or the accelerometer in two seconds."""
    broken = np.flatnonzero(rng.random(len(rows)) < 0.5 * (rows[1, 0] - rows[0, 0]))
    columns = rng.integers(1, 7, len(broken))
    rows[broken, columns] = np.where(columns < 4, 3000.0, 170.0) * rng.choice([-1, 1], len(broken))
    return rows


LEGITIMATE: dict[str, Callable[[float], Array]] = {
    "on a table": lambda rate_hz: at_rest(60, rate_hz),
    "on a table, without noise": lambda rate_hz: at_rest(60, rate_hz, noise=0),
    "on a table, 10 % off": lambda rate_hz: at_rest(60, rate_hz, 0.9 * STANDARD_GRAVITY_M_S2),
    "picked up from a table": changed(lambda rows, _: before(at_rest(20, 1 / (rows[1, 0] - rows[0, 0])), rows)),
    "free fall first": changed(
        lambda rows, _: before(at_rest(2.0, 1 / (rows[1, 0] - rows[0, 0]), 0.1), rows),
    ),
    "nothing but zeros first": changed(
        lambda rows, _: before(at_rest(8, 1 / (rows[1, 0] - rows[0, 0])) * ([1] + [0] * 6), rows)
    ),
    "offset of 20 °/s and 1 m/s²": changed(lambda rows, _: plus(rows, [0, 1.0, 0, 0, 0.35, -0.35, 0])),
    "scales 5 % off": changed(lambda rows, _: rows * ([1] + [1.05] * 3 + [0.95] * 3)),
    "first rows lost": changed(lambda rows, _: np.delete(rows, np.arange(1, len(rows) // 40), axis=0)),
    "most rows lost at first": changed(
        lambda rows, rng: rows[(rng.random(len(rows)) < 0.3) | (np.arange(len(rows)) > len(rows) // 4)]
    ),
    "begins in a movement": changed(lambda rows, _: rows[len(rows) // 4 :]),
    "time since 1970": changed(lambda rows, _: plus(rows, [1.76e9, *[0.0] * 6])),
    "spikes": changed(with_spikes),
    "glitches": changed(lambda rows, _: rows_of(glitched(block_of(rows), 8))),
    "a clock that jumps far ahead": changed(
        lambda rows, _: rows + np.outer(np.arange(len(rows)) > 300, [1e9] + [0] * 6)
    ),
    "packets that share a time": changed(
        lambda rows, _: np.column_stack((rows[np.arange(len(rows)) // 10 * 10, 0], rows[:, 1:]))
    ),
}


@pytest.mark.parametrize("what", LEGITIMATE)
@pytest.mark.parametrize("rate_hz", [20.0, 100.0, 1000.0])
def test_a_recording_in_the_right_units_is_never_refused(what: str, rate_hz: float) -> None:
    rows = LEGITIMATE[what](rate_hz)
    for end in (len(rows) // 9, len(rows) // 3, len(rows)):
        assert refusal([block_of(rows[:end])]) is None
    packet_rows = max(7, round(rate_hz / 10))
    assert refusal(cut(block_of(rows), range(0, len(rows), packet_rows))) is None


@given(seed=st.integers(0, 10**6), place=st.sampled_from(["back", "left", "right", "front"]))
def test_no_simulated_sensor_is_refused(seed: int, place: str) -> None:
    sensor = Sensor.random(np.random.default_rng(seed))
    plan = [Daily("walking", 4), Exercise("kettlebell_swing", 3), Daily("tie_shoe"), Rest(2)]
    assert refusal([simulate(plan, Lifter(), sensor, seed).block]) is None


@pytest.mark.parametrize("path", find_recordings([HERE.parent / "recordings"]), ids=lambda path: path.name)
def test_no_recording_is_refused(path: Path) -> None:
    recording = read_recording(path)
    session = Session()
    for block in recording.blocks():
        session.push(block)
    session.finish()
    in_g, in_degrees = scaled(recording.block, IN_G), scaled(recording.block, IN_DEGREES)
    assert re.match("acceleration looks like g", str(refusal([in_g])))
    assert re.match("angular velocity looks like deg/s", str(refusal([in_degrees])))


def one_file_per_activity(folder: Path) -> list[Path]:
    index = pd.read_csv(folder / "index.csv")
    return [folder / file for file in index.groupby("activity").file.first()]


@pytest.mark.people
@pytest.mark.parametrize("name", ["sisfall", "squat_sets", "daily_life_20hz"])
def test_no_activity_of_real_people_is_refused(name: str) -> None:
    folder = DATA / name
    if not folder.exists():
        pytest.skip(f"needs the recordings in {folder}")
    for path in one_file_per_activity(folder):
        block = read_recording(path).block
        assert refusal([block]) is None, path
        assert str(refusal([scaled(block, IN_G)])).startswith("acceleration looks like g"), path
        assert str(refusal([scaled(block, IN_MILLISECONDS)])).startswith("device_time_s looks like milliseconds"), path
