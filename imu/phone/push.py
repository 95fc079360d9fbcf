"""The server that the app Sensor Logger pushes to: one address that takes messages, over HTTP.

The app gives no way to accept a certificate that this computer has signed itself, so that the messages cross the
network unencrypted; imu/app/README.md says what follows. The rest is as for the page (:mod:`imu.phone.browser`): a
key that is new at each start, limits, and one answer to any wrong request. The content of a message is in
:mod:`imu.sensors.sensor_logger_push`. Where something is missing, the answer is 499 with a sentence that the app shows.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from html import escape
from typing import Any

from imu.errors import needs_extra
from imu.phone import ENDED, LARGEST_MESSAGE, NUMBERS, TRAINING_ENDED, PhoneAddress, PhoneLink
from imu.phone.browser import BURST_BYTES, BURST_FRAMES, BYTES_PER_S, FRAMES_PER_S, SILENT_S
from imu.phone.gate import NO_KEY, Allowance, Connection, Gate, listen, place_of
from imu.sensors.phone import REFUSED, SETTLED
from imu.sensors.sensor_logger_push import PUSH, decode_push

PORT = 8767
KEY_LETTERS, KEY_LENGTH = "abcdefghjkmnpqrstuvwxyz23456789", 10
"""49 bits that a person can type; the gate lets too few strangers in to try them."""
MOST_UNREAD_BYTES = 256 * 1024
"""Answers that may wait for a client to read them."""
NOT_UNDERSTOOD = "This is no message of Sensor Logger that imu understands: update the app."
TOO_LONG = "The message is too long: set a shorter batch period in the app."
READY = "imu is ready: start recording."

INVITATION = """\
Install Sensor Logger (free, for iPhone and Android), and connect the phone to the same network as this computer. In the
app, tap the gear on the Logger page, choose HTTP Push, and enter this address; the code opens a page to copy it from:

{code}{url}

Switch on Accelerometer, Gravity and Gyroscope with 100 Hz, and "Standardise Units & Frames" in the settings.
"Tap to Test Pushing" must succeed. Then start recording, and put the phone tightly into the waistband.

The address is valid for this training only. Others on the network can read the motion: the app sends it unencrypted;
`imu train --sensor phone` does not. Waiting for the phone; Ctrl-C ends."""

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sensor Logger</title>
<style>
  :root {{ color-scheme: light dark }}
  body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 30rem; margin: 6vh auto; padding: 0 1.2rem }}
  h1 {{ font-size: 1.6rem }} ol {{ padding-left: 1.3rem }}
  input {{ box-sizing: border-box; width: 100%; font: .9rem system-ui; padding: .8rem;
  border: 2px solid #4aa3ff; border-radius: .6rem }}
  li {{ margin: .6rem 0 }}
</style>
<h1>Train with Sensor Logger</h1>
<ol>
  <li>Copy this address:<br><input readonly aria-label="Address" value="{url}"></li>
  <li>In the app, tap the gear on the Logger page, choose <b>HTTP Push</b>, and paste it.</li>
  <li>Switch on <b>Accelerometer</b>, <b>Gravity</b> and <b>Gyroscope</b> with 100 Hz, and in the settings
  <b>Standardise Units &amp; Frames</b>.</li>
  <li><b>Tap to Test Pushing</b> must succeed. Start recording, and put the phone tightly into the waistband.</li>
</ol>
</html>
"""


@asynccontextmanager
async def push_server(
    link: PhoneLink, *, address: str | None = None, port: int | None = None
) -> AsyncIterator[PhoneAddress]:
    """Take messages of the app while the context is open.

    Parameters
    ----------
    link : PhoneLink
        Receives them.
    address : str or None
        Address to listen at; ``None`` for this computer's on the local network.
    port : int or None
        0 for any that is free; ``None`` for :data:`PORT`, or any that is free if another phone trains there.

    Raises
    ------
    ExtraMissing
        If a package of the extra ``share`` is not installed.
    PortTaken
        If the port is in use.
    """
    with needs_extra("share", "a phone needs a server"):
        import h11  # noqa: F401, PLC0415 - an extra
        import segno  # noqa: F401, PLC0415 - an extra
    with listen(address, port, PORT) as listening:
        _, place = place_of(listening)
        site = _Site(link, "".join(secrets.choice(KEY_LETTERS) for _ in range(KEY_LENGTH)), place)
        gate = Gate(lambda line: _Poster(site, line), None, (BURST_BYTES, BYTES_PER_S))
        async with gate.open(listening):
            try:
                yield PhoneAddress(site.url, "", INVITATION)
            finally:
                site.close()


class _Site:
    """The state that all connections share: the key, and the phone that sends.

    Parameters
    ----------
    link : PhoneLink
        Receives what the phone sends.
    key : str
        The path.
    place : str
        Host and port as printed.
    """

    def __init__(self, link: PhoneLink, key: str, place: str) -> None:
        self.place = place
        self.url = f"http://{place}/{key}"
        self.requests = Allowance(BURST_FRAMES, FRAMES_PER_S)
        self._link = link
        self._key = key
        self._complaint = ""
        self._silence: asyncio.TimerHandle | None = None

    def is_asked(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> bool:
        """Return whether a request has the key and this host, and no page of another site makes it."""
        hosts, origins, sites = (
            [value for name, value in headers if name == wanted] for wanted in (b"host", b"origin", b"sec-fetch-site")
        )
        is_own = hosts == [self.place.encode()] and origins in ([], [f"http://{self.place}".encode()])
        is_foreign = any(site not in (b"none", b"same-origin") for site in sites)
        return is_own and not is_foreign and hmac.compare_digest(target, f"/{self._key}".encode())

    def take(self, body: bytes) -> tuple[int, str]:
        """Take a message; return status and text of the answer."""
        push = decode_push(body)
        if push is None:
            return 499, NOT_UNDERSTOOD
        name = push.device.encode(errors="replace")
        if (refusal := self._link.refusal(name)) is not None:
            return 499, refusal
        if not push.readings:  # a test, or sensors that are not used
            return 200, READY
        if self._silence is None:
            self._link.connect(self._send, name)
        else:
            self._silence.cancel()
        self._silence = asyncio.get_running_loop().call_later(SILENT_S, self.close)
        self._link.hear(self._send, PUSH, body)
        return (499, self._complaint) if self._complaint else (200, READY)

    def close(self) -> None:
        """Take that the phone is gone."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
            self._link.disconnect(self._send)

    def _send(self, payload: bytes) -> None:
        """Keep what the driver says for the next answer."""
        if payload[0] == NUMBERS[REFUSED]:
            self._complaint = payload[1:].decode()
        elif payload[0] == NUMBERS[SETTLED]:
            self._complaint = ""
        elif payload == ENDED:
            self._complaint = TRAINING_ENDED


class _Poster(asyncio.Protocol):
    """One connection: requests one after another, each with its answer."""

    def __init__(self, site: _Site, line: Connection) -> None:
        import h11  # noqa: PLC0415 - an extra

        self._site = site
        self._line = line
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=8192)
        self._method = b""
        self._with_body = True  # of the answer
        self._body = bytearray()

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport: asyncio.Transport = transport
        self._end = asyncio.get_running_loop().call_later(SILENT_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - no cause is of interest
        """End."""
        self._end.cancel()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        import h11  # noqa: PLC0415 - an extra

        if self._transport.is_closing():
            return
        try:
            self._http.receive_data(data)
            while not self._transport.is_closing():
                if self._transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
                    self._transport.abort()  # it sends requests and does not read the answers
                    return
                event = self._http.next_event()
                if event in (h11.NEED_DATA, h11.PAUSED):
                    return
                self._take(event)
        except h11.RemoteProtocolError:
            self._method = b""
            with suppress(h11.LocalProtocolError):  # the request has its answer already
                self._answer(*self._answer_to(b""))
            self._transport.close()

    def _take(self, event: Any) -> None:
        import h11  # noqa: PLC0415 - an extra

        if isinstance(event, h11.Request):
            self._method = event.method if self._site.is_asked(event.target, list(event.headers)) else b""
            self._with_body = event.method != b"HEAD"
            if self._method and not self._site.requests.take():
                self._transport.abort()  # more than the app sends
            elif self._method:
                self._line.admit()
        elif isinstance(event, h11.Data):
            if len(self._body) <= LARGEST_MESSAGE:  # the rest is read for the answer to be seen, and dropped
                self._body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self._answer(*self._answer_to(bytes(self._body)))
            self._body.clear()
            if self._http.our_state is h11.DONE and self._method:
                self._http.start_next_cycle()
            else:
                self._transport.close()
            self._end.cancel()
            self._end = asyncio.get_running_loop().call_later(SILENT_S, self._transport.abort)
        else:  # the other side has closed
            self._transport.close()

    def _answer_to(self, body: bytes) -> tuple[int, str, str]:
        """Return status, text and media type of the answer to a request with this body."""
        if self._method == b"GET":
            return 200, PAGE.format(url=escape(self._site.url)), "html"
        if self._method != b"POST":
            return 404, NO_KEY, "html"
        if len(body) > LARGEST_MESSAGE:
            return 413, TOO_LONG, "plain"
        return *self._site.take(body), "plain"

    def _answer(self, status: int, text: str, media_type: str) -> None:
        import h11  # noqa: PLC0415 - an extra

        content = text.encode()
        headers = [
            ("Content-Type", f"text/{media_type}; charset=utf-8"),
            ("Content-Length", str(len(content))),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ]
        headers += [] if self._method else [("Connection", "close")]
        answer: list[Any] = [h11.Response(status_code=status, headers=headers)]
        answer += [h11.Data(data=content)] if self._with_body else []
        answer.append(h11.EndOfMessage())
        for event in answer:
            self._transport.write(self._http.send(event) or b"")
