"""Eight people at once: eight virtual sensors at 100 Hz in this process, each with a person, and a wall that shows all.

The virtual sensors and their radios run in the same process and need more than the trainings do; so the trainings are
timed by themselves: taking messages, counting, recording, and looking at the trainings for the wall.

Run: ``python tests/benchmarks/bench_people.py [PEOPLE] [SECONDS]``.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Any

from imu.app.web.desk import Desks, TrainingDesk
from imu.live.memory import Wish
from imu.recordings.recording import open_recording
from imu.store.home import add_person, as_person, recordings_folder

AIM_UPDATES, AIM_SHARE = 10.0, 0.25


def time_of(desk: TrainingDesk, spent: list[float]) -> None:
    """Add up the time of this thread that a training takes."""

    def timed(work: Any) -> Any:
        def run(*arguments: Any) -> Any:
            start_s = thread_time()
            spent[1] += 1
            try:
                return work(*arguments)
            finally:
                spent[1] -= 1
                if not spent[1]:
                    spent[0] += thread_time() - start_s

        return run

    run: Any = desk._run
    run._take = timed(run._take)
    desk._look = timed(desk._look)  # type: ignore[method-assign]


async def measure(people: int, seconds: float) -> bool:
    """Train, print the figures; return whether an aim is missed."""
    desks = Desks("bench")
    names = [add_person(f"Person {number + 1}") for number in range(people)]
    for name in names:
        desks.begin(name, Wish("virtual", duration_s=180.0))
    while not all(one._run is not None and one._run._training is not None for one in desks):
        await asyncio.sleep(0.1)
    spent = [0.0, 0.0]
    for desk in desks:
        time_of(desk, spent)
    updates = dict.fromkeys(names, 0)
    began_s, began_cpu_s = perf_counter(), process_time()
    with desks.watching() as wall:
        while perf_counter() - began_s < seconds:
            news = await wall.news()
            for name in {key.rsplit("/", 1)[0] for key in news.get("board", {})}:
                updates[name] += 1
    lasted_s, cpu = perf_counter() - began_s, (process_time() - began_cpu_s)
    await desks.close()
    lost, samples = 0.0, 0
    for desk in desks:
        with as_person(desk.whose):
            (recording,) = recordings_folder().glob("*.mcap")
            opened = open_recording(recording)
            blocks = list(opened.blocks())
        if desk.trained is None:
            raise SystemExit(f"{desk.name}: {desk.trouble}")
        gaps = desk.trained.summary.gaps
        lost += sum(gap.end_s - gap.start_s for gap in gaps)
        samples += desk.trained.summary.samples
        if sum(len(block.device_time_s) for block in blocks) != desk.trained.summary.samples:
            raise SystemExit(f"{desk.name}: the recording has other samples than the training")
    fewest, share = min(updates.values()) / lasted_s, spent[0] / lasted_s
    print(
        f"{people} people at 100 Hz for {lasted_s:.0f} s: {samples} samples, {lost:.2f} s of them missing (aim: 0); "
        f"{fewest:.1f} updates a second of each card at least (aim: {AIM_UPDATES:.0f}); "
        f"trainings {100 * share:.1f} % of one core (aim: {100 * AIM_SHARE:.0f} %); "
        f"the whole process with its virtual sensors {100 * cpu / lasted_s:.0f} %"
    )
    return lost > 0 or fewest < AIM_UPDATES or share > AIM_SHARE


def main() -> int:
    """Print the figures; return 1 if one misses its aim."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IMU_HOME"] = str(Path(folder))
        return int(asyncio.run(measure(people, seconds)))


if __name__ == "__main__":
    sys.exit(main())
