"""Data sets: folders of recordings whose truth is known, found by their ``index.csv``.

The index has one row for each recording: ``file, subject, group, activity, pattern, reps``. The pattern ``none`` means
daily life. One repetition is a single repetition, more are a set. ``NAME.truth.json`` beside a recording says when its
repetitions were, as windows labelled by hand or as the truth of a simulated session. A folder without an index serves
as well if its recordings have such truths. Labels that contradict each other stop the evaluation with one sentence.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from imu.errors import ImuError, RecordingDamaged, RecordingForeign
from imu.recordings.recording import TABLE_SUFFIXES, find_recordings
from imu.virtual.person import DailyTruth, SessionTruth, truth_from_dict

INDEX = "index.csv"
COLUMNS = ("file", "subject", "group", "activity", "pattern", "reps")
TRUTH_SUFFIX = ".truth.json"
NONE = "none"
"""The pattern of daily life."""
PATTERNS = ("squat", "hinge", NONE)


@dataclass(frozen=True, slots=True)
class TrueRepetition:
    """One repetition as it was; what the label does not say is None. See `imu.virtual.person.RepetitionTruth`."""

    start_s: float
    end_s: float
    pattern: str
    variant: str
    bottom_s: float | None = None
    trunk_angle_rad: float | None = None
    hip_drop_m: float | None = None
    sensor_drop_m: float | None = None
    eccentric_s: float | None = None
    pause_s: float | None = None
    concentric_s: float | None = None
    hip_mean_concentric_velocity_m_s: float | None = None
    hip_peak_concentric_velocity_m_s: float | None = None


@dataclass(frozen=True, slots=True)
class TrueSet:
    """One set as it was.

    Attributes
    ----------
    name : str
        The exercise or activity.
    size : int
        Number of repetitions.
    start_s, end_s : float
        Where a counted set has to lie to be this one. Infinite where the recording holds this set only.
    repetitions : tuple of TrueRepetition
        Empty if the label gives their number only.
    """

    name: str
    size: int
    start_s: float
    end_s: float
    repetitions: tuple[TrueRepetition, ...] = ()


@dataclass(frozen=True, slots=True)
class Truth:
    """The sets of a recording and the daily movements, each in the order of time."""

    sets: tuple[TrueSet, ...]
    daily: tuple[DailyTruth, ...] = ()

    @property
    def repetitions(self) -> tuple[TrueRepetition, ...]:
        """All repetitions whose time is known."""
        return tuple(repetition for one_set in self.sets for repetition in one_set.repetitions)


@dataclass(frozen=True, slots=True)
class Trial:
    """One labelled recording.

    Attributes
    ----------
    path : Path
        The recording.
    person, group, activity : str
        Who does what.
    pattern : str
        ``squat``, ``hinge``, or ``none`` for daily life.
    repetitions : int
        How many there are.
    truth : Truth or None
        The sets in it. None for a single repetition and for daily life.
    """

    path: Path
    person: str
    group: str
    activity: str
    pattern: str
    repetitions: int
    truth: Truth | None = None


@dataclass(frozen=True, slots=True)
class DataSet:
    """Labelled recordings with a common name, that of their folder."""

    name: str
    trials: tuple[Trial, ...]

    @property
    def people(self) -> list[str]:
        """The people, in the order of the index."""
        return list(dict.fromkeys(trial.person for trial in self.trials if trial.person))


def find_data_sets(path: Path, people: Sequence[str] = ()) -> list[DataSet]:
    """Return the data set in `path`, or those in its folders, reduced to `people` if any are named.

    Raises
    ------
    ImuError
        If there is no data set, its labels are broken, or one of `people` is in none.
    """
    if not path.is_dir():
        raise RecordingForeign(f"{path} is not a folder" if path.exists() else f"the folder {path} does not exist")
    if (path / INDEX).exists():
        folders = [path]
    else:
        folders = sorted(folder for folder in path.iterdir() if (folder / INDEX).exists())
    data_sets = [DataSet(folder.resolve().name, tuple(read_index(folder))) for folder in folders]
    if not data_sets:
        data_sets = [DataSet(path.resolve().name, tuple(_recordings_with_truth(path)))]
    known = [person for data_set in data_sets for person in data_set.people]
    unknown = [person for person in people if person not in known]
    if unknown:
        raise ImuError(f"not in the index: {', '.join(unknown)}; it has {', '.join(known) or 'no people'}")
    if not people:
        return data_sets
    reduced = [DataSet(one.name, tuple(t for t in one.trials if t.person in people)) for one in data_sets]
    return [one for one in reduced if one.trials]


def read_index(folder: Path) -> list[Trial]:
    """Return the trials of a folder's ``index.csv``.

    Raises
    ------
    RecordingForeign
        If the index cannot be read, lacks a column or a value, or has no rows.
    RecordingDamaged
        If the truth beside a recording is broken or contradicts the index.
    """
    index = folder / INDEX
    try:
        with index.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise RecordingForeign(f"{index} cannot be read: {error}") from error
    if missing:
        raise RecordingForeign(f"{index} lacks the columns {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    if not rows:
        raise RecordingForeign(f"{index} has no rows: it needs one for each recording")
    trials = []
    for line, row in rows:
        try:
            trials.append(_trial(folder, row))
        except ValueError as error:
            raise RecordingForeign(f"{index}, line {line}: {error}") from error
    return trials


def _trial(folder: Path, row: dict[str, str]) -> Trial:
    """Return the trial of a row of the index."""
    empty = [name for name in COLUMNS if not row[name]]
    if empty:
        raise ValueError(f"{', '.join(empty)} is empty")
    pattern = row["pattern"]
    if pattern not in PATTERNS:
        raise ValueError(f"the pattern is {pattern!r}, not one of {', '.join(PATTERNS)}")
    if not row["reps"].isdecimal() or (int(row["reps"]) == 0) != (pattern == NONE):
        raise ValueError(f"{row['reps']!r} repetitions do not fit the pattern {pattern!r}")
    path, repetitions = folder / row["file"], int(row["reps"])
    truth = _read_truth(truth_path(path), row["activity"]) if truth_path(path).exists() else None
    if truth is not None:
        _check_agreement(truth_path(path), truth, pattern, repetitions)
    if repetitions <= 1:
        truth = None
    elif truth is None:
        truth = Truth((TrueSet(row["activity"], repetitions, -math.inf, math.inf),))
    return Trial(path, row["subject"], row["group"], row["activity"], pattern, repetitions, truth)


def _check_agreement(path: Path, truth: Truth, pattern: str, repetitions: int) -> None:
    """Raise `RecordingDamaged` if a truth and the row of the index contradict each other."""
    patterns = {repetition.pattern for repetition in truth.repetitions} or {NONE}
    if len(truth.repetitions) != repetitions or patterns != {pattern}:
        raise RecordingDamaged(
            f"{path} has {len(truth.repetitions)} repetitions of the pattern {', '.join(sorted(patterns))}, "
            f"the index {repetitions} of the pattern {pattern}"
        )


def _recordings_with_truth(folder: Path) -> list[Trial]:
    """Return the recordings in a folder without an index that have their truth beside them."""
    found = [path for path in find_recordings([folder]) if truth_path(path).is_file()]
    if not found:
        raise RecordingForeign(
            f"{folder} has neither an {INDEX}, nor folders with one, "
            f"nor a recording with its truth beside it (NAME.csv, NAME{TRUTH_SUFFIX})"
        )
    trials = []
    for path in found:
        truth = _read_truth(truth_path(path), "set")
        trials.append(Trial(path, "", "", "session", "", len(truth.repetitions), truth))
    return trials


def truth_path(recording: Path) -> Path:
    """Return where the truth of a recording is: NAME.truth.json for NAME.csv, NAME.csv.gz and NAME.parquet."""
    suffix = next((suffix for suffix in reversed(TABLE_SUFFIXES) if recording.name.lower().endswith(suffix)), "")
    return recording.with_name(recording.name[: len(recording.name) - len(suffix)] + TRUTH_SUFFIX)


def _read_truth(path: Path, activity: str) -> Truth:
    """Read windows labelled by hand, or the truth of a simulated session."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(plain, dict) and "windows" in plain:
            return _truth_of_windows(plain, activity)
        return truth_of_session(truth_from_dict(plain))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordingDamaged(f"{path} holds no truth: {error!r}") from error


def _truth_of_windows(plain: dict[str, Any], activity: str) -> Truth:
    windows = [(float(start_s), float(end_s)) for start_s, end_s in plain["windows"]]
    if not all(0 <= start_s < end_s < math.inf for start_s, end_s in windows):
        raise ValueError("a window does not end after its start")
    if windows != sorted(windows):
        raise ValueError("the windows are not in the order of time")
    if len(windows) != plain["reps"]:
        raise ValueError(f"{plain['reps']} repetitions have {len(windows)} windows")
    if plain["pattern"] not in PATTERNS[:2]:
        raise ValueError(f"the pattern is {plain['pattern']!r}")
    repetitions = tuple(TrueRepetition(start_s, end_s, plain["pattern"], activity) for start_s, end_s in windows)
    return Truth((TrueSet(activity, len(windows), -math.inf, math.inf, repetitions),))


def truth_of_session(truth: SessionTruth) -> Truth:
    """Return the truth of a simulated session as a `Truth`."""
    names = [field.name for field in fields(TrueRepetition)]
    sets = []
    for one_set in truth.sets:
        reps = tuple(TrueRepetition(**{name: getattr(rep, name) for name in names}) for rep in one_set.reps)
        sets.append(TrueSet(one_set.name, len(reps), reps[0].start_s, reps[-1].end_s, reps))
    return Truth(tuple(sets), truth.daily)
