"""From even samples to figures: which way is up, how far the hip sank and how sure that is, squat or hinge."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from builders import simulated
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from imu.motion.evidence import EVIDENCE, evidence
from imu.motion.fitted import shipped_weights
from imu.motion.form import Candidate, MovementFigures
from imu.motion.height import GRAVITY_SD_M_S2, OFFSET_SD_M_S2, SCALE_SD, WANDER_SD_M_S2, Standing, VerticalEstimator
from imu.motion.judge import Decision, stood_at
from imu.motion.pattern import LEAST_CONFIDENCE, Pattern, PatternWeights, classify_pattern
from imu.motion.repetitions import Repetition
from imu.motion.resampling import EvenBlock, Resampler
from imu.motion.signals import STEP_S, MotionSignals, SignalBuilder, chord, run_lengths
from imu.motion.standing import RestingPostures, StandingPostures
from imu.motion.tracker import SURE_LOG_ODDS, MotionTracker
from imu.motion.wearing import Lean, SagittalPlane
from imu.report.curves import _angle as curve_of
from imu.samples import STANDARD_GRAVITY_M_S2, Array, Gap, ImuBlock
from imu.session import RepetitionCounted, Session
from imu.virtual.person import Daily, Exercise, Lifter, Manner, Rest, Sensor, SimulatedSession, random_session
from imu.virtual.person.worn_sensor import PLACES, Place

COUNTING, PATTERN = shipped_weights().counting, shipped_weights().pattern
ALL_PLACES: list[Place] = list(PLACES)
MEASURED = ["air_squat", "half_squat", "romanian_deadlift", "kettlebell_swing", "hip_hinge_drill", "tempo_hinge"]


@cache
def training(exercise: str, place: Place = "back", seed: int = 1, repetitions: int = 4) -> SimulatedSession:
    """Return one set by an ideal sensor, with quiet standing before and after."""
    return simulated([Rest(3), Exercise(exercise, repetitions), Rest(3)], Lifter(), Sensor.ideal(place), seed)


def candidates_in(block: ImuBlock) -> list[Candidate]:
    """Return the candidates that are likely; the tracker is given that each of them counts."""
    tracker, found = MotionTracker(shipped_weights().network), []
    for item in (*tracker.push(block), *tracker.finish()):
        candidate = None if isinstance(item.item, Gap) else item.item
        if candidate is not None and not candidate.moved_only and candidate.ending.log_odds > SURE_LOG_ODDS:
            figures = candidate.measure(SagittalPlane())
            tracker.explain(*(float(figures.time_s[step]) for step in (figures.start, figures.end)))
            tracker.place(candidate, float(figures.time_s[figures.end]))
            found.append(candidate)
    return found


# -- which way is up


def signals_of(block: ImuBlock | EvenBlock) -> MotionSignals:
    if isinstance(block, ImuBlock):
        (block,) = [piece for piece in Resampler().push(block) if isinstance(piece, EvenBlock)]
    return SignalBuilder().push(block)


@pytest.mark.parametrize("place", ALL_PLACES)
@pytest.mark.parametrize("exercise", ["air_squat", "romanian_deadlift", "kettlebell_swing"])
def test_up_and_vertical_acceleration_agree_with_the_truth(place: Place, exercise: str) -> None:
    session = training(exercise, place)
    signals = signals_of(session.block)
    truth, middle_s = session.truth_signals, signals.time_s - STEP_S / 2
    true_up = np.column_stack([np.interp(middle_s, truth.time_s, column) for column in truth.sensor_to_world[:, 2].T])
    error = np.arccos(np.clip((signals.up * true_up).sum(axis=1) / np.linalg.norm(true_up, axis=1), -1, 1))
    assert np.sqrt(np.mean(np.square(error))) < np.radians(1.5)
    assert np.allclose(np.linalg.norm(signals.up, axis=1), 1.0)
    lengths = np.linalg.norm(signals.acceleration_m_s2, axis=1)
    assert (np.abs(signals.vertical_m_s2) <= lengths * (1 + 1e-9)).all()
    force = np.einsum("ni,ni->n", session.block.acceleration_m_s2, truth.sensor_to_world[:, 2])
    gained = np.interp(signals.time_s, truth.time_s, np.cumsum(force) * np.median(np.diff(truth.time_s)))
    true_vertical = np.diff(gained) / STEP_S
    assert np.sqrt(np.mean(np.square(signals.vertical_m_s2[1:] - true_vertical))) < 0.15


@given(turn=st.integers(0, 10**6))
def test_a_turn_in_the_holder_changes_no_signal(turn: int) -> None:
    """VQF limits bias errors axis by axis; without care its first seconds would depend on the turn, by 0.9°."""
    block = training("air_squat", repetitions=2).block
    matrix = Rotation.random(rng=turn).as_matrix()
    turned = signals_of(
        ImuBlock(block.device_time_s, block.acceleration_m_s2 @ matrix, block.angular_velocity_rad_s @ matrix)
    )
    straight = signals_of(block)
    assert np.abs(turned.up @ matrix.T - straight.up).max() < 1e-9
    assert np.abs(turned.vertical_m_s2 - straight.vertical_m_s2).max() < 1e-9


def true_tilts(session: SimulatedSession, sensor: Sensor, time_s: Array) -> tuple[Array, Array]:
    """Return the true tilt of the pelvis forward and to the left, each (n,), rad."""
    truth = session.truth_signals
    up = truth.sensor_to_world[:, 2] @ sensor.sensor_to_body.T  # in the body frame: x anterior, y left
    forward, left = np.arctan2(-up[:, 0], up[:, 2]), np.arcsin(-up[:, 1])
    return np.interp(time_s, truth.time_s, forward), np.interp(time_s, truth.time_s, left)


@pytest.mark.parametrize("place", ALL_PLACES)
@pytest.mark.parametrize("turn", range(3))
def test_a_bow_is_positive_wherever_and_however_the_sensor_sits(place: Place, turn: int) -> None:
    sensor = replace(Sensor.ideal(place), turn_rotvec_rad=tuple(Rotation.random(rng=turn).as_rotvec().tolist()))
    session = simulated([Rest(3), Exercise("hip_hinge_drill", 3), Rest(3)], Lifter(), sensor, 2)
    plane = SagittalPlane()
    backward_in_sensor = sensor.sensor_to_body.T @ [-1.0, 0.0, 0.0]  # bending forward, up moves back in the sensor
    bows = candidates_in(session.block)
    assert len(bows) == 3
    for movement, truth in zip(bows, session.truth.reps, strict=True):
        figures = movement.measure(plane)
        plane.learn(figures.lean)
        assert plane.forward(figures.lean, movement.standing.up) @ backward_in_sensor > 0.97
        assert figures.trunk_angle_rad.min() > -0.1
        assert figures.peak_angle_rad == pytest.approx(truth.trunk_angle_rad, abs=np.radians(3))
        forward, _ = true_tilts(session, sensor, figures.time_s)
        assert np.abs(figures.trunk_angle_rad - forward).max() < np.radians(5)


@pytest.mark.parametrize("place", ALL_PLACES)
@pytest.mark.parametrize("to_the_left_rad", [-0.15, 0.15])
def test_a_lean_to_the_left_is_positive(place: Place, to_the_left_rad: float) -> None:
    sensor = Sensor.ideal(place)
    plane = SagittalPlane()
    for movement in candidates_in(training("hip_hinge_drill", place).block):
        plane.learn(movement.measure(plane).lean)
    leaning = [Rest(3), Exercise("hip_hinge_drill", 2), Rest(3)]
    session = simulated(leaning, Lifter(asymmetry_rad=to_the_left_rad), sensor, 2)
    for movement in candidates_in(session.block):
        figures = movement.measure(plane)
        _, left = true_tilts(session, sensor, figures.time_s)
        assert np.abs(left).max() > 0.08
        assert np.abs(figures.sideways_rad - left).max() < np.radians(4)


# -- the sagittal plane


def lean_towards(direction: Array, peak: float, back: float = 0.0) -> Lean:
    """Return a lean to `peak`, while the hip sinks, and then back by `back`."""
    phase = np.linspace(0, 2 * np.pi, 50)[:, None]
    path = np.where(phase < np.pi, peak * np.sin(phase), back * np.sin(phase)) * direction
    return Lean(path, 0.5 * peak * direction)


def test_the_lean_in_the_descent_is_forward_and_hinges_outweigh_squats() -> None:
    forward, up = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    plane = SagittalPlane()
    assert plane.forward(lean_towards(forward, 0.4, back=0.1), up) @ forward == pytest.approx(1.0)
    assert plane.forward(lean_towards(forward, 0.3, back=0.9), up) @ forward == pytest.approx(1.0), "rolls back, seated"
    plane.learn(lean_towards(forward, 0.8))
    backward = lean_towards(-forward, 0.3)
    assert plane.forward(backward, up) @ forward == pytest.approx(1.0)
    for _ in range(2):
        plane.learn(backward)
    assert plane.forward(backward, up) @ forward == pytest.approx(1.0)


def test_a_descent_that_leans_the_other_way_is_measured_so() -> None:
    forward, up = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    plane = SagittalPlane()
    for _ in range(5):
        plane.learn(lean_towards(forward, 0.8))
    bow = lean_towards(-forward, 1.0)
    assert plane.forward(bow, up) @ forward == pytest.approx(-1.0)
    plane.learn(bow)
    assert plane.forward(lean_towards(forward, 0.3), up) @ forward == pytest.approx(1.0), "but it is one among others"


def test_the_curve_of_a_recording_is_not_turned_round_by_a_seat_in_it() -> None:
    """On a seat the pelvis rolls back further than it leans in any squat."""
    forward, up = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    plane = SagittalPlane()
    for _ in range(5):
        plane.learn(lean_towards(forward, 0.8))
    tilts = np.array([0.0, 0.5, 0.0, -0.9, -0.9, 0.0])
    all_of_it = np.column_stack((np.zeros(6), np.sin(tilts), np.cos(tilts)))
    assert curve_of(all_of_it, up, plane) == pytest.approx(tilts)


def test_one_small_lean_does_not_set_the_plane() -> None:
    forward, left, up = np.eye(3)
    plane = SagittalPlane()
    plane.learn(lean_towards(left, 0.1))
    assert plane.forward(lean_towards(forward, 0.5), up) @ forward == pytest.approx(1.0)


@settings(max_examples=50, deadline=None)
@given(turn=st.integers(0, 10**6), peak=st.floats(0.05, 1.5), back=st.floats(0, 0.04))
def test_the_plane_turns_with_the_sensor(turn: int, peak: float, back: float) -> None:
    matrix = Rotation.random(rng=turn).as_matrix()
    forward, up = matrix @ [1.0, 0.0, 0.0], matrix @ [0.0, 0.0, 1.0]
    assert SagittalPlane().forward(lean_towards(forward, peak, back), up) @ forward == pytest.approx(1.0)


# -- height and its uncertainty


def up_at(tilt_rad: Array) -> Array:
    """Return `up` in a sensor that tilts about its y axis, (n, 3)."""
    return np.column_stack((np.sin(tilt_rad), np.zeros(len(tilt_rad)), np.cos(tilt_rad)))


def excursion(duration_s: float, drop_m: float, tilt_rad: float) -> tuple[Array, Array, Array]:
    """Return tilt (n,), velocity and height (n + 1,) of one smooth movement down and up."""
    time = np.arange(round(duration_s / STEP_S) + 1) * STEP_S
    shape = (1 - np.cos(2 * np.pi * time / duration_s)) / 2
    velocity = -drop_m * np.pi / duration_s * np.sin(2 * np.pi * time / duration_s)
    height = np.concatenate(([0.0], np.cumsum((velocity[1:] + velocity[:-1]) / 2 * STEP_S)))
    return tilt_rad * (shape[1:] + shape[:-1]) / 2, velocity, height


def estimator_of(
    tilt: Array, velocity: Array, offset: Array, scale: Array, *, level: float = 0.0, wander: Array | None = None
) -> VerticalEstimator:
    """Return the estimator after a movement seen by an accelerometer with these errors."""
    up = up_at(tilt)
    error = up @ offset + STANDARD_GRAVITY_M_S2 * (up**2 @ scale)
    if wander is not None:
        error = error + np.interp((np.arange(len(tilt)) + 0.5) * STEP_S, np.arange(len(wander)), wander)
    home = np.array([0.0, 0.0, 1.0])
    standing = Standing(home, STANDARD_GRAVITY_M_S2 + home @ offset + STANDARD_GRAVITY_M_S2 * scale[2] + level, 0.015)
    return VerticalEstimator(standing, 0.03, up, STANDARD_GRAVITY_M_S2 + np.diff(velocity) / STEP_S + error)


@pytest.mark.parametrize("duration_s", [1.2, 2.5, 5.0])
@pytest.mark.parametrize(("drop_m", "tilt_deg"), [(0.45, 25.0), (0.05, 65.0), (0.25, 50.0)])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_height_is_found_in_spite_of_offset_and_scale(
    duration_s: float, drop_m: float, tilt_deg: float, sign: float
) -> None:
    tilt, velocity, height = excursion(duration_s, drop_m, np.radians(tilt_deg))
    offset, scale = sign * np.array([0.3, -0.2, 0.25]), sign * np.array([0.01, 0.0, -0.01])
    estimator = estimator_of(tilt, velocity, offset, scale)
    motion = estimator.solve(len(tilt), end_velocity_sd_m_s=0.05, returns=True)
    assert np.abs(motion.height_m - height[1:]).max() < 0.04
    assert np.abs(motion.velocity_m_s - velocity[1:]).max() < 0.08
    if duration_s == 5.0 and tilt_deg == 65.0:  # what the estimator is for
        free = estimator.solve(len(tilt))
        assert np.abs(free.height_m - height[1:]).max() > 0.1
        assert free.height_sd_m > 0.1


def test_height_is_exact_without_errors() -> None:
    tilt, velocity, height = excursion(2.0, 0.4, 0.5)
    estimator = estimator_of(tilt, velocity, np.zeros(3), np.zeros(3))
    motion = estimator.solve(len(tilt), end_velocity_sd_m_s=0.03, returns=True)
    assert np.allclose(motion.height_m, height[1:], atol=2e-3)


def test_a_rest_counts_in_every_later_solution() -> None:
    """Conditions at the end are kept from one solution to the next."""
    tilt, velocity, _ = excursion(3.0, 0.4, 0.6)
    solved, fresh = (estimator_of(tilt, velocity, np.full(3, 0.2), np.zeros(3)) for _ in range(2))
    before = solved.solve(len(tilt), end_velocity_sd_m_s=0.05, returns=True)
    for estimator in (solved, fresh):
        estimator.rest(30, 0.02)
    one, other = (e.solve(len(tilt), end_velocity_sd_m_s=0.05, returns=True) for e in (solved, fresh))
    assert np.array_equal(one.height_m, other.height_m)
    assert not np.array_equal(one.height_m, before.height_m)


def test_the_model_of_the_height_is_kept_for_the_same_question_only() -> None:
    candidate = candidates_in(training("air_squat").block)[-1]
    whole = slice(0, len(candidate.approach))
    kept = candidate.estimator(0, 0.05, whole)
    assert candidate.estimator(0, 0.05, whole) is kept
    assert candidate.estimator(0, 0.1, whole) is not kept
    kept = candidate.estimator(1, 0.1, whole)
    candidate.standing = replace(candidate.standing)
    assert candidate.estimator(1, 0.1, whole) is not kept


@pytest.mark.parametrize("duration_s", [1.5, 3.0, 8.0])
def test_the_standard_deviation_is_honest(duration_s: float) -> None:
    rng = np.random.default_rng(3)
    half = round(duration_s / 2 / STEP_S)
    scores: dict[str, list[float]] = {"height": [], "velocity": [], "height at half time": []}
    for _ in range(400):
        tilt, velocity, _ = excursion(duration_s, rng.uniform(0, 0.5), rng.uniform(0.1, 1.2))
        ramp = np.linspace(1, 0, len(velocity))
        end_velocity_sd = 0.05
        velocity = velocity + 0.03 * rng.standard_normal() * ramp + end_velocity_sd * rng.standard_normal() * (1 - ramp)
        height = np.concatenate(([0.0], np.cumsum((velocity[1:] + velocity[:-1]) / 2 * STEP_S)))
        # Local gravity belongs to the level measured in standing as much as to all that comes after.
        gravity_error = GRAVITY_SD_M_S2 * rng.standard_normal()
        level_error = 0.015 * rng.standard_normal()
        supports = int(np.ceil(duration_s)) + 2
        estimator = estimator_of(
            tilt,
            velocity,
            OFFSET_SD_M_S2 * rng.standard_normal(3),
            SCALE_SD * rng.standard_normal(3),
            level=gravity_error + level_error,
            wander=gravity_error + WANDER_SD_M_S2 * rng.standard_normal(supports),
        )
        end = estimator.solve(len(tilt), end_velocity_sd_m_s=end_velocity_sd)
        middle = estimator.solve(half)
        scores["height"].append((end.height_m[-1] - height[-1]) / end.height_sd_m)
        scores["velocity"].append((end.velocity_m_s[-1] - velocity[-1]) / end.velocity_sd_m_s)
        scores["height at half time"].append((middle.height_m[-1] - height[half]) / middle.height_sd_m)
    for name, values in scores.items():
        assert abs(np.mean(values)) < 0.2, name
        assert 0.88 < np.std(values) < 1.12, name
        assert 0.61 < np.mean(np.abs(values) < 1) < 0.75, name
        assert np.mean(np.abs(values) < 2) > 0.92, name


def test_more_knowledge_never_widens_the_standard_deviation() -> None:
    tilt, velocity, _ = excursion(4.0, 0.4, 0.8)
    estimator = estimator_of(tilt, velocity, np.zeros(3), np.zeros(3))
    n = len(tilt)
    free = estimator.solve(n).height_sd_m
    stopped = estimator.solve(n, end_velocity_sd_m_s=0.05).height_sd_m
    near = estimator.solve(n, end_velocity_sd_m_s=0.05, returns=True, return_sd_m=0.1).height_sd_m
    back = estimator.solve(n, end_velocity_sd_m_s=0.05, returns=True).height_sd_m
    assert free > stopped > near > back
    assert back <= 0.02


def test_the_drop_of_a_slow_steady_descent_is_measured() -> None:
    """It looks still from step to step, and its height would drift by metres."""
    errors = []
    for seed in range(4):
        for eccentric_s in (3.0, 4.0, 5.0):
            tempo = Exercise("tempo_squat", 3, eccentric_s=eccentric_s, pause_s=1.0, concentric_s=2.0, top_pause_s=2.0)
            session = simulated([Rest(3), tempo, Rest(3)], Lifter(), Sensor.ideal(ALL_PLACES[seed % 4]), seed)
            for candidate in candidates_in(session.block):
                drop_m = candidate.measure(SagittalPlane()).hip_drop_m
                errors += [
                    drop_m - truth.sensor_drop_m
                    for truth in session.truth.reps
                    if abs(truth.end_s - candidate.ending.end_s) < 0.5
                ]
    assert len(errors) > 30
    assert np.sqrt(np.mean(np.square(errors))) < 0.06


# -- figures against the simulator's truth


@pytest.mark.parametrize("exercise", MEASURED)
def test_angle_and_drop_agree_with_the_truth(exercise: str) -> None:
    angle_errors, drop_errors = [], []
    for number, place in enumerate(ALL_PLACES):
        session = training(exercise, place, seed=number)
        plane = SagittalPlane()
        found = counted_candidates_in(session.block)
        assert len(found) == len(session.truth.reps)
        for movement, truth in zip(found, session.truth.reps, strict=True):
            figures = movement.measure(plane)
            plane.learn(figures.lean)
            angle_errors.append(figures.peak_angle_rad - truth.trunk_angle_rad)
            drop_errors.append(figures.hip_drop_m - truth.sensor_drop_m)
            assert abs(figures.turn_rad) < np.radians(6)
    assert np.sqrt(np.mean(np.square(angle_errors))) < np.radians(3)
    assert np.sqrt(np.mean(np.square(drop_errors))) < 0.05


def test_phases_are_in_order_and_meet_the_truth() -> None:
    session = training("air_squat", repetitions=6)
    for movement, truth in zip(candidates_in(session.block), session.truth.reps, strict=True):
        figures = movement.measure(SagittalPlane())
        assert 0 <= figures.start < figures.bottom <= figures.resume < figures.end < len(figures.time_s)
        assert figures.time_s[figures.start] == pytest.approx(truth.start_s, abs=0.4)
        assert figures.time_s[figures.end] == pytest.approx(truth.end_s, abs=0.3)
        assert truth.start_s < figures.time_s[figures.bottom] <= figures.time_s[figures.resume] < truth.end_s


TOUCH_AND_GO = Manner(residual_lean_rad=0.2, top_pause_s=(0.2, 0.6))


@pytest.mark.parametrize(
    "exercise",
    [
        Exercise("air_squat", 4, manner=TOUCH_AND_GO),
        Exercise("tempo_squat", 4, eccentric_s=4.0, pause_s=1.0, concentric_s=2.0, manner=TOUCH_AND_GO),
        Exercise("romanian_deadlift", 4, eccentric_s=2.5, manner=TOUCH_AND_GO),
        Exercise("paused_squat", 4, pause_s=2.0, manner=replace(TOUCH_AND_GO, breath_probability=1.0)),
    ],
    ids=lambda exercise: exercise.name,
)
def test_ways_last_from_rest_to_rest(exercise: Exercise) -> None:
    for seed in range(2):
        session = simulated([Rest(4), exercise, Rest(4)], Lifter(), Sensor.ideal(), seed)
        found = counted_in(session.block)
        assert len(found) == 4
        for one, truth in zip(found, session.truth.reps, strict=True):
            assert one.start_s == pytest.approx(truth.start_s, abs=0.25)
            assert one.end_s == pytest.approx(truth.end_s, abs=0.25)
            assert one.eccentric_s == pytest.approx(truth.eccentric_s, abs=0.3)
            assert one.concentric_s == pytest.approx(truth.concentric_s, abs=0.3)
            assert one.mean_concentric_velocity_m_s == pytest.approx(truth.hip_mean_concentric_velocity_m_s, abs=0.12)


def test_an_end_at_the_turning_point_does_not_count() -> None:
    """A swing that the network takes for ended at its bottom; eight were done."""
    session = simulated([Rest(3), Exercise("kettlebell_swing", 8), Rest(3)], Lifter(), Sensor.ideal("back"), 4)
    assert len(counted_in(session.block)) == 8


def counted_candidates_in(block: ImuBlock) -> list[Candidate]:
    """Return the candidates that a session counts."""
    decisions: list[Decision] = []
    session = Session(check_units=False, observe=decisions.append)
    session.push(block)
    session.finish()
    return [decision.candidate for decision in decisions if isinstance(decision.verdict, Repetition)]


def counted_in(block: ImuBlock) -> list[Repetition]:
    """Return the repetitions that a session announces."""
    session = Session(check_units=False)
    events = [*session.push(block), *session.finish()[0]]
    return [event.repetition for event in events if isinstance(event, RepetitionCounted)]


# -- signals


@settings(max_examples=50, deadline=None)
@given(flags=st.lists(st.booleans(), min_size=1, max_size=50), before=st.integers(0, 5))
def test_run_lengths_count_what_a_loop_counts(flags: list[bool], before: int) -> None:
    run, expected = before, []
    for flag in flags:
        run = run + 1 if flag else 0
        expected.append(run)
    assert run_lengths(np.array(flags), before).tolist() == expected


def test_the_chord_is_the_angle_when_small() -> None:
    angle = np.linspace(0, np.radians(28), 20)
    assert np.allclose(chord(up_at(angle), np.array([0.0, 0.0, 1.0])), angle, rtol=0.0101)


def test_time_of_a_step_is_its_end_and_shake_shows_fast_parts() -> None:
    session = training("air_squat")
    (even,) = [piece for piece in Resampler().push(session.block) if isinstance(piece, EvenBlock)]
    signals = signals_of(even)
    assert np.allclose(signals.time_s, session.block.device_time_s[0] + STEP_S * np.arange(1, len(signals) + 1))
    assert signals.shake_m_s2.max() < 2.0
    shaken = replace(
        even, acceleration_m_s2=even.acceleration_m_s2 + (np.arange(len(even.time_s)) % 2)[:, None] * [0, 0, 6.0]
    )
    shaken_signals = signals_of(shaken)
    assert np.median(shaken_signals.shake_m_s2) > 2.5
    assert (signals.resting_steps[20:50] > 0).all()
    assert (shaken_signals.resting_steps >= 0).all()


# -- pattern


def figures_of(peak_rad: float, drop_m: float) -> MovementFigures:
    """Return figures of a smooth movement of two seconds."""
    shape = (1 - np.cos(np.linspace(0, 2 * np.pi, 41))) / 2
    angle = peak_rad * shape
    zero = np.zeros(41)
    time = STEP_S * np.arange(41)
    return MovementFigures(
        time,
        angle,
        zero,
        -drop_m * shape,
        zero,
        Lean(np.zeros((41, 3)), np.zeros(3)),
        np.array([1.0, 0.0, 0.0]),
        1,
        19,
        21,
        39,
        turn_rad=0.0,
        height_error_m=0.0,
        height_sd_m=0.02,
    )


def test_a_movement_from_bottom_to_bottom_shows_when_the_person_stood() -> None:
    """A network that takes the bottoms of hinges for their tops gives such movements."""
    hinge = figures_of(1.0, 0.02)
    assert stood_at(hinge) is None
    from_bottom = replace(hinge, trunk_angle_rad=1.0 - hinge.trunk_angle_rad, height_m=-0.02 - hinge.height_m)
    assert stood_at(from_bottom) == pytest.approx(20 * STEP_S, abs=2 * STEP_S)
    half = replace(from_bottom, start=12)  # the second half of one and the first of the next
    assert stood_at(half) == pytest.approx(20 * STEP_S, abs=2 * STEP_S)
    assert stood_at(replace(from_bottom, end=20)) is None


def hinge_log_odds(figures: MovementFigures, weights: PatternWeights, network: float = 0.0) -> float:
    return weights.hinge_log_odds(figures.peak_angle_rad, figures.hip_drop_m, network)


def test_more_drop_is_more_squat_and_more_tilt_is_more_hinge() -> None:
    assert PATTERN.per_log_ratio < 0 < PATTERN.per_network_log_odds
    hinge = hinge_log_odds(figures_of(1.0, 0.03), PATTERN)
    squat = hinge_log_odds(figures_of(0.4, 0.45), PATTERN)
    assert hinge > 0.5
    assert squat < -0.5
    assert hinge_log_odds(figures_of(1.0, 0.45), PATTERN) < hinge
    assert hinge_log_odds(figures_of(0.2, 0.45), PATTERN) < squat
    assert hinge_log_odds(figures_of(1.0, 0.03), PATTERN, 1.0) > hinge
    assert hinge_log_odds(figures_of(1.0, 0.03), PATTERN, 1e9) < hinge + 50.0


@settings(max_examples=50, deadline=None)
@given(bias=st.floats(-1e4, 1e4), peak=st.floats(0, 2), drop=st.floats(0, 1))
def test_confidence_is_a_probability_and_uncertain_means_close(bias: float, peak: float, drop: float) -> None:
    pattern, confidence = classify_pattern(hinge_log_odds(figures_of(peak, drop), replace(PATTERN, bias=bias)))
    assert 0.5 <= confidence <= 1.0
    assert (pattern is Pattern.UNCERTAIN) == (confidence < LEAST_CONFIDENCE)
    assert pattern is not Pattern.MIXED


# -- evidence


def smoothed_noise(seed: int, rows: int, smoothing: int, size: float) -> ImuBlock:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((rows + smoothing, 6)).cumsum(axis=0)
    noise = size * (noise[smoothing:] - noise[:-smoothing]) / np.sqrt(smoothing)
    return ImuBlock(np.arange(rows) / 100, noise[:, :3] * 3 + [0, 0, STANDARD_GRAVITY_M_S2], noise[:, 3:])


def check_evidence(movement: Candidate) -> None:
    figures = movement.measure(SagittalPlane())
    values = evidence(movement, figures)
    assert values.shape == (len(EVIDENCE),)
    assert np.isfinite(values).all(), [name for name, v in zip(EVIDENCE, values, strict=True) if not np.isfinite(v)]
    assert np.isfinite(COUNTING.log_odds(values))
    reason = COUNTING.reason_against(values)
    assert reason.replace(" ", "").isalpha()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), smoothing=st.integers(1, 300), log_size=st.floats(-3, 3))
def test_evidence_of_any_noise_is_finite_and_has_a_reason(seed: int, smoothing: int, log_size: float) -> None:
    for movement in candidates_in(smoothed_noise(seed, 3000, smoothing, 10**log_size)):
        check_evidence(movement)


@pytest.mark.parametrize("seed", range(6))
def test_evidence_of_any_movement_is_finite_and_has_a_reason(seed: int) -> None:
    found = candidates_in(simulated(*random_session(seed, short=True), seed).block)
    for name in ("walking", "jump", "lie_down_and_get_up", "bend_sideways", "stumble"):
        found += candidates_in(simulated([Rest(2), Daily(name), Rest(2)], Lifter(), Sensor.ideal(), seed).block)
    assert found
    for movement in found:
        check_evidence(movement)


@pytest.mark.parametrize("name", EVIDENCE)
@pytest.mark.parametrize("side", ["lower", "upper"])
def test_each_extreme_of_the_evidence_has_a_reason(name: str, side: str) -> None:
    values = COUNTING.centre.copy()
    values[EVIDENCE.index(name)] = getattr(COUNTING, side)[EVIDENCE.index(name)]
    assert COUNTING.reason_against(values)


def test_weights_fit_the_evidence_and_clip_values_beyond_the_fit() -> None:
    n = len(EVIDENCE)
    for array in (COUNTING.lower, COUNTING.upper, COUNTING.centre, COUNTING.scale, COUNTING.linear):
        assert array.shape == (n,)
    assert (COUNTING.scale > 0).all()
    assert (COUNTING.lower < COUNTING.upper).all()
    assert COUNTING.log_odds(COUNTING.upper) == COUNTING.log_odds(COUNTING.upper + 1e6)
    assert COUNTING.log_odds(COUNTING.centre) == pytest.approx(COUNTING.bias)


# -- how a person stands


def test_a_braced_start_is_measured_from_how_the_person_stood_between_the_sets() -> None:
    """Before the second set the person walks for 40 s and begins bent by 17°."""
    braced = Manner(residual_lean_rad=0.3, braced_start=True)
    walking = [Daily("walking") for _ in range(7)]
    plan = [Rest(8), Exercise("air_squat", 3), Rest(8), *walking, Exercise("air_squat", 4, manner=braced), Rest(3)]
    session = simulated(plan, Lifter(), Sensor.ideal("front"), 5)
    found = counted_in(session.block)
    assert len(found) == 7
    for one, truth in zip(found, session.truth.reps, strict=True):
        assert one.trunk_angle_rad == pytest.approx(truth.trunk_angle_rad, abs=np.radians(5))


def test_standing_is_where_a_person_rests_most_on_both_feet() -> None:
    steps, step_s = 2000, STEP_S
    bent = np.zeros(steps)
    bent[600:800], bent[1500:1560] = np.radians(-20), np.radians(15)  # on a bench for 10 s, braced for 3 s
    up = np.column_stack((np.sin(bent), np.zeros(steps), np.cos(bent)))
    resting = run_lengths(np.append([True], np.diff(bent) == 0), 0)
    zero = np.zeros(steps)
    signals = MotionSignals(step_s * np.arange(1, steps + 1), up, up, zero, zero, zero, zero, resting)
    for cut in (1, 7, steps):
        rests = RestingPostures()
        for last in range(cut, steps + 1, cut):
            rests.push(signals[:last], cut)
        known, forward = rests.before(78.5), np.array([1.0, 0.0, 0.0])
        assert known.seconds.max() == pytest.approx(20, abs=2)  # of each rest the first 10 s count
        assert known.choose(up[[1550]], forward) == pytest.approx(up[0])  # begun braced
        assert known.choose(np.array([[1.0, 0.0, 0.0]]), forward) is None  # a bend of 90° is no top
        lain = StandingPostures(np.array([up[0], [-0.997, 0.0, 0.08]]), np.array([4.0, 10.0]))
        assert lain.choose(up[[1550]], forward) == pytest.approx(up[0])  # a person who lay there does not stand so
        assert rests.before(0.5).choose(up[:1], forward) is None  # no second of rest was over by then


def test_a_rest_within_a_set_is_dropped_also_where_it_is_over_only_later() -> None:
    steps, zero = 180, np.zeros(180)
    up = np.tile([0.0, 0.0, 1.0], (steps, 1))
    signals = MotionSignals(STEP_S * np.arange(1, steps + 1), up, up, zero, zero, zero, zero, np.arange(1, steps + 1))
    remembered = []
    for cut in (1, 20, steps):
        rests, forgotten = RestingPostures(), False
        for last in range(cut, steps + 1, cut):
            rests.push(signals[:last], cut)
            if last * STEP_S >= 5.8 and not forgotten:  # a repetition that ended at 5.7 s is announced
                rests.forget(2.0, 5.7)
                forgotten = True
        remembered.append([second.end_s for second in rests._seconds])
    assert remembered[0] == remembered[1] == remembered[2] == pytest.approx([1, 2, 7, 8, 9])


def test_a_bench_is_no_standing() -> None:
    """Twenty seconds on a bench with the pelvis rolled back, then one second of standing."""
    plan = [Rest(2), Daily("sit_down_and_stand_up", 20.0), Rest(1.5), Exercise("air_squat", 4), Rest(3)]
    session = simulated(plan, Lifter(), Sensor.ideal("left"), 11)
    found = counted_in(session.block)
    assert len(found) == 4
    for one, truth in zip(found, session.truth.reps, strict=True):
        assert one.trunk_angle_rad == pytest.approx(truth.trunk_angle_rad, abs=np.radians(4))


@pytest.mark.parametrize("place", ["back", "front"])
def test_hinges_show_where_the_sensor_sits_and_the_drop_is_that_of_the_hip(place: Place) -> None:
    plan = [Rest(5), Exercise("romanian_deadlift", 5), Rest(4)]
    session = simulated(plan, Lifter(), Sensor.ideal(place), 4)
    found = counted_in(session.block)
    assert len(found) == 5
    last, truth = found[-1], session.truth.reps[-1]
    assert last.hip_drop_m == pytest.approx(truth.hip_drop_m, abs=0.04)
