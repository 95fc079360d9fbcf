"""What happens to the link of a virtual sensor, for whoever wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class LinkChange(Enum):
    """What happens to the link of a virtual sensor; the value is for people."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LOST = "link lost"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    OUT_OF_RANGE = "out of range"
    IN_RANGE = "back in range"
    ASLEEP = "asleep until moved"
    AWAKE = "awake"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """Something happened to the link of a virtual sensor.

    Attributes
    ----------
    change : LinkChange
        What.
    detail : str
        The central's address, the characteristic or what went wrong.
    """

    change: LinkChange
    detail: str = ""
