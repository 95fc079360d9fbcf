"""What was learnt of a person -> words for people, and an object for programs."""

from __future__ import annotations

import math

from imu.app.report.words import degrees, number_of
from imu.motion.personal import LARGEST_SHIFT
from imu.motion.repetitions import JudgeParameters
from imu.store import KnownOfPerson
from imu.store.learning import Learnt


def lean_rad(hinge_shift: float) -> float:
    """Return how much further a person has to lean to be told a hinge, by a shift of its log-odds."""
    weights = JudgeParameters().pattern
    return 0.0 - hinge_shift / (weights.per_rad_of_peak + weights.per_rad_at_bottom)


def least_probability(counting_shift: float) -> float:
    """Return the probability, as other people are judged, from which a movement of this person counts."""
    usual = JudgeParameters().least_probability
    return 1.0 / (1.0 + math.exp(counting_shift) * (1.0 - usual) / usual)


def learnt_facts(known: KnownOfPerson) -> list[tuple[str, str]]:
    """Return what was learnt, what from, and whether it is used, each as a label and a text."""
    learning = known.learning
    facts = [("Learnt from", number_of(learning.sessions, "session") + " that you corrected")]
    if not learning.sessions:
        facts = [("Learnt", "nothing yet: put right what was counted or told wrongly, and trainings follow it")]
    else:
        facts += [("Pattern", _pattern(learning.hinge)), ("Counting", _counting(learning.counting))]
    if known.since is not None:
        facts.append(("Reset", f"{known.since.astimezone():%Y-%m-%d %H:%M}; what was corrected before does not count"))
    facts.append(("Used", "in every training" if known.switched_on else "no, it is switched off"))
    return facts


def learnt_object(known: KnownOfPerson) -> dict[str, object]:
    """Return what ``imu learning --json`` prints."""
    learning = known.learning
    return {
        "sessions": learning.sessions,
        "switched_on": known.switched_on,
        "since": None if known.since is None else known.since.isoformat(),
        "largest_shift": LARGEST_SHIFT,
        "hinge": _object(learning.hinge) | {"further_lean_deg": round(math.degrees(lean_rad(learning.hinge.shift)), 1)},
        "counting": _object(learning.counting)
        | {"least_probability": round(least_probability(learning.counting.shift), 3)},
    }


def _object(learnt: Learnt) -> dict[str, object]:
    return {
        "shift": learnt.shift,
        "answers": learnt.answers,
        "wrong_before": learnt.wrong_before,
        "wrong_after": learnt.wrong_after,
    }


def _pattern(learnt: Learnt) -> str:
    if not learnt.shift:
        return f"told as of anybody; {_why_not(learnt)}"
    more = "further" if learnt.shift < 0 else "less far"
    most = degrees(abs(lean_rad(LARGEST_SHIFT)))
    told = f"you lean {degrees(abs(lean_rad(learnt.shift)))} {more} than others before it is told a hinge"
    return f"{told} (at most {most} are learnt); {_helped(learnt)}"


def _counting(learnt: Learnt) -> str:
    if not learnt.shift:
        return f"as for anybody; {_why_not(learnt)}"
    usual, most = least_probability(0.0), least_probability(math.copysign(LARGEST_SHIFT, learnt.shift))
    told = f"a movement counts from a probability of {least_probability(learnt.shift):.2f} instead of {usual:.2f}"
    return f"{told} (at {'least' if learnt.shift > 0 else 'most'} {most:.2f}); {_helped(learnt)}"


def _helped(learnt: Learnt) -> str:
    before = f"of your {number_of(learnt.answers, 'answer')} {learnt.wrong_before} went against the program"
    return f"{before}, {learnt.wrong_after} with what the others of them teach"


def _why_not(learnt: Learnt) -> str:
    if not learnt.wrong_before:
        return "nothing was wrong"
    return (
        f"{learnt.wrong_before} of your {number_of(learnt.answers, 'answer')} went against the program, and no "
        "other threshold would have helped"
    )
