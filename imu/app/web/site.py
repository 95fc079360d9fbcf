"""Which page is where: NiceGUI's pages, the live websocket and the files to take along, behind the guard."""

from __future__ import annotations

from fastapi import FastAPI, WebSocket
from nicegui import ui

from imu.app.web.desk import TrainingDesk
from imu.app.web.frame import frame
from imu.app.web.guard import Guard
from imu.app.web.live_page import live_page
from imu.app.web.live_socket import live

TITLE = "Squats and hinges"


def site(desk: TrainingDesk, key: str, port: int) -> Guard:
    """Return the application."""
    app = FastAPI(title=TITLE, openapi_url=None, docs_url=None, redoc_url=None)

    @app.websocket("/live")
    async def live_socket(websocket: WebSocket) -> None:
        await live(websocket, desk)

    @ui.page("/train", title=f"Train: {TITLE}")
    def train() -> None:
        with frame("/train"):
            live_page()

    @ui.page("/", title=TITLE)
    def home_page() -> None:
        with frame("/"):
            ui.label("soon")

    ui.run_with(
        app,
        title=TITLE,
        dark=None,
        language="en-US",
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,
        reconnect_timeout=10.0,
        favicon="🏋️",
    )
    return Guard(app, key, port)
