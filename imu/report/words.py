"""Numbers -> the words in which they are told to people.

Degrees are made here and in :mod:`imu.report.objects`, and nowhere else. This module refuses to know where anything
is printed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from imu.motion.repetitions import RejectedMovement, Repetition
from imu.session import SessionSummary

MOSTLY = 2
"""One pattern has most of the load with this many times the repetitions of the other."""
REASONS = 4
"""Of movements that were not counted, so many reasons are told; all stand in the list of --reps."""


def counted(squats: int, hinges: int, uncertain: int) -> str:
    """Return the squats, the hinges and their balance in words."""
    if not squats + hinges + uncertain:
        return "nothing"
    unsure = f", {uncertain} uncertain" if uncertain else ""
    return f"{number_of(squats, 'squat')} : {number_of(hinges, 'hinge')}{unsure}"


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
    told = [f"{alone} alone (imu replay --min-reps 1 counts them)"] if alone else []
    told += [f"{count} {reason}" for reason, count in counts.most_common(REASONS)]
    others = sum(count for _, count in counts.most_common()[REASONS:])
    told += [f"{others} for other reasons"] if others else []
    return f"{len(rejected)}: {', '.join(told)}" if rejected else ""


def flaws(
    summary: SessionSummary,
    *,
    rows_sorted: int = 0,
    rows_unreadable: int = 0,
    first_unreadable: str | None = None,
    damaged: str | None = None,
) -> list[str]:
    """Return what was wrong with a recording and with its rows, as :class:`imu.report.replay.Replayed` counts it."""
    gaps, faults = summary.gaps, summary.faults
    found = [] if damaged is None else [printable(damaged)]
    if gaps:
        missing_s = sum(gap.end_s - gap.start_s for gap in gaps)
        found.append(f"{number_of(len(gaps), 'gap')} ({missing_s:.1f} s without samples)")
    first = f" ({printable(first_unreadable)})" if first_unreadable else ""
    counts = (
        (rows_sorted, "late and put in order"),
        (rows_unreadable, f"unreadable{first}"),
        (faults.not_finite - rows_unreadable, "not finite"),
        (faults.repeated, "repeated"),
        (faults.out_of_order, "out of order and left out"),
        (faults.clipped, "at the end of the sensor's range"),
    )
    return found + [f"{number_of(count, 'row')} {what}" for count, what in counts if count > 0]


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


def tempo(repetitions: Sequence[Repetition]) -> str:
    """Return the mean seconds down, paused and up."""
    phases = ("eccentric_s", "pause_s", "concentric_s")
    return "-".join(f"{fmean(getattr(r, phase) for r in repetitions):.1f}" for phase in phases)


def degrees(angle_rad: float) -> str:
    """Return an angle in whole degrees."""
    return f"{math.degrees(angle_rad):.0f}°"


def number_of(count: int, noun: str) -> str:
    """Return how many there are of something, in the singular or plural."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def days_ago(days: int | None) -> str:
    """Return how long ago a day of the calendar was; ``None`` is never."""
    if days is None:
        return "never"
    return ("today", "yesterday")[days] if days in (0, 1) else f"{days} days ago"


def entered(exercise: str | None, load_kg: float | None, note: str | None) -> str:
    """Return what the person entered for a set or a repetition, empty if nothing."""
    weight = None if load_kg is None else f"{load_kg:g} kg"
    name = ", ".join(text for text in (exercise, weight) if text is not None)
    written = "" if note is None else f'"{note}"'
    return printable(" ".join(text for text in (name, written) if text).replace("\n", " / "))
