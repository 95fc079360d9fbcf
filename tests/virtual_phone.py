"""Parts that tests of a phone and of guests share: a phone without a network, and requests from another address."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

import pytest

from imu.phone.link import PhoneLink
from imu.samples import Array
from imu.sensors.phone import BATCH, HELLO
from imu.virtual.phones import batch, hello, trusting

NEEDS_SHARE = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("cryptography", "h11", "segno", "websockets")),
    reason='needs the extra share: python -m pip install "imu-training[share]"',
)


def fill(link: PhoneLink, samples: Array, phone: bytes = b"\1" * 8) -> None:
    """Give a link all samples of a phone at once, without a network; they begin with its hello."""
    said: list[bytes] = []
    link.connect(said.append, phone)
    link.hear(said.append, HELLO, hello(1, 0, phone)[1:])
    for first in range(0, len(samples), 500):
        link.hear(said.append, BATCH, batch(1, first, samples[first : first + 500])[1:])


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
