"""The live screen as a Textual app: it draws the view and passes on the person's commands.

:mod:`imu.app.terminal.screen` makes the lines. The app runs in the event loop of the training, which goes on while the
screen is suspended or in the background.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.events import Key, Resize
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Footer, Input, Label

from imu.app.terminal import in_foreground
from imu.app.terminal.screen import screen_lines
from imu.live.live_view import LiveView
from imu.live.targets import PlanUnusable, Targets, with_unit_typed
from imu.live.training_run import TrainingRun
from imu.training import PersonCommand

FOREGROUND_S = 0.5
"""A program in the background looks this often whether it is in the foreground again."""


Asked = PersonCommand | Callable[[TrainingRun], None] | None
"""The command of a key; ``None`` ends the training."""
TARGET_WORDS = ("load", "sets", "reps", "rest", "tempo", "depth", "angle", "velocity", "stop-loss")
"""The words that begin a target; as in a plan's file."""
LEAST_WIDTH_OF_KEYS = 60
"""A narrower terminal shows the keys in lines of four, where it has the rows for it."""
LEAST_ROWS_WITH_KEYS = 10
"""A lower terminal shows no line of keys: the count goes before it."""


class Panel(Widget):
    """The lines of the view; only lines that have changed are drawn again."""

    DEFAULT_CSS = "Panel { height: 1fr; width: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._view = LiveView()
        self._lines: list[Text] = []

    def show(self, view: LiveView) -> None:
        """Show a view."""
        self._view = view
        self._draw()

    def on_resize(self) -> None:
        """Place everything again."""
        self._draw()

    def _draw(self) -> None:
        width, height = self.size
        if not width or not height:
            return
        lines = screen_lines(self._view, width, height)
        if len(lines) != len(self._lines):
            changed = [Region(0, 0, width, height)]
        else:
            changed = [Region(0, y, width, 1) for y in range(height) if lines[y] != self._lines[y]]
        self._lines = lines
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """Return one line of the screen."""
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        segments = list(Text.assemble(self._lines[y]).render(self.app.console))
        return Strip(segments).adjust_cell_length(width).apply_style(self.rich_style)


class _Keys(Footer):
    """The keys: one line of them, or lines of four in a narrow terminal."""

    def compose(self) -> ComposeResult:
        """Give the keys; Textual's own footer makes a column of each, however many there are."""
        yield from super().compose()
        self.styles.grid_size_columns = 4


class LiveApp(App[None]):
    """The live screen.

    Parameters
    ----------
    obey : callable
        Takes the command of a key: a command, a function of the training that does it, or ``None`` to end the training.
    in_lb : bool or None
        Whether the person gives loads in pounds; ``None`` if that is not known.
    """

    CSS = """
    Screen { background: transparent; }
    Footer { background: transparent; }
    Footer.narrow { layout: grid; grid-rows: 1; height: auto; }
    Input { display: none; border: none; height: 1; padding: 0; background: transparent; }
    #reason { display: none; height: auto; width: 100%; }
    """
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e,space", "ask('end set')", "end", key_display="e"),
        Binding("u", "ask('take back')", "undo"),
        Binding("plus", "missed", "rep", key_display="+"),
        Binding("p", "ask('pause')", "pause"),
        Binding("p", "ask('resume')", "resume"),
        Binding("k", "ask('keep alone')", "keep"),
        Binding("o", "move", "exercise"),
        Binding("q", "end", "quit"),
        Binding("t", "targets", "targets"),
        Binding("n", "next_exercise", "next"),
        Binding("ctrl+c,ctrl+q", "end", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True),
    ]

    def __init__(self, obey: Callable[[Asked], None], *, in_lb: bool | None = None) -> None:
        super().__init__(driver_class=_driver_class(), ansi_color=True)
        self._obey = obey
        self._in_lb = in_lb
        self._panel = Panel()
        self._view = LiveView()
        self.theme = "ansi-dark"

    def compose(self) -> ComposeResult:
        """Put the view above the keys."""
        yield self._panel
        yield Label(id="reason", markup=False)
        yield Input(compact=True, select_on_focus=False)
        yield _Keys(show_command_palette=False, compact=True)

    def on_resize(self, event: Resize) -> None:
        """Show the keys where they have room."""
        keys = self.query_one(Footer)
        keys.display = event.size.height >= LEAST_ROWS_WITH_KEYS
        has_room = event.size.height >= LEAST_ROWS_WITH_KEYS + 4
        keys.set_class(has_room and event.size.width < LEAST_WIDTH_OF_KEYS, "narrow")

    def show(self, view: LiveView) -> None:
        """Show the view; cheap where nothing has changed."""
        possible_before, self._view = (_possible(self._view), self._view.move), view
        if not self.is_running:
            return
        self._panel.show(view)
        if (_possible(view), view.move) != possible_before:
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say whether a key does something now; those that do not are not shown."""
        match action:
            case "ask":
                return PersonCommand(parameters[0]) in _possible(self._view)
            case "missed":
                return self._view.shown is not None
            case "move":
                return self._view.move is not None
            case "next_exercise":
                return self._view.progress is not None and not self._view.progress.done
        return True

    def action_ask(self, command: str) -> None:
        """Pass on the command of a key."""
        self._obey(PersonCommand(command))

    def action_missed(self) -> None:
        """Count a repetition that was missed."""
        self._obey(lambda run: run.recount(None, 1))

    def action_move(self) -> None:
        """Count the set as the exercise that was done in place of the planned one, or back."""
        self._obey(lambda run: run.move(None))

    def action_next_exercise(self) -> None:
        """Go on with the next exercise of the plan."""
        self._obey(lambda run: run.next_exercise())

    def action_targets(self) -> None:
        """Let the person write targets, beginning with those of now."""
        line = self.query_one(Input)
        line.value = targets_in_words(self._view.targets or Targets())
        line.placeholder = f"back squat, reps 5, load {'225 lb' if self._in_lb else '100 kg'}, rest 90"
        self._say_above("Enter uses these targets, Escape leaves them as they are.")
        self.query_one(Footer).display = False
        line.display = True
        line.focus()
        line.cursor_position = len(line.value)

    def on_key(self, event: Key) -> None:
        """Leave the line of targets with Escape."""
        if event.key == "escape" and self.query_one(Input).display:
            self._leave_targets()

    def _leave_targets(self) -> None:
        self.query_one(Input).display = self.query_one(Label).display = False
        self.query_one(Footer).display = self.size.height >= LEAST_ROWS_WITH_KEYS
        self.set_focus(None)

    def _say_above(self, sentence: str) -> None:
        label = self.query_one(Label)
        label.update(sentence)
        label.display = True

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        """Take the targets that were written; a line that is not understood stays, with the reason above it."""
        if not submitted.value.strip():
            self._leave_targets()
            return
        try:
            targets = targets_of(submitted.value, self._view.targets, in_lb=self._in_lb)
        except PlanUnusable as error:
            self._say_above(str(error))
            return
        self._leave_targets()
        self._obey(lambda run: run.aim_at(targets))

    def action_end(self) -> None:
        """End the training in good order."""
        self._obey(None)


def targets_in_words(targets: Targets) -> str:
    """Return targets as one line: ``back squat, load 100 kg, reps 5``."""
    given = targets.as_object() | ({} if targets.load is None else {"load": targets.load})
    name = given.pop("name", None)
    return ", ".join([*([name] if name else []), *(f"{key} {_short(value)}" for key, value in given.items())])


def _short(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def targets_of(line: str, shown: Targets | None = None, *, in_lb: bool | None = None) -> Targets:
    """Return the targets of such a line; a part that begins with no known word is the name of the exercise.

    Parameters
    ----------
    line : str
        The line.
    shown : Targets or None
        The targets of the line before it was changed: a load that is the same text is the same load, although a text is
        rounded.
    in_lb : bool or None
        Whether a load without a unit is in pounds.

    Raises
    ------
    PlanUnusable
        If a value is not understood.
    """
    given: dict[str, str | float] = {}
    for part in filter(None, (part.strip() for part in line.split(","))):
        key, value = [*re.split(r"\s*[\s=:]\s*", part, maxsplit=1), ""][:2]
        if key.lower() not in TARGET_WORDS:
            key, value = "name", part
        whole = value.strip().isdecimal() and key != "name"
        given[key.lower()] = int(value) if whole else value.strip()
    if "load" in given:
        if shown is not None and given["load"] == shown.load:
            given["load"] = shown.as_object()["load"]
        else:
            given["load"] = with_unit_typed(given["load"], in_lb=in_lb)
    return Targets.from_object(given, "the line")


def _possible(view: LiveView) -> frozenset[PersonCommand]:
    """Return the commands that are possible now."""
    possible = {
        PersonCommand.END_SET: view.set_may_go_on,
        PersonCommand.TAKE_BACK: view.count > 0,
        PersonCommand.PAUSE: not view.paused,
        PersonCommand.RESUME: view.paused,
        PersonCommand.KEEP_ALONE: view.lone is not None,
    }
    return frozenset(command for command, is_possible in possible.items() if is_possible)


def _driver_class() -> type[Driver] | None:
    """Return the driver for this system; ``None`` for that of Textual.

    Textual's own for POSIX stops the program again if it is continued in the background. Here the training goes on
    without the screen, which comes back with the foreground.
    """
    if sys.platform == "win32":
        return None
    from textual.drivers.linux_driver import LinuxDriver  # noqa: PLC0415  not on Windows

    class ForegroundDriver(LinuxDriver):
        """Draws in the foreground only."""

        def write(self, data: str) -> None:
            """Write, unless the terminal is given back."""
            if self._writer_thread is not None:
                super().write(data)

        def _sigcont_application(self, *args: Any) -> None:
            if in_foreground():
                super()._sigcont_application(*args)
            else:
                asyncio.get_event_loop().call_later(FOREGROUND_S, self._sigcont_application)

    return ForegroundDriver
