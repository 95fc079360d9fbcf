"""Single keys: what is a key, and that a terminal is given back whatever happens. Real terminals, real shells."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imu.app.keys import POLL_S, Key, Keyboard, KeyDecoder, WindowsKeyboard

if sys.platform != "win32":
    import pty
    import termios

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")


# --- what is a key ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("characters", "keys"),
    [
        ("eupkq", [Key.END_SET, Key.TAKE_BACK, Key.PAUSE, Key.KEEP_ALONE, Key.QUIT]),
        (" E", [Key.END_SET, Key.END_SET]),
        ("xyz1\n\t\x7f", []),
        ("\x1b[A\x1b[1;5P\x1bOQ\x1b[15~", []),  # up, F1 with Ctrl, F2, F5
        ("\x1b[Aq", [Key.QUIT]),
        ("\x1bq", []),  # Alt and q
        ("\x1b", []),
        ("\ufffdq", [Key.QUIT]),
    ],
)
def test_characters_become_keys(characters, keys):
    assert KeyDecoder().push(characters) == keys


def test_a_function_key_that_comes_in_pieces_is_no_key():
    decoder = KeyDecoder()
    assert [decoder.push(piece) for piece in ("\x1b[1", ";2", "P", "p")] == [[], [], [], [Key.PAUSE]]


def test_escape_alone_swallows_nothing_that_comes_later():
    decoder = KeyDecoder()
    assert decoder.push("\x1b") == []
    assert decoder.push("q") == [Key.QUIT]


@given(st.lists(st.text()))
def test_no_character_breaks_it(pieces):
    decoder = KeyDecoder()
    for piece in pieces:
        decoder.push(piece)
    assert decoder.push("\x1b[Aq")[-1:] == [Key.QUIT]


class FakeConsole:
    """A Windows console on which keys were typed."""

    def __init__(self, typed):
        self.typed = list(typed)

    def kbhit(self):
        return bool(self.typed)

    def getwch(self):
        return self.typed.pop(0)


async def test_windows_is_asked_for_keys_until_it_is_left():
    heard, console = [], FakeConsole("e\xe0Hq")
    keyboard = WindowsKeyboard(heard.append, console)
    with keyboard:
        assert keyboard.listening
        await asyncio.sleep(0)
        assert heard == [Key.END_SET, Key.QUIT]
        console.typed = ["\x00"]  # the halves of a function key, asked for apart
        await asyncio.sleep(1.5 * POLL_S)
        console.typed = list("pu")
        await asyncio.sleep(1.5 * POLL_S)
        assert heard[2:] == [Key.TAKE_BACK]
    assert not keyboard.listening
    console.typed = list("k")
    await asyncio.sleep(1.5 * POLL_S)
    assert heard[3:] == []


# --- real terminals --------------------------------------------------------------------------------------------------

CHILD = textwrap.dedent(
    """
    import asyncio, os, sys
    from imu.app.keys import Key, Keyboard

    def say(text):
        os.write(1, f"<{text}>\\n".encode())

    async def main(how):
        done = asyncio.Event()
        def heard(key):
            say(key.name)
            if key is Key.QUIT:
                done.set()
        with Keyboard(heard, lambda: say("off screen"), lambda: say("on screen")) as keyboard:
            say("listening" if keyboard.listening else "deaf")
            if how == "raise":
                await asyncio.sleep(0)
                raise SystemExit("broken")
            await done.wait()

    asyncio.run(main(sys.argv[1]))
    """
)
# A terminal of its own for the program that follows, as a window gives it.
LAUNCHER = "import fcntl,os,sys,termios; fcntl.ioctl(0,termios.TIOCSCTTY,0); os.execvp(sys.argv[1],sys.argv[1:])"


class Terminal:
    """The far end of a terminal: what is shown on it, and fingers."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.shown = ""

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def wait_for(self, text, within_s=20):
        """Wait until `text` is shown, and forget what was shown up to there."""
        deadline = time.monotonic() + within_s
        while text not in self.shown:
            readable, _, _ = select.select([self.descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise AssertionError(f"{text!r} was never shown, only {self.shown!r}")
            self.shown += os.read(self.descriptor, 4096).decode("utf-8", "replace")
        before, _, self.shown = self.shown.partition(text)
        return before

    def modes(self):
        return termios.tcgetattr(self.descriptor)[3] & (termios.ECHO | termios.ICANON | termios.ISIG)


@contextmanager
def started(*command):
    """Run a program in a terminal of its own."""
    ours, theirs = pty.openpty()
    launch = [sys.executable, "-c", LAUNCHER, *command]
    process = subprocess.Popen(
        launch, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env={**os.environ, "PS1": "$ "}
    )
    try:
        yield process, Terminal(ours)
    finally:
        process.kill()
        process.wait()
        os.close(theirs)
        os.close(ours)


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "child.py"
    path.write_text(CHILD)
    return str(path)


@pytest.mark.process
@posix
def test_keys_are_heard_at_once_and_unechoed(child):
    with started(sys.executable, child, "wait") as (process, terminal):
        found = terminal.modes()
        terminal.wait_for("<listening>")
        assert terminal.modes() != found
        terminal.type("e u")  # no Enter
        before = [terminal.wait_for(text) for text in ("<END_SET>", "<END_SET>", "<TAKE_BACK>")]
        assert [text.strip() for text in before] == ["", "", ""]  # not echoed
        terminal.type("q")
        terminal.wait_for("<QUIT>")
        assert process.wait(10) == 0
        assert terminal.modes() == found


@pytest.mark.process
@posix
def test_an_exception_gives_the_terminal_back(child):
    with started(sys.executable, child, "raise") as (process, terminal):
        found = terminal.modes()
        terminal.wait_for("<listening>")
        assert process.wait(10) == 1
        assert terminal.modes() == found


@pytest.mark.process
@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_ends_gives_the_terminal_back(child, number):
    with started(sys.executable, child, "wait") as (process, terminal):
        found = terminal.modes()
        terminal.wait_for("<listening>")
        process.send_signal(number)
        if number == signal.SIGTERM:
            terminal.wait_for("<off screen>")
        assert process.wait(10) == -number
        assert terminal.modes() == found


@pytest.mark.process
@posix
def test_without_a_terminal_no_key_is_heard(child):
    with subprocess.Popen(
        [sys.executable, child, "wait"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "<deaf>\n"
        process.kill()


@pytest.mark.process
@posix
async def test_a_closed_window_is_the_end_of_keys_and_no_error():
    """Whether a hang-up ends the training is for others to say; a terminal that is gone must not be read for ever."""
    ours, theirs = pty.openpty()
    loop, heard = asyncio.get_running_loop(), []
    try:
        with Keyboard(heard.append, descriptor=theirs) as keyboard:
            assert keyboard.listening
            os.write(ours, b"p")
            while not heard:
                await asyncio.sleep(0)
            os.close(ours)
            select.select([theirs], [], [], 10)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not loop.remove_reader(theirs)  # it has gone already
        assert heard == [Key.PAUSE]
    finally:
        os.close(theirs)


@pytest.mark.process
@posix
async def test_signals_that_others_take_are_left_to_them():
    ours, theirs = pty.openpty()
    before = [signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)]
    taken = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, taken.append, "term")
    try:
        with Keyboard(lambda _: None, descriptor=theirs):
            signal.raise_signal(signal.SIGTERM)
            while not taken:
                await asyncio.sleep(0)
        assert [signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)] == before
        signal.raise_signal(signal.SIGTERM)
        while len(taken) < 2:
            await asyncio.sleep(0)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        os.close(ours)
        os.close(theirs)


@pytest.fixture
def shell():
    with started("bash", "--norc", "-i") as (_, terminal):
        terminal.wait_for("$ ")
        yield terminal


@pytest.mark.process
@posix
def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(child, shell):
    shell.type(f"{sys.executable} {child} wait\n")
    shell.wait_for("<listening>")
    taken = shell.modes()
    for _ in range(2):
        shell.type("\x1a")
        shell.wait_for("<off screen>")
        shell.wait_for("Stopped")
        shell.wait_for("$ ")
        shell.type("stty -a\n")
        modes = shell.wait_for("$ ")
        assert "icanon" in modes
        assert not {"-icanon", "-isig"} & set(modes.split())
        shell.type("fg\n")
        shell.wait_for("<on screen>")
        assert shell.modes() == taken
        shell.type("p")
        shell.wait_for("<PAUSE>")
    shell.type("q")
    shell.wait_for("<QUIT>")
    shell.wait_for("$ ")


@pytest.mark.process
@posix
def test_in_the_background_it_goes_on_and_leaves_the_terminal_alone(child, shell):
    shell.type(f"{sys.executable} {child} wait &\n")
    shell.wait_for("<deaf>")
    shell.type("fg\n")
    shell.wait_for("<on screen>")
    shell.type("u")
    shell.wait_for("<TAKE_BACK>")
    shell.type("\x1a")
    shell.wait_for("Stopped")
    shell.type("bg\n")
    shell.type("jobs\n")
    shell.wait_for("Running")
    shell.type("fg\n")
    shell.wait_for("<on screen>")
    shell.type("q")
    shell.wait_for("<QUIT>")


@pytest.mark.process
@posix
def test_stopped_by_force_it_takes_the_terminal_again(child, shell):
    shell.type(f"{sys.executable} {child} wait\n")
    shell.wait_for("<listening>")
    taken = shell.modes()
    shell.type("\x1a")
    shell.wait_for("Stopped")
    shell.type("kill -CONT %1; kill -STOP %1; sleep 0.1; fg\n")
    shell.wait_for("<on screen>")
    assert shell.modes() == taken
    shell.type("q")
    shell.wait_for("<QUIT>")
