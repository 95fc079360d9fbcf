"""The link to one sensor: find it, keep it, carry messages in and actions out.

It treats all kinds of sensors alike. Its messages go to a recording and to the sensor's driver, and the driver's
actions come back through :meth:`SensorLink.ask`. It reconnects after a lost connection until a time limit; requesting
the samples that the sensor has kept meanwhile is the driver's task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from imu.bluetooth import HostClock, LinkState
from imu.bluetooth.bleak_errors import LinkFailed
from imu.bluetooth.connection import Connection, ConnectionParameters
from imu.bluetooth.scan import Radio, Recognise, SeenSensor, SensorChoice, find_sensor, scan
from imu.errors import BluetoothUnavailable, ImuError, SensorBusy, SensorLost
from imu.sensors.conversation import Action, LinkDown, LinkUp, Message


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """Time limits of a link."""

    scan_s: float = 10.0
    """Listening for the sensor; the slowest sensors advertise every 1-2 s."""
    choosing_s: float = 1.0
    """Further listening after the first match, in case a nearer sensor is there."""
    look_again_s: float = 5.0
    """Listening before another attempt to connect; Linux drops devices that it has not heard recently."""
    first_contact_s: float = 45.0
    """From finding a sensor to its first notification: three full attempts."""
    give_up_s: float = 120.0
    """From losing a sensor to its return: a walk to the water fountain."""
    shortest_wait_s: float = 0.2
    """Wait between two attempts; it doubles with each."""
    longest_wait_s: float = 5.0
    """Longest wait between two attempts."""
    stop_s: float = 5.0
    """For the last actions before disconnecting."""
    connection: ConnectionParameters = field(default_factory=ConnectionParameters)
    """Time limits of each connection."""


class Patience:
    """Attempts and time left since the sensor was found or last heard.

    Attributes
    ----------
    attempt : int
        Number of the next attempt, from 1.
    wait_s : float
        Wait before it.
    trouble : BluetoothUnavailable or None
        Trouble with this computer's Bluetooth at its last use.
    """

    def __init__(self, parameters: LinkParameters) -> None:
        self._parameters = parameters
        self._ever_heard = False
        self._begin()

    def _begin(self) -> None:
        limit_s = self._parameters.give_up_s if self._ever_heard else self._parameters.first_contact_s
        self._until_s = asyncio.get_running_loop().time() + limit_s
        self.attempt = 1
        self.wait_s = 0.0
        self.trouble: BluetoothUnavailable | None = None

    @property
    def left_s(self) -> float:
        """Time left for attempts."""
        return max(0.0, self._until_s - asyncio.get_running_loop().time())

    def heard(self) -> None:
        """Start over: the sensor has sent something.

        A connection without any notification counts as a failed attempt.
        """
        self._ever_heard = True
        self._begin()

    def failed(self, sensor: SeenSensor, error: LinkFailed | BluetoothUnavailable) -> None:
        """Count a failed attempt.

        Raises
        ------
        BluetoothUnavailable, SensorBusy, SensorLost
            If this was the last one.
        """
        if isinstance(error, BluetoothUnavailable):
            self.trouble = error
        # During a training, the person may be switching Bluetooth on again.
        if not self.left_s or (self.trouble is not None and not self._ever_heard):
            raise self._given_up(sensor) from error
        self.attempt += 1
        longer_s = max(self._parameters.shortest_wait_s, 2 * self.wait_s)
        self.wait_s = min(longer_s, self._parameters.longest_wait_s)

    def _given_up(self, sensor: SeenSensor) -> ImuError:
        # If Bluetooth is off, connecting on Linux fails with "input/output error"; only a search shows the cause.
        if self.trouble is not None:
            return BluetoothUnavailable(self.trouble.reason, str(self.trouble))
        if self._ever_heard:
            return SensorLost(
                f"{sensor.title} was lost and did not come back within {self._parameters.give_up_s:.0f} s: charge it "
                "or bring it near, and start again; the recording so far is kept"
            )
        return SensorBusy(
            f"{sensor.title} is near, but could not be reached in {self._parameters.first_contact_s:.0f} s: disconnect "
            "it from phones and other programs, or switch it off and on, and start again"
        )


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkNotice:
    """State of the link, for the screen; not part of the recorded conversation.

    Attributes
    ----------
    state : LinkState
        The first `CONNECTED` comes before the first message, so that a driver can be chosen by it.
    sensor : SeenSensor or None
        ``None`` until one is found.
    attempt : int
        Number of the attempt since the sensor was found or last heard, from 1.
    trouble : BluetoothUnavailable or None
        Trouble with this computer's Bluetooth. The link keeps waiting, in case the person fixes it.
    heard : tuple of SeenSensor
        The devices heard so far by the first search.
    """

    state: LinkState
    sensor: SeenSensor | None = None
    attempt: int = 1
    trouble: BluetoothUnavailable | None = None
    heard: tuple[SeenSensor, ...] = ()


class TrainingLink(Protocol):
    """The link that a training reads: to a Bluetooth sensor (`SensorLink`) or to a phone's page."""

    def messages(self) -> AsyncIterator[Message | LinkNotice]:
        """Yield messages and states of the link until `close`; to be called once."""

    def ask(self, actions: Iterable[Action]) -> None:
        """Perform actions in order."""

    async def close(self, stop_actions: Iterable[Action] = ()) -> None:
        """Perform `stop_actions` and disconnect."""


class SensorLink:
    """The link to one sensor over all its connections.

    Iterate over `messages`, answer with `ask`, and always call `close`; all in one event loop.

    Parameters
    ----------
    radio : Radio
        Radio to use.
    choice : SensorChoice
        The wanted sensor.
    recognise : callable
        Returns the kind of a sensor.
    clock : HostClock
        Clock for the times of arrival.
    parameters : LinkParameters or None
        Time limits.
    """

    def __init__(
        self,
        radio: Radio,
        choice: SensorChoice,
        recognise: Recognise,
        clock: HostClock,
        parameters: LinkParameters | None = None,
    ) -> None:
        self._radio = radio
        self._choice = choice
        self._recognise = recognise
        self._clock = clock
        self._parameters = parameters or LinkParameters()
        self._inbox: asyncio.Queue[Message | LinkNotice | None] = asyncio.Queue()
        self._outbox: asyncio.Queue[tuple[int, Action] | None] = asyncio.Queue()
        self._supervisor: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._stop_actions: tuple[Action, ...] = ()
        self._talking = False
        self._connections = 0  # made
        self._connection_read = 0  # given out by `messages`

    async def messages(self) -> AsyncIterator[Message | LinkNotice]:
        """Yield messages and states of the link until `close`; to be called once.

        Raises
        ------
        BluetoothUnavailable, SensorNotFound, SensorBusy, SensorLost, SensorUnsuitable
            After the last message, unless `close` ended the link.
        """
        if self._closing.is_set():
            return
        self._supervisor = asyncio.create_task(self._supervise(), name="sensor link")
        self._supervisor.add_done_callback(lambda _: self._inbox.put_nowait(None))
        while (item := await self._inbox.get()) is not None:
            if isinstance(item, LinkUp):
                self._connection_read += 1
            yield item
        if not self._supervisor.cancelled():
            await self._supervisor

    def ask(self, actions: Iterable[Action]) -> None:
        """Queue actions; they are performed in order, one after the other.

        They belong to the connection of the last message read; once that has ended, they are skipped.
        """
        for action in actions:
            self._outbox.put_nowait((self._connection_read, action))

    async def close(self, stop_actions: Iterable[Action] = ()) -> None:
        """Perform `stop_actions` and disconnect.

        `messages` yields the messages until then, and ends.

        The stop actions must end the stream: disconnecting takes Linux 2 s, in which the sensor keeps sending.
        """
        self._stop_actions = tuple(stop_actions)
        self._closing.set()
        if self._supervisor is not None:
            if not self._talking:
                self._supervisor.cancel()
            await asyncio.wait({self._supervisor})
            if not self._supervisor.cancelled():
                self._supervisor.exception()  # mark the exception as retrieved; `messages` re-raises it

    # --- the supervisor -----------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Find the sensor, then connect and talk, over and over."""
        self._inbox.put_nowait(LinkNotice(LinkState.SEARCHING))
        heard: dict[str, SeenSensor] = {}

        def hear(device: SeenSensor) -> None:
            before, heard[device.address] = heard.get(device.address), device
            if before is None or (before.name, before.kind) != (device.name, device.kind):
                self._inbox.put_nowait(LinkNotice(LinkState.SEARCHING, heard=tuple(heard.values())))

        limits = self._parameters
        sensor = await find_sensor(
            self._radio, self._choice, self._recognise, limits.scan_s, limits.choosing_s, on_seen=hear
        )
        patience = Patience(self._parameters)
        if sensor.connected:
            sensor = await self._free(sensor, patience)
        while not self._closing.is_set():
            sensor, connection = await self._reach(sensor, patience)
            await self._talk(sensor, connection, patience)

    def _notify(self, state: LinkState, sensor: SeenSensor, patience: Patience) -> None:
        self._inbox.put_nowait(LinkNotice(state, sensor, patience.attempt, patience.trouble))

    def _connection(self, sensor: SeenSensor, patience: Patience) -> Connection:
        return Connection(
            self._radio,
            sensor,
            self._clock,
            self._inbox.put_nowait,
            self._parameters.connection,
            within_s=patience.left_s,
        )

    async def _free(self, sensor: SeenSensor, patience: Patience) -> SeenSensor:
        """Disconnect a sensor that an earlier program has left connected.

        Returns the sensor as heard afterwards.

        The state of its subscriptions is unknown: on Linux the next subscription would get no answer for 10 s.
        """
        self._notify(LinkState.CONNECTING, sensor, patience)
        left = self._connection(sensor, patience)
        try:
            await left.open()
        except (LinkFailed, BluetoothUnavailable) as error:
            _log.info("hanging up on %s, which was left connected: %s", sensor.title, error)
        finally:
            await left.hang_up()
        return await self._look_again(sensor, patience)

    async def _reach(self, sensor: SeenSensor, patience: Patience) -> tuple[SeenSensor, Connection]:
        """Connect, in as many attempts as `patience` allows."""
        while True:
            if patience.attempt > 1:
                self._notify(LinkState.SEARCHING, sensor, patience)
                await asyncio.sleep(patience.wait_s)
                sensor = await self._look_again(sensor, patience)
            self._notify(LinkState.CONNECTING, sensor, patience)
            connection = self._connection(sensor, patience)
            try:
                await connection.open()
            except BaseException as error:
                await connection.hang_up()
                if not isinstance(error, LinkFailed | BluetoothUnavailable):
                    raise
                _log.info("connecting to %s, attempt %d: %s", sensor.title, patience.attempt, error)
                patience.failed(sensor, error)
            else:
                patience.trouble = None
                return sensor, connection

    async def _look_again(self, sensor: SeenSensor, patience: Patience) -> SeenSensor:
        """Listen for the sensor again; return it with the device to connect to now."""
        same = SensorChoice(sensor.address).is_address_of
        listen_s = min(patience.left_s, self._parameters.look_again_s)
        try:
            seen = await scan(self._radio, self._recognise, listen_s, lambda other: 0.0 if same(other) else None)
        except BluetoothUnavailable as error:
            patience.trouble = error
            return sensor
        patience.trouble = None
        again = next(filter(same, seen), sensor)
        return replace(sensor, device=again.device, rssi_dbm=again.rssi_dbm)  # name and kind come in pieces

    async def _talk(self, sensor: SeenSensor, connection: Connection, patience: Patience) -> None:
        """Carry messages and actions until the connection ends or is closed."""
        self._talking = True
        self._connections += 1
        self._notify(LinkState.CONNECTED, sensor, patience)
        self._inbox.put_nowait(LinkUp(self._clock.now_ns(), connection.longest_write))
        try:
            cause = await self._wait_for_end(connection)
        finally:
            connection.mute()
            self._inbox.put_nowait(LinkDown(self._clock.now_ns()))
            await connection.hang_up()
            self._talking = False
        if cause is None:
            return
        _log.info("the connection to %s ended: %s", sensor.title, cause)
        self._notify(LinkState.LOST, sensor, patience)
        if connection.was_heard:
            patience.heard()
        else:
            patience.failed(sensor, cause)

    async def _wait_for_end(self, connection: Connection) -> LinkFailed | BluetoothUnavailable | None:
        """Wait until the connection fails, and return the reason.

        Returns ``None`` after `close`, once the last actions are performed.
        """
        performing = asyncio.create_task(self._perform_actions(connection, self._connections))
        watching = asyncio.create_task(connection.until_gone())
        closing = asyncio.create_task(self._closing.wait())
        tasks = {performing, watching, closing}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._closing.is_set():
                self._queue_stop_actions()
                ends = {performing, watching}
                await asyncio.wait(ends, timeout=self._parameters.stop_s, return_when=asyncio.FIRST_COMPLETED)
                return None
            return performing.result() if performing.done() else watching.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _queue_stop_actions(self) -> None:
        """Replace the queued actions by the last ones."""
        while not self._outbox.empty():
            self._outbox.get_nowait()
        for action in self._stop_actions:
            self._outbox.put_nowait((self._connections, action))
        self._outbox.put_nowait(None)

    async def _perform_actions(self, connection: Connection, number: int) -> LinkFailed | BluetoothUnavailable | None:
        """Perform queued actions until the end mark or a failure; return the failure."""
        while (entry := await self._outbox.get()) is not None:
            if entry[0] == number:
                try:
                    await connection.perform(entry[1])
                except (LinkFailed, BluetoothUnavailable) as error:
                    return error
        return None
