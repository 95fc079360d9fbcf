"""The virtual radio: the real Bluetooth client, a radio in software, and a virtual sensor at the other end.

Follow one sample: a twin (`imu.virtual.sensors`) measures and packs what the person does, `peripheral` carries the
bytes to its Bluetooth controller, `air` delivers them at connection events, and `bleak_backend` hands them to bleak as
bleak's own backends do. `adapter` is this computer's end of the air and the entrance for other processes.
`virtual_radio` is the whole, for applications and tests.

All time comes from the event loop. A loop whose clock runs fast (`tests/fast_clock.py`) therefore runs the radio, the
twins, bleak and our client fast, with the same order of events.

Importing this package does not need bumble; switching the radio on does.
"""

from imu.virtual.radio.conditions import LinkChange, LinkEvent, RadioConditions
from imu.virtual.radio.virtual_radio import VirtualRadio, VirtualSensor

__all__ = ["LinkChange", "LinkEvent", "RadioConditions", "VirtualRadio", "VirtualSensor"]
