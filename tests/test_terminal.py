"""The screen one trains in front of, in any size; and what a pipe gets instead."""

import io
import math
import sys
import textwrap
from dataclasses import replace

import pytest
from builders import counted, rejected, set_of, squats, views
from builders import live_repetition as repetition
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from test_keys import posix, started

from imu.app.block_digits import ROWS, block_digits, width_of
from imu.app.plain_lines import plain_line
from imu.app.screen import screen
from imu.app.terminal import TerminalScreen, can_draw
from imu.bluetooth import LinkState
from imu.live.live_training import LiveTraining
from imu.live.live_view import Link, LiveView, Tally, TrainedBefore
from imu.live.screen_parts import ASCII, UNICODE, bar
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
from imu.session import GapFound, RepetitionCounted, RepetitionTakenBack, SetClosed

CONNECTED = Link(LinkState.CONNECTED, "Hip 7", 1, -61.0)


@pytest.fixture
def live():
    training = LiveTraining(TrainedBefore(Tally(10, 5), Tally(120, 61)), 60.0)
    training.tick(0.0, 10.0)
    training.take(CONNECTED)
    training.take(Battery(87.0))
    return training


def shown(view, width=80, height=24, **options):
    return screen(view, width, height, **options).plain


# --- what is on it ---------------------------------------------------------------------------------------------------


def test_in_a_set_all_that_matters_is_there(live):
    counted(live, *squats(4, trunk_angle_rad=math.radians(33), hip_drop_m=0.41))
    live.tick(5.0, 22.0, Posture(math.radians(45), 0.3))
    text = shown(live.view())
    for told in ("Hip 7", "connected", "battery 87 %", "signal good -61 dBm", "SQUAT  97 % sure", "set 1   0:12"):
        assert told in text
    for told in (
        " 33°",
        " 41 cm",
        "tempo 1.2-0.1-1.2 s",
        "speed 0.40 m/s, +0 %",
        "today  14 squats : 5 hinges",
        "124 : 61",
    ):
        assert told in text
    assert text.splitlines()[-1] == "e end  u undo  p pause  q quit"
    rows = text.splitlines()
    drawn = block_digits("4", 3)
    assert [row[25:43].rstrip() for row in rows if "██" in row[:43]] == [row.rstrip() for row in drawn]


def test_nothing_is_quite_sure(live):
    counted(live, repetition(confidence=1.0))
    assert "SQUAT  99 % sure" in shown(live.view())
    assert "99 % sure" in plain_line(RepetitionCounted(repetition(confidence=1.0)), live.view())


def test_in_a_rest_the_clock_is_large_and_the_set_is_told(live):
    done = counted(live, *squats(4))
    live.take(SetClosed(set_of(*done)))
    live.tick(40.0, 52.0)
    text = shown(live.view())
    for told in ("4 SQUATS  in set 1", "rest 0:30 of 1:00", "trunk 30°  drop 45 cm", "sets   4 squats", "chest up"):
        assert told in text
    assert "e end" not in text
    live.tick(70.0, 82.0)
    assert "REST IS OVER" in shown(live.view())
    assert "REST IS OVER" in shown(live.view(), 40, 24)


@pytest.mark.parametrize(
    ("link", "told"),
    [
        (Link(LinkState.SEARCHING), "Looking for the sensor."),
        (Link(LinkState.CONNECTING, "Hip 7", 2), "connecting, try 2"),
        (CONNECTED, "Stand still a second, then begin."),
        (Link(LinkState.LOST, "Hip 7", 3), "LOST for 0:07, try 3"),
    ],
)
def test_every_state_of_the_link_is_told_in_words(link, told):
    live = LiveTraining()
    live.take(link)
    live.tick(7.0, 0.0)
    assert told in shown(live.view())


def test_what_went_wrong_is_told(live):
    (lone,) = counted(live, repetition())
    live.take(rejected("alone", lone))
    live.take(rejected("sat down"))
    live.take(SamplesLost(40))
    live.take(GapFound(Gap(1.0, 3.0)))
    live.take(Refused("the firmware is too old; update it"))
    live.take(Battery(9.0))
    live.pause(True)
    text = shown(live.view(), 80, 30)
    for told in (
        "1 squat stood alone: k keeps it as a set",
        "not counted: sat down",
        "2.0 s without samples, 40 samples lost",
    ):
        assert told in text
    for told in ("!! the firmware is too old", "battery LOW 9 %", "PAUSED", "p resume", "k keep"):
        assert told in text


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


def test_without_a_keyboard_no_keys_are_named(live):
    assert "quit" not in shown(live.view(), keys=False)


# --- in any size -----------------------------------------------------------------------------------------------------

SIZES = [(80, 24), (40, 24), (20, 6), (200, 60), (60, 10), (30, 10), (34, 12), (1, 1), (120, 8), (10, 50)]


def check_fits(view, width, height, *, ascii_only):
    drawing = screen(view, width, height, ascii_only=ascii_only)
    lines = drawing.split(allow_blank=True)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    assert not ascii_only or drawing.plain.isascii()


@settings(max_examples=60, deadline=None)
@given(views(), st.one_of(st.sampled_from(SIZES), st.tuples(st.integers(1, 250), st.integers(1, 80))), st.booleans())
def test_it_fits_whatever_there_is_to_show(view: LiveView, size, ascii_only):
    check_fits(view, *size, ascii_only=ascii_only)


@pytest.mark.parametrize("size", SIZES)
def test_wide_characters_fit_too(live, size):
    live.take(replace(CONNECTED, sensor="腰のセンサー" * 5))
    live.tell("腰" * 150)
    check_fits(live.view(), *size, ascii_only=False)
    check_fits(live.view(), *size, ascii_only=True)


def test_nothing_jumps_when_there_is_more_to_say(live):
    counted(live, *squats(3))
    quiet = shown(live.view()).splitlines()
    for sentence in ("one", "two", "three"):
        live.tell(sentence)
    live.take(rejected("sat down"))
    live.take(SamplesLost(40))
    told = shown(live.view()).splitlines()
    digits = [row for row, line in enumerate(quiet) if "██" in line]
    assert digits == list(range(digits[0], digits[0] + 3 * ROWS))
    assert told[: digits[-1] + 1] == quiet[: digits[-1] + 1]
    counted(live, repetition(40.0), repetition(43.0))  # the count has the same place
    assert [row for row, line in enumerate(shown(live.view()).splitlines()) if "██" in line] == digits


def test_the_count_is_as_large_as_the_screen_allows(live):
    counted(live, *squats(3))
    live.tick(1.0, 20.0, Posture(0.0, 0.0))  # empty bars
    heights = [
        sum("██" in line for line in shown(live.view(), width, height).splitlines()) for width, height in SIZES[:4]
    ]
    assert heights == [15, 10, 5, 35]


def test_what_has_no_room_is_left_out_from_the_least_important(live):
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
    rows = block_digits(text, scale, ink="#")
    assert len(rows) == ROWS * scale
    assert {len(row) for row in rows} == {width_of(text, scale)}


def test_only_digits_are_drawn():
    for text, scale in (("", 1), ("1a", 1), ("1", 0)):
        with pytest.raises(ValueError, match="only digits"):
            block_digits(text, scale)


def test_a_bar_is_filled_to_its_share_with_a_mark():
    assert bar(0.5, 0.75, 8, ASCII).plain == "####..|."
    assert bar(0.5, None, 8, UNICODE).plain == "████····"
    assert [bar(share, 1.0, 4, ASCII).plain for share in (-1.0, 0.0, 2.0)] == ["...|", "...|", "###|"]


@given(st.floats(-2, 2), st.none() | st.floats(-2, 2), st.integers(1, 100))
def test_a_bar_has_its_length(share, mark, length):
    assert len(bar(share, mark, length, ASCII).plain) == length


# --- the terminal ----------------------------------------------------------------------------------------------------


class Screened(io.StringIO):
    """A terminal that keeps what was written to it."""

    def isatty(self):
        return True


def console_of(file, **environment):
    return Console(
        file=file,
        width=80,
        height=24,
        _environ={"TERM": "xterm-256color", **environment},
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def test_where_a_screen_can_be_drawn():
    assert can_draw(console_of(Screened()))
    assert not can_draw(console_of(Screened(), TERM="dumb"))
    assert not can_draw(console_of(io.StringIO(), FORCE_COLOR="1"))  # a pipe, whatever rich thinks


def test_it_draws_when_something_changed_and_it_is_time(live):
    file, now_s = Screened(), [100.0]
    with TerminalScreen(console_of(file), clock=lambda: now_s[0]) as terminal:

        def drawn(after_s):
            now_s[0] += after_s
            before = len(file.getvalue())
            terminal.show(live.view())
            return len(file.getvalue()) > before

        assert drawn(0.0)
        live.tell("something")
        assert not drawn(0.05)  # too soon
        assert drawn(0.06)
        assert not drawn(0.5)  # nothing new
        assert drawn(0.6)  # but something else may have written over it
        counted(live, repetition())
        assert drawn(0.01)  # a count never waits
        terminal.suspend()
        assert not drawn(5.0)
        terminal.resume()
        assert drawn(0.0) or drawn(0.2)
    assert file.getvalue().count("\x1b[?1049h") == file.getvalue().count("\x1b[?1049l") == 2


def test_without_colour_there_is_none(live):
    counted(live, *squats(3))
    file = Screened()
    with TerminalScreen(console_of(file, NO_COLOR="1")) as terminal:
        terminal.show(live.view())
    assert "\x1b[36m" not in file.getvalue()
    assert "\x1b[1;36m" not in file.getvalue()
    assert "SQUAT" in file.getvalue()
    file = Screened()
    with TerminalScreen(console_of(file)) as terminal:
        terminal.show(live.view())
    assert "\x1b[1;36m" in file.getvalue()


def test_an_old_encoding_gets_what_it_can_show(live):
    counted(live, *squats(3))
    raw = io.BytesIO()

    class Old(io.TextIOWrapper):
        def isatty(self):
            return True

    file = Old(raw, encoding="ascii", errors="strict")
    with TerminalScreen(console_of(file)) as terminal:
        terminal.show(live.view())
    file.flush()
    assert b"######" in raw.getvalue()


CHILD = textwrap.dedent(
    """
    import asyncio, sys
    from rich.console import Console
    from imu.app.keys import Keyboard
    from imu.live.live_training import LiveTraining
    from imu.app.terminal import TerminalScreen, can_draw

    async def main(how):
        console, live = Console(), LiveTraining()
        assert can_draw(console)
        with TerminalScreen(console) as screen, Keyboard(lambda key: None, screen.suspend, screen.resume):
            screen.show(live.view())
            if how == "raise":
                raise SystemExit("broken")
            await asyncio.Event().wait()

    asyncio.run(main(sys.argv[1]))
    """
)


@pytest.mark.process
@posix
@pytest.mark.parametrize(("how", "ends_with"), [("raise", 1), ("SIGTERM", -15)])
def test_however_it_ends_the_first_page_is_back(tmp_path, how, ends_with):
    path = tmp_path / "child.py"
    path.write_text(CHILD)
    with started("env", "TERM=xterm", "COLUMNS=80", "LINES=24", sys.executable, str(path), how) as (process, terminal):
        found = terminal.modes()
        terminal.wait_for("\x1b[?1049h")
        if how == "SIGTERM":
            terminal.wait_for("Looking for the sensor.")
            process.terminate()
        terminal.wait_for("\x1b[?25h")  # the cursor
        terminal.wait_for("\x1b[?1049l")
        assert process.wait(10) == ends_with
        assert terminal.modes() == found


# --- one line each ---------------------------------------------------------------------------------------------------


def test_what_happens_is_told_in_a_line_each(live):
    told = []

    def take(happened):
        live.take(happened)
        told.append(plain_line(happened, live.view()))

    one, two = repetition(10.0), repetition(13.0, angle_at_bottom_rad=math.radians(60))
    take(RepetitionCounted(one))
    take(RepetitionCounted(two))
    take(RepetitionTakenBack(two))
    take(rejected("sat down"))
    take(SetClosed(set_of(one)))
    take(rejected("alone", repetition(20.0, Pattern.HINGE)))
    take(GapFound(Gap(61.0, 63.5)))
    assert told == [
        "   0:12    1  squat       30°  0.45 m  1.2-0.1-1.2 s  0.40 m/s  97 % sure",
        "   0:16    2  squat       30°  0.45 m  1.2-0.1-1.2 s  0.40 m/s  97 % sure  chest up",
        "   0:16       taken back: squat; 1 left in the set",
        "   0:02       not counted: sat down",
        "   0:12  set 1: 1 squat; today 11 squats : 5 hinges",
        "   0:02       not counted: alone (1 hinge)",
        "   1:01       2.5 s without samples",
    ]


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        (Link(LinkState.SEARCHING), "looking for the sensor"),
        (Link(LinkState.CONNECTING, "Hip 7", 2), "connecting to Hip 7 (try 2)"),
        (CONNECTED, "Hip 7 is connected"),
        (Link(LinkState.LOST, "Hip 7"), "Hip 7 is lost; what is done until it is back may be missing"),
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
def test_what_the_sensor_does_is_told_in_a_line(happened, line):
    assert plain_line(happened, LiveView()) == line
