"""How sampling rate, place and turn of the sensor change the count, on simulated sessions of no fit.

Each session is worn ten times by the same lifter: at 20 to 400 Hz at the back, then at 100 Hz at the other places, and
turned by 40° in its holder. Aim: F1 within 0.005 of 100 Hz at the back. Run: ``python
tests/benchmarks/rates_and_places.py [SESSIONS]``; 20 sessions of each kind take some minutes on two cores.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

from imu.evaluation.counters import count
from imu.evaluation.data_sets import truth_of_session
from imu.evaluation.sections import FIRST_SEED
from imu.evaluation.set_scores import SessionScore, SetFigures, score_session
from imu.virtual.person import random_continuous_session, random_session, simulate

WORN: dict[str, dict[str, Any]] = {
    "back, 100 Hz": {},
    **{f"back, {rate} Hz": {"sampling_rate_hz": float(rate)} for rate in (20, 25, 50, 200, 400)},
    **{place: {"place": place} for place in ("front", "left", "right")},
    "back, turned by 40°": {"turn_rotvec_rad": (0.4, -0.4, 0.4)},
}
KINDS = {"standing between": random_session, "touch-and-go": random_continuous_session}


def scores(task: tuple[str, int]) -> dict[str, SessionScore]:
    """Return the score of one session for each way of wearing the sensor."""
    kind, seed = task
    plan, lifter, sensor = KINDS[kind](seed)
    usual = replace(sensor, place="back", sampling_rate_hz=100.0, turn_rotvec_rad=(0.0, 0.0, 0.0))
    found = {}
    for name, worn in WORN.items():
        session = simulate(plan, lifter, replace(usual, **worn), seed)
        found[name] = score_session(count(session.block), truth_of_session(session.truth))
    return found


def main() -> None:
    """Print a line for each kind of session and way of wearing the sensor."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    tasks = [(kind, FIRST_SEED + i) for kind in KINDS for i in range(sessions)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        results = list(zip(tasks, pool.map(scores, tasks), strict=True))
    for kind in KINDS:
        print(f"{kind}, {sessions} sessions: F1 (change), right pattern, exact sets")
        figures = {name: SetFigures.of(found[name] for (one, _), found in results if one == kind) for name in WORN}
        usual = figures["back, 100 Hz"].f1 or 0.0
        for name, one in figures.items():
            f1 = one.f1 or 0.0
            print(f"  {name:20s} {f1:.3f} ({f1 - usual:+.3f})  {one.right or 0:.3f}  {one.exact or 0:.3f}")


if __name__ == "__main__":
    main()
