"""Listen on this computer, open the browser, serve until stopped, and end in good order.

Every way of ending the server ends the training first, so that the training is saved.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import socket
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imu.app.ending import ended_by_signals
from imu.app.web.desk import TrainingDesk, Wish
from imu.app.web.guard import KEY
from imu.errors import ExtraMissing, ImuError
from imu.store.home import home

if TYPE_CHECKING:
    import uvicorn

ADDRESS = "127.0.0.1"
"""The loopback address: other computers cannot connect."""
PORT = 8765
KEY_FILE = "web.key"
CLOSING_S = 2
"""How long the server waits for open requests when it ends."""


class PortTaken(ImuError):
    """The port is in use; choose another one."""


class KeyNotKept(ImuError):
    """The key of the page can be neither read nor written."""


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
        If Starlette and uvicorn are not installed.
    PortTaken
        If the port is in use.
    """
    try:
        import starlette  # noqa: F401, PLC0415  an extra
        import uvicorn  # noqa: F401, PLC0415
    except ImportError as error:
        raise ExtraMissing('the page needs an extra: python -m pip install "imu-training[web]"') from error
    listening = _listen(PORT if options.port is None else options.port, any_other=options.port is None)
    with listening:
        asyncio.run(_serve(options, listening, say))


def _listen(port: int, *, any_other: bool) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # without it, Windows gives out a port that is in use
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((ADDRESS, port))
    except OSError as error:
        listening.close()
        if any_other:
            return _listen(0, any_other=False)
        raise PortTaken(
            f"port {port} is already in use ({error.strerror}); is imu web running? --port 0 takes a free one"
        ) from error
    return listening


async def _serve(options: WebOptions, listening: socket.socket, say: Callable[[str], None]) -> None:
    from imu.app.web.site import site  # noqa: PLC0415  imports Starlette

    port = listening.getsockname()[1]
    key = key_in(home())
    desk = TrainingDesk(options.software_version)
    server = _server(site(desk, key, port))
    path = "train" if options.wish is not None else ""
    address = f"http://{ADDRESS}:{port}/{path}?{KEY}={key}"
    ending: list[asyncio.Task[None]] = []

    async def end() -> None:
        with contextlib.suppress(OSError):  # the terminal may be closed, which is why the server ends
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
        say("Ctrl-C ends it and saves a training that is running.")
        if options.browse:
            await asyncio.to_thread(webbrowser.open, address)
        await serving
        await desk.close()
    if desk.last_session is not None:
        with contextlib.suppress(OSError):
            say(f"Session {desk.last_session} is saved; imu review {desk.last_session} shows it.")


def _server(app: object) -> uvicorn.Server:
    import uvicorn  # noqa: PLC0415  slow

    class Server(uvicorn.Server):
        """A server without signal handlers: the training ends before the server does."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        access_log=False,
        log_level="warning",
        ws_per_message_deflate=False,  # compression gains nothing within one computer
        ws_ping_interval=None,  # a page on a busy computer may answer late; a page that is gone closes its socket
        timeout_graceful_shutdown=CLOSING_S,
        server_header=False,
        loop="none",
        lifespan="off",
    )
    return Server(config)


def key_in(folder: Path) -> str:
    """Return the key of the page, which is kept in `folder` and readable by its owner only; create it if missing.

    The key stays the same from start to start, so that an open page or a bookmark works with the next server.

    Raises
    ------
    KeyNotKept
        If the key cannot be read or written.
    """
    path = folder / KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            known = path.read_text(encoding="ascii", errors="replace").strip()
            if re.fullmatch(r"[0-9a-f]{32}", known):
                return known
            path.unlink()
            return key_in(folder)
        key = secrets.token_hex(16)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key + "\n")
    except OSError as error:
        raise KeyNotKept(f"{path} cannot be read or written ({error.strerror or error}): allow that") from error
    return key
