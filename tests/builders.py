"""Builders that several tests share: values of a session, lifters who correct, the page as a process, golden packets.

A builder that two test modules need stands here; a test module imports no other one.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import http.client
import json
import math
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

import firmware_protocol as protocol
from firmware_protocol import SamplePacket
from imu.bluetooth import LinkState
from imu.live.live_training import LiveTraining
from imu.live.live_view import Link, Tally, TrainedBefore
from imu.motion.form import Posture
from imu.motion.judge import JudgeParameters
from imu.motion.pattern import Pattern
from imu.motion.personal import PersonalShift
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.phone import PhoneLink
from imu.samples import Array, Gap, RowFaults
from imu.sensors.conversation import Battery, Caution, Refused, Restarted, SamplesLost
from imu.sensors.phone import BATCH, HELLO
from imu.session import (
    GapFound,
    MovementRejected,
    RepetitionCounted,
    RepetitionTakenBack,
    RestBegan,
    Session,
    SessionParameters,
    SessionSummary,
    SetClosed,
    TrainingSet,
)
from imu.store import (
    AddRepetition,
    ChangePattern,
    Correction,
    DeleteRepetition,
    EnterLoad,
    MergeSets,
    MoveRepetition,
    NameExercise,
    Scope,
    SessionStore,
    SplitSet,
    WriteNote,
    database,
)
from imu.virtual.phones import batch, hello, trusting

# --- a session as it is stored ----------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 10, 18, 30, 0, 123456, tzinfo=UTC)


def repetition(pattern=Pattern.SQUAT, start_s=5.0):
    return Repetition(
        start_s=start_s,
        bottom_s=start_s + 1.1,
        end_s=start_s + 2.3,
        confirmed_s=start_s + 2.4,
        pattern=pattern,
        confidence=0.97,
        trunk_angle_rad=0.1 + 0.2,
        hip_drop_m=1 / 3,
        eccentric_s=1.1,
        pause_s=0.0,
        concentric_s=1.2,
        mean_concentric_velocity_m_s=0.37,
        peak_concentric_velocity_m_s=0.61,
        angle_at_bottom_rad=-0.05,
        sideways_tilt_rad=0.03,
        turn_rad=-0.01,
        trunk_lead_s=0.12,
    )


def summary(*sets, rejected=(), **changes):
    """A summary whose sets are given as lists of patterns."""
    made = SessionSummary(
        duration_s=61.2,
        sampling_rate_hz=100.0,
        samples=6120,
        gaps=(Gap(3.1, 3.4),),
        faults=RowFaults(repeated=1, out_of_order=2, not_finite=3, clipped=4),
        sets=tuple(
            TrainingSet(tuple(repetition(pattern, 100.0 * s + 3.0 * r) for r, pattern in enumerate(patterns)))
            for s, patterns in enumerate(sets)
        ),
        rejected=tuple(rejected),
    )
    return replace(made, **changes)


SQUAT, HINGE, UNCERTAIN = Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN

USUAL = summary(
    [SQUAT] * 5,
    [HINGE] * 4 + [UNCERTAIN],
    [SQUAT, HINGE],
    rejected=[
        RejectedMovement(400.0, 404.0, "sat down"),
        RejectedMovement(410.0, 412.3, "alone", repetition(HINGE, 410.0)),
        RejectedMovement(420.0, 422.3, "alone", repetition(UNCERTAIN, 420.0)),
    ],
)


def content_hash(number):
    return f"{number:064x}"


def keep(store, what=USUAL, number=1, saved_at=NOW, **more):
    return store.save(
        what, f"walk {number}.csv", content_hash(number), saved_at=saved_at, software_version="1.2", **more
    )


def query(path, sql, *parameters):
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def contents(path):
    """Everything in the file."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def in_memory():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    database.create_or_check(connection, Path("memory"))
    connection.execute("PRAGMA foreign_keys = ON")
    return SessionStore(Path("memory"), connection)


# --- sessions and corrections of any kind -----------------------------------------------------------------------------

any_pattern = st.sampled_from([SQUAT, HINGE, UNCERTAIN])


@st.composite
def trained_sessions(draw):
    """Sets and rejected movements one after the other, as a session has them."""
    time_s, sets, rejected = 0.0, [], []
    for pause_s, members, is_set in draw(
        st.lists(st.tuples(st.floats(2, 40), st.lists(any_pattern, min_size=1, max_size=4), st.booleans()), max_size=5)
    ):
        time_s += pause_s
        made = [repetition(pattern, time_s + 3.0 * i) for i, pattern in enumerate(members)]
        time_s = made[-1].end_s
        if is_set:
            sets.append(TrainingSet(tuple(made)))
        else:
            known = made[0] if len(made) > 1 else None
            rejected.append(RejectedMovement(made[0].start_s, made[0].end_s, "alone" if known else "sat down", known))
    return replace(summary(rejected=rejected), sets=tuple(sets), duration_s=time_s + 5.0)


correction_times = st.floats(-5, 120) | st.floats(allow_nan=False, allow_infinity=False)

any_scope = st.sampled_from(Scope)

any_letters = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).filter(str.strip)


@st.composite
def added_repetitions(draw):
    start_s = draw(st.floats(-5, 120))
    return AddRepetition(start_s, start_s + draw(st.floats(0.3, 6)), draw(any_pattern))


@st.composite
def moved_repetitions(draw):
    start_s = draw(st.floats(-5, 120))
    return MoveRepetition(draw(correction_times), start_s, start_s + draw(st.floats(0.3, 6)))


def any_entries(time_s=correction_times, scope=any_scope):
    return (
        st.builds(ChangePattern, time_s, any_pattern, scope)
        | st.builds(NameExercise, time_s, st.none() | any_letters, scope)
        | st.builds(EnterLoad, time_s, st.none() | st.floats(0, 1000), scope)
        | st.builds(WriteNote, time_s, st.none() | any_letters, scope)
    )


any_corrections = (
    st.builds(DeleteRepetition, correction_times)
    | added_repetitions()
    | moved_repetitions()
    | st.builds(SplitSet, correction_times)
    | st.tuples(correction_times, correction_times)
    .filter(lambda ends: ends[0] < ends[1])
    .map(lambda ends: MergeSets(*ends))
    | any_entries()
)


# --- corrections that teach -------------------------------------------------------------------------------------------


def borderline(number: int, hinge_log_odds: float = 0.4) -> Repetition:
    """A repetition of half a minute after the other that is just a hinge."""
    return replace(repetition(HINGE, 5.0 * number), counting_log_odds=4.0, hinge_log_odds=hinge_log_odds)


def session_of(*sizes: int, rejected: tuple[RejectedMovement, ...] = ()) -> SessionSummary:
    """A session whose sets have these numbers of borderline hinges."""
    numbers = iter(range(1000))
    sets = []
    for size in sizes:
        sets.append(TrainingSet(tuple(borderline(next(numbers)) for _ in range(size))))
        for _ in range(6):
            next(numbers)
    return summary(rejected=rejected, sets=tuple(sets))


def teach(store: SessionStore, first: int = 1) -> None:
    """Two sessions of borderline hinges that the person says were squats."""
    for number in (first, first + 1):
        measured = session_of(5, 5)
        session = keep(store, measured, number=number)
        for one_set in measured.sets:
            store.correct(session, ChangePattern(one_set.start_s + 0.1, SQUAT, Scope.SET), made_at=NOW)


# --- simulated lifters who correct their sessions ---------------------------------------------------------------------
# The simulator and the scores are imported where they are used: the store's child processes do without them.

FIRST_SEED = 50_000  # far from the seeds that the weights are fitted to
EXERCISES_PER_LIFTER = 4


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Mistakes in one session: repetitions with a wrong or no pattern, missed ones, and ghosts."""

    repetitions: int
    patterns: int
    missed: int
    ghosts: int

    @property
    def total(self) -> int:
        """All mistakes."""
        return self.patterns + self.missed + self.ghosts


@cache
def _simulated(plan, lifter, sensor, seed: int):
    from imu.virtual.person import simulate

    return simulate(plan, lifter, sensor, seed)


def simulated(plan, lifter, sensor, seed: int):
    """Return a simulated session, computed once for the same arguments in a process. Its arrays are read-only."""
    return _simulated(tuple(plan), lifter, sensor, seed)


def sessions_of(lifter: int, sessions: int, *, leaning: bool):
    """Return simulated sessions of one lifter: the same few exercises in all of them, each with another sensor."""
    from imu.virtual.person import VARIANTS, Exercise, Lifter, Sensor, random_session, simulate

    rng = np.random.default_rng([FIRST_SEED, lifter])
    person, names = Lifter.random(rng), list(rng.choice(list(VARIANTS), EXERCISES_PER_LIFTER, replace=False))
    if leaning:
        person = replace(person, lean=float(rng.uniform(0.8, 1.0)), depth=float(rng.uniform(0.0, 0.3)))
        names[0] = "careful_squat"
    made = []
    for number in range(sessions):
        seed = FIRST_SEED + 100 * lifter + number
        plan, _, _ = random_session(seed)
        own = [replace(one, name=str(rng.choice(names))) if isinstance(one, Exercise) else one for one in plan]
        made.append(simulate(own, person, Sensor.random(rng), seed))
    return made


def judged(simulation, shift: PersonalShift) -> SessionSummary:
    """Return the summary of a simulated session with a shift."""
    session = Session(SessionParameters(judge=JudgeParameters(personal=shift)))
    session.push(simulation.block)
    return session.finish()[1]


def scored(summary: SessionSummary, simulation):
    """Return how a summary compares with the truth of its simulated session."""
    from imu.evaluation.counters import counted_sets
    from imu.evaluation.data_sets import truth_of_session
    from imu.evaluation.set_scores import score_session

    return score_session(counted_sets(summary), truth_of_session(simulation.truth))


def mistakes(summary: SessionSummary, simulation) -> Mistakes:
    """Return the mistakes in a summary of a simulated session."""
    score = scored(summary, simulation)
    patterns = sum(match.counted.pattern != match.truth.pattern for match in score.matches)
    return Mistakes(len(score.matches) + len(score.missed), patterns, len(score.missed), len(score.false))


def corrections_of(summary: SessionSummary, simulation) -> list[Correction]:
    """Return the corrections that a person makes who corrects every mistake."""
    score = scored(summary, simulation)
    true = {match.counted.start_s: str(match.truth.pattern) for match in score.matches}
    made: list[Correction] = []
    for one in (one for one_set in summary.sets for one in one_set.repetitions):
        if one.start_s not in true:
            made.append(DeleteRepetition(one.bottom_s))
        elif one.pattern != true[one.start_s]:
            made.append(ChangePattern(one.bottom_s, Pattern(true[one.start_s])))
    made += [AddRepetition(one.start_s, one.end_s, Pattern(str(one.pattern))) for one in score.missed]
    return made


# --- a training while it runs -----------------------------------------------------------------------------------------

CONNECTED = Link(LinkState.CONNECTED, "Hip 7", 1, -60.0)


def live_repetition(start_s=10.0, pattern=Pattern.SQUAT, **figures):
    usual = {
        "start_s": start_s,
        "bottom_s": start_s + 1.2,
        "end_s": start_s + 2.5,
        "confirmed_s": start_s + 2.6,
        "pattern": pattern,
        "confidence": 0.97,
        "trunk_angle_rad": math.radians(30 if pattern is Pattern.SQUAT else 60),
        "hip_drop_m": 0.45 if pattern is Pattern.SQUAT else 0.08,
        "eccentric_s": 1.2,
        "pause_s": 0.1,
        "concentric_s": 1.2,
        "mean_concentric_velocity_m_s": 0.4,
        "peak_concentric_velocity_m_s": 0.7,
        "angle_at_bottom_rad": math.radians(25 if pattern is Pattern.SQUAT else 58),
        "sideways_tilt_rad": 0.0,
        "turn_rad": 0.0,
        "trunk_lead_s": 0.1,
    }
    return Repetition(**(usual | figures))


def set_of(*repetitions):
    return TrainingSet(tuple(repetitions))


def rejected(reason="sat down", of=None):
    return MovementRejected(RejectedMovement(1.0, 2.0, reason, of))


def counted(live, *repetitions):
    for one in repetitions:
        live.take(RepetitionCounted(one))
    return repetitions


def squats(count, **last):
    return [live_repetition(10 + 3 * i) for i in range(count - 1)] + [live_repetition(7 + 3 * count, **last)]


live_times = st.floats(0, 1e5)

live_repetitions = st.builds(
    live_repetition,
    start_s=live_times,
    pattern=st.sampled_from([Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN]),
    hip_drop_m=st.floats(-0.1, 0.9),
    mean_concentric_velocity_m_s=st.floats(-0.1, 2),
    confidence=st.floats(0, 1),
)

happenings = st.one_of(
    live_repetitions.map(RepetitionCounted),
    live_repetitions.map(RepetitionTakenBack),
    st.lists(live_repetitions, min_size=1, max_size=4).map(lambda some: SetClosed(set_of(*some))),
    st.floats(0, 100).map(RestBegan),
    live_repetitions.map(lambda one: rejected("alone", one)),
    st.text().map(rejected),
    st.floats(0.01, 100).map(lambda length_s: GapFound(Gap(0.0, length_s))),
    st.builds(Battery, st.floats(0, 100)),
    st.builds(SamplesLost, st.none() | st.integers(0, 10_000)),
    st.text().map(Caution),
    st.text().map(Refused),
    st.just(Restarted()),
    st.builds(
        Link, st.sampled_from(LinkState), st.none() | st.text(), st.integers(0, 99), st.none() | st.floats(-120, 0)
    ),
    st.tuples(st.floats(0, 1e6), live_times),
)


@st.composite
def views(draw):
    """Any view that a training can have, whatever happened, in whatever order."""
    live = LiveTraining(TrainedBefore(Tally(3, 1), Tally(30, 10)), draw(st.none() | st.floats(1, 600)))
    for happened in draw(st.lists(happenings, max_size=12)):
        if isinstance(happened, tuple):
            live.tick(*happened, draw(st.none() | st.builds(Posture, st.floats(0, 3), st.floats(0, 1))))
        else:
            live.take(happened)
    live.pause(draw(st.booleans()))
    return live.view()


# --- imu web as a process ---------------------------------------------------------------------------------------------

IMU = [sys.executable, "-c", "from imu.app.cli import main; main()"]
STARTS_WITHIN_S = 60.0


@dataclass
class Served:
    """A server that runs, its address and the key to it."""

    process: subprocess.Popen[str]
    port: int
    key: str
    home: Path

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cookie(self) -> str:
        return f"imu_{self.port}={self.key}"

    def with_key(self, path: str = "/") -> str:
        return f"{self.root}{path}?key={self.key}"

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Ask once, with exactly these headers (``_`` stands for ``-``; ``Host`` is there by itself)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in given)
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

    def end(self, how: signal.Signals = signal.SIGTERM) -> str:
        """End the server; return what else it said."""
        self.process.send_signal(how)
        return self.process.communicate(timeout=60)[0]


@contextmanager
def served(
    home: Path, *arguments: str, command: str = "web", person: str | None = None, browser: str | None = None
) -> Iterator[Served]:
    pytest.importorskip("starlette", reason='needs Starlette: python -m pip install "imu-training[web]"')
    environment = os.environ | {
        "IMU_HOME": str(home),
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "BROWSER": browser or "true",
    }
    if person is not None:
        environment["IMU_PERSON"] = person
    if command == "web":
        arguments = (*arguments, *(() if browser else ("--no-browser",)), "--port", "0")
    process = subprocess.Popen(
        [*IMU, command, *arguments],
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        said = _first_words(process)
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\S*\?key=(\w+)", said)
        assert found, said
        yield Served(process, int(found[1]), found[2], home)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _first_words(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said, give_up_s = "", time.monotonic() + STARTS_WITHIN_S
    while "key=" not in said and time.monotonic() < give_up_s:
        if select.select([process.stdout], [], [], 0.2)[0]:
            line = process.stdout.readline()
            if not line:
                break
            said += line
    return said


# --- the contract with our firmware -----------------------------------------------------------------------------------

FOLDER = Path(__file__).parents[1] / "firmware_protocol"

GOLDEN = json.loads((FOLDER / "golden_packets.json").read_text(encoding="utf-8"))

DECODERS = {
    "packet": protocol.decode_packet,
    "info": protocol.decode_info,
    "config": protocol.decode_config,
    "request": protocol.decode_request,
    "answer": protocol.decode_answer,
    "status": protocol.decode_status,
    "time_sync": protocol.decode_time_sync,
}


def table_of_a_watch(path: Path, names: str, start: datetime | None = None) -> Path:
    """Write seven squats in g and deg/s under these names of columns, with dates as time if there is a start."""
    with gzip.open(Path(__file__).parents[1] / "recordings/simulated_air_squats.csv.gz", "rt") as file:
        rows = [[float(cell) for cell in row] for row in list(csv.reader(file))[1:3000]]
    scales = (1.0, *[1 / 9.80665] * 3, *[180 / math.pi] * 3)
    lines = [names]
    for row in rows:
        time_s, *values = (value * scale for value, scale in zip(row, scales, strict=True))
        stamp = time_s if start is None else (start + timedelta(seconds=time_s)).isoformat(timespec="microseconds")
        lines.append(",".join(map(str, (stamp, *values))))
    path.write_text("\n".join(lines) + "\n")
    return path


def flat(value: Any) -> dict[str, Any]:
    """Return what a record holds as JSON has it, the fields of a request or an answer beside the rest."""
    if isinstance(value, SamplePacket):
        names = ("kind", "flags", "epoch", "first_index", "device_time_us")
        return {name: int(getattr(value, name)) for name in names} | {"counts": value.counts.tolist()}
    plain = asdict(value)
    inside = plain.pop("fields", {})
    return plain | inside


C_FOLDER = FOLDER / "c"

BUILDS = {"plain": (), "sanitized": ("SANITIZE=1",)}


def make(build: Path, *arguments: str, needs: dict[str, str]) -> str:
    """Build with make; skip, and say what to install, where a tool is missing."""
    for tool, package in {"make": "make", **needs}.items():
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing: apt-get install --no-install-recommends {package}")
    command = ["make", "-s", "-C", str(C_FOLDER), f"BUILD={build}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- a phone without a network, and requests from another address -----------------------------------------------------

NEEDS_SHARE = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("cryptography", "h11", "segno", "websockets")),
    reason='needs the extra share: python -m pip install "imu-training[share]"',
)


def fill(link: PhoneLink, samples: Array, phone: bytes = b"\1" * 8) -> None:
    """Give a link all samples of a phone at once, without a network; they begin with its hello."""
    said: list[bytes] = []
    link.connect(said.append, phone)
    link.hear(said.append, HELLO, hello(1, 0, phone)[1:])
    for first in range(0, len(samples), 500):
        link.hear(said.append, BATCH, batch(1, first, samples[first : first + 500])[1:])


async def ask_as_guest(place: str, request: str, source: str) -> bytes:
    """Send bytes over TLS from one of this computer's addresses; return all that comes back."""
    host, port = place.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting(), local_addr=(source, 0))
    try:
        writer.write(request.encode("latin-1"))
        async with asyncio.timeout(20):
            return await reader.read()
    except OSError:
        return b""
    finally:
        writer.transport.abort()


def get(path: str, host: str, *more: str) -> str:
    """Return a request, after whose answer the server closes the connection."""
    closing = () if any(one.startswith("Connection:") for one in more) else ("Connection: close",)
    return "\r\n".join((f"GET {path} HTTP/1.1", f"Host: {host}", *more, *closing, "", ""))


UPGRADE = (
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version: 13",
)  # fmt: skip
