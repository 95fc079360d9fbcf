"""The shifts that corrections taught -> facts for people, and a JSON object for programs."""

from __future__ import annotations

import math

from imu.motion.judge import JudgeParameters
from imu.motion.personal import LARGEST_SHIFT
from imu.report.words import number_of
from imu.store import KnownOfPerson
from imu.store.learning import LearnedShift

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
        ("LearnedShift from", from_what if learning.sessions else "nothing yet: no session was corrected"),
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
