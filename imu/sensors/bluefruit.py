"""Adafruit's Bluefruit service (CLUE, Feather Sense): two streams of floats.

Each stream is a service of its own with its own measurement period, which is one second until it is set. Both periods
have the same UUID, so their address is ``service/characteristic``.

Bytes: adafruit/Adafruit_CircuitPython_BLE_Adafruit.
"""

from __future__ import annotations

import struct

from imu.samples import Array
from imu.sensors.clocks import ArrivalClock, Timed
from imu.sensors.conversation import (
    Action,
    Advertisement,
    Caution,
    Heard,
    Notice,
    SamplesLost,
    Subscribe,
    Write,
)
from imu.sensors.driver import (
    Connection,
    Result,
    Samples,
    float32_triples,
    is_possible_acceleration,
    is_possible_angular_velocity,
    malformed,
    streaming_kind,
    unprovable,
)
from imu.sensors.sample_order import TwoStreams


def _uuid(number: int) -> str:
    return f"adaf{number:04x}-c332-42a8-93bd-25e905756cb8"


TITLE = "Adafruit CLUE or Feather Sense"
ACCELERATION_SERVICE, ACCELERATION = _uuid(0x0200), _uuid(0x0201)
ANGULAR_VELOCITY_SERVICE, ANGULAR_VELOCITY = _uuid(0x0400), _uuid(0x0401)
PERIOD = _uuid(0x0001)
COMPANY = 0x0822

PERIOD_MS = 20
"""The Python program on the board does not reach much more than 50 Hz."""
SAMPLE_SIZE = 12


def in_service(service: str, characteristic: str) -> str:
    """Return the address of a characteristic whose UUID occurs in several services."""
    return f"{service}/{characteristic}"


def period_command(period_ms: int) -> bytes:
    """Return the command for the time between two samples."""
    return struct.pack("<i", period_ms)


def decode_sample(payload: bytes) -> Array | None:
    """Return the sample, (1, 3), in m/s² or rad/s; ``None`` for other bytes."""
    return float32_triples(payload) if len(payload) == SAMPLE_SIZE else None


class BluefruitConnection(Connection):
    """Set both periods, subscribe to both streams, join them."""

    def __init__(self) -> None:
        rate_hz = 1000.0 / PERIOD_MS
        self._clocks = {ACCELERATION: ArrivalClock(rate_hz), ANGULAR_VELOCITY: ArrivalClock(rate_hz)}
        self._streams: TwoStreams | None = None

    @property
    def sampling_rate_hz(self) -> float:
        """Rate of the acceleration, estimated from arrivals."""
        return self._clocks[ACCELERATION].sampling_rate_hz

    def begin(self) -> tuple[Action, ...]:
        """Set the periods before subscribing.

        The rate is estimated from the start of the stream.
        """
        services = (ACCELERATION_SERVICE, ANGULAR_VELOCITY_SERVICE)
        periods = (Write(in_service(service, PERIOD), period_command(PERIOD_MS)) for service in services)
        return *periods, Subscribe(ACCELERATION), Subscribe(ANGULAR_VELOCITY)

    def finish(self) -> Result:
        """Return the samples that still wait."""
        parts = [self._timed(stream, clock.finish()) for stream, clock in self._clocks.items()]
        samples = tuple(each for part in parts for each in part.samples)
        return Result(samples, (), tuple(each for part in parts for each in part.notices))

    def hear(self, heard: Heard) -> Result:
        """Process a sample of one stream."""
        if heard.characteristic not in self._clocks:
            return Result()
        sample = decode_sample(heard.payload)
        is_acceleration = heard.characteristic == ACCELERATION
        is_possible = is_possible_acceleration if is_acceleration else is_possible_angular_velocity
        if sample is None or not is_possible(sample):
            return malformed(heard.payload, "no sample, or values beyond the sensor's range")
        return self._timed(heard.characteristic, self._clocks[heard.characteristic].push(sample, heard.received_s))

    def _timed(self, stream: str, timed: list[Timed]) -> Result:
        """Join the rows that have got their times."""
        if not timed:
            return Result()
        notices: list[Notice] = []
        samples: list[Samples] = []
        if self._streams is None:  # one loop on the board paces both streams
            self._streams = TwoStreams(1.0 / self._clocks[stream].sampling_rate_hz)
            notices.append(Caution(unprovable(TITLE)))
        is_acceleration = stream == ACCELERATION
        push = self._streams.push_acceleration if is_acceleration else self._streams.push_angular_velocity
        for each in timed:
            joined = push(each.time_s, each.rows)
            if joined.lost or each.is_after_hole:
                notices.append(SamplesLost(None))
            rows = joined.time_s, joined.acceleration, joined.angular_velocity
            samples.append(Samples(*rows, received_s=each.received_s))
        return Result(tuple(samples), (), tuple(notices))


def recognises(advertisement: Advertisement) -> bool:
    """Return whether the sensor runs the Bluefruit firmware.

    The acceleration service is always among the advertised ones.
    """
    is_adafruit = COMPANY in advertisement.manufacturer_data
    name = advertisement.name or ""
    return ACCELERATION_SERVICE in advertisement.services or (
        is_adafruit and name.startswith(("CLUE", "Sense", "Bluefruit"))
    )


BLUEFRUIT = streaming_kind("bluefruit", TITLE, recognises, lambda _wished_rate_hz, _nameplate: BluefruitConnection())
