"""Memory and time per push over eight hours against the first hour: neither grows, apart from the events kept.

Run: ``python tests/benchmarks/bench_memory.py [HZ]``. Other rates than 100 Hz are interpolated; packets last 1 s.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from time import process_time

import numpy as np
from simulated_hour import HOUR_S, realistic_hour, shifted

from imu.samples import ImuBlock
from imu.session import RepetitionCounted, Session

HOURS, PACKET_S = 8, 1.0
MOST_GROWTH_BYTES_A_MOVEMENT, MOST_SLOWDOWN = 2000, 1.25


def at_rate(block: ImuBlock, rate_hz: float) -> ImuBlock:
    """Return samples at another rate, on the straight lines between those given."""
    time_s = np.arange(round(block.device_time_s[-1] * rate_hz)) / rate_hz
    acceleration, angular_velocity = (
        np.column_stack([np.interp(time_s, block.device_time_s, axis) for axis in values.T])
        for values in (block.acceleration_m_s2, block.angular_velocity_rad_s)
    )
    return ImuBlock(time_s, acceleration, angular_velocity)


def push_hour(session: Session, hour: ImuBlock, number: int) -> tuple[float, int]:
    """Push one more hour; return the seconds that it took and the repetitions in it."""
    later, rows = shifted(hour, number * HOUR_S), round(PACKET_S * len(hour) / HOUR_S)
    start, repetitions = process_time(), 0
    for row in range(0, len(later), rows):
        events = session.push(later[row : row + rows])
        repetitions += sum(isinstance(event, RepetitionCounted) for event in events)
    return process_time() - start, repetitions


def main() -> int:
    """Print the growth; return 1 if it is more than the kept events account for."""
    hour = at_rate(realistic_hour(), float((sys.argv[1:] or ["100"])[0]))
    timed = Session()
    seconds = [push_hour(timed, hour, number)[0] for number in range(HOURS)]
    slowdown = min(seconds[-3:]) / min(seconds[:3])

    traced = Session()
    kept, repetitions = [], 0
    tracemalloc.start()
    for number in range(HOURS):
        _, found = push_hour(traced, hour, number)
        repetitions += found
        gc.collect()
        kept.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    summary = traced.finish()[1]
    movements = len(summary.rejected) + sum(len(one_set.repetitions) for one_set in summary.sets)
    growth = kept[-1] - kept[0]
    a_movement = growth / (movements * (HOURS - 1) / HOURS)
    print("held after each hour, kB: " + ", ".join(f"{held / 1000:.0f}" for held in kept))
    print(f"{movements} movements kept ({repetitions} repetitions): {a_movement:.0f} bytes each")
    print("seconds for each hour: " + ", ".join(f"{taken:.2f}" for taken in seconds))
    print(f"last hours / first hours: {slowdown:.2f} (aim: at most {MOST_SLOWDOWN})")
    return int(slowdown > MOST_SLOWDOWN or a_movement > MOST_GROWTH_BYTES_A_MOVEMENT)


if __name__ == "__main__":
    sys.exit(main())
