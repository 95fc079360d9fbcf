"""Learning from corrections: bounded, shown, reset, a help to the person on sessions left out, no harm to others."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from builders import (
    HINGE,
    SQUAT,
    contents,
    corrections_of,
    judged,
    keep,
    mistakes,
    query,
    repetition,
    session_of,
    sessions_of,
    teach,
)
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from imu.app.cli import app
from imu.motion.judge import JudgeParameters
from imu.motion.pattern import Pattern
from imu.motion.personal import LARGEST_SHIFT, PersonalShift, Witness, likeliest_shift
from imu.motion.repetitions import RejectedMovement
from imu.recordings.training_reader import read_training
from imu.report.replay import Replayed, ReplayOptions, replay
from imu.session import ALONE, TAKEN_BACK, SessionSummary
from imu.store import (
    AddRepetition,
    ChangePattern,
    DeleteRepetition,
    EnterLoad,
    Scope,
    SessionStore,
    apply_corrections,
)
from imu.store.learning import Lesson, learn, lesson_of

RECORDINGS = Path(__file__).parents[1] / "recordings"
NOW = datetime(2026, 3, 10, 18, 30, tzinfo=UTC)

# --- the likeliest shift

log_odds = st.floats(-20, 20)
witnesses = st.lists(st.builds(Witness, log_odds, st.booleans(), st.floats(0.05, 1.0)), max_size=12)


@given(witnesses)
def test_a_shift_stays_within_its_bounds_and_is_the_likeliest(heard: list[Witness]) -> None:
    shift = likeliest_shift(heard)
    assert abs(shift) <= LARGEST_SHIFT

    def log_posterior(at: float) -> float:
        odds = [(one.log_odds + at) * (1 if one.answer else -1) for one in heard]
        return (
            math.fsum(-one.weight * math.log1p(math.exp(-value)) for one, value in zip(heard, odds, strict=True))
            - 0.5 * (at / 1.5) ** 2
        )

    best = max((log_posterior(at), at) for at in [LARGEST_SHIFT * (step / 100 - 1) for step in range(201)])
    assert log_posterior(shift) >= best[0] - 1e-3


def test_without_answers_and_with_confirmed_ones_nothing_is_shifted() -> None:
    assert likeliest_shift([]) == 0.0
    assert abs(likeliest_shift([Witness(6.0, answer=True), Witness(-6.0, answer=False)] * 20)) < 0.1


@given(witnesses, log_odds)
def test_one_more_answer_pulls_its_own_way(heard: list[Witness], odds: float) -> None:
    shift = likeliest_shift(heard)
    assert likeliest_shift([*heard, Witness(odds, answer=True)]) >= shift - 0.01
    assert likeliest_shift([*heard, Witness(odds, answer=False)]) <= shift + 0.01


@pytest.mark.parametrize("shift", [LARGEST_SHIFT + 0.01, -9.0, math.nan, math.inf])
def test_a_shift_out_of_bounds_cannot_exist(shift: float) -> None:
    with pytest.raises(ValueError, match="at most"):
        PersonalShift(hinge=shift)


# --- what a corrected session says


def test_corrected_and_uncorrected_movements_are_both_answers() -> None:
    ghost = RejectedMovement(900.0, 903.0, "too small", counting_log_odds=-3.0)
    found = RejectedMovement(910.0, 913.0, "too small", counting_log_odds=-1.5)
    lone = repetition(SQUAT, 920.0)
    alone = RejectedMovement(lone.start_s, lone.end_s, ALONE, lone, 3.0)
    back = RejectedMovement(930.0, 933.0, TAKEN_BACK, repetition(SQUAT, 930.0), 1.0)
    unasked = RejectedMovement(940.0, 943.0, "stood up from lower than standing")
    measured = session_of(3, 4, rejected=(ghost, found, alone, back, unasked))
    first = measured.sets[0].repetitions
    lesson = lesson_of(
        apply_corrections(
            measured,
            [
                DeleteRepetition(first[0].bottom_s),
                ChangePattern(first[1].bottom_s, SQUAT),
                AddRepetition(910.0, 913.0, HINGE),
            ],
        )
    )
    assert sorted((movement.log_odds, movement.answer) for movement in lesson.movements) == [
        (-3.0, False),
        (-1.5, True),
        (1.0, False),
        (4.0, False),
        *[(4.0, True)] * 6,
    ]
    assert [one_set.patterns for one_set in lesson.sets] == [(SQUAT, HINGE), (HINGE,) * 4]


def lessons(*sessions: tuple[SessionSummary, Pattern]) -> list[Lesson]:
    """The shift that is learned where every set of a session is corrected to a pattern."""
    return [
        lesson_of(
            apply_corrections(
                measured,
                [ChangePattern(one_set.repetitions[0].bottom_s, pattern, Scope.SET) for one_set in measured.sets],
            )
        )
        for measured, pattern in sessions
    ]


def test_a_habit_is_learned_and_one_set_alone_teaches_nothing() -> None:
    assert learn([]).shift == PersonalShift()
    assert learn(lessons((session_of(5), SQUAT))).shift == PersonalShift()
    habit = learn(lessons((session_of(5, 5), SQUAT), (session_of(5, 5), SQUAT)))
    assert -LARGEST_SHIFT <= habit.hinge.shift < -0.8
    assert (habit.hinge.answers, habit.hinge.wrong_before, habit.hinge.wrong_after) == (20, 20, 0)
    assert habit.counting.shift == 0.0


def test_answers_that_no_shift_does_justice_to_change_nothing() -> None:
    torn = learn(lessons((session_of(5, 5), SQUAT), (session_of(5, 5), HINGE)))
    assert torn.hinge.shift == 0.0 and torn.hinge.wrong_before == 10
    assert torn.hinge.wrong_after >= 10
    ghosts = [Lesson((Witness(6.0, answer=False), *[Witness(5.0, answer=True)] * 30), ()) for _ in range(4)]
    assert learn(ghosts).counting.shift == 0.0


@pytest.mark.parametrize(("beyond", "answer", "sign"), [(-0.5, True, 1), (0.5, False, -1)])
def test_a_threshold_of_counting_moves_both_ways(beyond: float, answer: bool, sign: int) -> None:
    wrong = Witness(JudgeParameters().threshold_log_odds + beyond, answer=answer)
    lesson = Lesson((*[wrong] * 3, *[Witness(5.0, answer=True)] * 20), ())
    assert sign * learn([lesson] * 2).counting.shift > 0.5


# --- its gain


def test_it_does_no_harm_on_sessions_left_out() -> None:
    """A lifter of no fit: each session is judged with the shift that the other sessions teach."""
    before = after = 0
    shifts = set()
    sessions = sessions_of(0, 3, leaning=True)
    plain = [judged(one, PersonalShift()) for one in sessions]
    taught = [
        lesson_of(apply_corrections(found, corrections_of(found, one)))
        for found, one in zip(plain, sessions, strict=True)
    ]
    for left_out, session in enumerate(sessions):
        shift = learn(taught[:left_out] + taught[left_out + 1 :]).shift
        shifts.add(shift)
        before += mistakes(plain[left_out], session).total
        after += mistakes(judged(session, shift), session).total
    assert after <= before
    assert len(shifts) > 1, "no shift was tried"


@cache
def counts_of(path: Path, shift: PersonalShift) -> list[int]:
    """Return how many squats, hinges and uncertain repetitions a recording has with a shift."""
    replayed = replay(str(path), ReplayOptions(personal=shift))
    assert isinstance(replayed, Replayed)
    return [replayed.summary.count(pattern) for pattern in (SQUAT, HINGE, Pattern.UNCERTAIN)]


@pytest.mark.parametrize("counting", [-LARGEST_SHIFT, LARGEST_SHIFT])
@pytest.mark.parametrize("hinge", [-LARGEST_SHIFT, LARGEST_SHIFT])
def test_no_corrections_at_all_turn_a_clear_case(counting: float, hinge: float) -> None:
    """The sample recordings: no shift changes what is clear in them."""
    for path in sorted(RECORDINGS.glob("*.csv.gz")):
        assert counts_of(path, PersonalShift(counting, hinge)) == counts_of(path, PersonalShift()), path.name


# --- in the store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


def test_it_follows_the_corrections_and_undoing_them_unlearns(path: Path) -> None:
    with SessionStore.open(path) as store:
        assert store.known_of_person().shift == PersonalShift()
        teach(store)
        known = store.known_of_person()
        assert known.learning.sessions == 2 and known.shift.hinge < -0.8
        for _ in range(2):
            store.undo(1), store.undo(2)
        assert store.known_of_person().learning.sessions == 0
        for _ in range(2):
            store.redo(1), store.redo(2)
        assert store.known_of_person() == known
        store.delete(1), store.delete(2)
        assert store.known_of_person().shift == PersonalShift()


def test_it_is_reset_and_switched_off_and_corrections_stay(path: Path) -> None:
    with SessionStore.open(path) as store:
        teach(store)
        learned = store.known_of_person().shift
        before = [store.load(number).corrected for number in (1, 2)]
        store.switch_learning(on=False)
        assert store.known_of_person().shift == PersonalShift()
        assert store.known_of_person().learning.shift == learned, "still shown"
        store.switch_learning(on=True)
        assert store.known_of_person().shift == learned
        store.forget_person(NOW + timedelta(seconds=1))
        assert store.known_of_person().shift == PersonalShift()
        assert [store.load(number).corrected for number in (1, 2)] == before
        store.correct(1, EnterLoad(0.0 + 1.0, 60.0, Scope.SET), made_at=NOW + timedelta(days=1))
        assert store.known_of_person().learning.sessions == 0, "a load says nothing of patterns"


def test_taking_back_while_training_is_an_answer_too(path: Path) -> None:
    back = RejectedMovement(930.0, 933.0, TAKEN_BACK, repetition(SQUAT, 930.0), 1.0)
    with SessionStore.open(path) as store:
        keep(store, session_of(5, rejected=(back,)))
        learning = store.known_of_person().learning
        assert (learning.sessions, learning.counting.answers, learning.counting.wrong_before) == (1, 6, 1)


def test_kept_and_deleted_again_is_no_repetition(path: Path) -> None:
    lone = replace(repetition(SQUAT, 920.0), counting_log_odds=3.0)
    alone = RejectedMovement(lone.start_s, lone.end_s, ALONE, lone, 3.0)
    kept = AddRepetition(lone.start_s, lone.end_s, SQUAT)
    lesson = lesson_of(apply_corrections(session_of(2, rejected=(alone,)), [kept, DeleteRepetition(lone.bottom_s)]))
    said = [(movement.log_odds, movement.answer) for movement in lesson.movements]
    assert sorted(said) == [(3.0, False), (4.0, True), (4.0, True)], "the last word counts, once"


def test_it_can_be_switched_off_before_anything_is_kept(tmp_path: Path) -> None:
    assert json.loads(run(tmp_path / "home", "learning", "--json"))["switched_on"] is True
    assert not (tmp_path / "home").exists()
    run(tmp_path / "home", "learning", "--off")
    assert json.loads(run(tmp_path / "home", "learning", "--json"))["switched_on"] is False


def test_sessions_of_older_versions_teach_patterns_only(path: Path) -> None:
    with SessionStore.open(path) as store:
        teach(store)
    query(path, "DROP TRIGGER repetition_is_measured")
    query(path, "UPDATE repetition SET counting_log_odds = NULL")
    with SessionStore.open(path) as store:
        learning = store.known_of_person().learning
        assert learning.counting.answers == 0 and learning.hinge.shift < -0.8


# --- on the command line, live and in replay


def run(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"IMU_HOME": str(home)})
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def taught_home(tmp_path: Path) -> Path:
    with SessionStore.open(tmp_path / "home" / "sessions.db") as store:
        teach(store)
    return tmp_path / "home"


def test_it_is_shown_with_its_bounds_and_reset(taught_home: Path) -> None:
    shown = run(taught_home, "learning")
    assert "2 sessions that you corrected" in shown
    assert "(0.50 for others; 0.27 to 0.73 can be learned)" in shown
    assert "Of 20 that you looked at 20 were wrong; with what the rest of them teaches, 0" in shown
    assert "0.05 to 0.27 can be learned" in shown
    learned = json.loads(run(taught_home, "learning", "--json"))
    assert -learned["largest_shift"] <= learned["hinge"]["shift"] < 0.0
    assert 0.5 < learned["hinge"]["least_probability"] <= 0.732
    assert "no, it is switched off" in run(taught_home, "learning", "--off")
    assert "in every training" in run(taught_home, "learning", "--on")
    assert "nothing yet" in run(taught_home, "learning", "--reset", "--yes")
    with SessionStore.open(taught_home / "sessions.db") as store:
        store.correct(1, ChangePattern(0.1 + 5.0, HINGE), made_at=datetime.now(UTC) + timedelta(seconds=5))
    assert "nothing yet" in run(taught_home, "learning"), "what was corrected before the reset is not learned again"
    before = contents(taught_home / "sessions.db")
    run(taught_home, "learning")
    assert contents(taught_home / "sessions.db") == before


def test_another_persons_recordings_are_counted_as_before(taught_home: Path, tmp_path: Path) -> None:
    """Replay uses what was learned only when asked to; another person has a folder of their own."""
    plain = run(tmp_path / "empty", "replay", str(RECORDINGS), "--json")
    assert run(taught_home, "replay", str(RECORDINGS), "--json") == plain
    other = json.loads(
        run(taught_home, "--person", "anna", "replay", str(RECORDINGS), "--save", "--json").splitlines()[0]
    )
    assert other["session"] == 1
    assert "nothing yet" in run(taught_home, "--person", "anna", "learning")
    assert len(run(taught_home, "review", "--json").splitlines()) == 2


@pytest.mark.realtime
def test_a_training_is_judged_with_it_and_its_recording_says_so(taught_home: Path) -> None:
    printed = json.loads(run(taught_home, "train", "--sensor", "virtual", "--duration", "20", "--json"))
    header = read_training(Path(printed["recording"])).header
    with SessionStore.open(taught_home / "sessions.db") as store:
        assert header.personal == store.known_of_person().shift != PersonalShift()
        store.forget_person(datetime.now(UTC))
    assert json.loads(run(taught_home, "replay", printed["recording"], "--json")) == printed, "with what it was then"


def test_replay_learned_uses_it(taught_home: Path, tmp_path: Path) -> None:
    """A recording in which a shift shows: some of its hinges sink far."""
    (simulation,) = sessions_of(4, 1, leaning=False)
    block = simulation.block
    table = np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))
    header = "time_s,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
    np.savetxt(tmp_path / "borderline.csv", table, delimiter=",", header=header, comments="")
    plain = json.loads(run(taught_home, "replay", str(tmp_path / "borderline.csv"), "--json"))["totals"]
    learned = json.loads(run(taught_home, "replay", str(tmp_path / "borderline.csv"), "--learned", "--json"))["totals"]
    assert learned["hinge"] < plain["hinge"]
    assert sum(learned.values()) == sum(plain.values())


@pytest.mark.parametrize("name", ["../anna", "a/b", ".", "", "x" * 61, "a\nb", "con"])
def test_a_name_that_can_be_no_folders_is_refused(tmp_path: Path, name: str) -> None:
    result = CliRunner().invoke(app, ["--person", name, "review"], env={"IMU_HOME": str(tmp_path / "home")})
    assert result.exit_code == 2 and "--person" in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "home").exists()
