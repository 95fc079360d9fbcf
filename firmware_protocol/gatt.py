"""The protocol's place on a Bluetooth link: UUIDs, name, errors of writes."""

from __future__ import annotations

from enum import IntEnum


def _ours(number: int) -> str:
    return f"ca1f{number:04x}-ce4b-419b-8053-432e398461c9"


def _sig(number: int) -> str:
    return f"0000{number:04x}-0000-1000-8000-00805f9b34fb"


SERVICE_UUID = _ours(0x0001)
"""The service; advertised."""
INFO_UUID = _ours(0x0002)
"""Read: :class:`firmware_protocol.Info`."""
CONFIG_UUID = _ours(0x0003)
"""Read, notify: :class:`firmware_protocol.Config`."""
CONTROL_UUID = _ours(0x0004)
"""Write :class:`firmware_protocol.Request`, indicate :class:`firmware_protocol.Answer`."""
DATA_UUID = _ours(0x0005)
"""Notify: live :class:`firmware_protocol.SamplePacket`."""
BACKFILL_UUID = _ours(0x0006)
"""Notify: :class:`firmware_protocol.SamplePacket` of a resend."""
STATUS_UUID = _ours(0x0007)
"""Read, notify once a second: :class:`firmware_protocol.Status`."""
TIME_SYNC_UUID = _ours(0x0008)
"""Write without response and notify: :class:`firmware_protocol.TimeSync`."""

BATTERY_SERVICE_UUID = _sig(0x180F)
BATTERY_LEVEL_UUID = _sig(0x2A19)
"""Read, notify: u8, percent."""

DEVICE_INFORMATION_SERVICE_UUID = _sig(0x180A)
MODEL_NUMBER_UUID = _sig(0x2A24)
SERIAL_NUMBER_UUID = _sig(0x2A25)
FIRMWARE_REVISION_UUID = _sig(0x2A26)
MANUFACTURER_NAME_UUID = _sig(0x2A29)

NAME_PREFIX = "IMU-"
"""The advertised name is this prefix and the last four digits of the serial number.

Flags and one 128-bit UUID leave room for 8 characters in an advertisement, so the name needs no scan response.
"""


class AttError(IntEnum):
    """Error of a write without an answer; numbers of the Bluetooth standard."""

    INSUFFICIENT_AUTHENTICATION = 0x05
    """The link is not encrypted: pair first."""
    INVALID_LENGTH = 0x0D
    """A request lacks op or request id, or a time sync is too short."""
    INDICATIONS_OFF = 0xFD
    """Subscribe to the indications of Control first (CCC descriptor improperly configured)."""
    BUSY = 0xFE
    """The answer before is not confirmed yet (procedure already in progress)."""
