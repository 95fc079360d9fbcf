"""The lines of the live screen: what each says, in words first and in colour besides.

Each is a pure function of the view. The terminal places them by its size; the page uses their text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from textwrap import wrap

from rich.text import Text

from imu.bluetooth import LinkState
from imu.live.live_view import LOW_BATTERY_PERCENT, Gauge, Gravity, LiveView, Measure, Phase, Tally
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.cues import sinks
from imu.report.words import clock, number_of, printable, tempo
from imu.session import TrainingSet

STYLE = {
    Pattern.SQUAT: "bold cyan",
    Pattern.HINGE: "bold magenta",
    Pattern.UNCERTAIN: "bold",
    Pattern.MIXED: "bold yellow",
}
SIGNAL_STYLE = {"green": "green", "orange": "yellow", "red": "bold red", "blue": "blue"}
"""Colours of signals in a terminal, which has no orange."""
GOOD_SIGNAL_DBM, FAIR_SIGNAL_DBM = -67.0, -80.0
"""Usual rules of thumb for 2.4 GHz; receivers lose packets from about -90 dBm on."""


@dataclass(frozen=True, slots=True)
class Ink:
    """The characters to draw with."""

    full: str
    empty: str
    mark: str
    rule: str
    degree: str


UNICODE = Ink(full="█", empty="·", mark="┃", rule="─", degree="°")
ASCII = Ink(full="#", empty=".", mark="|", rule="-", degree=" deg")


# --- the sensor ------------------------------------------------------------------------------------------------------


def header_pieces(view: LiveView) -> list[tuple[int, Text]]:
    """Return what is said of the sensor, from left to right, each with its importance (0 is the highest)."""
    pieces = [(0, link_piece(view))]
    if view.link.sensor:
        pieces.insert(0, (3, Text(printable(view.link.sensor), "bold")))
    if view.battery_percent is not None:
        low = view.battery_percent <= LOW_BATTERY_PERCENT
        text = f"battery {'LOW ' if low else ''}{view.battery_percent:.0f} %"
        pieces.append((1, Text(text, "bold yellow" if low else "")))
    if view.link.rssi_dbm is not None and view.link.state is not LinkState.LOST:
        pieces.append((2, Text(f"signal {signal_word(view.link.rssi_dbm)} {view.link.rssi_dbm:.0f} dBm")))
    return pieces


def link_piece(view: LiveView) -> Text:
    """Return how far the connection is."""
    attempt = f", try {view.link.attempt}" if view.link.attempt > 1 else ""
    match view.link.state:
        case LinkState.CONNECTED:
            return Text("connected", "green")
        case LinkState.LOST:
            return Text(f" LOST for {clock(view.link_s)}{attempt} ", "bold reverse red")
        case LinkState.CONNECTING | LinkState.SEARCHING as state:
            return Text(f"{state}{attempt}", "yellow")


def signal_word(rssi_dbm: float) -> str:
    """Return how well a sensor is heard, in a word."""
    if rssi_dbm >= GOOD_SIGNAL_DBM:
        return "good"
    return "fair" if rssi_dbm >= FAIR_SIGNAL_DBM else "weak"


def data_line(view: LiveView) -> Text | None:
    """Return what was wrong with the samples so far; ``None`` if nothing was."""
    counts = (
        (view.samples_lost, "samples lost"),
        (view.losses_of_unknown_size, "losses of unknown size"),
        (view.samples_recovered, "samples came late"),
        (view.malformed, "messages made no sense"),
    )
    losses = [f"{view.without_samples_s:.1f} s without samples"] if view.without_samples_s else []
    losses += [f"{count} {what}" for count, what in counts if count]
    return Text(f"data   {', '.join(losses)}", "dim") if losses else None


# --- the set that is shown -------------------------------------------------------------------------------------------


def headline(view: LiveView) -> Text:
    """Return the word that matters most: the pattern, or what the person is to do."""
    if view.paused:
        return Text.assemble((" PAUSED ", "bold reverse yellow"), " nothing is counted")
    if view.shown is None or view.last is None:
        return _before_the_first(view)
    if view.phase is Phase.REST:
        text = Text(plural(view.count, view.shown.pattern).upper(), STYLE[view.shown.pattern])
        return text.append(f"  in set {view.set_number}", "not bold")
    pattern = view.last.pattern
    text = Text(pattern.upper(), STYLE[pattern])
    return text if pattern is Pattern.UNCERTAIN else text.append(f"  {sureness(view.last)}", "not bold dim")


def _before_the_first(view: LiveView) -> Text:
    match view.link.state:
        case LinkState.CONNECTED:
            return Text("Stand still a second, then begin.")
        case LinkState.LOST:
            return Text("Lost: go nearer to the computer.")
        case LinkState.SEARCHING:
            return Text("Looking for the sensor.")
        case LinkState.CONNECTING:
            return Text("Connecting to the sensor.")


def sureness(repetition: Repetition) -> str:
    """Return the confidence of the pattern, 99 % at most: one sensor at the hip proves no pattern."""
    return f"{min(99, round(100 * repetition.confidence))} % sure"


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


def gauges(view: LiveView, width: int, ink: Ink) -> list[Text]:
    """Return depth and angle now (without a sensor: of the last repetition), the one that matters first.

    The mark is the target; without one, the first repetition of the set.
    """
    return [_gauge(view, gauge, width, ink) for gauge in (view.gauge, view.other_gauge)]


def _gauge(view: LiveView, gauge: Gauge, width: int, ink: Ink) -> Text:
    is_depth = gauge.measure is Measure.DEPTH
    first = None
    if view.first is not None:
        first = view.first.hip_drop_m if is_depth else view.first.trunk_angle_rad
    mark = gauge.target if gauge.target is not None else first
    now = gauge.now if gauge.now is not None else gauge.last or 0.0
    text = "" if gauge.last is None else _measured(gauge.measure, gauge.last, ink)
    aim = "" if gauge.target is None else f" of {_measured(gauge.measure, gauge.target, ink).strip()}"
    name = "drop  " if is_depth else "trunk "
    length = max(4, width - len(name) - len("  90 deg") - len(aim))
    drawn = bar(gauge.share(now), None if mark is None else gauge.share(mark), length, ink)
    return Text.assemble(name, drawn, " ", text, (aim, "dim"))


def _measured(measure: Measure, value: float, ink: Ink) -> str:
    return f"{100 * value:3.0f} cm" if measure is Measure.DEPTH else f"{math.degrees(value):3.0f}{ink.degree}"


def bar(share: float, mark: float | None, length: int, ink: Ink, style: str = "blue") -> Text:
    """Return a bar of `length` characters filled to `share`, with a mark where `mark` is; both clipped to 0 to 1."""
    filled = round(min(1.0, max(0.0, share)) * length)
    drawn = Text.assemble((ink.full * filled, style), (ink.empty * (length - filled), "dim"))
    if mark is None:
        return drawn
    at = min(length - 1, round(min(1.0, max(0.0, mark)) * length))
    return Text.assemble(drawn[:at], (ink.mark, "bold yellow"), drawn[at + 1 :])


def figures(view: LiveView, ink: Ink) -> list[Text]:
    """Return tempo and velocity of the last repetition; in a rest the means of the set."""
    if view.shown is None or view.last is None:
        return []
    of = view.shown.repetitions if view.phase is Phase.REST else (view.last,)
    change = "" if view.velocity_loss is None else f", {round(-100 * view.velocity_loss):+d} %"
    planned = None if view.targets is None or view.phase is Phase.REST else view.targets.tempo
    lines = [Text(f"tempo {tempo(of)} s{'' if planned is None else f', plan {planned}'}")]
    if sinks(view.shown):  # else speed says nothing
        lines.append(Text(f"speed {_mean(of, 'mean_concentric_velocity_m_s'):.2f} m/s{change}"))
    if view.phase is Phase.REST:
        angle_deg, drop_cm = math.degrees(_mean(of, "trunk_angle_rad")), 100 * _mean(of, "hip_drop_m")
        lines.insert(0, Text(f"trunk {angle_deg:.0f}{ink.degree}  drop {drop_cm:.0f} cm"))
    return lines


def progress_line(view: LiveView) -> Text | None:
    """Return where in the plan the person is; ``None`` without a plan."""
    return None if view.progress is None else Text(printable(view.progress.text), "bold")


def rest_line(view: LiveView, width: int, ink: Ink) -> Text | None:
    """Return how much of the planned rest is over, as a bar."""
    if view.rest_share is None:
        return None
    return bar(view.rest_share, None, max(4, width), ink, "green" if view.rest_is_over else "blue")


def last_time_line(view: LiveView) -> Text | None:
    """Return what the same set of the last session was."""
    return None if view.last_time is None else Text(view.last_time.text, "dim")


def signal_text(view: LiveView, ink: Ink) -> Text | None:
    """Return the signal of the last repetition: symbol and word, in its colour."""
    if view.look is None:
        return None
    symbol = f"{view.look.symbol} " if ink is UNICODE else ""
    return Text(f" {symbol}{view.look.word.upper()} ", f"reverse {SIGNAL_STYLE[view.look.colour]}")


def cue_line(view: LiveView, ink: Ink) -> Text | None:
    """Return the signal of the last repetition and the cue; in a rest, what is to be said of the set."""
    if view.phase is not Phase.REST and (signal := signal_text(view, ink)) is not None:
        spoken = "" if view.cue is None or view.look is None or view.cue == view.look.spoken else f"  {view.cue}"
        return signal.append(spoken, "not reverse")
    said = view.cue
    if view.phase is Phase.REST and view.card is not None:
        said = view.card.try_next or view.card.well or view.cue
    if said is None:
        return None
    text = said.replace("°", ink.degree)
    return Text(f"set {view.set_number}  {text}" if view.phase is Phase.REST else text.capitalize(), "bold")


def _mean(repetitions: Sequence[Repetition], name: str) -> float:
    return fmean(getattr(repetition, name) for repetition in repetitions)


# --- the session -----------------------------------------------------------------------------------------------------


def sets_line(view: LiveView, width: int) -> Text | None:
    """Return the sets that are over, the oldest left out where there is no room."""
    if not view.sets:
        return None
    sets = [plural(len(one.repetitions), one.pattern) for one in view.sets]
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


def balance(tally: Tally) -> str:
    """Return squats against hinges in words."""
    return f"{plural(tally.squats, Pattern.SQUAT)} : {plural(tally.hinges, Pattern.HINGE)}"


def lone_line(view: LiveView) -> Text | None:
    """Return the offer to keep a lone movement."""
    if view.lone is None:
        return None
    return Text.assemble((f"{plural(1, view.lone.pattern)} stood alone", "bold"), ": k keeps it as a set")


def not_counted_line(view: LiveView) -> Text | None:
    """Return why the latest movement was not counted."""
    return None if view.not_counted is None else Text(f"not counted: {printable(view.not_counted.reason)}", "yellow")


def message_lines(view: LiveView, width: int) -> list[tuple[Gravity, Text]]:
    """Return the messages, the latest first, wrapped; a sign says how grave one is, for colours do not."""
    sign = {Gravity.NOTE: "", Gravity.CAUTION: "! ", Gravity.PROBLEM: "!! "}
    style = {Gravity.NOTE: "", Gravity.CAUTION: "yellow", Gravity.PROBLEM: "bold red"}
    return [
        (one.gravity, Text(line, style[one.gravity]))
        for one in view.messages
        for line in wrap(f"{sign[one.gravity]}{printable(one.sentence)}", width)
    ]


def plural(count: int, pattern: Pattern) -> str:
    """Return a number of repetitions of a pattern in words; mixed and uncertain ones are repetitions."""
    noun = pattern.value if pattern in (Pattern.SQUAT, Pattern.HINGE) else f"{pattern} repetition"
    return number_of(count, noun)


def plural_of(training_set: TrainingSet) -> str:
    """Return the repetitions of a set in words."""
    return plural(len(training_set.repetitions), training_set.pattern)
