"""A batch of 200 recordings: two processes against one, as whole commands; what an hour costs, and what it leaves.

Aim: two processes at least 1.8 times as fast as one. Run: ``python tests/benchmarks/bench_batch.py [SECONDS [RUNS]]``,
where SECONDS is the length of a recording (default 60). One run of each kind follows the other, so that other load on
the machine meets both alike; the ratio is the median of the runs' ratios. It also prints processor time, which other
programs do not lengthen, and the memory of a worker.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from simulated_hour import realistic_hour, write_csv

from imu.samples import ImuBlock

AIM, RECORDINGS, RATE_HZ = 1.8, 200, 100

WORKER = """
import resource, sys, time
import pandas, imu.report.replay, imu.report.objects
from imu.batch.sources import Settings, count_sources, find_sources
started = time.process_time()
count_sources(find_sources(sys.argv[1:]), Settings())
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(started, time.process_time() - started, memory)
"""


def write_day(folder: Path, seconds: float) -> int:
    """Write the recordings, pieces of a simulated hour; return their size in bytes."""
    folder.mkdir()
    rows = int(seconds * RATE_HZ)
    hour = realistic_hour()
    last = len(hour) - rows
    for number in range(RECORDINGS):
        start = number * 1777 % (last + 1)
        piece = slice(start, start + rows)
        block = ImuBlock(hour.device_time_s[piece], hour.acceleration_m_s2[piece], hour.angular_velocity_rad_s[piece])
        write_csv(block, folder / f"{number:03}.csv")
    return sum(path.stat().st_size for path in folder.iterdir())


def run(folder: Path, out: Path, *options: str) -> float:
    """Return the duration of one command, s."""
    command = [sys.executable, "-m", "imu.app.cli", "replay", str(folder), "--out", str(out), *options]
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def worker_cost(paths: list[Path]) -> list[float]:
    """Return what one worker needs: processor time to start, then to count, both in s; and memory in MB."""
    command = [sys.executable, "-c", WORKER, *map(str, paths)]
    return [float(cell) for cell in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


def main() -> int:
    """Print the figures; return 1 if the ratio misses the aim."""
    seconds, runs = float((sys.argv[1:] or ["60"])[0]), int((sys.argv[2:] or ["3"])[0])
    ones, twos = [], []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        size = write_day(place / "day", seconds)
        hours = RECORDINGS * seconds / 3600
        for number in range(runs):
            ones.append(run(place / "day", place / f"one_{number}.parquet"))
            twos.append(run(place / "day", place / f"two_{number}.parquet", "--jobs", "2"))
        again_s = run(place / "day", place / "two_0.parquet", "--jobs", "2")
        left = sum((place / file).stat().st_size for file in ("two_0.parquet", "two_0.recordings.parquet"))
        start_s, short_s, short_mb = worker_cost(sorted((place / "day").iterdir()))
        write_csv(realistic_hour(), place / "hour.csv")
        _, hour_s, hour_mb = worker_cost([place / "hour.csv"])
    ratios = [one / two for one, two in zip(ones, twos, strict=True)]
    print(
        f"{RECORDINGS} recordings of {seconds:.0f} s, {hours:.2f} h, {size / hours / 1e6:.1f} MB of CSV an hour; "
        f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
        f"  one process {median(ones):.2f} s, two {median(twos):.2f} s: ratio {median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}); ratio of the least times {min(ones) / min(twos):.2f}\n"
        f"  nothing new: {again_s:.2f} s; results {left / hours / 1e3:.1f} kB an hour\n"
        f"  a worker's processor time: start {start_s:.2f} s, short recordings {short_s / hours:.2f} s an hour "
        f"({1e3 * short_s / RECORDINGS:.1f} ms each), one long recording {hour_s:.2f} s an hour\n"
        f"  its memory: {short_mb:.0f} MB with short recordings, {hour_mb:.0f} MB with one of an hour"
    )
    print(f"aim: at least {AIM}")
    return int(median(ratios) < AIM)


if __name__ == "__main__":
    sys.exit(main())
