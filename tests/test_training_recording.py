"""Recordings of trainings: what was received is read back, whatever happens to the program, the disk and the file."""

from __future__ import annotations

import errno
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.records import Message
from mcap.stream_reader import StreamReader
from mcap.writer import Writer

from imu.bluetooth import HostClock
from imu.errors import NothingTrained, RecordingDamaged, RecordingForeign, RecordingNotWritten
from imu.live.live_training import LiveTraining
from imu.live.training_run import TrainingRun, TrainingSettings
from imu.recordings import training_reader, training_recorder
from imu.recordings.recording import open_recording
from imu.recordings.training_reader import SoundParts, TrainingLog, read_training
from imu.recordings.training_recorder import (
    RecordedEvent,
    RecordingHeader,
    TrainingMessage,
    TrainingRecorder,
    recording_name,
)
from imu.sensors.conversation import Heard, Identified, LinkDown, LinkUp
from imu.training import PersonAsked, PersonCommand

STREAM = "7a2b0002-5f3c-4e1d-9b8a-6c1d2e3f4a5b"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"
START_NS = 1_790_000_000_123_456_789
HEADER = RecordingHeader("reference", "HipIMU ⌚", "F0:00:00:00:00:01", START_NS, "0.1.0", 104.0)
IDENTIFIED = Identified("SN-12", "Hip One", "1.4.2", 104.0, (0.1 + 0.2, 1e-3 / 3))


def at(seconds: float) -> int:
    return START_NS + round(seconds * 1e9)


SHORT_TRAINING: tuple[TrainingMessage, ...] = (
    LinkUp(at(0.1), 244),
    Heard(at(0.2), STREAM, bytes(range(40))),
    Heard(at(0.2), BATTERY, b"\x50"),
    PersonAsked(at(0.3), PersonCommand.PAUSE),
    LinkDown(at(0.4)),
    LinkUp(at(0.3), 20),
    Heard(at(0.5), STREAM, b""),
    PersonAsked(at(0.6), PersonCommand.TAKE_BACK),
    Heard(at(0.7), STREAM, b"\x06" * 30),
)

times_ns = st.integers(0, 2**64 - 1)
uuids = st.sampled_from([STREAM, BATTERY]) | st.uuids().map(str)
training_messages = (
    st.builds(LinkUp, times_ns, st.integers(0, 512))
    | st.builds(LinkDown, times_ns)
    | st.builds(Heard, times_ns, uuids, st.binary(max_size=244))
    | st.builds(PersonAsked, times_ns, st.sampled_from(PersonCommand))
)


def record(path: Path, messages: Sequence[TrainingMessage]) -> Path:
    recorder = TrainingRecorder.create(path, HEADER)
    for message in messages:
        recorder.write(message)
    recorder.close()
    return path


def record_in_chunks(path: Path, messages: Sequence[TrainingMessage]) -> Path:
    """Record with every message in a chunk of its own."""
    recorder = TrainingRecorder.create(path, HEADER, gather_s=0.0)
    size = path.stat().st_size
    recorder.write_identified(IDENTIFIED)
    wait_until(lambda size=size: path.stat().st_size > size)
    for message in messages:
        size = path.stat().st_size
        recorder.write(message)
        wait_until(lambda size=size: path.stat().st_size > size)
    recorder.close()
    return path


def wait_until(happened) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline, "this never happened"
        time.sleep(0.001)


def opened(path: Path, data: bytes) -> TrainingLog:
    path.write_bytes(data)
    return read_training(path)


def without(messages: Sequence[TrainingMessage], parts: Sequence[TrainingMessage]) -> bool:
    """Whether `parts` is `messages` with some left out."""
    rest = iter(messages)
    return all(any(part == message for message in rest) for part in parts)


@pytest.fixture
def short(tmp_path: Path) -> bytes:
    return record_in_chunks(tmp_path / "short.mcap", SHORT_TRAINING).read_bytes()


# --- what was written is read -----------------------------------------------------------------------------------------


def test_everything_comes_back_as_it_was_given(tmp_path):
    path = tmp_path / "new folder" / "training.mcap"
    recorder = TrainingRecorder.create(path, HEADER)
    for message in SHORT_TRAINING:
        recorder.write(message)
    recorder.write_identified(Identified("another", "x", "y", 1.0, (1.0, 1.0)))
    recorder.write_identified(IDENTIFIED)
    recorder.write_event(at(0.65), {"event": "repetition", "pattern": "squat", "angle": 0.1})
    recorder.close()
    recording = read_training(path)
    assert tuple(recording.messages()) == SHORT_TRAINING
    assert tuple(recording.events()) == (
        RecordedEvent(at(0.65), {"event": "repetition", "pattern": "squat", "angle": 0.1}),
    )
    assert (recording.header, recording.identified) == (HEADER, IDENTIFIED)
    assert (recording.damage, recording.messages_lost) == (None, 0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mcap")
    with pytest.raises(RecordingForeign, match="not a file"):
        open_recording(tmp_path / "a.mcap")


def test_an_event_of_deep_brackets_is_lost_and_the_others_are_read(tmp_path, monkeypatch):
    recorder = TrainingRecorder.create(tmp_path / "a.mcap", HEADER)
    recorder.write(SHORT_TRAINING[0])
    with monkeypatch.context() as patched:
        patched.setattr("imu.recordings.training_recorder.json.dumps", lambda _: "[" * 100_000)
        recorder.write_event(at(0.65), {})
    recorder.write(SHORT_TRAINING[1])
    recorder.close()
    recording = read_training(recorder.path)
    assert (tuple(recording.messages()), tuple(recording.events())) == (SHORT_TRAINING[:2], ())
    assert recording.messages_lost == 1


@given(messages=st.lists(training_messages, max_size=40))
def test_any_messages_come_back_equal_and_in_order(tmp_path_factory, messages):
    recording = read_training(record(tmp_path_factory.mktemp("any") / "a.mcap", messages))
    assert list(recording.messages()) == messages
    assert list(recording.messages()) == messages, "a second reading gives the same"
    assert recording.damage is None


@given(
    header=st.builds(RecordingHeader, st.text(), st.text(), st.text(), times_ns, st.text(), st.floats(1, 1e4)),
    identified=st.builds(
        Identified,
        st.text(),
        st.text(),
        st.text(),
        st.floats(allow_nan=False),
        st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)),
    ),
)
def test_any_names_and_numbers_come_back_equal(tmp_path_factory, header, identified):
    recorder = TrainingRecorder.create(tmp_path_factory.mktemp("any") / "a.mcap", header)
    recorder.write_identified(identified)
    recorder.close()
    recording = read_training(recorder.path)
    assert (recording.header, recording.identified) == (header, identified)


def test_a_name_that_is_no_text_is_spelled_out(tmp_path):
    header = RecordingHeader("reference", "half \ud83d", "x", 1, "0", 1.0)
    TrainingRecorder.create(tmp_path / "a.mcap", header).close()
    assert read_training(tmp_path / "a.mcap").header.sensor_name == "half \\ud83d"


def test_a_time_that_no_recording_can_hold_is_refused_where_it_is_given(tmp_path):
    recorder = TrainingRecorder.create(tmp_path / "a.mcap", HEADER)
    for time_ns in (-1, 2**64):
        with pytest.raises(ValueError, match=str(time_ns)):
            recorder.write(LinkDown(time_ns))
    recorder.close()
    assert list(read_training(recorder.path).messages()) == []
    with pytest.raises(ValueError, match="closed"):
        recorder.write(LinkDown(1))
    recorder.close()


def test_a_message_is_on_the_disk_soon_and_before_the_end(tmp_path):
    recorder = TrainingRecorder.create(tmp_path / "a.mcap", HEADER)
    recorder.write(SHORT_TRAINING[0])
    wait_until(lambda: list(read_training(recorder.path).messages()) == [SHORT_TRAINING[0]])
    assert "breaks off after 0.1 s" in (read_training(recorder.path).damage or "")
    recorder.close()
    assert read_training(recorder.path).damage is None


def test_any_program_that_reads_mcap_can_read_it(tmp_path, short):
    for path in (tmp_path / "short.mcap", record(tmp_path / "one chunk.mcap", SHORT_TRAINING)):
        with path.open("rb") as file:
            reader = make_reader(file, validate_crcs=True)
            found = [(channel.topic, message) for _, channel, message in reader.iter_messages(log_time_order=False)]
            summary = reader.get_summary()
            metadata = {record.name: record.metadata for record in reader.iter_metadata()}
        assert [message.log_time for _, message in found] == [message.received_ns for message in SHORT_TRAINING]
        assert [message.sequence for _, message in found] == list(range(len(SHORT_TRAINING)))
        assert found[1][0] == f"sensor/{STREAM}" and found[1][1].data == bytes(range(40))
        assert found[3][0] == "person" and found[3][1].data == b'{"command": "pause"}'
        assert found[4][1].data == b'{"up": false}'
        assert summary.statistics.message_count == len(SHORT_TRAINING)
        assert len(summary.chunk_indexes) == summary.statistics.chunk_count
        assert metadata["recording"]["sensor_name"] == "HipIMU ⌚"


# --- names and places -------------------------------------------------------------------------------------------------


def test_the_name_of_a_file_is_safe_everywhere():
    started = datetime(2026, 11, 22, 7, 5, 9)
    assert recording_name(started, "Movesense 1746-30") == "2026-11-22_07-05-09_Movesense-1746-30.mcap"
    assert recording_name(started, "../..\\CON:\0 ⌚") == "2026-11-22_07-05-09_CON.mcap"
    assert recording_name(started, "⌚") == "2026-11-22_07-05-09.mcap"
    assert len(recording_name(started, "x" * 500)) < 80


def test_a_recording_is_never_written_over(tmp_path, short):
    with pytest.raises(RecordingNotWritten, match=r"short\.mcap exists already"):
        TrainingRecorder.create(tmp_path / "short.mcap", HEADER)
    assert (tmp_path / "short.mcap").read_bytes() == short


def test_a_place_that_cannot_be_written_is_reported_before_the_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RecordingNotWritten, match=r"cannot be recorded in .*IMU_HOME"):
        TrainingRecorder.create(tmp_path / "file" / "a.mcap", HEADER)


async def test_it_is_said_before_a_sensor_is_looked_for(tmp_path):
    (tmp_path / "file").touch()
    live, sentences = LiveTraining(), []

    async def messages():
        sentences.extend(message.sentence for message in live.view().messages)
        for nothing in ():
            yield nothing

    link = Mock(messages=messages, close=AsyncMock())
    run = TrainingRun(link, HostClock(), TrainingSettings(100.0, "test", tmp_path / "file"), live, Mock())
    with pytest.raises(NothingTrained):
        await run.run()
    (sentence,) = sentences
    assert "cannot be recorded in" in sentence and "IMU_HOME" in sentence


# --- damage -----------------------------------------------------------------------------------------------------------


def test_cut_anywhere_it_gives_what_came_before(tmp_path, short):
    path, readable, whole = tmp_path / "short.mcap", len(SHORT_TRAINING), 0
    for size in reversed(range(len(short))):
        os.truncate(path, size)
        try:
            recording = read_training(path)
        except RecordingDamaged:
            assert readable == 0 and size < 400, "once the head is there, it can be read"
            continue
        messages = tuple(recording.messages())
        assert messages == SHORT_TRAINING[: len(messages)]
        assert len(messages) <= readable
        assert recording.header == HEADER
        assert recording.messages_lost == 0
        readable = len(messages)
        if recording.damage is None:
            whole += 1
            assert messages == SHORT_TRAINING
        else:
            assert "breaks off" in recording.damage and "the rest is used" in recording.damage
    assert readable == 0 and whole < len(short) / 2, "only the index may be missing without a word"


def test_one_wrong_bit_anywhere_costs_one_chunk_at_most_and_is_reported(tmp_path, short):
    path, refused = tmp_path / "short.mcap", 0
    with path.open("r+b", buffering=0) as file:
        for position in range(len(short)):
            file.seek(position)
            file.write(bytes([short[position] ^ 1 << position % 8]))
            try:
                recording = read_training(path)
            except RecordingForeign:
                refused += 1
                assert position < 8, "only the mark of every MCAP file must be right"
            else:
                messages = tuple(recording.messages())
                assert without(SHORT_TRAINING, messages)
                assert len(messages) >= len(SHORT_TRAINING) - 1
                assert recording.header == HEADER
                assert recording.identified in (IDENTIFIED, None)
                if len(messages) < len(SHORT_TRAINING):
                    assert recording.messages_lost == 1 and recording.damage is not None
            file.seek(position)
            file.write(short[position : position + 1])
    assert refused == 8


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    kinds = st.sampled_from(["overwrite", "insert", "delete", "zero"])
    return draw(st.lists(st.tuples(kinds, st.floats(0, 1), st.binary(min_size=1, max_size=200)), max_size=4))


@settings(deadline=None, max_examples=50)
@given(damage=damages())
def test_any_damage_gives_no_wrong_message_and_no_other_error(tmp_path_factory, damage):
    folder = tmp_path_factory.getbasetemp() / "shared"
    folder.mkdir(exist_ok=True)
    whole = folder / "whole.mcap"
    if not whole.exists():
        record_in_chunks(whole, SHORT_TRAINING)
    data = whole.read_bytes()
    for kind, where, patch in damage:
        start = round(where * len(data))
        middle = {"overwrite": patch, "insert": patch, "delete": b"", "zero": bytes(len(patch))}[kind]
        data = data[:start] + middle + data[start + (0 if kind == "insert" else len(patch)) :]
    try:
        recording = opened(folder / "damaged.mcap", data)
    except (RecordingDamaged, RecordingForeign):
        return
    messages = tuple(recording.messages())
    assert without(SHORT_TRAINING, messages)
    assert recording.damage is not None or messages == SHORT_TRAINING
    assert recording.header == HEADER


@given(st.binary(max_size=600))
def test_any_bytes_at_all_are_refused_in_a_sentence(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any bytes.mcap"
    for start in (b"", b"\x89MCAP0\r\n"):
        with pytest.raises((RecordingDamaged, RecordingForeign)):
            opened(path, start + data)


def test_a_cut_out_middle_is_counted(tmp_path, short):
    whole = record_in_chunks(tmp_path / "long.mcap", [Heard(at(i), STREAM, bytes(100)) for i in range(12)]).read_bytes()
    size = len(whole) // 4
    recording = opened(tmp_path / "hole.mcap", whole[:size] + bytes(size) + whole[2 * size :])
    messages = list(recording.messages())
    assert 0 < recording.messages_lost == 12 - len(messages) < 10
    assert messages[0] == Heard(at(0), STREAM, bytes(100)) and messages[-1] == Heard(at(11), STREAM, bytes(100))
    assert f"{recording.messages_lost} messages cannot be read" in (recording.damage or "")


def nested_chunks(count: int) -> bytes:
    """Chunks that each claim to reach to the end of the file, with a false checksum."""
    length = 49 * count
    heads = [
        struct.pack("<BQQQQIIQ", 6, length - 49 * i - 9, 0, 0, length - 49 * i - 49, 1, 0, length - 49 * i - 49)
        for i in range(count)
    ]
    return b"".join(heads)


def nested_metadata(count: int) -> bytes:
    """Metadata records that each claim the 60,000 bytes after them."""
    return b"".join(struct.pack("<BQI", 12, 60_000, 3) + b"end" for _ in range(count)) + bytes(60_000)


@pytest.mark.parametrize("hostile", [nested_chunks, nested_metadata])
def test_salvage_takes_a_time_proportional_to_the_size(short, monkeypatch, hostile):
    looked_at = []
    crc32, stream = training_reader.zlib.crc32, training_reader._stream
    monkeypatch.setattr(training_reader.zlib, "crc32", lambda data: looked_at.append(len(data)) or crc32(data))
    monkeypatch.setattr(training_reader, "_stream", lambda body: looked_at.append(len(body)) or stream(body))
    for count in (1000, 8000):
        looked_at.clear()
        data = short[:200] + hostile(count)
        parts = SoundParts(data)
        assert parts.damaged_at is not None
        assert sum(looked_at) <= training_reader.WORK_PER_BYTE * (len(data) + 2 * 65_536)


def test_what_follows_a_hostile_part_is_still_found(short):
    parts = SoundParts(short[:200] + nested_chunks(10) + short)
    assert len(parts.chunks) == len(SHORT_TRAINING)


# --- one noun ---------------------------------------------------------------------------------------------------------


def test_a_training_is_a_recording_like_any_other(tmp_path, short):
    recording = open_recording(tmp_path / "short.mcap")
    assert [item for item in recording.stream() if isinstance(item, PersonAsked)] == [
        message for message in SHORT_TRAINING if isinstance(message, PersonAsked)
    ]
    assert recording.started_at.timestamp() == pytest.approx(START_NS * 1e-9)
    assert (recording.personal, recording.damage, recording.rows) == (HEADER.personal, None, 0)
    assert tuple(recording.training.messages()) == SHORT_TRAINING
    assert len(recording.block) == 0


def test_a_kind_of_sensor_without_a_driver_is_refused_when_samples_are_read(tmp_path):
    TrainingRecorder.create(tmp_path / "a.mcap", replace(HEADER, sensor_kind="abacus")).close()
    recording = open_recording(tmp_path / "a.mcap")
    assert recording.training.header.sensor_kind == "abacus"
    with pytest.raises(RecordingForeign, match="'abacus', for which this version has no driver: update this program"):
        list(recording.blocks())


# --- other files ------------------------------------------------------------------------------------------------------


def test_other_files_are_refused_with_the_reason(tmp_path, short):
    with pytest.raises(RecordingDamaged, match="no such file"):
        read_training(tmp_path / "missing.mcap")
    with pytest.raises(RecordingDamaged):
        read_training(tmp_path)
    with pytest.raises(RecordingDamaged, match="empty"):
        opened(tmp_path / "a.mcap", b"")
    with pytest.raises(RecordingForeign, match="not an MCAP file"):
        opened(tmp_path / "a.mcap", b"time_s,acc_x\n")
    with pytest.raises(RecordingForeign, match="another program"):
        opened(tmp_path / "a.mcap", foreign(tmp_path / "foreign.mcap"))


def foreign(path: Path) -> bytes:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start("ros2")
        channel = writer.register_channel("/imu", "cdr", 0)
        writer.add_metadata("recording", {"format_version": "1"})
        writer.add_message(channel, 1, b"x" * 100, 1)
        writer.finish()
    return path.read_bytes()


def test_a_recording_of_a_newer_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("imu.recordings.training_recorder.FORMAT_VERSION", 2)
    path = record(tmp_path / "a.mcap", SHORT_TRAINING)
    with pytest.raises(RecordingForeign, match="newer version"):
        read_training(path)


# --- kills and disks --------------------------------------------------------------------------------------------------

WRITING = f"""
import sys, time
from pathlib import Path
from imu.sensors.conversation import Heard
from imu.recordings.training_recorder import TrainingRecorder
from imu.recordings.training_recorder import RecordingHeader
header = RecordingHeader("reference", "x", "y", time.time_ns(), "0", 104.0)
recorder = TrainingRecorder.create(Path(sys.argv[1]), header)
for i in range(10**9):
    recorder.write(Heard(time.time_ns(), "{STREAM}", i.to_bytes(4, "little") + bytes(231)))
    time.sleep(0.005)
"""


@pytest.mark.process
def test_a_kill_costs_the_last_second_at_most(tmp_path):
    path = tmp_path / "killed.mcap"
    child = subprocess.Popen([sys.executable, "-c", WRITING, str(path)])
    try:
        wait_until(lambda: path.exists() and path.stat().st_size > 60_000)
    finally:
        child.send_signal(signal.SIGKILL)
        killed_ns = time.time_ns()
        child.wait()
    recording = read_training(path)
    messages = list(recording.messages())
    numbers = [int.from_bytes(message.payload[:4], "little") for message in messages]
    assert numbers == list(range(len(numbers))) and len(numbers) > 100
    assert killed_ns - messages[-1].received_ns < 1e9
    assert recording.damage and "breaks off" in recording.damage and recording.messages_lost == 0
    with path.open("rb") as file:
        found = sum(isinstance(found, Message) for found in until_cut(StreamReader(file).records))
    assert found == len(messages), "other programs read as much"


def until_cut(records: Iterator[object]) -> Iterator[object]:
    try:
        yield from records
    except Exception:  # whatever they say at the end of a file that breaks off
        return


FILLING = f"""
import sys, time
from pathlib import Path
from imu.errors import RecordingNotWritten
from imu.sensors.conversation import Heard
from imu.recordings.training_recorder import TrainingRecorder
from imu.recordings.training_recorder import RecordingHeader
if sys.argv[2] == "limit":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
recorder = TrainingRecorder.create(Path(sys.argv[1]), RecordingHeader("reference", "x", "y", 0, "0", 104.0), gather_s=0)
errors = []
for i in range(2000):
    try:
        recorder.write(Heard(i, "{STREAM}", bytes(235)))
    except RecordingNotWritten as error:
        errors.append(error)
    time.sleep(0.0002)
recorder.close()
(error,) = errors
print(error, "|", error.__cause__.errno)
"""


def fill(path: Path, how: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FILLING, str(path), how], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def assert_sound_up_to_its_end(path: Path) -> None:
    recording = read_training(path)
    messages = list(recording.messages())
    assert messages == [Heard(i, STREAM, bytes(235)) for i in range(len(messages))] and len(messages) > 50
    assert recording.damage and "breaks off" in recording.damage
    assert SoundParts(path.read_bytes()).damaged_at is None, "no half record stays at the end"


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_file_that_may_not_grow_is_reported_once_and_stays_sound(tmp_path):
    printed = fill(tmp_path / "full.mcap", "limit")
    assert "no longer recorded (the disk takes no file as large as this)" in printed
    assert printed.endswith(f"| {errno.EFBIG}\n")
    assert_sound_up_to_its_end(tmp_path / "full.mcap")


@pytest.mark.process
def test_a_full_disk_is_reported_once_and_the_recording_stays_sound(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = sys.platform == "linux" and os.geteuid() == 0
    if not mounted or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", disk], check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        printed = fill(disk / "full.mcap", "disk")
        assert "no longer recorded (the disk is full)" in printed
        assert printed.endswith(f"| {errno.ENOSPC}\n")
        assert_sound_up_to_its_end(disk / "full.mcap")
        with pytest.raises(RecordingNotWritten, match=r"cannot be recorded in .*\(the disk is full\)"):
            TrainingRecorder.create(disk / "next.mcap", HEADER)
        assert not (disk / "next.mcap").exists()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_disk_that_fails_at_the_end_is_reported_by_close(tmp_path, monkeypatch):
    recorder = TrainingRecorder.create(tmp_path / "a.mcap", HEADER)
    recorder.write(SHORT_TRAINING[0])

    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(training_recorder.os, "fsync", fails)
    with pytest.raises(RecordingNotWritten, match="the disk does not take it: Input/output error"):
        recorder.close()
    recorder.close()


def test_a_slow_disk_delays_nothing(tmp_path, monkeypatch):
    working = threading.Event()
    recorder = TrainingRecorder.create(tmp_path / "a.mcap", HEADER)
    monkeypatch.setattr(training_recorder.os, "fsync", lambda descriptor: working.wait(20))
    for message in SHORT_TRAINING:
        recorder.write(message)
    wait_until(lambda: len(list(read_training(recorder.path).messages())) > 0)
    recorder.write(LinkDown(at(1)))
    working.set()
    recorder.close()
    assert tuple(read_training(recorder.path).messages()) == (*SHORT_TRAINING, LinkDown(at(1)))
