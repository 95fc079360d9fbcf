"""The server that a phone opens: one page and one socket, over HTTPS, behind a key that is new at each start.

What a guest of the same network can do without the key: see that something listens, and read one page that says so.
With the key: send motion to this training. Nothing can be read or steered here, and nothing else is served:

- every address begins with the key, compared in constant time; any other gives the same 404;
- ``Host`` must be the address that was printed, and the socket's ``Origin`` the page's own;
- a header has `HEADER_S` to arrive, a message at most `LARGEST_MESSAGE` bytes, and `MOST_CONNECTIONS` may be open;
- one phone trains at a time; a second one is turned away with a sentence, and the training goes on;
- the key is in no log and no referrer: nothing is logged, and the page forbids referrers.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu.errors import ExtraMissing, ImuError
from imu.phone.certificate import certificate_in, local_address, server_context
from imu.phone.link import LARGEST_MESSAGE, PhoneLink

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

PORT = 8766
HEADER_S = 8.0
"""A connection that has not sent a whole request by then is closed: half-open ones would use up the sockets."""
FIRST_MESSAGE_S = 8.0
"""The page says hello at once."""
MOST_CONNECTIONS = 40
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "permissions-policy": "accelerometer=(self), gyroscope=(self), screen-wake-lock=(self)",
}
TAKEN = 4001
"""Code with which the socket of a second phone is closed."""


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
        import io  # noqa: PLC0415

        import segno  # noqa: PLC0415 - an extra

        drawn = io.StringIO()
        segno.make(self.url, micro=False).terminal(drawn, compact=True)
        return drawn.getvalue()


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
        If a package of the extras is not installed.
    PhonePortTaken
        If the port is in use.
    """
    try:
        import segno  # noqa: F401, PLC0415 - an extra
        import starlette  # noqa: F401, PLC0415 - an extra
        import uvicorn  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ExtraMissing('a phone needs a page: python -m pip install "imu-training[web,share]"') from error
    here = address or local_address()
    certificate = certificate_in(folder, here)
    with _listening(here, port) as listening:
        place = f"{here}:{listening.getsockname()[1]}"
        key = secrets.token_urlsafe(16)
        config = uvicorn.Config(
            _site(link, key, place),
            http=_protocol(),
            ws="websockets",
            ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            access_log=False,
            log_level="critical",
            server_header=False,
            loop="none",
            lifespan="off",
        )
        config.load()
        config.ssl = server_context(certificate)
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        serving = asyncio.create_task(server.serve([listening]), name="phone page")
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            yield PhoneAddress(f"https://{place}/{key}/", certificate.fingerprint)
        finally:
            server.should_exit = True
            await serving


def _listening(address: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        raise PhonePortTaken(
            f"port {port} of {address} is already in use ({error.strerror}): end the other training, or wait a minute"
        ) from error
    return listening


def _protocol() -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP protocol with a limit on the time in which a request must arrive."""
    from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415 - slow to import

    class TimedProtocol(H11Protocol):
        """HTTP/1.1 that closes a connection without a whole request."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._deadline = self.loop.call_later(HEADER_S, self._close_if_silent)

        def connection_lost(self, exc: Exception | None) -> None:
            self._deadline.cancel()
            super().connection_lost(exc)

        def _close_if_silent(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

    return TimedProtocol


def _site(link: PhoneLink, key: str, place: str) -> Starlette:
    """Return the application: the page, its script and the socket below the key; anything else is the same 404."""
    from starlette.applications import Starlette  # noqa: PLC0415 - slow to import
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route, WebSocketRoute  # noqa: PLC0415

    def may(request: Request | WebSocket) -> bool:
        given = request.path_params.get("key", "")
        return hmac.compare_digest(given.encode(), key.encode()) and request.headers.getlist("host") == [place]

    def answer(name: str, media_type: str, status: int = 200) -> Response:
        return Response(_file(name), status, HEADERS, media_type)

    async def page(request: Request) -> Response:
        return answer("page.html", "text/html") if may(request) else answer("no_key.html", "text/html", 404)

    async def script(request: Request) -> Response:
        return answer("page.js", "text/javascript") if may(request) else answer("no_key.html", "text/html", 404)

    async def nothing(_request: Request, _error: Exception) -> Response:
        return answer("no_key.html", "text/html", 404)

    async def motion(socket: WebSocket) -> None:
        if not may(socket) or socket.headers.getlist("origin") != [f"https://{place}"]:
            await socket.close()  # before it is accepted: 403
            return
        await socket.accept()
        await _carry(link, socket)

    return Starlette(
        routes=[
            Route("/{key}/", page),
            Route("/{key}/page.js", script),
            WebSocketRoute("/{key}/motion", motion),
        ],
        exception_handlers={404: nothing, 405: nothing},
    )


async def _carry(link: PhoneLink, socket: WebSocket) -> None:
    """Carry the messages of one connection."""
    from starlette.websockets import WebSocketDisconnect  # noqa: PLC0415 - slow to import

    async def send(payload: bytes) -> None:
        await socket.send_bytes(payload)

    try:
        async with asyncio.timeout(FIRST_MESSAGE_S):
            first = await _bytes(socket)
    except (TimeoutError, WebSocketDisconnect):
        with contextlib.suppress(RuntimeError):
            await socket.close()
        return
    if first is None or not link.accepts(first):
        await socket.send_text(json.dumps({"refused": "Another phone is training. End its page first."}))
        await socket.close(TAKEN)
        return
    peer = "phone" if socket.client is None else socket.client.host
    link.connect(send, peer, first)
    try:
        while (payload := await _bytes(socket)) is not None:
            link.hear(send, payload)
    except WebSocketDisconnect:
        pass
    finally:
        link.disconnect(send)


async def _bytes(socket: WebSocket) -> bytes | None:
    """Return the next binary message; ``None`` for one of text, which the page never sends."""
    from starlette.websockets import WebSocketDisconnect  # noqa: PLC0415 - slow to import

    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    payload: bytes | None = message.get("bytes")
    return payload


def _file(name: str) -> str:
    return files("imu.phone").joinpath(name).read_text(encoding="utf-8")
