"""Acceleration and angular velocity that come as two streams -> rows that hold both, at the times of the acceleration.

Angular velocity is interpolated along a straight line between the two samples around each time; a row waits until the
later of them has come. A hole in either stream is a hole in the rows: nothing is bridged over more than
`BRIDGED_PERIODS`. This module refuses to know clocks and bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from imu.samples import Array

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
