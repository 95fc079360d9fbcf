"""Any bytes at all in every decoder and reader: an answer or one sentence, found by coverage with atheris.

`imu` is instrumented, and libFuzzer changes the inputs that reach new code. A short run, in two processes beside each
other, is a test; before a release each target has ten minutes: ``IMU_FUZZ_S=600 python -m pytest tests/test_fuzz.py``.
The seeds are made here, so that no corpus is kept. An input that broke something stays as ``crash-*`` in the folder
that the failure names; run it again with ``python tests/test_fuzz.py TARGET FILE``.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

SECONDS = int(os.environ.get("IMU_FUZZ_S", "10"))
SHORT = "IMU_FUZZ_S" not in os.environ
SLOWEST_S = 60
"""No input of 8,192 bytes may take as long, even where sixteen programs share a processor."""
MEMORY_MB = 1500

Target = Callable[[bytes], object]
FILES = {
    "csv": "r.csv",
    "csv_gz": "r.csv.gz",
    "parquet": "r.parquet",
    "training": "r.mcap",
    "zip": "r.zip",
    "json": "r.json",
    "bids": "sub-1_task-squat_tracksys-imu_motion.tsv",
    "phyphox": "Accelerometer.csv",
    "sensor_logger": "Accelerometer.csv",
    "movella": "dot.csv",
}
"""Reader -> the name of the file that holds the bytes."""
_TURNING = b"".join(b"%.2f,0.1,0.2,0.3\n" % (0.01 * number) for number in range(40))
_BIDS = "x\t{}\t{}\tPelvis\t{}\n"
BESIDE = {
    "bids": {
        "sub-1_task-squat_tracksys-imu_channels.tsv": "".join(
            ["name\tcomponent\ttype\ttracked_point\tunits\n"]
            + [_BIDS.format(axis, "ACCEL", "m/s^2") for axis in "xyz"]
            + [_BIDS.format(axis, "GYRO", "rad/s") for axis in "xyz"]
        ).encode(),
        "sub-1_task-squat_tracksys-imu_motion.json": b'{"SamplingFrequency": 100}',
    },
    "phyphox": {
        "Gyroscope.csv": b'"Time (s)","Gyroscope x (rad/s)","Gyroscope y (rad/s)","Gyroscope z (rad/s)"\n' + _TURNING,
        "meta/device.csv": b'"property","value"\n"version","1.1.16"\n',
    },
    "sensor_logger": {
        "Gyroscope.csv": b"seconds_elapsed,z,y,x\n" + _TURNING,
        "Gravity.csv": b"seconds_elapsed,z,y,x\n" + _TURNING,
    },
}
"""Reader -> the files beside it that it needs."""
DRIVERS = (
    *("reference", "movesense", "polar", "movella_dot", "witmotion", "metamotion", "thingy52", "bluest", "bluefruit"),
    "phone",
)
RECORDS = ("packet", "request", "answer", "info", "config", "status", "time_sync")
OTHERS = ("plan", "backup")
CONTAINERS = ("parquet", "training", "zip", "backup")
DECODERS, READERS = (*DRIVERS, *RECORDS), (*FILES, *OTHERS)


def driver(name: str) -> Target:
    """Bytes -> a conversation: pieces with a length, each for one of the characteristics that the driver asked for."""
    from imu.sensors import kind_named
    from imu.sensors.conversation import Heard, LinkUp, Read, Subscribe

    kind = kind_named(name)

    def talk(data: bytes) -> None:
        talking = kind.driver(100.0)
        asked = dict.fromkeys(action.characteristic for action in talking.take(LinkUp(0, 244)).actions)
        at = 0
        for number in range(64):
            if at + 2 > len(data):
                break
            characteristic = list(asked)[data[at] % len(asked)] if asked else "0" * 36
            payload = data[at + 2 : at + 2 + data[at + 1]]
            at += 2 + len(payload)
            reply = talking.take(Heard(number * 10_000_000, characteristic.rpartition("/")[2], payload))
            asked |= {action.characteristic: None for action in reply.actions if isinstance(action, Read | Subscribe)}
        talking.finish()

    return talk


def record(name: str) -> Target:
    """Bytes -> one record of our own protocol, which decodes to itself or not at all."""
    import firmware_protocol as protocol

    decode = getattr(protocol, f"decode_{name}")

    def there_and_back(data: bytes) -> None:
        decoded = decode(data)
        if not isinstance(decoded, protocol.Undecodable):
            assert decode(decoded.encode()) == decoded, decoded

    return there_and_back


def reader(name: str) -> Target:
    """Bytes -> a file of this name -> its samples."""
    from imu.recordings.folders import sources_of
    from imu.recordings.recording import read_recording

    folder = Path(tempfile.mkdtemp())
    for beside, text in BESIDE.get(name, {}).items():
        (folder / beside).parent.mkdir(exist_ok=True)
        (folder / beside).write_bytes(text)

    def read(data: bytes) -> None:
        path = folder / FILES[name]
        path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
        with sources_of([str(path)]) as sources:  # of a zip, those in it
            assert all(source.path.exists() or source.unreadable for source in sources)
        recording = read_recording(path)
        assert len(recording.block) == recording.rows

    return read


def other(name: str) -> Target:
    """Bytes -> a plan, or a backup that is restored."""
    from datetime import UTC, datetime

    from imu.live.schedule import read_plan
    from imu.store.backup import restore_backup

    folder = Path(tempfile.mkdtemp())

    def read(data: bytes) -> None:
        path = folder / name
        path.write_bytes(data)
        if name == "plan":
            read_plan(path)
        else:
            restore_backup(path, folder / "home", now=datetime.now(UTC), force=True)

    return read


def target(name: str) -> Target:
    """Return the function that takes the bytes."""
    if name in DRIVERS:
        return driver(name)
    if name in RECORDS:
        return record(name)
    return reader(name) if name in FILES else other(name)


def seed(name: str) -> bytes:
    """Return bytes that the target takes, or as near as a line of code comes to them."""
    header, row = b"time_s,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z\n", b"%.2f,0.1,0.2,9.81,0.01,0.02,0.03\n"
    rows = b"".join(row % (0.01 * number) for number in range(40))
    if name in ("csv", "csv_gz"):
        return header + rows
    if name == "phyphox":
        names = (f'"Acceleration {axis} (m/s^2)"'.encode() for axis in "xyz")
        return b",".join([b'"Time (s)"', *names]) + b"\n" + _TURNING
    if name == "sensor_logger":
        return b"seconds_elapsed,z,y,x\n" + _TURNING
    if name == "bids":
        return b"".join(b"0.1\t0.2\t9.8\t0.01\t0.02\t%.2f\n" % (0.01 * number) for number in range(40))
    if name == "movella":
        names = b"sep=,\nPacketCounter,SampleTimeFine,Acc_X,Acc_Y,Acc_Z,Gyr_X,Gyr_Y,Gyr_Z\n"
        return names + b"".join(b"%d,%d,0.1,0.2,9.8,1,2,3\n" % (number, 16667 * number) for number in range(40))
    if name == "json":
        packets = [
            {sensor: {"Timestamp": at, f"Array{word}": [{"x": 1, "y": 2, "z": 9.8}] * 2}}
            for sensor, word in (("acc", "Acc"), ("gyro", "Gyro"))
            for at in (0, 20, 40)
        ]
        return json.dumps({"data": packets}).encode()
    if name == "plan":
        return b'[[exercise]]\nname = "back squat"\nsets = 3\nreps = 5\nrest = 120\ntempo = "3-1-1"\n'
    if name in CONTAINERS:
        return _container(name)
    if name in RECORDS:
        import firmware_protocol as protocol

        examples = {"config": protocol.Config, "status": protocol.Status}
        return bytes(20) if name not in examples else b"\x01" + bytes(30)
    return bytes([0, 20, *range(20)]) * 4


def _container(name: str) -> bytes:
    """Return a small file of a binary format, as the program that writes it does."""
    import numpy as np

    from imu.recordings.checks import COLUMNS

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed"
        if name == "parquet":
            pandas = pytest.importorskip("pandas")
            rows = np.outer(np.arange(20.0), np.ones(7)) / 100
            pandas.DataFrame(rows, columns=COLUMNS).to_parquet(path, index=False)
        elif name == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for member, data in {"Accelerometer.csv": seed("phyphox"), **BESIDE["phyphox"]}.items():
                    archive.writestr(member, data)
        elif name == "backup":
            from datetime import UTC, datetime

            from imu.store import SessionStore
            from imu.store.backup import write_backup

            home = Path(folder) / "home"
            SessionStore.open(home / "sessions.db").close()
            write_backup(home, path, made_at=datetime.now(UTC), software_version="0")
        else:
            from imu.recordings.training_recorder import RecordingHeader, TrainingRecorder
            from imu.sensors.conversation import Heard, LinkUp

            recorder = TrainingRecorder.create(path, RecordingHeader("reference", "Hip", "F0:00", 1, "0", 100.0))
            recorder.write(LinkUp(2, 244))
            recorder.write(Heard(3, "7a2b0002-5f3c-4e1d-9b8a-6c1d2e3f4a5b", bytes(range(40))))
            recorder.close()
        return path.read_bytes()


def fuzz(names: list[str], arguments: list[str]) -> None:
    """Fuzz targets for ever, or as long as libFuzzer's arguments say; the first byte chooses among them."""
    import atheris

    with atheris.instrument_imports(include=["imu", "firmware_protocol"]):
        from imu.errors import ImuError

        targets = [target(name) for name in names]
        for name, one in zip(names, targets, strict=True):  # imports are no part of the time of an input
            with contextlib.suppress(ImuError):
                one(seed(name))

    def one_input(data: bytes) -> None:
        if not data:
            return
        try:
            targets[data[0] % len(targets)](data[1:])
        except ImuError as error:
            assert str(error)
            assert "\n" not in str(error), str(error)

    atheris.Setup(["fuzz", *arguments], one_input)
    atheris.Fuzz()


# --- the tests -------------------------------------------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.parametrize(
    "names",
    [DECODERS, READERS] if SHORT else [(name,) for name in (*DECODERS, *READERS)],
    ids=["decoders", "readers"] if SHORT else [*DECODERS, *READERS],
)
def test_any_bytes_give_an_answer_or_one_sentence(names, tmp_path):
    pytest.importorskip("atheris", reason="there is no atheris for this system")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, name in enumerate(names):
        (corpus / name).write_bytes(bytes([number]) + seed(name))
    limits = ["-max_len=8192", f"-timeout={SLOWEST_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_total_time={SECONDS}"]
    run = subprocess.run(
        [sys.executable, __file__, ",".join(names), *limits, f"-artifact_prefix={tmp_path}/", corpus],
        capture_output=True,
        text=True,
        check=False,
        errors="replace",
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert run.returncode == 0, run.stderr[-6000:]
    assert "Done" in run.stderr


if __name__ == "__main__":
    fuzz(sys.argv[1].split(","), sys.argv[2:])
