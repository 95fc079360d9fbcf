"""Time stamps of packets -> times of samples, and how many samples are missing in between.

For sensors that stamp each packet with the time of its first or last sample and number nothing: what is lost shows as
a step in time that the samples do not fill. Stamps wrap, are coarse (1 ms, 8 ms) and jitter, and the rate is some
percent off what was asked for; so times follow a straight line through the stamps, fitted as they come. Everything is
in the sensor's own time; this module refuses to know when anything arrived, and what was measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from imu.samples import Array
from imu.sensors.conversation import Malformed, Notice, SamplesLost

LATE_S = 10.0
"""A stamp this much before the last one is of a packet that was overtaken; further back, the clock was set anew."""
SILENCE_S = 60.0
"""No connection lives through a longer silence (supervision timeouts end at 32 s): the clock was set anew."""
PRIOR_PACKETS = 8
"""Where stamps are coarse, the rate asked for weighs as much as this many packets. Chips are off by up to 3 %."""
RATE_TOLERANCE = 0.1
"""A packet may take this share longer than by the rate known so far before samples are missing. Whole packets get
lost, so what is missing is a large part of a packet or more."""


@dataclass(frozen=True, slots=True)
class StampFormat:
    """How a sensor stamps its packets.

    Attributes
    ----------
    bits : int
        Stamps count modulo ``2**bits``.
    tick_s : float
        Length of one count.
    of_last_sample : bool
        Whether the stamp is the time of the packet's last sample, else of its first.
    fitted_packets : int
        The rate is that of a line through about this many stamps.
    is_exact : bool
        Whether stamps are so fine that times go right through them; else times follow the line.
    """

    bits: int
    tick_s: float
    of_last_sample: bool = False
    fitted_packets: int = 8
    is_exact: bool = True


class Fate(Enum):
    """What becomes of a packet."""

    NEXT = "next"
    RESTARTED = "the clock was set anew"
    REPEATED = "came twice"
    LATE = "came after a later one"


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Where the samples of one packet belong.

    Attributes
    ----------
    fate : Fate
        What becomes of the packet; the samples of one that is repeated or late are to be dropped.
    time_s : (n,) array
        Times of its samples on the sensor's clock, unwrapped; empty if it is to be dropped.
    lost : int
        Samples missing before it.
    """

    fate: Fate
    time_s: Array = field(default_factory=lambda: np.empty(0))
    lost: int = 0

    @property
    def is_dropped(self) -> bool:
        """Whether the samples are not to be used."""
        return self.fate in (Fate.REPEATED, Fate.LATE)

    def notices(self, size: int) -> tuple[Notice, ...]:
        """Return what the person should learn of a packet of `size` bytes."""
        if self.is_dropped:
            return (Malformed(size, self.fate.value),)
        return (SamplesLost(self.lost),) if self.lost else ()


class PacketClock:
    """Follow the stamps of one stream.

    The line is a growing-memory least-squares fit until `StampFormat.fitted_packets` packets, with that gain from then
    on (an alpha-beta filter; Brookner, Tracking and Kalman Filtering Made Easy, 1998, eq. 1.3-2 and 1.3-3). Deviations:
    with coarse stamps it begins as if `PRIOR_PACKETS` had come at the rate asked for; with exact ones the line serves
    for the rate alone. Causal: what was placed stays, times only rise.
    """

    def __init__(self, stamps: StampFormat, sampling_rate_hz: float) -> None:
        self._format = stamps
        self._modulus = 1 << stamps.bits
        self._nominal_period_s = self._period_s = 1.0 / sampling_rate_hz
        self._packets = 0  # that the line stands on
        self._stamp: int | None = None  # of the last packet
        self._unwrapped = 0
        self._stamped_s = 0.0  # time given to the sample that bore the last stamp
        self._last_s = -math.inf  # of the last sample
        self._samples = 0  # in the last packet

    @property
    def period_s(self) -> float:
        """Time between two samples as known so far."""
        return self._period_s

    def place(self, stamp: int, samples: int) -> Placed:
        """Return the times of the `samples` (at least one) of a packet that bears `stamp`."""
        if self._stamp is None:
            return self._begin(stamp, samples, Fate.NEXT)
        forward = (stamp - self._stamp) % self._modulus
        backward_s = (self._modulus - forward) * self._format.tick_s
        if forward == 0:
            return Placed(Fate.REPEATED)
        if forward >= self._modulus // 2 and backward_s <= LATE_S:
            return Placed(Fate.LATE)
        if forward >= self._modulus // 2 or forward * self._format.tick_s > SILENCE_S:
            return self._begin(stamp, samples, Fate.RESTARTED)
        self._stamp = stamp
        self._unwrapped += forward
        return self._follow(samples)

    def _begin(self, stamp: int, samples: int, fate: Fate) -> Placed:
        """Begin a new line."""
        self._stamp = self._unwrapped = stamp
        self._packets = 1 if self._format.is_exact else PRIOR_PACKETS
        self._period_s = self._nominal_period_s
        self._last_s = -math.inf
        return Placed(fate, self._times(stamp * self._format.tick_s, samples))

    def _follow(self, samples: int) -> Placed:
        """Continue the line, or find that samples are missing."""
        since = samples if self._format.of_last_sample else self._samples  # samples from stamp to stamp
        surplus_s = self._unwrapped * self._format.tick_s - (self._stamped_s + since * self._period_s)
        slack_s = (0.5 + RATE_TOLERANCE * (since - 1)) * self._period_s
        if not self._format.is_exact:
            slack_s += 0.5 * self._format.tick_s
        lost = round(surplus_s / self._period_s) if surplus_s > slack_s else 0
        since += lost
        surplus_s = max(surplus_s - lost * self._period_s, -0.5 * since * self._period_s)
        self._packets = k = min(self._packets + 1, self._format.fitted_packets)
        expected_s = self._stamped_s + since * self._period_s
        period_s = self._period_s + 6 / (k * (k + 1)) * surplus_s / since
        self._period_s = min(max(period_s, self._nominal_period_s / 4), self._nominal_period_s * 4)
        stamped_s = expected_s + (1.0 if self._format.is_exact else 2 * (2 * k - 1) / (k * (k + 1))) * surplus_s
        return Placed(Fate.NEXT, self._times(stamped_s, samples), lost)

    def _times(self, stamped_s: float, samples: int) -> Array:
        """Return the times of the samples of a packet, later than all before."""
        stamped = samples - 1 if self._format.of_last_sample else 0
        time_s = stamped_s + (np.arange(samples) - stamped) * self._period_s
        earliest_s = self._last_s + 0.1 * self._period_s
        if time_s[0] < earliest_s:
            time_s += earliest_s - time_s[0]
        self._stamped_s, self._last_s, self._samples = float(time_s[stamped]), float(time_s[-1]), samples
        return np.asarray(time_s)
