"""Which radio or link a sensor's name stands for: this computer's radio, a virtual one, or a page for a phone.

`record` gives its samples to a program (`imu.record`); a training runs in :mod:`imu.live.training_run`.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import imu
from imu.bluetooth import HostClock, LinkState
from imu.bluetooth.link import LinkNotice, SensorLink, TrainingLink
from imu.bluetooth.scan import Radio, SensorChoice
from imu.errors import SensorNotFound, SensorUnsuitable
from imu.live.targets import MOST_SETS, Plan
from imu.phone import PhoneAddress, PhoneLink
from imu.phone.browser import phone_server
from imu.phone.push import push_server
from imu.recordings.training_recorder import RecordingHeader, TrainingRecorder
from imu.samples import ImuBlock
from imu.sensors import recognise
from imu.sensors.conversation import Driver, Refused, Reply
from imu.sensors.sensor_logger_push import SENSOR_LOGGER
from imu.store.home import common_home
from imu.virtual.radio import VirtualRadio
from imu.virtual.vendor_twins import TWINS

VIRTUAL = "virtual"
ANY = "any"
PHONE = "phone"
"""Names that mean no particular sensor."""
PHONES = (PHONE, SENSOR_LOGGER.name)
"""Names for a phone, which connects to this computer: in its browser, or in the app Sensor Logger."""

VIRTUAL_TRAINING_S = 1200.0
"""How long the built-in person trains by default; then it stands still."""
_SIMULATION = """
import json, pickle, sys
from imu.virtual.person import virtual_signal
sys.stdout.buffer.write(pickle.dumps(virtual_signal(**json.loads(sys.argv[1]))))
"""


def is_virtual(name: str | None) -> bool:
    """Return whether this names a virtual sensor: ``virtual``, ``virtual:KIND`` or ``virtual:HOST:PORT``."""
    return name is not None and (name == VIRTUAL or name.startswith(f"{VIRTUAL}:"))


def check_virtual(name: str | None) -> None:
    """Check that a name means a virtual sensor that can exist, or another sensor.

    Raises
    ------
    SensorNotFound
        If it does not.
    """
    where = (name or "").partition(":")[2]
    if not is_virtual(name) or not where:
        return
    port = where.rpartition(":")[2]
    if ":" in where and not (port.isdecimal() and 0 < int(port) < 65536):
        raise SensorNotFound(f"{name} names no port: say {VIRTUAL}:HOST:PORT, as 'imu sensor' tells it")
    if ":" not in where and where not in TWINS:
        raise SensorNotFound(
            f"there is no virtual sensor {where!r}: say virtual:KIND with one of {', '.join(TWINS)}, "
            "or virtual:HOST:PORT for one that 'imu sensor' runs"
        )


@asynccontextmanager
async def link_for(
    name: str | None,
    clock: HostClock,
    duration_s: float | None,
    invite: Callable[[PhoneAddress], None],
    plan: Plan | None,
) -> AsyncIterator[TrainingLink]:
    """Give the link to the wanted sensor.

    Parameters
    ----------
    name : str or None
        One of `PHONES`; else as in `radio_for`.
    clock : HostClock
        Clock for the times of arrival.
    duration_s : float or None
        How long the built-in person trains.
    invite : callable
        Shows the address that the phone needs; called at once if the sensor is a phone.
    plan : Plan or None
        The sets that the built-in person does.

    Raises
    ------
    ExtraMissing, SensorNotFound
        As in `radio_for`; or if a package for the phone is not installed.
    CertificateUnusable, PortTaken
        If the page for a phone cannot be served.
    """
    if name in PHONES:
        link = PhoneLink(clock) if name == PHONE else PhoneLink(clock, SENSOR_LOGGER)
        async with phone_server(link, common_home()) if name == PHONE else push_server(link) as address:
            invite(address)
            yield link
        return
    async with radio_for(name, duration_s, plan) as (radio, choice):
        yield SensorLink(radio, choice, recognise, clock)


@asynccontextmanager
async def radio_for(
    name: str | None, duration_s: float | None = None, plan: Plan | None = None
) -> AsyncIterator[tuple[Radio, SensorChoice]]:
    """Give the radio, switched on, and the name of the wanted sensor on it.

    Parameters
    ----------
    name : str or None
        Name, address or serial number of a sensor; ``any`` or ``None`` for the nearest; or as in `is_virtual`.
    duration_s : float or None
        How long the built-in person trains.
    plan : Plan or None
        The sets that this person does; without it, squats and hinges in turn.

    Raises
    ------
    ExtraMissing
        If the sensor is virtual, and its package is not installed.
    SensorNotFound
        If there is no such virtual sensor.
    """
    check_virtual(name)
    if not is_virtual(name):
        yield Radio(), SensorChoice(None if name in (None, ANY) else name)
        return
    where = (name or "").partition(":")[2]
    if ":" in where:
        async with VirtualRadio(f"tcp-client:{where}") as radio:
            yield Radio(radio.scanner_backend, radio.client_backend), SensorChoice()
        return
    async with VirtualRadio() as radio:
        await _add_sensor(radio, where or "reference", duration_s or VIRTUAL_TRAINING_S, plan)
        yield Radio(radio.scanner_backend, radio.client_backend), SensorChoice()


async def _add_sensor(radio: VirtualRadio, kind: str, duration_s: float, plan: Plan | None) -> None:
    """Put a virtual sensor, worn by the built-in person, on the radio."""
    await radio.add_sensor(TWINS[kind](await asyncio.to_thread(_simulated_signal, duration_s, plan), 1))


def _simulated_signal(duration_s: float, plan: Plan | None) -> ImuBlock:
    """Simulate the built-in person in a process of its own; a thread would hold up page and terminal for seconds.

    Raises
    ------
    SensorNotFound
        If the process fails.
    """
    exercises = () if plan is None else plan.exercises
    endless = MOST_SETS if exercises and exercises[-1].sets is None else 0
    planned = [
        (one.pattern, one.repetitions) for one in (*exercises, *exercises[-1:] * endless) for _ in range(one.sets or 1)
    ]
    options = json.dumps({"seconds": duration_s, "planned": planned})
    command = [sys.executable, "-P", "-c", _SIMULATION, options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SensorNotFound(f"the virtual sensor could not be made: {reason or f'status {done.returncode}'}")
    block: ImuBlock = pickle.loads(done.stdout)
    return block


# --- samples for a program --------------------------------------------------------------------------------------------


async def record(
    sensor: str | None = None,
    *,
    duration_s: float | None = None,
    rate_hz: float = 100.0,
    save_as: str | os.PathLike[str] | None = None,
) -> AsyncGenerator[ImuBlock, None]:
    """Iterate over the samples of a live sensor, as they come.

    Push each block into an `imu.Session`, which counts while the person trains. Samples that were lost are a gap in the
    time of the blocks. To leave the loop early, iterate inside ``contextlib.aclosing(imu.record(...))``, which
    disconnects.

    Parameters
    ----------
    sensor : str, optional
        Name, address or serial number; ``virtual`` or ``virtual:KIND`` for a simulated person with a sensor. Without
        it, the nearest sensor.
    duration_s : float, optional
        Stop after this time of the sensor's clock. Without it, the loop goes on until the sensor is lost.
    rate_hz : float
        Wished sampling rate.
    save_as : path, optional
        Also write the raw messages, before they are decoded, to this new ``.mcap`` file. It counts to the same result.

    Yields
    ------
    ImuBlock
        The next samples, in the order of time: m/s² and rad/s in the sensor frame, time in s from near 0.

    Raises
    ------
    ImuError
        If there is no Bluetooth or no such sensor, if it is lost and does not come back within two minutes, or if the
        file cannot be written.

    Examples
    --------
    >>> import asyncio, imu
    >>> async def count_live():
    ...     session = imu.Session()
    ...     async for block in imu.record("virtual", duration_s=2):
    ...         for event in session.push(block):
    ...             print(event)
    ...     return session.finish()[1].duration_s
    >>> asyncio.run(count_live()) >= 1.9
    True
    """
    if sensor == PHONE:
        raise SensorUnsuitable("a phone is recorded with: imu train --sensor phone")
    clock = HostClock()
    driver: Driver | None = None
    recorder: TrainingRecorder | None = None
    closing: asyncio.Task[None] | None = None

    def samples_of(reply: Reply) -> tuple[ImuBlock, ...]:
        refused = next((notice for notice in reply.notices if isinstance(notice, Refused)), None)
        if refused is not None:
            raise SensorUnsuitable(refused.sentence)
        return reply.blocks

    async with radio_for(sensor, duration_s and duration_s + 10) as (radio, choice):
        link = SensorLink(radio, choice, recognise, clock)
        try:
            async for message in link.messages():
                if isinstance(message, LinkNotice):
                    seen = message.sensor
                    if message.state is LinkState.CONNECTED and driver is None and seen and seen.kind:
                        driver = seen.kind.driver(rate_hz)
                        name, about = seen.kind.name, (seen.name or "", seen.address, clock.now_ns())
                        header = RecordingHeader(name, *about, imu.__version__, rate_hz)
                        recorder = None if save_as is None else TrainingRecorder.create(Path(save_as), header)
                    continue
                if driver is None:  # the link names the sensor before its first message
                    continue
                if recorder is not None:
                    recorder.write(message)
                reply = driver.take(message)
                link.ask(reply.actions)
                for block in samples_of(reply):
                    yield block
                    if closing is None and duration_s is not None and block.device_time_s[-1] >= duration_s:
                        closing = asyncio.create_task(link.close(driver.stop()))
            if driver is not None:
                for block in samples_of(driver.finish()):
                    yield block
        finally:
            await (closing or link.close(() if driver is None else driver.stop()))
            if recorder is not None:
                recorder.close()
