"""Numbers and corrections -> the words in which people read them.

The same figure has the same words on every page. Pages for people show degrees without decimals; programs read the
numbers of :mod:`imu.report.objects`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from statistics import fmean
from typing import TYPE_CHECKING

from imu.motion.judge import JudgeParameters
from imu.motion.personal import LARGEST_SHIFT
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.session import SessionSummary
from imu.store import (
    AddRepetition,
    ChangePattern,
    Correction,
    DeleteRepetition,
    EnterLoad,
    LoggedCorrection,
    MergeSets,
    MoveRepetition,
    NameExercise,
    Scope,
    SplitSet,
    WriteNote,
)
from imu.store.corrections import KG_PER_LB

if TYPE_CHECKING:
    from imu.store.learning import KnownOfPerson, LearnedShift

MOSTLY = 2
"""One pattern takes most of the load from this many times the repetitions of the other."""
REASONS = 4
"""At most this many reasons for movements that were not counted stand on one line; `--reps` lists all movements."""

# --- a session -------------------------------------------------------------------------------------------------------


def counted(squats: int, hinges: int, uncertain: int) -> str:
    """Return the number of squats and hinges in words."""
    if not squats + hinges + uncertain:
        return "nothing"
    unsure = f", {uncertain} uncertain" if uncertain else ""
    return f"{number_of(squats, 'squat')} : {number_of(hinges, 'hinge')}{unsure}"


def load(squats: int, hinges: int) -> str:
    """Return where the load went, inferred from the pattern by the moments of Choe et al. 2021 (JSCR 35:1364)."""
    if squats >= MOSTLY * hinges:
        where = "more on the knee extensors (quadriceps), as in squats"
    elif hinges >= MOSTLY * squats:
        where = "more on the hip extensors (posterior chain), as in hinges"
    else:
        where = "on both knee extensors (quadriceps, by squats) and hip extensors (posterior chain, by hinges)"
    return f"{where}; inferred from the pattern (Choe et al. 2021), not measured"


def reasons(rejected: Sequence[RejectedMovement]) -> str:
    """Return how many movements were not counted and the commonest reasons; empty if there are no such movements."""
    counts = Counter(movement.reason for movement in rejected)
    alone = counts.pop("alone", 0)
    parts = [f"{alone} alone (imu replay --min-reps 1 counts them)"] if alone else []
    parts += [f"{count} {reason}" for reason, count in counts.most_common(REASONS)]
    others = sum(count for _, count in counts.most_common()[REASONS:])
    parts += [f"{others} for other reasons"] if others else []
    return f"{len(rejected)}: {', '.join(parts)}" if rejected else ""


def flaws(
    summary: SessionSummary,
    *,
    rows_sorted: int = 0,
    rows_unreadable: int = 0,
    first_unreadable: str | None = None,
    damaged: str | None = None,
) -> list[str]:
    """Return the faults of a recording and its rows; :class:`imu.report.replay.Replayed` explains the counts."""
    gaps, faults = summary.gaps, summary.faults
    sentences = [] if damaged is None else [printable(damaged)]
    if gaps:
        missing_s = sum(gap.end_s - gap.start_s for gap in gaps)
        sentences.append(f"{number_of(len(gaps), 'gap')} ({missing_s:.1f} s without samples)")
    first = f" ({printable(first_unreadable)})" if first_unreadable else ""
    counts = (
        (rows_sorted, "late and put in order"),
        (rows_unreadable, f"unreadable{first}"),
        (faults.not_finite - rows_unreadable, "not finite"),
        (faults.repeated, "repeated"),
        (faults.out_of_order, "out of order and left out"),
        (faults.clipped, "at the end of the sensor's range"),
    )
    return sentences + [f"{number_of(count, 'row')} {what}" for count, what in counts if count > 0]


# --- corrections -----------------------------------------------------------------------------------------------------


def log_line(logged: LoggedCorrection) -> str:
    """Return the effect of a correction, or why it was not applied."""
    sentence = sentence_of(logged.correction, logged.at)
    return sentence if logged.not_applied is None else f"not applied: {sentence} ({logged.not_applied})"


def sentence_of(correction: Correction, at: Sequence[str] = ()) -> str:
    """Return a correction in words, by the numbers of set and repetition where they are known, else by the time."""
    match correction:
        case AddRepetition(start_s=start_s, end_s=end_s, pattern=pattern):
            return f"{pattern} added from {clock(start_s)} to {clock(end_s)}"
        case MergeSets(time_s=time_s, later_s=later_s):
            ends = at if len(at) == 2 else (f"from {clock(time_s)}", f"to {clock(later_s)}")
            return f"sets {ends[0]} {'and ' if len(at) == 2 else ''}{ends[1]} merged"
        case SplitSet(time_s=time_s):
            return f"a new set begins at {place_in_words(at[0]) if at else clock(time_s)}"
    scope = getattr(correction, "scope", Scope.REPETITION)
    match correction:
        case DeleteRepetition():
            done = "deleted"
        case MoveRepetition(start_s=start_s, end_s=end_s):
            done = f"moved to {clock(start_s)}, {end_s - start_s:.1f} s long"
        case ChangePattern(pattern=pattern):
            done = f"is {'a ' if scope is Scope.REPETITION else ''}{pattern}"
        case NameExercise(exercise=exercise):
            done = "without a name" if exercise is None else f"is {entered(exercise, None, None)}"
        case EnterLoad(load_kg=load_kg, load_in_lb=in_lb):
            done = "without a load" if load_kg is None else f"with {weight(load_kg, in_lb=in_lb)}"
        case WriteNote(note=note):
            done = "without a note" if note is None else f"noted {entered(None, None, note)}"
    if not at:
        return f"{scope} at {clock(correction.time_s)} {done}"
    # the next repetition takes the number of one that is deleted: the time says which one it was
    when = f" (at {clock(correction.time_s)})" if isinstance(correction, DeleteRepetition) else ""
    return f"{place_in_words(at[0])}{when} {done}"


def file_name_of(recording: str) -> str:
    """Return the name of a recording's file without its folders, as on any system."""
    return recording.replace("\\", "/").rsplit("/", 1)[-1]


def place_in_words(place: str) -> str:
    """Return ``2`` as "set 2", and ``2/3`` as "repetition 3 of set 2"."""
    one_set, _, repetition = place.partition("/")
    return f"repetition {repetition} of set {one_set}" if repetition else f"set {one_set}"


def entered(exercise: str | None, load_kg: float | None, note: str | None, *, load_in_lb: bool = False) -> str:
    """Return exercise, load and note of a set or a repetition as one text; empty without any."""
    load_text = None if load_kg is None else weight(load_kg, in_lb=load_in_lb)
    name = ", ".join(text for text in (exercise, load_text) if text is not None)
    written = "" if note is None else f'"{note}"'
    return printable(" ".join(text for text in (name, written) if text).replace("\n", " / "))


def weight(load_kg: float, *, in_lb: bool = False) -> str:
    """Return a load with its unit, in the unit in which the person writes it."""
    return f"{in_unit(load_kg, in_lb=in_lb):g} {unit_of_load(in_lb=in_lb)}"


def in_unit(load_kg: float, *, in_lb: bool, decimals: int | None = None) -> float:
    """Return a load in kilograms or pounds: to 0.01 kg or 0.1 lb, which plates need, or to `decimals`."""
    usual = 1 if in_lb else 2
    return round(load_kg / KG_PER_LB if in_lb else load_kg, usual if decimals is None else decimals)


def unit_of_load(*, in_lb: bool) -> str:
    """Return the name of the unit."""
    return "lb" if in_lb else "kg"


def volume(volume_kg: float | None, *, in_lb: bool = False) -> str:
    """Return a volume (repetitions x load) in whole units, thousands apart; empty if nothing was lifted."""
    if volume_kg is None:
        return ""
    return thousands(f"{in_unit(volume_kg, in_lb=in_lb, decimals=0):,.0f} {unit_of_load(in_lb=in_lb)}")


def thousands(text: str) -> str:
    """Return a number with thin spaces in place of its commas."""
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}")


def sets_in_words(sets: Iterable[tuple[str, str, int]]) -> str:
    """Return sets in words: ``back squat 60 kg × 5, 100 kg × 5, 5; deadlift 140 kg × 3``.

    Parameters
    ----------
    sets : iterable of (str, str, int)
        Exercise or pattern, load with its unit or an empty text, and repetitions of each set.
    """
    exercises = []
    for exercise, same in groupby(sets, itemgetter(0)):
        loads = []
        for load_text, with_load in groupby(same, itemgetter(1)):
            loads.append(f"{load_text} × {', '.join(str(repetitions) for _, _, repetitions in with_load)}".strip())
        exercises.append(f"{printable(exercise)} {', '.join(loads)}")
    return "; ".join(exercises)


def bare_volume(volume_kg: float | None, *, in_lb: bool) -> str:
    """Return a volume without its unit, which stands in a heading."""
    return volume(volume_kg, in_lb=in_lb).rpartition(" ")[0]


# --- figures ---------------------------------------------------------------------------------------------------------


def sum_if_any(values: Iterable[float | None]) -> float | None:
    """Return the sum of the known values; ``None`` if none is known."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, or hours too; a time that counts from 1970 stays in seconds."""
    if not 0 <= seconds < 1e6:
        return f"{seconds:.1f}"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def tempo(repetitions: Sequence[Repetition]) -> str:
    """Return the mean seconds down, paused and up."""
    phases = ("eccentric_s", "pause_s", "concentric_s")
    return "-".join(f"{fmean(getattr(r, phase) for r in repetitions):.1f}" for phase in phases)


def degrees(angle_rad: float) -> str:
    """Return an angle in whole degrees."""
    return f"{math.degrees(angle_rad):.0f}°"


def number_of(count: int, noun: str) -> str:
    """Return a number with its noun, in the singular or plural."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def day_of(when: date | datetime, *, year: bool = False) -> str:
    """Return a day as ``Mon 30 Nov``, or with its year; a moment in this computer's time zone."""
    day = when.astimezone() if isinstance(when, datetime) else when
    return f"{day:%a} {short_day_of(day)} {day.year}" if year else f"{day:%a} {short_day_of(day)}"


def short_day_of(day: date) -> str:
    """Return a day of charts as ``30 Nov``."""
    return f"{day.day} {day:%b}"


def date_of(when: date | datetime) -> str:
    """Return a day as ``30 Nov 2026``."""
    return day_of(when, year=True).partition(" ")[2]


def days_ago(days: int | None) -> str:
    """Return how long ago a calendar day was; ``None`` means never."""
    if days is None:
        return "never"
    return ("today", "yesterday")[days] if days in (0, 1) else f"{days} days ago"


def printable(text: str) -> str:
    """Return a text from outside, such as a file name, without the characters that would steer the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


# --- a line of block characters --------------------------------------------------------------------------------------

BLOCKS = "▁▂▃▄▅▆▇█"
MISSING = "·"


def sparkline(values: Sequence[float | None], least_span: float = 0.0) -> str:
    """Return one block character for each value; a dot stands for a missing value.

    Parameters
    ----------
    values : sequence of float or None
        In the order in which they are shown.
    least_span : float
        Least difference between the lowest and the highest block. Values that differ by less than the measuring error
        must not look different, so they stand in the middle.
    """
    present = [value for value in values if value is not None]
    if not present:
        return MISSING * len(values)
    span = max(max(present) - min(present), least_span)
    lowest = (min(present) + max(present) - span) / 2
    return "".join(MISSING if value is None else BLOCKS[_level(value - lowest, span)] for value in values)


def _level(above: float, span: float) -> int:
    """Return the block of a value. Rounding gives equal values the same block despite the last digits of a sum."""
    return int(round(above / span * (len(BLOCKS) - 1), 6) + 0.5) if span else 0


# --- what corrections taught -----------------------------------------------------------------------------------------


USUAL, EVEN = JudgeParameters().least_probability, 0.5
"""Least probabilities without a shift: for a movement to count, and for a repetition to be a hinge."""


def least_probability(shift: float, usual: float) -> float:
    """Return the least probability, before the shift, that passes the `usual` threshold after a shift of log-odds."""
    return 1.0 / (1.0 + math.exp(shift) * (1.0 - usual) / usual)


def learned_facts(known: KnownOfPerson) -> list[tuple[str, str]]:
    """Return the learned shifts, the number of answers, and whether they are used, as pairs of a label and a text."""
    learning = known.learning
    from_what = number_of(learning.sessions, "session") + " that you corrected"
    facts = [
        ("Learned from", from_what if learning.sessions else "nothing yet: no session was corrected"),
        ("Pattern", _pattern(learning.hinge)),
        ("Counting", _counting(learning.counting)),
    ]
    if known.since is not None:
        facts.append(("Reset", f"{known.since.astimezone():%Y-%m-%d %H:%M}; sessions corrected before do not count"))
    facts.append(("Used", "in every training" if known.switched_on else "no, it is switched off"))
    return facts


def learned_object(known: KnownOfPerson) -> dict[str, object]:
    """Return the object that ``imu learning --json`` prints."""
    learning = known.learning
    return {
        "sessions": learning.sessions,
        "switched_on": known.switched_on,
        "since": None if known.since is None else known.since.isoformat(),
        "largest_shift": LARGEST_SHIFT,
        "hinge": _object(learning.hinge)
        | {"least_probability": round(least_probability(learning.hinge.shift, EVEN), 3)},
        "counting": _object(learning.counting)
        | {"least_probability": round(least_probability(learning.counting.shift, USUAL), 3)},
    }


def _object(learned: LearnedShift) -> dict[str, object]:
    return {
        "shift": learned.shift,
        "answers": learned.answers,
        "wrong_before": learned.wrong_before,
        "wrong_after": learned.wrong_after,
    }


def _pattern(learned: LearnedShift) -> str:
    least, most = (least_probability(shift, EVEN) for shift in (LARGEST_SHIFT, -LARGEST_SHIFT))
    bounds = f"{least:.2f} to {most:.2f} can be learned"
    if not learned.shift:
        return f"a repetition is a hinge if that is the likelier pattern, as for everyone ({bounds}){_why_not(learned)}"
    now = least_probability(learned.shift, EVEN)
    return (
        f"a repetition is a hinge with a probability of {now:.2f} or more (0.50 for others; {bounds}){_helped(learned)}"
    )


def _counting(learned: LearnedShift) -> str:
    usual, least, most = (least_probability(shift, USUAL) for shift in (0.0, LARGEST_SHIFT, -LARGEST_SHIFT))
    now = least_probability(learned.shift, USUAL)
    sentence = f"a movement counts if it is a repetition with a probability of {now:.2f} or more"
    compared = "as for everyone" if not learned.shift else f"{usual:.2f} for others"
    bounds = f"{compared}; {least:.2f} to {most:.2f} can be learned"
    return f"{sentence} ({bounds}){_helped(learned) if learned.shift else _why_not(learned)}"


def _helped(learned: LearnedShift) -> str:
    before = f". Of {learned.answers} that you looked at {_wrong(learned)}"
    return f"{before}; with what the rest of them teaches, {learned.wrong_after}"


def _why_not(learned: LearnedShift) -> str:
    if not learned.answers:
        return ""
    looked_at = f". Of {learned.answers} that you looked at"
    if not learned.wrong_before:
        return f"{looked_at} none was wrong"
    return f"{looked_at} {_wrong(learned)}, and no line within these bounds would have helped"


def _wrong(learned: LearnedShift) -> str:
    return f"{learned.wrong_before} {'was' if learned.wrong_before == 1 else 'were'} wrong"
