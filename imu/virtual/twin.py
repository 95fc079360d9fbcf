"""A virtual twin of a sensor: a GATT layout and a state machine of its bytes.

A twin receives the central's operations and the time, and returns the notifications to send. It uses neither Bluetooth
nor a clock: a radio (:mod:`imu.virtual.radio`) or a test carries its messages. `WornSignal` is the movement that it
measures. `StreamingTwin` has what the twins of all streaming sensors share: they measure at their own pace, keep a
short queue and drop what overflows.
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
    """The operations that a characteristic allows a central."""

    READ = auto()
    WRITE = auto()
    WRITE_WITHOUT_RESPONSE = auto()
    NOTIFY = auto()
    INDICATE = auto()


READ_WRITE = Property.READ | Property.WRITE
READ_NOTIFY = Property.READ | Property.NOTIFY


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One characteristic: its UUID in full (lower case) and its properties."""

    uuid: str
    properties: Property


@dataclass(frozen=True, slots=True)
class Service:
    """One primary service: its UUID in full (lower case) and characteristics."""

    uuid: str
    characteristics: tuple[Characteristic, ...]


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification or indication: at most MTU - 3 bytes."""

    characteristic: str
    payload: bytes


class WriteRefused(Exception):
    """The sensor answers a write with an ATT error."""

    def __init__(self, att_error: int) -> None:
        super().__init__(f"ATT error 0x{att_error:02x}")
        self.att_error = att_error


class Twin(Protocol):
    """One virtual sensor.

    Times are seconds on a clock that only goes forward; the twin has its own clock inside.
    """

    @property
    def advertisement(self) -> Advertisement:
        """The advertised data."""

    @property
    def services(self) -> tuple[Service, ...]:
        """The GATT layout."""

    def connected(self, now_s: float, mtu: int) -> None:
        """Handle a new connection; `mtu` is the ATT MTU in bytes."""

    def mtu_changed(self, mtu: int) -> None:
        """Take the new ATT MTU."""

    def disconnected(self, now_s: float) -> None:
        """Handle the end of the connection: subscriptions end."""

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Start or end a subscription."""

    def read(self, characteristic: str, now_s: float) -> bytes:
        """Return the content of the characteristic."""

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Process a write. The answer comes with the next `step`. Raises `WriteRefused`."""

    def step(self, now_s: float, room: int) -> tuple[Notification, ...]:
        """Return at most `room` messages due now; the others wait in the queue."""


# --- the signal -------------------------------------------------------------------------------------------------------


STANDING_S = 0.25
"""Last stretch of the signal, which gives the person's posture afterwards."""


class WornSignal:
    """The movement at a person's hip at any time: a given signal, then quiet standing."""

    def __init__(self, signal: ImuBlock) -> None:
        self._time_s = signal.device_time_s - signal.device_time_s[0]
        values = np.hstack((signal.acceleration_m_s2, signal.angular_velocity_rad_s))
        self._columns = np.ascontiguousarray(values.T)  # numpy.interp copies all of a column that is not contiguous
        last = self._time_s >= self._time_s[-1] - STANDING_S
        up = values[last, :3].mean(axis=0)
        self._standing = np.concatenate((up / np.linalg.norm(up) * STANDARD_GRAVITY_M_S2, np.zeros(3)))

    @property
    def duration_s(self) -> float:
        """Duration of the signal before the person stands still."""
        return float(self._time_s[-1])

    def at(self, time_s: Array) -> tuple[Array, Array]:
        """Return both quantities at times since the start.

        Acceleration in m/s² and angular velocity in rad/s, each (n, 3).
        """
        values = np.column_stack([np.interp(time_s, self._time_s, column) for column in self._columns])
        values[time_s > self.duration_s] = self._standing
        return values[:, :3], values[:, 3:]


def counts(values: Array, unit: float, bits: int = 16) -> NDArray[np.int64]:
    """Return the values in counts of a chip, cut off at the end of its range."""
    limit = 1 << (bits - 1)
    return np.clip(np.round(values / unit), -limit, limit - 1).astype(np.int64)


# --- streaming twins --------------------------------------------------------------------------------------------------


LONGEST_STEP_S = 5.0
"""A chip's FIFO holds less; older samples are lost without a message."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Consecutive samples on the sensor's clock, in m/s² and rad/s."""

    clock_s: Array
    acceleration_m_s2: Array
    angular_velocity_rad_s: Array


class Gathered:
    """Samples that wait until a packet is full."""

    def __init__(self) -> None:
        self._waiting: list[Measured] = []

    def push(self, measured: Measured) -> None:
        """Add samples."""
        self._waiting.append(measured)

    def clear(self) -> None:
        """Drop all samples."""
        self._waiting.clear()

    def take(self, samples: int) -> list[Measured]:
        """Remove and return all full packets of `samples` samples."""
        clock_s = np.concatenate([each.clock_s for each in self._waiting])
        force = np.concatenate([each.acceleration_m_s2 for each in self._waiting])
        turn = np.concatenate([each.angular_velocity_rad_s for each in self._waiting])
        cuts = range(0, len(clock_s) + 1, samples)
        self._waiting = [Measured(clock_s[cuts[-1] :], force[cuts[-1] :], turn[cuts[-1] :])]
        return [Measured(clock_s[i : i + samples], force[i : i + samples], turn[i : i + samples]) for i in cuts[:-1]]


class StreamingTwin:
    """A twin of a streaming sensor; `write` and `_packets` add its own bytes.

    Parameters
    ----------
    signal : ImuBlock
        Movement to measure, from the start of the first stream.
    seed : int
        Seed of the clock and rate errors.
    clock_s : float
        Time on the sensor's clock at the first event.
    queue : int
        Number of notifications that fit into the sensor's queue.
    """

    advertisement: Advertisement
    """The advertised data."""
    services: tuple[Service, ...]
    """The GATT layout."""
    motion: tuple[str, ...] = ()
    """The sensor measures while there is a subscription to one of these characteristics; empty: by command."""

    def __init__(self, signal: ImuBlock, seed: int, clock_s: float = 0.0, queue: int = 24) -> None:
        self._rng = np.random.default_rng(seed)
        self._worn = WornSignal(signal)
        self._clock_offset_s = clock_s
        self._clock_rate = 1.0 + self._rng.normal(0.0, 30e-6)
        self._rate_error = self._rng.uniform(-0.015, 0.015)  # of the motion chip, which has its own oscillator
        self._switched_on_s: float | None = None
        self._worn_since_s: float | None = None
        self._stream_since_s: float | None = None
        self._rate_hz = 0.0
        self._measured = 0  # samples since the stream began
        self._mtu = 23
        self._subscribed: set[str] = set()
        self._answers: deque[Notification] = deque()
        self._queue: deque[Notification] = deque()
        self._queue_length = queue
        self.values: dict[str, bytes] = {}
        self.overflowed = 0
        """Number of notifications dropped because the queue was full."""

    # --- for a central ----------------------------------------------------------------------------------------------

    def connected(self, now_s: float, mtu: int) -> None:
        """Handle a new connection."""
        self._start_clock(now_s)
        self._mtu = mtu

    def mtu_changed(self, mtu: int) -> None:
        """Take the new ATT MTU."""
        self._mtu = mtu

    def disconnected(self, now_s: float) -> None:
        """Drop subscriptions and waiting messages; stop the stream."""
        self._start_clock(now_s)
        self._subscribed.clear()
        self._answers.clear()
        self._queue.clear()
        self._stop_stream()

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Start or end a subscription."""
        self._start_clock(now_s)
        (self._subscribed.add if on else self._subscribed.discard)(characteristic)
        if characteristic in self.motion:
            self._go_on(now_s)

    def read(self, characteristic: str, now_s: float) -> bytes:
        """Return the content of the characteristic."""
        self._start_clock(now_s)
        return self.values.get(characteristic, b"")

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Process a write; most sensors ignore unknown ones."""

    def step(self, now_s: float, room: int) -> tuple[Notification, ...]:
        """Return the messages due now, answers first."""
        for notification in self._measure(now_s):
            if notification.characteristic not in self._subscribed:
                continue
            if len(self._queue) < self._queue_length:
                self._queue.append(Notification(notification.characteristic, notification.payload[: self._mtu - 3]))
            else:
                self.overflowed += 1
        out: list[Notification] = []
        while len(out) < room and (self._answers or self._queue):
            out.append((self._answers or self._queue).popleft())
        return tuple(out)

    # --- for the sensors --------------------------------------------------------------------------------------------

    def _packets(self, measured: Measured) -> list[Notification]:
        """Return the notifications that are complete with these samples; the rest waits."""
        raise NotImplementedError

    def _wanted_rate_hz(self) -> float:
        """Return the rate of a stream that a subscription starts."""
        raise NotImplementedError

    def _go_on(self, now_s: float) -> None:
        """Start to measure at the wanted rate if there is a subscription, else stop."""
        if self._subscribed.intersection(self.motion):
            self._start_stream(now_s, self._wanted_rate_hz())
        else:
            self._stop_stream()

    def _answer(self, characteristic: str, payload: bytes) -> None:
        """Queue the answer to a command, if the central has subscribed."""
        if characteristic in self._subscribed:
            self._answers.append(Notification(characteristic, payload))

    def _start_stream(self, now_s: float, rate_hz: float) -> None:
        """Start to measure at about this rate."""
        self._start_clock(now_s)
        if self._worn_since_s is None:
            self._worn_since_s = now_s
        self._stream_since_s, self._measured = now_s, 0
        self._rate_hz = rate_hz * (1.0 + self._rate_error)

    def _stop_stream(self) -> None:
        self._stream_since_s = None

    @property
    def is_streaming(self) -> bool:
        """Whether the sensor measures."""
        return self._stream_since_s is not None

    def _start_clock(self, now_s: float) -> None:
        if self._switched_on_s is None:
            self._switched_on_s = now_s

    def _clock(self, true_s: Array) -> Array:
        """Return the time on the sensor's clock at true times."""
        return self._clock_offset_s + (true_s - (self._switched_on_s or 0.0)) * self._clock_rate

    def _measure(self, now_s: float) -> list[Notification]:
        """Measure the samples due now."""
        self._start_clock(now_s)
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
    """Return the device information service and store its texts in the twin."""
    texts = {MODEL_NUMBER: model, SERIAL_NUMBER: serial, FIRMWARE_REVISION: firmware}
    twin.values.update({characteristic: text.encode() for characteristic, text in texts.items()})
    return Service(DEVICE_INFORMATION_SERVICE, tuple(Characteristic(each, Property.READ) for each in texts))


def battery(twin: StreamingTwin, percent: int) -> Service:
    """Return the battery service and store its level in the twin."""
    twin.values[BATTERY_LEVEL] = bytes((percent,))
    return Service(BATTERY_SERVICE, (Characteristic(BATTERY_LEVEL, Property.READ | Property.NOTIFY),))
