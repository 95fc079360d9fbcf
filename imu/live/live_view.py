"""The live view model: everything there is to show of a training at one moment.

Terminal, page and voice draw from it, so that they agree. :mod:`imu.live.live_training` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from imu.bluetooth import LinkState
from imu.live.cards import LastTime, PastExercise, SetCard, plural
from imu.live.set_view import (
    NO_ANGLE,
    NO_BARS,
    NO_DEPTH,
    UNITS,
    Bars,
    Figure,
    Gauge,
    Measure,
    Phase,
    Progress,
    in_words,
)
from imu.live.signals import LOOKS, Look, SignalKind
from imu.live.targets import Targets
from imu.motion.form import Posture
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.words import clock, days_ago
from imu.session import TrainingSet

GOOD_SIGNAL_DBM, FAIR_SIGNAL_DBM = -67.0, -80.0
"""Usual rules of thumb for 2.4 GHz; receivers lose packets from about -90 dBm on."""
LOW_BATTERY_PERCENT = 15.0
"""From here down a battery is low: small sensors show it in coarse steps, and the last of them is soon gone."""
HEARD_NAMED = 3
"""At most this many of the sensors heard are named."""


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
    heard : tuple of str
        The sensors heard while one is looked for, with their signal, the strongest first.
    other_devices : int
        Number of other Bluetooth devices heard.
    """

    state: LinkState
    sensor: str | None = None
    attempt: int = 0
    rssi_dbm: float | None = None
    heard: tuple[str, ...] = ()
    other_devices: int = 0


class Gravity(StrEnum):
    """How much a message matters."""

    NOTE = "note"
    CAUTION = "caution"
    PROBLEM = "problem"
    """Training cannot go on like this; the message stays."""


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence for the person."""

    sentence: str
    gravity: Gravity


@dataclass(frozen=True, slots=True)
class Tally:
    """Squats against hinges."""

    squats: int = 0
    hinges: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Add the counts."""
        return Tally(self.squats + other.squats, self.hinges + other.hinges)


@dataclass(frozen=True, slots=True)
class TrainedBefore:
    """The trainings before this session, from the store.

    Attributes
    ----------
    today, last_28_days : Tally
        Squats against hinges of today, and of the 28 days before this session with today.
    exercises : mapping of str to PastExercise
        The last session of exercises, by name.
    latest : mapping of Pattern to str
        The exercise of each pattern that was trained last.
    """

    today: Tally = Tally()
    last_28_days: Tally = Tally()
    exercises: Mapping[str, PastExercise] = field(default_factory=dict)
    latest: Mapping[Pattern, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """One tap that counts a set of another pattern than planned as another exercise, or back.

    Attributes
    ----------
    exercise : Targets
        The exercise and load that the set gets.
    about, text : str
        Why it is offered, and what it does.
    """

    exercise: Targets
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class LiveView:
    """Everything there is to show at one moment; SI units.

    Attributes
    ----------
    phase : Phase
        The person's present activity.
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
        The closing words on the set that is shown, from 2 s of standing still on.
    previous_set : SetCard or None
        The set before the one that is shown.
    last_time : LastTime or None
        The same set of the last session with this exercise.
    figures : tuple of Figure
        Depth, angle, tempo and speed: of the last repetition, in a certain rest of the set.
    posture : Posture or None
        Where the hip is now; ``None`` without a connected sensor.
    sets : tuple of TrainingSet
        Those that are over, in the order of time.
    counts : tuple of int
        Repetitions of each of them by the person's count.
    exercises : tuple of Targets or None
        Exercise and load of each of them: as entered, else as planned.
    moves : tuple of Move or None
        The tap that moves each of them that was not done as planned.
    move : Move or None
        The tap that moves the set that is shown, in a rest.
    session, today, last_28_days : Tally
        Squats against hinges of this session by the person's count, and with it of today and of 28 days.
    recount : int
        Repetitions of the set that is shown by the person's count, less those that were measured.
    counted, taken_back : int
        Repetitions announced and taken back so far, whatever became of them since.
    lone : Repetition or None
        A lone movement that the person may keep as a set, or the last of several that were unlikely as a set.
    lone_together : int
        How many these are.
    not_counted : str or None
        Why the latest other movement was not counted, for a few seconds.
    link : Link
        The connection; `link_s` is how long it has been like that, s.
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
    gauge: Gauge = NO_DEPTH
    other_gauge: Gauge = NO_ANGLE
    bars: Bars = NO_BARS
    card: SetCard | None = None
    previous_set: SetCard | None = None
    last_time: LastTime | None = None
    figures: tuple[Figure, ...] = ()
    posture: Posture | None = None
    sets: tuple[TrainingSet, ...] = ()
    counts: tuple[int, ...] = ()
    exercises: tuple[Targets | None, ...] = ()
    moves: tuple[Move | None, ...] = ()
    move: Move | None = None
    session: Tally = Tally()
    today: Tally = Tally()
    last_28_days: Tally = Tally()
    recount: int = 0
    counted: int = 0
    taken_back: int = 0
    lone: Repetition | None = None
    lone_together: int = 0
    not_counted: str | None = None
    link: Link = Link(LinkState.SEARCHING)
    link_s: float = 0.0
    battery_percent: float | None = None
    samples_lost: int = 0
    losses_of_unknown_size: int = 0
    samples_recovered: int = 0
    malformed: int = 0
    without_samples_s: float = 0.0
    messages: tuple[Message, ...] = ()

    @property
    def count(self) -> int:
        """Repetitions in the set that is shown, as the person counts them."""
        return len(self.shown.repetitions) + self.recount if self.shown else 0

    @property
    def first(self) -> Repetition | None:
        """The first repetition of the set that is shown."""
        return self.shown.repetitions[0] if self.shown else None

    @property
    def last(self) -> Repetition | None:
        """The last repetition of the set that is shown."""
        return self.shown.repetitions[-1] if self.shown else None

    @property
    def headline(self) -> Figure | None:
        """The figure of the last repetition in the measure of the bars; in a certain rest ``None``."""
        name = UNITS[self.bars.measure][0]
        resting = self.phase is Phase.REST and not self.rest_is_provisional
        return next((figure for figure in self.figures if figure.label == name and not resting), None)

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

    # -- in words, for terminal and page alike

    @property
    def lone_text(self) -> str | None:
        """The movement, or the repetitions, that may be kept as a set."""
        if self.lone is None:
            return None
        if self.lone_together > 1:
            return f"{self.lone_together} repetitions are not counted: unlikely as a set"
        return f"{plural(1, self.lone.pattern)} stood alone"

    @property
    def link_text(self) -> str:
        """How far the connection is."""
        attempt = f", try {self.link.attempt}" if self.link.attempt > 1 else ""
        if self.link.state is LinkState.LOST:
            return f"LOST for {clock(self.link_s)}{attempt}"
        return str(self.link.state) if self.link.state is LinkState.CONNECTED else f"{self.link.state}{attempt}"

    @property
    def to_do(self) -> str:
        """The instruction before the first repetition."""
        match self.link.state:
            case LinkState.CONNECTED:
                return "Stand still a second, then begin."
            case LinkState.LOST:
                return "Lost: go nearer to the computer."
            case LinkState.CONNECTING:
                return "Connecting to the sensor."
            case LinkState.SEARCHING:
                return "Looking for the sensor."

    @property
    def hint(self) -> str | None:
        """The sensors heard and the advice, while one is looked for; ``None`` otherwise."""
        if self.link.state is not LinkState.SEARCHING:
            return None
        if self.link.heard:
            return (
                f"Heard: {'; '.join(self.link.heard[:HEARD_NAMED])}. Is yours missing? Switch it on and keep it near."
            )
        others = self.link.other_devices
        silence = f"No sensor among {others} device{'s' if others > 1 else ''} heard. " if others else ""
        return f"{silence}Switch it on and keep it near, free of other programs."

    @property
    def sureness(self) -> str | None:
        """How sure the pattern of the last repetition is, 99 % at most: one sensor at the hip proves no pattern."""
        return None if self.last is None or self.last.pattern is Pattern.UNCERTAIN else sureness(self.last)

    @property
    def signal_strength(self) -> str | None:
        """How well the sensor is heard: ``good -60 dBm``."""
        if self.link.rssi_dbm is None or self.link.state is LinkState.LOST:
            return None
        return f"{signal_word(self.link.rssi_dbm)} {self.link.rssi_dbm:.0f} dBm"

    @property
    def data_text(self) -> str | None:
        """The faults of the samples so far; ``None`` if there were no faults."""
        counts = (
            (self.samples_lost, "samples lost"),
            (self.losses_of_unknown_size, "losses of unknown size"),
            (self.samples_recovered, "samples came late"),
            (self.malformed, "messages made no sense"),
        )
        losses = [f"{self.without_samples_s:.1f} s without samples"] if self.without_samples_s else []
        losses += [f"{count} {what}" for count, what in counts if count]
        return ", ".join(losses) or None

    @property
    def before_text(self) -> str | None:
        """The same set of the last session, and the set before the one that is shown."""
        parts = []
        if self.last_time is not None:
            parts.append(f"{self.last_time.text} ({days_ago(self.last_time.days_ago)})")
        if self.previous_set is not None:
            best = self.previous_set.best_speed_m_s
            speed = "" if best is None else f", best {in_words(Measure.SPEED, best)}"
            parts.append(f"set before: {plural(self.previous_set.repetitions, self.previous_set.pattern)}{speed}")
        text = " · ".join(parts)
        return text[:1].upper() + text[1:] or None


def sureness(repetition: Repetition) -> str:
    """Return the confidence of a pattern in words."""
    return f"{min(99, round(100 * repetition.confidence))} % sure"


def signal_word(rssi_dbm: float) -> str:
    """Return how well a sensor is heard, in a word."""
    if rssi_dbm >= GOOD_SIGNAL_DBM:
        return "good"
    return "fair" if rssi_dbm >= FAIR_SIGNAL_DBM else "weak"


def heard_sensor(name: str, rssi_dbm: float | None) -> str:
    """Return a sensor that is heard, in words: ``Hip 2, signal good``."""
    return name if rssi_dbm is None else f"{name}, signal {signal_word(rssi_dbm)}"


def balance(tally: Tally) -> str:
    """Return squats against hinges in words."""
    return f"{plural(tally.squats, Pattern.SQUAT)} : {plural(tally.hinges, Pattern.HINGE)}"
