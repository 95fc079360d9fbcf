"""Records of fixed layout: Info, Config, Status and Time sync."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from firmware_protocol.layout import Layout, Undecodable, as_f32, check_range

# --- Info -------------------------------------------------------------------------------------------------------------


INFO: Final = Layout(
    ("u8", "major"),
    ("u8", "minor"),
    ("u8", "most_samples_per_packet"),
    ("u8", "reserved"),
    ("u32", "capabilities"),
    ("u32", "buffer_samples"),
    ("u64", "boot_id"),
)


class Capabilities(IntFlag):
    """Abilities of the sensor; unknown bits are kept and ignored."""

    NONE = 0
    RESEND = 1
    COMPACT = 2
    TIME_SYNC = 4
    IDENTIFY = 8
    SLEEP = 16
    BATTERY = 32
    OPEN_LAB = 64
    """Built without encryption and pairing, for tests on a bench."""


@dataclass(frozen=True, slots=True)
class Info:
    """Properties of the sensor. Only `boot_id` changes from boot to boot.

    Attributes
    ----------
    major, minor : int
        Version of the protocol; u8.
    capabilities : Capabilities
        Abilities; u32.
    most_samples_per_packet : int
        Largest number of samples in a packet; u8.
    buffer_samples : int
        Number of samples kept for a resend; u32.
    boot_id : int
        Random at each boot; u64. Another one means that index, clock and epoch have restarted.
    """

    major: int
    minor: int
    capabilities: Capabilities
    most_samples_per_packet: int
    buffer_samples: int
    boot_id: int

    def __post_init__(self) -> None:
        """Check that the values fit into their fields."""
        object.__setattr__(self, "capabilities", Capabilities(self.capabilities))
        check_range("major", self.major, 8)
        check_range("minor", self.minor, 8)
        check_range("capabilities", int(self.capabilities), 32)
        check_range("most_samples_per_packet", self.most_samples_per_packet, 8)
        check_range("buffer_samples", self.buffer_samples, 32)
        check_range("boot_id", self.boot_id, 64)

    def encode(self) -> bytes:
        """Return the bytes of Info."""
        return INFO.pack(
            self.major,
            self.minor,
            self.most_samples_per_packet,
            0,
            self.capabilities,
            self.buffer_samples,
            self.boot_id,
        )


def decode_info(payload: bytes) -> Info | Undecodable:
    """Return the Info in `payload`, of any version: the caller compares `Info.major`."""
    if len(payload) < INFO.size:
        return Undecodable("too short", len(payload))
    major, minor, most_samples, _, capabilities, buffer_samples, boot_id = INFO.unpack(payload)
    return Info(major, minor, Capabilities(capabilities), most_samples, buffer_samples, boot_id)


# --- Config -----------------------------------------------------------------------------------------------------------


CONFIG: Final = Layout(
    ("u8", "epoch"),
    ("u8", "axis_frame"),
    ("u8", "filter_id"),
    ("u8", "reserved"),
    ("u16", "nominal_rate_dhz"),
    ("u16", "acceleration_range_g"),
    ("u16", "angular_velocity_range_dps"),
    ("u16", "calibration_id"),
    ("f32", "measured_rate_hz"),
    ("f32", "acceleration_scale_m_s2"),
    ("f32", "angular_velocity_scale_rad_s"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """Scales and rate of the samples of one epoch.

    Attributes
    ----------
    epoch : int
        Epoch of the configuration; u8.
    nominal_rate_hz : float
        Rate set in the motion chip, Hz; rounded to the 0.1 Hz in which it is sent.
    measured_rate_hz : float or None
        Rate measured against the sensor's clock, Hz, as f32; ``None`` (sent as 0) before the first measurement.
    acceleration_range_g : int
        Full scale, g; u16. For people: never compute a scale from it.
    angular_velocity_range_dps : int
        Full scale, degrees per second; u16. For people: ST's 2000 dps is 70 mdps per count, not 2000/32768.
    acceleration_scale_m_s2 : float
        m/s² per count, as f32.
    angular_velocity_scale_rad_s : float
        rad/s per count, as f32.
    axis_frame : int
        u8; 0: right-handed, the axes printed on the board; other values are reserved.
    filter_id : int
        u8; 0: the chip's default filter for this rate; other values belong to the firmware.
    calibration_id : int
        u16; 0: the chip's factory calibration; other values number a calibration of this specimen.

    Raises
    ------
    ValueError
        If a value does not fit into its field, or a rate or scale is not positive and finite.
    """

    epoch: int
    nominal_rate_hz: float
    measured_rate_hz: float | None
    acceleration_range_g: int
    angular_velocity_range_dps: int
    acceleration_scale_m_s2: float
    angular_velocity_scale_rad_s: float
    axis_frame: int = 0
    filter_id: int = 0
    calibration_id: int = 0

    def __post_init__(self) -> None:
        """Check the values and round them to the precision in which they are sent."""
        for name, bits in (("epoch", 8), ("axis_frame", 8), ("filter_id", 8), ("calibration_id", 16)):
            check_range(name, getattr(self, name), bits)
        check_range("acceleration_range_g", self.acceleration_range_g, 16)
        check_range("angular_velocity_range_dps", self.angular_velocity_range_dps, 16)
        object.__setattr__(self, "nominal_rate_hz", rate_from_dhz(rate_to_dhz(self.nominal_rate_hz)))
        for name in ("measured_rate_hz", "acceleration_scale_m_s2", "angular_velocity_scale_rad_s"):
            value = getattr(self, name)
            if value is None and name == "measured_rate_hz":
                continue
            object.__setattr__(self, name, as_f32(value))
            if not _is_positive(getattr(self, name)):
                raise ValueError(f"{name} must be positive and finite, got {value}")

    def encode(self) -> bytes:
        """Return the bytes of Config."""
        return CONFIG.pack(
            self.epoch,
            self.axis_frame,
            self.filter_id,
            0,
            rate_to_dhz(self.nominal_rate_hz),
            self.acceleration_range_g,
            self.angular_velocity_range_dps,
            self.calibration_id,
            self.measured_rate_hz or 0.0,
            self.acceleration_scale_m_s2,
            self.angular_velocity_scale_rad_s,
        )


def rate_to_dhz(rate_hz: float) -> int:
    """Return a nominal rate in tenths of Hz, as it is sent.

    Raises
    ------
    ValueError
        If it is below 0.1 Hz or above 6553.5 Hz.
    """
    dhz = round(rate_hz * 10) if math.isfinite(rate_hz) else 0
    if not 0 < dhz < 1 << 16:
        raise ValueError(f"a nominal rate must be from 0.1 to 6553.5 Hz, got {rate_hz}")
    return dhz


def rate_from_dhz(rate_dhz: int) -> float:
    """Return a nominal rate in Hz from tenths of Hz."""
    return rate_dhz / 10


def _is_positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def decode_config(payload: bytes) -> Config | Undecodable:
    """Return the Config in `payload`."""
    if len(payload) < CONFIG.size:
        return Undecodable("too short", len(payload))
    epoch, frame, filter_id, _, nominal_dhz, g, dps, calibration, measured_hz, acc, gyr = CONFIG.unpack(payload)
    if nominal_dhz == 0 or not (_is_positive(acc) and _is_positive(gyr)):
        return Undecodable("not a positive number", len(payload))
    if measured_hz != 0 and not _is_positive(measured_hz):
        return Undecodable("not a positive number", len(payload))
    nominal_hz = rate_from_dhz(nominal_dhz)
    return Config(epoch, nominal_hz, measured_hz or None, g, dps, acc, gyr, frame, filter_id, calibration)


# --- Status -----------------------------------------------------------------------------------------------------------


STATUS: Final = Layout(
    ("u8", "faults"),
    ("i8", "rssi_dbm"),
    ("u16", "battery_mv"),
    ("i16", "temperature_cdeg"),
    ("u16", "queue_high_water_samples"),
    ("u32", "samples_dropped"),
    ("u32", "samples_lost"),
    ("u32", "uptime_s"),
)

RSSI_UNKNOWN: Final = 127
TEMPERATURE_UNKNOWN: Final = -32768


class Faults(IntFlag):
    """Faults inside the sensor; unknown bits are kept and ignored."""

    NONE = 0
    SENSOR_SILENT = 1
    """The motion chip does not answer, or gives no samples."""
    FIFO_OVERRUN = 2
    """The motion chip's FIFO has overrun since boot: `Status.samples_lost` is the number of samples."""
    STORAGE = 4
    """Bonds cannot be stored: the next connection needs pairing again."""


@dataclass(frozen=True, slots=True)
class Status:
    """State of the sensor.

    Attributes
    ----------
    faults : Faults
        Faults; u8.
    rssi_dbm : int or None
        Signal strength at the sensor, dBm; i8, ``None`` (sent as 127) if unknown.
    battery_mv : int or None
        Battery, mV; u16, ``None`` (sent as 0) if unknown.
    temperature_deg_c : float or None
        Of the motion chip, °C, in steps of 0.01; ``None`` (sent as -32768) if unknown.
    queue_high_water_samples : int
        Largest number of samples that waited for the radio in this epoch; u16, at most 65535.
    samples_dropped : int
        Samples that the live stream has skipped since boot because the radio was slow; u32. They can still be resent.
    samples_lost : int
        Samples since boot that the motion chip measured and the firmware did not read in time; u32. They never come.
    uptime_s : int
        Seconds since boot; u32.
    """

    faults: Faults
    rssi_dbm: int | None
    battery_mv: int | None
    temperature_deg_c: float | None
    queue_high_water_samples: int
    samples_dropped: int
    samples_lost: int
    uptime_s: int

    def __post_init__(self) -> None:
        """Check that the values fit into their fields."""
        object.__setattr__(self, "faults", Faults(self.faults))
        check_range("faults", int(self.faults), 8)
        if self.rssi_dbm is not None and not -128 <= self.rssi_dbm < RSSI_UNKNOWN:
            raise ValueError(f"rssi_dbm must be from -128 to {RSSI_UNKNOWN - 1}, got {self.rssi_dbm}")
        if self.battery_mv is not None and not 0 < self.battery_mv < 1 << 16:
            raise ValueError(f"battery_mv must be from 1 to 65535, got {self.battery_mv}")
        if self.temperature_deg_c is not None:
            hundredths = round(self.temperature_deg_c * 100)
            if not TEMPERATURE_UNKNOWN < hundredths < 1 << 15:
                raise ValueError(f"temperature_deg_c must be from -327.67 to 327.67, got {self.temperature_deg_c}")
            object.__setattr__(self, "temperature_deg_c", hundredths / 100)
        check_range("queue_high_water_samples", self.queue_high_water_samples, 16)
        check_range("samples_dropped", self.samples_dropped, 32)
        check_range("samples_lost", self.samples_lost, 32)
        check_range("uptime_s", self.uptime_s, 32)

    def encode(self) -> bytes:
        """Return the bytes of Status."""
        temperature = self.temperature_deg_c
        return STATUS.pack(
            self.faults,
            RSSI_UNKNOWN if self.rssi_dbm is None else self.rssi_dbm,
            self.battery_mv or 0,
            TEMPERATURE_UNKNOWN if temperature is None else round(temperature * 100),
            self.queue_high_water_samples,
            self.samples_dropped,
            self.samples_lost,
            self.uptime_s,
        )


def decode_status(payload: bytes) -> Status | Undecodable:
    """Return the Status in `payload`."""
    if len(payload) < STATUS.size:
        return Undecodable("too short", len(payload))
    faults, rssi, battery, temperature, high_water, dropped, lost, uptime = STATUS.unpack(payload)
    return Status(
        Faults(faults),
        None if rssi == RSSI_UNKNOWN else rssi,
        battery or None,
        None if temperature == TEMPERATURE_UNKNOWN else temperature / 100,
        high_water,
        dropped,
        lost,
        uptime,
    )


# --- Time sync --------------------------------------------------------------------------------------------------------


TIME_SYNC: Final = Layout(
    ("u8", "version"),
    ("u8", "op"),
    ("u16", "sequence"),
    ("u64", "host_sent_us"),
    ("u64", "device_received_us"),
    ("u64", "device_sent_us"),
)


TIME_SYNC_VERSION = 1


class TimeSyncOp(IntEnum):
    """Sender of a time sync."""

    REQUEST = 1
    """Host to sensor; both device times are 0."""
    REPLY = 2
    """Sensor to host: the request's `sequence` and `host_sent_us`, with both device times."""


_TIME_SYNC_OPS: Final = {op.value: op for op in TimeSyncOp}


@dataclass(frozen=True, slots=True)
class TimeSync:
    """One exchange of time stamps.

    Attributes
    ----------
    op : TimeSyncOp
        Sender.
    sequence : int
        u16, chosen by the host.
    host_sent_us : int
        Time of the request on any clock of the host, µs; u64. The sensor only sends it back.
    device_received_us, device_sent_us : int
        Times of the request and of the reply on the clock of the samples, µs; u64.
    """

    op: TimeSyncOp
    sequence: int
    host_sent_us: int
    device_received_us: int = 0
    device_sent_us: int = 0

    def __post_init__(self) -> None:
        """Check that the values fit into their fields."""
        object.__setattr__(self, "op", TimeSyncOp(self.op))
        check_range("sequence", self.sequence, 16)
        for name in ("host_sent_us", "device_received_us", "device_sent_us"):
            check_range(name, getattr(self, name), 64)

    def round_trip_us(self, host_received_us: int) -> int:
        """Return the time on the air and in queues, µs.

        The reply came at `host_received_us`.
        """
        return (host_received_us - self.host_sent_us) - (self.device_sent_us - self.device_received_us)

    def offset_us(self, host_received_us: int) -> float:
        """Return device time less host time, µs, if both ways took equally long.

        The error is at most half of :meth:`round_trip_us`.
        """
        there_us = self.device_received_us - self.host_sent_us
        back_us = self.device_sent_us - host_received_us
        return (there_us + back_us) / 2

    def encode(self) -> bytes:
        """Return the bytes of the time sync."""
        return TIME_SYNC.pack(
            TIME_SYNC_VERSION,
            self.op,
            self.sequence,
            self.host_sent_us,
            self.device_received_us,
            self.device_sent_us,
        )


def decode_time_sync(payload: bytes) -> TimeSync | Undecodable:
    """Return the time sync in `payload`."""
    if len(payload) < TIME_SYNC.size:
        return Undecodable("too short", len(payload))
    version, op_number, sequence, sent, device_received, device_sent = TIME_SYNC.unpack(payload)
    if version != TIME_SYNC_VERSION:
        return Undecodable(f"unknown version {version}", len(payload))
    op = _TIME_SYNC_OPS.get(op_number)
    if op is None:
        return Undecodable(f"unknown type {op_number}", len(payload))
    return TimeSync(op, sequence, sent, device_received, device_sent)
