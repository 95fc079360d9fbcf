"""The session store on real files: exact round trips, several programs at once, kills, foreign and damaged files."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from builders import HINGE, NOW, SQUAT, UNCERTAIN, USUAL, content_hash, contents, keep, query, repetition, summary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imu.errors import RecordingDamaged, SessionNotFound, StoreDamaged
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.samples import Gap, RowFaults
from imu.session import SessionSummary, TrainingSet
from imu.store import Balance, SessionStore, database, hash_of, sessions
from imu.store.database import SCHEMA_VERSION

SCHEMA = Path(database.__file__).with_name("schema.sql")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "sessions.db"


@pytest.fixture
def store(path):
    with SessionStore.open(path) as opened:
        yield opened


# --- Round trip

finite = st.floats(allow_nan=False, allow_infinity=False)
times = st.floats(min_value=-1e9, max_value=1e9)
counts = st.integers(0, 2**63 - 1)


@st.composite
def repetitions(draw):
    start_s, bottom_s, end_s = sorted(draw(st.lists(times, min_size=3, max_size=3, unique=True)))
    confirmed_s = draw(st.floats(min_value=end_s, max_value=2e9))
    pattern = draw(st.sampled_from([SQUAT, HINGE, UNCERTAIN]))
    confidence = draw(st.floats(0.0, 1.0))
    rest = {field.name: draw(finite) for field in fields(Repetition)[6:-3]}
    rest |= {name: draw(st.none() | finite) for name in ("counting_log_odds", "hinge_log_odds")}
    rest["drop_from_standing"] = draw(st.none() | st.booleans())
    return Repetition(start_s, bottom_s, end_s, confirmed_s, pattern, confidence, **rest)


gaps = st.tuples(finite, finite).filter(lambda ends: ends[0] < ends[1]).map(lambda ends: Gap(*ends))
texts = st.text(st.characters(exclude_categories=["Cs"]))
summaries = st.builds(
    SessionSummary,
    duration_s=finite,
    sampling_rate_hz=st.none() | finite,
    samples=counts,
    gaps=st.lists(gaps, max_size=4).map(tuple),
    faults=st.builds(RowFaults, counts, counts, counts, counts),
    sets=st.lists(
        st.lists(repetitions(), min_size=1, max_size=3).map(lambda made: TrainingSet(tuple(made))), max_size=3
    ).map(tuple),
    rejected=st.lists(
        st.builds(RejectedMovement, finite, finite, texts, st.none() | repetitions(), st.none() | finite), max_size=3
    ).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(first=summaries, second=summaries)
def test_any_summary_comes_back_equal(tmp_path_factory, first, second):
    path = tmp_path_factory.mktemp("round_trip") / "sessions.db"
    with SessionStore.open(path) as store:
        one, two = keep(store, first, 1), keep(store, second, 2)
        assert store.load(one).summary == first
        assert keep(store, second, 1) == one
    with SessionStore.open(path) as store:
        assert store.load(one).summary == second
        assert store.load(two).summary == second


def test_types_come_back_too(store):
    loaded = store.load(keep(store)).summary
    assert repr(loaded) == repr(USUAL)


def test_more_than_nine_sets_stay_in_order(store):
    many = summary(*([SQUAT] * 12 for _ in range(12)))
    assert store.load(keep(store, many)).summary == many


def test_numpy_numbers_are_kept(store):
    given_by_numpy = replace(USUAL, samples=np.int64(6120), duration_s=np.float64(61.2))
    assert store.load(keep(store, given_by_numpy)).summary == USUAL


def test_the_facts_of_a_session_come_back(store):
    started_at = datetime(2026, 3, 10, 9, 0, tzinfo=timezone(timedelta(hours=-8)))
    session = store.load(keep(store, started_at=started_at))
    assert (session.id, session.source, session.content_hash) == (1, "walk 1.csv", content_hash(1))
    assert (session.saved_at, session.started_at, session.software_version) == (NOW, started_at, "1.2")
    assert query(store._path, "SELECT saved_at, trained_at FROM session") == [
        ("2026-03-10T18:30:00.123456+00:00", "2026-03-10T17:00:00.000000+00:00")
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="file names are not bytes there")
def test_a_file_name_that_is_not_utf8_can_be_kept(store):
    name = os.fsdecode(b"tr\xe4ning.csv")
    session_id = store.save(USUAL, Path(name), content_hash(1), saved_at=NOW, software_version="1")
    assert store.load(session_id).source == r"tr\udce4ning.csv"


@pytest.mark.parametrize(
    "wrong", [{"content_hash": "abc"}, {"content_hash": "X" * 64}, {"saved_at": NOW.replace(tzinfo=None)}]
)
def test_wrong_arguments_are_refused(store, wrong):
    arguments = {"content_hash": content_hash(1), "saved_at": NOW, "software_version": "1"} | wrong
    with pytest.raises(ValueError, match=r"abc|XXX|time zone"):
        store.save(USUAL, "walk.csv", **arguments)
    assert store.list() == ()


def test_a_summary_with_nan_is_refused_and_the_stored_one_stays(store):
    keep(store)
    with pytest.raises(ValueError, match="trunk_lead_s"):
        broken = TrainingSet((replace(repetition(), trunk_lead_s=float("nan")),))
        keep(store, replace(USUAL, sets=(broken,)))
    assert store.load(1).summary == USUAL


# --- The same recording again


def test_saving_a_recording_again_replaces_the_measurement_and_keeps_the_number(store):
    better = summary([HINGE] * 3)
    keep(store, number=7)
    first = keep(store, number=1)
    again = store.save(better, "moved.csv", content_hash(1), saved_at=NOW + timedelta(days=3), software_version="2.0")
    assert again == first
    session = store.load(first)
    assert (session.summary, session.source, session.software_version) == (better, "moved.csv", "2.0")
    assert session.saved_at == NOW
    assert len(store.list()) == 2
    assert store.load(1).summary == USUAL
    assert query(store._path, "SELECT count(*) FROM repetition WHERE session_id = ?", first) == [(3,)]


def test_when_it_was_recorded_is_learned_but_not_forgotten(store):
    started_at = NOW - timedelta(days=1)
    keep(store)
    keep(store, started_at=started_at)
    assert store.load(keep(store)).started_at == started_at


@pytest.mark.parametrize("table", ["gap", "training_set", "rejected", "repetition"])
def test_a_measurement_cannot_be_changed(store, path, table):
    keep(store)
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        query(path, f"UPDATE {table} SET start_s = start_s - 1")
    assert store.load(1).summary == USUAL


# --- List, load, delete


def test_the_list_has_the_totals_and_the_last_trained_first(store):
    keep(store, USUAL, 1)
    keep(store, summary(), 2, saved_at=NOW + timedelta(hours=1))
    keep(store, summary([HINGE]), 3, saved_at=NOW + timedelta(hours=2), started_at=NOW - timedelta(days=300))
    keep(store, summary([SQUAT]), 4)
    lines = store.list()
    assert [line.id for line in lines] == [2, 4, 1, 3]
    usual = lines[2]
    assert (usual.sets, usual.squats, usual.hinges, usual.uncertain) == (3, 6, 5, 1)
    assert (usual.saved_at, usual.trained_at, usual.source, usual.duration_s) == (NOW, NOW, "walk 1.csv", 61.2)
    assert (lines[0].sets, lines[0].squats, lines[0].hinges, lines[0].uncertain) == (0, 0, 0, 0)
    assert lines[3].trained_at == NOW - timedelta(days=300)


def test_what_other_tools_read_of_a_set_agrees_with_it(store, path):
    keep(store)
    assert query(path, "SELECT start_s, end_s, pattern FROM training_set ORDER BY number") == [
        (training_set.start_s, training_set.end_s, training_set.pattern.value) for training_set in USUAL.sets
    ]


@pytest.mark.parametrize("number", [17, 0, -1, 10**30, -(10**30)])
def test_a_number_that_is_not_there(store, number):
    keep(store)
    sentence = f"there is no session {number}; `imu review` lists those that are kept"
    with pytest.raises(SessionNotFound, match=f"^{re.escape(sentence)}$"):
        store.load(number)
    with pytest.raises(SessionNotFound, match=f"^{re.escape(sentence)}$"):
        store.delete(number)
    assert len(store.list()) == 1


def test_deleting_takes_everything_of_one_session_and_its_number_is_not_given_again(store, path):
    keep(store, number=1)
    other = contents(path)
    deleted = keep(store, number=2)
    store.delete(deleted)
    assert [line for line in contents(path) if "sqlite_sequence" not in line] == [
        line for line in other if "sqlite_sequence" not in line
    ]
    with pytest.raises(SessionNotFound):
        store.load(deleted)
    assert keep(store, number=2) == deleted + 1


# --- Balance


def test_the_balance_counts_sets_of_the_last_days(store):
    alone = [RejectedMovement(410.0, 412.3, "alone", repetition(SQUAT, 410.0))]
    keep(store, summary([SQUAT] * 8, [HINGE], rejected=alone), 1)
    keep(store, summary([HINGE] * 2 + [UNCERTAIN]), 2, saved_at=NOW - timedelta(days=7) + timedelta(seconds=1))
    keep(store, summary([SQUAT] * 16), 3, saved_at=NOW - timedelta(days=7))
    keep(store, summary([HINGE] * 32), 4, saved_at=NOW, started_at=NOW - timedelta(days=20))
    keep(store, summary([SQUAT] * 64), 5, saved_at=NOW - timedelta(days=28))
    keep(store, summary([SQUAT] * 99), 6, saved_at=NOW + timedelta(seconds=1))
    assert store.balance(7, NOW) == Balance(days=7, squats=8, hinges=3)
    assert store.balance(28, NOW) == Balance(days=28, squats=24, hinges=35)
    assert store.balance(7, NOW.astimezone(timezone(timedelta(hours=9)))) == store.balance(7, NOW)
    with pytest.raises(ValueError, match="time zone"):
        store.balance(7, NOW.replace(tzinfo=None))


def test_the_balance_of_nothing(store):
    assert store.balance(28, NOW) == Balance(days=28, squats=0, hinges=0)
    assert store.days_since_trained(NOW) == {SQUAT: None, HINGE: None}


def test_days_since_trained_are_those_of_the_calendar(store):
    alone = [RejectedMovement(410.0, 412.3, "alone", repetition(HINGE, 410.0))]
    keep(store, summary([SQUAT]), 1, saved_at=NOW - timedelta(days=4))
    keep(store, summary([SQUAT], rejected=alone), 2, saved_at=NOW - timedelta(hours=8))
    keep(store, summary([HINGE]), 3, saved_at=NOW + timedelta(days=1))
    assert store.days_since_trained(NOW) == {SQUAT: 0, HINGE: None}
    the_same_morning = NOW.astimezone(timezone(timedelta(hours=14)))  # 08:30 there; the squats were at 00:30
    assert store.days_since_trained(the_same_morning) == {SQUAT: 0, HINGE: None}
    after_midnight = NOW.astimezone(timezone(timedelta(hours=6)))  # 00:30 there; the squats were at 16:30
    assert store.days_since_trained(after_midnight) == {SQUAT: 1, HINGE: None}
    assert store.days_since_trained(NOW + timedelta(days=3)) == {SQUAT: 3, HINGE: 2}


# --- Schema and version


def schema_of(connection):
    """The content of the file, without comments and spacing."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return {(kind, name): " ".join(re.sub(r"--.*", "", sql or "").split()) for kind, name, sql in rows}


def test_a_new_store_has_the_schema_of_schema_sql(store):
    described = sqlite3.connect(":memory:")
    described.executescript(SCHEMA.read_text(encoding="utf-8"))
    assert schema_of(store._connection) == schema_of(described)
    described.close()


def test_the_repetition_table_has_the_fields_of_a_repetition(store):
    columns = [row[1] for row in store._connection.execute("PRAGMA table_info(repetition)")]
    assert columns[4:] == [field.name for field in fields(Repetition)]


@pytest.mark.parametrize("make", [Path.touch, lambda path: query(path, "VACUUM")])
def test_an_empty_file_becomes_a_store(path, make):
    path.parent.mkdir()
    make(path)
    with SessionStore.open(path) as store:
        keep(store)
    assert query(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]


def test_opening_again_changes_no_byte(path):
    with SessionStore.open(path) as store:
        keep(store)
    before = path.read_bytes()
    with SessionStore.open(path) as store:
        assert len(store.list()) == 1
    assert path.read_bytes() == before


def test_a_store_that_cannot_be_created_is_left_empty(path, monkeypatch, tmp_path):
    broken = tmp_path / "schema.sql"
    broken.write_text("CREATE TABLE note (text);\nCREATE TABLE note (text);\n", encoding="utf-8")
    with monkeypatch.context() as patched, pytest.raises(StoreDamaged):
        patched.setattr(database, "__file__", str(tmp_path / "database.py"))
        SessionStore.open(path)
    assert contents(path) == contents(tmp_path / "empty.db")
    with SessionStore.open(path) as store:
        assert keep(store) == 1


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (99, r"sessions\.db was written by a newer version of this program .*; update the program$"),
        (4, r"sessions\.db was written by an older version of this program .*; move it elsewhere and run `imu replay"),
        (0, r"sessions\.db was written by an older version"),
    ],
)
def test_a_store_of_another_version_is_refused_and_left_alone(path, version, sentence):
    with SessionStore.open(path) as store:
        keep(store)
    query(path, f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match=sentence):
        SessionStore.open(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON repetition BEGIN DELETE FROM repetition WHERE number > 1; END", "trigger t"),
        ("DROP TRIGGER gap_is_measured", "trigger gap_is_measured"),
        ("CREATE TABLE extra (text)", "table extra"),
        ("ALTER TABLE person ADD COLUMN more TEXT", "table person"),
        ("CREATE VIEW extra AS SELECT 1", "view extra"),
    ],
)
def test_tables_and_triggers_of_another_program_are_found(store, path, change, named):
    store.check_schema()
    query(path, "ANALYZE")
    store.check_schema()  # the statistics of ANALYZE are harmless
    query(path, change)
    with pytest.raises(StoreDamaged, match=rf"does not have the tables and triggers of this program \({named}\)"):
        store.check_schema()


def test_numbers_without_end_are_neither_saved_nor_loaded(store, path):
    with pytest.raises(ValueError, match="not finite"):
        keep(store, summary([SQUAT] * 2, duration_s=float("inf")))
    assert store.list() == ()
    keep(store)
    for change in (
        "UPDATE session SET duration_s = 9e999",
        "UPDATE session SET duration_s = 60, sampling_rate_hz = -9e999",
    ):
        query(path, change)
        with pytest.raises(StoreDamaged, match="is damaged"):
            store.load(1)


def test_leftovers_of_killed_writes_are_swept_when_a_store_is_opened(path):
    home = path.parent
    (home / ".restoring-0123abcd" / "recordings").mkdir(parents=True)
    (home / ".sessions.zip.0123abcd.part").touch()
    (home / ".sessions.zip.0123abcd.part.db").touch()
    young, others = home / ".new.csv.0123abcd.part", [home / "a.part", home / ".restoring", home / ".a.xyz.part"]
    long_ago = time.time() - 7200
    for one in others:
        one.touch()
    for one in home.iterdir():
        os.utime(one, (long_ago, long_ago))
    young.touch()
    SessionStore.open(path).close()
    assert sorted(home.iterdir()) == sorted([path, young, *others])


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_files_that_earlier_versions_left_readable_by_everyone_are_made_private(path):
    with SessionStore.open(path) as store:
        keep(store)
    recording = path.parent / "recordings" / "a.mcap"
    recording.parent.mkdir()
    outside = path.parent.parent / "outside.csv"
    for one in (recording, outside):
        one.touch()
    (path.parent / "link").symlink_to(outside)
    for one in (path.parent, recording.parent):
        one.chmod(0o755)
    for one in (path, recording, outside):
        one.chmod(0o644)
    SessionStore.open(path).close()
    rights = {one.name: one.stat().st_mode & 0o777 for one in (path.parent, path, recording.parent, recording, outside)}
    assert rights == {
        path.parent.name: 0o700,
        path.name: 0o600,
        "recordings": 0o700,
        "a.mcap": 0o600,
        outside.name: 0o644,
    }


# --- Damaged, foreign, full, locked


@pytest.mark.parametrize(
    "content", [b"xy", b"time_s,acc_x\n" * 1000, bytes(range(256)) * 64, b"SQLite format 3\0" + b"?" * 4080]
)
def test_a_file_that_is_no_store_is_refused_and_left_alone(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"sessions\.db is (not a session store|damaged); .*move it elsewhere"):
        SessionStore.open(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_the_database_of_another_program_is_refused_and_left_alone(path):
    path.parent.mkdir()
    query(path, "CREATE TABLE bookmark (address)")
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="is not a session store"):
        SessionStore.open(path)
    assert path.read_bytes() == before


def test_a_store_cut_short_or_overwritten_gives_one_sentence(path):
    with SessionStore.open(path) as store:
        for number in range(30):
            keep(store, number=number)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:8192] + b"\xff" * (len(whole) - 8192), whole[:100]):
        path.write_bytes(damaged)
        with pytest.raises(StoreDamaged, match=r"sessions\.db is damaged; put back a copy"):
            read_everything(path)
        assert path.read_bytes() == damaged


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), value=st.binary(min_size=1, max_size=40))
def test_any_damage_gives_an_answer_or_one_sentence(tmp_path, place, value):
    path = tmp_path / "sessions.db"
    path.unlink(missing_ok=True)
    with SessionStore.open(path) as store:
        keep(store)
    content = bytearray(path.read_bytes())
    start = int(place * (len(content) - len(value)))
    content[start : start + len(value)] = value
    path.write_bytes(content)
    try:
        read_everything(path)
    except (StoreDamaged, SessionNotFound) as error:
        assert "; " in str(error)


def read_everything(path):
    with SessionStore.open(path) as store:
        for line in store.list():
            store.load(line.id)
        store.balance(7, NOW)
        store.days_since_trained(NOW)


def test_text_that_cannot_be_decoded_gives_one_sentence(store, path):
    keep(store)
    query(path, "UPDATE session SET source = CAST(x'ff' AS TEXT)")
    with pytest.raises(StoreDamaged, match="is damaged"):
        store.load(1)
    query(path, "UPDATE session SET source = '', saved_at = 'yesterday'")
    with pytest.raises(StoreDamaged, match="is damaged"):
        store.list()


def test_places_where_no_file_can_be(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "sessions.db", tmp_path / "file" / "deeper" / "sessions.db"):
        with pytest.raises(StoreDamaged, match=r"cannot be opened or written; allow writing .* IMU_HOME$"):
            SessionStore.open(path)


def test_a_store_that_may_only_be_read_can_be_read(path):
    with SessionStore.open(path) as store:
        keep(store)
    path.chmod(0o400)
    if os.access(path, os.W_OK):
        pytest.skip("this user may write anything, as root may")
    with SessionStore.open(path) as store:
        assert store.load(1).summary == USUAL
        with pytest.raises(StoreDamaged, match="cannot be opened or written"):
            keep(store, number=2)


def test_writing_refused_gives_one_sentence(store):
    store._connection.execute("PRAGMA query_only = ON")  # the error that a read-only file gives, for root too
    with pytest.raises(StoreDamaged, match="cannot be opened or written; allow writing"):
        keep(store)


def test_a_full_disk_leaves_the_stored_sessions(store):
    keep(store)
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own way to make a disk full
    with pytest.raises(StoreDamaged, match=r"the disk is full and nothing was changed in .*; free some space"):
        keep(store, summary(*([SQUAT] * 50 for _ in range(10))))
    assert store.load(1).summary == USUAL
    assert keep(store) == 1


def test_a_store_that_another_program_holds(store, path):
    keep(store)
    with SessionStore.open(path, busy_timeout_s=0.05) as second:
        store._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreDamaged, match="is in use by another program"):
            keep(second, number=2)
        assert second.load(1).summary == USUAL
        store._connection.execute("ROLLBACK")
        assert keep(second, number=2) == 2


# --- Several programs, kills


def start(code, *arguments):
    program = "import sys; sys.path.insert(0, 'tests'); from builders import *\n" + dedent(code)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *map(str, arguments)],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.process
def test_programs_that_create_and_save_at_once_all_succeed(path):
    code = """
        print("ready", flush=True)
        sys.stdin.readline()
        own = int(sys.argv[2])
        with SessionStore.open(Path(sys.argv[1])) as store:
            for number in range(10):
                keep(store, summary([SQUAT] * (own + 1)), 100 * own + number)
                keep(store, summary([HINGE] * (own + 1)), 999)
                store.list()
    """
    programs = [start(code, path, own) for own in range(4)]
    for program in programs:
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    for program in programs:
        _, errors = program.communicate(timeout=60)
        assert (program.returncode, errors) == (0, "")
    with SessionStore.open(path) as store:
        lines = store.list()
        assert len(lines) == 41
        assert sum(line.squats for line in lines) == 10 * (1 + 2 + 3 + 4)
        assert sum(line.hinges for line in lines) in {1, 2, 3, 4}


@pytest.mark.process
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("statement", ["DELETE FROM", "INTO rejected", "COMMIT"])
def test_a_kill_in_the_middle_of_a_save_leaves_the_stored_sessions(path, statement):
    with SessionStore.open(path) as store:
        keep(store)
    before = contents(path)
    code = """
        store = SessionStore.open(Path(sys.argv[1]))
        store._connection.execute("PRAGMA cache_size = 1")  # so that half of it is in the file already
        kill = lambda sql: sys.argv[2] in sql and os.kill(os.getpid(), signal.SIGKILL)
        store._connection.set_trace_callback(kill)
        better = summary(*([HINGE] * 100 for _ in range(10)), rejected=USUAL.rejected)
        keep(store, better)
    """
    program = start(code, path, statement)
    program.communicate(timeout=60)
    assert program.returncode == -signal.SIGKILL
    assert contents(path) == before
    with SessionStore.open(path) as store:
        assert store.load(1).summary == USUAL
        assert keep(store, number=2) == 2


def test_an_error_in_the_middle_of_a_save_leaves_the_stored_sessions(store, monkeypatch):
    keep(store)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(sessions, "replace_measured", interrupted)
        keep(store, summary([HINGE]))
    assert store.load(1).summary == USUAL
    assert keep(store, summary([HINGE])) == 1


# --- Speed


def test_saving_a_hundred_repetitions_is_quick(store):
    hundred = summary(*([SQUAT] * 10 for _ in range(10)))
    durations_s = []
    for number in range(9):
        begin_s = time.process_time()  # a busy machine changes nothing
        keep(store, hundred, number)
        durations_s.append(time.process_time() - begin_s)
    assert sorted(durations_s)[4] < 0.05


def test_many_sessions_are_listed_from_the_indexes(store):
    hundred = summary(*([SQUAT] * 10 for _ in range(10)))
    store._connection.execute("PRAGMA synchronous = OFF")
    for number in range(250):
        keep(store, hundred, number)
    begin_s = time.process_time()
    lines = store.list()
    store.balance(28, NOW)
    store.days_since_trained(NOW)
    assert time.process_time() - begin_s < 0.25
    assert len(lines) == 250
    assert {line.squats for line in lines} == {100}


# --- The hash of a recording


def test_the_hash_is_sha256(tmp_path):
    recording = tmp_path / "walk.csv"
    recording.write_bytes(b"abc")
    assert hash_of(recording) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_is_one_recording(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        (folder / "more").mkdir(parents=True)
        (folder / "Accelerometer.csv").write_bytes(b"abc")
        (folder / "more" / "Gyroscope.csv").write_bytes(b"def")
    (two / ".DS_Store").write_bytes(b"whatever")
    assert re.fullmatch("[0-9a-f]{64}", hash_of(one))
    assert hash_of(one) == hash_of(two)
    (two / "more" / "Gyroscope.csv").rename(two / "Gyroscope.csv")
    assert hash_of(one) != hash_of(two)
    (one / "more" / "Gyroscope.csv").write_bytes(b"deg")
    assert hash_of(one) != hash_of(two)


def test_a_recording_that_is_not_there(tmp_path):
    with pytest.raises(RecordingDamaged, match=r"walk\.csv cannot be read"):
        hash_of(tmp_path / "walk.csv")
