"""The live view -> what the live page shows of it, as an object for JSON.

Every word comes from here or from :mod:`imu.live`, so that screen, page and voice agree. A signal has a word, a shape,
a colour and a sound, so that colour never carries a meaning alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from imu.bluetooth import LinkState
from imu.live import screen_parts
from imu.live.announcements import Announcement
from imu.live.live_view import LOW_BATTERY_PERCENT, Gauge, LiveView, Measure, Phase, SetCard
from imu.live.signals import LOOKS, Look, SignalKind
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.report.cues import sinks
from imu.report.words import clock, number_of, tempo
from imu.session import TrainingSet

BARS = 20
"""Repetitions that are drawn as bars at most, the latest."""
Entered = tuple[str | None, float | None] | None
"""Name and load that the person gave a set."""
UNITS: dict[Measure, tuple[str, str, float, int]] = {
    Measure.DEPTH: ("Depth", "cm", 100.0, 0),
    Measure.ANGLE: ("Angle", "°", math.degrees(1.0), 0),
    Measure.SPEED: ("Speed up", "m/s", 1.0, 2),
}
"""Name, unit, factor and decimals of a measure as the page shows it."""


def board(view: LiveView, entered: Sequence[Entered] = ()) -> dict[str, Any]:
    """Return everything that a page shows of a view; a value is sent again only when it changes."""
    return {
        **_set_part(view),
        **_sensor_part(view),
        "now": _now(view),
        "gauges": [_gauge(view.gauge), _gauge(view.other_gauge)],
        "bars": _bars(view),
        "signal": None if view.look is None else _look(view.look),
        "go": _look(LOOKS[SignalKind.REST_OVER]),
        "progress": None if view.progress is None else view.progress.text,
        "figures": _figures(view),
        "card": None if view.card is None else _card(view.card),
        "sets": _sets(view, entered),
        "before": _before(view),
        "today": [view.today.squats, view.today.hinges],
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
        "provisional": view.rest_is_provisional,
        "paused": view.paused,
        "count": view.count,
        "counted": view.counted,
        "set_number": view.set_number,
        "set_may_go_on": view.set_may_go_on,
        "pattern": None if view.shown is None else str(_pattern(view)),
        "headline": screen_parts.headline(view).plain.strip(),
        "confidence": None if last is None or last.pattern is Pattern.UNCERTAIN else round(100 * last.confidence),
        "set_clock": None if view.set_s is None else clock(view.set_s),
        "rest_clock": None if view.rest_s is None else clock(view.rest_s),
        "rest_share": None if view.rest_share is None else round(min(1.0, view.rest_share), 3),
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
        "signal_strength": None if rssi_dbm is None else f"{screen_parts.signal_word(rssi_dbm)}, {rssi_dbm:.0f} dBm",
        "data": None if data is None else data.plain.removeprefix("data").strip(),
    }


def _look(look: Look) -> dict[str, str]:
    return {"word": look.word, "shape": look.shape, "colour": look.colour, "sound": look.sound}


# --- gauges and bars -------------------------------------------------------------------------------------------------


def _now(view: LiveView) -> list[list[Any]]:
    """Return for both gauges the share of the scale and the value in words; it changes 20 times a second."""
    return [_moving(view.gauge), _moving(view.other_gauge)]


def _moving(gauge: Gauge) -> list[Any]:
    if gauge.now is None:
        return [0, "–"]
    return [round(gauge.now / gauge.full, 4), _in_words(gauge.measure, max(0.0, gauge.now))]


def _gauge(gauge: Gauge) -> dict[str, Any]:
    name, *_ = UNITS[gauge.measure]

    def mark(value: float | None) -> dict[str, Any] | None:
        return (
            None if value is None else {"share": round(gauge.share(value), 3), "text": _in_words(gauge.measure, value)}
        )

    return {"name": name, "measure": str(gauge.measure), "target": mark(gauge.target), "last": mark(gauge.last)}


def _in_words(measure: Measure, value: float, *, unit: bool = True) -> str:
    _, name, factor, decimals = UNITS[measure]
    text = f"{factor * value:.{decimals}f}"
    return text if not unit else f"{text}°" if name == "°" else f"{text} {name}"


def _bars(view: LiveView) -> dict[str, Any]:
    """Return one bar for each repetition, places for those that are planned, and the lines of the targets."""
    bars = view.bars
    name, unit, _, _ = UNITS[bars.measure]
    patterns = () if view.shown is None else view.shown.repetitions

    def share(value: float | None) -> float | None:
        return None if value is None else round(min(1.0, max(0.0, value / bars.full)), 3)

    items = [
        {
            "share": share(bar.value),
            "text": _in_words(bars.measure, bar.value, unit=False),
            "pattern": str(one.pattern),
            "look": None if bar.look is None else _look(bar.look),
        }
        for bar, one in zip(bars.bars, patterns, strict=False)
    ]
    lines = [("target", bars.target_low), ("target", bars.target_high), ("stop", bars.loss_line)]
    return {
        "title": f"{name}, {unit}" if items or bars.planned else "",
        "items": items[-BARS:],
        "planned": max(0, min(BARS, bars.planned or 0) - len(items)),
        "lines": [
            {"kind": kind, "share": share(value), "text": f"{kind} {_in_words(bars.measure, value)}"}
            for kind, value in lines
            if value is not None
        ],
    }


# --- figures and cards -----------------------------------------------------------------------------------------------


def _figures(view: LiveView) -> list[dict[str, Any]]:
    """Return depth, angle, tempo and speed of the last repetition against its targets or the first repetition."""
    if view.shown is None or view.first is None or view.last is None:
        return []
    if view.card is not None and not view.rest_is_provisional:
        return _figures_of_set(view.card)
    first, last, several = view.first, view.last, len(view.shown.repetitions) > 1
    targets, fault = view.targets, view.look

    def row(label: str, measure: Measure, value: Callable[[Repetition], float], target: str | None) -> dict[str, Any]:
        _, unit, factor, decimals = UNITS[measure]
        change = round(factor * (value(last) - value(first)), decimals) or 0.0  # no minus before nothing
        compared = f"{change:+.{decimals}f}{'' if unit == '°' else ' '}{unit} to the first" if several else ""
        return {"label": label, "value": _in_words(measure, value(last)), "change": target or compared}

    depth, angle = (
        None if gauge.target is None else f"target {_in_words(gauge.measure, gauge.target)}"
        for gauge in sorted((view.gauge, view.other_gauge), key=lambda one: one.measure is Measure.ANGLE)
    )
    zone = None if targets is None else targets.velocity_m_s
    speed = row("Speed up", Measure.SPEED, lambda one: one.mean_concentric_velocity_m_s, None)
    if not sinks(view.shown):
        speed |= {"value": "–", "change": "the hip hardly sinks"}
    elif view.velocity_loss is not None:
        speed["change"] = f"{round(-100 * view.velocity_loss) or 0:+d} % over the set"
    elif zone is not None:
        speed["change"] = f"target {zone[0]:g} to {zone[1]:g} m/s"
    planned = None if targets is None or targets.tempo is None else f"target {targets.tempo}"
    usual = f"first {tempo((first,))}" if several else "down-pause-up"
    pace = {"label": "Tempo, s", "value": tempo((last,)), "change": planned or usual}
    rows = [
        row("Depth", Measure.DEPTH, lambda one: one.hip_drop_m, depth),
        row("Trunk", Measure.ANGLE, lambda one: one.trunk_angle_rad, angle),
        pace,
        speed,
    ]
    missed = {"too shallow": (0, 1), "too fast down": (2,), "too slow up": (3,), "stop": (3,)}
    for index in () if fault is None else missed.get(fault.word, ()):
        if "target" in rows[index]["change"] or index > 1:
            rows[index]["look"] = _look(fault) if fault is not None else None
    return rows


def _figures_of_set(card: SetCard) -> list[dict[str, Any]]:
    """Return the means of a set that is over."""
    speed = "–" if card.mean_speed_m_s is None else _in_words(Measure.SPEED, card.mean_speed_m_s)
    best = "" if card.best_speed_m_s is None else f"best {card.best_speed_m_s:.2f} m/s"
    lost = "" if card.velocity_loss is None else f"{round(-100 * card.velocity_loss) or 0:+d} %"
    return [
        {"label": "Depth", "value": _in_words(Measure.DEPTH, card.depth_m), "change": "mean of the set"},
        {"label": "Trunk", "value": _in_words(Measure.ANGLE, card.trunk_angle_rad), "change": "mean of the set"},
        {"label": "Tempo, s", "value": card.tempo, "change": "down-pause-up"},
        {"label": "Speed up", "value": speed, "change": ", ".join(one for one in (best, lost) if one)},
    ]


def _card(card: SetCard) -> dict[str, Any]:
    """Return what is said of the set that is over: what it was, what went well, one thing to try."""
    good = "" if card.good is None else f"{card.good} of {card.repetitions} on target"
    return {
        "title": ", ".join(
            one for one in (screen_parts.plural(card.repetitions, card.pattern), card.title, good) if one
        ),
        "well": card.well,
        "try_next": card.try_next,
    }


def _sets(view: LiveView, entered: Sequence[Entered]) -> list[dict[str, Any]]:
    names = [*(given or (None, None) for given in entered), *[(None, None)] * len(view.sets)]
    return [
        {
            "number": number,
            "pattern": str(one.pattern),
            "text": screen_parts.plural_of(one),
            "detail": _in_short(one),
            "exercise": name,
            "load_kg": load_kg,
        }
        for number, (one, (name, load_kg)) in enumerate(zip(view.sets, names, strict=False), 1)
    ]


def _before(view: LiveView) -> str:
    """Return the set before the one that is shown, and the same set of the last session."""
    said = []
    if view.last_time is not None:
        said.append(f"{view.last_time.text} ({number_of(view.last_time.days_ago, 'day')} ago)")
    if view.previous_set is not None:
        one = view.previous_set
        best = "" if one.best_speed_m_s is None else f", best {one.best_speed_m_s:.2f} m/s"
        said.append(f"set before: {screen_parts.plural(one.repetitions, one.pattern)}{best}")
    text = " · ".join(said)
    return text[:1].upper() + text[1:]


def _in_short(one: TrainingSet) -> str:
    """Return the depth or angle and the speed of a set."""
    repetitions = one.repetitions
    if one.pattern is Pattern.HINGE:
        figures = [_in_words(Measure.ANGLE, fmean(each.trunk_angle_rad for each in repetitions))]
    else:
        figures = [_in_words(Measure.DEPTH, fmean(each.hip_drop_m for each in repetitions))]
    if sinks(one):
        figures.append(_in_words(Measure.SPEED, fmean(each.mean_concentric_velocity_m_s for each in repetitions)))
    return ", ".join(figures)
