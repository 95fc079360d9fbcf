"""A recording and its counted repetitions -> trunk angle, hip height and hip velocity at 20 Hz, for drawing.

The curves are those from which the figures of each movement were measured: where a repetition is marked, its peak angle
is `trunk_angle_rad` and its lowest height is `hip_drop_m`. Height and velocity come from the height model
(`imu.motion.height`), which needs the start and the end of a movement; between movements they are not known, and NaN.

The angle is the one in the repetitions' figures: tilt away from the standing posture, in the sagittal plane of the
counted repetitions. The plane is slightly more accurate here than it was live, because all repetitions contribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# ruff: noqa: PLC0415  Matplotlib is slow to import, and an extra
from typing import TYPE_CHECKING, Any

import numpy as np

from imu.errors import ImuError, needs_extra
from imu.motion.judge import Decision
from imu.motion.pattern import Pattern
from imu.motion.repetitions import Repetition
from imu.motion.signals import MotionSignals
from imu.motion.standing import RestingPostures, standing_before
from imu.motion.tracker import ONE_SET_S, stretches
from imu.motion.wearing import Lean, SagittalPlane
from imu.report.exercises import ExerciseHistory, Trained
from imu.report.replay import ReplayOptions, open_with
from imu.report.session_view import SessionView
from imu.report.trends import Trend
from imu.report.words import in_unit, number_of, printable, unit_of_load
from imu.samples import Array, ImuBlock
from imu.session import Session, SessionSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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


def recording_curves(path: Path, summary: SessionSummary, options: ReplayOptions) -> MotionCurves:
    """Return the curves of a recording that was counted with these options.

    Raises
    ------
    ImuError
        If it cannot be read.
    """
    return motion_curves(open_with(path, options).blocks, summary)


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
    for decision in decisions:
        if decision.verdict is None:  # too small to be mentioned
            continue
        figures = decision.figures
        steps = slice(figures.start, figures.end + 1)
        first = int(np.searchsorted(overall.time_s, figures.time_s[figures.start] - 1e-3))
        place = slice(first, first + figures.end + 1 - figures.start)
        angle_rad[place] = figures.trunk_angle_rad[steps]
        height_m[place] = figures.height_m[steps]
        velocity_m_s[place] = figures.velocity_m_s[steps]
    return MotionCurves(overall.time_s, angle_rad, height_m, velocity_m_s)


# --- the trunk angle -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class AngleCurve:
    """The trunk angle throughout a recording.

    Attributes
    ----------
    time_s : (n,) array
        On the device clock, 20 a second.
    angle_rad : (n,) array
        Forward positive; NaN at the start of each stretch after a gap, so that lines break there.
    """

    time_s: Array
    angle_rad: Array


def angle_curve(blocks: Iterable[ImuBlock], summary: SessionSummary) -> AngleCurve | None:
    """Return the trunk angle throughout; ``None`` where nothing moved.

    Parameters
    ----------
    blocks : iterable of ImuBlock
        The samples of the recording.
    summary : SessionSummary
        What was counted in it.
    """
    lone = [movement.repetition for movement in summary.rejected if movement.repetition is not None]
    counted = sorted(
        [repetition for one_set in summary.sets for repetition in one_set.repetitions] + lone, key=lambda r: r.start_s
    )
    movements = sorted([(r.start_s, r.end_s) for r in counted] + [(m.start_s, m.end_s) for m in summary.rejected])
    rests = RestingPostures()
    segments = [(signals, _postures(signals, movements, rests)) for signals in stretches(blocks)]
    standing = next((postures[0][1] for _, postures in segments if postures), None)
    if standing is None:
        return None
    plane = _plane([(signals, dict(postures)) for signals, postures in segments], counted)
    times, angles = [], []
    for signals, postures in segments:
        start = 0
        for (_, following), until in zip([(0, standing), *postures], [*(s for s, _ in postures), None], strict=True):
            standing, end = following, len(signals) if until is None else until
            times.append(signals.time_s[start:end])
            angles.append(_angle(signals.up[start:end], standing, plane))
            if start == 0 and len(angles[-1]):
                angles[-1][0] = np.nan
            start = end
    return AngleCurve(np.concatenate(times), np.concatenate(angles))


def _postures(
    signals: MotionSignals, movements: Sequence[tuple[float, float]], rests: RestingPostures
) -> list[tuple[int, Array]]:
    """Return the step at which each movement begins, and `up` in the standing posture from which it is measured."""
    postures: list[tuple[int, Array]] = []
    last_end_s = -np.inf
    rests.push(signals, len(signals))
    for start_s, end_s in movements:
        if not (len(signals) and signals.time_s[0] <= end_s and start_s <= signals.time_s[-1]):
            continue
        step = int(np.searchsorted(signals.time_s, start_s))
        if start_s - last_end_s >= ONE_SET_S:
            last = min(int(np.searchsorted(signals.time_s, end_s)), len(signals) - 1)
            bend = signals.up[(step + last) // 2] - signals.up[step]
            forward = bend / max(float(np.sqrt(bend @ bend)), 1e-9)
            standing = rests.before(start_s + 0.2).choose(signals.up[[step, last]], forward)
            postures.append((step, standing_before(signals, step + 1).up if standing is None else standing))
        rests.forget(start_s if start_s - last_end_s >= ONE_SET_S else last_end_s, end_s)
        last_end_s = end_s
    return postures


def _plane(segments: Sequence[tuple[MotionSignals, dict[int, Array]]], counted: Sequence[Repetition]) -> SagittalPlane:
    """Return the sagittal plane that the counted repetitions show."""
    plane = SagittalPlane()
    for signals, postures in segments:
        for movement in counted:
            first, middle, last = np.searchsorted(
                signals.time_s, (movement.start_s, (movement.start_s + movement.bottom_s) / 2, movement.end_s)
            )
            before = [step for step in postures if step <= first]
            if not before or last >= len(signals):
                continue
            home, up = postures[before[-1]], signals.up[first : last + 1]
            path = up - (up @ home)[:, None] * home
            plane.learn(Lean(path, path[middle - first]))
    return plane


def _angle(up: Array, home: Array, plane: SagittalPlane) -> Array:
    """Return the forward tilt (n,) away from the posture `home`, as the figures of a repetition do."""
    if not len(up):
        return np.empty(0)
    along = up @ home
    path = up - along[:, None] * home
    largest = path[int(np.argmax((path * path).sum(axis=1)))]
    # Of all that happened, and so no single descent that could contradict the plane.
    lean = Lean(path, largest, from_rest=False)
    angle: Array = np.arctan2(path @ plane.forward(lean, home), along)
    return angle


# --- plots -----------------------------------------------------------------------------------------------------------


COLOURS = {Pattern.SQUAT: "#2b7bd3", Pattern.HINGE: "#c9621a", Pattern.UNCERTAIN: "#7d8790"}
"""At least 3 to 1 on white; each pattern has a marker of its own too."""
MARKERS = {Pattern.SQUAT: "o", Pattern.HINGE: "^", Pattern.UNCERTAIN: "s"}
_GREY = "#9aa2a9"
MOST_REASONS = 20
"""More reasons in one drawing would run into each other."""
SUFFIXES = (".png", ".svg", ".pdf", ".html")
"""Files that a drawing can be saved as."""
_PANELS = ("trunk angle, °", "hip height, m", "hip velocity, m/s")
_TREND_PANELS = ("repetitions", "peak angle, °", "speed up, m/s")


# --- drawing ---------------------------------------------------------------------------------------------------------


def draw_session(curves: MotionCurves, view: SessionView) -> Figure:
    """Draw angle, height and velocity over time, with repetitions and uncounted movements marked.

    Raises
    ------
    ExtraMissing
        If Matplotlib is not installed.
    """
    repetitions = view.repetitions
    figure, panels = _figure(_name_of(view), width=max(8.0, min(24.0, len(curves.time_s) / 20 / 8)))
    values = (np.degrees(curves.trunk_angle_rad), curves.hip_height_m, curves.hip_velocity_m_s)
    for panel, value in zip(panels, values, strict=True):
        panel.plot(curves.time_s, value, color="#333333", linewidth=0.9)
        for movement in view.rejected:
            style: dict[str, Any] = {"facecolor": "none", "edgecolor": _GREY, "hatch": "///", "alpha": 0.6}
            panel.axvspan(movement.start_s, movement.end_s, linewidth=0, **style)
        for repetition in repetitions:
            panel.axvspan(
                repetition.start_s, repetition.end_s, color=COLOURS[repetition.pattern], alpha=0.16, linewidth=0
            )
    for pattern, colour in COLOURS.items():
        middles = [repetition.middle_s for repetition in repetitions if repetition.pattern is pattern]
        if middles:
            angles = np.interp(middles, curves.time_s, values[0]) if len(curves.time_s) else np.zeros(len(middles))
            label = f"{len(middles)} × {pattern}"
            panels[0].plot(middles, angles, MARKERS[pattern], color=colour, markersize=5, label=label)
    if view.rejected:
        label = f"{len(view.rejected)} not counted"
        panels[0].plot([], [], color=_GREY, linewidth=6, alpha=0.6, label=label)
    for movement in view.rejected[:MOST_REASONS]:
        middle_s = (movement.start_s + movement.end_s) / 2
        place: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "bottom", "fontsize": "x-small"}
        coordinates = panels[0].get_xaxis_transform()
        panels[0].text(middle_s, 0.02, printable(movement.reason), transform=coordinates, color="#5d666e", **place)
    if repetitions or view.rejected:
        _add_legend_below(panels[0])
    panels[-1].set_xlabel("time, s")
    return figure


def draw_set(curves: MotionCurves, view: SessionView, number: int) -> Figure:
    """Draw the repetitions of one set over each other, each from its start.

    Raises
    ------
    ImuError
        If the session has no such set.
    ExtraMissing
        If Matplotlib is not installed.
    """
    if not 1 <= number <= len(view.sets):
        raise ImuError(f"there is no set {number}: this session has {number_of(len(view.sets), 'set')}")
    repetitions = view.sets[number - 1].repetitions
    figure, panels = _figure(f"{_name_of(view)}, set {number}", width=7.0)
    for position, repetition in enumerate(repetitions, 1):
        part = curves.between(repetition.start_s, repetition.end_s)
        style: dict[str, Any] = {"color": COLOURS[repetition.pattern], "linewidth": 1.2}
        style["alpha"] = 0.35 + 0.65 * position / len(repetitions)
        values = (np.degrees(part.trunk_angle_rad), part.hip_height_m, part.hip_velocity_m_s)
        for panel, value in zip(panels, values, strict=True):
            label = f"{repetition.pattern} {position}" if panel is panels[0] else None
            panel.plot(part.time_s - repetition.start_s, value, label=label, **style)
    _add_legend_below(panels[0])
    panels[-1].set_xlabel("time since the start of the repetition, s")
    return figure


def draw_trends(periods: Sequence[Trend]) -> Figure:
    """Draw training over weeks or days: repetitions, mean peak angle and mean speed of each pattern.

    Raises
    ------
    ImuError
        If nothing was trained.
    ExtraMissing
        If Matplotlib is not installed.
    """
    if not periods:
        raise ImuError("there is no training yet, so no trend can be drawn")
    days = periods[0].days
    figure, panels = _figure(f"training of each {'week' if days > 1 else 'day'}", 9.0, _TREND_PANELS)
    starts: Any = [period.start for period in periods]
    bases = np.zeros(len(periods))
    for pattern, parts in ((Pattern.SQUAT, [p.squat for p in periods]), (Pattern.HINGE, [p.hinge for p in periods])):
        hatch = "///" if pattern is Pattern.HINGE else None
        counts = np.array([part.repetitions for part in parts], dtype=float)
        style: dict[str, Any] = {"color": COLOURS[pattern], "edgecolor": "white", "hatch": hatch}
        panels[0].bar(starts, counts, 0.7 * days, bases, label=f"{counts.sum():.0f} × {pattern}", **style)
        bases += counts
        angles = [None if part.trunk_angle_rad is None else float(np.degrees(part.trunk_angle_rad)) for part in parts]
        for panel, values in ((panels[1], angles), (panels[2], [part.speed_m_s for part in parts])):
            _line(panel, starts, values, pattern)
    _add_legend_below(panels[0])
    figure.autofmt_xdate()
    return figure


def draw_exercise(history: ExerciseHistory, *, in_lb: bool = False) -> Figure:
    """Draw an exercise over its sessions: repetitions, heaviest load with the estimated maximum, and volume.

    Raises
    ------
    ExtraMissing
        If Matplotlib is not installed.
    """
    unit = unit_of_load(in_lb=in_lb)
    figure, panels = _figure(history.name, 9.0, ("repetitions", f"load, {unit}", f"volume, {unit}"))
    times: Any = [session.trained_at for session in history.sessions]

    def loads(load_of: Callable[[Trained], float | None]) -> list[float | None]:
        loads_kg = map(load_of, history.sessions)
        return [None if load_kg is None else in_unit(load_kg, in_lb=in_lb) for load_kg in loads_kg]

    heaviest = loads(lambda session: None if session.heaviest is None else session.heaviest.load_kg)
    _line(panels[0], times, [session.repetitions for session in history.sessions], history.pattern)
    _line(panels[1], times, heaviest, history.pattern, label="heaviest set")
    maxima = loads(lambda session: session.maximum.load_kg)
    if any(load is not None for load in maxima):
        _line(panels[1], times, maxima, Pattern.UNCERTAIN, label="one-repetition maximum, estimated (Epley)")
    if any(load is not None for load in heaviest):
        place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderpad": 0}
        panels[1].legend(fontsize="small", ncols=2, frameon=False, **place)
    _line(panels[2], times, loads(lambda session: session.volume_kg), history.pattern)
    figure.autofmt_xdate()
    return figure


def _line(panel: Axes, x: Any, values: Sequence[float | None], pattern: Pattern, label: str | None = None) -> None:
    """Draw a line that breaks where a value is missing."""
    known = [np.nan if value is None else value for value in values]
    panel.plot(x, known, MARKERS[pattern] + "-", color=COLOURS[pattern], markersize=5, linewidth=1.2, label=label)


def save_figure(figure: Figure, path: Path) -> None:
    """Save a drawing as PNG, SVG, PDF, or a page with the SVG in it, by the end of the file's name.

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
            from matplotlib import rc_context

            with rc_context({"pdf.fonttype": 42}):  # text as text, which journals ask for
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


def _figure(title: str, width: float, labels: Sequence[str] = _PANELS) -> tuple[Figure, Sequence[Axes]]:
    with needs_extra("plots", "drawing needs Matplotlib"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=(width, 6.0), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(3, 1, sharex=True)
    panels[0].set_title(printable(title), fontsize="small", loc="left", parse_math=False)
    for panel, label in zip(panels, labels, strict=True):
        panel.set_ylabel(label)
        panel.grid(visible=True, linewidth=0.4, alpha=0.6)
        panel.margins(x=0.01)
    return figure, panels


def _add_legend_below(panel: Axes) -> None:
    """Put the legend of a panel below all panels: a title above may be long."""
    figure: Any = panel.figure
    figure.legend(
        *panel.get_legend_handles_labels(), loc="outside lower center", fontsize="small", ncols=6, frameon=False
    )


def _name_of(view: SessionView) -> str:
    """Return the name of the recording without its folders."""
    return view.recording.replace("\\", "/").rpartition("/")[2] or view.recording
