"""The trade of a higher threshold for lone movements: single repetitions found against movements of daily life.

``python tests/benchmarks/lone_wall.py ../shared/data`` (a minute for each threshold). Each person is judged by weights
that have not seen them. SisFall holds one slow repetition per recording, `daily_life_20hz` busy daily life: no
threshold finds 0.97 of the one and leaves 3 an hour of the other.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from imu.evaluation.counters import count, held_out_judge
from imu.evaluation.data_sets import NONE, Trial, find_data_sets
from imu.evaluation.trial_scores import SEATED
from imu.recordings.recording import read_recording

THRESHOLDS = (0.12, 0.2, 0.35, 0.5, 0.7)


def counted(task: tuple[str, Trial, float]) -> tuple[str, Trial, int, float]:
    """Return data set, trial, the number of movements that count in it, and its duration, s."""
    name, trial, least = task
    judge = held_out_judge(name, trial.person, "person")
    if judge is None:
        raise ValueError(f"no weights without {trial.person} of {name}")
    found = count(read_recording(trial.path).block, replace(judge, least_probability=least))
    return name, trial, len(found.announced), found.duration_s


def main(data: Path) -> None:
    """Print a line for each threshold."""
    trials = [(one.name, trial) for one in find_data_sets(data) if one.name != "squat_sets" for trial in one.trials]
    print("threshold   SisFall counted once   per seated recording   daily life at 20 Hz, per hour")
    for least in THRESHOLDS:
        with ProcessPoolExecutor() as pool:
            rows = list(pool.map(counted, [(*one, least) for one in trials], chunksize=20))
        single = [n == 1 for name, trial, n, _ in rows if name == "sisfall" and trial.pattern != NONE]
        seated = [
            n for name, t, n, _ in rows if name == "sisfall" and t.pattern == NONE and t.activity.startswith(SEATED)
        ]
        daily = [(n, s) for name, trial, n, s in rows if name != "sisfall" and trial.pattern == NONE]
        per_hour = 3600 * sum(n for n, _ in daily) / sum(s for _, s in daily)
        print(f"{least:9.2f} {sum(single) / len(single):22.3f} {sum(seated) / len(seated):22.3f} {per_hour:25.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data"))
