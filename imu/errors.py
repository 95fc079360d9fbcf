"""Errors named after what the person can do about them.

Whatever goes wrong outside our own code is translated into one of these once, at the edge where it
happens, with ``raise ... from``. The text of each is one sentence that says what is wrong and what
to do. Wrong arguments inside the program are a ``ValueError`` with the value in its text.
"""

from __future__ import annotations

from enum import Enum


class ImuError(Exception):
    """Anything that the person using the program can be told in one sentence."""


class RecordingDamaged(ImuError):
    """A recording cannot be read, or not to its end."""


class RecordingForeign(ImuError):
    """A file is readable, but is not a recording that we understand as it stands."""


class StoreDamaged(ImuError):
    """The session store cannot be opened, or is newer than this program."""


class SessionNotFound(ImuError):
    """No stored session has the asked-for number."""


class BluetoothUnavailable(ImuError):
    """The Bluetooth of this computer cannot be used.

    Parameters
    ----------
    reason : BluetoothTrouble
        What is wrong, for programs.
    sentence : str
        What is wrong and what to do, for people.
    """

    def __init__(self, reason: BluetoothTrouble, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class BluetoothTrouble(Enum):
    """Why this computer's Bluetooth cannot be used."""

    OFF = "off"
    NO_ADAPTER = "no adapter"
    NO_PERMISSION = "no permission"
    NO_SERVICE = "no service"


class SensorNotFound(ImuError):
    """No sensor that was looked for is in range; the sentence says what was seen."""


class SensorBusy(ImuError):
    """The sensor is connected to something else, or lets nobody connect."""


class SensorLost(ImuError):
    """The sensor went away and did not come back."""


class SensorUnsuitable(ImuError):
    """The sensor was found, but cannot serve: it has no gyroscope, or lacks what its kind should have."""


class ProtocolMismatch(SensorUnsuitable):
    """The sensor's firmware speaks a version of the protocol that this program does not know."""


class ExtraMissing(ImuError):
    """An optional part of this program is not installed; the sentence holds the pip command."""


class NothingTrained(ImuError):
    """A training was stopped before a sensor was connected."""


class RecordingNotWritten(ImuError):
    """A recording could not be written on: the disk is full, or gone."""
