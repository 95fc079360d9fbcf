"""What learning from corrections is worth: to the same person in sessions to come, and what it does to others.

Simulated lifters whom no fit has seen train session after session with exercises and habits of their own, and put
right whatever was counted or told wrongly. Each session is judged with what was learnt from those before it, and
without; and, as if people shared one folder, with what was learnt from the lifter before.

Run: ``python tests/benchmarks/learning.py [--lifters 40] [--sessions 6]``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from imu.app.counted import counted_sets
from imu.app.session_scores import score_session
from imu.motion.pattern import Pattern
from imu.motion.personal import PersonalShift
from imu.motion.repetitions import JudgeParameters
from imu.session import Session, SessionParameters, SessionSummary
from imu.simulate import Exercise, Lifter, Sensor, SimulatedSession, random_session, simulate
from imu.simulate.variants import VARIANTS
from imu.store import AddRepetition, ChangePattern, Correction, DeleteRepetition, apply_corrections
from imu.store.learning import Learning, learn, lesson_of

FIRST_SEED = 50_000
"""Far from the seeds that the weights are fitted to."""
EXERCISES = 4
"""So many exercises a lifter does."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Mistakes in one session: repetitions with a wrong or no pattern, missed ones, and ghosts."""

    repetitions: int
    patterns: int
    missed: int
    ghosts: int


def sessions_of(lifter: int, sessions: int, *, leaning: bool) -> list[SimulatedSession]:
    """Return the sessions of one lifter: the same few exercises in all of them, each time another sensor."""
    rng = np.random.default_rng([FIRST_SEED, lifter])
    person, names = Lifter.random(rng), list(rng.choice(list(VARIANTS), EXERCISES, replace=False))
    if leaning:
        person = replace(person, lean=float(rng.uniform(0.8, 1.0)), depth=float(rng.uniform(0.0, 0.3)))
        names[0] = "careful_squat"
    made = []
    for number in range(sessions):
        seed = FIRST_SEED + 100 * lifter + number
        plan, _, _ = random_session(seed)
        own = [replace(one, name=str(rng.choice(names))) if isinstance(one, Exercise) else one for one in plan]
        made.append(simulate(own, person, Sensor.random(rng), seed))
    return made


def judged(simulation: SimulatedSession, shift: PersonalShift) -> SessionSummary:
    """Return what is counted in a session with a shift."""
    session = Session(SessionParameters(judge=JudgeParameters(personal=shift)))
    session.push(simulation.block)
    return session.finish()[1]


def mistakes(summary: SessionSummary, simulation: SimulatedSession) -> Wrong:
    """Return how wrong a session was judged."""
    score = score_session(counted_sets(summary), simulation.truth)
    patterns = sum(one.counted.pattern != one.truth.pattern for one in score.matches)
    return Wrong(len(score.matches) + len(score.missed), patterns, len(score.missed), len(score.false))


def corrections(summary: SessionSummary, simulation: SimulatedSession) -> list[Correction]:
    """Return what a person who knows the truth would put right."""
    counted = [one for one_set in summary.sets for one in one_set.repetitions]
    score = score_session(counted_sets(summary), simulation.truth)
    true = {one.counted.start_s: str(one.truth.pattern) for one in score.matches}
    made: list[Correction] = []
    for one in counted:
        if one.start_s not in true:
            made.append(DeleteRepetition(one.bottom_s))
        elif one.pattern != true[one.start_s]:
            made.append(ChangePattern(one.bottom_s, Pattern(true[one.start_s])))
    made += [AddRepetition(one.start_s, one.end_s, Pattern(str(one.pattern))) for one in score.missed]
    return made


def career(
    lifter: int, sessions: int, leaning: bool, foreign: PersonalShift
) -> tuple[list[tuple[Wrong, Wrong, Wrong]], Learning]:
    """Return for each session the mistakes without learning, with it, and with another's shift; and what was learnt."""
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
        if made := corrections(own, simulation):
            lessons.append(lesson_of(apply_corrections(own, made)))
    return found, learn(lessons)


def _told(name: str, wrong: Iterable[Wrong]) -> str:
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
        shifts = [learnt.shift for _, learnt in own]
        foreign = list(pool.map(career, lifters, every, leaning, shifts[-1:] + shifts[:-1]))
    for lifter, (found, learnt) in enumerate(own):
        before, after = (sum(one[i].patterns + one[i].missed + one[i].ghosts for one in found) for i in (0, 1))
        print(
            f"lifter {lifter:2d}: {before:3d} -> {after:3d} mistakes; shifts of counting {learnt.counting.shift:+.2f}, "
            f"hinge {learnt.hinge.shift:+.2f}"
        )
    later = [wrong for found, _ in own for wrong in found[1:]]
    print(_told("without learning", (plain for plain, _, _ in later)))
    print(_told("with what the person taught before", (taught for _, taught, _ in later)))
    strangers = [wrong for found, _ in foreign for wrong in found[1:]]
    print(_told("with what another person taught", (strange for _, _, strange in strangers)))


if __name__ == "__main__":
    main()
