"""Rows in; gaps, possible repetitions and other movements out: the stages of this package, one behind the other.

Rows -> :mod:`~imu.motion.resampling` -> :mod:`~imu.motion.signals` -> :mod:`~imu.motion.features` ->
:mod:`~imu.motion.network` -> :mod:`~imu.motion.decoder`, which says where repetitions may have ended. Each becomes a
:class:`~imu.motion.form.Candidate` with the signals and the standing posture by which it is measured. Activity that no
repetition explains becomes a candidate too, so that nothing of size disappears.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from imu.motion.decoder import (
    END,
    LEAST_APART,
    LEAST_DURATION_S,
    LONGEST_DURATION_S,
    OVERLAP,
    PREAMBLE_S,
    Activity,
    Calm,
    Decoder,
    Ending,
    Stir,
    going_on,
)
from imu.motion.features import FEATURES, FeatureBuilder
from imu.motion.form import APPROACH_S, Candidate, Posture, posture_of
from imu.motion.height import SensorErrors, Standing
from imu.motion.network import Network, NetworkStream
from imu.motion.resampling import Resampler, is_bridged
from imu.motion.signals import SAME_TIME_S, MotionSignals, SignalBuilder, chord_between, steps_in
from imu.motion.standing import (
    REST_S,
    STANDING_SEARCH_S,
    RestingPostures,
    StandingPostures,
    standing_before,
)
from imu.motion.wearing import SensorLever
from imu.samples import Array, Gap, ImuBlock, RowFaults

CHUNK_ROWS = 8192
"""Large blocks become signals in pieces that stay in the processor's cache."""

KEPT_S = 60.0
"""Signals are kept for this long: an activity of half a minute, and the rest before it. How much older
ones are still there depends on the blocks, so nothing may be measured by them."""

LEAD_S = 0.5
"""A repetition that does not follow another is measured from this long before its estimated start."""

TOUCHING_S = 0.62
"""A repetition whose estimated start is this near to the end of the one before begins there."""

OTHER_START_S = 0.62
"""Where the start of movement and the duration that the network gives disagree by more, both are measured."""

ONE_SET_S = 12.0
"""Rests between repetitions that are nearer than this show a braced posture; so does `imu.session` divide sets."""

SAME_SET_S = 6.0
"""Within this time after a repetition the next one is measured from the same standing posture: between repetitions
people stay 14-25° forward, braced (`squat_sets`), and a pause there is no standing."""

NO_STANDING_RAD = math.radians(60)
"""Within a set standing stays what it was, unless a repetition begins in a posture further than this from it."""

KNOWN_S, CHANGED_POSTURE_RAD = 60.0, math.radians(45)
"""After a gap the posture of the last repetition is standing for this long, where the stream goes on in another one: a
gap at the bottom of a hinge must not make standing of it."""

FAR_TILT = 2.0 * 0.35
"""Beyond this value of the feature `tilt_from_quiet`, 20° from the usual posture, the hip is active."""

FAR_HEIGHT = 2.0 * 0.2
"""Beyond this value of the feature `height_3_s`, 0.2 m up or down within some seconds, it is too: sitting down."""

SURE_LOG_ODDS = -2.0
"""Shortly after a repetition an ending below this, 12 %, is left out: in a set the network sees endings well, and low
peaks are parts of repetitions. With them 474 instead of 484 of 545 simulated sets are exact."""

NO_TOPS: Array = np.empty((0, 3))

EXPLAINED_S = 0.3
"""Movement up to this long before and after a repetition belongs to it."""

LEAST_MOVEMENT_S, LEAST_CUT_SHORT_S, LONGEST_MOVEMENT_S = 0.8, 0.4, 20.0
"""Unexplained activity is reported if it is this long, also where a gap cut it short; of a longer one the last part is
measured."""


class SignalTracker:
    """Rows -> signals and gaps. After a gap that is not bridged (see `is_bridged`) the filters start again."""

    def __init__(self) -> None:
        self.resampler = Resampler()
        self._signals = SignalBuilder()

    def push(self, block: ImuBlock) -> Iterator[Gap | MotionSignals]:
        """Take the next rows, give what they make in order; to be run to its end."""
        for start in range(0, len(block), CHUNK_ROWS):
            for piece in self.resampler.push(block[start : start + CHUNK_ROWS]):
                if not isinstance(piece, Gap):
                    yield self._signals.push(piece)
                    continue
                if not is_bridged(piece):
                    self._signals = SignalBuilder()
                yield piece


def stretches(blocks: Iterable[ImuBlock]) -> Iterator[MotionSignals]:
    """Give the signals of each stretch of a recording without a gap that is not bridged."""
    tracker = SignalTracker()
    signals: list[MotionSignals] = []
    for block in blocks:
        for piece in tracker.push(block):
            if not isinstance(piece, Gap):
                signals.append(piece)
            elif not is_bridged(piece):
                if any(len(part) for part in signals):
                    yield MotionSignals.joined(signals)
                signals = []
    if any(len(part) for part in signals):
        yield MotionSignals.joined(signals)


class RowsUsed(NamedTuple):
    """The rows so far: how many were used, the times of the first and the last one, and the faults of the others."""

    rows: int = 0
    span_s: tuple[float, float] | None = None
    faults: RowFaults = RowFaults()


@dataclass(frozen=True, slots=True, eq=False)
class NetworkOutput:
    """Signals, and the network's output over them.

    Attributes
    ----------
    signals : MotionSignals or None
        The next steps; ``None`` at the end of a segment.
    time_s : (n,) array
        End of each of the network's rows.
    log_odds : (2, n) array
        That a repetition has just ended, and that one goes on.
    items : tuple of Ending, Stir, Calm and Activity
        In the order of their times.
    settled_s : float
        No later repetition can have begun before this.
    """

    signals: MotionSignals | None
    time_s: Array
    log_odds: Array
    items: tuple[Ending | Stir | Calm | Activity, ...]
    settled_s: float


Piece = NetworkOutput | Gap | RowsUsed


class NetworkStage:
    """Rows -> signals, the network's output, and the endings in it.

    It depends on no decision of the judge, so that another process can run ahead with it (:mod:`imu.report.replay`).
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._signals = SignalTracker()
        self._begin_segment()

    def _begin_segment(self) -> None:
        self._features, self._stream, self.decoder = FeatureBuilder(), NetworkStream(self._network), Decoder()

    def push(self, block: ImuBlock) -> Iterator[Piece]:
        """Take the next rows, give their output in order; to be run to its end."""
        for piece in self._signals.push(block):
            if not isinstance(piece, Gap):
                if len(piece):
                    yield self._output(piece)
                continue
            if not is_bridged(piece):
                yield from self.finish()
                self._begin_segment()
            yield piece
        rows = self._signals.resampler
        span_s = None if rows.first_s is None or rows.last_s is None else (rows.first_s, rows.last_s)
        yield RowsUsed(rows.rows, span_s, rows.faults)

    def _output(self, signals: MotionSignals) -> NetworkOutput:
        time_s, features = self._features.push(signals)
        logits = self._stream.push(features)
        far = features[FEATURES.index("tilt_from_quiet")] > FAR_TILT
        far |= np.abs(features[FEATURES.index("height_3_s")]) > FAR_HEIGHT
        items = tuple(sorted(self.decoder.push(time_s, logits, far), key=lambda item: item.seen_s))
        log_odds = np.array([logits[:, END], going_on(logits)], dtype=np.float64)
        return NetworkOutput(signals, time_s, log_odds, items, self.decoder.settled_s)

    def finish(self) -> Iterator[NetworkOutput]:
        """End the segment; give the movements that were still going on."""
        yield NetworkOutput(None, np.empty(0), np.empty((2, 0)), tuple(self.decoder.finish()), self.decoder.settled_s)


@dataclass(frozen=True, slots=True, eq=False)
class TrackerItem:
    """A gap or a possible repetition in the stream.

    Attributes
    ----------
    item : Gap or Candidate
        The item.
    settled_s : float
        No repetition that began before this can come after the item.
    others : iterable of Candidate
        The same repetition with each other time at which it may have begun; made when they are looked at.
    """

    item: Gap | Candidate
    settled_s: float
    others: Iterable[Candidate] = ()


class MotionTracker:
    """Find candidates and gaps in a stream; any cutting into blocks gives the same, with ``==``.

    Parameters
    ----------
    network : Network
        Says where repetitions end.
    """

    def __init__(self, network: Network) -> None:
        self._stage = NetworkStage(network)
        self.rows_used = RowsUsed()
        self._errors: SensorErrors | None = None
        self._rests = RestingPostures()
        self._postures: Callable[[], StandingPostures] = partial(StandingPostures.of, NO_TOPS)  # of the set going on
        self._tops = NO_TOPS
        self._lever = SensorLever()
        self._upright: tuple[float, Array] | None = None  # when a repetition last counted, and how the person stood
        self.settled_s = -math.inf  # no later repetition can have begun before this
        self._begin_segment()

    def _begin_segment(self) -> None:
        self._kept: MotionSignals | None = None
        self._began_s = math.inf  # end of the segment's first step
        self._log_odds: deque[tuple[Array, Array]] = deque()  # of the network's rows, with their times
        self._standing: Standing | None = None  # of the set going on
        self._last_end_s = self._last_seen_end_s = -math.inf  # of the last repetition: as measured, by the network
        self._explained: list[tuple[float, float]] = []  # spans of recent movements
        self._frozen_s: float | None = None

    def push(self, block: ImuBlock) -> Iterator[TrackerItem]:
        """Take the next rows; give what they finish, in order. To be run to its end.

        Later candidates depend on the caller's decision on this one: call `place` and `explain` before going on.
        """
        return self.take(self._stage.push(block))

    def finish(self) -> Iterator[TrackerItem]:
        """End the stream; give the movements that were still going on."""
        return self.take(self._stage.finish())

    def take(self, pieces: Iterable[Piece]) -> Iterator[TrackerItem]:
        """Take the output of a `NetworkStage`, of this tracker or of another process; as `push`."""
        for piece in pieces:
            if isinstance(piece, RowsUsed):
                self.rows_used = piece
            elif isinstance(piece, Gap):
                if not is_bridged(piece):
                    self._begin_segment()
                yield TrackerItem(piece, self.settled_s)
            elif piece.signals is not None:
                self.settled_s = piece.settled_s
                yield from self._look(piece, piece.signals)
            else:
                for item in piece.items:
                    if isinstance(item, Ending):
                        yield from self._possible(item)
                    elif isinstance(item, Activity):
                        yield from self._unexplained(item, cut_short=True)

    def place(self, candidate: Candidate, end_s: float) -> None:
        """Take where a repetition really ended: the next one may begin there."""
        candidate.postures()  # before rests are forgotten
        in_set = candidate.ending.start_s - self._last_end_s < ONE_SET_S
        self._rests.forget(self._last_end_s if in_set else candidate.ending.start_s, end_s)
        self._postures, self._tops, self._lever = candidate.postures, candidate.tops, candidate.lever
        self._last_end_s, self._last_seen_end_s = end_s, candidate.ending.end_s
        self._standing = candidate.standing
        self._upright = (end_s, candidate.standing.up)

    def ended_at(self, candidate: Candidate, end_s: float) -> Candidate | None:
        """Return the repetition that takes as long as `candidate` and ended at `end_s` before it; None if none fits."""
        ending = candidate.ending
        start_s = max(end_s - (ending.end_s - ending.start_s), self._last_seen_end_s)
        if end_s - start_s < LEAST_DURATION_S:
            return None
        return self._candidate(ending._replace(start_s=start_s, end_s=end_s, moving_since_s=start_s))

    def explain(self, start_s: float, end_s: float) -> None:
        """Take that movement between these times is known: it is not reported again."""
        self._explained.append((start_s, end_s))

    def learn(self, candidate: Candidate) -> None:
        """Learn the sensor's errors from a repetition that counted."""
        self._errors = candidate.learned_errors()

    @property
    def posture(self) -> Posture | None:
        """Where the hip is now; ``None`` before the first step."""
        if self._kept is None or not len(self._kept):
            return None
        decoder = self._stage.decoder
        since_s = decoder.moving_since_s
        now = len(self._kept)
        first = now - 1
        if since_s is not None:  # a repetition ended where the hip stood, so that an earlier error is left behind
            begin_s = max(since_s - PREAMBLE_S, self._last_end_s)
            first = int(np.searchsorted(self._kept.time_s, begin_s - SAME_TIME_S))
        first = min(max(first, now - steps_in(LONGEST_MOVEMENT_S)), now - 1)
        standing = self._standing_at(self._kept, max(first, 0), float(self._kept.time_s[max(first, 0)]))
        posture = posture_of(self._kept[max(first, 0) :], standing, self._errors, moving=since_s is not None)
        return replace(posture, calm_s=decoder.calm_s)

    # -- one after the other

    def _look(self, output: NetworkOutput, signals: MotionSignals) -> Iterator[TrackerItem]:
        """Give the items that the next signals show, in the order of their times."""
        self._kept = signals if self._kept is None else MotionSignals.joined([self._kept, signals])
        self._began_s = min(self._began_s, float(self._kept.time_s[0]))
        self._rests.push(self._kept, len(signals))
        if len(output.time_s):
            self._log_odds.append((output.time_s, output.log_odds))
        for item in output.items:
            if isinstance(item, Ending):
                yield from self._possible(item)
            elif isinstance(item, Stir):
                self._frozen_s = item.settled_s
            elif isinstance(item, Calm):
                self._frozen_s = None
            else:
                yield from self._unexplained(item)
        self._forget()

    def _possible(self, ending: Ending) -> Iterator[TrackerItem]:
        """Give the repetition that may have ended, with each time at which it may have begun.

        An ending that is too near to that of the last repetition is the same one's, seen again.
        """
        if ending.start_s < self._last_seen_end_s - OVERLAP * (ending.end_s - ending.start_s):
            return
        if ending.log_odds < SURE_LOG_ODDS and ending.start_s - self._last_end_s < ONE_SET_S:
            return
        ending = ending._replace(start_s=max(ending.start_s, self._last_seen_end_s))
        if ending.end_s - self._last_end_s < max(LEAST_DURATION_S, LEAST_APART * (ending.end_s - ending.start_s)):
            return
        moving_since_s = max(ending.moving_since_s, self._last_end_s, ending.end_s - LONGEST_DURATION_S)
        starts_s = [ending.start_s]
        if abs(moving_since_s - ending.start_s) > OTHER_START_S:
            starts_s.append(moving_since_s)
        candidates = (self._candidate(ending._replace(start_s=start_s)) for start_s in starts_s)
        long_enough = (one for one in candidates if len(one.signals) >= steps_in(LEAST_DURATION_S))
        first = next(long_enough, None)
        if first is not None:
            yield TrackerItem(first, self._settled(ending.seen_s), long_enough)

    def _settled(self, seen_s: float) -> float:
        return seen_s - PREAMBLE_S if self._frozen_s is None else self._frozen_s

    def _unexplained(self, activity: Activity, *, cut_short: bool = False) -> Iterator[TrackerItem]:
        """Give the parts of activity that no repetition explains."""
        start_s, parts = max(activity.start_s, _surely_kept_s(activity.seen_s)), []
        known = sorted(span for span in self._explained if span[1] > start_s and span[0] < activity.end_s)
        least_s = LEAST_CUT_SHORT_S if cut_short else LEAST_MOVEMENT_S
        for first_s, last_s in [*known, (activity.end_s + EXPLAINED_S, math.inf)]:
            if first_s - EXPLAINED_S - start_s >= least_s:
                parts.append((start_s, first_s - EXPLAINED_S))
            start_s = max(start_s, last_s + EXPLAINED_S)
        for part, (first_s, last_s) in enumerate(parts):
            ended = self._log_odds_in(first_s, last_s + 1.0)[0]
            log_odds = float(ended.max()) if len(ended) else -99.0
            start_s = max(first_s, last_s - LONGEST_MOVEMENT_S)
            ending = Ending(start_s, last_s, start_s, activity.seen_s, log_odds)
            interrupted = cut_short and part == len(parts) - 1
            candidate = self._candidate(ending, moved_only=True, cut_short=interrupted)
            if len(candidate.signals) >= steps_in(least_s):
                yield TrackerItem(candidate, self._settled(activity.seen_s))

    def _log_odds_in(self, start_s: float, end_s: float) -> Array:
        """Return the network's log-odds (2, n) between these times."""
        inside = []
        for time_s, log_odds in self._log_odds:
            if time_s[-1] > start_s and time_s[0] < end_s:
                first, last = time_s.searchsorted(start_s, "right"), time_s.searchsorted(end_s)
                inside.append(log_odds[:, first:last])
        if len(inside) == 1:
            return inside[0]
        return np.concatenate(inside, axis=1) if inside else np.empty((2, 0))

    def _mean_going_on(self, start_s: float, end_s: float) -> float:
        """Return the mean log-odds that a repetition goes on between these times; 0 without a row."""
        log_odds = self._log_odds_in(start_s, end_s)[1]
        return float(log_odds.sum()) / len(log_odds) if len(log_odds) else 0.0

    def _forget(self) -> None:
        """Drop what no later decision can reach."""
        if self._kept is None:
            return
        surplus = len(self._kept) - steps_in(KEPT_S)
        if surplus > 0:
            self._kept = self._kept[surplus:]
        first_s = float(self._kept.time_s[0])
        while self._log_odds and self._log_odds[0][0][-1] < first_s:
            self._log_odds.popleft()
        self._explained = [span for span in self._explained if span[1] >= first_s]

    # -- measuring

    def _candidate(self, ending: Ending, *, moved_only: bool = False, cut_short: bool = False) -> Candidate:
        """Return a possible repetition, with the signals and the standing posture to measure it by."""
        if self._kept is None:
            raise ValueError("an ending without signals")
        signals = self._kept
        if moved_only:  # others reach less far back
            signals = signals[int(signals.time_s.searchsorted(_surely_kept_s(ending.seen_s))) :]
        time_s = signals.time_s
        touches = not moved_only and abs(ending.start_s - self._last_end_s) < TOUCHING_S
        begin_s = self._last_end_s if touches else max(ending.start_s - LEAD_S, self._last_end_s)
        first = int(time_s.searchsorted(begin_s + SAME_TIME_S))
        last = int(time_s.searchsorted((ending.end_s if moved_only else ending.seen_s) + SAME_TIME_S))
        at_start = int(time_s.searchsorted(ending.start_s + SAME_TIME_S))
        earliest = int(time_s.searchsorted(max(self._last_end_s, ending.end_s - APPROACH_S) + SAME_TIME_S))
        standing = self._standing_at(signals, at_start, ending.start_s)
        in_set = ending.start_s - self._last_end_s < ONE_SET_S
        return Candidate(
            ending=ending,
            going_on_log_odds=self._mean_going_on(ending.start_s, ending.end_s),
            after_log_odds=self._mean_going_on(ending.end_s, ending.seen_s + SAME_TIME_S),
            signals=signals[first:last],
            approach=signals[min(earliest, first) : last],
            standing=standing,
            postures=self._postures if in_set else cache(partial(self._rests.before, ending.start_s + 0.2)),
            tops=self._tops if in_set else NO_TOPS,
            lever=self._lever,
            started_at_rest=not touches
            and bool((signals.resting_steps[first : at_start + 1] >= steps_in(REST_S)).any()),
            touches=touches,
            follows=self._last_end_s > ending.end_s - APPROACH_S,
            errors=self._errors,
            moved_only=moved_only,
            cut_short=cut_short,
        )

    def _standing_at(self, signals: MotionSignals, at_start: int, start_s: float) -> Standing:
        """Return how the person stands: as in the set going on, or as in the longest rest before."""
        at_start = min(max(at_start, 1), len(signals))
        known = self._standing if start_s - self._last_end_s < SAME_SET_S else None
        if known is not None and chord_between(signals.up[at_start - 1], known.up) < NO_STANDING_RAD:
            return known
        standing = standing_before(signals, at_start)
        if self._upright is not None and start_s - self._began_s < STANDING_SEARCH_S:
            last_s, upright = self._upright
            if start_s - last_s < KNOWN_S and chord_between(upright, standing.up) > CHANGED_POSTURE_RAD:
                return Standing.without_level(upright)
        return standing


def _surely_kept_s(seen_s: float) -> float:
    """Return the time from which on signals are still there when something is seen, however the stream is cut."""
    return seen_s - KEPT_S + 1.0
