"""Exercises: their names, what adds up for each, and the one-repetition maximum on lifters whose maximum is known."""

import json
from dataclasses import replace
from datetime import timedelta
from time import process_time

import numpy as np
import pytest
from builders import HINGE, NOW, SQUAT, USUAL, content_hash, keep, repetition
from typer.testing import CliRunner

from imu.app.cli import app
from imu.app.fit_file import exercise_of
from imu.motion.pattern import Pattern
from imu.report.exercises import (
    MAXIMUM_SPEED_M_S,
    epley_kg,
    exercise_histories,
    histories_of,
    maximum_from_profile,
    maximum_from_repetitions,
)
from imu.session import TrainingSet
from imu.store import EnterLoad, ExerciseSet, NameExercise, PlannedSet, SessionStore
from imu.store.corrections import KG_PER_LB
from imu.store.exercises import KNOWN, completions, key_of, known_exercise, usual_name
from imu.store.home import store_path

# --- Names -----------------------------------------------------------------------------------------------------------


def test_about_forty_squats_and_hinges_are_known_and_no_name_stands_for_two():
    names = [key_of(name) for one in KNOWN for name in (one.name, *one.other_names)]
    assert len(names) == len(set(names))
    assert 35 <= len(KNOWN) <= 50
    assert {one.pattern for one in KNOWN} == {SQUAT, HINGE}


@pytest.mark.parametrize("written", ["Back Squats", "back-squat", " BARBELL  squat", "back squat"])
def test_ways_to_write_a_known_name_are_one_exercise(written):
    assert usual_name(written) == "back squat"


def test_an_own_name_is_kept_as_it_is_written():
    assert usual_name("Oma's  Kniebeuge") == "Oma's Kniebeuge"
    assert known_exercise("press") is None


def test_completion_offers_own_names_first_and_then_names_that_hold_the_text():
    assert completions("go", ("Goat squat",)) == ("Goat squat", "goblet squat", "good morning", "band good morning")
    assert "Romanian deadlift" in completions("dead")


def test_each_known_exercise_has_its_place_in_fit():
    fit = pytest.importorskip("fit_tool.profile.profile_type")
    for one in KNOWN:
        category, exercise = exercise_of(one.pattern, one.name)
        assert category is fit.ExerciseCategory[one.fit_category]
        assert (None if exercise is None else exercise.name) == one.fit_name


# --- What adds up ----------------------------------------------------------------------------------------------------


def a_set(load_kg, repetitions, speed_m_s=None, *, day=0, session=None, exercise="back squat", pattern=SQUAT):
    squats = repetitions if pattern is SQUAT else 0
    trained_at = NOW + timedelta(days=day)
    session = day + 1 if session is None else session
    return ExerciseSet(
        *(session, 1, trained_at, exercise, load_kg, False, repetitions, squats, repetitions - squats, speed_m_s)
    )


def test_history_volume_and_records_have_their_dates():
    sets = [a_set(80.0, 8, 0.6), a_set(100.0, 5, 0.5), a_set(100.0, 6, 0.45, day=7), a_set(None, 10, day=7)]
    (history,) = histories_of([*sets[:2], *sets[2:]])
    assert [one.volume_kg for one in history.sessions] == [1140.0, 600.0]
    assert history.largest_session.trained_at == NOW
    assert (history.heaviest.load_kg, history.heaviest.repetitions, history.heaviest.trained_at) == (
        *(100.0, 6),
        NOW + timedelta(days=7),
    )
    best = history.at_loads[0]
    assert (best.load_kg, best.most.repetitions, best.fastest.trained_at) == (100.0, 6, NOW)
    assert history.maximum.load_kg == pytest.approx(120.0)


def test_a_speed_is_a_record_only_if_it_is_higher_by_more_than_the_error_of_a_speed():
    first, other_load = a_set(100.0, 5, 0.571), a_set(80.0, 5, 0.9)
    same, faster = a_set(100.0, 5, 0.62, day=1), a_set(100.0, 5, 0.63, day=2)

    def at_100_kg(*sets):
        (history,) = histories_of(sets)
        return history.at_loads[0]

    assert (at_100_kg(other_load, first, same).record, at_100_kg(other_load, first, same).fastest) == (first, same)
    assert at_100_kg(other_load, first, same, faster).record == faster


def test_an_own_exercise_gets_the_pattern_of_most_of_its_repetitions():
    (history,) = histories_of([a_set(20.0, 5, exercise="X", pattern=HINGE), a_set(20.0, 4, exercise="x")])
    assert (history.pattern, history.known) == (Pattern.HINGE, False)


def test_the_store_adds_up_planned_and_entered_sets_as_they_count(tmp_path):
    with SessionStore.open(tmp_path / "sessions.db") as store:
        number = keep(store, planned=[PlannedSet(1.0, "Back squats", 100.0), PlannedSet(100.5, "deadlift", 140.0)])
        keep(store, number=2)
        store.correct(number, EnterLoad(1.0, 225 * KG_PER_LB, load_in_lb=True), made_at=NOW)
        store.correct(2, NameExercise(1.0, "back squat"), made_at=NOW)
        squat, hinge = sorted(exercise_histories(store), key=lambda one: one.name)
    assert (squat.name, len(squat.sessions), squat.heaviest.load_in_lb) == ("back squat", 2, True)
    assert squat.sessions[0].volume_kg == pytest.approx(5 * 225 * KG_PER_LB)
    assert (hinge.name, hinge.pattern, hinge.sets[0].load_kg) == ("deadlift", HINGE, 140.0)


# --- One-repetition maximum ------------------------------------------------------------------------------------------


def test_epley_gives_a_lifter_back_whose_repetitions_follow_it():
    for repetitions in range(2, 13):
        assert epley_kg(150.0 / (1 + repetitions / 30), repetitions) == pytest.approx(150.0)
    assert epley_kg(150.0, 1) == 150.0


def test_epley_misses_a_lifter_of_brzyckis_law_by_at_most_4_percent():
    errors = [epley_kg(150.0 * (37 - r) / 36, r) / 150.0 - 1 for r in range(2, 13)]
    assert max(map(abs, errors)) < 0.04


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        ([a_set(60.0, 13)], "more than 12 repetitions"),
        ([a_set(None, 5)], "No set has a load"),
        ([], "No set"),
        ([a_set(24.0, 10, exercise="KB swing", pattern=HINGE)], "A swing or throw has no"),
    ],
)
def test_the_maximum_from_repetitions_is_refused_where_the_formula_does_not_hold(sets, sentence):
    found = maximum_from_repetitions(sets)
    assert found.load_kg is None
    assert sentence in found.refused


def lifter_speeds(rng, maximum_kg, shares, *, speed_error_m_s=0.05, maximum_speed_m_s=None):
    """The fastest speed that is measured at shares of a known maximum, on a straight profile."""
    last_m_s = rng.normal(0.24, 0.06) if maximum_speed_m_s is None else maximum_speed_m_s
    unloaded_m_s = last_m_s + rng.uniform(0.9, 1.2)
    return {
        round(share * maximum_kg, 1): unloaded_m_s + share * (last_m_s - unloaded_m_s) + rng.normal(0, speed_error_m_s)
        for share in shares
    }


def test_the_profile_gives_a_lifter_without_noise_back():
    rng = np.random.default_rng(1)
    speeds = lifter_speeds(rng, 140.0, (0.4, 0.6, 0.7, 0.85), speed_error_m_s=0.0, maximum_speed_m_s=MAXIMUM_SPEED_M_S)
    assert maximum_from_profile(SQUAT, speeds).load_kg == pytest.approx(140.0)


def test_the_error_of_the_profile_is_that_on_lifters_with_a_known_maximum():
    """Over 400 lifters whose speed at the maximum differs by 0.06 m/s, and with 0.05 m/s of error at each load."""
    rng = np.random.default_rng(2)
    relative, in_errors = [], []
    for _ in range(400):
        maximum_kg = rng.uniform(80, 200)
        found = maximum_from_profile(SQUAT, lifter_speeds(rng, maximum_kg, (0.4, 0.55, 0.7, 0.8, 0.9)))
        if found.load_kg is not None:
            relative.append(found.load_kg / maximum_kg - 1)
            in_errors.append((found.load_kg - maximum_kg) / found.error_kg)
    assert len(relative) >= 380
    assert abs(np.median(relative)) < 0.02
    assert np.sqrt(np.mean(np.square(relative))) < 0.10
    assert 0.6 < np.mean(np.abs(in_errors) < 1) < 0.85
    assert np.mean(np.abs(in_errors) < 2) > 0.93


@pytest.mark.parametrize(
    ("pattern", "speeds", "sentence"),
    [
        (HINGE, {60: 0.9, 80: 0.7, 100: 0.5, 120: 0.35}, "Only squats"),
        (SQUAT, {60: 0.9, 80: 0.7, 100: 0.5}, "4 different loads"),
        (SQUAT, {60: 0.50, 80: 0.48, 100: 0.45, 120: 0.41}, "lie within 0.15 m/s"),
        (SQUAT, {60: 0.4, 80: 0.5, 100: 0.6, 120: 0.7}, "does not fall"),
        (SQUAT, {60: 0.7, 80: 0.4, 100: 0.7, 120: 0.4}, "not lie on a line"),
        (SQUAT, {20: 1.1, 25: 1.05, 30: 1.0, 35: 0.94}, "too far from a maximum"),
        (SQUAT, {60: 0.5, 60.1: 0.5, 60.2: 0.5, 60.3: 0.5}, "lie within"),
    ],
)
def test_the_profile_is_refused_with_a_sentence_where_it_means_nothing(pattern, speeds, sentence):
    found = maximum_from_profile(pattern, speeds)
    assert (found.load_kg, found.error_kg) == (None, None)
    assert sentence in found.refused


def test_loads_of_long_ago_are_not_in_the_profile():
    old = [a_set(load, 3, speed) for load, speed in ((60.0, 0.9), (80.0, 0.7))]
    new = [a_set(load, 3, speed, day=60) for load, speed in ((100.0, 0.5), (120.0, 0.35))]
    (history,) = histories_of([*old, *new])
    assert history.profile.loads == 2


# --- The commands ----------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "home"))

    def measured(load_kg, number):
        speed_m_s = 1.3 - load_kg / 140.0 * (1.3 - MAXIMUM_SPEED_M_S)
        reps = [
            replace(repetition(SQUAT, 100.0 * number + 3.0 * i), mean_concentric_velocity_m_s=speed_m_s - 0.02 * i)
            for i in range(3)
        ]
        return TrainingSet(tuple(reps))

    loads = (60.0, 80.0, 100.0, 120.0)
    sets = tuple(measured(load_kg, number) for number, load_kg in enumerate(loads))
    planned = [PlannedSet(100.0 * i + 1, "back squat", load_kg) for i, load_kg in enumerate(loads)]
    with SessionStore.open(store_path()) as store:
        keep(store, replace(USUAL, sets=sets), planned=planned)
    return CliRunner()


def run(runner, *arguments):
    done = runner.invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def test_imu_exercises_lists_them_and_review_shows_one(kept):
    assert "back squat" in run(kept, "exercises")
    one = CliRunner().invoke(app, ["exercises", "back"])
    assert (one.exit_code, 'imu review --exercise "back"' in one.output) == (2, True)
    shown = run(kept, "review", "--exercise", "Back Squats")
    for words in ("Heaviest      120 kg × 3, 10 Mar", "132 kg, from 120 kg × 3, 10 Mar", "140 ± ", "1\u202f080 kg"):
        assert words in shown
    (found,) = [json.loads(line) for line in run(kept, "exercises", "--json").splitlines()]
    assert found == json.loads(run(kept, "review", "--exercise", "back squat", "--json"))
    assert (found["volume_kg"], found["one_repetition_maximum"]["epley"]["load_kg"]) == (1080.0, 132.0)
    assert found["one_repetition_maximum"]["load_velocity"]["load_kg"] == pytest.approx(140.0)


def test_an_exercise_that_no_set_has_is_refused_with_those_there_are(kept):
    refused = kept.invoke(app, ["review", "--exercise", "curl"])
    assert refused.exit_code == 2
    assert "back squat" in refused.output


def test_a_set_is_named_and_loaded_later_in_pounds(kept):
    shown = run(kept, "correct", "1", "--exercise", "2", "front squat", "--load", "2", "225 lb")
    assert "set 2 with 225 lb" in shown and "front squat, 102.06 kg" in shown, "the other loads are in kg"
    (one,) = [json.loads(line) for line in run(kept, "review", "--json").splitlines()]
    assert one["sets"][1]["planned"] == {"exercise": "back squat", "load_kg": 80.0}
    assert (one["sets"][1]["load_kg"], one["sets"][1]["load_unit"]) == (102.058, "lb")


def test_loads_are_shown_in_the_unit_of_most_of_them_until_one_is_chosen(tmp_path):
    pounds = [EnterLoad(time_s, 225 * KG_PER_LB, load_in_lb=True) for time_s in (1.0, 101.0)]
    with SessionStore.open(tmp_path / "sessions.db") as store:
        shown = [store.loads_in_lb()]
        for day, change in enumerate((pounds[:1], [EnterLoad(1.0, 100.0)], pounds, pounds[:1] * 2)):
            store.correct_all(keep(store, number=day, saved_at=NOW + timedelta(days=day)), change, made_at=NOW)
            shown.append(store.loads_in_lb())
        assert shown == [False, True, True, True, True], "of as many, the first one decides"
        store.show_loads_in_lb(in_lb=False)
        assert not store.loads_in_lb()
    with SessionStore.open(tmp_path / "another.db") as store:
        for day, change in enumerate(([EnterLoad(1.0, 100.0), EnterLoad(101.0, 60.0)], pounds[:1])):
            store.correct_all(keep(store, number=day, saved_at=NOW + timedelta(days=day)), change, made_at=NOW)
        assert not store.loads_in_lb(), "one odd load changes no page"


def test_many_sessions_are_added_up_quickly(tmp_path):
    with SessionStore.open(tmp_path / "sessions.db") as store:
        store._connection.execute("PRAGMA synchronous = OFF")
        for number in range(250):
            store.save(
                *(USUAL, "x", content_hash(number)),
                saved_at=NOW + timedelta(days=number),
                software_version="1",
                planned=[PlannedSet(1.0, "back squat", 60.0 + number % 50), PlannedSet(100.5, "deadlift", 100.0)],
            )
        began = process_time()
        assert len(exercise_histories(store)) == 2
        assert process_time() - began < 0.25
