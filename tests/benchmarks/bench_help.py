"""Start of the command line: ``imu --help`` as a whole process against ``python -c "import typer"``.

Run: ``python tests/benchmarks/bench_help.py``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

RUNS = 15


def seconds_of(command: list[str]) -> float:
    """Return how long a process takes."""
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def main() -> int:
    """Print the ratio; return 1 if there is nothing to measure."""
    imu = shutil.which("imu", path=str(Path(sys.executable).parent)) or shutil.which("imu")
    if imu is None:
        print("imu is not installed: pip install -e .")
        return 1
    ours, theirs = [imu, "--help"], [sys.executable, "-c", "import typer"]
    seconds_of(ours), seconds_of(theirs)  # the first start compiles and fills the disk cache
    pairs = [(seconds_of(ours), seconds_of(theirs)) for _ in range(RUNS)]
    ratio = median(a / b for a, b in pairs)
    print(
        f"imu --help {median(a for a, _ in pairs):.3f} s, import typer {median(b for _, b in pairs):.3f} s, "
        f"ratio {ratio:.2f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
