"""Virtual twins: what each sensor does with its bytes, without Bluetooth.

`TWINS` has them by name, as in ``imu sensor --kind NAME``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from imu.samples import ImuBlock
from imu.virtual.sensors.bluefruit_twin import BluefruitTwin
from imu.virtual.sensors.bluest_twin import BlueStTwin
from imu.virtual.sensors.metamotion_twin import MetaMotionTwin
from imu.virtual.sensors.movella_dot_twin import MovellaDotTwin
from imu.virtual.sensors.movesense_twin import MovesenseTwin
from imu.virtual.sensors.polar_twin import PolarTwin
from imu.virtual.sensors.reference_twin import ReferenceTwin
from imu.virtual.sensors.thingy52_twin import Thingy52Twin
from imu.virtual.sensors.twin import Twin
from imu.virtual.sensors.witmotion_twin import WitMotionTwin

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
