"""The commands on stored sessions: review, correct, export, backup, restore."""

import csv
import errno
import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from builders import HINGE, SQUAT, UNCERTAIN, keep, repetition, summary
from typer.testing import CliRunner

from imu.app import typed_corrections
from imu.app.cli import app
from imu.errors import SensorLost
from imu.live import memory
from imu.live.entries import Entries
from imu.live.training_run import Trained
from imu.motion.repetitions import RejectedMovement
from imu.report.exercises import exercise_histories
from imu.report.session_view import set_view, view_of_stored, view_of_summary
from imu.report.terminal_pages import (
    comparison_table,
    exercise_page,
    exercises_table,
    overview_table,
    session_page,
    stored_page,
)
from imu.report.trends import Row, usual_sides
from imu.report.words import clock, log_line, sentence_of
from imu.samples import Gap
from imu.session import TrainingSet
from imu.store import (
    AddRepetition,
    ChangePattern,
    CorrectionRefused,
    DeleteRepetition,
    EnterLoad,
    LoggedCorrection,
    MergeSets,
    MoveRepetition,
    NameExercise,
    Scope,
    SessionStore,
    SplitSet,
    WriteNote,
    apply_corrections,
    hash_of,
)
from imu.store.corrections import KG_PER_LB
from imu.store.home import recordings_folder, store_path

NOW = datetime.now(UTC)
# Set 1: squats at 0, 3, 6, 9; set 2: hinges at 100, 103, 106; 2.3 s each, turning after 1.1 s.
TRAINED = summary(
    [SQUAT] * 4,
    [HINGE] * 3,
    rejected=[RejectedMovement(60.0, 62.3, "alone", repetition(HINGE, 60.0)), RejectedMovement(80.0, 84.0, "sat down")],
)
COUNTED = apply_corrections(TRAINED)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A store of its own for each test, in which two sessions are."""
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    with SessionStore.open(store_path()) as store:
        keep(store, TRAINED, 1, saved_at=NOW - timedelta(days=2))
        keep(store, summary([UNCERTAIN]), 2, saved_at=NOW - timedelta(days=1))
    return tmp_path / "home"


def run(*arguments, code=0, **options):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], **options)
    assert result.exit_code == code, result.output
    return result


def load(number=1):
    with SessionStore.open(store_path()) as store:
        return store.load(number)


def log():
    return [correction.correction for correction in load().corrected.log]


# --- What a person types ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2", typed_corrections.Place(104.1, Scope.SET)),
        ("1", typed_corrections.Place(7.1, Scope.SET)),
        ("1/2", typed_corrections.Place(4.1, Scope.REPETITION)),
        ("4.5", typed_corrections.Place(4.1, Scope.REPETITION)),
        ("5.5", typed_corrections.Place(4.1, Scope.REPETITION)),  # just after it: pages show whole seconds
        ("1:40", typed_corrections.Place(101.1, Scope.REPETITION)),
        ("0:01:40.5", typed_corrections.Place(101.1, Scope.REPETITION)),
        ("12.0", typed_corrections.Place(10.1, Scope.REPETITION)),
    ],
)
def test_places_are_found(typed, expected):
    found = typed_corrections.place_in(COUNTED, typed)
    assert (found.time_s, found.scope) == (pytest.approx(expected.time_s), expected.scope)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("3", "there is no set 3: the session has 2 sets"),
        ("0", "there is no set 0"),
        ("3/1", "there is no set 3"),
        ("1/5", "there is no repetition 1/5: set 1 has 4 repetitions"),
        ("50.0", "no repetition is counted at 0:50"),
        ("here", "'here' is not a time; write seconds"),
        ("-1", "'-1' is not a time"),
        ("1/2/3", "is not a time"),
        ("", "'' is not a time"),
    ],
)
def test_impossible_places_are_refused_in_a_sentence(typed, sentence):
    with pytest.raises(CorrectionRefused, match=sentence):
        typed_corrections.place_in(COUNTED, typed)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: typed_corrections.delete_repetition(COUNTED, "1/2"), DeleteRepetition(4.1)),
        (lambda: typed_corrections.add_repetition(COUNTED, "12.5", "0:15", "squat"), AddRepetition(12.5, 15.0, SQUAT)),
        (lambda: typed_corrections.keep_movement(COUNTED, "1:01"), AddRepetition(60.0, 62.3, HINGE)),
        (lambda: typed_corrections.change_pattern(COUNTED, "1/2", "hinge"), ChangePattern(4.1, HINGE)),
        (lambda: typed_corrections.change_pattern(COUNTED, "2", "squat"), ChangePattern(104.1, SQUAT, Scope.SET)),
        (lambda: typed_corrections.split_set(COUNTED, "1/3"), SplitSet(7.1)),
        (lambda: typed_corrections.split_set(COUNTED, "5.8"), SplitSet(5.8)),
        (lambda: typed_corrections.merge_sets(COUNTED, "1"), MergeSets(7.1, 104.1)),
        (lambda: typed_corrections.enter_exercise(COUNTED, "1", " Back squat "), NameExercise(7.1, "Back squat")),
        (lambda: typed_corrections.enter_exercise(COUNTED, "1", ""), NameExercise(7.1, None)),
        (lambda: typed_corrections.enter_load(COUNTED, "1", "82,5 kg"), EnterLoad(7.1, 82.5)),
        (lambda: typed_corrections.enter_load(COUNTED, "1/2", "60"), EnterLoad(4.1, 60.0, Scope.REPETITION)),
        (
            lambda: typed_corrections.enter_load(COUNTED, "1", "225 lb"),
            EnterLoad(7.1, 225 * KG_PER_LB, load_in_lb=True),
        ),
        (lambda: typed_corrections.enter_note(COUNTED, "2", "belt"), WriteNote(104.1, "belt")),
    ],
)
def test_a_typed_correction_is_understood(made, expected):
    found = made()
    assert type(found) is type(expected)
    for name in expected.__slots__:
        value = getattr(expected, name)
        assert getattr(found, name) == (pytest.approx(value) if isinstance(value, float) else value)
    assert apply_corrections(TRAINED, [found]).log[0].not_applied is None


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: typed_corrections.delete_repetition(COUNTED, "1"), r"1 is a set; a repetition is SET/REP \(1/1\)"),
        (lambda: typed_corrections.add_repetition(COUNTED, "15", "12", "squat"), "impossible: a repetition lasts"),
        (
            lambda: typed_corrections.add_repetition(COUNTED, "12", "15", "lunge"),
            "'lunge' is not a pattern; write squat, hinge or uncertain",
        ),
        (
            lambda: typed_corrections.keep_movement(COUNTED, "82.0"),
            "no rejected movement at 1:22 looks like a repetition",
        ),
        (lambda: typed_corrections.merge_sets(COUNTED, "2"), "set 2 is the last"),
        (
            lambda: typed_corrections.enter_load(COUNTED, "1", "heavy"),
            "'heavy' is not a load; write a number of kg or lb",
        ),
        (lambda: typed_corrections.enter_load(COUNTED, "1", "1,000"), "'1,000' is not a load"),
        (lambda: typed_corrections.enter_load(COUNTED, "1", "4000"), "impossible: a load is 0 to 1000 kg"),
        (lambda: typed_corrections.enter_exercise(COUNTED, "1", "x" * 100), "impossible: a text has 1 to 80 letters"),
    ],
)
def test_impossible_corrections_are_refused_in_a_sentence(made, sentence):
    with pytest.raises(CorrectionRefused, match=sentence):
        made()


@pytest.mark.parametrize(
    ("measured", "start", "end", "recorded"),
    [
        (summary([SQUAT] * 4), "50", "61", True),  # 61.2 s long, its first squat at 0:00
        (summary([SQUAT] * 4), "3:20", "3:40", False),
        (summary([SQUAT] * 4), "55", "70", False),
        (summary(gaps=()), "3:20", "3:40", False),  # nothing was measured
        (summary(gaps=()), "30", "32", True),
        (summary(gaps=(Gap(1000.0, 1001.0),)), "950", "952", True),  # a clock that starts elsewhere
        (summary(gaps=(Gap(1000.0, 1001.0),)), "30", "32", False),
    ],
)
def test_a_repetition_is_added_or_moved_only_within_the_recording(measured, start, end, recorded):
    counted = apply_corrections(measured)
    made = [lambda: typed_corrections.add_repetition(counted, start, end, "squat")]
    made += [lambda: typed_corrections.move_repetition(counted, "1/1", start, end)] if counted.sets else []
    for make in made:
        if recorded:
            make()
            continue
        with pytest.raises(
            CorrectionRefused, match=rf"the recording is 1:01 long, and {clock(typed_corrections.time_in_s(start))} to"
        ):
            make()


# --- imu correct -----------------------------------------------------------------------------------------------------


def test_corrections_are_made_shown_and_undone():
    shown = run("correct", 1, "--name", 1, "Back squat", "--load", 1, "82.5", "--delete-rep", "1/4").stdout
    assert "repetition 4 of set 1 (at 0:10) deleted\n" in shown
    assert "imu correct 1 --undo takes the last one back." in shown
    assert "Back squat, 82.5 kg" in shown
    assert "3 squats : 3 hinges" in shown
    assert load().corrected.count(SQUAT) == 3
    assert "undone: set 1 with 82.5 kg" in run("correct", 1, "--undo").stdout
    assert "restored: set 1 with 82.5 kg" in run("correct", 1, "--redo").stdout
    for _ in range(3):
        run("correct", 1, "--undo")
    assert log() == []
    nothing = run("correct", 1, "--undo", code=1)
    assert nothing.stderr == "no correction of session 1 was made, so there is nothing to do\n"
    assert "was undone" in run("correct", 2, "--redo", code=1).stderr


def test_of_several_corrections_all_are_made_or_none():
    result = run("correct", 1, "--note", 1, "belt", "--add-rep", 3.1, 5.0, "squat", code=1)
    assert result.stderr == "session 1 was left as it is: a squat is counted there already\n"
    run("correct", 1, "--load", 1, 80, "--delete-rep", "1/9", code=1)
    run("correct", 1, "--load", 1, 80, "--note", 1, "x" * 3000, code=1)
    assert log() == []


def test_a_set_whose_repetitions_are_all_deleted_takes_no_note():
    run("correct", 2, "--delete-rep", "1/1", "--note", 1, "belt", code=1)
    assert load(2).corrected.log == ()


@pytest.mark.parametrize("wrong", [[], ["--undo", "--redo"], ["--undo", "--merge", "1"], ["--load", "1"]])
def test_wrong_usage_of_correct(wrong):
    run("correct", 1, *wrong, code=2)
    run("correct", *wrong, code=2)


def test_every_correction_has_a_sentence():
    made = [
        (DeleteRepetition(65.0), "repetition at 1:05 deleted"),
        (AddRepetition(1.0, 3.0, HINGE), "hinge added from 0:01 to 0:03"),
        (ChangePattern(1.0, HINGE), "repetition at 0:01 is a hinge"),
        (ChangePattern(1.0, HINGE, Scope.SET), "set at 0:01 is hinge"),
        (SplitSet(1.0), "a new set begins at 0:01"),
        (MergeSets(1.0, 2.0), "sets from 0:01 to 0:02 merged"),
        (NameExercise(1.0, "Swing"), "set at 0:01 is Swing"),
        (NameExercise(1.0, None), "set at 0:01 without a name"),
        (EnterLoad(1.0, 20.0), "set at 0:01 with 20 kg"),
        (EnterLoad(1.0, None, Scope.REPETITION), "repetition at 0:01 without a load"),
        (WriteNote(1.0, "a\nb"), 'set at 0:01 noted "a / b"'),
        (WriteNote(1.0, None), "set at 0:01 without a note"),
    ]
    assert [sentence_of(correction) for correction, _ in made] == [sentence for _, sentence in made]
    assert sentence_of(ChangePattern(1.0, HINGE), ("2/3",)) == "repetition 3 of set 2 is a hinge"
    assert sentence_of(MergeSets(1.0, 2.0), ("1", "2")) == "sets 1 and 2 merged"
    assert sentence_of(MoveRepetition(1.0, 2.0, 4.5), ("1/2",)) == "repetition 2 of set 1 moved to 0:02, 2.5 s long"
    assert log_line(LoggedCorrection(SplitSet(1.0), "why")) == "not applied: a new set begins at 0:01 (why)"


# --- imu review ------------------------------------------------------------------------------------------------------


def test_review_shows_measured_beside_corrected_values():
    run("correct", 1, "--pattern", "1/2", "hinge", "--keep", "1:01", "--note", "1/1", "slow")
    page = run("review", 1, "-v").stdout
    assert "measured as squat, 97 %" in page
    assert '"slow"' in page
    assert "added" in page
    assert "hinge added from 1:00 to 1:02" in page
    assert "alone" not in page
    assert "3 squats : 5 hinges" in page
    (found,) = [json.loads(line) for line in run("review", 1, "--json").stdout.splitlines()]
    assert found["totals"] == {"squat": 3, "hinge": 5, "uncertain": 0}
    assert found["sets"][0]["reps"][1]["measured"] == {"pattern": "squat", "confidence": 0.97}
    assert [one["kind"] for one in found["corrections"]] == ["add repetition", "change pattern", "write note"]
    overview = run("review").stdout
    assert "3 squats : 5 hinges" in overview
    done = next(line for line in overview.splitlines() if line.split()[0] == "1").split("  ")[-3:]
    assert done[0].strip() == "mixed × 4; hinge × 1, 3" and done[2] == "3 corrections"


def test_a_page_with_a_repetition_without_measurements():
    run("correct", 2, "--add-rep", 50, 52, "squat")
    page = run("review", 2, "-v").stdout
    cells = next(line.split()[:6] for line in page.splitlines() if "added" in line)
    assert cells == ["2", "1", "0:50", "squat", "-", "-"]


def test_the_speed_of_a_hip_that_hardly_sinks_is_shown_neither_for_the_set_nor_for_a_repetition():
    still = replace(repetition(HINGE), hip_drop_m=0.02, mean_concentric_velocity_m_s=-0.004)
    (shown,) = view_of_summary("a", summary(sets=(TrainingSet((still, still)),))).sets
    assert [one.speed for one in shown.repetitions] == ["", ""]


def test_a_correction_that_is_not_applied_is_shown():
    run("correct", 1, "--load", 2, 100)
    with SessionStore.open(store_path()) as store:
        keep(store, summary([SQUAT] * 4), 1)
    assert "not applied: set at 1:44 with 100 kg (no set is counted at 104.1 s)" in run("review", 1).stdout


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_leaves_out_columns_in_place_of_dots(width):
    from rich.console import Console

    run("correct", 1, "--exercise", 1, "dumbbell Romanian deadlift", "--load", 1, "82.5", "--delete-rep", "1/2")
    console = Console(width=width, color_system=None)
    with SessionStore.open(store_path()) as store, console.capture() as shown:
        histories = exercise_histories(store)
        console.print(exercises_table(histories), exercise_page(histories[0], 5))
        console.print(stored_page(store, 1, verbose=True), overview_table(store.list(), {1: "squat × 4"}))
        console.print(
            comparison_table(
                "Session 1, 28 Nov 2026",
                "Session 2, 29 Nov 2026",
                [Row("Squats", "Repetitions", "", "4", "0", "within the error")],
            )
        )
    tables = shown.get().split("Recording")[0] + shown.get().split("Recording")[1].split("\n", 1)[1]
    assert "…" not in tables
    assert max(map(len, map(str.rstrip, tables.splitlines()))) <= width
    for words in ("heaviest", "82.5 kg × 3", "pattern", "reps", "depth", "trained"):
        assert words in tables
    assert ("tempo s" in tables) == (width == 80)


def test_lines_of_figures_are_drawn_for_sets_of_three():
    from rich.console import Console

    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(session_page(view_of_stored(load()), verbose=True))
    page = capture.get()
    assert "angle ▅▅▅▅ speed ▅▅▅▅" in page  # all alike
    assert max(len(line.rstrip()) for line in page.splitlines()) <= 80
    assert "angle" not in run("review", 2).stdout.split("Counted")[1]


def test_trends_as_a_page_and_for_programs():
    page = run("review", "--trends").stdout
    assert "week of" in page
    assert "Last squat" in page
    lines = [json.loads(line) for line in run("review", "--trends", "--days", "--json").stdout.splitlines()]
    assert sum(line["squat"]["reps"] for line in lines) == 4
    assert sum(line["hinge"]["sets"] for line in lines) == 1
    assert lines[0]["squat"]["trunk_angle_deg"] == 17.2
    assert lines[-1]["squat"]["trunk_angle_deg"] is None
    assert [line["days"] for line in lines] == [1] * len(lines)


@pytest.mark.parametrize(
    "wrong", [["--delete"], ["1", "--yes"], ["--days"], ["1", "--trends"], ["1", "--delete", "--trends"]]
)
def test_wrong_usage_of_review(wrong):
    run("review", *wrong, code=2)
    assert load().summary == TRAINED


def test_a_training_that_was_cut_off_is_named_with_what_stores_it(home, tmp_path, monkeypatch):
    recordings_folder().mkdir()
    cut_off = recordings_folder() / "cut off.mcap"
    cut_off.touch()
    os.utime(cut_off, (1.0, 1.0))
    sentence = f"A training was cut off and is not stored: imu replay --save '{cut_off}' stores it."
    assert run("review").stdout.splitlines()[-1] == sentence
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "new"))
    recordings_folder().mkdir(parents=True)
    assert "cut off" not in run("review").stdout
    shutil.copy2(cut_off, recordings_folder())
    assert "A training was cut off and is not stored" in run("review").stdout


def test_a_session_that_cannot_be_stored_is_named_beside_an_earlier_trouble(home):
    recording = home / "a.mcap"
    recording.write_bytes(b"abc")
    store_path().write_bytes(b"no store at all, " * 100)
    lost = SensorLost("the sensor was lost")
    trained = Trained(TRAINED, NOW, None, None, recording, lost)
    kept, number = memory.keep(trained, "1")
    assert number is None
    assert str(kept.trouble).startswith("the sensor was lost; the session is not stored (")
    assert str(kept.trouble).endswith(f"imu replay --save '{recording}' stores it")


def with_an_entry(home, time_s=None):
    recording, entries = home / "a.mcap", Entries()
    recording.write_bytes(b"abc")
    at_s = TRAINED.sets[0].repetitions[0].bottom_s if time_s is None else time_s
    entries.take({"event": "entry", "set_s": at_s, "exercise": {"name": "back squat", "load": 100}})
    return Trained(TRAINED, NOW, None, None, recording, None, entries=entries)


def test_a_session_is_stored_also_if_an_entry_is_of_no_set(home):
    kept, number = memory.keep(with_an_entry(home, 9000.0), "1")
    assert kept.trouble is None
    with SessionStore.open(store_path()) as store:
        assert [one.not_applied is None for one in store.load(number).corrected.log] == [False, False]


def test_a_program_that_is_killed_while_it_stores_entries_stores_no_session_without_them(home, monkeypatch):
    trained = with_an_entry(home)
    with SessionStore.open(store_path()) as store:
        before = store.list()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("imu.store.sessions.append", killed)
        memory.keep(trained, "1")
    with SessionStore.open(store_path()) as store:
        assert len(store.list()) == len(before)
    _, number = memory.keep(trained, "1")
    with SessionStore.open(store_path()) as store:
        first = store.load(number).corrected.sets[0]
    assert (first.exercise, first.load_kg) == ("back squat", 100.0)


def test_deleting_asks_first(home):
    recordings_folder().mkdir()
    recording = recordings_folder() / "a.mcap"
    recording.write_bytes(b"abc")
    with SessionStore.open(store_path()) as store:
        number = store.save(TRAINED, recording, hash_of(recording), saved_at=NOW, software_version="1")
    refused = run("review", number, "--delete", input="n\n", code=1)
    assert f"Its recording {recording} is deleted too." in refused.stdout
    assert "4 squats : 3 hinges" in refused.stdout
    assert "Nothing was deleted." in refused.stdout
    run("review", number, "--delete", input="", code=1)
    assert recording.exists()
    assert f"Session {number} is deleted." in run("review", number, "--delete", input="y\n").stdout
    assert not recording.exists()
    assert "is not in the folder of this program, and stays" in run("review", 2, "--delete", "--yes").stdout
    assert run("review", 2, "--delete", "--yes", code=1).stderr.startswith("there is no session 2")


def test_all_faces_of_a_session_show_the_figures_of_its_view():
    run("correct", 1, "--name", 1, "Back squat")
    view = view_of_stored(load())
    first, written = view.sets[0], json.loads(run("review", 1, "--json").stdout)["sets"][0]
    assert (first.exercise, written["exercise"], len(written["reps"])) == ("Back squat", "Back squat", 4)
    run("export", 1, "--out", "a.html")
    terminal, report = run("review", 1, "--reps").stdout, Path("a.html").read_text(encoding="utf-8")
    for text in (view.counted, view.load, view.done, first.entered, *(figure.text for figure in first.figures)):
        assert (text in terminal, text in unescape(report) or text in (first.entered, view.done)) == (True, True), text
    assert all(text in terminal for text in view.corrections)
    for name, unit, _ in first.figures:
        assert (name.lower() in terminal, f">{name}\N{NO-BREAK SPACE}{unit}".strip() in report) == (True, True)


@pytest.mark.parametrize(("more_m_s", "words"), [(0.0005, "as fast"), (0.02, "8 % faster"), (-0.02, "8 % slower")])
def test_how_much_slower_the_last_repetitions_are_is_said_in_one_way(more_m_s, words):
    sped = [replace(repetition(SQUAT, 3.0 * i), mean_concentric_velocity_m_s=0.5 + more_m_s * i) for i in range(4)]
    session = apply_corrections(replace(summary(), sets=(TrainingSet(tuple(sped)),)))
    assert set_view(1, session.sets[0]).figures[-1] == ("Last reps", "", words)


def test_review_lists_what_was_done_and_a_session_says_it_first():
    run("correct", 1, "--exercise", 1, "Back squat", "--load", 1, "100")
    run("correct", 1, "--exercise", 2, "deadlift", "--load", "2/3", "140")
    listed = run("review").stdout
    assert "Back squat 100 kg × 4; deadlift × 2, 140 kg × 1  4 corrections" in listed
    assert "uncertain × 1  walk 2.csv" in listed, "the recording is named where no set has an exercise"
    head = run("review", 1).stdout.splitlines()
    assert head[0].startswith("Session 1, ") and head[1].startswith("Back squat 100 kg × 4; deadlift")
    assert head[-1].startswith("Recording  ")


# --- imu export, backup, restore -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["csv", "parquet", "json", "fit", "html"])
def test_the_end_of_the_name_is_the_format(tmp_path, ending):
    result = run("export", 1, "--out", f"a.{ending.upper()}")
    assert result.stdout == f"a.{ending.upper()}\n"
    other = run("export", 1, "--format", ending, "--out", "b").stdout.strip()
    if ending not in {"html", "parquet"}:
        assert (tmp_path / other).read_bytes() == (tmp_path / f"a.{ending.upper()}").read_bytes()
    again = run("export", 1, "--out", f"a.{ending.upper()}", code=1)
    assert "exists already and was left alone" in again.stderr
    run("export", 1, "--out", f"a.{ending.upper()}", "--force")


def test_all_sessions_are_exported_with_their_corrections(tmp_path):
    run("correct", 1, "--load", 1, 80)
    run("export", "--all", "--out", "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        found = [(row["session"], row["load_kg"]) for row in csv.DictReader(file)]
    assert found == [("2", ""), *[("1", "80.0")] * 4, *[("1", "")] * 3]
    run("export", 2, 1, 2, "--out", "b.json")
    assert [one["session"] for one in json.loads((tmp_path / "b.json").read_text())] == [2, 1]


@pytest.mark.parametrize("ending", ["csv", "json", "html"])
def test_an_export_is_printed_for_a_hyphen(ending):
    run("export", "--all", "--out", f"a.{ending}")
    printed = run("export", "--all", "--format", ending, "--out", "-").stdout_bytes
    assert printed == Path(f"a.{ending}").read_bytes()
    assert not Path("-").exists()
    assert run("export", "--all", "--out", "-", code=2).stderr.splitlines()[-1].startswith("Error: Invalid value")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--out", "a.csv"],
        ["1", "--all", "--out", "a.csv"],
        ["1", "--out", "a"],
        ["1", "--out", "a.xls"],
        ["1", "--format", "xls", "--out", "a"],
        ["1"],
    ],
)
def test_wrong_usage_of_export(wrong, tmp_path):
    run("export", *wrong, code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_absent_sessions_are_refused_in_a_sentence(tmp_path):
    assert "there is no session 9" in run("export", 1, 9, "--out", "a.csv", code=1).stderr
    assert "there is no session 9" in run("correct", 9, "--undo", code=1).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_nothing_kept_makes_no_store(tmp_path, monkeypatch):
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "none"))
    run("export", "--all", "--out", "a.csv", code=1)
    run("correct", 1, "--undo", code=1)
    run("backup", "a.zip", code=1)
    run("review", 1, "--delete", "--yes", code=1)
    run("review", "--trends")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_backup_brings_everything_back(home, tmp_path, monkeypatch):
    recordings_folder().mkdir()
    (recordings_folder() / "a.mcap").write_bytes(b"abc")
    assert run("backup", "b.zip").stdout == "b.zip: 2 sessions and 1 recording file\n"
    assert "already" in run("backup", "b.zip", code=1).stderr
    run("backup", "b.zip", "--force")
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "new"))
    assert run("restore", "b.zip").stdout == "restored 2 sessions and 1 recording file\n"
    assert load().summary == TRAINED
    assert "was left alone; with --force" in run("restore", "b.zip", code=1).stderr
    assert "the earlier files are in" in run("restore", "b.zip", "--force").stdout
    assert "no backup" in run("restore", home / "sessions.db", "--force", code=1).stderr


def test_force_is_not_advised_for_a_backup_that_does_not_exist():
    missing = run("restore", "nofile.zip", code=1).stderr
    assert ("nofile.zip does not exist" in missing, "--force" in missing) == (True, False)


def test_two_fit_sessions_need_a_folder(tmp_path):
    assert "name a folder, such as two" in run("export", 1, 2, "--out", "two.fit", code=1).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert len(run("export", 1, 2, "--out", "two", "--format", "fit").stdout.splitlines()) == 2


def test_a_backup_of_everyone_has_a_file_for_each_person(home, monkeypatch):
    with SessionStore.open(home / "people" / "anna" / "sessions.db") as store:
        keep(store, TRAINED, 3, saved_at=NOW)
    (home / "people" / "ben").mkdir()  # who has no sessions yet
    assert "imu backup --everyone FOLDER" in run("backup", "mine.zip").stdout
    lines = run("backup", "all", "--everyone").stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["all/me.zip", "all/anna.zip"]
    monkeypatch.setenv("IMU_HOME", "new")
    assert run("--person", "anna", "restore", "all/anna.zip").stdout == "restored 1 session and 0 recording files\n"
    run("--person", "anna", "backup", "x", "--everyone", code=2)


def test_a_long_note_is_not_repeated():
    refused = run("correct", 1, "--note", 1, "a" * 100_000, code=1).stderr
    assert ("(100000 letters)" in refused, len(refused) < 300) == (True, True)
    for wrong in (["--load", 1, "9" * 5000 + "x"], ["--pattern", 1, "x" * 5000], ["--delete-rep", "y" * 5000]):
        assert len(run("correct", 1, *wrong, code=1).stderr) < 300


def test_a_reset_of_the_learning_asks_first():
    assert "Nothing was forgotten." in run("learning", "--reset", input="n\n", code=1).stdout
    assert "Reset" not in run("learning").stdout
    assert "Reset" in run("learning", "--reset", input="y\n").stdout
    run("learning", "--yes", code=2)


def test_after_a_refused_batch_undone_corrections_can_be_made_again():
    run("correct", 1, "--note", 1, "first")
    run("correct", 1, "--undo")
    run("correct", 1, "--delete-rep", "1/2", "--pattern", "1/2", "hinge", code=1)
    run("correct", 1, "--redo")
    with SessionStore.open(store_path()) as store:
        assert [type(correction.correction) for correction in store.load(1).corrected.log] == [WriteNote]


def test_an_option_that_is_given_twice_is_refused_rather_than_passed_over():
    result = run("correct", 1, "--pattern", "1/1", "hinge", "--pattern", "1/2", "hinge", code=2)
    assert "--pattern" in result.output and "once" in result.output
    with SessionStore.open(store_path()) as store:
        assert store.load(1).corrected.log == ()


# --- comparisons and units -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [400, 5000])
def test_thousands_of_digits_give_one_sentence(digits):
    typed = "9" * digits
    for place in (typed, f"{typed}.5", f"1/{typed}", f"{typed}/1"):
        for option in (["--delete-rep"], ["--keep"], ["--split"], ["--merge"], ["--move", "1", "2"], ["--note", "x"]):
            result = CliRunner().invoke(app, ["correct", "1", option[0], place, *option[1:]])
            assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True), (place[:20], option)
            assert len(result.stderr) < 200, result.stderr
    for one in (typed, "9999-12"):
        result = CliRunner().invoke(app, ["review", "--compare", one, "1"])
        assert (result.exit_code, isinstance(result.exception, SystemExit), len(result.stderr) < 200) == (1, True, True)
    for command in ("replay", "plot", "convert"):
        result = CliRunner().invoke(app, [command, typed + "x", *(["y.csv"] if command == "convert" else [])])
        assert (result.exit_code, isinstance(result.exception, SystemExit), len(result.stderr) < 200) == (1, True, True)


def test_an_output_on_a_full_disk_is_one_sentence(monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("imu.app.session_commands.print_object", fail)
    result = CliRunner().invoke(app, ["review", "--json"])
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True)
    assert result.stderr == "the output cannot be written, the disk is full: free some space there\n"
    monkeypatch.setattr("imu.app.cli.typer.echo", fail)
    assert CliRunner().invoke(app, ["--version"]).stderr == result.stderr


def test_two_sessions_and_two_periods_are_compared():
    run("correct", 1, "--exercise", 1, "back squat", "--load", 1, "100 kg")
    run("correct", 2, "--delete-rep", "1/1") if load(2).corrected.sets else None
    shown = run("review", "--compare", 2, 1).stdout
    assert "Session 2" in shown and "Squats" in shown
    rows = [json.loads(line) for line in run("review", "--compare", "2026-03", "4-weeks", "--json").stdout.splitlines()]
    assert {"group", "name", "unit", "before", "after", "change"} == set(rows[0])
    assert "no session and no period" in run("review", "--compare", "x", 1, code=1).stderr
    assert "there is no session 9" in run("review", "--compare", 9, 1, code=1).stderr
    run("review", 1, "--compare", 1, 2, code=2)
    with SessionStore.open(store_path()) as store:
        latest, before = store.list()[:2]
        assert usual_sides(store, latest.trained_at + timedelta(days=1)) == (str(before.id), str(latest.id))
        assert usual_sides(store, latest.trained_at + timedelta(days=40)) == ("4-weeks-before", "4-weeks")


def test_the_unit_of_loads_is_remembered_and_follows_the_last_load_until_then():
    run("correct", 1, "--exercise", 1, "back squat", "--load", 1, "100 lb")
    assert "lb" in run("exercises").stdout
    assert "400" in run("exercises").stdout
    assert "181" in run("exercises", "--unit", "kg").stdout
    assert "181" in run("exercises").stdout
    assert "set 2 with 225 kg" in run("correct", 1, "--load", 2, "225").stdout
    assert "Loads are in lb from now on" in run("exercises", "--unit", "lb").stdout
    assert "set 2 with 225 lb" in run("correct", 1, "--load", 2, "225").stdout
    assert "set 2 with 100 kg" in run("correct", 1, "--load", 2, "100 kg").stdout


def test_a_repetition_is_moved_and_sets_get_the_entries_of_another_session():
    before = load().corrected.sets[0].repetitions[1]
    said = run("correct", 1, "--move", "1/2", before.start_s + 0.2, before.end_s).stdout
    assert "repetition 2 of set 1 moved to" in said
    after = load().corrected.sets[0].repetitions[1]
    assert (after.start_s, after.measured) == (before.start_s + 0.2, before.measured)
    assert "repetition 2 of set 1 moved to" in run("correct", 1, "--undo").stdout
