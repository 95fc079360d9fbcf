"""Checks of a recording: its header, names of its columns, order of its rows, whether the units are s, m/s² and rad/s.

Rows that are a little late are put in order and counted. A file that cannot be one recording in these units is refused
with a sentence that says what to do. :mod:`imu.units` judges units by physics; here the judgement becomes a sentence
that names the option which converts the file. The spellings of units in other apps' files stand here too.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imu.errors import RecordingForeign
from imu.samples import STANDARD_GRAVITY_M_S2, Array
from imu.units import (
    JUDGED_TURN_CELLS,
    RADIANS_SLOPE,
    RATES_HZ,
    AccelerationUnit,
    Turns,
    median,
    time_unit,
    unit_evidence,
    unit_of_acceleration,
)

A_NAME = "NAME"
"""Stands in an advised option for the name of a column that the person has to give."""

COLUMNS = ("time_s", "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
"""The columns of a recording: s, m/s², rad/s."""

RATE_TOLERANCE = 0.1
"""A sensor's clock and jitter may put the rate this far outside `RATES_HZ`."""

DISORDER_S = 1.0
"""Rows that are late by up to this are put in order; more is another recording. Radio and loggers swap packets of at
most some tenths of a second."""

HEAD_LINES = 50
"""A header, and the comments before it, are looked for in this many lines."""

RATE_ROWS = 20_000
"""The rate is taken from this many rows at the start."""


# --- headers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Header:
    """Where a table's header stands and how the table is written.

    Attributes
    ----------
    names : tuple of str
        Names of the columns as in the file, without blanks around them.
    separator, decimal : str
        The characters between cells and in numbers.
    line : int
        Line of the file, from 0; -1 for a table without a header.
    has_rows : bool
        Whether text follows in the lines that were looked at.
    """

    names: tuple[str, ...]
    separator: str
    decimal: str
    line: int
    has_rows: bool = True

    def index(self, name: str) -> int | None:
        """Return the number of the column with this name, in any case of letters."""
        lower = [column.lower() for column in self.names]
        return lower.index(name.lower()) if name.lower() in lower else None


def header_in(lines: Sequence[str], first: str = "") -> Header | None:
    """Return the header among the first lines of a file; ``None`` without one.

    Parameters
    ----------
    lines : sequence of str
        The lines, without their ends.
    first : str
        Start of the header, if other lines stand before it; the case of letters does not matter.
    """
    for number, line in enumerate(lines):
        text = line.strip()
        if not text or is_comment(text) or not text.lower().startswith(first.lower()):
            continue
        separator = max(",;\t", key=text.count)
        names = next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])
        below = next((row for row in lines[number + 1 :] if row.strip() and not is_comment(row.strip())), None)
        decimal = "," if separator != "," and "," in (below or "") else "."
        return Header(tuple(name.strip() for name in names), separator, decimal, number, below is not None)
    return None


def is_comment(text: str) -> bool:
    """Whether a line of a table holds no cells but a comment."""
    return text.lower().startswith(("#", "sep="))


def first_lines(head: bytes) -> tuple[str, ...]:
    """Return the first lines of a text without their ends; none if it is binary."""
    text = "" if b"\0" in head else head.decode("utf-8-sig", errors="replace")
    return tuple(re.split(r"\r\n|\n|\r", text, maxsplit=HEAD_LINES)[:HEAD_LINES])


# --- names of columns -------------------------------------------------------------------------------------------------


def own_columns(names: Sequence[str], own_names: Mapping[str, str]) -> list[int]:
    """Return which columns of the file are `COLUMNS`, or `own_names` in place of some, in any case and with any blanks.

    Raises
    ------
    RecordingForeign
        If one of `COLUMNS` is missing or there twice, or if two of them are to be one column.
    """
    spelled = [_spelled(name) for name in names]
    wanted = {name: _spelled(own_names.get(name, name)) for name in COLUMNS}
    twice = [name for name in wanted.values() if spelled.count(name) > 1]
    if twice:
        raise RecordingForeign(f"the column {twice[0]} is there twice: keep one")
    shared = [name for name in COLUMNS if list(wanted.values()).count(wanted[name]) > 1]
    if shared:
        raise RecordingForeign(f"{' and '.join(shared)} cannot be one column, {wanted[shared[0]]}: name each its own")
    missing = [name for name in COLUMNS if wanted[name] not in spelled]
    if missing:
        raise RecordingForeign(_missing_columns(names, missing, own_names))
    return [spelled.index(name) for name in wanted.values()]


def columns_in(text: str) -> dict[str, str]:
    """Return the names of columns in ``acc_x=ax,acc_y=ay``; a name may hold commas.

    Raises
    ------
    ValueError
        If the text has another form.
    """
    parts = re.split(rf"(?:^|,)\s*({'|'.join(COLUMNS)})\s*=", text)
    names = dict(zip(parts[1::2], (name.strip() for name in parts[2::2]), strict=True))
    if parts[0] or not names or len(names) < len(parts) // 2 or not all(names.values()):
        raise ValueError(f"write it as acc_x=NAME,acc_y=NAME, with names out of {', '.join(COLUMNS)}, each once")
    return names


def _spelled(name: str) -> str:
    return re.sub(r"\s+", "_", name.strip().lower())


def _missing_columns(names: Sequence[str], missing: Sequence[str], own_names: Mapping[str, str]) -> str:
    """Return a sentence that names the missing columns and those that look like them."""
    if names and all(re.fullmatch(r"[-+.,\deE]+", name.strip()) for name in names):
        return f"there is no header: the first line must be {','.join(COLUMNS)}"
    close = {_looks_like(name): name.strip() for name in reversed(names)}
    renames = {name: close[name] for name in missing if name in close}
    wanted = ", ".join(own_names.get(name, name) for name in missing)
    lack = f"the columns {wanted} are missing" if len(missing) > 1 else f"the column {wanted} is missing"
    taken = {_spelled(name) for name in own_names.values()}
    others = [name.strip() for name in names if _looks_like(name) is None and _spelled(name) not in taken]
    if [name for name in missing if name not in renames] == ["time_s"] and others:  # all the rest is there
        renames["time_s"] = others[0] if len(others) == 1 else A_NAME
        lack += "" if len(others) == 1 else f", and the time is in one of {', '.join(map(repr, others[:8]))}"
    if renames:
        options = {**own_names, **renames}
        option = ",".join(f"{name}={own}" for name in COLUMNS if _spelled(own := options.get(name, name)) != name)
        advice = f'give --columns "{option}"' if option else "leave out --columns"
        spelled = {name: "the time" if own == A_NAME else repr(own) for name, own in renames.items()}
        changes = ", ".join(f"{spelled[name]} to {name}" for name, own in renames.items() if _spelled(own) != name)
        if changes:
            return f"{lack}: rename {changes}, in s, m/s² and rad/s, or {advice}"
        return f"{lack}, but {', '.join(renames)} {'are' if len(renames) > 1 else 'is'} there: {advice}"
    present = ", ".join(repr(name.strip()[:30]) for name in names[:8])
    return f"{lack}, the header has {present}: a recording has {','.join(COLUMNS)}, in s, m/s² and rad/s"


def _looks_like(name: str) -> str | None:
    """Return which of `COLUMNS` a differently spelled name probably means."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    axis = re.search(r"(?:^|[^a-z]|acc|accel|acceleration|gyr|gyro|gyroscope|^a|^g|^w)([xyz])(?![a-z])", words)
    if axis and re.search(r"acc|^\W*a", words):
        return f"acc_{axis[1]}"
    if axis and re.search(r"gyr|ang|rot|omega|^\W*[gw]", words):
        return f"gyr_{axis[1]}"
    return "time_s" if re.search(r"time|second|^\W*t\b|^\W*ts\b", words) else None


# --- order of time ---------------------------------------------------------------------------------------------------


class TimeOrder:
    """Rows in the order of the file -> rows in the order of time; equal times stay in the order of the file.

    Attributes
    ----------
    rows_sorted : int
        Rows so far that came after a later one.
    """

    def __init__(self) -> None:
        self.rows_sorted = 0
        self._rows = 0
        self._latest_s = -np.inf
        self._held = np.empty((0, 7))

    def push(self, rows: Array, *, is_last: bool) -> Array:
        """Take the next rows; return those that no later row can precede, all if these are the last.

        Raises
        ------
        RecordingForeign
            If time jumps back by more than `DISORDER_S`.
        """
        time_s = rows[:, 0]
        in_order = bool(len(rows) and time_s[0] >= self._latest_s and (time_s[1:] >= time_s[:-1]).all())
        if not in_order:
            late_s = self._latest_before(time_s) - time_s
            late = np.flatnonzero(late_s > 0)  # not a row without a time: NaN compares false
            too_late = late[late_s[late] > DISORDER_S]
            if len(too_late):
                raise RecordingForeign(
                    f"time_s jumps back by {late_s[too_late[0]]:.1f} s at data row {self._rows + too_late[0] + 1}, as "
                    "where two recordings are joined: split the file there"
                )
            self.rows_sorted += len(late)
        self._rows += len(rows)
        rows = np.concatenate((self._held, rows)) if len(self._held) else rows
        if not in_order:
            latest = np.fmax.accumulate(np.concatenate(([-np.inf], rows[:, 0])))[1:]
            key = np.where(np.isnan(rows[:, 0]), latest, rows[:, 0])  # a row without a time stays where it is
            rows = rows[np.argsort(key, kind="stable")]
        self._latest_s = float(np.fmax(self._latest_s, np.fmax.reduce(time_s, initial=-np.inf)))
        if is_last:
            return rows
        settled = np.fmax.accumulate(rows[:, 0]) < self._latest_s - DISORDER_S
        count = int(np.count_nonzero(settled))
        self._held = rows[count:]
        return rows[:count]

    def _latest_before(self, time_s: Array) -> Array:
        """Return the latest time before each row."""
        return np.fmax.accumulate(np.concatenate(([self._latest_s], time_s)))[:-1]


# --- time ------------------------------------------------------------------------------------------------------------


def sampling_rate_hz(time_s: Array) -> float:
    """Return the usual rate of rows with these times; gaps do not count.

    Raises
    ------
    RecordingForeign
        If time stands still, runs backwards or is not in seconds, or the rate is outside `RATES_HZ`.
    """
    steps = np.diff(time_s[np.isfinite(time_s)])
    forward = steps[steps > 0]
    if len(steps) and not len(forward):
        fault = "runs backwards" if (steps < 0).any() else "is the same in every row"
        raise RecordingForeign(f"time_s {fault}: it must be the time of each row in seconds")
    if not len(forward):
        return 0.0
    backward = np.count_nonzero(steps < 0)
    if backward > len(forward):
        raise RecordingForeign("time_s runs backwards: sort the rows by time")
    if len(forward) < len(steps) / 2 - backward:
        raise RecordingForeign("most rows repeat the time of the row before: each row needs its own time in seconds")
    typical_s = float(median(forward))
    longest_s, shortest_s = (1 + RATE_TOLERANCE) / RATES_HZ[0], 1 / RATES_HZ[1] / (1 + RATE_TOLERANCE)
    # Missing rows lengthen some steps and rows sent in packets shorten some: neither decides.
    quarter = len(forward) // 4
    if np.partition(forward, quarter)[quarter] > longest_s:  # np.percentile would import numpy.ma
        raise RecordingForeign(_too_slow(typical_s))
    if typical_s < shortest_s and forward[forward <= longest_s].mean() < shortest_s:
        raise RecordingForeign(f"rows come at {1 / typical_s:.4g} Hz, we read 20 to 1000 Hz: is time_s in seconds?")
    usual = forward[np.abs(forward / typical_s - 1) < 0.6]
    return float(1 / usual.mean())


def _too_slow(step_s: float) -> str:
    """Return a sentence on steps of more than 1/20 s and their probable unit."""
    looks_like = time_unit(step_s)
    if looks_like is not None:
        unit, per_second = looks_like
        also = " or a count of rows" if step_s == 1 else ""
        return f"time_s looks like {unit}{also} (steps of {step_s:.6g}): divide it by {per_second:,.0f}"
    return f"rows come at {1 / step_s:.3g} Hz, we read 20 to 1000 Hz: record at a higher rate"


# --- units -----------------------------------------------------------------------------------------------------------

ACCELERATION_UNITS = {"m/s2": 1.0, "g": STANDARD_GRAVITY_M_S2}
"""One unit of acceleration in m/s²."""

ANGULAR_VELOCITY_UNITS = {"rad/s": 1.0, "deg/s": float(np.pi / 180)}
"""One unit of angular velocity in rad/s."""

ACCELERATION_SPELLINGS = {
    **dict.fromkeys(("m/s^2", "m/s²", "m/s2", "m/s**2", "m/s/s", "ms^-2", "m s^-2", "m·s^-2", "mps2"), 1.0),
    "g": STANDARD_GRAVITY_M_S2,
    "mg": STANDARD_GRAVITY_M_S2 / 1000,
}
"""Units of acceleration as headers of other apps write them, in m/s²."""

ANGULAR_VELOCITY_SPELLINGS = {
    **dict.fromkeys(("rad/s", "rad s^-1", "rad*s^-1", "rad·s^-1", "rads/s", "rps"), 1.0),
    **dict.fromkeys(
        ("deg/s", "°/s", "dps", "degree per second", "degrees per second", "degrees/s"), float(np.pi / 180)
    ),
}
"""Units of angular velocity as headers of other apps write them, in rad/s."""


def check_units(rows: Array, acceleration_unit: str, angular_velocity_unit: str, *, chosen: bool = True) -> None:
    """Refuse a recording whose numbers are clearly in another unit than stated.

    Parameters
    ----------
    rows : (n, 7) array
        Start of the recording in the order of time, already converted: s, m/s², rad/s, sensor frame. Less than a
        second is not judged.
    acceleration_unit, angular_velocity_unit : str
        The units that the rows were converted from.
    chosen : bool
        Whether the user chose the units and can choose others; if not, they are those that the app writes.

    Raises
    ------
    RecordingForeign
        If another unit explains the numbers; its text names that unit and the remedy.
    """
    try:
        _check_units(rows, acceleration_unit, angular_velocity_unit, may_be_radians=not chosen)
    except _OtherUnit as error:
        if chosen:
            raise
        raise RecordingForeign(f"{error.finding}, and this app writes other units: was the file changed?") from error


class _OtherUnit(RecordingForeign):
    """Numbers are in another unit than stated: the finding, and the remedy if the user chose the unit."""

    def __init__(self, finding: str, remedy: str) -> None:
        super().__init__(f"{finding}: {remedy}")
        self.finding = finding


def _check_units(rows: Array, acceleration_unit: str, angular_velocity_unit: str, *, may_be_radians: bool) -> None:
    """Check as `check_units`; `may_be_radians`: angular velocity may have been rad/s before its conversion."""
    evidence = unit_evidence(rows)
    if evidence is None:
        return
    if not len(evidence.least_m_s2):
        raise RecordingForeign("the acceleration is 0 in every row: check that the sensor was recording")
    _check_acceleration(evidence.at_rest_m_s2, acceleration_unit)
    may_be_radians = may_be_radians or angular_velocity_unit == "deg/s"
    _check_angular_velocity(evidence.turns, angular_velocity_unit, may_be_radians=may_be_radians)


def _check_acceleration(at_rest_m_s2: float, unit: str) -> None:
    """Refuse acceleration whose size at rest differs from gravity in m/s²."""
    if unit_of_acceleration(at_rest_m_s2) is AccelerationUnit.M_S2:
        return
    as_given = at_rest_m_s2 / ACCELERATION_UNITS[unit]
    reading = f"|a| at rest is {as_given:.3g} in the file"
    match unit_of_acceleration(as_given):
        case AccelerationUnit.M_S2:
            raise _OtherUnit(f"{reading}, which is m/s² already, not g", "leave out --acc-unit g")
        case AccelerationUnit.G:
            raise _OtherUnit(f"acceleration looks like g ({reading}, not 9.81)", "convert with --acc-unit g")
        case AccelerationUnit.MG:
            raise _OtherUnit(f"acceleration looks like mg or cm/s² ({reading}, not 9.81)", "convert it to m/s²")
        case AccelerationUnit.WITHOUT_GRAVITY:
            raise RecordingForeign(
                f"acceleration looks as if gravity had been taken out ({reading}, not 9.81): "
                "record the accelerometer itself, not linear or user acceleration"
            )
        case AccelerationUnit.UNKNOWN:
            raise _OtherUnit(f"acceleration is in no unit that we know ({reading}, not 9.81)", "convert it to m/s²")


def _check_angular_velocity(turns: Turns, unit: str, *, may_be_radians: bool) -> None:
    """Refuse angular velocity that is 57 times the turn of gravity, or a 57th of it."""
    if len(turns.shown) < JUDGED_TURN_CELLS:
        return
    if turns.in_degrees:
        if unit == "rad/s":
            raise _OtherUnit(
                f"angular velocity looks like deg/s (it turns {turns.ratio:.0f} times as much as the accelerometer "
                "shows)",
                "convert with --gyr-unit deg/s",
            )
        raise _OtherUnit(
            f"angular velocity turns {turns.ratio:.0f} times as much as the accelerometer shows", "convert it to rad/s"
        )
    if may_be_radians and turns.slope is not None and turns.slope > RADIANS_SLOPE:
        raise _OtherUnit("angular velocity is rad/s already, not deg/s", "leave out --gyr-unit deg/s")
