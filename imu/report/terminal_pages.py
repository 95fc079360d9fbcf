"""The pages about sessions that `imu` prints in a terminal: one session, many, and weeks of training.

A session's page draws from its :class:`~imu.report.session_view.SessionView`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Column, Table
from rich.text import Text

from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement
from imu.report.replay import Replayed
from imu.report.session_view import RejectedView, RepetitionView, SessionView, SetView, view_of_replayed, view_of_stored
from imu.report.words import (
    bare_volume,
    clock,
    counted,
    day_of,
    days_ago,
    file_name_of,
    load,
    number_of,
    printable,
    reasons,
    sparkline,
    unit_of_load,
    weight,
)

if TYPE_CHECKING:
    from imu.report.exercises import ExerciseHistory
    from imu.report.trends import PatternTrend, Row, Trend
    from imu.store import Balance, SessionOverview, SessionStore

COLOUR = {Pattern.SQUAT: "cyan", Pattern.HINGE: "magenta", Pattern.UNCERTAIN: "dim", Pattern.MIXED: "yellow"}
"""The colour of each pattern. The word always stands there too."""

# --- parts of every page ---------------------------------------------------------------------------------------------


def labelled(lines: Iterable[tuple[str, str]]) -> Table:
    """Return lines that have a label and, beside it, a text that wraps."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for label, text in lines:
        grid.add_row(label, Text(text))
    return grid


FOLDED = 12
"""Least width of a column whose text may go on in the next line."""


class _FittingTable(Table):
    """A table that leaves out columns where the terminal is narrow, rather than cut all of them to dots.

    Attributes
    ----------
    least : tuple of str
        Beginnings of the headings that go first, the least important before the others.
    """

    least: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give the table with the columns that have room."""
        kept = list(self.columns)
        for heading in self.least:
            if sum(map(_width, kept)) + 2 * len(kept) - 2 <= options.max_width:
                break
            kept = [column for column in kept if not str(column.header).replace("\n", " ").startswith(heading)]
        if len(kept) == len(self.columns):
            yield from super().__rich_console__(console, options)
            return
        table = plain_table()
        for column in kept:
            table.add_column(column.header, justify=column.justify, no_wrap=column.no_wrap, overflow=column.overflow)
        for row, *cells in zip(self.rows, *(column.cells for column in kept), strict=True):
            table.add_row(*cells, end_section=row.end_section)
        yield table


def _width(column: Column) -> int:
    """Return the width that a column needs."""
    texts = [str(column.header), *map(str, column.cells)]
    longest = max(cell_len(line) for text in texts for line in text.split("\n"))
    return longest if column.no_wrap else min(longest, FOLDED)


def plain_table(*headings: str, least: Sequence[str] = ()) -> Table:
    """Return a table without a frame; numbers are right-aligned, patterns left-aligned.

    Columns whose headings begin with one of `least` are left out where the terminal is narrow, in that order.
    """
    table = _FittingTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.least = tuple(least)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "pattern" else "right", no_wrap=True)
    return table


# --- one session -----------------------------------------------------------------------------------------------------


def stored_page(store: SessionStore, number: int, *, verbose: bool) -> Group:
    """Return the page of a stored session; see `session_page`."""
    return session_page(view_of_stored(store.load(number), in_lb=store.loads_in_lb()), verbose=verbose)


def session_page(view: SessionView, *, verbose: bool) -> Group:
    """Return the page of one session; `verbose` adds each repetition and each movement that was not counted."""
    rate = f", {view.rate}" if view.rate else ""
    named = printable(view.recording)
    if view.moment is not None:
        named = f"Session {view.id}, {day_of(view.moment, year=True)} {view.moment:%H:%M}"
    parts: list[RenderableType] = [Text.assemble((named, "bold"), f"  {view.duration} min{rate}")]
    if view.moment is not None and view.sets:
        parts.append(Text(view.done))
    if view.sets:
        parts += [_sets_table(view.sets), ""]
    if verbose and view.sets:
        parts += [_repetitions_table(view.sets), ""]
    if verbose and view.rejected:
        parts += [_rejected_table(view.rejected), ""]
    words = (
        [("Angle", "largest tilt of the pelvis; bottom: its tilt where the hip is lowest")]
        if verbose and view.sets
        else []
    )
    return Group(*parts, labelled([*words, *_lines(view)]))


def _lines(view: SessionView) -> list[tuple[str, str]]:
    lines = [("Counted", view.counted)]
    lines += [(f"Set {one_set.number}", text) for one_set in view.sets if (text := _words_of_set(one_set))]
    lines += [
        (label, text)
        for label, text in (("Load", view.load), ("Not counted", view.not_counted), ("Data", view.flaws))
        if text
    ]
    if view.unplanned:
        name = f" (imu correct {view.id} --exercise SET NAME)" if view.id is not None else ""
        lines.append(("Exercise", f"{view.unplanned}{name}"))
    lines += [("" if i else "Corrected", text) for i, text in enumerate(view.corrections)]
    if view.moment is not None:
        lines.append(("Recording", printable(view.recording)))
    elif view.id is not None:
        lines.append(("Session", str(view.id)))
    return lines


def _words_of_set(view: SetView) -> str:
    """Return what the person entered, the lines of block characters and the cues, on one line."""
    lines = " ".join(
        f"{name} {line}" for name, line in (("angle", view.angle_line), ("speed", view.speed_line)) if line
    )
    return "; ".join(text for text in (view.entered, lines, *view.cues) if text)


def _sets_table(sets: Sequence[SetView]) -> Table:
    headings = [
        _TEMPO if figure.name == "Tempo" else f"{figure.name.lower()}\n{figure.unit}" for figure in sets[0].figures
    ]
    least = ("tempo", "last reps", "start", "speed")
    table = plain_table("set", "start", "pattern", "reps", *headings, least=least)
    for one_set in sets:
        table.add_row(
            str(one_set.number),
            one_set.start,
            Text(one_set.pattern, style=COLOUR[one_set.pattern]),
            str(len(one_set.repetitions)),
            *(figure.text or "-" for figure in one_set.figures),
        )
    return table


_TEMPO = "tempo s\ndown-pause-up"


def _repetitions_table(sets: Sequence[SetView]) -> Table:
    headings = ("set", "rep", "start", "pattern", "sure\n%", "angle\n°", "bottom\n°", "depth\ncm")
    least = ("bottom", "sure", "tempo", "speed", "start", "angle")
    table = plain_table(*headings, _TEMPO, "speed up\nm/s", least=least)
    has_changes = any(repetition.changes for one_set in sets for repetition in one_set.repetitions)
    if has_changes:
        table.add_column("corrected", justify="left", overflow="fold")
    for one_set in sets:
        for repetition in one_set.repetitions:
            cells = [str(one_set.number), str(repetition.number), repetition.start, *_repetition_cells(repetition)]
            table.add_row(*cells, *([repetition.changes] if has_changes else []))
        table.add_section()
    return table


def _repetition_cells(repetition: RepetitionView) -> list[str | Text]:
    figures = (
        repetition.sure,
        repetition.angle,
        repetition.angle_at_bottom,
        repetition.depth,
        repetition.tempo,
        repetition.speed,
    )
    return [Text(repetition.pattern, style=COLOUR[repetition.pattern]), *(text or "-" for text in figures)]


def _rejected_table(rejected: Iterable[RejectedView]) -> Table:
    table = plain_table("from", "to", "not counted, because")
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    for movement in rejected:
        because = movement.reason
        if movement.figures is not None:
            because += f": {movement.figures.pattern}, {movement.angle}°, {movement.depth} cm, {movement.tempo} s"
        table.add_row(movement.start, movement.end, because)
    return table


# --- many sessions ---------------------------------------------------------------------------------------------------


class OneLineEach:
    """A table of many recordings, printed line by line as they are replayed, and their totals."""

    _HEADINGS = ("    time", "  sets", "  squat", "  hinge", "  uncertain", "  not counted")
    _LEAST = ("  uncertain", "  not counted", "  sets")
    """Columns that a narrow terminal leaves out, in this order."""
    _SESSION = "  session 9999"

    def __init__(self, names: Sequence[str], width: int) -> None:
        """Fit the column of names to the longest name and to `width` characters."""
        self._folder = _common_folder(names)
        longest = max(len(self._short(name)) for name in names)
        self._kept = list(self._HEADINGS)
        for heading in self._LEAST:
            if FOLDED + sum(map(len, self._kept)) > width:
                self._kept.remove(heading)
        reserved = len(self._SESSION) if self._kept == list(self._HEADINGS) else 0
        self._name_width = max(FOLDED, min(longest, width - sum(map(len, self._kept)) - reserved))
        self._totals = [0, 0, 0]
        self._sets = self._replayed = self._flawed = 0
        self._rejected: list[RejectedMovement] = []

    def _short(self, name: str) -> str:
        return printable(os.path.relpath(name, self._folder) if self._folder else name)

    def heading(self) -> Text:
        """Return the lines above all others."""
        folder = f"{printable(self._folder)}\n" if self._folder else ""
        return Text(folder + "recording".ljust(self._name_width) + "".join(self._kept), style="bold")

    def line(self, replayed: Replayed, *, session_id: int | None) -> Text:
        """Return the line of one recording, and add the recording to the totals."""
        view = view_of_replayed(replayed, session_id)
        totals = (view.squats, view.hinges, view.uncertain)
        self._totals = [a + b for a, b in zip(self._totals, totals, strict=True)]
        self._sets += len(view.sets)
        self._replayed += 1
        self._flawed += bool(view.flaws)
        self._rejected += replayed.summary.rejected
        name = self._short(view.recording)
        name = name if len(name) <= self._name_width else "~" + name[-self._name_width + 1 :]
        squats, hinges, uncertain = (str(count or ".") for count in totals)
        cells = (view.duration, len(view.sets) or ".", squats, hinges, uncertain, len(view.rejected) or ".")
        colours = {"  squat": COLOUR[Pattern.SQUAT], "  hinge": COLOUR[Pattern.HINGE]}
        text = Text(f"{name:{self._name_width}}")
        for heading, cell in zip(self._HEADINGS, cells, strict=True):
            if heading in self._kept:
                text.append(f"{cell:>{len(heading)}}", style=colours.get(heading))
        return text.append("" if session_id is None else f"  session {session_id}")

    def closing(self, failed: int) -> Table:
        """Return the totals of all recordings; `failed` is the number of those that could not be read."""
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
    """Return the folder that holds all recordings; empty if they share no folder."""
    try:
        return os.path.commonpath([Path(name).parent for name in names])
    except ValueError:  # absolute and relative paths, or several drives
        return ""


def overview_table(overviews: Iterable[SessionOverview], sets: Mapping[int, str]) -> Table:
    """Return the list of stored sessions, each with its sets in words; without an exercise, the recording is named."""
    table = plain_table("session", "trained", "min", "squat", "hinge", least=("min", "squat", "hinge"))
    table.add_column("sets: load × repetitions", overflow="fold")
    for overview in overviews:
        file = [] if overview.exercises else [printable(file_name_of(overview.source))]
        corrected = [number_of(overview.corrections, "correction")] if overview.corrections else []
        done = Text(sets.get(overview.id, "."))
        table.add_row(
            str(overview.id),
            f"{overview.trained_at.astimezone():%Y-%m-%d %H:%M}",
            clock(overview.duration_s),
            *(str(number or ".") for number in (overview.squats, overview.hinges)),
            done.append("".join(f"  {text}" for text in (*file, *corrected)), style="dim"),
        )
    return table


def balance_lines(balances: Iterable[Balance], days_since: dict[Pattern, int | None]) -> Table:
    """Return squats against hinges over the last days, and when each pattern was last trained."""
    lines = [(f"{b.days} days", counted(b.squats, b.hinges, 0)) for b in balances]
    lines += [(f"Last {pattern}", days_ago(days)) for pattern, days in days_since.items()]
    return labelled(lines)


# --- exercises -------------------------------------------------------------------------------------------------------


def exercises_table(histories: Iterable[ExerciseHistory], *, in_lb: bool = False) -> Table:
    """Return a row for each exercise, the one that was trained last first."""
    from imu.report.exercises import set_in_words  # noqa: PLC0415  the store with it

    unit = unit_of_load(in_lb=in_lb)
    headings = ("exercise", "pattern", "last", "sets", "reps", f"volume\n{unit}", "heaviest", f"1RM\n{unit}")
    table = plain_table(*headings, least=("pattern", "volume", "sets", "reps", "1RM", "last"))
    table.columns[0].justify, table.columns[0].no_wrap = "left", False
    for history in histories:
        heaviest, maximum = history.heaviest, history.maximum
        table.add_row(
            printable(history.name),
            Text(history.pattern, style=COLOUR[history.pattern]),
            _day(history.sessions[-1].trained_at),
            str(len(history.sets)),
            str(history.repetitions),
            bare_volume(history.volume_kg, in_lb=in_lb) or ".",
            set_in_words(heaviest, in_lb=in_lb) or ".",
            bare_volume(maximum.load_kg, in_lb=in_lb) or ".",
        )
    return table


def exercise_page(history: ExerciseHistory, most: int, *, in_lb: bool = False) -> Group:
    """Return the page of one exercise, with at most `most` of its last sessions."""
    from imu.report.exercises import records_of, set_in_words  # noqa: PLC0415  the store with it

    sessions, unit = history.sessions[-most:], unit_of_load(in_lb=in_lb)
    headings = ("session", "trained", "sets", "reps", "heaviest")
    least = ("fastest", "sets", "volume", "reps", "session")
    table = plain_table(*headings, f"volume\n{unit}", "fastest\nm/s", f"1RM\n{unit}", least=least)
    for session in sessions:
        heaviest, speed_m_s = session.heaviest, session.best_speed_m_s()
        table.add_row(
            str(session.session_id),
            _day(session.trained_at),
            str(len(session.sets)),
            str(session.repetitions),
            set_in_words(heaviest, in_lb=in_lb) or ".",
            bare_volume(session.volume_kg, in_lb=in_lb) or ".",
            f"{speed_m_s:.2f}" if speed_m_s is not None and history.pattern is Pattern.SQUAT else ".",
            bare_volume(session.maximum.load_kg, in_lb=in_lb) or ".",
        )
    loads = plain_table("load", "most\nreps", "on", "speed record\nm/s", "on", least=("on",))
    for best in history.at_loads:
        record = best.record
        loads.add_row(
            weight(best.load_kg, in_lb=in_lb),
            *(str(best.most.repetitions), _day(best.most.trained_at)),
            *((".", ".") if record is None else (f"{record.best_speed_m_s:.2f}", _day(record.trained_at))),
        )
    lines = [(record.name, record.words) for record in records_of(history, in_lb=in_lb)]
    if len(sessions) > 1:
        maxima = sparkline([session.maximum.load_kg for session in sessions])
        lines.append(("Trend", f"volume {sparkline([session.volume_kg for session in sessions])}  1RM {maxima}"))
    title = Text.assemble((printable(history.name), "bold"), f"  {history.pattern}")
    best_sets: list[RenderableType] = ["", loads] if history.at_loads else []
    return Group(title, table, *best_sets, "", labelled(lines))


def comparison_table(before: str, after: str, rows: Iterable[Row]) -> Table:
    """Return the figures of both sides of a comparison."""
    table = plain_table("", before, after, "change")
    table.columns[0].justify = "left"
    for column in table.columns:
        column.no_wrap, column.overflow = False, "fold"
    for group, figures in groupby(rows, key=lambda row: row.group):
        table.add_section()
        table.add_row(Text(printable(group), style="bold"))
        for row in figures:
            table.add_row(f"  {row.name}{f', {row.unit}' if row.unit else ''}", row.before, row.after, row.change)
    return table


def _day(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d}"


# --- weeks of training -----------------------------------------------------------------------------------------------


def trend_page(periods: Sequence[Trend], days_since: dict[Pattern, int | None], notes: Sequence[str]) -> Group:
    """Return a table with a row for each day or week, lines of block characters over all of them, and the notes."""
    lines = [
        *_pattern_line("Squats", [period.squat for period in periods]),
        *_pattern_line("Hinges", [period.hinge for period in periods]),
        (
            "Squat share",
            sparkline([period.squat_share for period in periods], 1.0) + "  of squats and hinges, a block each",
        ),
        *((f"Last {pattern}", days_ago(days)) for pattern, days in days_since.items()),
        *(("Note", note) for note in notes),
    ]
    return Group(_trend_table(periods), "", labelled(lines))


def _trend_table(periods: Sequence[Trend]) -> Table:
    least = (" m/s", " cm", " °", "squat %")
    table = plain_table("week of" if periods and periods[0].days > 1 else "day", least=least)
    for pattern in (Pattern.SQUAT, Pattern.HINGE):
        for number, figure in enumerate(("sets", "reps", "°", "cm", "m/s")):
            heading = f"{pattern if number == 0 else ''}\n{figure}"
            table.add_column(Text(heading, style=COLOUR[pattern]), justify="right", no_wrap=True)
    table.add_column("squat\n%", justify="right", no_wrap=True)
    for period in periods:
        share = period.squat_share
        table.add_row(
            f"{period.start:%Y-%m-%d}",
            *(text or "." for text in (*period.squat.texts, *period.hinge.texts)),
            "." if share is None else f"{100 * share:.0f}",
        )
    return table


def _pattern_line(name: str, trend: Sequence[PatternTrend]) -> list[tuple[str, str]]:
    """Return repetitions, angle and depth as lines of block characters, if there are any repetitions."""
    if not any(part.repetitions for part in trend):
        return []
    lines = {
        "reps": sparkline([float(part.repetitions) for part in trend]),
        "angle": sparkline([part.trunk_angle_rad for part in trend], math.radians(10)),
        "depth": sparkline([part.hip_drop_m for part in trend], 0.08),
    }
    return [(name, "  ".join(f"{figure} {line}" for figure, line in lines.items()))]
