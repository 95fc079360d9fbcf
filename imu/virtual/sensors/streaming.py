"""What the twins of all streaming sensors do alike: measure at their own pace, keep a short queue, drop what overflows.

Refuses to know the bytes of any sensor, Bluetooth and clocks.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from imu.samples import Array, ImuBlock
from imu.sensors.conversation import Advertisement
from imu.sensors.gatt import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    DEVICE_INFORMATION_SERVICE,
    FIRMWARE_REVISION,
    MODEL_NUMBER,
    SERIAL_NUMBER,
)
from imu.virtual.sensors.twin import Characteristic, Property, Said, Service
from imu.virtual.sensors.worn_signal import WornSignal

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
