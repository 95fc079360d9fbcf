"""Start of the command line, whole processes: ``imu --help`` and a replay of 10 s against the imports they need.

Processor time, as the clock on the wall depends on what else the machine does. Run: ``python
tests/benchmarks/bench_help.py``.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from simulated_hour import dense_hour, write_csv

RUNS = 9
IMU = "from imu.app.cli import main; main()"


def seconds_of(*arguments: str) -> float:
    """Return the processor time of a Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "short.csv"
        write_csv(dense_hour()[:1000], path)
        pairs = {
            "imu --help, import typer": ((IMU, "--help"), ("import typer",)),
            "replay of 10 s, import numpy, vqf": ((IMU, "replay", "--json", str(path)), ("import numpy, vqf",)),
        }
        for name, (ours, theirs) in pairs.items():
            seconds_of(*ours), seconds_of(*theirs)  # the first start compiles and fills the disk cache
            times = [(seconds_of(*ours), seconds_of(*theirs)) for _ in range(RUNS)]
            a, b = (median(column) for column in zip(*times, strict=True))
            print(f"{name}: {a:.3f} s, {b:.3f} s, ratio {median(one / other for one, other in times):.2f}")


if __name__ == "__main__":
    main()
