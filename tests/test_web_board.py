"""The messages that the live page receives and may send, and the curves of recordings, without a browser."""

from __future__ import annotations

import asyncio
import json
import math
import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from builders import HINGE, NOW, SQUAT, keep, summary, table_of_a_watch
from hypothesis import given, settings
from hypothesis import strategies as st

from imu.app.web import live_socket
from imu.app.web.board import Watcher, board, spoken
from imu.app.web.charts import MEASURES, POINTS, small_curve, thinned
from imu.app.web.desk import DeskState, TrainingDesk
from imu.app.web.files import Files
from imu.app.web.history import _changes
from imu.app.web.live_socket import answer_to
from imu.app.web.page import _part_of_day
from imu.app.web.session import CHANGES, Move, move_of, moves_of_all
from imu.bluetooth import LinkState
from imu.bluetooth.scan import SeenSensor
from imu.errors import NothingTrained
from imu.live.live_training import LiveTraining
from imu.live.live_view import Link, LiveView, TrainedBefore
from imu.live.memory import correct_by_hand, planned_sets
from imu.live.speech import Announcement, Announcer
from imu.live.targets import Plan, Targets
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.curves import recording_curves
from imu.report.exercises import exercise_histories
from imu.report.replay import Replayed, ReplayOptions, replay
from imu.report.session_view import view_of_stored
from imu.report.trends import stored_totals
from imu.report.words import day_of
from imu.sensors.conversation import Advertisement
from imu.sensors.reference import REFERENCE
from imu.session import RepetitionCounted, RestBegan, SetClosed, TrainingSet
from imu.store import ChangePattern, PlannedSet, Scope, SessionStore, apply_corrections
from imu.store.home import store_path

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.csv.gz"))


def repetition(start_s: float, pattern: Pattern = Pattern.SQUAT, **figures: float) -> Repetition:
    values = {
        "confidence": 0.97,
        "trunk_angle_rad": 0.5,
        "hip_drop_m": 0.45,
        "eccentric_s": 1.2,
        "pause_s": 0.1,
        "concentric_s": 0.9,
        "mean_concentric_velocity_m_s": 0.5,
        "peak_concentric_velocity_m_s": 0.8,
        "angle_at_bottom_rad": 0.4,
        "sideways_tilt_rad": 0.0,
        "turn_rad": 0.0,
        "trunk_lead_s": 0.2,
    } | figures
    return Repetition(start_s, start_s + 1.3, start_s + 2.2, start_s + 2.3, pattern, **values)  # type: ignore[arg-type]


@pytest.fixture
def live() -> LiveTraining:
    training = LiveTraining(rest_target_s=60.0)
    training.take(Link(LinkState.CONNECTED, "Hip 7", rssi_dbm=-60.0))
    return training


# --- the board -------------------------------------------------------------------------------------------------------


def test_a_board_is_json_and_says_the_pattern_in_a_word(live: LiveTraining) -> None:
    live.tick(0.0, 12.4)
    live.take(RepetitionCounted(repetition(10.0)))
    shown = json.loads(json.dumps(board(live.view())))
    assert (shown["count"], shown["pattern"], shown["sureness"], shown["phase"]) == (1, "squat", "97 % sure", "set")
    assert shown["sensor"] == "Hip 7" and shown["signal_strength"] == "good -60 dBm"


def test_the_last_repetition_stands_against_the_first(live: LiveTraining) -> None:
    live.take(RepetitionCounted(repetition(10.0)))
    live.take(RepetitionCounted(repetition(13.0, hip_drop_m=0.40, mean_concentric_velocity_m_s=0.4)))
    figures = {one["label"]: one for one in board(live.view())["figures"]}
    assert figures["Depth"] == {"label": "Depth", "value": "40 cm", "change": "-5 cm from the first"}
    assert figures["Trunk"]["change"] == "+0° from the first"
    assert figures["Mean speed up"]["change"] == "-20 % from best"
    assert figures["Tempo, s"]["change"] == "first 1.2-0.1-0.9"


def test_velocity_loss_has_its_sign(live: LiveTraining) -> None:
    for i, speed in enumerate((0.5, 0.5, 0.4, 0.4)):
        live.take(RepetitionCounted(repetition(10.0 + 3 * i, mean_concentric_velocity_m_s=speed)))
    assert board(live.view())["figures"][-1]["change"] == "-20 % from best"


def test_a_hinge_has_no_speed_to_speak_of(live: LiveTraining) -> None:
    live.take(RepetitionCounted(repetition(10.0, Pattern.HINGE, hip_drop_m=0.02, mean_concentric_velocity_m_s=-0.01)))
    assert board(live.view())["figures"][-1]["value"] == "–"


def test_a_target_stands_on_the_gauge_the_bars_and_the_figures() -> None:
    targets = Targets(exercise="back squat", load_kg=100.0, repetitions=5, sets=5, depth_m=0.6, stop_loss=0.2)
    live = LiveTraining(plan=Plan((targets,)))
    live.take(Link(LinkState.CONNECTED, "Hip 7"))
    live.take(RepetitionCounted(repetition(10.0)))
    shown = board(live.view())
    assert shown["progress"] == "Back squat 100 kg, set 1 of 5, rep 1 of 5"
    assert shown["gauges"][0]["target"] == {"share": 1.0, "text": "60 cm"}
    assert (len(shown["bars"]["items"]), shown["bars"]["planned"]) == (1, 4)
    assert [line["kind"] for line in shown["bars"]["lines"]] == ["stop"]
    assert shown["signal"]["word"] == "too shallow" and shown["signal"]["shape"] == "triangle-down"
    assert shown["cue"] == "deeper"
    assert shown["figures"][0]["change"] == "target 60 cm" and shown["figures"][0]["look"]["colour"] == "orange"


def test_the_word_of_a_signal_stands_once() -> None:
    live = LiveTraining(plan=Plan((Targets(exercise="back squat", repetitions=1),)))
    live.take(Link(LinkState.CONNECTED, "Hip 7"))
    live.take(RepetitionCounted(repetition(10.0)))
    shown = board(live.view())
    assert (shown["signal"]["word"], shown["cue"]) == ("set complete", None)
    view = replace(live.view(), cue="set complete, deeper")
    assert board(view)["cue"] == "deeper"
    assert board(replace(view, cue="deeper"))["cue"] == "deeper"


def test_a_rest_that_may_be_taken_back_leaves_the_count(live: LiveTraining) -> None:
    live.tick(0.0, 22.6)
    live.take(RepetitionCounted(repetition(10.0)))
    live.take(RestBegan(12.5))
    shown = board(live.view())
    assert (shown["phase"], shown["provisional"], shown["count"]) == ("rest", live.view().rest_is_provisional, 1)


def test_an_empty_board_is_a_board() -> None:
    shown = board(LiveView())
    assert (shown["count"], shown["pattern"], shown["figures"], shown["sets"]) == (0, None, [], [])


def test_a_rest_shows_at_once_and_the_set_can_still_be_ended(live: LiveTraining) -> None:
    live.tick(0.0, 22.6)
    live.take(RepetitionCounted(repetition(10.0)))
    live.take(RestBegan(12.5))
    shown = board(live.view())
    assert (shown["phase"], shown["rest_clock"], shown["count"], shown["set_may_go_on"]) == ("rest", "0:10", 1, True)
    live.take(SetClosed(TrainingSet((repetition(10.0),))))
    assert not board(live.view())["set_may_go_on"]


def test_sets_carry_what_was_entered(live: LiveTraining) -> None:
    done = repetition(10.0), repetition(13.0)
    live.take(SetClosed(TrainingSet(done)))
    live.enter(live.exercise(1, Targets(exercise="Front squat", load_kg=60.0)))
    entry = live.recount(1, 1)
    assert entry is not None
    live.enter(entry)
    shown = board(live.view())
    (one,) = shown["sets"]
    assert (one["text"], one["exercise"], one["load"]) == ("3 squats", "Front squat", "60 kg")
    assert (shown["total"], shown["count"]) == ("3 squats : 0 hinges", 3)
    assert shown["card"]["title"] == "3 by your count; measured: 2 squats"
    with pytest.raises(ValueError, match="there is no set 2"):
        live.exercise(2, Targets())


def test_what_is_said_comes_in_parts_that_can_be_switched_off(live: LiveTraining) -> None:
    announcer = Announcer(None, None)
    announcer.changes(live.view())
    live.take(RepetitionCounted(repetition(10.0, angle_at_bottom_rad=1.0)))
    (one,) = announcer.changes(live.view())
    assert one.text == "1, squat. chest up"
    assert spoken(one) == {"text": "1", "pattern": "squat", "cue": "chest up", "urgent": True}
    assert spoken(Announcement("sensor lost"))["text"] == "sensor lost"


# --- pages that watch ------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers()), max_size=3), max_size=30))
def test_however_slow_a_page_is_it_ends_with_what_is_shown(changes: list[list[tuple[str, int]]]) -> None:
    watcher, shown = Watcher(), {}
    for change in changes:
        shown.update(dict(change))
        watcher.take(dict(change), [])
    assert watcher._changed == shown


# --- what a page may ask for -----------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
DOINGS = st.sampled_from(["enter", "recount", "rest", "finish", "end set", "take back", "pause", "x", "", None, 3])


ASKED = st.fixed_dictionaries(
    {"do": DOINGS}, optional={"set": JSON, "rest_s": JSON, "exercise": JSON, "load": JSON, "more": JSON}
)


@settings(max_examples=75)
@given(st.one_of(st.text(), JSON.map(json.dumps), ASKED.map(json.dumps)))
def test_whatever_a_page_sends_the_server_lives(text: str) -> None:
    desk = TrainingDesk("0")

    async def ask() -> dict[str, Any] | None:
        return answer_to(desk, text)

    answer = asyncio.run(ask())
    assert answer is None or isinstance(answer.get("refused"), str)
    assert desk.state is DeskState.IDLE


def test_hinges_where_squats_were_planned_are_of_no_exercise_until_the_person_says_so(tmp_path: Path) -> None:
    planned = [PlannedSet(when_s, "back squat", 100.0) for when_s in (1.0, 100.5, 200.5)]
    with SessionStore.open(tmp_path / "sessions.db") as store:
        keep(store, summary([SQUAT] * 5, [HINGE] * 8, [HINGE] * 8), planned=planned)

        def figures() -> tuple[Any, ...]:
            view = view_of_stored(store.load(1))
            done = {
                one.name: (one.repetitions, one.volume_kg, one.heaviest.load_kg) for one in exercise_histories(store)
            }
            return done, store.list()[0].volume_kg, view.volume_kg, view.unplanned

        squats = {"back squat": (5, 500.0, 100.0)}
        left_out = "sets 2, 3 were not the planned back squat: they count for no exercise until you name it"
        assert figures() == (squats, 500.0, 500.0, left_out)

        latest = {HINGE: "deadlift"}
        (of_all,) = moves_of_all(store.load(1).corrected, latest)
        assert of_all == Move("deadlift", "Count the 2 hinge sets as deadlift")
        named = CHANGES["exercises"](store.load(1).corrected, {"exercise": of_all.exercise})
        store.correct_all(1, named, made_at=NOW)
        assert figures() == (squats | {"deadlift": (16, 1600.0, 100.0)}, 2100.0, 2100.0, "")
        assert moves_of_all(store.load(1).corrected, latest) == []
        one_set = store.load(1).corrected.sets[1]
        move = move_of(one_set, latest)
        assert move is not None and move.text == "Count the 8 hinges as back squat again"
        for _ in named:
            store.undo(1)
        move = move_of(store.load(1).corrected.sets[1], latest)
        assert move is not None and move.text == "Count the 8 hinges as deadlift"

        store.correct(1, ChangePattern(one_set.middle_s, SQUAT, Scope.SET), made_at=NOW)  # they were squats after all
        assert figures()[0] == {"back squat": (13, 1300.0, 100.0)}
        assert figures()[3] == "set 3 was not the planned back squat: it counts for no exercise until you name it"


def test_a_load_that_is_typed_on_the_page_is_in_the_persons_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMU_HOME", str(tmp_path))
    with SessionStore.open(store_path()) as store:
        store.show_loads_in_lb(in_lb=True)
    desk, enter = TrainingDesk("0"), Mock()
    plan = {"exercise": [{"name": "back squat", "load": 225}, {"name": "deadlift", "load": "100 kg"}, {"reps": 5}]}
    assert answer_to(desk, json.dumps({"do": "follow", "plan": plan})) == {"followed": True}
    assert desk.plan is not None
    assert [exercise.load for exercise in desk.plan.exercises] == ["225 lb", "100 kg", None]
    assert desk.plan.exercises[1].load_kg == 100.0
    monkeypatch.setattr(desk, "enter", enter)
    answer_to(desk, json.dumps({"do": "enter", "set": 1, "exercise": None, "load": "225"}))
    assert enter.call_args.args[1].load == "225 lb"


async def test_one_tap_after_the_training_counts_a_set_as_the_exercise_that_was_done_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMU_HOME", str(tmp_path))
    done = summary([SQUAT] * 3)
    desk, planned = TrainingDesk("0"), Targets(exercise="Romanian deadlift", load_kg=60.0)
    desk._live = LiveTraining(TrainedBefore(latest={SQUAT: "goblet squat"}), plan=Plan((planned,)))
    for one in done.sets[0].repetitions:
        desk._live.take(RepetitionCounted(one))
    desk._live.take(SetClosed(done.sets[0]))
    with SessionStore.open(store_path()) as store:
        desk.last_session = keep(store, done, planned=planned_sets([(done.sets[0], planned)]))

    def stored() -> tuple[str | None, float | None]:
        with SessionStore.open(store_path()) as store:
            one_set = store.load(1).corrected.sets[0]
        return one_set.exercise, one_set.load_kg

    for exercise, back in (
        ("goblet squat", "Back to Romanian deadlift"),
        ("Romanian deadlift", "Count as goblet squat"),
    ):
        assert answer_to(desk, json.dumps({"do": "move", "set": 1})) is None
        await desk.until_idle()
        shown = board(desk._live.view())
        assert shown["sets"][0]["move"] == shown["move"] == back
        assert (shown["sets"][0]["exercise"], *stored()) == (exercise, exercise, 60.0)
    answer = answer_to(desk, json.dumps({"do": "move", "set": 2}))
    assert answer is not None and "set 2 was done as planned" in answer["refused"]

    for _ in "two windows, or a tap that is two":
        answer_to(desk, json.dumps({"do": "move", "set": None, "shown": "Count as goblet squat"}))
    await desk.until_idle()
    assert stored() == ("goblet squat", 60.0)

    def slowly(number: int, entry: dict[str, Any]) -> None:
        time.sleep(0.2 if entry["exercise"]["name"] == planned.exercise else 0.0)
        correct_by_hand(number, entry)

    monkeypatch.setattr("imu.app.web.desk.correct_by_hand", slowly)
    for _ in "back and forth":
        answer_to(desk, json.dumps({"do": "move", "set": 1}))
    await desk.until_idle()
    assert stored()[0] == board(desk._live.view())["sets"][0]["exercise"] == "goblet squat"
    desk.state = DeskState.SAVING
    for asked in ({"do": "move", "set": 1}, {"do": "recount", "set": 1, "more": 1}):
        answer = answer_to(desk, json.dumps(asked))
        assert answer is not None and "is being saved" in answer["refused"]


@pytest.mark.parametrize("rest_s", [-1, 0, 1e9, "60", True])
async def test_an_impossible_rest_is_refused(rest_s: object) -> None:
    answer = answer_to(TrainingDesk("0"), json.dumps({"do": "rest", "rest_s": rest_s}))
    assert answer is not None and "cannot be" in answer["refused"]


async def test_sensors_are_listed_while_the_page_still_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    weak = SeenSensor("Hip 7", "F0:07", -80, REFERENCE, Advertisement(), None)  # type: ignore[arg-type]
    near = replace(weak, name="Hip 8", address="F0:08", rssi_dbm=-50)
    mouse = replace(weak, name="Mouse", address="F0:09", kind=None)

    async def hear(_radio: object, _recognise: object, _seconds: float, on_seen: Any) -> list[SeenSensor]:
        for one in (weak, mouse, weak, near):
            assert on_seen(one) is None
        return [near, weak, mouse]

    monkeypatch.setattr(live_socket, "scan", hear)
    answers: list[dict[str, Any]] = []
    desk = TrainingDesk("0")
    assert answer_to(desk, json.dumps({"do": "scan"}), tell=answers.append) is None
    await desk.until_idle()
    heard = [([one["wanted"] for one in news["heard"]], news.get("listening", False)) for news in answers]
    assert heard == [(["F0:07"], True), (["F0:08", "F0:07"], True), (["F0:08", "F0:07"], False)]


async def test_a_training_that_begins_ends_the_search_for_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []

    async def hear(*_: object) -> list[SeenSensor]:
        searched.append("begun")
        try:
            await asyncio.sleep(3600)
        finally:
            searched.append("ended")
        return []

    def link(*_: object) -> None:
        searched.append("linked")
        raise NothingTrained("no radio")

    monkeypatch.setattr(live_socket, "scan", hear)
    monkeypatch.setattr("imu.app.web.desk.link_for", link)
    desk = TrainingDesk("0")
    answer_to(desk, json.dumps({"do": "scan"}))
    while not searched:
        await asyncio.sleep(0)
    again = answer_to(desk, json.dumps({"do": "scan"}))
    assert again is not None and "running already" in again["refused"], "one search at a time"
    assert answer_to(desk, json.dumps({"do": "begin", "sensor": "any"})) is None
    assert desk.state is DeskState.TRAINING
    async with asyncio.timeout(5):
        await desk.until_idle()
    assert (searched, desk.trouble) == (["begun", "ended", "linked"], "no radio")


# --- curves ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name.split(".")[0])
def test_a_curve_peaks_where_the_repetition_was_measured_to(recording: Path) -> None:
    replayed = replay(str(recording), ReplayOptions())
    assert isinstance(replayed, Replayed)
    curves = recording_curves(recording, replayed.summary, ReplayOptions())
    for one_set in replayed.summary.sets:
        for one in one_set.repetitions:
            angle_rad = curves.between(one.start_s, one.end_s).trunk_angle_rad
            assert math.degrees(float(np.nanmax(angle_rad)) - one.trunk_angle_rad) == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize(("measure", "error"), [("angle", 1.5), ("depth", 2.0), ("speed", 0.05)])
def test_each_repetition_has_a_small_curve(measure: str, error: float) -> None:
    replayed = replay(str(RECORDINGS[0]), ReplayOptions())
    assert isinstance(replayed, Replayed)
    curves = recording_curves(RECORDINGS[0], replayed.summary, ReplayOptions())
    (one_set,) = apply_corrections(replayed.summary).sets
    _, _, curve_of, figure_of = MEASURES[measure]
    drawn = [small_curve(curves.time_s, curve_of(curves), one) for one in one_set.repetitions]
    assert len(drawn) == 8
    for values, one in zip(drawn, one_set.repetitions, strict=True):
        assert values is not None and len(values) == POINTS and one.measured is not None
        assert max(values) == pytest.approx(figure_of(one.measured), abs=error)


def test_thinning_loses_no_peak_and_no_gap() -> None:
    rng = np.random.default_rng(1)
    angle = rng.normal(size=100_003)
    angle[70_000] = np.nan
    time_s = np.arange(len(angle)) / 20
    thin_s, thin = thinned(time_s, angle, 4000)
    assert len(thin) <= 4100
    assert np.nanmax(thin) == np.nanmax(angle[: len(angle) // 51 * 51]) or np.nanmax(thin) > 3.5
    assert np.isnan(thin).sum() == 1
    assert (np.diff(thin_s) >= 0).all()
    same_s, same = thinned(time_s[:3000], angle[:3000], 4000)
    assert (same_s == time_s[:3000]).all() and (same == angle[:3000]).all()


def test_the_home_page_names_the_time_of_a_session_of_the_same_day(tmp_path: Path) -> None:
    changes = []
    with SessionStore.open(tmp_path / "sessions.db") as store:
        for number, earlier in ((1, timedelta(days=3)), (2, timedelta(minutes=9)), (3, timedelta(0))):
            keep(store, number=number, started_at=NOW - earlier)
            changes.append(_changes(stored_totals(store, NOW), store.list()))
    assert changes[0] == ()
    assert changes[1][0].endswith(f"as many as on {day_of(NOW - timedelta(days=3))}")
    assert changes[2][0].endswith(f"as many as at {(NOW - timedelta(minutes=9)).astimezone():%H:%M}")


def test_the_greeting_is_no_farewell() -> None:
    assert [_part_of_day(hour) for hour in (0, 5, 12, 18, 23)] == [
        "evening",
        "morning",
        "afternoon",
        "evening",
        "evening",
    ]


# --- imports ----------------------------------------------------------------------------------------------------------


def answer_to_import(table: Path, fields: dict[str, str]) -> dict[str, Any]:
    """Import a file as the page does, with what the person gave in its forms."""
    data = pytest.importorskip("starlette.datastructures")
    with table.open("rb") as file:
        form = data.FormData({"file": data.UploadFile(file, filename=table.name), **fields})
        response = asyncio.run(Files("1").receive(Mock(form=lambda: nullcontext(form))))
    answer: dict[str, Any] = json.loads(bytes(response.body))
    return answer


AXES = ",".join(f"{name}{axis} ({unit})" for name, unit in (("Accel", "g"), ("Gyro", "deg/s")) for axis in "XYZ")


@pytest.mark.parametrize("names", ["timestamp,ax,ay,az,gx,gy,gz", f"stamp,{AXES}"])
def test_a_table_whose_time_is_dates_is_imported_with_its_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str
) -> None:
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "home"))
    start = datetime(2024, 5, 1, 18, 30)
    table = table_of_a_watch(tmp_path / "watch.csv", names, start)
    asked = answer_to_import(table, {})["table"]
    assert list(asked.values()) == ["g", "deg/s", *names.split(",")]
    assert answer_to_import(table, asked)["go"] == "/session/1"  # no question about the date
    with SessionStore.open(store_path()) as store:
        assert store.load(1).started_at == start.astimezone()


def test_the_column_of_time_is_asked_for_where_several_may_be_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMU_HOME", str(tmp_path))
    table = table_of_a_watch(tmp_path / "watch.csv", f"stamp,{AXES},label", datetime(2024, 5, 1, 18, 30))
    answer = answer_to_import(table, {})
    assert answer["table"]["column_time_s"] == "" and answer["table"]["column_gyr_z"] == "GyroZ (deg/s)"
    assert answer["finding"].endswith("are missing, and the time is in one of 'stamp', 'label'")
    assert answer_to_import(table, answer["table"])["table"]["column_time_s"] == ""  # asked again
    answer = answer_to_import(table, answer["table"] | {"column_time_s": "stamp"})
    assert list(answer["table"].values())[:3] == ["g", "deg/s", "stamp"]
    assert "session" in answer_to_import(table, answer["table"])["go"]
