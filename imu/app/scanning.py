"""``imu scan``: the sensors around, as they are heard."""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.table import Table

from imu.app.terminal import can_draw
from imu.bluetooth.scan import SeenSensor, scan
from imu.live.radios import radio_for
from imu.report.terminal_pages import plain_table
from imu.report.words import printable
from imu.sensors.kinds import recognise


async def show_scan(name: str | None, seconds: float, *, every: bool, live: bool) -> list[SeenSensor]:
    """Listen for a while and show what is heard; return it, what we know first.

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
            found = await scan(radio, recognise, seconds)
        else:
            with Live(_table([]), console=console, auto_refresh=False, transient=True) as screen:

                def show(sensor: SeenSensor) -> None:
                    seen[sensor.address] = sensor
                    screen.update(_table(_shown(list(seen.values()), every=every)), refresh=True)

                found = await scan(radio, recognise, seconds, show)
    shown = _shown(found, every=every)
    if live:
        console.print(_table(shown) if shown else _nothing(found))
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


def _nothing(found: list[SeenSensor]) -> str:
    others = f", but {len(found)} other Bluetooth devices (--all shows them)" if found else ""
    return (
        f"No sensor was heard{others}: switch it on, bring it near, and disconnect it from phones and other programs."
    )
