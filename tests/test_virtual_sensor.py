"""Virtual sensors over the virtual radio with bleak's own client: whole conversations, what the person does, and the
command that runs a sensor on its own."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

import firmware_protocol as protocol
from imu.app.sensor_commands import SensorNotStarted, SensorOptions, run_sensor
from imu.live.radios import _simulated_signal
from imu.live.targets import MOST_SETS, Plan, Targets
from imu.motion.pattern import Pattern
from imu.samples import Array, ImuBlock
from imu.sensors import recognise
from imu.sensors.conversation import (
    Action,
    Advertisement,
    Driver,
    Heard,
    Identified,
    LinkDown,
    LinkUp,
    Message,
    Notice,
    Read,
    Restarted,
    SamplesLost,
    SamplesRecovered,
    Subscribe,
)
from imu.sensors.reference import REFERENCE
from imu.session import Session
from imu.virtual.person import virtual_signal
from imu.virtual.radio import RadioConditions, VirtualRadio
from imu.virtual.reference_firmware import ReferenceParameters
from imu.virtual.reference_twin import ReferenceTwin
from imu.virtual.vendor_twins import TWINS

pytestmark = pytest.mark.clock("fast")

Until = Callable[..., Awaitable[None]]
SQUATS = next((Path(__file__).parent.parent / "recordings").glob("simulated_air_squats.csv*"))
STARTED_NS = 1_790_000_000_000_000_000
FAST = RadioConditions(interval_s=0.0, supervision_timeout_s=0.3)
EXACT = ReferenceParameters(rate_error=0.0, drift_ppm=0.0, rates_hz=(100.0, 200.0))


@cache
def worn() -> ImuBlock:
    return virtual_signal(seed=1, seconds=60)


class Conversation:
    """A driver and a bleak client that carries what it says and hears."""

    def __init__(self, driver: Driver, radio: VirtualRadio, device: BLEDevice) -> None:
        self.driver = driver
        self.blocks: list[ImuBlock] = []
        self.notices: list[Notice] = []
        self.actions: deque[Action] = deque()
        self.client = BleakClient(device, lambda _: self.hear(LinkDown(self.now())), backend=radio.client_backend)

    def now(self) -> int:
        return STARTED_NS + round(asyncio.get_running_loop().time() * 1e9)

    def hear(self, message: Message) -> None:
        reply = self.driver.take(message)
        self.blocks += reply.blocks
        self.notices += reply.notices
        self.actions += reply.actions

    async def connect(self) -> None:
        await self.client.connect()
        self.actions.clear()
        self.hear(LinkUp(self.now(), self.client.mtu_size - 3))

    async def go_on(self, enough: Callable[[], object], within_s: float = 10.0) -> None:
        """Do what the driver wants until there is enough, or the link is lost."""
        async with asyncio.timeout(within_s):
            while not enough():
                if self.actions:
                    await self._do(self.actions.popleft())
                else:
                    await asyncio.sleep(0.005)

    async def _do(self, action: Action) -> None:
        service, _, uuid = action.characteristic.rpartition("/")  # "service/characteristic" where several have it
        has = [
            each
            for each in self.client.services.characteristics.values()
            if each.uuid == uuid and service in ("", each.service_uuid)
        ]
        if not has:
            assert not getattr(action, "required", True), f"the twin lacks what {action} needs"
        elif isinstance(action, Read):
            self.hear(Heard(self.now(), uuid, bytes(await self.client.read_gatt_char(has[0]))))
        elif isinstance(action, Subscribe):
            await self.client.start_notify(has[0], lambda _, said: self.hear(Heard(self.now(), uuid, bytes(said))))
        else:
            await self.client.write_gatt_char(has[0], action.payload, response=action.with_response)

    @property
    def samples(self) -> int:
        return sum(map(len, self.blocks))

    @property
    def times_s(self) -> Array:
        return np.concatenate([block.device_time_s for block in self.blocks])

    def notices_of(self, kind: type[Notice]) -> list[Notice]:
        return [notice for notice in self.notices if isinstance(notice, kind)]


async def find(radio: VirtualRadio) -> tuple[BLEDevice, AdvertisementData]:
    found = await BleakScanner.discover(0.2, return_adv=True, backend=radio.scanner_backend)
    assert len(found) == 1
    return next(iter(found.values()))


async def talk(radio: VirtualRadio, rate_hz: float) -> Conversation:
    device, _ = await find(radio)
    conversation = Conversation(REFERENCE.driver(rate_hz), radio, device)
    await conversation.connect()
    return conversation


# --- our own sensor --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate_hz", "interval_s"), [(100.0, 0.0), (200.0, 0.015)])
async def test_every_sample_arrives_as_it_was_measured(radio: VirtualRadio, rate_hz: float, interval_s: float) -> None:
    await radio.add_sensor(ReferenceTwin(worn(), 1, EXACT), conditions=RadioConditions(interval_s=interval_s))
    talking = await talk(radio, rate_hz)
    await talking.go_on(lambda: talking.samples >= 0.8 * rate_hz)
    await talking.client.disconnect()
    scales = pytest.approx(0.0047856, rel=1e-4), pytest.approx(0.0012217, rel=1e-4)
    assert talking.notices_of(Identified) == [Identified("VR000001", "IMU trainer (virtual)", "1.0.0", rate_hz, scales)]
    assert not talking.notices_of(SamplesLost)
    assert np.diff(talking.times_s) == pytest.approx(1 / rate_hz, abs=2e-6)
    heard = np.concatenate([block.acceleration_m_s2 for block in talking.blocks])
    lag = np.arange(len(heard)) / rate_hz
    measured = np.interp(lag, worn().device_time_s - worn().device_time_s[0], worn().acceleration_m_s2[:, 2])
    assert heard[:, 2] == pytest.approx(measured, abs=0.0025)


async def test_what_a_lost_connection_took_is_recovered(radio: VirtualRadio) -> None:
    sensor = await radio.add_sensor(ReferenceTwin(worn(), 1, EXACT), conditions=FAST)
    talking = await talk(radio, 200.0)
    await talking.go_on(lambda: talking.samples > 100)
    sensor.out_of_range()
    await talking.go_on(lambda: not talking.client.is_connected)
    await asyncio.sleep(0.3)
    sensor.in_range()
    await talking.connect()
    before = talking.samples
    await talking.go_on(lambda: talking.samples > before + 200)
    await talking.client.disconnect()
    assert sum(notice.samples for notice in talking.notices_of(SamplesRecovered)) > 100  # type: ignore[union-attr]
    assert not talking.notices_of(SamplesLost) and not talking.notices_of(Restarted)
    assert np.diff(talking.times_s) == pytest.approx(0.005, abs=2e-6)


async def test_after_a_power_cycle_it_is_another_stretch(radio: VirtualRadio) -> None:
    twin = ReferenceTwin(worn(), 1, EXACT)
    sensor = await radio.add_sensor(twin, conditions=FAST)
    talking = await talk(radio, 100.0)
    await talking.go_on(lambda: talking.samples > 50)
    boot_id = twin.firmware.boot_id
    await sensor.power_cycle(off_s=0.05)
    assert not talking.client.is_connected and twin.firmware.boot_id != boot_id
    await talking.connect()
    before = talking.samples
    await talking.go_on(lambda: talking.samples > before + 50)
    await talking.client.disconnect()
    assert len(talking.notices_of(Restarted)) == 1
    assert (np.diff(talking.times_s) > 0).all()


async def test_put_to_sleep_it_answers_hangs_up_and_is_not_to_be_found_until_it_is_moved(
    radio: VirtualRadio, until: Until
) -> None:
    twin = ReferenceTwin(worn(), 1)
    sensor = await radio.add_sensor(twin, conditions=FAST)
    device, _ = await find(radio)
    answers: list[bytes] = []
    async with BleakClient(device, backend=radio.client_backend) as client:
        await client.start_notify(protocol.CONTROL_UUID, lambda _, said: answers.append(bytes(said)))
        await client.write_gatt_char(protocol.CONTROL_UUID, protocol.sleep(7).encode(), response=True)
        await until(lambda: not client.is_connected)
    assert answers == [b"\x88\x07\x00"]
    await until(lambda: twin.asleep and not sensor.connected)
    assert await BleakScanner.discover(0.3, backend=radio.scanner_backend) == []
    twin.reboot(asyncio.get_running_loop().time())
    assert await BleakScanner.find_device_by_address(device.address, timeout=5, backend=radio.scanner_backend)


# --- all kinds -------------------------------------------------------------------------------------------------------


async def understood(name: str) -> None:
    async with VirtualRadio() as radio:
        await radio.add_sensor(TWINS[name](worn(), 1), conditions=FAST)
        device, heard = await find(radio)
        kind = recognise(Advertisement(heard.local_name, tuple(heard.service_uuids), heard.manufacturer_data))
        assert kind is not None and kind.name == name
        talking = Conversation(kind.driver(100.0), radio, device)
        await talking.connect()
        await talking.go_on(lambda: talking.samples > 20)
        await talking.client.disconnect()


async def test_every_kind_is_found_on_the_radio_recognised_and_understood() -> None:
    outcomes = await asyncio.gather(*map(understood, TWINS), return_exceptions=True)
    assert dict(zip(TWINS, outcomes, strict=True)) == dict.fromkeys(TWINS)


# --- what the person does --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_first_minute_shows_squats_and_hinges(seed: int) -> None:
    signal_of_person = virtual_signal(seed, 60)
    minute = signal_of_person[: int(np.searchsorted(signal_of_person.device_time_s, 60.0))]
    session = Session()
    session.push(minute)
    _, summary = session.finish()
    patterns = [repetition.pattern for each in summary.sets for repetition in each.repetitions]
    assert (patterns.count(Pattern.SQUAT), patterns.count(Pattern.HINGE)) == (5, 5)


def test_the_person_does_the_planned_sets_and_then_stands_still() -> None:
    signal_of_person = virtual_signal(1, 100, [("hinge", 3), (None, 2)])
    assert signal_of_person.device_time_s[-1] >= 100
    session = Session()
    session.push(signal_of_person)
    _, summary = session.finish()
    assert [(str(each.pattern), len(each.repetitions)) for each in summary.sets] == [("hinge", 3), ("squat", 2)]


def test_the_person_does_the_plan_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def simulate(command: list[str], **_: object) -> Any:
        asked.append(json.loads(command[-1]))
        return SimpleNamespace(returncode=0, stdout=pickle.dumps(worn()))

    monkeypatch.setattr("imu.live.radios.subprocess.run", simulate)
    deadlifts, own = Targets("deadlift", sets=2, repetitions=5), Targets("my own")
    for plan, first in ((None, []), (Plan((deadlifts,)), [["hinge", 5]] * 2), (Plan((deadlifts, own)), [["hinge", 5]])):
        assert _simulated_signal(30.0, plan).device_time_s[-1] > 0
        assert asked[-1]["planned"][: len(first)] == first
    assert asked[1] == {"seconds": 30.0, "planned": [["hinge", 5]] * 2}
    assert asked[2]["planned"][2:] == [[None, None]] * (MOST_SETS + 1)  # goes on until the end


def test_the_person_stands_first_and_trains_as_long_as_asked() -> None:
    long = virtual_signal(2, 100)
    assert long.device_time_s[-1] >= 100
    quiet = long[: int(np.searchsorted(long.device_time_s, 3.0))]
    assert np.abs(quiet.angular_velocity_rad_s).max() < 0.1
    assert np.linalg.norm(quiet.acceleration_m_s2, axis=1) == pytest.approx(9.81, abs=0.5)
    again, other = virtual_signal(2, 100), virtual_signal(3, 100)
    assert (again.acceleration_m_s2 == long.acceleration_m_s2).all()
    assert len(other) != len(long) or (other.acceleration_m_s2 != long.acceleration_m_s2).any()
    with pytest.raises(ValueError, match="positive"):
        virtual_signal(1, 0)


# --- imu sensor ------------------------------------------------------------------------------------------------------

COMMAND = """
import sys
from pathlib import Path
from imu.app.sensor_commands import SensorOptions, run_sensor
options = SensorOptions(port=0, recording=Path(sys.argv[1]), interval_s=0.0, drop_every_s=1.5, drop_for_s=1.0)
run_sensor(options, lambda line: print(line, flush=True))
"""


class Lines:
    """The output of a process, line by line."""

    def __init__(self, running: asyncio.subprocess.Process) -> None:
        self._running = running
        self.said: list[str] = []

    async def until(self, *wanted: str) -> str:
        """Wait for lines that begin so, in this order; return the last."""
        assert self._running.stdout is not None
        for start in wanted:
            while True:
                line = (await asyncio.wait_for(self._running.stdout.readline(), 30)).decode()
                assert line, f"{self.said} ended before {start!r}"
                self.said.append(line.rstrip("\n"))
                if line.startswith(start):
                    break
        return self.said[-1]


@asynccontextmanager
async def command() -> AsyncIterator[tuple[asyncio.subprocess.Process, Lines]]:
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMAND, str(SQUATS), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield running, Lines(running)
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


@pytest.mark.process
@pytest.mark.clock("real")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
async def test_the_command_says_what_happens_and_ends_with_ctrl_c() -> None:
    async with command() as (running, lines):
        started = await lines.until("virtual sensor IMU-0001 (reference) is on: imu train --sensor virtual:")
        async with VirtualRadio(f"tcp-client:{started.rpartition('virtual:')[2]}") as radio:
            talking = await talk(radio, 200.0)
            await talking.go_on(lambda: talking.samples > 100)
            await talking.go_on(lambda: not talking.client.is_connected)
        await lines.until("connected by ", "streaming", "out of range", "link lost", "back in range")
        running.send_signal(signal.SIGINT)
        await lines.until("stopped")
        assert await running.wait() == 0
        assert running.stderr is not None and await running.stderr.read() == b""


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"kind": "watch"}, "no virtual sensor 'watch'"),
        ({"kind": "polar", "rate_hz": 50.0}, "'reference' only"),
        ({"drop_every_s": 0.0}, "out of range"),
        ({"interval_s": -1.0}, "interval_s"),
        ({"missed_events": 2.0}, "missed_events"),
        ({"battery_percent": 200}, "battery_percent"),
        ({"rate_hz": 0.0}, "rates_hz"),
    ],
)
def test_impossible_options_end_with_one_sentence(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(SensorNotStarted, match=sentence):
        run_sensor(SensorOptions(**wrong), lambda _: None)  # type: ignore[arg-type]


def test_a_missing_recording_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SensorNotStarted, match=r"none\.csv: there is no such file"):
        run_sensor(SensorOptions(recording=tmp_path / "none.csv"), lambda _: None)


def test_a_port_in_use_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said: list[str] = []
        with pytest.raises(SensorNotStarted, match=f"Port {port} at 127.0.0.1 cannot be used .*--port"):
            run_sensor(SensorOptions(port=port, recording=SQUATS), said.append)
    assert said == []
