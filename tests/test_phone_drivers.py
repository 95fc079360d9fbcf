"""A phone as a sensor: its axes settle, nothing that its page has is lost, and Sensor Logger pushes in any order."""

from __future__ import annotations

import csv
import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from foreign_exports import (
    EPOCH_MS,
    Files,
    in_folder,
    sensor_logger_android,
    sensor_logger_ios,
    sensor_logger_uncalibrated,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from imu.recordings.recording import read_recording
from imu.samples import Array, ImuBlock
from imu.sensors.conversation import (
    Caution,
    Heard,
    LinkDown,
    LinkUp,
    Malformed,
    Message,
    Refused,
    Reply,
    Restarted,
    SamplesLost,
    Write,
)
from imu.sensors.phone import (
    BATCH,
    HAVE,
    HEAD,
    HELLO,
    NAME_BYTES,
    REFUSED,
    SAMPLE,
    SETTLED,
    UNSETTLED,
    PhoneDriver,
    assignments,
)
from imu.sensors.sensor_logger_push import PATIENCE_S, PUSH, START_S, SensorLoggerDriver

RATE_HZ = 60.0
GRAVITY = np.array([0.0, 0.0, 9.81])


def handled(seed: int, seconds: float = 26.0, *, about_one_axis: bool = False, shaking_m_s2: float = 0.4) -> Array:
    """Return samples (n, 7) of a phone that a hand turns and shakes: s, m/s², rad/s, right-handed axes."""
    rng = np.random.default_rng(seed)
    knots = np.arange(0.0, seconds + 1.5, 1.2)
    turns = rng.normal(0, 0.9, (len(knots), 3))
    if about_one_axis:
        turns[:, 1:] = 0.0
    poses = (
        Rotation.from_rotvec(np.cumsum(turns, axis=0))
        if about_one_axis
        else Rotation.concatenate([Rotation.from_rotvec(turns[:k].sum(axis=0)) for k in range(1, len(knots) + 1)])
    )
    jitter = rng.uniform(-0.2, 0.2, round(seconds * RATE_HZ))
    time_s = (np.arange(len(jitter)) + 1 + jitter) / RATE_HZ
    pose, step = Slerp(knots, poses), 1e-3
    body = pose(time_s)
    rotation = (body.inv() * pose(time_s + step)).as_rotvec() / step
    shaking = shaking_m_s2 * np.sin(2 * np.pi * time_s[:, None] * rng.uniform(0.5, 3.0, 3) + rng.uniform(0, 6, 3))
    acceleration = body.inv().apply(GRAVITY + shaking) + rng.normal(0, 0.03, (len(time_s), 3))
    return np.column_stack((time_s, acceleration, rotation + rng.normal(0, 0.01, (len(time_s), 3))))


def batch(page: int, first: int, samples: Array, received_s: float) -> Heard:
    """Return the message of samples as a page sends it."""
    rows = np.empty(len(samples), SAMPLE)
    rows["time_ms"], rows["acceleration"], rows["rotation"] = (
        samples[:, 0] * 1000.0,
        samples[:, 1:4],
        np.degrees(samples[:, 4:]),
    )
    return Heard(round(received_s * 1e9), BATCH, HEAD.pack(page, first) + rows.tobytes())


def sent(samples: Array, page: int = 7, first: int = 0, size: int = 8) -> list[Message]:
    """Return the messages of samples in batches."""
    return [
        batch(page, first + k, samples[k : k + size], 100.0 + float(samples[min(k + size, len(samples)) - 1, 0]))
        for k in range(0, len(samples), size)
    ]


def taken(driver: PhoneDriver, messages: list[Message]) -> list[Reply]:
    """Return the replies of a driver, the last one included."""
    return [*(driver.take(message) for message in messages), driver.finish()]


def blocks_of(replies: list[Reply]) -> list[ImuBlock]:
    """Return all blocks of replies."""
    return [block for reply in replies for block in reply.blocks]


def as_delivered(samples: Array, assignment: Array, sign: float = 1.0) -> Array:
    """Return what a browser with other axes delivers: `assignment` turns its rates into the right ones."""
    changed = samples.copy()
    changed[:, 1:4] *= sign
    changed[:, 4:] = samples[:, 4:] @ assignment
    return changed


@pytest.mark.parametrize(
    ("number", "sign"), [*((number, 1.0) for number in range(48)), *((number, -1.0) for number in range(0, 48, 3))]
)
def test_every_order_and_sign_of_axes_is_found(number: int, sign: float) -> None:
    samples = handled(number)
    delivered = as_delivered(samples, assignments()[number], sign)
    replies = taken(PhoneDriver(), sent(delivered))
    rotation = np.concatenate([block.angular_velocity_rad_s for block in blocks_of(replies)])
    assert len(rotation) == len(samples)
    assert np.allclose(rotation, samples[:, 4:], atol=1e-5)


@pytest.mark.parametrize("number", range(0, 48, 3))
def test_a_phone_that_is_shaken_hard_never_gets_wrong_axes(number: int) -> None:
    samples = handled(100 + number, shaking_m_s2=1.5)
    blocks = blocks_of(taken(PhoneDriver(), sent(as_delivered(samples, assignments()[number]))))
    for block, first in zip(blocks, range(0, len(samples), 8), strict=False):
        assert np.allclose(block.angular_velocity_rad_s, samples[first : first + 8, 4:], atol=1e-5)


@pytest.mark.parametrize("number", range(0, 48, 5))
def test_axes_that_do_not_settle_are_refused_and_give_no_sample(number: int) -> None:
    samples = as_delivered(handled(number, 95.0, about_one_axis=True), assignments()[number])
    replies = taken(PhoneDriver(), sent(samples))
    assert not blocks_of(replies)
    (refused,) = (notice for reply in replies for notice in reply.notices if isinstance(notice, Refused))
    assert "turn the phone once about each of its three axes" in refused.sentence


def test_a_phone_that_lies_still_is_not_guessed() -> None:
    samples = handled(0, 20.0)
    samples[:, 1:4], samples[:, 4:] = GRAVITY, 0.0
    replies = taken(PhoneDriver(), sent(samples))
    assert not blocks_of(replies)
    assert isinstance(replies[-1].notices[0], Refused)


def test_after_a_lost_connection_only_missing_samples_are_requested_and_used() -> None:
    samples = handled(3)
    driver = PhoneDriver()
    before = taken(driver, sent(samples[:400]))[:-1]
    driver.take(LinkDown(0))
    driver.take(LinkUp(0))
    hello = driver.take(Heard(0, HELLO, HEAD.pack(7, 100) + bytes(NAME_BYTES) + b"Safari"))
    assert hello.actions[0] == Write(HAVE, struct.pack("<II", 7, 400), with_response=False)
    after = taken(driver, sent(samples[320:], first=320))
    whole = blocks_of(taken(PhoneDriver(), sent(samples)))
    joined = [*blocks_of(before), *blocks_of(after)]
    assert np.array_equal(
        np.concatenate([block.angular_velocity_rad_s for block in joined]),
        np.concatenate([block.angular_velocity_rad_s for block in whole]),
    )
    assert not any(isinstance(notice, SamplesLost) for reply in after for notice in reply.notices)


def test_samples_that_the_page_has_forgotten_are_reported_as_lost() -> None:
    samples = handled(3)
    driver = PhoneDriver()
    taken(driver, sent(samples[:400]))
    reply = driver.take(batch(7, 460, samples[460:470], 120.0))
    assert SamplesLost(60) in reply.notices


def test_a_page_that_is_loaded_again_starts_over_and_keeps_its_axes() -> None:
    samples = handled(5)
    driver = PhoneDriver()
    taken(driver, sent(samples))
    later = samples[:100].copy()
    reply = driver.take(batch(8, 0, later, 130.0))
    assert Restarted() in reply.notices
    assert np.allclose(reply.blocks[0].angular_velocity_rad_s, later[:, 4:], atol=1e-5)
    assert reply.blocks[0].device_time_s[0] > samples[-1, 0] - samples[0, 0]


def test_numbers_that_no_page_reaches_are_no_samples() -> None:
    driver = PhoneDriver()
    samples = np.column_stack((np.arange(8) / 60.0, np.tile([0, 0, 9.81, 0, 0, 0], (8, 1))))
    for first in (2**32 - 8, 2**32 - 1):
        assert isinstance(driver.take(batch(7, first, samples, 1.0)).notices[0], Malformed)
    assert not driver.take(batch(7, 0, samples, 2.0)).notices


def test_a_phone_whose_time_hardly_goes_on_is_refused_before_it_fills_the_memory() -> None:
    driver, refusals = PhoneDriver(), []
    for number in range(10):
        time_s = (6000 * number + np.arange(6000)) * 1e-7
        samples = np.column_stack((time_s, np.tile([0, 0, 9.81, 0, 0, 0], (6000, 1))))
        refusals += driver.take(batch(7, 6000 * number, samples, 1.0 + number)).notices
    assert refusals == [Refused(UNSETTLED)]


@given(st.sampled_from([HELLO, BATCH, "other"]), st.binary(max_size=200))
def test_any_bytes_at_all_never_raise(name: str, payload: bytes) -> None:
    driver = PhoneDriver()
    driver.take(LinkUp(0))
    driver.take(Heard(1, name, payload))
    driver.finish()


# --- Sensor Logger ----------------------------------------------------------------------------------------------------


BATCH_S = 0.2


def pushes(files: Files, session: str = "first", without: tuple[str, ...] = (), until_s: float = np.inf) -> list[bytes]:
    """The messages that the app pushes while it writes these files, and those of other sensors beside them."""
    batches: dict[int, list[dict[str, object]]] = {}
    for name, content in files.items():
        sensor = name.removesuffix(".csv").lower()
        for row in csv.DictReader(io.StringIO(content.decode())):
            if sensor not in ("metadata", *without) and float(row["seconds_elapsed"]) < until_s:
                values = {axis: float(value) for axis, value in row.items() if axis not in ("time", "seconds_elapsed")}
                reading = {"name": sensor, "time": int(row["time"]), "values": values, "accuracy": 3}
                batches.setdefault(int(float(row["seconds_elapsed"]) / BATCH_S), []).append(reading)
    return [
        json.dumps({"messageId": number, "sessionId": session, "deviceId": "phone", "payload": batches[batch]}).encode()
        for number, batch in enumerate(sorted(batches))
    ]


def pushed_to(messages: list[bytes], driver: SensorLoggerDriver | None = None, start_s: float = 100.0) -> list[Reply]:
    driver = driver or SensorLoggerDriver()
    every = [driver.take(Heard(round((start_s + k * BATCH_S) * 1e9), PUSH, one)) for k, one in enumerate(messages)]
    return [*every, driver.finish()]


def samples_of(replies: list[Reply]) -> Array:
    """All samples, (n, 7)."""
    blocks: list[ImuBlock] = [block for reply in replies for block in reply.blocks]
    return np.concatenate(
        [
            np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))
            for block in blocks
        ]
    )


def notices(replies: list[Reply], kind: type) -> list[object]:
    return [notice for reply in replies for notice in reply.notices if isinstance(notice, kind)]


def exported(files: Files, folder: Path) -> Array:
    block = read_recording(in_folder(folder, files)).block
    return np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))


def shuffled(messages: list[bytes], seed: int = 1) -> list[bytes]:
    """Each message up to a second late, every third one twice."""
    rng = np.random.default_rng(seed)
    twice = [*enumerate(messages), *list(enumerate(messages))[::3]]
    return [message for _, message in sorted((number + rng.uniform(0, 5), message) for number, message in twice)]


FORMS = {
    "android": sensor_logger_android(),
    "ios standardised": sensor_logger_ios(standardised=True),
    "ios": sensor_logger_ios(),
    "ios raw": sensor_logger_uncalibrated(metadata=True),
}


@pytest.mark.parametrize("form", FORMS)
def test_shuffled_and_doubled_messages_give_the_samples_of_the_export(form: str, tmp_path: Path) -> None:
    replies = pushed_to(shuffled(pushes(FORMS[form])))
    assert not notices(replies, SamplesLost) and not notices(replies, Malformed)
    samples, export = samples_of(replies), exported(FORMS[form], tmp_path)
    if form == "ios":  # no message names the platform: the sign stays as it came, which mirrors left and right
        samples[:, 1:4] *= -1
    assert samples.shape == export.shape
    assert np.allclose(samples[:, 0] - samples[0, 0], export[:, 0] - export[0, 0], atol=1e-6)
    assert np.allclose(samples[:, 1:], export[:, 1:], atol=1e-9)


def test_the_order_of_messages_changes_no_bit_of_the_samples() -> None:
    messages = pushes(FORMS["android"], until_s=20.0)
    assert np.array_equal(samples_of(pushed_to(messages)), samples_of(pushed_to(shuffled(messages, 2))))


def test_a_message_that_never_comes_is_reported_and_holds_up_nothing_for_long() -> None:
    messages = pushes(FORMS["android"], until_s=30.0)
    lost = 40
    replies = pushed_to(messages[:lost] + messages[lost + 1 :])
    assert notices(replies, SamplesLost) == [SamplesLost(None)]
    arrived = [k for k, reply in enumerate(replies) if reply.blocks]
    assert arrived[0] * BATCH_S <= START_S + BATCH_S
    assert np.diff(arrived).max() * BATCH_S <= PATIENCE_S + 2 * BATCH_S
    whole, samples = samples_of(pushed_to(messages)), samples_of(replies)
    missing_s = np.diff(samples[:, 0]).max()
    assert BATCH_S <= missing_s < BATCH_S + 0.03
    kept = np.isin(np.round(whole[:, 0], 6), np.round(samples[:, 0], 6))
    assert np.allclose(whole[kept], samples)
    # It comes after all, too late: its samples would go back in time.
    assert not pushed_to([*messages[:lost], *messages[lost + 1 :], messages[lost]])[-2].blocks


def test_a_new_recording_in_the_app_goes_on_after_a_gap_and_late_messages_of_the_old_one_are_left_out() -> None:
    first = pushes(FORMS["android"], until_s=6.0)
    second = pushes(FORMS["android"], session="second", until_s=6.0)
    replies = pushed_to([*first[:-1], *second[:12], first[-1], *second[12:]])
    assert len(notices(replies, Restarted)) == 1
    assert (np.diff(samples_of(replies)[:, 0]) > 0).all()
    assert len(samples_of(replies)) == len(samples_of(pushed_to(first[:-1]))) + len(samples_of(pushed_to(second)))


@pytest.mark.parametrize(
    ("form", "without", "sentence"),
    [
        ("ios", ("gravity",), "no gravity (its accelerometer is without it): switch on Gravity too"),
        ("ios", ("gyroscope",), "no gyroscope: switch on Gyroscope"),
        ("ios", ("accelerometer", "gravity"), "no accelerometer: switch on Accelerometer and Gravity"),
        ("android", ("totalacceleration",), "no gravity"),
    ],
)
def test_a_missing_sensor_is_one_sentence_for_the_app_and_the_screen_until_it_is_there(
    form: str, without: tuple[str, ...], sentence: str
) -> None:
    driver = SensorLoggerDriver()
    replies = pushed_to(pushes(FORMS[form], without=without, until_s=10.0), driver)
    assert not any(reply.blocks for reply in replies)
    (caution,) = notices(replies, Caution)
    assert isinstance(caution, Caution) and sentence in caution.sentence
    assert [action for reply in replies for action in reply.actions] == [
        Write(REFUSED, caution.sentence.encode(), with_response=False)
    ]
    assert notices(replies, Refused) == [Refused(caution.sentence)]  # the training has ended with nothing
    again = pushed_to(pushes(FORMS[form], session="with all", until_s=10.0), driver, start_s=200.0)
    assert Write(SETTLED, b"", with_response=False) in [action for reply in again for action in reply.actions]
    assert any(reply.blocks for reply in again)


def test_a_slow_sampling_frequency_is_refused() -> None:
    slow = {
        name: b"\n".join(content.splitlines()[:1] + content.splitlines()[1::12])
        for name, content in FORMS["ios"].items()
        if name != "Metadata.csv"
    }
    (refused,) = notices(pushed_to(pushes(slow)), Refused)
    assert isinstance(refused, Refused) and "set its sampling frequency to 100 Hz" in refused.sentence


def test_a_reading_of_a_clock_that_stepped_by_a_century_is_left_out() -> None:
    times_ns = [*range(10**18, 10**18 + 3 * 10**9, 10**7), 2**62 - 1]
    readings = [
        {"name": name, "time": time_ns, "values": {"x": 0, "y": 0, "z": 9.81}}
        for name in ("totalacceleration", "gyroscope")
        for time_ns in times_ns
    ]
    push = {"messageId": 1, "sessionId": "s", "deviceId": "d", "payload": readings}
    rows = samples_of(pushed_to([json.dumps(push).encode()]))
    assert len(rows) == len(times_ns) - 1 and np.ptp(rows[:, 0]) < 3.0


def test_the_test_message_of_the_app_begins_nothing() -> None:
    test = {"messageId": 0, "sessionId": "t", "deviceId": "phone", "payload": [{"name": "test", "time": EPOCH_MS}]}
    assert pushed_to([json.dumps(test).encode()]) == [Reply(), Reply()]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "z", "a"]), inner),
    max_leaves=6,
)
READING = st.fixed_dictionaries({"name": st.sampled_from(["gyroscope", "Gravity", 3]), "time": JSON, "values": JSON})


@given(
    st.binary(max_size=80)
    | st.builds(
        lambda number, session, payload: json.dumps(
            {"messageId": number, "sessionId": session, "deviceId": "d", "payload": payload}
        ).encode(),
        JSON,
        JSON,
        st.lists(READING, max_size=4) | JSON,
    )
)
def test_any_bytes_and_any_json_never_raise(body: bytes) -> None:
    pushed_to([body, b"[" * 100_000, body])
