"""The contract with our firmware: golden packets, any bytes, and a document that cannot drift from the codec."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import DECODERS, FOLDER, GOLDEN, flat
from hypothesis import example, given
from hypothesis import strategies as st

import firmware_protocol as protocol
from firmware_protocol import (
    Answer,
    AnswerStatus,
    AttError,
    Capabilities,
    Config,
    Faults,
    Fields,
    Info,
    Op,
    PacketFlags,
    PacketKind,
    Request,
    SamplePacket,
    Status,
    Tag,
    TimeSync,
    TimeSyncOp,
    Undecodable,
)
from firmware_protocol.control import FIELD_SIZES
from firmware_protocol.packets import COMPACT_HEADER, PACKET_HEADER, SAMPLE
from firmware_protocol.records import CONFIG, INFO, STATUS, TIME_SYNC

DOCUMENT = (FOLDER / "PROTOCOL.md").read_text(encoding="utf-8")


DEG = np.pi / 180


# --- golden packets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", GOLDEN, ids=[row["id"] for row in GOLDEN])
def test_a_golden_packet_is_decoded_and_encoded_as_written(row):
    payload = bytes.fromhex(row["hex"])
    value = DECODERS[row["record"]](payload)
    if "undecodable" in row:
        assert isinstance(value, Undecodable)
        assert value.reason.startswith(row["undecodable"])
        assert value.size == len(payload)
        return
    assert flat(value) == row["expect"]
    if row["canonical"]:
        assert value.encode() == payload
    else:
        assert value.encode() != payload
        assert DECODERS[row["record"]](value.encode()) == value


def test_every_record_and_every_reason_has_golden_packets():
    assert {row["record"] for row in GOLDEN} == set(DECODERS)
    assert {row["record"] for row in GOLDEN if "undecodable" in row} == set(DECODERS)
    assert {row["undecodable"] for row in GOLDEN if "undecodable" in row} == set(reasons_in_document())


def test_the_example_of_the_document_in_si_units():
    (example_hex,) = re.findall(r"^`(11 [0-9A-Fa-f ]+)`", DOCUMENT, flags=re.MULTILINE)
    packet = protocol.decode_packet(bytes.fromhex(example_hex))
    assert isinstance(packet, SamplePacket)
    assert (packet.kind, packet.flags, packet.epoch, len(packet)) == (PacketKind.LIVE, PacketFlags.NONE, 7, 2)
    assert (packet.first_index, packet.device_time_us) == (1000, 12_345_678)
    acceleration = packet.counts[:, :3] * (16 * 9.80665 / 32768)
    angular_velocity = packet.counts[:, 3:] * (0.070 * DEG)
    assert acceleration[0] == pytest.approx([0, 0, 9.80665])
    assert angular_velocity[1] == pytest.approx([1.2217, -1.2217, 40.03], rel=1e-4)


# --- any value and any bytes ----------------------------------------------------------------------------------------

u8, u16, u32, u48, u64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 48, 64))
rates = st.integers(1, 65535).map(lambda dhz: dhz / 10)
positive = st.floats(2.0**-149, 2.0**127, width=32)


def optional(strategy):
    return st.none() | strategy


@st.composite
def packets(draw):
    kind = draw(st.sampled_from(PacketKind))
    samples = draw(st.integers(0, 30) | st.just(255))
    counts = np.frombuffer(draw(st.binary(min_size=12 * samples, max_size=12 * samples)), "<i2").reshape(samples, 6)
    compact = kind is PacketKind.COMPACT
    time_us = draw(u16) * 1000 if compact else draw(u48)
    return SamplePacket(kind, PacketFlags(draw(u8)), draw(u8), draw(u16 if compact else u32), time_us, counts)


fields = st.builds(
    Fields,
    epoch=optional(u8),
    nominal_rate_hz=optional(rates),
    acceleration_range_g=optional(u16),
    angular_velocity_range_dps=optional(u16),
    first_index=optional(u32),
    count=optional(u32),
    device_time_us=optional(u48),
    host_time_us=optional(u64),
)
RECORDS = {
    "packet": packets(),
    "info": st.builds(Info, u8, u8, u32.map(Capabilities), u8, u32, u64),
    "config": st.builds(
        Config, u8, rates, optional(positive), u16, u16, positive, positive, u8, filter_id=u8, calibration_id=u16
    ),
    "request": st.builds(Request, st.integers(0, 127), u8, fields),
    "answer": st.builds(Answer, st.integers(0, 127), u8, u8, fields),
    "status": st.builds(
        Status,
        u8.map(Faults),
        optional(st.integers(-128, 126)),
        optional(st.integers(1, 65535)),
        optional(st.integers(-32767, 32767).map(lambda cdeg: cdeg / 100)),
        u16,
        u32,
        u32,
        u32,
    ),
    "time_sync": st.builds(TimeSync, st.sampled_from(TimeSyncOp), u16, u64, u64, u64),
}
any_record = st.one_of(*(st.tuples(st.just(name), strategy) for name, strategy in RECORDS.items()))


@given(any_record)
def test_encoding_and_decoding_give_the_same(named):
    name, value = named
    assert DECODERS[name](value.encode()) == value


@given(any_record, st.binary(min_size=1, max_size=20))
def test_a_longer_record_of_a_later_version_is_accepted(named, more):
    name, value = named
    if name in ("request", "answer"):  # these grow by tags that are not known here
        more = bytes((200, len(more))) + more
    assert DECODERS[name](value.encode() + more) == value


@given(any_record, st.data())
def test_a_record_cut_short_is_undecodable_or_lacks_whole_fields(named, data):
    name, value = named
    payload = value.encode()
    cut = data.draw(st.integers(0, len(payload) - 1))
    found = DECODERS[name](payload[:cut])
    if isinstance(found, Undecodable):
        assert found.size == cut
        return
    assert name in ("request", "answer")
    assert found.encode() == payload[:cut]


starts = st.sampled_from(
    [b"", b"\x11", b"\x12", b"\x14", b"\x04\x01", b"\x84\x01\x00", b"\x01\x01", b"\x11\x00\x00\x01"]
)


@given(starts, st.binary(max_size=80))
@example(b"\x11\x00\x00\xff", bytes(10))
def test_any_bytes_are_a_value_or_undecodable(start, rest):
    payload = start + rest
    for name, decode in DECODERS.items():
        for received in (payload, bytearray(payload)):  # a bytearray is what bleak gives
            found = decode(received)
            if isinstance(found, Undecodable):
                assert found.size == len(payload)
                assert any(found.reason.startswith(reason) for reason in reasons_in_document())
            else:
                assert decode(found.encode()) == found, name


# --- values that cannot be --------------------------------------------------------------------------------------------

NO_COUNTS = np.zeros((0, 6), np.int16)


def packet(kind=PacketKind.LIVE, flags=PacketFlags.NONE, epoch=0, first_index=0, device_time_us=0, counts=NO_COUNTS):
    return SamplePacket(kind, flags, epoch, first_index, device_time_us, counts)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epoch": 256},
        {"epoch": -1},
        {"first_index": 1 << 32},
        {"device_time_us": 1 << 48},
        {"flags": 256},
        {"kind": 3},
        {"kind": PacketKind.COMPACT, "first_index": 1 << 16},
        {"kind": PacketKind.COMPACT, "device_time_us": 65_536_000},
        {"kind": PacketKind.COMPACT, "device_time_us": 1},
        {"counts": np.zeros((256, 6), np.int16)},
        {"counts": np.zeros((1, 5), np.int16)},
        {"counts": np.zeros((1, 6), np.int32)},
        {"counts": np.zeros(6, np.int16)},
    ],
)
def test_a_packet_that_cannot_be_sent_cannot_be_made(wrong):
    with pytest.raises(ValueError, match=r"."):
        packet(**wrong)


CONFIG_VALUE = Config(7, 104.0, 105.25, 16, 2000, 0.004785645, 0.0012217305)
STATUS_VALUE = Status(Faults.NONE, -60, 3987, 25.34, 40, 100, 7, 3600)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (CONFIG_VALUE, {"nominal_rate_hz": 0.04}),
        (CONFIG_VALUE, {"nominal_rate_hz": 6553.6}),
        (CONFIG_VALUE, {"nominal_rate_hz": float("nan")}),
        (CONFIG_VALUE, {"measured_rate_hz": 0.0}),
        (CONFIG_VALUE, {"measured_rate_hz": float("inf")}),
        (CONFIG_VALUE, {"acceleration_scale_m_s2": -1.0}),
        (CONFIG_VALUE, {"acceleration_scale_m_s2": 1e39}),
        (CONFIG_VALUE, {"angular_velocity_scale_rad_s": 1e-50}),
        (CONFIG_VALUE, {"calibration_id": 65536}),
        (STATUS_VALUE, {"rssi_dbm": 127}),
        (STATUS_VALUE, {"rssi_dbm": -129}),
        (STATUS_VALUE, {"battery_mv": 0}),
        (STATUS_VALUE, {"temperature_deg_c": -327.68}),
        (STATUS_VALUE, {"queue_high_water_samples": 65536}),
        (Info(1, 0, Capabilities.NONE, 20, 6144, 1), {"boot_id": 1 << 64}),
        (Fields(), {"device_time_us": 1 << 48}),
        (Fields(), {"count": -1}),
        (Request(Op.START), {"op": 128}),
        (Answer(Op.START, 1, 0), {"status": 256}),
        (TimeSync(TimeSyncOp.REQUEST, 1, 1), {"op": 3}),
    ],
)
def test_a_record_that_cannot_be_sent_cannot_be_made(value, wrong):
    with pytest.raises(ValueError, match=r"."):
        replace(value, **wrong)


def test_a_packet_cannot_be_changed_and_is_compared_by_value():
    counts = np.arange(12, dtype=np.int16).reshape(2, 6)
    one, other = packet(counts=counts), packet(counts=counts.copy())
    assert one == other
    assert hash(one) == hash(other)
    assert one != packet(counts=counts + np.int16(1))
    assert one != "a packet"
    counts[0, 0] = 99
    assert one == other
    with pytest.raises(ValueError, match="read-only"):
        one.counts[0, 0] = 1
    decoded = protocol.decode_packet(one.encode())
    assert isinstance(decoded, SamplePacket)
    with pytest.raises(ValueError, match="read-only"):
        decoded.counts[0, 0] = 1


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mtu", "rate_hz", "samples"),
    [
        (0, 100, 0),
        (23, 100, 0),
        (28, 100, 0),
        (29, 100, 1),
        (41, 200, 2),
        (185, 200, 10),
        (247, 5, 1),
        (247, 12.5, 1),
        (247, 100, 5),
        (247, 104, 5),
        (247, 200, 10),
        (517, 200, 10),
        (517, 6000, 41),
        (5000, 6553.5, 255),
    ],
)
def test_samples_per_packet(mtu, rate_hz, samples):
    assert protocol.samples_per_packet(mtu, rate_hz) == samples


@given(st.integers(0, 600), rates)
def test_a_full_packet_fits_into_the_mtu(mtu, rate_hz):
    samples = protocol.samples_per_packet(mtu, rate_hz)
    size = len(packet(counts=np.zeros((samples, 6), np.int16)).encode())
    assert samples == 0 or size <= mtu - 3
    assert samples <= max(1, rate_hz / 10)


def test_saturation_is_marked():
    counts = np.zeros((3, 6), np.int16)
    assert protocol.saturation(counts) == PacketFlags.NONE
    assert protocol.saturation(NO_COUNTS) == PacketFlags.NONE
    counts[1, 2] = -32768
    assert protocol.saturation(counts) == PacketFlags.ACCELERATION_SATURATED
    counts[2, 3] = 32767
    both = PacketFlags.ACCELERATION_SATURATED | PacketFlags.ANGULAR_VELOCITY_SATURATED
    assert protocol.saturation(counts) == both


def test_requests_are_made_as_written_in_golden_packets():
    rows = {row["id"]: bytes.fromhex(row["hex"]) for row in GOLDEN}
    assert protocol.start(5).encode() == rows["request_start"]
    assert protocol.set_config(100.0, 1).encode() == rows["request_set_config"]
    assert protocol.resend(1000, 100, 7, 3).encode() == rows["request_resend"]
    assert protocol.set_time(123456789, 255).encode() == rows["request_set_time"]
    plain = (protocol.stop(), protocol.identify(), protocol.mark(), protocol.sleep())
    assert [request.op for request in plain] == [Op.STOP, Op.IDENTIFY, Op.MARK, Op.SLEEP]


@given(st.integers(0, 1 << 40), st.integers(-(1 << 30), 1 << 30), u16, u16, u16)
def test_a_time_sync_finds_the_offset_to_half_its_round_trip(sent_us, offset_us, there_us, inside_us, back_us):
    received_us = sent_us + there_us + offset_us
    if received_us < 0:
        return
    reply = TimeSync(TimeSyncOp.REPLY, 1, sent_us, received_us, received_us + inside_us)
    home_us = sent_us + there_us + inside_us + back_us
    assert reply.round_trip_us(home_us) == there_us + back_us
    assert abs(reply.offset_us(home_us) - offset_us) <= reply.round_trip_us(home_us) / 2


def test_the_advertisement_fits_into_31_bytes():
    name = protocol.NAME_PREFIX + "0042"
    assert len(name) <= 8
    flags, uuid_128 = 3, 18
    assert flags + uuid_128 + 2 + len(name) <= 31


# --- the document -----------------------------------------------------------------------------------------------------


def table(heading: str) -> list[dict[str, str]]:
    """Return the rows of the first table under a heading, by its column names."""
    section = re.split(rf"^#+ {re.escape(heading)}$", DOCUMENT, flags=re.MULTILINE)[1]
    lines = re.search(r"(?:^\|.*\n)+", section, flags=re.MULTILINE).group().splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert all(len(row) == len(cells[0]) for row in cells), heading
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def reasons_in_document() -> list[str]:
    return [row["reason"].strip("`") for row in table("Malformed packets")]


LAYOUTS = {
    "Packet header": PACKET_HEADER,
    "Compact header": COMPACT_HEADER,
    "Sample": SAMPLE,
    "Info": INFO,
    "Config": CONFIG,
    "Status": STATUS,
    "Time sync": TIME_SYNC,
}


@pytest.mark.parametrize("heading", LAYOUTS)
def test_byte_tables_are_those_of_the_codec(heading):
    layout, rows = LAYOUTS[heading], table(heading)
    assert [(row["type"], row["field"]) for row in rows] == list(layout.fields)
    offset = 0
    for row in rows:
        assert int(row["offset"]) == offset, row
        offset += int(row["type"][1:]) // 8
    assert offset == layout.size


ENUMS = {
    "Packet types": PacketKind,
    "Packet flags": PacketFlags,
    "Capabilities": Capabilities,
    "Ops": Op,
    "Fields": Tag,
    "Answer status": AnswerStatus,
    "Errors of writes": AttError,
    "Faults": Faults,
    "Time sync ops": TimeSyncOp,
}


@pytest.mark.parametrize("heading", ENUMS)
def test_number_tables_are_those_of_the_codec(heading):
    assert {row["name"]: int(row["value"], 0) for row in table(heading)} == {
        member.name: member.value for member in ENUMS[heading] if member.name != "NONE"
    }


def test_field_types_are_those_of_the_codec():
    assert {Tag[row["name"]]: int(row["type"][1:]) // 8 for row in table("Fields")} == FIELD_SIZES


def test_requests_and_answers_are_laid_out_as_in_the_document():
    request = Request(Op.RESEND, 3, Fields(epoch=7))
    answer = Answer(Op.RESEND, 3, AnswerStatus.BUSY, Fields(epoch=7))
    values = {"op": (4, 0x84), "request_id": (3, 3), "status": (None, 4), "fields": (1, 1)}
    for column, (heading, record) in enumerate((("Request", request), ("Answer", answer))):
        for row in table(heading):
            assert record.encode()[int(row["offset"])] == values[row["field"]][column]


def test_fields_of_ops_exist():
    for row in table("Ops"):
        for column in ("fields of the request", "fields of the answer"):
            for name in re.findall(r"[A-Z_]{3,}", row[column]):
                assert name in Tag.__members__, row


UUIDS = {
    "Service": protocol.SERVICE_UUID,
    "Info": protocol.INFO_UUID,
    "Config": protocol.CONFIG_UUID,
    "Control": protocol.CONTROL_UUID,
    "Data": protocol.DATA_UUID,
    "Backfill": protocol.BACKFILL_UUID,
    "Status": protocol.STATUS_UUID,
    "Time sync": protocol.TIME_SYNC_UUID,
    "Battery Level (service 180f)": protocol.BATTERY_LEVEL_UUID,
    "Model Number (service 180a)": protocol.MODEL_NUMBER_UUID,
    "Serial Number (service 180a)": protocol.SERIAL_NUMBER_UUID,
    "Firmware Revision (service 180a)": protocol.FIRMWARE_REVISION_UUID,
    "Manufacturer Name (service 180a)": protocol.MANUFACTURER_NAME_UUID,
}


def test_uuids_are_those_of_the_codec():
    assert {row["characteristic"]: row["UUID"].strip("`") for row in table("Service and characteristics")} == UUIDS
    assert len(set(UUIDS.values())) == len(UUIDS)
    assert f"`{protocol.NAME_PREFIX}` and the last four digits" in DOCUMENT
    version = f"version {protocol.PROTOCOL_MAJOR}.{protocol.PROTOCOL_MINOR}"
    assert DOCUMENT.splitlines()[0].endswith(version)


def test_sizes_by_mtu_are_as_computed():
    section = DOCUMENT.split("### How many samples in a packet")[1].split("### Example")[0]
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", section, flags=re.MULTILINE)
    assert len(rows) == 5
    for mtu, cells in rows:
        numbers = cells.split(" | ")
        for rate_hz, (samples, size, packets_per_s, bytes_per_s) in ((104, numbers[:4]), (208, numbers[4:])):
            count = protocol.samples_per_packet(int(mtu), rate_hz)
            kind = PacketKind.LIVE if count else PacketKind.COMPACT
            expected = len(packet(kind=kind, counts=np.zeros((count or 1, 6), np.int16)).encode())
            assert samples == (str(count) if count else "1 (compact)")
            assert int(size) == expected
            assert float(packets_per_s) == round(rate_hz / (count or 1), 1)
            assert int(bytes_per_s) == round(rate_hz / (count or 1) * expected)


def test_links_in_the_document_lead_somewhere():
    headings = re.findall(r"^#+ (.+)$", DOCUMENT, flags=re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-").replace(",", "") for heading in headings}
    for target in re.findall(r"\]\(#([^)]+)\)", DOCUMENT):
        assert target in anchors


# --- packaging --------------------------------------------------------------------------------------------------------


@pytest.mark.process
def test_the_codec_needs_neither_the_program_nor_the_files_beside_it(tmp_path):
    package = tmp_path / "firmware_protocol"
    package.mkdir()
    for module in FOLDER.glob("*.py"):
        (package / module.name).write_bytes(module.read_bytes())
    code = (
        "import sys, firmware_protocol as p; print(p.__file__); "
        "print(p.start(1).encode().hex(), sorted(m for m in sys.modules if m.split('.')[0] == 'imu'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    where, said = done.stdout.splitlines()
    assert Path(where) == package / "__init__.py"
    assert said == "0201 []"


def test_everything_public_is_named():
    assert set(protocol.__all__) <= set(dir(protocol))
    modules = {name for name, value in vars(protocol).items() if type(value).__name__ == "module"}
    public = {name for name in dir(protocol) if not name.startswith("_")} - modules - {"annotations"}
    assert public == set(protocol.__all__)
