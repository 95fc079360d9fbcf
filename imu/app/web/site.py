"""Which page has which address."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from starlette.websockets import WebSocket

from imu.app.web import files, live_socket, session
from imu.app.web.desk import TrainingDesk
from imu.app.web.guard import Guard
from imu.app.web.history import History
from imu.app.web.page import error_page
from imu.errors import ImuError


def site(desk: TrainingDesk, key: str, port: int) -> Guard:
    """Return the application."""
    history, corrections, kept = History(desk), session.SessionPages(), files.Files(desk.software_version)

    async def live(websocket: WebSocket) -> None:
        await live_socket.live(websocket, desk)

    async def train(request: Request) -> Response:
        return live_socket.live_page(request)

    routes = [
        Route("/", history.home),
        Route("/sessions", history.sessions),
        Route("/exercises", history.exercises),
        Route("/exercise", history.exercise),
        Route("/trends", history.trends),
        Route("/compare", history.compare),
        Route("/unit", history.choose_unit, methods=["POST"]),
        Route("/learning", history.learning),
        Route("/learning", history.change_learning, methods=["POST"]),
        Route("/session/{number:int}", corrections.show),
        Route("/session/{number:int}/curve", corrections.curve),
        Route("/session/{number:int}/{change}", corrections.change, methods=["POST"]),
        Route("/train", train),
        WebSocketRoute("/live", live),
        Route("/export/{format}", kept.export),
        Route("/backup", kept.backup),
        Route("/import", kept.receive, methods=["POST"]),
        Route("/recover", kept.recover, methods=["POST"]),
        Mount("/static", _Static(packages=[("imu.app.web", "static")])),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: error_page, ImuError: error_page})
    return Guard(app, key, port)


class _Static(StaticFiles):
    """Files of the program; a browser asks each time whether they have changed, because a new version may run."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
