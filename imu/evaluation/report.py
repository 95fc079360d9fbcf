"""An evaluation as a person reads it: the headline figures beside what is required, and the tables below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table

from imu.evaluation.sections import NAIVE, OURS
from imu.evaluation.set_scores import ERRORS, FalseFigures, SessionFigures, SessionReport
from imu.evaluation.trial_scores import ConfidenceBin, GhostFigures, TrialFigures, TrialReport

Report = TypeVar("Report", TrialReport, SessionReport)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Requirement(Generic[Report]):
    """One headline figure, and what the project requires of it."""

    name: str
    required: float
    at_least: bool
    figure: Callable[[Report], float | None]

    def is_met(self, report: Report) -> bool | None:
        """Whether the requirement is met; None if nothing was measured."""
        value = self.figure(report)
        if value is None:
            return None
        return value >= self.required if self.at_least else value <= self.required


def _adults_right(report: TrialReport) -> float | None:
    return report.by_group["adult"].repetitions.right if "adult" in report.by_group else None


TRIAL_REQUIREMENTS: tuple[Requirement[TrialReport], ...] = (
    Requirement("counted exactly once", 0.95, True, lambda r: r.all.repetitions.counted_once),
    Requirement("right pattern", 0.93, True, lambda r: r.all.repetitions.right),
    Requirement("right pattern, adults", 0.95, True, _adults_right),
    Requirement("ghosts per hour on the move", 2.0, False, lambda r: r.all.moving.ghosts_per_hour),
    Requirement("ghosts per trial of chair, car, lying", 0.35, False, lambda r: r.all.seated.ghosts_per_trial),
)
SESSION_REQUIREMENTS: tuple[Requirement[SessionReport], ...] = (
    Requirement("F1 of repetitions", 0.98, True, lambda r: r.all.f1),
    Requirement("right pattern", 0.98, True, lambda r: r.all.right),
    Requirement("sets exact", 0.92, True, lambda r: r.all.sets_exact),
    Requirement("announcement delay p95, s", 0.5, False, lambda r: r.all.delay_p95_s),
    Requirement("peak angle RMSE, °", 3.0, False, lambda r: r.all.errors["peak_angle_deg"].rmse),
    Requirement("hip drop RMSE, cm", 5.0, False, lambda r: r.all.errors["hip_drop_cm"].rmse),
    Requirement("drop RMSE against the sensor's own, cm", 5.0, False, lambda r: r.all.errors["sensor_drop_cm"].rmse),
)


def headline(requirements: Iterable[Requirement[Report]], reports: Mapping[str, Report]) -> dict[str, dict[str, Any]]:
    """Return each headline figure of each counter, what is required, and whether ours meets it."""
    return {
        one.name: {
            "required": one.required,
            "bound": "at least" if one.at_least else "at most",
            **{name: one.figure(report) for name, report in reports.items()},
            "met": one.is_met(reports[OURS]),
        }
        for one in requirements
    }


def print_headline(console: Console, title: str, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the headline figures."""
    table = _empty_table(console, title, "figure")
    counters = [name for name in (OURS, NAIVE) if all(name in row for row in figures.values())]
    for name in ("required", *counters):
        table.add_column(name, justify="right")
    table.add_column("")
    for name, row in figures.items():
        sign = "≥" if row["bound"] == "at least" else "≤"
        cells = [_number(row[counter], 3) for counter in counters]
        table.add_row(
            name,
            f"{sign} {row['required']:g}",
            *cells,
            {True: "met", False: "[red]missed[/red]", None: "–"}[row["met"]],
        )
    console.print(table)


def _empty_table(console: Console, title: str, head_of_labels: str) -> Table:
    """Print a title and return a table whose first column holds labels."""
    console.print(f"\n[bold]{title}[/bold]", highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(head_of_labels, no_wrap=True)
    return table


@dataclass(frozen=True, slots=True)
class _Column(Generic[Row]):
    """A column: its head, the text of a row's cell, and whether the naive script's stands beside it."""

    head: str
    cell: Callable[[Row], str]
    is_compared: bool = True


def _print_table(
    console: Console, title: str, rows: Mapping[str, Mapping[str, Row]], columns: Sequence[_Column[Row]]
) -> None:
    """Print the rows of our counter, by label, with the naive script's figures beside them where there are any."""
    table = _empty_table(console, title, "")
    cells: list[tuple[str, Callable[[Row], str]]] = []
    for column in columns:
        for name in rows if column.is_compared else [OURS]:
            table.add_column(column.head if name == OURS else f"[dim]{name}[/dim]", justify="right")
            cells.append((name, column.cell))
    for label in dict.fromkeys(label for of_one in rows.values() for label in of_one):
        table.add_row(label, *(cell(rows[name][label]) if label in rows[name] else "–" for name, cell in cells))
    console.print(table)


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _ghosts(figures: TrialFigures) -> GhostFigures:
    """Return the only kind of ghosts that the trials of one activity can have."""
    return next((kind for kind in (figures.moving, figures.seated) if kind.trials), figures.other)


_REPETITION_COLUMNS: tuple[_Column[TrialFigures], ...] = (
    _Column("reps", lambda f: str(f.repetitions.trials or "–"), is_compared=False),
    _Column("once", lambda f: _number(f.repetitions.counted_once)),
    _Column("right", lambda f: _number(f.repetitions.right)),
    _Column("wrong", lambda f: _number(f.repetitions.wrong), is_compared=False),
    _Column("unsure", lambda f: _number(f.repetitions.uncertain), is_compared=False),
)
_ACTIVITY_COLUMNS: tuple[_Column[TrialFigures], ...] = (
    *_REPETITION_COLUMNS,
    _Column("others", lambda f: str(_ghosts(f).trials or "–"), is_compared=False),
    _Column("ghosts", lambda f: str(_ghosts(f).ghosts) if _ghosts(f).trials else "–"),
    _Column("per hour", lambda f: _number(_ghosts(f).ghosts_per_hour, 1)),
    _Column("per trial", lambda f: _number(_ghosts(f).ghosts_per_trial)),
)
_PEOPLE_COLUMNS: tuple[_Column[TrialFigures], ...] = (
    *_REPETITION_COLUMNS,
    _Column("ghosts/h\nmoving", lambda f: _number(f.moving.ghosts_per_hour, 1)),
    _Column("ghosts/trial\nseated", lambda f: _number(f.seated.ghosts_per_trial)),
)


def print_trials(console: Console, reports: Mapping[str, TrialReport]) -> None:
    """Print the tables of trials: each activity, group and person, and how far the confidence can be believed."""
    activities = {name: report.by_activity for name, report in reports.items()}
    _print_table(console, "Activities", activities, _ACTIVITY_COLUMNS)
    _print_table(console, "Groups", {name: report.by_group for name, report in reports.items()}, _PEOPLE_COLUMNS)
    _print_table(console, "People", {name: report.by_person for name, report in reports.items()}, _PEOPLE_COLUMNS)
    _print_calibration(console, reports[OURS].calibration)


_VARIANT_COLUMNS: tuple[_Column[SessionFigures], ...] = (
    _Column("reps", lambda f: str(f.repetitions), is_compared=False),
    _Column("recall", lambda f: _number(f.recall)),
    _Column("right", lambda f: _number(f.right)),
    _Column("sets", lambda f: str(f.sets), is_compared=False),
    _Column("exact", lambda f: _number(f.sets_exact)),
    _Column("angle\nRMSE °", lambda f: _number(f.errors["peak_angle_deg"].rmse, 1)),
    _Column("drop\nbias cm", lambda f: _number(f.errors["hip_drop_cm"].bias, 1), is_compared=False),
    _Column("drop\nRMSE cm", lambda f: _number(f.errors["hip_drop_cm"].rmse, 1), is_compared=False),
    _Column("delay\np95 s", lambda f: _number(f.delay_p95_s), is_compared=False),
)
_FALSE_COLUMNS: tuple[_Column[FalseFigures], ...] = (
    _Column("times", lambda f: "–" if f.times is None else str(f.times), is_compared=False),
    _Column("false", lambda f: str(f.false)),
)


def print_sessions(console: Console, reports: Mapping[str, SessionReport]) -> None:
    """Print the tables of sessions: errors, each variant, what was counted falsely, and the confidence."""
    _print_summary(console, reports)
    _print_table(console, "Variants", {name: report.by_variant for name, report in reports.items()}, _VARIANT_COLUMNS)
    false = {name: report.false_by_daily for name, report in reports.items()}
    _print_table(console, "False repetitions, by what really happened", false, _FALSE_COLUMNS)
    _print_calibration(console, reports[OURS].calibration)


def _print_summary(console: Console, reports: Mapping[str, SessionReport]) -> None:
    """Print counts, and the error of each measured quantity."""
    for name, report in reports.items():
        figures = report.all
        console.print(
            f"{name}: {figures.matched} of {figures.repetitions} repetitions counted and {figures.false} false "
            f"(precision {_number(figures.precision, 3)}, recall {_number(figures.recall, 3)}); "
            f"uncertain {_number(figures.uncertain, 3)}; delay {_number(figures.delay_median_s)} s (median)",
            highlight=False,
        )
    table = _empty_table(console, "Errors, counted minus true", "")
    for name in reports:
        table.add_column(f"{name}: bias", justify="right")
        table.add_column("RMSE", justify="right")
    for error in ERRORS:
        measured = [report.all.errors[error] for report in reports.values()]
        table.add_row(error, *(_number(value, 3) for one in measured for value in (one.bias, one.rmse)))
    console.print(table)


def _print_calibration(console: Console, bins: Iterable[ConfidenceBin]) -> None:
    table = _empty_table(console, "How often the pattern is right, by the confidence given", "confidence")
    for head in ("repetitions", "mean", "right"):
        table.add_column(head, justify="right")
    for one in bins:
        table.add_row(
            f"{one.lower:g}–{one.upper:g}", str(one.repetitions), _number(one.mean_confidence), _number(one.right)
        )
    console.print(table)
