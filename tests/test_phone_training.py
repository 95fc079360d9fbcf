"""A phone as the sensor, from the page's socket to the summary: same counts, nothing lost, live equals replay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from virtual_phone import NEEDS_SHARE, FastClock, VirtualPhone, phone_samples

import imu
from imu.live.live_training import LiveTraining
from imu.live.training_run import Trained, TrainingRun, TrainingSettings
from imu.phone.link import PhoneLink
from imu.phone.server import PhoneAddress, phone_server
from imu.recordings.training_reader import read_training
from imu.samples import ImuBlock
from imu.sensors.conversation import Restarted, SamplesLost
from imu.session import SessionParameters, SessionSummary
from imu.training import Training as Replay
from imu.virtual.person import virtual_signal

pytestmark = NEEDS_SHARE
SPEED = 40.0


@cache
def worn() -> ImuBlock:
    return virtual_signal(3, 100.0)


@dataclass
class Training:
    run: TrainingRun
    address: PhoneAddress
    events: list[Any]
    running: asyncio.Task[Trained]


@asynccontextmanager
async def training(folder: Path, speed: float = SPEED) -> AsyncIterator[Training]:
    events: list[Any] = []
    clock = FastClock(speed)
    link = PhoneLink(clock)
    settings = TrainingSettings(100.0, "test", folder)
    async with phone_server(link, folder, address="127.0.0.1", port=0) as address:
        run = TrainingRun(link, clock, settings, LiveTraining(), lambda happened, _view: events.append(happened))
        running = asyncio.create_task(run.run())
        try:
            yield Training(run, address, events, running)
        finally:
            run.stop()
            await asyncio.gather(running, return_exceptions=True)


async def trained(folder: Path, **how: Any) -> tuple[Trained, list[Any], VirtualPhone]:
    async with training(folder) as one:
        phone = VirtualPhone(one.address, phone_samples(worn()), SPEED, **how)
        async with asyncio.timeout(60):
            await phone.play()
        one.run.stop()
        return await one.running, one.events, phone


def counts(summary: SessionSummary) -> list[tuple[str, int]]:
    return [(str(one.pattern), len(one.repetitions)) for one in summary.sets]


def replayed(path: Path) -> SessionSummary:
    log = read_training(path)
    replay = Replay(log.driver(), SessionParameters(2))
    for message in log.messages():
        replay.take(message)
    return replay.finish()[1]


def lost(events: list[Any]) -> int:
    return sum(one.samples or 0 for one in events if isinstance(one, SamplesLost))


@pytest.mark.realtime
async def test_a_training_with_a_phone_counts_as_the_plain_signal_and_replays_to_the_same(tmp_path: Path) -> None:
    done, events, phone = await trained(tmp_path, drops=((40.0, 5.0), (70.0, 1.0)), repeats=True)
    assert done.trouble is None and lost(events) == 0
    assert counts(done.summary) == counts(imu.count(worn()).summary)
    assert done.summary.samples == len(phone.samples)
    assert done.recording is not None and replayed(done.recording) == done.summary


@pytest.mark.realtime
async def test_a_page_that_is_loaded_again_goes_on_where_it_was(tmp_path: Path) -> None:
    done, events, _phone = await trained(tmp_path, drops=((30.0, 5.0),), reloads=(42.0,), sleeps=((41.5, 1.5),))
    assert lost(events) == 0 and Restarted() in events
    assert counts(done.summary) == counts(imu.count(worn()).summary)
    assert done.recording is not None and replayed(done.recording) == done.summary
