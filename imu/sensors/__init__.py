"""Sensors: bytes -> samples. The supported kinds, one file a vendor, and the unsuitable ones, which are refused.

A sensor without a gyroscope cannot separate the trunk's angle from the hip's acceleration; at 10 Hz a fast repetition
has a dozen samples.
"""

from __future__ import annotations

from collections.abc import Callable

from imu.sensors.boards import BLUEFRUIT, BLUEST, THINGY52
from imu.sensors.conversation import Action, Advertisement, Message, Refused, Reply, SensorKind
from imu.sensors.metamotion import METAMOTION
from imu.sensors.movella_dot import MOVELLA_DOT
from imu.sensors.movesense import MOVESENSE
from imu.sensors.phone import PHONE
from imu.sensors.polar import POLAR
from imu.sensors.reference import REFERENCE
from imu.sensors.sensor_logger_push import SENSOR_LOGGER
from imu.sensors.witmotion import WITMOTION

MICROBIT_ACCELEROMETER_SERVICE = "e95d0753-251d-470a-a062-fa1922dfa9a8"
INFINITIME_MOTION_SERVICE = "00030000-78fc-48fe-8e23-433b3a1942d0"
SENSORTAG_MOVEMENT_SERVICE = "f000aa80-0451-4000-b000-000000000000"


class RefusingDriver:
    """A driver that returns one `Refused` and nothing else."""

    def __init__(self, sentence: str) -> None:
        self._notices: tuple[Refused, ...] = (Refused(sentence),)

    def take(self, message: Message) -> Reply:  # noqa: ARG002 - the same reply to any message
        """Refuse at the first message; return nothing after that."""
        notices, self._notices = self._notices, ()
        return Reply(notices=notices)

    def stop(self) -> tuple[Action, ...]:
        """Return no actions: nothing was started."""
        return ()

    def finish(self) -> Reply:
        """Return no samples."""
        return Reply()


def _kind(name: str, title: str, why: str, recognises: Callable[[Advertisement], bool]) -> SensorKind:
    """Return a kind that is refused; `why` is the predicate of the sentence."""
    sentence = f"The {title} {why}: use another sensor."
    return SensorKind(name, title, recognises, lambda _wished_rate_hz: RefusingDriver(sentence), sentence)


def _named(*beginnings: str) -> Callable[[Advertisement], bool]:
    """Return a test whether the name begins with one of `beginnings`."""
    return lambda advertisement: (advertisement.name or "").startswith(beginnings)


def _named_or_serving(beginning: str, service: str) -> Callable[[Advertisement], bool]:
    """Return a test for the beginning of the name or an advertised service."""
    return lambda advertisement: _named(beginning)(advertisement) or service in advertisement.services


_NO_GYROSCOPE = "has no gyroscope, which counting needs"

UNSUITABLE = (
    _kind("polar_h10", "Polar H10", _NO_GYROSCOPE, _named("Polar H10")),
    _kind("polar_oh1", "Polar OH1", _NO_GYROSCOPE, _named("Polar OH1")),
    _kind(
        "microbit",
        "BBC micro:bit",
        _NO_GYROSCOPE,
        _named_or_serving("BBC micro:bit", MICROBIT_ACCELEROMETER_SERVICE),
    ),
    _kind("pinetime", "PineTime", _NO_GYROSCOPE, _named_or_serving("InfiniTime", INFINITIME_MOTION_SERVICE)),
    _kind("bangle", "Bangle.js", _NO_GYROSCOPE, _named("Bangle.js")),
    _kind(
        "sensortag",
        "TI SensorTag",
        "measures ten times a second at most, which is too slow for a fast repetition",
        lambda advertisement: (
            "SensorTag" in (advertisement.name or "") or SENSORTAG_MOVEMENT_SERVICE in advertisement.services
        ),
    ),
    _kind("witmotion_vibration", "WitMotion WTVB", "measures vibration, not motion", _named("WTVB")),
)


KINDS: tuple[SensorKind, ...] = (
    REFERENCE,
    MOVESENSE,
    POLAR,
    MOVELLA_DOT,
    WITMOTION,
    METAMOTION,
    THINGY52,
    BLUEST,
    BLUEFRUIT,
    PHONE,
    SENSOR_LOGGER,
    *UNSUITABLE,
)
"""Order of recognition: kinds with unmistakable signs first, unsuitable ones last."""


def recognise(advertisement: Advertisement) -> SensorKind | None:
    """Return the kind of the advertising sensor; ``None`` for other devices."""
    return next((kind for kind in KINDS if kind.recognises(advertisement)), None)


def kind_named(name: str) -> SensorKind:
    """Return the kind with this name, as in ``imu sensor --kind NAME``.

    Raises
    ------
    ValueError
        If no kind has the name.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise ValueError(f"unknown kind of sensor {name!r}; known: {', '.join(kind.name for kind in KINDS)}")
