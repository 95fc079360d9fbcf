"""One session -> a page for the terminal: sets, repetitions, what was not counted, form, and what was corrected.

What was measured stands beside what was corrected. This module refuses to know where a session is from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement
from imu.report.cues import cues, share_of_speed_lost, sinks, speed
from imu.report.layout import COLOUR, labelled, plain_table
from imu.report.replay import Replayed
from imu.report.sparklines import sparkline
from imu.report.telling import told
from imu.report.words import clock, counted, entered, load, number_of, printable, reasons, tempo
from imu.store import CorrectedRepetition, CorrectedSession, CorrectedSet, StoredSession, apply_corrections

LINE_REPETITIONS = 3
"""Angle and speed across a set are drawn for sets of at least so many measured repetitions."""
LINE_ANGLE_RAD = math.radians(4 * 2.6)
"""Least height of the line of angles: four times their error."""
LINE_SPEED_M_S = 0.2
"""Least height of the line of speeds: four times what good devices of this kind err by (0.05 m/s)."""


def session_page(replayed: Replayed, *, session_id: int | None, verbose: bool) -> Group:
    """Return one replayed session in full.

    Parameters
    ----------
    replayed : Replayed
        The recording and its summary.
    session_id : int or None
        Its number in the store, if it is kept.
    verbose : bool
        Whether to show every repetition and every movement that was not counted.
    """
    return _page(replayed, apply_corrections(replayed.summary), session_id, verbose=verbose)


def stored_page(stored: StoredSession, *, verbose: bool) -> Group:
    """Return one stored session in full, as it counts."""
    return _page(Replayed(stored.source, stored.summary), stored.corrected, stored.id, verbose=verbose)


def _page(replayed: Replayed, session: CorrectedSession, session_id: int | None, *, verbose: bool) -> Group:
    summary = session.measured
    rate = "" if summary.sampling_rate_hz is None else f", {summary.sampling_rate_hz:.4g} Hz"
    parts: list[RenderableType] = [
        Text.assemble((printable(replayed.name), "bold"), f"  {clock(summary.duration_s)} min{rate}")
    ]
    if session.sets:
        parts += [_sets_table(session.sets), ""]
    if verbose and session.sets:
        parts += [_repetitions_table(session.sets), ""]
    if verbose and session.rejected:
        parts += [_rejected_table(session.rejected), ""]
    return Group(*parts, labelled(_lines(replayed, session, session_id)))


def _lines(replayed: Replayed, session: CorrectedSession, session_id: int | None) -> list[tuple[str, str]]:
    squats, hinges = session.count(Pattern.SQUAT), session.count(Pattern.HINGE)
    lines = [("Counted", counted(squats, hinges, session.count(Pattern.UNCERTAIN)))]
    lines += [(f"Set {number}", text) for number, one in enumerate(session.sets, 1) if (text := _said_of(one))]
    if squats + hinges:
        lines.append(("Load", load(squats, hinges)))
    lines += [("Not counted", text) for text in [reasons(session.rejected)] if text]
    lines += [("Data", text) for text in ["; ".join(flaws(replayed))] if text]
    lines += [("" if i else "Corrected", told(one)) for i, one in enumerate(session.log)]
    if session_id is not None:
        lines.append(("Session", str(session_id)))
    return lines


def _said_of(one_set: CorrectedSet) -> str:
    """Return what the person entered for a set, its lines and its cues, on one line."""
    said = [entered(one_set.exercise, one_set.load_kg, one_set.note), _drawn(one_set)]
    if one_set.measured is not None:
        said.append("; ".join(cues(one_set.measured)))
    return "; ".join(text for text in said if text)


def _drawn(one_set: CorrectedSet) -> str:
    """Return the angle across a set as a line of blocks, and the speed if there is one."""
    measured = one_set.measured
    if measured is None or len(measured.repetitions) < LINE_REPETITIONS:
        return ""
    figures = [one.measured for one in one_set.repetitions]
    drawn = "angle " + sparkline([one.trunk_angle_rad if one else None for one in figures], LINE_ANGLE_RAD)
    if sinks(measured):
        speeds_m_s = [one.mean_concentric_velocity_m_s if one else None for one in figures]
        drawn += " speed " + sparkline(speeds_m_s, LINE_SPEED_M_S)
    return drawn


def _sets_table(sets: Sequence[CorrectedSet]) -> Table:
    table = plain_table("set", "start", "pattern", "reps", "angle\ndeg", "drop\nm", "tempo s\ndown-pause-up")
    for heading in ("speed up\nm/s", "speed\nlost %"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, one_set in enumerate(sets, 1):
        table.add_row(
            str(number),
            clock(one_set.start_s),
            Text(one_set.pattern, style=COLOUR[one_set.pattern]),
            str(len(one_set.repetitions)),
            *_figures_of(one_set),
        )
    return table


def _figures_of(one_set: CorrectedSet) -> list[str]:
    """Return the means over the repetitions that were measured."""
    if one_set.measured is None:
        return ["-"] * 5
    repetitions, up = one_set.measured.repetitions, speed(one_set.measured)
    lost = share_of_speed_lost(one_set.measured)
    return [
        f"{math.degrees(fmean(r.trunk_angle_rad for r in repetitions)):.0f}",
        f"{fmean(r.hip_drop_m for r in repetitions):.2f}",
        tempo(repetitions),
        "-" if up is None else f"{up:.2f}",
        "-" if lost is None else f"{100 * lost:.0f}",
    ]


def _repetitions_table(sets: Sequence[CorrectedSet]) -> Table:
    headings = ("set", "rep", "start", "pattern", "sure\n%", "angle\ndeg", "bottom\ndeg", "drop\nm")
    table = plain_table(*headings, "tempo s\ndown-pause-up", "speed up\nm/s")
    own = any(entered(one.exercise, one.load_kg, one.note) for one_set in sets for one in one_set.repetitions)
    changed = any(one.added or one.pattern_changed for one_set in sets for one in one_set.repetitions)
    if own or changed:
        table.add_column("corrected", justify="left", overflow="fold")
    for set_number, one_set in enumerate(sets, 1):
        for number, one in enumerate(one_set.repetitions, 1):
            cells = [str(set_number), str(number), clock(one.start_s), *_repetition_cells(one)]
            table.add_row(*cells, *([_corrected_cell(one)] if own or changed else []))
        table.add_section()
    return table


def _repetition_cells(one: CorrectedRepetition) -> list[str | Text]:
    pattern = Text(one.pattern, style=COLOUR[one.pattern])
    if one.figures is None:
        return [pattern, *["-"] * 6]
    return [
        pattern,
        "-" if one.pattern_changed else f"{100 * one.figures.confidence:.0f}",
        f"{math.degrees(one.figures.trunk_angle_rad):.0f}",
        f"{math.degrees(one.figures.angle_at_bottom_rad):.0f}",
        f"{one.figures.hip_drop_m:.2f}",
        tempo([one.figures]),
        f"{one.figures.mean_concentric_velocity_m_s:.2f}",
    ]


def _corrected_cell(one: CorrectedRepetition) -> str:
    """Return what is not as it was measured."""
    changed = []
    if one.added:
        changed.append("added")
    if one.measured is not None and one.pattern_changed:
        changed.append(f"measured as {one.measured.pattern}, {100 * one.measured.confidence:.0f} %")
    changed.append(entered(one.exercise, one.load_kg, one.note))
    return "; ".join(text for text in changed if text)


def _rejected_table(rejected: Iterable[RejectedMovement]) -> Table:
    table = plain_table("from", "to", "not counted, because")
    table.columns[-1].justify = "left"
    for movement in rejected:
        because = movement.reason
        if (one := movement.repetition) is not None:
            angle_deg = math.degrees(one.trunk_angle_rad)
            because += f": {one.pattern}, {angle_deg:.0f} deg, {one.hip_drop_m:.2f} m, {tempo([one])} s"
        table.add_row(clock(movement.start_s), clock(movement.end_s), because)
    return table


def flaws(replayed: Replayed) -> list[str]:
    """Return what was wrong with a recording and with its rows."""
    gaps, faults = replayed.summary.gaps, replayed.summary.faults
    found = [] if replayed.damaged is None else [printable(replayed.damaged)]
    if gaps:
        missing_s = sum(gap.end_s - gap.start_s for gap in gaps)
        found.append(f"{number_of(len(gaps), 'gap')} ({missing_s:.1f} s without samples)")
    first = f" ({printable(replayed.first_unreadable)})" if replayed.first_unreadable else ""
    counts = (
        (replayed.rows_sorted, "late and put in order"),
        (replayed.rows_unreadable, f"unreadable{first}"),
        (faults.not_finite - replayed.rows_unreadable, "not finite"),
        (faults.repeated, "repeated"),
        (faults.out_of_order, "out of order and left out"),
        (faults.clipped, "at the end of the sensor's range"),
    )
    return found + [f"{number_of(count, 'row')} {what}" for count, what in counts if count > 0]
