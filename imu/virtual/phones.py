"""Virtual phones: one whose browser has the page of a training open, and one that runs the app Sensor Logger.

Both are clients of a training that waits for a phone (:mod:`imu.phone`), in the place of a person with a phone. They
play a signal as fast as wished, over a network that breaks off, with a screen that goes to sleep, and with messages
doubled and out of order. The page in a real browser is driven by the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from imu.errors import ImuError
from imu.samples import STANDARD_GRAVITY_M_S2, Array, ImuBlock
from imu.sensors.phone import HEAD, SAMPLE, assignments

HANDLED_S = 15.0
"""How long the phone is turned before it goes into the waistband."""
STEP_S = 0.012
"""Pause between two looks at the clock, and two messages: a training takes 200 per second, doubled ones too."""
PUSH_S = 0.045
"""Least pause before a push of 30 kB: 4 MB may come at once, and 0.5 MB per second (400 pushes in 15 s)."""
BATCH_S = 0.5
"""Batch period of the app."""
GRAVITY_S = 1.0
"""Time over which a phone separates gravity from the rest of the acceleration."""


class PhoneNotReached(ImuError):
    """No training waits for a phone at the address."""

    def __init__(self, url: str, kind: str, reason: object) -> None:
        super().__init__(
            f"no training at {url} ({reason}): start imu train --sensor {kind} and give the address that it shows"
        )


def _in_words(error: Exception) -> str:
    """Return why no connection came about."""
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class PhoneFaults:
    """The faults of a phone, in s on the signal's axis.

    Attributes
    ----------
    drops, sleeps : tuple of (start, duration)
        When the network is gone, and when the browser gives no motion.
    reloads : tuple of float
        When the page is loaded again without its memory, and its clock begins at 0.
    is_disordered : bool
        Whether messages come twice and, over HTTP, in another order.
    """

    drops: tuple[tuple[float, float], ...] = ()
    sleeps: tuple[tuple[float, float], ...] = ()
    reloads: tuple[float, ...] = ()
    is_disordered: bool = False


def phone_samples(
    worn: ImuBlock, seed: int = 1, *, rate_hz: float = 60.0, assignment: int = 19, rounded: bool = True
) -> Array:
    """Return what the browser of a phone gives.

    First a hand turns the phone about all axes for `HANDLED_S`, then it is worn as the sensor of `worn`.

    Parameters
    ----------
    worn : ImuBlock
        Movement of the person.
    seed : int
        Seed of the turning and of the jitter.
    rate_hz : float
        Events per second.
    assignment : int
        Which of the 48 orders and signs of the axes this browser has.
    rounded : bool
        Whether to round to 0.1 m/s² and 0.1 deg/s, as Chromium does.

    Returns
    -------
    (n, 7) array
        Time in s, acceleration in m/s² and rotation rates in rad/s.
    """
    from scipy.spatial.transform import Rotation, Slerp  # noqa: PLC0415 - slow to import

    rng = np.random.default_rng([seed, 0x9807E])
    start_s = float(worn.device_time_s[0])
    up = worn.acceleration_m_s2[:20].mean(axis=0)
    upright = Rotation.align_vectors([[0.0, 0.0, 1.0]], [up / np.linalg.norm(up)])[0]
    knots = np.append(np.arange(0.0, HANDLED_S - 3.0, 1.2), [HANDLED_S - 2.0, HANDLED_S + 0.1])
    poses = [upright]
    for _ in knots[:-2]:
        poses.append(poses[-1] * Rotation.from_rotvec(rng.normal(0, 0.9, 3)))
    pose = Slerp(knots, Rotation.concatenate([*reversed(poses[1:]), upright, upright]))
    count = int((HANDLED_S + float(worn.device_time_s[-1]) - start_s) * rate_hz)
    time_s = (np.arange(1, count) + rng.uniform(-0.25, 0.25, count - 1)) / rate_hz
    is_handled = time_s < HANDLED_S
    body = pose(time_s[is_handled])
    handled_force = body.inv().apply(np.array([0.0, 0.0, 9.81])) + rng.normal(0, 0.2, (int(is_handled.sum()), 3))
    handled_rate = (body.inv() * pose(time_s[is_handled] + 1e-3)).as_rotvec() / 1e-3
    worn_force, worn_rate = _at(worn, time_s[~is_handled] - HANDLED_S + start_s)
    force = np.concatenate((handled_force, worn_force))
    rate = np.concatenate((handled_rate, worn_rate)) @ assignments()[assignment]
    if rounded:
        force, rate = np.round(force, 1), np.radians(np.round(np.degrees(rate), 1))
    return np.column_stack((time_s, force, rate))


def _at(worn: ImuBlock, time_s: Array) -> tuple[Array, Array]:
    """Return both quantities of a signal at other times, each (n, 3)."""
    values = np.hstack((worn.acceleration_m_s2, worn.angular_velocity_rad_s))
    at = np.column_stack([np.interp(time_s, worn.device_time_s, column) for column in values.T])
    return at[:, :3], at[:, 3:]


# --- the page in a browser --------------------------------------------------------------------------------------------


def hello(page: int, first: int = 0, phone: bytes = b"\1" * 8, browser: bytes = b"Virtual") -> bytes:
    """Return the first message of a page."""
    return b"\0" + HEAD.pack(page, first) + phone + browser


def batch(page: int, first: int, samples: Array) -> bytes:
    """Return the message of samples (n, 7) in s, m/s² and rad/s."""
    rows = np.empty(len(samples), SAMPLE)
    rows["time_ms"], rows["acceleration"] = samples[:, 0] * 1000.0, samples[:, 1:4]
    rows["rotation"] = np.degrees(samples[:, 4:])
    return b"\1" + HEAD.pack(page, first) + rows.tobytes()


def trusting() -> ssl.SSLContext:
    """Return TLS settings of a person who accepts the browser's warning."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without the system's certificates, which take long to load
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def socket_to(url: str, *, source: str | None = None, origin: str | None = None, **more: Any) -> Any:
    """Open the socket of the page at `url`, from one of this computer's addresses."""
    from websockets.asyncio.client import connect  # noqa: PLC0415 - an extra
    from websockets.typing import Origin  # noqa: PLC0415 - an extra

    parts = urlsplit(url)
    return connect(
        f"wss://{parts.netloc}{parts.path}motion",
        ssl=trusting(),
        origin=Origin(origin or f"https://{parts.netloc}"),
        local_addr=None if source is None else (source, 0),
        compression=None,
        proxy=None,
        ping_interval=None,
        **more,
    )


@dataclass
class VirtualPhone:
    """A phone that plays samples and speaks as page.js does.

    Parameters
    ----------
    url : str
        Address of the page, with the key.
    samples : (n, 7) array
        What the browser gives, as from `phone_samples`.
    speed : float
        How many times as fast as true time it plays.
    faults : PhoneFaults
        What goes wrong.
    say : callable
        Takes a line for each change of the connection.
    source : str or None
        Which of this computer's addresses it has.
    name : bytes
        Its random name.
    """

    url: str
    samples: Array
    speed: float = 1.0
    faults: PhoneFaults = PhoneFaults()
    say: Callable[[str], None] = lambda _line: None
    source: str | None = None
    name: bytes = b"\7" * 8
    heard: list[bytes] = field(default_factory=list)
    """Messages of the computer."""

    async def play(self) -> None:
        """Play all samples and wait until the computer has them, or has ended the training.

        Raises
        ------
        PhoneNotReached
            If the first connection fails; later ones are tried again.
        """
        self._page, self._first, self._next, self._zero_s = 100, 0, 0, 0.0
        self._kept: list[Array] = []
        self._socket: Any = None
        self._is_answered = self._is_over = False
        began_s = time.monotonic()
        index, reloads = 0, list(self.faults.reloads)
        receiving: set[asyncio.Task[None]] = set()
        while not self._is_over and (index < len(self.samples) or self._kept):
            now_s = (time.monotonic() - began_s) * self.speed
            if reloads and now_s >= reloads[0]:
                await self._reload(reloads.pop(0))
            while index < len(self.samples) and self.samples[index, 0] <= now_s:
                if not _is_within(self.samples[index, 0], self.faults.sleeps):
                    self._kept.append(self.samples[index] - np.eye(7)[0] * self._zero_s)
                index += 1
            if _is_within(now_s, self.faults.drops):
                await self._hang_up()
            elif self._socket is not None:
                await self._flush()
            elif await self._connect():
                receiving.add(asyncio.create_task(self._receive(self._socket)))
            await asyncio.sleep(STEP_S)
        await self._hang_up()
        await asyncio.gather(*receiving)

    async def _connect(self) -> bool:
        from websockets.exceptions import InvalidStatus, WebSocketException  # noqa: PLC0415 - an extra

        try:
            self._socket, self._is_answered = await socket_to(self.url, source=self.source), False
            await self._socket.send(hello(self._page, self._first, self.name))
            self.say("connected")
        except (OSError, TimeoutError, WebSocketException) as error:
            if not self.heard:
                status = error.response.status_code if isinstance(error, InvalidStatus) else None
                reason = _in_words(error) if status is None else f"HTTP {status}"
                raise PhoneNotReached(self.url, "phone", reason) from error
        return self._socket is not None

    async def _reload(self, zero_s: float) -> None:
        """Send the waiting samples, as a page does when it is left, and begin again."""
        while self._kept and self._socket is not None:
            await self._flush()
            await asyncio.sleep(STEP_S)
        self._page, self._kept, self._first, self._next, self._zero_s = self._page + 1, [], 0, 0, zero_s
        await self._hang_up()

    async def _flush(self) -> None:
        from websockets.exceptions import WebSocketException  # noqa: PLC0415 - an extra

        while self._is_answered and self._next < self._first + len(self._kept):
            some = np.array(self._kept[self._next - self._first :][:500])
            with contextlib.suppress(WebSocketException):
                for _ in range(1 + self.faults.is_disordered):
                    await self._socket.send(batch(self._page, self._next, some))
            self._next += len(some)

    async def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.transport.abort()
            self.say("disconnected")

    async def _receive(self, socket: Any) -> None:
        from websockets.exceptions import WebSocketException  # noqa: PLC0415 - an extra

        with contextlib.suppress(WebSocketException):
            async for message in socket:
                self.heard.append(message)
                if message[0] == 0 and socket is self._socket:
                    self._have(*HEAD.unpack_from(message, 1))
                elif message[0] > 1:
                    self.say(message[1:].decode() or "the training has ended")
                    self._is_over = True
        if socket is self._socket:
            self._socket = None
            self.say("disconnected")

    def _have(self, page: int, wanted: int) -> None:
        """Drop the samples that the computer has; on a new connection, go on after them."""
        if page != self._page:
            return
        known = min(max(wanted - self._first, 0), len(self._kept))
        del self._kept[:known]
        self._first += known
        self._next = max(self._next, self._first) if self._is_answered else self._first
        self._is_answered = True


def _is_within(time_s: float, spans: tuple[tuple[float, float], ...]) -> bool:
    return any(start_s <= time_s < start_s + duration_s for start_s, duration_s in spans)


# --- the app Sensor Logger --------------------------------------------------------------------------------------------


def pushed_messages(worn: ImuBlock, seed: int, *, rate_hz: float = 100.0) -> Iterator[tuple[float, bytes]]:
    """Yield the messages of a recording and when they are sent, s from its start.

    An iPhone (even seeds) gives acceleration without gravity, gravity with the other sign, and raw acceleration in g;
    an Android phone (odd seeds) gives acceleration with gravity too.
    """
    time_s = np.arange(0.0, float(worn.device_time_s[-1] - worn.device_time_s[0]), 1.0 / rate_hz)
    force, turn = _at(worn, time_s + float(worn.device_time_s[0]))
    span = max(1, round(GRAVITY_S * rate_hz)) | 1
    padded = np.pad(force, ((span // 2, span // 2), (0, 0)), mode="edge")
    gravity = np.column_stack([np.convolve(axis, np.ones(span) / span, mode="valid") for axis in padded.T])
    if seed % 2:
        sensors = {"accelerometer": force - gravity, "gravity": gravity, "totalacceleration": force}
    else:
        raw = -force / STANDARD_GRAVITY_M_S2
        sensors = {"accelerometer": gravity - force, "gravity": -gravity, "accelerometeruncalibrated": raw}
    sensors["gyroscope"] = turn
    start_ns, per_batch = time.time_ns(), max(1, round(BATCH_S * rate_hz))
    session, device = f"recording-{start_ns}", f"virtual-{seed}"
    for number, first in enumerate(range(0, len(time_s), per_batch)):
        rows = range(first, min(first + per_batch, len(time_s)))
        payload = [
            {
                "name": name,
                "time": start_ns + round(time_s[row] * 1e9),
                "values": dict(zip("xyz", values[row].tolist(), strict=True)),
            }
            for row in rows
            for name, values in sensors.items()
        ]
        message = {"messageId": number, "sessionId": session, "deviceId": device, "payload": payload}
        yield float(time_s[rows[-1]]), json.dumps(message).encode()


@dataclass
class VirtualSensorLogger:
    """A phone that runs Sensor Logger and pushes what it records.

    Parameters
    ----------
    url : str
        Address that the training shows.
    messages : iterator
        As from `pushed_messages`.
    speed, faults, say
        As in `VirtualPhone`; messages of a time without network are lost.
    """

    url: str
    messages: Iterator[tuple[float, bytes]]
    speed: float = 1.0
    faults: PhoneFaults = PhoneFaults()
    say: Callable[[str], None] = lambda _line: None

    async def play(self) -> None:
        """Push all messages, or until the training has ended.

        Raises
        ------
        PhoneNotReached
            If the first message does not arrive; later ones are lost.
        """
        self._is_reached = False
        self._connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=5.0)
        try:
            await self._play()
        finally:
            self._connection.close()

    async def _play(self) -> None:
        began_s = time.monotonic()
        late: bytes | None = None
        for number, (at_s, message) in enumerate(self.messages):
            await asyncio.sleep(max(0.0, at_s / self.speed - (time.monotonic() - began_s)))
            if _is_within(at_s, self.faults.drops) or _is_within(at_s, self.faults.sleeps):
                continue
            if self.faults.is_disordered and number % 3 == 0:
                late = message
                continue
            ready = [message] if late is None else [message, late, message]
            late = None
            for one in ready:
                if not await self._push(one):
                    return
        if late is not None:
            await self._push(late)

    async def _push(self, message: bytes) -> bool:
        """Push one message; return whether to go on."""
        await asyncio.sleep(PUSH_S)
        try:
            status, text = await asyncio.to_thread(self._post, message)
        except (OSError, http.client.HTTPException) as error:
            if not self._is_reached:
                raise PhoneNotReached(self.url, "sensorlogger", _in_words(error)) from error
            self.say(f"not sent: {_in_words(error)}")
            return True
        if status == 404:
            raise PhoneNotReached(self.url, "sensorlogger", "HTTP 404")
        self._is_reached = True
        if status != 200:
            self.say(f"{status}: {text}")
        return status in (200, 499) and "has ended" not in text

    def _post(self, message: bytes) -> tuple[int, str]:
        try:
            headers = {"Content-Type": "application/json"}
            self._connection.request("POST", urlsplit(self.url).path, message, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next message opens it again
            raise
