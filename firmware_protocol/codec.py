"""Any record of the protocol -> bytes; the way back is one function for each characteristic.

Sans-IO: bytes in, frozen values out. Any bytes at all give a value or an :class:`Undecodable`, and nothing raises.
Records longer than known here are accepted and their end is ignored, so that a later minor version can add fields.
"""

from __future__ import annotations

from firmware_protocol.config import Config, encode_config
from firmware_protocol.control import Answer, Request, encode_answer, encode_request
from firmware_protocol.info import Info, encode_info
from firmware_protocol.packets import SamplePacket, encode_packet
from firmware_protocol.status import Status, encode_status
from firmware_protocol.time_sync import TimeSync, encode_time_sync

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
