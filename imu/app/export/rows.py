"""Stored sessions -> one row for each repetition, as it counts.

======================== ======= =============================================================================
column                   type    what
======================== ======= =============================================================================
session                  integer number of the session
trained_at               time    when it was recorded, or where the recording does not say, saved; UTC
recording                text    path of the recording when it was saved
set                      integer number of the set in the session, from 1
repetition               integer number of the repetition in the set, from 1
pattern                  text    squat, hinge or uncertain, as corrected
measured_pattern         text    as measured; empty if nothing was measured
confidence               number  probability that the measured pattern is right
added                    boolean whether it counts only because the person says so
exercise                 text    what the person calls it
load_kg                  number  what the person lifted, kg
note                     text    the person's note on the repetition
set_note                 text    the person's note on the set
start_s                  number  leaving standing, s on the recording's own clock
bottom_s                 number  turning point, s
end_s                    number  standing again, s
trunk_angle_deg          number  peak forward tilt of the pelvis away from quiet standing, degrees
hip_drop_m               number  how far the hip joint sank, m
eccentric_s              number  way down, s
pause_s                  number  rest at the turning point, s
concentric_s             number  way up, s
mean_concentric_velocity_m_s number mean upward velocity of the hip on the way up, m/s
peak_concentric_velocity_m_s number largest upward velocity of the hip on the way up, m/s
angle_at_bottom_deg      number  tilt at the lowest point of the hip, degrees
sideways_tilt_deg        number  largest tilt out of the sagittal plane, left positive, degrees
turn_deg                 number  turn about the vertical from start to end, left positive, degrees
trunk_lead_s             number  by how much the trunk tilted before the hip sank, s; positive is hips first
hip_drop_from            text    standing, or top: the top of a touch-and-go repetition may lie below standing
======================== ======= =============================================================================

What was not measured or entered is empty. A repetition that the person deleted has no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from imu.motion.repetitions import Repetition
from imu.report.objects import FIGURES, hip_drop_from
from imu.store import CorrectedRepetition, CorrectedSet, StoredSession

Cell = int | float | bool | str | datetime | None


@dataclass(frozen=True, slots=True)
class _Place:
    """One repetition and where it stands."""

    stored: StoredSession
    set_number: int
    one_set: CorrectedSet
    number: int
    one: CorrectedRepetition


def _figure(figure_of: Callable[[Repetition], Cell]) -> Callable[[_Place], Cell]:
    return lambda place: None if place.one.measured is None else figure_of(place.one.measured)


def _seconds(value_s: float | None) -> float | None:
    return None if value_s is None else round(value_s, 3)


COLUMNS: dict[str, tuple[type, Callable[[_Place], Cell]]] = {
    "session": (int, lambda place: place.stored.id),
    "trained_at": (datetime, lambda place: place.stored.trained_at),
    "recording": (str, lambda place: place.stored.source),
    "set": (int, lambda place: place.set_number),
    "repetition": (int, lambda place: place.number),
    "pattern": (str, lambda place: place.one.pattern.value),
    "measured_pattern": (str, lambda place: None if place.one.measured is None else place.one.measured.pattern.value),
    "confidence": (float, _figure(lambda measured: round(measured.confidence, 3))),
    "added": (bool, lambda place: place.one.added),
    "exercise": (str, lambda place: place.one_set.exercise_of(place.one)),
    "load_kg": (float, lambda place: place.one_set.load_kg_of(place.one)),
    "note": (str, lambda place: place.one.note),
    "set_note": (str, lambda place: place.one_set.note),
    "start_s": (float, lambda place: _seconds(place.one.start_s)),
    "bottom_s": (float, _figure(lambda measured: round(measured.bottom_s, 3))),
    "end_s": (float, lambda place: _seconds(place.one.end_s)),
    **{name: (float, _figure(figure_of)) for name, figure_of in FIGURES.items()},
    "hip_drop_from": (str, _figure(hip_drop_from)),
}
"""Name -> type and how a cell is made. The table above says what each means; a test holds the two together."""


def rows(sessions: Iterable[StoredSession]) -> Iterator[tuple[Cell, ...]]:
    """Give a row for each repetition that counts, with a cell for each of `COLUMNS`."""
    for stored in sessions:
        for set_number, one_set in enumerate(stored.corrected.sets, 1):
            for number, one in enumerate(one_set.repetitions, 1):
                place = _Place(stored, set_number, one_set, number, one)
                yield tuple(cell_of(place) for _, cell_of in COLUMNS.values())
