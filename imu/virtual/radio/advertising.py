"""Advertisements as bytes: encoded for a virtual sensor, decoded for a scanner; UUIDs in short and full form."""

from __future__ import annotations

from types import MappingProxyType

from bumble.core import UUID, AdvertisingData

from imu.sensors.conversation import Advertisement

ROOM_BYTES = 31
"""Bytes in an advertisement, and in a scan response."""
_SIG_UUID_END = "-0000-1000-8000-00805f9b34fb"
_TYPES = AdvertisingData.Type
_FLAGS = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
_SERVICE_TYPES = (
    _TYPES.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    _TYPES.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    _TYPES.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    _TYPES.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)


def uuid_of(text: str) -> UUID:
    """Return a UUID; one of the Bluetooth SIG in its 16-bit form, as sensors store it."""
    if text.startswith("0000") and text.endswith(_SIG_UUID_END):
        return UUID(text[4:8])
    return UUID(text)


def uuid_text(uuid: UUID) -> str:
    """Return a UUID in full, lower case."""
    text = uuid.to_hex_str("-").lower()
    return f"{text:0>8}{_SIG_UUID_END}" if len(text) <= 8 else text


def encode_advertisement(advertisement: Advertisement) -> tuple[bytes, bytes]:
    """Return advertising data and scan response; each part goes into the first of the two that has room.

    Raises
    ------
    ValueError
        If a part fits into neither.
    """
    advertising, response = bytearray(bytes((2, _TYPES.FLAGS, _FLAGS))), bytearray()
    for kind, value in _parts(advertisement):
        part = bytes((len(value) + 1, kind)) + value
        place = next((data for data in (advertising, response) if len(data) + len(part) <= ROOM_BYTES), None)
        if place is None:
            raise ValueError(f"{advertisement} does not fit into an advertisement and its scan response")
        place += part
    return bytes(advertising), bytes(response)


def _parts(advertisement: Advertisement) -> list[tuple[int, bytes]]:
    uuids = [bytes(uuid_of(text)) for text in advertisement.services]
    short, long = b"".join(u for u in uuids if len(u) == 2), b"".join(u for u in uuids if len(u) == 16)
    parts = [
        (int(_TYPES.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS), short),
        (int(_TYPES.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS), long),
        (int(_TYPES.COMPLETE_LOCAL_NAME), (advertisement.name or "").encode()),
    ]
    parts += [
        (int(_TYPES.MANUFACTURER_SPECIFIC_DATA), company.to_bytes(2, "little") + data)
        for company, data in advertisement.manufacturer_data.items()
    ]
    return [(kind, value) for kind, value in parts if value]


def decode_advertisement(data: AdvertisingData) -> tuple[Advertisement, int | None]:
    """Return the advertisement and, if it is included, the transmit power in dBm."""
    name: str | None = None
    services: list[str] = []
    manufacturer_data: dict[int, bytes] = {}
    tx_power_dbm: int | None = None
    for kind, value in data.ad_structures:
        if kind in _SERVICE_TYPES:
            size = 2 if kind in _SERVICE_TYPES[:2] else 16
            services += [
                uuid_text(UUID.from_bytes(value[at : at + size])) for at in range(0, len(value) - size + 1, size)
            ]
        elif kind == _TYPES.COMPLETE_LOCAL_NAME or (kind == _TYPES.SHORTENED_LOCAL_NAME and name is None):
            name = value.decode(errors="replace")
        elif kind == _TYPES.MANUFACTURER_SPECIFIC_DATA and len(value) >= 2:
            manufacturer_data[int.from_bytes(value[:2], "little")] = value[2:]
        elif kind == _TYPES.TX_POWER_LEVEL and len(value) == 1:
            tx_power_dbm = int.from_bytes(value, "little", signed=True)
    return Advertisement(name, tuple(services), MappingProxyType(manufacturer_data)), tx_power_dbm
