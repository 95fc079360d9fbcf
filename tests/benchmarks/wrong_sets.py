"""Why simulated touch-and-go sets are not counted exactly: the first thing that went wrong in each.

``python tests/benchmarks/wrong_sets.py FIRST_SEED SESSIONS [NETWORK]``, for example 90000 120. NETWORK is the file of
another network that :mod:`imu.evaluation.fit` has trained; it is judged by the weights that ship.
"""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from imu.evaluation.data_sets import TrueSet, truth_of_session
from imu.evaluation.set_scores import match
from imu.motion.fitted import network_from, shipped_weights
from imu.motion.judge import JudgeParameters
from imu.motion.repetitions import RejectedMovement
from imu.session import ALONE, Session, SessionParameters, SessionSummary
from imu.virtual.person import random_continuous_session, simulate


def wrong_sets(task: tuple[int, Path | None]) -> list[str]:
    """Return for each set of a session what went wrong, or ``exact``."""
    seed, network = task
    weights = shipped_weights()
    if network is not None:
        with np.load(network) as arrays:
            weights = replace(weights, network=network_from(dict(arrays)))
    session = simulate(*random_continuous_session(seed), seed)
    counting = Session(SessionParameters(judge=JudgeParameters(weights=weights)), check_units=False)
    counting.push(session.block)
    summary, truth = counting.finish()[1], truth_of_session(session.truth)
    counted = [one for each in summary.sets for one in each.repetitions]
    pairs = match(truth.repetitions, counted)
    found = {truth.repetitions[i] for i in pairs}
    false = [counted[j] for j in set(range(len(counted))) - set(pairs.values())]
    reasons = []
    for one_set in truth.sets:
        sets = [each for each in summary.sets if each.start_s < one_set.end_s and each.end_s > one_set.start_s]
        if [len(each.repetitions) for each in sets] == [one_set.size]:
            reasons.append("exact")
            continue
        begin_s, end_s = (
            min((each.start_s for each in sets), default=0.0),
            max((each.end_s for each in sets), default=0.0),
        )
        beside = [one for one in false if one.start_s >= begin_s and one.end_s <= end_s]
        if any(one.end_s < one_set.start_s or one.start_s > one_set.end_s for one in beside):
            reasons.append("a movement beside the set counts")
        elif beside:
            reasons.append("a part of a repetition, or one that fails within the set, counts")
        else:
            reasons.append(_why_missed(one_set, summary, found))
    return reasons


def _why_missed(one_set: TrueSet, summary: SessionSummary, found: set[object]) -> str:
    missed = [one for one in one_set.repetitions if one not in found]
    if not missed:
        return "the set is parted, or two are joined"
    others: list[RejectedMovement] = [summary.rejected[j] for j in match(missed, summary.rejected).values()]
    if any(other.reason == ALONE for other in others):
        return "a repetition at its end is taken for a movement beside it"
    return "a movement is rejected" if others else "no ending is seen"


def main(first_seed: int, sessions: int, network: Path | None = None) -> None:
    """Print the share of exact sets, and how many of the others went wrong in which way."""
    with ProcessPoolExecutor() as pool:
        tasks = [(seed, network) for seed in range(first_seed, first_seed + sessions)]
        reasons = Counter(reason for each in pool.map(wrong_sets, tasks, chunksize=5) for reason in each)
    exact = reasons.pop("exact")
    print(f"{exact} of {exact + reasons.total()} sets are exact ({exact / (exact + reasons.total()):.3f})")
    for reason, number in reasons.most_common():
        print(f"{number:5}  {reason}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:]))
