"""Order of samples: numbered samples with holes, and two streams joined into one.

`InOrder` is for sensors that number their samples and keep them for a while. Samples behind a hole wait until the hole
is filled or given up. So samples go out in order, each once, and every loss is reported.

`TwoStreams` joins acceleration and angular velocity that come as two streams into rows at the times of the
acceleration. Angular velocity is interpolated along a straight line between the two samples around each time; a row
waits until the later of them has come. A hole in either stream is a hole in the rows: gaps above `BRIDGED_PERIODS` are
not interpolated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

import numpy as np

from imu.samples import Array

# --- numbered samples -------------------------------------------------------------------------------------------------


class Numbered(Protocol):
    """Consecutive samples; `first_index` is the number of the first one."""

    @property
    def first_index(self) -> int:
        """Number of the first sample."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def after(self, samples: int) -> Self:
        """Return the samples without the first `samples`."""


T = TypeVar("T", bound=Numbered)

PATIENCE_S = 4.0
"""Time without a sample of the hole before the next request: some seconds of radio queue."""
TRIES = 3
"""Requests for a hole before it is given up."""
LONGEST_HELD_S = 12.0
"""Samples wait this long at most for those before them: samples still missing then are lost."""


@dataclass(frozen=True, slots=True)
class Range:
    """Samples ``[first_index, first_index + count)``."""

    first_index: int
    count: int

    @property
    def end(self) -> int:
        """Number of the first sample behind the range."""
        return self.first_index + self.count


class InOrder(Generic[T]):
    """Put numbered samples in order: early samples wait, repeated samples are dropped.

    Parameters
    ----------
    lost : callable
        Called with the number of samples given up, at their place in the order.
    """

    def __init__(self, lost: Callable[[int], None]) -> None:
        self._report_lost = lost
        self._next: int | None = None  # number of the next sample to go out
        self._held: dict[int, T] = {}  # by first index
        self._held_since_s: dict[int, float] = {}  # of the same
        self._requested: Range | None = None
        self._last_progress_s = 0.0
        self._tries = 0

    @property
    def next_index(self) -> int | None:
        """Number of the sample that goes out next; ``None`` before the first."""
        return self._next

    @property
    def hole(self) -> Range | None:
        """The first missing stretch with samples waiting behind it; ``None`` without one."""
        if not self._held or self._next is None:
            return None
        return Range(self._next, min(self._held) - self._next)

    def push(self, samples: T, received_s: float) -> list[T]:
        """Add samples; return the ones that are next in order."""
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
            self._held_since_s.setdefault(samples.first_index, received_s)
        if self._requested is not None and samples.first_index < self._requested.end:
            self._last_progress_s = received_s
        return self._ready()

    def wish(self, received_s: float) -> Range | None:
        """Return the range to request from the sensor now, or ``None``.

        One request reaches from the first hole to the end of the last. A hole is requested `TRIES` times, each time
        after `PATIENCE_S` without progress.
        """
        hole = self.hole
        if hole is None:
            self._requested, self._tries = None, 0
            return None
        if self._requested is not None and self._requested.first_index <= hole.first_index < self._requested.end:
            waited_s = received_s - self._last_progress_s
            if waited_s < PATIENCE_S or self._tries >= TRIES:
                return None
        else:
            self._tries = 0
        self._requested = Range(hole.first_index, self._end_of_holes() - hole.first_index)
        self._last_progress_s = received_s
        self._tries += 1
        return self._requested

    def _end_of_holes(self) -> int:
        """Return the number of the first sample behind the last hole."""
        end = expected = self._next or 0
        for first in sorted(self._held):
            if first > expected:
                end = first
            expected = max(expected, first + len(self._held[first]))
        return end

    def overdue(self, received_s: float) -> list[T]:
        """Give up holes that samples have waited for too long, or whose last request timed out; return the samples."""
        late = [first for first, since_s in self._held_since_s.items() if received_s - since_s >= LONGEST_HELD_S]
        if late:
            return self.give_up(max(late))
        exhausted = self._requested is not None and self._tries >= TRIES
        if not exhausted or received_s - self._last_progress_s < PATIENCE_S:
            return []
        hole = self.hole
        return [] if hole is None else self.give_up(hole.end)

    def give_up(self, until_index: int) -> list[T]:
        """Count missing samples before `until_index` as lost.

        Returns the samples that are in order now.
        """
        ready: list[T] = []
        while (hole := self.hole) is not None and hole.first_index < until_index:
            end = min(hole.end, until_index)
            self._report_lost(end - hole.first_index)
            self._next = end
            ready += self._ready()
        return ready

    def forget_request(self) -> None:
        """Forget the open request: after a lost connection the sensor does not answer it."""
        self._requested, self._tries = None, 0

    def finish(self) -> list[T]:
        """Give up every hole; return all waiting samples."""
        return self.give_up(max(self._held) + 1) if self._held else []

    def _ready(self) -> list[T]:
        """Remove and return the samples that are next in order."""
        ready: list[T] = []
        while self._held and self._next is not None and (first := min(self._held)) <= self._next:
            samples = self._held.pop(first)
            self._held_since_s.pop(first, None)
            surplus = self._next - first
            if surplus >= len(samples):
                continue
            samples = samples.after(surplus) if surplus else samples
            ready.append(samples)
            self._next += len(samples)
        return ready


# --- two streams ------------------------------------------------------------------------------------------------------


BRIDGED_PERIODS = 2.2
"""Two samples further apart than this many periods have a hole between them: one missing sample is bridged, two are not
(the 0.2 allows for errors of the times)."""
LONGEST_WAIT_S = 10.0
"""Samples of one stream wait this long for the other; one Polar packet holds at most three seconds."""


def _no_rows() -> Array:
    return np.empty((0, 3))


def _no_times() -> Array:
    return np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Rows of time (n,) and both quantities, (n, 3), and lost samples."""

    time_s: Array = field(default_factory=_no_times)
    acceleration: Array = field(default_factory=_no_rows)
    angular_velocity: Array = field(default_factory=_no_rows)
    lost: int = 0
    """Samples of acceleration without angular velocity, except those before the first angular velocity."""


class _Stream:
    """Samples of one stream that wait for the other."""

    def __init__(self) -> None:
        self.time_s = _no_times()
        self.values = _no_rows()

    def push(self, time_s: Array, values: Array) -> int:
        """Add samples; drop those that have waited too long and return their number."""
        self.time_s = np.concatenate((self.time_s, time_s))
        self.values = np.concatenate((self.values, values))
        newest_s = self.time_s[-1] if len(self.time_s) else 0.0
        return self.forget(int(np.searchsorted(self.time_s, newest_s - LONGEST_WAIT_S)))

    def forget(self, samples: int) -> int:
        """Drop the first `samples` and return their number."""
        self.time_s, self.values = self.time_s[samples:], self.values[samples:]
        return samples


class TwoStreams:
    """Join two streams with rising times on one clock; either may be ahead.

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
        """Add acceleration, (n, 3); return the rows that are complete now."""
        return self._join(given_up=self._acceleration.push(time_s, values))

    def push_angular_velocity(self, time_s: Array, values: Array) -> Joined:
        """Add angular velocity, (n, 3); return the rows that are complete now."""
        self._angular_velocity.push(time_s, values)
        return self._join(given_up=0)

    def _join(self, given_up: int) -> Joined:
        """Join the time that both streams cover; drop samples that are no longer needed."""
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
