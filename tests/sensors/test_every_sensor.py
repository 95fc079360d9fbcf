"""Duties of every driver, with the virtual twin of its sensor and without a radio.

A new sensor takes part once it is in `imu.sensors.KINDS` and its twin in `imu.virtual.TWINS`. Sensors
differ in how a loss shows: some number or stamp their samples, some do neither (`UNTIMED`), and one keeps its samples
until they are requested (`KEEPING`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from radioless import STARTED_NS, Carried, carry, joined, make, replayed, summary_of

from imu.samples import Array, ImuBlock
from imu.sensors import KINDS, kind_named, recognise
from imu.sensors.boards import BLUEFRUIT, BLUEST, THINGY52
from imu.sensors.conversation import (
    Battery,
    Caution,
    Heard,
    Identified,
    LinkDown,
    LinkUp,
    Malformed,
    Message,
    Refused,
    Reply,
    Restarted,
    SamplesLost,
    SensorKind,
)
from imu.sensors.driver import (
    BATTERY_LEVEL,
    FIRMWARE_REVISION,
    MODEL_NUMBER,
    MOST_ACCELERATION_M_S2,
    MOST_ANGULAR_VELOCITY_RAD_S,
    SERIAL_NUMBER,
)
from imu.sensors.phone import PHONE
from imu.sensors.sensor_logger_push import SENSOR_LOGGER
from imu.session import SessionSummary
from imu.virtual.person import SimulatedSession
from imu.virtual.twin import Twin
from imu.virtual.vendor_twins import TWINS

SUITABLE = [kind for kind in KINDS if kind.refusal is None and kind not in (PHONE, SENSOR_LOGGER)]
UNTIMED = {"witmotion", "thingy52", "bluefruit"}
KEEPING = {"reference"}
TIMED = [kind for kind in SUITABLE if kind.name not in UNTIMED | KEEPING]
SPEAKS_ON_CONNECTION = {"witmotion", "thingy52", "bluefruit", "bluest"}
"""They stream while a central is subscribed; there is nothing to stop."""
ABOUT_THE_SENSOR = {BATTERY_LEVEL, FIRMWARE_REVISION, MODEL_NUMBER, SERIAL_NUMBER}

every_kind = pytest.mark.parametrize("kind", SUITABLE, ids=lambda kind: kind.name)
every_timed_kind = pytest.mark.parametrize("kind", TIMED, ids=lambda kind: kind.name)


def twin_of(kind: SensorKind, signal: ImuBlock, seed: int = 0) -> Twin:
    return TWINS[kind.name](signal, seed)


def sets_of(summary: SessionSummary) -> list[tuple[str, int]]:
    return [(str(one_set.pattern), len(one_set.repetitions)) for one_set in summary.sets]


class Conversations:
    """Conversations with every sensor, each held once."""

    def __init__(self, training: SimulatedSession) -> None:
        self.signal = training.block
        self.duration_s = float(training.block.device_time_s[-1]) + 3.0
        self.sets = sets_of(summary_of(training.block))
        squats, hinges = (one_set.reps for one_set in training.truth.sets)
        self.early_s = 4.0, squats[-1].end_s
        self.late_s = hinges[0].start_s, hinges[-1].end_s + 1.0

    @cache  # noqa: B019 - one object for the whole run
    def undisturbed(self, name: str) -> Carried:
        kind = kind_named(name)
        return carry(make(kind), twin_of(kind, self.signal), self.duration_s)

    @cache  # noqa: B019
    def short(self, name: str) -> Carried:
        kind = kind_named(name)
        return carry(make(kind), twin_of(kind, self.signal), 5.5, away=((2.9, 3.3),))

    def disturbed(self, kind: SensorKind, **how: object) -> Carried:
        return carry(make(kind), twin_of(kind, self.signal), self.duration_s, **how)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def conversations(training: SimulatedSession) -> Conversations:
    return Conversations(training)


def lag_s(block: ImuBlock, signal: ImuBlock, from_s: float, until_s: float, widest_s: float = 1.0) -> float:
    """By how much the block's axis is behind the signal's in a stretch of the block, to 10 ms."""
    rows = (block.device_time_s >= from_s) & (block.device_time_s < until_s)
    time_s, turn = block.device_time_s[rows], block.angular_velocity_rad_s[rows]

    def misfit(shift_s: float) -> float:
        there = [np.interp(time_s + shift_s, signal.device_time_s, axis) for axis in signal.angular_velocity_rad_s.T]
        return float(np.square(np.column_stack(there) - turn).sum())

    coarse_s = min(np.arange(-widest_s, widest_s, 0.05).tolist(), key=misfit)
    return min(np.arange(coarse_s - 0.05, coarse_s + 0.055, 0.01).tolist(), key=misfit)


def same(one: list[Reply], other: list[Reply]) -> bool:
    def key(reply: Reply) -> object:
        names = ("device_time_s", "acceleration_m_s2", "angular_velocity_rad_s", "received_s")
        blocks = [getattr(block, name).tobytes() for block in reply.blocks for name in names]
        return blocks, reply.actions, reply.notices

    return [key(reply) for reply in one] == [key(reply) for reply in other]


def is_rising(time_s: Array) -> bool:
    return bool((np.diff(time_s) > 0).all())


# --- undisturbed ------------------------------------------------------------------------------------------------------


@every_kind
def test_the_table_of_sensors_has_it(kind: SensorKind) -> None:
    folder = Path(__file__).parents[2] / "imu/sensors"
    file = "boards.py" if kind in (THINGY52, BLUEST, BLUEFRUIT) else f"{kind.name}.py"
    assert f"| {kind.title} | [{file}]({file}) |" in (folder / "README.md").read_text("utf-8")
    assert (folder / file).is_file()


@every_kind
def test_is_recognised_by_its_advertisement(kind: SensorKind, conversations: Conversations) -> None:
    assert recognise(twin_of(kind, conversations.signal).advertisement) is kind


@every_kind
def test_the_same_sets_as_from_the_signal_itself(kind: SensorKind, conversations: Conversations) -> None:
    assert conversations.sets == [("squat", 3), ("hinge", 3)]
    assert sets_of(conversations.undisturbed(kind.name).summary) == conversations.sets


@every_kind
def test_samples_are_in_si_and_on_an_axis_that_rises(kind: SensorKind, conversations: Conversations) -> None:
    block = conversations.undisturbed(kind.name).block
    standing = block.device_time_s < 2.0
    assert block.device_time_s[0] == pytest.approx(0.0, abs=0.01)
    assert is_rising(block.device_time_s)
    assert np.linalg.norm(block.acceleration_m_s2[standing], axis=1) == pytest.approx(9.81, abs=0.2)
    assert np.abs(block.angular_velocity_rad_s[standing]).max() < 0.1
    assert block.device_time_s[-1] == pytest.approx(conversations.duration_s, abs=2.5)


@every_kind
def test_both_streams_follow_the_signal(kind: SensorKind, conversations: Conversations) -> None:
    """Neither axes nor signs nor units are mixed up; times are right to within a twentieth of a repetition."""
    block, signal = conversations.undisturbed(kind.name).block, conversations.signal
    shift_s = lag_s(block, signal, conversations.early_s[0], conversations.late_s[1])
    inside = (block.device_time_s > 3.0) & (block.device_time_s < conversations.late_s[1])
    for values, truth, tolerance in (
        (block.acceleration_m_s2, signal.acceleration_m_s2, 0.25),
        (block.angular_velocity_rad_s, signal.angular_velocity_rad_s, 0.08),
    ):
        there_s = block.device_time_s[inside] + shift_s
        expected = np.column_stack([np.interp(there_s, signal.device_time_s, axis) for axis in truth.T])
        assert np.sqrt(np.mean(np.square(values[inside] - expected))) < tolerance
    early, late = lag_s(block, signal, *conversations.early_s), lag_s(block, signal, *conversations.late_s)
    assert late == pytest.approx(early, abs=0.1)


@every_kind
def test_nothing_is_lost_thrown_away_or_restarted(kind: SensorKind, conversations: Conversations) -> None:
    """Each twin's clock wraps in the first seconds."""
    carried = conversations.undisturbed(kind.name)
    for notice in (SamplesLost, Malformed, Restarted, Refused):
        assert not carried.notices_of(notice)
    assert not carried.summary.gaps


@every_kind
def test_the_sensor_is_identified_before_the_first_samples(kind: SensorKind, conversations: Conversations) -> None:
    carried = conversations.undisturbed(kind.name)
    with_samples = next(i for i, reply in enumerate(carried.replies) if reply.blocks)
    introduced = [i for i, reply in enumerate(carried.replies) if any(isinstance(n, Identified) for n in reply.notices)]
    assert len(introduced) == 1
    assert introduced[0] <= with_samples
    (identified,) = carried.notices_of(Identified)
    usual_step_s = np.median(np.diff(carried.block.device_time_s))
    assert isinstance(identified, Identified)
    assert identified.model
    assert identified.sampling_rate_hz == pytest.approx(1.0 / usual_step_s, rel=0.03)


@every_kind
def test_undetectable_losses_are_cautioned_of_once(kind: SensorKind, conversations: Conversations) -> None:
    cautions = conversations.undisturbed(kind.name).notices_of(Caution)
    assert len(cautions) == (1 if kind.name in UNTIMED else 0)


@every_kind
def test_the_same_messages_give_the_same_samples(kind: SensorKind, conversations: Conversations) -> None:
    carried = conversations.short(kind.name)
    assert len(carried.block)
    assert same(carried.replies, replayed(make(kind), carried.messages))


@every_kind
def test_arrival_is_no_sample_s_time(kind: SensorKind, conversations: Conversations) -> None:
    """Samples come in bursts; their times are even."""
    steps_s = np.diff(conversations.undisturbed(kind.name).block.device_time_s)
    assert steps_s.min() > 0.8 * np.median(steps_s)
    assert steps_s.max() < 1.2 * np.median(steps_s)


@every_kind
@pytest.mark.parametrize("wished_rate_hz", [10.0, 50.0, 60.0, 200.0, 1000.0])
def test_any_wish_gives_a_rate_that_serves(
    kind: SensorKind, wished_rate_hz: float, conversations: Conversations
) -> None:
    block = carry(make(kind, wished_rate_hz), twin_of(kind, conversations.signal), 5.0).block
    rate_hz = (len(block) - 1) / (block.device_time_s[-1] - block.device_time_s[0])
    assert 0.9 * min(wished_rate_hz, 45.0) < rate_hz < 1000.0


@every_kind
def test_every_version_of_the_sensor_and_every_usual_mtu(kind: SensorKind, conversations: Conversations) -> None:
    for seed, mtu in ((1, 185), (2, 247), (3, 517), (4, 512)):
        carried = carry(make(kind), twin_of(kind, conversations.signal, seed), 6.0, mtu=mtu)
        assert len(carried.block) > 100
        assert not carried.notices_of(Malformed)


@every_kind
def test_a_stopped_sensor_is_silent(kind: SensorKind, conversations: Conversations) -> None:
    twin = twin_of(kind, conversations.signal)
    carry(make(kind), twin, 4.0)
    twin.step(4.1, 100)  # the answer
    streams = [said for said in twin.step(6.0, 1000) if said.characteristic not in ABOUT_THE_SENSOR]
    assert bool(streams) == (kind.name in SPEAKS_ON_CONNECTION) or kind.name in KEEPING


# --- disturbed --------------------------------------------------------------------------------------------------------


@every_kind
def test_a_lost_connection_leaves_a_hole_and_nothing_else(kind: SensorKind, conversations: Conversations) -> None:
    carried = conversations.disturbed(kind, away=((20.0, 24.5),))
    block = carried.block
    assert is_rising(block.device_time_s)
    assert sets_of(carried.summary) == conversations.sets
    after_s = lag_s(block, conversations.signal, *conversations.late_s, 2.0)
    before_s = lag_s(block, conversations.signal, *conversations.early_s, 2.0)
    if kind.name in KEEPING:
        assert not carried.summary.gaps
    else:
        (gap,) = carried.summary.gaps
        assert 4.0 < gap.end_s - gap.start_s < 8.5  # the samples that waited in the sensor are lost too
        assert len(carried.notices_of(Identified)) == 2
        assert SamplesLost(None) in carried.notices
    assert after_s == pytest.approx(before_s, abs=0.15)
    assert not carried.notices_of(Restarted)
    assert not [each for each in carried.notices_of(Malformed) if "without the second" not in each.reason]  # type: ignore[attr-defined]


@every_kind
def test_a_radio_without_room_leaves_a_hole_and_nothing_else(kind: SensorKind, conversations: Conversations) -> None:
    """Samples that overflowed in the sensor are lost; later ones are not stretched over the hole."""
    carried = conversations.disturbed(kind, full=((20.0, 26.0),))
    block = carried.block
    assert is_rising(block.device_time_s)
    assert sets_of(carried.summary) == conversations.sets
    before_s = lag_s(block, conversations.signal, *conversations.early_s, 2.0)
    after_s = lag_s(block, conversations.signal, *conversations.late_s, 2.0)
    assert after_s == pytest.approx(before_s, abs=0.15)
    lost = [notice.samples for notice in carried.notices_of(SamplesLost)]  # type: ignore[attr-defined]
    if kind.name in UNTIMED:
        assert lost
        assert set(lost) == {None}
    elif kind.name not in KEEPING:
        whole = conversations.undisturbed(kind.name).block
        assert sum(lost) == pytest.approx(len(whole) - len(block), abs=3)


@every_timed_kind
def test_lost_notifications_are_counted_by_the_sample(kind: SensorKind, conversations: Conversations) -> None:
    whole = conversations.undisturbed(kind.name)
    said = sum(isinstance(message, Heard) for message in whole.messages)
    gone = frozenset(np.random.default_rng(2).choice(np.arange(60, said - 60), said // 50, replace=False).tolist())
    carried = conversations.disturbed(kind, lost=gone)
    missing = len(whole.block) - len(carried.block)
    lost = sum(notice.samples for notice in carried.notices_of(SamplesLost))  # type: ignore[attr-defined]
    assert missing > 0
    assert lost == pytest.approx(missing, rel=0.05, abs=2)
    nearest = np.searchsorted(whole.block.device_time_s, carried.block.device_time_s)
    nearest = np.clip(nearest, 1, len(whole.block) - 1)
    off_s = np.minimum(
        np.abs(whole.block.device_time_s[nearest] - carried.block.device_time_s),
        np.abs(whole.block.device_time_s[nearest - 1] - carried.block.device_time_s),
    )
    assert np.percentile(off_s, 99) < 0.005


@pytest.mark.parametrize("kind", [kind for kind in SUITABLE if kind.name not in UNTIMED], ids=lambda kind: kind.name)
def test_repeated_messages_count_once(kind: SensorKind, conversations: Conversations) -> None:
    carried = conversations.short(kind.name)
    begun = next(i for i, reply in enumerate(carried.replies) if reply.blocks) + 4
    twice = [
        each
        for i, message in enumerate(carried.messages)
        for each in [message] * (2 if i > begun and kind.name != "movesense" and isinstance(message, Heard) else 1)
    ]
    if kind.name == "movesense":  # its packets come in two notifications: both again
        twice = list(carried.messages)
        at = next(i for i in range(begun, len(twice)) if twice[i].payload[0] == 2)  # type: ignore[union-attr]
        twice[at + 2 : at + 2] = twice[at : at + 2]
    replies = replayed(make(kind), twice)
    again = joined([block for reply in replies for block in reply.blocks])
    connected = next(i for i, message in enumerate(carried.messages) if isinstance(message, LinkDown))
    first = joined([block for reply in carried.replies[:connected] for block in reply.blocks])
    assert again.device_time_s[: len(first)].tolist() == first.device_time_s.tolist()
    assert again.acceleration_m_s2[: len(first)].tolist() == first.acceleration_m_s2.tolist()


# --- any bytes at all -------------------------------------------------------------------------------------------------


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    what = st.sampled_from(["drop", "repeat", "cut", "append", "replace", "overwrite", "swap", "delay", "down", "up"])
    damage = st.tuples(what, st.floats(0, 1, exclude_max=True), st.binary(max_size=260))
    return draw(st.lists(damage, min_size=1, max_size=12))


def damaged(messages: list[Message], damage: list[tuple[str, float, bytes]]) -> list[Message]:
    """Damage a conversation: lose, repeat, cut, lengthen, overwrite and swap messages, break the connection."""
    messages = list(messages)
    for what, where, junk in damage:
        i = int(where * len(messages))
        message = messages[i]
        now_ns = message.received_ns
        if what == "down":
            messages.insert(i, LinkDown(now_ns))
        elif what == "up":
            messages.insert(i, LinkUp(now_ns))
        elif what == "repeat":
            messages.insert(i, message)
        elif what == "swap":
            messages[i], messages[i - 1] = messages[i - 1], messages[i]
        elif what == "drop":
            del messages[i]
        elif isinstance(message, Heard):
            at = int(where * 1e6) % (len(message.payload) + 1)
            changed = {
                "cut": message.payload[:at],
                "append": message.payload + junk,
                "replace": junk,
                "overwrite": (message.payload[:at] + junk)[: len(message.payload)],
                "delay": message.payload,
            }[what]
            late_ns = len(junk) * 10_000_000 if what == "delay" else 0
            messages[i] = replace(message, payload=changed, received_ns=now_ns + late_ns)
    return messages


@every_kind
@given(damage=damages())
def test_no_bytes_raise_or_become_impossible_samples(
    kind: SensorKind, conversations: Conversations, damage: list[tuple[str, float, bytes]]
) -> None:
    messages = damaged(conversations.short(kind.name).messages, damage)
    replies = replayed(make(kind), messages)
    block = joined([block for reply in replies for block in reply.blocks])
    assert is_rising(block.device_time_s)
    assert np.isfinite(block.device_time_s).all()
    if kind.name not in KEEPING:
        assert (np.abs(block.acceleration_m_s2) <= MOST_ACCELERATION_M_S2).all()
        assert (np.abs(block.angular_velocity_rad_s) <= MOST_ANGULAR_VELOCITY_RAD_S).all()
    assert same(replies, replayed(make(kind), messages))


@every_kind
@given(pieces=st.lists(st.tuples(st.integers(0, 20), st.binary(max_size=300)), max_size=30))
def test_any_bytes_on_any_characteristic(
    kind: SensorKind, conversations: Conversations, pieces: list[tuple[int, bytes]]
) -> None:
    services = twin_of(kind, conversations.signal).services
    uuids = [each.uuid for service in services for each in service.characteristics]
    heard = [
        Heard(STARTED_NS + i * 10_000_000, uuids[number % len(uuids)], piece)
        for i, (number, piece) in enumerate(pieces)
    ]
    replayed(make(kind), [*heard, LinkUp(STARTED_NS), *heard, LinkDown(STARTED_NS), *heard])


@every_kind
def test_discarded_bytes_are_counted(kind: SensorKind, conversations: Conversations) -> None:
    carried = conversations.short(kind.name)
    begun = next(i for i, reply in enumerate(carried.replies) if reply.blocks) + 3
    for payload in (b"", b"\x00", bytes(7), bytes(range(250))):
        messages = list(carried.messages)
        message = messages[begun]
        assert isinstance(message, Heard)
        messages[begun] = replace(message, payload=payload)
        notices = [notice for reply in replayed(make(kind), messages) for notice in reply.notices]
        if payload or kind.name != "witmotion":  # a stream of bytes does not know notifications
            assert any(isinstance(notice, (Malformed, SamplesLost)) for notice in notices), payload


@pytest.mark.parametrize("kind", [kind for kind in SUITABLE if kind.name not in KEEPING], ids=lambda kind: kind.name)
def test_says_nothing_without_a_connection(kind: SensorKind, conversations: Conversations) -> None:
    driver = make(kind)
    heard = [message for message in conversations.short(kind.name).messages if isinstance(message, Heard)]
    replies = [driver.take(message) for message in heard[:50]]
    assert not any(reply.blocks or reply.actions for reply in replies)
    assert not driver.take(LinkDown(STARTED_NS)).blocks
    assert not driver.finish().blocks


@every_kind
def test_the_charge_of_the_battery_is_reported(kind: SensorKind, conversations: Conversations) -> None:
    batteries = conversations.undisturbed(kind.name).notices_of(Battery)
    assert all(0 < notice.percent <= 100 for notice in batteries)  # type: ignore[attr-defined]
    assert batteries or kind.name == "bluest"  # whose characteristic for it is not known to us
