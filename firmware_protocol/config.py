"""Config: how the samples of one epoch are measured. This module refuses to know the samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from firmware_protocol.layout import Layout, Undecodable, as_f32, check_range

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
    """How the samples of one epoch are measured.

    Attributes
    ----------
    epoch : int
        The epoch that it holds for; u8.
    nominal_rate_hz : float
        Rate set in the motion chip, Hz; rounded to the 0.1 Hz in which it is sent.
    measured_rate_hz : float or None
        Rate measured against the sensor's clock, Hz, as f32; ``None`` (0 on the wire) until there is one.
    acceleration_range_g : int
        Full scale, g; u16. For people: never compute a scale from it.
    angular_velocity_range_dps : int
        Full scale, degrees per second; u16. For people: ST's 2000 dps is 70 mdps a count, not 2000/32768.
    acceleration_scale_m_s2 : float
        m/s² per count, as f32.
    angular_velocity_scale_rad_s : float
        rad/s per count, as f32.
    axis_frame : int
        u8; 0: right-handed, the axes printed on the board; others are reserved.
    filter_id : int
        u8; 0: the chip's own default filter for this rate; others are the firmware's.
    calibration_id : int
        u16; 0: the chip's factory calibration; others number a calibration of this specimen.

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
        """Check the values and round them to what goes over the air."""
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


def rate_to_dhz(rate_hz: float) -> int:
    """Return a nominal rate in tenths of Hz, as it goes over the air.

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


def encode_config(config: Config) -> bytes:
    """Return the bytes of Config."""
    return CONFIG.pack(
        config.epoch,
        config.axis_frame,
        config.filter_id,
        0,
        rate_to_dhz(config.nominal_rate_hz),
        config.acceleration_range_g,
        config.angular_velocity_range_dps,
        config.calibration_id,
        config.measured_rate_hz or 0.0,
        config.acceleration_scale_m_s2,
        config.angular_velocity_scale_rad_s,
    )


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
