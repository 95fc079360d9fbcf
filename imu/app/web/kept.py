"""The store, asked from an event loop: each question in a thread of its own, so that a training is never held up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from imu.store import SessionStore
from imu.store.home import store_path

T = TypeVar("T")


def now() -> datetime:
    """Return now, in this computer's time zone."""
    return datetime.now().astimezone()


async def ask_store(question: Callable[[SessionStore], T]) -> T | None:
    """Return the answer of the store; ``None`` where nothing was ever kept, for looking makes no store.

    Raises
    ------
    ImuError
        As the question does.
    """

    def work() -> T | None:
        if not store_path().exists():
            return None
        with SessionStore.open(store_path()) as store:
            return question(store)

    return await asyncio.to_thread(work)
