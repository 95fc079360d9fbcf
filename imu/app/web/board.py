"""A view of a training -> what pages show of it, in words, as an object for JSON.

The words are those of the terminal (:mod:`imu.live.screen_parts`), so that screen, page and voice agree. Nothing is
told by colour alone. This module refuses to know how a page is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from imu.bluetooth import LinkState
from imu.live import screen_parts
from imu.live.announcements import Announcement
from imu.live.live_view import LOW_BATTERY_PERCENT, LiveView, Phase
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.cues import sinks
from imu.report.words import clock, tempo

Entered = tuple[str | None, float | None] | None
"""Name and load that the person gave a set."""


def board(view: LiveView, entered: Sequence[Entered] = ()) -> dict[str, Any]:
    """Return everything that a page shows of a view; each value is told again only when it changes."""
    return {
        **_set_part(view),
        **_sensor_part(view),
        "figures": _figures(view),
        "sets": [
            {
                "number": number,
                "pattern": str(one.pattern),
                "text": screen_parts.plural_of(one),
                "exercise": name,
                "load_kg": load_kg,
            }
            for number, (one, (name, load_kg)) in enumerate(
                zip(view.sets, [given or (None, None) for given in _padded(entered, len(view.sets))], strict=True), 1
            )
        ],
        "today": [view.today.squats, view.today.hinges],
        "last_28_days": [view.last_28_days.squats, view.last_28_days.hinges],
        "session_tally": [view.session.squats, view.session.hinges],
        "lone": None if view.lone is None else f"{screen_parts.plural(1, view.lone.pattern)} stood alone",
        "not_counted": None if view.not_counted is None else view.not_counted.reason,
        "messages": [{"text": one.sentence, "gravity": str(one.gravity)} for one in view.messages],
    }


def spoken(one: Announcement) -> dict[str, Any]:
    """Return an announcement in the parts that can be switched off."""
    return {"text": one.bare, "pattern": one.pattern, "cue": one.cue, "urgent": one.urgent}


def _set_part(view: LiveView) -> dict[str, Any]:
    """Return what is read from three metres, and the clocks."""
    last = view.last
    return {
        "phase": str(view.phase),
        "paused": view.paused,
        "count": view.count,
        "set_number": view.set_number,
        "set_may_go_on": view.set_may_go_on,
        "pattern": None if view.shown is None else str(_pattern(view)),
        "headline": screen_parts.headline(view).plain.strip(),
        "confidence": None if last is None or last.pattern is Pattern.UNCERTAIN else round(100 * last.confidence),
        "set_clock": None if view.set_s is None else clock(view.set_s),
        "rest_clock": None if view.rest_s is None else clock(view.rest_s),
        "rest_target_s": view.rest_target_s,
        "rest_is_over": view.rest_is_over,
        "cue": view.cue,
    }


def _pattern(view: LiveView) -> Pattern:
    """Return the pattern of the last repetition; in a rest that of the set."""
    if view.shown is None or view.last is None:
        return Pattern.UNCERTAIN
    return view.shown.pattern if view.phase is Phase.REST else view.last.pattern


def _sensor_part(view: LiveView) -> dict[str, Any]:
    rssi_dbm = None if view.link.state is LinkState.LOST else view.link.rssi_dbm
    data = screen_parts.data_line(view)
    return {
        "link": str(view.link.state),
        "link_text": screen_parts.link_piece(view).plain.strip(),
        "sensor": view.link.sensor,
        "battery_percent": None if view.battery_percent is None else round(view.battery_percent),
        "battery_low": view.battery_percent is not None and view.battery_percent <= LOW_BATTERY_PERCENT,
        "signal": None if rssi_dbm is None else f"{screen_parts.signal_word(rssi_dbm)}, {rssi_dbm:.0f} dBm",
        "data": None if data is None else data.plain.removeprefix("data").strip(),
    }


def _figures(view: LiveView) -> list[dict[str, Any]]:
    """Return depth, angle, tempo and speed: of the last repetition against the set's first; in a rest the means."""
    if view.shown is None or view.first is None or view.last is None:
        return []
    first, last, repetitions = view.first, view.last, view.shown.repetitions
    resting = view.phase is Phase.REST

    def row(label: str, unit: str, value: Callable[[Repetition], float], decimals: int) -> dict[str, Any]:
        now = fmean(map(value, repetitions)) if resting else value(last)
        change = round(value(last) - value(first), decimals) or 0.0  # no minus before nothing
        told = f"{change:+.{decimals}f}{unit} to the first" if not resting and len(repetitions) > 1 else None
        return {"label": label, "value": f"{now:.{decimals}f}{unit}", "change": told}

    loss = view.velocity_loss
    speed = row("Speed up", " m/s", lambda one: one.mean_concentric_velocity_m_s, 2)
    if not sinks(view.shown):
        speed = {"label": "Speed up", "value": "–", "change": "the hip hardly sinks"}
    elif loss is not None:
        speed["change"] = f"{round(-100 * loss):+d} % over the set"
    of = repetitions if resting else (last,)
    down_pause_up = {"label": "Tempo", "value": f"{tempo(of)} s", "change": "down-pause-up"}
    if not resting and len(repetitions) > 1:
        down_pause_up["change"] = f"first {tempo((first,))}"
    return [
        row("Depth", " cm", lambda one: 100 * one.hip_drop_m, 0),
        row("Trunk", "°", lambda one: math.degrees(one.trunk_angle_rad), 0),
        down_pause_up,
        speed,
    ]


def _padded(entered: Sequence[Entered], count: int) -> list[Entered]:
    return [*entered, *[None] * count][:count]
