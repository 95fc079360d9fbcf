"""What the store gives back, as values, and how it writes moments down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from imu.motion.pattern import Pattern
from imu.motion.personal import PersonalShift
from imu.session import SessionSummary
from imu.store.corrected import CorrectedSession
from imu.store.corrections import Correction
from imu.store.learning import Learning


@dataclass(frozen=True, slots=True)
class SessionOverview:
    """One line of the list of sessions.

    Attributes
    ----------
    id : int
        Number of the session; never given to another one, even once it is deleted.
    saved_at, trained_at : datetime
        When it was saved first; when it was recorded, or where the recording does not say, `saved_at`. UTC.
    source : str
        Path of the recording when it was last saved.
    duration_s : float
        From the first to the last sample.
    sets, squats, hinges, uncertain : int
        Sets, and repetitions in them by pattern; as corrected.
    corrections : int
        How many corrections count.
    """

    id: int
    saved_at: datetime
    trained_at: datetime
    source: str
    duration_s: float
    sets: int
    squats: int
    hinges: int
    uncertain: int
    corrections: int


@dataclass(frozen=True, slots=True)
class StoredSession:
    """One session as it was measured and as it counts.

    Attributes
    ----------
    id : int
        Number of the session.
    content_hash : str
        SHA-256 of the recording, see `hash_of`.
    source : str
        Path of the recording when it was last saved.
    saved_at : datetime
        When it was saved first, UTC.
    started_at : datetime or None
        When it was recorded, UTC; ``None`` where the recording does not say.
    software_version : str
        Of the program that measured `summary`.
    summary : SessionSummary
        What was measured, equal (``==``) to the one that was saved.
    corrected : CorrectedSession
        What counts: `summary` with the person's corrections.
    undone : tuple of Correction
        Corrections that were undone and can be made again, the next one last.
    """

    id: int
    content_hash: str
    source: str
    saved_at: datetime
    started_at: datetime | None
    software_version: str
    summary: SessionSummary
    corrected: CorrectedSession
    undone: tuple[Correction, ...]

    @property
    def trained_at(self) -> datetime:
        """When it was recorded, or where the recording does not say, when it was saved first. UTC."""
        return self.saved_at if self.started_at is None else self.started_at


@dataclass(frozen=True, slots=True)
class KnownOfPerson:
    """What was learnt of the person from corrections.

    Attributes
    ----------
    learning : Learning
        What the corrections say.
    switched_on : bool
        Whether trainings are judged with it.
    since : datetime or None
        Sessions corrected until then are not learnt from: the person reset it. UTC.
    """

    learning: Learning = field(default_factory=Learning)
    switched_on: bool = True
    since: datetime | None = None

    @property
    def shift(self) -> PersonalShift:
        """What trainings are judged with."""
        return self.learning.shift if self.switched_on else PersonalShift()


@dataclass(frozen=True, slots=True)
class Balance:
    """Squats against hinges over the last days.

    Attributes
    ----------
    days : int
        How many times 24 hours back.
    squats, hinges : int
        Repetitions in sets, as corrected; uncertain ones are in neither.
    """

    days: int
    squats: int
    hinges: int


@dataclass(frozen=True, slots=True)
class PatternTotals:
    """What one session has of one pattern, as corrected.

    Attributes
    ----------
    session_id : int
        Number of the session.
    trained_at : datetime
        When it was recorded, or where the recording does not say, when it was saved first. UTC.
    recorded_at_known : bool
        Whether the recording says when it was made.
    duration_s : float
        Of the session.
    pattern : Pattern
        Squat, hinge or uncertain.
    sets : int
        Sets of this pattern; mixed ones count for none.
    repetitions : int
        Repetitions of this pattern, in sets of any.
    measured : int
        Those of them of which there are figures.
    trunk_angle_sum_rad, hip_drop_sum_m : float
        Sums over the measured ones.
    with_speed : int
        Those of the measured ones that sink far enough for their speed to be told.
    speed_sum_m_s : float
        Sum of their mean concentric velocities.
    """

    session_id: int
    trained_at: datetime
    recorded_at_known: bool
    duration_s: float
    pattern: Pattern
    sets: int
    repetitions: int
    measured: int
    trunk_angle_sum_rad: float
    hip_drop_sum_m: float
    with_speed: int
    speed_sum_m_s: float


def to_text(moment: datetime) -> str:
    """Return a moment as UTC text of one length, whose order is that in time.

    Raises
    ------
    ValueError
        If it has no time zone.
    """
    if moment.utcoffset() is None:
        raise ValueError(f"a time needs a time zone, got {moment!r}")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def from_text(text: str) -> datetime:
    """Return the moment that `to_text` wrote down.

    Raises
    ------
    ValueError
        If it is none.
    """
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError(f"a time needs a time zone, got {text!r}")
    return moment
