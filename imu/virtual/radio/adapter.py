"""The ends of the virtual radio at computers: the adapter of this one, and a door for other processes.

The adapter is what ``hci0`` is to a Linux program. Through the door, programs of other processes put their own
controllers onto the air of this one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from bumble import core, hci
from bumble.device import Advertisement, Connection, Device
from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import StreamPacketSink, StreamPacketSource, Transport, TransportLostError

from imu.virtual.radio.air import Controller, RadioLink

ANSWER_WITHIN_S = 5.0
"""Time within which a Bluetooth controller must answer, s."""

T = TypeVar("T")
AdvertisementHandler = Callable[[Advertisement], None]


class AdapterGone(Exception):
    """The controller does not answer: the simulator in another process has ended or never ran."""


async def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Await a request to bumble. If the caller is cancelled, the request still runs to its end.

    bumble awaits with `asyncio.wait_for`, which loses cancellations on Python 3.11, and the late answer to a dropped
    request would be taken for the answer to the next one.

    Raises
    ------
    AdapterGone
        If bumble cancels the request, which it does when a link is lost.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # marks the exception as retrieved
    await asyncio.wait({task})
    if task.cancelled():
        raise AdapterGone("disconnected")
    return task.result()


class Adapter:
    """The Bluetooth adapter of this computer: one bumble host on one controller, shared by all scanners and clients.

    Parameters
    ----------
    air : RadioLink or str
        The virtual air of this process, or the name of a bumble transport, such as ``tcp-client:HOST:PORT``. A
        controller at a transport may vanish and come back: its links are lost, and the next scan or connection
        opens it again.
    """

    def __init__(self, air: RadioLink | str) -> None:
        self._air = air
        self._address = hci.Address.generate_static_address()  # bumble's controllers use random addresses
        self._device: Device | None = None
        self._controller: Controller | None = None
        self._transport: Transport | None = None
        self._opening = asyncio.Lock()
        self._connecting = asyncio.Lock()
        self._scanning = asyncio.Lock()
        self._scanners: list[AdvertisementHandler] = []

    async def open(self) -> Device:
        """Return the host; open it first if necessary.

        Raises
        ------
        AdapterGone
            If the controller does not answer.
        """
        async with self._opening:
            if self._device is None:
                if isinstance(self._air, RadioLink):
                    self._controller = Controller("computer", link=self._air)
                    device = Device("computer", self._address, host=Host(self._controller, self._controller))
                else:
                    device = await self._reach(self._air)
                await self._power_on(device)
                device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
                self._device = device
            return self._device

    async def _power_on(self, device: Device) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await run_to_end(device.power_on())
        except (TransportLostError, TimeoutError) as silent:
            if self._transport is not None:
                await self._transport.close()
                self._transport = None
            raise AdapterGone(f"{self._air} does not answer as a Bluetooth controller does") from silent

    async def _reach(self, name: str) -> Device:
        try:
            self._transport = await open_transport(name)
        except OSError as unreachable:
            raise AdapterGone(f"{name} does not answer: {unreachable}") from unreachable
        device = Device.with_hci("computer", self._address, self._transport.source, self._transport.sink)
        self._transport.source.terminated.add_done_callback(partial(self._on_lost, device))
        return device

    async def close(self) -> None:
        """End all connections and switch off."""
        device, self._device = self._device, None
        self._scanners.clear()
        if device is not None:
            for connection in list(device.connections.values()):
                with contextlib.suppress(core.BaseBumbleError):
                    await connection.disconnect()
            await device.power_off()
        if self._controller is not None and isinstance(self._air, RadioLink):
            self._controller.drop_links()
            self._air.remove_controller(self._controller)
            self._controller = None
        if self._transport is not None:
            await self._transport.close()
            self._transport = None

    def _on_lost(self, device: Device, terminated: asyncio.Future[None]) -> None:
        """Report every link as lost: the controller is gone."""
        del terminated
        if self._device is device:
            self._device = None
            self._transport = None
        for connection in list(device.connections.values()):
            device.on_disconnection(connection.handle, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    # --- scanning ---------------------------------------------------------------------------------------------------

    async def add_scanner(self, handler: AdvertisementHandler, *, active: bool) -> None:
        """Scan until the last handler is removed; each handler receives every advertisement."""
        async with self._scanning:
            device = await self.open()
            if not device.is_scanning:
                await run_to_end(device.start_scanning(active=active, filter_duplicates=False))
            self._scanners.append(handler)

    async def remove_scanner(self, handler: AdvertisementHandler) -> None:
        """Remove a handler, if it is there; stop scanning after the last one."""
        async with self._scanning:
            if handler in self._scanners:
                self._scanners.remove(handler)
            if not self._scanners and self._device is not None and self._device.is_scanning:
                with contextlib.suppress(TransportLostError, AdapterGone):
                    await run_to_end(self._device.stop_scanning())

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        for handler in list(self._scanners):
            handler(advertisement)

    # --- connecting -------------------------------------------------------------------------------------------------

    async def connect(self, address: hci.Address) -> Connection:
        """Connect to an address as soon as it advertises. A cancelled request leaves no connection behind.

        Raises
        ------
        AdapterGone
            If the controller does not answer.
        ConnectionError
            If the connection fails.
        """
        async with self._connecting:  # a controller makes one connection at a time
            device = await self.open()
            attempt = asyncio.ensure_future(device.connect(address))
            try:
                await asyncio.wait({attempt})
            except asyncio.CancelledError:
                await self._withdraw(device, attempt)
                raise
            if attempt.cancelled():
                raise AdapterGone("the controller vanished")
            try:
                return attempt.result()
            except TransportLostError as lost:
                raise AdapterGone("the controller vanished") from lost
            except core.BaseBumbleError as failed:
                raise ConnectionError(str(failed)) from failed

    async def _withdraw(self, device: Device, attempt: asyncio.Future[Connection]) -> None:
        """Cancel a connection request, and disconnect if it has succeeded meanwhile."""
        with contextlib.suppress(core.BaseBumbleError):  # it may have succeeded
            await device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
        with contextlib.suppress(core.BaseBumbleError, asyncio.CancelledError):
            connection = await attempt
            await connection.disconnect()


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
