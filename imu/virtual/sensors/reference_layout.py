"""The GATT layout of our firmware. This module refuses to know what the characteristics hold, but for fixed texts."""

from __future__ import annotations

from typing import Final

import firmware_protocol as protocol
from imu.virtual.sensors.twin import Characteristic, Property, Service

MODEL = "IMU trainer (virtual)"
MANUFACTURER = "imu"
FIRMWARE = "1.0.0"

_READ_NOTIFY = Property.READ | Property.NOTIFY
_TEXTS = (
    protocol.MODEL_NUMBER_UUID,
    protocol.SERIAL_NUMBER_UUID,
    protocol.FIRMWARE_REVISION_UUID,
    protocol.MANUFACTURER_NAME_UUID,
)

SERVICES: Final = (
    Service(
        protocol.SERVICE_UUID,
        (
            Characteristic(protocol.INFO_UUID, Property.READ),
            Characteristic(protocol.CONFIG_UUID, _READ_NOTIFY),
            Characteristic(protocol.CONTROL_UUID, Property.WRITE | Property.INDICATE),
            Characteristic(protocol.DATA_UUID, Property.NOTIFY),
            Characteristic(protocol.BACKFILL_UUID, Property.NOTIFY),
            Characteristic(protocol.STATUS_UUID, _READ_NOTIFY),
            Characteristic(protocol.TIME_SYNC_UUID, Property.WRITE_WITHOUT_RESPONSE | Property.NOTIFY),
        ),
    ),
    Service(protocol.BATTERY_SERVICE_UUID, (Characteristic(protocol.BATTERY_LEVEL_UUID, _READ_NOTIFY),)),
    Service(protocol.DEVICE_INFORMATION_SERVICE_UUID, tuple(Characteristic(uuid, Property.READ) for uuid in _TEXTS)),
)
"""Our service, battery, device information."""


def device_information(serial: str) -> dict[str, str]:
    """Return the texts of the device information service, by characteristic."""
    return dict(zip(_TEXTS, (MODEL, serial, FIRMWARE, MANUFACTURER), strict=True))
