"""Motion chip, clock and sample buffer of the virtual reference sensor.

The chip is an LSM6DS3TR-C: it takes the nearest of its rates and ranges, runs on its own oscillator, which is off by up
to some percent, and its scales are those of its data sheet. The buffer is that of our firmware
(``firmware_protocol/c``): the last samples of one epoch, found by their index. Samples that the chip lost are holes:
they have an index but no values. Each reader has a cursor: the live stream has one, a resend another, and neither
delays the other.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from firmware_protocol.packets import Counts
from imu.samples import STANDARD_GRAVITY_M_S2
from imu.virtual.twin import WornSignal, counts

RATES_HZ = (12.5, 26.0, 52.0, 104.0, 208.0, 416.0, 833.0)
ACCELERATION_SCALES_MG = {2: 0.061, 4: 0.122, 8: 0.244, 16: 0.488}
"""mg per count, by range in g; data sheet."""
ANGULAR_VELOCITY_SCALES_MDPS = {125: 4.375, 250: 8.75, 500: 17.5, 1000: 35.0, 2000: 70.0}
"""mdps per count, by range in degrees per second; data sheet."""
NEAR = 2.0
"""A request further than this factor from every rate of the chip is out of range."""


@dataclass(frozen=True, slots=True)
class ChipSettings:
    """Rate and ranges of the chip."""

    nominal_rate_hz: float
    acceleration_range_g: int = 16
    angular_velocity_range_dps: int = 2000

    @property
    def acceleration_scale_m_s2(self) -> float:
        """m/s² per count."""
        return ACCELERATION_SCALES_MG[self.acceleration_range_g] * 1e-3 * STANDARD_GRAVITY_M_S2

    @property
    def angular_velocity_scale_rad_s(self) -> float:
        """rad/s per count."""
        return math.radians(ANGULAR_VELOCITY_SCALES_MDPS[self.angular_velocity_range_dps] * 1e-3)


def nearest_settings(
    rates_hz: tuple[float, ...],
    now: ChipSettings,
    rate_hz: float,
    acceleration_range_g: int | None,
    angular_velocity_range_dps: int | None,
) -> ChipSettings | None:
    """Return the settings nearest to a request; ``None`` if no rate is near.

    Each range becomes the smallest that holds the requested one; without a request it stays.
    """
    nearest_hz = min(rates_hz, key=lambda rate: abs(math.log(rate / rate_hz)))
    if not 1 / NEAR <= nearest_hz / rate_hz <= NEAR:
        return None
    return ChipSettings(
        nearest_hz,
        _range_for(tuple(ACCELERATION_SCALES_MG), acceleration_range_g or now.acceleration_range_g),
        _range_for(tuple(ANGULAR_VELOCITY_SCALES_MDPS), angular_velocity_range_dps or now.angular_velocity_range_dps),
    )


def _range_for(ranges: tuple[int, ...], asked: int) -> int:
    return next((each for each in ranges if each >= asked), ranges[-1])


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """The sensor's clock.

    Parameters
    ----------
    boot_s : float
        Time of the boot, s on the twin's time axis.
    drift_ppm : float
        Relative excess of its speed, parts per million.
    offset_s : float
        Time on it at boot, s.
    """

    boot_s: float
    drift_ppm: float = 0.0
    offset_s: float = 0.0

    def microseconds(self, now_s: float) -> int:
        """Return the time on it, µs."""
        return round((self.offset_s + (now_s - self.boot_s) * (1.0 + 1e-6 * self.drift_ppm)) * 1e6)


class Measurement:
    """One epoch of measuring: samples at the chip's own rate, each with its time.

    Parameters
    ----------
    worn : WornSignal
        Movement to measure.
    worn_since_s : float
        Start of the movement, s on the twin's time axis.
    start_s : float
        Time of the first sample.
    settings : ChipSettings
        Rate and ranges.
    rate_error : float
        Relative excess of the chip's rate over the nominal one.
    """

    def __init__(
        self, worn: WornSignal, worn_since_s: float, start_s: float, settings: ChipSettings, rate_error: float
    ) -> None:
        self._worn = worn
        self._worn_since_s = worn_since_s
        self._start_s = start_s
        self._settings = settings
        self._rate_hz = settings.nominal_rate_hz * (1.0 + rate_error)
        self.until_s = math.inf
        """When measuring ended."""

    def time_s(self, index: int) -> float:
        """Return the time of a past or future sample."""
        return self._start_s + index / self._rate_hz

    def due(self, now_s: float) -> int:
        """Return the number of samples measured by now."""
        passed_s = min(now_s, self.until_s) - self._start_s
        return math.floor(passed_s * self._rate_hz + 1e-9) + 1 if passed_s >= 0 else 0

    def measure(self, first: int, end: int) -> Counts:
        """Return the samples ``[first, end)`` in counts of the chip, (n, 6)."""
        times_s = self._start_s + np.arange(first, end) / self._rate_hz - self._worn_since_s
        acceleration, angular_velocity = self._worn.at(times_s)
        both = (
            counts(acceleration, self._settings.acceleration_scale_m_s2),
            counts(angular_velocity, self._settings.angular_velocity_scale_rad_s),
        )
        return np.hstack(both).astype(np.int16)


# --- the buffer -------------------------------------------------------------------------------------------------------


class SampleRing:
    """The last `capacity` samples of one epoch."""

    def __init__(self, capacity: int) -> None:
        self._rows = np.zeros((capacity, 6), np.int16)
        self._holes: deque[tuple[int, int]] = deque()  # [first, end) of lost samples
        self.capacity = capacity
        self.clear()

    def clear(self) -> None:
        """Start a new epoch."""
        self._holes.clear()
        self.next_index = 0
        """Index of the next sample."""

    @property
    def oldest_index(self) -> int:
        """Index of the oldest sample that may still be there."""
        return max(0, self.next_index - self.capacity)

    def push(self, counts: Counts) -> None:
        """Add samples, (n, 6); they replace the oldest."""
        newest = counts[-self.capacity :]
        first = self.next_index + len(counts) - len(newest)
        self._rows[np.arange(first, first + len(newest)) % self.capacity] = newest
        self.next_index += len(counts)
        while self._holes and self._holes[0][1] <= self.oldest_index:
            self._holes.popleft()

    def skip(self, count: int) -> None:
        """Add a hole: samples that were measured and lost."""
        self._holes.append((self.next_index, self.next_index + count))
        self.next_index += count

    def available(self, first_index: int, count: int) -> tuple[int, int]:
        """Return the kept part of a range, ``[first, end)``; it may be empty.

        It includes holes.
        """
        first = max(first_index, self.oldest_index)
        return first, max(first, min(first_index + count, self.next_index))

    def read(self, first_index: int, end_index: int, most: int) -> tuple[int, Counts]:
        """Return at most `most` consecutive samples, and the index of the first.

        The first is the first sample kept in ``[first_index, end_index)``.
        """
        first = max(first_index, self.oldest_index)
        end = min(end_index, self.next_index, first + self.capacity)
        for hole_first, hole_end in self._holes:
            if first < hole_first:
                end = min(end, hole_first)
                break
            first = max(first, hole_end)
        last = min(end, first + most)
        return first, self._rows[np.arange(first, max(first, last)) % self.capacity]


@dataclass(slots=True)
class Cursor:
    """Position of a reader."""

    next_index: int
    end_index: int | None = None
    """End of a resend; ``None`` for the live stream."""
    samples_dropped: int = 0
    """Number of samples skipped unread."""
    after_gap: bool = False
    """Whether samples are missing before the next packet."""

    def waiting(self, ring: SampleRing) -> int:
        """Return the number of waiting samples, holes included."""
        end = ring.next_index if self.end_index is None else min(self.end_index, ring.next_index)
        return max(0, end - max(self.next_index, ring.oldest_index))

    def drop_until(self, index: int) -> None:
        """Continue at `index`; the skipped samples can still be resent."""
        if index > self.next_index:
            self.samples_dropped += index - self.next_index
            self.next_index = index
            self.after_gap = True

    def take(self, ring: SampleRing, most: int) -> tuple[int, Counts, bool]:
        """Return the next samples with their index, and whether a gap is before them."""
        end = ring.next_index if self.end_index is None else self.end_index
        self.drop_until(min(ring.oldest_index, end))
        first, counts = ring.read(self.next_index, end, most)
        gap = self.after_gap or first != self.next_index
        if len(counts):
            self.next_index, self.after_gap = first + len(counts), False
        return first, counts, gap
