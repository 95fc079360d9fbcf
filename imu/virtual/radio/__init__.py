"""The virtual sensor: the real Bluetooth client, a radio in software, and a twin of a sensor at the other end.

Follow one sample: `person` moves, a twin (:mod:`imu.virtual.sensors`) measures and packs, `peripheral` carries the
bytes to its `controller`, `link` lets them through when the radio can, and `backend` hands them to bleak as its own
backends do. `adapter` is this computer's end, `serving` lets other processes in, and `radio` is the whole for whoever
uses it. Importing this package does not need bumble; switching the radio on does.
"""

from imu.virtual.radio.conditions import RadioConditions
from imu.virtual.radio.link_events import LinkChange, LinkEvent
from imu.virtual.radio.radio import VirtualRadio, VirtualSensor

__all__ = ["LinkChange", "LinkEvent", "RadioConditions", "VirtualRadio", "VirtualSensor"]
