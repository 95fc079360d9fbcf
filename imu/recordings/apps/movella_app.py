"""CSV exports of Movella (Xsens) DOT sensors: one file for each sensor.

Files that the vendor's app wrote were looked at in github.com/Allwillcome/XsensDot2Mtw4OpenSense: recorded on the
sensor (``bei_D4CA6EF17860_20210830_170505.csv``) and live (``Pelvis_20210820_202113_836.csv``).

- Before the header stand lines such as ``sep=,``, ``DeviceTag:,bei`` and ``Measurement Mode:,…``, and an empty one.
- ``SampleTimeFine`` counts µs and starts again at 2³², every 71.6 minutes.
- ``Acc`` is in m/s² with gravity and ``Gyr`` in deg/s, by the vendor's manual; the header names no units, and the
  two are checked against each other like those of every recording. ``FreeAcc`` is without gravity.
- The first row of a recording made on the sensor holds zeros: rows of zeros at the start are left out.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from imu.recordings.apps.export_files import AppRecording, Export, missing, read_columns
from imu.recordings.apps.time_axis import from_zero, unwrapped
from imu.recordings.checks import ANGULAR_VELOCITY_UNITS
from imu.recordings.table_files import Header
from imu.samples import Array

APP = "Movella DOT"

WRAPS_AT = 2.0**32
TICK_S = 1e-6
MODES = "record in a mode with acceleration and angular velocity, such as Rate Quantities or Custom Mode 5"

_COLUMNS = ("SampleTimeFine", "Acc_X", "Acc_Y", "Acc_Z", "Gyr_X", "Gyr_Y", "Gyr_Z")


def find(export: Export, name: str) -> AppRecording | None:
    """Return the recording in a file; ``None`` if the file is of another app."""
    header = export.header(name, first="PacketCounter")
    if header is None or header.index("SampleTimeFine") is None:
        return None
    return AppRecording(APP, name, partial(_read, export, name, header))


def _read(export: Export, name: str, header: Header) -> Array:
    columns = [header.index(column) for column in _COLUMNS]
    if None in columns[1:4]:
        what = "gravity (FreeAcc is without it)" if header.index("FreeAcc_X") is not None else "accelerometer"
        raise missing(APP, what, MODES)
    if None in columns[4:]:
        raise missing(APP, "gyroscope", MODES)
    rows = read_columns(export, name, header, [column for column in columns if column is not None])
    rows[:, 0] = unwrapped(rows[:, 0], WRAPS_AT)
    rows = from_zero(rows[np.argmax(rows[:, 1:4].any(axis=1)) :])
    rows[:, 0] *= TICK_S
    rows[:, 4:] *= ANGULAR_VELOCITY_UNITS["deg/s"]
    return rows
