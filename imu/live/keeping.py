"""What a training needs of what is kept before it begins, and what is kept when it is over.

The terminal and the page both stand on this. It refuses to know what is drawn.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from imu.errors import ImuError
from imu.live.live_view import Tally, TrainedBefore
from imu.live.remembered import RememberedSensor, recall, remember
from imu.live.training_run import Trained
from imu.motion.personal import PersonalShift
from imu.store import SessionStore, hash_of
from imu.store.home import remembered_sensor_path, store_path

BALANCE_DAYS = 28
BUSY_S = 1.0
"""So long a training waits for a store that another program writes to, before it begins without."""


def trained_before() -> TrainedBefore:
    """Return what the store says of today and 28 days; nothing if it cannot be read, for training goes first."""
    if not store_path().exists():
        return TrainedBefore()
    now = datetime.now().astimezone()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        with SessionStore.open(store_path(), BUSY_S) as store:
            counts = [store.counted_between(since, now) for since in (today, now - timedelta(days=BALANCE_DAYS))]
    except ImuError:
        return TrainedBefore()
    return TrainedBefore(*(Tally(*count) for count in counts))


def personal_shift() -> PersonalShift:
    """Return what the person's corrections taught; nothing if the store cannot be read, for training goes first."""
    if not store_path().exists():
        return PersonalShift()
    try:
        with SessionStore.open(store_path(), BUSY_S) as store:
            return store.known_of_person().shift
    except ImuError:
        return PersonalShift()


def keep(trained: Trained, software_version: str) -> tuple[Trained, int | None]:
    """Store the session of a training; return the training, and the number of the session if it is kept.

    A recording without a sample is deleted. What was not recorded could not be told from others, and is not stored.
    Where storing fails, the recording stays, and that is the training's trouble; what was trained is shown.
    """
    if not trained.summary.samples:
        if trained.recording is not None:
            trained.recording.unlink(missing_ok=True)  # there is nothing in it
        return replace(trained, recording=None), None
    if trained.recording is None:
        return trained, None
    try:
        with SessionStore.open(store_path()) as store:
            number = store.save(
                trained.summary,
                str(trained.recording),
                hash_of(trained.recording),
                saved_at=datetime.now(UTC),
                software_version=software_version,
                started_at=trained.started_at,
            )
    except ImuError as error:
        return replace(trained, trouble=trained.trouble or error), None
    return trained, number


def last_sensor() -> RememberedSensor | None:
    """Return the sensor of the last training."""
    return recall(remembered_sensor_path())


def remember_sensor_of(trained: Trained) -> None:
    """Keep which sensor it was, for the next training."""
    sensor = trained.sensor
    if sensor.kind is not None and trained.identified is not None:
        found = RememberedSensor(sensor.kind.name, trained.identified.serial, sensor.name or "", sensor.address)
        remember(remembered_sensor_path(), found)
