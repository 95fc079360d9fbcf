"""How many tests run at a time, and fixtures that several share: a virtual radio, waiting instead of sleeping."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from hypothesis import settings

from imu.virtual.radio import VirtualRadio

settings.register_profile("any machine", deadline=None)  # slow is not wrong
settings.load_profile("any machine")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes run tests, for ``-n auto``: more than processors, as many tests wait for a radio."""
    return max(2, round(1.5 * (os.cpu_count() or 1)))


Until = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture
async def radio() -> AsyncIterator[VirtualRadio]:
    """A virtual radio in this process, switched on."""
    async with VirtualRadio() as switched_on:
        yield switched_on


@pytest.fixture
def until() -> Until:
    """Wait until a condition holds; fails after `within_s`, which is long, so that a slow machine passes."""

    async def wait(condition: Callable[[], object], within_s: float = 10.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.005)

    return wait
