"""Plans that take turns: which is due after the last trainings; kept, shown and started."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from builders import NOW, SQUAT, keep, summary
from typer.testing import CliRunner

from imu import atomic_files
from imu.app.cli import app
from imu.live import memory
from imu.live.memory import RememberedSensor, last_plan, remember_plan, remembered_targets
from imu.live.schedule import (
    Schedule,
    chosen_plan,
    due_of,
    example_schedules,
    exercises_in_words,
    keep_schedule,
    kept_schedule,
    read_schedule,
)
from imu.live.targets import Plan, PlanUnusable, Targets
from imu.store import PlannedSet, SessionOverview, SessionStore
from imu.store.backup import restore_backup, write_backup
from imu.store.home import store_path

TOML = """
name = "A and B"
days = ["Mon", "Thu"]
[[plan]]
name = "A"
[[plan.exercise]]
name = "back squat"
sets = 3
reps = 5
[[plan.exercise]]
name = "RDL"
[[plan]]
name = "B"
[[plan.exercise]]
name = "deadlift"
load = "225 lb"
"""
TUESDAY = NOW  # 10 March 2026


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def file(home: Path) -> Path:
    path = home / "coach.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def schedule(file: Path) -> Schedule:
    return read_schedule(file)


def trained(days_ago: int, *exercises: str) -> SessionOverview:
    when = TUESDAY - timedelta(days=days_ago)
    return SessionOverview(1, when, when, "x", 60.0, 1, 5, 0, 0, 0, None, exercises)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def test_without_a_training_the_first_plan_is_due_on_the_next_of_its_days(schedule):
    due = due_of(schedule, (), TUESDAY)
    assert (due.plan.name, due.day, due.before) == ("A", date(2026, 3, 12), "")
    assert due.when(TUESDAY.date()) == "on Thu 12 Mar"
    assert due.when(date(2026, 3, 11)) == "tomorrow"


@pytest.mark.parametrize(
    ("days_ago", "exercises", "due", "when"),
    [
        (1, ("Back squats", "Romanian deadlift"), "B", "on Thu 12 Mar"),
        (1, ("romanian deadlift",), "B", "on Thu 12 Mar"),  # half of it
        (0, ("deadlift",), "A", "on Thu 12 Mar"),
        (6, ("deadlift", "swing"), "A", "was due on Thu 5 Mar"),
        (1, ("swing",), "A", "on Thu 12 Mar"),  # something else: nothing of the schedule was trained
    ],
)
def test_the_plan_after_the_one_that_was_trained_last_is_due(schedule, days_ago, exercises, due, when):
    found = due_of(schedule, [trained(days_ago, *exercises)], TUESDAY)
    assert (found.plan.name, found.when(TUESDAY.date())) == (due, when)


def test_a_training_of_something_else_in_between_changes_nothing(schedule):
    sessions = [trained(0, "swing"), trained(2, "deadlift"), trained(5, "back squat")]
    found = due_of(schedule, sessions, TUESDAY)
    assert (found.plan.name, found.before) == ("A", "B was trained on Sun 8 Mar")


def test_plans_with_the_same_exercises_are_distinguished_by_the_last_plan(schedule):
    light = replace(schedule.plans[0], name="light")
    heavy_and_light = replace(schedule, plans=(schedule.plans[0], light), days=())
    sessions = [trained(1, "back squat", "RDL")]
    assert due_of(heavy_and_light, sessions, TUESDAY).plan.name == "light"
    due = due_of(heavy_and_light, sessions, TUESDAY, last="light")
    assert (due.plan.name, due.when(TUESDAY.date())) == ("A", "next")


@pytest.mark.parametrize("content", ["[" * 100_000, f'{{"last": {{"exercise": [{{"reps": 1{"0" * 4000}}}]}}}}', "{"])
def test_a_damaged_file_of_plans_holds_no_plan(home, content):
    (home / "home").mkdir()
    (home / "home" / "plans.json").write_text(content)
    assert (last_plan(), kept_schedule()) == (None, None)


def test_a_program_that_was_stopped_under_the_lock_keeps_no_training_waiting(home, monkeypatch):
    monkeypatch.setattr(atomic_files, "LONGEST_LOCK_S", 0.1)
    plan = Plan((Targets(exercise="swing"),))
    remember_plan(Plan((Targets(exercise="squat"),)))
    with atomic_files.locked(home / "home" / "plans.json"), ThreadPoolExecutor(1) as pool:
        pool.submit(remember_plan, plan).result(timeout=10)
        assert last_plan() == plan


def test_trainings_that_end_at_once_overwrite_nothing_of_each_other(schedule, monkeypatch):
    names, read = [f"lift {number}" for number in range(6)], memory._read

    def slowly(path):
        content = read(path)
        time.sleep(0.01)
        return content

    monkeypatch.setattr(memory, "_read", slowly)
    with ThreadPoolExecutor(len(names) + 1) as pool:
        kept = pool.submit(keep_schedule, schedule)
        list(pool.map(remember_plan, [Plan((Targets(exercise=name),)) for name in names]))
        kept.result()
    assert kept_schedule() == schedule
    assert [remembered_targets(name).exercise for name in names] == names


def test_a_schedule_is_kept_as_it_was_read_beside_the_last_plan(schedule):
    remember_plan(Plan((Targets(exercise="swing"),), "swings"))
    keep_schedule(schedule)
    assert kept_schedule() == schedule
    assert last_plan() == Plan((Targets(exercise="swing"),), "swings")
    keep_schedule(None)
    assert kept_schedule() is None


def test_a_plan_alone_is_a_schedule_of_one(home):
    (home / "plan.toml").write_text('[[exercise]]\nname = "back squat"\n')
    assert [plan.name for plan in read_schedule(home / "plan.toml").plans] == ["Plan"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no [[plan]] tables"),
        ("plan = 3", "has no [[plan]] tables"),
        ("day = 1", "a schedule has a name, days and [[plan]] tables"),
        ('days = ["Monday"]\nplan = []', "days are some of Mon, Tue"),
        ("plan = []", "a schedule has 1 to 20 plans, not 0"),
        ('[[plan]]\nname = "A"\n[[plan.exercise]]\nsets = 3', "A names no exercise"),
        ('[[plan]]\n[[plan.exercise]]\nname = "deadlift"', "needs a name of its own"),
        ("[[", "is no TOML file"),
        ("plan = " + "[" * 5000, "its brackets are too deep"),
        (f"plan = {'9' * 5000}", "is no TOML file: Exceeds the limit"),
        (f'[[plan]]\nname = "A"\n[[plan.exercise]]\nname = "x"\nreps = 0x{"f" * 5000}', "reps is too long"),
        ("#" * 1_000_001, "has more than 1000 kB"),
    ],
)
def test_a_file_that_is_no_schedule_is_refused_with_a_sentence(home, text, sentence):
    (home / "bad.toml").write_text(text)
    done = CliRunner().invoke(app, ["plan", str(home / "bad.toml")])
    assert done.exit_code == 1
    with pytest.raises(PlanUnusable) as refused:
        read_schedule(home / "bad.toml")
    assert sentence in str(refused.value)
    assert kept_schedule() is None


def test_two_schedules_ship_and_their_exercises_are_known(home):
    examples = example_schedules()
    assert set(examples) == {"squat-day-hinge-day", "strength-a-b"}
    assert exercises_in_words(examples["strength-a-b"].plans[0])[0] == ("back squat", "5 × 5")
    unknown = CliRunner().invoke(app, ["plan", "strength"])
    assert unknown.stderr.startswith("there is no schedule strength: ") and all(
        name in unknown.stderr for name in examples
    )


@pytest.mark.usefixtures("home")
def test_the_command_keeps_a_schedule_and_train_takes_the_plan_that_is_due(file):
    with pytest.raises(PlanUnusable, match="imu plan FILE"):
        chosen_plan("next", {})
    assert "There is no schedule" in run("plan")
    assert "back squat 3 × 5; RDL" in run("plan", str(file))
    assert chosen_plan("next", {}).name == "A"
    with SessionStore.open(store_path()) as store:
        keep(store, summary([SQUAT] * 3), planned=[PlannedSet(1.0, "back squat", 60.0)])
    assert "B, was due on Thu 12 Mar" in run("plan")
    assert "Due" in run("review")
    found = json.loads(run("plan", "--json"))
    assert (found["due"]["name"], found["day"]) == ("B", "2026-03-12")
    assert chosen_plan("next", {}).exercises[0].load == "102.06 kg", "the stored load is in kg"
    CliRunner().invoke(app, ["exercises", "--unit", "lb"])
    assert chosen_plan("next", {}).exercises[0].load == "225 lb"
    assert chosen_plan(None, {"load": "225"}).exercises[0].load == "225 lb"
    assert chosen_plan(None, {"load": "100kg"}).exercises[0].load == "100 kg", "as typed: the unit can turn back"
    assert "There is no schedule" in run("plan", "--clear")
    assert json.loads(run("plan", "--json")) == {}


@pytest.mark.usefixtures("home")
def test_an_exercise_without_a_load_gets_that_of_last_time(file):
    run("plan", str(file))
    remember_plan(Plan((Targets(exercise="back squat", load_kg=82.5),)))
    assert [exercise.load for exercise in chosen_plan("next", {}).exercises] == ["82.5 kg", None]


@pytest.mark.usefixtures("home")
def test_options_that_contradict_a_plan_are_refused_and_unknown_plans_name_those_that_ship():
    def refusal(*options: str) -> str:
        done = CliRunner().invoke(app, ["train", *options])
        assert (done.exit_code, done.stdout) == (1, "")  # not even that the training starts
        return done.stderr.strip()

    assert refusal("--plan", "five-by-five", "--exercise", "Deadlift") == (
        "the plan is for back squat, not for Deadlift: leave out --exercise, or --plan"
    )
    assert refusal("--plan", "nosuch").endswith("that ships (first-squats, five-by-five, squat-and-hinge)")
    assert "load is 0 to 1000 kg" in refusal("--load", "1e9")
    (squat,) = chosen_plan("five-by-five", {"name": "Back squats", "load": "140"}).exercises
    assert (squat.sets, squat.load) == (5, "140 kg")


@pytest.mark.usefixtures("home")
def test_the_last_plan_of_an_exercise_is_that_of_its_last_training():
    remember_plan(Plan((Targets(exercise="back squat", repetitions=5), Targets(exercise="RDL", repetitions=8))))
    for name, repetitions in (("Back squats", 5), ("rdl", 8)):
        (one,) = chosen_plan("last", {"name": name, "sets": 3}).exercises
        assert (one.exercise, one.sets, one.repetitions) == (name, 3, repetitions)
    with pytest.raises(PlanUnusable, match=r"^there is no last training of deadlift yet: leave out --plan last, or"):
        chosen_plan("last", {"name": "deadlift"})


@pytest.mark.usefixtures("home")
def test_one_click_fills_in_the_plan_that_is_due_and_begins_with_the_sensor_of_last_time(file):
    live_socket = pytest.importorskip("imu.app.web.live_socket")
    requests = pytest.importorskip("starlette.requests")
    run("plan", str(file))

    def begins(query: bytes, last: RememberedSensor | None) -> str:
        return live_socket._begins_with(requests.Request({"type": "http", "query_string": query}), last)

    sensor = RememberedSensor("movesense", "0123456789", "Movesense 6789", "AA:BB")
    assert [begins(b"plan=next&begin=last", one) for one in (sensor, None)] == ["Movesense 6789", ""]
    assert [begins(query, sensor) for query in (b"begin=phone", b"begin=virtual", b"begin=10.0.0.1", b"")] == [
        *("phone", "virtual", "", "")
    ]
    filled = [live_socket._filled_in(asked, in_lb=False) for asked in ("next", "1", "2", "-1", "", "x")]
    assert [one and one["name"] for one in filled] == ["A", "B", None, None, None, None]


def test_a_schedule_is_refused_where_a_plan_is_asked_for(file):
    with pytest.raises(PlanUnusable, match="is a schedule: `imu plan FILE` keeps it"):
        chosen_plan(str(file), {})


def test_a_backup_holds_the_schedule(schedule, home):
    keep_schedule(schedule)
    with SessionStore.open(store_path()) as store:
        keep(store)
    write_backup(home / "home", home / "all.zip", made_at=NOW, software_version="1")
    keep_schedule(None)
    done = restore_backup(home / "all.zip", home / "home", now=NOW, force=True)
    assert kept_schedule() == schedule
    assert done.before is not None
    assert json.loads((done.before / "plans.json").read_text())["schedule"] is None
