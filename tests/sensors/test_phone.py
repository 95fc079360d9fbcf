"""A phone in the browser: its axes are settled by how gravity turns, and nothing that its page still has is lost."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from imu.samples import Array, ImuBlock
from imu.sensors.conversation import (
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
from imu.sensors.phone import BATCH, HAVE, HEAD, HELLO, NAME_BYTES, SAMPLE, UNSETTLED, PhoneDriver, assignments

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
