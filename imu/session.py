"""A session: blocks of samples in, events out, a summary at the end.

The only place that joins sensors and motion. Live training, replay and the virtual sensor differ in where the blocks
come from; what happens to them is here, once.
"""

from __future__ import annotations

from dataclasses import dataclass

from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.samples import Gap, RowFaults


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Repetitions without a rest between them.

    Attributes
    ----------
    repetitions : tuple of Repetition
        In the order of time; at least one.
    """

    repetitions: tuple[Repetition, ...]

    def __post_init__(self) -> None:
        """Check that there is something in the set.

        Raises
        ------
        ValueError
            If it is empty.
        """
        if not self.repetitions:
            raise ValueError("a set needs at least one repetition")

    @property
    def start_s(self) -> float:
        """Start of the first repetition on the device clock."""
        return self.repetitions[0].start_s

    @property
    def end_s(self) -> float:
        """End of the last repetition on the device clock."""
        return self.repetitions[-1].end_s

    @property
    def pattern(self) -> Pattern:
        """The pattern of four in five of the repetitions that have one, else mixed; uncertain if none has one."""
        squats = sum(r.pattern is Pattern.SQUAT for r in self.repetitions)
        hinges = sum(r.pattern is Pattern.HINGE for r in self.repetitions)
        if squats + hinges == 0:
            return Pattern.UNCERTAIN
        if squats >= 0.8 * (squats + hinges):
            return Pattern.SQUAT
        if hinges >= 0.8 * (squats + hinges):
            return Pattern.HINGE
        return Pattern.MIXED


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """What one session showed.

    Attributes
    ----------
    duration_s : float
        From the first to the last sample on the device clock.
    sampling_rate_hz : float or None
        Usual rate of the rows; ``None`` with fewer than two.
    samples : int
        Rows used.
    gaps : tuple of Gap
        Stretches without samples.
    faults : RowFaults
        Rows that were not usable as they came.
    sets : tuple of TrainingSet
        In the order of time.
    rejected : tuple of RejectedMovement
        Movements that were not counted, in the order of time.
    """

    duration_s: float
    sampling_rate_hz: float | None
    samples: int
    gaps: tuple[Gap, ...]
    faults: RowFaults
    sets: tuple[TrainingSet, ...]
    rejected: tuple[RejectedMovement, ...]

    def count(self, pattern: Pattern) -> int:
        """Return the number of repetitions of `pattern` in all sets."""
        return sum(r.pattern is pattern for s in self.sets for r in s.repetitions)
