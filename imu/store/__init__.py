"""The session store: measurements, plans and corrections, in one SQLite file.

- `sessions` is the store, `database` its file and rows, `schema.sql` its tables, `totals` its sums;
- `exercises` lists the known squats and hinges;
- `corrections` are the kinds of corrections, `corrected_session` applies them, `learning` learns from them;
- `backup` writes everything to one file and brings it back; `home` says where things are.
"""

import importlib

from imu.store.corrected_session import (
    CorrectedRepetition,
    CorrectedSession,
    CorrectedSet,
    LoggedCorrection,
    PlannedSet,
    apply_corrections,
)
from imu.store.corrections import (
    AddRepetition,
    ChangePattern,
    Correction,
    CorrectionRefused,
    DeleteRepetition,
    EnterLoad,
    MergeSets,
    MoveRepetition,
    NameExercise,
    Scope,
    SplitSet,
    WriteNote,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from imu.store.home import hash_of
    from imu.store.learning import KnownOfPerson
    from imu.store.sessions import SessionStore, StoredSession
    from imu.store.totals import Balance, ExerciseSet, PatternTotals, SessionOverview

_HOME = {
    "learning": ("KnownOfPerson",),
    "home": ("hash_of",),
    "sessions": ("SessionStore", "StoredSession"),
    "totals": ("Balance", "ExerciseSet", "PatternTotals", "SessionOverview"),
}
"""Module -> the names that it lends to this one when they are first used: a replay needs no SQLite."""

__all__ = [
    "AddRepetition", "Balance", "ChangePattern", "CorrectedRepetition", "CorrectedSession", "CorrectedSet",
    "Correction", "CorrectionRefused", "DeleteRepetition", "EnterLoad", "ExerciseSet", "KnownOfPerson",
    "LoggedCorrection", "MergeSets", "MoveRepetition", "NameExercise", "PatternTotals", "PlannedSet", "Scope",
    "SessionOverview", "SessionStore", "SplitSet", "StoredSession", "WriteNote", "apply_corrections", "hash_of",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Load a name when it is first used (PEP 562)."""
    for module, names in _HOME.items():
        if name in names:
            value: object = getattr(importlib.import_module(f"imu.store.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'imu.store' has no attribute {name!r}")
