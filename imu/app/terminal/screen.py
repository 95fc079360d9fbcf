"""A view -> the lines of the screen that a person trains in front of, in any size.

The count stands in block digits, to be read from three metres. The place of each part depends on the size alone, so
that nothing jumps when a message comes. Where the room is short, the least important lines are left out.
"""

from __future__ import annotations

from rich.text import Text

from imu.app.terminal import drawing as parts
from imu.app.terminal.drawing import ROWS, RULE, block_digits, repetition_bars, width_of
from imu.bluetooth import LinkState
from imu.live.cards import plural_of
from imu.live.live_view import Gravity, LiveView
from imu.live.set_view import Phase
from imu.live.signals import LOOKS, SignalKind
from imu.report.words import clock, printable

SIDE_BY_SIDE_COLUMNS = 60
"""From this width the figures stand beside the digits, else below."""
TINY_COLUMNS, TINY_ROWS = 30, 9
"""Below either there are the digits and one line."""
SIDE_ROWS = 8
"""Lines of figures: headline, clocks, a blank, two bars, tempo, speed, cue."""
LEAST_FOOT_ROWS = 5
"""Lines below the digits that larger digits do not take."""
DIGITS_SHARE = {Phase.WAITING: 0.54, Phase.SET: 0.54, Phase.REST: 0.66}
"""Part of the width that the digits may take beside the figures; a clock has one digit more and fewer figures."""
LONGEST_REST_S = 99 * 3600
"""A longer rest stops here, so that the digits keep their number."""
LEAST_BAR_ROWS, MOST_BAR_ROWS = 3, 12
"""Rows for the bars of the repetitions; with less room they are left out."""
PRESSING = 1
"""Up to this importance a line about the session takes the place of a figure where both have no room."""

_IMPORTANCE = {Gravity.PROBLEM: 0, Gravity.CAUTION: 2, Gravity.NOTE: 5}


def screen_lines(view: LiveView, width: int, height: int) -> list[Text]:
    """Return the screen: `height` lines, none wider than `width`.

    Parameters
    ----------
    view : LiveView
        The view to show.
    width, height : int
        Columns and rows of the terminal.
    """
    if width < TINY_COLUMNS or height < TINY_ROWS:
        lines = _tiny(view, width, height)
    else:
        draw = _beside if width >= SIDE_BY_SIDE_COLUMNS else _stacked
        lines = [_header(view, width), Text(RULE * width, "dim"), *draw(view, width, height - 2)]
    lines = lines[: max(1, height)]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines + [Text()] * (height - len(lines))


def _header(view: LiveView, width: int) -> Text:
    """Return as much about the sensor as has room."""
    pieces = parts.header_pieces(view)
    separator = "   "
    while len(pieces) > 1 and sum(text.cell_len + len(separator) for _, text in pieces) - len(separator) > width:
        pieces.remove(max(pieces, key=lambda piece: piece[0]))
    return Text(separator).join(text for _, text in pieces)


def _beside(view: LiveView, width: int, rows: int) -> list[Text]:
    """Return `rows` lines: digits at the left, figures at their right, the session below."""
    number, widest = _number(view)
    room = int(DIGITS_SHARE[_digits_phase(view)] * width)
    scale = _scale(widest, room, rows - LEAST_FOOT_ROWS)
    gap = 3 if scale == 1 else 4
    digits_width = width_of(widest, scale)
    side_width = width - digits_width - gap - 1
    block_rows = max(ROWS * scale, min(SIDE_ROWS, rows - LEAST_FOOT_ROWS))
    side, below = _side(view, side_width), []
    if bar_rows := _bar_rows(block_rows - SIDE_ROWS):
        side += repetition_bars(view.bars, side_width, bar_rows)
    elif bar_rows := _bar_rows(rows - block_rows - LEAST_FOOT_ROWS):
        below = [Text(), *repetition_bars(view.bars, width, bar_rows - 1)]
    digits = _centred(_digits(view, number, scale), block_rows)
    beside = _centred(side, block_rows) if len(side) <= block_rows else _without_blanks(side)[:block_rows]
    block = [
        Text.assemble(" ", " " * (digits_width - left.cell_len), left, " " * gap, right)
        for left, right in zip(digits, beside, strict=False)
    ]
    return _filled([*block, *below], _foot(view, width), rows)


def _bar_rows(room: int) -> int:
    """Return how many rows the bars of the repetitions take."""
    return 0 if room < LEAST_BAR_ROWS else min(MOST_BAR_ROWS, room)


def _stacked(view: LiveView, width: int, rows: int) -> list[Text]:
    """Return `rows` lines: digits, figures below them, the session below those."""
    number, widest = _number(view)
    scale = _scale(widest, width, rows - SIDE_ROWS - LEAST_FOOT_ROWS + 2)
    bar_rows = _bar_rows(rows - ROWS * scale - SIDE_ROWS - LEAST_FOOT_ROWS + 2)
    digits = _digits(view, number, scale)
    left = " " * max(0, (width - width_of(widest, scale)) // 2)
    block = [Text.assemble(left, " " * (width_of(widest, scale) - line.cell_len), line) for line in digits]
    side, foot = _without_blanks(_side(view, width)), _foot(view, width)
    bars = repetition_bars(view.bars, width, bar_rows) if bar_rows else []
    pressing = any(importance <= PRESSING for importance, _ in foot)
    room = rows - len(block) - pressing
    if len(side) > room and view.look is not None and view.phase is Phase.SET:
        side.insert(0, side.pop())  # the signal goes before figures
    return _filled([*block, *side, *bars][: rows - pressing], foot, rows)


def _tiny(view: LiveView, width: int, height: int) -> list[Text]:
    """Return the digits if they have room, and one line."""
    number, widest = _number(view)
    line = _word(view)
    if view.phase is Phase.REST and width < width_of(widest):
        line = Text.assemble("rest ", number, " ", line)
        number = widest = str(view.count)
    if height <= ROWS or width < width_of(widest):
        return [Text.assemble(number, " ", line)]
    scale = _scale(widest, width, height - 1)
    return [*_digits(view, number, scale), line]


def _word(view: LiveView) -> Text:
    """Return the one thing to say in one short line."""
    if view.link.state is not LinkState.CONNECTED:
        return parts.link_piece(view)
    if view.paused:
        return Text("PAUSED", "bold reverse yellow")
    if view.shown is None:
        return Text("ready")
    style = parts.STYLE[view.shown.pattern]
    word = Text(view.shown.pattern.upper(), style)
    if view.phase is Phase.REST:
        return Text.assemble((plural_of(view.shown), style), " done")
    return word.append(f" set {view.set_number}", "not bold")


def _number(view: LiveView) -> tuple[str, str]:
    """Return what stands in digits, and the widest that may: the clock in a certain rest, else the count."""
    if _digits_phase(view) is Phase.REST and view.rest_s is not None:
        rested = clock(min(view.rest_s, LONGEST_REST_S))
        return rested, max(rested, "0:00", key=len)
    return str(view.count), max(str(view.count), "00", key=len)


def _digits_phase(view: LiveView) -> Phase:
    """Return the phase that the digits show: a rest that may still end shows the count."""
    return Phase.SET if view.rest_is_provisional else view.phase


def _digits(view: LiveView, number: str, scale: int) -> list[Text]:
    """Return the digits, in the colour of the pattern, or of a signal that is more than good."""
    if _digits_phase(view) is Phase.REST or view.last is None:
        style = "bold green" if view.rest_is_over else "dim"
    else:
        style = parts.STYLE[view.last.pattern]
        if view.look is not None and view.look is not LOOKS[SignalKind.GOOD]:
            style = f"bold {parts.SIGNAL_STYLE[view.look.colour]}"
    return [Text(row, style) for row in block_digits(number, scale)]


def _side(view: LiveView, width: int) -> list[Text]:
    """Return the figures of the set."""
    resting = view.phase is Phase.REST
    rest = [parts.rest_line(view, width) or Text()] if resting else []
    gauges = rest if resting else parts.gauges(view, width)
    lines = [parts.headline(view), parts.clocks(view), Text(), *gauges, *parts.figures(view, width)]
    cue = None if resting else parts.cue_line(view)
    return [*lines, *[Text()] * (SIDE_ROWS - 1 - len(lines)), cue or Text()]


def _foot(view: LiveView, width: int) -> list[tuple[int, Text]]:
    """Return the texts about the session, in order, each with its importance (0 is the highest)."""
    optional = [
        (2, parts.progress_line(view)),
        (2, None if view.hint is None else Text(printable(view.hint))),
        (1, parts.lone_line(view)),
        (1, parts.move_line(view)),
        (2, parts.not_counted_line(view)),
        *((2, line) for line in parts.advice_lines(view)),
        (3, None if view.before_text is None else Text(view.before_text, "dim")),
        (4, parts.sets_line(view, width)),
        (3, parts.balance_line(view, width)),
        (6, None if view.data_text is None else Text(f"data   {view.data_text}", "dim")),
    ]
    lines = [(importance, line) for importance, line in optional if line is not None]
    return lines + [(_IMPORTANCE[gravity], line) for gravity, line in parts.message_lines(view, width)]


def _filled(block: list[Text], foot: list[tuple[int, Text]], rows: int) -> list[Text]:
    """Return `block` and below it as much of `foot` as has room, in exactly `rows` lines."""
    room = rows - len(block)
    above = 1 if room > LEAST_FOOT_ROWS else 0
    while (
        len(foot) > room - above
    ):  # of equally important lines the last: of a sentence its end, of messages the oldest
        del foot[max(range(len(foot)), key=lambda i: (foot[i][0], i))]
    between = 1 if room - above > len(foot) else 0
    lines = [*[Text()] * above, *block, *[Text()] * between, *(line for _, line in foot)]
    return lines + [Text()] * (rows - len(lines))


def _scale(widest: str, columns: int, rows: int) -> int:
    """Return the largest scale at which the digits have room; 1 even if they have none."""
    return max(1, min(columns // width_of(widest), rows // ROWS))


def _centred(lines: list[Text], rows: int) -> list[Text]:
    above = max(0, (rows - len(lines)) // 2)
    lines = [*[Text()] * above, *lines]
    return lines + [Text()] * (rows - len(lines))


def _without_blanks(lines: list[Text]) -> list[Text]:
    return [line for line in lines if line.plain]
