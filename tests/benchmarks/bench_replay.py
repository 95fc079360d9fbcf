"""Replay of an hour against what cannot be avoided: reading the table and the orientation filter.

Aim: at most 2 for the realistic hour. Run: ``python tests/benchmarks/bench_replay.py``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd
from simulated_hour import dense_hour, realistic_hour, write_csv
from vqf import VQF

from imu.recordings.recording import read_recording
from imu.report.replay import Replayed, ReplayOptions, replay

AIM, RUNS = 2.0, 7


def unavoidable(path: Path) -> tuple[float, float]:
    """Return the seconds for pandas and VQF alone."""
    start = perf_counter()
    table = pd.read_csv(path).to_numpy()
    read = perf_counter()
    VQF(0.01).updateBatch(np.ascontiguousarray(table[:, 4:7]), np.ascontiguousarray(table[:, 1:4]))
    return read - start, perf_counter() - read


def main() -> int:
    """Print the ratios; return 1 if the realistic hour misses the aim."""
    ratios = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, hour in (("realistic hour", realistic_hour()), ("dense hour", dense_hour())):
            path = Path(folder) / "hour.csv"
            write_csv(hour, path)
            ours, reading, parsing, filtering = [], [], [], []
            for _ in range(RUNS):
                parse_s, filter_s = unavoidable(path)
                parsing.append(parse_s)
                filtering.append(filter_s)
                start = perf_counter()
                found = replay(str(path), ReplayOptions())
                ours.append(perf_counter() - start)
                start = perf_counter()
                read_recording(path)
                reading.append(perf_counter() - start)
            if not isinstance(found, Replayed):
                print(f"{name}: {found.reason}")
                return 1
            theirs = [a + b for a, b in zip(parsing, filtering, strict=True)]
            ratios[name] = median(a / b for a, b in zip(ours, theirs, strict=True))
            summary = found.summary
            print(
                f"{name}: {len(hour)} rows, {sum(len(s.repetitions) for s in summary.sets)} repetitions in "
                f"{len(summary.sets)} sets, {len(summary.rejected)} rejected\n"
                f"  replay {median(ours):.3f} s (of it reading {median(reading):.3f} s); pandas.read_csv "
                f"{median(parsing):.3f} s + VQF {median(filtering):.3f} s; ratio {ratios[name]:.2f}\n"
                f"  ratio of the least times, which other work disturbs least: "
                f"{min(ours) / (min(parsing) + min(filtering)):.2f}"
            )
    print(f"aim: at most {AIM} for the realistic hour")
    return int(ratios["realistic hour"] > AIM)


if __name__ == "__main__":
    sys.exit(main())
