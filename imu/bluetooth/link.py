"""The Bluetooth LE client: find a sensor, keep the connection, carry messages in and actions out.

It treats every sensor alike. What it gives goes to a recording and to the sensor's driver, and what the driver wishes
comes back by :meth:`SensorLink.ask`. A lost connection is made again by itself, as long as there is hope; to get what
the sensor has kept meanwhile is the driver's business. This module refuses to know what is said, and who listens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace

from imu.bluetooth import HostClock, LinkState
from imu.bluetooth.bleak_errors import LinkFailed
from imu.bluetooth.connection import Connection, ConnectionParameters
from imu.bluetooth.scan import Radio, Recognise, SeenSensor, SensorChoice, find_sensor, scan
from imu.errors import BluetoothUnavailable, ImuError, SensorBusy, SensorLost
from imu.sensors.conversation import Action, LinkDown, LinkUp, Message


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """How long to try what."""

    scan_s: float = 10.0
    """To listen for the sensor; the slowest advertise every 1-2 s."""
    choosing_s: float = 1.0
    """To go on listening once a sensor is heard, in case a nearer one is there."""
    look_again_s: float = 5.0
    """To listen before another attempt to connect; Linux forgets a device that it has not heard of late."""
    first_contact_s: float = 45.0
    """To hear anything from a sensor that was found: three full attempts."""
    give_up_s: float = 120.0
    """To get a lost sensor back: a walk to the fountain."""
    shortest_wait_s: float = 0.2
    """Between two attempts, doubling with each."""
    longest_wait_s: float = 5.0
    """Between two attempts at most."""
    stop_s: float = 5.0
    """For the sensor to take the last actions before hanging up."""
    connection: ConnectionParameters = field(default_factory=ConnectionParameters)
    """For each connection."""


class Patience:
    """What is left of it, since the sensor was found or heard last.

    Attributes
    ----------
    attempt : int
        Which attempt is due, from 1.
    wait_s : float
        How long to wait before it.
    trouble : BluetoothUnavailable or None
        What was wrong with this computer's Bluetooth when it was used last.
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
        """How much longer to try."""
        return max(0.0, self._until_s - asyncio.get_running_loop().time())

    def heard(self) -> None:
        """Begin anew: the sensor has spoken. A connection in which it does not is an attempt that failed."""
        self._ever_heard = True
        self._begin()

    def failed(self, sensor: SeenSensor, error: LinkFailed | BluetoothUnavailable) -> None:
        """Count an attempt that failed.

        Raises
        ------
        BluetoothUnavailable, SensorBusy, SensorLost
            If there should be no further one.
        """
        if isinstance(error, BluetoothUnavailable):
            self.trouble = error
        # In the middle of a training, Bluetooth that is off is perhaps being switched on again.
        if not self.left_s or (self.trouble is not None and not self._ever_heard):
            raise self._given_up(sensor) from error
        self.attempt += 1
        longer_s = max(self._parameters.shortest_wait_s, 2 * self.wait_s)
        self.wait_s = min(longer_s, self._parameters.longest_wait_s)

    def _given_up(self, sensor: SeenSensor) -> ImuError:
        # Linux says "input/output error" of a connection where Bluetooth is off; only a search tells.
        if self.trouble is not None:
            return BluetoothUnavailable(self.trouble.reason, str(self.trouble))
        if self._ever_heard:
            return SensorLost(
                f"{sensor.title} went away and did not come back within {self._parameters.give_up_s:.0f} s: charge it "
                "or bring it near, and start again; what was recorded until now is kept"
            )
        return SensorBusy(
            f"{sensor.title} is near, but could not be reached in {self._parameters.first_contact_s:.0f} s: disconnect "
            "it from phones and other programs, or switch it off and on, and start again"
        )


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkNotice:
    """How things stand with the sensor, for the screen; no part of the recorded conversation.

    Attributes
    ----------
    state : LinkState
        The first `CONNECTED` comes before the first message, so that a driver can be chosen by it.
    sensor : SeenSensor or None
        ``None`` as long as none has been found.
    attempt : int
        Which attempt it is since the sensor was found or heard last, from 1.
    trouble : BluetoothUnavailable or None
        What is wrong with this computer's Bluetooth; the sensor is waited for all the same, in case it is put right.
    """

    state: LinkState
    sensor: SeenSensor | None = None
    attempt: int = 1
    trouble: BluetoothUnavailable | None = None


class SensorLink:
    """The link to one sensor over all its connections.

    Iterate over `messages`, answer with `ask`, and `close` in every case; all in one event loop.

    Parameters
    ----------
    radio : Radio
        What to use.
    choice : SensorChoice
        Which sensor.
    recognise : callable
        Tells the kind of a sensor.
    clock : HostClock
        Stamps what is heard.
    parameters : LinkParameters or None
        How long to try what.
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
        self._told: asyncio.Queue[Message | LinkNotice | None] = asyncio.Queue()
        self._asked: asyncio.Queue[tuple[int, Action] | None] = asyncio.Queue()
        self._supervisor: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._stop_actions: tuple[Action, ...] = ()
        self._talking = False
        self._connections = 0  # made
        self._reader_at = 0  # given out by `messages`

    async def messages(self) -> AsyncIterator[Message | LinkNotice]:
        """Give what the sensor says, and how things stand with it, until `close`; to be called once.

        Raises
        ------
        BluetoothUnavailable, SensorNotFound, SensorBusy, SensorLost, SensorUnsuitable
            After the last message, if it was not `close` that made it the last.
        """
        if self._closing.is_set():
            return
        self._supervisor = asyncio.create_task(self._supervise(), name="sensor link")
        self._supervisor.add_done_callback(lambda _: self._told.put_nowait(None))
        while (told := await self._told.get()) is not None:
            if isinstance(told, LinkUp):
                self._reader_at += 1
            yield told
        if not self._supervisor.cancelled():
            await self._supervisor

    def ask(self, actions: Iterable[Action]) -> None:
        """Have actions carried out, in order, one after the other.

        They are for the connection whose messages were given out last; once that is over they are passed over.
        """
        for action in actions:
            self._asked.put_nowait((self._reader_at, action))

    async def close(self, stop_actions: Iterable[Action] = ()) -> None:
        """Carry out `stop_actions` and hang up; `messages` gives what was heard until then, and ends.

        A stream must be stopped before: hanging up takes Linux 2 s, in which the sensor goes on sending.
        """
        self._stop_actions = tuple(stop_actions)
        self._closing.set()
        if self._supervisor is not None:
            if not self._talking:
                self._supervisor.cancel()
            await asyncio.wait({self._supervisor})
            if not self._supervisor.cancelled():
                self._supervisor.exception()  # `messages` raises it; if nobody listens any more, nobody misses it

    # --- the supervisor -----------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Find the sensor, then connect and talk, over and over."""
        self._told.put_nowait(LinkNotice(LinkState.SEARCHING))
        sensor = await find_sensor(
            self._radio, self._choice, self._recognise, self._parameters.scan_s, self._parameters.choosing_s
        )
        patience = Patience(self._parameters)
        if sensor.connected:
            sensor = await self._let_go(sensor, patience)
        while not self._closing.is_set():
            sensor, connection = await self._reach(sensor, patience)
            await self._talk(sensor, connection, patience)

    def _tell(self, state: LinkState, sensor: SeenSensor, patience: Patience) -> None:
        self._told.put_nowait(LinkNotice(state, sensor, patience.attempt, patience.trouble))

    def _connection(self, sensor: SeenSensor, patience: Patience) -> Connection:
        return Connection(
            self._radio,
            sensor,
            self._clock,
            self._told.put_nowait,
            self._parameters.connection,
            within_s=patience.left_s,
        )

    async def _let_go(self, sensor: SeenSensor, patience: Patience) -> SeenSensor:
        """Hang up on a sensor that a program before us has left connected; return it as it is heard then.

        Its subscriptions are in an unknown state: on Linux the next one is not answered for 10 s.
        """
        self._tell(LinkState.CONNECTING, sensor, patience)
        left = self._connection(sensor, patience)
        try:
            await left.open()
        except (LinkFailed, BluetoothUnavailable) as error:
            _log.info("hanging up on %s, which was left connected: %s", sensor.title, error)
        finally:
            await left.hang_up()
        return await self._look_again(sensor, patience)

    async def _reach(self, sensor: SeenSensor, patience: Patience) -> tuple[SeenSensor, Connection]:
        """Connect, however often it takes."""
        while True:
            if patience.attempt > 1:
                self._tell(LinkState.SEARCHING, sensor, patience)
                await asyncio.sleep(patience.wait_s)
                sensor = await self._look_again(sensor, patience)
            self._tell(LinkState.CONNECTING, sensor, patience)
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
        """Listen for a sensor that is known; return it with what is needed to connect to it now."""
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
        """Pass on what is said in both directions until the connection ends or is to be closed."""
        self._talking = True
        self._connections += 1
        self._tell(LinkState.CONNECTED, sensor, patience)
        self._told.put_nowait(LinkUp(self._clock.now_ns(), connection.longest_write))
        try:
            cause = await self._until_ended(connection)
        finally:
            connection.mute()
            self._told.put_nowait(LinkDown(self._clock.now_ns()))
            await connection.hang_up()
            self._talking = False
        if cause is None:
            return
        _log.info("the connection to %s ended: %s", sensor.title, cause)
        self._tell(LinkState.LOST, sensor, patience)
        if connection.was_heard:
            patience.heard()
        else:
            patience.failed(sensor, cause)

    async def _until_ended(self, connection: Connection) -> LinkFailed | BluetoothUnavailable | None:
        """Wait until the connection has failed, and return why; or until it is to be closed and the last is said."""
        performing = asyncio.create_task(self._perform_asked(connection, self._connections))
        watching = asyncio.create_task(connection.until_gone())
        closing = asyncio.create_task(self._closing.wait())
        tasks = {performing, watching, closing}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._closing.is_set():
                self._ask_to_stop()
                ends = {performing, watching}
                await asyncio.wait(ends, timeout=self._parameters.stop_s, return_when=asyncio.FIRST_COMPLETED)
                return None
            return performing.result() if performing.done() else watching.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _ask_to_stop(self) -> None:
        """Have the last actions carried out after the one that is under way, and nothing else."""
        while not self._asked.empty():
            self._asked.get_nowait()
        for action in self._stop_actions:
            self._asked.put_nowait((self._connections, action))
        self._asked.put_nowait(None)

    async def _perform_asked(self, connection: Connection, number: int) -> LinkFailed | BluetoothUnavailable | None:
        """Carry out what is asked for in this connection, until told to stop or the link fails; return why it did."""
        while (asked := await self._asked.get()) is not None:
            if asked[0] == number:
                try:
                    await connection.perform(asked[1])
                except (LinkFailed, BluetoothUnavailable) as error:
                    return error
        return None
