"""How fast many sessions are added up: 1,000 sessions, against reading their rows of the store with plain SQL.

``python tests/benchmarks/bench_trends.py [SESSIONS]``: for the list, trends, exercises, a comparison and a report, the
processor time, and its ratio to the time in which SQLite alone reads the counted repetitions.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from builders import USUAL, content_hash

from imu.report.exercises import exercise_histories, sessions_in_words, stored_sets
from imu.report.html_report import Selection, html_report
from imu.report.trends import Period, compare, sides, stored_totals, trends
from imu.store import PlannedSet, SessionStore

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def measured(work: Callable[[], object]) -> float:
    """Return the processor time of the quickest of three runs."""
    times = []
    for _ in range(3):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def main(sessions: int) -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as folder, SessionStore.open(Path(folder) / "sessions.db") as store:
        store._connection.execute("PRAGMA synchronous = OFF")
        for number in range(sessions):
            day = NOW - timedelta(days=number)
            planned = [PlannedSet(1.0, "back squat", 60.0 + number % 50), PlannedSet(100.5, "deadlift", 100.0)]
            store.save(
                *(USUAL, "x", content_hash(number)),
                **{"saved_at": day, "started_at": day, "software_version": "1", "planned": planned},
            )
        plain = sqlite3.connect(Path(folder) / "sessions.db")
        base_s = measured(lambda: plain.execute("SELECT * FROM counted_repetition").fetchall())
        plain.close()
        works = {
            "list of sessions": lambda: (store.list(), sessions_in_words(stored_sets(store), in_lb=False)),
            "trends": lambda: trends(stored_totals(store, NOW), Period.WEEK, UTC, NOW.date()),
            "exercises": lambda: exercise_histories(store),
            "comparison": lambda: compare(*sides(store, "4-weeks-before", "4-weeks", NOW), in_lb=False),
            "report of all": lambda: html_report(store, Selection(), NOW),
        }
        print(f"{sessions} sessions; SQLite alone reads the repetitions in {1e3 * base_s:.0f} ms")
        for name, work in works.items():
            taken_s = measured(work)
            print(f"{name:20} {1e3 * taken_s:7.0f} ms {taken_s / base_s:6.1f} times")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
