"""The page to train with, and its websocket: changes go out, the person's commands come in.

A message is checked before it is used: it names one of the actions below, with short texts and bounded numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from imu.app.web.desk import Desks, DeskState, TrainingDesk
from imu.app.web.guard import Role
from imu.app.web.page import render, to_install
from imu.bluetooth.scan import SeenSensor, scan
from imu.errors import ImuError
from imu.live.live_view import signal_word
from imu.live.memory import RememberedSensor, Wish, last_plan, last_sensor, loads_in_lb
from imu.live.radios import ANY, PHONES, VIRTUAL, radio_for
from imu.live.schedule import due_in_store, example_plans
from imu.live.targets import Plan, PlanUnusable, Targets, with_unit_typed
from imu.sensors import recognise
from imu.store.exercises import completions
from imu.store.home import person
from imu.training import PersonCommand

COMMANDS = {command.value: command for command in PersonCommand}
LONGEST_REST_S = 3600.0
LONGEST_NAME = 200
LISTEN_S = 6.0
ONLY_WATCHES = {"refused": "this page only watches: open the address for steering"}
RESTS_S = (0, 30, 60, 90, 120, 180, 240, 300)


# --- the page ---------------------------------------------------------------------------------------------------


def live_page(request: Request) -> Response:
    """Show the page to train with; what changes on it comes over the websocket."""
    owner = request.scope["guest"].role is Role.OWNER
    last = last_plan() if owner else None  # stored sessions are not for guests
    sensor, in_lb = last_sensor() if owner else None, bool(loads_in_lb())
    last = None if last is None else last.in_unit(in_lb=in_lb)
    return render(
        request,
        "train.html",
        sensors=known_sensors(sensor),
        begin=_begins_with(request, sensor) if owner else "",
        filled=_filled_in(request.query_params.get("plan", ""), in_lb=in_lb) if owner else None,
        exercises=completions(""),
        rests=RESTS_S,
        last=None if last is None else last.as_object(),
        last_in_words="" if last is None else plan_in_words(last),
        plans={name: plan.in_unit(in_lb=in_lb).as_object() for name, plan in example_plans().items()},
        in_lb=in_lb,
    )


def _begins_with(request: Request, last: RememberedSensor | None) -> str:
    """Return the sensor with which the training begins at once, as one click asked for it; empty to choose first."""
    asked = request.query_params.get("begin")
    if asked in (VIRTUAL, *PHONES):
        return asked
    return last.wanted if asked == "last" and last is not None else ""


def _filled_in(asked: str, *, in_lb: bool) -> dict[str, Any] | None:
    """Return the plan that stands in the fields: the last one, or one of the schedule by its number or as next."""
    if asked == "last":
        plan = last_plan()
    else:
        due = due_in_store()
        plans = () if due is None else due.schedule.plans
        index = due.index if due is not None and asked == "next" else int(asked) if asked in map(str, range(99)) else -1
        plan = plans[index] if 0 <= index < len(plans) else None
    return None if plan is None else plan.in_unit(in_lb=in_lb).as_object()


def plan_in_words(plan: Plan) -> str:
    """Return the exercises of a plan: ``back squat 100 kg 5 × 5, deadlift``."""
    words = []
    for exercise in plan.exercises:
        size = " × ".join(str(count) for count in (exercise.sets, exercise.repetitions) if count is not None)
        words.append(" ".join(filter(None, (exercise.title, size))) or "the same targets")
    return ", ".join(words)


def known_sensors(last: RememberedSensor | None) -> list[dict[str, str]]:
    """Return the sensors that can be chosen without looking for any; first the one used last, if it is given."""
    install = to_install("share")
    known = [
        {"wanted": ANY, "title": "The nearest sensor", "signal": "by Bluetooth"},
        {"wanted": PHONES[0], "title": "Your phone", "signal": "in the waistband; it opens a page by QR code"},
        {"wanted": PHONES[1], "title": "Sensor Logger app", "signal": "on a phone; it pushes to an address"},
        {"wanted": VIRTUAL, "title": "A virtual sensor", "signal": "a simulated person trains"},
    ]
    known = [sensor | {"install": install if sensor["wanted"] in PHONES else ""} for sensor in known]
    if last is None:
        return known
    others = [sensor for sensor in known if sensor["wanted"] != last.wanted]
    used = [sensor for sensor in known[1:3] if sensor["wanted"] == last.wanted]
    if used and install:
        return [*others, *used]
    sensor = {"wanted": last.wanted, "title": last.name or last.kind, "signal": "used last time", "install": ""}
    return [*(used or [sensor]), *others]


# --- the websocket ------------------------------------------------------------------------------------------------


async def live(websocket: WebSocket, desks: Desks) -> None:
    """Serve one page until it goes away: the training of one person, or all of them (``?all``)."""
    await websocket.accept()
    role = websocket.scope["guest"].role
    everyone, desk = "all" in websocket.query_params, desks.of(person() or "")
    with desks.watching() if everyone else desk.watching() as watcher:

        async def send_changes() -> None:
            while True:
                news = await watcher.news()
                if role is Role.VIEW:
                    news.get("board", {}).pop("invite", None)  # it holds the key of a sensor
                await websocket.send_text(json.dumps(news, separators=(",", ":")))

        answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def send_answers() -> None:
            while True:
                await websocket.send_text(json.dumps(await answers.get()))

        sending = [asyncio.create_task(send_changes()), asyncio.create_task(send_answers())]
        tell = answers.put_nowait
        try:
            while True:
                text = await websocket.receive_text()
                only_watches = role is Role.VIEW or everyone
                answer = ONLY_WATCHES if only_watches else answer_to(desk, text, desks, role, tell)
                if answer is not None:
                    tell(answer)
        except WebSocketDisconnect:
            pass
        finally:
            for task in sending:
                task.cancel()
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the page may be gone already
                await asyncio.gather(*sending, return_exceptions=True)


async def _tell_heard(tell: Callable[[dict[str, Any]], None]) -> None:
    """Tell which sensors are heard, while that goes on and at its end."""
    try:
        tell({"heard": await heard_sensors(lambda heard: tell({"heard": heard, "listening": True}))})
    except ImuError as error:
        tell({"refused": str(error)})


def _leave(_news: dict[str, Any]) -> None:
    """Leave the sensors that are heard."""


def answer_to(
    desk: TrainingDesk,
    text: str,
    desks: Desks | None = None,
    role: Role = Role.OWNER,
    tell: Callable[[dict[str, Any]], None] = _leave,
) -> dict[str, Any] | None:
    """Carry out a page's command; return the answer to this page alone. `tell` gets the sensors heard.

    With `desks`, a training is refused that would use the sensor of another person. A guest changes a training only
    while one runs, and begins none with an address to which this computer would connect.
    """
    try:
        request = json.loads(text)
        if not isinstance(request, dict):
            raise ValueError("an object is expected")
        if role is not Role.OWNER:
            _check_guest(desk, request)
        if request.get("do") == "scan":
            desk.listen(partial(_tell_heard, tell))
            return None
        return _do(desk, request, desk.begin if desks is None else partial(desks.begin, desk.whose))
    except PlanUnusable as error:
        return {"refused": str(error), "wrong": error.wrong}
    except ImuError as error:
        return {"refused": str(error)}
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return {"refused": f"that cannot be: {error}"}


def _check_guest(desk: TrainingDesk, request: dict[str, Any]) -> None:
    if request.get("do") == "begin":
        if (_text(request.get("sensor")) or "").startswith(f"{VIRTUAL}:"):
            raise ValueError("a guest gives no address of a virtual sensor")
    elif request.get("do") not in ("scan", "plan") and desk.state is DeskState.IDLE:
        raise ValueError("no training runs")


def _do(desk: TrainingDesk, request: dict[str, Any], begin: Callable[[Wish], None]) -> dict[str, Any] | None:
    action = str(request.get("do"))
    if action in COMMANDS:
        desk.ask(COMMANDS[action])
    elif action == "begin":
        begin(Wish(_text(request.get("sensor")), _seconds(request.get("rest_s")), plan=_plan(request.get("plan"))))
    elif action == "finish":
        desk.finish()
    elif action == "rest":
        desk.rest_for(_seconds(request.get("rest_s")))
    elif action == "plan":
        return {"plan": None if desk.plan is None else desk.plan.in_unit(in_lb=loads_in_lb()).as_object()}
    elif action == "follow":
        desk.follow(_plan(request.get("plan")))
        return {"followed": True}
    elif action == "skip":
        desk.skip_exercise()
        return {"followed": True}
    elif action == "enter":
        in_lb = loads_in_lb()
        load = with_unit_typed(_text(request.get("load")), in_lb=in_lb)
        entry = Targets.from_object({"name": _text(request.get("exercise")), "load": load}, "the set")
        desk.enter(_whole(request.get("set")), entry)
    elif action == "move":
        shown = request.get("shown")
        desk.move(_whole_if_given(request.get("set")), None if shown is None else str(shown))
    elif action == "recount":
        desk.recount(_whole_if_given(request.get("set")), _whole(request.get("more")))
    else:
        raise ValueError(f"there is no action {action!r}")
    return None


async def heard_sensors(on_heard: Callable[[list[dict[str, str]]], None]) -> list[dict[str, str]]:
    """Listen for a while; return the sensors that can be trained with, the strongest signal first.

    `on_heard` gets the same as soon as one is heard, and whenever that changes.

    Raises
    ------
    BluetoothUnavailable
        If this computer cannot listen.
    """
    async with radio_for(None) as (radio, _choice):
        seen: dict[str, SeenSensor] = {}
        shown: list[dict[str, str]] = []

        def show(sensor: SeenSensor) -> None:
            nonlocal shown
            seen[sensor.address] = sensor
            before, shown = shown, _choices(seen.values())
            if shown != before:
                on_heard(shown)

        return _choices(await scan(radio, recognise, LISTEN_S, show))


def _choices(sensors: Iterable[SeenSensor]) -> list[dict[str, str]]:
    usable = [sensor for sensor in sensors if sensor.kind is not None and sensor.kind.refusal is None]
    return [
        {
            "wanted": sensor.address,
            "title": sensor.title,
            "signal": "" if sensor.rssi_dbm is None else f"signal {signal_word(sensor.rssi_dbm)}",
        }
        for sensor in sorted(usable, key=lambda sensor: -(sensor.rssi_dbm or -127))
    ]


def _text(value: object) -> str | None:
    """Return a short text, ``None`` for an empty one."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise ValueError("a short text is expected")
    return value.strip() or None


def _plan(value: object) -> Plan | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("a plan is expected")
    in_lb, exercises = loads_in_lb(), value.get("exercise")
    for exercise in exercises if isinstance(exercises, list) else ():
        if isinstance(exercise, dict) and "load" in exercise:
            exercise["load"] = with_unit_typed(exercise["load"], in_lb=in_lb)
    return Plan.from_object(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number is expected")
    return value


def _whole_if_given(value: object) -> int | None:
    return None if value is None else _whole(value)


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
