"""Replay against what cannot be avoided: reading the table and the orientation filter.

An hour in this process, in time on the clock and in processor time, which other programs lengthen less; and ten hours
as whole processes on two cores, with their memory. Aims: 1.5, 2 and 1.3. Run: ``python
tests/benchmarks/bench_replay.py``, with ``10`` behind it for the ten hours too.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from simulated_hour import dense_hour, realistic_hour, write_csv
from vqf import VQF

from imu.report.replay import Replayed, ReplayOptions, replay

AIM, RUNS, HOURS = 2.0, 7, 10

UNAVOIDABLE = """
import sys, numpy as np, pandas as pd
from vqf import VQF
table = pd.read_csv(sys.argv[1]).to_numpy()
VQF(0.01).updateBatch(np.ascontiguousarray(table[:, 4:7]), np.ascontiguousarray(table[:, 1:4]))
"""


MEASURED = """
import os, subprocess, sys, time
start = time.perf_counter()
running = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(running.pid, 0)
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
sys.exit(bool(status))
"""
"""In a small process of its own: the memory of a new process counts that of the one that began it."""


def unavoidable(path: Path) -> None:
    """Read a table with pandas and run VQF over it."""
    table = pd.read_csv(path).to_numpy()
    VQF(0.01).updateBatch(np.ascontiguousarray(table[:, 4:7]), np.ascontiguousarray(table[:, 1:4]))


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the time on the clock and the processor time."""
    clock, processor = perf_counter(), process_time()
    work()
    return perf_counter() - clock, process_time() - processor


def an_hour(name: str, path: Path) -> float:
    """Print the ratios of an hour in this process; return that of the processor times."""
    ours, theirs = [], []
    for _ in range(RUNS):
        theirs.append(seconds(lambda: unavoidable(path)))
        ours.append(seconds(lambda: replay(str(path), ReplayOptions())))
    found = replay(str(path), ReplayOptions())
    if not isinstance(found, Replayed):
        raise SystemExit(found.reason)
    clock, processor = (median(a[i] / b[i] for a, b in zip(ours, theirs, strict=True)) for i in range(2))
    summary, (clock_s, processor_s) = found.summary, (min(one[i] for one in ours) for i in range(2))
    print(
        f"{name}: {sum(len(one.repetitions) for one in summary.sets)} repetitions, {len(summary.rejected)} rejected\n"
        f"  clock {clock_s:.3f} s, ratio {clock:.2f}; processor {processor_s:.3f} s "
        f"against {min(one[1] for one in theirs):.3f} s, ratio {processor:.2f}",
        flush=True,
    )
    return processor


def process(*command: str) -> tuple[float, float, int]:
    """Run Python; return time on the clock, processor time and most memory in MB."""
    run = subprocess.run([sys.executable, "-c", MEASURED, *command], check=True, stdout=subprocess.PIPE, text=True)
    clock_s, processor_s, memory_mb = map(float, run.stdout.split())
    return clock_s, processor_s, round(memory_mb)


def ten_hours(name: str, hour: Path, path: Path) -> None:
    """Print the ratios of ten such hours as whole processes."""
    rows = [line.partition(",")[2] for line in hour.read_text().splitlines()]
    with path.open("w") as file:
        file.write(f"time_s,{rows[0]}\n")
        file.writelines(f"{number / 100:.2f},{row}\n" for number, row in enumerate(rows[1:] * HOURS))
    for _ in range(3):
        theirs = process("-c", UNAVOIDABLE, str(path))
        ours = process("-m", "imu.app.cli", "replay", "--json", str(path))
        print(
            f"{HOURS} of the {name}: clock {ours[0]:.1f} s, ratio {ours[0] / theirs[0]:.2f}; processor {ours[1]:.1f} s "
            f"against {theirs[1]:.1f} s, ratio {ours[1] / theirs[1]:.2f}; {ours[2]} MB against {theirs[2]} MB",
            flush=True,
        )


def main() -> int:
    """Print the ratios; return 1 if the realistic hour misses the aim."""
    with tempfile.TemporaryDirectory() as folder:
        realistic, dense = Path(folder) / "realistic.csv", Path(folder) / "dense.csv"
        write_csv(realistic_hour(), realistic)
        write_csv(dense_hour(), dense)
        ratio = an_hour("realistic hour", realistic)
        an_hour("dense hour", dense)
        if str(HOURS) in sys.argv[1:]:
            ten_hours("realistic hour", realistic, Path(folder) / "ten.csv")
            ten_hours("dense hour", dense, Path(folder) / "ten.csv")
    print(f"aim: at most {AIM} for the realistic hour")
    return int(ratio > AIM)


if __name__ == "__main__":
    sys.exit(main())
