"""The closing words on a set and on a training: figures, what went well, one thing to try.

Terminal, page and voice show the same words. Records and volume of a stored training are in :mod:`imu.live.memory`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean, stdev

from imu.live.signals import FAULTS, LOOKS, Best, Coach, SignalKind
from imu.live.targets import Targets
from imu.motion.pattern import Pattern
from imu.report.cues import cues, share_of_speed_lost, sinks
from imu.report.words import number_of, tempo
from imu.session import TrainingSet

PRAISE = ("upright", "well bent")
"""How the report begins a cue that is praise."""
SLOWER = "slower at the end"
"""How its cue on lost speed ends."""
HELD_SPEED = 0.1
"""A set loses less speed than this if the load left room for more: half of the loss at which sets usually end."""
EVEN_DROP_M = 0.03
"""Largest standard deviation of the hip drop in an even set: about the error of one repetition."""
LEAST_FOR_EVEN = 3
"""Fewer repetitions are not called even."""
_cues_of = lru_cache(maxsize=8)(cues)
"""The cues of a set: the screens ask 30 times a second, and the figures behind them take longest."""


def plural(count: int, pattern: Pattern) -> str:
    """Return a number of repetitions of a pattern in words; mixed and uncertain ones are repetitions."""
    noun = pattern.value if pattern in (Pattern.SQUAT, Pattern.HINGE) else f"{pattern} repetition"
    return number_of(count, noun)


def plural_of(done: TrainingSet) -> str:
    """Return the repetitions of a set in words."""
    return plural(len(done.repetitions), done.pattern)


@dataclass(frozen=True, slots=True)
class SetCard:
    """The closing words on a set; SI units.

    Attributes
    ----------
    title : str or None
        Exercise and load.
    pattern : Pattern
        Of the set.
    repetitions : int
        How many.
    best_speed_m_s, mean_speed_m_s, speed_lost : float or None
        ``None`` where the hip hardly sinks. The last is the share by which the last repetitions were slower than the
        first, as in reports.
    depth_m, trunk_angle_rad : float
        Means.
    tempo : str
        Mean seconds down, paused and up.
    good : int or None
        Repetitions that met every target; ``None`` without targets.
    well, try_next : str or None
        One thing that went well, and one thing to try.
    more : int
        Repetitions that the person added to the count.
    """

    title: str | None
    pattern: Pattern
    repetitions: int
    best_speed_m_s: float | None
    mean_speed_m_s: float | None
    speed_lost: float | None
    depth_m: float
    trunk_angle_rad: float
    tempo: str
    good: int | None = None
    well: str | None = None
    try_next: str | None = None
    more: int = 0

    @property
    def text(self) -> str:
        """In words: ``8 squats, 7 on target``."""
        good = "" if self.good is None else f", {self.good} on target"
        by_hand = f"{self.repetitions + self.more} by your count; measured: " if self.more else ""
        return f"{by_hand}{plural(self.repetitions, self.pattern)}{good}"

    @property
    def advice(self) -> tuple[str, ...]:
        """The set's strength and one thing to try, a sentence each."""
        return _sentences(("Good", self.well, ""), ("Try", self.try_next, ""))


def card(done: TrainingSet, coach: Coach, index: int) -> SetCard:
    """Return the closing words on a set.

    Parameters
    ----------
    done : TrainingSet
        The set.
    coach : Coach
        Plan and signals of the training.
    index : int
        Number of the set in the training, from 0.
    """
    place = coach.place_of(index)
    targets = Targets() if place is None else place.targets
    entered = coach.entries.exercise_of(done) or targets
    repetitions, other = done.repetitions, targets.is_other(done.pattern)
    signals = [coach.signals_of(repetitions[:count], index) for count in range(1, len(repetitions) + 1)]
    good = sum(not FAULTS & set(kinds) for kinds in signals) if targets.judge_repetitions and not other else None
    speeds = [repetition.mean_concentric_velocity_m_s for repetition in repetitions] if sinks(done) else []
    return SetCard(
        title=entered.title,
        pattern=done.pattern,
        repetitions=len(repetitions),
        best_speed_m_s=max(speeds, default=None),
        mean_speed_m_s=fmean(speeds) if speeds else None,
        speed_lost=share_of_speed_lost(done),
        depth_m=fmean(repetition.hip_drop_m for repetition in repetitions),
        trunk_angle_rad=fmean(repetition.trunk_angle_rad for repetition in repetitions),
        tempo=tempo(repetitions),
        good=good,
        well=_went_well(done, signals, good),
        try_next=_correct_it(done, targets)
        if other and entered.is_other(done.pattern)
        else _to_try(done, signals, None if other else targets.repetitions),
        more=coach.entries.more_in(repetitions),
    )


def _stopped_after(signals: Sequence[Sequence[SignalKind]]) -> int | None:
    """Return the first repetition, from 1, whose loss of speed says that the set should end."""
    return next((count for count, kinds in enumerate(signals, 1) if SignalKind.STOP in kinds), None)


def _went_well(done: TrainingSet, signals: Sequence[Sequence[SignalKind]], good: int | None) -> str | None:
    """Return the first that holds: stopped in time, all targets met, praise of the form, speed held, depth even."""
    repetitions, stop = done.repetitions, _stopped_after(signals)
    if stop == len(repetitions):
        return f"you stopped as the speed was lost, at rep {stop}"
    if good is not None and good == len(repetitions):
        return "every repetition met its targets"
    praise = next((cue for cue in _cues_of(done) if cue.startswith(PRAISE)), None)
    if praise is not None or len(repetitions) < LEAST_FOR_EVEN:
        return praise
    loss = share_of_speed_lost(done)
    if loss is not None and loss < HELD_SPEED:
        return f"the speed held, {_percent_slower(loss)}"
    drop_m = stdev(repetition.hip_drop_m for repetition in repetitions)
    return f"even depth (±{100 * drop_m:.0f} cm)" if sinks(done) and drop_m <= EVEN_DROP_M else None


def _to_try(done: TrainingSet, signals: Sequence[Sequence[SignalKind]], planned: int | None) -> str | None:
    """Return the first that holds: end at the stop, the target missed most, a correction of the form, more load."""
    repetitions, stop = done.repetitions, _stopped_after(signals)
    if stop is not None and stop < len(repetitions):
        beyond = number_of(len(repetitions) - stop, "rep")
        return f"end the set at the stop: {beyond} came after it"
    faults = Counter(kind for kinds in signals for kind in kinds if kind in FAULTS)
    if faults:
        kind, count = faults.most_common(1)[0]
        were = "was" if count == 1 else "were"
        return f"{LOOKS[kind].spoken}: {count} of {number_of(len(repetitions), 'rep')} {were} {kind}"
    for cue in _cues_of(done):
        if cue.endswith(SLOWER) and stop is None:
            return f"a longer rest or less load: {cue}"
        if not cue.endswith(SLOWER) and not cue.startswith(PRAISE):
            return cue
    loss = share_of_speed_lost(done)
    if loss is not None and loss < HELD_SPEED and len(repetitions) >= (planned or LEAST_FOR_EVEN):
        return f"one more repetition or some more load: {_percent_slower(loss)}"
    return None


def _correct_it(done: TrainingSet, targets: Targets) -> str:
    return f"correct the exercise or the pattern: {other_was_meant(done, targets)}"


def other_was_meant(done: TrainingSet, targets: Targets) -> str:
    """Return what was planned and what came, for a set whose pattern is not that of its plan."""
    meant = targets.exercise or f"a {targets.pattern}"
    return f"{meant} was planned, {plural_of(done)} came"


def _percent_slower(loss: float) -> str:
    """Return how the last repetitions differ from the first, as the figures of a set say it."""
    percent = round(100 * loss)
    how = f"{abs(percent)} % {'slower' if percent > 0 else 'faster'}" if percent else "as fast"
    return f"{how} at the end"


def training_advice(cards: Sequence[SetCard]) -> tuple[str, ...]:
    """Return a strength that most sets of a training share, and the one thing to try that is the commonest."""
    well, try_next = [each.well for each in cards], [each.try_next for each in cards]
    return _sentences(("Good", *_commonest(well, of_most=True)), ("Try", *_commonest(try_next)))


def _commonest(sentences: Sequence[str | None], *, of_most: bool = False) -> tuple[str | None, str]:
    """Return the latest sentence of the commonest kind, if wanted only one of most sets, and how many sets have it."""
    kinds = [None if sentence is None else re.split(r"[:(,\d]", sentence)[0] for sentence in sentences]
    known = Counter(kind for kind in kinds if kind is not None)
    if not known:
        return None, ""
    count = max(known.values())
    if of_most and 2 * count <= len(sentences):
        return None, ""
    kind = next(kind for kind in reversed(kinds) if known[kind] == count)
    latest = next(one for one, its_kind in zip(reversed(sentences), reversed(kinds), strict=True) if its_kind == kind)
    return latest, "" if len(sentences) == 1 else f" ({count} of {len(sentences)} sets)"


def _sentences(*said: tuple[str, str | None, str]) -> tuple[str, ...]:
    """Return a sentence of each word, text and share of the sets, without those that have no text."""
    return tuple(f"{word}{share}: {text}." for word, text, share in said if text)


def saved_sentence(number: int, person: str = "") -> str:
    """Return that a session is saved, and the next steps; `person` is the name of the folder, empty for the owner."""
    imu = f"imu --person {person}" if person else "imu"
    return f"Session {number} is saved: {imu} review {number} shows it, {imu} correct {number} corrects it."


# --- the last session -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LastTime:
    """The same set of the last session with this exercise."""

    repetitions: int
    load: str | None
    best_speed_m_s: float | None
    days_ago: int

    @property
    def text(self) -> str:
        """In words: ``last time 5 × 225 lb, best 0.52 m/s``."""
        load = "" if self.load is None else f" × {self.load}"
        noun = "" if load else " reps"
        best = "" if self.best_speed_m_s is None else f", best {self.best_speed_m_s:.2f} m/s"
        return f"last time {self.repetitions}{noun}{load}{best}"


@dataclass(frozen=True, slots=True)
class PastExercise:
    """The figures of an exercise in earlier sessions.

    Attributes
    ----------
    sets : tuple of LastTime
        Its sets in the last session that has any.
    best : Best
        How far its repetitions went in that session.
    """

    sets: tuple[LastTime, ...] = ()
    best: Best = field(default_factory=Best)
