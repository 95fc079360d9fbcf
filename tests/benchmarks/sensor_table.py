"""Every supported sensor, over the virtual radio: three sets and a lost connection.

Run: ``python tests/benchmarks/sensor_table.py`` (2 minutes of real time); it prints the table of imu/sensors/README.md.
Each sensor's virtual twin measures the same simulated person with its own rate, range and quantisation; bleak's client
talks to it; in the rest between the first two sets it is out of range for 3 s.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field

import numpy as np

from imu.bluetooth import HostClock, LinkState
from imu.bluetooth.link import LinkNotice, SensorLink
from imu.bluetooth.scan import Radio, SensorChoice
from imu.samples import ImuBlock
from imu.sensors import KINDS, recognise
from imu.sensors.conversation import Caution, Identified, SamplesLost, SensorKind
from imu.session import Session, SessionSummary
from imu.training import Training
from imu.virtual.person import Exercise, Lifter, Rest, Sensor, simulate
from imu.virtual.radio import VirtualRadio, VirtualSensor
from imu.virtual.vendor_twins import TWINS

PLAN = (
    Rest(4),
    Exercise("air_squat", 5),
    Rest(16),
    Exercise("romanian_deadlift", 5),
    Rest(15),
    Exercise("air_squat", 4),
)
AWAY_S = 3.0


@dataclass
class Result:
    """The outcome of one sensor."""

    kind: SensorKind
    summary: SessionSummary | None = None
    identified: Identified | None = None
    cautions: list[str] = field(default_factory=list)
    lost: str = "0"
    drops: int = 0
    error: str = ""


def sets_of(summary: SessionSummary) -> str:
    """Return the sets in words."""
    return ", ".join(f"{len(one_set.repetitions)} {one_set.pattern}" for one_set in summary.sets)


async def train(
    radio: VirtualRadio, kind: SensorKind, sensor: VirtualSensor, away_at_s: float, ends_s: float
) -> Result:
    """Train with one sensor until the signal's end."""
    result, driver = Result(kind), Training(kind.driver(100.0))
    link = SensorLink(
        Radio(radio.scanner_backend, radio.client_backend), SensorChoice(sensor.address), recognise, HostClock()
    )
    lost: list[int | None] = []
    tasks: list[asyncio.Task[None]] = []

    async def go_away() -> None:
        sensor.out_of_range()
        await asyncio.sleep(AWAY_S)
        sensor.in_range()

    async for message in link.messages():
        if isinstance(message, LinkNotice):
            result.drops += message.state is LinkState.LOST
            continue
        taken = driver.take(message)
        link.ask(taken.actions)
        for notice in taken.notices:
            match notice:
                case Identified():
                    result.identified = result.identified or notice
                case Caution(sentence):
                    result.cautions.append(sentence)
                case SamplesLost(samples):
                    lost.append(samples)
        if not tasks and driver.now_s >= away_at_s:
            tasks.append(asyncio.create_task(go_away()))
        if len(tasks) == 1 and driver.now_s >= ends_s:
            tasks.append(asyncio.create_task(link.close(driver.stop())))
    await asyncio.gather(*tasks)
    result.summary = driver.finish()[1]
    result.lost = "number unknown" if None in lost else str(sum(one or 0 for one in lost))
    return result


async def all_sensors(signal: ImuBlock, away_at_s: float) -> list[Result]:
    """Train with all sensors at once, each with a radio to itself."""

    async def one(kind: SensorKind) -> Result:
        async with VirtualRadio() as radio:
            sensor = await radio.add_sensor(TWINS[kind.name](signal, 1))
            ends_s = float(signal.device_time_s[-1])
            async with asyncio.timeout(ends_s + 120):
                return await train(radio, kind, sensor, away_at_s, ends_s)

    async with asyncio.TaskGroup() as together:
        tasks = [together.create_task(one(kind)) for kind in KINDS if kind.name in TWINS]
    return [task.result() for task in tasks]


def main() -> int:
    """Print the table; return 1 if a sensor's sets are not those of the plain signal."""
    simulated = simulate(PLAN, Lifter(), Sensor.ideal(sampling_rate_hz=200), 4)
    first, second, _ = simulated.truth.sets
    away_at_s = (first.reps[-1].end_s + second.reps[0].start_s) / 2 - AWAY_S
    session = Session()
    session.push(simulated.block)
    plain = session.finish()[1]
    expected = sets_of(plain)
    results = asyncio.run(all_sensors(simulated.block, away_at_s))
    print(f"The plain signal: {expected}.\n")
    print("| sensor | over the virtual radio | rate | samples lost | difference in angle and drop | hardware |")
    print("|---|---|---|---|---|---|")
    wrong = 0
    for result in results:
        assert result.summary is not None
        found = sets_of(result.summary)
        wrong += found != expected or result.drops == 0
        verdict = "same sets" if found == expected else f"**{found}**"
        rate = "?" if result.identified is None else f"{result.identified.sampling_rate_hz:.0f} Hz"
        difference = "–"
        if found == expected:
            pairs = [
                (one, other)
                for ours, theirs in zip(result.summary.sets, plain.sets, strict=True)
                for one, other in zip(ours.repetitions, theirs.repetitions, strict=True)
            ]
            angle = np.sqrt(np.mean([np.degrees(a.trunk_angle_rad - b.trunk_angle_rad) ** 2 for a, b in pairs]))
            drop = np.sqrt(np.mean([(a.hip_drop_m - b.hip_drop_m) ** 2 for a, b in pairs]))
            difference = f"{angle:.1f}°, {100 * drop:.1f} cm RMS"
        print(f"| {result.kind.title} | {verdict} | {rate} | {result.lost} | {difference} | not tried |")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
