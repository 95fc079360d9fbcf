"""From the sample that confirms a repetition to the digit on the page, in Chromium, with the virtual sensor at 100 Hz.

The page notes when its digit is drawn; the recording of the training holds when each packet came and what it held.
`confirmed_s` is placed before the arrival of its packet by the samples that follow it there.

Run: ``python tests/benchmarks/bench_digit.py [SECONDS]``. Aim: at most 100 ms in 95 % of the repetitions.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from builders import served
from playwright.sync_api import sync_playwright

from imu.recordings.training_reader import read_training
from imu.session import RepetitionCounted
from imu.training import Training

AIM_MS = 100.0
WATCH = """() => {
  window.drawn = [];
  const digit = document.querySelector('.count span');
  let last = digit.textContent;
  new MutationObserver(() => {
    if (digit.textContent === last) return;
    last = digit.textContent;
    requestAnimationFrame(() => drawn.push([last, Date.now() / 1000]));
  }).observe(digit, {childList: true, characterData: true, subtree: true});
}"""


def drawn_digits(home: Path, seconds: float) -> list[float]:
    """Train on the page; return when each new digit was drawn, s since 1970."""
    with served(home) as page_server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True).new_page()
        page.goto(f"http://127.0.0.1:{page_server.port}/train?key={page_server.key}")
        page.evaluate(WATCH)
        page.get_by_label("A virtual sensor").check()
        page.get_by_role("button", name="Start").click()
        page.wait_for_timeout(seconds * 1000)
        drawn = page.evaluate("drawn")
        browser.close()
    return [at_s for text, at_s in drawn if text.isdigit() and int(text) > 0]


def counted(recording: Path) -> list[tuple[float, float]]:
    """Return when each repetition was confirmed, and when its packet came, s since 1970."""
    log = read_training(recording)
    training = Training(log.driver())
    times = []
    for message in log.messages():
        for event in training.take(message).events:
            if isinstance(event, RepetitionCounted):
                came_s = message.received_ns * 1e-9
                times.append((came_s - (training.now_s - event.repetition.confirmed_s), came_s))
    return times


def main() -> int:
    """Print the delays; return 1 if they miss the aim."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 70.0
    with tempfile.TemporaryDirectory() as folder:
        drawn = drawn_digits(Path(folder), seconds)
        repetitions = counted(next(Path(folder).rglob("*.mcap")))
    delays = []
    for confirmed_s, came_s in repetitions:
        first = next((at_s for at_s in drawn if at_s > came_s), None)
        if first is not None and first - came_s < 1.0:
            delays.append((1000 * (first - confirmed_s), 1000 * (first - came_s)))
    whole, page = np.percentile(np.array(delays).T, [50, 95], axis=1).T
    print(f"{len(delays)} repetitions: from confirmed_s to the digit {whole[0]:.0f} ms, 95 % within {whole[1]:.0f} ms")
    print(f"from the arrival of the packet {page[0]:.0f} ms, 95 % within {page[1]:.0f} ms; aim: {AIM_MS:.0f} ms")
    return int(whole[1] > AIM_MS)


if __name__ == "__main__":
    sys.exit(main())
