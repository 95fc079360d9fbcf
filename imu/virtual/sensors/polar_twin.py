"""A virtual Polar Verity Sense: control point, SDK mode, two compressed streams.

Older firmware (even seeds) counts in fractions of g and sends the factor when a stream starts. Newer firmware (odd
seeds) sends acceleration in thousandths of g and angular velocity as floats. Streams end with the connection; SDK mode
stays on.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from imu.samples import Array, ImuBlock
from imu.sensors import polar as pmd
from imu.sensors.conversation import Advertisement
from imu.sensors.driver import M_S2_PER_G, RAD_S_PER_DPS, full_uuid
from imu.sensors.polar import Measurement, Op, Setting
from imu.virtual.sensors.twin import (
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

CLOCK_S = 600_000_000.0  # early 2019, a clock that was never set
FEATURES = bytes((pmd.FEATURES, 0x6E)) + bytes(15)
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
    """Twin of a Verity Sense."""

    def __init__(self, signal: ImuBlock, seed: int) -> None:
        super().__init__(signal, seed, CLOCK_S)
        self._is_newer = bool(seed % 2)
        control = Characteristic(pmd.CONTROL_POINT, Property.READ | Property.WRITE | Property.INDICATE)
        self._services = (
            Service(pmd.SERVICE, (control, Characteristic(pmd.DATA, Property.NOTIFY))),
            device_information(self, "Polar Sense", "A1B2C3D4", "2.2.7" if self._is_newer else "1.1.5"),
            battery(self, 64),
        )
        self.values[pmd.CONTROL_POINT] = FEATURES
        self._is_in_sdk_mode = False
        self._factors: dict[Measurement, float] = {}  # of the streams that run
        self._gathered = {measurement: Gathered() for measurement in RANGES}

    @property
    def advertisement(self) -> Advertisement:
        """The name and the company."""
        return Advertisement("Polar Sense A1B2C3D4", (full_uuid(0x180D),), {0x006B: b"\x72\x08"})

    @property
    def services(self) -> tuple[Service, ...]:
        """PMD, device information, battery."""
        return self._services

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
        chosen = pmd.decode_settings(settings)
        offered = pmd.decode_settings(self._settings(measurement)) or {}
        if chosen is None or any(set(values) - set(offered.get(kind, ())) for kind, values in chosen.items()):
            return INVALID_PARAMETER, b""
        if measurement in self._factors:
            return ALREADY_IN_STATE, b""
        (full_range,) = chosen[Setting.RANGE]
        factor = float(np.float32(1.0 if self._is_newer else full_range / 32768.0))
        self._factors[measurement] = factor
        self._gathered[measurement].clear()
        if not self.is_streaming:
            self._start_stream(now_s, chosen[Setting.RATE_HZ][0])
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
