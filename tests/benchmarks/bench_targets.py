"""Signals against targets, on simulated sessions whose depth, angle, tempo and fatigue are known.

Run: ``python tests/benchmarks/bench_targets.py [SESSIONS] [SEED]`` (40 sessions take a minute); it prints the tables of
tests/targets.md. Each session is another person with another sensor: two sets of squats and one of hinges, in which the
person tires. Targets are drawn around what the person does. A target is met or missed by the truth, by more than the
error of the measurement; the signal of the program is right if it says the same. The rest is looked at when the person
has stood still for 2 s.

The true stop is the first repetition whose true mean velocity of the hip is 20 % below the fastest before. Where a set
ends before that, its stop is one repetition after its end. A set is decidable if its true stop moves by one repetition
at most when the limit moves by the error of a measured loss. Beside the program stands what velocities with a known
random error give, drawn from the same true ones.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from imu.bluetooth import LinkState
from imu.live.live_training import LiveTraining
from imu.live.live_view import Link
from imu.live.set_view import Phase
from imu.live.signals import (
    ANGLE_ERROR_RAD,
    DROP_ERROR_M,
    SPEED_ERROR,
    TIME_ERROR_S,
    SignalKind,
    repetition_signals,
)
from imu.live.targets import Targets, Tempo
from imu.motion.repetitions import Repetition
from imu.samples import Array
from imu.session import Session
from imu.virtual.person import (
    Exercise,
    Lifter,
    Manner,
    PlanItem,
    RepetitionTruth,
    Rest,
    Sensor,
    SetTruth,
    SimulatedSession,
    simulate,
)

FIRST_SEED = 40_000
STOP_LOSS, LOSS_ERROR = 0.2, 0.04
"""A loss of 20 %, and the error of a measured one: two velocities err by 3.6 % each (RMSE within a set)."""
OTHER_ERRORS, DRAWS = (0.01, 0.02, 0.036, 0.05), 20
"""Random errors of a velocity that the program's stops are compared with, and how often each is drawn for a set."""
ROWS = 10
"""Rows of a block: 0.1 s."""
STANDING_S, STILL_RAD = 2.0, float(np.radians(3))
BANDS = ((1.0, 2.0), (2.0, 3.0), (3.0, 99.0))
"""By how many errors a target is met or missed."""


@dataclass
class Score:
    """The outcome of all sessions."""

    judged: dict[tuple[str, str, int], Counter[bool]] = field(default_factory=lambda: defaultdict(Counter))
    """By target, met or missed, and band: whether the signal was right."""
    red_on_target: dict[str, Counter[bool]] = field(default_factory=lambda: defaultdict(Counter))
    """By target: whether a repetition that meets it is called bad."""
    stops: list[tuple[int, bool]] = field(default_factory=list)
    """Of each set: by how many repetitions the stop comes late, and whether the set is decidable."""
    stops_with_error: dict[float, Counter[bool]] = field(default_factory=lambda: defaultdict(Counter))
    """By the random error of a velocity: whether the stop comes within one repetition of the true one."""
    speed_errors: list[float] = field(default_factory=list)
    """Logarithms of measured over true velocities, less their mean in the set."""
    rest_error_s: list[float] = field(default_factory=list)
    rest_shown: Counter[bool] = field(default_factory=Counter)


def session_of(seed: int) -> SimulatedSession:
    """Simulate three sets of a person who tires."""
    rng = np.random.default_rng(seed)
    lifter, sensor = Lifter.random(rng), Sensor.random(rng)

    def tiring() -> Manner:
        pause_s = float(rng.uniform(0.6, 1.2))  # with a shorter one it is not defined when the way down begins
        return Manner(
            residual_lean_rad=float(rng.uniform(0, 0.25)),
            top_pause_s=(0.55, pause_s),
            slowing=float(rng.choice([0.0, rng.uniform(0.2, 0.9)])),
            shallowing=float(rng.choice([0.0, rng.uniform(0.0, 0.3)])),
        )

    def squats() -> Exercise:
        return Exercise(
            str(rng.choice(["air_squat", "upright_squat"])),
            int(rng.integers(5, 11)),
            hip_drop_m=float(rng.uniform(0.25, 0.55)),
            eccentric_s=float(rng.uniform(0.9, 3.5)),
            concentric_s=float(rng.uniform(0.8, 1.4)),
            manner=tiring(),
        )

    hinges = Exercise("romanian_deadlift", 6, eccentric_s=float(rng.uniform(1.2, 3.0)), manner=tiring())
    plan: list[PlanItem] = [Rest(4), squats(), Rest(20), squats(), Rest(20), hinges, Rest(20)]
    return simulate(plan, lifter, sensor, seed)


def matched(measured: tuple[Repetition, ...], true: SetTruth) -> Iterator[tuple[Repetition, RepetitionTruth]]:
    """Give each repetition with its truth; one that was not counted is left out."""
    for truth in true.reps:
        one = next((one for one in measured if truth.start_s < one.bottom_s < truth.end_s), None)
        if one is not None:
            yield one, truth


def score_session(seed: int, score: Score) -> None:
    """Train once, and add what came of it."""
    simulated, rng = session_of(seed), np.random.default_rng([seed, 1])
    counted = watch(simulated, score)
    for true in simulated.truth.sets:
        pairs = list(matched(counted, true))
        if not pairs:
            continue
        depth_m = float(np.median([truth.hip_drop_m for _, truth in pairs]))
        angle_rad = float(np.median([truth.trunk_angle_rad for _, truth in pairs]))
        down_s = float(np.median([truth.eccentric_s for _, truth in pairs]))
        for one, truth in pairs:
            if true.pattern == "squat":
                target_m = float(np.clip(depth_m + rng.uniform(-5, 5) * DROP_ERROR_M, 0.05, 1.0))
                judge(score, "depth", one, Targets(depth_m=target_m), (truth.hip_drop_m - target_m) / DROP_ERROR_M)
                faster, slower = 1 + rng.uniform(-4, 5, 2) * SPEED_ERROR
                speed_m_s = truth.hip_mean_concentric_velocity_m_s
                zone = Targets(velocity_m_s=(min(speed_m_s / faster, 2.9), 3.0))
                judge(score, "not too slow up", one, zone, (faster - 1) / SPEED_ERROR)
                zone = Targets(velocity_m_s=(0.01, speed_m_s * slower))
                judge(score, "not too fast up", one, zone, (slower - 1) / SPEED_ERROR)
            else:
                target_rad = float(np.clip(angle_rad + rng.uniform(-5, 5) * ANGLE_ERROR_RAD, 0.1, 2.0))
                margin = (truth.trunk_angle_rad - target_rad) / ANGLE_ERROR_RAD
                judge(score, "angle", one, Targets(trunk_angle_rad=target_rad), margin)
            target_s = float(max(0.3, down_s + rng.uniform(-5, 5) * TIME_ERROR_S))
            margin = (truth.eccentric_s - target_s) / TIME_ERROR_S
            judge(score, "tempo down", one, Targets(tempo=Tempo(target_s)), margin)
        if true.pattern == "squat" and len(pairs) == len(true.reps):
            score_stop(score, pairs, seed)


def judge(score: Score, name: str, one: Repetition, targets: Targets, margin: float) -> None:
    """Compare a signal with the truth, which meets the target by `margin` errors."""
    is_bad = repetition_signals(targets, [one])[0] is not SignalKind.GOOD
    if margin >= 0:
        score.red_on_target[name][is_bad] += 1
    for band, (low, high) in enumerate(BANDS):
        if low <= abs(margin) < high:
            score.judged[name, "met" if margin > 0 else "missed", band][is_bad == (margin < 0)] += 1


def score_stop(score: Score, pairs: list[tuple[Repetition, RepetitionTruth]], seed: int) -> None:
    """Compare where the program stops a set with where it should be stopped."""
    targets, done = Targets(stop_loss=STOP_LOSS), [one for one, _ in pairs]
    speeds = np.array([truth.hip_mean_concentric_velocity_m_s for _, truth in pairs])
    true_stop = stop_of(speeds)
    stops = (i for i in range(len(done)) if SignalKind.STOP in repetition_signals(targets, done[: i + 1]))
    moved = [abs(stop_of(speeds, STOP_LOSS + error) - true_stop) for error in (-LOSS_ERROR, LOSS_ERROR)]
    score.stops.append((next(stops, len(done)) - true_stop, max(moved) <= 1))
    errors = np.log([one.mean_concentric_velocity_m_s for one in done]) - np.log(speeds)
    score.speed_errors += list(errors - errors.mean())
    rng = np.random.default_rng([seed, 2])
    for error in OTHER_ERRORS:
        for drawn in np.exp(error * rng.standard_normal((DRAWS, len(speeds)))):
            score.stops_with_error[error][abs(stop_of(speeds * drawn) - true_stop) <= 1] += 1


def stop_of(speeds: Array, loss: float = STOP_LOSS) -> int:
    """Return the first repetition that is slower than the fastest before it by a share, or the number of them."""
    slow = (i for i in range(1, len(speeds)) if speeds[i] <= (1 - loss) * max(speeds[:i]))
    return next(slow, len(speeds))


def watch(simulated: SimulatedSession, score: Score) -> tuple[Repetition, ...]:
    """Let the live view follow the session; measure its rest clock; return the repetitions."""
    session, live, block = Session(check_units=False), LiveTraining(), simulated.block
    live.take(Link(LinkState.CONNECTED, "virtual", 1, -60.0))
    ends_s = [one.reps[-1].end_s for one in simulated.truth.sets]
    waiting = [(end_s, still_since_s(simulated, end_s)) for end_s in ends_s]
    for start in range(0, len(block), ROWS):
        events = session.push(block[start : start + ROWS])
        live.tick(session.now_s, session.now_s, session.posture)
        for event in events:
            live.take(event)
        if waiting and session.now_s >= waiting[0][1] + STANDING_S:
            view = live.view()
            score.rest_shown[view.phase is Phase.REST] += 1
            if view.phase is Phase.REST and view.rest_s is not None:
                score.rest_error_s.append(view.rest_s - (session.now_s - waiting[0][0]))
            waiting.pop(0)
    summary = session.finish()[1]
    return tuple(one for done in summary.sets for one in done.repetitions)


def still_since_s(simulated: SimulatedSession, end_s: float) -> float:
    """Return from when on, after the end of a set, the pelvis keeps its tilt within 3° for 2 s."""
    signals = simulated.truth_signals
    after = signals.time_s >= end_s
    time_s, pitch = signals.time_s[after], signals.pelvis_pitch_rad[after]
    steps = int(np.searchsorted(time_s, time_s[0] + STANDING_S))
    for start in range(0, len(time_s) - steps, 5):
        if np.ptp(pitch[start : start + steps]) < STILL_RAD:
            return float(time_s[start])
    return float(time_s[-1])


def share(counts: Counter[bool], of: bool = True) -> str:
    """Return a share in percent and its number."""
    total = counts[True] + counts[False]
    return f"{100 * counts[of] / total:.1f} % of {total}" if total else "-"


def share_of(are: Array) -> str:
    """Return in percent how many are."""
    return f"{100 * np.mean(are):.1f} %"


def main() -> None:
    """Print the tables."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    score = Score()
    first = int(sys.argv[2]) if len(sys.argv) > 2 else FIRST_SEED
    for seed in range(first, first + sessions):
        score_session(seed, score)
    errors_in_words = f"{100 * DROP_ERROR_M:.1f} cm, {np.degrees(ANGLE_ERROR_RAD):.1f}°, {TIME_ERROR_S} s"
    print(f"{sessions} sessions; errors: {errors_in_words}, {100 * SPEED_ERROR:.0f} % of a speed\n")
    print("| target | the truth | by 1-2 errors | 2-3 | more | all beyond 1 |")
    print("|---|---|---|---|---|---|")
    for name in ("depth", "angle", "tempo down", "not too slow up", "not too fast up"):
        for truth in ("met", "missed"):
            bands = [score.judged[name, truth, band] for band in range(len(BANDS))]
            cells = [share(one) for one in (*bands, sum(bands, Counter()))]
            print(f"| {name} | {truth} | {' | '.join(cells)} |")
    print("\nOf repetitions that meet their target, by however little, called bad:")
    print(", ".join(f"{name} {share(counts)}" for name, counts in score.red_on_target.items()))
    late, decidable = (np.array(column) for column in zip(*score.stops, strict=True))
    near = np.abs(late) <= 1
    print(
        f"\nStops at {100 * STOP_LOSS:.0f} % velocity loss in {len(late)} sets: at the true one {share_of(late == 0)}, "
    )
    print(f"within one repetition of it {share_of(near)} ({sum(late < -1)} earlier, {sum(late > 1)} later).")
    print(
        f"Decidable are {share_of(decidable)} of the sets; of these within one repetition {share_of(near[decidable])}."
    )
    print(f"Within a set the mean velocity errs by {100 * np.std(score.speed_errors):.1f} % (RMSE).")
    others = (f"{share(counts)} with {100 * error:.1f} %" for error, counts in score.stops_with_error.items())
    print(f"Velocities with random errors would stop within one repetition in {', '.join(others)}.")
    errors = np.array(score.rest_error_s)
    print(
        f"\nRest shown after 2 s of standing still: {share(score.rest_shown)}; error of the rest clock: "
        f"median {np.median(errors):+.2f} s, within 0.5 s in {100 * np.mean(np.abs(errors) <= 0.5):.1f} %"
    )


if __name__ == "__main__":
    main()
