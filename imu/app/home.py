"""Where everything that is kept is: the folder that ``IMU_HOME`` names, or where this system keeps a person's data."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return the folder; it need not exist yet."""
    named = os.environ.get("IMU_HOME")
    if named:
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415  slow, and seldom needed

    return Path(platformdirs.user_data_dir("imu-training", appauthor=False))


def store_path() -> Path:
    """Return the file of the session store."""
    return home() / "sessions.db"


def recordings_folder() -> Path:
    """Return the folder with the recordings of trainings."""
    return home() / "recordings"


def remembered_sensor_path() -> Path:
    """Return the file that says which sensor was used last."""
    return home() / "sensor.json"
