"""From `pip install` to a saved demo on the page, as a new user would do it: the seconds of each step.

``python tests/benchmarks/first_visit.py SOURCE FOLDER``: SOURCE is this repository or a wheel; FOLDER is replaced.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PATIENCE_MS = 300_000


class Watch:
    """Prints how long each step took, and how long all of them so far."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()

    def step(self, name: str) -> None:
        """Print a line."""
        now = time.monotonic()
        print(f"{name:50} {now - self._last:6.1f} s {now - self._began:6.1f} s", flush=True)
        self._last = now


def click_through(page: Page, address: str, watch: Watch) -> None:
    """Do the demo and save it."""
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.get_by_role("link", name="Try a demo").click()
    counted = "Number(document.querySelector('[data-phase=set] .count span')?.textContent) >= "
    page.wait_for_function(f"{counted} 1")
    watch.step("click Try a demo: the first repetition counts")
    page.wait_for_function(f"{counted} 4")
    watch.step("four repetitions")
    page.get_by_role("button", name="Finish").click()
    page.get_by_role("button", name="Finish and save").click()
    page.get_by_role("link", name="See and correct it").click()
    page.locator(".rep").nth(3).wait_for()
    watch.step("Finish and save, See and correct it")


def main(source: str, folder: Path) -> None:
    """Install, start the page, and click."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    watch = Watch()
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    watch.step("python -m venv venv")
    subprocess.run([folder / "venv/bin/pip", "install", "-q", f"{source}[web]"], check=True)
    watch.step('pip install "imu-training[web]"')
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"IMU_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1"}
    command = [folder / "venv/bin/imu", "web", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=folder) as server:
        try:
            said = ""
            while server.stdout is not None and "key=" not in said:
                said += server.stdout.readline()
            found = re.search(r"http\S+key=\w+", said)
            watch.step("imu web prints its address")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                # Playwright waits with eval, which the page's policy forbids.
                click_through(browser.new_context(bypass_csp=True).new_page(), found[0] if found else "", watch)
        finally:
            server.terminate()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
