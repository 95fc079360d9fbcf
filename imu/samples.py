"""Samples of a body-worn inertial sensor, and the gaps between them.

Frames, once for the whole program:

- **Sensor frame**: the sensor's own axes, worn in any turn at the back, either side or the front of the hip.
- **Body frame**: right-handed, x anterior, y left, z up. **Forward lean is positive.**
- **World frame**: z up.

An accelerometer measures specific force: at rest its norm is +9.81 m/s² and it points **up**.

Units are SI: seconds, m/s², rad/s. Two clocks have two names and are never subtracted from each other:
``device_time_s`` (the sensor's) and ``received_s`` (this computer's). Intervals are half-open.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

STANDARD_GRAVITY_M_S2 = 9.80665


def read_only(values: ArrayLike, shape: tuple[int | None, ...], name: str) -> Array:
    """Return `values` as a read-only float64 array, copied only if it could still be written.

    ``None`` in `shape` means any length.

    Raises
    ------
    ValueError
        If the shape differs.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape and (  # nearly every block has the shape that is asked for: no loop for it
        array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True))
    ):
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    if array.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, eq=False)
class ImuBlock:
    """Consecutive rows of one sensor, as they came.

    Rows may be repeated, out of order, not finite or clipped: that is data, and the consumer of the block counts it.

    Parameters
    ----------
    device_time_s : (n,) array
        Time of each row on the sensor's clock, s.
    acceleration_m_s2 : (n, 3) array
        Specific force in the sensor frame, m/s²; at rest the norm is +9.81.
    angular_velocity_rad_s : (n, 3) array
        Angular velocity in the sensor frame, rad/s.
    received_s : (n,) array or None
        Time of arrival on this computer's clock, s; ``None`` where there is no such time (a CSV file).

    Raises
    ------
    ValueError
        If the shapes do not match.
    """

    device_time_s: Array
    acceleration_m_s2: Array
    angular_velocity_rad_s: Array
    received_s: Array | None = None

    def __post_init__(self) -> None:
        """Check the shapes and make the arrays read-only."""
        time = read_only(self.device_time_s, (None,), "device_time_s")
        n = len(time)
        object.__setattr__(self, "device_time_s", time)
        for name in ("acceleration_m_s2", "angular_velocity_rad_s"):
            object.__setattr__(self, name, read_only(getattr(self, name), (n, 3), name))
        if self.received_s is not None:
            object.__setattr__(self, "received_s", read_only(self.received_s, (n,), "received_s"))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.device_time_s)

    def __getitem__(self, rows: slice) -> ImuBlock:
        """Return the block of the sliced rows."""
        received = None if self.received_s is None else self.received_s[rows]
        return ImuBlock(
            self.device_time_s[rows], self.acceleration_m_s2[rows], self.angular_velocity_rad_s[rows], received
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time without usable samples, ``[start_s, end_s)`` on the device clock."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        """Check that the gap has a length.

        Raises
        ------
        ValueError
            If `end_s` is not after `start_s`.
        """
        if not self.end_s > self.start_s:
            raise ValueError(f"a gap must end after it starts, got [{self.start_s}, {self.end_s})")


@dataclass(frozen=True, slots=True)
class RowFaults:
    """Counts of faulty rows of a stream; they are data, not errors."""

    repeated: int = 0
    """Rows with the time of the row before; dropped."""
    out_of_order: int = 0
    """Rows with a time before that of the row before; dropped."""
    not_finite: int = 0
    """Rows with NaN, infinity or an impossible size in any column; dropped."""
    clipped: int = 0
    """Rows with an axis at the end of its range for three rows or more; used, but their size is a lower bound."""

    def __add__(self, other: RowFaults) -> RowFaults:
        """Add the counts."""
        return RowFaults(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def any(self) -> bool:
        """Whether any row was faulty."""
        return self != RowFaults()
