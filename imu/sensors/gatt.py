"""UUIDs of what most sensors have besides their own services: Bluetooth's device information and battery level.

Refuses to know any particular sensor.
"""

from __future__ import annotations


def full_uuid(assigned_number: int) -> str:
    """Return the UUID in full of a 16-bit number that the Bluetooth SIG has assigned."""
    return f"0000{assigned_number:04x}-0000-1000-8000-00805f9b34fb"


DEVICE_INFORMATION_SERVICE = full_uuid(0x180A)
MODEL_NUMBER = full_uuid(0x2A24)
SERIAL_NUMBER = full_uuid(0x2A25)
FIRMWARE_REVISION = full_uuid(0x2A26)

BATTERY_SERVICE = full_uuid(0x180F)
BATTERY_LEVEL = full_uuid(0x2A19)
