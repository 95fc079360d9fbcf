"""The virtual radio: bleak's own scanner and client against a small sensor that counts, with everything going wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble.core import AdvertisingData
from counting_twin import ECHO, FAST, LONG_TEXT, NUMBERS, QUICK, SERVICE, TEXT, CountingTwin, Numbers, find
from fast_clock import FastLoop
from hypothesis import given
from hypothesis import strategies as st

from imu.errors import ExtraMissing, SensorNotFound
from imu.sensors.conversation import Advertisement
from imu.virtual.radio import LinkChange, LinkEvent, RadioConditions, VirtualRadio, VirtualSensor, adapter
from imu.virtual.radio.air import decode_advertisement, encode_advertisement

pytestmark = pytest.mark.clock("fast")

Until = Callable[..., Awaitable[None]]


@asynccontextmanager
async def connected(radio: VirtualRadio, device: BLEDevice | str) -> AsyncIterator[BleakClient]:
    async with BleakClient(device, backend=radio.client_backend) as client:
        yield client


# --- finding ---------------------------------------------------------------------------------------------------------


async def test_a_scan_shows_each_sensor_in_range_with_what_it_says_and_how_loud(radio: VirtualRadio) -> None:
    await radio.add_sensor(CountingTwin("near"), rssi_dbm=-40)
    await radio.add_sensor(CountingTwin("far and with a long name"), "F0:00:00:00:00:AA", rssi_dbm=-90)
    gone = await radio.add_sensor(CountingTwin("gone"))
    gone.out_of_range()
    seen = await BleakScanner.discover(0.4, return_adv=True, backend=radio.scanner_backend)
    heard = {data.local_name: (device.address, data.rssi, data.service_uuids) for device, data in seen.values()}
    assert heard == {
        "near": ("F0:00:00:00:00:01", -40, [SERVICE]),
        "far and with a long name": ("F0:00:00:00:00:AA", -90, [SERVICE]),
    }
    assert {data.manufacturer_data[0x1234] for _, data in seen.values()} == {b"hip"}


async def test_a_scan_for_a_service_passes_over_others(radio: VirtualRadio) -> None:
    await radio.add_sensor(CountingTwin())
    other = await BleakScanner.discover(
        0.3, service_uuids=["0000180d-0000-1000-8000-00805f9b34fb"], backend=radio.scanner_backend
    )
    assert other == []


async def test_a_connected_sensor_does_not_advertise_and_a_left_one_does(radio: VirtualRadio) -> None:
    await radio.add_sensor(CountingTwin(), conditions=FAST)
    device = await find(radio)
    async with connected(radio, device):
        assert await BleakScanner.discover(0.3, backend=radio.scanner_backend) == []
    assert await find(radio)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
    st.lists(st.sampled_from([SERVICE, TEXT, "0000180a-0000-1000-8000-00805f9b34fb"]), unique=True),
    st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=4), max_size=1),
)
def test_advertised_data_are_heard(name: str, services: list[str], manufacturer: dict[int, bytes]) -> None:
    said = Advertisement(name or None, tuple(sorted(services)), manufacturer)
    advertising, response = encode_advertisement(said)
    assert max(len(advertising), len(response)) <= 31
    heard, _ = decode_advertisement(AdvertisingData.from_bytes(advertising + response))
    assert (heard.name, sorted(heard.services), dict(heard.manufacturer_data)) == (
        said.name,
        list(said.services),
        manufacturer,
    )


@given(st.binary(max_size=62))
def test_no_advertisement_breaks_the_scanner(heard: bytes) -> None:
    decode_advertisement(AdvertisingData.from_bytes(heard))


def test_what_does_not_fit_is_not_advertised() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode_advertisement(Advertisement("a" * 30, (SERVICE,)))


# --- connecting, reading, writing ------------------------------------------------------------------------------------


async def test_reads_writes_and_the_mtu_are_as_with_a_real_sensor(radio: VirtualRadio) -> None:
    twin = CountingTwin()
    await radio.add_sensor(twin, conditions=FAST)
    async with connected(radio, await find(radio)) as client:
        assert (client.mtu_size, twin.mtu, client.name) == (247, 247, "counter")
        echo = client.services.get_characteristic(ECHO)
        assert echo is not None and echo.max_write_without_response_size == 244
        assert set(echo.properties) == {"write", "write-without-response", "indicate"}
        assert await client.read_gatt_char(TEXT) == LONG_TEXT
        await client.write_gatt_char(ECHO, b"asked", response=True)
        assert twin.written == [b"asked"]
        with pytest.raises(BleakGATTProtocolError) as refused:
            await client.write_gatt_char(ECHO, b"no", response=True)
        assert refused.value.code == 0xFD
        with pytest.raises(BleakGATTProtocolError) as forbidden:
            await client.read_gatt_char(ECHO)
        assert forbidden.value.code == 0x02
        with pytest.raises(BleakError, match="do not fit"):
            await client.write_gatt_char(ECHO, bytes(245), response=False)
        with pytest.raises(BleakError, match="neither notifies"):
            await client.start_notify(TEXT, lambda _, __: None)
        await client.write_gatt_char(ECHO, bytes(244), response=False)
        assert await client.read_gatt_descriptor(echo.descriptors[0]) == b"\0\0"
    with pytest.raises(BleakError):
        await client.read_gatt_char(TEXT)
    assert twin.written[-1] == bytes(244)


async def test_indications_come_in_order_and_none_is_left_out(radio: VirtualRadio, until: Until) -> None:
    await radio.add_sensor(CountingTwin(), conditions=QUICK)
    heard: list[bytes] = []
    async with connected(radio, await find(radio)) as client:
        await client.start_notify(ECHO, lambda _, payload: heard.append(bytes(payload)))
        said = [bytes((number,)) for number in range(12)]
        for payload in said:
            await client.write_gatt_char(ECHO, payload, response=False)
        await until(lambda: len(heard) == len(said))
    assert heard == said


@pytest.mark.parametrize(("rate_hz", "size", "interval_s"), [(100.0, 244, 0.015), (200.0, 20, 0.03)])
async def test_a_stream_loses_nothing(rate_hz: float, size: int, interval_s: float, until: Until) -> None:
    async with VirtualRadio() as radio:
        twin = CountingTwin(rate_hz=rate_hz, size=size)
        await radio.add_sensor(twin, conditions=RadioConditions(interval_s=interval_s))
        heard = Numbers()
        async with connected(radio, await find(radio)) as client:
            await client.start_notify(NUMBERS, heard.take)
            await until(lambda: len(heard) >= 0.7 * rate_hz)
        assert heard == list(range(len(heard)))
        assert twin.dropped == 0


async def test_nothing_comes_after_stop_notify(radio: VirtualRadio, until: Until) -> None:
    await radio.add_sensor(CountingTwin(), conditions=FAST)
    heard = Numbers()
    async with connected(radio, await find(radio)) as client:
        await client.start_notify(NUMBERS, heard.take)
        await until(lambda: len(heard) > 10)
        await client.stop_notify(NUMBERS)
        before = len(heard)
        await client.read_gatt_char(TEXT)
        await asyncio.sleep(0.1)
        assert len(heard) == before


# --- links that are lost ---------------------------------------------------------------------------------------------


async def test_out_of_range_the_link_is_lost_and_back_in_range_the_same_client_connects(
    radio: VirtualRadio, until: Until
) -> None:
    twin = CountingTwin()
    changes: list[LinkChange] = []

    def note(event: LinkEvent) -> None:
        changes.append(event.change)

    sensor = await radio.add_sensor(twin, conditions=FAST, when_changed=note)
    gone, heard = asyncio.Event(), Numbers()
    device = await find(radio)
    client = BleakClient(device, lambda _: gone.set(), backend=radio.client_backend)
    await client.connect()
    await client.start_notify(NUMBERS, heard.take)
    await until(lambda: len(heard) > 20)
    loop = asyncio.get_running_loop()
    left_s, heard_before = loop.time(), len(heard)
    sensor.out_of_range()
    await asyncio.wait_for(gone.wait(), 5)
    assert loop.time() - left_s > 0.29 and len(heard) - heard_before < 20
    assert not client.is_connected
    with pytest.raises(BleakError):
        await client.write_gatt_char(ECHO, b"anyone?", response=True)
    with pytest.raises(BleakDeviceNotFoundError):
        await BleakClient(device.address, timeout=0.3, backend=radio.client_backend).connect()
    await until(lambda: not sensor.connected)
    sensor.in_range()
    await client.connect()
    heard.clear()
    await client.start_notify(NUMBERS, heard.take)
    await until(lambda: len(heard) > 20)
    assert heard.lost == 0
    await client.disconnect()
    await until(lambda: not sensor.connected)
    assert [change for change in changes if change is not LinkChange.SUBSCRIBED] == [
        LinkChange.CONNECTED,
        LinkChange.OUT_OF_RANGE,
        LinkChange.LOST,
        LinkChange.IN_RANGE,
        LinkChange.CONNECTED,
        LinkChange.DISCONNECTED,
    ]


async def test_a_short_absence_breaks_no_link_and_loses_nothing(radio: VirtualRadio, until: Until) -> None:
    twin = CountingTwin(queue=1000)
    sensor = await radio.add_sensor(twin, conditions=QUICK)
    heard = Numbers()
    async with connected(radio, await find(radio)) as client:
        await client.start_notify(NUMBERS, heard.take)
        for _ in range(3):  # together longer than the supervision timeout
            sensor.out_of_range()
            await asyncio.sleep(0.15)
            sensor.in_range()
            before = len(heard)
            await until(lambda before=before: len(heard) > before + 30)
        assert client.is_connected and heard == list(range(len(heard)))


async def test_a_link_lost_in_the_middle_of_a_request_is_an_error(radio: VirtualRadio) -> None:
    sensor = await radio.add_sensor(CountingTwin(), conditions=QUICK)
    client = BleakClient(await find(radio), backend=radio.client_backend)
    await client.connect()
    sensor.out_of_range()
    with pytest.raises(BleakError):
        await asyncio.wait_for(client.read_gatt_char(TEXT), 5)
    assert not client.is_connected


async def test_a_sensor_can_hang_up(radio: VirtualRadio) -> None:
    sensor = await radio.add_sensor(CountingTwin(), conditions=FAST)
    gone = asyncio.Event()
    client = BleakClient(await find(radio), lambda _: gone.set(), backend=radio.client_backend)
    await client.connect()
    await sensor.hang_up()
    await asyncio.wait_for(gone.wait(), 5)
    await client.disconnect()
    await client.connect()
    assert await client.read_gatt_char(TEXT) == LONG_TEXT
    await client.disconnect()


async def test_a_client_that_leaves_out_of_range_is_missed_by_the_sensor_only_later(
    radio: VirtualRadio, until: Until
) -> None:
    sensor = await radio.add_sensor(CountingTwin(), conditions=QUICK)
    client = BleakClient(await find(radio), backend=radio.client_backend)
    await client.connect()
    sensor.out_of_range()
    await client.disconnect()
    sensor.in_range()
    assert not client.is_connected and sensor.connected
    await until(lambda: not sensor.connected)


async def test_a_cancelled_or_timed_out_connection_leaves_nothing_behind(radio: VirtualRadio) -> None:
    twin = CountingTwin()
    sensor = await radio.add_sensor(twin, conditions=FAST)
    device = await find(radio)
    sensor.out_of_range()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(BleakClient(device, backend=radio.client_backend).connect(), 0.1)
    with pytest.raises(TimeoutError):
        await BleakClient(device, timeout=0.1, backend=radio.client_backend).connect()
    sensor.in_range()
    assert await find(radio)  # it advertises again, and no client connects to it
    assert twin.connections == 0
    async with connected(radio, device):
        assert twin.connections == 1


async def test_two_sensors_have_links_of_their_own(radio: VirtualRadio, until: Until) -> None:
    one = await radio.add_sensor(CountingTwin("one"), conditions=FAST)
    two = await radio.add_sensor(CountingTwin("two"), conditions=FAST)
    heard = {"one": Numbers(), "two": Numbers()}
    async with (
        connected(radio, await find(radio, "one")) as first,
        connected(radio, await find(radio, "two")) as second,
    ):
        await first.start_notify(NUMBERS, heard["one"].take)
        await second.start_notify(NUMBERS, heard["two"].take)
        await until(lambda: min(map(len, heard.values())) > 30)
        one.out_of_range()
        await until(lambda: not first.is_connected)
        before = len(heard["two"])
        await until(lambda: len(heard["two"]) > before + 30)
        assert second.is_connected and two.connected
    assert [numbers.lost for numbers in heard.values()] == [0, 0]


@pytest.mark.parametrize("conditions", [FAST, QUICK], ids=["at once", "at intervals"])
async def test_of_two_centrals_that_ask_at_once_one_gets_the_sensor(
    radio: VirtualRadio, conditions: RadioConditions
) -> None:
    await radio.add_sensor(CountingTwin(), conditions=conditions)
    port = await radio.listen("127.0.0.1", 0)
    async with VirtualRadio(f"tcp-client:127.0.0.1:{port}") as elsewhere:
        clients = [
            BleakClient(await find(place), timeout=3.0, backend=place.client_backend) for place in (radio, elsewhere)
        ]
        outcomes = await asyncio.gather(*(client.connect() for client in clients), return_exceptions=True)
        assert sorted(outcome is None for outcome in outcomes) == [False, True]
        assert [client.is_connected for client in clients] == [outcome is None for outcome in outcomes]
        winner, loser = sorted(clients, key=lambda client: not client.is_connected)
        assert await winner.read_gatt_char(TEXT) == LONG_TEXT
        await winner.disconnect()
        await loser.connect()
        assert await loser.read_gatt_char(TEXT) == LONG_TEXT
        await loser.disconnect()


# --- slow links ------------------------------------------------------------------------------------------------------


async def test_what_a_slow_radio_loses_is_lost_in_the_sensors_queue_and_counted_there(until: Until) -> None:
    async with VirtualRadio(seed=3) as radio:
        twin = CountingTwin(queue=20)
        slow = RadioConditions(interval_s=0.03, packets_per_event=2, missed_events=0.3)
        sensor = await radio.add_sensor(twin, conditions=slow)
        heard = Numbers()
        async with connected(radio, await find(radio)) as client:
            await client.start_notify(NUMBERS, heard.take)
            await until(lambda: twin.dropped > 50)
            sensor.change(interval_s=0.0075, missed_events=0.0, packets_per_event=6)
            last_lost = twin.counted
            await until(lambda: heard[-1] > last_lost)
            assert sensor.conditions.rssi_dbm == slow.rssi_dbm
            assert heard.lost == twin.dropped


async def test_nothing_is_sent_that_would_be_cut(until: Until) -> None:
    with pytest.raises(ValueError, match="248 bytes does not fit"):
        async with VirtualRadio() as radio:
            changes: list[LinkEvent] = []
            await radio.add_sensor(CountingTwin(size=248), conditions=FAST, when_changed=changes.append)
            async with connected(radio, await find(radio)) as client:
                await client.start_notify(NUMBERS, lambda _, __: None)
                await until(lambda: not client.is_connected)
            assert changes[-1].change is LinkChange.FAILED or LinkChange.FAILED in {each.change for each in changes}


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval_s": -1},
        {"missed_events": 1.0},
        {"packets_per_event": 0},
        {"rssi_dbm": 40},
        {"supervision_timeout_s": 0.0},
    ],
)
def test_conditions_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RadioConditions(**wrong)  # type: ignore[arg-type]


# --- the fast clock --------------------------------------------------------------------------------------------------


def played(speed: float) -> list[tuple[float, object]]:
    """Play a connection with a lossy radio and an absence; return what happened, each with its time on the loop."""
    happened: list[tuple[float, object]] = []

    def note(what: object) -> None:
        happened.append((asyncio.get_running_loop().time(), what))

    async def play() -> None:
        async with VirtualRadio(seed=3) as radio:
            lossy = RadioConditions(missed_events=0.2, supervision_timeout_s=0.3)
            sensor = await radio.add_sensor(
                CountingTwin(), conditions=lossy, when_changed=lambda event: note(event.change)
            )
            heard = Numbers()
            client = BleakClient(await find(radio), lambda _: note("gone"), backend=radio.client_backend)
            await client.connect()
            await client.start_notify(NUMBERS, lambda _, payload: (heard.take(_, payload), note(heard[-1])))
            await asyncio.sleep(0.5)
            sensor.out_of_range()
            await asyncio.sleep(0.5)
            sensor.in_range()
            await client.connect()
            await client.disconnect()

    with asyncio.Runner(loop_factory=lambda: FastLoop(speed)) as runner:
        runner.run(play())
    return happened


def test_at_any_speed_the_same_happens_in_the_same_order_at_the_same_time_of_the_loop() -> None:
    slow, fast = played(2.0), played(500.0)
    assert slow == fast
    assert len(slow) > 80


async def test_on_a_fast_clock_20_s_of_radio_take_a_second(radio: VirtualRadio) -> None:
    await radio.add_sensor(CountingTwin(rate_hz=50.0))
    heard = Numbers()
    async with connected(radio, await find(radio)) as client:
        await client.start_notify(NUMBERS, heard.take)
        processor_s, radio_s = time.process_time(), asyncio.get_running_loop().time()
        await asyncio.sleep(20.0)
        assert asyncio.get_running_loop().time() - radio_s == pytest.approx(20.0, abs=0.001)
        assert time.process_time() - processor_s < 10.0  # less than 1 s; a slow machine may take longer
    assert len(heard) == pytest.approx(1000, abs=3)
    assert heard.lost == 0


# --- other processes -------------------------------------------------------------------------------------------------

SIMULATOR = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from counting_twin import CountingTwin, FAST
from imu.virtual.radio import VirtualRadio

async def main():
    async with VirtualRadio() as radio:
        await radio.add_sensor(CountingTwin(), conditions=FAST)
        print(await radio.listen("127.0.0.1", int(sys.argv[1])), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""

VICTIM = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from counting_twin import NUMBERS, find
from bleak import BleakClient
from imu.virtual.radio import VirtualRadio

async def main():
    async with VirtualRadio("tcp-client:127.0.0.1:" + sys.argv[1]) as radio:
        async with BleakClient(await find(radio), backend=radio.client_backend) as client:
            await client.start_notify(NUMBERS, lambda _, __: None)
            print("streaming", flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def process(script: str, *arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run a script; give it and its first line."""
    code = script.format(tests=os.path.dirname(__file__))  # noqa: PTH120
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert running.stdout is not None
    try:
        async with asyncio.timeout(30):
            first = (await running.stdout.readline()).decode().strip()
        yield running, first
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


@pytest.mark.process
@pytest.mark.clock("real")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL to send")
async def test_a_sensor_in_another_process_survives_killed_clients_and_clients_survive_it(until: Until) -> None:
    async with process(SIMULATOR, "0") as (simulator, port):
        async with process(VICTIM, port) as (victim, line):
            assert line == "streaming"
            victim.send_signal(signal.SIGKILL)
            await victim.wait()
        async with VirtualRadio(f"tcp-client:127.0.0.1:{port}") as radio:
            heard, gone = Numbers(), asyncio.Event()
            device = await find(radio)
            client = BleakClient(device, lambda _: gone.set(), backend=radio.client_backend)
            await client.connect()
            assert client.mtu_size == 247
            await client.start_notify(NUMBERS, heard.take)
            await until(lambda: len(heard) > 100)
            assert heard == list(range(len(heard)))
            simulator.send_signal(signal.SIGKILL)
            await asyncio.wait_for(gone.wait(), 5)
            with pytest.raises(BleakError):
                await client.connect()
            with pytest.raises(BleakError):
                await BleakScanner.discover(0.1, backend=radio.scanner_backend)
            async with process(SIMULATOR, port):
                heard.clear()
                await client.connect()
                await client.start_notify(NUMBERS, heard.take)
                await until(lambda: len(heard) > 20)
                await client.disconnect()


async def test_where_no_sensor_answers_the_error_says_what_to_do() -> None:
    with pytest.raises(SensorNotFound, match="imu sensor"):
        async with VirtualRadio("tcp-client:127.0.0.1:9"):
            pass


async def test_a_server_that_is_no_radio_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "ANSWER_WITHIN_S", 0.2)
    visitors: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: visitors.append(writer), "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(SensorNotFound, match="imu sensor"):
            async with VirtualRadio(f"tcp-client:127.0.0.1:{port}"):
                pass
        for visitor in visitors:
            visitor.close()
            await visitor.wait_closed()


async def test_a_radio_that_reaches_elsewhere_takes_no_sensors() -> None:
    with pytest.raises(ValueError, match="switched on"):
        await VirtualRadio().add_sensor(CountingTwin())
    with pytest.raises(ValueError, match="switched on"):
        await VirtualRadio().listen("127.0.0.1", 0)


async def test_without_bumble_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bumble", None)
    with pytest.raises(ExtraMissing, match=r'python -m pip install "imu-training\[virtual\]"'):
        async with VirtualRadio():
            pass


@pytest.mark.process
def test_bumble_is_not_needed_to_know_of_the_virtual_sensor() -> None:
    code = "import sys; sys.modules['bumble'] = None; import imu.virtual.radio, imu.virtual"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


async def test_a_removed_sensor_is_gone(radio: VirtualRadio, until: Until) -> None:
    sensor: VirtualSensor = await radio.add_sensor(CountingTwin(), conditions=FAST)
    client = BleakClient(await find(radio), backend=radio.client_backend)
    await client.connect()
    await sensor.remove()
    await until(lambda: not client.is_connected)
    assert await BleakScanner.discover(0.2, backend=radio.scanner_backend) == []
