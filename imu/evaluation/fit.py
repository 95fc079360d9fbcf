"""Fit the two small models of the motion package: ``python -m imu.evaluation.fit ../shared/data/sisfall``.

Writes ``imu/motion/weights.py``, and for ``imu evaluate --held-out`` the same without each of five folds of people and
without the whole data set, into ``imu/evaluation/weights``. What is fitted: the quadratic form
that decides whether a movement counts (:class:`imu.motion.evidence.CountingWeights`) and the straight line that tells
squat from hinge
(:class:`imu.motion.pattern.PatternWeights`). Both are logistic regressions with a ridge, by Newton's method. Half of
the weight
is real people (their single-activity trials), half is simulated sessions; positives and negatives weigh the same.
Movements are found without any fitted number, so a fold only changes these weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imu.evaluation.data_sets import Trial, read_index
from imu.evaluation.held_out import WEIGHTS, save_judge
from imu.motion.evidence import EVIDENCE, CountingWeights, evidence
from imu.motion.form import SagittalPlane, describe
from imu.motion.movements import Movement
from imu.motion.pattern import PatternWeights
from imu.motion.pursuit import Ending
from imu.motion.repetitions import JudgeParameters
from imu.motion.tracker import MovementTracker
from imu.samples import Array, ImuBlock
from imu.simulate import random_session, simulate
from imu.sources.recording import read_recording

WEIGHTS_FILE = Path(__file__).parents[1] / "motion" / "weights.py"
SIMULATED_SESSIONS = 300
FOLDS = 5
COUNTING_RIDGE = 50.0
"""Chosen with people left out (SisFall): 8 of 200 repetitions are missed and 211 seated movements counted; with 40 10
and 201, with 80 8 and 242."""
PATTERN_RIDGE = 10.0
TOTAL_WEIGHT = 4000.0
SIMULATED_SHARE = 2 / 3
"""Share of simulated repetitions in the total weight for the pattern: they show twenty ways to squat and to hinge, real
people here one of each. At one half quarter squats are taken for hinges; real people do not mind."""


@dataclass(frozen=True, slots=True)
class Example:
    """One movement that returned to standing, with its label.

    Attributes
    ----------
    person : str
        Who moved; ``simulated N`` for a simulated one.
    activity : str
        What they did, as the labels call it.
    pattern : str
        ``squat`` or ``hinge`` for a repetition, ``none`` for anything else.
    evidence : tuple of float
        In the order of `EVIDENCE`.
    """

    person: str
    activity: str
    pattern: str
    evidence: tuple[float, ...]

    @property
    def simulated(self) -> bool:
        """Whether a simulation made it."""
        return self.person.startswith("simulated")


def movements_of(block: ImuBlock) -> list[Movement]:
    """Return the movements in `block` that came back to standing."""
    tracker = MovementTracker()
    found = [*tracker.push(block), *tracker.finish()]
    return [item for item in found if isinstance(item, Movement) and item.ending is Ending.RETURNED]


def examples_of_trial(block: ImuBlock, person: str, activity: str, pattern: str) -> list[Example]:
    """Return the examples in a single-activity trial: of a repetition trial the largest movement is the repetition."""
    described = [(movement, describe(movement, SagittalPlane())) for movement in movements_of(block)]
    sizes = [figures.peak_angle_rad + 2.5 * figures.hip_drop_m for _, figures in described]
    largest = int(np.argmax(sizes)) if sizes and pattern != "none" else -1
    return [
        Example(person, activity, pattern if i == largest else "none", tuple(evidence(movement, figures)))
        for i, (movement, figures) in enumerate(described)
    ]


def examples_of_simulation(seed: int) -> list[Example]:
    """Return the examples in one random simulated session."""
    simulated = simulate(*random_session(seed), seed)
    truths = [(s.name, repetition) for s in simulated.truth.sets for repetition in s.reps]
    plane = SagittalPlane()
    examples = []
    for movement in movements_of(simulated.block):
        figures = describe(movement, plane)
        start_s, end_s = figures.time_s[figures.start], figures.time_s[figures.end]
        hits = [
            (name, truth)
            for name, truth in truths
            if min(end_s, truth.end_s) - max(start_s, truth.start_s)
            > 0.5 * min(end_s - start_s, truth.end_s - truth.start_s)
        ]
        daily = [d.name for d in simulated.truth.daily if d.start_s < end_s and d.end_s > start_s]
        if len(hits) == 1:
            plane.learn(figures.lean)
        name = hits[0][0] if hits else (daily or ["standing"])[0]
        pattern = str(hits[0][1].pattern) if len(hits) == 1 else "none"
        examples.append(Example(f"simulated {seed % 10}", name, pattern, tuple(evidence(movement, figures))))
    return examples


def fit_logistic(values: Array, label: Array, weight: Array, ridge: float) -> tuple[float, Array]:
    """Return bias and coefficients of a ridge-penalised logistic regression, by Newton's method.

    Parameters
    ----------
    values : (n, p) array
        Standardised quantities.
    label : (n,) array
        0 or 1.
    weight : (n,) array
        Weight of each row.
    ridge : float
        Penalty on half the squared coefficients; the bias is free.
    """
    design = np.column_stack((np.ones(len(values)), values))
    penalty = np.full(design.shape[1], ridge)
    penalty[0] = 1e-6
    coefficients = np.zeros(design.shape[1])
    for _ in range(50):
        odds = 1.0 / (1.0 + np.exp(-np.clip(design @ coefficients, -30, 30)))
        gradient = design.T @ (weight * (label - odds)) - penalty * coefficients
        curvature = (design * (weight * odds * (1 - odds))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        coefficients = coefficients + step
        if np.abs(step).max() < 1e-6:
            break
    return float(coefficients[0]), coefficients[1:]


def balanced(groups: Iterable[tuple[bool, bool]]) -> Array:
    """Return weights that give each of the (simulated, repetition) groups the same total."""
    keys = [2 * int(simulated) + int(positive) for simulated, positive in groups]
    counts = np.bincount(keys, minlength=4)
    return np.array([TOTAL_WEIGHT / np.count_nonzero(counts) / counts[key] for key in keys])


def fit_counting(examples: list[Example]) -> CountingWeights:
    """Return the weights that tell repetitions from other movements."""
    values = np.array([example.evidence for example in examples])
    label = np.array([example.pattern != "none" for example in examples], dtype=float)
    weight = balanced((example.simulated, example.pattern != "none") for example in examples)
    lower, upper = np.percentile(values, [1, 99], axis=0)
    clipped = np.clip(values, lower, upper)
    centre = np.average(clipped, axis=0, weights=weight * label)
    scale = np.sqrt(np.average((clipped - centre) ** 2, axis=0, weights=weight))
    x = (clipped - centre) / scale
    i, j = np.triu_indices(len(EVIDENCE))
    bias, coefficients = fit_logistic(np.column_stack((x, x[:, i] * x[:, j])), label, weight, COUNTING_RIDGE)
    quadratic = np.zeros((len(EVIDENCE), len(EVIDENCE)))
    quadratic[i, j] = coefficients[len(EVIDENCE) :]
    return CountingWeights(lower, upper, centre, scale, coefficients[: len(EVIDENCE)], quadratic, bias)


def fit_pattern(examples: list[Example]) -> PatternWeights:
    """Return the weights that tell hinge from squat."""
    chosen = [example for example in examples if example.pattern != "none"]
    entries = [EVIDENCE.index(name) for name in ("peak_angle_rad", "angle_at_bottom_rad", "hip_drop_m")]
    values = np.array([[example.evidence[entry] for entry in entries] for example in chosen])
    label = np.array([example.pattern == "hinge" for example in chosen], dtype=float)
    simulated = np.array([example.simulated for example in chosen])
    weight = np.where(simulated, SIMULATED_SHARE / max(1, simulated.sum()), 0.0)
    weight += np.where(simulated, 0.0, (1.0 - SIMULATED_SHARE) / max(1, (~simulated).sum()))
    weight *= TOTAL_WEIGHT
    scale = values.std(axis=0)
    bias, coefficients = fit_logistic(values / scale, label, weight, PATTERN_RIDGE)
    return PatternWeights(bias, *(float(value) for value in coefficients / scale))


def source_of(counting: CountingWeights, pattern: PatternWeights, origin: str) -> str:
    """Return the text of the weights module."""

    def row(values: Array) -> str:
        return "[" + ", ".join(f"{value:.5g}" for value in values) + "]"

    lines = ['"""Fitted weights. Written by ``python -m imu.evaluation.fit``; do not edit.', "", origin, '"""', ""]
    lines += ["# fmt: off", "# ruff: noqa: E501", "import numpy as np", ""]
    lines += ["from imu.motion.evidence import CountingWeights", "from imu.motion.pattern import PatternWeights", ""]
    lines += ["COUNTING = CountingWeights("]
    for name in ("lower", "upper", "centre", "scale", "linear"):
        lines.append(f"    {name}=np.array({row(getattr(counting, name))}),")
    lines.append("    quadratic=np.array([")
    lines += [f"        {row(values)}," for values in counting.quadratic]
    lines += ["    ]),", f"    bias={counting.bias:.5g},", ")", ""]
    numbers = (pattern.bias, pattern.per_rad_of_peak, pattern.per_rad_at_bottom, pattern.per_m_of_drop)
    lines.append("PATTERN = PatternWeights(" + ", ".join(f"{number:.5g}" for number in numbers) + ")")
    return "\n".join(lines) + "\n"


def _examples_of_path(trial: Trial) -> list[Example]:
    return examples_of_trial(read_recording(trial.path).block, trial.person, trial.activity, trial.pattern)


def collect(folder: Path, sessions: int = SIMULATED_SESSIONS) -> list[Example]:
    """Return the examples of the trials in `folder` and of `sessions` simulated sessions."""
    with ProcessPoolExecutor() as pool:
        real = pool.map(_examples_of_path, read_index(folder), chunksize=20)
        simulated = pool.map(examples_of_simulation, range(sessions), chunksize=5)
        return [example for group in (*real, *simulated) for example in group]


def judge_without(people: Iterable[str], examples: list[Example]) -> JudgeParameters:
    """Return what decides, fitted on everybody but `people`."""
    without = frozenset(people)
    others = [example for example in examples if example.person not in without]
    return JudgeParameters(counting=fit_counting(others), pattern=fit_pattern(others))


def write_held_out(data_set: str, examples: list[Example]) -> None:
    """Write the weights without each fold of people and without the data set, and the manifest that names them."""
    people = sorted({example.person for example in examples if not example.simulated})
    folds = {f"people_{k + 1}": people[k::FOLDS] for k in range(FOLDS)}
    WEIGHTS.mkdir(exist_ok=True)
    for name, left_out in {**folds, f"without_{data_set}": people}.items():
        save_judge(WEIGHTS / f"{name}.npz", judge_without(left_out, examples))
    named = {person: name for name, left_out in folds.items() for person in left_out}
    manifest = {"people": {data_set: dict(sorted(named.items()))}, "without": {data_set: f"without_{data_set}"}}
    (WEIGHTS / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Fit on all examples and write the weights module."""
    parser = argparse.ArgumentParser(description="Fit the weights of the motion package and write them.")
    parser.add_argument("folder", type=Path, help="labelled trials, for example ../shared/data/sisfall")
    parser.add_argument("--sessions", type=int, default=SIMULATED_SESSIONS, help="simulated sessions to add")
    arguments = parser.parse_args()
    examples = collect(arguments.folder, arguments.sessions)
    people = len({example.person for example in examples if not example.simulated})
    origin = (
        f"Examples: {sum(not e.simulated for e in examples)} movements of {people} people (SisFall), "
        f"{sum(e.simulated for e in examples)} of {arguments.sessions} simulated sessions."
    )
    WEIGHTS_FILE.write_text(source_of(fit_counting(examples), fit_pattern(examples), origin))
    write_held_out(arguments.folder.resolve().name, examples)
    print(f"{WEIGHTS_FILE}: {origin}")


if __name__ == "__main__":
    main()
