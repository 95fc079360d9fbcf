"""The page: time and bytes to open it with 1,000 stored sessions, updates of a live page, cost of the session core.

Sessions are made by the simulator and saved through the real store, over four years. Each page is opened in Chromium
with an empty cache, then with the program's scripts cached. The live page is fed by a virtual sensor at 100 Hz in the
same process; its radio is not part of the session core, so the core is timed by itself: taking messages, counting,
updating pages.

Run: ``python tests/benchmarks/bench_web.py``.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from builders import served
from playwright.sync_api import sync_playwright

from imu.app.web.desk import TrainingDesk
from imu.live.memory import Wish
from imu.session import Session
from imu.store import SessionStore
from imu.virtual.person import random_session, simulate

SESSIONS, DIFFERENT, RUNS = 1000, 25, 5
AIMS_S = {"/": 1.0, "/sessions": 1.0, "/trends": 2.0, "/trends?weeks=520": 2.0}
LIVE_S = 20.0
AIM_UPDATES, AIM_SHARE = 20.0, 0.05
READY = {"/": "h1", "/sessions": ".rows .row"}
AIM_BYTES = 1.5e6
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def fill(home: Path) -> None:
    """Save 1,000 sessions, two in three days."""
    summaries = []
    for seed in range(DIFFERENT):
        session = Session()
        session.push(simulate(*random_session(seed, short=True), seed).block)
        summaries.append(session.finish()[1])
    now = datetime.now(UTC)
    with SessionStore.open(home / "sessions.db") as store:
        for number in range(SESSIONS):
            at = now - timedelta(days=1.5 * (SESSIONS - number))
            digest = hashlib.sha256(str(number).encode()).hexdigest()
            summary = summaries[number % DIFFERENT]
            store.save(summary, f"{number}.mcap", digest, saved_at=at, software_version="bench", started_at=at)


def opening(home: Path) -> dict[str, tuple[float, float, float]]:
    """Return for each page the time and the bytes of the first visit, and the median time of the next visits."""
    took = {}
    with served(home) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for path in AIMS_S:
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.goto(server.with_key("/no"))
            loaded: list[float] = []
            tools = page.context.new_cdp_session(page)
            tools.send("Network.enable")
            tools.on("Network.loadingFinished", lambda done, loaded=loaded: loaded.append(done["encodedDataLength"]))
            first_s = _open(page, server.root, path)
            first_bytes = sum(loaded)
            took[path] = first_s, first_bytes, median(_open(page, server.root, path) for _ in range(RUNS))
            page.context.close()
        browser.close()
    return took


def _open(page: Any, root: str, path: str) -> float:
    start = perf_counter()
    page.goto(root + path, wait_until="commit")
    if path in READY:
        page.locator(READY[path]).first.wait_for()
    else:
        page.locator("[data-charts=drawn]").wait_for(state="attached")
    return perf_counter() - start


async def live(home: Path) -> tuple[float, float]:
    """Return the updates a second that a page gets, and the share of a core that the session core takes."""
    os.environ["IMU_HOME"] = str(home)
    desk = TrainingDesk("bench")
    desk.begin(Wish("virtual", 60.0))
    while desk._run is None or desk._run._training is None:
        await asyncio.sleep(0.05)
    spent = _timed(desk)
    updates, until = 0, perf_counter() + LIVE_S
    with desk.watching() as watcher:
        while (left := until - perf_counter()) > 0:
            try:
                await asyncio.wait_for(watcher.news(), left)
                updates += 1
            except TimeoutError:
                break
    core_s = spent[0]
    await desk.close()
    return updates / LIVE_S, core_s / LIVE_S


def _timed(desk: TrainingDesk) -> list[float]:
    """Add up the time of this thread that taking messages and looking at the training take."""
    spent, deep = [0.0], [0]

    def timed(work: Any) -> Any:
        def run(*arguments: Any) -> Any:
            start, deep[0] = thread_time(), deep[0] + 1
            try:
                return work(*arguments)
            finally:
                deep[0] -= 1
                if not deep[0]:
                    spent[0] += thread_time() - start

        return run

    run: Any = desk._run
    run._take = timed(run._take)
    desk._look = timed(desk._look)  # type: ignore[method-assign]
    return spent


def main() -> int:
    """Print the figures; return 1 if one misses its aim."""
    if CHROMIUM is None:
        print("needs Chromium: sudo apt-get install chromium")
        return 1
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fill(home)
        for path, (first_s, first_bytes, usual_s) in opening(home).items():
            missed |= usual_s > AIMS_S[path] or first_bytes > AIM_BYTES
            print(
                f"{SESSIONS} sessions, {path:18} {usual_s:.2f} s (at the first visit {first_s:.2f} s and "
                f"{first_bytes / 1e3:.0f} kB); aim: less than {AIMS_S[path]:.0f} s and {AIM_BYTES / 1e3:.0f} kB"
            )
        a_second, share = asyncio.run(live(home))
    missed |= a_second < AIM_UPDATES or share > AIM_SHARE
    print(
        f"live page at 100 Hz: {a_second:.1f} updates a second, session core {100 * share:.1f} % of one core; "
        f"aim: {AIM_UPDATES:.0f} or more, less than {100 * AIM_SHARE:.0f} %"
    )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
