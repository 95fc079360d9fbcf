"""Which sensor was used last, so that it need not be named again."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

SERIAL_DIGITS = 4
"""So many of the last characters of its serial number, in its name, tell a sensor from others of its kind."""


@dataclass(frozen=True, slots=True)
class RememberedSensor:
    """The sensor of the last training."""

    kind: str
    serial: str
    name: str
    address: str

    @property
    def wanted(self) -> str:
        """What to look for: its name where that holds its serial number, for addresses may change; else its address."""
        end = self.serial[-SERIAL_DIGITS:]
        return self.name if len(end) == SERIAL_DIGITS and self.name.endswith(end) else self.address


def recall(path: Path) -> RememberedSensor | None:
    """Return the sensor that was remembered in `path`; ``None`` if none was, or nobody can tell any more."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return RememberedSensor(**{name: str(fields[name]) for name in ("kind", "serial", "name", "address")})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(path: Path, sensor: RememberedSensor) -> None:
    """Keep which sensor it was; if that cannot be written, it has to be named again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump(asdict(sensor), file)
        os.replace(file.name, path)  # noqa: PTH105  whole or not at all
    except OSError:
        return
