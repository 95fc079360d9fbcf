"""Twins of sensors that gather samples: Movesense, Polar and WitMotion, one section a vendor.

Their packets are longer than a short MTU allows, or are cut anywhere. Where a clock has a wrap, it starts some seconds
before it.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from imu.samples import Array, ImuBlock
from imu.sensors import movesense as gsp
from imu.sensors import polar as pmd
from imu.sensors import witmotion as wit
from imu.sensors.conversation import Advertisement
from imu.sensors.driver import M_S2_PER_G, RAD_S_PER_DPS, full_uuid
from imu.sensors.polar import Measurement, Op, Setting
from imu.virtual.twin import (
    Characteristic,
    Gathered,
    Measured,
    Notification,
    Property,
    Service,
    StreamingTwin,
    battery,
    counts,
    device_information,
)

# --- Movesense --------------------------------------------------------------------------------------------------------

MOVESENSE_SERIAL = "204830000123"
MOVESENSE_CLOCK_S = 2**32 * 0.001 - 6.0
SAMPLES_PER_PACKET = {13: 1, 26: 2, 52: 4, 104: 8, 208: 16}
MOVESENSE_MTU = 161
MOVESENSE_ACCELERATION_UNIT_M_S2 = 0.244e-3 * M_S2_PER_G  # LSM6DS3 at ±8 g
MOVESENSE_ANGULAR_VELOCITY_UNIT_DPS = 0.070  # at ±2000 °/s


class MovesenseTwin(StreamingTwin):
    """Twin of a Movesense: GSP with packets in two parts at a short MTU; the service is not advertised.

    Its clock starts six seconds before the 32-bit wrap.
    """

    advertisement = Advertisement(f"Movesense {MOVESENSE_SERIAL}", (full_uuid(0xFDF3),), {0x009F: b"\x01"})

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed, MOVESENSE_CLOCK_S)
        self.services = (
            Service(
                gsp.SERVICE,
                (
                    Characteristic(gsp.COMMANDS, Property.WRITE),
                    Characteristic(gsp.NOTIFICATIONS, Property.NOTIFY),
                ),
            ),
            device_information(self, "Movesense HR2", MOVESENSE_SERIAL, "2.3.1"),
            battery(self, 81),
        )
        self._reference = 0  # of the subscription
        self._samples = 0  # in a packet
        self._gathered = Gathered()

    def disconnected(self, now_s: float) -> None:
        """Drop all subscriptions, as the firmware does."""
        super().disconnected(now_s)
        self._gathered.clear()

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Process a command."""
        if characteristic != gsp.COMMANDS or len(payload) < 2:
            return
        code, reference = payload[0], payload[1]
        if code == gsp.HELLO:
            parts = (MOVESENSE_SERIAL, "Movesense HR2", "0C8CDC000000", "Movesense default", "2.3.1")
            content = b"\x01" + b"".join(part.encode() + b"\0" for part in parts)
            self._answer(gsp.NOTIFICATIONS, bytes((gsp.ANSWER, reference)) + content)
            return
        status = 501
        if code == gsp.SUBSCRIBE:
            status = self._subscribe(reference, payload[2:].decode("ascii", errors="replace"), now_s)
        elif code == gsp.UNSUBSCRIBE:
            status = 200 if reference == self._reference and self.is_streaming else 404
            self._stop_stream()
        self._answer(gsp.NOTIFICATIONS, bytes((gsp.ANSWER, reference)) + status.to_bytes(2, "little"))

    def _subscribe(self, reference: int, path: str, now_s: float) -> int:
        rates = {gsp.imu_path(rate): rate for rate in SAMPLES_PER_PACKET}
        if path not in rates:
            return 404
        self._reference, self._samples = reference, SAMPLES_PER_PACKET[rates[path]]
        self._gathered.clear()
        self._start_stream(now_s, rates[path])
        return 200

    def _packets(self, measured: Measured) -> list[Notification]:
        self._gathered.push(measured)
        return [part for packet in self._gathered.take(self._samples) for part in self._packet(packet)]

    def _packet(self, measured: Measured) -> list[Notification]:
        """Return one packet, in two parts if it is too long."""
        force = counts(measured.acceleration_m_s2, MOVESENSE_ACCELERATION_UNIT_M_S2) * MOVESENSE_ACCELERATION_UNIT_M_S2
        turn = counts(measured.angular_velocity_rad_s / RAD_S_PER_DPS, MOVESENSE_ANGULAR_VELOCITY_UNIT_DPS)
        floats = np.concatenate((force, turn * MOVESENSE_ANGULAR_VELOCITY_UNIT_DPS)).astype("<f4").tobytes()
        packet = (int(measured.clock_s[0] * 1000) % 2**32).to_bytes(4, "little") + floats
        room = min(self._mtu, MOVESENSE_MTU) - 5
        parts = [bytes((gsp.DATA, self._reference)) + packet[:room]]
        if packet[room:]:
            parts.append(bytes((gsp.DATA_PART2, self._reference)) + packet[room:])
        return [Notification(gsp.NOTIFICATIONS, part) for part in parts]


# --- Polar Verity Sense -----------------------------------------------------------------------------------------------

POLAR_CLOCK_S = 600_000_000.0  # early 2019, a clock that was never set
POLAR_FEATURES = bytes((pmd.FEATURES, 0x6E)) + bytes(15)
SAMPLES_PER_FRAME = {Measurement.ACCELERATION: 36, Measurement.ANGULAR_VELOCITY: 30}
SAMPLES_PER_FLOAT_FRAME = 16
FULL_MTU = 247  # for which these are; with a shorter one, frames are shorter
INVALID_PARAMETER, ALREADY_IN_STATE, INVALID_STATE = 5, 6, 12
Offer = dict[Setting, tuple[int, ...]]
USUAL: Offer = {Setting.RATE_HZ: (52,), Setting.RESOLUTION_BITS: (16,), Setting.CHANNELS: (3,)}
SDK_RATES_HZ: tuple[int, ...] = (26, 52, 104, 208, 416)
RANGES: dict[Measurement, tuple[int, ...]] = {Measurement.ACCELERATION: (8,), Measurement.ANGULAR_VELOCITY: (2000,)}
SDK_RANGES: dict[Measurement, tuple[int, ...]] = {
    Measurement.ACCELERATION: (2, 4, 8, 16),
    Measurement.ANGULAR_VELOCITY: (250, 500, 1000, 2000),
}


class PolarTwin(StreamingTwin):
    """Twin of a Verity Sense: control point, SDK mode, two compressed streams.

    Older firmware (even seeds) counts in fractions of g and sends the factor when a stream starts. Newer firmware (odd
    seeds) sends acceleration in thousandths of g and angular velocity as floats. Streams end with the connection; SDK
    mode stays on.
    """

    advertisement = Advertisement("Polar Sense A1B2C3D4", (full_uuid(0x180D),), {0x006B: b"\x72\x08"})

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed, POLAR_CLOCK_S)
        self._is_newer = bool(seed % 2)
        control = Characteristic(pmd.CONTROL_POINT, Property.READ | Property.WRITE | Property.INDICATE)
        self.services = (
            Service(pmd.SERVICE, (control, Characteristic(pmd.DATA, Property.NOTIFY))),
            device_information(self, "Polar Sense", "A1B2C3D4", "2.2.7" if self._is_newer else "1.1.5"),
            battery(self, 64),
        )
        self.values[pmd.CONTROL_POINT] = POLAR_FEATURES
        self._is_in_sdk_mode = False
        self._factors: dict[Measurement, float] = {}  # of the streams that run
        self._gathered = {measurement: Gathered() for measurement in RANGES}

    def disconnected(self, now_s: float) -> None:
        """End the streams."""
        super().disconnected(now_s)
        self._factors.clear()

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Process a command of the control point."""
        if characteristic != pmd.CONTROL_POINT or len(payload) < 2:
            return
        op, kind = payload[0], payload[1]
        status, parameters = self._obey(op, kind, payload[2:], now_s)
        head = bytes((pmd.ANSWER, op, kind, status))
        room = self._mtu - 3 - 5
        parts = [parameters[i : i + room] for i in range(0, len(parameters), room)] or [b""]
        for part in parts:
            self._answer(characteristic, head + bytes((part is not parts[-1],)) + part)

    def _obey(self, op: int, kind: int, settings: bytes, now_s: float) -> tuple[int, bytes]:
        """Return status and parameters of the answer."""
        if kind == Measurement.SDK_MODE and op in (Op.START, Op.STOP):
            if self._factors:
                return INVALID_STATE, b""
            was_on, self._is_in_sdk_mode = self._is_in_sdk_mode, op == Op.START
            return (ALREADY_IN_STATE if was_on == self._is_in_sdk_mode else 0), b""
        if kind not in list(RANGES):
            return 2, b""
        measurement = Measurement(kind)
        if op == Op.SETTINGS:
            return 0, self._settings(measurement)
        if op == Op.STOP:
            is_on = self._factors.pop(measurement, None) is not None
            if not self._factors:
                self._stop_stream()
            return (0 if is_on else ALREADY_IN_STATE), b""
        return self._start(measurement, settings, now_s) if op == Op.START else (1, b"")

    def _settings(self, measurement: Measurement) -> bytes:
        offered: Offer = USUAL | {Setting.RANGE: RANGES[measurement]}
        if self._is_in_sdk_mode:
            offered |= {Setting.RATE_HZ: SDK_RATES_HZ, Setting.RANGE: SDK_RANGES[measurement]}
        parts = []
        for setting, values in sorted(offered.items()):
            one = "B" if setting == Setting.CHANNELS else "H"
            parts.append(bytes((setting, len(values))) + struct.pack(f"<{len(values)}{one}", *values))
        return b"".join(parts)

    def _start(self, measurement: Measurement, settings: bytes, now_s: float) -> tuple[int, bytes]:
        asked = pmd.decode_settings(settings)
        offered = pmd.decode_settings(self._settings(measurement)) or {}
        if asked is None or any(set(values) - set(offered.get(kind, ())) for kind, values in asked.items()):
            return INVALID_PARAMETER, b""
        if measurement in self._factors:
            return ALREADY_IN_STATE, b""
        (full_range,) = asked[Setting.RANGE]
        factor = float(np.float32(1.0 if self._is_newer else full_range / 32768.0))
        self._factors[measurement] = factor
        self._gathered[measurement].clear()
        if not self.is_streaming:
            self._start_stream(now_s, asked[Setting.RATE_HZ][0])
        return 0, b"" if self._is_newer else bytes((Setting.FACTOR, 1)) + struct.pack("<f", factor)

    def _packets(self, measured: Measured) -> list[Notification]:
        notifications: list[Notification] = []
        for measurement in self._factors:
            self._gathered[measurement].push(measured)
            is_float = self._is_newer and measurement == Measurement.ANGULAR_VELOCITY
            most = SAMPLES_PER_FLOAT_FRAME if is_float else SAMPLES_PER_FRAME[measurement]
            samples = most * min(self._mtu, FULL_MTU) // FULL_MTU
            notifications += [self._frame(measurement, full) for full in self._gathered[measurement].take(samples)]
        return notifications

    def _frame(self, measurement: Measurement, measured: Measured) -> Notification:
        """Return one frame, stamped with its last sample."""
        factor = self._factors[measurement]
        stamp_ns = round(float(measured.clock_s[-1]) * 1e9)
        if measurement == Measurement.ACCELERATION:
            unit_g = 1e-3 if self._is_newer else factor
            kind, data = int(self._is_newer), _compressed(counts(measured.acceleration_m_s2 / M_S2_PER_G, unit_g), 16)
        else:
            dps: Array = measured.angular_velocity_rad_s / RAD_S_PER_DPS
            kind, data = int(self._is_newer), _compressed(counts(dps, factor), 16)
            if self._is_newer:
                patterns = np.round(dps, 1).astype("<f4").view("<i4").astype(np.int64)
                data = _compressed(patterns, 32)
        return Notification(pmd.DATA, struct.pack("<BQB", measurement, stamp_ns, pmd.COMPRESSED | kind) + data)


def _compressed(values: NDArray[np.int64], bits: int) -> bytes:
    """Return the first sample and blocks of differences, each as wide as necessary."""
    first = b"".join(int(value).to_bytes(bits // 8, "little", signed=True) for value in values[0])
    differences = np.diff(values, axis=0)
    if bits == 32:  # differences of bit patterns are modulo 2³²
        differences = (differences + 2**31) % 2**32 - 2**31
    blocks = [differences[i : i + 10] for i in range(0, len(differences), 10)]
    return first + b"".join(_block(block.ravel(), len(block)) for block in blocks)


def _block(differences: NDArray[np.int64], count: int) -> bytes:
    width = 1 + max(int(value if value >= 0 else ~value).bit_length() for value in differences)
    whole = sum((int(value) & ((1 << width) - 1)) << (width * i) for i, value in enumerate(differences))
    return bytes((width, count)) + whole.to_bytes(-(-width * len(differences) // 8), "little")


# --- WitMotion --------------------------------------------------------------------------------------------------------

WIT_FACTORY_RATE_HZ = 10.0
PIPE_SIZE = 94
"""Bytes of one notification from the pipe: not a multiple of a frame."""
CENTIVOLTS = 391


class WitMotionTwin(StreamingTwin):
    """Twin of a WT901BLE: it streams once subscribed, at 10 Hz at first.

    The radio chip sends what the motion chip writes into a pipe: several frames in one notification, cut anywhere. The
    rate outlives a connection; the first battery reading is 0.
    """

    advertisement = Advertisement("WT901BLE68", (wit.SERVICE,))
    services = (
        Service(
            wit.SERVICE,
            (
                Characteristic(wit.NOTIFICATIONS, Property.NOTIFY),
                Characteristic(wit.COMMANDS, Property.WRITE | Property.WRITE_WITHOUT_RESPONSE),
            ),
        ),
    )
    motion = (wit.NOTIFICATIONS,)

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed)
        self._rate_wanted_hz = WIT_FACTORY_RATE_HZ
        self._pipe = b""
        self._battery_readings = 0

    def _wanted_rate_hz(self) -> float:
        return self._rate_wanted_hz

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Drop the bytes that an earlier subscription has left in the pipe."""
        self._pipe = b""
        super().subscribed(characteristic, on, now_s)

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Process a command."""
        if characteristic != wit.COMMANDS or len(payload) != 5 or payload[:2] != b"\xff\xaa":
            return
        register, value = payload[2], int.from_bytes(payload[3:], "little")
        rates = {code: rate for rate, code in wit.RATE_CODES.items()}
        if register == wit.RATE_REGISTER and value in rates:
            self._rate_wanted_hz = float(rates[value])
            self._go_on(now_s)
        elif register == wit.READ_REGISTER:
            self._battery_readings += 1
            content = CENTIVOLTS if value == wit.BATTERY_REGISTER and self._battery_readings > 1 else 0
            self._pipe += wit.REGISTERS + struct.pack("<9H", value, content, *(7 * (0,)))

    def _packets(self, measured: Measured) -> list[Notification]:
        force = counts(measured.acceleration_m_s2, wit.ACCELERATION_UNIT_M_S2)
        turn = counts(measured.angular_velocity_rad_s, wit.ANGULAR_VELOCITY_UNIT_RAD_S)
        for force_row, turn_row in zip(force, turn, strict=True):
            self._pipe += wit.MOTION + struct.pack("<9h", *force_row, *turn_row, 0, 0, 0)
        size = min(PIPE_SIZE, self._mtu - 3)
        pieces = [self._pipe[i : i + size] for i in range(0, len(self._pipe), size)]
        self._pipe = b""
        return [Notification(wit.NOTIFICATIONS, piece) for piece in pieces]
