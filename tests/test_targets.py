"""Targets and plans: read, written, compared with repetitions, shown, recorded and replayed."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from functools import cache
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from builders import CONNECTED, NOW, counted, keep, rejected, set_of, summary
from builders import SQUAT as SQUATTED
from builders import live_repetition as repetition
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from sensors.radioless import carry

from imu.app.train import page_at_the_end
from imu.bluetooth import HostClock
from imu.errors import SensorNotFound
from imu.live import memory, radios
from imu.live.cards import LastTime, PastExercise
from imu.live.entries import exercise_event, recount_event
from imu.live.event_channel import plan_object, recorded_coach, recorded_plan, replay_signals, signal_object
from imu.live.live_training import LiveTraining
from imu.live.live_view import TrainedBefore
from imu.live.memory import achieved, correct_by_hand, keep_replay
from imu.live.schedule import example_plans, read_plan
from imu.live.set_view import Measure, Phase
from imu.live.signals import (
    ANGLE_ERROR_RAD,
    DROP_ERROR_M,
    FAULTS,
    LOOKS,
    MARGIN,
    SPEED_ERROR,
    TIME_ERROR_S,
    Best,
    Coach,
    Signal,
    SignalKind,
    repetition_signals,
)
from imu.live.targets import KG_PER_LB, Plan, PlanUnusable, Targets, Tempo, with_unit_typed
from imu.live.training_run import TrainingRun, TrainingSettings
from imu.motion.form import Posture
from imu.motion.pattern import Pattern
from imu.recordings.training_reader import read_training
from imu.recordings.training_recorder import RecordingHeader, TrainingRecorder
from imu.report.replay import ReplayOptions, replay
from imu.sensors import KINDS
from imu.sensors.conversation import Message
from imu.session import RepetitionCounted, RepetitionTakenBack, RestBegan, SessionParameters, SetClosed
from imu.store import PlannedSet, SessionStore
from imu.store.home import store_path
from imu.training import Training
from imu.virtual.person import Exercise, Lifter, Rest, Sensor, simulate
from imu.virtual.vendor_twins import TWINS

SQUAT = {
    "name": "back squat",
    "load": 100,
    "sets": 2,
    "reps": 3,
    "rest": "3:00",
    "tempo": "3-1-X",
    "depth": 45,
    "velocity": "0.4-0.6",
    "stop-loss": 20,
}
STANDING, DOWN = Posture(0.05, 0.0), Posture(0.5, 0.4, calm_s=0.0)


def targets(**given):
    return Targets.from_object({key.replace("_", "-"): value for key, value in given.items()})


def plan(*exercises, name=None):
    return Plan(tuple(Targets.from_object(one) for one in exercises), name)


# --- reading and writing ----------------------------------------------------------------------------------------------


def test_targets_are_read_in_the_words_of_a_plan():
    read = Targets.from_object(SQUAT)
    assert (read.exercise, read.load_kg, read.sets, read.repetitions, read.rest_s) == ("back squat", 100.0, 2, 3, 180.0)
    assert (read.tempo, read.depth_m, read.velocity_m_s, read.stop_loss) == (Tempo(3.0, 1.0), 0.45, (0.4, 0.6), 0.2)
    assert (read.load, read.title, str(read.tempo)) == ("100 kg", "back squat 100 kg", "3-1-X")


@pytest.mark.parametrize(
    ("written", "kg", "words"),
    [("225 lb", 225 * KG_PER_LB, "225 lb"), ("62.5kg", 62.5, "62.5 kg"), (40, 40.0, "40 kg"), ("16 KG", 16.0, "16 kg")],
)
def test_loads_have_a_unit(written, kg, words):
    read = targets(load=written)
    assert (read.load_kg, read.load) == (pytest.approx(kg), words)


@pytest.mark.parametrize("kg", [20.0, 58.9, 60.0, 102.05828325, 122.5])
def test_a_load_that_is_shown_in_the_other_unit_stays_exactly_the_same(kg):
    in_lb = targets(load=kg).in_unit(in_lb=True)
    assert in_lb.load.endswith(" lb")
    assert Targets.from_object(in_lb.as_object()) == in_lb
    assert in_lb.in_unit(in_lb=False) == targets(load=kg) == targets(load=kg).in_unit(in_lb=None)


@pytest.mark.parametrize(
    ("typed", "in_lb", "words"),
    [
        (225, True, "225 lb"), ("225", True, "225 lb"), ("62,5", True, "'62,5 lb' is not understood"),
        ("100 kg", True, "100 kg"), (100, False, "100 kg"), ("225 lb", False, "225 lb"), ("100", None, "100 kg"),
    ],
)  # fmt: skip
def test_a_bare_number_is_in_the_persons_unit(typed, in_lb, words):
    try:
        assert targets(load=with_unit_typed(typed, in_lb=in_lb)).load == words
    except PlanUnusable as error:
        assert words in str(error)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"load": "heavy"}, "100 kg or 225 lb"),
        ({"load": "10 stone"}, "100 kg or 225 lb"),
        ({"load": 2000}, "load is 0 to 1000 kg"),
        ({"reps": 0}, "reps is 1 to 1000"),
        ({"reps": 2.5}, "reps is a whole number"),
        ({"tempo": "slow"}, "3-1-X"),
        ({"tempo": "3-1"}, "3-1-X"),
        ({"depth": 300}, "depth is 1 to 120 cm"),
        ({"velocity": "0.6-0.4"}, "from slow to fast"),
        ({"velocity": 0.5}, "0.4-0.6"),
        ({"stop-loss": 200}, "stop-loss is 1 to 90 percent"),
        ({"rest": "3:99"}, "180 or 3:00"),
        ({"name": "a\nb"}, "letters in one line"),
        ({"weight": 3}, "'weight'"),
        ({"velocity": "0" * 40_000}, "velocity is too long"),
        ({"depth": float("nan")}, "depth is 1 to 120 cm"),
    ],
)
def test_impossible_targets_are_refused_in_one_sentence(given, sentence):
    with pytest.raises(PlanUnusable, match=sentence) as refused:
        Targets.from_object(given, "five.toml, exercise 1")
    assert str(refused.value).startswith("five.toml, exercise 1") and "\n" not in str(refused.value)


def test_every_wrong_value_of_a_plan_has_its_own_sentence():
    tables = [{"name": "back squat", "reps": 0, "velocity": "0.6-0.4"}, {"reps": 5}, {"rest": "x", "sets": 3}]
    with pytest.raises(PlanUnusable) as refused:
        Plan.from_object({"exercise": tables})
    wrong = refused.value.wrong
    assert [(index, key) for index, key, _ in wrong] == [(0, "reps"), (0, "velocity"), (2, "rest")]
    assert wrong[0][2] == "reps is 1 to 1000, got 0"
    assert str(refused.value).startswith("the plan, exercise 1: reps is 1 to 1000, got 0; a velocity zone")
    assert "; exercise 3: 'x' is not understood" in str(refused.value)


def test_a_plan_is_a_toml_file(tmp_path):
    path = tmp_path / "five.toml"
    path.write_text('name = "Mine"\n[[exercise]]\nname = "back squat"\nload = "225 lb"\nreps = 5\nrest = "2:30"\n')
    read = read_plan(path)
    assert read.name == "Mine"
    assert read.exercises == (targets(name="back squat", load="225 lb", reps=5, rest=150),)


@pytest.mark.parametrize("text", ["", "exercise = 3", "[[exercise]]\nreps = ", "[exercise]\nreps = 3", "sets = 3"])
def test_a_file_that_is_no_plan_is_one_sentence(tmp_path, text):
    path = tmp_path / "no.toml"
    path.write_text(text)
    with pytest.raises(PlanUnusable, match=r"no\.toml"):
        read_plan(path)
    with pytest.raises(PlanUnusable, match="cannot be read"):
        read_plan(tmp_path / "none.toml")


def test_three_example_plans_ship():
    examples = example_plans()
    assert len(examples) == 3
    assert all(one.name for one in examples.values())


SOME_TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
        "load": st.one_of(st.integers(0, 500), st.integers(1, 900).map(lambda pounds: f"{pounds} lb")),
        "sets": st.integers(1, 20),
        "reps": st.integers(1, 50),
        "rest": st.integers(1, 600),
        "tempo": st.sampled_from(["3-1-X", "2-0-1", "X-2-X", "1.5-0-0.5"]),
        "depth": st.one_of(st.just("best"), st.integers(5, 100)),
        "angle": st.one_of(st.just("best"), st.integers(5, 120)),
        "velocity": st.just("0.35-0.7"),
        "stop-loss": st.integers(1, 60),
    },
)


@given(st.lists(SOME_TARGETS, min_size=1, max_size=4))
def test_a_plan_is_read_back_as_it_was_written(tables):
    made = Plan.from_object({"name": 'a "plan"', "exercise": tables})
    assert Plan.from_object(json.loads(json.dumps(made.as_object()))) == made


def test_sets_follow_the_plan_and_the_last_exercise_goes_on():
    both = plan({"name": "squat", "sets": 2}, {"name": "row"}, {"name": "hinge", "sets": 1})
    names = [(both.place(index).targets.exercise, both.place(index).set_number) for index in range(5)]
    assert names == [("squat", 1), ("squat", 2), ("row", 1), ("hinge", 1), ("hinge", 2)]
    assert [both.place(index).beyond for index in range(5)] == [False, False, False, False, True]
    assert not plan({"name": "squat"}).place(99).beyond


# --- one repetition ---------------------------------------------------------------------------------------------------


def kinds(aim, *repetitions, best=None):
    return repetition_signals(aim, repetitions, best)


def test_without_targets_for_repetitions_none_is_called_good():
    assert kinds(targets(name="squat", load=50, rest=60, sets=3), repetition()) == ()


def test_a_difference_within_the_error_of_measurement_is_not_called_bad():
    aim = targets(depth=45, tempo="3-0-X", velocity="0.4-0.6")
    edge = {
        "hip_drop_m": 0.45 - 0.99 * MARGIN * DROP_ERROR_M,
        "eccentric_s": 3.0 - 0.99 * MARGIN * TIME_ERROR_S,
        "mean_concentric_velocity_m_s": 0.4 * (1 - 0.99 * MARGIN * SPEED_ERROR),
    }
    assert kinds(aim, repetition(**edge)) == (SignalKind.GOOD,)
    hinge = {"pattern": Pattern.HINGE, "trunk_angle_rad": math.radians(60) - 0.99 * MARGIN * ANGLE_ERROR_RAD}
    assert kinds(targets(angle=60), repetition(**hinge)) == (SignalKind.GOOD,)


@pytest.mark.parametrize(
    ("aim", "figures", "kind"),
    [
        ({"depth": 45}, {"hip_drop_m": 0.45 - 1.01 * DROP_ERROR_M}, SignalKind.TOO_SHALLOW),
        (
            {"angle": 60},
            {"pattern": Pattern.HINGE, "trunk_angle_rad": math.radians(60) - 1.01 * ANGLE_ERROR_RAD},
            SignalKind.TOO_SHALLOW,
        ),
        ({"tempo": "3-1-X"}, {"eccentric_s": 3.0 - 1.01 * TIME_ERROR_S}, SignalKind.TOO_FAST_DOWN),
        ({"velocity": "0.5-0.8"}, {"mean_concentric_velocity_m_s": 0.3}, SignalKind.TOO_SLOW_UP),
        ({"velocity": "0.2-0.3"}, {"mean_concentric_velocity_m_s": 0.5}, SignalKind.TOO_FAST_UP),
    ],
)
def test_a_target_missed_by_more_is_signalled(aim, figures, kind):
    assert kinds(targets(**aim), repetition(**figures))[0] is kind


def test_a_set_is_complete_with_its_last_planned_repetition_only():
    aim = targets(reps=3)
    done = [repetition(10 + 3 * index) for index in range(4)]
    complete = [SignalKind.SET_COMPLETE in kinds(aim, *done[:count]) for count in (1, 2, 3, 4)]
    assert complete == [False, False, True, False]


def test_the_velocity_loss_stops_the_set_at_the_line_of_the_bars():
    aim = targets(stop_loss=20)
    speeds = (0.5, 0.52, 0.47, 0.42, 0.41)
    done = [repetition(10 + 3 * i, mean_concentric_velocity_m_s=speed) for i, speed in enumerate(speeds)]
    stops = [SignalKind.STOP in kinds(aim, *done[:count]) for count in range(1, 6)]
    assert stops == [False, False, False, False, True]  # 0.8 x 0.52 = 0.416 m/s


def test_hinges_that_hardly_sink_have_no_velocity_to_lose():
    aim = targets(stop_loss=20, velocity="0.5-0.8")
    done = [
        repetition(10 + 3 * i, Pattern.HINGE, mean_concentric_velocity_m_s=speed) for i, speed in enumerate((0.1, 0.02))
    ]
    assert kinds(aim, *done) == (SignalKind.GOOD,)


def test_as_my_best_is_the_second_best_before():
    aim = targets(depth="best")
    assert kinds(aim, repetition(hip_drop_m=0.1), best=Best()) == (SignalKind.GOOD,)
    best = Best.of([repetition(hip_drop_m=drop) for drop in (0.5, 0.7, 0.48)])
    assert best.depth_m == 0.5
    assert kinds(aim, repetition(hip_drop_m=0.49), best=best) == (SignalKind.GOOD,)
    assert kinds(aim, repetition(hip_drop_m=0.44), best=best) == (SignalKind.TOO_SHALLOW,)


@given(
    st.floats(0.1, 0.8),
    st.floats(0.5, 6.0),
    st.floats(0.05, 1.5),
    st.floats(0.1, 1.4),
    st.booleans(),
    st.integers(1, 9),
)
def test_a_repetition_is_never_good_and_bad(drop_m, eccentric_s, speed_m_s, angle_rad, angled, count):
    aim = targets(
        depth=45, tempo="3-1-X", velocity="0.4-0.6", reps=5, stop_loss=20, **({"angle": 50} if angled else {})
    )
    figures = {"hip_drop_m": drop_m, "eccentric_s": eccentric_s, "trunk_angle_rad": angle_rad}
    said = kinds(aim, *[repetition(3.0 * n, mean_concentric_velocity_m_s=speed_m_s, **figures) for n in range(count)])
    assert (SignalKind.GOOD in said) is not bool(FAULTS & set(said))
    assert len(said) == len(set(said))


def test_each_signal_has_its_own_word_symbol_and_shape_besides_its_colour():
    for part in ("word", "symbol", "shape"):
        assert len({getattr(look, part) for look in LOOKS.values()}) == len(SignalKind) == len(LOOKS)
    assert all(len(look.symbol) == 1 and look.sound and look.colour for look in LOOKS.values())


# --- the view ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def live():
    training = LiveTraining(plan=plan(SQUAT, {"name": "Romanian deadlift", "angle": 60, "reps": 8}))
    training.tick(0.0, 0.0)
    training.take(CONNECTED)
    return training


def deep(start_s, **figures):
    usual = {"hip_drop_m": 0.5, "eccentric_s": 3.0, "mean_concentric_velocity_m_s": 0.5}
    return repetition(
        start_s, **(usual | figures), bottom_s=start_s + 3.0, end_s=start_s + 4.5, confirmed_s=start_s + 4.6
    )


def test_the_plan_says_where_the_person_is(live):
    assert live.view().progress.text == "Next: Back squat 100 kg, set 1 of 2, 3 reps"
    counted(live, deep(10), deep(15))
    assert live.view().progress.text == "Back squat 100 kg, set 1 of 2, rep 2 of 3"
    done = (*counted(live, deep(20)),)
    live.take(SetClosed(set_of(deep(10), deep(15), *done)))
    assert live.view().progress.text == "Next: Back squat 100 kg, set 2 of 2, 3 reps"
    second = counted(live, deep(60), deep(65))
    live.take(SetClosed(set_of(*second)))
    assert live.view().progress.text == "Next: Romanian deadlift, set 1, 8 reps"


def test_after_its_last_set_the_plan_is_done():
    live = LiveTraining(plan=plan({"sets": 1, "reps": 2}))
    live.take(SetClosed(set_of(*counted(live, deep(10), deep(15)))))
    assert live.view().progress.text == "All sets of the plan are done"
    live = LiveTraining(plan=plan({"sets": 2, "reps": 2, "rest": 60}))
    assert live.coach.rest_target_s == 60.0
    live.take(SetClosed(set_of(*counted(live, deep(10), deep(15)))))
    assert live.coach.rest_target_s == 60.0
    live.take(SetClosed(set_of(*counted(live, deep(70), deep(75)))))
    assert live.coach.rest_target_s is None  # "rest over, go" would call for a set that is not planned


def test_the_gauge_that_matters_is_depth_in_a_squat_and_angle_in_a_hinge(live):
    live.tick(0.1, 1.0, DOWN)
    view = live.view()
    assert (view.gauge.measure, view.gauge.now, view.gauge.target) == (Measure.DEPTH, 0.4, 0.45)
    assert (view.other_gauge.measure, view.other_gauge.now) == (Measure.ANGLE, 0.5)
    live.coach.follow(live.coach.plan, 2)
    view = live.view()
    assert (view.gauge.measure, view.gauge.target) == (Measure.ANGLE, pytest.approx(math.radians(60)))
    free = LiveTraining()
    counted(free, repetition(10, Pattern.HINGE))
    assert free.view().gauge.measure is Measure.ANGLE


def test_each_repetition_has_a_bar_and_the_loss_line_moves_with_the_fastest(live):
    counted(live, deep(10, mean_concentric_velocity_m_s=0.5), deep(15, mean_concentric_velocity_m_s=0.6))
    bars = live.view().bars
    assert (bars.measure, [bar.value for bar in bars.bars]) == (Measure.SPEED, [0.5, 0.6])
    assert (bars.loss_line, bars.target_low, bars.planned) == (pytest.approx(0.48), None, 3)
    assert all(bar.value <= bars.full for bar in bars.bars)
    counted(live, deep(20, mean_concentric_velocity_m_s=0.45))
    assert live.view().velocity_loss == pytest.approx(0.25)
    assert live.view().signals[:2] == (SignalKind.SET_COMPLETE, SignalKind.STOP)


def test_screen_and_voice_give_one_cue_that_of_the_targets_first(live):
    counted(live, deep(10, hip_drop_m=0.3, angle_at_bottom_rad=1.2))
    assert (live.view().cue, live.view().look.word) == ("deeper", "too shallow")
    counted(live, deep(15, angle_at_bottom_rad=1.2))
    assert (live.view().cue, live.view().look.word) == ("chest up", "good")


def test_taking_back_a_repetition_takes_back_its_signal(live):
    done = counted(live, deep(10), deep(15), deep(20))
    assert SignalKind.SET_COMPLETE in live.view().signals
    live.take(RepetitionTakenBack(done[-1]))
    assert live.view().signals == (SignalKind.GOOD,)
    counted(live, deep(25))
    assert SignalKind.SET_COMPLETE in live.view().signals


def test_a_rest_is_shown_within_2_s_of_standing_still_and_silently_taken_back(live):
    counted(live, deep(10), deep(15))  # ends at 19.5 s
    for step in range(40):
        live.tick(20 + 0.1 * step, 19.6 + 0.1 * step, STANDING)
        if live.view().phase is Phase.REST:
            break
    view = live.view()
    assert view.rest_s <= 2.0 and view.rest_is_provisional and view.card is not None
    assert (view.count, view.set_number, view.sets) == (2, 1, ())
    assert view.progress.text == "Back squat 100 kg, set 1 of 2, rep 2 of 3"
    counted(live, deep(24))
    assert (live.view().phase, live.view().rest_is_provisional, live.view().count) == (Phase.SET, False, 3)


def test_a_rest_that_began_is_certain_and_has_a_share_of_the_plan(live):
    done = counted(live, deep(10), deep(15))
    live.tick(0.0, 22.5, STANDING)
    live.take(RestBegan(19.5))
    view = live.view()
    assert (view.phase, view.rest_is_provisional, view.rest_target_s) == (Phase.REST, False, 180.0)
    live.take(SetClosed(set_of(*done)))
    live.tick(10.0, 64.5, STANDING)
    assert live.view().rest_share == pytest.approx(45 / 180)
    live.rest_for(60)
    assert (live.view().rest_target_s, live.view().rest_share) == (60, pytest.approx(0.75))


def test_a_person_who_moves_does_not_rest(live):
    counted(live, deep(10), deep(15))
    live.tick(20.0, 21.0, STANDING)
    assert live.view().phase is Phase.REST
    live.tick(20.1, 21.1, DOWN)
    assert live.view().phase is Phase.SET
    for calm_s, tilt_rad, phase in ((0.2, 0.05, Phase.SET), (0.3, 1.2, Phase.SET), (0.4, 0.05, Phase.REST)):
        live.tick(20.2, 21.2, Posture(tilt_rad, 0.0, calm_s))
        assert live.view().phase is phase


def test_the_card_of_a_set_says_what_went_well_and_what_to_try(live):
    done = counted(live, deep(10), deep(15, hip_drop_m=0.3), deep(20, hip_drop_m=0.33))
    live.take(RestBegan(24.5))
    card = live.view().card
    assert (card.title, card.repetitions, card.good) == ("back squat 100 kg", 3, 1)
    assert card.try_next == "deeper: 2 of 3 reps were too shallow"
    live.take(SetClosed(set_of(*done)))
    live.enter(live.recount(1, 1))
    assert (live.view().counts, live.view().session.squats) == ((4,), 4)
    live.enter(live.recount(1, -1))
    done = counted(live, deep(60), deep(65), deep(70))
    assert live.view().previous_set == card
    live.take(RestBegan(74.5))
    card = live.view().card
    assert card.well == "every repetition met its targets"
    assert card.try_next == "one more repetition or some more load: as fast at the end"
    live.take(SetClosed(set_of(*done)))
    assert live.advice == (  # praise is of most sets, and this one holds for one of two
        "Try (1 of 2 sets): one more repetition or some more load: as fast at the end.",
    )


def test_hinges_are_not_judged_by_the_depth_of_a_planned_squat(live):
    hinge = {"pattern": Pattern.HINGE, "hip_drop_m": 0.03, "trunk_angle_rad": 1.0}
    done = counted(live, *(deep(10 + 5 * i, **hinge) for i in range(3)))
    view = live.view()
    assert view.signals == (SignalKind.SET_COMPLETE,)
    assert (view.gauge.measure, view.bars.measure) == (Measure.ANGLE, Measure.ANGLE)
    live.take(RestBegan(24.5))
    card = live.view().card
    assert card.text == "3 hinges"
    assert card.try_next == "correct the exercise or the pattern: back squat was planned, 3 hinges came"
    assert live.view().move.text == "Count as Romanian deadlift"  # though the set may go on
    live.enter(live.move(None))
    assert (live.view().card.title, live.view().moves) == ("Romanian deadlift 100 kg", ())
    live.take(rejected("alone", done[0]))  # it turned out to be none of the set
    live.take(SetClosed(set_of(*done[1:])))
    moved = live.view()
    assert (moved.card.title, moved.exercises[0].exercise) == ("Romanian deadlift 100 kg", "Romanian deadlift")
    assert moved.card.try_next is None or not moved.card.try_next.startswith("correct")
    assert (moved.move.about, moved.move.text) == ("Set 1 counts as Romanian deadlift", "Back to back squat")
    live.enter(live.move(1))
    assert (live.view().exercises[0].title, live.view().move.text) == (
        "back squat 100 kg",
        "Count as Romanian deadlift",
    )
    unsure = counted(live, deep(60, **hinge, confidence=0.6))
    assert live.coach.signals_of(unsure, 1) == (SignalKind.TOO_SHALLOW,)


def test_a_set_without_targets_has_its_card_too():
    live = LiveTraining()
    done = counted(live, *(deep(10 + 5 * i, mean_concentric_velocity_m_s=0.5 - 0.05 * i) for i in range(4)))
    live.take(SetClosed(set_of(*done)))
    card = live.view().card
    assert card.well.startswith("upright") and card.try_next == "a longer rest or less load: 21 % slower at the end"
    assert live.view().cue == card.try_next  # on the terminal too


def test_a_rest_without_a_plan_is_a_plan_and_so_recorded(live):
    free = LiveTraining()
    free.rest_for(90.0)
    assert plan_object(free.coach)["plan"] == {"exercise": [{"rest": 90.0}]}
    assert free.view().rest_target_s == 90.0


def test_the_same_set_of_last_time_stands_beside_it():
    past = PastExercise((LastTime(5, "100 kg", 0.52, 3), LastTime(4, "100 kg", 0.48, 3)), Best(0.5))
    live = LiveTraining(TrainedBefore(exercises={"back squat": past}), plan=plan({**SQUAT, "depth": "best"}))
    assert live.view().last_time.text == "last time 5 × 100 kg, best 0.52 m/s"
    assert live.view().gauge.target == 0.5
    live.take(SetClosed(set_of(*counted(live, deep(10), deep(15)))))
    counted(live, deep(60))
    assert live.view().last_time.repetitions == 4


def test_another_plan_leaves_the_targets_of_earlier_sets():
    live = LiveTraining(plan=plan({"name": "squat", "depth": 45}))
    live.take(SetClosed(set_of(*counted(live, deep(10), deep(15)))))
    live.coach.follow(plan({"name": "hinge", "angle": 60}), 0)
    assert [live.coach.place_of(index).targets.exercise for index in (0, 1, 2)] == ["squat", "hinge", "hinge"]


def test_targets_entered_in_a_rest_hold_from_the_next_set_on_also_before_the_set_is_closed(live):
    done = counted(live, deep(10), deep(15))
    live.take(RestBegan(19.5))
    run = TrainingRun(Mock(), HostClock(), TrainingSettings(100.0, "test", None), live, Mock())
    run.aim_at(targets(**SQUAT | {"load": "110 kg"}))

    def loads():
        return [live.coach.place_of(index).targets.load for index in range(3)]

    changed = ["100 kg", "110 kg", None]
    assert loads() == changed and live.coach.plan_index == 1
    assert live.view().card.title == "back squat 100 kg"
    assert live.view().progress.text == "Next: Back squat 110 kg, set 2 of 2, 3 reps"
    done += counted(live, deep(24))  # the set goes on
    live.rest_for(60.0)
    assert loads() == changed and live.view().progress.text == "Back squat 100 kg, set 1 of 2, rep 3 of 3"
    live.take(SetClosed(set_of(*done)))
    assert loads() == changed and live.view().rest_target_s == 60.0
    counted(live, deep(80))
    live.coach.follow(plan(SQUAT))  # in a set that is not complete: for this set
    assert loads() == ["100 kg"] * 3


@pytest.mark.parametrize(("index", "place"), [(None, ("back squat", 1)), (2, ("Romanian deadlift", 1))])
def test_targets_entered_in_a_rest_hold_although_the_set_before_it_was_none(live, index, place):
    done = counted(live, deep(10), deep(15))
    live.take(RestBegan(19.5))
    live.coach.follow(live.coach.plan, index)
    for one in done:
        live.take(rejected("unlikely as a set", one))
    coming = live.coach.place_of(0)
    assert (coming.targets.exercise, coming.set_number) == place


def test_targets_entered_in_a_rest_hold_after_all_sets_that_the_one_before_it_became():
    coach, done = Coach(plan({"name": "squat"})), [deep(10), deep(15), deep(28), deep(33)]
    for one in done:
        coach.take(RepetitionCounted(one))
    coach.take(RestBegan(37.5))
    coach.follow(plan({"name": "front squat"}))
    for part in (done[:2], done[2:]):
        coach.take(SetClosed(set_of(*part)))
    assert [coach.place_of(index).targets.exercise for index in range(3)] == ["squat", "squat", "front squat"]


def test_the_next_exercise_after_the_last_repetition_leaves_the_complete_set(live):
    counted(live, deep(10), deep(15), deep(20))  # at once, before the rest begins
    TrainingRun(Mock(), HostClock(), TrainingSettings(100.0, "test", None), live, Mock()).next_exercise()
    assert [live.coach.place_of(index).targets.exercise for index in (0, 1)] == ["back squat", "Romanian deadlift"]


# --- signals of a training, and their replay --------------------------------------------------------------------------


def test_the_end_of_a_rest_is_signalled_once_and_not_in_a_set():
    coach = Coach(plan({"rest": 60}))
    done = [deep(10), deep(15)]
    for one in done:
        coach.take(RepetitionCounted(one))
    assert coach.advance(99.0) == []  # the person may be in the middle of a slow repetition
    coach.take(RestBegan(19.5))
    assert coach.advance(79.4) == []
    assert coach.advance(79.5) == [Signal(SignalKind.REST_OVER, 79.5, 0)]
    coach.take(SetClosed(set_of(*done)))
    assert coach.advance(500.0) == []


def test_movements_that_are_no_set_neither_begin_a_rest_nor_end_one():
    coach = Coach(plan({"rest": 60}))

    def sit_down_twice(at_s: float) -> None:
        both = [deep(at_s), deep(at_s + 5)]
        for one in both:
            coach.take(RepetitionCounted(one))
        coach.take(RestBegan(both[-1].end_s))
        for one in both:
            coach.take(rejected("unlikely as a set", one))

    sit_down_twice(10)
    assert coach.advance(200.0) == []
    done = [deep(210), deep(215)]
    for one in done:
        coach.take(RepetitionCounted(one))
    coach.take(RestBegan(done[-1].end_s))
    coach.take(SetClosed(set_of(*done)))
    sit_down_twice(240)
    assert coach.advance(done[-1].end_s + 60) == [Signal(SignalKind.REST_OVER, done[-1].end_s + 60, 0)]
    sit_down_twice(300)
    assert coach.advance(500.0) == []
    *done, put_down = [deep(510), deep(515), deep(522)]
    for one in (*done, put_down):
        coach.take(RepetitionCounted(one))
    coach.take(RestBegan(put_down.end_s))
    coach.take(SetClosed(set_of(*done)))
    coach.take(rejected("alone", put_down))
    assert coach.rest_since_s == put_down.end_s, "the clock of a rest does not jump"


def test_an_entry_stays_with_its_set_when_a_repetition_is_taken_back():
    live = LiveTraining(plan=plan({"name": "romanian deadlift"}))
    done = counted(live, deep(10), deep(15), deep(20), deep(25))
    live.take(SetClosed(set_of(*done)))
    live.enter(live.move(1))
    live.take(RepetitionTakenBack(done[-1]))
    (move,) = live.view().moves
    assert (live.view().exercises[0].exercise, move.text) == ("squat", "Back to romanian deadlift")
    live.enter(live.move(1))
    assert live.view().exercises[0].exercise == "romanian deadlift"


@cache
def heard_training() -> tuple[Message, ...]:
    """Return what a virtual sensor sends in a training: four squats of different depth, a rest, three squats."""
    going = [Exercise("air_squat", 1, hip_drop_m=drop_m, eccentric_s=1.5) for drop_m in (0.5, 0.5, 0.3, 0.5)]
    block = simulate([Rest(3), *going, Rest(16), Exercise("air_squat", 3), Rest(8)], Lifter(), Sensor.ideal(), 1).block
    kind = next(one for one in KINDS if one.name == "reference")
    twin = TWINS["reference"](block, 1)
    return tuple(carry(kind.driver(100.0), twin, float(block.device_time_s[-1])).messages)


def recorded(
    path: Path, followed: Coach, enter_at_s: float = math.inf, in_first_rest: Plan | None = None
) -> list[Signal]:
    """Record a training, with a plan or without one; return the signals that it gave while it ran.

    At a time of the session, the person adds a repetition to the set going on or to the last one, and enters a load.
    As soon as the first rest begins, the person changes the plan.
    """
    messages = heard_training()
    header = RecordingHeader("reference", "Hip", "F0:00", messages[0].received_ns, "0.1.0", 100.0)
    recorder = TrainingRecorder.create(path, header, gather_s=0.0)  # many chunks, however fast this runs
    recorder.write_event(header.started_ns, plan_object(followed))
    training = Training(read_training(path).driver(), SessionParameters())
    signals: list[Signal] = []
    for message in messages:
        recorder.write(message)
        given = [signal for event in training.take(message).events for signal in followed.take(event)]
        for signal in [*given, *followed.advance(training.now_s)]:
            recorder.write_event(message.received_ns, signal_object(signal))
            signals.append(signal)
        if in_first_rest is not None and followed.rest_since_s is not None:
            followed.follow(in_first_rest)
            recorder.write_event(message.received_ns + 1, plan_object(followed))
            in_first_rest = None
        if training.now_s >= enter_at_s:
            enter_at_s, one = math.inf, followed.sets[-1]
            for entry in (recount_event(one, 1), exercise_event(one, targets(name="front squat", load="225 lb"))):
                recorder.write_event(message.received_ns + 1, entry)
                signals += followed.enter(entry)
    recorder.close()
    return signals


SQUATS_AND_BEST = plan(
    {"name": "squat", "depth": 45, "reps": 4, "sets": 1, "rest": 8, "tempo": "1-0-X"},
    {"name": "squat", "depth": "best"},
)


@pytest.fixture(scope="module")
def with_signals(tmp_path_factory) -> tuple[Path, list[Signal]]:
    """Return a recording with a plan, and the signals that were given while it was made."""
    path = tmp_path_factory.mktemp("signals") / "whole.mcap"
    return path, recorded(path, Coach(SQUATS_AND_BEST, {"squat": Best(0.45, 1.0)}))


def test_a_recording_replays_to_the_same_signals(with_signals):
    path, given = with_signals
    first = [signal.kind for signal in given if signal.count in (1, 2, 3)][:3]
    assert first == [SignalKind.GOOD, SignalKind.GOOD, SignalKind.TOO_SHALLOW]
    assert next(signal.kind for signal in given if signal.count == 4) is SignalKind.SET_COMPLETE
    assert [signal.kind for signal in given].count(SignalKind.REST_OVER) == 1
    assert replay_signals(path) == given
    recording = read_training(path)
    assert recorded_plan(recording) == SQUATS_AND_BEST
    coach = recorded_coach(path)
    assert [coach.place_of(index).targets.exercise for index in range(len(coach.sets))] == ["squat"] * 2
    assert [one.event for one in recording.events() if one.event["event"] == "signal"] == [
        signal_object(signal) for signal in given
    ]


def test_targets_entered_as_a_rest_begins_are_replayed_and_stored_from_the_next_set_on(tmp_path, monkeypatch):
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "home"))
    path = tmp_path / "whole.mcap"
    followed = Coach(plan({"name": "squat", "load": "225 lb", "rest": 8}))
    heavier = plan({"name": "squat", "load": "245 lb", "rest": 9})
    assert recorded(path, followed, in_first_rest=heavier) == replay_signals(path)
    with SessionStore.open(store_path()) as store:
        number = keep_replay(replay(str(path), ReplayOptions(hashed=True)), store, "test")
        sets = store.load(number).corrected.sets
    assert [round(one.load_kg / KG_PER_LB) for one in sets] == [225, 245]
    assert [followed.place_of(index).targets.load for index in range(2)] == ["225 lb", "245 lb"]


def test_a_recording_cut_anywhere_replays_to_the_signals_until_there(tmp_path, with_signals):
    path, given = with_signals
    data = path.read_bytes()
    lengths = []
    for share in (0.3, 0.5):
        cut = tmp_path / "cut.mcap"
        cut.write_bytes(data[: int(share * len(data))])
        replayed = replay_signals(cut)
        assert replayed[:-1] == given[: len(replayed) - 1]  # the last one may come from the end of what is left
        lengths.append(len(replayed))
    assert 0 < lengths[0] < lengths[1] <= len(given)


@pytest.fixture(scope="module")
def without_plan(tmp_path_factory) -> tuple[Path, Coach, list[Signal]]:
    """Return a recording without a plan but with entries, its coach, and the signals that were given."""
    path, followed = tmp_path_factory.mktemp("plain") / "whole.mcap", Coach()
    return path, followed, recorded(path, followed, enter_at_s=28.0)


def test_entries_before_a_kill_are_replayed_and_stored_once(tmp_path, monkeypatch, without_plan):
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "home"))
    path, followed, _ = without_plan
    cut = tmp_path / "cut.mcap"
    data = path.read_bytes()
    cut.write_bytes(data[: int(0.93 * len(data))])
    coach = recorded_coach(cut)
    assert coach.entries.recounts == followed.entries.recounts
    assert coach.entries.exercises == followed.entries.exercises
    replayed = replay(str(cut), ReplayOptions(hashed=True))
    with SessionStore.open(store_path()) as store:
        number = keep_replay(replayed, store, "test")
        assert keep_replay(replayed, store, "test") == number
    with SessionStore.open(store_path()) as store:
        one = store.load(number).corrected.sets[0]
    assert (len(one.repetitions), one.exercise, one.load_in_lb) == (5, "front squat", True)
    assert one.load_kg == pytest.approx(225 * KG_PER_LB)


def test_a_repetition_that_was_missed_completes_the_set_by_hand():
    coach, done = Coach(plan({"reps": 3})), [deep(10), deep(15)]
    for one in done:
        assert coach.take(RepetitionCounted(one)) == []
    entry = recount_event(set_of(*done), 1)
    assert coach.enter(entry) == [Signal(SignalKind.SET_COMPLETE, 19.5, 2)]
    assert coach.take(RepetitionCounted(deep(20))) == []  # the fourth by the person's count
    assert coach.entries.more_in([*done, deep(20)]) == 1


def test_a_recording_without_a_plan_has_no_signals(without_plan):
    path, _, given = without_plan
    assert given == replay_signals(path) == []
    assert recorded_plan(read_training(path)) is None


def recounted(number, set_s, more):
    correct_by_hand(number, {"event": "recount", "set_s": set_s, "more": more})
    with SessionStore.open(store_path()) as store:
        return sum(len(one.repetitions) for one in store.load(number).corrected.sets)


# --- after a training -------------------------------------------------------------------------------------------------


def test_a_session_is_described_by_volume_and_records_and_its_count_is_corrected(tmp_path, monkeypatch):
    monkeypatch.setenv("IMU_HOME", str(tmp_path))
    trained = summary([SQUATTED] * 4)  # from 0 s on
    expected = {1: "Back squat: 320 kg lifted", 2: "Back squat: 400 kg lifted, your heaviest, your largest volume"}
    for number, load_kg in ((1, 80.0), (2, 100.0)):
        planned = PlannedSet(trained.sets[0].repetitions[2].bottom_s, "back squat", load_kg)
        with SessionStore.open(store_path()) as store:
            keep(store, trained, number, NOW + timedelta(days=number), planned=(planned,))
        assert achieved(number) == (expected[number],)
    assert [recounted(2, 0.0, 1), recounted(2, 0.0, 1)] == [5, 6]
    assert achieved(2)[0].startswith("Back squat: 600 kg")
    done = SimpleNamespace(recording=None, summary=trained)
    pages = []
    for stored in (2, None):
        console = Console(file=StringIO(), width=200)
        console.print(page_at_the_end(done, stored))
        pages.append(console.file.getvalue())
    assert "  6 squats" in pages[0]  # with what the person added, as the screen said it
    assert "back squat, 100 kg" in pages[0]
    assert "  4 squats" in pages[1] and "back squat" not in pages[1]
    assert [recounted(2, 0.0, -1) for _ in range(3)] == [5, 4, 3]
    assert recounted(2, 500.0, -1) == 3  # no set begins there


def test_entries_find_a_set_that_lost_its_last_repetitions(tmp_path, monkeypatch, live):
    monkeypatch.setenv("IMU_HOME", str(tmp_path))
    trained = summary([SQUATTED] * 3)
    live.take(SetClosed(trained.sets[0]))
    with SessionStore.open(store_path()) as store:
        keep(store, trained)

    def stored(entry):
        live.enter(entry)
        correct_by_hand(1, entry)
        with SessionStore.open(store_path()) as store:
            (one,) = store.load(1).corrected.sets
        return len(one.repetitions), one.exercise

    assert [stored(live.recount(1, -1, goes_on=False))[0] for _ in range(2)] == [2, 1]
    assert stored(live.exercise(1, targets(name="deadlift"))) == (1, "deadlift")
    assert stored(live.recount(1, 1, goes_on=False)) == (2, "deadlift")
    coach, pair = Coach(), summary([SQUATTED] * 2).sets[0]
    coach.take(SetClosed(pair))
    coach.enter(exercise_event(pair, targets(name="deadlift")))
    coach.take(RepetitionTakenBack(pair.repetitions[1]))
    assert coach.entries.exercise_of(coach.sets[0]).exercise == "deadlift"


def test_many_missed_repetitions_stay_in_their_set(tmp_path, monkeypatch):
    monkeypatch.setenv("IMU_HOME", str(tmp_path))
    with SessionStore.open(store_path()) as store:
        keep(store, summary([SQUATTED] * 4, [SQUATTED] * 3))  # the second set begins at 100 s
    with SessionStore.open(store_path()) as store:
        for _ in range(2):
            store.correct_all(1, memory._recounts(store.load(1).corrected, {0.0: 30}), made_at=NOW)
        assert [len(one.repetitions) for one in store.load(1).corrected.sets] == [64, 3]


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ({"event": "recount", "set_s": 0.0, "more": 10**9}, "corrected by one"),
        ({"event": "recount", "set_s": math.inf, "more": 1}, "a set has a time"),
        ({"event": "entry", "set_s": math.nan, "exercise": {"name": "x"}}, "a set has a time"),
    ],
)
def test_a_damaged_entry_of_a_recording_is_refused(event, sentence):
    with pytest.raises(ValueError, match=sentence):
        Coach().enter(event)


def test_a_virtual_sensor_that_cannot_be_simulated_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr(radios, "_SIMULATION", "raise SystemExit('no memory is left')")
    with pytest.raises(SensorNotFound, match="no memory is left"):
        radios._simulated_signal(5.0, None)
