"""Our own firmware (``firmware_protocol/PROTOCOL.md``): what to say to it, and its packets -> samples.

Samples are numbered by the sensor, and kept by it for a minute. What a slow radio or a lost connection left out is
asked for again; what follows waits until then, so that samples go out in order, each once, and every loss is told. This
module refuses to know Bluetooth, and the bytes themselves (:mod:`firmware_protocol`).
"""

from __future__ import annotations

import firmware_protocol as protocol
from firmware_protocol import Answer, AnswerStatus, Config, Info, Op, PacketKind, Undecodable
from imu.samples import ImuBlock
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
    SensorKind,
    Subscribe,
    Write,
)
from imu.sensors.reference_samples import ReferenceSamples

_IDENTITY = (protocol.MODEL_NUMBER_UUID, protocol.SERIAL_NUMBER_UUID, protocol.FIRMWARE_REVISION_UUID)


class ReferenceDriver:
    """The conversation with one sensor that runs our firmware, over all its connections; never raises.

    Parameters
    ----------
    rate_hz : float
        Sampling rate to ask for; the sensor takes the nearest that its chip can do.
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
        """Take what came."""
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
        return (Write(protocol.CONTROL_UUID, protocol.encode(protocol.stop(self._next_request()))),)

    def finish(self) -> Reply:
        """Give what was held back."""
        return self._reply(self._samples.finish())

    def _reply(self, blocks: list[ImuBlock]) -> Reply:
        notices = (*self._notices, *self._samples.notices())
        reply = Reply(tuple(blocks), tuple(self._actions), notices)
        self._actions, self._notices = [], []
        return reply

    # -- connecting

    def _greet(self) -> None:
        """Subscribe first, then ask who it is: what comes before a subscription is lost."""
        self._identified = False
        self._samples.disconnected()
        for uuid in (protocol.CONTROL_UUID, protocol.CONFIG_UUID, protocol.DATA_UUID, protocol.BACKFILL_UUID):
            self._actions.append(Subscribe(uuid))
        self._actions.append(Subscribe(protocol.BATTERY_LEVEL_UUID, required=False))
        self._actions += [Read(uuid, required=False) for uuid in (*_IDENTITY, protocol.BATTERY_LEVEL_UUID)]
        self._actions.append(Read(protocol.INFO_UUID))

    def _hear(self, message: Heard) -> list[ImuBlock]:
        """Take the bytes of one characteristic; return the samples that are next in order."""
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
        """Decide by version and boot whether to go on with what was begun or to begin anew."""
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
        """Take the answer to a request."""
        answer = protocol.decode_answer(payload)
        if isinstance(answer, Undecodable):
            return self._malformed(answer)
        accepted = answer.status == AnswerStatus.OK
        match answer.op:
            case Op.SET_CONFIG:
                self._configured = True
                if not accepted:
                    self._notices.append(
                        Caution(f"The sensor does not do {self._rate_hz:g} Hz; it measures at the rate it is set to.")
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
        """Give up what the sensor does not keep any more."""
        missing = self._samples.missing
        if missing is None or answer.status == AnswerStatus.BUSY:
            return []
        kept_from = answer.fields.first_index if answer.status == AnswerStatus.OK else missing.end
        return self._samples.give_up(min(missing.end, kept_from or 0))

    def _config(self, payload: bytes) -> list[ImuBlock]:
        """Learn the scales of an epoch."""
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
        """Take a packet; return the samples that are next in order."""
        if not self._configured:  # it still streams what somebody else asked for
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
        """Say who the sensor is once samples come; ask for what is missing, or give it up."""
        if not self._identified and self._samples.config is not None:
            self._identify(self._samples.config)
        blocks = self._samples.overdue(received_s)
        wish = self._samples.wish(received_s) if self._identified else None
        if wish is not None:
            epoch, missing = wish
            self._ask(protocol.resend(missing.first_index, missing.count, epoch, self._next_request()))
        return blocks

    # -- words

    def _malformed(self, what: Undecodable) -> list[ImuBlock]:
        self._notices.append(Malformed(what.size, what.reason))
        return []

    def _refuse(self, sentence: str, *, wrong_version: bool = False) -> None:
        self._refused = True
        self._notices.append(Refused(sentence, wrong_version))

    def _identify(self, config: Config) -> None:
        self._identified = True
        model, serial, firmware = (self._identity.get(uuid, "unknown") for uuid in _IDENTITY)
        rate_hz = config.measured_rate_hz or config.nominal_rate_hz
        scales = config.acceleration_scale_m_s2, config.angular_velocity_scale_rad_s
        self._notices.append(Identified(serial, model, firmware, rate_hz, scales))

    def _ask(self, request: protocol.Request) -> None:
        self._actions.append(Write(protocol.CONTROL_UUID, protocol.encode(request)))

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
