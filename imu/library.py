"""The library: `count` a recording, a table or samples, and what it returns.

For programs and notebooks. It counts with the same code as a live training and `imu replay`, and returns tables of
pandas, with the unit at the end of each column's name. `imu.record` stands in :mod:`imu.live.radios`, `imu.evaluate` in
:mod:`imu.evaluation.report`.
"""
# ruff: noqa: PLC0415  pandas is slow to import

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from imu.errors import ImuError, RecordingForeign
from imu.recordings.checks import (
    ACCELERATION_UNITS,
    ANGULAR_VELOCITY_UNITS,
    COLUMNS,
    RATE_ROWS,
    TimeOrder,
    check_units,
    columns_in,
    sampling_rate_hz,
)
from imu.recordings.folders import only_source
from imu.recordings.table_files import table_of
from imu.report.cues import share_of_speed_lost
from imu.report.curves import MotionCurves, draw_session, draw_set, motion_curves, recording_curves
from imu.report.objects import FIGURES, repetition_object, session_object
from imu.report.replay import Failed, ReplayOptions, replay
from imu.report.session_view import SessionView, view_of_summary
from imu.samples import Array, ImuBlock
from imu.session import Session, SessionParameters, SessionSummary, TrainingSet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

AccelerationUnit = Literal["m/s2", "g"]
AngularVelocityUnit = Literal["rad/s", "deg/s"]


class CountSummary:
    """The result of `imu.count`: tables of repetitions, sets and rejected movements, curves, JSON and a plot.

    Times are on the recording's own axis; where a table was indexed with timestamps, in seconds from its first row. A
    sensor at the hip sees the pelvis: `trunk_angle_deg` is its sagittal tilt away from quiet standing.

    Attributes
    ----------
    name : str
        Path of the recording as given; ``table`` or ``samples`` for data without a path.
    summary : SessionSummary
        The same in SI units, with gaps and faulty rows.
    """

    def __init__(self, name: str, summary: SessionSummary, curves: Callable[[SessionSummary], MotionCurves]) -> None:
        self.name = name
        self.summary = summary
        self._compute_curves = curves

    def __repr__(self) -> str:
        """Return the numbers of sets and repetitions."""
        totals = self._object["totals"]
        return f"<CountSummary of {self.name}: {len(self.summary.sets)} sets, repetitions {totals}>"

    @cached_property
    def repetitions(self) -> pd.DataFrame:
        """One row for each repetition of a set, in the order of time.

        ================================ ==============================================================================
        column                           meaning
        ================================ ==============================================================================
        ``set``, ``repetition``          numbers from 1: of the set, and of the repetition within it
        ``pattern``                      ``squat``, ``hinge`` or ``uncertain``
        ``confidence``                   probability that the pattern is right, 0.5 to 1
        ``start_s``                      leaves standing, s
        ``bottom_s``                     reaches the turning point, s
        ``end_s``                        stands again, s
        ``confirmed_s``                  announced live, s: no later sample was used
        ``trunk_angle_deg``              peak forward tilt of the pelvis away from quiet standing, degrees
        ``hip_drop_m``                   largest drop of the hip joint, m
        ``eccentric_s``                  duration of the way down, s
        ``pause_s``                      duration of the rest at the turning point, s
        ``concentric_s``                 duration of the way up, s
        ``mean_concentric_velocity_m_s`` mean upward velocity of the hip on the way up, m/s
        ``peak_concentric_velocity_m_s`` largest upward velocity of the hip on the way up, m/s
        ``angle_at_bottom_deg``          forward tilt at the lowest point of the hip, degrees
        ``sideways_tilt_deg``            largest tilt out of the sagittal plane, left positive, degrees
        ``turn_deg``                     turn about the vertical from start to end, left positive, degrees
        ``trunk_lead_s``                 time by which the trunk tilts before the hip sinks, s; positive: hips first
        ``hip_drop_from``                ``standing``, or ``top``: the drop counts from a top below standing
        ================================ ==============================================================================
        """
        import pandas as pd

        rows = [
            {
                "set": number,
                "repetition": position,
                **repetition_object(one),
            }
            for number, training_set in enumerate(self.summary.sets, 1)
            for position, one in enumerate(training_set.repetitions, 1)
        ]
        return pd.DataFrame(rows, columns=list(REPETITION_COLUMNS))

    @cached_property
    def sets(self) -> pd.DataFrame:
        """One row for each set, in the order of time.

        ================================ ==============================================================================
        column                           meaning
        ================================ ==============================================================================
        ``set``                          number from 1
        ``pattern``                      ``squat``, ``hinge``, ``mixed`` or ``uncertain``
        ``repetitions``                  number of repetitions
        ``start_s``, ``end_s``           from the start of the first to the end of the last repetition, s
        ``trunk_angle_deg``              mean of the repetitions' peak angles, degrees
        ``hip_drop_m``                   mean of their drops, m
        ``eccentric_s``, ``pause_s``, \
        ``concentric_s``                 means of their durations, s
        ``mean_concentric_velocity_m_s`` mean of their mean upward velocities, m/s
        ``velocity_loss_percent``        how much slower the last repetitions go up than the first; missing where the \
                                         hip hardly sinks
        ================================ ==============================================================================
        """
        import pandas as pd

        means = self.repetitions.groupby("set")[list(_MEANS)].mean().round(3)
        rows = [
            {
                "set": number,
                "pattern": one.pattern.value,
                "repetitions": len(one.repetitions),
                "start_s": round(one.start_s, 3),
                "end_s": round(one.end_s, 3),
                **means.loc[number].to_dict(),
                "velocity_loss_percent": _velocity_loss_percent(one),
            }
            for number, one in enumerate(self.summary.sets, 1)
        ]
        columns = ["set", "pattern", "repetitions", "start_s", "end_s", *_MEANS, "velocity_loss_percent"]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def rejected(self) -> pd.DataFrame:
        """One row for each movement that does not count: ``start_s``, ``end_s`` and the ``reason`` in words."""
        import pandas as pd

        rows = [
            (round(movement.start_s, 3), round(movement.end_s, 3), movement.reason)
            for movement in self.summary.rejected
        ]
        return pd.DataFrame(rows, columns=["start_s", "end_s", "reason"])

    @cached_property
    def signals(self) -> pd.DataFrame:
        """The curves of the whole recording, 20 rows a second.

        ``time_s``; ``trunk_angle_deg``, forward positive, missing at gaps; ``hip_height_m`` above the height at the
        start of the movement and ``hip_velocity_m_s``, up positive, both missing between movements, where the height
        model has no start and end to hold on to. A recording is read again for them.
        """
        import pandas as pd

        curves = self._curves
        return pd.DataFrame(
            {
                "time_s": curves.time_s,
                "trunk_angle_deg": np.degrees(curves.trunk_angle_rad),
                "hip_height_m": curves.hip_height_m,
                "hip_velocity_m_s": curves.hip_velocity_m_s,
            }
        )

    def plot(self, set_number: int | None = None) -> Figure:
        """Return a Matplotlib figure of the recording, or of one set with its repetitions over each other.

        Raises
        ------
        ExtraMissing
            If Matplotlib is not installed.
        ImuError
            If there is no such set.
        """
        if set_number is None:
            return draw_session(self._curves, self._view)
        return draw_set(self._curves, self._view, set_number)

    def to_json(self) -> str:
        """Return the JSON object that ``imu replay --json`` prints."""
        return json.dumps(self._object, allow_nan=False)

    @property
    def _object(self) -> dict[str, object]:
        return session_object(self.name, self.summary)

    @cached_property
    def _curves(self) -> MotionCurves:
        return self._compute_curves(self.summary)

    @property
    def _view(self) -> SessionView:
        return view_of_summary(self.name, self.summary)


REPETITION_COLUMNS = (
    *("set", "repetition", "pattern", "confidence", "start_s", "bottom_s", "end_s", "confirmed_s"),
    *FIGURES,
    "hip_drop_from",
)
_MEANS = (
    *("trunk_angle_deg", "hip_drop_m", "eccentric_s", "pause_s", "concentric_s"),
    "mean_concentric_velocity_m_s",
)


def _velocity_loss_percent(one: TrainingSet) -> float | None:
    lost = share_of_speed_lost(one)
    return None if lost is None else round(100 * lost, 1)


def count(
    data: str | os.PathLike[str] | pd.DataFrame | ImuBlock,
    acc_unit: AccelerationUnit = "m/s2",
    gyr_unit: AngularVelocityUnit = "rad/s",
    columns: Mapping[str, str] | None = None,
    min_reps: int = 2,
) -> CountSummary:
    """Count and measure the squats and hip hinges of a recording.

    Parameters
    ----------
    data : path, DataFrame or ImuBlock
        A recording in any form that ``imu replay`` reads; a table with the columns ``time_s, acc_x, acc_y, acc_z,
        gyr_x, gyr_y, gyr_z``; or samples. A table may have its time in the index instead of ``time_s``. Time is in
        seconds or in timestamps. Acceleration includes gravity, and the sensor may be worn in any turn.
    acc_unit : {"m/s2", "g"}
        Unit of acceleration in `data`; app exports and samples have their own.
    gyr_unit : {"rad/s", "deg/s"}
        Unit of angular velocity in `data`.
    columns : mapping, optional
        Other names of the columns of a table, ``{"acc_x": "ax", ...}``.
    min_reps : int
        Fewer repetitions make no set.

    Returns
    -------
    CountSummary
        Tables of repetitions and sets, curves, JSON and a plot.

    Raises
    ------
    ImuError
        If `data` cannot be read, or is clearly in other units; the sentence says what to do.
    ValueError
        If an argument has a value that it cannot have.

    Examples
    --------
    >>> import imu
    >>> counted = imu.count("recordings/simulated_deadlifts.csv.gz")
    >>> counted.sets[["set", "pattern", "repetitions"]]
       set pattern  repetitions
    0    1   hinge            6
    """
    if acc_unit not in ACCELERATION_UNITS or gyr_unit not in ANGULAR_VELOCITY_UNITS:
        raise ValueError(f"units are m/s2 or g, and rad/s or deg/s; got {acc_unit!r} and {gyr_unit!r}")
    unknown = sorted(set(columns or ()) - set(COLUMNS))
    if unknown:
        raise ValueError(f"columns may name {', '.join(COLUMNS)}; got {', '.join(unknown)}")
    own = [(columns or {}).get(name, name) for name in COLUMNS]
    if len(set(own)) < len(own):
        raise ValueError(f"each of columns needs its own; got {', '.join(own)}")
    if min_reps < 1:
        raise ValueError(f"min_reps must be at least 1, got {min_reps}")
    if isinstance(data, ImuBlock):
        if (acc_unit, gyr_unit) != ("m/s2", "rad/s"):
            raise ValueError("the samples of an ImuBlock are in m/s² and rad/s; units cannot be given for it")
        return _count_block("samples", data, min_reps, check=True)
    if isinstance(data, str | os.PathLike):
        return _count_file(os.fspath(data), ReplayOptions(min_reps, acc_unit, gyr_unit, columns or {}))
    import pandas as pd

    if not isinstance(data, pd.DataFrame):
        raise ValueError(
            f"data is a path, a pandas DataFrame or an ImuBlock; got an object of type {type(data).__name__}"
        )
    with _named_arguments():
        block = _block_of_table(data, acc_unit, gyr_unit, columns or {})
    return _count_block("table", block, min_reps, check=False)


def _count_block(name: str, block: ImuBlock, min_reps: int, *, check: bool) -> CountSummary:
    session = Session(SessionParameters(min_reps), check_units=check)
    session.push(block)
    return CountSummary(name, session.finish()[1], lambda summary: motion_curves(lambda: [block], summary))


def _count_file(path: str, options: ReplayOptions) -> CountSummary:
    def curves(summary: SessionSummary) -> MotionCurves:
        with only_source(path) as source:
            return recording_curves(source.path, summary, options)

    with _named_arguments(), only_source(path) as source:
        replayed = replay(source, options)
        if isinstance(replayed, Failed):
            raise ImuError(f"{path}: {replayed.reason}")
    return CountSummary(path, replayed.summary, curves)


def _block_of_table(
    table: pd.DataFrame, acc_unit: AccelerationUnit, gyr_unit: AngularVelocityUnit, columns: Mapping[str, str]
) -> ImuBlock:
    """Return the samples of a table in SI units and in the order of time, checked as those of a file are."""
    names = {name: columns.get(name, name) for name in COLUMNS}
    missing = [name for name in names.values() if name not in table.columns and name != "time_s"]
    if missing:
        have = ", ".join(str(name) for name in table.columns[:10]) or "none"
        raise RecordingForeign(
            f"the table has no column {', '.join(missing)} (it has {have}): give other names with columns="
        )
    time_s = _seconds(table[names["time_s"]] if names["time_s"] in table.columns else table.index)
    values = [_numbers(table[names[name]]) for name in COLUMNS[1:]]
    numbers = table_of(np.column_stack([time_s, *values]))
    if len(numbers.rows) < 2 or numbers.unreadable > len(numbers.rows) / 2:
        readable = len(numbers.rows) - numbers.unreadable
        raise RecordingForeign(f"{readable} of {len(numbers.rows)} rows hold numbers in every column, which is too few")
    sampling_rate_hz(numbers.rows[:RATE_ROWS, 0])  # raises where time is not in seconds
    rows = TimeOrder().push(numbers.rows, is_last=True)
    scale = ACCELERATION_UNITS[acc_unit], ANGULAR_VELOCITY_UNITS[gyr_unit]
    rows = rows * np.array([1.0] + [scale[0]] * 3 + [scale[1]] * 3)
    check_units(rows, acc_unit, gyr_unit)
    return ImuBlock(rows[:, 0], rows[:, 1:4], rows[:, 4:7])


def _seconds(time: Any) -> Array:
    """Return a column or index of times in seconds: numbers as they are, timestamps and durations from the first."""
    import pandas as pd

    values: Any = pd.Series(time).reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(values) and not isinstance(time, pd.RangeIndex):
        return _numbers(values)
    if isinstance(time, pd.RangeIndex):
        raise RecordingForeign(
            "the table has no time: it needs a column time_s, or times in its index, in seconds or timestamps; "
            "at 52 Hz: table.index = table.index / 52"
        )
    if not pd.api.types.is_datetime64_any_dtype(values) and not pd.api.types.is_timedelta64_dtype(values):
        try:
            values = pd.to_datetime(values)
        except (ValueError, TypeError) as error:
            raise RecordingForeign("the table's times are neither seconds nor timestamps") from error
    since_first = values - values.dropna().iloc[0] if values.notna().any() else values - values
    return _numbers(since_first.dt.total_seconds())


def _numbers(column: Any) -> Array:
    import pandas as pd

    numbers: Array = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return numbers


@contextmanager
def _named_arguments() -> Iterator[None]:
    """Name the arguments of `count` in sentences that name the options of the command line."""
    try:
        yield
    except ImuError as error:
        sentence = str(error)
        options = {
            "leave out --columns": "leave out columns=",
            "--acc-unit g": 'acc_unit="g"',
            "--gyr-unit deg/s": 'gyr_unit="deg/s"',
            "in the file": "in the data",
        }
        sentence = re.sub(r'--columns "(.*?)"', lambda option: f"columns={columns_in(option[1])}", sentence)
        for option, argument in options.items():
            sentence = sentence.replace(option, argument)
        if sentence == str(error):
            raise
        raise (RecordingForeign if isinstance(error, RecordingForeign) else type(error))(sentence) from error


# --- frames of gait analysis -----------------------------------------------------------------------------------------


GAIT_FRAMES = (("x", "y", "z"), ("is", "ml", "pa"))
"""Ends of the names of columns in a gait frame: of the sensor frame, and of mobgap's body frame, right-handed both."""


def from_gait_frame(data: pd.DataFrame, sampling_rate_hz: float | None = None) -> ImuBlock:
    """Convert a frame of gaitmap or mobgap to samples, which `count` takes.

    Parameters
    ----------
    data : DataFrame
        One sensor at the hip or the lower back: ``acc_x, acc_y, acc_z`` in m/s² and ``gyr_x, gyr_y, gyr_z`` in deg/s,
        or mobgap's body frame ``acc_is, acc_ml, acc_pa`` and ``gyr_is, gyr_ml, gyr_pa``. Other columns are left out.
    sampling_rate_hz : float, optional
        Sampling rate of a frame whose index counts samples. Without it the index is the time, in seconds or timestamps.

    Returns
    -------
    ImuBlock
        Samples in m/s² and rad/s, in the axes of the frame.

    Raises
    ------
    ImuError
        If the frame holds several sensors, other columns or other units.
    ValueError
        If the sampling rate is not a positive number.

    Examples
    --------
    >>> import imu, pandas as pd
    >>> table = pd.read_csv("recordings/simulated_deadlifts.csv.gz")
    >>> frame = table[["acc_x", "acc_y", "acc_z"]].join(table[["gyr_x", "gyr_y", "gyr_z"]] * 57.29578)  # as of mobgap
    >>> imu.count(imu.from_gait_frame(frame, sampling_rate_hz=52)).sets[["pattern", "repetitions"]]
      pattern  repetitions
    0   hinge            6
    """
    import pandas as pd

    if sampling_rate_hz is not None and not (np.isfinite(sampling_rate_hz) and sampling_rate_hz > 0):
        raise ValueError(f"the sampling rate must be a positive number, got {sampling_rate_hz}")
    if not isinstance(data, pd.DataFrame) or data.columns.nlevels > 1:
        raise RecordingForeign("the data hold several sensors: choose the one at the hip, as in data['LowerBack']")
    if "acc_si" in data.columns:
        raise RecordingForeign(
            "gaitmap's body frame is that of a foot: give the frame as it was before, in acc_x to gyr_z"
        )
    axes = GAIT_FRAMES["acc_is" in data.columns]
    names = [f"{sensor}_{axis}" for sensor in ("acc", "gyr") for axis in axes]
    columns: dict[str, str] = dict(zip(COLUMNS[1:], names, strict=True))
    if sampling_rate_hz is not None:
        data = data.set_axis(np.arange(len(data)) / sampling_rate_hz, axis="index").drop(
            columns="time_s", errors="ignore"
        )
    elif isinstance(data.index, pd.RangeIndex) and "time_s" not in data.columns:
        raise RecordingForeign("the frame counts samples: give its sampling_rate_hz")
    with _named_arguments():
        return _block_of_table(data, "m/s2", "deg/s", columns)
