"""A measured summary, the plan and the person's corrections -> the session as it counts.

`apply_corrections` is a pure function of the three, so that undoing a correction means applying one correction less. A
correction whose target is gone, as may happen when a better program has counted the recording again, changes nothing
and says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from imu.motion.pattern import Pattern, pattern_of_set
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.session import SessionParameters, SessionSummary, TrainingSet
from imu.store.corrections import (
    AddRepetition,
    ChangePattern,
    Correction,
    DeleteRepetition,
    EnterLoad,
    MergeSets,
    MoveRepetition,
    NameExercise,
    Scope,
    SplitSet,
    WriteNote,
    check_exercise,
    check_load,
)
from imu.store.exercises import is_other_pattern

REST_BETWEEN_SETS_S = SessionParameters().rest_between_sets_s
"""An added repetition joins the nearest set if it is no further away than this: the limit of a live training."""

# --- values ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlannedSet:
    """The person's plan for a set, made before it was done.

    Attributes
    ----------
    time_s : float
        A time inside the set, on the device clock.
    exercise : str or None
        Its name in the person's words.
    load_kg : float or None
        The load.
    load_in_lb : bool
        Whether the person writes the load in pounds.
    repetitions : int or None
        How many were planned.
    """

    time_s: float
    exercise: str | None = None
    load_kg: float | None = None
    load_in_lb: bool = False
    repetitions: int | None = None

    def __post_init__(self) -> None:
        """Check the name, the load and the repetitions.

        Raises
        ------
        ValueError
            If a value is impossible.
        """
        check_exercise(self.exercise)
        check_load(self.load_kg, self.load_in_lb)
        if self.repetitions is not None and self.repetitions < 1:
            raise ValueError(f"a set has at least one repetition, got {self.repetitions}")


@dataclass(frozen=True, slots=True)
class CorrectedRepetition:
    """One repetition as it counts.

    Attributes
    ----------
    start_s, end_s : float
        When, on the device clock.
    pattern : Pattern
        The pattern after corrections.
    measured : Repetition or None
        The measured repetition; ``None`` where the person added one that was not measured.
    added : bool
        Whether the person added it.
    exercise, load_kg, note : str, float, str or None
        Entries for this repetition alone; see `CorrectedSet.exercise_of` and `CorrectedSet.load_of`.
    load_in_lb : bool
        Whether the person writes its own load in pounds.
    """

    start_s: float
    end_s: float
    pattern: Pattern
    measured: Repetition | None
    added: bool = False
    exercise: str | None = None
    load_kg: float | None = None
    note: str | None = None
    load_in_lb: bool = False

    @property
    def middle_s(self) -> float:
        """The turning point; without a measured one, the middle between start and end."""
        return (self.start_s + self.end_s) / 2 if self.measured is None else self.measured.bottom_s

    @property
    def pattern_changed(self) -> bool:
        """Whether another pattern was measured."""
        return self.measured is not None and self.measured.pattern is not self.pattern

    @property
    def figures(self) -> Repetition | None:
        """The measured figures with the corrected pattern; ``None`` where nothing was measured."""
        if self.measured is None or not self.pattern_changed:
            return self.measured
        return replace(self.measured, pattern=self.pattern)


@dataclass(frozen=True, slots=True)
class CorrectedSet:
    """One set as it counts.

    Attributes
    ----------
    repetitions : tuple of CorrectedRepetition
        At least one.
    exercise, load_kg, note : str, float, str or None
        What the person entered for the set; without an entry, exercise and load are the planned ones, except where
        the pattern is clearly another one (`is_unplanned`).
    load_in_lb : bool
        Whether the person writes the load in pounds.
    planned : PlannedSet or None
        The plan; corrections do not change it.
    """

    repetitions: tuple[CorrectedRepetition, ...]
    exercise: str | None = None
    load_kg: float | None = None
    note: str | None = None
    load_in_lb: bool = False
    planned: PlannedSet | None = None

    @property
    def start_s(self) -> float:
        """Start of the first repetition on the device clock."""
        return self.repetitions[0].start_s

    @property
    def end_s(self) -> float:
        """End of the last repetition on the device clock."""
        return self.repetitions[-1].end_s

    @property
    def middle_s(self) -> float:
        """Turning point of the middle repetition: the time at which corrections find the set."""
        return self.repetitions[len(self.repetitions) // 2].middle_s

    @property
    def pattern(self) -> Pattern:
        """The pattern of the set, by the rule for measured sets."""
        return pattern_of_set(repetition.pattern for repetition in self.repetitions)

    @property
    def measured(self) -> TrainingSet | None:
        """The measured repetitions with their corrected patterns; ``None`` without any."""
        figures = [repetition.figures for repetition in self.repetitions]
        measured = tuple(one for one in figures if one is not None)
        return TrainingSet(measured) if measured else None

    @property
    def is_unplanned(self) -> bool:
        """Whether the set has no exercise, because its pattern is not that of the planned one."""
        planned = None if self.planned is None else self.planned.exercise
        return self.exercise is None and is_other_pattern(planned, self.pattern)

    def exercise_of(self, repetition: CorrectedRepetition) -> str | None:
        """Return the exercise of one of the repetitions: its own, else that of the set."""
        return self.exercise if repetition.exercise is None else repetition.exercise

    def load_of(self, repetition: CorrectedRepetition) -> tuple[float | None, bool]:
        """Return the load of one of the repetitions, its own or else that of the set, and whether it is in pounds."""
        whose = self if repetition.load_kg is None else repetition
        return whose.load_kg, whose.load_in_lb

    def load_kg_of(self, repetition: CorrectedRepetition) -> float | None:
        """Return the load of one of the repetitions: its own, else that of the set."""
        return self.load_of(repetition)[0]


@dataclass(frozen=True, slots=True)
class LoggedCorrection:
    """One correction and whether it was applied.

    Attributes
    ----------
    correction : Correction
        The correction.
    not_applied : str or None
        Why it changes nothing; ``None`` if it was applied.
    at : tuple of str
        The sets (``2``) or the repetition (``2/3``) that it was made at, by their numbers at that moment.
    """

    correction: Correction
    not_applied: str | None = None
    at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CorrectedSession:
    """One session as it counts.

    Attributes
    ----------
    measured : SessionSummary
        The measured summary.
    sets : tuple of CorrectedSet
        In the order of time.
    rejected : tuple of RejectedMovement
        Movements that do not count, without those that the person added.
    deleted : tuple of CorrectedRepetition
        Repetitions that the person deleted.
    log : tuple of LoggedCorrection
        All corrections in the order in which they were made.
    """

    measured: SessionSummary
    sets: tuple[CorrectedSet, ...]
    rejected: tuple[RejectedMovement, ...]
    deleted: tuple[CorrectedRepetition, ...] = ()
    log: tuple[LoggedCorrection, ...] = ()

    def count(self, pattern: Pattern) -> int:
        """Return the number of repetitions of `pattern` in all sets."""
        return sum(repetition.pattern is pattern for one_set in self.sets for repetition in one_set.repetitions)


# --- application -----------------------------------------------------------------------------------------------------


def apply_corrections(
    summary: SessionSummary, corrections: Iterable[Correction] = (), planned: Sequence[PlannedSet] = ()
) -> CorrectedSession:
    """Return `summary` with the plan and then the corrections applied in their order. Never raises."""
    draft = _Draft(sets=[_as_planned(one_set, planned) for one_set in summary.sets], rejected=list(summary.rejected))
    log = []
    for correction in corrections:
        at = draft.places_of(correction)
        log.append(LoggedCorrection(correction, draft.apply(correction), at))
    return CorrectedSession(summary, tuple(draft.sets), tuple(draft.rejected), tuple(draft.deleted), tuple(log))


def _as_planned(measured: TrainingSet, planned: Sequence[PlannedSet]) -> CorrectedSet:
    """Return a measured set with the exercise and the load of its plan, if it has one.

    Hinges where a squat was planned, or the reverse, are of no exercise until the person says which: they would count
    in the volume and the records of an exercise that was not done.
    """
    repetitions = tuple(CorrectedRepetition(r.start_s, r.end_s, r.pattern, r) for r in measured.repetitions)
    plan = next((plan for plan in planned if measured.start_s <= plan.time_s < measured.end_s), None)
    if plan is None:
        return CorrectedSet(repetitions)
    if is_other_pattern(plan.exercise, measured.pattern):
        return CorrectedSet(repetitions, planned=plan)
    return CorrectedSet(repetitions, plan.exercise, plan.load_kg, load_in_lb=plan.load_in_lb, planned=plan)


@dataclass(slots=True)
class _Draft:
    """The session so far. Each step changes it, or returns why it changes nothing."""

    sets: list[CorrectedSet]
    rejected: list[RejectedMovement]
    deleted: list[CorrectedRepetition] = field(default_factory=list)

    def apply(self, correction: Correction) -> str | None:
        match correction:
            case AddRepetition():
                return self._add(correction)
            case MoveRepetition():
                return self._move(correction)
            case MergeSets():
                return self._merge(correction)
            case SplitSet(time_s=time_s):
                return self._split(time_s)
            case DeleteRepetition(time_s=time_s):
                return self._delete(time_s)
            case ChangePattern() | NameExercise() | EnterLoad() | WriteNote():
                return self._enter(correction)

    def places_of(self, correction: Correction) -> tuple[str, ...]:
        """Return the numbers of the sets, or of the repetition, that a correction is about."""
        match correction:
            case AddRepetition():
                return ()
            case MergeSets(time_s=time_s, later_s=later_s):
                ends = [self._set_at(time_s), self._set_at(later_s)]
                return tuple(str(i + 1) for i in ends if i is not None)
            case SplitSet(time_s=time_s):
                i = self._set_at(time_s)
                later = [] if i is None else [j for j, r in enumerate(self.sets[i].repetitions) if r.middle_s >= time_s]
                return () if i is None or not later else (f"{i + 1}/{later[0] + 1}",)
            case ChangePattern() | NameExercise() | EnterLoad() | WriteNote() if correction.scope is Scope.SET:
                i = self._set_at(correction.time_s)
                return () if i is None else (str(i + 1),)
        place = self._repetition_at(correction.time_s)
        return () if place is None else (f"{place[0] + 1}/{place[1] + 1}",)

    def _set_at(self, time_s: float) -> int | None:
        return next((i for i, one_set in enumerate(self.sets) if one_set.start_s <= time_s < one_set.end_s), None)

    def _repetition_at(self, time_s: float) -> tuple[int, int] | None:
        """Return the numbers of a set and of its repetition."""
        for i, one_set in enumerate(self.sets):
            for j, repetition in enumerate(one_set.repetitions):
                if repetition.start_s <= time_s < repetition.end_s:
                    return i, j
        return None

    def _put(self, i: int, j: int, *repetitions: CorrectedRepetition) -> None:
        """Put `repetitions` in the place of one."""
        old = self.sets[i]
        changed = (*old.repetitions[:j], *repetitions, *old.repetitions[j + 1 :])
        self.sets[i : i + 1] = [replace(old, repetitions=changed)] if changed else []

    def _delete(self, time_s: float) -> str | None:
        place = self._repetition_at(time_s)
        if place is None:
            return _nothing_at(time_s, Scope.REPETITION)
        i, j = place
        self.deleted.append(self.sets[i].repetitions[j])
        self._put(i, j)
        return None

    def _move(self, correction: MoveRepetition) -> str | None:
        place = self._repetition_at(correction.time_s)
        if place is None:
            return _nothing_at(correction.time_s, Scope.REPETITION)
        i, j = place
        whole, one = self.sets[i], self.sets[i].repetitions[j]
        others = (other for one_set in self.sets for other in one_set.repetitions if other is not one)
        if any(other.start_s < correction.end_s and correction.start_s < other.end_s for other in others):
            return f"another repetition is counted between {correction.start_s:.1f} and {correction.end_s:.1f} s"
        moved = replace(one, start_s=correction.start_s, end_s=correction.end_s)
        if one.measured is not None and not correction.start_s <= one.measured.bottom_s < correction.end_s:
            self.deleted.append(one)
            moved = replace(moved, measured=None, added=True)
        if len(whole.repetitions) > 1:
            self._put(i, j)
            self._insert(moved)
        else:
            self.sets[i] = replace(whole, repetitions=(moved,))
            self.sets.sort(key=lambda one_set: one_set.start_s)
        return None

    def _enter(self, correction: ChangePattern | NameExercise | EnterLoad | WriteNote) -> str | None:
        if correction.scope is Scope.REPETITION:
            place = self._repetition_at(correction.time_s)
            if place is None:
                return _nothing_at(correction.time_s, correction.scope)
            i, j = place
            self._put(i, j, _entered(self.sets[i].repetitions[j], correction))
            return None
        index = self._set_at(correction.time_s)
        if index is None:
            return _nothing_at(correction.time_s, correction.scope)
        self.sets[index] = _entered_for_all(self.sets[index], correction)
        return None

    def _split(self, time_s: float) -> str | None:
        i = self._set_at(time_s)
        if i is None:
            return _nothing_at(time_s, Scope.SET)
        whole = self.sets[i]
        before = tuple(repetition for repetition in whole.repetitions if repetition.middle_s < time_s)
        after = tuple(repetition for repetition in whole.repetitions if repetition.middle_s >= time_s)
        if not before or not after:
            return f"all repetitions of the set are on one side of {time_s:.1f} s"
        self.sets[i : i + 1] = [replace(whole, repetitions=before), replace(whole, repetitions=after)]
        return None

    def _merge(self, correction: MergeSets) -> str | None:
        ends = [self._set_at(time_s) for time_s in (correction.time_s, correction.later_s)]
        if ends[0] is None or ends[1] is None:
            return _nothing_at(correction.time_s if ends[0] is None else correction.later_s, Scope.SET)
        first, last = sorted((ends[0], ends[1]))
        if first == last:
            return "it is one set already"
        self.sets[first : last + 1] = [_merged(self.sets[first : last + 1])]
        return None

    def _add(self, correction: AddRepetition) -> str | None:
        counted = next(
            (
                (i, j)
                for i, one_set in enumerate(self.sets)
                for j, repetition in enumerate(one_set.repetitions)
                if _same_movement(repetition, correction)
            ),
            None,
        )
        if counted is not None:
            i, j = counted
            one = self.sets[i].repetitions[j]
            if one.pattern is correction.pattern:
                return f"a {one.pattern} is counted there already"
            self._put(i, j, replace(one, pattern=correction.pattern))
            return None
        self._insert(self._found_again(correction))
        return None

    def _found_again(self, correction: AddRepetition) -> CorrectedRepetition:
        """Return the repetition to add: a deleted one, or one with the figures of a rejected movement."""
        again = next((repetition for repetition in self.deleted if _same_movement(repetition, correction)), None)
        if again is not None:
            self.deleted.remove(again)
            return replace(again, pattern=correction.pattern)
        same = [movement for movement in self.rejected if _same_movement(movement, correction)]
        self.rejected = [movement for movement in self.rejected if not _same_movement(movement, correction)]
        figures = next((movement.repetition for movement in same if movement.repetition is not None), None)
        start_s, end_s = (correction.start_s, correction.end_s) if figures is None else (figures.start_s, figures.end_s)
        return CorrectedRepetition(start_s, end_s, correction.pattern, figures, added=True)

    def _insert(self, added: CorrectedRepetition) -> None:
        """Put an added repetition into the nearest set, or into a set of its own if no set is near."""
        apart_s = [max(one_set.start_s - added.end_s, added.start_s - one_set.end_s, 0.0) for one_set in self.sets]
        nearest = min(range(len(self.sets)), key=apart_s.__getitem__, default=None)
        if nearest is None or apart_s[nearest] > REST_BETWEEN_SETS_S:
            place = sum(one_set.start_s <= added.start_s for one_set in self.sets)
            self.sets.insert(place, CorrectedSet((added,)))
            return
        old = self.sets[nearest]
        place = sum(repetition.start_s <= added.start_s for repetition in old.repetitions)
        changed = (*old.repetitions[:place], added, *old.repetitions[place:])
        self.sets[nearest] = replace(old, repetitions=changed)


def _entered(
    one: CorrectedRepetition, correction: ChangePattern | NameExercise | EnterLoad | WriteNote
) -> CorrectedRepetition:
    """Return a repetition with the entries for it alone."""
    match correction:
        case ChangePattern(pattern=pattern):
            return replace(one, pattern=pattern)
        case NameExercise(exercise=exercise):
            return replace(one, exercise=exercise)
        case EnterLoad(load_kg=load_kg, load_in_lb=load_in_lb):
            return replace(one, load_kg=load_kg, load_in_lb=load_in_lb)
        case WriteNote(note=note):
            return replace(one, note=note)


def _entered_for_all(
    one_set: CorrectedSet, correction: ChangePattern | NameExercise | EnterLoad | WriteNote
) -> CorrectedSet:
    """Return a set with the entries for it; these replace earlier entries for its single repetitions."""
    repetitions = one_set.repetitions
    match correction:
        case ChangePattern(pattern=pattern):
            changed = replace(one_set, repetitions=tuple(replace(each, pattern=pattern) for each in repetitions))
            plan = one_set.planned
            if plan is None or not one_set.is_unplanned or changed.is_unplanned:
                return changed
            return replace(changed, exercise=plan.exercise, load_kg=plan.load_kg, load_in_lb=plan.load_in_lb)
        case NameExercise(exercise=exercise):
            cleared = tuple(replace(repetition, exercise=None) for repetition in repetitions)
            return replace(one_set, exercise=exercise, repetitions=cleared)
        case EnterLoad(load_kg=load_kg, load_in_lb=load_in_lb):
            cleared = tuple(replace(repetition, load_kg=None, load_in_lb=False) for repetition in repetitions)
            return replace(one_set, load_kg=load_kg, load_in_lb=load_in_lb, repetitions=cleared)
        case WriteNote(note=note):
            return replace(one_set, note=note)


def _merged(parts: list[CorrectedSet]) -> CorrectedSet:
    """Return several sets as one; a repetition keeps a name or load that differs from that of the whole."""
    exercise = next((part.exercise for part in parts if part.exercise is not None), None)
    load = next(((part.load_kg, part.load_in_lb) for part in parts if part.load_kg is not None), (None, False))
    repetitions: list[CorrectedRepetition] = []
    for part in parts:
        for repetition in part.repetitions:
            own_exercise, own_load = part.exercise_of(repetition), part.load_of(repetition)
            own_load_kg, own_in_lb = (None, False) if own_load == load else own_load
            repetitions.append(
                replace(
                    repetition,
                    exercise=None if own_exercise == exercise else own_exercise,
                    load_kg=own_load_kg,
                    load_in_lb=own_in_lb,
                )
            )
    notes = dict.fromkeys(part.note for part in parts if part.note is not None)
    planned = next((part.planned for part in parts if part.planned is not None), None)
    return CorrectedSet(tuple(repetitions), exercise, load[0], "\n".join(notes) or None, load[1], planned)


def _same_movement(one: CorrectedRepetition | RejectedMovement, other: AddRepetition) -> bool:
    """Return whether the two overlap by more than half of the shorter one."""
    overlap_s = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return overlap_s > 0.5 * min(one.end_s - one.start_s, other.end_s - other.start_s)


def _nothing_at(time_s: float, scope: Scope) -> str:
    return f"no {scope} is counted at {time_s:.1f} s"
