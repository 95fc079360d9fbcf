"""The right to ask the page's server, with real requests to a real process; and its end."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import IMU, NEEDS_SHARE, Served, served
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from imu.app.web.guard import WRONG_KIND
from imu.phone.gate import HEADER_S

pytestmark = pytest.mark.process
RECORDINGS = Path(__file__).parents[1] / "recordings"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("home")) as one:
        yield one


def open_websocket(page: Served, path: str = "/live", **headers: str) -> int:
    """Ask for a websocket; return the status that comes back: 101 opens it."""
    given = {"Host": f"127.0.0.1:{page.port}", "Origin": page.root, "Cookie": page.cookie} | headers
    lines = [f"{name}: {value}" for name, value in given.items() if value]
    request = [
        f"GET {path} HTTP/1.1",
        *lines,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as link:
        link.sendall(("\r\n".join(request) + "\r\n\r\n").encode())
        return int(link.recv(4096).split()[1])


def test_only_this_computer_is_listened_to(page: Served) -> None:
    listening = subprocess.run([sys.executable, "-c", _LISTENING], capture_output=True, text=True, check=True)
    at_port = [line for line in listening.stdout.splitlines() if line.endswith(f":{page.port:04X}")]
    if not Path("/proc/net/tcp").exists():
        pytest.skip("only Linux tells who listens in /proc/net/tcp")
    assert at_port == [f"0100007F:{page.port:04X}"]


_LISTENING = """
from pathlib import Path
for name in ("tcp", "tcp6"):
    path = Path("/proc/net") / name
    for line in (path.read_text().splitlines()[1:] if path.exists() else []):
        _, local, _, state, *_ = line.split()
        if state == "0A":
            print(local)
"""


def test_the_key_in_the_address_becomes_a_cookie(page: Served) -> None:
    status, headers, _ = page.ask(f"/train?key={page.key}")
    assert status == 303
    assert headers["location"] == "/train"
    cookie = headers["set-cookie"]
    assert cookie.startswith(page.cookie) and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert page.ask("/train", Cookie=page.cookie)[0] == 200
    assert page.ask("/train", Cookie=f'odd="{{[; {page.cookie}; b')[0] == 200


def test_an_address_of_another_computer_is_not_gone_on_to(page: Served) -> None:
    assert page.ask(f"//evil.example/?key={page.key}")[1]["location"] == "/evil.example/"


@pytest.mark.parametrize(
    "path", ["/", "/train", "/sessions", "/session/1", "/trends", "/export/csv", "/backup", "/static/style.css", "/no"]
)
def test_nothing_without_the_key(page: Served, path: str) -> None:
    for headers in ({}, {"Cookie": f"imu_{page.port}=0"}, {"Cookie": f"imu_{page.port}="}, {"Cookie": ';;="{'}):
        assert page.ask(path, **headers)[0] == 403
    assert page.ask(f"{path}?key={'0' * 32}")[0] == 403
    assert page.ask(f"{path}?key=")[0] == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:1", "[::1]:1", "127.0.0.1"]
)
def test_a_foreign_name_for_this_computer_reads_nothing(page: Served, host: str) -> None:
    """DNS rebinding: the name is foreign, the address is ours."""
    assert page.ask("/", Host=host, Cookie=page.cookie)[0] in (400, 403)
    assert open_websocket(page, Host=host, Origin=f"http://{host}") == 403


def test_localhost_is_a_name_of_this_computer(page: Served) -> None:
    assert page.ask("/train", Host=f"localhost:{page.port}", Cookie=page.cookie)[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", ""])
def test_another_site_can_steer_nothing(page: Served, origin: str) -> None:
    """CSRF: the browser sends our cookie, but says who asks."""
    headers = {"Origin": origin} if origin else {}
    for path in ("/import", "/recover", "/learning", "/session/1/delete", "/session/1/undo"):
        assert page.ask(path, "POST", Cookie=page.cookie, **headers)[0] == 403
    assert open_websocket(page, Origin=origin) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_can_read_nothing(page: Served, site: str) -> None:
    assert page.ask("/", Cookie=page.cookie, Sec_Fetch_Site=site)[0] == 403
    assert page.ask("/", Cookie=page.cookie, Sec_Fetch_Site="same-origin")[0] == 200


def test_our_own_page_may_open_the_websocket_with_the_key_only(page: Served) -> None:
    assert open_websocket(page) == 101
    assert open_websocket(page, Cookie="") == 403


def test_a_malformed_message_is_refused_and_a_binary_one_ends_the_socket(page: Served) -> None:
    headers = {"Cookie": page.cookie, "Origin": page.root}
    with connect(f"{page.root.replace('http', 'ws')}/live", additional_headers=headers) as opened:
        opened.send("not json")
        answers = (json.loads(opened.recv(timeout=20)) for _ in range(20))
        assert "that cannot be" in next(answer["refused"] for answer in answers if "refused" in answer)
        opened.send(b"\xff\x00")
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(50):
                opened.recv(timeout=20)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == WRONG_KIND


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_mean_nothing(page: Served, method: str) -> None:
    assert page.ask("/", method, Cookie=page.cookie, Origin=page.root)[0] == 403


def test_the_page_forbids_the_browser_to_load_anything_from_elsewhere(page: Served) -> None:
    _, headers, body = page.ask("/train", Cookie=page.cookie)
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers
    assert b"https://" not in body.replace(b"http://www.w3.org", b"")


@pytest.mark.parametrize("path", ["/session/../../etc/passwd", "/session/1;ls", "/export/csv?session=../../etc/passwd",
                                  "/export/../backup", "/static/../../../../../../../etc/passwd",
                                  "/session/99999999999999999999999", "/session/-1"])  # fmt: skip
def test_no_path_is_taken_from_a_request(page: Served, path: str) -> None:
    status, _, body = page.ask(path, Cookie=page.cookie)
    assert status in (200, 404)
    assert b"root:" not in body


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/session/999", "There is no session 999"),
        ("/session/abc", "There is no page at this address."),
        ("/sessions?page=x", "“x” is not the number of a page."),
        ("/trends?weeks=-1", "“-1” is not the number of weeks."),
        (f"/session/{'9' * 5000}", "There is no page at this address."),
        ("/export/exe", "“exe” is not a format; choose one of csv, parquet, json, fit, html."),
        ("/export/csv", "There are no sessions to export yet."),
    ],
)
def test_a_wrong_address_gets_a_page_with_a_plain_sentence(page: Served, path: str, sentence: str) -> None:
    status, headers, body = page.ask(path, Cookie=page.cookie)
    assert status == 404 and headers["content-type"].startswith("text/html")
    assert sentence in body.decode() and "<nav" in body.decode()


def test_what_comes_from_outside_is_escaped(page: Served) -> None:
    _, _, body = page.ask("/sessions?page=%3Cscript%3Ealert(1)", Cookie=page.cookie)
    assert b"<script>alert" not in body and b"&lt;script&gt;" in body


def test_a_port_in_use_is_one_sentence(page: Served) -> None:
    command = [*IMU, "web", "--no-browser", "--port", str(page.port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "already in use" in done.stderr and len(done.stderr.splitlines()) == 1


def test_two_thousand_half_open_requests_do_not_stop_the_server(page: Served) -> None:
    """Each says a part of its headers and waits: the oldest give way, and the person's page is answered at once."""
    held = []
    for number in range(2000):
        held.append(socket.create_connection(("127.0.0.1", page.port), timeout=30))
        with contextlib.suppress(OSError):  # it gave way already
            held[-1].sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        if number % 250 == 249:
            began_s = time.monotonic()
            assert page.ask("/train", Cookie=page.cookie)[0] == 200
            assert time.monotonic() - began_s < 5
            while len(held) > 300:
                held.pop(0).close()
    for one in held:
        one.close()


def test_a_large_file_on_a_new_connection_is_read_with_the_key_and_not_without(page: Served) -> None:
    """The first bytes hold the key and a part of the file: the rest is read once the key was seen."""
    line = b'--b\r\nContent-Disposition: form-data; name="file"; filename="large.csv"\r\n\r\n'
    body = line + b"1,2,3\n" * 500_000 + b"\r\n--b--\r\n"
    for cookie, status in ((page.cookie, 409), ("", 403), (page.cookie, 409)):
        link = http.client.HTTPConnection("127.0.0.1", page.port, timeout=60)
        headers = {"Content-Type": "multipart/form-data; boundary=b", "Origin": page.root, "Cookie": cookie}
        with contextlib.closing(link), contextlib.suppress(*([] if cookie else [ConnectionError])):
            link.request("POST", "/import", body, headers)
            answer = link.getresponse()
            assert answer.status == status
            if cookie:
                assert "“large.csv”: " in json.loads(answer.read())["refused"]


def test_what_cannot_be_counted_in_an_archive_is_named_and_the_rest_is_imported(page: Served) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("good.csv.gz", (RECORDINGS / "simulated_air_squats.csv.gz").read_bytes())
        archive.writestr("bad.csv", "hello,world\n1,2\n")
    sent = [("date", "", b"2026-03-01T10:00:00Z"), ("file", "two.zip", packed.getvalue())]
    body = b""
    for name, file, content in sent:
        body += f'--b\r\nContent-Disposition: form-data; name="{name}"'.encode()
        body += (f'; filename="{file}"' if file else "").encode() + b"\r\n\r\n" + content + b"\r\n"
    link = http.client.HTTPConnection("127.0.0.1", page.port, timeout=60)
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Origin": page.root, "Cookie": page.cookie}
    with contextlib.closing(link):
        link.request("POST", "/import", body + b"--b--\r\n", headers)
        refused = json.loads(link.getresponse().read())["refused"]
    assert refused.startswith("Of “two.zip”, session 1 is imported, 1 file is not. “bad.csv”: the columns")


@pytest.mark.realtime
def test_slow_headers_are_ended(page: Served) -> None:
    began_s = time.monotonic()
    with socket.create_connection(("127.0.0.1", page.port), timeout=HEADER_S + 5) as slow:
        with contextlib.suppress(OSError):
            while time.monotonic() - began_s < HEADER_S + 5:
                slow.sendall(b"a")
                time.sleep(0.2)
        assert time.monotonic() - began_s < HEADER_S + 3


def test_the_key_is_another_one_at_each_start_and_stands_in_no_file(page: Served, tmp_path: Path) -> None:
    with served(page.home) as again:
        assert again.key != page.key
        assert again.ask("/train", Cookie=f"imu_{again.port}={page.key}")[0] == 403
        assert not [file for file in page.home.rglob("*") if file.is_file() and again.key.encode() in file.read_bytes()]


def test_the_browser_that_is_opened_gets_a_ticket_that_works_once(tmp_path: Path) -> None:
    """Other users of a computer read the command line of the browser; the key stands in none."""
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n')
    browser.chmod(0o755)
    with served(tmp_path / "home", "--port", "0", command="web", browser=f"{browser} %s") as page:
        end_s = time.monotonic() + 20
        while not (seen.exists() and seen.read_text()) and time.monotonic() < end_s:
            time.sleep(0.05)
        path = seen.read_text().removeprefix(page.root)
        assert path.startswith("/?key=") and page.key not in path
        status, headers, _ = page.ask(path)
        assert status == 303 and page.ask("/train", Cookie=headers["set-cookie"].partition(";")[0])[0] == 200
        assert page.ask(path)[0] == 403


@NEEDS_SHARE
def test_the_address_for_a_phone_stands_in_the_terminal_too_and_what_a_duration_ends(tmp_path: Path) -> None:
    arguments = ("--web", "--sensor", "phone", "--duration", "90")
    with served(tmp_path, *arguments, command="train") as one:
        assert one.process.stdout is not None
        lines: list[str] = []
        for line in iter(one.process.stdout.readline, ""):
            lines.append(line)
            if "Waiting for the phone" in line:
                break
        said = "".join(lines)
    assert "A training ends after 90 s; the page stays." in said
    assert re.search(r"^https://[\d.]+:\d+/[\w-]{22}/$", said, re.MULTILINE)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_good_order(tmp_path: Path, how: signal.Signals) -> None:
    with served(tmp_path) as one:
        said = one.end(how)
        assert one.process.returncode == 0
        assert "Traceback" not in said


def test_the_help_does_not_wait_for_the_web_server() -> None:
    code = "import sys; from imu.app import cli; sys.exit('starlette' in sys.modules or 'uvicorn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['starlette'] = None; from imu.app.cli import main; main()"
    command = [sys.executable, "-c", code, "web", "--no-browser", "--port", "0"]
    environment = os.environ | {"IMU_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'python -m pip install "imu-training[web]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_has_no_json() -> None:
    done = subprocess.run([*IMU, "train", "--web", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
