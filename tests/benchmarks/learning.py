"""The gain by learning from corrections: for the same person in later sessions, and the effect on other people.

Simulated lifters whom no fit has seen train session after session with exercises and habits of their own, and put
right whatever was counted or named wrongly. Each session is judged with what was learned from those before it, and
without; and, as if people shared one folder, with what was learned from the lifter before.

Run: ``python tests/benchmarks/learning.py [--lifters 40] [--sessions 6]``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from builders import Mistakes, corrections_of, judged, mistakes, sessions_of

from imu.motion.personal import PersonalShift
from imu.store import apply_corrections
from imu.store.learning import Learning, learn, lesson_of


def career(
    lifter: int, sessions: int, leaning: bool, foreign: PersonalShift
) -> tuple[list[tuple[Mistakes, Mistakes, Mistakes]], Learning]:
    """Return each session's mistakes without learning, with it, and with another's shift; and the learned shifts."""
    lessons, found = [], []
    for simulation in sessions_of(lifter, sessions, leaning=leaning):
        plain = judged(simulation, PersonalShift())
        own = judged(simulation, learn(lessons).shift)
        found.append(
            (
                mistakes(plain, simulation),
                mistakes(own, simulation),
                mistakes(judged(simulation, foreign), simulation) if foreign else mistakes(plain, simulation),
            )
        )
        if made := corrections_of(own, simulation):
            lessons.append(lesson_of(apply_corrections(own, made)))
    return found, learn(lessons)


def _sentence(name: str, wrong: Iterable[Mistakes]) -> str:
    all_of_them = list(wrong)
    total = sum(one.repetitions for one in all_of_them)
    figures = (sum(getattr(one, what) for one in all_of_them) for what in ("patterns", "missed", "ghosts"))
    return f"{name:34} {total:6d} repetitions: wrong pattern {{}}, missed {{}}, ghosts {{}}".format(*figures)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lifters", type=int, default=40)
    parser.add_argument("--sessions", type=int, default=6)
    parser.add_argument("--leaning", action="store_true", help="only lifters who squat shallow and lean")
    arguments = parser.parse_args()
    lifters = range(arguments.lifters)
    with ProcessPoolExecutor() as pool:
        every = [arguments.sessions] * len(lifters)
        leaning = [arguments.leaning] * len(lifters)
        own = list(pool.map(career, lifters, every, leaning, [PersonalShift()] * len(lifters)))
        shifts = [learned.shift for _, learned in own]
        foreign = list(pool.map(career, lifters, every, leaning, shifts[-1:] + shifts[:-1]))
    for lifter, (found, learned) in enumerate(own):
        before, after = (sum(one[i].total for one in found) for i in (0, 1))
        print(
            f"lifter {lifter:2d}: {before:3d} -> {after:3d} mistakes; shifts of counting "
            f"{learned.counting.shift:+.2f}, hinge {learned.hinge.shift:+.2f}"
        )
    later = [wrong for found, _ in own for wrong in found[1:]]
    print(_sentence("without learning", (plain for plain, _, _ in later)))
    print(_sentence("with what the person taught before", (taught for _, taught, _ in later)))
    strangers = [wrong for found, _ in foreign for wrong in found[1:]]
    print(_sentence("with what another person taught", (strange for _, _, strange in strangers)))


if __name__ == "__main__":
    main()
