"""The Bluetooth client at 200 Hz, 10 samples a packet: its share of a core, and the delay of its samples.

Run: ``python tests/benchmarks/bench_ble.py``. It takes a minute and a half of real time. The share is that of a client
alone: the virtual sensor runs in a process of its own (`imu sensor`). The delay is from the time of a sample at a
virtual sensor in the same process, whose clock is known exactly, to the event in the session.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from time import process_time

import numpy as np

from imu.bluetooth import HostClock
from imu.bluetooth.link import SensorLink
from imu.bluetooth.scan import Radio, SensorChoice
from imu.live.live_training import LiveTraining
from imu.live.live_view import LiveView
from imu.live.radios import radio_for
from imu.live.training_run import Happened, TrainingRun, TrainingSettings
from imu.sensors import recognise
from imu.session import RepetitionCounted
from imu.virtual.person import virtual_signal
from imu.virtual.radio import RadioConditions, VirtualRadio
from imu.virtual.reference_firmware import ReferenceParameters
from imu.virtual.reference_twin import ReferenceTwin

RATE_HZ, SECONDS, INTERVAL_S = 200.0, 40.0, 0.03
AIM_SHARE, AIM_DELAY_S = 0.05, 0.150


async def trained(radio: Radio, tell: Callable[[Happened, LiveView], None], seconds: float) -> tuple[float, float]:
    """Train; return CPU and wall seconds from the first sample to the last."""
    clock = HostClock()
    link = SensorLink(radio, SensorChoice(), recognise, clock)
    live = LiveTraining()
    run = TrainingRun(link, clock, TrainingSettings(RATE_HZ, "bench", None, seconds), live, tell)
    marks: list[tuple[float, float]] = []

    async def watch() -> None:
        loop = asyncio.get_running_loop()
        while True:
            run.tick()
            if live.view().identity is not None:
                marks.append((process_time(), loop.time()))
            await asyncio.sleep(0.25)

    watching = asyncio.create_task(watch())
    await run.run()
    watching.cancel()
    (cpu_0, wall_0), (cpu_1, wall_1) = marks[0], marks[-1]
    return cpu_1 - cpu_0, wall_1 - wall_0


def client_share() -> float:
    """Return the client's share of a core, with the sensor in another process."""
    command = [
        sys.executable,
        "-c",
        "from imu.app.cli import main; main()",
        "sensor",
        "--port",
        "9017",
        "--rate",
        "200",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as sensor:
        assert sensor.stdout is not None
        sensor.stdout.readline()

        async def run() -> float:
            async with radio_for("virtual:127.0.0.1:9017") as (radio, _):
                cpu_s, wall_s = await trained(radio, lambda *_: None, SECONDS)
            return cpu_s / wall_s

        try:
            return asyncio.run(run())
        finally:
            sensor.terminate()


async def delays_s() -> np.ndarray:
    """Return how long after its last sample was measured each repetition was announced."""
    parameters = ReferenceParameters(rates_hz=(RATE_HZ,), rate_error=0.0, drift_ppm=0.0, clock_s=0.0)
    twin = ReferenceTwin(virtual_signal(1, 60.0), 1, parameters)
    loop = asyncio.get_running_loop()
    repetitions: list[float] = []
    async with VirtualRadio() as radio:
        await radio.add_sensor(twin, conditions=RadioConditions(interval_s=INTERVAL_S))
        began_s: list[float] = []

        def tell(happened: Happened, _view: LiveView) -> None:
            if isinstance(happened, RepetitionCounted):
                repetitions.append(loop.time() - began_s[0] - happened.repetition.confirmed_s)

        original = twin.firmware.start

        def start(now_s: float) -> bool:
            begun = original(now_s)
            if begun and not began_s:
                began_s.append(now_s)  # the session's axis begins with the first sample
            return begun

        twin.firmware.start = start  # type: ignore[method-assign]
        await trained(Radio(radio.scanner_backend, radio.client_backend), tell, SECONDS)
    return np.array(repetitions)


def main() -> int:
    """Print both; return 1 if one misses its aim."""
    share = client_share()
    repetitions = asyncio.run(delays_s())
    p95 = float(np.percentile(repetitions, 95)) - INTERVAL_S
    print(
        f"client at {RATE_HZ:.0f} Hz, 19 samples a packet: {100 * share:.1f} % of one core, aim: at most "
        f"{100 * AIM_SHARE:.0f} %; sample to event: median {1e3 * float(np.median(repetitions)):.0f} ms, p95 beyond "
        f"the interval of {1e3 * INTERVAL_S:.0f} ms {1e3 * p95:.0f} ms over {len(repetitions)} repetitions, aim: below "
        f"{1e3 * AIM_DELAY_S:.0f} ms"
    )
    return int(share > AIM_SHARE or p95 >= AIM_DELAY_S)


if __name__ == "__main__":
    sys.exit(main())
