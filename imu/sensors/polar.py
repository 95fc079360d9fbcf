"""Polar Verity Sense: acceleration and angular velocity as two streams of Polar's measurement data service.

Above 60 Hz it needs the sensor's SDK mode, which is switched off again at the end. Each stream has its own frames and
stamps (of the last sample, in nanoseconds); rows come at the times of the acceleration. Nothing is numbered: what is
lost shows as a step in time. The bytes are in :mod:`imu.sensors.polar_measurement_data`; this module refuses to know
Bluetooth.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace

from imu.samples import Array
from imu.sensors.conversation import (
    Action,
    Advertisement,
    Heard,
    Notice,
    Read,
    Refused,
    SamplesLost,
    SensorKind,
    Subscribe,
    Write,
)
from imu.sensors.packet_clock import Fate, PacketClock, StampFormat
from imu.sensors.polar_measurement_data import (
    ANSWER,
    CONTROL_POINT,
    DATA,
    Answer,
    Frame,
    Measurement,
    Op,
    Setting,
    Settings,
    Status,
    command,
    decode_answer,
    decode_features,
    decode_frame,
    decode_settings,
    decode_stopped,
)
from imu.sensors.streaming import Found, Samples, StreamingDriver, malformed
from imu.sensors.two_streams import TwoStreams
from imu.sensors.units import (
    M_S2_PER_G,
    RAD_S_PER_DPS,
    is_possible_acceleration,
    is_possible_angular_velocity,
)

STAMPS = StampFormat(bits=64, tick_s=1e-9, of_last_sample=True)
STREAMS = (Measurement.ACCELERATION, Measurement.ANGULAR_VELOCITY)
SI = {Measurement.ACCELERATION: 1e-3 * M_S2_PER_G, Measurement.ANGULAR_VELOCITY: RAD_S_PER_DPS}

USUAL_MODE_HZ = 60.0
"""Without SDK mode there is one rate, 52 Hz; it serves wishes up to here."""
LEAST_HZ = 20.0
"""Below, a fast repetition has too few samples."""
MOST_HZ = 208.0
"""Users report losses at 416 Hz (polar-ble-sdk issues 467, 775)."""
ACCELERATION_RANGE_G = 8.0
"""Hips reach 5 g in a jump; the smaller the range, the finer the counts."""

NO_GYROSCOPE = "This Polar sensor has no gyroscope, which counting needs: use a Polar Verity Sense instead."
IN_CHARGER = "The Polar sensor is in its charger: take it out and connect again."

Setup = Generator[bytes, Answer, None]


class _Unusable(Exception):
    """The sensor cannot be used: one sentence."""


def choose_settings(offered: Settings, wished_rate_hz: float, wished_range: float) -> dict[Setting, int]:
    """Return what to ask for: the lowest rate that serves, the range wished for or else the widest.

    Raises
    ------
    ValueError
        If no rate or no range is offered.
    """
    rates = [rate for rate in offered.get(Setting.RATE_HZ, ()) if LEAST_HZ <= rate <= MOST_HZ]
    ranges = offered.get(Setting.RANGE, ())
    if not rates or not ranges:
        raise ValueError(f"settings without rate or range: {offered}")
    serving = [rate for rate in rates if rate >= 0.95 * wished_rate_hz]
    chosen = {
        Setting.RATE_HZ: int(min(serving, default=max(rates))),
        Setting.RESOLUTION_BITS: int(max(offered.get(Setting.RESOLUTION_BITS, (16,)))),
        Setting.RANGE: int(wished_range if wished_range in ranges else max(ranges)),
    }
    if Setting.CHANNELS in offered:
        chosen[Setting.CHANNELS] = int(max(offered[Setting.CHANNELS]))
    return chosen


class PolarConnection:
    """Ask what the sensor has, start both streams one command after another, join them."""

    def __init__(self, wished_rate_hz: float) -> None:
        self._wished_rate_hz = wished_rate_hz
        self._setup: Setup | None = None
        self._asked = b""  # the command that has not been answered
        self._unfinished: Answer | None = None  # an answer whose parameters go on
        self._factors: dict[Measurement, float] = {}
        self._rates_hz: dict[Measurement, float] = {}
        self._units = dict.fromkeys(STREAMS, 1.0)
        self._clocks: dict[Measurement, PacketClock] = {}
        self._streams: TwoStreams | None = None
        self._is_restarted = False

    @property
    def sampling_rate_hz(self) -> float:
        """The rate of the acceleration."""
        return self._rates_hz.get(Measurement.ACCELERATION, self._wished_rate_hz)

    @property
    def scales(self) -> tuple[float, float]:
        """One count of each stream in SI, as the latest frames had it."""
        acceleration, angular_velocity = (self._units[each] * SI[each] for each in STREAMS)
        return acceleration, angular_velocity

    def begin(self) -> tuple[Action, ...]:
        """Subscribe, then read what the sensor can measure: answers come as indications, features by reading."""
        return Subscribe(CONTROL_POINT), Subscribe(DATA), Read(CONTROL_POINT)

    def stop(self) -> tuple[Action, ...]:
        """Stop both streams, for the sensor's battery, and leave SDK mode, in which it gives no heart rate."""
        modes = (*STREAMS, Measurement.SDK_MODE) if self._needs_sdk_mode else STREAMS
        return tuple(Write(CONTROL_POINT, command(Op.STOP, each)) for each in modes)

    def finish(self) -> Found:
        """Give nothing: what waits for the other stream lacks a half."""
        return Found()

    def hear(self, heard: Heard) -> Found:
        """Take what came from the control point or the streams."""
        try:
            if heard.characteristic == DATA:
                return self._hear_frame(heard.payload)
            if heard.characteristic == CONTROL_POINT:
                return self._hear_control_point(heard.payload)
        except _Unusable as unusable:
            return Found(notices=(Refused(str(unusable)),))
        return Found()

    # --- control point ----------------------------------------------------------------------------------------------

    @property
    def _needs_sdk_mode(self) -> bool:
        return self._wished_rate_hz > USUAL_MODE_HZ

    def _hear_control_point(self, payload: bytes) -> Found:
        features = decode_features(payload)
        if features is not None:
            if not features.issuperset(STREAMS):
                raise _Unusable(NO_GYROSCOPE)
            return Found() if self._setup is not None else self._start_anew()
        if self._unfinished is not None:
            # Newer firmware repeats the five bytes of the head, older has one byte: whether still more follows.
            head = 5 if payload[:1] == bytes((ANSWER,)) else 1
            has_more = len(payload) >= head and payload[head - 1] != 0
            parameters = self._unfinished.parameters + payload[head:]
            return self._take_answer(replace(self._unfinished, parameters=parameters, has_more=has_more), payload)
        answer = decode_answer(payload)
        if answer is not None:
            return self._take_answer(answer, payload)
        stopped = decode_stopped(payload)
        if stopped is None:
            return malformed(payload, "nothing that the control point says")
        return self._start_anew() if set(stopped) & set(STREAMS) else Found()

    def _take_answer(self, answer: Answer, payload: bytes) -> Found:
        """Go on with the setup."""
        self._unfinished = answer if answer.has_more else None
        if answer.has_more:
            return Found()
        if self._setup is None or bytes((answer.op, answer.measurement)) != self._asked[:2]:
            return malformed(payload, "answers nothing that was asked")
        try:
            self._asked = self._setup.send(answer)
        except StopIteration:
            self._asked = b""
            return Found()
        return Found(actions=(Write(CONTROL_POINT, self._asked),))

    def _start_anew(self) -> Found:
        """Begin the setup."""
        self._setup = self._set_up()
        self._asked = next(self._setup)
        return Found(actions=(Write(CONTROL_POINT, self._asked),))

    def _set_up(self) -> Setup:
        """Yield commands one after another and receive the answers."""
        for measurement in STREAMS:  # may still run for someone who hung up; SDK mode cannot be switched then
            yield command(Op.STOP, measurement)
        if self._needs_sdk_mode:  # a firmware before 1.1.5 has none and offers 52 Hz: let it
            yield command(Op.START, Measurement.SDK_MODE)
        ranges = {Measurement.ACCELERATION: ACCELERATION_RANGE_G, Measurement.ANGULAR_VELOCITY: 2000.0}
        for measurement in STREAMS:
            answer = yield command(Op.SETTINGS, measurement)
            _require_success(answer)
            try:
                chosen = choose_settings(
                    decode_settings(answer.parameters) or {}, self._wished_rate_hz, ranges[measurement]
                )
            except ValueError as error:
                raise _Unusable("The Polar sensor does not say at what rates it measures: update it.") from error
            answer = yield command(Op.START, measurement, chosen)
            _require_success(answer)
            self._begin_stream(measurement, chosen, decode_settings(answer.parameters) or {})

    def _begin_stream(
        self, measurement: Measurement, chosen: Mapping[Setting, int], effective: Mapping[Setting, tuple[float, ...]]
    ) -> None:
        """Take note of how this stream is sent; newer firmware tells no factor and sends whole units."""
        self._rates_hz[measurement] = float(chosen[Setting.RATE_HZ])
        self._factors[measurement] = factor = effective.get(Setting.FACTOR, (1.0,))[0]
        if not 0 < factor < 10:
            raise _Unusable(f"The Polar sensor tells an impossible factor ({factor}): update it.")
        self._clocks.setdefault(measurement, PacketClock(STAMPS, self._rates_hz[measurement]))
        if measurement is Measurement.ANGULAR_VELOCITY and self._streams is None:
            self._streams = TwoStreams(1.0 / self._rates_hz[measurement])

    # --- streams ----------------------------------------------------------------------------------------------------

    def _hear_frame(self, payload: bytes) -> Found:
        measurement = payload[0] & 0x3F if payload else -1
        factor = next((factor for each, factor in self._factors.items() if each == measurement), None)
        frame = None if factor is None else decode_frame(payload, factor)
        if frame is None:
            return malformed(payload, "no frame of a stream that was started")
        values = frame.values * SI[frame.measurement]
        is_acceleration = frame.measurement is Measurement.ACCELERATION
        if not (is_possible_acceleration if is_acceleration else is_possible_angular_velocity)(values):
            return malformed(payload, "values beyond the sensor's range")
        self._units[frame.measurement] = frame.unit
        placed = self._clocks[frame.measurement].place(frame.stamp_ns, len(values))
        if placed.is_dropped:
            return Found(notices=placed.notices(len(payload)))
        if placed.fate is Fate.RESTARTED:
            self._restart(frame)
        notices = placed.notices(len(payload)) if is_acceleration else ()  # else the rows without it are counted
        return self._joined(frame.measurement, placed.time_s, values, notices)

    def _restart(self, frame: Frame) -> None:
        """Forget what waits, and the clock of the other stream: both are stamped by the one that was set anew."""
        for measurement, rate_hz in self._rates_hz.items():
            if measurement is not frame.measurement:
                self._clocks[measurement] = PacketClock(STAMPS, rate_hz)
        gyroscope_hz = self._rates_hz.get(Measurement.ANGULAR_VELOCITY)
        self._streams = None if gyroscope_hz is None else TwoStreams(1.0 / gyroscope_hz)  # perhaps not started yet
        self._is_restarted = True

    def _joined(self, measurement: Measurement, time_s: Array, values: Array, notices: tuple[Notice, ...]) -> Found:
        """Give the rows for which both streams have come."""
        if self._streams is None:  # the second stream has not been started
            return Found(notices=notices)
        is_acceleration = measurement is Measurement.ACCELERATION
        push = self._streams.push_acceleration if is_acceleration else self._streams.push_angular_velocity
        joined = push(time_s, values)
        if joined.lost:
            notices = (*notices, SamplesLost(joined.lost))
        if not len(joined.time_s):
            return Found(notices=notices)
        samples = Samples(joined.time_s, joined.acceleration, joined.angular_velocity, self._is_restarted)
        self._is_restarted = False
        return Found((samples,), (), notices)


def _require_success(answer: Answer) -> None:
    if answer.status == Status.IN_CHARGER:
        raise _Unusable(IN_CHARGER)
    if answer.status != Status.SUCCESS:
        raise _Unusable(
            f"The Polar sensor does not start measuring (status {answer.status}): switch it off, on, and connect again."
        )


def recognises(advertisement: Advertisement) -> bool:
    """Return whether this is a Verity Sense."""
    return (advertisement.name or "").startswith("Polar Sense")


POLAR = SensorKind(
    name="polar",
    title="Polar Verity Sense",
    recognises=recognises,
    driver=lambda wished_rate_hz: StreamingDriver(
        lambda _nameplate: PolarConnection(wished_rate_hz), "Polar Verity Sense"
    ),
)
