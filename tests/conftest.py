"""How many tests run at a time, and what several share: a virtual radio, a fast clock, waiting with a limit."""

# ruff: noqa: E402  what is set before the first import holds for all of them
from __future__ import annotations

import os
import sys

# Keep compiled files, even if the environment says otherwise. Compiling would be a quarter of the fast tests' time, in
# each process again, and each program that a test starts would compile this one once more.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# One thread each: several processes run tests, and threads that wait for small products spin.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import cache

gc.disable()  # until all tests are collected

import pytest
import pytest_asyncio
import typer.testing
from fast_clock import FastLoop
from hypothesis import settings

from imu.virtual.radio import VirtualRadio

# Slow is not wrong; each run draws other examples. Without CI's variable, so few that all are quick.
settings.register_profile("any machine", deadline=None, max_examples=30 if os.environ.get("CI") else 12)
settings.load_profile("any machine")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes run tests, for ``-n auto``: two more than processors, as many tests wait."""
    return (os.cpu_count() or 1) + 2


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "clock(name): the event loop's clock, 'real' (default) or 'fast' (fast_clock.py)"
    )


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give a test the event loop that its marker, or that of its file, names."""
    marker = item.get_closest_marker("clock")
    name = "real" if marker is None else marker.args[0]
    return {name: {"real": asyncio.new_event_loop, "fast": FastLoop}[name]}


LONGEST = ("session", "every_sensor", "targets", "learning", "share", "cli", "store", "terminal", "people", "recording",
           "store_commands", "units", "foreign_recordings", "simulate", "phone")  # fmt: skip
"""Subjects of the files that take longest where their marked tests are left out, the longest first."""


@pytest.hookimpl(trylast=True)  # after those that are not wanted are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, so that at the end no process waits for another one's long file."""
    slow = ("browser", "realtime", "people", "process")
    place: dict[str, int] = {}
    for item in items:
        places = [slow.index(mark.name) for mark in item.iter_markers() if mark.name in slow]
        place[item.path.name] = min([place.get(item.path.name, len(slow)), *places])
    longest = {f"test_{name}.py": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (place[item.path.name], longest.get(item.path.name, len(longest))))


def pytest_collection_finish() -> None:
    """Hide all imported and collected objects from the garbage collector: it would walk millions of them."""
    gc.collect()
    gc.freeze()
    gc.enable()


# Build the commands once, not at each call of a command in the test's own process.
typer.testing._get_command = cache(typer.testing._get_command)

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
