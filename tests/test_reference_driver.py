"""Our own firmware's driver, without a radio: packets in any order, lost, repeated; and what it asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as protocol
from firmware_protocol import Answer, AnswerStatus, Config, Fields, Info, Op, PacketFlags, PacketKind, SamplePacket
from imu.samples import ImuBlock
from imu.sensors.clocks import Timeline
from imu.sensors.conversation import (
    Advertisement,
    Battery,
    Heard,
    Identified,
    LinkDown,
    LinkUp,
    Notice,
    Read,
    Refused,
    Restarted,
    SamplesLost,
    SamplesRecovered,
    Subscribe,
    Write,
)
from imu.sensors.reference import REFERENCE, ReferenceDriver
from imu.sensors.sample_order import TRIES, InOrder

RATE_HZ = 100.0
N = 10
CONFIG = Config(7, RATE_HZ, RATE_HZ, 16, 2000, 16 * 9.80665 / 32768, math.radians(0.07))
INFO = Info(1, 0, protocol.Capabilities.RESEND, 19, 6000, boot_id=0xB007)


def counts(first: int, n: int = N) -> np.ndarray:
    """Samples that carry their own number."""
    rows = np.zeros((n, 6), np.int16)
    rows[:, 0] = np.arange(first, first + n) % 30000
    rows[:, 2] = 2048
    return rows


def packet(
    first: int, n: int = N, *, epoch: int = 7, kind: PacketKind = PacketKind.LIVE, at_s: float | None = None
) -> bytes:
    time_us = round((1000.0 + first / RATE_HZ if at_s is None else at_s) * 1e6)
    return SamplePacket(kind, PacketFlags.NONE, epoch, first, time_us, counts(first, n)).encode()


class Conversation:
    """Tell a driver what a sensor says, keep what comes back; the clock goes on by 0.1 s with each message."""

    def __init__(self, driver: ReferenceDriver | None = None) -> None:
        self.driver = driver or ReferenceDriver(RATE_HZ)
        self.now_ns = 1_800_000_000_000_000_000
        self.blocks: list[ImuBlock] = []
        self.notices: list[Notice] = []
        self.actions: list[object] = []
        self.messages: list[object] = []

    def take(self, message: LinkUp | LinkDown | Heard) -> Self:
        self.messages.append(message)
        reply = self.driver.take(message)
        self.blocks += reply.blocks
        self.notices += reply.notices
        self.actions = list(reply.actions)
        return self

    def hear(self, uuid: str, payload: bytes, after_s: float = 0.1) -> Self:
        self.now_ns += round(after_s * 1e9)
        return self.take(Heard(self.now_ns, uuid, payload))

    def data(self, *args: object, **kwargs: object) -> Self:
        return self.hear(protocol.DATA_UUID, packet(*args, **kwargs))  # type: ignore[arg-type]

    def backfill(self, first: int, n: int = N) -> Self:
        return self.hear(protocol.BACKFILL_UUID, packet(first, n, kind=PacketKind.BACKFILL))

    def answer(self, op: Op, status: AnswerStatus = AnswerStatus.OK, fields: Fields | None = None) -> Self:
        return self.hear(protocol.CONTROL_UUID, Answer(op, 1, status, fields or Fields()).encode())

    def connect(self, info: Info = INFO, config: Config = CONFIG) -> Self:
        self.take(LinkUp(self.now_ns))
        self.hear(protocol.SERIAL_NUMBER_UUID, b"0042")
        self.hear(protocol.INFO_UUID, info.encode())
        self.answer(Op.SET_CONFIG).answer(Op.START)
        return self.hear(protocol.CONFIG_UUID, config.encode())

    def requests(self) -> list[protocol.Request]:
        found = [protocol.decode_request(a.payload) for a in self.actions if isinstance(a, Write)]
        assert all(isinstance(one, protocol.Request) for one in found)
        return found  # type: ignore[return-value]

    @property
    def numbers(self) -> list[int]:
        """Numbers of the samples that came out."""
        scale = CONFIG.acceleration_scale_m_s2
        return [round(value / scale) for block in self.blocks for value in block.acceleration_m_s2[:, 0]]

    @property
    def times(self) -> np.ndarray:
        return np.concatenate([block.device_time_s for block in self.blocks])

    def notices_of(self, kind: type[Notice]) -> list[Notice]:
        return [notice for notice in self.notices if isinstance(notice, kind)]


def test_it_subscribes_before_it_asks_for_samples() -> None:
    talk = Conversation().take(LinkUp(0))
    subscribed = [a.characteristic for a in talk.actions if isinstance(a, Subscribe)]
    assert {protocol.DATA_UUID, protocol.BACKFILL_UUID, protocol.CONTROL_UUID} <= set(subscribed)
    assert isinstance(talk.actions[-1], Read) and talk.actions[-1].characteristic == protocol.INFO_UUID
    assert not talk.requests()
    talk.hear(protocol.INFO_UUID, INFO.encode())
    assert [(r.op, r.fields.nominal_rate_hz) for r in talk.requests()] == [(Op.SET_CONFIG, RATE_HZ)]
    assert [r.op for r in talk.answer(Op.SET_CONFIG).requests()] == [Op.START]
    assert talk.answer(Op.START).actions == [Read(protocol.CONFIG_UUID)]


def test_samples_come_out_in_si_units_from_time_zero() -> None:
    talk = Conversation().connect().data(0).data(10)
    assert talk.numbers == list(range(20))
    np.testing.assert_allclose(talk.times, np.arange(20) / RATE_HZ, atol=1e-9)
    np.testing.assert_allclose(talk.blocks[0].acceleration_m_s2[0], [0, 0, 9.80665], rtol=1e-6)
    (who,) = talk.notices_of(Identified)
    assert isinstance(who, Identified)
    assert (who.serial, who.sampling_rate_hz) == ("0042", RATE_HZ)


def test_packets_wait_for_the_config_of_their_epoch() -> None:
    talk = Conversation().take(LinkUp(0)).hear(protocol.INFO_UUID, INFO.encode()).answer(Op.SET_CONFIG)
    talk.data(0)
    assert talk.actions == [Read(protocol.CONFIG_UUID)]
    assert talk.data(10).actions == []
    assert talk.numbers == []
    talk.hear(protocol.CONFIG_UUID, CONFIG.encode())
    assert talk.numbers == list(range(20))


def test_answers_to_another_computer_are_passed_over() -> None:
    """A client was killed, and the sensor streams on until it is configured again."""
    talk = Conversation().take(LinkUp(0)).data(70, epoch=6).hear(protocol.INFO_UUID, INFO.encode())
    talk.data(80, epoch=6).hear(protocol.CONFIG_UUID, replace(CONFIG, epoch=6).encode()).data(90, epoch=6)
    talk.answer(Op.SET_CONFIG).answer(Op.START).hear(protocol.CONFIG_UUID, CONFIG.encode()).data(0)
    assert talk.numbers == list(range(10))
    assert not talk.notices_of(Restarted)


def test_a_connection_lost_before_the_configuration_is_configured_again() -> None:
    talk = Conversation().take(LinkUp(0)).hear(protocol.INFO_UUID, INFO.encode())
    talk.take(LinkDown(talk.now_ns)).take(LinkUp(talk.now_ns)).hear(protocol.INFO_UUID, INFO.encode())
    assert [r.op for r in talk.requests()] == [Op.SET_CONFIG]


def test_a_hole_is_asked_for_and_filled_in_order() -> None:
    talk = Conversation().connect().data(0).data(30)
    (request,) = talk.requests()
    assert (request.op, request.fields.first_index, request.fields.count) == (Op.RESEND, 10, 20)
    assert request.fields.epoch == 7
    talk.data(40)
    assert not talk.requests()
    assert talk.numbers == list(range(10))
    talk.answer(Op.RESEND, fields=Fields(first_index=10, count=20)).backfill(10).backfill(20)
    assert talk.numbers == list(range(50))
    assert [n.samples for n in talk.notices_of(SamplesRecovered)] == [10, 10]  # type: ignore[union-attr]
    assert not talk.notices_of(SamplesLost)


def test_samples_that_the_sensor_has_overwritten_are_reported_lost() -> None:
    talk = Conversation().connect().data(0).data(100)
    talk.answer(Op.RESEND, fields=Fields(first_index=60, count=40))
    assert talk.notices_of(SamplesLost) == [SamplesLost(50)]
    for first in (60, 70, 80, 90):
        talk.backfill(first)
    assert talk.numbers == [*range(10), *range(60, 110)]
    assert talk.times[10] - talk.times[9] == pytest.approx(0.51)


@pytest.mark.parametrize("status", [AnswerStatus.NOT_AVAILABLE, AnswerStatus.UNKNOWN_OP])
def test_a_sensor_that_keeps_nothing_is_not_waited_for(status: AnswerStatus) -> None:
    talk = Conversation().connect().data(0).data(20).answer(Op.RESEND, status)
    assert talk.notices_of(SamplesLost) == [SamplesLost(10)]
    assert talk.numbers == [*range(10), *range(20, 30)]


def test_the_end_of_a_resend_gives_up_what_did_not_come() -> None:
    talk = Conversation().connect().data(0).data(40)
    talk.answer(Op.RESEND, fields=Fields(first_index=10, count=30)).backfill(10)
    talk.backfill(40, 0)
    assert talk.numbers == [*range(20), *range(40, 50)]
    assert talk.notices_of(SamplesLost) == [SamplesLost(20)]


def test_a_sensor_that_does_not_answer_is_asked_again_and_then_given_up() -> None:
    talk = Conversation().connect().data(0).data(20)
    asked, first = 1, 30
    while not talk.notices_of(SamplesLost):
        talk.hear(protocol.DATA_UUID, packet(first), after_s=0.5)
        asked += len(talk.requests())
        first += 10
        assert first < 1000
    assert asked == TRIES
    assert talk.numbers == [*range(10), *range(20, first)]


@pytest.mark.parametrize("loss", [0.05, 0.33, 0.6])
def test_under_lasting_loss_nothing_waits_longer_than_12_s_and_all_is_accounted_for(loss: float) -> None:
    """A radio that loses packets, resent ones and the ends of resends alike, for four minutes."""
    random = np.random.default_rng(3)
    talk = Conversation().connect().data(0)
    resending: list[tuple[int, int]] = []
    first, most_behind, asked = N, 0, 0
    for _ in range(2400):  # of 0.1 s
        asked += len(talk.requests())
        resending += [(r.fields.first_index or 0, r.fields.count or 0) for r in talk.requests()]
        talk.now_ns += 100_000_000
        if random.random() >= loss:
            talk.hear(protocol.DATA_UUID, packet(first), after_s=0.0)
        first += N
        for _ in range(3):  # resent packets come between live ones
            if not resending:
                break
            start, count = resending[0]
            resending[0] = (start + N, count - N)
            n = N if count > 0 else 0
            if count <= 0:
                resending.pop(0)
            if random.random() >= loss:
                talk.hear(protocol.BACKFILL_UUID, packet(start, n, kind=PacketKind.BACKFILL), after_s=0.0)
        delivered = sum(len(block) for block in talk.blocks)
        lost = sum(one.samples or 0 for one in talk.notices_of(SamplesLost))  # type: ignore[union-attr]
        most_behind = max(most_behind, first - delivered - lost)
    assert most_behind <= 12.5 * RATE_HZ + 20 * N
    assert asked < 400, "one request for all holes"
    talk.driver.finish()
    assert (np.diff(talk.times) > 0).all()


def test_a_rate_that_no_chip_has_is_replaced_by_the_nominal_one() -> None:
    config = Config(7, RATE_HZ, 1.9e21, 16, 2000, 16 * 9.80665 / 32768, math.radians(0.07))
    talk = Conversation().connect(config=config).data(0)
    assert talk.times[-1] - talk.times[0] == pytest.approx(0.09, abs=0.001)
    (identified,) = talk.notices_of(Identified)
    assert identified.sampling_rate_hz == RATE_HZ  # type: ignore[union-attr]


def test_after_a_lost_connection_the_missing_samples_are_asked_for() -> None:
    talk = Conversation().connect().data(0)
    talk.take(LinkDown(talk.now_ns)).take(LinkUp(talk.now_ns))
    talk.hear(protocol.INFO_UUID, INFO.encode())
    assert [r.op for r in talk.requests()] == [Op.START], "no new configuration: it would begin a new epoch"
    talk.data(500)
    assert [(r.op, r.fields.first_index, r.fields.count) for r in talk.requests()] == [(Op.RESEND, 10, 490)]
    assert not talk.notices_of(Restarted)
    for first in range(10, 500, 10):
        talk.backfill(first)
    assert talk.numbers == list(range(510))


def test_a_hole_that_was_being_filled_is_asked_for_again_after_a_drop() -> None:
    talk = Conversation().connect().data(0).data(100).backfill(10)
    talk.take(LinkDown(talk.now_ns)).take(LinkUp(talk.now_ns)).hear(protocol.INFO_UUID, INFO.encode())
    requests = talk.requests() + talk.data(110).requests()
    assert [(r.fields.first_index, r.fields.count) for r in requests if r.op is Op.RESEND] == [(20, 80)]


def test_a_reboot_goes_on_after_a_gap_at_the_time_of_arrival() -> None:
    talk = Conversation().connect()
    for first in range(0, 100, 10):
        talk.data(first)
    talk.take(LinkDown(talk.now_ns))
    talk.now_ns += 5_000_000_000
    other_boot, other_config = replace(INFO, boot_id=2), replace(CONFIG, epoch=1)
    talk.connect(other_boot, other_config)
    talk.hear(protocol.DATA_UUID, packet(0, epoch=1, at_s=0.2))
    assert talk.notices_of(Restarted) == [Restarted()]
    assert talk.numbers == [*range(100), *range(10)]
    gap_s = talk.times[100] - talk.times[99]
    assert 5.0 < gap_s < 6.5
    assert np.all(np.diff(talk.times) > 0)


def test_a_jump_of_the_clock_in_one_packet_is_ignored() -> None:
    talk = Conversation().connect()
    for first in range(0, 50, 10):
        talk.data(first)
    talk.data(50, at_s=1e6)
    for first in range(60, 100, 10):
        talk.data(first)
    assert talk.numbers == list(range(100))
    assert np.all(np.diff(talk.times) > 0)
    assert talk.times[-1] < 2.0


def test_a_packet_stamped_a_little_early_does_not_turn_time_back() -> None:
    talk = Conversation().connect().data(0).data(10, at_s=1000.04).data(20)
    assert talk.numbers == list(range(30))
    assert np.all(np.diff(talk.times) > 0)


def test_another_version_is_refused_in_a_sentence() -> None:
    talk = Conversation().take(LinkUp(0)).hear(protocol.INFO_UUID, replace(INFO, major=2).encode())
    (refused,) = talk.notices_of(Refused)
    assert isinstance(refused, Refused)
    assert refused.wrong_version
    assert "install a newer version of this program" in refused.sentence
    assert talk.data(0).actions == []


def test_a_motion_chip_that_fails_is_refused() -> None:
    talk = Conversation().take(LinkUp(0)).hear(protocol.INFO_UUID, INFO.encode()).answer(Op.SET_CONFIG)
    talk.answer(Op.START, AnswerStatus.SENSOR_FAILED)
    (refused,) = talk.notices_of(Refused)
    assert isinstance(refused, Refused)
    assert "switch the sensor off and on" in refused.sentence


def test_the_charge_is_reported_when_it_changes() -> None:
    talk = Conversation().connect()
    for payload in (b"\x50", b"\x50", b"\x4f", b"", b"\xff"):
        talk.hear(protocol.BATTERY_LEVEL_UUID, payload)
    assert talk.notices_of(Battery) == [Battery(80.0), Battery(79.0)]


def test_it_is_recognised_by_its_service() -> None:
    assert REFERENCE.recognises(Advertisement(services=(protocol.SERVICE_UUID,)))
    assert not REFERENCE.recognises(Advertisement(name="IMU-0042"))


UUIDS = [
    protocol.DATA_UUID,
    protocol.BACKFILL_UUID,
    protocol.CONTROL_UUID,
    protocol.CONFIG_UUID,
    protocol.INFO_UUID,
    protocol.BATTERY_LEVEL_UUID,
    protocol.SERIAL_NUMBER_UUID,
]
valid = st.builds(
    lambda first, n, epoch, kind, at_s: packet(first, n, epoch=epoch, kind=kind, at_s=at_s),
    st.integers(0, 300),
    st.integers(0, 20),
    st.sampled_from([7, 8]),
    st.sampled_from([PacketKind.LIVE, PacketKind.BACKFILL]),
    st.one_of(st.none(), st.floats(0, 2000)),
)
anything = st.one_of(
    st.tuples(st.sampled_from(UUIDS[:2]), valid),
    st.tuples(st.sampled_from(UUIDS), st.binary(max_size=60)),
    st.just((protocol.CONFIG_UUID, CONFIG.encode())),
    st.just((protocol.INFO_UUID, INFO.encode())),
    st.sampled_from(["up", "down"]),
)


@given(st.lists(anything, max_size=60))
def test_whatever_is_heard_nothing_raises_and_a_replay_gives_the_same(heard: list[object]) -> None:
    live = Conversation().connect()
    for one in heard:
        if one == "up":
            live.take(LinkUp(live.now_ns))
        elif one == "down":
            live.take(LinkDown(live.now_ns))
        else:
            live.hear(*one)  # type: ignore[misc]
    again = Conversation()
    for message in live.messages:
        again.take(message)  # type: ignore[arg-type]
    for talk in (live, again):
        talk.blocks += talk.driver.finish().blocks
    assert live.notices == again.notices
    assert live.numbers == again.numbers
    if live.blocks:
        times = live.times
        assert np.all(np.isfinite(times)) and np.all(np.diff([b.device_time_s[0] for b in live.blocks]) > 0)
        np.testing.assert_array_equal(times, again.times)


@given(st.data())
def test_lost_and_delivered_samples_add_up(data: st.DataObject) -> None:
    """Of 40 packets some come late by being asked for, some twice, some never."""
    never = data.draw(st.sets(st.integers(1, 38)))
    first_time = [i for i in range(40) if i not in never and (i in (0, 39) or data.draw(st.booleans()))]
    talk = Conversation().connect()
    for i in first_time:
        talk.data(i * N)
    for i in data.draw(st.permutations([i for i in range(40) if i not in never])):
        talk.backfill(i * N)
    talk.backfill(400, 0)
    talk.notices += talk.driver.finish().notices
    lost = sum(n.samples for n in talk.notices_of(SamplesLost))  # type: ignore[union-attr,misc]
    assert talk.numbers == [i * N + k for i in range(40) if i not in never for k in range(N)]
    assert lost == N * len(never)


@dataclass(frozen=True)
class Numbers:
    first_index: int
    values: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.values)

    def after(self, samples: int) -> Numbers:
        return Numbers(self.first_index + samples, self.values[samples:])


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=60))
def test_in_order_gives_each_number_once_and_counts_the_rest(pieces: list[tuple[int, int]]) -> None:
    lost: list[int] = []
    order: InOrder[Numbers] = InOrder(lost.append)
    out: list[int] = []
    for first, n in pieces:
        for run in order.push(Numbers(first, tuple(range(first, first + n))), 0.0):
            out += run.values
    for run in order.finish():
        out += run.values
    given_numbers = {i for first, n in pieces for i in range(first, first + n)}
    begin = next((first for first, n in pieces if n), 0)
    wanted = sorted(i for i in given_numbers if i >= begin)
    assert out == wanted
    assert sum(lost) == (wanted[-1] - begin + 1 - len(wanted) if wanted else 0)


def test_a_timeline_goes_on_through_restarts() -> None:
    line = Timeline()
    np.testing.assert_allclose(line.place(np.array([50.0, 50.1]), 1000.3), [0.0, 0.1])
    np.testing.assert_allclose(line.place(np.array([50.2, 50.3]), 1000.35), [0.2, 0.3])
    line.restart()
    after = line.place(np.array([0.0, 0.1]), 1010.15)  # 9.8 s after the packet that waited least
    np.testing.assert_allclose(after, [10.0, 10.1])
    line.restart()
    sooner = line.place(np.array([7.0]), 1000.0)  # this computer's clock went back
    assert sooner[0] > after[-1]
    assert line.moment(1000.0) == pytest.approx(float(sooner[0]))
