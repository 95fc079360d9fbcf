"""The firmware's C code as a whole sensor but for its hardware: requests, losses, and the product's own driver."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from builders import BUILDS, FOLDER, make
from hypothesis import given, settings
from hypothesis import strategies as st

import firmware_protocol as protocol
from firmware_protocol import Answer, AnswerStatus, Config, Fields, Op, PacketFlags, PacketKind, SamplePacket, Status
from imu.sensors.conversation import (
    Heard,
    Identified,
    LinkDown,
    LinkUp,
    Read,
    SamplesLost,
    SamplesRecovered,
    Subscribe,
    Write,
)
from imu.sensors.reference import REFERENCE

CHANNELS = (
    protocol.CONFIG_UUID,
    protocol.CONTROL_UUID,
    protocol.DATA_UUID,
    protocol.BACKFILL_UUID,
    protocol.STATUS_UUID,
    protocol.TIME_SYNC_UUID,
)
TRUE_RATE_HZ = 105.3
BOOT_ID = 0x1122334455667788
FIRST_EPOCH = (BOOT_ID + 1) % 256
WATERMARK = 5

pytestmark = pytest.mark.process  # a compiler builds the sensor, which runs as a process


class Sensor:
    """The C device in a process of its own, with a chip that measures a rising number."""

    def __init__(self, program: Path, capacity: int = 6400) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.mtu = 247
        self.now_us = 1_000_000
        self.measured = 0  # samples since it runs; the next one's value
        self._started_us = 0.0
        self.said = self.do(f"init {capacity} {BOOT_ID}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert status == 0

    def do(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        self.said = json.loads(self._process.stdout.readline())
        return self.said

    # --- the host

    def connect(self, *channels: str) -> None:
        self.do("connected")
        for uuid in channels or CHANNELS:
            self.subscribe(uuid)

    def subscribe(self, uuid: str) -> None:
        self.do(f"subscribed {CHANNELS.index(uuid)} 1")

    def disconnect(self) -> None:
        self.do(f"disconnected {self.now_us}")

    def write(self, payload: bytes) -> bytes:
        was_measuring = self.said["measuring"]
        said = self.do(f"request {self.now_us} {payload.hex()}")
        if said["measuring"] and (not was_measuring or payload[:1] == bytes((Op.SET_CONFIG,))):
            self.measured, self._started_us = 0, self.now_us
        return bytes.fromhex(said["answer"])

    def ask(self, request: protocol.Request) -> Answer:
        answer = protocol.decode_answer(self.write(request.encode()))
        assert isinstance(answer, Answer)
        assert (answer.op, answer.request_id) == (request.op, request.request_id)
        return answer

    def read(self, what: str) -> bytes:
        return bytes.fromhex(self.do(what + (f" {self.now_us}" if what == "status" else ""))["payload"])

    def status(self) -> Status:
        status = protocol.decode_status(self.read("status"))
        assert isinstance(status, Status)
        return status

    # --- time

    def due_us(self, sample: int) -> float:
        return self._started_us + (sample + 1) * 1e6 / TRUE_RATE_HZ

    def measure(self, samples: int, overrun: bool = False, watermark: int = WATERMARK) -> None:
        """Let the chip measure; it wakes the device for every five samples."""
        while samples > 0:
            batch = min(watermark, samples)
            ready_us = round(self.due_us(self.measured + batch - 1))
            self.now_us = max(self.now_us, ready_us)
            self.do(f"samples {ready_us} {batch - 1} {batch} {self.measured} {int(overrun)}")
            overrun = False
            self.measured += batch
            samples -= batch

    def lose(self, samples: int) -> None:
        """Let the chip measure without being read."""
        self.measured += samples

    def sends(self) -> Iterator[tuple[str, bytes]]:
        """Give what it has to send."""
        while payload := bytes.fromhex(self.do(f"next {self.mtu}")["payload"]):
            assert len(payload) <= self.mtu - 3
            yield CHANNELS[self.said["channel"]], payload

    def packets(self, uuid: str = protocol.DATA_UUID) -> list[SamplePacket]:
        """Send all there is; return the packets of one characteristic."""
        found = [protocol.decode_packet(payload) for where, payload in self.sends() if where == uuid]
        assert all(isinstance(packet, SamplePacket) for packet in found)
        return found  # type: ignore[return-value]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program of the device, built with sanitizers; test_protocol_c.py runs the same code without them too."""
    build = tmp_path_factory.mktemp("sanitized")
    make(build, *BUILDS["sanitized"], needs={"gcc": "gcc libc6-dev"})
    return build / "device_program"


@pytest.fixture
def sensor(program):
    with Sensor(program) as sensor:
        yield sensor


@pytest.fixture
def streaming(sensor):
    """A sensor that is connected and measures; what it says of its Config has been heard."""
    sensor.connect()
    assert sensor.ask(protocol.start(1)).status == AnswerStatus.OK
    assert [uuid for uuid, _ in sensor.sends()] == [protocol.CONFIG_UUID]
    return sensor


def values(packet: SamplePacket) -> list[int]:
    """Return the number of each sample as the chip counted it."""
    assert (packet.counts[:, 2:] == [1, 2, 3, 4]).all()
    return (packet.counts[:, 0].astype(int) + 30_000 * packet.counts[:, 1]).tolist()


LIVE = protocol.samples_per_packet(247, 104.0)
"""Samples of a live packet."""


def indices(packets: list[SamplePacket]) -> list[int]:
    return [packet.first_index + k for packet in packets for k in range(len(packet))]


# --- the stream -------------------------------------------------------------------------------------------------------


def test_samples_come_once_each_with_their_number_and_time(streaming):
    packets = []
    for _ in range(300):
        streaming.measure(WATERMARK)
        packets += streaming.packets()
    assert indices(packets) == list(range(1500))
    assert [value for packet in packets for value in values(packet)] == list(range(1500))
    assert {len(packet) for packet in packets} == {LIVE}
    assert {(packet.kind, packet.flags, packet.epoch) for packet in packets} == {
        (PacketKind.LIVE, PacketFlags.NONE, packets[0].epoch)
    }
    late = [packet for packet in packets if packet.first_index > 1000]
    errors_us = [packet.device_time_us - streaming.due_us(packet.first_index) for packet in late]
    assert max(map(abs, errors_us)) < 5


@pytest.mark.parametrize(("mtu", "samples"), [(23, 1), (64, 3), (185, LIVE), (517, LIVE)])
def test_packets_fit_the_mtu(streaming, mtu, samples):
    streaming.mtu = mtu
    streaming.measure(60)
    packets = streaming.packets()
    assert {len(packet) for packet in packets} == {samples}
    assert {packet.kind for packet in packets} == {PacketKind.COMPACT if mtu == 23 else PacketKind.LIVE}
    assert indices(packets) == list(range(60))


def test_the_measured_rate_is_sent_once_it_is_measured(streaming):
    configs = []
    for _ in range(1000):
        streaming.measure(WATERMARK)
        sent = [payload for uuid, payload in streaming.sends() if uuid == protocol.CONFIG_UUID]
        configs += map(protocol.decode_config, sent)
    assert all(isinstance(config, Config) for config in configs)
    assert [config.measured_rate_hz for config in configs] == [pytest.approx(TRUE_RATE_HZ, rel=1e-4)]
    assert protocol.decode_config(streaming.read("config")) == configs[-1]
    assert configs[-1].nominal_rate_hz == 104.0
    assert configs[-1].angular_velocity_scale_rad_s == pytest.approx(0.070 * np.pi / 180)


def test_the_live_stream_begins_with_samples_measured_after_the_subscription(sensor):
    sensor.connect(protocol.CONTROL_UUID)
    sensor.ask(protocol.start())
    sensor.measure(100)
    assert list(sensor.sends()) == []
    sensor.subscribe(protocol.DATA_UUID)
    sensor.measure(20)
    assert indices(sensor.packets()) == list(range(100, 120))


def test_the_rest_of_a_packet_comes_after_stop(streaming):
    streaming.measure(23)
    assert indices(streaming.packets()) == list(range(20))
    answer = streaming.ask(protocol.stop(9))
    assert answer.fields.first_index == 23
    assert not streaming.said["measuring"]
    assert indices(streaming.packets()) == [20, 21, 22]
    assert streaming.packets() == []


def test_low_battery_is_reported(streaming):
    streaming.do("battery 1")
    streaming.measure(LIVE)
    (packet,) = streaming.packets()
    assert packet.flags == PacketFlags.LOW_BATTERY


# --- losses -----------------------------------------------------------------------------------------------------------


def test_a_slow_radio_gets_the_newest_and_can_ask_for_the_rest(streaming):
    streaming.measure(10)
    assert indices(streaming.packets()) == list(range(10))
    streaming.measure(500)  # and nothing is sent meanwhile
    live = streaming.packets()
    assert indices(live) == list(range(510 - LIVE, 510))
    assert live[0].flags == PacketFlags.SAMPLES_DROPPED
    status = streaming.status()
    assert (status.samples_dropped, status.samples_lost, status.queue_high_water_samples) == (500 - LIVE, 0, 500)
    answer = streaming.ask(protocol.resend(10, 500 - LIVE, live[0].epoch, 3))
    assert (answer.status, answer.fields.first_index, answer.fields.count) == (AnswerStatus.OK, 10, 500 - LIVE)
    *backfill, end = streaming.packets(protocol.BACKFILL_UUID)
    assert [value for packet in backfill for value in values(packet)] == list(range(10, 510 - LIVE))
    assert {packet.flags for packet in backfill} == {PacketFlags.NONE}
    assert (end.kind, end.first_index, len(end)) == (PacketKind.BACKFILL, 510 - LIVE, 0)


def test_a_lost_connection_is_made_good(streaming):
    streaming.measure(100)
    before = streaming.packets()
    streaming.disconnect()
    streaming.measure(3000)
    assert list(streaming.sends()) == []
    streaming.connect()
    assert protocol.decode_info(streaming.read("info")).boot_id == BOOT_ID
    answer = streaming.ask(protocol.start(2))
    assert answer.fields.epoch == before[0].epoch
    assert answer.fields.first_index == 3100
    streaming.measure(10)
    after = streaming.packets()
    assert indices(after) == list(range(3100, 3110))
    assert after[0].flags == PacketFlags.NONE  # the first on this connection
    streaming.ask(protocol.resend(100, 3000))
    live, backfill = [], []
    for _ in range(400):  # both go on side by side
        streaming.measure(WATERMARK)
        for uuid, payload in streaming.sends():
            (live if uuid == protocol.DATA_UUID else backfill).append(protocol.decode_packet(payload))
    assert indices(before + backfill + after + live) == list(range(3110 + 2000))
    assert len(backfill[-1]) == 0


def test_overwritten_samples_are_not_promised(program):
    with Sensor(program, capacity=100) as sensor:
        sensor.connect(protocol.CONTROL_UUID, protocol.BACKFILL_UUID)
        sensor.ask(protocol.start())
        sensor.measure(250)
        answer = sensor.ask(protocol.resend(0, 200))
        assert (answer.fields.first_index, answer.fields.count) == (150, 50)
        sensor.measure(20)  # overwrites the first twenty of them
        *backfill, end = sensor.packets(protocol.BACKFILL_UUID)
        assert indices(backfill) == list(range(170, 200))
        assert backfill[0].flags == PacketFlags.SAMPLES_DROPPED
        assert end.first_index == 200
        assert sensor.ask(protocol.resend(0, 100)).status == AnswerStatus.NOT_AVAILABLE


def test_samples_lost_in_the_chip_keep_their_numbers(streaming):
    streaming.measure(1000)
    list(streaming.sends())
    streaming.lose(345)
    streaming.measure(20, overrun=True)
    packets = streaming.packets()
    assert indices(packets) == list(range(1345, 1365))
    assert [value for packet in packets for value in values(packet)] == list(range(1345, 1365))
    assert packets[0].flags == PacketFlags.SAMPLES_DROPPED
    assert packets[0].device_time_us == pytest.approx(streaming.due_us(1345), abs=20)
    status = streaming.status()
    assert (status.samples_lost, status.faults) == (345, protocol.Faults.FIFO_OVERRUN)
    streaming.ask(protocol.resend(990, 365))
    *backfill, end = streaming.packets(protocol.BACKFILL_UUID)
    assert indices(backfill) == [*range(990, 1000), *range(1345, 1355)]
    assert end.first_index == 1355


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(["measure", "fail", "send"]), max_size=60))
def test_unsent_packets_are_sent_later(program, steps):
    with Sensor(program) as sensor:
        sensor.connect()
        sensor.ask(protocol.start())
        sensor.measure(100)
        sensor.ask(protocol.resend(0, 50))
        heard = []
        for step in [*steps, *["send"] * 100]:
            if step == "measure":
                sensor.measure(WATERMARK)
                continue
            sent = next(sensor.sends(), None)
            if sent is not None and step == "send":
                heard.append(sent)
            elif sent is not None:
                sensor.do("take_back")
        by_channel = {uuid: [p for where, p in heard if where == uuid] for uuid in CHANNELS}
        assert len(by_channel[protocol.CONFIG_UUID]) == 1
        live = [protocol.decode_packet(payload) for payload in by_channel[protocol.DATA_UUID]]
        assert indices(live) == list(range(sensor.measured // LIVE * LIVE))
        assert not any(packet.flags for packet in live)
        backfill = [protocol.decode_packet(payload) for payload in by_channel[protocol.BACKFILL_UUID]]
        assert indices(backfill) == list(range(50))
        assert [len(packet) for packet in backfill].count(0) == 1


def test_each_notification_can_fail_once(streaming):
    streaming.measure(1000)
    streaming.ask(protocol.resend(0, 50))
    heard = []
    while (sent := next(streaming.sends(), None)) is not None:
        streaming.do("take_back")
        assert next(streaming.sends()) == sent
        heard.append(sent)
    assert {uuid for uuid, _ in heard} == {protocol.CONFIG_UUID, protocol.DATA_UUID, protocol.BACKFILL_UUID}
    backfill = [protocol.decode_packet(payload) for uuid, payload in heard if uuid == protocol.BACKFILL_UUID]
    assert [(packet.first_index, len(packet)) for packet in backfill] == [
        *((at, 10) for at in range(0, 50, 10)),
        (50, 0),
    ]


def test_a_failure_does_not_undo_the_next_resend(streaming):
    streaming.measure(100)
    streaming.ask(protocol.resend(0, 10))
    assert len(streaming.packets(protocol.BACKFILL_UUID)) == 2
    streaming.ask(protocol.resend(0, 10))
    streaming.measure(LIVE)
    *_, (_, end) = (next(streaming.sends()) for _ in range(3))
    assert len(protocol.decode_packet(end)) == 0
    assert streaming.ask(protocol.resend(50, 10)).status == AnswerStatus.OK
    streaming.do("take_back")  # of that end
    assert [packet.first_index for packet in streaming.packets(protocol.BACKFILL_UUID)] == [50, 60]


def test_a_lost_connection_ends_a_resend(streaming):
    streaming.measure(50)
    streaming.ask(protocol.resend(0, 50))
    streaming.disconnect()
    streaming.connect()
    assert streaming.packets(protocol.BACKFILL_UUID) == []
    assert streaming.ask(protocol.resend(0, 50)).status == AnswerStatus.OK


def test_a_resend_waits_for_an_mtu_that_holds_a_sample(streaming):
    streaming.measure(50)
    list(streaming.sends())
    streaming.ask(protocol.resend(0, 20))
    streaming.mtu = 23
    assert streaming.packets(protocol.BACKFILL_UUID) == []
    streaming.mtu = 29
    assert indices(streaming.packets(protocol.BACKFILL_UUID)) == list(range(20))


def test_counters_since_boot_go_on_over_epochs_and_connections(streaming):
    streaming.measure(1000)
    list(streaming.sends())
    assert protocol.decode_config(streaming.read("config")).measured_rate_hz is not None
    streaming.lose(300)
    streaming.measure(510, overrun=True)
    list(streaming.sends())
    before = streaming.status()
    assert (before.samples_lost, before.queue_high_water_samples) == (300, 1000)
    assert before.samples_dropped == 1000 + 510 - 2 * LIVE
    streaming.disconnect()
    streaming.connect()
    assert streaming.status() == before
    streaming.ask(protocol.set_config(104.0))
    assert streaming.status() == replace(before, queue_high_water_samples=0)
    assert protocol.decode_config(streaming.read("config")).measured_rate_hz is None


# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_change_of_configuration_begins_an_epoch(streaming):
    streaming.measure(50)
    (*_, last) = streaming.packets()
    answer = streaming.ask(protocol.set_config(200.0, 7))
    expected = Fields(
        epoch=(last.epoch + 1) % 256,
        nominal_rate_hz=208.0,
        acceleration_range_g=16,
        angular_velocity_range_dps=2000,
    )
    assert answer == Answer(Op.SET_CONFIG, 7, AnswerStatus.OK, expected)
    assert streaming.said["measuring"]
    ((uuid, payload),) = streaming.sends()
    config = protocol.decode_config(payload)
    assert (uuid, config.epoch, config.nominal_rate_hz) == (protocol.CONFIG_UUID, last.epoch + 1, 208.0)
    assert config.measured_rate_hz is None
    streaming.measure(40)
    packets = streaming.packets()
    assert indices(packets) == list(range(40))
    assert {packet.epoch for packet in packets} == {last.epoch + 1}
    assert streaming.ask(protocol.resend(0, 10, last.epoch)).status == AnswerStatus.NOT_AVAILABLE


def test_a_new_epoch_ends_a_resend_without_a_last_packet(streaming):
    streaming.measure(50)
    streaming.ask(protocol.resend(0, 50))
    streaming.ask(protocol.set_config(104.0))
    assert streaming.packets(protocol.BACKFILL_UUID) == []


def test_start_and_stop(streaming):
    streaming.measure(10)
    first = streaming.ask(protocol.start(2))
    assert (first.fields.epoch, first.fields.first_index) == (FIRST_EPOCH + 1, 10)
    assert first.fields.device_time_us == streaming.now_us
    streaming.ask(protocol.stop(3))
    assert streaming.ask(protocol.stop(4)).status == AnswerStatus.OK
    assert streaming.ask(protocol.resend(0, 10)).status == AnswerStatus.OK  # still kept
    again = streaming.ask(protocol.start(5))
    assert (again.fields.epoch, again.fields.first_index) == (FIRST_EPOCH + 2, 0)


def test_mark_time_identify_and_sleep(streaming):
    assert streaming.ask(protocol.mark(1)).status == AnswerStatus.NOT_RUNNING  # nothing measured yet
    streaming.measure(20)
    mark = streaming.ask(protocol.mark(2)).fields
    assert (mark.epoch, mark.first_index) == (FIRST_EPOCH + 1, 19)
    assert mark.device_time_us == pytest.approx(streaming.due_us(19), abs=5)
    fields = streaming.ask(protocol.set_time(1_790_000_000_000_000, 3)).fields
    assert fields == Fields(host_time_us=1_790_000_000_000_000, device_time_us=streaming.now_us)
    streaming.ask(protocol.identify(4))
    assert streaming.said["blinks"] == 1
    assert not streaming.said["sleep_wanted"]
    assert streaming.ask(protocol.sleep(5)).status == AnswerStatus.OK
    assert (streaming.said["sleep_wanted"], streaming.said["measuring"]) == (1, 0)


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ("0902", AnswerStatus.UNKNOWN_OP),
        ("0002", AnswerStatus.UNKNOWN_OP),
        ("8202", AnswerStatus.UNKNOWN_OP),
        ("7f02050401", AnswerStatus.UNKNOWN_OP),
        ("0102", AnswerStatus.MISSING_FIELD),
        ("01020202", AnswerStatus.MISSING_FIELD),
        ("010202020000", AnswerStatus.MISSING_FIELD),
        ("0402050400000000", AnswerStatus.MISSING_FIELD),
        ("0702", AnswerStatus.MISSING_FIELD),
        ("01020202e80303021100", AnswerStatus.OUT_OF_RANGE),
        ("0402050400000000060400000000", AnswerStatus.NOT_AVAILABLE),
        ("0402050400000000060401000000", AnswerStatus.NOT_AVAILABLE),
        ("0602", AnswerStatus.NOT_RUNNING),
    ],
)
def test_an_impossible_request_is_answered_with_the_reason(sensor, payload, status):
    sensor.connect()
    answer = protocol.decode_answer(sensor.write(bytes.fromhex(payload)))
    assert answer == Answer(int(payload[:2], 16) & 0x7F, 2, status)
    assert not sensor.said["measuring"]


def test_a_second_resend_has_to_wait(streaming):
    streaming.measure(100)
    assert streaming.ask(protocol.resend(0, 50)).status == AnswerStatus.OK
    assert streaming.ask(protocol.resend(50, 10)).status == AnswerStatus.BUSY
    list(streaming.sends())
    assert streaming.ask(protocol.resend(50, 10)).status == AnswerStatus.OK


def test_a_chip_that_does_not_answer_is_reported(sensor):
    sensor.connect()
    sensor.do("broken 1")
    assert sensor.ask(protocol.start()).status == AnswerStatus.SENSOR_FAILED
    sensor.do("broken 0")
    assert sensor.ask(protocol.start()).status == AnswerStatus.OK
    sensor.do("broken 1")
    assert sensor.ask(protocol.set_config(52.0)).status == AnswerStatus.SENSOR_FAILED
    assert not sensor.said["running"]


def test_a_sensor_left_alone_stops_after_ten_minutes(streaming):
    streaming.disconnect()
    streaming.measure(round(TRUE_RATE_HZ * 599))
    assert streaming.said["measuring"]
    streaming.measure(round(TRUE_RATE_HZ * 2))
    assert not streaming.said["measuring"]
    assert not streaming.said["running"]


def test_a_sensor_in_company_goes_on(streaming):
    streaming.disconnect()
    streaming.measure(round(TRUE_RATE_HZ * 590), watermark=100)
    streaming.connect()
    streaming.measure(round(TRUE_RATE_HZ * 700), watermark=100)
    assert streaming.said["measuring"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=24) | st.binary(max_size=12).map(lambda b: b"\x04\x01\x05\x04" + b), max_size=30))
def test_any_bytes_are_refused_or_answered(program, writes):
    with Sensor(program, capacity=50) as sensor:
        sensor.connect()
        for payload in writes:
            said = sensor.write(payload)
            if len(payload) < 2:
                assert said == b""
                continue
            answer = protocol.decode_answer(said)
            assert isinstance(answer, Answer)
            assert (answer.op, answer.request_id) == (payload[0] & 0x7F, payload[1])
            if sensor.said["measuring"]:
                sensor.measure(7)
            list(sensor.sends())


# --- with the product's own driver ------------------------------------------------------------------------------------


class Host:
    """The driver of our own firmware, and a computer that does what it says."""

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self.driver = REFERENCE.driver(100.0)
        self.blocks: list[Any] = []
        self.notices: list[Any] = []

    def tell(self, message) -> None:
        reply = self.driver.take(message)
        self.blocks += reply.blocks
        self.notices += reply.notices
        actions = deque(reply.actions)
        while actions:
            self.obey(actions.popleft())

    def obey(self, action) -> None:
        match action:
            case Subscribe(uuid) if uuid in CHANNELS:
                self.sensor.subscribe(uuid)
            case Read(protocol.INFO_UUID):
                self.hear(protocol.INFO_UUID, self.sensor.read("info"))
            case Read(protocol.CONFIG_UUID):
                self.hear(protocol.CONFIG_UUID, self.sensor.read("config"))
            case Write(protocol.CONTROL_UUID, payload):
                self.hear(protocol.CONTROL_UUID, self.sensor.write(payload))

    def hear(self, uuid: str, payload: bytes) -> None:
        self.tell(Heard(self.sensor.now_us * 1000, uuid, payload))

    def connect(self) -> None:
        self.sensor.do("connected")
        self.tell(LinkUp(self.sensor.now_us * 1000, self.sensor.mtu - 3))

    def disconnect(self) -> None:
        self.sensor.disconnect()
        self.tell(LinkDown(self.sensor.now_us * 1000))

    def listen(self, samples: int) -> None:
        for _ in range(samples // WATERMARK):
            self.sensor.measure(WATERMARK)
            for uuid, payload in self.sensor.sends():
                self.hear(uuid, payload)

    def notices_of(self, kind: type) -> list[Any]:
        return [notice for notice in self.notices if isinstance(notice, kind)]


def test_the_drivers_samples_are_complete_and_in_order(sensor):
    host = Host(sensor)
    host.connect()
    host.listen(2000)
    host.disconnect()
    sensor.measure(3000)  # 28 s out of range
    host.connect()
    host.listen(2000)
    sensor.lose(200)
    sensor.measure(5, overrun=True)
    host.listen(1000)
    for action in host.driver.stop():
        host.obey(action)
    for uuid, payload in sensor.sends():
        host.hear(uuid, payload)
    host.blocks += host.driver.finish().blocks
    acceleration = (
        np.concatenate([block.acceleration_m_s2 for block in host.blocks]) / host.notices_of(Identified)[0].scales[0]
    )
    numbers = np.rint(acceleration[:, 0] + 30_000 * acceleration[:, 1]).astype(int).tolist()
    assert numbers == [*range(7000), *range(7200, 8205)]
    times_s = np.concatenate([block.device_time_s for block in host.blocks])
    assert (np.diff(times_s) > 0).all()
    true_s = (np.array(numbers) - numbers[0]) / TRUE_RATE_HZ
    assert np.abs(times_s - true_s)[1000:].max() < 0.01  # before that the chip's rate is only nominal
    assert [notice.samples for notice in host.notices_of(SamplesLost)] == [200]
    assert sum(notice.samples for notice in host.notices_of(SamplesRecovered)) == 3000
    assert all(later.device_time_s[0] > earlier.device_time_s[-1] for earlier, later in pairwise(host.blocks))


# --- the firmware around it -------------------------------------------------------------------------------------------

XIAO = FOLDER / "zephyr_xiao"
COMPILERS = {"gcc": "gcc libc6-dev", "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi"}


@pytest.mark.parametrize("open_lab", [False, True])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_firmware_fits_the_portable_part(tmp_path, compiler, open_lab):
    """A check of types and names against stand-ins for Zephyr; it proves nothing of Zephyr itself."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is missing: apt-get install --no-install-recommends {COMPILERS[compiler]}")
    sources = sorted((XIAO / "src").glob("*.c"))
    for path in sorted((XIAO / "src").iterdir()):
        for header in re.findall(r"<(zephyr/[a-z_/0-9]+\.h)>", path.read_text(encoding="utf-8")):
            (tmp_path / header).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / header).write_text('#include "zephyr.h"\n')
    folders = [f"-I{folder}" for folder in (tmp_path, XIAO / "stand_ins", FOLDER / "c", XIAO / "src")]
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes"]
    lab = ["-DCONFIG_IMU_OPEN_LAB=1"] if open_lab else []
    command = [compiler, "-std=gnu11", "-fsyntax-only", *warnings, *lab, *folders, *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_build_compiles_every_source():
    listed = re.findall(r"^ +(\S+\.c)$", (XIAO / "CMakeLists.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    portable = {"${PORTABLE}/" + path.name for path in (FOLDER / "c").glob("*.c")}
    assert set(listed) == portable | {f"src/{path.name}" for path in (XIAO / "src").glob("*.c")}


def test_the_firmware_has_the_uuids_and_the_name_of_the_protocol():
    header = (XIAO / "src" / "imu_uuids.h").read_text(encoding="utf-8")
    words = re.search(
        r"BT_UUID_128_ENCODE\(0x(\w{8}) \+ \(number\), 0x(\w+), 0x(\w+), 0x(\w+), 0x(\w+)\)", header
    ).groups()
    found = {
        name: f"{int(words[0], 16) + int(number, 16):08x}-" + "-".join(words[1:])
        for name, number in re.findall(r"#define IMU_UUID_(\w+) IMU_UUID\((0x\w+)\)", header)
    }
    names = ("SERVICE", "INFO", "CONFIG", "CONTROL", "DATA", "BACKFILL", "STATUS", "TIME_SYNC")
    assert found == {name: getattr(protocol, f"{name}_UUID") for name in names}
    settings_text = (XIAO / "prj.conf").read_text(encoding="utf-8")
    assert f'CONFIG_BT_DEVICE_NAME="{protocol.NAME_PREFIX}0000"' in settings_text
    kept = int(re.search(r"config IMU_BUFFER_SAMPLES\n.*\n\tdefault (\d+)", (XIAO / "Kconfig").read_text()).group(1))
    assert kept >= 60 * 104
