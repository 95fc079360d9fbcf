"""Listen for sensors, and find the wanted one.

The description of a sensor arrives in pieces (an advertisement, a scan response, parts of them each time); they are put
together here. The kinds of sensors are not known here: a function that recognises them is a parameter.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakDBusError, BleakError

from imu.bluetooth.bleak_errors import IN_PROGRESS, heed_cancellation, search_trouble
from imu.errors import SensorNotFound, SensorUnsuitable
from imu.sensors.conversation import Advertisement, SensorKind

START_ATTEMPTS = 6
"""BlueZ runs one scan per program at a time and needs a moment after the last; a scan that is busy for 3 s hangs."""
START_WAIT_S = 0.5
RSSI_UNKNOWN_DBM = (-127, 127)
"""Values of BlueZ and macOS for an unknown signal strength."""

_log = logging.getLogger(__name__)

Recognise = Callable[[Advertisement], SensorKind | None]
"""Returns the kind of sensor of an advertisement; ``None`` for other devices."""


@dataclass(frozen=True, slots=True)
class Radio:
    """Classes for bleak's ``backend=``; ``None`` for the operating system's."""

    scanner_backend: type[BaseBleakScanner] | None = None
    client_backend: type[BaseBleakClient] | None = None

    def scanner(self, heard: Callable[[BLEDevice, AdvertisementData], None]) -> BleakScanner:
        """Return a scanner that calls `heard` for each advertisement."""
        return BleakScanner(heard, backend=self.scanner_backend)

    def client(self, device: BLEDevice, gone: Callable[[BleakClient], None], timeout_s: float) -> BleakClient:
        """Return a client for one connection.

        It calls `gone` at the end, on either side's initiative.
        """
        return BleakClient(device, gone, timeout=timeout_s, backend=self.client_backend)

    async def connected_devices(self) -> list[BLEDevice]:
        """Return the devices connected to this computer; they do not advertise.

        Linux keeps the connection of a program that was killed; without this list the next one would never find the
        sensor.
        """
        if self.scanner_backend is not None:
            return []
        try:
            adapter = await BleakAdapter.get()
            return await adapter.get_connected_devices()
        except (BleakError, OSError, EOFError, NotImplementedError) as error:
            _log.debug("connected devices cannot be listed: %r", error)  # the scan reports the cause
            return []


@dataclass(frozen=True, slots=True)
class SeenSensor:
    """A Bluetooth device within reach.

    Attributes
    ----------
    name : str or None
        Advertised name.
    address : str
        Bluetooth address; on macOS a UUID that is valid on this computer only.
    rssi_dbm : int or None
        Latest signal strength; ``None`` where the system does not report it.
    kind : SensorKind or None
        ``None`` for a device that is not a supported sensor.
    advertisement : Advertisement
        All advertised data so far.
    device : BLEDevice
        The device for bleak to connect to.
    connected : bool
        Whether this computer is connected to it already. It was then not heard, but listed by the system.
    """

    name: str | None
    address: str
    rssi_dbm: int | None
    kind: SensorKind | None
    advertisement: Advertisement
    device: BLEDevice = field(repr=False, compare=False)
    connected: bool = False

    @property
    def title(self) -> str:
        """Name and address, for people."""
        return f"{self.name} ({self.address})" if self.name else self.address


def _nothing_more(sensor: SeenSensor) -> float | None:
    del sensor
    return None


async def scan(
    radio: Radio,
    recognise: Recognise,
    seconds: float,
    on_seen: Callable[[SeenSensor], float | None] = _nothing_more,
) -> list[SeenSensor]:
    """Listen for a while.

    Parameters
    ----------
    radio : Radio
        Radio to listen with.
    recognise : callable
        Returns the kind of a sensor.
    seconds : float
        How long to listen.
    on_seen : callable
        Called with each sensor when it is first heard and whenever it is heard again. If it returns a number, that is
        how many more seconds to listen at most.

    Returns
    -------
    list of SeenSensor
        All devices, supported sensors first, then the strongest first.

    Raises
    ------
    BluetoothUnavailable
        If this computer cannot listen.
    """
    heard: asyncio.Queue[tuple[BLEDevice, AdvertisementData]] = asyncio.Queue()
    seen: dict[str, SeenSensor] = {}
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds
    scanner = radio.scanner(lambda device, data: heard.put_nowait((device, data)))
    await _start(scanner)
    try:
        heed_cancellation()
        for device in await radio.connected_devices():
            sensor = _already_connected(device, recognise)
            if sensor.kind is not None:  # leaves out mice and headsets
                seen[sensor.address] = sensor
                until_s = _sooner(until_s, on_seen(sensor))
        while loop.time() < until_s:
            try:
                async with asyncio.timeout_at(until_s):
                    device, data = await heard.get()
            except TimeoutError:
                break
            sensor = _together(seen.get(device.address), device, data, recognise)
            seen[sensor.address] = sensor
            until_s = _sooner(until_s, on_seen(sensor))
    finally:
        await _stop(scanner)
    return sorted(seen.values(), key=lambda sensor: (sensor.kind is None, -strength(sensor)))


def strength(sensor: SeenSensor) -> int:
    """Return the signal strength for comparing, in dBm; an unknown one counts as weak."""
    return RSSI_UNKNOWN_DBM[0] if sensor.rssi_dbm is None else sensor.rssi_dbm


def _sooner(until_s: float, more_s: float | None) -> float:
    return until_s if more_s is None else min(until_s, asyncio.get_running_loop().time() + more_s)


async def _start(scanner: BleakScanner) -> None:
    for attempt in range(START_ATTEMPTS):
        try:
            await scanner.start()
            return
        except (BleakError, OSError, EOFError, ValueError) as error:  # ValueError: an invalid D-Bus address
            if not _is_in_progress(error) or attempt == START_ATTEMPTS - 1:
                raise search_trouble(error) from error
        await asyncio.sleep(START_WAIT_S)


async def _stop(scanner: BleakScanner) -> None:
    """Stop listening; an error is not fatal.

    See https://github.com/hbldh/bleak/issues/2021.
    """
    for _ in range(2):
        try:
            await scanner.stop()
            return
        except (BleakError, OSError, EOFError) as error:
            _log.warning("the search for sensors did not stop at once: %s", error)
            if not _is_in_progress(error):
                return
        await asyncio.sleep(START_WAIT_S)


def _is_in_progress(error: BaseException) -> bool:
    return isinstance(error, BleakDBusError) and error.dbus_error == IN_PROGRESS


# --- data of a sensor, put together -----------------------------------------------------------------------------------


def _together(
    before: SeenSensor | None, device: BLEDevice, data: AdvertisementData, recognise: Recognise
) -> SeenSensor:
    """Return the sensor with the new data added to the earlier data."""
    advertisement = before.advertisement if before else Advertisement()
    services = tuple(uuid.lower() for uuid in data.service_uuids)
    advertisement = Advertisement(
        data.local_name or device.name or advertisement.name,
        advertisement.services + tuple(uuid for uuid in services if uuid not in advertisement.services),
        MappingProxyType({**advertisement.manufacturer_data, **data.manufacturer_data}),
    )
    rssi_dbm = None if data.rssi in RSSI_UNKNOWN_DBM else data.rssi
    return SeenSensor(advertisement.name, device.address, rssi_dbm, recognise(advertisement), advertisement, device)


def _already_connected(device: BLEDevice, recognise: Recognise) -> SeenSensor:
    """Return the description of a connected sensor, from BlueZ's memory."""
    properties = device.details.get("props", {}) if isinstance(device.details, Mapping) else {}
    advertisement = Advertisement(device.name, tuple(uuid.lower() for uuid in properties.get("UUIDs", ())))
    return SeenSensor(
        device.name, device.address, None, recognise(advertisement), advertisement, device, connected=True
    )


# --- choosing a sensor ------------------------------------------------------------------------------------------------


NAMED_AT_MOST = 5
"""Number of other devices named when a sensor is not found; a gym is full of them."""


@dataclass(frozen=True, slots=True)
class SensorChoice:
    """The wanted sensor.

    Parameters
    ----------
    wanted : str or None
        Name, address or serial number, in any case; ``None`` for the nearest supported sensor. A serial number is
        looked for in the name, as with ``Movesense 174630000123``.
    """

    wanted: str | None = None

    def fits(self, sensor: SeenSensor) -> bool:
        """Return whether this may be the wanted sensor."""
        if self.wanted is None:
            return sensor.kind is not None
        wanted, name = self.wanted.strip().casefold(), (sensor.name or "").strip().casefold()
        serials = [word for word in re.split(r"[^0-9a-z]+", name) if re.search(r"\d", word)]
        return self.is_address_of(sensor) or wanted == name or wanted in serials

    def is_address_of(self, sensor: SeenSensor) -> bool:
        """Return whether the wanted text is this sensor's address."""
        return self.wanted is not None and self.wanted.strip().casefold() == sensor.address.casefold()


async def find_sensor(
    radio: Radio,
    choice: SensorChoice,
    recognise: Recognise,
    scan_s: float,
    choosing_s: float,
    *,
    on_seen: Callable[[SeenSensor], object] = _nothing_more,
) -> SeenSensor:
    """Listen until the wanted sensor is heard.

    Parameters
    ----------
    radio : Radio
        Radio to listen with.
    choice : SensorChoice
        The wanted sensor.
    recognise : callable
        Returns the kind of a sensor.
    scan_s : float
        How long to listen at most.
    choosing_s : float
        How long to listen after the first match, in case a nearer sensor matches too.
    on_seen : callable
        Called with each device that is heard, as by `scan`.

    Raises
    ------
    BluetoothUnavailable
        If this computer cannot listen.
    SensorNotFound
        If it was not heard; the sentence lists other devices.
    SensorUnsuitable
        If it was heard but cannot be used.
    """

    def more_s(sensor: SeenSensor) -> float | None:
        on_seen(sensor)
        if not choice.fits(sensor) or sensor.kind is None or sensor.kind.refusal is not None:
            return None  # more of its data, or a better sensor, may still come
        return 0.0 if choice.is_address_of(sensor) else choosing_s

    seen = await scan(radio, recognise, scan_s, more_s)
    fitting = [sensor for sensor in seen if choice.fits(sensor)]
    if not fitting:
        raise SensorNotFound(_not_found(choice, seen, scan_s))
    best = max(fitting, key=lambda sensor: (_can_serve(sensor), sensor.kind is not None, strength(sensor)))
    if best.kind is None:
        raise SensorUnsuitable(
            f"{best.title} is not a supported sensor: `imu scan` lists the supported ones within reach"
        )
    if best.kind.refusal is not None:
        raise SensorUnsuitable(best.kind.refusal)
    return best


def _can_serve(sensor: SeenSensor) -> bool:
    return sensor.kind is not None and sensor.kind.refusal is None


def _not_found(choice: SensorChoice, seen: Iterable[SeenSensor], scan_s: float) -> str:
    """Return a sentence: the sensor was not heard, which devices were, and what to do."""
    what = "no sensor" if choice.wanted is None else f"no sensor {choice.wanted!r}"
    sensors = [sensor for sensor in seen if sensor.kind is not None]
    others = [sensor for sensor in seen if sensor.kind is None]
    if sensors:
        heard = "but " + ", ".join(sensor.title for sensor in sensors[:NAMED_AT_MOST])
    elif others:
        named = [sensor.name for sensor in others if sensor.name][:NAMED_AT_MOST]
        count = f"{len(others)} other Bluetooth device{'s' if len(others) > 1 else ''}"
        heard = f"but {count}{' (' + ', '.join(named) + ')' if named else ''}"
    else:
        heard = "and no other device"
    return (
        f"{what} was heard in {scan_s:.0f} s, {heard}: switch it on, bring it near, and disconnect it from phones and "
        "other programs, because a connected sensor does not advertise"
    )
