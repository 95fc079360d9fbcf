"""The virtual radio: the real Bluetooth client, a radio in software, and a virtual sensor at the other end.

Follow one sample: a twin (`imu.virtual`) measures and packs what the person does, `peripheral` carries the
bytes to its Bluetooth controller, `air` delivers them at connection events, and `adapter`, this computer's end of the
air, hands them to bleak as bleak's own backends do. It is also the entrance for other processes.

``async with VirtualRadio() as radio`` gives two classes for bleak's ``backend=`` and takes sensors. With a transport it
reaches the virtual sensor of another process (``imu sensor``) instead. All time comes from the event loop. A loop whose
clock runs fast (`tests/fast_clock.py`) therefore runs the radio, the twins, bleak and our client fast, with the same
order of events.

The quality of the link and its events stand here, without bumble. The modules that need it are imported only when the
radio is switched on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Self

from imu.errors import ExtraMissing, SensorNotFound
from imu.virtual.twin import Twin

if TYPE_CHECKING:
    from bleak.backends.client import BaseBleakClient
    from bleak.backends.scanner import BaseBleakScanner

    from imu.virtual.radio.adapter import Adapter
    from imu.virtual.radio.air import Door, RadioLink
    from imu.virtual.radio.peripheral import Peripheral

__all__ = ["LinkChange", "LinkEvent", "RadioConditions", "VirtualRadio", "VirtualSensor"]

FIRST_ADDRESS = 0xF0_00_00_00_00_01

# bumble also raises the errors that it logs. Without a handler its log would appear on the screen.
_NO_LOG = logging.NullHandler()


@dataclass(frozen=True, slots=True)
class RadioConditions:
    """Quality of the radio link between a virtual sensor and this computer.

    A live link loses nothing, it delivers late; losses happen in the sensor's own queue.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    interval_s: float = 0.015
    """Connection interval, s; 0 delivers at once. Linux takes 0.03-0.05, Windows 0.03-0.06, macOS 0.015 and up."""
    packets_per_event: int = 6
    """Link-layer packets (251 bytes) that fit into one connection event in each direction."""
    missed_events: float = 0.0
    """Share of connection events in which no packet gets through."""
    rssi_dbm: int = -55
    """Signal strength in scan results, dBm."""
    supervision_timeout_s: float = 0.72
    """Silence after which both ends declare the link lost, s."""

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.interval_s <= 4:
            raise ValueError(f"interval_s must be 0 to 4, got {self.interval_s}")
        if self.packets_per_event < 1:
            raise ValueError(f"packets_per_event must be at least 1, got {self.packets_per_event}")
        if not 0 <= self.missed_events < 1:
            raise ValueError(f"missed_events must be 0 or more and below 1, got {self.missed_events}")
        if not -127 <= self.rssi_dbm <= 20:
            raise ValueError(f"rssi_dbm must be -127 to 20, got {self.rssi_dbm}")
        if not self.supervision_timeout_s > 0:
            raise ValueError(f"supervision_timeout_s must be above 0, got {self.supervision_timeout_s}")


class LinkChange(Enum):
    """Change of the link of a virtual sensor; the value is for people."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LOST = "link lost"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    OUT_OF_RANGE = "out of range"
    IN_RANGE = "back in range"
    ASLEEP = "asleep until moved"
    AWAKE = "awake"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One change of the link of a virtual sensor."""

    change: LinkChange
    detail: str = ""
    """The central's address, the characteristic or the error."""


def _ignore(event: LinkEvent) -> None:
    """Ignore the event."""


class VirtualSensor:
    """A sensor on the virtual radio, and the mishaps that can befall it."""

    def __init__(self, peripheral: Peripheral, address: str) -> None:
        self._peripheral = peripheral
        self.address = address

    @property
    def twin(self) -> Twin:
        """The behaviour of the sensor."""
        return self._peripheral.twin

    @property
    def connected(self) -> bool:
        """Whether a central is connected to it."""
        return self._peripheral.connected

    @property
    def messages_sent(self) -> int:
        """Number of notifications and indications sent."""
        return self._peripheral.messages_sent

    @property
    def conditions(self) -> RadioConditions:
        """Conditions of its radio link."""
        return self._peripheral.path.conditions

    def change(
        self,
        *,
        interval_s: float | None = None,
        missed_events: float | None = None,
        rssi_dbm: int | None = None,
        packets_per_event: int | None = None,
    ) -> None:
        """Change the given conditions of the link, at once.

        Raises
        ------
        ValueError
            If a value is out of range; see `RadioConditions`.
        """
        now = self.conditions
        self._peripheral.path.conditions = replace(
            now,
            interval_s=now.interval_s if interval_s is None else interval_s,
            missed_events=now.missed_events if missed_events is None else missed_events,
            rssi_dbm=now.rssi_dbm if rssi_dbm is None else rssi_dbm,
            packets_per_event=now.packets_per_event if packets_per_event is None else packets_per_event,
        )

    def out_of_range(self) -> None:
        """Carry it out of range: both ends lose the link after the supervision timeout."""
        self._peripheral.out_of_range()

    def in_range(self) -> None:
        """Bring it back into range."""
        self._peripheral.in_range()

    async def hang_up(self) -> None:
        """Let the sensor end the connection."""
        await self._peripheral.hang_up()

    async def power_cycle(self, off_s: float = 0.2) -> None:
        """Take the battery out and put it in again: the link is lost, and the twin reboots if it can."""
        await self._peripheral.power_cycle(off_s)

    async def remove(self) -> None:
        """Switch it off and remove it from the radio."""
        await self._peripheral.power_off()


class VirtualRadio:
    """A virtual radio, switched on by ``async with``; the end of the block switches it and its sensors off.

    Parameters
    ----------
    transport : str or None
        None for a radio in this process; else a transport of bumble, such as ``tcp-client:127.0.0.1:9001``.
    seed : int
        Seed of the choice of missed connection events.

    Raises
    ------
    ExtraMissing
        When switched on, if bumble is not installed.
    SensorNotFound
        When switched on, if `transport` does not answer.
    """

    scanner_backend: type[BaseBleakScanner]
    """For ``BleakScanner(backend=…)``."""
    client_backend: type[BaseBleakClient]
    """For ``BleakClient(backend=…)``."""

    def __init__(self, transport: str | None = None, *, seed: int = 0) -> None:
        self._transport = transport
        self._seed = seed
        self._air: RadioLink | None = None
        self._adapter: Adapter | None = None
        self._door: Door | None = None
        self._sensors: list[VirtualSensor] = []

    async def __aenter__(self) -> Self:
        """Switch on."""
        try:
            import bumble  # noqa: F401, PLC0415
        except ImportError as missing:
            raise ExtraMissing(
                "The virtual sensor needs a package that is not installed; "
                'install it with: python -m pip install "imu-training[virtual]"'
            ) from missing
        from imu.virtual.radio.adapter import Adapter, AdapterGone, backends_of  # noqa: PLC0415
        from imu.virtual.radio.air import RadioLink  # noqa: PLC0415

        logging.getLogger("bumble").addHandler(_NO_LOG)
        if self._transport is None:
            self._air = RadioLink(self._seed)
        self._adapter = Adapter(self._air or self._transport or "")
        self.scanner_backend, self.client_backend = backends_of(self._adapter)
        if self._transport is not None:
            try:
                await self._adapter.open()
            except AdapterGone as gone:
                raise SensorNotFound(
                    f"No virtual sensor answers at {self._transport}: start one with 'imu sensor'."
                ) from gone
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Switch off; raise the first failure of a sensor."""
        async with AsyncExitStack() as each:  # switches off the others if one fails
            for sensor in self._sensors:
                each.push_async_callback(sensor.remove)
            if self._door is not None:
                each.push_async_callback(self._door.close)
            if self._adapter is not None:
                each.push_async_callback(self._adapter.close)

    async def add_sensor(
        self,
        twin: Twin,
        address: str | None = None,
        rssi_dbm: int = -55,
        *,
        conditions: RadioConditions | None = None,
        when_changed: Callable[[LinkEvent], None] = _ignore,
    ) -> VirtualSensor:
        """Add a sensor and switch it on.

        Parameters
        ----------
        twin : Twin
            Its behaviour.
        address : str or None
            Its Bluetooth address; by default ``F0:00:00:00:00:01`` and up.
        rssi_dbm : int
            Its signal strength, dBm; ignored if `conditions` are given.
        conditions : RadioConditions or None
            Conditions of its radio link.
        when_changed : callable
            Called with every change of its link.

        Raises
        ------
        ValueError
            If the radio belongs to another process, or is not switched on.
        """
        from imu.virtual.radio.peripheral import Peripheral  # noqa: PLC0415

        if self._air is None:
            raise ValueError("a sensor can only be added to a radio of this process that is switched on")
        if address is None:
            number = FIRST_ADDRESS + len(self._sensors)
            address = number.to_bytes(6, "big").hex(":").upper()
        peripheral = Peripheral(
            twin, self._air, address, conditions or RadioConditions(rssi_dbm=rssi_dbm), when_changed
        )
        await peripheral.power_on()
        sensor = VirtualSensor(peripheral, address)
        self._sensors.append(sensor)
        return sensor

    async def listen(self, host: str, port: int) -> int:
        """Accept programs of other processes, at ``tcp-client:HOST:PORT``; return the port.

        Raises
        ------
        ValueError
            If the radio belongs to another process, or is not switched on.
        OSError
            If the port is not available.
        """
        from imu.virtual.radio.air import open_door  # noqa: PLC0415

        if self._air is None:
            raise ValueError("only a radio of this process that is switched on can be listened on")
        self._door = await open_door(self._air, host, port)
        return self._door.port
