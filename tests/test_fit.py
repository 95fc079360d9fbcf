"""The material of the fit: recordings of people as other bodies and sensors would have made them."""

from pathlib import Path

import numpy as np
import pytest

from imu.evaluation.fit import load_recording
from imu.evaluation.labels import LabelledRepetition
from imu.evaluation.streams import DYNAMIC, UP, Stretch, at_own_pace
from imu.motion.signals import STEP_S


def one_repetition() -> Stretch:
    """Return 10 s at 20 Hz: down in 1.5 s, a hold of 2 s, up in 1.5 s, with the posture and acceleration of a bow."""
    steps = np.zeros((200, 8))
    angle = np.interp(np.arange(200), [60, 90, 130, 160], [0.0, 1.0, 1.0, 0.0])
    steps[:, UP] = np.column_stack((np.sin(angle), np.zeros(200), np.cos(angle)))
    steps[:, DYNAMIC] = 1.0
    return Stretch(steps, (LabelledRepetition(60, 90, 110, 130, 160, True),), frozenset({"some/one"}))


@pytest.mark.parametrize("seed", range(20))
def test_a_repetition_at_another_pace_is_the_same_movement_at_its_new_times(seed: int) -> None:
    single = one_repetition()
    paced = at_own_pace(np.random.default_rng(seed), single)
    (before,), (after,) = single.repetitions, paced.repetitions
    assert (after.hinge, paced.people) == (before.hinge, single.people)
    assert after.start == pytest.approx(before.start, abs=3)
    assert after.start < after.bottom_start < after.bottom < after.bottom_end < after.end <= len(paced)
    angle = np.arccos(np.clip(paced.steps[:, UP.stop - 1], -1, 1))
    assert angle[round(after.bottom)] == pytest.approx(1.0, abs=0.02)
    assert angle[: round(after.start) - 3].max() < 0.05
    assert angle[round(after.end) + 3 :].max() < 0.05
    np.testing.assert_allclose(np.linalg.norm(paced.steps[:, UP], axis=1), 1.0)


def test_phases_change_their_pace_apart_from_each_other() -> None:
    holds, ways = [], []
    for seed in range(40):
        (r,) = at_own_pace(np.random.default_rng(seed), one_repetition()).repetitions
        holds.append((r.bottom_end - r.bottom_start) * STEP_S)
        ways.append((r.bottom_start - r.start) * STEP_S)
    assert min(holds) < 1.0 < 2.5 < max(holds)
    assert min(ways) < 1.1 < 2.0 < max(ways)
    assert abs(np.corrcoef(holds, ways)[0, 1]) < 0.5


def test_twice_the_time_is_a_quarter_of_the_acceleration() -> None:
    paced = at_own_pace(np.random.default_rng(3), one_repetition())
    (r,) = paced.repetitions
    middle = round((r.start + r.bottom_start) / 2)
    factor = (r.bottom_start - r.start) / 30
    assert paced.steps[middle, DYNAMIC][0] == pytest.approx(factor**-2, rel=0.1)


def test_every_second_person_is_also_seen_by_a_slow_sensor(tmp_path: Path) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    time_s = np.arange(0, 8, 0.01)
    rows = np.column_stack((time_s, *np.zeros((2, 800)), np.full(800, 9.81), *np.zeros((3, 800))))
    names = "time_s,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
    np.savetxt(folder / "still.csv", rows, delimiter=",", header=names, comments="")
    slow = []
    for person in "ABCDEFGH":
        seen = load_recording(folder, {"file": "still.csv", "subject": person, "reps": "0", "pattern": "none"})
        assert {one.kind for one in seen} == {"daily"}
        assert [one.slow for one in seen] in ([False], [False, True])
        slow.append(seen[-1].slow)
        np.testing.assert_allclose([len(one.stretch) for one in seen], 160, atol=3)
    assert 2 <= sum(slow) <= 6
