"""One connection to a sensor, from the first attempt to disconnecting.

It performs one action after another, passes on what it receives, and detects the end of the link: when the system
reports it, or after a silence, since systems do not always report it.
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
from imu.bluetooth.bleak_errors import NEEDS_PAIRING, LinkFailed, translated_link_errors
from imu.bluetooth.scan import Radio, SeenSensor
from imu.errors import SensorUnsuitable
from imu.sensors.conversation import Action, Heard, Read, Subscribe, Write

LEAST_WRITE_BYTES = 20
"""Size of one write without response before the MTU has grown."""

MTU_WAIT_S = 1.0
"""Longest wait for the MTU: Windows connects first and negotiates it later
(https://github.com/hbldh/bleak/pull/1586)."""

CATCH_UP_S = 0.1
"""When this program was delayed itself, it handles waiting notifications for this time before it calls a link
silent."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionParameters:
    """Time limits of one connection."""

    connect_s: float = 15.0
    """For the connection and the list of services. 0.1-3 s is usual; with a weak link the system tries several
    times."""
    action_s: float = 10.0
    """For the answer to one action. The ATT protocol waits 30 s, which is too long for people."""
    first_notification_s: float = 10.0
    """From the connection to the first notification."""
    silence_s: float = 2.0
    """From one notification to the next; sensors send several times a second."""
    farewell_s: float = 10.0
    """For disconnecting: 2.2 s on Linux, up to 2 min on Windows, which is cut short."""


class Connection:
    """A connection to a sensor.

    Parameters
    ----------
    radio : Radio
        Radio to connect with.
    sensor : SeenSensor
        Sensor to connect to.
    clock : HostClock
        Clock for the times of arrival.
    hear : callable
        Called with each message while the connection is open.
    parameters : ConnectionParameters
        Time limits.
    within_s : float
        Upper limit for the attempt to connect, in addition to `parameters`.
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
        # A new client each time: macOS rejects a second subscription by the same client (hbldh/bleak#1969).
        self._connect_s = min(within_s, parameters.connect_s)
        self._client: BleakClient = radio.client(sensor.device, self._on_gone, self._connect_s)
        self._gone = asyncio.Event()
        self._alive_s = 0.0
        self._subscribed: set[int] = set()
        self._open = False
        self.was_heard = False
        """Whether any notification has come."""

    def _on_gone(self, client: BleakClient) -> None:
        """Wake up the waiting task only: bleak also calls this when we disconnect."""
        del client
        self._gone.set()

    async def open(self) -> None:
        """Connect.

        bleak has a time limit of its own, and on Linux it must be allowed to withdraw the request; cancelled in that
        step, it leaves its D-Bus connection broken. A second, longer limit applies only if that step does not end.

        Raises
        ------
        LinkFailed
            If the attempt fails.
        BluetoothUnavailable
            If it fails because of this computer.
        """
        try:
            with translated_link_errors():
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
        """Bytes that fit into one write without response.

        bleak's ``mtu_size`` cannot be used: it is always 23 on Linux.
        """
        sizes = (each.max_write_without_response_size for each in self._client.services.characteristics.values())
        return max(sizes, default=LEAST_WRITE_BYTES)

    # --- actions ------------------------------------------------------------------------------------------------------

    async def perform(self, action: Action) -> None:
        """Perform one action and wait for its end.

        Raises
        ------
        SensorUnsuitable
            If the sensor lacks a required characteristic, or only talks to paired computers.
        LinkFailed, BluetoothUnavailable
            If the link is broken.
        """
        required = isinstance(action, Write) or action.required
        try:
            with translated_link_errors():
                async with asyncio.timeout(self._parameters.action_s):
                    characteristic = self._characteristic(action.characteristic)
                    if characteristic is not None:
                        await self._do(action, characteristic)
        except BleakGATTProtocolError as error:
            if error.code in NEEDS_PAIRING and required:
                raise SensorUnsuitable(
                    f"{self._sensor.title} only talks to paired computers: pair it in the Bluetooth settings of this "
                    "computer"
                ) from error
            _log.warning("%s refused %s: %s", self._sensor.title, action, error)
            if required and not isinstance(action, Write):
                raise LinkFailed(str(error)) from error
        except LinkFailed:
            if required or self._gone.is_set():
                raise
            _log.info("%s did not answer %s", self._sensor.title, action)
        else:
            if characteristic is None and required:
                raise SensorUnsuitable(
                    f"{self._sensor.title} lacks the characteristic {action.characteristic}: its maker or firmware "
                    "differs from what it advertises. Update its firmware, or use another sensor"
                )
        self._alive_s = asyncio.get_running_loop().time()

    def _characteristic(self, uuid: str) -> BleakGATTCharacteristic | None:
        """Return the first characteristic with this UUID.

        A service may be named before it.

        bleak's own look-up raises if two characteristics have the UUID.
        """
        service, _, wanted = uuid.rpartition("/")
        return next(
            (
                each
                for each in self._client.services.characteristics.values()
                if each.uuid == wanted and service in ("", each.service_uuid)
            ),
            None,
        )

    async def _do(self, action: Action, characteristic: BleakGATTCharacteristic) -> None:
        match action:
            case Read():
                data = await self._client.read_gatt_char(characteristic)
                self._hear(Heard(self._clock.now_ns(), characteristic.uuid, bytes(data)))
            case Write(_, payload, with_response):
                await self._client.write_gatt_char(characteristic, payload, response=with_response)
            case Subscribe() if characteristic.handle not in self._subscribed:
                await self._client.start_notify(characteristic, self._on_notification)
                self._subscribed.add(characteristic.handle)

    # --- notifications ------------------------------------------------------------------------------------------------

    def _on_notification(self, characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        """Stamp, pass on, return: Bluetooth waits for this call."""
        if self._open:  # Linux delivers notifications for 2 s after disconnecting
            self._hear(Heard(self._clock.now_ns(), characteristic.uuid, bytes(data)))
            self._alive_s = asyncio.get_running_loop().time()
            self.was_heard = True

    async def until_gone(self) -> LinkFailed:
        """Wait until the link is lost or silent for too long; return the reason."""
        loop = asyncio.get_running_loop()
        while not self._gone.is_set():
            left_s = self._silent_from_s - loop.time()
            if left_s <= 0:
                await asyncio.sleep(CATCH_UP_S)
                if self._silent_from_s <= loop.time():
                    return LinkFailed("the sensor fell silent")
                continue
            # At most `silence_s`: the first notification may arrive meanwhile, and then the shorter limit applies.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, self._parameters.silence_s)):
                    await self._gone.wait()
        return LinkFailed("the link was lost")

    @property
    def _silent_from_s(self) -> float:
        parameters = self._parameters
        return self._alive_s + (parameters.silence_s if self.was_heard else parameters.first_notification_s)

    def mute(self) -> None:
        """Ignore further messages; `hang_up` does the same."""
        self._open = False

    async def hang_up(self) -> None:
        """Disconnect.

        This is necessary after a lost link too: otherwise Linux delivers every packet twice after the next connection.

        https://github.com/hbldh/bleak/issues/2002
        """
        self.mute()
        try:
            with translated_link_errors():
                async with asyncio.timeout(self._parameters.farewell_s):
                    await self._client.disconnect()
        except Exception as error:  # any error will do: the aim is that the link is gone
            _log.info("hanging up on %s: %s", self._sensor.title, error)
