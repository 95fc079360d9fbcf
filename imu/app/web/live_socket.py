"""A websocket between a page and the training desk: what has changed goes out, what the person asks for comes in.

What comes in is looked at as if anyone had sent it: it names things to do from a short list, and numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from imu.app.web.desk import TrainingDesk, Wish
from imu.app.web.scan import heard_sensors
from imu.commands import PersonCommand
from imu.errors import ImuError

COMMANDS = {one.value: one for one in PersonCommand}
LONGEST_REST_S = 3600.0
LONGEST_NAME = 200


async def live(websocket: WebSocket, desk: TrainingDesk) -> None:
    """Serve one page until it goes away."""
    await websocket.accept()
    with desk.watching() as watcher:

        async def tell() -> None:
            while True:
                await websocket.send_text(json.dumps(await watcher.news(), separators=(",", ":")))

        telling = asyncio.create_task(tell())
        try:
            while True:
                answer = await _obey(desk, await websocket.receive_text())
                if answer is not None:
                    await websocket.send_text(json.dumps(answer))
        except WebSocketDisconnect:
            pass
        finally:
            telling.cancel()
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the page was gone before it was told
                await asyncio.gather(telling, return_exceptions=True)


async def _obey(desk: TrainingDesk, text: str) -> dict[str, Any] | None:
    """Do what a page asks for; return what is to be answered to it alone."""
    try:
        asked = json.loads(text)
        if not isinstance(asked, dict):
            raise ValueError("an object is expected")
        return await _do(desk, asked)
    except ImuError as error:
        return {"refused": str(error)}
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return {"refused": f"that cannot be: {error}"}


async def _do(desk: TrainingDesk, asked: dict[str, Any]) -> dict[str, Any] | None:
    what = asked.get("do")
    if what in COMMANDS:
        desk.ask(COMMANDS[what])
    elif what == "begin":
        desk.begin(Wish(_text(asked.get("sensor")), _seconds(asked.get("rest_s"))))
    elif what == "finish":
        desk.finish()
    elif what == "rest":
        desk.rest_for(_seconds(asked.get("rest_s")))
    elif what == "enter":
        desk.enter(_whole(asked.get("set")), _text(asked.get("exercise")), _number(asked.get("load_kg")))
    elif what == "scan":
        return {"heard": await heard_sensors()}
    else:
        raise ValueError(f"nobody knows how to do {what!r}")
    return None


def _text(value: object) -> str | None:
    """Return a short text; nothing for an empty one."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise ValueError("a short text is expected")
    return value.strip() or None


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number is expected")
    return value


def _number(value: object) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a number is expected")
    return float(value)


def _seconds(value: object) -> float | None:
    seconds = _number(value)
    if seconds is not None and not 1.0 <= seconds <= LONGEST_REST_S:
        raise ValueError("a rest lasts from a second to an hour")
    return seconds
