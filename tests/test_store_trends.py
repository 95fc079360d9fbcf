"""Trends: days and weeks of the person's calendar, means of measurements, and notes that say no more than that."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from time import process_time

import pytest
from builders import HINGE, NOW, SQUAT, UNCERTAIN, content_hash, in_memory, keep, repetition, summary
from rich.console import Console

from imu.app.typed_corrections import copy_entries
from imu.report.terminal_pages import trend_page
from imu.report.trends import NotComparable, Period, Row, compare, notes, period, sides, stored_totals, trends
from imu.report.words import sparkline
from imu.session import TrainingSet
from imu.store import AddRepetition, DeleteRepetition, PlannedSet


@pytest.fixture
def store():
    with in_memory() as made:
        yield made


def train(store, when, *sets, known=True, number=[0]):  # noqa: B006  counts through a test
    number[0] += 1
    return store.save(
        summary(*sets, duration_s=3600.0),
        "x",
        content_hash(number[0]),
        saved_at=when,
        started_at=when if known else None,
        software_version="1",
    )


def test_weeks_begin_on_monday_and_empty_ones_are_there(store):
    train(store, NOW, [SQUAT] * 3, [HINGE] * 2 + [UNCERTAIN])  # Tuesday 10 March 2026
    train(store, NOW - timedelta(days=1), [SQUAT])
    train(store, NOW - timedelta(days=16), [HINGE] * 4)  # a Sunday
    found = trends(stored_totals(store, NOW), Period.WEEK, UTC, NOW.date())
    assert [one.start for one in found] == [date(2026, 2, 16), date(2026, 2, 23), date(2026, 3, 2), date(2026, 3, 9)]
    assert [(one.sessions, one.squat.repetitions, one.hinge.repetitions) for one in found] == [
        (1, 0, 4),
        (0, 0, 0),
        (0, 0, 0),
        (2, 4, 2),
    ]
    assert [one.squat_share for one in found] == [0.0, None, None, 4 / 6]
    last = found[-1]
    assert (last.squat.sets, last.hinge.sets, last.uncertain) == (2, 1, 1)
    assert last.squat.trunk_angle_rad == pytest.approx(0.3)
    assert last.squat.hip_drop_m == pytest.approx(1 / 3)
    assert last.squat.speed_m_s == pytest.approx(0.37)
    assert found[1].squat.trunk_angle_rad is None
    assert trends(stored_totals(store, NOW), Period.WEEK, UTC, NOW.date(), most=2) == found[-2:]


def test_days_are_those_of_the_persons_calendar(store):
    train(store, NOW, [SQUAT])  # 18:30 UTC
    totals = stored_totals(store, NOW)
    (there,) = trends(totals, Period.DAY, timezone(timedelta(hours=9)), date(2026, 3, 11))
    assert there.start == date(2026, 3, 11)
    assert trends(totals, Period.DAY, UTC, date(2026, 3, 9)) == ()
    assert trends((), Period.WEEK, UTC, NOW.date()) == ()


def test_speed_is_that_of_repetitions_that_sink(store):
    shallow = repetition(HINGE)
    made = summary([HINGE] * 2)
    from dataclasses import replace

    mixed = replace(made, sets=(type(made.sets[0])((replace(shallow, hip_drop_m=0.05), repetition(HINGE, 9.0))),))
    store.save(mixed, "x", content_hash(1), saved_at=NOW, software_version="1")
    (one,) = trends(stored_totals(store, NOW), Period.WEEK, UTC, NOW.date())
    assert one.hinge.speed_m_s == pytest.approx(0.37)
    assert one.hinge.hip_drop_m == pytest.approx((0.05 + 1 / 3) / 2)


def test_trends_use_corrected_values(store):
    number = train(store, NOW, [SQUAT] * 3)
    store.correct(number, DeleteRepetition(1.0), made_at=NOW)
    store.correct(number, AddRepetition(20.0, 22.0, HINGE), made_at=NOW)
    (one,) = trends(stored_totals(store, NOW), Period.WEEK, UTC, NOW.date())
    assert (one.squat.repetitions, one.hinge.repetitions) == (2, 1)
    assert one.hinge.trunk_angle_rad is None


def test_trained_again_within_a_day_is_noted(store):
    train(store, NOW - timedelta(hours=20), [SQUAT] * 3)
    train(store, NOW - timedelta(hours=1), [SQUAT], [HINGE])
    assert notes(stored_totals(store, NOW), NOW) == ("squats were trained again 18 hours after the last time",)
    assert notes(stored_totals(store, NOW), NOW + timedelta(days=8)) == ()


@pytest.mark.parametrize(
    ("first_h", "known"),
    [
        (26.0, True),  # more than a day from the end of the one to the beginning of the other
        (5.5, True),  # one evening in the gym
        (20.0, False),  # a file that does not say when it was recorded
    ],
)
def test_an_unclear_change_is_not_noted(store, first_h, known):
    train(store, NOW - timedelta(hours=first_h), [SQUAT] * 3, known=known)
    train(store, NOW - timedelta(hours=1), [SQUAT])
    assert notes(stored_totals(store, NOW), NOW) == ()


@pytest.mark.parametrize(
    ("weeks", "is_noted"),
    [
        ([(8, 4), (8, 2)], True),
        ([(8, 0), (8, 0), (8, 0), (8, 0)], True),
        ([(80, 4)], False),  # it does not stay so
        ([(80, 4), (8, 5)], False),
        ([(7, 4), (80, 4)], False),
        ([(0, 4), (80, 4)], False),
    ],
)
def test_a_balance_that_stays_squat_heavy_is_noted(store, weeks, is_noted):
    for back, (squats, hinges) in enumerate(weeks):
        train(store, NOW - timedelta(days=7 * back + 3), [SQUAT] * squats + [HINGE] * hinges)
    said = notes(stored_totals(store, NOW), NOW)
    squats, hinges = (sum(counts) for counts in zip(*weeks, strict=True))
    sentence = (
        f"{squats} squats to {hinges} hinges in 28 days, and in each week that was trained two squats or more to a"
    )
    assert [one.startswith(sentence) for one in said] == [True] * is_noted


def test_a_page_of_trends_fits_80_columns(store):
    for back in range(30):
        train(store, NOW - timedelta(days=5 * back), [SQUAT] * 120, [HINGE] * 115)
    found = trends(stored_totals(store, NOW), Period.WEEK, UTC, NOW.date(), most=12)
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(trend_page(found, {SQUAT: 0, HINGE: None}, ["a note"]))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert "2026-03-09      1   120  17  33  0.37      1   115  17  33  0.37     51" in [
        line.rstrip() for line in lines
    ]
    assert any(line.split() == ["Last", "hinge", "never"] for line in lines)


def test_a_sparkline_shows_no_difference_within_the_error():
    assert sparkline([1.0, 2.0, 3.0]) == "▁▅█"
    assert sparkline([1.0, 1.1, None], least_span=10.0) == "▄▅·"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([None, None]) == "··"
    assert sparkline([]) == ""
    assert sparkline([0.0, math.pi], 1.0)[-1] == "█"


def test_trends_of_many_sessions_are_quick(store):
    hundred = summary(*([SQUAT] * 10 for _ in range(10)))
    for number in range(250):
        moment = NOW - timedelta(hours=20 * number)
        store.save(hundred, "x", content_hash(number), saved_at=moment, started_at=moment, software_version="1")
    begin_s = process_time()
    totals = stored_totals(store, NOW)
    found = trends(totals, Period.WEEK, UTC, NOW.date())
    said = notes(totals, NOW)
    assert process_time() - begin_s < 0.125
    assert sum(one.squat.repetitions for one in found) == 25_000
    assert len(said) == 2
    assert datetime(2026, 3, 9).date() == found[-1].start


# --- Comparisons -----------------------------------------------------------------------------------------------------


def lifted(store, number, load_kg, day, *, angle_rad=0.5):
    reps = tuple(replace(repetition(SQUAT, 3.0 * i), trunk_angle_rad=angle_rad, hip_drop_m=0.4) for i in range(4))
    planned = [PlannedSet(1.2, "back squat", load_kg)]
    when = NOW + timedelta(days=day)
    return keep(store, replace(summary(), sets=(TrainingSet(reps),)), number, when, started_at=when, planned=planned)


def test_a_comparison_says_more_or_less_or_within_the_error(store):
    one, other = lifted(store, 1, 80.0, -40), lifted(store, 2, 100.0, -1, angle_rad=0.5 + math.radians(2.0))
    rows = {(row.group, row.name): row for row in compare(*sides(store, str(one), str(other), NOW), in_lb=False)}
    assert rows["Squats", "Volume"].change == "+80"
    assert rows["Squats", "Trunk angle"].change == "within the error"
    assert rows["back squat", "Heaviest"] == Row("back squat", "Heaviest", "kg", "80.0", "100.0", "+20.0")
    assert rows["back squat", "1RM by Epley"].change == "+22"
    periods = compare(*sides(store, "4-weeks-before", "4-weeks", NOW), in_lb=True)
    assert next(row for row in periods if row.name == "Volume").change == "+176"


def test_a_change_is_the_difference_of_the_two_figures_shown(store):
    one, other = (lifted(store, i, 80.0, -i, angle_rad=math.radians(deg)) for i, deg in ((1, 58.6), (2, 49.4)))
    rows = {row.name: row for row in compare(*sides(store, str(one), str(other), NOW), in_lb=False)}
    assert rows["Trunk angle"] == Row("Squats", "Trunk angle", "°", "59", "49", "-10")


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2026-03-01..2026-03-14", "2026-03-01", "2026-03-14"),
        ("last-week", "2026-03-02", "2026-03-08"),
        ("4-weeks", "2026-02-11", "2026-03-10"),
    ],
)
def test_periods_are_read(typed, first, last):
    assert [day.isoformat() for day in period(typed, NOW.date())] == [first, last]


@pytest.mark.parametrize("typed", ["", "x", "2026-13", "2026-03-14..2026-03-01", "..", "1e9"])
def test_a_text_that_is_no_period_is_refused_in_a_sentence(typed):
    with pytest.raises(NotComparable):
        period(typed, NOW.date())


def test_sets_without_a_name_get_the_names_of_another_session(store):
    lifted(store, 1, 80.0, -7)
    number = keep(store, number=2)
    made = copy_entries(store.load(number).corrected, store.load(1).corrected)
    session = store.correct_all(number, made, made_at=NOW).corrected
    assert [(one_set.exercise, one_set.load_kg) for one_set in session.sets][:2] == [("back squat", 80.0), (None, None)]
    assert copy_entries(session, store.load(1).corrected) == []
