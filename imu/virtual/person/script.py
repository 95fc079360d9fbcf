"""Smooth movement commands laid over each other on a time line.

A `Script` is a sum of pieces per channel: steps (minimum jerk), bumps, waves and quintic arcs. Every piece is twice
continuously differentiable, and so is their sum; overlapping pieces make movements that do not stop at each key pose.
A channel is a name and a number over time; what it moves is defined in `lifter`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from imu.samples import Array

Channel = Literal[
    "thigh",  # backward lean of the thigh from vertical, rad
    "pelvis",  # forward pitch of the pelvis from quiet standing, rad
    "trunk",  # forward pitch of the upper body, rad; differs from the pelvis by the bend of the spine
    "abduction",  # opening of the thighs to the side, rad
    "roll",  # sideways tilt of the pelvis, rad
    "twist",  # turn of the pelvis against the feet, rad
    "heading",  # direction in which the feet point, rad
    "balance",  # shift of the centre of mass from its place in quiet standing, m, forward positive
    "lateral",  # hip to the left of the feet, m
    "height",  # hip above what the legs alone give (bounce, stairs, flight), m
    "speed",  # walking speed, m/s
    "fidget",  # how much larger than usual the sway is, 0: usual
    "strain",  # how hard the muscles work, 0 to 1
]
CHANNELS: tuple[Channel, ...] = get_args(Channel)

Profile = tuple[tuple[float, float, float], ...]
"""How a transition is spread over its time: (share of the change, start, end), start and end as shares of the time."""

PLAIN: Profile = ((1.0, 0.0, 1.0),)
"""One minimum-jerk step over the whole duration."""

STEADY: Profile = tuple((1 / 9, index / 11, (index + 3) / 11) for index in range(9))
"""Nearly constant speed, with a soft start and end: short steps; three overlap at any time."""


def smooth_step(progress: Array) -> Array:
    """Return the minimum-jerk step (0 to 1, twice differentiable) at a progress that is cut to 0 to 1."""
    u = np.clip(progress, 0.0, 1.0)
    return np.asarray(u * u * u * (10.0 + u * (6.0 * u - 15.0)))


@dataclass(frozen=True, slots=True)
class Piece:
    """One contribution to one channel: `shape` inside ``[start_s, end_s)``, the constant `rest` afterwards."""

    channel: Channel
    start_s: float
    end_s: float
    shape: Callable[[Array], Array]
    rest: float


@dataclass(frozen=True, slots=True)
class Cycle:
    """The phase of a rhythmic movement, rad, with a slow wander of its pace."""

    start_s: float
    frequency_hz: float
    wander_rad: float
    wander_hz: float
    wander_phase_rad: float

    def phase(self, time_s: Array) -> Array:
        """Return the phase at `time_s`, (n,), rad."""
        elapsed = time_s - self.start_s
        wander = self.wander_rad * np.sin(2 * np.pi * self.wander_hz * elapsed + self.wander_phase_rad)
        return np.asarray(2 * np.pi * self.frequency_hz * elapsed + wander)

    def times_of(self, phase_rad: float, end_s: float) -> Array:
        """Return the times before `end_s` at which the phase passes `phase_rad` plus whole turns."""
        time = np.arange(self.start_s, end_s, 0.005)
        turns = np.floor((self.phase(time) - phase_rad) / (2 * np.pi))
        return np.asarray(time[1:][np.diff(turns) > 0])


@dataclass(slots=True)
class Script:
    """A growing list of pieces, the time up to which it is written, and where each channel then rests."""

    now_s: float = 0.0
    pieces: list[Piece] = field(default_factory=list)
    level: dict[Channel, float] = field(default_factory=lambda: dict.fromkeys(CHANNELS, 0.0))

    def move(
        self, channel: Channel, start_s: float, duration_s: float, change: float, profile: Profile = PLAIN
    ) -> None:
        """Add a lasting change, spread over ``[start_s, start_s + duration_s)`` by `profile`."""
        for share, begin, end in profile:
            start, span, size = start_s + begin * duration_s, (end - begin) * duration_s, share * change

            def shape(time: Array, start: float = start, span: float = span, size: float = size) -> Array:
                return size * smooth_step((time - start) / span)

            self.pieces.append(Piece(channel, start, start + span, shape, size))
        self.level[channel] += change

    def move_to(self, channel: Channel, start_s: float, duration_s: float, to: float, profile: Profile = PLAIN) -> None:
        """Add the change that brings the channel to rest at `to`."""
        self.move(channel, start_s, duration_s, to - self.level[channel], profile)

    def bump(self, channel: Channel, centre_s: float, half_width_s: float, peak: float) -> None:
        """Add a short pulse that leaves nothing behind: an impact, when put on a position."""

        def shape(time: Array) -> Array:
            u = (time - centre_s) / half_width_s
            return np.asarray(peak * np.maximum(1.0 - u * u, 0.0) ** 3)

        self.pieces.append(Piece(channel, centre_s - half_width_s, centre_s + half_width_s, shape, 0.0))

    def wave(
        self,
        channel: Channel,
        cycle: Cycle,
        end_s: float,
        amplitude: float,
        *,
        harmonic: int = 1,
        phase_rad: float = 0.0,
    ) -> None:
        """Add ``amplitude * sin(harmonic * cycle + phase_rad)``, faded in and out."""
        start = cycle.start_s
        fade = min(0.8, 0.4 * (end_s - start))

        def shape(time: Array) -> Array:
            window = smooth_step((time - start) / fade) * smooth_step((end_s - time) / fade)
            return np.asarray(amplitude * window * np.sin(harmonic * cycle.phase(time) + phase_rad))

        self.pieces.append(Piece(channel, start, end_s, shape, 0.0))

    def arc(
        self,
        channel: Channel,
        start_s: float,
        duration_s: float,
        begin: tuple[float, float, float],
        finish: tuple[float, float, float],
    ) -> None:
        """Add a quintic between two states (value, rate, second derivative); nothing before and after.

        Chained arcs must share their states, the first must begin and the last end at rest at zero.
        """
        t = duration_s
        p0, v0, a0 = begin[0], begin[1] * t, begin[2] * t * t
        p1, v1, a1 = finish[0], finish[1] * t, finish[2] * t * t
        gap, rate_gap, bend_gap = p1 - p0 - v0 - a0 / 2, v1 - v0 - a0, a1 - a0
        c3 = 10 * gap - 4 * rate_gap + bend_gap / 2
        c4 = -15 * gap + 7 * rate_gap - bend_gap
        c5 = 6 * gap - 3 * rate_gap + bend_gap / 2

        def shape(time: Array) -> Array:
            u = (time - start_s) / duration_s
            return np.asarray(p0 + u * (v0 + u * (a0 / 2 + u * (c3 + u * (c4 + u * c5)))))

        self.pieces.append(Piece(channel, start_s, start_s + duration_s, shape, 0.0))

    def render(self, time_s: Array) -> dict[Channel, Array]:
        """Return every channel at the ascending times `time_s`, each (n,)."""
        n = len(time_s)
        inside = {channel: np.zeros(n) for channel in CHANNELS}
        jumps = {channel: np.zeros(n + 1) for channel in CHANNELS}
        edges = np.searchsorted(time_s, [(piece.start_s, piece.end_s) for piece in self.pieces])
        for piece, (first, last) in zip(self.pieces, edges.reshape(-1, 2).tolist(), strict=True):
            inside[piece.channel][first:last] += piece.shape(time_s[first:last])
            jumps[piece.channel][last] += piece.rest
        return {channel: inside[channel] + np.cumsum(jumps[channel][:n]) for channel in CHANNELS}
