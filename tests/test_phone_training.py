"""A phone as the sensor, from its messages to the summary: same counts, nothing lost, live equals replay.

The phone is a virtual one, the page in a real browser, or the command `imu sensor`.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from builders import NEEDS_SHARE
from foreign_exports import sensor_logger_android

import imu
from imu.app.sensor_commands import SensorNotStarted, SensorOptions, run_phone, run_sensor
from imu.bluetooth import HostClock, LinkState
from imu.live.live_training import LiveTraining
from imu.live.live_view import Link
from imu.live.training_run import Trained, TrainingRun, TrainingSettings
from imu.phone import SECOND_PHONE, TRAINING_ENDED, PhoneAddress, PhoneLink
from imu.phone.browser import phone_server
from imu.phone.push import KEY_LENGTH, NOT_UNDERSTOOD, READY, TOO_LONG, push_server
from imu.recordings.training_reader import read_training
from imu.samples import Array, ImuBlock
from imu.sensors import sensor_logger_push
from imu.sensors.conversation import Action, Restarted, SamplesLost, Write
from imu.sensors.phone import HAVE, HEAD
from imu.sensors.sensor_logger_push import SENSOR_LOGGER
from imu.session import SessionParameters, SessionSummary
from imu.training import Training as Replay
from imu.virtual.person import virtual_signal
from imu.virtual.phones import (
    PhoneFaults,
    PhoneNotReached,
    VirtualPhone,
    VirtualSensorLogger,
    phone_samples,
    pushed_messages,
)

pytestmark = NEEDS_SHARE
SPEED = 40.0
PATIENCE_S = 300.0
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@cache
def worn() -> ImuBlock:
    return virtual_signal(4, 100.0)


class FastClock(HostClock):
    """A clock that runs `speed` times as fast as true time."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._start_ns = time.perf_counter_ns()
        self._wall_ns = time.time_ns()

    def now_ns(self) -> int:
        return self._wall_ns + round((time.perf_counter_ns() - self._start_ns) * self._speed)


class CountingLink(PhoneLink):
    """Counts the samples that the page may forget."""

    acknowledged = 0

    def ask(self, actions: Iterable[Action]) -> None:
        actions = tuple(actions)
        for action in actions:
            if isinstance(action, Write) and action.characteristic == HAVE:
                self.acknowledged = HEAD.unpack(action.payload)[1]
        super().ask(actions)


@dataclass
class Training:
    run: TrainingRun
    link: CountingLink
    address: PhoneAddress
    events: list[Any]
    running: asyncio.Task[Trained]

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                await asyncio.sleep(0.01)

    def is_connected(self) -> bool:
        states = [event.state for event in self.events if isinstance(event, Link)]
        return bool(states) and states[-1] is LinkState.CONNECTED


@asynccontextmanager
async def training(
    folder: Path, *, speed: float = 1.0, pushes: bool = False, port: int = 0, duration_s: float | None = None
) -> AsyncIterator[Training]:
    events: list[Any] = []
    clock = FastClock(speed)
    settings = TrainingSettings(100.0, "test", folder, duration_s)
    link = CountingLink(clock, SENSOR_LOGGER) if pushes else CountingLink(clock)
    local = "127.0.0.1"
    serving = (
        push_server(link, address=local, port=port)
        if pushes
        else phone_server(link, folder / "home", address=local, port=port)
    )
    async with serving as address:
        run = TrainingRun(link, clock, settings, LiveTraining(), lambda happened, _view: events.append(happened))
        running = asyncio.create_task(run.run())
        try:
            yield Training(run, link, address, events, running)
        finally:
            run.stop()
            await asyncio.gather(running, return_exceptions=True)


def counts(summary: SessionSummary) -> list[tuple[str, int]]:
    return [(str(one_set.pattern), len(one_set.repetitions)) for one_set in summary.sets]


def lost(events: list[Any]) -> list[SamplesLost]:
    return [event for event in events if isinstance(event, SamplesLost)]


def assert_trained(done: Trained) -> None:
    """The same counts as the plain signal, and the recording replays to the same."""
    assert done.trouble is None
    assert counts(done.summary) == counts(imu.count(worn()).summary)
    assert done.recording is not None
    log = read_training(done.recording)
    replay = Replay(log.driver(), SessionParameters(2))
    for message in log.messages():
        replay.take(message)
    assert replay.finish()[1] == done.summary


# --- the page ---------------------------------------------------------------------------------------------------------


async def trained(folder: Path, faults: PhoneFaults) -> tuple[Trained, list[Any], Array]:
    samples = phone_samples(worn())
    async with training(folder, speed=SPEED) as one:
        async with asyncio.timeout(PATIENCE_S):
            await VirtualPhone(one.address.url, samples, SPEED, faults, source="127.0.0.2").play()
        one.run.stop()
        return await one.running, one.events, samples


@pytest.mark.realtime
async def test_a_training_with_a_phone_counts_as_the_plain_signal_and_replays_to_the_same(tmp_path: Path) -> None:
    faults = PhoneFaults(drops=((40.0, 5.0), (70.0, 1.0)), is_disordered=True)
    done, events, samples = await trained(tmp_path, faults)
    assert lost(events) == []
    assert done.summary.samples == len(samples)
    assert_trained(done)


@pytest.mark.realtime
async def test_a_training_ends_after_its_planned_time_though_its_phone_is_lost(tmp_path: Path) -> None:
    async with training(tmp_path, speed=SPEED, duration_s=60.0) as one, asyncio.timeout(PATIENCE_S):
        phone = VirtualPhone(one.address.url, phone_samples(worn()), SPEED, source="127.0.0.2")
        playing = asyncio.create_task(phone.play())
        began_s = time.monotonic()
        await one.until(lambda: one.run._training is not None and one.run._training.now_s > 30.0)
        playing.cancel()
        done = await one.running
        assert 60.0 <= (time.monotonic() - began_s) * SPEED < 1000.0  # a lost phone is given up after 120 true seconds
    assert done.trouble is None
    assert done.summary.samples > 1000


@pytest.mark.realtime
async def test_a_page_that_is_loaded_again_goes_on_where_it_was(tmp_path: Path) -> None:
    faults = PhoneFaults(drops=((30.0, 5.0),), reloads=(42.0,), sleeps=((41.5, 1.5),))
    done, events, _ = await trained(tmp_path, faults)
    assert lost(events) == [] and Restarted() in events
    assert_trained(done)


# --- the page in a browser --------------------------------------------------------------------------------------------

FEED = """(rows) => {
  for (const [t, x, y, z, alpha, beta, gamma] of rows) {
    const event = new DeviceMotionEvent("devicemotion", {
      accelerationIncludingGravity: {x, y, z}, rotationRate: {alpha, beta, gamma}, interval: 16,
    });
    Object.defineProperty(event, "timeStamp", {value: t});
    window.dispatchEvent(event);
  }
}"""
"""Gives the page motion events with the times of the signal: faster than a phone, and on any busy computer the same."""


class Network:
    """The line between browser and server: carries TCP, and can be cut."""

    def __init__(self, host: str, port: int) -> None:
        self.is_open = True
        self._server = host, port
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End all connections without a word."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_open:
            writer.transport.abort()
            return
        their_reader, their_writer = await asyncio.open_connection(*self._server)
        self._writers |= {writer, their_writer}
        for one, other in ((reader, their_writer), (their_reader, writer)):
            self._tasks.add(asyncio.create_task(self._copy(one, other)))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: sudo apt-get install chromium")
async def test_chromium_trains_over_tls_through_a_lost_network_and_a_reload(tmp_path: Path) -> None:
    async_api = pytest.importorskip("playwright.async_api", reason='needs playwright: pip install "imu-training[test]"')
    samples, port = phone_samples(worn(), rounded=False), free_port()
    network = Network("127.0.0.1", port)
    async with (
        training(tmp_path, port=port) as one,
        network.serving() as between,
        async_api.async_playwright() as playwright,
    ):
        options = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP 127.0.0.1:{port} 127.0.0.1:{between}"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=options, timeout=180_000)
        context = await browser.new_context(ignore_https_errors=True, viewport={"width": 390, "height": 844})
        context.set_default_timeout(120_000)
        page = await context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        await page.goto(one.address.url)
        await page.get_by_role("button", name="Start").click()
        await one.until(one.is_connected)
        zero_s = 0.0

        async def play(start_s: float, end_s: float) -> None:
            some = samples[(samples[:, 0] >= start_s) & (samples[:, 0] < end_s)]
            rows = some.copy()
            rows[:, 0] = (rows[:, 0] - zero_s) * 1000.0
            rows[:, 4:] *= 57.29577951308232
            await page.evaluate(FEED, rows.tolist())

        await play(0.0, 20.0)
        await page.get_by_text("Ready").wait_for()  # the axes are known
        await play(20.0, 40.0)
        network.is_open = False
        network.cut()
        await play(40.0, 45.0)
        await page.get_by_text("No connection to the computer").wait_for()
        network.is_open = True
        await one.until(one.is_connected)
        await play(45.0, 70.0)
        await page.reload()
        await page.get_by_role("button", name="Start").wait_for(state="hidden")
        zero_s = float(samples[samples[:, 0] < 70.0][-1, 0])  # the clock of the page begins again
        await play(70.0, 1000.0)
        await one.until(lambda: one.link.acknowledged == len(samples))
        one.run.stop()
        done = await one.running
        await page.get_by_text("The training has ended").wait_for()
        await browser.close()
    assert wrong == []
    assert lost(one.events) == [] and Restarted() not in one.events
    assert done.summary.samples == len(samples)
    assert_trained(done)


# --- Sensor Logger ----------------------------------------------------------------------------------------------------


async def test_requests_whose_answers_are_not_read_and_those_for_the_head_alone_harm_nothing(tmp_path: Path) -> None:
    async with training(tmp_path, pushes=True) as one:
        place = one.address.url.split("/")[2]
        host, port = place.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"HEAD /x HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 404") and answer.endswith(b"\r\n\r\n")
        writer.close()
        path = "/" + one.address.url.split("/", 3)[3]
        _reader, writer = await asyncio.open_connection(host, int(port), limit=1)
        asked = f"GET {path} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode() * 500
        with pytest.raises(OSError):
            for _ in range(400):
                writer.write(asked)
                await asyncio.wait_for(writer.drain(), 20)
        writer.transport.abort()


@pytest.mark.realtime
@pytest.mark.parametrize("seed", [0, 1], ids=["iPhone", "Android"])
async def test_a_training_with_sensor_logger_counts_as_the_plain_signal(seed: int, tmp_path: Path) -> None:
    async with training(tmp_path, pushes=True) as one:
        faults = PhoneFaults(is_disordered=True)
        async with asyncio.timeout(PATIENCE_S):
            await VirtualSensorLogger(one.address.url, pushed_messages(worn(), seed), SPEED, faults).play()
        one.run.stop()
        done = await one.running
    assert lost(one.events) == []
    assert_trained(done)


def post(url: str, body: bytes, method: str = "POST", **headers: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, parts.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def message(number: int, device: str = "mine", names: tuple[str, ...] = ("accelerometer",), start_s: int = 0) -> bytes:
    values = {"x": 0.0, "y": 0.0, "z": 9.81}
    readings = [
        {"name": name, "time": 1_700_000_000_000_000_000 + (start_s * 100 + k) * 10_000_000, "values": values}
        for k in range(100)
        for name in names
    ]
    return json.dumps({"messageId": number, "sessionId": "s", "deviceId": device, "payload": readings}).encode()


async def test_a_fault_of_a_push_is_answered_in_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor_logger_push, "START_S", 0.2)
    async with training(tmp_path, pushes=True) as one:
        url = one.address.url

        async def answer(body: bytes) -> tuple[int, str]:
            return await asyncio.to_thread(post, url, body)

        assert await answer(message(0, names=("test",))) == (200, READY)
        assert not one.is_connected()  # a test begins no training
        for garbage in (b"", b"{}", b"\xff", b'{"messageId": 1}', sensor_logger_android()["Gyroscope.csv"][:2000]):
            assert await answer(garbage) == (499, NOT_UNDERSTOOD)
        answers = [await answer(message(number, start_s=number)) for number in range(6)]
        await asyncio.sleep(0.25)  # START_S: the first message may come late
        answers += [await answer(message(number, start_s=number)) for number in range(6, 9)]
        assert answers[0] == (200, READY)
        assert answers[-1][0] == 499 and "no gravity (its accelerometer is without it)" in answers[-1][1]
        assert await answer(message(0, device="another")) == (499, SECOND_PHONE)
        one.run.stop()
        await one.running
        assert await answer(message(9)) == (499, TRAINING_ENDED)


async def test_the_address_of_sensor_logger_gives_nothing_without_its_key(tmp_path: Path) -> None:
    async with training(tmp_path, pushes=True) as one:
        url = one.address.url
        place, _, key = url.rpartition("/")
        assert len(key) == KEY_LENGTH
        page = await asyncio.to_thread(post, url, b"", "GET")
        assert page[0] == 200 and url in page[1]
        wrong = {
            (f"{place}/", "POST", ""),
            (f"{place}/{key[:-1]}", "POST", ""),
            (f"{place}/{key}/", "POST", ""),
            (url, "PUT", ""),
            (url, "POST", "evil.example"),
        }
        for address, method, host in wrong:
            headers = {"Host": host} if host else {}
            status, text = await asyncio.to_thread(post, address, message(0), method, **headers)
            assert status == 404 and "needs its key" in text and key not in text
        for name, value in (("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")):
            status, text = await asyncio.to_thread(post, url, message(0), **{name: value})
            assert status == 404 and "needs its key" in text, (name, value)
        assert not one.is_connected()
        too_long = await asyncio.to_thread(post, url, bytes(300_000))
        assert too_long == (413, TOO_LONG)
        assert one.address.invitation(with_qr_code=False).count(url) == 1


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pushes", [False, True], ids=["phone", "sensorlogger"])
async def test_the_command_goes_to_the_address_and_ends_with_the_training(pushes: bool, tmp_path: Path) -> None:
    said: list[str] = []
    async with training(tmp_path, pushes=pushes) as one:
        options = SensorOptions("sensorlogger" if pushes else "phone", one.address.url)
        phone = asyncio.create_task(run_phone(options, worn(), said.append))
        await one.until(one.is_connected)
        one.run.stop()
        async with asyncio.timeout(60):
            await phone
    assert one.address.url in said[0]
    assert "training" in said[-2] + said[-1] and "has ended" in said[-2] + said[-1]


@pytest.mark.parametrize(
    ("kind", "url", "sentence"),
    [
        ("phone", "https://{place}/wrong/", "HTTP 404"),
        ("phone", "https://127.0.0.1:1/wrong/", "refused"),
        ("phone", "https://name.invalid:1/wrong/", "known|resolution"),
        ("sensorlogger", "http://{place}/wrong", "HTTP 404"),
        ("sensorlogger", "http://127.0.0.1:1/wrong", "refused"),
    ],
)
async def test_a_wrong_address_is_one_sentence(kind: str, url: str, sentence: str, tmp_path: Path) -> None:
    async with training(tmp_path, pushes=kind == "sensorlogger") as one:
        asked = url.format(place=one.address.url.split("/")[2])
        with pytest.raises(PhoneNotReached, match=f"(?s){asked} .*({sentence}).*imu train --sensor {kind}"):
            async with asyncio.timeout(60):
                await run_phone(SensorOptions(kind, asked), worn(), lambda _line: None)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"kind": "phone"}, "--url https://HOST:PORT/KEY"),
        ({"kind": "sensorlogger", "url": "https://127.0.0.1:1/k"}, "--url http://HOST"),
        ({"kind": "reference", "sleep_every_s": 3.0}, "phones only"),
        ({"kind": "phone", "url": "https://127.0.0.1:1/k/", "battery_percent": 3}, "'reference' only"),
        ({"kind": "phone", "url": "https://127.0.0.1:1/k/", "sleep_every_s": 0.0}, "more than 0 s"),
    ],
)
def test_a_phone_without_an_address_is_one_sentence(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SensorNotStarted, match=sentence):
        run_sensor(SensorOptions(**wrong), lambda _: None)
