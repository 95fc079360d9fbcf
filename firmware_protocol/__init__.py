"""The contract with our reference firmware: bytes <-> values, as ``PROTOCOL.md`` beside this file describes them.

Sans-IO and without Bluetooth. Everything public is here; ``encode`` takes any record, ``decode_…`` is one for each
characteristic.
"""

from firmware_protocol.control import (
    Answer,
    AnswerStatus,
    Fields,
    Op,
    Request,
    Tag,
    decode_answer,
    decode_fields,
    decode_request,
    encode_answer,
    encode_request,
    identify,
    mark,
    resend,
    set_config,
    set_time,
    sleep,
    start,
    stop,
)
from firmware_protocol.gatt import (
    BACKFILL_UUID,
    BATTERY_LEVEL_UUID,
    BATTERY_SERVICE_UUID,
    CONFIG_UUID,
    CONTROL_UUID,
    DATA_UUID,
    DEVICE_INFORMATION_SERVICE_UUID,
    FIRMWARE_REVISION_UUID,
    INFO_UUID,
    MANUFACTURER_NAME_UUID,
    MODEL_NUMBER_UUID,
    NAME_PREFIX,
    SERIAL_NUMBER_UUID,
    SERVICE_UUID,
    STATUS_UUID,
    TIME_SYNC_UUID,
    AttError,
)
from firmware_protocol.layout import Undecodable
from firmware_protocol.packets import (
    PROTOCOL_MAJOR,
    PROTOCOL_MINOR,
    PacketFlags,
    PacketKind,
    SamplePacket,
    decode_packet,
    encode_packet,
    samples_per_packet,
    saturation,
)
from firmware_protocol.records import (
    TIME_SYNC_VERSION,
    Capabilities,
    Config,
    Faults,
    Info,
    Status,
    TimeSync,
    TimeSyncOp,
    decode_config,
    decode_info,
    decode_status,
    decode_time_sync,
    encode_config,
    encode_info,
    encode_status,
    encode_time_sync,
)

__all__ = [
    "BACKFILL_UUID",
    "BATTERY_LEVEL_UUID",
    "BATTERY_SERVICE_UUID",
    "CONFIG_UUID",
    "CONTROL_UUID",
    "DATA_UUID",
    "DEVICE_INFORMATION_SERVICE_UUID",
    "FIRMWARE_REVISION_UUID",
    "INFO_UUID",
    "MANUFACTURER_NAME_UUID",
    "MODEL_NUMBER_UUID",
    "NAME_PREFIX",
    "PROTOCOL_MAJOR",
    "PROTOCOL_MINOR",
    "SERIAL_NUMBER_UUID",
    "SERVICE_UUID",
    "STATUS_UUID",
    "TIME_SYNC_UUID",
    "TIME_SYNC_VERSION",
    "Answer",
    "AnswerStatus",
    "AttError",
    "Capabilities",
    "Config",
    "Faults",
    "Fields",
    "Info",
    "Op",
    "PacketFlags",
    "PacketKind",
    "Record",
    "Request",
    "SamplePacket",
    "Status",
    "Tag",
    "TimeSync",
    "TimeSyncOp",
    "Undecodable",
    "decode_answer",
    "decode_config",
    "decode_fields",
    "decode_info",
    "decode_packet",
    "decode_request",
    "decode_status",
    "decode_time_sync",
    "encode",
    "identify",
    "mark",
    "resend",
    "samples_per_packet",
    "saturation",
    "set_config",
    "set_time",
    "sleep",
    "start",
    "stop",
]


Record = SamplePacket | Info | Config | Request | Answer | Status | TimeSync


def encode(record: Record) -> bytes:
    """Return the bytes of `record`."""
    match record:
        case SamplePacket():
            payload = encode_packet(record)
        case Info():
            payload = encode_info(record)
        case Config():
            payload = encode_config(record)
        case Request():
            payload = encode_request(record)
        case Answer():
            payload = encode_answer(record)
        case Status():
            payload = encode_status(record)
        case TimeSync():
            payload = encode_time_sync(record)
    return payload
