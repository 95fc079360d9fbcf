"""A virtual phone: the signal that a browser gives, and a client that speaks as the page does, over a bad network."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from imu.bluetooth import HostClock
from imu.phone.link import PhoneLink
from imu.phone.server import PhoneAddress
from imu.samples import Array, ImuBlock
from imu.sensors.phone import HEAD, SAMPLE, assignments

try:
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException
except ImportError:  # tests with `NEEDS_SHARE` are skipped
    pass

NEEDS_SHARE = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("cryptography", "segno", "websockets")),
    reason='needs the extra share: python -m pip install "imu-training[share]"',
)
HANDLED_S = 15.0
"""How long the phone is turned before it goes into the waistband."""
STEP_S = 0.004


class FastClock(HostClock):
    """A clock that runs `speed` times as fast as true time."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._start_ns = time.perf_counter_ns()
        self._wall_ns = time.time_ns()

    def now_ns(self) -> int:
        return self._wall_ns + round((time.perf_counter_ns() - self._start_ns) * self._speed)


def phone_samples(
    worn: ImuBlock, seed: int = 1, *, rate_hz: float = 60.0, assignment: int = 19, rounded: bool = True
) -> Array:
    """Return what the browser of a phone gives: (n, 7) in s, m/s² and rad/s, with jitter and its own order of axes.

    First a hand turns it about all axes for `HANDLED_S`, then it is worn as the sensor of `worn`. Chromium rounds to
    0.1 m/s² and 0.1 deg/s.
    """
    rng = np.random.default_rng([seed, 0x9807E])
    start_s = float(worn.device_time_s[0])
    up = worn.acceleration_m_s2[:20].mean(axis=0)
    upright = Rotation.align_vectors([[0.0, 0.0, 1.0]], [up / np.linalg.norm(up)])[0]
    knots = np.append(np.arange(0.0, HANDLED_S - 3.0, 1.2), [HANDLED_S - 2.0, HANDLED_S + 0.1])
    turns = [Rotation.from_rotvec(rng.normal(0, 0.9, 3)) for _ in knots[:-2]]
    poses = [upright]
    for turn in turns:
        poses.append(poses[-1] * turn)
    pose = Slerp(knots, Rotation.concatenate([*reversed(poses[1:]), upright, upright]))
    count = int((HANDLED_S + float(worn.device_time_s[-1]) - start_s) * rate_hz)
    time_s = (np.arange(1, count) + rng.uniform(-0.25, 0.25, count - 1)) / rate_hz
    handled = time_s < HANDLED_S
    body = pose(time_s[handled])
    force = body.inv().apply(np.array([0.0, 0.0, 9.81])) + rng.normal(0, 0.2, (int(handled.sum()), 3))
    rate = (body.inv() * pose(time_s[handled] + 1e-3)).as_rotvec() / 1e-3
    at_s = time_s[~handled] - HANDLED_S + start_s
    worn_values = [
        np.column_stack([np.interp(at_s, worn.device_time_s, column) for column in values.T])
        for values in (worn.acceleration_m_s2, worn.angular_velocity_rad_s)
    ]
    force, rate = np.concatenate((force, worn_values[0])), np.concatenate((rate, worn_values[1]))
    rate = rate @ assignments()[assignment]
    if rounded:
        force, rate = np.round(force, 1), np.radians(np.round(np.degrees(rate), 1))
    return np.column_stack((time_s, force, rate))


def hello(page: int, first: int = 0, phone: bytes = b"\1" * 8, browser: bytes = b"Virtual") -> bytes:
    """Return the first message of a page."""
    return b"\0" + HEAD.pack(page, first) + phone + browser


def batch(page: int, first: int, samples: Array) -> bytes:
    """Return the message of samples (n, 7) in s, m/s² and rad/s."""
    rows = np.empty(len(samples), SAMPLE)
    rows["time_ms"], rows["acceleration"] = samples[:, 0] * 1000.0, samples[:, 1:4]
    rows["rotation"] = np.degrees(samples[:, 4:])
    return b"\1" + HEAD.pack(page, first) + rows.tobytes()


@cache
def trusting() -> ssl.SSLContext:
    """Return TLS settings of a person who accepts the browser's warning."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def socket_to(address: PhoneAddress, *, source: str = "127.0.0.1", origin: str | None = None, **more: Any) -> Any:
    """Open the page's socket, from one of this computer's addresses."""
    place = address.url.split("/")[2]
    return connect(
        f"wss://{place}/{address.url.split('/')[3]}/motion",
        ssl=trusting(),
        origin=origin or f"https://{place}",
        local_addr=(source, 0),
        compression=None,
        proxy=None,
        ping_interval=None,
        **more,
    )


@dataclass
class VirtualPhone:
    """A phone that plays samples faster than true time, and speaks as page.js does.

    `drops` are pairs of the time, on the signal's axis, at which the network goes and the duration, s; at each of
    `reloads` the page is loaded again without its memory, and its clock begins at 0; `sleeps` are pairs during which
    the browser gives nothing.
    """

    address: PhoneAddress
    samples: Array
    speed: float = 40.0
    drops: tuple[tuple[float, float], ...] = ()
    reloads: tuple[float, ...] = ()
    sleeps: tuple[tuple[float, float], ...] = ()
    repeats: bool = False  # send each batch twice, and an old one now and then
    source: str = "127.0.0.2"
    name: bytes = b"\7" * 8
    heard: list[bytes] = field(default_factory=list)

    async def play(self) -> None:
        """Play all samples and wait until the computer has them."""
        self._page, self._kept, self._first, self._next, self._zero_s = 100, [], 0, 0, 0.0
        self._socket: Any = None
        self._asked = False
        began_s = time.monotonic()
        index, reloads = 0, list(self.reloads)
        receiving: asyncio.Task[None] | None = None
        while index < len(self.samples) or self._kept:
            now_s = (time.monotonic() - began_s) * self.speed
            if reloads and now_s >= reloads[0]:
                while self._kept and self._socket is not None:  # the page sends what it has, and the computer answers
                    await self._flush()
                    await asyncio.sleep(STEP_S)
                self._page, self._kept, self._first, self._next = self._page + 1, [], 0, 0
                self._zero_s = reloads.pop(0)
                await self._hang_up()
            while index < len(self.samples) and self.samples[index, 0] <= now_s:
                if not _within(self.samples[index, 0], self.sleeps):
                    self._kept.append(self.samples[index] - np.eye(7)[0] * self._zero_s)
                index += 1
            if _within(now_s, self.drops):
                await self._hang_up()
            elif self._socket is None:
                with contextlib.suppress(OSError, TimeoutError, WebSocketException):
                    self._socket, self._asked = await socket_to(self.address, source=self.source), False
                    receiving = asyncio.create_task(self._receive(self._socket))
                    await self._socket.send(hello(self._page, self._first, self.name))
            else:
                await self._flush()
            await asyncio.sleep(STEP_S)
        await self._hang_up()
        if receiving is not None:
            await receiving

    async def _flush(self) -> None:
        if not self._asked:
            return
        while self._next < self._first + len(self._kept):
            some = np.array(self._kept[self._next - self._first :][:500])
            with contextlib.suppress(WebSocketException):
                await self._socket.send(batch(self._page, self._next, some))
                if self.repeats:
                    await self._socket.send(batch(self._page, self._next, some))
            self._next += len(some)

    async def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.transport.abort()

    async def _receive(self, socket: Any) -> None:
        with contextlib.suppress(WebSocketException):
            async for message in socket:
                self.heard.append(message)
                if message[0] == 0:
                    page, wanted = HEAD.unpack_from(message, 1)
                    if page == self._page and socket is self._socket:
                        known = min(max(wanted - self._first, 0), len(self._kept))
                        del self._kept[:known]
                        self._first += known
                        self._next = max(self._next, self._first) if self._asked else self._first
                        self._asked = True
        if socket is self._socket:
            self._socket = None


def _within(time_s: float, spans: tuple[tuple[float, float], ...]) -> bool:
    return any(start_s <= time_s < start_s + duration_s for start_s, duration_s in spans)


def fill(link: PhoneLink, samples: Array, phone: bytes = b"\1" * 8) -> None:
    """Give a link all samples of a phone at once, without a network; they begin with its hello."""
    said: list[bytes] = []
    link.connect(said.append, hello(1, 0, phone))
    for first in range(0, len(samples), 500):
        link.hear(said.append, batch(1, first, samples[first : first + 500]))


async def ask_as_guest(place: str, request: str, source: str) -> bytes:
    """Send bytes over TLS from one of this computer's addresses; return all that comes back."""
    host, port = place.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting(), local_addr=(source, 0))
    try:
        writer.write(request.encode("latin-1"))
        async with asyncio.timeout(20):
            return await reader.read()
    except OSError:
        return b""
    finally:
        writer.transport.abort()


def get(path: str, host: str, *more: str) -> str:
    """Return a request, after whose answer the server closes the connection."""
    closing = () if any(one.startswith("Connection:") for one in more) else ("Connection: close",)
    return "\r\n".join((f"GET {path} HTTP/1.1", f"Host: {host}", *more, *closing, "", ""))


UPGRADE = (
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version: 13",
)  # fmt: skip


@asynccontextmanager
async def relay(host: str, port: int) -> AsyncIterator[Relay]:
    """Carry TCP to a server, and cut it when asked."""
    between = Relay(host, port)
    server = await asyncio.start_server(between.carry, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        server.close()
        between.cut()
        await asyncio.gather(*between.tasks, return_exceptions=True)


class Relay:
    """The network between a browser and the server."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.is_open = True
        self.tasks: set[asyncio.Task[Any]] = set()
        self._server = host, port
        self._writers: set[asyncio.StreamWriter] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_open:
            writer.transport.abort()
            return
        their_reader, their_writer = await asyncio.open_connection(*self._server, local_addr=("127.0.0.2", 0))
        self._writers |= {writer, their_writer}
        for one, other in ((reader, their_writer), (their_reader, writer)):
            self.tasks.add(asyncio.create_task(self._copy(one, other)))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    def cut(self) -> None:
        """End all connections without a word."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
