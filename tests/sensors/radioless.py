"""Carry what a driver and a twin say to each other, on a simulated clock and without a radio."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from imu.samples import ImuBlock
from imu.sensors.conversation import (
    Action,
    Driver,
    Heard,
    LinkDown,
    LinkUp,
    Message,
    Notice,
    Read,
    Reply,
    SensorKind,
    Subscribe,
    Write,
)
from imu.session import Session, SessionSummary
from imu.virtual.twin import Twin

STARTED_NS = 1_790_000_000_000_000_000
STEP_S = 0.03
"""A usual connection interval: the packets that are due in it come at once."""


@dataclass
class Carried:
    """Everything that was said."""

    messages: list[Message] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    @cached_property
    def block(self) -> ImuBlock:
        return joined([block for reply in self.replies for block in reply.blocks])

    @cached_property
    def summary(self) -> SessionSummary:
        return summary_of(self.block)

    @property
    def notices(self) -> list[Notice]:
        return [notice for reply in self.replies for notice in reply.notices]

    def notices_of(self, kind: type) -> list[Notice]:
        return [notice for notice in self.notices if isinstance(notice, kind)]


def summary_of(block: ImuBlock) -> SessionSummary:
    session = Session()
    session.push(block)
    return session.finish()[1]


def joined(blocks: Sequence[ImuBlock]) -> ImuBlock:
    if not blocks:
        return ImuBlock(np.empty(0), np.empty((0, 3)), np.empty((0, 3)))
    names = ("device_time_s", "acceleration_m_s2", "angular_velocity_rad_s", "received_s")
    return ImuBlock(*(np.concatenate([getattr(block, name) for block in blocks]) for name in names))


def replayed(driver: Driver, messages: Sequence[Message]) -> list[Reply]:
    return [*(driver.take(message) for message in messages), driver.finish()]


def carry(
    driver: Driver,
    twin: Twin,
    duration_s: float,
    *,
    mtu: int = 247,
    away: Sequence[tuple[float, float]] = (),
    full: Sequence[tuple[float, float]] = (),
    lost: frozenset[int] = frozenset(),
) -> Carried:
    """Let the two talk; out of range (`away`) and with a full queue of the radio (`full`) in these spans of time.

    `lost` are numbers of notifications that vanish between sensor and computer.
    """
    carried = Carried()
    delays = np.random.default_rng(1)
    characteristics = {each.uuid for service in twin.services for each in service.characteristics}
    state = {"connected": False, "now_s": 0.0, "said": 0}

    def heard(message: Message) -> None:
        carried.messages.append(message)
        carried.replies.append(driver.take(message))
        obey(carried.replies[-1].actions)

    def received_ns() -> int:
        return STARTED_NS + round((state["now_s"] + 0.002) * 1e9)

    def obey(actions: Sequence[Action]) -> None:
        waiting = deque(actions)
        while waiting:
            action = waiting.popleft()
            uuid = action.characteristic.rpartition("/")[2]
            if uuid not in characteristics:
                assert not isinstance(action, Write) and not action.required, f"the twin lacks what {action} needs"
            elif isinstance(action, Read):
                heard(Heard(received_ns(), uuid, twin.read(uuid, state["now_s"])))
            elif isinstance(action, Subscribe):
                twin.subscribed(uuid, True, state["now_s"])
            else:
                twin.write(uuid, action.payload, state["now_s"])

    for step in range(round(duration_s / STEP_S)):
        state["now_s"] = now_s = step * STEP_S + delays.uniform(0.0, 0.01)
        is_away = any(start <= now_s < end for start, end in away)
        if state["connected"] and is_away:
            state["connected"] = False
            twin.disconnected(now_s)
            heard(LinkDown(received_ns()))
        elif not state["connected"] and not is_away:
            state["connected"] = True
            twin.connected(now_s, mtu)
            heard(LinkUp(received_ns(), mtu - 3))
        if not state["connected"]:
            continue
        room = 0 if any(start <= now_s < end for start, end in full) else 100
        for said in twin.step(now_s, room):
            state["said"] += 1
            if state["said"] not in lost:
                heard(Heard(received_ns(), said.characteristic, said.payload))
    obey(driver.stop())
    carried.replies.append(driver.finish())
    return carried


def make(kind: SensorKind, wished_rate_hz: float = 100.0) -> Driver:
    return kind.driver(wished_rate_hz)
