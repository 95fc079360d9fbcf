"""The pages, each at its address, for the person whom the browser chose; the roster, the wall of all, and sharing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from imu.app.web import files, live_socket, session
from imu.app.web.desk import Desks, DeskState, TrainingDesk
from imu.app.web.guard import Guard, Guest, GuestsDoor, OwnersDoor, Role
from imu.app.web.history import History
from imu.app.web.page import TITLE, done, error_page, refused, render
from imu.errors import ImuError, needs_extra
from imu.phone import PhoneAddress
from imu.phone.browser import certificate_in, server_context
from imu.phone.gate import listen, place_of
from imu.store.home import (
    PersonUnnamed,
    add_person,
    as_person,
    common_home,
    folder_name,
    people,
    person,
    rename_person,
    written_name,
)

COOKIE = "imu_person"
COOKIE_S = 365 * 24 * 3600
MOST_PEOPLE = 200


class _Number(IntegerConvertor):
    """The number of a session in an address; Python reads no number of thousands of digits."""

    regex = "[0-9]{1,9}"


register_url_convertor("number", _Number())


def site(desks: Desks, door: OwnersDoor | GuestsDoor, sharing: Sharing | None = None) -> Guard:
    """Return the application behind a door.

    Parameters
    ----------
    desks : Desks
        Where people train.
    door : OwnersDoor or GuestsDoor
        Who may come in. Guests get the pages of trainings that run, and no others.
    sharing : Sharing or None
        What the owner shares.
    """
    together = People(desks, sharing)

    async def live(websocket: WebSocket) -> None:
        await live_socket.live(websocket, desks)

    async def train(request: Request) -> Response:
        return await asyncio.to_thread(live_socket.live_page, request)

    routes: list[BaseRoute] = [
        Route("/wall", together.wall),
        Route("/train", train),
        WebSocketRoute("/live", live),
        Route("/manifest.json", together.manifest),
        Mount("/static", _Static(packages=[("imu.app.web", "static")])),
    ]
    if isinstance(door, GuestsDoor):
        routes.append(Route("/", together.start))
    else:
        history, corrections, transfers = History(desks), session.SessionPages(), files.Files(desks.software_version)
        routes += [
            Route("/", history.home),
            Route("/people", together.roster),
            Route("/people", together.change_roster, methods=["POST"]),
            Route("/share", together.share),
            Route("/share", together.change_sharing, methods=["POST"]),
            Route("/sessions", history.sessions),
            Route("/exercises", history.exercises),
            Route("/exercise", history.exercise),
            Route("/trends", history.trends),
            Route("/compare", history.compare),
            Route("/schedule", history.choose_schedule, methods=["POST"]),
            Route("/unit", history.choose_unit, methods=["POST"]),
            Route("/learning", history.learning),
            Route("/learning", history.change_learning, methods=["POST"]),
            Route("/session/{number:number}", corrections.show),
            Route("/session/{number:number}/curve", corrections.curve),
            Route("/session/{number:number}/{change}", corrections.change, methods=["POST"]),
            Route("/export/{format}", transfers.export),
            Route("/backup", transfers.backup),
            Route("/import", transfers.receive, methods=["POST"]),
            Route("/recover", transfers.recover, methods=["POST"]),
        ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: error_page, ImuError: error_page})
    return Guard(ForPerson(app), door)


class _Static(StaticFiles):
    """Files of the program; a browser asks each time whether they have changed, because a new version may run."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


# --- several people ---------------------------------------------------------------------------------------------------


class ForPerson:
    """An application around another one, which answers each request for one person.

    The person is that of the address (``?person=``), else the one that the browser chose last, else the program's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; one for a person who is not there gets a page that says so."""
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True).get("person")
        whose = self._chosen(scope) if asked is None else _known(asked[0])
        if asked is not None and whose is None and scope["type"] == "http":
            error = HTTPException(404, f"There is no person “{asked[0][:40]}”: add them on the page of people.")
            await (await error_page(Request(scope), error))(scope, receive, send)
            return
        if whose is None:
            await self._app(scope, receive, send)
            return
        with as_person(whose):
            await self._app(scope, receive, send)

    def _chosen(self, scope: Scope) -> str | None:
        cookies = "; ".join(value.decode("latin-1") for key, value in scope.get("headers", ()) if key == b"cookie")
        names = [
            value
            for name, _, value in (cookie.strip().partition("=") for cookie in cookies.split(";"))
            if name == COOKIE
        ]
        return _known(unquote(names[0])) if names else None


def _known(name: str) -> str | None:
    """Return the folder's name of a person who is there, however it is written; ``None`` if there is no such person."""
    try:
        whose = folder_name(name)
    except PersonUnnamed:
        return None
    return whose if whose in ("", person()) or whose in people() else None


class People:
    """The pages for several people.

    Parameters
    ----------
    desks : Desks
        Where they train.
    sharing : Sharing or None
        ``None`` on the pages of guests.
    """

    def __init__(self, desks: Desks, sharing: Sharing | None) -> None:
        self._desks = desks
        self._sharing = sharing

    async def wall(self, request: Request) -> Response:
        """Show all trainings that run; what changes comes over the websocket."""
        return render(request, "people.html", roster=self._roster())

    async def start(self, request: Request) -> Response:
        """Lead a guest to the training that runs, or to the wall of all."""
        busy = self._desks.busy
        del request
        return RedirectResponse(f"/train?person={quote(busy[0].whose)}" if len(busy) == 1 else "/wall", 303)

    async def roster(self, request: Request) -> Response:
        """Show the people."""
        return render(request, "people.html", roster=await asyncio.to_thread(self._roster))

    async def change_roster(self, request: Request) -> Response:
        """Add a person, give one another name, or show the pages of one."""
        async with request.form() as form:
            change, name, whose = (str(form.get(field, "")) for field in ("change", "name", "person"))
        if change == "add":
            if len(people()) >= MOST_PEOPLE:
                return refused("there are too many people already")
            known = folder_name(name) in people()
            await asyncio.to_thread(add_person, name)
            return done(f"{name.strip()} is there {'already' if known else 'now'}")
        if change == "rename":
            if whose and any(desk.whose == whose for desk in self._desks.busy):
                return refused("this person trains: finish the training first")
            renamed = await asyncio.to_thread(rename_person, whose, name)
            self._desks.rename(whose, renamed)
            return _switched(done(go="/people"), renamed) if whose == (person() or "") else done("the name is changed")
        if change == "switch":
            if whose and whose not in people():
                raise PersonUnnamed("there is no such person")
            return _switched(done(go="/"), whose)
        return refused("choose to add, rename or switch")

    async def share(self, request: Request) -> Response:
        """Show how to share, and who is connected."""
        return render(request, "share.html", **({"shared": False} if self._sharing is None else self._sharing.view()))

    async def change_sharing(self, request: Request) -> Response:
        """Share, stop sharing, or throw a guest out."""
        async with request.form() as form:
            change, number = str(form.get("change", "")), str(form.get("number", ""))
        if self._sharing is None:
            return refused("guests share nothing")
        if change == "start":
            await self._sharing.start()
            return done()
        if change == "stop":
            await self._sharing.stop()
            return done("nothing is shared any more")
        if change == "throw out" and self._sharing.door is not None and number.isdecimal() and len(number) < 9:
            self._sharing.door.throw_out(int(number))
            return done("the guest is gone, and the key has changed")
        return refused("choose to share, to stop, or whom to throw out")

    async def manifest(self, request: Request) -> Response:
        """Return what a phone needs to keep the page as an app; it opens with the browser's pass, a cookie."""
        del request
        manifest = {
            "name": TITLE,
            "short_name": "imu",
            "id": "/",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": "#0c0f13",
            "theme_color": "#0c0f13",
            "icons": [
                {"src": "/static/icon.svg", "sizes": "any", "type": "image/svg+xml"},
                {"src": "/static/icon.png", "sizes": "512x512", "type": "image/png", "purpose": "any maskable"},
            ],
        }
        return JSONResponse(manifest, headers={"Cache-Control": "no-store"}, media_type="application/manifest+json")

    def _roster(self) -> list[dict[str, Any]]:
        """Return all people, the owner of the computer first."""
        busy = {desk.whose: desk for desk in self._desks.busy}
        named = sorted({*people(), *busy, person() or ""} - {""})
        return [_entry(whose, busy.get(whose)) for whose in ("", *named)]


def _entry(whose: str, desk: TrainingDesk | None) -> dict[str, Any]:
    here = (person() or "") == whose
    with as_person(whose):
        name = written_name()
    return {
        "whose": whose,
        "name": name,
        "here": here,
        "training": desk is not None and desk.state is not DeskState.IDLE,
    }


def _switched(answer: JSONResponse, whose: str) -> JSONResponse:
    """Show the pages of a person from now on."""
    answer.set_cookie(COOKIE, quote(whose), max_age=COOKIE_S, samesite="strict", httponly=True)
    return answer


# --- sharing ---------------------------------------------------------------------------------------------------------


PORT = 8767
BURST_BYTES, BYTES_PER_S = 256 << 10, 16 << 10
"""A guest's connection may send this much at once, and this much per second: requests of pages and pressed buttons."""
DEEDS = {Role.VIEW: "watch", Role.CONTROL: "watch and steer"}
INVITATION = """\
To watch the training on a phone, tablet or television, connect it to this network and open

{code}{view}

To steer it as well: {control}
The browser warns that the connection is not private, because this computer signed the certificate itself. Go on if its
SHA-256 fingerprint is {fingerprint}
Both addresses are valid until you stop sharing or end the program."""


@dataclass(frozen=True, slots=True)
class _Shared:
    door: GuestsDoor
    fingerprint: str
    stack: AsyncExitStack


class Sharing:
    """Begin and stop to share.

    Parameters
    ----------
    make : callable
        Makes the application for the guests' door.
    serve : callable
        As :func:`imu.app.web.serving`.
    say : callable
        Says in the terminal who has come.
    """

    def __init__(
        self,
        make: Callable[[GuestsDoor], Guard],
        serve: Callable[..., AbstractAsyncContextManager[None]],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._make = make
        self._serve = serve
        self._say = say
        self._shared: _Shared | None = None

    @property
    def door(self) -> GuestsDoor | None:
        """The guests' door; ``None`` while nothing is shared."""
        return None if self._shared is None else self._shared.door

    async def start(self, address: str | None = None, port: int | None = None) -> None:
        """Share; without effect if it is shared already.

        Parameters
        ----------
        address : str or None
            Address to listen at; ``None`` for this computer's on the local network.
        port : int or None
            0 for any that is free; ``None`` for :data:`PORT`, or any that is free if it is in use.

        Raises
        ------
        ExtraMissing
            If a package of the extra ``share`` is not installed.
        CertificateUnusable
            If the certificate can be neither read nor written.
        """
        if self._shared is not None:
            return
        with needs_extra("web,share", "sharing needs an extra"):
            import segno  # noqa: F401, PLC0415 - an extra
        async with AsyncExitStack() as stack:
            listening = stack.enter_context(listen(address, port, PORT))
            host, place = place_of(listening)
            certificate = certificate_in(common_home(), host)
            door = GuestsDoor(place)
            door.came = self._greet
            rate = BURST_BYTES, BYTES_PER_S
            await stack.enter_async_context(self._serve(self._make(door), listening, server_context(certificate), rate))
            self._shared = _Shared(door, certificate.fingerprint, stack.pop_all())

    async def stop(self) -> None:
        """Stop sharing: all guests are gone, and their keys and passes are worth nothing."""
        shared, self._shared = self._shared, None
        if shared is not None:
            for guest in tuple(shared.door.guests):
                shared.door.throw_out(guest.number)
            await shared.stack.aclose()

    def invitation(self, *, with_qr_code: bool) -> str:
        """Return what to show in a terminal."""
        if self._shared is None:
            return "nothing is shared"
        view, control = (self._address(self._shared, role) for role in (Role.VIEW, Role.CONTROL))
        code = f"{view.qr_code()}\n" if with_qr_code else ""
        return INVITATION.format(code=code, view=view.url, control=control.url, fingerprint=view.fingerprint)

    def view(self) -> dict[str, Any]:
        """Return what the owner's page shows."""
        if self._shared is None:
            return {"shared": False}
        addresses = {role: self._address(self._shared, role) for role in DEEDS}
        return {
            "shared": True,
            "addresses": [
                {"deed": DEEDS[role], "role": str(role), "url": address.url, "picture": address.picture()}
                for role, address in addresses.items()
            ],
            "fingerprint": self._shared.fingerprint,
            "guests": [
                {"number": guest.number, "name": guest.name, "deed": DEEDS[guest.role], "here": guest.sockets > 0}
                for guest in self._shared.door.guests
            ],
        }

    @staticmethod
    def _address(shared: _Shared, role: Role) -> PhoneAddress:
        return PhoneAddress(shared.door.address(role), shared.fingerprint)

    def _greet(self, guest: Guest) -> None:
        self._say(f"{guest.name} may {DEEDS[guest.role]} now.")
