"""Packets of our own firmware -> samples in order, in SI units, on the session's axis.

This module refuses to know what is said to the sensor: it says only what it misses.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Self

import numpy as np

from firmware_protocol import Config, PacketKind, SamplePacket
from imu.samples import Array, ImuBlock
from imu.sensors.conversation import Notice, Restarted, SamplesLost, SamplesRecovered
from imu.sensors.in_order import InOrder, Range
from imu.sensors.timeline import Timeline

EARLY_PACKETS = 256
"""So many packets wait for the Config of their epoch: over a second at the fastest."""

CLOCK_STEP_S = 0.5
"""A sensor's clock that differs by more than this from what the sample number says has been set, or has begun anew."""

CLOCK_ERROR = 0.05
"""Or by more than this share of the time passed: a chip's own rate is off by up to 3 %."""


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Consecutive samples of one packet, in SI units, on the sensor's clock."""

    first_index: int
    device_time_s: Array
    acceleration_m_s2: Array
    angular_velocity_rad_s: Array
    received_s: float
    asked_for: bool

    def __len__(self) -> int:
        return len(self.device_time_s)

    def after(self, samples: int) -> Self:
        """Return what is left without the first `samples`."""
        return type(self)(
            self.first_index + samples,
            self.device_time_s[samples:],
            self.acceleration_m_s2[samples:],
            self.angular_velocity_rad_s[samples:],
            self.received_s,
            self.asked_for,
        )


class ReferenceSamples:
    """The samples of one sensor over its epochs, boots and connections."""

    def __init__(self) -> None:
        self._timeline = Timeline()
        self._notices: list[Notice] = []
        self._begin_boot()

    def _begin_boot(self) -> None:
        self._configs: dict[int, Config] = {}
        self._early: deque[tuple[SamplePacket, float]] = deque(maxlen=EARLY_PACKETS)
        self._epoch: int | None = None
        self._begin_numbering()

    def _begin_numbering(self) -> None:
        self._order: InOrder[_Run] = InOrder(self._lost)
        self._last: tuple[int, float] | None = None  # number and time of the sample that went out last

    @property
    def config(self) -> Config | None:
        """How the samples of this epoch are measured; ``None`` before the first."""
        return None if self._epoch is None else self._configs[self._epoch]

    @property
    def waits_for_config(self) -> bool:
        """Whether there are packets of an epoch of which the Config is not known."""
        return bool(self._early)

    @property
    def missing(self) -> Range | None:
        """The first stretch of samples that is missing."""
        return self._order.hole

    def notices(self) -> list[Notice]:
        """Return what the person should learn since this was last asked."""
        notices, self._notices = self._notices, []
        return notices

    def new_boot(self) -> list[ImuBlock]:
        """Begin anew: the sensor has another clock and other numbers. Return what was held back."""
        waiting = self.finish()
        if self._epoch is not None:
            self._restart()
        self._begin_boot()
        return waiting

    def learn(self, config: Config) -> list[ImuBlock]:
        """Learn the scales of an epoch; return the samples that waited for them."""
        self._configs[config.epoch] = config
        early, self._early = self._early, deque(maxlen=EARLY_PACKETS)
        return [block for packet, received_s in early for block in self.push(packet, received_s)]

    def push(self, packet: SamplePacket, received_s: float) -> list[ImuBlock]:
        """Take a packet; return the samples that are next in order."""
        config = self._configs.get(packet.epoch)
        asked_for = packet.kind is PacketKind.BACKFILL
        if config is None:
            self._early.append((packet, received_s))
            return []
        blocks: list[ImuBlock] = []
        if packet.epoch != self._epoch:
            if asked_for:  # of an epoch that is over
                return []
            blocks = self._begin_epoch(packet.epoch)
        if asked_for and not len(packet):  # the end of a resend: what has not come by now is not coming
            return blocks + self.give_up(packet.first_index)
        return blocks + self._place(self._order.push(_run(packet, config, received_s, asked_for), received_s))

    def give_up(self, until_index: int) -> list[ImuBlock]:
        """Take missing samples before `until_index` as lost; return what waited behind them."""
        return self._place(self._order.give_up(until_index))

    def overdue(self, received_s: float) -> list[ImuBlock]:
        """Return what waited for samples that were asked for in vain."""
        return self._place(self._order.overdue(received_s))

    def wish(self, received_s: float) -> tuple[int, Range] | None:
        """Return the epoch and the samples to ask for now, if any."""
        wish = self._order.wish(received_s)
        return None if wish is None or self._epoch is None else (self._epoch, wish)

    def disconnected(self) -> None:
        """Take note that what was asked for will not come by itself."""
        self._order.forget_asking()

    def finish(self) -> list[ImuBlock]:
        """Return everything that was held back."""
        return self._place(self._order.finish())

    def _begin_epoch(self, epoch: int) -> list[ImuBlock]:
        """Close the epoch before: what it left out is lost, and numbers begin anew."""
        waiting = self.finish()
        if self._epoch is not None:
            self._restart()
        self._epoch = epoch
        self._begin_numbering()
        return waiting

    def _restart(self) -> None:
        self._notices.append(Restarted())
        self._timeline.restart()

    def _place(self, runs: list[_Run]) -> list[ImuBlock]:
        """Place samples that are in order on the session's axis."""
        blocks = []
        for run in runs:
            if self._clock_stepped(run):
                self._restart()
            self._last = run.first_index + len(run) - 1, float(run.device_time_s[-1])
            axis_s = self._timeline.place(run.device_time_s, run.received_s)
            received_s = np.full(len(run), run.received_s)
            blocks.append(ImuBlock(axis_s, run.acceleration_m_s2, run.angular_velocity_rad_s, received_s))
        recovered = sum(len(run) for run in runs if run.asked_for)
        if recovered:
            self._notices.append(SamplesRecovered(recovered))
        return blocks

    def _clock_stepped(self, run: _Run) -> bool:
        """Whether the sensor's clock and its numbering of samples contradict each other."""
        if self._last is None or self.config is None:
            return False
        last_index, last_s = self._last
        expected_s = (run.first_index - last_index) / _rate_hz(self.config)
        passed_s = float(run.device_time_s[0]) - last_s
        return abs(passed_s - expected_s) > max(CLOCK_STEP_S, CLOCK_ERROR * expected_s)

    def _lost(self, samples: int) -> None:
        self._notices.append(SamplesLost(samples))


def _rate_hz(config: Config) -> float:
    return config.measured_rate_hz or config.nominal_rate_hz


def _run(packet: SamplePacket, config: Config, received_s: float, asked_for: bool) -> _Run:
    """Return the samples of a packet in SI units."""
    counts = packet.counts.astype(np.float64)
    return _Run(
        packet.first_index,
        packet.device_time_us * 1e-6 + np.arange(len(packet)) / _rate_hz(config),
        counts[:, :3] * config.acceleration_scale_m_s2,
        counts[:, 3:] * config.angular_velocity_scale_rad_s,
        received_s,
        asked_for,
    )
