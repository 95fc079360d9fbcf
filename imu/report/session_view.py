"""One session -> everything that a page, a report or a program shows of it, computed once.

The terminal page, the web page, the HTML report and ``--json`` all draw from a `SessionView`: they choose what to show
and where, and compute nothing. A view holds each figure as a number in the unit in which people and programs read it
(degrees, metres, seconds), and as the text that people read. A text is empty where nothing was measured or entered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement
from imu.report.cues import Figures, figures_of, form_of, share_of_speed_lost, sinks, speed
from imu.report.replay import Replayed
from imu.report.words import (
    clock,
    counted,
    entered,
    flaws,
    load,
    log_line,
    reasons,
    sets_in_words,
    sparkline,
    sum_if_any,
    tempo,
    weight,
)
from imu.session import SessionSummary, TrainingSet
from imu.store import (
    CorrectedRepetition,
    CorrectedSession,
    CorrectedSet,
    LoggedCorrection,
    PlannedSet,
    apply_corrections,
)

if TYPE_CHECKING:
    from imu.store import StoredSession

LINE_REPETITIONS = 3
"""A set of at least this many measured repetitions gets a line of its angles and one of its speeds."""
LINE_ANGLE_RAD = math.radians(4 * 2.6)
"""Least height of the line of angles: four times their error."""
LINE_SPEED_M_S = 0.2
"""Least height of the line of speeds: four times the error of good devices of this kind (0.05 m/s)."""


@dataclass(frozen=True, slots=True)
class MovementView:
    """The figures that a repetition and a movement that was not counted share, as numbers and as texts.

    Attributes
    ----------
    start_s, end_s : float
        Times on the recording's clock.
    figures : Figures or None
        The measured figures; ``None`` where nothing was measured: then the texts are empty.
    """

    start_s: float
    end_s: float
    figures: Figures | None

    @property
    def start(self) -> str:
        """Start as ``0:12``."""
        return clock(self.start_s)

    @property
    def end(self) -> str:
        """End as ``0:14``."""
        return clock(self.end_s)

    @property
    def angle(self) -> str:
        """Peak trunk angle, degrees without the sign."""
        return "" if self.figures is None else f"{self.figures.trunk_angle_deg:.0f}"

    @property
    def angle_at_bottom(self) -> str:
        """Trunk angle at the bottom, degrees without the sign."""
        return "" if self.figures is None else f"{self.figures.angle_at_bottom_deg:.0f}"

    @property
    def depth(self) -> str:
        """Hip drop in centimetres."""
        return "" if self.figures is None else f"{100 * self.figures.hip_drop_m:.0f}"

    @property
    def tempo(self) -> str:
        """Seconds down, paused and up: ``1.2-0.1-1.0``."""
        figures = self.figures
        return "" if figures is None else f"{figures.eccentric_s:.1f}-{figures.pause_s:.1f}-{figures.concentric_s:.1f}"

    @property
    def speed(self) -> str:
        """Mean upward velocity, m/s; empty where the hip hardly sinks, as for its set."""
        figures = self.figures
        return "" if figures is None or not figures.has_speed else f"{figures.mean_concentric_velocity_m_s:.2f}"


@dataclass(frozen=True, slots=True)
class RejectedView(MovementView):
    """One movement that was not counted, and why.

    It has figures if it was announced as a repetition and then rejected because it stayed alone.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class RepetitionView(MovementView):
    """One repetition as it counts. It has no figures where the person added it and nothing was measured.

    Attributes
    ----------
    place : str
        ``2/3``: repetition 3 of set 2, as ``imu correct`` takes it.
    number : int
        Number within the set, from 1.
    pattern : Pattern
        The pattern after corrections.
    middle_s : float
        Time on the recording's clock at which corrections find it.
    added, pattern_changed : bool
        Whether the person added it, and whether another pattern was measured.
    exercise, load_kg, note : str or None, float or None, str or None
        What the person entered for this repetition alone.
    load_in_lb : bool
        Whether the person writes this load in pounds.
    """

    place: str
    number: int
    pattern: Pattern
    middle_s: float
    added: bool
    pattern_changed: bool
    exercise: str | None
    load_kg: float | None
    note: str | None
    load_in_lb: bool

    @property
    def sure(self) -> str:
        """Confidence of the pattern in percent; empty if the pattern was changed."""
        return "" if self.figures is None or self.pattern_changed else f"{100 * self.figures.confidence:.0f}"

    @property
    def entered(self) -> str:
        """The person's entries for it, as one text."""
        return entered(self.exercise, self.load_kg, self.note, load_in_lb=self.load_in_lb)

    @property
    def changes(self) -> str:
        """The repetition's differences from the measurement, and the person's entries for it."""
        parts = ["added"] if self.added else []
        if self.figures is not None and self.pattern_changed:
            parts.append(f"measured as {self.figures.pattern}, {100 * self.figures.confidence:.0f} %")
        return "; ".join([*parts, self.entered] if self.entered else parts)


class Figure(NamedTuple):
    """One figure of a set: the same name and unit on page, terminal and report."""

    name: str
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class SetView:
    """One set as it counts.

    Attributes
    ----------
    number : int
        Number within the session, from 1.
    pattern : Pattern
        The pattern after corrections.
    start_s, end_s : float
        Times on the recording's clock.
    repetitions : tuple of RepetitionView
        At least one.
    start : str
        Start as ``0:12``.
    figures : tuple of Figure
        Means over the measured repetitions of peak trunk angle, hip drop, seconds down, paused and up, and mean upward
        velocity, then how the last repetitions differ in it from the first: ``17 % slower``. A text is empty without a
        measurement, those on speed also where the hip hardly sinks.
    cues, form : tuple of str
        What a coach would say about the form; the same in plain sentences without figures.
    angle_line, speed_line : str
        Angle and speed of each repetition as a line of block characters; empty for a short set.
    exercise, load_kg, note : str or None, float or None, str or None
        What the person entered for the set; without an entry, exercise and load are the planned ones.
    load_in_lb : bool
        Whether the person writes the load in pounds.
    planned : PlannedSet or None
        The plan, made before the set.
    weights : str
        All loads of the set as the person writes them, ``135 lb / 155 lb``.
    entered : str
        Exercise, load and note as one text.
    volume_kg : float or None
        Sum of the loads of all repetitions; ``None`` without a load.
    is_unplanned : bool
        Whether it has no exercise because its pattern is not that of the planned one.
    """

    number: int
    pattern: Pattern
    start_s: float
    end_s: float
    repetitions: tuple[RepetitionView, ...]
    start: str
    figures: tuple[Figure, ...]
    cues: tuple[str, ...]
    form: tuple[str, ...]
    angle_line: str
    speed_line: str
    exercise: str | None
    load_kg: float | None
    note: str | None
    load_in_lb: bool
    planned: PlannedSet | None
    weights: str
    entered: str
    volume_kg: float | None
    is_unplanned: bool


@dataclass(frozen=True, slots=True)
class SessionView:
    """One session as it counts, with its corrections.

    Attributes
    ----------
    id : int or None
        Number in the store; ``None`` if it is not kept.
    recording : str
        Path of the recording.
    moment : datetime or None
        When it was recorded, or else saved, in the reader's time zone; ``None`` if it is not kept.
    saved_at, started_at : datetime or None
        When it was first saved, and when it was recorded, UTC; ``None`` if it is not kept, or not known.
    summary : SessionSummary
        The measurement: duration, sampling rate, gaps and faulty rows.
    squats, hinges, uncertain : int
        Repetitions in all sets, by pattern.
    duration, rate : str
        ``4:05`` and ``100 Hz``; the rate is empty if it is not known.
    counted : str
        ``8 squats : 4 hinges``.
    load : str
        Where the load went; empty without repetitions.
    flaws : str
        The faults of the recording; empty without faults.
    not_counted : str
        How many movements were not counted, and why; empty if all were counted.
    sets : tuple of SetView
        In the order of time.
    rejected : tuple of RejectedView
        Movements that were not counted, in the order of time.
    deleted : tuple of RepetitionView
        Repetitions that the person deleted. Their `place` is empty.
    log : tuple of LoggedCorrection
        The corrections in the order in which they were made.
    corrections : tuple of str
        Each of them in a sentence.
    """

    id: int | None
    recording: str
    moment: datetime | None
    saved_at: datetime | None
    started_at: datetime | None
    summary: SessionSummary
    squats: int
    hinges: int
    uncertain: int
    duration: str
    rate: str
    counted: str
    load: str
    flaws: str
    not_counted: str
    sets: tuple[SetView, ...]
    rejected: tuple[RejectedView, ...]
    deleted: tuple[RepetitionView, ...]
    log: tuple[LoggedCorrection, ...]
    corrections: tuple[str, ...]

    @property
    def unplanned(self) -> str:
        """Which sets have no exercise because their pattern is not that of the planned one; empty without any."""
        sets = [one_set for one_set in self.sets if one_set.is_unplanned]
        if not sets:
            return ""
        planned = dict.fromkeys(one_set.planned.exercise or "" for one_set in sets if one_set.planned is not None)
        numbers = ", ".join(str(one_set.number) for one_set in sets)
        which, counts = (f"sets {numbers} were", "they count") if len(sets) > 1 else (f"set {numbers} was", "it counts")
        return f"{which} not the planned {' or '.join(planned)}: {counts} for no exercise until you name it"

    @property
    def volume_kg(self) -> float | None:
        """Sum of the loads of all repetitions; ``None`` without a load."""
        return sum_if_any(one_set.volume_kg for one_set in self.sets)

    @property
    def done(self) -> str:
        """The sets in words: ``back squat 100 kg × 5, 5``; empty without any."""
        return sets_in_words(
            (one_set.exercise or one_set.pattern, one_set.weights, len(one_set.repetitions)) for one_set in self.sets
        )

    @property
    def repetitions(self) -> tuple[RepetitionView, ...]:
        """All repetitions that count, in the order of time."""
        return tuple(repetition for one_set in self.sets for repetition in one_set.repetitions)


def view_of_stored(stored: StoredSession, zone: tzinfo | None = None, *, in_lb: bool | None = None) -> SessionView:
    """Return the view of a session of the store.

    Parameters
    ----------
    stored : StoredSession
        The session.
    zone : tzinfo or None
        The reader's time zone; ``None`` is that of this computer.
    in_lb : bool or None
        Whether loads are shown in pounds; ``None`` shows each as it was written.
    """
    session = stored.corrected if in_lb is None else _in_unit(stored.corrected, in_lb=in_lb)
    view = _view(session, stored.source, flaws(stored.summary), stored.id)
    return replace(
        view,
        moment=stored.trained_at.astimezone(zone),
        saved_at=stored.saved_at,
        started_at=stored.started_at,
    )


def view_of_replayed(replayed: Replayed, session_id: int | None = None) -> SessionView:
    """Return the view of a replayed recording; `session_id` is its number in the store, if it is kept."""
    faults = flaws(
        replayed.summary,
        rows_sorted=replayed.rows_sorted,
        rows_unreadable=replayed.rows_unreadable,
        first_unreadable=replayed.first_unreadable,
        damaged=replayed.damaged,
    )
    return _view(apply_corrections(replayed.summary), replayed.name, faults, session_id)


def view_of_summary(recording: str, summary: SessionSummary) -> SessionView:
    """Return the view of a summary that is not kept, such as that of a training which has just ended."""
    return _view(apply_corrections(summary), recording, flaws(summary), None)


def _in_unit(session: CorrectedSession, *, in_lb: bool) -> CorrectedSession:
    """Return a session in which all loads are written in one unit."""
    sets = tuple(
        replace(
            one_set,
            load_in_lb=in_lb,
            repetitions=tuple(replace(repetition, load_in_lb=in_lb) for repetition in one_set.repetitions),
        )
        for one_set in session.sets
    )
    return replace(session, sets=sets)


def _view(session: CorrectedSession, recording: str, faults: Sequence[str], session_id: int | None) -> SessionView:
    squats, hinges, uncertain = (
        session.count(pattern) for pattern in (Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN)
    )
    rate_hz = session.measured.sampling_rate_hz
    return SessionView(
        id=session_id,
        recording=recording,
        moment=None,
        saved_at=None,
        started_at=None,
        summary=session.measured,
        squats=squats,
        hinges=hinges,
        uncertain=uncertain,
        duration=clock(session.measured.duration_s),
        rate="" if rate_hz is None else f"{rate_hz:.4g} Hz",
        counted=counted(squats, hinges, uncertain),
        load=load(squats, hinges) if squats + hinges else "",
        flaws="; ".join(faults),
        not_counted=reasons(session.rejected),
        sets=tuple(set_view(number, one_set) for number, one_set in enumerate(session.sets, 1)),
        rejected=tuple(rejected_view(movement) for movement in session.rejected),
        deleted=tuple(repetition_view("", number, repetition) for number, repetition in enumerate(session.deleted, 1)),
        log=session.log,
        corrections=tuple(log_line(correction) for correction in session.log),
    )


def set_view(number: int, one_set: CorrectedSet) -> SetView:
    """Return the view of one set."""
    loads = dict.fromkeys(one_set.load_of(repetition) for repetition in one_set.repetitions)
    angle_line, speed_line = _lines_of(one_set)
    form = [] if one_set.measured is None else form_of(one_set.measured)
    return SetView(
        number=number,
        pattern=one_set.pattern,
        start_s=one_set.start_s,
        end_s=one_set.end_s,
        repetitions=tuple(
            repetition_view(f"{number}/{place}", place, repetition)
            for place, repetition in enumerate(one_set.repetitions, 1)
        ),
        start=clock(one_set.start_s),
        figures=_figures_of(one_set.measured),
        cues=tuple(cue for cue, _ in form),
        form=tuple(sentence for _, sentence in form),
        angle_line=angle_line,
        speed_line=speed_line,
        exercise=one_set.exercise,
        load_kg=one_set.load_kg,
        note=one_set.note,
        load_in_lb=one_set.load_in_lb,
        planned=one_set.planned,
        weights=" / ".join(weight(load_kg, in_lb=in_lb) for load_kg, in_lb in loads if load_kg is not None),
        entered=entered(one_set.exercise, one_set.load_kg, one_set.note, load_in_lb=one_set.load_in_lb),
        volume_kg=sum_if_any(one_set.load_kg_of(repetition) for repetition in one_set.repetitions),
        is_unplanned=one_set.is_unplanned,
    )


def _figures_of(measured: TrainingSet | None) -> tuple[Figure, ...]:
    texts = [""] * 5
    if measured is not None:
        repetitions, speed_m_s = measured.repetitions, speed(measured)
        texts = [
            f"{math.degrees(fmean(repetition.trunk_angle_rad for repetition in repetitions)):.0f}",
            f"{100 * fmean(repetition.hip_drop_m for repetition in repetitions):.0f}",
            tempo(repetitions),
            "" if speed_m_s is None else f"{speed_m_s:.2f}",
            _slower(share_of_speed_lost(measured)),
        ]
    names = (("Angle", "°"), ("Depth", "cm"), ("Tempo", "s"), ("Speed up", "m/s"), ("Last reps", ""))
    return tuple(Figure(name, unit, text) for (name, unit), text in zip(names, texts, strict=True))


def _slower(share: float | None) -> str:
    """Return a share of speed that was lost, in words."""
    percent = 0 if share is None else round(100 * share)
    words = f"{abs(percent)} % {'slower' if percent > 0 else 'faster'}" if percent else "as fast"
    return "" if share is None else words


def _lines_of(one_set: CorrectedSet) -> tuple[str, str]:
    """Return the lines of block characters of angle and speed; empty for a short set."""
    rows = [repetition.measured for repetition in one_set.repetitions]
    if one_set.measured is None or len(one_set.measured.repetitions) < LINE_REPETITIONS:
        return "", ""
    angle_line = sparkline([row.trunk_angle_rad if row else None for row in rows], LINE_ANGLE_RAD)
    if not sinks(one_set.measured):
        return angle_line, ""
    return angle_line, sparkline([row.mean_concentric_velocity_m_s if row else None for row in rows], LINE_SPEED_M_S)


def repetition_view(place: str, number: int, repetition: CorrectedRepetition) -> RepetitionView:
    """Return the view of one repetition."""
    return RepetitionView(
        start_s=repetition.start_s,
        end_s=repetition.end_s,
        figures=None if repetition.measured is None else figures_of(repetition.measured),
        place=place,
        number=number,
        pattern=repetition.pattern,
        middle_s=repetition.middle_s,
        added=repetition.added,
        pattern_changed=repetition.pattern_changed,
        exercise=repetition.exercise,
        load_kg=repetition.load_kg,
        note=repetition.note,
        load_in_lb=repetition.load_in_lb,
    )


def rejected_view(movement: RejectedMovement) -> RejectedView:
    """Return the view of a movement that was not counted."""
    repetition = movement.repetition
    figures = None if repetition is None else figures_of(repetition)
    return RejectedView(movement.start_s, movement.end_s, figures, movement.reason)
