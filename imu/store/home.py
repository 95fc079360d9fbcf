"""The folder of everything that is kept: ``IMU_HOME``, or this system's folder for a person's data.

A computer can serve several people (``imu --person NAME``, or ``IMU_PERSON``). Each of them has a folder inside, with
their own sessions, totals, recordings and learnt shifts.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from imu.errors import ImuError

LONGEST_NAME = 60
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
"""Names that are devices on Windows."""


class PersonUnnamed(ImuError):
    """A person's name cannot be the name of a folder."""


def person() -> str | None:
    """Return the name of the person in lower case; ``None`` for the owner of the computer.

    Raises
    ------
    PersonUnnamed
        If ``IMU_PERSON`` cannot be the name of a folder on every system.
    """
    name = unicodedata.normalize("NFC", os.environ.get("IMU_PERSON", "")).strip().casefold()
    if not name:
        return None
    if len(name) > LONGEST_NAME or not re.fullmatch(r"\w(?:[\w .-]*\w)?", name) or name.split(".")[0] in _RESERVED:
        raise PersonUnnamed(
            f"a person's name has up to {LONGEST_NAME} letters, digits, blanks, dots and hyphens, and begins and ends "
            f"with a letter or digit, not {name[: LONGEST_NAME + 1]!r}"
        )
    return name


def people() -> list[str]:
    """Return the names of all people with a folder, sorted."""
    folder = _common_home() / "people"
    return sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def homes() -> dict[str, Path]:
    """Return the folder of each person by name; that of the owner of the computer is named ``me``.

    The name ``me`` is free: if a person is called so, the owner's is ``me-owner``.
    """
    named = {name: _common_home() / "people" / name for name in people()}
    return {"me-owner" if "me" in named else "me": _common_home(), **named}


def home() -> Path:
    """Return the folder of the person; it need not exist yet.

    Raises
    ------
    PersonUnnamed
        If the person's name cannot be the name of a folder.
    """
    name = person()
    return _common_home() if name is None else _common_home() / "people" / name


def store_path() -> Path:
    """Return the file of the session store."""
    return home() / "sessions.db"


def recordings_folder() -> Path:
    """Return the folder with the recordings of trainings."""
    return home() / "recordings"


def remembered_sensor_path() -> Path:
    """Return the file that holds the sensor used last."""
    return home() / "sensor.json"


def _common_home() -> Path:
    named = os.environ.get("IMU_HOME")
    if named:
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415  slow, and seldom needed

    return Path(platformdirs.user_data_dir("imu-training", appauthor=False))
