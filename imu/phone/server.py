"""The server that a phone opens: one page and one socket, over HTTPS, behind a key that is new at each start.

A guest of the same network who has no key sees that something listens, and reads one page that says so. A phone with
the key sends motion to this training. Nothing can be read or steered here. THREATS.md has the limits in one table.

The server is small on purpose. `websockets` parses requests and frames (its part without input and output), asyncio
carries bytes and TLS, and this file decides who may come in: before the TLS handshake by the number of connections,
before an answer by key, ``Host`` and ``Origin``, and afterwards by size, rate and silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import io
import logging
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu.errors import ExtraMissing, ImuError
from imu.phone.certificate import certificate_in, local_address, server_context
from imu.phone.link import LARGEST_MESSAGE, NUMBERS, PhoneLink
from imu.sensors.phone import REFUSED

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

PORT = 8766
HANDSHAKE_S = 5.0
"""Longest TLS handshake; on a local network it takes 0.1 s."""
HEADER_S = 8.0
"""From the handshake to a whole request, and for a socket to the page's hello. Then the connection is closed."""
SILENT_S = 15.0
"""A connected page sends several times a second. After this silence the connection counts as lost."""
CLOSE_S = 2.0
"""From the last byte written to the end of the connection, whether the other side reads it or not."""
MOST_CONNECTIONS = 40
"""Open at a time; one more is closed before its TLS handshake. The phone's address is not subject to this limit."""
MOST_PER_ADDRESS = 8
"""Of one address: a page, its script, its socket, and those that a browser opens in advance."""
BURST_BYTES, BYTES_PER_S = 4 << 20, 512 << 10
"""A phone may send this much at once, and this much per second. At 60 Hz it sends 2 kB per second."""
MOST_UNREAD_BYTES = 64 << 10
"""A page that leaves this much unread is disconnected."""
TAKEN = 4001
"""Code with which the socket of a second phone is closed."""
SECOND_PHONE = "Another phone trains here. To use this phone, end the training on the computer and start it again."

INVITATION = """\
Connect the phone to the same network as this computer, and open this address with its camera or browser:

{code}{url}

The browser warns that the connection is not private: this computer has signed the certificate itself, because no
authority signs certificates for a home network. Go on if the certificate's SHA-256 fingerprint is the one below.
  iPhone, Safari: Show Details, then "visit this website".   Android, Chrome: Advanced, then "Proceed".
  {fingerprint}

The address is valid for this training only. Waiting for the phone; Ctrl-C ends."""

_SILENT = logging.getLogger("imu.phone.websockets")
_SILENT.setLevel(logging.CRITICAL + 1)  # requests hold the key


class PhonePortTaken(ImuError):
    """The port is in use; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class PhoneAddress:
    """Where the phone finds the page, and what it must see there.

    Attributes
    ----------
    url : str
        With the key.
    fingerprint : str
        SHA-256 of the certificate, as browsers show it.
    """

    url: str
    fingerprint: str

    def qr_code(self) -> str:
        """Return the URL as a QR code of half blocks, for a terminal."""
        import segno  # noqa: PLC0415 - an extra

        drawn = io.StringIO()
        segno.make(self.url, micro=False, error="l").terminal(drawn, compact=True, border=2)
        return drawn.getvalue()

    def invitation(self, *, with_qr_code: bool) -> str:
        """Return what to show in a terminal while the phone is not connected yet."""
        code = f"{self.qr_code()}\n" if with_qr_code else ""
        return INVITATION.format(code=code, url=self.url, fingerprint=self.fingerprint)


@asynccontextmanager
async def phone_server(
    link: PhoneLink, folder: Path, *, address: str | None = None, port: int = PORT
) -> AsyncIterator[PhoneAddress]:
    """Serve the page while the context is open.

    Parameters
    ----------
    link : PhoneLink
        Receives what the phone sends.
    folder : Path
        Where the certificate is kept.
    address : str or None
        Address to listen at; ``None`` for this computer's on the local network.
    port : int
        0 for any that is free.

    Raises
    ------
    ExtraMissing
        If a package of the extra ``share`` is not installed.
    CertificateUnusable
        If the certificate can be neither read nor written.
    PhonePortTaken
        If the port is in use.
    """
    try:
        import segno  # noqa: F401, PLC0415 - an extra
        import websockets.server  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ExtraMissing('a phone needs a page: python -m pip install "imu-training[share]"') from error
    here = address or local_address()
    certificate = certificate_in(folder, here)
    with _listening(here, port) as listening:
        place = f"{here}:{listening.getsockname()[1]}"
        site = _Site(link, secrets.token_urlsafe(16), place, server_context(certificate))
        accepting = asyncio.create_task(site.accept(listening), name="phone page")
        try:
            yield PhoneAddress(f"https://{place}/{site.key}/", certificate.fingerprint)
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            await site.close()


def _listening(address: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(128)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise PhonePortTaken(
            f"port {port} of {address} is already in use ({error.strerror}): end the other training, or wait a minute"
        ) from error
    return listening


class _Site:
    """All connections of one server.

    Parameters
    ----------
    link : PhoneLink
        Receives what the phone sends.
    key : str
        First part of each path.
    place : str
        Host and port as printed.
    context : SSLContext
        For TLS.
    """

    def __init__(self, link: PhoneLink, key: str, place: str, context: ssl.SSLContext) -> None:
        self.link = link
        self.key = key
        self.place = place
        self.phone: _Connection | None = None  # the one that sends motion
        self._context = context
        self._phone_address: str | None = None
        self._open: Counter[str] = Counter()  # connections of each address, handshakes included
        self._shaking: set[asyncio.Task[None]] = set()
        self._connections: set[_Connection] = set()

    async def accept(self, listening: socket.socket) -> None:
        """Accept connections, and close at once those over the limits."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listening)
            except OSError:  # no file descriptors left, or the connection is gone already
                await asyncio.sleep(0.2)
                continue
            address = str(peer[0])
            is_full = self._open.total() >= MOST_CONNECTIONS and address != self._phone_address
            if is_full or self._open[address] >= MOST_PER_ADDRESS:
                connection.close()
                continue
            self._open[address] += 1
            task = asyncio.create_task(self._shake_hands(connection, address))
            self._shaking.add(task)
            task.add_done_callback(self._shaking.discard)

    async def close(self) -> None:
        """Close all connections."""
        for task in tuple(self._shaking):
            task.cancel()
        await asyncio.gather(*self._shaking, return_exceptions=True)
        for connection in tuple(self._connections):
            connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while self._connections:
                    await asyncio.sleep(0.01)
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # for the transports' callbacks

    async def _shake_hands(self, connection: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        made: list[_Connection] = []

        def protocol() -> _Connection:
            made.append(_Connection(self, address))
            return made[0]

        try:
            await loop.connect_accepted_socket(
                protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=CLOSE_S,
            )
        except (OSError, asyncio.CancelledError):  # includes ssl.SSLError and time-outs
            if not (made and made[0].is_made):  # else `leave` is called when the connection ends
                self._close_address(address)
            connection.close()

    def enter(self, connection: _Connection) -> None:
        """Take a connection whose handshake is done."""
        self._connections.add(connection)

    def leave(self, connection: _Connection) -> None:
        """Take that a connection has ended."""
        self._connections.discard(connection)
        self._close_address(connection.address)
        if self.phone is connection:
            self.phone = None

    def take_phone(self, connection: _Connection) -> None:
        """Let a connection send motion, in place of an older one of the same phone."""
        older, self.phone = self.phone, connection
        self._phone_address = connection.address
        if older is not None:
            older.abort()

    def _close_address(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def answer(self, request: Request) -> tuple[int, str, str] | None:
        """Return status, media type and file of the answer to a request; ``None`` to open the socket.

        Whatever is wrong, the answer is the same page.
        """
        nothing = 404, "text/html", "no_key.html"
        parts = request.path.split("/")
        is_key = len(parts) == 3 and hmac.compare_digest(parts[1].encode(errors="replace"), self.key.encode())
        if not is_key or request.method != "GET" or request.headers.get_all("Host") != [self.place]:
            return nothing
        match parts[2]:
            case "":
                return 200, "text/html", "page.html"
            case "page.js":
                return 200, "text/javascript", "page.js"
            case "motion" if request.headers.get_all("Origin") == [f"https://{self.place}"]:
                return None
        return nothing

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each answer."""
        return {
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; "
            f"img-src data:; connect-src 'self' wss://{self.place}; frame-ancestors 'none'; base-uri 'none'; "
            "form-action 'none'",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
            "Permissions-Policy": "accelerometer=(self), gyroscope=(self), screen-wake-lock=(self)",
        }


class _Connection(asyncio.Protocol):
    """One connection: a request with its answer, or the socket of a phone."""

    def __init__(self, site: _Site, address: str) -> None:
        from websockets.server import ServerProtocol  # noqa: PLC0415 - an extra

        self._site = site
        self.address = address
        self.is_made = False
        self._http = ServerProtocol(max_size=LARGEST_MESSAGE, logger=_SILENT)
        self._message = bytearray()  # of fragments
        self._allowance = float(BURST_BYTES)
        self._heard_s = 0.0

    def connection_made(self, transport: Any) -> None:
        """Begin after the TLS handshake."""
        self._transport: asyncio.Transport = transport
        self._loop = asyncio.get_running_loop()
        self._heard_s = self._loop.time()
        self._end = self._loop.call_later(HEADER_S, self.abort)
        self.is_made = True
        self._site.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - no cause is of interest
        """End."""
        self._end.cancel()
        self._site.leave(self)
        self._site.link.disconnect(self.send)

    def abort(self) -> None:
        """End the connection at once; `connection_lost` follows."""
        self._transport.abort()

    def close(self) -> None:
        """End the connection once the other side has what was written."""
        self._transport.close()

    def send(self, payload: bytes) -> None:
        """Send a binary message to the page."""
        from websockets.protocol import State  # noqa: PLC0415 - an extra

        if self._http.state is State.OPEN:
            self._http.send_binary(payload)
            self._write()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        from websockets.http11 import Request  # noqa: PLC0415 - an extra

        if self._transport.is_closing() or not self._may_send(len(data)):
            return
        self._http.receive_data(data)
        for event in self._http.events_received():
            if isinstance(event, Request):
                self._answer(event)
            else:
                self._take_frame(event)
        self._write()

    def _may_send(self, size: int) -> bool:
        """Return whether the rate is kept; end the connection otherwise."""
        now_s = self._loop.time()
        self._allowance = min(BURST_BYTES, self._allowance + (now_s - self._heard_s) * BYTES_PER_S) - size
        self._heard_s = now_s
        if self._allowance < 0:
            self.abort()
        return self._allowance >= 0

    def _write(self) -> None:
        """Write what is due; end the connection after the last byte."""
        for data in self._http.data_to_send():
            if data:
                self._transport.write(data)
        if self._transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            self.abort()
        elif self._http.close_expected() and not self._transport.is_closing():
            self._end.cancel()
            self._end = self._loop.call_later(CLOSE_S, self.abort)
            self._transport.close()

    def _answer(self, request: Request) -> None:
        answer = self._site.answer(request)
        if answer is None:
            self._http.send_response(self._http.accept(request))
            return
        status, media_type, name = answer
        response: Response = self._http.reject(status, _file(name))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = f"{media_type}; charset=utf-8"
        response.headers.update(self._site.headers)
        self._http.send_response(response)

    def _take_frame(self, frame: Any) -> None:
        """Take a frame of the socket; `websockets` answers pings and closes by itself."""
        from websockets.frames import CloseCode, Opcode  # noqa: PLC0415 - an extra

        if frame.opcode is Opcode.TEXT:
            self._http.fail(CloseCode.UNSUPPORTED_DATA)
        elif frame.opcode in (Opcode.BINARY, Opcode.CONT):
            self._message += frame.data
            if frame.fin:
                message = bytes(self._message)
                self._message.clear()
                self._take_message(message)

    def _take_message(self, message: bytes) -> None:
        link = self._site.link
        if self._site.phone is self:
            link.hear(self.send, message)
        elif link.accepts(message):
            self._site.take_phone(self)
            link.connect(self.send, message)
        else:
            self._http.send_binary(bytes([NUMBERS[REFUSED]]) + SECOND_PHONE.encode())
            self._http.send_close(TAKEN)
            return
        self._end.cancel()
        self._end = self._loop.call_later(SILENT_S, self.abort)


def _file(name: str) -> str:
    return files("imu.phone").joinpath(name).read_text(encoding="utf-8")
