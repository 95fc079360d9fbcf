"""A whole training on the live page in Chromium, in seconds: the sensor sends when the test says.

The page, its server, the training and its recording are the real ones. The link is a stand-in: it holds the messages of
a virtual sensor, worn by a simulated lifter who tires, and lets them through up to a time in the training.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sensors.radioless import carry

from imu.app.web import desk as desk_module
from imu.app.web import serving
from imu.app.web.desk import Desks
from imu.app.web.guard import KEY, OwnersDoor
from imu.bluetooth import LinkState
from imu.bluetooth.link import LinkNotice
from imu.bluetooth.scan import SeenSensor
from imu.phone.gate import listen
from imu.sensors.conversation import Action, Advertisement, Message
from imu.sensors.reference import REFERENCE
from imu.virtual.person import Exercise, Lifter, Manner, Rest, Sensor, SetTruth, simulate
from imu.virtual.vendor_twins import TWINS

sync_api = pytest.importorskip(
    "playwright.sync_api", reason='needs playwright: python -m pip install "imu-training[test]"'
)
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: sudo apt-get install chromium"),
]
LONG_MS = 120_000
SHOTS = os.environ.get("LIVE_PAGE_PICTURES")
"""A folder for pictures of each step, to look at."""


# --- a training that goes on when the test says -----------------------------------------------------------------------


@cache
def tired() -> tuple[tuple[Message, ...], tuple[SetTruth, ...]]:
    """The stream of a sensor while a lifter does two sets and tires in the first; and the truth of the sets."""
    tiring = Manner(slowing=0.9, top_pause_s=(0.6, 0.7))
    first = Exercise("air_squat", 8, hip_drop_m=0.45, eccentric_s=1.2, concentric_s=0.9, manner=tiring)
    second = Exercise("air_squat", 3, hip_drop_m=0.45, eccentric_s=1.2, concentric_s=0.9)
    simulated = simulate([Rest(4), first, Rest(30), second, Rest(20)], Lifter(), Sensor.ideal(), 1)
    twin = TWINS["reference"](simulated.block, 1)
    messages = carry(REFERENCE.driver(100.0), twin, float(simulated.block.device_time_s[-1])).messages
    return tuple(messages), simulated.truth.sets


HIP_7 = SeenSensor("Hip 7", "F0:00", -58, REFERENCE, Advertisement(), None)  # type: ignore[arg-type]


class HeldLink:
    """A link to a sensor whose messages wait until the test lets them through."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._waiting = list(messages)
        self._first_ns = self._waiting[0].received_ns
        self._began_ns = time.time_ns()
        self._through: asyncio.Queue[Message | LinkNotice | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    async def messages(self) -> AsyncIterator[Message | LinkNotice]:
        yield LinkNotice(LinkState.SEARCHING)
        while (one := await self._through.get()) is not None:
            yield one

    def ask(self, actions: Iterable[Action]) -> None:
        """The messages are what the sensor answered to the same driver."""

    async def close(self, stop_actions: Iterable[Action] = ()) -> None:
        self._through.put_nowait(None)

    def hear(self) -> None:
        self._let(LinkNotice(LinkState.SEARCHING, heard=(HIP_7,)))

    def connect(self) -> None:
        self._let(LinkNotice(LinkState.CONNECTED, HIP_7))

    def go_on(self, until_s: float) -> None:
        """Let messages through until a time of the training, s since its first message."""
        while self._waiting and self._waiting[0].received_ns - self._first_ns <= until_s * 1e9:
            one = self._waiting.pop(0)
            self._let(replace(one, received_ns=self._began_ns + one.received_ns - self._first_ns))

    def _let(self, one: Message | LinkNotice) -> None:
        self._loop.call_soon_threadsafe(self._through.put_nowait, one)


class Gym:
    """The page's server in a thread of this process."""

    def __init__(self, port: int, key: str) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.key = key
        self.link: HeldLink | None = None

    def linked(self) -> HeldLink:
        end_s = time.monotonic() + 20
        while self.link is None and time.monotonic() < end_s:
            time.sleep(0.01)
        assert self.link is not None
        return self.link


@contextmanager
def gym_at(home: Path, patch: pytest.MonkeyPatch) -> Iterator[Gym]:
    from imu.app.web.site import site

    patch.setenv("IMU_HOME", str(home))
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    door = OwnersDoor(port)
    gym = Gym(port, door.key)

    @asynccontextmanager
    async def link_for(*_: object) -> AsyncIterator[HeldLink]:
        gym.link = HeldLink(tired()[0])
        yield gym.link

    patch.setattr(desk_module, "link_for", link_for)
    stop = threading.Event()

    async def serve() -> None:
        desks = Desks("test")
        async with serving(site(desks, door), listening):
            while not stop.is_set():
                await asyncio.sleep(0.02)
            await desks.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield gym
    finally:
        stop.set()
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield one
        one.close()


LISTEN = """
window.said = [];
Object.defineProperty(window, "speechSynthesis", {value: {cancel() {}, speak(one) { window.said.push(one.text); }}});
"""
STILL = """() => document.getAnimations().every(
  (one) => one.playState !== "running" || one.effect.getTiming().iterations === Infinity)"""
INK = """() => {
  const style = getComputedStyle(document.querySelector(".count span"));
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  return pen.measureText("8").actualBoundingBoxAscent / innerHeight;
}"""
"""The height of the count's digit as a share of the window's."""


class Watched:
    """A page, with what a test asks of it at every step."""

    def __init__(self, page: Any, name: str) -> None:
        self.page, self.name, self.steps = page, name, 0

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def count(self, count: int) -> None:
        # On a busy computer a provisional rest may have begun: the count stands there too.
        self.wait(f"document.querySelector('.live:not([data-resting]) .count span')?.textContent.trim() === '{count}'")

    def look(self, step: str) -> None:
        """Nothing is cut off or needs scrolling, in both colours; axe finds no serious fault."""
        self.steps += 1
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            # theme.js hears of the change at the next frame only.
            self.wait(f"document.documentElement.dataset.theme === '{scheme}'")
            self.wait(STILL)
            if SHOTS is not None:
                self.page.screenshot(path=str(Path(SHOTS) / f"{self.name}-{self.steps:02}-{step}-{scheme}.png"))
            found = axe.Axe().run(self.page).response["violations"]
            serious = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found
                       if one["impact"] in ("serious", "critical")]  # fmt: skip
            assert serious == [], (step, scheme)
        assert self.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), step


LINE_OF_A_NAMED_PERSON = """() => {
  const line = document.querySelector(".status");
  const name = line.querySelector(".to-wall"), today = line.querySelector(".today");
  name.hidden = false;
  name.firstElementChild.textContent = "Maximiliane-Alexandra of the second floor";
  const whole = line.scrollWidth <= line.clientWidth && today.scrollWidth <= today.clientWidth;
  name.hidden = true;
  return whole && today.textContent.includes("3 squats : 0 hinges");
}"""


@pytest.fixture
def gym(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gym]:
    with gym_at(tmp_path, monkeypatch) as one:
        yield one


@contextmanager
def watched(browser: Any, gym: Gym, width: int, height: int) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True)
    context.set_default_timeout(LONG_MS)
    context.add_init_script(LISTEN)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.goto(f"{gym.root}/train?{KEY}={gym.key}")
    try:
        yield Watched(page, f"{width}x{height}")
    finally:
        context.close()
    assert wrong == []


SIZES = [(1280, 800, 0.45), (844, 390, 0.45), (390, 844, 0.30)]


@pytest.mark.parametrize(("width", "height", "least"), SIZES, ids=["desktop", "lying phone", "phone"])
def test_a_training_with_targets(browser: Any, gym: Gym, width: int, height: int, least: float) -> None:
    sets = tired()[1]
    ends_s = [[one.end_s for one in each.reps] for each in sets]
    with watched(browser, gym, width, height) as at:
        page, form = at.page, at.page.locator("#begin")
        for name, value in (
            ("Exercise", "Back squat"),
            ("Load, kg", "225 lb"),
            ("Reps", "8"),
            ("Sets", "2"),
            ("Rest, s", "20"),
        ):
            form.get_by_label(name, exact=True).fill(value)
        form.get_by_text("Targets of a repetition").click()
        form.get_by_label("Depth, cm").fill("40")
        form.get_by_label("Stop at a loss of, %").fill("30")
        at.look("set-up")
        page.get_by_label("A virtual sensor").check()
        page.get_by_role("button", name="Start").click()
        page.get_by_text("Looking for the sensor").wait_for()  # before there is one
        link = gym.linked()
        link.hear()
        page.locator("[data-b=sub]", has_text="Heard: Hip 7, signal good.").wait_for()
        at.look("searching")
        link.connect()
        link.go_on(3.0)
        page.get_by_text("Stand still a second, then begin.").wait_for()

        for number in (1, 2, 3):
            link.go_on(ends_s[0][number - 1] + 0.9)
            at.count(number)
        assert page.evaluate(INK) >= least
        assert page.locator("[data-b=clock]").inner_text().startswith("Back squat 225 lb, set 1 of 2, rep 3 of 8")
        assert (page.locator(".bars li").count(), page.locator(".bars li.planned").count()) == (8, 5)
        assert page.locator(".gauge.main .target b").inner_text() == "40 cm"
        names = page.locator(".gauge-name").filter(visible=True)
        assert names.all_inner_texts() == ["Depth", "Trunk"]
        assert page.evaluate(LINE_OF_A_NAMED_PERSON), "the line at the top is whole"
        at.look("third")
        page.keyboard.press("+")
        page.locator(".count span", has_text="4").wait_for(state="attached")
        page.locator("[data-b=clock]", has_text="rep 4 of 8").wait_for()
        page.get_by_role("button", name="Undo").click()
        page.locator(".count span", has_text="3").wait_for(state="attached")
        link.go_on(ends_s[0][5] + 0.9)
        at.count(6)
        page.locator(".live[data-look=red] .signal[data-colour=red]", has_text="stop").wait_for()  # framed in red
        at.look("stop")
        link.go_on(ends_s[0][7] + 0.6)
        at.count(8)
        page.evaluate("window.before = document.querySelector('.controls').getBoundingClientRect().top")
        link.go_on(ends_s[0][7] + 2.0)
        page.locator("[data-phase=rest]").wait_for()  # provisional: the count stays
        assert page.locator(".count span").inner_text().strip() == "8"
        assert " · rest " in page.locator("[data-b=clock]").inner_text()
        assert "Try: end the set at the stop: 2 reps came after it." in page.locator("[data-b=cue]").inner_text()
        at.look("summary")
        link.go_on(ends_s[0][7] + 6.0)
        page.locator("[data-resting]").wait_for()
        assert (
            page.evaluate("Math.abs(document.querySelector('.controls').getBoundingClientRect().top - window.before)")
            < 1
        )
        at.look("rest")
        page.keyboard.press("s")
        assert page.locator("#rest option:checked").inner_text() == "0:20"  # a rest that the list does not offer
        page.get_by_role("button", name="Close").click()
        page.keyboard.press("u")
        page.wait_for_function("window.said.at(-1) === 'back to 7'")
        page.keyboard.press("+")  # it was one after all
        page.locator(".sub", has_text="8 by your count; measured: 7 squats, 7 on target").wait_for()
        link.go_on(ends_s[0][7] + 22.0)
        page.locator("[data-over]").wait_for()
        page.locator(".signal[data-colour=green]", has_text="rest over").wait_for()
        at.look("rest over")
        link.go_on(ends_s[1][0] + 0.9)
        at.count(1)
        assert "rep 1 of 8" in page.locator("[data-b=clock]").inner_text()
        link.go_on(ends_s[1][2] + 6.0)
        page.locator("[data-resting]").wait_for()
        said = page.evaluate("window.said")
        assert [one for one in said if "speed is lost" in one] != []
        assert "rest is over" in said
        page.get_by_role("button", name="Finish").click()
        at.look("finish")
        page.get_by_role("button", name="Finish and save").click()
        page.get_by_text("Session 1 is saved").wait_for()
        for words in (
            "11 squats : 0 hinges",
            "Set 1: 8 squats",
            "Set 2: 3 squats",
            "Back squat: 2\u202f475 lb lifted",
            "Good (",
            "Try (",
        ):
            page.locator("#trained", has_text=words).wait_for()
        page.get_by_role("button", name="One too many in set 2").click()
        page.locator("#trained", has_text="Set 2: 2 squats").wait_for()
        page.locator("#trained", has_text="Back squat: 2\u202f250 lb lifted").wait_for()
        at.look("saved")
        if width == SIZES[0][0]:  # again, with the same plan
            page.get_by_role("button", name="Start").click()
            page.locator(".before", has_text="Last time 8 × 225 lb, best 0.").wait_for()
            at.look("last time")
            page.get_by_text("Looking for the sensor").wait_for()
            gym.linked().connect()
            gym.linked().go_on(2.0)  # nothing was done
            page.get_by_text("Stand still a second, then begin.").wait_for()
            page.get_by_role("button", name="Finish").click()
            page.get_by_role("button", name="Finish and save").click()
            page.locator("#trained", has_text="0 squats : 0 hinges · 0 sets").wait_for()
            assert page.get_by_text("One tap corrects it").is_hidden()
            page.goto(f"{gym.root}/train")
            page.get_by_role("button", name="Fill in the last one").click()
            assert form.get_by_label("Load, lb").input_value() == "225"
            page.goto(f"{gym.root}/session/1")
        else:
            page.get_by_role("link", name="See and correct it").click()
        page.locator("[data-total]", has_text="10 squats : 0 hinges").wait_for(state="attached")
