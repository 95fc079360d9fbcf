"""Touch-and-go sets of the simulated lifter: what stays between repetitions, tempo, and truths that touch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from imu.samples import Array
from imu.virtual.person import (
    DAILY,
    VARIANTS,
    Daily,
    Exercise,
    Lifter,
    Manner,
    PlanItem,
    Rest,
    Sensor,
    SimulatedSession,
    random_continuous_session,
    random_session,
    simulate,
    truth_from_dict,
    truth_to_dict,
)
from imu.virtual.person.truth import TruthSignals, measure_repetition

CALM = Lifter(sway_m=0.0, sway_rad=0.0, unsteadiness_rad=0.0, tremor_rad=0.0, variability=0.0)
TOUCH_AND_GO = Manner(residual_lean_rad=0.3, residual_bend=0.05, top_overlap=0.1)
"""A set with 17° of lean between repetitions."""


def one_set(name: str, manner: Manner, repetitions: int = 5, lifter: Lifter = CALM, seed: int = 1) -> SimulatedSession:
    """Return a set between two seconds of quiet standing."""
    return simulate([Rest(2), Exercise(name, repetitions, manner=manner), Rest(2)], lifter, Sensor.ideal(), seed)


def fingerprint(session: SimulatedSession) -> tuple[int, float, float]:
    """Return the number of rows, a weighted sum of all samples, and one of all times of the truth."""
    samples = np.column_stack(
        [session.block.device_time_s, session.block.acceleration_m_s2, session.block.angular_velocity_rad_s]
    ).ravel()
    times: Array = np.array([time for rep in session.truth.reps for time in (rep.start_s, rep.bottom_s, rep.end_s)])
    sums = [float(np.cos(np.arange(len(values)) % 1000) @ values) for values in (samples, times)]
    return len(session.block), sums[0], sums[1]


GOLDEN_ITEMS: list[PlanItem] = [
    Rest(1),
    *(Exercise(name, 2) for name in list(VARIANTS)[:20]),
    *(Daily(name) for name in list(DAILY)[:21]),
]
"""Every exercise and daily movement of the first version."""


def test_sessions_of_the_first_version_have_the_same_samples_and_truth() -> None:
    assert fingerprint(simulate(GOLDEN_ITEMS, Lifter(), Sensor.ideal(), 9)) == pytest.approx(
        (31578, 4865.801735276784, 22.547461160099544), abs=1e-6
    )
    assert fingerprint(simulate(*random_session(4), 4)) == pytest.approx(
        (12608, 1867.7452980741473, 486.88234149114373), abs=1e-6
    )


@pytest.mark.parametrize(
    ("seed", "apart", "expected"),
    [
        (0, False, (1029, 117.57374881357929, 38.725215051149455)),
        (1, False, (3774, -2296.1906252210424, -27.480703974963326)),
        (0, True, (1708, 16.32587211497498, 65.33413498702451)),
        (1, True, (5407, 448.0234585282856, 135.77534624164713)),
    ],
)
def test_short_sessions_of_the_first_version_are_drawn_the_same(
    seed: int, apart: bool, expected: tuple[int, float, float]
) -> None:
    plan, lifter, sensor = random_session(seed, short=True, apart=apart)
    assert fingerprint(simulate(plan, lifter, sensor, seed)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_exercise_keeps_its_lean_between_repetitions_that_touch(name: str) -> None:
    session = one_set(name, TOUCH_AND_GO)
    repetitions = session.truth.reps
    assert len(repetitions) == 5
    assert repetitions[0].start_trunk_angle_rad < 0.06
    for one, two in pairwise(repetitions):
        assert one.bottom_s < one.end_s <= two.start_s < two.bottom_s
        assert two.start_s - one.end_s < 0.2 * (two.bottom_s - one.bottom_s)
        expected = 0.3 if not VARIANTS[name].ballistic else 0.18
        assert two.start_trunk_angle_rad == pytest.approx(expected, abs=0.12)
        assert two.trunk_angle_rad > two.start_trunk_angle_rad + 0.03
    assert abs(session.truth_signals.pelvis_pitch_rad[-1]) < 0.01


def test_the_knees_stay_bent_between_repetitions() -> None:
    straight, bent = (one_set("air_squat", Manner(residual_bend=bend)) for bend in (0.0, 0.1))
    heights = [s.truth_signals.hip_height_m for s in (straight, bent)]
    rows = [int(np.searchsorted(s.truth_signals.time_s, s.truth.reps[2].start_s)) for s in (straight, bent)]
    gap = heights[0][rows[0]] - heights[1][rows[1]]
    assert gap == pytest.approx(0.1 * straight.truth.reps[2].hip_drop_m, abs=0.01)


def test_a_braced_start_leans_before_the_first_repetition() -> None:
    session = one_set("air_squat", Manner(residual_lean_rad=0.3, braced_start=True))
    assert session.truth.reps[0].start_trunk_angle_rad == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("tempo", [0.3, 1.0, 3.0])
def test_tempo_changes_the_time_of_a_repetition(tempo: float) -> None:
    session = one_set("back_squat", Manner(residual_lean_rad=0.2, tempo=tempo))
    usual = one_set("back_squat", Manner(residual_lean_rad=0.2))
    shares = [
        (one.end_s - one.start_s) / (two.end_s - two.start_s)
        for one, two in zip(session.truth.reps[1:4], usual.truth.reps[1:4], strict=True)
    ]
    assert np.median(shares) == pytest.approx(max(tempo, 0.4), rel=0.2)


def test_very_fast_squats_stay_on_the_floor() -> None:
    session = one_set("air_squat", Manner(tempo=0.3, top_overlap=0.2), lifter=Lifter(tempo=0.75))
    durations = [rep.end_s - rep.start_s for rep in session.truth.reps]
    assert 0.6 < np.median(durations) < 1.0
    assert np.linalg.norm(session.block.acceleration_m_s2, axis=1).min() > 0.1


def test_a_steady_squat_sinks_at_constant_speed() -> None:
    session = one_set("tempo_squat", Manner(tempo=1.0, steady=True))
    time, height = session.truth_signals.time_s, session.truth_signals.hip_height_m
    rep = session.truth.reps[2]
    down = np.gradient(height, time)[(time > rep.start_s + 1.2) & (time < rep.start_s + rep.eccentric_s - 0.8)]
    assert len(down) > 50
    assert down.max() < 0.5 * down.min() < 0.0


def test_a_pelvis_that_moves_with_the_legs_leans_furthest_at_the_bottom() -> None:
    before_bottom_s = []
    for together in (False, True):
        session = one_set("air_squat", Manner(together=together))
        signals, rep = session.truth_signals, session.truth.reps[2]
        inside = (signals.time_s >= rep.start_s) & (signals.time_s < rep.end_s)
        low, lean = (int(np.argmax(one[inside])) for one in (-signals.hip_height_m, signals.pelvis_pitch_rad))
        before_bottom_s.append(float(signals.time_s[inside][low] - signals.time_s[inside][lean]))
    assert before_bottom_s[0] > 0.1
    assert abs(before_bottom_s[1]) < 0.1


def test_a_shifted_weight_keeps_the_depth_and_moves_the_hip() -> None:
    forward, back = (one_set("air_squat", Manner(shift_m=shift)) for shift in (0.08, -0.08))
    assert forward.truth.reps[2].hip_drop_m == pytest.approx(back.truth.reps[2].hip_drop_m, abs=0.03)
    assert np.ptp(forward.block.acceleration_m_s2[:, 0]) != pytest.approx(np.ptp(back.block.acceleration_m_s2[:, 0]))


def test_a_bottom_pause_holds_the_bottom() -> None:
    plain, paused = (one_set("air_squat", Manner(bottom_pause_s=pause)) for pause in (0.0, 1.5))
    lengths = [session.truth.reps[2].end_s - session.truth.reps[2].start_s for session in (plain, paused)]
    assert lengths[1] > lengths[0] + 1.2


def test_a_breath_parts_two_repetitions() -> None:
    repetitions = one_set("air_squat", Manner(residual_lean_rad=0.2, breath_probability=1.0)).truth.reps
    pauses = [two.start_s - one.end_s for one, two in pairwise(repetitions)]
    assert 1.0 < min(pauses) < max(pauses) < 9.0


@pytest.mark.parametrize("seed", range(16))
def test_random_continuous_sessions_are_whole(seed: int) -> None:
    plan, lifter, sensor = random_continuous_session(seed, short=True)
    session = simulate(plan, lifter, sensor, seed)
    assert np.isfinite(session.block.acceleration_m_s2).all()
    assert np.isfinite(session.block.angular_velocity_rad_s).all()
    truth = session.truth
    assert [len(one.reps) for one in truth.sets] == [i.repetitions for i in plan if isinstance(i, Exercise)]
    within_sets = ("letting_go", "failed_repetition")
    outside = [daily.name for daily in truth.daily if daily.name not in within_sets]
    assert outside == [i.name for i in plan if isinstance(i, Daily)]
    times = [time for rep in truth.reps for time in (rep.start_s, rep.bottom_s, rep.end_s)]
    assert times == sorted(times)
    assert truth_from_dict(truth_to_dict(truth)).reps[0].start_s == truth.reps[0].start_s


@pytest.mark.parametrize("seed", [1, 2])
def test_random_continuous_sessions_are_reproducible(seed: int) -> None:
    asked = random_continuous_session(seed, short=True)
    assert asked == random_continuous_session(seed, short=True)
    assert fingerprint(simulate(*asked, seed)) == fingerprint(simulate(*asked, seed))


def test_random_continuous_sessions_hold_every_exercise_and_the_whole_range_of_lean_and_tempo() -> None:
    sets = [item for seed in range(60) for item in random_continuous_session(seed)[0] if isinstance(item, Exercise)]
    manners = [item.manner for item in sets if item.manner is not None]
    assert len(manners) == len(sets)
    assert {item.name for item in sets} == set(VARIANTS)
    assert max(manner.residual_lean_rad for manner in manners) > np.radians(23)
    assert min(manner.tempo for manner in manners) < 0.35
    assert max(manner.tempo for manner in manners) > 2.7


def test_a_repetition_that_never_comes_up_has_finite_times() -> None:
    """A partial good morning whose next descent begins before it has come up: seed 70036."""
    time = np.arange(0.0, 6.0, 0.01)
    pitch, level = 0.12 * time, np.ones_like(time)
    signals = TruthSignals(time, pitch, level, level, np.broadcast_to(np.eye(3), (len(time), 3, 3)))
    truth = measure_repetition(signals, (1.0, 4.0), (1.0, 4.0), "hinge", "good_morning")
    assert truth.start_s < truth.bottom_s < truth.end_s
    assert np.isfinite(truth.mean_concentric_velocity_m_s)


def test_impossible_manners_are_refused() -> None:
    with pytest.raises(ValueError, match="residual_bend must be"):
        Manner(residual_bend=1.5)
    with pytest.raises(ValueError, match="tempo must be"):
        Manner(tempo=0.0)
