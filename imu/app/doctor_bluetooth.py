"""What `imu doctor` looks at of Bluetooth: is there an adapter, is it on, may we use it.

Nothing here keeps the virtual sensor from working, so nothing is a *problem*. What decides is whether a search starts;
on Linux, where many things may keep it from starting, each is looked at on its own first.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imu.app.doctor_findings import Finding, Status
from imu.app.doctor_probes import probe

DBUS_SOCKET = "unix:path=/var/run/dbus/system_bus_socket"
"""Where the system bus is unless DBUS_SYSTEM_BUS_ADDRESS says otherwise (D-Bus specification)."""
SEARCH_S = 30.0

_NOT_RUNNING = ("ServiceUnknown", "NameHasNoOwner", "NoReply", "TimedOut", "TimeoutError", "Spawn")
_DENIED = ("AccessDenied", "AuthFailed")


@dataclass(frozen=True, slots=True)
class LinuxPlaces:
    """Where Linux tells what it has."""

    adapters: Path = Path("/sys/class/bluetooth")
    rfkill: Path = Path("/sys/class/rfkill")
    kernel: Path = Path("/proc/version")
    containers: tuple[Path, ...] = (Path("/.dockerenv"), Path("/run/.containerenv"))


def bluetooth() -> Iterator[Finding]:
    """Look at the Bluetooth of this computer."""
    if sys.platform == "linux":
        yield from linux(LinuxPlaces())
        return
    if sys.platform == "darwin":
        yield Finding("macOS", Status.OK, platform.mac_ver()[0] or "of unknown version")
    yield from searching()


def searching() -> Iterator[Finding]:
    """Start a search, in a process of its own: macOS ends a program that may not search."""
    found, failure = probe("search", longest_s=SEARCH_S)
    if found is not None and found["reason"] is None:
        yield Finding("Bluetooth", Status.OK, "a search for sensors starts")
    elif found is not None:
        yield Finding("Bluetooth", Status.ATTENTION, found["reason"], found["sentence"])
    elif sys.platform == "darwin" and failure is not None and "SIGABRT" in failure:
        advice = "allow it to the terminal under System Settings > Privacy & Security > Bluetooth, then start again"
        yield Finding("Bluetooth", Status.ATTENTION, "macOS does not let this terminal use Bluetooth", advice)
    else:
        yield Finding("Bluetooth", Status.ATTENTION, f"a search does not start: {failure}")


# --- Linux -----------------------------------------------------------------------------------------------------------


def linux(places: LinuxPlaces) -> Iterator[Finding]:
    """Look at each thing that Bluetooth on Linux needs, from the adapter up."""
    findings = [_adapters(places), *_blocked(places), *_service(places)]
    yield from findings
    if all(finding.status is Status.OK for finding in findings):
        yield from searching()


def _adapters(places: LinuxPlaces) -> Finding:
    """Look for adapters that the kernel knows, `hci0` and up."""
    names = sorted(one.name for one in places.adapters.glob("hci*") if ":" not in one.name)
    if names:
        return Finding("adapter", Status.OK, ", ".join(names))
    return Finding("adapter", Status.ATTENTION, "Linux sees no Bluetooth adapter", _no_adapter(places))


def _no_adapter(places: LinuxPlaces) -> str:
    if "microsoft" in _text(places.kernel).lower():
        return "Linux inside Windows (WSL) has no Bluetooth: install this program in Windows itself"
    if any(place.exists() for place in places.containers):
        return "a container has no Bluetooth of its own: run this program outside of it"
    return (
        "switch Bluetooth on in the firmware settings, or plug an adapter in; `dmesg` says if its firmware is missing"
    )


def _blocked(places: LinuxPlaces) -> Iterator[Finding]:
    """Look for switches that keep Bluetooth off (rfkill)."""
    for switch in sorted(places.rfkill.glob("rfkill*")):
        if _text(switch / "type") != "bluetooth":
            continue
        if _text(switch / "hard") == "1":
            advice = "use the switch or the key for flight mode on the computer itself"
            yield Finding("rfkill", Status.ATTENTION, f"{_text(switch / 'name')} is switched off by hardware", advice)
        elif _text(switch / "soft") == "1":
            advice = "switch it on: rfkill unblock bluetooth"
            yield Finding("rfkill", Status.ATTENTION, f"{_text(switch / 'name')} is blocked", advice)


def _service(places: LinuxPlaces) -> Iterator[Finding]:
    """Look at the system bus, the Bluetooth service on it, and its adapters."""
    address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", DBUS_SOCKET)
    trouble = _bus_trouble(address)
    if trouble is not None:
        advice = "start it: sudo systemctl start dbus"
        if any(place.exists() for place in places.containers):
            advice = "a container has none of its own: run this program outside of it"
        yield Finding("D-Bus", Status.ATTENTION, f"the system bus at {address} {trouble}", advice)
        return
    yield Finding("D-Bus", Status.OK, "the system bus answers")
    found, failure = probe("bluez", longest_s=SEARCH_S)
    error = failure if found is None else found["error"]
    if error is not None:
        yield _bluez_trouble(error)
        return
    yield Finding("bluetoothd", Status.OK, "the Bluetooth service runs")
    for adapter in found["adapters"] if found else []:
        if adapter["powered"]:
            yield Finding(adapter["name"], Status.OK, "is on")
        else:
            yield Finding(adapter["name"], Status.ATTENTION, "is off", "switch it on: bluetoothctl power on")


def _bluez_trouble(error: str) -> Finding:
    if any(word in error for word in _DENIED):
        advice = "join its group: sudo usermod -aG bluetooth $USER, then log in again"
        return Finding("bluetoothd", Status.ATTENTION, "this user may not use the Bluetooth service", advice)
    if any(word in error for word in _NOT_RUNNING):
        advice = "start it: sudo systemctl enable --now bluetooth; if there is none: sudo apt install bluez"
        return Finding("bluetoothd", Status.ATTENTION, "the Bluetooth service is not running", advice)
    return Finding("bluetoothd", Status.ATTENTION, f"the Bluetooth service does not answer: {error}")


def _bus_trouble(address: str) -> str | None:
    """Return why nobody answers at a D-Bus address, of several the first; only sockets of files are tried."""
    path = next((part[len("unix:path=") :] for part in address.split(";") if part.startswith("unix:path=")), None)
    if path is None:
        return None
    try:
        with socket.socket(socket.AF_UNIX) as bus:
            bus.settimeout(2.0)
            bus.connect(path.split(",")[0])
    except OSError as error:
        return f"does not answer ({error.strerror or error})"
    return None


def _text(path: Path) -> str:
    """Return what a file of the kernel says; nothing if it says nothing."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
