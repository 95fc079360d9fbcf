"""The C codec and ring buffer say the same as the Python ones: golden packets, the same random bytes, a model."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from builders import BUILDS, C_FOLDER, DECODERS, GOLDEN, flat, make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import firmware_protocol as protocol
from firmware_protocol import (
    AnswerStatus,
    Capabilities,
    Faults,
    Op,
    PacketFlags,
    PacketKind,
    SamplePacket,
    Tag,
    TimeSyncOp,
    Undecodable,
    saturation,
)

pytestmark = pytest.mark.process

RECORDS = list(DECODERS)
UINT32_MAX = (1 << 32) - 1


@pytest.fixture(scope="module", params=BUILDS)
def programs(request, tmp_path_factory):
    """The folder of the test programs, built without and with sanitizers."""
    build = tmp_path_factory.mktemp(request.param)
    make(build, *BUILDS[request.param], needs={"gcc": "gcc libc6-dev"})
    return build


def run(program: Path, given_bytes: bytes) -> list[dict[str, Any]]:
    done = subprocess.run([program], input=given_bytes, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def decode_in_c(programs: Path, records: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    stream = b"".join(struct.pack("<BH", RECORDS.index(name), len(p)) + p for name, p in records)
    lines = run(programs / "codec_program", stream)
    assert [line.pop("record") for line in lines] == [RECORDS.index(name) for name, _ in records]
    return lines


# --- the codec --------------------------------------------------------------------------------------------------------


def test_golden_packets_are_decoded_and_encoded_in_c_as_written(programs):
    rows = [(row, bytes.fromhex(row["hex"])) for row in GOLDEN]
    for (row, payload), found in zip(rows, decode_in_c(programs, [(r["record"], p) for r, p in rows]), strict=True):
        result = found.pop("result")
        if "undecodable" in row:
            assert (result, found) == (row["undecodable"], {}), row["id"]
            continue
        encoded = bytes.fromhex(found.pop("encoded"))
        found.pop("saturation", None)
        assert (result, found) == ("ok", row["expect"]), row["id"]
        assert (encoded == payload) == row["canonical"], row["id"]


def random_record(chance: random.Random) -> tuple[str, bytes]:
    """Return a golden packet with damage, or bytes that begin like a record."""
    row = chance.choice(GOLDEN)
    payload = bytearray.fromhex(row["hex"])
    if len(payload) > 200 and chance.random() < 0.9:
        payload = payload[: chance.randrange(60)]
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        if payload:
            payload[chance.randrange(len(payload))] = chance.choice((0, 1, 2, 127, 128, 255, chance.randrange(256)))
    match chance.randrange(5):
        case 0:
            payload = payload[: chance.randrange(len(payload) + 1)]
        case 1:
            payload += chance.randbytes(chance.randrange(12))
        case 2:
            payload = payload[:3] + chance.randbytes(chance.randrange(40))
    name = row["record"] if chance.random() < 0.9 else chance.choice(RECORDS)
    return name, bytes(payload)


def test_the_same_random_bytes_mean_the_same_in_both_languages(programs):
    chance = random.Random(20261122)
    records = [random_record(chance) for _ in range(20_000)]
    decoded = 0
    for (name, payload), found in zip(records, decode_in_c(programs, records), strict=True):
        value = DECODERS[name](payload)
        result = found.pop("result")
        if isinstance(value, Undecodable):
            assert (value.reason.startswith(result), found) == (True, {}), (name, payload.hex())
            continue
        decoded += 1
        assert found.pop("encoded") == value.encode().hex(), (name, payload.hex())
        if isinstance(value, SamplePacket):
            assert found.pop("saturation") == saturation(value.counts)
        assert (result, found) == ("ok", flat(value)), (name, payload.hex())
    assert 5_000 < decoded < 15_000  # both sides were tried


def test_both_languages_put_as_many_samples_into_a_packet(programs):
    cases = [(mtu, dhz) for mtu in range(0, 600, 3) for dhz in (1, 99, 100, 125, 199, 200, 1040, 2080, 4160, 65535)]
    stream = b"".join(struct.pack("<BHHH", len(RECORDS), 4, *case) for case in cases)
    found = [line["samples"] for line in run(programs / "codec_program", stream)]
    assert found == [protocol.samples_per_packet(mtu, dhz / 10) for mtu, dhz in cases]


def test_c_has_the_numbers_of_the_codec():
    header = (C_FOLDER / "imu_protocol.h").read_text(encoding="utf-8")
    found = {name: int(value) for name, value in re.findall(r"\b(IMU_[A-Z0-9_]+) = (\d+)\b", header)}
    expected = {"IMU_OK": 0}
    renamed = {"STORAGE": "STORAGE_FAILED", "OPEN_LAB": "IS_OPEN_LAB"}
    for enum, prefix in (
        (PacketKind, ""),
        (PacketFlags, ""),
        (Op, ""),
        (Faults, ""),
        (AnswerStatus, "STATUS_"),
        (Tag, "TAG_"),
        (TimeSyncOp, "TIME_SYNC_"),
        (Capabilities, "CAN_"),
    ):
        for member in enum:
            name = renamed.get(member.name, prefix + member.name)
            expected["IMU_" + name] = member.value
    assert found == expected


# --- the ring --------------------------------------------------------------------------------------------------------


class ModelRing:
    """The contract of ``imu_ring.h``, written slowly and plainly."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.clear()
        self.cursors = [self.cursor(0, UINT32_MAX) for _ in range(2)]

    def clear(self) -> None:
        self.kept: dict[int, tuple[int, list[int]]] = {}
        self.next = self.newest_us = self.lost = 0

    @staticmethod
    def cursor(next_index: int, end_index: int) -> dict[str, int]:
        return {"next": next_index, "end": end_index, "dropped": 0, "gap": 0}

    @property
    def oldest(self) -> int:
        return min(self.kept, default=self.next)

    def _forget(self) -> None:
        self.kept = {
            index: sample
            for index, sample in self.kept.items()
            if index >= self.next - self.capacity and self.newest_us - sample[0] <= UINT32_MAX
        }

    def push(self, time_us: int, counts: list[int]) -> dict[str, Any]:
        if self.next == UINT32_MAX or time_us < self.newest_us:
            return {"ok": 0}
        self.kept[self.next] = (time_us, counts)
        self.next += 1
        self.newest_us = time_us
        self._forget()
        return {"ok": 1}

    def skip(self, count: int) -> dict[str, Any]:
        if self.next + count > UINT32_MAX:
            return {"ok": 0}
        self.next += count
        self.lost += count
        self._forget()
        return {"ok": 1}

    def available(self, first: int, count: int) -> dict[str, Any]:
        start, end = max(first, self.oldest), min(first + count, self.next)
        return {"ok": 1, "first_index": start, "count": end - start} if start < end else {"ok": 0}

    def read(self, first: int, end: int, most: int) -> dict[str, Any]:
        start = min((i for i in self.kept if first <= i < end), default=None)
        if start is None or most == 0:
            return {"n": 0, "counts": []}
        stop = start
        while stop in self.kept and stop < end and stop - start < most:
            stop += 1
        rows = [self.kept[i][1] for i in range(start, stop)]
        at_end = [any(value in (-32768, 32767) for row in rows for value in row[a : a + 3]) for a in (0, 3)]
        flags = at_end[0] + 2 * at_end[1]
        time_us = self.kept[start][0]
        return {"n": stop - start, "first_index": start, "device_time_us": time_us, "flags": flags, "counts": rows}

    def until(self, which: int, index: int) -> dict[str, Any]:
        cursor = self.cursors[which]
        if index > cursor["next"]:
            cursor["dropped"] += index - cursor["next"]
            cursor.update(next=index, gap=4)
        return {}

    def pass_holes(self, which: int) -> dict[str, Any]:
        cursor = self.cursors[which]
        while self.oldest <= cursor["next"] < min(self.next, cursor["end"]) and cursor["next"] not in self.kept:
            cursor.update(next=cursor["next"] + 1, gap=4)
        return {}

    def waiting(self, which: int) -> dict[str, Any]:
        cursor = self.cursors[which]
        return {"n": max(0, min(cursor["end"], self.next) - max(cursor["next"], self.oldest))}

    def take(self, which: int, most: int) -> dict[str, Any]:
        cursor = self.cursors[which]
        self.until(which, min(self.oldest, cursor["end"]))
        packet = self.read(cursor["next"], cursor["end"], most)
        if packet["n"]:
            packet["flags"] |= 4 if packet["first_index"] != cursor["next"] else cursor["gap"]
            cursor.update(next=packet["first_index"] + packet["n"], gap=0)
        return packet | {"dropped": min(cursor["dropped"], UINT32_MAX)}

    def act(self, line: str) -> dict[str, Any]:
        """Carry out one operation of the C program; return what it should print."""
        name, *words = line.split()
        numbers = [int(word) for word in words]
        match name:
            case "push":
                said = self.push(numbers[0], numbers[1:])
            case "pass":
                said = self.pass_holes(*numbers)
            case "clear":
                said = self.clear() or {}
            case "set":
                self.cursors[numbers[0]] = self.cursor(*numbers[1:])
                said = {}
            case _:
                said = getattr(self, name)(*numbers)
        return said | {"oldest": self.oldest, "next": self.next, "lost": min(self.lost, UINT32_MAX)}


@st.composite
def programs_for_a_ring(draw) -> tuple[list[str], list[dict[str, Any]]]:
    """Give operations, and what each should print; their indices lie around those that the ring keeps."""
    capacity = draw(st.integers(1, 12))
    model = ModelRing(capacity)
    lines, expected = [f"init {capacity}"], [{"oldest": 0, "next": 0, "lost": 0}]
    small = st.integers(0, capacity + 3)

    def index() -> int:
        return max(0, min(UINT32_MAX, model.next + draw(st.integers(-capacity - 3, 4))))

    def act(line: str) -> None:
        lines.append(line)
        expected.append(model.act(line))

    for _ in range(draw(st.integers(1, 50))):
        match draw(st.sampled_from("ppppppssarcuwhttttttx")):
            case "p":
                for _ in range(draw(small)):
                    step_us = draw(st.sampled_from([9_615] * 40 + [0, 1 << 31, UINT32_MAX, 1 << 32]))
                    counts = [model.next % 30_000, 1, 2, 3, 4, 5]
                    counts[draw(st.integers(0, 5))] = draw(st.sampled_from([7, 7, -32768, 32767]))
                    act(" ".join(map(str, ("push", model.newest_us + step_us, *counts))))
            case "s":
                far = (capacity, UINT32_MAX - 40, UINT32_MAX - model.next)
                act(f"skip {draw(st.sampled_from((0, *[1, 2, 3] * 5, *far)))}")
            case "a":
                act(f"available {index()} {draw(small | st.just(UINT32_MAX))}")
            case "r":
                act(f"read {index()} {index()} {draw(small | st.just(255))}")
            case "c":
                # half of the cursors are of the live stream: without an end
                act(f"set {draw(st.integers(0, 1))} {index()} {draw(st.sampled_from((UINT32_MAX, index())))}")
            case "u":
                act(f"until {draw(st.integers(0, 1))} {index()}")
            case "w":
                act(f"waiting {draw(st.integers(0, 1))}")
            case "h":
                act(f"pass {draw(st.integers(0, 1))}")
            case "t":
                act(f"take {draw(st.integers(0, 1))} {draw(small | st.just(255))}")
            case "x":
                act(draw(st.sampled_from(["clear", "push 0 1 2 3 4 5 6"])))
    return lines, expected


@settings(
    max_examples=int(os.environ.get("RING_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program=programs_for_a_ring())
def test_the_ring_does_as_the_model_does(programs, program):
    lines, expected = program
    found = run(programs / "ring_program", ("\n".join(lines) + "\n").encode())
    for line, got, wanted in zip(lines, found, expected, strict=True):
        if wanted.get("ok") == 0:  # what else is said then means nothing
            assert {name: got[name] for name in wanted} == wanted, line
        else:
            assert got == wanted, line


def test_a_minute_is_kept_and_a_lost_connection_can_be_made_good(programs):
    """The life of a session at full size: stream, silence of the radio, resend while the stream goes on."""
    capacity, most = 6400, 19
    period_us = 9_615
    lines = [f"init {capacity}"]
    pushed = 0

    def measure(samples):
        nonlocal pushed
        for i in range(pushed, pushed + samples):
            lines.append(f"push {i * period_us} {i % 30000} {-(i % 30000)} {i // 30000} 4 5 6")
        pushed += samples

    measure(500)
    lines += [f"take 0 {most}"] * 27  # the live stream: 26 full packets, and the rest
    measure(5_000)  # 48 s without a connection
    lines += ["until 0 5500", "available 500 5000", "set 1 500 5500"]
    live, backfill = [], []
    for _ in range(264):
        measure(2)
        lines += [f"take 1 {most}", "take 0 2"]
    lines += ["take 1 1", "available 0 4294967295"]
    for line, said in zip(lines, run(programs / "ring_program", ("\n".join(lines) + "\n").encode()), strict=True):
        if line.startswith("take"):
            (live if line.startswith("take 0") else backfill).append(said)
        if line == "available 500 5000":
            assert (said["ok"], said["first_index"], said["count"]) == (1, 500, 5000)
    assert pushed == 6028
    received = [packet["first_index"] + k for packet in live + backfill for k in range(packet["n"])]
    assert sorted(received) == list(range(pushed))  # each once, none missing
    assert all(p["device_time_us"] == p["first_index"] * period_us for p in live + backfill if p["n"])
    assert all(row[0] == (p["first_index"] + k) % 30000 for p in live + backfill for k, row in enumerate(p["counts"]))
    assert [p["first_index"] for p in live if p["n"] and p["flags"] & 4] == [5500]
    assert live[-1]["dropped"] == 5000
    assert not any(p.get("flags", 0) & 4 for p in backfill)
    assert backfill[-1]["n"] == 0
    assert capacity * period_us > 60_000_000


# --- times ---------------------------------------------------------------------------------------------------------


def batches_of_a_chip(rate_hz: float, seconds: float, jitter_us: int, chance: random.Random):
    """Give (ready_us, reference, count, true times in µs) as a FIFO with a watermark of 10 does."""
    done, watermark = 0, 10
    while done < seconds * rate_hz:
        count = watermark + chance.choice((0, 0, 0, 0, 1, 3))  # the thread came late, and read what there was
        true_us = [1_000_000 + (done + i) * 1e6 / rate_hz for i in range(count)]
        ready_us = round(true_us[watermark - 1]) + (chance.randrange(jitter_us + 1) if jitter_us else 0)
        yield ready_us, watermark - 1, count, true_us
        done += count


@settings(max_examples=20, deadline=None)
@given(nominal_dhz=st.sampled_from([125, 520, 1040, 2080]), off=st.floats(-0.05, 0.05), jitter_us=st.integers(0, 300))
def test_samples_get_the_time_at_which_they_were_measured(programs, nominal_dhz, off, jitter_us):
    rate_hz = nominal_dhz / 10 * (1 + off)
    batches = list(batches_of_a_chip(rate_hz, 130, jitter_us, random.Random(jitter_us)))
    lines = [f"begin {nominal_dhz}", *(f"batch {ready} {reference} {count}" for ready, reference, count, _ in batches)]
    found = run(programs / "timing_program", "\n".join(lines).encode())
    times_us = [time for batch in found for time in batch["times_us"]]
    assert times_us == sorted(set(times_us))
    start_us = times_us[0]
    for (_, _, count, true_us), batch in zip(batches, found, strict=True):
        at_s = (true_us[0] - 1_000_000) / 1e6
        if batch["rate_hz"] == 0:
            assert at_s < 5 + 2 * count / rate_hz
            continue
        assert batch["rate_hz"] == pytest.approx(rate_hz, rel=jitter_us / 5e6 + 2e-6)
        if at_s > 10:  # what the nominal rate had put wrong is over
            worst_us = max(abs(time - true) for time, true in zip(batch["times_us"], true_us, strict=True))
            assert worst_us <= jitter_us + 2 + count * 1e6 / rate_hz * (jitter_us / 5e6 + 2e-6)
    assert start_us >= 0
    assert found[-1]["rate_hz"] == pytest.approx(rate_hz, rel=jitter_us / 5e6 + 2e-6)


def test_the_measured_rate_follows_the_chip(programs):
    """A chip that warms up: what it did minutes ago says little."""
    lines, time_us, rates_hz = ["begin 1040"], 0.0, [105.0] * 200 + [106.0] * 1400
    for rate_hz in rates_hz:
        time_us += 10e6 / rate_hz
        lines.append(f"batch {round(time_us)} 9 10")
    found = run(programs / "timing_program", "\n".join(lines).encode())
    assert found[199]["rate_hz"] == pytest.approx(105.0, rel=1e-5)
    assert found[-1]["rate_hz"] == pytest.approx(106.0, rel=1e-5)


def test_times_rise_after_an_interrupt_that_was_served_late(programs):
    ready_us = [100_000 * i for i in range(1, 21)]
    ready_us[9] += 60_000
    lines = ["begin 1000", *(f"batch {at} 9 10" for at in ready_us)]
    found = run(programs / "timing_program", "\n".join(lines).encode())
    times_us = [time for batch in found for time in batch["times_us"]]
    assert times_us == sorted(set(times_us))
    assert found[-1]["times_us"][-1] == ready_us[-1]


@pytest.mark.parametrize("late_us", [-400, 400])
@pytest.mark.parametrize("lost", [1, 7, 345, 100_000])
def test_samples_lost_in_the_fifo_are_counted_by_time(programs, lost, late_us):
    rate_hz, before, after = 105.3, 1_000, 10
    time_us = [round(i * 1e6 / rate_hz) for i in range(before + lost + after)]
    lines = ["begin 1040", *(f"batch {time_us[i + 9]} 9 10" for i in range(0, before, 10))]
    lines.append(f"overrun {time_us[before + lost + 9] + late_us} 9 10")
    found = run(programs / "timing_program", "\n".join(lines).encode())
    assert found[-1]["lost"] == lost
    assert found[-1]["times_us"] == pytest.approx([time + late_us for time in time_us[-after:]], abs=5)
    assert sum(batch["lost"] for batch in found[:-1]) == 0


# --- the target ------------------------------------------------------------------------------------------------------


def test_the_library_builds_for_the_microcontroller(tmp_path):
    sizes = make(tmp_path, "arm", needs={"arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi"})
    print(sizes)
    total = next(line.split() for line in sizes.splitlines() if "TOTALS" in line)
    text, data, bss = (int(number) for number in total[:3])
    assert text < 8_192
    assert (data, bss) == (0, 0)  # no state of its own, no allocation


def test_the_library_calls_nothing_but_memory_functions(programs):
    """No allocation, no files, no clock: what it needs from outside is what any freestanding C has."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm is missing: apt-get install --no-install-recommends binutils")
    needed, defined = set(), set()
    for built in programs.glob("*.o"):
        out = subprocess.run([nm, built], capture_output=True, text=True, check=True).stdout
        for kind, name in re.findall(r"^[0-9a-f ]*\s([A-Za-z]) (\S+)$", out, flags=re.MULTILINE):
            (needed if kind == "U" else defined).add(name)
    outside = {
        name for name in needed - defined if not re.match(r"__(asan|ubsan|stack_chk)|_GLOBAL_OFFSET_TABLE_", name)
    }
    assert outside <= {"memset", "memcpy", "memmove"}
