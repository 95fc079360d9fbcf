"""Corrections: what they change, what they leave alone, that they can be undone, and that every total uses them."""

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time

import pytest
from builders import (
    HINGE,
    NOW,
    SQUAT,
    UNCERTAIN,
    USUAL,
    any_corrections,
    any_entries,
    any_letters,
    any_pattern,
    any_scope,
    content_hash,
    correction_times,
    in_memory,
    keep,
    query,
    repetition,
    summary,
    trained_sessions,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from imu.errors import SessionNotFound, StoreDamaged
from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement
from imu.session import TrainingSet
from imu.store import (
    AddRepetition,
    ChangePattern,
    CorrectedRepetition,
    CorrectedSet,
    CorrectionRefused,
    DeleteRepetition,
    EnterLoad,
    MergeSets,
    MoveRepetition,
    NameExercise,
    PlannedSet,
    Scope,
    SessionStore,
    SplitSet,
    WriteNote,
    apply_corrections,
)
from imu.store.corrected_session import REST_BETWEEN_SETS_S
from imu.store.corrections import KG_PER_LB, KINDS, from_object, to_object
from imu.store.home import RecordingNotDeleted, hash_of

ALONE = RejectedMovement(60.0, 62.3, "alone", repetition(HINGE, 60.0))
SAT = RejectedMovement(80.0, 84.0, "sat down")
# Set 1: squats at 0, 3, 6, 9; set 2: hinges at 100, 103, 106; 2.3 s each, turning after 1.1 s.
TRAINED = summary([SQUAT] * 4, [HINGE] * 3, rejected=[ALONE, SAT])


def counts(session):
    return [[one.pattern.value[0] for one in one_set.repetitions] for one_set in session.sets]


def applied(*corrections, to=TRAINED):
    session = apply_corrections(to, corrections)
    assert [correction.not_applied for correction in session.log] == [None] * len(corrections)
    return session


def refused(correction, to=TRAINED, after=()):
    session = apply_corrections(to, [*after, correction])
    assert session.sets == apply_corrections(to, after).sets
    return session.log[-1].not_applied


# --- Each kind -------------------------------------------------------------------------------------------------------


def test_without_corrections_the_measurement_counts():
    session = apply_corrections(TRAINED)
    assert counts(session) == [["s"] * 4, ["h"] * 3]
    assert [one.measured for one_set in session.sets for one in one_set.repetitions] == [
        one for one_set in TRAINED.sets for one in one_set.repetitions
    ]
    assert [one_set.measured for one_set in session.sets] == list(TRAINED.sets)
    assert (session.measured, session.rejected, session.deleted, session.log) == (TRAINED, TRAINED.rejected, (), ())
    assert [session.count(pattern) for pattern in (SQUAT, HINGE, UNCERTAIN)] == [4, 3, 0]


def test_a_repetition_is_deleted_and_kept_beside():
    session = applied(DeleteRepetition(4.1))
    assert counts(session) == [["s"] * 3, ["h"] * 3]
    assert [one.measured for one in session.deleted] == [TRAINED.sets[0].repetitions[1]]
    assert session.measured == TRAINED
    assert refused(DeleteRepetition(2.5)) == "no repetition is counted at 2.5 s"
    assert refused(DeleteRepetition(4.1), after=[DeleteRepetition(4.1)]) == "no repetition is counted at 4.1 s"


def test_a_set_without_repetitions_is_gone():
    session = applied(*(DeleteRepetition(101.0 + 3 * i) for i in range(3)))
    assert counts(session) == [["s"] * 4]


def test_an_added_repetition_joins_the_nearest_set_or_makes_its_own():
    assert counts(applied(AddRepetition(13.0, 15.0, HINGE))) == [["s"] * 4 + ["h"], ["h"] * 3]
    assert counts(applied(AddRepetition(40.0, 42.0, SQUAT))) == [["s"] * 4, ["s"], ["h"] * 3]
    assert counts(applied(AddRepetition(97.0, 99.0, SQUAT))) == [["s"] * 4, ["s"] + ["h"] * 3]
    (lone,) = applied(AddRepetition(1.0, 2.0, UNCERTAIN), to=summary()).sets
    (one,) = lone.repetitions
    assert (one.measured, one.figures, one.added, one.middle_s, lone.measured) == (None, None, True, 1.5, None)
    just_near = AddRepetition(11.3 + REST_BETWEEN_SETS_S, 25.0, SQUAT)
    assert [len(reps) for reps in counts(applied(just_near))] == [5, 3]
    assert [len(reps) for reps in counts(applied(replace(just_near, start_s=23.4)))] == [4, 1, 3]


def test_adding_a_rejected_movement_brings_its_figures():
    session = applied(AddRepetition(60.5, 62.0, SQUAT))
    (_, (one,), _) = (one_set.repetitions for one_set in session.sets)
    assert (one.measured, one.pattern, one.start_s, one.added) == (ALONE.repetition, SQUAT, 60.0, True)
    assert one.pattern_changed
    assert one.figures == replace(ALONE.repetition, pattern=SQUAT)
    assert session.rejected == (SAT,)
    assert applied(AddRepetition(80.0, 84.0, SQUAT)).rejected == (ALONE,)


def test_adding_a_deleted_repetition_brings_it_back():
    session = applied(DeleteRepetition(4.1), AddRepetition(3.0, 5.0, SQUAT))
    assert session.sets == apply_corrections(TRAINED).sets
    assert session.deleted == ()


def test_adding_a_counted_repetition_changes_at_most_its_pattern():
    assert refused(AddRepetition(3.2, 5.2, SQUAT)) == "a squat is counted there already"
    assert counts(applied(AddRepetition(3.2, 5.2, HINGE))) == [["s", "h", "s", "s"], ["h"] * 3]


def test_a_moved_repetition_keeps_its_figures_while_its_turning_point_is_inside():
    first, other = TRAINED.sets[0].repetitions[1:3]
    inside = applied(MoveRepetition(first.bottom_s, first.start_s + 0.3, first.end_s - 0.3))
    assert inside.sets[0].repetitions[1].measured == first
    assert (inside.log[0].at, inside.log[0].not_applied) == (("1/2",), None)
    away = applied(MoveRepetition(first.bottom_s, 900.0, 902.0))
    assert away.sets[-1].repetitions[0].measured is None
    assert away.deleted[0].measured == first
    onto = MoveRepetition(first.bottom_s, other.start_s, other.end_s)
    assert "another repetition is counted between" in apply_corrections(TRAINED, [onto]).log[0].not_applied
    gone = MoveRepetition(999.0, 1.0, 2.0)
    assert "no repetition is counted" in apply_corrections(TRAINED, [gone]).log[0].not_applied


def test_a_pattern_is_changed_for_one_or_all():
    assert counts(applied(ChangePattern(4.1, HINGE))) == [["s", "h", "s", "s"], ["h"] * 3]
    session = applied(ChangePattern(4.1, HINGE, Scope.SET))
    assert counts(session) == [["h"] * 4, ["h"] * 3]
    assert session.sets[0].pattern is HINGE
    assert session.sets[0].measured == TrainingSet(
        tuple(replace(one, pattern=HINGE) for one in TRAINED.sets[0].repetitions)
    )


def test_sets_are_split_and_merged():
    split = applied(SplitSet(5.0))
    assert counts(split) == [["s"] * 2, ["s"] * 2, ["h"] * 3]
    assert applied(SplitSet(5.0), MergeSets(4.1, 7.1)).sets == apply_corrections(TRAINED).sets
    assert counts(applied(SplitSet(5.0), MergeSets(1.0, 101.0))) == [["s"] * 4 + ["h"] * 3]
    assert refused(SplitSet(0.5)) == "all repetitions of the set are on one side of 0.5 s"
    assert refused(SplitSet(50.0)) == "no set is counted at 50.0 s"
    assert refused(MergeSets(1.0, 50.0)) == "no set is counted at 50.0 s"
    assert refused(MergeSets(1.0, 7.0)) == "it is one set already"


def test_entries_for_a_set_hold_for_its_repetitions_unless_they_have_their_own():
    session = applied(EnterLoad(4.1, 80.0), NameExercise(4.1, "Back squat"), EnterLoad(4.1, 60.0, Scope.REPETITION))
    one_set = session.sets[0]
    assert [one_set.load_kg_of(one) for one in one_set.repetitions] == [80.0, 60.0, 80.0, 80.0]
    assert {one_set.exercise_of(one) for one in one_set.repetitions} == {"Back squat"}
    later = applied(EnterLoad(4.1, 60.0, Scope.REPETITION), EnterLoad(4.1, 80.0)).sets[0]
    assert {later.load_kg_of(one) for one in later.repetitions} == {80.0}
    taken_away = applied(EnterLoad(4.1, 80.0), EnterLoad(4.1, None)).sets[0]
    assert taken_away == apply_corrections(TRAINED).sets[0]


def test_merging_loses_nothing_that_was_entered():
    entered = [
        EnterLoad(1.0, 80.0),
        EnterLoad(101.0, 100.0),
        NameExercise(101.0, "Deadlift"),
        WriteNote(1.0, "warm up"),
    ]
    merged = applied(*entered, WriteNote(101.0, "belt"), MergeSets(1.0, 101.0)).sets[0]
    assert [merged.load_kg_of(one) for one in merged.repetitions] == [80.0] * 4 + [100.0] * 3
    assert (merged.exercise, merged.note) == ("Deadlift", "warm up\nbelt")


def test_splitting_copies_the_entries():
    first, second, _ = applied(EnterLoad(1.0, 80.0), WriteNote(1.0, "belt"), SplitSet(5.0)).sets
    assert (first.load_kg, first.note) == (second.load_kg, second.note) == (80.0, "belt")


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: DeleteRepetition(float("nan")),
        lambda: SplitSet(float("inf")),
        lambda: AddRepetition(5.0, 5.0, SQUAT),
        lambda: AddRepetition(5.0, 66.0, SQUAT),
        lambda: AddRepetition(5.0, 7.0, Pattern.MIXED),
        lambda: ChangePattern(5.0, Pattern.MIXED),
        lambda: MergeSets(7.0, 5.0),
        lambda: EnterLoad(5.0, -1.0),
        lambda: EnterLoad(5.0, 1001.0),
        lambda: EnterLoad(5.0, float("nan")),
        lambda: NameExercise(5.0, " "),
        lambda: NameExercise(5.0, "two\nlines"),
        lambda: NameExercise(5.0, "x" * 81),
        lambda: WriteNote(5.0, "\x1b[31m"),
        lambda: WriteNote(5.0, "\ud800"),
    ],
)
def test_impossible_corrections_cannot_be_made(impossible):
    with pytest.raises(ValueError, match=r"finite|lasts|mixed|order of time|load is|letters"):
        impossible()


def test_a_long_text_is_refused_in_a_short_sentence():
    for make in (lambda text: WriteNote(1.0, text), lambda text: NameExercise(1.0, text)):
        with pytest.raises(ValueError, match=r"aaa'\.\.\. \(100000 letters\)$") as refused:
            make("a" * 100_000)
        assert len(str(refused.value)) < 200


# --- Any corrections at all ------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(measured=trained_sessions(), log=st.lists(any_corrections, max_size=12))
def test_no_movement_is_lost_or_invented(measured, log):
    session = apply_corrections(measured, log)
    assert [correction.correction for correction in session.log] == log
    assert session.measured == measured
    assert all(one_set.repetitions for one_set in session.sets)
    standing = [one for one_set in session.sets for one in one_set.repetitions]
    figures = [one.measured for one in (*standing, *session.deleted) if one.measured is not None]
    counted = [one for one_set in measured.sets for one in one_set.repetitions]
    found_again = [figure for figure in figures if figure not in counted]
    assert sorted(figure.start_s for figure in figures if figure in counted) == [one.start_s for one in counted]
    rejected = [movement.repetition for movement in measured.rejected]
    assert all(one in rejected for one in found_again)
    assert len(found_again) == len(set(map(id, found_again)))
    invented = sum(one.measured is None for one in (*standing, *session.deleted))
    assert invented <= sum(isinstance(correction, AddRepetition | MoveRepetition) for correction in log)


@settings(max_examples=100, deadline=None)
@given(measured=trained_sessions(), log=st.lists(any_corrections, max_size=6), last=any_corrections)
def test_a_correction_that_is_not_applied_changes_nothing(measured, log, last):
    before, after = apply_corrections(measured, log), apply_corrections(measured, [*log, last])
    assert after.log[:-1] == before.log
    if after.log[-1].not_applied is not None:
        assert replace(after, log=before.log) == before


@settings(max_examples=75, deadline=None)
@given(measured=trained_sessions(), data=st.data())
def test_entries_for_different_repetitions_can_be_made_in_any_order(measured, data):
    middles = [one.bottom_s for one_set in measured.sets for one in one_set.repetitions]
    chosen = data.draw(st.lists(st.sampled_from(middles), unique=True, max_size=5)) if middles else []
    log = [
        data.draw(any_entries(st.just(time_s), st.just(Scope.REPETITION)) | st.just(DeleteRepetition(time_s)))
        for time_s in chosen
    ]
    shuffled = data.draw(st.permutations(log))
    one, other = apply_corrections(measured, log), apply_corrections(measured, shuffled)
    assert one.sets == other.sets
    assert sorted(gone.start_s for gone in one.deleted) == sorted(gone.start_s for gone in other.deleted)


@settings(max_examples=75, deadline=None)
@given(
    measured=trained_sessions(),
    time_s=correction_times,
    scope=any_scope,
    entry=any_entries(),
    names=st.tuples(any_letters, any_letters),
)
def test_the_last_entry_of_a_kind_is_the_one_that_holds(measured, time_s, scope, entry, names):
    value = {ChangePattern: "pattern", NameExercise: "exercise", EnterLoad: "load_kg", WriteNote: "note"}[type(entry)]
    others = {"pattern": (SQUAT, HINGE), "load_kg": (80.0, 90.0)}.get(value, names)
    log = [replace(entry, **{value: other}, time_s=time_s, scope=scope) for other in others]
    assert apply_corrections(measured, log).sets == apply_corrections(measured, log[1:]).sets


@settings(max_examples=75, deadline=None)
@given(correction=any_corrections)
def test_a_correction_comes_back_from_json(correction):
    assert from_object(json.loads(json.dumps(to_object(correction)))) == correction


@settings(max_examples=75, deadline=None)
@given(
    found=st.dictionaries(
        st.sampled_from(["kind", "time_s", "later_s", "start_s", "end_s", "pattern", "scope", "load_kg", "note", "x"]),
        st.sampled_from([*KINDS, "squat", "set"]) | st.none() | st.integers() | st.floats() | st.lists(st.integers()),
    )
)
def test_any_object_is_a_correction_or_a_value_error(found):
    with contextlib.suppress(ValueError):
        assert to_object(from_object(found))["kind"] == found["kind"]


@given(members=st.lists(any_pattern, min_size=1, max_size=12))
def test_a_corrected_set_has_its_pattern_by_the_rule_of_a_measured_one(members):
    made = [repetition(pattern, 3.0 * i) for i, pattern in enumerate(members)]
    corrected = CorrectedSet(tuple(CorrectedRepetition(one.start_s, one.end_s, one.pattern, one) for one in made))
    assert corrected.pattern is TrainingSet(tuple(made)).pattern


# --- In the store ----------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.db"


@pytest.fixture
def store(path):
    with SessionStore.open(path) as opened:
        yield opened


def totals(store):
    (line,) = store.list()
    return line.sets, line.squats, line.hinges, line.uncertain


def totals_of(session):
    return len(session.sets), session.count(SQUAT), session.count(HINGE), session.count(UNCERTAIN)


@settings(max_examples=60, deadline=None)
@given(
    measured=trained_sessions(),
    better=trained_sessions(),
    log=st.lists(any_corrections, max_size=8),
    undone=st.integers(0, 9),
)
def test_the_store_counts_as_the_corrections_say_and_undoes_them(measured, better, log, undone):
    with in_memory() as store:
        keep(store, measured)
        fresh = (store.load(1), store.list(), store.balance(1, NOW))
        made = []
        for correction in log:
            try:
                session = store.correct(1, correction, made_at=NOW)
            except CorrectionRefused:
                continue
            made.append(correction)
            assert session.corrected == apply_corrections(measured, made)
        check_sums(store)
        keep(store, better)  # a better program has counted the same recording again
        assert store.load(1).corrected == apply_corrections(better, made)
        check_sums(store)
        keep(store, measured)
        taken = [store.undo(1) for _ in range(undone)]
        assert taken == [*reversed(made), *[None] * 9][:undone]
        left = made[: max(0, len(made) - undone)]
        assert store.load(1).corrected == apply_corrections(measured, left)
        assert store.load(1).undone == tuple(made[len(left) :])
        check_sums(store)
        while store.redo(1) is not None:
            pass
        assert store.load(1).corrected == apply_corrections(measured, made)
        while store.undo(1) is not None:
            pass
        assert replace(store.load(1), undone=()) == fresh[0]
        assert (store.list(), store.balance(1, NOW)) == fresh[1:]


def check_sums(store):
    session = store.load(1).corrected
    assert totals(store) == totals_of(session)
    balance = store.balance(1, NOW)
    assert (balance.squats, balance.hinges) == totals_of(session)[1:3]
    found = {total.pattern: total for total in store.pattern_totals(NOW, least_drop_for_speed_m=0.15)}
    for pattern in (SQUAT, HINGE, UNCERTAIN):
        of_pattern = [one for one_set in session.sets for one in one_set.repetitions if one.pattern is pattern]
        assert (pattern in found) == bool(of_pattern)
        if of_pattern:
            one = found[pattern]
            figures = [r.measured for r in of_pattern if r.measured is not None]
            assert (one.repetitions, one.measured) == (len(of_pattern), len(figures))
            assert one.trunk_angle_sum_rad == pytest.approx(sum(r.trunk_angle_rad for r in figures))
            assert one.sets == sum(one_set.pattern is pattern for one_set in session.sets)


def test_a_new_correction_after_an_undo_drops_the_undone_ones(store):
    keep(store, TRAINED)
    store.correct(1, DeleteRepetition(1.0), made_at=NOW)
    store.correct(1, EnterLoad(4.0, 80.0), made_at=NOW)
    assert store.undo(1) == EnterLoad(4.0, 80.0)
    session = store.correct(1, EnterLoad(4.0, 90.0), made_at=NOW)
    assert session.undone == ()
    assert [correction.correction for correction in session.corrected.log] == [
        DeleteRepetition(1.0),
        EnterLoad(4.0, 90.0),
    ]
    assert store.redo(1) is None


def test_a_refused_correction_is_not_kept_and_forgets_nothing(store, path):
    keep(store, TRAINED)
    store.correct(1, DeleteRepetition(1.0), made_at=NOW)
    store.undo(1)
    before = query(path, "SELECT * FROM correction")
    with pytest.raises(CorrectionRefused, match=r"session 1 was left as it is: no repetition is counted at 50\.0 s"):
        store.correct(1, DeleteRepetition(50.0), made_at=NOW)
    assert query(path, "SELECT * FROM correction") == before
    with pytest.raises(ValueError, match="time zone"):
        store.correct(1, DeleteRepetition(1.0), made_at=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("session_id", [7, 10**30])
def test_corrections_of_a_session_that_is_not_there(store, session_id):
    for act in (store.undo, store.redo, lambda one: store.correct(one, SplitSet(1.0), made_at=NOW)):
        with pytest.raises(SessionNotFound):
            act(session_id)


def test_a_correction_whose_target_is_gone_is_kept_and_comes_back(store):
    keep(store, TRAINED)
    store.correct(1, EnterLoad(101.0, 100.0), made_at=NOW)
    keep(store, summary([SQUAT] * 4))
    assert [correction.not_applied for correction in store.load(1).corrected.log] == ["no set is counted at 101.0 s"]
    keep(store, TRAINED)
    assert store.load(1).corrected.sets[1].load_kg == 100.0


def test_sessions_do_not_mix(store):
    keep(store, TRAINED, 1)
    keep(store, TRAINED, 2)
    store.correct(2, DeleteRepetition(1.0), made_at=NOW)
    assert [line.squats for line in store.list()] == [3, 4]
    assert [line.corrections for line in store.list()] == [1, 0]
    assert store.load(1).corrected == apply_corrections(TRAINED)
    assert store.days_since_trained(NOW + timedelta(days=1)) == {SQUAT: 1, HINGE: 1}


def test_deleting_every_repetition_leaves_a_session_that_trained_nothing(store):
    keep(store, summary([SQUAT]))
    store.correct(1, DeleteRepetition(1.0), made_at=NOW)
    assert totals(store) == (0, 0, 0, 0)
    assert store.days_since_trained(NOW) == {SQUAT: None, HINGE: None}
    assert store.pattern_totals(NOW, least_drop_for_speed_m=0.15) == ()


def test_the_tables_for_other_tools_have_the_corrections(store, path):
    keep(store, TRAINED)
    store.correct(1, EnterLoad(4.0, 80.0), made_at=NOW)
    store.correct(1, AddRepetition(60.0, 62.0, SQUAT), made_at=NOW)
    store.correct(1, AddRepetition(120.0, 122.0, HINGE), made_at=NOW)
    rows = query(path, "SELECT set_number, number, pattern, load_kg, trunk_angle_rad IS NULL FROM counted_repetition")
    assert rows == [
        *((1, number, "squat", 80.0, 0) for number in (1, 2, 3, 4)),
        (2, 1, "squat", None, 0),
        *((3, number, "hinge", None, 0) for number in (1, 2, 3)),
        (3, 4, "hinge", None, 1),
    ]


def test_a_correction_that_cannot_be_read_gives_one_sentence(store, path):
    keep(store, TRAINED)
    store.correct(1, EnterLoad(4.0, 80.0), made_at=NOW)
    query(path, """UPDATE correction SET what = '{"kind": "fly"}'""")
    for act in (store.load, store.undo, lambda one: store.correct(one, SplitSet(5.0), made_at=NOW)):
        with pytest.raises(StoreDamaged, match="is damaged"):
            act(1)


# --- Numbers and deletion --------------------------------------------------------------------------------------------


def test_saving_again_uses_up_no_number(store):
    for _ in range(5):
        assert keep(store, number=1) == 1
    assert keep(store, number=2) == 2


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder


def save(store, recording, source=None):
    return store.save(
        TRAINED, source or recording, hash_of(recording), saved_at=NOW, software_version="1", started_at=NOW
    )


def test_deleting_a_session_deletes_its_recording(store, recordings):
    mine, other = recordings / "a.mcap", recordings / "b.mcap"
    mine.write_bytes(b"mine")
    other.write_bytes(b"other")
    session_id = save(store, mine)
    store.correct(session_id, DeleteRepetition(1.0), made_at=NOW)
    assert store.delete(session_id, recordings) == mine.resolve()
    assert (mine.exists(), other.exists(), store.list()) == (False, True, ())


def test_a_recording_is_found_after_its_folder_has_moved(store, recordings):
    mine = recordings / "a.mcap"
    mine.write_bytes(b"mine")
    assert store.delete(save(store, mine, r"C:\Users\me\recordings\a.mcap"), recordings) == mine.resolve()


def test_a_recording_that_is_a_folder_goes_too(store, recordings):
    mine = recordings / "phone"
    mine.mkdir()
    (mine / "Accelerometer.csv").write_bytes(b"abc")
    assert store.delete(save(store, mine), recordings) == mine.resolve()
    assert list(recordings.iterdir()) == []


def test_nothing_outside_our_folder_is_ever_deleted(store, recordings, tmp_path):
    outside = tmp_path / "precious.csv"
    outside.write_bytes(b"precious")
    (recordings / "link.csv").symlink_to(outside)
    sources = [
        outside,
        recordings / "link.csv",
        f"{recordings}/../precious.csv",
        recordings / "gone.mcap",
        recordings,
        "",
        "..",
        "bad\0name",
    ]
    for source in sources:
        session_id = store.save(TRAINED, source, hash_of(outside), saved_at=NOW, software_version="1")
        assert store.delete(session_id, recordings) is None, source
    assert outside.read_bytes() == b"precious"
    assert recordings.is_dir()


def test_another_recording_of_the_same_name_is_left_alone(store, recordings):
    mine = recordings / "a.mcap"
    mine.write_bytes(b"mine")
    session_id = save(store, mine)
    mine.write_bytes(b"recorded later")
    assert store.delete(session_id, recordings) is None
    assert mine.exists()


def test_without_a_folder_the_recording_stays(store, recordings):
    mine = recordings / "a.mcap"
    mine.write_bytes(b"mine")
    assert store.delete(save(store, mine)) is None
    assert mine.exists()


def test_a_recording_that_cannot_be_deleted_keeps_its_session(store, recordings, monkeypatch):
    mine = recordings / "a.mcap"
    mine.write_bytes(b"mine")
    session_id = save(store, mine)

    def held(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", held)
    with pytest.raises(RecordingNotDeleted, match=r"a\.mcap cannot be deleted \(Permission denied\)"):
        store.delete(session_id, recordings)
    assert store.load(session_id).summary == TRAINED


# --- Speed -----------------------------------------------------------------------------------------------------------


def test_sums_of_many_sessions_are_quick():
    hundred = summary(*([SQUAT] * 10 for _ in range(10)))
    with in_memory() as store:
        for number in range(250):
            store.save(hundred, "x", content_hash(number), saved_at=NOW - timedelta(hours=number), software_version="1")
        for session_id in range(1, 250, 25):
            store.correct(session_id, DeleteRepetition(1.0), made_at=datetime.now(UTC))
        begin_s = process_time()
        lines = store.list()
        listed_s = process_time()
        found = store.pattern_totals(NOW, least_drop_for_speed_m=0.15)
        summed_s = process_time()
    assert (len(lines), sum(line.squats for line in lines), sum(one.repetitions for one in found)) == (
        250,
        24990,
        24990,
    )
    assert listed_s - begin_s < 0.125
    assert summed_s - listed_s < 0.125


# --- A plan ----------------------------------------------------------------------------------------------------------


def test_a_plan_a_measurement_and_a_correction_stay_apart(tmp_path):
    planned = [
        PlannedSet(1.0, "back squat", 100.0, repetitions=5),
        PlannedSet(101.5, "deadlift", 225 * KG_PER_LB, load_in_lb=True),
    ]
    with SessionStore.open(tmp_path / "sessions.db") as store:
        number = keep(store, planned=planned)
        found = store.load(number).corrected
        assert [(one_set.exercise, one_set.load_kg, one_set.planned) for one_set in found.sets[:2]] == [
            ("back squat", 100.0, planned[0]),
            ("deadlift", 225 * KG_PER_LB, planned[1]),
        ]
        assert (found.sets[1].load_in_lb, found.sets[2].exercise, found.sets[2].planned, found.log) == (
            *(True, None, None),
            (),
        )
        store.correct(number, EnterLoad(found.sets[0].middle_s, 105.0), made_at=NOW)
        keep(store)  # replaying the recording again keeps the plan and the correction
        corrected = store.load(number).corrected.sets[0]
        assert (corrected.exercise, corrected.load_kg, corrected.planned) == ("back squat", 105.0, planned[0])
        store.undo(number)
        assert store.load(number).corrected == found
    stored = query(tmp_path / "sessions.db", "SELECT exercise, load_kg, load_in_lb FROM counted_set ORDER BY number")
    assert stored == [("back squat", 100.0, 0), ("deadlift", 225 * KG_PER_LB, 1), (None, None, 0)]


def test_a_planned_name_can_be_removed_and_merged_sets_keep_the_first_plan():
    planned = [PlannedSet(1.0, "back squat", 100.0)]
    first, second = apply_corrections(USUAL, planned=planned).sets[:2]
    removed = apply_corrections(USUAL, [NameExercise(first.middle_s, None)], planned).sets[0]
    assert (removed.exercise, removed.load_kg, removed.planned) == (None, 100.0, planned[0])
    merged = apply_corrections(USUAL, [MergeSets(first.middle_s, second.middle_s)], planned).sets[0]
    assert (merged.exercise, merged.planned) == ("back squat", planned[0])
