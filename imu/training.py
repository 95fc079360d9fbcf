"""A training: messages of one sensor and wishes of the person in, events out, a summary at the end.

Joins a sensor's driver to a session. It touches no radio, clock or file: live, what it is given comes from
:mod:`imu.bluetooth.link`; in a replay, the same comes from the recording, and the same goes out, ``==``.
"""

from __future__ import annotations

from dataclasses import dataclass

from imu.commands import PersonAsked, PersonCommand
from imu.motion.form import Posture
from imu.sensors.conversation import Action, Driver, Message, Notice, Reply
from imu.session import Event, Session, SessionParameters, SessionSummary


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of one message or wish.

    Attributes
    ----------
    events : tuple of Event
        What happened in the session.
    actions : tuple of Action
        What to say to the sensor now.
    notices : tuple of Notice
        What the person should learn of the sensor.
    """

    events: tuple[Event, ...] = ()
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()


class Training:
    """Take messages and wishes in the order in which they came; finish, get the summary.

    Parameters
    ----------
    driver : Driver
        Of the sensor whose messages come.
    parameters : SessionParameters or None
        What makes a set.
    """

    def __init__(self, driver: Driver, parameters: SessionParameters | None = None) -> None:
        self._driver = driver
        self._session = Session(parameters, check_units=False)  # a driver converts units, and `take` never raises

    def take(self, message: Message | PersonAsked) -> Taken:
        """Take the next message or wish; never raises, whatever the sensor says."""
        if isinstance(message, PersonAsked):
            return Taken(events=tuple(obey(self._session, message.command)))
        return self._pass_on(self._driver.take(message))

    def stop(self) -> tuple[Action, ...]:
        """Return what to say to the sensor before hanging up."""
        return self._driver.stop()

    def finish(self) -> tuple[Taken, SessionSummary]:
        """End the training; return what that brought and the summary."""
        rest = self._pass_on(self._driver.finish())
        events, summary = self._session.finish()
        return Taken((*rest.events, *events), (), rest.notices), summary

    @property
    def now_s(self) -> float:
        """Time of the latest sample on the session's axis; 0 before the first."""
        return self._session.now_s

    @property
    def posture(self) -> Posture | None:
        """Where the hip is now, for showing."""
        return self._session.posture

    def _pass_on(self, reply: Reply) -> Taken:
        """Give the session the samples."""
        events = [event for block in reply.blocks for event in self._session.push(block)]
        return Taken(tuple(events), reply.actions, reply.notices)


def obey(session: Session, command: PersonCommand) -> list[Event]:
    """Carry out a command of the person; return the events."""
    match command:
        case PersonCommand.END_SET:
            return session.end_set()
        case PersonCommand.TAKE_BACK:
            return session.take_back()
        case PersonCommand.KEEP_ALONE:
            return session.keep_alone()
        case PersonCommand.PAUSE:
            session.pause()
        case PersonCommand.RESUME:
            session.resume()
    return []
