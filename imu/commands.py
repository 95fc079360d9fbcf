"""What a person can ask for while training. It is recorded, so that a replay does it at the same place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class PersonCommand(Enum):
    """One thing to ask for; the value stands in recordings."""

    END_SET = "end set"
    """Close the set that is going on."""
    TAKE_BACK = "take back"
    """The last repetition was none."""
    KEEP_ALONE = "keep alone"
    """The last repetition, which stood alone, is a set."""
    PAUSE = "pause"
    """Count nothing from now on."""
    RESUME = "resume"
    """Count again."""


@dataclass(frozen=True, slots=True)
class PersonAsked:
    """The person asked for something.

    Attributes
    ----------
    received_ns : int
        When, on this computer's clock, in nanoseconds since 1970.
    command : PersonCommand
        For what.
    """

    received_ns: int
    command: PersonCommand
