"""Where everything that is kept is: the folder that ``IMU_HOME`` names, or where this system keeps a person's data.

Whoever measures several people names one of them (``imu --person NAME``, or ``IMU_PERSON``): each has a folder of their
own in it, with their own sessions, totals, recordings and what their corrections taught.
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
    """A name that can be no folder's."""


def person() -> str | None:
    """Return whose data this is about, in small letters; ``None`` for the one who needs no name.

    Raises
    ------
    PersonUnnamed
        If ``IMU_PERSON`` can be no folder's name on every system.
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
    """Return the names of those who have a folder of their own, sorted."""
    folder = _common_home() / "people"
    return sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def home() -> Path:
    """Return the folder of the person; it need not exist yet.

    Raises
    ------
    PersonUnnamed
        If the person's name can be no folder's.
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
    """Return the file that says which sensor was used last."""
    return home() / "sensor.json"


def _common_home() -> Path:
    named = os.environ.get("IMU_HOME")
    if named:
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415  slow, and seldom needed

    return Path(platformdirs.user_data_dir("imu-training", appauthor=False))
