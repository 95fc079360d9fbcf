"""The trainings that run in this program, one for each person at most.

A :class:`TrainingDesk` belongs to one person: its training runs in a task of its own that works for this person
(:func:`imu.store.home.as_person`), so that sensor, recording, store and learning are theirs. :class:`Desks` has the
desk of each person. A training belongs to the program: pages come and go, and all show the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from enum import StrEnum
from typing import Any

from imu.app.web.board import Watcher, board, spoken
from imu.bluetooth import HostClock, LinkState
from imu.errors import ImuError
from imu.live.cards import saved_sentence
from imu.live.live_training import LiveTraining
from imu.live.live_view import LiveView
from imu.live.memory import (
    Wish,
    achieved,
    correct_by_hand,
    keep,
    remember_plan,
    remember_sensor_of,
    sensor_for,
    settings_for,
    trained_before,
)
from imu.live.radios import ANY, PHONES, check_virtual, is_virtual, link_for
from imu.live.speech import Announcer
from imu.live.targets import Plan, Targets
from imu.live.training_run import Happened, Trained, TrainingRun
from imu.phone import PhoneAddress
from imu.store.home import PersonUnnamed, as_person, people, person, written_name
from imu.training import PersonCommand

LOOK_S, WALL_LOOK_S, UNSEEN_LOOK_S = 1 / 30, 0.08, 0.5
"""Pages of one training get changes this often, pages of all trainings 12 times a second; without a page, a
training is looked at twice a second."""

Heard = Happened | PhoneAddress
"""A message that a desk passes on at once."""


class DeskState(StrEnum):
    """Whether a training runs."""

    IDLE = "idle"
    TRAINING = "training"
    SAVING = "saving"


class TrainingUnderWay(ImuError):
    """A training runs already."""


class TrainingDesk:
    """Begin, steer and end the trainings of one person, and pass on what changes; all in one event loop.

    Parameters
    ----------
    software_version : str
        Version that is written into recordings and the store.
    whose : str or None
        Name of the person's folder, empty for the owner of the computer; ``None`` for the person of this program.
    """

    def __init__(self, software_version: str, whose: str | None = None) -> None:
        self.software_version = software_version
        self.whose = (person() or "") if whose is None else whose
        with as_person(self.whose):
            self.name = written_name()
        self.state = DeskState.IDLE
        self.sensor: str | None = None
        self.last_session: int | None = None
        self.trained: Trained | None = None
        self.trouble: str | None = None
        self.hear: Callable[[Heard, LiveView], None] = lambda *_: None
        self.ended: Callable[[TrainingDesk], None] = lambda _: None
        self.watchers: set[Watcher] = set()
        self._live = LiveTraining()
        self._announcer = Announcer(None, None)
        self._run: TrainingRun | None = None
        self._work: asyncio.Task[None] | None = None
        self._achieved: tuple[str, ...] = ()
        self._advice: tuple[str, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._storing = asyncio.Lock()
        self._listening: set[asyncio.Task[None]] = set()
        self._invitation: dict[str, str] | None = None
        self._shown: dict[str, Any] = {}

    # -- pages

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Give a watcher, which gets everything that is shown now and from then on what changes."""
        watcher = Watcher()
        self.show_to(watcher)
        try:
            yield watcher
        finally:
            self.watchers.discard(watcher)

    def show_to(self, watcher: Watcher) -> None:
        """Show everything to a watcher, and from now on what changes."""
        self._look()
        watcher.take(self._shown, [], self.whose)
        self.watchers.add(watcher)

    def rename(self, whose: str) -> None:
        """Belong to the person under another name."""
        self.whose = whose
        with as_person(whose):
            self.name = written_name()
        self._look()

    @property
    def end_in_words(self) -> str:
        """The outcome of the last training, in a sentence or two."""
        saved = None if self.last_session is None else saved_sentence(self.last_session, self.whose)
        return " ".join(filter(None, (self.trouble, saved))) or "The training is over; nothing is saved."

    # -- commands of the person

    def begin(self, wish: Wish) -> None:
        """Begin a training; returns at once.

        Raises
        ------
        TrainingUnderWay
            If there is one already.
        """
        if self.state is not DeskState.IDLE:
            raise TrainingUnderWay("a training is running already: finish it first")
        self.state, self.trouble, self.last_session, self.trained = DeskState.TRAINING, None, None, None
        for task in self._listening:
            task.cancel()
        self._live = LiveTraining(None, wish.rest_s, wish.plan)
        self._announcer = Announcer(None, None)
        with as_person(self.whose):  # a task keeps the context in which it was made
            self._work = asyncio.get_running_loop().create_task(self._train(wish))
        self._look()

    def listen(self, search: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Listen for sensors in a task of its own; a training that begins ends it, and starts at once.

        Raises
        ------
        TrainingUnderWay
            If a search runs already.
        """
        if self._listening:
            raise TrainingUnderWay("a search for sensors is running already: it takes six seconds")
        task = asyncio.get_running_loop().create_task(search())
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)

    def ask(self, command: PersonCommand) -> None:
        """Carry out the person's command in the training; nothing without a training."""
        if self._run is not None and self.state is not DeskState.SAVING:
            self._run.ask(command)

    @property
    def plan(self) -> Plan | None:
        """The plan of the training."""
        return self._live.coach.plan

    def follow(self, plan: Plan | None) -> None:
        """Go on with another plan; the sets that are done keep their places in it."""
        if self._run is not None:
            self._run.follow(plan)
        else:
            self._live.coach.follow(plan)
        if plan is not None:
            with as_person(self.whose):
                remember_plan(plan)

    def skip_exercise(self) -> None:
        """Go on with the next exercise of the plan; see `TrainingRun.next_exercise`."""
        if self._run is not None:
            self._run.next_exercise()

    def rest_for(self, target_s: float | None) -> None:
        """Set how long the person means to rest."""
        if self._run is not None:
            self._run.rest_for(target_s)
        else:
            self._live.rest_for(target_s)

    def enter(self, set_number: int, entry: Targets) -> None:
        """Take the exercise and load of a set that is over; see `TrainingRun.enter`."""
        run = self._run_to_correct()
        if run is None:
            raise ValueError("no training runs")
        run.enter(set_number, entry)
        self._look()

    def recount(self, set_number: int | None, more: int) -> None:
        """Correct the count of a set by one, as :meth:`imu.live.live_training.LiveTraining.recount` does.

        It is stored with the session, at once if that is stored already.
        """
        if (run := self._run_to_correct()) is not None:
            run.recount(set_number, more)
        elif self.state is DeskState.IDLE and self.last_session is not None:
            self._correct_stored(self._live.recount(set_number, more, goes_on=False) or {})
        self._look()

    def move(self, set_number: int | None, shown: str | None = None) -> None:
        """Count a set as the exercise that was done in place of the planned one, or back; stored as a `recount`.

        `shown` is the text of the button: nothing happens if the set was moved since, as by the first of two taps.
        """
        view = self._live.view()
        moves = dict(enumerate(view.moves, 1))
        move = view.move if set_number is None else moves.get(set_number)
        if shown is not None and move is not None and move.text != shown:
            return
        if (run := self._run_to_correct()) is not None:
            run.move(set_number)
        elif self.state is DeskState.IDLE and self.last_session is not None:
            self._correct_stored(self._live.move(set_number))
        self._look()

    def _run_to_correct(self) -> TrainingRun | None:
        """Return the training that runs; ``None`` after it.

        Raises
        ------
        ValueError
            While it is saved: what is entered then would be lost.
        """
        if self.state is DeskState.SAVING:
            raise ValueError("the training is being saved, try again in a moment")
        return self._run

    def _correct_stored(self, entry: Mapping[str, Any]) -> None:
        """Correct the session of the training that is over, in a task."""
        self._live.enter(entry)
        with as_person(self.whose):
            task = asyncio.get_running_loop().create_task(self._store(self.last_session, entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def finish(self) -> None:
        """End the training in good order; returns at once."""
        if self._run is not None:
            self._run.stop()
        elif self._work is not None:
            self._work.cancel()

    async def until_idle(self) -> None:
        """Wait until the training, if one runs, is over and saved."""
        work = [] if self._work is None else [self._work]
        await asyncio.gather(*work, *self._tasks, *self._listening, return_exceptions=True)

    async def close(self) -> None:
        """End the training, if one runs, and wait until it is saved."""
        for task in self._listening:
            task.cancel()
        self.finish()
        await self.until_idle()

    # -- the training

    async def _train(self, wish: Wish) -> None:
        looking = asyncio.create_task(self._look_on())
        try:
            trained = await self._run_training(wish)
            self.state = DeskState.SAVING
            trained = self.trained = await self._keep(trained)
            self.trouble = None if trained.trouble is None else str(trained.trouble)
        except ImuError as error:
            self.trouble = str(error)
        except asyncio.CancelledError:
            self.trouble = None  # the person ended it before a sensor was connected
        except Exception as error:  # a defect of ours: the server stays up, and the recording is there
            logging.getLogger(__name__).exception("while training")
            self.trouble = f"this program failed ({type(error).__name__}: {error}); the recording is kept"
        finally:
            self._run, self._work, self.state, self.sensor, self._invitation = None, None, DeskState.IDLE, None, None
            looking.cancel()
            self._look()
            self.ended(self)

    async def _run_training(self, wish: Wish) -> Trained:
        name = sensor_for(wish)
        settings = await asyncio.to_thread(settings_for, wish, self.software_version)
        before = await asyncio.to_thread(trained_before, wish.plan)
        self._live = LiveTraining(before, wish.rest_s, self.plan)
        if self.plan is not None:
            remember_plan(self.plan)
        self.sensor = name
        self._look()
        if self._listening:  # one search at a time: the radio is free once they have ended
            await asyncio.wait(self._listening)
        clock = HostClock()
        async with link_for(name, clock, wish.duration_s, self._invite, self.plan) as link:
            self._run = TrainingRun(link, clock, settings, self._live, self._tell)
            trained = await self._run.run()
        if not is_virtual(name):
            remember_sensor_of(trained)
        return trained

    async def _store(self, number: int | None, entry: Mapping[str, Any]) -> None:
        if number is None:
            return
        try:
            async with self._storing:  # in the order of the taps
                await asyncio.to_thread(correct_by_hand, number, entry)
                better = await asyncio.to_thread(achieved, number)
            if number == self.last_session:
                self._achieved = better
        except ImuError as error:
            self.trouble = str(error)
        self._look()

    async def _keep(self, trained: Trained) -> Trained:
        trained, number = await asyncio.to_thread(keep, trained, self.software_version)
        self._achieved = () if number is None else await asyncio.to_thread(achieved, number)
        self._advice = self._live.advice
        self.last_session = number
        return trained

    # -- the view

    def _tell(self, happened: Happened, view: LiveView) -> None:
        if view.link.state is LinkState.CONNECTED:
            self._invitation = None
        self.hear(happened, view)
        self._show(view)

    def _invite(self, address: PhoneAddress) -> None:
        """Show where the phone finds its page, until it is connected."""
        self._invitation = {"url": address.url, "fingerprint": address.fingerprint, "picture": address.picture()}
        view = self._live.view()
        self.hear(address, view)
        self._show(view)

    async def _look_on(self) -> None:
        due_s = time.monotonic()
        while True:
            self._look()
            due_s = max(due_s + self._look_s, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())

    @property
    def _look_s(self) -> float:
        if any(not watcher.of_all for watcher in self.watchers):
            return LOOK_S
        return WALL_LOOK_S if self.watchers else UNSEEN_LOOK_S

    def _look(self) -> None:
        """Show the view at this moment."""
        if self._run is not None:
            self._run.tick()
        self._show(self._live.view())

    def _show(self, view: LiveView) -> None:
        """Pass on the changes, for the screen and the voice at once."""
        shown = board(view) | {
            "state": str(self.state),
            **({} if self.state is DeskState.TRAINING else {"lone": None}),  # it cannot be kept any more
            "trouble": self.trouble,
            "session": self.last_session,
            "achieved": self._achieved,
            "advice": self._advice,
            "name": self.name,
            "invite": self._invitation,
        }
        changed = {key: value for key, value in shown.items() if self._shown.get(key, self) != value}
        self._shown = shown
        announcements = [spoken(announcement) for announcement in self._announcer.changes(view)]
        for watcher in self.watchers if changed or announcements else ():
            watcher.take(changed, announcements, self.whose)


class Desks:
    """The desk of each person.

    Parameters
    ----------
    software_version : str
        Version that is written into recordings and the store.
    ended : callable
        Takes the desk of each training that is over.
    """

    def __init__(self, software_version: str, ended: Callable[[TrainingDesk], None] = lambda _: None) -> None:
        self.software_version = software_version
        self._ended = ended
        self._desks: dict[str, TrainingDesk] = {}
        self._walls: set[Watcher] = set()

    def of(self, whose: str) -> TrainingDesk:
        """Return the desk of a person; empty for the owner of the computer.

        Raises
        ------
        PersonUnnamed
            If there is no such person.
        """
        desk = self._desks.get(whose)
        if desk is None:
            if whose and whose != person() and whose not in people():
                raise PersonUnnamed(f"there is no person {whose}")
            desk = self._desks[whose] = TrainingDesk(self.software_version, whose)
            desk.ended = self._ended
            for wall in self._walls:
                desk.show_to(wall)
        return desk

    def begin(self, whose: str, wish: Wish) -> None:
        """Begin a training of a person.

        Raises
        ------
        TrainingUnderWay
            If the person trains already, or another one with this sensor.
        SensorNotFound
            If it is a virtual sensor that does not exist.
        """
        check_virtual(wish.sensor)
        if wish.sensor not in (None, ANY, *PHONES) and not is_virtual(wish.sensor):
            for other in self.busy:
                if other.whose != whose and other.sensor == wish.sensor:
                    raise TrainingUnderWay(f"{other.name} trains with {wish.sensor}: choose another sensor")
        self.of(whose).begin(wish)

    def rename(self, before: str, after: str) -> None:
        """Take that a person has another name; see :func:`imu.store.home.rename_person`."""
        desk = self._desks.pop(before, None)
        if desk is not None:
            self._desks[after] = desk
            desk.rename(after)

    def __iter__(self) -> Iterator[TrainingDesk]:
        """Iterate over the desks that were used, in the order of first use."""
        return iter(tuple(self._desks.values()))

    @property
    def busy(self) -> list[TrainingDesk]:
        """The desks at which a person trains."""
        return [desk for desk in self if desk.state is not DeskState.IDLE]

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Give a watcher of all trainings."""
        watcher = Watcher(of_all=True)
        self._walls.add(watcher)
        for desk in self._desks.values():
            desk.show_to(watcher)
        try:
            yield watcher
        finally:
            self._walls.discard(watcher)
            for desk in self._desks.values():
                desk.watchers.discard(watcher)

    def finish(self) -> None:
        """End all trainings in good order; returns at once."""
        for desk in self._desks.values():
            desk.finish()

    async def until_idle(self) -> None:
        """Wait until all trainings are over."""
        await asyncio.gather(*(desk.until_idle() for desk in self))

    async def close(self) -> None:
        """End all trainings, and wait until they are saved."""
        await asyncio.gather(*(desk.close() for desk in self))
