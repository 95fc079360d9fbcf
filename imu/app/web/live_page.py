"""The page to train with: which sensors it offers at first. What it does is in ``live_board.js``."""

from __future__ import annotations

from typing import Any

from nicegui.element import Element

from imu.live.memory import last_sensor

VIRTUAL, NEAREST = "virtual", "any"


class LiveBoard(Element, component="live_board.js", esm={"imu-live": "live"}):
    """What a page shows of a training.

    Parameters
    ----------
    sensors : list of dict
        What can be chosen: `wanted`, `title`, `signal`.
    """

    def __init__(self, sensors: list[dict[str, str]]) -> None:
        super().__init__()
        self._props["sensors"] = sensors


def live_page() -> None:
    """Put the page together."""
    LiveBoard(known_sensors())


def known_sensors() -> list[dict[str, Any]]:
    """Return the sensors that can be chosen without looking for any."""
    last = last_sensor()
    known = (
        [] if last is None else [{"wanted": last.wanted, "title": last.name or last.kind, "signal": "used last time"}]
    )
    return [
        *known,
        {"wanted": NEAREST, "title": "The nearest sensor", "signal": "by Bluetooth"},
        {"wanted": VIRTUAL, "title": "A virtual sensor", "signal": "to try it out: a simulated person trains"},
    ]
