"""Write the sample recordings beside this file: ``python recordings/make.py [FOLDER]``.

All of them are simulated: a random lifter carries out a plan with a random sensor at a chosen place and rate. The same
code and seeds give the same rows. ``NAME.truth.json`` beside each recording lists what the simulated lifter did.
"""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from imu.samples import ImuBlock
from imu.virtual.person import (
    Daily,
    Exercise,
    Lifter,
    PlanItem,
    Rest,
    Sensor,
    SimulatedSession,
    simulate,
    truth_to_dict,
)
from imu.virtual.person.worn_sensor import Place

HEADER = "time_s,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
DECIMALS = 4
"""Of every number in the recordings: 0.1 ms, 0.0001 m/s², 0.0001 rad/s."""
TRUTH_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """One recording: its plan, its seed, and the place and rate of the sensor."""

    name: str
    seed: int
    place: Place
    sampling_rate_hz: float
    plan: tuple[PlanItem, ...]
    lost_packet_probability: float = 0.0
    packet_rows: int = 10


SAMPLES = (
    Sample("simulated_air_squats", 1, "back", 100, (Rest(3), Exercise("air_squat", 8), Rest(3))),
    Sample("simulated_tempo_squats", 2, "left", 100, (Rest(3), Exercise("tempo_squat", 5), Rest(3))),
    Sample("simulated_romanian_deadlifts", 3, "right", 100, (Rest(3), Exercise("romanian_deadlift", 8), Rest(3))),
    Sample("simulated_kettlebell_swings", 4, "back", 200, (Rest(3), Exercise("kettlebell_swing", 12), Rest(3))),
    Sample("simulated_deadlifts", 5, "front", 50, (Rest(3), Exercise("deadlift", 6), Rest(3))),
    Sample(
        "simulated_mixed_session",
        6,
        "back",
        100,
        (
            Rest(2),
            Exercise("air_squat", 5),
            Rest(3),
            Daily("sit_down_and_stand_up", 8),
            Rest(5),
            Exercise("romanian_deadlift", 5),
            Rest(3),
        ),
    ),
    Sample(
        "simulated_daily_life",
        7,
        "front",
        100,
        (
            Rest(2),
            Daily("walking", 12),
            Rest(2),
            Daily("sit_down_and_stand_up", 6),
            Rest(2),
            Daily("stairs_up", 8),
            Daily("tie_shoe"),
            Rest(2),
        ),
    ),
    Sample(
        "simulated_lost_packets",
        8,
        "right",
        100,
        (Rest(3), Exercise("half_squat", 8), Rest(3)),
        lost_packet_probability=0.04,
        packet_rows=20,
    ),
)


def simulated(sample: Sample) -> SimulatedSession:
    """Return the session of `sample`."""
    rng = np.random.default_rng(sample.seed)
    lifter, drawn = Lifter.random(rng), Sensor.random(rng)
    sensor = replace(
        drawn,
        place=sample.place,
        sampling_rate_hz=sample.sampling_rate_hz,
        bandwidth_hz=0.4 * sample.sampling_rate_hz,
        lost_packet_probability=sample.lost_packet_probability,
        packet_rows=sample.packet_rows,
    )
    return simulate(sample.plan, lifter, sensor, sample.seed)


def as_csv(block: ImuBlock) -> str:
    """Return the rows as text."""
    rows = np.column_stack((block.device_time_s, block.acceleration_m_s2, block.angular_velocity_rad_s))
    rows = np.round(rows, DECIMALS) + 0.0  # not -0.0
    lines = (",".join(f"{value:.{DECIMALS}f}" for value in row) for row in rows)
    return "\n".join([HEADER, *lines, ""])


def as_json(session: SimulatedSession) -> str:
    """Return the truth as text."""
    return json.dumps(_rounded(truth_to_dict(session.truth)), indent=1) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return round(value, TRUTH_DECIMALS) + 0.0 if isinstance(value, float) else value


def make(folder: Path) -> None:
    """Write every recording and its truth into `folder`."""
    for sample in SAMPLES:
        session = simulated(sample)
        # Without a time and a name in its header, the same rows compress to the same bytes.
        packed = gzip.compress(as_csv(session.block).encode("ascii"), 9, mtime=0)
        (folder / f"{sample.name}.csv.gz").write_bytes(packed)
        (folder / f"{sample.name}.truth.json").write_text(as_json(session), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
