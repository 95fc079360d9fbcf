"""One connection to a sensor, from the first try to the last farewell.

It performs what it is told, one thing after the other, hands on what it hears, and notices when the link is gone: when
the system says so, or when nothing has come for too long, for systems do not always say so. This module refuses to know
what is said, and whether another connection follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakGATTProtocolError

from imu.bluetooth import HostClock
from imu.bluetooth.bleak_errors import NEEDS_PAIRING, LinkFailed, told_as_link_failure
from imu.bluetooth.scan import Radio, SeenSensor
from imu.errors import SensorUnsuitable
from imu.sensors.conversation import Action, Heard, Read, Subscribe, Write

LEAST_WRITE_BYTES = 20
"""What fits into one write without response before the MTU has grown."""

MTU_WAIT_S = 1.0
"""Windows connects first and grows the MTU then (https://github.com/hbldh/bleak/pull/1586): how long to wait for it."""

CATCH_UP_S = 0.1
"""When this program was held up itself, what has come meanwhile is heard first, before a link is called silent."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionParameters:
    """How long to wait for what."""

    connect_s: float = 15.0
    """For a connection and all services; 0.1-3 s is usual, a weak link takes a few attempts of the system's own."""
    action_s: float = 10.0
    """For the answer to one action; the ATT protocol gives up after 30 s, people before."""
    first_notification_s: float = 10.0
    """From the connection to the first notification."""
    silence_s: float = 2.0
    """From one notification to the next; sensors send several times a second."""
    farewell_s: float = 10.0
    """For hanging up: 2.2 s on Linux, up to 2 min on Windows, which is not waited for."""


class Connection:
    """A connection to a sensor.

    Parameters
    ----------
    radio : Radio
        What to connect with.
    sensor : SeenSensor
        What to connect to.
    clock : HostClock
        Stamps what is heard.
    hear : callable
        Given whatever is heard while the connection is open.
    parameters : ConnectionParameters
        How long to wait for what.
    within_s : float
        How long to try to connect at most, less than `parameters` allow if need be.
    """

    def __init__(
        self,
        radio: Radio,
        sensor: SeenSensor,
        clock: HostClock,
        hear: Callable[[Heard], None],
        parameters: ConnectionParameters,
        *,
        within_s: float,
    ) -> None:
        self._sensor = sensor
        self._clock = clock
        self._hear = hear
        self._parameters = parameters
        # A new client each time: macOS refuses a second subscription by the same one (hbldh/bleak#1969).
        self._connect_s = min(within_s, parameters.connect_s)
        self._client: BleakClient = radio.client(sensor.device, self._on_gone, self._connect_s)
        self._gone = asyncio.Event()
        self._alive_s = 0.0
        self._subscribed: set[int] = set()
        self._open = False
        self.was_heard = False
        """Whether any notification has come."""

    def _on_gone(self, client: BleakClient) -> None:
        """Only wake up who waits: it is called for our own farewell too."""
        del client
        self._gone.set()

    async def open(self) -> None:
        """Connect.

        bleak keeps the time itself, and on Linux must then be let take the request back: cut short in that, it leaves
        its D-Bus connection broken. Only if it does not come to an end is it cut short.

        Raises
        ------
        LinkFailed
            If that fails.
        BluetoothUnavailable
            If it fails for a reason that lies in this computer.
        """
        try:
            with told_as_link_failure():
                async with asyncio.timeout(self._connect_s + self._parameters.farewell_s):
                    await self._client.connect()
                    await self._wait_for_mtu()
        except BleakGATTProtocolError as error:
            raise LinkFailed(str(error)) from error
        self._open = True
        self._alive_s = asyncio.get_running_loop().time()

    async def _wait_for_mtu(self) -> None:
        if sys.platform == "win32":
            for _ in range(10):
                if self.longest_write > LEAST_WRITE_BYTES:
                    break
                await asyncio.sleep(MTU_WAIT_S / 10)

    @property
    def longest_write(self) -> int:
        """Bytes that fit into one write without response; not from ``mtu_size``, which is 23 on Linux, always."""
        sizes = (each.max_write_without_response_size for each in self._client.services.characteristics.values())
        return max(sizes, default=LEAST_WRITE_BYTES)

    # --- saying -------------------------------------------------------------------------------------------------------

    async def perform(self, action: Action) -> None:
        """Do one thing and wait until it is done.

        Raises
        ------
        SensorUnsuitable
            If the sensor lacks what it should have, or talks only to those whom it is paired with.
        LinkFailed, BluetoothUnavailable
            If the link has broken.
        """
        required = isinstance(action, Write) or action.required
        try:
            with told_as_link_failure():
                async with asyncio.timeout(self._parameters.action_s):
                    found = self._characteristic(action.characteristic)
                    if found is not None:
                        await self._do(action, found)
        except BleakGATTProtocolError as error:
            if error.code in NEEDS_PAIRING and required:
                raise SensorUnsuitable(
                    f"{self._sensor.title} talks only to computers that it is paired with: pair it in the Bluetooth "
                    "settings of this computer"
                ) from error
            _log.warning("%s refused %s: %s", self._sensor.title, action, error)
            if required and not isinstance(action, Write):
                raise LinkFailed(str(error)) from error
        except LinkFailed:
            if required or self._gone.is_set():
                raise
            _log.info("%s did not answer %s", self._sensor.title, action)
        else:
            if found is None and required:
                raise SensorUnsuitable(
                    f"{self._sensor.title} lacks the characteristic {action.characteristic}, so it is of another make "
                    "or has another firmware than it seems: update its firmware, or use another sensor"
                )
        self._alive_s = asyncio.get_running_loop().time()

    def _characteristic(self, uuid: str) -> BleakGATTCharacteristic | None:
        """Return the first with this UUID, in this service if one is named; bleak's own look-up raises at two."""
        service, _, wanted = uuid.rpartition("/")
        return next(
            (
                each
                for each in self._client.services.characteristics.values()
                if each.uuid == wanted and service in ("", each.service_uuid)
            ),
            None,
        )

    async def _do(self, action: Action, found: BleakGATTCharacteristic) -> None:
        match action:
            case Read():
                data = await self._client.read_gatt_char(found)
                self._hear(Heard(self._clock.now_ns(), found.uuid, bytes(data)))
            case Write(_, payload, with_response):
                await self._client.write_gatt_char(found, payload, response=with_response)
            case Subscribe() if found.handle not in self._subscribed:
                await self._client.start_notify(found, self._on_notification)
                self._subscribed.add(found.handle)

    # --- hearing ------------------------------------------------------------------------------------------------------

    def _on_notification(self, characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        """Stamp, hand on, return: Bluetooth waits for this."""
        if self._open:  # Linux goes on for 2 s after the farewell
            self._hear(Heard(self._clock.now_ns(), characteristic.uuid, bytes(data)))
            self._alive_s = asyncio.get_running_loop().time()
            self.was_heard = True

    async def until_gone(self) -> LinkFailed:
        """Wait until the link is lost or has been silent for too long; return which."""
        loop = asyncio.get_running_loop()
        while not self._gone.is_set():
            left_s = self._silent_from_s - loop.time()
            if left_s <= 0:
                await asyncio.sleep(CATCH_UP_S)
                if self._silent_from_s <= loop.time():
                    return LinkFailed("the sensor fell silent")
                continue
            # Not longer than a silence: the first notification may come meanwhile, and then another limit holds.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, self._parameters.silence_s)):
                    await self._gone.wait()
        return LinkFailed("the link was lost")

    @property
    def _silent_from_s(self) -> float:
        parameters = self._parameters
        return self._alive_s + (parameters.silence_s if self.was_heard else parameters.first_notification_s)

    def mute(self) -> None:
        """Hear nothing more; `hang_up` does it too."""
        self._open = False

    async def hang_up(self) -> None:
        """End the connection. Also needed when it is lost: else Linux brings every packet twice after the next.

        https://github.com/hbldh/bleak/issues/2002
        """
        self.mute()
        try:
            with told_as_link_failure():
                async with asyncio.timeout(self._parameters.farewell_s):
                    await self._client.disconnect()
        except Exception as error:  # whatever it is: what was to be achieved is that the link is gone
            _log.info("hanging up on %s: %s", self._sensor.title, error)
