"""How commands print: for people as wide as their terminal, for programs one JSON object a line, errors in a sentence.

Importing this must not wait for NumPy or rich: `imu --help` and Ctrl-C come first.
"""
# ruff: noqa: PLC0415  imports stand where they are used

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


def print_object(found: Mapping[str, object]) -> None:
    """Print one line of JSON, now: whoever reads it may be waiting."""
    import json

    print(json.dumps(found, allow_nan=False), flush=True)


def print_parts(console: Console, *parts: Any) -> None:
    """Print, now, without the blanks at the ends of lines that rich fills up with."""
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    console.file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))
    console.file.flush()


def console_for_people() -> Console:
    """Return where people read: as wide as their terminal, and never wrapped in a pipe or file."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 1000
    return console


def complain(sentence: str) -> None:
    """Print one sentence to standard error, with nothing imported: Ctrl-C may have come in the middle of an import."""
    shown = "".join(c if c.isprintable() else "?" for c in sentence)
    typer.secho(shown, fg="red", err=True, color=False if os.environ.get("NO_COLOR") else None)


def spell_out(error: UnicodeError) -> tuple[str | bytes, int]:
    """Spell out what a terminal's encoding has no character for; a codec error handler."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    spelled = {"°": " deg", "±": "+-", "²": "2", "–": "-", "…": "...", "·": "."}
    spelled |= dict(zip("▁▂▃▄▅▆▇█", "12345678", strict=True))  # the blocks that lines of figures are drawn with
    missing = error.object[error.start : error.end]
    return "".join(spelled.get(c, "?") for c in missing), error.end


def software_version() -> str:
    """Return the version of this program."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("imu-training")
    except PackageNotFoundError:  # run from its source without being installed
        return "unknown"
