"""The virtual twin of a sensor with our own firmware.

The protocol is in ``firmware_protocol/PROTOCOL.md``. The twin carries requests to the firmware and packs its samples.
Order of sending: answers, live samples, changed records, and a resend in the remaining room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final

import firmware_protocol as protocol
from firmware_protocol import (
    Answer,
    AnswerStatus,
    AttError,
    Config,
    Op,
    PacketFlags,
    PacketKind,
    Request,
    SamplePacket,
    TimeSync,
    TimeSyncOp,
    Undecodable,
)
from firmware_protocol.packets import Counts
from imu.samples import ImuBlock
from imu.sensors.conversation import Advertisement
from imu.virtual.reference_chip import Cursor
from imu.virtual.reference_firmware import (
    LOW_BATTERY_PERCENT,
    MOST_SAMPLES_PER_PACKET,
    ReferenceFirmware,
    ReferenceParameters,
    obey,
)
from imu.virtual.twin import Characteristic, Notification, Property, Service, WriteRefused

MODEL = "IMU trainer (virtual)"
MANUFACTURER = "imu"
FIRMWARE = "1.0.0"

_READ_NOTIFY = Property.READ | Property.NOTIFY
_TEXTS = (
    protocol.MODEL_NUMBER_UUID,
    protocol.SERIAL_NUMBER_UUID,
    protocol.FIRMWARE_REVISION_UUID,
    protocol.MANUFACTURER_NAME_UUID,
)

SERVICES: Final = (
    Service(
        protocol.SERVICE_UUID,
        (
            Characteristic(protocol.INFO_UUID, Property.READ),
            Characteristic(protocol.CONFIG_UUID, _READ_NOTIFY),
            Characteristic(protocol.CONTROL_UUID, Property.WRITE | Property.INDICATE),
            Characteristic(protocol.DATA_UUID, Property.NOTIFY),
            Characteristic(protocol.BACKFILL_UUID, Property.NOTIFY),
            Characteristic(protocol.STATUS_UUID, _READ_NOTIFY),
            Characteristic(protocol.TIME_SYNC_UUID, Property.WRITE_WITHOUT_RESPONSE | Property.NOTIFY),
        ),
    ),
    Service(protocol.BATTERY_SERVICE_UUID, (Characteristic(protocol.BATTERY_LEVEL_UUID, _READ_NOTIFY),)),
    Service(protocol.DEVICE_INFORMATION_SERVICE_UUID, tuple(Characteristic(uuid, Property.READ) for uuid in _TEXTS)),
)
"""Our service, battery, device information."""


def device_information(serial: str) -> dict[str, str]:
    """Return the texts of the device information service, by characteristic."""
    return dict(zip(_TEXTS, (MODEL, serial, FIRMWARE, MANUFACTURER), strict=True))


MOST_ANSWERS = 4
"""Number of answers that may wait; a further request is refused."""
BACKFILL_AT_ONCE = 2
"""Packets of a resend sent with one step."""
LIVE_RESERVE = 3
"""Messages that a resend leaves room for."""
STATUS_EVERY_S = 1.0


class ReferenceTwin:
    """One virtual sensor with our firmware; a :class:`imu.virtual.twin.Twin`.

    Parameters
    ----------
    signal : ImuBlock
        Movement to measure, from the first START on; afterwards the person stands still.
    seed : int
        Seed of serial number, boot ids and the errors of its clocks.
    parameters : ReferenceParameters or None
        Properties of the sensor.
    """

    def __init__(self, signal: ImuBlock, seed: int, parameters: ReferenceParameters | None = None) -> None:
        self.firmware = ReferenceFirmware(signal, seed, parameters or ReferenceParameters())
        self.serial = f"VR{seed % 1_000_000:06d}"
        self._texts = device_information(self.serial)
        self._forget_link()

    def _forget_link(self) -> None:
        self._mtu = 23
        self._subscribed: set[str] = set()
        self._answers: deque[Answer] = deque()
        self._time_syncs: deque[TimeSync] = deque()
        self._config_sent: Config | None = None
        self._battery_sent: int | None = None
        self._status_due_s = 0.0
        self._sleep_next = False

    # --- for a radio ------------------------------------------------------------------------------------------------

    @property
    def advertisement(self) -> Advertisement:
        """Our service, and the name with the last digits of the serial number."""
        return Advertisement(protocol.NAME_PREFIX + self.serial[-4:], (protocol.SERVICE_UUID,))

    @property
    def services(self) -> tuple[Service, ...]:
        """Our service, battery, device information."""
        return SERVICES

    @property
    def asleep(self) -> bool:
        """Whether it has switched off until it is moved."""
        return self.firmware.asleep

    @property
    def battery_percent(self) -> int:
        """Charge of the battery; may be set while the twin runs."""
        return self.firmware.battery_percent

    @battery_percent.setter
    def battery_percent(self, percent: int) -> None:
        self.firmware.battery_percent = percent

    def reboot(self, now_s: float) -> None:
        """Boot, as after a change of the battery; the connection is lost."""
        self._forget_link()
        self.firmware.reboot(now_s)

    def connected(self, now_s: float, mtu: int) -> None:
        """Handle a new connection."""
        self._forget_link()
        self._mtu = mtu
        self.firmware.connected(now_s)

    def mtu_changed(self, mtu: int) -> None:
        """Take the new ATT MTU."""
        self._mtu = mtu

    def disconnected(self, now_s: float) -> None:
        """Continue to measure, and keep the samples."""
        self.firmware.advance(now_s)
        self.firmware.disconnected(now_s)
        self._forget_link()

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        """Start or end a subscription.

        The live stream begins with samples measured from now on.
        """
        self.firmware.advance(now_s)
        (self._subscribed.add if on else self._subscribed.discard)(characteristic)
        if characteristic == protocol.DATA_UUID:
            self.firmware.live = Cursor(self.firmware.ring.next_index) if on else None
        elif characteristic == protocol.CONFIG_UUID:
            self._config_sent = self.firmware.config()
        elif characteristic == protocol.BATTERY_LEVEL_UUID:
            self._battery_sent = self.battery_percent
        elif characteristic == protocol.STATUS_UUID:
            self._status_due_s = now_s + STATUS_EVERY_S
        elif characteristic == protocol.CONTROL_UUID and not on:
            self._answers.clear()

    def read(self, characteristic: str, now_s: float) -> bytes:
        """Return the content of the characteristic."""
        self.firmware.advance(now_s)
        match characteristic:
            case protocol.INFO_UUID:
                return self.firmware.info().encode()
            case protocol.CONFIG_UUID:
                return self.firmware.config().encode()
            case protocol.STATUS_UUID:
                return self.firmware.status(now_s).encode()
            case protocol.BATTERY_LEVEL_UUID:
                return bytes((self.battery_percent,))
        return self._texts[characteristic].encode()

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        """Process a request or a time sync.

        Raises
        ------
        WriteRefused
            If it cannot be answered with a message.
        """
        if characteristic == protocol.TIME_SYNC_UUID:
            self._take_time_sync(payload, now_s)
            return
        if len(payload) < 2:
            raise WriteRefused(AttError.INVALID_LENGTH)
        if protocol.CONTROL_UUID not in self._subscribed:
            raise WriteRefused(AttError.INDICATIONS_OFF)
        if len(self._answers) >= MOST_ANSWERS:
            raise WriteRefused(AttError.BUSY)
        request = protocol.decode_request(payload)
        if isinstance(request, Request):
            answer = obey(self.firmware, request, now_s)
            self._sleep_next = answer.op == Op.SLEEP
        else:
            known = payload[0] in list(Op)
            answer = Answer(
                payload[0] & 0x7F, payload[1], AnswerStatus.MISSING_FIELD if known else AnswerStatus.UNKNOWN_OP
            )
        self._answers.append(answer)

    def _take_time_sync(self, payload: bytes, now_s: float) -> None:
        time_sync = protocol.decode_time_sync(payload)
        if isinstance(time_sync, Undecodable):
            raise WriteRefused(AttError.INVALID_LENGTH)
        received_us = self.firmware.clock(now_s).microseconds(now_s)
        reply = TimeSync(TimeSyncOp.REPLY, time_sync.sequence, time_sync.host_sent_us, received_us)
        if time_sync.op is TimeSyncOp.REQUEST and protocol.TIME_SYNC_UUID in self._subscribed:
            self._time_syncs.append(reply)

    def step(self, now_s: float, room: int) -> tuple[Notification, ...]:
        """Return the messages due now."""
        if self.asleep:
            if self.firmware.moved(now_s):
                self.reboot(now_s)
            return ()
        self.firmware.advance(now_s)
        if self._sleep_next and not self._answers:
            self.firmware.asleep = True
            return ()
        urgent = tuple(islice(self._messages(now_s), room))
        return urgent + tuple(
            islice(self._backfill(), max(0, min(BACKFILL_AT_ONCE, room - len(urgent) - LIVE_RESERVE)))
        )

    # --- messages ---------------------------------------------------------------------------------------------------

    def _messages(self, now_s: float) -> Iterator[Notification]:
        """Yield all messages except a resend, the most urgent first; the others wait."""
        while self._answers:
            yield self._notification(protocol.CONTROL_UUID, self._answers.popleft())
        while self._time_syncs:
            asked = self._time_syncs.popleft()
            sent_us = self.firmware.clock(now_s).microseconds(now_s)
            reply = TimeSync(asked.op, asked.sequence, asked.host_sent_us, asked.device_received_us, sent_us)
            yield self._notification(protocol.TIME_SYNC_UUID, reply)
        while (packet := self._live_packet()) is not None:
            yield self._notification(protocol.DATA_UUID, packet)
        config = self.firmware.config()
        if protocol.CONFIG_UUID in self._subscribed and config != self._config_sent:
            self._config_sent = config
            yield self._notification(protocol.CONFIG_UUID, config)
        if protocol.BATTERY_LEVEL_UUID in self._subscribed and self.battery_percent != self._battery_sent:
            self._battery_sent = self.battery_percent
            yield Notification(protocol.BATTERY_LEVEL_UUID, bytes((self.battery_percent,)))
        if protocol.STATUS_UUID in self._subscribed and now_s >= self._status_due_s:
            self._status_due_s += STATUS_EVERY_S * (1 + (now_s - self._status_due_s) // STATUS_EVERY_S)
            yield self._notification(protocol.STATUS_UUID, self.firmware.status(now_s))

    def _notification(self, characteristic: str, record: protocol.Record) -> Notification:
        """Return a message, cut off at the MTU as on any sensor."""
        return Notification(characteristic, record.encode()[: self._mtu - 3])

    def _samples_per_packet(self, longest_ms: int = protocol.LIVE_MS) -> int:
        """Return the number of samples in a packet; 0 means compact packets."""
        fits = protocol.samples_per_packet(self._mtu, self.firmware.settings.nominal_rate_hz, longest_ms)
        return min(fits, MOST_SAMPLES_PER_PACKET)

    def _live_packet(self) -> SamplePacket | None:
        """Return the next live packet, if it is full."""
        live = self.firmware.live
        full = max(1, self._samples_per_packet())
        if live is None or live.waiting(self.firmware.ring) < full:
            return None
        first, counts, gap = live.take(self.firmware.ring, full)
        if not len(counts):
            return None
        return self._packet(PacketKind.LIVE, first, counts, gap)

    def _backfill(self) -> Iterator[Notification]:
        """Yield the packets of a resend, the last one without samples."""
        while (resend := self.firmware.resend) is not None and resend.end_index is not None:
            first, counts, gap = resend.take(self.firmware.ring, max(1, self._samples_per_packet(protocol.RESENT_MS)))
            if not len(counts):
                first, gap = resend.end_index, False
                self.firmware.resend = None
            if protocol.BACKFILL_UUID in self._subscribed:
                yield self._notification(protocol.BACKFILL_UUID, self._packet(PacketKind.BACKFILL, first, counts, gap))

    def _packet(self, kind: PacketKind, first: int, counts: Counts, gap: bool) -> SamplePacket:
        flags = protocol.saturation(counts)
        if gap:
            flags |= PacketFlags.SAMPLES_DROPPED
        if self.battery_percent <= LOW_BATTERY_PERCENT:
            flags |= PacketFlags.LOW_BATTERY
        time_us = self.firmware.time_us(first)
        if kind is PacketKind.LIVE and self._samples_per_packet() == 0:
            return SamplePacket(
                PacketKind.COMPACT,
                flags,
                self.firmware.epoch,
                first & 0xFFFF,
                time_us // 1000 % 0x10000 * 1000,
                counts,
            )
        return SamplePacket(kind, flags, self.firmware.epoch, first, time_us, counts)
