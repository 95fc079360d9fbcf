"""A twin's services -> bumble's GATT services, whose reads, writes and subscriptions go to whoever answers for it.

This module refuses to know what is read and written.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from bumble import att, gatt
from bumble.device import Connection

from imu.virtual.radio.advertising import uuid_of
from imu.virtual.sensors.twin import Characteristic, Property, Service

_PROPERTIES = {
    Property.READ: gatt.Characteristic.Properties.READ,
    Property.WRITE: gatt.Characteristic.Properties.WRITE,
    Property.WRITE_WITHOUT_RESPONSE: gatt.Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
    Property.NOTIFY: gatt.Characteristic.Properties.NOTIFY,
    Property.INDICATE: gatt.Characteristic.Properties.INDICATE,
}
_WRITES = Property.WRITE | Property.WRITE_WITHOUT_RESPONSE
_ALLOWED = att.Attribute.Permissions.READABLE | att.Attribute.Permissions.WRITEABLE

GattCharacteristic = gatt.Characteristic[bytes]


class Answers(Protocol):
    """Whoever answers for the characteristics, which are named by their UUIDs in full."""

    def on_read(self, characteristic: str) -> bytes:
        """Return what it holds."""

    def on_write(self, characteristic: str, payload: bytes) -> None:
        """Take a write. Raises `bumble.att.ATT_Error` to refuse it."""

    def on_subscription(self, characteristic: str, wanted: Property) -> None:
        """Take note that notifications, indications or nothing is wanted."""


def build_services(
    services: Sequence[Service], answers: Answers
) -> tuple[list[gatt.Service], dict[str, GattCharacteristic]]:
    """Return the services for a GATT server, and their characteristics by UUID in full."""
    built: list[gatt.Service] = []
    by_uuid: dict[str, GattCharacteristic] = {}
    for service in services:
        characteristics = {told.uuid: _build(told, answers) for told in service.characteristics}
        built.append(gatt.Service(uuid_of(service.uuid), list(characteristics.values())))
        by_uuid.update(characteristics)
    return built, by_uuid


def _build(told: Characteristic, answers: Answers) -> GattCharacteristic:
    properties = gatt.Characteristic.Properties(0)
    for ours, theirs in _PROPERTIES.items():
        if ours in told.properties:
            properties |= theirs
    value = gatt.CharacteristicValue(read=partial(_read, told, answers), write=partial(_write, told, answers))
    characteristic = GattCharacteristic(uuid_of(told.uuid), properties, _ALLOWED, value)
    characteristic.on(characteristic.EVENT_SUBSCRIPTION, partial(_subscribe, told, answers))
    return characteristic


def _read(told: Characteristic, answers: Answers, connection: Connection) -> bytes:
    """Read; bumble does not look at properties by itself."""
    del connection
    if Property.READ not in told.properties:
        raise att.ATT_Error(att.ATT_READ_NOT_PERMITTED_ERROR)
    return answers.on_read(told.uuid)


def _write(told: Characteristic, answers: Answers, connection: Connection, payload: bytes) -> None:
    del connection
    if not told.properties & _WRITES:
        raise att.ATT_Error(att.ATT_WRITE_NOT_PERMITTED_ERROR)
    answers.on_write(told.uuid, payload)


def _subscribe(told: Characteristic, answers: Answers, connection: Connection, notify: bool, indicate: bool) -> None:
    del connection
    answers.on_subscription(told.uuid, Property.NOTIFY if notify else Property.INDICATE if indicate else Property(0))
