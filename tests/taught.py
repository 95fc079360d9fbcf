"""Simulated lifters who train session after session and put right what was wrong: for the test and the benchmark."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from imu.evaluation.counters import counted_sets
from imu.evaluation.data_sets import truth_of_session
from imu.evaluation.set_scores import score_session
from imu.motion.judge import JudgeParameters
from imu.motion.pattern import Pattern
from imu.motion.personal import PersonalShift
from imu.session import Session, SessionParameters, SessionSummary
from imu.store import AddRepetition, ChangePattern, Correction, DeleteRepetition
from imu.virtual.person import VARIANTS, Exercise, Lifter, Sensor, SimulatedSession, random_session, simulate

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

    @property
    def total(self) -> int:
        """All of them."""
        return self.patterns + self.missed + self.ghosts


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
    score = score_session(counted_sets(summary), truth_of_session(simulation.truth))
    patterns = sum(one.counted.pattern != one.truth.pattern for one in score.matches)
    return Wrong(len(score.matches) + len(score.missed), patterns, len(score.missed), len(score.false))


def corrections(summary: SessionSummary, simulation: SimulatedSession) -> list[Correction]:
    """Return what a person who knows the truth would put right."""
    counted = [one for one_set in summary.sets for one in one_set.repetitions]
    score = score_session(counted_sets(summary), truth_of_session(simulation.truth))
    true = {one.counted.start_s: str(one.truth.pattern) for one in score.matches}
    made: list[Correction] = []
    for one in counted:
        if one.start_s not in true:
            made.append(DeleteRepetition(one.bottom_s))
        elif one.pattern != true[one.start_s]:
            made.append(ChangePattern(one.bottom_s, Pattern(true[one.start_s])))
    made += [AddRepetition(one.start_s, one.end_s, Pattern(str(one.pattern))) for one in score.missed]
    return made
