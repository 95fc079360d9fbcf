"""Several people in one process: names and folders, one training each, the wall of all, and the command line."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from builders import HINGE, NEEDS_SHARE, SQUAT, fill, keep, summary
from typer.testing import CliRunner

import imu
from imu.app.cli import app
from imu.app.train import sensors_of_people
from imu.app.web import desk as desk_module
from imu.app.web import page
from imu.app.web.board import CARD
from imu.app.web.desk import Desks, DeskState, TrainingUnderWay
from imu.app.web.guard import OwnersDoor
from imu.app.web.live_socket import answer_to, known_sensors
from imu.bluetooth import HostClock
from imu.errors import SensorNotFound, SensorUnsuitable
from imu.live.event_channel import recorded_plan
from imu.live.memory import Wish, keep_replay, last_sensor
from imu.live.targets import Targets
from imu.phone import PhoneAddress, PhoneLink, gate
from imu.phone.gate import listen
from imu.recordings.training_reader import read_training
from imu.report.replay import Replayed, ReplayOptions, replay
from imu.samples import ImuBlock
from imu.store import PlannedSet, SessionStore
from imu.store.home import (
    PersonUnnamed,
    add_person,
    as_person,
    home,
    people,
    person,
    recordings_folder,
    rename_person,
    store_path,
    written_name,
)
from imu.virtual.person import virtual_signal
from imu.virtual.phones import VirtualSensorLogger, phone_samples, pushed_messages


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMU_HOME", str(tmp_path))
    monkeypatch.delenv("IMU_PERSON", raising=False)


@pytest.fixture(scope="module")
def worn() -> dict[str, ImuBlock]:
    """The movements that the sensors a and b measure: b only a part of a's."""
    whole = virtual_signal(3, 60.0)
    until = len(whole.device_time_s) * 2 // 5
    values = whole.device_time_s, whole.acceleration_m_s2, whole.angular_velocity_rad_s
    return {"a": whole, "b": ImuBlock(*(one[:until] for one in values))}


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch, worn: dict[str, ImuBlock]) -> dict[str, PhoneLink]:
    """Sensors that give all of their samples at once; the training then waits until it is ended."""
    made: dict[str, PhoneLink] = {}

    @asynccontextmanager
    async def link_for(
        name: str | None,
        clock: HostClock,
        _duration_s: float | None,
        _invite: Callable[[PhoneAddress], None],
        _plan: object,
    ) -> AsyncIterator[PhoneLink]:
        made[str(name)] = link = PhoneLink(clock)
        fill(link, phone_samples(worn.get(str(name), worn["b"])))
        yield link

    monkeypatch.setattr(desk_module, "link_for", link_for)
    return made


def counted_of(worn: ImuBlock) -> list[tuple[str, int]]:
    return [(str(one.pattern), len(one.repetitions)) for one in imu.count(worn).summary.sets]


def stored(whose: str) -> list[list[tuple[str, int]]]:
    with as_person(whose):
        if not store_path().exists():
            return []
        with SessionStore.open(store_path()) as store:
            sessions = [store.load(one.id) for one in store.list()]
    return [[(str(one.pattern), len(one.repetitions)) for one in session.corrected.sets] for session in sessions]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


def samples_of(desks: Desks, whose: str) -> float:
    run = desks.of(whose)._run
    return 0.0 if run is None or run._training is None else run._training.now_s


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_name_stays_as_it_was_written_and_its_folder_serves_every_way_of_writing_it() -> None:
    assert add_person("  Änne von-Berg ") == "änne von-berg"
    assert people() == ["änne von-berg"]
    with as_person("änne von-berg"):
        assert written_name() == "Änne von-Berg"
        assert add_person("ÄNNE VON-BERG") == "änne von-berg" and written_name() == "Änne von-Berg"


def test_renaming_moves_the_person_s_folder_and_nothing_else() -> None:
    for name in ("Anna", "Ben"):
        with as_person(add_person(name)):
            recordings_folder().mkdir()
            (recordings_folder() / "one.mcap").write_text(name)
    assert rename_person("anna", "Anna K.") == "anna k"
    with as_person("anna k"):
        assert written_name() == "Anna K." and (recordings_folder() / "one.mcap").read_text() == "Anna"
    assert people() == ["anna k", "ben"]
    assert rename_person("ben", "BEN") == "ben"
    with as_person("ben"):
        assert written_name() == "BEN" and (recordings_folder() / "one.mcap").read_text() == "Ben"


def test_the_owner_has_a_name_and_stays_where_everything_is(tmp_path: Path) -> None:
    assert written_name() == "Me"
    assert rename_person("", "Coach Ö") == "" and written_name() == "Coach Ö" and home() == tmp_path


@pytest.mark.parametrize("name", ["", " ", "../x", "a/b", "con", "a" * 61, ".hidden", "x\0y"])
def test_a_name_that_cannot_be_a_folder_leaves_no_trace(name: str, tmp_path: Path) -> None:
    add_person("Ben")
    for attempt in (lambda: add_person(name), lambda: rename_person("ben", name)):
        with pytest.raises(PersonUnnamed):
            attempt()
    assert people() == ["ben"] and sorted(one.name for one in tmp_path.iterdir()) == ["people"]


def test_a_name_of_another_person_is_refused() -> None:
    add_person("Anna")
    add_person("Ben")
    with pytest.raises(PersonUnnamed, match="already"):
        rename_person("ben", "ANNA")
    with pytest.raises(PersonUnnamed, match="no person"):
        rename_person("carl", "Dora")


async def test_tasks_and_threads_work_for_the_person_for_whom_they_began() -> None:
    async def whose() -> str | None:
        await asyncio.sleep(0)
        return await asyncio.to_thread(person)

    tasks = []
    for name in ("anna", "ben"):
        with as_person(name):
            tasks.append(asyncio.create_task(whose()))
    assert person() is None and await asyncio.gather(*tasks) == ["anna", "ben"]


# --- trainings -------------------------------------------------------------------------------------------------------


async def test_two_people_train_at_once_and_everything_of_theirs_stays_apart(
    links: dict[str, PhoneLink], worn: dict[str, ImuBlock]
) -> None:
    desks = Desks("test")
    with desks.watching() as wall:
        for name, sensor in (("Anna", "a"), ("Ben", "b")):
            desks.begin(add_person(name), Wish(sensor))
        await until(lambda: samples_of(desks, "anna") > 100 and samples_of(desks, "ben") > 50)
        seen: dict[str, Any] = (await wall.news())["board"]
        await desks.close()
        seen |= (await wall.news())["board"]
    assert (seen["anna/name"], seen["ben/name"], seen["anna/state"]) == ("Anna", "Ben", "idle")
    assert {f"anna/{name}" for name in CARD} <= seen.keys()
    assert "anna/invite" not in seen and "anna/messages" not in seen
    assert stored("anna") == [counted_of(worn["a"])] != stored("ben") == [counted_of(worn["b"])]
    assert stored("") == [] and sorted(links) == ["a", "b"]
    for name in ("anna", "ben"):
        with as_person(name):
            assert len(list(recordings_folder().glob("*.mcap"))) == 1


@pytest.mark.usefixtures("links")
async def test_one_person_has_one_training_and_a_sensor_one_person() -> None:
    desks = Desks("test")
    add_person("Anna")
    add_person("Ben")
    desks.begin("anna", Wish("Hip 1"))
    await until(lambda: desks.of("anna").sensor == "Hip 1")
    with pytest.raises(TrainingUnderWay):
        desks.begin("anna", Wish("Hip 2"))
    answer = answer_to(desks.of("ben"), json.dumps({"do": "begin", "sensor": "Hip 1"}), desks)
    assert answer == {"refused": "Anna trains with Hip 1: choose another sensor"}
    assert [one.whose for one in desks.busy] == ["anna"]
    with pytest.raises(PersonUnnamed):
        desks.of("missing")
    await desks.close()


@NEEDS_SHARE
async def test_a_phone_is_invited_on_the_page_and_remembered_as_a_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next training looks for no Bluetooth sensor called phone."""
    monkeypatch.setattr(gate, "local_address", lambda: "127.0.0.1")
    desks = Desks("test")
    desk = desks.of("")
    for wish in (Wish("phone"), Wish(None)):
        desk.begin(wish)
        with desk.watching() as watcher, desks.watching() as wall:
            seen: dict[str, Any] = {}
            while not seen.get("invite"):
                seen |= (await watcher.news()).get("board", {})
            assert seen["invite"]["url"].startswith("https://127.0.0.1:")
            assert seen["invite"]["picture"].startswith("data:image/svg+xml")
            assert seen["invite"]["fingerprint"].count(":") == 31
            assert seen["invite"]["url"] not in json.dumps(await wall.news())
            link = desk._run._link  # type: ignore[union-attr]
            fill(link, phone_samples(virtual_signal(3, 20.0)))  # type: ignore[arg-type]
            while seen["invite"]:
                seen |= (await watcher.news()).get("board", {})
            await until(lambda: samples_of(desks, "") > 30)
            await desks.close()
        last = last_sensor()
        assert last is not None and last.wanted == "phone"
    assert desk.state is DeskState.IDLE and desk.trouble is None


@NEEDS_SHARE
async def test_sensor_logger_is_begun_on_the_page_which_shows_the_address_to_enter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "local_address", lambda: "127.0.0.1")
    assert [one["wanted"] for one in known_sensors(None)] == ["any", "phone", "sensorlogger", "virtual"]
    desks = Desks("test")
    desk = desks.of("")
    assert answer_to(desk, json.dumps({"do": "begin", "sensor": "sensorlogger"}), desks) is None
    with desk.watching() as watcher:
        seen: dict[str, Any] = {}
        while not seen.get("invite"):
            seen |= (await watcher.news()).get("board", {})
        assert seen["invite"]["url"].startswith("http://127.0.0.1:") and seen["invite"]["fingerprint"] == ""
        messages = pushed_messages(virtual_signal(3, 20.0), 1)
        await VirtualSensorLogger(seen["invite"]["url"], messages, speed=20.0).play()
        while seen["invite"]:
            seen |= (await watcher.news()).get("board", {})
        await until(lambda: samples_of(desks, "") > 15)
        await desks.close()
    last = last_sensor()
    assert last is not None and desk.trouble is None
    assert [one["wanted"] for one in known_sensors(last)] == ["sensorlogger", "any", "phone", "virtual"]


# --- the command line ------------------------------------------------------------------------------------------------


def test_sensors_of_people_are_understood() -> None:
    assert sensors_of_people([]) == sensors_of_people(["Hip 7"]) == []
    assert sensors_of_people(["A=anna"]) == [("anna", "A")]
    assert sensors_of_people(["virtual:127.0.0.1:9=Änne", "phone=Ben", "phone=C"])[0] == ("Änne", "virtual:127.0.0.1:9")


@pytest.mark.parametrize(
    ("sensors", "sentence"),
    [
        (["A", "B"], "SENSOR=PERSON"),
        (["A=anna", "B"], "SENSOR=PERSON"),
        (["A=anna", "=ben"], "SENSOR=PERSON"),
        (["A=anna", "B=Anna"], "Anna has two sensors"),
        (["A=anna", "A=ben"], "A has two people"),
        (["virtual=anna", "virtual:nothing=ben"], "there is no virtual sensor .nothing."),
        (["virtual=anna", "virtual:127.0.0.1:x=ben"], "names no port"),
    ],
)
def test_a_wrong_list_of_sensors_is_refused_in_one_sentence(sensors: list[str], sentence: str) -> None:
    with pytest.raises((SensorUnsuitable, SensorNotFound), match=sentence):
        sensors_of_people(sensors)


def test_imu_train_counts_two_people_in_one_process(
    links: dict[str, PhoneLink], worn: dict[str, ImuBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    until_idle = Desks.until_idle

    async def until_counted(desks: Desks) -> None:
        await until(lambda: samples_of(desks, "anna") > 100 and samples_of(desks, "ben") > 50)
        desks.finish()
        await until_idle(desks)

    monkeypatch.setattr(Desks, "until_idle", until_counted)
    done = CliRunner().invoke(app, ["train", "--sensor", "a=Anna", "--sensor", "b=Ben", "--json"])
    assert done.exit_code == 0, done.output
    objects = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [one["person"] for one in objects] == ["Anna", "Ben"] and len(links) == 2
    for one, key in zip(objects, "ab", strict=True):
        assert [(each["pattern"], len(each["reps"])) for each in one["sets"]] == counted_of(worn[key])
    assert any(line.startswith("Anna: ") and "squat" in line for line in done.stderr.splitlines())
    assert (len(stored("anna")), len(stored("ben")), stored("")) == (1, 1, [])
    assert "Ben: Session 1 is saved: imu --person ben review 1 shows it" in done.stderr


async def test_entries_until_a_kill_are_in_the_recording(links: dict[str, PhoneLink], tmp_path: Path) -> None:
    desks = Desks("test")
    desks.begin(add_person("Anna"), Wish("a"))
    desk = desks.of("anna")
    await until(lambda: samples_of(desks, "anna") > 100 and len(desk._live.view().sets) > 0)
    desk.enter(1, Targets(exercise="front squat", load_kg=60.0))
    for more in (1, 1, -1):
        desk.recount(1, more)
    desk.rest_for(75.0)
    counts = desk._live.view().counts
    with as_person("anna"):
        (recording,) = recordings_folder().glob("*.mcap")
    cut = tmp_path / "cut.mcap"
    await asyncio.sleep(1.0)  # the recorder writes four times a second
    shutil.copy(recording, cut)  # what a kill would leave
    await desks.close()
    with as_person(add_person("Ben")), SessionStore.open(store_path()) as store:
        replayed = replay(str(cut), ReplayOptions(hashed=True))
        assert isinstance(replayed, Replayed)
        assert keep_replay(replayed, store, "test") == 1
        again = store.load(1).corrected
    with as_person("anna"), SessionStore.open(store_path()) as store:
        kept = store.load(1).corrected
    assert [len(one.repetitions) for one in again.sets] == [len(one.repetitions) for one in kept.sets]
    assert len(kept.sets[0].repetitions) == counts[0]
    for one in (again, kept):
        assert (one.sets[0].exercise, one.sets[0].load_kg) == ("front squat", 60.0)
    plan = recorded_plan(read_training(cut))
    assert plan is not None and plan.exercises[0].rest_s == 75.0


def test_a_sensor_that_is_not_found_is_named_while_the_other_person_trains(
    links: dict[str, PhoneLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    until_idle, link_for = Desks.until_idle, desk_module.link_for

    @asynccontextmanager
    async def link_or_none(name: str | None, *others: Any) -> AsyncIterator[Any]:
        if name == "wrong":
            raise SensorNotFound("there is no sensor wrong")
        async with link_for(name, *others) as link:
            yield link

    async def until_counted(desks: Desks) -> None:
        await until(lambda: samples_of(desks, "ben") > 50)
        desks.finish()
        await until_idle(desks)

    monkeypatch.setattr(desk_module, "link_for", link_or_none)
    monkeypatch.setattr(Desks, "until_idle", until_counted)
    done = CliRunner().invoke(app, ["train", "--sensor", "wrong=Anna", "--sensor", "b=Ben"])
    lines = [line for line in done.stdout.splitlines() if line.startswith(("Anna: ", "Ben: "))]
    assert "Anna: there is no sensor wrong" in lines[:-1] and lines[-1].startswith("Ben: ")
    assert done.exit_code == 1 and len(stored("ben")) == 1 and list(links) == ["b"]


def test_sharing_needs_the_page() -> None:
    done = CliRunner().invoke(app, ["train", "--share"])
    assert done.exit_code == 2 and "--web" in done.output


# --- the pages -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def owners_page(desks: Desks) -> AsyncIterator[Callable[..., Any]]:
    """The owner's pages; gives a function that asks for one and returns status, headers and body."""
    pytest.importorskip("starlette", reason='needs Starlette: python -m pip install "imu-training[web]"')
    from imu.app.web import serving
    from imu.app.web.site import site

    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        door = OwnersDoor(port)

        async def ask(path: str, cookie: str = "", **form: str) -> tuple[int, str, str]:
            body = urlencode(form)
            lines = [f"Host: 127.0.0.1:{port}", f"Cookie: imu_{port}={door.key}; {cookie}", "Connection: close"]
            if form:
                lines += [f"Origin: http://127.0.0.1:{port}", "Content-Type: application/x-www-form-urlencoded"]
                lines += [f"Content-Length: {len(body)}"]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = "\r\n".join((f"{'POST' if form else 'GET'} {path} HTTP/1.1", *lines, "", body))
            writer.write(head.encode())
            headers, _, answer = (await reader.read()).decode().partition("\r\n\r\n")
            writer.close()
            return int(headers.split()[1]), headers, answer

        async with serving(site(desks, door), listening):
            yield ask


async def test_the_roster_adds_renames_and_chooses_people() -> None:
    async with owners_page(Desks("test")) as ask:
        for name in ("Änne <b>", "Ben", "Ben"):
            status, _, answer = await ask("/people", change="add", name=name)
            assert status == (409 if "<" in name else 200), answer
        status, _, answer = await ask("/people", change="add", name="BEN")
        assert status == 200 and "BEN is there already" in answer
        status, headers, _ = await ask("/people", change="switch", person="ben")
        cookie = headers.split("set-cookie: ")[1].split(";")[0]
        assert status == 200 and cookie == "imu_person=ben"
        for path, shown in (("/people", "shown now"), ("/", ">Ben</a>"), ("/wall", 'data-whose="ben"')):
            assert shown in (await ask(path, cookie))[2]
        status, headers, _ = await ask("/people", cookie, change="rename", person="ben", name="Benno Ö")
        assert status == 200 and "imu_person=benno%20%C3%B6" in headers and people() == ["benno ö"]
        assert "Benno Ö" in (await ask("/people"))[2]
        for form in ({"change": "rename", "person": "missing", "name": "x"}, {"change": "switch", "person": "../x"}):
            assert (await ask("/people", **form))[0] == 409
        assert people() == ["benno ö"]


async def test_an_address_names_a_person_in_any_case_and_a_missing_one_gets_no_other_page() -> None:
    add_person("Ben")
    async with owners_page(Desks("test")) as ask:
        status, _, answer = await ask("/people?person=BEN")
        assert status == 200 and "shown now" in answer.split("Ben", 1)[1]
        status, _, answer = await ask("/people?person=carl")
        assert status == 404 and "There is no person “carl”" in answer
        assert (await ask("/people", "imu_person=carl"))[0] == 200  # the cookie of a person who has left


@pytest.mark.usefixtures("links")
async def test_a_person_who_trains_keeps_the_name_until_the_end() -> None:
    desks = Desks("test")
    desks.begin(add_person("Ben"), Wish("b"))
    async with owners_page(desks) as ask:
        status, _, answer = await ask("/people", change="rename", person="ben", name="Carl")
        assert status == 409 and "finish the training first" in answer
        await desks.close()
        assert (await ask("/people", change="rename", person="ben", name="Carl"))[0] == 200
    assert [one.name for one in desks] == ["Carl"] and desks.of("carl").whose == "carl"


async def test_a_page_changes_the_data_of_its_person_whatever_was_chosen_since() -> None:
    for name in ("Anna", "Ben"):
        with as_person(add_person(name)), SessionStore.open(store_path()):
            pass
    async with owners_page(Desks("test")) as ask:
        assert (await ask("/learning?person=anna", "imu_person=ben", change="off"))[0] == 200
    switched_on = {}
    for name in ("anna", "ben"):
        with as_person(name), SessionStore.open(store_path()) as store:
            switched_on[name] = store.known_of_person().switched_on
    assert switched_on == {"anna": False, "ben": True}


async def test_a_page_says_what_to_install_instead_of_offering_it(monkeypatch: pytest.MonkeyPatch) -> None:
    command = "python -m pip install &#34;imu-training[{}]&#34;"
    offers = {
        "share": ('href="/train?begin=phone"', "Share on this network"),
        "fit": ('href="/export/fit',),
        "parquet": ('href="/export/parquet',),
    }

    async def shown(*paths: str) -> str:
        async with owners_page(Desks("test")) as ask:
            answers = [await ask(path) for path in paths]
            assert [status for status, *_ in answers] == [200] * len(paths)
            return "".join(text for *_, text in answers)

    first = await shown("/", "/share")
    with SessionStore.open(store_path()) as store:
        keep(store)
    with_all = first + await shown("/train", "/sessions", "/session/1")
    await shown("/", "/exercises", "/trends", "/compare", "/learning", "/people", "/wall")  # with a session stored
    monkeypatch.setattr(page, "find_spec", lambda _: None)
    without = await shown("/train", "/share", "/sessions", "/session/1")
    for extra, links in offers.items():
        assert all(link in with_all for link in links) and command.format(extra) not in with_all
        assert not any(link in without for link in links) and command.format(extra) in without
    assert len([one for one in known_sensors(None) if one["install"]]) == 2  # both ways of a phone
    store_path().unlink()
    assert 'href="/train?begin=phone"' not in (welcome := await shown("/")) and command.format("share") in welcome


async def test_one_click_gives_hinges_of_a_squat_set_an_exercise_of_their_own_and_takes_it_back() -> None:
    planned = [PlannedSet(100.0 * number + 4.0, "back squat", 100.0) for number in (0, 1)]
    with SessionStore.open(store_path()) as store:
        keep(store, summary([HINGE] * 2), 2, planned=[PlannedSet(1.0, "RDL")])
        keep(store, summary([SQUAT, SQUAT, HINGE], [HINGE] * 3), 1, planned=planned)

    def done() -> list[tuple[str, int]]:
        with SessionStore.open(store_path()) as store:
            sets = store.exercise_sets(least_drop_for_speed_m=0.15)
        return [(one.exercise, one.repetitions) for one in sets if one.session_id == 2]

    async with owners_page(Desks("test")) as ask:
        for exercise, again in (("Romanian deadlift", ""), ("back squat", " again")):
            for place, count in (("1", "1 hinge"), ("2", "3 hinges")):
                shown = (await ask("/session/2"))[2]
                assert f">Count the {count} as {exercise}{again}<" in shown
                state = shown.split('name="state" value="')[1].split('"')[0]
                status, _, answer = await ask("/session/2/exercise", state=state, place=place, exercise=exercise)
                assert status == 200, answer
            moved = [("back squat", 2), ("Romanian deadlift", 1), ("Romanian deadlift", 3)]
            assert sorted(done()) == sorted([("back squat", 3), ("back squat", 3)] if again else moved)
