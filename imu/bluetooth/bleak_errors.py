"""Errors of bleak and the operating systems -> sentences with cause and remedy.

This is the one place that translates bleak's errors. It separates trouble with this computer, which the person must
fix, from trouble with one connection, which the next attempt may not have.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakGATTProtocolError,
    BleakGATTProtocolErrorCode,
)

from imu.errors import BluetoothTrouble, BluetoothUnavailable

IN_PROGRESS = "org.bluez.Error.InProgress"

NEEDS_PAIRING = (
    BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHORIZATION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
)
"""Answers of a sensor that only talks to paired computers."""

_REASONS = {
    BleakBluetoothNotAvailableReason.NO_BLUETOOTH: BluetoothTrouble.NO_ADAPTER,
    BleakBluetoothNotAvailableReason.NO_BLE_CENTRAL_ROLE: BluetoothTrouble.NO_ADAPTER,
    BleakBluetoothNotAvailableReason.POWERED_OFF: BluetoothTrouble.OFF,
    BleakBluetoothNotAvailableReason.DENIED_BY_USER: BluetoothTrouble.NO_PERMISSION,
    BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: BluetoothTrouble.NO_PERMISSION,
    BleakBluetoothNotAvailableReason.DENIED_BY_UNKNOWN: BluetoothTrouble.NO_PERMISSION,
}

_DBUS_ERRORS = {
    "org.freedesktop.DBus.Error.ServiceUnknown": BluetoothTrouble.NO_SERVICE,
    "org.freedesktop.DBus.Error.NameHasNoOwner": BluetoothTrouble.NO_SERVICE,
    "org.freedesktop.DBus.Error.NoReply": BluetoothTrouble.NO_SERVICE,
    "org.freedesktop.DBus.Error.Disconnected": BluetoothTrouble.NO_SERVICE,
    "org.freedesktop.DBus.Error.AccessDenied": BluetoothTrouble.NO_PERMISSION,
    "org.freedesktop.DBus.Error.AuthFailed": BluetoothTrouble.NO_PERMISSION,
    "org.bluez.Error.NotReady": BluetoothTrouble.OFF,
}

_SENTENCES = {
    BluetoothTrouble.OFF: {
        "linux": "Bluetooth is off: switch it on in the settings or with `bluetoothctl power on`, after "
        "`rfkill unblock bluetooth` if it is blocked",
        "darwin": "Bluetooth is off: switch it on in the Control Centre",
        "win32": "Bluetooth is off: switch it on under Settings > Bluetooth & devices",
    },
    BluetoothTrouble.NO_ADAPTER: {
        "linux": "Linux finds no Bluetooth LE adapter on this computer: plug one in, and check with "
        "`bluetoothctl list`",
        "darwin": "this Mac has no Bluetooth LE: plug in an adapter that macOS supports",
        "win32": "Windows finds no Bluetooth LE adapter on this computer: plug one in, and check under Settings > "
        "Bluetooth & devices",
    },
    BluetoothTrouble.NO_PERMISSION: {
        "linux": "this user may not use Bluetooth: `sudo usermod -aG bluetooth $USER`, then log in again",
        "darwin": "this program may not use Bluetooth: allow it for the terminal under System Settings > Privacy & "
        "Security > Bluetooth, then start again",
        "win32": "this program may not use Bluetooth: allow apps to control radios under Settings > Privacy & security "
        "> Radios, then start again",
    },
    BluetoothTrouble.NO_SERVICE: {
        "linux": "the Bluetooth service of this computer is not running: start it with `sudo systemctl start "
        "bluetooth` (a container or WSL has none; the virtual sensor needs none)",
        "darwin": "the Bluetooth service of this Mac does not answer: switch Bluetooth off and on again",
        "win32": "the Bluetooth service of this computer does not answer: start the Bluetooth Support Service, or "
        "switch Bluetooth off and on again",
    },
}

_DEVICE_NOT_AVAILABLE = -2147020577
"""HRESULT of ERROR_DEVICE_NOT_AVAILABLE: Windows returns it when the radio is off."""


class LinkFailed(Exception):
    """A connection failed; the next attempt may succeed."""


def computer_trouble(error: BaseException, platform: str = sys.platform) -> BluetoothUnavailable | None:
    """Return the trouble with this computer's Bluetooth.

    ``None`` if the error does not show any.
    """
    trouble = _trouble(error)
    return None if trouble is None else BluetoothUnavailable(trouble, _sentence(trouble, platform))


def search_trouble(error: BaseException, platform: str = sys.platform) -> BluetoothUnavailable:
    """Return why the search failed.

    Every error of a search is trouble with this computer.
    """
    if getattr(error, "dbus_error", None) == IN_PROGRESS:
        return BluetoothUnavailable(
            BluetoothTrouble.NO_SERVICE,
            "Bluetooth is busy with a search that does not end: close other programs that search for devices, or "
            "switch Bluetooth off and on again",
        )
    detail = " ".join(str(error).split()) or type(error).__name__
    return computer_trouble(error, platform) or BluetoothUnavailable(
        BluetoothTrouble.NO_SERVICE,
        f"Bluetooth does not work ({detail[:120]}): switch it off and on again, or unplug its adapter and plug it in",
    )


def _sentence(trouble: BluetoothTrouble, platform: str) -> str:
    sentences = _SENTENCES[trouble]
    return sentences.get(platform, sentences["linux"])


def _trouble(error: BaseException) -> BluetoothTrouble | None:
    message, trouble = str(error), None
    if isinstance(error, BleakBluetoothNotAvailableError):
        trouble = _REASONS.get(error.reason, BluetoothTrouble.NO_SERVICE)
    elif isinstance(error, BleakDBusError):
        trouble = _DBUS_ERRORS.get(error.dbus_error)
    elif isinstance(error, PermissionError):
        trouble = BluetoothTrouble.NO_PERMISSION
    elif isinstance(error, FileNotFoundError | ConnectionRefusedError):  # no D-Bus socket, or no server behind it
        trouble = BluetoothTrouble.NO_SERVICE
    elif getattr(error, "winerror", None) == _DEVICE_NOT_AVAILABLE or "Is Bluetooth turned on?" in message:
        trouble = BluetoothTrouble.OFF
    elif message.startswith("adapter '") and message.endswith("' not found"):  # bleak on Linux: it was unplugged
        trouble = BluetoothTrouble.NO_ADAPTER
    return trouble


def heed_cancellation() -> None:
    """Raise ``CancelledError`` if an awaited call lost the task's cancellation.

    `asyncio.wait_for`, which other libraries use, loses it on Python 3.11 when the awaited call ends at the same
    moment.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@contextmanager
def translated_link_errors() -> Iterator[None]:
    """Translate the exceptions of a call to bleak's client.

    A broken link can raise almost anything: errors of bleak, of D-Bus, of Windows, a bare ``AssertionError``, even a
    cancellation without a request. They all mean the same; the cause stays attached.

    Raises
    ------
    BluetoothUnavailable
        If this computer has a problem.
    BleakGATTProtocolError
        Unchanged: the link works, and the sensor has answered with an error.
    LinkFailed
        In every other case.
    """
    try:
        yield
    except BleakGATTProtocolError:
        raise
    except asyncio.CancelledError as error:
        heed_cancellation()
        raise LinkFailed("the connection broke off") from error
    except Exception as error:
        raise (computer_trouble(error) or LinkFailed(str(error) or type(error).__name__)) from error
    else:
        heed_cancellation()
