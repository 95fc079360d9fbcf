"""Sensor Logger pushes by HTTP: in any order, twice or never, its messages give the samples of its own export."""

from __future__ import annotations

import csv
import io
import json
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

from imu.recordings.recording import read_recording
from imu.samples import Array, ImuBlock
from imu.sensors.conversation import Caution, Heard, Malformed, Refused, Reply, Restarted, SamplesLost, Write
from imu.sensors.phone import REFUSED, SETTLED
from imu.sensors.sensor_logger_push import PATIENCE_S, PUSH, START_S, SensorLoggerDriver

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


def taken(messages: list[bytes], driver: SensorLoggerDriver | None = None, start_s: float = 100.0) -> list[Reply]:
    driver = driver or SensorLoggerDriver()
    every = [driver.take(Heard(round((start_s + k * BATCH_S) * 1e9), PUSH, one)) for k, one in enumerate(messages)]
    return [*every, driver.finish()]


def joined(replies: list[Reply]) -> Array:
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
    replies = taken(shuffled(pushes(FORMS[form])))
    assert not notices(replies, SamplesLost) and not notices(replies, Malformed)
    samples, export = joined(replies), exported(FORMS[form], tmp_path)
    if form == "ios":  # no message names the platform: the sign stays as it came, which mirrors left and right
        samples[:, 1:4] *= -1
    assert samples.shape == export.shape
    assert np.allclose(samples[:, 0] - samples[0, 0], export[:, 0] - export[0, 0], atol=1e-6)
    assert np.allclose(samples[:, 1:], export[:, 1:], atol=1e-9)


def test_the_order_of_messages_changes_no_bit_of_the_samples() -> None:
    messages = pushes(FORMS["android"], until_s=20.0)
    assert np.array_equal(joined(taken(messages)), joined(taken(shuffled(messages, 2))))


def test_a_message_that_never_comes_is_reported_and_holds_up_nothing_for_long() -> None:
    messages = pushes(FORMS["android"], until_s=30.0)
    lost = 40
    replies = taken(messages[:lost] + messages[lost + 1 :])
    assert notices(replies, SamplesLost) == [SamplesLost(None)]
    arrived = [k for k, reply in enumerate(replies) if reply.blocks]
    assert arrived[0] * BATCH_S <= START_S + BATCH_S
    assert np.diff(arrived).max() * BATCH_S <= PATIENCE_S + 2 * BATCH_S
    whole, samples = joined(taken(messages)), joined(replies)
    missing_s = np.diff(samples[:, 0]).max()
    assert BATCH_S <= missing_s < BATCH_S + 0.03
    kept = np.isin(np.round(whole[:, 0], 6), np.round(samples[:, 0], 6))
    assert np.allclose(whole[kept], samples)
    # It comes after all, too late: its samples would go back in time.
    assert not taken([*messages[:lost], *messages[lost + 1 :], messages[lost]])[-2].blocks


def test_a_new_recording_in_the_app_goes_on_after_a_gap_and_late_messages_of_the_old_one_are_left_out() -> None:
    first = pushes(FORMS["android"], until_s=6.0)
    second = pushes(FORMS["android"], session="second", until_s=6.0)
    replies = taken([*first[:-1], *second[:12], first[-1], *second[12:]])
    assert len(notices(replies, Restarted)) == 1
    assert (np.diff(joined(replies)[:, 0]) > 0).all()
    assert len(joined(replies)) == len(joined(taken(first[:-1]))) + len(joined(taken(second)))


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
    replies = taken(pushes(FORMS[form], without=without, until_s=10.0), driver)
    assert not any(reply.blocks for reply in replies)
    (caution,) = notices(replies, Caution)
    assert isinstance(caution, Caution) and sentence in caution.sentence
    assert [action for reply in replies for action in reply.actions] == [
        Write(REFUSED, caution.sentence.encode(), with_response=False)
    ]
    assert notices(replies, Refused) == [Refused(caution.sentence)]  # the training has ended with nothing
    again = taken(pushes(FORMS[form], session="with all", until_s=10.0), driver, start_s=200.0)
    assert Write(SETTLED, b"", with_response=False) in [action for reply in again for action in reply.actions]
    assert any(reply.blocks for reply in again)


def test_a_slow_sampling_frequency_is_refused() -> None:
    slow = {
        name: b"\n".join(content.splitlines()[:1] + content.splitlines()[1::12])
        for name, content in FORMS["ios"].items()
        if name != "Metadata.csv"
    }
    (refused,) = notices(taken(pushes(slow)), Refused)
    assert isinstance(refused, Refused) and "set its sampling frequency to 100 Hz" in refused.sentence


def test_a_reading_of_a_clock_that_stepped_by_a_century_is_left_out() -> None:
    times_ns = [*range(10**18, 10**18 + 3 * 10**9, 10**7), 2**62 - 1]
    readings = [
        {"name": name, "time": time_ns, "values": {"x": 0, "y": 0, "z": 9.81}}
        for name in ("totalacceleration", "gyroscope")
        for time_ns in times_ns
    ]
    push = {"messageId": 1, "sessionId": "s", "deviceId": "d", "payload": readings}
    rows = joined(taken([json.dumps(push).encode()]))
    assert len(rows) == len(times_ns) - 1 and np.ptp(rows[:, 0]) < 3.0


def test_the_test_message_of_the_app_begins_nothing() -> None:
    test = {"messageId": 0, "sessionId": "t", "deviceId": "phone", "payload": [{"name": "test", "time": EPOCH_MS}]}
    assert taken([json.dumps(test).encode()]) == [Reply(), Reply()]


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
    taken([body, b"[" * 100_000, body])
