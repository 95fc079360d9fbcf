"""The terminal while training: a Textual app where a screen can be drawn, else one line for each event.

This file decides which, and has the lines: for pipes, files, and terminals that cannot be drawn on. The app is
:mod:`imu.app.terminal.app`; Textual is slow to import, and lines do not need it.
"""

from __future__ import annotations

import math
import os
import sys

from imu.bluetooth import LinkState
from imu.live.cards import plural, plural_of
from imu.live.live_view import LOW_BATTERY_PERCENT, Link, LiveView, balance, sureness
from imu.motion.repetitions import Repetition
from imu.report.cues import SPEED_DROP_M
from imu.report.words import clock, printable, tempo
from imu.sensors.conversation import (
    Battery,
    Caution,
    Identified,
    Malformed,
    Notice,
    Refused,
    Restarted,
    SamplesLost,
    SamplesRecovered,
)
from imu.session import Event, GapFound, MovementRejected, RepetitionCounted, RepetitionTakenBack, RestBegan, SetClosed


def can_draw() -> bool:
    """Return whether a screen can be drawn: input and output are a terminal, in whose foreground the program runs."""
    if os.environ.get("TERM") in ("dumb", "unknown"):
        return False
    try:
        terminals = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    except ValueError:  # a closed stream
        return False
    return terminals and in_foreground()


def in_foreground() -> bool:
    """Return whether the program runs in the foreground of its terminal."""
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # a terminal without job control
        return True


# --- lines ------------------------------------------------------------------------------------------------------------


class PlainLines:
    """The lines of one training.

    Samples that come after a lost connection are one line, not one for each packet. So is each sensor that is heard
    while one is looked for.
    """

    def __init__(self) -> None:
        self._recovered = 0
        self._heard: set[str] = set()

    def of(self, happened: Event | Notice | Link, view: LiveView) -> list[str]:
        """Return the lines for what happened, as `plain_line`."""
        if isinstance(happened, SamplesRecovered):
            self._recovered += happened.samples
            return []
        if isinstance(happened, Link) and (happened.heard or happened.other_devices):
            names = {sensor: sensor.partition(", signal")[0] for sensor in happened.heard}
            new = [sensor for sensor, name in names.items() if name not in self._heard]
            self._heard.update(names.values())
            return [f"heard {printable(sensor)}" for sensor in new]
        line = plain_line(happened, view)
        if line is None or not self._recovered or isinstance(happened, RepetitionCounted | MovementRejected):
            return [] if line is None else [line]  # the samples that come again hold repetitions
        recovered, self._recovered = self._recovered, 0
        return [_recovered_line(recovered), line]


def plain_line(happened: Event | Notice | Link, view: LiveView) -> str | None:
    """Return the line for an event; ``None`` for an event without a line.

    Parameters
    ----------
    happened : Event, Notice or Link
        What happened.
    view : LiveView
        The view after it was taken.
    """
    match happened:
        case Link():
            return _link_line(happened)
        case RestBegan():
            return None  # the set's own line comes when it is certain that it is over
        case RepetitionCounted() | RepetitionTakenBack() | SetClosed() | MovementRejected() | GapFound():
            return _event_line(happened, view)
        case _:
            return _notice_line(happened)


def _recovered_line(samples: int) -> str:
    return f"{samples} samples that were kept back have come"


def _event_line(
    event: RepetitionCounted | RepetitionTakenBack | SetClosed | MovementRejected | GapFound, view: LiveView
) -> str:
    match event:
        case RepetitionCounted(repetition):
            return f"{clock(repetition.end_s):>7}  {view.count:>3}  {_figures(repetition)}{_cue(view)}"
        case RepetitionTakenBack(repetition):
            return f"{clock(repetition.end_s):>7}       taken back: {repetition.pattern}; {view.count} left in the set"
        case SetClosed(closed):
            number = view.sets.index(closed) + 1 if closed in view.sets else len(view.sets)
            span = f"{clock(closed.start_s)} to {clock(closed.end_s)}"  # it is over when later movements are known
            return f"{'':9}set {number}, {span}: {plural_of(closed)}; today {balance(view.today)}"
        case MovementRejected(movement):
            what = "" if movement.repetition is None else f" ({plural(1, movement.repetition.pattern)})"
            return f"{clock(movement.end_s):>7}       not counted: {movement.reason}{what}"
        case GapFound(gap):
            return f"{clock(gap.start_s):>7}       {gap.end_s - gap.start_s:.1f} s without samples"


def _figures(repetition: Repetition) -> str:
    sank = repetition.hip_drop_m >= SPEED_DROP_M  # else speed says nothing
    speed = f"{repetition.mean_concentric_velocity_m_s:.2f} m/s" if sank else "-".rjust(8)
    return (
        f"{repetition.pattern:<9}  {math.degrees(repetition.trunk_angle_rad):3.0f}°  {repetition.hip_drop_m:.2f} m  "
        f"{tempo([repetition])} s  {speed}  "
        f"{sureness(repetition)}"
    )


def _cue(view: LiveView) -> str:
    """Return the cue; without one, how the repetition stands against its targets."""
    text = view.cue if view.cue is not None or view.look is None else view.look.word
    return "" if text is None else f"  {text}"


def _link_line(link: Link) -> str:
    sensor = "the sensor" if link.sensor is None else printable(link.sensor)
    attempt = f" (try {link.attempt})" if link.attempt > 1 else ""
    match link.state:
        case LinkState.SEARCHING:
            return f"looking for {sensor}{attempt}"
        case LinkState.CONNECTING:
            return f"connecting to {sensor}{attempt}"
        case LinkState.CONNECTED:
            return f"{sensor} is connected"
        case LinkState.LOST:
            return f"{sensor} is lost{attempt}; repetitions until it is back may be missing"


def _notice_line(notice: Notice) -> str | None:
    match notice:
        case Identified():
            name = " ".join(part for part in (notice.model, notice.serial) if part)
            firmware = f", firmware {notice.firmware}" if notice.firmware else ""
            text = f"{name}{firmware}, {notice.sampling_rate_hz:g} Hz"
        case Battery(percent) if percent <= LOW_BATTERY_PERCENT:
            text = f"battery LOW: {percent:.0f} %"
        case SamplesLost(None):
            text = "samples were lost, the sensor does not say how many"
        case SamplesLost(samples):
            text = f"{samples} samples were lost"
        case SamplesRecovered(samples):
            text = _recovered_line(samples)
        case Restarted():
            text = "the sensor has restarted"
        case Caution(sentence) | Refused(sentence):
            text = sentence
        case Battery() | Malformed():
            return None  # they come again and again; the summary counts what made no sense
    return printable(text)
