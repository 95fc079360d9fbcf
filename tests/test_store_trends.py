"""Trends: days and weeks of the person's calendar, means of what was measured, and notes that say no more than that."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from time import process_time

import pytest
from builders import HINGE, NOW, SQUAT, UNCERTAIN, content_hash, in_memory, repetition, summary
from rich.console import Console

from imu.report.terminal_pages import trend_page
from imu.report.trends import Period, notes, stored_totals, trends
from imu.report.words import sparkline
from imu.store import AddRepetition, DeleteRepetition


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


def test_trends_use_what_was_corrected(store):
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
def test_what_is_not_plain_is_not_noted(store, first_h, known):
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
    assert "2026-03-09      1   120   17  0.33  0.37      1   115   17  0.33  0.37     51" in [
        one.rstrip() for one in lines
    ]
    assert any(line.split() == ["Last", "hinge", "never"] for line in lines)


def test_a_sparkline_shows_no_difference_within_the_error():
    assert sparkline([1.0, 2.0, 3.0]) == "▁▅█"
    assert sparkline([1.0, 1.1, None], least_span=10.0) == "▄▅·"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([None, None]) == "··"
    assert sparkline([]) == ""
    assert sparkline([0.0, math.pi], 1.0)[-1] == "█"


def test_trends_of_a_thousand_sessions_are_quick(store):
    hundred = summary(*([SQUAT] * 10 for _ in range(10)))
    for number in range(1000):
        moment = NOW - timedelta(hours=20 * number)
        store.save(hundred, "x", content_hash(number), saved_at=moment, started_at=moment, software_version="1")
    begin_s = process_time()
    totals = stored_totals(store, NOW)
    found = trends(totals, Period.WEEK, UTC, NOW.date())
    said = notes(totals, NOW)
    assert process_time() - begin_s < 0.5
    assert sum(one.squat.repetitions for one in found) == 100_000
    assert len(said) == 2
    assert datetime(2026, 3, 9).date() == found[-1].start
