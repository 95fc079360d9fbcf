"""The gate of a server: one port, and which connections may stay.

Anyone on the network, or any program on this computer, can open connections to a port and say nothing, or very little.
The gate keeps a server reachable for those who have its key:

- A connection is a stranger's until the server admits it, because a request on it held the key. A stranger is dropped
  after a few seconds and a few kilobytes.
- There are few places for strangers. When they are full, the oldest stranger gives way to the next: one of the address
  with the most strangers, and rather one of an address that never had the key. A person with the key needs a place for
  the time of one handshake and one request only.
- With the key, there is no more than a share of the places: an admitted connection without a request under way is
  dropped after the same seconds, one address has half of the places at most, and when all are taken, the address with
  the most gives way. On the network, bytes per second are limited too, and a connection that leaves its answers unread
  is dropped.

The gate stands between a transport and the server's protocol, for which the connection is its transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, cast

from imu.errors import ImuError

HANDSHAKE_S = 5.0
"""Longest TLS handshake; on a local network it takes 0.1 s."""
HEADER_S = 8.0
"""From the handshake, or the last answer, to the next whole request with the key. Then the connection is dropped."""
UNREAD_S = 30.0
"""A guest's connection that reads nothing for this long is dropped."""
CLOSE_S = 2.0
"""From the last byte written to the end of the connection, whether the other side reads it or not."""


def plain_page(heading: str, text: str) -> str:
    """Return a page with a heading and a paragraph, for those who get no other."""
    return f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>imu</title>
<meta name="color-scheme" content="light dark">
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:15vh auto;padding:0 1.2rem}}</style>
<h1>{heading}</h1>
<p>{text}</p>
</html>
"""


NO_KEY = plain_page(
    "This page needs its key",
    "Scan the QR code that imu shows on the computer. The key is new at every start, and ends with it.",
)
"""The page that every server gives to a request without its key."""
MOST_STRANGERS, MOST_ADMITTED = 64, 128
"""Connections at a time. A browser opens about six for a page."""
FEW_STRANGERS = 8
"""An address that had the key keeps this many strangers while others give way."""
MOST_OF_ADDRESS = MOST_ADMITTED // 2
"""Admitted connections of one address, so that a guest with the key leaves places for the others."""
STRANGER_BYTES = 64 << 10
"""A stranger may send this much: one request with its headers has a few kilobytes."""
PIECE_BYTES = 1 << 10
"""So much of a websocket is parsed at a time."""
MOST_KNOWN = 64
"""This many addresses are remembered as ones that had the key."""


class PortTaken(ImuError):
    """The port is in use; choose another one."""


def local_address() -> str:
    """Return this computer's address on the local network; 127.0.0.1 without one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of documentation: connecting UDP only chooses a route
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def place_of(listening: socket.socket) -> tuple[str, str]:
    """Return the address at which a socket listens, and address and port as they stand in a URL."""
    address, port = listening.getsockname()
    return address, f"{address}:{port}"


def listen(address: str | None, port: int | None, usual: int = 0) -> socket.socket:
    """Return a socket that listens, without blocking, for this program alone.

    Parameters
    ----------
    address : str or None
        One of this computer's addresses; ``None`` for the one on the local network.
    port : int or None
        0 for any that is free; ``None`` for the usual one, or any that is free if that is in use.
    usual : int
        The usual port.

    Raises
    ------
    PortTaken
        If the port is in use.
    """
    # With the protocol named, asyncio sends each part at once; else an answer's second one waits 40 ms for the first's.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # without it, Windows gives out a port that is in use
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address or local_address(), usual if port is None else port))
        listening.listen(128)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        if port is None:
            return listen(address, 0)
        raise PortTaken(
            f"port {port} is already in use ({error.strerror}): end the program that uses it, perhaps another imu; "
            "where there is --port, 0 takes a free one"
        ) from error
    return listening


class Allowance:
    """A limit on bytes or messages: a burst, and a rate per second.

    Parameters
    ----------
    burst, per_s : float
        Bytes or messages.
    """

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst = self._left = float(burst)
        self._per_s = per_s
        self._at_s = time.monotonic()

    def take(self, size: float = 1.0) -> bool:
        """Return whether this much may come now."""
        now_s = time.monotonic()
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s) - size
        self._at_s = now_s
        # A sender that goes on waits for no longer than the time of a burst.
        is_given, self._left = self._left >= 0, max(self._left, -self._burst)
        return is_given


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut a large read: a hundred thousand frames of six bytes are judged before all of them are parsed."""
    return (data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES))


class Gate:
    """Accept connections, drop strangers, and hand the others to a server.

    Parameters
    ----------
    make : callable
        Makes the server's protocol for a connection, which it gets as its transport.
    context : SSLContext or None
        For TLS.
    rate : tuple of int or None
        Bytes that an admitted connection may send at once, and per second.
    """

    def __init__(
        self,
        make: Callable[[Connection], asyncio.Protocol],
        context: ssl.SSLContext | None = None,
        rate: tuple[int, int] | None = None,
    ) -> None:
        self.make = make
        self.rate = rate
        self._context = context
        self._strangers: list[Connection] = []  # the oldest first
        self._admitted: dict[Any, Connection] = {}  # by address and port
        self._known: dict[str, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def open(self, listening: socket.socket) -> AsyncIterator[None]:
        """Accept connections at a socket for a while; then close all of them."""
        accepting = asyncio.create_task(self._accept(listening))
        try:
            yield
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            await self._close()

    async def _accept(self, listening: socket.socket) -> None:
        """Accept connections until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(listening)
            except OSError:  # no file descriptors left, or the connection is gone already
                await asyncio.sleep(0.2)
                continue
            while len(self._strangers) >= MOST_STRANGERS:
                self._next_to_go().drop()
            connection = Connection(self, peer)
            self._strangers.append(connection)
            connection.handshake = task = asyncio.create_task(self._shake_hands(connection, accepted))
            self._tasks.add(task)
            task.add_done_callback(partial(self._end_handshake, connection, accepted))

    def admit(self, peer: Any) -> None:
        """Let the connection from an address and port stay until `rest`: a request on it has shown the key."""
        connection = self._admitted.get(peer)
        if connection is None:
            connection = next((stranger for stranger in self._strangers if stranger.peer == peer), None)
            if connection is None or not self._has_place_for(connection):
                return
            self._strangers.remove(connection)
            self._admitted[peer] = connection
            self._known.pop(connection.address, None)
            self._known[connection.address] = None
            if len(self._known) > MOST_KNOWN:
                del self._known[next(iter(self._known))]
        connection.stay()

    def rest(self, peer: Any) -> None:
        """Take that a request is answered: the next one comes soon, or the connection is dropped."""
        if peer in self._admitted:
            self._admitted[peer].rest()

    def _has_place_for(self, connection: Connection) -> bool:
        """Make a place for a connection with the key, or drop it."""
        of_address = Counter(one.address for one in self._admitted.values())
        own = of_address[connection.address]
        if own < MOST_OF_ADDRESS and len(self._admitted) < MOST_ADMITTED:
            return True
        most = max(of_address.values())
        giving = [
            one
            for one in self._admitted.values()
            if (one.address == connection.address and one.is_resting)
            or (own < MOST_OF_ADDRESS and (one.is_resting or of_address[one.address] == most > own + 1))
        ]
        place = min(giving, key=lambda one: (not one.is_resting, -of_address[one.address]), default=connection)
        place.drop()
        return place is not connection

    def leave(self, connection: Connection) -> None:
        """Take that a connection has ended."""
        if connection in self._strangers:
            self._strangers.remove(connection)
        if self._admitted.get(connection.peer) is connection:
            del self._admitted[connection.peer]

    async def _close(self) -> None:
        """Close all connections: strangers at once, the others after the bytes already written."""
        for connection in tuple(self._strangers):
            connection.drop()
        for connection in tuple(self._admitted.values()):
            connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while self._admitted:
                    await asyncio.sleep(0.01)
        for connection in tuple(self._admitted.values()):
            connection.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # for the transports' callbacks

    def _next_to_go(self) -> Connection:
        """Return the stranger that gives way."""
        of_address = Counter(stranger.address for stranger in self._strangers)

        def order(one: Connection) -> tuple[bool, int]:
            count = of_address[one.address]
            return one.address in self._known and count <= FEW_STRANGERS, -count

        return min(self._strangers, key=order)

    async def _shake_hands(self, connection: Connection, accepted: socket.socket) -> None:
        limits: dict[str, Any] = {}
        if self._context is not None:
            limits = {
                "ssl": self._context,
                "ssl_handshake_timeout": HANDSHAKE_S,
                "ssl_shutdown_timeout": CLOSE_S,
            }
        with contextlib.suppress(OSError):  # includes ssl.SSLError and time-outs
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, accepted, **limits)

    def _end_handshake(self, connection: Connection, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        """Close a connection that came to nothing; the task may have been cancelled before it began."""
        self._tasks.discard(task)
        if not connection.is_made:  # else `connection_lost` follows
            self.leave(connection)
            accepted.close()


class Connection(asyncio.Protocol):
    """One connection: the protocol of the true transport, and the transport of the server's protocol.

    Parameters
    ----------
    gate : Gate
        Decides whether it stays.
    peer : tuple
        Address and port of the other side.
    """

    def __init__(self, gate: Gate, peer: Any) -> None:
        self.peer = peer
        self.address = str(peer[0])
        self.is_made = False
        self.handshake: asyncio.Task[None] | None = None
        self.is_resting = False
        self._gate = gate
        self._end: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._allowance = float(STRANGER_BYTES)
        self._rate = 0.0
        self._burst = float(STRANGER_BYTES)
        self._is_held = False  # read on once a request was judged

    def stay(self) -> None:
        """Stay beyond the time and the bytes of a stranger."""
        if self._end is not None:
            self._end.cancel()
        if self._is_held and self.is_made:
            self._is_held = False
            self._transport.resume_reading()
        self.is_resting = False
        if not self._rate:
            burst, rate = self._gate.rate or (float("inf"), float("inf"))
            self._allowance = self._burst = float(burst)
            self._rate = float(rate)

    def rest(self) -> None:
        """Stay for the time in which the next request must come."""
        if self.is_made and not self._transport.is_closing():
            if self._end is not None:
                self._end.cancel()
            self.is_resting = True
            self._end = self._loop.call_later(HEADER_S, self.drop)

    def drop(self) -> None:
        """End the connection at once."""
        self._gate.leave(self)
        if self.is_made:
            self._transport.abort()
        elif self.handshake is not None:
            self.handshake.cancel()

    def admit(self) -> None:
        """Let it stay: a request on it held the key."""
        self._gate.admit(self.peer)

    # --- the true transport calls ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin after the TLS handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_made = True
        self._loop = asyncio.get_running_loop()
        self._heard_s = self._loop.time()
        self._end = self._loop.call_later(HEADER_S, self.drop)
        self._server = self._gate.make(self)
        self._server.connection_made(cast("asyncio.Transport", self))

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, and end the connection if there are too many of them.

        The first bytes may hold the key and a long body, such as a file, behind it. Of a stranger nothing more is read
        until the request is judged, or the time of a stranger is over.
        """
        now_s = self._loop.time()
        if self._rate:
            self._allowance = min(self._burst, self._allowance + (now_s - self._heard_s) * self._rate)
        self._allowance -= len(data)
        self._heard_s = now_s
        self._server.data_received(data)
        if self._allowance >= 0 or self._transport.is_closing():
            return
        if self._rate:
            self.drop()
        elif not self._is_held:
            self._is_held = True
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        """Pass the other side's end on."""
        return self._server.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        for timer in (self._end, self._unread):
            if timer is not None:
                timer.cancel()
        self._gate.leave(self)
        self._server.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on that the other side reads too slowly; a guest has a while to read on."""
        if self._gate.rate is not None:
            self._unread = self._loop.call_later(UNREAD_S, self.drop)
        self._server.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that it reads again."""
        if self._unread is not None:
            self._unread.cancel()
        self._server.resume_writing()

    # --- the server's protocol calls ---------------------------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Pass what comes from now on to another protocol, as for a websocket."""
        self._server = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the server's protocol."""
        return self._server

    def __getattr__(self, name: str) -> Any:
        """Give whatever else the true transport has."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._transport, name)
