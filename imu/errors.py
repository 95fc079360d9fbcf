"""Errors, each named after what the user can do about it.

Every error from outside our own code is translated into one of these once, at the edge where it occurs, with ``raise
... from``. The text of each is one sentence with the fault and the remedy. Wrong arguments inside the program are a
``ValueError`` with the value in its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum


class ImuError(Exception):
    """An error that one sentence explains to the user."""


# --- recordings and files --------------------------------------------------------------------------------------------


class RecordingDamaged(ImuError):
    """A recording cannot be read, or not to its end."""


class RecordingForeign(ImuError):
    """A file is readable, but is not a recording that can be counted as it stands."""


class RecordingNotWritten(ImuError):
    """A recording cannot be written: the disk is full, or gone."""


class UnitsWrong(ImuError, ValueError):
    """Samples pushed into a session are in other units than s, m/s² and rad/s; convert them first."""


class FileThere(ImuError):
    """A file exists already and must not be replaced."""


class NotWritten(ImuError):
    """A file cannot be written."""


# --- sessions --------------------------------------------------------------------------------------------------------


class StoreDamaged(ImuError):
    """The session store cannot be opened, or is newer than this program."""


class SessionNotFound(ImuError):
    """No stored session has the requested number."""


# --- Bluetooth and sensors -------------------------------------------------------------------------------------------


class BluetoothUnavailable(ImuError):
    """The Bluetooth of this computer cannot be used.

    Parameters
    ----------
    reason : BluetoothTrouble
        The reason, for programs.
    sentence : str
        The fault and the remedy, for people.
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
    """No sensor of the requested kind is in range; the sentence lists those that were seen."""


class SensorBusy(ImuError):
    """The sensor is connected to another device, or accepts no connection."""


class SensorLost(ImuError):
    """The sensor disconnected and did not come back."""


class SensorUnsuitable(ImuError):
    """The sensor cannot be used: it has no gyroscope, or lacks a characteristic of its kind."""


class ProtocolMismatch(SensorUnsuitable):
    """The sensor's firmware speaks a version of the protocol that this program does not support."""


class NothingTrained(ImuError):
    """A training was stopped before a sensor was connected."""


# --- installation ----------------------------------------------------------------------------------------------------


class ExtraMissing(ImuError):
    """An optional part of this program is not installed; the sentence holds the pip command."""


@contextmanager
def needs_extra(extra: str, why: str) -> Iterator[None]:
    """Import the packages of an extra inside.

    Raises
    ------
    ExtraMissing
        If one of them is not installed; `why` says what it is needed for.
    """
    try:
        yield
    except ImportError as error:
        raise ExtraMissing(f'{why}: python -m pip install "imu-training[{extra}]"') from error
