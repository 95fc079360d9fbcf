"""Our own firmware: the conversation, and packets -> samples in order.

The protocol is in ``firmware_protocol/PROTOCOL.md``. The sensor numbers its samples and keeps them for a minute.
Samples that a slow radio or a lost connection left out are requested again, and later samples wait for them. So samples
go out in order, each once, and every loss is reported. The bytes are in :mod:`firmware_protocol`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Self

import numpy as np

import firmware_protocol as protocol
from firmware_protocol import Answer, AnswerStatus, Config, Info, Op, PacketKind, SamplePacket, Undecodable
from imu.samples import Array, ImuBlock
from imu.sensors.clocks import Timeline
from imu.sensors.conversation import (
    Action,
    Advertisement,
    Battery,
    Caution,
    Heard,
    Identified,
    LinkDown,
    LinkUp,
    Malformed,
    Message,
    Notice,
    Read,
    Refused,
    Reply,
    Restarted,
    SamplesLost,
    SamplesRecovered,
    SensorKind,
    Subscribe,
    Write,
)
from imu.sensors.sample_order import InOrder, Range

_IDENTITY = (protocol.MODEL_NUMBER_UUID, protocol.SERIAL_NUMBER_UUID, protocol.FIRMWARE_REVISION_UUID)


class ReferenceDriver:
    """The conversation with one sensor with our firmware; it never raises.

    Parameters
    ----------
    rate_hz : float
        Requested sampling rate; the sensor takes the nearest rate of its chip.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._samples = ReferenceSamples()
        self._boot_id: int | None = None
        self._refused = False
        self._linked = False
        self._configured = False
        self._identified = False
        self._request_id = 0
        self._identity: dict[str, str] = {}
        self._battery_percent: int | None = None
        self._actions: list[Action] = []
        self._notices: list[Notice] = []

    def take(self, message: Message) -> Reply:
        """Process one message."""
        if self._refused:
            return Reply()
        blocks: list[ImuBlock] = []
        match message:
            case LinkUp():
                self._linked = True
                self._greet()
            case LinkDown():
                self._linked = False
                self._samples.disconnected()
            case Heard() if self._linked:
                blocks = self._hear(message) + self._go_on(message.received_s)
        return self._reply(blocks)

    def stop(self) -> tuple[Action, ...]:
        """Return the request to stop measuring."""
        return (Write(protocol.CONTROL_UUID, protocol.stop(self._next_request()).encode()),)

    def finish(self) -> Reply:
        """Return the samples that still wait."""
        return self._reply(self._samples.finish())

    def _reply(self, blocks: list[ImuBlock]) -> Reply:
        notices = (*self._notices, *self._samples.notices())
        reply = Reply(tuple(blocks), tuple(self._actions), notices)
        self._actions, self._notices = [], []
        return reply

    # -- connecting

    def _greet(self) -> None:
        """Subscribe, then read the identity.

        Messages sent before a subscription are lost.
        """
        self._identified = False
        self._samples.disconnected()
        for uuid in (protocol.CONTROL_UUID, protocol.CONFIG_UUID, protocol.DATA_UUID, protocol.BACKFILL_UUID):
            self._actions.append(Subscribe(uuid))
        self._actions.append(Subscribe(protocol.BATTERY_LEVEL_UUID, required=False))
        self._actions += [Read(uuid, required=False) for uuid in (*_IDENTITY, protocol.BATTERY_LEVEL_UUID)]
        self._actions.append(Read(protocol.INFO_UUID))

    def _hear(self, message: Heard) -> list[ImuBlock]:
        """Process bytes of one characteristic; return the next samples in order."""
        payload = message.payload
        match message.characteristic:
            case protocol.DATA_UUID | protocol.BACKFILL_UUID:
                return self._packet(payload, message.received_s)
            case protocol.CONFIG_UUID:
                return self._config(payload)
            case protocol.CONTROL_UUID:
                return self._answer(payload)
            case protocol.INFO_UUID:
                return self._info(payload)
            case protocol.BATTERY_LEVEL_UUID:
                self._battery(payload)
            case uuid if uuid in _IDENTITY:
                self._identity[uuid] = payload.rstrip(b"\0").decode("utf-8", "replace")
        return []

    def _info(self, payload: bytes) -> list[ImuBlock]:
        """Decide by version and boot whether to continue or to start from the beginning."""
        info = protocol.decode_info(payload)
        if isinstance(info, Undecodable):
            return self._malformed(info)
        if info.major != protocol.PROTOCOL_MAJOR:
            self._refuse(_other_version(info), wrong_version=True)
            return []
        if info.boot_id == self._boot_id and self._configured:
            self._ask(protocol.start(self._next_request()))  # a sensor that is measuring goes on
            return []
        self._boot_id = info.boot_id
        self._configured = False
        self._ask(protocol.set_config(self._rate_hz, self._next_request()))
        return self._samples.new_boot()

    def _answer(self, payload: bytes) -> list[ImuBlock]:
        """Process the answer to a request."""
        answer = protocol.decode_answer(payload)
        if isinstance(answer, Undecodable):
            return self._malformed(answer)
        accepted = answer.status == AnswerStatus.OK
        match answer.op:
            case Op.SET_CONFIG:
                self._configured = True
                if not accepted:
                    self._notices.append(
                        Caution(f"The sensor does not offer {self._rate_hz:g} Hz; it keeps its present rate.")
                    )
                self._ask(protocol.start(self._next_request()))
            case Op.START if accepted:
                self._actions.append(Read(protocol.CONFIG_UUID))
            case Op.START:
                self._refuse(_will_not_start(answer))
            case Op.RESEND:
                return self._resend_answer(answer)
        return []

    def _resend_answer(self, answer: Answer) -> list[ImuBlock]:
        """Give up the samples that the sensor no longer keeps."""
        missing = self._samples.missing
        if missing is None or answer.status == AnswerStatus.BUSY:
            return []
        kept_from = answer.fields.first_index if answer.status == AnswerStatus.OK else missing.end
        return self._samples.give_up(min(missing.end, kept_from or 0))

    def _config(self, payload: bytes) -> list[ImuBlock]:
        """Store the scales of an epoch."""
        config = protocol.decode_config(payload)
        if isinstance(config, Undecodable):
            return self._malformed(config)
        return self._samples.learn(config)

    def _battery(self, payload: bytes) -> None:
        if payload and payload[0] <= 100 and payload[0] != self._battery_percent:
            self._battery_percent = payload[0]
            self._notices.append(Battery(float(payload[0])))

    # -- samples

    def _packet(self, payload: bytes, received_s: float) -> list[ImuBlock]:
        """Process a packet; return the samples that are next in order."""
        if not self._configured:  # the sensor still streams for an earlier connection
            return []
        packet = protocol.decode_packet(payload)
        if isinstance(packet, Undecodable):
            return self._malformed(packet)
        if packet.kind is PacketKind.COMPACT:
            return self._malformed(Undecodable("a compact packet, which is for tests only", len(payload)))
        waited = self._samples.waits_for_config
        blocks = self._samples.push(packet, received_s)
        if self._samples.waits_for_config and not waited:
            self._actions.append(Read(protocol.CONFIG_UUID))
        return blocks

    def _go_on(self, received_s: float) -> list[ImuBlock]:
        """Report the identity once samples come; request missing samples, or give them up."""
        if not self._identified and self._samples.config is not None:
            self._identify(self._samples.config)
        blocks = self._samples.overdue(received_s)
        wish = self._samples.wish(received_s) if self._identified else None
        if wish is not None:
            epoch, missing = wish
            self._ask(protocol.resend(missing.first_index, missing.count, epoch, self._next_request()))
        return blocks

    # -- notices and requests

    def _malformed(self, what: Undecodable) -> list[ImuBlock]:
        self._notices.append(Malformed(what.size, what.reason))
        return []

    def _refuse(self, sentence: str, *, wrong_version: bool = False) -> None:
        self._refused = True
        self._notices.append(Refused(sentence, wrong_version))

    def _identify(self, config: Config) -> None:
        self._identified = True
        model, serial, firmware = (self._identity.get(uuid, "unknown") for uuid in _IDENTITY)
        rate_hz = _rate_hz(config)
        scales = config.acceleration_scale_m_s2, config.angular_velocity_scale_rad_s
        self._notices.append(Identified(serial, model, firmware, rate_hz, scales))

    def _ask(self, request: protocol.Request) -> None:
        self._actions.append(Write(protocol.CONTROL_UUID, request.encode()))

    def _next_request(self) -> int:
        self._request_id = (self._request_id + 1) % 256
        return self._request_id


def _other_version(info: Info) -> str:
    newer = info.major > protocol.PROTOCOL_MAJOR
    todo = "install a newer version of this program" if newer else "put newer firmware on the sensor"
    return (
        f"the sensor speaks version {info.major} of the protocol and this program version {protocol.PROTOCOL_MAJOR}: "
        f"{todo}."
    )


def _will_not_start(answer: Answer) -> str:
    if answer.status == AnswerStatus.SENSOR_FAILED:
        return "the sensor's motion chip does not answer: switch the sensor off and on again."
    return f"the sensor does not start measuring (status {int(answer.status)}): switch it off and on again."


def _recognises(advertisement: Advertisement) -> bool:
    return protocol.SERVICE_UUID in advertisement.services


REFERENCE = SensorKind("reference", "IMU trainer (our own firmware)", _recognises, ReferenceDriver)
"""A sensor with the firmware of ``firmware_protocol/``."""


# --- packets -> samples in order --------------------------------------------------------------------------------------


EARLY_PACKETS = 256
"""Number of packets that may wait for the Config of their epoch: over a second at the highest rate."""

CLOCK_STEP_S = 0.5
"""A clock that differs by more than this from the sample numbers was reset or has restarted."""

CLOCK_ERROR = 0.05
"""Or by more than this share of the elapsed time: the rate of a chip is off by up to 3 %."""


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Consecutive samples of one packet, in SI units, on the sensor's clock."""

    first_index: int
    device_time_s: Array
    acceleration_m_s2: Array
    angular_velocity_rad_s: Array
    received_s: float
    asked_for: bool

    def __len__(self) -> int:
        return len(self.device_time_s)

    def after(self, samples: int) -> Self:
        """Return the samples without the first `samples`."""
        return type(self)(
            self.first_index + samples,
            self.device_time_s[samples:],
            self.acceleration_m_s2[samples:],
            self.angular_velocity_rad_s[samples:],
            self.received_s,
            self.asked_for,
        )


class ReferenceSamples:
    """The samples of one sensor over its epochs, boots and connections."""

    def __init__(self) -> None:
        self._timeline = Timeline()
        self._notices: list[Notice] = []
        self._begin_boot()

    def _begin_boot(self) -> None:
        self._configs: dict[int, Config] = {}
        self._early: deque[tuple[SamplePacket, float]] = deque(maxlen=EARLY_PACKETS)
        self._epoch: int | None = None
        self._begin_numbering()

    def _begin_numbering(self) -> None:
        self._order: InOrder[_Run] = InOrder(self._lost)
        self._last: tuple[int, float] | None = None  # number and time of the last sample that went out

    @property
    def config(self) -> Config | None:
        """Configuration of the present epoch; ``None`` before the first."""
        return None if self._epoch is None else self._configs[self._epoch]

    @property
    def waits_for_config(self) -> bool:
        """Whether packets wait for the Config of their epoch."""
        return bool(self._early)

    @property
    def missing(self) -> Range | None:
        """The first stretch of missing samples."""
        return self._order.hole

    def notices(self) -> list[Notice]:
        """Return the notices since the last call."""
        notices, self._notices = self._notices, []
        return notices

    def new_boot(self) -> list[ImuBlock]:
        """Start again after a reboot: the sensor has a new clock and new numbers.

        Returns the samples that waited.
        """
        waiting = self.finish()
        if self._epoch is not None:
            self._restart()
        self._begin_boot()
        return waiting

    def learn(self, config: Config) -> list[ImuBlock]:
        """Store the scales of an epoch; return the samples that waited for them."""
        self._configs[config.epoch] = config
        early, self._early = self._early, deque(maxlen=EARLY_PACKETS)
        return [block for packet, received_s in early for block in self.push(packet, received_s)]

    def push(self, packet: SamplePacket, received_s: float) -> list[ImuBlock]:
        """Add a packet; return the samples that are next in order."""
        config = self._configs.get(packet.epoch)
        asked_for = packet.kind is PacketKind.BACKFILL
        if config is None:
            self._early.append((packet, received_s))
            return []
        blocks: list[ImuBlock] = []
        if packet.epoch != self._epoch:
            if asked_for:  # from an epoch that is over
                return []
            blocks = self._begin_epoch(packet.epoch)
        if asked_for and not len(packet):  # the end of a resend: samples still missing will not come
            return blocks + self.give_up(packet.first_index)
        return blocks + self._place(self._order.push(_run(packet, config, received_s, asked_for), received_s))

    def give_up(self, until_index: int) -> list[ImuBlock]:
        """Count missing samples before `until_index` as lost.

        Returns the samples behind them.
        """
        return self._place(self._order.give_up(until_index))

    def overdue(self, received_s: float) -> list[ImuBlock]:
        """Return the samples behind a hole whose last request timed out."""
        return self._place(self._order.overdue(received_s))

    def wish(self, received_s: float) -> tuple[int, Range] | None:
        """Return the epoch and the samples to request now, if any."""
        wish = self._order.wish(received_s)
        return None if wish is None or self._epoch is None else (self._epoch, wish)

    def disconnected(self) -> None:
        """Forget the open request: the sensor does not answer it any more."""
        self._order.forget_request()

    def finish(self) -> list[ImuBlock]:
        """Return all waiting samples."""
        return self._place(self._order.finish())

    def _begin_epoch(self, epoch: int) -> list[ImuBlock]:
        """Close the epoch before: its missing samples are lost, and numbers restart."""
        waiting = self.finish()
        if self._epoch is not None:
            self._restart()
        self._epoch = epoch
        self._begin_numbering()
        return waiting

    def _restart(self) -> None:
        self._notices.append(Restarted())
        self._timeline.restart()

    def _place(self, runs: list[_Run]) -> list[ImuBlock]:
        """Place samples that are in order on the session's axis."""
        blocks = []
        for run in runs:
            if self._clock_stepped(run):
                self._restart()
            self._last = run.first_index + len(run) - 1, float(run.device_time_s[-1])
            axis_s = self._timeline.place(run.device_time_s, run.received_s)
            received_s = np.full(len(run), run.received_s)
            blocks.append(ImuBlock(axis_s, run.acceleration_m_s2, run.angular_velocity_rad_s, received_s))
        recovered = sum(len(run) for run in runs if run.asked_for)
        if recovered:
            self._notices.append(SamplesRecovered(recovered))
        return blocks

    def _clock_stepped(self, run: _Run) -> bool:
        """Return whether the sensor's clock and its sample numbers contradict each other."""
        if self._last is None or self.config is None:
            return False
        last_index, last_s = self._last
        expected_s = (run.first_index - last_index) / _rate_hz(self.config)
        passed_s = float(run.device_time_s[0]) - last_s
        return abs(passed_s - expected_s) > max(CLOCK_STEP_S, CLOCK_ERROR * expected_s)

    def _lost(self, samples: int) -> None:
        self._notices.append(SamplesLost(samples))


def _rate_hz(config: Config) -> float:
    """Return the measured rate; the nominal one if that is unknown, or is no rate that such a chip can have."""
    measured_hz, nominal_hz = config.measured_rate_hz, config.nominal_rate_hz
    return nominal_hz if measured_hz is None or not 0.5 <= measured_hz / nominal_hz <= 2 else measured_hz


def _run(packet: SamplePacket, config: Config, received_s: float, asked_for: bool) -> _Run:
    """Return the samples of a packet in SI units."""
    counts = packet.counts.astype(np.float64)
    return _Run(
        packet.first_index,
        packet.device_time_us * 1e-6 + np.arange(len(packet)) / _rate_hz(config),
        counts[:, :3] * config.acceleration_scale_m_s2,
        counts[:, 3:] * config.angular_velocity_scale_rad_s,
        received_s,
        asked_for,
    )
