"""Fit the counter: ``python -m imu.evaluation.fit ../shared/data fitting``.

Writes ``imu/motion/weights.npz`` from all people, and for ``imu evaluate --held-out`` the same without each of five
folds of people and without each data set, into ``imu/evaluation/held_out.zip``. Needs the extra ``train`` (JAX).
Everything follows from the seeds. The network learns from composed streams (:mod:`imu.evaluation.streams`); the line
between squat and hinge from what the finished counter measures.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import pickle
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any
from zipfile import ZipFile, ZipInfo
from zlib import crc32

import numpy as np

from imu.evaluation.counters import HELD_OUT
from imu.evaluation.judge_fit import (
    EndExample,
    ExampleTask,
    drawn_session,
    ends_in,
    examples_of,
    fit_belonging,
    fit_counting,
    fit_pattern,
)
from imu.evaluation.labels import LabelledRepetition, located_repetitions, row_labels
from imu.evaluation.streams import STREAM_ROWS, Material, Stretch, compose, features_of, stretch_of
from imu.motion.features import FEATURES
from imu.motion.fitted import CounterWeights, arrays_of, network_from, save_weights
from imu.motion.sets import BelongingWeights
from imu.motion.signals import STEP_S, MotionSignals
from imu.motion.tracker import stretches
from imu.recordings.recording import read_recording
from imu.report.replay import end_with_parent
from imu.samples import ImuBlock
from imu.virtual.person import VARIANTS, Exercise, PlanItem, simulate, with_bends_beside
from imu.virtual.person.continuous_sets import failures_of

WEIGHTS_FILE = Path(__file__).parents[1] / "motion" / "weights.npz"
SIMULATED_STREAMS, STREAMS, PIECES = 7_200, 12_000, 24
"""Streams composed of simulated sessions, and of recordings of people, both in this number of pieces."""
SIMULATED, UNSEEN = 480, 90
"""Simulated sessions for the networks, and more for what judges; two thirds of them touch-and-go."""
ENDS_FROM, ENDS = 1000, 280
"""Seeds of the simulated sessions whose sets show which first and last repetitions belong to them; each is simulated as
it is, and with bends right before and after its sets, as where weights are fetched and put down: without these, more
bends that belong to no set count in the sets of lifters that are simulated otherwise."""
FAILING = 0.15
"""Share of the sets in the simulated sessions for the networks that end with a repetition that fails, besides the 8 %
that do so anyway."""
FOLDS = 5
SIMULATIONS = "simulations"
"""Name of the file of streams composed of simulated sessions."""
CHILDREN = {
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
}
"""Environment of the worker processes: one core each, and memory that is kept from step to step of the training."""


SLOW_SENSORS_HZ = (20.0, 34.0)
"""Every second person is also seen by a sensor that samples at a rate in this range and does not filter before, as
phones and cheap sensors do."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A stretch of a recording.

    Attributes
    ----------
    kind : str
        ``squat``, ``hinge``, ``set``, ``daily`` or ``simulated``.
    stretch : Stretch
        What a sensor saw.
    slow : bool
        Whether that sensor was a slow one.
    """

    kind: str
    stretch: Stretch
    slow: bool = False


def load_recording(folder: Path, row: dict[str, str]) -> list[Labelled]:
    """Return the labelled stretches of one recording of a data set, for some people also by a slow sensor."""
    person = f"{folder.name}/{row['subject']}"
    path, reps = folder / row["file"], int(row["reps"])
    block = read_recording(path).block
    parts = list(stretches([block]))
    pieces = [replace(stretch_of(part), people=frozenset({person})) for part in parts]
    located: tuple[LabelledRepetition, ...] = ()
    kind = "daily" if reps == 0 else row["pattern"] if reps == 1 else "set"
    if reps:
        located = located_repetitions(path, row, parts[0]) if len(parts) == 1 else ()
        if not located:
            return []
    labelled = [Labelled(kind, replace(piece, repetitions=located)) for piece in pieces]
    slower = _by_slow_sensor(block, person)
    if len(slower) == len(parts):
        for part, seen in zip(parts, slower, strict=True):
            offset = float(part.time_s[0] - seen.time_s[0]) / STEP_S
            moved = tuple(r.moved(offset) for r in located)
            stretch = replace(stretch_of(seen), people=frozenset({person}), repetitions=moved)
            labelled.append(Labelled(kind, stretch, slow=True))
    return [one for one in labelled if len(one.stretch) > 40]


def _by_slow_sensor(block: ImuBlock, person: str) -> list[MotionSignals]:
    """Return a recording as a slow sensor sees it: every second person, and then at a rate of their own."""
    drawn = crc32(person.encode())
    lowest_hz, highest_hz = SLOW_SENSORS_HZ
    rate_hz = (len(block) - 1) / float(block.device_time_s[-1] - block.device_time_s[0])
    every = round(rate_hz / (lowest_hz + (highest_hz - lowest_hz) * (drawn // 2 % 100) / 100))
    return [] if drawn % 2 or every < 2 else list(stretches([block[drawn % every :: every]]))


def load_simulated(seed: int) -> list[Labelled]:
    """Return the labelled stretches of a simulated session."""
    plan, lifter, sensor = drawn_session(seed)
    session = simulate(_failing(np.random.default_rng([seed, 3]), plan), lifter, sensor, seed)
    made = []
    for signals in stretches([session.block]):
        first_s = signals.time_s[0] - STEP_S
        reps = []
        for r in session.truth.reps:
            start, bottom, end = ((t - first_s) / STEP_S for t in (r.start_s, r.bottom_s, r.end_s))
            if start < 0 or end > len(signals):
                continue
            pause = r.pause_s / STEP_S
            reps.append(
                LabelledRepetition(
                    start,
                    max(start, bottom - 0.12 * (bottom - start)),
                    bottom,
                    min(end, max(bottom + 0.12 * (end - bottom), min(bottom + pause, end - 1))),
                    end,
                    r.pattern == "hinge",
                )
            )
        made.append(Labelled("simulated", replace(stretch_of(signals), repetitions=tuple(reps))))
    return made


def _failing(rng: np.random.Generator, plan: Sequence[PlanItem]) -> list[PlanItem]:
    """Return a plan in which more sets end with a repetition that fails, as the network sees few of them otherwise."""
    items: list[PlanItem] = []
    for item in plan:
        if isinstance(item, Exercise) and item.manner is not None and rng.random() < FAILING:
            failures = failures_of(VARIANTS[item.name])
            failure = failures[int(rng.integers(len(failures)))] if failures else None
            items.append(replace(item, manner=replace(item.manner, failure=failure)))
        else:
            items.append(item)
    return items


def rows_of(data: Path) -> list[tuple[Path, dict[str, str]]]:
    """Return the rows of the indices of all data sets in a folder."""
    rows = []
    for index in sorted(data.glob("*/index.csv")):
        with index.open(encoding="utf-8") as lines:
            rows += [(index.parent, row) for row in csv.DictReader(lines)]
    return rows


def material_of(labelled: Iterable[Labelled]) -> Material:
    """Sort stretches into the pieces that streams are composed from."""
    material = Material({}, {}, [], [])
    for one in labelled:
        (person,) = one.stretch.people or {"simulated"}
        person += " by a slow sensor" if one.slow else ""
        if one.kind == "daily":
            material.daily.setdefault(person, []).append(one.stretch)
        elif one.kind in ("squat", "hinge"):
            material.singles.setdefault(person, {}).setdefault(one.kind, []).append(one.stretch)
        elif one.kind == "set":
            material.sets.append(one.stretch)
        else:
            material.simulated.append(one.stretch)
    return material


def make_streams(material: Material, count: int, seed: int) -> tuple[Any, Any, list[frozenset[str]]]:
    """Return features (count, rows, features) and labels (count, rows, 5) of composed streams, and who is in each."""
    rng = np.random.default_rng(seed)
    x = np.empty((count, STREAM_ROWS, len(FEATURES)), dtype=np.float32)
    y = np.empty((count, STREAM_ROWS, 5), dtype=np.float32)
    people = []
    for i in range(count):
        stream = compose(rng, material)
        people.append(stream.people)
        x[i], y[i] = features_of(stream), row_labels(STREAM_ROWS, stream.repetitions)
    return x, y, people


# -- stages; each keeps its result in the work folder, so that a fit that was stopped goes on


@dataclass(frozen=True, slots=True)
class Work:
    """The folder of intermediate files, the data, and whom each network is trained without.

    Attributes
    ----------
    folder : Path
        Of intermediate files.
    rows : list
        The rows of all indices, each with its folder.
    left_out : dict
        For each network the people (``data set/person``) and data sets that it does not see.
    """

    folder: Path
    rows: list[tuple[Path, dict[str, str]]]
    left_out: dict[str, tuple[str, ...]]

    def file(self, name: str) -> Path:
        """Return an intermediate file."""
        return self.folder / name


def involves(people: frozenset[str], without: Sequence[str]) -> bool:
    """Whether one of `people` is left out: by name, or with the whole data set."""
    return any(person in without or person.split("/")[0] in without for person in people)


def _load(work: Work, pool: ProcessPoolExecutor) -> None:
    loaded = [pool.submit(load_recording, *row) for row in work.rows]
    loaded += [pool.submit(load_simulated, seed) for seed in range(SIMULATED)]
    work.file("labelled.pickle").write_bytes(pickle.dumps([one for future in loaded for one in future.result()]))


def _compose(work: Work, pool: ProcessPoolExecutor, name: str, without: tuple[str, ...], count: int) -> None:
    """Compose streams: of simulated sessions for the name `SIMULATIONS`, else of recordings of people."""
    file, seed = work.file("labelled.pickle"), PIECES * sum(map(ord, name))
    tasks = [(file, name == SIMULATIONS, without, count // PIECES, seed + k) for k in range(PIECES)]
    parts = list(pool.map(_compose_piece, tasks))
    x, y = (np.concatenate([part[k] for part in parts]).astype(np.float16) for k in range(2))
    np.savez(work.file(f"{name}.npz"), x=x, y=y)
    work.file(f"{name}.people").write_bytes(pickle.dumps([one for part in parts for one in part[2]]))


def _compose_piece(task: tuple[Path, bool, tuple[str, ...], int, int]) -> tuple[Any, Any, list[frozenset[str]]]:
    labelled, simulated, without, count, seed = task
    everything: list[Labelled] = pickle.loads(labelled.read_bytes())
    pieces = [one for one in everything if simulated == (one.kind == "simulated")]
    pieces = [one for one in pieces if not involves(one.stretch.people, without)]
    return make_streams(material_of(pieces), count, seed)


@dataclass(frozen=True, slots=True)
class _Training:
    """One network to be trained: on which streams of people, without whom, from which weights on.

    Without streams of people it is trained on simulated ones alone, from random weights on.
    """

    simulations: Path
    seed: int
    out: Path
    streams: Path | None = None
    without: tuple[str, ...] = ()
    start: Path | None = None


def _streams_in(file: Path, without: Sequence[str] = ()) -> tuple[Any, Any]:
    """Return features and labels of the streams in a file in which none of the people left out is."""
    people = pickle.loads(file.with_suffix(".people").read_bytes())
    used = [i for i, those in enumerate(people) if not involves(those, without)]
    with np.load(file) as arrays:
        return arrays["x"][used], arrays["y"][used]


def _train(task: _Training) -> str:
    """Train one network, keep its weights, and return its name."""
    from imu.evaluation.network_fit import (  # noqa: PLC0415 - the extra `train`, and slow to import
        ON_EVERYTHING,
        ON_SIMULATED,
        network_of,
        train,
    )

    simulations = _streams_in(task.simulations)
    if task.streams is None or task.start is None:
        start: dict[str, Any] = train([simulations], task.seed, ON_SIMULATED)
        np.savez(task.out, **start)
        return task.out.stem
    with np.load(task.start) as arrays:
        sources = [simulations, _streams_in(task.streams, task.without)]
        trained = train(sources, task.seed, ON_EVERYTHING, dict(arrays))
    np.savez(task.out, **arrays_of(network_of(trained)))
    return task.out.stem


def networks(work: Work, pool: ProcessPoolExecutor, seeds: int, largest: str, say: Callable[[str], None]) -> None:
    """Train all networks that are not there yet."""
    if not work.file("labelled.pickle").exists():
        _load(work, pool)
        say(f"{len(work.rows)} recordings and {SIMULATED} simulated sessions are read")
    if not work.file(f"{SIMULATIONS}.people").exists():
        _compose(work, pool, SIMULATIONS, (), SIMULATED_STREAMS)
        say(f"{SIMULATIONS} are composed")
    simulations = work.file(f"{SIMULATIONS}.npz")
    first = [_Training(simulations, seed, work.file(f"start_{seed}.npz")) for seed in range(seeds)]
    begun = [pool.submit(_train, one) for one in first if not one.out.exists()]  # beside composing
    for name, without, count in (("streams", (), STREAMS), ("streams_without", (largest,), STREAMS // 3)):
        if not work.file(f"{name}.people").exists():
            _compose(work, pool, name, without, count)
            say(f"{name} are composed")
    for training in begun:
        say(f"{training.result()} is trained")

    def following(name: str, without: tuple[str, ...], seed: int = 0) -> _Training:
        streams = work.file("streams_without.npz" if without == (largest,) else "streams.npz")
        return _Training(simulations, seed, work.file(f"{name}.npz"), streams, without, first[seed].out)

    then = [following(f"seed_{seed}", (), seed) for seed in range(seeds)]
    then += [following(name, those) for name, those in work.left_out.items()]
    trainings = [pool.submit(_train, one) for one in then if not one.out.exists()]
    for training in trainings:
        say(f"{training.result()} is trained")


def judges(work: Work, pool: ProcessPoolExecutor, say: Callable[[str], None]) -> dict[str, bytes]:
    """Fit what judges the candidates of the networks; return all weights as files, ``seed_0`` for those that ship.

    Evidence is collected with networks that have not seen the person, as it will be of new people.
    """
    folds = {name: members for name, members in work.left_out.items() if name.startswith("people_")}
    network = {name: work.file(f"{name}.npz") for name in (*work.left_out, "seed_0")}
    tasks: list[ExampleTask] = []
    for folder, row in work.rows:
        person = f"{folder.name}/{row['subject']}"
        name = next(name for name, members in folds.items() if person in members)
        tasks.append(ExampleTask(network[name], folder, row))
    tasks += [ExampleTask(network["seed_0"], seed=SIMULATED + k) for k in range(UNSEEN)]
    examples = [one for part in pool.map(examples_of, tasks, chunksize=8) for one in part]
    work.file("examples.pickle").write_bytes(pickle.dumps(examples))
    weights: dict[str, CounterWeights] = {}
    for name, without in {"seed_0": (), **work.left_out}.items():
        others = [one for one in examples if not involves(frozenset({one.person}), without)]
        with np.load(network[name]) as arrays:
            trained = network_from(dict(arrays))
        everything_belongs = BelongingWeights.none_strange()
        weights[name] = CounterWeights(trained, fit_counting(others), fit_pattern(others), everything_belongs)
    say("judges are fitted")
    work.file("judges.pickle").write_bytes(pickle.dumps(list(weights.values())))
    sessions = [(work.file("judges.pickle"), ENDS_FROM + k, bends) for k in range(ENDS) for bends in (False, True)]
    ends_by_session = list(pool.map(_ends_by_all, sessions, chunksize=4))
    written: dict[str, bytes] = {}
    for k, (name, judged) in enumerate(weights.items()):
        ends = [one for by_all in ends_by_session for one in by_all[k]]
        file = BytesIO()
        save_weights(file, replace(judged, belonging=fit_belonging(ends)))
        written[name] = file.getvalue()
    return written


def _ends_by_all(task: tuple[Path, int, bool]) -> list[list[EndExample]]:
    """Return the ends of the sets that each of the weights in a file counts in the simulated session of a seed."""
    file, seed, bends = task
    plan, lifter, sensor = drawn_session(seed)
    session = simulate(with_bends_beside(plan, seed) if bends else plan, lifter, sensor, seed)
    return [ends_in(session, weights) for weights in pickle.loads(file.read_bytes())]


def main() -> None:
    """Fit everything and write the weights."""
    parser = argparse.ArgumentParser(description="Fit the weights of the counter and write them.")
    parser.add_argument("data", type=Path, help="folder with the data sets, for example ../shared/data")
    parser.add_argument("work", type=Path, help="folder for intermediate files; they are used again")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seeds", type=int, default=1, help="networks trained on all people; the first one ships")
    arguments = parser.parse_args()
    begun = perf_counter()

    def say(what: str) -> None:
        print(f"{perf_counter() - begun:6.0f} s  {what}", flush=True)

    rows = rows_of(arguments.data)
    data_sets = sorted({folder.name for folder, _ in rows})
    people = {name: sorted({row["subject"] for folder, row in rows if folder.name == name}) for name in data_sets}
    folds = {
        f"people_{k + 1}": tuple(f"{name}/{person}" for name in data_sets for person in people[name][k::FOLDS])
        for k in range(FOLDS)
    }
    arguments.work.mkdir(parents=True, exist_ok=True)
    work = Work(arguments.work, rows, {**folds, **{f"without_{name}": (name,) for name in data_sets}})
    os.environ.update(CHILDREN)
    with ProcessPoolExecutor(arguments.jobs, get_context("spawn"), end_with_parent) as pool:
        largest = max(data_sets, key=lambda name: sum(folder.name == name for folder, _ in rows))
        networks(work, pool, arguments.seeds, largest, say)
        weights = judges(work, pool, say)
    of_person = {person: fold for fold, members in folds.items() for person in members}
    manifest = {
        "people": {name: {person: of_person[f"{name}/{person}"] for person in people[name]} for name in data_sets},
        "without": {name: f"without_{name}" for name in data_sets},
    }
    WEIGHTS_FILE.write_bytes(weights.pop("seed_0"))
    members = {"manifest.json": json.dumps(manifest, indent=1).encode()}
    members |= {f"{name}.npz": content for name, content in weights.items()}
    with ZipFile(HELD_OUT, "w") as archive:
        for member, content in members.items():
            archive.writestr(ZipInfo(member), content)
    say(f"{WEIGHTS_FILE} and {HELD_OUT} are written")


if __name__ == "__main__":
    main()
