"""Live counting: what share of one core packets of 10 samples at 100 Hz take, against real time and against one push.

Run: ``python tests/benchmarks/bench_live.py``.
"""

from __future__ import annotations

import sys
from statistics import median
from time import perf_counter, process_time

from simulated_hour import realistic_hour

from imu.samples import ImuBlock
from imu.session import Session

AIM_SHARE, RUNS, PACKET_ROWS = 0.01, 3, 10


def main() -> int:
    """Print the share; return 1 if it is above the aim."""
    hour = realistic_hour()
    packets: list[ImuBlock] = [hour[start : start + PACKET_ROWS] for start in range(0, len(hour), PACKET_ROWS)]
    shares, ratios, worst = [], [], []
    for _ in range(RUNS):
        session, longest = Session(), 0.0
        start = process_time()
        for packet in packets:
            before = perf_counter()
            session.push(packet)
            longest = max(longest, perf_counter() - before)
        summary = session.finish()[1]
        live_s = process_time() - start
        start = process_time()
        whole = Session()
        whole.push(hour)
        if whole.finish()[1] != summary:
            print("live and batch differ")
            return 1
        shares.append(live_s / summary.duration_s)
        ratios.append(live_s / (process_time() - start))
        worst.append(longest)
    print(
        f"packets of {PACKET_ROWS} at 100 Hz: {100 * median(shares):.2f} % of one core, "
        f"{1e6 * median(shares) * PACKET_ROWS / 100:.0f} us a packet, longest {1e3 * median(worst):.1f} ms, "
        f"{median(ratios):.1f} times one large push; aim: at most {100 * AIM_SHARE:.0f} %"
    )
    return int(median(shares) > AIM_SHARE)


if __name__ == "__main__":
    sys.exit(main())
