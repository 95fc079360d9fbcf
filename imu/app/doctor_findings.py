"""What `imu doctor` may find."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How something is."""

    OK = "ok"
    ATTENTION = "attention"
    """Training with the virtual sensor works; something else does not."""
    PROBLEM = "problem"
    """Not even training with the virtual sensor works."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination.

    Attributes
    ----------
    name : str
        What was looked at.
    status : Status
        How it is.
    found : str
        What was found.
    advice : str or None
        What to do about it.
    """

    name: str
    status: Status
    found: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at.

    Attributes
    ----------
    name : str
        What is looked at.
    look : callable
        Gives what is found.
    if_broken : Status
        What it means if even looking fails.
    """

    name: str
    look: Callable[[], Iterable[Finding]]
    if_broken: Status = Status.PROBLEM
