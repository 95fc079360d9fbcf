"""The folder of everything that is kept: ``IMU_HOME``, or this system's folder for a person's data.

A computer can serve several people (``imu --person NAME``, or ``IMU_PERSON``). Each of them has a folder inside, with
their own sessions, totals, recordings and learned shifts. A program that serves several people at once says for each of
its tasks whom it works for (:func:`as_person`).
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from imu.errors import ImuError

LONGEST_NAME = 60
NAME_FILE = "name.txt"
"""Holds a person's name as it is written."""
PLANS = "plans.json"
"""Holds the last plan, the targets of each exercise, and the schedule."""
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
"""Names that are devices on Windows."""


class PersonUnnamed(ImuError):
    """A person's name cannot be the name of a folder, or belongs to another person."""


_AS: ContextVar[str | None] = ContextVar("person", default=None)
"""Name of the person for whom this task works; ``None`` for the one of the whole program."""


@contextmanager
def as_person(name: str) -> Iterator[None]:
    """Work for a person: every path of this module is theirs, also in tasks and threads that begin meanwhile.

    Parameters
    ----------
    name : str
        Name of the person's folder; empty for the owner of the computer.
    """
    token = _AS.set(name)
    try:
        yield
    finally:
        _AS.reset(token)


def person() -> str | None:
    """Return the name of the person's folder, in lower case; ``None`` for the owner of the computer.

    Raises
    ------
    PersonUnnamed
        If ``IMU_PERSON`` cannot be the name of a folder on every system.
    """
    name = _AS.get()
    return folder_name(os.environ.get("IMU_PERSON", "") if name is None else name) or None


def folder_name(name: str) -> str:
    """Return the name of the folder of a person whose name is written so; empty for an empty name.

    Raises
    ------
    PersonUnnamed
        If it cannot be the name of a folder on every system.
    """
    written = unicodedata.normalize("NFC", name).strip().casefold()
    name = written.rstrip(". ")  # as Windows ends names
    if not written:
        return ""
    if len(name) > LONGEST_NAME or not re.fullmatch(r"\w(?:[\w .-]*\w)?", name) or name.split(".")[0] in _RESERVED:
        raise PersonUnnamed(
            f"a person's name has up to {LONGEST_NAME} letters, digits, blanks, dots and hyphens, and begins and ends "
            f"with a letter or digit, not {written[: LONGEST_NAME + 1]!r}"
        )
    return name


def people() -> list[str]:
    """Return the names of all people with a folder, sorted."""
    folder = common_home() / "people"
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []


def homes() -> dict[str, Path]:
    """Return the folder of each person by name; that of the owner of the computer is named ``me``.

    The name ``me`` is free: if a person is called so, the owner's is ``me-owner``.
    """
    named = {name: common_home() / "people" / name for name in people()}
    return {"me-owner" if "me" in named else "me": common_home(), **named}


def home() -> Path:
    """Return the folder of the person; it need not exist yet.

    Raises
    ------
    PersonUnnamed
        If the person's name cannot be the name of a folder.
    """
    name = person()
    return common_home() if name is None else common_home() / "people" / name


def written_name() -> str:
    """Return the person's name as it was written; that of the folder, or "Me", where it was not kept."""
    try:
        written = (home() / NAME_FILE).read_text(encoding="utf-8")  # perhaps from another person's backup
        return "".join(filter(str.isprintable, written)).strip()[:LONGEST_NAME] or _unwritten()
    except (OSError, UnicodeDecodeError):
        return _unwritten()


def add_person(written: str) -> str:
    """Make a person's folder, if it is missing, and keep the name as it is written; return the folder's name.

    Raises
    ------
    PersonUnnamed
        If the name is empty, or cannot be the name of a folder.
    """
    name = folder_name(written)
    if not name:
        raise PersonUnnamed("the name is empty: write one")
    if name not in people():
        with as_person(name):
            _write_name(written)
    return name


def rename_person(name: str, written: str) -> str:
    """Give a person another name, and the folder too; return the folder's name.

    Parameters
    ----------
    name : str
        Name of the folder; empty for the owner of the computer, whose folder stays where it is.
    written : str
        The new name.

    Raises
    ------
    PersonUnnamed
        If there is no such person, another one has the name, or it cannot be the name of a folder.
    """
    renamed = folder_name(written)
    if not renamed:
        raise PersonUnnamed("the name is empty: write one")
    if name and name not in people():
        raise PersonUnnamed(f"there is no person {name}")
    if name and renamed != name:
        if renamed in people():
            raise PersonUnnamed(f"there is a person {written.strip()} already")
        try:
            (common_home() / "people" / name).rename(common_home() / "people" / renamed)
        except OSError as error:
            raise PersonUnnamed(
                f"the folder of {name} cannot be renamed ({error.strerror}): nothing has changed"
            ) from error
    with as_person(renamed if name else ""):
        _write_name(written)
    return renamed if name else ""


def _unwritten() -> str:
    name, given = person(), os.environ.get("IMU_PERSON", "").strip()
    if name is None:
        return "Me"
    return given if folder_name(given) == name else name


def _write_name(written: str) -> None:
    try:
        home().mkdir(parents=True, exist_ok=True)
        (home() / NAME_FILE).write_text(unicodedata.normalize("NFC", written).strip() + "\n", encoding="utf-8")
    except OSError as error:
        raise PersonUnnamed(f"the name cannot be kept in {home()} ({error.strerror}): allow that") from error


def store_path() -> Path:
    """Return the file of the session store."""
    return home() / "sessions.db"


def recordings_folder() -> Path:
    """Return the folder with the recordings of trainings."""
    return home() / "recordings"


def remembered_sensor_path() -> Path:
    """Return the file that holds the sensor used last."""
    return home() / "sensor.json"


def common_home() -> Path:
    """Return the folder of the owner of the computer, in which those of all others are."""
    named = os.environ.get("IMU_HOME")
    if named:
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415  slow, and seldom needed

    return Path(platformdirs.user_data_dir("imu-training", appauthor=False))
