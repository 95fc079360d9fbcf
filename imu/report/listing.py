"""Many sessions -> a line each, and what they add up to, for the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement
from imu.report.layout import COLOUR, labelled, plain_table
from imu.report.replay import Replayed
from imu.report.session_page import flaws
from imu.report.words import clock, counted, days_ago, load, number_of, printable, reasons
from imu.session import SessionSummary
from imu.store import Balance, SessionOverview


class OneLineEach:
    """Many recordings, a line for each as it comes, and what they add up to."""

    def __init__(self, names: Sequence[str], width: int) -> None:
        """Fit the column of names to the longest one and to `width` characters."""
        self._folder = _common_folder(names)
        longest = max(len(self._short(name)) for name in names)
        self._name_width = max(12, min(longest, width - len(self._HEADINGS) - len("  session 9999")))
        self._totals = [0, 0, 0]
        self._sets = self._replayed = self._flawed = 0
        self._rejected: list[RejectedMovement] = []

    _HEADINGS = "    time  sets  squat  hinge  uncertain  not counted"

    def _short(self, name: str) -> str:
        return printable(os.path.relpath(name, self._folder) if self._folder else name)

    def heading(self) -> Text:
        """Return the lines above all others."""
        folder = f"{printable(self._folder)}\n" if self._folder else ""
        return Text(folder + "recording".ljust(self._name_width) + self._HEADINGS, style="bold")

    def line(self, replayed: Replayed, *, session_id: int | None) -> Text:
        """Return the line of one recording and add it up."""
        summary, totals = replayed.summary, _totals(replayed.summary)
        self._totals = [a + b for a, b in zip(self._totals, totals, strict=True)]
        self._sets += len(summary.sets)
        self._replayed += 1
        self._flawed += bool(flaws(replayed))
        self._rejected += summary.rejected
        name = self._short(replayed.name)
        name = name if len(name) <= self._name_width else "~" + name[-self._name_width + 1 :]
        squats, hinges, uncertain = (str(count or ".") for count in totals)
        text = Text(f"{name:{self._name_width}}{clock(summary.duration_s):>8}{len(summary.sets) or '.':>6}")
        text.append(f"{squats:>7}", style=COLOUR[Pattern.SQUAT]).append(f"{hinges:>7}", style=COLOUR[Pattern.HINGE])
        text.append(f"{uncertain:>11}{len(summary.rejected) or '.':>13}")
        return text.append("" if session_id is None else f"  session {session_id}")

    def closing(self, failed: int) -> Table:
        """Return what all recordings add up to; `failed` ones could not be read."""
        squats, hinges, uncertain = self._totals
        broken = f", {failed} could not be read" if failed else ""
        lines = [
            ("Recordings", f"{self._replayed}{broken}"),
            ("Counted", f"{counted(squats, hinges, uncertain)} in {number_of(self._sets, 'set')}"),
        ]
        if squats + hinges:
            lines.append(("Load", load(squats, hinges)))
        lines += [("Not counted", text) for text in [reasons(self._rejected)] if text]
        if self._flawed:
            lines.append(
                ("Data", f"{number_of(self._flawed, 'recording')} damaged or with gaps or faulty rows: see --reps")
            )
        return labelled(lines)


def _common_folder(names: Sequence[str]) -> str:
    """Return the folder that all are in, empty if there is none."""
    try:
        return os.path.commonpath([Path(name).parent for name in names])
    except ValueError:  # some absolute and some relative, or on several drives
        return ""


def overview_table(overviews: Iterable[SessionOverview]) -> Table:
    """Return the list of the sessions kept."""
    lines = list(overviews)
    corrected = any(overview.corrections for overview in lines)
    headings = ("session", "trained", "min", "sets", "squat", "hinge", "uncertain")
    table = plain_table(*headings, *(["corrected"] if corrected else []))
    table.add_column("recording", overflow="fold")
    for overview in lines:
        numbers = (overview.sets, overview.squats, overview.hinges, overview.uncertain)
        table.add_row(
            str(overview.id),
            f"{overview.trained_at.astimezone():%Y-%m-%d %H:%M}",
            clock(overview.duration_s),
            *(str(number or ".") for number in numbers),
            *([str(overview.corrections or ".")] if corrected else []),
            printable(overview.source.replace("\\", "/").rsplit("/", 1)[-1]),
        )
    return table


def balance_lines(balances: Iterable[Balance], days_since: dict[Pattern, int | None]) -> Table:
    """Return squats against hinges over the last days, and when each was last trained."""
    lines = [(f"{b.days} days", counted(b.squats, b.hinges, 0)) for b in balances]
    lines += [(f"Last {pattern}", days_ago(days)) for pattern, days in days_since.items()]
    return labelled(lines)


def _totals(summary: SessionSummary) -> tuple[int, int, int]:
    return summary.count(Pattern.SQUAT), summary.count(Pattern.HINGE), summary.count(Pattern.UNCERTAIN)
