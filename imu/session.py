"""A session: blocks of samples in, events out, a summary at the end.

The only place that joins sensors and motion. Live training, replay and the virtual sensor differ in where the blocks
come from; all they cause is here, once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from imu.motion.form import Candidate, Posture
from imu.motion.height import median
from imu.motion.judge import Decision, Doubtful, Judge, JudgeParameters
from imu.motion.pattern import Pattern, pattern_of_set
from imu.motion.repetitions import RejectedMovement, Repetition, resemble
from imu.motion.sets import are_likely, split_into_sets, went_away
from imu.motion.tracker import MotionTracker, Piece, TrackerItem
from imu.motion.wearing import SENSOR_ABOVE_HIP_M
from imu.samples import Gap, ImuBlock, RowFaults
from imu.units import UnitCheck

ALONE, UNLIKELY, TAKEN_BACK = "alone", "unlikely as a set", "taken back by the person"
"""Why a repetition that was announced does not count: it made no set, or it was no repetition."""
LONE = (ALONE, UNLIKELY)
"""Reasons with which the person may keep it."""
IN_PAUSE = "made in a pause"
"""Why a movement does not count while the person has paused the counting."""


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
        return pattern_of_set(repetition.pattern for repetition in self.repetitions)


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """The result of one session.

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


@dataclass(frozen=True, slots=True)
class RepetitionCounted:
    """A repetition was announced; it is not revised."""

    repetition: Repetition


@dataclass(frozen=True, slots=True)
class MovementRejected:
    """A movement was not counted, or (reason ``alone``) its repetition made no set."""

    movement: RejectedMovement


@dataclass(frozen=True, slots=True)
class RestBegan:
    """The person rests since the end of the last repetition; the set may still go on, and then the next one comes.

    Once in each pause of more than `SessionParameters.rest_begins_s` after a repetition of a set going on, long before
    `SetClosed`; it is not revised. It comes when no repetition can come any more that began in that time.

    Attributes
    ----------
    since_s : float
        End of the last repetition on the device clock.
    """

    since_s: float


@dataclass(frozen=True, slots=True)
class SetClosed:
    """A set is over: no repetition followed for `SessionParameters.rest_between_sets_s`."""

    training_set: TrainingSet


@dataclass(frozen=True, slots=True)
class GapFound:
    """Samples are missing."""

    gap: Gap


@dataclass(frozen=True, slots=True)
class RepetitionTakenBack:
    """The person took back the last movement: it was no repetition."""

    repetition: Repetition


Event = RepetitionCounted | MovementRejected | RestBegan | SetClosed | GapFound | RepetitionTakenBack

DOUBT_S = 8.0
"""A doubtful repetition counts if a clear one that is like it begins within this time after it."""

SHARED_S = 0.3
"""Two movements that share more time than this are one."""

BESIDE_S = 0.1
"""Start and end of a repetition are known to this much: nearer to it nothing is taken for steps."""


@dataclass(frozen=True, slots=True)
class SessionParameters:
    """The rules by which repetitions make a set."""

    least_repetitions: int = 2
    """A lone movement is not a set."""
    rest_between_sets_s: float = 12.0
    """A longer rest ends the set. Breaths between heavy repetitions last up to 10 s; rests begin at 15 s."""
    rest_begins_s: float = 3.0
    """A longer pause after a repetition is called a rest at once, before it is known whether the set goes on."""
    judge: JudgeParameters | None = None
    """Decides what counts; ``None`` for the fitted one."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        ValueError
            If a set could be empty or a rest negative.
        """
        if self.least_repetitions < 1 or min(self.rest_between_sets_s, self.rest_begins_s) <= 0:
            raise ValueError(f"a set needs repetitions and a rest, got {self}")


class Session:
    """Push blocks, get events; finish, get the summary. Any cutting of the stream gives the same events and summary.

    Parameters
    ----------
    parameters : SessionParameters or None
        What makes a set.
    check_units : bool
        Whether `push` and `finish` raise `imu.errors.UnitsWrong` for samples that are clearly not in s, m/s² and
        rad/s. Leave it on for samples from elsewhere. Drivers convert units themselves, and a training must not end
        because of an odd first minute; recordings were judged when they were read. Both switch it off.
    observe : callable or None
        Receives each decision about a movement, with the curves by which it was measured, for drawing.
    """

    def __init__(
        self,
        parameters: SessionParameters | None = None,
        *,
        check_units: bool = True,
        observe: Callable[[Decision], None] | None = None,
    ) -> None:
        self._observe = observe
        self._parameters = parameters or SessionParameters()
        judge = self._parameters.judge or JudgeParameters()
        self._tracker = MotionTracker(judge.fitted.network)
        self._judge = Judge(judge)
        self._belonging, self._shift = judge.fitted.belonging, judge.personal.counting
        self._doubtful: Doubtful | None = None
        self._units = UnitCheck() if check_units else None
        self._gaps: list[Gap] = []
        self._going_on: list[Repetition] = []
        self._by_hand: Repetition | None = None  # one of them, to whose set the person added repetitions
        self._added = 0  # how many
        self._is_resting = False  # since the last of them
        self._sets: list[TrainingSet] = []
        self._rejected: list[RejectedMovement] = []
        self._beside: list[tuple[float, float]] = []  # start and end of those since the last repetition
        self._unlikely: list[tuple[Repetition, ...]] = []
        self._paused = False
        self._resumed_s = -math.inf  # movements that began before this do not count

    def push(self, block: ImuBlock) -> list[Event]:
        """Take the next rows; return what happened in them, in order.

        A repetition is announced within 0.3 s of standing again as a rule, and never revised. One that is in doubt by
        itself is announced together with the next, if that is clear and like it.

        Raises
        ------
        UnitsWrong
            If the samples so far are clearly in other units (`check_units`): time in milliseconds after 50 rows,
            acceleration in g after 5 s, angular velocity in deg/s in the first movements. Nothing of the block counts.
        """
        if self._units is not None:
            self._units.push(block)
        return self._events_of(self._tracker.push(block))

    def take(self, pieces: Iterable[Piece]) -> list[Event]:
        """Take the output of a :class:`~imu.motion.tracker.NetworkStage` in another process; as `push`."""
        return self._events_of(self._tracker.take(pieces))

    def _events_of(self, items: Iterable[TrackerItem]) -> list[Event]:
        events: list[Event] = []
        for item in items:
            self._take(item, events)
        self._settle(self._tracker.settled_s, events)
        return events

    def finish(self) -> tuple[list[Event], SessionSummary]:
        """End the session; return the last events and the summary.

        Raises
        ------
        UnitsWrong
            As in `push`, also of a stream that ends sooner: after 5 rows, 3 s, or a movement.
        """
        if self._units is not None:
            self._units.finish()
        events: list[Event] = []
        for found in self._tracker.finish():
            self._take(found, events)
        self._drop_doubtful(events)
        self._close_set(events)
        used = self._tracker.rows_used
        first_s, last_s = used.span_s or (0.0, 0.0)
        covered_s = last_s - first_s - sum(gap.end_s - gap.start_s for gap in self._gaps)
        intervals = used.rows - 1 - len(self._gaps)
        summary = SessionSummary(
            duration_s=last_s - first_s,
            sampling_rate_hz=intervals / covered_s if intervals > 0 and covered_s > 0 else None,
            samples=used.rows,
            gaps=tuple(self._gaps),
            faults=used.faults,
            sets=tuple(self._sets),
            rejected=tuple(sorted(self._rejected, key=lambda movement: movement.start_s)),
        )
        return events, summary

    # -- commands of the person; each takes effect at this place of the stream, in a replay too

    def end_set(self) -> list[Event]:
        """Close the set that is going on, without waiting for the rest after it; a person ends no unlikely sets."""
        events: list[Event] = []
        self._close_set(events, ended_by_person=True)
        return events

    def add_by_hand(self) -> None:
        """Take note that the person adds a repetition to the set that is going on: the set counts, however it looks."""
        if self._going_on:
            self._by_hand = self._going_on[len(self._going_on) // 2]
            self._added += 1

    def remove_by_hand(self) -> None:
        """Take note that the person removes such a repetition again; without any, the set is the sensor's again."""
        self._added = max(0, self._added - 1)
        if not self._added:
            self._by_hand = None

    def take_back(self) -> list[Event]:
        """Take back the last repetition, also that of a set already closed; it then stands under the rejected."""
        if self._going_on:
            repetition = self._going_on.pop()
        elif self._sets:
            *others, repetition = self._sets.pop().repetitions
            if others:
                self._sets.append(TrainingSet(tuple(others)))
        else:
            return []
        self._beside.append((repetition.start_s, repetition.end_s))
        self._rejected.append(
            RejectedMovement(repetition.start_s, repetition.end_s, TAKEN_BACK, repetition, repetition.counting_log_odds)
        )
        return [RepetitionTakenBack(repetition)]

    def keep_alone(self) -> list[Event]:
        """Count the last repetition that stood alone as a set of its own, or those that were unlikely as a set."""
        last = next((movement for movement in reversed(self._rejected) if movement.reason in LONE), None)
        if last is None or last.repetition is None:
            return []
        lone = (last.repetition,)
        kept = next((part for part in self._unlikely if last.repetition in part), lone)
        self._rejected = [movement for movement in self._rejected if movement.repetition not in kept]
        self._sets = sorted([*self._sets, TrainingSet(kept)], key=lambda one: one.start_s)
        return [SetClosed(TrainingSet(kept))]

    def pause(self) -> None:
        """Count nothing until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Count again, from the next movement on."""
        span_s = self._tracker.rows_used.span_s
        if self._paused and span_s is not None:
            self._resumed_s = span_s[1]
        self._paused = False

    @property
    def now_s(self) -> float:
        """Time of the latest row on the device clock; 0 before the first."""
        span_s = self._tracker.rows_used.span_s
        return span_s[1] if span_s else 0.0

    @property
    def posture(self) -> Posture | None:
        """Where the hip joint is now, for showing; ``None`` before the first step."""
        posture = self._tracker.posture
        if posture is None:
            return None
        by_tilting_m = SENSOR_ABOVE_HIP_M * (1.0 - math.cos(posture.trunk_tilt_rad))
        return replace(posture, hip_drop_m=max(0.0, posture.hip_drop_m - by_tilting_m))

    def _in_pause(self, start_s: float) -> bool:
        """Whether what began at `start_s` happened, in part at least, in a pause."""
        return self._paused or start_s < self._resumed_s

    @property
    def _set_ends_s(self) -> float:
        """Until when the set going on can be continued."""
        return self._going_on[-1].end_s + self._parameters.rest_between_sets_s if self._going_on else math.inf

    @property
    def _rest_begins_s(self) -> float:
        """From when on the person rests if no movement begins; infinite without a set, and in a rest already begun."""
        if self._is_resting or len(self._going_on) < self._parameters.least_repetitions:
            return math.inf
        return self._going_on[-1].end_s + self._parameters.rest_begins_s

    def _settle(self, settled_s: float, events: list[Event]) -> None:
        """Close sets and begin rests, in order: no repetition that began before `settled_s` can still come."""
        while True:
            doubt_ends_s = math.inf if self._doubtful is None else self._doubtful.repetition.end_s + DOUBT_S
            due_s = min(self._set_ends_s, self._rest_begins_s, doubt_ends_s)
            if not settled_s > due_s:
                return
            if due_s == self._set_ends_s:
                self._close_set(events)
            elif due_s == self._rest_begins_s:
                self._begin_rest(events)
            else:
                self._drop_doubtful(events)

    def _take(self, tracked: TrackerItem, events: list[Event]) -> None:
        self._settle(tracked.settled_s, events)
        item = tracked.item
        if isinstance(item, Gap):
            self._gaps.append(item)
            events.append(GapFound(item))
        elif self._in_pause(item.ending.start_s):
            ending = item.ending
            self._tracker.explain(ending.start_s, ending.end_s)
            if not item.moved_only:
                self._reject(RejectedMovement(ending.start_s, ending.end_s, IN_PAUSE), events)
        else:
            decision = self._judge.decide(item, tracked.others)
            if decision.stood_s is not None and not item.moved_only:
                decision = self._decide_from_top(decision, decision.stood_s)
            if self._observe is not None:
                self._observe(decision)
            self._take_movement(decision, events)

    def _decide_from_top(self, decision: Decision, stood_s: float) -> Decision:
        """Return the decision on the repetition that ended when the person stood, if it is one; else `decision`."""
        candidate = self._tracker.ended_at(decision.candidate, stood_s)
        other = None if candidate is None else self._judge.decide(candidate)
        return decision if other is None or isinstance(other.verdict, RejectedMovement | None) else other

    def _take_movement(self, decision: Decision, events: list[Event]) -> None:
        """Count a repetition; a doubtful one waits for the clear one that follows it, and counts if they are alike.

        A doubtful one that turns out to be a part of the next one is not mentioned. Walking or turning away ends a set.
        """
        candidate, verdict = decision.candidate, decision.verdict
        if verdict is None:
            return
        if isinstance(verdict, RejectedMovement):
            self._tracker.explain(verdict.start_s, verdict.end_s)
            self._reject(verdict, events)
            return
        doubtful, self._doubtful = self._doubtful, None
        repetition = verdict.repetition if isinstance(verdict, Doubtful) else verdict
        self._tracker.explain(repetition.start_s, repetition.end_s)
        if doubtful is not None and doubtful.repetition.end_s < repetition.start_s + SHARED_S:
            if repetition is verdict and resemble(doubtful.repetition, repetition):
                self._count(self._judge.accept(doubtful, repetition.confirmed_s), events)
            else:
                self._reject(doubtful.rejected, events)
        if self._going_on and self._went_away_before(candidate, repetition.start_s):
            self._close_set(events)
        if isinstance(verdict, Doubtful):
            self._doubtful = verdict
            return
        self._tracker.place(candidate, max(decision.end_s, decision.judged_end_s))
        self._tracker.learn(candidate)
        self._count(verdict, events)

    def _went_away_before(self, candidate: Candidate, start_s: float) -> bool:
        """Return whether the person walked or turned away since the last repetition of the set going on."""
        since_s, approach = self._going_on[-1].end_s, candidate.approach
        first, end = approach.time_s.searchsorted((since_s + BESIDE_S, start_s - BESIDE_S)).tolist()
        bias_rad_s = median(candidate.signals.turn_rate_rad_s)  # who squats does not turn
        return went_away(approach[first : max(first, end)], bias_rad_s, self._beside)

    def _drop_doubtful(self, events: list[Event]) -> None:
        """Reject a doubtful repetition that no other can follow any more."""
        if self._doubtful is not None:
            self._reject(self._doubtful.rejected, events)
            self._doubtful = None

    def _count(self, repetition: Repetition, events: list[Event]) -> None:
        if repetition.start_s > self._set_ends_s:
            self._close_set(events)
        self._going_on.append(repetition)
        self._beside = []
        self._is_resting = False
        events.append(RepetitionCounted(repetition))

    def _reject(self, movement: RejectedMovement, events: list[Event]) -> None:
        self._rejected.append(movement)
        self._beside.append((movement.start_s, movement.end_s))
        events.append(MovementRejected(movement))

    def _begin_rest(self, events: list[Event]) -> None:
        self._is_resting = True
        events.append(RestBegan(self._going_on[-1].end_s))

    def _close_set(self, events: list[Event], *, ended_by_person: bool = False) -> None:
        """Close the open set, or several, and movements that were alone."""
        parts = split_into_sets(self._going_on, self._belonging)
        least, by_hand = self._parameters.least_repetitions, self._by_hand
        if (by_hand,) in parts:
            parts = [tuple(self._going_on)]
        self._going_on, self._by_hand, self._added, self._is_resting = [], None, 0, False
        for part in parts:
            sure = ended_by_person or len(part) == 1
            if by_hand in part or (len(part) >= least and (sure or are_likely(part, self._shift))):
                self._sets.append(TrainingSet(part))
                events.append(SetClosed(self._sets[-1]))
            else:
                self._unlikely.append(part)
                self._leave_out(part, ALONE if len(part) < least else UNLIKELY, events)

    def _leave_out(self, repetitions: Iterable[Repetition], reason: str, events: list[Event]) -> None:
        for one in repetitions:
            self._reject(RejectedMovement(one.start_s, one.end_s, reason, one, one.counting_log_odds), events)
