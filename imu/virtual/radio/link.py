"""The air of the virtual radio: bumble's link, with what a real Bluetooth LE link does.

bumble 0.0.236 delivers at once, loses nothing and knows no distance. Here data moves at connection events only, events
can be missed, a sensor can go out of range, and after the supervision timeout both ends learn that the link is lost.
This module refuses to know what is sent.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from dataclasses import dataclass, field

from bumble import controller as bumble_controller
from bumble import core, hci, link, ll

from imu.virtual.radio.conditions import RadioConditions
from imu.virtual.radio.controller import LL_PACKET_BYTES, Controller

EVENTS_TO_ESTABLISH = 6
"""Connection events after which a connection that was never answered is given up; from the Bluetooth standard."""
SOONEST_EVENT_S = 0.0075
"""The shortest connection interval of the standard; how often a link without one is tried again."""


@dataclass(slots=True, eq=False)
class Path:
    """The air around one sensor: its conditions, and what waits to be sent on its link, in both directions."""

    sensor: Controller
    conditions: RadioConditions
    chance: random.Random
    silent_since: float | None = None
    """When it went out of range, on the loop's clock; None in range."""
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
        Which connection events are missed follows from it.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seed = seed
        self._paths: dict[bumble_controller.Controller, Path] = {}

    def add_sensor(self, sensor: Controller, conditions: RadioConditions) -> Path:
        """Give a sensor's controller its place in the air."""
        path = Path(sensor, conditions, random.Random(self._seed + len(self._paths)))
        self._paths[sensor] = path
        return path

    def add_controller(self, controller: bumble_controller.Controller) -> None:
        """Take a controller into the air."""
        super().add_controller(controller)
        if isinstance(controller, Controller):
            controller.when_unlinked = self._forget

    def remove_controller(self, controller: bumble_controller.Controller) -> None:
        """Take a controller, switched off, out of the air."""
        super().remove_controller(controller)
        path = self._paths.pop(controller, None)
        if path is not None and path.timer is not None:
            path.timer.cancel()

    def out_of_range(self, path: Path) -> None:
        """Let nothing through to the sensor and from it; the link is lost after the supervision timeout."""
        if path.silent_since is not None:
            return
        path.silent_since = asyncio.get_running_loop().time()
        for connection in list(path.sensor.le_connections.values()):
            self._lose_later(path.sensor, connection, path.silent_since)
            central = self.find_le_controller(connection.peer_address)
            if central is not None and (other_end := central.le_connections.get(connection.self_address)):
                self._lose_later(central, other_end, path.silent_since)

    def in_range(self, path: Path) -> None:
        """Let everything through again."""
        path.silent_since = None
        self._arm(path, path.conditions.interval_s)

    # --- what bumble's controllers ask of the air -------------------------------------------------------------------

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
        """Let the centrals hear an advertisement, or the sensor a request to connect."""
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
        """Carry what the controllers say to each other; a farewell that is not heard becomes a lost link."""
        receiver = self.find_le_controller(receiver_address)
        connection = receiver.le_connections.get(sender_address) if receiver is not None else None
        if receiver is None or connection is None:
            return
        path = self._path(receiver, sender_address)
        if path is None or path.silent_since is None:
            asyncio.get_running_loop().call_soon(self._tell, receiver, sender_address, packet)
        elif isinstance(packet, ll.TerminateInd):
            self._lose_later(receiver, connection)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _path(self, controller: bumble_controller.Controller, peer: hci.Address) -> Path | None:
        """Return the path of whichever of the two is a sensor."""
        if controller in self._paths:
            return self._paths[controller]
        for path in self._paths.values():
            if path.sensor.random_address == peer:
                return path
        return None

    def _forget(self, controller: bumble_controller.Controller, peer: hci.Address) -> None:
        """Throw away what waited for a link that is no more; another central may have one to the same sensor."""
        path = self._path(controller, peer)
        if path is None:
            return
        ends = {controller.random_address, peer}
        for sender, queue in path.waiting.items():
            path.waiting[sender] = deque(each for each in queue if {sender.random_address, each[0]} != ends)

    def _tell(self, receiver: bumble_controller.Controller, sender_address: hci.Address, packet: ll.ControlPdu) -> None:
        if sender_address in receiver.le_connections:  # both may have hung up at once
            receiver.on_ll_control_pdu(sender_address, packet)

    def _connect(self, central: bumble_controller.Controller, request: ll.ConnectInd) -> None:
        """Pass a request to connect on; one that the sensor does not hear, or has no use for, fails."""
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
        """Plan the next connection event if there is anything to carry."""
        if path.timer is None and path.silent_since is None and any(path.waiting.values()):
            loop = asyncio.get_running_loop()
            # A millionth of an interval: the clock may stand on an event, or by rounding just before it.
            at_s = (math.floor(loop.time() / delay_s + 1e-6) + 1) * delay_s if delay_s else loop.time()
            path.timer = loop.call_at(at_s, self._connection_event, path)

    def _connection_event(self, path: Path) -> None:
        """Carry what fits into one connection event."""
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
