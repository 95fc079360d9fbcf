"""Which of the sensors around is meant, and how to find it. This module refuses to know how to listen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from imu.bluetooth.scan import Radio, Recognise, SeenSensor, scan, strength
from imu.errors import SensorNotFound, SensorUnsuitable

NAMED_AT_MOST = 5
"""So many other devices are named when a sensor is not found; a gym is full of them."""


@dataclass(frozen=True, slots=True)
class SensorChoice:
    """Which sensor is meant.

    Parameters
    ----------
    wanted : str or None
        Its name, its address or its serial number, in any case; ``None`` for any that we know, the nearest. A serial
        number is found where it is part of the name, as with ``Movesense 174630000123``.
    """

    wanted: str | None = None

    def fits(self, sensor: SeenSensor) -> bool:
        """Whether it could be this one."""
        if self.wanted is None:
            return sensor.kind is not None
        wanted, name = self.wanted.strip().casefold(), (sensor.name or "").strip().casefold()
        serials = [word for word in re.split(r"[^0-9a-z]+", name) if re.search(r"\d", word)]
        return self.is_address_of(sensor) or wanted == name or wanted in serials

    def is_address_of(self, sensor: SeenSensor) -> bool:
        """Whether it can be no other."""
        return self.wanted is not None and self.wanted.strip().casefold() == sensor.address.casefold()


async def find_sensor(
    radio: Radio, choice: SensorChoice, recognise: Recognise, scan_s: float, choosing_s: float
) -> SeenSensor:
    """Listen until the sensor that is meant is heard.

    Parameters
    ----------
    radio : Radio
        What to listen with.
    choice : SensorChoice
        Which is meant.
    recognise : callable
        Tells the kind of a sensor.
    scan_s : float
        How long to listen at most.
    choosing_s : float
        How long to go on listening after the first that fits, in case a nearer one does too.

    Raises
    ------
    BluetoothUnavailable
        If this computer cannot listen.
    SensorNotFound
        If none was heard; the sentence says what was.
    SensorUnsuitable
        If it was, but cannot serve.
    """

    def more_s(sensor: SeenSensor) -> float | None:
        if not choice.fits(sensor) or sensor.kind is None or sensor.kind.refusal is not None:
            return None  # perhaps it has not said all of itself yet, or a better one comes
        return 0.0 if choice.is_address_of(sensor) else choosing_s

    seen = await scan(radio, recognise, scan_s, more_s)
    fitting = [sensor for sensor in seen if choice.fits(sensor)]
    if not fitting:
        raise SensorNotFound(_not_found(choice, seen, scan_s))
    best = max(fitting, key=lambda sensor: (_can_serve(sensor), sensor.kind is not None, strength(sensor)))
    if best.kind is None:
        raise SensorUnsuitable(
            f"{best.title} is no sensor that this program knows: `imu scan` shows those that it does"
        )
    if best.kind.refusal is not None:
        raise SensorUnsuitable(best.kind.refusal)
    return best


def _can_serve(sensor: SeenSensor) -> bool:
    return sensor.kind is not None and sensor.kind.refusal is None


def _not_found(choice: SensorChoice, seen: Iterable[SeenSensor], scan_s: float) -> str:
    """Say that the sensor was not heard, what was, and what to do."""
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
        heard = "nor anything else"
    return (
        f"{what} was heard in {scan_s:.0f} s, {heard}: switch it on, bring it near, and disconnect it from phones and "
        "other programs, for a connected sensor is silent"
    )
