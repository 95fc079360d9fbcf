"""The simulated lifter: physics against its own truth, ranges against DESIGN.md, sensor errors as asked."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from imu.samples import STANDARD_GRAVITY_M_S2, Array
from imu.virtual.person import (
    DAILY,
    VARIANTS,
    Daily,
    Exercise,
    Lifter,
    Rest,
    Sensor,
    SimulatedSession,
    random_session,
    simulate,
    truth_from_dict,
    truth_to_dict,
)
from imu.virtual.person.worn_sensor import PLACES, Place

ALL_PLACES: list[Place] = list(PLACES)


def still(sensor: Sensor, duration_s: float = 20.0) -> SimulatedSession:
    """Return quiet standing without any sway."""
    calm = Lifter(sway_m=0.0, sway_rad=0.0, unsteadiness_rad=0.0, tremor_rad=0.0)
    return simulate([Rest(duration_s)], calm, sensor, seed=1)


def squats(sensor: Sensor, seed: int = 3) -> SimulatedSession:
    """Return four air squats."""
    return simulate([Rest(2), Exercise("air_squat", 4), Rest(2)], Lifter(), sensor, seed)


def world_acceleration(session: SimulatedSession) -> Array:
    """Return the acceleration in the world frame by the true attitude, (n, 3), m/s²."""
    force = np.einsum("nij,nj->ni", session.truth_signals.sensor_to_world, session.block.acceleration_m_s2)
    return np.asarray(force - [0, 0, STANDARD_GRAVITY_M_S2])


def test_same_seed_same_bits_and_other_seed_other_bits() -> None:
    plan, lifter, sensor = random_session(5, short=True)
    first, again, other = (simulate(plan, lifter, sensor, seed) for seed in (7, 7, 8))
    assert np.array_equal(first.block.acceleration_m_s2, again.block.acceleration_m_s2)
    assert np.array_equal(first.block.device_time_s, again.block.device_time_s)
    assert first.truth == again.truth
    assert not np.array_equal(first.block.acceleration_m_s2[:50], other.block.acceleration_m_s2[:50])


@pytest.mark.parametrize("rate_hz", [20.0, 52.0, 1000.0])
def test_another_rate_sees_the_same_movement(rate_hz: float) -> None:
    usual, other = squats(Sensor.ideal()), squats(Sensor.ideal(sampling_rate_hz=rate_hz))
    time = usual.truth_signals.time_s
    heights = np.interp(time, other.truth_signals.time_s, other.truth_signals.sensor_height_m)
    assert np.abs(heights - usual.truth_signals.sensor_height_m)[:-10].max() < 0.005
    for one, two in zip(usual.truth.reps, other.truth.reps, strict=True):
        assert one.hip_drop_m == pytest.approx(two.hip_drop_m, abs=1e-4)
        assert one.start_s == pytest.approx(two.start_s, abs=0.01)


@pytest.mark.parametrize("place", ALL_PLACES)
def test_at_rest_the_force_is_gravity_and_points_up(place: Place) -> None:
    session = still(replace(Sensor.ideal(place), turn_rotvec_rad=(0.5, -1.0, 2.0)))
    assert np.linalg.norm(session.block.acceleration_m_s2, axis=1) == pytest.approx(STANDARD_GRAVITY_M_S2, abs=1e-6)
    assert np.abs(world_acceleration(session)).max() < 1e-6
    assert np.abs(session.block.angular_velocity_rad_s).max() < 1e-9


@pytest.mark.parametrize("place", ALL_PLACES)
def test_a_bow_is_a_positive_turn_about_the_left(place: Place) -> None:
    sensor = replace(Sensor.ideal(place), turn_rotvec_rad=(1.0, 0.3, -2.0))
    session = simulate([Rest(1), Exercise("stoop_bend", 1), Rest(1)], Lifter(), sensor, seed=2)
    repetition = session.truth.reps[0]
    down = session.block.device_time_s < repetition.bottom_s
    body_rate = session.block.angular_velocity_rad_s @ sensor.sensor_to_body.T
    assert body_rate[down, 1].sum() / 100 == pytest.approx(repetition.trunk_angle_rad, abs=0.05)
    body_force = session.block.acceleration_m_s2 @ sensor.sensor_to_body.T
    assert body_force[np.argmin(down), 0] < -3  # bent forward, up points to the back


@pytest.mark.parametrize("seed", range(4))
def test_integrating_the_ideal_gyro_gives_the_true_attitude(seed: int) -> None:
    plan, lifter, _ = random_session(seed, short=True)
    session = simulate(plan, lifter, Sensor.ideal(sampling_rate_hz=400.0), seed)
    rate = session.block.angular_velocity_rad_s
    steps = Rotation.from_rotvec((rate[1:] + rate[:-1]) / 800).as_matrix()
    truth = session.truth_signals.sensor_to_world
    attitude = truth[0]
    for step in steps:
        attitude = attitude @ step
    assert Rotation.from_matrix(attitude.T @ truth[-1]).magnitude() < np.radians(0.2)


@pytest.mark.parametrize("name", [*VARIANTS, *DAILY])
def test_integrating_the_ideal_acceleration_gives_the_true_height(name: str) -> None:
    item = Exercise(name, 2) if name in VARIANTS else Daily(name)
    session = simulate([Rest(1), item, Rest(1)], Lifter(), Sensor.ideal("front", 400.0), seed=4)
    height = session.truth_signals.sensor_height_m
    acceleration = world_acceleration(session)[:, 2]
    velocity = np.gradient(height, 1 / 400)[2] + np.cumsum(acceleration[2:] + acceleration[1:-1]) / 800
    integrated = height[2] + np.concatenate([[0], np.cumsum(velocity[1:] + velocity[:-1]) / 800])
    drift = np.linspace(0, integrated[-1] - height[-1], len(integrated))
    assert abs(drift[-1]) < 0.1
    assert np.abs(integrated - drift - height[2:]).max() < 0.01


@pytest.mark.parametrize("name", VARIANTS)
def test_repetitions_are_in_the_range_of_their_variant(name: str) -> None:
    variant = VARIANTS[name]
    for seed in range(3):
        lifter = Lifter.random(np.random.default_rng(seed))
        session = simulate([Rest(1), Exercise(name, 5), Rest(1)], lifter, Sensor.ideal(), seed)
        assert len(session.truth.reps) == 5
        for repetition in session.truth.reps:
            drop = repetition.hip_drop_m * 1.75 / lifter.height_m
            assert 0.7 * variant.hip_drop_m[0] - 0.01 < drop < 1.3 * variant.hip_drop_m[1] + 0.03
            assert 0.75 * variant.tilt_rad[0] < repetition.trunk_angle_rad < 1.35 * variant.tilt_rad[1] + 0.05
            assert repetition.pattern == variant.pattern
            total = repetition.eccentric_s + repetition.pause_s + repetition.concentric_s
            assert total == pytest.approx(repetition.end_s - repetition.start_s)
            assert repetition.mean_concentric_velocity_m_s > 0 or name not in ("air_squat", "back_squat", "deadlift")
            assert repetition.mean_concentric_velocity_m_s < repetition.peak_concentric_velocity_m_s


def test_an_exercise_follows_its_options() -> None:
    steady = Lifter(variability=0.0, unsteadiness_rad=0.0, sway_m=0.0, sway_rad=0.0, lockout_gap=0.0)
    asked = Exercise("paused_squat", 3, hip_drop_m=0.45, eccentric_s=2.0, pause_s=3.0, concentric_s=1.5, effort=0.0)
    repetitions = simulate([Rest(1), asked, Rest(1)], steady, Sensor.ideal(), seed=1).truth.reps
    for repetition in repetitions:
        assert repetition.hip_drop_m == pytest.approx(0.45, abs=0.03)
        assert 3.0 < repetition.pause_s < 4.0
        assert 5.0 < repetition.end_s - repetition.start_s < 6.6


def test_a_hard_ascent_has_two_velocity_peaks_and_an_easy_one_has_one() -> None:
    def valleys(effort: float) -> int:
        lifter, count = Lifter(unsteadiness_rad=0.0, tremor_rad=0.0), 0
        for seed in range(10):
            session = simulate([Rest(1), Exercise("back_squat", 3, effort=effort)], lifter, Sensor.ideal(), seed)
            time, velocity = session.block.device_time_s, np.gradient(session.truth_signals.hip_height_m, 0.01)
            for repetition in session.truth.reps:
                up = velocity[(time > repetition.bottom_s) & (time < repetition.end_s)]
                inner = (up[1:-1] < up[:-2]) & (up[1:-1] <= up[2:]) & (up[1:-1] > 0.1 * up.max())
                count += bool(inner.any())
        return count

    assert valleys(1.0) > 15
    assert valleys(0.0) < 8


def test_the_pelvis_of_a_squat_peaks_before_the_bottom() -> None:
    session = squats(Sensor.ideal())
    for repetition in session.truth.reps:
        row = int(np.searchsorted(session.block.device_time_s, repetition.bottom_s))
        assert session.truth_signals.pelvis_pitch_rad[row] < repetition.trunk_angle_rad - np.radians(2)


def test_sitting_rolls_the_pelvis_back_past_upright() -> None:
    session = simulate([Rest(1), Daily("sit_down_and_stand_up", 5.0), Rest(1)], Lifter(), Sensor.ideal(), seed=1)
    seated = session.truth_signals.hip_height_m < session.truth_signals.hip_height_m[0] - 0.3
    assert seated.sum() > 400
    assert np.median(session.truth_signals.pelvis_pitch_rad[seated]) < -0.03


def test_a_jump_has_free_flight() -> None:
    session = simulate([Rest(1), Daily("jump"), Rest(1)], Lifter(), Sensor.ideal(), seed=1)
    force = np.linalg.norm(session.block.acceleration_m_s2, axis=1)
    assert (force < 0.5).sum() > 20
    assert ((force >= 0.5) & (force < 6)).sum() < 8  # weightless at once, and heavy at once
    assert force.max() > 20


def test_the_sensor_errors_are_those_asked_for() -> None:
    clean = still(Sensor.ideal(sampling_rate_hz=200.0), 60.0).block
    sensor = Sensor(
        sampling_rate_hz=200.0,
        acceleration_noise_m_s2_rthz=0.002,
        angular_velocity_noise_rad_s_rthz=0.0001,
        acceleration_offset_m_s2=(0.1, -0.2, 0.3),
        angular_velocity_offset_rad_s=(0.01, -0.02, 0.03),
        acceleration_scale=(1.0, 1.0, 1.02),
    )
    noisy = still(sensor, 60.0).block
    assert noisy.acceleration_m_s2.std(axis=0) == pytest.approx([0.02] * 3, rel=0.05)
    assert noisy.angular_velocity_rad_s.std(axis=0) == pytest.approx([0.001] * 3, rel=0.05)
    error = noisy.acceleration_m_s2.mean(axis=0) - clean.acceleration_m_s2.mean(axis=0)
    assert error == pytest.approx([0.1, -0.2, 0.3 + 0.02 * STANDARD_GRAVITY_M_S2], abs=0.002)
    assert noisy.angular_velocity_rad_s.mean(axis=0) == pytest.approx([0.01, -0.02, 0.03], abs=1e-4)


def test_clipping_and_counts() -> None:
    sensor = Sensor(
        acceleration_range_m_s2=12.0,
        angular_velocity_range_rad_s=0.5,
        acceleration_step_m_s2=0.25,
        angular_velocity_step_rad_s=0.125,
    )
    block = simulate([Exercise("kettlebell_swing", 4)], Lifter(), sensor, seed=1).block
    assert np.abs(block.acceleration_m_s2).max() == 12.0
    assert np.abs(block.angular_velocity_rad_s).max() == 0.5
    assert np.array_equal(block.acceleration_m_s2 % 0.25, np.zeros_like(block.acceleration_m_s2))
    assert np.array_equal(block.angular_velocity_rad_s % 0.125, np.zeros_like(block.acceleration_m_s2))


def test_the_soft_tissue_shakes_on_impacts_and_not_at_rest() -> None:
    loose = replace(Sensor.ideal(), wobble_coupling=0.5)
    assert np.abs(still(loose).block.acceleration_m_s2 - still(Sensor.ideal()).block.acceleration_m_s2).max() < 1e-6
    run = [simulate([Daily("jogging", 5.0)], Lifter(), s, seed=1).block.acceleration_m_s2 for s in (loose, Sensor())]
    assert (run[0] - run[1]).std() > 0.5


def test_the_slip_turns_the_sensor_by_as_much_as_asked() -> None:
    session = still(replace(Sensor.ideal(), slip_rad=0.05))
    attitude = session.truth_signals.sensor_to_world
    turned = Rotation.from_matrix(attitude[0].T @ attitude[-1]).magnitude()
    assert 0.002 < turned <= 0.0501
    felt = Rotation.from_rotvec(session.block.angular_velocity_rad_s.sum(axis=0) / 100).as_matrix()
    assert Rotation.from_matrix(felt.T @ attitude[0].T @ attitude[-1]).magnitude() < 0.002


@pytest.mark.parametrize("place", ALL_PLACES)
def test_a_sensor_faces_away_from_the_body(place: Place) -> None:
    sensor = Sensor.ideal(place)
    outward = sensor.position_m * [1, 1, 0]
    assert sensor.sensor_to_body @ [1, 0, 0] == pytest.approx(outward / np.linalg.norm(outward))


def test_lost_packets_remove_rows_and_nothing_else() -> None:
    whole, holed = squats(Sensor.ideal()), squats(replace(Sensor.ideal(), lost_packet_probability=0.2))
    kept = np.isin(whole.block.device_time_s, holed.block.device_time_s)
    assert 0.6 < kept.mean() < 0.95
    assert np.array_equal(whole.block.acceleration_m_s2[kept], holed.block.acceleration_m_s2)
    assert np.array_equal(whole.truth_signals.time_s[kept], holed.truth_signals.time_s)
    assert set(np.diff(np.flatnonzero(np.diff(kept.astype(int)))) % 10) == {0}


def test_a_fast_clock_stretches_the_truth_with_the_recording() -> None:
    true, fast = squats(Sensor.ideal()), squats(replace(Sensor.ideal(), clock_drift_ppm=10_000.0))
    assert fast.truth.reps[-1].end_s == pytest.approx(1.01 * true.truth.reps[-1].end_s, abs=0.01)
    row = int(np.argmin(fast.truth_signals.hip_height_m))
    assert fast.block.device_time_s[row] in [pytest.approx(r.bottom_s, abs=0.02) for r in fast.truth.reps]


def test_truth_survives_json() -> None:
    plan, lifter, sensor = random_session(11, short=True)
    truth = simulate(plan, lifter, sensor, 11).truth
    text = json.dumps(truth_to_dict(truth))
    again = truth_from_dict(json.loads(text))
    assert again.daily == truth.daily
    assert [replace(r, trunk_angle_rad=0.0) for r in again.reps] == [
        replace(r, trunk_angle_rad=0.0) for r in truth.reps
    ]
    for one, two in zip(again.reps, truth.reps, strict=True):
        assert one.trunk_angle_rad == pytest.approx(two.trunk_angle_rad)
    assert "trunk_angle_deg" in text and "trunk_angle_rad" not in text
    with pytest.raises(ValueError, match="not a session truth"):
        truth_from_dict({"sets": []})


@given(st.integers(0, 10_000))
def test_random_sessions_are_whole(seed: int) -> None:
    plan, lifter, sensor = random_session(seed, short=True)
    session = simulate(plan, lifter, sensor, seed)
    block, truth = session.block, session.truth
    assert np.isfinite(block.acceleration_m_s2).all() and np.isfinite(block.angular_velocity_rad_s).all()
    assert sensor.time_jitter_s or (np.diff(block.device_time_s) > 0).all()
    assert len(session.truth_signals.time_s) == len(block)
    assert [len(one_set.reps) for one_set in truth.sets] == [i.repetitions for i in plan if isinstance(i, Exercise)]
    assert [daily.name for daily in truth.daily] == [i.name for i in plan if isinstance(i, Daily)]
    times = [time for r in truth.reps for time in (r.start_s, r.bottom_s, r.end_s)]
    assert times == sorted(times)
    ends = [0.0, *times, *(time for daily in truth.daily for time in (daily.start_s, daily.end_s))]
    lost_s = 2 * sensor.packet_rows / sensor.sampling_rate_hz if sensor.lost_packet_probability else 0.0
    assert min(ends) >= 0
    assert max(ends) <= session.truth_signals.time_s[-1] + lost_s


def test_full_sessions_have_the_asked_size() -> None:
    for seed in range(30):
        plan, _, _ = random_session(seed)
        sets = [item for item in plan if isinstance(item, Exercise)]
        assert 3 <= len(sets) <= 6
        assert all(4 <= one_set.repetitions <= 12 for one_set in sets)


@pytest.mark.parametrize(
    "make", [lambda: Exercise("bench_press", 5), lambda: Exercise("air_squat", 0), lambda: Daily("x")]
)
def test_impossible_plans_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match=r"unknown|at least"):
        make()  # type: ignore[operator]
    with pytest.raises(ValueError, match="sampling_rate_hz"):
        Sensor(sampling_rate_hz=5)
    with pytest.raises(ValueError, match="plan takes"):
        simulate([], Lifter(), Sensor(), 1)
