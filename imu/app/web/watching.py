"""One who watches a training: what has changed since it was last told, however slow it is to listen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from imu.app.web.trail import Point

MOST_POINTS = 1000
"""A page that listens again after long needs no more of the trunk's angle than it can draw."""


class Watcher:
    """Gathers changes until they are fetched: of each thing shown only the newest, so that nobody falls behind."""

    def __init__(self) -> None:
        self._changed: dict[str, Any] = {}
        self._points: list[Point] = []
        self._said: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def take(self, changed: Mapping[str, Any], points: Sequence[Point], said: Sequence[dict[str, Any]]) -> None:
        """Take what has changed."""
        self._changed.update(changed)
        self._points = [*self._points, *points][-MOST_POINTS:]
        self._said += said
        self._news.set()

    async def news(self) -> dict[str, Any]:
        """Wait for changes, and return all of them as one object."""
        await self._news.wait()
        self._news.clear()
        news: dict[str, Any] = {"board": self._changed, "points": self._points, "said": self._said}
        self._changed, self._points, self._said = {}, [], []
        return {key: value for key, value in news.items() if value}
