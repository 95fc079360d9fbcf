"""The sensors around, for a page to choose from."""

from __future__ import annotations

from imu.bluetooth.scan import scan
from imu.live.radios import radio_for
from imu.live.screen_parts import signal_word
from imu.sensors.kinds import recognise

LISTEN_S = 6.0


async def heard_sensors() -> list[dict[str, str]]:
    """Listen for a while; return the sensors that can be trained with, the best heard first.

    Raises
    ------
    BluetoothUnavailable
        If this computer cannot listen.
    """
    async with radio_for(None) as (radio, _choice):
        found = await scan(radio, recognise, LISTEN_S)
    usable = [one for one in found if one.kind is not None and one.kind.refusal is None]
    return [
        {
            "wanted": one.address,
            "title": one.title,
            "signal": "" if one.rssi_dbm is None else f"signal {signal_word(one.rssi_dbm)}",
        }
        for one in sorted(usable, key=lambda one: -(one.rssi_dbm or -127))
    ]
