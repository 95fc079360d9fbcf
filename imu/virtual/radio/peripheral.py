"""A virtual sensor on the virtual air: a twin behind bumble's GATT server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

from bumble import att, core, gatt, hci
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.host import Host

from imu.virtual.radio import LinkChange, LinkEvent, RadioConditions
from imu.virtual.radio.air import Controller, RadioLink, encode_advertisement, uuid_of
from imu.virtual.twin import Characteristic, Notification, Property, Service, Twin, WriteRefused


@runtime_checkable
class Reboots(Protocol):
    """A twin that can reboot."""

    def reboot(self, now_s: float) -> None:
        """Start again, as after a change of battery."""


@runtime_checkable
class Sleeps(Protocol):
    """A twin that can switch itself off."""

    @property
    def asleep(self) -> bool:
        """Whether it is switched off."""


LARGEST_MTU = 247
"""The largest MTU that the sensor accepts; a packet of this size fits into one link-layer packet."""
CONTROLLER_QUEUE = 10
"""Messages that fit into the queue of the sensor's controller."""
TICK_S = 0.01
"""Time between two steps of a twin with a subscriber, s."""
IDLE_TICK_S = 0.25
"""Time between two steps of a twin without a subscriber, s."""
ADVERTISING_INTERVAL_MS = 60.0

T = TypeVar("T")


class Peripheral:
    """One virtual sensor, switched on with `power_on`.

    It advertises the twin, carries reads, writes and subscriptions to it, and sends the twin's messages while its
    controller has room. When the radio is slow, the twin's own queue fills, as in a real sensor.

    Parameters
    ----------
    twin : Twin
        Its behaviour.
    link : RadioLink
        The air.
    address : str
        Its Bluetooth address. The two highest bits are set, as in every random static address.
    conditions : RadioConditions
        Conditions of its radio link.
    when_changed : callable
        Called with every change of its link.
    """

    def __init__(
        self,
        twin: Twin,
        link: RadioLink,
        address: str,
        conditions: RadioConditions,
        when_changed: Callable[[LinkEvent], None],
    ) -> None:
        self.twin = twin
        self._sleeper = twin if isinstance(twin, Sleeps) else None
        self._asleep = False
        self._report = when_changed
        self._link = link
        self._controller = Controller("sensor", link=link)
        self.path = link.add_sensor(self._controller, conditions)
        config = DeviceConfiguration(name=twin.advertisement.name or "", address=hci.Address(address))
        self._device = Device(config=config, host=Host(self._controller, self._controller))
        self._device.gatt_server.max_mtu = LARGEST_MTU
        services, self._characteristics = _build_services(twin.services, self)
        self._device.add_services(services)
        self._wanted: dict[str, Property] = {}
        self._connection: Connection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._indicating: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._off = False
        self._failure: BaseException | None = None
        self.messages_sent = 0
        """Number of notifications and indications sent."""
        self._device.on(Device.EVENT_CONNECTION, self._on_connection)

    @property
    def connected(self) -> bool:
        """Whether a central is connected."""
        return self._connection is not None

    async def power_on(self) -> None:
        """Switch on and advertise."""
        await self._device.power_on()
        await self._advertise()
        self._start(self._live())

    async def power_off(self) -> None:
        """Switch off for good; a connected central loses the link.

        Raises
        ------
        Exception
            The first failure of the twin, if it had one.
        """
        if self._off:
            return
        self._off = True
        self._wake.set()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._device.power_off()
        self._controller.drop_links()
        self._link.remove_controller(self._controller)
        if self._failure is not None:
            raise self._failure

    async def hang_up(self) -> None:
        """End the connection, as a sensor that goes to sleep does."""
        if self._connection is not None:
            with contextlib.suppress(core.BaseBumbleError):  # the central hung up at the same moment
                await self._connection.disconnect()

    async def power_cycle(self, off_s: float = 0.2) -> None:
        """Take the battery out and put it in again: the link is lost, and the twin reboots if it can."""
        self.out_of_range()
        if self._connection is not None:
            lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._connection.once(Connection.EVENT_DISCONNECTION, lost.set_result)
            await lost
        await asyncio.sleep(off_s)
        if isinstance(self.twin, Reboots):
            self.twin.reboot(self._now_s)
        self.in_range()

    def out_of_range(self) -> None:
        """Carry the sensor out of range."""
        self._link.out_of_range(self.path)
        self._report(LinkEvent(LinkChange.OUT_OF_RANGE))

    def in_range(self) -> None:
        """Bring the sensor back into range."""
        self._link.in_range(self.path)
        self._report(LinkEvent(LinkChange.IN_RANGE))

    # --- requests of the central --------------------------------------------------------------------------------------

    @property
    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def on_read(self, characteristic: str) -> bytes:
        """Let the twin answer a read."""
        return self._ask(lambda: self.twin.read(characteristic, self._now_s))

    def on_write(self, characteristic: str, payload: bytes) -> None:
        """Pass a write to the twin."""
        self._ask(lambda: self.twin.write(characteristic, payload, self._now_s))
        self._wake.set()

    def on_subscription(self, characteristic: str, wanted: Property) -> None:
        """Pass the start or end of a subscription to the twin."""
        self._wanted[characteristic] = wanted
        self._ask(lambda: self.twin.subscribed(characteristic, bool(wanted), self._now_s))
        self._wake.set()
        self._report(LinkEvent(LinkChange.SUBSCRIBED if wanted else LinkChange.UNSUBSCRIBED, characteristic))

    def _ask(self, request: Callable[[], T]) -> T:
        """Pass a request to the twin. A refusal becomes an ATT error; any other exception ends the sensor."""
        try:
            return request()
        except WriteRefused as refused:
            raise att.ATT_Error(refused.att_error) from refused
        except Exception as failure:
            self._fail(failure)
            raise att.ATT_Error(att.ATT_UNLIKELY_ERROR_ERROR) from failure

    def _on_connection(self, connection: Connection) -> None:
        self._connection = connection
        self._wanted.clear()
        self.twin.connected(self._now_s, connection.att_mtu)
        connection.on(Connection.EVENT_CONNECTION_ATT_MTU_UPDATE, lambda: self.twin.mtu_changed(connection.att_mtu))
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        self._wake.set()
        self._report(LinkEvent(LinkChange.CONNECTED, connection.peer_address.to_string(with_type_qualifier=False)))

    def _on_disconnection(self, reason: int) -> None:
        self._connection = None
        self._wanted.clear()
        if self._indicating is not None:
            self._indicating.cancel()
            self._indicating = None
        self.twin.disconnected(self._now_s)
        lost = reason == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
        self._report(LinkEvent(LinkChange.LOST if lost else LinkChange.DISCONNECTED))
        if not self._asleep:
            self._start(self._advertise())

    # --- messages of the sensor ---------------------------------------------------------------------------------------

    async def _advertise(self) -> None:
        advertising, response = encode_advertisement(self.twin.advertisement)
        await self._device.start_advertising(
            advertising_data=advertising,
            scan_response_data=response,
            advertising_interval_min=ADVERTISING_INTERVAL_MS,
            advertising_interval_max=ADVERTISING_INTERVAL_MS,
        )

    async def _live(self) -> None:
        """Send the messages of the twin until the sensor is switched off.

        The end is a flag, not a cancellation: bumble awaits with `asyncio.wait_for`, which loses cancellations on
        Python 3.11.
        """
        while not self._off:
            connection = self._connection
            room = 0 if connection is None else max(0, CONTROLLER_QUEUE - self.path.backlog)
            for message in self.twin.step(self._now_s, room):
                if connection is not None:
                    await self._send(connection, message)
            await self._sleep_or_wake()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S if any(self._wanted.values()) else IDLE_TICK_S):
                    await self._wake.wait()
            self._wake.clear()

    async def _sleep_or_wake(self) -> None:
        """Stop advertising while the twin is asleep."""
        asleep = self._sleeper is not None and self._sleeper.asleep
        if asleep == self._asleep:
            return
        self._asleep = asleep
        self._report(LinkEvent(LinkChange.ASLEEP if asleep else LinkChange.AWAKE))
        if asleep:
            if self._indicating is not None:  # the answer to the request that switched it off
                await asyncio.wait({self._indicating})
            await self.hang_up()
            await self._device.stop_advertising()
        else:
            await self._advertise()

    async def _send(self, connection: Connection, message: Notification) -> None:
        """Send a message if the central has subscribed to it.

        Raises
        ------
        ValueError
            If the message is too long; bumble would cut it without an error.
        """
        wanted = self._wanted.get(message.characteristic, Property(0))
        longest = connection.att_mtu - 3
        if len(message.payload) > longest:
            raise ValueError(f"a message of {len(message.payload)} bytes does not fit into an MTU of {longest + 3}")
        if wanted:
            self.messages_sent += 1
        if Property.NOTIFY in wanted:
            characteristic = self._characteristics[message.characteristic]
            await self._device.notify_subscriber(connection, characteristic, message.payload)
        elif Property.INDICATE in wanted:
            if self._indicating is not None:  # only one may wait for its confirmation
                await asyncio.wait({self._indicating})
            if self._connection is connection:
                self._indicating = self._start(self._indicate(connection, message))
                await asyncio.sleep(0)  # sends it before the next message

    async def _indicate(self, connection: Connection, message: Notification) -> None:
        """Send an indication; disconnect a central that does not confirm it, as the standard requires."""
        try:
            characteristic = self._characteristics[message.characteristic]
            await self._device.indicate_subscriber(connection, characteristic, message.payload)
        except TimeoutError:
            await self.hang_up()

    # --- tasks ------------------------------------------------------------------------------------------------------

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._fail(failure)

    def _fail(self, failure: BaseException) -> None:
        """Keep the first failure for `power_off`, and end all links so that no central waits for the sensor."""
        if self._failure is None:
            self._failure = failure
            self._report(LinkEvent(LinkChange.FAILED, repr(failure)))
            for task in self._tasks:
                task.cancel()
            self._controller.drop_links()


# --- the twin's services as bumble's ---------------------------------------------------------------------------------

_PROPERTIES = {
    Property.READ: gatt.Characteristic.Properties.READ,
    Property.WRITE: gatt.Characteristic.Properties.WRITE,
    Property.WRITE_WITHOUT_RESPONSE: gatt.Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
    Property.NOTIFY: gatt.Characteristic.Properties.NOTIFY,
    Property.INDICATE: gatt.Characteristic.Properties.INDICATE,
}
_WRITES = Property.WRITE | Property.WRITE_WITHOUT_RESPONSE
_ALLOWED = att.Attribute.Permissions.READABLE | att.Attribute.Permissions.WRITEABLE

GattCharacteristic = gatt.Characteristic[bytes]


def _build_services(
    services: Sequence[Service], peripheral: Peripheral
) -> tuple[list[gatt.Service], dict[str, GattCharacteristic]]:
    """Return a twin's services for bumble's GATT server, and their characteristics by full UUID."""
    built: list[gatt.Service] = []
    by_uuid: dict[str, GattCharacteristic] = {}
    for service in services:
        characteristics = {each.uuid: _build(each, peripheral) for each in service.characteristics}
        built.append(gatt.Service(uuid_of(service.uuid), list(characteristics.values())))
        by_uuid.update(characteristics)
    return built, by_uuid


def _build(described: Characteristic, peripheral: Peripheral) -> GattCharacteristic:
    properties = gatt.Characteristic.Properties(0)
    for ours, theirs in _PROPERTIES.items():
        if ours in described.properties:
            properties |= theirs
    value = gatt.CharacteristicValue(
        read=partial(_read, described, peripheral), write=partial(_write, described, peripheral)
    )
    characteristic = GattCharacteristic(uuid_of(described.uuid), properties, _ALLOWED, value)
    characteristic.on(characteristic.EVENT_SUBSCRIPTION, partial(_subscribe, described, peripheral))
    return characteristic


def _read(described: Characteristic, peripheral: Peripheral, connection: Connection) -> bytes:
    """Let the twin answer a read; bumble does not check the properties."""
    del connection
    if Property.READ not in described.properties:
        raise att.ATT_Error(att.ATT_READ_NOT_PERMITTED_ERROR)
    return peripheral.on_read(described.uuid)


def _write(described: Characteristic, peripheral: Peripheral, connection: Connection, payload: bytes) -> None:
    del connection
    if not described.properties & _WRITES:
        raise att.ATT_Error(att.ATT_WRITE_NOT_PERMITTED_ERROR)
    peripheral.on_write(described.uuid, payload)


def _subscribe(
    described: Characteristic, peripheral: Peripheral, connection: Connection, notify: bool, indicate: bool
) -> None:
    del connection
    peripheral.on_subscription(
        described.uuid, Property.NOTIFY if notify else Property.INDICATE if indicate else Property(0)
    )
