"""Times of samples: from stamps or arrivals, on one axis over restarts.

`PacketClock` is for sensors that stamp each packet with the time of its first or last sample and do not number samples.
A loss shows as a step in time that the samples do not fill. Stamps wrap, are coarse (1 ms, 8 ms) and jitter, and the
true rate differs from the requested one by some percent; so times follow a straight line through the stamps, fitted as
they come. It uses the sensor's time only.

`ArrivalClock` is for sensors that send neither time nor number. Samples are an even period apart, and the period
follows from many arrivals: a line along the lower envelope of arrival over count, that is, through the packets that
waited least in queues and for the radio. No sample gets its own time of arrival. A missing sample cannot be seen; only
a pause without a later surplus of samples counts as a hole.

`Timeline` puts the sensor's clock, which may restart, on one axis that only goes forward. This is the one place that
compares the sensor's clock with this computer's clock, and only to place the samples after a restart, for which there
is no other information.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from imu.samples import Array
from imu.sensors.conversation import Malformed, Notice, SamplesLost

# --- stamped packets --------------------------------------------------------------------------------------------------


LATE_S = 10.0
"""A stamp up to this much before the last one belongs to an overtaken packet; further back, the clock was reset."""
SILENCE_S = 60.0
"""A longer silence means a reset clock: connections end after 32 s of silence (supervision timeout)."""
PRIOR_PACKETS = 8
"""With coarse stamps the requested rate weighs as much as this many packets. Chips are off by up to 3 %."""
RATE_TOLERANCE = 0.1
"""A packet may take this share longer than the estimated rate says before samples count as missing. Losses are whole
packets, so the missing time is a large part of a packet or more."""


@dataclass(frozen=True, slots=True)
class StampFormat:
    """Format of the time stamps of a sensor's packets.

    Attributes
    ----------
    bits : int
        Stamps count modulo ``2**bits``.
    tick_s : float
        Length of one count.
    of_last_sample : bool
        Whether the stamp is the time of the packet's last sample, else of its first.
    fitted_packets : int
        Number of stamps that the line for the rate goes through, about.
    is_exact : bool
        Whether stamps are so fine that times equal them; else times follow the line.
    """

    bits: int
    tick_s: float
    of_last_sample: bool = False
    fitted_packets: int = 8
    is_exact: bool = True


class Fate(Enum):
    """How a packet relates to the one before."""

    NEXT = "next"
    RESTARTED = "the clock was reset"
    REPEATED = "came twice"
    LATE = "came after a later one"


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Place of one packet's samples in time.

    Attributes
    ----------
    fate : Fate
        How the packet relates to the one before. Samples of a repeated or late packet are dropped.
    time_s : (n,) array
        Times of its samples on the sensor's clock, unwrapped; empty for a dropped packet.
    lost : int
        Number of samples missing before it.
    """

    fate: Fate
    time_s: Array = field(default_factory=lambda: np.empty(0))
    lost: int = 0

    @property
    def is_dropped(self) -> bool:
        """Whether the samples are not to be used."""
        return self.fate in (Fate.REPEATED, Fate.LATE)

    def notices(self, size: int) -> tuple[Notice, ...]:
        """Return the notices for a packet of `size` bytes."""
        if self.is_dropped:
            return (Malformed(size, self.fate.value),)
        return (SamplesLost(self.lost),) if self.lost else ()


class PacketClock:
    """Times of one stream from its stamps.

    The line is a growing-memory least-squares fit until `StampFormat.fitted_packets` packets, and keeps that gain from
    then on (an alpha-beta filter; Brookner, Tracking and Kalman Filtering Made Easy, 1998, eq. 1.3-2 and 1.3-3).
    Deviations: with coarse stamps it starts as if `PRIOR_PACKETS` had come at the requested rate; with exact stamps the
    line gives the rate alone. Causal: placed samples keep their times, and times only rise.
    """

    def __init__(self, stamps: StampFormat, sampling_rate_hz: float) -> None:
        self._format = stamps
        self._modulus = 1 << stamps.bits
        self._nominal_period_s = self._period_s = 1.0 / sampling_rate_hz
        self._packets = 0  # in the fit of the line
        self._stamp: int | None = None  # of the last packet
        self._unwrapped = 0
        self._stamped_s = 0.0  # time of the sample with the last stamp
        self._last_s = -math.inf  # of the last sample
        self._samples = 0  # in the last packet

    @property
    def period_s(self) -> float:
        """Time between two samples, as estimated so far."""
        return self._period_s

    def place(self, stamp: int, samples: int) -> Placed:
        """Return the times of the `samples` (at least one) of a packet with `stamp`."""
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
        """Start a new line."""
        self._stamp = self._unwrapped = stamp
        self._packets = 1 if self._format.is_exact else PRIOR_PACKETS
        self._period_s = self._nominal_period_s
        self._last_s = -math.inf
        return Placed(fate, self._times(stamp * self._format.tick_s, samples))

    def _follow(self, samples: int) -> Placed:
        """Continue the line, or detect missing samples."""
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
        """Return the times of a packet's samples, later than all earlier ones."""
        stamped = samples - 1 if self._format.of_last_sample else 0
        time_s = stamped_s + (np.arange(samples) - stamped) * self._period_s
        earliest_s = self._last_s + 0.1 * self._period_s
        if time_s[0] < earliest_s:
            time_s += earliest_s - time_s[0]
        self._stamped_s, self._last_s, self._samples = float(time_s[stamped]), float(time_s[-1]), samples
        return np.asarray(time_s)


# --- samples without time or number -----------------------------------------------------------------------------------


LEARNING_S = 2.0
"""Initial samples wait until they have come for this time without a stall. Bursts of up to 70 ms then change the rate
by 3.5 % at most."""
LONGEST_LEARNING_S = 10.0
"""Longest initial wait; the rate is then the best estimate so far."""
BURST_S = 0.1
"""Packets of one burst come within this time: some connection intervals of the radio."""
AS_ASKED = 0.08
"""Within this share of the requested rate, the requested rate is used: the sensor's oscillator is more exact than two
seconds of arrivals."""
BIN_S = 1.0
"""The line goes through one packet per bin of this length: the one that waited least."""
FIRST_BINS = 5
"""From this number of bins on, the line replaces the first estimate."""
WINDOW_BINS = 60
"""The line covers the last minute: a connection interval of 50 ms is then a thousandth of its length."""
SLEW = 0.01
"""The period changes by at most this share to return to the line: too little to change a measured movement."""
FAR_OFF_SLEW = 0.1
"""The same for an error beyond `STALL_S`, which only a wrong initial rate can cause."""
SLEW_S = 10.0
"""Time in which a phase error is corrected."""
STALL_S = 0.5
"""A packet later than this waits until it is clear whether the following ones make up for the delay."""
DECISION_S = 1.0
"""Time after the start of a stall at which the decision falls."""
HOLE_S = 0.25
"""Lateness that remains at the decision and is longer than this is a hole."""


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """Rows, (n, k), with their times, (n,), in s; the time axis follows arrivals.

    `is_after_hole` says whether a hole comes before the first row.
    """

    time_s: Array
    rows: Array
    received_s: float
    is_after_hole: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Arrived:
    """Rows that came together."""

    rows: Array
    received_s: float


class ArrivalClock:
    """Times for the rows of one connection; causal, and times only rise.

    Rows come out up to `LEARNING_S` late at the start (`LONGEST_LEARNING_S` with stalls), up to `DECISION_S` late after
    a stall, else at once.

    Parameters
    ----------
    sampling_rate_hz : float
        Requested rate; the sensor's rate may differ.
    """

    def __init__(self, sampling_rate_hz: float) -> None:
        self._asked_period_s = self._period_s = self._line_period_s = 1.0 / sampling_rate_hz
        self._held: list[_Arrived] = []
        self._is_learning = True
        self._steady = 0  # number of the first packet held since the last stall
        self._count = 0  # samples so far, lost ones included
        self._next_s = 0.0  # time of the next sample
        self._bin_end_s = -math.inf
        self._best: tuple[float, int, float] | None = None  # lateness, count and arrival of the bin's best packet
        self._bins: deque[tuple[int, float]] = deque(maxlen=WINDOW_BINS)

    @property
    def sampling_rate_hz(self) -> float:
        """The rate as estimated so far."""
        return 1.0 / self._line_period_s

    def push(self, rows: Array, received_s: float) -> list[Timed]:
        """Add rows that came together, (n, k); return the rows that have got their times."""
        if not len(rows):
            return []
        arrived = _Arrived(rows, received_s)
        if self._is_learning:
            if self._held and received_s - self._held[-1].received_s > STALL_S:
                self._steady = len(self._held)
            self._held.append(arrived)
            steady_s = received_s - self._held[self._steady].received_s
            is_long = received_s - self._held[0].received_s >= LONGEST_LEARNING_S
            return self._learn() if steady_s >= LEARNING_S or is_long else []
        if self._held or self._lateness_s(len(rows), received_s) > STALL_S:
            self._held.append(arrived)
            return self._decide(is_last=False)
        return [self._place(arrived)]

    def finish(self) -> list[Timed]:
        """Return the rows that still wait. This is the last call."""
        if not self._held:
            return []
        learned = self._learn() if self._is_learning else []
        return [*learned, *(self._decide(is_last=True) if self._held else [])]

    def _lateness_s(self, samples: int, received_s: float) -> float:
        """Return how much later than its last sample a packet of next samples came."""
        return received_s - (self._next_s + (samples - 1) * self._period_s)

    def _learn(self) -> list[Timed]:
        """Estimate the rate from the packets since the last stall, and the first time.

        The first time follows from the packets before the first stall.
        """
        held, self._held, self._is_learning = self._held, [], False
        counts = np.cumsum([len(each.rows) for each in held])
        arrivals_s = np.array([each.received_s for each in held])
        period_s = _median_slope(counts[self._steady :], arrivals_s[self._steady :])
        if period_s is not None and abs(period_s / self._asked_period_s - 1.0) > AS_ASKED:
            self._period_s = self._line_period_s = period_s
        stalls = np.flatnonzero(np.diff(arrivals_s) > STALL_S)
        before = slice(0, int(stalls[0]) + 1 if len(stalls) else None)
        self._next_s = float(np.min(arrivals_s[before] - (counts[before] - 1) * self._period_s))
        return [timed for each in held for timed in self.push(each.rows, each.received_s)]

    def _decide(self, *, is_last: bool) -> list[Timed]:
        """Decide whether later packets made up for a stall, once that is clear."""
        counts = np.cumsum([len(each.rows) for each in self._held])
        lateness_s = [self._lateness_s(int(n), each.received_s) for n, each in zip(counts, self._held, strict=True)]
        least_s = min(lateness_s)
        is_made_up = least_s <= HOLE_S
        if not (is_last or is_made_up or self._held[-1].received_s - self._held[0].received_s >= DECISION_S):
            return []
        held, self._held = self._held, []
        missing = 0 if is_made_up else round(least_s / self._period_s)
        self._count += missing
        self._next_s += missing * self._period_s
        return [self._place(each, is_after_hole=missing > 0 and each is held[0]) for each in held]

    def _place(self, arrived: _Arrived, *, is_after_hole: bool = False) -> Timed:
        """Give the rows the next times and correct the period by their arrival."""
        samples = len(arrived.rows)
        time_s = self._next_s + np.arange(samples) * self._period_s
        lateness_s = self._lateness_s(samples, arrived.received_s)
        self._next_s += samples * self._period_s
        self._count += samples
        if arrived.received_s >= self._bin_end_s:
            self._close_bin(arrived.received_s)
        if self._best is None or lateness_s < self._best[0]:
            self._best = (lateness_s, self._count - 1, arrived.received_s)
        return Timed(np.asarray(time_s), arrived.rows, arrived.received_s, is_after_hole)

    def _close_bin(self, received_s: float) -> None:
        """Fit the line again and move the period toward it."""
        self._bin_end_s = received_s + BIN_S
        if self._best is not None:
            self._bins.append(self._best[1:])
            self._best = None
        if len(self._bins) < FIRST_BINS:
            return
        counts, arrivals_s = np.array(self._bins, dtype=np.float64).T
        middle, middle_s = counts.mean(), arrivals_s.mean()
        spread = np.square(counts - middle).sum()
        if not spread:
            return
        period_s = float(((counts - middle) * (arrivals_s - middle_s)).sum() / spread)
        self._line_period_s = period_s
        error_s = middle_s + (self._count - middle) * period_s - self._next_s
        most = SLEW if abs(error_s) < STALL_S else FAR_OFF_SLEW
        bend = min(max(error_s / SLEW_S, -most), most)
        self._period_s = period_s * (1.0 + bend)


def _median_slope(counts: NDArray[np.int64], arrivals_s: Array) -> float | None:
    """Return the median time per sample between packets far apart.

    Far apart is at least half of `LEARNING_S`.

    Method: Theil 1950, Sen 1968. Only the last packet of each burst counts, which waited least, so that the packets
    after a stall do not move the median. ``None`` if there is no such pair.
    """
    is_last = np.diff(arrivals_s // BURST_S, append=np.inf) > 0
    counts, arrivals_s = counts[is_last], arrivals_s[is_last]
    first, second = np.triu_indices(len(counts), 1)
    apart_s = arrivals_s[second] - arrivals_s[first]
    is_far = apart_s >= 0.5 * LEARNING_S
    if not is_far.any():
        return None
    return float(np.median(apart_s[is_far] / (counts[second] - counts[first])[is_far]))


# --- one axis over restarts -------------------------------------------------------------------------------------------


LEAST_STEP_S = 0.001
"""Samples after a restart begin at least this much later than the last one before."""


MOST_BACK_S = 0.5
"""A clock that goes back by less has uneven stamps, and overlapping samples are compressed; by more, it was reset."""


class Timeline:
    """Times on the sensor's clock -> times on the session's axis, in s.

    Within a segment (between restarts) the axis is the sensor's clock, shifted. The first segment begins at 0. A later
    segment begins as long after the end of the one before as this computer's clock says, with both ends taken from the
    lower envelope of (arrival - sensor time) of their segments: the packets that waited least in queues and for the
    radio. Causal: placed samples keep their times.
    """

    def __init__(self) -> None:
        self._shift_s: float | None = None  # axis = device time + shift
        self._least_wait_s = math.inf  # lower envelope of arrival - axis in this segment
        self._last_s = -math.inf  # on the axis
        self._restarting = False

    @property
    def last_s(self) -> float:
        """Latest time placed on the axis; minus infinity before the first sample."""
        return self._last_s

    def restart(self) -> None:
        """Start a new segment: the sensor's clock has lost its meaning."""
        self._restarting = self._shift_s is not None

    def place(self, device_time_s: Array, received_s: float) -> Array:
        """Return the times on the axis of samples that came together.

        Parameters
        ----------
        device_time_s : (n,) array
            Times on the sensor's clock, unwrapped, rising; n >= 1.
        received_s : float
            Time of arrival on this computer's clock.
        """
        last_device_s = float(device_time_s[-1])
        if self._shift_s is not None and float(device_time_s[0]) + self._shift_s < self._last_s - MOST_BACK_S:
            self._restarting = True  # the clock was set back without a notice
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
        """Return the time on the axis of an event at `received_s`.

        ``None`` before the first sample.
        """
        return None if math.isinf(self._least_wait_s) else received_s - self._least_wait_s
