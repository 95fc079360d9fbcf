"""Rows in, movements and gaps out: the stages of this package, one behind the other.

Rows -> :mod:`~imu.motion.resampling` -> :mod:`~imu.motion.steps` -> :mod:`~imu.motion.orientation` ->
:mod:`~imu.motion.signals` -> :mod:`~imu.motion.movements`.
"""

from __future__ import annotations

from collections.abc import Iterator

from imu.motion.movements import Movement, MovementFinder, Posture
from imu.motion.orientation import OrientationFilter
from imu.motion.resampling import Resampler, is_bridged
from imu.motion.signals import MotionSignals, SignalBuilder
from imu.motion.steps import StepGatherer
from imu.samples import Gap, ImuBlock, RowFaults

CHUNK_ROWS = 8192
"""Large blocks become signals in pieces that stay in the processor's cache. Movements are then looked for in all of it:
going to and fro between the two would cost a tenth."""


class SignalTracker:
    """Rows -> signals and gaps. After a gap that is not bridged (see `is_bridged`) the filters start anew."""

    def __init__(self) -> None:
        self.resampler = Resampler()
        self._begin_segment()

    def _begin_segment(self) -> None:
        self._steps = StepGatherer()
        self._orientation = OrientationFilter()
        self._signals = SignalBuilder()

    def push(self, block: ImuBlock) -> Iterator[Gap | MotionSignals]:
        """Take the next rows, give what they make in order; to be run to its end."""
        for start in range(0, len(block), CHUNK_ROWS):
            for piece in self.resampler.push(block[start : start + CHUNK_ROWS]):
                if not isinstance(piece, Gap):
                    steps = self._steps.push(piece)
                    yield self._signals.push(steps, self._orientation.push(steps))
                    continue
                if not is_bridged(piece):
                    self._begin_segment()
                yield piece


class MovementTracker:
    """Find the movements and gaps in a stream; any cutting into blocks gives the same, with ``==``.

    A gap that is not bridged ends the movement that is going on.
    """

    def __init__(self) -> None:
        self._signals = SignalTracker()
        self._finder = MovementFinder()

    def push(self, block: ImuBlock) -> list[Gap | Movement]:
        """Take the next rows; return what they finish, in order."""
        found: list[Gap | Movement] = []
        signals: list[MotionSignals] = []
        for piece in self._signals.push(block):
            if not isinstance(piece, Gap):
                signals.append(piece)
                continue
            found += self._finder.push(signals)
            signals = []
            if not is_bridged(piece):
                found += self.finish()
            found.append(piece)
        found += self._finder.push(signals)
        return found

    def finish(self) -> list[Gap | Movement]:
        """End the stream; return the movement that this cuts short, if there is one."""
        movement = self._finder.interrupt()
        return [] if movement is None else [movement]

    def nothing_before(self, time_s: float) -> bool:
        """Return whether no movement can come any more that started at or before `time_s`."""
        return self._finder.nothing_before(time_s)

    @property
    def posture(self) -> Posture | None:
        """Where the hip is now; ``None`` before the first step."""
        return self._finder.posture

    @property
    def faults(self) -> RowFaults:
        """Rows that were not usable as they came."""
        return self._signals.resampler.faults

    @property
    def rows(self) -> int:
        """Rows used."""
        return self._signals.resampler.rows

    @property
    def span_s(self) -> tuple[float, float] | None:
        """Times of the first and the last row used; ``None`` before the first."""
        first, last = self._signals.resampler.first_s, self._signals.resampler.last_s
        return None if first is None or last is None else (first, last)
