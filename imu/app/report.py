"""A summary -> a JSON object for programs, tables and sentences for people.

Degrees are made here, and only here. This module refuses to know where a summary comes from.

Cues stand only where the numbers are clear of their error. The errors are those against the exact truth of 40 simulated
sessions (1,366 repetitions): peak angle 2.6 degrees, hip drop 0.026 m, speed lost over a set 10 % (robust standard
deviations); hinges that sink by a few centimetres have no speed to speak of.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, median, stdev

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from imu.app.replay import Replayed
from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.session import SessionSummary, TrainingSet
from imu.store import Balance, SessionOverview

SPEED_LOST = 0.2
"""Share of speed lost over a set from which it is said: 20 % is the usual limit in velocity-based training
(Pareja-Blanco 2017, doi 10.1111/sms.12678), and twice our error."""
SPEED_REPETITIONS = 4
"""Speed lost is said of sets of at least this many, first two against last two: one repetition alone is too uneven."""
SPEED_DROP_M = 0.15
"""Speed and order of hips and knees are said where the hip sinks by this on average, six times its error."""
UNEVEN_ANGLE_RAD = math.radians(8)
"""Standard deviation of the peak angle in a set from which it is uneven: three times our error."""
UNEVEN_DROP_M = 0.08
"""The same of the hip drop."""
SQUAT_LEANS_RAD = math.radians(45)
"""Mean tilt at the bottom of squats from which the chest is down: above the 15-45 degrees of pelvis tilt in squats."""
SQUAT_UPRIGHT_RAD = math.radians(30)
"""Below this the chest is up: the middle of those 15-45 degrees."""
HINGE_SHALLOW_RAD = math.radians(44)
"""Mean peak tilt of hinges below which they are shallow: a free bend tilts the pelvis by 59 +- 15 (Laird 2019)."""
HINGE_DEEP_RAD = math.radians(59)
"""From here on a hinge goes as far as a free bend."""
KNEES_FIRST_S = -0.15
"""Median lead of the trunk in a set from which the knees bent first: three steps of 0.05 s. Real squats: 0.25 s."""
MOSTLY = 2
"""One pattern has most of the load with this many times the repetitions of the other."""
REASONS = 4
"""Of movements that were not counted, so many reasons are told; all stand in the list of --reps."""


# --- for programs ----------------------------------------------------------------------------------------------------


def session_object(recording: str, summary: SessionSummary) -> dict[str, object]:
    """Return what ``imu replay --json`` prints of a recording."""
    rate_hz = summary.sampling_rate_hz
    faults = summary.faults
    return {
        "recording": recording,
        "duration_s": _rounded(summary.duration_s, 3),
        "sampling_rate_hz": None if rate_hz is None else _rounded(rate_hz, 3),
        "samples": summary.samples,
        "gaps": [{"start_s": _rounded(gap.start_s, 3), "end_s": _rounded(gap.end_s, 3)} for gap in summary.gaps],
        "faults": {
            "repeated": faults.repeated,
            "out_of_order": faults.out_of_order,
            "not_finite": faults.not_finite,
            "clipped": faults.clipped,
        },
        "sets": [
            {
                "start_s": _rounded(one_set.start_s, 3),
                "end_s": _rounded(one_set.end_s, 3),
                "pattern": one_set.pattern.value,
                "reps": [_repetition_object(repetition) for repetition in one_set.repetitions],
            }
            for one_set in summary.sets
        ],
        "rejected": [_rejected_object(movement) for movement in summary.rejected],
        "totals": {
            pattern.value: summary.count(pattern) for pattern in (Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN)
        },
    }


def _rejected_object(movement: RejectedMovement) -> dict[str, object]:
    found: dict[str, object] = {
        "start_s": _rounded(movement.start_s, 3),
        "end_s": _rounded(movement.end_s, 3),
        "reason": movement.reason,
    }
    if movement.repetition is not None:
        found["repetition"] = _repetition_object(movement.repetition)
    return found


def _repetition_object(repetition: Repetition) -> dict[str, object]:
    return {
        "start_s": _rounded(repetition.start_s, 3),
        "bottom_s": _rounded(repetition.bottom_s, 3),
        "end_s": _rounded(repetition.end_s, 3),
        "confirmed_s": _rounded(repetition.confirmed_s, 3),
        "pattern": repetition.pattern.value,
        "confidence": _rounded(repetition.confidence, 3),
        "trunk_angle_deg": _rounded(math.degrees(repetition.trunk_angle_rad), 1),
        "hip_drop_m": _rounded(repetition.hip_drop_m, 3),
        "eccentric_s": _rounded(repetition.eccentric_s, 3),
        "pause_s": _rounded(repetition.pause_s, 3),
        "concentric_s": _rounded(repetition.concentric_s, 3),
        "mean_concentric_velocity_m_s": _rounded(repetition.mean_concentric_velocity_m_s, 3),
        "peak_concentric_velocity_m_s": _rounded(repetition.peak_concentric_velocity_m_s, 3),
        "angle_at_bottom_deg": _rounded(math.degrees(repetition.angle_at_bottom_rad), 1),
        "sideways_tilt_deg": _rounded(math.degrees(repetition.sideways_tilt_rad), 1),
        "turn_deg": _rounded(math.degrees(repetition.turn_rad), 1),
        "trunk_lead_s": _rounded(repetition.trunk_lead_s, 3),
    }


def _rounded(value: float, decimals: int) -> float:
    return round(value, decimals) + 0.0  # not -0.0


# --- for people: one session -----------------------------------------------------------------------------------------


def session_page(replayed: Replayed, *, session_id: int | None, verbose: bool) -> Group:
    """Return one session in full.

    Parameters
    ----------
    replayed : Replayed
        The recording and its summary.
    session_id : int or None
        Its number in the store, if it is kept.
    verbose : bool
        Whether to show every repetition and every movement that was not counted.
    """
    summary = replayed.summary
    rate = "" if summary.sampling_rate_hz is None else f", {summary.sampling_rate_hz:.4g} Hz"
    parts: list[RenderableType] = [
        Text.assemble((printable(replayed.name), "bold"), f"  {clock(summary.duration_s)} min{rate}")
    ]
    if summary.sets:
        parts += [_sets_table(summary.sets), ""]
    if verbose and summary.sets:
        parts += [_repetitions_table(summary.sets), ""]
    if verbose and summary.rejected:
        parts += [_rejected_table(summary.rejected), ""]
    lines = [("Counted", counted(*_totals(summary)))]
    lines += [
        (f"Set {number}", cue) for number, one_set in enumerate(summary.sets, 1) if (cue := "; ".join(cues(one_set)))
    ]
    if summary.count(Pattern.SQUAT) + summary.count(Pattern.HINGE):
        lines.append(("Load", load(summary.count(Pattern.SQUAT), summary.count(Pattern.HINGE))))
    lines += [("Not counted", text) for text in [reasons(summary.rejected)] if text]
    lines += [("Data", text) for text in ["; ".join(_flaws(replayed))] if text]
    if session_id is not None:
        lines.append(("Session", str(session_id)))
    return Group(*parts, labelled(lines))


def _totals(summary: SessionSummary) -> tuple[int, int, int]:
    return summary.count(Pattern.SQUAT), summary.count(Pattern.HINGE), summary.count(Pattern.UNCERTAIN)


def _sets_table(sets: Sequence[TrainingSet]) -> Table:
    table = _table("set", "start", "pattern", "reps", "angle\ndeg", "drop\nm", "tempo s\ndown-pause-up")
    for heading in ("speed up\nm/s", "speed\nlost %"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, one_set in enumerate(sets, 1):
        repetitions, speed = one_set.repetitions, _speed(one_set)
        lost = _share_of_speed_lost(one_set)
        table.add_row(
            str(number),
            clock(one_set.start_s),
            Text(one_set.pattern, style=_COLOUR[one_set.pattern]),
            str(len(repetitions)),
            f"{math.degrees(fmean(r.trunk_angle_rad for r in repetitions)):.0f}",
            f"{fmean(r.hip_drop_m for r in repetitions):.2f}",
            _tempo(repetitions),
            "-" if speed is None else f"{speed:.2f}",
            "-" if lost is None else f"{100 * lost:.0f}",
        )
    return table


def _repetitions_table(sets: Sequence[TrainingSet]) -> Table:
    headings = ("set", "rep", "start", "pattern", "sure\n%", "angle\ndeg", "bottom\ndeg", "drop\nm")
    table = _table(*headings, "tempo s\ndown-pause-up", "speed up\nm/s")
    for set_number, one_set in enumerate(sets, 1):
        for number, repetition in enumerate(one_set.repetitions, 1):
            table.add_row(str(set_number), str(number), *_repetition_cells(repetition))
        table.add_section()
    return table


def _repetition_cells(repetition: Repetition) -> list[str | Text]:
    return [
        clock(repetition.start_s),
        Text(repetition.pattern, style=_COLOUR[repetition.pattern]),
        f"{100 * repetition.confidence:.0f}",
        f"{math.degrees(repetition.trunk_angle_rad):.0f}",
        f"{math.degrees(repetition.angle_at_bottom_rad):.0f}",
        f"{repetition.hip_drop_m:.2f}",
        _tempo([repetition]),
        f"{repetition.mean_concentric_velocity_m_s:.2f}",
    ]


def _rejected_table(rejected: Iterable[RejectedMovement]) -> Table:
    table = _table("from", "to", "not counted, because")
    table.columns[-1].justify = "left"
    for movement in rejected:
        told = movement.reason
        if (one := movement.repetition) is not None:
            angle_deg = math.degrees(one.trunk_angle_rad)
            told += f": {one.pattern}, {angle_deg:.0f} deg, {one.hip_drop_m:.2f} m, {_tempo([one])} s"
        table.add_row(clock(movement.start_s), clock(movement.end_s), told)
    return table


def cues(one_set: TrainingSet) -> list[str]:
    """Return what is to be said about the form of a set; nothing where the numbers do not say it clearly."""
    repetitions = one_set.repetitions
    said = []
    changed = _became_hinges(repetitions)
    if changed is not None:
        said.append(f"squats turned into hinges from repetition {changed}")
    elif one_set.pattern is Pattern.MIXED:
        said.append("squats and hinges in one set")
    if one_set.pattern is Pattern.SQUAT:
        bottom_rad = fmean(r.angle_at_bottom_rad for r in repetitions)
        if bottom_rad >= SQUAT_LEANS_RAD:
            said.append(f"leaning {_degrees(bottom_rad)} at the bottom, keep the chest up")
        elif bottom_rad <= SQUAT_UPRIGHT_RAD:
            said.append(f"chest up ({_degrees(bottom_rad)} at the bottom)")
    if one_set.pattern is Pattern.HINGE:
        peak_rad = fmean(r.trunk_angle_rad for r in repetitions)
        if peak_rad < HINGE_SHALLOW_RAD:
            said.append(f"bent by {_degrees(peak_rad)} only, hips further back and back toward parallel")
        elif peak_rad >= HINGE_DEEP_RAD:
            said.append(f"well bent at the hip ({_degrees(peak_rad)})")
    if _sinks(one_set) and median(r.trunk_lead_s for r in repetitions) <= KNEES_FIRST_S:
        said.append("knees before hips, start with the hips")
    lost = _share_of_speed_lost(one_set)
    if lost is not None and lost >= SPEED_LOST and len(repetitions) >= SPEED_REPETITIONS:
        said.append(f"{100 * lost:.0f} % slower at the end")
    if len(repetitions) >= 3 and one_set.pattern is not Pattern.MIXED:
        angle_rad = stdev(r.trunk_angle_rad for r in repetitions)
        drop_m = stdev(r.hip_drop_m for r in repetitions)
        said += [f"angle uneven (±{_degrees(angle_rad)})"] if angle_rad >= UNEVEN_ANGLE_RAD else []
        said += [f"depth uneven (±{100 * drop_m:.0f} cm)"] if drop_m >= UNEVEN_DROP_M else []
    return said


def _became_hinges(repetitions: Sequence[Repetition]) -> int | None:
    """Return the number of the first hinge of a set that began with two squats and ended with two hinges."""
    told = [r.pattern for r in repetitions if r.pattern is not Pattern.UNCERTAIN]
    squats = told.index(Pattern.HINGE) if Pattern.HINGE in told else len(told)
    clear = squats >= 2 and len(told) - squats >= 2 and Pattern.SQUAT not in told[squats:]
    return next(i for i, r in enumerate(repetitions, 1) if r.pattern is Pattern.HINGE) if clear else None


def _sinks(one_set: TrainingSet) -> bool:
    return fmean(r.hip_drop_m for r in one_set.repetitions) >= SPEED_DROP_M


def _speed(one_set: TrainingSet) -> float | None:
    """Return the mean upward speed of a set, m/s; None where the hip hardly sinks."""
    return fmean(r.mean_concentric_velocity_m_s for r in one_set.repetitions) if _sinks(one_set) else None


def _share_of_speed_lost(one_set: TrainingSet) -> float | None:
    """Return how much slower the last repetitions went up than the first; None where speed says nothing."""
    speeds = [r.mean_concentric_velocity_m_s for r in one_set.repetitions]
    count = 2 if len(speeds) >= SPEED_REPETITIONS else 1
    first, last = fmean(speeds[:count]), fmean(speeds[-count:])
    return 1 - last / first if _sinks(one_set) and len(speeds) > 1 and min(speeds) > 0 else None


def _flaws(replayed: Replayed) -> list[str]:
    """Return what was wrong with the rows of a recording."""
    gaps, faults = replayed.summary.gaps, replayed.summary.faults
    found = []
    if gaps:
        missing_s = sum(gap.end_s - gap.start_s for gap in gaps)
        found.append(f"{_number(len(gaps), 'gap')} ({missing_s:.1f} s without samples)")
    first = f" ({printable(replayed.first_unreadable)})" if replayed.first_unreadable else ""
    counts = (
        (replayed.rows_sorted, "late and put in order"),
        (replayed.rows_unreadable, f"unreadable{first}"),
        (faults.not_finite - replayed.rows_unreadable, "not finite"),
        (faults.repeated, "repeated"),
        (faults.out_of_order, "out of order and left out"),
        (faults.clipped, "at the end of the sensor's range"),
    )
    return found + [f"{_number(count, 'row')} {what}" for count, what in counts if count > 0]


# --- for people: many sessions ---------------------------------------------------------------------------------------


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
        self._flawed += bool(_flaws(replayed))
        self._rejected += summary.rejected
        name = self._short(replayed.name)
        name = name if len(name) <= self._name_width else "~" + name[-self._name_width + 1 :]
        squats, hinges, uncertain = (str(count or ".") for count in totals)
        text = Text(f"{name:{self._name_width}}{clock(summary.duration_s):>8}{len(summary.sets) or '.':>6}")
        text.append(f"{squats:>7}", style=_COLOUR[Pattern.SQUAT]).append(f"{hinges:>7}", style=_COLOUR[Pattern.HINGE])
        text.append(f"{uncertain:>11}{len(summary.rejected) or '.':>13}")
        return text.append("" if session_id is None else f"  session {session_id}")

    def closing(self, failed: int) -> Table:
        """Return what all recordings add up to; `failed` ones could not be read."""
        squats, hinges, uncertain = self._totals
        broken = f", {failed} could not be read" if failed else ""
        lines = [
            ("Recordings", f"{self._replayed}{broken}"),
            ("Counted", f"{counted(squats, hinges, uncertain)} in {_number(self._sets, 'set')}"),
        ]
        if squats + hinges:
            lines.append(("Load", load(squats, hinges)))
        lines += [("Not counted", text) for text in [reasons(self._rejected)] if text]
        if self._flawed:
            lines.append(("Data", f"{_number(self._flawed, 'recording')} with gaps or faulty rows: see --reps"))
        return labelled(lines)


def _common_folder(names: Sequence[str]) -> str:
    """Return the folder that all are in, empty if there is none."""
    try:
        return os.path.commonpath([Path(name).parent for name in names])
    except ValueError:  # some absolute and some relative, or on several drives
        return ""


def overview_table(overviews: Iterable[SessionOverview]) -> Table:
    """Return the list of the sessions kept."""
    table = _table("session", "trained", "min", "sets", "squat", "hinge", "uncertain")
    table.add_column("recording", overflow="fold")
    for overview in overviews:
        numbers = (overview.sets, overview.squats, overview.hinges, overview.uncertain)
        table.add_row(
            str(overview.id),
            f"{overview.trained_at.astimezone():%Y-%m-%d %H:%M}",
            clock(overview.duration_s),
            *(str(number or ".") for number in numbers),
            printable(overview.source.replace("\\", "/").rsplit("/", 1)[-1]),
        )
    return table


def balance_lines(balances: Iterable[Balance], days_since: dict[Pattern, int | None]) -> Table:
    """Return squats against hinges over the last days, and when each was last trained."""
    lines = [(f"{b.days} days", counted(b.squats, b.hinges, 0)) for b in balances]
    lines += [(f"Last {pattern}", _days_ago(days)) for pattern, days in days_since.items()]
    return labelled(lines)


# --- words -----------------------------------------------------------------------------------------------------------

_COLOUR = {Pattern.SQUAT: "cyan", Pattern.HINGE: "magenta", Pattern.UNCERTAIN: "dim", Pattern.MIXED: "yellow"}


def counted(squats: int, hinges: int, uncertain: int) -> str:
    """Return the squats, the hinges and their balance in words."""
    if not squats + hinges + uncertain:
        return "nothing"
    unsure = f", {uncertain} uncertain" if uncertain else ""
    return f"{_number(squats, 'squat')} : {_number(hinges, 'hinge')}{unsure}"


def load(squats: int, hinges: int) -> str:
    """Return where the load went: inferred from the pattern by the moments of Choe et al. 2021 (JSCR 35:1364)."""
    if squats >= MOSTLY * hinges:
        told = "more on the knee extensors (quadriceps), as in squats"
    elif hinges >= MOSTLY * squats:
        told = "more on the hip extensors (posterior chain), as in hinges"
    else:
        told = "on both knee extensors (quadriceps, by squats) and hip extensors (posterior chain, by hinges)"
    return f"{told}; inferred from the pattern (Choe et al. 2021), not measured"


def reasons(rejected: Sequence[RejectedMovement]) -> str:
    """Return how many movements were not counted and the commonest reasons; nothing if there is none."""
    counts = Counter(movement.reason for movement in rejected)
    alone = counts.pop("alone", 0)
    told = [f"{alone} alone (--min-reps 1 counts them)"] if alone else []
    told += [f"{count} {reason}" for reason, count in counts.most_common(REASONS)]
    others = sum(count for _, count in counts.most_common()[REASONS:])
    told += [f"{others} for other reasons"] if others else []
    return f"{len(rejected)}: {', '.join(told)}" if rejected else ""


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, or hours too; one that counts from 1970 as it is."""
    if not 0 <= seconds < 1e6:
        return f"{seconds:.1f}"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def printable(text: str) -> str:
    """Return a text from outside, such as a file's name, without what would steer the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def labelled(lines: Iterable[tuple[str, str]]) -> Table:
    """Return lines of a label and a text that wraps beside it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for label, text in lines:
        grid.add_row(label, Text(text))
    return grid


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "pattern" else "right", no_wrap=True)
    return table


def _tempo(repetitions: Sequence[Repetition]) -> str:
    phases = ("eccentric_s", "pause_s", "concentric_s")
    return "-".join(f"{fmean(getattr(r, phase) for r in repetitions):.1f}" for phase in phases)


def _degrees(angle_rad: float) -> str:
    return f"{math.degrees(angle_rad):.0f}°"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _days_ago(days: int | None) -> str:
    if days is None:
        return "never"
    return ("today", "yesterday")[days] if days in (0, 1) else f"{days} days ago"
