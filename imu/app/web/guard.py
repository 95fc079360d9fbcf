"""Who may ask this server anything: this computer's browser, from the server's own pages, with the key.

Every page of the internet can make a browser ask ``127.0.0.1``, and every program on a computer can open its ports. So
four things are looked at before anything else runs, for websockets too:

- ``Host`` is this computer's name for itself, so that a foreign name that points here (DNS rebinding) reads nothing;
- ``Origin``, which browsers send with websockets and with all that changes something, is the server's own;
- ``Sec-Fetch-Site``, where a browser sends it, says that no other site asks;
- the key, which other people of this computer do not have: given once in the address, from then on a cookie.

This module refuses to know what is served.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OWN_NAMES = ("127.0.0.1", "localhost")
METHODS = ("GET", "HEAD", "POST")
KEY = "key"
"""Name of the key in an address."""
COOKIE_S = 365 * 24 * 3600
"""A bookmark works for a year without the key in it."""
POLICY = "; ".join(
    (
        "default-src 'self' data: blob:",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "connect-src 'self' ws://127.0.0.1:* ws://localhost:*",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'self'",
        "object-src 'none'",
    )
)
"""Nothing may be loaded from elsewhere. NiceGUI puts scripts into its pages and has Vue compile templates."""
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Guard:
    """An ASGI application around another one, that lets only its own people in.

    Parameters
    ----------
    app : App
        What is guarded.
    key : str
        What who asks must know; letters and digits.
    port : int
        The cookie is called after it: cookies do not tell ports apart.
    """

    def __init__(self, app: App, key: str, port: int) -> None:
        self.app = app  # NiceGUI looks for itself along this name
        self._key = key
        self._cookie = f"imu_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        reason = refusal(scope)
        if reason is None and scope["type"] == "http" and self._key_in_address(scope):
            await self._welcome(scope, send)
            return
        if reason is None and not self._key_in_cookie(scope):
            reason = "open the address that imu web printed: it holds the key to this page"
        if reason is not None:
            await _refuse(scope, send, reason)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)

    def _key_in_address(self, scope: Scope) -> bool:
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get(KEY, [])
        return scope["method"] == "GET" and len(given) == 1 and _same(given[0], self._key)

    def _key_in_cookie(self, scope: Scope) -> bool:
        # Not by http.cookies, which gives up at the first odd cookie of another program on 127.0.0.1.
        given = [one.strip().partition("=") for one in "; ".join(_headers(scope, b"cookie")).split(";")]
        return any(name == self._cookie and _same(value, self._key) for name, _, value in given)

    async def _welcome(self, scope: Scope, send: Send) -> None:
        """Give the cookie, and go on without the key in the address, where it would stand in the browser's history."""
        cookie = f"{self._cookie}={self._key}; Path=/; Max-Age={COOKIE_S}; HttpOnly; SameSite=Strict"
        # One slash: two would be the address of another computer.
        location = "/" + quote(scope["path"].lstrip("/"))
        headers = [(b"location", location.encode()), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 303, "headers": [*headers, *HEADERS]})
        await send({"type": "http.response.body", "body": b""})


def refusal(scope: Scope) -> str | None:
    """Return why a request is refused whatever key it has, ``None`` if it is not."""
    hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
    if len(hosts) != 1 or hosts[0].rpartition(":")[0] not in OWN_NAMES:
        return "this page is called 127.0.0.1, and has no other name"
    websocket = scope["type"] == "websocket"
    if not websocket and scope["method"] not in METHODS:
        return f"{scope['method']} means nothing here"
    changes = websocket or scope["method"] == "POST"
    if (changes or origins) and origins != [f"http://{hosts[0]}"]:
        return "another site asked for this"
    if any(site not in ("same-origin", "none") for site in _headers(scope, b"sec-fetch-site")):
        return "another site asked for this"
    return None


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _same(given: str, key: str) -> bool:
    return hmac.compare_digest(given.encode(), key.encode())


async def _refuse(scope: Scope, send: Send, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": ""})  # before it is accepted: 403
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 403, "headers": [*headers, *HEADERS]})
    await send({"type": "http.response.body", "body": f"Not shown: {reason}.\n".encode()})
