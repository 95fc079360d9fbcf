"""The air of the virtual radio, the controllers in it, the bytes of advertisements, and a door for other processes.

bumble 0.0.236 delivers at once, loses nothing and has no distance. Here data moves at connection events only, events
can be missed, a sensor can go out of range, and after the supervision timeout both ends lose the link.
Through the door, programs of other processes put their own controllers onto the air of this one.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from bumble import controller as bumble_controller
from bumble import core, hci, link, ll
from bumble.core import UUID, AdvertisingData
from bumble.transport.common import StreamPacketSink, StreamPacketSource

from imu.sensors.conversation import Advertisement
from imu.virtual.radio import RadioConditions

LL_PACKET_BYTES = 251
"""Data that fits into one link-layer packet with the data length extension."""


def _nothing(controller: Controller, peer: hci.Address) -> None:
    """Ignore the call."""


class Controller(bumble_controller.Controller):
    """A virtual Bluetooth controller: that of bumble 0.0.236 with corrections.

    They concern cancelled connection requests, resets, scan responses, signal strength, and packets of 251 bytes.
    """

    # bumble has 27, which splits one notification into ten HCI packets.
    le_acl_data_packet_length = LL_PACKET_BYTES
    # Without these two features, hosts use the legacy commands; bumble answers only those completely
    # (google/bumble#841).
    le_features = bumble_controller.Controller.le_features & ~(
        hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
    )
    when_unlinked: Callable[[Controller, hci.Address], None] = staticmethod(_nothing)
    """Called when a link to a peer has ended."""
    congested = False
    """Whether the host has stopped reading; the controller then accepts no data from the air."""

    def on_hci_le_create_connection_cancel_command(
        self, command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Withdraw the request; bumble keeps it, and the next advertisement would make an unwanted connection."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is not None:
            cancelled = hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
            asyncio.get_running_loop().call_soon(self.send_hci_packet, cancelled)
        return super().on_hci_le_create_connection_cancel_command(command)

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Drop the links; bumble keeps them, and a sensor would stay connected to a dead host."""
        self.drop_links()
        return super().on_hci_reset_command(command)

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Pass data to the air; drop data that the host sent before the loss of the link reached it."""
        if self.find_connection_by_handle(packet.connection_handle) is not None:
            super().on_hci_acl_data_packet(packet)

    def drop_links(self) -> None:
        """End every link, and stop scanning, connecting and advertising."""
        self.pending_le_connection = None
        self.le_scan_enable = False
        self.le_legacy_advertiser.stop()
        for connection in list(self.le_connections.values()):
            connection.send_ll_control_pdu(ll.TerminateInd(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR))
        self.le_connections.clear()

    def on_le_disconnected(self, connection: bumble_controller.Connection, reason: int) -> None:
        """Discard the data that waits for the link."""
        super().on_le_disconnected(connection, reason)
        self.when_unlinked(self, connection.peer_address)

    def hear(self, advertiser: bumble_controller.LegacyAdvertiser, rssi_dbm: int) -> None:
        """Report an advertisement and its scan response to the host; connect if a request waits for this sensor."""
        if self.le_scan_enable:
            kinds = hci.HCI_LE_Advertising_Report_Event.EventType
            self._report(kinds.ADV_IND, advertiser.address, advertiser.advertising_data, rssi_dbm)
            if self.le_scan_type == hci.HCI_LE_Set_Scan_Parameters_Command.ACTIVE_SCANNING:
                self._report(kinds.SCAN_RSP, advertiser.address, advertiser.scan_response_data, rssi_dbm)
        if self.pending_le_connection is not None and self.pending_le_connection.peer_address == advertiser.address:
            self.create_le_connection(advertiser.address)

    def _report(
        self,
        kind: hci.HCI_LE_Advertising_Report_Event.EventType,
        address: hci.Address,
        data: bytes,
        rssi_dbm: int,
    ) -> None:
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=kind, address_type=address.address_type, address=address, data=data, rssi=rssi_dbm
        )
        self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))


# --- the air ---------------------------------------------------------------------------------------------------------

EVENTS_TO_ESTABLISH = 6
"""Connection events after which an unanswered connection fails; from the Bluetooth standard."""
SOONEST_EVENT_S = 0.0075
"""The shortest connection interval of the standard; a link without an interval retries this often."""


@dataclass(slots=True, eq=False)
class Path:
    """The air around one sensor: its conditions, and the data that waits for its link, in both directions."""

    sensor: Controller
    conditions: RadioConditions
    chance: random.Random
    silent_since: float | None = None
    """Time at which the sensor went out of range, on the loop's clock; None in range."""
    waiting: dict[bumble_controller.Controller, deque[tuple[hci.Address, bytes]]] = field(default_factory=dict)
    timer: asyncio.Handle | None = None

    @property
    def backlog(self) -> int:
        """Messages of the sensor that wait for a connection event."""
        return len(self.waiting.get(self.sensor, ()))


class RadioLink(link.LocalLink):
    """The air that all virtual controllers share; each sensor has its own :class:`Path` in it.

    Parameters
    ----------
    seed : int
        Seed of the choice of missed connection events.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seed = seed
        self._paths: dict[bumble_controller.Controller, Path] = {}

    def add_sensor(self, sensor: Controller, conditions: RadioConditions) -> Path:
        """Add the controller of a sensor; return its path."""
        path = Path(sensor, conditions, random.Random(self._seed + len(self._paths)))
        self._paths[sensor] = path
        return path

    def add_controller(self, controller: bumble_controller.Controller) -> None:
        """Add a controller."""
        super().add_controller(controller)
        if isinstance(controller, Controller):
            controller.when_unlinked = self._forget

    def remove_controller(self, controller: bumble_controller.Controller) -> None:
        """Remove a controller that is switched off."""
        super().remove_controller(controller)
        path = self._paths.pop(controller, None)
        if path is not None and path.timer is not None:
            path.timer.cancel()

    def out_of_range(self, path: Path) -> None:
        """Block the path in both directions; the link is lost after the supervision timeout."""
        if path.silent_since is not None:
            return
        path.silent_since = asyncio.get_running_loop().time()
        for connection in list(path.sensor.le_connections.values()):
            self._lose_later(path.sensor, connection, path.silent_since)
            central = self.find_le_controller(connection.peer_address)
            if central is not None and (other_end := central.le_connections.get(connection.self_address)):
                self._lose_later(central, other_end, path.silent_since)

    def in_range(self, path: Path) -> None:
        """Open the path again."""
        path.silent_since = None
        self._arm(path, path.conditions.interval_s)

    # --- called by bumble's controllers -----------------------------------------------------------------------------

    def send_acl_data(
        self,
        sender_controller: bumble_controller.Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        """Queue data for the next connection event."""
        path = self._path(sender_controller, destination_address)
        if path is None or transport is not core.PhysicalTransport.LE:
            return
        path.waiting.setdefault(sender_controller, deque()).append((destination_address, data))
        self._arm(path, path.conditions.interval_s)

    def send_advertising_pdu(self, sender_controller: bumble_controller.Controller, packet: ll.AdvertisingPdu) -> None:
        """Deliver an advertisement to the centrals, or a connection request to the sensor."""
        loop = asyncio.get_running_loop()
        if isinstance(packet, ll.ConnectInd):
            loop.call_soon(self._connect, sender_controller, packet)
            return
        path = self._paths.get(sender_controller)
        if path is None or path.silent_since is not None:
            return
        for central in self.controllers:
            if isinstance(central, Controller) and central not in self._paths:
                loop.call_soon(central.hear, path.sensor.le_legacy_advertiser, path.conditions.rssi_dbm)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """Deliver a control message; a termination that is out of range becomes a lost link."""
        receiver = self.find_le_controller(receiver_address)
        connection = receiver.le_connections.get(sender_address) if receiver is not None else None
        if receiver is None or connection is None:
            return
        path = self._path(receiver, sender_address)
        if path is None or path.silent_since is None:
            asyncio.get_running_loop().call_soon(self._deliver, receiver, sender_address, packet)
        elif isinstance(packet, ll.TerminateInd):
            self._lose_later(receiver, connection)

    # --- paths, losses and connection events ------------------------------------------------------------------------

    def _path(self, controller: bumble_controller.Controller, peer: hci.Address) -> Path | None:
        """Return the path of the one of the two that is a sensor."""
        if controller in self._paths:
            return self._paths[controller]
        for path in self._paths.values():
            if path.sensor.random_address == peer:
                return path
        return None

    def _forget(self, controller: bumble_controller.Controller, peer: hci.Address) -> None:
        """Discard the data that waits for an ended link, but not that for other centrals of the same sensor."""
        path = self._path(controller, peer)
        if path is None:
            return
        ends = {controller.random_address, peer}
        for sender, queue in path.waiting.items():
            path.waiting[sender] = deque(each for each in queue if {sender.random_address, each[0]} != ends)

    def _deliver(
        self, receiver: bumble_controller.Controller, sender_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        if sender_address in receiver.le_connections:  # both ends may have hung up at once
            receiver.on_ll_control_pdu(sender_address, packet)

    def _connect(self, central: bumble_controller.Controller, request: ll.ConnectInd) -> None:
        """Pass a connection request on; it fails if the sensor is out of range or already connected."""
        path = self._path(central, request.advertiser_address)
        if path is not None and path.silent_since is None:
            path.sensor.on_ll_advertising_pdu(request)
            if request.initiator_address in path.sensor.le_connections:
                return
        connection = central.le_connections.get(request.advertiser_address)
        if connection is not None:
            interval_s = path.conditions.interval_s if path is not None else SOONEST_EVENT_S
            reason = hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
            asyncio.get_running_loop().call_later(
                EVENTS_TO_ESTABLISH * interval_s, self._lose, central, connection, reason, None
            )

    def _lose_later(
        self,
        controller: bumble_controller.Controller,
        connection: bumble_controller.Connection,
        silent_since: float | None = None,
    ) -> None:
        """Lose a link after the supervision timeout; with `silent_since`, only if that silence still lasts."""
        path = self._path(controller, connection.peer_address)
        timeout_s = path.conditions.supervision_timeout_s if path is not None else 0.0
        reason = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
        asyncio.get_running_loop().call_later(timeout_s, self._lose, controller, connection, reason, silent_since)

    def _lose(
        self,
        controller: bumble_controller.Controller,
        connection: bumble_controller.Connection,
        reason: int,
        silent_since: float | None,
    ) -> None:
        if controller.le_connections.get(connection.peer_address) is not connection:
            return
        path = self._path(controller, connection.peer_address)
        if silent_since is None or path is None or path.silent_since == silent_since:
            controller.on_le_disconnected(connection, reason)

    def _arm(self, path: Path, delay_s: float) -> None:
        """Schedule the next connection event if data waits."""
        if path.timer is None and path.silent_since is None and any(path.waiting.values()):
            loop = asyncio.get_running_loop()
            # The 1e-6: the clock may stand exactly on an event, and rounding must not give the same event again.
            at_s = (math.floor(loop.time() / delay_s + 1e-6) + 1) * delay_s if delay_s else loop.time()
            path.timer = loop.call_at(at_s, self._connection_event, path)

    def _connection_event(self, path: Path) -> None:
        """Carry the data that fits into one connection event."""
        path.timer = None
        if path.silent_since is None and path.chance.random() >= path.conditions.missed_events:
            for sender, queue in list(path.waiting.items()):
                self._carry(sender, queue, path.conditions)
        self._arm(path, path.conditions.interval_s or SOONEST_EVENT_S)

    def _carry(
        self,
        sender: bumble_controller.Controller,
        queue: deque[tuple[hci.Address, bytes]],
        conditions: RadioConditions,
    ) -> None:
        room = conditions.packets_per_event if conditions.interval_s else len(queue) * LL_PACKET_BYTES
        while queue and room > 0:
            address, data = queue[0]
            receiver = self.find_le_controller(address)
            if isinstance(receiver, Controller) and receiver.congested:
                return
            queue.popleft()
            room -= -(-len(data) // LL_PACKET_BYTES)
            if receiver is not None and sender.random_address in receiver.le_connections:
                receiver.on_link_acl_data(sender.random_address, core.PhysicalTransport.LE, data)


# --- advertisements as bytes; UUIDs in short and full form ------------------------------------------------------------

ROOM_BYTES = 31
"""Bytes in an advertisement, and in a scan response."""
_SIG_UUID_END = "-0000-1000-8000-00805f9b34fb"
_TYPES = AdvertisingData.Type
_FLAGS = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
_SERVICE_TYPES = (
    _TYPES.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    _TYPES.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    _TYPES.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    _TYPES.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)


def uuid_of(text: str) -> UUID:
    """Return a UUID; one of the Bluetooth SIG in its 16-bit form, as sensors store it."""
    if text.startswith("0000") and text.endswith(_SIG_UUID_END):
        return UUID(text[4:8])
    return UUID(text)


def uuid_text(uuid: UUID) -> str:
    """Return a UUID in full, lower case."""
    text = uuid.to_hex_str("-").lower()
    return f"{text:0>8}{_SIG_UUID_END}" if len(text) <= 8 else text


def encode_advertisement(advertisement: Advertisement) -> tuple[bytes, bytes]:
    """Return advertising data and scan response; each part goes into the first of the two that has room.

    Raises
    ------
    ValueError
        If a part fits into neither.
    """
    advertising, response = bytearray(bytes((2, _TYPES.FLAGS, _FLAGS))), bytearray()
    for kind, value in _parts(advertisement):
        part = bytes((len(value) + 1, kind)) + value
        place = next((data for data in (advertising, response) if len(data) + len(part) <= ROOM_BYTES), None)
        if place is None:
            raise ValueError(f"{advertisement} does not fit into an advertisement and its scan response")
        place += part
    return bytes(advertising), bytes(response)


def _parts(advertisement: Advertisement) -> list[tuple[int, bytes]]:
    uuids = [bytes(uuid_of(text)) for text in advertisement.services]
    short, long = b"".join(u for u in uuids if len(u) == 2), b"".join(u for u in uuids if len(u) == 16)
    parts = [
        (int(_TYPES.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS), short),
        (int(_TYPES.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS), long),
        (int(_TYPES.COMPLETE_LOCAL_NAME), (advertisement.name or "").encode()),
    ]
    parts += [
        (int(_TYPES.MANUFACTURER_SPECIFIC_DATA), company.to_bytes(2, "little") + data)
        for company, data in advertisement.manufacturer_data.items()
    ]
    return [(kind, value) for kind, value in parts if value]


def decode_advertisement(data: AdvertisingData) -> tuple[Advertisement, int | None]:
    """Return the advertisement and, if it is included, the transmit power in dBm."""
    name: str | None = None
    services: list[str] = []
    manufacturer_data: dict[int, bytes] = {}
    tx_power_dbm: int | None = None
    for kind, value in data.ad_structures:
        if kind in _SERVICE_TYPES:
            size = 2 if kind in _SERVICE_TYPES[:2] else 16
            starts = range(0, len(value) - size + 1, size)
            services += [uuid_text(UUID.from_bytes(value[at : at + size])) for at in starts]
        elif kind == _TYPES.COMPLETE_LOCAL_NAME or (kind == _TYPES.SHORTENED_LOCAL_NAME and name is None):
            name = value.decode(errors="replace")
        elif kind == _TYPES.MANUFACTURER_SPECIFIC_DATA and len(value) >= 2:
            manufacturer_data[int.from_bytes(value[:2], "little")] = value[2:]
        elif kind == _TYPES.TX_POWER_LEVEL and len(value) == 1:
            tx_power_dbm = int.from_bytes(value, "little", signed=True)
    return Advertisement(name, tuple(services), MappingProxyType(manufacturer_data)), tx_power_dbm


# --- other processes -------------------------------------------------------------------------------------------------

MOST_UNREAD_BYTES = 16_384
"""Unread data at which the controller of a program accepts no more from the air."""


class _Visitor(StreamPacketSource):
    """A program of another process: its TCP connection carries HCI, as a serial line to a controller does.

    The controller goes with its program: when that is killed, its links end at once, so that the next program can
    connect to the sensors.
    """

    def __init__(self, link: RadioLink, visitors: set[_Visitor]) -> None:
        super().__init__()
        self._link = link
        self._visitors = visitors
        self._controller: Controller | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.WriteTransport):
            raise TypeError(f"nothing can be written to {transport}")
        transport.set_write_buffer_limits(high=MOST_UNREAD_BYTES)
        self._transport = transport
        self._controller = Controller(
            "visitor", host_source=self, host_sink=StreamPacketSink(transport), link=self._link
        )
        self._visitors.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # killed or closed: the same
        self._visitors.discard(self)
        if self._controller is not None:
            self._controller.host = None
            self._controller.drop_links()
            self._link.remove_controller(self._controller)
        self.on_transport_lost()

    def pause_writing(self) -> None:
        if self._controller is not None:
            self._controller.congested = True

    def resume_writing(self) -> None:
        if self._controller is not None:
            self._controller.congested = False

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Door:
    """The TCP port at which programs of other processes enter the air."""

    def __init__(self, server: asyncio.Server, visitors: set[_Visitor]) -> None:
        self._server = server
        self._visitors = visitors

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening, and end the connections of all programs."""
        self._server.close()
        for visitor in list(self._visitors):
            visitor.close()
        await self._server.wait_closed()


async def open_door(link: RadioLink, host: str, port: int) -> Door:
    """Listen on a TCP port; 0 takes any free one.

    Raises
    ------
    OSError
        If the port is not available.
    """
    visitors: set[_Visitor] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Visitor(link, visitors), host, port)
    return Door(server, visitors)
