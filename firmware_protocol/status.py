"""Status: how the sensor is just now. This module refuses to know what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from firmware_protocol.layout import Layout, Undecodable, check_range

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
    """What is wrong inside the sensor; bits unknown here are kept and mean nothing."""

    NONE = 0
    SENSOR_SILENT = 1
    """The motion chip does not answer, or gives no samples."""
    FIFO_OVERRUN = 2
    """The motion chip's FIFO has overrun since boot: `Status.samples_lost` says how many samples."""
    STORAGE = 4
    """Bonds cannot be kept: pairing will be needed again."""


@dataclass(frozen=True, slots=True)
class Status:
    """How the sensor is.

    Attributes
    ----------
    faults : Faults
        What is wrong; u8.
    rssi_dbm : int or None
        Strength of the radio as the sensor hears it, dBm; i8, ``None`` (127 on the wire) if unknown.
    battery_mv : int or None
        Battery, mV; u16, ``None`` (0 on the wire) if unknown.
    temperature_deg_c : float or None
        Of the motion chip, °C, in steps of 0.01; ``None`` (-32768 on the wire) if unknown.
    queue_high_water_samples : int
        Most samples that ever waited to be sent in this epoch; u16, stays at its end.
    samples_dropped : int
        Samples skipped by the live stream since boot because the radio was slow; u32. They can still be resent.
    samples_lost : int
        Samples since boot that the motion chip measured and nobody read in time; u32. They never come.
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


def encode_status(status: Status) -> bytes:
    """Return the bytes of Status."""
    temperature = status.temperature_deg_c
    return STATUS.pack(
        status.faults,
        RSSI_UNKNOWN if status.rssi_dbm is None else status.rssi_dbm,
        status.battery_mv or 0,
        TEMPERATURE_UNKNOWN if temperature is None else round(temperature * 100),
        status.queue_high_water_samples,
        status.samples_dropped,
        status.samples_lost,
        status.uptime_s,
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
