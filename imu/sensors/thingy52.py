"""Nordic Thingy:52: raw motion in fixed-point numbers, without time or number.

The motion rate is part of the sensor's configuration; its other fields stay unchanged. At any rate that is set, no more
than 50 to 70 Hz arrives, so the driver requests 50 Hz.

Bytes: NordicSemiconductor/Nordic-Thingy52-FW.
"""

from __future__ import annotations

import numpy as np

from imu.samples import Array
from imu.sensors.conversation import Action, Advertisement, Heard, Read, Subscribe, Write
from imu.sensors.driver import (
    M_S2_PER_G,
    RAD_S_PER_DPS,
    Connection,
    Result,
    UntimedSamples,
    int16_triples,
    is_possible_acceleration,
    is_possible_angular_velocity,
    malformed,
    streaming_kind,
)


def _uuid(number: int) -> str:
    return f"ef68{number:04x}-9b35-4933-9b10-52ffa9740042"


TITLE = "Nordic Thingy:52"
CONFIGURATION_SERVICE, MOTION_SERVICE = _uuid(0x0100), _uuid(0x0400)
CONFIGURATION, RAW_MOTION = _uuid(0x0401), _uuid(0x0406)

CONFIGURATION_SIZE, RATE_AT = 9, slice(6, 8)
RAW_SIZE = 18
ASKED_RATE_HZ = 50
ACCELERATION_UNIT_M_S2 = M_S2_PER_G / 1024  # 6 integer and 10 fractional bits
ANGULAR_VELOCITY_UNIT_RAD_S = RAD_S_PER_DPS / 32  # 11 and 5
MAGNETIC_FIELD_UNIT_UT = 1 / 16  # 12 and 4


def with_rate(configuration: bytes, rate_hz: int) -> bytes:
    """Return the motion configuration with another rate."""
    return configuration[: RATE_AT.start] + rate_hz.to_bytes(2, "little") + configuration[RATE_AT.stop :]


def decode_raw_motion(payload: bytes) -> tuple[Array, Array, Array] | None:
    """Return acceleration, angular velocity and magnetic field, each (3,).

    In m/s², rad/s and µT.
    """
    if len(payload) != RAW_SIZE:
        return None
    acceleration, angular_velocity, magnetic_field = int16_triples(payload)
    return (
        acceleration * ACCELERATION_UNIT_M_S2,
        angular_velocity * ANGULAR_VELOCITY_UNIT_RAD_S,
        magnetic_field * MAGNETIC_FIELD_UNIT_UT,
    )


class Thingy52Connection(Connection):
    """Read the configuration, write it back with our rate, subscribe."""

    def __init__(self) -> None:
        self._samples = UntimedSamples(TITLE, ASKED_RATE_HZ)

    @property
    def sampling_rate_hz(self) -> float:
        """Rate estimated from arrivals."""
        return self._samples.sampling_rate_hz

    @property
    def scales(self) -> tuple[float, float]:
        """Scales of the fixed-point formats."""
        return ACCELERATION_UNIT_M_S2, ANGULAR_VELOCITY_UNIT_RAD_S

    def begin(self) -> tuple[Action, ...]:
        """Read the configuration first.

        Subscribing starts the stream at the rate set so far.
        """
        return (Read(CONFIGURATION),)

    def finish(self) -> Result:
        """Return the samples that still wait."""
        return self._samples.finish()

    def hear(self, heard: Heard) -> Result:
        """Process the configuration or a sample."""
        if heard.characteristic == CONFIGURATION:
            if len(heard.payload) != CONFIGURATION_SIZE:
                return malformed(heard.payload, "no motion configuration")
            configuration = with_rate(heard.payload, ASKED_RATE_HZ)
            return Result(actions=(Write(CONFIGURATION, configuration), Subscribe(RAW_MOTION)))
        if heard.characteristic != RAW_MOTION:
            return Result()
        decoded = decode_raw_motion(heard.payload)
        if decoded is None:
            return malformed(heard.payload, "no sample of raw motion")
        acceleration, angular_velocity, _ = decoded
        if not (is_possible_acceleration(acceleration) and is_possible_angular_velocity(angular_velocity)):
            return malformed(heard.payload, "values beyond the sensor's range")
        return self._samples.push(np.concatenate((acceleration, angular_velocity))[None], heard.received_s)


def recognises(advertisement: Advertisement) -> bool:
    """Return whether the sensor is a Thingy:52; its owner may have renamed it."""
    return CONFIGURATION_SERVICE in advertisement.services


THINGY52 = streaming_kind("thingy52", TITLE, recognises, lambda _wished_rate_hz, _nameplate: Thingy52Connection())
