"""Put the clock of a sensor, which may start anew, on one axis that only goes forward.

The one place where the sensor's clock and this computer's clock are held against each other: only to place what comes
after a restart of the sensor's clock, for which nothing else is known.
"""

from __future__ import annotations

import math

import numpy as np

from imu.samples import Array

LEAST_STEP_S = 0.001
"""What comes after a restart begins at least this much later than what came before."""


MOST_BACK_S = 0.5
"""A clock that goes back by less was stamped unevenly, and what overlaps is pressed together; by more, it was set."""


class Timeline:
    """Times on the sensor's clock -> times on the session's axis, in s.

    Within a segment (between restarts) the axis is the sensor's clock, shifted. The first segment begins at 0. A later
    one begins as much after the end of the one before as this computer's clock says, each taken at the lower envelope
    of (arrival - sensor time) of its segment: the packets that waited least in queues and for the radio. Causal: what
    was placed stays.
    """

    def __init__(self) -> None:
        self._shift_s: float | None = None  # axis = device time + shift
        self._least_wait_s = math.inf  # lower envelope of arrival - axis in this segment
        self._last_s = -math.inf  # on the axis
        self._restarting = False

    @property
    def last_s(self) -> float:
        """Latest time placed on the axis; minus infinity before the first."""
        return self._last_s

    def restart(self) -> None:
        """Begin a new segment: the sensor's clock has lost its meaning."""
        self._restarting = self._shift_s is not None

    def place(self, device_time_s: Array, received_s: float) -> Array:
        """Return the times on the axis of samples that came together.

        Parameters
        ----------
        device_time_s : (n,) array
            On the sensor's clock, unwrapped, rising; n >= 1.
        received_s : float
            When they arrived, on this computer's clock.
        """
        last_device_s = float(device_time_s[-1])
        if self._shift_s is not None and float(device_time_s[0]) + self._shift_s < self._last_s - MOST_BACK_S:
            self._restarting = True  # nobody said so, but the clock was set back
        if self._shift_s is None:
            self._shift_s = -float(device_time_s[0])
        elif self._restarting:
            by_arrival_s = received_s - self._least_wait_s - last_device_s
            earliest_s = self._last_s + LEAST_STEP_S - float(device_time_s[0])
            self._shift_s = max(by_arrival_s, earliest_s)
            self._least_wait_s = math.inf
        self._restarting = False
        axis_s = device_time_s + self._shift_s
        if axis_s[0] <= self._last_s:
            axis_s = np.maximum(axis_s, self._last_s + LEAST_STEP_S * np.arange(1, len(axis_s) + 1))
        self._last_s = max(self._last_s, float(axis_s[-1]))
        self._least_wait_s = min(self._least_wait_s, received_s - float(axis_s[-1]))
        return np.asarray(axis_s)

    def moment(self, received_s: float) -> float | None:
        """Return the time on the axis of something that happened at `received_s`; ``None`` before the first sample."""
        return None if math.isinf(self._least_wait_s) else received_s - self._least_wait_s
