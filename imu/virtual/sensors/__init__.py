"""Virtual twins: what each sensor does with its bytes, without Bluetooth.

`TWINS` has them by name, as in ``imu sensor --kind NAME``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from imu.samples import ImuBlock
from imu.virtual.sensors.packet_twins import MovesenseTwin, PolarTwin, WitMotionTwin
from imu.virtual.sensors.reference_twin import ReferenceTwin
from imu.virtual.sensors.sample_twins import BluefruitTwin, BlueStTwin, MetaMotionTwin, MovellaDotTwin, Thingy52Twin
from imu.virtual.sensors.twin import Twin

TwinFactory = Callable[[ImuBlock, int], Twin]
"""Makes a twin that measures a signal; serial numbers and errors follow from the seed."""

TWINS: Mapping[str, TwinFactory] = MappingProxyType(
    {
        "reference": ReferenceTwin,
        "movesense": MovesenseTwin,
        "polar": PolarTwin,
        "movella_dot": MovellaDotTwin,
        "witmotion": WitMotionTwin,
        "metamotion": MetaMotionTwin,
        "thingy52": Thingy52Twin,
        "bluest": BlueStTwin,
        "bluefruit": BluefruitTwin,
    }
)
"""By name of the :class:`imu.sensors.conversation.SensorKind`."""
