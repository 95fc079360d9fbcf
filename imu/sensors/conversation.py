"""The types that a driver exchanges: messages, samples, actions and notices.

A driver (one file per vendor in this package) is a state machine without I/O. It receives each message with its time
of arrival, and returns the samples in it and the actions to perform next. Its output depends on the messages alone, so
the recorded messages of a training give the same samples again, ``==``. Messages come from Bluetooth
(:mod:`imu.bluetooth.link`), from a recording or from a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from imu.samples import ImuBlock

_NOTHING: Mapping[int, bytes] = MappingProxyType({})


# --- what comes from the sensor -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Advertisement:
    """The advertisement and scan response of a sensor, put together.

    Attributes
    ----------
    name : str or None
        Local name.
    services : tuple of str
        UUIDs of the advertised services, in full (128 bits), lower case.
    manufacturer_data : mapping of int to bytes
        Manufacturer data by company identifier.
    """

    name: str | None = None
    services: tuple[str, ...] = ()
    manufacturer_data: Mapping[int, bytes] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class _Received:
    received_ns: int
    """Time on this computer's clock: nanoseconds since 1970, never going back."""

    @property
    def received_s(self) -> float:
        """The time in seconds."""
        return self.received_ns * 1e-9


@dataclass(frozen=True, slots=True)
class LinkUp(_Received):
    """The sensor is connected. Earlier subscriptions no longer hold."""

    longest_write: int = 20
    """Bytes that fit into one write without response: the MTU less 3."""


@dataclass(frozen=True, slots=True)
class LinkDown(_Received):
    """The connection has ended."""


@dataclass(frozen=True, slots=True)
class Heard(_Received):
    """Bytes of one characteristic.

    They come from a notification, an indication or the answer to a :class:`Read`.
    """

    characteristic: str
    """UUID in full (128 bits), lower case."""
    payload: bytes


Message = LinkUp | LinkDown | Heard


# --- actions of a driver --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """Read a characteristic. Its content comes back as :class:`Heard`."""

    characteristic: str
    """UUID in full, lower case; ``"service/characteristic"`` where several services have the same UUID."""
    required: bool = True
    """Whether the sensor is unusable without it. A missing optional characteristic is skipped."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Subscribe to the notifications or indications of a characteristic."""

    characteristic: str
    required: bool = True
    """As in :class:`Read`."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write to a characteristic."""

    characteristic: str
    payload: bytes
    with_response: bool = True


Action = Read | Subscribe | Write
"""Actions are performed in the order given, each after the answer to the one before."""


# --- notices for the person -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identified:
    """Which sensor this is. It comes once per connection, before the first samples."""

    serial: str
    model: str
    firmware: str
    sampling_rate_hz: float
    scales: tuple[float, float]
    """Acceleration in m/s² and angular velocity in rad/s per count; (1, 1) for a sensor that sends floats."""


@dataclass(frozen=True, slots=True)
class Battery:
    """Charge of the battery."""

    percent: float


@dataclass(frozen=True, slots=True)
class SamplesLost:
    """Samples that will never come: the sensor or the radio dropped them."""

    samples: int | None
    """``None`` if the sensor's data do not show the number."""


@dataclass(frozen=True, slots=True)
class SamplesRecovered:
    """Samples that arrived late, after the sensor was asked to send them again."""

    samples: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """The sensor's clock or numbering restarted; samples continue after a gap."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that do not follow the sensor's format were discarded."""

    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The sensor cannot be used. The driver returns nothing after this notice."""

    sentence: str
    """Why, and what to do."""
    wrong_version: bool = False
    """Whether the reason is a version of the protocol that this program does not support."""


@dataclass(frozen=True, slots=True)
class Caution:
    """A limit of this sensor that the person should know: one sentence, shown once."""

    sentence: str


Notice = Identified | Battery | SamplesLost | SamplesRecovered | Restarted | Malformed | Refused | Caution


@dataclass(frozen=True, slots=True)
class Reply:
    """A driver's reply to one message.

    Attributes
    ----------
    blocks : tuple of ImuBlock
        Samples in the order of time, SI, sensor frame. ``device_time_s`` starts near 0, never goes back, and continues
        over reboots and lost connections (:class:`imu.sensors.clocks.Timeline`).
    actions : tuple of Action
        Actions to perform now.
    notices : tuple of Notice
        Notices for the person.
    """

    blocks: tuple[ImuBlock, ...] = ()
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()


class Driver(Protocol):
    """The conversation with one sensor over all its connections.

    No message makes it raise.
    """

    def take(self, message: Message) -> Reply:
        """Process one message; messages come in the order of arrival."""

    def stop(self) -> tuple[Action, ...]:
        """Return the actions to perform before disconnecting."""

    def finish(self) -> Reply:
        """Return the samples that still wait for others. This is the last call."""


@dataclass(frozen=True, slots=True)
class SensorKind:
    """One kind of sensor.

    Attributes
    ----------
    name : str
        Name in ``imu sensor --kind NAME`` and in recordings: ``reference``, ``movesense`` and so on.
    title : str
        Product name.
    recognises : callable
        Returns whether an advertisement is of this kind.
    driver : callable
        Makes the driver; takes the requested sampling rate in Hz.
    refusal : str or None
        Why the sensor cannot be used (no gyroscope, for example); ``None`` for a usable one.
    """

    name: str
    title: str
    recognises: Callable[[Advertisement], bool]
    driver: Callable[[float], Driver]
    refusal: str | None = None
