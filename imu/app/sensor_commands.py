"""``imu scan`` and ``imu sensor``: the sensors around, and a virtual one for a training in another window.

`imu scan` shows the sensors that advertise. `imu sensor` prints a line for each connection, stream and loss: a
Bluetooth sensor waits for ``imu train --sensor virtual:HOST:PORT``; a phone goes to the address that ``imu train
--sensor phone`` or ``sensorlogger`` shows. The sensor itself, its measurement and its packets, is in `imu.virtual`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from imu.app.terminal import can_draw
from imu.bluetooth.scan import SeenSensor, scan
from imu.errors import ImuError
from imu.live.radios import radio_for
from imu.recordings.recording import read_recording
from imu.report.terminal_pages import plain_table
from imu.report.words import printable
from imu.samples import ImuBlock
from imu.sensors import recognise
from imu.virtual.phones import HANDLED_S, PhoneFaults, VirtualPhone, VirtualSensorLogger, phone_samples, pushed_messages
from imu.virtual.radio import LinkChange, LinkEvent, RadioConditions, VirtualRadio, VirtualSensor
from imu.virtual.reference_firmware import ReferenceParameters
from imu.virtual.reference_twin import ReferenceTwin
from imu.virtual.twin import Twin
from imu.virtual.vendor_twins import TWINS

# --- imu scan ---------------------------------------------------------------------------------------------------------


async def show_scan(name: str | None, seconds: float, *, every: bool, live: bool) -> list[SeenSensor]:
    """Listen for a while and show the devices that advertise; return them, known sensors first.

    Parameters
    ----------
    name : str or None
        As in :func:`imu.live.radios.radio_for`: a virtual sensor switches a virtual radio on.
    seconds : float
        How long.
    every : bool
        Whether devices that are no sensors are shown too.
    live : bool
        Whether to show anything.

    Raises
    ------
    BluetoothUnavailable
        If this computer cannot listen.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    seen: dict[str, SeenSensor] = {}
    async with radio_for(name) as (radio, _choice):
        if not (live and can_draw()):
            sensors = await scan(radio, recognise, seconds)
        else:
            with Live(_table([]), console=console, auto_refresh=False, transient=True) as screen:

                def show(sensor: SeenSensor) -> None:
                    seen[sensor.address] = sensor
                    screen.update(_table(_shown(list(seen.values()), every=every)), refresh=True)

                sensors = await scan(radio, recognise, seconds, show)
    shown = _shown(sensors, every=every)
    if live:
        console.print(_table(shown) if shown else _nothing(sensors))
    return shown


def scan_object(sensor: SeenSensor) -> dict[str, object]:
    """Return what ``imu scan --json`` prints of one sensor."""
    return {
        "name": sensor.name,
        "address": sensor.address,
        "rssi_dbm": sensor.rssi_dbm,
        "kind": None if sensor.kind is None else sensor.kind.name,
        "usable": sensor.kind is not None and sensor.kind.refusal is None,
    }


def _shown(sensors: list[SeenSensor], *, every: bool) -> list[SeenSensor]:
    known = [sensor for sensor in sensors if every or sensor.kind is not None]
    return sorted(known, key=lambda one: (one.kind is None, -(one.rssi_dbm or -127)))


def _table(sensors: list[SeenSensor]) -> Table:
    table = plain_table("name", "signal", "sensor", "address")
    for sensor in sensors:
        signal = "?" if sensor.rssi_dbm is None else f"{sensor.rssi_dbm} dBm"
        table.add_row(printable(sensor.name or "(no name)"), signal, _what_it_is(sensor), sensor.address)
    return table


def _what_it_is(sensor: SeenSensor) -> str:
    if sensor.kind is None:
        return "a device of unknown kind"
    return sensor.kind.title if sensor.kind.refusal is None else f"{sensor.kind.title}: {sensor.kind.refusal}"


def _nothing(sensors: list[SeenSensor]) -> str:
    others = f", but {len(sensors)} other Bluetooth devices (--all shows them)" if sensors else ""
    return (
        f"No sensor was heard{others}: switch it on, bring it near, and disconnect it from phones and other programs."
    )


# --- imu sensor -------------------------------------------------------------------------------------------------------

LOOK_EVERY_S = 0.5
"""Interval at which the messages of the sensor are counted."""
STREAMING_MESSAGES = 3
"""Messages in that interval from which the sensor streams; replies and readings come one by one."""
TRAINING_S = 900.0
"""Duration of the built-in training, after which the person stands still."""
PHONES = {"phone": ("https://", 60.0), "sensorlogger": ("http://", 100.0)}
"""How the address of a training begins for each kind of phone, and how many samples the phone gives in a second."""


class SensorNotStarted(ImuError):
    """A virtual sensor cannot be started with these options; the sentence says why."""


@dataclass(frozen=True, slots=True)
class SensorOptions:
    """The sensor to start, and the faults that it shows.

    Attributes
    ----------
    kind : str
        A name in :data:`imu.virtual.TWINS`, or in :data:`PHONES`.
    url : str or None
        Address that the training shows; for a phone.
    recording : Path or None
        Movement of the person; None: the built-in training.
    seed : int
        Chooses the person, the sensor and the lost connection events.
    host, port : str and int
        Address on which it listens; port 0: any free port.
    rate_hz : float or None
        Its only sampling rate, Hz; None: the rates of its chip. Kind ``reference`` and phones only.
    drift_ppm : float or None
        Error of its clock, positive if it is fast. Kind ``reference`` only, as the next one.
    battery_percent : int or None
        Charge of its battery.
    drop_every_s, drop_for_s : float or None
        Interval and duration of losses of range, or of a phone's network; None: it stays in range.
    sleep_every_s : float or None
        Interval in which a phone's screen goes to sleep for `drop_for_s`.
    is_disordered : bool
        Whether a phone's messages come twice and out of order.
    interval_s : float or None
        Connection interval.
    missed_events : float
        Share of connection events that are lost.
    """

    kind: str = "reference"
    url: str | None = None
    recording: Path | None = None
    seed: int = 1
    host: str = "127.0.0.1"
    port: int = 9001
    rate_hz: float | None = None
    drift_ppm: float | None = None
    battery_percent: int | None = None
    drop_every_s: float | None = None
    drop_for_s: float = 3.0
    sleep_every_s: float | None = None
    is_disordered: bool = False
    interval_s: float | None = None
    missed_events: float = 0.0

    def __post_init__(self) -> None:
        """Check the options.

        Raises
        ------
        SensorNotStarted
            If they do not fit together.
        """
        kinds = sorted({*TWINS, *PHONES})
        if self.kind not in kinds:
            raise SensorNotStarted(f"There is no virtual sensor {self.kind!r}; there are: {', '.join(kinds)}.")
        if self.kind in PHONES and not (self.url or "").startswith(PHONES[self.kind][0]):
            raise SensorNotStarted(
                f"A virtual {self.kind} needs the address that imu train --sensor {self.kind} shows: --url "
                f"{PHONES[self.kind][0]}HOST:PORT/KEY."
            )
        if self.kind not in PHONES and (self.url is not None or self.sleep_every_s or self.is_disordered):
            raise SensorNotStarted("An address, sleep and disorder can be set for the kinds of phones only.")
        of_the_chip = (self.drift_ppm, self.battery_percent, None if self.kind in PHONES else self.rate_hz)
        if self.kind != "reference" and any(value is not None for value in of_the_chip):
            raise SensorNotStarted("Rate, drift and battery can be set for the kind 'reference' only.")
        for every_s in (self.drop_every_s, self.sleep_every_s):
            if every_s is not None and not (every_s > 0 and self.drop_for_s > 0):
                raise SensorNotStarted("The sensor can only go out of range for more than 0 s, every more than 0 s.")


def run_sensor(options: SensorOptions, say: Callable[[str], None]) -> None:
    """Run a virtual sensor until Ctrl-C or a termination signal.

    Parameters
    ----------
    options : SensorOptions
        The sensor and its faults.
    say : callable
        Shows a line to the person at once.

    Raises
    ------
    SensorNotStarted
        If the options do not fit together, the recording cannot be read, or the port is in use.
    ExtraMissing
        If bumble is not installed.
    """
    conditions, parameters = _conditions(options), _parameters(options)
    if options.recording is None:
        from imu.virtual.person import virtual_signal  # noqa: PLC0415 - slow to import

        worn = virtual_signal(options.seed, TRAINING_S)
    else:
        try:
            worn = read_recording(options.recording).block
        except ImuError as error:
            raise SensorNotStarted(f"{options.recording}: {error}") from error
    if options.kind in PHONES:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run_phone(options, worn, say))
        say("stopped")
        return
    if options.kind == "reference":
        twin: Twin = ReferenceTwin(worn, options.seed, parameters)
    else:
        twin = TWINS[options.kind](worn, options.seed)
    with contextlib.suppress(KeyboardInterrupt):  # where signals cannot be handled by the event loop (Windows)
        asyncio.run(_run(options, twin, conditions, say))
    say("stopped")


def _parameters(options: SensorOptions) -> ReferenceParameters:
    usual = ReferenceParameters()
    try:
        return ReferenceParameters(
            rates_hz=usual.rates_hz if options.rate_hz is None else (options.rate_hz,),
            drift_ppm=options.drift_ppm,
            battery_percent=usual.battery_percent if options.battery_percent is None else options.battery_percent,
        )
    except ValueError as wrong:
        raise SensorNotStarted(f"These options of the sensor are not possible: {wrong}.") from wrong


def _conditions(options: SensorOptions) -> RadioConditions:
    usual = RadioConditions()
    try:
        return RadioConditions(
            interval_s=usual.interval_s if options.interval_s is None else options.interval_s,
            missed_events=options.missed_events,
        )
    except ValueError as wrong:
        raise SensorNotStarted(f"These options of the radio are not possible: {wrong}.") from wrong


async def _run(options: SensorOptions, twin: Twin, conditions: RadioConditions, say: Callable[[str], None]) -> None:
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def when_changed(event: LinkEvent) -> None:
        line = _line(event)
        if line is not None:
            say(line)
        if event.change is LinkChange.FAILED and not failed.done():
            failed.set_result(None)  # the error is raised when the radio is switched off

    async with VirtualRadio(seed=options.seed) as radio:
        sensor = await radio.add_sensor(twin, conditions=conditions, when_changed=when_changed)
        try:
            port = await radio.listen(options.host, options.port)
        except OSError as taken:
            raise SensorNotStarted(
                f"Port {options.port} at {options.host} cannot be used ({taken.strerror}): choose another with --port."
            ) from taken
        place = f"{options.host}:{port}"
        name = twin.advertisement.name or "without a name"
        say(f"virtual sensor {name} ({options.kind}) is on: imu train --sensor virtual:{place}")
        await _until_first(_until_stopped(), _look(sensor, say), _come_and_go(sensor, options), failed)


async def run_phone(options: SensorOptions, worn: ImuBlock, say: Callable[[str], None]) -> None:
    """Play the signal as a phone does, until it ends, the training ends, or the person stops it."""
    url, end_s = options.url or "", float(worn.device_time_s[-1]) + HANDLED_S
    faults = PhoneFaults(
        drops=_spans(options.drop_every_s, options.drop_for_s, end_s),
        sleeps=_spans(options.sleep_every_s, options.drop_for_s, end_s),
        is_disordered=options.is_disordered,
    )
    rate_hz = options.rate_hz or PHONES[options.kind][1]
    say(f"virtual phone ({options.kind}) goes to {url}")
    if options.kind == "phone":
        samples = phone_samples(worn, options.seed, rate_hz=rate_hz, assignment=options.seed % 48)
        phone: VirtualPhone | VirtualSensorLogger = VirtualPhone(url, samples, faults=faults, say=say)
    else:
        phone = VirtualSensorLogger(url, pushed_messages(worn, options.seed, rate_hz=rate_hz), faults=faults, say=say)
    await _until_first(phone.play(), _until_stopped())


async def _until_first(*awaited: Awaitable[None]) -> None:
    """Wait until one of several has ended, cancel the others, and raise the error of the one."""
    tasks = {asyncio.ensure_future(each) for each in awaited}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _spans(every_s: float | None, for_s: float, end_s: float) -> tuple[tuple[float, float], ...]:
    """Return start and duration of what happens at an interval."""
    if every_s is None:
        return ()
    return tuple((float(start_s), for_s) for start_s in np.arange(every_s, end_s, every_s + for_s))


def _line(event: LinkEvent) -> str | None:
    """Return the line for a change of the link; None for subscriptions."""
    match event.change:
        case LinkChange.SUBSCRIBED | LinkChange.UNSUBSCRIBED:
            return None
        case LinkChange.CONNECTED:
            return f"connected by {event.detail}"
        case LinkChange.FAILED:
            return f"failed: {event.detail}"
    return str(event.change.value)


async def _until_stopped() -> None:
    """Wait for SIGINT or SIGTERM, also where a shell started this process with SIGINT ignored."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C comes as KeyboardInterrupt
            loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


async def _look(sensor: VirtualSensor, say: Callable[[str], None]) -> None:
    """Say when the stream of the sensor starts and stops."""
    streaming = False
    sent = sensor.messages_sent
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        new, sent = sensor.messages_sent - sent, sensor.messages_sent
        if not streaming and new >= STREAMING_MESSAGES:
            streaming = True
            say("streaming")
        elif streaming and new == 0:
            streaming = False
            say("not streaming")


async def _come_and_go(sensor: VirtualSensor, options: SensorOptions) -> None:
    """Leave the range and come back, at the interval of the options."""
    if options.drop_every_s is None:
        await asyncio.Event().wait()
        return
    while True:
        await asyncio.sleep(options.drop_every_s)
        sensor.out_of_range()
        await asyncio.sleep(options.drop_for_s)
        sensor.in_range()
