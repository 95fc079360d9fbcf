"""The kinds of virtual sensor, by name: ``imu sensor --kind NAME``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from imu.samples import ImuBlock
from imu.virtual.sensors import (
    bluefruit,
    bluest,
    metamotion,
    movella_dot,
    movesense,
    polar,
    reference,
    thingy52,
    witmotion,
)
from imu.virtual.sensors.twin import Twin

TwinFactory = Callable[[ImuBlock, int], Twin]
"""Makes a twin of a signal, of which everything particular follows from the seed."""

TWINS: Mapping[str, TwinFactory] = MappingProxyType(
    {
        "reference": reference.factory,
        "movesense": movesense.factory,
        "polar": polar.factory,
        "movella_dot": movella_dot.factory,
        "witmotion": witmotion.factory,
        "metamotion": metamotion.factory,
        "thingy52": thingy52.factory,
        "bluest": bluest.factory,
        "bluefruit": bluefruit.factory,
    }
)
"""Names are those of :class:`imu.sensors.conversation.SensorKind`."""
