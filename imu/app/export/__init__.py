"""Sessions -> files that other programs and people read, and everything that is kept -> a backup, and back.

- :mod:`~imu.app.export.rows`, :mod:`~imu.app.export.tables`: CSV, Parquet and JSON;
- :mod:`~imu.app.export.fit_file`: FIT;
- :mod:`~imu.report.html_report`: a page;
- :mod:`~imu.store.backup`, :mod:`~imu.store.restore`: everything in one file, and back;
- :mod:`~imu.atomic_files`: how files are written.

All of them hold what counts: what was measured, as the person corrected it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from imu.app.export.tables import write_csv, write_json, write_parquet
from imu.atomic_files import FileThere, NotWritten, new_file, write_bytes
from imu.store import StoredSession
from imu.store.backup import write_backup
from imu.store.restore import BackupDamaged, Restored, restore_backup

__all__ = [
    "BackupDamaged",
    "FileThere",
    "Format",
    "NotWritten",
    "Restored",
    "export_sessions",
    "restore_backup",
    "write_backup",
]


class Format(StrEnum):
    """What sessions can be written as; the value is the ending of such a file's name too."""

    CSV = "csv"
    """A row for each repetition."""
    PARQUET = "parquet"
    """The same rows, typed."""
    JSON = "json"
    """What ``imu review --json`` prints, as one array."""
    FIT = "fit"
    """A strength training for sports sites; one file for each session."""
    HTML = "html"
    """A report to read and print."""


def export_sessions(
    sessions: Sequence[StoredSession], form: Format, out: Path, *, made_at: datetime, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write sessions to a file; return the files that were written.

    Parameters
    ----------
    sessions : sequence of StoredSession
        At least one.
    form : Format
        What to write.
    out : Path
        The file. Of FIT with several sessions, a folder, in which each file is called after its session.
    made_at : datetime
        Now, in the time zone in which people are told moments.
    overwrite : bool
        Whether files may take the place of others that are there.

    Raises
    ------
    ValueError
        If there are no sessions.
    FileThere
        If a file is there and must not be overwritten.
    NotWritten
        If a file cannot be written.
    ExtraMissing
        If Parquet is asked for and pyarrow is not installed.
    """
    if not sessions:
        raise ValueError("there is no session to export")
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
            case Format.HTML:
                from imu.report.html_report import html_report  # noqa: PLC0415  only where it is wanted

                temporary.write_text(html_report(sessions, made_at), encoding="utf-8", newline="\n")
    return (out,)


def _export_fit(sessions: Sequence[StoredSession], out: Path, *, overwrite: bool) -> tuple[Path, ...]:
    """Write a file, or a folder of them; nothing at all if one of them is there already."""
    from imu.app.export.fit_file import fit_file  # noqa: PLC0415  only where it is wanted

    files = (
        {out: sessions[0]}
        if len(sessions) == 1 and not out.is_dir()
        else {out / fit_name(one): one for one in sessions}
    )
    there = [path for path in files if path.exists()]
    if there and not overwrite:
        raise FileThere(f"{there[0]} is there already and was left alone; name another place, or say --force")
    for path, stored in files.items():
        write_bytes(path, fit_file(stored), overwrite=overwrite)
    return tuple(files)


def fit_name(stored: StoredSession) -> str:
    """Return what the FIT file of a session is called among others."""
    return f"{stored.trained_at:%Y-%m-%d_%H%M}_session_{stored.id}.fit"
