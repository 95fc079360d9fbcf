"""Movella (Xsens) DOT: one sample a notification, stamped in µs, at up to 60 Hz.

The driver requests payload mode 21 (acceleration with gravity and angular velocity in the sensor's frame) and also
decodes mode 26, which adds an attitude. The "free acceleration" of other modes lacks gravity and is not usable here.
Angular velocity is read as °/s, as the vendor's server does; the manual can be read as rad/s. Samples are not numbered:
a loss shows as a step in time. Ranges are fixed at ±16 g and ±2000 °/s.

Bytes: xsens/xsens_dot_server, manual XD0502P.
"""

from __future__ import annotations

from dataclasses import dataclass

from imu.samples import Array
from imu.sensors.clocks import PacketClock, StampFormat
from imu.sensors.conversation import Action, Advertisement, Battery, Heard, Read, Refused, Subscribe, Write
from imu.sensors.driver import (
    RAD_S_PER_DPS,
    Connection,
    Nameplate,
    Result,
    float32_triples,
    malformed,
    stamped,
    streaming_kind,
)


def _uuid(number: int) -> str:
    return f"1517{number:04x}-4947-11e9-8646-d663bd873d93"


CONFIGURATION_SERVICE, DEVICE_INFO, DEVICE_CONTROL = _uuid(0x1000), _uuid(0x1001), _uuid(0x1002)
MEASUREMENT_SERVICE, CONTROL, LONG_PAYLOAD, MEDIUM_PAYLOAD = (_uuid(0x2000 + i) for i in range(4))
BATTERY_SERVICE, BATTERY = _uuid(0x3000), _uuid(0x3001)

RATE_QUANTITIES, CUSTOM_5 = 21, 26
_MODES = {RATE_QUANTITIES: (28, 4), CUSTOM_5: (44, 20)}  # size and offset of the acceleration
_MODE_OF = {MEDIUM_PAYLOAD: RATE_QUANTITIES, LONG_PAYLOAD: CUSTOM_5}

RATES_HZ = (20, 30, 60)
"""The usable real-time rates; 120 Hz is for recording on the sensor only."""
STAMPS = StampFormat(bits=32, tick_s=1e-6)
DEVICE_INFO_SIZE, DEVICE_CONTROL_SIZE = 34, 32


def start_command(mode: int) -> bytes:
    """Return the command that starts measuring."""
    return bytes((1, 1, mode))


def stop_command(mode: int) -> bytes:
    """Return the command that stops measuring."""
    return bytes((1, 0, mode))


def rate_command(rate_hz: int) -> bytes:
    """Return the command that sets the output rate only."""
    set_output_rate = 0x10
    return bytes((set_output_rate,)) + bytes(23) + rate_hz.to_bytes(2, "little") + bytes(6)


def decode_rate_hz(device_control: bytes) -> int | None:
    """Return the output rate in the sensor's settings; ``None`` for other bytes."""
    return int.from_bytes(device_control[24:26], "little") if len(device_control) == DEVICE_CONTROL_SIZE else None


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """One sample, each quantity (1, 3).

    The time is in µs modulo 2³², the quantities are in m/s² and °/s.
    """

    stamp_us: int
    acceleration_m_s2: Array
    angular_velocity_dps: Array


def decode_measurement(mode: int, payload: bytes) -> Measurement | None:
    """Return the sample of payload mode 21 or 26; ``None`` for other bytes."""
    size, at = _MODES[mode]
    if len(payload) != size:
        return None
    stamp_us = int.from_bytes(payload[:4], "little")
    return Measurement(stamp_us, float32_triples(payload[at : at + 12]), float32_triples(payload[at + 12 : at + 24]))


class MovellaDotConnection(Connection):
    """Stop, set the rate, read it back, start."""

    def __init__(self, wished_rate_hz: float, nameplate: Nameplate) -> None:
        self._rate_hz = min((rate for rate in RATES_HZ if rate >= 0.95 * wished_rate_hz), default=max(RATES_HZ))
        self._nameplate = nameplate
        self._clock = PacketClock(STAMPS, self._rate_hz)
        self._is_started = False

    @property
    def sampling_rate_hz(self) -> float:
        """The rate that was read back."""
        return float(self._rate_hz)

    def begin(self) -> tuple[Action, ...]:
        """Subscribe, and set the rate while the sensor does not measure."""
        return (
            Subscribe(MEDIUM_PAYLOAD),
            Subscribe(LONG_PAYLOAD, required=False),
            Subscribe(BATTERY, required=False),
            Read(BATTERY, required=False),
            Read(DEVICE_INFO, required=False),
            Write(CONTROL, stop_command(RATE_QUANTITIES)),
            Write(DEVICE_CONTROL, rate_command(self._rate_hz)),
            Read(DEVICE_CONTROL),
        )

    def stop(self) -> tuple[Action, ...]:
        """Stop measuring."""
        return (Write(CONTROL, stop_command(RATE_QUANTITIES)),)

    def hear(self, heard: Heard) -> Result:
        """Process a sample, or the content of a characteristic that was read."""
        if heard.characteristic in _MODE_OF:
            return self._hear_sample(_MODE_OF[heard.characteristic], heard.payload)
        if heard.characteristic == DEVICE_CONTROL:
            return self._hear_rate(heard.payload)
        if heard.characteristic == BATTERY and len(heard.payload) >= 1 and heard.payload[0] <= 100:
            return Result(notices=(Battery(float(heard.payload[0])),))
        if heard.characteristic == DEVICE_INFO and len(heard.payload) == DEVICE_INFO_SIZE:
            self._nameplate.firmware = ".".join(str(part) for part in heard.payload[6:9])
            self._nameplate.serial = f"{int.from_bytes(heard.payload[20:28], 'little'):012X}"
        return Result()

    def _hear_rate(self, payload: bytes) -> Result:
        """Use the rate that was read back, and start."""
        rate_hz = decode_rate_hz(payload)
        if rate_hz is None:
            return malformed(payload, "no device settings")
        if self._is_started:
            return Result()
        if rate_hz < min(RATES_HZ):
            sentence = (
                f"The Movella DOT stays at {rate_hz} Hz, too slow to count: switch it off, on, and connect again."
            )
            return Result(notices=(Refused(sentence),))
        self._is_started = True
        self._rate_hz = rate_hz
        self._clock = PacketClock(STAMPS, self._rate_hz)
        return Result(actions=(Write(CONTROL, start_command(RATE_QUANTITIES)),))

    def _hear_sample(self, mode: int, payload: bytes) -> Result:
        if not self._is_started:  # the sensor still measures for an earlier program, at another rate
            return Result()
        measurement = decode_measurement(mode, payload)
        if measurement is None:
            return malformed(payload, "no sample of the requested mode")
        acceleration_m_s2 = measurement.acceleration_m_s2
        angular_velocity_rad_s = measurement.angular_velocity_dps * RAD_S_PER_DPS
        return stamped(self._clock, measurement.stamp_us, acceleration_m_s2, angular_velocity_rad_s, len(payload))


def recognises(advertisement: Advertisement) -> bool:
    """Return whether the sensor is a DOT.

    Older ones have the name Xsens.
    """
    return (advertisement.name or "").startswith(("Xsens DOT", "Movella DOT"))


MOVELLA_DOT = streaming_kind("movella_dot", "Movella DOT (Xsens DOT)", recognises, MovellaDotConnection, "Movella DOT")
