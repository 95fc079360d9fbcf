"""The key to the page, kept beside the sessions and readable by their owner only.

It stays the same from start to start, so that a page that is open, or a bookmark, works again with the next server.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from imu.errors import ImuError

NAME = "web.key"


class KeyNotKept(ImuError):
    """The key can be neither read nor written; the sentence says where."""


def key_in(home: Path) -> str:
    """Return the key kept in the folder `home`; make one if there is none.

    Raises
    ------
    KeyNotKept
        If that cannot be done.
    """
    path = home / NAME
    try:
        home.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            known = path.read_text(encoding="ascii", errors="replace").strip()
            if re.fullmatch(r"[0-9a-f]{32}", known):
                return known
            path.unlink()
            return key_in(home)
        key = secrets.token_hex(16)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key + "\n")
    except OSError as error:
        raise KeyNotKept(f"{path} cannot be read or written ({error.strerror or error}): allow that") from error
    return key
