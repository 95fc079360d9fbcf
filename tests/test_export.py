"""Exports read back by others: CSV, Parquet, FIT, the HTML page; backup and restore; files whole or not at all."""

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import fitdecode
import pandas as pd
import pytest
from builders import (
    HINGE,
    NOW,
    SQUAT,
    UNCERTAIN,
    any_corrections,
    content_hash,
    in_memory,
    keep,
    repetition,
    summary,
    trained_sessions,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imu.app import export as rows_module
from imu.app.export import Format, export_sessions
from imu.app.fit_file import fit_file
from imu.atomic_files import new_file
from imu.errors import ExtraMissing, FileThere, NotWritten, SessionNotFound
from imu.motion.repetitions import RejectedMovement
from imu.report.charts import columns, lines
from imu.report.cues import WELL_BENT
from imu.report.html_report import POLICY, Selection, _form, html_report
from imu.report.objects import stored_object
from imu.store import (
    AddRepetition,
    ChangePattern,
    CorrectionRefused,
    DeleteRepetition,
    EnterLoad,
    NameExercise,
    PlannedSet,
    Scope,
    SessionStore,
    WriteNote,
)
from imu.store import backup as backup_module
from imu.store.backup import BackupDamaged, restore_backup, write_backup
from imu.store.home import NAME_FILE

TRAINED = summary(
    [SQUAT] * 4,
    [HINGE] * 3,
    [SQUAT, HINGE],
    rejected=[RejectedMovement(60.0, 62.3, "alone", repetition(HINGE, 60.0)), RejectedMovement(80.0, 84.0, "sat down")],
    duration_s=230.0,
)
NASTY = "</td><script>alert('1')</script>&\"\nä🏋️"


@pytest.fixture
def store():
    with in_memory() as made:
        yield made


@pytest.fixture
def stored(store):
    """A session with every kind of thing that a person may have entered."""
    number = store.save(
        TRAINED,
        "<b>walk.mcap",
        content_hash(1),
        saved_at=NOW,
        started_at=NOW - timedelta(hours=1),
        software_version="1",
    )
    for correction in (
        NameExercise(1.0, "Back squat"),
        EnterLoad(1.0, 82.5),
        WriteNote(1.0, NASTY),
        EnterLoad(10.0, 60.0, Scope.REPETITION),
        DeleteRepetition(4.1),
        ChangePattern(101.0, SQUAT),
        AddRepetition(120.0, 122.0, HINGE),
        WriteNote(121.0, "=1+1", Scope.REPETITION),
    ):
        store.correct(number, correction, made_at=NOW)
    return store.load(number)


def export(one, form, path):
    (written,) = export_sessions([one], form, path)
    return written


# --- Tables ----------------------------------------------------------------------------------------------------------


def test_the_table_of_columns_is_that_of_the_files():
    lines = rows_module.__doc__.splitlines()
    documented = [
        line.split()[:2] for line in lines if re.match(r"[a-z]+[a-z_0-9]* +(integer|number|text|boolean|time) ", line)
    ]
    names = {int: "integer", float: "number", str: "text", bool: "boolean", datetime: "time"}
    assert documented == [[name, names[kind]] for name, (kind, _) in rows_module.COLUMNS.items()]


def test_csv_has_a_row_for_each_repetition_as_it_counts(stored, tmp_path):
    with export(stored, Format.CSV, tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [(row["set"], row["repetition"], row["pattern"]) for row in found] == [
        *(("1", str(n), "squat") for n in (1, 2, 3)),
        *(("2", str(n), p) for n, p in enumerate(("squat", "hinge", "hinge"), 1)),
        ("2", "4", "hinge"),
        *(("3", "1", "squat"), ("3", "2", "hinge")),
    ]
    first, changed, added = found[0], found[3], found[6]
    assert (first["exercise"], first["load_kg"], first["set_note"]) == ("Back squat", "82.5", NASTY)
    assert found[2]["load_kg"] == "60.0"
    assert (changed["pattern"], changed["measured_pattern"], changed["trunk_angle_deg"]) == ("squat", "hinge", "17.2")
    assert (added["added"], added["measured_pattern"], added["trunk_angle_deg"], added["note"]) == (
        "true",
        "",
        "",
        "'=1+1",
    )
    assert first["trained_at"] == "2026-03-10T17:30:00+00:00"


def test_parquet_holds_the_rows_of_the_csv_typed(stored, tmp_path):
    table = pd.read_parquet(export(stored, Format.PARQUET, tmp_path / "a.parquet"))
    text = pd.read_csv(export(stored, Format.CSV, tmp_path / "a.csv"), parse_dates=["trained_at"])
    assert list(table.columns) == list(text.columns) == list(rows_module.COLUMNS)
    numbers = [name for name, (kind, _) in rows_module.COLUMNS.items() if kind in {int, float, bool}]
    pd.testing.assert_frame_equal(table[numbers], text[numbers])
    assert (table["trained_at"] == NOW - timedelta(hours=1)).all()
    assert table["note"].isna().sum() == len(table) - 1


@pytest.mark.parametrize("note", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_of_the_csv_is_a_formula(store, tmp_path, note):
    number = keep(store, summary([SQUAT] * 2))
    store.correct(number, WriteNote(1.0, note), made_at=NOW)
    store.correct(number, NameExercise(1.0, note), made_at=NOW)
    stored = replace(store.load(number), source=note)
    with export(stored, Format.CSV, tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            assert [row[name] for name in ("recording", "exercise", "set_note")] == [f"'{note}"] * 3
            assert row["trunk_lead_s"].lstrip("-")[0].isdigit()  # a negative number stays a number
    assert set(pd.read_parquet(export(stored, Format.PARQUET, tmp_path / "a.parquet"))["exercise"]) == {note}


@pytest.mark.parametrize("source", ["/home/anna/data/a.mcap", "C:\\Users\\Anna\\a.mcap", "/home/anna/week.zip/a.mcap"])
def test_an_export_names_the_recording_without_its_folders(stored, tmp_path, source):
    session = replace(stored, source=source)
    texts = [export(session, form, tmp_path / f"a.{form}").read_text(encoding="utf-8") for form in ("csv", "json")]
    assert all("a.mcap" in text and "nna" not in text for text in texts)
    table = pd.read_parquet(export(session, Format.PARQUET, tmp_path / "a.parquet"))
    assert set(table["recording"]) == {"a.mcap"}


@pytest.mark.parametrize("form", [Format.CSV, Format.PARQUET])
def test_a_session_without_repetitions_is_a_table_without_rows(store, tmp_path, form):
    path = export(store.load(keep(store, summary())), form, tmp_path / "a")
    table = pd.read_csv(path) if form is Format.CSV else pd.read_parquet(path)
    assert (list(table.columns), len(table)) == (list(rows_module.COLUMNS), 0)


def test_json_is_one_array_of_the_objects_of_review(stored, store, tmp_path):
    other = store.load(keep(store, TRAINED, 2))
    (path,) = export_sessions([stored, other], Format.JSON, tmp_path / "a.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found == [stored_object(stored), stored_object(other)]
    assert found[0]["totals"] == {"squat": 5, "hinge": 4, "uncertain": 0}
    assert [one["kind"] for one in found[0]["corrections"]][:2] == ["name exercise", "enter load"]
    assert found[0]["started_at"] == (NOW - timedelta(hours=1)).isoformat()
    changed, added = found[0]["sets"][1]["reps"][0], found[0]["sets"][1]["reps"][3]
    assert (changed["pattern"], changed["confidence"]) == ("squat", 1.0)
    assert changed["measured"] == {"pattern": "hinge", "confidence": 0.97}
    assert (added["added"], added["hip_drop_m"], added["start_s"], added["note"]) == (True, None, 120.0, "=1+1")
    assert list(added)[:17] == list(changed)[:17]
    assert [one["start_s"] for one in found[0]["deleted"]] == [3.0]
    assert not {"corrections", "deleted", "started_at"} & set(found[1])


def test_a_correction_that_is_not_applied_is_exported_with_the_reason(stored, store):
    again = store.save(summary(), "x", content_hash(1), saved_at=NOW, software_version="2")
    corrections = stored_object(store.load(again))["corrections"]
    assert [correction.get("not_applied") for correction in corrections][:2] == ["no set is counted at 1.0 s"] * 2


# --- FIT -------------------------------------------------------------------------------------------------------------


def read_fit(content, name):
    """Read messages with a reader of another maker; every checksum and definition is checked."""
    strict = {"check_crc": fitdecode.CrcCheck.RAISE, "error_handling": fitdecode.ErrorHandling.RAISE}
    with fitdecode.FitReader(content, **strict) as reader:
        return [
            {field.name: field.value for field in frame.fields if field.value is not None}
            for frame in reader
            if frame.frame_type == fitdecode.FIT_FRAME_DATA and frame.name == name
        ]


def test_fit_has_each_set_with_its_load_and_each_rest(stored):
    content = fit_file(stored)
    began = (NOW - timedelta(hours=1)).replace(microsecond=0)
    found = read_fit(content, "set")
    kinds = ["active", "rest", "active", "rest", "active", "rest", "active"]
    assert [one["set_type"] for one in found] == kinds  # set 1 has two loads, with the pause between them as a rest
    assert [one["message_index"] for one in found] == list(range(7))
    active = [one for one in found if one["set_type"] == "active"]
    assert [one["repetitions"] for one in active] == [2, 1, 4, 2]
    assert [one.get("weight") for one in active] == [82.5, 60.0, None, None]
    assert [one["category"] for one in active] == ["squat", "squat", "unknown", "unknown"]  # mixed ones are left open
    assert active[0]["category_subtype"] == 6  # barbell_back_squat, found by its name
    assert "category_subtype" not in active[2]
    assert active[2]["start_time"] == began + timedelta(seconds=100)
    assert active[2]["duration"] == 22.0
    assert [one["duration"] for one in found if one["set_type"] == "rest"][1:] == pytest.approx([88.7, 78.0])


def test_fit_is_a_strength_training_of_its_length(stored):
    content = fit_file(stored)
    (file_id,), (session,) = read_fit(content, "file_id"), read_fit(content, "session")
    (lap,), (activity,) = read_fit(content, "lap"), read_fit(content, "activity")
    assert (file_id["type"], file_id["manufacturer"]) == ("activity", "development")
    assert (session["sport"], session["sub_sport"]) == ("training", "strength_training")
    began = (NOW - timedelta(hours=1)).replace(microsecond=0)
    assert session["start_time"] == lap["start_time"] == file_id["time_created"] == began
    assert session["total_elapsed_time"] == lap["total_timer_time"] == activity["total_timer_time"] == 230.0
    assert activity["timestamp"] == began + timedelta(seconds=230)
    assert [one["event_type"] for one in read_fit(content, "event")] == ["start", "stop_all"]
    assert [one["total_cycles"] for one in read_fit(content, "record")] == list(range(10))
    assert [one["wkt_step_name"] for one in read_fit(content, "exercise_title")] == ["Back squat"] * 2


def test_fit_of_a_recording_whose_clock_does_not_begin_at_zero(store):
    moved = summary([SQUAT] * 2, duration_s=20.0)
    moved = replace(moved, gaps=(), sets=(type(moved.sets[0])((repetition(SQUAT, 1e9), repetition(SQUAT, 1e9 + 4))),))
    (one,) = read_fit(fit_file(store.load(keep(store, moved))), "set")
    assert one["start_time"] == NOW.replace(microsecond=0)


def test_fit_of_a_clock_that_was_never_set_and_of_long_names(store):
    number = keep(store, TRAINED, started_at=datetime(1970, 1, 1, tzinfo=UTC))
    store.correct(number, NameExercise(1.0, "ü" * 80), made_at=NOW)
    content = fit_file(store.load(number))
    assert read_fit(content, "file_id")[0]["time_created"] == NOW.replace(microsecond=0)
    assert read_fit(content, "exercise_title")[0]["wkt_step_name"] == "ü" * 80


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("Romanian deadlifts", HINGE, ("deadlift", 23)),
        ("Goblet Squat", SQUAT, ("squat", 37)),
        ("deadlift", HINGE, ("deadlift", 0)),
        ("Kettlebell swing", HINGE, ("hip_raise", 23)),
        ("Grandmother's favourite", HINGE, ("deadlift", None)),
    ],
)
def test_fit_names_exercises(store, name, pattern, expected):
    number = keep(store, summary([pattern] * 3))
    store.correct(number, NameExercise(1.0, name), made_at=NOW)
    (one,) = read_fit(fit_file(store.load(number)), "set")
    assert (one["category"], one.get("category_subtype")) == expected


@given(measured=trained_sessions(), log=st.lists(any_corrections, max_size=5))
def test_every_session_gives_files_that_others_can_read(measured, log):
    with in_memory() as store:
        number = keep(store, measured)
        for correction in log:
            try:
                store.correct(number, correction, made_at=NOW)
            except CorrectionRefused:
                continue
        stored = store.load(number)
        Page().feed(report_on(store))
    counted = sum(len(one_set.repetitions) for one_set in stored.corrected.sets)
    active = [one for one in read_fit(fit_file(stored), "set") if one["set_type"] == "active"]
    assert sum(one["repetitions"] for one in active) == counted
    assert len(list(rows_module.rows([stored]))) == counted
    json.dumps(stored_object(stored), allow_nan=False)


def test_several_sessions_are_a_folder_of_fit_files(stored, store, tmp_path):
    other = store.load(keep(store, TRAINED, 2))
    written = export_sessions([stored, other], Format.FIT, tmp_path / "fit")
    assert [path.name for path in written] == ["2026-03-10_1730_session_1.fit", "2026-03-10_1830_session_2.fit"]
    written[0].unlink()
    before = written[1].read_bytes()
    with pytest.raises(FileThere):
        export_sessions([stored, other], Format.FIT, tmp_path / "fit")
    assert [path.name for path in (tmp_path / "fit").iterdir()] == [written[1].name]
    assert written[1].read_bytes() == before


def test_several_sessions_do_not_go_into_one_fit_file(stored, store, tmp_path):
    other = store.load(keep(store, TRAINED, 2))
    with pytest.raises(NotWritten, match=r"holds one session and there are 2; name a folder, such as two$"):
        export_sessions([stored, other], Format.FIT, tmp_path / "two.fit")
    assert list(tmp_path.iterdir()) == []


def test_fit_without_its_library_names_the_command(stored, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imu.app.fit_file", None)
    with pytest.raises(ExtraMissing, match=r"python -m pip install"):
        export(stored, Format.FIT, tmp_path / "a.fit")


# --- The page --------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Takes a page apart, and complains about elements that are not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in {"meta"}:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_data(self, text):
        self.text += text


def report_on(store, **selected):
    return html_report(store, Selection(**selected), NOW)


def page_of(store, **selected):
    page = Page()
    page.feed(report_on(store, **selected))
    assert page.open == []
    return page


@pytest.mark.usefixtures("stored")
def test_the_report_loads_nothing_and_runs_nothing(store):
    keep(store, TRAINED, 2)
    page = page_of(store)
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "form", "a", "b"}
    policy = [found["content"] for name, found in page.elements if found.get("http-equiv") == "Content-Security-Policy"]
    assert policy == [POLICY]
    addresses = [v for _, found in page.elements for k, v in found.items() if k in {"src", "href", "xlink:href"}]
    assert addresses == []
    assert "http" not in report_on(store).replace("http-equiv", "")
    assert re.findall(r"url\(([^)]*)\)", report_on(store)) == ["#hatch"]


def test_a_report_has_the_entries_but_no_file_name_and_no_corrections(store, stored):
    page = page_of(store, sessions=(stored.id,), name="Anna <3")
    for said in ("</td><script>alert('1')</script>&\"", "82.5 kg / 60 kg", "Back squat", "Anna <3", "Sets; tempo"):
        assert said in page.text, said
    for kept_back in ("walk.mcap", "deleted", "measured as", "not counted", "sat down"):
        assert kept_back not in page.text, kept_back


@pytest.mark.usefixtures("stored")
def test_charts_have_words_and_shapes_and_not_only_colours(store):
    page = page_of(store, sessions=(1, keep(store, TRAINED, 2)))
    charts = [found for name, found in page.elements if name == "svg" and found.get("role") == "img"]
    assert len(charts) == 6  # two of each session, repetitions and volume of the weeks
    assert all(found["aria-label"] for found in charts)
    marks = [(name, found["class"]) for name, found in page.elements if found.get("class", "").startswith("mark ")]
    shapes = {pattern.split()[1]: name for name, pattern in marks}
    assert shapes == {"squat": "circle", "hinge": "polygon", "uncertain": "rect"}
    assert {name for name, mark in marks if mark == "mark squat"} == {"circle"}
    assert "prefers-color-scheme: dark" in page.text
    assert "counter(page)" in page.text and "@media print" in page.text


def trained_for(store, sessions):
    """Squats of 60 kg and more, one session every third day."""
    for number in range(sessions):
        planned = [PlannedSet(1.0, "back squat", 60.0 + number), PlannedSet(101.0, "deadlift", 100.0)]
        day = NOW + timedelta(days=3 * number)
        keep(store, TRAINED, number + 10, day, started_at=day, planned=planned)


def test_a_chart_of_one_day_names_no_later_one():
    for points, days in (((0.0, 3600.0), ["1 Jan 1970"]), ((0.0, 86400.0), ["1 Jan 1970", "2 Jan 1970"])):
        chart = lines([(when_s, 80.0) for when_s in points], SQUAT, "heaviest", "kg")
        assert [one.text for one in chart.labels if "1970" in one.text] == days


def test_a_year_is_a_summary_with_charts_of_progress(store):
    trained_for(store, 100)
    page = page_of(store, name="Anna")
    assert "100 sessions, 300 sets" in page.text
    assert "December 2026" in page.text and "Sets; tempo" not in page.text
    assert sum(name == "tr" for name, _ in page.elements) < 60
    assert "Back squat: heaviest set of each session, kg" in page.text
    assert len(report_on(store)) < 200_000


@pytest.mark.browser
def test_a_year_prints_on_four_pages_and_a_session_on_two(store, tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: sudo apt-get install chromium")
    trained_for(store, 100)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        for selected, paper, most in (({}, "A4", 4), ({}, "Letter", 4), ({"sessions": (1,)}, "Letter", 2)):
            page.set_content(report_on(store, **selected))
            printed = page.pdf(format=paper)
            assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) <= most, (selected, paper)
        browser.close()


def test_form_is_said_in_plain_sentences_with_the_number_of_sets(store):
    trained_for(store, 5)
    assert "The squats stayed upright at the bottom (in 5 of " in page_of(store).text


def test_a_report_praises_only_what_holds_for_most_sets():
    def form(*said: str) -> list[str]:
        sets = [SimpleNamespace(form=(one,) if one else (), pattern=HINGE) for one in said]
        return _form([SimpleNamespace(sets=sets)])

    assert form(WELL_BENT, WELL_BENT, "") == [f"{WELL_BENT} (in 2 of 3 hinge sets)."]
    assert form(WELL_BENT, "") == []
    assert form("The depth differed between repetitions", "", "") != []


def test_the_axis_of_a_chart_has_its_thousands_apart_as_tables_have():
    chart = lines([(0.0, 4600.0), (1e6, 5900.5)], SQUAT, "Volume", "kg")
    space = "\N{NARROW NO-BREAK SPACE}"
    assert {f"2{space}000", f"6{space}000"} <= {one.text for one in chart.labels}
    assert chart.marks[1].title.endswith(f": 5{space}900.5 kg")
    chart = columns(["1 Mar"], [12500], [30000], "Volume", "kg")
    assert [one.inside for one in chart.bars] == [f"12{space}500", f"30{space}000"]
    assert chart.bars[0].title == f"1 Mar: 12{space}500 kg, squats"
    longest = max(chart.labels, key=lambda one: len(one.text))
    assert longest.x - 8 * len(longest.text) >= 0, "8 units a digit: none is cut at the left"


def test_a_report_is_of_days_or_of_one_exercise(store):
    trained_for(store, 10)
    some = page_of(store, first=NOW.date() + timedelta(days=3), last=NOW.date() + timedelta(days=6))
    assert "2 sessions" in some.text and "13 March 2026 to 16 March 2026" in some.text
    squats = page_of(store, exercise="Back squats")
    assert "69 kg × 4, 6 Apr 2026" in squats.text and "deadlift" not in squats.text
    bars = [found["class"] for name, found in squats.elements if found.get("class", "").startswith("bar ")]
    assert set(bars) == {"bar squat"}  # what else was trained in these sessions is not in its weeks
    with pytest.raises(SessionNotFound, match="no session with curl is in this period"):
        page_of(store, exercise="curl")
    store.show_loads_in_lb(in_lb=True)
    assert "152.1 lb × 4" in page_of(store, exercise="back squat").text


def test_a_report_of_nothing_much(store):
    keep(store, summary(), 1)
    store.correct(keep(store, summary(), 2), AddRepetition(1.0, 3.0, UNCERTAIN), made_at=NOW)
    assert "1 uncertain" in page_of(store).text
    assert "nothing" in page_of(store, sessions=(1,)).text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), min_size=1))
@example("<b>&amp;\"'</dd>{{ 7 * 7 }}{% raw %}")
@pytest.mark.usefixtures("stored")
def test_no_text_becomes_markup(store, text):
    page, plain = page_of(store, name=text), page_of(store, name="a")
    assert [name for name, _ in page.elements] == [name for name, _ in plain.elements]
    assert text in page.text


# --- Files -----------------------------------------------------------------------------------------------------------


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", [one for one in Format if one is not Format.HTML])
def test_no_file_is_overwritten_by_accident(stored, tmp_path, form):
    path = tmp_path / f"a.{form}"
    path.write_bytes(b"precious")
    with pytest.raises(FileThere, match=r"exists already and was left alone; name another file, or use --force"):
        export(stored, form, path)
    assert (path.read_bytes(), names_in(tmp_path)) == (b"precious", [path.name])
    export_sessions([stored], form, path, overwrite=True)
    assert path.read_bytes() != b"precious"
    assert names_in(tmp_path) == [path.name]


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "a.csv"
    os.mkfifo(pipe)
    with pytest.raises(NotWritten, match="is no file and was left alone"), new_file(pipe, overwrite=True):
        pass
    assert pipe.is_fifo()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, OSError(28, "No space left on device")])
def test_a_file_that_cannot_be_finished_is_not_there(tmp_path, error):
    path = tmp_path / "a.csv"
    with pytest.raises((KeyboardInterrupt, ZeroDivisionError, NotWritten)), new_file(path) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert names_in(tmp_path) == []


def test_a_file_that_another_program_made_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "a.csv"
    with pytest.raises(FileThere), new_file(path) as temporary:
        temporary.write_bytes(b"mine")
        path.write_bytes(b"theirs")
    assert (path.read_bytes(), names_in(tmp_path)) == (b"theirs", ["a.csv"])


def test_a_place_without_links_will_do(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with new_file(tmp_path / "a.csv") as temporary:
        temporary.write_bytes(b"mine")
    assert (tmp_path / "a.csv").read_bytes() == b"mine"
    with pytest.raises(FileThere), new_file(tmp_path / "b.csv") as temporary:
        temporary.write_bytes(b"mine")
        (tmp_path / "b.csv").write_bytes(b"theirs")
    assert names_in(tmp_path) == ["a.csv", "b.csv"]


def test_a_place_where_no_file_can_be(stored, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotWritten, match="cannot be written"):
        export(stored, Format.CSV, tmp_path / "file" / "a.csv")
    with pytest.raises(FileThere):
        export(stored, Format.CSV, tmp_path)
    with pytest.raises(ValueError, match="no session"):
        export_sessions([], Format.CSV, tmp_path / "a.csv")


# --- Backup and restore ----------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    (folder / "recordings" / "phone").mkdir(parents=True)
    (folder / "recordings" / "a.mcap").write_bytes(b"abc" * 1000)
    (folder / "recordings" / "phone" / "Größe.csv").write_bytes(b"def")
    (folder / "sensor.json").write_text("{}")
    with SessionStore.open(folder / "sessions.db") as store:
        keep(store, TRAINED, 1)
        store.correct(1, EnterLoad(1.0, 80.0), made_at=NOW)
        keep(store, TRAINED, 2)
    return folder


@pytest.fixture
def zipped(home, tmp_path):
    path = tmp_path / "backup.zip"
    assert write_backup(home, path, made_at=NOW, software_version="1") == (2, 2)
    return path


def state(folder):
    """Everything that a person has in a folder."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: content for name, content in files.items() if name != "sessions.db"}, sessions_in(folder)


def sessions_in(folder):
    if not (folder / "sessions.db").exists():
        return None
    with SessionStore.open(folder / "sessions.db") as store:
        return [store.load(line.id) for line in store.list()]


def test_a_backup_restores_everything(home, zipped, tmp_path):
    new = tmp_path / "deep" / "new"
    restored = restore_backup(zipped, new, now=NOW)
    assert (restored.sessions, restored.recordings, restored.before) == (2, 2, None)
    files, kept = state(home)
    del files["sensor.json"]
    assert state(new) == (files, kept)
    with SessionStore.open(new / "sessions.db") as store:
        assert store.undo(1) == EnterLoad(1.0, 80.0)
    assert names_in(new) == ["recordings", "sessions.db"]
    assert names_in(tmp_path) == ["backup.zip", "deep", "home"]


def test_a_backup_holds_the_name_as_it_is_written_and_a_restore_keeps_one_that_is_there(home, tmp_path):
    (home / NAME_FILE).write_text("Änne B.\n", encoding="utf-8")
    write_backup(home, tmp_path / "b.zip", made_at=NOW, software_version="1")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / NAME_FILE).write_text("Ben\n", encoding="utf-8")
    for folder, name in (("new", "Änne B.\n"), ("there", "Ben\n")):
        assert restore_backup(tmp_path / "b.zip", tmp_path / folder, now=NOW).recordings == 2
        assert (tmp_path / folder / NAME_FILE).read_text(encoding="utf-8") == name
        assert names_in(tmp_path / folder) == [NAME_FILE, "recordings", "sessions.db"]


def test_a_backup_is_of_one_state_while_others_write(home, tmp_path):
    with SessionStore.open(home / "sessions.db") as store:
        store._connection.execute("BEGIN IMMEDIATE")
        store._connection.execute("DELETE FROM session")
        write_backup(home, tmp_path / "b.zip", made_at=NOW, software_version="1")
        store._connection.execute("ROLLBACK")
    assert restore_backup(tmp_path / "b.zip", tmp_path / "new", now=NOW).sessions == 2


def test_a_backup_is_not_overwritten_and_an_empty_home_has_no_backup(home, zipped, tmp_path):
    before = zipped.read_bytes()
    with pytest.raises(FileThere):
        write_backup(home, zipped, made_at=NOW, software_version="1")
    assert zipped.read_bytes() == before
    with pytest.raises(NotWritten, match="nothing to back up"):
        write_backup(tmp_path / "none", tmp_path / "b.zip", made_at=NOW, software_version="1")
    assert names_in(tmp_path) == ["backup.zip", "home"]


def test_a_restore_overwrites_only_when_asked_and_then_loses_nothing(home, zipped):
    with SessionStore.open(home / "sessions.db") as store:
        store.delete(2)
        keep(store, summary([HINGE]), 3)
    (home / "recordings" / "a.mcap").write_bytes(b"newer")
    before = state(home)
    with pytest.raises(FileThere, match=r"recordings and sessions\.db already and was left alone; with --force"):
        restore_backup(zipped, home, now=NOW)
    assert state(home) == before
    restored = restore_backup(zipped, home, now=NOW, force=True)
    assert [one.id for one in sessions_in(home)] == [2, 1]
    assert (home / "recordings" / "a.mcap").read_bytes() == b"abc" * 1000
    assert restored.before.parent == home
    assert [one.summary for one in sessions_in(restored.before)] == [summary([HINGE]), TRAINED]
    assert (restored.before / "recordings" / "a.mcap").read_bytes() == b"newer"
    assert names_in(home) == [restored.before.name, "recordings", "sensor.json", "sessions.db"]


@pytest.mark.parametrize("step", range(4))
def test_a_restore_that_fails_half_way_takes_everything_back(home, zipped, monkeypatch, step):
    with SessionStore.open(home / "sessions.db") as store:
        store.delete(2)
    before, made = state(home), []
    real_rename, real_replace = Path.rename, Path.replace

    def failing(real):
        def act(self, target):
            made.append(target)
            if len(made) == step + 1 and self.name != "sessions.db-journal":
                raise OSError(5, "Input/output error")
            return real(self, target)

        return act

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", failing(real_rename))
        patched.setattr(Path, "replace", failing(real_replace))
        if step < 3:
            with pytest.raises(NotWritten, match="all in it is as it was"):
                restore_backup(zipped, home, now=NOW, force=True)
        else:  # there are three steps and no more
            restore_backup(zipped, home, now=NOW, force=True)
    if step < 3:
        assert state(home) == before
        assert names_in(home) == ["recordings", "sensor.json", "sessions.db"]
    else:
        assert len(sessions_in(home)) == 2


@pytest.mark.process
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("step", range(3))
def test_a_restore_that_is_killed_leaves_a_whole_store_and_loses_nothing(home, zipped, step):
    with SessionStore.open(home / "sessions.db") as store:
        store.delete(2)
    code = """
        import os, signal, sys
        from datetime import UTC, datetime
        from pathlib import Path
        from imu.store.backup import restore_backup
        steps = iter(range(9))
        def killing(real):
            def act(self, target):
                if next(steps) == int(sys.argv[3]):
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(self, target)
            return act
        Path.rename, Path.replace = killing(Path.rename), killing(Path.replace)
        restore_backup(Path(sys.argv[1]), Path(sys.argv[2]), now=datetime.now(UTC), force=True)
    """
    command = [sys.executable, "-c", dedent(code), str(zipped), str(home), str(step)]
    assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == -signal.SIGKILL
    assert [one.id for one in sessions_in(home)] == [1]  # the old store: the new one comes last, in one step
    kept = [path for path in home.rglob("a.mcap") if path.read_bytes() == b"abc" * 1000]
    assert len(kept) == 2  # the old and the new recording, wherever they are


def rewrite(path, change):
    """Write a zip again after `change` has changed a dict of its files."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def manifest_with(files, /, **changes):
    files["manifest.json"] = json.dumps(json.loads(files["manifest.json"]) | changes).encode()


def named(files, name, content=b"evil"):
    """Put a file in, with its entry in the manifest."""
    entry = {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    files[name] = content
    others = [entry for entry in json.loads(files["manifest.json"])["files"] if entry["name"] != name]
    manifest_with(files, files=[*others, entry])


def with_store(files, sql):
    """Run a statement in the store of a backup, and put the result in with the right hash."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(files["sessions.db"])
        connection.execute(sql)
        named(files, "sessions.db", connection.serialize())


@pytest.mark.parametrize(
    "damage",
    [
        lambda files: files.pop("manifest.json"),
        lambda files: files.pop("sessions.db"),
        lambda files: files.pop("recordings/a.mcap"),
        lambda files: files.update({"recordings/a.mcap": b"xbc" * 1000}),
        lambda files: files.update({"recordings/a.mcap": b"abc" * 999}),
        lambda files: files.update({"recordings/a.mcap": b"abc" * 10000}),
        lambda files: files.update({"recordings/more": b"not in the manifest"}),
        lambda files: files.update({"manifest.json": b"[]"}),
        lambda files: files.update({"manifest.json": b"\xff"}),
        lambda files: manifest_with(files, format="photos"),
        lambda files: manifest_with(files, version=2),
        lambda files: manifest_with(files, version=float("inf")),
        lambda files: manifest_with(files, version=float("nan")),
        lambda files: manifest_with(files, files=[{"name": "sessions.db", "size": float("inf"), "sha256": ""}]),
        lambda files: files.update({"manifest.json": b"[" * 100_000}),
        lambda files: manifest_with(files, files=[]),
        lambda files: named(files, "../outside"),
        lambda files: named(files, "recordings/../../outside"),
        lambda files: named(files, "/tmp/outside"),
        lambda files: named(files, "recordings\\..\\..\\outside"),
        lambda files: named(files, "C:/outside"),
        lambda files: named(files, "config.ini"),
        lambda files: (files.pop("sessions.db"), named(files, "sessions.db", b"no store")),
        lambda files: with_store(files, "CREATE TRIGGER t AFTER INSERT ON repetition BEGIN DELETE FROM gap; END"),
        lambda files: with_store(files, "UPDATE session SET duration_s = 9e999"),
        lambda files: with_store(files, "UPDATE correction SET what = '{}'"),
        lambda files: with_store(files, "PRAGMA user_version = 4"),
    ],
)
def test_a_damaged_or_foreign_backup_is_refused_before_anything_is_touched(home, zipped, damage, tmp_path):
    before, around = state(home), names_in(tmp_path)
    rewrite(zipped, damage)
    with pytest.raises(BackupDamaged, match=r"backup\.zip .*; (take another backup|update the program)"):
        restore_backup(zipped, home, now=NOW, force=True)
    assert state(home) == before
    with pytest.raises(BackupDamaged):
        restore_backup(zipped, tmp_path / "new", now=NOW)
    assert names_in(tmp_path) == around


def test_a_backup_compressed_by_another_program_and_damaged_is_refused(home, zipped):
    with zipfile.ZipFile(zipped) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    content = bytearray(zipped.read_bytes())
    content[200:220] = b"\xff" * 20
    zipped.write_bytes(content)
    with pytest.raises(BackupDamaged, match="is damaged at"):
        restore_backup(zipped, home, now=NOW, force=True)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\3\4" + bytes(100)])
def test_a_file_that_is_no_backup(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(BackupDamaged, match=r"x\.zip is damaged or no backup"):
        restore_backup(tmp_path / "x.zip", tmp_path / "new", now=NOW)
    with pytest.raises(BackupDamaged, match="it is not a file"):
        restore_backup(tmp_path, tmp_path / "new", now=NOW)
    with pytest.raises(BackupDamaged, match="does not exist; name the file"):
        restore_backup(tmp_path / "y.zip", tmp_path / "new", now=NOW)
    assert names_in(tmp_path) == ["x.zip"]


def test_force_is_not_advised_for_a_file_that_cannot_be_restored(home, tmp_path):
    with pytest.raises(BackupDamaged, match="does not exist"):
        restore_backup(tmp_path / "nofile.zip", home, now=NOW)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), value=st.binary(min_size=1, max_size=20))
@example(place=0.9999999999999999, value=b"\x01\x00")  # the directory is said to begin before the file
def test_any_damage_is_found_or_does_not_matter(tmp_path_factory, place, value):
    folder = tmp_path_factory.mktemp("damage")
    with SessionStore.open(folder / "home" / "sessions.db") as store:
        keep(store, TRAINED)
    write_backup(folder / "home", folder / "b.zip", made_at=NOW, software_version="1")
    content = bytearray((folder / "b.zip").read_bytes())
    start = int(place * (len(content) - len(value)))
    content[start : start + len(value)] = value
    (folder / "b.zip").write_bytes(content)
    try:
        restore_backup(folder / "b.zip", folder / "new", now=NOW)
    except BackupDamaged:
        assert not (folder / "new").exists()
    else:
        assert sessions_in(folder / "new") == sessions_in(folder / "home")
    shutil.rmtree(folder)


def test_a_backup_by_a_newer_program_asks_for_an_update(home, zipped, tmp_path):
    rewrite(zipped, lambda files: manifest_with(files, version=backup_module.VERSION + 1))
    with pytest.raises(BackupDamaged, match="newer version of this program; update"):
        restore_backup(zipped, tmp_path / "new", now=NOW)


def test_a_recording_of_a_restored_session_is_found_in_its_new_place(home, tmp_path):
    recording = home / "recordings" / "a.mcap"
    from imu.store import hash_of

    with SessionStore.open(home / "sessions.db") as store:
        number = store.save(TRAINED, recording, hash_of(recording), saved_at=NOW, software_version="1")
    write_backup(home, tmp_path / "b.zip", made_at=NOW, software_version="1")
    home.rename(tmp_path / "old")
    restore_backup(tmp_path / "b.zip", tmp_path / "new", now=NOW)
    with SessionStore.open(tmp_path / "new" / "sessions.db") as store:
        assert store.delete(number, tmp_path / "new" / "recordings").name == "a.mcap"
    assert (tmp_path / "old" / "recordings" / "a.mcap").exists()


def test_links_are_not_followed_out_of_the_folder(home, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (home / "recordings" / "link.csv").symlink_to(tmp_path / "secret")
    write_backup(home, tmp_path / "b.zip", made_at=NOW, software_version="1")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert "recordings/link.csv" not in archive.namelist()


def test_the_store_in_a_backup_is_an_ordinary_one(zipped, tmp_path):
    with zipfile.ZipFile(zipped) as archive:
        archive.extract("sessions.db", tmp_path)
    connection = sqlite3.connect(tmp_path / "sessions.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert zipped.stat().st_size < 1_000_000
