"""The Bluetooth adapter of this computer on the virtual radio: what ``hci0`` is to a Linux program.

One bumble host on one controller, shared by all scanners and clients; either on the virtual air of this process, or on
a controller elsewhere (``tcp-client:HOST:PORT`` and every other transport that bumble knows). A controller elsewhere
may vanish and come back: then all links are lost, and the next scan or connection opens it anew. This module refuses
to know bleak and GATT.
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
from bumble.transport.common import Transport, TransportLostError

from imu.virtual.radio.controller import Controller
from imu.virtual.radio.link import RadioLink

ANSWER_WITHIN_S = 5.0
"""Whatever does not answer within this is no Bluetooth controller."""

T = TypeVar("T")
AdvertisementHandler = Callable[[Advertisement], None]


class AdapterGone(Exception):
    """The controller does not answer: the simulator in another process has ended, or was never there."""


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Await work of bumble; a caller that is cancelled leaves it to end by itself.

    bumble awaits with `asyncio.wait_for`, which loses cancellations on Python 3.11, and a request that is dropped
    half-way would get its answer mixed up with that of the next.

    Raises
    ------
    AdapterGone
        If bumble cancels the work, which it does when a link is lost.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may fail with nobody waiting
    await asyncio.wait({task})
    if task.cancelled():
        raise AdapterGone("disconnected")
    return task.result()


class Adapter:
    """A Bluetooth adapter.

    Parameters
    ----------
    air : RadioLink or str
        The virtual air of this process, or the name of a bumble transport.
    """

    def __init__(self, air: RadioLink | str) -> None:
        self._air = air
        self._address = hci.Address.generate_static_address()  # bumble's controllers know their peers by random address
        self._device: Device | None = None
        self._controller: Controller | None = None
        self._transport: Transport | None = None
        self._opening = asyncio.Lock()
        self._connecting = asyncio.Lock()
        self._scanning = asyncio.Lock()
        self._scanners: list[AdvertisementHandler] = []

    async def open(self) -> Device:
        """Return the host, opened if it is not open.

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
                await to_its_end(device.power_on())
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
        """Hang up on everything."""
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
        """Lose every link: the controller is gone."""
        del terminated
        if self._device is device:
            self._device = None
            self._transport = None
        for connection in list(device.connections.values()):
            device.on_disconnection(connection.handle, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    # --- scanning ---------------------------------------------------------------------------------------------------

    async def add_scanner(self, handler: AdvertisementHandler, *, active: bool) -> None:
        """Scan until there is no scanner any more; each handler gets every advertisement."""
        async with self._scanning:
            device = await self.open()
            if not device.is_scanning:
                await to_its_end(device.start_scanning(active=active, filter_duplicates=False))
            self._scanners.append(handler)

    async def remove_scanner(self, handler: AdvertisementHandler) -> None:
        """Give a handler no more; one that gets nothing is fine."""
        async with self._scanning:
            if handler in self._scanners:
                self._scanners.remove(handler)
            if not self._scanners and self._device is not None and self._device.is_scanning:
                with contextlib.suppress(TransportLostError, AdapterGone):
                    await to_its_end(self._device.stop_scanning())

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        for handler in list(self._scanners):
            handler(advertisement)

    # --- connecting -------------------------------------------------------------------------------------------------

    async def connect(self, address: hci.Address) -> Connection:
        """Connect to an address; waits until it is heard. A cancelled request leaves nothing behind.

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
                await self._take_back(device, attempt)
                raise
            if attempt.cancelled():
                raise AdapterGone("the controller vanished")
            try:
                return attempt.result()
            except TransportLostError as lost:
                raise AdapterGone("the controller vanished") from lost
            except core.BaseBumbleError as failed:
                raise ConnectionError(str(failed)) from failed

    async def _take_back(self, device: Device, attempt: asyncio.Future[Connection]) -> None:
        """Cancel a request to connect, and hang up if it was fulfilled meanwhile."""
        with contextlib.suppress(core.BaseBumbleError):  # it may have been fulfilled
            await device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
        with contextlib.suppress(core.BaseBumbleError, asyncio.CancelledError):
            connection = await attempt
            await connection.disconnect()
