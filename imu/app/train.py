"""``imu train``: one training in front of a terminal, from the sensor to the stored session."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Group

from imu.app import console_for_people, ended_by_signals, print_object, print_parts
from imu.app.terminal import PlainLines, can_draw
from imu.app.web.desk import Desks, Heard, TrainingDesk
from imu.bluetooth import HostClock
from imu.errors import NothingTrained, SensorUnsuitable
from imu.live.cards import saved_sentence
from imu.live.live_training import LiveTraining
from imu.live.live_view import Gravity, LiveView
from imu.live.memory import (
    Wish,
    achieved,
    keep,
    loads_in_lb,
    remember_plan,
    remember_sensor_of,
    sensor_for,
    settings_for,
    trained_before,
)
from imu.live.radios import PHONES, check_virtual, is_virtual, link_for
from imu.live.speech import Announcer, Voice, find_engine, missing_engine
from imu.live.targets import PlanUnusable
from imu.live.training_run import Happened, Trained, TrainingRun, TrainingSettings
from imu.phone import PhoneAddress, PhoneLink
from imu.report.objects import session_object
from imu.report.session_view import view_of_summary
from imu.report.terminal_pages import session_page, stored_page
from imu.sensors.conversation import Caution, Refused
from imu.store import SessionStore
from imu.store.home import as_person, folder_name, store_path
from imu.training import PersonCommand

if TYPE_CHECKING:
    from imu.app.terminal.app import Asked, LiveApp

LOOK_S = 0.05
"""So often the screen and the voice look at the training: a count is seen a tenth of a second after it is known."""


def sensors_of_people(sensors: Sequence[str]) -> list[tuple[str, str]]:
    """Return person and sensor of each ``SENSOR=PERSON``; empty for a single sensor without a person.

    Raises
    ------
    SensorUnsuitable
        If there are several sensors and one of them has no person, or two of them have the same.
    SensorNotFound
        If one of them is a virtual sensor that does not exist.
    """
    parts = [one.rpartition("=") for one in sensors]
    if len(sensors) < 2 and not (parts and parts[0][1]):
        return []
    for sensor, _, whose in parts:
        if not sensor.strip() or not whose.strip():
            raise SensorUnsuitable(
                f"{sensor or whose}: several people train with --sensor SENSOR=PERSON for each, as "
                "--sensor 'Hip 1=anna' --sensor 'Hip 2=ben'"
            )
    names = [folder_name(whose) for *_, whose in parts]
    for number, (sensor, _, whose) in enumerate(parts):
        if names[number] in names[:number]:
            raise SensorUnsuitable(f"{whose} has two sensors: give each person one")
        if not (is_virtual(sensor) or sensor in PHONES) and sensor in [other for other, *_ in parts[:number]]:
            raise SensorUnsuitable(f"{sensor} has two people: give each person a sensor of their own")
        check_virtual(sensor)
    return [(whose, sensor) for sensor, _, whose in parts]


def train_together(wishes: Sequence[tuple[str, Wish]], software_version: str, *, as_json: bool) -> None:
    """Train with several people in one process, each line headed by the person's name; store each session apart.

    Parameters
    ----------
    wishes : sequence of (str, Wish)
        For each person the name of the folder, and the training.
    software_version : str
        Stands in the recordings and the store.
    as_json : bool
        Whether to print each person's object at the end; lines then go to standard error.

    Raises
    ------
    NothingTrained
        If a training did not end as it should.
    """
    lines = sys.stderr if as_json else sys.stdout
    plain: defaultdict[str, PlainLines] = defaultdict(PlainLines)

    def hear(desk: TrainingDesk, happened: Heard, view: LiveView) -> None:
        if isinstance(happened, PhoneAddress):
            news = [happened.invitation(with_qr_code=lines.isatty())]
        else:
            news = plain[desk.whose].of(happened, view)
        for line in news:
            show(desk, line)

    def show(desk: TrainingDesk, line: str) -> None:
        with contextlib.suppress(OSError):  # after a closed pipe or window the trainings go on unseen
            print(f"{desk.name}: {line}", file=lines, flush=True)

    def say_end(desk: TrainingDesk) -> None:
        show(desk, desk.end_in_words)

    async def run() -> list[TrainingDesk]:
        desks = Desks(software_version, say_end)
        with ended_by_signals(desks.finish):
            for whose, wish in wishes:
                desk = desks.of(whose)
                desk.hear = partial(hear, desk)
                desks.begin(whose, wish)
            await desks.until_idle()
        return list(desks)

    troubles = []
    for desk in asyncio.run(run()):
        trained = desk.trained
        if desk.trouble is not None:
            troubles.append(f"{desk.name}: {desk.trouble}")
        recording = "" if trained is None or trained.recording is None else str(trained.recording)
        if as_json and trained is not None:
            print_object({"person": desk.name, **session_object(recording, trained.summary)})
        elif as_json:
            print_object({"person": desk.name, "recording": "", "error": desk.trouble or "nothing was trained"})
        elif trained is not None:
            with as_person(desk.whose):
                page = page_at_the_end(trained, desk.last_session)
            print_parts(console_for_people(), "", desk.name, page)
    if troubles:
        raise NothingTrained("; ".join(troubles))


def page_at_the_end(trained: Trained, number: int | None) -> Group:
    """Return the page of a training: as it is stored, with plan and entries; as it was counted without a number."""
    if number is None:
        recording = "not recorded" if trained.recording is None else str(trained.recording)
        return session_page(view_of_summary(recording, trained.summary), verbose=False)
    with SessionStore.open(store_path()) as store:
        return stored_page(store, number, verbose=False)


def train(
    wish: Wish, software_version: str, *, speak: bool, bell: bool, as_json: bool
) -> tuple[Trained, int | None, tuple[str, ...]]:
    """Train, and keep what came of it; return it, the number of the session, and what to say of it, a sentence each.

    Parameters
    ----------
    wish : Wish
        The training.
    software_version : str
        Stands in the recording and the store.
    speak : bool
        Whether to say what happens; else a bell rings, if `bell`.
    bell : bool
        Whether to ring the terminal's bell.
    as_json : bool
        Whether standard output is for a program: events then go to standard error.

    Raises
    ------
    ImuError
        If there was no training: no Bluetooth, no sensor.
    """
    name, settings = sensor_for(wish), settings_for(wish, software_version)
    live = LiveTraining(trained_before(wish.plan), plan=wish.plan)

    async def run() -> Trained:
        asyncio.get_running_loop().set_exception_handler(_pass_over_late_answers)
        async with _Audience(live, waits=name in PHONES, speak=speak, bell=bell, as_json=as_json) as audience:
            return await audience.train(name, settings)

    trained = asyncio.run(run())
    if not is_virtual(name):
        remember_sensor_of(trained)
    if wish.save and live.coach.plan is not None:
        remember_plan(live.coach.plan)
    trained, number = keep(trained, software_version)
    return trained, number, () if number is None else (saved_sentence(number), *achieved(number), *live.advice)


def _pass_over_late_answers(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report exceptions of callbacks, except late answers of a radio to requests that were given up."""
    if not isinstance(context.get("exception"), asyncio.InvalidStateError):
        loop.default_exception_handler(context)


def _live_app(obey: Callable[[Asked], None]) -> LiveApp:
    from imu.app.terminal.app import LiveApp  # noqa: PLC0415  Textual is slow to import, and a pipe does not need it

    return LiveApp(obey, in_lb=loads_in_lb())


class _Audience:
    """The outputs of a training: a screen or lines, a voice or a bell. Use it as a context manager."""

    def __init__(self, live: LiveTraining, *, waits: bool, speak: bool, bell: bool, as_json: bool) -> None:
        self._live = live
        self._waits = waits  # the screen, for the QR code that a phone reads
        self._lines: TextIO | None = sys.stderr if as_json else sys.stdout
        self._printed: set[str] = set()  # sentences
        self._plain = PlainLines()
        self._run: TrainingRun | None = None
        self._training: asyncio.Task[Trained] | None = None
        self._app = None if as_json or not can_draw() else _live_app(self._obey)
        engine = find_engine() if speak else None
        if speak and engine is None:
            live.tell(missing_engine(), Gravity.CAUTION)
        ring = self._app.bell if bell and self._app is not None else None
        self._announcer = Announcer(None if engine is None else Voice(engine), ring)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> _Audience:
        if self._app is not None and not self._waits:
            self._tasks.append(asyncio.create_task(self._draw(self._app)))
        self._tasks.append(asyncio.create_task(self._watch()))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._app is not None and self._app.is_running:
            self._app.exit()
        else:
            self._tasks[0].cancel()
        self._tasks[-1].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._announcer.close()

    async def train(self, name: str | None, settings: TrainingSettings) -> Trained:
        """Train with a sensor until the person, the plan or the sensor ends it."""
        self._training = asyncio.create_task(self._train(name, settings))
        with ended_by_signals(self._stop):
            try:
                return await self._training
            except asyncio.CancelledError:
                raise NothingTrained("stopped before a sensor was connected: nothing was trained") from None

    async def _train(self, name: str | None, settings: TrainingSettings) -> Trained:
        clock = HostClock()
        async with link_for(name, clock, settings.duration_s, self._invite, self._live.coach.plan) as link:
            if isinstance(link, PhoneLink):
                await link.until_connected()
                if self._app is not None:
                    self._waits = False
                    self._tasks.insert(0, asyncio.create_task(self._draw(self._app)))
            self._run = TrainingRun(link, clock, settings, self._live, self._show)
            return await self._run.run()

    def _invite(self, address: PhoneAddress) -> None:
        """Show where the phone finds its page, with a QR code if a person can see it."""
        self._print(address.invitation(with_qr_code=self._lines is not None and self._lines.isatty()))

    def _stop(self) -> None:
        """End the training in good order, or the search before it."""
        if self._run is not None:
            self._run.stop()
        elif self._training is not None:
            self._training.cancel()

    def _obey(self, asked: Asked) -> None:
        """Carry out the command of a key; ``None`` ends the training."""
        if asked is None:
            self._stop()
        elif self._run is None:
            return
        elif isinstance(asked, PersonCommand):
            self._run.ask(asked)
        else:
            try:
                asked(self._run)
            except (PlanUnusable, ValueError) as error:
                self._live.tell(str(error))

    async def _draw(self, app: LiveApp) -> None:
        """Draw until the end; without a screen the training goes on in lines."""
        try:
            await app.run_async(mouse=False)
        finally:
            self._app = None

    def _show(self, happened: Happened, view: LiveView) -> None:
        """Show an event at once."""
        if self._app is not None and not self._waits:
            self._app.show(view)
        else:
            for line in self._plain.of(happened, view):
                self._print(line)
        if isinstance(happened, Caution | Refused):
            self._printed.add(happened.sentence)
        self._announcer.look(view)

    async def _watch(self) -> None:
        """Show the time go by."""
        while True:
            if self._run is not None:
                self._run.tick()
            view = self._live.view()
            if self._app is not None and not self._waits:
                self._app.show(view)
            else:
                for message in view.messages:
                    if message.sentence not in self._printed:
                        self._printed.add(message.sentence)
                        self._print(message.sentence)
            self._announcer.look(view)
            await asyncio.sleep(LOOK_S)

    def _print(self, line: str) -> None:
        """Print a line; after a closed pipe or window the training goes on unseen."""
        if self._lines is None:
            return
        try:
            print(line, file=self._lines, flush=True)
        except OSError:
            self._lines = None
