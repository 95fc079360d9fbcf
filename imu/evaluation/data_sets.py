"""Data sets: folders of recordings whose truth is known, found by their ``index.csv``.

The index has one row for each recording: ``file, subject, group, activity, pattern, reps``. The pattern ``none`` means
daily life. One repetition is a single repetition, more are a set. ``NAME.truth.json`` beside a recording says when its
repetitions were, as windows labelled by hand or as the truth of a simulated session. A folder without an index serves
as well if its recordings have such truths. Labels that contradict each other stop the evaluation with one sentence.

At the end, single-activity trials are joined into one long recording per person, to see what a stream does to the
counting. Only trials that start and end in the same quiet standing posture can be joined. Each is turned onto the
posture of the first one (over the trials the sensor sits a little differently), between two the person stands for a few
seconds, and the seams are cross-faded. Two things are not real: the seams, and standing without sway between them.
"""

from __future__ import annotations

import csv
import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from imu.errors import ImuError, RecordingDamaged, RecordingForeign
from imu.recordings.folders import TABLE_SUFFIXES, find_recordings
from imu.samples import Array, ImuBlock
from imu.virtual.person import DailyTruth, SessionTruth, truth_from_dict

INDEX = "index.csv"
COLUMNS = ("file", "subject", "group", "activity", "pattern", "reps")
TRUTH_SUFFIX = ".truth.json"
NONE = "none"
"""The pattern of daily life."""
PATTERNS = ("squat", "hinge", NONE)


@dataclass(frozen=True, slots=True)
class TrueRepetition:
    """One true repetition; a quantity that the label lacks is None. See `imu.virtual.person.RepetitionTruth`."""

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
    reduced = [
        DataSet(data_set.name, tuple(t for t in data_set.trials if t.person in people)) for data_set in data_sets
    ]
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
    labelled = [path for path in find_recordings([folder]) if truth_path(path).is_file()]
    if not labelled:
        raise RecordingForeign(
            f"{folder} has neither an {INDEX}, nor folders with one, "
            f"nor a recording with its truth beside it (NAME.csv, NAME{TRUTH_SUFFIX})"
        )
    trials = []
    for path in labelled:
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


# --- trials joined into one recording ---------------------------------------------------------------------------------

STANDING = ("squat", "hinge", "walk", "jog", "stairs", "jump", "stumble", "chair_half", "chair_low", "car")
"""Activities, by the start of their name, whose protocol starts and ends standing; SisFall's ``lie`` and
``chair_collapse`` start seated."""
POSTURE_S = 1.0
"""The posture is the mean of this long at the start and at the end."""
SAME_POSTURE_RAD = np.radians(15.0)
"""Start and end further apart are not one posture; in SisFall's repetition trials 5 % are more than 9° apart."""
QUIET_M_S2 = 0.8
QUIET_RAD_S = 0.4
"""Largest root-mean-square deviation within a posture: beyond, the person is moving already."""
SEAM_S = 0.5
BETWEEN_S = (2.0, 5.0)
SEED = 20170120


@dataclass(frozen=True, slots=True)
class JoinedTrial:
    """Where a trial lies in the joined recording, ``[start_s, end_s)``."""

    trial: Trial
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class JoinedSession:
    """One person's trials in one recording."""

    block: ImuBlock
    trials: tuple[JoinedTrial, ...]


def may_be_joined(trial: Trial) -> bool:
    """Whether a trial of this activity starts and ends standing, as far as its label says."""
    return trial.truth is None and trial.activity.startswith(STANDING)


def is_standing(block: ImuBlock) -> bool:
    """Whether a recording starts and ends standing quietly, in one posture."""
    if block.device_time_s[-1] - block.device_time_s[0] < 4 * POSTURE_S:
        return False
    rows = _rows(block)
    at_posture = round(POSTURE_S / _step_s(block))
    first, last = rows[:at_posture], rows[-at_posture:]
    for posture in (first, last):
        acceleration, angular_velocity = posture[:, :3], posture[:, 3:]
        if not (_deviation(acceleration) < QUIET_M_S2 and _deviation(angular_velocity) < QUIET_RAD_S):
            return False
    cosine = _unit(first[:, :3].mean(axis=0)) @ _unit(last[:, :3].mean(axis=0))
    return bool(cosine > np.cos(SAME_POSTURE_RAD))


def join(trials: Sequence[tuple[Trial, ImuBlock]]) -> JoinedSession:
    """Join one person's trials in an order that depends on nothing but the person.

    Raises
    ------
    ValueError
        If there is no trial.
    """
    if not trials:
        raise ValueError("there is no trial to join")
    rng = np.random.default_rng([SEED, zlib.crc32(trials[0][0].person.encode())])
    ordered = [trials[int(i)] for i in rng.permutation(len(trials))]
    step_s = _step_s(ordered[0][1])
    at_posture, seam = round(POSTURE_S / step_s), round(SEAM_S / step_s)
    parts = [_on_even_rows(ordered[0][1], step_s)]
    standing = parts[0][:at_posture, :3].mean(axis=0)
    for _, block in ordered[1:]:
        rows = _on_even_rows(block, step_s)
        turned = _turned(rows, _rotation(rows[:at_posture, :3].mean(axis=0), standing))
        between = _standing_between(
            parts[-1][-at_posture:].mean(axis=0),
            turned[:at_posture].mean(axis=0),
            round(float(rng.uniform(*BETWEEN_S)) / step_s),
            step_s,
        )
        for part in (between, turned):
            parts[-1:] = _cross_faded(parts[-1], part, seam)
    starts = np.concatenate(([0], np.cumsum([len(part) for part in parts])))
    placed = tuple(
        JoinedTrial(trial, float(starts[2 * i] * step_s), float(starts[2 * i + 1] * step_s))
        for i, (trial, _) in enumerate(ordered)
    )
    joined: Array = np.concatenate(parts)
    time_s: Array = np.arange(len(joined), dtype=np.float64) * step_s
    return JoinedSession(ImuBlock(time_s, joined[:, :3], joined[:, 3:]), placed)


def _rows(block: ImuBlock) -> Array:
    """Return acceleration and angular velocity side by side, (n, 6)."""
    return np.column_stack((block.acceleration_m_s2, block.angular_velocity_rad_s))


def _step_s(block: ImuBlock) -> float:
    return float(np.median(np.diff(block.device_time_s)))


def _on_even_rows(block: ImuBlock, step_s: float) -> Array:
    """Return the rows (n, 6) of `block` every `step_s`."""
    time = block.device_time_s
    even = np.arange(time[0], time[-1], step_s)
    return np.column_stack([np.interp(even, time, column) for column in _rows(block).T])


def _deviation(values: Array) -> float:
    """Return the root-mean-square distance of vectors (n, 3) from their mean."""
    return float(np.sqrt(values.var(axis=0).sum()))


def _unit(vector: Array) -> Array:
    unit: Array = vector / np.linalg.norm(vector)
    return unit


def _rotation(start: Array, end: Array) -> Array:
    """Return the smallest rotation (3, 3) that turns the direction `start` onto `end`."""
    a, b = _unit(start), _unit(end)
    x, y, z = np.cross(a, b)
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation: Array = np.eye(3) + skew + skew @ skew / (1.0 + a @ b)
    return rotation


def _turned(rows: Array, rotation: Array) -> Array:
    """Return rows (n, 6) as a sensor in another turn would have seen them."""
    return np.hstack((rows[:, :3] @ rotation.T, rows[:, 3:] @ rotation.T))


def _standing_between(before: Array, after: Array, n: int, step_s: float) -> Array:
    """Return `n` rows of standing in which the posture goes evenly from `before` to `after` (6,).

    The gyroscope measures this: a direction fixed in the world turns against the sensor.
    """
    share = np.linspace(0.0, 1.0, n)[:, None]
    rows: Array = (1.0 - share) * before + share * after
    normal = np.cross(_unit(before[:3]), _unit(after[:3]))
    rows[:, 3:] -= normal / (n * step_s)  # the sine of the small angle in place of the angle
    return rows


def _cross_faded(before: Array, after: Array, seam: int) -> tuple[Array, Array]:
    """Return two stretches that follow each other: the last `seam` rows of `before` fade into the first of `after`."""
    share = np.linspace(0.0, 1.0, seam + 2)[1:-1, None]
    blended = (1.0 - share) * before[-seam:] + share * after[:seam]
    return before[:-seam], np.concatenate((blended, after[seam:]))
