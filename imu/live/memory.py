"""State that one training leaves for the next: the session, the sensor, the plan, and the progress of each exercise.

Terminal and page use it before and after a training. A store or file that cannot be read is passed over, because
training comes first.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from imu.atomic_files import locked, write_bytes
from imu.errors import ImuError
from imu.live.cards import LastTime, PastExercise
from imu.live.entries import Entries
from imu.live.event_channel import recorded_coach
from imu.live.live_view import Tally, TrainedBefore
from imu.live.signals import Best, Coach
from imu.live.targets import Plan, Targets
from imu.live.training_run import Trained, TrainingSettings
from imu.motion.personal import PersonalShift
from imu.report.cues import sinks
from imu.report.exercises import ExerciseHistory, exercise_histories
from imu.report.replay import Replayed, keep_replayed
from imu.report.words import volume, weight
from imu.session import TrainingSet
from imu.store import (
    AddRepetition,
    CorrectedSession,
    CorrectedSet,
    Correction,
    DeleteRepetition,
    EnterLoad,
    NameExercise,
    PlannedSet,
    SessionStore,
    apply_corrections,
    hash_of,
)
from imu.store.home import PLANS, home, recordings_folder, remembered_sensor_path, store_path

BALANCE_DAYS = 28
SHORTEST_REST_S = 1.0
"""So long at least is taken to lie between two sets that touch, for repetitions that are added to the first."""
BUSY_S = 1.0
"""A training waits this long for a store that another program writes to, then it begins without."""
_POUNDS = re.compile(r'"load": "[\d.]+ *lbs?"')
"""A load in pounds in a plan, as it is remembered."""
SESSIONS_SEARCHED = 60
"""An exercise is looked for in this many of the latest sessions."""
SERIAL_DIGITS = 4
"""This many of the last characters of its serial number, in its name, distinguish a sensor from others of its kind."""


# --- before a training ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """The training that a page or the command line asks for.

    Attributes
    ----------
    sensor : str or None
        As in :func:`imu.live.radios.link_for`; ``None`` for the one of the last training.
    rest_s : float or None
        How long the person means to rest.
    duration_s : float or None
        Time to the end, s.
    rate_hz : float
        Sampling rate to ask the sensor for.
    save : bool
        Whether anything is kept.
    plan : Plan or None
        Exercises, sets and targets.
    """

    sensor: str | None
    rest_s: float | None = None
    duration_s: float | None = None
    rate_hz: float = 100.0
    save: bool = True
    plan: Plan | None = None


def sensor_for(wish: Wish) -> str | None:
    """Return the wanted sensor, or that of the last training; ``None`` for the nearest."""
    last = last_sensor() if wish.sensor is None else None
    return wish.sensor if last is None else last.wanted


def settings_for(wish: Wish, software_version: str) -> TrainingSettings:
    """Return how to train as wished, with the person's learned thresholds."""
    folder = recordings_folder() if wish.save else None
    return TrainingSettings(wish.rate_hz, software_version, folder, wish.duration_s, personal=personal_shift())


def loads_in_lb() -> bool | None:
    """Return whether the person gives loads in pounds; ``None`` as long as nothing shows it.

    What shows it is the unit that they chose, else that of most loads, else pounds in the last plan or the schedule.
    """
    known = None
    if store_path().exists():
        with suppress(ImuError), SessionStore.open(store_path(), BUSY_S) as store:
            known = store.known_in_lb()
    plans = (json.dumps(read_remembered(name)) for name in ("last", "schedule"))
    loads = next((plan for plan in plans if '"load"' in plan), "") if known is None else ""
    return True if _POUNDS.search(loads) else known


def trained_before(plan: Plan | None = None) -> TrainedBefore:
    """Return what the store says of today, of 28 days, and of the exercises of a plan."""
    if not store_path().exists():
        return TrainedBefore()
    now = datetime.now().astimezone()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    names = (
        {exercise.exercise for exercise in plan.exercises if exercise.exercise is not None}
        if plan is not None
        else set()
    )
    try:
        with SessionStore.open(store_path(), BUSY_S) as store:
            today_tally = Tally(*store.counted_between(today, now))
            last_28_days = Tally(*store.counted_between(now - timedelta(days=BALANCE_DAYS), now))
            exercises = _past_exercises(store, names, now)
            latest = {history.pattern: history.name for history in reversed(exercise_histories(store))}
    except ImuError:
        return TrainedBefore()
    return TrainedBefore(today_tally, last_28_days, exercises, latest)


def _past_exercises(store: SessionStore, names: set[str], now: datetime) -> dict[str, PastExercise]:
    """Return the last session of each exercise; names are compared without regard to case."""
    wanted, in_lb = {name.casefold(): name for name in names}, store.loads_in_lb()
    past: dict[str, PastExercise] = {}
    for overview in store.list()[:SESSIONS_SEARCHED] if wanted else ():
        missing = set(wanted) - {name.casefold() for name in past}
        if not missing:
            break
        sets = store.load(overview.id).corrected.sets
        days = (now.date() - overview.trained_at.astimezone(now.tzinfo).date()).days
        for name in missing:
            same = [one_set for one_set in sets if one_set.exercise is not None and one_set.exercise.casefold() == name]
            if same:
                measured = [
                    part for one_set in same if one_set.measured is not None for part in one_set.measured.repetitions
                ]
                past[wanted[name]] = PastExercise(
                    tuple(_last_time(one_set, days, in_lb=in_lb) for one_set in same), Best.of(measured)
                )
    return past


def _last_time(one_set: CorrectedSet, days: int, *, in_lb: bool) -> LastTime:
    measured = one_set.measured
    speeds = [part.mean_concentric_velocity_m_s for part in measured.repetitions] if measured is not None else []
    best = max(speeds) if measured is not None and sinks(measured) else None
    load = None if one_set.load_kg is None else weight(one_set.load_kg, in_lb=in_lb)
    return LastTime(len(one_set.repetitions), load, best, days)


def achieved(number: int) -> tuple[str, ...]:
    """Return the volume of each exercise of a stored session, and what it exceeds all earlier ones by, in words."""
    with SessionStore.open(store_path()) as store:
        histories, in_lb = exercise_histories(store), store.loads_in_lb()
    words = []
    for history in histories:
        *earlier, now = history.sessions
        if now.session_id != number or now.volume_kg is None:
            continue
        records = _records(history, in_lb=in_lb) if earlier else []
        lifted = volume(now.volume_kg, in_lb=in_lb)
        words.append(", ".join([f"{history.name[:1].upper()}{history.name[1:]}: {lifted} lifted", *records]))
    return tuple(words)


def _records(history: ExerciseHistory, *, in_lb: bool) -> list[str]:
    now, loads = history.sessions[-1], {round(one_set.load_kg or 0.0, 2) for one_set in history.sessions[-1].sets}
    before = [one_set for session in history.sessions[:-1] for one_set in session.sets]
    heaviest, records = history.heaviest, []
    if heaviest in now.sets and all((heaviest.load_kg or 0.0) > (one_set.load_kg or 0.0) for one_set in before):
        records.append("your heaviest")
    if history.largest_session is now:
        records.append("your largest volume")
    known = {round(one_set.load_kg or 0.0, 2) for one_set in before}
    records += [
        f"your fastest at {weight(load.load_kg, in_lb=in_lb)}"
        for load in history.at_loads
        if load.load_kg in loads & known and load.record in now.sets
    ]
    return records


# --- the count, corrected with one tap --------------------------------------------------------------------------------


def correct_by_hand(number: int, entry: Mapping[str, Any]) -> None:
    """Correct a stored session as the person enters it after the training.

    Parameters
    ----------
    number : int
        The session.
    entry : mapping
        An event of :mod:`imu.live.entries`. Repetitions that are missing are added after the last one of the set; of
        those too many the last ones are deleted.
    """
    entries = Entries()
    entries.take(entry)
    with SessionStore.open(store_path()) as store:
        corrections = _corrections_of(entries, store.load(number).corrected)
        if corrections:
            store.correct_all(number, corrections, made_at=datetime.now(UTC))


def _recounts(session: CorrectedSession, by: Mapping[float, int]) -> list[Correction]:
    more_in: Counter[int] = Counter()
    for set_s, more in by.items():
        places = (i for i, one_set in enumerate(session.sets) if one_set.start_s <= set_s < one_set.end_s)
        if (place := next(places, None)) is not None:
            more_in[place] += more
    starts_s = [*(one_set.start_s for one_set in session.sets[1:]), math.inf]
    return [correction for i, more in more_in.items() for correction in _recounted(session.sets[i], more, starts_s[i])]


def _recounted(one_set: CorrectedSet, more: int, next_s: float) -> list[Correction]:
    """Return the corrections; what is added ends in the first half of the time until the next set, at `next_s`."""
    if more < 0:
        return [DeleteRepetition(repetition.middle_s) for repetition in one_set.repetitions[more:]]
    last = one_set.repetitions[-1]
    each_s = min(last.end_s - last.start_s, max(next_s - one_set.end_s, SHORTEST_REST_S) / 2 / max(more, 1))
    starts_s = [one_set.end_s + number * each_s for number in range(more)]
    return [AddRepetition(start_s, start_s + each_s, last.pattern) for start_s in starts_s]


def personal_shift() -> PersonalShift:
    """Return the thresholds learned from the person's corrections."""
    if not store_path().exists():
        return PersonalShift()
    try:
        with SessionStore.open(store_path(), BUSY_S) as store:
            return store.known_of_person().shift
    except ImuError:
        return PersonalShift()


# --- after a training -------------------------------------------------------------------------------------------------


def keep(trained: Trained, software_version: str) -> tuple[Trained, int | None]:
    """Store the session of a training; return the training, and the number of the session if it is stored.

    A recording without a sample is deleted. A session without a recording is not stored: the recording's hash is its
    identity. If storing fails, the recording stays, and the reason becomes the training's trouble. Sets bear the
    exercise and the load of the plan; what the person entered by hand becomes corrections, stored with the session.
    """
    if not trained.summary.samples:
        if trained.recording is not None:
            trained.recording.unlink(missing_ok=True)
        return replace(trained, recording=None), None
    if trained.recording is None:
        return trained, None
    planned = planned_sets(zip(trained.summary.sets, trained.targets, strict=False))
    entries = _corrections_of(trained.entries, apply_corrections(trained.summary, (), planned))
    try:
        with SessionStore.open(store_path()) as store:
            number = store.save(
                trained.summary,
                str(trained.recording),
                hash_of(trained.recording),
                saved_at=datetime.now(UTC),
                software_version=software_version,
                started_at=trained.started_at,
                planned=planned,
                entries=entries,
            )
    except ImuError as error:
        earlier = "" if trained.trouble is None else f"{trained.trouble}; "
        sentence = f"the session is not stored ({error}): imu replay --save '{trained.recording}' stores it"
        return replace(trained, trouble=type(error)(earlier + sentence)), None
    return trained, number


def planned_sets(sets: Iterable[tuple[TrainingSet, Targets | None]]) -> tuple[PlannedSet, ...]:
    """Return the plan of each set, as the store keeps it."""
    return tuple(
        PlannedSet(
            time_s=training_set.repetitions[len(training_set.repetitions) // 2].bottom_s,
            exercise=targets.exercise,
            load_kg=targets.load_kg,
            load_in_lb=targets.load_in_lb,
            repetitions=targets.repetitions,
        )
        for training_set, targets in sets
        if targets is not None and (targets.exercise or targets.load_kg is not None or targets.repetitions)
    )


def keep_replay(replayed: Replayed, store: SessionStore, software_version: str) -> int | None:
    """Keep a replayed session as :func:`imu.report.replay.keep_replayed` does, with plan and entries of a training.

    A session that is stored already has its entries, and keeps the corrections that were made since.
    """
    coach = _coach_of(replayed.path)
    if coach is None:
        return keep_replayed(replayed, store, software_version)
    places = ((training_set, coach.place_of(index)) for index, training_set in enumerate(coach.sets))
    planned = planned_sets((training_set, None if place is None else place.targets) for training_set, place in places)
    entries = _corrections_of(coach.entries, apply_corrections(replayed.summary, (), planned))
    return keep_replayed(replayed, store, software_version, planned or None, entries)


def _coach_of(path: Path) -> Coach | None:
    """Return the coach at the end of a recording; ``None`` for one without a plan and entries."""
    if path.suffix != ".mcap":
        return None
    try:
        return recorded_coach(path)
    except (
        ImuError,
        AttributeError,
        KeyError,
        OverflowError,
        TypeError,
        ValueError,
    ):  # the plan is damaged, or the file is not of this program
        return None


def _corrections_of(entries: Entries, session: CorrectedSession) -> list[Correction]:
    """Return the entries for sets as corrections of the session."""
    corrections: list[Correction] = []
    for set_s, entry in entries.exercises.items():
        middle_s = next((one.middle_s for one in session.sets if one.start_s <= set_s < one.end_s), set_s)
        if entry.exercise is not None:
            corrections.append(NameExercise(middle_s, entry.exercise))
        if entry.load_kg is not None:
            corrections.append(EnterLoad(middle_s, entry.load_kg, load_in_lb=entry.load_in_lb))
    return corrections + _recounts(session, entries.recounts)


# --- the sensor -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RememberedSensor:
    """The sensor of the last training."""

    kind: str
    serial: str
    name: str
    address: str

    @property
    def wanted(self) -> str:
        """The name to look for where it holds the serial number, because addresses may change; else the address."""
        end = self.serial[-SERIAL_DIGITS:]
        return self.name if len(end) == SERIAL_DIGITS and self.name.endswith(end) else self.address


def last_sensor() -> RememberedSensor | None:
    """Return the sensor of the last training; ``None`` without one."""
    fields = _read(remembered_sensor_path())
    try:
        return RememberedSensor(**{name: str(fields[name]) for name in ("kind", "serial", "name", "address")})
    except KeyError:
        return None


def remember_sensor_of(trained: Trained) -> None:
    """Remember the sensor for the next training; if that fails, the person has to name it again."""
    sensor = trained.sensor
    if sensor.kind is not None and trained.identified is not None:
        remembered = RememberedSensor(sensor.kind.name, trained.identified.serial, sensor.name or "", sensor.address)
        _write(remembered_sensor_path(), asdict(remembered))


# --- the plan ---------------------------------------------------------------------------------------------------------


def read_remembered(name: str) -> Any:
    """Return the ``last`` plan, the ``exercises`` with their targets, or the ``schedule``; ``None`` without one."""
    return _read(home() / PLANS).get(name)


def remember(change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Remember what `change` makes of what is remembered, for the next training; the rest stays.

    Trainings that end at the same time wait for each other. If it fails, the person has to enter it again.
    """
    path = home() / PLANS
    with suppress(OSError, ImuError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            remembered = _read(path)
            _write(path, {**remembered, **change(remembered)})


def last_plan() -> Plan | None:
    """Return the plan of the last training that had one."""
    try:
        return Plan.from_object(read_remembered("last"))
    except (TypeError, AttributeError, ImuError):
        return None


def remembered_targets(exercise: str) -> Targets | None:
    """Return the targets with which an exercise was trained last."""
    try:
        return Targets.from_object(read_remembered("exercises")[exercise.casefold()])
    except (KeyError, TypeError, AttributeError, ImuError):
        return None


def remember_plan(plan: Plan) -> None:
    """Remember a plan and the targets of its exercises."""
    targets = {
        exercise.exercise.casefold(): exercise.as_object()
        for exercise in plan.exercises
        if exercise.exercise is not None
    }

    def with_plan(remembered: Mapping[str, Any]) -> Mapping[str, Any]:
        known = remembered.get("exercises")
        return {"last": plan.as_object(), "exercises": {**(known if isinstance(known, dict) else {}), **targets}}

    remember(with_plan)


def _read(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object into a JSON file, whole or not at all; if that fails, the file stays as it is."""
    with suppress(ImuError):
        write_bytes(path, json.dumps(content).encode(), overwrite=True, mode=0o600)
