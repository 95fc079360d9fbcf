"""Make the pictures of the README: the live screen while the sample of air squats plays, and the page of a session.

Run: ``python tests/pictures/make.py`` (10 s; needs the extra ``test`` and Chromium). Both show simulated recordings.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from typer.testing import CliRunner

from imu.app.cli import app
from imu.app.terminal.app import LiveApp
from imu.bluetooth import LinkState
from imu.live.live_training import LiveTraining
from imu.live.live_view import Link
from imu.live.targets import Plan, Targets
from imu.recordings.recording import read_recording
from imu.session import RepetitionCounted, Session

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from builders import served  # noqa: E402  the tests' own

COUNT = 6
"""The picture is taken in the repetition after this one, at its lowest point."""
SIZE = (80, 22)


async def live_screen(path: Path) -> None:
    """Play a recording into the live screen, and save it as SVG in the middle of a repetition."""
    block = read_recording(ROOT / "recordings" / "simulated_air_squats.csv.gz").block
    plan = Plan((Targets("Air squat", repetitions=8, sets=3, rest_s=90.0, depth_m=0.35),))
    training, session, count = LiveTraining(plan=plan), Session(check_units=False), 0
    training.take(Link(LinkState.CONNECTED, "IMU trainer", 1, None))
    lowest_m = 0.0
    for start in range(0, len(block), 5):
        part = block[start : start + 5]
        for event in session.push(part):
            count += isinstance(event, RepetitionCounted)
            training.take(event)
        now_s, posture = float(part.device_time_s[-1]), session.posture
        training.tick(now_s, now_s, posture)
        drop_m = posture.hip_drop_m if posture is not None else 0.0
        if count == COUNT and lowest_m > 0.25 and drop_m < lowest_m:
            break
        lowest_m = drop_m if count == COUNT else 0.0
    screen = LiveApp(lambda command: None)
    async with screen.run_test(size=SIZE) as pilot:
        screen.show(training.view())
        await pilot.pause(0.5)
        svg = screen.export_screenshot(title="imu train")
    svg = re.sub(r"@font-face\s*{.*?}", "", svg, flags=re.DOTALL)  # loads nothing from the internet
    path.write_text(re.sub(r"terminal-\d+", "terminal", svg), encoding="utf-8")


def page(path: Path) -> None:
    """Save the page of a session as PNG."""
    with tempfile.TemporaryDirectory() as home:
        recording = str(ROOT / "recordings" / "simulated_mixed_session.csv.gz")
        saved = CliRunner().invoke(app, ["replay", "--save", recording], env={"IMU_HOME": home})
        if saved.exit_code:
            raise SystemExit(saved.output)
        with served(Path(home)) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": 900, "height": 780}, color_scheme="light")
            tab.goto(server.with_key("/session/1"))
            tab.wait_for_load_state("networkidle")
            tab.wait_for_timeout(1500)
            tab.screenshot(path=path)
            browser.close()


if __name__ == "__main__":
    asyncio.run(live_screen(HERE / "live.svg"))
    page(HERE / "page.png")
