"""Who may use this server: the browser of this computer, on the server's own pages, with the key.

Every page of the internet can make a browser ask ``127.0.0.1``, and every program on a computer can open its ports. So
the guard checks each request and each websocket before anything else runs:

- ``Host`` is a name of this computer, so that a foreign name that points here (DNS rebinding) reads nothing.
- ``Origin``, which browsers send with websockets and with every change, is the server's own.
- ``Sec-Fetch-Site``, where a browser sends it, says that no other site asks.
- The key, which other users of this computer cannot read, comes once in the address and then as a cookie.
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
"""A bookmark without the key works for a year."""
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self' ws://127.0.0.1:* ws://localhost:*",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
        "object-src 'none'",
    )
)
"""Nothing is loaded from elsewhere, and no script or style stands in a page: injected text cannot run."""
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Guard:
    """An ASGI application around another one that lets only its owner in.

    Parameters
    ----------
    app : App
        What is guarded.
    key : str
        The key; letters and digits.
    port : int
        Part of the cookie's name, because browsers send a cookie to every port of a host.
    """

    def __init__(self, app: App, key: str, port: int) -> None:
        self._app = app
        self._key = key
        self._cookie = f"imu_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        reason = refusal(scope)
        if reason is None and scope["type"] == "http" and self._key_in_address(scope):
            await self._welcome(scope, send)
            return
        if reason is None and not self._key_in_cookie(scope):
            reason = "open the address that imu web printed; it holds the key to this page"
        if reason is not None:
            await _refuse(scope, send, reason)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)

    def _key_in_address(self, scope: Scope) -> bool:
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get(KEY, [])
        return scope["method"] == "GET" and len(given) == 1 and _same(given[0], self._key)

    def _key_in_cookie(self, scope: Scope) -> bool:
        # http.cookies gives up at the first malformed cookie of another program on 127.0.0.1.
        given = [one.strip().partition("=") for one in "; ".join(_headers(scope, b"cookie")).split(";")]
        return any(name == self._cookie and _same(value, self._key) for name, _, value in given)

    async def _welcome(self, scope: Scope, send: Send) -> None:
        """Set the cookie and redirect to the address without the key, which keeps it out of the browser's history."""
        cookie = f"{self._cookie}={self._key}; Path=/; Max-Age={COOKIE_S}; HttpOnly; SameSite=Strict"
        # One slash: two would be the address of another computer.
        location = "/" + quote(scope["path"].lstrip("/"))
        headers = [(b"location", location.encode()), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 303, "headers": [*headers, *HEADERS]})
        await send({"type": "http.response.body", "body": b""})


def refusal(scope: Scope) -> str | None:
    """Return why a request is refused even with the key; ``None`` if it is not."""
    hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
    if len(hosts) != 1 or hosts[0].rpartition(":")[0] not in OWN_NAMES:
        return "this page has the address 127.0.0.1 and no other name"
    websocket = scope["type"] == "websocket"
    if not websocket and scope["method"] not in METHODS:
        return f"the method {scope['method']} is not supported"
    changes = websocket or scope["method"] == "POST"
    if (changes or origins) and origins != [f"http://{hosts[0]}"]:
        return "the request comes from another site"
    if any(site not in ("same-origin", "none") for site in _headers(scope, b"sec-fetch-site")):
        return "the request comes from another site"
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
