"""The kinds of virtual sensor, by name: ``imu sensor --kind NAME``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from imu.samples import ImuBlock
from imu.sources.twins import reference
from imu.sources.twins.twin import Twin

TwinFactory = Callable[[ImuBlock, int], Twin]
"""Makes a twin of a signal, of which everything particular follows from the seed."""

TWINS: Mapping[str, TwinFactory] = MappingProxyType({"reference": reference.factory})
"""Names are those of :class:`imu.sensors.conversation.SensorKind`."""
