"""Rows in, movements and gaps out: the stages of this package, one behind the other.

Rows -> :mod:`~imu.motion.resampling` -> :mod:`~imu.motion.orientation` -> :mod:`~imu.motion.signals` ->
:mod:`~imu.motion.movements`.
"""

from __future__ import annotations

from imu.motion.movements import Movement, MovementFinder, Posture
from imu.motion.orientation import OrientationFilter
from imu.motion.resampling import BRIDGED_HOLE_S, Resampler
from imu.motion.signals import MotionSignals, SignalBuilder
from imu.samples import Gap, ImuBlock, RowFaults

CHUNK_ROWS = 8192
"""Large blocks become signals in pieces that stay in the processor's cache. Movements are then looked for in all of it:
going to and fro between the two would cost a tenth."""


class MovementTracker:
    """Find the movements and gaps in a stream; any cutting into blocks gives the same, with ``==``.

    A gap longer than :data:`~imu.motion.resampling.BRIDGED_HOLE_S` ends the movement that is going on, and the
    filters start anew.
    """

    def __init__(self) -> None:
        self._resampler = Resampler()
        self._finder = MovementFinder()
        self._begin_segment()

    def _begin_segment(self) -> None:
        self._orientation = OrientationFilter()
        self._signals = SignalBuilder()

    def push(self, block: ImuBlock) -> list[Gap | Movement]:
        """Take the next rows; return what they finish, in order."""
        found: list[Gap | Movement] = []
        signals: list[MotionSignals] = []
        for start in range(0, len(block), CHUNK_ROWS):
            for piece in self._resampler.push(block[start : start + CHUNK_ROWS]):
                if not isinstance(piece, Gap):
                    signals.append(self._signals.push(piece, self._orientation.push(piece)))
                    continue
                found += self._finder.push(signals)
                signals = []
                if piece.end_s - piece.start_s > BRIDGED_HOLE_S:
                    found += self.finish()
                    self._begin_segment()
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
        return self._resampler.faults

    @property
    def rows(self) -> int:
        """Rows used."""
        return self._resampler.rows

    @property
    def span_s(self) -> tuple[float, float] | None:
        """Times of the first and the last row used; ``None`` before the first."""
        first, last = self._resampler.first_s, self._resampler.last_s
        return None if first is None or last is None else (first, last)
