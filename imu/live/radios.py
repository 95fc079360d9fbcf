"""Which radio or link a sensor's name stands for: this computer's radio, a virtual one, or a page for a phone."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from imu.bluetooth import HostClock
from imu.bluetooth.link import SensorLink, TrainingLink
from imu.bluetooth.scan import Radio, SensorChoice
from imu.errors import SensorNotFound
from imu.phone.link import PhoneAddress, PhoneLink
from imu.phone.push import push_server
from imu.phone.server import phone_server
from imu.samples import ImuBlock
from imu.sensors.kinds import recognise
from imu.sensors.sensor_logger_push import SENSOR_LOGGER
from imu.store.home import common_home
from imu.virtual.radio import VirtualRadio
from imu.virtual.sensors import TWINS

VIRTUAL = "virtual"
ANY = "any"
PHONE = "phone"
"""Names that mean no particular sensor."""
PHONES = (PHONE, SENSOR_LOGGER.name)
"""Names for a phone, which connects to this computer: in its browser, or in the app Sensor Logger."""

VIRTUAL_TRAINING_S = 1200.0
"""How long the built-in person trains by default; then it stands still."""
_SIMULATION = """
import pickle, sys
from imu.virtual.person import virtual_signal
sys.stdout.buffer.write(pickle.dumps(virtual_signal(seconds=float(sys.argv[1]))))
"""


def is_virtual(name: str | None) -> bool:
    """Return whether a virtual sensor is meant: ``virtual``, ``virtual:KIND`` or ``virtual:HOST:PORT``."""
    return name is not None and (name == VIRTUAL or name.startswith(f"{VIRTUAL}:"))


@asynccontextmanager
async def link_for(
    name: str | None, clock: HostClock, duration_s: float | None, invite: Callable[[PhoneAddress], None]
) -> AsyncIterator[TrainingLink]:
    """Give the link to the sensor that is meant.

    Parameters
    ----------
    name : str or None
        One of `PHONES`; else as in `radio_for`.
    clock : HostClock
        Clock for the times of arrival.
    duration_s : float or None
        How long the built-in person trains.
    invite : callable
        Shows the address that the phone needs; called at once if a phone is meant.

    Raises
    ------
    ExtraMissing, SensorNotFound
        As in `radio_for`; or if what a phone needs is not installed.
    CertificateUnusable, PortTaken
        If the page for a phone cannot be served.
    """
    if name in PHONES:
        link = PhoneLink(clock) if name == PHONE else PhoneLink(clock, SENSOR_LOGGER)
        async with phone_server(link, common_home()) if name == PHONE else push_server(link) as address:
            invite(address)
            yield link
        return
    async with radio_for(name, duration_s) as (radio, choice):
        yield SensorLink(radio, choice, recognise, clock)


@asynccontextmanager
async def radio_for(name: str | None, duration_s: float | None = None) -> AsyncIterator[tuple[Radio, SensorChoice]]:
    """Give the radio, switched on, and which of the sensors on it is meant.

    Parameters
    ----------
    name : str or None
        Name, address or serial number of a sensor; ``any`` or ``None`` for the nearest; or as in `is_virtual`.
    duration_s : float or None
        How long the built-in person trains.

    Raises
    ------
    ExtraMissing
        If a virtual sensor is meant, and what it needs is not installed.
    SensorNotFound
        If there is no such virtual sensor.
    """
    if not is_virtual(name):
        yield Radio(), SensorChoice(None if name in (None, ANY) else name)
        return
    where = (name or "").partition(":")[2]
    if ":" in where:
        port = where.rpartition(":")[2]
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise SensorNotFound(f"{name} names no port: say {VIRTUAL}:HOST:PORT, as 'imu sensor' tells it")
        async with VirtualRadio(f"tcp-client:{where}") as radio:
            yield Radio(radio.scanner_backend, radio.client_backend), SensorChoice()
        return
    async with VirtualRadio() as radio:
        await _add_sensor(radio, where or "reference", duration_s or VIRTUAL_TRAINING_S)
        yield Radio(radio.scanner_backend, radio.client_backend), SensorChoice()


async def _add_sensor(radio: VirtualRadio, kind: str, duration_s: float) -> None:
    """Put a virtual sensor, worn by the built-in person, on the radio."""
    if kind not in TWINS:
        raise SensorNotFound(
            f"there is no virtual sensor {kind!r}: say virtual:KIND with one of {', '.join(TWINS)}, "
            "or virtual:HOST:PORT for one that 'imu sensor' runs"
        )
    await radio.add_sensor(TWINS[kind](await asyncio.to_thread(_simulated_signal, duration_s), 1))


def _simulated_signal(duration_s: float) -> ImuBlock:
    """Simulate the built-in person in a process of its own; a thread would hold up page and terminal for seconds.

    Raises
    ------
    SensorNotFound
        If the process fails.
    """
    command = [sys.executable, "-P", "-c", _SIMULATION, repr(duration_s)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SensorNotFound(f"the virtual sensor could not be made: {reason or f'status {done.returncode}'}")
    block: ImuBlock = pickle.loads(done.stdout)
    return block
