"""An hour of training for the benchmarks: realistic, and as dense as random sessions come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from imu.samples import ImuBlock
from imu.virtual.person import Daily, Exercise, Lifter, PlanItem, Rest, Sensor, random_session, simulate

HOUR_S = 3600.0
EXERCISES = ("back_squat", "romanian_deadlift", "air_squat", "kettlebell_swing", "deadlift", "half_squat")


def shifted(block: ImuBlock, by_s: float) -> ImuBlock:
    """Return the block at a later time."""
    return ImuBlock(block.device_time_s + by_s, block.acceleration_m_s2, block.angular_velocity_rad_s)


def back_to_back(blocks: list[ImuBlock], rate_hz: float) -> ImuBlock:
    """Return the blocks one after the other, from time 0 and for at most an hour."""
    acceleration = np.concatenate([block.acceleration_m_s2 for block in blocks])
    n = min(len(acceleration), int(HOUR_S * rate_hz))
    angular_velocity = np.concatenate([block.angular_velocity_rad_s for block in blocks])
    return ImuBlock(np.arange(n) / rate_hz, acceleration[:n], angular_velocity[:n])


def realistic_hour(seed: int = 0) -> ImuBlock:
    """Return 12 sets of 8 repetitions at 100 Hz with rests of some four minutes spent standing, sitting and walking."""
    rng = np.random.default_rng(seed)
    sensor = replace(Sensor.random(rng), sampling_rate_hz=100.0, time_jitter_s=0.0, lost_packet_probability=0.0)
    blocks: list[ImuBlock] = []
    for number in range(12):
        rest: list[PlanItem] = [
            Rest(float(rng.uniform(20, 40))),
            Daily("walking", float(rng.uniform(10, 30))),
            Daily("sit_down_and_stand_up", float(rng.uniform(60, 100))),
            Rest(float(rng.uniform(10, 30))),
            Daily("fidgeting"),
            Daily("drinking"),
            Daily("few_steps"),
        ]
        plan = [Rest(4), Exercise(EXERCISES[number % len(EXERCISES)], 8), *rest]
        block = simulate(plan, Lifter(), sensor, seed + number).block
        missing_s = HOUR_S / 12 - len(block) / 100
        if missing_s > 0.2:
            block = simulate([*plan, Rest(missing_s)], Lifter(), sensor, seed + number).block
        blocks.append(block)
    return back_to_back(blocks, 100.0)


def dense_hour() -> ImuBlock:
    """Return random sessions at 100 Hz back to back: a set every half a minute and daily movements in between."""
    blocks: list[ImuBlock] = []
    seed, rows = 0, 0
    while rows < HOUR_S * 100:
        plan, lifter, sensor = random_session(seed)
        sensor = replace(sensor, sampling_rate_hz=100.0, time_jitter_s=0.0, lost_packet_probability=0.0)
        blocks.append(simulate(plan, lifter, sensor, seed).block)
        rows += len(blocks[-1])
        seed += 1
    return back_to_back(blocks, 100.0)


def write_csv(block: ImuBlock, path: Path) -> None:
    """Write a recording with the digits that a 16-bit sensor has."""
    table = np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))
    header = "time_s,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
    np.savetxt(path, table, delimiter=",", header=header, comments="", fmt=["%.4f"] + ["%.6f"] * 6)
