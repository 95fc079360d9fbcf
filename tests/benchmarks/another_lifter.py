"""A lifter made otherwise than `imu.virtual`, to count and to judge: does the counter hang on how our simulator moves?

Hip height, hip way and pelvis pitch follow minimum-jerk paths in phase, with pauses, a lean that stays, sway and sensor
errors; there is no body that keeps its balance. Nothing was fitted on it. What it showed first (squats called hinges,
because the pelvis moved with the legs) led to more ways to move in `imu.virtual.person`, so that it is no blind test.

Run: ``python tests/benchmarks/another_lifter.py [SETS]`` (60 of each kind take half a minute).
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfiltfilt
from scipy.spatial.transform import Rotation

import imu
from imu.samples import STANDARD_GRAVITY_M_S2, Array

MINIMUM_JERK_PEAK, FASTEST_M_S2 = 5.77, 5.0
"""Peak acceleration of a minimum-jerk step of unit size in unit time; the largest one of a hip."""
TAIL_S = 3.0
COLUMNS = ("time_s", "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")


def way(rows: int, power: float) -> Array:
    """Return a minimum-jerk step from 0 to 1, early or late by `power`."""
    u = np.linspace(0.0, 1.0, rows, endpoint=False) ** power
    return np.asarray(u**3 * (10.0 + u * (6.0 * u - 15.0)))


def sway(rows: int, rate_hz: float, size: float, rng: np.random.Generator) -> Array:
    """Return slow noise (0.05-0.3 Hz) of a root mean square."""
    noise = sosfiltfilt(butter(2, [0.05, 0.3], "band", fs=rate_hz, output="sos"), rng.standard_normal(rows + 200))
    return np.asarray(size * noise[100:-100] / noise.std())


def one_set(pattern: str, seed: int) -> tuple[int, pd.DataFrame]:
    """Return the number of repetitions of a random set, and what a sensor in any turn measures of it."""
    rng = np.random.default_rng(seed)
    squat = pattern == "squat"
    drop_m = rng.uniform(0.25, 0.6) if squat else rng.uniform(0.02, 0.12)
    tilt, lean = np.radians((rng.uniform(15, 45) if squat else rng.uniform(45, 85), rng.choice([0, 0, 8, 18])))
    repetitions, rate_hz = int(rng.integers(3, 13)), float(rng.choice([50, 100, 104, 200]))
    least_s = np.sqrt(MINIMUM_JERK_PEAK * drop_m / FASTEST_M_S2)
    down_s, up_s = max(rng.uniform(0.7, 2.5), least_s), max(rng.uniform(0.6, 2.0), least_s)
    pause_s, top_s = rng.choice([0, 0, 0, 0.3, 1.0]), rng.choice([0, 0, 0.1, 0.5, 1.5])
    lead, tail = int(rate_hz * rng.choice([0.3, 1, 2, 5])), int(rate_hz * TAIL_S)
    sinks, tilts = [np.zeros(lead)], [np.zeros(lead)]
    for _ in range(repetitions):
        down, up = (max(2, int(rate_hz * each * np.exp(0.12 * rng.standard_normal()))) for each in (down_s, up_s))
        hold, top = int(rate_hz * pause_s * rng.uniform(0.7, 1.3)), int(rate_hz * top_s * rng.uniform(0.6, 1.4))
        powers, lag = rng.uniform(0.85, 1.2, 2), rng.uniform(-0.06, 0.06)
        for paths, shift, spread in ((sinks, 0.0, 0.06), (tilts, lag, 0.05)):
            size = 1.0 + spread * rng.standard_normal()
            path = (way(down, powers[0] + shift), np.ones(hold), 1.0 - way(up, powers[1] - shift), np.zeros(top))
            paths.append(size * np.concatenate(path))
    sink, tilted = (np.concatenate([*paths, np.zeros(tail)]) for paths in (sinks, tilts))
    rows = len(sink)
    braced = np.interp(np.arange(rows), [lead - 0.8 * rate_hz, lead, rows - tail, rows - tail + rate_hz], [0, 1, 1, 0])
    braced = gaussian_filter1d(braced, 0.15 * rate_hz)
    small = (np.radians(sway(rows, rate_hz, size, rng)) for size in (0.7, 0.6, 1.5))
    pitch, roll, yaw = (next(small) for _ in range(3))
    pitch = pitch + (tilt - lean / 2) * tilted + lean * braced
    hip = np.stack([sway(rows, rate_hz, size, rng) for size in (0.01, 0.01, 0.004)], axis=1)
    hip += np.stack([-(0.12 if squat else 0.28) * tilted, np.zeros(rows), -drop_m * sink], axis=1)
    acceleration = np.gradient(np.gradient(hip, 1 / rate_hz, axis=0), 1 / rate_hz, axis=0)
    body = Rotation.from_euler("ZYX", np.stack([yaw, pitch, roll], axis=1))
    acceleration[:, 2] += STANDARD_GRAVITY_M_S2
    force = body.inv().apply(acceleration)
    turned = (body[:-1].inv() * body[1:]).as_rotvec() * rate_hz
    sensor = Rotation.random(random_state=int(rng.integers(10**9)))
    measured = [
        sensor.apply(each) + rng.normal(0, noise, each.shape) + rng.uniform(-offset, offset, 3)
        for each, noise, offset in ((force, 0.03, 0.4), (np.concatenate([turned, turned[-1:]]), 0.003, 0.02))
    ]
    return repetitions, pd.DataFrame(np.column_stack([np.arange(rows) / rate_hz, *measured]), columns=COLUMNS)


def main() -> None:
    """Print how many sets are counted right."""
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    for pattern in ("squat", "hinge"):
        off, counted, right = [], 0, 0
        for seed in range(sets):
            repetitions, table = one_set(pattern, seed)
            found = imu.count(table).repetitions
            off.append(abs(len(found) - repetitions))
            counted, right = counted + len(found), right + int((found["pattern"] == pattern).sum())
        exact, near = np.mean(np.array(off) == 0), np.mean(np.array(off) <= 1)
        print(
            f"{pattern}: exact {exact:.3f}, within one {near:.3f} of {sets} sets; right pattern {right / counted:.3f}"
        )


if __name__ == "__main__":
    main()
