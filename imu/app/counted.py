"""What was counted in a recording, whoever counted it: our session or the naive script.

Scoring sees only these values, so both are scored by the same lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imu.motion.repetitions import JudgeParameters
from imu.samples import ImuBlock
from imu.session import Session, SessionParameters, SessionSummary


@dataclass(frozen=True, slots=True)
class Counted:
    """One counted repetition; what the counter does not measure is None.

    Attributes
    ----------
    start_s, bottom_s, end_s : float
        Leaving standing, turning point, standing again; on the recording's axis.
    pattern : str
        ``squat``, ``hinge`` or ``uncertain``.
    confidence : float or None
        Probability that the pattern is right.
    confirmed_s : float or None
        When it was announced; None for a counter that needs the whole recording.
    trunk_angle_rad, hip_drop_m, mean_concentric_velocity_m_s, peak_concentric_velocity_m_s : float or None
        As in :class:`imu.motion.repetitions.Repetition`.
    """

    start_s: float
    bottom_s: float
    end_s: float
    pattern: str
    confidence: float | None = None
    confirmed_s: float | None = None
    trunk_angle_rad: float | None = None
    hip_drop_m: float | None = None
    mean_concentric_velocity_m_s: float | None = None
    peak_concentric_velocity_m_s: float | None = None


@dataclass(frozen=True, slots=True)
class CountedSets:
    """The sets that were counted in one recording, and how long it lasts."""

    duration_s: float
    sets: tuple[tuple[Counted, ...], ...]

    @property
    def repetitions(self) -> tuple[Counted, ...]:
        """All repetitions of all sets."""
        return tuple(repetition for one_set in self.sets for repetition in one_set)


def count(blocks: Iterable[ImuBlock], least_repetitions: int, judge: JudgeParameters | None = None) -> CountedSets:
    """Return what our session counts in `blocks`; `judge` None is the fitted one."""
    parameters = SessionParameters(least_repetitions=least_repetitions, judge=judge)
    session = Session(parameters, check_units=False)  # read from a file, which was judged then, or simulated
    for block in blocks:
        session.push(block)
    return counted_sets(session.finish()[1])


def counted_sets(summary: SessionSummary) -> CountedSets:
    """Return what a session has counted."""
    sets = tuple(
        tuple(
            Counted(
                start_s=repetition.start_s,
                bottom_s=repetition.bottom_s,
                end_s=repetition.end_s,
                pattern=str(repetition.pattern),
                confidence=repetition.confidence,
                confirmed_s=repetition.confirmed_s,
                trunk_angle_rad=repetition.trunk_angle_rad,
                hip_drop_m=repetition.hip_drop_m,
                mean_concentric_velocity_m_s=repetition.mean_concentric_velocity_m_s,
                peak_concentric_velocity_m_s=repetition.peak_concentric_velocity_m_s,
            )
            for repetition in one_set.repetitions
        )
        for one_set in summary.sets
    )
    return CountedSets(summary.duration_s, sets)
