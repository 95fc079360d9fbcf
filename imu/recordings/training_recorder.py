"""Record a training while it goes on: every message as it was received, on the disk within a fraction of a second.

The event loop never waits for the disk: `write` hands the message to a thread, which writes what has come together as
one chunk of an MCAP file, with a checksum. A chunk is on the disk whole or not at all, so that after a kill the
recording is good up to its last chunk. This module refuses to know what the messages mean.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import queue
import re
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from mcap.writer import CompressionType, IndexType, Writer

from imu.errors import RecordingNotWritten
from imu.recordings.training_records import (
    END,
    HEADER,
    IDENTIFIED,
    PROFILE,
    Record,
    RecordedEvent,
    RecordingHeader,
    Told,
    TrainingMessage,
    header_fields,
    identified_fields,
    record_of,
)
from imu.sensors.conversation import Identified

GATHER_S = 0.25
"""Messages that come within this of each other share a chunk. It is what a kill can cost; shorter, and a recording of
200 packets a second is mostly wrapping."""

SYNC_S = 1.0
"""The disk is told to keep what it has (fsync) at most this often. It is what a power cut can cost, and on a slow card
takes tenths of a second; a kill costs nothing that was written, synced or not."""

SUFFIX = ".mcap"

_SENTENCES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "the disk takes no file as large as this",
    errno.EROFS: "the disk may not be written on",
    errno.EACCES: "this folder may not be written in",
    errno.EPERM: "this folder may not be written in",
}


def recording_name(started: datetime, sensor_name: str) -> str:
    """Return a file name for a recording that every file system takes: local date and time, and the sensor's name."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", sensor_name).strip("-")[:40].strip("-")
    return f"{started:%Y-%m-%d_%H-%M-%S}{'_' if words else ''}{words}{SUFFIX}"


class TrainingRecorder:
    """Write messages, wishes and events of one training; close at its end. See `create`."""

    def __init__(self, path: Path, header: RecordingHeader, file: io.FileIO, gather_s: float) -> None:
        """Take over a new and empty file."""
        self.path = path
        self._gather_s = gather_s
        self._header = header
        self._queue: queue.SimpleQueue[Record | Told | None] = queue.SimpleQueue()
        self._closed = False
        self._stopped = False
        self._trouble: RecordingNotWritten | None = None
        self._scribe = _Scribe(file)
        self._scribe.begin(header)
        # A daemon: a program that ends without closing the recording must not hang on it.
        self._thread = threading.Thread(target=self._run, name="training recorder", daemon=True)
        self._thread.start()

    @classmethod
    def create(cls, path: Path, header: RecordingHeader, gather_s: float = GATHER_S) -> Self:
        """Begin a recording in a new file, whose folder is made if need be.

        Raises
        ------
        RecordingNotWritten
            If there is such a file already (it is left as it is), or it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("xb", buffering=0)
        except OSError as error:
            if path.exists():
                sentence = f"{path} exists already and is never written over: move it elsewhere"
                raise RecordingNotWritten(sentence) from error
            raise _not_begun(path, error) from error
        try:
            return cls(path, header, file, gather_s)
        except OSError as error:
            file.close()
            path.unlink(missing_ok=True)
            raise _not_begun(path, error) from error

    def write(self, message: TrainingMessage) -> None:
        """Record a message or a wish; to be called before anyone tries to understand it.

        Raises
        ------
        RecordingNotWritten
            Once, if what was written before could not be: the disk is full, or gone. From then on nothing is recorded
            and nothing is raised; what is on the disk is a sound recording up to there.
        """
        self._put(record_of(message))

    def write_event(self, recorded_ns: int, event: Mapping[str, Any]) -> None:
        """Record what came of the messages, as JSON; raises as `write` does."""
        self._put(record_of(RecordedEvent(recorded_ns, event)))

    def write_identified(self, identified: Identified) -> None:
        """Record which sensor it is; raises as `write` does."""
        self._put(Told(IDENTIFIED, identified_fields(identified)))

    def close(self) -> None:
        """End the recording in good order; waits for the disk.

        Raises
        ------
        RecordingNotWritten
            As `write` does, if it has not yet.
        """
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._tell()

    def _put(self, item: Record | Told) -> None:
        if self._closed:
            raise ValueError(f"the recording {self.path} is closed")
        self._tell()
        if not self._stopped:
            self._queue.put(item)

    def _tell(self) -> None:
        """Raise what went wrong in the thread, once."""
        trouble, self._trouble = self._trouble, None
        if trouble:
            raise trouble

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._scribe.ended:
                self._write_what_comes()
        except OSError as error:
            reason = _reason(error)
            self._trouble = RecordingNotWritten(
                f"the training goes on, but is no longer recorded ({reason}): make room or choose another disk "
                f"before the next one; what was recorded until now is in {self.path}"
            )
            self._trouble.__cause__ = error
        finally:
            self._stopped = True
            self._scribe.close()

    def _write_what_comes(self) -> None:
        """Wait for the next message, and for what comes right after it; write them as one chunk."""
        try:
            item = self._queue.get(timeout=self._scribe.sync_due_s)
        except queue.Empty:
            self._scribe.sync()
            return
        chunk_ends_s = time.monotonic() + self._gather_s
        while item is not None:
            self._scribe.add(item)
            try:
                item = self._queue.get(timeout=max(0.0, chunk_ends_s - time.monotonic()))
            except queue.Empty:
                break
        else:
            self._scribe.end(self._header)
        self._scribe.save()


class _Scribe:
    """Records -> bytes of an MCAP file, on the disk whole or not at all."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._held = bytearray()
        self._saved_bytes = 0
        self._synced_bytes = 0
        self._synced_s = 0.0
        self._channels: dict[str, int] = {}
        self._messages = 0
        self.ended = False
        # The writer sees this object as its stream: what it writes is held until `save`. No compression: packed
        # samples hardly shrink, and damage to a byte stays damage to one.
        self._writer = Writer(
            self,  # type: ignore[arg-type]  # write, tell and flush are all that it asks for
            chunk_size=2**31,
            compression=CompressionType.NONE,
            index_types=IndexType.ALL,
        )

    # --- what the writer asks of a stream -----------------------------------------------------------------------------

    def write(self, data: bytes) -> int:
        """Hold the bytes until `save`."""
        self._held += data
        return len(data)

    def tell(self) -> int:
        """Return how long the file will be."""
        return self._saved_bytes + len(self._held)

    def flush(self) -> None:
        """Wait for `save`."""

    # --- what is written ----------------------------------------------------------------------------------------------

    def begin(self, header: RecordingHeader) -> None:
        """Write the head of the file."""
        self._writer.start(PROFILE, f"{PROFILE} {header.software_version}")
        self._add_metadata(Told(HEADER, header_fields(header)))
        self.save()
        self.sync()

    def add(self, item: Record | Told) -> None:
        """Take one more record into the chunk."""
        if isinstance(item, Told):
            self._add_metadata(item)
            return
        if item.topic not in self._channels:
            self._channels[item.topic] = self._writer.register_channel(item.topic, item.encoding, schema_id=0)
        # Numbered through, so that a reader sees what is missing.
        channel, number = self._channels[item.topic], self._messages
        self._writer.add_message(channel, item.time_ns, item.data, publish_time=item.time_ns, sequence=number)
        self._messages += 1

    def end(self, header: RecordingHeader) -> None:
        """Write the index, and again what was told at the head, for the day on which the head is damaged."""
        self._writer.flush()  # type: ignore[no-untyped-call]
        self._add_metadata(Told(HEADER, header_fields(header)))
        channels = {f"channel {number}": topic for topic, number in self._channels.items()}
        self._add_metadata(Told(END, {"messages": str(self._messages), **channels}))
        self._writer.finish()  # type: ignore[no-untyped-call]
        self.ended = True

    def save(self) -> None:
        """Put what is held on the disk; if that fails, the file is as it was after the `save` before."""
        self._writer.flush()  # type: ignore[no-untyped-call]
        rest = memoryview(bytes(self._held))
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):  # the half chunk stays then; a reader passes over it
                self._file.truncate(self._saved_bytes)
            raise
        self._saved_bytes += len(self._held)
        self._held.clear()
        if self.sync_due_s == 0.0 or self.ended:
            self.sync()

    @property
    def sync_due_s(self) -> float | None:
        """How long until the disk should be told to keep what it has; ``None`` if it has been."""
        if self._synced_bytes == self._saved_bytes:
            return None
        return max(0.0, self._synced_s + SYNC_S - time.monotonic())

    def sync(self) -> None:
        """Have the disk keep what it has."""
        os.fsync(self._file.fileno())
        self._synced_bytes = self._saved_bytes
        self._synced_s = time.monotonic()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _add_metadata(self, told: Told) -> None:
        self._writer.add_metadata(told.name, told.sealed())


def _not_begun(path: Path, error: OSError) -> RecordingNotWritten:
    return RecordingNotWritten(
        f"the training cannot be recorded in {path} ({_reason(error)}): make room, or name another folder in IMU_HOME"
    )


def _reason(error: OSError) -> str:
    """Say why the disk does not take what is written."""
    return _SENTENCES.get(error.errno or 0, f"the disk does not take it: {error.strerror or error}")
