"""A correction -> a sentence that says what it did, or why it does nothing."""

from __future__ import annotations

from imu.report.words import clock, entered
from imu.store import (
    AddRepetition,
    ChangePattern,
    Correction,
    DeleteRepetition,
    EnterLoad,
    LoggedCorrection,
    MergeSets,
    NameExercise,
    Scope,
    SplitSet,
    WriteNote,
)


def told(logged: LoggedCorrection) -> str:
    """Return what a correction did, or that it was not applied and why."""
    sentence = sentence_of(logged.correction)
    return sentence if logged.not_applied is None else f"not applied: {sentence} ({logged.not_applied})"


def sentence_of(correction: Correction) -> str:
    """Return a correction in words."""
    match correction:
        case DeleteRepetition(time_s=time_s):
            return f"repetition at {clock(time_s)} deleted"
        case AddRepetition(start_s=start_s, end_s=end_s, pattern=pattern):
            return f"{pattern} added from {clock(start_s)} to {clock(end_s)}"
        case SplitSet(time_s=time_s):
            return f"set split at {clock(time_s)}"
        case MergeSets(time_s=time_s, later_s=later_s):
            return f"sets from {clock(time_s)} to {clock(later_s)} merged"
        case ChangePattern(time_s=time_s, pattern=pattern, scope=scope):
            return f"{scope} at {clock(time_s)} is {'a ' if scope is Scope.REPETITION else ''}{pattern}"
        case NameExercise(time_s=time_s, exercise=exercise, scope=scope):
            done = "without a name" if exercise is None else f"is {entered(exercise, None, None)}"
        case EnterLoad(time_s=time_s, load_kg=load_kg, scope=scope):
            done = "without a load" if load_kg is None else f"with {entered(None, load_kg, None)}"
        case WriteNote(time_s=time_s, note=note, scope=scope):
            done = "without a note" if note is None else f"noted {entered(None, None, note)}"
    return f"{scope} at {clock(time_s)} {done}"
