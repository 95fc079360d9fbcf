"""The session store: what every session showed and what the person corrected, kept in one SQLite file.

- :mod:`~imu.store.sessions`: the store itself;
- :mod:`~imu.store.migrations`: how its file came to be as ``schema.sql`` describes it;
- :mod:`~imu.store.corrections`: the kinds of corrections;
- :mod:`~imu.store.applying`: a measured summary and corrections -> what counts (:mod:`~imu.store.corrected`);
- :mod:`~imu.store.learning`: corrected sessions -> what is learnt of the person.
"""

from imu.store.applying import apply_corrections
from imu.store.corrected import (
    CorrectedRepetition,
    CorrectedSession,
    CorrectedSet,
    LoggedCorrection,
)
from imu.store.corrections import (
    AddRepetition,
    ChangePattern,
    Correction,
    CorrectionRefused,
    DeleteRepetition,
    EnterLoad,
    MergeSets,
    NameExercise,
    Scope,
    SplitSet,
    WriteNote,
)
from imu.store.migrations import MIGRATIONS
from imu.store.recordings import hash_of
from imu.store.sessions import SessionStore
from imu.store.stored import Balance, KnownOfPerson, PatternTotals, SessionOverview, StoredSession

__all__ = [
    "MIGRATIONS",
    "AddRepetition",
    "Balance",
    "ChangePattern",
    "CorrectedRepetition",
    "CorrectedSession",
    "CorrectedSet",
    "Correction",
    "CorrectionRefused",
    "DeleteRepetition",
    "EnterLoad",
    "KnownOfPerson",
    "LoggedCorrection",
    "MergeSets",
    "NameExercise",
    "PatternTotals",
    "Scope",
    "SessionOverview",
    "SessionStore",
    "SplitSet",
    "StoredSession",
    "WriteNote",
    "apply_corrections",
    "hash_of",
]
