"""Listen on this computer, open the browser, serve until stopped, end in good order.

Whatever ends the server ends the training first, so that it is kept. This module refuses to know what the pages show.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imu.app.ending import ended_by_signals
from imu.app.web.desk import TrainingDesk, Wish
from imu.app.web.guard import KEY
from imu.app.web.key import key_in
from imu.errors import ExtraMissing, ImuError
from imu.store.home import home

if TYPE_CHECKING:
    import uvicorn

ADDRESS = "127.0.0.1"
"""Nobody else's computer is listened to."""
PORT = 8765
CLOSING_S = 2
"""So long pages may take to take leave."""


class PortTaken(ImuError):
    """The port is in use; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class WebOptions:
    """How to serve.

    Attributes
    ----------
    port : int or None
        0 for any that is free; ``None`` for the usual one, or if that is in use for any.
    browse : bool
        Whether to open the browser.
    software_version : str
        Stands in recordings and the store.
    wish : Wish or None
        A training to begin with.
    """

    port: int | None
    browse: bool
    software_version: str
    wish: Wish | None = None


def serve(options: WebOptions, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises
    ------
    ExtraMissing
        If NiceGUI is not installed.
    PortTaken
        If the port is in use.
    """
    try:
        import nicegui  # noqa: F401, PLC0415  an extra, and slow
    except ImportError as error:
        raise ExtraMissing('the page needs NiceGUI: python -m pip install "imu-training[web]"') from error
    listening = _listen(PORT if options.port is None else options.port, any_other=options.port is None)
    with listening:
        asyncio.run(_serve(options, listening, say))


def _listen(port: int, *, any_other: bool) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows lets others take a port that is in use
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((ADDRESS, port))
    except OSError as error:
        listening.close()
        if any_other:
            return _listen(0, any_other=False)
        raise PortTaken(
            f"port {port} cannot be had ({error.strerror}): perhaps imu web runs already; --port 0 takes a free one"
        ) from error
    return listening


async def _serve(options: WebOptions, listening: socket.socket, say: Callable[[str], None]) -> None:
    from imu.app.web.site import site  # noqa: PLC0415  imports NiceGUI

    port = listening.getsockname()[1]
    key = key_in(home())
    desk = TrainingDesk(options.software_version)
    server = _server(site(desk, key, port))
    path = "train" if options.wish is not None else ""
    address = f"http://{ADDRESS}:{port}/{path}?{KEY}={key}"
    ending: list[asyncio.Task[None]] = []

    async def end() -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone, and that is why it ends
            say("ending")
        try:
            await desk.close()
        finally:
            server.should_exit = True

    def stop() -> None:
        ending.append(asyncio.get_running_loop().create_task(end()))

    with ended_by_signals(stop):
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if options.wish is not None:
            desk.begin(options.wish)
        say(f"The page is at {address}")
        say("Ctrl-C ends it; a training that goes on is kept.")
        if options.browse:
            await asyncio.to_thread(webbrowser.open, address)
        await serving
        await desk.close()
    if desk.last_session is not None:
        with contextlib.suppress(OSError):
            say(f"Session {desk.last_session} is kept; imu review {desk.last_session} shows it.")


def _server(app: object) -> uvicorn.Server:
    import uvicorn  # noqa: PLC0415  slow

    class Server(uvicorn.Server):
        """A server that leaves signals alone: the training ends before it does."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        access_log=False,
        log_level="warning",
        ws_per_message_deflate=False,  # nothing is gained within one computer
        timeout_graceful_shutdown=CLOSING_S,
        server_header=False,
        loop="none",
    )
    return Server(config)
