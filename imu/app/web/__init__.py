"""The page: train with it and look back. A web server on this computer for its owner, and for guests of a training.

This file listens, opens the browser, serves until stopped, and ends in good order: every way of ending the server ends
the training first, so that it is saved.

- :mod:`~imu.app.web.guard`: who may ask, for what, by which key; :mod:`~imu.app.web.page`: what all pages share.
- :mod:`~imu.app.web.site`: which page has which address, and for whom; roster, wall, and trainings on the network.
- :mod:`~imu.app.web.history`, :mod:`~imu.app.web.session`, :mod:`~imu.app.web.files`: looking back, correcting,
  exports and imports; :mod:`~imu.app.web.charts` has the numbers that are drawn.
- :mod:`~imu.app.web.desk`: the trainings that run, one for each person; :mod:`~imu.app.web.board` turns a view into
  an object for pages and :mod:`~imu.app.web.live_socket` sends it.

Pages are rendered by Starlette and Jinja2 (``templates/``); ``static/`` has style, scripts and uPlot (MIT), which draws
charts. Starlette is imported only where a server is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from imu.app import ended_by_signals
from imu.app.web.desk import Desks, Heard, TrainingDesk
from imu.app.web.guard import A_SECOND, BURST, Guard, OwnersDoor
from imu.errors import needs_extra
from imu.live.live_view import LiveView
from imu.live.memory import Wish
from imu.phone import PhoneAddress
from imu.phone.gate import Allowance, Gate, listen, pieces

ADDRESS = "127.0.0.1"
"""The loopback address: other computers cannot connect."""
PORT = 8765
LARGEST_MESSAGE = 64 << 10
"""Bytes of a message to a websocket: a plan has a few kilobytes."""


@dataclass(frozen=True, slots=True)
class WebOptions:
    """How to serve.

    Attributes
    ----------
    port : int or None
        0 for any free port; ``None`` for :data:`PORT`, or any free port if that one is in use.
    browse : bool
        Whether to open the browser.
    software_version : str
        Version that is written into recordings and the store.
    wishes : sequence of (str, Wish)
        Trainings to begin with, each with the name of the person's folder.
    share : bool
        Whether to share the trainings on the local network.
    """

    port: int | None
    browse: bool
    software_version: str
    wishes: Sequence[tuple[str, Wish]] = ()
    share: bool = False


def serve(options: WebOptions, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises
    ------
    ExtraMissing
        If Starlette and uvicorn are not installed.
    PortTaken
        If the port is in use.
    """
    with needs_extra("web", "the page needs an extra"):
        import starlette  # noqa: F401, PLC0415  an extra
        import uvicorn  # noqa: F401, PLC0415
    with listen(ADDRESS, options.port, PORT) as listening:
        asyncio.run(_serve(options, listening, say))


async def _serve(options: WebOptions, listening: socket.socket, say: Callable[[str], None]) -> None:
    from imu.app.web.site import Sharing, site  # noqa: PLC0415  imports Starlette

    port = listening.getsockname()[1]
    door = OwnersDoor(port)

    def say_end(desk: TrainingDesk) -> None:
        whose = f"{desk.name}: " if desk.whose else ""
        stays = "" if ending.is_set() else " The page stays open; Ctrl-C ends it."
        with contextlib.suppress(OSError):  # the terminal may be closed, which is why the server ends
            say(f"{whose}{desk.end_in_words}{stays}")

    desks = Desks(options.software_version, say_end)
    sharing = Sharing(lambda door: site(desks, door), serving, say)
    path = "" if not options.wishes else "train" if len(options.wishes) == 1 else "wall"
    ending = asyncio.Event()
    async with serving(site(desks, door, sharing), listening):
        with ended_by_signals(ending.set):
            for whose, wish in options.wishes:
                desks.of(whose).hear = partial(_say_address, say)
                desks.begin(whose, wish)
            say(f"The page is at {door.address(path)}")
            for duration_s in {wish.duration_s for _, wish in options.wishes} - {None}:
                say(f"A training ends after {duration_s:g} s; the page stays.")
            if options.share:
                await sharing.start()
                say(sharing.invitation(with_qr_code=sys.stdout.isatty()))
            say("Ctrl-C ends it and saves a training that is running.")
            if options.browse:
                await asyncio.to_thread(webbrowser.open, door.ticket(path))
            await ending.wait()
            with contextlib.suppress(OSError):  # the terminal may be closed, which is why the server ends
                say("ending")
            await desks.close()
            await sharing.stop()


def _say_address(say: Callable[[str], None], happened: Heard, _view: LiveView) -> None:
    """Show in the terminal too where a phone finds its page; the person may sit in front of either."""
    if isinstance(happened, PhoneAddress):
        say(happened.invitation(with_qr_code=sys.stdout.isatty()))


@asynccontextmanager
async def serving(
    guard: Guard, listening: socket.socket, context: ssl.SSLContext | None = None, rate: tuple[int, int] | None = None
) -> AsyncIterator[None]:
    """Serve an application behind a gate while the context is open.

    uvicorn turns bytes into requests; the gate accepts its connections, because uvicorn waits for headers for as long
    as it takes, on as many connections as there are file descriptors.

    Parameters
    ----------
    guard : Guard
        The application; it admits connections that have shown the key.
    listening : socket
        Where to accept connections.
    context : SSLContext or None
        For TLS.
    rate : tuple of int or None
        Bytes that a connection may send at once, and per second.
    """
    import h11  # noqa: PLC0415
    import uvicorn  # noqa: PLC0415  slow
    from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol  # noqa: PLC0415
    from uvicorn.server import ServerState  # noqa: PLC0415

    class Sockets(WebSocketsSansIOProtocol):
        """uvicorn's protocol, which ends the socket at a flood of frames without a message: the guard gets none."""

        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self._spare = Allowance(BURST, A_SECOND)

        def data_received(self, data: bytes) -> None:
            for piece in pieces(data):
                if not self.transport.is_closing():
                    super().data_received(piece)

        def handle_ping(self) -> None:
            self._take_spare(super().handle_ping)

        def handle_pong(self, event: Any) -> None:
            self._take_spare(partial(super().handle_pong, event))

        def handle_cont(self, event: Any) -> None:
            self._take_spare(partial(super().handle_cont, event))

        def _take_spare(self, handle: Callable[[], None]) -> None:
            if self._spare.take():
                handle()
            else:
                self.transport.abort()

    class Requests(H11Protocol):
        """uvicorn's protocol, with the guard's answer to bytes that are no request, and to a malformed websocket."""

        def send_400_response(self, msg: str) -> None:
            status, headers, body = guard.refusal(msg.rstrip("."))
            start = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase)
            for event in (start, h11.Data(data=body), h11.EndOfMessage()):
                with contextlib.suppress(h11.LocalProtocolError):  # the request has its answer already
                    self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

        def _should_upgrade(self) -> bool:
            wanted = (b"sec-websocket-version", rb"13"), (b"sec-websocket-key", rb"[A-Za-z0-9+/]{22}==")
            is_proper = (self.scope["method"], self.scope["http_version"]) == ("GET", "1.1") and all(
                len(values := [value for name, value in self.headers if name == wish]) == 1
                and re.fullmatch(pattern, values[0])
                for wish, pattern in wanted
            )
            return is_proper and super()._should_upgrade()

    config = uvicorn.Config(
        guard,
        access_log=False,  # an address may hold a key
        log_level="critical",
        http="h11",
        ws=Sockets,
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # a page on a busy computer may answer late; a page that is gone closes its socket
        server_header=False,
    )
    config.load()
    state = ServerState()
    gate = Gate(lambda _: Requests(config, state, {}), context, rate)
    guard.admit, guard.rest = gate.admit, gate.rest
    try:
        async with gate.open(listening):
            try:
                yield
            finally:
                for protocol in tuple(state.connections):
                    protocol.shutdown()
    finally:
        for task in tuple(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
