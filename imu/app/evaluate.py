"""``imu evaluate``: choose what to score, score it with `imu.evaluation`, and print the figures."""

from __future__ import annotations

from pathlib import Path

from imu.app.output import complain, console_for_people, print_object, print_parts
from imu.errors import ImuError
from imu.evaluation.data_sets import find_data_sets
from imu.evaluation.report import as_dict, detail_tables, lines_about, main_table
from imu.evaluation.sections import (
    Section,
    Simulation,
    evaluate_data_set,
    evaluate_joined,
    evaluate_simulated,
    holds_joinable,
    methods,
)


def run_evaluation(
    path: str | None,
    *,
    people: str | None = None,
    as_json: bool = False,
    baseline: bool = False,
    held_out: bool = False,
    joined: bool = False,
    simulated: int = 0,
    apart: bool = False,
    continuous: bool = False,
    jobs: int = 1,
) -> int:
    """Score and print; return the number of recordings that could not be scored.

    Parameters
    ----------
    path : str or None
        Folder of one data set or of several; None for simulated sessions only.
    people : str or None
        The people to score, separated by commas; None for all.
    as_json : bool
        Print one JSON object instead of tables.
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
        Number of processes; the output does not depend on it.

    Raises
    ------
    ImuError
        If there is nothing to score.
    """
    chosen = methods(held_out=held_out, baseline=baseline)
    names = [name.strip() for name in (people or "").split(",") if name.strip()]
    data_sets = [] if path is None else find_data_sets(Path(path), names)
    sections: list[Section] = []
    for data_set in data_sets:
        sections.append(evaluate_data_set(data_set, chosen, jobs))
        if joined and holds_joinable(data_set):
            sections.append(evaluate_joined(data_set, chosen, jobs))
    if joined and len(sections) == len(data_sets):
        raise ImuError(f"{path} has no single repetitions that can be joined")
    if simulated:
        standing = Simulation.APART if apart else Simulation.STANDING
        kinds = [standing, Simulation.TOUCH_AND_GO] if continuous else [standing]
        sections += [evaluate_simulated(simulated, chosen, jobs, kind) for kind in kinds]
    failures = [failure for section in sections for failure in section.failures]
    for failure in failures:
        complain(f"{failure.recording}: {failure.reason}")
    if as_json:
        print_object(as_dict(sections))
    else:
        details = detail_tables(sections[0]) if len(sections) == 1 else []
        print_parts(console_for_people(), *lines_about(sections), "", main_table(sections), *details)
    return len(failures)
