"""``imu doctor``: would training work on this computer, and if not, what to do.

Each thing looked at gets one line: *ok*, *attention* (training works, something else does not) or *problem* (not even
training with the virtual sensor works). It must speak on a broken computer too, so nothing is imported before it is
looked at, what could take the program down with it runs in a process of its own, and a check that breaks is a finding.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import typer

from imu.app import doctor_bluetooth, doctor_checks, doctor_packages
from imu.app.doctor_findings import Check, Finding, Status

WORKERS = 4
"""Checks mostly wait for other processes; so many wait at once."""


def doctor(home: Path, *, as_json: bool) -> int:
    """Examine this computer, print what was found, and return the exit code.

    Parameters
    ----------
    home : Path
        The folder for all that is kept.
    as_json : bool
        Print one JSON object, for programs.

    Returns
    -------
    int
        0 if training with a virtual sensor would work, 1 if something keeps it from working.
    """
    findings = []
    for finding in examine(checks(home)):
        findings.append(finding)
        if not as_json:
            _print_line(finding)
    ready = all(finding.status is not Status.PROBLEM for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ready": ready, "checks": [asdict(finding) for finding in findings]}))
    else:
        _print_conclusion(findings, ready=ready)
    return 0 if ready else 1


def checks(home: Path) -> list[Check]:
    """Return all that is to be looked at."""
    return [
        Check("Python", doctor_packages.python),
        Check("packages", doctor_packages.packages),
        Check("counting", doctor_packages.counting),
        Check("folder", lambda: doctor_checks.folder(home)),
        Check("disk", lambda: doctor_checks.disk(home)),
        Check("sessions", lambda: doctor_checks.sessions(home / "sessions.db")),
        Check("clock", doctor_checks.clocks),
        Check("speech", doctor_checks.speech, Status.ATTENTION),
        Check("terminal", doctor_checks.terminal, Status.ATTENTION),
        Check("Bluetooth", doctor_bluetooth.bluetooth, Status.ATTENTION),
    ]


def examine(checks: Iterable[Check]) -> Iterator[Finding]:
    """Give what the checks find, in their order; several are at work at once."""
    with ThreadPoolExecutor(WORKERS) as workers:
        for one in [workers.submit(_carried_out, check) for check in checks]:
            yield from one.result()


def _carried_out(check: Check) -> list[Finding]:
    """Carry out one check; whatever breaks it is a finding, too."""
    try:
        return list(check.look())
    except Exception as error:  # the computer may be broken in any way
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return [Finding(check.name, check.if_broken, f"could not be looked at ({said})", "show this to the authors")]


_COLOUR = {Status.OK: "green", Status.ATTENTION: "yellow", Status.PROBLEM: "red"}


def _print_line(finding: Finding) -> None:
    """Print one finding at once: the next may take a while."""
    colour = False if os.environ.get("NO_COLOR") else None
    status = typer.style(f"{finding.status:<9}", fg=_COLOUR[finding.status])
    typer.echo(f"{status}  {_printable(finding.name):<10}  {_printable(finding.found)}", color=colour)
    if finding.advice is not None:
        typer.echo(f"{'':<23}-> {_printable(finding.advice)}")


def _print_conclusion(findings: list[Finding], *, ready: bool) -> None:
    problems = sum(finding.status is Status.PROBLEM for finding in findings)
    if ready:
        typer.echo("\nTraining works here; with 'imu train --sensor virtual' it needs no sensor.")
    else:
        typer.echo(f"\nTraining does not work here yet: {problems} problem{'s' if problems > 1 else ''}, see above.")


def _printable(text: str) -> str:
    """Return the text without what would steer the terminal; it may quote anything."""
    return "".join(character if character.isprintable() else "?" for character in text)
