"""Samples of sensors that send neither time nor number: times by :class:`ArrivalClock`, and what to say about them.

Refuses to know bytes.
"""

from __future__ import annotations

from imu.samples import Array
from imu.sensors.arrival_clock import ArrivalClock, Timed
from imu.sensors.conversation import Caution, Notice, SamplesLost
from imu.sensors.streaming import Found, Samples

SLOW = 0.85
"""Fewer samples than this share of the rate asked for: some get lost, or the sensor cannot do the rate."""


class UntimedSamples:
    """Give times to the rows of one connection and tell the person what cannot be known of them.

    Parameters
    ----------
    title : str
        What the sensor is called, for sentences.
    asked_rate_hz : float
        The rate that was asked for.
    """

    def __init__(self, title: str, asked_rate_hz: float) -> None:
        self._title = title
        self._asked_rate_hz = asked_rate_hz
        self._clock = ArrivalClock(asked_rate_hz)
        self._has_begun = False
        self._is_slow = False

    @property
    def sampling_rate_hz(self) -> float:
        """The rate as known so far."""
        return self._clock.sampling_rate_hz

    def push(self, rows: Array, received_s: float) -> Found:
        """Take acceleration in m/s² and angular velocity in rad/s, (n, 6), that came together."""
        return self._found(self._clock.push(rows, received_s))

    def finish(self) -> Found:
        """Give what is held back."""
        return self._found(self._clock.finish())

    def _found(self, timed: list[Timed]) -> Found:
        samples = tuple(
            Samples(each.time_s, each.rows[:, :3], each.rows[:, 3:], received_s=each.received_s) for each in timed
        )
        holes = [SamplesLost(None) for each in timed if each.is_after_hole]
        return Found(samples, (), (*(self._cautions() if timed else ()), *holes))

    def _cautions(self) -> list[Notice]:
        """Return what the person has not been told."""
        cautions: list[Notice] = []
        if not self._has_begun:
            cautions.append(Caution(unprovable(self._title)))
        if not self._is_slow and self.sampling_rate_hz < SLOW * self._asked_rate_hz:
            self._is_slow = True
            cautions.append(Caution(too_slow(self._title, self.sampling_rate_hz, self._asked_rate_hz)))
        self._has_begun = True
        return cautions


def unprovable(title: str) -> str:
    """Return what to say of every sensor of this kind."""
    return (
        f"The {title} numbers and times nothing: that samples got lost cannot be proven, and their times are estimated "
        "from when they came."
    )


def too_slow(title: str, rate_hz: float, asked_rate_hz: float) -> str:
    """Return what to say when fewer samples come than were asked for."""
    return (
        f"The {title} sends {rate_hz:.0f} samples a second instead of {asked_rate_hz:.0f}: keep it near the computer, "
        "or some get lost."
    )
