"""Packets with known content: ours, and where they lie beside the repository, those of vendors and of real sensors."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imu.samples import Array
from imu.sensors import boards, metamotion, movella_dot, movesense, polar, witmotion
from imu.sensors.conversation import Heard
from imu.sensors.driver import M_S2_PER_G, RAD_S_PER_DPS, Nameplate, int16_triples
from imu.sensors.metamotion import Chip
from imu.sensors.movesense import MovesenseConnection
from imu.sensors.polar import Measurement, Op, Setting

Vector = dict[str, Any]
CLEAN = Path(__file__).with_name("vectors_clean.json")
COLLECTED = Path(__file__).parents[2].parent / "shared" / "sensors" / "vectors.json"

NOT_OURS = {
    "own": "the reference firmware has tests of its own",
    "sensortag": "refused: ten samples a second",
    "microbit": "refused: no gyroscope",
}
NOT_SPOKEN = {
    "movesense_time_detailed": "the time of day is not asked for",
    "dot_freeacc_1": "free acceleration has gravity taken out",
    "dot_sync_cmd": "one sensor needs no synchronising",
    "mbl_cmd6": "raw stream, without a time",
    "mbl_cmd7": "raw stream, without a time",
    "mbl_cmd8": "raw stream, without a time",
    "mbl_cmd14": "raw stream, without a time",
    "mbl_cmd15": "raw stream, without a time",
    "mbl_cmd16": "accounter of the acceleration alone",
    "mbl_cmd17": "counter of the acceleration alone",
    "wit_cmd2": "the sensor stays as its owner has set it",
}


def load(path: Path) -> list[Vector]:
    vectors: list[Vector] = json.loads(path.read_text())
    return vectors


def pieces(vector: Vector) -> list[bytes]:
    return [bytes.fromhex(piece) for piece in vector["hex"].split("|")]


def close(got: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    return bool(np.allclose(np.asarray(got, dtype=float), np.asarray(expected, dtype=float), rtol=0, atol=tolerance))


# --- one check per device and kind of packet --------------------------------------------------------------------------


def check_movesense_packet(payload: bytes, vector: Vector) -> None:
    arrays = {"acc": ["acc"], "gyro": ["gyro"], "magn": ["magn"]} | {
        "imu6": ["acc", "gyro"],
        "imu9": ["acc", "gyro", "magn"],
    }
    names = arrays[vector["context"]["sensor"]]
    packet = movesense.decode_packet(payload, len(names))
    assert packet is not None
    assert packet.stamp_ms == vector["expect"]["timestamp_ms"]
    for name, values in zip(names, packet.arrays, strict=True):
        assert close(values, vector["expect"][name])


def check_movesense_notifications(payload: bytes, vector: Vector) -> None:
    connection = MovesenseConnection(104.0, Nameplate("Movesense"))
    found = [connection.hear(Heard(0, movesense.NOTIFICATIONS, piece)) for piece in pieces(vector)]
    (samples,) = [each for one in found for each in one.samples]
    assert samples.device_time_s[0] == pytest.approx(vector["expect"]["timestamp_ms"] / 1000)
    assert close(samples.acceleration_m_s2, vector["expect"]["acc"])
    assert close(samples.angular_velocity_rad_s / RAD_S_PER_DPS, vector["expect"]["gyro"])


def check_movesense_command(payload: bytes, vector: Vector) -> None:
    expected = vector["expect"]
    assert movesense.command(expected["cmd"], expected["ref"], expected.get("path", "")) == payload


def check_polar_frame(payload: bytes, vector: Vector) -> None:
    expected = vector["expect"]
    frame = polar.decode_frame(payload, vector["context"].get("factor", 1.0))
    assert frame is not None
    assert frame.stamp_ns == expected["timestamp_ns"]
    assert len(frame.values) == expected.get("n", len(frame.values))
    if "first_raw" in expected:
        assert close(frame.values[:2] / frame.unit, expected["first_raw"])
    else:
        assert close(frame.values[: len(expected["first"])], expected["first"], 1e-4)


def check_polar_deltas(payload: bytes, vector: Vector) -> None:
    expected, context = vector["expect"], vector["context"]
    samples = polar.delta_samples(payload, context["channels"], context["bits"])
    assert samples is not None
    rows = expected.get("first", [expected.get("ref")])
    assert samples[: len(rows)].tolist() == rows
    assert len(samples) == expected.get("n", len(samples))


def check_polar_deltas_cut_short(payload: bytes, vector: Vector) -> None:
    context = vector["context"]
    assert polar.delta_samples(payload, context["channels"], context["bits"]) is None
    whole = payload[:7] + b"\x02" + payload[8:]  # the document stops after two of the block's samples
    samples = polar.delta_samples(whole, context["channels"], context["bits"])
    assert samples is not None
    assert samples.tolist() == vector["expect"]["first"]


def settings_of(expected: dict[str, list[float]]) -> dict[Setting, Any]:
    names = {
        "rate": Setting.RATE_HZ,
        "resolution": Setting.RESOLUTION_BITS,
        "range": Setting.RANGE,
        "channels": Setting.CHANNELS,
        "factor": Setting.FACTOR,
    }
    return {names[name]: tuple(values) for name, values in expected.items()}


def check_polar_answer(payload: bytes, vector: Vector) -> None:
    expected = vector["expect"]
    answer = polar.decode_answer(payload)
    assert answer is not None
    assert (answer.op, answer.measurement, answer.status) == (expected["op"], expected["type"], expected["status"])
    settings = polar.decode_settings(answer.parameters)
    wanted = settings_of(expected["settings"])
    assert settings is not None
    assert settings.keys() == wanted.keys()
    assert all(settings[kind] == pytest.approx(wanted[kind]) for kind in wanted)


def check_polar_start(payload: bytes, vector: Vector) -> None:
    settings = {kind: int(values[0]) for kind, values in settings_of(vector["expect"]["settings"]).items()}
    assert polar.command(Op.START, Measurement(vector["expect"]["type"]), settings) == payload


def check_polar_settings(payload: bytes, vector: Vector) -> None:
    assert polar.decode_settings(payload) == settings_of(vector["expect"])


def check_polar_features(payload: bytes, vector: Vector) -> None:
    names = {1: "PPG", 2: "ACC", 3: "PPI", 5: "GYRO", 6: "MAG"}
    features = polar.decode_features(payload)
    assert features is not None
    assert [names[number] for number in sorted(features)] == vector["expect"]["features"]


def check_polar_stopped(payload: bytes, vector: Vector) -> None:
    assert polar.decode_stopped(payload) == tuple(vector["expect"]["types"])


def check_dot(payload: bytes, vector: Vector) -> None:
    expected = vector["expect"]
    measurement = movella_dot.decode_measurement(int(vector["kind"][4:]), payload)
    assert measurement is not None
    assert measurement.stamp_us == expected["timestamp_us"]
    assert close(measurement.acceleration_m_s2, [expected["acc"]])
    assert close(measurement.angular_velocity_dps, [expected["gyro_dps"]])


def check_dot_command(payload: bytes, _: Vector) -> None:
    assert movella_dot.start_command(movella_dot.RATE_QUANTITIES) == payload


def check_metamotion_samples(payload: bytes, vector: Vector) -> None:
    context = vector["context"]
    assert close(int16_triples(payload[2:]) / context["lsb"], vector["expect"]["vals"], context["tol"])


def check_metamotion_output(payload: bytes, vector: Vector) -> None:
    output = metamotion.decode_processor_output(payload)
    assert output is not None
    assert output.tick == vector["expect"].get("tick", vector["expect"].get("count"))
    if "vals" in vector["expect"]:
        context = vector["context"]
        assert close(output.counts / context["lsb"], vector["expect"]["vals"], context["tol"])


def check_metamotion_series(_: bytes, vector: Vector) -> None:
    outputs = [metamotion.decode_processor_output(piece) for piece in pieces(vector)]
    ticks = [output.tick for output in outputs if output is not None]
    since_first_ms = [round((tick - ticks[0]) * metamotion.STAMPS.tick_s * 1000) for tick in ticks]
    assert [later - earlier for earlier, later in pairwise(since_first_ms)] == vector["expect"]["delta_ms"]


def check_metamotion_command(payload: bytes, _: Vector) -> None:
    spoken = {
        metamotion.accelerometer_configuration(Chip.BMI160, 100, 16),
        metamotion.accelerometer_configuration(Chip.BMI160, 200, 8),
        metamotion.accelerometer_configuration(Chip.BMI270, 100, 16),
        metamotion.accelerometer_configuration(Chip.BMI270, 200, 8),
        metamotion.gyroscope_configuration(200, 2000),
        metamotion.gyroscope_configuration(100, 250),
        metamotion.gyroscope_configuration(50, 125),
        metamotion.buffer_command(Chip.BMI160),
        *metamotion.switch_commands(is_on=True),
        *metamotion.switch_commands(is_on=False),
    }
    assert payload in spoken


def check_witmotion_frame(payload: bytes, vector: Vector) -> None:
    expected = vector["expect"]
    acceleration, angular_velocity, angles = witmotion.decode_motion(payload.ljust(witmotion.FRAME_SIZE, b"\0"))
    assert close(acceleration / M_S2_PER_G, expected["acc_g"])
    assert close(angular_velocity / RAD_S_PER_DPS, expected["gyro_dps"])
    if "angle_deg" in expected:
        assert close(np.degrees(angles), expected["angle_deg"])


def check_witmotion_command(payload: bytes, vector: Vector) -> None:
    register, value = payload[2], int.from_bytes(payload[3:], "little")
    assert witmotion.write_register(register, value) == payload
    meanings = {"unlock": witmotion.UNLOCK, "rate 100 Hz": witmotion.write_register(3, witmotion.RATE_CODES[100])}
    assert meanings.get(vector["expect"]["meaning"], payload) == payload


def check_witmotion_stream(_: bytes, vector: Vector) -> None:
    frames = witmotion.Frames()
    taken = [frames.push(piece) for piece in [*pieces(vector), witmotion.MOTION]]
    whole = [np.frombuffer(frame[2:], "<i2").tolist() for one, _ in taken for frame in one]
    assert whole == vector["expect"]["frames"]
    assert sum(thrown_away for _, thrown_away in taken) == 0


def check_thingy(payload: bytes, vector: Vector) -> None:
    decoded = boards.decode_raw_motion(payload)
    assert decoded is not None
    check_motion(decoded, vector["expect"], "mag_uT")


def check_bluest(payload: bytes, vector: Vector) -> None:
    motion = boards.decode_motion(payload)
    assert motion is not None
    assert motion.stamp * boards.STAMPS.tick_s == pytest.approx(vector["expect"]["t_s"])
    decoded = motion.acceleration_m_s2, motion.angular_velocity_rad_s, motion.magnetic_field_mg
    check_motion(decoded, vector["expect"], "mag_mG")


def check_motion(decoded: tuple[Array, Array, Array], expected: dict[str, Any], magnetic_field: str) -> None:
    assert close(decoded[0] / M_S2_PER_G, expected["acc_g"])
    assert close(decoded[1] / RAD_S_PER_DPS, expected["gyro_dps"])
    assert close(decoded[2], expected[magnetic_field])


def check_bluest_advertisement(payload: bytes, vector: Vector) -> None:
    expected = vector["expect"]
    board = boards.decode_board(int.from_bytes(payload[2:4], "little"), payload[4:])
    assert board is not None
    assert (board.version, board.device, board.features) == (expected["version"], expected["device"], expected["mask"])
    assert board.address.hex(":").upper() == expected.get("mac", "")


CHECKS: dict[tuple[str, str], Callable[[bytes, Vector], None]] = {
    ("movesense", "data"): check_movesense_packet,
    ("movesense", "notifications"): check_movesense_notifications,
    ("movesense", "command"): check_movesense_command,
    ("polar", "frame"): check_polar_frame,
    ("polar", "frame_prefix"): check_polar_frame,
    ("polar", "delta"): check_polar_deltas,
    ("polar", "ref"): check_polar_deltas,
    ("polar", "delta_prefix"): check_polar_deltas_cut_short,
    ("polar", "cp_resp"): check_polar_answer,
    ("polar", "cp_start"): check_polar_start,
    ("polar", "tlv"): check_polar_settings,
    ("polar", "cp_read"): check_polar_features,
    ("polar", "cp_stopped"): check_polar_stopped,
    ("xsens_dot", "mode21"): check_dot,
    ("xsens_dot", "mode26"): check_dot,
    ("xsens_dot", "command"): check_dot_command,
    ("metawear", "xyz"): check_metamotion_samples,
    ("metawear", "accounter"): check_metamotion_output,
    ("metawear", "count"): check_metamotion_output,
    ("metawear", "accounter_series"): check_metamotion_series,
    ("metawear", "command"): check_metamotion_command,
    ("witmotion", "frame61"): check_witmotion_frame,
    ("witmotion", "frame61_head16"): check_witmotion_frame,
    ("witmotion", "command"): check_witmotion_command,
    ("witmotion", "stream"): check_witmotion_stream,
    ("thingy52", "raw"): check_thingy,
    ("bluest", "acc_gyro_mag"): check_bluest,
    ("bluest", "adv"): check_bluest_advertisement,
}


def check(vector: Vector) -> bool:
    """Check one packet; return whether it is one that our sensors say or hear."""
    if vector["device"] in NOT_OURS or vector["id"] in NOT_SPOKEN:
        return False
    CHECKS[vector["device"], vector["kind"]](pieces(vector)[0], vector)
    return True


@pytest.mark.parametrize("vector", load(CLEAN), ids=lambda vector: vector["id"])
def test_packets_made_for_this_project(vector: Vector) -> None:
    assert check(vector) == (vector["device"] not in NOT_OURS)


def test_packets_of_vendors_and_real_sensors() -> None:
    if not COLLECTED.exists():
        pytest.skip(f"{COLLECTED} is not there: packets of vendors and real sensors lie beside the repository only")
    checked = sum(check(vector) for vector in load(COLLECTED))
    assert checked >= 59
