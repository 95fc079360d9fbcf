"""What a counter finds in a recording, and what our session finds.

Scoring sees only these values, so our session and the naive scripts are scored by the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass

from imu.motion.judge import JudgeParameters
from imu.motion.repetitions import Repetition
from imu.samples import ImuBlock
from imu.session import ALONE, Session, SessionParameters, SessionSummary


@dataclass(frozen=True, slots=True)
class Counted:
    """One counted repetition; what the counter does not measure is None.

    Attributes
    ----------
    start_s, bottom_s, end_s : float
        Leaving standing, turning point, standing again; on the recording's axis.
    pattern : str
        ``squat``, ``hinge`` or ``uncertain``.
    in_set : bool
        Whether it belongs to a set; otherwise it is a lone movement.
    confidence : float or None
        Probability that the pattern is right.
    confirmed_s : float or None
        When it was announced; None for a counter that needs the whole recording.
    trunk_angle_rad, hip_drop_m, eccentric_s, pause_s, concentric_s : float or None
        As in :class:`imu.motion.repetitions.Repetition`.
    mean_concentric_velocity_m_s, peak_concentric_velocity_m_s : float or None
        As in :class:`imu.motion.repetitions.Repetition`.
    """

    start_s: float
    bottom_s: float
    end_s: float
    pattern: str
    in_set: bool = True
    confidence: float | None = None
    confirmed_s: float | None = None
    trunk_angle_rad: float | None = None
    hip_drop_m: float | None = None
    eccentric_s: float | None = None
    pause_s: float | None = None
    concentric_s: float | None = None
    mean_concentric_velocity_m_s: float | None = None
    peak_concentric_velocity_m_s: float | None = None


@dataclass(frozen=True, slots=True)
class CountedSets:
    """The sets and the lone movements that were counted in one recording, and how long the recording is."""

    duration_s: float
    sets: tuple[tuple[Counted, ...], ...]
    lone: tuple[Counted, ...] = ()

    @property
    def repetitions(self) -> tuple[Counted, ...]:
        """All repetitions of all sets."""
        return tuple(repetition for one_set in self.sets for repetition in one_set)

    @property
    def announced(self) -> tuple[Counted, ...]:
        """The repetitions of all sets and the lone movements, in the order of time."""
        return tuple(sorted((*self.repetitions, *self.lone), key=lambda repetition: repetition.start_s))


def count(block: ImuBlock, judge: JudgeParameters | None = None) -> CountedSets:
    """Return what our session counts in `block`; `judge` None stands for the shipped weights."""
    session = Session(SessionParameters(judge=judge), check_units=False)  # read from a file, judged there, or simulated
    session.push(block)
    return counted_sets(session.finish()[1])


def counted_sets(summary: SessionSummary) -> CountedSets:
    """Return what a session has counted."""
    sets = tuple(tuple(_counted(repetition) for repetition in one_set.repetitions) for one_set in summary.sets)
    lone = tuple(
        _counted(movement.repetition, in_set=False)
        for movement in summary.rejected
        if movement.reason == ALONE and movement.repetition is not None
    )
    return CountedSets(summary.duration_s, sets, lone)


def _counted(repetition: Repetition, *, in_set: bool = True) -> Counted:
    return Counted(
        start_s=repetition.start_s,
        bottom_s=repetition.bottom_s,
        end_s=repetition.end_s,
        pattern=str(repetition.pattern),
        in_set=in_set,
        confidence=repetition.confidence,
        confirmed_s=repetition.confirmed_s,
        trunk_angle_rad=repetition.trunk_angle_rad,
        hip_drop_m=repetition.hip_drop_m,
        eccentric_s=repetition.eccentric_s,
        pause_s=repetition.pause_s,
        concentric_s=repetition.concentric_s,
        mean_concentric_velocity_m_s=repetition.mean_concentric_velocity_m_s,
        peak_concentric_velocity_m_s=repetition.peak_concentric_velocity_m_s,
    )
