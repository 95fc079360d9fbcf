"""One training while it runs: record each message of the link, decode it, pass on what came of it.

Terminal and page both run a training with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from imu.bluetooth import HostClock, LinkState
from imu.bluetooth.link import LinkNotice, TrainingLink
from imu.bluetooth.scan import SeenSensor, strength
from imu.errors import ImuError, NothingTrained, ProtocolMismatch, RecordingNotWritten, SensorUnsuitable
from imu.live.entries import Entries
from imu.live.event_channel import event_object, plan_object, signal_object
from imu.live.live_training import LiveTraining
from imu.live.live_view import Gravity, Link, LiveView, heard_sensor
from imu.live.signals import Signal
from imu.live.targets import Plan, PlanUnusable, Targets
from imu.motion.form import Posture
from imu.motion.judge import JudgeParameters
from imu.motion.personal import PersonalShift
from imu.recordings.training_recorder import RecordingHeader, TrainingRecorder, not_begun, recording_name
from imu.sensors.conversation import Identified, Message, Notice, Refused
from imu.session import Event, SessionParameters, SessionSummary, TrainingSet
from imu.training import PersonAsked, PersonCommand, Training, TrainingReply

Happened = Event | Notice | Link
"""Anything that happens in a training."""

SILENT_S = 5.0
"""A sensor without new samples for this long does not say any more when the planned time is over. Where it comes back
sooner, what it kept meanwhile still counts."""
LOOK_S = 0.25
"""How often the end of the planned time is looked for."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    wished_rate_hz : float
        Sampling rate to ask the sensor for.
    software_version : str
        Stands in the recording.
    recordings : Path or None
        Folder for the recording; ``None`` to make none.
    duration_s : float or None
        Time from the first sample to the end, s; ``None`` to go on until `TrainingRun.stop`.
    least_repetitions : int
        Fewer make no set.
    personal : PersonalShift
        The person's learned thresholds.
    """

    wished_rate_hz: float
    software_version: str
    recordings: Path | None
    duration_s: float | None = None
    least_repetitions: int = 2
    personal: PersonalShift = field(default_factory=PersonalShift)


@dataclass(frozen=True, slots=True)
class Trained:
    """The outcome of a training.

    Attributes
    ----------
    summary : SessionSummary
        The session's counts and measurements.
    started_at : datetime
        When the sensor was first connected.
    sensor : SeenSensor
        Which it was.
    identified : Identified or None
        As it said itself.
    recording : Path or None
        The recording; ``None`` if there is no recording.
    trouble : ImuError or None
        What ended it early.
    targets : tuple of Targets or None
        Those of each set of the summary; ``None`` for a set without a plan.
    entries : Entries
        What the person entered of sets by hand.
    """

    summary: SessionSummary
    started_at: datetime
    sensor: SeenSensor
    identified: Identified | None
    recording: Path | None
    trouble: ImuError | None
    targets: tuple[Targets | None, ...] = ()
    entries: Entries = field(default_factory=Entries)


class TrainingRun:
    """Run one training; everything happens in one event loop.

    Parameters
    ----------
    link : TrainingLink
        To the sensor.
    clock : HostClock
        The clock of `link`.
    settings : TrainingSettings
        How to train.
    live : LiveTraining
        Takes everything that happens, for screens and voices.
    tell : callable
        Called with everything that happens, right after `live`, and with the view as it is then.
    """

    def __init__(
        self,
        link: TrainingLink,
        clock: HostClock,
        settings: TrainingSettings,
        live: LiveTraining,
        tell: Callable[[Happened, LiveView], None],
    ) -> None:
        self._link = link
        self._clock = clock
        self._settings = settings
        self._live = live
        self._tell_others = tell
        self._sensor: SeenSensor | None = None
        self._training: Training | None = None
        self._recorder: TrainingRecorder | None = None
        self._started_ns = 0
        self._identified: Identified | None = None
        self._trouble: ImuError | None = None
        self._paused = False
        self._posture: Posture | None = None
        self._posture_at_s = 0.0
        self._closing: asyncio.Task[None] | None = None
        self._heard_ns = 0

    async def run(self) -> Trained:
        """Train until `stop`, the planned end, or the loss of the sensor.

        Raises
        ------
        ImuError
            If no sensor was connected at all. A later problem is :attr:`Trained.trouble`: nothing is lost by it.
        """
        if (folder := self._settings.recordings) is not None:
            try:
                nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
                TemporaryFile(dir=nearest).close()
            except OSError as error:
                self._not_recorded(not_begun(folder, error))
        silence = asyncio.create_task(self._end_in_silence())
        try:
            async for message in self._link.messages():
                self._take(message)
        except ImuError as error:
            if self._training is None:
                raise
            self._trouble = self._trouble or error
        finally:
            silence.cancel()
            await self._close()
        return self._finish()

    def stop(self) -> None:
        """End the training in good order: stop the sensor; what it sent until then counts."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close_link())

    def ask(self, command: PersonCommand) -> None:
        """Carry out the person's command, and record it."""
        if self._training is None:
            return
        if command is PersonCommand.KEEP_ALONE and self._live.view().lone is None:
            return  # nothing is offered any more
        if command is PersonCommand.TAKE_BACK and self._live.view().recount > 0:
            self.recount(None, -1)  # the last one was added by the person
            return
        asked = PersonAsked(self._clock.now_ns(), command)
        self._record(lambda recorder: recorder.write(asked))
        if command in (PersonCommand.PAUSE, PersonCommand.RESUME):
            self._paused = command is PersonCommand.PAUSE
            self._live.pause(self._paused)
        self._pass_on(self._training.take(asked), asked.received_ns)

    def recount(self, set_number: int | None, more: int) -> None:
        """Correct the count of a set by one, and record that; see :meth:`imu.live.live_training.LiveTraining.recount`.

        Raises
        ------
        ValueError
            If there is no such set, or no repetition would be left.
        """
        entry = self._live.recount(set_number, more)
        if entry is None:
            self.ask(PersonCommand.TAKE_BACK)
            return
        if set_number in (None, len(self._live.coach.sets) + 1):
            self.ask(PersonCommand.ADD_BY_HAND if more > 0 else PersonCommand.REMOVE_BY_HAND)
        self._enter(entry)

    def enter(self, set_number: int, exercise: Targets) -> None:
        """Take the exercise and load of a set that is over, and record them; they are stored with the session.

        Raises
        ------
        ValueError
            If there is no such set.
        """
        self._enter(self._live.exercise(set_number, exercise))

    def move(self, set_number: int | None) -> None:
        """Count a set as the exercise that was done, or back; see :meth:`imu.live.live_training.LiveTraining.move`.

        Raises
        ------
        ValueError
            If there is no such set, or it was done as planned.
        """
        self._enter(self._live.move(set_number))

    def _enter(self, entry: Mapping[str, Any]) -> None:
        at_ns = self._clock.now_ns()
        self._record(lambda recorder: recorder.write_event(at_ns, entry))
        self._record_signals(at_ns, self._live.enter(entry))

    def next_exercise(self) -> None:
        """Go on with the first set of the next exercise of the plan.

        Raises
        ------
        PlanUnusable
            If the plan has no further exercise.
        """
        coach = self._live.coach
        exercises = () if coach.plan is None else coach.plan.exercises[:-1]
        starts = accumulate(exercise.sets or 1 for exercise in exercises)
        index = next((start for start in starts if start > coach.plan_index), None)
        if index is None:
            raise PlanUnusable("the plan has no further exercise")
        self.follow(coach.plan, index)

    def follow(self, plan: Plan | None, plan_index: int | None = None) -> None:
        """Go on with another plan or elsewhere in it, and record that; see :meth:`imu.live.signals.Coach.follow`."""
        self._live.coach.follow(plan, plan_index)
        self._record_plan(self._clock.now_ns())

    def aim_at(self, targets: Targets) -> None:
        """Go on with other targets for the exercise of the set that is going on, or of the next one."""
        coach = self._live.coach
        place = None if coach.plan is None else coach.plan.place(coach.plan_index)
        if coach.plan is None or place is None:
            self.follow(Plan((targets,)))
            return
        exercises = [targets if exercise is place.targets else exercise for exercise in coach.plan.exercises]
        self.follow(replace(coach.plan, exercises=tuple(exercises)))

    def rest_for(self, target_s: float | None) -> None:
        """Rest for another time between sets, and record that."""
        self._live.rest_for(target_s)
        self._record_plan(self._clock.now_ns())

    @property
    def paused(self) -> bool:
        """Whether the person has paused."""
        return self._paused

    def tick(self) -> None:
        """Tell the time to `live`, before its view is shown."""
        sample_s = 0.0 if self._training is None else self._training.now_s
        if self._training is not None and sample_s != self._posture_at_s:  # it costs more than all else that is shown
            self._posture_at_s, self._posture = sample_s, self._training.posture
        self._live.tick(time.monotonic(), sample_s, self._posture)

    # -- what comes from the link

    def _take(self, message: Message | LinkNotice) -> None:
        if isinstance(message, LinkNotice):
            self._take_link(message)
            return
        if self._training is None:
            raise ValueError("a message came before the sensor was named")
        self._record(lambda recorder: recorder.write(message))  # before it is decoded
        before_s = self._training.now_s
        outcome = self._training.take(message)
        if self._training.now_s > before_s:
            self._heard_ns = message.received_ns
        self._link.ask(outcome.actions)
        self._pass_on(outcome, message.received_ns)
        if self._settings.duration_s is not None and self._training.now_s >= self._settings.duration_s:
            self.stop()

    def _take_link(self, message: LinkNotice) -> None:
        sensor = message.sensor
        if message.state is LinkState.CONNECTED and self._training is None and sensor is not None:
            self._begin(sensor)
        name = None if sensor is None else sensor.name or sensor.address
        rssi_dbm = None if sensor is None else sensor.rssi_dbm
        sensors = sorted((device for device in message.heard if device.kind is not None), key=strength, reverse=True)
        heard = tuple(heard_sensor(device.name or device.address, device.rssi_dbm) for device in sensors)
        others = len(message.heard) - len(sensors)
        self._tell(Link(message.state, name, message.attempt, rssi_dbm, heard, others))

    def _begin(self, sensor: SeenSensor) -> None:
        """Begin to record and to understand: the sensor is known now."""
        if sensor.kind is None:
            raise SensorUnsuitable(f"{sensor.title} is a sensor of unknown kind")
        self._sensor = sensor
        self._started_ns = self._clock.now_ns()
        driver = sensor.kind.driver(self._settings.wished_rate_hz)
        judge = JudgeParameters(personal=self._settings.personal)
        self._training = Training(driver, SessionParameters(self._settings.least_repetitions, judge=judge))
        if self._settings.personal:
            self._live.tell("your corrections shift two thresholds of the count; imu learning shows them")
        if self._settings.recordings is None or self._trouble is not None:
            return
        header = RecordingHeader(
            sensor_kind=sensor.kind.name,
            sensor_name=sensor.name or "",
            sensor_address=sensor.address,
            started_ns=self._started_ns,
            software_version=self._settings.software_version,
            wished_rate_hz=self._settings.wished_rate_hz,
            personal=self._settings.personal,
        )
        path = self._settings.recordings / recording_name(_local(self._started_ns), sensor.name or sensor.kind.name)
        try:
            self._recorder = TrainingRecorder.create(_unused(path), header)
        except RecordingNotWritten as error:
            self._not_recorded(error)
        if self._live.coach.plan is not None:
            self._record_plan(self._started_ns)

    def _record_plan(self, at_ns: int) -> None:
        self._record(lambda recorder: recorder.write_event(at_ns, plan_object(self._live.coach)))

    def _record_signals(self, at_ns: int, signals: list[Signal]) -> None:
        for signal in signals:
            self._record(lambda recorder, one=signal: recorder.write_event(at_ns, signal_object(one)))  # type: ignore[misc]

    def _pass_on(self, outcome: TrainingReply, at_ns: int) -> None:
        """Tell what came of a message or a wish."""
        self.tick()
        for notice in outcome.notices:
            if isinstance(notice, Identified):
                self._identified = notice
                self._record(lambda recorder, who=notice: recorder.write_identified(who))  # type: ignore[misc]
            self._tell(notice)
            if isinstance(notice, Refused):
                kind = ProtocolMismatch if notice.wrong_version else SensorUnsuitable
                self._trouble = kind(notice.sentence)
                self.stop()
        for event in outcome.events:
            self._record(lambda recorder, one=event: recorder.write_event(at_ns, event_object(one)))  # type: ignore[misc]
            self._record_signals(at_ns, self._tell(event))
        if self._training is not None:
            self._record_signals(at_ns, self._live.advance(self._training.now_s))

    def _tell(self, happened: Happened) -> list[Signal]:
        """Pass on what happened; return the signals that it calls for."""
        signals = self._live.take(happened)
        self._tell_others(happened, self._live.view())
        return signals

    def _record(self, write: Callable[[TrainingRecorder], None]) -> None:
        """Record if that is still possible; a full disk is reported at once, and the training goes on."""
        if self._recorder is None:
            return
        try:
            write(self._recorder)
        except RecordingNotWritten as error:
            self._not_recorded(error)

    def _not_recorded(self, error: RecordingNotWritten) -> None:
        """Warn at once, and again at the end: samples that were not recorded are not kept."""
        self._live.tell(str(error), Gravity.PROBLEM)
        self._trouble = self._trouble or error

    # -- the end

    async def _end_in_silence(self) -> None:
        """End after the planned time by this computer's clock too, unless samples come, which then say the time."""
        while self._settings.duration_s is not None:
            await asyncio.sleep(LOOK_S)
            now_ns = self._clock.now_ns()
            planned_end_ns = self._started_ns + self._settings.duration_s * 1e9
            if self._training is not None and now_ns >= max(planned_end_ns, self._heard_ns + SILENT_S * 1e9):
                self.stop()
                return

    async def _close_link(self) -> None:
        await self._link.close(() if self._training is None else self._training.stop())

    async def _close(self) -> None:
        """Close the link."""
        self.stop()
        if self._closing is not None:
            await asyncio.shield(self._closing)

    def _finish(self) -> Trained:
        """Give the messages that were held back; end the recording."""
        if self._training is None or self._sensor is None:
            raise NothingTrained("stopped before a sensor was connected: nothing was trained")
        taken, summary = self._training.finish()
        self._pass_on(taken, self._clock.now_ns())
        self._record(lambda recorder: recorder.close())
        return Trained(
            summary=summary,
            started_at=datetime.fromtimestamp(self._started_ns * 1e-9, UTC),
            sensor=self._sensor,
            identified=self._identified,
            recording=None if self._recorder is None else self._recorder.path,
            trouble=self._trouble,
            targets=tuple(self._targets_of(training_set) for training_set in summary.sets),
            entries=self._live.coach.entries,
        )

    def _targets_of(self, done: TrainingSet) -> Targets | None:
        """Return the targets of a set that is over."""
        coach = self._live.coach
        place = coach.place_of(coach.sets.index(done)) if done in coach.sets else None
        return None if place is None else place.targets


def _local(moment_ns: int) -> datetime:
    return datetime.fromtimestamp(moment_ns * 1e-9, UTC).astimezone()


def _unused(path: Path) -> Path:
    """Return the path, or one like it that is free: two trainings can begin within a second."""
    candidates = (path, *(path.with_stem(f"{path.stem}_{number}") for number in range(2, 100)))
    return next((candidate for candidate in candidates if not candidate.exists()), path)
