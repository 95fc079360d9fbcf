"""The Bluetooth client: bleak's front end over a virtual radio, and over backends that misbehave as real ones do."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from imu.bluetooth import HostClock, LinkState
from imu.bluetooth.bleak_errors import computer_trouble, search_trouble
from imu.bluetooth.connection import ConnectionParameters
from imu.bluetooth.link import LinkNotice, LinkParameters, SensorLink
from imu.bluetooth.scan import Radio, SeenSensor, SensorChoice, find_sensor, scan
from imu.errors import (
    BluetoothTrouble,
    BluetoothUnavailable,
    SensorBusy,
    SensorLost,
    SensorNotFound,
    SensorUnsuitable,
)
from imu.sensors.conversation import (
    Action,
    Advertisement,
    Heard,
    LinkDown,
    LinkUp,
    Message,
    Read,
    SensorKind,
    Subscribe,
    Write,
)
from imu.virtual.radio import RadioConditions
from imu.virtual.twin import Characteristic, Notification, Property, Service, WriteRefused

pytestmark = pytest.mark.clock("fast")

SERVICE = "7a2b0001-5f3c-4e1d-9b8a-6c1d2e3f4a5b"
DATA = "7a2b0002-5f3c-4e1d-9b8a-6c1d2e3f4a5b"
CONTROL = "7a2b0003-5f3c-4e1d-9b8a-6c1d2e3f4a5b"
ABSENT = "7a2b00ff-5f3c-4e1d-9b8a-6c1d2e3f4a5b"
START, STOP = Write(CONTROL, b"\x01"), Write(CONTROL, b"\x00")
INTERVAL_S = 0.01
AIR = RadioConditions(interval_s=0.0)


class Ticker:
    """A twin that counts aloud, a hundred times a second, when asked to."""

    def __init__(self, name: str = "HipIMU 4711", services: tuple[str, ...] = (SERVICE,)) -> None:
        self.name = name
        self.advertised = services
        self.heard: list[tuple[str, Any]] = []
        self.silent = False
        self.said = 0
        self._due_s: float | None = None

    @property
    def advertisement(self) -> Advertisement:
        return Advertisement(self.name, self.advertised)

    @property
    def services(self) -> tuple[Service, ...]:
        both = Property.READ | Property.WRITE
        return (Service(SERVICE, (Characteristic(DATA, Property.NOTIFY), Characteristic(CONTROL, both))),)

    def connected(self, now_s: float, mtu: int) -> None:
        self.heard.append(("connected", None))

    def mtu_changed(self, mtu: int) -> None:
        self.heard.append(("mtu", mtu))

    def disconnected(self, now_s: float) -> None:
        self.heard.append(("disconnected", None))
        self._due_s = None

    def subscribed(self, characteristic: str, on: bool, now_s: float) -> None:
        self.heard.append(("subscribed", on))

    def read(self, characteristic: str, now_s: float) -> bytes:
        self.heard.append(("read", characteristic))
        return b"reply"

    def write(self, characteristic: str, payload: bytes, now_s: float) -> None:
        self.heard.append(("write", payload))
        if payload == b"\xff":
            raise WriteRefused(0x80)
        self._due_s = now_s if payload == b"\x01" else None

    def step(self, now_s: float, room: int) -> tuple[Notification, ...]:
        if self.silent or self._due_s is None:
            return ()
        said = []
        while self._due_s <= now_s:
            said.append(Notification(DATA, self.said.to_bytes(4, "little")))
            self.said += 1
            self._due_s += INTERVAL_S
        return tuple(said)

    def next_due_s(self) -> float | None:
        return self._due_s


KIND = SensorKind("ticker", "Ticker", lambda said: SERVICE in said.services, lambda rate_hz: pytest.fail("no driver"))
BELT = SensorKind(
    "belt", "Belt", lambda said: True, lambda rate_hz: pytest.fail("no driver"), "a belt has no gyroscope"
)
FAST = LinkParameters(
    scan_s=5.0,
    choosing_s=0.2,
    look_again_s=2.0,
    first_contact_s=10.0,
    give_up_s=20.0,
    shortest_wait_s=0.02,
    longest_wait_s=0.1,
    connection=ConnectionParameters(connect_s=5.0, first_notification_s=60.0, silence_s=0.5),
)


def recognise(said: Advertisement) -> SensorKind | None:
    if (said.name or "").startswith("Belt"):
        return BELT
    return KIND if KIND.recognises(said) else None


def numbers(messages: Iterable[Message]) -> list[int]:
    """The ticks counted so far."""
    return [
        int.from_bytes(each.payload, "little")
        for each in messages
        if isinstance(each, Heard) and each.characteristic == DATA
    ]


def parts(messages: Iterable[Message]) -> list[list[Message]]:
    """The messages of each connection."""
    connections: list[list[Message]] = []
    for message in messages:
        if isinstance(message, LinkUp):
            connections.append([])
        connections[-1].append(message)
    return connections


class Talk:
    """A reader of a link: it answers each connection with the same actions and keeps the messages."""

    def __init__(self, link: SensorLink, opening: Iterable[Action] = (Subscribe(DATA), START)) -> None:
        self.link = link
        self.opening = tuple(opening)
        self.messages: list[Message] = []
        self.notices: list[LinkNotice] = []
        self.hearings: list[LinkNotice] = []
        self.order: list[Message | LinkNotice] = []
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async with aclosing(self.link.messages()) as messages:
            async for message in messages:
                if isinstance(message, LinkNotice) and message.heard:
                    self.hearings.append(message)
                    continue
                self.order.append(message)
                if isinstance(message, LinkNotice):
                    self.notices.append(message)
                else:
                    self.messages.append(message)
                if isinstance(message, LinkUp):
                    self.link.ask(self.opening)

    def states(self) -> list[LinkState]:
        return [notice.state for notice in self.notices]

    def count(self) -> int:
        return len(numbers(self.messages))


@asynccontextmanager
async def talk(
    radio: Any,
    choice: str | None = None,
    opening: Iterable[Action] = (Subscribe(DATA), START),
    parameters: LinkParameters = FAST,
    stop: Iterable[Action] = (STOP,),
) -> AsyncIterator[Talk]:
    chosen = Radio(radio.scanner_backend, radio.client_backend)
    talking = Talk(SensorLink(chosen, SensorChoice(choice), recognise, HostClock(), parameters), opening)
    try:
        yield talking
    finally:
        await talking.link.close(stop)
        async with asyncio.timeout(5):
            await asyncio.wait({talking.task})
    if talking.task.exception() is not None:
        await talking.task


# --- over the virtual radio -------------------------------------------------------------------------------------------


async def test_devices_within_reach_are_listed_as_they_are_heard(radio):
    await radio.add_sensor(Ticker("HipIMU far"), rssi_dbm=-90)
    await radio.add_sensor(Ticker("HipIMU near"), rssi_dbm=-40)
    await radio.add_sensor(Ticker("Scales", services=()), rssi_dbm=-30)
    updates: list[SeenSensor] = []
    seen = await scan(Radio(radio.scanner_backend, radio.client_backend), recognise, 0.5, updates.append)
    assert [(each.name, each.rssi_dbm, each.kind) for each in seen] == [
        ("HipIMU near", -40, KIND),
        ("HipIMU far", -90, KIND),
        ("Scales", -30, None),
    ]
    assert len(updates) > 3, "also when heard again"
    assert {each.address for each in updates} == {each.address for each in seen}


async def test_messages_come_in_order_and_actions_are_carried_out_in_order(radio, until):
    sensor = await radio.add_sensor(ticker := Ticker(), conditions=AIR)
    before_ns = time.time_ns()
    async with talk(
        radio,
        opening=(Read(CONTROL), Subscribe(DATA), Subscribe(DATA), Write(CONTROL, b"\x02", with_response=True), START),
    ) as talking:
        await until(lambda: talking.count() >= 20)
        assert sensor.connected
    assert not sensor.connected
    assert talking.order[:4] == [
        LinkNotice(LinkState.SEARCHING),
        LinkNotice(LinkState.CONNECTING, talking.notices[1].sensor, 1),
        LinkNotice(LinkState.CONNECTED, talking.notices[1].sensor, 1),
        talking.messages[0],
    ]
    assert talking.notices[1].sensor.name == "HipIMU 4711" and talking.notices[1].sensor.kind is KIND
    first, *middle, last = talking.messages
    assert isinstance(first, LinkUp) and first.longest_write == 244
    assert isinstance(last, LinkDown)
    assert middle[0] == Heard(middle[0].received_ns, CONTROL, b"reply")
    assert numbers(middle) == list(range(ticker.said)), "all that it said, to the last"
    assert {each.characteristic for each in middle[1:]} == {DATA}
    times = [message.received_ns for message in talking.messages]
    assert times == sorted(times) and before_ns - 5_000_000 <= times[0] and times[-1] <= time.time_ns() + 5_000_000
    assert [what for what in ticker.heard if what[0] != "mtu"] == [
        ("connected", None),
        ("read", CONTROL),
        ("subscribed", True),
        ("write", b"\x02"),
        ("write", b"\x01"),
        ("write", b"\x00"),
        ("disconnected", None),
    ], "the stream is stopped before hanging up, and a second subscription is not made"


async def test_a_lost_connection_is_made_again_and_nothing_comes_twice(radio, until):
    sensor = await radio.add_sensor(Ticker(), conditions=AIR)
    async with talk(radio) as talking:
        for connection in (1, 2, 3):
            enough = talking.count() + 20
            await until(lambda enough=enough: talking.count() >= enough)
            assert len(parts(talking.messages)) == connection
            await sensor.hang_up()
            await until(lambda down=connection: sum(isinstance(each, LinkDown) for each in talking.messages) == down)
        enough = talking.count() + 20
        await until(lambda: talking.count() >= enough)
    counted = numbers(talking.messages)
    assert counted == sorted(set(counted)), "nothing twice, nothing late"
    assert all(isinstance(part[0], LinkUp) and isinstance(part[-1], LinkDown) for part in parts(talking.messages))
    assert len(parts(talking.messages)) == 4
    again = [LinkState.LOST, LinkState.CONNECTING, LinkState.CONNECTED]
    assert talking.states() == [LinkState.SEARCHING, LinkState.CONNECTING, LinkState.CONNECTED, *again, *again, *again]
    assert {notice.attempt for notice in talking.notices} == {1}


async def test_a_sensor_that_was_carried_away_is_found_when_it_is_back(radio, until):
    sensor = await radio.add_sensor(Ticker(), conditions=AIR)
    quick = replace(FAST, look_again_s=0.3, connection=replace(FAST.connection, connect_s=0.5))
    async with talk(radio, parameters=quick) as talking:
        await until(lambda: talking.count() >= 10)
        sensor.out_of_range()
        await until(lambda: LinkState.LOST in talking.states())
        await until(lambda: talking.notices[-1].attempt >= 3)
        heard = talking.count()
        sensor.in_range()
        await until(lambda: talking.count() >= heard + 10)
        assert talking.notices[-1].state is LinkState.CONNECTED and talking.notices[-1].attempt >= 3
    counted = numbers(talking.messages)
    assert counted == sorted(set(counted))


async def test_a_link_that_stands_but_is_silent_is_made_again(radio, until):
    await radio.add_sensor(ticker := Ticker(), conditions=AIR)
    async with talk(radio) as talking:
        await until(lambda: talking.count() >= 10)
        ticker.silent = True
        await until(lambda: ("disconnected", None) in ticker.heard)
        ticker.silent = False
        heard = talking.count()
        await until(lambda: talking.count() >= heard + 10)
    assert len(parts(talking.messages)) == 2


async def test_a_sensor_that_never_says_anything_is_given_up(radio):
    await radio.add_sensor(Ticker(), conditions=AIR)
    short = replace(FAST, first_contact_s=0.8, connection=replace(FAST.connection, first_notification_s=0.1))
    with pytest.raises(SensorBusy, match=r"HipIMU 4711 \(F0:00:00:00:00:01\) is near.*disconnect it from phones"):
        async with talk(radio, opening=(), parameters=short) as talking:
            await talking.task
    assert talking.notices[-1].attempt > 1, "it was tried again"


async def test_a_sensor_that_does_not_come_back_is_lost_for_good(radio, until):
    sensor = await radio.add_sensor(Ticker(), conditions=AIR)
    quick = replace(
        FAST, give_up_s=0.7, look_again_s=0.2, connection=replace(FAST.connection, connect_s=1.0, farewell_s=1.0)
    )
    with pytest.raises(SensorLost, match=r"HipIMU 4711 .*did not come back within 1 s"):
        async with talk(radio, parameters=quick) as talking:
            await until(lambda: talking.count() >= 10)
            await sensor.remove()
            await talking.task
    assert isinstance(talking.messages[-1], LinkDown)


async def test_required_characteristics_are_distinguished_from_optional_ones(radio, until):
    await radio.add_sensor(Ticker(), conditions=AIR)
    optional = (Read(ABSENT, required=False), Subscribe(ABSENT, required=False), Subscribe(DATA), START)
    async with talk(radio, opening=optional) as talking:
        await until(lambda: talking.count() >= 3)
    for action in (Read(ABSENT), Subscribe(ABSENT), Write(ABSENT, b"")):
        with pytest.raises(SensorUnsuitable, match=f"lacks the characteristic {ABSENT}"):
            async with talk(radio, opening=(action,)) as talking:
                await talking.task
        assert isinstance(talking.messages[-1], LinkDown)


async def test_a_refused_write_does_not_end_anything(radio, until):
    await radio.add_sensor(ticker := Ticker(), conditions=AIR)
    async with talk(radio, opening=(Write(CONTROL, b"\xff"), Subscribe(DATA), START)) as talking:
        await until(lambda: talking.count() >= 10)
    assert ("write", b"\xff") in ticker.heard and len(parts(talking.messages)) == 1


async def test_actions_for_a_connection_that_is_over_are_passed_over(radio, until):
    sensor = await radio.add_sensor(ticker := Ticker(), conditions=AIR)
    chosen = Radio(radio.scanner_backend, radio.client_backend)
    link = SensorLink(chosen, SensorChoice(), recognise, HostClock(), FAST)
    async with aclosing(link.messages()) as messages:
        async for message in messages:
            if isinstance(message, LinkUp):
                link.ask((Subscribe(DATA), START))
            if isinstance(message, Heard):
                break
        await sensor.hang_up()
        await until(lambda: [what for what, _ in ticker.heard].count("connected") == 2)
        link.ask((Write(CONTROL, b"late"),))  # for the first connection: no message of the second was read yet
        async for message in messages:
            if isinstance(message, LinkUp):
                link.ask((Subscribe(DATA), START))
                break
        async for message in messages:
            if isinstance(message, Heard):
                break
        await link.close()
    assert ("write", b"late") not in ticker.heard
    assert [each for each in ticker.heard if each[0] == "write"] == [("write", b"\x01")] * 2


async def test_messages_from_before_the_close_can_be_read_after_it(radio, until):
    await radio.add_sensor(ticker := Ticker(), conditions=AIR)
    chosen = Radio(radio.scanner_backend, radio.client_backend)
    link = SensorLink(chosen, SensorChoice(), recognise, HostClock(), FAST)
    messages = link.messages()
    heard: list[Message] = []
    async for message in messages:
        if isinstance(message, LinkUp):
            link.ask((Subscribe(DATA), START))
        if isinstance(message, Heard):
            heard.append(message)
            break
    await until(lambda: ticker.said >= 20)
    await link.close((STOP,))
    heard += [message async for message in messages if not isinstance(message, LinkNotice)]
    assert numbers(heard) == list(range(ticker.said)) and isinstance(heard[-1], LinkDown)
    await link.close()


async def test_closing_ends_a_search_at_once(radio, until):
    async with talk(radio, parameters=replace(FAST, scan_s=3600)) as talking:
        await until(lambda: talking.states() == [LinkState.SEARCHING])
    assert talking.messages == []
    link = SensorLink(Radio(), SensorChoice(), recognise, HostClock())
    await link.close()
    assert [message async for message in link.messages()] == []


async def test_what_a_search_hears_is_reported_while_it_goes_on(radio, until):
    async with talk(radio, "4712", parameters=replace(FAST, scan_s=3600)) as talking:
        await radio.add_sensor(Ticker("HipIMU 4711"), rssi_dbm=-40)
        await until(lambda: talking.hearings)
        await radio.add_sensor(Ticker("Scales", services=()), rssi_dbm=-90)
        await until(lambda: len(talking.hearings[-1].heard) == 2)
    assert {notice.state for notice in talking.hearings} == {LinkState.SEARCHING}
    heard = [(one.name, one.rssi_dbm, one.kind) for one in talking.hearings[-1].heard]
    assert heard == [("HipIMU 4711", -40, KIND), ("Scales", -90, None)]
    assert len(talking.hearings) <= 4, "once for each device, not for each advertisement"


async def test_closing_at_once_and_losing_the_cancellation_end_too(rogue, until):
    link = SensorLink(Radio(rogue.scanner_backend), SensorChoice(), recognise, HostClock(), replace(FAST, scan_s=3600))
    talking = Talk(link)
    while link._supervisor is None:
        await asyncio.sleep(0)
    await link.close()  # before the supervisor has taken its first step
    await asyncio.wait_for(talking.task, 5)
    assert talking.order == []

    for loses in ("start", "connect"):
        rogue.heard.clear()
        rogue.loses = loses
        talking = Talk(
            SensorLink(Radio(rogue.scanner_backend, rogue.client_backend), SensorChoice(), recognise, HostClock(), FAST)
        )
        await until(lambda loses=loses: loses in rogue.heard)
        await asyncio.wait_for(talking.link.close(), 5)
        await asyncio.wait_for(talking.task, 5)
        assert rogue.heard[-2:] == {"start": ["start", "stop"], "connect": ["connect", "disconnect"]}[loses]


# --- which sensor -----------------------------------------------------------------------------------------------------


async def test_a_sensor_is_chosen_by_name_address_serial_or_nearness(radio):
    await radio.add_sensor(Ticker("HipIMU 4711"), rssi_dbm=-80)
    await radio.add_sensor(Ticker("HipIMU 4712"), rssi_dbm=-50)
    await radio.add_sensor(Ticker("Belt 99"), rssi_dbm=-20)
    chosen = Radio(radio.scanner_backend, radio.client_backend)

    async def find(wanted: str | None) -> str | None:
        return (await find_sensor(chosen, SensorChoice(wanted), recognise, 1.0, 0.3)).name

    assert await find(None) == "HipIMU 4712"
    assert await find("hipimu 4711 ") == "HipIMU 4711"
    assert await find("4711") == "HipIMU 4711"
    assert await find("f0:00:00:00:00:01") == "HipIMU 4711"
    with pytest.raises(SensorUnsuitable, match="a belt has no gyroscope"):
        await find("Belt 99")


async def test_an_absent_sensor_is_reported_with_those_that_are_near(radio):
    chosen = Radio(radio.scanner_backend, radio.client_backend)

    async def missing(wanted: str | None) -> str:
        with pytest.raises(SensorNotFound) as caught:
            await find_sensor(chosen, SensorChoice(wanted), recognise, 0.3, 0.1)
        return str(caught.value)

    assert (await missing(None)).startswith("no sensor was heard in 0 s, and no other device: switch it on")
    scales = await radio.add_sensor(Ticker("Scales", services=()))
    assert "no sensor was heard in 0 s, but 1 other Bluetooth device (Scales): switch it on" in await missing(None)
    with pytest.raises(SensorUnsuitable, match=r"Scales \(.*\) is not a supported sensor"):
        await find_sensor(chosen, SensorChoice(scales.address), recognise, 0.3, 0.1)
    await radio.add_sensor(Ticker("HipIMU 4711"))
    assert "no sensor '4712' was heard in 0 s, but HipIMU 4711 (F0:00:00:00:00:02): switch it on" in await missing(
        "4712"
    )
    assert "HipIMU" in await missing("hip"), "a part of a name is not enough: it might be another's"


async def test_a_sensor_that_a_killed_program_has_left_connected_is_found_and_connected_again(rogue, until):
    """On Linux the connection outlives the program, and a connected sensor does not advertise."""
    bluez = {"path": "/org/bluez/x", "props": {"UUIDs": [SERVICE.upper()]}}
    held = BLEDevice("AA", "HipIMU 4711", bluez)
    mouse = BLEDevice("BB", "Mouse", {"path": "/org/bluez/y", "props": {"UUIDs": ["1812"]}})

    class HostRadio(Radio):
        async def connected_devices(self) -> list[BLEDevice]:
            return [mouse, held] if "disconnect" not in rogue.heard else []

    rogue.advertises = False
    chosen = HostRadio(rogue.scanner_backend, rogue.client_backend)
    (seen,) = await scan(chosen, recognise, 0.1)
    assert (seen.device, seen.kind, seen.rssi_dbm, seen.connected) == (held, KIND, None, True)

    async def advertises_again() -> None:
        rogue.advertises = True

    rogue.heard.clear()
    rogue.disconnecting = advertises_again
    talking = Talk(SensorLink(chosen, SensorChoice(), recognise, HostClock(), FAST))
    await until(lambda: rogue.clients and rogue.clients[-1].callback)
    rogue.clients[-1].notify(1)
    await until(lambda: talking.count() == 1)
    await talking.link.close()
    await talking.task
    left = ["new client", "connect", "disconnect"]
    assert rogue.heard[:-1] == [
        "start",
        "stop",
        *left,
        "start",
        "stop",
        *left[:2],
        "notify 2",
        "write 01 with response",
    ]
    assert talking.messages[0] == parts(talking.messages)[0][0] and len(parts(talking.messages)) == 1


# --- over backends that misbehave -------------------------------------------------------------------------------------


class Rogue:
    """A sensor on a radio whose every answer can be set."""

    def __init__(self) -> None:
        self.advertises = True
        self.loses = ""
        self.starts: list[Exception | None] = []
        self.stops: list[Exception | None] = []
        self.connects: list[BaseException | None] = []
        self.actions: list[BaseException | None] = []
        self.heard: list[str] = []
        self.disconnecting: Callable[[], Awaitable[None]] | None = None
        self.clients: list[RogueClient] = []
        self.scanner_backend = type("Scanner", (RogueScanner,), {"rogue": self})
        self.client_backend = type("Client", (RogueClient,), {"rogue": self})

    async def lose_a_cancellation_in(self, what: str) -> None:
        if self.loses == what:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    def answer(self, answers: list[Any]) -> None:
        answer = answers.pop(0) if answers else None
        if answer is not None:
            raise answer


class RogueScanner(BaseBleakScanner):
    rogue: Rogue

    def __init__(self, detection_callback: Any, service_uuids: Any, scanning_mode: str, **kwargs: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        self.seen_devices = {}
        self.rogue.heard.append("start")
        self.rogue.answer(self.rogue.starts)
        await self.rogue.lose_a_cancellation_in("start")
        if self.rogue.advertises:
            asyncio.get_running_loop().call_soon(self.advertise)

    def advertise(self) -> None:
        for name, services in ((None, []), ("HipIMU", []), (None, [SERVICE.upper()])):  # in pieces
            data = AdvertisementData(name, {}, {}, services, None, -127, ())
            self.call_detection_callbacks(self.create_or_update_device("a", "AA", None, None, data), data)

    async def stop(self) -> None:
        self.rogue.heard.append("stop")
        self.rogue.answer(self.rogue.stops)


class RogueClient(BaseBleakClient):
    rogue: Rogue
    callback: NotifyCallback | None = None
    connected = False

    def __init__(self, device: Any, services: Any = None, **kwargs: Any) -> None:
        super().__init__(device, **kwargs)
        self.rogue.clients.append(self)
        self.rogue.heard.append("new client")

    name = "HipIMU"
    mtu_size = 23

    @property
    def is_connected(self) -> bool:
        return self.connected

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        self.rogue.heard.append("connect")
        self.rogue.answer(self.rogue.connects)
        await self.rogue.lose_a_cancellation_in("connect")
        self.connected = True
        self.services = BleakGATTServiceCollection()
        service = BleakGATTService(None, 1, SERVICE)
        self.services.add_service(service)
        for handle, uuid in ((2, DATA), (4, CONTROL), (6, DATA)):  # one of them twice, as some sensors have
            self.services.add_characteristic(
                BleakGATTCharacteristic(None, handle, uuid, ["notify", "read", "write"], lambda: 182, service)
            )

    async def disconnect(self) -> None:
        self.rogue.heard.append("disconnect")
        if self.rogue.disconnecting is not None:
            await self.rogue.disconnecting()
        self.drop()

    def drop(self) -> None:
        """End the link; the services are kept, as on Linux until `disconnect`."""
        if self.connected:
            self.connected = False
            assert self._disconnected_callback is not None
            self._disconnected_callback()

    def notify(self, number: int) -> None:
        if self.callback is not None:
            self.callback(bytearray(number.to_bytes(4, "little")))

    async def _act(self, what: str) -> None:
        self.rogue.heard.append(what)
        self.rogue.answer(self.rogue.actions)

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **kwargs: Any) -> bytearray:
        await self._act("read")
        return bytearray(b"reply")

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: Any, response: bool) -> None:
        await self._act(f"write {bytes(data).hex()} {'with' if response else 'without'} response")

    async def start_notify(self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kw: Any) -> None:
        await self._act(f"notify {characteristic.handle}")
        self.callback = callback

    async def pair(self, *args: Any, **kwargs: Any) -> None: ...
    async def unpair(self) -> None: ...
    async def read_gatt_descriptor(self, descriptor: Any, **kwargs: Any) -> bytearray: ...
    async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None: ...
    async def stop_notify(self, characteristic: Any) -> None: ...


@pytest.fixture
def rogue(monkeypatch) -> Rogue:
    monkeypatch.setattr("imu.bluetooth.scan.START_WAIT_S", 0.001)
    return Rogue()


def in_progress() -> BleakDBusError:
    return BleakDBusError("org.bluez.Error.InProgress", ["Operation already in progress"])


async def test_pieces_of_an_advertisement_are_put_together(rogue):
    updates: list[SeenSensor] = []
    (seen,) = await scan(Radio(rogue.scanner_backend), recognise, 0.05, updates.append)
    assert [each.kind for each in updates] == [None, None, KIND]
    assert seen.advertisement == Advertisement("HipIMU", (SERVICE,)) and seen.title == "HipIMU (AA)"
    assert seen.rssi_dbm is None, "Linux gives -127 for an unknown strength"


async def test_a_search_in_progress_is_waited_for(rogue):
    rogue.starts, rogue.stops = [in_progress(), in_progress(), None], [in_progress(), None]
    assert [each.kind for each in await scan(Radio(rogue.scanner_backend), recognise, 0.05)] == [KIND]
    assert rogue.heard == ["start"] * 3 + ["stop"] * 2
    rogue.starts = [in_progress() for _ in range(99)]
    with pytest.raises(BluetoothUnavailable, match="busy with a search that does not end"):
        await scan(Radio(rogue.scanner_backend), recognise, 0.05)


async def test_a_search_that_does_not_stop_keeps_its_results(rogue):
    rogue.stops = [BleakError("no"), None]
    assert len(await scan(Radio(rogue.scanner_backend), recognise, 0.05)) == 1
    rogue.stops = [in_progress(), in_progress(), None]
    assert len(await scan(Radio(rogue.scanner_backend), recognise, 0.05)) == 1


async def test_an_error_of_a_listener_is_not_lost(rogue):
    def listener(sensor: SeenSensor) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await scan(Radio(rogue.scanner_backend), recognise, 0.05, listener)
    assert rogue.heard == ["start", "stop"]


async def test_every_drop_is_hung_up_on_and_every_connection_has_its_own_client(rogue, until):
    """Else Linux brings every packet twice (hbldh/bleak#2002), and macOS refuses to subscribe (hbldh/bleak#1969)."""
    async with talk(rogue) as talking:
        for connection in range(1, 4):
            await until(lambda connection=connection: len(rogue.clients) == connection and rogue.clients[-1].callback)
            rogue.clients[-1].notify(connection)
            rogue.clients[-1].drop()
        await until(lambda: len(rogue.clients) == 4 and rogue.clients[-1].callback)
        rogue.clients[-1].notify(4)
        await until(lambda: talking.count() == 4)
    once = ["new client", "connect", "notify 2", "write 01 with response"]
    assert rogue.heard == ["start", "stop", *[*once, "disconnect"] * 3, *once, "write 00 with response", "disconnect"]
    assert numbers(talking.messages) == [1, 2, 3, 4]
    assert parts(talking.messages)[0][0].longest_write == 182, "not from mtu_size, which is 23 on Linux"


async def test_nothing_is_heard_of_a_connection_that_is_over(rogue, until):
    """Linux goes on delivering for 2 s while it hangs up."""
    hung_up = asyncio.Event()

    async def goes_on() -> None:
        rogue.clients[0].notify(2)
        await hung_up.wait()

    rogue.disconnecting = goes_on
    async with talk(rogue) as talking:
        await until(lambda: rogue.clients and rogue.clients[0].callback)
        rogue.clients[0].notify(1)
        rogue.clients[0].drop()
        await until(lambda: rogue.heard[-1] == "disconnect")
        rogue.clients[0].notify(3)
        hung_up.set()
        await until(lambda: len(rogue.clients) == 2 and rogue.clients[1].callback)
        rogue.clients[0].notify(4)
        rogue.clients[1].notify(5)
        await until(lambda: talking.count() == 2)
    assert numbers(talking.messages) == [1, 5]


async def test_a_farewell_that_never_ends_or_fails_holds_up_nothing(rogue, until):
    async def never() -> None:
        await asyncio.Event().wait()

    async def fails() -> None:
        raise AssertionError

    quick = replace(FAST, stop_s=0.05, connection=replace(FAST.connection, farewell_s=0.05))
    for farewell in (never, fails):
        rogue.disconnecting = farewell
        first = len(rogue.clients)
        async with talk(rogue, parameters=quick) as talking:
            await until(lambda first=first: len(rogue.clients) > first and rogue.clients[-1].callback)
            rogue.clients[-1].notify(1)
            rogue.clients[-1].drop()
            await until(lambda first=first: len(rogue.clients) > first + 1 and rogue.clients[-1].callback)
        assert len(parts(talking.messages)) == 2


FAILURES = [
    BleakError("failed to connect"),
    BleakDeviceNotFoundError("AA", "It may have been removed from BlueZ when scanning stopped."),
    BleakDBusError("org.bluez.Error.Failed", ["Input/output error"]),
    BleakGATTProtocolError(0x0E),
    TimeoutError(),
    asyncio.CancelledError(),
    AssertionError(),
    OSError(5, "Input/output error"),
    EOFError(),
]


async def test_connecting_is_tried_again_whatever_went_wrong(rogue, until):
    rogue.connects = list(FAILURES)
    async with talk(rogue) as talking:
        await until(lambda: rogue.clients and rogue.clients[-1].callback)
        rogue.clients[-1].notify(1)
        await until(lambda: talking.count() == 1)
    assert {notice.sensor.title for notice in talking.notices[1:]} == {"HipIMU (AA)"}
    tries = len(FAILURES) + 1
    assert len(rogue.clients) == tries and rogue.heard.count("disconnect") == tries
    assert rogue.heard.count("start") == tries, "and each time it is looked for again: Linux may have forgotten it"
    assert [notice.attempt for notice in talking.notices if notice.state is LinkState.CONNECTING] == list(
        range(1, tries + 1)
    )


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
async def test_an_action_that_fails_costs_the_connection_not_the_training(rogue, until, failure):
    rogue.actions = [None, failure]
    opening = (Subscribe(DATA), Read(CONTROL))
    async with talk(rogue, opening=opening, stop=()) as talking:
        await until(lambda: len(rogue.clients) == 2 and rogue.heard[-1] == "read")
        rogue.clients[-1].notify(1)
        await until(lambda: talking.count() == 1)
    assert len(parts(talking.messages)) == 2
    assert [each.payload for each in talking.messages if isinstance(each, Heard)] == [b"reply", b"\x01\0\0\0"]


async def test_a_characteristic_may_be_named_with_its_service(rogue, until):
    async with talk(rogue, opening=(Subscribe(f"{SERVICE}/{CONTROL}"), Read(f"{SERVICE}/{DATA}")), stop=()) as talking:
        await until(lambda: rogue.heard[-2:] == ["notify 4", "read"])
        rogue.clients[-1].notify(1)
        await until(lambda: len(talking.messages) == 3)
        assert [each.characteristic for each in talking.messages[1:]] == [DATA, CONTROL]
    with pytest.raises(SensorUnsuitable, match=f"lacks the characteristic {ABSENT}/{DATA}"):
        async with talk(rogue, opening=(Subscribe(f"{ABSENT}/{DATA}"),)) as talking:
            await talking.task


async def test_an_optional_action_may_fail(rogue, until):
    rogue.actions = [BleakError("no"), BleakGATTProtocolError(0x05), TimeoutError(), None]
    optional = (Read(CONTROL, required=False), Read(CONTROL, required=False), Subscribe(CONTROL, required=False))
    async with talk(rogue, opening=(*optional, Subscribe(DATA)), stop=()) as talking:
        await until(lambda: rogue.clients and rogue.clients[-1].callback)
        rogue.clients[-1].notify(1)
        await until(lambda: talking.count() == 1)
    assert len(rogue.clients) == 1


async def test_a_sensor_that_wants_to_be_paired_is_reported(rogue):
    rogue.actions = [BleakGATTProtocolError(0x05)]
    with pytest.raises(SensorUnsuitable, match=r"HipIMU \(AA\) only talks to paired computers"):
        async with talk(rogue) as talking:
            await talking.task


async def test_bluetooth_switched_off_and_on_in_a_training_costs_a_gap(rogue, until):
    off = BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF)
    async with talk(rogue) as talking:
        await until(lambda: rogue.clients and rogue.clients[-1].callback)
        rogue.clients[-1].notify(1)
        rogue.starts = [off] * 3
        rogue.connects = [off, BleakError("Input/output error"), BleakDBusError("org.bluez.Error.NotReady", [])]
        rogue.clients[-1].drop()
        await until(lambda: len(rogue.clients) == 5 and rogue.clients[-1].callback)
        rogue.clients[-1].notify(2)
        await until(lambda: talking.count() == 2)
        troubles = [notice.trouble and notice.trouble.reason for notice in talking.notices]
        assert troubles == [None] * 5 + [BluetoothTrouble.OFF] * 6 + [None], "the screen can say it as long as it lasts"
    short = replace(FAST, give_up_s=0.1)
    with pytest.raises(BluetoothUnavailable, match="Bluetooth is off") as caught:
        async with talk(rogue, parameters=short) as talking:
            await until(lambda: rogue.clients[-1].connected and rogue.clients[-1].callback)
            rogue.clients[-1].notify(1)
            rogue.starts, rogue.connects = [off] * 99, [BleakError("Input/output error") for _ in range(99)]
            rogue.clients[-1].drop()
            await talking.task
    assert caught.value.reason is BluetoothTrouble.OFF


async def test_bluetooth_that_is_off_at_the_start_is_reported_at_once(rogue):
    off = BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF)
    rogue.starts = [off]
    with pytest.raises(BluetoothUnavailable, match="Bluetooth is off"):
        async with talk(rogue) as talking:
            await talking.task
    rogue.connects = [off]
    with pytest.raises(BluetoothUnavailable, match="Bluetooth is off"):
        async with talk(rogue) as talking:
            await talking.task
    assert len(rogue.clients) == 1


@pytest.mark.clock("real")
async def test_a_program_that_was_held_up_does_not_take_the_link_for_silent(rogue, until):
    quick = replace(FAST, connection=replace(FAST.connection, silence_s=0.2))
    async with talk(rogue, parameters=quick) as talking:
        await until(lambda: rogue.clients and rogue.clients[-1].callback)
        rogue.clients[-1].notify(0)
        loop, client = asyncio.get_running_loop(), rogue.clients[-1]
        sender = threading.Timer(0.35, lambda: loop.call_soon_threadsafe(client.notify, 1))
        sender.start()
        time.sleep(0.5)
        await until(lambda: talking.count() == 2)
        await asyncio.sleep(0)
        assert len(rogue.clients) == 1
    assert len(parts(talking.messages)) == 1


async def test_waits_grow_and_then_stay(rogue, monkeypatch):
    waits: list[float] = []
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr("imu.bluetooth.link.asyncio.sleep", counted)
    rogue.connects = [BleakError("no") for _ in range(9)]
    async with talk(rogue, parameters=replace(FAST, shortest_wait_s=0.2, longest_wait_s=5.0)):
        while not (rogue.clients and rogue.clients[-1].callback):
            await sleep(0.001)
    assert waits[:9] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0])


# --- faults and remedies ----------------------------------------------------------------------------------------------

REASONS = BleakBluetoothNotAvailableReason
NOT_AVAILABLE = OSError(22, "The device is not ready for use")
NOT_AVAILABLE.winerror = -2147020577  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (BleakBluetoothNotAvailableError("x", REASONS.POWERED_OFF), BluetoothTrouble.OFF),
        (BleakBluetoothNotAvailableError("x", REASONS.NO_BLUETOOTH), BluetoothTrouble.NO_ADAPTER),
        (BleakBluetoothNotAvailableError("x", REASONS.NO_BLE_CENTRAL_ROLE), BluetoothTrouble.NO_ADAPTER),
        (BleakBluetoothNotAvailableError("x", REASONS.DENIED_BY_USER), BluetoothTrouble.NO_PERMISSION),
        (BleakBluetoothNotAvailableError("x", REASONS.DENIED_BY_SYSTEM), BluetoothTrouble.NO_PERMISSION),
        (BleakBluetoothNotAvailableError("x", REASONS.DENIED_BY_UNKNOWN), BluetoothTrouble.NO_PERMISSION),
        (BleakBluetoothNotAvailableError("x", REASONS.UNKNOWN), BluetoothTrouble.NO_SERVICE),
        (BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", []), BluetoothTrouble.NO_SERVICE),
        (BleakDBusError("org.freedesktop.DBus.Error.AccessDenied", []), BluetoothTrouble.NO_PERMISSION),
        (BleakDBusError("org.bluez.Error.NotReady", ["Resource Not Ready"]), BluetoothTrouble.OFF),
        (BleakError("adapter 'hci0' not found"), BluetoothTrouble.NO_ADAPTER),
        (BleakError("Failed to start scanner. Is Bluetooth turned on?"), BluetoothTrouble.OFF),
        (NOT_AVAILABLE, BluetoothTrouble.OFF),
        (FileNotFoundError(2, "No such file or directory"), BluetoothTrouble.NO_SERVICE),
        (ConnectionRefusedError(111, "Connection refused"), BluetoothTrouble.NO_SERVICE),
        (PermissionError(13, "Permission denied"), BluetoothTrouble.NO_PERMISSION),
        (BleakError("Not connected"), None),
        (BleakDBusError("org.bluez.Error.Failed", ["Input/output error"]), None),
        (TimeoutError(), None),
    ],
    ids=repr,
)
def test_trouble_with_the_computer_is_explained_for_each_system(error, trouble):
    sentences = set()
    for platform in ("linux", "darwin", "win32"):
        said = computer_trouble(error, platform)
        assert (said and said.reason) is trouble
        sentences.add(str(said))
        assert search_trouble(error, platform).reason is (trouble or BluetoothTrouble.NO_SERVICE)
    assert len(sentences) == (3 if trouble else 1)
    assert str(computer_trouble(error, "freebsd")) == str(computer_trouble(error, "linux"))


def test_the_reasons_of_bleak_are_all_known():
    for reason in REASONS:
        assert computer_trouble(BleakBluetoothNotAvailableError("x", reason)) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="Linux reaches Bluetooth over D-Bus")
@pytest.mark.parametrize(
    ("address", "trouble"),
    [("unix:path=/nowhere/socket", "is not running"), ("nonsense", "Bluetooth does not work")],
)
async def test_a_computer_without_the_bluetooth_service(monkeypatch, address, trouble):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    with pytest.raises(BluetoothUnavailable, match=trouble) as caught:
        await scan(Radio(), recognise, 1.0)
    assert caught.value.reason is BluetoothTrouble.NO_SERVICE
    link = SensorLink(Radio(), SensorChoice(), recognise, HostClock())
    with pytest.raises(BluetoothUnavailable, match=trouble):
        async for message in link.messages():
            assert isinstance(message, LinkNotice)
    await link.close()


# --- the clock --------------------------------------------------------------------------------------------------------


def test_the_clock_only_goes_forward(monkeypatch):
    clock = HostClock()
    assert abs(clock.now_ns() - time.time_ns()) < 1e9
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    times = [clock.now_ns() for _ in range(1000)]
    assert times == sorted(times) and times[0] > 1_600_000_000 * 10**9


def test_a_clock_that_is_set_back_stamps_nothing_earlier(monkeypatch):
    clock = HostClock()
    before = clock.now_ns()
    monkeypatch.setattr("time.time_ns", lambda: before - 3_600_000_000_000)
    assert clock.now_ns() >= before
    assert clock.now_ns() - before < 60_000_000_000
