"""The end of the virtual radio at this computer: its adapter, and bleak's backends on it.

The adapter is what ``hci0`` is to a Linux program. ``BleakScanner(backend=…)`` and ``BleakClient(backend=…)`` take a
class, so `backends_of` binds the two classes at the end to an adapter. They behave as bleak's own backends do, errors
included.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, ClassVar, TypeVar

from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import att, core, hci
from bumble.device import Advertisement, Connection, Device, Peer
from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import Transport, TransportLostError

from imu.virtual.radio.air import Controller, RadioLink, decode_advertisement, uuid_text

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


# --- bleak's backends -------------------------------------------------------------------------------------------------

LARGEST_MTU = 517
"""The MTU that operating systems ask for; the sensor may choose a smaller one."""
UNCONNECTED_MTU = 23
LONGEST_SEARCH_S = 10.0
"""Longest search of a client that has only an address, s."""


def backends_of(adapter: Adapter) -> tuple[type[BaseBleakScanner], type[BaseBleakClient]]:
    """Return the scanner class and the client class that work on `adapter`."""
    bound = {"adapter": adapter}
    return type("VirtualScanner", (_Scanner,), bound), type("VirtualClient", (_Client,), bound)


class _Scanner(BaseBleakScanner):
    """A scanner that receives the advertisements of the adapter."""

    adapter: ClassVar[Adapter]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str = "active",
        **kwargs: Any,
    ) -> None:
        del kwargs  # options of other backends
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"

    async def start(self) -> None:
        self.seen_devices = {}
        try:
            await self.adapter.add_scanner(self._on_advertisement, active=self._active)
        except AdapterGone as gone:
            raise BleakError(str(gone)) from gone

    async def stop(self) -> None:
        await self.adapter.remove_scanner(self._on_advertisement)

    def _on_advertisement(self, report: Advertisement) -> None:
        advertised, tx_power_dbm = decode_advertisement(report.data)
        if not self.is_allowed_uuid(list(advertised.services)):
            return
        data = AdvertisementData(
            local_name=advertised.name,
            manufacturer_data=dict(advertised.manufacturer_data),
            service_data={},
            service_uuids=list(advertised.services),
            tx_power=tx_power_dbm,
            rssi=report.rssi,
            platform_data=(report,),
        )
        address = report.address.to_string(with_type_qualifier=False)
        device = self.create_or_update_device(address, address, advertised.name, report.address, data)
        self.call_detection_callbacks(device, data)


class _Client(BaseBleakClient):
    """A client that makes one connection at a time."""

    adapter: ClassVar[Adapter]

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout, **kwargs)
        known = address_or_ble_device if isinstance(address_or_ble_device, BLEDevice) else None
        self._hci_address: hci.Address | None = known.details if known else None
        self._name = known.name if known else None
        self._wanted_services = services
        self._connection: Connection | None = None

    @property
    def name(self) -> str:
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return self._connection.att_mtu if self._connection is not None else UNCONNECTED_MTU

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    # --- connecting -------------------------------------------------------------------------------------------------

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        del kwargs  # options of other backends
        if self.is_connected:
            raise BleakError("Already connected")
        if self._hci_address is None:
            self._hci_address = await self._find()
        try:
            async with asyncio.timeout(self._timeout):
                await self._link(self._hci_address)
                if pair:
                    await self.pair()
                await self._discover()
        except BaseException:
            await self.disconnect()
            raise

    async def _find(self) -> hci.Address:
        """Scan for the address; return it as bumble needs it."""
        peer: asyncio.Future[hci.Address] = asyncio.get_running_loop().create_future()

        def on_advertisement(report: Advertisement) -> None:
            heard_address = report.address.to_string(with_type_qualifier=False)
            if heard_address.upper() == self.address.upper() and not peer.done():
                self._name = decode_advertisement(report.data)[0].name
                peer.set_result(report.address)

        try:
            await self.adapter.add_scanner(on_advertisement, active=True)
            return await asyncio.wait_for(peer, min(self._timeout, LONGEST_SEARCH_S))
        except AdapterGone as gone:
            raise BleakError(str(gone)) from gone
        except TimeoutError as not_heard:
            raise BleakDeviceNotFoundError(
                self.address, f"Device with address {self.address} was not found."
            ) from not_heard
        finally:
            await self.adapter.remove_scanner(on_advertisement)

    async def _link(self, address: hci.Address) -> None:
        try:
            connection = await self.adapter.connect(address)
        except (AdapterGone, ConnectionError) as failed:
            raise BleakError(f"failed to connect: {failed}") from failed
        if connection not in connection.device.connections.values():  # lost before the listener below was set
            raise BleakError("failed to connect: disconnected")
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        self._connection = connection

    async def _discover(self) -> None:
        """Request a large MTU, which bumble does not do by itself, and read the services."""
        peer = Peer(self._linked())
        await self._io(peer.request_mtu(LARGEST_MTU))
        services = BleakGATTServiceCollection()
        for service in await self._io(peer.discover_services()):
            uuid = uuid_text(service.uuid)
            if self._wanted_services and uuid not in self._wanted_services:
                continue
            ours = BleakGATTService(service, service.handle, uuid)
            services.add_service(ours)
            for characteristic in await self._io(service.discover_characteristics()):
                described = BleakGATTCharacteristic(
                    characteristic,
                    characteristic.handle,
                    uuid_text(characteristic.uuid),
                    list(gatt_char_props_to_strs(characteristic.properties)),
                    lambda: self.mtu_size - 3,
                    ours,
                )
                services.add_characteristic(described)
                for descriptor in await self._io(characteristic.discover_descriptors()):
                    services.add_descriptor(
                        BleakGATTDescriptor(descriptor, descriptor.handle, uuid_text(descriptor.type), described)
                    )
        self.services = services

    def _on_disconnection(self, reason: int) -> None:
        del reason
        self._connection = None
        self.services = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(core.BaseBumbleError):  # the sensor hung up at the same moment
                await connection.disconnect()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs
        await self._io(self._linked().pair())

    async def unpair(self) -> None:
        await self.disconnect()  # bumble keeps keys in memory only

    # --- reading and writing ----------------------------------------------------------------------------------------

    def _linked(self) -> Connection:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection

    async def _io(self, request: Coroutine[Any, Any, T]) -> T:
        """Await a request; raise ATT errors and a lost link as bleak's own backends do."""
        try:
            return await run_to_end(request)
        except att.ATT_Error as refused:
            raise BleakGATTProtocolError(refused.error_code) from refused
        except (AdapterGone, core.BaseBumbleError) as failed:
            raise BleakError(str(failed)) from failed

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        del use_cached, kwargs
        self._linked()
        return bytearray(await self._io(characteristic.obj.read_value()))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        del use_cached, kwargs
        self._linked()
        return bytearray(await self._io(descriptor.obj.read_value()))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        self._linked()
        payload = bytes(data)
        if not response and len(payload) > self.mtu_size - 3:
            raise BleakError(f"{len(payload)} bytes do not fit into a write without response of {self.mtu_size - 3}")
        await self._io(characteristic.obj.write_value(payload, with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        self._linked()
        await self._io(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        del kwargs
        self._linked()
        if not {"notify", "indicate"} & set(characteristic.properties):
            raise BleakError(f"{characteristic.uuid} neither notifies nor indicates")
        await self._io(characteristic.obj.subscribe(lambda value: callback(bytearray(value))))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        self._linked()
        await self._io(characteristic.obj.unsubscribe(force=True))
