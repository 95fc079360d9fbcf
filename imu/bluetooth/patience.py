"""How long to try for a sensor, how long to wait between attempts, and what to tell the person in the end.

This module refuses to know how one connects.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from imu.bluetooth.connection import ConnectionParameters
from imu.bluetooth.scan import SeenSensor
from imu.bluetooth.trouble import LinkFailed
from imu.errors import BluetoothUnavailable, ImuError, SensorBusy, SensorLost


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """How long to try what."""

    scan_s: float = 10.0
    """To listen for the sensor; the slowest advertise every 1-2 s."""
    choosing_s: float = 1.0
    """To go on listening once a sensor is heard, in case a nearer one is there."""
    look_again_s: float = 5.0
    """To listen before another attempt to connect; Linux forgets a device that it has not heard of late."""
    first_contact_s: float = 45.0
    """To hear anything from a sensor that was found: three full attempts."""
    give_up_s: float = 120.0
    """To get a lost sensor back: a walk to the fountain."""
    shortest_wait_s: float = 0.2
    """Between two attempts, doubling with each."""
    longest_wait_s: float = 5.0
    """Between two attempts at most."""
    stop_s: float = 5.0
    """For the sensor to take the last actions before hanging up."""
    connection: ConnectionParameters = field(default_factory=ConnectionParameters)
    """For each connection."""


class Patience:
    """What is left of it, since the sensor was found or heard last.

    Attributes
    ----------
    attempt : int
        Which attempt is due, from 1.
    wait_s : float
        How long to wait before it.
    trouble : BluetoothUnavailable or None
        What was wrong with this computer's Bluetooth when it was used last.
    """

    def __init__(self, parameters: LinkParameters) -> None:
        self._parameters = parameters
        self._ever_heard = False
        self._begin()

    def _begin(self) -> None:
        limit_s = self._parameters.give_up_s if self._ever_heard else self._parameters.first_contact_s
        self._until_s = asyncio.get_running_loop().time() + limit_s
        self.attempt = 1
        self.wait_s = 0.0
        self.trouble: BluetoothUnavailable | None = None

    @property
    def left_s(self) -> float:
        """How much longer to try."""
        return max(0.0, self._until_s - asyncio.get_running_loop().time())

    def heard(self) -> None:
        """Begin anew: the sensor has spoken. A connection in which it does not is an attempt that failed."""
        self._ever_heard = True
        self._begin()

    def failed(self, sensor: SeenSensor, error: LinkFailed | BluetoothUnavailable) -> None:
        """Count an attempt that failed.

        Raises
        ------
        BluetoothUnavailable, SensorBusy, SensorLost
            If there should be no further one.
        """
        if isinstance(error, BluetoothUnavailable):
            self.trouble = error
        # In the middle of a training, Bluetooth that is off is perhaps being switched on again.
        if not self.left_s or (self.trouble is not None and not self._ever_heard):
            raise self._given_up(sensor) from error
        self.attempt += 1
        longer_s = max(self._parameters.shortest_wait_s, 2 * self.wait_s)
        self.wait_s = min(longer_s, self._parameters.longest_wait_s)

    def _given_up(self, sensor: SeenSensor) -> ImuError:
        # Linux says "input/output error" of a connection where Bluetooth is off; only a search tells.
        if self.trouble is not None:
            return BluetoothUnavailable(self.trouble.reason, str(self.trouble))
        if self._ever_heard:
            return SensorLost(
                f"{sensor.title} went away and did not come back within {self._parameters.give_up_s:.0f} s: charge it "
                "or bring it near, and start again; what was recorded until now is kept"
            )
        return SensorBusy(
            f"{sensor.title} is near, but could not be reached in {self._parameters.first_contact_s:.0f} s: disconnect "
            "it from phones and other programs, or switch it off and on, and start again"
        )
