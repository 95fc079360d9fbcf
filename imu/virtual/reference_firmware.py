"""The inside of the virtual reference sensor: boots, epochs, samples, requests.

The virtual counterpart of ``firmware_protocol/PROTOCOL.md``, without packets and Bluetooth. The time is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

import firmware_protocol as protocol
from firmware_protocol import Answer, AnswerStatus, Capabilities, Config, Faults, Fields, Info, Op, Request, Status
from imu.samples import ImuBlock
from imu.virtual.reference_chip import (
    RATES_HZ,
    ChipSettings,
    Cursor,
    DeviceClock,
    Measurement,
    SampleRing,
    nearest_settings,
)
from imu.virtual.twin import WornSignal

USUAL_RATE_HZ = 104.0
"""Rate until the first SET_CONFIG; without it among the chip's rates, the first of them."""
LIVE_QUEUE_S = 2.0
"""The live stream skips samples that have waited longer for the radio, s."""
MEASURED_AFTER_S = 5.0
"""Time in an epoch after which the measured rate is available, s."""
ALONE_S = 600.0
"""A sensor without a connection stops measuring after this time, s."""
MOST_SAMPLES_PER_PACKET = 20
LOW_BATTERY_PERCENT = 10
WAKING_RAD_S = 0.5
"""An angular velocity that wakes a sleeping sensor, rad/s."""
_CAPABILITIES = (
    Capabilities.RESEND
    | Capabilities.COMPACT
    | Capabilities.TIME_SYNC
    | Capabilities.IDENTIFY
    | Capabilities.SLEEP
    | Capabilities.BATTERY
    | Capabilities.OPEN_LAB
)


@dataclass(frozen=True, slots=True)
class ReferenceParameters:
    """Properties of one virtual sensor.

    Attributes
    ----------
    rates_hz : tuple of float
        Nominal rates of its chip, Hz.
    rate_error : float or None
        Relative excess of the chip's rate over the nominal one; ``None`` draws it (up to 1.5 %).
    drift_ppm : float or None
        Relative excess of its clock's speed, parts per million; ``None`` draws it (about 20).
    clock_s : float
        Time on its clock at the first event, s.
    buffer_samples : int
        Number of samples that it keeps: 78 s at 208 Hz.
    battery_percent : int
        Charge of its battery.
    """

    rates_hz: tuple[float, ...] = RATES_HZ
    rate_error: float | None = None
    drift_ppm: float | None = None
    clock_s: float = 12.5
    buffer_samples: int = 16_384
    battery_percent: int = 87

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        ValueError
            If one is out of range.
        """
        if not self.rates_hz or not all(0.1 <= rate <= 6553.5 for rate in self.rates_hz):
            raise ValueError(f"rates_hz must be one or more rates of 0.1 to 6553.5 Hz, got {self.rates_hz}")
        if not 0 <= self.battery_percent <= 100:
            raise ValueError(f"battery_percent must be 0 to 100, got {self.battery_percent}")
        if self.buffer_samples < 1:
            raise ValueError(f"buffer_samples must be at least 1, got {self.buffer_samples}")


class ReferenceFirmware:
    """The inside of one sensor.

    Parameters
    ----------
    signal : ImuBlock
        Movement to measure, from the first START on; afterwards the person stands still.
    seed : int
        Seed of boot ids, epochs and, unless given, the errors of its clocks.
    parameters : ReferenceParameters
        Properties of the sensor.
    """

    def __init__(self, signal: ImuBlock, seed: int, parameters: ReferenceParameters) -> None:
        rng = np.random.default_rng([seed, 0x5E15])
        drawn_error, drawn_drift = float(rng.uniform(-0.015, 0.015)), float(rng.normal(0, 20))
        self._rng = rng
        self._parameters = parameters
        self._rate_error = drawn_error if parameters.rate_error is None else parameters.rate_error
        self._drift_ppm = drawn_drift if parameters.drift_ppm is None else parameters.drift_ppm
        self._worn = WornSignal(signal)
        self._worn_since_s: float | None = None
        self._clock: DeviceClock | None = None
        self.ring = SampleRing(parameters.buffer_samples)
        self.live: Cursor | None = None
        """Position of the live stream; ``None`` without a subscription."""
        self.resend: Cursor | None = None
        """Position of a resend; ``None`` without one."""
        self.battery_percent = parameters.battery_percent
        """Charge of the battery; may be set."""
        self.chip_answers = True
        """Whether the motion chip responds; may be set."""
        self._begin_boot()

    def _begin_boot(self) -> None:
        self.boot_id = int(self._rng.integers(1, 1 << 64, dtype=np.uint64))
        usual_hz = USUAL_RATE_HZ if USUAL_RATE_HZ in self._parameters.rates_hz else self._parameters.rates_hz[0]
        self.settings = ChipSettings(usual_hz)
        self.epoch = int(self._rng.integers(256))
        self.asleep = False
        self.identified = 0
        """Number of IDENTIFY requests since boot."""
        self.host_time: tuple[int, int] | None = None
        """The host's time of day, µs since 1970, and the device time of its arrival, µs."""
        self._samples_dropped = 0
        self._samples_lost = 0
        self._to_lose = 0
        self._measurement: Measurement | None = None
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.epoch = (self.epoch + 1) % 256
        self.ring.clear()
        self.live = None if self.live is None else Cursor(0)
        self.resend = None
        self._queue_high_water = 0  # samples

    # --- time -------------------------------------------------------------------------------------------------------

    def reboot(self, now_s: float) -> None:
        """Boot: a new boot id, a clock from 0, no samples."""
        self._clock = DeviceClock(now_s, self._drift_ppm)
        self.live = None
        self._begin_boot()

    def clock(self, now_s: float) -> DeviceClock:
        """Return the sensor's clock, which starts at the first call."""
        if self._clock is None:
            self._clock = DeviceClock(now_s, self._drift_ppm, self._parameters.clock_s)
        return self._clock

    def time_us(self, index: int) -> int:
        """Return the device time of a sample of this epoch, µs."""
        if self._measurement is None or self._clock is None:
            return 0
        return self._clock.microseconds(self._measurement.time_s(index))

    @property
    def measuring(self) -> bool:
        """Whether the sensor measures."""
        return self._measurement is not None and math.isinf(self._measurement.until_s)

    def disconnected(self, now_s: float) -> None:
        """Stop sending, and stop measuring after a while: the central is gone."""
        self.live = self.resend = None
        if self._measurement is not None:
            self._measurement.until_s = min(self._measurement.until_s, now_s + ALONE_S)

    def connected(self, now_s: float) -> None:
        """Handle a new connection: measuring has no end again."""
        if self._measurement is not None and self._measurement.until_s > now_s:
            self._measurement.until_s = math.inf

    def lose(self, count: int) -> None:
        """Let the chip's FIFO overrun: the next `count` samples are lost."""
        self._to_lose += count

    def advance(self, now_s: float) -> None:
        """Measure the samples due now.

        The live stream skips samples that have waited too long.
        """
        self.clock(now_s)
        measurement = self._measurement
        if measurement is None:
            return
        due = measurement.due(now_s)
        lost = min(self._to_lose, due - self.ring.next_index)
        if lost > 0:
            self.ring.skip(lost)
            self._to_lose -= lost
            self._samples_lost += lost
        if due > self.ring.next_index:
            self.ring.push(measurement.measure(self.ring.next_index, due))
        if self.live is not None:
            waiting = self.live.waiting(self.ring)
            self._queue_high_water = min(max(self._queue_high_water, waiting), 0xFFFF)
            longest = math.ceil(LIVE_QUEUE_S * self.settings.nominal_rate_hz)
            dropped_before = self.live.samples_dropped
            self.live.drop_until(self.ring.next_index - longest)
            self._samples_dropped += self.live.samples_dropped - dropped_before

    def moved(self, now_s: float) -> bool:
        """Return whether the person moves enough to wake the sensor."""
        if self._worn_since_s is None:
            return False
        _, angular_velocity = self._worn.at(np.array([now_s - self._worn_since_s]))
        return bool(np.linalg.norm(angular_velocity) > WAKING_RAD_S)

    # --- records ----------------------------------------------------------------------------------------------------

    def info(self) -> Info:
        """Return Info."""
        return Info(
            protocol.PROTOCOL_MAJOR,
            protocol.PROTOCOL_MINOR,
            _CAPABILITIES,
            MOST_SAMPLES_PER_PACKET,
            self.ring.capacity,
            self.boot_id,
        )

    def config(self) -> Config:
        """Return the Config of this epoch."""
        return Config(
            self.epoch,
            self.settings.nominal_rate_hz,
            self._measured_rate_hz(),
            self.settings.acceleration_range_g,
            self.settings.angular_velocity_range_dps,
            self.settings.acceleration_scale_m_s2,
            self.settings.angular_velocity_scale_rad_s,
        )

    def _measured_rate_hz(self) -> float | None:
        """Return the rate by the sensor's own clock, after `MEASURED_AFTER_S`."""
        last = math.ceil(MEASURED_AFTER_S * self.settings.nominal_rate_hz)
        if self._measurement is None or self.ring.next_index <= last:
            return None
        return last / ((self.time_us(last) - self.time_us(0)) * 1e-6)

    def status(self, now_s: float) -> Status:
        """Return Status."""
        faults = Faults.NONE if self.chip_answers else Faults.SENSOR_SILENT
        if self._samples_lost:
            faults |= Faults.FIFO_OVERRUN
        return Status(
            faults,
            rssi_dbm=None,
            battery_mv=3300 + 9 * self.battery_percent,
            temperature_deg_c=31.5,
            queue_high_water_samples=self._queue_high_water,
            samples_dropped=self._samples_dropped,
            samples_lost=self._samples_lost,
            uptime_s=self.clock(now_s).microseconds(now_s) // 1_000_000,
        )

    # --- actions ----------------------------------------------------------------------------------------------------

    def configure(
        self, rate_hz: float, acceleration_range_g: int | None, angular_velocity_range_dps: int | None, now_s: float
    ) -> bool:
        """Take the nearest settings of the chip, in a new epoch.

        Returns False if none are near.
        """
        settings = nearest_settings(
            self._parameters.rates_hz, self.settings, rate_hz, acceleration_range_g, angular_velocity_range_dps
        )
        if settings is None:
            return False
        self.settings = settings
        if self.measuring:
            self._measure_from(now_s)
        else:
            self._measurement = None
            self._begin_epoch()
        return True

    def start(self, now_s: float) -> bool:
        """Measure, in a new epoch unless the sensor measures already.

        Returns False if the chip does not respond.
        """
        if self.chip_answers and not self.measuring:
            self._measure_from(now_s)
        return self.chip_answers

    def _measure_from(self, now_s: float) -> None:
        """Start to measure; the signal starts with the very first measurement."""
        if self._worn_since_s is None:
            self._worn_since_s = now_s
        self._begin_epoch()
        self._measurement = Measurement(self._worn, self._worn_since_s, now_s, self.settings, self._rate_error)

    def stop(self, now_s: float) -> bool:
        """Stop measuring; return False if the sensor did not measure."""
        if self._measurement is None or not self.measuring:
            return False
        self._measurement.until_s = now_s
        return True


# --- requests ---------------------------------------------------------------------------------------------------------


Outcome = tuple[AnswerStatus, Fields]
NOTHING: Final = Fields()


def obey(firmware: ReferenceFirmware, request: Request, now_s: float) -> Answer:
    """Perform a request, and return the answer."""
    firmware.advance(now_s)
    handle = _HANDLERS.get(request.op)
    if handle is None:
        return Answer(request.op, request.request_id, AnswerStatus.UNKNOWN_OP)
    status, fields = handle(firmware, request.fields, now_s)
    return Answer(request.op, request.request_id, status, fields)


def _set_config(firmware: ReferenceFirmware, fields: Fields, now_s: float) -> Outcome:
    if fields.nominal_rate_hz is None:
        return AnswerStatus.MISSING_FIELD, NOTHING
    ranges = fields.acceleration_range_g, fields.angular_velocity_range_dps
    if not firmware.configure(fields.nominal_rate_hz, *ranges, now_s):
        return AnswerStatus.OUT_OF_RANGE, NOTHING
    settings = firmware.settings
    return AnswerStatus.OK, Fields(
        epoch=firmware.epoch,
        nominal_rate_hz=settings.nominal_rate_hz,
        acceleration_range_g=settings.acceleration_range_g,
        angular_velocity_range_dps=settings.angular_velocity_range_dps,
    )


def _start(firmware: ReferenceFirmware, fields: Fields, now_s: float) -> Outcome:
    del fields
    if not firmware.start(now_s):
        return AnswerStatus.SENSOR_FAILED, NOTHING
    return AnswerStatus.OK, _at(firmware, firmware.ring.next_index)


def _stop(firmware: ReferenceFirmware, fields: Fields, now_s: float) -> Outcome:
    del fields
    if not firmware.stop(now_s):
        return AnswerStatus.NOT_RUNNING, NOTHING
    return AnswerStatus.OK, Fields(epoch=firmware.epoch, first_index=firmware.ring.next_index)


def _resend(firmware: ReferenceFirmware, fields: Fields, now_s: float) -> Outcome:
    del now_s
    if fields.first_index is None or fields.count is None:
        return AnswerStatus.MISSING_FIELD, NOTHING
    if firmware.resend is not None:
        return AnswerStatus.BUSY, NOTHING
    first, end = firmware.ring.available(fields.first_index, fields.count)
    if first == end or fields.epoch not in (None, firmware.epoch):
        return AnswerStatus.NOT_AVAILABLE, NOTHING
    firmware.resend = Cursor(first, end)
    return AnswerStatus.OK, Fields(epoch=firmware.epoch, first_index=first, count=end - first)


def _identify(firmware: ReferenceFirmware, fields: Fields, now_s: float) -> Outcome:
    del fields, now_s
    firmware.identified += 1
    return AnswerStatus.OK, NOTHING


def _mark(firmware: ReferenceFirmware, fields: Fields, now_s: float) -> Outcome:
    del fields, now_s
    if not firmware.measuring or firmware.ring.next_index == 0:
        return AnswerStatus.NOT_RUNNING, NOTHING
    return AnswerStatus.OK, _at(firmware, firmware.ring.next_index - 1)


def _set_time(firmware: ReferenceFirmware, fields: Fields, now_s: float) -> Outcome:
    if fields.host_time_us is None:
        return AnswerStatus.MISSING_FIELD, NOTHING
    device_time_us = firmware.clock(now_s).microseconds(now_s)
    firmware.host_time = fields.host_time_us, device_time_us
    return AnswerStatus.OK, Fields(host_time_us=fields.host_time_us, device_time_us=device_time_us)


def _sleep(firmware: ReferenceFirmware, fields: Fields, now_s: float) -> Outcome:
    """Only answer: the twin switches off after sending the answer."""
    del firmware, fields, now_s
    return AnswerStatus.OK, NOTHING


def _at(firmware: ReferenceFirmware, index: int) -> Fields:
    return Fields(epoch=firmware.epoch, first_index=index, device_time_us=firmware.time_us(index))


_HANDLERS: Final[dict[int, Callable[[ReferenceFirmware, Fields, float], Outcome]]] = {
    Op.SET_CONFIG: _set_config,
    Op.START: _start,
    Op.STOP: _stop,
    Op.RESEND: _resend,
    Op.IDENTIFY: _identify,
    Op.MARK: _mark,
    Op.SET_TIME: _set_time,
    Op.SLEEP: _sleep,
}
