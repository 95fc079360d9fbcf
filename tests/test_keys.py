"""Keys of the live screen, in real terminals and under real shells: heard at once, and the terminal is given back."""

import os
import select
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager

import pytest

if sys.platform != "win32":
    import pty
    import termios

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
pytestmark = [posix, pytest.mark.process]

CHILD = textwrap.dedent(
    """
    import asyncio, os
    from imu.app.terminal import can_draw
    from imu.app.terminal.app import LiveApp
    from imu.live.live_training import LiveTraining
    from imu.motion.repetitions import Repetition
    from imu.motion.pattern import Pattern
    from imu.session import RepetitionCounted

    def say(text):
        os.write(1, f"<{text}>\\n".encode())

    async def main():
        live = LiveTraining()
        live.take(RepetitionCounted(Repetition(
            1.0, 2.0, 3.0, 3.1, Pattern.SQUAT, 0.9, 0.5, 0.4, 1.0, 0.0, 1.0, 0.4, 0.6, 0.4, 0.0, 0.0, 0.1)))
        def obey(command):
            say("QUIT" if command is None else command.name)
            if command is None:
                app.exit()
        app = LiveApp(obey)
        async def show():
            for number in range(100_000):
                live.tell(f"number {number}")
                app.show(live.view())
                await asyncio.sleep(0.05)
        if not can_draw():
            say("lines")
            return
        showing = asyncio.create_task(show())
        await app.run_async(mouse=False)
        showing.cancel()
        say("gone on to " + ("0" if "number 0" in live.view().messages[0].sentence else "more"))

    asyncio.run(main())
    """
)
# A terminal of its own for the program that follows, as a window gives it.
LAUNCHER = "import fcntl,os,sys,termios; fcntl.ioctl(0,termios.TIOCSCTTY,0); os.execvp(sys.argv[1],sys.argv[1:])"


class Terminal:
    """The far end of a terminal: its screen, and fingers."""

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


@pytest.fixture
def shell():
    with started("bash", "--norc", "-i") as (_, terminal):
        terminal.wait_for("$ ")
        yield terminal


ON_SCREEN, OFF_SCREEN = "\x1b[?1049h", "\x1b[?1049l"


def test_keys_are_heard_at_once_and_the_terminal_is_given_back(child):
    with started(sys.executable, child) as (process, terminal):
        found = terminal.modes()
        terminal.wait_for(ON_SCREEN)
        terminal.wait_for("number")
        assert terminal.modes() != found
        terminal.type("eup")  # no Enter
        for text in ("<END_SET>", "<TAKE_BACK>", "<PAUSE>"):
            terminal.wait_for(text)
        terminal.type("\x03")  # Ctrl-C
        terminal.wait_for("<QUIT>")
        terminal.wait_for(OFF_SCREEN)
        terminal.wait_for("<gone on to more>")
        assert process.wait(20) == 0
        assert terminal.modes() == found


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_without_a_terminal_there_are_lines(child, stream):
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, stream: subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, child], **streams) as process:
        assert process.wait(60) == 0
    os.close(theirs)
    os.close(ours)


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(child, shell):
    shell.type(f"{sys.executable} {child}\n")
    shell.wait_for(ON_SCREEN)
    shell.wait_for("number")
    taken = shell.modes()
    for _ in range(2):
        shell.type("\x1a")
        shell.wait_for(OFF_SCREEN)
        shell.wait_for("Stopped")
        shell.wait_for("$ ")
        shell.type("stty -a\n")
        modes = shell.wait_for("$ ")
        assert "icanon" in modes
        assert not {"-icanon", "-isig"} & set(modes.split())
        shell.type("fg\n")
        shell.wait_for(ON_SCREEN)
        shell.wait_for("number")
        assert shell.modes() == taken
        shell.type("p")
        shell.wait_for("<PAUSE>")
    shell.type("q")
    shell.wait_for("<QUIT>")
    shell.wait_for("$ ")


def test_in_the_background_it_goes_on_without_the_screen(child, shell):
    shell.type(f"{sys.executable} {child}\n")
    shell.wait_for("number")
    shell.type("\x1a")
    shell.wait_for("Stopped")
    shell.type("bg\n")
    time.sleep(1.0)
    shell.type("jobs\n")
    shell.wait_for("Running")
    shell.type("fg\n")
    shell.wait_for(ON_SCREEN)
    shell.wait_for("number")
    shell.type("q")
    shell.wait_for("<QUIT>")
