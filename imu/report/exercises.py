"""The sets of one exercise -> its history, best sets, records, and the load that could be lifted once.

Two ways lead to the one-repetition maximum (1RM), and they stay apart:

- **Load x repetitions**, by Epley's formula, 1RM = load x (1 + repetitions / 30) (Epley, Poundage Chart, Boyd Epley
  Workout, Lincoln, Nebraska, 1985); a single repetition is the load itself. Sets of more than 12 repetitions are
  refused. A set that ends before failure gives too low an estimate: of the strength shown, not of the possible. Where
  the real law is Brzycki's, load x 36 / (37 - repetitions), the two differ by up to 4 % within 12 repetitions.
- **The load-velocity profile**: a straight line through the fastest repetition at each load, read off at the speed of a
  maximum. Banyard, Nosaka and Haff (2017, doi 10.1519/JSC.0000000000001657) measured that speed as 0.24 +- 0.06 m/s
  (mean concentric velocity, full back squat), and found that the profile missed the 1RM by 7.4 % with loads up to 90 %.
  The error here is that of the line and of the speed together, one standard deviation. Deviation: they measured the
  bar, this program the hip, which rises less than the bar by what the trunk adds; the error does not hold this.
  In a hinge the hip moves back rather than up, so its speed says nothing of the load: refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from imu.motion.pattern import Pattern, pattern_of_set
from imu.report.cues import SPEED_DROP_M, SPEED_ERROR_M_S
from imu.report.words import bare_volume, date_of, sets_in_words, sum_if_any, volume, weight
from imu.store import ExerciseSet, SessionStore
from imu.store.exercises import BALLISTIC, key_of, known_exercise, usual_name

MOST_REPETITIONS = 12
"""Sets of more repetitions depend on endurance more than on strength; tables of 1RM end at 10 to 12."""
MAXIMUM_SPEED_M_S, MAXIMUM_SPEED_SD_M_S = 0.24, 0.06
"""Mean concentric velocity of a maximal squat, and how much it differs between people (Banyard 2017)."""
LEAST_LOADS = 4
"""Loads of a profile: with fewer, a line has no error of its own to speak of."""
LEAST_SPEED_SPAN_M_S = 0.15
"""Least difference between the fastest and the slowest load: three times the error of a speed (0.05 m/s)."""
LEAST_STRAIGHTNESS = 0.8
"""Least r² of the line; profiles of one person have 0.9 and more."""
LARGEST_ERROR = 0.15
"""An estimate with a larger relative error is refused."""
FARTHEST = 1.5
"""The estimate may exceed the heaviest load by this factor; beyond it the line is only a guess."""
PROFILE_DAYS = 42
"""Loads of this many days before the latest set make one profile: within six weeks strength changes little."""


@dataclass(frozen=True, slots=True)
class Maximum:
    """An estimate of the one-repetition maximum.

    Attributes
    ----------
    load_kg : float or None
        The estimate; ``None`` if it is refused.
    error_kg : float or None
        Its standard error; ``None`` where it is not known.
    refused : str or None
        Why there is no estimate, in a sentence.
    from_set : ExerciseSet or None
        The set that it comes from, for load x repetitions.
    loads : int
        Number of loads in the profile.
    """

    load_kg: float | None = None
    error_kg: float | None = None
    refused: str | None = None
    from_set: ExerciseSet | None = None
    loads: int = 0


class _OfSets:
    """The sums and bests of `sets`, which are those of one session or of all."""

    __slots__ = ()

    @property
    def sets(self) -> tuple[ExerciseSet, ...]:
        raise NotImplementedError

    @property
    def repetitions(self) -> int:
        """Repetitions in all sets."""
        return sum(one_set.repetitions for one_set in self.sets)

    @property
    def volume_kg(self) -> float | None:
        """Sum of repetitions x load; ``None`` if no set has a load."""
        return volume_kg(self.sets)

    @property
    def maximum(self) -> Maximum:
        """The largest estimate of the 1RM by Epley's formula."""
        return maximum_from_repetitions(self.sets)

    @property
    def heaviest(self) -> ExerciseSet | None:
        """The set with the heaviest load, the first of several with most repetitions."""
        return heaviest_of(self.sets)


@dataclass(frozen=True, slots=True)
class Trained(_OfSets):
    """One exercise in one session.

    Attributes
    ----------
    session_id : int
        Number of the session.
    trained_at : datetime
        When, UTC.
    sets : tuple of ExerciseSet
        Its sets.
    """

    session_id: int
    trained_at: datetime
    sets: tuple[ExerciseSet, ...]

    def best_speed_m_s(self, load_kg: float | None = None) -> float | None:
        """Return the fastest mean concentric velocity of a repetition, of all loads or at one."""
        sets = [one_set for one_set in self.sets if load_kg is None or _rounded_load(one_set) == load_kg]
        return max((one_set.best_speed_m_s for one_set in sets if one_set.best_speed_m_s is not None), default=None)


@dataclass(frozen=True, slots=True)
class AtLoad:
    """The best of one load.

    Attributes
    ----------
    load_kg : float
        The load.
    most : ExerciseSet
        The set with the most repetitions; the first of several.
    fastest, record : ExerciseSet or None
        The set with the fastest repetition, and the latest that broke the speed record; ``None`` without speeds, and
        for hinges.
    """

    load_kg: float
    most: ExerciseSet
    fastest: ExerciseSet | None
    record: ExerciseSet | None


@dataclass(frozen=True, slots=True)
class ExerciseHistory(_OfSets):
    """All that is stored of one exercise.

    Attributes
    ----------
    name : str
        The usual name of a known exercise, else the name as it was written last.
    pattern : Pattern
        Of a known exercise; of another one, the pattern of most of its repetitions.
    known : bool
        Whether the exercise is in :data:`imu.store.exercises.KNOWN`.
    sessions : tuple of Trained
        In the order of time, at least one.
    """

    name: str
    pattern: Pattern
    known: bool
    sessions: tuple[Trained, ...]

    @property
    def sets(self) -> tuple[ExerciseSet, ...]:
        """All sets in the order of time."""
        return tuple(one_set for session in self.sessions for one_set in session.sets)

    @property
    def usual_load_kg(self) -> float | None:
        """The load that was lifted in most sessions, the heavier of two: speeds at it can be compared."""
        loads = Counter(
            load for session in self.sessions for load in {_rounded_load(s) for s in session.sets if s.load_kg}
        )
        return max(loads, key=lambda load: (loads[load], load), default=None)

    @property
    def largest_session(self) -> Trained | None:
        """The session with the largest volume."""
        loaded = [session for session in self.sessions if session.volume_kg is not None]
        return max(loaded, key=lambda session: session.volume_kg or 0.0, default=None)

    @property
    def profile(self) -> Maximum:
        """The estimate of the 1RM from the load-velocity profile of the last weeks."""
        latest = self.sessions[-1].trained_at - timedelta(days=PROFILE_DAYS)
        recent = [one_set for one_set in self.sets if one_set.trained_at >= latest and one_set.load_kg is not None]
        speeds: dict[float, float] = {}
        for one_set in recent:
            if one_set.load_kg is not None and one_set.best_speed_m_s is not None:
                load_kg = round(one_set.load_kg, 2)
                speeds[load_kg] = max(one_set.best_speed_m_s, speeds.get(load_kg, 0.0))
        return maximum_from_profile(self.pattern, speeds)

    @property
    def at_loads(self) -> tuple[AtLoad, ...]:
        """The best sets of each load, the heaviest first."""
        loaded = sorted(
            (one_set for one_set in self.sets if one_set.load_kg is not None), key=_rounded_load, reverse=True
        )
        return tuple(
            self._at_load(sorted(group, key=lambda one_set: one_set.trained_at))
            for _, group in groupby(loaded, _rounded_load)
        )

    def _at_load(self, sets: Sequence[ExerciseSet]) -> AtLoad:
        timed = (
            [one_set for one_set in sets if one_set.best_speed_m_s is not None] if self.pattern is Pattern.SQUAT else []
        )
        return AtLoad(
            load_kg=_rounded_load(sets[0]),
            most=max(sets, key=lambda one_set: one_set.repetitions),
            fastest=max(timed, key=_speed_m_s, default=None),
            record=speed_record(timed),
        )


def speed_record(sets: Iterable[ExerciseSet]) -> ExerciseSet | None:
    """Return the latest set that broke the record: it was faster than the record by more than the error of a speed.

    Parameters
    ----------
    sets : iterable of ExerciseSet
        Sets with a speed, of one load, in the order of time; the first one sets the record.
    """
    record = None
    for one_set in sets:
        if record is None or round(_speed_m_s(one_set) - _speed_m_s(record), 2) > SPEED_ERROR_M_S:
            record = one_set
    return record


def _speed_m_s(one_set: ExerciseSet) -> float:
    return round(one_set.best_speed_m_s or 0.0, 2)  # as shown


class Record(NamedTuple):
    """A record or an estimate of an exercise, in the same words on page, terminal and report."""

    name: str
    text: str
    of: ExerciseSet | Trained | None = None
    """The set or session that it comes from."""
    note: str = ""
    refused: bool = False

    @property
    def words(self) -> str:
        """The text with the day and the note."""
        day = "" if self.of is None else f", {date_of(self.of.trained_at)}"
        return f"{self.text}{day}{self.note}"


def records_of(history: ExerciseHistory, *, in_lb: bool) -> tuple[Record, ...]:
    """Return the records of an exercise with their days, and both estimates of the 1RM or why they are refused."""
    heaviest, largest, epley, profile = history.heaviest, history.largest_session, history.maximum, history.profile
    records = [] if heaviest is None else [Record("Heaviest", set_in_words(heaviest, in_lb=in_lb), heaviest)]
    if largest is not None:
        records.append(Record("Most volume", volume(largest.volume_kg, in_lb=in_lb), largest))
    best = epley.from_set
    text = epley.refused or f"{volume(epley.load_kg, in_lb=in_lb)}, from {set_in_words(best, in_lb=in_lb)}"
    note = "" if best is None else "; too low if the set ended before failure"
    error = f"{bare_volume(profile.load_kg, in_lb=in_lb)} ± {volume(profile.error_kg, in_lb=in_lb)}"
    by_speed = profile.refused or f"{error}, from {profile.loads} loads (Banyard 2017)"
    return (
        *records,
        Record("1RM by Epley", text, best, note, refused=best is None),
        Record("1RM by speed", by_speed, refused=profile.refused is not None),
    )


def set_in_words(one_set: ExerciseSet | None, *, in_lb: bool) -> str:
    """Return load and repetitions of a set: ``100 kg × 5``; empty without a load."""
    if one_set is None or one_set.load_kg is None:
        return ""
    return f"{weight(one_set.load_kg, in_lb=in_lb)} × {one_set.repetitions}"


def heaviest_of(sets: Iterable[ExerciseSet]) -> ExerciseSet | None:
    """Return the set with the heaviest load, the first of several with most repetitions; ``None`` without a load."""
    loaded = [one_set for one_set in sets if one_set.load_kg is not None]
    return max(loaded, key=lambda one_set: (one_set.load_kg, one_set.repetitions), default=None)


def _rounded_load(one_set: ExerciseSet) -> float:
    return round(one_set.load_kg or 0.0, 2)


def exercise_histories(store: SessionStore) -> tuple[ExerciseHistory, ...]:
    """Return all exercises of the store, the one that was trained last first.

    Raises
    ------
    StoreDamaged
        If the store cannot be read.
    """
    return histories_of(stored_sets(store))


def stored_sets(store: SessionStore) -> tuple[ExerciseSet, ...]:
    """Return all sets of the store in the order of time, which the functions here take."""
    return store.exercise_sets(least_drop_for_speed_m=SPEED_DROP_M)


def histories_of(sets: Iterable[ExerciseSet]) -> tuple[ExerciseHistory, ...]:
    """Return the history of each exercise of sets, which are in the order of time; one without a name has none."""
    by_name: dict[str, list[ExerciseSet]] = {}
    for one_set in filter(attrgetter("exercise"), sets):
        by_name.setdefault(key_of(usual_name(one_set.exercise)), []).append(one_set)
    histories = [_history(same) for same in by_name.values()]
    return tuple(sorted(histories, key=lambda history: history.sessions[-1].trained_at, reverse=True))


def sessions_in_words(sets: Iterable[ExerciseSet], *, in_lb: bool) -> dict[int, str]:
    """Return what was done in each session with a set, in words, by its number."""

    def words_of(one_set: ExerciseSet) -> tuple[str, str, int]:
        counts = {Pattern.SQUAT: one_set.squats, Pattern.HINGE: one_set.hinges}
        pattern = pattern_of_set(each for each, count in counts.items() for _ in range(count))
        load_text = "" if one_set.load_kg is None else weight(one_set.load_kg, in_lb=in_lb)
        return one_set.exercise or pattern, load_text, one_set.repetitions

    by_session = groupby(sets, key=attrgetter("session_id"))
    return {number: sets_in_words(map(words_of, same)) for number, same in by_session}


def _history(sets: Sequence[ExerciseSet]) -> ExerciseHistory:
    known = known_exercise(sets[-1].exercise)
    squats, hinges = sum(one_set.squats for one_set in sets), sum(one_set.hinges for one_set in sets)
    measured = Pattern.UNCERTAIN if squats == hinges else Pattern.SQUAT if squats > hinges else Pattern.HINGE
    sessions = (tuple(group) for _, group in groupby(sets, key=lambda one_set: one_set.session_id))
    return ExerciseHistory(
        name=usual_name(sets[-1].exercise),
        pattern=measured if known is None else known.pattern,
        known=known is not None,
        sessions=tuple(Trained(group[0].session_id, group[0].trained_at, group) for group in sessions),
    )


def volume_kg(sets: Iterable[ExerciseSet]) -> float | None:
    """Return the sum of repetitions x load; ``None`` if no set has a load."""
    return sum_if_any(None if one_set.load_kg is None else one_set.repetitions * one_set.load_kg for one_set in sets)


# --- the one-repetition maximum --------------------------------------------------------------------------------------


def epley_kg(load_kg: float, repetitions: int) -> float:
    """Return the 1RM by Epley's formula.

    Raises
    ------
    ValueError
        If the set has no repetition, or more than the formula allows.
    """
    if not 1 <= repetitions <= MOST_REPETITIONS:
        raise ValueError(f"the formula holds for 1 to {MOST_REPETITIONS} repetitions, not {repetitions}")
    return load_kg if repetitions == 1 else load_kg * (1 + repetitions / 30)


def maximum_from_repetitions(sets: Iterable[ExerciseSet]) -> Maximum:
    """Return the largest estimate of sets by Epley's formula, or why it is refused."""
    loaded = [one_set for one_set in sets if one_set.load_kg]
    if not loaded:
        return Maximum(refused="No set has a load.")
    if all(usual_name(one_set.exercise) in BALLISTIC for one_set in loaded):
        return Maximum(refused="A swing or throw has no one-repetition maximum.")
    usable = [one_set for one_set in loaded if one_set.repetitions <= MOST_REPETITIONS]
    if not usable:
        return Maximum(refused=f"Every set has more than {MOST_REPETITIONS} repetitions, too many for the formula.")
    best = max(usable, key=lambda one_set: epley_kg(one_set.load_kg or 0.0, one_set.repetitions))
    return Maximum(epley_kg(best.load_kg or 0.0, best.repetitions), from_set=best)


def maximum_from_profile(pattern: Pattern, speed_at: dict[float, float]) -> Maximum:
    """Return the 1RM from the fastest mean concentric velocity at each load, or why it is refused.

    Parameters
    ----------
    pattern : Pattern
        Of the exercise.
    speed_at : dict of float to float
        Load in kg -> mean concentric velocity in m/s.
    """
    count = len(speed_at)
    if pattern is not Pattern.SQUAT:
        refused = "Only squats have a load-velocity profile here: a hinge moves the hip back more than up."
        return Maximum(refused=refused, loads=count)
    if count < LEAST_LOADS:
        refused = f"A profile needs {LEAST_LOADS} different loads with a speed within {PROFILE_DAYS} days, not {count}."
        return Maximum(refused=refused, loads=count)
    loads, speeds = np.array(sorted(speed_at.items())).T
    slope, offset = (float(coefficient) for coefficient in np.polyfit(loads, speeds, 1))
    rest = speeds - (offset + slope * loads)
    straightness = 1 - float(rest @ rest) / float(((speeds - speeds.mean()) ** 2).sum() or math.inf)
    load_kg = (MAXIMUM_SPEED_M_S - offset) / slope if slope else math.inf
    error_kg = _error_kg(loads, rest, slope, load_kg) if slope else math.inf
    reasons = (
        (
            speeds.max() - speeds.min() < LEAST_SPEED_SPAN_M_S,
            f"The speeds of all loads lie within {LEAST_SPEED_SPAN_M_S:.2f} m/s; add lighter or heavier sets.",
        ),
        (slope >= 0, "The speed does not fall with the load; lift each load as fast as possible."),
        (straightness < LEAST_STRAIGHTNESS, "The speeds do not lie on a line; lift each load as fast as possible."),
        (
            not 0 < load_kg <= FARTHEST * loads.max(),
            f"The heaviest load, {loads.max():g} kg, is too far from a maximum.",
        ),
        (error_kg > LARGEST_ERROR * load_kg, f"The estimate would be uncertain by {error_kg:.0f} kg."),
    )
    refused = next((sentence for applies, sentence in reasons if applies), "")
    return Maximum(refused=refused, loads=count) if refused else Maximum(load_kg, error_kg, loads=count)


def _error_kg(loads: np.ndarray, rest: np.ndarray, slope: float, load_kg: float) -> float:
    """Return the standard error of an inverse prediction (delta method), with that of the speed of a maximum."""
    count = len(loads)
    variance = float(rest @ rest) / (count - 2)
    spread = float(((loads - loads.mean()) ** 2).sum())
    of_line = variance * (1 / count + (load_kg - float(loads.mean())) ** 2 / spread)
    return math.sqrt(of_line + MAXIMUM_SPEED_SD_M_S**2) / abs(slope)
