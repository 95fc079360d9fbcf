"""In how many repetitions of simulated touch-and-go sets the true tilt and drop show whether it is a squat or a hinge.

``python tests/benchmarks/pattern_wall.py SESSIONS``. The label of a repetition is the exercise that was asked for;
a deadlift and a low-bar squat may tilt and sink alike. Each repetition is called what most of its nearest neighbours in
tilt and drop are, those of its own session left out: nothing measured can do much better on these two.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from scipy.spatial import cKDTree

from imu.virtual.person import random_continuous_session, simulate

FIRST_SEED = 96_000
NEIGHBOURS = 60


def repetitions_of(seed: int) -> list[tuple[int, str, bool, float, float]]:
    """Return session, exercise, whether it is a hinge, and logarithms of tilt and drop, of each repetition."""
    sets = simulate(*random_continuous_session(seed), seed).truth.sets
    return [
        (seed, r.variant, r.pattern == "hinge", math.log(r.trunk_angle_rad + 0.1), math.log(r.hip_drop_m + 0.02))
        for one_set in sets
        for r in one_set.reps
    ]


def main(sessions: int) -> None:
    """Print the share that is right, of all and of the exercises in which it is lowest."""
    with ProcessPoolExecutor() as pool:
        drawn = pool.map(repetitions_of, range(FIRST_SEED, FIRST_SEED + sessions), chunksize=10)
        rows = [row for of_session in drawn for row in of_session]
    session, hinge = np.array([row[0] for row in rows]), np.array([row[2] for row in rows])
    places = np.array([row[3:] for row in rows])
    near = cKDTree(places).query(places, 4 * NEIGHBOURS)[1]
    right = defaultdict(list)
    for i, those in enumerate(near):
        others = [k for k in those if session[k] != session[i]][:NEIGHBOURS]
        right[rows[i][1]].append((hinge[others].mean() > 0.5) == hinge[i])
    print(f"{len(rows)} repetitions, right {np.mean([one for of in right.values() for one in of]):.3f}")
    for variant, of in sorted(right.items(), key=lambda item: np.mean(item[1]))[:8]:
        print(f"{variant:22} {len(of):5}  {np.mean(of):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
