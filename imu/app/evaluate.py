"""``imu evaluate``: let our session count what is labelled, score it against the labels, print figures.

Three kinds of material: single-activity trials with an ``index.csv``, the same joined into one session per person, and
sessions with exact truth (simulated on the spot, or recordings with a ``NAME.truth.json`` beside them). With
``--baseline`` the naive script counts as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from imu.evaluation.report import (
    SESSION_REQUIREMENTS,
    TRIAL_REQUIREMENTS,
    headline,
    print_headline,
    print_sessions,
    print_trials,
)
from imu.app.fit import Trial, read_index
from imu.evaluation.sections import (
    FIRST_SEED,
    Counters,
    PersonTask,
    SessionScores,
    TrialScores,
    TrialTask,
    in_processes,
    judges_without,
    recordings_with_truth,
    score_joined,
    score_recording,
    score_seed,
    score_trial,
)
from imu.app.replay import Failed
from imu.evaluation.set_scores import report_sessions
from imu.evaluation.trial_scores import report_trials
from imu.errors import ImuError

PIPED_WIDTH = 130
"""Characters in a line when the output is no terminal."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found.

    Attributes
    ----------
    title : str
        Of what, in words.
    about : dict
        The same for programs.
    headline : dict
        Figures beside what is required.
    reports : dict
        All figures, by who counted.
    failed : list of Failed
        Recordings that could not be scored.
    show : callable
        Prints the tables.
    """

    title: str
    about: dict[str, Any]
    headline: dict[str, dict[str, Any]]
    reports: dict[str, dict[str, Any]]
    failed: list[Failed]
    show: Callable[[Console], None]


def run_evaluation(
    *,
    path: Path | None,
    people: str | None,
    as_json: bool,
    baseline: bool,
    held_out: bool,
    simulated: int | None,
    joined: bool,
    jobs: int,
    apart: bool = False,
) -> int:
    """Score, print, and return the exit code: 0, 1 if something could not be scored, 2 if the options do not fit.

    Parameters
    ----------
    path : Path or None
        Folder with an ``index.csv``, or with recordings that have a truth beside them.
    people : str or None
        The people to score, separated by commas; None for all.
    as_json : bool
        Print one JSON object instead of tables.
    baseline : bool
        Let the naive script count as well.
    held_out : bool
        Judge each person by weights fitted on everybody else.
    simulated : int or None
        Simulate this many random sessions instead of reading a folder.
    joined : bool
        Join each person's trials into one session.
    jobs : int
        Processes. The output does not depend on it.
    apart : bool
        Keep daily movements between the simulated sets.
    """
    chosen = [name.strip() for name in (people or "").split(",") if name.strip()]
    labelled = path is not None and (path / "index.csv").exists()
    if (path is None) == (simulated is None):
        return _complain("give either a folder with labelled recordings or --simulated N", 2)
    if simulated is not None and simulated < 1:
        return _complain(f"--simulated needs at least one session, got {simulated}", 2)
    if apart and simulated is None:
        return _complain("--apart goes with --simulated N", 2)
    if not labelled and (chosen or held_out or joined):
        return _complain("--people, --held-out and --joined need a folder with an index.csv", 2)
    try:
        if path is None or not labelled:
            evaluation = evaluate_sessions(path, simulated or 0, naive=baseline, jobs=jobs, apart=apart)
        else:
            evaluation = evaluate_trials(path, chosen, naive=baseline, held_out=held_out, joined=joined, jobs=jobs)
    except ImuError as error:
        return _complain(str(error), 1)
    for failed in evaluation.failed:
        _complain(f"{failed.name}: {failed.reason}", 1)
    if as_json:
        print(json.dumps(_as_dict(evaluation), allow_nan=False))
    else:
        console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
        print_headline(console, evaluation.title, evaluation.headline)
        evaluation.show(console)
    return 1 if evaluation.failed else 0


def _complain(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _as_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Return the evaluation ready for JSON."""
    failed = [{"recording": failed.name, "error": failed.reason} for failed in evaluation.failed]
    return {**evaluation.about, "headline": evaluation.headline, **evaluation.reports, "failed": failed}


def evaluate_trials(
    folder: Path, people: Sequence[str], *, naive: bool, held_out: bool, joined: bool, jobs: int
) -> Evaluation:
    """Score the trials of a folder's index, one by one or joined into one session per person.

    Raises
    ------
    ImuError
        If the index cannot be read, a person is not in it, or ``held_out`` and a trial cannot be read.
    """
    trials = _of_people(read_index(folder), people)
    names = list(dict.fromkeys(trial.person for trial in trials))
    judges = judges_without(names, folder) if held_out else {}
    counters = {name: Counters(judges.get(name), naive) for name in names}
    scores: TrialScores = {}
    failed: list[Failed] = []
    if joined:
        people_tasks = [
            PersonTask(tuple(trial for trial in trials if trial.person == name), counters[name]) for name in names
        ]
        for of_person, unread in in_processes(score_joined, people_tasks, jobs):
            failed += unread
            _extend(scores, of_person)
    else:
        tasks = [TrialTask(trial, counters[trial.person]) for trial in trials]
        for result in in_processes(score_trial, tasks, jobs):
            if isinstance(result, Failed):
                failed.append(result)
            else:
                _extend(scores, result)
    if not scores:
        raise ImuError(f"no trial in {folder} could be {'joined' if joined else 'read'}")
    reports = {name: report_trials(of_one) for name, of_one in scores.items()}
    scored = sum(score.activity != "standing between" for score in next(iter(scores.values())))
    judged = "each judged by a fit on all other people" if held_out else "judged by the fit that ships"
    return Evaluation(
        title=f"{scored} {'trials joined into sessions' if joined else 'trials'} of {len(names)} people, {judged}",
        about={
            "material": "joined trials" if joined else "trials",
            "path": str(folder),
            "people": names,
            "trials": scored,
            "held_out": held_out,
        },
        headline=headline(TRIAL_REQUIREMENTS, reports),
        reports={name: asdict(report) for name, report in reports.items()},
        failed=failed,
        show=partial(print_trials, reports=reports),
    )


def _of_people(trials: list[Trial], people: Sequence[str]) -> list[Trial]:
    """Return the trials of `people`, all if none are named."""
    known = list(dict.fromkeys(trial.person for trial in trials))
    unknown = [name for name in people if name not in known]
    if unknown:
        raise ImuError(f"not in the index: {', '.join(unknown)}; it has {', '.join(known)}")
    return [trial for trial in trials if not people or trial.person in people]


def _extend(scores: TrialScores, more: TrialScores) -> None:
    for name, of_one in more.items():
        scores.setdefault(name, []).extend(of_one)


def evaluate_sessions(
    folder: Path | None, simulated: int, *, naive: bool, jobs: int, apart: bool = False
) -> Evaluation:
    """Score the recordings in `folder` against the truths beside them, or as many `simulated` sessions.

    Raises
    ------
    ImuError
        If the folder has no such recording, or none that can be read.
    """
    counters = Counters(naive=naive)
    results: Sequence[SessionScores | Failed]
    if folder is None:
        seeds = range(FIRST_SEED, FIRST_SEED + simulated)
        results = in_processes(partial(score_seed, counters=counters, apart=apart), seeds, jobs)
        kind = "random simulated sessions, daily movements between sets," if apart else "random simulated sessions"
        title = f"{simulated} {kind} (seeds from {FIRST_SEED}, none of them used in the fit)"
    else:
        results = in_processes(partial(score_recording, counters=counters), recordings_with_truth(folder), jobs)
        title = f"{len(results)} recordings in {folder} with their truth"
    failed = [result for result in results if isinstance(result, Failed)]
    scored = [result for result in results if not isinstance(result, Failed)]
    if not scored:
        raise ImuError("; ".join(f"{one.name}: {one.reason}" for one in failed))
    reports = {name: report_sessions([of_session[name] for of_session in scored]) for name in scored[0]}
    return Evaluation(
        title=title,
        about={
            "material": "simulated sessions" if folder is None else "recordings with truth",
            "path": None if folder is None else str(folder),
            "sessions": len(scored),
        },
        headline=headline(SESSION_REQUIREMENTS, reports),
        reports={name: asdict(report) for name, report in reports.items()},
        failed=failed,
        show=partial(print_sessions, reports=reports),
    )
