"""The virtual twin of our own firmware, without a radio: exact bytes, exact counts of dropped and resent samples."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firmware_protocol as protocol
from firmware_protocol import (
    Answer,
    AnswerStatus,
    AttError,
    Capabilities,
    Config,
    Faults,
    Fields,
    Op,
    PacketFlags,
    PacketKind,
    SamplePacket,
    Status,
    TimeSync,
    TimeSyncOp,
)
from imu.samples import STANDARD_GRAVITY_M_S2, ImuBlock
from imu.virtual.reference_chip import SampleRing
from imu.virtual.reference_firmware import ReferenceParameters
from imu.virtual.reference_twin import ReferenceTwin
from imu.virtual.twin import Notification, WriteRefused
from imu.virtual.vendor_twins import TWINS

ALL = (
    protocol.CONTROL_UUID,
    protocol.CONFIG_UUID,
    protocol.DATA_UUID,
    protocol.BACKFILL_UUID,
    protocol.STATUS_UUID,
    protocol.TIME_SYNC_UUID,
    protocol.BATTERY_LEVEL_UUID,
)
EXACT = ReferenceParameters(rate_error=0.0, drift_ppm=0.0, clock_s=0.0)
ONE_G = 2049
"""9.80665 m/s² at 0.488 mg a count."""


def moving(duration_s: float = 30.0, rate_hz: float = 400.0) -> ImuBlock:
    """A signal without two equal moments."""
    time = np.arange(round(duration_s * rate_hz)) / rate_hz
    swing = np.sin(2 * np.pi * 0.7 * time)
    acceleration = np.column_stack((swing, 0.3 * time / duration_s, STANDARD_GRAVITY_M_S2 + 2 * swing))
    return ImuBlock(time, acceleration, np.column_stack((swing, -swing, 0.1 * time)))


def still(duration_s: float = 1.0, up_m_s2: float = STANDARD_GRAVITY_M_S2) -> ImuBlock:
    time = np.arange(round(duration_s * 100)) / 100
    return ImuBlock(time, np.tile([0.0, 0.0, up_m_s2], (len(time), 1)), np.zeros((len(time), 3)))


class Central:
    """A central that is connected to the twin and has its own clock."""

    def __init__(self, twin: ReferenceTwin, *, mtu: int = 247, now_s: float = 100.0) -> None:
        self.twin, self.now_s = twin, now_s
        self.heard: list[Notification] = []
        self.connect(mtu)

    def connect(self, mtu: int = 247) -> None:
        self.twin.connected(self.now_s, 23)
        self.twin.mtu_changed(mtu)
        for uuid in ALL:
            self.twin.subscribed(uuid, True, self.now_s)

    def ask(self, request: protocol.Request) -> Answer:
        """Write a request and return its answer."""
        self.twin.write(protocol.CONTROL_UUID, request.encode(), self.now_s)
        said = self.twin.step(self.now_s, 1)
        answer = protocol.decode_answer(said[0].payload)
        assert isinstance(answer, Answer) and answer.request_id == request.request_id
        return answer

    def listen(self, duration_s: float, *, room: int = 100, step_s: float = 0.01) -> list[Notification]:
        """Let time pass; return the notifications of that time."""
        heard: list[Notification] = []
        for _ in range(round(duration_s / step_s)):
            self.now_s += step_s
            heard += self.twin.step(self.now_s, room)
        self.heard += heard
        return heard

    def status(self) -> Status:
        status = protocol.decode_status(self.twin.read(protocol.STATUS_UUID, self.now_s))
        assert isinstance(status, Status)
        return status

    def config(self) -> Config:
        config = protocol.decode_config(self.twin.read(protocol.CONFIG_UUID, self.now_s))
        assert isinstance(config, Config)
        return config


def packets(heard: Iterable[Notification], uuid: str = protocol.DATA_UUID) -> list[SamplePacket]:
    found = [protocol.decode_packet(said.payload) for said in heard if said.characteristic == uuid]
    assert all(isinstance(packet, SamplePacket) for packet in found)
    return found  # type: ignore[return-value]


def samples(found: Iterable[SamplePacket]) -> dict[int, tuple[int, ...]]:
    """Each sample by its index."""
    return {
        packet.first_index + row: tuple(map(int, counts))
        for packet in found
        for row, counts in enumerate(packet.counts)
    }


def running(twin: ReferenceTwin | None = None, *, mtu: int = 247, rate_hz: float = 104.0) -> Central:
    central = Central(twin or ReferenceTwin(moving(), 1, EXACT), mtu=mtu)
    central.ask(protocol.set_config(rate_hz, 1))
    assert central.ask(protocol.start(2)).status is AnswerStatus.OK
    return central


# --- exact bytes -----------------------------------------------------------------------------------------------------


def test_the_bytes_of_a_whole_conversation() -> None:
    twin = ReferenceTwin(still(), 1, ReferenceParameters(rate_error=0.0, drift_ppm=0.0, clock_s=1.0))
    central = Central(twin)
    epoch = twin.firmware.epoch
    assert twin.read(protocol.INFO_UUID, 100.0).hex() == (
        "01001400" + "7f000000" + "00400000" + twin.firmware.boot_id.to_bytes(8, "little").hex()
    )
    conversation = [
        ("0107 02024104", f"8107 00 0101{epoch + 1:02x} 02021004 03021000 0402d007"),  # 108.9 Hz -> 104 Hz
        ("0208", f"8208 00 0101{epoch + 2:02x} 050400000000 070640420f000000"),  # 1,000,000 µs
        ("0509", "8509 00"),
        ("7f0a", "ff0a 01"),
        ("010b", "810b 02"),
        ("010c 0202ffff", "810c 03"),
        ("040d 050400000000 060405000000", "840d 05"),  # all that is kept is one sample, of another epoch
    ]
    for asked, answered in conversation[:-1]:
        twin.write(protocol.CONTROL_UUID, bytes.fromhex(asked), 100.0)
        assert [said.payload.hex() for said in twin.step(100.0, 1)] == [answered.replace(" ", "")], asked
    heard = central.listen(0.1)
    assert [said.payload.hex() for said in heard if said.characteristic == protocol.DATA_UUID] == [
        f"1100{epoch + 2:02x}05 {first} {time}".replace(" ", "") + ("000000000108" + "000000000000") * 5
        for first, time in (("00000000", "40420f000000"), ("05000000", "0dfe0f000000"))
    ]
    assert ONE_G.to_bytes(2, "little").hex() == "0108"


def test_info_and_texts_describe_the_sensor() -> None:
    central = Central(ReferenceTwin(still(), 42))
    info = protocol.decode_info(central.twin.read(protocol.INFO_UUID, 1.0))
    assert isinstance(info, protocol.Info) and info.major == protocol.PROTOCOL_MAJOR
    assert info.capabilities & Capabilities.OPEN_LAB and info.buffer_samples >= 60 * 208
    assert central.twin.read(protocol.SERIAL_NUMBER_UUID, 1.0) == b"VR000042"
    assert central.twin.advertisement.name == "IMU-0042"
    assert central.twin.advertisement.services == (protocol.SERVICE_UUID,)


@pytest.mark.parametrize(("mtu", "most"), [(64, 3), (185, 10), (247, 10), (517, 10)])
def test_packets_are_as_full_as_the_mtu_allows(mtu: int, most: int) -> None:
    central = running(mtu=mtu, rate_hz=208.0)
    found = packets(central.listen(1.0))
    assert {len(packet) for packet in found} == {most}
    assert all(len(said.payload) <= mtu - 3 for said in central.heard)


def test_at_the_least_mtu_packets_are_compact() -> None:
    central = running(mtu=23)
    central.twin.firmware.clock(0)
    central.listen(0.5)
    found = packets(central.heard)
    assert {(packet.kind, len(packet)) for packet in found} == {(PacketKind.COMPACT, 1)}
    assert [packet.first_index for packet in found] == list(range(len(found)))
    assert all(len(said.payload) <= 20 for said in central.heard)


# --- samples ---------------------------------------------------------------------------------------------------------


def test_samples_are_the_signal_in_counts_at_the_chips_rate_and_then_standing_still() -> None:
    signal = moving(4.0)
    twin = ReferenceTwin(signal, 1, ReferenceParameters(rate_error=0.01, drift_ppm=0.0))
    central = running(twin)
    found = samples(packets(central.listen(6.0)))
    config = central.config()
    index = np.array(sorted(found))
    assert list(index) == list(range(len(index))) and len(index) == pytest.approx(6 * 104 * 1.01, abs=11)
    time = index / (104 * 1.01)
    counts = np.array([found[i] for i in index])
    inside = time <= signal.device_time_s[-1]
    for axis in range(3):
        expected = np.interp(time[inside], signal.device_time_s, signal.acceleration_m_s2[:, axis])
        error = counts[inside, axis] * config.acceleration_scale_m_s2 - expected
        assert np.abs(error).max() <= config.acceleration_scale_m_s2 / 2 * 1.001
        expected = np.interp(time[inside], signal.device_time_s, signal.angular_velocity_rad_s[:, axis])
        error = counts[inside, 3 + axis] * config.angular_velocity_scale_rad_s - expected
        assert np.abs(error).max() <= config.angular_velocity_scale_rad_s / 2 * 1.001
    after = counts[~inside]
    assert len(after) > 100 and (after == after[0]).all() and not after[0, 3:].any()
    norm = np.linalg.norm(after[0, :3]) * config.acceleration_scale_m_s2
    assert norm == pytest.approx(STANDARD_GRAVITY_M_S2, abs=0.01)


def test_the_signal_goes_on_without_a_connection() -> None:
    apart, together = ReferenceTwin(moving(), 1, EXACT), running()
    central = running(apart)
    central.twin.disconnected(central.now_s)
    central.now_s += 7.0
    central.connect()
    later = samples(packets(central.listen(1.0)))
    all_along = samples(packets(together.listen(8.0)))
    assert min(later) == 7 * 104 + 1
    assert later.items() <= all_along.items()


@pytest.mark.parametrize(
    ("asked", "scales"),
    [
        ((None, None), (0.488e-3 * STANDARD_GRAVITY_M_S2, math.radians(0.070))),
        ((4, 500), (0.122e-3 * STANDARD_GRAVITY_M_S2, math.radians(0.0175))),
        ((5, 9000), (0.244e-3 * STANDARD_GRAVITY_M_S2, math.radians(0.070))),
    ],
)
def test_scales_are_the_data_sheets_and_not_the_range_over_32768(
    asked: tuple[int | None, int | None], scales: tuple[float, float]
) -> None:
    central = running()
    wish = Fields(nominal_rate_hz=104.0, acceleration_range_g=asked[0], angular_velocity_range_dps=asked[1])
    central.ask(protocol.Request(Op.SET_CONFIG, 9, wish))
    config = central.config()
    assert (config.acceleration_scale_m_s2, config.angular_velocity_scale_rad_s) == pytest.approx(scales, rel=1e-6)


def test_values_beyond_the_range_are_cut_and_marked() -> None:
    central = running(ReferenceTwin(still(5.0, up_m_s2=300.0), 1, EXACT))
    packet = packets(central.listen(0.2))[0]
    assert packet.flags == PacketFlags.ACCELERATION_SATURATED
    assert packet.counts[0, 2] == np.iinfo(np.int16).max


@given(st.floats(0.1, 6553.5))
def test_a_rate_is_the_nearest_that_the_chip_has_or_refused(rate_hz: float) -> None:
    central = Central(ReferenceTwin(still(), 1))
    answer = central.ask(protocol.set_config(rate_hz))
    if answer.status is AnswerStatus.OK:
        assert answer.fields.nominal_rate_hz in (12.5, 26.0, 52.0, 104.0, 208.0, 416.0, 833.0)
        assert 0.499 <= answer.fields.nominal_rate_hz / rate_hz <= 2.01
        assert central.config().nominal_rate_hz == answer.fields.nominal_rate_hz
    else:
        assert answer.status is AnswerStatus.OUT_OF_RANGE and not 12.5 / 2 < rate_hz < 833 * 2


def test_the_clock_drifts_and_the_measured_rate_is_the_one_by_that_clock() -> None:
    parameters = ReferenceParameters(rate_error=0.012, drift_ppm=150.0, clock_s=50.0)
    central = running(ReferenceTwin(moving(), 1, parameters))
    assert central.config().measured_rate_hz is None
    heard = central.listen(8.0)
    found = packets(heard)
    span_us = found[-1].device_time_us - found[0].device_time_us
    true_s = (found[-1].first_index - found[0].first_index) / (104 * 1.012)
    assert span_us == pytest.approx(true_s * 1.00015e6, abs=2)
    assert found[0].device_time_us == 50_000_000
    honest_hz = 104 * 1.012 / 1.00015
    assert central.config().measured_rate_hz == pytest.approx(honest_hz, rel=1e-6)
    configs = [protocol.decode_config(said.payload) for said in heard if said.characteristic == protocol.CONFIG_UUID]
    assert configs == [replace(central.config(), measured_rate_hz=None), central.config()]


@given(st.lists(st.floats(0.001, 0.09), min_size=1, max_size=20), st.integers(1, 20))
def test_however_often_it_is_asked_the_live_stream_is_the_same(steps_s: list[float], room: int) -> None:
    central, usual = running(), running()
    found: list[SamplePacket] = []
    for step_s in steps_s:
        central.now_s += step_s
        found += packets(central.twin.step(central.now_s, room))
    found += packets(central.twin.step(central.now_s, 100))
    assert found == packets(usual.twin.step(central.now_s, 200))


# --- losses and resends ----------------------------------------------------------------------------------------------


def test_a_full_queue_drops_the_oldest_and_every_one_is_counted() -> None:
    central, undisturbed = running(), running()
    before = packets(central.listen(1.0))
    assert packets(central.listen(5.0, room=0)) == []
    after = packets(central.listen(1.0))
    expected = before[-1].first_index + len(before[-1])
    gap = after[0].first_index - expected
    measured = 6 * 104 + 1
    assert after[0].first_index == measured + 1 - 2 * 104  # two seconds wait, the rest is dropped
    assert gap == central.status().samples_dropped > 300
    assert central.status().queue_high_water_samples >= 2 * 104
    assert after[0].flags == PacketFlags.SAMPLES_DROPPED
    assert not any(packet.flags for packet in (*before, *after[1:]))
    all_of_it = samples(packets(undisturbed.listen(8.0)))
    assert samples([*before, *after]).items() <= all_of_it.items()
    answer = central.ask(protocol.resend(expected, gap, central.twin.firmware.epoch, 5))
    assert answer.fields == Fields(epoch=central.twin.firmware.epoch, first_index=expected, count=gap)
    again = packets(central.listen(2.0), protocol.BACKFILL_UUID)
    assert {index: all_of_it[index] for index in range(expected, expected + gap)} == samples(again)
    assert [packet.first_index for packet in again] == sorted(packet.first_index for packet in again)
    assert {packet.kind for packet in again} == {PacketKind.BACKFILL}
    assert (len(again[-1]), again[-1].first_index) == (0, expected + gap)
    assert not any(packet.flags for packet in again)


def test_a_resend_takes_nothing_from_the_live_stream() -> None:
    central, undisturbed = running(), running()
    for each in (central, undisturbed):
        each.listen(30.0)
    central.ask(protocol.resend(0, 3000))
    for _ in range(200):
        one, other = (each.listen(0.01, room=6) for each in (central, undisturbed))
        assert packets(one) == packets(other)
        assert len(packets(one, protocol.BACKFILL_UUID)) <= 2
    assert len(samples(packets(central.heard, protocol.BACKFILL_UUID))) == 3000


def test_a_resend_gives_the_samples_that_are_still_kept() -> None:
    small = ReferenceParameters(rate_error=0.0, drift_ppm=0.0, buffer_samples=500)
    central = running(ReferenceTwin(moving(), 1, small))
    central.listen(10.0)
    measured = 10 * 104 + 1
    answer = central.ask(protocol.resend(0, 10_000))
    assert (answer.fields.first_index, answer.fields.count) == (measured - 500, 500)
    assert central.ask(protocol.resend(700, 1, request_id=3)).status is AnswerStatus.BUSY
    central.heard.clear()
    central.listen(2.0)
    again = samples(packets(central.heard, protocol.BACKFILL_UUID))
    assert max(again) == measured - 1 and min(again) >= measured - 500
    assert central.ask(protocol.resend(0, 5)).status is AnswerStatus.NOT_AVAILABLE
    other_epoch = (central.twin.firmware.epoch + 1) % 256
    assert central.ask(protocol.resend(1200, 5, other_epoch)).status is AnswerStatus.NOT_AVAILABLE
    assert central.ask(protocol.Request(Op.RESEND, 4, Fields(first_index=1))).status is AnswerStatus.MISSING_FIELD


def test_a_sample_that_the_chip_lost_has_a_number_and_never_comes() -> None:
    central = running()
    central.listen(1.0)
    central.twin.firmware.lose(25)
    before = samples(packets(central.heard))
    heard = before | samples(packets(central.listen(2.0)))
    missing = set(range(min(heard), max(heard))) - set(heard)
    assert missing == set(range(105, 130))
    status = central.status()
    assert (status.samples_lost, status.samples_dropped, status.faults) == (25, 0, Faults.FIFO_OVERRUN)
    central.ask(protocol.resend(100, 40))
    again = packets(central.listen(1.0), protocol.BACKFILL_UUID)
    assert set(samples(again)) == set(range(100, 105)) | set(range(130, 140))
    assert [packet.flags for packet in again] == [0, PacketFlags.SAMPLES_DROPPED, 0]


def test_after_a_lost_connection_the_rest_is_resent() -> None:
    central, undisturbed = running(), running()
    before = packets(central.listen(2.0))
    central.twin.disconnected(central.now_s)
    central.now_s += 20.0
    central.connect()
    epoch = central.twin.firmware.epoch
    answer = central.ask(protocol.start(9))
    assert (answer.fields.epoch, answer.fields.first_index) == (epoch, 22 * 104 + 1)
    after = packets(central.listen(1.0))
    missing = before[-1].first_index + len(before[-1]), after[0].first_index
    assert not after[0].flags
    central.ask(protocol.resend(missing[0], missing[1] - missing[0], epoch))
    again = packets(central.listen(5.0), protocol.BACKFILL_UUID)
    everything = samples([*before, *again, *packets(central.heard)])
    assert set(everything) == set(range(max(everything) + 1))
    assert everything.items() <= samples(packets(undisturbed.listen(29.0))).items()
    assert central.status().samples_dropped == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=30), st.integers(1, 40), st.integers(1, 9))
def test_the_ring_keeps_the_last_samples_and_leaves_holes(
    happens: list[tuple[bool, int]], capacity: int, most: int
) -> None:
    ring = SampleRing(capacity)
    model: dict[int, int] = {}
    for is_measured, count in happens:
        first = ring.next_index
        if is_measured:
            ring.push(np.repeat(np.arange(first, first + count, dtype=np.int16)[:, None], 6, axis=1))
            model |= {index: index for index in range(first, first + count)}
        else:
            ring.skip(count)
    kept = {index for index in model if index >= ring.next_index - capacity}
    read: list[int] = []
    at = 0
    while True:
        first, counts = ring.read(at, ring.next_index, most)
        if not len(counts):
            break
        assert len(counts) <= most and list(counts[:, 0]) == list(range(first, first + len(counts)))
        read += range(first, first + len(counts))
        at = first + len(counts)
    assert read == sorted(kept)


# --- epochs, boots, sleep --------------------------------------------------------------------------------------------


def test_each_start_and_each_configuration_begins_an_epoch_and_a_second_start_does_not() -> None:
    central = running()
    epoch = central.twin.firmware.epoch
    central.listen(1.0)
    again = central.ask(protocol.start(3))
    assert (again.fields.epoch, again.fields.first_index) == (epoch, 105)
    stopped = central.ask(protocol.stop(4))
    assert stopped.fields == Fields(epoch=epoch, first_index=105)
    assert central.ask(protocol.stop(5)).status is AnswerStatus.NOT_RUNNING
    assert central.ask(protocol.mark(6)).status is AnswerStatus.NOT_RUNNING
    assert packets(central.listen(1.0)) == []
    assert central.ask(protocol.resend(100, 100)).fields.count == 5
    assert len(samples(packets(central.listen(1.0), protocol.BACKFILL_UUID))) == 5
    started = central.ask(protocol.start(7))
    assert (started.fields.epoch, started.fields.first_index) == ((epoch + 1) % 256, 0)
    central.listen(1.0)
    changed = central.ask(protocol.set_config(208.0, 8))
    assert changed.fields.epoch == (epoch + 2) % 256
    heard = central.listen(1.0)
    assert {packet.epoch for packet in packets(heard)} == {(epoch + 2) % 256}
    assert packets(heard)[0].first_index == 0 and len(samples(packets(heard))) > 180
    assert [said.payload for said in heard if said.characteristic == protocol.CONFIG_UUID] == [
        central.config().encode()
    ]


def test_mark_says_which_sample_is_the_newest_and_when_it_was() -> None:
    central = running()
    central.listen(2.5)
    answer = central.ask(protocol.mark(3))
    assert answer.fields.first_index == 260
    assert answer.fields.device_time_us == round(260 / 104 * 1e6)


def test_a_reboot_takes_clock_numbers_and_boot_id_with_it() -> None:
    central = running(ReferenceTwin(moving(), 1, ReferenceParameters(rate_error=0.0, drift_ppm=0.0, clock_s=900.0)))
    central.listen(5.0)
    boot_id, epoch = central.twin.firmware.boot_id, central.twin.firmware.epoch
    assert central.status().uptime_s == 905
    central.twin.reboot(central.now_s)
    assert central.twin.step(central.now_s, 100) == ()
    central.connect()
    assert packets(central.listen(1.0)) == []
    assert central.status() == Status(Faults.NONE, None, 3300 + 9 * 87, 31.5, 0, 0, 0, 1)
    assert central.twin.firmware.boot_id != boot_id
    started = central.ask(protocol.start())
    assert started.fields.epoch != epoch
    assert (started.fields.first_index, started.fields.device_time_us) == (0, 1_000_000)


def test_seeds_make_sensors_and_boots_of_their_own() -> None:
    twins = [ReferenceTwin(still(), seed) for seed in (1, 2, 1)]
    assert len({twin.firmware.boot_id for twin in twins}) == 2
    assert len({twin.advertisement.name for twin in twins}) == 2
    first = twins[0].firmware.boot_id
    twins[0].reboot(0.0)
    twins[2].reboot(5.0)
    assert twins[0].firmware.boot_id == twins[2].firmware.boot_id != first


def test_left_alone_it_stops_after_ten_minutes_and_not_before() -> None:
    for away_s, goes_on in ((590.0, True), (610.0, False)):
        central = running(ReferenceTwin(still(), 1, EXACT))
        epoch = central.twin.firmware.epoch
        central.twin.disconnected(central.now_s)
        central.now_s += away_s
        central.connect()
        answer = central.ask(protocol.start())
        assert (answer.fields.epoch == epoch) is goes_on
        assert (answer.fields.first_index == round(away_s * 104) + 1) is goes_on


def test_asleep_it_is_silent_until_the_person_moves_and_then_it_boots() -> None:
    time = np.arange(2000) / 100
    turning = np.zeros((2000, 3))
    turning[1500:1600, 0] = 2.0
    signal = ImuBlock(time, np.tile([0.0, 0.0, 9.81], (2000, 1)), turning)
    central = running(ReferenceTwin(signal, 1, EXACT))
    central.listen(1.0)
    boot_id = central.twin.firmware.boot_id
    assert central.ask(protocol.sleep()).status is AnswerStatus.OK
    assert not central.twin.asleep
    central.listen(0.02)
    assert central.twin.asleep
    central.twin.disconnected(central.now_s)
    assert central.listen(13.0) == [] and central.twin.asleep
    central.listen(1.5)
    assert not central.twin.asleep and central.twin.firmware.boot_id != boot_id


# --- the rest of what it says ----------------------------------------------------------------------------------------


def test_status_comes_once_a_second() -> None:
    central = running()
    heard = central.listen(5.0)
    times = [said for said in heard if said.characteristic == protocol.STATUS_UUID]
    assert len(times) == 5
    assert [protocol.decode_status(said.payload).uptime_s for said in times] == [1, 2, 3, 4, 5]  # type: ignore[union-attr]


def test_a_low_battery_is_reported_in_three_ways() -> None:
    central = running()
    assert not packets(central.listen(0.5))[0].flags
    central.twin.battery_percent = 7
    heard = central.listen(0.5)
    assert [said.payload for said in heard if said.characteristic == protocol.BATTERY_LEVEL_UUID] == [b"\x07"]
    assert packets(heard)[-1].flags == PacketFlags.LOW_BATTERY
    assert central.status().battery_mv == 3363


def test_a_time_sync_is_answered_on_the_clock_of_the_samples() -> None:
    central = running()
    asked = TimeSync(TimeSyncOp.REQUEST, 77, 123_456_789)
    central.twin.write(protocol.TIME_SYNC_UUID, asked.encode(), central.now_s + 0.25)
    reply = protocol.decode_time_sync(central.twin.step(central.now_s + 0.26, 10)[0].payload)
    assert reply == TimeSync(TimeSyncOp.REPLY, 77, 123_456_789, 250_000, 260_000)


def test_the_time_of_day_is_kept_beside_the_device_time() -> None:
    central = running()
    central.listen(1.0)
    answer = central.ask(protocol.set_time(1_790_000_000_000_000, 3))
    assert answer.fields == Fields(host_time_us=1_790_000_000_000_000, device_time_us=1_000_000)
    assert central.twin.firmware.host_time == (1_790_000_000_000_000, 1_000_000)


def test_a_chip_that_does_not_answer_is_reported() -> None:
    central = Central(ReferenceTwin(still(), 1))
    central.twin.firmware.chip_answers = False
    assert central.ask(protocol.start()).status is AnswerStatus.SENSOR_FAILED
    assert central.status().faults == Faults.SENSOR_SILENT


def test_identify_blinks() -> None:
    central = running()
    central.ask(protocol.identify())
    assert central.twin.firmware.identified == 1


@pytest.mark.parametrize(
    ("uuid", "payload", "error"),
    [
        (protocol.CONTROL_UUID, b"\x02", AttError.INVALID_LENGTH),
        (protocol.CONTROL_UUID, b"", AttError.INVALID_LENGTH),
        (protocol.TIME_SYNC_UUID, bytes(5), AttError.INVALID_LENGTH),
    ],
)
def test_writes_that_make_no_sense_are_refused(uuid: str, payload: bytes, error: AttError) -> None:
    central = running()
    with pytest.raises(WriteRefused) as refused:
        central.twin.write(uuid, payload, central.now_s)
    assert refused.value.att_error == error


def test_without_indications_there_are_no_requests_and_too_many_at_once_are_refused() -> None:
    twin = ReferenceTwin(still(), 1)
    twin.connected(0.0, 247)
    with pytest.raises(WriteRefused) as refused:
        twin.write(protocol.CONTROL_UUID, protocol.start().encode(), 0.0)
    assert refused.value.att_error == AttError.INDICATIONS_OFF
    twin.subscribed(protocol.CONTROL_UUID, True, 0.0)
    with pytest.raises(WriteRefused) as busy:
        for number in range(100):
            twin.write(protocol.CONTROL_UUID, protocol.identify(number).encode(), 0.0)
    assert busy.value.att_error == AttError.BUSY
    answers = [protocol.decode_answer(said.payload) for said in twin.step(0.1, 100)]
    assert [answer.request_id for answer in answers] == list(range(len(answers)))  # type: ignore[union-attr]


def test_without_a_subscription_nothing_is_sent() -> None:
    twin = ReferenceTwin(moving(), 1, EXACT)
    twin.connected(0.0, 247)
    twin.subscribed(protocol.CONTROL_UUID, True, 0.0)
    twin.write(protocol.CONTROL_UUID, protocol.start().encode(), 0.0)
    said = [each for step in range(300) for each in twin.step(step / 100, 100)]
    assert [each.characteristic for each in said] == [protocol.CONTROL_UUID]
    twin.subscribed(protocol.DATA_UUID, True, 3.0)
    later = [each for step in range(300, 400) for each in twin.step(step / 100, 100)]
    assert packets(later)[0].first_index == 3 * 104 + 1  # never old ones


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([protocol.CONTROL_UUID, protocol.TIME_SYNC_UUID]),
            st.one_of(
                st.binary(max_size=30),
                st.builds(lambda op, rest: bytes((op, 1)) + rest, st.integers(0, 9), st.binary(max_size=20)),
            ),
            st.integers(0, 12),
        ),
        max_size=12,
    )
)
def test_no_bytes_break_it(writes: list[tuple[str, bytes, int]]) -> None:
    central = running()
    for uuid, payload, room in writes:
        try:
            central.twin.write(uuid, payload, central.now_s)
        except WriteRefused:
            continue
        finally:
            central.now_s += 0.3
            said = central.twin.step(central.now_s, room)
            assert len(said) <= room
            assert all(len(each.payload) <= 244 for each in said)


@pytest.mark.parametrize("wrong", [{"rates_hz": ()}, {"battery_percent": 101}, {"buffer_samples": 0}])
def test_parameters_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ReferenceParameters(**wrong)  # type: ignore[arg-type]


def test_it_is_among_the_kinds() -> None:
    assert isinstance(TWINS["reference"](still(), 5), ReferenceTwin)
