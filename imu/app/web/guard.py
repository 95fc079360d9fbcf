"""The rights on this server: of the owner on this computer, and of guests while the owner shares.

Every page of the internet can make a browser ask ``127.0.0.1``, every program on a computer can open its ports, and
everyone on the network can ask the address that is shared. So the guard checks each request and each websocket before
anything else runs:

- ``Host`` is an address of this server, so that a foreign name that points here (DNS rebinding) reads nothing.
- ``Origin``, which browsers send with websockets and with every change, is the server's own.
- ``Sec-Fetch-Site``, where a browser sends it, says that no other site asks.
- A key comes once in the address and then as a cookie.

The owner's key is new at each start of the program, and opens everything. The browser that the program opens gets a
ticket in its place, which is worth nothing once it was used: other users of a computer can read command lines. A
guest's key is new at each start of sharing; it opens the trainings that run, to watch or also to steer them, and
nothing that is stored. It is exchanged for a pass of the guest's own, so that each guest can be named and thrown out.
Without a key, every request gets the same page. imu/app/README.md has all of it in one table.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, quote

from imu.phone.gate import NO_KEY, plain_page

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OWN_NAMES = ("127.0.0.1", "localhost")
METHODS = ("GET", "HEAD", "POST")
KEY = "key"
"""Name of the key in an address."""
TICKET_S = 300.0
"""A browser that this program opens asks for its first page within this time, also on a busy computer."""
PASS_S = 12 * 3600
"""A phone that keeps the page as an app opens it without the key for this long, while sharing lasts."""
GUESTS, GUESTS_OF_ADDRESS = 40, 8
"""This many guests at most hold a pass, in all and of one address; each has `SOCKETS` websockets at most."""
SOCKETS = 6
BURST, A_SECOND = 40, 10
"""Messages that a websocket may send at once, and per second: faster than a person presses buttons."""
WRONG_KIND, TOO_MANY, THROWN_OUT = 1003, 1008, 4003
"""Codes with which a websocket is closed: a binary message, too many messages, the guest was thrown out."""
GUEST_PATHS = re.compile(r"/(|wall|train|live|manifest\.json|static/[\w.-]+)")
"""The addresses that guests may request."""
NOT_FOR_GUESTS = plain_page(
    "Not for guests",
    'Stored sessions can be opened on the computer itself, not from here. <a href="/">Back to the training</a>',
).encode()
"""The page that a guest gets who asks for anything else than a training that runs."""
BROWSERS = ("iPhone", "iPad", "Android", "Windows", "Macintosh", "CrOS", "Linux")
"""Words of a ``User-Agent`` by which a guest is named."""
REFUSAL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Role(StrEnum):
    """The rights of a visitor."""

    OWNER = "owner"
    CONTROL = "control"
    VIEW = "view"


@dataclass(eq=False, slots=True)
class Guest:
    """A visitor whose browser has a pass.

    Attributes
    ----------
    role : Role
        The visitor's rights.
    number : int
        Names them on the owner's page.
    device, address : str
        Kind of the device, and its network address.
    secret : str
        The pass: the value of the cookie.
    sockets : int
        Open websockets.
    gone : asyncio.Event
        Set when they are thrown out.
    """

    role: Role
    number: int = 0
    device: str = ""
    address: str = ""
    secret: str = ""
    sockets: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        """Name of the guest on the owner's page."""
        return f"{self.device} at {self.address}"


class OwnersDoor:
    """The door on this computer: one key, one person.

    Parameters
    ----------
    port : int
        Part of the cookie's name, because browsers send a cookie to every port of a host.
    """

    scheme = "http"
    attributes = "HttpOnly; SameSite=Strict"
    referrers = b"same-origin"

    def __init__(self, port: int) -> None:
        self.place = f"{OWN_NAMES[0]}:{port}"
        self.cookie = f"imu_{port}"
        self.key = secrets.token_hex(16)
        self._owner = Guest(Role.OWNER, secret=self.key)
        self._ticket, self._until_s = "", 0.0

    def address(self, path: str = "") -> str:
        """Return the address of a page, with the key."""
        return f"{self.scheme}://{self.place}/{path}?{KEY}={self.key}"

    def ticket(self, path: str = "") -> str:
        """Return the address of a page for a command line: it opens the page once, and soon."""
        self._ticket, self._until_s = secrets.token_hex(16), time.monotonic() + TICKET_S
        return f"{self.scheme}://{self.place}/{path}?{KEY}={self._ticket}"

    def is_own(self, host: str) -> bool:
        """Return whether a ``Host`` is an address of this server."""
        return host.rpartition(":")[0] in OWN_NAMES

    def enter(self, key: str, scope: Scope, known: Guest | None) -> Guest | None:  # noqa: ARG002 - as of the other door
        """Return who comes with the key or the ticket."""
        if self._ticket and _same(key, self._ticket) and time.monotonic() < self._until_s:
            self._ticket = ""
            return self._owner
        return self.guest(key)

    def guest(self, secret: str) -> Guest | None:
        """Return who has a cookie."""
        return self._owner if _same(secret, self._owner.secret) else None

    def refusal(self, reason: str) -> tuple[int, bytes, bytes]:
        """Return status, media type and body for a request that is refused."""
        return 403, b"text/plain; charset=utf-8", f"Not shown: {reason}.\n".encode()


class GuestsDoor:
    """The door on the network: a key for watching and one for steering, and the guests who came with them.

    Parameters
    ----------
    place : str
        Address and port, as printed.
    """

    scheme = "https"
    attributes = f"Max-Age={PASS_S}; Secure; HttpOnly; SameSite=Strict"
    referrers = b"no-referrer"

    def __init__(self, place: str) -> None:
        self.place = place
        self.cookie = f"imu_{place.rpartition(':')[2]}"
        self.keys = {role: secrets.token_urlsafe(16) for role in (Role.VIEW, Role.CONTROL)}
        self.guests: list[Guest] = []
        self.came: Callable[[Guest], None] = lambda _: None
        self._numbers = 0

    def address(self, role: Role) -> str:
        """Return the address that opens the page in a role."""
        return f"https://{self.place}/?{KEY}={self.keys[role]}"

    def is_own(self, host: str) -> bool:
        """Return whether a ``Host`` is an address of this server."""
        return host == self.place

    def enter(self, key: str, scope: Scope, known: Guest | None) -> Guest | None:
        """Return who comes with a key: a new guest, or the one whose pass the browser has; ``None`` without a place."""
        role = next((role for role, own in self.keys.items() if _same(key, own)), None)
        address = scope["client"][0]
        if known is not None and known.role is role:
            return known
        if role is None or not self._has_place_for(address):
            return None
        self._numbers += 1
        browser = " ".join(_headers(scope, b"user-agent"))
        device = next((name for name in BROWSERS if name in browser), "Browser")
        guest = Guest(role, self._numbers, device, address, secrets.token_urlsafe(16))
        self.guests.append(guest)
        self.came(guest)
        return guest

    def _has_place_for(self, address: str) -> bool:
        """Make a place for a guest: one who is away gives way, else the first of the address that has the most."""
        own = [guest for guest in self.guests if guest.address == address]
        giving = [guest for guest in own if not guest.sockets]
        if len(own) < GUESTS_OF_ADDRESS:
            if len(self.guests) < GUESTS:
                return True
            of_address = Counter(guest.address for guest in self.guests)
            busiest, most = of_address.most_common(1)[0]
            giving = [guest for guest in self.guests if not guest.sockets]
            giving += [guest for guest in self.guests if guest.address == busiest and most > len(own) + 1]
        if giving:
            self._end(giving[0])
        return bool(giving)

    def _end(self, guest: Guest) -> None:
        """End a guest's pass and websockets."""
        self.guests.remove(guest)
        guest.gone.set()

    def guest(self, secret: str) -> Guest | None:
        """Return who has a pass."""
        return next((guest for guest in self.guests if _same(secret, guest.secret)), None)

    def throw_out(self, number: int) -> None:
        """End a guest's pass and websockets, and change the key that the guest came with; other guests stay."""
        for guest in [guest for guest in self.guests if guest.number == number]:
            self._end(guest)
            self.keys[guest.role] = secrets.token_urlsafe(16)

    def refusal(self, reason: str) -> tuple[int, bytes, bytes]:  # noqa: ARG002 - guests get no reason
        """Return status, media type and body for a request that is refused; always the same."""
        return 404, b"text/html; charset=utf-8", NO_KEY.encode()


class Guard:
    """An ASGI application around another one: lets in who has a key, and says who it is (``scope["guest"]``).

    Parameters
    ----------
    app : App
        The application behind the guard.
    door : OwnersDoor or GuestsDoor
        Has the keys.
    """

    def __init__(self, app: App, door: OwnersDoor | GuestsDoor) -> None:
        self.door = door
        self.admit: Callable[[object], None] = lambda _: None
        self.rest: Callable[[object], None] = lambda _: None
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        reason = self._refusal(scope)
        entered = self._key_in_address(scope) if reason is None and scope["type"] == "http" else None
        guest = entered or (self._guest(scope) if reason is None else None)
        if guest is None:
            await self._refuse(scope, send, reason or "open the address that imu web printed; it holds the key")
            return
        self.admit(scope["client"])
        try:
            if entered is not None:
                await self._welcome(scope, send, entered)
            else:
                await self._pass_on(scope, receive, send, guest)
        finally:
            self.rest(scope["client"])

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, guest: Guest) -> None:
        scope["guest"] = guest
        if guest.role is not Role.OWNER and (not GUEST_PATHS.fullmatch(scope["path"]) or scope.get("method") == "POST"):
            await self._refuse(scope, send, "guests see the trainings that run", NOT_FOR_GUESTS)
        elif scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send, guest)
        else:
            await self._app(scope, receive, self._with_headers(send))

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send, guest: Guest) -> None:
        """Serve a websocket until it is over, its guest is thrown out, or it sends what no page of ours sends."""
        if guest.role is not Role.OWNER and guest.sockets >= SOCKETS:
            await self._refuse(scope, send, "too many pages")
            return
        guest.sockets += 1
        closed = asyncio.get_running_loop().create_future()
        allowance, heard_s = float(BURST), asyncio.get_running_loop().time()

        async def hear() -> Message:
            nonlocal allowance, heard_s
            message = await receive()
            now_s = asyncio.get_running_loop().time()
            allowance, heard_s = min(BURST, allowance + (now_s - heard_s) * A_SECOND), now_s
            if message["type"] != "websocket.receive":
                return message
            allowance -= 1
            if message.get("text") is None or allowance < 0:
                if not closed.done():
                    closed.set_result(TOO_MANY if allowance < 0 else WRONG_KIND)
                await asyncio.Event().wait()  # until this task is cancelled
            return message

        async def serve() -> None:
            await self._app(scope, hear, send)

        serving = asyncio.create_task(serve())
        leaving = asyncio.create_task(guest.gone.wait())
        try:
            await asyncio.wait({serving, leaving, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)
                with contextlib.suppress(RuntimeError, OSError):  # it may be over already
                    await send({"type": "websocket.close", "code": closed.result() if closed.done() else THROWN_OUT})
            else:
                serving.result()
        finally:
            guest.sockets -= 1
            for task in (serving, leaving):
                task.cancel()
            closed.cancel()

    def _refusal(self, scope: Scope) -> str | None:
        """Return why a request is refused even with the key; ``None`` if it is not."""
        hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
        if len(hosts) != 1 or not self.door.is_own(hosts[0]):
            return "this page has the address 127.0.0.1 and no other name"
        websocket = scope["type"] == "websocket"
        if not websocket and scope["method"] not in METHODS:
            return f"the method {scope['method']} is not supported"
        changes = websocket or scope["method"] == "POST"
        if (changes or origins) and origins != [f"{self.door.scheme}://{hosts[0]}"]:
            return "the request comes from another site"
        if any(site not in ("same-origin", "none") for site in _headers(scope, b"sec-fetch-site")):
            return "the request comes from another site"
        return None

    def _key_in_address(self, scope: Scope) -> Guest | None:
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get(KEY, [])
        if scope["method"] != "GET" or len(given) != 1:
            return None
        return self.door.enter(given[0], scope, self._guest(scope))

    def _guest(self, scope: Scope) -> Guest | None:
        # http.cookies gives up at the first malformed cookie of another program on 127.0.0.1.
        given = [cookie.strip().partition("=") for cookie in "; ".join(_headers(scope, b"cookie")).split(";")]
        guests = (self.door.guest(value) for name, _, value in given if name == self.door.cookie)
        return next((guest for guest in guests if guest is not None), None)

    async def _welcome(self, scope: Scope, send: Send, guest: Guest) -> None:
        """Set the cookie and redirect to the address without the key, which keeps it out of the browser's history."""
        cookie = f"{self.door.cookie}={guest.secret}; Path=/; {self.door.attributes}"
        # One slash: two would be the address of another computer.
        location = "/" + quote(scope["path"].lstrip("/"))
        headers = [(b"location", location.encode()), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
        send = self._with_headers(send)
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _refuse(self, scope: Scope, send: Send, reason: str, page: bytes | None = None) -> None:
        status, headers, body = self.refusal(reason, page)
        kind = "http" if scope["type"] == "http" else "websocket.http"
        await send({"type": f"{kind}.response.start", "status": status, "headers": headers})
        await send({"type": f"{kind}.response.body", "body": body})

    def refusal(self, reason: str, page: bytes | None = None) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Return status, headers and body of the answer to whatever is refused; `page` is for a guest whom we know."""
        status, media_type, body = self.door.refusal(reason)
        body = body if page is None else page
        headers = [
            (b"content-type", media_type),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ]
        return status, headers + self._headers(REFUSAL_POLICY), body

    def _headers(self, policy: str | None = None) -> list[tuple[bytes, bytes]]:
        """Return the headers of every answer.

        Nothing is loaded from elsewhere, and no script or style stands in a page: injected text cannot run.
        """
        policy = policy or "; ".join(
            (
                "default-src 'self'",
                "img-src 'self' data:",
                f"connect-src 'self' {self._sockets}",
                "frame-ancestors 'none'",
                "form-action 'self'",
                "base-uri 'none'",
                "object-src 'none'",
            )
        )
        return [*HEADERS, (b"content-security-policy", policy.encode()), (b"referrer-policy", self.door.referrers)]

    def _with_headers(self, send: Send) -> Send:
        """Return a `send` that adds the headers of every answer."""
        more = self._headers()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        return send_with_headers

    @property
    def _sockets(self) -> str:
        """The addresses of our websockets: some browsers do not count them as 'self'."""
        if isinstance(self.door, GuestsDoor):
            return f"wss://{self.door.place}"
        return " ".join(f"ws://{name}:*" for name in OWN_NAMES)


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _same(given: str, key: str) -> bool:
    return hmac.compare_digest(given.encode(), key.encode())
