"""Stored sessions, with their corrections -> files for other programs and for people.

`tables` writes CSV, Parquet and JSON, `fit_file` FIT, and :mod:`imu.report.html_report` a report to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from imu.app.export.tables import write_csv, write_json, write_parquet
from imu.atomic_files import new_file, write_bytes
from imu.errors import ExtraMissing, FileThere, NotWritten
from imu.report.html_report import Selection, html_report
from imu.store import SessionStore, StoredSession


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
    try:
        from imu.app.export.fit_file import fit_file  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ExtraMissing('FIT needs fit-tool: python -m pip install "imu-training[fit]"') from error
    if len(sessions) > 1 and out.suffix.lower() == ".fit" and not out.is_dir():
        raise NotWritten(
            f"a FIT file holds one session and there are {len(sessions)}; name a folder, such as {out.stem}"
        )

    files = (
        {out: sessions[0]}
        if len(sessions) == 1 and not out.is_dir()
        else {out / fit_name(one): one for one in sessions}
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
