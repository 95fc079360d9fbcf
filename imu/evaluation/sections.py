"""Labelled material -> scores, in one process or several, in the order of the material.

Every task reads or simulates one piece, lets each counter count in it, and scores it. A recording that cannot be read
becomes a `Failed`; the others go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from imu.evaluation.naive_counters import count_naively
from imu.evaluation.counters import CountedSets, count
from imu.app.fit import Trial, collect, judge_without
from imu.evaluation.joined_trials import JoinedSession, can_be_joined, join
from imu.app.replay import Failed
from imu.evaluation.set_scores import SessionScore, score_session
from imu.evaluation.trial_scores import TrialScore
from imu.errors import ImuError, RecordingDamaged, RecordingForeign
from imu.motion.repetitions import JudgeParameters
from imu.samples import ImuBlock
from imu.simulate import SessionTruth, random_session, simulate, truth_from_dict
from imu.sources.recording import SUFFIXES, find_recordings, read_recording

OURS, NAIVE = "ours", "naive"
TRUTH_SUFFIX = ".truth.json"
FIRST_SEED = 10_000
"""Simulated sessions have seeds from here on; :mod:`imu.app.fit` uses those from 0."""
TRIAL_REPETITIONS = 1
"""A trial holds one repetition; nothing is forgiven as being alone."""
SESSION_REPETITIONS = 2
"""What `imu replay` uses: a lone movement is not a set."""

Item = TypeVar("Item")
Result = TypeVar("Result")

TrialScores = dict[str, list[TrialScore]]
"""By the name of who counted."""
SessionScores = dict[str, SessionScore]
"""Of one session, by the name of who counted."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Who counts: our session with `judge` (None: the fitted one), and the naive script if asked for."""

    judge: JudgeParameters | None = None
    naive: bool = False

    def count(self, block: ImuBlock, least_repetitions: int) -> dict[str, CountedSets]:
        """Return what each counts in `block`, by name."""
        counted = {OURS: count([block], least_repetitions, self.judge)}
        if self.naive:
            counted[NAIVE] = count_naively(block, least_repetitions)
        return counted


def in_processes(task: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> list[Result]:
    """Return the result of `task` for each item, in order; the number of processes changes nothing but the time."""
    if jobs <= 1 or len(items) <= 1:
        return [task(item) for item in items]
    with ProcessPoolExecutor(min(jobs, len(items)), mp_context=get_context("spawn")) as pool:
        return list(pool.map(task, items, chunksize=max(1, len(items) // (20 * jobs))))


def judges_without(people: Sequence[str], folder: Path) -> dict[str, JudgeParameters]:
    """Return, for each person, what decides when it is fitted on everybody else in `folder` and on simulation.

    Only what is fitted is left out: the limits that were set by hand in :mod:`imu.motion` were set while looking at
    everybody. The fits follow each other in this process, whose linear algebra uses all processors: the last digits
    of a fit depend on how many do, and the output must not depend on the number of jobs.
    """
    examples = collect(folder)
    return {person: judge_without(person, examples) for person in people}


@dataclass(frozen=True, slots=True)
class TrialTask:
    """One trial, and who counts in it."""

    trial: Trial
    counters: Counters


def score_trial(task: TrialTask) -> TrialScores | Failed:
    """Read and score one trial on its own."""
    try:
        block = read_recording(task.trial.path).block
    except ImuError as error:
        return Failed(str(task.trial.path), str(error))
    counted = task.counters.count(block, TRIAL_REPETITIONS)
    return {name: [_scored(task.trial, one.duration_s, one)] for name, one in counted.items()}


def _scored(trial: Trial, duration_s: float, counted: CountedSets) -> TrialScore:
    return TrialScore(
        person=trial.person,
        group=trial.group,
        activity=trial.activity,
        pattern=trial.pattern,
        repetitions=trial.repetitions,
        duration_s=duration_s,
        counted=counted.repetitions,
    )


@dataclass(frozen=True, slots=True)
class PersonTask:
    """All trials of one person, and who counts in them."""

    trials: tuple[Trial, ...]
    counters: Counters


def score_joined(task: PersonTask) -> tuple[TrialScores, list[Failed]]:
    """Read one person's trials, join those that can be, and score the joined recording trial by trial."""
    read: list[tuple[Trial, ImuBlock]] = []
    failed = []
    for trial in task.trials:
        try:
            block = read_recording(trial.path).block
        except ImuError as error:
            failed.append(Failed(str(trial.path), str(error)))
            continue
        if can_be_joined(trial, block):
            read.append((trial, block))
    if not read:
        return {}, failed
    session = join(read)
    counted = task.counters.count(session.block, TRIAL_REPETITIONS)
    return {name: scores_in_stream(session, one) for name, one in counted.items()}, failed


def scores_in_stream(session: JoinedSession, counted: CountedSets) -> list[TrialScore]:
    """Return the score of each trial of a joined session, and of the standing between them.

    A repetition belongs to the trial in which its turning point lies.
    """
    between = set(counted.repetitions)
    scores = []
    for one in session.trials:
        inside = tuple(r for r in counted.repetitions if one.start_s <= r.bottom_s < one.end_s)
        between -= set(inside)
        duration_s = one.end_s - one.start_s
        scores.append(_scored(one.trial, duration_s, CountedSets(duration_s, (inside,))))
    rest_s = counted.duration_s - sum(score.duration_s for score in scores)
    first = session.trials[0].trial
    ghosts = tuple(sorted(between, key=lambda repetition: repetition.start_s))
    standing = TrialScore(first.person, first.group, "standing between", "none", 0, max(0.0, rest_s), ghosts)
    return [*scores, standing]


def score_seed(seed: int, counters: Counters, *, apart: bool = False) -> SessionScores:
    """Simulate and score the random session of `seed`; see :func:`imu.simulate.random_session`."""
    simulated = simulate(*random_session(seed, apart=apart), seed)
    return _scores_of_session(simulated.block, simulated.truth, counters)


def score_recording(path: Path, counters: Counters) -> SessionScores | Failed:
    """Read and score one recording that has its truth beside it."""
    try:
        return _scores_of_session(read_recording(path).block, _read_truth(truth_path(path)), counters)
    except ImuError as error:
        return Failed(str(path), str(error))


def _scores_of_session(block: ImuBlock, truth: SessionTruth, counters: Counters) -> SessionScores:
    return {name: score_session(one, truth) for name, one in counters.count(block, SESSION_REPETITIONS).items()}


def recordings_with_truth(folder: Path) -> list[Path]:
    """Return the recordings in `folder` that have a truth beside them.

    Raises
    ------
    RecordingForeign
        If there is none.
    """
    found = [path for path in find_recordings([folder]) if truth_path(path).is_file()]
    if not found:
        raise RecordingForeign(
            f"{folder} has neither an index.csv nor a recording with its truth beside it (NAME.csv, NAME{TRUTH_SUFFIX})"
        )
    return found


def truth_path(recording: Path) -> Path:
    """Return where the truth of a recording is: NAME.truth.json for NAME.csv, NAME.csv.gz and NAME.parquet."""
    suffix = next((suffix for suffix in reversed(SUFFIXES) if recording.name.lower().endswith(suffix)), "")
    return recording.with_name(recording.name[: len(recording.name) - len(suffix)] + TRUTH_SUFFIX)


def _read_truth(path: Path) -> SessionTruth:
    try:
        return truth_from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise RecordingDamaged(f"{path} holds no session truth: {error}") from error
