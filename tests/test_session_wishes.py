"""The person's commands in a session: end a set, take back, keep a lone repetition, pause."""

from __future__ import annotations

import itertools
from functools import cache
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imu.bluetooth import HostClock
from imu.live.live_training import LiveTraining
from imu.live.memory import _corrections_of
from imu.live.training_run import TrainingRun, TrainingSettings
from imu.samples import ImuBlock
from imu.sensors.conversation import Reply
from imu.session import RepetitionTakenBack, Session, SessionParameters, SessionSummary, SetClosed
from imu.store import AddRepetition, apply_corrections
from imu.training import PersonCommand, Training
from imu.virtual.person import Exercise, Lifter, Rest, Sensor, simulate

WISHES = ("end_set", "take_back", "add_by_hand", "remove_by_hand", "keep_alone", "pause", "resume")


@cache
def squats(repetitions: int = 5) -> ImuBlock:
    return simulate(
        [Rest(3), Exercise("air_squat", repetitions), Rest(3)], Lifter(), Sensor.ideal(sampling_rate_hz=100), 1
    ).block


def run(block: ImuBlock, wishes: dict[float, str], rows: int = 20) -> tuple[Session, SessionSummary]:
    """Push a block in pieces; ask for something once its time has come."""
    session, waiting = Session(), sorted(wishes.items())
    for start in range(0, len(block), rows):
        while waiting and session.now_s >= waiting[0][0]:
            getattr(session, waiting.pop(0)[1])()
        session.push(block[start : start + rows])
    for _, wish in waiting:
        getattr(session, wish)()
    return session, session.finish()[1]


def sizes(summary: SessionSummary) -> list[int]:
    return [len(one_set.repetitions) for one_set in summary.sets]


@pytest.fixture(scope="module")
def ends() -> list[float]:
    return [repetition.end_s for repetition in run(squats(), {})[1].sets[0].repetitions]


def test_undisturbed_it_is_one_set(ends: list[float]) -> None:
    assert len(ends) == 5


def test_ending_a_set_begins_another(ends: list[float]) -> None:
    _, summary = run(squats(), {ends[1] + 0.3: "end_set"})
    assert sizes(summary) == [2, 3]


def test_taking_back_leaves_the_others(ends: list[float]) -> None:
    _, summary = run(squats(), {ends[1] + 0.3: "take_back"})
    assert sizes(summary) == [4]
    (taken,) = [movement for movement in summary.rejected if movement.reason == "taken back by the person"]
    assert taken.repetition is not None
    assert taken.repetition.end_s == ends[1]


def test_taking_back_reaches_into_a_set_that_is_closed(ends: list[float]) -> None:
    session = Session()
    session.push(squats())
    session.end_set()
    (event,) = session.take_back()
    assert isinstance(event, RepetitionTakenBack)
    assert event.repetition.end_s == ends[-1]
    for _ in range(4):
        assert session.take_back()
    assert session.take_back() == []
    assert session.finish()[1].sets == ()


def test_a_lone_repetition_can_be_kept() -> None:
    session = Session()
    session.push(squats(1))
    session.end_set()
    (event,) = session.keep_alone()
    assert isinstance(event, SetClosed)
    assert session.keep_alone() == []
    summary = session.finish()[1]
    assert sizes(summary) == [1]
    assert not any(movement.reason == "alone" for movement in summary.rejected)


def test_repetitions_that_are_unlikely_as_a_set_are_kept_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imu.motion.sets.LEAST_MEAN_LOG_ODDS", 99.0)
    _, apart = run(squats(), {})
    assert (sizes(apart), [movement.reason for movement in apart.rejected]) == ([], ["unlikely as a set"] * 5)
    session = Session()
    session.push(squats())
    session._close_set([])
    (event,) = session.keep_alone()
    assert isinstance(event, SetClosed)
    assert session.keep_alone() == []
    summary = session.finish()[1]
    assert (sizes(summary), summary.rejected) == ([5], ())


def test_an_unlikely_set_makes_no_sets_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imu.motion.sets.LEAST_MEAN_LOG_ODDS", 99.0)
    session = Session(SessionParameters(least_repetitions=1))
    session.push(squats())
    summary = session.finish()[1]
    assert (sizes(summary), [movement.reason for movement in summary.rejected]) == ([], ["unlikely as a set"] * 5)


@pytest.mark.parametrize("repetitions", [1, 5])
@pytest.mark.parametrize("set_number", [None, 1])
def test_a_set_to_which_a_person_adds_a_repetition_counts_with_it(
    repetitions: int, set_number: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imu.motion.sets.LEAST_MEAN_LOG_ODDS", 99.0)
    live, training = LiveTraining(), Training(Mock(finish=Reply))
    run = TrainingRun(Mock(), HostClock(), TrainingSettings(100.0, "test", None), live, Mock())
    run._training = training
    for event in training._session.push(squats(repetitions)):
        live.take(event)
    run.recount(set_number, 1)
    _, summary = training.finish()
    assert sizes(summary) == [repetitions]
    (added,) = _corrections_of(live.coach.entries, apply_corrections(summary, ()))
    assert isinstance(added, AddRepetition)


@pytest.mark.parametrize("how", ["undo", "recount"])
def test_a_set_whose_added_repetition_is_removed_again_is_the_sensor_s(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imu.motion.sets.LEAST_MEAN_LOG_ODDS", 99.0)
    live, training = LiveTraining(), Training(Mock(finish=Reply))
    run = TrainingRun(Mock(), HostClock(), TrainingSettings(100.0, "test", None), live, Mock())
    run._training = training
    for event in training._session.push(squats()):
        live.take(event)
    run.recount(None, 1)
    run.recount(None, 1)
    for _ in range(2):
        run.ask(PersonCommand.TAKE_BACK) if how == "undo" else run.recount(None, -1)
    _, summary = training.finish()
    assert (sizes(summary), {movement.reason for movement in summary.rejected}) == ([], {"unlikely as a set"})


def test_the_repetition_added_by_hand_belongs_to_the_set_and_not_to_a_strange_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "imu.session.split_into_sets", lambda all_of_them, _: [tuple(all_of_them[:1]), tuple(all_of_them[1:])]
    )
    live, session = LiveTraining(), Session()
    for event in session.push(squats()):
        live.take(event)
    session.add_by_hand()
    live.enter(live.recount(None, 1) or {})
    summary = session.finish()[1]
    assert (sizes(summary), len(_corrections_of(live.coach.entries, apply_corrections(summary, ())))) == ([4], 1)


def test_a_set_that_the_person_ends_is_one(ends: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imu.motion.sets.LEAST_MEAN_LOG_ODDS", 99.0)
    assert sizes(run(squats(), {ends[-1] + 0.5: "end_set"})[1]) == [5]


def test_nothing_is_counted_in_a_pause_nor_what_began_in_it(ends: list[float]) -> None:
    middle_of_third = ends[2] - 0.7
    _, summary = run(squats(), {ends[0] + 0.3: "pause", middle_of_third: "resume"})
    assert [movement.reason for movement in summary.rejected].count("made in a pause") == 2
    counted = [repetition.start_s for each in summary.sets for repetition in each.repetitions]
    assert [start_s > ends[2] for start_s in counted] == [False, True, True], "8 s without a repetition split no set"


@given(
    wishes=st.dictionaries(st.floats(0, 25), st.sampled_from(WISHES), max_size=6),
    rows=st.sampled_from([20, 100]),
)
def test_every_repetition_stays_somewhere_and_order_holds(wishes: dict[float, str], rows: int) -> None:
    _, summary = run(squats(), wishes, rows)
    reasons = ("alone", "made in a pause", "taken back by the person")
    kept = sum(sizes(summary)) + sum(movement.reason in reasons for movement in summary.rejected)
    assert kept == 5
    starts = [one.start_s for each in summary.sets for one in each.repetitions]
    assert starts == sorted(starts)
    assert all(one.end_s <= other.start_s for one, other in itertools.pairwise(summary.sets))


def test_the_hip_goes_down_and_up_before_anything_is_counted(ends: list[float]) -> None:
    session, block = Session(), squats()
    assert session.posture is None
    drops = []
    for start in range(0, len(block), 10):
        session.push(block[start : start + 10])
        if session.posture is not None and session.now_s < ends[0] + 0.5:
            drops.append(session.posture.hip_drop_m)
    assert 0.25 < max(drops) < 0.8
    assert drops[-1] < 0.05
