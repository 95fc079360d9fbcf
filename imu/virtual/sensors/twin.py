"""What a virtual twin of a sensor is: a GATT layout and a state machine that speaks the sensor's bytes.

A twin is told what the central does and what time it is, and says what it would notify. It refuses to know Bluetooth
and clocks: a radio (:mod:`imu.virtual.radio`) or a test carries what it says.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imu.samples import STANDARD_GRAVITY_M_S2, Array, ImuBlock
from imu.sensors.conversation import Advertisement
from imu.sensors.driver import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    DEVICE_INFORMATION_SERVICE,
    FIRMWARE_REVISION,
    MODEL_NUMBER,
    SERIAL_NUMBER,
)


class Property(Flag):
    """What a characteristic lets a central do."""

    READ = auto()
    WRITE = auto()
    WRITE_WITHOUT_RESPONSE = auto()
    NOTIFY = auto()
    INDICATE = auto()


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One characteristic: its UUID in full (lower case) and what it allows."""

    uuid: str
    properties: Property


@dataclass(frozen=True, slots=True)
class Service:
    """One primary service: its UUID in full (lower case) and its characteristics in order."""

    uuid: str
    characteristics: tuple[Characteristic, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A notification or indication: at most MTU - 3 bytes."""

    characteristic: str
    payload: bytes


class WriteRefused(Exception):
    """The sensor answers a write with an ATT error."""

    def __init__(self, att_error: int) -> None:
        super().__init__(f"ATT error 0x{att_error:02x}")
        self.att_error = att_error


class Twin(Protocol):
    """One virtual sensor. Times are seconds on a clock that only goes forward; the twin has its own clock inside."""

    @property
    def advertisement(self) -> Advertisement:
        """What it advertises."""

    @property
    def services(self) -> tuple[Service, ...]:
        """Its GATT layout."""

    def connected(self, now_s: float, mtu: int) -> None:
        """Take note that a central has connected; `mtu` bytes is the ATT MTU."""

    def mtu_changed(self, mtu: int) -> None:
        """Take note of another ATT MTU."""

    def disconnected(self, now_s: float) -> None:
        """Take note that the central is gone: subscriptions end."""

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Take note of a subscription or of its end."""

    def read(self, characteristic: str, now_s: float) -> bytes:
        """Return what the characteristic holds."""

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Take a write; what it answers comes with the next `step`. Raises `WriteRefused`."""

    def step(self, now_s: float, room: int) -> tuple[Said, ...]:
        """Return what is to be sent by now, at most `room` messages; what finds no room waits in the sensor's FIFO."""


# --- the signal -------------------------------------------------------------------------------------------------------


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


# --- streaming twins --------------------------------------------------------------------------------------------------


LONGEST_STEP_S = 5.0
"""A chip's FIFO holds less; what was measured before that is gone without a message."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Consecutive samples: their times on the sensor's clock, acceleration in m/s², angular velocity in rad/s."""

    clock_s: Array
    acceleration_m_s2: Array
    angular_velocity_rad_s: Array


class Gathered:
    """Samples that wait until there are enough for a packet."""

    def __init__(self) -> None:
        self._waiting: list[Measured] = []

    def push(self, measured: Measured) -> None:
        """Let more samples wait."""
        self._waiting.append(measured)

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def take(self, samples: int) -> list[Measured]:
        """Take out all that fills packets of so many samples."""
        clock_s = np.concatenate([each.clock_s for each in self._waiting])
        force = np.concatenate([each.acceleration_m_s2 for each in self._waiting])
        turn = np.concatenate([each.angular_velocity_rad_s for each in self._waiting])
        cuts = range(0, len(clock_s) + 1, samples)
        self._waiting = [Measured(clock_s[cuts[-1] :], force[cuts[-1] :], turn[cuts[-1] :])]
        return [Measured(clock_s[i : i + samples], force[i : i + samples], turn[i : i + samples]) for i in cuts[:-1]]


class StreamingTwin:
    """A :class:`imu.virtual.sensors.twin.Twin` without the sensor's own bytes: those are in `write` and `_packets`.

    Parameters
    ----------
    signal : ImuBlock
        What is measured, from the first time that the sensor streams.
    seed : int
        Decides clock and rate errors.
    clock_s : float
        What the sensor's clock shows when it is first told the time.
    queue : int
        Notifications that fit into the sensor's queue.
    """

    def __init__(self, signal: ImuBlock, seed: int, clock_s: float = 0.0, queue: int = 24) -> None:
        self._rng = np.random.default_rng(seed)
        self._worn = WornSignal(signal)
        self._clock_offset_s = clock_s
        self._clock_rate = 1.0 + self._rng.normal(0.0, 30e-6)
        self._rate_error = self._rng.uniform(-0.015, 0.015)  # of the chip that measures; it has its own oscillator
        self._switched_on_s: float | None = None
        self._worn_since_s: float | None = None
        self._stream_since_s: float | None = None
        self._rate_hz = 0.0
        self._measured = 0  # samples since the stream began
        self._mtu = 23
        self._subscribed: set[str] = set()
        self._answers: deque[Said] = deque()
        self._queue: deque[Said] = deque()
        self._queue_length = queue
        self.values: dict[str, bytes] = {}
        self.overflowed = 0
        """Notifications that found no room in the queue."""

    # --- for a central ----------------------------------------------------------------------------------------------

    @property
    def advertisement(self) -> Advertisement:
        """What it advertises."""
        raise NotImplementedError

    @property
    def services(self) -> tuple[Service, ...]:
        """Its GATT layout."""
        raise NotImplementedError

    def connected(self, now_s: float, mtu: int) -> None:
        """Take note that a central has connected."""
        self._tell_time(now_s)
        self._mtu = mtu

    def mtu_changed(self, mtu: int) -> None:
        """Take note of another ATT MTU."""
        self._mtu = mtu

    def disconnected(self, now_s: float) -> None:
        """Forget subscriptions and what waits; stop the stream."""
        self._tell_time(now_s)
        self._subscribed.clear()
        self._answers.clear()
        self._queue.clear()
        self._stop_stream()

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Take note of a subscription or of its end."""
        self._tell_time(now_s)
        (self._subscribed.add if on else self._subscribed.discard)(characteristic)

    def read(self, characteristic: str, now_s: float) -> bytes:
        """Return what the characteristic holds."""
        self._tell_time(now_s)
        return self.values.get(characteristic, b"")

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Take a write; most sensors ignore what they do not know."""

    def step(self, now_s: float, room: int) -> tuple[Said, ...]:
        """Return what is to be sent by now, answers first."""
        for said in self._measure(now_s):
            if said.characteristic not in self._subscribed:
                continue
            if len(self._queue) < self._queue_length:
                self._queue.append(Said(said.characteristic, said.payload[: self._mtu - 3]))
            else:
                self.overflowed += 1
        out: list[Said] = []
        while len(out) < room and (self._answers or self._queue):
            out.append((self._answers or self._queue).popleft())
        return tuple(out)

    # --- for the sensors --------------------------------------------------------------------------------------------

    def _packets(self, measured: Measured) -> list[Said]:
        """Return the notifications that these samples complete; what remains waits for the next samples."""
        raise NotImplementedError

    def _answer(self, characteristic: str, payload: bytes) -> None:
        """Answer a command, if anyone listens."""
        if characteristic in self._subscribed:
            self._answers.append(Said(characteristic, payload))

    def _start_stream(self, now_s: float, rate_hz: float) -> None:
        """Begin to measure at about this rate."""
        self._tell_time(now_s)
        if self._worn_since_s is None:
            self._worn_since_s = now_s
        self._stream_since_s, self._measured = now_s, 0
        self._rate_hz = rate_hz * (1.0 + self._rate_error)

    def _stop_stream(self) -> None:
        self._stream_since_s = None

    @property
    def is_streaming(self) -> bool:
        """Whether it measures."""
        return self._stream_since_s is not None

    def _tell_time(self, now_s: float) -> None:
        if self._switched_on_s is None:
            self._switched_on_s = now_s

    def _clock(self, true_s: Array) -> Array:
        """Return what the sensor's clock shows at these times."""
        return self._clock_offset_s + (true_s - (self._switched_on_s or 0.0)) * self._clock_rate

    def _measure(self, now_s: float) -> list[Said]:
        """Measure what is due."""
        self._tell_time(now_s)
        if self._stream_since_s is None:
            return []
        due = math.floor((now_s - self._stream_since_s) * self._rate_hz) + 1
        first = max(self._measured, due - round(LONGEST_STEP_S * self._rate_hz))
        self._measured = max(due, self._measured)
        if first >= due:
            return []
        true_s = self._stream_since_s + np.arange(first, due) / self._rate_hz
        acceleration, angular_velocity = self._worn.at(true_s - (self._worn_since_s or 0.0))
        return self._packets(Measured(self._clock(true_s), acceleration, angular_velocity))


def device_information(twin: StreamingTwin, model: str, serial: str, firmware: str) -> Service:
    """Return the service of that name and let the twin hold what it says."""
    texts = {MODEL_NUMBER: model, SERIAL_NUMBER: serial, FIRMWARE_REVISION: firmware}
    twin.values.update({characteristic: text.encode() for characteristic, text in texts.items()})
    return Service(DEVICE_INFORMATION_SERVICE, tuple(Characteristic(each, Property.READ) for each in texts))


def battery(twin: StreamingTwin, percent: int) -> Service:
    """Return the service of that name and let the twin hold what it says."""
    twin.values[BATTERY_LEVEL] = bytes((percent,))
    return Service(BATTERY_SERVICE, (Characteristic(BATTERY_LEVEL, Property.READ | Property.NOTIFY),))
