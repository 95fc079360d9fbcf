"""The live view model: everything there is to show of a training at one moment.

Terminal, page and voice draw from it, so that they agree. :mod:`imu.live.live_training` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from imu.bluetooth import LinkState
from imu.live.signals import LOOKS, Best, Look, SignalKind
from imu.live.targets import Targets
from imu.motion.form import Posture
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.words import number_of
from imu.sensors.conversation import Identified
from imu.session import TrainingSet

LOW_BATTERY_PERCENT = 15.0
"""From here down a battery is low: small sensors show it in coarse steps, and the last of them is soon gone."""


@dataclass(frozen=True, slots=True)
class Link:
    """The connection to the sensor.

    Attributes
    ----------
    state : LinkState
        How far it is. In a view, lost stays until it is connected again, whatever is tried.
    sensor : str or None
        Name of the sensor, once one was found.
    attempt : int
        Which try this is, from 1; 0 where none is counted.
    rssi_dbm : float or None
        Strength of its signal, if known.
    """

    state: LinkState
    sensor: str | None = None
    attempt: int = 0
    rssi_dbm: float | None = None


class Phase(StrEnum):
    """What the person is doing."""

    WAITING = "waiting"
    """Nothing was counted yet."""
    SET = "set"
    """A set is going on."""
    REST = "rest"
    """The person rests: the last set is over, or it may still go on and the next repetition then comes."""


class Gravity(StrEnum):
    """How much a message matters."""

    NOTE = "note"
    CAUTION = "caution"
    PROBLEM = "problem"
    """Training cannot go on like this; the message stays."""


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence for the person, and how long ago it came."""

    sentence: str
    gravity: Gravity
    age_s: float


@dataclass(frozen=True, slots=True)
class NotCounted:
    """A movement that was not counted, the reason, and how long ago that was."""

    reason: str
    age_s: float


@dataclass(frozen=True, slots=True)
class Tally:
    """Squats against hinges."""

    squats: int = 0
    hinges: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Add the counts."""
        return Tally(self.squats + other.squats, self.hinges + other.hinges)


@dataclass(frozen=True, slots=True)
class LastTime:
    """The same set of the last session with this exercise."""

    repetitions: int
    load_kg: float | None
    best_speed_m_s: float | None
    days_ago: int

    @property
    def text(self) -> str:
        """In words: ``last time 5 × 100 kg, best 0.52 m/s``."""
        load = "" if self.load_kg is None else f" × {self.load_kg:g} kg"
        noun = "" if load else " reps"
        best = "" if self.best_speed_m_s is None else f", best {self.best_speed_m_s:.2f} m/s"
        return f"last time {self.repetitions}{noun}{load}{best}"


@dataclass(frozen=True, slots=True)
class PastExercise:
    """What earlier sessions say of an exercise.

    Attributes
    ----------
    sets : tuple of LastTime
        Its sets in the last session that has any.
    best : Best
        How far its repetitions went in that session.
    """

    sets: tuple[LastTime, ...] = ()
    best: Best = field(default_factory=Best)


@dataclass(frozen=True, slots=True)
class TrainedBefore:
    """What was trained before this session, from the store.

    Attributes
    ----------
    today, last_28_days : Tally
        Squats against hinges of today, and of the 28 days before this session with today.
    exercises : mapping of str to PastExercise
        The last session of exercises, by name.
    """

    today: Tally = Tally()
    last_28_days: Tally = Tally()
    exercises: Mapping[str, PastExercise] = field(default_factory=dict)


class Measure(StrEnum):
    """What a gauge or the bars of a set show."""

    DEPTH = "depth"
    """Hip drop, m."""
    ANGLE = "angle"
    """Trunk angle, rad."""
    SPEED = "speed"
    """Peak velocity of the way up, m/s: within a set it is the surer measure of speed lost."""


FULL = {Measure.DEPTH: 0.6, Measure.ANGLE: math.radians(90), Measure.SPEED: 1.5}
"""End of each scale: a deep squat of a tall person (a parallel squat drops the hip by 0.49 m at 1.75 m of height), a
trunk parallel with the floor, a fast squat without load."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A measure that moves with the hip, and what it should reach.

    Attributes
    ----------
    measure : Measure
        Depth or angle.
    now : float or None
        Its value now; ``None`` without a connected sensor.
    target : float or None
        Target of a repetition.
    last : float or None
        Value of the last repetition.
    full : float
        End of the scale.
    """

    measure: Measure
    now: float | None
    target: float | None
    last: float | None
    full: float

    def share(self, value: float) -> float:
        """Return where on the scale a value is, 0 to 1."""
        return min(1.0, max(0.0, value / self.full))


@dataclass(frozen=True, slots=True)
class Bar:
    """One repetition of the set that is shown.

    Attributes
    ----------
    value : float
        In the measure of the bars.
    signals : tuple of SignalKind
        What it calls for, the most important first; empty without targets.
    """

    value: float
    signals: tuple[SignalKind, ...] = ()

    @property
    def look(self) -> Look | None:
        """The look of its most important signal."""
        return LOOKS[self.signals[0]] if self.signals else None


@dataclass(frozen=True, slots=True)
class Bars:
    """The repetitions of the set that is shown, one bar each.

    Attributes
    ----------
    measure : Measure
        Speed where the hip sinks far enough for it, else depth or angle.
    bars : tuple of Bar
        In the order of time.
    full : float
        End of the scale; at least the largest value.
    target_low, target_high : float or None
        The least depth or angle to reach, and the most.
    loss_line : float or None
        Speed at which the set should end.
    planned : int or None
        How many bars the set should have.
    """

    measure: Measure
    bars: tuple[Bar, ...] = ()
    full: float = 1.0
    target_low: float | None = None
    target_high: float | None = None
    loss_line: float | None = None
    planned: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where in the plan the person is.

    Attributes
    ----------
    title : str or None
        Exercise and load, as ``back squat 100 kg``.
    set_number : int
        Which set of the exercise, from 1.
    sets : int or None
        How many it should have.
    repetition : int
        Repetitions done in it.
    repetitions : int or None
        How many it should have.
    coming : bool
        Whether the set is the next one.
    done : bool
        Whether the plan has no further set.
    """

    title: str | None
    set_number: int
    sets: int | None
    repetition: int
    repetitions: int | None
    coming: bool = False
    done: bool = False

    @property
    def text(self) -> str:
        """In words: ``Back squat 100 kg, set 2 of 5, rep 3 of 5``."""
        if self.done:
            return "All sets of the plan are done"
        title = "" if self.title is None else f"{self.title[0].upper()}{self.title[1:]}, "
        of_sets = "" if self.sets is None else f" of {self.sets}"
        start = f"{title}set {self.set_number}{of_sets}"
        if self.coming:
            reps = "" if self.repetitions is None else f", {number_of(self.repetitions, 'rep')}"
            return f"Next: {start}{reps}"
        of_reps = "" if self.repetitions is None else f" of {self.repetitions}"
        return f"{start}, rep {self.repetition}{of_reps}"


@dataclass(frozen=True, slots=True)
class SetCard:
    """What is to be said of a set that is done; SI units.

    Attributes
    ----------
    title : str or None
        Exercise and load.
    pattern : Pattern
        Of the set.
    repetitions : int
        How many.
    best_speed_m_s, mean_speed_m_s, velocity_loss : float or None
        ``None`` where the hip hardly sinks.
    depth_m, trunk_angle_rad : float
        Means.
    tempo : str
        Mean seconds down, paused and up.
    good : int or None
        Repetitions that met every target; ``None`` without targets.
    well, try_next : str or None
        One thing that went well, and one thing to try.
    """

    title: str | None
    pattern: Pattern
    repetitions: int
    best_speed_m_s: float | None
    mean_speed_m_s: float | None
    velocity_loss: float | None
    depth_m: float
    trunk_angle_rad: float
    tempo: str
    good: int | None = None
    well: str | None = None
    try_next: str | None = None


@dataclass(frozen=True, slots=True)
class LiveView:
    """Everything there is to show at one moment; SI units.

    Attributes
    ----------
    phase : Phase
        What the person is doing.
    paused : bool
        Whether nothing is counted at the person's wish.
    shown : TrainingSet or None
        The set going on; in a rest the last one; ``None`` before the first repetition.
    set_number : int
        Its number, from 1; 0 without one.
    set_may_go_on : bool
        Whether the set that is shown is not over for certain, so that the person can end it.
    velocity_loss : float or None
        Share of velocity lost in it, as in the report; ``None`` where that says nothing.
    set_s, rest_s : float or None
        Time since its first repetition began (until its end, in a rest), and since its last ended, s.
    rest_target_s : float or None
        How long the person means to rest.
    rest_is_provisional : bool
        Whether the rest ends silently if another repetition follows. The count stays where it is until it is certain.
    cue : str or None
        In a set what the last repetition calls for, in a rest the first thing to say of the set. At most one.
    targets : Targets or None
        Of the set that is shown, or of the first one before it.
    signals : tuple of SignalKind
        What the last repetition calls for against the targets, the most important first; in a rest that is over
        `REST_OVER` comes first.
    progress : Progress or None
        Where in the plan the person is; ``None`` without a plan.
    gauge, other_gauge : Gauge
        The measure that matters (depth of a squat, angle of a hinge), and the other one.
    bars : Bars
        The repetitions of the set that is shown.
    card : SetCard or None
        What is to be said of the set that is shown, from 2 s of standing still on.
    previous_set : SetCard or None
        The set before the one that is shown.
    last_time : LastTime or None
        The same set of the last session with this exercise.
    posture : Posture or None
        Where the hip is now; ``None`` without a connected sensor.
    sets : tuple of TrainingSet
        Those that are over, in the order of time.
    session, today, last_28_days : Tally
        Squats against hinges of this session, and with it of today and of 28 days.
    counted, taken_back : int
        Repetitions announced and taken back so far, whatever became of them since.
    lone : Repetition or None
        A lone movement that the person may keep as a set.
    not_counted : NotCounted or None
        The latest other movement that was not counted, for a few seconds.
    link : Link
        The connection; `link_s` is how long it has been like that, s.
    identity : Identified or None
        Which sensor it is, once it has said so.
    battery_percent : float or None
        How full its battery is, if known.
    samples_lost, losses_of_unknown_size, samples_recovered, malformed : int
        Samples that will never come, losses that the sensor did not size, samples that came late, messages that made
        no sense.
    without_samples_s : float
        Length of all gaps, s.
    messages : tuple of Message
        What the person should know, the latest first.
    """

    phase: Phase = Phase.WAITING
    paused: bool = False
    shown: TrainingSet | None = None
    set_number: int = 0
    set_may_go_on: bool = False
    velocity_loss: float | None = None
    set_s: float | None = None
    rest_s: float | None = None
    rest_target_s: float | None = None
    rest_is_provisional: bool = False
    cue: str | None = None
    targets: Targets | None = None
    signals: tuple[SignalKind, ...] = ()
    progress: Progress | None = None
    gauge: Gauge = Gauge(Measure.DEPTH, None, None, None, FULL[Measure.DEPTH])
    other_gauge: Gauge = Gauge(Measure.ANGLE, None, None, None, FULL[Measure.ANGLE])
    bars: Bars = Bars(Measure.SPEED)
    card: SetCard | None = None
    previous_set: SetCard | None = None
    last_time: LastTime | None = None
    posture: Posture | None = None
    sets: tuple[TrainingSet, ...] = ()
    session: Tally = Tally()
    today: Tally = Tally()
    last_28_days: Tally = Tally()
    counted: int = 0
    taken_back: int = 0
    lone: Repetition | None = None
    not_counted: NotCounted | None = None
    link: Link = Link(LinkState.SEARCHING)
    link_s: float = 0.0
    identity: Identified | None = None
    battery_percent: float | None = None
    samples_lost: int = 0
    losses_of_unknown_size: int = 0
    samples_recovered: int = 0
    malformed: int = 0
    without_samples_s: float = 0.0
    messages: tuple[Message, ...] = ()

    @property
    def count(self) -> int:
        """Repetitions in the set that is shown."""
        return len(self.shown.repetitions) if self.shown else 0

    @property
    def first(self) -> Repetition | None:
        """The first repetition of the set that is shown."""
        return self.shown.repetitions[0] if self.shown else None

    @property
    def last(self) -> Repetition | None:
        """The last repetition of the set that is shown."""
        return self.shown.repetitions[-1] if self.shown else None

    @property
    def rest_share(self) -> float | None:
        """Share of the planned rest that is over."""
        if self.phase is not Phase.REST or self.rest_s is None or not self.rest_target_s:
            return None
        return self.rest_s / self.rest_target_s

    @property
    def look(self) -> Look | None:
        """The look of the most important signal."""
        return LOOKS[self.signals[0]] if self.signals else None

    @property
    def rest_is_over(self) -> bool:
        """Whether the person has rested for as long as meant."""
        if self.phase is not Phase.REST or self.rest_s is None or self.rest_target_s is None:
            return False
        return self.rest_s >= self.rest_target_s
