"""The driver of every sensor that streams samples and keeps none; units and UUIDs.

`StreamingDriver` does what these sensors have in common, over all connections. The rest is a `Connection`, one per
vendor: a new object for each connection, so that no state of the last one (half a packet, a rate, a clock) is left.
`UntimedSamples` adds times for sensors that send neither time nor number. The vendors' units become SI here only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from imu.samples import STANDARD_GRAVITY_M_S2, Array, ImuBlock
from imu.sensors.clocks import ArrivalClock, Fate, PacketClock, Timed, Timeline
from imu.sensors.conversation import (
    Action,
    Advertisement,
    Battery,
    Caution,
    Heard,
    Identified,
    LinkDown,
    Malformed,
    Message,
    Notice,
    Read,
    Refused,
    Reply,
    Restarted,
    SamplesLost,
    SensorKind,
    Subscribe,
)

M_S2_PER_G = STANDARD_GRAVITY_M_S2
RAD_S_PER_DPS = math.pi / 180.0

MOST_ACCELERATION_M_S2 = 16 * M_S2_PER_G * 1.1
"""Largest possible acceleration: all supported sensors end at ±16 g; a tenth more allows for calibrated scales."""
MOST_ANGULAR_VELOCITY_RAD_S = 2000 * RAD_S_PER_DPS * 1.2
"""Largest possible angular velocity: all supported sensors end at ±2000 °/s. ST's chips count 70 m°/s, so that their
±2000 °/s end at 2294 °/s."""


def int16_triples(payload: bytes) -> Array:
    """Return little-endian 16-bit integers as rows of three, (n, 3).

    `payload` holds whole rows.
    """
    return np.frombuffer(payload, "<i2").astype(np.float64).reshape(-1, 3)


def float32_triples(payload: bytes) -> Array:
    """Return little-endian 32-bit floats as rows of three, (n, 3).

    `payload` holds whole rows.
    """
    with np.errstate(invalid="ignore"):  # any bytes at all, signalling NaN too
        return np.frombuffer(payload, "<f4").astype(np.float64).reshape(-1, 3)


def is_possible_acceleration(acceleration_m_s2: Array) -> bool:
    """Return whether every value is within the range of sensors; NaN is not."""
    return bool((np.abs(acceleration_m_s2) <= MOST_ACCELERATION_M_S2).all())


def is_possible_angular_velocity(angular_velocity_rad_s: Array) -> bool:
    """Return whether every value is within the range of sensors; NaN is not."""
    return bool((np.abs(angular_velocity_rad_s) <= MOST_ANGULAR_VELOCITY_RAD_S).all())


def are_possible(acceleration_m_s2: Array, angular_velocity_rad_s: Array) -> bool:
    """Return whether every value of both quantities is within the range of sensors; NaN is not."""
    return is_possible_acceleration(acceleration_m_s2) and is_possible_angular_velocity(angular_velocity_rad_s)


def full_uuid(assigned_number: int) -> str:
    """Return the 128-bit UUID of a 16-bit number assigned by the Bluetooth SIG."""
    return f"0000{assigned_number:04x}-0000-1000-8000-00805f9b34fb"


DEVICE_INFORMATION_SERVICE = full_uuid(0x180A)
MODEL_NUMBER = full_uuid(0x2A24)
SERIAL_NUMBER = full_uuid(0x2A25)
FIRMWARE_REVISION = full_uuid(0x2A26)

BATTERY_SERVICE = full_uuid(0x180F)
BATTERY_LEVEL = full_uuid(0x2A19)


@dataclass(slots=True)
class Nameplate:
    """Model, serial number and firmware of a sensor, filled in during one connection."""

    model: str
    serial: str = ""
    firmware: str = ""

    def read(self, heard: Heard) -> bool:
        """Fill in a field of the device information; return whether it was one."""
        text = text_of(heard.payload)
        if heard.characteristic == MODEL_NUMBER:
            self.model = text or self.model
        elif heard.characteristic == SERIAL_NUMBER:
            self.serial = text
        elif heard.characteristic == FIRMWARE_REVISION:
            self.firmware = text
        else:
            return False
        return True


def text_of(payload: bytes) -> str:
    """Return the printable text of a characteristic, up to its first NUL."""
    decoded = payload.split(b"\0", 1)[0].decode("utf-8", errors="replace")
    return "".join(letter for letter in decoded if letter.isprintable()).strip()


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples on the sensor's clock.

    Attributes
    ----------
    device_time_s : (n,) array
        Unwrapped and rising within a connection, unless `is_restarted`.
    acceleration_m_s2, angular_velocity_rad_s : (n, 3) array
        Finite, sensor frame.
    is_restarted : bool
        Whether the sensor's clock was reset before these samples.
    received_s : float or None
        Time of arrival; ``None`` for the time of the present message.
    """

    device_time_s: Array
    acceleration_m_s2: Array
    angular_velocity_rad_s: Array
    is_restarted: bool = False
    received_s: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A connection's reply to one message."""

    samples: tuple[Samples, ...] = ()
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()


def malformed(payload: bytes, reason: str) -> Result:
    """Return the reply that reports `payload` as discarded."""
    return Result(notices=(Malformed(len(payload), reason),))


BEYOND_RANGE = "values beyond the sensor's range"
"""Why a packet with such values is malformed."""


def stamped(
    clock: PacketClock,
    stamp: int,
    acceleration_m_s2: Array,
    angular_velocity_rad_s: Array,
    size: int,
    *,
    received_s: float | None = None,
) -> Result:
    """Return the samples of a packet of `size` bytes, (n, 3) each, with the times that its stamp gives them.

    The packet came at `received_s`; ``None`` for the time of the present message.
    """
    if not are_possible(acceleration_m_s2, angular_velocity_rad_s):
        return Result(notices=(Malformed(size, BEYOND_RANGE),))
    placed = clock.place(stamp, len(acceleration_m_s2))
    notices = placed.notices(size)
    if placed.is_dropped:
        return Result(notices=notices)
    is_restarted = placed.fate is Fate.RESTARTED
    samples = Samples(placed.time_s, acceleration_m_s2, angular_velocity_rad_s, is_restarted, received_s)
    return Result((samples,), (), notices)


class Connection(Protocol):
    """The conversation with a sensor during one connection; the defaults are those of most sensors.

    No message makes it raise.
    """

    @property
    def sampling_rate_hz(self) -> float:
        """The agreed sampling rate; defined once there are samples."""

    @property
    def scales(self) -> tuple[float, float]:
        """As in `Identified`; defined once there are samples. One for sensors that send floats."""
        return 1.0, 1.0

    def begin(self) -> tuple[Action, ...]:
        """Return the first actions."""

    def hear(self, heard: Heard) -> Result:
        """Process bytes of the sensor, except device information and battery level."""

    def stop(self) -> tuple[Action, ...]:
        """Return the actions to perform before disconnecting; none where the stream ends with the connection."""
        return ()

    def finish(self) -> Result:
        """Return the samples that still wait. This is the last call."""
        return Result()


def streaming_kind(
    name: str,
    title: str,
    recognises: Callable[[Advertisement], bool],
    connect: Callable[[float, Nameplate], Connection],
    model: str | None = None,
) -> SensorKind:
    """Return a kind whose driver is a `StreamingDriver`.

    `connect` takes the wished rate and the nameplate to fill in; `model` is the title where it is not given.
    """
    return SensorKind(
        name,
        title,
        recognises,
        lambda wished_rate_hz: StreamingDriver(lambda nameplate: connect(wished_rate_hz, nameplate), model or title),
    )


class StreamingDriver:
    """The driver of sensors that start a new stream at each connection.

    A :class:`imu.sensors.conversation.Driver`.

    Parameters
    ----------
    connect : callable
        Makes the `Connection`; takes the nameplate to fill in.
    model : str
        Name of the model, for a sensor that does not send one.
    """

    def __init__(self, connect: Callable[[Nameplate], Connection], model: str) -> None:
        self._connect = connect
        self._model = model
        self._timeline = Timeline()
        self._nameplate = Nameplate(model)
        self._connection: Connection | None = None
        self._received_s = 0.0
        self._is_identified = False  # in this connection
        self._is_refused = False
        self._cautions: set[Caution] = set()

    def take(self, message: Message) -> Reply:
        """Process one message; messages come in the order of arrival."""
        if self._is_refused:
            return Reply()
        if isinstance(message, Heard):
            self._received_s = message.received_s
            return self._hear(message)
        rest = self._hang_up()
        self._received_s = message.received_s
        if isinstance(message, LinkDown):
            return rest
        return Reply(rest.blocks, self._greet(), rest.notices)

    def stop(self) -> tuple[Action, ...]:
        """Return the actions to perform before disconnecting."""
        return () if self._connection is None or self._is_refused else self._connection.stop()

    def finish(self) -> Reply:
        """Return the samples that still wait for others. This is the last call."""
        return self._hang_up()

    def _greet(self) -> tuple[Action, ...]:
        """Start a connection and read the identity first.

        It then comes before the first samples.
        """
        self._nameplate = Nameplate(self._model)
        self._connection = self._connect(self._nameplate)
        self._is_identified = False
        self._timeline.restart()
        about = (MODEL_NUMBER, SERIAL_NUMBER, FIRMWARE_REVISION)
        return (
            *(Read(characteristic, required=False) for characteristic in about),
            Subscribe(BATTERY_LEVEL, required=False),
            Read(BATTERY_LEVEL, required=False),
            *self._connection.begin(),
        )

    def _hang_up(self) -> Reply:
        """End the connection, if there is one."""
        if self._connection is None or self._is_refused:
            return Reply()
        reply = self._reply(self._connection, self._connection.finish())
        self._connection = None
        return Reply(reply.blocks, (), reply.notices)

    def _hear(self, heard: Heard) -> Reply:
        if self._connection is None or self._nameplate.read(heard):
            return Reply()
        if heard.characteristic == BATTERY_LEVEL:
            is_level = len(heard.payload) == 1 and heard.payload[0] <= 100
            return Reply(notices=(Battery(float(heard.payload[0])),)) if is_level else Reply()
        return self._reply(self._connection, self._connection.hear(heard))

    def _reply(self, connection: Connection, result: Result) -> Reply:
        """Put the samples on the session's axis."""
        if any(isinstance(notice, Refused) for notice in result.notices):
            self._is_refused = True
            return Reply(notices=result.notices)
        notices: list[Notice] = []
        blocks: list[ImuBlock] = []
        news = [notice for notice in result.notices if notice not in self._cautions]
        self._cautions.update(notice for notice in news if isinstance(notice, Caution))
        for samples in result.samples:
            if not len(samples.device_time_s):
                continue
            if not self._is_identified:
                notices += self._identify(connection)
            elif samples.is_restarted:
                notices.append(Restarted())
                self._timeline.restart()
            blocks.append(self._placed(samples))
        return Reply(tuple(blocks), result.actions, (*notices, *news))

    def _identify(self, connection: Connection) -> tuple[Notice, ...]:
        """Report the identity; after earlier samples, also that the pause lost samples."""
        self._is_identified = True
        plate = self._nameplate
        identified = Identified(
            plate.serial, plate.model, plate.firmware, connection.sampling_rate_hz, connection.scales
        )
        is_first = np.isneginf(self._timeline.last_s)
        return (identified,) if is_first else (identified, SamplesLost(None))

    def _placed(self, samples: Samples) -> ImuBlock:
        received_s = self._received_s if samples.received_s is None else samples.received_s
        return ImuBlock(
            self._timeline.place(samples.device_time_s, received_s),
            samples.acceleration_m_s2,
            samples.angular_velocity_rad_s,
            np.full(len(samples.device_time_s), received_s),
        )


# --- samples without time or number -----------------------------------------------------------------------------------


SLOW = 0.85
"""Below this share of the requested rate, samples get lost or the sensor does not reach the rate."""


class UntimedSamples:
    """Times and cautions for samples without time or number.

    Parameters
    ----------
    title : str
        Product name, for sentences.
    asked_rate_hz : float
        Requested rate.
    """

    def __init__(self, title: str, asked_rate_hz: float) -> None:
        self._title = title
        self._asked_rate_hz = asked_rate_hz
        self._clock = ArrivalClock(asked_rate_hz)
        self._has_begun = False
        self._is_slow = False

    @property
    def sampling_rate_hz(self) -> float:
        """The rate as estimated so far."""
        return self._clock.sampling_rate_hz

    def push(self, rows: Array, received_s: float) -> Result:
        """Add rows that came together.

        They hold acceleration in m/s² and angular velocity in rad/s, (n, 6).
        """
        return self._found(self._clock.push(rows, received_s))

    def finish(self) -> Result:
        """Return the samples that still wait."""
        return self._found(self._clock.finish())

    def _found(self, timed: list[Timed]) -> Result:
        samples = tuple(
            Samples(each.time_s, each.rows[:, :3], each.rows[:, 3:], received_s=each.received_s) for each in timed
        )
        holes = [SamplesLost(None) for each in timed if each.is_after_hole]
        return Result(samples, (), (*(self._cautions() if timed else ()), *holes))

    def _cautions(self) -> list[Notice]:
        """Return the cautions that have not been shown yet."""
        cautions: list[Notice] = []
        if not self._has_begun:
            cautions.append(Caution(unprovable(self._title)))
        if not self._is_slow and self.sampling_rate_hz < SLOW * self._asked_rate_hz:
            self._is_slow = True
            cautions.append(Caution(too_slow(self._title, self.sampling_rate_hz, self._asked_rate_hz)))
        self._has_begun = True
        return cautions


def unprovable(title: str) -> str:
    """Return the caution for every sensor of this kind."""
    return (
        f"The {title} sends no sample numbers and no times: lost samples cannot be detected, and times are estimated "
        "from arrivals."
    )


def too_slow(title: str, rate_hz: float, asked_rate_hz: float) -> str:
    """Return the caution for a sensor that sends fewer samples than requested."""
    return (
        f"The {title} sends {rate_hz:.0f} samples a second instead of {asked_rate_hz:.0f}: keep it near the computer, "
        "or samples get lost."
    )
