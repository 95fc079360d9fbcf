"""An evaluation as a person reads it: one table of all figures beside their aims, and the details of a section.

`evaluate` is the same for a program: a table of pandas (`imu.evaluate`).

Each figure is a function of a `Report`. A row appears where at least one method has the figure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from imu.evaluation.data_sets import find_data_sets
from imu.evaluation.sections import NAIVE, Method, Section, Simulation, evaluate_data_set, methods
from imu.evaluation.trial_scores import EXERCISE_GROUPS, Figures, Report

if TYPE_CHECKING:
    import pandas as pd

Aims = dict[str, tuple[float | None, float | None]]
"""By the section: the aim with the person left out and the aim with the data set left out. None: there is no aim."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    name: str
    of: Callable[[Report], float | None]
    aims: Aims
    at_least: bool = True

    def is_met(self, section: Section, method: Method) -> bool | None:
        """Whether a method meets its aim; None if there is no aim or no figure."""
        for_person, for_data_set = self.aims.get(section.name, (None, None))
        either = for_data_set if for_person is None else for_person
        aim = {Method.PERSON_LEFT_OUT: for_person, Method.DATA_SET_LEFT_OUT: for_data_set}.get(method, either)
        value = self.of(section.reports[method])
        if method in NAIVE or aim is None or value is None:
            return None
        return value >= aim if self.at_least else value <= aim

    def aims_in_words(self, section: Section) -> str:
        """Return the aims for the table, the same aim once."""
        aims = dict.fromkeys(aim for aim in self.aims.get(section.name, ()) if aim is not None)
        return "; ".join(f"{'≥' if self.at_least else '≤'} {aim:g}" for aim in aims)


def _group(name: str) -> Callable[[Report], float | None]:
    def right(report: Report) -> float | None:
        groups = report.by.get("group", {})
        return groups[name].singles.right if name in groups else None

    return right


def _exercises(name: str) -> Callable[[Report], float | None]:
    def recall(report: Report) -> float | None:
        groups = report.by.get("group of exercises", {})
        return groups[name].sets.recall if name in groups else None

    return recall


def _counted_per_true(report: Report) -> float | None:
    sets = report.all.sets
    return sets.counted / sets.repetitions if sets.repetitions else None


def _error(name: str, part: str) -> Callable[[Report], float | None]:
    return lambda r: getattr(r.all.sets.errors[name], part)


def _simulated(standing: float, touch_and_go: float | None) -> Aims:
    aims = {Simulation.STANDING: standing, Simulation.APART: standing, Simulation.TOUCH_AND_GO: touch_and_go}
    return {kind: (aim, None) for kind, aim in aims.items()}


def _sisfall(alone: float | None, joined: float | None) -> Aims:
    return {"sisfall": (alone, None), "sisfall joined": (joined, None)}


def _daily_life(aim: float) -> Aims:
    return {"daily_life_20hz": (None, aim)}


FIGURES = (
    Figure("single repetitions counted once", lambda r: r.all.singles.counted_once, _sisfall(0.97, 0.96)),
    Figure("single repetitions, recall", lambda r: r.all.singles.recall, {}),
    Figure("single repetitions, right pattern", lambda r: r.all.singles.right, _sisfall(0.95, 0.94)),
    Figure("  of adults", _group("adult"), _sisfall(0.97, None)),
    Figure("  of people over 60", _group("elderly"), {}),
    Figure("lone ghosts per hour", lambda r: r.all.daily_life.lone_per_hour, _daily_life(3.0), False),
    Figure("ghosts in sets per hour", lambda r: r.all.daily_life.in_sets_per_hour, _daily_life(0.5), False),
    Figure("ghosts per hour on the move", lambda r: r.all.moving.per_hour, _sisfall(None, 0.5), False),
    Figure("ghosts per seated trial", lambda r: r.all.seated.per_trial, _sisfall(None, 0.08), False),
    Figure("sets exact", lambda r: r.all.sets.exact, {"squat_sets": (0.97, 0.94), **_simulated(0.95, 0.94)}),
    Figure("sets within one repetition", lambda r: r.all.sets.within_one, {"squat_sets": (1.0, 0.97)}),
    Figure("repetitions counted / true", _counted_per_true, {}),
    Figure("recall", lambda r: r.all.sets.recall, {}),
    Figure("precision", lambda r: r.all.sets.precision, {}),
    Figure("F1", lambda r: r.all.sets.f1, _simulated(0.99, 0.985)),
    Figure("right pattern of all repetitions", lambda r: r.all.sets.right_of_all, {"squat_sets": (0.96, 0.96)}),
    Figure("right pattern of counted repetitions", lambda r: r.all.sets.right, _simulated(0.985, 0.98)),
    Figure("false repetitions per hour", lambda r: r.all.sets.false_per_hour, _simulated(5.0, None), False),
    *(Figure(f"recall of {name}", _exercises(name), _simulated(0.97, 0.97)) for name in EXERCISE_GROUPS),
    Figure("announced after the end, p95, s", lambda r: r.all.sets.delay_p95_s, _simulated(0.3, 0.3), False),
    Figure("first repetitions announced on time", lambda r: r.all.sets.first_on_time, _simulated(0.9, 0.9)),
    Figure("peak angle RMSE, °", _error("peak_angle_deg", "rmse"), _simulated(2.5, 2.5), False),
    Figure("hip drop RMSE, cm", _error("hip_drop_cm", "rmse"), _simulated(4.0, 4.0), False),
    Figure("start error p95, s", _error("start_s", "p95"), _simulated(0.25, 0.25), False),
    Figure("end error p95, s", _error("end_s", "p95"), _simulated(0.25, 0.25), False),
    Figure("expected calibration error", lambda r: r.reliability.expected_calibration_error, {}, False),
)
"""The aims are those of the project's task "Every real set, exact"."""


def rows(section: Section) -> list[dict[str, Any]]:
    """Return the rows of a section that have a figure, ready for JSON."""
    return [
        {
            "section": section.name,
            "figure": figure.name.strip(),
            "aim": figure.aims_in_words(section) or None,
            **{str(method): figure.of(report) for method, report in section.reports.items()},
            "met": {str(method): figure.is_met(section, method) for method in section.reports if method not in NAIVE},
        }
        for figure in FIGURES
        if any(figure.of(report) is not None for report in section.reports.values())
    ]


def as_dict(sections: Sequence[Section]) -> dict[str, Any]:
    """Return everything, ready for JSON."""
    return {
        "table": [row for section in sections for row in rows(section)],
        "sections": [
            {
                "name": section.name,
                "about": section.about,
                "in_no_fit": {str(method): people for method, people in section.in_no_fit.items()},
                "reports": {str(method): asdict(report) for method, report in section.reports.items()},
            }
            for section in sections
        ],
        "failed": [asdict(failure) for section in sections for failure in section.failures],
    }


def lines_about(sections: Sequence[Section]) -> list[str]:
    """Return the scored sections, a line each, and whose left-out weights are the shipped ones."""
    lines = []
    for section in sections:
        lines.append(f"{section.name}: {section.about}")
        for method, people in section.in_no_fit.items():
            if people:
                names = ", ".join(people) or section.name
                lines.append(f"  {method}: in no fit, so that the shipped weights count: {names}")
    return lines


def main_table(sections: Sequence[Section]) -> Table:
    """Return the table of all figures."""
    columns = [method for method in Method if any(method in section.reports for section in sections)]
    table = _table("", "aim", *columns)
    for section in sections:
        table.add_row(section.name)
        for row in rows(section):
            missed = {method: " missed" for method in columns if row["met"].get(method) is False}
            cells = [_number(row.get(method), 3) + missed.get(method, "") for method in columns]
            table.add_row(f"  {row['figure']}", row["aim"] or "", *cells)
    return table


def detail_tables(section: Section) -> list[Table]:
    """Return the tables of one section, of its first method: each activity, person or exercise, and the confidence."""
    report = next(iter(section.reports.values()))
    tables = [_by_label(label, parts) for label, parts in report.by.items() if parts]
    if report.all.sets.matched:
        tables.append(_errors(report))
    if report.false:
        table = _table("false repetitions, by what really happened", "times", "false")
        for name, false in report.false.items():
            table.add_row(name, "–" if false.times is None else str(false.times), str(false.false))
        tables.append(table)
    table = _table("confidence in the pattern", "repetitions", "stated", "right")
    for one in report.reliability.bins:
        stated, right = _number(one.mean_confidence), _number(one.right)
        table.add_row(f"{one.lower:g}–{one.upper:g}", str(one.repetitions), stated, right)
    return [*tables, table]


_COLUMNS: dict[str, Callable[[Figures], float | None]] = {
    "single": lambda f: f.singles.trials or None,
    "once": lambda f: f.singles.counted_once,
    "right": lambda f: f.singles.right,
    "wrong": lambda f: f.singles.wrong,
    "unsure": lambda f: f.singles.uncertain,
    "daily": lambda f: f.daily_life.trials or None,
    "lone\nghosts": lambda f: f.daily_life.lone if f.daily_life.trials else None,
    "in\nsets": lambda f: f.daily_life.in_sets if f.daily_life.trials else None,
    "per\nhour": lambda f: f.daily_life.per_hour,
    "per\ntrial": lambda f: f.daily_life.per_trial,
    "sets": lambda f: f.sets.sets or None,
    "exact": lambda f: f.sets.exact,
    "within\none": lambda f: f.sets.within_one,
    "true\nreps": lambda f: f.sets.repetitions or None,
    "counted": lambda f: f.sets.counted if f.sets.sets else None,
    "recall": lambda f: f.sets.recall,
    "pattern\nright": lambda f: f.sets.right,
    "angle\nRMSE °": lambda f: f.sets.errors["peak_angle_deg"].rmse,
    "drop\nRMSE cm": lambda f: f.sets.errors["hip_drop_cm"].rmse,
    "delay\np95 s": lambda f: f.sets.delay_p95_s,
}


def _by_label(label: str, parts: Mapping[str, Figures]) -> Table:
    """Return the table of all parts with the columns that any of them fills."""
    columns = {head: of for head, of in _COLUMNS.items() if any(of(figures) is not None for figures in parts.values())}
    table = _table(f"by {label}", *columns)
    for name, figures in parts.items():
        table.add_row(name, *(_number(of(figures)) for of in columns.values()))
    return table


def _errors(report: Report) -> Table:
    table = _table("errors, counted minus true", "bias", "RMSE", "p95 of size")
    for name, error in report.all.sets.errors.items():
        if error.rmse is not None:
            table.add_row(name, *(_number(value, 3) for value in (error.bias, error.rmse, error.p95)))
    return table


def _table(title: str, *heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(title, no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right")
    return table


def _number(value: float | None, digits: int = 2) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def evaluate(
    folder: str | os.PathLike[str],
    *,
    people: Sequence[str] = (),
    held_out: bool = False,
    baseline: bool = False,
    jobs: int = 1,
) -> pd.DataFrame:
    """Score the counting against labelled recordings, as ``imu evaluate`` does.

    Parameters
    ----------
    folder : path
        Recordings with labels: ``NAME.truth.json`` beside each, or ``index.csv``; or a folder of such data sets.
    people : sequence of str
        Score only these people.
    held_out : bool
        Count with weights fitted without the person, and without the data set.
    baseline : bool
        Also score two naive counters.
    jobs : int
        Number of processes.

    Returns
    -------
    DataFrame
        One row for each data set and figure: ``data_set``, ``figure``, ``aim``, then a column for each method.
        ``.attrs["failed"]`` has path and reason of each recording that could not be scored.

    Raises
    ------
    ImuError
        If there is nothing to score.

    Examples
    --------
    >>> import imu
    >>> scores = imu.evaluate("recordings").set_index("figure")
    >>> float(scores.loc["recall", "ours"])
    1.0
    """
    import pandas as pd  # noqa: PLC0415  slow to import

    counters = methods(held_out=held_out, baseline=baseline)
    sections = [evaluate_data_set(data, counters, jobs) for data in find_data_sets(Path(folder), list(people))]
    table = pd.DataFrame([row for section in sections for row in rows(section)]).drop(columns="met")
    table.attrs["failed"] = [
        (failure.recording, failure.reason) for section in sections for failure in section.failures
    ]
    return table.rename(columns={"section": "data_set"})
