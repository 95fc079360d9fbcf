"""Particulars of single sensors: their refusals, their commands, and the peculiarities of their bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from radioless import STARTED_NS, Carried, carry, make

from imu.samples import ImuBlock
from imu.sensors import KINDS, boards, kind_named, metamotion, movella_dot, movesense, polar, recognise, witmotion
from imu.sensors.boards import THINGY52
from imu.sensors.conversation import (
    Action,
    Advertisement,
    Caution,
    Driver,
    Heard,
    Identified,
    LinkUp,
    Malformed,
    Message,
    Refused,
    Reply,
    Restarted,
    SamplesLost,
    Subscribe,
    Write,
)
from imu.sensors.driver import M_S2_PER_G, MODEL_NUMBER
from imu.sensors.metamotion import METAMOTION
from imu.sensors.movella_dot import MOVELLA_DOT
from imu.sensors.movesense import MOVESENSE
from imu.sensors.polar import CONTROL_POINT, DATA, POLAR, Measurement, Op, Setting, choose_settings
from imu.sensors.witmotion import WITMOTION
from imu.virtual.packet_twins import MovesenseTwin, PolarTwin, WitMotionTwin
from imu.virtual.person import SimulatedSession
from imu.virtual.vendor_twins import THINGY_FACTORY_CONFIGURATION, MovellaDotTwin, Thingy52Twin


@pytest.fixture(scope="session")
def signal(training: SimulatedSession) -> ImuBlock:
    return training.block


def connected(driver: Driver) -> Reply:
    return driver.take(LinkUp(STARTED_NS))


def hear(driver: Driver, characteristic: str, payload: bytes, after_s: float = 0.0) -> Reply:
    return driver.take(Heard(STARTED_NS + round(after_s * 1e9), characteristic, payload))


def written(actions: Sequence[Action]) -> list[bytes]:
    return [action.payload for action in actions if isinstance(action, Write)]


def refusal(reply: Reply) -> str:
    (refused,) = [notice for notice in reply.notices if isinstance(notice, Refused)]
    return refused.sentence


def is_one_sentence(sentence: str) -> bool:
    return sentence[0].isupper() and sentence.endswith(".") and ". " not in sentence and len(sentence) < 160


# --- Movesense --------------------------------------------------------------------------------------------------------


def movesense_answer(status: int) -> bytes:
    return bytes((movesense.ANSWER, movesense.IMU_REFERENCE)) + status.to_bytes(2, "little")


def test_movesense_tries_other_forms_and_rates_before_it_gives_up() -> None:
    driver = make(MOVESENSE)
    actions = connected(driver).actions
    last_subscription = max(i for i, action in enumerate(actions) if isinstance(action, Subscribe))
    assert all(i > last_subscription for i, action in enumerate(actions) if isinstance(action, Write))
    asked = [written(actions)[-1]]
    while True:
        reply = hear(driver, movesense.NOTIFICATIONS, movesense_answer(404))
        if not reply.actions:
            break
        asked += written(reply.actions)
    assert asked == [b"\x01\x63/Meas/IMU6/" + path for path in (b"104", b"104\0", b"52", b"52\0")]
    assert "update" in refusal(reply)
    assert driver.take(LinkUp(STARTED_NS)) == Reply()
    assert driver.stop() == ()


@pytest.mark.parametrize("status", [429, 507, 0x01FB])
def test_movesense_without_room_says_what_to_do(status: int) -> None:
    driver = make(MOVESENSE, 52.0)
    connected(driver)
    reply = hear(driver, movesense.NOTIFICATIONS, movesense_answer(status))
    if reply.actions:
        reply = hear(driver, movesense.NOTIFICATIONS, movesense_answer(status))
    assert "battery" in refusal(reply)
    assert is_one_sentence(refusal(reply))


class WantsTextTerminated(MovesenseTwin):
    """Takes a path with a NUL at its end only."""

    def _subscribe(self, reference: int, path: str, now_s: float) -> int:
        return super()._subscribe(reference, path[:-1], now_s) if path.endswith("\0") else 404


def test_movesense_that_wants_its_text_terminated(signal: ImuBlock) -> None:
    carried = carry(make(MOVESENSE), WantsTextTerminated(signal, 0), 4.0)
    assert len(carried.block) > 300


def imu6(stamp_ms: int, samples: int) -> bytes:
    floats = np.tile([1.0, 2.0, 9.5], 2 * samples).astype("<f4").tobytes()
    return stamp_ms.to_bytes(4, "little") + floats


def test_movesense_packets_that_a_cut_leaves_whole_by_chance() -> None:
    """The first of two parts is as long as a shorter packet, and must not be decoded as one."""
    driver = make(MOVESENSE)
    connected(driver)
    header = bytes((movesense.DATA, movesense.IMU_REFERENCE))
    header2 = bytes((movesense.DATA_PART2, movesense.IMU_REFERENCE))
    blocks = []
    for i in range(5):
        packet = imu6(1000 + 77 * i, 8)
        for piece in (header + packet[:148], header2 + packet[148:]):  # 148 = 4 + 6 samples
            blocks += hear(driver, movesense.NOTIFICATIONS, piece, 0.077 * i).blocks
    assert [len(block) for block in blocks] == [8] * 5
    assert np.concatenate([block.acceleration_m_s2 for block in blocks]) == pytest.approx(
        np.tile([1.0, 2.0, 9.5], (40, 1))
    )


def test_movesense_second_part_that_does_not_come() -> None:
    driver = make(MOVESENSE)
    connected(driver)
    header = bytes((movesense.DATA, movesense.IMU_REFERENCE))
    header2 = bytes((movesense.DATA_PART2, movesense.IMU_REFERENCE))
    replies = []
    for i in range(6):
        packet = imu6(1000 + 77 * i, 8)
        replies.append(hear(driver, movesense.NOTIFICATIONS, header + packet[:148], 0.077 * i))
        if i != 2:
            replies.append(hear(driver, movesense.NOTIFICATIONS, header2 + packet[148:], 0.077 * i))
    blocks = [block for reply in replies for block in reply.blocks]
    notices = [notice for reply in replies for notice in reply.notices]
    assert [len(block) for block in blocks] == [8] * 5
    assert [type(notice) for notice in notices] == [Identified, Malformed, SamplesLost]
    assert SamplesLost(8) in notices


# --- Polar ------------------------------------------------------------------------------------------------------------


def test_polar_without_a_gyroscope_is_refused_once_connected() -> None:
    driver = make(POLAR)
    connected(driver)
    reply = hear(driver, CONTROL_POINT, bytes.fromhex("0f05000000"))  # of an H10
    assert "gyroscope" in refusal(reply)
    assert is_one_sentence(refusal(reply))
    assert not reply.actions


def test_polar_in_its_charger_says_so() -> None:
    driver = make(POLAR, 52.0)
    connected(driver)
    reply = hear(driver, CONTROL_POINT, bytes.fromhex("0f6e") + bytes(15))
    while reply.actions:
        (command,) = written(reply.actions)
        status = 13 if command[0] == Op.START else 0
        parameters = bytes.fromhex("000134000101100002010800040103") if command[0] == Op.SETTINGS else b""
        answer = bytes((0xF0, command[0], command[1], status, 0)) + parameters
        reply = hear(driver, CONTROL_POINT, answer)
    assert "charger" in refusal(reply)


class WithoutSdkMode(PolarTwin):
    """Firmware before 1.1.5."""

    def _obey(self, op: int, kind: int, settings: bytes, now_s: float) -> tuple[int, bytes]:
        return (3, b"") if kind == Measurement.SDK_MODE else super()._obey(op, kind, settings, now_s)


def test_polar_without_sdk_mode_measures_at_52_hz(signal: ImuBlock) -> None:
    carried = carry(make(POLAR), WithoutSdkMode(signal, 0), 6.0)
    (identified,) = carried.notices_of(Identified)
    assert identified.sampling_rate_hz == 52.0  # type: ignore[attr-defined]
    assert len(carried.block) > 100


@pytest.mark.parametrize("has_whole_heads", [True, False], ids=["new firmware", "old firmware"])
def test_polar_answers_that_go_on_in_the_next_indication(has_whole_heads: bool) -> None:
    driver = make(POLAR, 52.0)
    connected(driver)
    hear(driver, CONTROL_POINT, bytes.fromhex("0f6e") + bytes(15))
    for measurement in (2, 5):
        hear(driver, CONTROL_POINT, bytes((0xF0, Op.STOP, measurement, 6, 0)))
    settings = bytes.fromhex("0001340001011000 0204020004000800 1000 040103")
    first, rest = settings[:9], settings[9:]
    head = bytes((0xF0, Op.SETTINGS, 2, 0))
    assert not hear(driver, CONTROL_POINT, head + b"\x01" + first).actions
    reply = hear(driver, CONTROL_POINT, (head if has_whole_heads else b"") + b"\x00" + rest)
    assert written(reply.actions) == [bytes.fromhex("02020001340001011000020108000401 03")]


def test_polar_that_stops_by_itself_is_started_again(signal: ImuBlock) -> None:
    begun = carry(make(POLAR, 52.0), PolarTwin(signal, 0), 4.0)
    driver = make(POLAR, 52.0)
    for message in begun.messages:
        driver.take(message)
    reply = hear(driver, CONTROL_POINT, bytes((1, 5, 2)), 5.0)
    assert written(reply.actions) == [bytes((Op.STOP, 2))]


def test_polar_samples_after_a_clock_reset_follow_the_earlier_ones(signal: ImuBlock) -> None:
    """Both streams are stamped by one clock: the hole is reported once, and no half of a row comes from before it."""
    before = carry(make(POLAR, 52.0), PolarTwin(signal, 0), 9.0)
    messages: list[Message] = []
    for message in before.messages:
        if isinstance(message, Heard) and message.characteristic == DATA and message.received_s > STARTED_NS / 1e9 + 5:
            stamp_ns = int.from_bytes(message.payload[1:9], "little") + 10**17
            payload = message.payload[:1] + struct.pack("<Q", stamp_ns) + message.payload[9:]
            messages.append(Heard(message.received_ns, DATA, payload))
        else:
            messages.append(message)
    driver = make(POLAR, 52.0)
    replies = [driver.take(message) for message in messages]
    notices = [notice for reply in replies for notice in reply.notices]
    assert notices.count(Restarted()) == 1
    time_s = np.concatenate([block.device_time_s for reply in replies for block in reply.blocks])
    assert (np.diff(time_s) > 0).all()
    assert 7.0 < time_s[-1] < 10.0


def test_polar_settings_are_chosen_from_the_offered_ones() -> None:
    offered = {
        Setting.RATE_HZ: (26.0, 52.0, 104.0, 208.0, 416.0),
        Setting.RESOLUTION_BITS: (16.0,),
        Setting.RANGE: (250.0, 500.0, 1000.0, 2000.0),
        Setting.CHANNELS: (3.0,),
    }
    assert choose_settings(offered, 100.0, 2000.0)[Setting.RATE_HZ] == 104
    assert choose_settings(offered, 1000.0, 2000.0)[Setting.RATE_HZ] == 208
    assert choose_settings(offered, 52.0, 4000.0)[Setting.RANGE] == 2000
    with pytest.raises(ValueError, match="without rate"):
        choose_settings({Setting.RANGE: (8.0,)}, 52.0, 8.0)


@given(data=st.binary(max_size=250), bits=st.sampled_from([16, 32]), channels=st.integers(1, 4))
def test_polar_deltas_of_any_bytes(data: bytes, bits: int, channels: int) -> None:
    samples = polar.delta_samples(data, channels, bits)
    assert samples is None or samples.shape[1] == channels


@given(data=st.binary(max_size=60), factor=st.floats(1e-6, 10))
def test_polar_frames_of_any_bytes(data: bytes, factor: float) -> None:
    for head in (b"", b"\x02" + bytes(8) + b"\x81", b"\x05" + bytes(8) + b"\x81", b"\x02" + bytes(8) + b"\x02"):
        polar.decode_frame(head + data, factor)
    polar.decode_settings(data)
    polar.decode_answer(data)


# --- Movella DOT ------------------------------------------------------------------------------------------------------


class StaysSlow(MovellaDotTwin):
    """Takes no rate."""

    def _set_rate(self, rate_hz: int) -> None:
        super()._set_rate(4)


def test_dot_that_stays_too_slow_is_refused(signal: ImuBlock) -> None:
    carried = carry(make(MOVELLA_DOT), StaysSlow(signal, 0), 2.0)
    (refused,) = carried.notices_of(Refused)
    assert "4 Hz" in refused.sentence  # type: ignore[attr-defined]
    assert is_one_sentence(refused.sentence)  # type: ignore[attr-defined]
    assert not len(carried.block)


def test_dot_in_mode_26_gives_the_same_samples() -> None:
    rates = struct.pack("<6f", 0.25, -0.5, 9.75, 10.0, -20.0, 30.5)
    blocks = []
    for characteristic, attitude in ((movella_dot.MEDIUM_PAYLOAD, b""), (movella_dot.LONG_PAYLOAD, bytes(16))):
        driver = make(MOVELLA_DOT)
        connected(driver)
        assert not hear(driver, characteristic, bytes(4) + attitude + rates).blocks, "measured for another computer"
        hear(driver, movella_dot.DEVICE_CONTROL, movella_dot.rate_command(60))
        (block,) = hear(driver, characteristic, bytes(4) + attitude + rates).blocks
        blocks.append(block)
    assert blocks[0].acceleration_m_s2.tolist() == blocks[1].acceleration_m_s2.tolist() == [[0.25, -0.5, 9.75]]
    assert blocks[0].angular_velocity_rad_s == pytest.approx(np.radians([[10.0, -20.0, 30.5]]))
    assert blocks[1].angular_velocity_rad_s.tolist() == blocks[0].angular_velocity_rad_s.tolist()


# --- WitMotion --------------------------------------------------------------------------------------------------------


def motion_frame(values: Sequence[int]) -> bytes:
    return witmotion.MOTION + struct.pack("<9h", *values)


FRAMES = st.lists(
    st.lists(st.one_of(st.integers(-32768, 32767), st.just(0x6155)), min_size=9, max_size=9), min_size=1, max_size=12
)


@given(values=FRAMES, cuts=st.lists(st.integers(1, 45), min_size=1, max_size=20))
def test_witmotion_frames_from_any_pieces(values: list[list[int]], cuts: list[int]) -> None:
    """Heads inside frames do not mislead, wherever the stream is cut."""
    stream = b"".join(motion_frame(each) for each in values) + witmotion.MOTION
    frames = witmotion.Frames()
    taken: list[bytes] = []
    at = 0
    for cut in cuts * len(stream):
        got, thrown_away = frames.push(stream[at : at + cut])
        assert thrown_away == 0
        taken += got
        at += cut
    assert taken == [motion_frame(each) for each in values]


@given(values=FRAMES, lost=st.integers(1, 19), where=st.floats(0, 1))
def test_witmotion_frame_that_lost_bytes_is_thrown_away(values: list[list[int]], lost: int, where: float) -> None:
    plain = [[value & 0x7F0F for value in each] for each in values]  # without heads inside
    whole = [motion_frame(each) for each in plain]
    stream = b"".join(whole)
    at = int(where * (len(stream) - lost))
    good = motion_frame(range(9))
    got, thrown_away = witmotion.Frames().push(stream[:at] + stream[at + lost :] + good + witmotion.MOTION)
    assert got.pop() == good
    assert all(frame in whole for frame in got)
    assert len(whole) - 2 <= len(got) < len(whole)
    assert thrown_away + lost + len(got) * witmotion.FRAME_SIZE == len(stream)


def test_witmotion_vibration_sensor_s_frames_never_become_samples() -> None:
    frame = bytes.fromhex("55611100160002000200000001 00E60A430047000A0025002500250000")[:28].ljust(28, b"\0")
    driver = make(WITMOTION)
    connected(driver)
    replies = [hear(driver, witmotion.NOTIFICATIONS, frame, 0.05 * i) for i in range(100)]
    replies.append(driver.finish())
    assert not any(reply.blocks for reply in replies)
    assert any(isinstance(notice, Malformed) for reply in replies for notice in reply.notices)


class KeepsItsRate(WitMotionTwin):
    """Takes no command."""

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        return


def test_witmotion_that_is_slower_than_requested_gives_a_caution(signal: ImuBlock) -> None:
    carried = carry(make(WITMOTION), KeepsItsRate(signal, 0), 8.0)
    sentences = [caution.sentence for caution in carried.notices_of(Caution)]  # type: ignore[attr-defined]
    assert any("10 samples a second instead of 100" in sentence for sentence in sentences)
    assert all(is_one_sentence(sentence) for sentence in sentences)
    steps_s = np.diff(carried.block.device_time_s)
    assert np.median(steps_s) == pytest.approx(0.1, rel=0.05)


def test_a_caution_is_not_repeated_at_the_next_connection(signal: ImuBlock) -> None:
    carried = carry(make(WITMOTION), WitMotionTwin(signal, 0), 12.0, away=((4.0, 5.0),))
    assert len(carried.notices_of(Identified)) == 2
    assert len(carried.notices_of(Caution)) == 1


# --- MetaMotion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("accelerometer", "gyroscope"), [("038001 01", "1380"), ("038003", "13800001")])
def test_metamotion_of_another_make_is_refused(accelerometer: str, gyroscope: str) -> None:
    driver = make(METAMOTION)
    connected(driver)
    reply = hear(driver, metamotion.NOTIFICATIONS, bytes.fromhex(accelerometer))
    reply = hear(driver, metamotion.NOTIFICATIONS, bytes.fromhex(gyroscope))
    assert is_one_sentence(refusal(reply))


def test_metamotion_samples_of_other_processors_are_not_taken() -> None:
    driver = make(METAMOTION)
    connected(driver)
    answers = ("03800101", "13800001", "090200", "090201", "090202")
    replies = [hear(driver, metamotion.NOTIFICATIONS, bytes.fromhex(answer)) for answer in answers]
    assert bytes.fromhex("09020903016011 3103") in written(replies[3].actions)
    assert bytes.fromhex("09070201") in written(replies[4].actions)
    data = struct.pack("<I6h", 1000, 0, 0, 2048, 164, 0, 0)
    (block,) = hear(driver, metamotion.NOTIFICATIONS, b"\x09\x03\x02" + data).blocks
    assert block.acceleration_m_s2 == pytest.approx(np.array([[0, 0, M_S2_PER_G]]))
    assert block.angular_velocity_rad_s == pytest.approx(np.radians([[10.0, 0, 0]]))
    other = hear(driver, metamotion.NOTIFICATIONS, b"\x09\x03\x01" + data)
    assert not other.blocks
    assert isinstance(other.notices[0], Malformed)


# --- Thingy:52 --------------------------------------------------------------------------------------------------------


def test_thingy_configuration_is_changed_in_its_rate_only(signal: ImuBlock) -> None:
    twin = Thingy52Twin(signal, 0)
    carry(make(THINGY52), twin, 1.0)
    configuration = twin.values[boards.CONFIGURATION]
    assert configuration == boards.with_rate(THINGY_FACTORY_CONFIGURATION, boards.ASKED_RATE_HZ)
    assert configuration[:6] == THINGY_FACTORY_CONFIGURATION[:6]
    assert configuration[8:] == THINGY_FACTORY_CONFIGURATION[8:]


# --- unsuitable sensors, and foreign devices --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("advertisement", "why"),
    [
        (Advertisement("Polar H10 1234ABCD"), "gyroscope"),
        (Advertisement("Polar OH1 1234ABCD"), "gyroscope"),
        (Advertisement("BBC micro:bit [vatip]"), "gyroscope"),
        (Advertisement(None, ("e95d0753-251d-470a-a062-fa1922dfa9a8",)), "gyroscope"),
        (Advertisement("InfiniTime"), "gyroscope"),
        (Advertisement("Bangle.js 1a2b"), "gyroscope"),
        (Advertisement("CC2650 SensorTag"), "ten times a second"),
        (Advertisement("WTVB01-BT50", (witmotion.SERVICE,)), "vibration"),
    ],
    ids=lambda value: value.name if isinstance(value, Advertisement) else "",
)
def test_unsuitable_sensors_are_recognised_and_refused_in_a_sentence(advertisement: Advertisement, why: str) -> None:
    kind = recognise(advertisement)
    assert kind is not None
    assert kind.refusal is not None
    assert why in kind.refusal
    assert is_one_sentence(kind.refusal)
    driver = make(kind)
    reply = connected(driver)
    assert refusal(reply) == kind.refusal
    assert not reply.actions
    assert driver.take(LinkUp(STARTED_NS)) == driver.finish() == Reply()


@pytest.mark.parametrize(
    "advertisement",
    [
        Advertisement(),
        Advertisement("Galaxy Buds", (), {0x0075: b"\x01\x02"}),
        Advertisement("Polar Vantage V2"),
        Advertisement("MI band", (), {0x0157: bytes(10)}),
        Advertisement("phone", (), {0x0301: bytes(4)}),
    ],
)
def test_other_devices_are_not_recognised(advertisement: Advertisement) -> None:
    assert recognise(advertisement) is None


def test_kinds_are_found_by_their_names() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(kind_named(kind.name) is kind for kind in KINDS)
    with pytest.raises(ValueError, match="walkman"):
        kind_named("walkman")


def test_device_information_with_odd_bytes_is_shown_as_it_can_be(signal: ImuBlock) -> None:
    twin = MovellaDotTwin(signal, 0)
    driver = make(MOVELLA_DOT)
    carried: Carried = carry(driver, twin, 1.0)
    again = make(MOVELLA_DOT)
    replies = []
    for i, message in enumerate(carried.messages):
        replies.append(again.take(message))
        if i == 0:
            again.take(Heard(STARTED_NS, MODEL_NUMBER, b"DOT\xff\x07\n \0rest"))
    (identified,) = [notice for reply in replies for notice in reply.notices if isinstance(notice, Identified)]
    assert identified.model == "DOT\ufffd"
