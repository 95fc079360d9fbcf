"""The screen one trains in front of, in any size; and what a pipe gets instead."""

import io
import math
import sys
from dataclasses import replace
from unittest.mock import Mock

import pytest
from builders import counted, rejected, set_of, squats, views
from builders import live_repetition as repetition
from hypothesis import given, settings
from hypothesis import strategies as st

from imu.app.terminal import PlainLines, can_draw, plain_line
from imu.app.terminal.app import LEAST_ROWS_WITH_KEYS, LiveApp, Panel, targets_in_words, targets_of
from imu.app.terminal.drawing import ROWS, bar, block_digits, repetition_bars, width_of
from imu.app.terminal.screen import screen_lines
from imu.bluetooth import LinkState
from imu.live.live_training import LiveTraining
from imu.live.live_view import Link, LiveView, Tally, TrainedBefore
from imu.live.set_view import Bar, Bars, Measure
from imu.live.signals import SignalKind
from imu.live.targets import Plan, PlanUnusable, Targets, Tempo
from imu.motion.form import Posture
from imu.motion.pattern import Pattern
from imu.samples import Gap
from imu.sensors.conversation import (
    Battery,
    Caution,
    Identified,
    Malformed,
    Refused,
    Restarted,
    SamplesLost,
    SamplesRecovered,
)
from imu.session import GapFound, RepetitionCounted, RepetitionTakenBack, RestBegan, SetClosed
from imu.training import PersonCommand

CONNECTED = Link(LinkState.CONNECTED, "Hip 7", 1, -61.0)


@pytest.fixture(autouse=True)
def _quick_pilot(monkeypatch):
    """Let Textual's pilot look every 4 ms instead of 20 whether the app is done with a key."""
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.004)
    monkeypatch.setattr("textual._wait.SLEEP_IDLE", 0.0002)


@pytest.fixture
def live():
    training = LiveTraining(TrainedBefore(Tally(10, 5), Tally(120, 61)), 60.0)
    training.tick(0.0, 10.0)
    training.take(CONNECTED)
    training.take(Battery(87.0))
    return training


def shown(view, width=80, height=24, **options):
    """Return the screen as text, above the line of keys."""
    keys = height >= LEAST_ROWS_WITH_KEYS
    return "\n".join(line.plain for line in screen_lines(view, width, height - keys, **options))


# --- the screen ------------------------------------------------------------------------------------------------------


def test_in_a_set_all_that_matters_is_there(live):
    counted(live, *squats(4, trunk_angle_rad=math.radians(33), hip_drop_m=0.41))
    live.tick(5.0, 22.0, Posture(math.radians(45), 0.3))
    text = shown(live.view())
    for words in ("Hip 7", "connected", "battery 87 %", "signal good -61 dBm", "SQUAT  97 % sure", "set 1   0:12"):
        assert words in text
    for words in (
        " 33°",
        " 41 cm",
        "tempo 1.2-0.1-1.2 s",
        "mean speed 0.40 m/s  best so far",
        "today  14 squats : 5 hinges",
        "124 : 61",
    ):
        assert words in text
    rows = text.splitlines()
    drawn = block_digits("4", 3)
    assert [row[25:43].rstrip() for row in rows if "██" in row[:43]] == [row.rstrip() for row in drawn]


def test_notes_that_have_no_room_are_not_cut(live):
    counted(live, *squats(1), *(replace(one, mean_concentric_velocity_m_s=0.38) for one in squats(2)[1:]))
    wide, narrow = shown(live.view(), width=110), shown(live.view())
    assert "mean speed 0.38 m/s  -5 % from best" in wide and "  first 1.2-0.1-1.2" in wide
    assert "mean speed 0.38 m/s  -5 %" in narrow and "…" not in narrow and "from" not in narrow


def test_nothing_is_quite_sure(live):
    counted(live, repetition(confidence=1.0))
    assert "SQUAT  99 % sure" in shown(live.view())
    assert "99 % sure" in plain_line(RepetitionCounted(repetition(confidence=1.0)), live.view())


def test_in_a_rest_the_clock_is_large_and_the_set_is_summed_up(live):
    done = counted(live, *squats(4))
    live.take(SetClosed(set_of(*done)))
    live.tick(40.0, 52.0)
    text = shown(live.view())
    for words in ("4 SQUATS  in set 1", "rest 0:30 of 1:00", "trunk 30°  drop 45 cm", "sets   4 squats", "upright"):
        assert words in text
    assert "u undo" not in text
    live.tick(70.0, 82.0)
    assert "REST IS OVER" in shown(live.view())
    assert "REST IS OVER" in shown(live.view(), 40, 24)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (Link(LinkState.SEARCHING), "Looking for the sensor."),
        (Link(LinkState.SEARCHING), "Switch it on and keep it near"),
        (Link(LinkState.SEARCHING, other_devices=2), "No sensor among 2 devices heard. Switch it on"),
        (Link(LinkState.SEARCHING, heard=("Hip 7, signal good", "H10, signal weak")), "Heard: Hip 7, signal good; H10"),
        (Link(LinkState.CONNECTING, "Hip 7", 2), "connecting, try 2"),
        (CONNECTED, "Stand still a second, then begin."),
        (Link(LinkState.LOST, "Hip 7", 3), "LOST for 0:07, try 3"),
    ],
)
def test_every_state_of_the_link_is_shown_in_words(link, words):
    live = LiveTraining()
    live.take(link)
    live.tick(7.0, 0.0)
    assert words in shown(live.view())


def test_faults_are_shown(live):
    (lone,) = counted(live, repetition())
    live.take(rejected("alone", lone))
    live.take(rejected("sat down"))
    live.take(SamplesLost(40))
    live.take(GapFound(Gap(1.0, 3.0)))
    live.take(Refused("the firmware is too old; update it"))
    live.take(Battery(9.0))
    live.pause(True)
    text = shown(live.view(), 80, 30)
    for words in (
        "1 squat stood alone: k keeps it as a set",
        "not counted: sat down",
        "2.0 s without samples, 40 samples lost",
    ):
        assert words in text
    for words in ("!! the firmware is too old", "battery LOW 9 %", "PAUSED"):
        assert words in text


def test_a_pattern_never_is_a_colour_only(live):
    for pattern in (Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN):
        (one,) = counted(live, repetition(10.0, pattern))
        for width, height in ((80, 24), (40, 24), (34, 12), (20, 6), (60, 9)):
            assert pattern.upper() in shown(live.view(), width, height)
        live.take(RepetitionTakenBack(one))


def test_a_problem_is_seen_even_where_there_is_little_room(live):
    counted(live, *squats(4))
    live.take(Refused("too old"))
    assert "!! too old" in shown(live.view(), 34, 12)
    assert "4" not in shown(replace(live.view(), messages=()), 34, 12).splitlines()[0]


def test_a_long_sentence_is_read_to_its_end(live):
    sentence = (
        "the firmware of this sensor is too old to be understood; update it with the app of its maker, then start again"
    )
    live.take(Refused(sentence))
    for width in (80, 40):
        text = shown(live.view(), width, 24)
        assert " ".join(text.split()).count(sentence.split(";")[1].split(",")[1].strip()) == 1
    for number in range(3):
        live.tell(f"note {number} " + "and more " * 12)
    lines = shown(live.view(), 80, 24).splitlines()
    assert sum("note" in line for line in lines) <= 1  # whole notes go first, the oldest before the newest
    assert any("note 2" in line for line in lines)


def test_a_name_cannot_steer_the_terminal(live):
    live.take(replace(CONNECTED, sensor="\x1b[2Jhip\n\x07"))
    live.take(Caution("a\x1b]0;b"))
    assert not {"\x1b", "\x07"} & set(shown(live.view()))
    assert "?[2Jhip??" in shown(live.view())


# --- in any size -----------------------------------------------------------------------------------------------------

SIZES = [(80, 24), (40, 24), (20, 6), (200, 60), (60, 10), (30, 10), (34, 12), (1, 1), (120, 8), (10, 50)]


def check_fits(view, width, height):
    lines = screen_lines(view, width, height)
    assert len(lines) == height
    assert all(line.cell_len <= width for line in lines)


@settings(max_examples=60, deadline=None)
@given(views(), st.one_of(st.sampled_from(SIZES), st.tuples(st.integers(1, 250), st.integers(1, 80))))
def test_it_fits_whatever_there_is_to_show(view: LiveView, size):
    check_fits(view, *size)


@pytest.mark.parametrize("size", SIZES)
def test_wide_characters_fit_too(live, size):
    live.take(replace(CONNECTED, sensor="腰のセンサー" * 5))
    live.tell("腰" * 150)
    check_fits(live.view(), *size)


def test_nothing_jumps_when_there_is_more_to_say(live):
    counted(live, *squats(3))
    quiet = shown(live.view()).splitlines()
    for sentence in ("one", "two", "three"):
        live.tell(sentence)
    live.take(rejected("sat down"))
    live.take(SamplesLost(40))
    lines = shown(live.view()).splitlines()
    digits = [row for row, line in enumerate(quiet) if "██" in line]
    assert digits == list(range(digits[0], digits[0] + 3 * ROWS))
    assert lines[: digits[-1] + 1] == quiet[: digits[-1] + 1]
    counted(live, repetition(40.0), repetition(43.0))  # the count has the same place
    assert [row for row, line in enumerate(shown(live.view()).splitlines()) if "██" in line] == digits


def test_the_count_is_as_large_as_the_screen_allows(live):
    counted(live, *squats(3))
    live.tick(1.0, 20.0, Posture(0.0, 0.0))  # empty bars
    heights = [
        sum("██" in line for line in shown(live.view(), width, height).splitlines()) for width, height in SIZES[:4]
    ]
    assert heights == [15, 10, 5, 35]


def test_lines_without_room_are_left_out_from_the_least_important(live):
    counted(live, *squats(3))
    live.take(SamplesLost(40))
    live.take(rejected("sat down"))
    for number in range(3):
        live.tell(f"note {number}")
    text = shown(live.view(), 80, 24)
    assert "not counted: sat down" in text
    assert "today" in text
    assert "data" not in text
    assert "data" in shown(live.view(), 80, 40)


# --- digits and bars -------------------------------------------------------------------------------------------------


def test_digits_are_drawn_as_they_always_were():
    golden = """\
    ██  ██████      ██████  ██████
    ██      ██  ██      ██  ██  ██
    ██  ██████          ██  ██████
    ██  ██      ██      ██  ██  ██
    ██  ██████          ██  ██████"""
    assert block_digits("12:78") == golden.splitlines()


@given(st.text("0123456789:", min_size=1, max_size=6), st.integers(1, 5))
def test_digits_are_as_large_as_said(text, scale):
    rows = block_digits(text, scale)
    assert len(rows) == ROWS * scale
    assert {len(row) for row in rows} == {width_of(text, scale)}


def test_only_digits_are_drawn():
    for text, scale in (("", 1), ("1a", 1), ("1", 0)):
        with pytest.raises(ValueError, match="only digits"):
            block_digits(text, scale)


def test_a_bar_is_filled_to_its_share_with_a_mark():
    assert bar(0.5, 0.75, 8).plain == "████··┃·"
    assert bar(0.5, None, 8).plain == "████····"
    assert [bar(share, 1.0, 4).plain for share in (-1.0, 0.0, 2.0)] == ["···┃", "···┃", "███┃"]


@given(st.floats(-2, 2), st.none() | st.floats(-2, 2), st.integers(1, 100))
def test_a_bar_has_its_length(share, mark, length):
    assert len(bar(share, mark, length).plain) == length


# --- the terminal ----------------------------------------------------------------------------------------------------


class Stream(io.StringIO):
    """A terminal."""

    def isatty(self):
        return True


def test_where_a_screen_can_be_drawn(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("imu.app.terminal.in_foreground", lambda: True)
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, Stream())
    assert can_draw()
    monkeypatch.setenv("TERM", "dumb")
    assert not can_draw()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert not can_draw()


def on_screen(app):
    """Return what the app shows, as text."""
    return "\n".join("".join(segment.text for segment in line) for line in app.screen._compositor.render_strips())


async def until_shown(pilot, *words):
    """Wait until the app shows all words."""
    for _ in range(100):
        await pilot.pause(0.05)
        if all(word in on_screen(pilot.app) for word in words):
            return
    raise AssertionError(f"{words} were never shown, only {on_screen(pilot.app)}")


@pytest.mark.parametrize("size", [(38, 10), (80, 24), (130, 40)])
async def test_the_app_shows_the_view_and_the_keys(live, size):
    counted(live, *squats(3))
    app = LiveApp(lambda command: None)
    async with app.run_test(size=size) as pilot:
        app.show(live.view())
        await until_shown(pilot, "SQUAT", "██", "undo", "quit")
        live.take(SetClosed(set_of(*squats(3))))
        live.tick(0.1, 40.0)
        app.show(live.view())
        await until_shown(pilot, "3 SQUATS")


async def test_a_narrow_terminal_shows_every_key_in_two_lines(live):
    counted(live, *squats(3))
    app = LiveApp(lambda command: None)
    async with app.run_test(size=(40, 24)) as pilot:
        app.show(live.view())
        await until_shown(pilot, "e end", "u undo", "+ rep", "p pause", "q quit", "t targets")
        await pilot.resize_terminal(80, 24)
        await until_shown(pilot, "e end u undo + rep p pause q quit t targets")


async def test_a_resized_terminal_is_drawn_again(live):
    counted(live, *squats(3))
    app = LiveApp(lambda command: None)
    async with app.run_test(size=(80, 24)) as pilot:
        app.show(live.view())
        await pilot.resize_terminal(40, 12)
        await pilot.pause(0.3)
        assert "SQUAT" in on_screen(app)
        assert max(len(line) for line in on_screen(app).splitlines()) <= 40


async def test_each_key_gives_a_possible_command_and_nothing_else(live):
    asked = []
    app = LiveApp(asked.append)
    async with app.run_test() as pilot:
        app.show(live.view())
        await pilot.press("e", "u", "k", "x", "up", "f1", "p")
        assert asked == [PersonCommand.PAUSE]
        live.pause(True)
        app.show(live.view())
        await until_shown(pilot, "p resume")
        counted(live, *squats(3))
        app.show(live.view())
        await pilot.pause(0.1)
        await pilot.press("e", "space", "u", "p", "q", "ctrl+c", "+")
        asked.pop()(run := Mock())
        run.recount.assert_called_once_with(None, 1)
        assert asked[1:] == [
            PersonCommand.END_SET,
            PersonCommand.END_SET,
            PersonCommand.TAKE_BACK,
            PersonCommand.RESUME,
            None,
            None,
        ]


async def test_targets_are_written_in_one_line(live):
    asked = []
    app = LiveApp(asked.append)
    async with app.run_test(size=(80, 24)) as pilot:
        app.show(live.view())
        await pilot.press("n", "t", *"squat, reps five", "enter")
        await until_shown(pilot, "reps is a whole number")
        assert asked == []
        await pilot.press(*["backspace"] * 4, *"5, load 225 lb", "enter")
        await pilot.pause(0.1)
        asked.pop()(run := Mock())
        run.aim_at.assert_called_once_with(
            Targets(exercise="squat", repetitions=5, load_kg=225 * 0.45359237, load_in_lb=True)
        )
        await pilot.press("t", "ctrl+a", "ctrl+k", *"tempo 2-1-X, front squat, sets 3", "enter")
        await pilot.pause(0.1)
        asked.pop()(run := Mock())
        run.aim_at.assert_called_once_with(Targets(exercise="front squat", sets=3, tempo=Tempo(2.0, 1.0)))
        await pilot.press("t", "escape", "t", "ctrl+a", "ctrl+k", "enter", "q")
        assert asked == [None]


async def test_the_help_for_the_line_of_targets_is_whole_in_a_narrow_terminal(live):
    app = LiveApp(lambda command: None)
    async with app.run_test(size=(40, 24)) as pilot:
        app.show(live.view())
        await pilot.press("t")
        await until_shown(pilot, "Enter uses these targets, Escape leaves", "them as they are.")


def test_targets_in_words_are_read_back():
    line = "back squat, load 225 lb, sets 5, reps 5, rest 90, tempo 3-1-X, depth best, velocity 0.4-0.6, stop-loss 20"
    assert targets_in_words(targets_of(line)) == line


def test_the_line_of_targets_is_in_the_persons_unit():
    planned = targets_of("back squat, load 60").in_unit(in_lb=True)
    line = targets_in_words(planned)
    assert line == "back squat, load 132.3 lb"
    assert targets_of(line, planned, in_lb=True) == planned, "not 60.01 kg"
    assert targets_of("load 225", planned, in_lb=True).load == "225 lb"
    assert targets_of("load 100 kg", planned, in_lb=True).load == "100 kg"


def test_an_equals_sign_stands_for_a_space_and_is_no_name():
    assert targets_of("reps=5, load = 100 kg, rest: 3:00, front squat") == targets_of(
        "reps 5, load 100 kg, rest 3:00, front squat"
    )
    with pytest.raises(PlanUnusable, match="reps"):
        targets_of("reps=99999999999")


async def test_only_lines_that_change_are_drawn_again(live, monkeypatch):
    counted(live, *squats(3))
    app, drawn = LiveApp(lambda command: None), []
    async with app.run_test(size=(80, 24)) as pilot:
        app.show(live.view())
        await pilot.pause(0.2)
        panel = app.query_one(Panel)
        monkeypatch.setattr(panel, "refresh", lambda *regions: drawn.extend(regions))
        app.show(live.view())
        assert drawn == []
        live.tell("something")
        app.show(live.view())
        assert 1 <= len(drawn) <= 3
        assert all(region.height == 1 for region in drawn)


async def test_no_color_is_respected(live, monkeypatch):
    counted(live, *squats(3))
    colours = {}
    for no_colour in (False, True):
        if no_colour:
            monkeypatch.setenv("NO_COLOR", "1")
        app = LiveApp(lambda command: None)
        async with app.run_test(size=(80, 24)) as pilot:
            app.show(live.view())
            await pilot.pause(0.3)
            colours[no_colour] = "#68a0b3" in app.export_screenshot()  # cyan
            assert "SQUAT" in on_screen(app)
    assert colours == {False: True, True: False}


# --- targets ----------------------------------------------------------------------------------------------------------

PLAN = Plan((Targets.from_object({"name": "back squat", "load": 100, "sets": 5, "reps": 5, "depth": 45, "rest": 180}),))


@pytest.mark.parametrize("size", [(80, 24), (130, 40), (60, 20)])
def test_plan_gauge_bars_and_signal_are_on_the_screen(size):
    live = LiveTraining(plan=PLAN)
    live.take(CONNECTED)
    counted(live, repetition(10.0, hip_drop_m=0.5), repetition(14.0, hip_drop_m=0.5), repetition(18.0, hip_drop_m=0.3))
    text = shown(live.view(), *size)
    for words in ("Back squat 100 kg, set 1 of 5, rep 3 of 5", "of 45 cm", "▼ TOO SHALLOW"):
        assert words in text
    assert ("●" in text) is (size != (60, 20))  # the bars need room


async def test_a_key_counts_hinges_of_a_planned_squat_as_their_own_exercise_and_back():
    live, asked = LiveTraining(plan=PLAN), []
    live.take(CONNECTED)
    hinges = [repetition(10.0 + 5 * i, Pattern.HINGE, hip_drop_m=0.03, trunk_angle_rad=1.0) for i in range(3)]
    counted(live, *hinges)
    app = LiveApp(asked.append)
    async with app.run_test(size=(90, 30)) as pilot:
        app.show(live.view())
        await pilot.press("o")
        assert asked == []  # no rest yet
        live.take(RestBegan(hinges[-1].end_s))  # though the set may go on
        for words in (
            "Back squat was planned, 3 hinges came: o, count as hip hinge",
            "Set 1 counts as hip hinge: o, back to back",
        ):
            app.show(live.view())
            await until_shown(pilot, words, "o exercise")
            await pilot.press("o")
            asked.pop()(run := Mock())
            run.move.assert_called_once_with(None)
            live.enter(live.move(None))


def test_the_digits_have_the_colour_of_a_signal_that_is_more_than_good():
    live = LiveTraining(plan=PLAN)
    live.take(CONNECTED)

    def colours() -> set[str]:
        lines = screen_lines(live.view(), 80, 24)
        return {str(span.style) for line in lines for span in line.spans if "██" in line.plain[span.start : span.end]}

    counted(live, repetition(10.0, hip_drop_m=0.5))
    assert "bold cyan" in colours() and "bold yellow" not in colours()
    counted(live, repetition(14.0, hip_drop_m=0.3))
    assert "bold yellow" in colours() and "bold cyan" not in colours()


def test_the_smallest_screen_shows_count_and_signal():
    live = LiveTraining(plan=PLAN)
    live.take(CONNECTED)
    counted(live, repetition(10.0, hip_drop_m=0.3), repetition(14.0, hip_drop_m=0.3))
    text = shown(live.view(), 38, 10)
    assert "TOO SHALLOW" in text and "██" in text


def test_a_bar_for_each_repetition_and_none_by_colour_alone():
    bars = Bars(Measure.SPEED, (Bar(0.5, (SignalKind.GOOD,)), Bar(0.25, (SignalKind.STOP,))), 0.5, loss_line=0.4)
    lines = [line.plain for line in repetition_bars(bars, 40, 5)]
    assert [line[:6] for line in lines[:4]] == ["██████"] * 4
    assert [line[7:13] for line in lines[:4]] == [" " * 6, " " * 6, "██████", "██████"]
    assert "●" in lines[4] and "■" in lines[4]
    assert sum("─" in line for line in lines) == 1


@given(st.lists(st.floats(0, 2), max_size=60), st.integers(2, 100), st.integers(1, 12))
def test_bars_fit_their_place(values, width, rows):
    bars = Bars(Measure.SPEED, tuple(Bar(value) for value in values), max([*values, 0.1]), planned=5)
    lines = repetition_bars(bars, width, rows)
    assert len(lines) == rows
    assert all(line.cell_len <= width for line in lines)


# --- one line each ---------------------------------------------------------------------------------------------------


def test_each_event_is_a_line(live):
    lines = []

    def take(happened):
        live.take(happened)
        lines.append(plain_line(happened, live.view()))

    one, two = repetition(10.0), repetition(13.0, angle_at_bottom_rad=math.radians(60))
    take(RepetitionCounted(one))
    take(RepetitionCounted(two))
    take(RepetitionTakenBack(two))
    take(rejected("sat down"))
    take(SetClosed(set_of(one)))
    take(rejected("alone", repetition(20.0, Pattern.HINGE)))
    take(GapFound(Gap(61.0, 63.5)))
    assert lines == [
        "   0:12    1  squat       30°  0.45 m  1.2-0.1-1.2 s  0.40 m/s  97 % sure",
        "   0:16    2  squat       30°  0.45 m  1.2-0.1-1.2 s  0.40 m/s  97 % sure  chest up",
        "   0:16       taken back: squat; 1 left in the set",
        "   0:02       not counted: sat down",
        "         set 1, 0:10 to 0:12: 1 squat; today 11 squats : 5 hinges",
        "   0:02       not counted: alone (1 hinge)",
        "   1:01       2.5 s without samples",
    ]


def test_samples_that_come_after_a_lost_connection_are_one_line(live):
    lines, view = PlainLines(), live.view()
    lost, one = rejected("alone"), RepetitionCounted(repetition(10.0))
    happened = (
        [SamplesRecovered(20)] * 40 + [one] + [SamplesRecovered(20)] * 35 + [lost, SetClosed(set_of(repetition()))]
    )
    said = [line for each in happened for line in lines.of(each, view)]
    assert [line for line in said if "kept back" in line] == ["1500 samples that were kept back have come"]
    assert len(said) == 4


def test_each_sensor_that_is_heard_is_one_line_in_a_pipe():
    lines, view = PlainLines(), LiveView()
    heard = [(), ("Hip 7, signal good",), ("Hip 7, signal fair", "H10"), ("H10", "Hip 7, signal good")]
    said = [lines.of(Link(LinkState.SEARCHING, heard=one, other_devices=bool(one)), view) for one in heard]
    assert said == [["looking for the sensor"], ["heard Hip 7, signal good"], ["heard H10"], []]


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        (Link(LinkState.SEARCHING), "looking for the sensor"),
        (Link(LinkState.CONNECTING, "Hip 7", 2), "connecting to Hip 7 (try 2)"),
        (CONNECTED, "Hip 7 is connected"),
        (Link(LinkState.LOST, "Hip 7"), "Hip 7 is lost; repetitions until it is back may be missing"),
        (Identified("7", "Hip", "1.2", 104.0, (1.0, 1.0)), "Hip 7, firmware 1.2, 104 Hz"),
        (Battery(80.0), None),
        (Battery(8.0), "battery LOW: 8 %"),
        (SamplesLost(20), "20 samples were lost"),
        (SamplesLost(None), "samples were lost, the sensor does not say how many"),
        (SamplesRecovered(200), "200 samples that were kept back have come"),
        (Restarted(), "the sensor has restarted"),
        (Malformed(3, "too short"), None),
        (Caution("it is\nloose"), "it is?loose"),
        (Refused("too old"), "too old"),
    ],
)
def test_each_notice_of_the_sensor_is_a_line(happened, line):
    assert plain_line(happened, LiveView()) == line
