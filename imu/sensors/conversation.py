"""What a sensor and this program say to each other: messages in; samples, notices and wishes out.

A driver (one file per sensor in this package) is a pure state machine. It is told what was heard and when, and returns
the samples in it and what should be said to the sensor next. It decides by these messages alone, so that the messages
of a training, kept in a recording, give the same samples again, ``==``. This module refuses to know Bluetooth: whoever
carries the messages (:mod:`imu.bluetooth.link`, a recording, a test) is the driver's radio.
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
    """What a sensor says of itself before anyone has connected.

    Attributes
    ----------
    name : str or None
        Its local name.
    services : tuple of str
        UUIDs of services, in full (128 bits), lower case.
    manufacturer_data : mapping of int to bytes
        By company identifier.
    """

    name: str | None = None
    services: tuple[str, ...] = ()
    manufacturer_data: Mapping[int, bytes] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The sensor is connected; what was subscribed to before is forgotten."""

    received_ns: int
    """Time on this computer's clock: nanoseconds since 1970 that only go forward."""
    longest_write: int = 20
    """Bytes that fit into one write without response: the MTU less 3."""

    @property
    def received_s(self) -> float:
        """The time in seconds."""
        return self.received_ns * 1e-9


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The sensor is not connected any more."""

    received_ns: int

    @property
    def received_s(self) -> float:
        """The time in seconds."""
        return self.received_ns * 1e-9


@dataclass(frozen=True, slots=True)
class Heard:
    """Bytes of one characteristic: a notification, an indication or the answer to a :class:`Read`."""

    received_ns: int
    characteristic: str
    """UUID in full (128 bits), lower case."""
    payload: bytes

    @property
    def received_s(self) -> float:
        """The time in seconds."""
        return self.received_ns * 1e-9


Message = LinkUp | LinkDown | Heard


# --- what should be said to the sensor ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """Read a characteristic; what it holds comes as :class:`Heard`."""

    characteristic: str
    """UUID in full, lower case; of one that several services have, ``"service/characteristic"``."""
    required: bool = True
    """Whether a sensor that lacks it cannot be used; a missing optional one is passed over in silence."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for the notifications or indications of a characteristic."""

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
"""Actions are carried out in the order given, each after the one before has been answered."""


# --- what the driver has to tell ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identified:
    """Which sensor this is; told once per connection, before the first samples."""

    serial: str
    model: str
    firmware: str
    sampling_rate_hz: float
    scales: tuple[float, float]
    """Acceleration in m/s² and angular velocity in rad/s per count; (1, 1) for a sensor that sends floats."""


@dataclass(frozen=True, slots=True)
class Battery:
    """How full the battery is."""

    percent: float


@dataclass(frozen=True, slots=True)
class SamplesLost:
    """Samples that will never come: the sensor dropped them, or the radio did and the sensor keeps none."""

    samples: int | None
    """``None`` if the sensor does not let anyone know how many."""


@dataclass(frozen=True, slots=True)
class SamplesRecovered:
    """Samples that a lost connection had kept back came afterwards."""

    samples: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """The sensor's clock or numbering began anew (a reboot); its samples go on after a gap."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that make no sense were thrown away."""

    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The sensor cannot be used: one sentence that says why and what to do. Nothing more comes from the driver."""

    sentence: str
    wrong_version: bool = False
    """Whether its firmware speaks a version that this program does not know."""


@dataclass(frozen=True, slots=True)
class Caution:
    """What the person should know of this sensor: one sentence, told once."""

    sentence: str


Notice = Identified | Battery | SamplesLost | SamplesRecovered | Restarted | Malformed | Refused | Caution


@dataclass(frozen=True, slots=True)
class Reply:
    """What a driver makes of one message.

    Attributes
    ----------
    blocks : tuple of ImuBlock
        Samples in the order of time, SI, sensor frame. ``device_time_s`` starts near 0, never goes back, and goes on
        over reboots and lost connections (:class:`imu.sensors.clocks.Timeline`).
    actions : tuple of Action
        What to say to the sensor now.
    notices : tuple of Notice
        What the person should learn.
    """

    blocks: tuple[ImuBlock, ...] = ()
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()


class Driver(Protocol):
    """A conversation with one sensor over all its connections. It never raises, whatever it is told."""

    def take(self, message: Message) -> Reply:
        """Take what came, in the order in which it came."""

    def stop(self) -> tuple[Action, ...]:
        """Return what to say to the sensor before hanging up."""

    def finish(self) -> Reply:
        """Give the samples that were held back to come in order; nothing comes after this."""


@dataclass(frozen=True, slots=True)
class SensorKind:
    """One kind of sensor that people own.

    Attributes
    ----------
    name : str
        As in ``imu sensor --kind NAME`` and in recordings: ``reference``, ``movesense`` and so on.
    title : str
        What it is called in a shop.
    recognises : callable
        Whether an advertisement is of this kind.
    driver : callable
        Make the driver; takes the sampling rate wished for in Hz.
    refusal : str or None
        For a sensor that cannot serve (no gyroscope): the sentence that says why.
    """

    name: str
    title: str
    recognises: Callable[[Advertisement], bool]
    driver: Callable[[float], Driver]
    refusal: str | None = None
