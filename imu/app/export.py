"""Stored sessions, with their corrections -> files for other programs and for people.

CSV, Parquet and JSON are written here, FIT by `fit_file`, and :mod:`imu.report.html_report` makes a report to read. CSV
and Parquet have one row for each repetition:

======================== ======= =============================================================================
column                   type    what
======================== ======= =============================================================================
session                  integer number of the session
trained_at               time    start of the recording, or when it was saved if that is not known; UTC
recording                text    name of the recording's file; its folder stays with the person
set                      integer number of the set in the session, from 1
repetition               integer number of the repetition in the set, from 1
pattern                  text    squat, hinge or uncertain, as corrected
measured_pattern         text    as measured; empty if nothing was measured
confidence               number  probability that the measured pattern is right
added                    boolean true if the person added it
exercise                 text    name of the exercise that the person entered, else the planned one
load_kg                  number  load that the person entered, else the planned one, kg
load_unit                text    kg or lb: the unit in which the person writes the load
planned_exercise         text    name of the exercise that was planned before the set
planned_load_kg          number  load that was planned, kg
planned_repetitions      integer repetitions that were planned for the set
note                     text    the person's note on the repetition
set_note                 text    the person's note on the set
start_s                  number  leaving standing, s on the recording's own clock
bottom_s                 number  turning point, s
end_s                    number  standing again, s
trunk_angle_deg          number  peak forward tilt of the pelvis away from quiet standing, degrees
hip_drop_m               number  how far the hip joint sank, m
eccentric_s              number  way down, s
pause_s                  number  rest at the turning point, s
concentric_s             number  way up, s
mean_concentric_velocity_m_s number mean upward velocity of the hip on the way up, m/s
peak_concentric_velocity_m_s number largest upward velocity of the hip on the way up, m/s
angle_at_bottom_deg      number  tilt at the lowest point of the hip, degrees
sideways_tilt_deg        number  largest tilt out of the sagittal plane, left positive, degrees
turn_deg                 number  turn about the vertical from start to end, left positive, degrees
trunk_lead_s             number  time from the tilt of the trunk to the drop of the hip, s; positive is hips first
hip_drop_from            text    standing, or top: the top of a touch-and-go repetition may lie below standing
======================== ======= =============================================================================

A cell is empty where nothing was measured or entered. A repetition that the person deleted has no row.

In CSV, a text that a spreadsheet would run as a formula (one that begins with ``=``, ``+``, ``-``, ``@``, a tab or a
line break) gets an apostrophe in front. Parquet and JSON keep every text as it is.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from imu.atomic_files import new_file, write_bytes
from imu.errors import FileThere, NotWritten, needs_extra
from imu.report.cues import Figures
from imu.report.html_report import Selection, html_report
from imu.report.objects import FIGURES, figure, stored_object
from imu.report.session_view import RepetitionView, SessionView, SetView, view_of_stored
from imu.report.words import file_name_of
from imu.store import PlannedSet, SessionStore, StoredSession

Cell = int | float | bool | str | datetime | None
CellOf = Callable[[SessionView, SetView, RepetitionView], Cell]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet runs a cell that begins with one of these (OWASP, CSV injection)."""


def _figure(figure_of: Callable[[Figures], Cell]) -> CellOf:
    return lambda _, __, one: None if one.figures is None else figure_of(one.figures)


def _rounded_figure(name: str) -> CellOf:
    return _figure(lambda figures: figure(figures, name))


def _planned(cell_of: Callable[[PlannedSet], Cell]) -> CellOf:
    return lambda _, one_set, __: None if one_set.planned is None else cell_of(one_set.planned)


def _load_of(one_set: SetView, one: RepetitionView) -> tuple[float | None, str | None]:
    """Return the load of a repetition, its own or else that of its set, and the unit in which the person writes it."""
    whose = one_set if one.load_kg is None else one
    return (None, None) if whose.load_kg is None else (_kg(whose.load_kg), "lb" if whose.load_in_lb else "kg")


def _kg(load_kg: float | None) -> float | None:
    return None if load_kg is None else round(load_kg, 3)


COLUMNS: dict[str, tuple[type, CellOf]] = {
    "session": (int, lambda view, _, __: view.id),
    "trained_at": (datetime, lambda view, _, __: view.started_at or view.saved_at),
    "recording": (str, lambda view, _, __: file_name_of(view.recording)),
    "set": (int, lambda _, one_set, __: one_set.number),
    "repetition": (int, lambda _, __, one: one.number),
    "pattern": (str, lambda _, __, one: one.pattern.value),
    "measured_pattern": (str, _figure(lambda figures: figures.pattern.value)),
    "confidence": (float, _figure(lambda figures: round(figures.confidence, 3))),
    "added": (bool, lambda _, __, one: one.added),
    "exercise": (str, lambda _, one_set, one: one_set.exercise if one.exercise is None else one.exercise),
    "load_kg": (float, lambda _, one_set, one: _load_of(one_set, one)[0]),
    "load_unit": (str, lambda _, one_set, one: _load_of(one_set, one)[1]),
    "planned_exercise": (str, _planned(lambda planned: planned.exercise)),
    "planned_load_kg": (float, _planned(lambda planned: _kg(planned.load_kg))),
    "planned_repetitions": (int, _planned(lambda planned: planned.repetitions)),
    "note": (str, lambda _, __, one: one.note),
    "set_note": (str, lambda _, one_set, __: one_set.note),
    "start_s": (float, lambda _, __, one: round(one.start_s, 3)),
    "bottom_s": (float, _figure(lambda figures: round(figures.bottom_s, 3))),
    "end_s": (float, lambda _, __, one: round(one.end_s, 3)),
    **{name: (float, _rounded_figure(name)) for name in FIGURES},
    "hip_drop_from": (str, _figure(lambda figures: figures.hip_drop_from)),
}
"""Name -> type and the function that makes a cell. A test compares the names with the table above."""


def rows(sessions: Iterable[StoredSession]) -> Iterator[tuple[Cell, ...]]:
    """Give a row for each repetition that counts, with a cell for each of `COLUMNS`."""
    for stored in sessions:
        view = view_of_stored(stored)
        for one_set in view.sets:
            for repetition in one_set.repetitions:
                yield tuple(cell_of(view, one_set, repetition) for _, cell_of in COLUMNS.values())


def write_csv(sessions: Iterable[StoredSession], path: Path) -> None:
    """Write the rows in UTF-8, below a line of names."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([_csv_text(cell) for cell in row] for row in rows(sessions))


def _csv_text(cell: Cell) -> Cell:
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="seconds")
    if isinstance(cell, bool):
        return str(cell).lower()
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def write_parquet(sessions: Iterable[StoredSession], path: Path) -> None:
    """Write the rows of the CSV as typed columns.

    Raises
    ------
    ExtraMissing
        If pyarrow is not installed.
    """
    with needs_extra("parquet", "Parquet needs pyarrow"):
        import pyarrow  # noqa: PLC0415  an extra
        from pyarrow import parquet  # noqa: PLC0415
    types = {
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
        str: pyarrow.string(),
        datetime: pyarrow.timestamp("us", tz="UTC"),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, (kind, _) in COLUMNS.items()])
    columns = zip(*rows(sessions), strict=True)
    values = list(columns) or [()] * len(COLUMNS)
    parquet.write_table(pyarrow.table([list(column) for column in values], schema=schema), path)


def write_json(sessions: Iterable[StoredSession], path: Path) -> None:
    """Write an array with the object of ``imu review --json`` for each session, the recording without its folder."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        named = (stored_object(session) | {"recording": file_name_of(session.source)} for session in sessions)
        objects = (json.dumps(one, ensure_ascii=False, allow_nan=False) for one in named)
        file.write("[" + ",\n ".join(objects) + "]\n")


# --- files ------------------------------------------------------------------------------------------------------------


class Format(StrEnum):
    """The formats of an export. The value is also the ending of the file name."""

    CSV = "csv"
    """A row for each repetition."""
    PARQUET = "parquet"
    """The same rows, typed."""
    JSON = "json"
    """An array with the objects that ``imu review --json`` prints."""
    FIT = "fit"
    """A strength training for sports sites; one file for each session."""
    HTML = "html"
    """A report to read and print."""


def export_sessions(
    sessions: Sequence[StoredSession], form: Format, out: Path, *, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write sessions to a file; return the files that were written.

    Parameters
    ----------
    sessions : sequence of StoredSession
        At least one.
    form : Format
        The format; a report is written by `write_report`.
    out : Path
        The file. Several sessions as FIT need a folder, in which each file is named after its session.
    overwrite : bool
        Whether existing files may be replaced.

    Raises
    ------
    ValueError
        If there are no sessions, or the format is that of a report.
    FileThere
        If a file exists and must not be overwritten.
    NotWritten
        If a file cannot be written.
    ExtraMissing
        If the format needs a library that is not installed: pyarrow for Parquet, fit-tool for FIT.
    """
    if not sessions or form is Format.HTML:
        raise ValueError(f"there is no session to export as {form}")
    if form is Format.FIT:
        return _export_fit(sessions, out, overwrite=overwrite)
    with new_file(out, overwrite=overwrite) as temporary:
        match form:
            case Format.CSV:
                write_csv(sessions, temporary)
            case Format.PARQUET:
                write_parquet(sessions, temporary)
            case Format.JSON:
                write_json(sessions, temporary)
    return (out,)


def write_report(
    store: SessionStore, selection: Selection, out: Path, *, made_at: datetime, overwrite: bool = False
) -> None:
    """Write the report on sessions of the store as an HTML file.

    Raises
    ------
    SessionNotFound
        If no session fits.
    FileThere
        If the file exists and must not be overwritten.
    NotWritten
        If it cannot be written.
    """
    text = html_report(store, selection, made_at)
    with new_file(out, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _export_fit(sessions: Sequence[StoredSession], out: Path, *, overwrite: bool) -> tuple[Path, ...]:
    """Write a file, or several into a folder; write nothing if one of them exists already."""
    with needs_extra("fit", "FIT needs fit-tool"):
        from imu.app.fit_file import fit_file  # noqa: PLC0415  an extra
    if len(sessions) > 1 and out.suffix.lower() == ".fit" and not out.is_dir():
        raise NotWritten(
            f"a FIT file holds one session and there are {len(sessions)}; name a folder, such as {out.stem}"
        )

    files = (
        {out: sessions[0]}
        if len(sessions) == 1 and not out.is_dir()
        else {out / fit_name(session): session for session in sessions}
    )
    there = [path for path in files if path.exists()]
    if there and not overwrite:
        raise FileThere(f"{there[0]} exists already and was left alone; name another file, or use --force")
    for path, stored in files.items():
        write_bytes(path, fit_file(stored), overwrite=overwrite)
    return tuple(files)


def fit_name(stored: StoredSession) -> str:
    """Return the name of a session's FIT file in a folder."""
    return f"{stored.trained_at:%Y-%m-%d_%H%M}_session_{stored.id}.fit"
