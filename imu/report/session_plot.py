"""A recording and what was counted in it -> curves at 20 Hz, and a drawing of them.

The curves are those from which the figures of each movement were measured: where a repetition is marked, its peak angle
is `trunk_angle_rad` and its lowest height is `hip_drop_m`. Height and velocity come from the height model
(`imu.motion.height`), which needs the start and the end of a movement; between movements they are not known, and NaN.

Drawing uses Matplotlib (extra ``plots``), which is imported when something is drawn.
"""
# ruff: noqa: PLC0415  Matplotlib is slow to import, and an extra

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imu.errors import ExtraMissing, ImuError
from imu.motion.judge import Decision
from imu.motion.pattern import Pattern
from imu.report.curves import angle_curve
from imu.report.words import printable
from imu.samples import Array, ImuBlock
from imu.session import Session, SessionSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {Pattern.SQUAT: "#2b7bd3", Pattern.HINGE: "#c9621a", Pattern.UNCERTAIN: "#7d8790"}
"""At least 3 to 1 on white; each pattern has a marker of its own too."""
MARKERS = {Pattern.SQUAT: "o", Pattern.HINGE: "^", Pattern.UNCERTAIN: "s"}
SUFFIXES = (".png", ".svg", ".html")
"""Files that a drawing can be saved as."""
_PANELS = ("trunk angle, °", "hip height, m", "hip velocity, m/s")


@dataclass(frozen=True, slots=True, eq=False)
class MotionCurves:
    """The motion of the hip throughout a recording, at 20 Hz.

    Attributes
    ----------
    time_s : (n,) array
        Device clock.
    trunk_angle_rad : (n,) array
        Tilt of the pelvis away from quiet standing in the sagittal plane, forward positive; NaN at gaps.
    hip_height_m : (n,) array
        Height of the hip joint above its height at the start of the movement; NaN between movements.
    hip_velocity_m_s : (n,) array
        Vertical velocity of the hip joint, up positive; NaN between movements.
    """

    time_s: Array
    trunk_angle_rad: Array
    hip_height_m: Array
    hip_velocity_m_s: Array

    def between(self, start_s: float, end_s: float) -> MotionCurves:
        """Return the part within ``[start_s, end_s]``."""
        first, end = np.searchsorted(self.time_s, (start_s - 1e-3, end_s + 1e-3))
        curves = (self.time_s, self.trunk_angle_rad, self.hip_height_m, self.hip_velocity_m_s)
        return MotionCurves(*(curve[first:end] for curve in curves))


@dataclass(frozen=True, slots=True)
class DrawnRepetition:
    """One repetition as a drawing marks it, and the number of its set."""

    set_number: int
    start_s: float
    bottom_s: float
    end_s: float
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class DrawnSession:
    """What a drawing marks: repetitions that count, and movements that do not, with the reason."""

    title: str
    repetitions: tuple[DrawnRepetition, ...]
    rejected: tuple[tuple[float, float, str], ...]


def motion_curves(blocks: Callable[[], Iterable[ImuBlock]], summary: SessionSummary) -> MotionCurves:
    """Return the curves of a recording.

    Parameters
    ----------
    blocks : callable
        Returns the samples of the recording from its start; called twice.
    summary : SessionSummary
        What was counted in it.
    """
    overall = angle_curve(blocks(), summary)
    if overall is None:
        return MotionCurves(*(np.empty(0) for _ in range(4)))
    decisions: list[Decision] = []
    session = Session(check_units=False, observe=decisions.append)
    for block in blocks():
        session.push(block)
    session.finish()
    angle_rad = overall.angle_rad.copy()
    height_m, velocity_m_s = (np.full(len(angle_rad), np.nan) for _ in range(2))
    for decision in sorted(decisions, key=lambda one: one.verdict is not None):  # the curve of a verdict stands
        figures = decision.figures
        steps = slice(figures.start, figures.end + 1)
        first = int(np.searchsorted(overall.time_s, figures.time_s[figures.start] - 1e-3))
        place = slice(first, first + figures.end + 1 - figures.start)
        angle_rad[place] = figures.trunk_angle_rad[steps]
        height_m[place] = figures.height_m[steps]
        velocity_m_s[place] = figures.velocity_m_s[steps]
    return MotionCurves(overall.time_s, angle_rad, height_m, velocity_m_s)


# --- drawing ---------------------------------------------------------------------------------------------------------


def draw_session(curves: MotionCurves, session: DrawnSession) -> Figure:
    """Draw angle, height and velocity over time, with repetitions and uncounted movements marked.

    Raises
    ------
    ExtraMissing
        If Matplotlib is not installed.
    """
    figure, panels = _figure(session.title, width=max(8.0, min(24.0, len(curves.time_s) / 20 / 8)))
    values = (np.degrees(curves.trunk_angle_rad), curves.hip_height_m, curves.hip_velocity_m_s)
    for panel, value in zip(panels, values, strict=True):
        panel.plot(curves.time_s, value, color="#333333", linewidth=0.9)
        for start_s, end_s, _ in session.rejected:
            panel.axvspan(start_s, end_s, facecolor="none", edgecolor="#9aa2a9", hatch="///", linewidth=0, alpha=0.6)
        for one in session.repetitions:
            panel.axvspan(one.start_s, one.end_s, color=COLOURS[one.pattern], alpha=0.16, linewidth=0)
    for pattern, colour in COLOURS.items():
        bottoms = [one.bottom_s for one in session.repetitions if one.pattern is pattern]
        if bottoms:
            height = np.interp(bottoms, curves.time_s, values[0])
            label = f"{len(bottoms)} × {pattern}"
            panels[0].plot(bottoms, height, MARKERS[pattern], color=colour, markersize=5, label=label)
    if session.rejected:
        panels[0].plot([], [], color="#9aa2a9", linewidth=6, alpha=0.6, label=f"{len(session.rejected)} not counted")
    _label_rejected(panels[0], session.rejected)
    if panels[0].get_legend_handles_labels()[1]:
        panels[0].legend(loc="upper right", fontsize="small", ncols=4, frameon=False)
    panels[-1].set_xlabel("time, s")
    return figure


def draw_set(curves: MotionCurves, session: DrawnSession, set_number: int) -> Figure:
    """Draw the repetitions of one set over each other, from the start of each.

    Raises
    ------
    ImuError
        If the session has no such set.
    ExtraMissing
        If Matplotlib is not installed.
    """
    repetitions = [one for one in session.repetitions if one.set_number == set_number]
    if not repetitions:
        most = max((one.set_number for one in session.repetitions), default=0)
        raise ImuError(f"there is no set {set_number}: this recording has {most} set{'' if most == 1 else 's'}")
    figure, panels = _figure(f"{session.title}, set {set_number}", width=7.0)
    for number, one in enumerate(repetitions, 1):
        part = curves.between(one.start_s, one.end_s)
        shade = 0.35 + 0.65 * number / len(repetitions)
        style: dict[str, Any] = {"color": COLOURS[one.pattern], "alpha": shade, "linewidth": 1.2}
        values = (np.degrees(part.trunk_angle_rad), part.hip_height_m, part.hip_velocity_m_s)
        for panel, value in zip(panels, values, strict=True):
            label = f"{number} {one.pattern}" if panel is panels[0] else None
            panel.plot(part.time_s - one.start_s, value, label=label, **style)
    panels[0].legend(loc="upper right", fontsize="small", ncols=math.ceil(len(repetitions) / 5), frameon=False)
    panels[-1].set_xlabel("time since the start of the repetition, s")
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Save a drawing as PNG, SVG, or a page with the SVG in it, by the end of the file's name.

    Raises
    ------
    ImuError
        If the name ends otherwise, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ImuError(f"{path} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    try:
        if suffix != ".html":
            figure.savefig(path, dpi=150, format=suffix[1:])
            return
        import io

        svg = io.StringIO()
        figure.savefig(svg, format="svg")
        drawing = svg.getvalue()
        head = "<!doctype html><html lang=en><meta charset=utf-8><title>imu</title>"
        path.write_text(f"{head}{drawing[drawing.index('<svg') :]}</html>", encoding="utf-8")
    except OSError as error:
        raise ImuError(f"{path} cannot be written ({error.strerror or error})") from error


def _figure(title: str, width: float) -> tuple[Figure, Sequence[Axes]]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ExtraMissing('drawing needs Matplotlib: python -m pip install "imu-training[plots]"') from error
    figure = Figure(figsize=(width, 6.0), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(3, 1, sharex=True)
    figure.suptitle(printable(title), fontsize="medium", parse_math=False)
    for panel, label in zip(panels, _PANELS, strict=True):
        panel.set_ylabel(label)
        panel.grid(visible=True, linewidth=0.4, alpha=0.6)
        panel.margins(x=0.01)
    return figure, panels


def _label_rejected(panel: Axes, rejected: Sequence[tuple[float, float, str]]) -> None:
    for start_s, end_s, reason in rejected[:20]:  # more would run into each other
        panel.annotate(
            reason,
            ((start_s + end_s) / 2, 0.02),
            xycoords=("data", "axes fraction"),
            rotation=90,
            fontsize="x-small",
            color="#5d666e",
            ha="center",
            va="bottom",
        )
