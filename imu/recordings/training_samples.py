"""The recording of a training -> its sensor's driver, and the samples in it.

This module refuses to know what the samples mean, and what the person asked for meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

from imu.commands import PersonAsked
from imu.errors import RecordingForeign
from imu.recordings.training_recording import TrainingRecording
from imu.samples import ImuBlock
from imu.sensors.conversation import Driver
from imu.sensors.kinds import kind_named


def driver_of(recording: TrainingRecording) -> Driver:
    """Return a driver as it was when the training was recorded: at its beginning.

    Raises
    ------
    RecordingForeign
        If this version knows no sensor of that kind.
    """
    name = recording.header.sensor_kind
    try:
        kind = kind_named(name)
    except ValueError as error:
        raise RecordingForeign(
            f"it was recorded from a sensor of the kind {name!r}, which this version does not know: update this program"
        ) from error
    return kind.driver(recording.header.wished_rate_hz)


def samples_of(recording: TrainingRecording) -> Iterator[ImuBlock]:
    """Give the samples in the order of time.

    Raises
    ------
    RecordingForeign
        As `driver_of`.
    """
    driver = driver_of(recording)
    for message in recording.messages():
        if not isinstance(message, PersonAsked):
            yield from driver.take(message).blocks
    yield from driver.finish().blocks
