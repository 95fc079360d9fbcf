"""Everything there is to show of a training at one moment.

What a terminal, a web page and a voice all draw from, so that they agree. This module refuses to know what it is drawn
on, and how it came about (:mod:`imu.live.live`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from imu.bluetooth import LinkState
from imu.motion.form import Posture
from imu.motion.repetitions import Repetition
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
    """One sentence for the person, and how long ago it was told."""

    sentence: str
    gravity: Gravity
    age_s: float


@dataclass(frozen=True, slots=True)
class NotCounted:
    """A movement that was not counted, why, and how long ago that was told."""

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
class TrainedBefore:
    """What was trained before this session, from the store."""

    today: Tally = Tally()
    last_28_days: Tally = Tally()
    """Of the 28 days before this session, today included."""


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
    cue : str or None
        In a set what the last repetition calls for, in a rest the first thing to say of the set.
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
    cue: str | None = None
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
    def rest_is_over(self) -> bool:
        """Whether the person has rested for as long as meant."""
        if self.phase is not Phase.REST or self.rest_s is None or self.rest_target_s is None:
            return False
        return self.rest_s >= self.rest_target_s
