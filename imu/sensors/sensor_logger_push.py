"""Sensor Logger, a phone app that pushes its readings by HTTP while it records: messages in, samples out.

Format: PUSHING.md, UNITS.md and COORDINATES.md of https://github.com/tszheichoi/awesome-sensor-logger (Kelvin Choi).

- A message is JSON: ``messageId`` (counts up), ``sessionId`` (one for each recording in the app), ``deviceId`` and
  ``payload``, a list of readings with ``name``, ``time`` (ns since 1970) and ``values`` (x, y, z). Messages come in any
  order, twice, or never; ``Tap to Test Pushing`` sends a reading named ``test``.
- ``accelerometer`` is without gravity, ``gravity`` completes it; ``totalacceleration`` (Android) is with it.
  ``accelerometeruncalibrated`` is with it too, in g on an iPhone unless "Standardise Units & Frames" is on.
- On an iPhone all accelerations have the other sign unless standardised. No message names the platform, and kinematics
  cannot: the sign is left as it comes, except for g, which only an iPhone sends. A wrong sign mirrors left and right;
  counts, angles and drops stay as they are.

The export of the same recording is read by :mod:`imu.recordings.phone_apps`, with the same choice of sensors.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from imu.samples import STANDARD_GRAVITY_M_S2, Array, ImuBlock
from imu.sensors.clocks import Timeline
from imu.sensors.conversation import (
    Action,
    Caution,
    Heard,
    Malformed,
    Message,
    Notice,
    Refused,
    Reply,
    Restarted,
    SamplesLost,
    SensorKind,
)
from imu.sensors.phone import REFUSED, SLOWEST_HZ, identified, measured, to_phone
from imu.sensors.sample_order import Joined, TwoStreams

APP = "Sensor Logger"
PUSH = "push"
"""The kind of a message, in place of the UUID of a characteristic."""

ACCELERATION = (("totalacceleration",), ("accelerometer", "gravity"), ("accelerometeruncalibrated",))
"""Sensors that give acceleration with gravity, the best first: the others are in m/s² on every phone."""
ROTATION = ("gyroscope", "gyroscopeuncalibrated")
USED = {*(name for names in ACCELERATION for name in names), *ROTATION}

IN_G = (0.3, 3.0)
"""Median of \\|a\\| at which the unit is g: it is 1 in g and 9.8 in m/s²."""

START_S = 1.5
"""The first message of a recording may come after the second: the first samples wait this long."""
PATIENCE_S = 4.0
"""Longest wait for a message that others have overtaken; a mobile phone sends again within 3 s."""
MOST_HELD = 200
"""Messages that wait for an earlier one."""
DECIDED_S = 1.0
"""Duration of the readings from which the sensors are chosen: all have begun by then."""
MISSING_S = 3.0
"""A sensor that is not there after this time is not switched on."""

FED_S = 5.0
"""Two sensors are joined in pieces of this duration: one does not wait for the other for long (`LONGEST_WAIT_S`)."""

MOST_AHEAD_S = 86_400.0
"""Readings that run ahead of their arrival by more than a day show a clock that was set: a phone keeps less."""

TOO_SLOW = (
    "Sensor Logger sends fewer than 20 samples a second, which is too slow: set its sampling frequency to 100 Hz."
)


def lacking(names: Collection[str]) -> tuple[str, str] | None:
    """Return the quantity that sensors of these names (lower case) lack, and the remedy; ``None`` if all is there."""
    has_acceleration = any(set(needed) <= set(names) for needed in ACCELERATION)
    has_rotation = any(name in names for name in ROTATION)
    if has_acceleration and has_rotation:
        return None
    if has_acceleration:
        return "gyroscope", "switch on Gyroscope in the app"
    if "accelerometer" in names:
        return (
            "gravity (its accelerometer is without it)",
            "switch on Gravity too in the app, or on Android Total Acceleration",
        )
    if has_rotation:
        return "accelerometer", "switch on Accelerometer and Gravity in the app"
    return "accelerometer and no gyroscope", "switch on Accelerometer, Gravity and Gyroscope in the app"


def uncalibrated_scale(values: Array) -> float | None:
    """Return the factor to m/s² and the sign of Android for values (n, 3) in g; ``None`` if they are in m/s²."""
    size = np.linalg.norm(values, axis=1)
    low, high = IN_G
    is_in_g = low < np.median(size[np.isfinite(size)] if np.isfinite(size).any() else 0.0) < high
    return -STANDARD_GRAVITY_M_S2 if is_in_g else None  # only an iPhone gives g


@dataclass(frozen=True, slots=True, eq=False)
class Push:
    """One message.

    Attributes
    ----------
    number : int
        ``messageId``.
    session, device : str
        The recording and the phone that it belongs to.
    readings : mapping of str to (list of int, (n, 3) array)
        Of each sensor that is used: ns since 1970, and x, y, z.
    """

    number: int
    session: str
    device: str
    readings: Mapping[str, tuple[list[int], Array]]


def decode_push(body: bytes) -> Push | None:
    """Return a message; ``None`` if Sensor Logger does not write such bytes."""
    rows: dict[str, list[tuple[int, float, float, float]]] = {}
    try:
        content = json.loads(body)
        number, session, device = content["messageId"], content["sessionId"], content["deviceId"]
        for reading in content["payload"]:
            name = reading["name"].lower()
            if name in USED:
                values = reading["values"]
                row = int(reading["time"]), float(values["x"]), float(values["y"]), float(values["z"])
                rows.setdefault(name, []).append(row)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None
    if not (isinstance(number, int) and isinstance(session, str) and isinstance(device, str) and 0 <= number < 2**53):
        return None
    if any(not 0 <= row[0] < 2**62 for of_sensor in rows.values() for row in of_sensor):
        return None
    readings = {name: ([row[0] for row in some], np.array([row[1:] for row in some])) for name, some in rows.items()}
    return Push(number, session, device, readings)


@dataclass(slots=True)
class _Order:
    """Messages of one recording in order, each once."""

    next: int | None = None
    held: dict[int, Push] = field(default_factory=dict)
    first_s: float | None = None
    hole_s: float | None = None  # arrival of the first message behind a hole

    def push(self, message: Push, received_s: float) -> tuple[list[Push], int]:
        """Return the messages that are in order now, and how many were given up."""
        self.first_s = received_s if self.first_s is None else self.first_s
        if self.next is None or message.number >= self.next:
            self.held.setdefault(message.number, message)
        if self.next is None and received_s - self.first_s < START_S and len(self.held) <= MOST_HELD:
            return [], 0
        ready, lost = self._ready(), 0
        if self.held and self.hole_s is None:
            self.hole_s = received_s
        is_overdue = self.hole_s is not None and received_s - self.hole_s > PATIENCE_S
        if is_overdue or len(self.held) > MOST_HELD:
            more, lost = self.finish(one_hole=True)
            ready += more
            self.hole_s = received_s if self.held else None
        return ready, lost

    def finish(self, *, one_hole: bool = False) -> tuple[list[Push], int]:
        """Give up all holes, or the first one; return as `push`."""
        ready, lost = self._ready(), 0
        while self.held:
            if self.next is not None:
                lost += min(self.held) - self.next
            self.next = min(self.held)
            ready += self._ready()
            if one_hole:
                break
        return ready, lost

    def _ready(self) -> list[Push]:
        ready = []
        if self.next is None:
            self.next = min(self.held, default=None)
        while self.next is not None and self.next in self.held:
            ready.append(self.held.pop(self.next))
            self.next += 1
            self.hole_s = None
        return ready


class _Recording:
    """One recording of the app: messages in, rows out, (n, 7) in s, m/s² and rad/s; the first time is near 0."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.order = _Order()
        self.rate_hz: float | None = None
        """Sampling rate; ``None`` until the sensors are chosen."""
        self._zero_ns: int | None = None
        self._last_ns: dict[str, int] = {}
        self._waiting: dict[str, list[tuple[Array, Array]]] = {}
        self._acceleration: tuple[str, ...] = ()
        self._rotation = ""
        self._scale = 1.0
        self._total: TwoStreams | None = None
        self._both: TwoStreams | None = None

    @property
    def duration_s(self) -> float:
        """Duration of the readings so far."""
        return 0.0 if self._zero_ns is None else (max(self._last_ns.values()) - self._zero_ns) * 1e-9

    @property
    def lack(self) -> str | None:
        """A sentence that names the missing sensor and the remedy; ``None`` if nothing is missing."""
        lack = lacking(self._waiting)
        return None if lack is None else f"{APP} sends no {lack[0]}: {lack[1]}, and record again."

    def rows(self, messages: list[Push], received_s: float, *, is_last: bool = False) -> tuple[Array, int]:
        """Return the rows that are complete with these messages, and how many samples are lost."""
        for message in messages:
            self._keep(message, received_s)
        if self.rate_hz is None and lacking(self._waiting) is None and (is_last or self.duration_s >= DECIDED_S):
            self._choose()
        if self.rate_hz is None:
            return np.empty((0, 7)), 0
        used = (*self._acceleration, self._rotation)
        streams = {name: self._waiting.pop(name, []) for name in used}
        self._waiting = {name: [] for name in used}
        new = {
            name: (
                np.concatenate([np.empty(0), *(t for t, _ in some)]),
                np.vstack([np.empty((0, 3)), *(v for _, v in some)]),
            )
            for name, some in streams.items()
        }
        acceleration, lost = new[self._acceleration[0]], 0
        if self._total is not None:
            both, lost = _joined(self._total, acceleration, new[self._acceleration[1]])
            acceleration = both[:, 0], both[:, 1:4] + both[:, 4:]
        rows, more = _joined(self._both, (acceleration[0], acceleration[1] * self._scale), new[self._rotation])
        return rows, lost + more

    def _keep(self, message: Push, received_s: float) -> None:
        """Keep readings that are later than the last one of their sensor, and not of a clock that was set."""
        elapsed_s = received_s - (received_s if self.order.first_s is None else self.order.first_s)
        for name, (times_ns, values) in message.readings.items():
            if self.rate_hz is not None and name not in self._waiting:
                continue
            last_ns, later = self._last_ns.get(name, -1), []
            for index, time_ns in enumerate(times_ns):
                zero_ns = time_ns if self._zero_ns is None else self._zero_ns
                is_set = (time_ns - zero_ns) * 1e-9 > elapsed_s + MOST_AHEAD_S
                if time_ns > last_ns and not is_set and np.isfinite(values[index]).all():
                    later.append(index)
                    last_ns = time_ns
            if later:
                self._zero_ns = times_ns[later[0]] if self._zero_ns is None else self._zero_ns
                self._last_ns[name] = last_ns
                time_s = np.array([(times_ns[index] - self._zero_ns) * 1e-9 for index in later])
                self._waiting.setdefault(name, []).append((time_s, values[later]))

    def _choose(self) -> None:
        """Choose the sensors, their unit and the sampling rate."""
        self._acceleration = next(names for names in ACCELERATION if set(names) <= set(self._waiting))
        self._rotation = next(name for name in ROTATION if name in self._waiting)
        acceleration, rotation = (self._waiting[name] for name in (self._acceleration[0], self._rotation))
        if self._acceleration == ACCELERATION[-1]:
            self._scale = uncalibrated_scale(np.vstack([values for _, values in acceleration])) or 1.0
        self.rate_hz, rotation_hz = _rate_hz(acceleration), _rate_hz(rotation)
        if len(self._acceleration) == 2:
            self._total = TwoStreams(1.0 / _rate_hz(self._waiting[self._acceleration[1]]))
        self._both = TwoStreams(1.0 / rotation_hz)


def _rate_hz(parts: list[tuple[Array, Array]]) -> float:
    steps_s = np.diff(np.concatenate([time_s for time_s, _ in parts]))
    return float(1.0 / np.median(steps_s)) if len(steps_s) else 1.0


def _joined(both: TwoStreams | None, first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, int]:
    """Return rows of time and both quantities, (n, 7), at the times of the first, and how many are lost."""
    if both is None:
        raise ValueError("the sensors are not chosen")
    times_s = np.concatenate((first[0], second[0]))
    start_s = times_s.min() if len(times_s) else 0.0
    # Pieces that have samples only: a step of the phone's clock may be of years.
    ends_s = start_s + FED_S * np.unique(np.floor((times_s - start_s) / FED_S))[1:]
    joined: list[Joined] = []
    for one, other in zip(_pieces(first, ends_s), _pieces(second, ends_s), strict=True):
        joined += both.push_acceleration(*one), both.push_angular_velocity(*other)
    rows = [np.column_stack((one.time_s, one.acceleration, one.angular_velocity)) for one in joined]
    return np.concatenate(rows), sum(one.lost for one in joined)


def _pieces(stream: tuple[Array, Array], ends_s: Array) -> list[tuple[Array, Array]]:
    """Cut a stream at these times."""
    cuts = np.searchsorted(stream[0], ends_s)
    return list(zip(np.split(stream[0], cuts), np.split(stream[1], cuts), strict=True))


class SensorLoggerDriver:
    """The conversation with Sensor Logger over all its recordings."""

    def __init__(self) -> None:
        self._timeline = Timeline()
        self._recording: _Recording | None = None
        self._over: deque[str] = deque(maxlen=100)  # recordings that have ended: late messages do not begin them again
        self._complained = False
        self._is_refused = False
        self._received_s = 0.0

    def take(self, message: Message) -> Reply:
        """Process one message; messages come in the order of arrival."""
        if self._is_refused or not isinstance(message, Heard) or message.characteristic != PUSH:
            return Reply()
        push = decode_push(message.payload)
        if push is None:
            return Reply(notices=(Malformed(len(message.payload), f"no message of {APP}"),))
        if not push.readings or push.session in self._over:
            return Reply()
        before = Reply()
        if self._recording is None or push.session != self._recording.session:
            before = self._begin(push.session)
        if self._recording is None:
            raise ValueError("no recording has begun")
        self._received_s = message.received_s
        ready, lost = self._recording.order.push(push, message.received_s)
        reply = self._use(self._recording, ready, lost)
        return Reply(before.blocks + reply.blocks, before.actions + reply.actions, before.notices + reply.notices)

    def stop(self) -> tuple[Action, ...]:
        """Return no actions: the server answers that the training has ended."""
        return ()

    def finish(self) -> Reply:
        """Return the samples that waited for earlier messages."""
        recording = self._recording
        if recording is None or self._is_refused:
            return Reply()
        reply = self._use(recording, *recording.order.finish(), is_last=True)
        lack = recording.lack if recording.rate_hz is None else None
        return reply if lack is None else Reply(notices=(*reply.notices, Refused(lack)))

    def _begin(self, session: str) -> Reply:
        """End the recording before, and begin one; its times have another zero."""
        reply, before = Reply(), self._recording
        if before is not None:
            self._over.append(before.session)
            reply = self._use(before, *before.order.finish(), is_last=True)
            self._timeline.restart()
            reply = Reply(reply.blocks, reply.actions, (*reply.notices, Restarted()))
        self._recording, self._complained = _Recording(session), False
        return reply

    def _use(self, recording: _Recording, messages: list[Push], lost: int, *, is_last: bool = False) -> Reply:
        notices: list[Notice] = [SamplesLost(None)] if lost else []
        was_chosen = recording.rate_hz is not None
        rows, lost_rows = recording.rows(messages, self._received_s, is_last=is_last)
        if lost_rows:
            notices.append(SamplesLost(lost_rows))
        actions: tuple[Action, ...] = ()
        if recording.rate_hz is None and recording.duration_s >= MISSING_S and not self._complained:
            self._complained, sentence = True, recording.lack or ""
            return Reply((), (to_phone(REFUSED, sentence),), (*notices, Caution(sentence)))
        if recording.rate_hz is not None and not was_chosen:
            reply = identified(APP, "", recording.rate_hz, TOO_SLOW)
            actions = reply.actions
            notices += reply.notices
            self._is_refused = recording.rate_hz < SLOWEST_HZ
        rows, malformed = measured(rows, 0)
        notices += malformed
        if self._is_refused or not len(rows):
            return Reply((), actions, tuple(notices))
        time_s = self._timeline.place(rows[:, 0], self._received_s)
        block = ImuBlock(time_s, rows[:, 1:4], rows[:, 4:], np.full(len(rows), self._received_s))
        return Reply((block,), actions, tuple(notices))


SENSOR_LOGGER = SensorKind(
    name="sensorlogger",
    title=APP,
    recognises=lambda _advertisement: False,
    driver=lambda _wished_rate_hz: SensorLoggerDriver(),
)
"""Not found by scanning: the app connects to this computer."""
