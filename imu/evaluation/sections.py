"""The sections of an evaluation: each is labelled material, counted by every method and scored.

A section is a data set recording by recording, a data set joined into one stream per person, or simulated sessions.
Every task reads or simulates one piece, lets each method count in it, and scores it; tasks run in one process or in
several, in the order of the material. A recording that cannot be read becomes a `Failure`; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from imu.errors import ImuError
from imu.evaluation.counters import (
    CountedSets,
    Kind,
    count,
    count_by_height,
    count_by_tilt,
    held_out_judge,
    held_out_weights,
)
from imu.evaluation.data_sets import (
    NONE,
    DataSet,
    JoinedSession,
    Trial,
    find_data_sets,
    is_standing,
    join,
    may_be_joined,
    truth_of_session,
)
from imu.evaluation.trial_scores import Report, TrialScore, report, score_trial
from imu.recordings.recording import read_recording
from imu.report.replay import end_with_parent
from imu.samples import ImuBlock
from imu.virtual.person import Lifter, PlanItem, Sensor, random_continuous_session, random_session, simulate

FIRST_SEED = 10_000
"""Simulated sessions have seeds from here on; fits use those from 0."""

STANDING_BETWEEN = "standing between"
"""The activity between the trials of a joined stream."""

Item = TypeVar("Item")
Output = TypeVar("Output")


class Method(StrEnum):
    """The counter, named as in the head of its column."""

    SHIPPED = "ours"
    PERSON_LEFT_OUT = "person left out"
    DATA_SET_LEFT_OUT = "data set left out"
    TILT = "naive tilt"
    VERTICAL = "naive vertical"


class Simulation(StrEnum):
    """A kind of random simulated sessions."""

    STANDING = "simulated"
    APART = "simulated apart"
    TOUCH_AND_GO = "simulated touch-and-go"


DRAWN: dict[Simulation, Callable[[int], tuple[list[PlanItem], Lifter, Sensor]]] = {
    Simulation.STANDING: random_session,
    Simulation.APART: partial(random_session, apart=True),
    Simulation.TOUCH_AND_GO: random_continuous_session,
}
"""The plans: standing between repetitions, the same with daily movements between the sets only, and touch-and-go."""
LEFT_OUT: dict[Method, Kind] = {Method.PERSON_LEFT_OUT: "person", Method.DATA_SET_LEFT_OUT: "data set"}
NAIVE = {Method.TILT: count_by_tilt, Method.VERTICAL: count_by_height}

Scores = dict[Method, list[TrialScore]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A recording that could not be scored, and why, in one sentence."""

    recording: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one task."""

    scores: Scores
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One part of an evaluation.

    Attributes
    ----------
    name : str
        The data set, or the kind of simulated session.
    about : str
        The scored recordings, in words.
    reports : dict of Method to Report
        The figures of each method.
    failures : tuple of Failure
        Recordings that could not be scored.
    in_no_fit : dict of Method to tuple of str
        People whom no fit has seen, so that the shipped weights are as good as left-out ones.
    """

    name: str
    about: str
    reports: dict[Method, Report]
    failures: tuple[Failure, ...] = ()
    in_no_fit: dict[Method, tuple[str, ...]] = field(default_factory=dict)


def evaluate(
    path: str | None,
    *,
    people: str | None = None,
    baseline: bool = False,
    held_out: bool = False,
    joined: bool = False,
    simulated: int = 0,
    apart: bool = False,
    continuous: bool = False,
    jobs: int = 1,
) -> list[Section]:
    """Score data sets and simulated sessions, a section for each.

    Parameters
    ----------
    path : str or None
        Folder of one data set or of several; None for simulated sessions only.
    people : str or None
        The people to score, separated by commas; None for all.
    baseline : bool
        Also score the naive counters.
    held_out : bool
        Count with weights fitted without the person, and without the data set.
    joined : bool
        Also join the recordings of each person into one stream.
    simulated : int
        Also simulate this many sessions.
    apart : bool
        Keep daily movements between the simulated sets.
    continuous : bool
        Also simulate this many sessions of touch-and-go sets.
    jobs : int
        Number of processes; the result does not depend on it.

    Raises
    ------
    ImuError
        If there is nothing to score.
    """
    counters = methods(held_out=held_out, baseline=baseline)
    names = [name.strip() for name in (people or "").split(",") if name.strip()]
    data_sets = [] if path is None else find_data_sets(Path(path), names)
    sections: list[Section] = []
    for data_set in data_sets:
        sections.append(evaluate_data_set(data_set, counters, jobs))
        if joined and holds_joinable(data_set):
            sections.append(evaluate_joined(data_set, counters, jobs))
    if joined and len(sections) == len(data_sets):
        raise ImuError(f"{path} has no single repetitions that can be joined")
    if simulated:
        standing = Simulation.APART if apart else Simulation.STANDING
        kinds = [standing, Simulation.TOUCH_AND_GO] if continuous else [standing]
        sections += [evaluate_simulated(simulated, counters, jobs, kind) for kind in kinds]
    return sections


def methods(*, held_out: bool, baseline: bool) -> tuple[Method, ...]:
    """Return the methods of an evaluation."""
    return (*(LEFT_OUT if held_out else (Method.SHIPPED,)), *(NAIVE if baseline else ()))


def holds_joinable(data_set: DataSet) -> bool:
    """Whether a data set has single repetitions that may be joined into a stream."""
    return any(trial.pattern != NONE and may_be_joined(trial) for trial in data_set.trials)


def evaluate_data_set(data_set: DataSet, counters: Sequence[Method], jobs: int) -> Section:
    """Score each recording of a data set on its own.

    Raises
    ------
    ImuError
        If no recording can be read, or held-out weights are asked for and missing.
    """
    in_no_fit = _in_no_fit(data_set, counters)
    task = partial(_score_recording, data_set=data_set.name, counters=counters)
    results = in_processes(task, data_set.trials, jobs)
    about = f"{len(data_set.trials)} recordings" + (f" of {len(data_set.people)} people" if data_set.people else "")
    return _section(data_set.name, about, results, in_no_fit)


def evaluate_joined(data_set: DataSet, counters: Sequence[Method], jobs: int) -> Section:
    """Score each person's single repetitions and daily life, joined into one stream.

    Raises
    ------
    ImuError
        If no recording can be joined, or held-out weights are asked for and missing.
    """
    in_no_fit = _in_no_fit(data_set, counters)
    streams = [tuple(trial for trial in data_set.trials if trial.person == person) for person in data_set.people]
    results = in_processes(partial(_score_joined, data_set=data_set.name, counters=counters), streams, jobs)
    about = f"recordings of {len(streams)} people that start and end standing, one stream for each person"
    return _section(f"{data_set.name} joined", about, results, in_no_fit)


def evaluate_simulated(sessions: int, counters: Sequence[Method], jobs: int, kind: Simulation) -> Section:
    """Score random simulated sessions that no fit has seen, by the shipped weights."""
    shipped = tuple(dict.fromkeys(Method.SHIPPED if method in LEFT_OUT else method for method in counters))
    seeds = range(FIRST_SEED, FIRST_SEED + sessions)
    results = in_processes(partial(_score_simulated, counters=shipped, kind=kind), seeds, jobs)
    return _section(kind, f"{sessions} random sessions (seeds from {FIRST_SEED}, in no fit)", results)


def _in_no_fit(data_set: DataSet, counters: Sequence[Method]) -> dict[Method, tuple[str, ...]]:
    """Return for each method with left-out weights the people that no fit has seen."""
    return {
        method: tuple(
            person
            for person in data_set.people or [""]
            if held_out_weights(data_set.name, person, LEFT_OUT[method]) is None
        )
        for method in counters
        if method in LEFT_OUT
    }


def _section(
    name: str, about: str, results: Sequence[Result], in_no_fit: dict[Method, tuple[str, ...]] | None = None
) -> Section:
    """Gather the results of the tasks of a section."""
    scores: Scores = {}
    for result in results:
        for method, trials in result.scores.items():
            scores.setdefault(method, []).extend(trials)
    failures = tuple(failure for result in results for failure in result.failures)
    if not scores:
        raise ImuError(f"{name}: no recording could be scored" + (f": {failures[0].reason}" if failures else ""))
    reports = {method: report(trials) for method, trials in scores.items()}
    return Section(name, about, reports, failures, in_no_fit or {})


def in_processes(task: Callable[[Item], Output], items: Sequence[Item], jobs: int) -> list[Output]:
    """Return the result of `task` for each item, in order; the number of processes changes nothing but the time."""
    if jobs <= 1 or len(items) <= 1:
        return [task(item) for item in items]
    try:
        with ProcessPoolExecutor(min(jobs, len(items)), get_context("spawn"), end_with_parent) as pool:
            return list(pool.map(task, items, chunksize=max(1, len(items) // (20 * jobs))))
    except BrokenProcessPool as error:
        raise ImuError("a process that scored recordings died: memory may be short, use fewer --jobs") from error


# --- tasks; each is one piece of material ----------------------------------------------------------------------------


def _count(method: Method, block: ImuBlock, data_set: str = "", person: str = "") -> CountedSets:
    """Let a method count."""
    if method in NAIVE:
        return NAIVE[method](block)
    return count(block, held_out_judge(data_set, person, LEFT_OUT[method]) if method in LEFT_OUT else None)


def _score_recording(trial: Trial, data_set: str, counters: Sequence[Method]) -> Result:
    try:
        block = read_recording(trial.path).block
    except ImuError as error:
        return Result({}, (Failure(str(trial.path), str(error)),))
    return Result({method: [score_trial(trial, _count(method, block, data_set, trial.person))] for method in counters})


def _score_simulated(seed: int, counters: Sequence[Method], kind: Simulation) -> Result:
    simulated = simulate(*DRAWN[kind](seed), seed)
    truth = truth_of_session(simulated.truth)
    trial = Trial(Path(f"seed {seed}"), "", "", "session", "", len(truth.repetitions), truth)
    return Result({method: [score_trial(trial, _count(method, simulated.block))] for method in counters})


def _score_joined(trials: Sequence[Trial], data_set: str, counters: Sequence[Method]) -> Result:
    """Read one person's trials, join those that can be joined, and score the stream trial by trial."""
    joinable, failures = [], []
    for trial in trials:
        if not may_be_joined(trial):
            continue
        try:
            block = read_recording(trial.path).block
        except ImuError as error:
            failures.append(Failure(str(trial.path), str(error)))
            continue
        if is_standing(block):
            joinable.append((trial, block))
    if not joinable:
        return Result({}, tuple(failures))
    stream = join(joinable)
    person = stream.trials[0].trial.person
    scores = {method: scores_in_stream(stream, _count(method, stream.block, data_set, person)) for method in counters}
    return Result(scores, tuple(failures))


def scores_in_stream(stream: JoinedSession, counted: CountedSets) -> list[TrialScore]:
    """Return the score of each trial of a joined stream, and of the standing between them.

    A repetition belongs to the trial in which its turning point lies.
    """
    between = set(counted.announced)
    scores = []
    for trial in stream.trials:
        inside = tuple(r for r in counted.announced if trial.start_s <= r.bottom_s < trial.end_s)
        between -= set(inside)
        scores.append(TrialScore(trial.trial, trial.end_s - trial.start_s, inside))
    rest_s = max(0.0, counted.duration_s - sum(score.duration_s for score in scores))
    first = stream.trials[0].trial
    standing = replace(first, activity=STANDING_BETWEEN, pattern=NONE, repetitions=0)
    return [*scores, TrialScore(standing, rest_s, tuple(sorted(between, key=lambda r: r.start_s)))]
