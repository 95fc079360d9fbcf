"""The lines of the live screen and the characters they are drawn with: digits, gauges, bars, words in colour.

Each line is a pure function of the view, whose words the page has too. :mod:`imu.app.terminal.screen` places them.
"""

from __future__ import annotations

from textwrap import wrap

from rich.text import Text

from imu.bluetooth import LinkState
from imu.live.cards import plural
from imu.live.live_view import LOW_BATTERY_PERCENT, Gravity, LiveView, balance
from imu.live.set_view import Bar, Bars, Gauge, Measure, Phase, in_words
from imu.motion.pattern import Pattern
from imu.report.words import clock, printable

STYLE = {
    Pattern.SQUAT: "bold cyan",
    Pattern.HINGE: "bold magenta",
    Pattern.UNCERTAIN: "bold",
    Pattern.MIXED: "bold yellow",
}
SIGNAL_STYLE = {"green": "green", "orange": "yellow", "red": "bold red", "blue": "blue"}
"""Colours of signals in a terminal, which has no orange."""


FULL, EMPTY, MARK, RULE = "█·┃─"
"""The characters of bars and lines."""


# --- the sensor ------------------------------------------------------------------------------------------------------


def header_pieces(view: LiveView) -> list[tuple[int, Text]]:
    """Return the texts about the sensor, from left to right, each with its importance (0 is the highest)."""
    pieces = [(0, link_piece(view))]
    if view.link.sensor:
        pieces.insert(0, (3, Text(printable(view.link.sensor), "bold")))
    if view.battery_percent is not None:
        low = view.battery_percent <= LOW_BATTERY_PERCENT
        text = f"battery {'LOW ' if low else ''}{view.battery_percent:.0f} %"
        pieces.append((1, Text(text, "bold yellow" if low else "")))
    if view.signal_strength is not None:
        pieces.append((2, Text(f"signal {view.signal_strength}")))
    return pieces


def link_piece(view: LiveView) -> Text:
    """Return how far the connection is."""
    if view.link.state is LinkState.LOST:
        return Text(f" {view.link_text} ", "bold reverse red")
    return Text(view.link_text, "green" if view.link.state is LinkState.CONNECTED else "yellow")


# --- the set that is shown -------------------------------------------------------------------------------------------


def headline(view: LiveView) -> Text:
    """Return the word that matters most: the pattern, or the instruction to the person."""
    if view.paused:
        return Text.assemble((" PAUSED ", "bold reverse yellow"), " nothing is counted")
    if view.shown is None or view.last is None:
        return Text(view.to_do)
    if view.phase is Phase.REST:
        text = Text(plural(view.count, view.shown.pattern).upper(), STYLE[view.shown.pattern])
        return text.append(f"  in set {view.set_number}", "not bold")
    text = Text(view.last.pattern.upper(), STYLE[view.last.pattern])
    return text if view.sureness is None else text.append(f"  {view.sureness}", "not bold dim")


def clocks(view: LiveView) -> Text:
    """Return how long the set or the rest has lasted."""
    if view.set_s is None or view.rest_s is None:
        return Text()
    if view.phase is Phase.SET:
        return Text(f"set {view.set_number}   {clock(view.set_s)}")
    if view.rest_is_over:
        return Text(" REST IS OVER ", "bold reverse green")
    target = "" if view.rest_target_s is None else f" of {clock(view.rest_target_s)}"
    return Text(f"rest {clock(view.rest_s)}{target}")


def gauges(view: LiveView, width: int) -> list[Text]:
    """Return depth and angle now (without a sensor: of the last repetition), the one that matters first.

    The mark is the target; without one, the first repetition of the set.
    """
    return [_gauge(view, gauge, width) for gauge in (view.gauge, view.other_gauge)]


def _gauge(view: LiveView, gauge: Gauge, width: int) -> Text:
    is_depth = gauge.measure is Measure.DEPTH
    first = None
    if view.first is not None:
        first = view.first.hip_drop_m if is_depth else view.first.trunk_angle_rad
    mark = gauge.target if gauge.target is not None else first
    now = gauge.now if gauge.now is not None else gauge.last or 0.0
    text = "" if gauge.last is None else in_words(gauge.measure, gauge.last)
    aim = "" if gauge.target is None else f" of {in_words(gauge.measure, gauge.target)}"
    name = "drop  " if is_depth else "trunk "
    length = max(4, width - len(name) - len("  90 deg") - len(aim))
    drawn = bar(gauge.share(now), None if mark is None else gauge.share(mark), length)
    return Text.assemble(name, drawn, " ", text, (aim, "dim"))


def bar(share: float, mark: float | None, length: int, style: str = "blue") -> Text:
    """Return a bar of `length` characters filled to `share`, with a mark where `mark` is; both clipped to 0 to 1."""
    filled = round(min(1.0, max(0.0, share)) * length)
    drawn = Text.assemble((FULL * filled, style), (EMPTY * (length - filled), "dim"))
    if mark is None:
        return drawn
    at = min(length - 1, round(min(1.0, max(0.0, mark)) * length))
    return Text.assemble(drawn[:at], (MARK, "bold yellow"), drawn[at + 1 :])


def figures(view: LiveView, width: int) -> list[Text]:
    """Return tempo and speed of the last repetition, which no gauge shows; in a rest the figures of the set.

    Where a note has no room, a loss of speed goes without "from best", and another note is left out.
    """
    if not view.figures:
        return []
    resting = view.phase is Phase.REST
    depth, angle, pace, speed = view.figures
    shown = [(f"tempo {pace.value} s", pace.note)]
    if speed.value != "–":
        shown.append((f"mean speed {speed.value}", speed.note))
    lines = []
    for text, note in shown:
        notes = [] if resting or not note else [f"  {note}", f"  {note.removesuffix(' from best')}"]
        lines.append(Text.assemble(text, (next((one for one in notes if len(text + one) <= width), ""), "dim")))
    if resting:
        lines.insert(0, Text(f"trunk {angle.value}  drop {depth.value}"))
    return lines


def progress_line(view: LiveView) -> Text | None:
    """Return where in the plan the person is; ``None`` without a plan."""
    return None if view.progress is None else Text(printable(view.progress.text), "bold")


def rest_line(view: LiveView, width: int) -> Text | None:
    """Return how much of the planned rest is over, as a bar."""
    if view.rest_share is None:
        return None
    return bar(view.rest_share, None, max(4, width), "green" if view.rest_is_over else "blue")


def signal_text(view: LiveView) -> Text | None:
    """Return the signal of the last repetition: symbol and word, in its colour."""
    if view.look is None:
        return None
    symbol = f"{view.look.symbol} "
    return Text(f" {symbol}{view.look.word.upper()} ", f"reverse {SIGNAL_STYLE[view.look.colour]}")


def cue_line(view: LiveView) -> Text | None:
    """Return the signal of the last repetition and the cue."""
    if (signal := signal_text(view)) is not None:
        spoken = "" if view.cue is None or view.look is None or view.cue == view.look.spoken else f"  {view.cue}"
        return signal.append(spoken, "not reverse")
    return None if view.cue is None else Text(view.cue.capitalize(), "bold")


def advice_lines(view: LiveView) -> list[Text]:
    """Return the strength of the finished set and one thing to try, a line each."""
    advice = () if view.phase is not Phase.REST or view.card is None else view.card.advice
    return [Text(one, "bold") for one in advice]


# --- the session -----------------------------------------------------------------------------------------------------


def sets_line(view: LiveView, width: int) -> Text | None:
    """Return the sets that are over, the oldest left out where there is no room."""
    if not view.sets:
        return None
    sets = [plural(count, one.pattern) for one, count in zip(view.sets, view.counts, strict=True)]
    line = f"sets   {', '.join(sets)}"
    while len(line) > width and len(sets) > 1:
        del sets[0]
        line = f"sets   {len(view.sets) - len(sets)} more, {', '.join(sets)}"
    return Text(line)


def balance_line(view: LiveView, width: int) -> Text:
    """Return squats against hinges of today, and where there is room of 28 days."""
    today = f"today  {balance(view.today)}"
    both = f"{today}   28 days  {view.last_28_days.squats} : {view.last_28_days.hinges}"
    return Text(both if len(both) <= width else today)


def move_line(view: LiveView) -> Text | None:
    """Return the offer to count a set as the exercise that was done in place of the planned one, or back."""
    if view.move is None:
        return None
    about, text = printable(view.move.about), printable(view.move.text)
    return Text.assemble((f"{about[:1].upper()}{about[1:]}", "bold"), f": o, {text[:1].lower()}{text[1:]}")


def lone_line(view: LiveView) -> Text | None:
    """Return the offer to keep a lone movement, or several."""
    if view.lone_text is None:
        return None
    kept = "it as a set" if view.lone_together == 1 else "them as one"
    return Text.assemble((view.lone_text, "bold"), f": k keeps {kept}")


def not_counted_line(view: LiveView) -> Text | None:
    """Return why the latest movement was not counted."""
    return None if view.not_counted is None else Text(f"not counted: {printable(view.not_counted)}", "yellow")


def message_lines(view: LiveView, width: int) -> list[tuple[Gravity, Text]]:
    """Return the messages, the latest first, wrapped; a sign says how grave one is, for colours do not."""
    sign = {Gravity.NOTE: "", Gravity.CAUTION: "! ", Gravity.PROBLEM: "!! "}
    style = {Gravity.NOTE: "", Gravity.CAUTION: "yellow", Gravity.PROBLEM: "bold red"}
    return [
        (message.gravity, Text(line, style[message.gravity]))
        for message in view.messages
        for line in wrap(f"{sign[message.gravity]}{printable(message.sentence)}", width)
    ]


# --- digits and bars --------------------------------------------------------------------------------------------------

ROWS = 5
"""Rows of a digit at scale 1."""

_PIXELS = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": ("  #", "  #", "  #", "  #", "  #"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", "###", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", "  #", "  #"),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
    ":": (" ", "#", " ", "#", " "),
}
_PIXEL_WIDTH = 2  # a character is about twice as high as wide

WIDEST_BAR = 6
"""Columns of a bar at most."""
_EIGHTHS = "▁▂▃▄▅▆▇█"


def width_of(text: str, scale: int = 1) -> int:
    """Return how many columns `text` (digits and colons) takes at `scale`."""
    pixels = sum(len(_PIXELS[character][0]) for character in text) + len(text) - 1
    return pixels * _PIXEL_WIDTH * scale


def block_digits(text: str, scale: int = 1) -> list[str]:
    """Return `text` (digits and colons) as rows of equal width.

    Raises
    ------
    ValueError
        If `text` holds anything else, or the scale is below 1.
    """
    if not text or not set(text) <= _PIXELS.keys() or scale < 1:
        raise ValueError(f"only digits and colons can be drawn, at a scale from 1, got {text!r} at {scale}")
    rows = []
    for row in range(ROWS):
        pixels = " ".join(_PIXELS[character][row] for character in text)
        line = "".join((FULL if pixel == "#" else " ") * _PIXEL_WIDTH * scale for pixel in pixels)
        rows += [line] * scale
    return rows


def repetition_bars(bars: Bars, width: int, rows: int) -> list[Text]:
    """Return a bar for each repetition of a set, in `rows` lines: the newest that have room, with the lines to reach.

    The last row has the symbols of the signals, so that colour alone says nothing.
    """
    planned = max(len(bars.bars), bars.planned or 0, 1)
    column = max(2, min(WIDEST_BAR + 1, width // planned))
    shown = bars.bars[-(width // column) :]
    height = max(1, rows - 1)
    marks = {
        min(height - 1, int(value / bars.full * height)): style
        for value, style in ((bars.target_low, "dim"), (bars.loss_line, "red"))
        if value is not None
    }
    lines = []
    for row in reversed(range(height)):
        line = Text()
        for bar in shown:
            line.append(_block(bar.value / bars.full * height - row) * (column - 1), _style(bar)).append(" ")
        if row in marks:
            line.append(RULE * (width - line.cell_len), marks[row])
        lines.append(line)
    if rows > 1:
        lines.append(Text.assemble(*(_symbol(bar, column) for bar in shown)))
    return lines


def _block(filled: float) -> str:
    """Return the character for a cell that is filled to a share."""
    if filled <= 0.0:
        return " "
    if filled >= 1.0:
        return FULL
    return _EIGHTHS[int(filled * len(_EIGHTHS))]


def _symbol(bar: Bar, column: int) -> tuple[str, str]:
    symbol = " " if bar.look is None else bar.look.symbol
    return symbol.center(column - 1) + " ", _style(bar)


def _style(bar: Bar) -> str:
    return "cyan" if bar.look is None else SIGNAL_STYLE[bar.look.colour]
