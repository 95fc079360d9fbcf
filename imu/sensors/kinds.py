"""Every kind of sensor that this program knows, in the order in which they are tried on an advertisement.

Refuses to know more of them than that.
"""

from __future__ import annotations

from imu.sensors.bluefruit import BLUEFRUIT
from imu.sensors.bluest import BLUEST
from imu.sensors.conversation import Advertisement, SensorKind
from imu.sensors.metamotion import METAMOTION
from imu.sensors.movella_dot import MOVELLA_DOT
from imu.sensors.movesense import MOVESENSE
from imu.sensors.polar import POLAR
from imu.sensors.reference import REFERENCE
from imu.sensors.thingy52 import THINGY52
from imu.sensors.unsuitable import UNSUITABLE
from imu.sensors.witmotion import WITMOTION

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
