"""A virtual sensor on the virtual air: a twin behind a GATT server.

Advertises what the twin says of itself, carries reads, writes and subscriptions to it, and lets it speak while the
controller has room for what it says: when the radio is slow, the twin's own queue fills, as in a real sensor. This
module refuses to know what the bytes mean.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bumble import att, core, hci
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.host import Host

from imu.virtual.radio.abilities import Reboots, Sleeps
from imu.virtual.radio.advertising import encode_advertisement
from imu.virtual.radio.conditions import RadioConditions
from imu.virtual.radio.controller import Controller
from imu.virtual.radio.gatt_layout import build_services
from imu.virtual.radio.link import RadioLink
from imu.virtual.radio.link_events import LinkChange, LinkEvent
from imu.virtual.sensors.twin import Notification, Property, Twin, WriteRefused

LARGEST_MTU = 247
"""What the sensor agrees to: a packet of this size fits into one link-layer packet."""
CONTROLLER_QUEUE = 10
"""Messages that the sensor's controller takes before it says that it is full."""
TICK_S = 0.01
"""How often a twin that somebody listens to is asked what it has to say."""
IDLE_TICK_S = 0.25
"""How often a twin is told the time while nobody listens."""
ADVERTISING_INTERVAL_MS = 60.0

T = TypeVar("T")


class Peripheral:
    """One virtual sensor, switched on with :meth:`power_on`.

    Parameters
    ----------
    twin : Twin
        What it does.
    link : RadioLink
        The air that it is in.
    address : str
        Its Bluetooth address; the two highest bits are set, as in every random static address.
    conditions : RadioConditions
        How good the air around it is.
    when_changed : callable
        Told of every change of its link.
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
        self._tell = when_changed
        self._link = link
        self._controller = Controller("sensor", link=link)
        self.path = link.add_sensor(self._controller, conditions)
        config = DeviceConfiguration(name=twin.advertisement.name or "", address=hci.Address(address))
        self._device = Device(config=config, host=Host(self._controller, self._controller))
        self._device.gatt_server.max_mtu = LARGEST_MTU
        services, self._characteristics = build_services(twin.services, self)
        self._device.add_services(services)
        self._wanted: dict[str, Property] = {}
        self._connection: Connection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._indicating: asyncio.Task[None] | None = None
        self._something_to_say = asyncio.Event()
        self._off = False
        self._failure: BaseException | None = None
        self.messages_sent = 0
        """Notifications and indications since it was made."""
        self._device.on(Device.EVENT_CONNECTION, self._on_connection)

    @property
    def connected(self) -> bool:
        """Whether a central is connected."""
        return self._connection is not None

    async def power_on(self) -> None:
        """Switch on, and be there to be found."""
        await self._device.power_on()
        await self._advertise()
        self._start(self._live())

    async def power_off(self) -> None:
        """Switch off, for good; whoever is connected loses the link.

        Raises
        ------
        Exception
            What the twin raised, if it failed meanwhile.
        """
        if self._off:
            return
        self._off = True
        self._something_to_say.set()
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
        """End the connection, as a sensor does that goes to sleep."""
        if self._connection is not None:
            with contextlib.suppress(core.BaseBumbleError):  # the central hung up at the same moment
                await self._connection.disconnect()

    async def power_cycle(self, off_s: float = 0.2) -> None:
        """Take the battery out and put it in again: silence, a lost link, and a reboot if the twin knows of one."""
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
        """Carry the sensor away."""
        self._link.out_of_range(self.path)
        self._tell(LinkEvent(LinkChange.OUT_OF_RANGE))

    def in_range(self) -> None:
        """Bring the sensor back."""
        self._link.in_range(self.path)
        self._tell(LinkEvent(LinkChange.IN_RANGE))

    # --- what the central does --------------------------------------------------------------------------------------

    @property
    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def on_read(self, characteristic: str) -> bytes:
        """Let the twin answer a read."""
        return self._ask(lambda: self.twin.read(characteristic, self._now_s))

    def on_write(self, characteristic: str, payload: bytes) -> None:
        """Let the twin take a write."""
        self._ask(lambda: self.twin.write(characteristic, payload, self._now_s))
        self._something_to_say.set()

    def on_subscription(self, characteristic: str, wanted: Property) -> None:
        """Let the twin take note of a subscription."""
        self._wanted[characteristic] = wanted
        self._ask(lambda: self.twin.subscribed(characteristic, bool(wanted), self._now_s))
        self._something_to_say.set()
        self._tell(LinkEvent(LinkChange.SUBSCRIBED if wanted else LinkChange.UNSUBSCRIBED, characteristic))

    def _ask(self, question: Callable[[], T]) -> T:
        """Ask the twin; what it refuses is an ATT error, and what it fails at ends the sensor."""
        try:
            return question()
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
        self._something_to_say.set()
        self._tell(LinkEvent(LinkChange.CONNECTED, connection.peer_address.to_string(with_type_qualifier=False)))

    def _on_disconnection(self, reason: int) -> None:
        self._connection = None
        self._wanted.clear()
        if self._indicating is not None:
            self._indicating.cancel()
            self._indicating = None
        self.twin.disconnected(self._now_s)
        lost = reason == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
        self._tell(LinkEvent(LinkChange.LOST if lost else LinkChange.DISCONNECTED))
        if not self._asleep:
            self._start(self._advertise())

    # --- what the sensor does ---------------------------------------------------------------------------------------

    async def _advertise(self) -> None:
        advertising, response = encode_advertisement(self.twin.advertisement)
        await self._device.start_advertising(
            advertising_data=advertising,
            scan_response_data=response,
            advertising_interval_min=ADVERTISING_INTERVAL_MS,
            advertising_interval_max=ADVERTISING_INTERVAL_MS,
        )

    async def _live(self) -> None:
        """Let the twin speak, until it is switched off.

        Cancelling would not do: bumble awaits with `asyncio.wait_for`, which loses cancellations on Python 3.11.
        """
        while not self._off:
            connection = self._connection
            room = 0 if connection is None else max(0, CONTROLLER_QUEUE - self.path.backlog)
            for said in self.twin.step(self._now_s, room):
                if connection is not None:
                    await self._say(connection, said)
            await self._sleep_or_wake()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S if any(self._wanted.values()) else IDLE_TICK_S):
                    await self._something_to_say.wait()
            self._something_to_say.clear()

    async def _sleep_or_wake(self) -> None:
        """Leave the air while the twin is asleep."""
        asleep = self._sleeper is not None and self._sleeper.asleep
        if asleep == self._asleep:
            return
        self._asleep = asleep
        self._tell(LinkEvent(LinkChange.ASLEEP if asleep else LinkChange.AWAKE))
        if asleep:
            if self._indicating is not None:  # the answer to the request that switched it off
                await asyncio.wait({self._indicating})
            await self.hang_up()
            await self._device.stop_advertising()
        else:
            await self._advertise()

    async def _say(self, connection: Connection, said: Notification) -> None:
        """Send a message if the central has subscribed to it.

        Raises
        ------
        ValueError
            If it is longer than fits; bumble would cut it in silence.
        """
        wanted = self._wanted.get(said.characteristic, Property(0))
        longest = connection.att_mtu - 3
        if len(said.payload) > longest:
            raise ValueError(f"a message of {len(said.payload)} bytes does not fit into an MTU of {longest + 3}")
        if wanted:
            self.messages_sent += 1
        if Property.NOTIFY in wanted:
            characteristic = self._characteristics[said.characteristic]
            await self._device.notify_subscriber(connection, characteristic, said.payload)
        elif Property.INDICATE in wanted:
            if self._indicating is not None:  # only one may wait for its confirmation
                await asyncio.wait({self._indicating})
            if self._connection is connection:
                self._indicating = self._start(self._indicate(connection, said))
                await asyncio.sleep(0)  # so that it is sent before what is said next

    async def _indicate(self, connection: Connection, said: Notification) -> None:
        """Send an indication; whoever does not confirm it is hung up on, as the standard wants it."""
        try:
            characteristic = self._characteristics[said.characteristic]
            await self._device.indicate_subscriber(connection, characteristic, said.payload)
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
        """Keep the first failure for :meth:`power_off`, and drop off the air so that nobody waits for the sensor."""
        if self._failure is None:
            self._failure = failure
            self._tell(LinkEvent(LinkChange.FAILED, repr(failure)))
            for task in self._tasks:
                task.cancel()
            self._controller.drop_links()
