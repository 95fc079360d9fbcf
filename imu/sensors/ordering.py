"""Numbered samples in any order -> samples in order, what to ask for again, and what is lost.

For sensors that number their samples and keep them for a while. What comes after a hole waits until the hole is filled
or given up; so what goes out is in order, without a repetition, and with every loss told. This module refuses to know
bytes and times of samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

import numpy as np

from imu.samples import Array

# --- numbered samples -------------------------------------------------------------------------------------------------


class Numbered(Protocol):
    """Consecutive samples, the first of which has the number `first_index`."""

    @property
    def first_index(self) -> int:
        """Number of the first sample."""

    def __len__(self) -> int:
        """Return how many samples there are."""

    def after(self, samples: int) -> Self:
        """Return what is left without the first `samples`."""


T = TypeVar("T", bound=Numbered)


@dataclass(frozen=True, slots=True)
class InOrderParameters:
    """How long a hole may take to be filled."""

    patience_s: float = 4.0
    """Without any sample for the hole in this time it is asked for again: some seconds of radio queue."""
    tries: int = 3
    """So often a hole is asked for; then it is given up."""


@dataclass(frozen=True, slots=True)
class Range:
    """Samples ``[first_index, first_index + count)``."""

    first_index: int
    count: int

    @property
    def end(self) -> int:
        """Number of the first sample behind it."""
        return self.first_index + self.count


class InOrder(Generic[T]):
    """Hold back what came too early, drop what came twice.

    Parameters
    ----------
    lost : callable
        Told how many samples were given up, at the place in the order where they would have been.
    parameters : InOrderParameters or None
        How long to wait.
    """

    def __init__(self, lost: Callable[[int], None], parameters: InOrderParameters | None = None) -> None:
        self._parameters = parameters or InOrderParameters()
        self._tell_lost = lost
        self._next: int | None = None  # number of the next sample to go out
        self._held: dict[int, T] = {}  # by first index
        self._asked: Range | None = None
        self._last_progress_s = 0.0
        self._tries = 0

    @property
    def next_index(self) -> int | None:
        """Number of the next sample that goes out; ``None`` before the first."""
        return self._next

    @property
    def hole(self) -> Range | None:
        """The first stretch that is missing, if anything waits behind it."""
        if not self._held or self._next is None:
            return None
        return Range(self._next, min(self._held) - self._next)

    def push(self, samples: T, received_s: float) -> list[T]:
        """Take samples; return those that are next in order."""
        if not len(samples):
            return []
        if self._next is None:
            self._next = samples.first_index
        surplus = self._next - samples.first_index
        if surplus >= len(samples):
            return []
        if surplus > 0:
            samples = samples.after(surplus)
        held = self._held.get(samples.first_index)
        if held is None or len(held) < len(samples):
            self._held[samples.first_index] = samples
        if self._asked is not None and samples.first_index < self._asked.end:
            self._last_progress_s = received_s
        return self._ready()

    def wish(self, received_s: float) -> Range | None:
        """Return what to ask the sensor for now, if anything; a hole that was asked for often enough is given up."""
        hole = self.hole
        if hole is None:
            self._asked, self._tries = None, 0
            return None
        if self._asked is not None and self._asked.first_index <= hole.first_index < self._asked.end:
            waited_s = received_s - self._last_progress_s
            if waited_s < self._parameters.patience_s or self._tries >= self._parameters.tries:
                return None
        else:
            self._tries = 0
        self._asked, self._last_progress_s = hole, received_s
        self._tries += 1
        return hole

    def overdue(self, received_s: float) -> list[T]:
        """Give up a hole that was asked for in vain; return what waited behind it."""
        exhausted = self._asked is not None and self._tries >= self._parameters.tries
        if not exhausted or received_s - self._last_progress_s < self._parameters.patience_s:
            return []
        hole = self.hole
        return [] if hole is None else self.give_up(hole.end)

    def give_up(self, until_index: int) -> list[T]:
        """Take all samples before `until_index` that have not come as lost; return what is next in order."""
        ready: list[T] = []
        while (hole := self.hole) is not None and hole.first_index < until_index:
            end = min(hole.end, until_index)
            self._tell_lost(end - hole.first_index)
            self._next = end
            ready += self._ready()
        return ready

    def forget_asking(self) -> None:
        """Take note that the connection is gone: whatever was asked for will not come by itself."""
        self._asked, self._tries = None, 0

    def finish(self) -> list[T]:
        """Give up every hole; return everything that waited."""
        return self.give_up(max(self._held) + 1) if self._held else []

    def _ready(self) -> list[T]:
        """Take out what is next in order."""
        ready: list[T] = []
        while self._held and self._next is not None and (first := min(self._held)) <= self._next:
            samples = self._held.pop(first)
            surplus = self._next - first
            if surplus >= len(samples):
                continue
            samples = samples.after(surplus) if surplus else samples
            ready.append(samples)
            self._next += len(samples)
        return ready


# --- two streams ------------------------------------------------------------------------------------------------------


BRIDGED_PERIODS = 2.2
"""Two samples further apart than this many periods have a hole between them: one sample may be missing, two may not
(a tenth for the error of the times)."""
LONGEST_WAIT_S = 10.0
"""Samples of one stream wait so long for the other; Polar sends at most three seconds in one packet."""


def _no_rows() -> Array:
    return np.empty((0, 3))


def _no_times() -> Array:
    return np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Rows that hold both, times (n,), acceleration (n, 3) and angular velocity (n, 3), and how many could not."""

    time_s: Array = field(default_factory=_no_times)
    acceleration: Array = field(default_factory=_no_rows)
    angular_velocity: Array = field(default_factory=_no_rows)
    lost: int = 0
    """Samples of acceleration for which no angular velocity came, those before its first sample aside."""


class _Stream:
    """Samples of one stream that wait for the other."""

    def __init__(self) -> None:
        self.time_s = _no_times()
        self.values = _no_rows()

    def push(self, time_s: Array, values: Array) -> int:
        """Take more samples; give up those that have waited too long and return how many."""
        self.time_s = np.concatenate((self.time_s, time_s))
        self.values = np.concatenate((self.values, values))
        newest_s = self.time_s[-1] if len(self.time_s) else 0.0
        return self.forget(int(np.searchsorted(self.time_s, newest_s - LONGEST_WAIT_S)))

    def forget(self, samples: int) -> int:
        """Forget the first `samples` and return how many that is."""
        self.time_s, self.values = self.time_s[samples:], self.values[samples:]
        return samples


class TwoStreams:
    """Join two streams with rising times on one clock; each may be early.

    Parameters
    ----------
    angular_velocity_period_s : float
        Usual time between two samples of angular velocity.
    """

    def __init__(self, angular_velocity_period_s: float) -> None:
        self._bridged_s = BRIDGED_PERIODS * angular_velocity_period_s
        self._acceleration = _Stream()
        self._angular_velocity = _Stream()
        self._has_begun = False

    def push_acceleration(self, time_s: Array, values: Array) -> Joined:
        """Take more acceleration, (n, 3); return what can be joined now."""
        return self._join(given_up=self._acceleration.push(time_s, values))

    def push_angular_velocity(self, time_s: Array, values: Array) -> Joined:
        """Take more angular velocity, (n, 3); return what can be joined now."""
        self._angular_velocity.push(time_s, values)
        return self._join(given_up=0)

    def _join(self, given_up: int) -> Joined:
        """Join what both streams cover; forget what is not needed any more."""
        known_s, known = self._angular_velocity.time_s, self._angular_velocity.values
        waiting_s = self._acceleration.time_s
        covered = int(np.searchsorted(waiting_s, known_s[-1], side="right")) if len(known_s) else 0
        if not covered:
            return Joined(lost=given_up)
        time_s, acceleration = waiting_s[:covered], self._acceleration.values[:covered]
        after = np.searchsorted(known_s, time_s)  # the first sample at or after each time
        before = np.maximum(after - 1, 0)
        is_exact = known_s[after] == time_s
        is_bridged = (after > 0) & (known_s[after] - known_s[before] <= self._bridged_s)
        is_joined = is_exact | is_bridged
        is_before_all = (after == 0) & ~is_exact & (not self._has_begun)
        angular_velocity = np.column_stack([np.interp(time_s, known_s, column) for column in known.T])
        self._acceleration.forget(covered)
        self._angular_velocity.forget(int(before[-1]))
        self._has_begun = self._has_begun or bool(is_joined.any())
        lost = given_up + int(np.count_nonzero(~is_joined & ~is_before_all))
        return Joined(time_s[is_joined], acceleration[is_joined], angular_velocity[is_joined], lost)
