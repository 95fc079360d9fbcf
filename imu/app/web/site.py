"""Which page has which address."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from starlette.websockets import WebSocket

from imu.app.web import files, live_socket, session
from imu.app.web.desk import Desks
from imu.app.web.guard import Guard, GuestsDoor, OwnersDoor
from imu.app.web.history import History
from imu.app.web.page import error_page
from imu.app.web.people import ForPerson, People
from imu.app.web.share import Sharing
from imu.errors import ImuError


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
        history, corrections, kept = History(desks), session.SessionPages(), files.Files(desks.software_version)
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
            Route("/session/{number:int}", corrections.show),
            Route("/session/{number:int}/curve", corrections.curve),
            Route("/session/{number:int}/{change}", corrections.change, methods=["POST"]),
            Route("/export/{format}", kept.export),
            Route("/backup", kept.backup),
            Route("/import", kept.receive, methods=["POST"]),
            Route("/recover", kept.recover, methods=["POST"]),
        ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: error_page, ImuError: error_page})
    return Guard(ForPerson(app, desks), door)


class _Static(StaticFiles):
    """Files of the program; a browser asks each time whether they have changed, because a new version may run."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
