"""Totals of many sessions, by SQL over the corrected sessions."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imu.motion.pattern import Pattern
from imu.store.database import from_text, to_text


@dataclass(frozen=True, slots=True)
class SessionOverview:
    """One line of the list of sessions.

    Attributes
    ----------
    id : int
        Number of the session; never given to another one, even once it is deleted.
    saved_at, trained_at : datetime
        When it was first saved; when it was recorded, or `saved_at` if that is not known. UTC.
    source : str
        Path of the recording when it was last saved.
    duration_s : float
        From the first to the last sample.
    sets, squats, hinges, uncertain : int
        Sets, and their repetitions by pattern, as corrected.
    corrections : int
        Number of corrections that were not undone.
    volume_kg : float or None
        Sum of the loads of all repetitions; ``None`` if none has a load.
    exercises : tuple of str
        Names of the exercises, in the order of time.
    """

    id: int
    saved_at: datetime
    trained_at: datetime
    source: str
    duration_s: float
    sets: int
    squats: int
    hinges: int
    uncertain: int
    corrections: int
    volume_kg: float | None = None
    exercises: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Balance:
    """Squats against hinges over the last days.

    Attributes
    ----------
    days : int
        Length of the period in days of 24 hours.
    squats, hinges : int
        Repetitions in sets, as corrected; uncertain ones count for neither.
    """

    days: int
    squats: int
    hinges: int


@dataclass(frozen=True, slots=True)
class PatternTotals:
    """One session's share of one pattern, as corrected.

    Attributes
    ----------
    session_id : int
        Number of the session.
    trained_at : datetime
        When it was recorded, or first saved if that is not known. UTC.
    recorded_at_known : bool
        Whether the recording says when it was made.
    duration_s : float
        Of the session.
    pattern : Pattern
        Squat, hinge or uncertain.
    sets : int
        Sets of this pattern; a mixed set counts for neither pattern.
    repetitions : int
        Repetitions of this pattern in all sets.
    measured : int
        Number of these repetitions that have figures.
    trunk_angle_sum_rad, hip_drop_sum_m : float
        Sums over the measured repetitions.
    with_speed : int
        Number of measured repetitions with a drop that is large enough for a meaningful speed.
    speed_sum_m_s : float
        Sum of their mean concentric velocities.
    volume_kg : float or None
        Sum of the loads of all repetitions; ``None`` if none has a load.
    """

    session_id: int
    trained_at: datetime
    recorded_at_known: bool
    duration_s: float
    pattern: Pattern
    sets: int
    repetitions: int
    measured: int
    trunk_angle_sum_rad: float
    hip_drop_sum_m: float
    with_speed: int
    speed_sum_m_s: float
    volume_kg: float | None = None


@dataclass(frozen=True, slots=True)
class ExerciseSet:
    """The repetitions of one set with the same exercise and load, as they count.

    Attributes
    ----------
    session_id, set_number : int
        Which set.
    trained_at : datetime
        When the session was recorded, or first saved if that is not known. UTC.
    exercise : str
        Its name as the person writes it; empty for a set without one.
    load_kg : float or None
        The load; ``None`` if none was planned or entered.
    load_in_lb : bool
        Whether the person writes it in pounds.
    repetitions, squats, hinges : int
        Repetitions, and how many of them have each pattern.
    best_speed_m_s : float or None
        The fastest mean concentric velocity of a repetition; ``None`` if none sinks far enough for a speed.
    """

    session_id: int
    set_number: int
    trained_at: datetime
    exercise: str
    load_kg: float | None
    load_in_lb: bool
    repetitions: int
    squats: int
    hinges: int
    best_speed_m_s: float | None


def exercise_sets(connection: sqlite3.Connection, least_drop_for_speed_m: float) -> tuple[ExerciseSet, ...]:
    """Return all sets in the order of time."""
    rows = connection.execute(
        """
        SELECT session_id, set_number, trained_at, coalesce(exercise, ''), load_kg, max(load_in_lb), count(*),
               count(*) FILTER (WHERE pattern = 'squat'), count(*) FILTER (WHERE pattern = 'hinge'),
               max(mean_concentric_velocity_m_s) FILTER (WHERE hip_drop_m >= ?)
        FROM counted_repetition JOIN session ON session.id = session_id
        GROUP BY session_id, set_number, exercise, load_kg
        ORDER BY trained_at, session_id, set_number, min(counted_repetition.number)
        """,
        (least_drop_for_speed_m,),
    )
    return tuple(
        ExerciseSet(session_id, number, from_text(trained_at), exercise, load_kg, bool(in_lb), *rest)
        for session_id, number, trained_at, exercise, load_kg, in_lb, *rest in rows
    )


def mostly_in_lb(connection: sqlite3.Connection) -> bool | None:
    """Return whether the loads of most sets are written in pounds, ``None`` without a load.

    Of as many of both, the first decides.
    """
    units = connection.execute(
        """
        SELECT max(load_in_lb) FROM corrected_repetition JOIN session ON session.id = session_id
        WHERE load_kg IS NOT NULL GROUP BY session_id, set_number, load_kg ORDER BY trained_at, session_id, set_number
        """
    ).fetchall()
    in_lb = [bool(one) for (one,) in units]
    if not in_lb:
        return None
    return in_lb[0] if 2 * sum(in_lb) == len(in_lb) else 2 * sum(in_lb) > len(in_lb)


def overviews(connection: sqlite3.Connection) -> tuple[SessionOverview, ...]:
    """Return one line for each session, the last trained one first."""
    rows = connection.execute(
        """
        WITH sets AS (
            SELECT session_id, count(*) AS sets, group_concat(exercise, char(10)) AS exercises
            FROM (SELECT * FROM counted_set ORDER BY session_id, number) GROUP BY session_id
        ), repetitions AS (
            SELECT session_id,
                   count(*) FILTER (WHERE pattern = 'squat') AS squats,
                   count(*) FILTER (WHERE pattern = 'hinge') AS hinges,
                   count(*) FILTER (WHERE pattern = 'uncertain') AS uncertain, sum(load_kg) AS volume_kg
            FROM counted_repetition GROUP BY session_id
        )
        SELECT id, saved_at, trained_at, source, duration_s,
               coalesce(sets, 0), coalesce(squats, 0), coalesce(hinges, 0), coalesce(uncertain, 0),
               (SELECT count(*) FROM correction WHERE correction.session_id = session.id AND undone = 0),
               volume_kg, exercises
        FROM session
        LEFT JOIN sets ON sets.session_id = session.id
        LEFT JOIN repetitions ON repetitions.session_id = session.id
        ORDER BY trained_at DESC, id DESC
        """
    )
    return tuple(
        SessionOverview(session_id, from_text(saved_at), from_text(trained_at), *rest)
        for session_id, saved_at, trained_at, *rest in ((*row[:-1], _names(row[-1])) for row in rows)
    )


def _names(joined: str | None) -> tuple[str, ...]:
    """Return each name once."""
    return tuple(dict.fromkeys((joined or "").split("\n"))) if joined else ()


def balance(connection: sqlite3.Connection, days: int, now: datetime) -> Balance:
    """Return how many squats and hinges were done in the `days` times 24 hours before `now`."""
    return Balance(days, *counted_between(connection, now.astimezone(UTC) - timedelta(days=days), now))


def counted_between(connection: sqlite3.Connection, since: datetime, until: datetime) -> tuple[int, int]:
    """Return how many squats and hinges were done in sessions trained after `since`, up to and with `until`."""
    squats, hinges = connection.execute(
        """
        SELECT count(*) FILTER (WHERE pattern = 'squat'), count(*) FILTER (WHERE pattern = 'hinge')
        FROM counted_repetition
        WHERE session_id IN (SELECT id FROM session WHERE trained_at > ? AND trained_at <= ?)
        """,
        (to_text(since), to_text(until)),
    ).fetchone()
    return squats, hinges


def days_since_trained(connection: sqlite3.Connection, now: datetime) -> dict[Pattern, int | None]:
    """Return for squat and hinge the calendar days since the last repetition in a set, ``None`` without one."""
    days: dict[Pattern, int | None] = {Pattern.SQUAT: None, Pattern.HINGE: None}
    for pattern in days:
        row = connection.execute(
            """
            SELECT trained_at FROM session
            WHERE trained_at <= ? AND EXISTS (
                SELECT * FROM counted_repetition WHERE session_id = session.id AND pattern = ?)
            ORDER BY trained_at DESC LIMIT 1
            """,
            (to_text(now), pattern),
        ).fetchone()
        if row is not None:
            days[pattern] = (now.date() - from_text(row[0]).astimezone(now.tzinfo).date()).days
    return days


def pattern_totals(
    connection: sqlite3.Connection, until: datetime, least_drop_for_speed_m: float
) -> tuple[PatternTotals, ...]:
    """Return each session's share of each pattern until a moment, in the order of time."""
    rows = connection.execute(
        """
        WITH sets AS (
            SELECT session_id, pattern, count(*) AS sets FROM counted_set GROUP BY session_id, pattern
        ), repetitions AS (
            SELECT session_id, pattern, count(*) AS repetitions, count(trunk_angle_rad) AS measured,
                   total(trunk_angle_rad) AS angle, total(hip_drop_m) AS hip_drop,
                   count(*) FILTER (WHERE hip_drop_m >= :least_drop_m) AS with_speed,
                   total(mean_concentric_velocity_m_s) FILTER (WHERE hip_drop_m >= :least_drop_m) AS speed,
                   sum(load_kg) AS volume_kg
            FROM counted_repetition GROUP BY session_id, pattern
        )
        SELECT id, trained_at, started_at IS NOT NULL, duration_s, repetitions.pattern, coalesce(sets, 0),
               repetitions, measured, angle, hip_drop, with_speed, speed, volume_kg
        FROM repetitions
        JOIN session ON session.id = repetitions.session_id
        LEFT JOIN sets ON sets.session_id = repetitions.session_id AND sets.pattern = repetitions.pattern
        WHERE trained_at <= :until
        ORDER BY trained_at, id, repetitions.pattern
        """,
        {"until": to_text(until), "least_drop_m": least_drop_for_speed_m},
    )
    return tuple(
        PatternTotals(session_id, from_text(trained_at), bool(known), duration_s, Pattern(pattern), *rest)
        for session_id, trained_at, known, duration_s, pattern, *rest in rows
    )
