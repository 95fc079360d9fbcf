"""A training: the messages of one sensor and the commands of the person in, events out, a summary at the end.

It joins a sensor's driver to a session, and touches no radio, clock or file. In a live training, messages come from
:mod:`imu.bluetooth.link`; in a replay, the same messages come from the recording and give the same events, ``==``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from imu.motion.form import Posture
from imu.session import Event, Session, SessionParameters, SessionSummary

if TYPE_CHECKING:  # a replay of a table needs no sensor
    from imu.sensors.conversation import Action, Driver, Message, Notice, Reply


class PersonCommand(Enum):
    """One command of the person; the value stands in recordings."""

    END_SET = "end set"
    """Close the set that is going on."""
    ADD_BY_HAND = "add by hand"
    """Add a repetition, which was missed, to the set that is going on."""
    REMOVE_BY_HAND = "remove by hand"
    """Remove the repetition that was added last."""
    TAKE_BACK = "take back"
    """Take back the last movement that was counted: it was no repetition."""
    KEEP_ALONE = "keep alone"
    """Make a set of the last repetition, which stood alone."""
    PAUSE = "pause"
    """Count nothing from now on."""
    RESUME = "resume"
    """Count again."""


@dataclass(frozen=True, slots=True)
class PersonAsked:
    """A command and its time. It is recorded, so that a replay carries it out at the same place.

    Attributes
    ----------
    received_ns : int
        Time on this computer's clock, in nanoseconds since 1970.
    command : PersonCommand
        The command.
    """

    received_ns: int
    command: PersonCommand


@dataclass(frozen=True, slots=True)
class TrainingReply:
    """The result of one message or command.

    Attributes
    ----------
    events : tuple of Event
        Events of the session.
    actions : tuple of Action
        Actions for the sensor, to perform now.
    notices : tuple of Notice
        Notices of the sensor for the person.
    """

    events: tuple[Event, ...] = ()
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()


class Training:
    """Take messages and commands in the order in which they came; `finish` returns the summary.

    Parameters
    ----------
    driver : Driver
        Driver of the sensor that sends the messages.
    parameters : SessionParameters or None
        The parameters of the session.
    """

    def __init__(self, driver: Driver, parameters: SessionParameters | None = None) -> None:
        self._driver = driver
        self._session = Session(parameters, check_units=False)  # a driver converts units, and `take` never raises

    def take(self, message: Message | PersonAsked) -> TrainingReply:
        """Take the next message or command. No message makes it raise."""
        if isinstance(message, PersonAsked):
            return TrainingReply(events=tuple(obey(self._session, message.command)))
        return self._pass_on(self._driver.take(message))

    def stop(self) -> tuple[Action, ...]:
        """Return the actions to perform before disconnecting."""
        return self._driver.stop()

    def finish(self) -> tuple[TrainingReply, SessionSummary]:
        """End the training; return the last events and the summary."""
        rest = self._pass_on(self._driver.finish())
        events, summary = self._session.finish()
        return TrainingReply((*rest.events, *events), (), rest.notices), summary

    @property
    def now_s(self) -> float:
        """Time of the latest sample on the session's axis; 0 before the first."""
        return self._session.now_s

    @property
    def posture(self) -> Posture | None:
        """Where the hip is now, for display."""
        return self._session.posture

    def _pass_on(self, reply: Reply) -> TrainingReply:
        """Push the samples into the session."""
        events = [event for block in reply.blocks for event in self._session.push(block)]
        return TrainingReply(tuple(events), reply.actions, reply.notices)


def obey(session: Session, command: PersonCommand) -> list[Event]:
    """Carry out a command of the person; return its events."""
    match command:
        case PersonCommand.END_SET:
            return session.end_set()
        case PersonCommand.ADD_BY_HAND:
            session.add_by_hand()
        case PersonCommand.REMOVE_BY_HAND:
            session.remove_by_hand()
        case PersonCommand.TAKE_BACK:
            return session.take_back()
        case PersonCommand.KEEP_ALONE:
            return session.keep_alone()
        case PersonCommand.PAUSE:
            session.pause()
        case PersonCommand.RESUME:
            session.resume()
    return []
