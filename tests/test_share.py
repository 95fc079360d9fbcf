"""The second screen: guests of the same network watch or steer trainings, and attackers read and steer nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from builders import NEEDS_SHARE, UPGRADE, ask_as_guest, fill, get

from imu.app.web import LARGEST_MESSAGE, serving
from imu.app.web import desk as desk_module
from imu.app.web.desk import Desks, DeskState
from imu.app.web.guard import (
    BURST,
    GUESTS,
    GUESTS_OF_ADDRESS,
    SOCKETS,
    THROWN_OUT,
    TOO_MANY,
    WRONG_KIND,
    OwnersDoor,
    Role,
)
from imu.app.web.site import Sharing, site
from imu.bluetooth import HostClock
from imu.live.memory import Wish, remember_plan
from imu.live.targets import Plan, Targets
from imu.phone import PhoneAddress, PhoneLink
from imu.phone.gate import HEADER_S, MOST_ADMITTED, listen
from imu.sensors.phone import BATCH
from imu.store.home import add_person, as_person
from imu.virtual.person import virtual_signal
from imu.virtual.phones import batch, phone_samples, trusting

pytest.importorskip("starlette", reason='needs Starlette: python -m pip install "imu-training[web]"')
pytestmark = NEEDS_SHARE
GUEST, TABLET = "127.0.0.3", "127.0.0.2"
SAMPLES = phone_samples(virtual_signal(3, 30.0))
PAGES = ("/", "/train", "/wall", "/live", "/manifest.json", "/static/style.css")
OWNERS = ("/people", "/share", "/sessions", "/session/1", "/trends", "/learning", "/export/csv", "/backup", "/import")


@dataclass
class Shared:
    desks: Desks
    sharing: Sharing
    link: PhoneLink
    said: list[str]
    sent: int = 0

    @property
    def door(self) -> Any:
        assert self.sharing.door is not None
        return self.sharing.door

    @property
    def place(self) -> str:
        return str(self.door.place)

    def now_s(self) -> float:
        run = self.desks.of("anna")._run
        return 0.0 if run is None or run._training is None else run._training.now_s

    async def assert_training_goes_on(self) -> None:
        """Another second of samples is taken, and nothing was steered."""
        before_s, first = self.now_s(), len(SAMPLES) + 60 * self.sent
        rows = SAMPLES[-60:].copy()
        rows[:, 0] += self.sent + 1.0
        self.sent += 1
        self.link.hear(self.link._send, BATCH, batch(1, first, rows)[1:])  # type: ignore[arg-type]
        async with asyncio.timeout(30):
            while self.now_s() < before_s + 0.9:
                await asyncio.sleep(0.02)
        desk = self.desks.of("anna")
        assert desk.state is DeskState.TRAINING and not desk._live.view().paused

    async def enter(self, role: Role, source: str = TABLET) -> str:
        """Come with a key; return the cookie."""
        answer = await ask_as_guest(self.place, get(f"/?key={self.door.keys[role]}", self.place), source)
        assert answer.startswith(b"HTTP/1.1 303"), answer
        found = re.search(rb"set-cookie: (\S+?);", answer)
        assert found is not None
        return found[1].decode()

    def socket(self, cookie: str, source: str = TABLET, path: str = "/live?person=anna", **headers: Any) -> Any:
        from websockets.asyncio.client import connect

        return connect(
            f"wss://{self.place}{path}", ssl=trusting(), origin=f"https://{self.place}", local_addr=(source, 0),
            additional_headers={"Cookie": cookie} | headers, compression=None, proxy=None, max_size=None,
            max_queue=None,
        )  # fmt: skip


@pytest_asyncio.fixture
async def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shared]:
    """Anna trains, and her training is shared."""
    monkeypatch.setenv("IMU_HOME", str(tmp_path))
    monkeypatch.delenv("IMU_PERSON", raising=False)
    links: list[PhoneLink] = []

    @asynccontextmanager
    async def link_for(
        _name: str | None, clock: HostClock, _s: float | None, _invite: Callable[[PhoneAddress], None], _plan: object
    ) -> AsyncIterator[PhoneLink]:
        links.append(PhoneLink(clock))
        fill(links[-1], SAMPLES)
        yield links[-1]

    monkeypatch.setattr(desk_module, "link_for", link_for)
    desks, said = Desks("test"), []
    desks.begin(add_person("Anna"), Wish("hip"))
    sharing = Sharing(lambda door: site(desks, door), serving, said.append)
    await sharing.start("127.0.0.1", 0)
    while not links:
        await asyncio.sleep(0.01)
    one = Shared(desks, sharing, links[0], said)
    async with asyncio.timeout(60):
        while one.now_s() < 30:
            await asyncio.sleep(0.02)
    yield one
    await desks.close()
    await sharing.stop()


def status_of(answer: bytes) -> int:
    return int(answer.split()[1]) if answer else 0


# --- guests ----------------------------------------------------------------------------------------------------------


async def test_a_guest_with_the_key_for_watching_sees_the_training_and_steers_nothing(shared: Shared) -> None:
    cookie = await shared.enter(Role.VIEW)
    async with shared.socket(cookie) as page:
        board = json.loads(await page.recv())["board"]
        assert board["name"] == "Anna" and board["count"] >= 0
        for request in ({"do": "finish"}, {"do": "pause"}, {"do": "begin", "sensor": "virtual"}, {"do": "scan"}):
            await page.send(json.dumps(request))
            while "refused" not in (news := json.loads(await page.recv())):
                pass
            assert "only watches" in news["refused"]
    async with shared.socket(cookie, path="/live?all") as wall:
        assert json.loads(await wall.recv())["board"]["anna/name"] == "Anna"
    await shared.assert_training_goes_on()
    assert shared.said == ["Browser at 127.0.0.2 may watch now."]


async def test_a_guest_with_the_key_for_steering_pauses_and_ends_the_training(shared: Shared) -> None:
    async with shared.socket(await shared.enter(Role.CONTROL)) as page:
        for command, paused in (("pause", True), ("resume", False)):
            await page.send(json.dumps({"do": command}))
            while json.loads(await page.recv()).get("board", {}).get("paused") is not paused:
                pass
        await page.send(json.dumps({"do": "finish"}))
        while json.loads(await page.recv()).get("board", {}).get("state") != "idle":
            pass
    assert shared.desks.of("anna").last_session == 1


async def test_a_guest_who_steers_gives_no_address_and_changes_nothing_where_no_training_runs(shared: Shared) -> None:
    add_person("Ben")
    cookie = await shared.enter(Role.CONTROL)
    plan = {"name": "P", "exercise": [{"name": "squat", "sets": 3, "reps": 5}]}
    asked = [
        {"do": "begin", "sensor": "virtual:127.0.0.1:9"},
        {"do": "begin", "sensor": " virtual:127.0.0.1:9"},
        {"do": "follow", "plan": plan},
        {"do": "rest", "rest_s": 9},
    ]
    for request, reason in zip(
        asked, ("no address", "no address", "no training runs", "no training runs"), strict=True
    ):
        async with shared.socket(cookie, path="/live?person=ben") as page:
            await page.send(json.dumps(request))
            while "refused" not in (news := json.loads(await page.recv())):
                pass
            assert reason in news["refused"]
    assert shared.desks.of("ben").plan is None
    await shared.assert_training_goes_on()


async def test_a_guest_does_not_see_the_plan_of_the_last_training(shared: Shared) -> None:
    with as_person("anna"):
        remember_plan(Plan((Targets.from_object({"name": "secret squats"}, "the set"),)))
    cookie = await shared.enter(Role.CONTROL)
    page = await ask_as_guest(shared.place, get("/train?person=anna", shared.place, f"Cookie: {cookie}"), TABLET)
    assert page.startswith(b"HTTP/1.1 200") and b"secret squats" not in page


async def test_the_key_of_a_sensor_is_not_shown_to_those_who_only_watch(shared: Shared) -> None:
    desk = shared.desks.of("anna")
    address = PhoneAddress("https://192.0.2.1:8766/secret/", "AA:BB")
    seen: dict[Role, str] = {}
    for role in (Role.VIEW, Role.CONTROL):
        async with shared.socket(await shared.enter(role)) as page:
            desk._invite(address)
            await page.send(json.dumps({"do": "plan"}))
            texts = [await page.recv()]
            while not {"refused", "plan"} & json.loads(texts[-1]).keys():
                texts.append(await page.recv())
            seen[role] = "".join(texts)
            desk._invitation = None
    assert "secret" not in seen[Role.VIEW] and "secret" in seen[Role.CONTROL]


async def test_guests_open_pages_of_trainings_and_no_others(shared: Shared) -> None:
    for role in (Role.VIEW, Role.CONTROL):
        cookie = await shared.enter(role)
        for path in ("/train?person=anna", "/wall", "/static/wall.js", "/manifest.json"):
            answer = await ask_as_guest(shared.place, get(path, shared.place, f"Cookie: {cookie}"), TABLET)
            assert status_of(answer) == 200, path
            assert b"referrer-policy: no-referrer" in answer
            assert not any(key.encode() in answer for key in shared.door.keys.values())
            assert b"/backup" not in answer and b"/share" not in answer
        for path in (*OWNERS, "/static/../people", "//people", "/live/x"):
            answer = await ask_as_guest(shared.place, get(path, shared.place, f"Cookie: {cookie}"), TABLET)
            assert status_of(answer) == 404 and b"needs its key" not in answer, path
            assert b"Stored sessions can be opened on the computer itself" in answer, path
            post = get(path, shared.place, f"Cookie: {cookie}", f"Origin: https://{shared.place}", "Content-Length: 0")
            assert status_of(await ask_as_guest(shared.place, post.replace("GET", "POST", 1), TABLET)) == 404


async def test_a_phone_keeps_the_page_as_an_app_that_opens_with_its_cookie_and_the_manifest_holds_no_secret(
    shared: Shared,
) -> None:
    answer = await ask_as_guest(shared.place, get(f"/?key={shared.door.keys[Role.VIEW]}", shared.place), TABLET)
    given = re.search(rb"set-cookie: (.+?)\r", answer)
    assert given is not None and {b"HttpOnly", b"Secure", b"SameSite=Strict"} <= set(given[1].split(b"; "))
    assert b"Max-Age=43200" in given[1] and b"referrer-policy: no-referrer" in answer
    cookie = given[1].split(b";")[0].decode()
    text = await ask_as_guest(shared.place, get("/manifest.json", shared.place, f"Cookie: {cookie}"), TABLET)
    manifest = json.loads(text.split(b"\r\n\r\n", 1)[1])
    assert manifest["display"] == "standalone" and {one["type"] for one in manifest["icons"]} >= {"image/png"}
    secrets = [*shared.door.keys.values(), *(guest.secret for guest in shared.door.guests)]
    assert manifest["start_url"] == "/" and not any(secret.encode() in text for secret in secrets)
    asked = get(manifest["start_url"], shared.place, f"Cookie: {cookie}")
    assert status_of(await ask_as_guest(shared.place, asked, TABLET)) == 303


async def test_a_browser_that_comes_again_keeps_its_pass(shared: Shared) -> None:
    cookie = await shared.enter(Role.VIEW)
    for role, guests in ((Role.VIEW, 1), (Role.CONTROL, 2)):
        asked = get(f"/?key={shared.door.keys[role]}", shared.place, f"Cookie: {cookie}")
        assert status_of(await ask_as_guest(shared.place, asked, TABLET)) == 303
        assert len(shared.door.guests) == guests


async def test_a_guest_who_is_thrown_out_is_gone_and_cannot_come_back_with_the_same_key(shared: Shared) -> None:
    old_key = shared.door.keys[Role.VIEW]
    thrown, stays = await shared.enter(Role.VIEW), await shared.enter(Role.VIEW)
    async with shared.socket(thrown) as page, shared.socket(stays) as other:
        await other.recv()
        shared.door.throw_out(shared.door.guests[0].number)
        await page.wait_closed()
        assert page.close_code == THROWN_OUT
        await shared.assert_training_goes_on()
        await other.recv()
        assert [one["here"] for one in shared.sharing.view()["guests"]] == [True]
    for path, more in (("/train", f"Cookie: {thrown}"), (f"/?key={old_key}", "Accept: */*")):
        assert status_of(await ask_as_guest(shared.place, get(path, shared.place, more), TABLET)) == 404
    assert shared.door.keys[Role.VIEW] != old_key


async def test_nothing_is_open_once_sharing_stops_and_the_next_time_has_other_keys(shared: Shared) -> None:
    before, place, cookie = dict(shared.door.keys), shared.place, await shared.enter(Role.CONTROL)
    async with shared.socket(cookie) as page:
        await shared.sharing.stop()
        await page.wait_closed()
    host, port = place.split(":")
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)), timeout=5)
    await shared.sharing.start("127.0.0.1", 0)
    assert not set(before.values()) & set(shared.door.keys.values())
    assert status_of(await ask_as_guest(shared.place, get("/train", shared.place, f"Cookie: {cookie}"), TABLET)) == 404
    await shared.assert_training_goes_on()


# --- attackers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ["", "x", "sensor", "cookieofanother"])
async def test_without_a_key_there_is_one_page_and_no_more(shared: Shared, secret: str) -> None:
    """Also with the key of the phone that is the sensor, which is another one."""
    cookie = f"Cookie: {shared.door.cookie}={secret or ''}"
    for path in (*PAGES, *OWNERS, "/nothing"):
        answer = await ask_as_guest(shared.place, get(f"{path}?key={secret}", shared.place, cookie), GUEST)
        assert status_of(answer) == 404 and b"needs its key" in answer and b"Anna" not in answer, path
        upgrade = get(path, shared.place, cookie, *UPGRADE, f"Origin: https://{shared.place}")
        assert status_of(await ask_as_guest(shared.place, upgrade, GUEST)) == 404
    await shared.assert_training_goes_on()
    assert shared.door.guests == []


async def test_every_refusal_of_a_guest_without_a_key_is_the_same_page(shared: Shared) -> None:
    """Any request, however malformed, gets the same status, headers and body."""
    here, own = shared.place, f"Origin: https://{shared.place}"
    upgrade, get_wall = get("/live", here, *UPGRADE, own), get("/wall", here)
    asked = [
        get("/", here), get("/?key=x", here), get("/live", here), get("/static/style.css", here), get("/no", here),
        get("/%00%ff", here), get("/" + "a" * 5000, here), get("/../../etc/passwd", here), get("//evil.example/", here),
        get("/wall", "evil.example"), get("/wall", here, "Host: two"), get("/wall", here, "Origin: https://evil.example"),
        get_wall.replace("GET", "POST", 1), get_wall.replace("GET", "DELETE", 1), get_wall.replace("GET", "BREW", 1),
        get_wall.replace(f"Host: {here}\r\n", ""), "GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        get("/wall", here, "Content-Length: 5", "Transfer-Encoding: chunked"), get("/wall", here, "Content-Length: -1"),
        get("/wall", here, "Content-Length: 5", "Content-Length: 6"),
        upgrade, upgrade.replace("13", "7"), upgrade.replace("AAAA", ""), upgrade.replace("GET", "POST", 1),
        upgrade.replace(own, "Origin: null"), upgrade.replace("websocket", "h2c"),
    ]  # fmt: skip
    answers = {one: await ask_as_guest(shared.place, one, GUEST) for one in asked}
    assert all(status_of(answer) == 404 and b"needs its key" in answer for answer in answers.values()), [
        (one[:60], answer[:120]) for one, answer in answers.items() if status_of(answer) != 404
    ]
    seen = {
        tuple(sorted(line for line in answer.lower().split(b"\r\n") if not line.startswith(b"date:")))
        for answer in answers.values()
    }
    assert len(seen) == 1, seen
    await shared.assert_training_goes_on()


@pytest.mark.parametrize("host", ["evil.example", "localhost:{port}", "127.0.0.1", "127.0.0.1:1", ""])
async def test_a_foreign_host_gets_nothing_even_with_a_pass(shared: Shared, host: str) -> None:
    cookie = await shared.enter(Role.CONTROL)
    host = host.format(port=shared.place.split(":")[1])
    for path in ("/train", f"/?key={shared.door.keys[Role.VIEW]}"):
        answer = await ask_as_guest(shared.place, get(path, host, f"Cookie: {cookie}"), GUEST)
        assert status_of(answer) == 404
    two = get("/train", shared.place, "Host: evil.example", f"Cookie: {cookie}")
    assert status_of(await ask_as_guest(shared.place, two, GUEST)) == 404


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://{place}", "https://{place}.evil.example", ""]
)
async def test_a_foreign_page_opens_no_socket_with_the_browsers_pass(shared: Shared, origin: str) -> None:
    cookie = await shared.enter(Role.CONTROL)
    given = [f"Origin: {origin.format(place=shared.place)}"] if origin else []
    asked = get("/live?person=anna", shared.place, f"Cookie: {cookie}", *UPGRADE, *given)
    assert status_of(await ask_as_guest(shared.place, asked, GUEST)) == 404
    await shared.assert_training_goes_on()


async def test_another_site_reads_nothing_through_the_browser(shared: Shared) -> None:
    cookie = await shared.enter(Role.VIEW)
    asked = get("/train", shared.place, f"Cookie: {cookie}", "Sec-Fetch-Site: cross-site")
    assert status_of(await ask_as_guest(shared.place, asked, GUEST)) == 404


@pytest.mark.parametrize(
    ("message", "code"),
    [(b"\0steer", WRONG_KIND), ("x" * (LARGEST_MESSAGE + 1), 1009), (b"\0" * (LARGEST_MESSAGE + 1), 1009)],
)
async def test_binary_and_huge_messages_end_the_socket_and_nothing_else(
    shared: Shared, message: str | bytes, code: int
) -> None:
    async with shared.socket(await shared.enter(Role.CONTROL)) as page:
        await page.send(message)
        await page.wait_closed()
        assert page.close_code == code
    await shared.assert_training_goes_on()


async def test_a_flood_of_messages_ends_the_socket(shared: Shared) -> None:
    async with shared.socket(await shared.enter(Role.CONTROL)) as page:
        with contextlib.suppress(Exception):
            for _ in range(3 * BURST):
                await page.send('{"do":"nothing"}')
        await page.wait_closed()
        assert page.close_code == TOO_MANY
    await shared.assert_training_goes_on()


@pytest.mark.parametrize("frame", [b"\x89\x80", b"\x8a\x80", b"\x00\x80"], ids=["ping", "pong", "continuation"])
async def test_a_flood_of_frames_that_are_no_messages_ends_the_socket(shared: Shared, frame: bytes) -> None:
    begun = b"\x01\x80" + bytes(4) if frame[0] == 0 else b""
    async with shared.socket(await shared.enter(Role.VIEW)) as page:
        page.transport.write(begun + (frame + bytes(4)) * 5000)
        async with asyncio.timeout(5):
            await page.wait_closed()
    await shared.assert_training_goes_on()


async def test_malformed_messages_are_refused_in_a_sentence(shared: Shared) -> None:
    async with shared.socket(await shared.enter(Role.CONTROL)) as page:
        for text in ("", "[]", "{", '{"do":"steer"}', '{"do":"begin","sensor":["x"]}', "[" * 5000):
            await page.send(text)
            while "refused" not in (news := json.loads(await page.recv())):
                pass
            assert news["refused"]
    await shared.assert_training_goes_on()


async def test_guests_and_their_sockets_are_limited_and_one_address_keeps_no_other_out(shared: Shared) -> None:
    cookie = await shared.enter(Role.VIEW)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(SOCKETS):
            await stack.enter_async_context(shared.socket(cookie))
        asked = get("/live", shared.place, f"Cookie: {cookie}", *UPGRADE, f"Origin: https://{shared.place}")
        assert status_of(await ask_as_guest(shared.place, asked, GUEST)) == 404
        for _ in range(GUESTS_OF_ADDRESS + 3):
            await shared.enter(Role.VIEW, GUEST)
        guests = shared.door.guests
        assert [one.address for one in guests] == [TABLET] + [GUEST] * GUESTS_OF_ADDRESS
        for guest in guests:
            guest.sockets = max(guest.sockets, 1)  # every guest has a page open
        one_more = get(f"/?key={shared.door.keys[Role.VIEW]}", shared.place)
        assert status_of(await ask_as_guest(shared.place, one_more, GUEST)) == 404
        for number in range(GUESTS - len(guests) + 2):
            await shared.enter(Role.VIEW, f"127.0.1.{1 + number}")
            guests[-1].sockets = 1
        assert len(guests) == GUESTS and guests[0].sockets == SOCKETS
        assert sum(one.address == GUEST for one in guests) == GUESTS_OF_ADDRESS - 2


@pytest.mark.realtime
async def test_two_thousand_unfinished_requests_with_the_key_keep_no_one_out_and_end(shared: Shared) -> None:
    """A guest watches, asks for pages on each connection, and finishes no further request; the others go on."""
    host, port = shared.place.split(":")
    cookie, context, held = await shared.enter(Role.VIEW, GUEST), trusting(), []
    asked = get("/manifest.json", shared.place, f"Cookie: {cookie}", "Connection: keep-alive").encode()

    async def hold(number: int) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            source = f"127.0.3.{1 + number % 8}", 0  # addresses of one guest
            reader, writer = await asyncio.open_connection(host, int(port), ssl=context, local_addr=source)
            held.append((reader, writer))
            writer.write(asked + b"GET /wall HTTP/1.1\r\nHost: x")
            await reader.readuntil(b"standalone")

    async with shared.socket(await shared.enter(Role.VIEW)) as page:
        for first in range(0, 2000, 50):
            await asyncio.gather(*(hold(number) for number in range(first, first + 50)))
            if first % 500 == 450:
                await shared.assert_training_goes_on()
                await page.recv()
                async with shared.socket(await shared.enter(Role.VIEW, "127.0.0.9"), "127.0.0.9") as other:
                    await other.recv()
                for _, writer in held[:-200]:
                    writer.transport.abort()
                del held[:-200]
    assert sum(not writer.transport.is_closing() for _, writer in held) <= MOST_ADMITTED
    async with asyncio.timeout(HEADER_S + 4):  # none of them stays
        for reader, writer in held:
            with contextlib.suppress(OSError, ssl.SSLError):
                await reader.read()
            writer.transport.abort()


async def test_two_thousand_connections_leave_the_screens_and_the_training(shared: Shared) -> None:
    host, port = shared.place.split(":")
    async with shared.socket(await shared.enter(Role.VIEW)) as page:
        opened: list[socket.socket] = []
        for number in range(2000):
            opened.append(socket.socket())
            opened[-1].setblocking(False)
            opened[-1].bind((f"127.0.{1 + number % 200}.9", 0))
            opened[-1].connect_ex((host, int(port)))
            if number % 500 == 499:
                await shared.assert_training_goes_on()
                await page.recv()
                await shared.enter(Role.VIEW)
                while len(opened) > 300:
                    opened.pop(0).close()
        for one in opened:
            one.close()


@pytest.mark.realtime
async def test_slow_headers_are_ended(shared: Shared) -> None:
    host, port = shared.place.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting(), local_addr=(GUEST, 0))
    began_s = asyncio.get_running_loop().time()
    with contextlib.suppress(OSError):
        while not reader.at_eof() and asyncio.get_running_loop().time() - began_s < HEADER_S + 5:
            writer.write(b"G")
            await asyncio.sleep(0.3)
    assert asyncio.get_running_loop().time() - began_s < HEADER_S + 3
    writer.transport.abort()
    await shared.assert_training_goes_on()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_body_that_turns_to_garbage_after_its_answer_ends_quietly(
    shared: Shared, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = shared.place.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting(), local_addr=(TABLET, 0))
    asked = get("/wall", shared.place, f"Cookie: {await shared.enter(Role.VIEW)}", "Transfer-Encoding: chunked")
    writer.write(asked.replace("Connection: close", "Connection: keep-alive").replace("GET", method, 1).encode())
    await reader.readuntil(b"</html>")
    writer.write(b"no chunk at all\r\n")
    async with asyncio.timeout(HEADER_S + 20):
        await reader.read()
    writer.transport.abort()
    assert not [record for record in caplog.records if record.exc_info]
    await shared.assert_training_goes_on()


async def test_no_key_is_logged(shared: Shared, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    await shared.enter(Role.VIEW)
    await ask_as_guest(shared.place, get(f"/?key={shared.door.keys[Role.VIEW]}x", shared.place), GUEST)
    await ask_as_guest(shared.place, f"GARBAGE {shared.door.keys[Role.VIEW]}\r\n\r\n", GUEST)
    assert not any(key in caplog.text for key in shared.door.keys.values())


# --- in a browser ----------------------------------------------------------------------------------------------------

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


async def look_at_the_owners_pages(page: Any, door: OwnersDoor, desks: Desks) -> None:
    """An open section stays open when the owner's page reloads; the invitation of each kind of phone fits."""
    page.set_default_timeout(120_000)
    await page.goto(door.address("share"))
    await page.get_by_text("The browser warns. Why?").click()
    await page.evaluate("document.getElementById('guests-heading').dataset.old = '1'")
    await page.locator("#guests-heading:not([data-old])").wait_for()  # the page has looked again
    assert await page.get_by_text("visit this website").is_visible()
    desk, browser = desks.of("anna"), PhoneAddress("https://192.0.2.1:8766/secret/", "AA:BB" * 10)
    for address, words in (
        (browser, "visit this website"),
        (PhoneAddress("http://192.0.2.1:8767/abc", ""), "Tap to Test Pushing"),
    ):
        desk._invite(address)
        for width, height in ((1280, 800), (390, 844)):
            await page.set_viewport_size({"width": width, "height": height})
            await page.goto(f"http://{door.place}/train?person=anna")
            await page.get_by_role("link", name=address.url).wait_for()
            assert await page.get_by_text(words).is_visible()
            assert await page.get_by_text("visit this website").is_visible() == bool(address.fingerprint)
            assert await page.evaluate("document.querySelector('#invite img').getBoundingClientRect().top >= 0")
            assert await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: sudo apt-get install chromium")
async def test_a_guests_wall_fits_every_screen_and_ends_when_the_guest_is_thrown_out(shared: Shared) -> None:
    playwright = pytest.importorskip("playwright.async_api", reason="needs playwright")
    shared.desks.begin("", Wish("other"))
    wrong: list[str] = []
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page(ignore_https_errors=True)
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda one: wrong.append(one.url) if shared.place not in one.url else None)
        await page.goto(shared.door.address(Role.VIEW))
        for width, height in ((1920, 1080), (1280, 800), (390, 844)):
            await page.set_viewport_size({"width": width, "height": height})
            card = page.locator('[data-whose="anna"]')
            await card.get_by_text("Anna").wait_for()
            assert await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
            assert await page.locator(".person-card").count() == 2
        assert shared.door.keys[Role.VIEW] not in page.url
        await card.click()
        await page.locator("#live .count").wait_for()
        assert not await page.locator(".controls").is_visible()
        shared.door.throw_out(shared.door.guests[0].number)
        await page.get_by_text("No connection to the program").wait_for()
        await page.close()
        with listen("127.0.0.1", 0) as listening:
            door = OwnersDoor(listening.getsockname()[1])
            async with serving(site(shared.desks, door, shared.sharing), listening):
                await look_at_the_owners_pages(await browser.new_page(), door, shared.desks)
        await browser.close()
    assert wrong == []
