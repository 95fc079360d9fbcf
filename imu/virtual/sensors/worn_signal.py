"""What a virtual sensor on a person's hip measures at any time: a given signal, then a person who stands still.

Refuses to know how a sensor sends it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imu.samples import STANDARD_GRAVITY_M_S2, Array, ImuBlock

STANDING_S = 0.25
"""The signal's last stretch, of which the person's posture afterwards is taken."""


class WornSignal:
    """A signal that can be measured at any rate."""

    def __init__(self, signal: ImuBlock) -> None:
        self._time_s = signal.device_time_s - signal.device_time_s[0]
        values = np.hstack((signal.acceleration_m_s2, signal.angular_velocity_rad_s))
        self._columns = np.ascontiguousarray(values.T)  # numpy.interp copies all of a column that is not contiguous
        last = self._time_s >= self._time_s[-1] - STANDING_S
        up = values[last, :3].mean(axis=0)
        self._standing = np.concatenate((up / np.linalg.norm(up) * STANDARD_GRAVITY_M_S2, np.zeros(3)))

    @property
    def duration_s(self) -> float:
        """How long the signal lasts before the person stands still."""
        return float(self._time_s[-1])

    def at(self, time_s: Array) -> tuple[Array, Array]:
        """Return acceleration in m/s² and angular velocity in rad/s at times since the start, each (n, 3)."""
        values = np.column_stack([np.interp(time_s, self._time_s, column) for column in self._columns])
        values[time_s > self.duration_s] = self._standing
        return values[:, :3], values[:, 3:]


def counts(values: Array, unit: float, bits: int = 16) -> NDArray[np.int64]:
    """Return the values as a chip counts them: whole units, cut at the end of its range."""
    limit = 1 << (bits - 1)
    return np.clip(np.round(values / unit), -limit, limit - 1).astype(np.int64)
