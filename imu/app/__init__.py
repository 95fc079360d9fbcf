"""The program's face: command line, terminal, page, exports.

Here is how commands take options, print and end: tables for people, JSON for programs, errors as one sentence, and
Ctrl-C. This file imports neither NumPy nor Rich nor asyncio, so that `imu --help` and Ctrl-C are quick.
"""
# ruff: noqa: PLC0415  imports stand where they are used

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import NoneType
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


def day(typed: str) -> datetime:
    """Return a day as a person writes it, its midnight in this computer's time zone.

    Raises
    ------
    typer.BadParameter
        If it is no day; the sentence says how to write one.
    """
    text, midnight = typed.strip().lower(), datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("today", "yesterday"):
        return midnight - timedelta(days=text == "yesterday")
    try:
        return datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        raise typer.BadParameter(f"{typed!r} is no day: write it as 2026-11-30, today or yesterday") from None


def moment(typed: str) -> datetime:
    """Return a day, as `day` does, or a day with a time as in 2026-11-30 18:30."""
    try:
        return datetime.strptime(typed.strip().replace("T", " "), "%Y-%m-%d %H:%M")
    except ValueError:
        return day(typed)


_PLAIN_WORDS = {
    r"^Value error, (.*?)\.?$": r"\1",
    r"^Input should be greater than or equal to (\S+)$": r"it must be \1 or more, not GIVEN",
    r"^Input should be less than or equal to (\S+)$": r"it must be \1 or less, not GIVEN",
    r"^Input should be a valid integer.*": "it must be a whole number, not GIVEN",
    r"^Input should be a valid number.*": "it must be a number, not GIVEN",
}
"""Sentences of pydantic, which checks the values of options, and ours."""


class _Values:
    """The values of an option: texts and defaults as they are, for which typer would load pydantic (50 ms)."""

    def __init__(self, option: Any) -> None:
        self._annotation = option.type_descriptor.annotation
        self._usual = option.get_runtime_param

    def __call__(self) -> Any:
        """Return what converts the values."""
        return self

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:
        """Return a value, of the type of its option."""
        if value is None or ctx.get_parameter_source(param.name).name == "DEFAULT":
            return value
        if self._annotation is str and isinstance(value, str):
            return value
        if self._annotation == list[str] and isinstance(value, tuple):
            return list(value)
        try:
            return self._usual().coerce(value, param=param, ctx=ctx)
        except typer.BadParameter as error:
            given = " ".join(map(str, value)) if isinstance(value, tuple | list) else value
            for text, words in _PLAIN_WORDS.items():
                error.message = re.sub(text, words, error.message).replace("GIVEN", repr(given))
            raise


def quick(command: Any, ctx: Any) -> Any:
    """Return the command, which takes the values of its options without pydantic where it can."""
    for option in command.get_params(ctx):
        if not isinstance(getattr(option, "get_runtime_param", None), _Values | NoneType):  # older typers have none
            option.get_runtime_param = _Values(option)
    return command


def print_object(values: Mapping[str, object]) -> None:
    """Print one line of JSON and flush it, as a program may wait for it."""
    import json

    print(json.dumps(values, allow_nan=False), flush=True)


def print_parts(console: Console, *parts: Any) -> None:
    """Print and flush, without the blanks that Rich adds at the ends of lines."""
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    console.file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))
    console.file.flush()


def console_for_people() -> Console:
    """Return the console for people: as wide as the terminal, never wrapped in a pipe or file."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 1000
    return console


def complain(sentence: str) -> None:
    """Print one sentence to standard error. It imports nothing, as Ctrl-C may interrupt an import."""
    shown = "".join(c if c.isprintable() else "?" for c in sentence)
    typer.secho(shown, fg="red", err=True, color=False if os.environ.get("NO_COLOR") else None)


def spell_out(error: UnicodeError) -> tuple[str | bytes, int]:
    """Spell out characters that the terminal's encoding lacks; a codec error handler."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    spelled = {"°": " deg", "±": "+-", "²": "2", "–": "-", "…": "...", "·": ".", "×": "x", "\u202f": " "}
    spelled |= dict(zip("▁▂▃▄▅▆▇█", "12345678", strict=True))  # the blocks of sparklines
    missing = error.object[error.start : error.end]
    return "".join(spelled.get(c, "?") for c in missing), error.end


@contextlib.contextmanager
def ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` in the running event loop on Ctrl-C, SIGTERM or SIGHUP; a second one ends the program."""
    import asyncio

    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def end(number: int, _frame: object) -> None:
        signal.signal(number, before[number])
        loop.call_soon_threadsafe(stop)

    hang_up = [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []  # Windows has none
    for number in (signal.SIGINT, signal.SIGTERM, *hang_up):
        before[number] = signal.getsignal(number) or signal.SIG_DFL
        signal.signal(number, end)
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
