"""Which page is where: NiceGUI's pages, the live websocket and the files to take along, behind the guard."""

from __future__ import annotations

from fastapi import FastAPI, WebSocket
from nicegui import ui

from imu.app.web.curve_cache import CurveCache
from imu.app.web.desk import TrainingDesk
from imu.app.web.frame import frame
from imu.app.web.guard import Guard
from imu.app.web.home_page import home_page, sessions_page
from imu.app.web.learning_page import learning_page
from imu.app.web.live_page import live_page
from imu.app.web.live_socket import live
from imu.app.web.session_page import SessionPage
from imu.app.web.take import add_files
from imu.app.web.trends_page import SPAN, trends_page

TITLE = "Squats and hinges"
RECONNECT_S = 10.0
"""A page that was away for longer is loaded anew; its training goes on in any case."""
BUILT_WITHIN_S = 60.0
"""An hour's recording takes some seconds to be drawn for the first time, on a slow computer more."""


def site(desk: TrainingDesk, key: str, port: int) -> Guard:
    """Return the application."""
    app = FastAPI(title=TITLE, openapi_url=None, docs_url=None, redoc_url=None)
    add_files(app, desk.software_version)

    @app.websocket("/live")
    async def live_socket(websocket: WebSocket) -> None:
        await live(websocket, desk)

    _add_pages(desk)
    ui.run_with(
        app,
        title=TITLE,
        dark=None,
        language="en-US",
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_S,
        gzip_middleware_factory=None,  # within one computer, packing takes longer than it saves
        favicon="🏋️",
    )
    return Guard(app, key, port)


def _add_pages(desk: TrainingDesk) -> None:
    curves = CurveCache()

    @ui.page("/", title=TITLE)
    async def first() -> None:
        with frame("/"):
            await home_page(desk)

    @ui.page("/sessions", title=f"Sessions: {TITLE}")
    async def sessions(page: int = 1) -> None:
        with frame("/sessions"):
            await sessions_page(page)

    @ui.page("/session/{number}", title=f"Session: {TITLE}", response_timeout=BUILT_WITHIN_S)
    async def session(number: int) -> None:
        with frame("/sessions"):
            await SessionPage(number, curves).show()

    @ui.page("/trends", title=f"Trends: {TITLE}")
    async def weeks(weeks: int = SPAN) -> None:
        with frame("/trends"):
            await trends_page(weeks)

    @ui.page("/learning", title=f"What your corrections taught: {TITLE}")
    async def learning() -> None:
        with frame("/learning"):
            await learning_page()

    @ui.page("/train", title=f"Train: {TITLE}")
    def train() -> None:
        with frame("/train"):
            live_page()
