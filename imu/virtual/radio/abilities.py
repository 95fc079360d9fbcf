"""What a twin may be able to do besides what every twin can; the radio finds out by asking."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Reboots(Protocol):
    """A twin that knows what a reboot does to it."""

    def reboot(self, now_s: float) -> None:
        """Begin anew, as if the battery had been taken out."""


@runtime_checkable
class Sleeps(Protocol):
    """A twin that can switch itself off."""

    @property
    def asleep(self) -> bool:
        """Whether it has."""
