"""The page in a real browser: train with the virtual sensor, look back, correct, export, import; two pages at once, a
killed program, and what axe-core finds."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import IMU, Served, served, table_of_a_watch, teach

from imu.live.memory import remember_plan
from imu.live.schedule import Schedule, keep_schedule
from imu.live.targets import Plan, Targets
from imu.motion.pattern import Pattern
from imu.store import SessionStore, SplitSet

sync_api = pytest.importorskip(
    "playwright.sync_api", reason='needs playwright: python -m pip install "imu-training[test]"'
)
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.process,
    pytest.mark.skipif(
        CHROMIUM is None, reason="needs Chromium: sudo apt-get install chromium, or Chrome from its own site"
    ),
]
RECORDINGS = Path(__file__).parents[1] / "recordings"
DESKTOP = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light", "reduced_motion": "reduce"}
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}
BROWSER_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-renderer-backgrounding"]
"""Chromium lowers the priority of pages that are not in front; on a busy computer they would hardly run."""
LONG_MS = 120_000
STILL = """() => document.getAnimations().every(
  (one) => one.playState !== "running" || one.effect.getTiming().iterations === Infinity)"""
LISTEN = """
window.said = []; window.beeps = 0;
const voice = {cancel() {}, speak(words) { window.said.push(words.text); }};
Object.defineProperty(window, "speechSynthesis", {value: voice});
window.AudioContext = class {
  constructor() { this.currentTime = 0; this.destination = {}; }
  resume() {}
  createOscillator() { window.beeps += 1; return {frequency: {}, connect: (to) => to, start() {}, stop() {}}; }
  createGain() { return {gain: {}, connect: (to) => to}; }
};
"""
"""Writes down what would be heard."""
LABELS = """
window.labels = [];
const draw = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, ...rest) {
  window.labels.push([text, x + this.measureText(text).width / 2 <= this.canvas.width]);
  return draw.call(this, text, x, ...rest);
};
"""
"""Writes down what charts say, and whether it ends inside them."""
OTHER_ON_ENTER = """
[...document.forms].map((form) => form.querySelector("button:not([type=button])"))
  .filter((first) => first?.hasAttribute("formaction")).map((first) => first.textContent)
"""
"""Buttons that Enter presses in a field although they do something else than save the form."""
SIDEWAYS = """() => {
  for (const one of document.querySelectorAll("details")) one.open = true;
  const scrolls = (one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
  const wide = [...document.querySelectorAll("*")].filter((one) => one.scrollWidth > one.clientWidth + 1);
  return wide.filter(scrolls).map((one) => `${one.className} ${one.scrollWidth} > ${one.clientWidth}`);
}"""
"""Finds what has to be scrolled sideways."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        yield one
        one.close()


@contextmanager
def opened(browser: Any, page_of: Served, path: str, options: dict[str, Any], *, strict: bool = False) -> Iterator[Any]:
    """A page in a browser of its own; nothing may leave this computer, and nothing may go wrong in it.

    Playwright waits for conditions with ``eval``, which the page's policy forbids: `strict` keeps the policy.
    """
    context = browser.new_context(accept_downloads=True, bypass_csp=not strict, **options)
    context.set_default_timeout(LONG_MS)
    context.add_init_script(LISTEN)
    page = context.new_page()
    wrong: list[str] = []

    def look(request: Any) -> None:
        if not re.match(rf"(https?|wss?)://127\.0\.0\.1:{page_of.port}/|data:|blob:", request.url):
            wrong.append(f"left this computer: {request.url}")

    context.on("request", look)
    page.on("websocket", look)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)

    page.goto(page_of.with_key(path))
    try:
        yield page
    finally:
        context.close()
    # The server may have been ended; a missing session and refused changes are asked for on purpose.
    expected = ("ERR_CONNECTION_REFUSED", "status of 404", "status of 409")
    assert [one for one in wrong if not any(part in one for part in expected)] == []


def start_virtual(page: Any) -> None:
    page.get_by_label("A virtual sensor").check()
    page.get_by_role("button", name="Start").click()


def assert_open_to_all(page: Any) -> None:
    """No serious fault that axe-core finds, once everything has faded in."""
    page.wait_for_function(STILL)
    found = axe.Axe().run(page).response["violations"]
    serious = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found
               if one["impact"] in ("serious", "critical")]  # fmt: skip
    assert serious == []


def fits(page: Any) -> bool:
    return bool(page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"))


def stored(home: Path) -> list[Any]:
    with SessionStore.open(home / "sessions.db") as store:
        return [store.load(one.id) for one in store.list()]


@pytest.fixture(scope="module")
def under_way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Served]]:
    """Two trainings that go on while the first test runs: a simulated person takes as long as a real one."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                served(tmp_path_factory.mktemp(name), "--web", "--sensor", "virtual", command="train")
            )
            for name in ("ended", "killed")
        }


@pytest.mark.usefixtures("under_way")
def test_the_whole_path_at_both_sizes(browser: Any, tmp_path: Path) -> None:
    """On a phone-sized page; a large one beside it agrees all the time."""
    with (
        served(tmp_path) as server,
        opened(browser, server, "/train", PHONE) as page,
        opened(browser, server, "/train", DESKTOP) as beside,
    ):
        start_virtual(page)
        for one in (page, beside):  # the person goes on meanwhile, on a busy computer beyond the third
            one.wait_for_function("Number(document.querySelector('[data-phase=set] .count span')?.textContent) >= 3")
            one.locator(".word", has_text="SQUAT").wait_for()
            one.locator(".sub", has_text=re.compile(r"\d+ % sure")).wait_for(state="attached")
            assert set(one.locator(".figures dt").all_inner_texts()) == {"Depth", "Trunk", "Tempo, s", "Mean speed up"}
            one.locator(".today", has_text=re.compile(r"\d squats : \d+ hinges")).wait_for()
            one.locator(".status", has_text="connected").wait_for()
        beside.keyboard.press("u")
        for one in (page, beside):
            one.wait_for_function("window.said.some((said) => said.startsWith('back to'))")
            counts = [said.split(".")[0] for said in one.evaluate("window.said") if re.match(r"\d|back to", said)]
            last = next(index for index, said in enumerate(counts) if said.startswith("back to"))
            assert counts[: last + 1] == ["1, squat", *map(str, range(2, last + 1)), f"back to {last - 1}"]
        page.get_by_role("button", name="End set").click()
        for one in (page, beside):
            one.locator("[data-phase=rest]").wait_for()
            assert fits(one)
            assert_open_to_all(one)
            one.get_by_role("button", name="Sets").click()
            one.get_by_label("Exercise of set 1").wait_for()
            assert_open_to_all(one)
        page.get_by_label("Exercise of set 1").fill("Goblet squat")
        page.get_by_label("Load of set 1").fill("24")
        page.get_by_label("Load of set 1").press("Tab")
        beside.wait_for_function("document.querySelector('#sets-list input[name=load]').value === '24 kg'")
        for one in (page, beside):
            one.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="Finish").click()
        page.get_by_role("button", name="Finish and save").click()
        for one in (page, beside):
            one.get_by_text("Session 1 is saved").wait_for()
            assert_open_to_all(one)
            one.get_by_role("link", name="See and correct it").click()
            one.locator(".rep svg.curve polyline").first.wait_for(state="attached")
            assert one.locator(".set h3").first.inner_text() == "Set 1 · Goblet squat · 24 kg"
        (before,) = stored(tmp_path)
        reps = sum(len(one_set.repetitions) for one_set in before.corrected.sets)
        assert page.locator(".rep").count() == reps >= 2
        squats, hinges = (before.corrected.count(pattern) for pattern in (Pattern.SQUAT, Pattern.HINGE))
        corrected = f"{'1 squat' if squats == 2 else f'{squats - 1} squats'} : {hinges + 1} hinge{'s' * bool(hinges)}"
        _correct(page, reps, corrected)
        _export(page, reps)
        for one in (page, beside):
            one.reload()
            total(one, corrected)
        assert fits(page)


def total(page: Any, counted: str) -> None:
    page.locator("[data-total]", has_text=counted).wait_for(state="attached")


def _correct(page: Any, reps: int, corrected: str) -> None:
    """Change a pattern, delete and take that back: totals follow."""
    page.locator("[data-rep='1/1']").click()
    page.get_by_role("dialog").get_by_label("hinge").check()
    page.get_by_role("button", name="Save").click()
    total(page, corrected)
    page.locator("[data-rep='1/1']", has_text="measured as squat").wait_for()
    page.locator("[data-rep='1/2']").click()
    page.get_by_role("button", name="This was no repetition").click()
    page.wait_for_function(f"document.querySelectorAll('.rep').length === {reps - 1}")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function(f"document.querySelectorAll('.rep').length === {reps}")


def _export(page: Any, reps: int) -> None:
    page.get_by_text("Export or delete").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == reps
    assert rows[0]["pattern"] == "hinge"


def test_a_page_that_comes_back_shows_the_set_and_ctrl_c_keeps_it(browser: Any, under_way: dict[str, Served]) -> None:
    server = under_way["ended"]
    with opened(browser, server, "/train", DESKTOP) as page:
        page.locator("#live").wait_for()
        page.wait_for_function("/[1-9]/.test(document.querySelector('.today')?.innerText)")
        page.goto("about:blank")  # no page at all is open now
        page.goto(f"{server.root}/train")
        page.wait_for_function("/[1-9]/.test(document.querySelector('.today')?.innerText)")
        page.get_by_role("button", name="Pause").click()
        page.locator(".word", has_text="PAUSED").wait_for()
        page.keyboard.press("p")
        page.locator(".word", has_text="PAUSED").wait_for(state="hidden")
        if page.locator("[data-phase=set]").count():
            page.keyboard.press("e")
        page.locator("[data-phase=rest]").wait_for()
        ask = "(text) => { const s = new WebSocket(`ws://${location.host}/live`); s.onopen = () => s.send(text); }"
        page.evaluate(ask, json.dumps({"do": "rest", "rest_s": 1}))
        page.get_by_text("REST IS OVER").first.wait_for()
        page.wait_for_function("window.beeps === 3")
        assert page.evaluate("window.said").count("rest is over") == 1
        said = server.end(signal.SIGINT)
        page.goto("about:blank")
    assert server.process.returncode == 0
    assert "Session 1 is saved" in said
    (kept,) = stored(server.home)
    assert kept.corrected.sets


def test_killed_mid_set_the_recording_is_there_and_can_be_kept(browser: Any, under_way: dict[str, Served]) -> None:
    server = under_way["killed"]
    with opened(browser, server, "/train", DESKTOP) as page:
        page.wait_for_function("/([2-9]|1\\d) squats/.test(document.querySelector('.today')?.innerText)")
        time.sleep(1.0)  # what was confirmed a second ago is on the disk
        server.process.kill()
        page.get_by_text("No connection to the program").wait_for()
        page.goto("about:blank")
    (recording,) = (server.home / "recordings").glob("*.mcap")
    os.utime(recording, (time.time() - 60, time.time() - 60))  # it grew long ago
    with served(server.home) as again, opened(browser, again, "/", DESKTOP) as page:
        assert "was interrupted" in page.locator(".banner").inner_text()
        assert_open_to_all(page)
        page.get_by_role("button", name="Save it").click()
        page.wait_for_url("**/session/1")
        page.locator(".rep").nth(1).wait_for()
        page.goto(f"{again.root}/")
        page.get_by_role("heading", name="Last training").wait_for()
        assert page.locator(".banner").count() == 0


@pytest.fixture(scope="module")
def looking_back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the sample recordings kept: the first one of 100 days ago, and the second one with a load."""
    home = tmp_path_factory.mktemp("kept")
    environment = os.environ | {"IMU_HOME": str(home)}
    day = f"{date.today() - timedelta(days=100)}"
    for arguments in (
        ["replay", str(RECORDINGS / "simulated_air_squats.csv.gz"), "--save", "--date", day],
        ["replay", str(RECORDINGS), "--save"],
        ["correct", "3", "--exercise", "1", "deadlift", "--load", "1", "100"],
    ):
        subprocess.run([*IMU, *arguments], env=environment, check=True, capture_output=True)
    with served(home) as server:
        yield server


@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_fits_and_is_open_to_all(browser: Any, looking_back: Served, options: Any) -> None:
    with opened(browser, looking_back, "/", options) as page:
        for path in ("/", "/sessions", "/session/6", "/exercises", "/trends", "/compare", "/learning", "/train", "/no"):
            page.goto(f"{looking_back.root}{path}")
            page.locator("h1").first.wait_for()
            if path in ("/session/6", "/trends"):
                page.locator("[data-charts=drawn]").wait_for()
            assert fits(page), path
            assert page.evaluate(SIDEWAYS) == [], path
            assert page.evaluate(OTHER_ON_ENTER) == [], path
            assert_open_to_all(page)


def test_charts_name_days_with_a_value_whole_and_none_in_the_future(browser: Any, looking_back: Served) -> None:
    with opened(browser, looking_back, "/learning", PHONE) as page:
        page.context.add_init_script(LABELS)
        named: dict[str, set[str]] = {}
        for path in ("/trends", "/exercise?name=deadlift"):
            page.goto(f"{looking_back.root}{path}")
            page.locator("[data-charts=drawn]").wait_for()
            labels = [(text, whole) for text, whole in page.evaluate("window.labels") if text[-1].isalpha()]
            assert all(whole for _, whole in labels)
            named[path] = {text for text, _ in labels}
    today = date.today()
    assert named["/exercise?name=deadlift"] == {f"{today.day} {today:%b}"}
    mondays = [today - timedelta(days=today.weekday() + 7 * back) for back in range(16)]
    assert f"{mondays[0].day} {mondays[0]:%b}" in named["/trends"] <= {f"{day.day} {day:%b}" for day in mondays}


def test_home_says_which_plan_is_due_and_one_click_fills_it_in(
    browser: Any, looking_back: Served, tmp_path: Path
) -> None:
    coach = tmp_path / "coach.toml"
    coach.write_text(
        'days = ["Mon"]\n[[plan]]\nname = "Heavy"\n[[plan.exercise]]\nname = "front squat"\nsets = 4\nreps = 5\n'
    )
    with opened(browser, looking_back, "/", PHONE) as page:
        page.get_by_label("Schedule").select_option("strength-a-b")
        page.get_by_role("heading", name="Next: A: heavy squat").wait_for()
        assert_open_to_all(page)
        page.get_by_text("Strength A/B: Mon, Wed, Fri").click()
        page.get_by_label("From a coach’s file").set_input_files(coach)
        page.get_by_role("heading", name="Next: Heavy").wait_for()
        page.get_by_role("link", name="Start it").click()
        assert page.locator(".exercise").first.locator("[name=name]").input_value() == "front squat"
        assert page.locator(".exercise").first.locator("[name=sets]").input_value() == "4"
        page.goto(f"{looking_back.root}/")
        coach.write_text("plan = 3")
        page.locator(".next details summary").click()
        page.get_by_label("From a coach’s file").set_input_files(coach)
        page.get_by_text("coach.toml has no [[plan]] tables.").wait_for()
        page.locator(".next select").select_option("none")
        page.get_by_role("heading", name="Next training").wait_for()


def test_the_unit_is_chosen_on_any_page_and_fields_are_in_it(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMU_HOME", str(tmp_path))
    more = Targets(exercise="single leg Romanian deadlift", load_kg=100.0, sets=3)
    plan = Plan((Targets(exercise="back squat", load_kg=60.0, sets=5), more), "Mine")
    remember_plan(plan)
    keep_schedule(Schedule((plan,)))
    with served(tmp_path) as server, opened(browser, server, "/train", PHONE) as page:
        page.goto(f"{server.root}/train?plan=last")
        fields = page.locator("#begin")
        assert fields.get_by_label("Load, kg").first.input_value() == "60"
        page.get_by_label("Loads in").select_option("lb")  # before the first training, too
        load = fields.get_by_label("Load, lb").first
        assert load.input_value() == "132.3"
        assert "132.3 lb" in page.get_by_role("button", name="Repeat").inner_text()
        assert fits(page) and page.locator(".begin").bounding_box()["height"] < 0.12 * 844
        sent = (
            "import('/static/plan.js').then((plan) => plan.planOf(document.getElementById('begin')).exercise[0].load)"
        )
        assert float(page.evaluate(sent).removesuffix(" lb")) == pytest.approx(60 / 0.45359237, abs=1e-8)
        load.fill("135")
        assert page.evaluate(sent) == 135
        page.goto(f"{server.root}/")
        page.locator(".exercise-list", has_text="132.3 lb").first.wait_for()


def test_use_your_phone_is_a_click(browser: Any, tmp_path: Path) -> None:
    with served(tmp_path) as server, opened(browser, server, "/", DESKTOP) as page:
        page.get_by_role("link", name="Use your phone").click()
        page.get_by_role("heading", name="Open this with your phone").wait_for()
        assert page.locator("#invite a").get_attribute("href").startswith("https://")
        page.get_by_role("button", name="Cancel").click()
        page.locator("#start").wait_for()


def test_what_was_not_counted_can_be_counted_and_sets_be_joined(browser: Any, looking_back: Served) -> None:
    with opened(browser, looking_back, "/session/6", DESKTOP) as page:
        page.get_by_text("1 movement not counted").click()
        page.get_by_role("button", name="Count the movement").click()
        page.get_by_role("dialog").get_by_role("button", name="Count it").click()
        total(page, "6 squats : 5 hinges")
        page.get_by_role("button", name="Undo").click()
        total(page, "5 squats : 5 hinges")
        page.get_by_role("button", name="Change set 1").click()
        page.get_by_role("dialog").get_by_label("Exercise").fill("front squat")
        page.get_by_role("dialog").get_by_label("Load with the bar").fill("80")
        page.keyboard.press("Enter")  # it saves, and merges nothing
        page.locator(".set h3", has_text="Set 1 · front squat · 80 kg").wait_for()
        assert page.locator("ol.reps").count() == 2
        page.get_by_role("button", name="Change set 1").click()
        page.get_by_role("dialog").get_by_label("Note").fill("one long set")
        page.get_by_role("button", name="Merge with set 2").click()  # what was typed before it is kept
        page.locator(".note", has_text="one long set").wait_for()
        page.wait_for_function("document.querySelectorAll('ol.reps').length === 1")
        page.locator("[data-rep='1/6']").click()
        assert_open_to_all(page)
        page.get_by_role("button", name="A new set begins here").click()
        page.wait_for_function("document.querySelectorAll('ol.reps').length === 2")
        page.get_by_role("button", name="Add a repetition").click()
        page.get_by_label("From (65.5 or 1:05.5)").fill("nonsense")
        page.get_by_label("To", exact=True).fill("1:00")
        page.get_by_role("dialog").get_by_role("button", name="Add it").click()
        page.get_by_role("dialog").get_by_text("'nonsense' is not a time").wait_for()
        page.get_by_label("From (65.5 or 1:05.5)").fill("0:30")
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        page.get_by_role("dialog").wait_for(state="hidden")


def test_what_was_learned_is_shown_switched_and_forgotten(browser: Any, tmp_path: Path) -> None:
    with SessionStore.open(tmp_path / "people" / "anna" / "sessions.db") as store:
        teach(store)
    with served(tmp_path, person="anna") as server, opened(browser, server, "/learning", DESKTOP) as page:
        assert page.locator(".person").inner_text() == "anna"
        page.get_by_text("(0.50 for others; 0.27 to 0.73 can be learned)").wait_for()
        page.get_by_text("in every training").wait_for()
        page.get_by_role("button", name="Train without it").click()
        page.get_by_text("no, it is switched off").wait_for()
        page.get_by_role("button", name="Train with it").click()
        page.get_by_text("in every training").wait_for()
        page.get_by_role("button", name="Forget it").click()
        page.get_by_role("dialog").get_by_role("button", name="Forget it").click()
        page.get_by_text("nothing yet").wait_for()
        assert_open_to_all(page)


DIGIT_HEIGHT = """() => {
  document.getElementById("start").hidden = true;
  document.getElementById("live").hidden = false;
  document.body.classList.add("training");
  const style = getComputedStyle(document.querySelector(".count span"));
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  return pen.measureText("8").actualBoundingBoxAscent / innerHeight;
}"""


@pytest.mark.parametrize(("width", "height", "least"), [(1280, 800, 0.45), (844, 390, 0.45), (390, 844, 0.30)])
def test_the_count_is_read_from_afar(browser: Any, looking_back: Served, width: int, height: int, least: float) -> None:
    with opened(browser, looking_back, "/train", {"viewport": {"width": width, "height": height}}) as page:
        page.get_by_role("button", name="Start").wait_for()
        assert page.evaluate(DIGIT_HEIGHT) >= least
        words = "Last time 12 × 102.5 kg, best 0.52 m/s (3 days ago) · set before: 12 squats, 0.48 m/s"
        before = page.locator(".before")
        before.evaluate("(one, words) => one.textContent = words", words)
        assert before.evaluate("one => one.clientWidth > 0 && one.scrollWidth <= one.clientWidth")
        assert page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")
        assert fits(page)
        bottom = page.locator(".controls").bounding_box()
        assert bottom["y"] + bottom["height"] <= height


def test_colours_are_the_systems_or_as_chosen(browser: Any, looking_back: Served) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, looking_back, "/session/6", PHONE) as page:
        dark = page.evaluate(paper)
        page.emulate_media(color_scheme="light")
        page.wait_for_function(f"{paper} !== '{dark}'")
        page.get_by_label("Colours").select_option("dark")
        page.wait_for_function(f"{paper} === '{dark}'")
        page.reload()
        page.locator("h1").first.wait_for()
        assert page.evaluate(paper) == dark
        assert page.get_by_label("Colours").input_value() == "dark"
        assert_open_to_all(page)


def test_deleting_asks_first(browser: Any, looking_back: Served) -> None:
    with opened(browser, looking_back, "/session/1", DESKTOP) as page:
        page.get_by_text("Export or delete").click()
        page.get_by_role("button", name="Delete this session").click()
        page.get_by_role("button", name="Keep it").click()
        page.get_by_role("dialog").wait_for(state="hidden")
        assert len(stored(looking_back.home)) == 8
        page.get_by_role("button", name="Delete this session").click()
        page.get_by_role("button", name="Delete it").click()
        page.wait_for_url("**/sessions")
        assert page.locator(".rows .row").count() == 7
    assert len(stored(looking_back.home)) == 7


@pytest.mark.parametrize("form", ["csv", "parquet", "json", "fit", "html"])
def test_every_format_can_be_exported(looking_back: Served, form: str) -> None:
    for path, start in ((f"/export/{form}?session=6", 0), (f"/export/{form}", 0), ("/backup", 0)):
        status, headers, body = looking_back.ask(path, Cookie=looking_back.cookie)
        assert (status, len(body) > 100 + start) == (200, True), body[:200]
        assert "attachment" in headers["content-disposition"]
    assert looking_back.ask("/export/csv?session=999", Cookie=looking_back.cookie)[0] == 404


def test_a_report_is_saved_under_the_name_that_it_is_for(looking_back: Served) -> None:
    for asked, name in (
        ("name=Anna+%3Cb%3EK.", "training_Anna_b_K"),
        ("session=6", "session_6"),
        ("name=..%2F", "training"),
    ):
        _, headers, _ = looking_back.ask(f"/export/html?{asked}", Cookie=looking_back.cookie)
        assert f'filename="report_{name}.html"' in headers["content-disposition"]


def test_the_policy_of_the_page_forbids_nothing_that_it_needs(browser: Any, looking_back: Served) -> None:
    with opened(browser, looking_back, "/", PHONE, strict=True) as page:
        for path in ("/", "/sessions", "/session/6", "/trends", "/learning"):
            page.goto(f"{looking_back.root}{path}")
            page.wait_for_timeout(500)
        page.goto(f"{looking_back.root}/train")
        page.get_by_role("button", name="Start").wait_for()


def test_trouble_with_a_sensor_goes_with_the_choice_and_comes_a_second_time(browser: Any, looking_back: Served) -> None:
    with opened(browser, looking_back, "/train", DESKTOP) as page:
        start, trouble, gone = page.get_by_role("button", name="Start"), page.locator("#trouble"), "virtual:127.0.0.1:1"
        sensors = page.locator("#sensors input")
        sensors.last.evaluate("(radio, value) => { radio.value = value; }", gone)
        for _ in range(2):
            sensors.last.check()
            start.click()
            trouble.wait_for()
            sensors.first.check()
            trouble.wait_for(state="hidden")


def test_on_a_phone_the_repetitions_of_many_sets_are_folded(browser: Any, looking_back: Served) -> None:
    with SessionStore.open(looking_back.home / "sessions.db") as store:
        number = next(one.id for one in store.list() if one.hinges == 12)
        repetitions = store.load(number).corrected.sets[0].repetitions
        for at in (4, 8):
            store.correct(number, SplitSet(repetitions[at].middle_s), made_at=datetime.now(UTC))
    for options in (DESKTOP, PHONE):
        with opened(browser, looking_back, f"/session/{number}", options) as page:
            page.locator("[data-charts=drawn]").wait_for()
            folded = options is PHONE
            assert [one.is_hidden() for one in page.locator(".rep").all()] == [folded] * 12
            if folded:
                assert page.evaluate("document.scrollingElement.scrollHeight") < 2.6 * PHONE["viewport"]["height"]
                page.locator(".reps-of > summary").nth(1).click()
                page.get_by_role("button", name="Undo").click()  # the third set is gone
                page.locator(".set").nth(2).wait_for(state="detached")
                assert [one.is_visible() for one in page.locator(".rep").all()] == [False] * 4 + [True] * 8
                page.get_by_role("button", name="Undo").click()
                page.locator(".set").nth(1).wait_for(state="detached")


def test_every_wrong_field_of_a_plan_is_marked_with_its_own_sentence(browser: Any, looking_back: Served) -> None:
    with opened(browser, looking_back, "/train", PHONE) as page:
        page.locator("[name=reps]").first.fill("0")
        page.get_by_role("button", name="Add an exercise").first.click()
        page.get_by_role("button", name="Add an exercise").first.click()
        last = page.locator("#begin .exercise").nth(2)  # the one before stays empty
        last.locator("[name=load]").fill("heavy")
        last.get_by_text("Targets of a repetition").click()
        last.locator("[name=tempo]").fill("slow")
        last.get_by_text("Targets of a repetition").click()
        start_virtual(page)
        page.get_by_text("3 fields need another value.").wait_for()
        marked = """() => [...document.querySelectorAll("[aria-invalid]")].map(
            (one) => [one.name, document.getElementById(one.getAttribute("aria-describedby")).textContent])"""
        wrong = dict(page.evaluate(marked))
        assert list(wrong) == ["reps", "load", "tempo"] and wrong["reps"] == "reps is 1 to 1000, got 0"
        assert "100 kg or 225 lb" in wrong["load"] and last.locator("[name=tempo]").is_visible()
        assert page.evaluate("document.activeElement.name") == "reps"
        assert fits(page)
        assert_open_to_all(page)
        last.locator("[name=load]").fill("100")
        assert len(page.evaluate(marked)) == 2
        start_and_remove = """() => {
            document.querySelector("#begin .primary").click();
            document.querySelector("#begin .exercise").remove();
        }"""  # before the answer comes
        page.evaluate(start_and_remove)
        page.get_by_text("One field needs another value.").wait_for()
        assert [name for name, _ in page.evaluate(marked)] == ["tempo"]
        page.locator("#begin .exercise").first.evaluate("one => one.remove()")  # the empty one
        page.evaluate(start_and_remove)
        page.get_by_text("The plan has changed meanwhile: start again.").wait_for()


def test_a_session_page_is_small_the_first_time(browser: Any, looking_back: Served) -> None:
    with opened(browser, looking_back, "/sessions", DESKTOP) as page:
        loaded: list[float] = []
        tools = page.context.new_cdp_session(page)
        tools.send("Network.enable")
        tools.on("Network.loadingFinished", lambda done: loaded.append(done["encodedDataLength"]))
        tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.goto(f"{looking_back.root}/session/6")
        page.locator("[data-charts=drawn]").wait_for()
        assert 50e3 < sum(loaded) < 1.5e6


def test_a_first_visit_imports_files_that_are_dropped(browser: Any, tmp_path: Path) -> None:
    samples = sorted(RECORDINGS.glob("*.csv.gz"))
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for sample in samples[:2]:
            packed.write(sample, f"deep/er/{sample.name}")
        packed.writestr("../../outside.csv", "time_s\n1\n")
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with served(tmp_path / "home") as server, opened(browser, server, "/", DESKTOP) as page:
        page.get_by_role("link", name="Try a demo").click()
        page.locator("#live").wait_for()
        page.get_by_role("button", name="Finish").click()
        page.get_by_role("button", name="Finish and save").click()
        page.locator("#begin").wait_for()
        SessionStore.open(server.home / "sessions.db").close()
        for one in stored(server.home):  # where the first samples came before the click
            page.request.post(f"{server.root}/session/{one.id}/delete", headers={"Origin": server.root})
        page.goto(server.root)
        page.get_by_role("link", name="Try a demo").wait_for()
        assert_open_to_all(page)
        files = [tmp_path / name for name in ("notes.csv", "empty.csv")]
        files[1].touch()
        page.locator("[data-import] input[type=file]").set_input_files(files)
        page.locator(".progress.error", has_text="notes.csv").wait_for()
        assert len(page.locator(".progress.error").inner_text().split("\n\n")) == 2  # a paragraph for each file
        page.locator("[data-import] input[type=file]").set_input_files(samples[2])
        page.get_by_role("button", name="Do not import it").click()
        page.locator(".progress.error", has_text="was not imported").wait_for()
        page.locator("[data-import] input[type=file]").set_input_files(samples[2])
        assert_open_to_all(page)
        page.get_by_label("Recorded", exact=True).fill("2026-03-01T18:30")
        page.get_by_role("button", name="Import", exact=True).click()
        page.wait_for_url(re.compile(r"/session/\d$"))
        imported = page.url
        page.locator(".rep").first.wait_for()
        page.locator("[data-charts=drawn]").wait_for()
        page.goto(f"{server.root}/sessions")
        page.locator("[data-import] input[type=file]").set_input_files(archive)
        page.get_by_role("button", name="Import", exact=True).click()
        page.locator(".progress.error", has_text="“outside.csv”").wait_for()
        sync_api.expect(page.locator(".progress.error")).to_be_in_viewport()
        page.wait_for_function("document.querySelectorAll('.rows .row').length === 3")
        page.locator("[data-import] input[type=file]").set_input_files(samples[2])
        page.wait_for_url(imported)
    assert stored(tmp_path / "home")[-1].started_at.astimezone().isoformat()[:16] == "2026-03-01T18:30"
    kept = sorted(path.name for path in (tmp_path / "home" / "recordings").iterdir())
    assert len(kept) == 3 and not (tmp_path / "outside.csv").exists()
    assert all(Path(one.source).is_relative_to(tmp_path / "home") for one in stored(tmp_path / "home"))


def test_a_table_in_other_units_with_other_names_is_asked_about_and_imported(browser: Any, tmp_path: Path) -> None:
    table = table_of_a_watch(tmp_path / "watch.csv", "t,ax,ay,az,gx,gy,gz")
    with served(tmp_path / "home") as server, opened(browser, server, "/", PHONE) as page:
        dialog = page.get_by_role("dialog")
        for answer in ("Do not import it", "Import"):
            page.locator("[data-import] input[type=file]").set_input_files(table)
            dialog.get_by_text("In watch.csv, the columns time_s, acc_x").wait_for()
            fields = page.locator("#ask-table").evaluate("one => [...new FormData(one.querySelector('form'))].flat()")
            assert fields[1::2] == ["g", "deg/s", "t", "ax", "ay", "az", "gx", "gy", "gz"]
            assert fits(page)
            assert_open_to_all(page)
            dialog.get_by_role("button", name=answer, exact=True).click()
            if answer != "Import":
                page.locator(".progress.error", has_text="watch.csv was not imported").wait_for()
        dialog.get_by_label("Recorded", exact=True).fill("2026-02-01T18:30")
        page.keyboard.press("Enter")  # it imports
        page.wait_for_url("**/session/1")
        page.locator("[data-charts=drawn]").wait_for()  # the stored file can be read again
        total(page, "7 squats : 0 hinges")


def test_a_late_answer_does_not_replace_the_figure_that_was_chosen_after_it(browser: Any, tmp_path: Path) -> None:
    with served(tmp_path) as server, opened(browser, server, "/", DESKTOP) as page:
        page.locator("[data-import] input[type=file]").set_input_files(RECORDINGS / "simulated_air_squats.csv.gz")
        page.get_by_role("button", name="Import", exact=True).click()
        page.locator("[data-charts=drawn]").wait_for()
        held: list[Any] = []
        page.route("**/curve?measure=angle*", lambda route: held.append(route))  # noqa: PLW0108 - it looks at the signature
        page.get_by_label("Angle", exact=True).check()
        page.get_by_label("Speed", exact=True).check()
        page.locator("#recording-title", has_text="Speed").wait_for()
        with page.expect_response("**/curve?measure=angle*") as late:
            held[0].continue_()
        late.value.finished()
        page.evaluate("new Promise((done) => setTimeout(done, 200))")
        assert "Speed" in page.locator("#recording-title").inner_text()


@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["desktop light", "phone dark"])
def test_import_name_correct_on_the_chart_compare_and_report(browser: Any, tmp_path: Path, options: Any) -> None:
    with served(tmp_path) as server, opened(browser, server, "/", options) as page:
        for number, name in enumerate(("air_squats", "mixed_session"), 1):
            page.goto(f"{server.root}/")
            page.locator("[data-import] input[type=file]").set_input_files(RECORDINGS / f"simulated_{name}.csv.gz")
            page.get_by_label("Recorded", exact=True).fill(f"2026-0{number + 1}-01T18:30")
            page.get_by_role("button", name="Import", exact=True).click()
            page.wait_for_url(f"**/session/{number}")
            page.locator("[data-charts=drawn]").wait_for()
            if number == 1:
                _name_all_sets(page, "back squat", "100")
        page.get_by_role("button", name="Copy exercises of").click()  # the squats of the second get those of the first
        page.locator(".set h3", has_text="Set 1 · back squat · 100 kg").wait_for()
        page.get_by_label("Loads in").select_option("lb")
        page.locator(".set h3", has_text="220.5 lb").wait_for()
        page.get_by_label("Loads in").select_option("kg")
        page.locator(".set h3", has_text="100 kg").wait_for()
        before = _repetition(server.home, 2, 0)
        page.locator("[data-charts=drawn]").wait_for()
        _drag_first_mark(page, -12)
        page.locator("#said", has_text="Repetition 1 of set 1 moved to").wait_for()
        page.locator("[data-charts=drawn]").wait_for()
        assert _repetition(server.home, 2, 0).start_s < before.start_s
        page.locator("#recording").focus()
        for key in (*["ArrowRight"] * 5, "Shift+ArrowRight", "Shift+ArrowRight", "Enter"):
            page.keyboard.press(key)
        page.locator("#said", has_text="Repetition 5 of set 1 moved to").wait_for()
        page.locator("[data-charts=drawn]").wait_for()
        page.locator("[data-rep='1/3']").click()
        page.get_by_role("dialog").get_by_label("Load with the bar, kg").fill("heavy")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("dialog").get_by_text("is not a load").wait_for()  # the dialog stays and says why
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        for metric in ("Depth", "Speed"):
            page.get_by_label(metric, exact=True).check()
            page.locator("#recording-title", has_text=metric).wait_for()
        assert fits(page)
        assert_open_to_all(page)
        page.get_by_role("link", name="Compare").click()
        page.locator(".compare", has_text="back squat").wait_for()
        assert "Session 1, 1 Feb 2026" in page.locator(".compare caption").inner_text()
        assert fits(page)
        assert_open_to_all(page)
        page.get_by_role("link", name="Exercises").click()
        page.get_by_role("link", name="back squat").click()
        page.locator("[data-charts=drawn]").wait_for()
        assert "100 kg × 8" in page.locator(".facts").inner_text()
        assert fits(page)
        assert_open_to_all(page)
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Report").click()
        report = Path(waiting.value.path()).read_text(encoding="utf-8")
        assert "back squat" in report and "simulated_" not in report
        page.set_content(report)
        assert fits(page)
        assert_open_to_all(page)


def _repetition(home: Path, session: int, number: int) -> Any:
    with SessionStore.open(home / "sessions.db") as store:
        return store.load(session).corrected.sets[0].repetitions[number]


def _name_all_sets(page: Any, exercise: str, load: str) -> None:
    page.get_by_role("button", name="Change all sets").click()
    page.get_by_role("dialog").get_by_label("Exercise").fill(exercise)
    page.get_by_role("dialog").get_by_label("Load with the bar, kg").fill(load)
    page.get_by_role("button", name="Save").click()
    page.locator(".set h3", has_text=f"Set 1 · {exercise} · {load} kg").wait_for()


def _drag_first_mark(page: Any, by_px: int) -> None:
    """Press on the mark of the first repetition and drag it sideways."""
    page.locator("#recording .u-over").scroll_into_view_if_needed()
    place = page.evaluate("window.imuChart.markOf('1/1')")
    page.mouse.move(*place)
    page.mouse.down()
    page.mouse.move(place[0] + by_px / 2, place[1], steps=3)
    page.mouse.move(place[0] + by_px, place[1], steps=3)
    page.mouse.up()


if sys.platform == "win32":
    pytestmark += [pytest.mark.skip("processes are ended by signals that Windows does not have")]
