"""The live view -> the object that the live page shows, as JSON; each page gets only the parts that changed.

Every word comes from here or from :mod:`imu.live`, so that screen, page and voice agree. A signal has a word, a shape,
a colour and a sound, so that colour never carries a meaning alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from imu.live.cards import SetCard, plural
from imu.live.live_view import LOW_BATTERY_PERCENT, LiveView, balance
from imu.live.set_view import UNITS, Figure, Gauge, Measure, Phase, in_words
from imu.live.signals import LOOKS, Look, SignalKind
from imu.live.speech import Announcement
from imu.motion.pattern import Pattern
from imu.report.cues import sinks
from imu.report.words import clock
from imu.session import TrainingSet

BARS = 20
"""Repetitions that are drawn as bars at most, the latest."""
CARD = (
    "name", "state", "trouble", "phase", "provisional", "paused", "count", "pattern", "to_do", "hint", "rest_clock",
    "rest_share", "rest_target_s", "rest_is_over", "signal", "go", "progress", "set_number", "cue", "bars", "now",
    "link", "link_text", "battery_low", "total",
)  # fmt: skip
"""The fields of a training on the page of all trainings."""
MOST_SAID = 20
"""A page that does not fetch its messages gets the latest ones."""


class Watcher:
    """One page: gathers changes until they are fetched, of each value the newest, so that a slow page keeps up.

    Parameters
    ----------
    of_all : bool
        Whether it watches all trainings: then a value's name is the person's, a slash, and the name.
    """

    def __init__(self, *, of_all: bool = False) -> None:
        self.of_all = of_all
        self._changed: dict[str, Any] = {}
        self._said: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def take(self, changed: Mapping[str, Any], announcements: Sequence[dict[str, Any]], whose: str = "") -> None:
        """Take the fields that have changed."""
        if self.of_all:
            changed, announcements = {f"{whose}/{name}": changed[name] for name in CARD if name in changed}, ()
        if not changed and not announcements:
            return
        self._changed.update(changed)
        self._said = [*self._said, *announcements][-MOST_SAID:]
        self._news.set()

    async def news(self) -> dict[str, Any]:
        """Wait for changes, and return all of them as one object."""
        await self._news.wait()
        self._news.clear()
        news: dict[str, Any] = {"board": self._changed, "said": self._said}
        self._changed, self._said = {}, []
        return {key: value for key, value in news.items() if value}


def board(view: LiveView) -> dict[str, Any]:
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
        "figures": [_figure(figure) for figure in view.figures],
        "headline": None if view.headline is None else _figure(view.headline),
        "card": None if view.card is None else _card(view.card),
        "sets": _sets(view),
        "before": view.before_text,
        "today": [view.today.squats, view.today.hinges],
        "total": balance(view.session),
        "move": None if view.move is None else view.move.text,
        "lone": view.lone_text,
        "not_counted": view.not_counted,
        "messages": [{"text": message.sentence, "gravity": str(message.gravity)} for message in view.messages],
    }


def spoken(one: Announcement) -> dict[str, Any]:
    """Return an announcement in the parts that can be switched off."""
    return {"text": one.bare, "pattern": one.pattern, "cue": one.cue, "urgent": one.urgent}


def _set_part(view: LiveView) -> dict[str, Any]:
    """Return the figures that are read from three metres, and the clocks."""
    return {
        "phase": str(view.phase),
        "provisional": view.rest_is_provisional,
        "paused": view.paused,
        "count": view.count,
        "counted": view.counted,
        "set_number": view.set_number,
        "set_may_go_on": view.set_may_go_on,
        "pattern": None if view.shown is None else str(_pattern(view)),
        "to_do": view.to_do,
        "hint": view.hint,
        "sureness": view.sureness,
        "set_clock": None if view.set_s is None else clock(view.set_s),
        "rest_clock": None if view.rest_s is None else clock(view.rest_s),
        "rest_share": None if view.rest_share is None else round(min(1.0, view.rest_share), 3),
        "rest_target_s": view.rest_target_s,
        "rest_is_over": view.rest_is_over,
        "over_clock": clock((view.rest_s or 0.0) - (view.rest_target_s or 0.0)) if view.rest_is_over else None,
        "cue": _cue(view),
    }


def _cue(view: LiveView) -> str | None:
    """Return the cue without the word of the signal, which stands above it."""
    word = "" if view.look is None else view.look.word
    if not word or view.cue is None or view.cue.split(",")[0] != word:
        return view.cue
    return view.cue[len(word) :].lstrip(", ") or None


def _pattern(view: LiveView) -> Pattern:
    """Return the pattern of the last repetition; in a rest that of the set."""
    if view.shown is None or view.last is None:
        return Pattern.UNCERTAIN
    return view.shown.pattern if view.phase is Phase.REST else view.last.pattern


def _sensor_part(view: LiveView) -> dict[str, Any]:
    return {
        "link": str(view.link.state),
        "link_text": view.link_text,
        "sensor": view.link.sensor,
        "battery_percent": None if view.battery_percent is None else round(view.battery_percent),
        "battery_low": view.battery_percent is not None and view.battery_percent <= LOW_BATTERY_PERCENT,
        "signal_strength": view.signal_strength,
        "data": view.data_text,
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
    return [round(gauge.now / gauge.full, 4), in_words(gauge.measure, max(0.0, gauge.now))]


def _gauge(gauge: Gauge) -> dict[str, Any]:
    name, *_ = UNITS[gauge.measure]

    def mark(value: float | None) -> dict[str, Any] | None:
        return (
            None if value is None else {"share": round(gauge.share(value), 3), "text": in_words(gauge.measure, value)}
        )

    return {"name": name, "measure": str(gauge.measure), "target": mark(gauge.target), "last": mark(gauge.last)}


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
            "text": in_words(bars.measure, bar.value, unit=False),
            "pattern": str(one.pattern),
            "look": None if bar.look is None else _look(bar.look),
        }
        for bar, one in zip(bars.bars, patterns, strict=False)
    ]
    by_hand: Any = {"share": 0.0, "text": "+1", "pattern": "by-hand", "look": None}
    items += [by_hand] * max(0, view.recount if items else 0)
    lines = [("target", bars.target_low), ("target", bars.target_high), ("stop", bars.loss_line)]
    return {
        "title": f"{name}, {unit}" if items or bars.planned else "",
        "items": items[-BARS:],
        "planned": max(0, min(BARS, bars.planned or 0) - len(items)),
        "lines": [
            {"kind": kind, "share": share(value), "text": f"{kind} {in_words(bars.measure, value)}"}
            for kind, value in lines
            if value is not None
        ],
    }


# --- figures and cards -----------------------------------------------------------------------------------------------


def _figure(one: Figure) -> dict[str, Any]:
    figure: dict[str, Any] = {"label": one.label, "value": one.value, "change": one.note}
    return figure if one.fault is None else figure | {"look": _look(one.fault)}


def _card(card: SetCard) -> dict[str, Any]:
    return {"title": card.text, "advice": card.advice}


def _sets(view: LiveView) -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "pattern": str(one.pattern),
            "text": plural(count, one.pattern),
            "detail": _in_short(one),
            "exercise": None if entry is None else entry.exercise,
            "load": None if entry is None else entry.load,
            "move": None if move is None else move.text,
        }
        for number, (one, count, entry, move) in enumerate(
            zip(view.sets, view.counts, view.exercises, view.moves, strict=True), 1
        )
    ]


def _in_short(one: TrainingSet) -> str:
    """Return the depth or angle and the speed of a set."""
    repetitions = one.repetitions
    if one.pattern is Pattern.HINGE:
        figures = [in_words(Measure.ANGLE, fmean(each.trunk_angle_rad for each in repetitions))]
    else:
        figures = [in_words(Measure.DEPTH, fmean(each.hip_drop_m for each in repetitions))]
    if sinks(one):
        figures.append(in_words(Measure.SPEED, fmean(each.mean_concentric_velocity_m_s for each in repetitions)))
    return ", ".join(figures)
