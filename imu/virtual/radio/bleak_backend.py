"""Backends that let bleak's own scanner and client work over bumble.

``BleakScanner(backend=…)`` and ``BleakClient(backend=…)`` take a class, so `backends_of` binds the two classes here to
an adapter. They behave as bleak's own backends do, errors included.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
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
from bumble.device import Advertisement, Connection, Peer

from imu.virtual.radio.adapter import Adapter, AdapterGone, run_to_end
from imu.virtual.radio.air import decode_advertisement, uuid_text

LARGEST_MTU = 517
"""The MTU that operating systems ask for; the sensor may choose a smaller one."""
UNCONNECTED_MTU = 23
LONGEST_SEARCH_S = 10.0
"""Longest search of a client that has only an address, s."""

T = TypeVar("T")


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
        found: asyncio.Future[hci.Address] = asyncio.get_running_loop().create_future()

        def on_advertisement(report: Advertisement) -> None:
            heard_address = report.address.to_string(with_type_qualifier=False)
            if heard_address.upper() == self.address.upper() and not found.done():
                self._name = decode_advertisement(report.data)[0].name
                found.set_result(report.address)

        try:
            await self.adapter.add_scanner(on_advertisement, active=True)
            return await asyncio.wait_for(found, min(self._timeout, LONGEST_SEARCH_S))
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
        found = BleakGATTServiceCollection()
        for service in await self._io(peer.discover_services()):
            uuid = uuid_text(service.uuid)
            if self._wanted_services and uuid not in self._wanted_services:
                continue
            ours = BleakGATTService(service, service.handle, uuid)
            found.add_service(ours)
            for characteristic in await self._io(service.discover_characteristics()):
                described = BleakGATTCharacteristic(
                    characteristic,
                    characteristic.handle,
                    uuid_text(characteristic.uuid),
                    list(gatt_char_props_to_strs(characteristic.properties)),
                    lambda: self.mtu_size - 3,
                    ours,
                )
                found.add_characteristic(described)
                for descriptor in await self._io(characteristic.discover_descriptors()):
                    found.add_descriptor(
                        BleakGATTDescriptor(descriptor, descriptor.handle, uuid_text(descriptor.type), described)
                    )
        self.services = found

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
