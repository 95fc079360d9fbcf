"""Count squats and hip hinges from an inertial sensor worn at the hip.

A recording, or a table of pandas with the same columns, becomes tables of repetitions and sets:

>>> import imu
>>> counted = imu.count("recordings/simulated_air_squats.csv.gz")
>>> counted.sets[["set", "pattern", "repetitions"]]
   set pattern  repetitions
0    1   squat            8
>>> import pandas as pd
>>> table = pd.read_csv("recordings/simulated_air_squats.csv.gz")
>>> imu.count(table).repetitions.equals(counted.repetitions)
True

Wrong units are an `ImuError` with one sentence:

>>> table[["gyr_x", "gyr_y", "gyr_z"]] *= 57.29578
>>> try:
...     imu.count(table)
... except imu.ImuError as error:
...     print(error)  # doctest: +ELLIPSIS
angular velocity looks like deg/s (...): convert with gyr_unit="deg/s"

A stream goes into a `Session` block by block, as in a live training, and comes out as events: `RepetitionCounted` with
a `Repetition`, `MovementRejected` with a `RejectedMovement`, `RestBegan`, `SetClosed` with a `TrainingSet`, `GapFound`
with a `Gap`, and `RepetitionTakenBack`.

>>> from pathlib import Path
>>> block = imu.read_recording(Path("recordings/simulated_deadlifts.csv.gz")).block
>>> isinstance(block, imu.ImuBlock), len(block)
(True, 1164)
>>> session = imu.Session(imu.SessionParameters(least_repetitions=2))
>>> events = [event for start in range(0, len(block), 10) for event in session.push(block[start : start + 10])]
>>> last_events, summary = session.finish()
>>> first = next(event for event in events if isinstance(event, imu.RepetitionCounted)).repetition
>>> isinstance(first, imu.Repetition), first.pattern is imu.Pattern.HINGE
(True, True)
>>> isinstance(session.take_back()[0], imu.RepetitionTakenBack)
True
>>> isinstance(summary, imu.SessionSummary), summary.count(imu.Pattern.HINGE)
(True, 6)

Samples may be missing or broken; that is counted in `Gap` and `RowFaults`:

>>> summary = imu.count("recordings/simulated_lost_packets.csv.gz").summary
>>> isinstance(summary.gaps[0], imu.Gap), summary.faults == imu.RowFaults()
(True, True)

A live sensor, or a simulated one, gives its samples block by block with `record`; `evaluate` scores the counting
against labelled recordings; `from_gait_frame` converts the frames of gaitmap and mobgap. `imu.__version__` is what to
cite.

Importing `imu` loads none of this: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # type checkers take it as true; importing typing would double the time of this import
if TYPE_CHECKING:
    from imu.errors import ImuError
    from imu.evaluation.report import evaluate
    from imu.library import CountSummary, count, from_gait_frame
    from imu.live.radios import record

    __version__: str
    from imu.motion.pattern import Pattern
    from imu.motion.repetitions import RejectedMovement, Repetition
    from imu.recordings.recording import read_recording
    from imu.samples import Gap, ImuBlock, RowFaults
    from imu.session import (
        GapFound,
        MovementRejected,
        RepetitionCounted,
        RepetitionTakenBack,
        RestBegan,
        Session,
        SessionParameters,
        SessionSummary,
        SetClosed,
        TrainingSet,
    )

_HOME = {
    "errors": ("ImuError",),
    "evaluation.report": ("evaluate",),
    "library": ("CountSummary", "count", "from_gait_frame"),
    "live.radios": ("record",),
    "motion.pattern": ("Pattern",),
    "motion.repetitions": ("RejectedMovement", "Repetition"),
    "recordings.recording": ("read_recording",),
    "samples": ("Gap", "ImuBlock", "RowFaults"),
    "session": (
        *("GapFound", "MovementRejected", "RepetitionCounted", "RepetitionTakenBack", "RestBegan", "Session"),
        *("SessionParameters", "SessionSummary", "SetClosed", "TrainingSet"),
    ),
}
"""Module -> the names that it lends to this one."""

__all__ = [
    "CountSummary", "Gap", "GapFound", "ImuBlock", "ImuError", "MovementRejected", "Pattern", "RejectedMovement",
    "Repetition", "RepetitionCounted", "RepetitionTakenBack", "RestBegan", "RowFaults", "Session",
    "SessionParameters", "SessionSummary", "SetClosed", "TrainingSet", "count", "evaluate", "from_gait_frame",
    "read_recording", "record",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562)."""
    for module, names in _HOME.items():
        if name in names:
            value: object = getattr(importlib.import_module(f"imu.{module}"), name)
            globals()[name] = value
            return value
    if name == "__version__":
        return _version()
    raise AttributeError(f"module 'imu' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return __all__


def _version() -> str:
    """Return the version of this program; ``unknown`` where it runs from its source and is not installed."""
    metadata = importlib.import_module("importlib.metadata")
    try:
        return str(metadata.version("imu-training"))
    except metadata.PackageNotFoundError:
        return "unknown"
