"""A measured summary and the person's corrections -> what counts.

:func:`apply_corrections` is a pure function of both, so that undoing is applying one correction less. A correction
whose target is gone, as may happen when a better program has counted the recording again, changes nothing and says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from imu.motion.repetitions import RejectedMovement
from imu.session import SessionParameters, SessionSummary
from imu.store.corrected import CorrectedRepetition, CorrectedSession, CorrectedSet, LoggedCorrection
from imu.store.corrections import (
    AddRepetition,
    ChangePattern,
    Correction,
    DeleteRepetition,
    EnterLoad,
    MergeSets,
    NameExercise,
    Scope,
    SplitSet,
    WriteNote,
)

REST_BETWEEN_SETS_S = SessionParameters().rest_between_sets_s
"""An added repetition belongs to the nearest set if it is no further from it than this, as where it is counted live."""


def apply_corrections(summary: SessionSummary, corrections: Iterable[Correction] = ()) -> CorrectedSession:
    """Return what counts: `summary` with `corrections` applied in their order. Never raises."""
    draft = _Draft(
        sets=[
            CorrectedSet(tuple(CorrectedRepetition(r.start_s, r.end_s, r.pattern, r) for r in one_set.repetitions))
            for one_set in summary.sets
        ],
        rejected=list(summary.rejected),
    )
    log = tuple(LoggedCorrection(correction, draft.apply(correction)) for correction in corrections)
    return CorrectedSession(summary, tuple(draft.sets), tuple(draft.rejected), tuple(draft.deleted), log)


@dataclass(slots=True)
class _Draft:
    """What counts so far. Each step changes it, or leaves it alone and returns why."""

    sets: list[CorrectedSet]
    rejected: list[RejectedMovement]
    deleted: list[CorrectedRepetition] = field(default_factory=list)

    def apply(self, correction: Correction) -> str | None:
        match correction:
            case AddRepetition():
                return self._add(correction)
            case MergeSets():
                return self._merge(correction)
            case SplitSet(time_s=time_s):
                return self._split(time_s)
            case DeleteRepetition(time_s=time_s):
                return self._delete(time_s)
            case ChangePattern() | NameExercise() | EnterLoad() | WriteNote():
                return self._enter(correction)

    def _set_at(self, time_s: float) -> int | None:
        return next((i for i, one in enumerate(self.sets) if one.start_s <= time_s < one.end_s), None)

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

    def _enter(self, correction: ChangePattern | NameExercise | EnterLoad | WriteNote) -> str | None:
        if correction.scope is Scope.REPETITION:
            place = self._repetition_at(correction.time_s)
            if place is None:
                return _nothing_at(correction.time_s, correction.scope)
            i, j = place
            self._put(i, j, _entered(self.sets[i].repetitions[j], correction))
            return None
        found = self._set_at(correction.time_s)
        if found is None:
            return _nothing_at(correction.time_s, correction.scope)
        self.sets[found] = _entered_for_all(self.sets[found], correction)
        return None

    def _split(self, time_s: float) -> str | None:
        i = self._set_at(time_s)
        if i is None:
            return _nothing_at(time_s, Scope.SET)
        whole = self.sets[i]
        before = tuple(one for one in whole.repetitions if one.middle_s < time_s)
        after = tuple(one for one in whole.repetitions if one.middle_s >= time_s)
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
                for j, one in enumerate(one_set.repetitions)
                if _same_movement(one, correction)
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
        """Return the repetition to add: a deleted one again, or one with the figures of a rejected movement if any."""
        again = next((one for one in self.deleted if _same_movement(one, correction)), None)
        if again is not None:
            self.deleted.remove(again)
            return replace(again, pattern=correction.pattern)
        same = [movement for movement in self.rejected if _same_movement(movement, correction)]
        self.rejected = [movement for movement in self.rejected if not _same_movement(movement, correction)]
        figures = next((movement.repetition for movement in same if movement.repetition is not None), None)
        start_s, end_s = (correction.start_s, correction.end_s) if figures is None else (figures.start_s, figures.end_s)
        return CorrectedRepetition(start_s, end_s, correction.pattern, figures, added=True)

    def _insert(self, added: CorrectedRepetition) -> None:
        """Put an added repetition into the nearest set, or into one of its own where none is near."""
        apart_s = [max(one.start_s - added.end_s, added.start_s - one.end_s, 0.0) for one in self.sets]
        nearest = min(range(len(self.sets)), key=apart_s.__getitem__, default=None)
        if nearest is None or apart_s[nearest] > REST_BETWEEN_SETS_S:
            place = sum(one.start_s <= added.start_s for one in self.sets)
            self.sets.insert(place, CorrectedSet((added,)))
            return
        old = self.sets[nearest]
        place = sum(one.start_s <= added.start_s for one in old.repetitions)
        changed = (*old.repetitions[:place], added, *old.repetitions[place:])
        self.sets[nearest] = replace(old, repetitions=changed)


def _entered(
    one: CorrectedRepetition, correction: ChangePattern | NameExercise | EnterLoad | WriteNote
) -> CorrectedRepetition:
    """Return a repetition with what was entered for it alone."""
    match correction:
        case ChangePattern(pattern=pattern):
            return replace(one, pattern=pattern)
        case NameExercise(exercise=exercise):
            return replace(one, exercise=exercise)
        case EnterLoad(load_kg=load_kg):
            return replace(one, load_kg=load_kg)
        case WriteNote(note=note):
            return replace(one, note=note)


def _entered_for_all(
    one_set: CorrectedSet, correction: ChangePattern | NameExercise | EnterLoad | WriteNote
) -> CorrectedSet:
    """Return a set with what was entered for it: the later word, so it takes the place of what single ones had."""
    repetitions = one_set.repetitions
    match correction:
        case ChangePattern(pattern=pattern):
            return replace(one_set, repetitions=tuple(replace(one, pattern=pattern) for one in repetitions))
        case NameExercise(exercise=exercise):
            cleared = tuple(replace(one, exercise=None) for one in repetitions)
            return replace(one_set, exercise=exercise, repetitions=cleared)
        case EnterLoad(load_kg=load_kg):
            cleared = tuple(replace(one, load_kg=None) for one in repetitions)
            return replace(one_set, load_kg=load_kg, repetitions=cleared)
        case WriteNote(note=note):
            return replace(one_set, note=note)


def _merged(parts: list[CorrectedSet]) -> CorrectedSet:
    """Return one set of several; a name or load that differs from the whole's stays with the repetitions."""
    exercise = next((part.exercise for part in parts if part.exercise is not None), None)
    load_kg = next((part.load_kg for part in parts if part.load_kg is not None), None)
    repetitions: list[CorrectedRepetition] = []
    for part in parts:
        for one in part.repetitions:
            own_exercise, own_load_kg = part.exercise_of(one), part.load_kg_of(one)
            repetitions.append(
                replace(
                    one,
                    exercise=None if own_exercise == exercise else own_exercise,
                    load_kg=None if own_load_kg == load_kg else own_load_kg,
                )
            )
    notes = dict.fromkeys(part.note for part in parts if part.note is not None)
    return CorrectedSet(tuple(repetitions), exercise, load_kg, "\n".join(notes) or None)


def _same_movement(one: CorrectedRepetition | RejectedMovement, other: AddRepetition) -> bool:
    """Whether the two overlap by more than half of the shorter one."""
    overlap_s = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return overlap_s > 0.5 * min(one.end_s - one.start_s, other.end_s - other.start_s)


def _nothing_at(time_s: float, scope: Scope) -> str:
    return f"no {scope} is counted at {time_s:.1f} s"
