"""What `imu doctor` looks at first: Python, what this program is installed with, and whether it counts."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from imu.app.doctor_findings import Finding, Status
from imu.app.doctor_probes import probe

DISTRIBUTION = "imu-training"
OLDEST_PYTHON = (3, 11)
EXTRAS = {
    "virtual": ("the virtual sensor", Status.PROBLEM),
    "parquet": ("reading Parquet recordings", Status.ATTENTION),
    "web": ("the web page", Status.ATTENTION),
}
"""What each extra is for, and what it means without it."""


def python() -> Iterator[Finding]:
    """Look at Python and at this program."""
    version = platform.python_version()
    told = f"{platform.python_implementation()} {version} on {platform.system()} {platform.release()} ({_bits()} bit)"
    oldest = ".".join(map(str, OLDEST_PYTHON))
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("Python", Status.PROBLEM, told, f"install Python {oldest} or newer")
    else:
        yield Finding("Python", Status.OK, told)


def _bits() -> int:
    return 64 if sys.maxsize > 2**32 else 32


def packages() -> Iterator[Finding]:
    """Look at what this program is installed with."""
    try:
        requirements = [parse_requirement(text) for text in metadata.requires(DISTRIBUTION) or []]
        version = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        yield Finding(
            "program",
            Status.ATTENTION,
            "run from its source, so that what it needs is not known",
            "install it: python -m pip install -e . in its folder",
        )
        return
    yield Finding("program", Status.OK, f"imu {version}")
    needed = [one for one in requirements if one.extra is None]
    troubles = [trouble for one in needed if (trouble := one.trouble())]
    if troubles:
        advice = f"repair with: python -m pip install --upgrade {DISTRIBUTION}"
        yield Finding("packages", Status.PROBLEM, "; ".join(troubles), advice)
    else:
        yield Finding("packages", Status.OK, ", ".join(f"{one.name} {one.installed()}" for one in needed))
    for extra, (purpose, without) in EXTRAS.items():
        wanted = [one for one in requirements if one.extra == extra]
        if not wanted:
            continue
        troubles = [trouble for one in wanted if (trouble := one.trouble())]
        if troubles:
            advice = f'install it with: python -m pip install "{DISTRIBUTION}[{extra}]"'
            yield Finding(f"[{extra}]", without, f"{purpose}: {'; '.join(troubles)}", advice)
        else:
            yield Finding(f"[{extra}]", Status.OK, f"{purpose} is installed")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One package that is needed, as the program's own metadata has it."""

    name: str
    limits: tuple[tuple[str, str], ...]
    extra: str | None

    def installed(self) -> str | None:
        """Return the version that is installed."""
        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return None

    def trouble(self) -> str | None:
        """Return what is wrong with what is installed."""
        version = self.installed()
        if version is None:
            return f"{self.name} is missing"
        for sign, limit in self.limits:
            if not _keeps(version, sign, limit):
                return f"{self.name} is {version}, but must be {sign}{limit}"
        return None


def parse_requirement(text: str) -> Requirement:
    """Read a line of ``Requires-Dist``.

    Of PEP 508 this is what our own metadata uses: limits on releases and the marker `extra`. `packaging` reads all of
    it, but may itself be missing.
    """
    requirement, _, marker = text.partition(";")
    extra = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", marker)
    name = re.match(r"\s*([\w.-]+)", requirement)
    limits = re.findall(r"(>=|<=|==|!=|~=|<|>)\s*([\w.]+)", requirement)
    return Requirement(name[1] if name else requirement.strip(), tuple(limits), extra[1] if extra else None)


def _keeps(version: str, sign: str, limit: str) -> bool:
    """Whether a release keeps a limit; what comes after the release's numbers is not looked at."""
    ours, theirs = _release(version), _release(limit)
    length = max(len(ours), len(theirs))
    left, right = (numbers + (0,) * (length - len(numbers)) for numbers in (ours, theirs))
    kept = {">=": left >= right, "<=": left <= right, "==": left == right, "!=": left != right}
    kept |= {"<": left < right, ">": left > right, "~=": left >= right and left[: len(theirs) - 1] == theirs[:-1]}
    return kept[sign]


def _release(version: str) -> tuple[int, ...]:
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in numbers[0].split(".")) if numbers else ()


def counting() -> Iterator[Finding]:
    """Count simulated squats in a process of its own: a broken NumPy may take its process down."""
    found, failure = probe("counting")
    if found is not None and found.get("counted") == 3:
        yield Finding("counting", Status.OK, "counts 3 of 3 simulated squats")
        return
    told = failure or f"counts {found.get('counted') if found else None} of 3 simulated squats"
    advice = f"reinstall: python -m pip install --force-reinstall {DISTRIBUTION}"
    yield Finding("counting", Status.PROBLEM, told, advice)
