"""Every kind of sensor that this program knows, in the order in which they are tried on an advertisement.

Refuses to know more of them than that.
"""

from __future__ import annotations

from collections.abc import Callable

from imu.sensors.bluefruit import BLUEFRUIT
from imu.sensors.bluest import BLUEST
from imu.sensors.conversation import Action, Advertisement, Message, Refused, Reply, SensorKind
from imu.sensors.metamotion import METAMOTION
from imu.sensors.movella_dot import MOVELLA_DOT
from imu.sensors.movesense import MOVESENSE
from imu.sensors.polar import POLAR
from imu.sensors.reference import REFERENCE
from imu.sensors.thingy52 import THINGY52
from imu.sensors.witmotion import WITMOTION

MICROBIT_ACCELEROMETER_SERVICE = "e95d0753-251d-470a-a062-fa1922dfa9a8"
INFINITIME_MOTION_SERVICE = "00030000-78fc-48fe-8e23-433b3a1942d0"
SENSORTAG_MOVEMENT_SERVICE = "f000aa80-0451-4000-b000-000000000000"


class RefusingDriver:
    """A driver that says why it does nothing, once."""

    def __init__(self, sentence: str) -> None:
        self._notices: tuple[Refused, ...] = (Refused(sentence),)

    def take(self, message: Message) -> Reply:  # noqa: ARG002 - whatever it is
        """Refuse at the first message; say nothing after that."""
        notices, self._notices = self._notices, ()
        return Reply(notices=notices)

    def stop(self) -> tuple[Action, ...]:
        """Return nothing: nothing was started."""
        return ()

    def finish(self) -> Reply:
        """Give nothing."""
        return Reply()


def _kind(name: str, title: str, why: str, recognises: Callable[[Advertisement], bool]) -> SensorKind:
    """Return the kind of a sensor that is refused because of what `why` says of it."""
    sentence = f"The {title} {why}: use another sensor."
    return SensorKind(name, title, recognises, lambda _wished_rate_hz: RefusingDriver(sentence), sentence)


def _named(*beginnings: str) -> Callable[[Advertisement], bool]:
    """Return whether the name begins with any of these."""
    return lambda advertisement: (advertisement.name or "").startswith(beginnings)


def _named_or_serving(beginning: str, service: str) -> Callable[[Advertisement], bool]:
    """Return whether the name begins so, or the service is advertised."""
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
        "measures ten times a second at most, too seldom for a fast repetition",
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
    *UNSUITABLE,
)
"""Those with signs that nobody else has first; what is only to be refused last."""


def recognise(advertisement: Advertisement) -> SensorKind | None:
    """Return the kind of sensor that advertises so; ``None`` if none of ours does."""
    return next((kind for kind in KINDS if kind.recognises(advertisement)), None)


def kind_named(name: str) -> SensorKind:
    """Return the kind with this name, as in ``imu sensor --kind NAME`` and in recordings.

    Raises
    ------
    ValueError
        If there is none.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise ValueError(f"unknown kind of sensor {name!r}; known: {', '.join(kind.name for kind in KINDS)}")
